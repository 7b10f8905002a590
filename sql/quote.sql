-- quote: offers for tokens, and what each costs on a workload.
\set SHOW_CONTEXT never
\set VERBOSITY default
SET timezone = 'UTC';
SET client_min_messages = warning;
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;

-- by hand: $1.30 an hour, 1000 tokens a second, at 60 %: 1.3 / 2.16 million
SELECT round(cost_per_mtok(1.30, 1000, 0.6), 6) AS cost, needed_price(0.5, 1000, 0.6), round(needed_throughput(0.5, 1.30, 0.6), 6) AS throughput, round(needed_utilization(0.5, 1.30, 1000), 6) AS utilization;
SELECT cost_per_mtok(0, 1000, 1), needed_price(0, 1000, 1), round(needed_utilization(0.1, 1.30, 1000), 3) AS more_than_there_is, cost_per_mtok(NULL, 1, 1);
SELECT cost_per_mtok(1.30, 0, 0.6);
SELECT cost_per_mtok(1.30, 1000, 60);
SELECT cost_per_mtok(1.30, 1000, 0);
SELECT cost_per_mtok(-1.30, 1000, 0.6);
SELECT cost_per_mtok('NaN', 1000, 0.6);
SELECT cost_per_mtok(1.30, 'infinity', 0.6);
SELECT needed_price(-1, 1000, 0.6);
SELECT needed_throughput(0, 1.30, 0.6);
SELECT needed_utilization(0.5, 1.30, -1);

-- the same work as another vendor counts it
SELECT adjust_tokens(tokens(input => 100, cache_read => 300, output => 50, reasoning => 50, tool_calls => 3), 1.5, 2) AS longer, adjust_tokens(tokens(input => 100, cache_read => 300, output => 50), 1, 1, 0.5) AS half,
       adjust_tokens(tokens(input => 60, cache_write => 30, cache_write_1h => 10, cache_read => 100), 1, 1, 0.75) AS writes, adjust_tokens(tokens(input => 10, audio_input => 90), 1, 1, 0.5) AS audio_is_not_cached,
       adjust_tokens(tokens(cache_read => 100), 1, 1, 0.4) AS all_read, adjust_tokens(tokens(input => 3), 0.5) AS rounded, adjust_tokens(tokens(output => 7), 1, 1, 0.5) AS no_input, adjust_tokens(NULL, 2);
SELECT adjust_tokens(tokens(input => 1), 0);
SELECT adjust_tokens(tokens(input => 1), 1, -2);
SELECT adjust_tokens(tokens(input => 1), 1, 1, 1.1);
SELECT adjust_tokens(tokens(input => 9223372036854775807), 2);
SELECT average_call(tokens(input => 400001, output => 1), 2), average_call(tokens(input => 5, cache_read => 1), 2), average_call(tokens(output => 3), 2), average_call(tokens(), 3);
SELECT average_call(tokens(input => 1), 0);

-- minutes of load 110, 11 and 0, and one without tokens reported
SELECT (serve_minutes(m, 1, 4, 1, 0, 1, false, 50)).*, capacity_need(m, 1, 4, 1, 0, 1, false, 1) AS peak, capacity_need(m, 1, 4, 1, 0, 1, false, 0.75) AS p75, capacity_need(m, 1, 4, 1, 0, 1, false, 0.5) AS p50
FROM (VALUES (ARRAY[tokens(input => 100, output => 10), tokens(input => 10, output => 1), NULL])) v(m);
-- the larger side: 100 / 10 against 10 / 2; cached input leaves it
SELECT (serve_minutes(ARRAY[tokens(input => 100, cache_read => 900, output => 30)], 1, 1, 2, 0, 10, true, 250)).*;
SELECT (serve_minutes(ARRAY[tokens(input => 600, output => 60)], 60, 60, 1, 0, 1, false, 10)).*, capacity_need(ARRAY[tokens(input => 600, output => 60)], 60, 60, 1, 0, 1, false, 1) AS spread;
SELECT serve_minutes('{}', 1, 60, 1, 0, 1, false, 10), capacity_need('{}', 1, 60, 1, 0, 1, false, 1);
SELECT serve_minutes(ARRAY[tokens(input => 1)], 1, 0, 1, 0, 1, false, 10);
SELECT serve_minutes(ARRAY[tokens(input => 1)], 61, 60, 1, 0, 1, false, 10);
SELECT serve_minutes(ARRAY[tokens(input => 1)], 0, 60, 1, 0, 1, false, 10);
SELECT serve_minutes(ARRAY[tokens(input => 1)], 1, 60, -1, 0, 1, false, 10);
SELECT serve_minutes(ARRAY[tokens(input => 1)], 1, 60, 1, 'NaN', 1, false, 10);
SELECT serve_minutes(ARRAY[tokens(input => 1)], 1, 60, 1, 0, 1, false, -10);
SELECT capacity_need(ARRAY[tokens(input => 1)], 1, 60, 1, 0, 1, false, 0);
SELECT capacity_need(ARRAY[tokens(input => 1)], 1, 60, 1, 0, 1, false, 95);

