-- charge: what is not a call, split over lines and over time.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET search_path = tokenomics, public;

-- over lines: a share each, and what is idle
SELECT amortise(100, '{1,1,2}'), amortise(100, '{1,1,2}', 8), amortise(100, '{1,1,2}', 4), amortise(100, '{1,1,2}', 3), amortise(100, '{1,1,2}', 0);
-- cut off; the last takes the rest, which is idle or a line with a weight
SELECT amortise(100, '{1,1,1}', scale => 2), amortise(-100, '{1,1,1}', scale => 2), amortise(100, '{1,1,1,0,0}', scale => 2), amortise(100, '{1,1}', 3, 2), amortise(100, '{0,1,0,1}', 3, 2);
SELECT amortise(200, '{1,1,1}', scale => 0), amortise(2, '{1,1,1}', scale => 0), amortise(2, '{1,1,1}', scale => 12), amortise(1, '{1,2}', scale => 30), amortise(1, '{1,2}', 7, 30);
-- the amount may have more decimals than the shares
SELECT amortise(0.00000000000012345, '{1,1}'), amortise(1.000000000000000000000000000001, '{1,2}', scale => 2), amortise(10.00, '{1}'), amortise(10.00, '{1}', 2);
-- nobody used it
SELECT amortise(7.50, '{}'), amortise(7.50, NULL), amortise(7.50, '{0,0}'), amortise(7.50, '{0,0}', 5), amortise(7.50, '{0}', 0), amortise(0, '{1,2}', 9), amortise(-0.5, '{}', 0);
-- of any size
SELECT amortise(1e25 + 0.1, '{9223372036854775807,9223372036854775807,9223372036854775807,1}');
SELECT amortise(1e25, '{1,9223372036854775806}', 9223372036854775807), amortise(1, '{9223372036854775807}', 9223372036854775807), amortise(1, '{9223372036854775806}', 9223372036854775807, 30);
SELECT (amortise(1, array_fill(9223372036854775807, ARRAY[1000])))[1], (SELECT sum(s) FROM unnest(amortise(1, array_fill(9223372036854775807, ARRAY[7]), scale => 30)) s);
SELECT length((amortise(('1' || repeat('0', 131000))::numeric, '{1,1}'))[1]::text), scale((amortise(('0.' || repeat('0', 16382) || '1')::numeric, '{1,1}'))[2]);
SELECT amortise(('1' || repeat('0', 131071))::numeric, '{1,1}');
-- names of the arguments, lower bounds
SELECT amortise(amount => 3, weights => '{1,2}', capacity => 6, scale => 1), array_dims(amortise(1, '[5:6]={1,2}'::bigint[]));
-- what is not known, and what is wrong
SELECT amortise(NULL, '{1}'), amortise(NULL, '{-1}', -1, 99), amortise(1, '{1}', NULL);
SELECT amortise(1, '{1,NULL}');
SELECT amortise(1, '{0,-5}');
SELECT amortise(1, '{{1,2},{3,4}}');
SELECT amortise(1, '{1}', -1);
SELECT amortise(1, '{1}', 1, -1);
SELECT amortise(1, '{1}', 1, 31);
SELECT amortise(1, '{1}', 1, NULL);
SELECT amortise('NaN', '{1}');
SELECT amortise('infinity', '{1}');
SELECT amortise('-infinity', '{}');

-- over time: a year by months, of 31 days, of 30, and of February
SELECT elapsed_share(365, '[2025-01-01,2026-01-01)', '[2025-01-01,2025-02-01)') AS january, elapsed_share(365, '[2025-01-01,2026-01-01)', '[2025-02-01,2025-03-01)') AS february,
       elapsed_share(366, '[2024-01-01,2025-01-01)', '[2024-02-01,2024-03-01)') AS leap, elapsed_share(-365, '[2025-01-01,2026-01-01)', '[2025-04-01,2025-05-01)') AS credit;
-- adjacent parts add up, whatever the scale
SELECT elapsed_share(100, w, '[2025-01-01,2025-01-02)', s), elapsed_share(100, w, '[2025-01-02,2025-01-03)', s), elapsed_share(100, w, '[2025-01-03,2025-01-04)', s), elapsed_share(100, w, '(,)', s)
FROM (VALUES ('[2025-01-01,2025-01-04)'::tstzrange)) v(w), unnest('{0,2,12,30}'::int[]) s;
-- outside, across an end, more than all of it; bounds are instants
SELECT p AS part, elapsed_share(10.50, '[2025-01-11,2025-01-21)', p::tstzrange) FROM unnest(ARRAY['[2025-01-01,2025-01-11)', '[2025-01-01,2025-01-11]', '[2025-01-21,2025-02-01)', '[2025-02-01,)', '[2025-01-01,2025-01-16)',
    '[2025-01-16,2025-02-01)', '(2025-01-16,2025-02-01]', '[2025-01-01,2025-02-01)', '(,)', '(,2025-01-12)', '[2025-01-20,)', '[-infinity,infinity]', '[-infinity,2025-01-12)', 'empty', '[2025-01-15,2025-01-15]']) p;
