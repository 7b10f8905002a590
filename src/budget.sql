-- Budgets: an amount and the tokens that it is for, compared with what was spent
-- so far, and alerts where a threshold is crossed.

CREATE FUNCTION budget_variance(
    actual_cost numeric,
    actual tokens,
    due numeric,
    planned tokens,
    planned_rates rates,
    amount numeric,
    OUT price_variance numeric,
    OUT mix_variance numeric,
    OUT volume_variance numeric
)
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION budget_variance(numeric, tokens, numeric, tokens, rates, numeric) IS
    'why a cost differs from what is due of a budget: dearer tokens than planned (at planned rates), another mix of meters, more tokens; they add up to actual_cost - due exactly. Without planned tokens there is no mix; without planned rates each token is planned at amount / planned; NULL where neither is known, or a meter that was used has no planned rate';

CREATE FUNCTION weekday_profile(amounts numeric[], first_day date) RETURNS numeric[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION weekday_profile(numeric[], date) IS
    'what a Monday, ..., a Sunday has on average, from the amounts of consecutive days; NULL of no days';

CREATE FUNCTION phased_budget(amount numeric, profile numeric[], first_day date, end_day date, until date) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION phased_budget(numeric, numeric[], date, date, date) IS
    'what of an amount for the days from first_day up to, not including, end_day is due before a day, when each day weighs as its weekday in a profile; to 12 decimals, and the whole at the end';

CREATE FUNCTION weekday_forecast(
    amounts numeric[],
    first_day date,
    from_day date,
    to_day date,
    OUT expected double precision,
    OUT lower_95 double precision,
    OUT upper_95 double precision
)
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION weekday_forecast(numeric[], date, date, date) IS
    'what the days from from_day up to, not including, to_day add up to, each being like its weekdays among the days of amounts, with a 95 % interval; NULL where a weekday was not seen, and no interval where none was seen twice';

CREATE FUNCTION projected_exhaustion(remaining numeric, profile numeric[], from_day date, end_day date) RETURNS date
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION projected_exhaustion(numeric, numeric[], date, date) IS
    'the day on which spending by a profile from from_day on uses up what remains; NULL where that is not before end_day';

CREATE TYPE budget_scope AS (
    dimension text,
    owner text,
    provider text,
    model text,
    currency text,
    period_start date,
    period_end date
);
COMMENT ON TYPE budget_scope IS 'what a budget is of, for budget_totals()';
COMMENT ON COLUMN budget_scope.dimension IS 'dimension that its owner is of; NULL: none';
COMMENT ON COLUMN budget_scope.owner IS 'its owner; NULL: that of lines without';
COMMENT ON COLUMN budget_scope.provider IS 'provider; NULL: all';
COMMENT ON COLUMN budget_scope.model IS 'model; NULL: all';
COMMENT ON COLUMN budget_scope.currency IS 'currency of the amounts wanted';
COMMENT ON COLUMN budget_scope.period_start IS 'first day';
COMMENT ON COLUMN budget_scope.period_end IS 'day after the last';

CREATE TYPE budget_line AS (
    dimension text,
    owner text,
    provider text,
    model text,
    currency text,
    day date,
    is_day boolean,
    cost numeric,
    usage_cost numeric,
    is_lost boolean,
    tokens tokens,
    calls bigint,
    unpriced_tokens bigint
);
COMMENT ON TYPE budget_line IS 'what was spent, for budget_totals()';
COMMENT ON COLUMN budget_line.dimension IS 'dimension that the owner is of; NULL: none';
COMMENT ON COLUMN budget_line.owner IS 'who spent it';
COMMENT ON COLUMN budget_line.provider IS 'provider';
COMMENT ON COLUMN budget_line.model IS 'model; NULL of charges';
COMMENT ON COLUMN budget_line.currency IS 'currency that the amounts are in';
COMMENT ON COLUMN budget_line.day IS 'the day, or the first of the month';
COMMENT ON COLUMN budget_line.is_day IS 'whether it is of a day, not a month';
COMMENT ON COLUMN budget_line.cost IS 'all that was spent; NULL where there is no amount';
COMMENT ON COLUMN budget_line.usage_cost IS 'what calls cost by their own price';
COMMENT ON COLUMN budget_line.is_lost IS 'whether there is an amount, but none in the currency';
COMMENT ON COLUMN budget_line.tokens IS 'tokens of calls with a price of their own';
COMMENT ON COLUMN budget_line.calls IS 'number of calls';
COMMENT ON COLUMN budget_line.unpriced_tokens IS 'tokens without a price';

CREATE FUNCTION budget_totals(
    scopes budget_scope[],
    lines budget_line[],
    today date,
    OUT n integer,
    OUT actual numeric,
    OUT is_lost boolean,
    OUT usage_cost numeric,
    OUT tokens tokens,
    OUT calls bigint,
    OUT unpriced_tokens bigint,
    OUT first_day date,
    OUT amounts numeric[]
) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1000 COST 1000;
COMMENT ON FUNCTION budget_totals(budget_scope[], budget_line[], date) IS
    'what of some lines is within each of the scopes, the nth, in its period (actual: NULL where a part of it has no amount in the currency); and, of one that today is in, what was spent on each day before today, of up to 8 weeks: from first_day, the first with a line, on';

CREATE FUNCTION budget_thresholds(
    alert_at numeric[],
    alert_forecast_at numeric[],
    alert_cost_per_mtok numeric,
    alert_reasoning_per_call numeric,
    amount numeric,
    actual numeric,
    forecast numeric,
    cost_per_mtok numeric,
    reasoning_per_call numeric,
    unpriced_tokens bigint
) RETURNS TABLE (kind text, threshold numeric, value numeric, is_crossed boolean)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 4
BEGIN ATOMIC
    SELECT 'amount' AS kind, t AS threshold, actual AS value, actual >= t * amount AND actual > 0 AS is_crossed FROM unnest(alert_at) t
    UNION ALL
    SELECT 'forecast' AS kind, t AS threshold, forecast AS value, forecast >= t * amount AND forecast > 0 AS is_crossed FROM unnest(alert_forecast_at) t WHERE forecast IS NOT NULL
    UNION ALL
    SELECT 'cost_per_mtok' AS kind, alert_cost_per_mtok AS threshold, cost_per_mtok AS value, cost_per_mtok > alert_cost_per_mtok AS is_crossed WHERE alert_cost_per_mtok IS NOT NULL
    UNION ALL
    SELECT 'reasoning_per_call' AS kind, alert_reasoning_per_call AS threshold, reasoning_per_call AS value, reasoning_per_call > alert_reasoning_per_call AS is_crossed WHERE alert_reasoning_per_call IS NOT NULL
    UNION ALL
    SELECT 'unpriced' AS kind, 0 AS threshold, unpriced_tokens AS value, unpriced_tokens > 0 AS is_crossed;
END;
COMMENT ON FUNCTION budget_thresholds(numeric[], numeric[], numeric, numeric, numeric, numeric, numeric, numeric, numeric, bigint) IS
    'the thresholds of a budget and whether its figures cross them (NULL: not known); a forecast of NULL is not asked';

-- Makes the tables, views and functions in the schema that comes first in
-- search_path; called by install().
CREATE PROCEDURE install_budget() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE TABLE IF NOT EXISTS budget (
        name text NOT NULL,
        period_start date NOT NULL,
        period_end date NOT NULL,
        version integer NOT NULL,
        dimension text,
        owner text,
        provider text,
        model text,
        amount numeric NOT NULL,
        currency text NOT NULL,
        planned_tokens tokenomics.tokens,
        planned_rates tokenomics.rates,
        alert_at numeric[] NOT NULL DEFAULT '{0.8,1}',
        alert_forecast_at numeric[] NOT NULL DEFAULT '{1}',
        alert_cost_per_mtok numeric,
        alert_reasoning_per_call numeric,
        recorded tstzrange NOT NULL DEFAULT tstzrange(clock_timestamp(), NULL),
        recorded_by text NOT NULL DEFAULT current_user,
        reason text,
        PRIMARY KEY (name, period_start, version),
        CONSTRAINT budget_name_not_empty CHECK (name <> ''),
        CONSTRAINT budget_months CHECK (extract(day FROM period_start) = 1 AND extract(day FROM period_end) = 1
                                        AND isfinite(period_start) AND isfinite(period_end) AND period_start < period_end),
        CONSTRAINT budget_owner_has_dimension CHECK ((dimension IS NULL) = (owner IS NULL)),
        CONSTRAINT budget_model_has_provider CHECK (model IS NULL OR provider IS NOT NULL),
        CONSTRAINT budget_amount_finite CHECK (amount >= 0 AND amount < 'infinity'),
        CONSTRAINT budget_currency_code CHECK (currency ~ '^[A-Z][A-Z0-9_]{2,7}$'),
        CONSTRAINT budget_rates_in_currency CHECK (tokenomics.currency(planned_rates) = currency),
        -- planned tokens that the planned rates do not price cannot be compared
        CONSTRAINT budget_tokens_priced CHECK (planned_tokens IS NULL OR planned_rates IS NULL OR tokenomics.cost(planned_rates, planned_tokens) IS NOT NULL),
        CONSTRAINT budget_thresholds_positive
            CHECK (0 < ALL (alert_at) AND 0 < ALL (alert_forecast_at) AND alert_cost_per_mtok > 0 AND alert_reasoning_per_call > 0),
        -- one that nothing can cross would be silent for ever; those of versions of before stay
        CONSTRAINT budget_thresholds_finite
            CHECK (NOT upper_inf(recorded)
                   OR (array_position(alert_at, NULL) IS NULL AND array_position(alert_forecast_at, NULL) IS NULL
                       AND 'infinity' > ALL (alert_at) AND 'infinity' > ALL (alert_forecast_at) AND alert_cost_per_mtok < 'infinity' AND alert_reasoning_per_call < 'infinity')),
        CONSTRAINT budget_periods_apart EXCLUDE USING gist (name WITH =, daterange(period_start, period_end) WITH &&) WHERE (upper_inf(recorded))
    );
    COMMENT ON TABLE budget IS 'tokenomics: what may be spent in months, on what; every version is kept, the one with no end of "recorded" counts; filled by set_budget()';
    COMMENT ON COLUMN budget.name IS 'name of the budget; its periods do not overlap';
    COMMENT ON COLUMN budget.period_start IS 'first day: the first of a month, in the reporting zone';
    COMMENT ON COLUMN budget.period_end IS 'day after the last: the first of a month';
    COMMENT ON COLUMN budget.version IS '1, 2, ...: how often it was set';
    COMMENT ON COLUMN budget.dimension IS 'what its owner is: team, project; NULL: it is for all';
    COMMENT ON COLUMN budget.owner IS 'whose it is; "unallocated": of calls and charges that name none';
    COMMENT ON COLUMN budget.provider IS 'for the calls of one provider only; NULL: of all';
    COMMENT ON COLUMN budget.model IS 'for those of one model only, as calls name it; NULL: of all';
    COMMENT ON COLUMN budget.amount IS 'what may be spent';
    COMMENT ON COLUMN budget.currency IS 'in which currency; what is spent in another is converted';
    COMMENT ON COLUMN budget.planned_tokens IS 'tokens by meter that it is for';
    COMMENT ON COLUMN budget.planned_rates IS 'what a million of each was planned to cost';
    COMMENT ON COLUMN budget.alert_at IS 'alert where this fraction of the amount is spent';
    COMMENT ON COLUMN budget.alert_forecast_at IS 'alert where this fraction of the amount is forecast to be spent';
    COMMENT ON COLUMN budget.alert_cost_per_mtok IS 'alert where a million tokens cost more';
    COMMENT ON COLUMN budget.alert_reasoning_per_call IS 'alert where a call has more reasoning tokens on average';
    COMMENT ON COLUMN budget.recorded IS 'from when until when it counted';
    COMMENT ON COLUMN budget.recorded_by IS 'who set it';
    COMMENT ON COLUMN budget.reason IS 'why';

    CREATE TABLE IF NOT EXISTS budget_alert (
        alert_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL,
        period_start date NOT NULL,
        kind text NOT NULL,
        threshold numeric NOT NULL,
        value numeric NOT NULL,
        version integer NOT NULL,
        crossed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        cleared_at timestamptz,
        cleared_value numeric,
        CONSTRAINT budget_alert_kind CHECK (kind IN ('amount', 'forecast', 'cost_per_mtok', 'reasoning_per_call', 'unpriced'))
    );
    -- one that stands is there once, whoever finds it first
    CREATE UNIQUE INDEX IF NOT EXISTS budget_alert_stands ON budget_alert (name, period_start, kind, threshold) WHERE cleared_at IS NULL;
    COMMENT ON TABLE budget_alert IS 'tokenomics: thresholds that were crossed, one row and one NOTIFY tokenomics_budget each; filled by check_budgets()';
    COMMENT ON COLUMN budget_alert.alert_id IS 'number of the alert';
    COMMENT ON COLUMN budget_alert.name IS 'budget';
    COMMENT ON COLUMN budget_alert.period_start IS 'its period';
    COMMENT ON COLUMN budget_alert.kind IS 'what crossed: amount and forecast (fractions of the amount), cost_per_mtok, reasoning_per_call, or unpriced: tokens without a price, which are in no amount';
    COMMENT ON COLUMN budget_alert.threshold IS 'the threshold';
    COMMENT ON COLUMN budget_alert.value IS 'the value that crossed it';
    COMMENT ON COLUMN budget_alert.version IS 'version of the budget that had the threshold';
    COMMENT ON COLUMN budget_alert.crossed_at IS 'when it was found';
    COMMENT ON COLUMN budget_alert.cleared_at IS 'when it was found that it is not crossed, after a correction; NULL: it stands';
    COMMENT ON COLUMN budget_alert.cleared_value IS 'the value then';

    CREATE OR REPLACE FUNCTION budget_period(kind text, on_date date, OUT period_start date, OUT period_end date)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    DECLARE
        months integer := CASE kind WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 WHEN 'year' THEN 12 END;
    BEGIN
        IF months IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('there is no period "%s"', kind),
                HINT = 'The periods are month, quarter and year; quarters and years are those of the fiscal year of "setting".';
        END IF;
        period_start := (date_trunc('month', on_date::timestamp)
            - make_interval(months => (extract(month FROM on_date)::integer - (SELECT s.fiscal_year_start FROM setting s) + 12) % months))::date;
        period_end := (period_start + make_interval(months => months))::date;
    END
    $$;
    COMMENT ON FUNCTION budget_period(text, date) IS
        'the month, or the quarter or year of the fiscal year of "setting", that holds a day: its first day and the day after its last';

    CREATE OR REPLACE FUNCTION set_budget(
        name text,
        period_start date,
        period_end date,
        amount numeric,
        reason text DEFAULT NULL,
        currency text DEFAULT NULL,
        dimension text DEFAULT NULL,
        owner text DEFAULT NULL,
        provider text DEFAULT NULL,
        model text DEFAULT NULL,
        planned_tokens tokenomics.tokens DEFAULT NULL,
        planned_rates tokenomics.rates DEFAULT NULL,
        alert_at numeric[] DEFAULT '{0.8,1}',
        alert_forecast_at numeric[] DEFAULT '{1}',
        alert_cost_per_mtok numeric DEFAULT NULL,
        alert_reasoning_per_call numeric DEFAULT NULL
    ) RETURNS integer
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        known timestamptz;
        next_version integer;
    BEGIN
        IF set_budget.name IS NULL OR set_budget.period_start IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'null_value_not_allowed',
                MESSAGE = 'a budget has a name and a first day';
        END IF;
        -- one of a dimension that was dropped can be ended
        IF set_budget.amount IS NOT NULL THEN
            PERFORM dimension_expression(set_budget.dimension);
        END IF;
        -- one at a time, so that each closes the one before
        LOCK TABLE budget IN SHARE ROW EXCLUSIVE MODE;
        known := clock_timestamp();
        UPDATE budget b SET recorded = tstzrange(lower(b.recorded), greatest(known, lower(b.recorded) + interval '1 microsecond'))
        WHERE b.name = set_budget.name AND b.period_start = set_budget.period_start AND upper_inf(b.recorded);
        IF set_budget.amount IS NULL AND NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_object',
                MESSAGE = format('there is no budget "%s" from %s on', set_budget.name, set_budget.period_start),
                HINT = 'An amount makes one; NULL ends one that is there.';
        ELSIF set_budget.amount IS NOT NULL THEN
            SELECT coalesce(max(b.version), 0) + 1, greatest(known, max(upper(b.recorded))) INTO next_version, known
            FROM budget b WHERE b.name = set_budget.name AND b.period_start = set_budget.period_start;
            INSERT INTO budget VALUES (
                set_budget.name, set_budget.period_start, set_budget.period_end, next_version, set_budget.dimension, set_budget.owner,
                set_budget.provider, set_budget.model, set_budget.amount, coalesce(set_budget.currency, (SELECT s.currency FROM setting s)),
                set_budget.planned_tokens, set_budget.planned_rates, set_budget.alert_at, set_budget.alert_forecast_at,
                set_budget.alert_cost_per_mtok, set_budget.alert_reasoning_per_call, tstzrange(known, NULL), current_user, set_budget.reason);
        END IF;
        RETURN next_version;
    END
    $$;
    COMMENT ON FUNCTION set_budget(text, date, date, numeric, text, text, text, text, text, text, tokenomics.tokens, tokenomics.rates, numeric[], numeric[], numeric, numeric) IS
        'makes a budget, or its next version, and returns the version; an amount of NULL ends it, and returns NULL; the currency is by default that of "setting"';

    CREATE OR REPLACE FUNCTION budget_spend(as_of timestamptz, first_day date)
        RETURNS TABLE (
            dimension text,
            owner text,
            provider text,
            model text,
            day date,
            is_day boolean,
            currency text,
            cost numeric,
            usage_cost numeric,
            tokens tokenomics.tokens,
            calls bigint,
            unpriced_tokens bigint
        )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        today date := (as_of AT TIME ZONE in_zone)::date;
        -- days of the running month and of the 8 weeks before today (PROFILE_DAYS of
        -- budget.c), months before
        days_from date := least(date_trunc('month', today::timestamp), date_trunc('month', (today - 56)::timestamp))::date;
    BEGIN
        RETURN QUERY
        SELECT d.dimension, CASE WHEN d.dimension IS NOT NULL THEN coalesce(l.label, 'unallocated') END, l.provider, l.model,
               (l.period AT TIME ZONE in_zone)::date, g.is_day, l.currency, sum(l.effective_cost), sum(l.contracted_cost),
               tokenomics.sum(l.tokens) FILTER (WHERE l.contracted_cost IS NOT NULL), sum(l.calls)::bigint,
               coalesce(sum(tokenomics.total(l.tokens)) FILTER (WHERE l.unpriced IS NOT NULL), 0)::bigint
        FROM (SELECT DISTINCT b.dimension FROM budget b
              WHERE upper_inf(b.recorded) AND (b.dimension IS NULL OR b.dimension IN (SELECT x.name FROM dimensions() x))) d,
             (VALUES (true, 'day', days_from::timestamp AT TIME ZONE in_zone, as_of),
                     (false, 'month', first_day::timestamp AT TIME ZONE in_zone, least(as_of, days_from::timestamp AT TIME ZONE in_zone))) g(is_day, grain, first, behind),
             LATERAL spend_lines(g.grain, g.first, g.behind, in_zone, d.dimension) l
        GROUP BY d.dimension, l.label, l.provider, l.model, l.period, g.is_day, l.currency;
    END
    $$;
    COMMENT ON FUNCTION budget_spend(timestamptz, date) IS
        'part of budget_status_at(): what was spent before as_of, by the dimensions of budgets; by days of the last weeks, by months before';

    CREATE OR REPLACE FUNCTION budget_status_at(as_of timestamptz DEFAULT now())
        RETURNS TABLE (
            name text,
            version integer,
            period_start date,
            period_end date,
            dimension text,
            owner text,
            provider text,
            model text,
            is_running boolean,
            currency text,
            amount numeric,
            actual numeric,
            due numeric,
            variance numeric,
            variance_rate numeric,
            price_variance numeric,
            mix_variance numeric,
            volume_variance numeric,
            charges_variance numeric,
            burn_rate numeric,
            forecast numeric,
            forecast_lower_95 numeric,
            forecast_upper_95 numeric,
            forecast_variance numeric,
            projected_exhaustion date,
            calls bigint,
            tokens bigint,
            cost_per_mtok numeric,
            planned_cost_per_mtok numeric,
            reasoning_per_call numeric,
            unpriced_tokens bigint,
            note text
        )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        today date := (as_of AT TIME ZONE in_zone)::date;
        day_start timestamptz := tokenomics.period_start('day', in_zone, as_of);
        day_end timestamptz := tokenomics.period_end('day', in_zone, as_of);
        day_elapsed numeric := extract(epoch FROM as_of - day_start) / extract(epoch FROM day_end - day_start);
    BEGIN
        RETURN QUERY
        WITH wanted AS MATERIALIZED (
            SELECT b.*, row_number() OVER (ORDER BY b.period_start, b.name)::integer AS n, b.period_start <= today AND today < b.period_end AS is_running,
                   -- of a dimension that was dropped nothing is known
                   b.dimension IS NULL OR b.dimension IN (SELECT x.name FROM dimensions() x) AS is_known
            FROM budget b WHERE upper_inf(b.recorded)
        ), spent AS MATERIALIZED (
            -- once for each currency of the budgets of who spent it
            SELECT s.*, CASE WHEN s.is_day THEN 'day' ELSE 'month' END AS grain, o.currency AS in_currency
            FROM budget_spend(as_of, (SELECT min(w.period_start) FROM wanted w)) s
            JOIN (SELECT DISTINCT coalesce(w.dimension, '') AS dimension, coalesce(w.owner, '') AS owner, w.currency FROM wanted w) o
                ON o.dimension = coalesce(s.dimension, '') AND o.owner = coalesce(s.owner, '')
        ), rate AS MATERIALIZED (
            -- a month that is over has the rate that it keeps, where there is one: else
            -- what was spent in it would change when it is read by months
            SELECT s.currency, s.in_currency, s.grain, s.day, coalesce(m.rate, r.rate) AS rate, CASE WHEN m.rate IS NULL THEN r.is_inverse ELSE m.is_inverse END AS is_inverse
            FROM (SELECT DISTINCT s.currency, s.in_currency, s.grain, s.day FROM spent s WHERE s.in_currency <> s.currency) s,
                 LATERAL exchange_rate(s.currency, s.in_currency, s.day, s.grain) r,
                 LATERAL exchange_rate(s.currency, s.in_currency, CASE WHEN s.grain = 'day' AND s.day < date_trunc('month', today::timestamp) THEN s.day END, 'month') m
        ), line AS MATERIALIZED (
            -- what is converted is, as convert_currency() does, and what cannot be is seen
            SELECT array_agg(ROW(s.dimension, s.owner, s.provider, s.model, s.in_currency, s.day, s.is_day, x.cost, x.usage_cost,
                                 s.cost IS NOT NULL AND x.cost IS NULL, s.tokens, s.calls, s.unpriced_tokens)::tokenomics.budget_line) AS lines
            FROM spent s LEFT JOIN rate r ON r.currency = s.currency AND r.in_currency = s.in_currency AND r.grain = s.grain AND r.day = s.day,
                 LATERAL (SELECT CASE WHEN s.currency = s.in_currency OR s.cost = 0 THEN s.cost ELSE tokenomics.exchanged(s.cost, r.rate, r.is_inverse) END AS cost,
                                 CASE WHEN s.currency = s.in_currency OR s.usage_cost = 0 THEN s.usage_cost ELSE tokenomics.exchanged(s.usage_cost, r.rate, r.is_inverse) END AS usage_cost) x
        ), total AS MATERIALIZED (
            SELECT t.*
            FROM (SELECT array_agg(ROW(w.dimension, w.owner, w.provider, w.model, w.currency, w.period_start, w.period_end)::tokenomics.budget_scope ORDER BY w.n) AS scopes FROM wanted w) w,
                 line l, tokenomics.budget_totals(w.scopes, coalesce(l.lines, '{}'), today) t
        ), profiled AS MATERIALIZED (
            -- each function once for a budget, not wherever its value is named
            -- where an amount is lost, the cost of the others is no cost of all tokens
            SELECT w.*, CASE WHEN w.is_known THEN t.actual END AS actual, t.is_lost, CASE WHEN w.is_known AND NOT t.is_lost THEN t.usage_cost END AS usage_cost, t.tokens AS used,
                   CASE WHEN w.is_known THEN t.calls END AS calls, CASE WHEN w.is_known THEN t.unpriced_tokens END AS unpriced_tokens, t.amounts, t.first_day,
                   tokenomics.weekday_profile(t.amounts, t.first_day) AS profile,
                   CASE WHEN w.planned_tokens IS NOT NULL AND w.planned_rates IS NOT NULL THEN tokenomics.cost(w.planned_rates, w.planned_tokens) ELSE w.amount END AS planned_usage
            FROM wanted w JOIN total t ON t.n = w.n
        ), phased AS MATERIALIZED (
            SELECT p.*, d.due, d.due_usage, today_share.amount AS rest_of_today,
                   f.expected, f.lower_95, f.upper_95
            FROM profiled p,
                 LATERAL (SELECT coalesce(p.profile, '{1,1,1,1,1,1,1}') AS profile) w,
                 LATERAL (SELECT tokenomics.phased_budget(p.amount, w.profile, p.period_start, p.period_end, today) AS before,
                                 tokenomics.phased_budget(p.amount, w.profile, p.period_start, p.period_end, today + 1) AS behind,
                                 -- asked for only where variances are
                                 CASE WHEN p.planned_tokens IS NOT NULL OR p.planned_rates IS NOT NULL THEN tokenomics.phased_budget(p.planned_usage, w.profile, p.period_start, p.period_end, today) END AS usage_before,
                                 CASE WHEN p.planned_tokens IS NOT NULL OR p.planned_rates IS NOT NULL THEN tokenomics.phased_budget(p.planned_usage, w.profile, p.period_start, p.period_end, today + 1) END AS usage_behind OFFSET 0) b,
                 LATERAL (SELECT b.before + trim_scale(round((b.behind - b.before) * day_elapsed, 12)) AS due,
                                 b.usage_before + trim_scale(round((b.usage_behind - b.usage_before) * day_elapsed, 12)) AS due_usage) d,
                 LATERAL (SELECT p.profile[extract(isodow FROM today)::integer] * (1 - day_elapsed) AS amount) today_share,
                 LATERAL tokenomics.weekday_forecast(coalesce(p.amounts, '{}'), coalesce(p.first_day, today), today + 1, p.period_end) f
        )
        SELECT p.name, p.version, p.period_start, p.period_end, p.dimension, p.owner, p.provider, p.model, p.is_running, p.currency, p.amount,
               p.actual, p.due, p.actual - p.due, tokenomics.growth_rate(p.actual, p.due),
               v.price_variance, v.mix_variance, v.volume_variance,
               CASE WHEN v.price_variance IS NOT NULL THEN trim_scale(p.actual - p.due - (p.usage_cost - p.due_usage)) END,
               CASE WHEN p.is_running THEN (SELECT trim_scale(round(avg(a), 12)) FROM unnest(p.amounts[greatest(1, cardinality(p.amounts) - 27):]) a) END,
               CASE WHEN NOT p.is_running THEN p.actual ELSE f.forecast END,
               CASE WHEN NOT p.is_running THEN p.actual ELSE greatest(p.actual, f.lower) END,
               CASE WHEN NOT p.is_running THEN p.actual ELSE f.upper END,
               CASE WHEN NOT p.is_running THEN p.actual ELSE f.forecast END - p.amount,
               CASE WHEN p.is_running THEN
                   CASE WHEN p.actual >= p.amount THEN today
                        ELSE tokenomics.projected_exhaustion(p.amount - p.actual - p.rest_of_today, p.profile, today + 1, p.period_end) END END,
               p.calls, CASE WHEN p.is_known THEN tokenomics.total(p.used) END,
               tokenomics.cost_per_mtok(p.usage_cost, tokenomics.total(p.used)),
               tokenomics.cost_per_mtok(CASE WHEN p.planned_tokens IS NOT NULL THEN p.planned_usage END, tokenomics.total(p.planned_tokens)),
               trim_scale(round(tokenomics.meter(p.used, 'reasoning')::numeric / nullif(p.calls, 0), 12)),
               p.unpriced_tokens,
               nullif(concat_ws('; ',
                   CASE WHEN NOT p.is_known THEN format('there is no dimension "%s"', p.dimension) END,
                   CASE WHEN p.is_lost THEN 'some amounts have no exchange rate' END,
                   CASE WHEN p.unpriced_tokens > 0 THEN 'some tokens have no price' END,
                   CASE WHEN NOT p.is_known THEN NULL
                        WHEN p.is_running AND p.amounts IS NULL THEN 'nothing was spent before: due by days alike, no forecast'
                        WHEN p.is_running AND cardinality(p.amounts) < 14 THEN 'less than two weeks to forecast from' END,
                   CASE WHEN p.period_start > today THEN 'not begun' END,
                   CASE WHEN (p.planned_tokens IS NOT NULL OR p.planned_rates IS NOT NULL) AND v.price_variance IS NULL AND p.usage_cost IS NOT NULL THEN 'a meter that was used has no planned rate' END), '')
        FROM phased p,
             LATERAL tokenomics.budget_variance(p.usage_cost, p.used, p.due_usage, p.planned_tokens, p.planned_rates, p.amount) v,
             LATERAL (SELECT round(p.actual + p.rest_of_today + p.expected::numeric, 2) AS forecast,
                             round(p.actual + p.rest_of_today + p.lower_95::numeric, 2) AS lower,
                             round(p.actual + p.rest_of_today + p.upper_95::numeric, 2) AS upper) f
        ORDER BY p.period_start, p.name;
    END
    $$;
    COMMENT ON FUNCTION budget_status_at(timestamptz) IS 'the rows of budget_status at a time: of what was spent before it';
    CREATE OR REPLACE FUNCTION budget_status_between(from_at timestamptz DEFAULT NULL, to_at timestamptz DEFAULT NULL, zone text DEFAULT NULL)
        RETURNS TABLE (
            name text,
            version integer,
            period_start date,
            period_end date,
            dimension text,
            owner text,
            provider text,
            model text,
            is_running boolean,
            currency text,
            amount numeric,
            actual numeric,
            due numeric,
            variance numeric,
            variance_rate numeric,
            price_variance numeric,
            mix_variance numeric,
            volume_variance numeric,
            charges_variance numeric,
            burn_rate numeric,
            forecast numeric,
            forecast_lower_95 numeric,
            forecast_upper_95 numeric,
            forecast_variance numeric,
            projected_exhaustion date,
            calls bigint,
            tokens bigint,
            cost_per_mtok numeric,
            planned_cost_per_mtok numeric,
            reasoning_per_call numeric,
            unpriced_tokens bigint,
            note text
        )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(budget_status_between.zone, (SELECT s.zone FROM setting s));
    BEGIN
        RETURN QUERY
        SELECT * FROM budget_status_at(least(coalesce(to_at, now()), now())) s
        WHERE (from_at IS NULL OR s.period_end > (from_at AT TIME ZONE in_zone)::date) AND (to_at IS NULL OR s.period_start < (to_at - interval '1 microsecond') AT TIME ZONE in_zone);
    END
    $$;
    COMMENT ON FUNCTION budget_status_between(timestamptz, timestamptz, text) IS
        'the rows of budget_status of periods that hold any of the time from from_at up to, not including, to_at, by the days of the zone, as they stood at to_at; NULL: no limit, and now; and the zone of "setting"';
    CREATE OR REPLACE VIEW budget_status WITH (security_invoker = true) AS SELECT * FROM budget_status_between();
    COMMENT ON VIEW budget_status IS
        'tokenomics: each budget now: what was spent of it, what is due by the weekdays, why the two differ, and where it leads; a budget counts all that is within its own scope, once';
    COMMENT ON COLUMN budget_status.name IS 'name of the budget';
    COMMENT ON COLUMN budget_status.version IS 'its version in force';
    COMMENT ON COLUMN budget_status.period_start IS 'first day';
    COMMENT ON COLUMN budget_status.period_end IS 'day after the last';
    COMMENT ON COLUMN budget_status.dimension IS 'what its owner is: team, project; NULL: it is for all';
    COMMENT ON COLUMN budget_status.owner IS 'whose it is';
    COMMENT ON COLUMN budget_status.provider IS 'for the calls of one provider only; NULL: of all';
    COMMENT ON COLUMN budget_status.model IS 'for those of one model only; NULL: of all';
    COMMENT ON COLUMN budget_status.is_running IS 'whether the period has begun and not ended';
    COMMENT ON COLUMN budget_status.currency IS 'currency of the amounts';
    COMMENT ON COLUMN budget_status.amount IS 'what may be spent';
    COMMENT ON COLUMN budget_status.actual IS 'what was spent so far: calls, shares of purchases, and charges; NULL where a part of it has no exchange rate';
    COMMENT ON COLUMN budget_status.due IS 'what of the amount is due by now, when each day weighs as its weekday did in the last 8 weeks';
    COMMENT ON COLUMN budget_status.variance IS 'actual - due; above zero: over budget';
    COMMENT ON COLUMN budget_status.variance_rate IS 'the same as a fraction of due';
    COMMENT ON COLUMN budget_status.price_variance IS 'the part of it that is dearer tokens: actual tokens by meter times (actual - planned rate); NULL where nothing is planned by meter';
    COMMENT ON COLUMN budget_status.mix_variance IS 'the part that is another mix of meters than planned';
    COMMENT ON COLUMN budget_status.volume_variance IS 'the part that is more tokens than planned';
    COMMENT ON COLUMN budget_status.charges_variance IS 'the part that is not calls: purchases and charges against what the amount has beyond planned tokens; the four add up to variance';
    COMMENT ON COLUMN budget_status.burn_rate IS 'what a day costs: the mean of the last 28 complete days, or as many as there are';
    COMMENT ON COLUMN budget_status.forecast IS 'what the period will have cost at its end: what was spent, and each day to come as its weekdays in the last 8 weeks';
    COMMENT ON COLUMN budget_status.forecast_lower_95 IS 'lower end of its 95 % interval';
    COMMENT ON COLUMN budget_status.forecast_upper_95 IS 'upper end of its 95 % interval';
    COMMENT ON COLUMN budget_status.forecast_variance IS 'forecast - amount';
    COMMENT ON COLUMN budget_status.projected_exhaustion IS 'the day on which the amount is used up at this rate (today where it is already); NULL: not before the end';
    COMMENT ON COLUMN budget_status.calls IS 'number of calls';
    COMMENT ON COLUMN budget_status.tokens IS 'tokens of calls with a price of their own';
    COMMENT ON COLUMN budget_status.cost_per_mtok IS 'what a million of these cost';
    COMMENT ON COLUMN budget_status.planned_cost_per_mtok IS 'what a million was planned to cost';
    COMMENT ON COLUMN budget_status.reasoning_per_call IS 'reasoning tokens per call; NULL where none are reported';
    COMMENT ON COLUMN budget_status.unpriced_tokens IS 'tokens without a price: they are in no amount';
    COMMENT ON COLUMN budget_status.note IS 'what makes the figures less than they seem; NULL: nothing';

    CREATE OR REPLACE FUNCTION unbudgeted_spend_between(from_at timestamptz DEFAULT NULL, to_at timestamptz DEFAULT NULL, zone text DEFAULT NULL)
        RETURNS TABLE (
            month date,
            dimension text,
            owner text,
            provider text,
            model text,
            currency text,
            calls bigint,
            tokens bigint,
            cost numeric
        )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(unbudgeted_spend_between.zone, (SELECT s.zone FROM setting s));
    BEGIN
        RETURN QUERY
        SELECT (l.period AT TIME ZONE in_zone)::date, d.dimension, o.owner, l.provider, l.model, l.currency,
               sum(l.calls)::bigint, sum(tokenomics.total(l.tokens))::bigint, sum(l.effective_cost)
        FROM (SELECT DISTINCT b.dimension FROM budget b
              WHERE upper_inf(b.recorded) AND (b.dimension IS NULL OR b.dimension IN (SELECT x.name FROM dimensions() x))) d,
             LATERAL spend_lines('month', from_at, to_at, in_zone, d.dimension) l,
             LATERAL (SELECT CASE WHEN d.dimension IS NOT NULL THEN coalesce(l.label, 'unallocated') END AS owner) o
        WHERE NOT EXISTS (
            SELECT FROM budget b
            WHERE upper_inf(b.recorded) AND (b.dimension IS NULL OR b.dimension = d.dimension AND b.owner = o.owner)
              AND (b.provider IS NULL OR b.provider = l.provider) AND (b.model IS NULL OR b.model = l.model)
              AND (l.period AT TIME ZONE in_zone)::date >= b.period_start AND (l.period AT TIME ZONE in_zone)::date < b.period_end)
        GROUP BY 1, 2, 3, 4, 5, 6
        ORDER BY 1, 2, 3, 4, 5, 6;
    END
    $$;
    COMMENT ON FUNCTION unbudgeted_spend_between(timestamptz, timestamptz, text) IS
        'the rows of unbudgeted_spend of what was spent from from_at up to, not including, to_at, by the months of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW unbudgeted_spend WITH (security_invoker = true) AS SELECT * FROM unbudgeted_spend_between();
    COMMENT ON VIEW unbudgeted_spend IS
        'tokenomics: what no budget is for, by month, in each dimension that budgets have: a budget without an owner is for all of them';
    COMMENT ON COLUMN unbudgeted_spend.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN unbudgeted_spend.dimension IS 'team, project; NULL where budgets have no owner';
    COMMENT ON COLUMN unbudgeted_spend.owner IS 'the team or project; "unallocated" where calls and charges name none';
    COMMENT ON COLUMN unbudgeted_spend.provider IS 'who charges it';
    COMMENT ON COLUMN unbudgeted_spend.model IS 'the model; NULL of charges';
    COMMENT ON COLUMN unbudgeted_spend.currency IS 'currency of cost; NULL where the calls are unpriced';
    COMMENT ON COLUMN unbudgeted_spend.calls IS 'number of calls';
    COMMENT ON COLUMN unbudgeted_spend.tokens IS 'their tokens';
    COMMENT ON COLUMN unbudgeted_spend.cost IS 'what was spent';

    CREATE OR REPLACE FUNCTION check_budgets(as_of timestamptz DEFAULT now()) RETURNS bigint
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        changed record;
        n bigint := 0;
    BEGIN
        -- no time has no budgets, and would clear all that stand
        IF as_of IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'null_value_not_allowed',
                MESSAGE = 'budgets are checked at a time',
                HINT = 'Without an argument it is now.';
        END IF;
        -- one at a time: who comes second sees what the first has found
        PERFORM pg_advisory_xact_lock(hashtextextended('tokenomics check_budgets', 'budget_alert'::regclass::oid::bigint));
        FOR changed IN
            WITH status AS MATERIALIZED (
                SELECT s.*, b.alert_at, b.alert_forecast_at, b.alert_cost_per_mtok, b.alert_reasoning_per_call
                FROM budget_status_at(as_of) s JOIN budget b ON b.name = s.name AND b.period_start = s.period_start AND b.version = s.version
            ), threshold AS MATERIALIZED (
                SELECT s.name, s.period_start, s.version, s.amount, s.currency, x.*
                FROM status s, tokenomics.budget_thresholds(s.alert_at, s.alert_forecast_at, s.alert_cost_per_mtok, s.alert_reasoning_per_call, s.amount, s.actual,
                                                            CASE WHEN s.is_running THEN s.forecast END, s.cost_per_mtok, s.reasoning_per_call, s.unpriced_tokens) x
            ), cleared AS (
                -- not for want of a value: only what is known not to be crossed, or not asked any more
                UPDATE budget_alert a SET cleared_at = clock_timestamp(), cleared_value = t.value
                FROM budget_alert c LEFT JOIN threshold t ON t.name = c.name AND t.period_start = c.period_start AND t.kind = c.kind AND t.threshold = c.threshold
                WHERE a.alert_id = c.alert_id AND c.cleared_at IS NULL
                  AND CASE WHEN t.name IS NULL THEN c.kind <> 'forecast' OR NOT EXISTS (SELECT FROM status s WHERE s.name = c.name AND s.period_start = c.period_start)
                           ELSE NOT t.is_crossed END
                RETURNING a.name, a.period_start, a.kind, a.threshold, 'cleared' AS event, t.value
            ), crossed AS (
                INSERT INTO budget_alert (name, period_start, kind, threshold, value, version)
                SELECT t.name, t.period_start, t.kind, t.threshold, t.value, t.version FROM threshold t
                WHERE t.is_crossed AND NOT EXISTS (SELECT FROM budget_alert a WHERE a.name = t.name AND a.period_start = t.period_start AND a.kind = t.kind
                                                   AND a.threshold = t.threshold AND a.cleared_at IS NULL)
                ORDER BY t.name, t.period_start, t.kind, t.threshold
                ON CONFLICT DO NOTHING
                RETURNING name, period_start, kind, threshold, 'crossed' AS event, value
            )
            SELECT * FROM cleared UNION ALL SELECT * FROM crossed ORDER BY 1, 2, 3, 4
        LOOP
            n := n + 1;
            PERFORM pg_notify('tokenomics_budget', json_build_object('event', changed.event, 'budget', left(changed.name, 1000), 'period_start', changed.period_start,
                'kind', changed.kind, 'threshold', changed.threshold, 'value', changed.value)::text);
        END LOOP;
        RETURN n;
    END
    $$;
    COMMENT ON FUNCTION check_budgets(timestamptz) IS
        'compares each budget with its thresholds: a row in budget_alert and a NOTIFY tokenomics_budget (JSON) for each that is crossed, once, and "cleared" where a correction takes it back; returns how many there were of both; refresh() calls it';
END
$install$;
COMMENT ON PROCEDURE install_budget() IS 'part of install(): budgets, their status and alerts, in the first schema of search_path';

CREATE PROCEDURE uninstall_budget() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS unbudgeted_spend, budget_status;
    DROP FUNCTION IF EXISTS
        check_budgets(timestamptz),
        unbudgeted_spend_between(timestamptz, timestamptz, text),
        budget_status_between(timestamptz, timestamptz, text),
        budget_status_at(timestamptz),
        budget_spend(timestamptz, date),
        set_budget(text, date, date, numeric, text, text, text, text, text, text, tokenomics.tokens, tokenomics.rates, numeric[], numeric[], numeric, numeric),
        budget_period(text, date);
    DROP TABLE IF EXISTS budget_alert, budget;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_budget() IS 'part of uninstall(): drops what install_budget() made';