-- whole units
SELECT step_units(17, 8, 8), step_units(16, 8, 8), step_units(0, 8, 8), step_units(17, 8, 8, 20), step_units(100, 15, 5, 30), step_units(15.01, 15, 5);
SELECT step_units(-1, 8, 8);
SELECT step_units(1, 8, 0);
SELECT step_units(1, 8, 8, 7);
SELECT step_units(NULL, 8, 8);

-- Steffen 1990 on a parabola, a plateau and a line; never outside
SELECT x, monotone_interpolate('{0,1,2,3}', '{0,1,4,9}', x) AS parabola, monotone_interpolate('{0,1,2,3}', '{5,3,3,0}', x) AS plateau, monotone_interpolate('{0,3}', '{0,6}', x) AS line, monotone_interpolate('{1}', '{7}', x) AS point
FROM unnest('{-0.001,0,0.5,1,1.5,2,2.5,3,3.001}'::numeric[]) x;
SELECT monotone_interpolate('{}', '{}', 1), monotone_interpolate('{0,1}', '{0,1}', 'NaN');
SELECT monotone_interpolate('{1,1}', '{1,2}', 1);
SELECT monotone_interpolate('{1,2}', '{1}', 1);
SELECT monotone_interpolate('{1,NULL}', '{1,2}', 1);
SELECT monotone_interpolate('{1,2}', '{1,infinity}', 1);
-- the point (15, 70) is beaten by (20, 80)
SELECT asked, (operating_point_at('{30,10,20,15}', '{20,100,80,70}', '{200,1000,800,700}', asked)).* FROM unnest('{5,10,15,20,25,30,31,NULL}'::numeric[]) asked;
SELECT operating_point_at('{}', '{}', NULL, 1), operating_point_at('{30}', '{20}', NULL, 10);
SELECT operating_point_at('{30,0}', '{20,30}', NULL, 1);
SELECT operating_point_at('{30}', '{-20}', NULL, 1);
SELECT operating_point_at('{30}', '{20}', '{1,2}', 1);
SELECT operating_point_at('{30}', '{20}', NULL, -1);

