-- The views over a few thousand random calls and charges of every kind: they
-- agree with cost() of each call, with the charges and with one another, to the
-- last digit, whatever the limits, the zone and the plan.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE;
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;
SET timezone = 'America/New_York';
SET jit = off;
SELECT plan(43);
SELECT setseed(0.20261124);

SELECT lives_ok($$
    SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 1.234567891, "cache_read": 0.1, "output": 9.87654321}', '(,)', 'x');
    SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 0.7, "output": 5.000000001}', '[2025-02-11 07:13,)', 'price cut');
    SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 2, "output": 11}', '(,)', 'x', above_input_tokens => 5000);
    SELECT correct_price('acme', 'small', '{"currency": "USD", "input": 0.1, "output": 0.3}', '(,)', 'x');
    SELECT correct_price('acme', 'small', '{"currency": "USD", "input": 0.05, "output": 0.15}', '(,)', 'x', service_tier => 'batch');
    SELECT correct_price('acme', 'free', '{"currency": "USD", "input": 0, "output": 0}', '(,)', 'x');
    SELECT correct_price('euro', 'dur', '{"currency": "EUR", "input": 0.333333333, "output": 4}', '(,)', 'x');
    SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 0.9, "output": 7}', '[2025-01-20,)', 'x', book => 'contract');
    SELECT correct_price('euro', 'dur', '{"currency": "USD", "input": 0.4, "output": 5}', '[2025-03-01,)', 'paid in dollars', book => 'contract')
    $$, 'prices: cuts, thresholds, tiers, a contract, another currency');
UPDATE setting SET zone = 'Europe/Berlin', book = 'contract', fiscal_year_start = 3;
INSERT INTO fx_rate VALUES ('EUR', 'USD', 'month_average', '2025-01-01', 1.0353), ('EUR', 'USD', 'month_average', '2025-03-01', 1.0811), ('EUR', 'USD', 'daily', '2025-02-03', 1.0274);
INSERT INTO usage (at, provider, model, service_tier, tokens, calls, team, project, billed, billed_currency)
SELECT c.at, c.provider, c.model, CASE WHEN c.t < 0.2 THEN 'ptu' WHEN c.t < 0.3 AND c.model = 'small' THEN 'batch' WHEN c.t < 0.5 THEN 'standard' END,
       CASE WHEN c.n < 0.03 THEN NULL WHEN c.n < 0.1 THEN tokens(input => c.i) ELSE tokens(input => (c.i * 7919) % 9973, output => c.i % 211, cache_read => CASE c.i % 3 WHEN 0 THEN c.i END, reasoning => CASE c.i % 5 WHEN 0 THEN c.i % 97 END) END,
       CASE WHEN c.model = 'small' AND c.i % 10 = 0 THEN c.i % 7 + 1 ELSE 1 END,
       CASE WHEN c.i % 7 > 0 THEN (ARRAY['search', 'ads', 'unallocated'])[c.i % 3 + 1] END, CASE WHEN c.i % 4 > 0 THEN 'p' || c.i % 4 END,
       CASE WHEN c.i % 6 = 0 THEN c.i / 1e6 END, CASE WHEN c.i % 6 = 0 THEN CASE c.i % 12 WHEN 0 THEN 'EUR' ELSE 'USD' END END
FROM (SELECT i, '2024-11-29'::timestamptz + random() * interval '140 days' AS at, CASE i % 4 WHEN 3 THEN 'euro' ELSE 'acme' END AS provider,
             (CASE i % 4 WHEN 3 THEN ARRAY['dur', 'dur', 'unknown'] ELSE ARRAY['big', 'small', 'free', 'big', 'smal'] END)[1 + floor(random() * CASE i % 4 WHEN 3 THEN 3 ELSE 5 END)::int] AS model, random() AS t, random() AS n
      FROM generate_series(1, 4000) i) c
