-- 10,000 random cases of every operation, equal to numeric arithmetic in SQL.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE;
SET search_path = public, tokenomics;
SELECT plan(18);
SELECT setseed(0.20261123);

-- counts and rates of every size, absent ones too; row by row so that they differ
CREATE FUNCTION any_count() RETURNS numeric LANGUAGE sql VOLATILE AS
$$ SELECT CASE WHEN random() < 0.3 THEN NULL WHEN random() < 0.1 THEN 0 WHEN random() < 0.02 THEN 9223372036854775807 / 1000 ELSE floor(random() ^ 4 * 10 ^ (random() * 12)) END::numeric $$;
CREATE FUNCTION any_rate() RETURNS numeric LANGUAGE sql VOLATILE AS
$$ SELECT CASE WHEN random() < 0.3 THEN NULL WHEN random() < 0.1 THEN 0 ELSE trim_scale(round((random() * 10 ^ (random() * 6))::numeric, (random() * 9)::int)) END $$;
CREATE TABLE meter AS SELECT ordinality::int AS n, meter, side, fallback FROM meters() WITH ORDINALITY;
CREATE TABLE quantity AS SELECT i, m.n, m.meter, m.side, any_count() AS a, any_count() AS b, any_rate() AS rate FROM generate_series(1, 10000) i, meter m;
CREATE TABLE value AS
SELECT i, coalesce(jsonb_object_agg(meter, a) FILTER (WHERE a IS NOT NULL), '{}')::tokens AS a,
       coalesce(jsonb_object_agg(meter, b) FILTER (WHERE b IS NOT NULL), '{}')::tokens AS b,
       (coalesce(jsonb_object_agg(meter, rate) FILTER (WHERE rate IS NOT NULL), '{}') || '{"currency": "USD"}')::rates AS rates,
       (floor(random() * 2000) / 1000)::numeric(9, 3) AS factor
FROM quantity GROUP BY i;
CREATE INDEX ON quantity (i);
ANALYZE quantity; ANALYZE value;

SELECT is(count(*), 120000::bigint, 'each meter has its count') FROM quantity q JOIN value v USING (i)
WHERE (v.a -> q.meter)::numeric IS NOT DISTINCT FROM q.a AND rate(v.rates, q.meter) IS NOT DISTINCT FROM q.rate;
SELECT is(count(*), 10000::bigint, 'totals') FROM value v JOIN
    (SELECT i, coalesce(sum(a) FILTER (WHERE side IS NOT NULL), 0) AS total, coalesce(sum(a) FILTER (WHERE side = 'input'), 0) AS input, coalesce(sum(a) FILTER (WHERE side = 'output'), 0) AS output FROM quantity GROUP BY i) s USING (i)
WHERE total(v.a) = s.total AND input_total(v.a) = s.input AND output_total(v.a) = s.output;
SELECT is(count(*), 120000::bigint, 'plus') FROM quantity q JOIN value v USING (i)
WHERE ((v.a + v.b) -> q.meter)::numeric IS NOT DISTINCT FROM CASE WHEN q.a IS NULL AND q.b IS NULL THEN NULL ELSE coalesce(q.a, 0) + coalesce(q.b, 0) END;
SELECT is(count(*), 120000::bigint, 'minus undoes plus, meter by meter') FROM quantity q JOIN value v USING (i)
WHERE (((v.a + v.b) - v.b) -> q.meter)::numeric IS NOT DISTINCT FROM CASE WHEN q.a IS NULL AND q.b IS NULL THEN NULL ELSE coalesce(q.a, 0) END;
CREATE FUNCTION subtract(a tokens, b tokens) RETURNS tokens LANGUAGE plpgsql AS
$$ BEGIN RETURN a - b; EXCEPTION WHEN numeric_value_out_of_range THEN RETURN NULL; END $$;
SELECT is(count(*), 10000::bigint, 'minus is refused exactly where a meter would fall below zero')
FROM value v JOIN (SELECT i, bool_or(coalesce(b, 0) > coalesce(a, 0)) AS below FROM quantity GROUP BY i) s USING (i) WHERE (subtract(v.a, v.b) IS NULL) = s.below;
SELECT is((SELECT sum(a) FROM value) -> m.meter, s.sum::bigint, 'sum of ' || m.meter) FROM meter m JOIN (SELECT meter, sum(a) FROM quantity GROUP BY meter) s USING (meter) WHERE m.n = 1;
SELECT is(sum(a), (SELECT sum(p) FROM (SELECT sum(a) AS p FROM value GROUP BY i % 17) x), 'the sum of parts is the whole') FROM value;
SELECT is((SELECT sum(a ORDER BY i DESC) FROM value), (SELECT sum(a ORDER BY b) FROM value), 'in any order');

