-- Random operating points, workloads and offers: interpolation stays within its
-- points and is monotone, what is served and what is over is the demand, costs
-- grow with prices, and no offer that another beats ranks above it.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE;
SET timezone = 'UTC';
CALL tokenomics.install('quote_test');
SET search_path = quote_test, public, tokenomics;
SELECT plan(22);
SELECT setseed(0.20261124);

-- ---- by hand and back ----
CREATE TABLE slide AS
SELECT round((random() * 10)::numeric + 0.001, 4) AS price, round((10 ^ (random() * 5))::numeric, 3) AS rate, round((random() * 0.99)::numeric + 0.01, 4) AS use FROM generate_series(1, 1000);
SELECT is(count(*), 1000::bigint, 'the inverses of cost_per_mtok() lead back') FROM slide, LATERAL cost_per_mtok(price, rate, use) c
WHERE abs(needed_price(c, rate, use) / price - 1) < 1e-14 AND abs(needed_throughput(c, price, use) / rate - 1) < 1e-14 AND abs(needed_utilization(c, price, rate) / use - 1) < 1e-14;
SELECT is(count(*), 0::bigint, 'a price and its cost are the same to the last digit') FROM slide WHERE cost_per_mtok(needed_price(price, rate, use), rate, use) <> price;

-- ---- interpolation ----
CREATE TABLE shape AS
SELECT i, array_agg(x ORDER BY x) AS x, array_agg(y ORDER BY x) AS y
FROM generate_series(1, 400) i, LATERAL (SELECT round((random() * 100)::numeric, 2) AS x, round((random() * 1000)::numeric, 3) AS y FROM generate_series(1, 2 + (random() * 8)::int) WHERE i > 0) p
GROUP BY i HAVING count(DISTINCT x) = count(*);
CREATE TABLE sample AS
SELECT s.i, s.x, s.y, k, s.x[k] + (s.x[k + 1] - s.x[k]) * f / 20.0 AS at, s.y[k] AS y0, s.y[k + 1] AS y1, f
FROM shape s, LATERAL generate_series(1, cardinality(s.x) - 1) k, generate_series(0, 20) f;
ALTER TABLE sample ADD value numeric;
UPDATE sample SET value = monotone_interpolate(x, y, at);
SELECT is(count(*), 0::bigint, 'between its two points') FROM sample WHERE NOT value BETWEEN least(y0, y1) AND greatest(y0, y1);
SELECT is(count(*), 0::bigint, 'on each point its value') FROM sample WHERE f = 0 AND value <> y0 OR f = 20 AND value <> y1;
SELECT is(count(*), 0::bigint, 'monotone between two points') FROM (SELECT (value - lag(value) OVER (PARTITION BY i, k ORDER BY f)) * (y1 - y0) AS step FROM sample) s WHERE step < 0;
SELECT is(count(*), 0::bigint, 'and nothing outside') FROM shape WHERE monotone_interpolate(x, y, x[1] - 0.01) IS NOT NULL OR monotone_interpolate(x, y, x[cardinality(x)] + 0.01) IS NOT NULL;
-- operating points in any order: the reached output never grows with interactivity, and never exceeds what a point no slower has
CREATE TABLE asked AS
SELECT s.i, a AS asked, (operating_point_at(s.px, s.py, NULL, a)).*, s.px, s.py
FROM (SELECT i, array_agg(x + 1 ORDER BY random()) AS px, array_agg(y + 1 ORDER BY random()) AS py FROM (SELECT i, unnest(x) AS x, unnest(y) AS y FROM shape) u GROUP BY i) s, generate_series(0, 110, 5) a;
SELECT is(count(*), 0::bigint, 'more interactivity, not more output') FROM (SELECT output_rate_reached - lag(output_rate_reached) OVER (PARTITION BY i ORDER BY asked) AS step FROM asked WHERE output_rate_reached IS NOT NULL) s WHERE step > 0;
SELECT is(count(*), 0::bigint, 'there is a rate where a point is as fast, and it is at least that of the best of these') FROM asked a,
    LATERAL (SELECT max(q) AS best FROM unnest(a.px, a.py) u(p, q) WHERE p >= a.asked) m WHERE (m.best IS NULL) <> (a.output_rate_reached IS NULL) OR a.output_rate_reached < m.best;

-- ---- demand = served + excess ----
CREATE TABLE work AS
SELECT i, array_agg(CASE WHEN random() < 0.9 THEN tokens(input => floor(10 ^ (random() * 7))::bigint, cache_read => CASE WHEN random() < 0.5 THEN floor(10 ^ (random() * 7))::bigint END,
           output => floor(10 ^ (random() * 5))::bigint, reasoning => CASE WHEN random() < 0.3 THEN floor(10 ^ (random() * 5))::bigint END) END) AS work, 1440 AS span,
       round((random() * 2)::numeric, 3) AS w_in, round(random()::numeric, 2) AS w_read, round((random() * 6)::numeric, 3) AS w_out, random() < 0.5 AS larger, round((10 ^ (2 + random() * 5))::numeric, 2) AS capacity