-- curves: a commitment of 50 covers 62.50 at 20 % off, and no bill is below 60
SELECT committed_curve(100, 50, 0.2, 60), ARRAY(SELECT curve_cost(committed_curve(100, 50, 0.2, 60), s) FROM unnest('{0,0.5,0.725,1,2}'::numeric[]) s) AS costs, curve_cost(committed_curve(3), 2) AS plain;
SELECT committed_curve(100, 50, 1);
SELECT committed_curve(-100);
SELECT committed_curve(NULL);
-- units at 10 for a need of 3, against 35 by the token: cheaper from 2/7, from 4/7 and from 6/7 on, each time until one more unit is needed
SELECT round(scale, 6) AS scale, is_cheaper_above, is_equal FROM crossings(step_curve(10, 3, 1, 1), committed_curve(35));
SELECT count(*) FROM crossings(step_curve(10, 3, 1, 1), committed_curve(30));
SELECT count(*) FROM crossings(step_curve(10, 3, 1, 1), committed_curve(29));
SELECT curve_cost(step_curve(10, 3, 1, 1, 2), s) FROM unnest('{0,0.3,0.5,0.67}'::numeric[]) s;
SELECT count(*) FROM crossings(committed_curve(5), committed_curve(5));
SELECT count(*) FROM crossings(committed_curve(5), committed_curve(4));
-- equal over a stretch, and then not
SELECT * FROM crossings(ROW('{0,1,2}', '{5,0,-10}', '{0,5,10}', NULL)::cost_curve, ROW('{0}', '{0}', '{5}', NULL)::cost_curve);
SELECT * FROM crossings(ROW('{0,1,2}', '{5,0,5}', '{0,5,2.5}', NULL)::cost_curve, ROW('{0}', '{0}', '{5}', NULL)::cost_curve);
SELECT curve_cost(ROW('{1}', '{5}', '{0}', NULL)::cost_curve, 1);
SELECT curve_cost(ROW('{0,2,2}', '{5,1,1}', '{0,1,1}', NULL)::cost_curve, 1);
SELECT curve_cost(ROW('{0}', '{5,1}', '{0}', NULL)::cost_curve, 1);
SELECT curve_cost(ROW('{0}', NULL, '{0}', NULL)::cost_curve, 1);
SELECT curve_cost(committed_curve(1), -1);
-- 50 a minute for 7: of 100 + 10 tokens what is over by the token, from half of it on
SELECT spillover_curve(ARRAY[tokens(input => 1000000, output => 100000)], 1, 1, 1, 0, 1, false, 550000, 7, '{"currency": "USD", "input": 2, "output": 10}');
SELECT spillover_curve(ARRAY[tokens(input => 1000000)], 1, 1, 1, 0, 1, false, 1, 7, '{"currency": "USD", "output": 10}') IS NULL AS no_rate;

\set VERBOSITY terse
-- quotes: each kind has what it needs, and nothing of another
INSERT INTO quote (name, kind, vendor) VALUES ('x', 'barter', 'v');
INSERT INTO quote (name, kind, vendor) VALUES ('x', 'tokens', '');
INSERT INTO quote (name, kind, vendor, provider, model) VALUES ('x', 'tokens', 'v', 'p', 'm');
INSERT INTO quote (name, kind, vendor, book) VALUES ('x', 'tokens', 'v', 'list');
INSERT INTO quote (name, kind, vendor, book, provider, model, price_per_gpu_hour) VALUES ('x', 'tokens', 'v', 'list', 'p', 'm', 1);
INSERT INTO quote (name, kind, vendor, book, provider, model, commitment_discount) VALUES ('x', 'tokens', 'v', 'list', 'p', 'm', 0.1);
INSERT INTO quote (name, kind, vendor, book, provider, model, discount) VALUES ('x', 'tokens', 'v', 'list', 'p', 'm', 15);
INSERT INTO quote (name, kind, vendor, currency, gpus_min, gpus_step, utilization_ceiling) VALUES ('x', 'gpu_hour', 'v', 'USD', 8, 8, 0.6);
INSERT INTO quote (name, kind, vendor, price_per_gpu_hour, currency, gpus_min, gpus_step) VALUES ('x', 'gpu_hour', 'v', 2, 'USD', 8, 8);
INSERT INTO quote (name, kind, vendor, price_per_gpu_hour, currency, gpus_min, gpus_step, utilization_ceiling) VALUES ('x', 'gpu_hour', 'v', 2, 'USD', 8, 8, 60);
INSERT INTO quote (name, kind, vendor, price_per_gpu_hour, currency, gpus_min, gpus_step, utilization_ceiling, hours_per_month) VALUES ('x', 'gpu_hour', 'v', 2, 'USD', 8, 8, 0.6, 744);
INSERT INTO quote (name, kind, vendor, currency, units_min, units_increment, price_per_unit_hour, price_per_unit_month, tokens_per_minute_per_unit, cache_read_weight, output_weight) VALUES ('x', 'provisioned', 'v', 'USD', 15, 5, 1, 260, 3000, 0, 4);
INSERT INTO quote (name, kind, vendor, currency, units, units_min, units_increment, price_per_unit_hour, tokens_per_minute_per_unit, cache_read_weight, output_weight) VALUES ('x', 'provisioned', 'v', 'USD', 17, 15, 5, 1, 3000, 0, 4);
INSERT INTO quote (name, kind, vendor, currency, units_min, units_increment, price_per_unit_hour, tokens_per_minute_per_unit, output_weight) VALUES ('x', 'provisioned', 'v', 'USD', 15, 5, 1, 3000, 4);
INSERT INTO quote (name, kind, vendor, currency, units_min, units_increment, price_per_unit_hour, tokens_per_minute_per_unit, cache_read_weight, output_weight, spillover_book) VALUES ('x', 'provisioned', 'v', 'USD', 15, 5, 1, 3000, 0, 4, 'list');

