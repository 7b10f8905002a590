-- Index numbers: bilateral, chained, multilateral; LMDI.
SET search_path = tokenomics, public;
SET timezone = 'UTC';
SET datestyle = ISO;
SET extra_float_digits = 0;

-- two items, by hand: base value 100 + 60, current value 132 + 60
CREATE TEMP TABLE pair (item text, p0 float8, q0 float8, p1 float8, q1 float8);
INSERT INTO pair VALUES ('a', 10, 10, 11, 12), ('b', 20, 3, 15, 4);
SELECT laspeyres_index(p0, q0, p1, q1) AS laspeyres, paasche_index(p0, q0, p1, q1) AS paasche, fisher_index(p0, q0, p1, q1) AS fisher,
       sqrt((155::float8 / 160) * (192::float8 / 200)) AS fisher_by_hand, tornqvist_index(p0, q0, p1, q1) AS tornqvist FROM pair;
SELECT walsh_index(p0, q0, p1, q1) AS walsh, marshall_edgeworth_index(p0, q0, p1, q1) AS marshall_edgeworth, geometric_laspeyres_index(p0, q0, p1, q1) AS geo_laspeyres,
       geometric_paasche_index(p0, q0, p1, q1) AS geo_paasche, montgomery_vartia_index(p0, q0, p1, q1) AS montgomery_vartia FROM pair;
SELECT sato_vartia_index(p0, q0, p1, q1) AS sato_vartia, sato_vartia_quantity_index(p0, q0, p1, q1) AS quantity, sato_vartia_index(p0, q0, p1, q1) * sato_vartia_quantity_index(p0, q0, p1, q1) AS value,
       (SELECT exp(sum(w * ln(p1 / p0)) / sum(w)) FROM (SELECT p0, p1, log_mean(p0 * q0 / 160, p1 * q1 / 192) AS w FROM pair) x) AS by_hand FROM pair;
SELECT jevons_index(p0, q0, p1, q1) AS jevons, carli_index(p0, q0, p1, q1) AS carli, harmonic_index(p0, q0, p1, q1) AS harmonic, dutot_index(p0, q0, p1, q1) AS dutot FROM pair;
SELECT laspeyres_quantity_index(p0, q0, p1, q1) AS laspeyres, paasche_quantity_index(p0, q0, p1, q1) AS paasche, fisher_quantity_index(p0, q0, p1, q1) AS fisher,
       jevons_quantity_index(p0, q0, p1, q1) AS jevons, carli_quantity_index(p0, q0, p1, q1) AS carli FROM pair;
SELECT bennet(p0, q0, p1, q1), bennet_quantity(p0, q0, p1, q1), sum(p1 * q1 - p0 * q0) AS change FROM pair;

-- unmatched items: without a price, or at a price of zero, on one side
INSERT INTO pair VALUES ('old', 5, 8, NULL, NULL), ('new', NULL, NULL, 4, 12), ('free', 0, 100, 1, 16), ('no longer', 1, 0, 0, 7);
SELECT fisher_index(p0, q0, p1, q1) AS fisher, index_base_coverage(p0, q0, p1, q1) AS base_coverage, index_current_coverage(p0, q0, p1, q1) AS coverage, turnover_index(p0, q0, p1, q1) AS turnover,
       fisher_index(p0, q0, p1, q1) * fisher_quantity_index(p0, q0, p1, q1) * turnover_index(p0, q0, p1, q1) AS product, sum(p1 * q1) / sum(p0 * q0) AS value FROM pair;
