-- factors: what makes the tokens of a month, measured and planned.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO';
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;

-- of counts: quotients of 24 digits, whose product is the total
SELECT (f).*, total_tokens(f) FROM (SELECT factors_of_counts(3, 7, 11, '{"input": 100, "cache_read": 50, "output": 7, "reasoning": 10}', 13, 200, 120, 90, 2678400, 0.05, '2025-01-01', 31, '{"team": "a"}') AS f OFFSET 0) x \gx
-- a total of any size
SELECT total_tokens(factors_of_counts(3, 7, 11, tokens(input => t / 3, reasoning => t / 7), 13, t)) = t AS exact, t FROM unnest('{21,1000003,9223372036854775807,9223372036854775806,6148914691236517205}'::bigint[]) t;
SELECT total_tokens(factors_of_counts(u, u + 5, u + 17, tokens(input => 1), u + 19, 9223372036854775807)) AS total FROM unnest('{1,7,999999999999999989}'::bigint[]) u;
-- why factors are NULL
SELECT (f).users, (f).calls_per_turn, (f).tokens_per_call, (f).reasoning_multiplier, (f).coverage_multiplier, (f).coverage, (f).cache_hit_rate, (f).peak_to_average, total_tokens(f), (f).reason
FROM (VALUES (factors_of_counts(0, 0, 0, NULL, 0, 0)), (factors_of_counts(NULL, NULL, NULL, NULL, NULL, 50, NULL, 50, 86400)), (factors_of_counts(1, 1, 1, NULL, 2, 0)), (factors_of_counts(1, 1, 1, NULL, 2, 50)),
      (factors_of_counts(1, 1, 1, '{"reasoning": 5}', 2, 50)), (factors_of_counts(1, 1, 1, '{"input": 5, "cache_read": 0}', 2, 50, 5, 1, 3600))) v(f);
SELECT factors_of_counts(-1, 1, 1, NULL, 1, 1);
SELECT factors_of_counts(1, 1, 1, '{"input": 5}', 1, 4);
SELECT factors_of_counts(1, 1, 1, '{"input": 5, "cache_read": 9}', 1, 14, 8);
SELECT factors_of_counts(1, 0, 1, '{"input": 5}', 1, 14);
SELECT factors_of_counts(0, 0, 0, '{"input": 5}', 0, 14);

-- Calls that can be added up by eye.  In January 2025: ann has the sessions s1
-- (two turns, the first of which calls a sub-agent that has ids of its own) and
-- s2 (begun in December); bob has s3 (a call that failed).  A call has no turn,
-- a vendor's bucket has nothing.
INSERT INTO usage (at, provider, model, service_tier, tokens, calls, user_id, session_id, turn_id, agent, team, project, tags) VALUES
    ('2024-12-31 23:59', 'acme', 'big', NULL, '{"input": 1000, "output": 1}', 1, 'ann', 's2', 't3', 'chat', 'red', NULL, NULL),
    ('2025-01-01 00:01', 'acme', 'big', NULL, '{"input": 60, "cache_read": 40, "output": 10}', 1, 'robot', 's2b', 't3', 'chat', 'blue', NULL, NULL),
    ('2025-01-05 10:00', 'acme', 'big', NULL, '{"input": 100, "cache_read": 300, "output": 20, "reasoning": 80}', 1, 'ann', 's1', 't1', 'chat', 'red', 'p', '{"feature": "x"}'),
    ('2025-01-05 10:01', 'acme', 'small', 'batch', '{"input": 50}', 1, 'robot', 'sub', 't1', 'sub', 'blue', 'q', NULL),
    ('2025-01-05 10:59', 'acme', 'big', NULL, '{"input": 10, "cache_read": 0, "output": 30}', 1, 'ann', 's1', 't2', 'chat', 'red', 'p', '{"feature": "y", "n": 1}'),
    ('2025-01-06 10:00', 'acme', 'big', NULL, NULL, 1, 'bob', 's3', 't4', 'chat', 'red', 'p', NULL),
    ('2025-01-07 10:00', 'acme', 'big', NULL, '{"input": 150}', 1, 'bob', 's3', NULL, 'cron', 'blue', 'p', NULL),
    ('2025-01-08 00:00', 'euro', 'dur', NULL, '{"input": 150}', 7, 'bob', 's3', 't9', NULL, NULL, NULL, NULL),
    ('2025-02-10 10:00', 'acme', 'big', NULL, '{"input": 1960}', 1, 'ann', 's4', 't5', 'chat', 'red', NULL, NULL),
    ('2025-04-10 10:00', 'acme', 'big', NULL, '{"input": 300}', 1, NULL, 's5', 't6', 'chat', 'red', NULL, NULL);
