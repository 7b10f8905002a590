-- What a token is worth: frontier, interactivity, outcomes, overspend, margin.
\set SHOW_CONTEXT never
SET datestyle = 'ISO';
SET client_min_messages = warning;
CALL tokenomics.install('worth');
SET search_path = worth, tokenomics, public;
SET timezone = 'UTC';

-- e and d are equal: neither dominates; what is not known is not compared
SELECT l, pareto(a, b) OVER (), dominated_by(l, a, b) OVER ()
FROM (VALUES ('a', 3, 1), ('b', 2, 2), ('c', 2, 1), ('d', 1, 3), ('e', 1, 3), ('f', NULL, 9), ('g', 1, 1), ('h', 'NaN'::numeric, 9)) v(l, a, b);
SELECT l, pareto(VARIADIC m) OVER (PARTITION BY p), dominated_by(l, VARIADIC m) OVER (PARTITION BY p)
FROM (VALUES (1, 'a', '{1}'::numeric[]), (1, 'b', '{2}'), (2, 'c', '{1}')) v(p, l, m);
SELECT pareto(1.0) OVER () FROM generate_series(1, 0);
SELECT pareto(VARIADIC m) OVER () FROM (VALUES ('{1,2}'::numeric[]), ('{1}')) v(m);
SELECT pareto(VARIADIC '{}'::numeric[]) OVER ();
SELECT pareto(VARIADIC NULL::numeric[]) OVER ();

-- 100 tokens after the first in 2 seconds
SELECT interactivity(101, 500, 2500), interactivity(1, 500, 2500), interactivity(101, 500, 500), interactivity(NULL, 1, 2);
SELECT interactivity(101, -1, 500);

-- 10 trials that cost 20, half of them successes: Fieller by hand
-- a = 0.25 - z2 * 0.25 / 9, b = 1 - z2 * 0.1 / 9, c = 4 - z2 * 1 / 9, z2 = 1.96^2
SELECT cost_per_success, round(lower_95::numeric, 9) AS lower_95, round(upper_95::numeric, 9) AS upper_95 FROM cost_per_success(10, 5, 20, 50, 11);
-- all the same: no spread; none, one, and too few to tell
SELECT * FROM cost_per_success(4, 4, 8, 16, 8);
SELECT * FROM cost_per_success(4, 0, 8, 16, 0);
SELECT * FROM cost_per_success(1, 1, 2, 4, 2);
SELECT * FROM cost_per_success(10, 1, 20, 40, 2);
SELECT * FROM cost_per_success(0, 0, 0, 0, 0);
SELECT * FROM cost_per_success(1, 2, 0, 0, 0);

-- Three models: good and dear, fair and cheap, and one that is worse than the
-- second by every measure; "big-latest" is another name of the first.
INSERT INTO price (provider, model, service_tier, rates, valid) VALUES
    ('a', 'big', 'standard', '{"currency": "USD", "input": 10, "output": 40}', '[2025-01-01,)'),
    ('a', 'small', 'standard', '{"currency": "USD", "input": 1, "output": 4}', '[2025-01-01,)'),
    ('b', 'dud', 'standard', '{"currency": "USD", "input": 2, "output": 8}', '[2025-01-01,)');
INSERT INTO model_alias (alias, to_model) VALUES ('big-latest', 'big');
INSERT INTO model_quality (provider, model, task, version, measured_on, score, output_factor, tokenizer_factor, source) VALUES
    ('a', 'big', 'quiz', '1', '2025-01-01', 90, 1, 1, 'test'),
    ('a', 'small', 'quiz', '1', '2025-01-01', 60, 2, 1, 'test'),
    ('a', 'small', 'quiz', '1', '2025-06-01', 75, 2, 1, 'test, again'),
    ('b', 'dud', 'quiz', '1', '2025-01-01', 55, NULL, NULL, 'test');
