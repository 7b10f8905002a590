-- The views: a company small enough to add up by eye.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO';
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;

-- an empty install has no rows, and no error
SELECT (SELECT count(*) FROM cost_per_token), (SELECT count(*) FROM unit_price_trend), (SELECT count(*) FROM total_spend_trend), (SELECT count(*) FROM daily_spend),
       (SELECT count(*) FROM spend_by_owner), (SELECT count(*) FROM unpriced_usage), (SELECT count(*) FROM reconciliation), usage_ledger('month') IS NULL;

-- calls without any price: counted, and not for 0
BEGIN;
INSERT INTO usage (at, provider, model, tokens, team) VALUES ('2025-01-05', 'acme', 'bigg', '{"input": 5}', 'search'), ('2025-03-05', 'acme', 'bigg', NULL, NULL);
SELECT month, currency, calls, tokens, unpriced_tokens, usage_cost, total_spend, spend_per_day, fiscal_year_to_date, total_spend_converted FROM total_spend_trend;
SELECT * FROM daily_spend;
SELECT day, dimension, owner, is_allocated, currency, calls, tokens, unpriced_tokens, total_spend FROM spend_by_owner;
SELECT month, provider, model, currency, calls, total_tokens, unpriced_tokens, effective_cost, cost_per_mtok FROM cost_per_token;
SELECT * FROM unit_price_trend;
SELECT * FROM unpriced_usage;
SELECT * FROM reconciliation;
ROLLBACK;

-- A million tokens of "big" cost $1 in and $10 out by the list, $0.80 and $8 by
-- contract; "small" a tenth of the list; "dur" is paid in euros.
SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 1, "cache_read": 0.1, "output": 10}', '(,)', 'list');
SELECT correct_price('acme', 'small', '{"currency": "USD", "input": 0.1, "output": 1}', '(,)', 'list');
SELECT correct_price('euro', 'dur', '{"currency": "EUR", "input": 2, "output": 4}', '(,)', 'list');
SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 0.8, "cache_read": 0.08, "output": 8}', '(,)', 'contract', book => 'contract');
UPDATE setting SET book = 'contract', fiscal_year_start = 4;
INSERT INTO fx_rate VALUES ('EUR', 'USD', 'daily', '2024-01-12', 1.10), ('EUR', 'USD', 'month_average', '2024-01-01', 1.20), ('USD', 'EUR', 'month_end', '2024-02-01', 0.5);
INSERT INTO usage (at, provider, model, service_tier, tokens, calls, team, project, billed, billed_currency) VALUES
    ('2024-01-10 10:00', 'acme', 'big', NULL, '{"input": 1000000, "output": 100000}', 1, 'search', 'web', 1.60, 'USD'),
    ('2024-01-10 11:00', 'acme', 'big', 'standard', '{"input": 2000000, "cache_read": 10000000, "output": 100000, "reasoning": 100000}', 1, 'ads', 'web', NULL, NULL),
    ('2024-01-14 00:00', 'euro', 'dur', NULL, '{"input": 1000000, "output": 500000}', 1, 'search', NULL, NULL, NULL),
    ('2024-01-31 23:59:59.999999', 'acme', 'small', NULL, '{"input": 10000000}', 10, NULL, NULL, NULL, NULL),
    ('2024-02-29 12:00', 'acme', 'small', NULL, '{"input": 5000000, "output": 500000}', 1, 'unallocated', 'web', NULL, NULL),
    ('2024-02-29 13:00', 'acme', 'smal', NULL, '{"input": 7}', 1, 'search', 'web', NULL, NULL),
    ('2024-02-29 14:00', 'acme', 'small', NULL, NULL, 1, 'search', 'web', NULL, NULL),
    -- no call in March; provisioned throughput in April
    ('2024-04-05 00:00', 'acme', 'big', 'ptu', '{"input": 3000000}', 1, 'search', 'web', NULL, NULL),
    ('2024-04-15 00:00', 'acme', 'big', 'ptu', '{"input": 4000000}', 1, 'search', 'web', NULL, NULL),
    ('2024-04-25 00:00', 'acme', 'tiny', 'ptu', '{"input": 1000000, "output": 1000000}', 1, 'ads', 'app', NULL, NULL),
    ('2025-01-01 00:00', 'acme', 'big', NULL, '{"input": 10000000}', 1, 'search', 'web', NULL, NULL);
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency, scope) VALUES
    -- from the 11th: the call of the 5th is before it; 10 of 20 days' capacity is used
    ('acme', '2024-04-11', '2024-05-01', 'Purchase', 'ptu', 12000000, 'Tokens', 120, 'USD', '{"team": "search"}'),
    ('acme', '2024-02-01', '2024-03-01', 'Credit', NULL, NULL, NULL, -2.90, 'USD', '{"team": "search"}'),
    ('euro', '2024-01-01', '2024-02-01', 'Tax', NULL, NULL, NULL, 0.31, 'EUR', NULL),
    ('acme', '2024-01-01', '2024-02-01', 'Usage', 'big', NULL, NULL, 6.00, 'USD', NULL),
    ('acme', '2024-01-01', '2024-02-01', 'Usage', NULL, NULL, NULL, 0.50, 'USD', NULL);

