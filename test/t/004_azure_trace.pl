# The Azure code trace at $2.50 in and $10 out: the last digit.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my $trace = data_file('traces/azure2023_code.csv.gz');
plan skip_all => 'the folder of real data is absent' unless $trace;

database();
psql('CREATE TABLE trace (at timestamp, context_tokens bigint, generated_tokens bigint)');
psql("\\copy trace FROM PROGRAM 'gzip -dc ''$trace''' CSV HEADER");
psql(q(INSERT INTO price (provider, model, rates) VALUES ('azure', 'code', '{"currency": "USD", "input": 2.5, "output": 10}')));
my $calls = q(SELECT at AT TIME ZONE 'UTC' AS at, tokens(input => context_tokens, output => generated_tokens) AS tokens FROM trace);
is(psql("SELECT count(*), sum(tokens), sum(cost(b.book, 'azure', 'code', at, tokens)) = 47.608895 FROM ($calls) c, (SELECT book() AS book OFFSET 0) b"),
    '8819|{"input": 18059974, "output": 245896}|t', '8,819 calls, 18,059,974 + 245,896 tokens, 47.608895');
is(psql("SELECT cost(book(), 'azure', 'code', '2023-11-16', sum(tokens)) FROM ($calls) c"), '47.608895', 'and the cost of the sum');
is(psql("SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off;
         SELECT sum(tokens) FROM ($calls) c"), '{"input": 18059974, "output": 245896}', 'the same in parallel');
like(psql("SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
         EXPLAIN (COSTS OFF) SELECT sum(tokens) FROM ($calls) c"), qr/Partial Aggregate/, 'in a parallel plan');
done_testing();
