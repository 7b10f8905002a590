-- Demand profiles of random calls: in any parts and order the same, and what
-- they say is what SQL says of the same minutes.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE;
SET search_path = tokenomics, public;
SET timezone = 'America/New_York';
SELECT plan(35);
SELECT setseed(0.20261127);

-- five weeks over a change of the clocks in each zone, some hours busy
CREATE TABLE call AS
SELECT i, CASE WHEN i % 3 = 0 THEN '2026-03-20 00:00Z'::timestamptz + random() * interval '20 hours' ELSE '2026-03-06 03:17Z'::timestamptz + random() * interval '35 days' END AS at,
       CASE WHEN random() < 0.05 THEN NULL WHEN random() < 0.3 THEN tokens(input => (random() * 1000)::int) WHEN random() < 0.1 THEN tokens(tool_calls => 3)
            ELSE tokens(input => (random() ^ 4 * 100000)::int, cache_read => CASE WHEN i % 4 = 0 THEN (random() * 5000)::int END, output => (random() * 500)::int, reasoning => CASE WHEN i % 5 = 0 THEN (random() ^ 3 * 9000)::int END, cache_storage => CASE i % 50 WHEN 0 THEN 77 END) END AS tokens,
       CASE WHEN i % 20 = 0 THEN 1 + (random() * 9)::int ELSE 1 END::bigint AS calls
FROM generate_series(1, 8000) i;
CREATE TABLE zone AS SELECT unnest('{UTC,Europe/Berlin,Asia/Kolkata,Asia/Kathmandu,Australia/Lord_Howe,America/St_Johns}'::text[]) AS zone;
CREATE TABLE profile AS SELECT z.zone, demand_profile(z.zone, at, tokens, calls) AS p, demand_profile(z.zone, at, tokens, calls, 'second') AS s FROM call, zone z GROUP BY z.zone;
CREATE FUNCTION whole() RETURNS demand_profile LANGUAGE sql STABLE AS 'SELECT p FROM profile WHERE zone = ''UTC''';

-- parts
SELECT ok((SELECT demand_profile('UTC', at, tokens, calls) FROM (SELECT * FROM call ORDER BY random()) c) = whole(), 'any order of the calls');
SELECT ok((SELECT demand_profile('UTC', at, tokens, calls) FROM (SELECT * FROM call ORDER BY at DESC) c) = whole(), 'the last first');
SELECT ok((SELECT merge(x ORDER BY random()) FROM (SELECT demand_profile('UTC', at, tokens, calls) AS x FROM call GROUP BY i % n) y) = whole(), format('%s parts', n)) FROM unnest('{2,7,100,8000}'::int[]) n;
SELECT ok((SELECT merge(x ORDER BY random()) FROM (SELECT demand_profile('UTC', at, tokens, calls) AS x FROM call GROUP BY at::date) y) = whole(), 'days');
SELECT ok((SELECT merge(m) FROM (SELECT merge(x) AS m FROM (SELECT demand_profile('UTC', at, tokens, calls) AS x, i % 70 AS g FROM call GROUP BY i % 70) y GROUP BY g % 7) z) = whole(), 'parts of parts');
SELECT ok((SELECT r FROM (SELECT n, demand_profile('UTC', at, tokens, calls) OVER (ORDER BY n) AS r FROM (SELECT *, row_number() OVER (ORDER BY i * 7919 % 8009) AS n FROM call) o WHERE n <= 700) w WHERE n = 700)
    = (SELECT demand_profile('UTC', at, tokens, calls) FROM (SELECT *, row_number() OVER (ORDER BY i * 7919 % 8009) AS n FROM call) o WHERE n <= 700), 'a state that is read at every call goes on');
SELECT ok((SELECT merge(x) FROM (SELECT demand_profile('UTC', at, tokens, calls, 'second') AS x FROM call GROUP BY i % 13) y) = (SELECT s FROM profile WHERE zone = 'UTC'), 'seconds too');
SELECT ok(bool_and(in_zone(whole(), zone) = p AND in_zone(p, 'UTC') = whole()), 'a profile in a zone is the one made in it') FROM profile;
SELECT ok(bool_and(p::text::demand_profile = p AND s::text::demand_profile = s), 'text loses nothing') FROM profile;
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL max_parallel_workers_per_gather = 3;
ALTER TABLE call SET (parallel_workers = 3);
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END $$;
SELECT set_has($$SELECT trim(l, ' >-') FROM plan_of('SELECT demand_profile(''UTC'', at, tokens, calls) FROM call') l$$, 'VALUES (''Partial Aggregate'')', 'parallel processes count each a part');
SELECT ok((SELECT demand_profile('UTC', at, tokens, calls) FROM call) = whole(), 'which make the same whole');
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;