-- a day of 23 hours, and one of 25
SELECT elapsed_share(743, w, tstzrange('2026-03-29 00:00 Europe/Berlin', '2026-03-30 00:00 Europe/Berlin')) AS spring FROM (VALUES (tstzrange('2026-03-01 00:00 Europe/Berlin', '2026-04-01 00:00 Europe/Berlin'))) v(w);
SELECT elapsed_share(745, w, tstzrange('2026-10-25 00:00 Europe/Berlin', '2026-10-26 00:00 Europe/Berlin')) AS autumn FROM (VALUES (tstzrange('2026-10-01 00:00 Europe/Berlin', '2026-11-01 00:00 Europe/Berlin'))) v(w);
-- a microsecond; all of time, which is more of them than a bigint counts
SELECT elapsed_share(1, '[2025-01-01,2025-01-01 00:00:00.000003)', '[2025-01-01 00:00:00.000001,2025-01-01 00:00:00.000002)'), elapsed_share(1, '(2025-01-01,2025-01-01 00:00:00.000001]', '(,)');
SELECT elapsed_share(1e24, '[4714-11-24 BC,294276-12-31 23:59:59.999999]', '(,2000-01-01)', 30), elapsed_share(1e24, '[4714-11-24 BC,294276-12-31 23:59:59.999999]', '[294276-12-31 23:59:59.999998,)', 30);
-- an amount of more decimals than its shares: the end has all of it
SELECT elapsed_share(1.005, '[2025-01-01,2025-01-03)', '[2025-01-01,2025-01-02)', 1), elapsed_share(1.005, '[2025-01-01,2025-01-03)', '[2025-01-02,2025-01-03)', 1), elapsed_share(1.005, '[2025-01-01,2025-01-03)', '[2025-01-01,2025-01-03)', 1);
-- a capacity is cut to whole tokens
SELECT elapsed_share(1000, '[2025-01-01,2025-01-04)', p::tstzrange, 0) FROM unnest(ARRAY['[2025-01-01,2025-01-02)', '[2025-01-02,2025-01-03)', '[2025-01-03,2025-01-04)']) p;
SELECT elapsed_share(NULL, '[2025-01-01,2025-01-02)', '(,)'), elapsed_share(1, NULL, '(,)'), elapsed_share(1, '[2025-01-01,2025-01-02)', NULL), elapsed_share(1, '[2025-01-01,2025-01-02)', '(,)', NULL);
SELECT elapsed_share(1, 'empty', '(,)');
SELECT elapsed_share(1, '[2025-01-01,2025-01-01]', '(,)');
SELECT elapsed_share(1, '[2025-01-01,)', '[2025-01-01,2025-01-02)');
SELECT elapsed_share(1, '(,2025-01-01)', '[2025-01-01,2025-01-02)');
SELECT elapsed_share(1, '(,)', '[2025-01-01,2025-01-02)');
SELECT elapsed_share(1, '[2025-01-01,infinity]', '[2025-01-01,2025-01-02)');
SELECT elapsed_share(1, '[-infinity,2025-01-01]', 'empty');
SELECT elapsed_share(1, '[2025-01-01,2025-01-02)', '(,)', 31);
SELECT elapsed_share(1, '[2025-01-01,2025-01-02)', '(,)', -1);
SELECT elapsed_share('NaN', '[2025-01-01,2025-01-02)', 'empty');
SELECT elapsed_share('-infinity', '[2025-01-01,2025-01-02)', '(,)');
RESET search_path;

