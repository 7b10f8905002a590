-- Reasoning, fan-out and cache of an install, on a few calls counted by hand.
SET client_min_messages = warning;
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
\pset null -

SELECT capped(t, 'reasoning', 100), capped(t, 'reasoning', 0), capped(t, 'reasoning', 9999), capped(t, 'cache_read', 5) FROM (VALUES (tokens(input => 9, output => 7, reasoning => 500))) v(t);
SELECT capped('{"input": 1}', 'reasoning', -1);
SELECT capped('{"input": 1}', 'thought', 1);

-- nothing yet
SELECT * FROM peak_profile;
SELECT * FROM reasoning_profile;
SELECT * FROM cap_reasoning(100);
SELECT * FROM fan_out;
SELECT * FROM costliest_turns();
SELECT * FROM cache_by_session_depth;

UPDATE setting SET zone = 'Europe/Berlin';
INSERT INTO price (provider, model, rates) VALUES ('acme', 'think', '{"currency": "USD", "input": 1, "cache_read": 0.1, "output": 10}'), ('acme', 'chat', '{"currency": "USD", "input": 2, "output": 8}'), ('euro', 'dur', '{"currency": "EUR", "input": 1, "output": 10}');
-- 250 tokens and more: dearer, as a whole
INSERT INTO price (provider, model, above_input_tokens, rates) VALUES ('acme', 'think', 250, '{"currency": "USD", "input": 2, "cache_read": 0.2, "output": 20}');
INSERT INTO fx_rate VALUES ('EUR', 'USD', 'daily', '2026-03-10', 1.25);
INSERT INTO usage (at, provider, model, request_id, tokens, calls, session_id, turn_id, user_id, agent, team, project, duration) VALUES
    -- one prompt, three calls, a sub-agent with a session of its own
    ('2026-03-10 09:00Z', 'acme', 'think', 'r1', tokens(input => 100, cache_read => 0, output => 10, reasoning => 400), 1, 's1', 't1', 'u1', 'coder', 'dev', 'p', 5000),
    ('2026-03-10 09:01Z', 'acme', 'think', 'r2', tokens(input => 100, cache_read => 200, output => 10, reasoning => 100), 1, 's1', 't1', 'u1', 'coder', 'dev', 'p', 90000),
    ('2026-03-10 09:02Z', 'acme', 'chat', 'r3', tokens(input => 50, output => 20), 1, 's1/sub', 't1', 'u9', 'coder/tests', 'bot', 'q', 1000),
    -- another prompt of the session
    ('2026-03-10 09:10Z', 'acme', 'think', 'r4', tokens(input => 100, cache_read => 300, output => 10, reasoning => 0), 1, 's1', 't2', 'u1', 'coder', 'dev', 'p', NULL),
    -- a turn in euros, over midnight and the end of the month; one that has no price
    ('2026-03-31 21:59Z', 'euro', 'dur', 'r5', tokens(input => 1000, output => 100), 1, 's2', 't3', 'u2', NULL, 'ops', NULL, NULL),
    ('2026-03-31 22:01Z', 'euro', 'dur', 'r6', tokens(input => 1000, output => 100), 1, 's2', 't3', 'u2', NULL, 'ops', NULL, NULL),
    ('2026-04-02 10:00Z', 'acme', 'new', 'r7', tokens(input => 77, reasoning => 1000), 1, 's3', 't4', 'u2', NULL, 'ops', NULL, NULL),
    -- without a turn; without tokens; a bucket of a usage report
    ('2026-04-02 11:00Z', 'acme', 'chat', 'r8', tokens(input => 10, output => 5), 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('2026-04-02 12:00Z', 'acme', 'think', 'r9', NULL, 1, 's1', 't5', 'u1', NULL, 'dev', NULL, NULL),
    ('2026-04-03 00:00Z', 'acme', 'think', 'r10', tokens(input => 9000, output => 100, reasoning => 9000), 10, 's1', NULL, NULL, NULL, NULL, NULL, NULL);

SELECT * FROM reasoning_profile;
SELECT * FROM reasoning_profile_between('2026-03-10 09:01Z', '2026-03-10 09:02Z', 'UTC');
-- the call that thinks 400 tokens has 350, 300 and 0 above the caps, at $10; that which thinks 100 has 50, 0 and 0, at the $20 above 250 input tokens
SELECT * FROM cap_reasoning(ARRAY[100, 50, 400, 100]);
SELECT provider, model, currency, cap, saved_tokens, saved_cost FROM cap_reasoning(50, '2026-03-10 09:01Z', '2026-03-31Z');
SELECT turn_id, at, ends_at, session_id, user_id, team, project, agents, calls, unreported_calls, tokens FROM turns_between();
SELECT turn_id, calls FROM turns_between('2026-03-10 09:01Z', '2026-03-31 22:00Z');
SELECT * FROM fan_out;
SELECT month, scope, owner, turns, calls, coverage FROM fan_out_between('2026-03-20Z', NULL, 'UTC');
SELECT turn_id, at, duration, session_id, team, agents, calls, total_tokens, currency, cost, unpriced_calls, reporting_currency, cost_converted FROM costliest_turns();
SELECT turn_id, jsonb_pretty(call_list) FROM costliest_turns(1, '2026-03-10Z', '2026-03-11Z');
SELECT turn_id FROM costliest_turns(0);
-- a turn of two currencies has no one cost
UPDATE usage SET provider = 'euro', model = 'dur' WHERE request_id = 'r3';
SELECT turn_id, currency, cost, cost_converted FROM costliest_turns(2, NULL, '2026-03-11Z');
UPDATE usage SET provider = 'acme', model = 'chat' WHERE request_id = 'r3';
SELECT * FROM cache_by_session_depth;
SELECT * FROM cache_by_session_depth_between('2026-03-10 09:10Z', '2026-03-11Z', NULL);

-- 200 read at 2 - 0.2 and 300 at 2 - 0.2 per million; nothing is said of a call that does not report a cache
SELECT * FROM cache_use;
-- writes dearer than input: 1000 at 1 - 1.25, 500 for an hour at 1 - 2, 100 read at 1 - 0.1; a bucket takes the rates below the threshold
INSERT INTO price (provider, model, rates) VALUES ('acme', 'write', '{"currency": "EUR", "input": 1, "cache_read": 0.1, "cache_write": 1.25, "cache_write_1h": 2, "output": 5}');
INSERT INTO price (provider, model, above_input_tokens, rates) VALUES ('acme', 'write', 5000, '{"currency": "EUR", "input": 100, "output": 100}');
INSERT INTO usage (at, provider, model, tokens, calls) VALUES
    ('2026-03-10 10:00Z', 'acme', 'write', tokens(input => 10, cache_read => 100, cache_write => 1000, cache_write_1h => 500), 1),
    ('2026-04-10 10:00Z', 'acme', 'write', tokens(input => 10, cache_read => 100000), 7);
INSERT INTO fx_rate VALUES ('EUR', 'USD', 'month_average', '2026-03-01', 2);
SELECT * FROM cache_use_between('2026-03-01', '2026-05-01', 'UTC') WHERE model = 'write';
-- thresholds of which each slice has its own price: what a cache saved there is not one rate
INSERT INTO price (provider, model, above_input_tokens, rates, tier_mode) VALUES ('acme', 'slice', 0, '{"currency": "USD", "input": 1, "cache_read": 0.5}', 'graduated'), ('acme', 'slice', 100, '{"currency": "USD", "input": 2, "cache_read": 1}', 'graduated');
INSERT INTO usage (at, provider, model, tokens) VALUES ('2026-03-10 10:00Z', 'acme', 'slice', tokens(input => 50, cache_read => 50)), ('2026-03-10 10:00Z', 'acme', 'slice', tokens(input => 50, cache_read => 51));
SELECT currency, calls, cacheable_tokens, cache_read_tokens, net_cache_saving FROM cache_use WHERE model = 'slice';
SELECT tokens -> 'cache_read' AS read, rates_in_force((SELECT book()), provider, model, at, tokens), rates_in_force((SELECT book()), provider, model, at, tokens, 'batch') FROM usage WHERE model = 'slice' ORDER BY 1;
DELETE FROM usage WHERE model IN ('write', 'slice');

-- the hours of the week of all calls that have a row of their own; a week from Monday, the 9th, in Berlin
SELECT side, count(*), sum(minutes) AS minutes, sum(active_minutes) AS active, round(sum(mean * minutes)) AS tokens, max(max), min(coverage) AS coverage FROM peak_profile GROUP BY side;
SELECT dow, hour, minutes, active_minutes, mean, p99, max FROM peak_profile_between('2026-03-08 23:00Z', '2026-03-15 23:00Z') WHERE active_minutes > 0 AND side = 'total';
SELECT dow, hour, minutes, active_minutes FROM peak_profile_between('2026-03-08 23:00Z', '2026-03-15 23:00Z', 'Asia/Kolkata') WHERE active_minutes > 0 AND side = 'total';
SELECT DISTINCT minutes FROM peak_profile_between('2026-03-08 23:00Z', '2026-03-15 23:00Z');
SELECT calls(usage_profile('2026-03-10Z', '2026-03-11Z')), span(usage_profile('2026-03-10Z', '2026-03-11Z')), peak(usage_profile('2026-03-10Z', '2026-03-11Z', 'UTC', 'second'), 'second'), usage_profile('2020-01-01Z', '2020-01-02Z');
-- a bucket alone: nothing is known of its minutes, and that is said
SELECT count(*), count(mean), max(coverage) FROM peak_profile_between('2026-04-03Z', '2026-04-04Z');

-- refused
SELECT * FROM cap_reasoning(ARRAY[]::bigint[]);
SELECT * FROM cap_reasoning(ARRAY[5, NULL]);
SELECT * FROM cap_reasoning(-1);
SELECT * FROM costliest_turns(-1);
SELECT * FROM costliest_turns(NULL);
CALL tokenomics.uninstall('llm');
DROP SCHEMA llm;