-- 2 users, 3 sessions, 4 turns, 5 calls with 700 tokens, 80 of which reasoning; 1000 in all
SELECT * FROM measured_factors('2025-01-01') \gx
SELECT month, days, users, sessions, turns, calls, calls_without_tokens, mix, cacheable_tokens, total_tokens, peak_hour_tokens, seconds FROM usage_counts();
SELECT month, total_tokens(f), users, monthly_growth, coverage, reason FROM measured_factors_between() f;
-- slices: of a turn those of its first call, and of each call its own
SELECT slice, users, round(sessions_per_user, 3) AS sessions, round(turns_per_session, 3) AS turns, round(calls_per_turn, 3) AS calls, round(tokens_per_call, 3) AS tokens, round(reasoning_multiplier, 3) AS reasoning,
       round(coverage, 3) AS coverage, round(cache_hit_rate, 3) AS hit, total_tokens(f), reason
FROM unnest(ARRAY['{}', '{"team": "red"}', '{"team": "blue"}', '{"team": null}', '{"team": ["red", null]}', '{"team": []}', '{"project": "p"}', '{"team": "red", "project": "p"}', '{"user_id": "robot"}', '{"session_id": ["s1", "s3"]}',
    '{"model": "small"}', '{"provider": "euro"}', '{"service_tier": "standard"}', '{"service_tier": "batch"}', '{"agent": null}', '{"agent": ["chat", "sub"]}', '{"status": "ok"}', '{"tags": {"feature": "y"}}']) s, measured_factors('2025-01-01', s::jsonb) f;
SELECT measured_factors('2025-01-01', '{"tags": "y"}');
SELECT measured_factors('2025-01-01', '{"colour": "red"}');
SELECT measured_factors('2025-01-01', '{"team": 5}');
SELECT measured_factors('2025-01-01', '{"team": ["red", 5]}');
SELECT measured_factors('2025-01-01', '{"team": {"red": 5}}');
SELECT measured_factors('2025-01-01', '["team"]');
SELECT measured_factors('2025-01-02');
SELECT measured_factors(NULL);
SELECT measured_factors('infinity');
SELECT measured_factors('2999-01-01');
SELECT measured_factors('2025-01-01', growth_months => 13);
SELECT measured_factors('2025-01-01', zone => 'Mars/Olympus');
-- another calendar: in Berlin the first call is of January, and its turn begins there
SELECT zone, month, users, sessions, turns, calls, total_tokens FROM unnest('{UTC,Europe/Berlin,America/New_York}'::text[]) zone, usage_counts('2024-12-31 23:00+00', '2025-01-31 23:00+00', zone);
-- months of the calendar, with days of 23 and 25 hours
SELECT f.month, f.days, c.seconds - f.days * 86400 AS clocks FROM (VALUES ('2025-01-01'::date), ('2025-03-01'), ('2025-10-01')) v(month), LATERAL (SELECT * FROM measured_factors(v.month, zone => 'Europe/Berlin')) f LEFT JOIN usage_counts(zone => 'Europe/Berlin') c ON c.month = f.month;
BEGIN;
INSERT INTO usage (at, provider, model, tokens) SELECT h, 'acme', 'big', '{"input": 10}' FROM generate_series('2025-10-01 00:00 Europe/Berlin'::timestamptz, '2025-10-31 23:00 Europe/Berlin', '1 hour') h;
SELECT total_tokens, seconds / 3600 AS hours, peak_hour_tokens FROM usage_counts(zone => 'Europe/Berlin') WHERE month = '2025-10-01';
SELECT peak_to_average, coverage, reason FROM measured_factors('2025-10-01', zone => 'Europe/Berlin');
ROLLBACK;
-- growth: by the day, of months of 31 and 28 days; and compound
SELECT month, scope, owner, total_tokens, tokens_per_day, growth_total_tokens, growth_tokens_per_day, growth_users, growth_calls_per_turn, growth_coverage_multiplier FROM demand_drivers WHERE scope = 'total';
SELECT monthly_growth, compound_growth(1960 / 28.0, 1000 / 31.0, 1) FROM measured_factors('2025-02-01', growth_months => 1);
SELECT monthly_growth FROM measured_factors('2025-02-01', growth_months => 0);
SELECT compound_growth(1.331, 1, 3), compound_growth(0, 5, 2), compound_growth(5, 0, 2), compound_growth(1, 1, 12), compound_growth(NULL, 1, 1);
SELECT compound_growth(1, 1, 0);
SELECT compound_growth(-1, 1, 1);
-- by owner; owners do not add up to the users of all
SELECT month, scope, owner, is_allocated, users, sessions, turns, calls, calls_without_tokens AS failed, total_tokens, coverage, round(calls_per_turn, 2) AS calls_per_turn, reason FROM demand_drivers WHERE month = '2025-01-01';
SELECT count(*), min(month), max(month) FROM demand_drivers_between('2025-01-01', '2025-02-15');
SELECT count(*) FROM demand_drivers_between('2025-01-01 00:00:01', '2025-02-28');

