-- The factors of demand: measured over a month, and planned with.

CREATE TYPE demand_factors AS (
    month date,
    days integer,
    slice jsonb,
    users numeric,
    sessions_per_user numeric,
    turns_per_session numeric,
    calls_per_turn numeric,
    tokens_per_call numeric,
    reasoning_multiplier numeric,
    coverage_multiplier numeric,
    mix tokens,
    mix_calls bigint,
    cacheable_tokens bigint,
    cache_hit_rate numeric,
    peak_to_average numeric,
    monthly_growth numeric,
    coverage numeric,
    reason text
);
COMMENT ON TYPE demand_factors IS
    'what makes the tokens of a month: measured, or planned; total_tokens() is users * sessions_per_user * turns_per_session * calls_per_turn * tokens_per_call * reasoning_multiplier * coverage_multiplier, of what is measured exactly';
COMMENT ON COLUMN demand_factors.month IS 'first day of the month, in the zone it was measured in; NULL: a plan for any month';
COMMENT ON COLUMN demand_factors.days IS 'days of the month';
COMMENT ON COLUMN demand_factors.slice IS 'what of the calls it was measured over, such as {"team": "search"}; NULL: all';
COMMENT ON COLUMN demand_factors.users IS 'users with a call';
COMMENT ON COLUMN demand_factors.sessions_per_user IS 'sessions / users';
COMMENT ON COLUMN demand_factors.turns_per_session IS 'turns / sessions';
COMMENT ON COLUMN demand_factors.calls_per_turn IS 'calls / turns: the fan-out of agents';
COMMENT ON COLUMN demand_factors.tokens_per_call IS 'tokens that are not reasoning / calls';
COMMENT ON COLUMN demand_factors.reasoning_multiplier IS 'all tokens / tokens that are not reasoning, of the same calls; at least 1';
COMMENT ON COLUMN demand_factors.coverage_multiplier IS 'tokens of all calls / tokens of calls with all ids, which the factors before it are of; at least 1';
COMMENT ON COLUMN demand_factors.mix IS 'tokens by meter, of mix_calls calls';
COMMENT ON COLUMN demand_factors.mix_calls IS 'calls that mix is the sum of: mix / mix_calls is an average call';
COMMENT ON COLUMN demand_factors.cacheable_tokens IS 'input tokens of those of mix_calls that report what was read from a cache: what cache_hit_rate is a share of';
COMMENT ON COLUMN demand_factors.cache_hit_rate IS 'cache_read / cacheable_tokens; NULL where no call reports it';
COMMENT ON COLUMN demand_factors.peak_to_average IS 'tokens of the busiest hour of the month / those of an average hour; at least 1';
COMMENT ON COLUMN demand_factors.monthly_growth IS 'growth of tokens per day by the month, compound, a fraction; NULL where there is no month to compare with';
COMMENT ON COLUMN demand_factors.coverage IS 'tokens of calls with all ids / tokens of all calls: a fraction; 0: no call has all ids';
COMMENT ON COLUMN demand_factors.reason IS 'why factors are NULL';

CREATE FUNCTION factors_of_counts(
    users bigint,
    sessions bigint,
    turns bigint,
    mix tokens,
    mix_calls bigint,
    total_tokens bigint,
    cacheable_tokens bigint DEFAULT NULL,
    peak_hour_tokens bigint DEFAULT NULL,
    seconds bigint DEFAULT NULL,
    monthly_growth numeric DEFAULT NULL,
    month date DEFAULT NULL,
    days integer DEFAULT NULL,
    slice jsonb DEFAULT NULL
) RETURNS demand_factors
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION factors_of_counts(bigint, bigint, bigint, tokens, bigint, bigint, bigint, bigint, bigint, numeric, date, integer, jsonb) IS
    'demand_factors of what was counted over one month: distinct users, sessions and turns of the mix_calls calls with all ids, which used mix, and the tokens of all calls; each factor has 24 significant digits, so that total_tokens() is the total exactly';

CREATE FUNCTION total_tokens(demand_factors) RETURNS bigint
    AS 'MODULE_PATHNAME', 'factors_total_tokens' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION total_tokens(demand_factors) IS
    'tokens of the month: the product of the factors, to the nearest token; of measured factors the measured total exactly; NULL where a factor is';

