-- Random markets with items that enter and leave: the effects add up to the
-- change, parts to their wholes, to the last digit, and are what the mean over
-- all orders of the factors is; whatever the order of the rows.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE;
SET search_path = public, tokenomics;
SELECT plan(22);
SELECT setseed(0.20261124);

-- Prices of 1e-9 to 1 with up to 15 decimals in each cost, a third unchanged,
-- some free; quantities of 1 to 1e9, some the same, some 0; rates of exchange.
CREATE TABLE drawn AS
SELECT market, item, presence, round(p0::numeric, 15) AS p0, q0, round(CASE WHEN draw < 0.33 THEN p0 WHEN draw < 0.4 THEN 0 ELSE p1 END::numeric, 15) AS p1, CASE WHEN draw > 0.9 THEN q0 ELSE q1 END AS q1, draw > 0.95 AS is_credit
FROM (SELECT m AS market, i AS item, random() AS presence, CASE WHEN random() < 0.03 THEN 0 ELSE 10 ^ (-9 * random()) END AS p0, 10 ^ (-9 * random()) AS p1,
             CASE WHEN random() < 0.05 THEN 0 ELSE floor(10 ^ (9 * random())) END::numeric AS q0, CASE WHEN random() < 0.05 THEN 0 ELSE floor(10 ^ (9 * random())) END::numeric AS q1, random() AS draw
      FROM generate_series(1, 10000) m, generate_series(1, 1 + m % 6) i) r;
CREATE TABLE item AS
SELECT market, item, CASE WHEN presence < 0.85 THEN q0 END AS q0, CASE WHEN presence < 0.85 THEN p0 * q0 * sign END AS c0, CASE WHEN presence < 0.7 OR presence > 0.85 THEN q1 END AS q1,
       CASE WHEN presence < 0.7 OR presence > 0.85 THEN p1 * q1 * sign END AS c1, p0, p1, 0.5 + (market * 7 % 10) / 10.0 AS fx0, CASE WHEN market % 3 = 0 THEN 0.5 + (market * 7 % 10) / 10.0 ELSE 0.7 + (market * 3 % 10) / 7.0 END AS fx1
FROM drawn, LATERAL (SELECT CASE WHEN is_credit THEN -1 ELSE 1 END AS sign) s;
CREATE TABLE matched AS
SELECT *, q0 IS NOT NULL AND q1 IS NOT NULL AS is_matched, sum(q0) FILTER (WHERE q0 IS NOT NULL AND q1 IS NOT NULL) OVER w AS t0, sum(q1) FILTER (WHERE q0 IS NOT NULL AND q1 IS NOT NULL) OVER w AS t1,
       round(c0 * fx0, 12) AS v0, round(c1 * fx1, 12) AS v1
FROM item WINDOW w AS (PARTITION BY market);
CREATE TABLE effect AS SELECT m.*, e.* FROM matched m, LATERAL bill_effects(c0, q0, c1, q1, t0, t1) e;

SELECT cmp_ok(count(*), '>', 1000::bigint, 'markets in which items enter and leave') FROM (SELECT FROM effect GROUP BY market HAVING bool_or(new_effect <> 0) AND bool_or(discontinued_effect <> 0)) m;
SELECT is(count(*), 0::bigint, 'the effects of an item add up to its change') FROM effect
WHERE price_effect + volume_effect + mix_effect + new_effect + discontinued_effect + currency_effect <> coalesce(c1, 0) - coalesce(c0, 0);
SELECT is(count(*), 0::bigint, 'and those of a market to its own') FROM (SELECT FROM effect GROUP BY market HAVING sum(price_effect) + sum(volume_effect) + sum(mix_effect) + sum(new_effect) + sum(discontinued_effect) <> coalesce(sum(c1), 0) - coalesce(sum(c0), 0)) m;
SELECT is(count(*), 0::bigint, 'what is new or gone is nothing else') FROM effect WHERE NOT is_matched AND (price_effect <> 0 OR volume_effect <> 0 OR mix_effect <> 0 OR new_effect <> coalesce(c1, 0) OR discontinued_effect <> -coalesce(c0, 0));
SELECT is(count(*), 0::bigint, 'a price that has not changed has no effect') FROM effect WHERE is_matched AND p0 = p1 AND price_effect <> 0;
SELECT cmp_ok(count(*), '>', 5000::bigint, 'of which there are many') FROM effect WHERE is_matched AND p0 = p1 AND q0 <> q1;
SELECT is(count(*), 0::bigint, 'nor has a volume that has not') FROM effect WHERE t0 = t1 AND volume_effect <> 0;