\x on
SELECT * FROM cost_per_token WHERE model = 'big' AND month = '2024-01-01';
\x off
SELECT month, model, service_tier, currency, calls, total_tokens, unpriced_tokens, list_cost, contracted_cost, effective_cost, savings_rate, cost_per_mtok AS mtok, cost_per_mtok_output AS mtok_output,
       cost_per_mtok_visible_output AS mtok_visible, effective_cost_converted AS converted FROM cost_per_token;
SELECT month, scope, provider, currency, priced_tokens, spend, cost_per_mtok AS mtok, cost_per_mtok_output AS mtok_output, list_cost_per_mtok AS list_mtok, savings_rate, growth_month_on_month AS mom, growth_year_on_year AS yoy,
       num_nonnulls(blended_index, matched_index, generation_index, geks_index, mix_index, coverage) AS indexes FROM unit_price_trend;
SELECT month, currency, calls, tokens, unpriced_tokens AS unpriced, usage_cost, purchase_cost, other_charges AS other, total_spend, total_spend_converted AS converted, reporting_currency AS r FROM total_spend_trend;
SELECT month, currency, total_spend, is_partial, days, round(spend_per_day, 6) AS per_day, round(growth_month_on_month, 6) AS mom, round(growth_per_day, 6) AS per_day_growth, round(growth_year_on_year, 6) AS yoy,
       fiscal_year AS fy, fiscal_year_to_date AS ytd, round(growth_fiscal_year_to_date, 6) AS ytd_growth, num_nonnulls(spend_index, price_index, quantity_index, turnover_index) AS indexes FROM total_spend_trend WHERE currency = 'USD';
SELECT * FROM daily_spend WHERE day < '2024-02-03' AND provider = 'acme' OR day IN ('2024-01-14', '2024-02-29', '2024-04-05', '2024-04-15', '2024-04-16', '2024-04-25');
SELECT dimension, owner, is_allocated, currency, sum(calls) AS calls, sum(tokens) AS tokens, sum(unpriced_tokens) AS unpriced, sum(total_spend) AS spend, sum(total_spend_converted) AS converted, count(*) AS days, min(day) AS first, max(day) AS last
FROM spend_by_owner GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;
SELECT * FROM spend_by_owner WHERE day = '2024-02-29';
SELECT * FROM unpriced_usage;
SELECT * FROM reconciliation WHERE month < '2024-03-01';

-- without an invoice: what the calls say, against the cost of those that say it; in another currency; bills by day
BEGIN;
DELETE FROM charge WHERE charge_category = 'Usage';
UPDATE usage SET billed = 4.25, billed_currency = 'EUR' WHERE provider = 'euro';
UPDATE usage SET billed = 1.10, billed_currency = 'GBP' WHERE model = 'small' AND calls = 10;
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, billed_cost, currency)
SELECT 'euro', d, d + interval '1 day', 'Usage', 'dur', CASE extract(day FROM d) WHEN 14 THEN 4 ELSE 0.1 END, 'EUR' FROM generate_series('2024-01-13 00:00'::timestamptz, '2024-01-15', '1 day') d;
SELECT month, scope, provider, model, currency, computed, billed, invoiced, residual, residual_rate FROM reconciliation WHERE month = '2024-01-01';
SELECT month, scope, provider, model, currency, computed, billed, invoiced, residual FROM reconciliation_between('2024-01-14', '2024-01-15');
ROLLBACK;

