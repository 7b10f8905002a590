-- Random markets with items that enter and leave: what the theory of index
-- numbers demands of each method, whatever the order of rows and of merging.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE;
SET search_path = public, tokenomics;
SET timezone = 'UTC';
SELECT plan(32);
SELECT setseed(0.20261125);

-- 10,000 pairs of periods of 1 to 20 items; prices over six orders of magnitude, quantities over twelve
CREATE TABLE item AS
SELECT m, i, CASE WHEN random() < 0.15 THEN NULL ELSE exp(random() * 14 - 7) END AS p0, CASE WHEN random() < 0.15 THEN NULL ELSE exp(random() * 14 - 7) END AS p1,
       exp(random() * 28) AS q0, exp(random() * 28) AS q1, random() AS shuffled
FROM (SELECT m, (random() * 19)::int AS n FROM generate_series(1, 10000) m OFFSET 0) x, generate_series(0, n) i;
CREATE TABLE market AS
SELECT m, fisher_index(p0, q0, p1, q1) AS fisher, fisher_quantity_index(p0, q0, p1, q1) AS fisher_q, laspeyres_index(p0, q0, p1, q1) AS laspeyres, paasche_index(p0, q0, p1, q1) AS paasche,
       laspeyres_quantity_index(p0, q0, p1, q1) AS laspeyres_q, paasche_quantity_index(p0, q0, p1, q1) AS paasche_q, tornqvist_index(p0, q0, p1, q1) AS tornqvist, jevons_index(p0, q0, p1, q1) AS jevons,
       carli_index(p0, q0, p1, q1) AS carli, harmonic_index(p0, q0, p1, q1) AS harmonic, walsh_index(p0, q0, p1, q1) AS walsh, montgomery_vartia_index(p0, q0, p1, q1) AS vartia, montgomery_vartia_quantity_index(p0, q0, p1, q1) AS vartia_q, sato_vartia_index(p0, q0, p1, q1) AS sato, sato_vartia_quantity_index(p0, q0, p1, q1) AS sato_q,
       turnover_index(p0, q0, p1, q1) AS turnover, index_base_coverage(p0, q0, p1, q1) AS base_coverage, index_current_coverage(p0, q0, p1, q1) AS coverage,
       bennet(p0, q0, p1, q1) AS bennet, bennet_quantity(p0, q0, p1, q1) AS bennet_q,
       sum(p0 * q0) AS v0, sum(p1 * q1) AS v1, sum(p0 * q0) FILTER (WHERE p1 > 0) AS matched0, sum(p1 * q1) FILTER (WHERE p0 > 0) AS matched1, count(*) FILTER (WHERE p0 > 0 AND p1 > 0) AS matched
FROM item GROUP BY m;
CREATE FUNCTION near(a float8, b float8) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT abs(a - b) <= 1e-12 * greatest(abs(a), abs(b)) $$;

