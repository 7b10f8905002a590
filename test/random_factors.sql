-- The factors of a few thousand random calls, over 1,000 random slices: their
-- product is the total, to the last token, and each count is that of plain SQL.
-- And random plans: what is shown side by side adds up exactly.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE;
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;
SET timezone = 'America/New_York';
SET jit = off;
SELECT plan(33);
SELECT setseed(0.20261124);

UPDATE setting SET zone = 'Australia/Lord_Howe';
INSERT INTO usage (at, provider, model, service_tier, tokens, calls, request_id, user_id, session_id, turn_id, agent, team, project)
SELECT c.at, p.name, 'm' || c.i % 3, CASE WHEN c.i % 11 = 0 THEN 'batch' END,
       CASE WHEN random() < 0.05 THEN NULL
            ELSE tokens(input => (random() * 10 ^ (random() * 12))::bigint, cache_read => CASE WHEN random() < 0.7 THEN (random() * 9000)::bigint END,
                        output => (random() * 900)::bigint, reasoning => CASE WHEN random() < 0.5 THEN (random() * 3000)::bigint END, tool_calls => CASE WHEN random() < 0.1 THEN 1 END) END,
       CASE WHEN random() < 0.03 THEN 17 ELSE 1 END, 'r' || c.i,
       CASE WHEN random() < 0.9 THEN 'u' || (c.turn / 60)::int % 23 END, CASE WHEN random() < 0.9 THEN 's' || (c.turn / 3)::int END, CASE WHEN random() < 0.9 THEN 't' || c.turn END,
       CASE WHEN random() < 0.5 THEN 'a' END, CASE WHEN random() < 0.9 THEN 'team' || c.turn % 4 END, CASE WHEN random() < 0.9 THEN 'p' || (random() * 3)::int END
FROM (SELECT i, floor(i / 3.3)::int AS turn, '2025-01-20'::timestamptz + i * interval '74 minutes' + random() * interval '40 minutes' AS at FROM generate_series(1, 2500) i) c,
     LATERAL (SELECT (ARRAY['x', 'y', 'z'])[1 + hashint4(c.i) % 2 + 1] AS name) p;

-- the same by plain SQL: whose a call is, and of which month
CREATE TEMP TABLE call AS
WITH first AS (
    SELECT DISTINCT ON (turn_id) turn_id, user_id, session_id, team, project FROM usage
    WHERE calls = 1 AND user_id IS NOT NULL AND session_id IS NOT NULL AND turn_id IS NOT NULL ORDER BY turn_id, at
)
SELECT date_trunc('month', u.at AT TIME ZONE 'Australia/Lord_Howe')::date AS month, u.at, u.provider, u.model, u.agent, coalesce(u.service_tier, 'standard') AS service_tier, u.tokens, coalesce(total(u.tokens), 0) AS total,
       CASE WHEN f.turn_id IS NOT NULL THEN f.team ELSE u.team END AS team, CASE WHEN f.turn_id IS NOT NULL THEN f.project ELSE u.project END AS project,
       f.user_id, f.session_id, f.turn_id
FROM usage u LEFT JOIN first f ON f.turn_id = u.turn_id AND u.calls = 1 AND u.user_id IS NOT NULL AND u.session_id IS NOT NULL;
SELECT ok(count(*) = 2500 AND count(DISTINCT month) = 5 AND count(turn_id) BETWEEN 1500 AND 2000 AND count(tokens) < 2500 AND count(DISTINCT turn_id) > 500, 'calls in five months, some without ids or tokens') FROM call;
SELECT ok(count(*) > 100, 'turns whose calls name several teams or projects') FROM (SELECT FROM usage GROUP BY turn_id HAVING count(DISTINCT (team, project, user_id, session_id)) > 1) t;

CREATE TEMP TABLE slice AS
SELECT i, ('2025-0' || 1 + floor(random() * 5)::int || '-01')::date AS month,
       jsonb_strip_nulls(jsonb_build_object(
           'team', CASE WHEN random() < 0.4 THEN 'team' || floor(random() * 5)::int END, 'project', CASE WHEN random() < 0.2 THEN 'p' || floor(random() * 4)::int END,
           'provider', CASE WHEN random() < 0.3 THEN (ARRAY['x', 'y', 'z'])[1 + floor(random() * 3)::int] END, 'model', CASE WHEN random() < 0.2 THEN 'm' || floor(random() * 3)::int END,
           'service_tier', CASE WHEN random() < 0.1 THEN (ARRAY['batch', 'standard'])[1 + floor(random() * 2)::int] END))
       || CASE WHEN random() < 0.1 THEN '{"agent": null}' WHEN random() < 0.1 THEN '{"team": ["team1", null]}' ELSE '{}' END::jsonb AS slice