-- a month without calls
WHERE c.at NOT BETWEEN '2025-01-31' AND '2025-03-02';
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency, scope) VALUES
    ('acme', '2024-12-01Z', '2025-01-01Z', 'Purchase', 'ptu', 1000000, 'Tokens', 1000, 'USD', NULL), ('acme', '2024-12-11 11:11Z', '2024-12-20Z', 'Purchase', 'ptu', 70001, 'Tokens', 77.77, 'USD', '{"team": "ads"}'),
    ('acme', '2025-01-01Z', '2025-05-01Z', 'Purchase', 'ptu', NULL, NULL, 100, 'USD', NULL), ('acme', '2025-03-01Z', '2025-04-01Z', 'Purchase', 'ptu', 5, 'Tokens', 0.000000000000123, 'USD', NULL),
    ('acme', '2025-03-07 13:00Z', '2025-03-07 14:00:00.000001Z', 'Purchase', 'ptu', NULL, NULL, 3, 'GBP', NULL), ('euro', '2024-07-01Z', '2025-07-01Z', 'Purchase', 'ptu', 1000000000, 'Tokens', 7777.77, 'EUR', '{"project": "p1"}'),
    ('acme', '2024-12-01Z', '2025-12-01Z', 'Purchase', 'gpu', 10, 'Hours', 365, 'USD', NULL), ('acme', '2025-01-01Z', '2025-01-02Z', 'Purchase', NULL, NULL, NULL, 0, 'USD', NULL),
    ('acme', '2024-12-01Z', '2025-01-01Z', 'Credit', NULL, NULL, NULL, -7.07, 'USD', '{"team": "ads"}'), ('acme', '2025-01-01Z', '2025-02-01Z', 'Tax', NULL, NULL, NULL, 19.19, 'USD', NULL),
    ('euro', '2025-02-01 08:00Z', '2025-02-01 08:00:00.000003Z', 'Adjustment', 'dur', NULL, NULL, 0.01, 'CHF', '{"project": "p2"}'),
    ('acme', '2025-01-01Z', '2025-02-01Z', 'Usage', 'big', NULL, NULL, 1.25, 'USD', NULL), ('acme', '2025-01-10Z', '2025-01-11Z', 'Usage', NULL, NULL, NULL, 0.25, 'USD', NULL);

-- what the views must add up to, call by call
CREATE TEMP TABLE call AS
SELECT u.*, date_trunc('month', u.at AT TIME ZONE 'Europe/Berlin')::date AS month, coalesce(u.service_tier, 'standard') AS tier,
       cost((SELECT book()), u.provider, u.model, u.at, u.tokens, coalesce(u.service_tier, 'standard')) AS cost, cost((SELECT book('list')), u.provider, u.model, u.at, u.tokens, coalesce(u.service_tier, 'standard')) AS list_cost,
       CASE u.provider WHEN 'acme' THEN 'USD' ELSE CASE WHEN u.at >= '2025-03-01' THEN 'USD' ELSE 'EUR' END END AS currency
FROM usage u;
SELECT ok(count(*) > 2000 AND count(*) FILTER (WHERE cost IS NULL) > 500 AND count(*) FILTER (WHERE tokens IS NULL) > 50 AND sum(calls) > count(*) AND count(DISTINCT month) = 5, 'calls, some unpriced, some without tokens, some in buckets, in five months') FROM call;
SELECT is((SELECT sum(calls)::bigint FROM cost_per_token), (SELECT sum(calls)::bigint FROM call), 'no call is missing from cost_per_token');
SELECT results_eq('SELECT month, provider, model, service_tier, sum(calls), sum(total_tokens), sum(input_tokens), sum(cache_read_tokens), sum(output_tokens), sum(reasoning_tokens) FROM cost_per_token WHERE calls > 0 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4',
    $$SELECT month, provider, model, tier, sum(calls), coalesce(sum(total(tokens)), 0), sum(meter(tokens, 'input')), sum(meter(tokens, 'cache_read')), sum(meter(tokens, 'output')), sum(meter(tokens, 'reasoning')) FROM call GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4$$, 'nor a token');
SELECT results_eq('SELECT month, provider, model, service_tier, currency, sum(contracted_cost) FROM cost_per_token WHERE contracted_cost IS NOT NULL GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5',
    'SELECT month, provider, model, tier, currency, sum(cost) FROM call WHERE cost IS NOT NULL GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5', 'contracted cost is cost() of each call');