-- the lines beneath: a purchase is spread over the calls of its own time
SELECT period, charge_category, model, service_tier, label, currency, calls, tokens, contracted_cost AS contracted, effective_cost AS effective, unpriced FROM spend_lines('month', '2024-04-01', '2024-05-01', dimension => 'team');
SELECT period, charge_category, model, label, effective_cost FROM spend_lines('day', '2024-04-15', '2024-04-17', dimension => 'team');

-- limits
SELECT month, model, calls, total_tokens, effective_cost FROM cost_per_token_between('2024-01-10 10:00', '2024-01-31 23:59:59.999999');
SELECT month, total_spend, is_partial, days, growth_month_on_month AS mom, growth_per_day, fiscal_year_to_date AS ytd FROM total_spend_trend_between('2024-01-10 12:00', '2024-04-16') WHERE currency = 'USD';
SELECT * FROM daily_spend_between('2024-01-10', '2024-01-10');
SELECT count(*) FROM cost_per_token_between('infinity');
SELECT count(*) FROM total_spend_trend_between('2024-02-01', '2024-01-01');
-- half of the time, and of the idle part of it; the calls' share is by tokens
SELECT purchase_cost, other_charges FROM total_spend_trend_between('2024-04-11', '2024-04-21') WHERE currency = 'USD';
SELECT purchase_cost, other_charges FROM total_spend_trend_between('2024-04-21', '2024-05-01') WHERE currency = 'USD';
SELECT * FROM usage_ledger('year');
SELECT usage_ledger('month', dimension => 'user_id');
SELECT * FROM cost_per_token_between(zone => 'Mars/Olympus');

-- another zone moves calls over midnight
SELECT month, provider, model, calls FROM cost_per_token_between(zone => 'Asia/Kathmandu') WHERE month < '2024-03-01';
SELECT day, provider, calls, total_spend FROM daily_spend_between('2024-01-01', '2024-02-01', 'America/New_York') WHERE calls > 0;
SELECT min(day), max(day), trim_scale(sum(total_spend)) AS spend FROM daily_spend_between(zone => 'Asia/Kolkata') WHERE currency = 'EUR';
SELECT month, computed, invoiced FROM reconciliation_between(zone => 'Asia/Kolkata') WHERE scope = 'provider' AND invoiced IS NOT NULL;

-- the fiscal year is named by the year in which it ends
BEGIN;
CREATE TEMP TABLE fiscal (starts integer, month date, currency text, total_spend numeric, fiscal_year integer, to_date numeric);
DO $$
BEGIN
    FOR starts IN 1 .. 12 LOOP
        UPDATE setting SET fiscal_year_start = starts;
        INSERT INTO fiscal SELECT starts, month, currency, total_spend, fiscal_year, fiscal_year_to_date FROM total_spend_trend;
    END LOOP;
END $$;
SELECT starts, string_agg(to_char(month, 'YY-MM') || ' FY' || fiscal_year || ' ' || trim_scale(to_date), ', ' ORDER BY month) FROM fiscal
WHERE currency = 'USD' AND (month IN ('2024-01-01', '2025-01-01') OR extract(month FROM month) = starts) GROUP BY 1 ORDER BY 1;
SELECT count(*) AS wrong FROM fiscal f WHERE fiscal_year <> extract(year FROM month) + (starts > 1 AND extract(month FROM month) >= starts)::integer
    OR to_date <> (SELECT sum(total_spend) FROM fiscal g WHERE g.starts = f.starts AND g.currency = f.currency AND g.fiscal_year = f.fiscal_year AND g.month <= f.month);
-- growth of it needs the year before from its beginning
UPDATE setting SET fiscal_year_start = 1;
SELECT month, fiscal_year_to_date AS ytd, growth_fiscal_year_to_date AS growth FROM total_spend_trend WHERE month >= '2024-12-01' AND currency = 'USD';
SELECT month, growth_fiscal_year_to_date AS growth FROM total_spend_trend_between('2024-01-02') WHERE month >= '2025-01-01' AND currency = 'USD';
UPDATE setting SET fiscal_year_start = 4;
SELECT month, growth_fiscal_year_to_date AS growth FROM total_spend_trend WHERE month >= '2025-01-01' AND currency = 'USD';
ROLLBACK;

