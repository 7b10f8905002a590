-- The report of a month: text, publication, schedule.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET datestyle = 'ISO';
SET timezone = 'UTC';
CALL tokenomics.install('rep');
SET search_path = rep, tokenomics, public;

SELECT report_amount(1234567.895, 'USD'), report_amount(-0.004, 'EUR'), report_amount(-0.006, 'EUR'), report_amount(12, 'CHF', 0, true), report_amount(NULL, 'USD'), report_amount(0.12345, NULL, 4);
SELECT report_percent(0.1234), report_percent(-0.0004, true), report_percent(0.5, true), report_percent(-1.5), report_percent(NULL);
-- names come from logs
SELECT report_text(E'a|b\n*c* [d](e) <f> _g_ `h` \\'), report_text(''), report_text(NULL);
SELECT report_table('{"A","B:"}', '{x,1,y,NULL}'), report_table('{"A"}', '{}');

-- to the cent, and adding up; more than rounding can leave is not hidden
SELECT report_cents('{0.004,0.004,0.004}', 0.012), report_cents('{1.005,-2.005,NULL,0}', -1), report_cents('{1,2}', 3.05), report_cents('{NULL,NULL}', NULL), report_cents('{}', 0);
SELECT report_alert(a::jsonb) FROM (VALUES ('{"kind": "amount", "threshold": 1, "value": 107.9, "amount": 100, "currency": "USD"}'),
    ('{"kind": "amount", "threshold": 0.8, "value": 80, "amount": 100, "currency": "USD"}'), ('{"kind": "forecast", "threshold": 1, "value": 300, "amount": 250, "currency": "USD"}'),
    ('{"kind": "cost_per_mtok", "threshold": 1.5, "value": 2, "currency": "EUR"}'), ('{"kind": "reasoning_per_call", "threshold": 500, "value": 1234.5, "currency": "USD"}'),
    ('{"kind": "unpriced", "threshold": 0, "value": 7000, "currency": "USD"}')) v(a);

-- nothing at all; and no month
SELECT report_markdown(monthly_report('2026-02-10'));
SELECT monthly_report(NULL);
SELECT monthly_report('infinity');

-- A million input tokens of "m" cost 2 dollars, then 1; of "n" 3 euros.
INSERT INTO price (provider, model, rates, valid) VALUES
    ('a', 'm', '{"currency": "USD", "input": 2}', '[2026-01-01,2026-02-01)'),
    ('a', 'm', '{"currency": "USD", "input": 1}', '[2026-02-01,)'),
    ('e', 'n', '{"currency": "EUR", "input": 3}', '[2026-01-01,)');
INSERT INTO usage (at, tokens, provider, model, team, user_id, session_id, turn_id, request_id) VALUES
    ('2026-01-10', '{"input": 10000000}', 'a', 'm', 'search', 'u', 's', 't1', 'r1'),
    ('2026-02-10', '{"input": 30000000}', 'a', 'm', 'search', 'u', 's', 't2', 'r2');
SELECT set_budget('all', '2026-02-01', '2026-03-01', 25, alert_at => '{0.5,1}', alert_cost_per_mtok => 0.9) AS budget,
       set_budget('search', '2026-01-01', '2026-04-01', 100, dimension => 'team', owner => 'search', planned_tokens => '{"input": 100000000}') AS quarter;
\pset format unaligned
SELECT report_markdown(monthly_report('2026-02-10'));
\pset format aligned
SELECT a FROM jsonb_array_elements(monthly_report('2026-02-10') -> 'alerts') a;
-- effects add up to the change, the change to the bill
SELECT b ->> 'change' AS change, (b ->> 'price_effect')::numeric + (b ->> 'volume_effect')::numeric + (b ->> 'mix_effect')::numeric + (b ->> 'new_effect')::numeric
       + (b ->> 'discontinued_effect')::numeric + (b ->> 'currency_effect')::numeric + (b ->> 'purchase_effect')::numeric + (b ->> 'other_effect')::numeric = (b ->> 'change')::numeric AS adds_up
FROM (SELECT monthly_report('2026-02-01') -> 'bridge' -> 'month' AS b) r;
-- the first month has none before it; one that is not over has not grown
SELECT r -> 'bridge' AS bridge, r -> 'drivers' AS drivers FROM (SELECT monthly_report('2026-01-01') AS r) r;
SELECT r -> 'is_partial' AS is_partial, r -> 'spend' AS spend FROM (SELECT monthly_report((now() + interval '1 month')::date) AS r) r;

-- published: once, whoever asks, and to the byte
SELECT publish_report('2026-02-10'), publish_report('2026-02-28');
SELECT month, version, difference, published_by = current_user AS by_me, body = monthly_report(month) AS same, markdown = report_markdown(body) AS written FROM report;
SELECT publish_report((now() + interval '1 month')::date);
-- a correction of a price and a late call make the next version, with what each did
SELECT correct_price('a', 'm', '{"currency": "USD", "input": 1.5}', '[2026-02-01,)', 'wrong') > 0 AS corrected;
INSERT INTO usage (at, tokens, provider, model, team, request_id) VALUES ('2026-02-11', '{"input": 2000000}', 'a', 'm', 'search', 'r3');
SELECT publish_report('2026-02-10');
SELECT version, body -> 'spend' -> 'total' AS total, difference FROM report ORDER BY version;
-- an amount that cannot be converted is said
INSERT INTO usage (at, tokens, provider, model, request_id) VALUES ('2026-02-12', '{"input": 1000000}', 'e', 'n', 'r4');
SELECT split_part(report_markdown(monthly_report('2026-02-10')), E'\n\n', 2) AS said;

