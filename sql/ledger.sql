-- Ledgers: totals of calls by line.
SET search_path = tokenomics, public;
SET timezone = 'UTC';

CREATE TABLE p (
    book text NOT NULL DEFAULT 'list', provider text DEFAULT 'v', model text, service_tier text NOT NULL DEFAULT 'standard',
    above_input_tokens bigint DEFAULT 0, rates rates, valid tstzrange DEFAULT '(,)', tier_basis text NOT NULL DEFAULT 'input_total',
    tier_mode text NOT NULL DEFAULT 'whole', off_peak int4multirange DEFAULT '{}', off_peak_zone text DEFAULT 'UTC', source text);
INSERT INTO p (model, above_input_tokens, rates, tier_mode) VALUES
    ('flat', 0, '{"currency": "USD", "input": 1, "output": 10}', 'whole'),
    ('euro', 0, '{"currency": "EUR", "input": 2, "output": 20}', 'whole'),
    ('free', 0, '{"currency": "USD", "input": 0, "output": 0}', 'whole'),
    ('tiered', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15}', 'whole'),
    ('tiered', 200000, '{"currency": "USD", "input": 6, "cache_read": 0.6, "output": 22.5}', 'whole'),
    ('sliced', 0, '{"currency": "USD", "input": 100}', 'graduated'),
    ('sliced', 100000, '{"currency": "USD", "input": 50}', 'graduated'),
    ('no base', 1000, '{"currency": "USD", "input": 1}', 'whole');
INSERT INTO p (model, service_tier, rates) VALUES ('flat', 'batch', '{"currency": "USD", "input": 0.5, "output": 5}');
INSERT INTO p (model, rates, valid) VALUES
    ('dated', '{"currency": "USD", "input": 10}', '[2026-01-01,2026-01-10 12:00)'),
    ('dated', '{"currency": "USD", "input": 2}', '[2026-01-10 12:00,2027-01-01)');
INSERT INTO p (model, rates, off_peak, off_peak_zone) VALUES
    ('night', '{"currency": "USD", "input": 10}', '{}', 'Europe/Berlin'),
    ('night', '{"currency": "USD", "input": 1}', '{[8760,8820)}', 'Europe/Berlin'),
    ('sunday', '{"currency": "USD", "input": 10}', '{}', 'Europe/Berlin'),
    ('sunday', '{"currency": "USD", "input": 1}', '{[8670,8730),[8940,9000)}', 'Europe/Berlin');
CREATE TABLE b AS SELECT price_book(p) AS book FROM p;
CREATE TABLE call (n int GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT '2026-01-05 10:00Z', provider text DEFAULT 'v', model text, service_tier text, tokens tokens, label text);
INSERT INTO call (model, service_tier, tokens, label, at) VALUES
    ('flat', NULL, '{"input": 1000, "output": 100}', 'a', DEFAULT), ('flat', 'standard', '{"input": 1, "reasoning": 7}', 'a', DEFAULT), ('flat', 'batch', '{"input": 1000}', 'a', DEFAULT),
    ('flat', NULL, '{"input": 5}', 'b', '2026-02-05'), ('flat', NULL, '{"input": 5}', '', DEFAULT), ('flat', NULL, '{"input": 5}', NULL, DEFAULT),
    ('euro', NULL, '{"input": 1000, "output": 1}', NULL, DEFAULT), ('free', NULL, '{"input": 1000, "output": 1}', NULL, DEFAULT),
    ('tiered', NULL, '{"input": 150000, "cache_read": 100000, "output": 10}', NULL, DEFAULT), ('tiered', NULL, '{"input": 200000}', NULL, DEFAULT), ('tiered', NULL, '{"input": 200001}', NULL, DEFAULT),
    ('sliced', NULL, '{"input": 150000}', NULL, DEFAULT), ('sliced', NULL, '{"input": 100001, "cache_write_1h": 10}', NULL, DEFAULT),
    ('dated', NULL, '{"input": 1}', NULL, '2026-01-10 11:59:59.999999Z'), ('dated', NULL, '{"input": 1}', NULL, '2026-01-10 12:00Z'),
    -- Sunday 02:00 to 03:00 in Berlin: does not exist on the 29th of March, happens twice on the 25th of October
    ('night', NULL, '{"input": 1}', NULL, '2026-03-29 00:59Z'), ('night', NULL, '{"input": 1}', NULL, '2026-03-29 01:00Z'),
    ('night', NULL, '{"input": 1}', NULL, '2026-10-24 23:59:59.999999Z'), ('night', NULL, '{"input": 1}', NULL, '2026-10-25 00:00Z'), ('night', NULL, '{"input": 1}', NULL, '2026-10-25 01:59Z'), ('night', NULL, '{"input": 1}', NULL, '2026-10-25 02:00Z'),
    -- what has no price, and why
    ('nobody', NULL, '{"input": 1}', NULL, DEFAULT), ('flat', 'flex', '{"input": 1}', NULL, DEFAULT), ('dated', NULL, '{"input": 1}', NULL, '2027-01-01'),
    ('no base', NULL, '{"input": 1000}', NULL, DEFAULT), ('no base', NULL, '{"input": 1001}', NULL, DEFAULT),
    ('flat', NULL, '{"input": 3, "tool_calls": 2, "cache_storage": 0}', NULL, DEFAULT), ('flat', NULL, '{"input": 3, "tool_calls": 2, "cache_storage": 1}', NULL, DEFAULT), ('flat', NULL, '{"input": 3, "tool_calls": 0}', NULL, DEFAULT),
    ('flat', NULL, NULL, NULL, DEFAULT), ('nobody', NULL, NULL, NULL, DEFAULT), ('flat', NULL, '{}', NULL, DEFAULT), ('sliced', NULL, '{}', NULL, DEFAULT);