FROM generate_series(1, 1000) i;
CREATE TEMP TABLE measured AS
SELECT s.i, s.month AS wanted, s.slice AS of, f.f, total_tokens(f.f) AS product, c.*
FROM slice s, LATERAL (SELECT measured_factors(s.month, s.slice, growth_months => 0) AS f OFFSET 0) f,
     LATERAL (SELECT count(DISTINCT user_id)::numeric AS users, count(DISTINCT session_id)::numeric AS sessions, count(DISTINCT turn_id)::numeric AS turns, count(turn_id)::numeric AS calls,
                     sum(tokens) FILTER (WHERE turn_id IS NOT NULL) AS mix, coalesce(sum(total), 0)::numeric AS total, coalesce(sum(total) FILTER (WHERE turn_id IS NOT NULL), 0)::numeric AS mixed,
                     count(*) AS n, max(at) AS last
              FROM call c WHERE c.month = s.month AND (NOT s.slice ? 'team' OR s.slice -> 'team' @> coalesce(to_jsonb(c.team), 'null')) AND (NOT s.slice ? 'project' OR s.slice ->> 'project' = c.project)
                AND (NOT s.slice ? 'provider' OR s.slice ->> 'provider' = c.provider) AND (NOT s.slice ? 'model' OR s.slice ->> 'model' = c.model)
                AND (NOT s.slice ? 'service_tier' OR s.slice ->> 'service_tier' = c.service_tier) AND (NOT s.slice ? 'agent' OR c.agent IS NULL)) c;
SELECT is(count(*), 1000::bigint, '1,000 slices') FROM measured;
SELECT cmp_ok(count(*), '>', 700::bigint, 'most of which have factors') FROM measured WHERE (f).reason IS NULL;
SELECT cmp_ok(count(*), '>', 10::bigint, 'and some have none') FROM measured WHERE (f).reason IS NOT NULL;
SELECT is(count(*), 0::bigint, 'the product is the total, exactly') FROM measured WHERE (f).reason IS NULL AND (product IS DISTINCT FROM total OR total = 0);
SELECT is(count(*), 0::bigint, 'no product, no silent zero') FROM measured WHERE (f).reason IS NOT NULL AND (product IS NOT NULL OR mixed > 0);
SELECT is(count(*), 0::bigint, 'users, sessions, turns and calls') FROM measured
WHERE calls > 0 AND ((f).users <> users OR round((f).sessions_per_user * users, 12) <> sessions OR round((f).turns_per_session * sessions, 12) <> turns OR round((f).calls_per_turn * turns, 12) <> calls OR (f).mix_calls <> calls);
SELECT is(count(*), 0::bigint, 'tokens by meter') FROM measured WHERE calls > 0 AND (f).mix IS DISTINCT FROM mix;
SELECT is(count(*), 0::bigint, 'coverage completes the total') FROM measured WHERE total > 0 AND (round((f).coverage * total, 6) <> mixed OR (f).reason IS NULL AND round((f).coverage_multiplier * mixed, 6) <> total);
SELECT is(count(*), 0::bigint, 'no factor is below what it can be') FROM measured WHERE (f).reasoning_multiplier < 1 OR (f).coverage_multiplier < 1 OR (f).peak_to_average < 1 OR (f).cache_hit_rate NOT BETWEEN 0 AND 1;
SELECT is(count(*), 0::bigint, 'what was measured can be planned with: its tokens by meter add up to the total') FROM measured WHERE (f).reason IS NULL AND total(tokens_by_meter(f)) <> total;
SELECT is(count(*), 0::bigint, 'where all calls have ids they are those that were measured') FROM measured WHERE (f).reason IS NULL AND (f).coverage = 1 AND tokens_by_meter(f) <> mix;
SELECT cmp_ok(count(*), '>', 5::bigint, 'there are such slices') FROM measured WHERE (f).coverage = 1;