-- Makes the views and functions in the schema that comes first in search_path;
-- called by install().
CREATE PROCEDURE install_factors() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION usage_counts(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        slice jsonb DEFAULT NULL,
        by_owner boolean DEFAULT false
    ) RETURNS TABLE (
        month date,
        days integer,
        scope text,
        owner text,
        users bigint,
        sessions bigint,
        turns bigint,
        calls bigint,
        calls_without_tokens bigint,
        mix tokenomics.tokens,
        cacheable_tokens bigint,
        total_tokens bigint,
        peak_hour_tokens bigint,
        seconds bigint
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(usage_counts.zone, (SELECT s.zone FROM setting s));
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := least(to_at, now());
        of_call text := '';
        of_turn text := '';
        entry record;
    BEGIN
        -- months that the limits cut, or that are not over, are not measured
        IF isfinite(first) AND tokenomics.period_start('month', in_zone, first) <> first THEN
            first := tokenomics.period_end('month', in_zone, first);
        END IF;
        behind := CASE WHEN isfinite(behind) THEN tokenomics.period_start('month', in_zone, behind) ELSE behind END;
        IF first >= behind THEN
            RETURN;
        END IF;

        IF jsonb_typeof(slice) <> 'object' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('a slice is a JSON object, not %s', slice),
                HINT = 'As in {"team": "search"}, {"model": ["gpt-5", "o3"]} or {"project": null}.';
        END IF;
        FOR entry IN SELECT e.key, e.value FROM jsonb_each(slice) e LOOP
            IF entry.key NOT IN ('team', 'project', 'user_id', 'session_id', 'provider', 'model', 'service_tier', 'agent', 'status', 'tags') THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'invalid_parameter_value',
                    MESSAGE = format('there is no slice by "%s"', entry.key),
                    HINT = 'Slices are by team, project, user_id, session_id, provider, model, service_tier, agent, status and tags.';
            ELSIF (CASE entry.key WHEN 'tags' THEN jsonb_typeof(entry.value) <> 'object'
                  ELSE jsonb_path_exists(entry.value, 'strict $[*] ? (@.type() != "string" && @.type() != "null")', '{}', true)
                       OR jsonb_typeof(entry.value) NOT IN ('string', 'null', 'array') END) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'invalid_parameter_value',
                    MESSAGE = format('a slice by "%s" cannot be %s', entry.key, entry.value),
                    HINT = CASE entry.key WHEN 'tags' THEN 'It is an object that the tags of a call hold, as in {"tags": {"feature": "chat"}}.'
                           ELSE 'It is a string, null for none, or an array of these.' END;
            END IF;
            -- an array holds its elements, a string itself
            IF entry.key IN ('team', 'project', 'user_id', 'session_id') THEN
                of_turn := of_turn || format(' AND (%L::jsonb) @> coalesce(to_jsonb(o.%I), ''null'')', entry.value, entry.key);
            ELSIF entry.key = 'tags' THEN
                of_call := of_call || format(' AND coalesce(u.tags @> %L, false)', entry.value);
            ELSE
                of_call := of_call || format(' AND (%L::jsonb) @> coalesce(to_jsonb(%s), ''null'')', entry.value,
                                             CASE entry.key WHEN 'service_tier' THEN 'coalesce(u.service_tier, ''standard'')' ELSE format('u.%I', entry.key) END);
            END IF;
        END LOOP;

        -- A turn is of the session, the user, the team and the project of its
        -- first call: a sub-agent with a session of its own opens none.  It may
        -- have begun before the limits, where a week is looked back.
        RETURN QUERY EXECUTE format($query$
            WITH call AS (
                SELECT u.at, u.tokens, u.user_id, u.session_id, u.team, u.project, u.request_id,
                       CASE WHEN u.calls = 1 AND u.user_id IS NOT NULL AND u.session_id IS NOT NULL THEN u.turn_id END AS turn_id,
                       true%1$s AS is_wanted
                FROM usage u WHERE u.at >= $2 - interval '7 days' AND u.at < $3
            ), owned AS (
                SELECT c.at, c.tokens, c.is_wanted, c.turn_id,
                       CASE WHEN c.turn_id IS NULL THEN c.user_id ELSE first_value(c.user_id) OVER w END AS user_id,
                       CASE WHEN c.turn_id IS NULL THEN c.session_id ELSE first_value(c.session_id) OVER w END AS session_id,
                       CASE WHEN c.turn_id IS NULL THEN c.team ELSE first_value(c.team) OVER w END AS team,
                       CASE WHEN c.turn_id IS NULL THEN c.project ELSE first_value(c.project) OVER w END AS project
                FROM call c
                WINDOW w AS (PARTITION BY c.turn_id ORDER BY c.at, c.request_id, c.session_id, c.user_id, c.team, c.project)
            ), wanted AS MATERIALIZED (
                SELECT tokenomics.period_start('month', $1, o.at) AS month, tokenomics.period_start('hour', $1, o.at) AS hour, o.team, o.project,
                       o.turn_id, CASE WHEN o.turn_id IS NOT NULL THEN o.user_id END AS user_id, CASE WHEN o.turn_id IS NOT NULL THEN o.session_id END AS session_id,
                       o.tokens, tokenomics.total(o.tokens) AS total
                FROM owned o WHERE o.at >= $2 AND o.is_wanted%2$s
            ), peak AS (
                SELECT h.month, h.scope, h.owner, max(h.total)::bigint AS total
                FROM (SELECT w.month, %3$s, sum(w.total) AS total FROM wanted w GROUP BY w.hour, %4$s) h
                GROUP BY 1, 2, 3
            ), counted AS (
                SELECT w.month, %3$s, count(DISTINCT w.user_id) AS users, count(DISTINCT w.session_id) AS sessions, count(DISTINCT w.turn_id) AS turns,
                       count(w.turn_id) AS calls, count(w.turn_id) FILTER (WHERE w.tokens IS NULL) AS calls_without_tokens,
                       tokenomics.sum(w.tokens) FILTER (WHERE w.turn_id IS NOT NULL) AS mix,
                       sum(tokenomics.input_total(w.tokens)) FILTER (WHERE w.turn_id IS NOT NULL AND tokenomics.meter(w.tokens, 'cache_read') IS NOT NULL)::bigint AS cacheable,
                       coalesce(sum(w.total), 0)::bigint AS total
                FROM wanted w GROUP BY %4$s
            )
            SELECT (c.month AT TIME ZONE $1)::date, (e.month_end AT TIME ZONE $1)::date - (c.month AT TIME ZONE $1)::date, c.scope, c.owner,
                   c.users, c.sessions, c.turns, c.calls, c.calls_without_tokens, c.mix, c.cacheable, c.total, p.total,
                   extract(epoch FROM e.month_end - c.month)::bigint
            FROM counted c JOIN peak p ON p.month = c.month AND p.scope = c.scope AND p.owner IS NOT DISTINCT FROM c.owner,
                 LATERAL (SELECT tokenomics.period_end('month', $1, c.month) AS month_end) e
            ORDER BY c.month, c.scope DESC, c.owner$query$,
            of_call, of_turn,
            CASE WHEN by_owner THEN 'CASE WHEN grouping(w.team) = 0 THEN ''team'' WHEN grouping(w.project) = 0 THEN ''project'' ELSE ''total'' END AS scope,
                                     CASE WHEN grouping(w.team) = 0 THEN w.team ELSE w.project END AS owner'
                 ELSE '''total'' AS scope, NULL::text AS owner' END,
            CASE WHEN by_owner THEN 'GROUPING SETS ((w.month), (w.month, w.team), (w.month, w.project))' ELSE 'w.month' END)
        USING in_zone, first, behind;
    END
    $$;
    COMMENT ON FUNCTION usage_counts(timestamptz, timestamptz, text, jsonb, boolean) IS
        'what demand_factors are made of, by complete month of the zone (NULL: that of "setting"): distinct users, sessions and turns, counted and never added up, of the calls with all of user_id, session_id and turn_id, and the tokens of all calls; of a slice, as measured_factors(); by_owner: for each team and project too';

    CREATE OR REPLACE FUNCTION measured_factors_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        slice jsonb DEFAULT NULL
    ) RETURNS SETOF tokenomics.demand_factors
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        SELECT f.*
        FROM (SELECT c.*, min(c.month) FILTER (WHERE c.total_tokens > 0) OVER w AS base_month,
                     (array_agg(c.total_tokens::numeric / c.days) FILTER (WHERE c.total_tokens > 0) OVER w)[1] AS base_per_day
              FROM usage_counts(from_at, to_at, measured_factors_between.zone, slice) c
              WINDOW w AS (ORDER BY c.month RANGE BETWEEN interval '12 months' PRECEDING AND interval '1 day' PRECEDING)) m,
             LATERAL tokenomics.factors_of_counts(
                 m.users, m.sessions, m.turns, m.mix, m.calls, m.total_tokens, m.cacheable_tokens, m.peak_hour_tokens, m.seconds,
                 tokenomics.compound_growth(m.total_tokens::numeric / m.days, m.base_per_day,
                     ((extract(year FROM m.month) - extract(year FROM m.base_month)) * 12 + extract(month FROM m.month) - extract(month FROM m.base_month))::integer),
                 m.month, m.days, slice) f
        ORDER BY m.month;
    END
    $$;
    COMMENT ON FUNCTION measured_factors_between(timestamptz, timestamptz, text, jsonb) IS
        'measured_factors() of each month with calls that lies wholly between the limits and is over; monthly_growth is since the earliest of them, of the 12 before, that has tokens';

    CREATE OR REPLACE FUNCTION measured_factors(
        month date,
        slice jsonb DEFAULT NULL,
        zone text DEFAULT NULL,
        growth_months integer DEFAULT 12
    ) RETURNS tokenomics.demand_factors
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_variable
    DECLARE
        in_zone text := coalesce(measured_factors.zone, (SELECT s.zone FROM setting s));
        first timestamptz;
        behind timestamptz;
        result tokenomics.demand_factors;
    BEGIN
        IF month IS NULL OR NOT isfinite(month) OR extract(day FROM month) <> 1 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('%s is not the first day of a month', coalesce(month::text, 'NULL')),
                HINT = 'As in measured_factors(''2026-05-01'').';
        ELSIF growth_months IS NULL OR growth_months NOT BETWEEN 0 AND 12 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('growth cannot be measured over %s months', coalesce(growth_months::text, 'NULL')),
                HINT = 'It is 1 to 12 months before, or 0: not at all.';
        END IF;
        -- noon: where a day begins later than at midnight it is of the day still
        first := tokenomics.period_start('month', in_zone, (month::timestamp - make_interval(months => growth_months) + interval '12 hours') AT TIME ZONE in_zone);
        behind := tokenomics.period_end('month', in_zone, (month::timestamp + interval '12 hours') AT TIME ZONE in_zone);
        IF behind > now() THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('the month %s is not over', to_char(month, 'YYYY-MM')),
                DETAIL = format('It ends at %s, by the calendar of %s.', behind AT TIME ZONE in_zone, in_zone),
                HINT = 'Factors are measured over complete months.';
        END IF;
        SELECT * INTO result FROM measured_factors_between(first, behind, in_zone, slice) f WHERE f.month = measured_factors.month;
        IF NOT FOUND THEN
            result.month := month;
            result.days := (month + interval '1 month')::date - month;
            result.slice := slice;
            result.reason := 'there are no calls';
        END IF;
        RETURN result;
    END
    $$;
    COMMENT ON FUNCTION measured_factors(date, jsonb, text, integer) IS
        'the demand_factors of a complete month, given by its first day, of the calendar of the zone (NULL: that of "setting"), of all calls or of a slice: {"team": ..., "project": ..., "user_id": ..., "session_id": ...} of the first call of the turn, {"provider": ..., "model": ..., "service_tier": ..., "agent": ..., "status": ..., "tags": {...}} of each call, each a string, null, or an array of these; growth_months: how many months before are read for monthly_growth';
END
$install$;
COMMENT ON PROCEDURE install_factors() IS 'part of install(): what measures the factors of demand, in the first schema of search_path';

CREATE PROCEDURE uninstall_factors() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS demand_drivers;
    DROP FUNCTION IF EXISTS
        demand_drivers_between(timestamptz, timestamptz, text),
        measured_factors(date, jsonb, text, integer),
        measured_factors_between(timestamptz, timestamptz, text, jsonb),
        usage_counts(timestamptz, timestamptz, text, jsonb, boolean);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_factors() IS 'part of uninstall(): drops what install_factors() made';
