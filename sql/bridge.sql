-- Why an amount changed, in figures that can be checked by hand.
\set SHOW_CONTEXT never
SET search_path = tokenomics, public;

-- three products (accountancyindex.com): 32,000 to 39,900
CREATE TEMP TABLE pvm (item text, p0 numeric, q0 numeric, p1 numeric, q1 numeric);
INSERT INTO pvm VALUES ('A', 10, 1000, 11, 1000), ('B', 15, 800, 15, 700), ('C', 20, 500, 23, 800);
SELECT 'Shapley' AS method, round(sum((e).price_effect), 6) AS price, round(sum((e).mix_effect), 6) AS mix, round(sum((e).volume_effect), 6) AS volume,
       sum((e).price_effect + (e).mix_effect + (e).volume_effect) AS change
FROM (SELECT bill_effects(p0 * q0, q0, p1 * q1, q1, sum(q0) OVER (), sum(q1) OVER ()) AS e FROM pvm) s
UNION ALL
SELECT 'LMDI-I', round(sum((e).price_effect), 6), round(sum((e).mix_effect), 6), round(sum((e).volume_effect), 6),
       sum((e).price_effect + (e).mix_effect + (e).volume_effect)
FROM (SELECT bill_effects_lmdi(p0 * q0, q0, p1 * q1, q1, sum(q0) OVER (), sum(q1) OVER ()) AS e FROM pvm) s;
SELECT item, (bill_effects(p0 * q0, q0, p1 * q1, q1, sum(q0) OVER (), sum(q1) OVER ())).* FROM pvm;

-- inputs doubled, and the hit rate of the cache from 0 to 80 %, at constant
-- prices: from $3,750 to $2,430, and none of it price
CREATE TEMP TABLE cache (meter text, c0 numeric, q0 numeric, c1 numeric, q1 numeric);
INSERT INTO cache VALUES ('input', 3000, 1000000000, 1200, 400000000), ('cache_read', 0, 0, 480, 1600000000), ('output', 750, 50000000, 750, 50000000);
SELECT meter, (bill_effects(c0, q0, c1, q1, sum(q0) OVER (), sum(q1) OVER ())).* FROM cache;
SELECT sum(c0) AS before, sum(c1) AS after, sum((e).price_effect) AS price, round(sum((e).volume_effect), 2) AS volume, round(sum((e).mix_effect), 2) AS mix
FROM (SELECT c0, c1, bill_effects(c0, q0, c1, q1, sum(q0) OVER (), sum(q1) OVER ()) AS e FROM cache) s;
SELECT sum((e).price_effect) AS price, round(sum((e).volume_effect), 2) AS volume, round(sum((e).mix_effect), 2) AS mix
FROM (SELECT c0, c1, bill_effects_lmdi(c0, q0, c1, q1, sum(q0) OVER (), sum(q1) OVER ()) AS e FROM cache) s;

-- new, discontinued, unused, free, and free no more
SELECT name, e.* FROM (VALUES ('new', NULL, NULL, 5.25, 10), ('discontinued', 5.25, 10, NULL, NULL), ('never there', NULL, NULL, NULL, NULL), ('unused', 0, 0, 0, 0),
    ('used again', 0, 0, 6, 10), ('free', 0, 10, 0, 30), ('free no more', 0, 10, 6, 10), ('a credit', -6, 10, -9, 10)) v(name, c0, q0, c1, q1), bill_effects(c0, q0, c1, q1, 10, 30) e;
SELECT name, e.* FROM (VALUES ('new', NULL, NULL, 5.25, 10), ('unused', 0, 0, 0, 0),
    ('used again', 0, 0, 6, 10), ('free', 0, 10, 0, 30), ('free no more', 0, 10, 6, 30)) v(name, c0, q0, c1, q1), bill_effects_lmdi(c0, q0, c1, q1, 10, 30) e;
-- all of it unused before
SELECT * FROM bill_effects(0, 0, 6, 10, 0, 10);
SELECT * FROM bill_effects_lmdi(0, 0, 6, 10, 0, 10);

-- in another currency: 10 euros at 1.10 and then 1.20 dollars; at one rate; and
-- with the price doubled beside it
SELECT name, e.* FROM (VALUES ('rate', 10, 10, 11.00, 12.00), ('none', 10, 20, 11, 22), ('rate and price', 10, 20, 11, 24), ('not converted', 10, 20, 10, 20)) v(name, c0, c1, v0, v1),
    bill_effects(c0, 5, c1, 5, 5, 5, v0, v1) e;