SELECT results_eq('SELECT month, provider, model, service_tier, sum(list_cost) FROM cost_per_token WHERE list_cost IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4',
    $$SELECT month, provider, model, tier, sum(list_cost) FROM call WHERE list_cost IS NOT NULL AND cost IS NOT NULL AND (provider = 'acme' OR currency = 'EUR') GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4$$, 'list cost is that of the list, where it is in the same currency');
SELECT results_eq('SELECT currency, sum(usage_cost) FROM total_spend_trend WHERE usage_cost <> 0 GROUP BY 1 ORDER BY 1', 'SELECT currency, sum(cost) FROM call WHERE cost IS NOT NULL GROUP BY 1 ORDER BY 1', 'total spend is what the calls cost');
SELECT results_eq($$SELECT currency, sum(purchase_cost) FROM total_spend_trend WHERE purchase_cost <> 0 GROUP BY 1 ORDER BY 1$$,
    $$SELECT currency, sum(billed_cost) FROM charge WHERE charge_category = 'Purchase' GROUP BY 1 ORDER BY 1$$, 'purchases to their last digit');
SELECT results_eq($$SELECT currency, sum(other_charges) FROM total_spend_trend WHERE other_charges <> 0 GROUP BY 1 ORDER BY 1$$,
    $$SELECT currency, sum(billed_cost) FROM charge WHERE charge_category IN ('Credit', 'Adjustment', 'Tax') GROUP BY 1 ORDER BY 1$$, 'and other charges');

SELECT results_eq(format('SELECT charge_category, provider, currency, sum(calls), sum(effective_cost) FROM spend_lines(%L) WHERE currency IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3', g),
    'SELECT charge_category, provider, currency, sum(calls), sum(effective_cost) FROM spend_lines(''month'') WHERE currency IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3', format('the same by the %s', g)) FROM unnest('{day,hour,quarter_hour}'::text[]) g;

-- the views agree
CREATE TEMP VIEW by_month AS SELECT month, currency, total_spend, calls, tokens FROM total_spend_trend WHERE calls > 0 OR total_spend <> 0 ORDER BY 1, 2;
CREATE TEMP VIEW daily_by_month AS SELECT date_trunc('month', day::timestamp)::date AS month, currency, sum(total_spend) AS total_spend, sum(calls)::bigint AS calls, sum(tokens)::bigint AS tokens FROM daily_spend WHERE currency IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2;
SELECT results_eq('SELECT * FROM daily_by_month', 'SELECT * FROM by_month', 'days add up to their months');
SELECT results_eq(format('SELECT month, currency, sum(total_spend), sum(calls)::bigint, sum(tokens)::bigint FROM spend_by_owner WHERE currency IS NOT NULL AND dimension = %L GROUP BY 1, 2 ORDER BY 1, 2', d),
    'SELECT * FROM by_month', format('every %s too', d)) FROM unnest('{team,project}'::text[]) d;
SELECT results_eq(format('SELECT day, currency, sum(total_spend), sum(calls), sum(tokens), sum(unpriced_tokens) FROM spend_by_owner WHERE dimension = %L GROUP BY 1, 2 ORDER BY 1, 2', d),
    'SELECT day, currency, sum(total_spend), sum(calls), sum(tokens), sum(unpriced_tokens) FROM daily_spend GROUP BY 1, 2 ORDER BY 1, 2', format('every %s to each day', d)) FROM unnest('{team,project}'::text[]) d;
SELECT results_eq('SELECT month, owner, is_allocated, sum(calls) FROM spend_by_owner WHERE dimension = ''team'' AND calls > 0 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3',
    'SELECT month, coalesce(team, ''unallocated''), team IS NOT NULL, sum(calls) FROM call GROUP BY 1, 2, 3 ORDER BY 1, 2, 3', 'what nobody owns is not mixed with what a team of that name does');
SELECT is_empty('SELECT FROM daily_spend WHERE total_spend IS DISTINCT FROM usage_cost + purchase_cost + other_charges OR (total_spend IS NULL) <> (currency IS NULL)', 'the total of a day is the sum of its parts');
SELECT is_empty('SELECT FROM total_spend_trend WHERE total_spend IS DISTINCT FROM usage_cost + purchase_cost + other_charges', 'that of a month too');
SELECT results_eq('SELECT month, currency, sum(effective_cost) FROM cost_per_token WHERE currency IS NOT NULL GROUP BY 1, 2 HAVING sum(effective_cost) <> 0 ORDER BY 1, 2',
    'SELECT month, currency, usage_cost + purchase_cost FROM total_spend_trend WHERE usage_cost + purchase_cost <> 0 ORDER BY 1, 2', 'cost_per_token adds up to usage and purchases');