-- NULL where it is not defined
SELECT fisher_index(p0, q0, p1, q1) AS none FROM pair WHERE false;
SELECT fisher_index(p0, q0, p1, q1) AS fisher, jevons_index(p0, q0, p1, q1) AS jevons, index_current_coverage(p0, q0, p1, q1) AS coverage, turnover_index(p0, q0, p1, q1) AS turnover, bennet(p0, q0, p1, q1) FROM (VALUES (5, 8, NULL, NULL), (NULL, NULL, 4, 12)) v(p0, q0, p1, q1);
SELECT sato_vartia_index(p0, q0, p1, q1) AS sato_vartia, sato_vartia_index(p0, q0, p1, NULL) AS without, sato_vartia_index(p0, 0, p1, q1) AS free FROM pair;
SELECT sato_vartia_index(p0, q0, p1, q1) AS none FROM pair WHERE false;
-- without quantities: unit weights; without those of now: their own weights alone
SELECT jevons_index(p0, NULL, p1, NULL) AS jevons, carli_index(p0, NULL, p1, NULL) AS carli, fisher_index(p0, NULL, p1, NULL) AS fisher, index_base_coverage(p0, NULL, p1, NULL) AS coverage FROM pair;
SELECT laspeyres_index(p0, q0, p1, NULL) AS laspeyres, paasche_index(p0, q0, p1, NULL) AS paasche, tornqvist_index(p0, q0, p1, NULL) AS tornqvist, turnover_index(p0, q0, p1, NULL) AS turnover FROM pair;
-- bought in one period only, at a price that is known in both
SELECT fisher_index(p0, q0, p1, q1) AS fisher, tornqvist_index(p0, q0, p1, q1) AS tornqvist, jevons_quantity_index(p0, q0, p1, q1) AS jevons_quantity, laspeyres_quantity_index(p0, q0, p1, q1) AS laspeyres_quantity
FROM (VALUES (1, 1, 2, 1), (1, 0, 3, 1)) v(p0, q0, p1, q1);

-- the sums, kept and merged
SELECT fisher_index(merge(sums)) AS fisher, turnover_index(merge(sums)) AS turnover, merge(sums)::text = merge(sums::text::index_sums)::text AS same FROM (SELECT index_sums(p0, q0, p1, q1) AS sums FROM pair GROUP BY item) s;
SELECT lmdi(merge(sums)) FROM (SELECT lmdi_sums('{1, 2}', '{2, 3}') AS sums UNION ALL SELECT lmdi_sums('{0, 2}', '{2, 1}')) s;

-- errors
SELECT fisher_index(-1, 1, 1, 1);
SELECT fisher_index(1, 1, 1, 'NaN');
SELECT carli_index(1, 'infinity', 1, 1);
SELECT fisher_index(1e300, 1e300, 1e300, 1e300);
SELECT sato_vartia_index(1e300, 1e300, 1e300, 1e300);
SELECT sato_vartia_quantity_index(1e300, 1e300, 1e300, 1e300);
SELECT sato_vartia_index(p, q, p, q) FROM (VALUES (1e154, 1e154), (1e154, 1e154)) v(p, q);
SELECT index_sums_add(NULL, 1, 1, 1, 1);
SELECT index_sums_merge(NULL, NULL);
SELECT sato_vartia_index(1, -1, 1, 1);
SELECT index_items_add(NULL, 1, 1, 1, 1);
SELECT sato_vartia_index('{1,2,3}'::float8[]), sato_vartia_index(NULL::float8[]);
SELECT sato_vartia_index('{{1,2,3,4},{1,2,3,4}}'::float8[]);
SELECT sato_vartia_index('{0,2,3,4}'::float8[]);

-- LMDI: factors that come from zero, or go to it, take the whole change
SELECT lmdi(x0, x1) FROM (VALUES ('{10, 2}'::float8[], '{12, 3}'::float8[])) v(x0, x1);
SELECT lmdi(x0, x1), lmdi_index(x0, x1) FROM (VALUES ('{0, 7}'::float8[], '{5, 3}'::float8[])) v(x0, x1);
SELECT lmdi(x0, x1) FROM (VALUES ('{4, 7}'::float8[], '{0, 0}'::float8[]), ('{0, 7}', '{2, 0}'), ('{2, 2}', '{2, 2}')) v(x0, x1);
SELECT lmdi(x0, x1), lmdi_index(x0, x1) FROM (VALUES ('{2, 8}'::float8[], '{8, 2}'::float8[])) v(x0, x1);
SELECT lmdi('{1}', '{1, 2}');
SELECT lmdi('{1, NULL}', '{1, 2}');
SELECT lmdi(NULL, '{1, 2}');
SELECT lmdi('{1, -2}', '{1, 2}');
SELECT lmdi('{}', '{}');
SELECT lmdi(x, x) FROM (VALUES ('{1}'::float8[]), ('{1, 2}')) v(x);

