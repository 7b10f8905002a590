-- turn_tally: calls by turn, and what is counted of them.

CREATE TYPE turn_tally;

CREATE FUNCTION turn_tally_in(cstring) RETURNS turn_tally
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
CREATE FUNCTION turn_tally_out(turn_tally) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION turn_tally_recv(internal) RETURNS turn_tally
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION turn_tally_send(turn_tally) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE turn_tally (
    INPUT = turn_tally_in,
    OUTPUT = turn_tally_out,
    RECEIVE = turn_tally_recv,
    SEND = turn_tally_send,
    INTERNALLENGTH = variable,
    STORAGE = external
);
COMMENT ON TYPE turn_tally IS
    'calls by turn: what each turn is of, and the calls and tokens of each of its hours; exact, mergeable in any order; as large as its turns are many; text form hexadecimal';
COMMENT ON FUNCTION turn_tally_in(cstring) IS 'I/O';
COMMENT ON FUNCTION turn_tally_out(turn_tally) IS 'I/O';
COMMENT ON FUNCTION turn_tally_recv(internal) IS 'I/O';
COMMENT ON FUNCTION turn_tally_send(turn_tally) IS 'I/O';

CREATE FUNCTION turn_tally_add(turn_tally, text, timestamptz, tokens, text, text, text, text, text, text, boolean) RETURNS turn_tally
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION turn_tally_add(turn_tally, text, timestamptz, tokens, text, text, text, text, text, text, boolean, integer, text) RETURNS turn_tally
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION turn_tally_merge(turn_tally, turn_tally) RETURNS turn_tally
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION turn_tally_final(turn_tally) RETURNS turn_tally
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION turn_tally_final(turn_tally) IS 'final function of turn_tally() and merge(turn_tally): the same';
COMMENT ON FUNCTION turn_tally_add(turn_tally, text, timestamptz, tokens, text, text, text, text, text, text, boolean) IS 'transition function of turn_tally()';
COMMENT ON FUNCTION turn_tally_add(turn_tally, text, timestamptz, tokens, text, text, text, text, text, text, boolean, integer, text) IS 'transition function of turn_tally()';
COMMENT ON FUNCTION turn_tally_merge(turn_tally, turn_tally) IS
    'transition function of merge(turn_tally), combine function of turn_tally() and merge(turn_tally)';

CREATE AGGREGATE turn_tally(zone text, at timestamptz, tokens tokens, turn_id text, session_id text, user_id text, team text, project text, request_id text, is_wanted boolean) (
    SFUNC = turn_tally_add,
    STYPE = turn_tally,
    FINALFUNC = turn_tally_final,
    COMBINEFUNC = turn_tally_merge,
    PARALLEL = SAFE
);
CREATE AGGREGATE turn_tally(zone text, at timestamptz, tokens tokens, turn_id text, session_id text, user_id text, team text, project text, request_id text, is_wanted boolean, duration integer, agent text) (
    SFUNC = turn_tally_add,
    STYPE = turn_tally,
    FINALFUNC = turn_tally_final,
    COMBINEFUNC = turn_tally_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE turn_tally(text, timestamptz, tokens, text, text, text, text, text, text, boolean) IS
    'calls by turn: a turn is of the session, user, team and project of its first call (of several at one time, that with the least request id); a call that is not wanted may be the first of its turn, and is not counted; a call without a turn counts its tokens for its own team and project; months and hours are those of the zone; NULL of no calls';
COMMENT ON AGGREGATE turn_tally(text, timestamptz, tokens, text, text, text, text, text, text, boolean, integer, text) IS
    'calls by turn, also with the agents of each turn, and, by the milliseconds that calls lasted, when it ended';

CREATE AGGREGATE merge(turn_tally) (
    SFUNC = turn_tally_merge,
    STYPE = turn_tally,
    FINALFUNC = turn_tally_final,
    COMBINEFUNC = turn_tally_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE merge(turn_tally) IS 'the tally of all calls of several tallies of one time zone; NULL of none';

CREATE FUNCTION counts(
    tally turn_tally,
    slice jsonb DEFAULT NULL,
    by_owner boolean DEFAULT false,
    OUT month timestamptz,
    OUT scope text,
    OUT owner text,
    OUT users bigint,
    OUT sessions bigint,
    OUT turns bigint,
    OUT calls bigint,
    OUT calls_without_tokens bigint,
    OUT mix tokens,
    OUT cacheable_tokens bigint,
    OUT total_tokens bigint,
    OUT peak_hour_tokens bigint
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'turn_tally_counts' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION counts(turn_tally, jsonb, boolean) IS
    'what is counted of a tally by month, in total and, by_owner, for each team and project: distinct users, sessions and turns, their calls, those without tokens, tokens by meter and those that a cache could hold, all tokens, and those of the busiest hour; slice: only turns of these, {"team": ..., "project": ..., "user_id": ..., "session_id": ...}, each a string, null, or an array of these; other keys are ignored';

CREATE FUNCTION turns(
    tally turn_tally,
    from_at timestamptz,
    to_at timestamptz,
    OUT turn_id text,
    OUT at timestamptz,
    OUT ends_at timestamptz,
    OUT session_id text,
    OUT user_id text,
    OUT team text,
    OUT project text,
    OUT agents text[],
    OUT calls bigint,
    OUT unreported_calls bigint,
    OUT tokens tokens
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'turn_tally_turns' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 10000;
COMMENT ON FUNCTION turns(turn_tally, timestamptz, timestamptz) IS
    'the turns of a tally whose first call is from from_at up to, not including, to_at';

CREATE FUNCTION fan_out(
    tally turn_tally,
    from_at timestamptz,
    to_at timestamptz,
    OUT month timestamptz,
    OUT scope text,
    OUT owner text,
    OUT turns bigint,
    OUT calls bigint,
    OUT p50 bigint,
    OUT p90 bigint,
    OUT p99 bigint,
    OUT max bigint,
    OUT tokens bigint,
    OUT top_tokens bigint
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'turn_tally_fan_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION fan_out(turn_tally, timestamptz, timestamptz) IS
    'how many calls the turns of a tally make whose first call is from from_at up to, not including, to_at: by month of that call, in total and by its team and project; percentiles are of calls by turn; top_tokens is what the hundredth part of the turns (rounded up) used that used most';