-- one way to count: drivers, factors and other limits agree
CREATE TEMP TABLE driver AS SELECT * FROM demand_drivers;
SELECT is(count(*), 0::bigint, 'the drivers are the factors of each team and project') FROM driver d, measured_factors(d.month, CASE WHEN scope = 'total' THEN NULL ELSE jsonb_build_object(d.scope, CASE WHEN d.is_allocated THEN d.owner END) END) f
WHERE total_tokens(f) IS DISTINCT FROM CASE WHEN d.reason IS NULL THEN d.total_tokens END OR (f.sessions_per_user, f.tokens_per_call, f.cache_hit_rate, f.peak_to_average, f.coverage) IS DISTINCT FROM (d.sessions_per_user, d.tokens_per_call, d.cache_hit_rate, d.peak_to_average, d.coverage);
SELECT results_eq('SELECT scope, sum(total_tokens) FROM driver GROUP BY 1 ORDER BY 1', $$SELECT x, sum(total) FROM call, unnest('{project,team,total}'::text[]) x GROUP BY 1 ORDER BY 1$$, 'all tokens are there, by team, by project and in total');
SELECT is(count(*), 0::bigint, 'what grows is what the factors grow by') FROM driver
WHERE growth_users IS NOT NULL AND growth_coverage_multiplier IS NOT NULL AND abs((1 + growth_users) * (1 + growth_sessions_per_user) * (1 + growth_turns_per_session) * (1 + growth_calls_per_turn) * (1 + growth_tokens_per_call) * (1 + growth_reasoning_multiplier) * (1 + growth_coverage_multiplier) / (1 + growth_total_tokens) - 1) > 1e-12;
SELECT results_eq('SELECT * FROM demand_drivers_between(''2025-02-01 00:00 Australia/Lord_Howe'', ''2025-04-01 00:00 Australia/Lord_Howe'') WHERE month = ''2025-03-01''',
    'SELECT * FROM driver WHERE month = ''2025-03-01''', 'limits change nothing but the months: a turn that began before is whole');
SELECT ok(count(*) > 0, 'such turns there are') FROM (SELECT FROM call WHERE turn_id IS NOT NULL GROUP BY turn_id HAVING count(DISTINCT month) > 1) t;
SELECT is(array_agg(days ORDER BY month), '{31,28,31,30,31}', 'days of the calendar') FROM driver WHERE scope = 'total' AND month BETWEEN '2025-01-01' AND '2025-05-01';
SET LOCAL max_parallel_workers_per_gather = 2; SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL enable_hashagg = off;
SELECT results_eq('SELECT * FROM demand_drivers', 'SELECT * FROM driver', 'whatever the plan');

-- random plans
CREATE TEMP TABLE plan AS
SELECT i, plan_factors(round((random() * 10 ^ (random() * 4))::numeric, 3), round((random() * 30)::numeric, 2), round((random() * 9)::numeric, 2), round((random() * 20)::numeric, 2),
           tokens(input => 1 + (random() * 90000)::bigint, cache_read => CASE WHEN i % 3 > 0 THEN (random() * 90000)::bigint END, cache_write => CASE WHEN i % 4 = 0 THEN (random() * 9000)::bigint END,
                  output => (random() * 2000)::bigint, reasoning => CASE WHEN i % 2 = 0 THEN (random() * 9000)::bigint END, tool_calls => CASE WHEN i % 5 = 0 THEN 3 END),
           round((1 + random() * 9)::numeric, 3), round((random() * 2 - 1)::numeric, 3), round((1 + random())::numeric, 3), ('2025-01-01'::date + i)) AS f,
       ARRAY(SELECT x FROM unnest('{users,sessions_per_user,turns_per_session,calls_per_turn,tokens_per_call,reasoning_multiplier,coverage_multiplier,cache_hit_rate}'::text[]) x WHERE random() < 0.4 OR i < 0) AS levers