-- text, jsonb, comparison
SELECT is(count(*), 10000::bigint, 'text and jsonb forms round-trip') FROM value
WHERE a::text::tokens = a AND a::jsonb::tokens = a AND rates::text::rates = rates AND rates::jsonb::rates = rates AND tokens_hash(a) = tokens_hash(a::text::tokens);
SELECT is(count(*), 9999::bigint, 'the order is that of the counts') FROM (SELECT a <= lead(a) OVER (ORDER BY array_agg) AS ordered FROM
    (SELECT v.a, array_agg(coalesce(q.a, -1) ORDER BY q.n) FROM value v JOIN quantity q USING (i) GROUP BY v.i, v.a) x) y WHERE ordered;

-- cost: fallbacks resolved in SQL, one row for each meter
CREATE TABLE priced AS
SELECT q.i, q.n, q.meter, q.side, q.a, coalesce(q.rate, f1.rate, f2.rate) AS rate
FROM quantity q JOIN meter m USING (meter)
LEFT JOIN quantity f1 ON f1.i = q.i AND f1.meter = m.fallback
LEFT JOIN meter m1 ON m1.meter = m.fallback
LEFT JOIN quantity f2 ON f2.i = q.i AND f2.meter = m1.fallback;
CREATE TABLE expected AS
SELECT i, CASE WHEN bool_or(a > 0 AND rate IS NULL) THEN NULL ELSE coalesce(sum(a * rate), 0) * 0.000001 END AS cost FROM priced GROUP BY i;
SELECT is(count(*), 10000::bigint, 'cost') FROM value v JOIN expected e USING (i) WHERE cost(v.rates, v.a) IS NOT DISTINCT FROM e.cost;
SELECT cmp_ok(count(*), '>', 1000::bigint, 'many of them are priced') FROM expected WHERE cost > 0;

-- rates times a factor: exact, or refused
CREATE FUNCTION multiply(r rates, f numeric) RETURNS rates LANGUAGE plpgsql AS
$$ BEGIN RETURN r * f; EXCEPTION WHEN numeric_value_out_of_range THEN RETURN NULL; END $$;
SELECT is(count(*), 10000::bigint, 'factors') FROM value v JOIN
    (SELECT q.i, bool_and(scale(trim_scale(q.rate * v.factor)) <= 9) IS NOT FALSE AS fits FROM quantity q JOIN value v USING (i) GROUP BY q.i) s USING (i)
WHERE CASE WHEN s.fits THEN (SELECT bool_and(rate(multiply(v.rates, v.factor), q.meter) IS NOT DISTINCT FROM q.rate * v.factor) FROM quantity q WHERE q.i = v.i)
      ELSE multiply(v.rates, v.factor) IS NULL END;

-- a book of two thresholds, both bases, both modes: by formula in SQL
CREATE TABLE tiered AS
SELECT i % 4 AS kind, CASE i % 2 WHEN 0 THEN 'input_total' ELSE 'uncached' END AS basis, CASE WHEN i % 4 < 2 THEN 'whole' ELSE 'graduated' END AS mode, i,
       floor(1 + random() * 1000)::bigint AS t1, floor(2000 + random() * 1000000)::bigint AS t2,
       (SELECT coalesce(jsonb_object_agg(q.meter, least(q.a, 1000000000000)) FILTER (WHERE q.a IS NOT NULL), '{}')::tokens FROM quantity q WHERE q.i = s.i) AS tokens
FROM generate_series(1, 10000) s(i);
CREATE TABLE p AS
SELECT 'v'::text AS provider, 'm' || i AS model, t.above AS above_input_tokens, basis AS tier_basis, mode AS tier_mode, tstzrange(NULL, NULL) AS valid,
       format('{"currency": "USD", "input": %s, "cache_read": %s, "output": %s, "tool_calls": %s, "cache_storage": 1}', 3 + t.k, 0.3 * (1 + t.k), 15.000000001 - t.k, 2 * t.k)::rates AS rates
