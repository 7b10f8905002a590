# Real traces as calls, in the right meters: ServeGen's DeepSeek-R1 (reasoning),
# Mooncake (cache reads) and Azure (the last digit of the cost).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use File::Temp qw(tempdir);
use Test::More;
use TokenomicsTest;

my %trace = map { $_ => data_file("traces/$_") } qw(servegen_raw_deepseek_r1.tar.xz mooncake_synthetic_trace.jsonl.gz azure2023_code.csv.gz);
plan skip_all => 'the folder of real data is absent' unless grep { defined } values %trace;

database();
my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;

SKIP: {
    my $file = $trace{'servegen_raw_deepseek_r1.tar.xz'} or skip 'no trace of ServeGen', 8;
    is(system('tar', 'xJf', $file, '-C', $dir), 0, 'unpacked');
    load_servegen($dir);
    is(psql("SELECT outcome, rows FROM load_usage('reported') WHERE rows > 0"), 'taken|3111', 'loaded, as calls in buckets');
    is(psql("SELECT rows FROM load_usage('reported') WHERE outcome = 'skipped'"), 3111, 'and not again');
    is(psql("SELECT sum(calls), count(DISTINCT user_id) FROM usage"), '1383669|73', 'all calls, of all clients');
    is(psql("SELECT output_total(sum(tokens)), meter(sum(tokens), 'reasoning') FROM usage"), '2113443014|1571078783', 'output, and the reasoning in it');
    is(psql("SELECT total(sum(tokens)) = input_total(sum(tokens)) + output_total(sum(tokens)), meter(sum(tokens), 'output') + meter(sum(tokens), 'reasoning') = output_total(sum(tokens)) FROM usage"), 't|t', 'each token in one meter');
    # published as 2,113,443,003 and 1,571,078,776, by another rounding of the same means
    is(psql("SELECT abs(output_total(sum(tokens)) - 2113443003) < 20, abs(meter(sum(tokens), 'reasoning') - 1571078776) < 20 FROM usage"), 't|t', 'within the rounding of 3,111 rows of the known totals');
    is(psql("SELECT string_agg(month::text || ' ' || rows_moved, ',' ORDER BY rows_moved DESC) FROM ensure_partitions() WHERE rows_moved > 0"), '2025-03-01 3111', 'moved to the partition of their month');
    psql('TRUNCATE usage');
}

SKIP: {
    my $file = $trace{'mooncake_synthetic_trace.jsonl.gz'} or skip 'no trace of Mooncake', 5;
    load_mooncake($file);
    is(psql("SELECT rows FROM load_usage('synthetic') WHERE outcome = 'taken'"), 3993, '3,993 calls');
    is(psql("SELECT meter(t, 'input'), meter(t, 'cache_read'), input_total(t) FROM (SELECT sum(tokens) AS t FROM usage) x"), '21341967|39852661|61194628', 'input, and what of it the cache had');
    is(psql("SELECT round(100.0 * meter(t, 'cache_read') / input_total(t), 2) FROM (SELECT sum(tokens) AS t FROM usage) x"), '65.12', 'a hit rate of 65.12 %');
    is(psql("SELECT output_total(sum(tokens)) = (SELECT sum((body ->> 'output_length')::bigint) FROM line) FROM usage"), 't', 'all output');
    is(psql("SELECT count(*) FROM usage WHERE tokens -> 'cache_write' IS NOT NULL OR tokens -> 'reasoning' IS NOT NULL"), 0, 'a meter that nobody reported is absent');
    psql('TRUNCATE usage');
}

SKIP: {
    my $file = $trace{'azure2023_code.csv.gz'} or skip 'no trace of Azure', 3;
    load_azure($file);
    psql(q(INSERT INTO price (provider, model, rates) VALUES ('azure', 'code', '{"currency": "USD", "input": 2.5, "output": 10}');
           CREATE SCHEMA mine));
    my $sum = q(SELECT count(*), sum(cost(b.book, provider, model, at, tokens, service_tier)) = 47.608895 FROM %s, (SELECT book() AS book OFFSET 0) b);
    # through a view, and copied into the table
    psql(q(SET client_min_messages = warning; CALL tokenomics.install('mine', usage => 'azure', mapping => '{"at": "at AT TIME ZONE ''UTC''", "provider": "''azure''", "model": "''code''", "tokens": "tokens(input => context_tokens, output => generated_tokens)"}')));
    is(psql(sprintf $sum, 'mine.usage'), '8819|t', '8,819 calls cost 47.608895, read where they are');
    psql(q(INSERT INTO usage (at, provider, model, tokens) SELECT at, provider, model, tokens FROM mine.usage));
    is(psql(sprintf $sum, 'usage'), '8819|t', 'and loaded');
    is(psql(q(SELECT rows FROM load_usage('mine.usage') WHERE outcome = 'taken')), 8819, 'calls without an id never conflict');
}
done_testing();
