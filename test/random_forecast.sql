-- Random series, sparse, spiky, constant and all zero: each forecast lies within
-- its interval at any level, and nothing falls below the minimum; and so do the
-- forecasts of an install that has logged them.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE;
SET timezone = 'UTC';
CALL tokenomics.install('forecast_test');
SET search_path = forecast_test, public, tokenomics;
SELECT plan(9);
SELECT setseed(0.20261124);

CREATE TABLE series AS
SELECT k.kind, r.i, time_series(date '2026-01-01' + d, greatest(CASE k.kind
           WHEN 'random' THEN 1000 * random()
           WHEN 'sparse' THEN CASE WHEN random() < 0.05 THEN 1e7 * random() ELSE 0 END
           WHEN 'spiky' THEN 100 + 10 * random() + CASE WHEN random() < 0.03 THEN 10000 * random() ELSE 0 END
           WHEN 'constant' THEN 1000 * r.i
           WHEN 'zero' THEN 0
           WHEN 'heavy' THEN exp(4 * (random() + random() + random() - 1.5))
           WHEN 'falling' THEN 500 - 6 * d + 100 * random()
           WHEN 'growing' THEN exp(0.05 * d) * (0.5 + random())
           WHEN 'weekly' THEN (ARRAY[9, 12, 10, 11, 6, 0, 0])[1 + d % 7] * (1 + r.i * random()) END, 0)) AS series
FROM unnest('{random,sparse,spiky,constant,zero,heavy,falling,growing,weekly}'::text[]) k(kind), generate_series(1, 8) r(i), generate_series(1, 15 * r.i) d
GROUP BY 1, 2;
CREATE TABLE step AS
SELECT s.kind, s.i, m.asked, l.level, n.minimum, f.*
FROM series s, unnest('{auto,combined,seasonal_naive}'::text[]) m(asked), unnest('{0.05,0.5,0.95,0.999}'::float8[]) l(level), unnest('{0,NULL}'::float8[]) n(minimum),
     forecast(s.series, 40, 7, m.asked, l.level, minimum => n.minimum, paths => 200) f;
SELECT is(count(*), 9 * 8 * 3 * 4 * 2 * 40::bigint, 'every series has a forecast') FROM step;
SELECT is(count(*), 0::bigint, 'lower <= forecast <= upper') FROM step WHERE NOT (lower <= forecast AND forecast <= upper) OR lower IS NULL;
SELECT is(count(*), 0::bigint, 'nothing is below the minimum') FROM step WHERE lower < minimum OR forecast < minimum;
SELECT is(count(*), 0::bigint, 'a constant stays, without width') FROM step s WHERE kind IN ('constant', 'zero') AND asked = 'auto' AND NOT (lower = forecast AND upper = forecast);
SELECT cmp_ok(count(*), '=', 0::bigint, 'the interval of what varies has a width') FROM step WHERE kind NOT IN ('constant', 'zero') AND asked = 'auto' AND level = 0.95 AND minimum IS NULL AND note IS DISTINCT FROM 'all values are 0' AND NOT lower < upper;

CREATE TABLE total AS
SELECT s.kind, s.i, l.level, p.period, f.*
FROM series s, unnest('{0.05,0.5,0.95,0.999}'::float8[]) l(level), unnest('{week,month,total}'::text[]) p(period),
     forecast_totals(s.series, 90, 7, level => l.level, minimum => 0, paths => 200, period => p.period) f;
SELECT is(count(*), 0::bigint, 'lower <= forecast <= upper of sums') FROM total WHERE NOT (0 <= lower AND lower <= forecast AND forecast <= upper) OR lower IS NULL;
SELECT is(count(*), 0::bigint, 'sums are of their steps') FROM total WHERE abs(forecast - (SELECT sum(v) FROM unnest(by_step) v)) > 1e-9 * forecast;

-- the same as calls of models, half of them priced
INSERT INTO price (provider, model, rates, valid)
SELECT 'v', kind || i, jsonb_build_object('currency', 'USD', 'input', 1 + i, 'output', 5)::rates, '(,)' FROM series WHERE i % 2 = 0;
INSERT INTO usage (at, tokens, provider, model)
SELECT p.time + interval '12 hours', tokens(input => p.value::bigint, output => (p.value * random())::bigint), 'v', s.kind || s.i
FROM series s, points(s.series) p WHERE p.value >= 1;
CREATE TABLE demand AS
SELECT g.grain, v.level, f.* FROM unnest('{day,month}'::text[]) g(grain), unnest('{0.1,0.95}'::float8[]) v(level), demand_forecast_between(to_at => '2026-05-02', grain => g.grain, months => 2, level => v.level) f;
SELECT set_eq('SELECT DISTINCT scope FROM demand', '{total,model,meter}'::text[], 'total, models, meters');
SELECT is(count(*), 0::bigint, 'lower <= expected <= upper, tokens and spend') FROM demand
WHERE NOT (0 <= tokens_lower AND tokens_lower <= tokens AND tokens <= tokens_upper)
   OR spend IS NOT NULL AND (NOT (0 <= spend_lower AND spend_lower <= spend AND spend <= spend_upper) OR spend_upper IS NULL)
   OR tokens_lower IS NULL AND note NOT LIKE '%1 of at least 10%';
SELECT * FROM finish();
ROLLBACK;