-- a charge of the month before is none of this month; one of this month is
INSERT INTO fx_rate (base_currency, quote_currency, kind, day, rate) VALUES ('EUR', 'USD', 'month_average', '2026-02-01', 1.25);
SELECT publish_report('2026-02-10');
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, billed_cost, currency) VALUES
    ('a', '2026-01-01', '2026-02-01', 'Credit', -5, 'USD');
SELECT publish_report('2026-02-10');
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, billed_cost, currency) VALUES
    ('a', '2026-02-01', '2026-03-01', 'Tax', 4, 'EUR');
SELECT publish_report('2026-02-10');
SELECT version, difference ->> 'change' AS change, difference ->> 'by_prices' AS by_prices, difference ->> 'by_charges' AS by_charges, difference ->> 'by_calls' AS by_calls FROM report WHERE version > 2 ORDER BY version;
-- the drivers are of one currency, but add up to the change of all; movers to the bill, before and after
SELECT r -> 'bridge' -> 'month' ->> 'change' AS change, (SELECT sum((d ->> 'effect')::numeric) FROM jsonb_array_elements(r -> 'drivers') d) AS drivers,
       r -> 'spend' ->> 'total' AS total, r -> 'spend' ->> 'before' AS before, k.key AS movers, sum((m ->> 'spend')::numeric) AS spend, sum((m ->> 'spend_before')::numeric) AS spend_before
FROM (SELECT monthly_report('2026-02-10') AS r OFFSET 0) r, jsonb_each(r -> 'movers') k, jsonb_array_elements(k.value) m GROUP BY r, k.key ORDER BY k.key;
-- after a month without usage, and in a first month, it is said who spends
INSERT INTO usage (at, tokens, provider, model, team, request_id) SELECT '2026-04-10', '{"input": 1000000}', 'a', 'm', 'team ' || i, 'q' || i FROM generate_series(1, 9) AS i;
SELECT monthly_report('2026-04-10') -> 'movers' -> 'teams' -> n AS team FROM unnest('{0,6}'::int[]) AS n;
SELECT monthly_report('2026-01-10') -> 'movers' -> 'teams' AS teams;
-- an invoice makes it compared; what a purchase leaves idle is nothing to have quoted
SELECT r -> 'billed_share' AS billed_share, r -> 'unreconciled' AS unreconciled FROM (SELECT monthly_report('2026-04-10') AS r) r;
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency) VALUES
    ('a', '2026-04-01', '2026-05-01', 'Usage', 'm', NULL, NULL, 13.5, 'USD'), ('a', '2026-04-01', '2026-05-01', 'Purchase', 'reserved', 1000000, 'Tokens', 50, 'USD');
SELECT r -> 'billed_share' AS billed_share, r -> 'unreconciled' AS unreconciled, r -> 'worth_a_quote' AS worth_a_quote FROM (SELECT monthly_report('2026-04-10') AS r) r;

-- when it is due: from a day and hour on, by the clock of a zone, once
DELETE FROM report;
SELECT publish_due_report(2, 6, 'Asia/Kolkata', '2026-03-02 00:29Z'), publish_due_report(2, 6, 'Asia/Kolkata', '2026-03-02 00:30Z'), publish_due_report(2, 6, 'Asia/Kolkata', '2026-03-05 00:30Z');
SELECT month, version FROM report;
SELECT schedule_reports(1, 6, 'Europe/Berlin');
SELECT schedule_reports(29, 6);
SELECT schedule_reports(1, 6, 'Europe/Atlantis');

RESET search_path;
CALL tokenomics.uninstall('rep');
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'rep';
DROP SCHEMA rep;

-- one call, long ago: no tokens are expected, and they cost nothing; where that is
-- not known the report says so; and a line for the shell, and for cron, of a name
-- that both of them would change
CREATE SCHEMA "50% $HOME";
CALL tokenomics.install('50% $HOME');
SET search_path = "50% $HOME";
INSERT INTO price (provider, model, rates) VALUES ('openai', 'o3', '{"currency": "USD", "input": 2}');
INSERT INTO usage (at, tokens, provider, model) VALUES ('2026-02-10 10:00Z', '{"input": 1000000}', 'openai', 'o3');
SELECT period, tokens, currency, spend, spend_lower, spend_upper FROM demand_forecast_between(to_at => '2026-04-01Z', months => 2) WHERE scope = 'total';
SELECT tokenomics.report_markdown('{"month": "2026-02-01", "currency": "USD", "spend": {"total": 2}, "forecast": [{"month": "2026-03-01", "spend": null}, {"month": "2026-04-01", "spend": 3}]}') ~ 'March is not known, April \$3 for the calls alone';
-- of a month that has begun only the rest is forecast
SELECT line FROM regexp_split_to_table(tokenomics.report_markdown('{"month": "2026-02-01", "currency": "USD", "spend": {"total": 2}, "is_partial": true, "forecast": [{"month": "2026-02-20", "tokens": 5, "spend": 1, "spend_lower": 1, "spend_upper": 2}, {"month": "2026-03-01", "spend": 3}]}'), '\n') line WHERE line ~ 'February.*1';
-- a token without a price is not rounded away
INSERT INTO usage (at, tokens, provider, model, team) VALUES ('2026-02-10 11:00Z', '{"input": 1}', 'openai', 'nobody', 'a');
SELECT jsonb_array_elements_text(monthly_report('2026-02-01') -> 'coverage');
SELECT schedule_reports(1, 6, 'UTC');
RESET search_path;
CALL tokenomics.uninstall('50% $HOME');
DROP SCHEMA "50% $HOME";