-- the mean over the six orders, written down: each factor changes in turn
SELECT is(count(*), 0::bigint, 'they are the mean over all orders') FROM (
    SELECT m.*, q0 * 1.000000000000000000000000000000000000000000000000000000000000 / t0 AS m0, q1 * 1.000000000000000000000000000000000000000000000000000000000000 / t1 AS m1, c0 * 1.000000000000000000000000000000000000000000000000000000000000 / q0 AS r0, c1 * 1.000000000000000000000000000000000000000000000000000000000000 / q1 AS r1
    FROM effect m WHERE is_matched AND q0 > 0 AND q1 > 0) x
WHERE abs(price_effect - (r1 - r0) * (2 * t0 * m0 + 2 * t1 * m1 + t0 * m1 + t1 * m0) / 6) > 0.000000000003
   OR abs(mix_effect - (m1 - m0) * (2 * t0 * r0 + 2 * t1 * r1 + t0 * r1 + t1 * r0) / 6) > 0.000000000003
   OR abs(volume_effect - (t1 - t0) * (2 * m0 * r0 + 2 * m1 * r1 + m0 * r1 + m1 * r0) / 6) > 0.000000000003;
SELECT is(count(*), 0::bigint, 'at most one effect has more than 12 decimals') FROM effect WHERE (scale(trim_scale(price_effect)) > 12)::int + (scale(trim_scale(volume_effect)) > 12)::int + (scale(trim_scale(mix_effect)) > 12)::int > 1;
SELECT is(count(*), 0::bigint, 'time turned round turns the effects') FROM effect m, LATERAL bill_effects(c1, q1, c0, q0, t1, t0) e
WHERE abs(e.price_effect + m.price_effect) > 0.000000000003 OR abs(e.volume_effect + m.volume_effect) > 0.000000000003 OR abs(e.mix_effect + m.mix_effect) > 0.000000000003
   OR e.new_effect <> -m.discontinued_effect;
SELECT is(count(*), 0::bigint, 'rows in any order, and in groups: the same sums') FROM
    (SELECT market, sum(price_effect) AS price, sum(mix_effect) AS mix FROM (SELECT * FROM effect ORDER BY md5(market::text || item) DESC) e GROUP BY 1) a
    JOIN (SELECT market, sum(price) AS price, sum(mix) AS mix FROM (SELECT market, item % 2, sum(price_effect) AS price, sum(mix_effect) AS mix FROM effect GROUP BY 1, 2) g GROUP BY 1) b USING (market)
WHERE a.price <> b.price OR a.mix <> b.mix;

-- in another currency
CREATE TABLE converted AS SELECT m.*, e.* FROM matched m, LATERAL bill_effects(c0, q0, c1, q1, t0, t1, v0, v1) e;
SELECT is(count(*), 0::bigint, 'in another currency they add up too') FROM converted
WHERE price_effect + volume_effect + mix_effect + new_effect + discontinued_effect + currency_effect <> coalesce(v1, 0) - coalesce(v0, 0);
SELECT is(count(*), 0::bigint, 'a rate that has not changed has no effect, nor a price, whatever was rounded') FROM converted WHERE fx0 = fx1 AND currency_effect <> 0 OR p0 = p1 AND is_matched AND price_effect <> 0;
SELECT cmp_ok(count(*), '>', 5000::bigint, 'and one that has has') FROM converted WHERE currency_effect <> 0;

-- parts: each item is split among four teams, some of which have nothing, at
-- prices of their own
CREATE TABLE part AS
SELECT i.*, team, CASE team WHEN 4 THEN q0 - (a0 + b0) ELSE (ARRAY[a0, 0, b0])[team] END AS pq0, CASE team WHEN 4 THEN q1 - (a1 + b1) ELSE (ARRAY[a1, b1, 0])[team] END AS pq1,
       CASE team WHEN 4 THEN c0 - d0 WHEN 1 THEN CASE WHEN a0 > 0 THEN d0 ELSE 0 END WHEN 3 THEN CASE WHEN a0 > 0 THEN 0 ELSE d0 END ELSE 0 END AS pc0, CASE team WHEN 4 THEN c1 - d1 WHEN 1 THEN CASE WHEN a1 > 0 THEN d1 ELSE 0 END WHEN 2 THEN CASE WHEN a1 > 0 THEN 0 ELSE d1 END ELSE 0 END AS pc1
FROM (SELECT i.*, floor(q0 / 3) AS a0, floor(q0 / 5) AS b0, floor(q1 / 4) AS a1, floor(q1 / 7) AS b1,
             CASE WHEN q0 >= 5 THEN round(c0 * CASE WHEN market % 2 = 0 THEN 0.1 ELSE 0 END, 15) ELSE 0 END AS d0, CASE WHEN q1 >= 7 THEN round(c1 * CASE WHEN market % 2 = 0 THEN 0.3 ELSE 0 END, 15) ELSE 0 END AS d1
      FROM matched i WHERE market % 4 < 2 AND is_matched) i, generate_series(1, 4) team;