-- plans
CREATE TABLE plan AS SELECT * FROM (VALUES
    ('chatbot', plan_factors(1000, 10, 4, 1, '{"input": 900, "cache_read": 600, "output": 500}', 3, 0.1, month => '2025-01-01')),
    ('thinker', plan_factors(100, 10, 2.5, 1, '{"input": 700, "output": 300, "reasoning": 1500, "tool_calls": 2}', 2)),
    ('agent', plan_factors(100, 10, 4, 12, '{"input": 1000, "cache_read": 17000, "cache_write": 2000, "output": 400, "reasoning": 100}', 5, -0.5, 1.25, '2024-02-01'))) v(name, f);
SELECT name, (f).days, (f).tokens_per_call, round((f).reasoning_multiplier, 6) AS reasoning, (f).mix_calls, (f).cacheable_tokens, (f).cache_hit_rate, total_tokens(f), tokens_by_meter(f), average_call(f) FROM plan \gx
SELECT name, d.* FROM plan, token_demand(f) d \gx
SELECT name, ahead, month, days, calendar_tokens, growth_tokens, d.total_tokens, tokens_by_meter(f, ahead), total(tokens_by_meter(f, ahead)) = d.total_tokens AS same FROM plan, token_demand(f, 3) d WHERE name <> 'thinker';
SELECT count(*), sum(floor_tokens + fan_out_tokens + reasoning_tokens + coverage_tokens + calendar_tokens + growth_tokens - d.total_tokens), sum(d.total_tokens + cache_tokens + peak_tokens - needed_tokens), max(month) FROM plan, token_demand(f, 120) d WHERE name <> 'thinker';
-- levers: each moves what it says, and nothing else
SELECT l.name, l.value, total_tokens(w), tokens_by_meter(w), (w).mix, (w).mix_calls FROM plan, (VALUES ('users', 2000), ('tokens_per_call', 500), ('reasoning_multiplier', 2), ('cache_hit_rate', 0), ('cache_hit_rate', 1), ('cache_hit_rate', 0.123456789), ('coverage_multiplier', 3), ('days', 28)) l(name, value),
    LATERAL with_factor(f, l.name, l.value) w WHERE plan.name = 'chatbot';
