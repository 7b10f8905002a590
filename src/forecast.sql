-- Forecasts of any series, and of the tokens and the spend of an install.

CREATE TYPE time_series;

CREATE FUNCTION time_series_in(cstring) RETURNS time_series
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_series_out(time_series) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_series_recv(internal) RETURNS time_series
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_series_send(time_series) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE time_series (
    INPUT = time_series_in,
    OUTPUT = time_series_out,
    RECEIVE = time_series_recv,
    SEND = time_series_send,
    INTERNALLENGTH = variable,
    ALIGNMENT = double,
    STORAGE = external
);
COMMENT ON TYPE time_series IS
    'values by time, each time once, a value that is not known null; mergeable in any order; text form JSON, as in {"2026-01-01": 12.5, "2026-01-02": null}';
COMMENT ON FUNCTION time_series_in(cstring) IS 'I/O';
COMMENT ON FUNCTION time_series_out(time_series) IS 'I/O';
COMMENT ON FUNCTION time_series_recv(internal) IS 'I/O';
COMMENT ON FUNCTION time_series_send(time_series) IS 'I/O';

CREATE FUNCTION time_series_add(time_series, timestamp, double precision) RETURNS time_series
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION time_series_add(time_series, timestamptz, double precision, text) RETURNS time_series
    AS 'MODULE_PATHNAME', 'time_series_add_in_zone' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION time_series_merge(time_series, time_series) RETURNS time_series
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION time_series_finish(time_series) RETURNS time_series
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION time_series_add(time_series, timestamp, double precision) IS 'transition function of time_series()';
COMMENT ON FUNCTION time_series_add(time_series, timestamptz, double precision, text) IS 'transition function of time_series()';
COMMENT ON FUNCTION time_series_merge(time_series, time_series) IS 'transition function of merge(time_series), combine function of it and of time_series()';
COMMENT ON FUNCTION time_series_finish(time_series) IS 'final function of time_series() and merge(time_series): an error where two values are of one time';