SELECT cmp_ok(count(*) FILTER (WHERE matched = 0), '>', 100::bigint, 'markets without a matched item') FROM market;
SELECT is(count(*), 0::bigint, 'they have no index') FROM market WHERE matched = 0 AND num_nonnulls(fisher, laspeyres, paasche, tornqvist, jevons, carli, walsh, vartia, turnover, bennet) > 0;
SELECT is(count(*), 0::bigint, 'the others have each') FROM market WHERE matched > 0 AND num_nulls(fisher, laspeyres, paasche, tornqvist, jevons, carli, walsh, vartia, turnover, bennet) > 0;
SELECT is(count(*), 0::bigint, 'Fisher passes the factor reversal test') FROM market WHERE matched > 0 AND NOT near(fisher * fisher_q, matched1 / matched0);
SELECT is(count(*), 0::bigint, 'so does Montgomery-Vartia') FROM market WHERE matched > 0 AND abs(ln(vartia * vartia_q / (matched1 / matched0))) > 1e-11;
SELECT is(count(*), 0::bigint, 'and Sato-Vartia') FROM market WHERE (matched > 0) <> (sato IS NOT NULL) OR abs(ln(sato * sato_q / (matched1 / matched0))) > 1e-11;
SELECT is(count(*), 0::bigint, 'Laspeyres and Paasche do with each other') FROM market WHERE matched > 0 AND NOT (near(laspeyres * paasche_q, matched1 / matched0) AND near(paasche * laspeyres_q, matched1 / matched0));
SELECT is(count(*), 0::bigint, 'price, quantity and turnover make the value') FROM market WHERE matched > 0 AND NOT near(fisher * fisher_q * turnover, v1 / v0);
SELECT is(count(*), 0::bigint, 'turnover is a quotient of coverages') FROM market WHERE matched > 0 AND NOT (near(turnover, base_coverage / coverage) AND near(base_coverage, matched0 / v0) AND near(coverage, matched1 / v1));
SELECT is(count(*), 0::bigint, 'both Bennet indicators add up to the change') FROM market WHERE matched > 0 AND abs(bennet + bennet_q - (matched1 - matched0)) > 1e-12 * greatest(abs(bennet), abs(bennet_q), matched0, matched1);
SELECT is(count(*), 0::bigint, 'harmonic <= Jevons <= Carli') FROM market WHERE harmonic > jevons * (1 + 1e-12) OR jevons > carli * (1 + 1e-12);
SELECT is(count(*), 0::bigint, 'Fisher is between Laspeyres and Paasche') FROM market WHERE fisher > greatest(laspeyres, paasche) * (1 + 1e-12) OR fisher < least(laspeyres, paasche) * (1 - 1e-12);

-- the two periods exchanged
SELECT is(count(*), 0::bigint, 'these pass the time reversal test: Fisher, Tornqvist, Walsh, Jevons, Montgomery-Vartia, turnover')
FROM market JOIN (SELECT m, fisher_index(p1, q1, p0, q0) AS f, tornqvist_index(p1, q1, p0, q0) AS t, walsh_index(p1, q1, p0, q0) AS w, jevons_index(p1, q1, p0, q0) AS j, montgomery_vartia_index(p1, q1, p0, q0) AS v, turnover_index(p1, q1, p0, q0) AS o
                  FROM item GROUP BY m) r USING (m)
WHERE NOT (near(fisher * f, 1) AND near(tornqvist * t, 1) AND near(walsh * w, 1) AND near(jevons * j, 1) AND near(vartia * v, 1) AND near(turnover * o, 1));
SELECT is(count(*), 0::bigint, 'and Sato-Vartia, in any order of rows')
FROM market JOIN (SELECT m, sato_vartia_index(p1, q1, p0, q0) AS s, sato_vartia_quantity_index(p1, q1, p0, q0) AS q FROM (SELECT * FROM item ORDER BY shuffled) x GROUP BY m) r USING (m) WHERE NOT (near(sato * s, 1) AND near(sato_q * q, 1));
-- identity and proportionality
SELECT is(count(*), 0::bigint, 'equal prices give 1 exactly, or to the last digit')
FROM (SELECT fisher_index(p0, q0, p0, q1) AS f, laspeyres_index(p0, q0, p0, q1) AS l, tornqvist_index(p0, q0, p0, q1) AS t, jevons_index(p0, q0, p0, q1) AS j, walsh_index(p0, q0, p0, q1) AS w, montgomery_vartia_index(p0, q0, p0, q1) AS v FROM item GROUP BY m) x
WHERE NOT (abs(f - 1) < 1e-15 AND l = 1 AND t = 1 AND j = 1 AND w = 1 AND v = 1);
SELECT is(count(*), 0::bigint, 'prices that all double give 2')
FROM (SELECT fisher_index(p0, q0, 2 * p0, q1) AS f, laspeyres_index(p0, q0, 2 * p0, q1) AS l, tornqvist_index(p0, q0, 2 * p0, q1) AS t, jevons_index(p0, q0, 2 * p0, q1) AS j, walsh_index(p0, q0, 2 * p0, q1) AS w, carli_index(p0, q0, 2 * p0, q1) AS c FROM item GROUP BY m) x
WHERE NOT (near(f, 2) AND near(l, 2) AND near(t, 2) AND near(j, 2) AND near(w, 2) AND near(c, 2));
-- the unit in which an item is counted makes no difference
SELECT is(count(*), 0::bigint, 'per token or per million: the same')
FROM market JOIN (SELECT m, fisher_index(p0 * s, q0 / s, p1 * s, q1 / s) AS f, tornqvist_index(p0 * s, q0 / s, p1 * s, q1 / s) AS t, jevons_index(p0 * s, q0 / s, p1 * s, q1 / s) AS j FROM item, LATERAL (SELECT 10.0 ^ (i % 7) AS s) u GROUP BY m) r USING (m)
WHERE NOT (near(fisher, f) AND near(tornqvist, t) AND near(jevons, j));

