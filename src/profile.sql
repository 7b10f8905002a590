-- demand_profile: tokens by meter for each minute in which calls were made.

CREATE TYPE demand_profile;

CREATE FUNCTION demand_profile_in(cstring) RETURNS demand_profile
    AS 'MODULE_PATHNAME', 'profile_in' LANGUAGE C STABLE STRICT PARALLEL SAFE;
CREATE FUNCTION demand_profile_out(demand_profile) RETURNS cstring
    AS 'MODULE_PATHNAME', 'profile_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION demand_profile_recv(internal) RETURNS demand_profile
    AS 'MODULE_PATHNAME', 'profile_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION demand_profile_send(demand_profile) RETURNS bytea
    AS 'MODULE_PATHNAME', 'profile_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE demand_profile (
    INPUT = demand_profile_in,
    OUTPUT = demand_profile_out,
    RECEIVE = demand_profile_recv,
    SEND = demand_profile_send,
    INTERNALLENGTH = variable,
    STORAGE = external
);
COMMENT ON TYPE demand_profile IS
    'demand over time: calls and tokens by meter for each minute (or second) with calls, the span that was observed and a time zone; exact, mergeable in any order; text form JSON';
COMMENT ON FUNCTION demand_profile_in(cstring) IS 'I/O';
COMMENT ON FUNCTION demand_profile_out(demand_profile) IS 'I/O';
COMMENT ON FUNCTION demand_profile_recv(internal) IS 'I/O';
COMMENT ON FUNCTION demand_profile_send(demand_profile) IS 'I/O';

-- The aggregates: (zone, at, tokens [, calls [, resolution]])

CREATE FUNCTION demand_profile_add(demand_profile, text, timestamptz, tokens) RETURNS demand_profile
    AS 'MODULE_PATHNAME', 'profile_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION demand_profile_add(demand_profile, text, timestamptz, tokens, bigint) RETURNS demand_profile
    AS 'MODULE_PATHNAME', 'profile_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION demand_profile_add(demand_profile, text, timestamptz, tokens, bigint, text) RETURNS demand_profile
    AS 'MODULE_PATHNAME', 'profile_add' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION demand_profile_merge(demand_profile, demand_profile) RETURNS demand_profile
    AS 'MODULE_PATHNAME', 'profile_merge' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION demand_profile_add(demand_profile, text, timestamptz, tokens) IS 'transition function of demand_profile()';
COMMENT ON FUNCTION demand_profile_add(demand_profile, text, timestamptz, tokens, bigint) IS 'transition function of demand_profile()';
COMMENT ON FUNCTION demand_profile_add(demand_profile, text, timestamptz, tokens, bigint, text) IS 'transition function of demand_profile()';
COMMENT ON FUNCTION demand_profile_merge(demand_profile, demand_profile) IS
    'transition function of merge(demand_profile), combine function of demand_profile() and merge(demand_profile)';