\set VERBOSITY default
-- an hour: in its first minute 60 calls of 1000 + 100 tokens, in its last one 30; half of the input cached
INSERT INTO price (provider, model, rates) VALUES ('azure', 'gpt', '{"currency": "USD", "input": 2, "cache_read": 0.5, "output": 8}');
INSERT INTO usage (at, tokens, provider, model, session_id, turn_id)
SELECT '2026-03-02 10:00Z'::timestamptz + CASE WHEN i < 60 THEN i * interval '1 second' ELSE interval '59 minutes' + (i - 60) * interval '1 second' END,
       tokens(input => 500, cache_read => 500, output => 60, reasoning => 40), 'azure', 'gpt', 's' || i / 30, 't' || i / 3 FROM generate_series(0, 89) i;
SELECT measure_workload('hour', '2026-03-02 10:00Z', '2026-03-02 11:00Z');
SELECT calls, turns, sessions, users, span_minutes, tokens, filter, is_stated FROM workload;
SELECT measure_workload('hour', '2026-03-02 10:00Z', '2026-03-02 11:00Z');
SELECT measure_workload('none', '2026-03-02 11:00Z', '2026-03-02 12:00Z');
SELECT measure_workload('none', '2026-03-02 10:00Z', '2026-03-02 11:00Z', model => 'other');
SELECT measure_workload('none', '2026-03-02 10:00:30Z', '2026-03-02 11:00Z');
SELECT measure_workload('none', NULL, '2026-03-02 11:00Z');
SELECT measure_workload('none', '2026-03-02 11:00Z', '2026-03-02 10:00Z');
SELECT measure_workload('none', '2026-03-02 10:00Z', date_trunc('year', now()) + interval '2 years') IS NULL;
SELECT measure_workload('first minute', '2026-03-02 10:00Z', '2026-03-02 10:01Z', provider => 'azure');
SELECT filter FROM workload WHERE name = 'first minute';

INSERT INTO quote (name, kind, vendor, quoted_at, book, provider, model) VALUES ('list', 'tokens', 'Azure', '2026-03-01Z', 'list', 'azure', 'gpt');
-- 45,000 x 2 + 45,000 x 0.5 + 9,000 x 8 = 184,500 / 10^6 = 0.1845; x 730 = 134.685
SELECT cost_per_mtok, cost_per_mtok_input, cost_per_mtok_output, cost_per_mtok_visible_output, monthly_bill, cost_per_call, cost_per_turn, cost_per_session FROM compare_quotes('hour');
-- 10 % off: 121.2165; a commitment of 100 covers 125 at 20 % off; at least 110
INSERT INTO quote (name, kind, vendor, quoted_at, book, provider, model, discount, commitment, commitment_discount, minimum_spend) VALUES ('committed', 'tokens', 'Azure', '2026-03-01Z', 'list', 'azure', 'gpt', 0.1, 100, 0.2, 90);
SELECT monthly_bill, break_even_volumes FROM compare_quotes('hour', '{committed}');
UPDATE quote SET commitment = 80 WHERE name = 'committed';
SELECT monthly_bill FROM compare_quotes('hour', '{committed}');
UPDATE quote SET minimum_spend = 500 WHERE name = 'committed';
SELECT monthly_bill FROM compare_quotes('hour', '{committed}');