SELECT results_eq('SELECT month, currency, spend, priced_tokens FROM unit_price_trend WHERE scope = ''total'' ORDER BY 1, 2',
    'SELECT month, currency, sum(effective_cost), sum(total_tokens)::bigint FROM cost_per_token WHERE currency IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2', 'unit_price_trend has the spend and tokens of cost_per_token');
SELECT results_eq('SELECT month, currency, sum(spend), sum(priced_tokens) FROM unit_price_trend WHERE scope = ''provider'' GROUP BY 1, 2 ORDER BY 1, 2',
    'SELECT month, currency, spend, priced_tokens::numeric FROM unit_price_trend WHERE scope = ''total'' ORDER BY 1, 2', 'its providers add up to the total');
SELECT is_empty('SELECT FROM unit_price_trend WHERE cost_per_mtok IS DISTINCT FROM cost_per_mtok(spend, priced_tokens)', 'and its price is the quotient');
SELECT results_eq('SELECT month, sum(tokens), sum(calls) FROM unpriced_usage GROUP BY 1 ORDER BY 1', 'SELECT month, sum(unpriced_tokens), sum(calls) FROM cost_per_token WHERE currency IS NULL GROUP BY 1 ORDER BY 1', 'what is unpriced is all in unpriced_usage');
SELECT is_empty('SELECT FROM cost_per_token WHERE (currency IS NULL) <> (effective_cost IS NULL) OR unpriced_tokens <> CASE WHEN currency IS NULL THEN total_tokens ELSE 0 END', 'unpriced is what has no currency and no cost');
SELECT results_eq('SELECT month, provider, currency, sum(computed) FROM reconciliation WHERE scope = ''model'' AND computed IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3',
    $$SELECT date_trunc('month', at AT TIME ZONE 'UTC')::date, provider, currency, sum(cost) FROM call WHERE cost IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3$$, 'reconciliation has cost() of each call, by the months of UTC');
SELECT results_eq('SELECT currency, sum(billed) FROM reconciliation WHERE scope = ''provider'' AND billed IS NOT NULL GROUP BY 1 ORDER BY 1', 'SELECT billed_currency, sum(billed) FROM call WHERE billed IS NOT NULL GROUP BY 1 ORDER BY 1', 'and what the calls were billed');
SELECT results_eq($$SELECT month, scope, model, invoiced, residual FROM reconciliation WHERE invoiced IS NOT NULL ORDER BY scope$$,
    $$SELECT '2025-01-01'::date, s.scope, s.model, s.invoiced, s.invoiced - s.computed FROM (SELECT 'model' AS scope, 'big' AS model, 1.25 AS invoiced, sum(cost) AS computed FROM call WHERE provider = 'acme' AND model = 'big' AND at >= '2025-01-01Z' AND at < '2025-02-01Z'
      UNION ALL SELECT 'provider', NULL, 1.5, sum(cost) FROM call WHERE provider = 'acme' AND at >= '2025-01-01Z' AND at < '2025-02-01Z') s ORDER BY 2$$, 'and the residual of what was invoiced');

-- limits: adjacent ones add up to the whole
CREATE TEMP TABLE cut AS SELECT row_number() OVER (ORDER BY at) AS n, at FROM
    (SELECT '2024-11-01'::timestamptz + random() * interval '200 days' AS at FROM generate_series(1, 5) UNION ALL VALUES ('2025-01-01Z'::timestamptz), ('2024-12-31 23:00Z'), ('2024-12-15 12:00:00.000001Z'), ('2025-03-07 13:30Z'), ('2025-03-31 22:00Z')) c;