INSERT INTO usage (at, tokens, provider, model, turn_id, request_id, project, ttft, duration) VALUES
    ('2025-03-01 10:00', '{"input": 1000000, "output": 101}', 'a', 'big-latest', 't1', 'r1', 'help', 500, 2500),
    ('2025-03-01 10:01', '{"input": 500000, "output": 11}', 'a', 'small', 't1', 'r2', 'help', 100, 200),
    ('2025-03-02 10:00', '{"input": 1000000, "output": 201}', 'a', 'big-latest', 't2', 'r3', 'help', 500, 2500),
    ('2025-03-03 10:00', '{"input": 2000000}', 'a', 'small', 't3', 'r4', 'help', NULL, NULL),
    ('2025-03-04 10:00', NULL, 'a', 'small', 't3', 'r5', 'help', NULL, NULL),
    ('2025-03-05 10:00', '{"input": 1000000, "output": 51}', 'b', 'dud', 't4', 'r6', NULL, 500, 1500),
    ('2025-03-06 10:00', '{"input": 1000000, "output": 1}', 'b', 'unheard-of', 't5', 'r7', NULL, 500, 1500);
SELECT * FROM priced_model('a', 'big-latest', '2025-03-01');
SELECT model, score, measured_on FROM latest_quality('a', 'small', '2025-03-31');
SELECT model, score FROM latest_quality('a', 'big-latest', '2025-03-31');
SELECT model, score, cost_per_mtok, timed_calls, interactivity, interactivity_slow, time_to_first_answer, is_on_frontier, dominated_by FROM value_grid;

-- t1 cost 10.00404 + 0.500044; what has no price is left out, and said
INSERT INTO turn_outcome (turn_id, succeeded) VALUES ('t1', true), ('t2', false), ('t3', true), ('t5', true);
SELECT scope, project, model, turns, judged_turns, unpriced_turns, successes, success_rate, cost, cost_per_turn, cost_per_successful_turn, lower_95 IS NOT NULL AS has_lower
FROM outcome_cost;
SELECT count(*) FROM outcome_cost_between('2025-03-02', '2025-03-03') WHERE scope = 'total' AND turns = 1 AND successes = 0 AND cost_per_successful_turn IS NULL;
-- measured success comes first
SELECT task, is_measured, model, score FROM value_grid ORDER BY is_measured DESC, task, model;

-- "small" needs twice the output tokens: 4.5 million input at 1, and 2 * 302 + 11 output
-- at 4, against what was paid
SELECT rank, model, meets_need, reason, score, interactivity, output_factor, factors_assumed, calls, tokens, actual_cost, cost, overspend
FROM overspend('help', 'quiz', 60, NULL, '2025-03-01', '2025-04-01');
SELECT rank, model, meets_need, reason FROM overspend('help', 'quiz', 65, 60, '2025-03-01', '2025-04-01');
SELECT count(*) FROM overspend('nobody', 'quiz', 65, 60, '2025-03-01', '2025-04-01');
SELECT * FROM overspend('help', 'riddles', 1);
SELECT * FROM overspend('help', 'quiz', NULL);
INSERT INTO model_quality (provider, model, task, version, measured_on, score, source) VALUES ('a', 'big', 'quiz', '2', '2025-01-01', 90, 'test');
SELECT * FROM overspend('help', 'quiz', 1);

-- The calls sold at twice the price of big and at the cost of small
INSERT INTO price (book, provider, model, rates, valid)
VALUES ('sell', 'a', 'big', '{"currency": "USD", "input": 20, "output": 80}', '[2025-01-01,)');
SELECT label, model, tokens, unsold_tokens, unpriced_tokens, revenue, cost, margin, round(margin_rate, 6) AS margin_rate
FROM token_margin('sell', dimension => 'project');
INSERT INTO dimension VALUES ('first_letter', 'left(model, 1)');
SELECT label, model, revenue, cost FROM token_margin('sell', dimension => 'first_letter');
-- of any type
INSERT INTO dimension VALUES ('is_first', 'provider = ''a'' -- or not'), ('n_calls', 'calls');
SELECT label, model, revenue, cost FROM token_margin('sell', dimension => 'is_first');
SELECT label, model, revenue, cost FROM token_margin('sell', dimension => 'n_calls');
SELECT * FROM token_margin('sell', dimension => 'planet');
SELECT * FROM token_margin('no such book');

INSERT INTO model_quality (provider, model, task, measured_on, score, source, output_factor) VALUES ('a', 'b', 'c', '2025-01-01', 1, 's', 0);
INSERT INTO model_quality (provider, model, task, measured_on, score, source) VALUES ('a', 'b', 'c', '2025-01-01', 'NaN', 's');
INSERT INTO model_quality (provider, model, task, measured_on, score, source) VALUES ('a', 'b', '', '2025-01-01', 1, 's');

RESET search_path;
CALL tokenomics.uninstall('worth');
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'worth';
DROP SCHEMA worth;