FROM tiered, LATERAL (VALUES (0, 0::bigint), (1, t1), (2, t2)) t(k, above);
-- the share of each meter below a threshold: running totals of a side, floored
CREATE TABLE below AS
SELECT x.i, x.mode, x.t1, x.t2, m.n, m.meter, x.part, coalesce((x.tokens -> m.meter)::numeric, 0) AS a,
       sum(coalesce((x.tokens -> m.meter)::numeric, 0)) OVER w AS running, x.base
FROM (SELECT *, CASE basis WHEN 'uncached' THEN input_total(tokens) - coalesce(tokens -> 'cache_read', 0) - coalesce(tokens -> 'cache_write', 0) - coalesce(tokens -> 'cache_write_1h', 0)
                ELSE input_total(tokens) END::numeric AS base, NULL::text AS part FROM tiered) x
CROSS JOIN meter m
WINDOW w AS (PARTITION BY x.i, coalesce(m.side, 'none'), x.basis = 'uncached' AND m.meter IN ('cache_read', 'cache_write', 'cache_write_1h') ORDER BY m.n);
ANALYZE tiered; ANALYZE p; ANALYZE below;
CREATE TABLE expected_tiered AS
WITH cut AS (
    SELECT *, CASE WHEN base > t1 THEN div(running * t1, base) - div((running - a) * t1, base) ELSE a END AS below1,
           CASE WHEN base > t2 THEN div(running * t2, base) - div((running - a) * t2, base) ELSE a END AS below2 FROM below),
slice AS (
    SELECT i, meter, k, CASE WHEN mode = 'whole' THEN CASE WHEN k = (base > t1)::int + (base > t2)::int THEN a ELSE 0 END
                        ELSE CASE k WHEN 0 THEN below1 WHEN 1 THEN below2 - below1 ELSE a - below2 END END AS tokens
    FROM cut, generate_series(0, 2) k)
SELECT s.i, sum(s.tokens * coalesce(effective_rate(p.rates, s.meter), 0)) * 0.000001 AS cost
FROM slice s JOIN tiered t USING (i) JOIN p ON p.model = 'm' || s.i AND p.above_input_tokens = CASE s.k WHEN 0 THEN 0 WHEN 1 THEN t.t1 ELSE t.t2 END
GROUP BY s.i;
ANALYZE expected_tiered;
SELECT is(count(*), 10000::bigint, 'thresholds, whole and graduated, by both bases')
FROM tiered t JOIN expected_tiered e USING (i) WHERE cost((SELECT price_book(p) FROM p), 'v', 'm' || i, now(), tokens) = e.cost;
SELECT is(count(*), 10000::bigint, 'the parts of explain_cost add up to cost')
FROM tiered t WHERE coalesce((SELECT sum(x.cost) FROM explain_cost((SELECT price_book(p) FROM p), 'v', 'm' || i, now(), t.tokens) x), 0) = cost((SELECT price_book(p) FROM p), 'v', 'm' || i, now(), t.tokens);
SELECT is(count(*), 0::bigint, 'and their tokens to the tokens of the call') FROM tiered t, meter m
WHERE t.i <= 1000 AND (SELECT sum(x.tokens) FROM explain_cost((SELECT price_book(p) FROM p), 'v', 'm' || i, now(), t.tokens) x WHERE x.meter = m.meter) IS DISTINCT FROM (t.tokens -> m.meter)::numeric;

-- dates: 10,000 random times over 300 versions
CREATE TABLE dated AS SELECT 'v'::text AS provider, 'd' || k % 7 AS model, tstzrange('2026-01-01Z'::timestamptz + k * interval '37 hours', '2026-01-01Z'::timestamptz + (k + 7) * interval '37 hours') AS valid,
    format('{"currency": "USD", "input": %s}', k)::rates AS rates FROM generate_series(1, 300) k;
SELECT is(count(*), 10000::bigint, 'each time finds its version')
FROM (SELECT 'd' || i % 7 AS model, '2025-12-20Z'::timestamptz + random() * interval '500 days' AS at FROM generate_series(1, 10000) i OFFSET 0) c
WHERE cost((SELECT price_book(d) FROM dated d), 'v', c.model, c.at, tokens(input => 1000000)) IS NOT DISTINCT FROM (SELECT rate(d.rates, 'input') FROM dated d WHERE d.model = c.model AND d.valid @> c.at);
SELECT is((SELECT price_book(d ORDER BY random()) FROM dated d)::text, (SELECT price_book(d) FROM dated d)::text, 'a book does not depend on the order of rows');
SELECT * FROM finish();
ROLLBACK;