-- the table
CALL tokenomics.install('llm');
CALL tokenomics.install('llm');
SELECT attname, format_type(atttypid, atttypmod), attnotnull, attidentity FROM pg_attribute WHERE attrelid = 'llm.charge'::regclass AND attnum > 0 ORDER BY attnum;
COPY llm.charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency, invoice_id, scope, source) FROM stdin;
openai	2026-03-01 00:00+00	2026-04-01 00:00+00	Usage	gpt-5	\N	\N	12.34	USD	i1	\N	costs API
openai	2026-03-01 00:00+00	2026-04-01 00:00+00	Usage	gpt-5-mini	0	Requests	0	USD	i1	\N	\N
azure	2026-03-11 00:00+00	2026-05-01 00:00+00	Purchase	ptu	5100	Tokens	510	USD	i2	{"team": "search"}	\N
azure	2026-03-11 00:00+00	2026-03-12 00:00+00	Purchase	gpu	24.5	Hours	98.50	EUR	\N	{"team": "search", "project": "x"}	\N
openai	2026-03-01 00:00+00	2026-04-01 00:00+00	Credit	\N	\N	\N	-5	USD	i1	\N	\N
openai	2026-03-01 00:00+00	2026-04-01 00:00+00	Adjustment	\N	\N	\N	-0.00000000000000001	USD	i1	\N	\N
openai	2026-03-01 00:00+00	2026-04-01 00:00+00	Adjustment	\N	\N	\N	1	USD	i1	\N	\N
openai	2026-03-01 00:00+00	2026-04-01 00:00+00	Tax	\N	\N	\N	2.34	USD	i1	\N	\N
openai	2026-03-01 00:00+00	2026-04-01 00:00+00	Tax	\N	\N	\N	-2.34	USD	i1	\N	\N
openai	2026-03-01 00:00+00	2026-03-01 00:00:00.000001+00	Usage	m	2	1000 Tokens	1	USD	i1	\N	\N
\.
SELECT count(*), min(charge_id), max(charge_id), count(recorded_at) FROM llm.charge;
-- each row breaks one rule: it is taken without the change
CREATE TABLE fault (n integer GENERATED ALWAYS AS IDENTITY, change jsonb);
INSERT INTO fault (change) VALUES
    (NULL), ('{"provider": ""}'), ('{"provider": null}'), ('{"sku": ""}'), ('{"unit": ""}'), ('{"invoice_id": ""}'),
    ('{"charge_period_start": "-infinity"}'), ('{"charge_period_end": "infinity"}'), ('{"charge_period_end": "2026-03-01 00:00+00"}'), ('{"charge_period_start": null}'), ('{"charge_period_end": null}'),
    ('{"charge_category": "usage"}'), ('{"charge_category": "Refund"}'), ('{"charge_category": null}'),
    ('{"billed_cost": "NaN"}'), ('{"billed_cost": "infinity"}'), ('{"billed_cost": "-infinity", "charge_category": "Credit"}'), ('{"billed_cost": null}'),
    ('{"billed_cost": -0.01}'), ('{"billed_cost": -0.01, "charge_category": "Usage"}'), ('{"charge_category": "Credit"}'), ('{"billed_cost": 0, "charge_category": "Credit"}'),
    ('{"billed_cost": -0.01, "charge_category": "Adjustment"}'), ('{"billed_cost": -0.01, "charge_category": "Tax"}'),
    ('{"currency": "usd"}'), ('{"currency": "US"}'), ('{"currency": "TOKEN_CREDIT"}'), ('{"currency": null}'), ('{"currency": "CREDITS"}'),
    ('{"quantity": -1}'), ('{"quantity": "NaN", "unit": "Hours"}'), ('{"quantity": "infinity", "unit": "Hours"}'), ('{"quantity": "NaN"}'), ('{"quantity": null}'), ('{"unit": null}'), ('{"quantity": null, "unit": null}'),
    ('{"unit": "tokens"}'), ('{"unit": "Token"}'), ('{"unit": "1,000 Tokens"}'), ('{"unit": "1000 tokens", "charge_category": "Usage"}'), ('{"unit": "Tokens per Minute"}'),
    ('{"quantity": 0.5}'), ('{"quantity": 0.5, "unit": "Hours"}'), ('{"quantity": 0.5, "charge_category": "Usage"}'), ('{"quantity": 9223372036854775807.0}'), ('{"quantity": 9223372036854775808}'),
    ('{"scope": {}}'), ('{"scope": []}'), ('{"scope": "search"}'), ('{"scope": ["a"]}'), ('{"scope": {"team": null}}'), ('{"scope": {"team": 1}}'), ('{"scope": {"team": ["a"]}}'), ('{"scope": {"team": "a", "project": {"b": "c"}}}'), ('{"scope": {"team": "a", "project": "b"}}');
