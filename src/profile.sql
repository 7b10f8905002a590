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

CREATE FUNCTION peak(demand_profile, grain text, OUT at timestamptz, OUT tokens bigint) RETURNS record
    AS 'MODULE_PATHNAME', 'profile_peak' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION peak(demand_profile, text) IS
    'the busiest hour (of the clocks of its zone), minute or second: when it begins, the first of equal ones, and its tokens';
CREATE FUNCTION peak_to_average(demand_profile, grain text) RETURNS double precision
    AS 'MODULE_PATHNAME', 'profile_peak_to_average' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION peak_to_average(demand_profile, text) IS
    'tokens of the busiest hour, minute or second over those of one of average demand, idle time of the span included; NULL where the span is shorter than that, or there are no tokens';
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