-- in another order, and merged from parts of every size
SELECT is(count(*), 0::bigint, 'indices agree whatever the order of rows')
FROM market JOIN (SELECT m, fisher_index(p0, q0, p1, q1) AS f, tornqvist_index(p0, q0, p1, q1) AS t, jevons_index(p0, q0, p1, q1) AS j, montgomery_vartia_index(p0, q0, p1, q1) AS v, bennet(p0, q0, p1, q1) AS b
                  FROM (SELECT * FROM item ORDER BY shuffled) x GROUP BY m) r USING (m)
WHERE NOT (near(fisher, f) AND near(tornqvist, t) AND near(jevons, j) AND near(vartia, v) AND near(bennet, b));
CREATE TABLE part AS SELECT m, floor(shuffled * 3) AS part, index_sums(p0, q0, p1, q1) AS sums FROM item GROUP BY 1, 2;
SELECT is(count(*), 0::bigint, 'and however they were merged, by way of the text form too')
FROM market JOIN (SELECT m, fisher_index(s) AS f, tornqvist_index(s) AS t, jevons_index(s) AS j, montgomery_vartia_index(s) AS v, turnover_index(s) AS o FROM (SELECT m, merge(sums::text::index_sums ORDER BY part DESC) AS s FROM part GROUP BY m) x) r USING (m)
WHERE NOT (near(fisher, f) AND near(tornqvist, t) AND near(jevons, j) AND near(vartia, v) AND near(turnover, o));
-- a market in one: workers count parts of it, for the leader would be done before
-- they start; near() is not for parallel plans
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_leader_participation = off;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
CREATE VIEW whole AS SELECT sato_vartia_index(p0, q0, p1, q1) AS sato, sato_vartia_quantity_index(p0, q0, p1, q1) AS sato_q FROM item;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END $$;
SELECT matches((SELECT string_agg(line, '') FROM plan_of('TABLE whole') line), '^Finalize Aggregate *-> *Gather .*-> *Partial Aggregate', 'workers count parts, which are merged');
CREATE TABLE by_workers AS TABLE whole;
SELECT ok(near(a.sato, b.sato) AND near(a.sato_q, b.sato_q), 'Sato-Vartia of parts that workers counted')
FROM by_workers a,
     (SELECT exp(sum(w * ln(p1 / p0)) / sum(w)) AS sato, exp(sum(w * ln(q1 / q0)) / sum(w)) AS sato_q
      FROM (SELECT p0, p1, q0, q1, log_mean(p0 * q0 / sum(p0 * q0) OVER (), p1 * q1 / sum(p1 * q1) OVER ()) AS w FROM item WHERE p0 > 0 AND p1 > 0) x) b;
SET LOCAL max_parallel_workers_per_gather = 0;
-- sums that cancel: what is left is right to the last digits
SELECT ok(near(jevons_index(1, 1, exp(x), 1), exp(sum(x::numeric)::float8 / count(*))), 'large changes that cancel leave the small ones')
FROM (SELECT CASE WHEN i <= 100000 THEN 600 ELSE -600 END + sin(i) AS x FROM generate_series(1, 200000) i OFFSET 0) v;

