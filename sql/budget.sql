-- Budgets: variance, phasing, forecast, alerts.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET datestyle = 'ISO';
SET timezone = 'UTC';
CALL tokenomics.install('plan');
SET search_path = plan, tokenomics, public;

-- Planned 100 of input at 1 and 10 of output at 10 (millions): 200. Used 300 and
-- 20 at 2 and 10: 800. Price 300 * (2 - 1); 320 by the planned mix cost
-- 320 * 200 / 110, so mix is 500 less that, and volume that less 200.
SELECT v.*, price_variance + mix_variance + volume_variance = 800 - 200 AS adds_up
FROM budget_variance(800, '{"input": 300000000, "output": 20000000}', 200, '{"input": 100000000, "output": 10000000}',
                     '{"currency": "USD", "input": 1, "output": 10}', 200) v;
-- inputs doubled, hit rate from 0 to 80 %, prices the same: mix, and no price
SELECT v.*, price_variance + mix_variance + volume_variance = 2430 - 3750 AS adds_up
FROM budget_variance(2430, '{"input": 400000000, "cache_read": 1600000000, "output": 50000000}', 3750, '{"input": 1000000000, "output": 50000000}',
                     '{"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15}', 3750) v;
-- rates alone: no mix; tokens alone: one rate for all; neither; a meter without a rate
SELECT * FROM budget_variance(800, '{"input": 300000000, "output": 20000000}', 200, NULL, '{"currency": "USD", "input": 1, "output": 10}', 200);
SELECT * FROM budget_variance(800, '{"input": 300, "output": 20}', 200, '{"input": 100}', NULL, 200);
SELECT * FROM budget_variance(800, '{"input": 300, "output": 20}', 200, NULL, NULL, 200);
SELECT * FROM budget_variance(800, '{"tool_calls": 3}', 200, NULL, '{"currency": "USD", "input": 1}', 200);
SELECT * FROM budget_variance(0, '{}', 0, '{}', '{"currency": "USD", "input": 1}', 0);
SELECT * FROM budget_variance(1, '{}', 0, '{"output": 1}', '{"currency": "USD", "input": 1}', 0);

-- 2026-06-01 is a Monday
SELECT weekday_profile('{10,20,30}', '2026-06-01'), weekday_profile('{10,20,30,40,50,60,70,20}', '2026-06-02'), weekday_profile('{}', '2026-06-01');
SELECT weekday_profile('{1,NULL}', '2026-06-01');
SELECT weekday_profile('{1}', 'infinity');
-- five working days alike: June 2026 has 22, of which 5 are before the 6th
SELECT phased_budget(2200, '{1,1,1,1,1,0,0}', '2026-06-01', '2026-07-01', d) AS due FROM unnest('{2026-05-01,2026-06-01,2026-06-06,2026-06-08,2026-06-09,2026-07-01,2026-08-01}'::date[]) d;
SELECT phased_budget(100, '{0,0,0,0,0,0,0}', '2026-06-01', '2026-06-04', '2026-06-02'), phased_budget(100, '{-1,0,0,0,0,0,0}', '2026-06-01', '2026-06-04', '2026-06-02');
SELECT phased_budget(100, '{1,1}', '2026-06-01', '2026-06-04', '2026-06-02');
SELECT phased_budget(100, '{1,1,1,1,1,1,1}', '2026-06-01', '2026-06-01', '2026-06-02');
-- two weeks of 10 on working days; then the same, but for a spread of 2 on Mondays
SELECT * FROM weekday_forecast('{10,10,10,10,10,0,0,10,10,10,10,10,0,0}', '2026-06-01', '2026-06-15', '2026-07-01');
-- s2 = 2 / 7; a weekday n times ahead, seen twice: s2 * (n + n * n / 2); six of them twice, Sunday once
SELECT expected, round(lower_95::numeric, 9) AS lower_95, round((20 - 1.959963984540054 * sqrt(2.0 / 7 * (6 * 4 + 1.5)))::numeric, 9) AS by_hand
FROM (SELECT * FROM weekday_forecast('{9,0,0,0,0,0,0,11,0,0,0,0,0,0}', '2026-06-01', '2026-06-15', '2026-06-28')) f;
SELECT * FROM weekday_forecast('{1,2,3}', '2026-06-01', '2026-06-08', '2026-06-11');
SELECT * FROM weekday_forecast('{1,2,3}', '2026-06-01', '2026-06-08', '2026-06-12');
SELECT * FROM weekday_forecast('{}', '2026-06-01', '2026-06-08', '2026-06-08');
SELECT projected_exhaustion(25, '{10,10,10,10,10,0,0}', '2026-06-05', '2026-07-01'), projected_exhaustion(0, '{1,1,1,1,1,1,1}', '2026-06-05', '2026-07-01'),
       projected_exhaustion(1000, '{10,10,10,10,10,0,0}', '2026-06-05', '2026-07-01');

