-- How calls are made: how much they think, how far prompts fan out, and what the
-- cache saves.

CREATE FUNCTION capped(tokens, meter text, cap bigint) RETURNS tokens
    AS 'MODULE_PATHNAME', 'tokens_capped' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION capped(tokens, text, bigint) IS
    'the same tokens with at most so many of a meter; what was not reported stays so';

-- Makes the views and functions in the schema that comes first in search_path;
-- called by install().
CREATE PROCEDURE install_behaviour() LANGUAGE plpgsql
AS $install$
BEGIN
    /*
     * Thinking
     */

    CREATE OR REPLACE FUNCTION count_reasoning(from_at timestamptz, to_at timestamptz)
        RETURNS TABLE (provider text, model text, per text, calls bigint, counted bigint, reasoning bigint, output bigint, "values" text, counts text)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    BEGIN
        -- a turn is that of its first call, and whole
        RETURN QUERY EXECUTE $query$
            WITH counted AS (
                SELECT u.provider, u.model, 'call' AS per, u.calls, CASE WHEN u.calls = 1 THEN tokenomics.meter(u.tokens, 'reasoning') END AS reasoning, tokenomics.output_total(u.tokens) AS output
                FROM usage u WHERE u.at >= $1 AND u.at < $2
                UNION ALL
                SELECT t.provider, t.model, 'turn', 1, t.reasoning, t.output
                FROM (SELECT u.provider, u.model, sum(tokenomics.meter(u.tokens, 'reasoning'))::bigint AS reasoning,
                             sum(tokenomics.output_total(u.tokens)) FILTER (WHERE tokenomics.meter(u.tokens, 'reasoning') IS NOT NULL) AS output,
                             min(min(u.at)) OVER (PARTITION BY u.turn_id) AS at
                      FROM usage u WHERE u.at >= $1 - interval '168 hours' AND u.at < $2 + interval '168 hours' AND u.turn_id IS NOT NULL AND u.calls = 1
                      GROUP BY u.provider, u.model, u.turn_id) t
                WHERE t.at >= $1 AND t.at < $2
            ), value AS (
                SELECT c.provider, c.model, c.per, c.reasoning, sum(c.calls) AS calls, count(*) AS n, sum(c.output) AS output
                FROM counted c GROUP BY c.provider, c.model, c.per, c.reasoning
            )
            SELECT v.provider, v.model, v.per, sum(v.calls)::bigint, coalesce(sum(v.n) FILTER (WHERE v.reasoning IS NOT NULL), 0)::bigint,
                   sum(v.reasoning * v.n)::bigint, sum(v.output) FILTER (WHERE v.reasoning IS NOT NULL)::bigint,
                   -- arrays in their text form, which is short, and read at once
                   (array_agg(v.reasoning ORDER BY v.reasoning) FILTER (WHERE v.reasoning IS NOT NULL))::text, (array_agg(v.n ORDER BY v.reasoning) FILTER (WHERE v.reasoning IS NOT NULL))::text
            FROM value v GROUP BY v.provider, v.model, v.per$query$
        USING from_at, to_at;
    END
    $$;
    COMMENT ON FUNCTION count_reasoning(timestamptz, timestamptz) IS
        'part of reasoning_profile: by provider and model, and per call and turn, how many there are, how many report reasoning, its sum and that of their output, and how often each number of reasoning tokens occurs, counted from calls';

    CREATE OR REPLACE FUNCTION reasoning_profile_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        provider text,
        model text,
        per text,
        count bigint,
        coverage numeric,
        reasoning_tokens bigint,
        share_of_output numeric,
        mean numeric,
        p50 bigint,
        p90 bigint,
        p99 bigint,
        max bigint
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        WITH part AS MATERIALIZED (
            SELECT c.* FROM measured_parts('reasoning', from_at, to_at) m,
                 jsonb_to_recordset(m.facts) c(provider text, model text, per text, calls bigint, counted bigint, reasoning bigint, output bigint, "values" bigint[], counts bigint[])
        ), placed AS MATERIALIZED (
            SELECT v.provider, v.model, v.per, v.reasoning, sum(v.n) OVER (PARTITION BY v.provider, v.model, v.per ORDER BY v.reasoning) AS place,
                   sum(v.n) OVER (PARTITION BY v.provider, v.model, v.per) AS n
            FROM (SELECT p.provider, p.model, p.per, x.reasoning, sum(x.n) AS n FROM part p, unnest(p."values", p.counts) x(reasoning, n) GROUP BY 1, 2, 3, 4) v
        )
        SELECT s.provider, s.model, s.per, s.n::bigint, trim_scale(s.n / s.calls), s.reasoning::bigint, trim_scale(s.reasoning / nullif(s.output, 0)), trim_scale(s.reasoning / nullif(s.n, 0)),
               d.p50, d.p90, d.p99, d.max
        FROM (SELECT p.provider, p.model, p.per, sum(p.calls) AS calls, sum(p.counted) AS n, sum(p.reasoning) AS reasoning, sum(p.output) AS output FROM part p GROUP BY 1, 2, 3) s
             -- as percentile_disc
             LEFT JOIN (SELECT p.provider, p.model, p.per, min(p.reasoning) FILTER (WHERE p.place >= 0.5 * p.n) AS p50, min(p.reasoning) FILTER (WHERE p.place >= 0.9 * p.n) AS p90,
                               min(p.reasoning) FILTER (WHERE p.place >= 0.99 * p.n) AS p99, max(p.reasoning) AS max
                        FROM placed p GROUP BY 1, 2, 3) d
                 ON d.provider IS NOT DISTINCT FROM s.provider AND d.model IS NOT DISTINCT FROM s.model AND d.per = s.per
        ORDER BY s.provider, s.model, s.per;
    END
    $$;
    COMMENT ON FUNCTION reasoning_profile_between(timestamptz, timestamptz, text) IS
        'the rows of reasoning_profile of the calls from from_at up to, not including, to_at, and of the turns whose first call is among them (whole turns: a turn is looked for a week before and after its month); NULL: no limit; the zone changes nothing';
    CREATE OR REPLACE VIEW reasoning_profile WITH (security_invoker = true) AS SELECT * FROM reasoning_profile_between();
    COMMENT ON VIEW reasoning_profile IS
        'tokenomics: how many tokens a call, and a turn, thinks: by provider and model, of those that report it';
    COMMENT ON COLUMN reasoning_profile.provider IS 'provider of the calls';
    COMMENT ON COLUMN reasoning_profile.model IS 'model, as the calls name it';
    COMMENT ON COLUMN reasoning_profile.per IS 'what is counted: a call, or a turn: the calls of one model for one prompt';
    COMMENT ON COLUMN reasoning_profile.count IS 'calls, or turns, that report reasoning tokens, were they 0';
    COMMENT ON COLUMN reasoning_profile.coverage IS 'their share of all; calls that are one row with others are never among them';
    COMMENT ON COLUMN reasoning_profile.reasoning_tokens IS 'their reasoning tokens; NULL, as all that follow, where none reports any';
    COMMENT ON COLUMN reasoning_profile.share_of_output IS 'reasoning tokens as a share of all their output';
    COMMENT ON COLUMN reasoning_profile.mean IS 'mean reasoning tokens';
    COMMENT ON COLUMN reasoning_profile.p50 IS 'reasoning tokens that half of them do not exceed';
    COMMENT ON COLUMN reasoning_profile.p90 IS 'reasoning tokens that 90 % of them do not exceed';
    COMMENT ON COLUMN reasoning_profile.p99 IS 'reasoning tokens that 99 % of them do not exceed';
    COMMENT ON COLUMN reasoning_profile.max IS 'reasoning tokens of the one that thought most';

    CREATE OR REPLACE FUNCTION cap_reasoning(
        limits bigint[],
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL
    ) RETURNS TABLE (
        provider text,
        model text,
        currency text,
        cap bigint,
        calls bigint,
        coverage numeric,
        calls_above bigint,
        reasoning_tokens bigint,
        saved_tokens bigint,
        saved_share numeric,
        saved_cost numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        IF array_position(limits, NULL) IS NOT NULL OR 0 > ANY (limits) OR coalesce(cardinality(limits), 0) = 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('%s are no limits of reasoning tokens', coalesce(limits::text, 'NULL')),
                HINT = 'They are numbers of tokens per call, zero or more, as in cap_reasoning(ARRAY[1000, 4000]).';
        END IF;
        PERFORM FROM tokenomics.stored_measures('usage', 'calls', (SELECT s.zone FROM setting s), coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), NULL);
        -- thresholds count input: the price of a call stays what it is
        RETURN QUERY EXECUTE $query$
            WITH call AS NOT MATERIALIZED (
                SELECT u.provider, u.model, u.at, u.service_tier, u.tokens, u.calls,
                       CASE WHEN u.calls = 1 THEN tokenomics.meter(u.tokens, 'reasoning') END AS reasoning
                FROM usage u WHERE u.at >= $2 AND u.at < $3
            ), priced AS (
                SELECT c.*, p.cost,
                       CASE WHEN p.cost IS NOT NULL THEN tokenomics.currency((SELECT book()), c.provider, c.model, c.at, c.tokens, c.service_tier) END AS currency
                FROM call c, LATERAL (SELECT tokenomics.cost((SELECT book()), c.provider, c.model, c.at, c.tokens, c.service_tier) AS cost) p
                WHERE c.reasoning IS NOT NULL
            ), saved AS (
                SELECT c.provider, c.model, c.currency, l.cap, count(*) AS calls, count(*) FILTER (WHERE s.tokens > 0) AS calls_above,
                       sum(c.reasoning)::bigint AS reasoning, sum(s.tokens)::bigint AS tokens, sum(s.cost) AS cost
                FROM priced c CROSS JOIN (SELECT DISTINCT unnest($1) AS cap) l,
                     LATERAL (SELECT tokenomics.capped(c.tokens, 'reasoning', l.cap) AS tokens) t,
                     LATERAL (SELECT c.reasoning - tokenomics.meter(t.tokens, 'reasoning') AS tokens,
                                     CASE WHEN c.reasoning > l.cap THEN
                                         c.cost - tokenomics.cost((SELECT book()), c.provider, c.model, c.at, t.tokens, c.service_tier)
                                     ELSE c.cost - c.cost END AS cost) s
                GROUP BY c.provider, c.model, c.currency, l.cap
            )
            SELECT m.provider, m.model, s.currency, l.cap, coalesce(s.calls, 0), trim_scale(m.reporting / m.calls), s.calls_above, s.reasoning, s.tokens,
                   trim_scale(s.tokens / nullif(s.reasoning, 0)::numeric), trim_scale(s.cost)
            FROM (SELECT c.provider, c.model, sum(c.calls) AS calls, count(c.reasoning) AS reporting FROM call c GROUP BY c.provider, c.model) m
                 CROSS JOIN (SELECT DISTINCT unnest($1) AS cap) l
                 LEFT JOIN saved s ON s.provider IS NOT DISTINCT FROM m.provider AND s.model IS NOT DISTINCT FROM m.model AND s.cap = l.cap
            ORDER BY m.provider, m.model, s.currency, l.cap$query$
        USING limits, coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity');
    END
    $$;
    COMMENT ON FUNCTION cap_reasoning(bigint[], timestamptz, timestamptz) IS
        'what caps on the reasoning tokens of a call would have saved at most, by provider, model, currency and cap, of the calls from from_at up to, not including, to_at (NULL: no limit): calls that report their reasoning, and coverage, their share of all of the model; how many thought more than the cap, and what they thought; saved_tokens, the sum of what each thought above the cap, and as a share; saved_cost, that at the prices in force, exact, NULL where the calls have no price; NULL where no call reports it; an upper bound, as a capped call may fail or be tried again';
    CREATE OR REPLACE FUNCTION cap_reasoning(
        "limit" bigint,
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL
    ) RETURNS TABLE (
        provider text,
        model text,
        currency text,
        cap bigint,
        calls bigint,
        coverage numeric,
        calls_above bigint,
        reasoning_tokens bigint,
        saved_tokens bigint,
        saved_share numeric,
        saved_cost numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    BEGIN
        RETURN QUERY SELECT * FROM cap_reasoning(ARRAY["limit"], from_at, to_at);
    END
    $$;
    COMMENT ON FUNCTION cap_reasoning(bigint, timestamptz, timestamptz) IS 'cap_reasoning() of one cap';

    /*
     * Turns: one prompt each, with all calls that serve it
     */

    CREATE OR REPLACE FUNCTION turns_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL
    ) RETURNS TABLE (
        turn_id text,
        at timestamptz,
        ends_at timestamptz,
        session_id text,
        user_id text,
        team text,
        project text,
        agents text[],
        calls bigint,
        unreported_calls bigint,
        tokens tokenomics.tokens
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off SET max_parallel_workers_per_gather = 0
    AS $$
    #variable_conflict use_column
    BEGIN
        PERFORM FROM tokenomics.stored_measures('usage', 'turns', (SELECT s.zone FROM setting s), coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), NULL);
        -- a call before the limits makes the turn one of before
        RETURN QUERY EXECUTE $query$
            SELECT t.turn_id, t.at, t.ends_at, t.session_id, t.user_id, t.team, t.project, t.agents, t.calls, t.unreported_calls, t.tokens
            FROM (SELECT tokenomics.turn_tally('UTC', u.at, u.tokens, u.turn_id, u.session_id, u.user_id, u.team, u.project, u.request_id, true, u.duration, u.agent) AS tally
                  FROM usage u
                  WHERE u.turn_id IS NOT NULL AND u.calls = 1
                    AND u.at >= $1 - interval '168 hours' AND u.at < $2 + interval '168 hours') x,
                 LATERAL tokenomics.turns(x.tally, $1, $2) t
            ORDER BY 2, 1$query$
        USING coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity');
    END
    $$;
    COMMENT ON FUNCTION turns_between(timestamptz, timestamptz) IS
        'the turns whose first call is from from_at up to, not including, to_at (NULL: no limit), whole: a turn is looked for a week before and after; each with when it began and its last call ended, session, user, team and project of its first call, all agents, calls, those without tokens, and tokens';

    CREATE OR REPLACE FUNCTION count_fan_out(from_at timestamptz, to_at timestamptz, zone text)
        RETURNS TABLE (month date, scope text, owner text, turns bigint, calls bigint, p50 bigint, p90 bigint, p99 bigint, max bigint, tokens bigint, top_tokens bigint, coverage numeric)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off SET max_parallel_workers_per_gather = 0
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY EXECUTE $query$
            SELECT (f.month AT TIME ZONE $3)::date, f.scope, f.owner, f.turns, f.calls, f.p50, f.p90, f.p99, f.max, f.tokens, f.top_tokens, trim_scale(x.of_turns / x.all_calls)
            FROM (SELECT tokenomics.turn_tally($3, u.at, u.tokens, u.turn_id, u.session_id, u.user_id, u.team, u.project, u.request_id, true)
                             FILTER (WHERE u.turn_id IS NOT NULL AND u.calls = 1) AS tally,
                         count(u.turn_id) FILTER (WHERE u.calls = 1 AND u.at >= $1 AND u.at < $2) AS of_turns, sum(u.calls) FILTER (WHERE u.at >= $1 AND u.at < $2) AS all_calls
                  FROM usage u WHERE u.at >= $1 - interval '168 hours' AND u.at < $2 + interval '168 hours') x,
                 LATERAL tokenomics.fan_out(x.tally, $1, $2) f$query$
        USING from_at, to_at, count_fan_out.zone;
    END
    $$;
    COMMENT ON FUNCTION count_fan_out(timestamptz, timestamptz, text) IS
        'part of fan_out: what it says of the turns of a month of the zone, or of a part of one, counted from calls';

    CREATE OR REPLACE FUNCTION fan_out_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        scope text,
        owner text,
        turns bigint,
        calls bigint,
        mean numeric,
        p50 bigint,
        p90 bigint,
        p99 bigint,
        max bigint,
        tokens bigint,
        top_percent_share numeric,
        coverage numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(fan_out_between.zone, (SELECT s.zone FROM setting s));
    BEGIN
        RETURN QUERY
        SELECT f.month, f.scope, f.owner, f.turns, f.calls, trim_scale(f.calls::numeric / f.turns), f.p50, f.p90, f.p99, f.max, f.tokens,
               trim_scale(f.top_tokens / nullif(f.tokens, 0)::numeric), f.coverage
        FROM measured_parts('fan_out', from_at, to_at, in_zone) m,
             jsonb_to_recordset(m.facts) f(month date, scope text, owner text, turns bigint, calls bigint, p50 bigint, p90 bigint, p99 bigint, max bigint, tokens bigint, top_tokens bigint, coverage numeric)
        ORDER BY f.month, f.scope DESC, f.owner;
    END
    $$;
    COMMENT ON FUNCTION fan_out_between(timestamptz, timestamptz, text) IS
        'the rows of fan_out of the turns whose first call is from from_at up to, not including, to_at, by the months of the zone; a turn is looked for a week before and after its month; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW fan_out WITH (security_invoker = true) AS SELECT * FROM fan_out_between();
    COMMENT ON VIEW fan_out IS
        'tokenomics: how many calls a prompt makes: by month of the first call of the turn, of all turns and by the team and the project of that call; of the calls that have a turn and a row of their own';
    COMMENT ON COLUMN fan_out.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN fan_out.scope IS 'total, team or project';
    COMMENT ON COLUMN fan_out.owner IS 'the team or project; NULL: of turns that name none, and of the total';
    COMMENT ON COLUMN fan_out.turns IS 'turns that began in the month';
    COMMENT ON COLUMN fan_out.calls IS 'their calls, of any time';
    COMMENT ON COLUMN fan_out.mean IS 'calls per turn';
    COMMENT ON COLUMN fan_out.p50 IS 'calls that half of the turns do not exceed';
    COMMENT ON COLUMN fan_out.p90 IS 'calls that 90 % of the turns do not exceed';
    COMMENT ON COLUMN fan_out.p99 IS 'calls that 99 % of the turns do not exceed';
    COMMENT ON COLUMN fan_out.max IS 'calls of the turn with most';
    COMMENT ON COLUMN fan_out.tokens IS 'tokens of the turns';
    COMMENT ON COLUMN fan_out.top_percent_share IS 'what of them the hundredth part of the turns (rounded up) used that used most, a fraction';
    COMMENT ON COLUMN fan_out.coverage IS 'share of all calls of the month, of every team, that have a turn and a row of their own';

    CREATE OR REPLACE FUNCTION costliest_turns(
        n integer DEFAULT 10,
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL
    ) RETURNS TABLE (
        turn_id text,
        at timestamptz,
        duration interval,
        session_id text,
        user_id text,
        team text,
        project text,
        agents text[],
        calls bigint,
        tokens tokenomics.tokens,
        total_tokens bigint,
        currency text,
        cost numeric,
        unpriced_calls bigint,
        reporting_currency text,
        cost_converted numeric,
        call_list jsonb
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off SET max_parallel_workers_per_gather = 0
    AS $$
    #variable_conflict use_column
    DECLARE
        reporting text := (SELECT s.currency FROM setting s);
        in_zone text := (SELECT s.zone FROM setting s);
        prices tokenomics.price_book := book();
        only_currency text := (SELECT CASE WHEN min(tokenomics.currency(p.rates)) = max(tokenomics.currency(p.rates)) THEN min(tokenomics.currency(p.rates)) END FROM price p);
    BEGIN
        IF n IS NULL OR n < 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('the number of turns must be zero or more, not %s', coalesce(n::text, 'NULL'));
        END IF;
        PERFORM FROM tokenomics.stored_measures('usage', 'turns', in_zone, coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), NULL);
        RETURN QUERY EXECUTE $query$
            WITH call AS NOT MATERIALIZED (
                SELECT u.turn_id, u.at, u.request_id, u.provider, u.model, u.agent, u.tokens, u.service_tier,
                       tokenomics.cost((SELECT $6), u.provider, u.model, u.at, u.tokens, u.service_tier) AS cost
                FROM usage u
                WHERE u.turn_id IS NOT NULL AND u.calls = 1
                  AND u.at >= $1 - interval '168 hours' AND u.at < $2 + interval '168 hours'
            ), sum AS MATERIALIZED (
                -- each call is priced once; its currency is asked for only where a price book has several
                SELECT s.*, min(s.first_at) OVER (PARTITION BY s.turn_id) AS at
                FROM (SELECT c.turn_id, CASE WHEN c.cost IS NULL THEN NULL WHEN $7 IS NOT NULL THEN $7
                                             ELSE tokenomics.currency((SELECT $6), c.provider, c.model, c.at, c.tokens, c.service_tier) END AS currency,
                             sum(c.cost) AS cost, count(*) AS calls, sum(tokenomics.total(c.tokens)) AS total, min(c.at) AS first_at
                      FROM (SELECT * FROM call OFFSET 0) c GROUP BY 1, 2) s
            ), rate AS MATERIALIZED (
                SELECT d.currency, d.day, r.rate, r.is_inverse
                FROM (SELECT DISTINCT s.currency, (s.at AT TIME ZONE $4)::date AS day FROM sum s WHERE s.currency <> $3) d, LATERAL exchange_rate(d.currency, $3, d.day) r
            ), chosen AS MATERIALIZED (
                -- all turns are only ordered here; what else is said of them is read for those that are chosen
                SELECT s.turn_id, CASE WHEN count(s.currency) = 1 THEN min(s.currency) END AS currency,
                       CASE WHEN count(s.currency) = 1 THEN trim_scale(sum(s.cost)) END AS cost,
                       coalesce(sum(s.calls) FILTER (WHERE s.currency IS NULL), 0)::bigint AS unpriced_calls,
                       CASE WHEN count(*) FILTER (WHERE s.currency IS NOT NULL) = count(s.converted) THEN trim_scale(sum(s.converted)) END AS cost_converted
                FROM (SELECT s.*, CASE WHEN s.currency = $3 OR s.cost = 0 THEN s.cost ELSE tokenomics.exchanged(s.cost, r.rate, r.is_inverse) END AS converted
                      FROM sum s LEFT JOIN rate r ON r.currency = s.currency AND r.day = (s.at AT TIME ZONE $4)::date
                      WHERE s.at >= $1 AND s.at < $2 OFFSET 0) s
                GROUP BY s.turn_id
                ORDER BY cost_converted DESC NULLS LAST, sum(s.total) DESC NULLS LAST, s.turn_id
                LIMIT $5
            )
            SELECT t.turn_id, t.at, t.ends_at - t.at, t.session_id, t.user_id, t.team, t.project, t.agents, t.calls, t.tokens, tokenomics.total(t.tokens),
                   s.currency, s.cost, s.unpriced_calls, $3, s.cost_converted, l.call_list
            FROM chosen s
                 JOIN (SELECT turn.* FROM (SELECT tokenomics.turn_tally('UTC', u.at, u.tokens, u.turn_id, u.session_id, u.user_id, u.team, u.project, u.request_id, true, u.duration, u.agent) AS tally
                                           FROM usage u
                                           WHERE u.turn_id = ANY (ARRAY(SELECT turn_id FROM chosen)) AND u.calls = 1
                                             AND u.at >= $1 - interval '168 hours' AND u.at < $2 + interval '168 hours') x,
                                          LATERAL tokenomics.turns(x.tally, $1, $2) turn) t ON t.turn_id = s.turn_id
                 JOIN (SELECT c.turn_id, jsonb_agg(jsonb_build_object('at', c.at, 'request_id', c.request_id, 'provider', c.provider, 'model', c.model, 'agent', c.agent,
                                                                      'tokens', c.tokens::jsonb, 'cost', c.cost,
                                                                      'currency', CASE WHEN c.cost IS NOT NULL THEN tokenomics.currency((SELECT $6), c.provider, c.model, c.at, c.tokens, c.service_tier) END) ORDER BY c.at, c.request_id) AS call_list
                       FROM call c WHERE c.turn_id = ANY (ARRAY(SELECT turn_id FROM chosen)) GROUP BY c.turn_id) l ON l.turn_id = s.turn_id
            ORDER BY s.cost_converted DESC NULLS LAST, tokenomics.total(t.tokens) DESC NULLS LAST, t.turn_id$query$
        USING coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), reporting, in_zone, n, prices, only_currency;
    END
    $$;
    COMMENT ON FUNCTION costliest_turns(integer, timestamptz, timestamptz) IS
        'the n turns that cost most, of those whose first call is from from_at up to, not including, to_at (NULL: no limit): each as turns_between() has it, with its cost, exact (NULL where its calls are priced in several currencies, or none), how many calls have no price, the cost in the currency of "setting" at the rate of the day of the first call, by which they are ordered (turns without come last, by their tokens), and its calls as JSON';

    /*
     * Cache
     */

    CREATE OR REPLACE FUNCTION count_session_depth(from_at timestamptz, to_at timestamptz)
        RETURNS TABLE (provider text, model text, team text, depth bigint, depth_to bigint, calls bigint, reporting bigint, cacheable bigint, read bigint)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    BEGIN
        -- a sub-agent opens no session: its calls are of that of the turn's first
        RETURN QUERY EXECUTE $query$
            WITH owned AS (
                SELECT u.at, u.request_id, u.provider, u.model, u.tokens,
                       CASE WHEN u.turn_id IS NULL THEN u.session_id ELSE first_value(u.session_id) OVER w END AS session_id,
                       CASE WHEN u.turn_id IS NULL THEN u.team ELSE first_value(u.team) OVER w END AS team
                FROM usage u
                WHERE u.calls = 1 AND u.session_id IS NOT NULL AND u.at >= $1 - interval '168 hours' AND u.at < $2
                WINDOW w AS (PARTITION BY u.turn_id ORDER BY u.at, u.request_id, u.session_id, u.user_id, u.team, u.project)
            ), placed AS (
                SELECT o.*, row_number() OVER (PARTITION BY o.session_id ORDER BY o.at, o.request_id, o.model, o.provider, o.team, o.tokens) AS place FROM owned o
            ), measured AS (
                SELECT p.provider, p.model, p.team, b.depth, b.depth_to, tokenomics.meter(p.tokens, 'cache_read') AS read,
                       CASE WHEN tokenomics.meter(p.tokens, 'cache_read') IS NOT NULL THEN tokenomics.input_total(p.tokens) END AS input
                FROM placed p,
                     LATERAL (SELECT CASE WHEN p.place <= 10 THEN p.place WHEN p.place <= 20 THEN 11 WHEN p.place <= 50 THEN 21 WHEN p.place <= 100 THEN 51 ELSE 101 END AS depth,
                                     CASE WHEN p.place <= 10 THEN p.place WHEN p.place <= 20 THEN 20 WHEN p.place <= 50 THEN 50 WHEN p.place <= 100 THEN 100 END AS depth_to) b
                WHERE p.at >= $1
            )
            SELECT m.provider, m.model, m.team, m.depth::bigint, m.depth_to::bigint, count(*), count(m.read), sum(m.input)::bigint, sum(m.read)::bigint
            FROM measured m GROUP BY m.provider, m.model, m.team, m.depth, m.depth_to$query$
        USING from_at, to_at;
    END
    $$;
    COMMENT ON FUNCTION count_session_depth(timestamptz, timestamptz) IS
        'part of cache_by_session_depth: calls, those that report what was read from a cache, their input and what of it was read, counted from calls';

    CREATE OR REPLACE FUNCTION cache_by_session_depth_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        provider text,
        model text,
        team text,
        depth bigint,
        depth_to bigint,
        calls bigint,
        coverage numeric,
        cacheable_tokens bigint,
        cache_read_tokens bigint,
        hit_rate numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        SELECT c.provider, c.model, c.team, c.depth, c.depth_to, sum(c.calls)::bigint, trim_scale(sum(c.reporting) / sum(c.calls)),
               sum(c.cacheable)::bigint, sum(c.read)::bigint, trim_scale(sum(c.read) / nullif(sum(c.cacheable), 0))
        FROM measured_parts('session_depth', from_at, to_at) m,
             jsonb_to_recordset(m.facts) c(provider text, model text, team text, depth bigint, depth_to bigint, calls bigint, reporting bigint, cacheable bigint, read bigint)
        GROUP BY c.provider, c.model, c.team, c.depth, c.depth_to
        ORDER BY c.provider, c.model, c.team, c.depth;
    END
    $$;
    COMMENT ON FUNCTION cache_by_session_depth_between(timestamptz, timestamptz, text) IS
        'the rows of cache_by_session_depth of the calls from from_at up to, not including, to_at; a session is looked for a week before its month, or the limit; NULL: no limit; the zone changes nothing';
    CREATE OR REPLACE VIEW cache_by_session_depth WITH (security_invoker = true) AS SELECT * FROM cache_by_session_depth_between();
    COMMENT ON VIEW cache_by_session_depth IS
        'tokenomics: what share of the input came from the cache, by how many calls the session had made: by provider, model and team (of the first call of the turn); of calls that have a session and a row of their own';
    COMMENT ON COLUMN cache_by_session_depth.provider IS 'provider of the calls';
    COMMENT ON COLUMN cache_by_session_depth.model IS 'model, as the calls name it';
    COMMENT ON COLUMN cache_by_session_depth.team IS 'team of the first call of the turn';
    COMMENT ON COLUMN cache_by_session_depth.depth IS 'which call of its session it is, of those since a week before the month: 1 is the first; 1 to 10, then bands from 11, 21, 51 and 101';
    COMMENT ON COLUMN cache_by_session_depth.depth_to IS 'the last of the band; NULL: it has no end';
    COMMENT ON COLUMN cache_by_session_depth.calls IS 'number of calls';
    COMMENT ON COLUMN cache_by_session_depth.coverage IS 'share of them that report what was read from a cache';
    COMMENT ON COLUMN cache_by_session_depth.cacheable_tokens IS 'all input tokens of those; NULL where none does';
    COMMENT ON COLUMN cache_by_session_depth.cache_read_tokens IS 'what of it was read from a cache';
    COMMENT ON COLUMN cache_by_session_depth.hit_rate IS 'cache_read_tokens / cacheable_tokens';

    CREATE OR REPLACE FUNCTION count_cache(from_at timestamptz, to_at timestamptz, book tokenomics.price_book)
        RETURNS TABLE (provider text, model text, team text, currency text, calls bigint, reporting bigint, cacheable bigint, read bigint, written bigint, saving numeric)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    BEGIN
        -- a row of several calls takes the rates below any threshold
        RETURN QUERY EXECUTE $query$
            WITH call AS (
                SELECT u.provider, u.model, u.team, u.calls, u.tokens, tokenomics.meter(u.tokens, 'cache_read') AS read,
                       tokenomics.rates_in_force((SELECT $3), u.provider, u.model, u.at,
                           CASE WHEN u.calls = 1 OR u.tokens IS NULL THEN u.tokens ELSE '{}' END, u.service_tier) AS rates
                FROM usage u WHERE u.at >= $1 AND u.at < $2
            )
            SELECT c.provider, c.model, c.team, tokenomics.currency(c.rates), sum(c.calls)::bigint, coalesce(sum(c.calls) FILTER (WHERE c.read IS NOT NULL), 0)::bigint,
                   sum(tokenomics.input_total(c.tokens)) FILTER (WHERE c.read IS NOT NULL)::bigint, sum(c.read)::bigint,
                   sum(coalesce(tokenomics.meter(c.tokens, 'cache_write') + tokenomics.meter(c.tokens, 'cache_write_1h'),
                                tokenomics.meter(c.tokens, 'cache_write'), tokenomics.meter(c.tokens, 'cache_write_1h')))::bigint,
                   trim_scale(sum(tokenomics.net_cache_saving(c.tokens, c.rates)))
            FROM call c GROUP BY 1, 2, 3, 4$query$
        USING from_at, to_at, count_cache.book;
    END
    $$;
    COMMENT ON FUNCTION count_cache(timestamptz, timestamptz, tokenomics.price_book) IS
        'part of cache_use: calls, those that report what was read from a cache, their input, what was read and written, and what that saved by a book, counted from calls';

    CREATE OR REPLACE FUNCTION cache_use_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        provider text,
        model text,
        team text,
        currency text,
        calls bigint,
        coverage numeric,
        cacheable_tokens bigint,
        cache_read_tokens bigint,
        cache_write_tokens bigint,
        hit_rate numeric,
        net_cache_saving numeric,
        reporting_currency text,
        net_cache_saving_converted numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(cache_use_between.zone, (SELECT s.zone FROM setting s));
        to_currency text := (SELECT s.currency FROM setting s);
    BEGIN
        RETURN QUERY
        SELECT m.month, c.provider, c.model, c.team, c.currency, c.calls, trim_scale(c.reporting::numeric / c.calls), c.cacheable, c.read, c.written,
               trim_scale(c.read / nullif(c.cacheable, 0)::numeric), c.saving, to_currency, convert_currency(c.saving, c.currency, to_currency, m.month, 'month')
        FROM (SELECT (p.starts AT TIME ZONE in_zone)::date AS month, p.facts FROM measured_parts('cache', from_at, to_at, in_zone, book()) p) m,
             jsonb_to_recordset(m.facts) c(provider text, model text, team text, currency text, calls bigint, reporting bigint, cacheable bigint, read bigint, written bigint, saving numeric)
        ORDER BY m.month, c.provider, c.model, c.team, c.currency;
    END
    $$;
    COMMENT ON FUNCTION cache_use_between(timestamptz, timestamptz, text) IS
        'the rows of cache_use of the calls from from_at up to, not including, to_at, by the months of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW cache_use WITH (security_invoker = true) AS SELECT * FROM cache_use_between();
    COMMENT ON VIEW cache_use IS
        'tokenomics: what came from the cache and what that saved, by month, provider, model, team and currency; unpriced calls have no currency';
    COMMENT ON COLUMN cache_use.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN cache_use.provider IS 'provider of the calls';
    COMMENT ON COLUMN cache_use.model IS 'model, as the calls name it';
    COMMENT ON COLUMN cache_use.team IS 'team of the calls; NULL: they name none';
    COMMENT ON COLUMN cache_use.currency IS 'currency of net_cache_saving; NULL where the calls are unpriced, or where their slices have prices of their own';
    COMMENT ON COLUMN cache_use.calls IS 'number of calls';
    COMMENT ON COLUMN cache_use.coverage IS 'share of them that report what was read from a cache';
    COMMENT ON COLUMN cache_use.cacheable_tokens IS 'all input tokens of those; NULL where none does';
    COMMENT ON COLUMN cache_use.cache_read_tokens IS 'what of it was read from a cache';
    COMMENT ON COLUMN cache_use.cache_write_tokens IS 'input tokens written to a cache, for 5 minutes or an hour; NULL where none is reported';
    COMMENT ON COLUMN cache_use.hit_rate IS 'cache_read_tokens / cacheable_tokens';
    COMMENT ON COLUMN cache_use.net_cache_saving IS
        'what the cache saved at the rates in force, exact: reads at (rate of input - rate of reads) less writes at (rate of writes - rate of input); below zero where it cost more than it saved';
    COMMENT ON COLUMN cache_use.reporting_currency IS 'currency of net_cache_saving_converted';
    COMMENT ON COLUMN cache_use.net_cache_saving_converted IS 'net_cache_saving at the month''s exchange rate; NULL where there is none';
END
$install$;
COMMENT ON PROCEDURE install_behaviour() IS 'part of install(): reasoning, fan-out and cache, in the first schema of search_path';

CREATE PROCEDURE uninstall_behaviour() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS cache_use, cache_by_session_depth, fan_out, reasoning_profile;
    DROP FUNCTION IF EXISTS
        cache_use_between(timestamptz, timestamptz, text),
        count_cache(timestamptz, timestamptz, tokenomics.price_book),
        cache_by_session_depth_between(timestamptz, timestamptz, text),
        count_session_depth(timestamptz, timestamptz),
        costliest_turns(integer, timestamptz, timestamptz),
        fan_out_between(timestamptz, timestamptz, text),
        count_fan_out(timestamptz, timestamptz, text),
        turns_between(timestamptz, timestamptz),
        cap_reasoning(bigint, timestamptz, timestamptz),
        cap_reasoning(bigint[], timestamptz, timestamptz),
        reasoning_profile_between(timestamptz, timestamptz, text),
        count_reasoning(timestamptz, timestamptz);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_behaviour() IS 'part of uninstall(): drops what install_behaviour() made';