-- windows of 00:30 to 01:30 and 05:00 to 06:00 on the Sundays in which clocks change: what prices a call
-- between them prices none on the other side of the change, be it before it or after
INSERT INTO call (model, tokens, at) SELECT 'sunday', '{"input": 1}', at
FROM unnest('{2026-03-29 02:30Z,2026-03-29 00:00Z,2026-03-29 00:40Z,2026-03-29 03:30Z,2026-10-25 03:50Z,2026-10-24 23:00Z,2026-10-25 00:20Z,2026-10-25 03:30Z,2026-10-25 04:30Z}'::timestamptz[]) at;
INSERT INTO call (provider, model, tokens) VALUES (NULL, 'flat', '{"input": 1}'), ('v', NULL, '{"input": 1}'), ('', '', '{"input": 1}'), ('w', 'flat', '{"input": 1}');
CREATE TABLE l AS SELECT ledger(book, 'month', 'UTC', at, provider, model, service_tier, tokens, label) AS l FROM call, b;

SELECT period, provider, model, service_tier, label, above_input_tokens AS above, off_peak, currency, calls, tokens, cost, output_cost, fallback_tokens AS fallback, unpriced, lacks_rate FROM l, lines(l);
SELECT bool_and(list_above_input_tokens IS NOT DISTINCT FROM above_input_tokens AND list_off_peak IS NOT DISTINCT FROM off_peak AND list_currency IS NOT DISTINCT FROM currency
    AND list_cost IS NOT DISTINCT FROM cost AND NOT approximate) AS one_layer_is_its_own_list, count(*) FROM l, lines(l);
SELECT period, model, above_input_tokens AS above, currency, meter, tokens, cost, list_cost FROM l, meter_lines(l) WHERE model IN ('tiered', 'nobody', 'euro');
-- each line is the sum of its calls
SELECT count(*), bool_and(x.cost IS NOT DISTINCT FROM (SELECT sum(cost(book, c.provider, c.model, c.at, c.tokens, c.service_tier)) FROM call c, b
    WHERE (date_trunc('month', c.at), coalesce(c.service_tier, 'standard')) = (x.period, x.service_tier) AND (c.provider, c.model) IS NOT DISTINCT FROM (x.provider, x.model))) AS exact
FROM (SELECT period, provider, model, service_tier, sum(cost) AS cost FROM l, lines(l) GROUP BY 1, 2, 3, 4) x;

-- accessors
SELECT grain(l), zone(l), calls(l), tokens(l), unpriced(l) FROM l;
SELECT spend(l) FROM l;
SELECT list_spend(l) FROM l;
SELECT cost_per_mtok(l) FROM l;
SELECT spend(l, 'USD') AS usd, list_spend(l, 'USD') AS list_usd, spend(l, 'EUR') AS eur, spend(l, 'GBP') AS gbp, list_spend(l, 'GBP') AS list_gbp FROM l;
SELECT spend(l, 'usd') FROM l;
SELECT list_spend(l, '') FROM l;
SELECT spend(l, NULL) FROM l;
SELECT cost_per_mtok(l, 'EUR'), output_rate(l, 'EUR'), spend_per_mtok_output(l, 'EUR'), cost_per_mtok(l, 'GBP') FROM l;
SELECT spend(x), cost_per_mtok(x), output_rate(x), spend_per_mtok_output(x), spend(x, 'USD') FROM (SELECT ledger(book, 'day', 'UTC', at, provider, model, service_tier, tokens) AS x FROM call, b WHERE model = 'tiered') y;
SELECT spend(x), cost_per_mtok(x), output_rate(x), calls(x), tokens(x), unpriced(x) FROM (SELECT ledger(book, 'day', 'UTC', at, provider, model, service_tier, tokens) AS x FROM call, b WHERE model = 'nobody') y;
SELECT spend(x), output_rate(x), cost_per_mtok(x) FROM (SELECT ledger(book, 'day', 'UTC', at, provider, model, service_tier, tokens) AS x FROM call, b WHERE model = 'free' OR tokens = '{}') y;

-- no rows
SELECT ledger(book, 'month', 'UTC', at, provider, model, service_tier, tokens) IS NULL AS none FROM call, b WHERE false;
SELECT ledger(book, 'month', 'UTC', at, provider, model, service_tier, tokens) FILTER (WHERE false) IS NULL AS none, merge(NULL::ledger) IS NULL AS none_merged FROM call, b;
SELECT count(*), bool_and(x IS NULL) FROM (SELECT ledger(book, 'month', 'UTC', at, provider, model, service_tier, tokens) FILTER (WHERE n < 0) AS x FROM call, b GROUP BY model) y;
SELECT count(*) FROM lines(NULL), meter_lines(NULL);
SELECT spend(NULL::ledger), calls(NULL::ledger), tokens(NULL::ledger), NULL::ledger = l FROM l;
SELECT e, grain(e), calls(e), tokens(e), spend(e), spend(e, 'USD'), cost_per_mtok(e), (SELECT count(*) FROM lines(e)), e = e, e <> e, merge(e) OVER () = e AS merged FROM (VALUES ('{"grain": "day", "zone": "Asia/Kolkata"}'::ledger)) v(e);

-- NULLs: no book prices nothing; a time, a grain and a zone there must be
SELECT calls(x), spend(x), unpriced(x), (SELECT array_agg(DISTINCT unpriced) FROM lines(x)) FROM (SELECT ledger(NULL, 'month', 'UTC', at, provider, model, service_tier, tokens, label, NULL) AS x FROM call) y;
SELECT ledger(book, 'month', 'UTC', NULL, provider, model, service_tier, tokens) FROM call, b;
SELECT ledger(book, NULL, 'UTC', at, provider, model, service_tier, tokens) FROM call, b;
SELECT ledger(book, 'month', NULL, at, provider, model, service_tier, tokens) FROM call, b;
SELECT ledger(book, CASE WHEN n < 3 THEN 'month' END, 'UTC', at, provider, model, service_tier, tokens) FROM call, b;
SELECT ledger(CASE WHEN n % 2 = 0 THEN book END, 'month', 'UTC', at, provider, model, service_tier, tokens ORDER BY n) =
       (SELECT merge(x) FROM (SELECT ledger(CASE WHEN n % 2 = 0 THEN book END, 'month', 'UTC', at, provider, model, service_tier, tokens) AS x FROM call, b GROUP BY n % 2) y) AS each_by_its_book FROM call, b;