CREATE FUNCTION try(change jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    what text;
BEGIN
    INSERT INTO llm.charge OVERRIDING SYSTEM VALUE
    SELECT r.* FROM jsonb_populate_record(NULL::llm.charge, '{"charge_id": 0, "provider": "p", "charge_period_start": "2026-03-01 00:00+00", "charge_period_end": "2026-04-01 00:00+00", "charge_category": "Purchase",
        "sku": "s", "quantity": 7, "unit": "Tokens", "billed_cost": 1, "currency": "USD", "invoice_id": "i", "scope": {"team": "a"}}'::jsonb || coalesce(change, '{}')) r;
    DELETE FROM llm.charge WHERE charge_id = 0;
    RETURN 'taken';
EXCEPTION WHEN check_violation OR not_null_violation THEN
    GET STACKED DIAGNOSTICS what = CONSTRAINT_NAME;
    RETURN CASE what WHEN '' THEN SQLERRM ELSE what END;
END $$;
SELECT n, change, try(change) FROM fault ORDER BY n;
\set VERBOSITY terse
INSERT INTO llm.charge (charge_id, provider, charge_period_start, charge_period_end, charge_category, billed_cost, currency) VALUES (1, 'p', '2026-03-01Z', '2026-04-01Z', 'Tax', 1, 'USD');
INSERT INTO llm.charge (provider, charge_period_start, charge_period_end, charge_category, billed_cost, currency, scope) VALUES ('p', '2026-03-01Z', '2026-04-01Z', 'Tax', 1, 'USD', 'null');
INSERT INTO llm.charge (provider, charge_period_start, charge_period_end, charge_category, billed_cost, currency) VALUES ('p', '2026-04-01Z', '2026-03-01Z', 'Tax', 1, 'USD');

-- as a view may: a purchase by reporting months, each month's part over its lines
CREATE TABLE line AS SELECT * FROM (VALUES ('2026-03-01'::date, 'azure', 'ptu', 'gpt-5', 1000::bigint), ('2026-03-01', 'azure', 'ptu', 'gpt-5-mini', 100), ('2026-03-01', 'azure', 'standard', 'gpt-5', 5000),
    ('2026-03-01', 'openai', 'ptu', 'gpt-5', 5000), ('2026-04-01', 'azure', 'ptu', 'gpt-5', 3000), ('2026-04-01', 'azure', 'ptu', 'gpt-5-mini', 7)) v(month, provider, service_tier, model, tokens);
CREATE VIEW purchase AS
WITH part AS (
    SELECT c.provider, c.sku, c.currency, m.month::date AS month, c.unit,
           tokenomics.elapsed_share(c.billed_cost, r.whole, r.part) AS cost,
           CASE c.unit WHEN 'Tokens' THEN tokenomics.elapsed_share(c.quantity, r.whole, r.part, 0) END AS capacity
    FROM (VALUES ('Europe/Berlin')) AS setting(zone), llm.charge c,
         LATERAL generate_series(date_trunc('month', c.charge_period_start AT TIME ZONE setting.zone),
                                 c.charge_period_end AT TIME ZONE setting.zone - interval '1 microsecond', interval '1 month') AS m(month),
         LATERAL (SELECT tstzrange(c.charge_period_start, c.charge_period_end) AS whole,
                         tstzrange(m.month AT TIME ZONE setting.zone, (m.month + interval '1 month') AT TIME ZONE setting.zone) AS part) r
    WHERE c.charge_category = 'Purchase'
), pool AS (
    SELECT month, provider, sku, currency, sum(cost) AS cost, CASE WHEN bool_and(capacity IS NOT NULL) THEN sum(capacity)::bigint END AS capacity
    FROM part GROUP BY month, provider, sku, currency
), shared AS (
    SELECT p.*, array_agg(l.model ORDER BY l.model) FILTER (WHERE l.model IS NOT NULL) AS models, array_agg(l.tokens ORDER BY l.model) FILTER (WHERE l.model IS NOT NULL) AS weights
    FROM pool p LEFT JOIN line l ON l.month = p.month AND l.provider = p.provider AND l.service_tier = p.sku GROUP BY p.month, p.provider, p.sku, p.currency, p.cost, p.capacity
)
SELECT s.month, s.provider, s.sku, s.capacity, coalesce(x.model, 'idle') AS model, x.cost, s.currency
FROM shared s, unnest(s.models, tokenomics.amortise(s.cost, s.weights, s.capacity)) AS x(model, cost);
SELECT * FROM purchase ORDER BY provider, sku, month, model;
SELECT sku, sum(cost) FROM purchase GROUP BY sku ORDER BY sku;
-- a second purchase joins the pool of the first
INSERT INTO llm.charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency) VALUES ('azure', '2026-04-01Z', '2026-05-01Z', 'Purchase', 'ptu', 1000, 'Tokens', 300, 'USD');
SELECT * FROM purchase WHERE sku = 'ptu' ORDER BY month, model;
SELECT sku, sum(cost) FROM purchase GROUP BY sku ORDER BY sku;
DROP VIEW purchase;
DROP TABLE line, fault;
DROP FUNCTION try(jsonb);
CALL tokenomics.uninstall('llm');
SELECT relname FROM pg_class WHERE relnamespace = 'llm'::regnamespace;
DROP SCHEMA llm;