CREATE AGGREGATE demand_profile(zone text, at timestamptz, tokens tokens) (
    SFUNC = demand_profile_add,
    STYPE = demand_profile,
    COMBINEFUNC = demand_profile_merge,
    PARALLEL = SAFE
);
CREATE AGGREGATE demand_profile(zone text, at timestamptz, tokens tokens, calls bigint) (
    SFUNC = demand_profile_add,
    STYPE = demand_profile,
    COMBINEFUNC = demand_profile_merge,
    PARALLEL = SAFE
);
CREATE AGGREGATE demand_profile(zone text, at timestamptz, tokens tokens, calls bigint, resolution text) (
    SFUNC = demand_profile_add,
    STYPE = demand_profile,
    COMBINEFUNC = demand_profile_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE demand_profile(text, timestamptz, tokens) IS
    'the demand profile of calls by minute; the zone is that of its hours of the week; NULL of no calls';
COMMENT ON AGGREGATE demand_profile(text, timestamptz, tokens, bigint) IS
    'the demand profile of rows with a number of calls each (NULL: 1), all of them at the time of the row';
COMMENT ON AGGREGATE demand_profile(text, timestamptz, tokens, bigint, text) IS
    'the demand profile by minute or by second: one by second knows the peak second, and is up to 60 times larger';

CREATE AGGREGATE merge(demand_profile) (
    SFUNC = demand_profile_merge,
    STYPE = demand_profile,
    COMBINEFUNC = demand_profile_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE merge(demand_profile) IS
    'the sum of demand profiles of one resolution and time zone, in any order; its span reaches from the first beginning to the last end; NULL of none';

CREATE FUNCTION with_span(demand_profile, from_at timestamptz, to_at timestamptz) RETURNS demand_profile
    AS 'MODULE_PATHNAME', 'profile_with_span' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION with_span(demand_profile, timestamptz, timestamptz) IS
    'the same calls as all that were made from from_at up to to_at, widened to whole minutes: minutes without a call are idle; an error where a call lies outside';
CREATE FUNCTION in_zone(demand_profile, zone text) RETURNS demand_profile
    AS 'MODULE_PATHNAME', 'profile_in_zone' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION in_zone(demand_profile, text) IS 'the same demand profile, its hours by the clocks of another time zone; exact';
CREATE FUNCTION side(demand_profile, side text) RETURNS demand_profile
    AS 'MODULE_PATHNAME', 'profile_side' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION side(demand_profile, text) IS 'the same demand profile with the meters of one side alone: input, output, or total for both';

CREATE FUNCTION minutes(demand_profile, OUT minute timestamptz, OUT calls bigint, OUT tokens tokens) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'profile_minutes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 10000;
COMMENT ON FUNCTION minutes(demand_profile) IS 'the minutes with calls in their order: when each begins, its calls, its tokens';
CREATE FUNCTION zone(demand_profile) RETURNS text
    AS 'MODULE_PATHNAME', 'profile_zone' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION zone(demand_profile) IS 'the time zone of its hours';
CREATE FUNCTION resolution(demand_profile) RETURNS text
    AS 'MODULE_PATHNAME', 'profile_resolution' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION resolution(demand_profile) IS 'what it is kept by: minute or second';
CREATE FUNCTION span(demand_profile) RETURNS tstzrange
    AS 'MODULE_PATHNAME', 'profile_span' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION span(demand_profile) IS
    'the time that was observed: from the minute of the first call to the end of that of the last, or as with_span() said; NULL where there is none';
CREATE FUNCTION calls(demand_profile) RETURNS bigint
    AS 'MODULE_PATHNAME', 'profile_calls' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION calls(demand_profile) IS 'the number of calls in it';
CREATE FUNCTION unreported_calls(demand_profile) RETURNS bigint
    AS 'MODULE_PATHNAME', 'profile_unreported_calls' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION unreported_calls(demand_profile) IS 'the number of calls of which the vendor reported no tokens: their demand is not known';
CREATE FUNCTION tokens(demand_profile) RETURNS tokens
    AS 'MODULE_PATHNAME', 'profile_tokens' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens(demand_profile) IS 'the tokens of all its calls';

CREATE FUNCTION hour_of_week(demand_profile, OUT dow integer, OUT hour integer, OUT minutes bigint, OUT active_minutes bigint,
                             OUT mean double precision, OUT p50 bigint, OUT p95 bigint, OUT p99 bigint, OUT max bigint) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'profile_hour_of_week' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 168;
COMMENT ON FUNCTION hour_of_week(demand_profile) IS
    'tokens per minute for each hour of the week by the clocks of its zone, 168 rows: dow (1: Monday), hour, minutes of the span in it, those with calls, and of all those minutes (idle ones are 0) mean, median, 95th and 99th percentile (as percentile_disc) and maximum; NULL where the span has no such minute';
CREATE FUNCTION hour_of_week(demand_profile, side text, OUT dow integer, OUT hour integer, OUT minutes bigint, OUT active_minutes bigint,
                             OUT mean double precision, OUT p50 bigint, OUT p95 bigint, OUT p99 bigint, OUT max bigint) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'profile_hour_of_week' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 168;
COMMENT ON FUNCTION hour_of_week(demand_profile, text) IS
    'the same of one side alone: input, output, or total for both';

CREATE FUNCTION peak(demand_profile, grain text, OUT at timestamptz, OUT tokens bigint) RETURNS record
    AS 'MODULE_PATHNAME', 'profile_peak' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION peak(demand_profile, text) IS
    'the busiest hour (of the clocks of its zone), minute or second: when it begins, the first of equal ones, and its tokens';
CREATE FUNCTION peak_to_average(demand_profile, grain text) RETURNS double precision
    AS 'MODULE_PATHNAME', 'profile_peak_to_average' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION peak_to_average(demand_profile, text) IS
    'tokens of the busiest hour, minute or second over those of one of average demand, idle time of the span included, at least 1 where the span is of whole hours; NULL where it is shorter than one, or there are no tokens';
CREATE FUNCTION capacity_at(demand_profile, percentile double precision) RETURNS bigint
    AS 'MODULE_PATHNAME', 'profile_capacity_at' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION capacity_at(demand_profile, percentile double precision, only_active boolean) RETURNS bigint
    AS 'MODULE_PATHNAME', 'profile_capacity_at' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION capacity_at(demand_profile, double precision) IS
    'the tokens per minute that cover this share (0 to 1) of all minutes of the span, idle ones included (as percentile_disc)';
COMMENT ON FUNCTION capacity_at(demand_profile, double precision, boolean) IS
    'the tokens per minute that cover this share (0 to 1) of the minutes; of those with calls where only_active is true';
CREATE FUNCTION tokens_per_minute(demand_profile) RETURNS numeric
    AS 'MODULE_PATHNAME', 'profile_tokens_per_minute' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tokens_per_minute(demand_profile, only_active boolean) RETURNS numeric
    AS 'MODULE_PATHNAME', 'profile_tokens_per_minute' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_per_minute(demand_profile) IS 'mean tokens per minute over all minutes of the span, idle ones included';
COMMENT ON FUNCTION tokens_per_minute(demand_profile, boolean) IS 'mean tokens per minute; over those with calls where only_active is true';
CREATE FUNCTION lost_tokens(demand_profile, tokens_per_minute numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'profile_lost_tokens' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lost_tokens(demand_profile, numeric) IS
    'tokens above a capacity, minute by minute, exact: what a system that serves so many tokens per minute would not serve at once';

CREATE FUNCTION demand_profile_eq(demand_profile, demand_profile) RETURNS boolean
    AS 'MODULE_PATHNAME', 'profile_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION demand_profile_ne(demand_profile, demand_profile) RETURNS boolean
    AS 'MODULE_PATHNAME', 'profile_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION demand_profile_eq(demand_profile, demand_profile) IS 'implementation of = operator';
COMMENT ON FUNCTION demand_profile_ne(demand_profile, demand_profile) IS 'implementation of <> operator';
CREATE OPERATOR = (LEFTARG = demand_profile, RIGHTARG = demand_profile, FUNCTION = demand_profile_eq, COMMUTATOR = =, NEGATOR = <>);
CREATE OPERATOR <> (LEFTARG = demand_profile, RIGHTARG = demand_profile, FUNCTION = demand_profile_ne, COMMUTATOR = <>, NEGATOR = =);
COMMENT ON OPERATOR = (demand_profile, demand_profile) IS 'the same zone, span and slots, to the last token';
COMMENT ON OPERATOR <> (demand_profile, demand_profile) IS 'not equal';

-- Makes the view and functions in the schema that comes first in search_path;
-- called by install().
CREATE PROCEDURE install_profile() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION count_profile(
        from_at timestamptz,
        to_at timestamptz,
        zone text,
        resolution text,
        OUT profile tokenomics.demand_profile,
        OUT calls bigint
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    BEGIN
        -- the time of a row of several calls is not that of any of them
        EXECUTE 'SELECT tokenomics.demand_profile($1, u.at, u.tokens, 1, $2) FILTER (WHERE u.calls = 1), sum(u.calls)
                 FROM usage u WHERE u.at >= $3 AND u.at < $4'
        INTO profile, calls USING zone, resolution, from_at, to_at;
    END
    $$;
    COMMENT ON FUNCTION count_profile(timestamptz, timestamptz, text, text) IS
        'part of usage_profile(): the demand_profile of calls that have a row of their own, NULL of none, and the number of all calls, counted from them';

    CREATE OR REPLACE FUNCTION profile_parts(
        from_at timestamptz,
        to_at timestamptz,
        zone text,
        resolution text
    ) RETURNS TABLE (profile tokenomics.demand_profile, calls bigint)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
        own_zone text := (SELECT t.zone FROM setting t);
        what text := CASE WHEN resolution = 'minute' THEN 'profile' ELSE 'seconds' END;
        covered tstzmultirange := '{}';
        month record;
        part tstzrange;
    BEGIN
        IF first >= behind THEN
            RETURN;
        END IF;
        -- settled months as they are stored: minutes are the same in every zone
        FOR month IN SELECT s.starts, s.ends, s.calls, s.profile FROM tokenomics.stored_measures('usage', what, own_zone, first, behind, NULL) s LOOP
            covered := covered + tstzmultirange(tstzrange(month.starts, month.ends));
            profile := CASE WHEN profile_parts.zone = own_zone THEN month.profile ELSE tokenomics.in_zone(month.profile, profile_parts.zone) END;
            calls := month.calls;
            RETURN NEXT;
        END LOOP;
        FOR part IN SELECT r FROM unnest(tstzmultirange(tstzrange(first, behind)) - covered) r LOOP
            RETURN QUERY SELECT c.profile, c.calls FROM count_profile(lower(part), upper(part), profile_parts.zone, resolution) c;
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION profile_parts(timestamptz, timestamptz, text, text) IS
        'part of usage_profile(): profiles of parts of a time and the numbers of all their calls: settled months as they are stored, the calls of all other time';

    CREATE OR REPLACE FUNCTION observed_profile(profile tokenomics.demand_profile, from_at timestamptz, to_at timestamptz) RETURNS tokenomics.demand_profile
        LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT
    AS $$
    BEGIN
        -- what lies ahead was not observed
        RETURN tokenomics.with_span(profile,
            CASE WHEN isfinite(from_at) THEN from_at ELSE lower(tokenomics.span(profile)) END,
            greatest(upper(tokenomics.span(profile)), CASE WHEN isfinite(to_at) THEN least(to_at, date_trunc('minute', now())) END));
    END
    $$;
    COMMENT ON FUNCTION observed_profile(tokenomics.demand_profile, timestamptz, timestamptz) IS
        'part of usage_profile(): a profile with the span that its limits were observed for';

    CREATE OR REPLACE FUNCTION usage_profile(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        resolution text DEFAULT 'minute'
    ) RETURNS tokenomics.demand_profile
        LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN (SELECT observed_profile(tokenomics.merge(p.profile), from_at, to_at)
                FROM profile_parts(from_at, to_at, coalesce(usage_profile.zone, (SELECT s.zone FROM setting s)), resolution) p);
    END
    $$;
    COMMENT ON FUNCTION usage_profile(timestamptz, timestamptz, text, text) IS
        'the demand_profile of the calls from from_at up to, not including, to_at (NULL: from the first call, to the last), in the zone (NULL: that of "setting"), by minute or second; without rows of several calls, whose minutes are not known; NULL of no calls';

    CREATE OR REPLACE FUNCTION peak_profile_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        side text,
        dow integer,
        hour integer,
        minutes bigint,
        active_minutes bigint,
        mean double precision,
        p50 bigint,
        p95 bigint,
        p99 bigint,
        max bigint,
        coverage numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(peak_profile_between.zone, (SELECT s.zone FROM setting s));
    BEGIN
        -- the profile of the whole is made once, and never written down
        RETURN QUERY
        SELECT s.side, h.dow, h.hour, h.minutes, h.active_minutes, h.mean, h.p50, h.p95, h.p99, h.max, w.coverage
        FROM (SELECT w.profile, trim_scale((tokenomics.calls(w.profile) - tokenomics.unreported_calls(w.profile)) / w.calls) AS coverage
              FROM (SELECT CASE WHEN count(p.profile) > 0 THEN CASE WHEN isfinite(from_at) OR isfinite(to_at) THEN observed_profile(tokenomics.merge(p.profile), from_at, to_at) ELSE tokenomics.merge(p.profile) END
                                -- rows of several calls alone: that nothing is known is said, not left out
                                ELSE jsonb_build_object('zone', in_zone)::text::tokenomics.demand_profile END AS profile, sum(p.calls) AS calls
                    FROM profile_parts(from_at, to_at, in_zone, 'minute') p HAVING sum(p.calls) > 0 OFFSET 0) w OFFSET 0) w,
             unnest('{total,input,output}'::text[]) WITH ORDINALITY s(side, n),
             tokenomics.hour_of_week(w.profile, s.side) h
        ORDER BY s.n, h.dow, h.hour;
    END
    $$;
    COMMENT ON FUNCTION peak_profile_between(timestamptz, timestamptz, text) IS
        'the rows of peak_profile of the calls from from_at up to, not including, to_at, by the hours of the zone; NULL: no limit, and the zone of "setting"; between limits all minutes that are over count, without them those from the first call to the last';
    CREATE OR REPLACE VIEW peak_profile WITH (security_invoker = true) AS SELECT * FROM peak_profile_between();
    COMMENT ON VIEW peak_profile IS
        'tokenomics: tokens per minute for each hour of the week, idle minutes included: 168 rows for each of total, input and output; peaks of models or teams do not add up to these';
    COMMENT ON COLUMN peak_profile.side IS 'what is counted: total, input or output tokens';
    COMMENT ON COLUMN peak_profile.dow IS 'day of the week, in the reporting zone: 1 is Monday';
    COMMENT ON COLUMN peak_profile.hour IS 'hour of the day, 0 to 23, in the reporting zone';
    COMMENT ON COLUMN peak_profile.minutes IS 'minutes that lie in the hour, all weeks together';
    COMMENT ON COLUMN peak_profile.active_minutes IS 'those with a call';
    COMMENT ON COLUMN peak_profile.mean IS 'mean tokens per minute; NULL, as all that follow, where the time observed has no such minute';
    COMMENT ON COLUMN peak_profile.p50 IS 'tokens that half of the minutes do not exceed';
    COMMENT ON COLUMN peak_profile.p95 IS 'tokens that 95 % of the minutes do not exceed';
    COMMENT ON COLUMN peak_profile.p99 IS 'tokens that 99 % of the minutes do not exceed';
    COMMENT ON COLUMN peak_profile.max IS 'tokens of the busiest minute';
    COMMENT ON COLUMN peak_profile.coverage IS 'share of all calls that is counted: those that have a row of their own and report tokens';
END
$install$;
COMMENT ON PROCEDURE install_profile() IS 'part of install(): the profile of the hours of the week, in the first schema of search_path';

CREATE PROCEDURE uninstall_profile() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS peak_profile;
    DROP FUNCTION IF EXISTS
        peak_profile_between(timestamptz, timestamptz, text),
        usage_profile(timestamptz, timestamptz, text, text),
        observed_profile(tokenomics.demand_profile, timestamptz, timestamptz),
        profile_parts(timestamptz, timestamptz, text, text),
        count_profile(timestamptz, timestamptz, text, text);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_profile() IS 'part of uninstall(): drops what install_profile() made';