SELECT l, total_tokens(with_factor(f, l, multiply => 1.5)) FROM plan, unnest('{users,sessions_per_user,turns_per_session,calls_per_turn,tokens_per_call,coverage_multiplier,peak_to_average,monthly_growth}'::text[]) l WHERE name = 'agent';
-- where no call reports a cache any input may be read from one; where nothing is left it comes back as input
SELECT (with_factor(f, 'cache_hit_rate', 0.25)).mix, (with_factor(with_factor(f, 'cache_hit_rate', 1), 'cache_hit_rate', 0)).mix FROM plan WHERE name = 'thinker';
SELECT (with_factor(f, 'reasoning_multiplier', 1)).mix, total_tokens(with_factor(f, 'reasoning_multiplier', 1)) FROM plan WHERE name = 'thinker';
-- what could not be measured can be planned
SELECT (with_factor(with_factor(f, 'tokens_per_call', 50), 'reasoning_multiplier', 1)).reason FROM (SELECT factors_of_counts(1, 1, 1, NULL, 2, 0) AS f) x;
SELECT total_tokens(w), (w).reason FROM (SELECT with_factor(with_factor(with_factor(factors_of_counts(1, 1, 1, NULL, 2, 0), 'tokens_per_call', 50), 'reasoning_multiplier', 1), 'coverage_multiplier', 1) AS w) x;
-- refused, and why
SELECT plan_factors(-1, 1, 1, 1, '{"input": 1}');
SELECT plan_factors('NaN', 1, 1, 1, '{"input": 1}');
SELECT plan_factors(1, 'infinity', 1, 1, '{"input": 1}');
SELECT plan_factors(1, 1, 1, 1, '{"input": 1}', 0.9);
SELECT plan_factors(1, 1, 1, 1, '{"input": 1}', 1, -1.01);
SELECT plan_factors(1, 1, 1, 1, '{"input": 1}', 1, 0, 0.99);
SELECT plan_factors(1, 1, 1, 1, '{"input": 1}', days => 0);
SELECT plan_factors(1, 1, 1, 1, '{"input": 1}', month => 'infinity');
SELECT plan_factors(1, 1, NULL, 1, '{"input": 1}');
SELECT plan_factors(1, 1, 1, 1, NULL);
SELECT plan_factors(1, 1, 1, 1, '{"reasoning": 1}');
SELECT with_factor(f, 'users', -5) FROM plan WHERE name = 'agent';
SELECT with_factor(f, 'monthly_growth', -1.5) FROM plan WHERE name = 'agent';
SELECT with_factor(f, 'cache_hit_rate', 1.01) FROM plan WHERE name = 'agent';
SELECT with_factor(f, 'cache_hit_rate', -0.01) FROM plan WHERE name = 'agent';
SELECT with_factor(f, 'reasoning_multiplier', 0.5) FROM plan WHERE name = 'agent';
SELECT with_factor(f, 'peak_to_average', multiply => 0.1) FROM plan WHERE name = 'agent';
SELECT with_factor(f, 'days', 30.5) FROM plan WHERE name = 'agent';
SELECT with_factor(f, 'turns', 30) FROM plan WHERE name = 'agent';
SELECT with_factor(f, NULL, 30) FROM plan WHERE name = 'agent';
SELECT with_factor(f, 'users') FROM plan WHERE name = 'agent';
SELECT with_factor(f, 'users', 1, 1) FROM plan WHERE name = 'agent';
SELECT with_factor(f, 'monthly_growth', multiply => 2) FROM plan WHERE name = 'thinker';
SELECT with_factor(plan_factors(1, 1, 1, 1, '{"input": 10, "audio_input": 90, "cache_read": 0}'), 'cache_hit_rate', 0.5);
SELECT with_factor(NULL, 'users', 1) IS NULL, total_tokens(NULL) IS NULL;
SELECT * FROM token_demand(factors_of_counts(0, 0, 0, NULL, 0, 0));
SELECT * FROM plan, token_demand(f, 1) WHERE name = 'thinker';
SELECT * FROM plan, token_demand(f, -1);
SELECT * FROM plan, token_demand(f, 121) WHERE name = 'agent';
SELECT total_tokens(with_factor(f, 'users', 1e18)) FROM plan WHERE name = 'agent';
SELECT * FROM plan, token_demand(with_factor(f, 'monthly_growth', 50), 12) WHERE name = 'agent';
SELECT total_tokens(ROW(NULL, 30, NULL, 1, 1, 1, 1, 1, 0.5, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::demand_factors);
SELECT tokens_by_meter(ROW(NULL, 30, NULL, 1, 1, 1, 1, 1, 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::demand_factors);
SELECT tokens_by_meter(ROW(NULL, 30, NULL, 1, 1, 1, 1, 1, 1, 1, '{"input": 1}', 0, NULL, NULL, NULL, NULL, NULL, NULL)::demand_factors);
SELECT tokens_by_meter(ROW(NULL, 30, NULL, 1, 1, 1, 1, 1, 1, 1, '{"reasoning": 1}', 1, NULL, NULL, NULL, NULL, NULL, NULL)::demand_factors);

-- scenarios: a million costs $1 in, $0.10 from the cache, $1.25 into it and $10 out; twice that for calls of more than 100,000 tokens
SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 1, "cache_read": 0.1, "cache_write": 1.25, "output": 10}', '(,)', 'list');
SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 2, "cache_read": 0.2, "cache_write": 2.5, "output": 20}', '(,)', 'list', above_input_tokens => 100000);
SELECT correct_price('acme', 'small', '{"currency": "USD", "input": 1}', '(,)', 'list');
SELECT c.* FROM plan, compare_scenarios(f, ARRAY[f, with_factor(f, 'users', multiply => 2), with_factor(f, 'cache_hit_rate', 0), with_factor(with_factor(f, 'users', multiply => 0.5), 'cache_hit_rate', 0), with_factor(f, 'tokens_per_call', multiply => 6), with_factor(f, 'reasoning_multiplier', 2)],
    '{same,double,no cache,"half, no cache",long,thinks}', book(), 'acme', 'big', '2025-01-15') c WHERE name = 'agent' \gx