CREATE TEMP VIEW span AS SELECT lag(c.at) OVER w AS from_at, c.at AS to_at FROM (SELECT * FROM cut UNION ALL VALUES (99, NULL::timestamptz)) c WINDOW w AS (ORDER BY c.n);
SELECT results_eq('SELECT v.day, v.provider, v.currency, sum(v.calls), sum(v.tokens), sum(v.usage_cost), sum(v.purchase_cost), sum(v.other_charges) FROM span s, daily_spend_between(s.from_at, s.to_at) v GROUP BY 1, 2, 3 ORDER BY 1, 2, 3',
    'SELECT day, provider, currency, calls::numeric, tokens::numeric, usage_cost, purchase_cost, other_charges FROM daily_spend ORDER BY 1, 2, 3', 'adjacent limits of daily_spend add up to each day');
SELECT results_eq('SELECT v.month, v.currency, sum(v.calls), sum(v.tokens), sum(v.usage_cost), sum(v.purchase_cost), sum(v.other_charges) FROM span s, total_spend_trend_between(s.from_at, s.to_at) v WHERE v.calls > 0 OR v.total_spend <> 0 GROUP BY 1, 2 ORDER BY 1, 2',
    'SELECT month, currency, calls::numeric, tokens::numeric, usage_cost, purchase_cost, other_charges FROM total_spend_trend WHERE calls > 0 OR total_spend <> 0 ORDER BY 1, 2', 'of total_spend_trend to each month');
SELECT results_eq('SELECT v.month, v.provider, v.model, v.service_tier, v.currency, sum(v.calls), sum(v.total_tokens), sum(v.unpriced_tokens), sum(v.list_cost), sum(v.contracted_cost) FROM span s, cost_per_token_between(s.from_at, s.to_at) v GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5',
    'SELECT month, provider, model, service_tier, currency, calls::numeric, total_tokens::numeric, unpriced_tokens::numeric, list_cost, contracted_cost FROM cost_per_token ORDER BY 1, 2, 3, 4, 5', 'of cost_per_token to each line');
SELECT results_eq('SELECT v.month, v.provider, v.service_tier, v.currency, sum(v.effective_cost) FROM span s, cost_per_token_between(s.from_at, s.to_at) v GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4',
    'SELECT month, provider, service_tier, currency, sum(effective_cost) FROM cost_per_token GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4', 'with the shares of purchases, to each tier');
SELECT results_eq('SELECT v.day, v.dimension, v.currency, sum(v.calls), sum(v.total_spend) FROM span s, spend_by_owner_between(s.from_at, s.to_at) v GROUP BY 1, 2, 3 ORDER BY 1, 2, 3',
    'SELECT day, dimension, currency, sum(calls), sum(total_spend) FROM spend_by_owner GROUP BY 1, 2, 3 ORDER BY 1, 2, 3', 'of spend_by_owner to each day');
SELECT results_eq('SELECT v.month, v.scope, v.provider, v.model, v.currency, sum(v.computed), sum(v.billed), sum(v.invoiced) FROM span s, reconciliation_between(s.from_at, s.to_at) v GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5',
    'SELECT month, scope, provider, model, currency, computed, billed, invoiced FROM reconciliation ORDER BY 1, 2, 3, 4, 5', 'of reconciliation to each line');

-- zones move what is spent between days and months, and change nothing of it
SELECT is_empty($$SELECT z, currency, sum(total_spend) FROM unnest('{UTC,Asia/Kathmandu,America/New_York,Australia/Lord_Howe,Pacific/Apia}'::text[]) z, total_spend_trend_between(zone => z) GROUP BY 1, 2
    EXCEPT SELECT z, currency, sum(total_spend) FROM unnest('{UTC,Asia/Kathmandu,America/New_York,Australia/Lord_Howe,Pacific/Apia}'::text[]) z, total_spend_trend GROUP BY 1, 2$$, 'the total is the same in every zone');