-- a panel: item b is replaced by c; in April nothing is left; in May it begins anew
CREATE TEMP TABLE sold (month timestamptz, item text, price float8, quantity float8);
INSERT INTO sold VALUES ('2024-01-01', 'a', 2, 10), ('2024-01-01', 'b', 10, 10), ('2024-02-01', 'a', 2, 10), ('2024-02-01', 'c', 5, 12), ('2024-03-01', 'a', 3, 10), ('2024-03-01', 'c', 4, 15),
    ('2024-04-01', 'd', 7, 1), ('2024-05-01', 'd', 14, 1), ('2024-05-01', 'a', 3, 10);
SELECT c.* FROM (SELECT price_panel(month, item, price, quantity) AS panel FROM sold) p, chained_index(panel, 'fisher') c;
SELECT period, index, value_index, coverage, base_period FROM (SELECT price_panel(month, item, price, quantity) AS panel FROM sold) p, fixed_base_index(panel, 'laspeyres');
SELECT g.* FROM (SELECT price_panel(month, item, price, quantity) AS panel FROM sold) p, geks_index(panel, 'fisher') g;
SELECT g.* FROM (SELECT price_panel(month, item, price, quantity) AS panel FROM sold) p, geks_index(panel, 'tornqvist', 2) g;
-- several prices of one item are one: the unit value; without quantities the mean
SELECT c.* FROM (SELECT price_panel(month, 'x', price, quantity) AS panel FROM (VALUES ('2024-01-01'::timestamptz, 1, 30), ('2024-01-01', 2, 10), ('2024-02-01', 1, NULL), ('2024-02-01', 2, 10), ('2024-03-01', NULL, 5)) v(month, price, quantity)) p, price_panel_cells(panel) c;
SELECT period, index, matched_items, coverage FROM (SELECT price_panel(month, item, price, NULL) AS panel FROM sold) p, chained_index(panel, 'jevons');
-- one period, and none
SELECT c.* FROM (SELECT price_panel('2024-01-01', 'a', 1, 1) AS panel) p, chained_index(panel, 'fisher') c;
SELECT g.* FROM (SELECT price_panel(month, item, price, quantity) AS panel FROM sold) p, weighted_geks_index(panel, 'fisher') g;
SELECT c.* FROM (SELECT price_panel(month, item, price, quantity) AS panel FROM sold) p, chained_index(panel, 'sato_vartia') c;
-- what links a year to its first month may weigh next to nothing: item x, a ten thousandth of the spend of two months, and less
SELECT share, abs(w.index - 0.3) < 1e-12 AS is_right, bridges
FROM (VALUES (1e-4::float8), (1e-8), (1e-12)) l(share),
     LATERAL (SELECT price_panel('2024-01-01'::timestamptz + m * interval '1 month', item, price, quantity) AS panel
              FROM (VALUES (0, 'x', 1, 1), (0, 'old', 1, 1 / share - 1), (1, 'x', 0.3, 1), (1, 'new', 7, 0.3 * (1 / share - 1) / 7),
                           (2, 'new', 5, 3), (2, 'y', 1, 2), (3, 'new', 4, 5), (3, 'y', 0.7, 9), (4, 'y', 0.6, 1)) v(m, item, price, quantity)) p,
     weighted_geks_index(panel, 'fisher') w WHERE period = '2024-02-01';
