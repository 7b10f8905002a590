-- rates: what a million tokens of each meter costs, in one currency.

CREATE TYPE rates;

CREATE FUNCTION rates_in(cstring) RETURNS rates
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rates_out(rates) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rates_recv(internal) RETURNS rates
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rates_send(rates) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE rates (
    INPUT = rates_in,
    OUTPUT = rates_out,
    RECEIVE = rates_recv,
    SEND = rates_send,
    INTERNALLENGTH = variable,
    ALIGNMENT = double,
    STORAGE = external
);

COMMENT ON TYPE rates IS
    'price of a million tokens of each meter, in one currency, exact to 9 decimals; text form {"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15}';
COMMENT ON FUNCTION rates_in(cstring) IS 'I/O';
COMMENT ON FUNCTION rates_out(rates) IS 'I/O';
COMMENT ON FUNCTION rates_recv(internal) IS 'I/O';
COMMENT ON FUNCTION rates_send(rates) IS 'I/O';

CREATE FUNCTION rates(jsonb) RETURNS rates
    AS 'MODULE_PATHNAME', 'rates_from_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rates(jsonb) IS 'a jsonb object of currency, meter and rate as rates';
CREATE FUNCTION jsonb(rates) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'rates_to_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION jsonb(rates) IS 'rates as a jsonb object of currency, meter and rate';
CREATE CAST (jsonb AS rates) WITH FUNCTION rates(jsonb);
CREATE CAST (rates AS jsonb) WITH FUNCTION jsonb(rates);

CREATE FUNCTION currency(rates) RETURNS text
    AS 'MODULE_PATHNAME', 'rates_currency' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION currency(rates) IS 'the currency of the rates';

CREATE FUNCTION rate(rates, meter text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'rates_rate' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rate(rates, text) IS 'the price of a million of one meter; NULL where it has no rate of its own';
CREATE OPERATOR -> (LEFTARG = rates, RIGHTARG = text, FUNCTION = rate);
COMMENT ON OPERATOR -> (rates, text) IS 'the price of a million of one meter; NULL where it has no rate of its own';

CREATE FUNCTION effective_rate(rates, meter text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'rates_effective_rate' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION effective_rate(rates, text) IS
    'the price of a million of one meter, by fallback where it has no rate of its own; NULL where that has none either';

CREATE FUNCTION rates_scale(rates, numeric) RETURNS rates
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rates_scale(numeric, rates) RETURNS rates
    AS 'MODULE_PATHNAME', 'rates_scale_commuted' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rates_scale(rates, numeric) IS 'implementation of * operator';
COMMENT ON FUNCTION rates_scale(numeric, rates) IS 'implementation of * operator';
CREATE OPERATOR * (LEFTARG = rates, RIGHTARG = numeric, FUNCTION = rates_scale, COMMUTATOR = *);
CREATE OPERATOR * (LEFTARG = numeric, RIGHTARG = rates, FUNCTION = rates_scale, COMMUTATOR = *);
COMMENT ON OPERATOR * (rates, numeric) IS 'every rate times a factor, exact; an error where a rate would need rounding';
COMMENT ON OPERATOR * (numeric, rates) IS 'every rate times a factor, exact; an error where a rate would need rounding';

CREATE FUNCTION cost(rates, tokens) RETURNS numeric
    AS 'MODULE_PATHNAME', 'rates_cost_of_tokens' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cost(rates, tokens) IS
    'the exact cost in the currency of the rates; NULL where a meter with a count above 0 has no rate';

CREATE FUNCTION round_float_noise(numeric) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION round_float_noise(numeric) IS
    'a number that was written by a program from a float, read to 15 significant digits; for importers of price lists only';

CREATE FUNCTION rates_eq(rates, rates) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rates_ne(rates, rates) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rates_lt(rates, rates) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rates_le(rates, rates) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rates_gt(rates, rates) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rates_ge(rates, rates) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rates_cmp(rates, rates) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rates_hash(rates) RETURNS integer
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rates_hash_extended(rates, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rates_eq(rates, rates) IS 'implementation of = operator';
COMMENT ON FUNCTION rates_ne(rates, rates) IS 'implementation of <> operator';
COMMENT ON FUNCTION rates_lt(rates, rates) IS 'implementation of < operator';
COMMENT ON FUNCTION rates_le(rates, rates) IS 'implementation of <= operator';
COMMENT ON FUNCTION rates_gt(rates, rates) IS 'implementation of > operator';
COMMENT ON FUNCTION rates_ge(rates, rates) IS 'implementation of >= operator';
COMMENT ON FUNCTION rates_cmp(rates, rates) IS 'less-equal-greater';
COMMENT ON FUNCTION rates_hash(rates) IS 'hash';
COMMENT ON FUNCTION rates_hash_extended(rates, bigint) IS 'hash';

CREATE OPERATOR = (LEFTARG = rates, RIGHTARG = rates, FUNCTION = rates_eq,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR <> (LEFTARG = rates, RIGHTARG = rates, FUNCTION = rates_ne,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR < (LEFTARG = rates, RIGHTARG = rates, FUNCTION = rates_lt,
    COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR <= (LEFTARG = rates, RIGHTARG = rates, FUNCTION = rates_le,
    COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR > (LEFTARG = rates, RIGHTARG = rates, FUNCTION = rates_gt,
    COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR >= (LEFTARG = rates, RIGHTARG = rates, FUNCTION = rates_ge,
    COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR = (rates, rates) IS 'the same currency, and the same meters at the same rates';
COMMENT ON OPERATOR <> (rates, rates) IS 'not equal';
COMMENT ON OPERATOR < (rates, rates) IS 'less than, by currency and then meter by meter in the order of meters(); a missing rate is below 0';
COMMENT ON OPERATOR <= (rates, rates) IS 'less than or equal';
COMMENT ON OPERATOR > (rates, rates) IS 'greater than';
COMMENT ON OPERATOR >= (rates, rates) IS 'greater than or equal';

CREATE OPERATOR CLASS rates_ops DEFAULT FOR TYPE rates USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 rates_cmp(rates, rates);
CREATE OPERATOR CLASS rates_ops DEFAULT FOR TYPE rates USING hash AS
    OPERATOR 1 =,
    FUNCTION 1 rates_hash(rates),
    FUNCTION 2 rates_hash_extended(rates, bigint);