-- plans
CREATE TEMP VIEW answers AS
SELECT 'by the ' || g || coalesce(' and ' || d, '') AS what, md5(usage_ledger(g, dimension => d)::text) AS answer FROM unnest('{month,day}'::text[]) g, unnest('{team,NULL}'::text[]) d
UNION ALL SELECT 'cost_per_token', md5(string_agg(v::text, E'\n')) FROM cost_per_token v
UNION ALL SELECT 'daily_spend', md5(string_agg(v::text, E'\n')) FROM daily_spend v ORDER BY 1;
SET LOCAL max_parallel_workers_per_gather = 0;
CREATE TEMP TABLE serial AS SELECT * FROM answers;
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL min_parallel_table_scan_size = '32kB';
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL enable_partitionwise_aggregate = on;
SELECT results_eq('SELECT * FROM answers', 'SELECT * FROM serial', 'parallel plans answer as serial ones do');
SELECT is(sum(rows), (SELECT count(*)::numeric FROM call), 'a partition for each month') FROM ensure_partitions('2024-11-01', '2025-05-01') e(month, rows);
SELECT results_eq('SELECT * FROM answers', 'SELECT * FROM serial', 'and so do partitions');

-- the catalog
CREATE TEMP VIEW view AS SELECT c.oid, c.relname FROM pg_class c WHERE c.relkind = 'v' AND c.relnamespace = 'llm'::regnamespace;
SELECT set_eq('SELECT relname::text FROM view', '{cost_per_token,unit_price_trend,total_spend_trend,daily_spend,spend_by_owner,unpriced_usage,reconciliation,settlement,price_change_log,focus_export,
    bill_growth,bill_growth_by_team,bill_growth_by_project,bill_growth_by_driver,underuse,demand_drivers,peak_profile,reasoning_profile,fan_out,cache_by_session_depth,cache_use,demand_forecast,
    quote_comparison,value_grid,outcome_cost,budget_status,unbudgeted_spend}'::text[], 'the views');
SELECT is_empty($$SELECT relname, attname FROM view v JOIN pg_attribute a ON a.attrelid = v.oid WHERE a.attnum > 0 AND (obj_description(v.oid, 'pg_class') IS NULL OR col_description(v.oid, a.attnum) IS NULL)$$, 'each and every column has a comment');
SELECT is_empty($$SELECT relname, attname, atttypid::regtype FROM view v JOIN pg_attribute a ON a.attrelid = v.oid WHERE a.attnum > 0
    AND a.atttypid NOT IN ('date'::regtype, 'text'::regtype, 'text[]'::regtype, 'boolean'::regtype, 'integer'::regtype, 'bigint'::regtype, 'numeric'::regtype, 'numeric[]'::regtype, 'double precision'::regtype,
                           'timestamptz'::regtype, 'jsonb'::regtype)$$, 'columns are of plain types');
SELECT set_eq('SELECT relname::text FROM view', '{cost_per_token,unit_price_trend,total_spend_trend,daily_spend,spend_by_owner,unpriced_usage,reconciliation,settlement}'::text[], 'eight views');
SELECT is_empty($$SELECT relname, attname FROM view v JOIN pg_attribute a ON a.attrelid = v.oid WHERE a.attnum > 0 AND (obj_description(v.oid, 'pg_class') IS NULL OR col_description(v.oid, a.attnum) IS NULL)$$, 'each and every column has a comment');
SELECT is_empty($$SELECT relname, attname, atttypid::regtype FROM view v JOIN pg_attribute a ON a.attrelid = v.oid WHERE a.attnum > 0 AND a.attname <> 'settled_at'
    AND a.atttypid NOT IN ('date'::regtype, 'text'::regtype, 'text[]'::regtype, 'boolean'::regtype, 'integer'::regtype, 'bigint'::regtype, 'numeric'::regtype, 'double precision'::regtype)$$, 'columns are of plain types');
SELECT is_empty($$SELECT relname FROM view v LEFT JOIN pg_proc p ON p.proname = v.relname || '_between' AND p.pronamespace = 'llm'::regnamespace
    WHERE p.proargnames[:3] IS DISTINCT FROM '{from_at,to_at,zone}' OR p.pronargdefaults IS DISTINCT FROM p.pronargs OR p.proargnames[p.pronargs + 1:] IS DISTINCT FROM (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = v.oid AND a.attnum > 0) OR obj_description(p.oid, 'pg_proc') IS NULL OR p.prosecdef
    OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = v.oid AND 'security_invoker=true' = ANY (c.reloptions))$$, 'each has a function of the same columns, commented, and neither has the rights of its owner');
SELECT * FROM finish();
ROLLBACK;