-- nothing is paid for nothing
DELETE FROM part p USING part o WHERE p.market = o.market AND p.item = o.item AND (o.pq0 = 0 AND o.pc0 <> 0 OR o.pq1 = 0 AND o.pc1 <> 0);
CREATE TABLE contribution AS
SELECT market, item, team, pc0, pc1, q0, q1, p0, p1, (e).price_effect - coalesce((lag(e) OVER w).price_effect, 0) AS price, (e).volume_effect - coalesce((lag(e) OVER w).volume_effect, 0) AS volume, (e).mix_effect - coalesce((lag(e) OVER w).mix_effect, 0) AS mix
FROM (SELECT p.*, bill_effects_of_part(sum(pc0) OVER w, sum(pq0) OVER w, sum(pc1) OVER w, sum(pq1) OVER w, c0, q0, c1, q1, t0, t1) AS e FROM part p WINDOW w AS (PARTITION BY market, item ORDER BY team)) s
WINDOW w AS (PARTITION BY market, item ORDER BY team);
SELECT cmp_ok(count(*), '>', 20000::bigint, 'parts') FROM contribution;
SELECT is(count(*), 0::bigint, 'each part''s contributions add up to its change') FROM contribution WHERE price + volume + mix <> pc1 - pc0;
SELECT is(count(*), 0::bigint, 'and all parts'' to the effects of the item') FROM (SELECT market, item, sum(price) AS price, sum(volume) AS volume, sum(mix) AS mix FROM contribution GROUP BY 1, 2) p JOIN effect e USING (market, item)
WHERE p.price <> e.price_effect OR p.volume <> e.volume_effect OR p.mix <> e.mix_effect;

-- LMDI
CREATE TABLE logarithmic AS SELECT m.*, e.* FROM matched m, LATERAL bill_effects_lmdi(c0, q0, c1, q1, t0, t1) e WHERE coalesce(c0, 0) >= 0 AND coalesce(c1, 0) >= 0;
SELECT is(count(*), 0::bigint, 'LMDI adds up to the change') FROM logarithmic WHERE price_effect + volume_effect + mix_effect + new_effect + discontinued_effect <> coalesce(c1, 0) - coalesce(c0, 0);
SELECT is(count(*), 0::bigint, 'and is zero where nothing has changed') FROM logarithmic WHERE is_matched AND p0 = p1 AND price_effect <> 0 OR t0 = t1 AND volume_effect <> 0;
SELECT is(count(*), 0::bigint, 'it is the logarithmic mean x the logarithm') FROM logarithmic
WHERE is_matched AND c0 > 0 AND c1 > 0 AND abs(volume_effect - (log_mean(c1::float8, c0::float8) * ln(t1::float8 / t0::float8))::numeric) > 1e-9 * greatest(c0, c1) + 1e-12;

-- any number of factors
CREATE TABLE product AS
SELECT i, array_agg(round((random() * 10)::numeric, 3) * (random() > 0.1)::int) AS x0, array_agg(round((random() * 10 - 2)::numeric, 3)) AS x1 FROM generate_series(1, 1000) i, generate_series(1, 1 + i % 8) GROUP BY i;
CREATE FUNCTION product_of(numeric[]) RETURNS numeric LANGUAGE sql AS $$ WITH RECURSIVE p(n, v) AS (SELECT 0, 1::numeric UNION ALL SELECT n + 1, v * $1[n + 1] FROM p WHERE n < cardinality($1)) SELECT v FROM p ORDER BY n DESC LIMIT 1 $$;
SELECT is(count(*), 0::bigint, 'Shapley of up to 8 factors adds up') FROM product WHERE (SELECT sum(e) FROM unnest(shapley_effects(x0, x1)) e) <> product_of(x1) - product_of(x0);
SELECT is(count(*), 0::bigint, 'and does not hang on the order of the factors') FROM product, LATERAL (SELECT array_agg(a ORDER BY o DESC) AS r0 FROM unnest(x0) WITH ORDINALITY u(a, o)) a, LATERAL (SELECT array_agg(a ORDER BY o DESC) AS r1 FROM unnest(x1) WITH ORDINALITY u(a, o)) b
WHERE EXISTS (SELECT FROM unnest(shapley_effects(x0, x1)) WITH ORDINALITY e(e, o), unnest(shapley_effects(r0, r1)) WITH ORDINALITY f(e, o) WHERE f.o = cardinality(x0) + 1 - e.o AND abs(e.e - f.e) > 0.00000000001);
SELECT * FROM finish();
ROLLBACK;