CREATE AGGREGATE time_series("time" timestamp, value double precision) (
    SFUNC = time_series_add,
    STYPE = time_series,
    FINALFUNC = time_series_finish,
    COMBINEFUNC = time_series_merge,
    PARALLEL = SAFE
);
CREATE AGGREGATE time_series("time" timestamptz, value double precision, zone text) (
    SFUNC = time_series_add,
    STYPE = time_series,
    FINALFUNC = time_series_finish,
    COMBINEFUNC = time_series_merge,
    PARALLEL = SAFE
);
CREATE AGGREGATE merge(time_series) (
    SFUNC = time_series_merge,
    STYPE = time_series,
    FINALFUNC = time_series_finish,
    COMBINEFUNC = time_series_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE time_series(timestamp, double precision) IS
    'the series of values by time, the time of a calendar (a date, a timestamp); a null value is one that is not known; an error of two values at one time; NULL of no rows';
COMMENT ON AGGREGATE time_series(timestamptz, double precision, text) IS
    'the series of values by instant, put on the calendar and clock of a time zone';
COMMENT ON AGGREGATE merge(time_series) IS 'the series of all times of several, in any order; an error of two values at one time; NULL of none';

CREATE FUNCTION points(series time_series, OUT "time" timestamp, OUT value double precision) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'time_series_points' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 365;
COMMENT ON FUNCTION points(time_series) IS 'the times and values of a series, in order';

CREATE TYPE forecast_step AS (
    step integer,
    "time" timestamp,
    forecast double precision,
    lower double precision,
    upper double precision,
    model text,
    note text
);
COMMENT ON TYPE forecast_step IS 'a step of forecast()';
COMMENT ON COLUMN forecast_step.step IS 'number of the step, from 1';
COMMENT ON COLUMN forecast_step."time" IS 'when its period begins';
COMMENT ON COLUMN forecast_step.forecast IS 'the forecast';
COMMENT ON COLUMN forecast_step.lower IS 'lower end of the interval; NULL of a single value';
COMMENT ON COLUMN forecast_step.upper IS 'upper end of the interval';
COMMENT ON COLUMN forecast_step.model IS 'the model used';
COMMENT ON COLUMN forecast_step.note IS 'what was not as asked for, such as a short history';

CREATE FUNCTION forecast(
    series time_series,
    horizon integer,
    season integer DEFAULT NULL,
    model text DEFAULT 'auto',
    level double precision DEFAULT 0.95,
    grain text DEFAULT NULL,
    missing text DEFAULT 'error',
    alpha double precision DEFAULT NULL,
    beta double precision DEFAULT NULL,
    gamma double precision DEFAULT NULL,
    phi double precision DEFAULT NULL,
    initial_level double precision DEFAULT NULL,
    initial_trend double precision DEFAULT NULL,
    initial_seasonals double precision[] DEFAULT NULL,
    minimum double precision DEFAULT NULL,
    paths integer DEFAULT 1000,
    seed bigint DEFAULT 1
) RETURNS SETOF forecast_step
    AS 'MODULE_PATHNAME', 'time_series_forecast' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 30;
COMMENT ON FUNCTION forecast(time_series, integer, integer, text, double precision, text, text, double precision, double precision, double precision, double precision, double precision, double precision, double precision[], double precision, integer, bigint) IS
    'what a series will be for so many steps, with an interval that holds the given share of simulated paths, whose median is the forecast; season: periods that repeat (NULL: those of the grain); model: auto, backtest, ets, combined, naive, seasonal_naive, ses, holt..., ETS(M,Ad,N)...; missing: error, zero or null';

CREATE TYPE forecast_total AS (
    first_time timestamp,
    last_time timestamp,
    steps integer,
    forecast double precision,
    lower double precision,
    upper double precision,
    by_step double precision[],
    model text,
    mase double precision,
    note text
);
COMMENT ON TYPE forecast_total IS 'a sum of forecast_totals()';
COMMENT ON COLUMN forecast_total.first_time IS 'first period that is summed';
COMMENT ON COLUMN forecast_total.last_time IS 'last period that is summed';
COMMENT ON COLUMN forecast_total.steps IS 'number of them';
COMMENT ON COLUMN forecast_total.forecast IS 'sum of their forecasts';
COMMENT ON COLUMN forecast_total.lower IS 'lower end of the interval of the sum';
COMMENT ON COLUMN forecast_total.upper IS 'upper end of the interval';
COMMENT ON COLUMN forecast_total.by_step IS 'the forecasts that are summed';
COMMENT ON COLUMN forecast_total.model IS 'the model used';
COMMENT ON COLUMN forecast_total.mase IS 'mean absolute scaled error of its one-step forecasts within the series';
COMMENT ON COLUMN forecast_total.note IS 'what was not as asked for, such as a short history';

CREATE FUNCTION forecast_totals(
    series time_series,
    horizon integer,
    season integer DEFAULT NULL,
    model text DEFAULT 'auto',
    level double precision DEFAULT 0.95,
    grain text DEFAULT NULL,
    missing text DEFAULT 'error',
    alpha double precision DEFAULT NULL,
    beta double precision DEFAULT NULL,
    gamma double precision DEFAULT NULL,
    phi double precision DEFAULT NULL,
    initial_level double precision DEFAULT NULL,
    initial_trend double precision DEFAULT NULL,
    initial_seasonals double precision[] DEFAULT NULL,
    minimum double precision DEFAULT NULL,
    paths integer DEFAULT 1000,
    seed bigint DEFAULT 1,
    period text DEFAULT 'month'
) RETURNS SETOF forecast_total
    AS 'MODULE_PATHNAME', 'time_series_forecast_totals' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 12;
COMMENT ON FUNCTION forecast_totals(time_series, integer, integer, text, double precision, text, text, double precision, double precision, double precision, double precision, double precision, double precision, double precision[], double precision, integer, bigint, text) IS
    'the forecast summed by period (day, week, month, quarter, year, total) of the calendar, with intervals of the sums of simulated paths: the days of a month go up and down together; by_step: the forecasts that are summed';

CREATE TYPE forecast_fit AS (
    model text,
    grain text,
    season integer,
    periods integer,
    unknown_periods integer,
    alpha double precision,
    beta double precision,
    gamma double precision,
    phi double precision,
    log_likelihood double precision,
    aic double precision,
    aicc double precision,
    bic double precision,
    sse double precision,
    sigma double precision,
    rmse double precision,
    mae double precision,
    mape double precision,
    mase double precision,
    level double precision,
    trend double precision,
    seasonals double precision[],
    fitted double precision[],
    note text
);
COMMENT ON TYPE forecast_fit IS 'the model of a series, from forecast_model()';
COMMENT ON COLUMN forecast_fit.model IS 'name of the model';
COMMENT ON COLUMN forecast_fit.grain IS 'what the steps of the series are';
COMMENT ON COLUMN forecast_fit.season IS 'periods of a season; 1 without';
COMMENT ON COLUMN forecast_fit.periods IS 'periods from the first to the last';
COMMENT ON COLUMN forecast_fit.unknown_periods IS 'those whose value is not known';
COMMENT ON COLUMN forecast_fit.alpha IS 'smoothing of the level; NULL of several models';
COMMENT ON COLUMN forecast_fit.beta IS 'smoothing of the trend: of ETS models alpha times that of Holt''s form';
COMMENT ON COLUMN forecast_fit.gamma IS 'smoothing of the season';
COMMENT ON COLUMN forecast_fit.phi IS 'damping of the trend';
COMMENT ON COLUMN forecast_fit.log_likelihood IS 'logarithm of the likelihood, without its constant, as R''s ets has it';
COMMENT ON COLUMN forecast_fit.aic IS 'Akaike''s information criterion';
COMMENT ON COLUMN forecast_fit.aicc IS 'the same, corrected for few values';
COMMENT ON COLUMN forecast_fit.bic IS 'Bayesian information criterion';
COMMENT ON COLUMN forecast_fit.sse IS 'sum of the squares of the one-step errors';
COMMENT ON COLUMN forecast_fit.sigma IS 'standard deviation of the model''s errors; relative where they are multiplied';
COMMENT ON COLUMN forecast_fit.rmse IS 'root of the mean squared one-step error';
COMMENT ON COLUMN forecast_fit.mae IS 'mean absolute one-step error';
COMMENT ON COLUMN forecast_fit.mape IS 'mean absolute percentage error; NULL where a value is 0';
COMMENT ON COLUMN forecast_fit.mase IS 'mae over that of the seasonal naive forecast (Hyndman and Koehler 2006): below 1 it is better';
COMMENT ON COLUMN forecast_fit.level IS 'level after the last value';
COMMENT ON COLUMN forecast_fit.trend IS 'trend after the last value, by period; a factor where it is multiplied';
COMMENT ON COLUMN forecast_fit.seasonals IS 'the season, that of the next period first';
COMMENT ON COLUMN forecast_fit.fitted IS 'one-step forecast of each period';
COMMENT ON COLUMN forecast_fit.note IS 'what was not as asked for, such as a short history';

CREATE FUNCTION forecast_model(
    series time_series,
    season integer DEFAULT NULL,
    model text DEFAULT 'auto',
    grain text DEFAULT NULL,
    missing text DEFAULT 'error',
    alpha double precision DEFAULT NULL,
    beta double precision DEFAULT NULL,
    gamma double precision DEFAULT NULL,
    phi double precision DEFAULT NULL,
    initial_level double precision DEFAULT NULL,
    initial_trend double precision DEFAULT NULL,
    initial_seasonals double precision[] DEFAULT NULL,
    horizon integer DEFAULT 12
) RETURNS forecast_fit
    AS 'MODULE_PATHNAME', 'time_series_forecast_model' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION forecast_model(time_series, integer, text, text, text, double precision, double precision, double precision, double precision, double precision, double precision, double precision[], integer) IS
    'the model that forecast() of the same arguments uses: its parameters, criteria, errors within the series and last states; horizon matters to model backtest, and to ets beyond a season';

CREATE TYPE forecast_trial AS (
    origin timestamp,
    step integer,
    "time" timestamp,
    actual double precision,
    forecast double precision,
    lower double precision,
    upper double precision,
    scaled_error double precision,
    model text
);
COMMENT ON TYPE forecast_trial IS 'a step of forecast_backtest()';
COMMENT ON COLUMN forecast_trial.origin IS 'last period that was known';
COMMENT ON COLUMN forecast_trial.step IS 'number of the step from there';
COMMENT ON COLUMN forecast_trial."time" IS 'the period';
COMMENT ON COLUMN forecast_trial.actual IS 'what came';
COMMENT ON COLUMN forecast_trial.forecast IS 'what was forecast';
COMMENT ON COLUMN forecast_trial.lower IS 'lower end of the interval';
COMMENT ON COLUMN forecast_trial.upper IS 'upper end of the interval';
COMMENT ON COLUMN forecast_trial.scaled_error IS 'absolute error over that of the seasonal naive forecast within what was known';
COMMENT ON COLUMN forecast_trial.model IS 'the model used';

CREATE FUNCTION forecast_backtest(
    series time_series,
    horizon integer,
    season integer DEFAULT NULL,
    model text DEFAULT 'auto',
    level double precision DEFAULT 0.95,
    grain text DEFAULT NULL,
    missing text DEFAULT 'error',
    alpha double precision DEFAULT NULL,
    beta double precision DEFAULT NULL,
    gamma double precision DEFAULT NULL,
    phi double precision DEFAULT NULL,
    initial_level double precision DEFAULT NULL,
    initial_trend double precision DEFAULT NULL,
    initial_seasonals double precision[] DEFAULT NULL,
    minimum double precision DEFAULT NULL,
    paths integer DEFAULT 1000,
    seed bigint DEFAULT 1,
    origins integer DEFAULT 3
) RETURNS SETOF forecast_trial
    AS 'MODULE_PATHNAME', 'time_series_forecast_backtest' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000000 ROWS 90;
COMMENT ON FUNCTION forecast_backtest(time_series, integer, integer, text, double precision, text, text, double precision, double precision, double precision, double precision, double precision, double precision, double precision[], double precision, integer, bigint, integer) IS
    'what forecast() would have said at the end of each of the last few horizons, from what was known then, beside what came; the mean of scaled_error is the MASE out of the sample';

CREATE FUNCTION project(mix ledger, provider text, model text, service_tier text, at timestamptz, tokens tokens) RETURNS ledger
    AS 'MODULE_PATHNAME', 'ledger_project' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION project(ledger, text, text, text, timestamptz, tokens) IS
    'tokens of another time, over the thresholds and off-peak windows of a model as the lines of a ledger share them, at the prices of those; reprice() prices them at their own time';

-- Makes the functions and views in the schema that comes first in search_path;
-- called by install().
CREATE PROCEDURE install_forecast() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION demand_forecast_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        grain text DEFAULT 'month',
        months integer DEFAULT 12,
        level double precision DEFAULT 0.95
    ) RETURNS TABLE (
        period date,
        days integer,
        scope text,
        provider text,
        model text,
        service_tier text,
        meter text,
        tokens bigint,
        tokens_lower bigint,
        tokens_upper bigint,
        currency text,
        spend numeric,
        spend_lower numeric,
        spend_upper numeric,
        unpriced text,
        is_approximate boolean,
        forecast_model text,
        mase double precision,
        note text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
        -- how many rows its parts have is not known, and is guessed far too low
        SET enable_nestloop = off
    AS $$
    #variable_conflict use_column
    DECLARE
        -- calls this recent tell the mix of prices; without any, a meter has stopped
        recent_days CONSTANT integer := 28;
        in_zone text := coalesce(demand_forecast_between.zone, (SELECT s.zone FROM setting s));
        first timestamptz;
        until timestamptz := tokenomics.period_start('day', in_zone, least(coalesce(to_at, now()), now()));
        first_day date := (until AT TIME ZONE in_zone)::date;   -- the first that is forecast
        recent timestamptz := (first_day - recent_days)::timestamp AT TIME ZONE in_zone;
        reporting text := (SELECT s.currency FROM setting s);
        behind date;
        counted tokenomics.ledger;
        mix tokenomics.ledger;
    BEGIN
        IF demand_forecast_between.grain IS NULL OR demand_forecast_between.grain NOT IN ('day', 'month') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('there is no demand forecast by "%s"', demand_forecast_between.grain),
                HINT = 'The grains are day and month.';
        END IF;
        IF demand_forecast_between.months IS NULL OR demand_forecast_between.months NOT BETWEEN 1 AND 60 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('cannot forecast %s months', coalesce(demand_forecast_between.months::text, 'NULL')),
                DETAIL = 'They are 1 to 60.';
        END IF;
        -- only whole days tell how much a day is
        first := CASE WHEN from_at IS NULL OR NOT isfinite(from_at) OR from_at = tokenomics.period_start('day', in_zone, from_at) THEN from_at
                      ELSE tokenomics.period_end('day', in_zone, from_at) END;
        behind := (date_trunc('month', first_day + interval '1 month' - interval '1 day') + make_interval(months => demand_forecast_between.months))::date;
        counted := usage_ledger('day', first, until, in_zone);
        mix := usage_ledger('day', greatest(first, recent), until, in_zone);
        IF counted IS NULL THEN
            RETURN;
        END IF;

        RETURN QUERY
        WITH used AS MATERIALIZED (
            SELECT l.provider, l.model, l.service_tier, l.meter, (l.period AT TIME ZONE in_zone)::date AS day, sum(l.tokens) AS tokens
            FROM tokenomics.meter_lines(counted) l
            GROUP BY 1, 2, 3, 4, 5
        ), history AS MATERIALIZED (
            SELECT u.provider, u.model, u.service_tier, u.meter, min(u.day) AS first_used, max(u.day) AS last_day, max(u.day) < first_day - recent_days AS has_stopped
            FROM used u WHERE u.tokens > 0 GROUP BY 1, 2, 3, 4
        ), rate_day AS MATERIALIZED (
            SELECT r.currency, max(r.day) AS day
            FROM (SELECT CASE WHEN f.base_currency = reporting THEN f.quote_currency ELSE f.base_currency END AS currency, f.day
                  FROM fx_rate f WHERE reporting IN (f.base_currency, f.quote_currency) AND f.day < first_day) r
            GROUP BY 1
        ), recent_use AS MATERIALIZED (
            SELECT l.provider, l.model, l.service_tier, l.meter, l.currency, sum(l.tokens) AS tokens, sum(l.cost) AS cost
            FROM tokenomics.meter_lines(mix) l
            GROUP BY 1, 2, 3, 4, 5
        ), weight AS MATERIALIZED (
            -- what a token costs of late; one without a price hardly counts, but for itself; exact,
            -- as sums must not depend on the order of rows
            SELECT l.provider, l.model, l.service_tier, l.meter, sum(l.tokens) AS tokens,
                   greatest(sum(coalesce(convert_currency(l.cost, l.currency, reporting, coalesce(r.day, first_day)), l.cost)) / nullif(sum(l.tokens), 0), 1e-9) AS cost
            FROM recent_use l LEFT JOIN rate_day r ON r.currency = l.currency
            GROUP BY 1, 2, 3, 4
        ), mix_of_model AS MATERIALIZED (
            -- as if of one day
            SELECT w.provider, w.model, w.service_tier,
                   tokenomics.project(mix, w.provider, w.model, w.service_tier, recent, jsonb_object_agg(w.meter, w.tokens)::tokenomics.tokens) AS ledger
            FROM weight w GROUP BY 1, 2, 3
        ), daily AS MATERIALIZED (
            -- a model's volume: its tokens at the prices of late; a day without calls is a day of none, up to the last one
            SELECT d.provider, d.model, d.service_tier, d.day, sum(d.volume) AS volume, sum(d.tokens) AS tokens
            FROM (SELECT u.provider, u.model, u.service_tier, u.day, u.tokens * coalesce(w.cost, 1e-9) AS volume,
                         CASE WHEN u.meter NOT IN ('tool_calls', 'cache_storage') THEN u.tokens ELSE 0 END AS tokens
                  FROM used u JOIN history h USING (provider, model, service_tier, meter) LEFT JOIN weight w USING (provider, model, service_tier, meter)
                  WHERE u.day >= h.first_used
                  UNION ALL
                  SELECT DISTINCT h.provider, h.model, h.service_tier, first_day - 1, 0, 0 FROM history h) d
            GROUP BY 1, 2, 3, 4
        ), fit AS MATERIALIZED (
            SELECT m.scope, m.provider, m.model, m.service_tier, f.first_time::date AS starts, f.steps, f.forecast, f.lower, f.upper, f.by_step, f.model AS forecast_model, f.mase, f.note,
                   CASE WHEN f.forecast > 0 THEN f.lower / f.forecast ELSE f.lower * 0 END AS low,
                   CASE WHEN f.forecast > 0 THEN f.upper / f.forecast ELSE f.upper * 0 + 1 END AS high   -- as shares of the forecast
            FROM (SELECT 'model' AS scope, d.provider, d.model, d.service_tier, tokenomics.time_series(d.day, d.volume::double precision) AS series
                  FROM daily d
                  WHERE EXISTS (SELECT FROM history h WHERE h.provider = d.provider AND h.model = d.model AND h.service_tier = d.service_tier AND NOT h.has_stopped)
                  GROUP BY 2, 3, 4
                  UNION ALL
                  SELECT t.scope, NULL, NULL, NULL, tokenomics.time_series(t.day, t.value::double precision)
                  FROM (SELECT k.scope, d.day, sum(CASE k.scope WHEN 'tokens' THEN d.tokens ELSE d.volume END) AS value
                        FROM daily d, unnest('{tokens,spend}'::text[]) k(scope) GROUP BY 1, 2) t
                  GROUP BY 1) m,
                 tokenomics.forecast_totals(m.series, behind - first_day, 7, level => demand_forecast_between.level, grain => 'day', missing => 'zero',
                                            minimum => 0, period => demand_forecast_between.grain) f
        ), share AS MATERIALIZED (
            SELECT h.provider, h.model, h.service_tier, h.meter, h.first_used, w.tokens::double precision / sum(d.volume)::double precision AS tokens_of_volume
            FROM history h
                 JOIN weight w USING (provider, model, service_tier, meter)
                 JOIN daily d USING (provider, model, service_tier)
            WHERE NOT h.has_stopped AND d.day >= greatest(h.first_used, first_day - recent_days)
            GROUP BY 1, 2, 3, 4, 5, w.tokens
        ), step AS MATERIALIZED (
            -- whole tokens, of which none is lost by rounding
            SELECT x.provider, x.model, x.service_tier, x.meter, x.starts, x.day, (round(x.so_far) - round(lag(x.so_far, 1, 0::numeric) OVER of_meter))::bigint AS tokens
            FROM (SELECT f.provider, f.model, f.service_tier, h.meter, f.starts, f.starts + s.i::integer - 1 AS day,
                         sum((s.value * h.tokens_of_volume)::numeric) OVER (PARTITION BY f.provider, f.model, f.service_tier, h.meter ORDER BY f.starts, s.i) AS so_far
                  FROM fit f JOIN share h ON h.provider = f.provider AND h.model = f.model AND h.service_tier = f.service_tier,
                       unnest(f.by_step) WITH ORDINALITY s(value, i)
                  WHERE f.scope = 'model') x
            WINDOW of_meter AS (PARTITION BY x.provider, x.model, x.service_tier, x.meter ORDER BY x.day)
        ), expected AS MATERIALIZED (
            SELECT f.provider, f.model, f.service_tier, h.meter, f.starts, f.steps, t.tokens, f.low, f.high, f.upper * h.tokens_of_volume AS upper, f.forecast_model, f.mase,
                   concat_ws('; ', f.note, CASE WHEN first_day - h.first_used < 56 THEN format('history only since %s', h.first_used) END) AS note
            FROM fit f JOIN share h ON h.provider = f.provider AND h.model = f.model AND h.service_tier = f.service_tier
                 JOIN (SELECT s.provider, s.model, s.service_tier, s.meter, s.starts, sum(s.tokens)::bigint AS tokens FROM step s GROUP BY 1, 2, 3, 4, 5) t
                     ON t.provider = f.provider AND t.model = f.model AND t.service_tier = f.service_tier AND t.meter = h.meter AND t.starts = f.starts
            WHERE f.scope = 'model'
            UNION ALL
            SELECT h.provider, h.model, h.service_tier, h.meter, min(d.day)::date, count(*)::integer, 0, 0, 1, 0, 'stopped', NULL,
                   format('no tokens since %s', h.last_day)
            FROM history h, generate_series(first_day::timestamp, behind - interval '1 day', interval '1 day') d(day)
            WHERE h.has_stopped
            GROUP BY h.provider, h.model, h.service_tier, h.meter, h.last_day, date_trunc(demand_forecast_between.grain, d.day)
        ), of_day AS (
            SELECT s.provider, s.model, s.service_tier, s.day, jsonb_object_agg(s.meter, s.tokens)::tokenomics.tokens AS tokens
            FROM step s
            GROUP BY 1, 2, 3, 4
        ), priced AS MATERIALIZED (
            SELECT tokenomics.reprice(tokenomics.merge(tokenomics.project(m.ledger, s.provider, s.model, s.service_tier, s.day::timestamp AT TIME ZONE in_zone, s.tokens)),
                                      (SELECT book()), true) AS ledger
            FROM of_day s JOIN mix_of_model m USING (provider, model, service_tier)
        ), meter_cost AS (
            SELECT l.provider, l.model, l.service_tier, l.meter, l.currency, g.starts, sum(l.tokens)::bigint AS tokens, sum(l.cost) AS cost,
                   sum(l.tokens)::double precision / nullif(sum(sum(l.tokens)) OVER (PARTITION BY l.provider, l.model, l.service_tier, l.meter, g.starts), 0)::double precision AS share
            FROM priced p, tokenomics.meter_lines(p.ledger) l,
                 LATERAL (SELECT greatest(date_trunc(demand_forecast_between.grain, l.period AT TIME ZONE in_zone)::date, first_day) AS starts) g
            GROUP BY 1, 2, 3, 4, 5, 6
        ), doubt AS (
            SELECT l.provider, l.model, l.service_tier, l.currency, g.starts, string_agg(DISTINCT l.unpriced, ', ' ORDER BY l.unpriced) AS unpriced,
                   bool_or(l.approximate) AS is_approximate
            FROM priced p, tokenomics.lines(p.ledger) l,
                 LATERAL (SELECT greatest(date_trunc(demand_forecast_between.grain, l.period AT TIME ZONE in_zone)::date, first_day) AS starts) g
            GROUP BY 1, 2, 3, 4, 5
        ), meter AS MATERIALIZED (
            SELECT e.starts, e.steps, e.provider, e.model, e.service_tier, e.meter, coalesce(c.tokens, e.tokens) AS tokens, e.low, e.high,
                   -- where whole tokens are none, the interval still may be some
                   CASE WHEN e.tokens > 0 THEN 0 ELSE ceil(e.upper) END AS above, c.currency, c.cost,
                   CASE WHEN c.tokens > 0 THEN d.unpriced WHEN e.tokens > 0 THEN 'unknown model' END AS unpriced, coalesce(d.is_approximate, false) AS is_approximate,
                   e.forecast_model, e.mase, e.note, e.meter NOT IN ('tool_calls', 'cache_storage') AS is_of_tokens
            FROM expected e
                 LEFT JOIN meter_cost c ON c.provider = e.provider AND c.model = e.model AND c.service_tier = e.service_tier
                     AND c.meter = e.meter AND c.starts = e.starts AND c.tokens > 0
                 LEFT JOIN doubt d ON d.provider = c.provider AND d.model = c.model AND d.service_tier = c.service_tier
                     AND d.starts = c.starts AND d.currency IS NOT DISTINCT FROM c.currency
        ), total AS MATERIALIZED (
            SELECT m.starts, m.steps, sum(m.tokens) AS tokens, sum(m.in_reporting) AS cost,
                   string_agg(m.currency, ', ' ORDER BY m.currency) FILTER (WHERE m.cost IS NOT NULL AND m.in_reporting IS NULL) AS lacks_rate,
                   string_agg(format('%s at the exchange rate of %s', m.currency, m.day), ', ' ORDER BY m.currency) FILTER (WHERE m.currency <> reporting AND m.in_reporting IS NOT NULL) AS rates
            FROM (SELECT m.starts, m.steps, m.currency, m.tokens, m.cost, r.day, convert_currency(m.cost, m.currency, reporting, coalesce(r.day, first_day)) AS in_reporting
                  FROM (SELECT m.starts, m.steps, m.currency, sum(m.tokens) FILTER (WHERE m.is_of_tokens) AS tokens, sum(m.cost) AS cost FROM meter m GROUP BY 1, 2, 3) m
                       LEFT JOIN rate_day r ON r.currency = m.currency) m
            GROUP BY 1, 2
        ), total_doubt AS MATERIALIZED (
            SELECT m.starts, string_agg(DISTINCT m.unpriced, ', ' ORDER BY m.unpriced) AS unpriced, bool_or(m.is_approximate) AS is_approximate,
                   bool_and(m.forecast_model = 'stopped') AS has_stopped
            FROM meter m GROUP BY 1
        ), row AS (
            SELECT 3 AS place, m.starts, m.steps, 'meter' AS scope, m.provider, m.model, m.service_tier, m.meter, m.tokens, m.low AS tokens_low, m.high AS tokens_high, m.above,
                   m.currency, m.cost, m.low, m.high, m.unpriced, m.is_approximate, m.forecast_model, m.mase, m.note
            FROM meter m
            UNION ALL
            SELECT 2, m.starts, m.steps, 'model', m.provider, m.model, m.service_tier, NULL, coalesce(sum(m.tokens) FILTER (WHERE m.is_of_tokens), 0), min(m.low), max(m.high),
                   coalesce(sum(m.above) FILTER (WHERE m.is_of_tokens), 0), m.currency, sum(m.cost), min(m.low), max(m.high),
                   string_agg(DISTINCT m.unpriced, ', ' ORDER BY m.unpriced), bool_or(m.is_approximate), coalesce(l.forecast_model, 'stopped'), l.mase,
                   CASE WHEN l.forecast_model IS NULL THEN max(m.note) ELSE l.note END
            FROM meter m
                 LEFT JOIN fit l ON l.scope = 'model' AND l.provider = m.provider AND l.model = m.model AND l.service_tier = m.service_tier AND l.starts = m.starts
            -- a meter that has stopped, or whose whole tokens are none, has no currency
            WHERE m.tokens > 0 OR NOT EXISTS (SELECT FROM meter o WHERE o.provider = m.provider AND o.model = m.model AND o.service_tier = m.service_tier AND o.starts = m.starts AND o.tokens > 0)
            GROUP BY m.starts, m.steps, m.provider, m.model, m.service_tier, m.currency, l.forecast_model, l.mase, l.note
            UNION ALL
            SELECT 1, t.starts, t.steps, 'total', NULL, NULL, NULL, NULL, coalesce(t.tokens, 0), k.low, k.high,
                   CASE WHEN t.tokens > 0 OR d.has_stopped THEN 0 ELSE ceil(k.upper) END, reporting,
                   -- where all has stopped, nothing costs nothing, in any currency
                   CASE WHEN t.lacks_rate IS NULL THEN coalesce(t.cost, CASE WHEN d.has_stopped THEN 0 END) END, l.low, l.high,
                   d.unpriced, d.is_approximate, CASE WHEN d.has_stopped THEN 'stopped' ELSE l.forecast_model END, CASE WHEN NOT d.has_stopped THEN l.mase END,
                   concat_ws('; ', CASE WHEN NOT d.has_stopped THEN l.note END, 'no exchange rate from ' || t.lacks_rate || ' to ' || reporting, t.rates)
            FROM total t JOIN total_doubt d ON d.starts = t.starts JOIN fit l ON l.scope = 'spend' AND l.starts = t.starts JOIN fit k ON k.scope = 'tokens' AND k.starts = t.starts
        )
        SELECT r.starts, r.steps, r.scope, r.provider, r.model, r.service_tier, r.meter, r.tokens::bigint,
               CASE WHEN r.tokens_low IS NOT NULL THEN least(floor(r.tokens * r.tokens_low::numeric), r.tokens) END::bigint,
               CASE WHEN r.tokens_high IS NOT NULL THEN greatest(ceil(r.tokens * r.tokens_high::numeric), r.tokens, r.above::numeric) END::bigint,
               r.currency, trim_scale(r.cost),
               CASE WHEN r.low IS NOT NULL THEN trim_scale(least(round(r.cost * r.low::numeric, 6), r.cost)) END, CASE WHEN r.high IS NOT NULL THEN trim_scale(greatest(round(r.cost * r.high::numeric, 6), r.cost)) END,
               r.unpriced, r.is_approximate, r.forecast_model, r.mase, nullif(r.note, '')
        FROM row r
        ORDER BY r.starts, r.place, r.provider, r.model, r.service_tier, r.meter, r.currency;
    END
    $$;
    COMMENT ON FUNCTION demand_forecast_between(timestamptz, timestamptz, text, text, integer, double precision) IS
        'the rows of demand_forecast, from the calls of the whole days from from_at up to, not including, to_at (NULL: of all, up to today), in total, by model and by meter, by month or day of the zone, for the rest of the month and so many months, with an interval of a level';
    CREATE OR REPLACE VIEW demand_forecast WITH (security_invoker = true) AS SELECT * FROM demand_forecast_between();
    COMMENT ON VIEW demand_forecast IS
        'tokenomics: the tokens that are expected by month, in total, by model and by meter, as they have been growing until now, and what they cost at the prices in force then; a plan''s growth comes in its place, not on top of it';
    COMMENT ON COLUMN demand_forecast.period IS 'first day that is forecast of the month, or the day, in the reporting zone';
    COMMENT ON COLUMN demand_forecast.days IS 'days that are forecast of it: all of a month but the one that has begun';
    COMMENT ON COLUMN demand_forecast.scope IS 'total, model or meter: rows of one scope add up to those of the one before, their intervals do not';
    COMMENT ON COLUMN demand_forecast.provider IS 'provider of the calls; NULL of the total';
    COMMENT ON COLUMN demand_forecast.model IS 'model, as the calls name it; NULL of the total';
    COMMENT ON COLUMN demand_forecast.service_tier IS 'service tier of the calls; NULL of the total';
    COMMENT ON COLUMN demand_forecast.meter IS 'the meter; NULL of a total or a model';
    COMMENT ON COLUMN demand_forecast.tokens IS 'tokens that are expected (of meters tool_calls and cache_storage their number, which is in no other row): whole tokens by day, added up';
    COMMENT ON COLUMN demand_forecast.tokens_lower IS 'lower end of the interval of the sum, from simulated paths: of a meter and a model those of the model, of the total its own; NULL where one day of history tells of none';
    COMMENT ON COLUMN demand_forecast.tokens_upper IS 'upper end of the interval';
    COMMENT ON COLUMN demand_forecast.currency IS 'currency of the amounts: of the total that of "setting"; NULL where the tokens are none or unpriced';
    COMMENT ON COLUMN demand_forecast.spend IS 'cost of these tokens by the book, at the prices that it has for each future day; NULL where they are none or unpriced; of the total converted at the last exchange rates known, NULL where one is lacking';
    COMMENT ON COLUMN demand_forecast.spend_lower IS 'lower end of its interval: of a meter and a model the cost of tokens_lower, at the mean price of spend; of the total by the paths of the company''s daily cost at the prices of late';
    COMMENT ON COLUMN demand_forecast.spend_upper IS 'upper end of the interval';
    COMMENT ON COLUMN demand_forecast.unpriced IS 'why the tokens have no price';
    COMMENT ON COLUMN demand_forecast.is_approximate IS 'whether a price had to be guessed: it changes within a day, or its thresholds or off-peak windows are not those of today';
    COMMENT ON COLUMN demand_forecast.forecast_model IS 'how the volume of the model, or of the company, was forecast; stopped: none came for 28 days, and none are expected';
    COMMENT ON COLUMN demand_forecast.mase IS 'mean absolute scaled error of the one-step forecasts against those of the same weekday before; below 1 they are better';
    COMMENT ON COLUMN demand_forecast.note IS 'what there is to say of the history: short, stopped, all the same; of the total the exchange rates, or which is lacking';
END
$install$;
COMMENT ON PROCEDURE install_forecast() IS 'part of install(): the forecast of demand, in the first schema of search_path';

CREATE PROCEDURE uninstall_forecast() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS demand_forecast;
    DROP FUNCTION IF EXISTS demand_forecast_between(timestamptz, timestamptz, text, text, integer, double precision);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_forecast() IS 'part of uninstall(): drops what install_forecast() made';