-- provisioned: 60 calls are 60 x (500 + 0 + 4 x 100) = 54,000 normalised tokens a minute: 18 units; 30 calls 27,000
INSERT INTO quote (name, kind, vendor, quoted_at, provider, model, currency, units_min, units_increment, price_per_unit_hour, tokens_per_minute_per_unit, cache_read_weight, output_weight)
VALUES ('ptu', 'provisioned', 'Azure', '2026-03-01Z', 'azure', 'gpt', 'USD', 15, 5, 1, 3000, 0, 4);
SELECT units_needed, units, monthly_bill, shortfall_tokens, achieved_utilization, idle_share, break_even_utilization FROM compare_quotes('hour', '{ptu}');
-- 15 units serve 45,000 of 54,000: a sixth spills, 60 x 1,100 / 6 tokens for 0.0205
UPDATE quote SET units = 15, spillover_book = 'list' WHERE name = 'ptu';
SELECT units_needed, units, spillover_tokens, spillover_hours, spillover_cost, monthly_bill, shortfall_tokens FROM compare_quotes('hour', '{ptu}');
-- without a spillover book it cannot serve the peak, but 59 of 60 minutes
UPDATE quote SET spillover_book = NULL WHERE name = 'ptu';
SELECT serves, reason, shortfall_tokens, shortfall_hours, round(cost_per_mtok, 6) AS cost_per_mtok FROM compare_quotes('hour', '{ptu}');
SELECT serves, reason, units_needed, shortfall_tokens FROM compare_quotes('hour', '{ptu}', percentile => 0.98);
-- by the month
UPDATE quote SET price_per_unit_hour = NULL, price_per_unit_month = 260 WHERE name = 'ptu';
SELECT monthly_bill FROM compare_quotes('hour', '{ptu}', percentile => 0.98);

-- GPUs: input 30,000 + output 6,000 a minute; together 30,000 / (60 x 100) = 5 against 6,000 / (60 x 50) = 2: 5 / 0.5 = 10 of 16
INSERT INTO quote (name, kind, vendor, quoted_at, currency, price_per_gpu_hour, gpus_min, gpus_step, utilization_ceiling) VALUES ('gpu', 'gpu_hour', 'Neo', '2026-03-01Z', 'USD', 1.5, 8, 8, 0.5);
SELECT serves, reason, rank FROM compare_quotes('hour', '{gpu}');
INSERT INTO operating_point (quote, interactivity, ttft, input_tokens_per_second, output_tokens_per_second) VALUES ('gpu', 20, 900, 100, 50), ('gpu', 40, 300, 60, 30);
SELECT units_needed, units, monthly_bill, achieved_utilization, interactivity FROM compare_quotes('hour', '{gpu}');
SELECT units_needed, units, interactivity FROM compare_quotes('hour', '{gpu}', 30);
SELECT units_needed, units, interactivity FROM compare_quotes('hour', '{gpu}', 10, 300);
SELECT serves, reason FROM compare_quotes('hour', '{gpu}', 41);
SELECT serves, reason FROM compare_quotes('hour', '{gpu}', 10, 299);
-- apart they add: 5 + 2 = 7, 14 of 16
UPDATE operating_point SET measured_together = false;
SELECT units_needed, units, notes FROM compare_quotes('hour', '{gpu}');
UPDATE operating_point SET measured_together = true WHERE interactivity = 20;
SELECT serves, reason, units_needed FROM compare_quotes('hour', '{gpu}');
UPDATE operating_point SET measured_together = true;
-- at most 8; and half of the hours
UPDATE quote SET gpus_max = 8, hours_per_month = 365 WHERE name = 'gpu';
SELECT serves, reason, units, shortfall_tokens, shortfall_hours, monthly_bill FROM compare_quotes('hour', '{gpu}');
UPDATE quote SET gpus_max = NULL, hours_per_month = NULL WHERE name = 'gpu';
-- factors: tokens 1.5 times as long take 15, of twice the output 5 x 1.5 is still the larger; a cache hit rate of 0.8 leaves 20 % of the input: output limits, 2 x 1.5 x 2 = 6 / 0.5 = 12
UPDATE quote SET tokenizer_factor = 1.5, output_factor = 2, tokenizer_factor_assumed = false WHERE name = 'gpu';
SELECT units_needed, notes FROM compare_quotes('hour', '{gpu}');
UPDATE quote SET cache_hit_rate = 0.8 WHERE name = 'gpu';
SELECT units_needed, notes FROM compare_quotes('hour', '{gpu}');
INSERT INTO operating_point (quote, interactivity) VALUES ('gpu', 99);
SELECT serves, reason, units_needed FROM compare_quotes('hour', '{gpu}');
DELETE FROM operating_point WHERE interactivity = 99;
INSERT INTO operating_point (quote, interactivity, measured_together) VALUES ('gpu', 99, false);
INSERT INTO operating_point (quote, interactivity, ttft, output_tokens_per_second) VALUES ('gpu', 20, 900, 7);
INSERT INTO operating_point (quote, interactivity) VALUES ('nobody', 99);

