-- Series and their forecasts, by hand.
\set SHOW_CONTEXT never
SET timezone = 'America/New_York';
SET datestyle = 'German';
SET search_path = tokenomics, public;

-- a series: sorted, each time once, null is not known; the text form is exact
SELECT time_series(d, v) FROM (VALUES (date '2026-01-03', 3.25), ('2026-01-01', 0.1), ('2026-01-02', NULL)) x(d, v);
SELECT '{"2026-01-01T10:30:00.000001": 1e22, "2026-01-01": -0.1}'::time_series, '{}'::time_series, time_series(d, 1) FROM (SELECT date '2026-01-01' WHERE false) x(d);
SELECT time_series(at, v, 'Asia/Kolkata') FROM (VALUES ('2026-01-01 18:30Z'::timestamptz, 1), ('2026-01-02 18:30Z', 2)) x(at, v);
SELECT * FROM points('{"2026-01-02": null, "2026-01-01": 5}');
-- parts in any order, and by the binary form
SELECT merge(s) FROM (VALUES ('{"2026-01-03": 3}'::time_series), (NULL), ('{"2026-01-01": 1, "2026-01-05": 5}'), ('{}'), ('{"2026-01-02": 2}')) x(s);
SELECT merge(s) FROM (VALUES (NULL::time_series)) x(s);
-- what is refused
SELECT time_series(d, v) FROM (VALUES (date '2026-01-01', 1), ('2026-01-01', 1)) x(d, v);
SELECT merge(s) FROM (VALUES ('{"2026-01-01": 1}'::time_series), ('{"2026-01-01": null}')) x(s);
SELECT time_series(NULL::timestamp, 1);
SELECT time_series('2026-01-01'::timestamp, 'NaN');
SELECT time_series('2026-01-01'::timestamp, '-infinity');
SELECT time_series('2026-01-01'::timestamp, 1e101);
SELECT time_series('infinity'::timestamp, 1);
SELECT time_series('infinity'::timestamptz, 1, 'UTC');
SELECT time_series('0044-03-15 BC'::timestamp, 1);
SELECT time_series('2026-01-01'::timestamptz, 1, 'Mars/Olympus');
SELECT time_series('2026-01-01'::timestamptz, 1, NULL);
SELECT '[]'::time_series;
SELECT '{"2026-01-01": 1, "2026-01-01": 2}'::time_series;
SELECT '{"2026-02-29": 1}'::time_series;
SELECT '{"2026-01-01 10:00": 1}'::time_series;
SELECT '{"2026-01-01": "1"}'::time_series;
SELECT '{"2026-01-01": 1e400}'::time_series;

-- the grain is found, and its steps go on: month ends, leap years, hours
SELECT step, to_char(time, 'YYYY-MM-DD HH24:MI') AS time, forecast FROM forecast('{"2027-11-30": 1, "2027-12-31": 2}', 3, model => 'naive');
SELECT to_char(time, 'YYYY-MM-DD') AS time FROM forecast('{"2026-01-15": 1, "2026-04-15": 2}', 2, model => 'naive');
SELECT to_char(time, 'YYYY-MM-DD') AS time FROM forecast('{"2026-01-01": 1, "2026-01-08": 2}', 2, model => 'naive');
SELECT to_char(time, 'YYYY-MM-DD') AS time FROM forecast('{"2026-01-01": 1, "2027-01-01": 2}', 2, model => 'naive');
SELECT to_char(time, 'YYYY-MM-DD') AS time FROM forecast('{"2026-01-01": 1, "2027-01-01": 2}', 2, model => 'naive', grain => 'day', missing => 'zero');
SELECT to_char(time, 'HH24:MI') AS time FROM forecast('{"2026-01-01T22:00:00": 1, "2026-01-01T23:00:00": 2}', 2, model => 'naive');
SELECT to_char(time, 'HH24:MI') AS time FROM forecast('{"2026-01-01T22:10:00": 1, "2026-01-01T22:25:00": 2}', 2, model => 'naive');
SELECT forecast('{"2026-01-01T22:10:00": 1, "2026-01-01T22:10:30": 2}', 2);
SELECT forecast('{"2026-01-01": 1}', 2);
SELECT forecast('{"2026-01-01": 1, "2026-01-03": 2}', 2, grain => 'week');
SELECT forecast('{"2026-01-01": 1, "2026-01-03": 2}', 2, grain => 'fortnight');
SELECT forecast('{}', 2);
SELECT * FROM forecast(NULL, 2);