-- growth and days are of months ahead
SELECT scenario, changed, c.total_tokens, cost, delta_tokens, tokens_explained, cost_explained FROM plan, compare_scenarios(f, ARRAY[with_factor(with_factor(f, 'monthly_growth', 0.2), 'users', 2000)], '{grows}', book(), 'acme', 'big', '2025-01-15', months_ahead => 2) c WHERE name = 'chatbot';
SELECT scenario, changed, cost FROM plan, compare_scenarios(f, ARRAY[with_factor(f, 'monthly_growth', 0.2)], '{grows}', book(), 'acme', 'big', '2025-01-15') c WHERE name = 'chatbot';
-- no price is not a price of zero
SELECT scenario, cost, currency, delta_cost, tokens_explained, cost_explained, c.reason FROM plan, compare_scenarios(f, ARRAY[with_factor(f, 'users', 1)], '{one}', book(), 'acme', 'unknown', '2025-01-15') c WHERE name = 'agent';
SELECT scenario, cost, currency, cost_explained, c.reason FROM plan, compare_scenarios(f, ARRAY[with_factor(f, 'users', 1)], '{one}', book(), 'acme', 'small', '2025-01-15') c WHERE name = 'agent';
SELECT * FROM plan, compare_scenarios(f, ARRAY[f], '{a,b}', book(), 'acme', 'big', '2025-01-15');
SELECT * FROM plan, compare_scenarios(f, ARRAY[f, NULL], '{a,b}', book(), 'acme', 'big', '2025-01-15');
SELECT * FROM plan, compare_scenarios(f, ARRAY[f], '{a}', NULL, 'acme', 'big', '2025-01-15');
SELECT * FROM compare_scenarios(NULL, '{}', '{}', book(), 'acme', 'big', '2025-01-15');
SELECT * FROM compare_scenarios(factors_of_counts(0, 0, 0, NULL, 0, 7), '{}', '{}', book(), 'acme', 'big', '2025-01-15');
SELECT with_factors_of(f, f, '{calls}') FROM plan WHERE name = 'agent';
-- what each cause contributes: two gloves make a pair, and the owner of both left ones has less of it
SELECT shapley_values('{0,10,20,30}'), shapley_values('{0,10,20,30,30,40,50,60}'), shapley_values('{0,0,0,0,0,6,6,6}', 0), shapley_values('{0,0,0,1,0,1,1,1}', 2), shapley_values('{7}'), shapley_values('{1,NULL}'), shapley_values('{0,-1,-1,-1}', 0);
SELECT shapley_values('{1,2,3}');
SELECT shapley_values('{1,NaN}');
SELECT shapley_values('{1,2}', 31);
SELECT shapley_values('{{1,2},{1,2}}');

-- a cache: reads at a tenth save, writes at five quarters cost
SELECT r, input_equivalent_tokens(t, r::rates), net_cache_saving(t, r::rates) FROM (VALUES ('{"input": 1000000, "cache_read": 4000000, "cache_write": 1000000, "cache_write_1h": 1000000, "output": 5}'::tokens)) v(t), unnest(ARRAY[
    '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6, "output": 15}', '{"currency": "USD", "input": 3}', '{"currency": "USD", "input": 7, "cache_read": 1}', '{"currency": "USD", "output": 3}', '{"currency": "USD", "input": 0, "cache_read": 1}']) r;
SELECT net_cache_saving('{"cache_read": 100, "cache_write": 1000}', r), net_cache_saving('{"cache_read": 0, "input": 5}', r), net_cache_saving('{"input": 5}', r), net_cache_saving('{"cache_write": 0}', '{"currency": "USD", "output": 1}'),
       input_equivalent_tokens('{"output": 5}', r), input_equivalent_tokens('{"input": 0}', r), input_equivalent_tokens('{"cache_read": 9223372036854775807}', r)
FROM (SELECT '{"currency": "USD", "input": 1, "cache_read": 0.1, "cache_write": 1.25}'::rates AS r) x;
SELECT net_cache_saving('{"cache_read": 9223372036854775807}', '{"currency": "USD", "input": 9223372036.854775807, "cache_read": 0}');
SELECT net_cache_saving('{"cache_read": 9223372036854775807, "cache_write": 9223372036854775807, "cache_write_1h": 9223372036854775807}', '{"currency": "USD", "input": 9223372036.854775807, "cache_read": 0, "cache_write": 0}');

DROP TABLE plan;
CALL tokenomics.uninstall('llm');
SELECT count(*) FROM pg_proc WHERE pronamespace = 'llm'::regnamespace;
DROP SCHEMA llm;