SELECT k, p.* FROM unnest('{month,quarter,year}'::text[]) k, budget_period(k, '2026-02-10') p;
UPDATE setting SET fiscal_year_start = 4;
SELECT k, p.* FROM unnest('{quarter,year}'::text[]) k, budget_period(k, '2026-02-10') p UNION ALL SELECT 'year', p.* FROM budget_period('year', '2026-04-01') p;
SELECT budget_period('week', '2026-02-10');

-- A million input tokens cost a dollar: 10 million each day of May and June up to
-- the 15th, and half of them search's; a euro is 2 dollars.
INSERT INTO price (provider, model, rates, valid) VALUES
    ('a', 'm', '{"currency": "USD", "input": 1, "output": 10}', '[2025-01-01,)'),
    ('e', 'm', '{"currency": "EUR", "input": 1}', '[2025-01-01,)');
INSERT INTO fx_rate (base_currency, quote_currency, kind, day, rate) SELECT 'EUR', 'USD', 'daily', d::date, 2 FROM generate_series('2026-04-01'::timestamp, '2026-06-30', '1 day') d;
INSERT INTO usage (at, tokens, provider, model, team)
SELECT d + interval '1 hour', '{"input": 5000000}', 'a', 'm', t FROM generate_series('2026-05-01'::timestamptz, '2026-06-15', '1 day') d, unnest('{search,ads}'::text[]) t;
SELECT set_budget('all', '2026-06-01', '2026-07-01', 240, 'first', planned_tokens => '{"input": 240000000}', planned_rates => '{"currency": "USD", "input": 1}'),
       set_budget('search', '2026-06-01', '2026-07-01', 300, dimension => 'team', owner => 'search'),
       set_budget('may', '2026-05-01', '2026-06-01', 100, currency => 'EUR'),
       set_budget('july', '2026-07-01', '2026-08-01', 100);
-- at noon of the 16th: 15 days of 10 are spent, of 240 15.5 days of 8 are due
SELECT name, is_running, currency, amount, actual, due, variance, burn_rate, forecast, forecast_lower_95, forecast_upper_95, projected_exhaustion, note
FROM budget_status_at('2026-06-16 12:00');
-- of periods that the limits touch, as they stood at their end
SELECT name, is_running, actual FROM budget_status_between('2026-05-01', '2026-06-01', 'UTC');
SELECT name, is_running, actual FROM budget_status_between('2026-05-31', '2026-06-02', 'UTC') ORDER BY name;
SELECT name, price_variance, mix_variance, volume_variance, charges_variance, price_variance + mix_variance + volume_variance + charges_variance = variance AS adds_up
FROM budget_status_at('2026-06-16 12:00') WHERE name = 'all';
-- a purchase that is not planned
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, billed_cost, currency)
VALUES ('a', '2026-06-01', '2026-06-16', 'Tax', 30, 'USD');
SELECT name, actual, volume_variance, charges_variance, price_variance + mix_variance + volume_variance + charges_variance = variance AS adds_up
FROM budget_status_at('2026-06-16 12:00') WHERE name = 'all';
DELETE FROM charge;

-- each crossing once, and taken back
CREATE VIEW alerts AS SELECT name, kind, threshold, value, version, cleared_at IS NOT NULL AS is_cleared, cleared_value FROM budget_alert ORDER BY alert_id;
SELECT check_budgets('2026-06-16 12:00'), check_budgets('2026-06-16 12:00');
SELECT * FROM alerts;
SELECT set_budget('all', '2026-06-01', '2026-07-01', 400, 'doubled');
SELECT check_budgets('2026-06-16 12:00');
SELECT * FROM alerts WHERE name = 'all';
SELECT name, version, amount, upper_inf(recorded) AS counts, reason FROM budget WHERE name = 'all' ORDER BY version;
-- what has no price is an alert of its own; a thinking model too
INSERT INTO usage (at, tokens, provider, model) VALUES ('2026-06-16 01:00', '{"input": 7}', 'a', 'nobody');
INSERT INTO usage (at, tokens, provider, model) VALUES ('2026-06-16 01:00', '{"input": 0, "output": 1, "reasoning": 3000000}', 'a', 'm');
SELECT set_budget('all', '2026-06-01', '2026-07-01', 400, alert_reasoning_per_call => 50000, alert_cost_per_mtok => 1.1, alert_at => '{0.9}');
SELECT check_budgets('2026-06-16 12:00');
SELECT * FROM alerts WHERE name = 'all';
-- ended: nothing is asked any more
SELECT set_budget('all', '2026-06-01', '2026-07-01', NULL), check_budgets('2026-06-16 12:00');
SELECT count(*) FROM budget_alert WHERE name = 'all' AND cleared_at IS NULL;
SELECT month, dimension, owner, model, tokens, cost FROM unbudgeted_spend;