SELECT g.* FROM (SELECT price_panel('2024-01-01', 'a', 1, 1) AS panel) p, geks_index(panel, 'fisher') g;
SELECT count(*) FROM (SELECT price_panel('2024-01-01', 'a', NULL, 1) AS panel) p, chained_index(panel, 'fisher');
SELECT price_panel(month, item, price, quantity) IS NULL AS none FROM sold WHERE false;

-- forms: text and binary; merged in any order
CREATE TEMP TABLE kept AS SELECT 1 AS part, price_panel(month, item, price, quantity) AS panel FROM sold WHERE month < '2024-03-01' UNION ALL SELECT 2, price_panel(month, item, price, quantity) FROM sold WHERE month >= '2024-03-01';
SELECT panel FROM kept WHERE part = 1;
SELECT panel::text::price_panel::text = panel::text AS same FROM kept;
SELECT merge(panel)::text = (SELECT price_panel(month, item, price, quantity)::text FROM sold) AS same, merge(panel ORDER BY part DESC)::text = merge(panel ORDER BY part)::text AS in_any_order FROM kept;
COPY kept TO '/dev/null' (FORMAT binary);
SELECT merge(panel) IS NULL AS none FROM kept WHERE false;

-- errors
SELECT price_panel(NULL, 'a', 1, 1);
SELECT price_panel('2024-01-01', NULL, 1, 1);
SELECT price_panel('infinity', 'a', 1, 1);
SELECT price_panel('2024-01-01', 'a', -1, 1);
SELECT price_panel('2024-01-01', 'a', 1, 'NaN');
SELECT chained_index(panel, 'Fisher') FROM kept WHERE part = 1;
SELECT geks_index(panel, 'laspeyres') FROM kept WHERE part = 1;
SELECT geks_index(panel, 'fisher', 1) FROM kept WHERE part = 1;
SELECT geks_index(panel, 'sato_vartia') FROM kept WHERE part = 1;
SELECT weighted_geks_index(panel, 'laspeyres') FROM kept WHERE part = 1;
-- a table of all pairs of so many periods is refused; windows are not
CREATE TEMP TABLE long AS SELECT price_panel('2000-01-01Z'::timestamptz + n * interval '1 hour', 'a', 1, 1) AS panel FROM generate_series(1, 6000) n;
SELECT geks_index(panel, 'fisher') FROM long;
SELECT count(*), max(index) FROM long, weighted_geks_index(panel, 'fisher', 25);
SELECT weighted_geks_index(panel, 'fisher', 400) FROM long;
SELECT '{}'::price_panel;
SELECT '[[1]]'::price_panel;
SELECT '[["2024-01-01Z", "a", 1, 0, 1, 0, 1, 0, "x", 0]]'::price_panel;
SELECT '[["2024-01-01Z", "a", 0, 0, 1, 0, 1, 0, 1, 0]]'::price_panel;
SELECT '[[null, "a", 1, 0, 1, 0, 1, 0, 1, 0]]'::price_panel;
SELECT '[["2024-01-01Z", "a", 1, 0, 1, 0, 1, 0, 1, 0], ["2024-01-01Z", "a", 1, 0, 1, 0, 1, 0, 1, 0]]'::price_panel;
SELECT '[1, 2]'::index_sums;
SELECT 'x'::index_sums;
SELECT replace('[' || repeat('-1, ', 100) || '0]', ' ', '')::index_sums;
SELECT '[1, 0, 2, 0, 1, 0]'::lmdi_sums, lmdi('[1, 0, 2, 0, 1, 0]'::lmdi_sums), lmdi_index('[1, 0, 2, 0, 1, 0]'::lmdi_sums);
SELECT '[1, 0, 2, 0]'::lmdi_sums;
SELECT '[1, 0, 2, 0, nan, 0]'::lmdi_sums;
SELECT '[1, 0, 2, 0, 1, 0'::lmdi_sums;
RESET search_path;