-- of output alone the rate is known; of other kinds the speed that is promised
INSERT INTO quote (name, kind, vendor, quoted_at, currency, price_per_gpu_hour, gpus_min, gpus_step, utilization_ceiling) VALUES ('offline', 'gpu_hour', 'Neo', '2026-03-01Z', 'USD', 1.5, 1, 1, 1);
INSERT INTO operating_point (quote, output_tokens_per_second) VALUES ('offline', 25);
INSERT INTO operating_point (quote, interactivity, ttft) VALUES ('list', 55, 400);
SELECT units_needed, units, notes FROM compare_quotes('hour', '{offline}');
SELECT quote, serves, reason, interactivity FROM compare_quotes('hour', '{offline,list}', 50, 500);
SELECT quote, serves, reason FROM compare_quotes('hour', '{list}', 60);
SELECT quote, serves, reason FROM compare_quotes('hour', '{list}', 50, 300);
-- nothing to break even with
SELECT quote, baseline, break_even_volumes, notes[4:] FROM compare_quotes('hour', '{list}', baseline => 'offline', ttft => 400);
DELETE FROM operating_point WHERE quote = 'list';
DELETE FROM quote WHERE name = 'offline';
-- rank: those that can, those of which nobody knows, those that cannot; a currency without a rate last of its kind
INSERT INTO quote (name, kind, vendor, quoted_at, currency, price_per_gpu_hour, gpus_min, gpus_step, utilization_ceiling) VALUES ('yen', 'gpu_hour', 'Neo', '2026-03-01Z', 'JPY', 1.5, 8, 8, 0.5);
INSERT INTO operating_point (quote, interactivity, ttft, input_tokens_per_second, output_tokens_per_second) VALUES ('yen', 40, 300, 60, 30);
SELECT rank, quote, serves, reason, currency, monthly_bill, monthly_bill_converted FROM compare_quotes('hour', interactivity => 30);
INSERT INTO fx_rate (base_currency, quote_currency, day, rate) VALUES ('USD', 'JPY', '2026-03-01', 150);
SELECT rank, quote, monthly_bill, monthly_bill_converted FROM compare_quotes('hour', interactivity => 30);
-- a named baseline, in another currency
SELECT quote, baseline, break_even_volumes, break_even_utilization FROM compare_quotes('hour', '{yen,list}', baseline => 'list');
SELECT * FROM explain_quote('list', 'hour');
SELECT step, what, value, unit, how FROM explain_quote('yen', 'hour', 50);