-- exchange: the day's rate, one of at most 7 days before, its month's; both directions; none
SELECT convert_currency(10, 'EUR', 'USD', '2024-01-12'), convert_currency(10, 'EUR', 'USD', '2024-01-19'), convert_currency(10, 'EUR', 'USD', '2024-01-20'), convert_currency(10, 'EUR', 'USD', '2024-01-11'),
       convert_currency(10, 'EUR', 'USD', '2024-01-12', 'month'), convert_currency(11, 'USD', 'EUR', '2024-01-12'), convert_currency(10, 'EUR', 'USD', '2024-02-12'), convert_currency(10, 'EUR', 'USD', '2024-03-12'),
       convert_currency(10, 'EUR', 'GBP', '2024-01-12'), convert_currency(0.1234567890123456789, 'EUR', 'EUR', '2024-01-12'), convert_currency(10, NULL, 'EUR', '2024-01-12'), convert_currency(NULL, 'EUR', 'USD', '2024-01-12'), convert_currency(0, 'EUR', 'GBP', '2024-01-12'), convert_currency(0, NULL, 'GBP', '2024-01-12');
-- to 12 decimals, of large amounts too
BEGIN;
INSERT INTO fx_rate VALUES ('JPY', 'USD', 'daily', '2024-01-12', 3);
SELECT convert_currency(100000000000, 'USD', 'JPY', '2024-01-12');
ROLLBACK;

-- purchases: nobody called; two for one tier at once, in two currencies; without capacity; a year cut at months
BEGIN;
TRUNCATE charge;
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency) VALUES
    ('acme', '2024-04-01', '2024-05-01', 'Purchase', 'ptu', NULL, NULL, 90, 'USD'), ('acme', '2024-04-01', '2024-05-01', 'Purchase', 'ptu', 18000000, 'Tokens', 60, 'EUR'),
    ('acme', '2024-01-01', '2025-01-01', 'Purchase', 'gpu', NULL, NULL, 366, 'USD'), ('acme', '2024-06-01', '2024-07-01', 'Purchase', NULL, NULL, NULL, 7, 'USD');
SELECT month, model, service_tier, currency, calls, total_tokens, effective_cost, cost_per_mtok FROM cost_per_token WHERE model = 'idle' OR service_tier = 'ptu';
SELECT month, unpriced_tokens, purchase_cost FROM total_spend_trend WHERE currency = 'USD';
SELECT count(*), min(purchase_cost), max(purchase_cost), sum(purchase_cost) FROM daily_spend WHERE day >= '2024-02-01' AND day < '2024-03-01' AND provider = 'acme' AND currency = 'USD';
-- capacities of one tier are used up together, while both are there: 3 of 10 million tokens, 4 of 10 + 10, 2 of 10
TRUNCATE charge;
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency) VALUES
    ('acme', '2024-04-01', '2024-05-01', 'Purchase', 'ptu', 30000000, 'Tokens', 300, 'USD'), ('acme', '2024-04-11', '2024-04-21', 'Purchase', 'ptu', 10000000, 'Tokens', 200, 'USD');
SELECT model, effective_cost FROM cost_per_token WHERE service_tier = 'ptu';
SELECT model, effective_cost FROM cost_per_token_between('2024-04-18', '2024-05-01');
SELECT day, purchase_cost FROM daily_spend WHERE purchase_cost > 0 AND (calls > 0 OR day IN ('2024-04-11', '2024-04-21')) ORDER BY 1;
-- the tier has a price of its own as well: both are paid, and it is for their sum
SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 5}', '(,)', 'spill over', book => 'contract', service_tier => 'ptu');
SELECT model, currency, calls, total_tokens, contracted_cost, effective_cost FROM cost_per_token WHERE service_tier = 'ptu';
ROLLBACK;

-- what is to come is not yet spent
BEGIN;
DELETE FROM charge;
DELETE FROM usage;
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, billed_cost, currency) VALUES
    ('acme', now() - interval '30 days', now() + interval '300 days', 'Purchase', 'gpu', 330, 'USD'), ('acme', now() - interval '30 days', now() + interval '30 days', 'Tax', NULL, 6, 'USD'),
    ('acme', now() + interval '1 day', now() + interval '2 days', 'Purchase', 'gpu', 1, 'USD');