-- LMDI of three factors, zeros among them
CREATE TABLE product (m integer, x0 float8[], x1 float8[]);
CREATE FUNCTION factor() RETURNS float8 LANGUAGE sql VOLATILE AS $$ SELECT CASE WHEN random() < 0.1 THEN 0 ELSE exp(random() * 10 - 5) END $$;
INSERT INTO product SELECT m, ARRAY[factor(), factor(), factor()], ARRAY[factor(), factor(), factor()] FROM generate_series(1, 2000) m, generate_series(1, 5);
SELECT is(count(*), 0::bigint, 'LMDI adds up to the change')
FROM (SELECT lmdi(x0, x1) AS e, sum(x1[1] * x1[2] * x1[3]) AS v1, sum(x0[1] * x0[2] * x0[3]) AS v0 FROM product GROUP BY m) x WHERE abs(e[1] + e[2] + e[3] - (v1 - v0)) > 1e-12 * greatest(abs(e[1]), abs(e[2]), abs(e[3]), v0, v1);
SELECT is(count(*), 0::bigint, 'and multiplies to the ratio')
FROM (SELECT lmdi_index(x0, x1) AS e, sum(x1[1] * x1[2] * x1[3]) AS v1, sum(x0[1] * x0[2] * x0[3]) AS v0 FROM product GROUP BY m) x WHERE v0 > 0 AND v1 > 0 AND e[1] * e[2] * e[3] < 'infinity' AND abs(ln(e[1] * e[2] * e[3] / (v1 / v0))) > 1e-9;
SELECT is(count(*), 0::bigint, 'zeros are the limit of small numbers')
FROM (SELECT lmdi(x0, x1) AS e, lmdi(ARRAY[greatest(x0[1], 1e-250), x0[2], x0[3]], x1) AS small, sum(x1[1] * x1[2] * x1[3]) AS v1 FROM product WHERE x0[1] = 0 AND x0[2] > 0 AND x0[3] > 0 AND x1[1] * x1[2] * x1[3] > 0 GROUP BY m) x
WHERE abs(e[1] - small[1]) > 0.05 * v1 OR e[2] <> 0 OR e[3] <> 0;

-- panels: chains of links that the aggregates compute; merged in parts
CREATE TABLE offer AS SELECT '2020-01-01Z'::timestamptz + t * interval '1 day' AS day, i::text AS item, exp(random() * 2) AS price, exp(random() * 5) AS quantity, floor(random() * 4) AS part
FROM generate_series(0, 199) t, generate_series(1, 60) i WHERE random() < 0.7;
CREATE TABLE panel AS SELECT price_panel(day, item, price, quantity) AS panel FROM offer;
SELECT is(count(*), 199::bigint, 'links are those of the aggregates, and their products the chain')
FROM (SELECT c.*, exp(sum(ln(c.link)) OVER (ORDER BY period)) AS chain FROM panel, chained_index(panel, 'fisher') c) c
JOIN (SELECT b.day, fisher_index(a.price, a.quantity, b.price, b.quantity) AS link FROM offer a JOIN offer b ON b.item = a.item AND b.day = a.day + interval '1 day' GROUP BY b.day) l ON l.day = c.period
WHERE near(c.link, l.link) AND near(c.index, c.chain) AND near(c.value_index, c.index * c.quantity_index * c.turnover_index);
SELECT is(count(*), 200::bigint, 'GEKS is the mean of the comparisons by way of each period')
FROM panel, geks_index(panel, 'tornqvist') g
JOIN (WITH pair AS MATERIALIZED (SELECT a.day AS base, b.day, ln(tornqvist_index(a.price, a.quantity, b.price, b.quantity)) AS log FROM offer a JOIN offer b USING (item) GROUP BY 1, 2)
      SELECT y.day, exp(avg(x.log + y.log)) AS index FROM pair x JOIN pair y ON y.base = x.day WHERE x.base = '2020-01-01Z' GROUP BY y.day) h ON h.day = g.period AND near(h.index, g.index);