-- a price with a threshold that the workload tells apart, and one of another vendor with hours
INSERT INTO price (provider, model, above_input_tokens, rates) VALUES ('azure', 'tiered', 0, '{"currency": "USD", "input": 1, "output": 1}'), ('azure', 'tiered', 999, '{"currency": "USD", "input": 2, "output": 2}');
INSERT INTO price (provider, model, rates, off_peak) VALUES ('deep', 'peak', '{"currency": "USD", "input": 2, "output": 2}', '{}'), ('deep', 'peak', '{"currency": "USD", "input": 1, "output": 1}', '{[0,615)}');
INSERT INTO quote (name, kind, vendor, quoted_at, book, provider, model) VALUES ('tiered', 'tokens', 'Azure', '2026-03-01Z', 'list', 'azure', 'tiered'), ('peak', 'tokens', 'Deep', '2026-03-18Z', 'list', 'deep', 'peak'),
    ('unknown', 'tokens', 'Azure', '2026-03-01Z', 'list', 'azure', 'nothing'), ('no book', 'tokens', 'Azure', '2026-03-01Z', 'nowhere', 'azure', 'gpt');
SELECT quote, serves, reason, monthly_bill, notes[4] FROM compare_quotes('hour', '{tiered,peak,unknown}');
SELECT measure_workload('hour again', '2026-03-02 10:00Z', '2026-03-02 11:00Z');
-- all above 999: 99,000 x 2; Monday 10:00 to 10:15 is off-peak, 66,000 x 1 + 33,000 x 2
SELECT quote, monthly_bill / 730 AS cost, notes[4] FROM compare_quotes('hour again', '{tiered,peak}') ORDER BY 1;
SELECT serves, reason FROM compare_quotes('hour', '{no book}');
SELECT quote FROM compare_quotes('hour', '{nobody}');
SELECT quote FROM compare_quotes('nothing', '{list}');
SELECT quote FROM compare_quotes('hour', '{list}', interactivity => 0);
SELECT quote FROM compare_quotes('hour', '{list}', interactivity => 'NaN');
-- also where there is no quote to judge
SELECT quote FROM compare_quotes('nothing', '{}');
-- absurd factors of one quote do not hide the others
INSERT INTO quote (name, kind, vendor, quoted_at, provider, model, book, tokenizer_factor)
SELECT 'absurd', 'tokens', 'v', q.quoted_at, q.provider, q.model, q.book, 1e15 FROM quote q WHERE q.name = 'list';
SELECT rank, quote, vendor, kind, serves, cost_per_mtok, reason FROM compare_quotes('hour', '{list,absurd}');
DELETE FROM quote WHERE name = 'absurd';
INSERT INTO quote (name, kind, vendor, quoted_at, currency, units, units_min, units_increment, price_per_unit_hour, tokens_per_minute_per_unit, output_weight, cache_read_weight)
VALUES ('by none', 'provisioned', 'v', '2026-03-01', 'USD', 3, 1, 0, 1, 100, 4, 0);
SELECT quote FROM compare_quotes('hour', '{list}', percentile => 95);
DELETE FROM quote WHERE name = 'no book';

-- stated by hand: 30 days of 1,440 million input tokens; mean 33,333.3 a minute, peak three times that
SELECT state_workload('stated', tokens(input => 1440000000, output => 144000000), 1000000, 30, 3, sessions => 1000);
SELECT quote, units_needed, units, cost_per_session, cost_per_turn, notes[1] FROM compare_quotes('stated', '{ptu,list}');
SELECT state_workload('bad', tokens(input => 1), 1, 0.0001, 1);
SELECT state_workload('bad', tokens(input => 1), 1, 0, 1);
\set VERBOSITY terse
SELECT state_workload('bad', tokens(input => 1), 1, 1, 0.5);
SELECT state_workload('bad', tokens(input => 0), 1, 1, 1);
SELECT state_workload('bad', tokens(input => 1), 0, 1, 1);
SELECT state_workload('bad', NULL, 1, 1, 1);

-- the view is all of it; by the time of the quote
SELECT workload, count(*), min(rank), max(rank) FROM quote_comparison GROUP BY 1 ORDER BY 1;
SELECT workload, quote, rank FROM quote_comparison_between('2026-03-10Z');
CALL tokenomics.install('llm');
CALL tokenomics.uninstall('llm');
DROP SCHEMA llm CASCADE;