SELECT trim_scale(sum(purchase_cost)) AS purchase, trim_scale(sum(other_charges)) AS tax, max(month) = date_trunc('month', now())::date AS ends_now, (array_agg(is_partial ORDER BY month DESC))[1] AS partial FROM total_spend_trend;
SELECT trim_scale(sum(total_spend)) AS spent FROM daily_spend_between(to_at => now() + interval '10 years');
-- a call of the month carries it as far as it has come
INSERT INTO usage (at, provider, model, service_tier, tokens) VALUES (now() - interval '1 second', 'acme', 'big', 'gpu', '{"input": 1}'), (now() + interval '1 second', 'acme', 'big', 'gpu', '{"input": 1}');
SELECT sum(calls) AS calls, sum(unpriced_tokens) AS unpriced, trim_scale(sum(purchase_cost)) AS purchase FROM daily_spend;
SELECT is_partial, days > 0 AS counts_days, days < 32 AS not_more, growth_month_on_month FROM total_spend_trend WHERE month = date_trunc('month', now());
-- a month to come has no days yet
DELETE FROM charge;
INSERT INTO usage (at, provider, model, tokens) VALUES (now() + interval '70 days', 'acme', 'small', '{"input": 10000000}');
SELECT total_spend, is_partial, days, spend_per_day, growth_per_day FROM total_spend_trend ORDER BY month DESC LIMIT 1;
ROLLBACK;

-- growth on nothing, and on less than nothing
BEGIN;
DELETE FROM charge;
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, billed_cost, currency) VALUES ('acme', '2024-03-01', '2024-04-01', 'Credit', -100, 'USD');
SELECT month, total_spend, growth_month_on_month, growth_per_day, fiscal_year_to_date FROM total_spend_trend WHERE currency = 'USD' AND month BETWEEN '2024-02-01' AND '2024-06-01';
ROLLBACK;

-- from 1970 to 2200
BEGIN;
INSERT INTO usage (at, provider, model, tokens) VALUES ('1970-01-01', 'acme', 'small', '{"input": 10}'), ('2200-12-31 23:59', 'acme', 'small', '{"input": 10}');
SELECT currency, count(*), min(month), max(month), sum(calls), sum(total_spend), count(*) FILTER (WHERE is_partial) > 2000 AS most_to_come FROM total_spend_trend GROUP BY 1 ORDER BY 1;
ROLLBACK;

-- DST days of 23 and 25 hours, and their months
BEGIN;
UPDATE setting SET zone = 'Europe/Berlin';
TRUNCATE usage, charge;
INSERT INTO usage (at, provider, model, tokens) SELECT g, 'acme', 'small', '{"input": 1000000}'::tokens FROM generate_series('2024-03-30 23:00Z'::timestamptz, '2024-03-31 22:30Z', '30 minutes') g
    UNION ALL SELECT g, 'acme', 'small', '{"input": 1000000}'::tokens FROM generate_series('2024-10-26 22:00Z'::timestamptz, '2024-10-27 23:30Z', '30 minutes') g;
SELECT day, calls, total_spend FROM daily_spend;
SELECT month, calls, total_spend, days FROM total_spend_trend WHERE calls > 0;
ROLLBACK;

-- again keeps everything; a table of the user's own instead
CALL tokenomics.install('llm');
SELECT sum(total_spend) FROM total_spend_trend WHERE currency = 'USD';
CREATE TABLE public.my_calls AS SELECT at AS created, provider, model AS model_name, tokens, team AS squad FROM usage;
CALL tokenomics.install('own', usage => 'public.my_calls', mapping => '{"at": "created", "model": "model_name", "team": "squad"}');
SET search_path = own, tokenomics, public;
SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 1, "cache_read": 0.1, "output": 10}', '(,)', 'list');
SELECT month, currency, calls, tokens, unpriced_tokens, total_spend FROM total_spend_trend WHERE month IN ('2024-01-01', '2024-04-01');
SELECT owner, sum(total_spend) FROM spend_by_owner_between('2024-01-01', '2024-02-01') WHERE dimension = 'team' AND currency = 'USD' GROUP BY 1 ORDER BY 1;
-- limits the wrong way round hold nothing
SELECT count(*) FROM reconciliation_between('2024-03-01', '2024-02-01');
CALL tokenomics.uninstall('own');
CALL tokenomics.uninstall('llm');
SELECT c.relname FROM pg_class c WHERE c.relnamespace IN ('llm'::regnamespace, 'own'::regnamespace) UNION ALL SELECT p.proname FROM pg_proc p WHERE p.pronamespace IN ('llm'::regnamespace, 'own'::regnamespace);
RESET search_path;
DROP TABLE public.my_calls;
DROP SCHEMA llm, own;