SELECT e.* FROM bill_effects_lmdi(10, 5, 20, 5, 5, 5, 11, 24) e;
-- two thirds of a cent, rounded to 12 decimals before: one rate
SELECT * FROM bill_effects(0.006, 3, 0.012, 6, 3, 6, 0.006666666667, 0.013333333333);

-- parts of an item: a team that left, one that came, and one that paid less for
-- the same, as it came after a price cut
SELECT team, e.* FROM (VALUES ('left', 10, 5, 0, 0), ('came', 0, 0, 8, 8), ('stayed', 10, 5, 8, 4), ('all', 20, 10, 16, 12)) v(team, c0, q0, c1, q1),
    bill_effects_of_part(c0, q0, c1, q1, 20, 10, 16, 12, 20, 24) e;
SELECT * FROM bill_effects(20, 10, 16, 12, 20, 24);
SELECT * FROM bill_effects_of_part(10, 5, 8, 4, 20, 10, 16, 12, 20, 24, 11, 9.6, 22, 19.2);

-- any product
SELECT shapley_effects('{10,20}', '{12,25}'), shapley_effects('{2,3,0}', '{4,3,5}'), shapley_effects('{1,1,1}', '{1,1,1.000000000000001}'), shapley_effects('{-2,3}', '{2,-3}'), shapley_effects('{7}', '{8.5}');
-- a third each, the rest to the first of the largest
SELECT shapley_effects('{0,0,0}', '{1,1,1}');
-- LMDIR: 100 = 69.79006598 - 9.455125793 + 39.66505981
SELECT round(sum(e[1]), 8), round(sum(e[2]), 9), round(sum(e[3]), 8), sum(e[1] + e[2] + e[3])
FROM (VALUES (20, 60, '{1,10,2}'::float8[], '{4,5,3}'::float8[]), (60, 120, '{4,5,3}', '{5,6,4}')) v(v0, v1, x0, x1), lmdi_effects(v0, v1, x0, x1) e;
SELECT lmdi_effects(0, 6, '{0,2}', '{3,2}'), lmdi_effects(6, 0, '{3,2}', '{0,0}'), lmdi_effects(0, 0, '{0,2}', '{3,0}'), lmdi_effects(5, 5, '{1,1}', '{1,1}');
SELECT log_mean(1, exp(1)) = exp(1) - 1 AS e, log_mean(3, 3), log_mean(0, 3), round(log_mean(1, 1.000002)::numeric, 12) AS near;

-- errors
SELECT bill_effects(1, 0, 1, 1, 1, 1);
SELECT bill_effects(1, -1, 1, 1, 1, 1);
SELECT bill_effects(NULL, 1, 1, 1, 1, 1);
SELECT bill_effects(1, 1, 1, 1, 1, 0.5);
SELECT bill_effects('NaN', 1, 1, 1, 1, 1);
SELECT bill_effects(1, 'inf', 1, 1, 1, 1);
SELECT bill_effects(1, 1, 1, 1, 1, 1, 1.1, NULL);
SELECT bill_effects_of_part(1, 2, 1, 1, 1, 1, 1, 1, 1, 1);
SELECT bill_effects_lmdi(-1, 1, 1, 1, 1, 1);
SELECT shapley_effects('{1,2}', '{1}');
SELECT shapley_effects('{}', '{}');
SELECT shapley_effects('{1,NULL}', '{1,1}');
SELECT shapley_effects('{{1,2}}', '{1,1}');
SELECT shapley_effects('{1,NaN}', '{1,1}');
SELECT shapley_effects(array_fill(1::numeric, '{17}'), array_fill(1::numeric, '{17}'));
SELECT lmdi_effects(1, 2, '{1}', '{3}');
SELECT lmdi_effects(0, 2, '{1}', '{2}');
SELECT lmdi_effects(1, 2, '{1,0}', '{2,1}');
SELECT lmdi_effects(-1, 2, '{1}', '{2}');
SELECT lmdi_effects(1, 2, '{-1}', '{2}');
SELECT lmdi_effects('inf', 2, '{1}', '{2}');
SELECT log_mean(-1, 2);
SELECT log_mean('NaN', 2);