SELECT is(count(*), 200::bigint, 'a panel merged of parts has the same indices')
FROM panel p, chained_index(p.panel, 'fisher') c JOIN (SELECT g.* FROM (SELECT merge(part ORDER BY n DESC) AS panel FROM (SELECT part AS n, price_panel(day, item, price, quantity) AS part FROM offer GROUP BY part) x) y, chained_index(y.panel, 'fisher') g) m USING (period)
WHERE near(c.index, m.index) AND near(c.value_index, m.value_index);
-- a market that returns to its first prices and quantities
SELECT ok((SELECT abs(g.index - 1) < 1e-12 FROM geks_index(price_panel(day, item, price, quantity), 'fisher') g ORDER BY period DESC LIMIT 1), 'GEKS does not drift') FROM (SELECT day, item, price, quantity FROM offer UNION ALL SELECT '2021-01-01Z', item, price, quantity FROM offer WHERE day = '2020-01-01Z') x;
-- weighted GEKS: of full markets the same; of others what solves the normal equations
SELECT is(count(*), 40::bigint, 'weighted GEKS is GEKS where all items are always there')
FROM (SELECT price_panel(d.day, i.item, coalesce(o.price, 1), coalesce(o.quantity, 1)) AS panel FROM (SELECT DISTINCT day FROM offer WHERE day < '2020-02-10Z') d CROSS JOIN (SELECT DISTINCT item FROM offer) i LEFT JOIN offer o USING (day, item)) p,
     weighted_geks_index(panel, 'fisher') w JOIN LATERAL geks_index(panel, 'fisher') g USING (period) WHERE near(w.index, g.index) AND w.coverage = 1;
CREATE TABLE few AS SELECT * FROM offer WHERE day < '2020-02-10Z' AND random() < 0.4;
SELECT is(count(*), 39::bigint, 'weighted GEKS is least squares by matched shares')
FROM (WITH spent AS (SELECT day, sum(price * quantity) AS total FROM few GROUP BY 1),
           pair AS (SELECT a.day AS base, b.day, ln(fisher_index(a.price, a.quantity, b.price, b.quantity)) AS log, sum(a.price * a.quantity) / min(s.total) * sum(b.price * b.quantity) / min(t.total) AS weight
                    FROM few a JOIN few b ON b.item = a.item AND b.day <> a.day JOIN spent s ON s.day = a.day JOIN spent t ON t.day = b.day GROUP BY 1, 2),
           level AS MATERIALIZED (SELECT period AS day, ln(index) AS log FROM (SELECT price_panel(day, item, price, quantity) AS panel FROM few) p, weighted_geks_index(panel, 'fisher'))
      SELECT p.day, sum(p.weight * (l.log - b.log - p.log)) AS rest, sum(p.weight * abs(p.log)) AS size FROM pair p JOIN level l ON l.day = p.day JOIN level b ON b.day = p.base WHERE p.day > '2020-01-01Z' GROUP BY p.day) x
WHERE abs(rest) < 1e-12 * greatest(size, 1);
-- parts that nothing links: each is counted from its first period
SELECT is(string_agg(coalesce(round(w.index::numeric, 6)::text, '-'), ' ' ORDER BY period), '1.000000 2.000000 - 3.000000', 'what nothing links begins anew')
FROM (SELECT price_panel('2020-01-01Z'::timestamptz + n * interval '1 day', item, price, 1) AS panel FROM (VALUES (0, 'a', 1), (1, 'a', 2), (2, 'b', 5), (3, 'b', 15)) v(n, item, price)) p, weighted_geks_index(panel, 'fisher') w;
SELECT * FROM finish();
ROLLBACK;
