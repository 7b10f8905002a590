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

CREATE FUNCTION plan_factors(
    users numeric,
    sessions_per_user numeric,
    turns_per_session numeric,
    calls_per_turn numeric,
    call tokens,
    peak_to_average numeric DEFAULT NULL,
    monthly_growth numeric DEFAULT NULL,
    coverage_multiplier numeric DEFAULT 1,
    month date DEFAULT NULL,
    days integer DEFAULT NULL
) RETURNS demand_factors
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION plan_factors(numeric, numeric, numeric, numeric, tokens, numeric, numeric, numeric, date, integer) IS
    'demand_factors of a plan: what a user does in a month, and an average call, which makes tokens_per_call, reasoning_multiplier and cache_hit_rate; days: NULL: those of the month, or 30 without one';

CREATE FUNCTION with_factor(
    factors demand_factors,
    name text,
    value numeric DEFAULT NULL,
    multiply numeric DEFAULT NULL
) RETURNS demand_factors
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION with_factor(demand_factors, text, numeric, numeric) IS
    'the factors with one of them set to a value, or multiplied: reasoning_multiplier moves only reasoning tokens, cache_hit_rate moves tokens between cache_read and what is not read from a cache (input and writes, in proportion), users, sessions_per_user, turns_per_session, calls_per_turn, tokens_per_call and coverage_multiplier scale all tokens; also peak_to_average, monthly_growth and days';

CREATE FUNCTION tokens_by_meter(factors demand_factors, months_ahead integer DEFAULT 0) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_by_meter(demand_factors, integer) IS
    'the tokens of a plan by meter, split as its mix is, so many months ahead: by monthly_growth and the days of that month; they add up to its total exactly';

CREATE FUNCTION average_call(factors demand_factors) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION average_call(demand_factors) IS
    'the tokens of an average call of a plan, rounded to whole ones; a meter that is used at all has one';

CREATE FUNCTION token_demand(
    factors demand_factors,
    months_ahead integer DEFAULT 0,
    OUT ahead integer,
    OUT month date,
    OUT days integer,
    OUT floor_tokens bigint,
    OUT fan_out_tokens bigint,
    OUT reasoning_tokens bigint,
    OUT coverage_tokens bigint,
    OUT calendar_tokens bigint,
    OUT growth_tokens bigint,
    OUT total_tokens bigint,
    OUT cache_tokens bigint,
    OUT peak_tokens bigint,
    OUT needed_tokens bigint,
    OUT average_tokens_per_second numeric,
    OUT peak_tokens_per_second numeric
) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 12;
COMMENT ON FUNCTION token_demand(demand_factors, integer) IS
    'the tokens of a plan, for its month (0) and each of so many months ahead: the floor, users * sessions * turns at one call each without reasoning, and what each factor adds to it: fan-out, reasoning, calls without ids (coverage), the days of the month, growth; their sum is total_tokens, exactly. What is read from a cache need not be computed (cache_tokens, zero or less), and capacity is for the peak hour (peak_tokens): total_tokens + cache_tokens + peak_tokens = needed_tokens, exactly. NULL where cache_hit_rate or peak_to_average is';