-- a missing period is what the caller says it is
SELECT forecast('{"2026-01-01": 1, "2026-01-02": 1, "2026-01-04": 9}', 1, model => 'ses', alpha => 0.5);
SELECT forecast('{"2026-01-01": 1, "2026-01-02": null, "2026-01-03": 9}', 1, model => 'ses', alpha => 0.5);
SELECT forecast('{"2026-01-01": null}', 1, grain => 'day', missing => 'null');
SELECT forecast('{"2026-01-01": 1}', 1, grain => 'day', missing => 'guess');
-- levels 1, 1, then half way to 0: 0.5, to 9: 4.75; or, not known, 1 and 5
SELECT missing, forecast FROM unnest('{zero,"null"}'::text[]) missing, forecast('{"2026-01-01": 1, "2026-01-02": 1, "2026-01-04": 9}', 1, model => 'ses', alpha => 0.5, initial_level => 1, missing => missing);

-- by hand: level 10, trend 2; 13 came for 12: level 12.5, trend 2.25; 14 for 14.75: 14.375, 2.0625
SELECT round(f.forecast::numeric, 6) AS forecast FROM forecast('{"2026-01-01": 13, "2026-01-02": 14}', 3, model => 'holt', alpha => 0.5, beta => 0.5, initial_level => 10, initial_trend => 2) f;
SELECT (f).level, (f).trend, (f).fitted, (f).sse, (f).season, (f).alpha, (f).beta, (f).gamma FROM (SELECT forecast_model('{"2026-01-01": 13, "2026-01-02": 14}', model => 'holt', alpha => 0.5, beta => 0.5, initial_level => 10, initial_trend => 2) AS f) x;
-- the same in the form of ETS, whose beta is alpha times that
SELECT round(f.forecast::numeric, 6) AS forecast, f.model FROM forecast('{"2026-01-01": 13, "2026-01-02": 14}', 2, model => 'ETS(A,A,N)', alpha => 0.5, beta => 0.25, initial_level => 10, initial_trend => 2) f;
-- damped by a half: 10 + 1 = 11 for 13, level 12, trend 1 + (2 - 1) / 2 = 1.5; then 12.75, 13.125
SELECT round(f.forecast::numeric, 6) AS forecast FROM forecast('{"2026-01-01": 13}', 2, grain => 'day', model => 'holt_damped', alpha => 0.5, beta => 0.5, phi => 0.5, initial_level => 10, initial_trend => 2) f;
-- a season: level 10, +1 and -1; 13 for 11: level 11, season 1 + (13 - 10 - 1) / 2 = 2 by q, 1.5 by the new level; 10 for 10
SELECT f.model, f.level, f.seasonals FROM unnest('{"ETS(A,N,A)",holt_winters_additive}'::text[]) m,
    forecast_model('{"2026-01-01": 13, "2026-01-02": 10, "2026-01-03": 13, "2026-01-04": 10}', 2, m, alpha => 0.5, gamma => 0.5, beta => CASE WHEN m ~ 'holt' THEN 0 END, initial_level => 10, initial_trend => CASE WHEN m ~ 'holt' THEN 0 END, initial_seasonals => '{1,-1}') f;
SELECT forecast, model FROM forecast('{"2026-01-01": 1, "2026-01-02": 2, "2026-01-03": 3}', 4, 2, 'seasonal_naive');