SELECT set_budget('x', '2026-06-01', '2026-07-01', NULL);
\set VERBOSITY terse
SELECT set_budget('x', '2026-06-02', '2026-07-01', 1);
SELECT set_budget('search', '2026-05-01', '2026-07-01', 1);
SELECT set_budget('x', '2026-06-01', '2026-07-01', -1);
SELECT set_budget('x', '2026-06-01', '2026-07-01', 1, dimension => 'team');
SELECT set_budget('x', '2026-06-01', '2026-07-01', 1, planned_rates => '{"currency": "EUR", "input": 1}');
SELECT set_budget('x', '2026-06-01', '2026-07-01', 1, planned_tokens => '{"output": 1}', planned_rates => '{"currency": "USD", "input": 1}');
SELECT set_budget(NULL, '2026-06-01', '2026-07-01', 1);
SELECT set_budget('x', '2026-06-01', '2026-07-01', 1, dimension => 'taem', owner => 'search');
SELECT check_budgets(NULL);
-- thresholds that nothing crosses
SELECT set_budget('x', '2026-06-01', '2026-07-01', 1, alert_at => '{0.8,NaN}');
SELECT set_budget('x', '2026-06-01', '2026-07-01', 1, alert_forecast_at => '{1,NULL}');
SELECT set_budget('x', '2026-06-01', '2026-07-01', 1, alert_cost_per_mtok => 'infinity');

-- a month that is over keeps its amount: by its own rate, when it is read by days and by months
INSERT INTO fx_rate (base_currency, quote_currency, kind, day, rate) VALUES ('EUR', 'USD', 'month_average', '2026-05-01', 2.5);
SELECT a.at, s.actual, s.cost_per_mtok FROM unnest('{2026-05-31 12:00,2026-06-01,2026-06-16 12:00,2026-09-15}'::timestamptz[]) a(at), budget_status_at(a.at) s WHERE s.name = 'may';

-- no exchange rate: no price of tokens either, which would be too low or zero
DELETE FROM fx_rate;
SELECT set_budget('may', '2026-05-01', '2026-06-01', 100, currency => 'EUR', planned_tokens => '{"input": 1000000}', alert_cost_per_mtok => 1);
SELECT name, actual, tokens, cost_per_mtok, price_variance, charges_variance, note FROM budget_status_at('2026-06-16 12:00') WHERE name = 'may';
-- of a dimension that was dropped nothing is known, and of the others all
INSERT INTO dimension VALUES ('feature', 'tags->>''feature''');
SELECT set_budget('chat', '2026-06-01', '2026-07-01', 10, dimension => 'feature', owner => 'chat');
DELETE FROM dimension WHERE name = 'feature';
SELECT name, actual, due, calls, tokens, forecast, unpriced_tokens, note FROM budget_status_at('2026-06-16 12:00') WHERE name IN ('chat', 'search');
SELECT check_budgets('2026-06-16 12:00');
SELECT count(*) FROM unbudgeted_spend WHERE dimension = 'feature';

-- what is within scopes: a line in each that holds it, and one that none holds; none at all
SELECT n, actual, is_lost, tokens, calls, first_day, amounts
FROM budget_totals(ARRAY[ROW(NULL, NULL, NULL, NULL, 'USD', '2026-06-01', '2026-07-01'), ROW('team', 'search', 'a', NULL, 'USD', '2026-01-01', '2026-06-01'), ROW(NULL, NULL, NULL, NULL, 'EUR', '2026-06-01', '2026-07-01')]::budget_scope[],
                   ARRAY[ROW(NULL, NULL, 'a', 'm', 'USD', '2026-06-14', true, 1.5, 1.5, false, '{"input": 3}', 1, 0), ROW(NULL, NULL, 'a', 'm', 'USD', '2026-06-12', true, 2, 2, false, '{"input": 4}', 1, 0),
                         ROW('team', 'other', 'a', 'm', 'USD', '2026-06-14', true, 9, 9, false, NULL, 9, 0), ROW(NULL, NULL, 'a', 'm', 'EUR', '2026-06-14', true, NULL, NULL, true, NULL, 1, 0)]::budget_line[], '2026-06-15');
SELECT count(*) FROM budget_totals('{}', '{}', '2026-06-15');
SELECT * FROM budget_totals(ARRAY[NULL]::budget_scope[], '{}', '2026-06-15');
SELECT * FROM budget_totals('{}', ARRAY[ROW(NULL, NULL, 'a', 'm', 'USD', 'infinity', true, 1, 1, false, NULL, 1, 0)]::budget_line[], '2026-06-15');

RESET search_path;
DROP VIEW plan.alerts;
CALL tokenomics.uninstall('plan');
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'plan';
DROP SCHEMA plan;