FROM generate_series(1, 200) i, generate_series(1, 60) m GROUP BY i;
CREATE TABLE served AS SELECT w.*, s.* FROM work w, LATERAL serve_minutes(w.work, 1, w.span, w.w_in, w.w_read, w.w_out, w.larger, w.capacity) s;
SELECT is(count(*), 0::bigint, 'loads add up') FROM served WHERE demand <> served + excess OR served < 0 OR excess < 0 OR served > capacity * 60;
SELECT is(count(*), 0::bigint, 'tokens add up, meter by meter') FROM served s WHERE s.served_tokens + s.excess_tokens <> (SELECT sum(t) FROM unnest(s.work) t);
-- the same in plain SQL
CREATE TABLE load AS
SELECT w.i, w.capacity, CASE WHEN w.larger THEN greatest(a.inp, a.outp) ELSE a.inp + a.outp END AS load
FROM work w, unnest(w.work) t, LATERAL (SELECT coalesce(meter(t, 'input'), 0) * w.w_in + coalesce(meter(t, 'cache_read'), 0) * w.w_read AS inp, coalesce(output_total(t), 0) * w.w_out AS outp) a WHERE t IS NOT NULL;
SELECT is(count(*), 0::bigint, 'as plain SQL has it') FROM served s JOIN (SELECT i, sum(load) AS demand, sum(greatest(0, load - capacity)) AS excess, count(*) FILTER (WHERE load > capacity) AS n FROM load GROUP BY i) l USING (i)
WHERE (s.demand, s.excess, s.excess_minutes) IS DISTINCT FROM (l.demand, l.excess, l.n);
SELECT is(count(*), 0::bigint, 'the need is the percentile of all minutes, empty ones too') FROM work w, unnest('{0.2,0.95,0.96,0.99,1}'::numeric[]) p
WHERE capacity_need(w.work, 1, w.span, w.w_in, w.w_read, w.w_out, w.larger, p)
   <> (SELECT percentile_disc(p::float8) WITHIN GROUP (ORDER BY x) FROM (SELECT load AS x FROM load l WHERE l.i = w.i UNION ALL SELECT 0 FROM generate_series(1, w.span - (SELECT count(*) FROM load l WHERE l.i = w.i))) v);
SELECT is(count(*), 0::bigint, 'a capacity of the peak serves all') FROM work w, LATERAL capacity_need(w.work, 1, w.span, w.w_in, w.w_read, w.w_out, w.larger, 1) n,
    LATERAL serve_minutes(w.work, 1, w.span, w.w_in, w.w_read, w.w_out, w.larger, n) s WHERE s.excess <> 0 OR total(s.excess_tokens) <> 0;
SELECT cmp_ok(count(*), '>', 50::bigint, 'cases in which some minutes exceed it and some do not') FROM served WHERE excess_minutes BETWEEN 1 AND active_minutes - 1;

-- ---- curves ----
SELECT is(count(*), 0::bigint, 'the curve of spillover is the price of the units and of what is over') FROM (
    SELECT w.i, s, curve_cost(spillover_curve(w.work, 1, w.span, w.w_in, w.w_read, w.w_out, w.larger, w.capacity, 7, '{"currency": "USD", "input": 2, "output": 10}'), s) AS c,
           7 + coalesce((SELECT sum(cost('{"currency": "USD", "input": 2, "output": 10}'::rates, m.t) * greatest(0, s * m.load - w.capacity) / m.load)
            FROM (SELECT t, CASE WHEN w.larger THEN greatest(a.inp, a.outp) ELSE a.inp + a.outp END AS load FROM unnest(w.work) t,
                  LATERAL (SELECT coalesce(meter(t, 'input'), 0) * w.w_in + coalesce(meter(t, 'cache_read'), 0) * w.w_read AS inp, coalesce(output_total(t), 0) * w.w_out AS outp) a WHERE t IS NOT NULL) m WHERE m.load > 0), 0) AS expected
    FROM work w, unnest('{0,0.01,0.3,1,2.5}'::numeric[]) s WHERE w.i <= 40) x WHERE abs(c - expected) > 1e-9;
CREATE TABLE two AS
SELECT i, step_curve(a, need, mn, inc) AS steps, committed_curve(u, c, 0.2, c * 0.9) AS tokens
FROM (SELECT i, round((random() * 5)::numeric + 0.01, 2) AS a, round((random() * 20)::numeric + 0.1, 2) AS need, (1 + floor(random() * 8))::numeric AS mn, (1 + floor(random() * 8))::numeric AS inc,
             round((random() * 100)::numeric + 1, 2) AS u, round((random() * 30)::numeric, 2) AS c FROM generate_series(1, 300) i) v;