CREATE FUNCTION changed_factors(base demand_factors, other demand_factors) RETURNS text[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION changed_factors(demand_factors, demand_factors) IS
    'the factors in which two plans differ so that their tokens or their cost do; "cache_hit_rate" is the whole mix, how the tokens that are not reasoning are split over the meters; it is "mix" where only another split differs';

CREATE FUNCTION with_factors_of(base demand_factors, other demand_factors, names text[]) RETURNS demand_factors
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION with_factors_of(demand_factors, demand_factors, text[]) IS
    'the base with these factors of another plan, by the names of changed_factors()';

CREATE FUNCTION shapley_values(outcomes numeric[], scale integer DEFAULT 12) RETURNS numeric[]
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION shapley_values(numeric[], integer) IS
    'what each of n causes contributes, the mean over all orders in which they may set in (Shapley 1953): outcomes has the 2 ^ n outcomes, at 1 + the sum of 2 ^ (i - 1) over the causes i that have set in; to scale decimals, the largest takes the remainder, so that they add up to the last outcome less the first; NULL where an outcome is';

CREATE FUNCTION input_equivalent_tokens(tokens, rates) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION input_equivalent_tokens(tokens, rates) IS
    'how many tokens of plain input would cost what all input did: the sum over input meters of count * rate / rate of input, to 24 digits; of money, never of the capacity of a machine; NULL where a rate is missing, input is free or no input is reported';

CREATE FUNCTION net_cache_saving(tokens, rates) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION net_cache_saving(tokens, rates) IS
    'what a cache saved, exactly: tokens read at (rate of input - rate of reads) less tokens written at (rate of writes - rate of input), below zero where it cost more; storage is not in it; NULL where a rate is missing or no cache is reported';

CREATE FUNCTION plan_cost(
    factors demand_factors,
    book price_book,
    provider text,
    model text,
    at timestamptz,
    service_tier text DEFAULT NULL,
    months_ahead integer DEFAULT 0,
    OUT tokens tokens,
    OUT cost numeric,
    OUT currency text,
    OUT reason text
)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    IF book IS NULL OR provider IS NULL OR model IS NULL OR at IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'a plan is priced by a book, a provider, a model and a time, none of them null';
    END IF;
    tokens := tokenomics.tokens_by_meter(factors, months_ahead);
    SELECT CASE WHEN NOT bool_or(m.is_unpriced) THEN trim_scale(sum(m.price * tokenomics.meter(tokens, m.meter))) END,
           min(m.currency), string_agg(DISTINCT m.reason, '; ')
    INTO cost, currency, reason
    FROM (SELECT e.meter, bool_or(e.cost IS NULL) AS is_unpriced, min(e.currency) AS currency, min(e.reason) AS reason,
                 -- slices at different prices: what a token of the average call costs
                 CASE WHEN min(e.rate) = max(e.rate) THEN min(e.rate) * 0.000001 ELSE round(sum(e.cost) / sum(e.tokens), 15) END AS price
          FROM tokenomics.explain_cost(book, provider, model, at, tokenomics.average_call(factors), service_tier) AS e
          WHERE e.priced_by = 'contracted' AND e.tokens > 0
          GROUP BY e.meter) AS m;
    IF cost IS NULL AND tokenomics.total(tokens) = 0 THEN
        reason := 'there are no tokens';
    END IF;
END
$$;
COMMENT ON FUNCTION plan_cost(demand_factors, price_book, text, text, timestamptz, text, integer) IS
    'what the tokens of a plan cost, so many months ahead, at the prices of a model, as of a time, that its average call has: thresholds are by that call; exact, but for slices of graduated prices, of which the mean is rounded to 15 decimals; NULL, and why, where it has no price';

CREATE FUNCTION compare_scenarios(
    base demand_factors,
    scenarios demand_factors[],
    names text[],
    book price_book,
    provider text,
    model text,
    at timestamptz,
    service_tier text DEFAULT NULL,
    months_ahead integer DEFAULT 0
) RETURNS TABLE (
    scenario text,
    changed text[],
    total_tokens bigint,
    tokens tokens,
    cost numeric,
    currency text,
    delta_tokens bigint,
    delta_cost numeric,
    tokens_explained jsonb,
    cost_explained jsonb,
    reason text
)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    base_tokens bigint;
    base_cost numeric;
    base_currency text;
    other tokenomics.demand_factors;
    outcome record;
    token_outcomes numeric[];
    cost_outcomes numeric[];
BEGIN
    IF base IS NULL OR array_position(scenarios, NULL) IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'null_value_not_allowed',
            MESSAGE = CASE WHEN array_position(scenarios, NULL) IS NULL THEN 'the base of a comparison must not be null'
                           ELSE format('scenario %s is null', array_position(scenarios, NULL)) END;
    ELSIF cardinality(names) IS DISTINCT FROM cardinality(scenarios) OR array_position(names, NULL) IS NOT NULL
        OR array_ndims(scenarios) > 1 OR array_lower(scenarios, 1) <> 1 OR array_lower(names, 1) <> 1 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s scenarios have %s names', coalesce(cardinality(scenarios), 0), coalesce(cardinality(names), 0)),
            HINT = 'Name each, as in compare_scenarios(base, ARRAY[a, b], ARRAY[''a'', ''b''], book, ...).';
    END IF;
    FOR i IN 0 .. cardinality(scenarios) LOOP
        other := CASE WHEN i = 0 THEN base ELSE scenarios[i] END;
        scenario := CASE WHEN i = 0 THEN 'base' ELSE names[i] END;
        SELECT p.* INTO outcome FROM tokenomics.plan_cost(other, book, provider, model, at, service_tier, months_ahead) AS p;
        total_tokens := tokenomics.total(outcome.tokens);
        tokens := outcome.tokens;
        cost := outcome.cost;
        currency := outcome.currency;
        reason := outcome.reason;
        IF i = 0 THEN
            base_tokens := total_tokens;
            base_cost := cost;
            base_currency := currency;
        END IF;
        delta_tokens := total_tokens - base_tokens;
        delta_cost := CASE WHEN currency = base_currency THEN trim_scale(cost - base_cost) END;
        changed := ARRAY(SELECT c FROM unnest(tokenomics.changed_factors(base, other)) WITH ORDINALITY AS x(c, n)
                         WHERE months_ahead > 0 OR c NOT IN ('monthly_growth', 'days') ORDER BY n);
        -- all plans between the two: with some of the changes, and without others
        SELECT array_agg(tokenomics.total(p.tokens) ORDER BY s), array_agg(p.cost ORDER BY s)
        INTO token_outcomes, cost_outcomes
        FROM generate_series(0, (1 << cardinality(changed)) - 1) AS s,
             LATERAL tokenomics.plan_cost(
                 tokenomics.with_factors_of(base, other, ARRAY(SELECT changed[b + 1] FROM generate_series(0, cardinality(changed) - 1) AS b WHERE (s >> b) & 1 = 1)),
                 book, provider, model, at, service_tier, months_ahead) AS p;
        SELECT coalesce(jsonb_object_agg(e.name, e.effect), '{}') INTO tokens_explained
        FROM ROWS FROM (unnest(changed), unnest(tokenomics.shapley_values(token_outcomes, 0))) AS e(name, effect);
        cost_explained := NULL;
        IF delta_cost IS NOT NULL AND array_position(cost_outcomes, NULL) IS NULL THEN
            SELECT coalesce(jsonb_object_agg(e.name, e.effect), '{}') INTO cost_explained
            FROM ROWS FROM (unnest(changed), unnest(tokenomics.shapley_values(cost_outcomes))) AS e(name, effect);
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION compare_scenarios(demand_factors, demand_factors[], text[], price_book, text, text, timestamptz, text, integer) IS
    'the base and several plans side by side: tokens and plan_cost() of each, what differs from the base, and how much of the difference each changed factor explains (shapley_values() over the plans between the two, which add up to it exactly)';

-- Makes the views and functions in the schema that comes first in search_path;
-- called by install().
CREATE PROCEDURE install_factors() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION count_demand(
        months timestamptz[],
        zone text,
        slice jsonb,
        by_owner boolean
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
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off SET max_parallel_workers_per_gather = 0
    AS $$
    #variable_conflict use_column
    DECLARE
        of_call text := '';    -- what must hold of a call
        of_turn text := '';    -- what must hold of the first call of its turn
        column_name text;
        matches text;
        month_first timestamptz;
        month_behind timestamptz;
        turns text[];
        entry record;
    BEGIN
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
            IF entry.key = 'tags' THEN
                of_call := of_call || format(' AND u.tags @> %L', entry.value);
                CONTINUE;
            END IF;
            column_name := CASE entry.key WHEN 'service_tier' THEN 'coalesce(u.service_tier, ''standard'')' ELSE format('u.%I', entry.key) END;
            SELECT concat_ws(' OR ', CASE WHEN count(v.value) > 0 THEN format('%s = ANY (%L)', column_name, array_agg(v.value) FILTER (WHERE v.value IS NOT NULL)) END,
                                     CASE WHEN count(*) > count(v.value) THEN column_name || ' IS NULL' END) INTO matches
            FROM jsonb_array_elements_text(CASE jsonb_typeof(entry.value) WHEN 'array' THEN entry.value ELSE jsonb_build_array(entry.value) END) v;
            matches := format(' AND (%s)', coalesce(nullif(matches, ''), 'false'));
            IF entry.key IN ('team', 'project', 'user_id', 'session_id') THEN
                of_turn := of_turn || matches;
            ELSE
                of_call := of_call || matches;
            END IF;
        END LOOP;

        -- A turn is of the session, the user, the team and the project of its
        -- first call: a sub-agent with a session of its own opens none.  It may
        -- have begun before the month, where a week is looked back.  A month at a
        -- time: its turns must fit in memory.
        FOREACH month_first IN ARRAY months LOOP
            month_behind := tokenomics.period_end('month', count_demand.zone, month_first);
            -- of a slice only turns are tallied that may be of it, unless they are very many
            turns := NULL;
            IF of_call || of_turn <> '' THEN
                EXECUTE format('SELECT array_agg(t.turn_id) FROM (SELECT u.turn_id FROM usage u
                                WHERE u.at >= $1 - interval ''168 hours'' AND u.at < $2 AND u.turn_id IS NOT NULL AND %s
                                GROUP BY u.turn_id%s LIMIT 100001) t',
                               CASE WHEN of_turn = '' THEN format('u.at >= $1%s', of_call) WHEN of_call = '' THEN format('true%s', of_turn)
                                    ELSE format('(u.at >= $1%s OR true%s)', of_call, of_turn) END,
                               CASE WHEN of_turn <> '' AND of_call <> '' THEN format(' HAVING bool_or((u.at >= $1%s) IS TRUE) AND bool_or((true%s) IS TRUE)', of_call, of_turn) END)
                INTO turns USING month_first, month_behind;
            END IF;
            RETURN QUERY EXECUTE format($query$
                SELECT (c.month AT TIME ZONE $1)::date, ($3 AT TIME ZONE $1)::date - (c.month AT TIME ZONE $1)::date, c.scope, c.owner,
                       c.users, c.sessions, c.turns, c.calls, c.calls_without_tokens, c.mix, c.cacheable_tokens, c.total_tokens, c.peak_hour_tokens,
                       extract(epoch FROM $3 - c.month)::bigint
                FROM (SELECT tokenomics.turn_tally($1, u.at, u.tokens, CASE WHEN u.calls = 1 AND u.user_id IS NOT NULL AND u.session_id IS NOT NULL THEN u.turn_id END,
                                                   u.session_id, u.user_id, u.team, u.project, u.request_id, (u.at >= $2%s) IS TRUE) AS tally
                      FROM usage u WHERE u.at >= $2 - interval '168 hours' AND u.at < $3%s) t,
                     LATERAL tokenomics.counts(t.tally, $4, $5) c$query$, of_call,
                CASE WHEN of_call || of_turn <> '' AND coalesce(cardinality(turns), 0) <= 100000 THEN format(' AND (u.turn_id IN (SELECT unnest($6)) OR u.at >= $2%s%s)', of_call, of_turn) ELSE '' END)
            USING count_demand.zone, month_first, month_behind, slice, by_owner, turns;
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION count_demand(timestamptz[], text, jsonb, boolean) IS
        'part of usage_counts(): what it says of some months, each by when it begins, counted from calls';

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
    BEGIN
        -- months that the limits cut, or that are not over, are not measured
        IF isfinite(first) AND tokenomics.period_start('month', in_zone, first) <> first THEN
            first := tokenomics.period_end('month', in_zone, first);
        END IF;
        behind := CASE WHEN isfinite(behind) THEN tokenomics.period_start('month', in_zone, behind) ELSE behind END;
        IF first >= behind THEN
            RETURN;
        END IF;
        IF slice IS NULL THEN
            RETURN QUERY
            SELECT (m.starts AT TIME ZONE in_zone)::date, (l.ends AT TIME ZONE in_zone)::date - (m.starts AT TIME ZONE in_zone)::date, c.scope, c.owner,
                   c.users, c.sessions, c.turns, c.calls, c.calls_without_tokens, c.mix, c.cacheable_tokens, c.total_tokens, c.peak_hour_tokens,
                   extract(epoch FROM l.ends - m.starts)::bigint
            FROM measured_parts('demand', first, behind, in_zone) m,
                 LATERAL (SELECT tokenomics.period_end('month', in_zone, m.starts) AS ends) l,
                 jsonb_to_recordset(m.facts) c(scope text, owner text, users bigint, sessions bigint, turns bigint, calls bigint, calls_without_tokens bigint,
                                               mix tokenomics.tokens, cacheable_tokens bigint, total_tokens bigint, peak_hour_tokens bigint)
            WHERE c.scope = 'total' OR by_owner
            ORDER BY 1, 3 DESC, 4;
            RETURN;
        END IF;
        -- a slice is of calls, always: are they all there?
        PERFORM FROM tokenomics.stored_measures('usage', 'slice', in_zone, first, behind, NULL);
        RETURN QUERY
        SELECT * FROM count_demand(ARRAY(SELECT m.starts FROM months_of_calls(first, behind, in_zone) m), in_zone, slice, by_owner)
        ORDER BY 1, 3 DESC, 4;
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
            -- an error where there are some, that cannot be counted
            PERFORM FROM tokenomics.stored_measures('usage', 'demand', in_zone, tokenomics.period_start('month', in_zone, behind - interval '1 microsecond'), behind, NULL);
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

    CREATE OR REPLACE FUNCTION demand_drivers_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        scope text,
        owner text,
        is_allocated boolean,
        days integer,
        users bigint,
        sessions bigint,
        turns bigint,
        calls bigint,
        calls_without_tokens bigint,
        total_tokens bigint,
        tokens_per_day numeric,
        sessions_per_user numeric,
        turns_per_session numeric,
        calls_per_turn numeric,
        tokens_per_call numeric,
        reasoning_multiplier numeric,
        coverage_multiplier numeric,
        coverage numeric,
        cache_hit_rate numeric,
        peak_to_average numeric,
        growth_total_tokens numeric,
        growth_tokens_per_day numeric,
        growth_users numeric,
        growth_sessions_per_user numeric,
        growth_turns_per_session numeric,
        growth_calls_per_turn numeric,
        growth_tokens_per_call numeric,
        growth_reasoning_multiplier numeric,
        growth_coverage_multiplier numeric,
        growth_cache_hit_rate numeric,
        growth_peak_to_average numeric,
        reason text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        WITH measured AS MATERIALIZED (
            SELECT c.month, c.days, c.scope, c.owner, c.users AS n_users, c.sessions, c.turns, c.calls, c.calls_without_tokens, c.total_tokens,
                   tokenomics.factors_of_counts(c.users, c.sessions, c.turns, c.mix, c.calls, c.total_tokens, c.cacheable_tokens,
                                                c.peak_hour_tokens, c.seconds) AS f
            FROM usage_counts(from_at, to_at, demand_drivers_between.zone, by_owner => true) c
        )
        SELECT m.month, m.scope, CASE WHEN m.scope <> 'total' THEN coalesce(m.owner, 'unallocated') END, CASE WHEN m.scope <> 'total' THEN m.owner IS NOT NULL END,
               m.days, m.n_users, m.sessions, m.turns, m.calls, m.calls_without_tokens, m.total_tokens, trim_scale(m.total_tokens::numeric / m.days),
               (m.f).sessions_per_user, (m.f).turns_per_session, (m.f).calls_per_turn, (m.f).tokens_per_call,
               (m.f).reasoning_multiplier, (m.f).coverage_multiplier, (m.f).coverage, (m.f).cache_hit_rate, (m.f).peak_to_average,
               tokenomics.growth_rate(m.total_tokens, b.total_tokens),
               tokenomics.growth_rate(m.total_tokens::numeric * b.days, b.total_tokens::numeric * m.days),
               tokenomics.growth_rate(m.n_users, b.n_users),
               tokenomics.growth_rate((m.f).sessions_per_user, (b.f).sessions_per_user),
               tokenomics.growth_rate((m.f).turns_per_session, (b.f).turns_per_session),
               tokenomics.growth_rate((m.f).calls_per_turn, (b.f).calls_per_turn),
               tokenomics.growth_rate((m.f).tokens_per_call, (b.f).tokens_per_call),
               tokenomics.growth_rate((m.f).reasoning_multiplier, (b.f).reasoning_multiplier),
               tokenomics.growth_rate((m.f).coverage_multiplier, (b.f).coverage_multiplier),
               tokenomics.growth_rate((m.f).cache_hit_rate, (b.f).cache_hit_rate),
               tokenomics.growth_rate((m.f).peak_to_average, (b.f).peak_to_average),
               (m.f).reason
        FROM measured m
             LEFT JOIN measured b ON b.month = (m.month - interval '1 month')::date AND b.scope = m.scope AND b.owner IS NOT DISTINCT FROM m.owner
        ORDER BY m.scope DESC, m.owner, m.month;
    END
    $$;
    COMMENT ON FUNCTION demand_drivers_between(timestamptz, timestamptz, text) IS
        'the rows of demand_drivers of the months, of the zone, that lie wholly from from_at up to, not including, to_at; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW demand_drivers WITH (security_invoker = true) AS SELECT * FROM demand_drivers_between();
    COMMENT ON VIEW demand_drivers IS
        'tokenomics: the factors whose product is the tokens of a month, exactly, and the growth of each, by complete month, in total and by team and by project; users, sessions and turns are counted apart for each row, and do not add up';
    COMMENT ON COLUMN demand_drivers.month IS 'first day of the month, in the reporting zone; months that are not over are left out';
    COMMENT ON COLUMN demand_drivers.scope IS 'total, team or project';
    COMMENT ON COLUMN demand_drivers.owner IS 'the team or project, of a turn that of its first call; "unallocated": calls that name none; NULL in total';
    COMMENT ON COLUMN demand_drivers.is_allocated IS 'whether the calls name the owner; NULL in total';
    COMMENT ON COLUMN demand_drivers.days IS 'days of the month';
    COMMENT ON COLUMN demand_drivers.users IS 'distinct users of calls with all of user_id, session_id and turn_id, as are the columns up to calls_without_tokens';
    COMMENT ON COLUMN demand_drivers.sessions IS 'distinct sessions; that of a turn is that of its first call';
    COMMENT ON COLUMN demand_drivers.turns IS 'distinct turns';
    COMMENT ON COLUMN demand_drivers.calls IS 'number of calls';
    COMMENT ON COLUMN demand_drivers.calls_without_tokens IS 'those for which no tokens are reported: failed ones, most often';
    COMMENT ON COLUMN demand_drivers.total_tokens IS 'tokens of all calls, whatever ids they have: users * sessions_per_user * turns_per_session * calls_per_turn * tokens_per_call * reasoning_multiplier * coverage_multiplier, rounded';
    COMMENT ON COLUMN demand_drivers.tokens_per_day IS 'total_tokens / days';
    COMMENT ON COLUMN demand_drivers.sessions_per_user IS 'sessions / users';
    COMMENT ON COLUMN demand_drivers.turns_per_session IS 'turns / sessions';
    COMMENT ON COLUMN demand_drivers.calls_per_turn IS 'calls / turns: the fan-out of agents';
    COMMENT ON COLUMN demand_drivers.tokens_per_call IS 'tokens that are not reasoning / calls';
    COMMENT ON COLUMN demand_drivers.reasoning_multiplier IS 'all tokens / those that are not reasoning';
    COMMENT ON COLUMN demand_drivers.coverage_multiplier IS 'tokens of all calls / tokens of calls with all ids';
    COMMENT ON COLUMN demand_drivers.coverage IS 'tokens of calls with all ids / tokens of all calls, a fraction';
    COMMENT ON COLUMN demand_drivers.cache_hit_rate IS 'share of input read from a cache, of calls that report it';
    COMMENT ON COLUMN demand_drivers.peak_to_average IS 'tokens of the busiest hour / those of an average hour';
    COMMENT ON COLUMN demand_drivers.growth_total_tokens IS 'growth of total_tokens on the month before, a fraction; 1 + it is the product of 1 + each growth from that of users to that of coverage_multiplier';
    COMMENT ON COLUMN demand_drivers.growth_tokens_per_day IS 'growth of tokens_per_day: months of 28 and 31 days compare';
    COMMENT ON COLUMN demand_drivers.growth_users IS 'growth of users';
    COMMENT ON COLUMN demand_drivers.growth_sessions_per_user IS 'growth of sessions_per_user; a longer month has more';
    COMMENT ON COLUMN demand_drivers.growth_turns_per_session IS 'growth of turns_per_session';
    COMMENT ON COLUMN demand_drivers.growth_calls_per_turn IS 'growth of calls_per_turn';
    COMMENT ON COLUMN demand_drivers.growth_tokens_per_call IS 'growth of tokens_per_call';
    COMMENT ON COLUMN demand_drivers.growth_reasoning_multiplier IS 'growth of reasoning_multiplier';
    COMMENT ON COLUMN demand_drivers.growth_coverage_multiplier IS 'growth of coverage_multiplier';
    COMMENT ON COLUMN demand_drivers.growth_cache_hit_rate IS 'growth of cache_hit_rate, a fraction of it';
    COMMENT ON COLUMN demand_drivers.growth_peak_to_average IS 'growth of peak_to_average';
    COMMENT ON COLUMN demand_drivers.reason IS 'why factors are NULL';
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
        usage_counts(timestamptz, timestamptz, text, jsonb, boolean),
        count_demand(timestamptz[], text, jsonb, boolean);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_factors() IS 'part of uninstall(): drops what install_factors() made';