-- short and broken histories: said, and with wide intervals
SELECT forecast, lower, upper, model, note FROM forecast('{"2026-01-01": 7}', 1, grain => 'day');
SELECT forecast, lower < -20 AND upper > 40 AS wide, model, note FROM forecast('{"2026-01-01": 5, "2026-01-02": 9}', 1);
SELECT forecast, lower, upper, model, note FROM (SELECT time_series(date '2026-01-01' + i, 0) AS s FROM generate_series(1, 20) i) x, forecast(s, 1);
SELECT forecast, lower, upper, model, note FROM (SELECT time_series(date '2026-01-01' + i, -4) AS s FROM generate_series(1, 20) i) x, forecast(s, 1);
SELECT model <> 'naive' AS fitted, note FROM (SELECT time_series(date '2026-01-01' + i, i + i % 3) AS s FROM generate_series(1, 12) i) x, forecast(s, 1);
-- a line goes on, a week too; with zeros and below zero nothing is multiplied
SELECT round(forecast::numeric, 3) AS forecast, round(upper::numeric - lower::numeric, 3) AS width FROM (SELECT time_series(date '2026-01-01' + i, 10 + 2 * i) AS s FROM generate_series(1, 30) i) x, forecast(s, 2, 1);
SELECT string_agg(round(forecast::numeric, 3)::text, ' ' ORDER BY step) FROM (SELECT time_series(date '2026-01-01' + i, (ARRAY[0, 5, -3])[1 + i % 3]) AS s FROM generate_series(0, 29) i) x, forecast(s, 6, 3);
SELECT bool_and(model ~ '^ETS\(A,.*,[NA]\)$') FROM (SELECT time_series(date '2026-01-01' + i, (i * 7919) % 13) AS s FROM generate_series(0, 60) i) x, forecast(s, 2);
SELECT count(*) FILTER (WHERE forecast < 0 OR lower < 0) FROM (SELECT time_series(date '2026-01-01' + i, 30 - i) AS s FROM generate_series(0, 29) i) x, forecast(s, 30, 1, minimum => 0);
SELECT forecast('{"2026-01-01": 1, "2026-01-02": 0, "2026-01-03": 1}', 1, model => 'ETS(M,N,N)');
SELECT forecast('{"2026-01-01": 1, "2026-01-02": 2, "2026-01-03": -1}', 1, model => 'holt_exponential');

-- totals: the forecasts of their steps, and the interval of the sums, which is not the sum of intervals
CREATE TEMP TABLE s AS SELECT time_series(date '2026-01-01' + i, 100 + 10 * (i % 7) + (i * 7919) % 13) AS s FROM generate_series(0, 69) i;
SELECT to_char(t.first_time, 'YYYY-MM-DD') AS first, to_char(t.last_time, 'YYYY-MM-DD') AS last, t.steps, cardinality(t.by_step) AS n, abs(t.forecast - f.forecast) < 1e-9 AS adds_up,
    t.upper - t.lower < f.upper - f.lower AS is_narrower, t.model = f.model AS same
FROM s, forecast_totals(s, 40) t, LATERAL (SELECT sum(f.forecast) AS forecast, sum(f.lower) AS lower, sum(f.upper) AS upper, min(f.model) AS model FROM forecast(s, 40) f WHERE f.time BETWEEN t.first_time AND t.last_time) f;
SELECT (SELECT count(*) FROM forecast_totals(s, 40, period => 'day')) AS days, (SELECT count(*) FROM forecast_totals(s, 40, period => 'week')) AS weeks, (SELECT count(*) FROM forecast_totals(s, 40, period => 'total')) AS total FROM s;
SELECT forecast_totals(s, 40, period => 'hour') FROM s;
-- the same seed is the same interval, another one nearly so; a higher level a wider one
SELECT a = b AS same, a <> c AS other, abs(a.upper - c.upper) < 3 AS near, d.upper > a.upper AS wider FROM s, forecast(s, 1) a, forecast(s, 1) b, forecast(s, 1, seed => 2) c, forecast(s, 1, level => 0.999) d;
-- a backtest: what would have been said
SELECT to_char(origin, 'MM-DD') AS origin, step, to_char(time, 'MM-DD') AS time, actual, forecast, scaled_error FROM s, forecast_backtest(s, 2, 7, 'seasonal_naive', origins => 2);
SELECT avg(scaled_error) < 1 AS better_than_naive, count(*) FROM s, forecast_backtest(s, 7, origins => 4);
SELECT forecast_backtest(s, 7, origins => 10) FROM s;
SELECT model FROM s, forecast_model(s, 7, 'backtest');