SELECT is(count(*), 0::bigint, 'where two offers break even, both cost the same') FROM two, LATERAL crossings(steps, tokens) c WHERE is_equal AND abs(curve_cost(steps, scale) - curve_cost(tokens, scale)) > 1e-9;
-- all of them: between two neighbours one and the same is the cheaper
SELECT is(count(*), 0::bigint, 'and between two such places the same one is cheaper') FROM (
    SELECT t.i, sign(curve_cost(t.steps, v.at) - curve_cost(t.tokens, v.at)) AS seen,
           coalesce((SELECT CASE WHEN c.is_cheaper_above THEN -1 ELSE 1 END FROM crossings(t.steps, t.tokens) c WHERE c.scale < v.at ORDER BY c.scale DESC, c.is_cheaper_above LIMIT 1),
                    sign(curve_cost(t.steps, 0) - curve_cost(t.tokens, 0))) AS said,
           (SELECT min(abs(c.scale - v.at)) FROM crossings(t.steps, t.tokens) c) AS distance
    FROM two t, LATERAL (SELECT round((random() * 3)::numeric, 4) + 0.00005 AS at FROM generate_series(1, 10) WHERE t.i > 0) v
    WHERE t.i <= 100) x WHERE seen IS NOT NULL AND seen <> 0 AND distance > 1e-6 AND seen <> said;

-- ---- ranks ----
INSERT INTO price (provider, model, rates) VALUES ('p', 'm', '{"currency": "USD", "input": 2, "cache_read": 0.5, "output": 8}');
INSERT INTO usage (at, tokens, provider, model)
SELECT '2026-03-02Z'::timestamptz + random() * random() * interval '6 hours', tokens(input => floor(10 ^ (2 + random() * 3))::bigint, output => floor(10 ^ (1 + random() * 2))::bigint), 'p', 'm' FROM generate_series(1, 3000);
SELECT is(measure_workload('w', '2026-03-02Z', '2026-03-02 06:00Z'), 3000::bigint, 'a workload');
INSERT INTO quote (name, kind, vendor, quoted_at, currency, price_per_gpu_hour, gpus_min, gpus_step, utilization_ceiling)
SELECT 'gpu ' || i, 'gpu_hour', 'v', '2026-03-01Z', 'USD', round((random() * 3)::numeric + 0.5, 2), 1 + floor(random() * 8), 1 + floor(random() * 4), round((0.3 + random() * 0.7)::numeric, 2) FROM generate_series(1, 30) i;
INSERT INTO operating_point (quote, interactivity, input_tokens_per_second, output_tokens_per_second)
SELECT 'gpu ' || i, p * 10 + round((random() * 5)::numeric, 2), CASE WHEN i % 3 > 0 THEN round((random() * 4000)::numeric + 100, 2) END, round((random() * 400)::numeric + 10, 2) FROM generate_series(1, 30) i, generate_series(1, 4) p;
-- each with a twin: dearer by the hour, or with fewer tokens a second, or with larger steps
INSERT INTO quote (name, kind, vendor, quoted_at, currency, price_per_gpu_hour, gpus_min, gpus_step, utilization_ceiling)
SELECT 'worse ' || name, kind, vendor, quoted_at, currency, price_per_gpu_hour * CASE WHEN n % 3 = 0 THEN 1.07 ELSE 1 END, gpus_min, gpus_step * CASE WHEN n % 3 = 1 THEN 2 ELSE 1 END,
       utilization_ceiling * CASE WHEN n % 3 = 2 THEN 0.8 ELSE 1 END FROM (SELECT *, row_number() OVER (ORDER BY name) AS n FROM quote) q;
INSERT INTO operating_point (quote, interactivity, input_tokens_per_second, output_tokens_per_second)
SELECT 'worse ' || quote, interactivity, input_tokens_per_second, output_tokens_per_second FROM operating_point;
CREATE TABLE ranked AS SELECT a AS asked, c.* FROM unnest('{NULL,15,25,41}'::numeric[]) a, LATERAL compare_quotes('w', NULL, a) c;
SELECT is(count(*), 0::bigint, 'no offer that another beats ranks above it, or costs less') FROM ranked b JOIN ranked g ON b.quote = 'worse ' || g.quote AND b.asked IS NOT DISTINCT FROM g.asked
WHERE b.rank < g.rank OR b.cost_per_mtok < g.cost_per_mtok OR b.cost_per_mtok > g.cost_per_mtok AND b.rank = g.rank OR b.serves AND NOT g.serves;
SELECT is(count(*), 0::bigint, 'none that cannot serve ranks above one that can') FROM ranked b JOIN ranked g ON b.asked IS NOT DISTINCT FROM g.asked WHERE NOT b.serves AND g.serves AND b.rank < g.rank;
SELECT is(count(*), 0::bigint, 'the faster for the user, the more GPUs') FROM (SELECT units_needed - lag(units_needed) OVER (PARTITION BY quote ORDER BY asked) AS more, quote FROM ranked r WHERE asked IS NOT NULL AND serves
    AND (SELECT count(input_tokens_per_second) FROM operating_point o WHERE o.quote = r.quote) = 0) x WHERE more < 0;
UPDATE quote SET price_per_gpu_hour = price_per_gpu_hour * 1.25;
SELECT is(count(*), 0::bigint, 'a quarter more for the hour is a quarter more for the token') FROM ranked r JOIN compare_quotes('w') c USING (quote) WHERE r.asked IS NULL AND abs(c.cost_per_mtok / r.cost_per_mtok - 1.25) > 1e-12;
SELECT * FROM finish();
ROLLBACK;