FROM generate_series(1, 300) i;
SELECT is(count(*), 0::bigint, 'what each factor adds adds up') FROM plan, token_demand(f, 13) d
WHERE floor_tokens + fan_out_tokens + reasoning_tokens + coverage_tokens + calendar_tokens + growth_tokens <> d.total_tokens OR d.total_tokens + cache_tokens + peak_tokens <> needed_tokens;
SELECT is(count(*), 0::bigint, 'a month ahead has its own days, and grows by the day') FROM plan, token_demand(f, 13) d
WHERE days <> extract(day FROM date_trunc('month', month::timestamp) + interval '1 month - 1 day') OR abs(d.total_tokens - (SELECT round((f).users * (f).sessions_per_user * (f).turns_per_session * (f).calls_per_turn * (f).tokens_per_call * (f).reasoning_multiplier * (f).coverage_multiplier * power(1 + (f).monthly_growth, ahead) * days / (f).days))) > 1 + d.total_tokens * 1e-12;
SELECT is(count(*), 0::bigint, 'tokens by meter too') FROM plan, token_demand(f, 13) d WHERE total(tokens_by_meter(f, ahead)) <> d.total_tokens OR meter(tokens_by_meter(f, ahead), 'cache_read') IS DISTINCT FROM -cache_tokens;
SELECT is(count(*), 0::bigint, 'the reasoning lever moves only reasoning') FROM plan, LATERAL (SELECT tokens_by_meter(f) AS a, tokens_by_meter(with_factor(f, 'reasoning_multiplier', 2.5)) AS b) t, unnest('{input,cache_read,cache_write,output,tool_calls}'::text[]) m
WHERE meter(a, m) IS DISTINCT FROM meter(b, m);
SELECT is(count(*), 0::bigint, 'and is what it says') FROM plan, LATERAL (SELECT tokens_by_meter(with_factor(f, 'reasoning_multiplier', 2.5)) AS b) t WHERE abs(meter(b, 'reasoning') - 1.5 * (total(b) - meter(b, 'reasoning'))) > 1.5;
SELECT is(count(*), 0::bigint, 'the cache lever moves only what may be cached') FROM plan, LATERAL (SELECT tokens_by_meter(f) AS a, tokens_by_meter(with_factor(f, 'cache_hit_rate', 0.35)) AS b) t
WHERE total(a) <> total(b) OR abs(input_total(a) - input_total(b)) > 1 OR abs(meter(a, 'output') - meter(b, 'output')) > 1 OR meter(a, 'reasoning') IS DISTINCT FROM meter(b, 'reasoning') OR meter(a, 'tool_calls') IS DISTINCT FROM meter(b, 'tool_calls');
SELECT is(count(*), 0::bigint, 'to the rate it is told') FROM plan, LATERAL (SELECT tokens_by_meter(with_factor(f, 'cache_hit_rate', 0.35)) AS b) t WHERE abs(meter(b, 'cache_read') - 0.35 * input_total(b)) > 2 + input_total(b) * 1e-12;
SELECT is(count(*), 0::bigint, 'and back again') FROM plan WHERE (f).cache_hit_rate IS NOT NULL
    AND abs(meter(tokens_by_meter(with_factor(with_factor(f, 'cache_hit_rate', 0.35), 'cache_hit_rate', (f).cache_hit_rate)), 'cache_read') - meter(tokens_by_meter(f), 'cache_read')) > 1 + total_tokens(f) * 1e-12;
CREATE TEMP TABLE compared AS
WITH RECURSIVE lever AS (
    SELECT i, f AS base, f, levers, 1 AS n FROM plan
    UNION ALL
    SELECT i, base, CASE levers[n] WHEN 'cache_hit_rate' THEN with_factor(f, levers[n], 0.5) ELSE with_factor(f, levers[n], multiply => 1.25) END, levers, n + 1 FROM lever WHERE n <= cardinality(levers)
), book AS MATERIALIZED (
    SELECT price_book(p) AS book FROM (VALUES ('list', 'acme', 'big', 'standard', 0::bigint, '{"currency": "USD", "input": 1.234567, "cache_read": 0.1, "cache_write": 1.7, "output": 9.87654321, "tool_calls": 1000}'::rates, '(,)'::tstzrange),
        ('list', 'acme', 'big', 'standard', 50000, '{"currency": "USD", "input": 2, "cache_read": 0.3, "output": 21, "tool_calls": 900}', '(,)')) p(book, provider, model, service_tier, above_input_tokens, rates, valid)
)
SELECT l.i, l.levers, c.* FROM lever l, book b, compare_scenarios(l.base, ARRAY[l.f], '{other}', b.book, 'acme', 'big', '2025-01-01') c WHERE l.n = cardinality(l.levers) + 1 AND l.i <= 100;
SELECT is(count(*), 100::bigint, 'what explains a difference in tokens adds up to it') FROM compared WHERE scenario = 'other' AND (SELECT coalesce(sum(value::numeric), 0) FROM jsonb_each_text(tokens_explained)) = delta_tokens;
SELECT is(count(*), 100::bigint, 'in cost too') FROM compared WHERE scenario = 'other' AND (SELECT coalesce(sum(value::numeric), 0) FROM jsonb_each_text(cost_explained)) = delta_cost;
SELECT is(count(*), 0::bigint, 'and names what was changed') FROM compared WHERE scenario = 'other' AND EXISTS (SELECT x FROM unnest(levers) x EXCEPT SELECT x FROM unnest(changed) x)
    OR EXISTS (SELECT x FROM unnest(changed) x EXCEPT SELECT x FROM unnest(levers) x);
SELECT ok(count(*) FILTER (WHERE cardinality(changed) > 3) > 20, 'several at once') FROM compared;
SELECT * FROM finish();
ROLLBACK;