-- grain and zone do not change
SELECT ledger(book, CASE WHEN n < 3 THEN 'month' ELSE 'day' END, 'UTC', at, provider, model, service_tier, tokens ORDER BY n) FROM call, b;
SELECT ledger(book, 'day', CASE WHEN n < 3 THEN 'UTC' ELSE 'Asia/Tokyo' END, at, provider, model, service_tier, tokens ORDER BY n) FROM call, b;
SELECT ledger(book, 'quarter_hour', CASE WHEN n < 3 THEN 'UTC' ELSE 'Asia/Tokyo' END, at, provider, model, service_tier, tokens ORDER BY n) =
       ledger(book, 'quarter_hour', 'UTC', at, provider, model, service_tier, tokens) AS quarters_are_of_no_zone FROM call, b;
SELECT ledger(book, 'quarter_hour', CASE WHEN n < 3 THEN 'UTC' ELSE 'Mars/Olympus' END, at, provider, model, service_tier, tokens ORDER BY n) FROM call, b;
SELECT zone(ledger(book, 'quarter_hour', 'Asia/Tokyo', at, provider, model, service_tier, tokens)) FROM call, b;
SELECT ledger(book, 'week', 'UTC', at, provider, model, service_tier, tokens) FROM call, b;
SELECT ledger(book, 'day', 'Mars/Olympus', at, provider, model, service_tier, tokens) FROM call, b;
SELECT ledger(book, 'quarter_hour', 'Mars/Olympus', at, provider, model, service_tier, tokens) FROM call, b;
SELECT ledger(book, 'day', 'UTC', 'infinity', provider, model, service_tier, tokens) FROM call, b;
SELECT ledger(book, 'quarter_hour', 'UTC', '-infinity', provider, model, service_tier, tokens) FROM call, b;
SELECT merge(x) FROM (SELECT ledger(book, grain, 'UTC', at, provider, model, service_tier, tokens) AS x FROM call, b, unnest('{month,day}'::text[]) WITH ORDINALITY g(grain, k) GROUP BY grain, k ORDER BY k) y;
SELECT merge(x) FROM (VALUES ('{"grain": "day", "zone": "UTC"}'::ledger), ('{"grain": "day", "zone": "Asia/Tokyo"}')) y(x);

-- edges of time
SELECT g.grain, x.period, x.calls, x.cost, x.unpriced FROM unnest('{4714-11-24 BC,1970-01-01,2200-01-01,294276-12-31 23:59:59.999999}'::timestamptz[]) at, unnest('{quarter_hour,month}'::text[]) g(grain), b,
    LATERAL (SELECT ledger(book, g.grain, 'Asia/Kathmandu', at, 'v', m, NULL, '{"input": 1000000}') AS l FROM unnest('{flat,dated}'::text[]) m) y, lines(y.l) x ORDER BY g.grain, x.period, x.model;
SELECT x::text::ledger = x AS same, x FROM (SELECT ledger(book, 'day', 'America/New_York', at, 'v', 'flat', NULL, '{"input": 1}') AS x FROM b, unnest('{4714-11-24 BC,294276-12-31 23:59:59.999999}'::timestamptz[]) at) y;

-- a row of several calls takes no tier by its sum
SELECT above_input_tokens AS above, calls, tokens, cost, unpriced, model FROM b, LATERAL (SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', m, NULL, '{"input": 250000}', NULL, n) AS l FROM unnest('{tiered,sliced,no base}'::text[]) m, unnest('{1,2,NULL}'::bigint[]) n) x, lines(l);
SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', 'flat', NULL, '{}', NULL, 0) FROM b;
SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', 'flat', NULL, '{}', NULL, -9223372036854775808) FROM b;

-- too much
SELECT calls(ledger(book, 'month', 'UTC', '2026-01-05', 'v', 'flat', NULL, '{}', NULL, n)) FROM b, unnest('{9223372036854775806,1}'::bigint[]) n;
SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', 'flat', NULL, '{}', NULL, n) FROM b, unnest('{9223372036854775807,1}'::bigint[]) n;
SELECT calls(ledger(book, 'month', 'UTC', '2026-01-05', 'v', m, NULL, '{}', NULL, n)) FROM b, (VALUES ('flat', 9223372036854775807), ('euro', 1)) c(m, n);
SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', 'flat', NULL, t) FROM b, unnest('{"{\"input\": 9223372036854775807}","{\"input\": 1}"}'::tokens[]) t;
SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', 'flat', NULL, t) FROM b, unnest('{"{\"cache_storage\": 9223372036854775807}","{\"cache_storage\": 1}"}'::tokens[]) t;
SELECT merge(x) FROM (SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', 'flat', NULL, t) AS x FROM b, unnest('{"{\"input\": 9223372036854775807}","{\"input\": 1}"}'::tokens[]) t GROUP BY t::text) y;
-- tokens are too many to add, their money is not
SELECT spend(x), list_spend(x), spend(x, 'USD'), (SELECT count(*) FROM lines(x)) FROM (SELECT ledger(book, 'month', 'UTC', at, 'v', 'flat', NULL, '{"input": 9223372036854775807}') AS x FROM b, unnest('{2026-01-05,2026-02-05}'::timestamptz[]) at) y;
SELECT tokens(x) FROM (SELECT ledger(book, 'month', 'UTC', at, 'v', 'flat', NULL, '{"input": 9223372036854775807}') AS x FROM b, unnest('{2026-01-05,2026-02-05}'::timestamptz[]) at) y;
-- tokens at the rates of other meters: each fits, their sum does not
SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', m, NULL, '{"cache_read": 9000000000000000000, "reasoning": 9000000000000000000}') FROM b, unnest('{flat,free}'::text[]) m;
CREATE TABLE dear AS SELECT ('{"books": [{"prices": [{"provider": "v", "model": "m", "tier_mode": "graduated", "rates": {"currency": "USD", "input": 1, "output": 1}},
    {"provider": "v", "model": "m", "tier_mode": "graduated", "above_input_tokens": 5, "rates": {"currency": "USD", "input": 1, "output": 1}},
    {"provider": "v", "model": "most", "rates": {"currency": "USD", "input": 9223372036.854775807, "output": 9223372036.854775807}}]}]}')::price_book AS book;
SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', 'm', NULL, '{"cache_read": 9000000000000000000, "reasoning": 9000000000000000000}') FROM dear;
SELECT reprice(x, dear.book) FROM dear, (SELECT ledger(NULL, 'month', 'UTC', '2026-01-05', 'v', 'most', NULL, '{"cache_read": 9000000000000000000, "reasoning": 9000000000000000000}') AS x) y;
-- the largest amount, and one more
SELECT cost, cost = 9223372036.854775807 * 9223372036854775807 * 0.000001 AS exact FROM (SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', 'most', NULL, '{"input": 9223372036854775807}') AS l FROM dear) x, lines(l);
SELECT spend(ledger(book, 'month', 'UTC', at, 'v', 'most', NULL, '{"input": 9223372036854775807}')) FROM dear, unnest('{2026-01-05,2026-02-05}'::timestamptz[]) at;
SELECT spend(ledger(book, 'month', 'UTC', at, 'v', 'most', NULL, '{"input": 9223372036854775807}')) FROM dear, unnest('{2026-01-05,2026-02-05,2026-03-05}'::timestamptz[]) at;

-- two layers: thresholds, bases, currencies and windows of their own
INSERT INTO p (book, model, above_input_tokens, tier_basis, tier_mode, rates) VALUES
    ('contract', 'tiered', 0, 'uncached', 'whole', '{"currency": "EUR", "input": 2, "output": 10}'), ('contract', 'tiered', 100000, 'uncached', 'whole', '{"currency": "EUR", "input": 4, "output": 20}'),
    ('contract', 'flat', 0, 'input_total', 'graduated', '{"currency": "USD", "input": 0.9, "output": 9, "tool_calls": 10}'), ('contract', 'flat', 100, 'input_total', 'graduated', '{"currency": "USD", "input": 0.8, "output": 8}'),
    ('contract', 'only here', 0, 'input_total', 'whole', '{"currency": "USD", "input": 1}');
CREATE TABLE two AS SELECT overlay_books(c.book, b.book) AS book FROM b, (SELECT price_book(p) AS book FROM p WHERE p.book = 'contract') c;
CREATE TABLE l2 AS SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', m, NULL, t) AS l FROM two, unnest('{tiered,flat,only here,euro}'::text[]) m,
    unnest('{"{\"input\": 100000, \"cache_read\": 100001, \"output\": 10}","{\"input\": 100001, \"output\": 7}","{\"input\": 200001}","{\"input\": 3, \"tool_calls\": 1}","{\"input\": 101, \"tool_calls\": 9}"}'::tokens[]) t;
SELECT model, above_input_tokens AS above, list_above_input_tokens AS list_above, currency, list_currency, calls, tokens, cost, list_cost, fallback_tokens, unpriced, lacks_rate FROM l2, lines(l);
SELECT spend(l, 'USD'), spend(l, 'EUR'), list_spend(l, 'USD'), list_spend(l, 'EUR') FROM l2;
SELECT spend(l) FROM l2;
SELECT list_spend(l) FROM l2;
SELECT l::text::ledger = l AS text_form FROM l2;

-- the session changes nothing
SELECT l::text AS here FROM l
\gset
SET timezone = 'America/St_Johns';
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'iso_8601';
SET extra_float_digits = -15;
SET bytea_output = 'escape';
SELECT (SELECT l::text FROM l) = :'here' AS written, :'here'::ledger = (SELECT l FROM l) AS read,
       ledger(book, 'month', 'UTC', at, provider, model, service_tier, tokens, label) = (SELECT l FROM l) AS made FROM call, b;
RESET datestyle; RESET intervalstyle; RESET extra_float_digits; RESET bytea_output;
SET timezone = 'UTC';

-- forms: text, binary, stored, merged
SELECT l FROM l2;
SELECT ledger(book, 'day', 'Asia/Kolkata', at, provider, model, service_tier, tokens, label) FROM call, b WHERE model IN ('night', 'dated') AND n < 18;
SELECT pg_column_size(l) < 1400 AS small, count(*) FROM l, lines(l) GROUP BY pg_column_size(l) < 1400;
CREATE TABLE ll (l ledger);
INSERT INTO ll SELECT ledger(book, 'quarter_hour', 'UTC', at, provider, model, service_tier, tokens, label || chr(9) || '"\' || repeat('é', 40) || n) FROM call, b;
INSERT INTO ll SELECT l FROM l;
INSERT INTO ll SELECT ledger(book, 'day', 'UTC', at, provider, model, service_tier, tokens, i::text) FROM call, b, generate_series(1, 300) i;
INSERT INTO ll VALUES (NULL), ('{"grain": "hour", "zone": "Europe/Berlin", "lines": []}');
SELECT count(*), bool_and(l::text::ledger = l) AS same FROM ll;
SELECT pg_column_size(l) > 8192 AS out_of_line, calls(l), (SELECT merge(x) FROM (VALUES (l)) v(x)) = l AS same FROM ll WHERE calls(l) > 1000;
SELECT merge(l) = (SELECT l FROM l) AS whole FROM (SELECT ledger(book, 'month', 'UTC', at, provider, model, service_tier, tokens, label) AS l FROM call, b GROUP BY n) x;
SELECT calls(merge(l)) FROM (SELECT l FROM l UNION ALL SELECT NULL UNION ALL SELECT l FROM l) x;
SELECT l = (SELECT l FROM l WHERE l <> l) AS nothing, l <> '{"grain": "month", "zone": "UTC"}' AS differ FROM l;
SELECT '{"grain": "day", "zone": "UTC"}'::ledger = '{"grain": "day", "zone": "Asia/Tokyo"}'::ledger AS zones, '{"grain": "day", "zone": "UTC"}'::ledger = '{"grain": "hour", "zone": "UTC"}'::ledger AS grains;
-- in plpgsql, changed while it is read
DO $$
DECLARE a ledger; b ledger; c ledger;
BEGIN
    SELECT l INTO a FROM l;
    b := regrain(a, 'month', 'UTC');
    c := b;
    SELECT merge(x) INTO b FROM (VALUES (b), (c)) v(x);
    IF a <> c OR calls(b) <> 2 * calls(a) THEN RAISE EXCEPTION 'a value has changed'; END IF;
END $$;
-- as a window aggregate
SELECT n, calls(ledger(book, 'month', 'UTC', at, provider, model, service_tier, tokens) OVER (ORDER BY n)), calls(ledger(book, 'month', 'UTC', at, provider, model, service_tier, tokens) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)) AS three,
       calls(merge(l.l) OVER (ORDER BY n)) AS merged FROM call, b, l WHERE n <= 5;
-- of two books, one after the other: what was booked by the last one, and what before
SELECT n, calls(ledger(CASE n % 2 WHEN 0 THEN b.book ELSE two.book END, 'month', 'UTC', at, provider, model, service_tier, tokens) OVER (ORDER BY n)) FROM call, b, two WHERE n <= 4;
-- who calls them is an aggregate
SELECT ledger_add(NULL, book, 'month', 'UTC', now(), 'v', 'flat', NULL, '{}') FROM b;
SELECT ledger_add(l, book, 'month', 'UTC', now(), 'v', 'flat', NULL, '{}', NULL, 1) FROM b, l;
SELECT ledger_merge(l, l) FROM l;
SELECT ledger_merge(NULL, NULL);
-- an aggregate of the user's that starts from a value of its own
CREATE AGGREGATE merge_onto(ledger) (SFUNC = ledger_merge, STYPE = ledger, INITCOND = '{"grain": "month", "zone": "UTC"}');
SELECT merge_onto(l) = merge(l) AS same FROM l;
DROP AGGREGATE merge_onto(ledger);

-- malformed
CREATE FUNCTION refusal(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE m text; d text;
BEGIN
    RETURN 'taken: ' || t::ledger;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || ' ' || m || ' | ' || d;
END $$;
SELECT t, refusal(t) FROM (VALUES ('') , ('x'), ('{'), ('[]'), ('1'), ('null'), ('"x"'), ('{}'), ('{"grain": "day"}'), ('{"zone": "UTC"}'),
    ('{"grain": "week", "zone": "UTC"}'), ('{"grain": 1, "zone": "UTC"}'), ('{"grain": null, "zone": "UTC"}'), ('{"grain": "day", "zone": ""}'), ('{"grain": "day", "zone": "Mars"}'), ('{"grain": "day", "zone": null}'), ('{"grain": "day", "zone": []}'),
    ('{"format": 2, "grain": "day", "zone": "UTC"}'), ('{"format": "1", "grain": "day", "zone": "UTC"}'), ('{"format": 1.5, "grain": "day", "zone": "UTC"}'),
    ('{"grain": "day", "zone": "UTC", "lines": {}}'), ('{"grain": "day", "zone": "UTC", "lines": 1}'), ('{"grain": "day", "zone": "UTC", "lines": [1]}'), ('{"grain": "day", "zone": "UTC", "lines": [[]]}'), ('{"grain": "day", "zone": "UTC", "lines": [null]}'), ('{"grain": "day", "zone": "UTC", "lines": [{}]}')) v(t);
-- of a good line one member is exchanged
SELECT member, value, refusal(jsonb_build_object('grain', 'day', 'zone', 'UTC', 'lines', jsonb_build_array(CASE WHEN value = '' THEN line #- string_to_array(member, '.') ELSE jsonb_set(line, string_to_array(member, '.'), value::jsonb) END))::text) AS refusal
FROM (VALUES ('{"period": "2026-01-05T00:00:00+00:00", "provider": "v", "model": "m", "service_tier": "standard", "calls": 2, "tokens": {"input": 5, "output": 1}, "contracted": {"above_input_tokens": 0, "currency": "USD", "cost": {"input": 0.1, "output": 0}}}'::jsonb)) l(line),
(VALUES ('x', '1'), ('period', ''), ('period', 'null'), ('period', '5'), ('period', '"x"'), ('period', '"infinity"'), ('period', '"2026-01-05T00:00:01Z"'), ('period', '"2026-01-05T01:00+01"'), ('period', '"999999-01-01Z"'),
    ('provider', ''), ('provider', '5'), ('provider', 'null'), ('model', '{}'), ('service_tier', ''), ('service_tier', '5'), ('label', '"x"'), ('label', '[]'),
    ('calls', ''), ('calls', '0'), ('calls', '-1'), ('calls', '1.5'), ('calls', '9223372036854775808'), ('calls', '1e400'), ('calls', '"1"'), ('calls', 'null'),
    ('tokens', ''), ('tokens', '[]'), ('tokens', '{}'), ('tokens', '{"input": -1}'), ('tokens', '{"input": 1, "out": 1}'), ('tokens', '{"input": 5}'), ('tokens', '{"input": 5, "output": 1, "reasoning": 1}'),
    ('fallback_tokens', '-1'), ('fallback_tokens', '"x"'), ('fallback_tokens', '3'), ('contracted', ''), ('contracted', 'null'), ('contracted', '[]'), ('contracted', '{}'), ('list', 'null'), ('list', '{}'), ('list', '{"unpriced": "unknown model"}'),
    ('contracted.currency', ''), ('contracted.currency', '"usd"'), ('contracted.currency', '"US"'), ('contracted.currency', '""'), ('contracted.currency', '1'), ('contracted.cost', ''), ('contracted.cost', '[]'), ('contracted.cost', '{"input": 1}'),
    ('contracted.cost.input', '-1'), ('contracted.cost.input', '"1"'), ('contracted.cost.input', '0.0000000000000001'), ('contracted.cost.input', '1e40'), ('contracted.cost.input', '170141183460469231731687.303715884105727'), ('contracted.cost.input', '170141183460469231731687.303715884105728'),
    ('contracted.above_input_tokens', '-1'), ('contracted.above_input_tokens', '-2'), ('contracted.above_input_tokens', '-1.4'), ('contracted.above_input_tokens', '1e30'), ('contracted.above_input_tokens', '"0"'), ('contracted.above_input_tokens', ''), ('contracted.above_input_tokens', '9223372036854775807'),
    ('contracted.up_to_input_tokens', '0'), ('contracted.up_to_input_tokens', '1'), ('contracted.up_to_input_tokens', '-1'), ('contracted.tier_basis', '"uncached"'), ('contracted.tier_basis', '"output"'), ('contracted.tier_basis', 'null'),
    ('contracted.off_peak', '1'), ('contracted.off_peak', 'true'), ('contracted.windows', '4294967295'), ('contracted.windows', '4294967296'), ('contracted.windows', '-1'), ('contracted.graduated', '"x"'), ('contracted.graduated', 'true'), ('contracted.approximate', '0'),
    ('contracted.unpriced', '"unknown model"'), ('contracted.unpriced', '"because"'), ('contracted.unpriced', '5'), ('contracted.lacks_rate', '["input"]'), ('contracted.lacks_rate', '["x"]'), ('contracted.lacks_rate', '{}'), ('contracted.lacks_rate', '[5]'), ('contracted.lacks_rate', '[]'),
    ('contracted', '{"unpriced": "unknown model"}'), ('contracted', '{"unpriced": "unknown model", "above_input_tokens": 5}'), ('contracted', '{"unpriced": "unknown model", "currency": "USD"}'), ('contracted', '{"unpriced": "unknown model", "cost": {}}'),
    ('contracted', '{"unpriced": "because"}'), ('contracted', '{"unpriced": "no tokens reported"}'), ('contracted', '{"unpriced": "no rate for a meter that was used"}'), ('contracted', '{"unpriced": "no rate for a meter that was used", "lacks_rate": ["tool_calls"]}'), ('contracted', '{"unpriced": "no rate for a meter that was used", "lacks_rate": ["output"]}')) v(member, value);
-- lines of one key are one line
SELECT '{"grain": "day", "zone": "UTC", "lines": [{"period": "2026-01-05T00:00:00Z", "calls": 1, "tokens": {}, "contracted": {"unpriced": "unknown model"}}, {"period": "2026-01-05T00:00:00Z", "calls": 2, "tokens": {"input": 1}, "contracted": {"unpriced": "unknown model"}}]}'::ledger;
SELECT refusal('{"grain": "day", "zone": "UTC", "lines": [{"period": "2026-01-05T00:00:00Z", "calls": 9223372036854775807, "tokens": {}, "contracted": {"unpriced": "unknown model"}}, {"period": "2026-01-05T00:00:00Z", "calls": 2, "tokens": {"input": 1}, "contracted": {"unpriced": "unknown model"}}]}');

-- long names that differ in one byte in the middle are names of their own, call by call
CREATE TABLE long_name AS SELECT v.*, 'many-bytes-of-a-name-' || letter || '-and-many-more-of-it' AS name FROM (VALUES ('a', 1), ('b', 20), ('c', 300)) v(letter, input);
CREATE TABLE long_book AS SELECT format('{"books": [{"prices": [%s]}]}', string_agg(format('{"provider": %s, "model": %s, "rates": {"currency": "USD", "input": %s}}', provider, to_jsonb(model), rate), ','))::price_book AS book
FROM (SELECT '"v"' AS provider, name AS model, input AS rate FROM long_name UNION ALL SELECT to_jsonb(name)::text, 'm', input FROM long_name) x;
SELECT right(provider, 22) AS provider, right(model, 22) AS model, calls, tokens, cost, unpriced
FROM (SELECT ledger(book, 'month', 'UTC', '2026-01-05', CASE n % 2 WHEN 0 THEN 'v' ELSE name END, CASE n % 2 WHEN 0 THEN name ELSE 'm' END, NULL, tokens(input => input) ORDER BY n / 2, letter, n) AS l
      FROM long_book, long_name, generate_series(0, 199) n) x, lines(l);
SELECT n % 2 AS long_provider, letter, sum(cost(book, CASE n % 2 WHEN 0 THEN 'v' ELSE name END, CASE n % 2 WHEN 0 THEN name ELSE 'm' END, '2026-01-05', tokens(input => input)))
FROM long_book, long_name, generate_series(0, 199) n GROUP BY 1, 2 ORDER BY 1, 2;
-- more strings than have ranks of 16 bits, the last of an odd rank: in any order, and in parts
CREATE TABLE many AS SELECT i, 'label ' || md5(i::text) AS label, tokens(input => i) AS tokens FROM generate_series(1, 70001) i;
CREATE TABLE many_l AS SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', 'flat', NULL, tokens, label) AS l FROM many, b;
SELECT (SELECT merge(part) FROM (SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', 'flat', NULL, tokens, label) AS part FROM many, b GROUP BY i <= 35000) x) = l AS parts,
       (SELECT ledger(book, 'month', 'UTC', '2026-01-05', 'v', 'flat', NULL, tokens, label ORDER BY label DESC) FROM many, b) = l AS backwards,
       spend(l) = (SELECT sum(i) * 1e-6 FROM many) AS spend
FROM many_l;
SELECT count(*), bool_and(x.label = m.label AND x.cost = m.i * 1e-6) AS in_order FROM (SELECT label, cost, ordinality FROM many_l, lines(l) WITH ORDINALITY) x
JOIN (SELECT i, label, row_number() OVER (ORDER BY label COLLATE "C") AS ordinality FROM many) m USING (ordinality);

-- coarser periods, and those of other zones: as if the calls had been counted so
CREATE TABLE spread AS
SELECT z.zone, t AS at, CASE WHEN extract(minute FROM t) = 7.5 THEN 'tiered' ELSE 'flat' END AS model, tokens(input => 100000 + 37 * row_number() OVER (), output => 3) AS tokens FROM (VALUES
    ('Europe/Berlin', '2026-03-29Z'::timestamptz), ('Europe/Berlin', '2026-10-25Z'), ('America/New_York', '2026-03-08Z'), ('America/New_York', '2026-11-01Z'), ('Asia/Kolkata', '2026-01-01Z'), ('Asia/Kathmandu', '2026-01-01Z'),
    ('Australia/Lord_Howe', '2026-04-05Z'), ('Australia/Lord_Howe', '2026-10-04Z'), ('America/Havana', '2021-03-14Z'), ('America/Havana', '2021-11-07Z'), ('Asia/Beirut', '2021-03-28Z'), ('Asia/Beirut', '2021-10-31Z'),
    ('America/Sao_Paulo', '2018-11-04Z'), ('America/Sao_Paulo', '2018-02-18Z'), ('Pacific/Apia', '2011-12-30Z'), ('UTC', '1970-01-01Z')) z(zone, day),
    generate_series(z.day - interval '30 hours', z.day + interval '54 hours', interval '7 minutes 30 seconds') t;
SELECT s.zone, g AS grain, count(*), regrain(ledger(book, 'quarter_hour', 'UTC', at, 'v', model, NULL, tokens), g, s.zone) = ledger(book, g, s.zone, at, 'v', model, NULL, tokens) AS same,
       (SELECT count(DISTINCT period) FROM lines(ledger(book, g, s.zone, at, 'v', model, NULL, tokens))) AS periods
FROM spread s, b, unnest('{quarter_hour,hour,day,month}'::text[]) g GROUP BY s.zone, g ORDER BY 1, array_position('{quarter_hour,hour,day,month}', g);
SELECT regrain(ledger(book, 'day', 'Pacific/Apia', at, 'v', model, NULL, tokens), 'month', 'Pacific/Apia') = ledger(book, 'month', 'Pacific/Apia', at, 'v', model, NULL, tokens) AS day_to_month FROM spread, b;
SELECT regrain(l, 'month', 'UTC') = l AS same FROM l;
SELECT regrain('{"grain": "day", "zone": "UTC"}', 'month', 'Asia/Tokyo');
SELECT regrain(l, 'day', 'UTC') FROM l;
SELECT regrain(l, 'month', 'Asia/Tokyo') FROM l;
SELECT regrain(ledger(book, 'hour', 'UTC', at, 'v', model, NULL, tokens), 'day', 'Asia/Kathmandu') FROM spread, b;
SELECT regrain(ledger(book, 'hour', 'UTC', at, 'v', model, NULL, tokens), 'day', 'Asia/Tokyo') = ledger(book, 'day', 'Asia/Tokyo', at, 'v', model, NULL, tokens) AS whole_hours FROM spread, b;
-- local mean time cuts quarters of an hour
SELECT regrain(ledger(book, 'quarter_hour', 'UTC', '1890-01-01 00:00Z', 'v', 'flat', NULL, '{}'), 'day', 'UTC') IS NOT NULL AS utc FROM b;
SELECT regrain(ledger(book, 'quarter_hour', 'UTC', '1890-01-01 05:55Z', 'v', 'flat', NULL, '{}'), 'day', 'America/Caracas') FROM b;
SELECT regrain(ledger(book, 'quarter_hour', 'UTC', '1880-01-01 04:20Z', 'v', 'flat', NULL, '{}'), 'day', 'America/Caracas') FROM b;
SELECT regrain(l, 'week', 'UTC') FROM l;
SELECT regrain(l, 'month', 'Mars') FROM l;
SELECT regrain(NULL, 'month', 'UTC'), regrain(l, NULL, 'UTC') FROM l;

-- re-pricing: exact, or refused, or marked
CREATE FUNCTION try_reprice(l ledger, book price_book) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN 'exact ' || (SELECT string_agg(coalesce(cost::text || ' ' || currency, unpriced), ', ' ORDER BY cost) FROM lines(reprice(l, book)) WHERE NOT approximate);
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN 'refused';
END $$;
CREATE FUNCTION one(variadic rows text[]) RETURNS price_book LANGUAGE sql AS
$$ SELECT format('{"books": [{"prices": [%s]}]}', string_agg(format('{"provider": "v", "model": "m", %s}', r), ','))::price_book FROM unnest(rows) r $$;
CREATE TABLE books (name text, book price_book);
INSERT INTO books VALUES
    ('flat', one('"rates": {"currency": "USD", "input": 2, "output": 1}')),
    ('in euro', one('"rates": {"currency": "EUR", "input": 3, "output": 1}')),
    ('changes', one('"rates": {"currency": "USD", "input": 2, "output": 1}, "valid": [null, "2026-01-10T00:00:00Z"]', '"rates": {"currency": "USD", "input": 4, "output": 1}, "valid": ["2026-01-10T00:00:00Z", null]')),
    ('changes between', one('"rates": {"currency": "USD", "input": 2, "output": 1}, "valid": [null, "2026-02-01T00:00:00Z"]', '"rates": {"currency": "USD", "input": 4, "output": 1}, "valid": ["2026-02-01T00:00:00Z", null]')),
    ('ends', one('"rates": {"currency": "USD", "input": 2, "output": 1}, "valid": [null, "2026-01-10T00:00:00Z"]')),
    ('above 200000', one('"rates": {"currency": "USD", "input": 2, "output": 1}', '"rates": {"currency": "USD", "input": 4, "output": 2}, "above_input_tokens": 200000')),
    ('above 100000', one('"rates": {"currency": "USD", "input": 2, "output": 1}', '"rates": {"currency": "USD", "input": 4, "output": 2}, "above_input_tokens": 100000')),
    ('above 300000', one('"rates": {"currency": "USD", "input": 2, "output": 1}', '"rates": {"currency": "USD", "input": 4, "output": 2}, "above_input_tokens": 300000')),
    ('uncached above 200000', one('"rates": {"currency": "USD", "input": 2, "output": 1}, "tier_basis": "uncached"', '"rates": {"currency": "USD", "input": 4, "output": 2}, "above_input_tokens": 200000, "tier_basis": "uncached"')),
    ('sliced at 200000', one('"rates": {"currency": "USD", "input": 2, "output": 1}, "tier_mode": "graduated"', '"rates": {"currency": "USD", "input": 4, "output": 2}, "above_input_tokens": 200000, "tier_mode": "graduated"')),
    ('only above 200000', one('"rates": {"currency": "USD", "input": 4, "output": 2}, "above_input_tokens": 200000')),
    ('nights', one('"rates": {"currency": "USD", "input": 2, "output": 1}', '"rates": {"currency": "USD", "input": 1, "output": 0.5}, "off_peak": [[0, 480], [1440, 1920]]')),
    ('the same nights', one('"rates": {"currency": "USD", "input": 20, "output": 10}', '"rates": {"currency": "USD", "input": 10, "output": 5}, "off_peak": [[0, 480], [1440, 1920]]')),
    ('other nights', one('"rates": {"currency": "USD", "input": 2, "output": 1}', '"rates": {"currency": "USD", "input": 1, "output": 0.5}, "off_peak": [[0, 480], [1440, 1919]]')),
    ('nights in Tokyo', one('"rates": {"currency": "USD", "input": 2, "output": 1}, "off_peak_zone": "Asia/Tokyo"', '"rates": {"currency": "USD", "input": 1, "output": 0.5}, "off_peak": [[0, 480], [1440, 1920]], "off_peak_zone": "Asia/Tokyo"')),
    ('only nights', one('"rates": {"currency": "USD", "input": 1, "output": 0.5}, "off_peak": [[0, 480], [1440, 1920]]')),
    ('always off-peak', one('"rates": {"currency": "USD", "input": 1, "output": 0.5}, "off_peak": [[0, 10080]]')),
    ('nights, and nights of the large', one('"rates": {"currency": "USD", "input": 2, "output": 1}', '"rates": {"currency": "USD", "input": 1, "output": 0.5}, "off_peak": [[0, 480], [1440, 1920]]',
                                            '"rates": {"currency": "USD", "input": 0.1, "output": 0.1}, "above_input_tokens": 200000, "off_peak": [[60, 480]]')),
    ('no output', one('"rates": {"currency": "USD", "input": 2}')),
    ('nothing', '{"books": []}'), ('other tier', one('"rates": {"currency": "USD", "input": 2, "output": 1}, "service_tier": "batch"'));
CREATE TABLE c (n int GENERATED ALWAYS AS IDENTITY, at timestamptz, tokens tokens);
-- small by day, small by night, large by day, large by night; no output at first
INSERT INTO c (at, tokens) VALUES ('2026-01-05 12:00Z', '{"input": 150000}'), ('2026-01-06 03:00Z', '{"input": 150000}'), ('2026-01-20 12:00Z', '{"input": 150000, "cache_read": 100000}'), ('2026-01-05 03:00Z', '{"input": 250000}');
SELECT f.name AS priced_by, t.name AS repriced_by, try_reprice(ledger(f.book, 'month', 'UTC', at, 'v', 'm', NULL, tokens), (SELECT book FROM books x WHERE x.name = t.name)) AS outcome,
       sum(cost(t.book, 'v', 'm', at, tokens)) AS of_calls
FROM books f, books t, c WHERE f.name IN ('flat', 'above 200000', 'uncached above 200000', 'sliced at 200000', 'nights', 'nights, and nights of the large', 'changes', 'only nights', 'nothing') GROUP BY f.name, t.name ORDER BY f.name, t.name;
CREATE TABLE of_book AS SELECT name, book, grain, x.* FROM books, unnest('{month,day,hour,quarter_hour}'::text[]) grain,
    LATERAL (SELECT ledger(book, grain, 'UTC', at, 'v', 'm', NULL, tokens) AS l, sum(cost(book, 'v', 'm', at, tokens)) AS of_calls FROM c) x;
-- what is called exact is what the calls cost, at every grain; and the other way is not always refused
SELECT grain, count(*) FILTER (WHERE outcome LIKE 'exact%') AS exact, count(*) FILTER (WHERE outcome = 'refused') AS refused, count(*) FILTER (WHERE outcome LIKE 'exact%' AND NOT right_sum) AS wrong FROM (
    SELECT grain, outcome, CASE WHEN outcome LIKE 'exact%' THEN spend(reprice(l, book)) IS NOT DISTINCT FROM of_calls AND unpriced(reprice(l, book)) = unpriced(direct) END AS right_sum FROM (
        SELECT grain, t.book, f.l, t.l AS direct, try_reprice(f.l, t.book) AS outcome, t.of_calls FROM of_book f JOIN of_book t USING (grain)) x) y GROUP BY grain ORDER BY 1;
-- by itself
SELECT name, grain, CASE try_reprice(l, book) WHEN 'refused' THEN 'refused' ELSE (reprice(l, book) = l)::text END AS same FROM of_book WHERE grain IN ('month', 'hour') ORDER BY 1, 2;
-- the message, and guesses that stay guesses
SELECT reprice(l, (SELECT book FROM books WHERE name = 'changes')) FROM of_book WHERE (name, grain) = ('flat', 'month');
SELECT reprice(l, (SELECT book FROM books WHERE name = 'above 200000'), false) FROM of_book WHERE (name, grain) = ('flat', 'day');
CREATE TABLE guess AS SELECT t.name, reprice(f.l, t.book, true) AS l FROM of_book f, books t WHERE (f.name, f.grain) = ('flat', 'month') AND t.name IN ('changes', 'above 200000', 'nights', 'in euro', 'no output');
SELECT name, above_input_tokens AS above, off_peak, currency, calls, cost, unpriced, approximate FROM guess, lines(l) ORDER BY name;
SELECT bool_and(l::text::ledger = l) AS text_form, count(DISTINCT l::text) FROM guess;
-- a guess tells nothing of the calls: what was guessed is no ground for another price
SELECT name, try_reprice(l, (SELECT book FROM books WHERE name = 'above 200000')) AS above, try_reprice(l, (SELECT book FROM books WHERE name = 'the same nights')) AS nights, try_reprice(l, (SELECT book FROM books WHERE name = 'flat')) AS flat FROM guess ORDER BY name;
-- rates that a book lacks: known of all calls of a line, or of one call
SELECT f.name, calls, try_reprice(ledger(f.book, 'month', 'UTC', '2026-01-05', 'v', 'm', NULL, tokens, NULL, calls), (SELECT book FROM books WHERE name = 'no output')) FROM books f, (VALUES (1, '{"input": 1, "output": 2}'::tokens), (2, '{"input": 1, "output": 2}'), (2, '{"input": 5}')) v(calls, tokens)
WHERE f.name IN ('flat', 'no output') GROUP BY f.name, calls ORDER BY 1, 2;
-- two layers: each by its own
SELECT try_reprice(l, book) FROM l2, two;
SELECT cost, list_cost, currency, list_currency FROM b, LATERAL (SELECT reprice(ledger(two.book, 'month', 'UTC', '2026-01-05', 'v', 'tiered', NULL, '{"input": 200001}'), b.book) AS l FROM two) x, lines(x.l);
SELECT reprice(NULL, book), reprice(l, NULL), reprice(l, book, NULL) FROM l, b;
-- no tokens stay none
SELECT unpriced, calls, spend(r) FROM (SELECT reprice((SELECT ledger(NULL, 'month', 'UTC', '2026-01-05', 'v', 'flat', NULL, NULL)), book) AS r FROM b) x, lines(r);

DROP TABLE p, b, call, l, dear, two, l2, ll, spread, long_name, long_book, many, many_l, books, c, guess, of_book;
DROP FUNCTION refusal, try_reprice, one;
