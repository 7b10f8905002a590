# A ledger is the same to the last bit whatever plan makes it: serial, parallel,
# by partition, shuffled, merged, compiled, on other servers, with a fresh
# FmgrInfo for each call; and through COPY in both forms.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

my $database = database();
my $book = q({"books": [{"book": "contract", "prices": [
        {"provider": "v", "model": "m0", "rates": {"currency": "EUR", "input": 1.5, "output": 7}},
        {"provider": "v", "model": "m1", "tier_mode": "graduated", "rates": {"currency": "USD", "input": 2, "output": 9}},
        {"provider": "v", "model": "m1", "tier_mode": "graduated", "above_input_tokens": 3000, "rates": {"currency": "USD", "input": 1, "output": 4.123456789}}]},
    {"book": "list", "prices": [
        {"provider": "v", "model": "m0", "rates": {"currency": "USD", "input": 2, "output": 8}},
        {"provider": "v", "model": "m1", "rates": {"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15}},
        {"provider": "v", "model": "m1", "above_input_tokens": 5000, "rates": {"currency": "USD", "input": 6, "cache_read": 0.6, "output": 22.5}},
        {"provider": "v", "model": "m2", "tier_basis": "uncached", "rates": {"currency": "USD", "input": 1, "output": 2}, "off_peak_zone": "Europe/Berlin"},
        {"provider": "v", "model": "m2", "tier_basis": "uncached", "above_input_tokens": 4000, "rates": {"currency": "USD", "input": 0.000000001, "output": 2}, "off_peak_zone": "Europe/Berlin"},
        {"provider": "v", "model": "m2", "tier_basis": "uncached", "rates": {"currency": "USD", "input": 0.5, "output": 1}, "off_peak": [[60, 400], [8700, 8800]], "off_peak_zone": "Europe/Berlin"},
        {"provider": "v", "model": "m3", "valid": [null, "2026-02-10T12:00:00Z"], "rates": {"currency": "USD", "input": 4}},
        {"provider": "v", "model": "m3", "valid": ["2026-02-10T12:00:00Z", null], "rates": {"currency": "USD", "input": 5}}]}],
    "aliases": [{"alias": "^m3-.*", "is_pattern": true, "to_model": "m3"}]}) =~ s/\s+/ /gr;

# calls by month; "part" says on which of two servers each lies
my $tables = "CREATE TABLE book AS SELECT '$book'::tokenomics.price_book AS book;
    CREATE TABLE calls (n int, at timestamptz, provider text, model text, service_tier text, tokens tokenomics.tokens, label text, calls bigint) PARTITION BY RANGE (at);
    CREATE TABLE calls_1 PARTITION OF calls FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z');
    CREATE TABLE calls_2 PARTITION OF calls FOR VALUES FROM ('2026-02-01Z') TO ('2026-03-01Z');
    CREATE TABLE calls_3 PARTITION OF calls FOR VALUES FROM ('2026-03-01Z') TO ('2026-05-01Z');
    ALTER TABLE calls_1 SET (parallel_workers = 2); ALTER TABLE calls_2 SET (parallel_workers = 2); ALTER TABLE calls_3 SET (parallel_workers = 2);";
psql("SET search_path = public, tokenomics; $tables
    INSERT INTO calls SELECT n, '2026-01-05Z'::timestamptz + (n * 7919 % 40000) * interval '3 minutes 1.000001 seconds', 'v', CASE WHEN n % 13 = 0 THEN 'm3-2026' WHEN n % 101 = 0 THEN NULL ELSE 'm' || n % 5 END, CASE WHEN n % 17 = 0 THEN 'batch' END,
        CASE WHEN n % 31 > 0 THEN jsonb_build_object('input', n * 104729 % 7000, CASE WHEN n % 3 = 0 THEN 'cache_read' ELSE 'output' END, n % 997, CASE WHEN n % 41 = 0 THEN 'tool_calls' ELSE 'reasoning' END, n % 7)::tokens END,
        CASE WHEN n % 4 > 0 THEN 'team ' || n % 4 END, CASE WHEN n % 29 = 0 THEN 3 ELSE 1 END FROM generate_series(1, 20000) n;
    ANALYZE calls; ANALYZE book;");
my $call = "(SELECT book FROM book), 'day', 'Europe/Berlin', at, provider, model, service_tier, tokens, label, calls";
my $serial = 'SET max_parallel_workers_per_gather = 0;';
my $parallel = 'SET max_parallel_workers_per_gather = 4; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off; SET enable_parallel_append = on;';
my $path = 'SET search_path = public, tokenomics;';
psql("$path $serial CREATE TABLE expected AS SELECT ledger($call) AS l FROM calls; CREATE TABLE expected_by_model AS SELECT model, ledger($call) AS l FROM calls GROUP BY model");
my $expected = '(SELECT l FROM expected)';
like(psql("SELECT count(*) FROM expected, lines(l)"), qr/^\d{4}$/, 'thousands of lines');
is(psql("SELECT string_agg(DISTINCT unpriced, ', ' ORDER BY unpriced) FROM expected, lines(l)"), 'no price for this service tier, no rate for a meter that was used, no tokens reported, unknown model', 'of every kind');

# the plan that is meant is the plan that runs
sub same_under {
    my ($settings, $plan, $name, $query) = @_;
    $query //= "SELECT ledger($call) = $expected FROM calls";
    like(psql("$path $settings EXPLAIN (COSTS OFF) $query"), $plan, "$name: the plan");
    is(psql("$path $settings $query"), 't', "$name: the same");
    return;
}
same_under($serial, qr/^Aggregate(?!.*Partial)/s, 'serial');
same_under($parallel, qr/Finalize Aggregate.*Gather.*Partial Aggregate/s, 'parallel');
same_under("$parallel SET parallel_leader_participation = on;", qr/Partial Aggregate/, 'parallel with the leader');
same_under("$parallel SET enable_partitionwise_aggregate = on;", qr/Finalize Aggregate.*Gather.*Append.*Partial Aggregate.*Partial Aggregate/s, 'parallel by partition');
same_under("$serial SET enable_partitionwise_aggregate = on;", qr/Finalize Aggregate.*Append.*Partial Aggregate.*Partial Aggregate/s, 'by partition');
my $by_model = "SELECT count(*) = (SELECT count(*) FROM expected_by_model) FROM (SELECT model, ledger($call) AS l FROM calls GROUP BY model) x JOIN expected_by_model e ON x.model IS NOT DISTINCT FROM e.model AND x.l = e.l";
same_under("$parallel SET enable_sort = off;", qr/Finalize.*Gather.*Partial HashAggregate/s, 'groups by hash in parallel', $by_model);
same_under("$parallel SET enable_hashagg = off;", qr/Finalize GroupAggregate.*Gather Merge.*Partial GroupAggregate/s, 'groups by order in parallel', $by_model);
same_under("$serial SET enable_sort = off;", qr/ HashAggregate/, 'groups by hash', $by_model);
same_under("$serial SET work_mem = '64kB'; SET enable_sort = off; SET hash_mem_multiplier = 1;", qr/ HashAggregate/, 'groups by hash on disk',
    "SELECT merge(l) = $expected FROM (SELECT ledger($call) AS l FROM calls GROUP BY n % 5000) x");
same_under($serial, qr/Sort/, 'shuffled', "SELECT ledger($call) = $expected FROM (SELECT * FROM calls ORDER BY random()) c");
# workers make parts of each, or whole ones of them, as the version likes
same_under($parallel, qr/Gather.*(Partial Aggregate|Parallel Append)/s, 'merged parts in parallel', "SELECT merge(l) = $expected FROM (SELECT ledger($call) AS l FROM calls_1 UNION ALL SELECT ledger($call) FROM calls_2 UNION ALL SELECT ledger($call) FROM calls_3) x");
psql("$path CREATE TABLE parts AS SELECT n % 300 AS k, ledger($call) AS l FROM calls GROUP BY n % 300; ALTER TABLE parts SET (parallel_workers = 3); ANALYZE parts");
same_under($parallel, qr/Finalize Aggregate.*Partial Aggregate.*Parallel Seq Scan on parts/s, 'stored parts merged in parallel', "SELECT merge(l) = $expected FROM parts");
diag('no JIT here') if psql('SELECT pg_jit_available()') ne 't';
same_under("$serial SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0;", qr/^Aggregate/, 'compiled');

# windows and rescans
is(psql("$path SELECT bool_and(calls(l) = s) AND bool_or(n = 500 AND l = (SELECT ledger($call) FROM calls WHERE n <= 500)) FROM (SELECT n, ledger($call) OVER w AS l, sum(calls) OVER w AS s FROM calls WHERE n <= 600 WINDOW w AS (ORDER BY n)) x"), 't', 'a running ledger');
is(psql("$path SELECT bool_and(l = (SELECT ledger($call) FROM calls WHERE calls.n BETWEEN x.n - 2 AND x.n + 2 AND calls.n <= 300)) FROM (SELECT n, ledger($call) OVER (ORDER BY n ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING) AS l FROM calls WHERE n <= 300) x"), 't', 'a moving ledger');
is(psql("$path SELECT bool_and(l = whole AND lag_l IS NOT DISTINCT FROM CASE WHEN k > 0 THEN first END) FROM (SELECT k, l, first, lag(l) OVER (ORDER BY k) AS lag_l, merge(first) OVER (ORDER BY k ROWS CURRENT ROW) AS whole FROM (SELECT k, first_value(l) OVER (ORDER BY k) AS first, first_value(l) OVER (ORDER BY k) AS l FROM parts) y) x"), 't', 'a ledger that windows hand on');
is(psql("$path SET enable_nestloop = on; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_memoize = off;
    SELECT count(*) || ' ' || bool_and(x.l = p.l) FROM parts p, LATERAL (SELECT ledger($call) AS l FROM calls WHERE n % 300 = p.k AND p.k < 40) x WHERE p.k < 40"), '40 true', 'in a subquery that is scanned again and again');
is(psql("$path SELECT count(*) || ' ' || bool_and(x.l = y.l AND x.l = p.l) FROM parts p, LATERAL (SELECT merge(q.l) AS l FROM parts q WHERE q.k = p.k) x, LATERAL (SELECT merge(l) AS l FROM (VALUES (x.l), (NULL)) v(l)) y"), '300 true', 'merged again and again');
# one state, several results
is(psql("$path SELECT spend(ledger($call), 'USD') = spend($expected, 'USD') AND calls(ledger($call)) = calls($expected) AND ledger($call) = $expected AND ledger($call)::text = $expected\::text FROM calls"), 't', 'several results of one state');
is(psql("$path SELECT (SELECT count(*) FROM lines(l)) || ' ' || (l = $expected) || ' ' || (merge_again = l) FROM (SELECT l, (SELECT merge(x) FROM (VALUES (l)) v(x)) AS merge_again FROM (SELECT ledger($call) AS l FROM calls OFFSET 0) y OFFSET 0) z"),
    psql("SELECT count(*) FROM expected, lines(l)") . ' true true', 'read as rows, compared, merged: it stays as it is');

# transition functions called by hand
for my $sql ("ledger_add(NULL, $call)", "ledger_add($expected, $call)", "ledger_merge($expected, $expected)", 'ledger_merge(NULL, NULL)') {
    like(psql_error("$path SELECT $sql FROM calls LIMIT 1"), qr/ERROR:  ledger_(add|merge) is called by aggregates only/, "$sql: refused");
}

# a FmgrInfo that is new at each call
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my $include = qx($pg_config --includedir-server);
chomp $include;
my $source = project_file('test', 'distributed', 'empty_extra.c');
is(system("gcc -O1 -g -Wall -Werror -fPIC -shared -I$include -o $ENV{TOKENOMICS_LIBDIR}/empty_extra.so $source"), 0, 'the caller is built');
my $types = 'price_book, text, text, timestamptz, text, text, text, tokens, text, bigint';
psql("$path CREATE SCHEMA fresh; CREATE FUNCTION fresh.ledger_add(ledger, $types) RETURNS ledger AS '\$libdir/empty_extra', 'with_empty_extra' LANGUAGE C PARALLEL SAFE;
    CREATE FUNCTION fresh.ledger_merge(ledger, ledger) RETURNS ledger AS '\$libdir/empty_extra', 'with_empty_extra' LANGUAGE C PARALLEL SAFE;
    CREATE AGGREGATE fresh.ledger($types) (SFUNC = fresh.ledger_add, STYPE = ledger, COMBINEFUNC = fresh.ledger_merge, PARALLEL = SAFE);
    CREATE AGGREGATE fresh.merge(ledger) (SFUNC = fresh.ledger_merge, STYPE = ledger, COMBINEFUNC = fresh.ledger_merge, PARALLEL = SAFE)");
is(psql("$path $serial SELECT fresh.ledger($call) = $expected FROM calls"), 't', 'fresh at each call: the same');
same_under($parallel, qr/Finalize Aggregate.*Partial Aggregate/s, 'fresh at each call, in parallel', "SELECT fresh.ledger($call) = $expected FROM calls");
is(psql("$path SELECT fresh.merge(l) = $expected FROM parts"), 't', 'fresh at each merge: the same');

# text and binary forms through COPY
my $dir = File::Spec->tmpdir();
for my $format ('text', 'csv', 'binary') {
    my $file = "$dir/tokenomics_ledger_$$.$format";
    psql("$path CREATE TEMP TABLE back (k int, l ledger); COPY parts TO '$file' (FORMAT $format); COPY back FROM '$file' (FORMAT $format); CREATE TABLE outcome_$format AS SELECT count(*), bool_and(b.l = p.l) FROM back b JOIN parts p USING (k)");
    unlink $file;
    is(psql("$path TABLE outcome_$format"), '300|t', "$format: what went out came back");
}

# two more databases, each with half of the calls, asked through postgres_fdw
SKIP: {
    skip 'no postgres_fdw', 8 if psql("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'") eq '0';
    psql('CREATE EXTENSION postgres_fdw');
    my $file = "$dir/tokenomics_calls_$$";
    for my $shard (0, 1) {
        psql("$path COPY (SELECT * FROM calls WHERE n % 2 = $shard) TO '$file'");
        local $ENV{PGDATABASE} = 'postgres';
        psql("DROP DATABASE IF EXISTS tap_shard_$shard"); psql("CREATE DATABASE tap_shard_$shard");
        $ENV{PGDATABASE} = "tap_shard_$shard";
        # sessions there know nothing of ours
        psql("CREATE EXTENSION btree_gist; CREATE EXTENSION tokenomics; ALTER DATABASE tap_shard_$shard SET timezone = 'America/St_Johns'; SET search_path = public, tokenomics; $tables COPY calls FROM '$file';
            CREATE VIEW shard_ledger AS SELECT ledger($call) AS l FROM calls; CREATE VIEW shard_ledger_by_model AS SELECT model, ledger($call) AS l FROM calls GROUP BY model");
        unlink $file;
        $ENV{PGDATABASE} = $database;
        psql("$path CREATE SERVER shard_$shard FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$ENV{PGHOST}', port '$ENV{PGPORT}', dbname 'tap_shard_$shard', extensions 'tokenomics', async_capable 'true');
            CREATE USER MAPPING FOR CURRENT_USER SERVER shard_$shard OPTIONS (user '$ENV{PGUSER}');
            CREATE FOREIGN TABLE shard_ledger_$shard (l ledger) SERVER shard_$shard OPTIONS (table_name 'shard_ledger');
            CREATE FOREIGN TABLE shard_by_model_$shard (model text, l ledger) SERVER shard_$shard OPTIONS (table_name 'shard_ledger_by_model');
            CREATE FOREIGN TABLE shard_calls_$shard (n int, at timestamptz, provider text, model text, service_tier text, tokens tokens, label text, calls bigint) SERVER shard_$shard OPTIONS (table_name 'calls')");
    }
    same_under('', qr/Async Foreign Scan on shard_ledger_0.*Async Foreign Scan on shard_ledger_1/s, 'ledgers of two servers', "SELECT merge(l) = $expected FROM (TABLE shard_ledger_0 UNION ALL TABLE shard_ledger_1) x");
    is(psql("$path SELECT count(*) = (SELECT count(*) FROM expected_by_model) FROM (SELECT model, merge(l) AS l FROM (TABLE shard_by_model_1 UNION ALL TABLE shard_by_model_0) y GROUP BY model) x JOIN expected_by_model e ON x.model IS NOT DISTINCT FROM e.model AND x.l = e.l"), 't', 'by model');
    is(psql("$path SELECT ledger($call) = $expected FROM (TABLE shard_calls_1 UNION ALL TABLE shard_calls_0) x"), 't', 'calls of two servers');
    # the aggregate itself runs on the other server, its book goes along as a value
    my $pushed = "SELECT model, ledger('$book', 'day', 'Europe/Berlin', at, provider, model, service_tier, tokens, label, calls) AS l FROM %s GROUP BY model";
    my @both = map { sprintf $pushed, "shard_calls_$_" } 0, 1;
    like(psql("$path EXPLAIN (VERBOSE, COSTS OFF) $both[0]"), qr/Foreign Scan.*Remote SQL: SELECT model, tokenomics\.ledger\(/s, 'the aggregate is sent to the other server');
    is(psql("$path SELECT merge(l) = $expected FROM ($both[0] UNION ALL $both[1]) x"), 't', 'and gives the same');
    for my $shard (0, 1) {
        psql("DROP SERVER shard_$shard CASCADE");
        local $ENV{PGDATABASE} = 'postgres';
        psql("DROP DATABASE tap_shard_$shard WITH (FORCE)");
    }
}

# what the catalog must say of these aggregates, whatever test/contract.sql asks of all
is(psql("SELECT string_agg(aggfnoid::regprocedure::text, ' ' ORDER BY aggfnoid::regprocedure::text) FROM pg_aggregate a JOIN pg_proc p ON p.oid = aggfnoid WHERE pronamespace = 'tokenomics'::regnamespace AND aggtranstype = 'tokenomics.ledger'::regtype
        AND aggfinalfn = 'tokenomics.ledger_final'::regproc AND aggserialfn = 0 AND aggdeserialfn = 0 AND aggcombinefn = 'tokenomics.ledger_merge'::regproc AND agginitval IS NULL AND aggkind = 'n' AND proparallel = 's' AND pronargdefaults = 0 AND prorettype = aggtranstype"),
    'ledger(price_book,text,text,timestamp with time zone,text,text,text,tokens) ledger(price_book,text,text,timestamp with time zone,text,text,text,tokens,text) ledger(price_book,text,text,timestamp with time zone,text,text,text,tokens,text,bigint) merge(ledger)', 'the aggregates have their state as result, combine it and send it as it is');
done_testing();