-- what is refused
SELECT forecast(s, 0) FROM s;
SELECT forecast(s, NULL) FROM s;
SELECT forecast(s, 1, 0) FROM s;
SELECT forecast(s, 1, model => 'arima') FROM s;
SELECT forecast(s, 1, model => 'ETS(N,A,A)') FROM s;
SELECT forecast(s, 1, model => 'ETS(A,Nd,A)') FROM s;
SELECT forecast(s, 1, model => NULL) FROM s;
SELECT forecast(s, 1, level => 1) FROM s;
SELECT forecast(s, 1, alpha => 0.5) FROM s;
SELECT forecast(s, 1, model => 'ses', alpha => 1.5) FROM s;
SELECT forecast(s, 1, model => 'ses', alpha => 'NaN') FROM s;
SELECT forecast(s, 1, model => 'ETS(A,A,N)', alpha => 0.1, beta => 0.2) FROM s;
SELECT forecast(s, 1, model => 'ETS(A,N,A)', alpha => 0.9, gamma => 0.2) FROM s;
SELECT forecast(s, 1, 1, 'holt_winters_additive') FROM s;
SELECT forecast(s, 1, 60, 'holt_winters_additive') FROM s;
SELECT forecast(s, 1, 80, 'seasonal_naive') FROM s;
SELECT forecast(s, 1, 7, 'ETS(A,N,A)', initial_seasonals => '{1,2}') FROM s;
SELECT forecast(s, 1, 7, 'ETS(A,N,A)', initial_seasonals => '{1,NULL}') FROM s;
SELECT forecast(s, 1, paths => 10) FROM s;
SELECT forecast(s, 100000, paths => 100000) FROM s;
SELECT forecast('{"9999-12-30": 1, "9999-12-31": 2}', 1, model => 'naive');

-- a mix is shared out to the last token, at the prices it had
CREATE TEMP TABLE p AS SELECT 'list' AS book, 'v' AS provider, 'm' AS model, 'standard' AS service_tier, above AS above_input_tokens, format('{"currency": "USD", "input": %s}', rate)::rates AS rates,
    '(,)'::tstzrange AS valid, 'input_total' AS tier_basis, 'whole' AS tier_mode, '{}'::int4multirange AS off_peak, 'UTC' AS off_peak_zone, '' AS source FROM (VALUES (0::bigint, 1), (100, 3)) x(above, rate);
CREATE TEMP TABLE mix AS SELECT ledger((SELECT price_book(p) FROM p), 'day', 'UTC', '2026-01-01 12:00Z', 'v', 'm', NULL, tokens(input => n)) AS mix FROM unnest('{100,200}'::int[]) n;
SELECT to_char(l.period AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS period, l.above_input_tokens, l.calls, l.tokens, trim_scale(l.cost) AS cost FROM mix, lines(project(mix, 'v', 'm', 'standard', '2027-02-03 04:05Z', '{"input": 1000}')) l;
SELECT tokens(project(mix, 'v', 'm', 'standard', '2027-02-03', '{"input": 0}')), project(mix, 'v', 'other', 'standard', '2027-02-03', '{}') FROM mix;
SELECT project(mix, 'v', 'm', 'standard', '2027-02-03', '{"output": 1}') FROM mix;
SELECT project(mix, 'v', 'm', 'batch', '2027-02-03', '{"input": 1}') FROM mix;
