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
    # Per client and 10 minutes the rate of calls; per client and 6 hours how
    # long inputs and outputs were, and which share of the output was reasoning.
    is(system('tar', 'xJf', $file, '-C', $dir), 0, 'unpacked');
    open my $rates, '>', "$dir/rates" or die $!;
    open my $lengths, '>', "$dir/lengths" or die $!;
    for my $path (glob "$dir/data/reason/deepseek-r1/*") {
        my ($client, $kind) = $path =~ m{chunk-(\d+)-(trace|dataset)\.} or die $path;
        open my $in, '<', $path or die $!;
        my $text = do { local $/; <$in> };
        if ($kind eq 'trace') {
            printf $rates "%s\t%s\t%s\n", $client, (split /,/)[0, 1] for split /\n/, $text;
        }
        else {
            # {294: 0.01, ...} is no JSON: its keys are numbers
            printf $lengths "%s\t%s\n", $client, $text =~ s/([{ ])(\d[\d.e-]*):/$1\\\\"$2\\\\":/gr =~ s/\s+/ /gr;
        }
    }
    close $rates;
    close $lengths;
    psql('CREATE TABLE rate (client int, second int, per_second numeric); CREATE TABLE length (client int, body jsonb)');
    psql("\\copy rate FROM '$dir/rates'");
    psql("\\copy length FROM '$dir/lengths'");
    psql(q(CREATE TABLE mean AS
        SELECT client, w.key::int AS second, d.key AS what, sum(e.key::numeric * e.value::numeric) AS mean
        FROM length, jsonb_each(body) w, jsonb_each_text(w.value) d, jsonb_each_text(d.value::jsonb) e GROUP BY 1, 2, 3));
    # a row is the calls of one client in 10 minutes, as a usage report has them
    psql(q(CREATE VIEW reported AS
        SELECT timestamptz '2025-03-01 00:00+00' + r.second * interval '1 second' AS at, 'deepseek' AS provider, 'deepseek-reasoner' AS model,
               n.calls, 'client ' || r.client AS user_id, 'client ' || r.client || ' at ' || r.second AS request_id,
               tokens_from_openai(jsonb_build_object('prompt_tokens', round(n.calls * i.mean), 'completion_tokens', round(n.calls * o.mean),
                   'completion_tokens_details', jsonb_build_object('reasoning_tokens', round(n.calls * o.mean * q.mean)))) AS tokens
        FROM rate r CROSS JOIN LATERAL (SELECT round(r.per_second * 600)::bigint AS calls) n
        JOIN mean i ON (i.client, i.second, i.what) = (r.client, r.second / 21600 * 21600, 'input_tokens')
        JOIN mean o ON (o.client, o.second, o.what) = (r.client, r.second / 21600 * 21600, 'output_tokens')
        JOIN mean q ON (q.client, q.second, q.what) = (r.client, r.second / 21600 * 21600, 'reason_ratio')
        WHERE n.calls > 0));
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
    psql('CREATE TABLE line (n bigint GENERATED ALWAYS AS IDENTITY, body jsonb)');
    psql("\\copy line (body) FROM PROGRAM 'gzip -dc ''$file'''");
    # A block of 512 tokens that an earlier call had is read from the cache, from
    # the first block on until one was not; the last block may be shorter.
    psql(q(CREATE TABLE block AS SELECT l.n, b.i, b.id::int AS id, min(l.n) OVER (PARTITION BY b.id) < l.n AS is_known
           FROM line l, jsonb_array_elements_text(l.body -> 'hash_ids') WITH ORDINALITY AS b(id, i)));
    psql(q(CREATE VIEW synthetic AS
        SELECT timestamptz '2025-02-25 00:00+00' + (l.body ->> 'timestamp')::bigint * interval '1 millisecond' AS at, 'mooncake' AS provider, 'kimi' AS model, 'm' || l.n AS request_id,
               tokens_from_openai(jsonb_build_object('prompt_tokens', l.body -> 'input_length', 'completion_tokens', l.body -> 'output_length',
                   'prompt_tokens_details', jsonb_build_object('cached_tokens', least(512 * k.blocks, (l.body ->> 'input_length')::bigint)))) AS tokens
        FROM line l JOIN (SELECT b.n, count(*) FILTER (WHERE b.is_prefix) AS blocks
                          FROM (SELECT n, bool_and(is_known) OVER (PARTITION BY n ORDER BY i) AS is_prefix FROM block) b GROUP BY b.n) k ON k.n = l.n));
    is(psql("SELECT rows FROM load_usage('synthetic') WHERE outcome = 'taken'"), 3993, '3,993 calls');
    is(psql("SELECT meter(t, 'input'), meter(t, 'cache_read'), input_total(t) FROM (SELECT sum(tokens) AS t FROM usage) x"), '21341967|39852661|61194628', 'input, and what of it the cache had');
    is(psql("SELECT round(100.0 * meter(t, 'cache_read') / input_total(t), 2) FROM (SELECT sum(tokens) AS t FROM usage) x"), '65.12', 'a hit rate of 65.12 %');
    is(psql("SELECT output_total(sum(tokens)) = (SELECT sum((body ->> 'output_length')::bigint) FROM line) FROM usage"), 't', 'all output');
    is(psql("SELECT count(*) FROM usage WHERE tokens -> 'cache_write' IS NOT NULL OR tokens -> 'reasoning' IS NOT NULL"), 0, 'a meter that nobody reported is absent');
    psql('TRUNCATE usage');
}

SKIP: {
    my $file = $trace{'azure2023_code.csv.gz'} or skip 'no trace of Azure', 3;
    psql('CREATE TABLE azure (at timestamp, context_tokens bigint, generated_tokens bigint)');
    psql("\\copy azure FROM PROGRAM 'gzip -dc ''$file''' CSV HEADER");
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
