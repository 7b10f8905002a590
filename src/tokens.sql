-- tokens: how many tokens of each meter were used.

CREATE TYPE tokens;

CREATE FUNCTION tokens_in(cstring) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tokens_out(tokens) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tokens_recv(internal) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tokens_send(tokens) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE tokens (
    INPUT = tokens_in,
    OUTPUT = tokens_out,
    RECEIVE = tokens_recv,
    SEND = tokens_send,
    INTERNALLENGTH = variable,
    STORAGE = external
);

COMMENT ON TYPE tokens IS
    'tokens used, by meter, each a whole number; a meter that was not reported is absent; text form {"input": 1200, "cache_read": 800, "output": 300}';
COMMENT ON FUNCTION tokens_in(cstring) IS 'I/O';
COMMENT ON FUNCTION tokens_out(tokens) IS 'I/O';
COMMENT ON FUNCTION tokens_recv(internal) IS 'I/O';
COMMENT ON FUNCTION tokens_send(tokens) IS 'I/O';

CREATE FUNCTION meters(OUT meter text, OUT side text, OUT fallback text) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 12;
COMMENT ON FUNCTION meters() IS
    'the meters: name, side (input, output, or NULL for what is not tokens and stays out of totals), and the meter whose rate a meter without its own takes';

-- The arguments are the meters, in the order of meters().
CREATE FUNCTION tokens(
    input bigint DEFAULT NULL,
    cache_read bigint DEFAULT NULL,
    cache_write bigint DEFAULT NULL,
    output bigint DEFAULT NULL,
    reasoning bigint DEFAULT NULL,
    cache_write_1h bigint DEFAULT NULL,
    tool_calls bigint DEFAULT NULL,
    audio_input bigint DEFAULT NULL,
    audio_output bigint DEFAULT NULL,
    image_input bigint DEFAULT NULL,
    image_output bigint DEFAULT NULL,
    cache_storage bigint DEFAULT NULL
) RETURNS tokens
    AS 'MODULE_PATHNAME', 'tokens_make' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tokens(bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint) IS
    'makes a tokens value from named arguments, one for each meter; NULL means not reported';

CREATE FUNCTION tokens(jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME', 'tokens_from_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens(jsonb) IS 'a jsonb object of meter and count as tokens';
CREATE FUNCTION jsonb(tokens) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'tokens_to_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION jsonb(tokens) IS 'tokens as a jsonb object of meter and count';
CREATE CAST (jsonb AS tokens) WITH FUNCTION tokens(jsonb);
CREATE CAST (tokens AS jsonb) WITH FUNCTION jsonb(tokens);

CREATE FUNCTION meter(tokens, meter text) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tokens_meter' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION meter(tokens, text) IS 'the count of one meter; NULL where it was not reported';
CREATE OPERATOR -> (LEFTARG = tokens, RIGHTARG = text, FUNCTION = meter);
COMMENT ON OPERATOR -> (tokens, text) IS 'the count of one meter; NULL where it was not reported';

CREATE FUNCTION total(tokens) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tokens_total' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION total(tokens) IS 'all tokens, input and output; not tool_calls and cache_storage, which are not tokens';
CREATE FUNCTION input_total(tokens) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tokens_input_total' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION input_total(tokens) IS 'all input tokens, cached ones and cache writes included';
CREATE FUNCTION output_total(tokens) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tokens_output_total' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION output_total(tokens) IS 'all output tokens, reasoning included';

CREATE FUNCTION tokens_plus(tokens, tokens) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_plus(tokens, tokens) IS 'implementation of + operator';
CREATE FUNCTION tokens_minus(tokens, tokens) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_minus(tokens, tokens) IS 'implementation of - operator';
CREATE OPERATOR + (LEFTARG = tokens, RIGHTARG = tokens, FUNCTION = tokens_plus, COMMUTATOR = +);
COMMENT ON OPERATOR + (tokens, tokens) IS 'add meter by meter';
CREATE OPERATOR - (LEFTARG = tokens, RIGHTARG = tokens, FUNCTION = tokens_minus);
COMMENT ON OPERATOR - (tokens, tokens) IS 'subtract meter by meter; an error where a meter would fall below zero';

CREATE FUNCTION tokens_accum(tokens, tokens) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tokens_accum(tokens, tokens) IS 'transition and combine function of sum(tokens)';
CREATE AGGREGATE sum(tokens) (
    SFUNC = tokens_accum,
    STYPE = tokens,
    COMBINEFUNC = tokens_accum,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(tokens) IS 'the sum of tokens, meter by meter; NULL of no values';

CREATE FUNCTION tokens_eq(tokens, tokens) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tokens_ne(tokens, tokens) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tokens_lt(tokens, tokens) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tokens_le(tokens, tokens) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tokens_gt(tokens, tokens) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tokens_ge(tokens, tokens) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tokens_cmp(tokens, tokens) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tokens_hash(tokens) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tokens_hash_extended(tokens, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_eq(tokens, tokens) IS 'implementation of = operator';
COMMENT ON FUNCTION tokens_ne(tokens, tokens) IS 'implementation of <> operator';
COMMENT ON FUNCTION tokens_lt(tokens, tokens) IS 'implementation of < operator';
COMMENT ON FUNCTION tokens_le(tokens, tokens) IS 'implementation of <= operator';
COMMENT ON FUNCTION tokens_gt(tokens, tokens) IS 'implementation of > operator';
COMMENT ON FUNCTION tokens_ge(tokens, tokens) IS 'implementation of >= operator';
COMMENT ON FUNCTION tokens_cmp(tokens, tokens) IS 'less-equal-greater';
COMMENT ON FUNCTION tokens_hash(tokens) IS 'hash';
COMMENT ON FUNCTION tokens_hash_extended(tokens, bigint) IS 'hash';

CREATE OPERATOR = (LEFTARG = tokens, RIGHTARG = tokens, FUNCTION = tokens_eq,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR <> (LEFTARG = tokens, RIGHTARG = tokens, FUNCTION = tokens_ne,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR < (LEFTARG = tokens, RIGHTARG = tokens, FUNCTION = tokens_lt,
    COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR <= (LEFTARG = tokens, RIGHTARG = tokens, FUNCTION = tokens_le,
    COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR > (LEFTARG = tokens, RIGHTARG = tokens, FUNCTION = tokens_gt,
    COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR >= (LEFTARG = tokens, RIGHTARG = tokens, FUNCTION = tokens_ge,
    COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR = (tokens, tokens) IS 'the same meters are reported, with the same counts';
COMMENT ON OPERATOR <> (tokens, tokens) IS 'not equal';
COMMENT ON OPERATOR < (tokens, tokens) IS 'less than, meter by meter in the order of meters(); absent is below zero';
COMMENT ON OPERATOR <= (tokens, tokens) IS 'less than or equal';
COMMENT ON OPERATOR > (tokens, tokens) IS 'greater than';
COMMENT ON OPERATOR >= (tokens, tokens) IS 'greater than or equal';

CREATE OPERATOR CLASS tokens_ops DEFAULT FOR TYPE tokens USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 tokens_cmp(tokens, tokens);
CREATE OPERATOR CLASS tokens_ops DEFAULT FOR TYPE tokens USING hash AS
    OPERATOR 1 =,
    FUNCTION 1 tokens_hash(tokens),
    FUNCTION 2 tokens_hash_extended(tokens, bigint);