-- minutes
CREATE TABLE minute AS SELECT date_trunc('minute', at) AS minute, sum(calls)::bigint AS calls, coalesce(sum(tokens), '{}') AS tokens, coalesce(sum(total(tokens)), 0)::bigint AS total FROM call GROUP BY 1;
SELECT results_eq('SELECT minute, calls, tokens FROM minutes(whole())', 'SELECT minute, calls, tokens FROM minute ORDER BY 1', 'its minutes are those of date_trunc');
SELECT results_eq('SELECT minute, calls, tokens FROM profile, minutes(s) WHERE zone = ''Asia/Kolkata''', 'SELECT minute, calls, tokens FROM minute ORDER BY 1', 'also of a profile of seconds');
SELECT is(tokens(whole()), (SELECT sum(tokens) FROM call), 'its tokens are the sum');
SELECT is(calls(whole()), (SELECT sum(calls)::bigint FROM call), 'its calls are the sum');
SELECT is(unreported_calls(whole()), (SELECT sum(calls)::bigint FROM call WHERE tokens IS NULL), 'and those without tokens');
SELECT is(span(whole()), (SELECT tstzrange(min(minute), max(minute) + interval '1 minute') FROM minute), 'its span is from the first minute to the last');
SELECT is(tokens(side(whole(), 'input')), (SELECT sum(tokens(input => tokens -> 'input', cache_read => tokens -> 'cache_read')) FROM call), 'the input side');
SELECT is(total(tokens(side(whole(), 'input'))) + total(tokens(side(whole(), 'output'))), total(tokens(whole())), 'the sides add up');

-- hours of the week, with every idle minute
CREATE TABLE observed AS SELECT g AS minute, coalesce(m.total, 0) AS total, m.minute IS NOT NULL AS is_active FROM generate_series((SELECT min(minute) FROM minute), (SELECT max(minute) FROM minute), interval '1 minute') g LEFT JOIN minute m ON m.minute = g;
CREATE TABLE by_sql AS
SELECT z.zone, extract(isodow FROM minute AT TIME ZONE z.zone)::int AS dow, extract(hour FROM minute AT TIME ZONE z.zone)::int AS hour, count(*) AS minutes, count(*) FILTER (WHERE is_active) AS active, round(avg(total), 6) AS mean,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY total) AS p50, percentile_disc(0.95) WITHIN GROUP (ORDER BY total) AS p95, percentile_disc(0.99) WITHIN GROUP (ORDER BY total) AS p99, max(total) AS max
FROM observed, zone z GROUP BY 1, 2, 3;
SELECT results_eq(format('SELECT dow, hour, minutes, active_minutes, round(mean::numeric, 6), p50, p95, p99, max FROM profile, hour_of_week(p) WHERE zone = %L ORDER BY 1, 2', zone),
    format('SELECT dow, hour, minutes, active, mean, p50, p95, p99, max FROM by_sql WHERE zone = %L ORDER BY 1, 2', zone), 'hours of the week in ' || zone) FROM zone;

-- peaks and capacities
SELECT results_eq($$SELECT * FROM peak(whole(), 'minute')$$, 'SELECT minute, total FROM minute ORDER BY total DESC, minute LIMIT 1', 'the busiest minute');
SELECT is((SELECT count(*) FROM profile, peak(p, 'hour') k WHERE (k.at, k.tokens) = (SELECT period_start('hour', zone, at) AS hour, sum(total(tokens))::bigint AS n FROM call GROUP BY 1 ORDER BY n DESC, hour LIMIT 1)), 6::bigint, 'the busiest hour of each zone');
SELECT results_eq($$SELECT k.* FROM profile, peak(s, 'second') k WHERE zone = 'UTC'$$, $$SELECT date_trunc('second', at), sum(total(tokens))::bigint FROM call GROUP BY 1 ORDER BY 2 DESC NULLS LAST, 1 LIMIT 1$$, 'the busiest second');
SELECT ok(abs(peak_to_average(whole(), 'minute') - (SELECT max(total) / avg(total) FROM observed)) < 1e-9, 'peak to average of minutes, idle ones included');
SELECT results_eq('SELECT capacity_at(whole(), q), capacity_at(whole(), q, true) FROM generate_series(0, 100) n, LATERAL (SELECT n / 100.0::float8 AS q) q ORDER BY n', 'SELECT percentile_disc(q) WITHIN GROUP (ORDER BY total), percentile_disc(q) WITHIN GROUP (ORDER BY total) FILTER (WHERE is_active) FROM observed, generate_series(0, 100) n, LATERAL (SELECT n / 100.0::float8 AS q) q GROUP BY n, q ORDER BY n', 'capacities are percentiles of minutes');
SELECT results_eq('SELECT lost_tokens(whole(), c) FROM unnest(''{0,0.25,77,1234.5678,99999.999999,1e9,1e30}''::numeric[]) c', 'SELECT trim_scale(sum(greatest(total - c, 0))) FROM minute, unnest(''{0,0.25,77,1234.5678,99999.999999,1e9,1e30}''::numeric[]) c GROUP BY c ORDER BY c', 'what a capacity loses');
SELECT ok(tokens_per_minute(whole()) = (SELECT trim_scale(avg(total)) FROM observed) AND tokens_per_minute(whole(), true) = (SELECT trim_scale(avg(total)) FROM observed WHERE is_active), 'means');
SELECT * FROM finish();
ROLLBACK;
