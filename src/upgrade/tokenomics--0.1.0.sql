\echo Use "CREATE EXTENSION tokenomics" to load this file. \quit

-- The schema must be ours alone: a function planted in it beforehand could
-- stand in for one of ours.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = '@extschema@'::pg_catalog.regnamespace)
        OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace = '@extschema@'::pg_catalog.regnamespace)
        OR EXISTS (SELECT FROM pg_catalog.pg_operator WHERE oprnamespace = '@extschema@'::pg_catalog.regnamespace)
    THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_object',
            MESSAGE = 'schema "tokenomics" is not empty',
            HINT = 'Drop the schema, or move what is in it elsewhere, and create the extension again.';
    END IF;
END
$$;

GRANT USAGE ON SCHEMA @extschema@ TO PUBLIC;
COMMENT ON SCHEMA @extschema@ IS 'tokenomics: values, functions and aggregates; tables are made elsewhere, by install()';

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
-- From each vendor's usage object to disjoint meters.

CREATE FUNCTION tokens_from_openai(usage jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_from_openai(jsonb) IS
    'tokens of an OpenAI usage object (or a response that holds one): input includes cached tokens and cache writes, output includes reasoning; an error where the object contradicts itself';
CREATE FUNCTION tokens_from_anthropic(usage jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_from_anthropic(jsonb) IS
    'tokens of an Anthropic usage object (or a message that holds one): input excludes cache reads and writes; an error where the object contradicts itself';
CREATE FUNCTION tokens_from_gemini(usage jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_from_gemini(jsonb) IS
    'tokens of Gemini usageMetadata (or a response that holds it): the prompt includes cached tokens, the candidates exclude thoughts; an error where the object contradicts itself';
CREATE FUNCTION tokens_from_otel(attributes jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_from_otel(jsonb) IS
    'tokens of the OpenTelemetry gen_ai.usage.* attributes of a span: input includes cached tokens and cache writes, output includes reasoning; an error where they contradict each other';
CREATE FUNCTION tokens_from_litellm(prompt_tokens bigint, completion_tokens bigint, metadata jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tokens_from_litellm(bigint, bigint, jsonb) IS
    'tokens of a row of LiteLLM''s log: the prompt includes cached tokens and cache writes, the completion includes reasoning, both as "metadata" names them; an error where they contradict each other';

-- The same by the vendor's name, and without the error.
CREATE FUNCTION tokens_from(vendor text, usage jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens_from(text, jsonb) IS
    'tokens_from_openai(), tokens_from_anthropic(), tokens_from_gemini() or tokens_from_otel(), by the vendor''s name';
CREATE FUNCTION try_tokens_from(vendor text, usage jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION try_tokens_from(text, jsonb) IS
    'as tokens_from(), but NULL where the object contradicts itself or reports no tokens: for views of logs, where one bad row must not hide the others';
CREATE FUNCTION try_tokens_from_litellm(prompt_tokens bigint, completion_tokens bigint, metadata jsonb) RETURNS tokens
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION try_tokens_from_litellm(bigint, bigint, jsonb) IS
    'as tokens_from_litellm(), but NULL where the row contradicts itself or reports no tokens';
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
-- price_book: every rate in force, as one value.

CREATE TYPE price_book;

CREATE FUNCTION price_book_in(cstring) RETURNS price_book
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
CREATE FUNCTION price_book_out(price_book) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION price_book_recv(internal) RETURNS price_book
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION price_book_send(price_book) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE price_book (
    INPUT = price_book_in,
    OUTPUT = price_book_out,
    RECEIVE = price_book_recv,
    SEND = price_book_send,
    INTERNALLENGTH = variable,
    ALIGNMENT = double,
    STORAGE = external
);

COMMENT ON TYPE price_book IS
    'every rate in force, by provider, model, service tier, threshold and time, with aliases of models; layers of books, the first that prices a call wins and the last is its list price; text form JSON';
COMMENT ON FUNCTION price_book_in(cstring) IS 'I/O';
COMMENT ON FUNCTION price_book_out(price_book) IS 'I/O';
COMMENT ON FUNCTION price_book_recv(internal) IS 'I/O';
COMMENT ON FUNCTION price_book_send(price_book) IS 'I/O';

CREATE FUNCTION price_book_add(price_book, record) RETURNS price_book
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION price_book_add(price_book, record, timestamptz) RETURNS price_book
    AS 'MODULE_PATHNAME', 'price_book_add_known_at' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION price_book_add_alias(price_book, record) RETURNS price_book
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION price_book_add_alias(price_book, record, timestamptz) RETURNS price_book
    AS 'MODULE_PATHNAME', 'price_book_add_alias_known_at' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION price_book_merge(price_book, price_book) RETURNS price_book
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION price_book_final(price_book) RETURNS price_book
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION price_book_add(price_book, record) IS 'transition function of price_book(record)';
COMMENT ON FUNCTION price_book_add(price_book, record, timestamptz) IS 'transition function of price_book(record, timestamptz)';
COMMENT ON FUNCTION price_book_add_alias(price_book, record) IS 'transition function of model_aliases(record)';
COMMENT ON FUNCTION price_book_add_alias(price_book, record, timestamptz) IS 'transition function of model_aliases(record, timestamptz)';
COMMENT ON FUNCTION price_book_merge(price_book, price_book) IS 'combine function of price_book and model_aliases';
COMMENT ON FUNCTION price_book_final(price_book) IS 'final function of price_book and model_aliases';

CREATE AGGREGATE price_book(record) (
    SFUNC = price_book_add,
    STYPE = price_book,
    COMBINEFUNC = price_book_merge,
    FINALFUNC = price_book_final,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE price_book(record) IS
    'a price book of the rows of one book, as they are known now, from any table with the columns of "price"; without aliases and overlays; NULL of no rows';

CREATE AGGREGATE price_book(record, known_at timestamptz) (
    SFUNC = price_book_add,
    STYPE = price_book,
    COMBINEFUNC = price_book_merge,
    FINALFUNC = price_book_final,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE price_book(record, timestamptz) IS
    'a price book of the rows of one book, as they were known at a time; NULL of no rows';

CREATE AGGREGATE model_aliases(record) (
    SFUNC = price_book_add_alias,
    STYPE = price_book,
    COMBINEFUNC = price_book_merge,
    FINALFUNC = price_book_final,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE model_aliases(record) IS
    'a price book of aliases only, as they are known now, from any table with the columns of "model_alias"; to be put over a book with overlay_books()';

CREATE AGGREGATE model_aliases(record, known_at timestamptz) (
    SFUNC = price_book_add_alias,
    STYPE = price_book,
    COMBINEFUNC = price_book_merge,
    FINALFUNC = price_book_final,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE model_aliases(record, timestamptz) IS
    'a price book of aliases only, as they were known at a time';

CREATE FUNCTION overlay_books(top price_book, base price_book) RETURNS price_book
    AS 'MODULE_PATHNAME', 'price_book_overlay' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION overlay_books(price_book, price_book) IS
    'a book over another: the first prices what it names, all else falls through to the second; aliases of both apply to both';

CREATE FUNCTION prices_at(book price_book, at timestamptz) RETURNS price_book
    AS 'MODULE_PATHNAME', 'price_book_prices_at' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION prices_at(price_book, timestamptz) IS
    'a book of the prices in force at a time, as if they had always been: what any call would have cost then; off-peak windows still apply by the time of the call';

CREATE FUNCTION books(price_book) RETURNS text[]
    AS 'MODULE_PATHNAME', 'price_book_books' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION books(price_book) IS 'the names of the layers of a price book, the one that wins first; the last is the list price';

CREATE FUNCTION price_book_eq(price_book, price_book) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION price_book_eq(price_book, price_book) IS 'implementation of = operator';
CREATE OPERATOR = (LEFTARG = price_book, RIGHTARG = price_book, FUNCTION = price_book_eq, COMMUTATOR = =);
COMMENT ON OPERATOR = (price_book, price_book) IS 'the same layers, prices and aliases';
-- The quotients that reports show.

CREATE FUNCTION cost_per_mtok(cost numeric, tokens numeric) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cost_per_mtok(numeric, numeric) IS 'a cost per million tokens: cost * 1000000 / tokens; NULL where there are no tokens';

CREATE FUNCTION savings_rate(cost numeric, list_cost numeric) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION savings_rate(numeric, numeric) IS 'what was saved against the list price, a fraction: 1 - cost / list_cost; NULL where the list cost is 0';

CREATE FUNCTION growth_rate(current numeric, previous numeric) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION growth_rate(numeric, numeric) IS 'growth, a fraction: current / previous - 1; NULL where there was nothing before';

CREATE FUNCTION compound_growth(current numeric, previous numeric, periods integer) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION compound_growth(numeric, numeric, integer) IS
    'the growth of each of so many periods that makes previous into current, a fraction, to 12 decimals: (current / previous) ^ (1 / periods) - 1; NULL where there was nothing before';

CREATE FUNCTION exchanged(amount numeric, rate numeric, is_inverse boolean) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION exchanged(numeric, numeric, boolean) IS
    'an amount in another currency, rounded once, to 12 decimals: times the rate, or, where the rate is of the other way round, by it';
-- Pricing a call from a price_book.

CREATE FUNCTION cost(book price_book, provider text, model text, at timestamptz, tokens tokens) RETURNS numeric
    AS 'MODULE_PATHNAME', 'price_book_cost' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION cost(book price_book, provider text, model text, at timestamptz, tokens tokens, service_tier text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'price_book_cost' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION cost(price_book, text, text, timestamptz, tokens) IS
    'the exact cost of one call in service tier "standard", in the currency of its price; NULL where it has no price (explain_cost() says why) or an argument is NULL';
COMMENT ON FUNCTION cost(price_book, text, text, timestamptz, tokens, text) IS
    'the exact cost of one call, in the currency of its price; a NULL service tier is "standard"; NULL where it has no price (explain_cost() says why) or another argument is NULL';

CREATE FUNCTION list_cost(book price_book, provider text, model text, at timestamptz, tokens tokens) RETURNS numeric
    AS 'MODULE_PATHNAME', 'price_book_list_cost' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION list_cost(book price_book, provider text, model text, at timestamptz, tokens tokens, service_tier text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'price_book_list_cost' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION list_cost(price_book, text, text, timestamptz, tokens) IS
    'the exact cost of one call by the last layer of the book alone: the list price';
COMMENT ON FUNCTION list_cost(price_book, text, text, timestamptz, tokens, text) IS
    'the exact cost of one call by the last layer of the book alone: the list price';

CREATE FUNCTION savings_rate(book price_book, provider text, model text, at timestamptz, tokens tokens) RETURNS numeric
    AS 'MODULE_PATHNAME', 'price_book_savings_rate' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION savings_rate(book price_book, provider text, model text, at timestamptz, tokens tokens, service_tier text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'price_book_savings_rate' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION savings_rate(price_book, text, text, timestamptz, tokens) IS
    'what the book saves on one call against its list price: 1 - cost / list_cost, a fraction; NULL where either is missing, the list cost is 0 or their currencies differ';
COMMENT ON FUNCTION savings_rate(price_book, text, text, timestamptz, tokens, text) IS
    'what the book saves on one call against its list price: 1 - cost / list_cost, a fraction; NULL where either is missing, the list cost is 0 or their currencies differ';

CREATE FUNCTION currency(book price_book, provider text, model text, at timestamptz, tokens tokens) RETURNS text
    AS 'MODULE_PATHNAME', 'price_book_currency' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION currency(book price_book, provider text, model text, at timestamptz, tokens tokens, service_tier text) RETURNS text
    AS 'MODULE_PATHNAME', 'price_book_currency' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION currency(price_book, text, text, timestamptz, tokens) IS
    'the currency in which cost() of the same arguments is';
COMMENT ON FUNCTION currency(price_book, text, text, timestamptz, tokens, text) IS
    'the currency in which cost() of the same arguments is';

CREATE FUNCTION price_row(book price_book, provider text, model text, at timestamptz, tokens tokens, service_tier text, calls bigint) RETURNS text
    AS 'MODULE_PATHNAME', 'price_book_price_row' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION price_row(price_book, text, text, timestamptz, tokens, text, bigint) IS
    'the row of a book that prices a call, or several calls in one, as JSON: its number in the book, above_input_tokens, off_peak and valid_from; to group calls by; NULL where none does';
CREATE FUNCTION rates_in_force(book price_book, provider text, model text, at timestamptz, tokens tokens) RETURNS rates
    AS 'MODULE_PATHNAME', 'price_book_rates_in_force' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION rates_in_force(book price_book, provider text, model text, at timestamptz, tokens tokens, service_tier text) RETURNS rates
    AS 'MODULE_PATHNAME', 'price_book_rates_in_force' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION rates_in_force(price_book, text, text, timestamptz, tokens) IS
    'the rates by which cost() of the same arguments prices a call; NULL where that is NULL, or where slices of the call have rates of their own';
COMMENT ON FUNCTION rates_in_force(price_book, text, text, timestamptz, tokens, text) IS
    'the rates by which cost() of the same arguments prices a call; NULL where that is NULL, or where slices of the call have rates of their own';

-- LANGUAGE C functions of one body need one result type: it is named once.
CREATE TYPE cost_explanation AS (
    priced_by text,
    meter text,
    tokens bigint,
    rate numeric,
    cost numeric,
    currency text,
    rate_of text,
    book text,
    provider text,
    model text,
    service_tier text,
    above_input_tokens bigint,
    tier_basis text,
    tier_mode text,
    off_peak boolean,
    valid tstzrange,
    source text,
    through_alias boolean,
    reason text
);
COMMENT ON TYPE cost_explanation IS 'a line of explain_cost(): one meter of a call, and the price that applied';
COMMENT ON COLUMN cost_explanation.priced_by IS '"contracted": by the book; "list": by its last layer, where it has several';
COMMENT ON COLUMN cost_explanation.meter IS 'meter';
COMMENT ON COLUMN cost_explanation.tokens IS 'tokens of the meter, or of its slice where prices are graduated';
COMMENT ON COLUMN cost_explanation.rate IS 'price of a million of the meter';
COMMENT ON COLUMN cost_explanation.cost IS 'cost of these tokens, exact; they add up to the cost of the call; NULL where the call has no price';
COMMENT ON COLUMN cost_explanation.currency IS 'currency of rate and cost';
COMMENT ON COLUMN cost_explanation.rate_of IS 'the meter whose rate it is: another one where this meter has none of its own';
COMMENT ON COLUMN cost_explanation.book IS 'book of the price';
COMMENT ON COLUMN cost_explanation.provider IS 'provider of the price';
COMMENT ON COLUMN cost_explanation.model IS 'model of the price';
COMMENT ON COLUMN cost_explanation.service_tier IS 'service tier of the price';
COMMENT ON COLUMN cost_explanation.above_input_tokens IS 'threshold of the price: it applies above this many input tokens';
COMMENT ON COLUMN cost_explanation.tier_basis IS 'what the threshold counts: input_total or uncached';
COMMENT ON COLUMN cost_explanation.tier_mode IS 'whole: one price for the whole call; graduated: each slice at its own';
COMMENT ON COLUMN cost_explanation.off_peak IS 'whether the price is that of an off-peak window';
COMMENT ON COLUMN cost_explanation.valid IS 'when the vendor charges the price';
COMMENT ON COLUMN cost_explanation.source IS 'where the price is from';
COMMENT ON COLUMN cost_explanation.through_alias IS 'whether the name of the call led to the price through an alias';
COMMENT ON COLUMN cost_explanation.reason IS 'why there is no cost';

CREATE FUNCTION explain_cost(book price_book, provider text, model text, at timestamptz, tokens tokens) RETURNS SETOF cost_explanation
    AS 'MODULE_PATHNAME', 'price_book_explain_cost' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 5;
CREATE FUNCTION explain_cost(book price_book, provider text, model text, at timestamptz, tokens tokens, service_tier text) RETURNS SETOF cost_explanation
    AS 'MODULE_PATHNAME', 'price_book_explain_cost' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 5;
COMMENT ON FUNCTION explain_cost(price_book, text, text, timestamptz, tokens) IS
    'the price that applied to one call in service tier "standard", and each meter''s part of its cost; or why it has none';
COMMENT ON FUNCTION explain_cost(price_book, text, text, timestamptz, tokens, text) IS
    'the price that applied to one call, and each meter''s part of its cost; or why it has none';

CREATE FUNCTION nearest_model(book price_book, provider text, model text) RETURNS text
    AS 'MODULE_PATHNAME', 'price_book_nearest_model' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nearest_model(price_book, text, text) IS
    'the priced model whose name is nearest to a name without a price, as provider/model: by the number of characters to change (Levenshtein 1966), of the same provider among equals; NULL where all of them would have to';
-- Periods of the calendar of a time zone.

CREATE FUNCTION period_start(grain text, zone text, at timestamptz) RETURNS timestamptz
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION period_start(text, text, timestamptz) IS
    'when the period that holds a time begins: grain is quarter_hour, hour, day or month, by the calendar of the zone; the session''s TimeZone changes nothing';

CREATE FUNCTION period_end(grain text, zone text, at timestamptz) RETURNS timestamptz
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION period_end(text, text, timestamptz) IS
    'when the period that holds a time ends: the instant at which the next one begins';

CREATE FUNCTION periods(grain text, zone text, from_at timestamptz, to_at timestamptz, OUT period_start timestamptz, OUT period_end timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 30;
COMMENT ON FUNCTION periods(text, text, timestamptz, timestamptz) IS
    'the periods that hold any of the time from from_at up to, not including, to_at, in their order';
-- ledger: totals of calls by line.

CREATE TYPE ledger;

CREATE FUNCTION ledger_in(cstring) RETURNS ledger
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger_out(ledger) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger_recv(internal) RETURNS ledger
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger_send(ledger) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE ledger (
    INPUT = ledger_in,
    OUTPUT = ledger_out,
    RECEIVE = ledger_recv,
    SEND = ledger_send,
    INTERNALLENGTH = variable,
    STORAGE = external
);

COMMENT ON TYPE ledger IS
    'totals of calls by line: by period, provider, model, service tier, label and how they were priced; exact, mergeable in any order; text form JSON';
COMMENT ON FUNCTION ledger_in(cstring) IS 'I/O';
COMMENT ON FUNCTION ledger_out(ledger) IS 'I/O';
COMMENT ON FUNCTION ledger_recv(internal) IS 'I/O';
COMMENT ON FUNCTION ledger_send(ledger) IS 'I/O';

-- The aggregates: (book, grain, zone, at, provider, model, service_tier, tokens [, label [, calls]])

CREATE FUNCTION ledger_add(ledger, price_book, text, text, timestamptz, text, text, text, tokens) RETURNS ledger
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION ledger_add(ledger, price_book, text, text, timestamptz, text, text, text, tokens, text) RETURNS ledger
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION ledger_add(ledger, price_book, text, text, timestamptz, text, text, text, tokens, text, bigint) RETURNS ledger
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION ledger_merge(ledger, ledger) RETURNS ledger
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION ledger_add(ledger, price_book, text, text, timestamptz, text, text, text, tokens) IS 'transition function of ledger()';
COMMENT ON FUNCTION ledger_add(ledger, price_book, text, text, timestamptz, text, text, text, tokens, text) IS 'transition function of ledger()';
COMMENT ON FUNCTION ledger_add(ledger, price_book, text, text, timestamptz, text, text, text, tokens, text, bigint) IS 'transition function of ledger()';
CREATE FUNCTION ledger_final(ledger) RETURNS ledger
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_final(ledger) IS 'final function of ledger() and merge(ledger)';
COMMENT ON FUNCTION ledger_merge(ledger, ledger) IS 'transition function of merge(ledger), combine function of ledger() and merge(ledger)';

CREATE AGGREGATE ledger(book price_book, grain text, zone text, at timestamptz, provider text, model text,
                        service_tier text, tokens tokens) (
    SFUNC = ledger_add,
    STYPE = ledger,
    COMBINEFUNC = ledger_merge,
    FINALFUNC = ledger_final,
    PARALLEL = SAFE
);
CREATE AGGREGATE ledger(book price_book, grain text, zone text, at timestamptz, provider text, model text,
                        service_tier text, tokens tokens, label text) (
    SFUNC = ledger_add,
    STYPE = ledger,
    COMBINEFUNC = ledger_merge,
    FINALFUNC = ledger_final,
    PARALLEL = SAFE
);
CREATE AGGREGATE ledger(book price_book, grain text, zone text, at timestamptz, provider text, model text,
                        service_tier text, tokens tokens, label text, calls bigint) (
    SFUNC = ledger_add,
    STYPE = ledger,
    COMBINEFUNC = ledger_merge,
    FINALFUNC = ledger_final,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE ledger(price_book, text, text, timestamptz, text, text, text, tokens) IS
    'the ledger of calls, priced by a book, by period of a grain (quarter_hour, hour, day, month) in a time zone; NULL of no calls';
COMMENT ON AGGREGATE ledger(price_book, text, text, timestamptz, text, text, text, tokens, text) IS
    'the ledger of calls with a label each, such as a team';
COMMENT ON AGGREGATE ledger(price_book, text, text, timestamptz, text, text, text, tokens, text, bigint) IS
    'the ledger of rows with a label and a number of calls each: a row of several calls is priced as calls below any threshold';

CREATE AGGREGATE merge(ledger) (
    SFUNC = ledger_merge,
    STYPE = ledger,
    COMBINEFUNC = ledger_merge,
    FINALFUNC = ledger_final,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE merge(ledger) IS 'the sum of ledgers of one grain and time zone, in any order; NULL of none';

CREATE FUNCTION regrain(ledger, grain text, zone text) RETURNS ledger
    AS 'MODULE_PATHNAME', 'ledger_regrain' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION regrain(ledger, text, text) IS
    'the same ledger by coarser periods, or by those of another time zone: exact, or an error where a period would have to be cut';

CREATE FUNCTION clip(ledger, from_at timestamptz, to_at timestamptz) RETURNS ledger
    AS 'MODULE_PATHNAME', 'ledger_clip' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION clip(ledger, timestamptz, timestamptz) IS
    'what of a ledger lies from from_at up to, not including, to_at: exact, or an error where a period would have to be cut';

CREATE FUNCTION reprice(ledger, book price_book) RETURNS ledger
    AS 'MODULE_PATHNAME', 'ledger_reprice' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION reprice(ledger, book price_book, approximate boolean) RETURNS ledger
    AS 'MODULE_PATHNAME', 'ledger_reprice' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION reprice(ledger, price_book) IS
    'the same calls priced by another book: exact, or an error that names the line where the book has several prices for its calls';
COMMENT ON FUNCTION reprice(ledger, price_book, boolean) IS
    'the same calls priced by another book; where approximate is true, lines that cannot be priced exactly are priced by the first price of their period and marked approximate';

CREATE TYPE ledger_line AS (
    period timestamptz,
    provider text,
    model text,
    service_tier text,
    label text,
    above_input_tokens bigint,
    list_above_input_tokens bigint,
    off_peak boolean,
    list_off_peak boolean,
    currency text,
    list_currency text,
    calls bigint,
    tokens tokens,
    cost numeric,
    list_cost numeric,
    output_cost numeric,
    fallback_tokens bigint,
    unpriced text,
    lacks_rate text[],
    approximate boolean
);
COMMENT ON TYPE ledger_line IS 'a line of a ledger, from lines()';
COMMENT ON COLUMN ledger_line.period IS 'when the period begins';
COMMENT ON COLUMN ledger_line.provider IS 'provider of the calls';
COMMENT ON COLUMN ledger_line.model IS 'model, as the calls name it';
COMMENT ON COLUMN ledger_line.service_tier IS 'service tier of the calls; "standard" where they name none';
COMMENT ON COLUMN ledger_line.label IS 'label of the calls';
COMMENT ON COLUMN ledger_line.above_input_tokens IS 'threshold of the price that applied; NULL where there was none';
COMMENT ON COLUMN ledger_line.list_above_input_tokens IS 'threshold of the list price';
COMMENT ON COLUMN ledger_line.off_peak IS 'whether the price was that of an off-peak window';
COMMENT ON COLUMN ledger_line.list_off_peak IS 'whether the list price was that of an off-peak window';
COMMENT ON COLUMN ledger_line.currency IS 'currency of cost and output_cost; NULL where the calls are unpriced';
COMMENT ON COLUMN ledger_line.list_currency IS 'currency of list_cost; NULL where they have no list price';
COMMENT ON COLUMN ledger_line.calls IS 'number of calls';
COMMENT ON COLUMN ledger_line.tokens IS 'tokens by meter';
COMMENT ON COLUMN ledger_line.cost IS 'cost by the book, exact; NULL where the calls are unpriced';
COMMENT ON COLUMN ledger_line.list_cost IS 'cost by the last layer of the book, exact; NULL where they have no list price';
COMMENT ON COLUMN ledger_line.output_cost IS 'the part of cost that is for output tokens';
COMMENT ON COLUMN ledger_line.fallback_tokens IS 'tokens priced at the rate of another meter';
COMMENT ON COLUMN ledger_line.unpriced IS 'why the calls have no price; NULL where they have one';
COMMENT ON COLUMN ledger_line.lacks_rate IS 'the meters whose missing rate is the reason';
COMMENT ON COLUMN ledger_line.approximate IS 'whether reprice() could only guess';

CREATE FUNCTION lines(ledger) RETURNS SETOF ledger_line
    AS 'MODULE_PATHNAME', 'ledger_lines' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1000;
COMMENT ON FUNCTION lines(ledger) IS 'the lines of a ledger, in the order of period, provider, model, service tier and label';

CREATE TYPE ledger_meter_line AS (
    period timestamptz,
    provider text,
    model text,
    service_tier text,
    label text,
    above_input_tokens bigint,
    list_above_input_tokens bigint,
    off_peak boolean,
    list_off_peak boolean,
    currency text,
    list_currency text,
    meter text,
    tokens bigint,
    cost numeric,
    list_cost numeric
);
COMMENT ON TYPE ledger_meter_line IS 'a meter of a line of a ledger, from meter_lines()';
COMMENT ON COLUMN ledger_meter_line.period IS 'when the period begins';
COMMENT ON COLUMN ledger_meter_line.provider IS 'provider of the calls';
COMMENT ON COLUMN ledger_meter_line.model IS 'model, as the calls name it';
COMMENT ON COLUMN ledger_meter_line.service_tier IS 'service tier of the calls';
COMMENT ON COLUMN ledger_meter_line.label IS 'label of the calls';
COMMENT ON COLUMN ledger_meter_line.above_input_tokens IS 'threshold of the price that applied; NULL where there was none';
COMMENT ON COLUMN ledger_meter_line.list_above_input_tokens IS 'threshold of the list price';
COMMENT ON COLUMN ledger_meter_line.off_peak IS 'whether the price was that of an off-peak window';
COMMENT ON COLUMN ledger_meter_line.list_off_peak IS 'whether the list price was that of an off-peak window';
COMMENT ON COLUMN ledger_meter_line.currency IS 'currency of cost; NULL where the calls are unpriced';
COMMENT ON COLUMN ledger_meter_line.list_currency IS 'currency of list_cost';
COMMENT ON COLUMN ledger_meter_line.meter IS 'the meter';
COMMENT ON COLUMN ledger_meter_line.tokens IS 'its count';
COMMENT ON COLUMN ledger_meter_line.cost IS 'its cost by the book, exact; NULL where the calls are unpriced';
COMMENT ON COLUMN ledger_meter_line.list_cost IS 'its cost by the last layer of the book, exact';

CREATE FUNCTION meter_lines(ledger) RETURNS SETOF ledger_meter_line
    AS 'MODULE_PATHNAME', 'ledger_meter_lines' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 4000;
COMMENT ON FUNCTION meter_lines(ledger) IS 'the lines of a ledger, one row for each meter that was reported';

CREATE FUNCTION grain(ledger) RETURNS text
    AS 'MODULE_PATHNAME', 'ledger_grain' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION grain(ledger) IS 'what the periods of a ledger are';
CREATE FUNCTION zone(ledger) RETURNS text
    AS 'MODULE_PATHNAME', 'ledger_zone' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION zone(ledger) IS 'the time zone of a ledger''s periods; UTC where they are quarter_hours';
CREATE FUNCTION calls(ledger) RETURNS bigint
    AS 'MODULE_PATHNAME', 'ledger_calls' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION calls(ledger) IS 'the number of calls in a ledger';
CREATE FUNCTION tokens(ledger) RETURNS tokens
    AS 'MODULE_PATHNAME', 'ledger_tokens' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tokens(ledger) IS 'the tokens of all calls in a ledger';
CREATE FUNCTION unpriced(ledger) RETURNS tokens
    AS 'MODULE_PATHNAME', 'ledger_unpriced' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION unpriced(ledger) IS 'the tokens of the calls in a ledger that have no price';

CREATE FUNCTION spend(ledger) RETURNS numeric
    AS 'MODULE_PATHNAME', 'ledger_spend' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION spend(ledger, currency text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'ledger_spend' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION list_spend(ledger) RETURNS numeric
    AS 'MODULE_PATHNAME', 'ledger_list_spend' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION list_spend(ledger, currency text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'ledger_list_spend' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION spend(ledger) IS
    'what the priced calls of a ledger cost by the book, exact; NULL where none is priced; an error where they are in several currencies';
COMMENT ON FUNCTION spend(ledger, text) IS 'what the calls of a ledger that are priced in one currency cost; NULL where none is';
COMMENT ON FUNCTION list_spend(ledger) IS
    'what the calls of a ledger cost by the last layer of the book, exact; NULL where none is priced; an error where they are in several currencies';
COMMENT ON FUNCTION list_spend(ledger, text) IS 'what the calls of a ledger that have a list price in one currency cost by it';

CREATE FUNCTION cost_per_mtok(ledger) RETURNS numeric
    AS 'MODULE_PATHNAME', 'ledger_cost_per_mtok' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION cost_per_mtok(ledger, currency text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'ledger_cost_per_mtok' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION output_rate(ledger) RETURNS numeric
    AS 'MODULE_PATHNAME', 'ledger_output_rate' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION output_rate(ledger, currency text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'ledger_output_rate' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION spend_per_mtok_output(ledger) RETURNS numeric
    AS 'MODULE_PATHNAME', 'ledger_spend_per_mtok_output' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION spend_per_mtok_output(ledger, currency text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'ledger_spend_per_mtok_output' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cost_per_mtok(ledger) IS 'spend per million priced tokens; NULL where there are none; an error where they are in several currencies';
COMMENT ON FUNCTION cost_per_mtok(ledger, text) IS 'spend in one currency per million of the tokens priced in it';
COMMENT ON FUNCTION output_rate(ledger) IS 'what a million priced output tokens cost on average, by their own rates alone';
COMMENT ON FUNCTION output_rate(ledger, text) IS 'the same of the calls priced in one currency';
COMMENT ON FUNCTION spend_per_mtok_output(ledger) IS 'all spend, input included, per million priced output tokens';
COMMENT ON FUNCTION spend_per_mtok_output(ledger, text) IS 'the same of the calls priced in one currency';

CREATE FUNCTION ledger_eq(ledger, ledger) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger_ne(ledger, ledger) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_eq(ledger, ledger) IS 'implementation of = operator';
COMMENT ON FUNCTION ledger_ne(ledger, ledger) IS 'implementation of <> operator';
CREATE OPERATOR = (LEFTARG = ledger, RIGHTARG = ledger, FUNCTION = ledger_eq, COMMUTATOR = =, NEGATOR = <>);
CREATE OPERATOR <> (LEFTARG = ledger, RIGHTARG = ledger, FUNCTION = ledger_ne, COMMUTATOR = <>, NEGATOR = =);
COMMENT ON OPERATOR = (ledger, ledger) IS 'the same lines, to the last digit';
COMMENT ON OPERATOR <> (ledger, ledger) IS 'not equal';
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
    CREATE OR REPLACE FUNCTION usage_profile(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        resolution text DEFAULT 'minute'
    ) RETURNS tokenomics.demand_profile
        LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(usage_profile.zone, (SELECT s.zone FROM setting s));
        counted tokenomics.demand_profile;
        counted_span tstzrange;
    BEGIN
        -- the time of a row of several calls is not that of any of them
        EXECUTE 'SELECT tokenomics.demand_profile($1, u.at, u.tokens, 1, $2)
                 FROM usage u WHERE u.at >= $3 AND u.at < $4 AND u.calls = 1'
        INTO counted USING in_zone, resolution, coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity');
        counted_span := tokenomics.span(counted);
        -- what lies ahead was not observed
        RETURN tokenomics.with_span(counted,
            CASE WHEN isfinite(from_at) THEN from_at ELSE lower(counted_span) END,
            greatest(upper(counted_span), CASE WHEN isfinite(to_at) THEN least(to_at, date_trunc('minute', now())) END));
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
        counted tokenomics.demand_profile := usage_profile(from_at, to_at, in_zone);
        all_calls numeric;
    BEGIN
        EXECUTE 'SELECT sum(u.calls) FROM usage u WHERE u.at >= $1 AND u.at < $2'
        INTO all_calls USING coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity');
        -- rows of several calls alone: that nothing is known is said, not left out
        IF counted IS NULL AND all_calls > 0 THEN
            counted := jsonb_build_object('zone', in_zone)::text::tokenomics.demand_profile;
        END IF;
        RETURN QUERY
        SELECT s.side, h.dow, h.hour, h.minutes, h.active_minutes, h.mean, h.p50, h.p95, h.p99, h.max,
               trim_scale((tokenomics.calls(counted) - tokenomics.unreported_calls(counted)) / all_calls)
        FROM unnest('{total,input,output}'::text[]) WITH ORDINALITY s(side, n),
             tokenomics.hour_of_week(tokenomics.side(counted, s.side)) h
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
        usage_profile(timestamptz, timestamptz, text, text);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_profile() IS 'part of uninstall(): drops what install_profile() made';
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
-- Index numbers over the matched items of two periods, and LMDI.

CREATE TYPE index_sums;

CREATE FUNCTION index_sums_in(cstring) RETURNS index_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION index_sums_out(index_sums) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION index_sums_recv(internal) RETURNS index_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION index_sums_send(index_sums) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE index_sums (
    INPUT = index_sums_in,
    OUTPUT = index_sums_out,
    RECEIVE = index_sums_recv,
    SEND = index_sums_send,
    INTERNALLENGTH = variable,
    ALIGNMENT = double,
    STORAGE = external
);

COMMENT ON TYPE index_sums IS 'sums over the items of two periods: the state of the index aggregates';
COMMENT ON FUNCTION index_sums_in(cstring) IS 'I/O';
COMMENT ON FUNCTION index_sums_out(index_sums) IS 'I/O';
COMMENT ON FUNCTION index_sums_recv(internal) IS 'I/O';
COMMENT ON FUNCTION index_sums_send(index_sums) IS 'I/O';

CREATE FUNCTION index_sums_add(index_sums, double precision, double precision, double precision, double precision) RETURNS index_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION index_sums_merge(index_sums, index_sums) RETURNS index_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION index_sums_add(index_sums, double precision, double precision, double precision, double precision) IS 'transition function of the index aggregates';
COMMENT ON FUNCTION index_sums_merge(index_sums, index_sums) IS 'transition function of merge(index_sums), combine function of the index aggregates';

-- The aggregates: one row for each item, (p0, q0, p1, q1)

CREATE AGGREGATE index_sums(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE index_sums(double precision, double precision, double precision, double precision) IS
    'the sums of all index aggregates, to be kept, merged and asked for any index';
CREATE AGGREGATE merge(index_sums) (
    SFUNC = index_sums_merge,
    STYPE = index_sums,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE merge(index_sums) IS 'the sums over the items of all of them, in any order; NULL of none';

CREATE FUNCTION laspeyres_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'laspeyres_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION laspeyres_index(index_sums) IS 'the same of sums: final function of laspeyres_index()';
CREATE AGGREGATE laspeyres_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = laspeyres_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE laspeyres_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Laspeyres (1871): sum(p1 q0) / sum(p0 q0); NULL where it is not defined';

CREATE FUNCTION laspeyres_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'laspeyres_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION laspeyres_quantity_index(index_sums) IS 'the same of sums: final function of laspeyres_quantity_index()';
CREATE AGGREGATE laspeyres_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = laspeyres_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE laspeyres_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: laspeyres_index with prices and quantities exchanged, sum(q1 p0) / sum(q0 p0); NULL where it is not defined';

CREATE FUNCTION paasche_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'paasche_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION paasche_index(index_sums) IS 'the same of sums: final function of paasche_index()';
CREATE AGGREGATE paasche_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = paasche_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE paasche_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Paasche (1874): sum(p1 q1) / sum(p0 q1); NULL where it is not defined';

CREATE FUNCTION paasche_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'paasche_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION paasche_quantity_index(index_sums) IS 'the same of sums: final function of paasche_quantity_index()';
CREATE AGGREGATE paasche_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = paasche_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE paasche_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: paasche_index with prices and quantities exchanged, sum(q1 p1) / sum(q0 p1); NULL where it is not defined';

CREATE FUNCTION fisher_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'fisher_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION fisher_index(index_sums) IS 'the same of sums: final function of fisher_index()';
CREATE AGGREGATE fisher_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = fisher_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE fisher_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Fisher (1922): the root of Laspeyres times Paasche; NULL where it is not defined';

CREATE FUNCTION fisher_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'fisher_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION fisher_quantity_index(index_sums) IS 'the same of sums: final function of fisher_quantity_index()';
CREATE AGGREGATE fisher_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = fisher_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE fisher_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: fisher_index with prices and quantities exchanged, the root of both quantity indices; NULL where it is not defined';

CREATE FUNCTION marshall_edgeworth_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'marshall_edgeworth_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION marshall_edgeworth_index(index_sums) IS 'the same of sums: final function of marshall_edgeworth_index()';
CREATE AGGREGATE marshall_edgeworth_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = marshall_edgeworth_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE marshall_edgeworth_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Marshall (1887), Edgeworth (1887): sum(p1 (q0 + q1)) / sum(p0 (q0 + q1)); NULL where it is not defined';

CREATE FUNCTION marshall_edgeworth_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'marshall_edgeworth_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION marshall_edgeworth_quantity_index(index_sums) IS 'the same of sums: final function of marshall_edgeworth_quantity_index()';
CREATE AGGREGATE marshall_edgeworth_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = marshall_edgeworth_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE marshall_edgeworth_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: marshall_edgeworth_index with prices and quantities exchanged, sum(q1 (p0 + p1)) / sum(q0 (p0 + p1)); NULL where it is not defined';

CREATE FUNCTION walsh_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'walsh_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION walsh_index(index_sums) IS 'the same of sums: final function of walsh_index()';
CREATE AGGREGATE walsh_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = walsh_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE walsh_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Walsh (1901): sum(p1 sqrt(q0 q1)) / sum(p0 sqrt(q0 q1)); NULL where it is not defined';

CREATE FUNCTION walsh_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'walsh_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION walsh_quantity_index(index_sums) IS 'the same of sums: final function of walsh_quantity_index()';
CREATE AGGREGATE walsh_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = walsh_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE walsh_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: walsh_index with prices and quantities exchanged, sum(q1 sqrt(p0 p1)) / sum(q0 sqrt(p0 p1)); NULL where it is not defined';

CREATE FUNCTION geometric_laspeyres_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'geometric_laspeyres_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION geometric_laspeyres_index(index_sums) IS 'the same of sums: final function of geometric_laspeyres_index()';
CREATE AGGREGATE geometric_laspeyres_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = geometric_laspeyres_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE geometric_laspeyres_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Jevons with the shares of base spend as weights; NULL where it is not defined';

CREATE FUNCTION geometric_laspeyres_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'geometric_laspeyres_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION geometric_laspeyres_quantity_index(index_sums) IS 'the same of sums: final function of geometric_laspeyres_quantity_index()';
CREATE AGGREGATE geometric_laspeyres_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = geometric_laspeyres_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE geometric_laspeyres_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: geometric_laspeyres_index with prices and quantities exchanged, the same of quantities; NULL where it is not defined';

CREATE FUNCTION geometric_paasche_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'geometric_paasche_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION geometric_paasche_index(index_sums) IS 'the same of sums: final function of geometric_paasche_index()';
CREATE AGGREGATE geometric_paasche_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = geometric_paasche_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE geometric_paasche_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Jevons with the shares of current spend as weights; NULL where it is not defined';

CREATE FUNCTION geometric_paasche_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'geometric_paasche_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION geometric_paasche_quantity_index(index_sums) IS 'the same of sums: final function of geometric_paasche_quantity_index()';
CREATE AGGREGATE geometric_paasche_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = geometric_paasche_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE geometric_paasche_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: geometric_paasche_index with prices and quantities exchanged, the same of quantities; NULL where it is not defined';

CREATE FUNCTION tornqvist_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tornqvist_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tornqvist_index(index_sums) IS 'the same of sums: final function of tornqvist_index()';
CREATE AGGREGATE tornqvist_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = tornqvist_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE tornqvist_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Tornqvist (1936): the mean of the logarithms of the ratios by the mean of both shares of spend; NULL where it is not defined';

CREATE FUNCTION tornqvist_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tornqvist_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tornqvist_quantity_index(index_sums) IS 'the same of sums: final function of tornqvist_quantity_index()';
CREATE AGGREGATE tornqvist_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = tornqvist_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE tornqvist_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: tornqvist_index with prices and quantities exchanged, the same of quantities; NULL where it is not defined';

CREATE FUNCTION montgomery_vartia_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'montgomery_vartia_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION montgomery_vartia_index(index_sums) IS 'the same of sums: final function of montgomery_vartia_index()';
CREATE AGGREGATE montgomery_vartia_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = montgomery_vartia_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE montgomery_vartia_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Montgomery (1937), Vartia (1976): the logarithms of the ratios by logarithmic means of spend; NULL where it is not defined';

CREATE FUNCTION montgomery_vartia_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'montgomery_vartia_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION montgomery_vartia_quantity_index(index_sums) IS 'the same of sums: final function of montgomery_vartia_quantity_index()';
CREATE AGGREGATE montgomery_vartia_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = montgomery_vartia_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE montgomery_vartia_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: montgomery_vartia_index with prices and quantities exchanged, the same of quantities; NULL where it is not defined';

CREATE FUNCTION jevons_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'jevons_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION jevons_index(index_sums) IS 'the same of sums: final function of jevons_index()';
CREATE AGGREGATE jevons_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = jevons_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE jevons_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Jevons (1865): the geometric mean of p1 / p0, unweighted; NULL where it is not defined';

CREATE FUNCTION jevons_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'jevons_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION jevons_quantity_index(index_sums) IS 'the same of sums: final function of jevons_quantity_index()';
CREATE AGGREGATE jevons_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = jevons_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE jevons_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: jevons_index with prices and quantities exchanged, of q1 / q0; NULL where it is not defined';

CREATE FUNCTION carli_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'carli_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION carli_index(index_sums) IS 'the same of sums: final function of carli_index()';
CREATE AGGREGATE carli_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = carli_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE carli_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Carli (1764): the arithmetic mean of p1 / p0, unweighted; it is biased upwards: its chain drifts; NULL where it is not defined';

CREATE FUNCTION carli_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'carli_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION carli_quantity_index(index_sums) IS 'the same of sums: final function of carli_quantity_index()';
CREATE AGGREGATE carli_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = carli_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE carli_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: carli_index with prices and quantities exchanged, of q1 / q0; NULL where it is not defined';

CREATE FUNCTION harmonic_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'harmonic_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION harmonic_index(index_sums) IS 'the same of sums: final function of harmonic_index()';
CREATE AGGREGATE harmonic_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = harmonic_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE harmonic_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Jevons, Coggeshall: the harmonic mean of p1 / p0, unweighted; NULL where it is not defined';

CREATE FUNCTION harmonic_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'harmonic_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION harmonic_quantity_index(index_sums) IS 'the same of sums: final function of harmonic_quantity_index()';
CREATE AGGREGATE harmonic_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = harmonic_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE harmonic_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: harmonic_index with prices and quantities exchanged, of q1 / q0; NULL where it is not defined';

CREATE FUNCTION dutot_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'dutot_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION dutot_index(index_sums) IS 'the same of sums: final function of dutot_index()';
CREATE AGGREGATE dutot_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = dutot_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE dutot_index(double precision, double precision, double precision, double precision) IS
    'price index of matched items, Dutot (1738): sum(p1) / sum(p0); of items in one unit; NULL where it is not defined';

CREATE FUNCTION dutot_quantity_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'dutot_quantity_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION dutot_quantity_index(index_sums) IS 'the same of sums: final function of dutot_quantity_index()';
CREATE AGGREGATE dutot_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = dutot_quantity_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE dutot_quantity_index(double precision, double precision, double precision, double precision) IS
    'quantity index of matched items: dutot_index with prices and quantities exchanged, sum(q1) / sum(q0); NULL where it is not defined';

CREATE FUNCTION turnover_index(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'turnover_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION turnover_index(index_sums) IS 'the same of sums: final function of turnover_index()';
CREATE AGGREGATE turnover_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = turnover_index,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE turnover_index(double precision, double precision, double precision, double precision) IS
    'what items that come and go do to the value: matched share of base spend / matched share of current spend; value ratio = fisher_index * fisher_quantity_index * turnover_index';

CREATE FUNCTION index_base_coverage(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'index_base_coverage' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION index_base_coverage(index_sums) IS 'the same of sums: final function of index_base_coverage()';
CREATE AGGREGATE index_base_coverage(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = index_base_coverage,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE index_base_coverage(double precision, double precision, double precision, double precision) IS
    'matched share of base spend; of the number of items where no quantity is known';

CREATE FUNCTION index_current_coverage(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'index_current_coverage' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION index_current_coverage(index_sums) IS 'the same of sums: final function of index_current_coverage()';
CREATE AGGREGATE index_current_coverage(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = index_current_coverage,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE index_current_coverage(double precision, double precision, double precision, double precision) IS
    'matched share of current spend; of the number of items where no quantity is known';

CREATE FUNCTION bennet(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'bennet' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bennet(index_sums) IS 'the same of sums: final function of bennet()';
CREATE AGGREGATE bennet(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = bennet,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE bennet(double precision, double precision, double precision, double precision) IS
    'price indicator of matched items, Bennet (1920): sum((p1 - p0) (q0 + q1) / 2); with bennet_quantity it adds up to the change of their value';

CREATE FUNCTION bennet_quantity(index_sums) RETURNS double precision
    AS 'MODULE_PATHNAME', 'bennet_quantity' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bennet_quantity(index_sums) IS 'the same of sums: final function of bennet_quantity()';
CREATE AGGREGATE bennet_quantity(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = index_sums_add,
    STYPE = index_sums,
    FINALFUNC = bennet_quantity,
    COMBINEFUNC = index_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE bennet_quantity(double precision, double precision, double precision, double precision) IS
    'quantity indicator of matched items, Bennet (1920): sum((q1 - q0) (p0 + p1) / 2)';

-- LMDI-I, over any number of factors

CREATE TYPE lmdi_sums;

CREATE FUNCTION lmdi_sums_in(cstring) RETURNS lmdi_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION lmdi_sums_out(lmdi_sums) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION lmdi_sums_recv(internal) RETURNS lmdi_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION lmdi_sums_send(lmdi_sums) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE lmdi_sums (
    INPUT = lmdi_sums_in,
    OUTPUT = lmdi_sums_out,
    RECEIVE = lmdi_sums_recv,
    SEND = lmdi_sums_send,
    INTERNALLENGTH = variable,
    ALIGNMENT = double,
    STORAGE = external
);

COMMENT ON TYPE lmdi_sums IS 'what the factors of a sum of products add to its change: the state of lmdi()';
COMMENT ON FUNCTION lmdi_sums_in(cstring) IS 'I/O';
COMMENT ON FUNCTION lmdi_sums_out(lmdi_sums) IS 'I/O';
COMMENT ON FUNCTION lmdi_sums_recv(internal) IS 'I/O';
COMMENT ON FUNCTION lmdi_sums_send(lmdi_sums) IS 'I/O';

CREATE FUNCTION lmdi_sums_add(lmdi_sums, double precision[], double precision[]) RETURNS lmdi_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION lmdi_sums_merge(lmdi_sums, lmdi_sums) RETURNS lmdi_sums
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION lmdi(lmdi_sums) RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmdi_effects' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION lmdi_index(lmdi_sums) RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmdi_indices' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmdi_sums_add(lmdi_sums, double precision[], double precision[]) IS 'transition function of lmdi()';
COMMENT ON FUNCTION lmdi_sums_merge(lmdi_sums, lmdi_sums) IS 'transition function of merge(lmdi_sums), combine function of lmdi()';
COMMENT ON FUNCTION lmdi(lmdi_sums) IS 'the same of sums: final function of lmdi()';
COMMENT ON FUNCTION lmdi_index(lmdi_sums) IS 'the same of sums: final function of lmdi_index()';

CREATE AGGREGATE lmdi(x0 double precision[], x1 double precision[]) (
    SFUNC = lmdi_sums_add,
    STYPE = lmdi_sums,
    FINALFUNC = lmdi,
    COMBINEFUNC = lmdi_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE lmdi(double precision[], double precision[]) IS
    'what each factor adds to the change of a sum of products, LMDI-I additive (Ang 2005): one row for each product, its factors before and after; they add up to the change; a factor that comes from zero, or goes to it, takes the whole change of its product';
CREATE AGGREGATE lmdi_index(x0 double precision[], x1 double precision[]) (
    SFUNC = lmdi_sums_add,
    STYPE = lmdi_sums,
    FINALFUNC = lmdi_index,
    COMBINEFUNC = lmdi_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE lmdi_index(double precision[], double precision[]) IS
    'the same as indices, LMDI-I multiplicative: their product is the ratio of the sums; NULL where one of these is zero';
CREATE AGGREGATE lmdi_sums(x0 double precision[], x1 double precision[]) (
    SFUNC = lmdi_sums_add,
    STYPE = lmdi_sums,
    COMBINEFUNC = lmdi_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE lmdi_sums(double precision[], double precision[]) IS 'the sums of lmdi() and lmdi_index(), to be kept and merged';
CREATE AGGREGATE merge(lmdi_sums) (
    SFUNC = lmdi_sums_merge,
    STYPE = lmdi_sums,
    COMBINEFUNC = lmdi_sums_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE merge(lmdi_sums) IS 'the sums over the products of all of them, in any order; NULL of none';
-- price_panel: prices and quantities over periods, and the indices of one.

CREATE TYPE price_panel;

CREATE FUNCTION price_panel_in(cstring) RETURNS price_panel
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
CREATE FUNCTION price_panel_out(price_panel) RETURNS cstring
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION price_panel_recv(internal) RETURNS price_panel
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION price_panel_send(price_panel) RETURNS bytea
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE price_panel (
    INPUT = price_panel_in,
    OUTPUT = price_panel_out,
    RECEIVE = price_panel_recv,
    SEND = price_panel_send,
    INTERNALLENGTH = variable,
    ALIGNMENT = double,
    STORAGE = external
);

COMMENT ON TYPE price_panel IS 'prices and quantities of items over periods, mergeable in any order; text form JSON';
COMMENT ON FUNCTION price_panel_in(cstring) IS 'I/O';
COMMENT ON FUNCTION price_panel_out(price_panel) IS 'I/O';
COMMENT ON FUNCTION price_panel_recv(internal) IS 'I/O';
COMMENT ON FUNCTION price_panel_send(price_panel) IS 'I/O';

CREATE FUNCTION price_panel_add(price_panel, timestamptz, text, double precision, double precision) RETURNS price_panel
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION price_panel_merge(price_panel, price_panel) RETURNS price_panel
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION price_panel_add(price_panel, timestamptz, text, double precision, double precision) IS 'transition function of price_panel()';
COMMENT ON FUNCTION price_panel_merge(price_panel, price_panel) IS 'transition function of merge(price_panel), combine function of price_panel() and merge(price_panel)';

CREATE AGGREGATE price_panel(period timestamptz, item text, price double precision, quantity double precision) (
    SFUNC = price_panel_add,
    STYPE = price_panel,
    COMBINEFUNC = price_panel_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE price_panel(timestamptz, text, double precision, double precision) IS
    'the panel of prices: several of one item in one period are one, their unit value; quantity NULL: not known, and then their mean; rows without a price are left out';

CREATE AGGREGATE merge(price_panel) (
    SFUNC = price_panel_merge,
    STYPE = price_panel,
    COMBINEFUNC = price_panel_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE merge(price_panel) IS 'the panel of all the prices of panels, in any order; NULL of none';

CREATE FUNCTION price_panel_cells(price_panel, OUT period timestamptz, OUT item text, OUT price double precision, OUT quantity double precision)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1000;
COMMENT ON FUNCTION price_panel_cells(price_panel) IS 'the prices and quantities of a panel, by period and item; quantity NULL: not known';

CREATE TYPE index_point AS (
    period timestamptz,
    index double precision,
    quantity_index double precision,
    turnover_index double precision,
    value_index double precision,
    link double precision,
    quantity_link double precision,
    matched_items bigint,
    base_coverage double precision,
    coverage double precision,
    base_period timestamptz
);
COMMENT ON TYPE index_point IS 'a period of an index, from chained_index() and fixed_base_index()';
COMMENT ON COLUMN index_point.period IS 'the period';
COMMENT ON COLUMN index_point.index IS 'price index, 1 in base_period; NULL where the period has no comparison';
COMMENT ON COLUMN index_point.quantity_index IS 'quantity index of the same method';
COMMENT ON COLUMN index_point.turnover_index IS 'what items that come and go do to the value: base_coverage / coverage';
COMMENT ON COLUMN index_point.value_index IS 'value of all items: of Fisher indices index * quantity_index * turnover_index';
COMMENT ON COLUMN index_point.link IS 'price index on the period compared with';
COMMENT ON COLUMN index_point.quantity_link IS 'quantity index on it';
COMMENT ON COLUMN index_point.matched_items IS 'items with a price in both';
COMMENT ON COLUMN index_point.base_coverage IS 'their share of the value of the period compared with; of the number of items where no quantity is known';
COMMENT ON COLUMN index_point.coverage IS 'their share of the value of this period';
COMMENT ON COLUMN index_point.base_period IS 'the period whose index counts as 1: the first, or the one at which the chain began anew';

CREATE FUNCTION chained_index(price_panel, method text) RETURNS SETOF index_point
    AS 'MODULE_PATHNAME', 'price_panel_chained' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 36;
COMMENT ON FUNCTION chained_index(price_panel, text) IS
    'each period of a panel against the one before it that has prices, multiplied up, by a method: fisher, tornqvist, walsh, laspeyres, paasche, marshall_edgeworth, geometric_laspeyres, geometric_paasche, montgomery_vartia, jevons, carli, harmonic, dutot; where nothing matches the chain ends and begins anew';
CREATE FUNCTION fixed_base_index(price_panel, method text) RETURNS SETOF index_point
    AS 'MODULE_PATHNAME', 'price_panel_fixed_base' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 36;
COMMENT ON FUNCTION fixed_base_index(price_panel, text) IS 'each period of a panel against its first one, by a method as of chained_index()';

CREATE TYPE geks_point AS (
    period timestamptz,
    index double precision,
    bridges integer,
    coverage double precision,
    base_period timestamptz
);
COMMENT ON TYPE geks_point IS 'a period of a GEKS index, from geks_index()';
COMMENT ON COLUMN geks_point.period IS 'the period';
COMMENT ON COLUMN geks_point.index IS 'price index, 1 in base_period; NULL where no period of the window links the two';
COMMENT ON COLUMN geks_point.bridges IS 'periods of the window by way of which the comparison is made';
COMMENT ON COLUMN geks_point.coverage IS 'matched share of the period''s value, the mean over the other periods of the window';
COMMENT ON COLUMN geks_point.base_period IS 'the period whose index counts as 1';

CREATE FUNCTION geks_index(price_panel, method text) RETURNS SETOF geks_point
    AS 'MODULE_PATHNAME', 'price_panel_geks' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 36 COST 1000;
CREATE FUNCTION geks_index(price_panel, method text, window_length integer) RETURNS SETOF geks_point
    AS 'MODULE_PATHNAME', 'price_panel_geks' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 36 COST 1000;
COMMENT ON FUNCTION geks_index(price_panel, text) IS
    'the multilateral index of a panel: Gini (1931), Elteto and Koves, Szulc (1964): the geometric mean of the comparisons by way of each period; method fisher, tornqvist (then also called CCDI), walsh or jevons';
COMMENT ON FUNCTION geks_index(price_panel, text, integer) IS
    'the same over windows of some periods: the first whole, each later period by its movement in the window that ends with it (movement splice); published numbers never change';

-- The same of a ledger's lines: an item is (provider, model, service tier,
-- threshold, off-peak, meter).

CREATE FUNCTION chained_index(ledger, method text, OUT provider text, OUT currency text,
                              OUT period timestamptz, OUT index double precision, OUT quantity_index double precision, OUT turnover_index double precision,
                              OUT value_index double precision, OUT link double precision, OUT quantity_link double precision, OUT matched_items bigint,
                              OUT base_coverage double precision, OUT coverage double precision, OUT base_period timestamptz) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'ledger_chained_index' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 300;
CREATE FUNCTION chained_index(ledger, method text, providers text[], models text[], items text[], OUT provider text, OUT currency text,
                              OUT period timestamptz, OUT index double precision, OUT quantity_index double precision, OUT turnover_index double precision,
                              OUT value_index double precision, OUT link double precision, OUT quantity_link double precision, OUT matched_items bigint,
                              OUT base_coverage double precision, OUT coverage double precision, OUT base_period timestamptz) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'ledger_chained_index' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 300;
CREATE FUNCTION geks_index(ledger, method text, window_length integer, OUT provider text, OUT currency text,
                           OUT period timestamptz, OUT index double precision, OUT bridges integer, OUT coverage double precision, OUT base_period timestamptz) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'ledger_geks_index' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 300 COST 1000;
COMMENT ON FUNCTION chained_index(ledger, text) IS
    'the chained indices of a ledger''s priced lines by currency, of all providers (provider NULL) and of each: an item is (provider, model, service tier, threshold, off-peak, meter), its price the contracted cost by its count';
COMMENT ON FUNCTION chained_index(ledger, text, text[], text[], text[]) IS
    'the same, with items in place of some models: the n-th item for the n-th provider and model; an item may be named provider/model, which is what any other model is called';
COMMENT ON FUNCTION geks_index(ledger, text, integer) IS 'the GEKS indices of the same over windows of some periods';

-- Makes the table in the schema that comes first in search_path; called by
-- install().
CREATE PROCEDURE install_price_panel() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE TABLE IF NOT EXISTS index_item (
        provider text NOT NULL,
        model text NOT NULL,
        index_item text NOT NULL,
        note text,
        PRIMARY KEY (provider, model),
        CONSTRAINT index_item_names_not_empty CHECK (provider <> '' AND model <> '' AND index_item <> '')
    );
    COMMENT ON TABLE index_item IS
        'tokenomics: which models count as one item of the generation index: a successor and its predecessor, or all models of a band of intelligence';
    COMMENT ON COLUMN index_item.provider IS 'provider of the model';
    COMMENT ON COLUMN index_item.model IS 'the model, as the calls name it';
    COMMENT ON COLUMN index_item.index_item IS
        'what it counts as: provider/model of its predecessor, which needs no row of its own; or the name of a band, which each of its models has';
    COMMENT ON COLUMN index_item.note IS 'why: a remark of yours';
END
$install$;
COMMENT ON PROCEDURE install_price_panel() IS 'part of install(): the table of items of the generation index, in the first schema of search_path';

CREATE PROCEDURE uninstall_price_panel() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP TABLE IF EXISTS index_item;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_price_panel() IS 'part of uninstall(): drops what install_price_panel() made';
-- Why an amount changed: what each factor of a product did to it.

CREATE FUNCTION log_mean(a double precision, b double precision) RETURNS double precision
    AS 'MODULE_PATHNAME', 'bridge_log_mean' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION log_mean(double precision, double precision) IS
    'the logarithmic mean (a - b) / ln(a / b); a where they are equal, 0 where one of them is';

CREATE FUNCTION shapley_effects(factors_0 numeric[], factors_1 numeric[]) RETURNS numeric[]
    AS 'MODULE_PATHNAME', 'bridge_shapley_effects' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION shapley_effects(numeric[], numeric[]) IS
    'what each factor did to the change of a product of up to 16 (Shapley 1953, Sun 1998): the mean over all orders in which they may change; to 12 decimals, and together exactly the change';

CREATE FUNCTION lmdi_effects(value_0 numeric, value_1 numeric, factors_0 double precision[], factors_1 double precision[]) RETURNS numeric[]
    AS 'MODULE_PATHNAME', 'bridge_lmdi_effects' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmdi_effects(numeric, numeric, double precision[], double precision[]) IS
    'what each factor did to the change of a value that is their product, but for a constant (LMDI-I, Ang 2005): log_mean(value_1, value_0) * ln(factor_1 / factor_0); where the value is zero, factors that are zero share all; to 12 decimals, and together exactly the change';

CREATE TYPE bill_effects AS (
    price_effect numeric,
    volume_effect numeric,
    mix_effect numeric,
    new_effect numeric,
    discontinued_effect numeric,
    currency_effect numeric
);
COMMENT ON TYPE bill_effects IS 'why the bill of an item changed, from bill_effects(); the columns add up exactly to the change';
COMMENT ON COLUMN bill_effects.price_effect IS 'what its price did';
COMMENT ON COLUMN bill_effects.volume_effect IS 'what the quantity of all items did';
COMMENT ON COLUMN bill_effects.mix_effect IS 'what its share of that quantity did';
COMMENT ON COLUMN bill_effects.new_effect IS 'its whole cost, where it was not there before';
COMMENT ON COLUMN bill_effects.discontinued_effect IS 'its whole cost, below zero, where it is not there any more';
COMMENT ON COLUMN bill_effects.currency_effect IS 'what the exchange rate did';

CREATE FUNCTION bill_effects(
    cost_0 numeric, quantity_0 numeric, cost_1 numeric, quantity_1 numeric,
    total_quantity_0 numeric, total_quantity_1 numeric
) RETURNS bill_effects
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bill_effects(numeric, numeric, numeric, numeric, numeric, numeric) IS
    'why the cost of an item changed from cost_0 to cost_1 (quantity of all items x its share x its price, by Shapley); a quantity of NULL: it was not there, and is new or discontinued; 0: it was, unused, and what it costs is mix; total_quantity: the sum over the items that are there at both times';

CREATE FUNCTION bill_effects(
    cost_0 numeric, quantity_0 numeric, cost_1 numeric, quantity_1 numeric,
    total_quantity_0 numeric, total_quantity_1 numeric,
    converted_0 numeric, converted_1 numeric
) RETURNS bill_effects
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bill_effects(numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
    'the same in another currency: converted is what the cost is in it; the change of the exchange rate is an effect';

CREATE FUNCTION bill_effects_of_part(
    part_cost_0 numeric, part_quantity_0 numeric, part_cost_1 numeric, part_quantity_1 numeric,
    cost_0 numeric, quantity_0 numeric, cost_1 numeric, quantity_1 numeric,
    total_quantity_0 numeric, total_quantity_1 numeric
) RETURNS bill_effects
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bill_effects_of_part(numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
    'what a part of an item, such as a team''s, contributed to the effects of the item; the effects of a whole are those of bill_effects(), and of adjacent parts the differences of running sums add up to them exactly';

CREATE FUNCTION bill_effects_of_part(
    part_cost_0 numeric, part_quantity_0 numeric, part_cost_1 numeric, part_quantity_1 numeric,
    cost_0 numeric, quantity_0 numeric, cost_1 numeric, quantity_1 numeric,
    total_quantity_0 numeric, total_quantity_1 numeric,
    part_converted_0 numeric, part_converted_1 numeric, converted_0 numeric, converted_1 numeric
) RETURNS bill_effects
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bill_effects_of_part(numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
    'the same in another currency';

CREATE FUNCTION bill_effects_lmdi(
    cost_0 numeric, quantity_0 numeric, cost_1 numeric, quantity_1 numeric,
    total_quantity_0 numeric, total_quantity_1 numeric
) RETURNS bill_effects
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bill_effects_lmdi(numeric, numeric, numeric, numeric, numeric, numeric) IS
    'as bill_effects(), by LMDI-I (Ang 2005)';

CREATE FUNCTION bill_effects_lmdi(
    cost_0 numeric, quantity_0 numeric, cost_1 numeric, quantity_1 numeric,
    total_quantity_0 numeric, total_quantity_1 numeric,
    converted_0 numeric, converted_1 numeric
) RETURNS bill_effects
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bill_effects_lmdi(numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
    'as bill_effects() in another currency, by LMDI-I (Ang 2005)';
-- Why the bill of priced calls changed, from ledgers.

CREATE FUNCTION bill_contributions(
    ledgers ledger[],
    numbers integer[],
    first integer,
    last integer,
    distances integer[],
    group_by text[],
    in_currency text,
    rate_numbers integer[],
    rate_periods timestamptz[],
    rate_currencies text[],
    rates numeric[],
    rates_are_inverse boolean[],
    charged numeric[],
    OUT distance integer,
    OUT n integer,
    OUT provider text,
    OUT model text,
    OUT service_tier text,
    OUT meter text,
    OUT label text,
    OUT currency text,
    OUT tokens_0 bigint,
    OUT tokens_1 bigint,
    OUT spend_0 numeric,
    OUT spend_1 numeric,
    OUT price_effect numeric,
    OUT volume_effect numeric,
    OUT mix_effect numeric,
    OUT new_effect numeric,
    OUT discontinued_effect numeric,
    OUT currency_effect numeric
) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1000 COST 1000;
COMMENT ON FUNCTION bill_contributions(ledger[], integer[], integer, integer, integer[], text[], text, integer[], timestamptz[], text[], numeric[], boolean[], numeric[]) IS
    'the effects of bill_effects() and bill_effects_of_part() over the priced lines of ledgers, added up by some of provider, model, service_tier, meter and label: of periods that are some distances apart, by the numbers of the ledgers'' periods (none: months, 12 x year + month - 1) from first to last; in_currency: what has rates is converted, of each period and currency behind what is charged beside the calls';

CREATE FUNCTION bill_driver_effects(
    ledgers ledger[],
    numbers integer[],
    distances integer[],
    driver_numbers integer[],
    drivers double precision[],
    OUT distance integer,
    OUT n integer,
    OUT currency text,
    OUT spend_0 numeric,
    OUT spend_1 numeric,
    OUT users_effect numeric,
    OUT sessions_per_user_effect numeric,
    OUT turns_per_session_effect numeric,
    OUT calls_per_turn_effect numeric,
    OUT tokens_per_call_effect numeric,
    OUT reasoning_effect numeric,
    OUT coverage_effect numeric,
    OUT tokens_effect numeric,
    OUT cache_effect numeric,
    OUT mix_effect numeric,
    OUT price_effect numeric
) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 100 COST 1000;
COMMENT ON FUNCTION bill_driver_effects(ledger[], integer[], integer[], integer[], double precision[]) IS
    'the same by drivers of demand, by LMDI-I of each item: drivers: for each of driver_numbers users, sessions per user, turns per session, calls per turn, tokens per call, the multiplier of reasoning, and their product; of periods without them tokens_effect alone';
-- The tables of prices: price, model_alias, fx_rate, setting, and the functions
-- of an install that read and correct them.

-- Refuses what would change history: a row of a recorded fact may be closed,
-- once, and nothing else.
CREATE FUNCTION keep_history() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT upper_inf(NEW.recorded) OR isempty(NEW.recorded)
            OR lower(NEW.recorded) IS NULL OR lower(NEW.recorded) < transaction_timestamp() THEN
            RAISE EXCEPTION USING
                ERRCODE = 'integrity_constraint_violation',
                MESSAGE = format('a row of "%s" must be recorded when it is inserted', TG_TABLE_NAME),
                DETAIL = format('Column "recorded" is %s.', NEW.recorded),
                HINT = 'Leave the column out. To restore a dump of the data alone, use --disable-triggers.';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        wanted := OLD;
        wanted.recorded := tstzrange(lower(OLD.recorded), upper(NEW.recorded));
        wanted.closed_by := NEW.closed_by;
        wanted.closed_reason := NEW.closed_reason;
        IF upper_inf(OLD.recorded) AND NOT upper_inf(NEW.recorded)
            AND NEW.closed_by IS NOT NULL AND wanted OPERATOR(pg_catalog.*=) NEW THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = format('%s of "%s" is refused: it would change history', TG_OP, TG_TABLE_NAME),
        HINT = CASE TG_TABLE_NAME
            WHEN 'price' THEN 'Use correct_price(), which closes the old row and adds a new one.'
            ELSE 'Use set_alias(), which closes the old row and adds a new one.' END;
END
$$;
COMMENT ON FUNCTION keep_history() IS
    'trigger of price and model_alias: rows are closed by correct_price() and set_alias(), never changed or deleted';

-- Makes the tables and functions in the schema that comes first in search_path;
-- called by install().
CREATE PROCEDURE install_price() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE TABLE IF NOT EXISTS setting (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        zone text NOT NULL DEFAULT 'UTC'
            CHECK (pg_catalog.timezone(zone, '2000-01-01 00:00:00+00'::timestamptz) IS NOT NULL),
        currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z][A-Z0-9_]{2,7}$'),
        fiscal_year_start integer NOT NULL DEFAULT 1 CHECK (fiscal_year_start BETWEEN 1 AND 12),
        book text NOT NULL DEFAULT 'list' CHECK (book <> '')
    );
    COMMENT ON TABLE setting IS 'tokenomics: settings of this install, one row';
    COMMENT ON COLUMN setting.only_row IS 'there is one row';
    COMMENT ON COLUMN setting.zone IS 'reporting time zone: where days and months begin';
    COMMENT ON COLUMN setting.currency IS 'reporting currency';
    COMMENT ON COLUMN setting.fiscal_year_start IS 'month in which the fiscal year begins, 1 to 12';
    COMMENT ON COLUMN setting.book IS 'the book by which views price calls';
    INSERT INTO setting DEFAULT VALUES ON CONFLICT DO NOTHING;

    CREATE TABLE IF NOT EXISTS price (
        book text NOT NULL DEFAULT 'list' CHECK (book <> ''),
        provider text NOT NULL CHECK (provider <> ''),
        model text NOT NULL CHECK (model <> ''),
        service_tier text NOT NULL DEFAULT 'standard' CHECK (service_tier <> ''),
        above_input_tokens bigint NOT NULL DEFAULT 0 CHECK (above_input_tokens >= 0),
        rates tokenomics.rates NOT NULL,
        valid tstzrange NOT NULL DEFAULT tstzrange(NULL, NULL) CHECK (NOT isempty(valid)),
        tier_basis text NOT NULL DEFAULT 'input_total' CHECK (tier_basis IN ('input_total', 'uncached')),
        tier_mode text NOT NULL DEFAULT 'whole' CHECK (tier_mode IN ('whole', 'graduated')),
        off_peak int4multirange NOT NULL DEFAULT '{}' CHECK (off_peak <@ '{[0,10080)}'::int4multirange),
        off_peak_zone text NOT NULL DEFAULT 'UTC'
            CHECK (pg_catalog.timezone(off_peak_zone, '2000-01-01 00:00:00+00'::timestamptz) IS NOT NULL),
        recorded tstzrange NOT NULL DEFAULT tstzrange(clock_timestamp(), NULL),
        source text NOT NULL DEFAULT '',
        recorded_by text NOT NULL DEFAULT session_user,
        reason text NOT NULL DEFAULT '',
        closed_by text,
        closed_reason text,
        CONSTRAINT price_overlap EXCLUDE USING gist
            (book WITH =, provider WITH =, model WITH =, service_tier WITH =, above_input_tokens WITH =,
             valid WITH &&, recorded WITH &&) WHERE (isempty(off_peak)),
        CONSTRAINT price_off_peak_overlap EXCLUDE USING gist
            (book WITH =, provider WITH =, model WITH =, service_tier WITH =, above_input_tokens WITH =,
             valid WITH &&, recorded WITH &&, off_peak WITH &&) WHERE (NOT isempty(off_peak)),
        CONSTRAINT price_consistent EXCLUDE USING gist
            (book WITH =, provider WITH =, model WITH =, service_tier WITH =, valid WITH &&,
             (tokenomics.currency(rates) || ' ' || tier_basis || ' ' || tier_mode) WITH <>)
            WHERE (upper_inf(recorded)) DEFERRABLE INITIALLY DEFERRED,
        CONSTRAINT price_one_zone EXCLUDE USING gist
            (book WITH =, provider WITH =, model WITH =, off_peak_zone WITH <>)
            WHERE (upper_inf(recorded) AND NOT isempty(off_peak)) DEFERRABLE INITIALLY DEFERRED
    );
    CREATE INDEX IF NOT EXISTS price_model ON price (book, provider, model);
    COMMENT ON TABLE price IS 'tokenomics: prices, by when they are charged (valid) and when they were known (recorded)';
    COMMENT ON COLUMN price.book IS 'price list or contract; any book but "list" falls through to "list"';
    COMMENT ON COLUMN price.provider IS 'who charges it';
    COMMENT ON COLUMN price.model IS 'model, as the provider names it';
    COMMENT ON COLUMN price.service_tier IS 'standard, batch, flex, priority, ...';
    COMMENT ON COLUMN price.above_input_tokens IS 'threshold: the price applies to calls with more input tokens than this';
    COMMENT ON COLUMN price.rates IS 'price of a million tokens of each meter';
    COMMENT ON COLUMN price.valid IS 'when the provider charges it';
    COMMENT ON COLUMN price.tier_basis IS 'what the threshold counts: input_total, or uncached (without cache reads and writes)';
    COMMENT ON COLUMN price.tier_mode IS 'whole: the highest threshold exceeded prices the whole call; graduated: each slice at its own rate';
    COMMENT ON COLUMN price.off_peak IS 'minutes of the week, Monday 00:00 being 0, in which it applies; empty: a base price, for all other minutes';
    COMMENT ON COLUMN price.off_peak_zone IS 'time zone of off_peak; one for a model in a book';
    COMMENT ON COLUMN price.recorded IS 'when it was known: set at insertion, closed by a correction';
    COMMENT ON COLUMN price.source IS 'where it is from';
    COMMENT ON COLUMN price.recorded_by IS 'who recorded it';
    COMMENT ON COLUMN price.reason IS 'why it was recorded';
    COMMENT ON COLUMN price.closed_by IS 'who found it wrong';
    COMMENT ON COLUMN price.closed_reason IS 'why it was found wrong';

    CREATE TABLE IF NOT EXISTS model_alias (
        provider text NOT NULL DEFAULT '',
        alias text NOT NULL CHECK (alias <> ''),
        is_pattern boolean NOT NULL DEFAULT false,
        to_provider text NOT NULL DEFAULT '',
        to_model text NOT NULL CHECK (to_model <> ''),
        rank integer NOT NULL DEFAULT 100,
        recorded tstzrange NOT NULL DEFAULT tstzrange(clock_timestamp(), NULL),
        source text NOT NULL DEFAULT '',
        recorded_by text NOT NULL DEFAULT session_user,
        reason text NOT NULL DEFAULT '',
        closed_by text,
        closed_reason text,
        CONSTRAINT model_alias_is_regex CHECK (NOT is_pattern OR '' ~ alias IS NOT NULL),
        CONSTRAINT model_alias_overlap EXCLUDE USING gist
            (provider WITH =, alias WITH =, (is_pattern::integer) WITH =, to_provider WITH =, recorded WITH &&)
    );
    COMMENT ON TABLE model_alias IS 'tokenomics: other names of priced models, tried when a name itself has no price: exact ones, then patterns by rank';
    COMMENT ON COLUMN model_alias.provider IS 'provider of the call; empty: any';
    COMMENT ON COLUMN model_alias.alias IS 'model as the call names it; a regular expression where is_pattern';
    COMMENT ON COLUMN model_alias.is_pattern IS 'whether alias is a regular expression';
    COMMENT ON COLUMN model_alias.to_provider IS 'provider that prices it; empty: that of the call';
    COMMENT ON COLUMN model_alias.to_model IS 'model that prices it; of a pattern with \1 to \9 for its groups and \& for all of the name';
    COMMENT ON COLUMN model_alias.rank IS 'order in which patterns are tried, lowest first';
    COMMENT ON COLUMN model_alias.recorded IS 'when it was known: set at insertion, closed by set_alias()';
    COMMENT ON COLUMN model_alias.source IS 'where it is from';
    COMMENT ON COLUMN model_alias.recorded_by IS 'who recorded it';
    COMMENT ON COLUMN model_alias.reason IS 'why it was recorded';
    COMMENT ON COLUMN model_alias.closed_by IS 'who found it wrong';
    COMMENT ON COLUMN model_alias.closed_reason IS 'why it was found wrong';

    CREATE TABLE IF NOT EXISTS fx_rate (
        base_currency text NOT NULL CHECK (base_currency ~ '^[A-Z][A-Z0-9_]{2,7}$'),
        quote_currency text NOT NULL CHECK (quote_currency ~ '^[A-Z][A-Z0-9_]{2,7}$'),
        kind text NOT NULL DEFAULT 'daily' CHECK (kind IN ('daily', 'month_average', 'month_end')),
        day date NOT NULL CHECK (isfinite(day)),
        rate numeric NOT NULL CHECK (rate > 0 AND rate < 'infinity'),
        source text NOT NULL DEFAULT '',
        PRIMARY KEY (base_currency, quote_currency, kind, day),
        CHECK (base_currency <> quote_currency),
        CHECK (kind = 'daily' OR extract(day FROM day) = 1)
    );
    COMMENT ON TABLE fx_rate IS 'tokenomics: exchange rates, by day or month';
    COMMENT ON COLUMN fx_rate.base_currency IS 'one unit of this currency ...';
    COMMENT ON COLUMN fx_rate.quote_currency IS '... costs rate units of this one';
    COMMENT ON COLUMN fx_rate.kind IS 'daily, month_average or month_end';
    COMMENT ON COLUMN fx_rate.day IS 'the day; of a month''s rate its first day';
    COMMENT ON COLUMN fx_rate.rate IS 'units of quote_currency for one of base_currency';
    COMMENT ON COLUMN fx_rate.source IS 'where it is from';

    CREATE OR REPLACE TRIGGER keep_history BEFORE INSERT OR UPDATE OR DELETE ON price
        FOR EACH ROW EXECUTE FUNCTION tokenomics.keep_history();
    CREATE OR REPLACE TRIGGER keep_history_truncate BEFORE TRUNCATE ON price
        FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.keep_history();
    CREATE OR REPLACE TRIGGER keep_history BEFORE INSERT OR UPDATE OR DELETE ON model_alias
        FOR EACH ROW EXECUTE FUNCTION tokenomics.keep_history();
    CREATE OR REPLACE TRIGGER keep_history_truncate BEFORE TRUNCATE ON model_alias
        FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.keep_history();

    CREATE OR REPLACE FUNCTION book(name text DEFAULT NULL, as_known_at timestamptz DEFAULT NULL)
        RETURNS tokenomics.price_book
        LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        wanted text := coalesce(book.name, (SELECT s.book FROM setting s));
        layer text;
        one tokenomics.price_book;
        complete tokenomics.price_book;
    BEGIN
        IF wanted <> 'list' AND NOT EXISTS (SELECT FROM price p WHERE p.book = wanted) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_object',
                MESSAGE = format('there is no book "%s"', wanted),
                HINT = 'The books are: ' || coalesce((SELECT string_agg(DISTINCT format('"%s"', p.book), ', ') FROM price p), 'none') || '.';
        END IF;
        complete := (SELECT tokenomics.model_aliases(a, as_known_at) FROM model_alias a
                     WHERE as_known_at IS NOT NULL OR upper_inf(a.recorded));
        FOREACH layer IN ARRAY CASE WHEN wanted = 'list' THEN ARRAY['list'] ELSE ARRAY['list', wanted] END LOOP
            one := coalesce(
                (SELECT tokenomics.price_book(p, as_known_at) FROM price p
                 WHERE p.book = layer AND (as_known_at IS NOT NULL OR upper_inf(p.recorded))),
                jsonb_build_object('books', jsonb_build_array(jsonb_build_object('book', layer)))::text::tokenomics.price_book);
            complete := coalesce(tokenomics.overlay_books(one, complete), one);
        END LOOP;
        RETURN complete;
    END
    $$;
    COMMENT ON FUNCTION book(text, timestamptz) IS
        'the complete price book: the book named (by default that of "setting") over "list", with aliases; as known now, or as it was known at a time';

    CREATE OR REPLACE FUNCTION correct_price(
        provider text,
        model text,
        rates tokenomics.rates,
        valid tstzrange,
        reason text,
        book text DEFAULT 'list',
        service_tier text DEFAULT 'standard',
        above_input_tokens bigint DEFAULT 0,
        tier_basis text DEFAULT 'input_total',
        tier_mode text DEFAULT 'whole',
        off_peak int4multirange DEFAULT '{}',
        off_peak_zone text DEFAULT 'UTC',
        source text DEFAULT ''
    ) RETURNS integer
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        wrong price;
        known timestamptz;
        closed integer := 0;
    BEGIN
        IF coalesce(correct_price.reason, '') = '' OR correct_price.valid IS NULL OR isempty(correct_price.valid)
            OR correct_price.provider IS NULL OR correct_price.model IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'a correction needs provider, model, a period that is not empty, and a reason',
                HINT = 'Rates of NULL withdraw the price for the period.';
        END IF;
        LOCK TABLE price IN SHARE ROW EXCLUSIVE MODE;

        IF (SELECT coalesce(range_agg(p.valid) @> correct_price.valid, false) FROM price p
            WHERE p.book = correct_price.book AND p.provider = correct_price.provider
              AND p.model = correct_price.model AND p.service_tier = correct_price.service_tier
              AND p.above_input_tokens = correct_price.above_input_tokens AND upper_inf(p.recorded)
              AND p.valid && correct_price.valid AND p.off_peak = correct_price.off_peak
              AND (isempty(p.off_peak) OR p.off_peak_zone = correct_price.off_peak_zone)
              AND p.tier_basis = correct_price.tier_basis AND p.tier_mode = correct_price.tier_mode
              AND p.rates OPERATOR(tokenomics.=) correct_price.rates) THEN
            RETURN 0;
        END IF;

        known := clock_timestamp();
        FOR wrong IN
            SELECT * FROM price p
            WHERE p.book = correct_price.book AND p.provider = correct_price.provider
              AND p.model = correct_price.model AND p.service_tier = correct_price.service_tier
              AND p.above_input_tokens = correct_price.above_input_tokens AND upper_inf(p.recorded)
              AND p.valid && correct_price.valid
              AND isempty(p.off_peak) = isempty(correct_price.off_peak)
              AND (isempty(p.off_peak) OR p.off_peak && correct_price.off_peak)
        LOOP
            known := greatest(known, lower(wrong.recorded) + interval '1 microsecond');
            UPDATE price p
            SET recorded = tstzrange(lower(wrong.recorded), known),
                closed_by = session_user, closed_reason = correct_price.reason
            WHERE p.book = wrong.book AND p.provider = wrong.provider AND p.model = wrong.model
              AND p.service_tier = wrong.service_tier AND p.above_input_tokens = wrong.above_input_tokens
              AND p.valid = wrong.valid AND p.recorded = wrong.recorded AND p.off_peak = wrong.off_peak;
            closed := closed + 1;
            -- what the old row said of other times and windows still holds
            INSERT INTO price (book, provider, model, service_tier, above_input_tokens, rates, valid, tier_basis,
                               tier_mode, off_peak, off_peak_zone, recorded, source, reason)
            SELECT wrong.book, wrong.provider, wrong.model, wrong.service_tier, wrong.above_input_tokens, wrong.rates,
                   rest.valid, wrong.tier_basis, wrong.tier_mode, rest.off_peak, wrong.off_peak_zone,
                   tstzrange(known, NULL), wrong.source, correct_price.reason
            FROM (SELECT unnest(tstzmultirange(wrong.valid) - tstzmultirange(correct_price.valid)), wrong.off_peak
                  UNION ALL
                  SELECT wrong.valid * correct_price.valid, wrong.off_peak - correct_price.off_peak
                  WHERE NOT isempty(wrong.off_peak - correct_price.off_peak)) AS rest(valid, off_peak);
        END LOOP;
        IF correct_price.rates IS NOT NULL THEN
            INSERT INTO price (book, provider, model, service_tier, above_input_tokens, rates, valid, tier_basis,
                               tier_mode, off_peak, off_peak_zone, recorded, source, reason)
            VALUES (correct_price.book, correct_price.provider, correct_price.model, correct_price.service_tier,
                    correct_price.above_input_tokens, correct_price.rates, correct_price.valid,
                    correct_price.tier_basis, correct_price.tier_mode, correct_price.off_peak,
                    correct_price.off_peak_zone, tstzrange(known, NULL), correct_price.source, correct_price.reason);
        END IF;
        RETURN closed;
    END
    $$;
    COMMENT ON FUNCTION correct_price(text, text, tokenomics.rates, tstzrange, text, text, text, bigint, text, text, int4multirange, text, text) IS
        'says what a price was in a period: closes the rows that said otherwise, keeps what they said of other times, and adds a new one (none where rates is NULL); returns how many rows it closed';

    CREATE OR REPLACE FUNCTION set_alias(
        alias text,
        to_model text,
        reason text,
        provider text DEFAULT '',
        to_provider text DEFAULT '',
        is_pattern boolean DEFAULT false,
        rank integer DEFAULT 100,
        source text DEFAULT ''
    ) RETURNS boolean
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        old model_alias;
        known timestamptz;
    BEGIN
        IF coalesce(set_alias.alias, '') = '' OR coalesce(set_alias.reason, '') = '' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'an alias needs a name and a reason',
                HINT = 'A model of NULL withdraws the alias.';
        END IF;
        LOCK TABLE model_alias IN SHARE ROW EXCLUSIVE MODE;
        known := clock_timestamp();
        SELECT * INTO old FROM model_alias a
        WHERE a.provider = set_alias.provider AND a.alias = set_alias.alias AND a.is_pattern = set_alias.is_pattern
          AND a.to_provider = set_alias.to_provider AND upper_inf(a.recorded);
        IF FOUND THEN
            IF old.to_model = set_alias.to_model AND old.rank = set_alias.rank THEN
                RETURN false;
            END IF;
            known := greatest(known, lower(old.recorded) + interval '1 microsecond');
            UPDATE model_alias a
            SET recorded = tstzrange(lower(old.recorded), known),
                closed_by = session_user, closed_reason = set_alias.reason
            WHERE a.provider = old.provider AND a.alias = old.alias AND a.is_pattern = old.is_pattern
              AND a.to_provider = old.to_provider AND a.recorded = old.recorded;
        ELSIF set_alias.to_model IS NULL THEN
            RETURN false;
        END IF;
        IF set_alias.to_model IS NOT NULL THEN
            INSERT INTO model_alias (provider, alias, is_pattern, to_provider, to_model, rank, recorded, source, reason)
            VALUES (set_alias.provider, set_alias.alias, set_alias.is_pattern, set_alias.to_provider,
                    set_alias.to_model, set_alias.rank, tstzrange(known, NULL), set_alias.source, set_alias.reason);
        END IF;
        RETURN true;
    END
    $$;
    COMMENT ON FUNCTION set_alias(text, text, text, text, text, boolean, integer, text) IS
        'makes, changes or (with a model of NULL) withdraws an alias and keeps what was known before; returns whether anything changed';
END
$install$;
COMMENT ON PROCEDURE install_price() IS 'part of install(): the tables of prices and their functions, in the first schema of search_path';

CREATE PROCEDURE uninstall_price() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP FUNCTION IF EXISTS
        set_alias(text, text, text, text, text, boolean, integer, text),
        correct_price(text, text, tokenomics.rates, tstzrange, text, text, text, bigint, text, text, int4multirange, text, text),
        book(text, timestamptz);
    DROP TABLE IF EXISTS fx_rate, model_alias, price, setting;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_price() IS 'part of uninstall(): drops what install_price() made';
-- Published price lists: from their documents to rows of prices, and from those
-- into an install.

CREATE TYPE imported_price AS (
    provider text,
    model text,
    service_tier text,
    above_input_tokens bigint,
    rates rates,
    valid tstzrange,
    tier_basis text,
    tier_mode text,
    off_peak int4multirange,
    off_peak_zone text,
    source text,
    field text,
    skipped text
);
COMMENT ON TYPE imported_price IS
    'a row of a published price list: a price, or (with NULL rates) something that was skipped';
COMMENT ON COLUMN imported_price.provider IS 'as price.provider';
COMMENT ON COLUMN imported_price.model IS 'as price.model';
COMMENT ON COLUMN imported_price.service_tier IS 'as price.service_tier';
COMMENT ON COLUMN imported_price.above_input_tokens IS 'as price.above_input_tokens';
COMMENT ON COLUMN imported_price.rates IS 'as price.rates; NULL: something that was skipped';
COMMENT ON COLUMN imported_price.valid IS 'as price.valid; NULL: in force at the date of the list';
COMMENT ON COLUMN imported_price.tier_basis IS 'as price.tier_basis';
COMMENT ON COLUMN imported_price.tier_mode IS 'as price.tier_mode';
COMMENT ON COLUMN imported_price.off_peak IS 'as price.off_peak';
COMMENT ON COLUMN imported_price.off_peak_zone IS 'as price.off_peak_zone';
COMMENT ON COLUMN imported_price.source IS 'as price.source';
COMMENT ON COLUMN imported_price.field IS 'the field that was skipped; NULL: the whole model';
COMMENT ON COLUMN imported_price.skipped IS 'why it was skipped';

-- A number of a JSON document, which a program wrote from a float, times a
-- power of ten; NULL where it is not a number.
CREATE FUNCTION document_number(value jsonb, factor numeric) RETURNS numeric
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN pg_catalog.jsonb_typeof(value) = 'number'
        OR (pg_catalog.jsonb_typeof(value) = 'string'
            AND (value #>> '{}') ~ '^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$')
    THEN pg_catalog.trim_scale(round_float_noise((value #>> '{}')::numeric) * factor)
END;
COMMENT ON FUNCTION document_number(jsonb, numeric) IS
    'a number of a published price list, read to 15 significant digits and multiplied exactly; NULL where the value is not a number';

-- Whether a price per million is one that rates hold.
CREATE FUNCTION fits_rate(numeric) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN $1 IS NOT NULL AND $1 >= 0 AND $1 <= 9223372036 AND pg_catalog.scale(pg_catalog.trim_scale($1)) <= 9;
COMMENT ON FUNCTION fits_rate(numeric) IS 'whether a price per million fits rates: 0 to 9223372036, at most 9 decimals';

/*
 * LiteLLM: {"model": {"input_cost_per_token": 3e-06, ...}, ...}, in US dollars
 * a token.  A field is a base name, a threshold and a service tier:
 *     cache_read_input_token_cost _above_200k_tokens _priority
 * LiteLLM looks each of them up on its own and falls back to the standard
 * tier, then below the threshold; what it would charge is written out here, so
 * that each row is complete.  Reasoning goes with the output rate it was
 * listed beside.
 */
CREATE FUNCTION litellm_prices(document jsonb) RETURNS SETOF imported_price
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
WITH base_field(base, meter, preference) AS (
    VALUES ('input_cost_per_token', 'input', 1),
        ('output_cost_per_token', 'output', 1),
        ('cache_read_input_token_cost', 'cache_read', 1),
        ('input_cost_per_token_cache_hit', 'cache_read', 2),
        ('cache_creation_input_token_cost', 'cache_write', 1),
        ('cache_creation_input_token_cost_above_1hr', 'cache_write_1h', 1),
        ('output_cost_per_reasoning_token', 'reasoning', 1),
        ('input_cost_per_audio_token', 'audio_input', 1),
        ('output_cost_per_audio_token', 'audio_output', 1),
        ('input_cost_per_image_token', 'image_input', 1),
        ('output_cost_per_image_token', 'image_output', 1)
), entry AS (
    SELECT e.key AS model, e.value AS fields,
           pg_catalog.jsonb_typeof(e.value) = 'object' AND e.value ->> 'litellm_provider' <> '' AS is_model,
           coalesce(CASE WHEN pg_catalog.jsonb_typeof(e.value) = 'object' THEN e.value ->> 'litellm_provider' END, '') AS provider
    FROM pg_catalog.jsonb_each(document) AS e
    WHERE e.key <> 'sample_spec'
), field AS (
    -- fields beside the model, and those of its list of tiers
    SELECT n.model, n.provider, f.key AS field, f.value, NULL::bigint AS above, f.key AS name,
           coalesce(n.fields ->> 'web_search_billing_unit', 'per_query') AS search_unit
    FROM entry n, pg_catalog.jsonb_each(n.fields) AS f
    WHERE n.is_model AND f.key ~ '(cost|price|pricing|multiplier)' AND f.key !~ '^(supports_|tiered_pricing$)'
      AND f.value <> 'null'::jsonb
    UNION ALL
    SELECT n.model, n.provider, f.key, f.value, (document_number(t.value #> '{range,0}', 1))::bigint,
           pg_catalog.format('tiered_pricing[%s].%s', t.ordinality - 1, f.key), NULL
    FROM entry n,
         pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(n.fields -> 'tiered_pricing') = 'array'
                                         THEN n.fields -> 'tiered_pricing' ELSE '[]'::jsonb END) WITH ORDINALITY AS t,
         pg_catalog.jsonb_each(CASE WHEN pg_catalog.jsonb_typeof(t.value) = 'object' THEN t.value ELSE '{}'::jsonb END) AS f
    WHERE n.is_model AND f.key <> 'range' AND f.value <> 'null'::jsonb
), parsed AS (
    SELECT f.*, b.meter, b.preference,
           -- xAI counts from the threshold on, all others above it
           coalesce(f.above, (p.part[3])::bigint * 1000, 0)
               - CASE WHEN f.provider = 'xai' AND p.part[3] IS NOT NULL THEN 1 ELSE 0 END AS above_input_tokens,
           CASE p.part[5] WHEN 'batches' THEN 'batch' WHEN 'batch_requests' THEN 'batch' ELSE coalesce(p.part[5], 'standard') END AS service_tier,
           document_number(f.value, 1000000) AS rate
    FROM field f
    LEFT JOIN LATERAL pg_catalog.regexp_match(f.field,
        '^(.*?)(_above_([0-9]{1,9})k_tokens)?(_(flex|priority|batches|batch_requests))?$') AS p(part) ON true
    LEFT JOIN base_field b ON b.base = p.part[1]
), searched AS (
    -- the price of a web search, where it does not depend on what was searched
    SELECT f.model, f.field, f.name, f.provider,
           (SELECT CASE WHEN pg_catalog.count(DISTINCT s.value) = 1 THEN pg_catalog.min(document_number(s.value, 1000000)) END
            FROM pg_catalog.jsonb_each(CASE WHEN pg_catalog.jsonb_typeof(f.value) = 'object' THEN f.value ELSE '{}'::jsonb END) AS s) AS rate
    FROM field f
    WHERE f.field = 'search_context_cost_per_query' AND f.search_unit = 'per_query'
), rate AS (
    SELECT DISTINCT ON (p.model, p.meter, p.service_tier, p.above_input_tokens)
           p.model, p.meter, p.service_tier, p.above_input_tokens, p.rate
    FROM parsed p WHERE p.meter IS NOT NULL
    ORDER BY p.model, p.meter, p.service_tier, p.above_input_tokens, p.preference
), skipped_model AS (
    SELECT DISTINCT ON (p.model) p.model, p.provider,
           pg_catalog.format('%s is %s: a rate per million is 0 to 9223372036 with at most 9 decimals', p.name, p.value #>> '{}') AS why
    FROM parsed p WHERE p.meter IS NOT NULL AND NOT fits_rate(p.rate)
    ORDER BY p.model, p.name
), zero_model AS (
    -- all token rates 0, because it is billed by another unit: that is not free
    SELECT p.model, p.provider, pg_catalog.min(p.name) FILTER (WHERE p.meter IS NULL AND p.rate > 0) AS billed_by
    FROM parsed p
    WHERE p.field !~ 'multiplier' AND p.field <> 'search_context_cost_per_query'
    GROUP BY p.model, p.provider
    HAVING pg_catalog.bool_and(p.rate = 0) FILTER (WHERE p.meter IS NOT NULL)
       AND pg_catalog.bool_or(p.rate > 0) FILTER (WHERE p.meter IS NULL)
), good AS (
    SELECT n.model, n.provider FROM entry n
    WHERE n.is_model AND EXISTS (SELECT FROM rate r WHERE r.model = n.model)
      AND NOT EXISTS (SELECT FROM skipped_model s WHERE s.model = n.model)
      AND NOT EXISTS (SELECT FROM zero_model z WHERE z.model = n.model)
), target AS (
    -- every service tier at every threshold of its own and of the standard tier
    SELECT DISTINCT t.model, t.service_tier, a.above_input_tokens
    FROM rate t JOIN rate a ON a.model = t.model AND a.service_tier IN (t.service_tier, 'standard')
), level(priority, other_tier, other_threshold) AS (
    VALUES (1, false, false), (2, true, false), (3, false, true), (4, true, true)
), found AS (
    SELECT DISTINCT ON (t.model, t.service_tier, t.above_input_tokens, r.meter)
           t.model, t.service_tier, t.above_input_tokens, r.meter, r.rate, l.priority
    FROM target t
    CROSS JOIN level l
    JOIN rate r ON r.model = t.model
        AND r.service_tier = CASE WHEN l.other_tier THEN 'standard' ELSE t.service_tier END
        AND r.above_input_tokens = CASE WHEN l.other_threshold THEN 0 ELSE t.above_input_tokens END
    ORDER BY t.model, t.service_tier, t.above_input_tokens, r.meter, l.priority
), complete AS (
    SELECT f.model, f.service_tier, f.above_input_tokens,
           pg_catalog.jsonb_object_agg(f.meter, f.rate) FILTER (WHERE f.meter <> 'reasoning' OR f.priority <= coalesce(o.priority, 9)) AS meters
    FROM found f
    LEFT JOIN found o ON o.model = f.model AND o.service_tier = f.service_tier
        AND o.above_input_tokens = f.above_input_tokens AND o.meter = 'output'
    GROUP BY f.model, f.service_tier, f.above_input_tokens
)
SELECT g.provider, g.model, c.service_tier, c.above_input_tokens,
       rates(c.meters || pg_catalog.jsonb_build_object('currency', 'USD')
             || CASE WHEN fits_rate(s.rate) THEN pg_catalog.jsonb_build_object('tool_calls', s.rate) ELSE '{}'::jsonb END),
       NULL::tstzrange, 'input_total', 'whole', '{}'::int4multirange, 'UTC', 'litellm', NULL::text, NULL::text
FROM good g JOIN complete c USING (model) LEFT JOIN searched s USING (model)
UNION ALL
SELECT s.provider, s.model, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'litellm', NULL, s.why
FROM skipped_model s
UNION ALL
SELECT z.provider, z.model, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'litellm', NULL,
       pg_catalog.format('all its token rates are 0 and it is billed by %s', z.billed_by)
FROM zero_model z
UNION ALL
SELECT n.provider, n.model, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'litellm', NULL,
       CASE WHEN n.is_model THEN 'it has no token rate' ELSE 'it is not a model: it names no litellm_provider' END
FROM entry n
WHERE NOT n.is_model OR NOT EXISTS (SELECT FROM rate r WHERE r.model = n.model)
UNION ALL
SELECT p.provider, p.model, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'litellm', p.name,
       CASE WHEN p.field = 'search_context_cost_per_query' THEN 'a web search has no single price'
            WHEN p.field ~ 'multiplier' THEN 'a multiplier of another endpoint, not a rate'
            ELSE 'there is no meter for this unit' END
FROM parsed p
WHERE p.meter IS NULL AND p.name !~ '\.max_results_range$'
  AND NOT EXISTS (SELECT FROM searched s JOIN good g USING (model) WHERE s.model = p.model AND s.name = p.name AND fits_rate(s.rate));
END;
COMMENT ON FUNCTION litellm_prices(jsonb) IS
    'the prices in a LiteLLM model_prices_and_context_window document, and what of it was skipped and why';

/*
 * genai-prices (pydantic): [{"id": provider, "models": [{"id": model,
 * "prices": {"input_mtok": 3, ...}}]}].  Prices are a number or {base, tiers};
 * a list of prices has constraints, and the last that holds wins: a date from
 * which, or a window of the day in which.  Of the two prices of a day the
 * cheaper is the off-peak one.
 */
CREATE FUNCTION genai_prices(document jsonb) RETURNS SETOF imported_price
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
WITH unit_meter(unit, meter, factor) AS (
    VALUES ('input_mtok', 'input', 1),
        ('output_mtok', 'output', 1),
        ('cache_read_mtok', 'cache_read', 1),
        ('cache_write_mtok', 'cache_write', 1),
        ('cache_write_1h_mtok', 'cache_write_1h', 1),
        ('output_reasoning_mtok', 'reasoning', 1),
        ('input_audio_mtok', 'audio_input', 1),
        ('output_audio_mtok', 'audio_output', 1),
        ('input_image_mtok', 'image_input', 1),
        ('output_image_mtok', 'image_output', 1),
        ('web_searches_kcount', 'tool_calls', 1000)
), entry AS (
    SELECT p.value ->> 'id' AS provider, m.value ->> 'id' AS model, e.ordinality AS entry,
           CASE WHEN pg_catalog.jsonb_typeof(m.value -> 'prices') = 'array' THEN e.value -> 'prices' ELSE e.value END AS prices,
           CASE WHEN pg_catalog.jsonb_typeof(m.value -> 'prices') = 'array'
                     AND pg_catalog.jsonb_typeof(e.value -> 'constraint') = 'object' THEN e.value -> 'constraint' END AS condition
    FROM pg_catalog.jsonb_array_elements(document) AS p,
         pg_catalog.jsonb_array_elements(p.value -> 'models') AS m,
         pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(m.value -> 'prices') = 'array' THEN m.value -> 'prices'
                                         ELSE pg_catalog.jsonb_build_array(m.value -> 'prices') END) WITH ORDINALITY AS e
), unit AS (
    SELECT e.provider, e.model, e.entry, u.key AS unit, u.value, b.meter, b.factor,
           CASE WHEN pg_catalog.jsonb_typeof(u.value) = 'object' THEN u.value -> 'base' ELSE u.value END AS base,
           CASE WHEN pg_catalog.jsonb_typeof(u.value -> 'tiers') = 'array' THEN u.value -> 'tiers' ELSE '[]'::jsonb END AS tiers
    FROM entry e, pg_catalog.jsonb_each(CASE WHEN pg_catalog.jsonb_typeof(e.prices) = 'object' THEN e.prices ELSE '{}'::jsonb END) AS u
    LEFT JOIN unit_meter b ON b.unit = u.key
    WHERE u.value <> 'null'::jsonb
), step AS (
    SELECT u.provider, u.model, u.entry, u.unit, u.meter, 0::bigint AS above, document_number(u.base, u.factor) AS rate, u.base AS value
    FROM unit u WHERE u.meter IS NOT NULL
    UNION ALL
    SELECT u.provider, u.model, u.entry, u.unit, u.meter, (document_number(t.value -> 'start', 1))::bigint,
           document_number(t.value -> 'price', u.factor), t.value -> 'price'
    FROM unit u, pg_catalog.jsonb_array_elements(u.tiers) AS t WHERE u.meter IS NOT NULL
), kind AS (
    SELECT e.provider, e.model,
           pg_catalog.bool_or(e.condition ? 'start_date') AS by_date,
           pg_catalog.bool_or(e.condition ? 'start_time') AS by_time,
           pg_catalog.bool_and(coalesce(NOT e.condition ? 'start_time'
               OR (e.condition ->> 'start_time' ~ '^[0-2][0-9]:[0-5][0-9]:00Z$'
                   AND e.condition ->> 'end_time' ~ '^[0-2][0-9]:[0-5][0-9]:00Z$'), true)) AS times_known,
           pg_catalog.count(*) AS entries,
           pg_catalog.count(*) FILTER (WHERE e.condition IS NULL) AS unconditional,
           pg_catalog.bool_and(e.condition IS NULL OR e.condition ? 'start_date' OR e.condition ? 'start_time') AS understood
    FROM entry e GROUP BY e.provider, e.model
), skipped_model AS (
    SELECT DISTINCT ON (s.provider, s.model) s.provider, s.model,
           pg_catalog.format('%s is %s: a rate per million is 0 to 9223372036 with at most 9 decimals', s.unit, s.value #>> '{}') AS why
    FROM step s WHERE NOT fits_rate(s.rate) OR s.above IS NULL OR s.above < 0
    UNION ALL
    SELECT k.provider, k.model, 'its prices have constraints that are not understood'
    FROM kind k
    WHERE NOT k.understood OR NOT k.times_known OR (k.by_date AND k.by_time) OR k.unconditional <> 1
       OR (k.by_time AND k.entries <> 2)
), good AS (
    SELECT k.* FROM kind k
    WHERE NOT EXISTS (SELECT FROM skipped_model s WHERE s.provider = k.provider AND s.model = k.model)
      AND EXISTS (SELECT FROM step s WHERE s.provider = k.provider AND s.model = k.model)
), threshold AS (
    SELECT DISTINCT s.provider, s.model, s.entry, s.above FROM step s
), row_rates AS (
    -- at each threshold every meter has the rate of the highest start below it
    SELECT t.provider, t.model, t.entry, t.above,
           rates(pg_catalog.jsonb_build_object('currency', 'USD') || pg_catalog.jsonb_object_agg(r.meter, r.rate)) AS rates
    FROM threshold t
    JOIN LATERAL (SELECT DISTINCT ON (s.meter) s.meter, s.rate FROM step s
                  WHERE s.provider = t.provider AND s.model = t.model AND s.entry = t.entry AND s.above <= t.above
                  ORDER BY s.meter, s.above DESC) AS r ON true
    JOIN good g ON g.provider = t.provider AND g.model = t.model
    GROUP BY t.provider, t.model, t.entry, t.above
), dated AS (
    SELECT e.provider, e.model, e.entry,
           (e.condition ->> 'start_date' || ' 00:00:00+00')::timestamptz AS starts
    FROM entry e JOIN good g ON g.provider = e.provider AND g.model = e.model AND coalesce(g.by_date, false)
), period AS (
    SELECT d.provider, d.model, d.entry,
           pg_catalog.tstzrange(d.starts, pg_catalog.lead(d.starts) OVER (PARTITION BY d.provider, d.model ORDER BY d.starts NULLS FIRST, d.entry)) AS valid
    FROM dated d
), daily AS (
    SELECT e.provider, e.model, e.entry AS in_window, u.entry AS otherwise,
           (pg_catalog.extract('hour', (pg_catalog.left(e.condition ->> 'start_time', 8))::time) * 60
            + pg_catalog.extract('minute', (pg_catalog.left(e.condition ->> 'start_time', 8))::time))::integer AS starts,
           (pg_catalog.extract('hour', (pg_catalog.left(e.condition ->> 'end_time', 8))::time) * 60
            + pg_catalog.extract('minute', (pg_catalog.left(e.condition ->> 'end_time', 8))::time))::integer AS ends
    FROM entry e
    JOIN good g ON g.provider = e.provider AND g.model = e.model AND coalesce(g.by_time, false)
    JOIN entry u ON u.provider = e.provider AND u.model = e.model AND u.condition IS NULL
    WHERE e.condition IS NOT NULL
), peak AS (
    SELECT d.provider, d.model, cheaper.entry AS off_peak_entry,
           CASE WHEN cheaper.entry = d.in_window THEN w.minutes ELSE '{[0,10080)}'::int4multirange - w.minutes END AS minutes
    FROM daily d
    CROSS JOIN LATERAL (
        SELECT pg_catalog.range_agg(r.minutes) AS minutes
        FROM pg_catalog.generate_series(0, 6) AS day,
             LATERAL (VALUES (CASE WHEN d.starts < d.ends THEN pg_catalog.int4range(day * 1440 + d.starts, day * 1440 + d.ends)
                              ELSE pg_catalog.int4range(day * 1440 + d.starts, day * 1440 + 1440) END),
                             (CASE WHEN d.starts < d.ends THEN 'empty'::int4range
                              ELSE pg_catalog.int4range(day * 1440, day * 1440 + d.ends) END)) AS r(minutes)) AS w
    CROSS JOIN LATERAL (
        SELECT r.entry FROM row_rates r
        WHERE r.provider = d.provider AND r.model = d.model AND r.entry IN (d.in_window, d.otherwise) AND r.above = 0
        ORDER BY effective_rate(r.rates, 'input') + effective_rate(r.rates, 'output'), r.entry LIMIT 1) AS cheaper
)
SELECT r.provider, r.model, 'standard', r.above, r.rates, p.valid, 'input_total', 'whole',
       CASE WHEN k.off_peak_entry = r.entry THEN k.minutes ELSE '{}'::int4multirange END, 'UTC', 'genai-prices', NULL::text, NULL::text
FROM row_rates r
LEFT JOIN period p ON p.provider = r.provider AND p.model = r.model AND p.entry = r.entry
LEFT JOIN peak k ON k.provider = r.provider AND k.model = r.model
UNION ALL
SELECT s.provider, s.model, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'genai-prices', NULL, s.why FROM skipped_model s
UNION ALL
SELECT k.provider, k.model, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'genai-prices', NULL, 'it has no token rate'
FROM kind k
WHERE NOT EXISTS (SELECT FROM step s WHERE s.provider = k.provider AND s.model = k.model)
  AND NOT EXISTS (SELECT FROM skipped_model s WHERE s.provider = k.provider AND s.model = k.model)
UNION ALL
SELECT DISTINCT u.provider, u.model, NULL::text, NULL::bigint, NULL::rates, NULL::tstzrange, NULL::text, NULL::text,
       NULL::int4multirange, NULL::text, 'genai-prices', u.unit, 'there is no meter for this unit'
FROM unit u WHERE u.meter IS NULL;
END;
COMMENT ON FUNCTION genai_prices(jsonb) IS
    'the prices in a genai-prices document, and what of it was skipped and why';

CREATE TYPE imported_alias AS (
    provider text,
    alias text,
    is_pattern boolean,
    to_provider text,
    to_model text,
    rank integer
);
COMMENT ON TYPE imported_alias IS 'an alias that a published price list states';
COMMENT ON COLUMN imported_alias.provider IS 'as model_alias.provider';
COMMENT ON COLUMN imported_alias.alias IS 'as model_alias.alias';
COMMENT ON COLUMN imported_alias.is_pattern IS 'as model_alias.is_pattern';
COMMENT ON COLUMN imported_alias.to_provider IS 'as model_alias.to_provider';
COMMENT ON COLUMN imported_alias.to_model IS 'as model_alias.to_model';
COMMENT ON COLUMN imported_alias.rank IS 'as model_alias.rank';

-- "match" of genai-prices: {"equals": x}, {"starts_with": x}, {"or": [...]}, ...
-- A list of alternatives ("or") is taken apart; "and" has no counterpart.
CREATE FUNCTION genai_aliases(document jsonb) RETURNS SETOF imported_alias
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
WITH RECURSIVE clause AS (
    SELECT p.value ->> 'id' AS provider, m.value ->> 'id' AS model, m.ordinality::integer AS rank, m.value -> 'match' AS match
    FROM pg_catalog.jsonb_array_elements(document) AS p,
         pg_catalog.jsonb_array_elements(p.value -> 'models') WITH ORDINALITY AS m
    UNION ALL
    SELECT c.provider, c.model, c.rank, o.value
    FROM clause c, pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(c.match -> 'or') = 'array' THEN c.match -> 'or' ELSE '[]'::jsonb END) AS o
), term AS (
    SELECT c.provider, c.model, c.rank, t.key AS kind, t.value #>> '{}' AS text,
           pg_catalog.regexp_replace(t.value #>> '{}', '([][\\.(){}*+?^$|])', '\\\1', 'g') AS quoted
    FROM clause c, pg_catalog.jsonb_each(CASE WHEN pg_catalog.jsonb_typeof(c.match) = 'object' THEN c.match ELSE '{}'::jsonb END) AS t
    WHERE pg_catalog.jsonb_typeof(t.value) = 'string' AND t.value #>> '{}' <> ''
)
SELECT DISTINCT ON (t.provider, alias, is_pattern)
       t.provider,
       CASE t.kind WHEN 'equals' THEN t.text WHEN 'starts_with' THEN '^' || t.quoted WHEN 'ends_with' THEN t.quoted || '$'
                   WHEN 'contains' THEN t.quoted ELSE t.text END AS alias,
       t.kind <> 'equals' AS is_pattern, '', pg_catalog.replace(t.model, '\', '\\'), t.rank
FROM term t
WHERE t.kind IN ('equals', 'starts_with', 'ends_with', 'contains', 'regex') AND NOT (t.kind = 'equals' AND t.text = t.model)
ORDER BY t.provider, alias, is_pattern, t.rank;
END;
COMMENT ON FUNCTION genai_aliases(jsonb) IS 'the aliases that the match clauses of a genai-prices document state';

CREATE FUNCTION genai_provider_aliases(document jsonb) RETURNS SETOF imported_alias
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
SELECT p.value ->> 'id', '^.+$', true, f.value, '\&', 1000000
FROM pg_catalog.jsonb_array_elements(document) AS p,
     pg_catalog.jsonb_array_elements_text(CASE WHEN pg_catalog.jsonb_typeof(p.value -> 'fallback_model_providers') = 'array'
                                          THEN p.value -> 'fallback_model_providers' ELSE '[]'::jsonb END) AS f;
END;
COMMENT ON FUNCTION genai_provider_aliases(jsonb) IS 'the providers of a genai-prices document that fall through to another, as aliases of all their models';

CREATE PROCEDURE install_price_import() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION import_prices(
        imported tokenomics.imported_price[],
        as_of timestamptz,
        book text,
        OUT provider text,
        OUT model text,
        OUT service_tier text,
        OUT above_input_tokens bigint,
        OUT outcome text,
        OUT detail text
    ) RETURNS SETOF record
        LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        i record;
        is_same boolean;
        other record;
        closed integer;
        fresh tokenomics.imported_price[];
        known tokenomics.imported_price[];
    BEGIN
        LOCK TABLE price IN SHARE ROW EXCLUSIVE MODE;
        as_of := coalesce(as_of, now());

        SELECT array_agg(n) FILTER (WHERE m.model IS NULL), array_agg(n) FILTER (WHERE m.model IS NOT NULL)
        INTO fresh, known
        FROM unnest(imported) AS n
        LEFT JOIN (SELECT DISTINCT p.provider, p.model FROM price p
                   WHERE p.book = import_prices.book AND upper_inf(p.recorded)) AS m
            ON m.provider = n.provider AND m.model = n.model
        WHERE n.rates IS NOT NULL;

        -- models that have no price yet, in one go
        FOR i IN
            INSERT INTO price AS p (book, provider, model, service_tier, above_input_tokens, rates, valid, tier_basis,
                               tier_mode, off_peak, off_peak_zone, source, reason)
            SELECT import_prices.book, n.provider, n.model, n.service_tier, n.above_input_tokens, n.rates,
                   coalesce(n.valid, tstzrange(nullif(as_of, '-infinity'), NULL)), n.tier_basis, n.tier_mode,
                   n.off_peak, n.off_peak_zone, n.source, 'import of ' || n.source
            FROM unnest(fresh) AS n
            RETURNING p.provider, p.model, p.service_tier, p.above_input_tokens, p.valid
        LOOP
            provider := i.provider;
            model := i.model;
            service_tier := i.service_tier;
            above_input_tokens := i.above_input_tokens;
            outcome := 'taken';
            detail := 'new';
            RETURN NEXT;
        END LOOP;

        -- models that have: a new version only where something changed
        FOR i IN
            SELECT n.*, coalesce(n.valid, tstzrange(nullif(as_of, '-infinity'), upper(h.valid))) AS period
            FROM unnest(known) AS n
            LEFT JOIN LATERAL (
                -- the row in force at the date, or the stretch up to the next one
                SELECT CASE WHEN p.valid @> as_of THEN p.valid ELSE tstzrange(nullif(as_of, '-infinity'), lower(p.valid)) END AS valid
                FROM price p
                WHERE p.book = import_prices.book AND p.provider = n.provider AND p.model = n.model
                  AND p.service_tier = n.service_tier AND p.above_input_tokens = n.above_input_tokens
                  AND isempty(p.off_peak) = isempty(n.off_peak) AND upper_inf(p.recorded)
                  AND (p.valid @> as_of OR lower(p.valid) > as_of)
                ORDER BY lower(p.valid) NULLS FIRST LIMIT 1) AS h ON true
        LOOP
            provider := i.provider;
            model := i.model;
            service_tier := i.service_tier;
            above_input_tokens := i.above_input_tokens;
            SELECT count(*) > 0 AND range_agg(p.valid) @> i.period
                   AND bool_and(p.rates OPERATOR(tokenomics.=) i.rates AND p.tier_basis = i.tier_basis
                                AND p.tier_mode = i.tier_mode AND p.off_peak = i.off_peak
                                AND (isempty(p.off_peak) OR p.off_peak_zone = i.off_peak_zone))
            INTO is_same
            FROM price p
            WHERE p.book = import_prices.book AND p.provider = i.provider AND p.model = i.model
              AND p.service_tier = i.service_tier AND p.above_input_tokens = i.above_input_tokens
              AND isempty(p.off_peak) = isempty(i.off_peak) AND upper_inf(p.recorded) AND p.valid && i.period;
            -- another list's price, and a correction by hand, stand: say so
            SELECT p.source, p.recorded_by, p.reason INTO other
            FROM price p
            WHERE NOT coalesce(is_same, false)
              AND p.book = import_prices.book AND p.provider = i.provider AND p.model = i.model
              AND p.service_tier = i.service_tier AND p.above_input_tokens = i.above_input_tokens
              AND isempty(p.off_peak) = isempty(i.off_peak) AND upper_inf(p.recorded) AND p.valid && i.period
              AND split_part(p.source, ':', 1) <> split_part(i.source, ':', 1)
            LIMIT 1;
            IF is_same THEN
                outcome := 'unchanged';
                detail := NULL;
            ELSIF FOUND THEN
                outcome := 'skipped';
                detail := format('it differs from the price recorded by %s (source "%s", reason "%s")',
                                 other.recorded_by, other.source, other.reason);
            ELSE
                closed := correct_price(i.provider, i.model, i.rates, i.period, 'import of ' || i.source,
                                        book => import_prices.book, service_tier => i.service_tier,
                                        above_input_tokens => i.above_input_tokens, tier_basis => i.tier_basis,
                                        tier_mode => i.tier_mode, off_peak => i.off_peak,
                                        off_peak_zone => i.off_peak_zone, source => i.source);
                outcome := 'taken';
                detail := CASE WHEN closed > 0 THEN 'changed' ELSE 'new' END;
            END IF;
            RETURN NEXT;
        END LOOP;

        -- tiers and windows of a listed model that its list no longer has
        FOR i IN
            SELECT p.*, tstzrange(nullif(as_of, '-infinity'), upper(p.valid)) AS period
            FROM price p
            WHERE p.book = import_prices.book AND upper_inf(p.recorded) AND p.valid @> as_of
              AND EXISTS (SELECT FROM unnest(imported) AS n
                          WHERE n.provider = p.provider AND n.model = p.model AND split_part(n.source, ':', 1) = split_part(p.source, ':', 1)
                            AND n.rates IS NOT NULL)
              AND NOT EXISTS (SELECT FROM unnest(imported) AS n
                              WHERE n.provider = p.provider AND n.model = p.model AND n.rates IS NOT NULL
                                AND n.service_tier = p.service_tier AND n.above_input_tokens = p.above_input_tokens
                                AND n.off_peak = p.off_peak AND coalesce(n.valid @> as_of, true))
        LOOP
            provider := i.provider;
            model := i.model;
            service_tier := i.service_tier;
            above_input_tokens := i.above_input_tokens;
            PERFORM correct_price(i.provider, i.model, NULL, i.period, 'no longer listed by ' || i.source,
                                  book => import_prices.book, service_tier => i.service_tier,
                                  above_input_tokens => i.above_input_tokens, tier_basis => i.tier_basis,
                                  tier_mode => i.tier_mode, off_peak => i.off_peak, off_peak_zone => i.off_peak_zone);
            outcome := 'taken';
            detail := 'ended: no longer listed';
            RETURN NEXT;
        END LOOP;

        RETURN QUERY
            SELECT n.provider, n.model, n.service_tier, n.above_input_tokens, 'skipped',
                   concat_ws(': ', n.field, n.skipped)
            FROM unnest(imported) AS n WHERE n.rates IS NULL;
    END
    $$;
    COMMENT ON FUNCTION import_prices(tokenomics.imported_price[], timestamptz, text) IS
        'brings rows of a published price list into a book: a new version only where something changed; reports each row as taken, unchanged or skipped';

    CREATE OR REPLACE FUNCTION import_aliases(imported tokenomics.imported_alias[], source text) RETURNS integer
        LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        n tokenomics.imported_alias;
        taken integer := 0;
    BEGIN
        FOR n IN
            SELECT i.* FROM unnest(imported) AS i
            WHERE NOT EXISTS (SELECT FROM model_alias a
                              WHERE a.provider = i.provider AND a.alias = i.alias AND a.is_pattern = i.is_pattern
                                AND a.to_provider = i.to_provider AND upper_inf(a.recorded)
                                AND ((a.to_model = i.to_model AND a.rank = i.rank) OR a.source <> import_aliases.source))
        LOOP
            taken := taken + set_alias(n.alias, n.to_model, 'import of ' || import_aliases.source, n.provider,
                                       n.to_provider, n.is_pattern, n.rank, import_aliases.source)::integer;
        END LOOP;
        RETURN taken;
    END
    $$;
    COMMENT ON FUNCTION import_aliases(tokenomics.imported_alias[], text) IS
        'brings aliases of a published price list into model_alias, except where one of another source stands; returns how many changed';

    CREATE OR REPLACE FUNCTION import_litellm_prices(
        document jsonb,
        as_of timestamptz DEFAULT now(),
        book text DEFAULT 'list',
        OUT provider text,
        OUT model text,
        OUT service_tier text,
        OUT above_input_tokens bigint,
        OUT outcome text,
        OUT detail text
    ) RETURNS SETOF record
        LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off
    AS $$
    BEGIN
        IF coalesce(jsonb_typeof(document), 'null') <> 'object' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'this is not a LiteLLM price list',
                DETAIL = 'Expected an object whose keys are models.',
                HINT = 'LiteLLM publishes it as model_prices_and_context_window.json.';
        END IF;
        RETURN QUERY SELECT * FROM import_prices(ARRAY(SELECT p FROM tokenomics.litellm_prices(document) AS p), as_of, book);
    END
    $$;
    COMMENT ON FUNCTION import_litellm_prices(jsonb, timestamptz, text) IS
        'imports a LiteLLM model_prices_and_context_window document, as in force from a date on; reports each row as taken, unchanged or skipped, and why';

    CREATE OR REPLACE FUNCTION import_genai_prices(
        document jsonb,
        as_of timestamptz DEFAULT now(),
        book text DEFAULT 'list',
        OUT provider text,
        OUT model text,
        OUT service_tier text,
        OUT above_input_tokens bigint,
        OUT outcome text,
        OUT detail text
    ) RETURNS SETOF record
        LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off
    AS $$
    BEGIN
        IF coalesce(jsonb_typeof(document), 'null') <> 'array'
            OR EXISTS (SELECT FROM jsonb_array_elements(document) AS p
                       WHERE jsonb_typeof(p.value) <> 'object' OR jsonb_typeof(p.value -> 'models') IS DISTINCT FROM 'array'
                          OR coalesce(p.value ->> 'id', '') = '') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'this is not a genai-prices price list',
                DETAIL = 'Expected a list of providers, each with "id" and "models".',
                HINT = 'genai-prices publishes it as prices/data.json.';
        END IF;
        PERFORM import_aliases(ARRAY(SELECT a FROM tokenomics.genai_aliases(document) AS a
                                     UNION ALL SELECT a FROM tokenomics.genai_provider_aliases(document) AS a),
                               'genai-prices');
        RETURN QUERY SELECT * FROM import_prices(ARRAY(SELECT p FROM tokenomics.genai_prices(document) AS p), as_of, book);
    END
    $$;
    COMMENT ON FUNCTION import_genai_prices(jsonb, timestamptz, text) IS
        'imports a genai-prices document and its aliases; prices without dates are in force from a date on; reports each row as taken, unchanged or skipped, and why';
END
$install$;
COMMENT ON PROCEDURE install_price_import() IS 'part of install(): the importers of price lists, in the first schema of search_path';

CREATE PROCEDURE uninstall_price_import() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP FUNCTION IF EXISTS
        import_genai_prices(jsonb, timestamptz, text),
        import_litellm_prices(jsonb, timestamptz, text),
        import_aliases(tokenomics.imported_alias[], text),
        import_prices(tokenomics.imported_price[], timestamptz, text);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_price_import() IS 'part of uninstall(): drops what install_price_import() made';
-- Prices that ship with the extension: facts, each with its source and the day
-- it was read; dated changes where the vendor announced them.

-- service tier "standard"; rates in US dollars per million tokens; off_peak in
-- minutes of the week in UTC
CREATE FUNCTION default_prices() RETURNS SETOF imported_price
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
SELECT p.provider, p.model, 'standard', p.above_input_tokens, p.rates::rates, p.valid::tstzrange,
       'input_total', 'whole', p.off_peak::int4multirange, 'UTC', p.source, NULL::text, NULL::text
FROM (VALUES
    ('anthropic', 'claude-2', 0, '{"currency": "USD", "input": 8, "output": 24}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-3-5-haiku-latest', 0, '{"currency": "USD", "input": 0.8, "cache_read": 0.08, "cache_write": 1, "cache_write_1h": 1.6, "output": 4, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-3-5-sonnet', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6, "output": 15, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-3-7-sonnet-latest', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6, "output": 15, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-3-haiku', 0, '{"currency": "USD", "input": 0.25, "cache_read": 0.03, "cache_write": 0.3, "cache_write_1h": 0.5, "output": 1.25}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-3-opus-latest', 0, '{"currency": "USD", "input": 15, "cache_read": 1.5, "cache_write": 18.75, "cache_write_1h": 30, "output": 75}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-3-sonnet', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6, "output": 15}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-fable-5', 0, '{"currency": "USD", "input": 10, "cache_read": 1, "cache_write": 12.5, "cache_write_1h": 20, "output": 50, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-haiku-4-5', 0, '{"currency": "USD", "input": 1, "cache_read": 0.1, "cache_write": 1.25, "cache_write_1h": 2, "output": 5, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-opus-4-0', 0, '{"currency": "USD", "input": 15, "cache_read": 1.5, "cache_write": 18.75, "cache_write_1h": 30, "output": 75, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-opus-4-1', 0, '{"currency": "USD", "input": 15, "cache_read": 1.5, "cache_write": 18.75, "cache_write_1h": 30, "output": 75, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-opus-4-5', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "cache_write": 6.25, "cache_write_1h": 10, "output": 25, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-opus-4-6', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "cache_write": 6.25, "cache_write_1h": 10, "output": 25, "tool_calls": 10000}', '(,2026-03-13 00:00+00)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-opus-4-6', 200000, '{"currency": "USD", "input": 10, "cache_read": 1, "cache_write": 12.5, "cache_write_1h": 20, "output": 37.5, "tool_calls": 10000}', '(,2026-03-13 00:00+00)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-opus-4-6', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "cache_write": 6.25, "cache_write_1h": 10, "output": 25, "tool_calls": 10000}', '[2026-03-13 00:00+00,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-opus-4-7', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "cache_write": 6.25, "cache_write_1h": 10, "output": 25, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-opus-4-8', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "cache_write": 6.25, "cache_write_1h": 10, "output": 25, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-opus-5', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "cache_write": 6.25, "cache_write_1h": 10, "output": 25, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-sonnet-4-0', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6, "output": 15, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-sonnet-4-5', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6, "output": 15, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-sonnet-4-5', 200000, '{"currency": "USD", "input": 6, "cache_read": 0.6, "cache_write": 7.5, "cache_write_1h": 12, "output": 22.5, "tool_calls": 10000}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-sonnet-4-6', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6, "output": 15, "tool_calls": 10000}', '(,2026-03-13 00:00+00)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-sonnet-4-6', 200000, '{"currency": "USD", "input": 6, "cache_read": 0.6, "cache_write": 7.5, "cache_write_1h": 12, "output": 22.5, "tool_calls": 10000}', '(,2026-03-13 00:00+00)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-sonnet-4-6', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6, "output": 15, "tool_calls": 10000}', '[2026-03-13 00:00+00,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-sonnet-5', 0, '{"currency": "USD", "input": 2, "cache_read": 0.2, "cache_write": 2.5, "cache_write_1h": 4, "output": 10, "tool_calls": 10000}', '(,2026-09-01 00:00+00)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-sonnet-5', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6, "output": 15, "tool_calls": 10000}', '[2026-09-01 00:00+00,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('anthropic', 'claude-v1', 0, '{"currency": "USD", "input": 8, "output": 24}', '(,)', '{}', 'tokenomics: anthropic.com/pricing#api, read 2026-08-21'),
    ('cohere', 'command', 0, '{"currency": "USD", "input": 1, "output": 2}', '(,)', '{}', 'tokenomics: cohere.com/pricing, read 2026-08-21'),
    ('cohere', 'command-a', 0, '{"currency": "USD", "input": 2.5, "output": 10}', '(,)', '{}', 'tokenomics: cohere.com/pricing, read 2026-08-21'),
    ('cohere', 'command-r', 0, '{"currency": "USD", "input": 0.15, "output": 0.6}', '(,)', '{}', 'tokenomics: cohere.com/pricing, read 2026-08-21'),
    ('cohere', 'command-r-plus', 0, '{"currency": "USD", "input": 2.5, "output": 10}', '(,)', '{}', 'tokenomics: cohere.com/pricing, read 2026-08-21'),
    ('cohere', 'command-r7b', 0, '{"currency": "USD", "input": 0.0375, "output": 0.15}', '(,)', '{}', 'tokenomics: cohere.com/pricing, read 2026-08-21'),
    ('cohere', 'embed-v4.0', 0, '{"currency": "USD", "input": 0.12}', '(,)', '{}', 'tokenomics: cohere.com/pricing, read 2026-08-21'),
    ('deepseek', 'deepseek-chat', 0, '{"currency": "USD", "input": 0.27, "cache_read": 0.07, "output": 1.1}', '(,)', '{}', 'tokenomics: api-docs.deepseek.com/quick_start/pricing, read 2026-08-21'),
    ('deepseek', 'deepseek-chat', 0, '{"currency": "USD", "input": 0.135, "cache_read": 0.035, "output": 0.55}', '(,)', '{[0,30),[990,1470),[2430,2910),[3870,4350),[5310,5790),[6750,7230),[8190,8670),[9630,10080)}', 'tokenomics: api-docs.deepseek.com/quick_start/pricing, read 2026-08-21'),
    ('deepseek', 'deepseek-reasoner', 0, '{"currency": "USD", "input": 0.55, "cache_read": 0.14, "output": 2.19}', '(,)', '{}', 'tokenomics: api-docs.deepseek.com/quick_start/pricing, read 2026-08-21'),
    ('deepseek', 'deepseek-reasoner', 0, '{"currency": "USD", "input": 0.135, "cache_read": 0.035, "output": 0.55}', '(,)', '{[0,30),[990,1470),[2430,2910),[3870,4350),[5310,5790),[6750,7230),[8190,8670),[9630,10080)}', 'tokenomics: api-docs.deepseek.com/quick_start/pricing, read 2026-08-21'),
    ('deepseek', 'deepseek-v3.1-terminus', 0, '{"currency": "USD", "input": 0.27, "cache_read": 0.13, "output": 0.95}', '(,)', '{}', 'tokenomics: api-docs.deepseek.com/quick_start/pricing, read 2026-08-21'),
    ('deepseek', 'deepseek-v3.2', 0, '{"currency": "USD", "input": 0.2288, "output": 0.3432}', '(,)', '{}', 'tokenomics: api-docs.deepseek.com/quick_start/pricing, read 2026-08-21'),
    ('deepseek', 'deepseek-v3.2-exp', 0, '{"currency": "USD", "input": 0.27, "output": 0.41}', '(,)', '{}', 'tokenomics: api-docs.deepseek.com/quick_start/pricing, read 2026-08-21'),
    ('deepseek', 'deepseek-v4-flash', 0, '{"currency": "USD", "input": 0.14, "cache_read": 0.0028, "output": 0.28}', '(,)', '{}', 'tokenomics: api-docs.deepseek.com/quick_start/pricing, read 2026-08-21'),
    ('deepseek', 'deepseek-v4-pro', 0, '{"currency": "USD", "input": 0.435, "cache_read": 0.003625, "output": 0.87}', '(,)', '{}', 'tokenomics: api-docs.deepseek.com/quick_start/pricing, read 2026-08-21'),
    ('google', 'claude-3-5-haiku', 0, '{"currency": "USD", "input": 0.8, "cache_read": 0.08, "cache_write": 1, "output": 4}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'claude-3-5-sonnet', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "output": 15}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'claude-3-7-sonnet', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "output": 15}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'claude-3-haiku', 0, '{"currency": "USD", "input": 0.25, "cache_read": 0.03, "cache_write": 0.3, "output": 1.25}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'claude-3-opus', 0, '{"currency": "USD", "input": 15, "cache_read": 1.5, "cache_write": 18.75, "output": 75}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'claude-4-opus', 0, '{"currency": "USD", "input": 15, "cache_read": 1.5, "cache_write": 18.75, "output": 75}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'claude-4-sonnet', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "cache_write": 3.75, "output": 15}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'claude-fable-5', 0, '{"currency": "USD", "input": 10, "cache_read": 1, "cache_write": 12.5, "output": 50}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'claude-opus-4-6', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "cache_write": 6.25, "output": 25}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'claude-opus-4-6', 200000, '{"currency": "USD", "input": 10, "cache_read": 1, "cache_write": 12.5, "output": 37.5}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'claude-opus-4-7', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "cache_write": 6.25, "output": 25}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'claude-opus-4-8', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "cache_write": 6.25, "output": 25}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'claude-opus-5', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "cache_write": 6.25, "output": 25}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-1.0-pro-vision-001', 0, '{"currency": "USD", "input": 0.125, "output": 0.375}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-1.5-flash', 0, '{"currency": "USD", "input": 0.075, "cache_read": 0.01875, "output": 0.3}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-1.5-flash', 128000, '{"currency": "USD", "input": 0.15, "cache_read": 0.0375, "output": 0.6}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-1.5-pro', 0, '{"currency": "USD", "input": 1.25, "output": 5}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-1.5-pro', 128000, '{"currency": "USD", "input": 2.5, "output": 10}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-2.0-flash', 0, '{"currency": "USD", "input": 0.1, "cache_read": 0.025, "audio_input": 0.7, "output": 0.4}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-2.0-flash-lite', 0, '{"currency": "USD", "input": 0.075, "output": 0.3}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-2.5-flash', 0, '{"currency": "USD", "input": 0.3, "cache_read": 0.03, "audio_input": 1, "output": 2.5}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-2.5-flash-image', 0, '{"currency": "USD", "input": 0.3, "output": 2.5, "image_output": 30}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-2.5-flash-lite', 0, '{"currency": "USD", "input": 0.1, "cache_read": 0.01, "audio_input": 0.3, "output": 0.4}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-2.5-pro', 0, '{"currency": "USD", "input": 1.25, "cache_read": 0.125, "output": 10}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-2.5-pro', 200000, '{"currency": "USD", "input": 2.5, "cache_read": 0.25, "output": 15}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3-flash-preview', 0, '{"currency": "USD", "input": 0.5, "cache_read": 0.05, "audio_input": 1, "output": 3}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3-pro-image-preview', 0, '{"currency": "USD", "input": 2, "output": 12, "image_output": 120}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3-pro-preview', 0, '{"currency": "USD", "input": 2, "cache_read": 0.2, "output": 12}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3-pro-preview', 200000, '{"currency": "USD", "input": 4, "cache_read": 0.4, "output": 18}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3.1-flash-image-preview', 0, '{"currency": "USD", "input": 0.5, "output": 3, "image_output": 60}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3.1-flash-lite', 0, '{"currency": "USD", "input": 0.25, "cache_read": 0.025, "audio_input": 0.5, "output": 1.5}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3.1-flash-lite-image', 0, '{"currency": "USD", "input": 0.25, "output": 1.5, "image_output": 30}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3.1-flash-live-preview', 0, '{"currency": "USD", "input": 0.75, "audio_input": 3, "image_input": 1, "output": 4.5, "audio_output": 12}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3.1-pro-preview', 0, '{"currency": "USD", "input": 2, "cache_read": 0.2, "output": 12}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3.1-pro-preview', 200000, '{"currency": "USD", "input": 4, "cache_read": 0.4, "output": 18}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3.5-flash', 0, '{"currency": "USD", "input": 1.5, "cache_read": 0.15, "output": 9}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3.5-flash-lite', 0, '{"currency": "USD", "input": 0.3, "cache_read": 0.03, "output": 2.5}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3.6-flash', 0, '{"currency": "USD", "input": 0.75, "cache_read": 0.075, "output": 3.75}', '(,2027-01-01 00:00+00)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3.6-flash', 0, '{"currency": "USD", "input": 1.5, "cache_read": 0.15, "output": 7.5}', '[2027-01-01 00:00+00,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3.7-flash', 0, '{"currency": "USD", "input": 0.75, "cache_read": 0.075, "output": 3.75}', '(,2027-01-01 00:00+00)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-3.7-flash', 0, '{"currency": "USD", "input": 1.5, "cache_read": 0.15, "output": 7.5}', '[2027-01-01 00:00+00,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-embedding-001', 0, '{"currency": "USD", "input": 0.15}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-embedding-2', 0, '{"currency": "USD", "input": 0.2, "audio_input": 6.5, "image_input": 0.45}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-flash-1.5', 0, '{"currency": "USD", "input": 0.075, "cache_read": 0.01875, "output": 0.3}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-flash-1.5', 128000, '{"currency": "USD", "input": 0.15, "cache_read": 0.0375, "output": 0.6}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-flash-1.5-8b', 0, '{"currency": "USD", "input": 0.0375, "cache_read": 0.01, "output": 0.15}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-flash-1.5-8b', 128000, '{"currency": "USD", "input": 0.075, "cache_read": 0.02, "output": 0.3}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-live-2.5-flash', 0, '{"currency": "USD", "input": 0.5, "audio_input": 3, "output": 2, "audio_output": 12}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-omni-flash-preview', 0, '{"currency": "USD", "input": 1.5, "output": 9}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-pro', 0, '{"currency": "USD", "input": 0.125, "output": 0.375}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-pro-1.5', 0, '{"currency": "USD", "input": 1.25, "cache_read": 0.3125, "output": 5}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemini-pro-1.5', 128000, '{"currency": "USD", "input": 2.5, "cache_read": 0.625, "output": 10}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemma-2-27b-it', 0, '{"currency": "USD", "input": 0.65, "output": 0.65}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemma-4-26b-a4b-it', 0, '{"currency": "USD", "input": 0.06, "output": 0.33}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('google', 'gemma-4-31b-it', 0, '{"currency": "USD", "input": 0.12, "cache_read": 0.09, "output": 0.36}', '(,)', '{}', 'tokenomics: ai.google.dev/gemini-api/docs/pricing, read 2026-08-21'),
    ('groq', 'deepseek-r1-distill-llama-70b', 0, '{"currency": "USD", "input": 0.75, "output": 0.99}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'gemma-7b-it', 0, '{"currency": "USD", "input": 0.07, "output": 0.07}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'gemma2-9b-it', 0, '{"currency": "USD", "input": 0.2, "output": 0.2}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama-3.1-405b-reasoning', 0, '{"currency": "USD", "input": 0.59, "output": 0.79}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama-3.1-70b-versatile', 0, '{"currency": "USD", "input": 0.59, "output": 0.79}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama-3.1-8b-instant', 0, '{"currency": "USD", "input": 0.05, "output": 0.08}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama-3.2-11b-text-preview', 0, '{"currency": "USD", "input": 0.18, "output": 0.18}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama-3.2-11b-vision-preview', 0, '{"currency": "USD", "input": 0.18, "output": 0.18}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama-3.2-1b-preview', 0, '{"currency": "USD", "input": 0.04, "output": 0.04}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama-3.2-3b-preview', 0, '{"currency": "USD", "input": 0.06, "output": 0.06}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama-3.2-90b-text-preview', 0, '{"currency": "USD", "input": 0.9, "output": 0.9}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama-3.2-90b-vision-preview', 0, '{"currency": "USD", "input": 0.9, "output": 0.9}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama-3.3-70b-specdec', 0, '{"currency": "USD", "input": 0.59, "output": 0.99}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama-3.3-70b-versatile', 0, '{"currency": "USD", "input": 0.59, "output": 0.79}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama-guard-3-8b', 0, '{"currency": "USD", "input": 0.2, "output": 0.2}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama2-70b-4096', 0, '{"currency": "USD", "input": 0.7, "output": 0.8}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama3-70b-8192', 0, '{"currency": "USD", "input": 0.59, "output": 0.79}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama3-8b-8192', 0, '{"currency": "USD", "input": 0.05, "output": 0.08}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama3-groq-70b-8192-tool-use-preview', 0, '{"currency": "USD", "input": 0.89, "output": 0.89}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'llama3-groq-8b-8192-tool-use-preview', 0, '{"currency": "USD", "input": 0.19, "output": 0.19}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'meta-llama/llama-4-maverick-17b-128e-instruct', 0, '{"currency": "USD", "input": 0.2, "output": 0.6}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'meta-llama/llama-4-scout-17b-16e-instruct', 0, '{"currency": "USD", "input": 0.11, "output": 0.34}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'meta-llama/llama-guard-4-12b', 0, '{"currency": "USD", "input": 0.2, "output": 0.2}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'mistral-saba-24b', 0, '{"currency": "USD", "input": 0.79, "output": 0.79}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'mixtral-8x7b-32768', 0, '{"currency": "USD", "input": 0.24, "output": 0.24}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'moonshotai/kimi-k2-instruct', 0, '{"currency": "USD", "input": 1, "cache_read": 0.5, "output": 3}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'openai/gpt-oss-120b', 0, '{"currency": "USD", "input": 0.15, "cache_read": 0.075, "output": 0.6}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'openai/gpt-oss-20b', 0, '{"currency": "USD", "input": 0.075, "cache_read": 0.0375, "output": 0.3}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('groq', 'qwen/qwen3-32b', 0, '{"currency": "USD", "input": 0.29, "output": 0.59}', '(,)', '{}', 'tokenomics: groq.com/pricing, read 2026-08-21'),
    ('minimax', 'M2-her', 0, '{"currency": "USD", "input": 0.3, "output": 1.2}', '(,)', '{}', 'tokenomics: platform.minimax.io/docs/guides/pricing-paygo, read 2026-08-21'),
    ('minimax', 'MiniMax-M2', 0, '{"currency": "USD", "input": 0.3, "cache_read": 0.03, "cache_write": 0.375, "output": 1.2}', '(,)', '{}', 'tokenomics: platform.minimax.io/docs/guides/pricing-paygo, read 2026-08-21'),
    ('minimax', 'MiniMax-M2.1-highspeed', 0, '{"currency": "USD", "input": 0.6, "cache_read": 0.03, "cache_write": 0.375, "output": 2.4}', '(,)', '{}', 'tokenomics: platform.minimax.io/docs/guides/pricing-paygo, read 2026-08-21'),
    ('minimax', 'MiniMax-M2.5-highspeed', 0, '{"currency": "USD", "input": 0.6, "cache_read": 0.03, "cache_write": 0.375, "output": 2.4}', '(,)', '{}', 'tokenomics: platform.minimax.io/docs/guides/pricing-paygo, read 2026-08-21'),
    ('minimax', 'MiniMax-M2.7', 0, '{"currency": "USD", "input": 0.3, "cache_read": 0.06, "cache_write": 0.375, "output": 1.2}', '(,)', '{}', 'tokenomics: platform.minimax.io/docs/guides/pricing-paygo, read 2026-08-21'),
    ('minimax', 'MiniMax-M2.7-highspeed', 0, '{"currency": "USD", "input": 0.6, "cache_read": 0.06, "cache_write": 0.375, "output": 2.4}', '(,)', '{}', 'tokenomics: platform.minimax.io/docs/guides/pricing-paygo, read 2026-08-21'),
    ('minimax', 'minimax-01', 0, '{"currency": "USD", "input": 0.2, "output": 1.1}', '(,)', '{}', 'tokenomics: platform.minimax.io/docs/guides/pricing-paygo, read 2026-08-21'),
    ('minimax', 'minimax-m1', 0, '{"currency": "USD", "input": 0.4, "output": 2.2}', '(,)', '{}', 'tokenomics: platform.minimax.io/docs/guides/pricing-paygo, read 2026-08-21'),
    ('minimax', 'minimax-m3', 0, '{"currency": "USD", "input": 0.3, "cache_read": 0.06, "output": 1.2}', '(,)', '{}', 'tokenomics: platform.minimax.io/docs/guides/pricing-paygo, read 2026-08-21'),
    ('minimax', 'minimax-m3', 512000, '{"currency": "USD", "input": 0.6, "cache_read": 0.12, "output": 2.4}', '(,)', '{}', 'tokenomics: platform.minimax.io/docs/guides/pricing-paygo, read 2026-08-21'),
    ('mistral', 'codestral', 0, '{"currency": "USD", "input": 0.3, "output": 0.9}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'codestral-2508', 0, '{"currency": "USD", "input": 0.3, "cache_read": 0.03, "output": 0.9}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'devstral-2512', 0, '{"currency": "USD", "input": 0.4, "cache_read": 0.04, "output": 2}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'devstral-small', 0, '{"currency": "USD", "input": 0.06, "output": 0.12}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'magistral-medium', 0, '{"currency": "USD", "input": 2, "output": 5}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'magistral-small', 0, '{"currency": "USD", "input": 0.5, "output": 1.5}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'ministral-14b-2512', 0, '{"currency": "USD", "input": 0.2, "cache_read": 0.02, "output": 0.2}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'ministral-3b', 0, '{"currency": "USD", "input": 0.04, "output": 0.04}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'ministral-3b-2512', 0, '{"currency": "USD", "input": 0.1, "cache_read": 0.01, "output": 0.1}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'ministral-8b', 0, '{"currency": "USD", "input": 0.1, "output": 1}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mistral-7b', 0, '{"currency": "USD", "input": 0.25, "output": 0.25}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mistral-embed', 0, '{"currency": "USD", "input": 0.1, "output": 0.1}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mistral-large', 0, '{"currency": "USD", "input": 2, "output": 6}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mistral-large-2512', 0, '{"currency": "USD", "input": 0.5, "cache_read": 0.05, "output": 1.5}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mistral-medium-3', 0, '{"currency": "USD", "input": 0.4, "output": 2}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mistral-nemo', 0, '{"currency": "USD", "input": 0.15, "output": 0.15}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mistral-saba', 0, '{"currency": "USD", "input": 0.2, "output": 0.6}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mistral-small-24b-instruct-2501', 0, '{"currency": "USD", "input": 0.05, "output": 0.08}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mistral-small-2603', 0, '{"currency": "USD", "input": 0.15, "cache_read": 0.015, "output": 0.6}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mistral-small-3.1-24b-instruct', 0, '{"currency": "USD", "input": 0.351, "output": 0.555}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mistral-small-3.2-24b-instruct', 0, '{"currency": "USD", "input": 0.075, "output": 0.2}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mistral-small-latest', 0, '{"currency": "USD", "input": 0.1, "output": 0.3}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mixtral-8x22b-instruct', 0, '{"currency": "USD", "input": 0.9, "output": 0.9}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'mixtral-8x7b', 0, '{"currency": "USD", "input": 0.7, "output": 0.7}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'pixtral-12b', 0, '{"currency": "USD", "input": 0.15, "output": 0.15}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'pixtral-large', 0, '{"currency": "USD", "input": 2, "output": 6}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('mistral', 'voxtral-small-24b-2507', 0, '{"currency": "USD", "input": 0.1, "cache_read": 0.01, "output": 0.3}', '(,)', '{}', 'tokenomics: mistral.ai/pricing#api-pricing, read 2026-08-21'),
    ('moonshotai', 'kimi-k2', 0, '{"currency": "USD", "input": 0.57, "output": 2.3}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('moonshotai', 'kimi-k2-0711-preview', 0, '{"currency": "USD", "input": 0.6, "cache_read": 0.15, "output": 2.5}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('moonshotai', 'kimi-k2-0905-preview', 0, '{"currency": "USD", "input": 0.6, "cache_read": 0.15, "output": 2.5}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('moonshotai', 'kimi-k2-thinking', 0, '{"currency": "USD", "input": 0.6, "cache_read": 0.15, "output": 2.5}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('moonshotai', 'kimi-k2-thinking-turbo', 0, '{"currency": "USD", "input": 1.15, "cache_read": 0.15, "output": 8}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('moonshotai', 'kimi-k2-turbo-preview', 0, '{"currency": "USD", "input": 1.15, "cache_read": 0.15, "output": 8}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('moonshotai', 'kimi-k2.5', 0, '{"currency": "USD", "input": 0.6, "cache_read": 0.1, "output": 3}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('moonshotai', 'kimi-k2.6', 0, '{"currency": "USD", "input": 0.95, "cache_read": 0.16, "output": 4}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('moonshotai', 'kimi-k2.7-code', 0, '{"currency": "USD", "input": 0.95, "cache_read": 0.19, "output": 4}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('moonshotai', 'kimi-k3', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('moonshotai', 'moonshot-v1-128k', 0, '{"currency": "USD", "input": 2, "output": 5}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('moonshotai', 'moonshot-v1-32k', 0, '{"currency": "USD", "input": 1, "output": 3}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('moonshotai', 'moonshot-v1-8k', 0, '{"currency": "USD", "input": 0.2, "output": 2}', '(,)', '{}', 'tokenomics: platform.moonshot.ai/docs/pricing/chat#product-pricing, read 2026-08-21'),
    ('openai', 'ada', 0, '{"currency": "USD", "input": 0.4, "output": 0.4}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'babbage', 0, '{"currency": "USD", "input": 0.5, "output": 0.5}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'chatgpt-4o-latest', 0, '{"currency": "USD", "input": 5, "output": 15}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'codex-mini', 0, '{"currency": "USD", "input": 1.5, "cache_read": 0.375, "output": 6}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'computer-use', 0, '{"currency": "USD", "input": 3, "output": 12}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'curie', 0, '{"currency": "USD", "input": 2, "output": 2}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'davinci', 0, '{"currency": "USD", "input": 20, "output": 20}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'ft:gpt-3.5-turbo-', 0, '{"currency": "USD", "input": 3, "output": 6}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'ft:gpt-4o', 0, '{"currency": "USD", "input": 3.75, "output": 15}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'ft:gpt-4o-mini', 0, '{"currency": "USD", "input": 0.3, "output": 1.2}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-3.5-0301', 0, '{"currency": "USD", "input": 1.5, "output": 2}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-3.5-turbo', 0, '{"currency": "USD", "input": 0.5, "output": 1.5}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-3.5-turbo-0613', 0, '{"currency": "USD", "input": 1.5, "output": 2}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-3.5-turbo-1106', 0, '{"currency": "USD", "input": 1, "output": 2}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-3.5-turbo-16k', 0, '{"currency": "USD", "input": 3, "output": 4}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-3.5-turbo-instruct', 0, '{"currency": "USD", "input": 1.5, "output": 2}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4', 0, '{"currency": "USD", "input": 30, "output": 60}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4-32k', 0, '{"currency": "USD", "input": 60, "output": 120}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4-turbo', 0, '{"currency": "USD", "input": 10, "output": 30}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4-vision-preview', 0, '{"currency": "USD", "input": 10, "output": 30}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4.1', 0, '{"currency": "USD", "input": 2, "cache_read": 0.5, "output": 8}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4.1-mini', 0, '{"currency": "USD", "input": 0.4, "cache_read": 0.1, "output": 1.6}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4.1-nano', 0, '{"currency": "USD", "input": 0.1, "cache_read": 0.025, "output": 0.4}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4.5-preview', 0, '{"currency": "USD", "input": 75, "cache_read": 37.5, "output": 150}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4o', 0, '{"currency": "USD", "input": 2.5, "cache_read": 1.25, "output": 10}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4o-audio-preview', 0, '{"currency": "USD", "input": 2.5, "output": 10}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4o-mini', 0, '{"currency": "USD", "input": 0.15, "cache_read": 0.075, "output": 0.6}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4o-mini-2024-07-18.ft-', 0, '{"currency": "USD", "input": 0.3, "output": 1.2}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4o-mini-audio-preview', 0, '{"currency": "USD", "input": 0.15, "output": 0.6}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4o-mini-realtime-preview', 0, '{"currency": "USD", "input": 0.6, "cache_read": 0.3, "audio_input": 10, "output": 2.4, "audio_output": 20}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4o-mini-transcribe', 0, '{"currency": "USD", "input": 1.25, "audio_input": 3, "output": 5}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4o-mini-tts', 0, '{"currency": "USD", "input": 0.6, "output": 12}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4o-realtime-preview', 0, '{"currency": "USD", "input": 5, "cache_read": 2.5, "audio_input": 40, "output": 20, "audio_output": 80}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4o-search-preview', 0, '{"currency": "USD", "input": 2.5, "output": 10}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4o-transcribe', 0, '{"currency": "USD", "input": 2.5, "audio_input": 6, "output": 10}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-4o:extended', 0, '{"currency": "USD", "input": 6, "output": 18}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5', 0, '{"currency": "USD", "input": 1.25, "cache_read": 0.125, "output": 10}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5-image', 0, '{"currency": "USD", "input": 10, "cache_read": 1.25, "output": 10}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5-image-mini', 0, '{"currency": "USD", "input": 2.5, "cache_read": 0.25, "output": 2}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5-mini', 0, '{"currency": "USD", "input": 0.25, "cache_read": 0.025, "output": 2}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5-nano', 0, '{"currency": "USD", "input": 0.05, "cache_read": 0.005, "output": 0.4}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5-pro', 0, '{"currency": "USD", "input": 15, "output": 120}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.1', 0, '{"currency": "USD", "input": 1.25, "cache_read": 0.125, "output": 10}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.1-codex-mini', 0, '{"currency": "USD", "input": 0.25, "cache_read": 0.025, "output": 2}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.2', 0, '{"currency": "USD", "input": 1.75, "cache_read": 0.175, "output": 14}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.2-pro', 0, '{"currency": "USD", "input": 21, "output": 168}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.3', 0, '{"currency": "USD", "input": 1.75, "cache_read": 0.175, "output": 14}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.3-codex', 0, '{"currency": "USD", "input": 1.75, "cache_read": 0.175, "output": 14}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.4', 0, '{"currency": "USD", "input": 2.5, "cache_read": 0.25, "output": 15}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.4', 272000, '{"currency": "USD", "input": 5, "cache_read": 0.5, "output": 22.5}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.4-image-2', 0, '{"currency": "USD", "input": 8, "cache_read": 2, "output": 15}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.4-mini', 0, '{"currency": "USD", "input": 0.75, "cache_read": 0.075, "output": 4.5}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.4-nano', 0, '{"currency": "USD", "input": 0.2, "cache_read": 0.02, "output": 1.25}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.4-pro', 0, '{"currency": "USD", "input": 30, "output": 180}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.4-pro', 272000, '{"currency": "USD", "input": 60, "output": 270}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.5', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "output": 30}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.5-pro', 0, '{"currency": "USD", "input": 30, "output": 180}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.6-luna', 0, '{"currency": "USD", "input": 1, "cache_read": 0.1, "cache_write": 1.25, "output": 6}', '(,2026-07-30 00:00+00)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.6-luna', 272000, '{"currency": "USD", "input": 2, "cache_read": 0.2, "cache_write": 2.5, "output": 9}', '(,2026-07-30 00:00+00)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.6-luna', 0, '{"currency": "USD", "input": 0.2, "cache_read": 0.02, "cache_write": 0.25, "output": 1.2}', '[2026-07-30 00:00+00,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.6-luna', 272000, '{"currency": "USD", "input": 0.4, "cache_read": 0.04, "cache_write": 0.5, "output": 1.8}', '[2026-07-30 00:00+00,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.6-sol', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "cache_write": 6.25, "output": 30}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.6-sol', 272000, '{"currency": "USD", "input": 10, "cache_read": 1, "cache_write": 12.5, "output": 45}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.6-terra', 0, '{"currency": "USD", "input": 2.5, "cache_read": 0.25, "cache_write": 3.125, "output": 15}', '(,2026-07-30 00:00+00)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.6-terra', 272000, '{"currency": "USD", "input": 5, "cache_read": 0.5, "cache_write": 6.25, "output": 22.5}', '(,2026-07-30 00:00+00)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.6-terra', 0, '{"currency": "USD", "input": 2, "cache_read": 0.2, "cache_write": 2.5, "output": 12}', '[2026-07-30 00:00+00,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-5.6-terra', 272000, '{"currency": "USD", "input": 4, "cache_read": 0.4, "cache_write": 5, "output": 18}', '[2026-07-30 00:00+00,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-audio', 0, '{"currency": "USD", "input": 2.5, "audio_input": 32, "output": 10, "audio_output": 64}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-audio-mini', 0, '{"currency": "USD", "input": 0.6, "audio_input": 10, "output": 2.4, "audio_output": 20}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-chat-latest', 0, '{"currency": "USD", "input": 5, "cache_read": 0.5, "output": 30}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-image-1', 0, '{"currency": "USD", "input": 5, "cache_read": 1.25, "image_input": 10, "output": 40}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-image-1-mini', 0, '{"currency": "USD", "input": 2, "cache_read": 0.2, "image_input": 2.5, "output": 8}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-image-1.5', 0, '{"currency": "USD", "input": 5, "cache_read": 1.25, "image_input": 8, "output": 10, "image_output": 32}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-image-2', 0, '{"currency": "USD", "input": 5, "cache_read": 1.25, "image_input": 8, "output": 30}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-oss-120b', 0, '{"currency": "USD", "input": 0.039, "output": 0.18}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-oss-20b', 0, '{"currency": "USD", "input": 0.029, "output": 0.14}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-oss-safeguard-20b', 0, '{"currency": "USD", "input": 0.075, "cache_read": 0.037, "output": 0.3}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-realtime', 0, '{"currency": "USD", "input": 4, "cache_read": 0.4, "audio_input": 32, "image_input": 5, "output": 16, "audio_output": 64}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-realtime-2', 0, '{"currency": "USD", "input": 4, "cache_read": 0.4, "audio_input": 32, "image_input": 5, "output": 24, "audio_output": 64}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'gpt-realtime-mini', 0, '{"currency": "USD", "input": 0.6, "cache_read": 0.06, "audio_input": 10, "image_input": 0.8, "output": 2.4, "audio_output": 20}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'o1', 0, '{"currency": "USD", "input": 15, "cache_read": 7.5, "output": 60}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'o1-mini', 0, '{"currency": "USD", "input": 1.1, "cache_read": 0.55, "output": 4.4}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'o1-pro', 0, '{"currency": "USD", "input": 150, "output": 600}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'o3', 0, '{"currency": "USD", "input": 10, "cache_read": 0.5, "output": 40}', '(,2025-06-10 00:00+00)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'o3', 0, '{"currency": "USD", "input": 2, "cache_read": 0.5, "output": 8}', '[2025-06-10 00:00+00,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'o3-deep-research', 0, '{"currency": "USD", "input": 10, "cache_read": 2.5, "output": 40}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'o3-mini', 0, '{"currency": "USD", "input": 1.1, "cache_read": 0.55, "output": 4.4}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'o3-pro', 0, '{"currency": "USD", "input": 20, "output": 80}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'o4-mini', 0, '{"currency": "USD", "input": 1.1, "cache_read": 0.275, "output": 4.4}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'o4-mini-deep-research', 0, '{"currency": "USD", "input": 2, "cache_read": 0.5, "output": 8}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'text-davinci-002', 0, '{"currency": "USD", "input": 20, "output": 20}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'text-davinci-003', 0, '{"currency": "USD", "input": 20, "output": 20}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'text-embedding-3-large', 0, '{"currency": "USD", "input": 0.13}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'text-embedding-3-small', 0, '{"currency": "USD", "input": 0.02}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('openai', 'text-embedding-ada-002', 0, '{"currency": "USD", "input": 0.1}', '(,)', '{}', 'tokenomics: developers.openai.com/api/docs/pricing, read 2026-08-21'),
    ('perplexity', 'llama-3.1-sonar-large-128k-online', 0, '{"currency": "USD", "input": 1, "output": 1}', '(,)', '{}', 'tokenomics: docs.perplexity.ai/docs/getting-started/pricing, read 2026-08-21'),
    ('perplexity', 'llama-3.1-sonar-small-128k-online', 0, '{"currency": "USD", "input": 0.2, "output": 0.2}', '(,)', '{}', 'tokenomics: docs.perplexity.ai/docs/getting-started/pricing, read 2026-08-21'),
    ('perplexity', 'r1-1776', 0, '{"currency": "USD", "input": 2, "output": 8}', '(,)', '{}', 'tokenomics: docs.perplexity.ai/docs/getting-started/pricing, read 2026-08-21'),
    ('perplexity', 'sonar', 0, '{"currency": "USD", "input": 1, "output": 1}', '(,)', '{}', 'tokenomics: docs.perplexity.ai/docs/getting-started/pricing, read 2026-08-21'),
    ('perplexity', 'sonar-deep-research', 0, '{"currency": "USD", "input": 2, "output": 8, "reasoning": 3, "tool_calls": 5000}', '(,)', '{}', 'tokenomics: docs.perplexity.ai/docs/getting-started/pricing, read 2026-08-21'),
    ('perplexity', 'sonar-pro', 0, '{"currency": "USD", "input": 3, "output": 15}', '(,)', '{}', 'tokenomics: docs.perplexity.ai/docs/getting-started/pricing, read 2026-08-21'),
    ('perplexity', 'sonar-pro-search', 0, '{"currency": "USD", "input": 3, "output": 15}', '(,)', '{}', 'tokenomics: docs.perplexity.ai/docs/getting-started/pricing, read 2026-08-21'),
    ('perplexity', 'sonar-reasoning', 0, '{"currency": "USD", "input": 1, "output": 5}', '(,)', '{}', 'tokenomics: docs.perplexity.ai/docs/getting-started/pricing, read 2026-08-21'),
    ('perplexity', 'sonar-reasoning-pro', 0, '{"currency": "USD", "input": 2, "output": 8}', '(,)', '{}', 'tokenomics: docs.perplexity.ai/docs/getting-started/pricing, read 2026-08-21'),
    ('x-ai', 'grok-2-vision-1212', 0, '{"currency": "USD", "input": 2, "output": 10}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-3', 0, '{"currency": "USD", "input": 3, "cache_read": 0.75, "output": 15}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-3-fast', 0, '{"currency": "USD", "input": 5, "cache_read": 1.25, "output": 25}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-3-mini', 0, '{"currency": "USD", "input": 0.3, "cache_read": 0.075, "output": 0.5}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-3-mini-fast', 0, '{"currency": "USD", "input": 0.6, "cache_read": 0.15, "output": 4}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-4-0709', 0, '{"currency": "USD", "input": 3, "cache_read": 0.75, "output": 15}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-4-1-fast-non-reasoning', 0, '{"currency": "USD", "input": 0.2, "cache_read": 0.05, "output": 0.5}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-4-1-fast-reasoning', 0, '{"currency": "USD", "input": 0.2, "cache_read": 0.05, "output": 0.5}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-4-fast-non-reasoning', 0, '{"currency": "USD", "input": 0.2, "cache_read": 0.05, "output": 0.5}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-4-fast-reasoning', 0, '{"currency": "USD", "input": 0.2, "cache_read": 0.05, "output": 0.5}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-4.20', 0, '{"currency": "USD", "input": 1.25, "cache_read": 0.2, "output": 2.5}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-4.20-multi-agent', 0, '{"currency": "USD", "input": 2, "cache_read": 0.2, "output": 6}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-4.3', 0, '{"currency": "USD", "input": 1.25, "cache_read": 0.2, "output": 2.5}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-4.5', 0, '{"currency": "USD", "input": 2, "cache_read": 0.5, "output": 6}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-build-0.1', 0, '{"currency": "USD", "input": 1, "cache_read": 0.2, "output": 2}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('x-ai', 'grok-code-fast-1', 0, '{"currency": "USD", "input": 0.2, "cache_read": 0.02, "output": 1.5}', '(,)', '{}', 'tokenomics: docs.x.ai/docs/models, read 2026-08-21'),
    ('zai', 'GLM-5.2', 0, '{"currency": "USD", "input": 1.4, "cache_read": 0.26, "output": 4.4}', '(,)', '{}', 'tokenomics: docs.z.ai/guides/overview/pricing, read 2026-08-21'),
    ('zai', 'GLM-5.3', 0, '{"currency": "USD", "input": 1.4, "cache_read": 0.26, "output": 4.4}', '(,)', '{}', 'tokenomics: docs.z.ai/guides/overview/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-4-Air', 0, '{"currency": "USD", "input": 0.069, "cache_read": 0.034, "output": 0.069}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-4-AirX', 0, '{"currency": "USD", "input": 1.379, "output": 1.379}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-4-Assistant', 0, '{"currency": "USD", "input": 0.69, "output": 0.69}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-4-FlashX-250414', 0, '{"currency": "USD", "input": 0.014, "cache_read": 0.007, "output": 0.014}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-4-Long', 0, '{"currency": "USD", "input": 0.138, "cache_read": 0.069, "output": 0.138}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-4-Plus', 0, '{"currency": "USD", "input": 0.69, "cache_read": 0.345, "output": 0.69}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-4.5-Air', 0, '{"currency": "USD", "input": 0.11, "cache_read": 0.022, "output": 0.276}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-4.7', 0, '{"currency": "USD", "input": 0.276, "cache_read": 0.055, "output": 1.103}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-4.7-FlashX', 0, '{"currency": "USD", "input": 0.069, "cache_read": 0.014, "output": 0.414}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-5', 0, '{"currency": "USD", "input": 0.552, "cache_read": 0.138, "output": 2.483}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-5-Turbo', 0, '{"currency": "USD", "input": 0.69, "cache_read": 0.166, "output": 3.034}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-5.1', 0, '{"currency": "USD", "input": 0.828, "cache_read": 0.179, "output": 3.31}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21'),
    ('zhipuai', 'GLM-5.2', 0, '{"currency": "USD", "input": 1.103, "cache_read": 0.276, "output": 3.862}', '(,)', '{}', 'tokenomics: open.bigmodel.cn/pricing, read 2026-08-21')
) AS p(provider, model, above_input_tokens, rates, valid, off_peak, source);
END;
COMMENT ON FUNCTION default_prices() IS 'the prices that ship with the extension, for load_default_prices()';

CREATE FUNCTION default_aliases() RETURNS SETOF imported_alias
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
SELECT a.provider, a.alias, a.is_pattern, '', a.to_model, a.rank
FROM (VALUES
    ('anthropic', '^claude-2', true, 'claude-2', 1),
    ('anthropic', 'claude-v2', true, 'claude-2', 1),
    ('anthropic', '^claude-3-5-haiku', true, 'claude-3-5-haiku-latest', 2),
    ('anthropic', '^claude-3\.5-haiku', true, 'claude-3-5-haiku-latest', 2),
    ('anthropic', '^claude-3-5-sonnet', true, 'claude-3-5-sonnet', 3),
    ('anthropic', '^claude-3\.5-sonnet', true, 'claude-3-5-sonnet', 3),
    ('anthropic', '^claude-3-7-sonnet', true, 'claude-3-7-sonnet-latest', 4),
    ('anthropic', '^claude-3\.7-sonnet', true, 'claude-3-7-sonnet-latest', 4),
    ('anthropic', '^claude-sonnet-3\.7', true, 'claude-3-7-sonnet-latest', 4),
    ('anthropic', '^claude-sonnet-3-7', true, 'claude-3-7-sonnet-latest', 4),
    ('anthropic', '^claude-3-haiku', true, 'claude-3-haiku', 5),
    ('anthropic', '^claude-3-opus', true, 'claude-3-opus-latest', 6),
    ('anthropic', '^claude-3-sonnet', true, 'claude-3-sonnet', 7),
    ('anthropic', '^claude-fable-5', true, 'claude-fable-5', 8),
    ('anthropic', '^claude-haiku-4-5', true, 'claude-haiku-4-5', 9),
    ('anthropic', '^claude-haiku-4\.5', true, 'claude-haiku-4-5', 9),
    ('anthropic', '^claude-4-5-haiku', true, 'claude-haiku-4-5', 9),
    ('anthropic', '^claude-4\.5-haiku', true, 'claude-haiku-4-5', 9),
    ('anthropic', '^claude-opus-4-0', true, 'claude-opus-4-0', 10),
    ('anthropic', '^claude-4-opus', true, 'claude-opus-4-0', 10),
    ('anthropic', 'claude-opus-4', false, 'claude-opus-4-0', 10),
    ('anthropic', 'claude-opus-4-20250514', false, 'claude-opus-4-0', 10),
    ('anthropic', '^claude-opus-4-1', true, 'claude-opus-4-1', 11),
    ('anthropic', '^claude-opus-4\.1', true, 'claude-opus-4-1', 11),
    ('anthropic', '^claude-opus-4-5', true, 'claude-opus-4-5', 12),
    ('anthropic', '^claude-opus-4\.5', true, 'claude-opus-4-5', 12),
    ('anthropic', '^claude-4-5-opus', true, 'claude-opus-4-5', 12),
    ('anthropic', '^claude-4\.5-opus', true, 'claude-opus-4-5', 12),
    ('anthropic', '^claude-opus-4-6', true, 'claude-opus-4-6', 13),
    ('anthropic', '^claude-opus-4\.6', true, 'claude-opus-4-6', 13),
    ('anthropic', '^claude-4-6-opus', true, 'claude-opus-4-6', 13),
    ('anthropic', '^claude-4\.6-opus', true, 'claude-opus-4-6', 13),
    ('anthropic', '^claude-opus-4-7', true, 'claude-opus-4-7', 14),
    ('anthropic', '^claude-opus-4\.7', true, 'claude-opus-4-7', 14),
    ('anthropic', '^claude-4-7-opus', true, 'claude-opus-4-7', 14),
    ('anthropic', '^claude-4\.7-opus', true, 'claude-opus-4-7', 14),
    ('anthropic', '^claude-opus-4-8', true, 'claude-opus-4-8', 15),
    ('anthropic', '^claude-opus-4\.8', true, 'claude-opus-4-8', 15),
    ('anthropic', '^claude-4-8-opus', true, 'claude-opus-4-8', 15),
    ('anthropic', '^claude-4\.8-opus', true, 'claude-opus-4-8', 15),
    ('anthropic', '^claude-opus-5', true, 'claude-opus-5', 16),
    ('anthropic', '^claude-opus-5\.0', true, 'claude-opus-5', 16),
    ('anthropic', '^claude-5-opus', true, 'claude-opus-5', 16),
    ('anthropic', '^claude-5\.0-opus', true, 'claude-opus-5', 16),
    ('anthropic', '^claude-sonnet-4-2025', true, 'claude-sonnet-4-0', 17),
    ('anthropic', '^claude-sonnet-4-0', true, 'claude-sonnet-4-0', 17),
    ('anthropic', '^claude-sonnet-4@', true, 'claude-sonnet-4-0', 17),
    ('anthropic', 'claude-sonnet-4', false, 'claude-sonnet-4-0', 17),
    ('anthropic', '^claude-4-sonnet', true, 'claude-sonnet-4-0', 17),
    ('anthropic', '^claude-sonnet-4-5', true, 'claude-sonnet-4-5', 18),
    ('anthropic', '^claude-sonnet-4\.5', true, 'claude-sonnet-4-5', 18),
    ('anthropic', '^claude-sonnet-4-6', true, 'claude-sonnet-4-6', 19),
    ('anthropic', '^claude-sonnet-4\.6', true, 'claude-sonnet-4-6', 19),
    ('anthropic', '^claude-sonnet-5', true, 'claude-sonnet-5', 20),
    ('anthropic', '^claude-sonnet-5\.0', true, 'claude-sonnet-5', 20),
    ('anthropic', '^claude-5-sonnet', true, 'claude-sonnet-5', 20),
    ('anthropic', '^claude-5\.0-sonnet', true, 'claude-sonnet-5', 20),
    ('cohere', '^command-a', true, 'command-a', 2),
    ('cohere', 'command-r-08-2024', false, 'command-r', 3),
    ('cohere', 'command-r-plus-08-2024', false, 'command-r-plus', 4),
    ('cohere', 'command-r7b-12-2024', false, 'command-r7b', 5),
    ('deepseek', '^deepseek-chat', true, 'deepseek-chat', 1),
    ('deepseek', 'deepseek-chat-v3-0324', false, 'deepseek-chat', 1),
    ('deepseek', '^deepseek-r1', true, 'deepseek-reasoner', 2),
    ('deepseek', 'deepseek-r1-0528', false, 'deepseek-reasoner', 2),
    ('deepseek', '^deepseek-v4-flash', true, 'deepseek-v4-flash', 6),
    ('deepseek', '^deepseek-v4-pro', true, 'deepseek-v4-pro', 7),
    ('google', 'claude-3-5-haiku', true, 'claude-3-5-haiku', 1),
    ('google', 'claude-3-5-sonnet', true, 'claude-3-5-sonnet', 2),
    ('google', 'claude-3-7-sonnet', true, 'claude-3-7-sonnet', 3),
    ('google', 'claude-3-haiku', true, 'claude-3-haiku', 4),
    ('google', 'claude-3-opus', true, 'claude-3-opus', 5),
    ('google', 'claude-4-opus', true, 'claude-4-opus', 6),
    ('google', 'claude-opus-4@', true, 'claude-4-opus', 6),
    ('google', 'claude-opus-4-0', true, 'claude-4-opus', 6),
    ('google', 'claude-opus-4-1', true, 'claude-4-opus', 6),
    ('google', 'claude-opus-4', false, 'claude-4-opus', 6),
    ('google', 'claude-4-sonnet', true, 'claude-4-sonnet', 7),
    ('google', 'claude-sonnet-4', true, 'claude-4-sonnet', 7),
    ('google', 'claude-fable-5', true, 'claude-fable-5', 8),
    ('google', 'claude-4-6-opus', true, 'claude-opus-4-6', 9),
    ('google', 'claude-opus-4-6', true, 'claude-opus-4-6', 9),
    ('google', 'claude-4\.6-opus', true, 'claude-opus-4-6', 9),
    ('google', 'claude-opus-4\.6', true, 'claude-opus-4-6', 9),
    ('google', 'claude-4-7-opus', true, 'claude-opus-4-7', 10),
    ('google', 'claude-opus-4-7', true, 'claude-opus-4-7', 10),
    ('google', 'claude-4\.7-opus', true, 'claude-opus-4-7', 10),
    ('google', 'claude-opus-4\.7', true, 'claude-opus-4-7', 10),
    ('google', 'claude-4-8-opus', true, 'claude-opus-4-8', 11),
    ('google', 'claude-opus-4-8', true, 'claude-opus-4-8', 11),
    ('google', 'claude-4\.8-opus', true, 'claude-opus-4-8', 11),
    ('google', 'claude-opus-4\.8', true, 'claude-opus-4-8', 11),
    ('google', 'claude-5-opus', true, 'claude-opus-5', 12),
    ('google', 'claude-opus-5', true, 'claude-opus-5', 12),
    ('google', 'claude-5\.0-opus', true, 'claude-opus-5', 12),
    ('google', 'claude-opus-5\.0', true, 'claude-opus-5', 12),
    ('google', 'gemini-1\.5-flash', true, 'gemini-1.5-flash', 14),
    ('google', 'gemini-1\.5-pro', true, 'gemini-1.5-pro', 15),
    ('google', 'gemini-2\.0-flash$', true, 'gemini-2.0-flash', 16),
    ('google', 'gemini-2\.0-flash-0', true, 'gemini-2.0-flash', 16),
    ('google', 'gemini-2\.0-flash-exp', true, 'gemini-2.0-flash', 16),
    ('google', 'gemini-2\.0-flash-thinking', true, 'gemini-2.0-flash', 16),
    ('google', 'gemini-2\.0-flash-latest', true, 'gemini-2.0-flash', 16),
    ('google', 'gemini-2\.0-flash-lite', true, 'gemini-2.0-flash-lite', 17),
    ('google', 'gemini-2.5-flash-latest', false, 'gemini-2.5-flash', 18),
    ('google', 'gemini-2.5-flash-preview-09-2025', false, 'gemini-2.5-flash', 18),
    ('google', 'gemini-2.5-flash-image-preview', false, 'gemini-2.5-flash-image', 19),
    ('google', '^gemini-2\.5-flash-lite-preview', true, 'gemini-2.5-flash-lite', 20),
    ('google', '^gemini-2\.5-pro', true, 'gemini-2.5-pro', 22),
    ('google', '^gemini-3-flash-preview-', true, 'gemini-3-flash-preview', 23),
    ('google', 'gemini-3-pro-image', false, 'gemini-3-pro-image-preview', 24),
    ('google', '^gemini-3-pro-image-preview', true, 'gemini-3-pro-image-preview', 24),
    ('google', '^gemini-3-pro-preview', true, 'gemini-3-pro-preview', 25),
    ('google', 'gemini-3-pro-text-preview', false, 'gemini-3-pro-preview', 25),
    ('google', 'gemini-3.1-flash-image', false, 'gemini-3.1-flash-image-preview', 26),
    ('google', '^gemini-3\.1-flash-image-preview', true, 'gemini-3.1-flash-image-preview', 26),
    ('google', '^gemini-3\.1-flash-lite-preview', true, 'gemini-3.1-flash-lite', 27),
    ('google', '^gemini-3\.1-flash-lite-image', true, 'gemini-3.1-flash-lite-image', 28),
    ('google', '^gemini-3\.1-flash-live-preview', true, 'gemini-3.1-flash-live-preview', 29),
    ('google', '^gemini-3\.1-pro-preview', true, 'gemini-3.1-pro-preview', 30),
    ('google', '^gemini-3\.5-flash-preview', true, 'gemini-3.5-flash', 31),
    ('google', '^gemini-3\.5-flash-\d', true, 'gemini-3.5-flash', 31),
    ('google', '^gemini-3\.5-flash-lite', true, 'gemini-3.5-flash-lite', 32),
    ('google', '^gemini-3\.6-flash', true, 'gemini-3.6-flash', 33),
    ('google', '^gemini-3\.7-flash', true, 'gemini-3.7-flash', 34),
    ('google', '^gemini-live-2\.5-flash', true, 'gemini-live-2.5-flash', 39),
    ('google', '^gemini-2\.5-flash-native-audio-preview', true, 'gemini-live-2.5-flash', 39),
    ('google', 'gemini-2.5-flash-native-audio-latest', false, 'gemini-live-2.5-flash', 39),
    ('google', '^gemini-omni-flash-preview', true, 'gemini-omni-flash-preview', 40),
    ('google', 'gemini-1.0-pro', false, 'gemini-pro', 41),
    ('groq', 'gemma2-9b', false, 'gemma2-9b-it', 3),
    ('groq', 'moonshotai/kimi-k2-instruct-0905', false, 'moonshotai/kimi-k2-instruct', 26),
    ('groq', 'openai/gpt-oss-safeguard-20b', false, 'openai/gpt-oss-120b', 27),
    ('minimax', 'm2-her', false, 'M2-her', 1),
    ('minimax', 'minimax-m2', false, 'MiniMax-M2', 2),
    ('minimax', 'MiniMax-M2.1', false, 'MiniMax-M2', 2),
    ('minimax', 'minimax-m2.1', false, 'MiniMax-M2', 2),
    ('minimax', 'MiniMax-M2.5', false, 'MiniMax-M2', 2),
    ('minimax', 'minimax-m2.5', false, 'MiniMax-M2', 2),
    ('minimax', 'M2\.1-highspeed', true, 'MiniMax-M2.1-highspeed', 3),
    ('minimax', 'm2\.1-highspeed', true, 'MiniMax-M2.1-highspeed', 3),
    ('minimax', 'M2\.5-highspeed', true, 'MiniMax-M2.5-highspeed', 4),
    ('minimax', 'm2\.5-highspeed', true, 'MiniMax-M2.5-highspeed', 4),
    ('minimax', 'minimax-m2.7', false, 'MiniMax-M2.7', 5),
    ('minimax', 'M2\.7-highspeed', true, 'MiniMax-M2.7-highspeed', 6),
    ('minimax', 'm2\.7-highspeed', true, 'MiniMax-M2.7-highspeed', 6),
    ('mistral', 'codestral-latest', false, 'codestral', 1),
    ('mistral', 'codestral-2501', false, 'codestral', 1),
    ('mistral', '^magistral-medium', true, 'magistral-medium', 6),
    ('mistral', '^magistral-small-', true, 'magistral-small', 7),
    ('mistral', '^ministral-8b', true, 'ministral-8b', 11),
    ('mistral', 'open-mistral-7b', false, 'mistral-7b', 12),
    ('mistral', 'mistral-large-latest', false, 'mistral-large', 14),
    ('mistral', 'mistral-large-2407', false, 'mistral-large', 14),
    ('mistral', 'mistral-large-2411', false, 'mistral-large', 14),
    ('mistral', '^mistral-medium', true, 'mistral-medium-3', 16),
    ('mistral', 'open-mistral-nemo', false, 'mistral-nemo', 17),
    ('mistral', 'mistral-saba-latest', false, 'mistral-saba', 19),
    ('mistral', '^mixtral-8x7b', true, 'mixtral-8x7b', 28),
    ('mistral', 'open-mixtral-8x7b', false, 'mixtral-8x7b', 28),
    ('mistral', 'pixtral-12b-latest', false, 'pixtral-12b', 29),
    ('mistral', 'pixtral-large-latest', false, 'pixtral-large', 30),
    ('mistral', 'pixtral-large-2411', false, 'pixtral-large', 30),
    ('moonshotai', '^kimi-k2-turbo', true, 'kimi-k2-turbo-preview', 6),
    ('moonshotai', '^kimi-k2\.5', true, 'kimi-k2.5', 7),
    ('moonshotai', '^kimi-k2\.6', true, 'kimi-k2.6', 8),
    ('moonshotai', 'moonshot-v1-128k-vision-preview', false, 'moonshot-v1-128k', 11),
    ('moonshotai', 'moonshot-v1-32k-vision-preview', false, 'moonshot-v1-32k', 12),
    ('moonshotai', 'moonshot-v1-8k-vision-preview', false, 'moonshot-v1-8k', 13),
    ('openai', 'text-ada-001', false, 'ada', 1),
    ('openai', 'codex-mini-latest', false, 'codex-mini', 4),
    ('openai', '^computer-use', true, 'computer-use', 5),
    ('openai', 'text-curie-001', false, 'curie', 6),
    ('openai', 'text-davinci-001', false, 'davinci', 7),
    ('openai', '^ft:gpt-3\.5-turbo', true, 'ft:gpt-3.5-turbo-', 8),
    ('openai', '^ft:gpt-4o-2024-', true, 'ft:gpt-4o', 9),
    ('openai', '^ft:gpt-4o-mini-2024-', true, 'ft:gpt-4o-mini', 10),
    ('openai', 'gpt-3.5-turbo-0301', false, 'gpt-3.5-0301', 11),
    ('openai', 'gpt-35-turbo', false, 'gpt-3.5-turbo', 12),
    ('openai', 'gpt-3.5-turbo-0125', false, 'gpt-3.5-turbo', 12),
    ('openai', 'gpt-3.5-turbo-16k-0613', false, 'gpt-3.5-turbo-16k', 15),
    ('openai', 'gpt-35-turbo-16k-0613', false, 'gpt-3.5-turbo-16k', 15),
    ('openai', 'gpt-35-turbo-16k', false, 'gpt-3.5-turbo-16k', 15),
    ('openai', '^gpt-3\.5-turbo-instruct', true, 'gpt-3.5-turbo-instruct', 16),
    ('openai', 'gpt-3.5-turbo-instruct-0914', false, 'gpt-3.5-turbo-instruct', 16),
    ('openai', 'gpt-4-0314', false, 'gpt-4', 17),
    ('openai', 'gpt-4-0613', false, 'gpt-4', 17),
    ('openai', '^ft:gpt-4-0', true, 'gpt-4', 17),
    ('openai', 'gpt-4-32k-0314', false, 'gpt-4-32k', 18),
    ('openai', 'gpt-4-32k-0613', false, 'gpt-4-32k', 18),
    ('openai', 'gpt-4-turbo-2024-04-09', false, 'gpt-4-turbo', 19),
    ('openai', 'gpt-4-turbo-0125-preview', false, 'gpt-4-turbo', 19),
    ('openai', 'gpt-4-0125-preview', false, 'gpt-4-turbo', 19),
    ('openai', 'gpt-4-1106-preview', false, 'gpt-4-turbo', 19),
    ('openai', 'gpt-4-turbo-preview', false, 'gpt-4-turbo', 19),
    ('openai', 'gpt-4-1106-vision-preview', false, 'gpt-4-vision-preview', 20),
    ('openai', 'gpt-4.1-2025-04-14', false, 'gpt-4.1', 21),
    ('openai', 'gpt-4.1-mini-2025-04-14', false, 'gpt-4.1-mini', 22),
    ('openai', 'gpt-4.1-nano-2025-04-14', false, 'gpt-4.1-nano', 23),
    ('openai', '^gpt-4\.5-preview', true, 'gpt-4.5-preview', 24),
    ('openai', 'gpt-4o-2024-05-13', false, 'gpt-4o', 25),
    ('openai', 'gpt-4o-2024-08-06', false, 'gpt-4o', 25),
    ('openai', 'gpt-4o-2024-11-20', false, 'gpt-4o', 25),
    ('openai', '^gpt-4o-audio-preview', true, 'gpt-4o-audio-preview', 26),
    ('openai', 'gpt-4o-mini-2024-07-18', false, 'gpt-4o-mini', 27),
    ('openai', 'gpt-4o-mini-search-preview', false, 'gpt-4o-mini', 27),
    ('openai', 'gpt-4o-mini-search-preview-2025-03-11', false, 'gpt-4o-mini', 27),
    ('openai', '^gpt-4o-mini-2024-07-18\.ft-', true, 'gpt-4o-mini-2024-07-18.ft-', 28),
    ('openai', '^gpt-4o-mini-audio', true, 'gpt-4o-mini-audio-preview', 29),
    ('openai', '^gpt-4o-mini-realtime', true, 'gpt-4o-mini-realtime-preview', 30),
    ('openai', '^gpt-4o-realtime', true, 'gpt-4o-realtime-preview', 33),
    ('openai', 'gpt-4o-search-preview-2025-03-11', false, 'gpt-4o-search-preview', 34),
    ('openai', 'gpt-4o-transcribe-diarize', false, 'gpt-4o-transcribe', 35),
    ('openai', 'gpt-5-2025-08-07', false, 'gpt-5', 37),
    ('openai', 'gpt-5-chat', false, 'gpt-5', 37),
    ('openai', 'gpt-5-chat-latest', false, 'gpt-5', 37),
    ('openai', 'gpt-5-codex', false, 'gpt-5', 37),
    ('openai', 'gpt-5-mini-2025-08-07', false, 'gpt-5-mini', 40),
    ('openai', '^gpt-5-nano-', true, 'gpt-5-nano', 41),
    ('openai', 'gpt-5-pro-2025-10-06', false, 'gpt-5-pro', 42),
    ('openai', 'gpt-5.1-2025-11-13', false, 'gpt-5.1', 43),
    ('openai', 'gpt-5.1-codex', false, 'gpt-5.1', 43),
    ('openai', 'gpt-5.1-codex-max', false, 'gpt-5.1', 43),
    ('openai', 'gpt-5.1-chat', false, 'gpt-5.1', 43),
    ('openai', 'gpt-5.1-chat-latest', false, 'gpt-5.1', 43),
    ('openai', 'gpt-5-1', false, 'gpt-5.1', 43),
    ('openai', 'gpt-5-1-2025-11-13', false, 'gpt-5.1', 43),
    ('openai', 'gpt-5-1-codex', false, 'gpt-5.1', 43),
    ('openai', 'gpt-5-1-codex-max', false, 'gpt-5.1', 43),
    ('openai', 'gpt-5-1-chat', false, 'gpt-5.1', 43),
    ('openai', 'gpt-5-1-chat-latest', false, 'gpt-5.1', 43),
    ('openai', 'gpt-5.1-mini', false, 'gpt-5.1-codex-mini', 44),
    ('openai', 'gpt-5-1-codex-mini', false, 'gpt-5.1-codex-mini', 44),
    ('openai', 'gpt-5-1-mini', false, 'gpt-5.1-codex-mini', 44),
    ('openai', 'gpt-5.2-2025-12-11', false, 'gpt-5.2', 45),
    ('openai', 'gpt-5-2', false, 'gpt-5.2', 45),
    ('openai', 'gpt-5-2-2025-12-11', false, 'gpt-5.2', 45),
    ('openai', 'gpt-5.2-chat', false, 'gpt-5.2', 45),
    ('openai', 'gpt-5.2-chat-latest', false, 'gpt-5.2', 45),
    ('openai', 'gpt-5-2-chat', false, 'gpt-5.2', 45),
    ('openai', 'gpt-5-2-chat-latest', false, 'gpt-5.2', 45),
    ('openai', 'gpt-5.2-codex', false, 'gpt-5.2', 45),
    ('openai', 'gpt-5-2-codex', false, 'gpt-5.2', 45),
    ('openai', 'gpt-5.2-pro-2025-12-11', false, 'gpt-5.2-pro', 46),
    ('openai', 'gpt-5-2-pro-2025-12-11', false, 'gpt-5.2-pro', 46),
    ('openai', 'gpt-5-3', false, 'gpt-5.3', 47),
    ('openai', 'gpt-5.3-chat', false, 'gpt-5.3', 47),
    ('openai', 'gpt-5.3-chat-latest', false, 'gpt-5.3', 47),
    ('openai', 'gpt-5-3-chat', false, 'gpt-5.3', 47),
    ('openai', 'gpt-5-3-chat-latest', false, 'gpt-5.3', 47),
    ('openai', 'gpt-5-3-codex', false, 'gpt-5.3-codex', 48),
    ('openai', 'gpt-5.4-2026-03-05', false, 'gpt-5.4', 49),
    ('openai', 'gpt-5-4', false, 'gpt-5.4', 49),
    ('openai', 'gpt-5-4-2026-03-05', false, 'gpt-5.4', 49),
    ('openai', 'gpt-5.4-mini-2026-03-17', false, 'gpt-5.4-mini', 51),
    ('openai', 'gpt-5-4-mini', false, 'gpt-5.4-mini', 51),
    ('openai', 'gpt-5-4-mini-2026-03-17', false, 'gpt-5.4-mini', 51),
    ('openai', 'gpt-5.4-nano-2026-03-17', false, 'gpt-5.4-nano', 52),
    ('openai', 'gpt-5-4-nano', false, 'gpt-5.4-nano', 52),
    ('openai', 'gpt-5-4-nano-2026-03-17', false, 'gpt-5.4-nano', 52),
    ('openai', 'gpt-5.4-pro-2026-03-05', false, 'gpt-5.4-pro', 53),
    ('openai', 'gpt-5-4-pro', false, 'gpt-5.4-pro', 53),
    ('openai', 'gpt-5-4-pro-2026-03-05', false, 'gpt-5.4-pro', 53),
    ('openai', 'gpt-5.5-2026-04-23', false, 'gpt-5.5', 54),
    ('openai', 'gpt-5.5-2026-04-24', false, 'gpt-5.5', 54),
    ('openai', 'gpt-5-5', false, 'gpt-5.5', 54),
    ('openai', 'gpt-5-5-2026-04-23', false, 'gpt-5.5', 54),
    ('openai', 'gpt-5-5-2026-04-24', false, 'gpt-5.5', 54),
    ('openai', 'gpt-5.5-chat', false, 'gpt-5.5', 54),
    ('openai', 'gpt-5.5-chat-latest', false, 'gpt-5.5', 54),
    ('openai', 'gpt-5-5-chat', false, 'gpt-5.5', 54),
    ('openai', 'gpt-5-5-chat-latest', false, 'gpt-5.5', 54),
    ('openai', 'gpt-5.5-codex', false, 'gpt-5.5', 54),
    ('openai', 'gpt-5-5-codex', false, 'gpt-5.5', 54),
    ('openai', 'gpt-5.5-pro-2026-04-23', false, 'gpt-5.5-pro', 55),
    ('openai', 'gpt-5-5-pro', false, 'gpt-5.5-pro', 55),
    ('openai', 'gpt-5-5-pro-2026-04-23', false, 'gpt-5.5-pro', 55),
    ('openai', 'gpt-5-6-luna', false, 'gpt-5.6-luna', 56),
    ('openai', '^gpt-5\.6-luna-\d{4}-\d{2}-\d{2}$', true, 'gpt-5.6-luna', 56),
    ('openai', '^gpt-5-6-luna-\d{4}-\d{2}-\d{2}$', true, 'gpt-5.6-luna', 56),
    ('openai', 'gpt-5-6-sol', false, 'gpt-5.6-sol', 57),
    ('openai', 'gpt-5.6', false, 'gpt-5.6-sol', 57),
    ('openai', 'gpt-5-6', false, 'gpt-5.6-sol', 57),
    ('openai', '^gpt-5\.6-sol-\d{4}-\d{2}-\d{2}$', true, 'gpt-5.6-sol', 57),
    ('openai', '^gpt-5-6-sol-\d{4}-\d{2}-\d{2}$', true, 'gpt-5.6-sol', 57),
    ('openai', 'gpt-5-6-terra', false, 'gpt-5.6-terra', 58),
    ('openai', '^gpt-5\.6-terra-\d{4}-\d{2}-\d{2}$', true, 'gpt-5.6-terra', 58),
    ('openai', '^gpt-5-6-terra-\d{4}-\d{2}-\d{2}$', true, 'gpt-5.6-terra', 58),
    ('openai', 'gpt-audio-2025-08-28', false, 'gpt-audio', 59),
    ('openai', 'gpt-audio-1.5', false, 'gpt-audio', 59),
    ('openai', 'gpt-audio-mini-2025-10-06', false, 'gpt-audio-mini', 60),
    ('openai', 'gpt-audio-mini-2025-12-15', false, 'gpt-audio-mini', 60),
    ('openai', 'gpt-image-1.5-2025-12-16', false, 'gpt-image-1.5', 64),
    ('openai', 'gpt-image-2-2026-04-21', false, 'gpt-image-2', 65),
    ('openai', 'gpt-realtime-2025-08-28', false, 'gpt-realtime', 69),
    ('openai', 'gpt-realtime-1.5', false, 'gpt-realtime', 69),
    ('openai', 'gpt-realtime-2.1', false, 'gpt-realtime-2', 70),
    ('openai', 'gpt-realtime-2.1-mini', false, 'gpt-realtime-mini', 71),
    ('openai', 'gpt-realtime-mini-2025-12-15', false, 'gpt-realtime-mini', 71),
    ('openai', 'gpt-realtime-mini-2025-10-06', false, 'gpt-realtime-mini', 71),
    ('openai', 'o1-2024-12-17', false, 'o1', 73),
    ('openai', 'o1-preview', false, 'o1', 73),
    ('openai', 'o1-preview-2024-09-12', false, 'o1', 73),
    ('openai', 'o1-mini-2024-09-12', false, 'o1-mini', 74),
    ('openai', 'o1-pro-2025-03-19', false, 'o1-pro', 75),
    ('openai', 'o3-2025-04-16', false, 'o3', 76),
    ('openai', 'o3-deep-research-2025-06-26', false, 'o3-deep-research', 77),
    ('openai', 'o3-mini-2025-01-31', false, 'o3-mini', 78),
    ('openai', 'o3-mini-high', false, 'o3-mini', 78),
    ('openai', 'o3-pro-2025-06-10', false, 'o3-pro', 79),
    ('openai', 'o4-mini-2025-04-16', false, 'o4-mini', 80),
    ('openai', 'o4-mini-high', false, 'o4-mini', 80),
    ('openai', 'o4-mini-deep-research-2025-06-26', false, 'o4-mini-deep-research', 81),
    ('openai', 'text-embedding-ada', false, 'text-embedding-ada-002', 86),
    ('openai', 'text-embedding-ada-002-v2', false, 'text-embedding-ada-002', 86),
    ('x-ai', 'grok-2-vision', false, 'grok-2-vision-1212', 2),
    ('x-ai', 'grok-2-vision-latest', false, 'grok-2-vision-1212', 2),
    ('x-ai', 'grok-3-latest', false, 'grok-3', 3),
    ('x-ai', 'grok-3-beta', false, 'grok-3', 3),
    ('x-ai', 'grok-3-fast-latest', false, 'grok-3-fast', 4),
    ('x-ai', 'grok-3-fast-beta', false, 'grok-3-fast', 4),
    ('x-ai', 'grok-3-mini-beta', false, 'grok-3-mini', 5),
    ('x-ai', 'grok-3-mini-latest', false, 'grok-3-mini', 5),
    ('x-ai', 'grok-3-mini-fast-beta', false, 'grok-3-mini-fast', 6),
    ('x-ai', 'grok-3-mini-fast-latest', false, 'grok-3-mini-fast', 6),
    ('x-ai', 'grok-4', false, 'grok-4-0709', 7),
    ('x-ai', 'grok-4-latest', false, 'grok-4-0709', 7),
    ('x-ai', 'grok-4-1-fast-non-reasoning-latest', false, 'grok-4-1-fast-non-reasoning', 8),
    ('x-ai', 'grok-4-1-fast', false, 'grok-4-1-fast-reasoning', 9),
    ('x-ai', 'grok-4-1-fast-reasoning-latest', false, 'grok-4-1-fast-reasoning', 9),
    ('x-ai', 'grok-4-fast-non-reasoning-latest', false, 'grok-4-fast-non-reasoning', 10),
    ('x-ai', 'grok-4-fast', false, 'grok-4-fast-reasoning', 11),
    ('x-ai', 'grok-4-fast-reasoning-latest', false, 'grok-4-fast-reasoning', 11),
    ('x-ai', '^grok-4\.3-\d{8}$', true, 'grok-4.3', 14),
    ('x-ai', 'x-ai/grok-4.3', false, 'grok-4.3', 14),
    ('x-ai', '^x-ai/grok-4\.3-\d{8}$', true, 'grok-4.3', 14),
    ('x-ai', 'grok-4.3-latest', false, 'grok-4.3', 14),
    ('x-ai', '^grok-4\.5-\d{8}$', true, 'grok-4.5', 15),
    ('x-ai', 'x-ai/grok-4.5', false, 'grok-4.5', 15),
    ('x-ai', '^x-ai/grok-4\.5-\d{8}$', true, 'grok-4.5', 15),
    ('x-ai', 'grok-4.5-latest', false, 'grok-4.5', 15),
    ('x-ai', 'grok-latest', false, 'grok-4.5', 15),
    ('x-ai', 'grok-code-fast', false, 'grok-code-fast-1', 17),
    ('x-ai', 'grok-code-fast-1-0825', false, 'grok-code-fast-1', 17),
    ('zai', 'glm-5.2', false, 'GLM-5.2', 1),
    ('zai', 'glm-5.3', false, 'GLM-5.3', 2),
    ('zhipuai', 'glm-4-air', false, 'GLM-4-Air', 1),
    ('zhipuai', 'glm-4-airx', false, 'GLM-4-AirX', 2),
    ('zhipuai', 'glm-4-assistant', false, 'GLM-4-Assistant', 3),
    ('zhipuai', 'glm-4-flashx-250414', false, 'GLM-4-FlashX-250414', 4),
    ('zhipuai', 'glm-4-long', false, 'GLM-4-Long', 5),
    ('zhipuai', 'glm-4-plus', false, 'GLM-4-Plus', 6),
    ('zhipuai', 'glm-4.5-air', false, 'GLM-4.5-Air', 7),
    ('zhipuai', 'glm-4.7', false, 'GLM-4.7', 8),
    ('zhipuai', 'glm-4.7-flashx', false, 'GLM-4.7-FlashX', 9),
    ('zhipuai', 'glm-5', false, 'GLM-5', 10),
    ('zhipuai', 'glm-5-turbo', false, 'GLM-5-Turbo', 11),
    ('zhipuai', 'glm-5.1', false, 'GLM-5.1', 12),
    ('zhipuai', 'GLM-5.1-20260406', false, 'GLM-5.1', 12),
    ('zhipuai', 'glm-5.1-20260406', false, 'GLM-5.1', 12),
    ('zhipuai', 'glm-5.2', false, 'GLM-5.2', 13)
) AS a(provider, alias, is_pattern, to_model, rank);
END;
COMMENT ON FUNCTION default_aliases() IS 'other names of the models of default_prices(), for load_default_prices()';

CREATE PROCEDURE install_default_prices() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION load_default_prices(
        book text DEFAULT 'list',
        OUT provider text,
        OUT model text,
        OUT service_tier text,
        OUT above_input_tokens bigint,
        OUT outcome text,
        OUT detail text
    ) RETURNS SETOF record
        LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off
    AS $$
    BEGIN
        PERFORM import_aliases(ARRAY(SELECT a FROM tokenomics.default_aliases() AS a), 'tokenomics');
        RETURN QUERY SELECT * FROM import_prices(ARRAY(SELECT p FROM tokenomics.default_prices() AS p), now(), book);
    END
    $$;
    COMMENT ON FUNCTION load_default_prices(text) IS
        'loads the prices and aliases that ship with the extension; reports each row as taken or unchanged';
END
$install$;
COMMENT ON PROCEDURE install_default_prices() IS 'part of install(): the loader of the prices that ship with the extension, in the first schema of search_path';

CREATE PROCEDURE uninstall_default_prices() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP FUNCTION IF EXISTS load_default_prices(text);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_default_prices() IS 'part of uninstall(): drops what install_default_prices() made';
-- The calls: table usage, partitioned by month, or a view named so over a table
-- of the user's own; and the functions of an install that fill it.

-- The columns of usage, in their order: those of the table, and of the view.
CREATE FUNCTION usage_columns(OUT name text, OUT type text, OUT is_needed boolean, OUT description text) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
VALUES
    ('at', 'timestamp with time zone', true, 'when the call was made'),
    ('tokens', 'tokenomics.tokens', false, 'tokens used, by meter; NULL: the vendor reported none'),
    ('provider', 'text', true, 'who charges it'),
    ('model', 'text', true, 'model, as the provider or the log names it'),
    ('service_tier', 'text', false, 'tier that served it: batch, flex, priority, ...; NULL: standard'),
    ('calls', 'bigint', false, 'calls in this row; more than 1: a bucket of a vendor''s usage report'),
    ('request_id', 'text', false, 'the vendor''s id of the call; the same id within 7 days is the same call'),
    ('user_id', 'text', false, 'for whom the call was made'),
    ('session_id', 'text', false, 'conversation it is part of'),
    ('turn_id', 'text', false, 'user prompt it serves, globally unique; all calls of an agent for one prompt share it'),
    ('agent', 'text', false, 'program or agent that made it'),
    ('team', 'text', false, 'team that pays'),
    ('project', 'text', false, 'project it is for'),
    ('status', 'text', false, 'how it ended, as the log says'),
    ('tags', 'jsonb', false, 'anything else to group by'),
    ('ttft', 'integer', false, 'milliseconds to the first visible token'),
    ('duration', 'integer', false, 'milliseconds to the end'),
    ('billed', 'numeric', false, 'what the vendor says it charged'),
    ('billed_currency', 'text', false, 'currency of billed');
END;
COMMENT ON FUNCTION usage_columns() IS 'the columns of usage in their order: name, type, whether a source must have it, and what it is';

-- The tier that SERVED a call, not the one that was asked for.
CREATE FUNCTION service_tier_from(body jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT CASE pg_catalog.lower(t.tier)
           WHEN '' THEN NULL
           WHEN 'auto' THEN NULL
           WHEN 'traffic_type_unspecified' THEN NULL
           WHEN 'standard' THEN NULL
           WHEN 'default' THEN NULL
           WHEN 'on_demand' THEN NULL
           WHEN 'on_demand_priority' THEN 'priority'
           WHEN 'on_demand_flex' THEN 'flex'
           ELSE pg_catalog.lower(t.tier) END
    FROM (SELECT coalesce(body ->> 'service_tier', body #>> '{usage,service_tier}',
                          body ->> 'openai.response.service_tier', body ->> 'gen_ai.openai.response.service_tier',
                          body #>> '{usageMetadata,trafficType}', body ->> 'trafficType') AS tier) AS t
);
COMMENT ON FUNCTION service_tier_from(jsonb) IS
    'the service tier that a response of OpenAI, Anthropic or Gemini, or a span of OpenTelemetry, says it was served by; OpenAI''s "default" is standard; NULL where it is standard, or where it does not say';

-- OpenTelemetry's names of providers that price lists call otherwise.
CREATE FUNCTION provider_from_otel(attributes jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT CASE p.name
           WHEN '' THEN NULL
           WHEN 'gcp.gemini' THEN 'google'
           WHEN 'gcp.vertex_ai' THEN 'google'
           WHEN 'gcp.gen_ai' THEN 'google'
           WHEN 'gemini' THEN 'google'
           WHEN 'vertex_ai' THEN 'google'
           WHEN 'aws.bedrock' THEN 'aws'
           WHEN 'azure.ai.openai' THEN 'azure'
           WHEN 'azure.ai.inference' THEN 'azure'
           WHEN 'az.ai.openai' THEN 'azure'
           WHEN 'az.ai.inference' THEN 'azure'
           WHEN 'mistral_ai' THEN 'mistral'
           WHEN 'x_ai' THEN 'x-ai'
           WHEN 'xai' THEN 'x-ai'
           ELSE p.name END
    FROM (SELECT coalesce(attributes ->> 'gen_ai.provider.name', attributes ->> 'gen_ai.system') AS name) AS p
);
COMMENT ON FUNCTION provider_from_otel(jsonb) IS 'the provider of a span of OpenTelemetry, by the name that the default prices give it';

/*
 * The ready mappings, of column to SQL expression.  What a source does not have
 * (older versions lack columns) is left out, unless usage needs it.
 */
CREATE FUNCTION usage_mapping(name text, source regclass) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    columns text[] := ARRAY(SELECT a.attname::text FROM pg_attribute a
                            WHERE a.attrelid = usage_mapping.source AND a.attnum > 0 AND NOT a.attisdropped);
    milliseconds text := 'CASE WHEN %1$I > %2$I THEN least(extract(epoch FROM %1$I - %2$I) * 1000, 2147483647)::integer END';
    moment text := (SELECT CASE WHEN a.atttypid = 'timestamp'::regtype THEN format('%I AT TIME ZONE ''UTC''', a.attname) ELSE quote_ident(a.attname) END
                    FROM pg_attribute a WHERE a.attrelid = usage_mapping.source AND a.attname = ANY (ARRAY['startTime', 'start_time'])
                    ORDER BY a.attname = CASE usage_mapping.name WHEN 'litellm' THEN 'startTime' ELSE 'start_time' END DESC LIMIT 1);
    entry record;
    result jsonb := '{}';
BEGIN
    IF usage_mapping.name IS NULL OR usage_mapping.name NOT IN ('litellm', 'otel') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('there is no ready mapping "%s"', usage_mapping.name),
            HINT = 'The ready mappings are "litellm" and "otel"; your own is JSON, as in {"at": "created", "model": "model_name"}.';
    END IF;
    FOR entry IN
        SELECT * FROM (VALUES
            ('litellm', 'at', '{startTime}'::text[], moment),
            ('litellm', 'tokens', '{prompt_tokens,completion_tokens,metadata}', 'tokenomics.try_tokens_from_litellm(prompt_tokens, completion_tokens, metadata::jsonb)'),
            ('litellm', 'provider', '{custom_llm_provider,model}', 'coalesce(nullif(custom_llm_provider, ''''), CASE WHEN strpos(model, ''/'') > 1 THEN split_part(model, ''/'', 1) END)'),
            ('litellm', 'model', '{model}', 'nullif(model, '''')'),
            ('litellm', 'service_tier', '{metadata}', 'tokenomics.service_tier_from(metadata::jsonb -> ''usage_object'')'),
            ('litellm', 'request_id', '{request_id}', 'request_id'),
            ('litellm', 'user_id', '{end_user,user}', 'coalesce(nullif(end_user, ''''), nullif("user", ''''))'),
            ('litellm', 'session_id', '{session_id}', 'nullif(session_id, '''')'),
            ('litellm', 'agent', '{agent_id}', 'nullif(agent_id, '''')'),
            ('litellm', 'team', '{team_id}', 'nullif(team_id, '''')'),
            ('litellm', 'project', '{metadata}', 'nullif(metadata::jsonb ->> ''user_api_key_project_id'', '''')'),
            ('litellm', 'status', '{status}', 'nullif(status, '''')'),
            ('litellm', 'tags', '{request_tags}', 'nullif(request_tags::jsonb, ''[]''::jsonb)'),
            -- of an answer that was not streamed LiteLLM writes its end
            ('litellm', 'ttft', '{completionStartTime,startTime,endTime}', 'CASE WHEN "completionStartTime" < "endTime" THEN ' || format(milliseconds, 'completionStartTime', 'startTime') || ' END'),
            ('litellm', 'duration', '{endTime,startTime}', format(milliseconds, 'endTime', 'startTime')),
            -- LiteLLM writes a spend of 0 where it knows no price
            ('litellm', 'billed', '{spend}', 'nullif(spend::numeric, 0)'),
            ('litellm', 'billed_currency', '{spend}', 'CASE WHEN spend::numeric <> 0 THEN ''USD'' END'),
            -- answered from LiteLLM's own cache: no vendor was called
            ('litellm', 'where', '{cache_hit}', 'lower(cache_hit::text) IS DISTINCT FROM ''true'''),
            ('otel', 'at', '{start_time}', moment),
            ('otel', 'tokens', '{attributes}', 'tokenomics.try_tokens_from(''otel'', attributes::jsonb)'),
            ('otel', 'provider', '{attributes}', 'tokenomics.provider_from_otel(attributes::jsonb)'),
            ('otel', 'model', '{attributes}', 'coalesce(attributes ->> ''gen_ai.response.model'', attributes ->> ''gen_ai.request.model'')'),
            ('otel', 'service_tier', '{attributes}', 'tokenomics.service_tier_from(attributes::jsonb)'),
            ('otel', 'request_id', '{attributes}', 'attributes ->> ''gen_ai.response.id'''),
            ('otel', 'request_id', '{attributes,span_id}', 'coalesce(attributes ->> ''gen_ai.response.id'', span_id::text)'),
            ('otel', 'user_id', '{attributes}', 'coalesce(attributes ->> ''user.id'', attributes ->> ''enduser.id'')'),
            ('otel', 'session_id', '{attributes}', 'coalesce(attributes ->> ''gen_ai.conversation.id'', attributes ->> ''session.id'')'),
            ('otel', 'turn_id', '{trace_id}', 'trace_id'),
            ('otel', 'agent', '{attributes}', 'coalesce(attributes ->> ''gen_ai.agent.name'', attributes ->> ''gen_ai.agent.id'')'),
            ('otel', 'status', '{attributes}', 'CASE WHEN attributes ->> ''error.type'' IS NULL THEN ''success'' ELSE ''failure'' END'),
            ('otel', 'duration', '{end_time,start_time}', format(milliseconds, 'end_time', 'start_time')),
            -- calls of models only: the span of an agent may repeat the tokens of the calls within it
            ('otel', 'where', '{attributes}', 'CASE WHEN attributes ->> ''gen_ai.operation.name'' IS NULL THEN attributes::jsonb ?| ARRAY[''gen_ai.usage.input_tokens'', ''gen_ai.usage.prompt_tokens'']'
                || ' ELSE attributes ->> ''gen_ai.operation.name'' IN (''chat'', ''text_completion'', ''generate_content'', ''embeddings'') END')
        ) AS v(mapping, name, needs, expression)
        WHERE v.mapping = usage_mapping.name
    LOOP
        IF entry.needs <@ columns THEN
            result := result || jsonb_build_object(entry.name, entry.expression);
        ELSIF entry.name IN ('at', 'tokens', 'provider', 'model') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_column',
                MESSAGE = format('%s has no column "%s", which mapping "%s" needs', usage_mapping.source,
                                 (SELECT n FROM unnest(entry.needs) AS n WHERE n <> ALL (columns) LIMIT 1), usage_mapping.name);
        ELSIF NOT result ? entry.name THEN
            result := result || jsonb_build_object(entry.name, NULL);
        END IF;
    END LOOP;
    RETURN result;
END
$$;
COMMENT ON FUNCTION usage_mapping(text, regclass) IS
    'a ready mapping for install(): "litellm" for LiteLLM''s "LiteLLM_SpendLogs"; "otel" for spans with columns start_time and attributes, and end_time, trace_id and span_id where there are';

/*
 * Makes the view usage in the first schema of search_path.  Expressions are code
 * that runs with the rights of who reads the view; names in them are looked up
 * in pg_catalog, tokenomics and the schema of the source.
 */
CREATE PROCEDURE install_usage_view(source regclass, mapping jsonb) LANGUAGE plpgsql
AS $install$
DECLARE
    target text := pg_catalog.quote_ident(pg_catalog.current_schema());
    path_before text := pg_catalog.current_setting('search_path');
    source_schema text;
    source_name text;
    mapping_used jsonb := coalesce(install_usage_view.mapping, '{}');
    wrong text;
    col record;
    own record;
    expression text;
    expression_type oid;
    is_not_null boolean;
    list text := '';
    condition text := '';
BEGIN
    SELECT n.nspname, pg_catalog.format('%I.%I', n.nspname, c.relname) INTO source_schema, source_name
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) install_usage_view.source;
    PERFORM pg_catalog.set_config('search_path', pg_catalog.format('pg_catalog, tokenomics, %I, pg_temp', source_schema), true);
    IF jsonb_typeof(mapping_used) <> 'object' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'a mapping is a JSON object of column and SQL expression',
            HINT = 'As in {"at": "created", "model": "model_name"}.';
    END IF;
    SELECT k.key INTO wrong FROM jsonb_each(mapping_used) AS k
    WHERE k.key <> 'where' AND k.key NOT IN (SELECT c.name FROM usage_columns() AS c) ORDER BY k.key LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_column',
            MESSAGE = format('usage has no column "%s"', wrong),
            HINT = format('The columns are: %s; "where" is a condition on the rows.', (SELECT string_agg(c.name, ', ') FROM usage_columns() AS c));
    END IF;
    SELECT k.key INTO wrong FROM jsonb_each(mapping_used) AS k WHERE jsonb_typeof(k.value) NOT IN ('string', 'null') ORDER BY k.key LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the mapping of column "%s" is not a string', wrong),
            HINT = 'It is an SQL expression over the source, or null.';
    END IF;

    FOR col IN SELECT c.name, c.type, c.type::regtype::oid AS type_oid, c.is_needed FROM usage_columns() AS c LOOP
        expression := mapping_used ->> col.name;
        is_not_null := false;
        IF NOT mapping_used ? col.name THEN
            -- a column that is called the same stands for itself, if its type does
            SELECT a.atttypid, a.attnotnull, t.typcategory INTO own FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
            WHERE a.attrelid = install_usage_view.source AND a.attname = col.name::name AND a.attnum > 0 AND NOT a.attisdropped;
            IF FOUND THEN
                IF own.atttypid <> col.type_oid AND NOT (col.type_oid = 'text'::regtype AND own.typcategory = 'S')
                    AND NOT (col.type_oid = ANY (ARRAY['bigint'::regtype, 'integer'::regtype])
                             AND own.atttypid = ANY (ARRAY['bigint'::regtype, 'integer'::regtype, 'smallint'::regtype])) THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'datatype_mismatch',
                        MESSAGE = format('column "%s" of %s is of type %s, not %s', col.name, source_name, own.atttypid::regtype, col.type),
                        HINT = format('Map it: {"%s": "an expression"}, or {"%s": null} to leave it out.', col.name, col.name);
                END IF;
                expression := quote_ident(col.name);
                is_not_null := own.attnotnull;
            END IF;
        END IF;
        IF expression IS NULL THEN
            IF col.is_needed THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'undefined_column',
                    MESSAGE = format('usage needs a column "%s", which neither the mapping nor %s has', col.name, source_name),
                    HINT = format('Name it in the mapping, as in {"%s": "an expression"}; a constant is written with its quotes, as in "''openai''".', col.name);
            END IF;
            expression := CASE col.name WHEN 'calls' THEN '1::bigint' ELSE format('NULL::%s', col.type) END;
        ELSE
            BEGIN
                EXECUTE format('SELECT pg_typeof(x.value)::oid FROM (SELECT) AS one LEFT JOIN LATERAL (SELECT (%s' || E'\n' || ') AS value FROM %s AS source LIMIT 0) AS x ON true',
                               expression, source_name) INTO expression_type;
            EXCEPTION WHEN OTHERS THEN
                RAISE EXCEPTION USING
                    ERRCODE = SQLSTATE,
                    MESSAGE = format('the mapping of column "%s" fails: %s', col.name, SQLERRM),
                    DETAIL = format('It is the expression: %s', expression),
                    HINT = format('It is an SQL expression over the columns of %s.', source_name);
            END;
            -- a timestamp without a zone would be another moment for each reader's TimeZone
            IF NOT (expression_type = col.type_oid
                    OR expression_type = 'unknown'::regtype
                    OR col.name <> 'at' AND (col.type_oid = 'text'::regtype
                        OR col.name = 'tokens' AND expression_type = 'jsonb'::regtype
                        OR col.name <> 'tokens' AND EXISTS (SELECT FROM pg_cast c WHERE c.castsource = expression_type AND c.casttarget = col.type_oid AND c.castcontext IN ('a', 'i')))) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'datatype_mismatch',
                    MESSAGE = format('the mapping of column "%s" is of type %s, not %s', col.name, expression_type::regtype, col.type),
                    DETAIL = format('It is the expression: %s', expression),
                    HINT = CASE WHEN col.name = 'at' THEN 'Say in which zone it is, as in: created AT TIME ZONE ''UTC''.'
                                WHEN col.name = 'tokens' THEN 'As in: tokens(input => prompt_tokens, output => completion_tokens).'
                                ELSE format('Make it one, as in: (%s)::%s.', expression, col.type) END;
            END IF;
            expression := format('(%s' || CASE WHEN strpos(expression, '--') > 0 THEN E'\n' ELSE '' END || ')::%s', expression, col.type);
            IF col.name IN ('provider', 'model') AND NOT is_not_null THEN
                expression := format('coalesce(%s, ''unknown'')', expression);
            ELSIF col.name = 'calls' AND NOT is_not_null THEN
                expression := format('coalesce(%s, 1)', expression);
            END IF;
        END IF;
        list := list || CASE WHEN list = '' THEN '' ELSE ', ' END || format('%s AS %I', expression, col.name);
    END LOOP;
    IF mapping_used ->> 'where' IS NOT NULL THEN
        BEGIN
            EXECUTE format('SELECT FROM %s AS source WHERE (%s' || E'\n' || ') LIMIT 0', source_name, mapping_used ->> 'where');
        EXCEPTION WHEN OTHERS THEN
            RAISE EXCEPTION USING
                ERRCODE = SQLSTATE,
                MESSAGE = format('the condition "where" of the mapping fails: %s', SQLERRM),
                DETAIL = format('It is the expression: %s', mapping_used ->> 'where'),
                HINT = format('It is a condition on the rows of %s.', source_name);
        END;
        condition := format(' WHERE (%s' || E'\n' || ')', mapping_used ->> 'where');
    END IF;
    EXECUTE format('CREATE OR REPLACE VIEW %s.usage WITH (security_invoker = true) AS SELECT %s FROM %s AS source%s',
                   target, list, source_name, condition);
    EXECUTE format('COMMENT ON VIEW %s.usage IS %L', target, format('tokenomics: the calls, as %s holds them', source_name));
    PERFORM set_config('search_path', path_before, true);
END
$install$;
COMMENT ON PROCEDURE install_usage_view(regclass, jsonb) IS 'part of install(): the view usage over a table or view of the user''s own, in the first schema of search_path';

CREATE PROCEDURE install_usage(source regclass DEFAULT NULL, mapping jsonb DEFAULT NULL) LANGUAGE plpgsql
AS $install$
DECLARE
    kind "char" := (SELECT c.relkind FROM pg_class c WHERE c.relname = 'usage' AND c.relnamespace = quote_ident(current_schema())::regnamespace);
    col record;
BEGIN
    IF install_usage.source IS NOT NULL THEN
        IF kind IS NOT NULL AND kind <> 'v' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('the install in schema "%s" has a table "usage" of its own', current_schema()),
                HINT = 'Install into another schema, or uninstall this one first.';
        END IF;
        CALL tokenomics.install_usage_view(install_usage.source, install_usage.mapping);
        kind := 'v';
    END IF;
    IF kind IS DISTINCT FROM 'v' THEN
        CREATE TABLE IF NOT EXISTS usage (
            at timestamptz NOT NULL CONSTRAINT usage_at_finite CHECK (isfinite(at)),
            tokens tokenomics.tokens,
            provider text NOT NULL,
            model text NOT NULL,
            service_tier text,
            calls bigint NOT NULL DEFAULT 1 CONSTRAINT usage_calls_positive CHECK (calls > 0),
            request_id text,
            user_id text,
            session_id text,
            turn_id text,
            agent text,
            team text,
            project text,
            status text,
            tags jsonb,
            ttft integer CONSTRAINT usage_ttft_not_negative CHECK (ttft >= 0),
            duration integer CONSTRAINT usage_duration_not_negative CHECK (duration >= 0),
            billed numeric CONSTRAINT usage_billed_not_negative CHECK (billed >= 0 AND billed < 'infinity'),
            billed_currency text CONSTRAINT usage_billed_currency_is_one CHECK (billed_currency ~ '^[A-Z][A-Z0-9_]{2,7}$'),
            CONSTRAINT usage_billed_with_currency CHECK ((billed IS NULL) = (billed_currency IS NULL)),
            CONSTRAINT usage_null_not_empty CHECK (provider <> '' AND model <> '' AND service_tier <> '' AND request_id <> ''
                AND user_id <> '' AND session_id <> '' AND turn_id <> '' AND agent <> '' AND team <> '' AND project <> ''),
            CONSTRAINT usage_request UNIQUE (request_id, at)
        ) PARTITION BY RANGE (at);
        -- BRIN: calls come about in the order of time, and the month is the
        -- partition's; a btree would cost each call more than its tokens do
        CREATE INDEX IF NOT EXISTS usage_at ON usage USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
        CREATE TABLE IF NOT EXISTS usage_default PARTITION OF usage DEFAULT;
        COMMENT ON TABLE usage IS 'tokenomics: the calls, partitioned by month (UTC)';
        COMMENT ON TABLE usage_default IS 'tokenomics: calls of months without a partition; ensure_partitions() moves them';
        FOR col IN SELECT * FROM tokenomics.usage_columns() LOOP
            EXECUTE format('COMMENT ON COLUMN usage_default.%I IS %L', col.name, col.description);
        END LOOP;
    END IF;
    FOR col IN SELECT * FROM tokenomics.usage_columns() LOOP
        EXECUTE format('COMMENT ON COLUMN %I.usage.%I IS %L', current_schema(), col.name, col.description);
    END LOOP;
    IF kind = 'v' THEN
        RETURN;
    END IF;

    CREATE OR REPLACE FUNCTION ensure_partitions(
        from_date date DEFAULT NULL,
        to_date date DEFAULT NULL,
        OUT month date,
        OUT rows_moved bigint
    ) RETURNS SETOF record
        LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC'
    AS $$
    #variable_conflict use_column
    DECLARE
        first timestamptz := date_trunc('month', from_date::timestamptz);
        last timestamptz := date_trunc('month', coalesce(to_date::timestamptz, now() + interval '3 months'));
        others regclass := (SELECT nullif(p.partdefid, 0) FROM pg_partitioned_table p WHERE p.partrelid = 'usage'::regclass);
        columns text := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                         WHERE a.attrelid = 'usage'::regclass AND a.attnum > 0 AND NOT a.attisdropped);
        table_owner name := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = 'usage'::regclass);
        months timestamptz[];
        starts timestamptz;
        partition text;
    BEGIN
        IF NOT isfinite(coalesce(from_date, 'epoch')) OR NOT isfinite(coalesce(to_date, 'epoch'))
            OR least(from_date, to_date) < '0001-01-01'::date OR first > last THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('there are no months from %s to %s', coalesce(from_date::text, 'the first'), coalesce(to_date::text, last::date::text));
        END IF;
        IF first < last - interval '600 months' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'program_limit_exceeded',
                MESSAGE = format('from %s to %s are more than 600 months', first::date, last::date),
                HINT = 'Without a first date only months that hold calls get a partition, and those ahead.';
        END IF;
        -- Runs take turns.  Each looks first, for most often there is nothing to
        -- do, and then keeps all others out: a row that was on its way to the
        -- default partition would find its month gone from there, and fail.
        -- Readers wait too: one that went on to write would be a deadlock.
        PERFORM pg_advisory_xact_lock('usage'::regclass::oid::integer, 'ensure_partitions'::regproc::oid::integer);
        FOR attempt IN 1 .. 2 LOOP
            IF attempt = 1 THEN
                LOCK TABLE ONLY usage IN ACCESS SHARE MODE;
            ELSE
                LOCK TABLE ONLY usage IN ACCESS EXCLUSIVE MODE;
            END IF;
            months := ARRAY(SELECT generate_series(coalesce(first, date_trunc('month', now())), last, interval '1 month'));
            IF others IS NOT NULL THEN
                EXECUTE format('SELECT $1 || ARRAY(SELECT DISTINCT date_trunc(''month'', at) FROM %s WHERE at >= $2 AND at < $3)', others)
                INTO months USING months, coalesce(first, '0001-01-01'::timestamptz), last + interval '1 month';
            END IF;
            months := ARRAY(
                SELECT DISTINCT m FROM unnest(months) AS m
                WHERE NOT EXISTS (
                    SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
                         regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') AS b
                    WHERE i.inhparent = 'usage'::regclass AND b IS NOT NULL
                      AND (b[1] = 'MINVALUE' OR btrim(b[1], '''')::timestamptz < m + interval '1 month')
                      AND (b[2] = 'MAXVALUE' OR btrim(b[2], '''')::timestamptz > m))
                ORDER BY m);
            IF months = '{}' THEN
                RETURN;
            END IF;
        END LOOP;

        FOREACH starts IN ARRAY months LOOP
            partition := 'usage_y' || to_char(starts, 'YYYY"m"MM');
            IF EXISTS (SELECT FROM pg_class c WHERE c.relname = partition::name
                       AND c.relnamespace = (SELECT u.relnamespace FROM pg_class u WHERE u.oid = 'usage'::regclass)) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'duplicate_table',
                    MESSAGE = format('relation "%s" already exists', partition),
                    DETAIL = 'It is not a partition of "usage".',
                    HINT = 'Attach it, rename it or drop it.';
            END IF;
            EXECUTE format('CREATE TABLE %I (LIKE usage INCLUDING ALL EXCLUDING INDEXES)', partition);
            EXECUTE format('COMMENT ON TABLE %I IS %L', partition, format('tokenomics: calls of %s (UTC)', to_char(starts, 'YYYY-MM')));
            IF table_owner <> current_user THEN
                EXECUTE format('ALTER TABLE %I OWNER TO %I', partition, table_owner);
            END IF;
            rows_moved := 0;
            IF others IS NOT NULL THEN
                EXECUTE format('WITH moved AS (DELETE FROM %s WHERE at >= $1 AND at < $2 RETURNING %s) INSERT INTO %I (%s) SELECT %s FROM moved ORDER BY at',
                               others, columns, partition, columns, columns)
                USING starts, starts + interval '1 month';
                GET DIAGNOSTICS rows_moved = ROW_COUNT;
            END IF;
            EXECUTE format('ALTER TABLE usage ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, starts, starts + interval '1 month');
            month := starts::date;
            RETURN NEXT;
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION ensure_partitions(date, date) IS
        'makes the monthly partitions (UTC) that are missing, moves their rows out of the default partition, and returns each; by default of months that hold such rows, and of this month and the next three; from a date on, of every month';

    CREATE OR REPLACE FUNCTION log_call(
        vendor text,
        usage_json jsonb,
        model text DEFAULT NULL,
        provider text DEFAULT NULL,
        at timestamptz DEFAULT clock_timestamp(),
        service_tier text DEFAULT NULL,
        calls bigint DEFAULT 1,
        request_id text DEFAULT NULL,
        user_id text DEFAULT NULL,
        session_id text DEFAULT NULL,
        turn_id text DEFAULT NULL,
        agent text DEFAULT NULL,
        team text DEFAULT NULL,
        project text DEFAULT NULL,
        status text DEFAULT NULL,
        tags jsonb DEFAULT NULL,
        ttft integer DEFAULT NULL,
        duration integer DEFAULT NULL,
        billed numeric DEFAULT NULL,
        billed_currency text DEFAULT NULL
    ) RETURNS tokenomics.tokens
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        used tokenomics.tokens;
        of_provider text := coalesce(log_call.provider, CASE vendor WHEN 'gemini' THEN 'google' WHEN 'otel' THEN tokenomics.provider_from_otel(usage_json) ELSE vendor END);
        of_model text := coalesce(log_call.model, usage_json ->> 'model', usage_json ->> 'modelVersion',
                                  usage_json ->> 'gen_ai.response.model', usage_json ->> 'gen_ai.request.model');
    BEGIN
        IF vendor IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'null_value_not_allowed',
                MESSAGE = 'log_call() needs a vendor, whose form of usage it reads';
        END IF;
        -- without a body too it says which vendors it knows
        PERFORM tokenomics.try_tokens_from(vendor, '{}');
        used := tokenomics.tokens_from(vendor, usage_json);
        IF of_provider IS NULL OR of_model IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'null_value_not_allowed',
                MESSAGE = format('log_call() needs a %s', CASE WHEN of_model IS NULL THEN 'model' ELSE 'provider' END),
                DETAIL = 'Neither an argument nor the body names it.',
                HINT = format('Pass it, as in log_call(..., %s => ...).', CASE WHEN of_model IS NULL THEN 'model' ELSE 'provider' END);
        END IF;
        INSERT INTO usage (at, tokens, provider, model, service_tier, calls, request_id, user_id, session_id, turn_id, agent, team,
                           project, status, tags, ttft, duration, billed, billed_currency)
        VALUES (coalesce(log_call.at, clock_timestamp()), used, of_provider, of_model,
                coalesce(log_call.service_tier, tokenomics.service_tier_from(usage_json)), coalesce(log_call.calls, 1),
                coalesce(log_call.request_id, usage_json ->> 'id', usage_json ->> 'responseId', usage_json ->> 'gen_ai.response.id'),
                log_call.user_id, log_call.session_id, log_call.turn_id, log_call.agent, log_call.team, log_call.project,
                log_call.status, log_call.tags, log_call.ttft, log_call.duration, log_call.billed, log_call.billed_currency);
        RETURN used;
    END
    $$;
    COMMENT ON FUNCTION log_call(text, jsonb, text, text, timestamptz, text, bigint, text, text, text, text, text, text, text, text, jsonb, integer, integer, numeric, text) IS
        'records one call from the response (or its usage object) of "openai", "anthropic" or "gemini", or the attributes of an "otel" span; what is not given is taken from it; a body of NULL is a call whose tokens nobody reported; returns its tokens, as cost() takes them';

    CREATE OR REPLACE FUNCTION load_usage(
        source regclass,
        on_conflict text DEFAULT 'skip',
        OUT outcome text,
        OUT rows bigint,
        OUT example_request_id text
    ) RETURNS SETOF record
        LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        col record;
        columns text := '';      -- of usage, that the source has
        read text := '';         -- the same, as they are read
        set_list text := '';
        differs text := '';      -- whether rows a and b differ in one of them
        span record;
        far record;
        chosen_id text;
        chosen_at timestamptz;
        chosen_row bigint;
        rows_far bigint[] := '{}';
        rows_chosen bigint[] := '{}';
        problem record;
    BEGIN
        IF source IS NULL OR on_conflict IS NULL OR on_conflict NOT IN ('skip', 'replace', 'error') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = CASE WHEN source IS NULL THEN 'load_usage() needs a table or view to load from' ELSE format('on_conflict cannot be "%s"', on_conflict) END,
                HINT = 'on_conflict is "skip", "replace" or "error".';
        END IF;
        IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_transaction_state',
                MESSAGE = 'load_usage() needs isolation level READ COMMITTED',
                DETAIL = format('In %s it would not see what another load has just committed, and would load it again.', upper(current_setting('transaction_isolation')));
        END IF;
        FOR col IN
            SELECT a.attname, a.atttypid, u.name, u.type, u.type::regtype::oid AS type_oid, u.is_needed
            FROM (SELECT * FROM pg_attribute a WHERE a.attrelid = load_usage.source AND a.attnum > 0 AND NOT a.attisdropped) AS a
            FULL JOIN tokenomics.usage_columns() WITH ORDINALITY AS u(name, type, is_needed, description, n) ON u.name = a.attname::text
            WHERE a.attname IS NOT NULL OR u.is_needed
            ORDER BY u.n NULLS FIRST, a.attnum
        LOOP
            IF col.name IS NULL OR col.attname IS NULL THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'undefined_column',
                    MESSAGE = CASE WHEN col.name IS NULL THEN format('usage has no column "%s", which %s has', col.attname, load_usage.source)
                                   ELSE format('%s has no column "%s", which usage needs', load_usage.source, col.name) END,
                    HINT = format('Load from a view with columns of usage: %s.', (SELECT string_agg(u.name, ', ') FROM tokenomics.usage_columns() AS u));
            END IF;
            -- a timestamp without a zone would depend on the session's TimeZone
            IF col.name = 'at' AND col.atttypid <> col.type_oid THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'datatype_mismatch',
                    MESSAGE = format('column "at" of %s is of type %s, not timestamp with time zone', load_usage.source, col.atttypid::regtype),
                    HINT = 'Load from a view that says in which zone it is, as in: created AT TIME ZONE ''UTC'' AS at.';
            END IF;
            IF col.atttypid <> col.type_oid THEN
                BEGIN
                    EXECUTE format('SELECT %I::%s FROM %s LIMIT 0', col.name, col.type, load_usage.source);
                EXCEPTION WHEN cannot_coerce THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'cannot_coerce',
                        MESSAGE = format('column "%s" of %s is of type %s, not %s', col.name, load_usage.source, col.atttypid::regtype, col.type);
                END;
            END IF;
            columns := columns || CASE WHEN columns = '' THEN '' ELSE ', ' END || quote_ident(col.name);
            read := read || CASE WHEN read = '' THEN '' ELSE ', ' END || format('%I::%s AS %I', col.name, col.type, col.name);
            set_list := set_list || CASE WHEN set_list = '' THEN '' ELSE ', ' END || format('%I = s.%I', col.name, col.name);
            differs := differs || CASE WHEN differs = '' THEN '' ELSE ' OR ' END
                || format(CASE WHEN col.name = 'tokens' THEN 'a.%I::text IS DISTINCT FROM b.%I::text' ELSE 'a.%I IS DISTINCT FROM b.%I' END, col.name, col.name);
        END LOOP;

        -- Another load at the same time may hold the same calls, which neither
        -- would see before it commits: loads into one install take turns.  Other
        -- writers need not wait.
        PERFORM pg_advisory_xact_lock('usage'::regclass::oid::integer, 'load_usage'::regproc::oid::integer);

        EXECUTE format('CREATE TEMP TABLE load_usage_source ON COMMIT DROP AS SELECT row_number() OVER () AS load_row, %s FROM %s', read, load_usage.source);
        IF position('request_id' IN columns) = 0 THEN
            EXECUTE 'ALTER TABLE pg_temp.load_usage_source ADD request_id text';
        END IF;
        ANALYZE pg_temp.load_usage_source;
        EXECUTE 'SELECT min(at) - interval ''168 hours'' AS first, max(at) + interval ''168 hours'' AS last FROM pg_temp.load_usage_source WHERE request_id IS NOT NULL AND isfinite(at)'
        INTO span;

        -- As if the rows came one by one in the order of time.  "existing" is the
        -- row of the table nearest to one of the source.
        IF on_conflict = 'replace' THEN
            -- each replaces the one before it, so those that follow each other by
            -- at most 7 days are one call, of which the last is chosen
            EXECUTE format($query$
                CREATE TEMP TABLE load_usage_plan ON COMMIT DROP AS
                WITH gap AS (
                    SELECT s.load_row, s.request_id, s.at,
                           s.at - interval '168 hours' > lag(s.at) OVER (PARTITION BY s.request_id ORDER BY s.at, s.load_row) AS is_new
                    FROM pg_temp.load_usage_source s WHERE s.request_id IS NOT NULL
                ), island AS (
                    SELECT g.load_row, g.request_id, g.at,
                           count(*) FILTER (WHERE g.is_new) OVER (PARTITION BY g.request_id ORDER BY g.at, g.load_row) AS island
                    FROM gap g
                ), chosen AS (
                    SELECT i.*, first_value(i.load_row) OVER (PARTITION BY i.request_id, i.island ORDER BY i.at DESC, i.load_row DESC) AS chosen_row,
                           first_value(i.at) OVER (PARTITION BY i.request_id, i.island ORDER BY i.at DESC, i.load_row DESC) AS chosen_at,
                           count(*) OVER (PARTITION BY i.request_id, i.island) AS size
                    FROM island i
                ), existing AS (
                    SELECT DISTINCT ON (c.chosen_row) c.chosen_row, u.at
                    FROM chosen c JOIN usage u ON u.request_id = c.request_id
                        AND u.at >= c.at - interval '168 hours' AND u.at <= c.at + interval '168 hours'
                    WHERE u.at >= %1$L AND u.at <= %2$L
                    ORDER BY c.chosen_row, abs(extract(epoch FROM u.at - c.chosen_at)), u.at
                ), one_each AS (
                    SELECT DISTINCT ON (c.request_id, e.at) e.chosen_row
                    FROM existing e JOIN chosen c ON c.load_row = e.chosen_row
                    ORDER BY c.request_id, e.at, abs(extract(epoch FROM e.at - c.chosen_at)), c.load_row
                )
                SELECT c.load_row, c.request_id, c.chosen_row, e.at AS existing_at, o.chosen_row IS NOT NULL AS may_replace, NULL::text AS outcome
                FROM chosen c LEFT JOIN existing e ON e.chosen_row = c.chosen_row LEFT JOIN one_each o ON o.chosen_row = c.chosen_row
                WHERE e.at IS NOT NULL OR c.size > 1
                $query$, span.first, span.last);
        ELSE
            -- one that no row of the table stands for is chosen, and stands for
            -- those of the next 7 days
            EXECUTE format($query$
                CREATE TEMP TABLE load_usage_plan ON COMMIT DROP AS
                WITH existing AS (
                    SELECT DISTINCT ON (s.load_row) s.load_row, u.at
                    FROM pg_temp.load_usage_source s JOIN usage u ON u.request_id = s.request_id
                        AND u.at >= s.at - interval '168 hours' AND u.at <= s.at + interval '168 hours'
                    WHERE u.at >= %1$L AND u.at <= %2$L
                    ORDER BY s.load_row, abs(extract(epoch FROM u.at - s.at)), u.at
                ), chosen AS (
                    SELECT s.load_row, s.request_id, s.at, e.at AS existing_at, count(*) OVER (PARTITION BY s.request_id, e.at IS NULL) AS size,
                           first_value(s.load_row) OVER (PARTITION BY s.request_id, e.at IS NULL ORDER BY s.at, s.load_row) AS chosen_row,
                           first_value(s.at) OVER (PARTITION BY s.request_id, e.at IS NULL ORDER BY s.at, s.load_row) AS chosen_at
                    FROM pg_temp.load_usage_source s LEFT JOIN existing e ON e.load_row = s.load_row
                    WHERE s.request_id IS NOT NULL
                )
                SELECT c.load_row, c.request_id, CASE WHEN c.existing_at IS NULL THEN c.chosen_row ELSE c.load_row END AS chosen_row,
                       c.existing_at, false AS may_replace, NULL::text AS outcome, c.at,
                       c.existing_at IS NULL AND c.at - interval '168 hours' > c.chosen_at AS is_far
                FROM chosen c
                WHERE c.existing_at IS NOT NULL OR c.size > 1
                $query$, span.first, span.last);
            -- ids that come again after more than 7 days: few
            FOR far IN EXECUTE 'SELECT p.load_row, p.request_id, p.at FROM pg_temp.load_usage_plan p
                                WHERE p.existing_at IS NULL AND p.request_id IN (SELECT f.request_id FROM pg_temp.load_usage_plan f WHERE f.is_far)
                                ORDER BY p.request_id, p.at, p.load_row'
            LOOP
                IF chosen_id IS DISTINCT FROM far.request_id OR far.at - interval '168 hours' > chosen_at THEN
                    chosen_id := far.request_id;
                    chosen_at := far.at;
                    chosen_row := far.load_row;
                END IF;
                rows_far := rows_far || far.load_row;
                rows_chosen := rows_chosen || chosen_row;
            END LOOP;
            EXECUTE 'UPDATE pg_temp.load_usage_plan p SET chosen_row = x.chosen_row FROM unnest($1, $2) AS x(load_row, chosen_row) WHERE p.load_row = x.load_row'
            USING rows_far, rows_chosen;
        END IF;
        ANALYZE pg_temp.load_usage_plan;

        -- against the row of the table, or the one of the source that is loaded
        EXECUTE format($query$
            UPDATE pg_temp.load_usage_plan p
            SET outcome = CASE WHEN NOT x.is_different THEN 'skipped'
                               WHEN $1 = 'replace' AND p.load_row = p.chosen_row AND p.may_replace THEN 'replaced'
                               ELSE 'conflict' END
            FROM (
                SELECT q.load_row, (%1$s) AS is_different
                FROM pg_temp.load_usage_plan q JOIN pg_temp.load_usage_source a ON a.load_row = q.load_row
                JOIN usage b ON b.request_id = q.request_id AND b.at = q.existing_at
                WHERE q.existing_at IS NOT NULL AND ($1 <> 'replace' OR q.load_row = q.chosen_row) AND b.at >= %2$L AND b.at <= %3$L
                UNION ALL
                SELECT q.load_row, (%1$s)
                FROM pg_temp.load_usage_plan q JOIN pg_temp.load_usage_source a ON a.load_row = q.load_row
                JOIN pg_temp.load_usage_source b ON b.load_row = q.chosen_row
                WHERE (q.existing_at IS NULL OR $1 = 'replace') AND q.load_row <> q.chosen_row
            ) AS x
            WHERE x.load_row = p.load_row
            $query$, differs, span.first, span.last) USING on_conflict;

        IF on_conflict = 'error' THEN
            EXECUTE 'SELECT count(*) AS n, count(*) FILTER (WHERE outcome = ''conflict'') AS different, min(request_id) AS id FROM pg_temp.load_usage_plan WHERE outcome IS NOT NULL'
            INTO problem;
            IF problem.n > 0 THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'unique_violation',
                    MESSAGE = format('call "%s" is in the table or the source already', problem.id),
                    DETAIL = format('%s of the rows are calls that are there already, %s of them with different content.', problem.n, problem.different),
                    HINT = 'Use on_conflict => ''skip'' or ''replace''.';
            END IF;
        END IF;

        IF on_conflict = 'replace' THEN
            EXECUTE format('UPDATE usage u SET %s FROM pg_temp.load_usage_plan p JOIN pg_temp.load_usage_source s ON s.load_row = p.load_row
                            WHERE p.outcome = ''replaced'' AND u.request_id = p.request_id AND u.at = p.existing_at AND u.at >= %L AND u.at <= %L',
                           set_list, span.first, span.last);
        END IF;
        -- in the order of time, for which the index on it is made
        EXECUTE format('INSERT INTO usage (%s) SELECT %s FROM pg_temp.load_usage_source s
                        WHERE NOT EXISTS (SELECT FROM pg_temp.load_usage_plan p WHERE p.load_row = s.load_row AND p.outcome IS NOT NULL) ORDER BY s.at',
                       columns, columns);
        RETURN QUERY EXECUTE '
            SELECT o.outcome, count(x.load_row), min(x.request_id)
            FROM unnest(''{taken,skipped,replaced,conflict}''::text[]) WITH ORDINALITY AS o(outcome, n)
            LEFT JOIN (SELECT s.load_row, s.request_id, coalesce(p.outcome, ''taken'') AS outcome
                       FROM pg_temp.load_usage_source s LEFT JOIN pg_temp.load_usage_plan p ON p.load_row = s.load_row) AS x ON x.outcome = o.outcome
            GROUP BY o.n, o.outcome ORDER BY o.n';
        DROP TABLE pg_temp.load_usage_source, pg_temp.load_usage_plan;
    END
    $$;
    COMMENT ON FUNCTION load_usage(regclass, text) IS
        'loads calls from a table or view with columns of usage; the same request_id within 7 days is the same call, which on_conflict skips, replaces or makes an error; returns how many rows were taken, skipped (same content), replaced (other content) or in conflict (other content, not loaded)';

    IF kind IS NULL THEN
        PERFORM ensure_partitions();
    END IF;
END
$install$;
COMMENT ON PROCEDURE install_usage(regclass, jsonb) IS
    'part of install(): table usage and the functions that fill it, or the view of that name over a source of the user''s own; keeps what is there';

CREATE PROCEDURE uninstall_usage() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP FUNCTION IF EXISTS
        load_usage(regclass, text),
        log_call(text, jsonb, text, text, timestamptz, text, bigint, text, text, text, text, text, text, text, text, jsonb, integer, integer, numeric, text),
        ensure_partitions(date, date);
    IF EXISTS (SELECT FROM pg_class c WHERE c.relname = 'usage' AND c.relkind = 'v' AND c.relnamespace = quote_ident(current_schema())::regnamespace) THEN
        DROP VIEW usage;
    ELSE
        DROP TABLE IF EXISTS usage;
    END IF;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_usage() IS 'part of uninstall(): drops what install_usage() made';
-- Charges that are not calls, and how they are split over time and over calls.

CREATE FUNCTION amortise(
    amount numeric,
    weights bigint[],
    capacity bigint DEFAULT NULL,
    scale integer DEFAULT 12
) RETURNS numeric[]
    AS 'MODULE_PATHNAME', 'charge_amortise' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION amortise(numeric, bigint[], bigint, integer) IS
    'splits an amount over lines by their weights (tokens), exactly: a share for each line and one more, the idle part, which a capacity (in tokens) leaves when the lines use less of it; each share is cut off at scale decimals, and the idle part, or without one the last line with a weight, takes the rest';

CREATE FUNCTION elapsed_share(
    amount numeric,
    whole tstzrange,
    part tstzrange,
    scale integer DEFAULT 12
) RETURNS numeric
    AS 'MODULE_PATHNAME', 'charge_elapsed_share' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION elapsed_share(numeric, tstzrange, tstzrange, integer) IS
    'what of an amount, spread evenly over its whole period, falls into a part of it: what has elapsed by the end of the part less what has by its start, each cut off at scale decimals, so that adjacent parts add up exactly';

-- Makes the table in the schema that comes first in search_path; called by
-- install().
CREATE PROCEDURE install_charge() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE TABLE IF NOT EXISTS charge (
        charge_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        provider text NOT NULL,
        charge_period_start timestamptz NOT NULL,
        charge_period_end timestamptz NOT NULL,
        charge_category text NOT NULL,
        sku text,
        quantity numeric,
        unit text,
        billed_cost numeric NOT NULL,
        currency text NOT NULL,
        invoice_id text,
        scope jsonb,
        source text,
        recorded_at timestamptz DEFAULT now(),
        CONSTRAINT charge_names_not_empty
            CHECK (provider <> '' AND sku <> '' AND unit <> '' AND invoice_id <> ''),
        CONSTRAINT charge_period_finite CHECK (isfinite(charge_period_start) AND isfinite(charge_period_end)),
        CONSTRAINT charge_period_starts_before_it_ends CHECK (charge_period_start < charge_period_end),
        CONSTRAINT charge_category_known
            CHECK (charge_category IN ('Usage', 'Purchase', 'Credit', 'Adjustment', 'Tax')),
        CONSTRAINT charge_cost_finite CHECK (billed_cost > '-infinity' AND billed_cost < 'infinity'),
        -- an adjustment corrects in either direction, and tax is refunded with what it was on
        CONSTRAINT charge_cost_sign
            CHECK (CASE charge_category
                       WHEN 'Usage' THEN billed_cost >= 0
                       WHEN 'Purchase' THEN billed_cost >= 0
                       WHEN 'Credit' THEN billed_cost <= 0
                       ELSE true END),
        CONSTRAINT charge_currency_code CHECK (currency ~ '^[A-Z][A-Z0-9_]{2,7}$'),
        CONSTRAINT charge_quantity_not_negative CHECK (quantity >= 0 AND quantity < 'infinity'),
        CONSTRAINT charge_quantity_has_unit CHECK ((quantity IS NULL) = (unit IS NULL)),
        -- a capacity that is not read as one would leave nothing idle
        CONSTRAINT charge_capacity_unit
            CHECK (charge_category <> 'Purchase' OR unit = 'Tokens' OR unit !~* '^[0-9., ]*tokens?$'),
        CONSTRAINT charge_capacity_whole
            CHECK (charge_category <> 'Purchase' OR unit <> 'Tokens'
                   OR (quantity = trunc(quantity) AND quantity <= 9223372036854775807)),
        CONSTRAINT charge_scope_names
            CHECK (jsonb_typeof(scope) = 'object' AND scope <> '{}'
                   AND NOT jsonb_path_exists(scope, 'strict $.* ? (@.type() != "string")', '{}', true))
    );
    CREATE INDEX IF NOT EXISTS charge_provider ON charge (provider, charge_category, charge_period_start);
    CREATE INDEX IF NOT EXISTS charge_invoice ON charge (invoice_id) WHERE invoice_id IS NOT NULL;
    COMMENT ON TABLE charge IS 'tokenomics: charges that are not calls: what a provider bills, by period (names of FinOps FOCUS)';
    COMMENT ON COLUMN charge.charge_id IS 'number of the charge';
    COMMENT ON COLUMN charge.provider IS 'who charges it';
    COMMENT ON COLUMN charge.charge_period_start IS 'when what is charged begins';
    COMMENT ON COLUMN charge.charge_period_end IS 'when it ends, itself not included';
    COMMENT ON COLUMN charge.charge_category IS
        'Usage: what the provider says the calls cost; Purchase: paid in advance, spread over its period and its calls; Credit: zero or less; Adjustment: a correction, up or down; Tax';
    COMMENT ON COLUMN charge.sku IS 'of Usage: the model; of a Purchase: the service tier that its calls name';
    COMMENT ON COLUMN charge.quantity IS 'how much, in units; of a Purchase in Tokens: its capacity over the whole period';
    COMMENT ON COLUMN charge.unit IS 'what quantity counts; a capacity is in Tokens';
    COMMENT ON COLUMN charge.billed_cost IS 'amount billed, in currency; money that comes back, below zero, is a Credit, an Adjustment or Tax';
    COMMENT ON COLUMN charge.currency IS 'currency of billed_cost';
    COMMENT ON COLUMN charge.invoice_id IS 'invoice that it is on';
    COMMENT ON COLUMN charge.scope IS 'whom it is for, such as {"team": "search"}; NULL: the whole company';
    COMMENT ON COLUMN charge.source IS 'where it is from';
    COMMENT ON COLUMN charge.recorded_at IS 'when it was recorded';
END
$install$;
COMMENT ON PROCEDURE install_charge() IS 'part of install(): the table of charges, in the first schema of search_path';

CREATE PROCEDURE uninstall_charge() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP TABLE IF EXISTS charge;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_charge() IS 'part of uninstall(): drops what install_charge() made';

-- Settled days: ledgers that are stored, and never believed where they may be
-- out of date.
--
-- A day of the reporting zone is settled while three things hold: no mark lies
-- on it, the partitions that hold its calls are those it was read from, and the
-- book prices its models as it did (settle.c says how each is known).  Views
-- read settled days, and usage for all else.

CREATE FUNCTION mark_usage() RETURNS trigger
    AS 'MODULE_PATHNAME' LANGUAGE C PARALLEL UNSAFE;
COMMENT ON FUNCTION mark_usage() IS
    'trigger of usage, after each row: appends the day of the call to usage_mark, once in a transaction; refuses calls of archived days';

CREATE FUNCTION usage_partitions(
    usage regclass,
    from_at timestamptz,
    to_at timestamptz,
    OUT partition regclass,
    OUT starts timestamptz,
    OUT ends timestamptz,
    OUT stamp text,
    OUT is_seen boolean
) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 20;
COMMENT ON FUNCTION usage_partitions(regclass, timestamptz, timestamptz) IS
    'the partitions of a table of calls that may hold calls of a time, with a stamp that changes where one is emptied, rewritten, detached and attached, or without its trigger for a while; NULL where its changes are not marked; and whether the snapshot sees that it was attached; they stay locked as if read';

CREATE FUNCTION price_digest(book price_book, providers text[], models text[], from_at timestamptz, to_at timestamptz) RETURNS uuid
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION price_digest(price_book, text[], text[], timestamptz, timestamptz) IS
    'a digest of all that a book says of some models (providers[i], models[i]) in a time: the same where it prices every call of them alike';

CREATE FUNCTION reads_all_rows(relation regclass) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION reads_all_rows(regclass) IS
    'whether the current role reads every row of a table, or of all tables that a view is over: it has the right to, and no row security is active for it';

CREATE FUNCTION stored_usage(
    usage regclass,
    grain text,
    zone text,
    from_at timestamptz,
    to_at timestamptz,
    dimension text,
    book price_book,
    OUT ledger ledger,
    OUT covered tstzmultirange
)
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION stored_usage(regclass, text, text, timestamptz, timestamptz, text, price_book) IS
    'what the settled days of an install say of its calls in a time, and which times that covers, with the rights of the owner of the table; NULL for a role that does not read all rows of usage and of the prices';

-- An expression must say the same of the same row whenever it is read, and of
-- one row alone: what a generated column may be.
CREATE FUNCTION check_dimension() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
DECLARE
    id text;
BEGIN
    -- refresh() evaluates it with the rights of the owner
    IF NOT pg_has_role(current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format('role "%s" cannot write to "%s.dimension"', current_user, TG_TABLE_SCHEMA),
            DETAIL = 'Its expressions are evaluated with the rights of its owner, whatever has been granted on the table.',
            HINT = 'Let the owner of the install do it.';
    END IF;
    DROP TABLE IF EXISTS pg_temp.check_dimension_of_usage;
    EXECUTE format('CREATE TEMP TABLE check_dimension_of_usage (LIKE %I.usage)', TG_TABLE_SCHEMA);
    BEGIN
        EXECUTE format('ALTER TABLE pg_temp.check_dimension_of_usage ADD COLUMN label_of_dimension text GENERATED ALWAYS AS ((%s' || E'\n' || ')::text) STORED', NEW.expression);
    EXCEPTION WHEN OTHERS THEN
        RAISE EXCEPTION USING
            ERRCODE = SQLSTATE,
            MESSAGE = format('the expression of dimension "%s" cannot be stored: %s', NEW.name, SQLERRM),
            DETAIL = format('It is the expression: %s', NEW.expression),
            HINT = 'It is an immutable expression over the columns of usage, with names other than those of pg_catalog qualified, as in: tags->>''feature''.';
    END;
    SELECT a.attname INTO id
    FROM pg_attrdef f
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = f.adrelid
    JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = d.refobjsubid
    WHERE f.adrelid = 'pg_temp.check_dimension_of_usage'::regclass AND a.attname IN ('request_id', 'user_id', 'session_id', 'turn_id')
    LIMIT 1;
    DROP TABLE pg_temp.check_dimension_of_usage;
    IF id IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('dimension "%s" cannot be by column "%s"', NEW.name, id),
            HINT = 'A user, session, turn or request is no label of a ledger: there are as many as calls.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION check_dimension() IS 'trigger of dimension: refuses expressions whose labels could not be stored';

CREATE FUNCTION tell_unsettled() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    days bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %I.settled s WHERE s.grain = ''day'' AND NOT s.is_archived', TG_TABLE_SCHEMA) INTO days;
    IF days > 0 AND OLD.zone IS DISTINCT FROM NEW.zone THEN
        RAISE NOTICE USING
            MESSAGE = format('the reporting zone has changed: %s settled days are settled no more', days),
            HINT = format('Views read all calls until CALL %I.refresh() has run.', TG_TABLE_SCHEMA);
    ELSIF days > 0 AND OLD.book IS DISTINCT FROM NEW.book THEN
        RAISE NOTICE USING
            MESSAGE = format('the book has changed: of %s settled days those are settled no more whose models it prices otherwise', days),
            HINT = format('Views read their calls until CALL %I.refresh() has run.', TG_TABLE_SCHEMA);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tell_unsettled() IS 'trigger of setting: says which changes leave days unsettled';

-- Makes tables, functions and the trigger in the schema that comes first in
-- search_path; called by install().
CREATE PROCEDURE install_settle() LANGUAGE plpgsql
AS $install$
DECLARE
    target name := pg_catalog.current_schema();
    is_table boolean := (SELECT c.relkind = 'p' FROM pg_class c WHERE c.oid = 'usage'::regclass);
    is_new boolean := to_regclass('dimension') IS NULL;
    kept name;
BEGIN
    CREATE TABLE IF NOT EXISTS dimension (
        name text PRIMARY KEY CHECK (name ~ '^[a-z_][a-z0-9_]{0,62}$'),
        expression text NOT NULL CHECK (expression ~ '\S'),
        CONSTRAINT dimension_of_column CHECK (name NOT IN ('team', 'project') OR expression = name)
    );
    COMMENT ON TABLE dimension IS 'tokenomics: by what usage_ledger() can label calls, and refresh() stores ledgers';
    COMMENT ON COLUMN dimension.name IS 'name of the dimension';
    COMMENT ON COLUMN dimension.expression IS 'its label: an immutable SQL expression over the columns of usage, such as tags->>''feature''';
    IF is_new THEN
        INSERT INTO dimension VALUES ('team', 'team'), ('project', 'project');
        -- no secret, and whoever reads the views needs it
        GRANT SELECT ON dimension TO PUBLIC;
    END IF;
    CREATE OR REPLACE TRIGGER check_dimension BEFORE INSERT OR UPDATE ON dimension
        FOR EACH ROW EXECUTE FUNCTION tokenomics.check_dimension();
    CREATE OR REPLACE TRIGGER tell_unsettled AFTER UPDATE ON setting
        FOR EACH ROW EXECUTE FUNCTION tokenomics.tell_unsettled();

    CREATE TABLE IF NOT EXISTS usage_mark (
        starts timestamptz NOT NULL,
        ends timestamptz NOT NULL
    );
    COMMENT ON TABLE usage_mark IS 'tokenomics: times whose calls have changed since they were settled, one row for each transaction; written by the trigger of usage, deleted by refresh()';
    COMMENT ON COLUMN usage_mark.starts IS 'when the day began';
    COMMENT ON COLUMN usage_mark.ends IS 'when it ended';

    CREATE TABLE IF NOT EXISTS settled (
        zone text NOT NULL,
        grain text NOT NULL CHECK (grain IN ('day', 'month')),
        starts timestamptz NOT NULL,
        ends timestamptz NOT NULL,
        stamp text NOT NULL,
        providers text[] NOT NULL,
        models text[] NOT NULL,
        price_digest uuid NOT NULL,
        calls bigint NOT NULL,
        is_archived boolean NOT NULL DEFAULT false,
        settled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (zone, grain, starts)
    );
    COMMENT ON TABLE settled IS 'tokenomics: days and months whose ledgers are stored, and by what to tell that they still hold';
    COMMENT ON COLUMN settled.zone IS 'time zone of the day';
    COMMENT ON COLUMN settled.grain IS 'day or month';
    COMMENT ON COLUMN settled.starts IS 'when it begins';
    COMMENT ON COLUMN settled.ends IS 'when it ends';
    COMMENT ON COLUMN settled.stamp IS 'the partitions that its calls were read from';
    COMMENT ON COLUMN settled.providers IS 'providers of its calls, one for each of models';
    COMMENT ON COLUMN settled.models IS 'models of its calls';
    COMMENT ON COLUMN settled.price_digest IS 'what the book said of them';
    COMMENT ON COLUMN settled.calls IS 'number of calls';
    COMMENT ON COLUMN settled.is_archived IS 'whether it holds for good: its calls may be gone';
    COMMENT ON COLUMN settled.settled_at IS 'when it was counted';

    CREATE TABLE IF NOT EXISTS stored_ledger (
        zone text NOT NULL,
        grain text NOT NULL CHECK (grain IN ('quarter_hour', 'day', 'month')),
        starts timestamptz NOT NULL,
        dimension text NOT NULL,
        expression text NOT NULL,
        ledger tokenomics.ledger,
        PRIMARY KEY (zone, grain, starts, dimension)
    );
    COMMENT ON TABLE stored_ledger IS 'tokenomics: the ledgers of settled days and months';
    COMMENT ON COLUMN stored_ledger.zone IS 'time zone of the day';
    COMMENT ON COLUMN stored_ledger.grain IS 'what its lines are by: month, day, or the quarter_hours of a day';
    COMMENT ON COLUMN stored_ledger.starts IS 'when the day or month begins';
    COMMENT ON COLUMN stored_ledger.dimension IS 'what its labels are; empty: it has none';
    COMMENT ON COLUMN stored_ledger.expression IS 'the expression of the dimension by which it was counted';
    COMMENT ON COLUMN stored_ledger.ledger IS 'the ledger; NULL of no calls';

    CREATE TABLE IF NOT EXISTS seen_partition (
        stamp text PRIMARY KEY
    );
    COMMENT ON TABLE seen_partition IS 'tokenomics: partitions in which refresh() has looked for days to settle';
    COMMENT ON COLUMN seen_partition.stamp IS 'what the partition was';

    CREATE TABLE IF NOT EXISTS settle_rule (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        settle_after interval NOT NULL CHECK (settle_after >= interval '0')
    );
    COMMENT ON TABLE settle_rule IS 'tokenomics: how late calls may come, where usage is a view; set by settle_after()';
    COMMENT ON COLUMN settle_rule.only_row IS 'there is one row';
    COMMENT ON COLUMN settle_rule.settle_after IS 'a day is settled when it has been over for so long';

    -- whoever is granted all tables of the schema still reads nothing of these
    FOREACH kept IN ARRAY '{usage_mark,settled,stored_ledger,seen_partition}'::name[] LOOP
        IF NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = kept::text::regclass) THEN
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', kept);
        END IF;
    END LOOP;
    -- many small rows that live for a short time
    ALTER TABLE usage_mark SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 10000);

    IF is_table THEN
        -- never made anew where it is: that would unsettle all days
        IF NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = 'usage'::regclass AND t.tgfoid = 'tokenomics.mark_usage'::regproc AND t.tgtype = 29) THEN
            DROP TRIGGER IF EXISTS mark_usage ON usage;
            CREATE TRIGGER mark_usage AFTER INSERT OR UPDATE OR DELETE ON usage
                FOR EACH ROW EXECUTE FUNCTION tokenomics.mark_usage();
        END IF;
        IF EXISTS (SELECT FROM pg_partition_tree('usage') p JOIN pg_trigger t ON t.tgrelid = p.relid
                   WHERE t.tgfoid = 'tokenomics.mark_usage'::regproc AND t.tgenabled <> 'A') THEN
            ALTER TABLE usage ENABLE ALWAYS TRIGGER mark_usage;
        END IF;
    END IF;

    CREATE OR REPLACE FUNCTION settled_units(from_at timestamptz, to_at timestamptz, book tokenomics.price_book)
        RETURNS TABLE (zone text, grain text, starts timestamptz, ends timestamptz, calls bigint, is_archived boolean, problem text)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        reporting text := (SELECT s.zone FROM setting s);
    BEGIN
        RETURN QUERY
        WITH part AS MATERIALIZED (
            -- no day or month that holds one of the times reaches farther
            SELECT p.starts, p.ends, coalesce(p.stamp, '?') AS stamp
            FROM tokenomics.usage_partitions('usage', from_at - interval '32 days', to_at + interval '32 days') p
        ), marked AS MATERIALIZED (
            SELECT DISTINCT m.starts, m.ends FROM usage_mark m
            WHERE m.starts < to_at + interval '32 days' AND m.ends > from_at - interval '32 days'
        ), archived AS MATERIALIZED (
            SELECT a.zone, a.starts, a.ends FROM settled a
            WHERE a.is_archived AND a.grain = 'day' AND a.starts < to_at + interval '32 days' AND a.ends > from_at - interval '32 days'
        ), month AS MATERIALIZED (
            SELECT s.*, CASE
                WHEN EXISTS (SELECT FROM marked m WHERE m.starts < s.ends AND m.ends > s.starts) THEN 'calls have changed'
                WHEN s.stamp <> coalesce((SELECT string_agg(p.stamp, ' ' ORDER BY p.stamp) FROM part p WHERE p.starts < s.ends AND p.ends > s.starts), '') THEN 'partitions have changed'
                WHEN s.price_digest <> tokenomics.price_digest(settled_units.book, s.providers, s.models, s.starts, s.ends) THEN 'prices have changed' END AS problem
            FROM settled s WHERE s.grain = 'month' AND s.zone = reporting AND s.starts < to_at AND s.ends > from_at
        )
        SELECT m.zone, m.grain, m.starts, m.ends, m.calls, m.is_archived, m.problem FROM month m
        UNION ALL
        SELECT s.zone, s.grain, s.starts, s.ends, s.calls, s.is_archived, CASE
            WHEN s.is_archived THEN NULL
            -- a month goes with the first change of a day of it
            WHEN EXISTS (SELECT FROM month m WHERE m.problem IS NULL AND m.starts <= s.starts AND m.ends >= s.ends) THEN NULL
            WHEN EXISTS (SELECT FROM marked m WHERE m.starts < s.ends AND m.ends > s.starts) THEN 'calls have changed'
            WHEN s.stamp <> coalesce((SELECT string_agg(p.stamp, ' ' ORDER BY p.stamp) FROM part p WHERE p.starts < s.ends AND p.ends > s.starts), '') THEN 'partitions have changed'
            WHEN s.price_digest <> tokenomics.price_digest(settled_units.book, s.providers, s.models, s.starts, s.ends) THEN 'prices have changed' END
        FROM settled s
        WHERE s.grain = 'day' AND s.starts < to_at AND s.ends > from_at
          AND (s.is_archived OR s.zone = reporting AND NOT EXISTS (
                  SELECT FROM archived a WHERE a.zone <> s.zone AND a.starts < s.ends AND a.ends > s.starts));
    END
    $$;
    COMMENT ON FUNCTION settled_units(timestamptz, timestamptz, tokenomics.price_book) IS
        'part of the views: the stored days and months that hold some of a time, and why one is settled no more';
    REVOKE ALL ON FUNCTION settled_units(timestamptz, timestamptz, tokenomics.price_book) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION settled_ledger(
        grain text,
        zone text,
        from_at timestamptz,
        to_at timestamptz,
        dimension text,
        book tokenomics.price_book,
        OUT ledger tokenomics.ledger,
        OUT covered tstzmultirange
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        in_grain text := settled_ledger.grain;
        in_zone text := settled_ledger.zone;
        label text := coalesce(settled_ledger.dimension, '');
        by_expression text := coalesce((SELECT d.expression FROM dimension d WHERE d.name = settled_ledger.dimension), label);
        lost timestamptz;
    BEGIN
        WITH unit AS MATERIALIZED (
            SELECT u.* FROM settled_units(from_at, to_at, settled_ledger.book) u WHERE u.problem IS NULL
        ), month AS MATERIALIZED (
            SELECT u.starts, u.ends, l.ledger
            FROM unit u JOIN stored_ledger l ON l.zone = u.zone AND l.grain = 'month' AND l.starts = u.starts AND l.dimension = label AND l.expression = by_expression
            WHERE u.grain = 'month' AND in_grain = 'month' AND u.zone = in_zone AND u.starts >= from_at AND u.ends <= to_at
        ), day AS MATERIALIZED (
            SELECT u.*, f.first, f.behind, f.first = u.starts AND f.behind = u.ends AND u.zone = in_zone AND in_grain IN ('day', 'month') AS is_whole
            FROM unit u, LATERAL (SELECT greatest(u.starts, from_at) AS first, least(u.ends, to_at) AS behind) f
            WHERE u.grain = 'day' AND NOT EXISTS (SELECT FROM month m WHERE m.starts <= u.starts AND m.ends >= u.ends)
        ), piece AS MATERIALIZED (
            SELECT m.starts, m.ends, m.ledger FROM month m
            UNION ALL
            SELECT d.first, d.behind, tokenomics.regrain(l.ledger, in_grain, in_zone)
            FROM day d,
                 -- of an archived day all are unlabelled by a dimension of later on
                 LATERAL (SELECT s.ledger FROM stored_ledger s
                          WHERE s.zone = d.zone AND s.grain = 'day' AND s.starts = d.starts
                            AND (s.dimension = label AND s.expression = by_expression OR d.is_archived AND s.dimension = '')
                          ORDER BY s.dimension DESC LIMIT 1) l
            WHERE d.is_whole
            UNION ALL
            SELECT d.first, d.behind, tokenomics.regrain(tokenomics.clip(l.ledger, d.first, d.behind), in_grain, in_zone)
            FROM day d JOIN stored_ledger l ON l.zone = d.zone AND l.grain = 'quarter_hour' AND l.starts = d.starts
            WHERE NOT d.is_whole AND label = ''
              AND extract(epoch FROM d.first) % 900 = 0 AND extract(epoch FROM d.behind) % 900 = 0
              AND extract(epoch FROM d.first AT TIME ZONE in_zone) % 900 = 0
        )
        SELECT CASE WHEN tokenomics.calls(tokenomics.merge(p.ledger)) > 0 THEN tokenomics.merge(p.ledger) END, range_agg(tstzrange(p.starts, p.ends)),
               (SELECT min(d.first) FROM day d WHERE d.is_archived AND NOT EXISTS (SELECT FROM piece p WHERE p.starts <= d.first AND p.ends >= d.behind))
        INTO ledger, covered, lost
        FROM piece p;
        IF lost IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('the archived day that holds %s cannot be counted that way', lost),
                DETAIL = format('Its ledgers are by quarter_hour and, with labels, by days of the zone "%s".',
                                (SELECT s.zone FROM settled s WHERE s.is_archived AND s.grain = 'day' AND s.starts <= lost AND s.ends > lost LIMIT 1)),
                HINT = 'Ask for whole days, or without a dimension for whole quarters of an hour.';
        END IF;
    END
    $$;
    COMMENT ON FUNCTION settled_ledger(text, text, timestamptz, timestamptz, text, tokenomics.price_book) IS
        'part of the views: the ledger of settled days, and which times it covers; called by tokenomics.stored_usage() with the rights of the owner';
    REVOKE ALL ON FUNCTION settled_ledger(text, text, timestamptz, timestamptz, text, tokenomics.price_book) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION count_day(
        from_at timestamptz,
        to_at timestamptz,
        zone text,
        book tokenomics.price_book
    ) RETURNS TABLE (grain text, dimension text, expression text, ledger tokenomics.ledger)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        names text[];
        expressions text[];
        counted tokenomics.ledger[];
        is_aligned boolean := extract(epoch FROM from_at) % 900 = 0 AND extract(epoch FROM to_at) % 900 = 0;
    BEGIN
        SELECT array_agg(d.name ORDER BY d.name), array_agg(d.expression ORDER BY d.name) INTO names, expressions FROM dimension d;
        names := '{quarter_hour,""}'::text[] || names;
        expressions := ARRAY['NULL', 'NULL'] || expressions;
        -- one pass over the calls; the plain ledger is that of the quarter hours
        EXECUTE (SELECT format('SELECT ARRAY[%s] FROM usage u WHERE u.at >= $3 AND u.at < $4',
                               string_agg(CASE WHEN n = 2 AND is_aligned THEN 'NULL::tokenomics.ledger' ELSE format(
                                   'tokenomics.ledger($1, %L, $2, u.at, u.provider, u.model, u.service_tier, u.tokens, (%s' || E'\n' || ')::text, u.calls)',
                                   CASE n WHEN 1 THEN 'quarter_hour' ELSE 'day' END, e) END, ', ' ORDER BY n))
                 FROM unnest(expressions) WITH ORDINALITY AS x(e, n))
        INTO counted USING count_day.book, count_day.zone, from_at, to_at;
        IF is_aligned THEN
            counted[2] := tokenomics.regrain(counted[1], 'day', count_day.zone);
        END IF;
        RETURN QUERY
        SELECT CASE n WHEN 1 THEN 'quarter_hour' ELSE 'day' END, CASE WHEN n > 1 THEN names[n] ELSE '' END,
               CASE WHEN n > 2 THEN expressions[n] ELSE '' END, counted[n]
        FROM generate_subscripts(names, 1) AS n;
    END
    $$;
    COMMENT ON FUNCTION count_day(timestamptz, timestamptz, text, tokenomics.price_book) IS
        'part of refresh() and verify(): the ledgers of a day, counted from its calls';
    REVOKE ALL ON FUNCTION count_day(timestamptz, timestamptz, text, tokenomics.price_book) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION settle_lock(from_at timestamptz, to_at timestamptz) RETURNS void
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    DECLARE
        turn record;
    BEGIN
        IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_transaction_state',
                MESSAGE = 'refresh() and archive() need isolation level READ COMMITTED',
                DETAIL = format('In %s calls would be read by an older snapshot than their marks are deleted by.', upper(current_setting('transaction_isolation')));
        END IF;
        IF NOT (tokenomics.reads_all_rows('usage') AND tokenomics.reads_all_rows('price') AND tokenomics.reads_all_rows('model_alias')) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'insufficient_privilege',
                MESSAGE = format('role "%s" does not read all calls and prices', current_user),
                DETAIL = 'It lacks the right to, or row security is active for it: what it stored would be a part.',
                HINT = 'Let the owner of the install do it.';
        END IF;
        -- One at a time for each month: its days, and what is merged of them.  By
        -- UTC: another may be at it with the days of another zone.
        FOR turn IN SELECT p.period_start AS month FROM tokenomics.periods('month', 'UTC', from_at, to_at) p ORDER BY 1 LOOP
            PERFORM pg_advisory_xact_lock('usage'::regclass::oid::integer, hashtext('settle ' || extract(epoch FROM turn.month)));
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION settle_lock(timestamptz, timestamptz) IS 'part of refresh() and archive(): takes the turn of the months that hold some of a time';
    REVOKE ALL ON FUNCTION settle_lock(timestamptz, timestamptz) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION settle_day(at timestamptz) RETURNS boolean
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        first timestamptz := tokenomics.period_start('day', in_zone, settle_day.at);
        behind timestamptz := tokenomics.period_end('day', in_zone, settle_day.at);
        stamps text;
        is_known boolean;
        prices tokenomics.price_book;
        counted tokenomics.ledger[];
        grains text[];
        names text[];
        expressions text[];
        plain tokenomics.ledger;
    BEGIN
        PERFORM settle_lock(first, behind);
        IF in_zone <> (SELECT s.zone FROM setting s)
            OR EXISTS (SELECT FROM settled s WHERE s.is_archived AND s.starts < behind AND s.ends > first)
            OR EXISTS (SELECT FROM settled_units(first, behind, book()) u WHERE u.grain = 'day' AND u.starts = first AND u.problem IS NULL)
               AND NOT EXISTS (SELECT FROM dimension d WHERE NOT EXISTS (
                       SELECT FROM stored_ledger l WHERE l.zone = in_zone AND l.grain = 'day' AND l.starts = first AND l.dimension = d.name AND l.expression = d.expression)) THEN
            RETURN false;
        END IF;

        -- From here on nothing is truncated or detached.
        SELECT coalesce(string_agg(p.stamp, ' ' ORDER BY p.stamp), ''), coalesce(bool_and(p.stamp IS NOT NULL), true) INTO stamps, is_known
        FROM tokenomics.usage_partitions('usage', first, behind) p;
        IF NOT is_known THEN
            RETURN false;
        END IF;
        -- The marks of what is about to be read, and what they say of other days
        -- back.  Each statement sees what was committed before it: calls that are
        -- committed after this one keep their marks, whether the next one reads
        -- them or not.
        WITH gone AS (
            DELETE FROM usage_mark m WHERE m.starts < behind AND m.ends > first RETURNING m.starts, m.ends
        )
        INSERT INTO usage_mark
        SELECT DISTINCT r.starts, r.ends
        FROM gone g, LATERAL (VALUES (g.starts, least(g.ends, first)), (greatest(g.starts, behind), g.ends)) r(starts, ends)
        WHERE r.starts < r.ends;

        prices := book();
        SELECT array_agg(c.ledger), array_agg(c.grain), array_agg(c.dimension), array_agg(c.expression) INTO counted, grains, names, expressions
        FROM count_day(first, behind, in_zone, prices) c;
        plain := counted[2];

        DELETE FROM settled s
        WHERE NOT s.is_archived AND s.starts < behind AND s.ends > first AND (s.grain = 'month' OR s.starts <> first OR s.zone <> in_zone);
        DELETE FROM stored_ledger l
        WHERE NOT EXISTS (SELECT FROM settled s WHERE s.zone = l.zone AND s.starts = l.starts AND (s.grain = 'month') = (l.grain = 'month'))
          AND l.starts < behind AND l.starts > first - interval '32 days';
        INSERT INTO settled (zone, grain, starts, ends, stamp, providers, models, price_digest, calls)
        SELECT in_zone, 'day', first, behind, stamps, n.providers, n.models,
               tokenomics.price_digest(prices, n.providers, n.models, first, behind), coalesce(tokenomics.calls(plain), 0)
        FROM (SELECT coalesce(array_agg(x.provider ORDER BY x.provider, x.model), '{}') AS providers,
                     coalesce(array_agg(x.model ORDER BY x.provider, x.model), '{}') AS models
              FROM (SELECT DISTINCT l.provider, l.model FROM tokenomics.lines(plain) l) x) n
        ON CONFLICT (zone, grain, starts) DO UPDATE
        SET ends = excluded.ends, stamp = excluded.stamp, providers = excluded.providers, models = excluded.models,
            price_digest = excluded.price_digest, calls = excluded.calls, settled_at = excluded.settled_at;
        -- one that is equal stays as it is
        DELETE FROM stored_ledger l
        WHERE l.zone = in_zone AND l.grain IN ('day', 'quarter_hour') AND l.starts = first AND l.dimension <> ALL (names);
        INSERT INTO stored_ledger AS l (zone, grain, starts, dimension, expression, ledger)
        SELECT in_zone, grains[n], first, names[n], expressions[n], counted[n] FROM generate_subscripts(names, 1) AS n
        ON CONFLICT (zone, grain, starts, dimension) DO UPDATE
        SET expression = excluded.expression, ledger = excluded.ledger
        WHERE l.expression <> excluded.expression OR (l.ledger IS NULL) <> (excluded.ledger IS NULL)
           OR l.ledger OPERATOR(tokenomics.<>) excluded.ledger;
        RETURN true;
    END
    $$;
    COMMENT ON FUNCTION settle_day(timestamptz) IS
        'part of refresh(): counts the day of the reporting zone that holds a time and stores its ledgers; false where it is settled, archived, or cannot be known';
    REVOKE ALL ON FUNCTION settle_day(timestamptz) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION settle_month(at timestamptz) RETURNS boolean
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        first timestamptz := tokenomics.period_start('month', in_zone, settle_month.at);
        behind timestamptz := tokenomics.period_end('month', in_zone, settle_month.at);
        days bigint := (SELECT count(*) FROM tokenomics.periods('day', in_zone, first, behind));
        prices tokenomics.price_book := book();
        stamps text;
    BEGIN
        PERFORM settle_lock(first, behind);
        SELECT coalesce(string_agg(coalesce(p.stamp, '?'), ' ' ORDER BY p.stamp), '') INTO stamps
        FROM tokenomics.usage_partitions('usage', first, behind) p;
        DELETE FROM settled s WHERE s.zone = in_zone AND s.grain = 'month' AND s.starts = first;
        DELETE FROM stored_ledger l WHERE l.zone = in_zone AND l.grain = 'month' AND l.starts = first;
        -- in one statement: the days that are merged are those that are settled
        WITH unit AS MATERIALIZED (
            SELECT u.* FROM settled_units(first, behind, prices) u
            WHERE u.grain = 'day' AND u.zone = in_zone AND u.problem IS NULL AND u.starts >= first AND u.ends <= behind
        ), name AS (
            SELECT coalesce(array_agg(x.provider ORDER BY x.provider, x.model), '{}') AS providers,
                   coalesce(array_agg(x.model ORDER BY x.provider, x.model), '{}') AS models
            FROM (SELECT DISTINCT n.provider, n.model
                  FROM unit u JOIN settled s ON s.zone = u.zone AND s.grain = 'day' AND s.starts = u.starts,
                       unnest(s.providers, s.models) n(provider, model)) x
        ), month AS (
            INSERT INTO settled (zone, grain, starts, ends, stamp, providers, models, price_digest, calls)
            SELECT in_zone, 'month', first, behind, stamps, n.providers, n.models,
                   tokenomics.price_digest(prices, n.providers, n.models, first, behind), (SELECT sum(u.calls) FROM unit u)
            FROM name n WHERE (SELECT count(*) FROM unit u) = days
            RETURNING starts
        )
        INSERT INTO stored_ledger (zone, grain, starts, dimension, expression, ledger)
        SELECT in_zone, 'month', first, l.dimension, l.expression, tokenomics.merge(tokenomics.regrain(l.ledger, 'month', in_zone))
        FROM unit u JOIN stored_ledger l ON l.zone = u.zone AND l.grain = 'day' AND l.starts = u.starts, month m
        GROUP BY l.dimension, l.expression
        HAVING count(*) = days;
        RETURN FOUND;
    END
    $$;
    COMMENT ON FUNCTION settle_month(timestamptz) IS
        'part of refresh(): merges the ledgers of the days of a month, where all are settled';
    REVOKE ALL ON FUNCTION settle_month(timestamptz) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION settle_begin() RETURNS timestamptz[]
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        is_view boolean := (SELECT c.relkind = 'v' FROM pg_class c WHERE c.oid = 'usage'::regclass);
        over timestamptz := now();   -- days that end later are not settled
        unseen record;
        oldest timestamptz;
        days timestamptz[];
    BEGIN
        PERFORM settle_lock('epoch', 'epoch');  -- it may do so
        IF is_view THEN
            IF NOT EXISTS (SELECT FROM settle_rule) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'object_not_in_prerequisite_state',
                    MESSAGE = 'nobody has said when the days of "usage" are complete',
                    DETAIL = 'It is a view over a table of your own, whose changes are not seen.',
                    HINT = 'Say how late calls may come and change, as in: SELECT settle_after(''3 days'').';
            END IF;
            over := over - (SELECT r.settle_after FROM settle_rule r);
            IF NOT EXISTS (SELECT FROM settled) THEN
                oldest := (SELECT min(u.at) FROM usage u WHERE isfinite(u.at));
                INSERT INTO usage_mark SELECT oldest, over WHERE oldest < over;
            END IF;
        END IF;
        FOR unseen IN
            SELECT p.* FROM tokenomics.usage_partitions('usage', '-infinity', 'infinity') p
            WHERE NOT is_view AND p.stamp IS NOT NULL AND NOT EXISTS (SELECT FROM seen_partition s WHERE s.stamp = p.stamp)
        LOOP
            -- days that nobody has marked: calls from before the trigger was
            IF isfinite(unseen.starts) AND isfinite(unseen.ends) AND unseen.ends - unseen.starts < interval '40 days' THEN
                EXECUTE format('INSERT INTO usage_mark SELECT $1, $2 WHERE EXISTS (SELECT FROM %s)', unseen.partition) USING unseen.starts, unseen.ends;
            ELSE
                EXECUTE format('INSERT INTO usage_mark SELECT DISTINCT tokenomics.period_start(''day'', $1, u.at), tokenomics.period_end(''day'', $1, u.at) FROM %s u', unseen.partition) USING in_zone;
            END IF;
            INSERT INTO seen_partition VALUES (unseen.stamp) ON CONFLICT DO NOTHING;
        END LOOP;
        DELETE FROM seen_partition s
        WHERE NOT EXISTS (SELECT FROM tokenomics.usage_partitions('usage', '-infinity', 'infinity') p WHERE p.stamp = s.stamp);

        -- one mark is enough for a day that is not over
        WITH gone AS (
            DELETE FROM usage_mark m WHERE m.ends > over RETURNING m.starts, m.ends
        )
        INSERT INTO usage_mark SELECT DISTINCT g.starts, g.ends FROM gone g;

        WITH month AS (
            SELECT DISTINCT p.period_start AS starts, p.period_end AS ends
            FROM (SELECT m.starts, m.ends FROM usage_mark m
                  UNION
                  SELECT min(s.starts), max(s.ends) FROM settled s GROUP BY s.zone, tokenomics.period_start('month', in_zone, s.starts)
                  UNION
                  SELECT max(s.ends), over FROM settled s WHERE is_view) k,
                 tokenomics.periods('month', in_zone, k.starts, least(k.ends, over + interval '1 microsecond')) p
        ), valid AS MATERIALIZED (
            SELECT u.starts, u.ends FROM settled_units('-infinity', 'infinity', book()) u
            WHERE u.grain = 'day' AND (u.is_archived OR u.problem IS NULL AND NOT EXISTS (
                      SELECT FROM dimension d WHERE NOT EXISTS (
                          SELECT FROM stored_ledger l WHERE l.zone = u.zone AND l.grain = 'day' AND l.starts = u.starts AND l.dimension = d.name AND l.expression = d.expression)))
        )
        SELECT array_agg(d.period_start ORDER BY d.period_start) INTO days
        FROM month m, tokenomics.periods('day', in_zone, m.starts, m.ends) d
        WHERE d.period_end <= over
          AND NOT EXISTS (SELECT FROM valid v WHERE v.starts < d.period_end AND v.ends > d.period_start);
        RETURN coalesce(days, '{}');
    END
    $$;
    COMMENT ON FUNCTION settle_begin() IS 'part of refresh(): the days that are over and not settled';
    REVOKE ALL ON FUNCTION settle_begin() FROM PUBLIC;

    CREATE OR REPLACE FUNCTION settle_months() RETURNS timestamptz[]
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
    BEGIN
        RETURN coalesce((
            WITH unit AS MATERIALIZED (
                SELECT u.* FROM settled_units('-infinity', 'infinity', book()) u WHERE u.problem IS NULL AND u.zone = in_zone
            ), month AS (
                SELECT tokenomics.period_start('month', in_zone, u.starts) AS starts, tokenomics.period_end('month', in_zone, u.starts) AS ends, count(*) AS days
                FROM unit u WHERE u.grain = 'day' GROUP BY 1, 2
            )
            SELECT array_agg(m.starts ORDER BY m.starts) FROM month m
            WHERE m.days = (SELECT count(*) FROM tokenomics.periods('day', in_zone, m.starts, m.ends))
              AND (NOT EXISTS (SELECT FROM unit u WHERE u.grain = 'month' AND u.starts = m.starts)
                   OR EXISTS (SELECT FROM dimension d WHERE NOT EXISTS (
                          SELECT FROM stored_ledger l WHERE l.zone = in_zone AND l.grain = 'month' AND l.starts = m.starts AND l.dimension = d.name AND l.expression = d.expression)))), '{}');
    END
    $$;
    COMMENT ON FUNCTION settle_months() IS 'part of refresh(): the months whose days are all settled, and not yet merged';
    REVOKE ALL ON FUNCTION settle_months() FROM PUBLIC;

    -- A procedure that ends transactions cannot set search_path: it qualifies
    -- every name.
    EXECUTE format($format$
    CREATE OR REPLACE PROCEDURE %1$I.refresh(max_duration pg_catalog.interval DEFAULT NULL) LANGUAGE plpgsql
    AS $$
    DECLARE
        until pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) refresh.max_duration;
        todo pg_catalog.timestamptz[] := %1$I.settle_begin();
        months pg_catalog.timestamptz[];
        n pg_catalog.int4;
        settled pg_catalog.int4 := 0;
        done pg_catalog.int4 := 0;
    BEGIN
        COMMIT;
        FOR n IN 1 .. pg_catalog.cardinality(todo) LOOP
            EXIT WHEN done OPERATOR(pg_catalog.>) 0 AND pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) until;
            IF %1$I.settle_day(todo[n]) THEN
                settled := settled OPERATOR(pg_catalog.+) 1;
            END IF;
            done := n;
            COMMIT;
        END LOOP;
        months := %1$I.settle_months();
        COMMIT;
        FOR n IN 1 .. pg_catalog.cardinality(months) LOOP
            PERFORM %1$I.settle_month(months[n]);
            COMMIT;
        END LOOP;
        RAISE NOTICE '%% days settled, %% left', settled, pg_catalog.cardinality(todo) OPERATOR(pg_catalog.-) done;
    END
    $$
    $format$, target);
    COMMENT ON PROCEDURE refresh(interval) IS
        'settles what has changed: counts the days that are over and stores their ledgers, one transaction a day; at most for max_duration, and at least one day; may be run by several at once, stopped, and run again';

    CREATE OR REPLACE FUNCTION settlement_between(from_at timestamptz DEFAULT NULL, to_at timestamptz DEFAULT NULL, zone text DEFAULT NULL)
        RETURNS TABLE (day date, state text, reason text, calls bigint, settled_at timestamptz)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(settlement_between.zone, (SELECT s.zone FROM setting s));
    BEGIN
        RETURN QUERY
        SELECT (s.starts AT TIME ZONE in_zone)::date,
               CASE WHEN s.is_archived THEN 'archived' WHEN u.starts IS NOT NULL AND u.problem IS NULL THEN 'settled' ELSE 'unsettled' END,
               CASE WHEN NOT s.is_archived THEN CASE WHEN u.starts IS NULL THEN 'the reporting zone has changed' ELSE u.problem END
                    WHEN EXISTS (SELECT FROM usage_mark m WHERE m.starts < s.ends AND m.ends > s.starts) THEN 'calls have changed since'
                    WHEN s.price_digest <> tokenomics.price_digest((SELECT book()), s.providers, s.models, s.starts, s.ends) THEN 'prices have changed since' END,
               s.calls, s.settled_at
        FROM settled s LEFT JOIN settled_units(coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), (SELECT book())) u
            ON u.zone = s.zone AND u.grain = s.grain AND u.starts = s.starts
        WHERE s.grain = 'day' AND s.starts < coalesce(to_at, 'infinity') AND s.ends > coalesce(from_at, '-infinity')
        UNION ALL
        SELECT DISTINCT (p.period_start AT TIME ZONE in_zone)::date, 'unsettled', 'not yet counted', NULL::bigint, NULL::timestamptz
        FROM usage_mark m,
             tokenomics.periods('day', in_zone, greatest(m.starts, from_at), least(m.ends, to_at)) p
        WHERE m.starts < coalesce(to_at, 'infinity') AND m.ends > coalesce(from_at, '-infinity')
          AND NOT EXISTS (SELECT FROM settled s WHERE s.grain = 'day' AND s.starts < p.period_end AND s.ends > p.period_start)
        ORDER BY 1, 2;
    END
    $$;
    COMMENT ON FUNCTION settlement_between(timestamptz, timestamptz, text) IS
        'the rows of settlement of the days that hold any of the time from from_at up to, not including, to_at; NULL: no limit';
    REVOKE ALL ON FUNCTION settlement_between(timestamptz, timestamptz, text) FROM PUBLIC;
    CREATE OR REPLACE VIEW settlement WITH (security_invoker = true) AS SELECT * FROM settlement_between();
    COMMENT ON VIEW settlement IS 'tokenomics: which days are settled, and why others are not; how far refresh() is; for the owner';
    COMMENT ON COLUMN settlement.day IS 'the day, in the reporting zone';
    COMMENT ON COLUMN settlement.state IS 'settled: views read its stored ledgers; unsettled: they read its calls; archived: its ledgers hold for good';
    COMMENT ON COLUMN settlement.reason IS 'why it is not settled; of an archived day what has changed since, and does not count';
    COMMENT ON COLUMN settlement.calls IS 'calls that were counted';
    COMMENT ON COLUMN settlement.settled_at IS 'when they were counted';

    CREATE OR REPLACE FUNCTION verify(from_date date DEFAULT NULL, to_date date DEFAULT NULL)
        RETURNS TABLE (day date, grain text, dimension text, outcome text, stored_calls bigint, counted_calls bigint)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        first timestamptz := coalesce(from_date::timestamp AT TIME ZONE in_zone, '-infinity');
        behind timestamptz := coalesce((to_date + 1)::timestamp AT TIME ZONE in_zone, 'infinity');
        prices tokenomics.price_book := book();
        unit record;
    BEGIN
        FOR unit IN
            SELECT * FROM settled_units(first, behind, prices) u WHERE u.grain = 'day' ORDER BY u.starts
        LOOP
            RETURN QUERY
            SELECT (unit.starts AT TIME ZONE unit.zone)::date, coalesce(l.grain, c.grain), nullif(coalesce(l.dimension, c.dimension), ''),
                   CASE WHEN unit.problem IS NOT NULL THEN 'unsettled: ' || unit.problem
                        WHEN l.grain IS NULL THEN CASE WHEN unit.is_archived THEN 'archived before there was such a dimension' ELSE 'not stored' END
                        WHEN c.grain IS NULL THEN 'no such dimension'
                        WHEN l.ledger IS NULL AND c.ledger IS NULL OR l.ledger OPERATOR(tokenomics.=) c.ledger THEN 'equal'
                        WHEN unit.is_archived AND coalesce(tokenomics.calls(c.ledger), 0) < tokenomics.calls(l.ledger) THEN 'archived: calls are gone'
                        ELSE 'different' END,
                   coalesce(tokenomics.calls(l.ledger), 0), coalesce(tokenomics.calls(c.ledger), 0)
            FROM (SELECT * FROM stored_ledger s WHERE s.zone = unit.zone AND s.grain IN ('day', 'quarter_hour') AND s.starts = unit.starts) l
            FULL JOIN count_day(unit.starts, unit.ends, unit.zone, prices) c ON c.grain = l.grain AND c.dimension = l.dimension
            ORDER BY 2, 3 NULLS FIRST;
        END LOOP;
        FOR unit IN
            SELECT * FROM settled_units(first, behind, prices) u WHERE u.grain = 'month' AND u.problem IS NULL ORDER BY u.starts
        LOOP
            RETURN QUERY
            SELECT (unit.starts AT TIME ZONE unit.zone)::date, 'month', nullif(l.dimension, ''),
                   CASE WHEN l.ledger IS NULL AND d.ledger IS NULL OR l.ledger OPERATOR(tokenomics.=) d.ledger THEN 'equal' ELSE 'different' END,
                   coalesce(tokenomics.calls(l.ledger), 0), coalesce(tokenomics.calls(d.ledger), 0)
            FROM stored_ledger l,
                 LATERAL (SELECT tokenomics.merge(tokenomics.regrain(s.ledger, 'month', unit.zone)) AS ledger FROM stored_ledger s
                          WHERE s.zone = unit.zone AND s.grain = 'day' AND s.starts >= unit.starts AND s.starts < unit.ends AND s.dimension = l.dimension) d
            WHERE l.zone = unit.zone AND l.grain = 'month' AND l.starts = unit.starts
            ORDER BY 3 NULLS FIRST;
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION verify(date, date) IS
        'counts the stored days from from_date to to_date (inclusive; NULL: no limit) anew and compares each ledger to the last digit, and months with their days: equal, different, unsettled (the views read its calls), or what else is to be said';
    REVOKE ALL ON FUNCTION verify(date, date) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION archive(month date) RETURNS integer
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        first timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
        behind timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
        bad record;
        days integer;
    BEGIN
        IF behind > now() THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('month %s is not over', to_char(month, 'YYYY-MM'));
        END IF;
        -- every day that holds calls of the partition, which is by UTC
        first := tokenomics.period_start('day', in_zone, first);
        behind := tokenomics.period_end('day', in_zone, behind - interval '1 microsecond');
        PERFORM settle_lock(first, behind);
        -- those that write now, and those that do next, see each other
        FOR bad IN SELECT p.partition FROM tokenomics.usage_partitions('usage', first, behind) p JOIN pg_class c ON c.oid = p.partition WHERE c.relkind = 'r' LOOP
            EXECUTE format('LOCK TABLE %s IN SHARE MODE', bad.partition);
        END LOOP;
        SELECT d.period_start, coalesce(u.problem, 'it has not been settled') AS problem INTO bad
        FROM tokenomics.periods('day', in_zone, first, behind) d
        LEFT JOIN settled_units(first, behind, book()) u ON u.grain = 'day' AND u.starts <= d.period_start AND u.ends >= d.period_end
        WHERE u.starts IS NULL OR u.problem IS NOT NULL
        ORDER BY d.period_start LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('day %s is not settled: %s', (bad.period_start AT TIME ZONE in_zone)::date, bad.problem),
                HINT = 'Run CALL refresh() first.';
        END IF;
        SELECT v.* INTO bad
        FROM verify((first AT TIME ZONE in_zone)::date, ((behind - interval '1 microsecond') AT TIME ZONE in_zone)::date) v
        WHERE v.outcome <> 'equal'
          AND NOT EXISTS (SELECT FROM settled s WHERE s.is_archived AND s.grain = 'day' AND (s.starts AT TIME ZONE s.zone)::date = v.day) LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'data_corrupted',
                MESSAGE = format('day %s does not verify: %s', bad.day, bad.outcome),
                DETAIL = format('Its ledger by %s has %s calls, usage has %s.', concat_ws(' and ', bad.grain, bad.dimension), bad.stored_calls, bad.counted_calls),
                HINT = 'Please report this. SELECT unsettle(...) and CALL refresh() count it anew.';
        END IF;
        UPDATE settled s SET is_archived = true
        WHERE s.grain = 'day' AND NOT s.is_archived AND s.zone = in_zone AND s.starts >= first AND s.ends <= behind;
        GET DIAGNOSTICS days = ROW_COUNT;
        RETURN days;
    END
    $$;
    COMMENT ON FUNCTION archive(date) IS
        'verifies all days that hold calls of a month (UTC, as partitions are) and freezes their ledgers: its partition may then be dropped; calls of these days are refused from then on, and changed prices do not count (settlement shows them); returns how many days it froze';
    REVOKE ALL ON FUNCTION archive(date) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION unarchive(month date) RETURNS integer
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        first timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
        behind timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
        gone record;
        days integer;
    BEGIN
        PERFORM settle_lock(first - interval '1 day', behind + interval '1 day');
        SELECT s.starts, s.calls, c.calls AS counted INTO gone
        FROM settled s, LATERAL (SELECT coalesce(sum(u.calls), 0) AS calls FROM usage u WHERE u.at >= s.starts AND u.at < s.ends) c
        WHERE s.is_archived AND s.grain = 'day' AND s.starts < behind AND s.ends > first AND c.calls <> s.calls
        ORDER BY s.starts LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('the day that begins at %s has to stay archived', gone.starts),
                DETAIL = format('Its ledger has %s calls, usage has %s.', gone.calls, gone.counted),
                HINT = 'Attach the partition that holds them again.';
        END IF;
        INSERT INTO usage_mark SELECT s.starts, s.ends FROM settled s WHERE s.is_archived AND s.grain = 'day' AND s.starts < behind AND s.ends > first;
        UPDATE settled s SET is_archived = false WHERE s.is_archived AND s.grain = 'day' AND s.starts < behind AND s.ends > first;
        GET DIAGNOSTICS days = ROW_COUNT;
        RETURN days;
    END
    $$;
    COMMENT ON FUNCTION unarchive(date) IS
        'opens the days of an archived month again, if usage has as many calls of each; returns how many days';
    REVOKE ALL ON FUNCTION unarchive(date) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION unsettle(from_at timestamptz DEFAULT NULL, to_at timestamptz DEFAULT NULL) RETURNS bigint
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        days bigint;
    BEGIN
        INSERT INTO usage_mark
        SELECT s.starts, s.ends FROM settled s
        WHERE s.grain = 'day' AND NOT s.is_archived AND s.starts < coalesce(to_at, 'infinity') AND s.ends > coalesce(from_at, '-infinity');
        GET DIAGNOSTICS days = ROW_COUNT;
        RETURN days;
    END
    $$;
    COMMENT ON FUNCTION unsettle(timestamptz, timestamptz) IS
        'lets refresh() count the stored days of a time anew (NULL: no limit), and views read their calls until then; returns how many; for calls of a view that changed after settle_after';
    REVOKE ALL ON FUNCTION unsettle(timestamptz, timestamptz) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION settle_after(how_long interval) RETURNS void
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    BEGIN
        IF (SELECT c.relkind <> 'v' FROM pg_class c WHERE c.oid = 'usage'::regclass) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = '"usage" is a table of this install: every change of it is seen',
                HINT = 'settle_after() is for a view over a table of your own.';
        END IF;
        DELETE FROM settle_rule;
        IF how_long IS NULL THEN
            DELETE FROM settled s WHERE NOT s.is_archived;
            DELETE FROM stored_ledger l WHERE NOT EXISTS (SELECT FROM settled s WHERE s.zone = l.zone AND s.starts = l.starts);
        ELSE
            INSERT INTO settle_rule (settle_after) VALUES (how_long);
        END IF;
    END
    $$;
    COMMENT ON FUNCTION settle_after(interval) IS
        'where usage is a view: says that calls neither come nor change when their day has been over for so long, and that all readers of the view see the same rows; NULL takes it back';
    REVOKE ALL ON FUNCTION settle_after(interval) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION forget_user(user_id text) RETURNS bigint
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    DECLARE
        rows_blanked bigint;
    BEGIN
        IF forget_user.user_id IS NULL THEN
            RETURN 0;
        END IF;
        UPDATE usage u SET user_id = NULL, session_id = NULL, turn_id = NULL WHERE u.user_id = forget_user.user_id;
        GET DIAGNOSTICS rows_blanked = ROW_COUNT;
        RETURN rows_blanked;
    END
    $$;
    COMMENT ON FUNCTION forget_user(text) IS
        'blanks user_id, session_id and turn_id of all calls of a user and returns how many; no total changes and no day is unsettled; request_id, by which an invoice is traced, and tags stay';
    REVOKE ALL ON FUNCTION forget_user(text) FROM PUBLIC;
END
$install$;
COMMENT ON PROCEDURE install_settle() IS 'part of install(): stored ledgers, what tells whether they hold, and refresh(), in the first schema of search_path';

CREATE PROCEDURE uninstall_settle() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS settlement;
    DROP FUNCTION IF EXISTS
        forget_user(text),
        settle_after(interval),
        unsettle(timestamptz, timestamptz),
        unarchive(date),
        archive(date),
        verify(date, date),
        settlement_between(timestamptz, timestamptz, text),
        settle_months(),
        settle_begin(),
        settle_month(timestamptz),
        settle_day(timestamptz),
        settle_lock(timestamptz, timestamptz),
        count_day(timestamptz, timestamptz, text, tokenomics.price_book),
        settled_ledger(text, text, timestamptz, timestamptz, text, tokenomics.price_book),
        settled_units(timestamptz, timestamptz, tokenomics.price_book);
    DROP PROCEDURE IF EXISTS refresh(interval);
    IF EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass('usage') AND c.relkind = 'p') THEN
        DROP TRIGGER IF EXISTS mark_usage ON usage;
    END IF;
    IF to_regclass('setting') IS NOT NULL THEN
        DROP TRIGGER IF EXISTS tell_unsettled ON setting;
    END IF;
    DROP TABLE IF EXISTS settle_rule, seen_partition, stored_ledger, settled, usage_mark, dimension;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_settle() IS 'part of uninstall(): drops what install_settle() made';
-- The views of an install: cost per token, unit price and total spend, and who
-- spent it.
--
-- Data flows one way: usage_ledger() counts the calls, spend_lines() adds what is
-- charged beside them, and each view groups those lines.  A view V is V_between()
-- without limits.

-- Makes the views and functions in the schema that comes first in search_path;
-- called by install().
CREATE PROCEDURE install_trends() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION usage_ledger(
        grain text,
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        dimension text DEFAULT NULL
    ) RETURNS tokenomics.ledger
        LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(usage_ledger.zone, (SELECT s.zone FROM setting s));
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
        label text := CASE WHEN dimension IN ('team', 'project') THEN dimension ELSE (SELECT d.expression FROM dimension d WHERE d.name = dimension) END;
        prices tokenomics.price_book;
        stored record;
        stamps text;
        all_seen boolean;   -- else calls of an older snapshot may lie where none are looked for: all are read
        part tstzrange;
        counted tokenomics.ledger;
        parts tokenomics.ledger[];
    BEGIN
        IF dimension IS NOT NULL AND label IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('there is no dimension "%s"', dimension),
                HINT = 'The dimensions are team, project and those of table "dimension".';
        END IF;
        IF first >= behind THEN
            RETURN NULL;
        END IF;
        prices := book();
        FOR attempt IN 1 .. 10 LOOP
            SELECT string_agg(coalesce(p.stamp, p.partition::oid::text), ' ' ORDER BY p.partition), coalesce(bool_and(p.is_seen), true) INTO stamps, all_seen
            FROM tokenomics.usage_partitions('usage', first, behind) p;
            -- what is settled, as it is stored; the calls of all other time
            SELECT s.ledger, s.covered INTO stored FROM tokenomics.stored_usage('usage', grain, in_zone, first, behind, dimension, prices) s;
            parts := NULL;
            FOR part IN
                SELECT r FROM unnest(tstzmultirange(tstzrange(first, behind)) - CASE WHEN all_seen THEN coalesce(stored.covered, '{}') ELSE '{}' END) r
            LOOP
                -- By EXECUTE, for which the planner sees the limits each time, and which
                -- runs in parallel: a SELECT INTO is for one row, and does not.
                EXECUTE format('SELECT tokenomics.ledger((SELECT $5), $1, $2, u.at, u.provider, u.model, u.service_tier, u.tokens, (%s' || E'\n' || ')::text, u.calls)
                                FROM usage u WHERE u.at >= $3 AND u.at < $4' || CASE WHEN NOT all_seen AND stored.covered IS NOT NULL THEN ' AND NOT u.at <@ $6' ELSE '' END, coalesce(label, 'NULL'))
                INTO counted USING grain, in_zone, lower(part), upper(part), prices, stored.covered;
                IF stored.covered IS NULL THEN
                    RETURN counted;
                END IF;
                IF counted IS NOT NULL THEN
                    parts := parts || counted;
                END IF;
            END LOOP;
            -- no snapshot holds partitions: another one attached in between
            -- would be in one of the two alone
            IF stamps IS NOT DISTINCT FROM (SELECT string_agg(coalesce(p.stamp, p.partition::oid::text), ' ' ORDER BY p.partition) FROM tokenomics.usage_partitions('usage', first, behind) p) THEN
                RETURN CASE WHEN parts IS NULL THEN stored.ledger ELSE (SELECT tokenomics.merge(p) FROM unnest(parts || stored.ledger) p) END;
            END IF;
        END LOOP;
        RAISE EXCEPTION USING
            ERRCODE = 'object_in_use',
            MESSAGE = 'the partitions of "usage" change faster than they can be read';
    END
    $$;
    COMMENT ON FUNCTION usage_ledger(text, timestamptz, timestamptz, text, text) IS
        'the ledger of the calls from from_at up to, not including, to_at (NULL: no limit), priced by the book of "setting", by grain (month, day, hour, quarter_hour) of the zone (NULL: that of "setting"), labelled by a dimension (team, project or one of table "dimension"; NULL: none); settled days as they are stored; NULL of no calls';

    CREATE OR REPLACE FUNCTION spend_parts(
        grain text,
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        dimension text DEFAULT NULL,
        OUT cuts timestamptz[],
        OUT ledgers tokenomics.ledger[],
        OUT counted tokenomics.ledger
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
        in_zone text := coalesce(spend_parts.zone, (SELECT s.zone FROM setting s));
        accrued timestamptz := now();
        month_first timestamptz;   -- the limits, widened to whole months
        month_behind timestamptz;
        part tokenomics.ledger;
    BEGIN
        IF first >= behind THEN
            RETURN;
        END IF;
        month_first := CASE WHEN isfinite(first) THEN tokenomics.period_start('month', in_zone, first) ELSE first END;
        month_behind := CASE WHEN isfinite(behind) THEN tokenomics.period_end('month', in_zone, behind - interval '1 microsecond') ELSE behind END;

        -- What of a purchase falls into a month is spread over the calls of that
        -- time: they are counted apart where one begins or ends within a period,
        -- and before and behind the limits too, to know what those carry.
        SELECT array_agg(DISTINCT b.at ORDER BY b.at) INTO cuts
        FROM (SELECT unnest(ARRAY[first, behind]) AS at
              UNION ALL
              SELECT b.at
              FROM charge c, unnest(ARRAY[greatest(c.charge_period_start, month_first),
                                          least(c.charge_period_end, accrued, month_behind)]) b(at)
              WHERE c.charge_category = 'Purchase'
                AND tstzrange(c.charge_period_start, c.charge_period_end) && (tstzrange(month_first, month_behind) * tstzrange(NULL, accrued))
                AND (b.at < first OR b.at > behind OR tokenomics.period_start(grain, in_zone, b.at) <> b.at)) b;
        FOR i IN 1 .. cardinality(cuts) - 1 LOOP
            part := usage_ledger(grain, cuts[i], cuts[i + 1], in_zone, dimension);
            ledgers := array_append(ledgers, part);
            IF cuts[i] >= first AND cuts[i + 1] <= behind THEN
                counted := CASE WHEN counted IS NULL THEN part WHEN part IS NULL THEN counted
                                ELSE (SELECT tokenomics.merge(m) FROM (VALUES (counted), (part)) v(m)) END;
            END IF;
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION spend_parts(text, timestamptz, timestamptz, text, text) IS
        'part of spend_lines(): the times at which its calls are counted apart, and their ledgers; counted: those between the limits, merged: the same as usage_ledger()';

    CREATE OR REPLACE FUNCTION spend_lines_of(
        grain text,
        from_at timestamptz,
        to_at timestamptz,
        zone text,
        dimension text,
        cuts timestamptz[],
        ledgers tokenomics.ledger[]
    ) RETURNS TABLE (
        period timestamptz,
        charge_category text,
        provider text,
        model text,
        service_tier text,
        label text,
        currency text,
        calls bigint,
        tokens tokenomics.tokens,
        list_cost numeric,
        listed_cost numeric,
        contracted_cost numeric,
        effective_cost numeric,
        unpriced text,
        lacks_rate text[]
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
        in_zone text := spend_lines_of.zone;
        accrued timestamptz := now();
        spent tstzrange := tstzrange(first, behind) * tstzrange(NULL, accrued);   -- the limits, as far as time has come
        month_first timestamptz := CASE WHEN isfinite(first) THEN tokenomics.period_start('month', in_zone, first) ELSE first END;
        month_behind timestamptz := CASE WHEN isfinite(behind) THEN tokenomics.period_end('month', in_zone, behind - interval '1 microsecond') ELSE behind END;
    BEGIN
        RETURN QUERY
        WITH line AS MATERIALIZED (
            SELECT row_number() OVER () AS n, greatest(l.period, cuts[g.i::integer]) AS starts,
                   cuts[g.i::integer] >= first AND cuts[g.i::integer + 1] <= behind AS is_wanted,
                   tokenomics.total(l.tokens) AS weight, l.*
            FROM unnest(ledgers) WITH ORDINALITY g(ledger, i), tokenomics.lines(g.ledger) l
        ), purchase AS MATERIALIZED (
            -- by months; and capacities of one tier by the times at which the sum
            -- of them is the same: calls use them up together
            SELECT row_number() OVER () AS part_number, c.provider, c.sku, c.currency, c.scope, t.part,
                   tokenomics.elapsed_share(c.billed_cost, t.whole, t.part) AS amount,
                   CASE WHEN c.unit = 'Tokens' THEN
                       sum(CASE WHEN c.unit = 'Tokens' THEN tokenomics.elapsed_share(c.quantity, t.whole, t.part, 0) END)
                       OVER (PARTITION BY c.provider, c.sku, t.part)::bigint END AS capacity
            FROM charge c,
                 tokenomics.periods('month', in_zone, greatest(c.charge_period_start, month_first),
                                    least(c.charge_period_end, accrued, month_behind)) m,
                 LATERAL (SELECT greatest(c.charge_period_start, m.period_start) AS starts,
                                 least(c.charge_period_end, m.period_end, accrued) AS ends) e,
                 LATERAL (SELECT tstzrange(c.charge_period_start, c.charge_period_end) AS whole,
                                 tstzrange(b.at, lead(b.at) OVER (ORDER BY b.at)) AS part
                          FROM (SELECT unnest(ARRAY[e.starts, e.ends]) AS at
                                UNION
                                SELECT o.at
                                FROM charge d, unnest(ARRAY[d.charge_period_start, d.charge_period_end]) o(at)
                                WHERE d.charge_category = 'Purchase' AND d.provider = c.provider AND d.sku = c.sku
                                  AND d.unit = 'Tokens' AND c.unit = 'Tokens' AND o.at > e.starts AND o.at < e.ends) b) t
            WHERE c.charge_category = 'Purchase' AND NOT upper_inf(t.part) AND t.part && spent
        ), carried AS MATERIALIZED (
            SELECT p.part_number, p.currency, l.n, l.starts, l.is_wanted, l.weight
            FROM purchase p JOIN line l ON l.provider = p.provider AND l.service_tier = p.sku AND p.part @> l.starts
        ), reached AS (
            SELECT c.part_number, c.is_wanted, array_agg(c.n ORDER BY c.n) AS numbers, array_agg(c.weight ORDER BY c.n) AS weights,
                   sum(c.weight) AS weight, sum(sum(c.weight)) OVER (PARTITION BY c.part_number ORDER BY c.starts) AS up_to,
                   sum(sum(c.weight)) OVER (PARTITION BY c.part_number) AS total
            FROM carried c GROUP BY c.part_number, c.starts, c.is_wanted
        ), share AS (
            -- what is used up by the end of a time less what is by its start: days
            -- add up to their month, and adjacent limits to the whole
            SELECT r.part_number, r.numbers[s.i] AS n, s.amount
            FROM reached r JOIN purchase p ON p.part_number = r.part_number,
                 LATERAL (SELECT (tokenomics.amortise(p.amount, ARRAY[r.up_to, r.total - r.up_to]::bigint[], p.capacity))[1]
                                 - (tokenomics.amortise(p.amount, ARRAY[r.up_to - r.weight, r.total - r.up_to + r.weight]::bigint[], p.capacity))[1] AS used) u,
                 unnest(tokenomics.amortise(u.used, r.weights)) WITH ORDINALITY s(amount, i)
            WHERE r.is_wanted
        ), idle AS (
            SELECT p.provider, p.sku, p.currency, p.scope, p.part,
                   (tokenomics.amortise(p.amount, ARRAY[coalesce(sum(c.weight), 0)]::bigint[], p.capacity))[2] AS amount
            FROM purchase p LEFT JOIN carried c ON c.part_number = p.part_number
            GROUP BY p.part_number, p.provider, p.sku, p.currency, p.scope, p.part, p.amount, p.capacity
        )
        SELECT l.period, 'Usage', l.provider, l.model, l.service_tier, l.label, coalesce(l.currency, c.currency), l.calls, l.tokens,
               CASE WHEN l.list_currency = l.currency THEN l.list_cost END,
               CASE WHEN l.list_currency = l.currency THEN l.cost END,
               -- a call that a purchase carries costs nothing beside its share of that
               l.cost, CASE WHEN l.cost IS NULL AND c.currency IS NOT NULL THEN 0 ELSE l.cost END, CASE WHEN c.currency IS NULL THEN l.unpriced END, CASE WHEN c.currency IS NULL THEN l.lacks_rate END
        FROM line l LEFT JOIN (SELECT c.n, min(c.currency) AS currency FROM carried c GROUP BY c.n) c ON c.n = l.n
        WHERE l.is_wanted
        UNION ALL
        SELECT l.period, 'Purchase', l.provider, l.model, l.service_tier, l.label, p.currency, 0, '{}', NULL, NULL, NULL, s.amount, NULL, NULL
        FROM share s JOIN purchase p ON p.part_number = s.part_number JOIN line l ON l.n = s.n
        WHERE s.amount <> 0
        UNION ALL
        SELECT q.period_start, 'Purchase', i.provider, 'idle', i.sku, i.scope ->> dimension, i.currency, 0, '{}', NULL, NULL, NULL,
               tokenomics.elapsed_share(i.amount, i.part, tstzrange(q.period_start, q.period_end) * spent), NULL, NULL
        FROM idle i, tokenomics.periods(grain, in_zone, greatest(lower(i.part), first), least(upper(i.part), behind)) q
        WHERE i.amount <> 0
        UNION ALL
        SELECT q.period_start, c.charge_category, c.provider, NULL, c.sku, c.scope ->> dimension, c.currency, 0, '{}', NULL, NULL, NULL,
               tokenomics.elapsed_share(c.billed_cost, tstzrange(c.charge_period_start, c.charge_period_end),
                                        tstzrange(q.period_start, q.period_end) * spent), NULL, NULL
        FROM charge c,
             tokenomics.periods(grain, in_zone, greatest(c.charge_period_start, first), least(c.charge_period_end, behind, accrued)) q
        WHERE c.charge_category IN ('Credit', 'Adjustment', 'Tax') AND tstzrange(c.charge_period_start, c.charge_period_end) && spent;
    END
    $$;
    COMMENT ON FUNCTION spend_lines_of(text, timestamptz, timestamptz, text, text, timestamptz[], tokenomics.ledger[]) IS
        'part of spend_lines(): its rows, of what spend_parts() counted';

    CREATE OR REPLACE FUNCTION spend_lines(
        grain text,
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        dimension text DEFAULT NULL
    ) RETURNS TABLE (
        period timestamptz,
        charge_category text,
        provider text,
        model text,
        service_tier text,
        label text,
        currency text,
        calls bigint,
        tokens tokenomics.tokens,
        list_cost numeric,
        listed_cost numeric,
        contracted_cost numeric,
        effective_cost numeric,
        unpriced text,
        lacks_rate text[]
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(spend_lines.zone, (SELECT s.zone FROM setting s));
    BEGIN
        IF from_at >= to_at THEN
            RETURN;
        END IF;
        RETURN QUERY
        SELECT l.* FROM spend_parts(grain, from_at, to_at, in_zone, dimension) p, spend_lines_of(grain, from_at, to_at, in_zone, dimension, p.cuts, p.ledgers) l;
    END
    $$;
    COMMENT ON FUNCTION spend_lines(text, timestamptz, timestamptz, text, text) IS
        'all that was spent, by period: lines of calls (charge_category Usage); purchases by months, spread over the calls of their time by tokens, and what is left idle (Purchase); credits, adjustments and tax by time; of all these what has elapsed by now; total spend is the sum of effective_cost, and adjacent limits add up to the whole';

    CREATE OR REPLACE FUNCTION exchange_rate(from_currency text, to_currency text, on_date date, grain text DEFAULT 'day', OUT rate numeric, OUT is_inverse boolean)
        LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT
    AS $$
        SELECT f.rate, f.base_currency <> from_currency
        FROM fx_rate f
        WHERE ((f.base_currency = from_currency AND f.quote_currency = to_currency)
               OR (f.base_currency = to_currency AND f.quote_currency = from_currency))
          AND CASE WHEN f.kind = 'daily' THEN grain = 'day' AND f.day BETWEEN on_date - 7 AND on_date
                   ELSE f.day = date_trunc('month', on_date::timestamp)::date END
        ORDER BY f.kind = 'daily' DESC, f.kind = 'month_average' DESC, f.day DESC, f.base_currency = from_currency DESC
        LIMIT 1
    $$;
    COMMENT ON FUNCTION exchange_rate(text, text, date, text) IS
        'the rate of fx_rate that convert_currency() takes, for tokenomics.exchanged(): is_inverse: it is of the other way round; NULL where there is none';

    CREATE OR REPLACE FUNCTION convert_currency(amount numeric, from_currency text, to_currency text, on_date date, grain text DEFAULT 'day')
        RETURNS numeric
        LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT
    AS $$
        SELECT CASE WHEN from_currency = to_currency OR amount = 0 AND from_currency IS NOT NULL THEN amount
               ELSE (SELECT tokenomics.exchanged(amount, r.rate, r.is_inverse) FROM exchange_rate(from_currency, to_currency, on_date, grain) r) END
    $$;
    COMMENT ON FUNCTION convert_currency(numeric, text, text, date, text) IS
        'an amount in another currency by fx_rate, rounded once, to 12 decimals: of a month by its average, else its end; of a day by its own rate or that of at most 7 days before, else by its month; NULL where there is none';

    CREATE OR REPLACE FUNCTION cost_per_token_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        provider text,
        model text,
        service_tier text,
        currency text,
        calls bigint,
        input_tokens bigint,
        cache_read_tokens bigint,
        cache_write_tokens bigint,
        cache_write_1h_tokens bigint,
        output_tokens bigint,
        reasoning_tokens bigint,
        audio_input_tokens bigint,
        audio_output_tokens bigint,
        image_input_tokens bigint,
        image_output_tokens bigint,
        tool_calls bigint,
        cache_storage bigint,
        total_tokens bigint,
        unpriced_tokens bigint,
        list_cost numeric,
        contracted_cost numeric,
        effective_cost numeric,
        savings_rate numeric,
        cost_per_mtok numeric,
        cost_per_mtok_output numeric,
        cost_per_mtok_visible_output numeric,
        reporting_currency text,
        effective_cost_converted numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(cost_per_token_between.zone, (SELECT s.zone FROM setting s));
        reporting text := (SELECT s.currency FROM setting s);
    BEGIN
        RETURN QUERY
        SELECT g.month, g.provider, g.model, g.service_tier, g.currency, g.calls,
               tokenomics.meter(g.tokens, 'input'), tokenomics.meter(g.tokens, 'cache_read'),
               tokenomics.meter(g.tokens, 'cache_write'), tokenomics.meter(g.tokens, 'cache_write_1h'),
               tokenomics.meter(g.tokens, 'output'), tokenomics.meter(g.tokens, 'reasoning'),
               tokenomics.meter(g.tokens, 'audio_input'), tokenomics.meter(g.tokens, 'audio_output'),
               tokenomics.meter(g.tokens, 'image_input'), tokenomics.meter(g.tokens, 'image_output'),
               tokenomics.meter(g.tokens, 'tool_calls'), tokenomics.meter(g.tokens, 'cache_storage'),
               tokenomics.total(g.tokens), g.unpriced, g.list_cost, g.contracted_cost, g.effective_cost,
               tokenomics.savings_rate(g.listed_cost, g.list_cost),
               tokenomics.cost_per_mtok(g.effective_cost, tokenomics.total(g.tokens)),
               tokenomics.cost_per_mtok(g.effective_cost, tokenomics.output_total(g.tokens)),
               tokenomics.cost_per_mtok(g.effective_cost, tokenomics.output_total(g.tokens) - coalesce(tokenomics.meter(g.tokens, 'reasoning'), 0)),
               reporting, convert_currency(g.effective_cost, g.currency, reporting, g.month, 'month')
        FROM (SELECT (l.period AT TIME ZONE in_zone)::date AS month, l.provider, l.model, l.service_tier, l.currency,
                     sum(l.calls)::bigint AS calls, tokenomics.sum(l.tokens) AS tokens,
                     coalesce(sum(tokenomics.total(l.tokens)) FILTER (WHERE l.unpriced IS NOT NULL), 0)::bigint AS unpriced,
                     sum(l.list_cost) AS list_cost, sum(l.listed_cost) AS listed_cost, sum(l.contracted_cost) AS contracted_cost,
                     sum(l.effective_cost) AS effective_cost
              FROM spend_lines('month', from_at, to_at, in_zone) l
              WHERE l.charge_category IN ('Usage', 'Purchase')
              GROUP BY 1, 2, 3, 4, 5) g
        ORDER BY g.month, g.provider, g.model, g.service_tier, g.currency;
    END
    $$;
    COMMENT ON FUNCTION cost_per_token_between(timestamptz, timestamptz, text) IS
        'the rows of cost_per_token of the calls from from_at up to, not including, to_at, by the months of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW cost_per_token WITH (security_invoker = true) AS SELECT * FROM cost_per_token_between();
    COMMENT ON VIEW cost_per_token IS
        'tokenomics: what a token cost, by month, provider, model, service tier and currency; unpriced calls have no currency; model "idle" is what a purchase left unused';
    COMMENT ON COLUMN cost_per_token.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN cost_per_token.provider IS 'provider of the calls';
    COMMENT ON COLUMN cost_per_token.model IS 'model, as the calls name it; "idle": the unused part of a purchase';
    COMMENT ON COLUMN cost_per_token.service_tier IS 'service tier; that of a purchase is its sku';
    COMMENT ON COLUMN cost_per_token.currency IS 'currency of the amounts; NULL where the calls are unpriced';
    COMMENT ON COLUMN cost_per_token.calls IS 'number of calls';
    COMMENT ON COLUMN cost_per_token.input_tokens IS 'input tokens that were neither read from nor written to a cache';
    COMMENT ON COLUMN cost_per_token.cache_read_tokens IS 'input tokens read from a cache';
    COMMENT ON COLUMN cost_per_token.cache_write_tokens IS 'input tokens written to a cache (5 minutes)';
    COMMENT ON COLUMN cost_per_token.cache_write_1h_tokens IS 'input tokens written to a cache (1 hour)';
    COMMENT ON COLUMN cost_per_token.output_tokens IS 'visible output tokens';
    COMMENT ON COLUMN cost_per_token.reasoning_tokens IS 'reasoning tokens, in no other column but total_tokens';
    COMMENT ON COLUMN cost_per_token.audio_input_tokens IS 'audio input tokens';
    COMMENT ON COLUMN cost_per_token.audio_output_tokens IS 'audio output tokens';
    COMMENT ON COLUMN cost_per_token.image_input_tokens IS 'image input tokens';
    COMMENT ON COLUMN cost_per_token.image_output_tokens IS 'image output tokens';
    COMMENT ON COLUMN cost_per_token.tool_calls IS 'tool calls that are billed each, such as web searches; not tokens';
    COMMENT ON COLUMN cost_per_token.cache_storage IS 'token-hours of cache storage; not tokens';
    COMMENT ON COLUMN cost_per_token.total_tokens IS 'all tokens, input and output';
    COMMENT ON COLUMN cost_per_token.unpriced_tokens IS 'those of calls without a price';
    COMMENT ON COLUMN cost_per_token.list_cost IS 'cost at list prices, of the calls that have one in the same currency';
    COMMENT ON COLUMN cost_per_token.contracted_cost IS 'cost at the prices of the book in force';
    COMMENT ON COLUMN cost_per_token.effective_cost IS 'contracted cost and the shares of purchases that the calls carry';
    COMMENT ON COLUMN cost_per_token.savings_rate IS 'what the contract saves against the list, a fraction';
    COMMENT ON COLUMN cost_per_token.cost_per_mtok IS 'effective cost per million tokens';
    COMMENT ON COLUMN cost_per_token.cost_per_mtok_output IS 'effective cost, input included, per million output tokens, reasoning included';
    COMMENT ON COLUMN cost_per_token.cost_per_mtok_visible_output IS 'effective cost, input and reasoning included, per million output tokens that are not reasoning';
    COMMENT ON COLUMN cost_per_token.reporting_currency IS 'currency of effective_cost_converted';
    COMMENT ON COLUMN cost_per_token.effective_cost_converted IS 'effective cost at the month''s exchange rate; NULL where there is none';

    CREATE OR REPLACE FUNCTION index_trend(
        counted tokenomics.ledger,
        from_at timestamptz,
        to_at timestamptz,
        zone text
    ) RETURNS TABLE (
        month date,
        provider text,
        currency text,
        price_index double precision,
        quantity_index double precision,
        turnover_index double precision,
        spend_index double precision,
        base_coverage double precision,
        coverage double precision,
        matched_items bigint,
        index_base date,
        note text
    )
        LANGUAGE sql STABLE SET search_path FROM CURRENT
    AS $$
        WITH point AS (
            SELECT c.*, (c.period AT TIME ZONE zone)::date AS month,
                   (lag(c.period) OVER (PARTITION BY c.provider, c.currency ORDER BY c.period) AT TIME ZONE zone)::date AS compared_with
            FROM tokenomics.chained_index(counted, 'fisher') c
        )
        SELECT p.month, p.provider, p.currency, p.index, p.quantity_index, p.turnover_index, p.value_index,
               p.base_coverage, p.coverage, p.matched_items, (p.base_period AT TIME ZONE zone)::date,
               nullif(concat_ws('; ',
                   CASE WHEN p.compared_with IS NULL THEN
                       CASE WHEN p.month > min(p.month) OVER (PARTITION BY p.provider) THEN 'new currency: nothing to compare with'
                            ELSE 'first month: nothing to compare with' END END,
                   CASE WHEN p.compared_with < (p.month - interval '1 month')::date THEN
                       'nothing used the month before: compared with ' || to_char(p.compared_with, 'YYYY-MM') END,
                   CASE WHEN p.compared_with IS NOT NULL AND p.index IS NULL THEN
                       'no item matched: the index begins anew'
                        WHEN least(p.base_coverage, p.coverage) < 0.5 THEN
                       format('low coverage: %s %%', round((least(p.base_coverage, p.coverage) * 100)::numeric)) END,
                   CASE WHEN from_at > p.period OR least(to_at, now()) < tokenomics.period_end('month', zone, p.period) THEN
                       'partial month' END), '')
        FROM point p
    $$;
    COMMENT ON FUNCTION index_trend(tokenomics.ledger, timestamptz, timestamptz, text) IS
        'the chained Fisher indices of a ledger of months, by currency, of all providers (provider NULL) and of each; with limits that say which months are partial; note: why a number is not to be trusted';

    CREATE OR REPLACE FUNCTION unit_price_trend_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        scope text,
        provider text,
        currency text,
        priced_tokens bigint,
        spend numeric,
        cost_per_mtok numeric,
        cost_per_mtok_output numeric,
        list_cost_per_mtok numeric,
        savings_rate numeric,
        growth_month_on_month numeric,
        growth_year_on_year numeric,
        blended_index double precision,
        matched_index double precision,
        generation_index double precision,
        geks_index double precision,
        mix_index double precision,
        coverage double precision,
        base_coverage double precision,
        matched_items bigint,
        index_base date,
        note text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(unit_price_trend_between.zone, (SELECT s.zone FROM setting s));
        parts record;
        successors boolean := EXISTS (SELECT FROM index_item);
    BEGIN
        IF from_at >= to_at THEN
            RETURN;
        END IF;
        SELECT * INTO parts FROM spend_parts('month', from_at, to_at, in_zone);
        RETURN QUERY
        WITH priced AS MATERIALIZED (
            SELECT (l.period AT TIME ZONE in_zone)::date AS month, l.provider, l.currency, l.tokens, l.list_cost, l.listed_cost, l.effective_cost
            FROM spend_lines_of('month', from_at, to_at, in_zone, NULL, parts.cuts, parts.ledgers) l
            WHERE l.charge_category IN ('Usage', 'Purchase') AND l.currency IS NOT NULL
        ), listed AS (
            SELECT p.month, p.provider, p.currency, sum(tokenomics.total(p.tokens)) AS tokens
            FROM priced p WHERE p.list_cost IS NOT NULL GROUP BY GROUPING SETS ((1, 3), (1, 2, 3))
        ), grouped AS (
            SELECT p.month, CASE WHEN grouping(p.provider) = 1 THEN 'total' ELSE 'provider' END AS scope, p.provider, p.currency,
                   tokenomics.sum(p.tokens) AS tokens, sum(p.effective_cost) AS spend,
                   sum(p.list_cost) AS list_cost, sum(p.listed_cost) AS listed_cost
            FROM priced p GROUP BY GROUPING SETS ((1, 4), (1, 3, 4))
        ), price AS (
            SELECT g.*, tokenomics.cost_per_mtok(g.spend, tokenomics.total(g.tokens)) AS blended, l.tokens AS listed_tokens
            FROM grouped g LEFT JOIN listed l
                ON l.month = g.month AND l.provider IS NOT DISTINCT FROM g.provider AND l.currency = g.currency
        ), indexed AS MATERIALIZED (
            SELECT * FROM index_trend(parts.counted, from_at, to_at, in_zone)
        ), geks AS MATERIALIZED (
            SELECT (g.period AT TIME ZONE in_zone)::date AS month, g.provider, g.currency, g.index
            FROM tokenomics.geks_index(parts.counted, 'fisher', 25) g
        ), generation AS MATERIALIZED (
            SELECT (c.period AT TIME ZONE in_zone)::date AS month, c.provider, c.currency, c.index
            FROM (SELECT coalesce(array_agg(i.provider), '{}') AS providers, coalesce(array_agg(i.model), '{}') AS models,
                         coalesce(array_agg(i.index_item), '{}') AS items FROM index_item i) m,
                 tokenomics.chained_index(parts.counted, 'fisher', m.providers, m.models, m.items) c
            WHERE successors
        )
        SELECT p.month, p.scope, p.provider, p.currency, tokenomics.total(p.tokens), p.spend, p.blended,
               tokenomics.cost_per_mtok(p.spend, tokenomics.output_total(p.tokens)),
               tokenomics.cost_per_mtok(p.list_cost, p.listed_tokens),
               tokenomics.savings_rate(p.listed_cost, p.list_cost),
               tokenomics.growth_rate(p.blended, (SELECT b.blended FROM price b WHERE b.month = (p.month - interval '1 month')::date AND b.currency = p.currency
                                                   AND b.scope = p.scope AND b.provider IS NOT DISTINCT FROM p.provider)),
               tokenomics.growth_rate(p.blended, (SELECT b.blended FROM price b WHERE b.month = (p.month - interval '1 year')::date AND b.currency = p.currency
                                                   AND b.scope = p.scope AND b.provider IS NOT DISTINCT FROM p.provider)),
               p.blended::double precision / (array_agg(p.blended) FILTER (WHERE p.blended > 0) OVER (PARTITION BY p.scope, p.provider, p.currency ORDER BY p.month))[1]::double precision,
               i.price_index, CASE WHEN successors THEN n.index ELSE i.price_index END, k.index,
               p.blended::double precision / nullif(b.blended, 0)::double precision / i.price_index,
               i.coverage, i.base_coverage, i.matched_items, i.index_base,
               CASE WHEN i.month IS NULL THEN 'no usage with a price' ELSE i.note END
        FROM price p
        LEFT JOIN indexed i ON i.month = p.month AND i.currency = p.currency AND coalesce(i.provider, '') = coalesce(p.provider, '')
        LEFT JOIN geks k ON k.month = p.month AND k.currency = p.currency AND coalesce(k.provider, '') = coalesce(p.provider, '')
        LEFT JOIN generation n ON n.month = p.month AND n.currency = p.currency AND coalesce(n.provider, '') = coalesce(p.provider, '')
        LEFT JOIN price b ON b.month = i.index_base AND b.currency = p.currency AND coalesce(b.provider, '') = coalesce(p.provider, '')
        ORDER BY p.scope DESC, p.provider, p.currency, p.month;
    END
    $$;
    COMMENT ON FUNCTION unit_price_trend_between(timestamptz, timestamptz, text) IS
        'the rows of unit_price_trend of the calls from from_at up to, not including, to_at, by the months of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW unit_price_trend WITH (security_invoker = true) AS SELECT * FROM unit_price_trend_between();
    COMMENT ON VIEW unit_price_trend IS
        'tokenomics: the first of the two lines, what a token costs, by month and currency, in total and by provider; unpriced tokens are left out';
    COMMENT ON COLUMN unit_price_trend.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN unit_price_trend.scope IS 'total or provider';
    COMMENT ON COLUMN unit_price_trend.provider IS 'the provider; NULL in total';
    COMMENT ON COLUMN unit_price_trend.currency IS 'currency of the amounts';
    COMMENT ON COLUMN unit_price_trend.priced_tokens IS 'tokens of calls that have a price, or are carried by a purchase';
    COMMENT ON COLUMN unit_price_trend.spend IS 'effective cost: contracted cost and purchases, idle parts included';
    COMMENT ON COLUMN unit_price_trend.cost_per_mtok IS 'spend per million priced tokens: the blended price, which mixes price and use';
    COMMENT ON COLUMN unit_price_trend.cost_per_mtok_output IS 'spend per million priced output tokens';
    COMMENT ON COLUMN unit_price_trend.list_cost_per_mtok IS 'list cost per million of the tokens that have one';
    COMMENT ON COLUMN unit_price_trend.savings_rate IS 'what the contract saves against the list, a fraction';
    COMMENT ON COLUMN unit_price_trend.growth_month_on_month IS 'growth of cost_per_mtok on the month before, a fraction';
    COMMENT ON COLUMN unit_price_trend.growth_year_on_year IS 'growth of cost_per_mtok on the same month of the year before, a fraction';
    COMMENT ON COLUMN unit_price_trend.blended_index IS 'cost_per_mtok, 1 in the first month: what purchases and idle capacity cost is in it';
    COMMENT ON COLUMN unit_price_trend.matched_index IS
        'chained Fisher price index of matched items at contracted cost, 1 in index_base; an item is (provider, model, service tier, threshold, off-peak, meter); purchases, which have no meter, are in no item; NULL where nothing matches the month before';
    COMMENT ON COLUMN unit_price_trend.generation_index IS
        'the same index with the models of index_item matched as it says: a cheaper successor is a price cut; the matched index where it says nothing';
    COMMENT ON COLUMN unit_price_trend.geks_index IS
        'GEKS index of Fisher indices over windows of 25 months, by movement splice: where the matched index strays from it, that has drifted';
    COMMENT ON COLUMN unit_price_trend.mix_index IS
        'blended price since index_base over the matched index: what cheaper or dearer models, meters and tiers, new and retired items, purchases and idle capacity did';
    COMMENT ON COLUMN unit_price_trend.coverage IS 'matched share of the month''s cost of calls';
    COMMENT ON COLUMN unit_price_trend.base_coverage IS 'matched share of the cost of calls of the month compared with';
    COMMENT ON COLUMN unit_price_trend.matched_items IS 'number of matched items';
    COMMENT ON COLUMN unit_price_trend.index_base IS 'month whose matched index counts as 1: the first, or one that matched nothing before it';
    COMMENT ON COLUMN unit_price_trend.note IS 'why the indices are not to be trusted, or not there; NULL where nothing speaks against them';

    CREATE OR REPLACE FUNCTION total_spend_trend_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        currency text,
        calls bigint,
        tokens bigint,
        unpriced_tokens bigint,
        usage_cost numeric,
        purchase_cost numeric,
        other_charges numeric,
        total_spend numeric,
        is_partial boolean,
        days numeric,
        spend_per_day numeric,
        growth_month_on_month numeric,
        growth_per_day numeric,
        growth_year_on_year numeric,
        fiscal_year integer,
        fiscal_year_to_date numeric,
        growth_fiscal_year_to_date numeric,
        reporting_currency text,
        total_spend_converted numeric,
        spend_index double precision,
        price_index double precision,
        quantity_index double precision,
        turnover_index double precision,
        base_coverage double precision,
        coverage double precision,
        index_base date,
        note text
    )
        -- the few lines that there are look like many, and compiling takes longer
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(total_spend_trend_between.zone, (SELECT s.zone FROM setting s));
        reporting text := (SELECT s.currency FROM setting s);
        fiscal_year_start integer := (SELECT s.fiscal_year_start FROM setting s);
        today timestamp := now() AT TIME ZONE in_zone;
        parts record;
    BEGIN
        IF from_at >= to_at THEN
            RETURN;
        END IF;
        SELECT * INTO parts FROM spend_parts('month', from_at, to_at, in_zone);
        RETURN QUERY
        WITH line AS MATERIALIZED (
            SELECT (l.period AT TIME ZONE in_zone)::date AS month, l.charge_category, l.currency, l.calls,
                   tokenomics.total(l.tokens) AS tokens, l.effective_cost, l.unpriced
            FROM spend_lines_of('month', from_at, to_at, in_zone, NULL, parts.cuts, parts.ledgers) l
        ), currency AS (
            SELECT DISTINCT l.currency FROM line l
            WHERE l.currency IS NOT NULL OR NOT EXISTS (SELECT FROM line o WHERE o.currency IS NOT NULL)
        ), calendar AS (
            SELECT g.month::date AS month
            FROM (SELECT min(l.month)::timestamp AS first, max(l.month)::timestamp AS last FROM line l) r,
                 generate_series(r.first, r.last, interval '1 month') g(month)
        ), unpriced AS (
            SELECT l.month, sum(l.tokens)::bigint AS tokens FROM line l WHERE l.unpriced IS NOT NULL GROUP BY 1
        ), counted AS (
            SELECT l.month, l.currency, sum(l.calls)::bigint AS calls, sum(l.tokens)::bigint AS tokens,
                   sum(l.effective_cost) FILTER (WHERE l.charge_category = 'Usage') AS usage_cost,
                   sum(l.effective_cost) FILTER (WHERE l.charge_category = 'Purchase') AS purchase_cost,
                   sum(l.effective_cost) FILTER (WHERE l.charge_category NOT IN ('Usage', 'Purchase')) AS other_charges,
                   sum(l.effective_cost) AS total_spend
            FROM line l GROUP BY 1, 2
        ), spent AS (
            -- without any price nothing is known to be spent, which is not nothing
            SELECT c.month, y.currency, coalesce(n.calls, 0) AS calls, coalesce(n.tokens, 0) AS tokens, coalesce(u.tokens, 0) AS unpriced,
                   coalesce(n.usage_cost, z.zero) AS usage_cost, coalesce(n.purchase_cost, z.zero) AS purchase_cost,
                   coalesce(n.other_charges, z.zero) AS other_charges, coalesce(n.total_spend, z.zero) AS total_spend
            FROM calendar c CROSS JOIN currency y
                 CROSS JOIN LATERAL (SELECT CASE WHEN y.currency IS NOT NULL THEN 0::numeric END AS zero) z
                 LEFT JOIN counted n ON n.month = c.month AND coalesce(n.currency, '') = coalesce(y.currency, '')
                 LEFT JOIN unpriced u ON u.month = c.month
        ), dated AS (
            SELECT s.*, e.counted_from > s.month::timestamp OR e.counted_to < s.month + interval '1 month' AS is_partial,
                   trim_scale(greatest(extract(epoch FROM e.counted_to - e.counted_from), 0) / 86400) AS days,
                   f.fiscal_year, make_date(f.fiscal_year, 1, 1) - make_interval(years => 1, months => (13 - fiscal_year_start) % 12) AS year_before_start
            FROM spent s,
                 LATERAL (SELECT greatest(s.month::timestamp, from_at AT TIME ZONE in_zone) AS counted_from,
                                 least(s.month + interval '1 month', to_at AT TIME ZONE in_zone, today) AS counted_to) e,
                 LATERAL (SELECT extract(year FROM s.month + make_interval(months => (13 - fiscal_year_start) % 12))::integer AS fiscal_year) f
        ), daily AS (
            SELECT d.*, CASE WHEN d.days > 0 THEN trim_scale(d.total_spend / d.days) END AS per_day,
                   sum(d.total_spend) OVER (PARTITION BY d.currency, d.fiscal_year ORDER BY d.month) AS to_date
            FROM dated d
        ), compared AS (
            SELECT d.*, lag(d.total_spend) OVER w AS month_before, lag(d.is_partial) OVER w AS month_before_partial,
                   lag(d.per_day) OVER w AS per_day_before, lag(d.total_spend, 12) OVER w AS year_before,
                   lag(d.is_partial, 12) OVER w AS year_before_partial, lag(d.to_date, 12) OVER w AS to_date_before,
                   min(d.month) OVER () <= d.year_before_start AND NOT bool_or(d.is_partial) OVER (PARTITION BY d.currency, d.fiscal_year ORDER BY d.month) AS is_whole,
                   from_at AT TIME ZONE in_zone > d.year_before_start AS is_cut
            FROM daily d WINDOW w AS (PARTITION BY d.currency ORDER BY d.month)
        ), indexed AS MATERIALIZED (
            SELECT * FROM index_trend(parts.counted, from_at, to_at, in_zone) i WHERE i.provider IS NULL
        )
        -- growth on a month in which more came back than was spent says nothing
        SELECT c.month, c.currency, c.calls, c.tokens, c.unpriced, c.usage_cost, c.purchase_cost, c.other_charges, c.total_spend,
               c.is_partial, c.days, c.per_day,
               CASE WHEN NOT c.is_partial AND NOT c.month_before_partial AND c.month_before > 0 THEN tokenomics.growth_rate(c.total_spend, c.month_before) END,
               CASE WHEN c.per_day_before > 0 THEN tokenomics.growth_rate(c.per_day, c.per_day_before) END,
               CASE WHEN NOT c.is_partial AND NOT c.year_before_partial AND c.year_before > 0 THEN tokenomics.growth_rate(c.total_spend, c.year_before) END,
               c.fiscal_year, c.to_date,
               CASE WHEN c.is_whole AND c.is_cut IS NOT TRUE AND c.to_date_before > 0 THEN tokenomics.growth_rate(c.to_date, c.to_date_before) END,
               reporting, convert_currency(c.total_spend, c.currency, reporting, c.month, 'month'),
               i.spend_index, i.price_index, i.quantity_index, i.turnover_index, i.base_coverage, i.coverage, i.index_base,
               CASE WHEN i.month IS NULL THEN 'no usage with a price' ELSE i.note END
        FROM compared c LEFT JOIN indexed i ON i.month = c.month AND i.currency = c.currency
        ORDER BY c.currency, c.month;
    END
    $$;
    COMMENT ON FUNCTION total_spend_trend_between(timestamptz, timestamptz, text) IS
        'the rows of total_spend_trend of what was spent from from_at up to, not including, to_at, by the months of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW total_spend_trend WITH (security_invoker = true) AS SELECT * FROM total_spend_trend_between();
    COMMENT ON VIEW total_spend_trend IS
        'tokenomics: the second of the two lines, what was spent, by month and currency; every month from the first to the last, those without spend too';
    COMMENT ON COLUMN total_spend_trend.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN total_spend_trend.currency IS 'currency of the amounts; NULL where nothing at all is priced';
    COMMENT ON COLUMN total_spend_trend.calls IS 'number of calls paid in this currency; of calls without a price where nothing at all is priced';
    COMMENT ON COLUMN total_spend_trend.tokens IS 'their tokens';
    COMMENT ON COLUMN total_spend_trend.unpriced_tokens IS 'tokens of the month that have no price, whatever the currency: spend is too low by what they cost';
    COMMENT ON COLUMN total_spend_trend.usage_cost IS 'computed cost of the calls';
    COMMENT ON COLUMN total_spend_trend.purchase_cost IS 'purchases, spread over their periods and calls as far as they have elapsed, idle parts included';
    COMMENT ON COLUMN total_spend_trend.other_charges IS 'credits, adjustments and tax, spread over their periods as far as they have elapsed';
    COMMENT ON COLUMN total_spend_trend.total_spend IS 'usage_cost + purchase_cost + other_charges';
    COMMENT ON COLUMN total_spend_trend.is_partial IS 'whether the month is not over, or not begun, or cut by the limits';
    COMMENT ON COLUMN total_spend_trend.days IS 'days of the month that are counted: with a fraction in the current one, none of one to come';
    COMMENT ON COLUMN total_spend_trend.spend_per_day IS 'total_spend / days';
    COMMENT ON COLUMN total_spend_trend.growth_month_on_month IS 'growth on the month before, a fraction; NULL where one of them is partial, or nothing was spent before';
    COMMENT ON COLUMN total_spend_trend.growth_per_day IS 'growth of spend_per_day on the month before: months of 28 and 31 days, and partial ones, compare';
    COMMENT ON COLUMN total_spend_trend.growth_year_on_year IS 'growth on the same month of the year before, a fraction';
    COMMENT ON COLUMN total_spend_trend.fiscal_year IS 'the fiscal year, named by the year in which it ends';
    COMMENT ON COLUMN total_spend_trend.fiscal_year_to_date IS 'total_spend since the fiscal year began, of what the limits hold';
    COMMENT ON COLUMN total_spend_trend.growth_fiscal_year_to_date IS 'growth of it on the same part of the fiscal year before, a fraction; NULL where that is not there from its beginning';
    COMMENT ON COLUMN total_spend_trend.reporting_currency IS 'currency of total_spend_converted';
    COMMENT ON COLUMN total_spend_trend.total_spend_converted IS 'total_spend at the month''s exchange rate; NULL where there is none';
    COMMENT ON COLUMN total_spend_trend.spend_index IS
        'index of the computed cost of calls at contracted prices, 1 in index_base: price_index * quantity_index * turnover_index; purchases and other charges are in none of these';
    COMMENT ON COLUMN total_spend_trend.price_index IS 'chained Fisher price index of matched items, as matched_index of unit_price_trend';
    COMMENT ON COLUMN total_spend_trend.quantity_index IS 'chained Fisher quantity index of matched items';
    COMMENT ON COLUMN total_spend_trend.turnover_index IS
        'what new and retired items did to the bill: the chained quotient base_coverage / coverage; above 1 more came than went';
    COMMENT ON COLUMN total_spend_trend.base_coverage IS 'matched share of the cost of calls of the month compared with';
    COMMENT ON COLUMN total_spend_trend.coverage IS 'matched share of the month''s cost of calls';
    COMMENT ON COLUMN total_spend_trend.index_base IS 'month whose indices count as 1: the first, or one that matched nothing before it';
    COMMENT ON COLUMN total_spend_trend.note IS 'why the indices are not to be trusted, or not there; NULL where nothing speaks against them';

    CREATE OR REPLACE FUNCTION daily_spend_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        day date,
        provider text,
        currency text,
        calls bigint,
        tokens bigint,
        unpriced_tokens bigint,
        usage_cost numeric,
        purchase_cost numeric,
        other_charges numeric,
        total_spend numeric,
        reporting_currency text,
        total_spend_converted numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(daily_spend_between.zone, (SELECT s.zone FROM setting s));
        reporting text := (SELECT s.currency FROM setting s);
    BEGIN
        RETURN QUERY
        SELECT g.day, g.provider, g.currency, g.calls, g.tokens, g.unpriced_tokens, coalesce(g.usage_cost, z.zero), coalesce(g.purchase_cost, z.zero),
               coalesce(g.other_charges, z.zero), coalesce(g.total_spend, z.zero),
               reporting, convert_currency(coalesce(g.total_spend, z.zero), g.currency, reporting, g.day)
        FROM (SELECT (l.period AT TIME ZONE in_zone)::date AS day, l.provider, l.currency, sum(l.calls)::bigint AS calls,
                     sum(tokenomics.total(l.tokens))::bigint AS tokens,
                     coalesce(sum(tokenomics.total(l.tokens)) FILTER (WHERE l.unpriced IS NOT NULL), 0)::bigint AS unpriced_tokens,
                     sum(l.effective_cost) FILTER (WHERE l.charge_category = 'Usage') AS usage_cost,
                     sum(l.effective_cost) FILTER (WHERE l.charge_category = 'Purchase') AS purchase_cost,
                     sum(l.effective_cost) FILTER (WHERE l.charge_category NOT IN ('Usage', 'Purchase')) AS other_charges,
                     sum(l.effective_cost) AS total_spend
              FROM spend_lines('day', from_at, to_at, in_zone) l
              GROUP BY 1, 2, 3) g,
             LATERAL (SELECT CASE WHEN g.currency IS NOT NULL THEN 0::numeric END AS zero) z
        ORDER BY g.day, g.provider, g.currency;
    END
    $$;
    COMMENT ON FUNCTION daily_spend_between(timestamptz, timestamptz, text) IS
        'the rows of daily_spend of what was spent from from_at up to, not including, to_at, by the days of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW daily_spend WITH (security_invoker = true) AS SELECT * FROM daily_spend_between();
    COMMENT ON VIEW daily_spend IS 'tokenomics: what was spent, by day, provider and currency; unpriced calls have no currency and no cost';
    COMMENT ON COLUMN daily_spend.day IS 'the day, in the reporting zone';
    COMMENT ON COLUMN daily_spend.provider IS 'who charges it';
    COMMENT ON COLUMN daily_spend.currency IS 'currency of the amounts; NULL where the calls are unpriced';
    COMMENT ON COLUMN daily_spend.calls IS 'number of calls';
    COMMENT ON COLUMN daily_spend.tokens IS 'their tokens';
    COMMENT ON COLUMN daily_spend.unpriced_tokens IS 'those of calls without a price';
    COMMENT ON COLUMN daily_spend.usage_cost IS 'computed cost of the calls';
    COMMENT ON COLUMN daily_spend.purchase_cost IS 'shares of purchases, idle parts included';
    COMMENT ON COLUMN daily_spend.other_charges IS 'credits, adjustments and tax, spread over their periods as far as they have elapsed';
    COMMENT ON COLUMN daily_spend.total_spend IS 'the sum of the three';
    COMMENT ON COLUMN daily_spend.reporting_currency IS 'currency of total_spend_converted';
    COMMENT ON COLUMN daily_spend.total_spend_converted IS 'total_spend at the day''s exchange rate; NULL where there is none';

    CREATE OR REPLACE FUNCTION spend_by_owner_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        day date,
        dimension text,
        owner text,
        is_allocated boolean,
        currency text,
        calls bigint,
        tokens bigint,
        unpriced_tokens bigint,
        total_spend numeric,
        reporting_currency text,
        total_spend_converted numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(spend_by_owner_between.zone, (SELECT s.zone FROM setting s));
        reporting text := (SELECT s.currency FROM setting s);
    BEGIN
        RETURN QUERY
        SELECT date_trunc('month', g.day::timestamp)::date, g.day, g.dimension, coalesce(g.label, 'unallocated'), g.label IS NOT NULL,
               g.currency, g.calls, g.tokens, g.unpriced_tokens, g.total_spend,
               reporting, convert_currency(g.total_spend, g.currency, reporting, g.day)
        FROM (SELECT (l.period AT TIME ZONE in_zone)::date AS day, d.dimension, l.label, l.currency, sum(l.calls)::bigint AS calls,
                     sum(tokenomics.total(l.tokens))::bigint AS tokens,
                     coalesce(sum(tokenomics.total(l.tokens)) FILTER (WHERE l.unpriced IS NOT NULL), 0)::bigint AS unpriced_tokens,
                     sum(l.effective_cost) AS total_spend
              FROM (SELECT name FROM dimension UNION SELECT unnest('{team,project}'::text[])) d(dimension), LATERAL spend_lines('day', from_at, to_at, in_zone, d.dimension) l
              GROUP BY 1, 2, 3, 4) g
        ORDER BY g.dimension, g.day, g.label, g.currency;
    END
    $$;
    COMMENT ON FUNCTION spend_by_owner_between(timestamptz, timestamptz, text) IS
        'the rows of spend_by_owner of what was spent from from_at up to, not including, to_at, by the days of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW spend_by_owner WITH (security_invoker = true) AS SELECT * FROM spend_by_owner_between();
    COMMENT ON VIEW spend_by_owner IS
        'tokenomics: what was spent by whom, by day: each dimension adds up to the total, what nobody owns is "unallocated"';
    COMMENT ON COLUMN spend_by_owner.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN spend_by_owner.day IS 'the day, in the reporting zone';
    COMMENT ON COLUMN spend_by_owner.dimension IS 'team, project, or one of table "dimension"';
    COMMENT ON COLUMN spend_by_owner.owner IS 'the team, project or other label; "unallocated" where the calls or charges name none';
    COMMENT ON COLUMN spend_by_owner.is_allocated IS 'whether they name one';
    COMMENT ON COLUMN spend_by_owner.currency IS 'currency of total_spend; NULL where the calls are unpriced';
    COMMENT ON COLUMN spend_by_owner.calls IS 'number of calls';
    COMMENT ON COLUMN spend_by_owner.tokens IS 'their tokens';
    COMMENT ON COLUMN spend_by_owner.unpriced_tokens IS 'those of calls without a price';
    COMMENT ON COLUMN spend_by_owner.total_spend IS 'cost of the calls, shares of purchases, and charges that name the owner';
    COMMENT ON COLUMN spend_by_owner.reporting_currency IS 'currency of total_spend_converted';
    COMMENT ON COLUMN spend_by_owner.total_spend_converted IS 'total_spend at the day''s exchange rate; NULL where there is none';

    CREATE OR REPLACE FUNCTION unpriced_usage_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        provider text,
        model text,
        service_tier text,
        reason text,
        lacks_rate text[],
        calls bigint,
        tokens bigint,
        nearest_priced_model text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(unpriced_usage_between.zone, (SELECT s.zone FROM setting s));
    BEGIN
        RETURN QUERY
        SELECT g.*, CASE WHEN g.reason = 'unknown model' THEN tokenomics.nearest_model((SELECT book()), g.provider, g.model) END
        FROM (SELECT (l.period AT TIME ZONE in_zone)::date AS month, l.provider, l.model, l.service_tier, l.unpriced AS reason, l.lacks_rate,
                     sum(l.calls)::bigint AS calls, sum(tokenomics.total(l.tokens))::bigint AS tokens
              FROM spend_lines('month', from_at, to_at, in_zone) l
              WHERE l.unpriced IS NOT NULL
              GROUP BY 1, 2, 3, 4, 5, 6) g
        ORDER BY g.month, g.tokens DESC, g.provider, g.model, g.service_tier, g.reason, g.lacks_rate;
    END
    $$;
    COMMENT ON FUNCTION unpriced_usage_between(timestamptz, timestamptz, text) IS
        'the rows of unpriced_usage of the calls from from_at up to, not including, to_at, by the months of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW unpriced_usage WITH (security_invoker = true) AS SELECT * FROM unpriced_usage_between();
    COMMENT ON VIEW unpriced_usage IS 'tokenomics: what has no price, how much and why, by month; it is in no amount of the other views';
    COMMENT ON COLUMN unpriced_usage.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN unpriced_usage.provider IS 'provider of the calls';
    COMMENT ON COLUMN unpriced_usage.model IS 'model, as the calls name it';
    COMMENT ON COLUMN unpriced_usage.service_tier IS 'service tier of the calls';
    COMMENT ON COLUMN unpriced_usage.reason IS 'why they have no price';
    COMMENT ON COLUMN unpriced_usage.lacks_rate IS 'the meters whose missing rate is the reason';
    COMMENT ON COLUMN unpriced_usage.calls IS 'number of calls';
    COMMENT ON COLUMN unpriced_usage.tokens IS 'their tokens';
    COMMENT ON COLUMN unpriced_usage.nearest_priced_model IS 'of an unknown model: the priced one with the nearest name, as provider/model; set_alias() makes it known';

    CREATE OR REPLACE FUNCTION reconciliation_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        scope text,
        provider text,
        model text,
        currency text,
        computed numeric,
        billed numeric,
        invoiced numeric,
        residual numeric,
        residual_rate numeric,
        unpriced_tokens bigint
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
        in_zone text := coalesce(reconciliation_between.zone, 'UTC');
    BEGIN
        RETURN QUERY
        WITH amount AS (
            SELECT l.period, l.provider, l.model, l.currency, l.contracted_cost AS computed, NULL::numeric AS computed_of_billed,
                   NULL::numeric AS billed, NULL::numeric AS invoiced, CASE WHEN l.unpriced IS NOT NULL THEN tokenomics.total(l.tokens) END AS unpriced
            FROM spend_lines('month', from_at, to_at, in_zone) l WHERE l.charge_category = 'Usage'
            UNION ALL
            SELECT tokenomics.period_start('month', in_zone, u.at), u.provider, u.model, u.billed_currency, NULL, NULL, sum(u.billed), NULL, NULL
            FROM usage u WHERE u.billed IS NOT NULL AND u.at >= first AND u.at < behind GROUP BY 1, 2, 3, 4
            UNION ALL
            SELECT l.period, l.provider, l.model, l.currency, NULL, l.cost, NULL, NULL, NULL
            FROM tokenomics.lines((
                     SELECT tokenomics.ledger((SELECT book()), 'month', in_zone, u.at, u.provider, u.model, u.service_tier, u.tokens, u.billed_currency, u.calls)
                     FROM usage u WHERE u.billed IS NOT NULL AND u.at >= first AND u.at < behind)) l
            WHERE l.label = l.currency
            UNION ALL
            SELECT m.period_start, c.provider, c.sku, c.currency, NULL, NULL, NULL,
                   tokenomics.elapsed_share(c.billed_cost, tstzrange(c.charge_period_start, c.charge_period_end),
                                            tstzrange(m.period_start, m.period_end) * tstzrange(first, greatest(first, behind))), NULL
            FROM charge c,
                 tokenomics.periods('month', in_zone, greatest(c.charge_period_start, first), least(c.charge_period_end, behind)) m
            WHERE c.charge_category = 'Usage' AND c.charge_period_start < behind AND c.charge_period_end > first
        ), grouped AS (
            SELECT (a.period AT TIME ZONE in_zone)::date AS month, CASE WHEN grouping(a.model) = 1 THEN 'provider' ELSE 'model' END AS scope,
                   a.provider, a.model, a.currency, sum(a.computed) AS computed, sum(a.computed_of_billed) AS computed_of_billed, sum(a.billed) AS billed, sum(a.invoiced) AS invoiced,
                   sum(a.unpriced)::bigint AS unpriced
            FROM amount a GROUP BY GROUPING SETS ((1, 3, 5), (1, 3, 4, 5))
        )
        SELECT g.month, g.scope, g.provider, g.model, g.currency, g.computed, g.billed, g.invoiced,
               coalesce(g.invoiced, g.billed) - c.compared, tokenomics.growth_rate(coalesce(g.invoiced, g.billed), c.compared), g.unpriced
        FROM grouped g, LATERAL (SELECT coalesce(CASE WHEN g.invoiced IS NULL THEN g.computed_of_billed ELSE g.computed END, 0) AS compared) c
        WHERE (g.scope = 'provider' OR g.model IS NOT NULL)
          AND (g.computed IS NOT NULL OR g.billed IS NOT NULL OR g.invoiced IS NOT NULL OR g.unpriced > 0)
        ORDER BY g.month, g.provider, g.scope DESC, g.model, g.currency;
    END
    $$;
    COMMENT ON FUNCTION reconciliation_between(timestamptz, timestamptz, text) IS
        'the rows of reconciliation from from_at up to, not including, to_at, by the months of the zone; NULL: no limit, and UTC, by which vendors bill';
    CREATE OR REPLACE VIEW reconciliation WITH (security_invoker = true) AS SELECT * FROM reconciliation_between();
    COMMENT ON VIEW reconciliation IS
        'tokenomics: what we computed against what the vendor says, by month (of UTC, by which vendors bill), provider and model, and in total for the provider';
    COMMENT ON COLUMN reconciliation.month IS 'first day of the month, in UTC';
    COMMENT ON COLUMN reconciliation.scope IS 'model, or provider: all models of it, and charges that name none';
    COMMENT ON COLUMN reconciliation.provider IS 'who charges it';
    COMMENT ON COLUMN reconciliation.model IS 'the model; NULL in total';
    COMMENT ON COLUMN reconciliation.currency IS 'currency of the amounts; NULL where calls have no price';
    COMMENT ON COLUMN reconciliation.computed IS 'cost of the calls by the book in force';
    COMMENT ON COLUMN reconciliation.billed IS 'what the calls themselves say they were billed (usage.billed)';
    COMMENT ON COLUMN reconciliation.invoiced IS 'what charges of category Usage say, spread over their periods';
    COMMENT ON COLUMN reconciliation.residual IS 'invoiced less computed; else billed less what is computed of the calls that state it: what we cannot explain';
    COMMENT ON COLUMN reconciliation.residual_rate IS 'residual, as a fraction of what it was compared with';
    COMMENT ON COLUMN reconciliation.unpriced_tokens IS 'tokens of calls without a price: a residual that is our fault';
END
$install$;
COMMENT ON PROCEDURE install_trends() IS 'part of install(): the views of what was spent, in the first schema of search_path';

CREATE PROCEDURE uninstall_trends() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS reconciliation, unpriced_usage, spend_by_owner, daily_spend, total_spend_trend, unit_price_trend, cost_per_token;
    DROP FUNCTION IF EXISTS
        reconciliation_between(timestamptz, timestamptz, text),
        unpriced_usage_between(timestamptz, timestamptz, text),
        spend_by_owner_between(timestamptz, timestamptz, text),
        daily_spend_between(timestamptz, timestamptz, text),
        total_spend_trend_between(timestamptz, timestamptz, text),
        unit_price_trend_between(timestamptz, timestamptz, text),
        index_trend(tokenomics.ledger, timestamptz, timestamptz, text),
        cost_per_token_between(timestamptz, timestamptz, text),
        convert_currency(numeric, text, text, date, text),
        exchange_rate(text, text, date, text),
        spend_lines(text, timestamptz, timestamptz, text, text),
        spend_lines_of(text, timestamptz, timestamptz, text, text, timestamptz[], tokenomics.ledger[]),
        spend_parts(text, timestamptz, timestamptz, text, text),
        usage_ledger(text, timestamptz, timestamptz, text, text);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_trends() IS 'part of uninstall(): drops what install_trends() made';
-- The log of price changes, and what each did to the bill.

-- Makes the view and its function in the schema that comes first in
-- search_path; called by install().
CREATE PROCEDURE install_price_change() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION price_change_log_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        changed_at timestamptz,
        month date,
        change text,
        recorded_at timestamptz,
        recorded_by text,
        reason text,
        source text,
        book text,
        provider text,
        model text,
        service_tier text,
        above_input_tokens bigint,
        off_peak boolean,
        meter text,
        currency text,
        old_rate numeric,
        new_rate numeric,
        rate_growth numeric,
        counted_from timestamptz,
        counted_to timestamptz,
        tokens numeric,
        effect numeric,
        note text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
        in_zone text := coalesce(price_change_log_between.zone, (SELECT s.zone FROM setting s));
    BEGIN
        RETURN QUERY
        WITH key AS MATERIALIZED (
            SELECT p.*, lag(p.rates) OVER w AS old_rates, lag(upper(p.valid)) OVER w AS old_end
            FROM price p WHERE upper_inf(p.recorded)
            WINDOW w AS (PARTITION BY p.book, p.provider, p.model, p.service_tier, p.above_input_tokens, p.off_peak ORDER BY lower(p.valid) NULLS FIRST)
        ), changed AS MATERIALIZED (
            -- the vendor asks for another price from some time on: counted to the end of its month
            SELECT 'price' AS change, lower(k.valid) AS changed_at, k.old_rates, k.rates, r.recorded, r.recorded_by, r.reason, r.source,
                   k.book, k.provider, k.model, k.service_tier, k.above_input_tokens, k.off_peak, k.tier_mode,
                   lower(k.valid) AS counted_from,
                   least(tokenomics.period_end('month', in_zone, lower(k.valid)), behind) AS counted_to, k.old_end
            FROM key k,
                 -- when this was first known: a correction of other times records it anew
                 LATERAL (SELECT p.recorded, p.recorded_by, p.reason, p.source FROM price p
                          WHERE p.book = k.book AND p.provider = k.provider AND p.model = k.model AND p.service_tier = k.service_tier
                            AND p.above_input_tokens = k.above_input_tokens AND p.off_peak = k.off_peak
                            AND lower(p.valid) = lower(k.valid) AND tokenomics.rates_eq(p.rates, k.rates)
                          ORDER BY lower(p.recorded) LIMIT 1) r
            WHERE tokenomics.rates_ne(k.old_rates, k.rates) AND lower(k.valid) >= first AND lower(k.valid) < behind AND isfinite(lower(k.valid))
            UNION ALL
            -- what was recorded was wrong: counted over all the time that it was wrong about
            SELECT 'correction', coalesce(lower(o.valid * n.valid), '-infinity'), o.rates, n.rates, n.recorded, n.recorded_by, n.reason, n.source,
                   n.book, n.provider, n.model, n.service_tier, n.above_input_tokens, n.off_peak, n.tier_mode,
                   greatest(coalesce(lower(o.valid * n.valid), '-infinity'), first),
                   least(coalesce(upper(o.valid * n.valid), 'infinity'), behind), NULL
            FROM price o JOIN price n
                ON n.book = o.book AND n.provider = o.provider AND n.model = o.model AND n.service_tier = o.service_tier
               AND n.above_input_tokens = o.above_input_tokens AND n.off_peak = o.off_peak
               AND lower(n.recorded) = upper(o.recorded) AND n.valid && o.valid AND tokenomics.rates_ne(n.rates, o.rates)
            WHERE o.valid * n.valid && tstzrange(first, greatest(first, behind))
              -- that a new price begins is a change of the price, which is listed above
              AND NOT EXISTS (SELECT FROM key k WHERE k.book = n.book AND k.provider = n.provider AND k.model = n.model AND k.service_tier = n.service_tier
                              AND k.above_input_tokens = n.above_input_tokens AND k.off_peak = n.off_peak
                              AND k.valid = n.valid AND tokenomics.rates_eq(k.rates, n.rates) AND tokenomics.rates_eq(k.old_rates, o.rates) AND k.old_end = lower(n.valid))
        ), span AS MATERIALIZED (
            SELECT s.counted_from, s.counted_to, usage_ledger('month', s.counted_from, s.counted_to, in_zone) AS counted
            FROM (SELECT DISTINCT c.counted_from, c.counted_to FROM changed c WHERE c.counted_from < c.counted_to) s
        ), used AS MATERIALIZED (
            SELECT s.counted_from, s.counted_to, l.provider, l.model, l.service_tier, l.above_input_tokens, l.off_peak, l.currency, l.meter, sum(l.tokens) AS tokens,
                   min(l.period) AS period
            FROM span s, tokenomics.meter_lines(s.counted) l
            WHERE l.currency IS NOT NULL
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
        ), counted AS MATERIALIZED (
            -- under which names the calls of a span found their price
            SELECT u.counted_from, u.counted_to, e.book, e.provider AS by_provider, e.model AS by_model, e.service_tier AS by_tier, u.above_input_tokens, u.off_peak, u.currency, u.meter, sum(u.tokens) AS tokens
            FROM used u,
                 LATERAL tokenomics.explain_cost((SELECT book()), u.provider, u.model, greatest(u.period, u.counted_from),
                                                 tokenomics.tokens(CASE WHEN u.above_input_tokens > 0 THEN jsonb_build_object('input', u.above_input_tokens + 1) ELSE '{}' END
                                                                   || CASE WHEN u.above_input_tokens > 0 AND u.meter = 'input' THEN '{}' ELSE jsonb_build_object(u.meter, 1) END), u.service_tier) e
            WHERE e.priced_by = 'contracted' AND e.meter = u.meter
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
        ), listed AS (
            SELECT c.*, m.meter, m.is_named, tokenomics.effective_rate(c.old_rates, m.meter) AS old_rate, tokenomics.effective_rate(c.rates, m.meter) AS new_rate,
                   tokenomics.currency(c.old_rates) AS old_currency, tokenomics.currency(c.rates) AS new_currency
            FROM changed c,
                 LATERAL (SELECT n.meter, bool_or(n.is_named) AS is_named
                          FROM (SELECT jsonb_object_keys(c.old_rates::jsonb || c.rates::jsonb) AS meter, true AS is_named
                                UNION ALL SELECT DISTINCT t.meter, false FROM counted t) n
                          WHERE n.meter <> 'currency' GROUP BY n.meter) m
        )
        -- no client knows what to do with a time that is infinite
        SELECT nullif(l.changed_at, '-infinity'), (l.changed_at AT TIME ZONE in_zone)::date - (extract(day FROM l.changed_at AT TIME ZONE in_zone)::integer - 1), l.change,
               lower(l.recorded), l.recorded_by, l.reason, l.source, l.book, l.provider, l.model, l.service_tier, l.above_input_tokens, NOT isempty(l.off_peak),
               l.meter, l.new_currency, l.old_rate, l.new_rate,
               CASE WHEN l.old_currency = l.new_currency THEN tokenomics.growth_rate(l.new_rate, l.old_rate) END,
               nullif(l.counted_from, '-infinity'), nullif(l.counted_to, 'infinity'), coalesce(t.tokens, 0),
               CASE WHEN w.why IS NULL THEN trim_scale((l.new_rate - l.old_rate) * coalesce(t.tokens, 0) * 0.000001) END, w.why
        FROM listed l
        LEFT JOIN counted t ON t.counted_from = l.counted_from AND t.counted_to = l.counted_to AND t.book = l.book AND t.by_provider = l.provider
            AND t.by_model = l.model AND t.by_tier = l.service_tier AND t.above_input_tokens = l.above_input_tokens
            AND t.off_peak = (NOT isempty(l.off_peak)) AND t.currency = l.new_currency AND t.meter = l.meter,
             LATERAL (SELECT CASE
                 WHEN l.old_currency <> l.new_currency THEN 'was in ' || l.old_currency
                 WHEN l.old_rate IS NULL THEN 'had no rate'
                 WHEN l.new_rate IS NULL THEN 'has no rate any more'
                 WHEN l.tier_mode = 'graduated' THEN 'slices of a call are at several rates'
                 WHEN NOT isempty(l.off_peak) AND EXISTS (SELECT FROM price o WHERE o.book = l.book AND o.provider = l.provider AND o.model = l.model
                     AND o.service_tier = l.service_tier AND o.above_input_tokens = l.above_input_tokens AND upper_inf(o.recorded)
                     AND NOT isempty(o.off_peak) AND o.off_peak <> l.off_peak) THEN 'there are several off-peak windows' END AS why) w
        WHERE (l.is_named OR t.tokens > 0) AND (l.old_rate IS DISTINCT FROM l.new_rate OR l.old_currency <> l.new_currency)
        ORDER BY l.changed_at, l.change DESC, lower(l.recorded), l.book, l.provider, l.model, l.service_tier, l.above_input_tokens, l.off_peak, l.meter;
    END
    $$;
    COMMENT ON FUNCTION price_change_log_between(timestamptz, timestamptz, text) IS
        'the rows of price_change_log of changes from from_at up to, not including, to_at, and of calls of that time, by the months of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW price_change_log WITH (security_invoker = true) AS SELECT * FROM price_change_log_between();
    COMMENT ON VIEW price_change_log IS 'tokenomics: which rates changed, when, and what that did to the bill, by meter';
    COMMENT ON COLUMN price_change_log.changed_at IS 'from when on the new rate is charged; NULL: always';
    COMMENT ON COLUMN price_change_log.month IS 'its month, in the reporting zone';
    COMMENT ON COLUMN price_change_log.change IS 'price: the provider charges another one; correction: what was recorded was wrong';
    COMMENT ON COLUMN price_change_log.recorded_at IS 'when it was recorded';
    COMMENT ON COLUMN price_change_log.recorded_by IS 'by whom';
    COMMENT ON COLUMN price_change_log.reason IS 'why';
    COMMENT ON COLUMN price_change_log.source IS 'where the new rate is from';
    COMMENT ON COLUMN price_change_log.book IS 'price list or contract';
    COMMENT ON COLUMN price_change_log.provider IS 'who charges it';
    COMMENT ON COLUMN price_change_log.model IS 'model, as the price names it';
    COMMENT ON COLUMN price_change_log.service_tier IS 'service tier';
    COMMENT ON COLUMN price_change_log.above_input_tokens IS 'threshold of the price';
    COMMENT ON COLUMN price_change_log.off_peak IS 'whether it is that of an off-peak window';
    COMMENT ON COLUMN price_change_log.meter IS 'meter; those priced by another meter''s rate where they were used';
    COMMENT ON COLUMN price_change_log.currency IS 'currency of new_rate and effect';
    COMMENT ON COLUMN price_change_log.old_rate IS 'price of a million before; NULL: there was none';
    COMMENT ON COLUMN price_change_log.new_rate IS 'price of a million after; NULL: there is none';
    COMMENT ON COLUMN price_change_log.rate_growth IS 'growth of the rate, a fraction';
    COMMENT ON COLUMN price_change_log.counted_from IS 'from when on tokens are counted; NULL: from the first';
    COMMENT ON COLUMN price_change_log.counted_to IS 'until when: the end of the month; of a correction, of the time that was wrong; NULL: to the last';
    COMMENT ON COLUMN price_change_log.tokens IS 'tokens priced by it from then until then, by the book of "setting"';
    COMMENT ON COLUMN price_change_log.effect IS '(new_rate - old_rate) * tokens / 1000000: what the change did to the bill of that time, exact; NULL where note says why';
    COMMENT ON COLUMN price_change_log.note IS 'why there is no effect to be told';
END
$install$;
COMMENT ON PROCEDURE install_price_change() IS 'part of install(): the log of price changes, in the first schema of search_path';

CREATE PROCEDURE uninstall_price_change() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS price_change_log;
    DROP FUNCTION IF EXISTS price_change_log_between(timestamptz, timestamptz, text);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_price_change() IS 'part of uninstall(): drops what install_price_change() made';
-- The FinOps Open Cost and Usage Specification (FOCUS 1.2) of all that was spent.
--
-- A row for each day, price and meter; purchases by the day and the calls that
-- they carry, with what is left unused, beside a row for each purchase itself,
-- which costs nothing effectively, so that nothing is counted twice.

-- Makes the view and its function in the schema that comes first in
-- search_path; called by install().
CREATE PROCEDURE install_focus() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION focus_export_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        "BillingAccountId" text,
        "BillingAccountName" text,
        "BillingCurrency" text,
        "BillingPeriodStart" timestamptz,
        "BillingPeriodEnd" timestamptz,
        "ChargePeriodStart" timestamptz,
        "ChargePeriodEnd" timestamptz,
        "ChargeCategory" text,
        "ChargeClass" text,
        "ChargeDescription" text,
        "ChargeFrequency" text,
        "BilledCost" numeric,
        "EffectiveCost" numeric,
        "ListCost" numeric,
        "ContractedCost" numeric,
        "ListUnitPrice" numeric,
        "ContractedUnitPrice" numeric,
        "PricingCategory" text,
        "PricingQuantity" numeric,
        "PricingUnit" text,
        "ConsumedQuantity" numeric,
        "ConsumedUnit" text,
        "ProviderName" text,
        "PublisherName" text,
        "InvoiceIssuerName" text,
        "ServiceCategory" text,
        "ServiceSubcategory" text,
        "ServiceName" text,
        "ResourceId" text,
        "ResourceName" text,
        "ResourceType" text,
        "SkuId" text,
        "SkuMeter" text,
        "SkuPriceId" text,
        "SkuPriceDetails" jsonb,
        "CommitmentDiscountId" text,
        "CommitmentDiscountName" text,
        "CommitmentDiscountCategory" text,
        "CommitmentDiscountType" text,
        "CommitmentDiscountStatus" text,
        "CommitmentDiscountQuantity" numeric,
        "CommitmentDiscountUnit" text,
        "Tags" jsonb,
        "x_Model" text,
        "x_ServiceTier" text,
        "x_InvoiceId" text
    )
        -- the few lines that there are look like many, and compiling takes longer
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
        in_zone text := coalesce(focus_export_between.zone, (SELECT s.zone FROM setting s));
    BEGIN
        RETURN QUERY
        WITH line AS MATERIALIZED (
            SELECT l.* FROM spend_lines('day', from_at, to_at, in_zone, 'team') l
        ), item AS (
            -- calls with a price of their own, by meter
            SELECT l.currency, greatest(l.period, first) AS starts, least(tokenomics.period_end('day', in_zone, l.period), behind) AS ends,
                   'Usage' AS category, l.cost AS billed, l.cost AS effective, coalesce(CASE WHEN l.list_currency = l.currency THEN l.list_cost END, l.cost) AS listed,
                   l.cost AS contracted, l.tokens::numeric AS quantity,
                   CASE l.meter WHEN 'tool_calls' THEN 'Calls' WHEN 'cache_storage' THEN 'Token-Hours' ELSE 'Tokens' END AS unit,
                   l.provider, l.model, l.service_tier, l.meter, l.above_input_tokens AS above, l.off_peak,
                   NULL AS commitment, NULL AS status, jsonb_build_object('team', l.label) AS tags, NULL AS invoice
            FROM tokenomics.meter_lines(usage_ledger('day', from_at, to_at, in_zone, 'team')) l
            WHERE l.cost IS NOT NULL AND l.tokens > 0
            UNION ALL
            -- calls that a purchase carries, with their share of it; and what it left idle.
            -- Tokens that have a price of their own too are counted above.
            SELECT l.currency, greatest(l.period, first), least(tokenomics.period_end('day', in_zone, l.period), behind),
                   'Usage', 0, sum(l.effective_cost), 0, 0,
                   CASE WHEN l.model = 'idle' THEN 0 ELSE coalesce(sum(tokenomics.total(l.tokens)), 0) END, 'Tokens',
                   l.provider, CASE WHEN l.model <> 'idle' THEN l.model END, l.service_tier, NULL, NULL, NULL,
                   l.provider || '/' || coalesce(l.service_tier, 'purchase'), CASE WHEN l.model = 'idle' THEN 'Unused' ELSE 'Used' END, jsonb_build_object('team', l.label), NULL
            FROM line l
            WHERE l.currency IS NOT NULL AND (l.charge_category = 'Purchase' OR l.charge_category = 'Usage' AND l.contracted_cost IS NULL)
            GROUP BY l.currency, l.period, l.provider, l.model, l.service_tier, l.label
            UNION ALL
            SELECT c.currency, c.charge_period_start, c.charge_period_end, 'Purchase', c.billed_cost, 0, c.billed_cost, c.billed_cost, 1, 'Units',
                   c.provider, NULL, c.sku, NULL, NULL, NULL, c.provider || '/' || coalesce(c.sku, 'purchase'), NULL, c.scope, c.invoice_id
            FROM charge c
            WHERE c.charge_category = 'Purchase' AND c.charge_period_start >= first AND c.charge_period_start < behind
            UNION ALL
            SELECT l.currency, greatest(l.period, first), least(tokenomics.period_end('day', in_zone, l.period), behind),
                   l.charge_category, l.effective_cost, l.effective_cost, l.effective_cost, l.effective_cost, NULL, NULL,
                   l.provider, NULL, l.service_tier, NULL, NULL, NULL, NULL, NULL, jsonb_build_object('team', l.label), NULL
            FROM line l WHERE l.charge_category NOT IN ('Usage', 'Purchase')
        )
        SELECT i.provider, i.provider, i.currency,
               tokenomics.period_start('month', in_zone, i.starts), tokenomics.period_end('month', in_zone, i.starts), i.starts, i.ends,
               i.category, NULL::text,
               concat_ws(' ', i.provider, i.model, CASE WHEN i.service_tier <> 'standard' THEN i.service_tier END,
                         CASE WHEN i.status = 'Unused' THEN 'unused capacity' WHEN i.status = 'Used' THEN 'tokens by prepaid capacity'
                              WHEN i.category = 'Purchase' THEN 'prepaid capacity' WHEN i.category = 'Usage' THEN m.words ELSE lower(i.category) END,
                         CASE WHEN i.above > 0 THEN 'above ' || i.above || ' input tokens' END, CASE WHEN i.off_peak THEN 'off-peak' END),
               CASE i.category WHEN 'Usage' THEN 'Usage-Based' ELSE 'One-Time' END,
               i.billed, i.effective, i.listed, i.contracted, p.list_price, p.contracted_price,
               CASE WHEN i.status IS NOT NULL THEN 'Committed' WHEN p.is_priced THEN 'Standard' END,
               p.quantity, CASE WHEN i.category = 'Purchase' THEN i.unit WHEN p.is_priced THEN '1000000 ' || i.unit END,
               CASE WHEN p.is_used THEN i.quantity END, CASE WHEN p.is_used THEN i.unit END,
               i.provider, i.provider, i.provider, 'AI and Machine Learning', 'Generative AI', i.provider,
               CASE WHEN i.status = 'Used' THEN i.provider || '/' || i.model ELSE i.commitment END,
               CASE WHEN i.status = 'Used' THEN i.model WHEN i.commitment IS NOT NULL THEN coalesce(i.service_tier, 'purchase') END,
               CASE WHEN i.status = 'Used' THEN 'Model' WHEN i.commitment IS NOT NULL THEN 'Prepaid Capacity' END,
               k.sku, CASE WHEN i.commitment IS NOT NULL THEN 'Prepaid Capacity' WHEN p.is_priced THEN initcap(m.words) END,
               CASE WHEN i.meter IS NULL THEN k.sku ELSE concat_ws('/', k.sku, i.service_tier, CASE WHEN i.above > 0 THEN '>' || i.above END, CASE WHEN i.off_peak THEN 'off-peak' END) END,
               CASE WHEN i.meter IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object('x_Meter', i.meter, 'x_ServiceTier', i.service_tier, 'x_AboveInputTokens', i.above, 'x_OffPeak', i.off_peak))
                    WHEN i.commitment IS NOT NULL THEN jsonb_build_object('x_ServiceTier', i.service_tier) END,
               i.commitment, CASE WHEN i.commitment IS NOT NULL THEN coalesce(i.service_tier, 'purchase') END,
               CASE WHEN i.commitment IS NOT NULL THEN 'Spend' END, CASE WHEN i.commitment IS NOT NULL THEN 'Prepaid Capacity' END, i.status,
               CASE WHEN i.category = 'Purchase' THEN i.billed WHEN i.commitment IS NOT NULL THEN i.effective END, CASE WHEN i.commitment IS NOT NULL THEN i.currency END,
               jsonb_strip_nulls(coalesce(i.tags, '{}')), i.model, i.service_tier, i.invoice
        FROM item i,
             LATERAL (SELECT CASE i.meter WHEN 'tool_calls' THEN 'tool calls' WHEN 'cache_storage' THEN 'cache storage'
                                          ELSE replace(i.meter, '_', ' ') || ' tokens' END AS words) m,
             LATERAL (SELECT i.category = 'Usage' OR i.category = 'Purchase' AS is_priced, i.category = 'Usage' AND i.status IS DISTINCT FROM 'Unused' AS is_used,
                             CASE i.category WHEN 'Usage' THEN trim_scale(i.quantity * 0.000001) WHEN 'Purchase' THEN i.quantity END AS quantity,
                             CASE WHEN i.commitment IS NULL THEN tokenomics.cost_per_mtok(i.listed, i.quantity) WHEN i.status IS NULL THEN i.listed ELSE 0 END AS list_price,
                             CASE WHEN i.commitment IS NULL THEN tokenomics.cost_per_mtok(i.contracted, i.quantity) WHEN i.status IS NULL THEN i.contracted ELSE 0 END AS contracted_price) p,
             LATERAL (SELECT CASE WHEN i.meter IS NOT NULL THEN concat_ws('/', i.provider, i.model, i.meter) WHEN i.status = 'Used' THEN concat_ws('/', i.provider, i.service_tier, i.model)
                                  ELSE i.commitment END AS sku) k
        ORDER BY i.starts, i.provider, i.category, i.model, i.service_tier, i.meter, i.above, i.off_peak, i.currency, i.tags ->> 'team', i.status;
    END
    $$;
    COMMENT ON FUNCTION focus_export_between(timestamptz, timestamptz, text) IS
        'the rows of focus_export of what was spent from from_at up to, not including, to_at, by the days and months of the zone (UTC is what most vendors bill by); NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW focus_export WITH (security_invoker = true) AS SELECT * FROM focus_export_between();
    COMMENT ON VIEW focus_export IS
        'tokenomics: all that was spent, by day, price and meter, in the columns of FinOps FOCUS 1.2; calls without a price have no cost and are not in it, but in unpriced_usage';
    COMMENT ON COLUMN focus_export."BillingAccountId" IS 'the account that is billed; none is recorded, so it is the provider';
    COMMENT ON COLUMN focus_export."BillingAccountName" IS 'its name: the provider';
    COMMENT ON COLUMN focus_export."BillingCurrency" IS 'currency of all amounts of the row';
    COMMENT ON COLUMN focus_export."BillingPeriodStart" IS 'when the month of the charge begins';
    COMMENT ON COLUMN focus_export."BillingPeriodEnd" IS 'when it ends, itself not included';
    COMMENT ON COLUMN focus_export."ChargePeriodStart" IS 'when what is charged begins: a day, of a Purchase its term';
    COMMENT ON COLUMN focus_export."ChargePeriodEnd" IS 'when it ends, itself not included';
    COMMENT ON COLUMN focus_export."ChargeCategory" IS 'Usage, Purchase, Credit, Adjustment or Tax';
    COMMENT ON COLUMN focus_export."ChargeClass" IS 'NULL: corrections of invoiced periods are not told apart';
    COMMENT ON COLUMN focus_export."ChargeDescription" IS 'what it is for, in words';
    COMMENT ON COLUMN focus_export."ChargeFrequency" IS 'Usage-Based for Usage, else One-Time';
    COMMENT ON COLUMN focus_export."BilledCost" IS 'what is to be paid for the row; 0 for usage that a Purchase covers';
    COMMENT ON COLUMN focus_export."EffectiveCost" IS 'what it costs with purchases spread over their usage: 0 for the Purchase itself; adds up to total_spend_trend';
    COMMENT ON COLUMN focus_export."ListCost" IS 'cost by the list price; by the contract where there is no list price';
    COMMENT ON COLUMN focus_export."ContractedCost" IS 'cost by the book in force';
    COMMENT ON COLUMN focus_export."ListUnitPrice" IS 'ListCost by PricingUnit; NULL for Credit, Adjustment and Tax';
    COMMENT ON COLUMN focus_export."ContractedUnitPrice" IS 'ContractedCost by PricingUnit; NULL for Credit, Adjustment and Tax';
    COMMENT ON COLUMN focus_export."PricingCategory" IS 'Standard, or Committed where a Purchase covers it; NULL for Credit, Adjustment and Tax';
    COMMENT ON COLUMN focus_export."PricingQuantity" IS 'how many PricingUnits';
    COMMENT ON COLUMN focus_export."PricingUnit" IS '1000000 Tokens, 1000000 Calls (of tools), 1000000 Token-Hours, or Units of a Purchase';
    COMMENT ON COLUMN focus_export."ConsumedQuantity" IS 'how much was used; NULL for all but Usage, and for what was left unused';
    COMMENT ON COLUMN focus_export."ConsumedUnit" IS 'Tokens, Calls or Token-Hours';
    COMMENT ON COLUMN focus_export."ProviderName" IS 'who provides it';
    COMMENT ON COLUMN focus_export."PublisherName" IS 'who makes it: the provider, as far as is known';
    COMMENT ON COLUMN focus_export."InvoiceIssuerName" IS 'who invoices it: the provider';
    COMMENT ON COLUMN focus_export."ServiceCategory" IS 'AI and Machine Learning';
    COMMENT ON COLUMN focus_export."ServiceSubcategory" IS 'Generative AI';
    COMMENT ON COLUMN focus_export."ServiceName" IS 'the service: the provider';
    COMMENT ON COLUMN focus_export."ResourceId" IS 'the purchase, or of usage that it covers the model; else NULL';
    COMMENT ON COLUMN focus_export."ResourceName" IS 'name of the same';
    COMMENT ON COLUMN focus_export."ResourceType" IS 'Prepaid Capacity or Model; NULL with ResourceId';
    COMMENT ON COLUMN focus_export."SkuId" IS 'provider/model/meter, of purchases provider/service tier; NULL for Credit, Adjustment and Tax';
    COMMENT ON COLUMN focus_export."SkuMeter" IS 'what is metered, as in Cache Read Tokens';
    COMMENT ON COLUMN focus_export."SkuPriceId" IS 'SkuId and what sets its price apart: service tier, threshold, off-peak';
    COMMENT ON COLUMN focus_export."SkuPriceDetails" IS 'the same as keys: x_Meter, x_ServiceTier, x_AboveInputTokens, x_OffPeak';
    COMMENT ON COLUMN focus_export."CommitmentDiscountId" IS 'the purchase that covers it, provider/service tier; else NULL';
    COMMENT ON COLUMN focus_export."CommitmentDiscountName" IS 'its service tier';
    COMMENT ON COLUMN focus_export."CommitmentDiscountCategory" IS 'Spend: an amount paid in advance';
    COMMENT ON COLUMN focus_export."CommitmentDiscountType" IS 'Prepaid Capacity';
    COMMENT ON COLUMN focus_export."CommitmentDiscountStatus" IS 'Used or Unused, for Usage that a Purchase covers';
    COMMENT ON COLUMN focus_export."CommitmentDiscountQuantity" IS 'what of it was bought, used or left, in CommitmentDiscountUnit';
    COMMENT ON COLUMN focus_export."CommitmentDiscountUnit" IS 'the currency';
    COMMENT ON COLUMN focus_export."Tags" IS 'whom it is for: {"team": ...}, of purchases their scope';
    COMMENT ON COLUMN focus_export."x_Model" IS 'model, as the calls name it; NULL for what is not a call';
    COMMENT ON COLUMN focus_export."x_ServiceTier" IS 'service tier of the calls; of other charges their sku';
    COMMENT ON COLUMN focus_export."x_InvoiceId" IS 'invoice of a Purchase; not InvoiceId, because the invoice has rows without it';
END
$install$;
COMMENT ON PROCEDURE install_focus() IS 'part of install(): the export in FinOps FOCUS, in the first schema of search_path';

CREATE PROCEDURE uninstall_focus() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS focus_export;
    DROP FUNCTION IF EXISTS focus_export_between(timestamptz, timestamptz, text);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_focus() IS 'part of uninstall(): drops what install_focus() made';
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
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off SET max_parallel_workers_per_gather = 0
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(usage_counts.zone, (SELECT s.zone FROM setting s));
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := least(to_at, now());
        of_call text := '';
        months timestamptz[];
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
            -- an array holds its elements, a string itself; those of the turn counts() looks at
            IF entry.key IN ('team', 'project', 'user_id', 'session_id') THEN
                CONTINUE;
            ELSIF entry.key = 'tags' THEN
                of_call := of_call || format(' AND coalesce(u.tags @> %L, false)', entry.value);
            ELSE
                of_call := of_call || format(' AND (%L::jsonb) @> coalesce(to_jsonb(%s), ''null'')', entry.value,
                                             CASE entry.key WHEN 'service_tier' THEN 'coalesce(u.service_tier, ''standard'')' ELSE format('u.%I', entry.key) END);
            END IF;
        END LOOP;

        -- where the limits are wide, only months that have calls
        IF isfinite(first) AND behind - first < interval '800 days' THEN
            SELECT array_agg(p.period_start) INTO months FROM tokenomics.periods('month', in_zone, first, behind) p;
        ELSE
            SELECT array_agg(DISTINCT tokenomics.period_start('month', in_zone, u.at)) INTO months FROM usage u WHERE u.at >= first AND u.at < behind;
        END IF;

        -- A turn is of the session, the user, the team and the project of its
        -- first call: a sub-agent with a session of its own opens none.  It may
        -- have begun before the month, where a week is looked back.  A month at a
        -- time: its turns must fit in memory.
        RETURN QUERY EXECUTE format($query$
            SELECT (c.month AT TIME ZONE $1)::date, (m.month_end AT TIME ZONE $1)::date - (c.month AT TIME ZONE $1)::date, c.scope, c.owner,
                   c.users, c.sessions, c.turns, c.calls, c.calls_without_tokens, c.mix, c.cacheable_tokens, c.total_tokens, c.peak_hour_tokens,
                   extract(epoch FROM m.month_end - c.month)::bigint
            FROM (SELECT p.month, tokenomics.period_end('month', $1, p.month) AS month_end
                  FROM unnest($2) p(month)) m,
                 LATERAL (SELECT tokenomics.turn_tally($1, u.at, u.tokens, CASE WHEN u.calls = 1 AND u.user_id IS NOT NULL AND u.session_id IS NOT NULL THEN u.turn_id END,
                                                       u.session_id, u.user_id, u.team, u.project, u.request_id, u.at >= m.month%s) AS tally
                          FROM usage u WHERE u.at >= m.month - interval '7 days' AND u.at < m.month_end) t,
                 LATERAL tokenomics.counts(t.tally, $3, $4) c
            ORDER BY c.month, c.scope DESC, c.owner$query$, of_call)
        USING in_zone, months, slice, by_owner;
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
        usage_counts(timestamptz, timestamptz, text, jsonb, boolean);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_factors() IS 'part of uninstall(): drops what install_factors() made';
-- The bill of an install from one time to another: why it grew, what it would be
-- at other prices, and where it buys nothing.
--
-- bill_contributions() says what each group of calls and charges did to the bill,
-- of calls by tokenomics.bill_contributions(), and all else adds that up.

-- Makes the views and functions in the schema that comes first in search_path;
-- called by install().
CREATE PROCEDURE install_growth() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION bill_contributions(
        spans tstzrange[],
        by_month boolean,
        distances integer[],
        zone text,
        dimension text DEFAULT NULL,
        in_currency text DEFAULT NULL,
        group_by text[] DEFAULT '{}'
    ) RETURNS TABLE (
        distance integer,
        n integer,
        charge_category text,
        provider text,
        model text,
        service_tier text,
        meter text,
        label text,
        currency text,
        tokens_0 bigint,
        tokens_1 bigint,
        spend_0 numeric,
        spend_1 numeric,
        price_effect numeric,
        volume_effect numeric,
        mix_effect numeric,
        new_effect numeric,
        discontinued_effect numeric,
        currency_effect numeric,
        purchase_effect numeric,
        other_effect numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        keys text[] := ARRAY(SELECT g FROM unnest(group_by) g WHERE g IN ('provider', 'model', 'service_tier', 'meter')) || CASE WHEN dimension IS NOT NULL THEN '{label}'::text[] END;
    BEGIN
        RETURN QUERY
        WITH part AS MATERIALIZED (
            SELECT s.n::integer AS n, s.span, p.cuts, p.ledgers, p.counted
            FROM unnest(spans) WITH ORDINALITY s(span, n), LATERAL spend_parts('month', lower(s.span), upper(s.span), bill_contributions.zone, dimension) p
            WHERE NOT isempty(s.span)
        ), read AS MATERIALIZED (
            -- charges, and calls without a price; of those with one what there is
            SELECT CASE WHEN by_month THEN (extract(year FROM m.month) * 12 + extract(month FROM m.month))::integer - 1 ELSE l.span END AS n, m.month, l.*
            FROM (SELECT p.n AS span, l.period, l.charge_category, k.is_priced, CASE WHEN l.unpriced IS NULL THEN l.currency END AS currency,
                         CASE WHEN NOT k.is_priced AND 'provider' = ANY (keys) THEN l.provider END AS provider, CASE WHEN NOT k.is_priced AND 'model' = ANY (keys) THEN l.model END AS model,
                         CASE WHEN NOT k.is_priced AND 'service_tier' = ANY (keys) THEN l.service_tier END AS service_tier, CASE WHEN NOT k.is_priced THEN l.label END AS label,
                         sum(tokenomics.total(l.tokens))::bigint AS tokens, sum(l.effective_cost) AS cost
                  FROM part p, spend_lines_of('month', lower(p.span), upper(p.span), bill_contributions.zone, dimension, p.cuts, p.ledgers) l,
                       LATERAL (SELECT l.charge_category = 'Usage' AND l.unpriced IS NULL AS is_priced) k
                  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) l,
                 LATERAL (SELECT (l.period AT TIME ZONE bill_contributions.zone)::date AS month) m
        ), compared AS MATERIALIZED (
            SELECT CASE WHEN by_month THEN min(r.n) ELSE 1 END AS first, CASE WHEN by_month THEN max(r.n) ELSE cardinality(spans) END AS last FROM read r
        ), rate AS MATERIALIZED (
            SELECT r.*, x.rate, x.is_inverse, bool_and(x.rate IS NOT NULL OR NOT r.is_needed) OVER (PARTITION BY r.currency) AS is_convertible
            FROM (SELECT r.n, r.period, r.month, r.currency, coalesce(sum(r.cost) FILTER (WHERE NOT r.is_priced), 0) AS charged, bool_or(r.cost <> 0) AS is_needed
                  FROM read r WHERE r.currency <> in_currency GROUP BY 1, 2, 3, 4) r
                 LEFT JOIN LATERAL exchange_rate(r.currency, in_currency, r.month, 'month') x ON true
        ), line AS (
            -- amounts of a month and currency add up to what their sum is when converted
            SELECT r.n, r.charge_category, r.provider, r.model, r.service_tier, r.label, coalesce(c.currency, r.currency) AS currency, r.tokens,
                   CASE WHEN c.currency IS NULL THEN r.cost
                        ELSE convert_currency(r.up_to, r.currency, in_currency, r.month, 'month') - convert_currency(r.up_to - r.cost, r.currency, in_currency, r.month, 'month') END AS spend
            FROM (SELECT r.*, sum(r.cost) OVER (PARTITION BY r.n, r.period, r.currency ORDER BY r.charge_category, r.provider, r.model, r.service_tier, r.label ROWS UNBOUNDED PRECEDING) AS up_to
                  FROM read r WHERE NOT r.is_priced) r
                 -- a currency that a month has no rate of stays what it is
                 LEFT JOIN (SELECT DISTINCT r.currency AS own_currency, in_currency AS currency FROM rate r WHERE r.is_convertible) c ON c.own_currency = r.currency
        ), pair AS (
            SELECT d.distance, e.n, l.charge_category, l.provider, l.model, l.service_tier, l.label, l.currency,
                   sum(l.tokens) FILTER (WHERE s.side = 0)::bigint AS tokens_0, sum(l.tokens) FILTER (WHERE s.side = 1)::bigint AS tokens_1,
                   coalesce(sum(l.spend) FILTER (WHERE s.side = 0), 0) AS spend_0, coalesce(sum(l.spend) FILTER (WHERE s.side = 1), 0) AS spend_1
            FROM line l, compared c, unnest(distances) d(distance), unnest('{0,1}'::integer[]) s(side),
                 LATERAL (SELECT l.n + CASE s.side WHEN 0 THEN d.distance ELSE 0 END AS n) e
            WHERE e.n BETWEEN c.first + d.distance AND c.last
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        )
        SELECT c.distance, c.n, 'Usage', c.provider, c.model, c.service_tier, c.meter, c.label, c.currency, c.tokens_0, c.tokens_1, c.spend_0, c.spend_1,
               c.price_effect, c.volume_effect, c.mix_effect, c.new_effect, c.discontinued_effect, c.currency_effect, 0::numeric, 0::numeric
        FROM compared m,
             (SELECT array_agg(p.counted) AS ledgers, coalesce(array_agg(p.n) FILTER (WHERE NOT by_month), '{}') AS numbers FROM part p) p,
             (SELECT coalesce(array_agg(r.n), '{}') AS numbers, coalesce(array_agg(r.period), '{}') AS periods, coalesce(array_agg(r.currency), '{}') AS currencies,
                     coalesce(array_agg(r.rate), '{}') AS rates, coalesce(array_agg(r.is_inverse), '{}') AS are_inverse, coalesce(array_agg(r.charged), '{}') AS charged
              FROM rate r WHERE r.is_convertible) r,
             tokenomics.bill_contributions(p.ledgers, p.numbers, m.first, m.last, distances, keys, coalesce(in_currency, ''), r.numbers, r.periods, r.currencies, r.rates, r.are_inverse, r.charged) c
        UNION ALL
        SELECT p.distance, p.n, p.charge_category, p.provider, p.model, p.service_tier, NULL, p.label, p.currency, NULL, NULL, p.spend_0, p.spend_1, 0, 0, 0, 0, 0, 0,
               CASE WHEN p.charge_category = 'Purchase' THEN p.spend_1 - p.spend_0 ELSE 0 END, CASE WHEN p.charge_category <> 'Purchase' THEN p.spend_1 - p.spend_0 ELSE 0 END
        FROM pair p WHERE p.charge_category <> 'Usage'
        UNION ALL
        SELECT p.distance, p.n, p.charge_category, p.provider, p.model, p.service_tier, NULL, p.label, NULL, p.tokens_0, p.tokens_1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM pair p WHERE p.charge_category = 'Usage';
    END
    $$;
    COMMENT ON FUNCTION bill_contributions(tstzrange[], boolean, integer[], text, text, text, text[]) IS
        'part of bill_bridge() and bill_growth: what calls and charges did to the bill, by some of provider, model, service_tier and meter, and by the label of a dimension; of months that are 1, 12, ... apart (by_month; n: 12 x year + month - 1), or of the spans; calls without a price have tokens and no amounts';

    CREATE OR REPLACE FUNCTION bill_bridge(
        from_0 timestamptz,
        to_0 timestamptz,
        from_1 timestamptz,
        to_1 timestamptz,
        group_by text[] DEFAULT '{}',
        zone text DEFAULT NULL,
        in_currency text DEFAULT NULL
    ) RETURNS TABLE (
        charge_category text,
        provider text,
        model text,
        service_tier text,
        meter text,
        team text,
        project text,
        currency text,
        tokens_0 bigint,
        tokens_1 bigint,
        spend_0 numeric,
        spend_1 numeric,
        change numeric,
        price_effect numeric,
        volume_effect numeric,
        mix_effect numeric,
        new_effect numeric,
        discontinued_effect numeric,
        currency_effect numeric,
        purchase_effect numeric,
        other_effect numeric,
        note text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(bill_bridge.zone, (SELECT s.zone FROM setting s));
        keys text[] := coalesce(bill_bridge.group_by, '{}');
        unknown text := (SELECT g FROM unnest(keys) g WHERE g IS NULL OR g <> ALL ('{charge_category,provider,model,service_tier,meter,team,project}') LIMIT 1);
    BEGIN
        IF unknown IS NOT NULL OR array_position(keys, NULL) IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('a bill cannot be grouped by %s', coalesce('"' || unknown || '"', 'NULL')),
                HINT = 'Group by charge_category, provider, model, service_tier, meter, and team or project.';
        END IF;
        IF keys @> '{team,project}' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'a bill cannot be grouped by team and project at once',
                HINT = 'A ledger has one label: take one of them at a time.';
        END IF;
        IF from_0 IS NULL OR to_0 IS NULL OR from_1 IS NULL OR to_1 IS NULL OR from_0 >= to_0 OR from_1 >= to_1 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'a bridge needs two periods that are not empty',
                HINT = 'As in bill_bridge(''2026-01-01'', ''2026-02-01'', ''2026-02-01'', ''2026-03-01'').';
        END IF;
        RETURN QUERY
        SELECT g.charge_category, g.provider, g.model, g.service_tier, g.meter, g.team, g.project, g.currency, g.tokens_0, g.tokens_1, g.spend_0, g.spend_1, g.spend_1 - g.spend_0,
               g.price_effect, g.volume_effect, g.mix_effect, g.new_effect, g.discontinued_effect, g.currency_effect, g.purchase_effect, g.other_effect,
               nullif(concat_ws('; ',
                   CASE WHEN g.currency IS NULL THEN 'no price' END,
                   CASE WHEN g.currency <> in_currency THEN 'no exchange rate' END,
                   CASE WHEN from_1 <= now() AND to_1 > now() THEN 'the second period is not over' END), '')
        FROM (SELECT CASE WHEN 'charge_category' = ANY (keys) THEN c.charge_category END AS charge_category,
                     CASE WHEN 'provider' = ANY (keys) THEN c.provider END AS provider,
                     CASE WHEN 'model' = ANY (keys) THEN c.model END AS model,
                     CASE WHEN 'service_tier' = ANY (keys) THEN c.service_tier END AS service_tier,
                     CASE WHEN 'meter' = ANY (keys) THEN c.meter END AS meter,
                     CASE WHEN 'team' = ANY (keys) THEN coalesce(c.label, 'unallocated') END AS team,
                     CASE WHEN 'project' = ANY (keys) THEN coalesce(c.label, 'unallocated') END AS project,
                     c.currency,
                     coalesce(sum(c.tokens_0), 0)::bigint AS tokens_0,
                     coalesce(sum(c.tokens_1), 0)::bigint AS tokens_1,
                     trim_scale(sum(c.spend_0)) AS spend_0, trim_scale(sum(c.spend_1)) AS spend_1,
                     trim_scale(sum(c.price_effect)) AS price_effect, trim_scale(sum(c.volume_effect)) AS volume_effect, trim_scale(sum(c.mix_effect)) AS mix_effect,
                     trim_scale(sum(c.new_effect)) AS new_effect, trim_scale(sum(c.discontinued_effect)) AS discontinued_effect, trim_scale(sum(c.currency_effect)) AS currency_effect,
                     trim_scale(sum(c.purchase_effect)) AS purchase_effect, trim_scale(sum(c.other_effect)) AS other_effect
              FROM bill_contributions(ARRAY[tstzrange(from_0, to_0), tstzrange(from_1, to_1)], false, '{1}', in_zone,
                                      CASE WHEN 'team' = ANY (keys) THEN 'team' WHEN 'project' = ANY (keys) THEN 'project' END, in_currency, keys) c
              GROUP BY 1, 2, 3, 4, 5, 6, 7, 8) g
        WHERE g.currency IS NOT NULL OR g.tokens_0 > 0 OR g.tokens_1 > 0
        ORDER BY g.currency, abs(g.spend_1 - g.spend_0) DESC NULLS LAST, g.charge_category, g.provider, g.model, g.service_tier, g.meter, g.team, g.project;
    END
    $$;
    COMMENT ON FUNCTION bill_bridge(timestamptz, timestamptz, timestamptz, timestamptz, text[], text, text) IS
        'why the bill of one period (from_1 up to, not including, to_1) is not that of another (from_0 to to_0): by any of charge_category, provider, model, service_tier, meter, and team or project, what each group contributed to the effects of the whole, which add up exactly to the change; in each currency, or with in_currency in one, by the exchange rates of the months; calls without a price are a line of tokens without currency';

    CREATE OR REPLACE FUNCTION bill_growth_of(
        from_at timestamptz,
        to_at timestamptz,
        zone text,
        dimension text,
        in_currency text
    ) RETURNS TABLE (
        month date,
        comparison text,
        owner text,
        currency text,
        tokens_before bigint,
        tokens bigint,
        unpriced_tokens bigint,
        spend_before numeric,
        spend numeric,
        change numeric,
        growth numeric,
        price_effect numeric,
        volume_effect numeric,
        mix_effect numeric,
        new_effect numeric,
        discontinued_effect numeric,
        currency_effect numeric,
        purchase_effect numeric,
        other_effect numeric,
        is_partial boolean,
        note text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(bill_growth_of.zone, (SELECT s.zone FROM setting s));
        today timestamp := now() AT TIME ZONE in_zone;
    BEGIN
        IF from_at >= to_at THEN
            RETURN;
        END IF;
        RETURN QUERY
        WITH contribution AS MATERIALIZED (
            -- at a distance of 0: what each month is by itself
            SELECT c.*, CASE WHEN dimension IS NOT NULL THEN coalesce(c.label, 'unallocated') END AS owner
            FROM bill_contributions(ARRAY[tstzrange(from_at, to_at)], true, '{0,1,12}', in_zone, dimension, in_currency) c
        ), grouped AS (
            SELECT c.distance, c.n, c.owner, c.currency,
                   sum(c.tokens_0)::bigint AS tokens_0, sum(c.tokens_1)::bigint AS tokens_1,
                   trim_scale(sum(c.spend_0)) AS spend_0, trim_scale(sum(c.spend_1)) AS spend_1,
                   trim_scale(sum(c.price_effect)) AS price_effect, trim_scale(sum(c.volume_effect)) AS volume_effect, trim_scale(sum(c.mix_effect)) AS mix_effect,
                   trim_scale(sum(c.new_effect)) AS new_effect, trim_scale(sum(c.discontinued_effect)) AS discontinued_effect, trim_scale(sum(c.currency_effect)) AS currency_effect,
                   trim_scale(sum(c.purchase_effect)) AS purchase_effect, trim_scale(sum(c.other_effect)) AS other_effect
            FROM contribution c WHERE c.currency IS NOT NULL GROUP BY 1, 2, 3, 4
        ), calendar AS (
            SELECT n, min(n) OVER () AS first, s.is_used, e.month, e.counted_from > e.month OR e.counted_to < e.month + interval '1 month' AS is_partial
            FROM (SELECT min(c.n) AS first, max(c.n) AS last FROM contribution c WHERE c.distance = 0) r, generate_series(r.first, r.last) n
                 LEFT JOIN LATERAL (SELECT true AS is_used FROM contribution c WHERE c.distance = 0 AND c.n = n.n AND c.charge_category = 'Usage' LIMIT 1) s ON true,
                 LATERAL (SELECT m.month, greatest(m.month, from_at AT TIME ZONE in_zone) AS counted_from, least(m.month + interval '1 month', to_at AT TIME ZONE in_zone, today) AS counted_to
                          FROM (SELECT make_timestamp(n / 12, n % 12 + 1, 1, 0, 0, 0) AS month) m) e
        ), unpriced AS (
            SELECT c.n, c.owner, sum(c.tokens_1)::bigint AS tokens FROM contribution c WHERE c.distance = 0 AND c.currency IS NULL GROUP BY 1, 2
        ), payer AS (
            SELECT g.owner, g.currency, min(g.n) FILTER (WHERE g.spend_1 <> 0 OR g.tokens_1 > 0) AS since FROM grouped g WHERE g.distance = 0 GROUP BY 1, 2
            UNION ALL
            SELECT u.owner, NULL, NULL FROM unpriced u WHERE NOT EXISTS (SELECT FROM grouped) GROUP BY 1
        ), since AS (
            SELECT p.currency, min(p.since) AS since FROM payer p GROUP BY 1
        )
        SELECT m.month::date, d.comparison, p.owner, p.currency,
               CASE WHEN h.has_base AND p.currency IS NOT NULL THEN coalesce(g.tokens_0, 0) END, CASE WHEN p.currency IS NOT NULL THEN coalesce(o.tokens_1, 0) END, coalesce(u.tokens, 0),
               CASE WHEN h.has_base THEN coalesce(g.spend_0, z.zero) END, coalesce(o.spend_1, z.zero),
               CASE WHEN h.has_base THEN coalesce(g.spend_1 - g.spend_0, z.zero) END,
               CASE WHEN h.has_base AND NOT m.is_partial AND NOT b.is_partial AND g.spend_0 > 0 THEN tokenomics.growth_rate(g.spend_1, g.spend_0) END,
               CASE WHEN h.has_base THEN coalesce(g.price_effect, z.zero) END,
               CASE WHEN h.has_base THEN coalesce(g.volume_effect, z.zero) END,
               CASE WHEN h.has_base THEN coalesce(g.mix_effect, z.zero) END,
               CASE WHEN h.has_base THEN coalesce(g.new_effect, z.zero) END,
               CASE WHEN h.has_base THEN coalesce(g.discontinued_effect, z.zero) END,
               CASE WHEN h.has_base THEN coalesce(g.currency_effect, z.zero) END,
               CASE WHEN h.has_base THEN coalesce(g.purchase_effect, z.zero) END,
               CASE WHEN h.has_base THEN coalesce(g.other_effect, z.zero) END,
               m.is_partial OR coalesce(b.is_partial, false),
               nullif(concat_ws('; ',
                   CASE WHEN NOT h.has_base AND d.distance = 1 THEN 'the first month: there is none before it' WHEN NOT h.has_base THEN 'there is no month a year before' END,
                   CASE WHEN m.is_used IS NULL THEN 'a month without usage' END,
                   CASE WHEN h.has_base AND b.is_used IS NULL THEN 'no usage in the month it is compared with' END,
                   CASE WHEN p.currency IS NULL THEN 'no call has a price' END,
                   CASE WHEN h.has_base AND s.since BETWEEN m.n - d.distance + 1 AND m.n THEN 'a new currency' END,
                   CASE WHEN p.currency <> in_currency THEN 'no exchange rate' END,
                   CASE WHEN m.is_partial THEN 'the month is not complete' WHEN h.has_base AND b.is_partial THEN 'the month it is compared with is not complete' END), '')
        FROM calendar m CROSS JOIN payer p CROSS JOIN (VALUES (1, 'month on month'), (12, 'year on year')) d(distance, comparison)
             CROSS JOIN LATERAL (SELECT m.n - d.distance >= m.first AS has_base) h
             CROSS JOIN LATERAL (SELECT CASE WHEN p.currency IS NOT NULL THEN 0::numeric END AS zero) z
             LEFT JOIN calendar b ON b.n = m.n - d.distance
             LEFT JOIN since s ON s.currency = p.currency
             LEFT JOIN grouped g ON g.distance = d.distance AND g.n = m.n AND g.currency = p.currency AND coalesce(g.owner, '') = coalesce(p.owner, '')
             LEFT JOIN grouped o ON o.distance = 0 AND o.n = m.n AND o.currency = p.currency AND coalesce(o.owner, '') = coalesce(p.owner, '')
             LEFT JOIN unpriced u ON u.n = m.n AND coalesce(u.owner, '') = coalesce(p.owner, '')
        WHERE dimension IS NULL OR g.n IS NOT NULL OR o.n IS NOT NULL OR p.currency IS NULL
        ORDER BY d.distance, p.currency, p.owner, m.n;
    END
    $$;
    COMMENT ON FUNCTION bill_growth_of(timestamptz, timestamptz, text, text, text) IS
        'part of bill_growth, bill_growth_by_team and bill_growth_by_project: the rows of all of them';

    CREATE OR REPLACE FUNCTION bill_growth_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        in_currency text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        comparison text,
        currency text,
        tokens_before bigint,
        tokens bigint,
        unpriced_tokens bigint,
        spend_before numeric,
        spend numeric,
        change numeric,
        growth numeric,
        price_effect numeric,
        volume_effect numeric,
        mix_effect numeric,
        new_effect numeric,
        discontinued_effect numeric,
        currency_effect numeric,
        purchase_effect numeric,
        other_effect numeric,
        is_partial boolean,
        note text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        SELECT g.month, g.comparison, g.currency, g.tokens_before, g.tokens, g.unpriced_tokens, g.spend_before, g.spend, g.change, g.growth,
               g.price_effect, g.volume_effect, g.mix_effect, g.new_effect, g.discontinued_effect, g.currency_effect, g.purchase_effect, g.other_effect, g.is_partial, g.note
        FROM bill_growth_of(from_at, to_at, bill_growth_between.zone, NULL, in_currency) g;
    END
    $$;
    COMMENT ON FUNCTION bill_growth_between(timestamptz, timestamptz, text, text) IS
        'the rows of bill_growth of what was spent from from_at up to, not including, to_at, by the months of the zone, compared with months between the limits; NULL: no limit, and the zone of "setting"; in_currency: all in one currency, by the exchange rates of the months, whose change is an effect';
    CREATE OR REPLACE VIEW bill_growth WITH (security_invoker = true) AS SELECT * FROM bill_growth_between();
    COMMENT ON VIEW bill_growth IS 'tokenomics: why the bill grew, by month and currency: its change on the month before and on the same month of the year before, split without a rest';
    COMMENT ON COLUMN bill_growth.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN bill_growth.comparison IS 'month on month, or year on year: with the same month of the year before';
    COMMENT ON COLUMN bill_growth.currency IS 'currency of the amounts; NULL where nothing at all is priced';
    COMMENT ON COLUMN bill_growth.tokens_before IS 'the same of the month it is compared with';
    COMMENT ON COLUMN bill_growth.tokens IS 'tokens of calls with a price of their own in the month: those that a purchase pays for are in purchase_effect alone';
    COMMENT ON COLUMN bill_growth.unpriced_tokens IS 'tokens of the month that have no price, whatever the currency: spend is too low by what they cost';
    COMMENT ON COLUMN bill_growth.spend_before IS 'total spend of the month it is compared with; NULL where there is none';
    COMMENT ON COLUMN bill_growth.spend IS 'total spend: cost of the calls, purchases and other charges';
    COMMENT ON COLUMN bill_growth.change IS 'spend less spend_before: the sum of the effects, to the last digit';
    COMMENT ON COLUMN bill_growth.growth IS 'change as a fraction of spend_before; NULL where a month is not complete, or nothing was spent before';
    COMMENT ON COLUMN bill_growth.price_effect IS 'what changed prices did: by provider, model, service tier, threshold, off-peak or not, and meter';
    COMMENT ON COLUMN bill_growth.volume_effect IS 'what the number of tokens did';
    COMMENT ON COLUMN bill_growth.mix_effect IS 'what their shares did: of models, meters (cache, output), tiers and off-peak hours';
    COMMENT ON COLUMN bill_growth.new_effect IS 'cost of models that were not used in the month it is compared with';
    COMMENT ON COLUMN bill_growth.discontinued_effect IS 'cost then of models that are not used any more, below zero';
    COMMENT ON COLUMN bill_growth.currency_effect IS 'what exchange rates did; 0 where nothing is converted';
    COMMENT ON COLUMN bill_growth.purchase_effect IS 'change of purchases, idle parts included';
    COMMENT ON COLUMN bill_growth.other_effect IS 'change of credits, adjustments and tax';
    COMMENT ON COLUMN bill_growth.is_partial IS 'whether one of the two months is not over, or cut by the limits';
    COMMENT ON COLUMN bill_growth.note IS 'what to know before comparing; NULL: nothing';

    CREATE OR REPLACE FUNCTION bill_growth_by_team_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        in_currency text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        comparison text,
        team text,
        currency text,
        tokens_before bigint,
        tokens bigint,
        unpriced_tokens bigint,
        spend_before numeric,
        spend numeric,
        change numeric,
        growth numeric,
        price_effect numeric,
        volume_effect numeric,
        mix_effect numeric,
        new_effect numeric,
        discontinued_effect numeric,
        currency_effect numeric,
        purchase_effect numeric,
        other_effect numeric,
        is_partial boolean,
        note text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        SELECT g.month, g.comparison, g.owner, g.currency, g.tokens_before, g.tokens, g.unpriced_tokens, g.spend_before, g.spend, g.change, g.growth,
               g.price_effect, g.volume_effect, g.mix_effect, g.new_effect, g.discontinued_effect, g.currency_effect, g.purchase_effect, g.other_effect, g.is_partial, g.note
        FROM bill_growth_of(from_at, to_at, bill_growth_by_team_between.zone, 'team', in_currency) g;
    END
    $$;
    COMMENT ON FUNCTION bill_growth_by_team_between(timestamptz, timestamptz, text, text) IS
        'the rows of bill_growth_by_team of what was spent from from_at up to, not including, to_at, by the months of the zone, compared with months between the limits; NULL: no limit, and the zone of "setting"; in_currency: all in one currency, by the exchange rates of the months, whose change is an effect';
    CREATE OR REPLACE VIEW bill_growth_by_team WITH (security_invoker = true) AS SELECT * FROM bill_growth_by_team_between();
    COMMENT ON VIEW bill_growth_by_team IS 'tokenomics: what each team contributed to bill_growth: the effects of all teams add up to those of the bill';
    COMMENT ON COLUMN bill_growth_by_team.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN bill_growth_by_team.comparison IS 'month on month, or year on year: with the same month of the year before';
    COMMENT ON COLUMN bill_growth_by_team.team IS 'the team; "unallocated" where the calls or charges name none';
    COMMENT ON COLUMN bill_growth_by_team.currency IS 'currency of the amounts; NULL where nothing at all is priced';
    COMMENT ON COLUMN bill_growth_by_team.tokens_before IS 'the same of the month it is compared with';
    COMMENT ON COLUMN bill_growth_by_team.tokens IS 'tokens of calls with a price of their own in the month: those that a purchase pays for are in purchase_effect alone';
    COMMENT ON COLUMN bill_growth_by_team.unpriced_tokens IS 'tokens of the month that have no price, whatever the currency: spend is too low by what they cost';
    COMMENT ON COLUMN bill_growth_by_team.spend_before IS 'total spend of the month it is compared with; NULL where there is none';
    COMMENT ON COLUMN bill_growth_by_team.spend IS 'total spend: cost of the calls, purchases and other charges';
    COMMENT ON COLUMN bill_growth_by_team.change IS 'spend less spend_before: the sum of the effects, to the last digit';
    COMMENT ON COLUMN bill_growth_by_team.growth IS 'change as a fraction of spend_before; NULL where a month is not complete, or nothing was spent before';
    COMMENT ON COLUMN bill_growth_by_team.price_effect IS 'what changed prices did: by provider, model, service tier, threshold, off-peak or not, and meter';
    COMMENT ON COLUMN bill_growth_by_team.volume_effect IS 'what the number of tokens did';
    COMMENT ON COLUMN bill_growth_by_team.mix_effect IS 'what their shares did: of models, meters (cache, output), tiers and off-peak hours';
    COMMENT ON COLUMN bill_growth_by_team.new_effect IS 'cost of models that were not used in the month it is compared with';
    COMMENT ON COLUMN bill_growth_by_team.discontinued_effect IS 'cost then of models that are not used any more, below zero';
    COMMENT ON COLUMN bill_growth_by_team.currency_effect IS 'what exchange rates did; 0 where nothing is converted';
    COMMENT ON COLUMN bill_growth_by_team.purchase_effect IS 'change of purchases, idle parts included';
    COMMENT ON COLUMN bill_growth_by_team.other_effect IS 'change of credits, adjustments and tax';
    COMMENT ON COLUMN bill_growth_by_team.is_partial IS 'whether one of the two months is not over, or cut by the limits';
    COMMENT ON COLUMN bill_growth_by_team.note IS 'what to know before comparing; NULL: nothing';

    CREATE OR REPLACE FUNCTION bill_growth_by_project_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        in_currency text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        comparison text,
        project text,
        currency text,
        tokens_before bigint,
        tokens bigint,
        unpriced_tokens bigint,
        spend_before numeric,
        spend numeric,
        change numeric,
        growth numeric,
        price_effect numeric,
        volume_effect numeric,
        mix_effect numeric,
        new_effect numeric,
        discontinued_effect numeric,
        currency_effect numeric,
        purchase_effect numeric,
        other_effect numeric,
        is_partial boolean,
        note text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        SELECT g.month, g.comparison, g.owner, g.currency, g.tokens_before, g.tokens, g.unpriced_tokens, g.spend_before, g.spend, g.change, g.growth,
               g.price_effect, g.volume_effect, g.mix_effect, g.new_effect, g.discontinued_effect, g.currency_effect, g.purchase_effect, g.other_effect, g.is_partial, g.note
        FROM bill_growth_of(from_at, to_at, bill_growth_by_project_between.zone, 'project', in_currency) g;
    END
    $$;
    COMMENT ON FUNCTION bill_growth_by_project_between(timestamptz, timestamptz, text, text) IS
        'the rows of bill_growth_by_project of what was spent from from_at up to, not including, to_at, by the months of the zone, compared with months between the limits; NULL: no limit, and the zone of "setting"; in_currency: all in one currency, by the exchange rates of the months, whose change is an effect';
    CREATE OR REPLACE VIEW bill_growth_by_project WITH (security_invoker = true) AS SELECT * FROM bill_growth_by_project_between();
    COMMENT ON VIEW bill_growth_by_project IS 'tokenomics: what each project contributed to bill_growth: the effects of all projects add up to those of the bill';
    COMMENT ON COLUMN bill_growth_by_project.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN bill_growth_by_project.comparison IS 'month on month, or year on year: with the same month of the year before';
    COMMENT ON COLUMN bill_growth_by_project.project IS 'the project; "unallocated" where the calls or charges name none';
    COMMENT ON COLUMN bill_growth_by_project.currency IS 'currency of the amounts; NULL where nothing at all is priced';
    COMMENT ON COLUMN bill_growth_by_project.tokens_before IS 'the same of the month it is compared with';
    COMMENT ON COLUMN bill_growth_by_project.tokens IS 'tokens of calls with a price of their own in the month: those that a purchase pays for are in purchase_effect alone';
    COMMENT ON COLUMN bill_growth_by_project.unpriced_tokens IS 'tokens of the month that have no price, whatever the currency: spend is too low by what they cost';
    COMMENT ON COLUMN bill_growth_by_project.spend_before IS 'total spend of the month it is compared with; NULL where there is none';
    COMMENT ON COLUMN bill_growth_by_project.spend IS 'total spend: cost of the calls, purchases and other charges';
    COMMENT ON COLUMN bill_growth_by_project.change IS 'spend less spend_before: the sum of the effects, to the last digit';
    COMMENT ON COLUMN bill_growth_by_project.growth IS 'change as a fraction of spend_before; NULL where a month is not complete, or nothing was spent before';
    COMMENT ON COLUMN bill_growth_by_project.price_effect IS 'what changed prices did: by provider, model, service tier, threshold, off-peak or not, and meter';
    COMMENT ON COLUMN bill_growth_by_project.volume_effect IS 'what the number of tokens did';
    COMMENT ON COLUMN bill_growth_by_project.mix_effect IS 'what their shares did: of models, meters (cache, output), tiers and off-peak hours';
    COMMENT ON COLUMN bill_growth_by_project.new_effect IS 'cost of models that were not used in the month it is compared with';
    COMMENT ON COLUMN bill_growth_by_project.discontinued_effect IS 'cost then of models that are not used any more, below zero';
    COMMENT ON COLUMN bill_growth_by_project.currency_effect IS 'what exchange rates did; 0 where nothing is converted';
    COMMENT ON COLUMN bill_growth_by_project.purchase_effect IS 'change of purchases, idle parts included';
    COMMENT ON COLUMN bill_growth_by_project.other_effect IS 'change of credits, adjustments and tax';
    COMMENT ON COLUMN bill_growth_by_project.is_partial IS 'whether one of the two months is not over, or cut by the limits';
    COMMENT ON COLUMN bill_growth_by_project.note IS 'what to know before comparing; NULL: nothing';

    CREATE OR REPLACE FUNCTION driver_effects_of(
        spans tstzrange[],
        by_month boolean,
        distances integer[],
        zone text,
        factors tokenomics.demand_factors[]
    ) RETURNS TABLE (
        distance integer,
        n integer,
        currency text,
        users_effect numeric,
        sessions_per_user_effect numeric,
        turns_per_session_effect numeric,
        calls_per_turn_effect numeric,
        tokens_per_call_effect numeric,
        reasoning_effect numeric,
        coverage_effect numeric,
        tokens_effect numeric,
        cache_effect numeric,
        mix_effect numeric,
        price_effect numeric,
        reason text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        WITH driver AS MATERIALIZED (
            SELECT CASE WHEN by_month THEN (extract(year FROM f.month) * 12 + extract(month FROM f.month))::integer - 1 ELSE f.i::integer END AS n, f.reason,
                   CASE WHEN p.product > 0 THEN ARRAY[f.users, f.sessions_per_user, f.turns_per_session, f.calls_per_turn, f.tokens_per_call, f.reasoning_multiplier, p.product]::double precision[] END AS x
            FROM unnest(factors) WITH ORDINALITY f(month, days, slice, users, sessions_per_user, turns_per_session, calls_per_turn, tokens_per_call, reasoning_multiplier, coverage_multiplier,
                                                   mix, mix_calls, cacheable_tokens, cache_hit_rate, peak_to_average, monthly_growth, coverage, reason, i),
                 LATERAL (SELECT f.users * f.sessions_per_user * f.turns_per_session * f.calls_per_turn * f.tokens_per_call * f.reasoning_multiplier AS product) p
        ), part AS MATERIALIZED (
            SELECT s.n::integer AS n, usage_ledger('month', lower(s.span), upper(s.span), driver_effects_of.zone) AS counted
            FROM unnest(spans) WITH ORDINALITY s(span, n) WHERE NOT isempty(s.span)
        ), measured AS (
            SELECT coalesce(array_agg(d.n ORDER BY d.n), '{}') AS numbers,
                   coalesce((SELECT array_agg(v.x ORDER BY o.n, v.i) FROM driver o, unnest(o.x) WITH ORDINALITY v(x, i)), '{}') AS x
            FROM driver d WHERE d.x IS NOT NULL
        )
        SELECT e.distance, e.n, e.currency, e.users_effect, e.sessions_per_user_effect, e.turns_per_session_effect, e.calls_per_turn_effect, e.tokens_per_call_effect, e.reasoning_effect,
               e.coverage_effect, e.tokens_effect, e.cache_effect, e.mix_effect, e.price_effect,
               (SELECT 'drivers are not measured: ' || coalesce(min(d.reason) FILTER (WHERE d.x IS NULL), 'a month has no calls, or is not complete') FROM driver d WHERE d.n IN (e.n, e.n - e.distance)
                HAVING count(d.x) < CASE e.distance WHEN 0 THEN 1 ELSE 2 END)
        FROM measured m, (SELECT array_agg(p.counted) AS ledgers, coalesce(array_agg(p.n) FILTER (WHERE NOT by_month), '{}') AS numbers FROM part p) p,
             tokenomics.bill_driver_effects(p.ledgers, p.numbers, distances, m.numbers, m.x) e;
    END
    $$;
    COMMENT ON FUNCTION driver_effects_of(tstzrange[], boolean, integer[], text, tokenomics.demand_factors[]) IS
        'part of driver_bridge() and bill_growth_by_driver: what the drivers of priced calls did';

    CREATE OR REPLACE FUNCTION driver_bridge(month_0 date, month_1 date, zone text DEFAULT NULL) RETURNS TABLE (
        currency text,
        spend_0 numeric,
        spend_1 numeric,
        change numeric,
        users_effect numeric,
        sessions_per_user_effect numeric,
        turns_per_session_effect numeric,
        calls_per_turn_effect numeric,
        tokens_per_call_effect numeric,
        reasoning_effect numeric,
        coverage_effect numeric,
        tokens_effect numeric,
        cache_effect numeric,
        mix_effect numeric,
        price_effect numeric,
        purchase_effect numeric,
        other_effect numeric,
        note text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(driver_bridge.zone, (SELECT s.zone FROM setting s));
        factors tokenomics.demand_factors[] := ARRAY[measured_factors(month_0, zone => in_zone, growth_months => 0), measured_factors(month_1, zone => in_zone, growth_months => 0)];
        spans tstzrange[];
    BEGIN
        SELECT array_agg(tstzrange(tokenomics.period_start('month', in_zone, m.noon), tokenomics.period_end('month', in_zone, m.noon)) ORDER BY m.i) INTO spans
        FROM (SELECT (month_0::timestamp + interval '12 hours') AT TIME ZONE in_zone AS noon, 1 AS i UNION ALL SELECT (month_1::timestamp + interval '12 hours') AT TIME ZONE in_zone, 2) m;
        RETURN QUERY
        SELECT b.currency, b.spend_0, b.spend_1, b.change, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.users_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.sessions_per_user_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.turns_per_session_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.calls_per_turn_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.tokens_per_call_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.reasoning_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.coverage_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.tokens_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.cache_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.mix_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.price_effect END, b.purchase_effect, b.other_effect, d.reason
        FROM bill_bridge(lower(spans[1]), upper(spans[1]), lower(spans[2]), upper(spans[2]), '{}', in_zone) b
             LEFT JOIN driver_effects_of(spans, false, '{1}', in_zone, factors) d ON d.n = 2 AND d.currency = b.currency
        WHERE b.currency IS NOT NULL
        ORDER BY b.currency;
    END
    $$;
    COMMENT ON FUNCTION driver_bridge(date, date, text) IS
        'why the bill of a complete month, given by its first day, is not that of another, by the drivers of demand (measured_factors()), the cache, the mix and the price, by LMDI-I; they add up exactly to the change; in each currency; where drivers are not measured, tokens_effect alone says what they did';

    CREATE OR REPLACE FUNCTION bill_growth_by_driver_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        comparison text,
        currency text,
        spend_before numeric,
        spend numeric,
        change numeric,
        users_effect numeric,
        sessions_per_user_effect numeric,
        turns_per_session_effect numeric,
        calls_per_turn_effect numeric,
        tokens_per_call_effect numeric,
        reasoning_effect numeric,
        coverage_effect numeric,
        tokens_effect numeric,
        cache_effect numeric,
        mix_effect numeric,
        price_effect numeric,
        purchase_effect numeric,
        other_effect numeric,
        is_partial boolean,
        note text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(bill_growth_by_driver_between.zone, (SELECT s.zone FROM setting s));
        factors tokenomics.demand_factors[] := (SELECT array_agg(f) FROM measured_factors_between(from_at, to_at, in_zone) f);
    BEGIN
        IF from_at >= to_at THEN
            RETURN;
        END IF;
        RETURN QUERY
        SELECT g.month, g.comparison, g.currency, g.spend_before, g.spend, g.change,
               CASE WHEN d.n IS NULL THEN z.zero ELSE d.users_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.sessions_per_user_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.turns_per_session_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.calls_per_turn_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.tokens_per_call_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.reasoning_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.coverage_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.tokens_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.cache_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.mix_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.price_effect END,
               g.purchase_effect, g.other_effect,
               g.is_partial, nullif(concat_ws('; ', g.note, d.reason), '')
        FROM bill_growth_between(from_at, to_at, in_zone) g
             LEFT JOIN driver_effects_of(ARRAY[tstzrange(from_at, to_at)], true, '{1,12}', in_zone, factors) d
                 ON d.n = (extract(year FROM g.month) * 12 + extract(month FROM g.month))::integer - 1 AND d.currency = g.currency
                    AND d.distance = CASE g.comparison WHEN 'year on year' THEN 12 ELSE 1 END AND g.change IS NOT NULL,
             LATERAL (SELECT CASE WHEN d.n IS NULL THEN 0 * g.change END AS zero) z
        ORDER BY g.comparison, g.currency, g.month;
    END
    $$;
    COMMENT ON FUNCTION bill_growth_by_driver_between(timestamptz, timestamptz, text) IS
        'the rows of bill_growth_by_driver of what was spent from from_at up to, not including, to_at, by the months of the zone, compared with months between the limits; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW bill_growth_by_driver WITH (security_invoker = true) AS SELECT * FROM bill_growth_by_driver_between();
    COMMENT ON VIEW bill_growth_by_driver IS 'tokenomics: why the bill grew, by what people and agents did: users, sessions, turns, calls, tokens, reasoning, cache, mix and price, without a rest';
    COMMENT ON COLUMN bill_growth_by_driver.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN bill_growth_by_driver.comparison IS 'month on month, or year on year: with the same month of the year before';
    COMMENT ON COLUMN bill_growth_by_driver.currency IS 'currency of the amounts; NULL where nothing at all is priced';
    COMMENT ON COLUMN bill_growth_by_driver.spend_before IS 'total spend of the month it is compared with; NULL where there is none';
    COMMENT ON COLUMN bill_growth_by_driver.spend IS 'total spend: cost of the calls, purchases and other charges';
    COMMENT ON COLUMN bill_growth_by_driver.change IS 'spend less spend_before: tokens_effect and all behind it, to the last digit';
    COMMENT ON COLUMN bill_growth_by_driver.users_effect IS 'what the number of users did';
    COMMENT ON COLUMN bill_growth_by_driver.sessions_per_user_effect IS 'what sessions per user did';
    COMMENT ON COLUMN bill_growth_by_driver.turns_per_session_effect IS 'what turns per session did';
    COMMENT ON COLUMN bill_growth_by_driver.calls_per_turn_effect IS 'what calls per turn did: the fan-out of agents';
    COMMENT ON COLUMN bill_growth_by_driver.tokens_per_call_effect IS 'what tokens per call did, without reasoning';
    COMMENT ON COLUMN bill_growth_by_driver.reasoning_effect IS 'what the share of reasoning did to the tokens';
    COMMENT ON COLUMN bill_growth_by_driver.coverage_effect IS 'what tokens of priced calls without all ids did, beside those that the drivers are of';
    COMMENT ON COLUMN bill_growth_by_driver.tokens_effect IS 'what the number of priced tokens did: the sum of the seven before it';
    COMMENT ON COLUMN bill_growth_by_driver.cache_effect IS 'what the shares of cached input and of cache writes did, within each model';
    COMMENT ON COLUMN bill_growth_by_driver.mix_effect IS 'what the shares of models, tiers, input and output did; models that are new, or gone, included';
    COMMENT ON COLUMN bill_growth_by_driver.price_effect IS 'what changed prices did';
    COMMENT ON COLUMN bill_growth_by_driver.purchase_effect IS 'change of purchases, idle parts included';
    COMMENT ON COLUMN bill_growth_by_driver.other_effect IS 'change of credits, adjustments and tax';
    COMMENT ON COLUMN bill_growth_by_driver.is_partial IS 'whether one of the two months is not over, or cut by the limits';
    COMMENT ON COLUMN bill_growth_by_driver.note IS 'what to know before comparing, and why drivers are not measured; NULL: nothing';

    CREATE OR REPLACE FUNCTION repriced_bill(
        from_at timestamptz,
        to_at timestamptz,
        new_book tokenomics.price_book DEFAULT NULL,
        old_book tokenomics.price_book DEFAULT NULL
    ) RETURNS TABLE (
        provider text,
        model text,
        service_tier text,
        meter text,
        currency text,
        old_above_input_tokens bigint,
        new_above_input_tokens bigint,
        old_off_peak boolean,
        new_off_peak boolean,
        old_valid_from timestamptz,
        new_valid_from timestamptz,
        tokens bigint,
        old_rate numeric,
        new_rate numeric,
        old_cost numeric,
        new_cost numeric,
        difference numeric,
        reason text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        new_prices tokenomics.price_book := coalesce(new_book, tokenomics.prices_at(book(), now()));
        old_prices tokenomics.price_book := coalesce(old_book, book());
        old_ledger tokenomics.ledger;
        new_ledger tokenomics.ledger;
    BEGIN
        -- Both ledgers have one label for the same two rows of prices, and so the
        -- same calls in each of their lines.
        EXECUTE 'SELECT tokenomics.ledger($1, ''month'', ''UTC'', u.at, u.provider, u.model, u.service_tier, u.tokens, u.label, u.calls),
                        tokenomics.ledger($2, ''month'', ''UTC'', u.at, u.provider, u.model, u.service_tier, u.tokens, u.label, u.calls)
                 FROM (SELECT u.at, u.provider, u.model, u.service_tier, u.tokens, u.calls,
                              ''['' || coalesce(tokenomics.price_row($1, u.provider, u.model, u.at, u.tokens, u.service_tier, u.calls), ''null'')
                              || '', '' || coalesce(tokenomics.price_row($2, u.provider, u.model, u.at, u.tokens, u.service_tier, u.calls), ''null'') || '']'' AS label
                       FROM usage u WHERE u.at >= $3 AND u.at < $4 OFFSET 0) u'
        INTO old_ledger, new_ledger USING old_prices, new_prices, coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity');

        RETURN QUERY
        WITH old AS (
            SELECT l.provider, l.model, l.service_tier, l.meter, l.label, l.currency, sum(l.tokens) AS tokens, sum(l.cost) AS cost
            FROM tokenomics.meter_lines(old_ledger) l GROUP BY 1, 2, 3, 4, 5, 6
        ), new AS (
            SELECT l.provider, l.model, l.service_tier, l.meter, l.label, l.currency, sum(l.tokens) AS tokens, sum(l.cost) AS cost
            FROM tokenomics.meter_lines(new_ledger) l GROUP BY 1, 2, 3, 4, 5, 6
        ), priced AS (
            -- in two currencies: what falls away in one, and what comes in the other
            SELECT o.provider, o.model, o.service_tier, o.meter, o.label, coalesce(o.currency, n.currency) AS currency, o.tokens, o.cost AS old_cost,
                   CASE WHEN o.currency <> n.currency THEN NULL ELSE n.cost END AS new_cost, o.currency <> n.currency AS is_other
            FROM old o JOIN new n ON n.provider = o.provider AND n.model = o.model AND n.service_tier = o.service_tier AND n.meter = o.meter AND n.label = o.label
                 AND n.tokens = o.tokens
            UNION ALL
            SELECT n.provider, n.model, n.service_tier, n.meter, n.label, n.currency, n.tokens, NULL, n.cost, true
            FROM old o JOIN new n ON n.provider = o.provider AND n.model = o.model AND n.service_tier = o.service_tier AND n.meter = o.meter AND n.label = o.label
                 AND n.tokens = o.tokens
            WHERE o.currency <> n.currency
        )
        SELECT p.provider, p.model, p.service_tier, p.meter, p.currency, (k.row -> 0 ->> 'above_input_tokens')::bigint, (k.row -> 1 ->> 'above_input_tokens')::bigint,
               (k.row -> 0 ->> 'off_peak')::boolean, (k.row -> 1 ->> 'off_peak')::boolean, (k.row -> 0 ->> 'valid_from')::timestamptz, (k.row -> 1 ->> 'valid_from')::timestamptz,
               p.tokens::bigint, r.old_rate, r.new_rate, trim_scale(p.old_cost), trim_scale(p.new_cost),
               CASE WHEN p.old_cost IS NOT NULL OR p.new_cost IS NOT NULL THEN trim_scale(coalesce(p.new_cost, 0) - coalesce(p.old_cost, 0)) END,
               CASE WHEN p.is_other THEN 'another currency'
                    WHEN p.old_cost IS NULL AND p.new_cost IS NULL THEN 'no price'
                    WHEN p.old_cost IS NULL THEN 'no old price'
                    WHEN p.new_cost IS NULL THEN 'no new price'
                    WHEN p.old_cost <> p.new_cost THEN 'another rate' END
        FROM priced p, LATERAL (SELECT p.label::jsonb AS row) k,
             LATERAL (SELECT tokenomics.cost_per_mtok(p.old_cost, p.tokens) AS old_rate, tokenomics.cost_per_mtok(p.new_cost, p.tokens) AS new_rate) r
        ORDER BY abs(coalesce(p.new_cost, 0) - coalesce(p.old_cost, 0)) DESC, p.provider, p.model, p.service_tier, p.meter, p.currency, p.label;
    END
    $$;
    COMMENT ON FUNCTION repriced_bill(timestamptz, timestamptz, tokenomics.price_book, tokenomics.price_book) IS
        'what the calls from from_at up to, not including, to_at cost by one book (old_book; NULL: the book of "setting") and would by another (new_book; NULL: its prices of today, prices_at(book(), now())), by the two rows of prices that apply, exactly: each difference has its two rates, and the differences add up to that of the bills; other books are book(''contract''), book(as_known_at => ...) and prices_at(book(), ...)';

    CREATE TABLE IF NOT EXISTS seat (
        user_id text NOT NULL CHECK (user_id <> ''),
        team text CHECK (team <> ''),
        valid tstzrange NOT NULL DEFAULT tstzrange(now(), NULL) CHECK (NOT isempty(valid)),
        CONSTRAINT seat_overlap EXCLUDE USING gist (user_id WITH =, valid WITH &&)
    );
    COMMENT ON TABLE seat IS 'tokenomics: who may use it, and since when: what underuse compares with who does';
    COMMENT ON COLUMN seat.user_id IS 'the user, as the calls name them';
    COMMENT ON COLUMN seat.team IS 'the team that it is paid for';
    COMMENT ON COLUMN seat.valid IS 'from when to when';

    CREATE OR REPLACE FUNCTION underuse_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        months integer DEFAULT 3,
        threshold numeric DEFAULT 0.1
    ) RETURNS TABLE (
        scope text,
        owner text,
        team text,
        first_month date,
        last_month date,
        tokens_before bigint,
        tokens bigint,
        tokens_growth numeric,
        turns_before bigint,
        turns bigint,
        turns_growth numeric,
        matched_quantity double precision,
        others_tokens_growth numeric,
        token_share_before numeric,
        token_share numeric,
        currency text,
        cost_before numeric,
        cost numeric,
        last_used_at timestamptz,
        reason text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(underuse_between.zone, (SELECT s.zone FROM setting s));
        reporting text := (SELECT s.currency FROM setting s);
        n integer := underuse_between.months;
        behind timestamptz := least(to_at, now());
        local_behind timestamp;
        middle timestamptz;
        first timestamptz;
        spend_before numeric;
        spend numeric;
    BEGIN
        IF n IS NULL OR n NOT BETWEEN 1 AND 12 OR threshold IS NULL OR threshold < 0 OR threshold > 1 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'underuse is of 1 to 12 months, and of a fall by a fraction of 0 to 1',
                HINT = 'As in underuse_between(months => 3, threshold => 0.1).';
        END IF;
        -- the last complete month with a call, and not one of a time to come
        behind := CASE WHEN isfinite(behind) THEN tokenomics.period_start('month', in_zone, behind) ELSE behind END;
        behind := tokenomics.period_end('month', in_zone, (SELECT max(u.at) FROM usage u WHERE u.at < behind AND u.at >= coalesce(from_at, '-infinity')));
        IF behind IS NULL THEN
            behind := least(to_at, now());
        END IF;
        local_behind := behind AT TIME ZONE in_zone;
        middle := (local_behind - make_interval(months => n)) AT TIME ZONE in_zone;
        first := (local_behind - make_interval(months => 2 * n)) AT TIME ZONE in_zone;

        SELECT sum(t.total_spend_converted) FILTER (WHERE t.month < (middle AT TIME ZONE in_zone)::date), sum(t.total_spend_converted) FILTER (WHERE t.month >= (middle AT TIME ZONE in_zone)::date)
        INTO spend_before, spend
        FROM total_spend_trend_between(first, behind, in_zone) t
        HAVING bool_and(t.total_spend_converted IS NOT NULL OR t.currency IS NULL);

        RETURN QUERY
        WITH counted AS (
            SELECT CASE WHEN grouping(u.team) = 0 THEN 'team' WHEN grouping(u.user_id) = 0 THEN 'user' ELSE 'company' END AS scope,
                   CASE WHEN grouping(u.team) = 0 THEN coalesce(u.team, 'unallocated') ELSE u.user_id END AS owner, max(u.team) AS team,
                   coalesce(sum(tokenomics.total(u.tokens)) FILTER (WHERE u.at < middle), 0)::bigint AS tokens_before, coalesce(sum(tokenomics.total(u.tokens)) FILTER (WHERE u.at >= middle), 0)::bigint AS tokens,
                   count(DISTINCT u.turn_id) FILTER (WHERE u.at < middle) AS turns_before, count(DISTINCT u.turn_id) FILTER (WHERE u.at >= middle) AS turns,
                   min(u.at) AS first_used_at, max(u.at) AS last_used_at
            FROM usage u WHERE u.at >= first AND u.at < behind AND u.at >= coalesce(from_at, '-infinity')
            GROUP BY GROUPING SETS ((), (u.team), (u.user_id))
        ), labelled AS MATERIALIZED (
            SELECT s.scope, l.*, l.period >= middle AS is_after
            FROM (SELECT 'team' AS scope, tokenomics.ledger((SELECT book()), 'month', in_zone, u.at, u.provider, u.model, u.service_tier, u.tokens, coalesce(u.team, 'unallocated'), u.calls) AS ledger
                  FROM usage u WHERE u.at >= first AND u.at < behind AND u.at >= coalesce(from_at, '-infinity')
                  UNION ALL
                  SELECT 'user', tokenomics.ledger((SELECT book()), 'month', in_zone, u.at, u.provider, u.model, u.service_tier, u.tokens, u.user_id, u.calls)
                  FROM usage u WHERE u.at >= first AND u.at < behind AND u.at >= coalesce(from_at, '-infinity') AND u.user_id IS NOT NULL) s,
                 LATERAL tokenomics.meter_lines(s.ledger) l
            WHERE l.currency IS NOT NULL
        ), paid AS (
            SELECT m.scope, m.label, CASE WHEN bool_and(m.converted IS NOT NULL) THEN sum(m.converted) FILTER (WHERE NOT m.is_after) END AS cost_before,
                   CASE WHEN bool_and(m.converted IS NOT NULL) THEN sum(m.converted) FILTER (WHERE m.is_after) END AS cost
            FROM (SELECT l.scope, l.label, l.is_after, convert_currency(sum(l.cost), l.currency, reporting, (l.period AT TIME ZONE in_zone)::date, 'month') AS converted
                  FROM labelled l GROUP BY l.scope, l.label, l.is_after, l.currency, l.period) m
            GROUP BY 1, 2
        ), quantity AS (
            SELECT i.scope, i.label, tokenomics.fisher_quantity_index((i.c0 / i.q0)::double precision, i.q0::double precision, (i.c1 / i.q1)::double precision, i.q1::double precision) AS quantity
            FROM (SELECT l.scope, l.label, sum(l.cost) FILTER (WHERE NOT l.is_after) AS c0, nullif(sum(l.tokens) FILTER (WHERE NOT l.is_after), 0) AS q0,
                         sum(l.cost) FILTER (WHERE l.is_after) AS c1, nullif(sum(l.tokens) FILTER (WHERE l.is_after), 0) AS q1
                  FROM labelled l GROUP BY l.scope, l.label, l.provider, l.model, l.service_tier, l.above_input_tokens, l.off_peak, l.meter, l.currency) i
            GROUP BY 1, 2
        ), compared AS (
            SELECT c.*, q.quantity, CASE WHEN c.scope = 'company' THEN spend_before ELSE coalesce(p.cost_before, CASE WHEN p.label IS NULL THEN NULL ELSE 0 END) END AS cost_before,
                   CASE WHEN c.scope = 'company' THEN spend ELSE coalesce(p.cost, CASE WHEN p.label IS NULL THEN NULL ELSE 0 END) END AS cost,
                   tokenomics.growth_rate(c.tokens, c.tokens_before) AS tokens_growth, tokenomics.growth_rate(c.turns, c.turns_before) AS turns_growth,
                   CASE WHEN c.scope <> 'company' THEN tokenomics.growth_rate(w.tokens - c.tokens, w.tokens_before - c.tokens_before) END AS others_growth,
                   c.tokens_before::numeric / nullif(w.tokens_before, 0) AS share_before, c.tokens::numeric / nullif(w.tokens, 0) AS share, w.first_used_at < middle AS has_before
            FROM counted c JOIN counted w ON w.scope = 'company' LEFT JOIN quantity q ON q.scope = c.scope AND q.label = c.owner LEFT JOIN paid p ON p.scope = c.scope AND p.label = c.owner
        ), held AS (
            SELECT s.user_id, s.team, l.last_used_at
            FROM seat s LEFT JOIN (SELECT u.user_id, max(u.at) AS last_used_at FROM usage u
                                   WHERE u.at < behind AND u.at >= coalesce(from_at, '-infinity') AND u.user_id IN (SELECT s.user_id FROM seat s)
                                   GROUP BY 1) l ON l.user_id = s.user_id
            -- of who has had it for as long
            WHERE s.valid @> (behind - interval '1 microsecond') AND (lower_inf(s.valid) OR lower(s.valid) <= middle)
        )
        SELECT c.scope, c.owner, CASE c.scope WHEN 'user' THEN coalesce((SELECT h.team FROM held h WHERE h.user_id = c.owner), c.team) WHEN 'team' THEN c.owner END,
               (middle AT TIME ZONE in_zone)::date, (local_behind - interval '1 month')::date, c.tokens_before, c.tokens, c.tokens_growth, c.turns_before, c.turns, c.turns_growth,
               c.quantity, c.others_growth, round(c.share_before, 6), round(c.share, 6), reporting, trim_scale(c.cost_before), trim_scale(c.cost), c.last_used_at,
               CASE WHEN c.scope = 'company' THEN
                   format('the bill %s: %s %%, with tokens %s %%', CASE WHEN c.cost < c.cost_before * (1 - threshold) THEN 'fell' ELSE 'is flat' END,
                          to_char(100 * tokenomics.growth_rate(c.cost, c.cost_before), 'FMSG999990.0'), to_char(100 * c.tokens_growth, 'FMSG999990.0'))
               ELSE format('tokens %s %%, turns %s %%, while tokens of others rose %s %%', to_char(100 * c.tokens_growth, 'FMSG999990.0'),
                           coalesce(to_char(100 * c.turns_growth, 'FMSG999990.0'), 'not known,'), to_char(100 * c.others_growth, 'FMSG999990.0')) END
        FROM compared c
        WHERE c.has_before AND c.owner IS NOT NULL = (c.scope <> 'company')
          AND CASE WHEN c.scope = 'company' THEN c.cost_before > 0 AND c.cost <= c.cost_before * (1 + threshold)
              ELSE c.tokens_growth < -threshold AND (c.turns_before = 0 OR c.turns_growth < -threshold)
                   AND (c.quantity IS NULL OR c.quantity < 1 - threshold) AND c.others_growth > 0 END
        UNION ALL
        SELECT 'seat', h.user_id, h.team, (middle AT TIME ZONE in_zone)::date, (local_behind - interval '1 month')::date, NULL, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, 0, reporting, NULL, NULL, h.last_used_at,
               CASE WHEN h.last_used_at IS NULL THEN 'a seat that was never used' ELSE format('a seat without use in the last %s months', n) END
        FROM held h WHERE h.last_used_at IS NULL OR h.last_used_at < middle
        ORDER BY 1, 6 DESC NULLS LAST, 2;
    END
    $$;
    COMMENT ON FUNCTION underuse_between(timestamptz, timestamptz, text, integer, numeric) IS
        'the rows of underuse of the last complete months with calls between the limits, compared with as many before them; months: how many (3); threshold: the fraction by which tokens, turns and matched quantity must all have fallen (0.1), and within which a bill that has not risen is flat';
    CREATE OR REPLACE VIEW underuse WITH (security_invoker = true) AS SELECT * FROM underuse_between();
    COMMENT ON VIEW underuse IS
        'tokenomics: who stops using what is paid for: teams and users whose tokens, turns and matched quantity fell by more than 10 % in the last three complete months, on the three before, while others'' tokens rose; seats without use; and a bill of the company that did not rise by 10 %';
    COMMENT ON COLUMN underuse.scope IS 'company, team, user or seat';
    COMMENT ON COLUMN underuse.owner IS 'the team or user; NULL: the company';
    COMMENT ON COLUMN underuse.team IS 'the team; of a user that of the seat, or of the calls';
    COMMENT ON COLUMN underuse.first_month IS 'first of the months that are looked at';
    COMMENT ON COLUMN underuse.last_month IS 'last of them; as many before the first are what they are compared with';
    COMMENT ON COLUMN underuse.tokens_before IS 'tokens of the months before';
    COMMENT ON COLUMN underuse.tokens IS 'tokens of the months';
    COMMENT ON COLUMN underuse.tokens_growth IS 'their growth, a fraction';
    COMMENT ON COLUMN underuse.turns_before IS 'turns of the months before';
    COMMENT ON COLUMN underuse.turns IS 'turns of the months';
    COMMENT ON COLUMN underuse.turns_growth IS 'their growth, a fraction; NULL where none were before';
    COMMENT ON COLUMN underuse.matched_quantity IS 'quantity index (Fisher) of what was used in both, by item at its price: 0.5 is half; NULL where nothing is the same';
    COMMENT ON COLUMN underuse.others_tokens_growth IS 'growth of the tokens of all others, a fraction';
    COMMENT ON COLUMN underuse.token_share_before IS 'share of all tokens before, a fraction';
    COMMENT ON COLUMN underuse.token_share IS 'share of all tokens, a fraction';
    COMMENT ON COLUMN underuse.currency IS 'currency of the amounts';
    COMMENT ON COLUMN underuse.cost_before IS 'cost of the calls of the months before, at exchange rates of the months; of the company: total spend; NULL where there is no rate or no price';
    COMMENT ON COLUMN underuse.cost IS 'the same of the months';
    COMMENT ON COLUMN underuse.last_used_at IS 'the last call; NULL: never';
    COMMENT ON COLUMN underuse.reason IS 'why it is listed';
END
$install$;
COMMENT ON PROCEDURE install_growth() IS 'part of install(): why the bill grows, in the first schema of search_path';

CREATE PROCEDURE uninstall_growth() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS underuse, bill_growth_by_driver, bill_growth_by_project, bill_growth_by_team, bill_growth;
    DROP FUNCTION IF EXISTS
        underuse_between(timestamptz, timestamptz, text, integer, numeric),
        repriced_bill(timestamptz, timestamptz, tokenomics.price_book, tokenomics.price_book),
        bill_growth_by_driver_between(timestamptz, timestamptz, text),
        driver_bridge(date, date, text),
        driver_effects_of(tstzrange[], boolean, integer[], text, tokenomics.demand_factors[]),
        bill_growth_by_project_between(timestamptz, timestamptz, text, text),
        bill_growth_by_team_between(timestamptz, timestamptz, text, text),
        bill_growth_between(timestamptz, timestamptz, text, text),
        bill_growth_of(timestamptz, timestamptz, text, text, text),
        bill_bridge(timestamptz, timestamptz, timestamptz, timestamptz, text[], text, text),
        bill_contributions(tstzrange[], boolean, integer[], text, text, text, text[]);
    DROP TABLE IF EXISTS seat;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_growth() IS 'part of uninstall(): drops what install_growth() made';
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
        -- a turn is that of its first call, and whole
        RETURN QUERY EXECUTE $query$
            WITH call AS (
                SELECT u.at, u.provider, u.model, u.calls, u.turn_id, tokenomics.meter(u.tokens, 'reasoning') AS reasoning,
                       tokenomics.output_total(u.tokens) AS output,
                       CASE WHEN u.turn_id IS NOT NULL AND u.calls = 1 THEN min(u.at) OVER (PARTITION BY u.turn_id, u.calls = 1) END AS turn_at
                FROM usage u WHERE u.at >= $1 - interval '7 days' AND u.at < $2 + interval '7 days'
            ), counted AS (
                SELECT c.provider, c.model, 'call' AS per, 1::bigint AS n, c.calls, c.reasoning, CASE WHEN c.calls = 1 AND c.reasoning IS NOT NULL THEN c.output END AS output,
                       c.calls = 1 AND c.reasoning IS NOT NULL AS is_counted
                FROM call c WHERE c.at >= $1 AND c.at < $2
                UNION ALL
                SELECT c.provider, c.model, 'turn', 1, 1, sum(c.reasoning)::bigint, sum(c.output) FILTER (WHERE c.reasoning IS NOT NULL), count(c.reasoning) > 0
                FROM call c WHERE c.turn_at >= $1 AND c.turn_at < $2 GROUP BY c.provider, c.model, c.turn_id
            )
            SELECT c.provider, c.model, c.per, count(*) FILTER (WHERE c.is_counted),
                   trim_scale(count(*) FILTER (WHERE c.is_counted) / sum(c.calls)),
                   sum(c.reasoning) FILTER (WHERE c.is_counted)::bigint,
                   trim_scale(sum(c.reasoning) FILTER (WHERE c.is_counted) / nullif(sum(c.output), 0)),
                   trim_scale(avg(c.reasoning) FILTER (WHERE c.is_counted)),
                   (percentile_disc(0.5) WITHIN GROUP (ORDER BY c.reasoning) FILTER (WHERE c.is_counted)),
                   (percentile_disc(0.9) WITHIN GROUP (ORDER BY c.reasoning) FILTER (WHERE c.is_counted)),
                   (percentile_disc(0.99) WITHIN GROUP (ORDER BY c.reasoning) FILTER (WHERE c.is_counted)),
                   max(c.reasoning) FILTER (WHERE c.is_counted)
            FROM counted c GROUP BY c.provider, c.model, c.per
            ORDER BY c.provider, c.model, c.per$query$
        USING coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity');
    END
    $$;
    COMMENT ON FUNCTION reasoning_profile_between(timestamptz, timestamptz, text) IS
        'the rows of reasoning_profile of the calls from from_at up to, not including, to_at, and of the turns whose first call is among them (whole turns, a week long at most); NULL: no limit; the zone changes nothing';
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
        -- a call before the limits makes the turn one of before
        RETURN QUERY EXECUTE $query$
            SELECT t.turn_id, t.at, t.ends_at, t.session_id, t.user_id, t.team, t.project, t.agents, t.calls, t.unreported_calls, t.tokens
            FROM (SELECT tokenomics.turn_tally('UTC', u.at, u.tokens, u.turn_id, u.session_id, u.user_id, u.team, u.project, u.request_id, true, u.duration, u.agent) AS tally
                  FROM usage u
                  WHERE u.turn_id IS NOT NULL AND u.calls = 1
                    AND u.at >= $1 - interval '7 days' AND u.at < $2 + interval '7 days') x,
                 LATERAL tokenomics.turns(x.tally, $1, $2) t
            ORDER BY 2, 1$query$
        USING coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity');
    END
    $$;
    COMMENT ON FUNCTION turns_between(timestamptz, timestamptz) IS
        'the turns whose first call is from from_at up to, not including, to_at (NULL: no limit), whole: a turn is looked for a week before and after; each with when it began and its last call ended, session, user, team and project of its first call, all agents, calls, those without tokens, and tokens';

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
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off SET max_parallel_workers_per_gather = 0
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(fan_out_between.zone, (SELECT s.zone FROM setting s));
    BEGIN
        RETURN QUERY EXECUTE $query$
            WITH covered AS MATERIALIZED (
                SELECT h.starts, h.share
                FROM (SELECT tokenomics.period_start('month', $3, u.at) AS starts,
                             trim_scale(count(u.turn_id) FILTER (WHERE u.calls = 1) / sum(u.calls)) AS share
                      FROM usage u WHERE u.at >= $1 AND u.at < $2 GROUP BY 1) h
            )
            SELECT (f.month AT TIME ZONE $3)::date, f.scope, f.owner, f.turns, f.calls, trim_scale(f.calls::numeric / f.turns), f.p50, f.p90, f.p99, f.max, f.tokens,
                   trim_scale(f.top_tokens / nullif(f.tokens, 0)::numeric), c.share
            FROM (SELECT tokenomics.turn_tally($3, u.at, u.tokens, u.turn_id, u.session_id, u.user_id, u.team, u.project, u.request_id, true) AS tally
                  FROM usage u
                  WHERE u.turn_id IS NOT NULL AND u.calls = 1
                    AND u.at >= $1 - interval '7 days' AND u.at < $2 + interval '7 days') x,
                 LATERAL tokenomics.fan_out(x.tally, $1, $2) f
                 LEFT JOIN covered c ON c.starts = f.month
            ORDER BY f.month, f.scope DESC, f.owner$query$
        USING coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), in_zone;
    END
    $$;
    COMMENT ON FUNCTION fan_out_between(timestamptz, timestamptz, text) IS
        'the rows of fan_out of the turns whose first call is from from_at up to, not including, to_at, by the months of the zone; NULL: no limit, and the zone of "setting"';
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
    BEGIN
        IF n IS NULL OR n < 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('the number of turns must be zero or more, not %s', coalesce(n::text, 'NULL'));
        END IF;
        RETURN QUERY EXECUTE $query$
            WITH call AS NOT MATERIALIZED (
                SELECT u.turn_id, u.at, u.request_id, u.provider, u.model, u.agent, u.tokens, p.cost,
                       CASE WHEN p.cost IS NOT NULL THEN tokenomics.currency((SELECT book()), u.provider, u.model, u.at, u.tokens, u.service_tier) END AS currency
                FROM usage u, LATERAL (SELECT tokenomics.cost((SELECT book()), u.provider, u.model, u.at, u.tokens, u.service_tier) AS cost) p
                WHERE u.turn_id IS NOT NULL AND u.calls = 1
                  AND u.at >= $1 - interval '7 days' AND u.at < $2 + interval '7 days'
            ), chosen AS MATERIALIZED (
                -- all turns are only ordered here; what else is said of them is read for those that are chosen
                SELECT s.turn_id, CASE WHEN count(s.currency) = 1 THEN min(s.currency) END AS currency,
                       CASE WHEN count(s.currency) = 1 THEN trim_scale(sum(s.cost)) END AS cost,
                       coalesce(sum(s.calls) FILTER (WHERE s.currency IS NULL), 0)::bigint AS unpriced_calls,
                       CASE WHEN count(*) FILTER (WHERE s.currency IS NOT NULL) = count(c.cost) THEN trim_scale(sum(c.cost)) END AS cost_converted
                FROM (SELECT c.turn_id, c.currency, sum(c.cost) AS cost, count(*) AS calls, sum(tokenomics.total(c.tokens)) AS total,
                             min(min(c.at)) OVER (PARTITION BY c.turn_id) AS at
                      FROM call c GROUP BY c.turn_id, c.currency) s,
                     LATERAL (SELECT CASE WHEN s.currency = $3 THEN s.cost WHEN s.currency IS NOT NULL THEN convert_currency(s.cost, s.currency, $3, (s.at AT TIME ZONE $4)::date) END AS cost) c
                WHERE s.at >= $1 AND s.at < $2
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
                                             AND u.at >= $1 - interval '7 days' AND u.at < $2 + interval '7 days') x,
                                          LATERAL tokenomics.turns(x.tally, $1, $2) turn) t ON t.turn_id = s.turn_id
                 JOIN (SELECT c.turn_id, jsonb_agg(jsonb_build_object('at', c.at, 'request_id', c.request_id, 'provider', c.provider, 'model', c.model, 'agent', c.agent,
                                                                      'tokens', c.tokens::jsonb, 'currency', c.currency, 'cost', c.cost) ORDER BY c.at, c.request_id) AS call_list
                       FROM call c WHERE c.turn_id = ANY (ARRAY(SELECT turn_id FROM chosen)) GROUP BY c.turn_id) l ON l.turn_id = s.turn_id
            ORDER BY s.cost_converted DESC NULLS LAST, tokenomics.total(t.tokens) DESC NULLS LAST, t.turn_id$query$
        USING coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), reporting, in_zone, n;
    END
    $$;
    COMMENT ON FUNCTION costliest_turns(integer, timestamptz, timestamptz) IS
        'the n turns that cost most, of those whose first call is from from_at up to, not including, to_at (NULL: no limit): each as turns_between() has it, with its cost, exact (NULL where its calls are priced in several currencies, or none), how many calls have no price, the cost in the currency of "setting" at the rate of the day of the first call, by which they are ordered (turns without come last, by their tokens), and its calls as JSON';

    /*
     * Cache
     */

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
        -- a sub-agent opens no session: its calls are of that of the turn's first
        RETURN QUERY EXECUTE $query$
            WITH owned AS (
                SELECT u.at, u.request_id, u.provider, u.model, u.tokens,
                       CASE WHEN u.turn_id IS NULL THEN u.session_id ELSE first_value(u.session_id) OVER w END AS session_id,
                       CASE WHEN u.turn_id IS NULL THEN u.team ELSE first_value(u.team) OVER w END AS team
                FROM usage u
                WHERE u.calls = 1 AND u.session_id IS NOT NULL AND u.at >= $1 - interval '7 days' AND u.at < $2
                WINDOW w AS (PARTITION BY u.turn_id ORDER BY u.at, u.request_id, u.session_id, u.user_id, u.team, u.project)
            ), placed AS (
                SELECT o.*, row_number() OVER (PARTITION BY o.session_id ORDER BY o.at, o.request_id, o.model) AS place FROM owned o
            ), measured AS (
                SELECT p.provider, p.model, p.team, b.depth, b.depth_to, tokenomics.meter(p.tokens, 'cache_read') AS read,
                       CASE WHEN tokenomics.meter(p.tokens, 'cache_read') IS NOT NULL THEN tokenomics.input_total(p.tokens) END AS input
                FROM placed p,
                     LATERAL (SELECT CASE WHEN p.place <= 10 THEN p.place WHEN p.place <= 20 THEN 11 WHEN p.place <= 50 THEN 21 WHEN p.place <= 100 THEN 51 ELSE 101 END AS depth,
                                     CASE WHEN p.place <= 10 THEN p.place WHEN p.place <= 20 THEN 20 WHEN p.place <= 50 THEN 50 WHEN p.place <= 100 THEN 100 END AS depth_to) b
                WHERE p.at >= $1
            )
            SELECT m.provider, m.model, m.team, m.depth, m.depth_to, count(*), trim_scale(count(m.read) / count(*)::numeric),
                   sum(m.input)::bigint, sum(m.read)::bigint, trim_scale(sum(m.read) / nullif(sum(m.input), 0))
            FROM measured m GROUP BY m.provider, m.model, m.team, m.depth, m.depth_to
            ORDER BY m.provider, m.model, m.team, m.depth$query$
        USING coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity');
    END
    $$;
    COMMENT ON FUNCTION cache_by_session_depth_between(timestamptz, timestamptz, text) IS
        'the rows of cache_by_session_depth of the calls from from_at up to, not including, to_at; sessions are looked for a week before; NULL: no limit; the zone changes nothing';
    CREATE OR REPLACE VIEW cache_by_session_depth WITH (security_invoker = true) AS SELECT * FROM cache_by_session_depth_between();
    COMMENT ON VIEW cache_by_session_depth IS
        'tokenomics: what share of the input came from the cache, by how many calls the session had made: by provider, model and team (of the first call of the turn); of calls that have a session and a row of their own';
    COMMENT ON COLUMN cache_by_session_depth.provider IS 'provider of the calls';
    COMMENT ON COLUMN cache_by_session_depth.model IS 'model, as the calls name it';
    COMMENT ON COLUMN cache_by_session_depth.team IS 'team of the first call of the turn';
    COMMENT ON COLUMN cache_by_session_depth.depth IS 'which call of its session it is: 1 is the first; 1 to 10, then bands from 11, 21, 51 and 101';
    COMMENT ON COLUMN cache_by_session_depth.depth_to IS 'the last of the band; NULL: it has no end';
    COMMENT ON COLUMN cache_by_session_depth.calls IS 'number of calls';
    COMMENT ON COLUMN cache_by_session_depth.coverage IS 'share of them that report what was read from a cache';
    COMMENT ON COLUMN cache_by_session_depth.cacheable_tokens IS 'all input tokens of those; NULL where none does';
    COMMENT ON COLUMN cache_by_session_depth.cache_read_tokens IS 'what of it was read from a cache';
    COMMENT ON COLUMN cache_by_session_depth.hit_rate IS 'cache_read_tokens / cacheable_tokens';

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
        reporting text := (SELECT s.currency FROM setting s);
    BEGIN
        -- a row of several calls takes the rates below any threshold
        RETURN QUERY EXECUTE $query$
            WITH call AS (
                SELECT tokenomics.period_start('month', $3, u.at) AS period, u.provider, u.model, u.team, u.calls, u.tokens,
                       tokenomics.meter(u.tokens, 'cache_read') AS read,
                       tokenomics.rates_in_force((SELECT book()), u.provider, u.model, u.at,
                           CASE WHEN u.calls = 1 OR u.tokens IS NULL THEN u.tokens ELSE '{}' END, u.service_tier) AS rates
                FROM usage u WHERE u.at >= $1 AND u.at < $2
            ), counted AS (
                SELECT (c.period AT TIME ZONE $3)::date AS month, c.provider, c.model, c.team, tokenomics.currency(c.rates) AS currency,
                       sum(c.calls)::bigint AS calls, trim_scale(coalesce(sum(c.calls) FILTER (WHERE c.read IS NOT NULL), 0) / sum(c.calls)) AS coverage,
                       sum(tokenomics.input_total(c.tokens)) FILTER (WHERE c.read IS NOT NULL)::bigint AS cacheable, sum(c.read)::bigint AS read,
                       sum(coalesce(tokenomics.meter(c.tokens, 'cache_write') + tokenomics.meter(c.tokens, 'cache_write_1h'),
                                    tokenomics.meter(c.tokens, 'cache_write'), tokenomics.meter(c.tokens, 'cache_write_1h')))::bigint AS written,
                       trim_scale(sum(tokenomics.net_cache_saving(c.tokens, c.rates))) AS saving
                FROM call c GROUP BY 1, 2, 3, 4, 5
            )
            SELECT c.month, c.provider, c.model, c.team, c.currency, c.calls, c.coverage, c.cacheable, c.read, c.written,
                   trim_scale(c.read / nullif(c.cacheable, 0)::numeric), c.saving, $4, convert_currency(c.saving, c.currency, $4, c.month, 'month')
            FROM counted c
            ORDER BY c.month, c.provider, c.model, c.team, c.currency$query$
        USING coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), in_zone, reporting;
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
        cache_by_session_depth_between(timestamptz, timestamptz, text),
        costliest_turns(integer, timestamptz, timestamptz),
        fan_out_between(timestamptz, timestamptz, text),
        turns_between(timestamptz, timestamptz),
        cap_reasoning(bigint, timestamptz, timestamptz),
        cap_reasoning(bigint[], timestamptz, timestamptz),
        reasoning_profile_between(timestamptz, timestamptz, text);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_behaviour() IS 'part of uninstall(): drops what install_behaviour() made';
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
                   CASE WHEN t.tokens > 0 OR d.has_stopped THEN 0 ELSE ceil(k.upper) END, reporting, CASE WHEN t.lacks_rate IS NULL THEN t.cost END, l.low, l.high,
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
-- Offers for tokens, and what each costs on a workload.

-- By hand: a slide in one line.

CREATE FUNCTION cost_per_mtok(price_per_gpu_hour numeric, tokens_per_second_per_gpu numeric, utilization numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_cost_per_mtok' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cost_per_mtok(numeric, numeric, numeric) IS
    'what a million tokens cost on a rented GPU: price_per_gpu_hour * 1000000 / (tokens_per_second_per_gpu * 3600 * utilization)';

CREATE FUNCTION needed_price(cost_per_mtok numeric, tokens_per_second_per_gpu numeric, utilization numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_needed_price' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION needed_price(numeric, numeric, numeric) IS
    'the price per GPU-hour at which a million tokens cost so much, exact';

CREATE FUNCTION needed_throughput(cost_per_mtok numeric, price_per_gpu_hour numeric, utilization numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_needed_throughput' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION needed_throughput(numeric, numeric, numeric) IS
    'the tokens per second and GPU at which a million tokens cost so much';

CREATE FUNCTION needed_utilization(cost_per_mtok numeric, price_per_gpu_hour numeric, tokens_per_second_per_gpu numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_needed_utilization' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION needed_utilization(numeric, numeric, numeric) IS
    'the utilization at which a million tokens cost so much; above 1: that cannot be had at this price and throughput';

-- The same work, as another vendor would count it.

CREATE FUNCTION adjust_tokens(tokens tokens, tokenizer_factor numeric, output_factor numeric DEFAULT NULL, cache_hit_rate numeric DEFAULT NULL) RETURNS tokens
    AS 'MODULE_PATHNAME', 'quote_adjust_tokens' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION adjust_tokens(tokens, numeric, numeric, numeric) IS
    'tokens as another vendor would count them: all that are tokens times tokenizer_factor, output also times output_factor, and of the input cache_hit_rate (NULL: as it is) read from the cache, which moves tokens only among input, cache_read and cache writes; rounded to whole tokens, meter by meter';

CREATE FUNCTION average_call(tokens tokens, calls bigint) RETURNS tokens
    AS 'MODULE_PATHNAME', 'quote_average_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION average_call(tokens, bigint) IS
    'a call as they are on average: its input, rounded up, lies between the same two thresholds as that of all calls does, and every meter that they use has at least one token';

-- Load and capacity.  A load is what weights make of tokens: those of a vendor
-- of provisioned throughput, or the rates of a GPU.

CREATE FUNCTION capacity_need(
    minutes tokens[],
    minutes_each bigint,
    span_minutes bigint,
    input_weight numeric,
    cache_read_weight numeric,
    output_weight numeric,
    larger_side boolean,
    percentile numeric
) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_capacity_need' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION capacity_need(tokens[], bigint, bigint, numeric, numeric, numeric, boolean, numeric) IS
    'the load per minute that a share (percentile; 1: the peak) of all minutes of a span does not exceed; each element is the tokens of minutes_each minutes, minutes without an element are empty; where larger_side is true the larger of the loads of input and output counts, not their sum';

CREATE TYPE served_load AS (
    demand numeric,
    served numeric,
    excess numeric,
    served_tokens tokens,
    excess_tokens tokens,
    minutes bigint,
    active_minutes bigint,
    excess_minutes bigint
);
COMMENT ON TYPE served_load IS 'what a capacity serves of a workload, from serve_minutes()';
COMMENT ON COLUMN served_load.demand IS 'load of all minutes';
COMMENT ON COLUMN served_load.served IS 'what of it the capacity serves, minute by minute';
COMMENT ON COLUMN served_load.excess IS 'what exceeds it: demand = served + excess, exactly';
COMMENT ON COLUMN served_load.served_tokens IS 'tokens that are served';
COMMENT ON COLUMN served_load.excess_tokens IS 'tokens that are not: the same part of each meter of a minute, to whole tokens; both add up to the workload exactly';
COMMENT ON COLUMN served_load.minutes IS 'minutes of the span';
COMMENT ON COLUMN served_load.active_minutes IS 'minutes in which there are tokens';
COMMENT ON COLUMN served_load.excess_minutes IS 'minutes in which the load exceeds the capacity';

CREATE FUNCTION serve_minutes(
    minutes tokens[],
    minutes_each bigint,
    span_minutes bigint,
    input_weight numeric,
    cache_read_weight numeric,
    output_weight numeric,
    larger_side boolean,
    capacity numeric
) RETURNS served_load
    AS 'MODULE_PATHNAME', 'quote_serve_minutes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serve_minutes(tokens[], bigint, bigint, numeric, numeric, numeric, boolean, numeric) IS
    'what a capacity, a load per minute, serves of each minute, and what exceeds it';

CREATE FUNCTION step_units(need numeric, minimum numeric, increment numeric, maximum numeric DEFAULT NULL) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_step_units' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION step_units(numeric, numeric, numeric, numeric) IS
    'the fewest units on offer (the minimum and whole increments) that meet a need, or the most up to the maximum';

-- Operating points.

CREATE FUNCTION monotone_interpolate(x numeric[], y numeric[], at numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_monotone_interpolate' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION monotone_interpolate(numeric[], numeric[], numeric) IS
    'the value at a place between points of ascending x, on a smooth curve through them that is monotone where they are (Steffen 1990), to 9 decimals; NULL outside of them: it never extrapolates';

CREATE FUNCTION operating_point_at(
    interactivity numeric[],
    output_rate numeric[],
    input_rate numeric[],
    asked numeric,
    OUT interactivity_reached numeric,
    OUT output_rate_reached numeric,
    OUT input_rate_reached numeric
) RETURNS record
    AS 'MODULE_PATHNAME', 'quote_operating_point_at' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION operating_point_at(numeric[], numeric[], numeric[], numeric) IS
    'the rates of tokens per second and GPU at an interactivity (tokens per second and user), between the points that no other beats in both interactivity and output; where all are more interactive, or NULL is asked, those of the point with the most output; NULL where none is so interactive';

-- Cost curves: what an offer costs as a workload is scaled.

CREATE TYPE cost_curve AS (
    from_scale numeric[],
    fixed numeric[],
    slope numeric[],
    until numeric
);
COMMENT ON TYPE cost_curve IS 'what an offer costs on a workload that is scaled, in straight pieces: 1 is the workload as it is';
COMMENT ON COLUMN cost_curve.from_scale IS 'where each piece begins, itself not included; the first at 0';
COMMENT ON COLUMN cost_curve.fixed IS 'cost of a piece: fixed + slope * scale';
COMMENT ON COLUMN cost_curve.slope IS 'cost of a piece: fixed + slope * scale';
COMMENT ON COLUMN cost_curve.until IS 'the scale up to which the curve is known, or the offer serves; NULL: any';

CREATE FUNCTION committed_curve(usage numeric, commitment numeric DEFAULT NULL, commitment_discount numeric DEFAULT NULL, minimum numeric DEFAULT NULL) RETURNS cost_curve
    AS 'MODULE_PATHNAME', 'quote_committed_curve' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION committed_curve(numeric, numeric, numeric, numeric) IS
    'usage at its price; a commitment is paid in any case and covers commitment / (1 - commitment_discount) of usage, what is beyond costs its price; the bill is never below the minimum';

CREATE FUNCTION step_curve(price_per_unit numeric, need numeric, minimum numeric, increment numeric, maximum numeric DEFAULT NULL) RETURNS cost_curve
    AS 'MODULE_PATHNAME', 'quote_step_curve' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION step_curve(numeric, numeric, numeric, numeric, numeric) IS
    'whole units, as many as step_units() says that the scaled need takes; it is followed over 1000 steps';

CREATE FUNCTION spillover_curve(
    minutes tokens[],
    minutes_each bigint,
    span_minutes bigint,
    input_weight numeric,
    cache_read_weight numeric,
    output_weight numeric,
    larger_side boolean,
    capacity numeric,
    fixed numeric,
    rates rates,
    tokenizer_factor numeric DEFAULT NULL,
    output_factor numeric DEFAULT NULL,
    cache_hit_rate numeric DEFAULT NULL
) RETURNS cost_curve
    AS 'MODULE_PATHNAME', 'quote_spillover_curve' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION spillover_curve(tokens[], bigint, bigint, numeric, numeric, numeric, boolean, numeric, numeric, rates, numeric, numeric, numeric) IS
    'a capacity for a fixed price, and the rates of tokens for what exceeds it, minute by minute; NULL where a meter has no rate';

CREATE FUNCTION curve_cost(curve cost_curve, scale numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_curve_cost' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION curve_cost(cost_curve, numeric) IS 'the cost at a scale; NULL above where the curve ends';

CREATE FUNCTION crossings(curve cost_curve, baseline cost_curve, OUT scale numeric, OUT is_cheaper_above boolean, OUT is_equal boolean) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'quote_crossings' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 2;
COMMENT ON FUNCTION crossings(cost_curve, cost_curve) IS
    'the scales at which two offers break even, ascending: whether the first is cheaper above, and whether the costs are equal there (else one of them makes a step)';

CREATE TYPE quoted_cost AS (
    workload text,
    quote text,
    vendor text,
    kind text,
    rank bigint,
    serves boolean,
    reason text,
    notes text[],
    currency text,
    cost_per_mtok numeric,
    cost_per_mtok_input numeric,
    cost_per_mtok_output numeric,
    cost_per_mtok_visible_output numeric,
    monthly_bill numeric,
    cost_per_call numeric,
    cost_per_turn numeric,
    cost_per_session numeric,
    interactivity numeric,
    units_needed numeric,
    units numeric,
    shortfall_tokens bigint,
    shortfall_hours numeric,
    spillover_tokens bigint,
    spillover_hours numeric,
    spillover_cost numeric,
    achieved_utilization numeric,
    idle_share numeric,
    baseline text,
    break_even_volumes numeric[],
    break_even_utilization numeric,
    reporting_currency text,
    cost_per_mtok_converted numeric,
    monthly_bill_converted numeric
);
COMMENT ON TYPE quoted_cost IS 'what a quote costs on a workload: a row of compare_quotes()';
COMMENT ON COLUMN quoted_cost.workload IS 'the workload';
COMMENT ON COLUMN quoted_cost.quote IS 'the quote';
COMMENT ON COLUMN quoted_cost.vendor IS 'who made it';
COMMENT ON COLUMN quoted_cost.kind IS 'tokens, gpu_hour or provisioned';
COMMENT ON COLUMN quoted_cost.rank IS '1: the cheapest of those that can serve; then those of which nobody knows, then those that cannot; by cost_per_mtok_converted';
COMMENT ON COLUMN quoted_cost.serves IS 'whether it can serve the workload as asked; NULL: nobody knows';
COMMENT ON COLUMN quoted_cost.reason IS 'why it cannot, why nobody knows, or why there is no cost';
COMMENT ON COLUMN quoted_cost.notes IS 'what to know of the figures: factors that are assumed, a shape that is stated, a ratio of input to output that was not measured, ...';
COMMENT ON COLUMN quoted_cost.currency IS 'currency of the amounts';
COMMENT ON COLUMN quoted_cost.cost_per_mtok IS 'the bill per million tokens of the workload that are served, as the workload counts them';
COMMENT ON COLUMN quoted_cost.cost_per_mtok_input IS 'the whole bill per million input tokens; never to be added to that of output';
COMMENT ON COLUMN quoted_cost.cost_per_mtok_output IS 'the whole bill per million output tokens';
COMMENT ON COLUMN quoted_cost.cost_per_mtok_visible_output IS 'the whole bill per million output tokens that are not reasoning';
COMMENT ON COLUMN quoted_cost.monthly_bill IS 'the bill of a month of 730 hours';
COMMENT ON COLUMN quoted_cost.cost_per_call IS 'the bill by calls';
COMMENT ON COLUMN quoted_cost.cost_per_turn IS 'the bill by turns; NULL where not all calls name theirs';
COMMENT ON COLUMN quoted_cost.cost_per_session IS 'the bill by sessions; NULL where not all calls name theirs';
COMMENT ON COLUMN quoted_cost.interactivity IS 'tokens per second and user of the operating point';
COMMENT ON COLUMN quoted_cost.units_needed IS 'GPUs or units that the peak (or the percentile asked) needs, before whole units';
COMMENT ON COLUMN quoted_cost.units IS 'GPUs or units that are paid';
COMMENT ON COLUMN quoted_cost.shortfall_tokens IS 'tokens of the workload''s span that are not served';
COMMENT ON COLUMN quoted_cost.shortfall_hours IS 'hours of the span in which some are not';
COMMENT ON COLUMN quoted_cost.spillover_tokens IS 'tokens of the span that exceed the capacity and are bought by the spillover book';
COMMENT ON COLUMN quoted_cost.spillover_hours IS 'hours of the span in which there are some';
COMMENT ON COLUMN quoted_cost.spillover_cost IS 'what they cost, over the span';
COMMENT ON COLUMN quoted_cost.achieved_utilization IS 'what is served, as a fraction of what the paid hours could serve';
COMMENT ON COLUMN quoted_cost.idle_share IS 'the rest: what is paid for and not used';
COMMENT ON COLUMN quoted_cost.baseline IS 'what it breaks even with: a quote, or the pay-as-you-go price of its model';
COMMENT ON COLUMN quoted_cost.break_even_volumes IS 'tokens a month, in the shape of the workload, at which one becomes cheaper than the other, ascending; explain_quote() says which';
COMMENT ON COLUMN quoted_cost.break_even_utilization IS 'utilization of a unit at which it costs what the baseline does; above 1: never';
COMMENT ON COLUMN quoted_cost.reporting_currency IS 'currency of the converted amounts';
COMMENT ON COLUMN quoted_cost.cost_per_mtok_converted IS 'cost_per_mtok at the exchange rate of the day of the quote; NULL where there is none';
COMMENT ON COLUMN quoted_cost.monthly_bill_converted IS 'monthly_bill at the same rate';

CREATE TYPE quote_step AS (
    step integer,
    what text,
    value numeric,
    unit text,
    how text
);
COMMENT ON TYPE quote_step IS 'a step of explain_quote()';
COMMENT ON COLUMN quote_step.step IS 'number of the step';
COMMENT ON COLUMN quote_step.what IS 'what is reckoned';
COMMENT ON COLUMN quote_step.value IS 'its value; NULL where it is a remark, or not known';
COMMENT ON COLUMN quote_step.unit IS 'unit of the value';
COMMENT ON COLUMN quote_step.how IS 'how it comes about';

-- Makes the tables, functions and the view in the schema that comes first in
-- search_path; called by install().
CREATE PROCEDURE install_quote() LANGUAGE plpgsql
AS $install$
DECLARE
    col record;
BEGIN
    CREATE TABLE IF NOT EXISTS quote (
        name text PRIMARY KEY CONSTRAINT quote_name_not_empty CHECK (name <> ''),
        kind text NOT NULL CONSTRAINT quote_kind_known CHECK (kind IN ('tokens', 'gpu_hour', 'provisioned')),
        vendor text NOT NULL CONSTRAINT quote_vendor_not_empty CHECK (vendor <> ''),
        quoted_at timestamptz NOT NULL DEFAULT now() CONSTRAINT quote_quoted_at_finite CHECK (isfinite(quoted_at)),
        valid tstzrange NOT NULL DEFAULT tstzrange(NULL, NULL) CONSTRAINT quote_valid_not_empty CHECK (NOT isempty(valid)),
        provider text CONSTRAINT quote_provider_not_empty CHECK (provider <> ''),
        model text CONSTRAINT quote_model_not_empty CHECK (model <> ''),
        tokenizer_factor numeric NOT NULL DEFAULT 1 CONSTRAINT quote_tokenizer_factor_positive CHECK (tokenizer_factor > 0 AND tokenizer_factor < 'infinity'),
        tokenizer_factor_assumed boolean NOT NULL DEFAULT true,
        output_factor numeric NOT NULL DEFAULT 1 CONSTRAINT quote_output_factor_positive CHECK (output_factor > 0 AND output_factor < 'infinity'),
        output_factor_assumed boolean NOT NULL DEFAULT true,
        cache_hit_rate numeric CONSTRAINT quote_cache_hit_rate_share CHECK (cache_hit_rate BETWEEN 0 AND 1),
        cache_hit_rate_assumed boolean NOT NULL DEFAULT true,
        -- tokens
        book text CONSTRAINT quote_book_not_empty CHECK (book <> ''),
        service_tier text CONSTRAINT quote_service_tier_not_empty CHECK (service_tier <> ''),
        discount numeric CONSTRAINT quote_discount_share CHECK (discount >= 0 AND discount < 1),
        commitment numeric CONSTRAINT quote_commitment_not_negative CHECK (commitment >= 0 AND commitment < 'infinity'),
        commitment_discount numeric CONSTRAINT quote_commitment_discount_share CHECK (commitment_discount >= 0 AND commitment_discount < 1),
        minimum_spend numeric CONSTRAINT quote_minimum_spend_not_negative CHECK (minimum_spend >= 0 AND minimum_spend < 'infinity'),
        -- gpu_hour and provisioned
        currency text CONSTRAINT quote_currency_code CHECK (currency ~ '^[A-Z][A-Z0-9_]{2,7}$'),
        -- gpu_hour
        price_per_gpu_hour numeric CONSTRAINT quote_price_per_gpu_hour_not_negative CHECK (price_per_gpu_hour >= 0 AND price_per_gpu_hour < 'infinity'),
        gpus_min numeric CONSTRAINT quote_gpus_min_whole CHECK (gpus_min >= 1 AND gpus_min = trunc(gpus_min)),
        gpus_step numeric CONSTRAINT quote_gpus_step_whole CHECK (gpus_step >= 1 AND gpus_step = trunc(gpus_step)),
        gpus_max numeric CONSTRAINT quote_gpus_max_whole CHECK (gpus_max >= gpus_min AND gpus_max = trunc(gpus_max)),
        utilization_ceiling numeric CONSTRAINT quote_utilization_ceiling_share CHECK (utilization_ceiling > 0 AND utilization_ceiling <= 1),
        hours_per_month numeric CONSTRAINT quote_hours_per_month_at_most_730 CHECK (hours_per_month > 0 AND hours_per_month <= 730),
        -- provisioned
        units numeric CONSTRAINT quote_units_whole CHECK (units >= 1 AND units = trunc(units)),
        units_min numeric CONSTRAINT quote_units_min_whole CHECK (units_min >= 1 AND units_min = trunc(units_min)),
        units_increment numeric CONSTRAINT quote_units_increment_whole CHECK (units_increment >= 1 AND units_increment = trunc(units_increment)),
        price_per_unit_hour numeric CONSTRAINT quote_price_per_unit_hour_not_negative CHECK (price_per_unit_hour >= 0 AND price_per_unit_hour < 'infinity'),
        price_per_unit_month numeric CONSTRAINT quote_price_per_unit_month_not_negative CHECK (price_per_unit_month >= 0 AND price_per_unit_month < 'infinity'),
        tokens_per_minute_per_unit numeric CONSTRAINT quote_tokens_per_minute_per_unit_positive CHECK (tokens_per_minute_per_unit > 0 AND tokens_per_minute_per_unit < 'infinity'),
        cache_read_weight numeric CONSTRAINT quote_cache_read_weight_not_negative CHECK (cache_read_weight >= 0 AND cache_read_weight < 'infinity'),
        output_weight numeric CONSTRAINT quote_output_weight_not_negative CHECK (output_weight >= 0 AND output_weight < 'infinity'),
        spillover_book text CONSTRAINT quote_spillover_book_not_empty CHECK (spillover_book <> ''),
        spillover_service_tier text CONSTRAINT quote_spillover_service_tier_not_empty CHECK (spillover_service_tier <> ''),
        source text,
        CONSTRAINT quote_model_has_provider CHECK ((provider IS NULL) = (model IS NULL)),
        -- a quote has all that its kind needs, and nothing of another
        CONSTRAINT quote_tokens_needs_book CHECK (kind <> 'tokens' OR book IS NOT NULL),
        CONSTRAINT quote_tokens_needs_model CHECK (kind <> 'tokens' OR model IS NOT NULL),
        CONSTRAINT quote_tokens_commitment_discount_needs_commitment CHECK (commitment IS NOT NULL OR commitment_discount IS NULL),
        CONSTRAINT quote_gpu_hour_needs_price_per_gpu_hour CHECK (kind <> 'gpu_hour' OR price_per_gpu_hour IS NOT NULL),
        CONSTRAINT quote_gpu_hour_needs_currency CHECK (kind <> 'gpu_hour' OR currency IS NOT NULL),
        CONSTRAINT quote_gpu_hour_needs_gpus_min CHECK (kind <> 'gpu_hour' OR gpus_min IS NOT NULL),
        CONSTRAINT quote_gpu_hour_needs_gpus_step CHECK (kind <> 'gpu_hour' OR gpus_step IS NOT NULL),
        CONSTRAINT quote_gpu_hour_needs_utilization_ceiling CHECK (kind <> 'gpu_hour' OR utilization_ceiling IS NOT NULL),
        CONSTRAINT quote_provisioned_needs_one_price CHECK (kind <> 'provisioned' OR (price_per_unit_hour IS NULL) <> (price_per_unit_month IS NULL)),
        CONSTRAINT quote_provisioned_needs_currency CHECK (kind <> 'provisioned' OR currency IS NOT NULL),
        CONSTRAINT quote_provisioned_needs_tokens_per_minute_per_unit CHECK (kind <> 'provisioned' OR tokens_per_minute_per_unit IS NOT NULL),
        CONSTRAINT quote_provisioned_needs_cache_read_weight CHECK (kind <> 'provisioned' OR cache_read_weight IS NOT NULL),
        CONSTRAINT quote_provisioned_needs_output_weight CHECK (kind <> 'provisioned' OR output_weight IS NOT NULL),
        CONSTRAINT quote_provisioned_needs_units_min CHECK (kind <> 'provisioned' OR units_min IS NOT NULL),
        CONSTRAINT quote_provisioned_needs_units_increment CHECK (kind <> 'provisioned' OR units_increment IS NOT NULL),
        CONSTRAINT quote_provisioned_units_on_offer CHECK (units >= units_min AND mod(units - units_min, units_increment) = 0),
        CONSTRAINT quote_provisioned_spillover_needs_model CHECK (spillover_book IS NULL OR model IS NOT NULL),
        CONSTRAINT quote_provisioned_spillover_tier_needs_book CHECK (spillover_book IS NOT NULL OR spillover_service_tier IS NULL),
        CONSTRAINT quote_not_of_tokens CHECK (kind = 'tokens' OR num_nonnulls(book, service_tier, discount, commitment, commitment_discount, minimum_spend) = 0),
        CONSTRAINT quote_currency_is_of_the_book CHECK (kind <> 'tokens' OR currency IS NULL),
        CONSTRAINT quote_not_of_gpu_hour CHECK (kind = 'gpu_hour'
            OR num_nonnulls(price_per_gpu_hour, gpus_min, gpus_step, gpus_max, utilization_ceiling, hours_per_month) = 0),
        CONSTRAINT quote_not_of_provisioned CHECK (kind = 'provisioned'
            OR num_nonnulls(units, units_min, units_increment, price_per_unit_hour, price_per_unit_month, tokens_per_minute_per_unit,
                            cache_read_weight, output_weight, spillover_book, spillover_service_tier) = 0)
    );
    COMMENT ON TABLE quote IS 'tokenomics: offers for tokens, of three kinds: tokens by a price book, GPUs by the hour, provisioned throughput';
    COMMENT ON COLUMN quote.name IS 'name of the quote';
    COMMENT ON COLUMN quote.kind IS 'tokens, gpu_hour or provisioned: which of the columns below it has';
    COMMENT ON COLUMN quote.vendor IS 'who made it';
    COMMENT ON COLUMN quote.quoted_at IS 'when it was made; books and exchange rates are those of this time';
    COMMENT ON COLUMN quote.valid IS 'when it holds';
    COMMENT ON COLUMN quote.provider IS 'provider of the model in price books';
    COMMENT ON COLUMN quote.model IS 'the model; of gpu_hour and provisioned, for the pay-as-you-go price that they are compared with';
    COMMENT ON COLUMN quote.tokenizer_factor IS 'tokens that it counts for one of the workload';
    COMMENT ON COLUMN quote.tokenizer_factor_assumed IS 'whether that is assumed, not measured';
    COMMENT ON COLUMN quote.output_factor IS 'output tokens that its model makes for one of the workload: verbosity, thinking';
    COMMENT ON COLUMN quote.output_factor_assumed IS 'whether that is assumed, not measured';
    COMMENT ON COLUMN quote.cache_hit_rate IS 'which part of the input is read from its cache, 0 to 1; NULL: as in the workload';
    COMMENT ON COLUMN quote.cache_hit_rate_assumed IS 'whether that is assumed, not measured';
    COMMENT ON COLUMN quote.book IS 'tokens: the price book';
    COMMENT ON COLUMN quote.service_tier IS 'tokens: the service tier; NULL: standard';
    COMMENT ON COLUMN quote.discount IS 'tokens: discount on all prices of the book, a fraction';
    COMMENT ON COLUMN quote.commitment IS 'tokens: amount a month that is paid in any case, in the currency of the book';
    COMMENT ON COLUMN quote.commitment_discount IS 'tokens: discount on the usage that the commitment covers, a fraction; on top of discount';
    COMMENT ON COLUMN quote.minimum_spend IS 'tokens: the least amount a month';
    COMMENT ON COLUMN quote.currency IS 'gpu_hour, provisioned: currency of the prices';
    COMMENT ON COLUMN quote.price_per_gpu_hour IS 'gpu_hour: price of a GPU for an hour';
    COMMENT ON COLUMN quote.gpus_min IS 'gpu_hour: the least number of GPUs';
    COMMENT ON COLUMN quote.gpus_step IS 'gpu_hour: GPUs are added by this number, such as 8';
    COMMENT ON COLUMN quote.gpus_max IS 'gpu_hour: the most GPUs; NULL: any number';
    COMMENT ON COLUMN quote.utilization_ceiling IS 'gpu_hour: how much of the measured rates sizing counts on, 0 to 1; the achieved utilization is a result';
    COMMENT ON COLUMN quote.hours_per_month IS 'gpu_hour: hours paid of the 730 of a month; NULL: all';
    COMMENT ON COLUMN quote.units IS 'provisioned: units bought; NULL: as many as the workload needs';
    COMMENT ON COLUMN quote.units_min IS 'provisioned: the least number of units';
    COMMENT ON COLUMN quote.units_increment IS 'provisioned: units are added by this number';
    COMMENT ON COLUMN quote.price_per_unit_hour IS 'provisioned: price of a unit for an hour';
    COMMENT ON COLUMN quote.price_per_unit_month IS 'provisioned: or for a month of 730 hours';
    COMMENT ON COLUMN quote.tokens_per_minute_per_unit IS 'provisioned: normalised tokens that a unit serves in a minute: input counts 1';
    COMMENT ON COLUMN quote.cache_read_weight IS 'provisioned: normalised tokens of one read from the cache';
    COMMENT ON COLUMN quote.output_weight IS 'provisioned: normalised tokens of one of output';
    COMMENT ON COLUMN quote.spillover_book IS 'provisioned: book that prices what exceeds the units; NULL: it is not served';
    COMMENT ON COLUMN quote.spillover_service_tier IS 'provisioned: service tier of that; NULL: standard';
    COMMENT ON COLUMN quote.source IS 'where it is from';

    CREATE TABLE IF NOT EXISTS operating_point (
        quote text NOT NULL REFERENCES quote ON UPDATE CASCADE ON DELETE CASCADE,
        concurrency integer CONSTRAINT operating_point_concurrency_positive CHECK (concurrency > 0),
        interactivity numeric CONSTRAINT operating_point_interactivity_positive CHECK (interactivity > 0 AND interactivity < 'infinity'),
        ttft integer CONSTRAINT operating_point_ttft_not_negative CHECK (ttft >= 0),
        input_tokens_per_second numeric CONSTRAINT operating_point_input_rate_positive CHECK (input_tokens_per_second > 0 AND input_tokens_per_second < 'infinity'),
        output_tokens_per_second numeric CONSTRAINT operating_point_output_rate_positive CHECK (output_tokens_per_second > 0 AND output_tokens_per_second < 'infinity'),
        measured_together boolean NOT NULL DEFAULT true,
        input_length numeric CONSTRAINT operating_point_input_length_positive CHECK (input_length > 0 AND input_length < 'infinity'),
        output_length numeric CONSTRAINT operating_point_output_length_positive CHECK (output_length > 0 AND output_length < 'infinity'),
        source text,
        CONSTRAINT operating_point_apart_needs_both_rates
            CHECK (measured_together OR num_nonnulls(input_tokens_per_second, output_tokens_per_second) = 2),
        CONSTRAINT operating_point_once UNIQUE NULLS NOT DISTINCT (quote, interactivity, concurrency, ttft)
    );
    COMMENT ON TABLE operating_point IS 'tokenomics: at which speed for the user an offer serves, and how much it serves then';
    COMMENT ON COLUMN operating_point.quote IS 'the quote';
    COMMENT ON COLUMN operating_point.concurrency IS 'requests at a time';
    COMMENT ON COLUMN operating_point.interactivity IS 'output tokens per second that one user sees: 1000 / milliseconds per output token; NULL: not known, as in offline batches';
    COMMENT ON COLUMN operating_point.ttft IS 'milliseconds to the first token';
    COMMENT ON COLUMN operating_point.input_tokens_per_second IS 'input tokens per second and GPU, not cached; NULL: not the limit, or not known';
    COMMENT ON COLUMN operating_point.output_tokens_per_second IS 'output tokens per second and GPU; of tokens and provisioned NULL: only the speed is promised';
    COMMENT ON COLUMN operating_point.measured_together IS 'whether both rates were reached at the same time; else each takes a GPU of its own';
    COMMENT ON COLUMN operating_point.input_length IS 'input tokens of a call as it was measured';
    COMMENT ON COLUMN operating_point.output_length IS 'output tokens of a call as it was measured';
    COMMENT ON COLUMN operating_point.source IS 'where it is from';

    CREATE TABLE IF NOT EXISTS workload (
        name text PRIMARY KEY CONSTRAINT workload_name_not_empty CHECK (name <> ''),
        is_stated boolean NOT NULL,
        from_at timestamptz,
        to_at timestamptz,
        zone text NOT NULL,
        filter jsonb,
        calls bigint NOT NULL CONSTRAINT workload_calls_positive CHECK (calls > 0),
        calls_unreported bigint NOT NULL DEFAULT 0,
        turns bigint CONSTRAINT workload_turns_positive CHECK (turns > 0),
        sessions bigint CONSTRAINT workload_sessions_positive CHECK (sessions > 0),
        users bigint CONSTRAINT workload_users_positive CHECK (users > 0),
        span_minutes bigint NOT NULL CONSTRAINT workload_span_positive CHECK (span_minutes > 0),
        tokens tokenomics.tokens NOT NULL CONSTRAINT workload_tokens_positive CHECK (tokenomics.total(tokens) > 0),
        calls_in_buckets bigint NOT NULL DEFAULT 0,
        profile tokenomics.demand_profile,
        peak_to_average numeric NOT NULL CONSTRAINT workload_peak_not_below_average CHECK (peak_to_average >= 1 AND peak_to_average < 'infinity'),
        sizes tokenomics.ledger,
        size_edges bigint[],
        recorded_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT workload_measured_has_span CHECK (is_stated OR num_nonnulls(from_at, to_at, profile, sizes, size_edges) = 5)
    );
    COMMENT ON TABLE workload IS 'tokenomics: work by which quotes are judged, kept by name: measured by measure_workload(), or stated by state_workload()';
    COMMENT ON COLUMN workload.name IS 'name of the workload';
    COMMENT ON COLUMN workload.is_stated IS 'whether it is stated by hand: its shape is flat then, and its peak what somebody says';
    COMMENT ON COLUMN workload.from_at IS 'when its span begins';
    COMMENT ON COLUMN workload.to_at IS 'when its span ends, itself not included';
    COMMENT ON COLUMN workload.zone IS 'time zone of its days';
    COMMENT ON COLUMN workload.filter IS 'which calls it is of; NULL: all';
    COMMENT ON COLUMN workload.calls IS 'calls';
    COMMENT ON COLUMN workload.calls_unreported IS 'those of them whose tokens nobody reported; they are not in tokens';
    COMMENT ON COLUMN workload.turns IS 'turns; NULL where not all calls name theirs';
    COMMENT ON COLUMN workload.sessions IS 'sessions; NULL where not all calls name theirs';
    COMMENT ON COLUMN workload.users IS 'users; NULL where not all calls name theirs';
    COMMENT ON COLUMN workload.span_minutes IS 'minutes of the span, those without a call too';
    COMMENT ON COLUMN workload.tokens IS 'all its tokens, by meter';
    COMMENT ON COLUMN workload.calls_in_buckets IS 'those of them in rows of several calls, whose minutes are not known: they count as of the time of their row';
    COMMENT ON COLUMN workload.profile IS 'the tokens of each minute; NULL of a stated one';
    COMMENT ON COLUMN workload.peak_to_average IS 'of a stated one: the peak minute against the mean; of a measured one 1, its minutes say it';
    COMMENT ON COLUMN workload.sizes IS 'its calls by quarter of an hour and by size of their input, by which thresholds and off-peak hours are priced';
    COMMENT ON COLUMN workload.size_edges IS 'the sizes of input at which calls are told apart';
    COMMENT ON COLUMN workload.recorded_at IS 'when it was recorded';

    CREATE OR REPLACE FUNCTION measure_workload(
        name text,
        from_at timestamptz,
        to_at timestamptz,
        provider text DEFAULT NULL,
        model text DEFAULT NULL,
        service_tier text DEFAULT NULL,
        team text DEFAULT NULL,
        project text DEFAULT NULL,
        agent text DEFAULT NULL,
        user_id text DEFAULT NULL,
        tags jsonb DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS bigint
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        edges bigint[] := ARRAY(SELECT e FROM (SELECT unnest('{32000,128000,200000,256000,272000}'::bigint[]) AS e
                                               UNION SELECT p.above_input_tokens FROM price p WHERE p.above_input_tokens > 0) x ORDER BY e);
        -- prices only to tell sizes apart: each meter has a rate, so that no call is without one
        sizing tokenomics.price_book := (
            SELECT jsonb_build_object('books', jsonb_build_array(jsonb_build_object('book', 'size', 'prices', jsonb_agg(
                jsonb_build_object('provider', 'size', 'model', 'size', 'above_input_tokens', e,
                                   'rates', '{"currency": "XXX", "input": 0, "output": 0, "tool_calls": 0, "cache_storage": 0}'::jsonb)))))::text::tokenomics.price_book
            FROM unnest(0 || edges) e);
        in_zone text := coalesce(measure_workload.zone, (SELECT s.zone FROM setting s));
        called bigint;
    BEGIN
        IF measure_workload.from_at IS NULL OR measure_workload.to_at IS NULL
            OR NOT isfinite(measure_workload.from_at) OR NOT isfinite(measure_workload.to_at) OR measure_workload.from_at >= measure_workload.to_at THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('a workload needs a span with a start and an end, not from %s to %s',
                                 coalesce(measure_workload.from_at::text, 'NULL'), coalesce(measure_workload.to_at::text, 'NULL'));
        END IF;
        IF date_trunc('minute', measure_workload.from_at) <> measure_workload.from_at OR date_trunc('minute', measure_workload.to_at) <> measure_workload.to_at THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('the span from %s to %s is not of whole minutes', measure_workload.from_at, measure_workload.to_at),
                HINT = 'Capacity is judged minute by minute: a part of one would look like a quiet one.';
        END IF;
        IF measure_workload.to_at > now() THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('the span ends at %s, which is to come', measure_workload.to_at),
                HINT = 'What was not observed would look like idle time.';
        END IF;
        IF EXISTS (SELECT FROM workload w WHERE w.name = measure_workload.name) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'unique_violation',
                MESSAGE = format('there is a workload "%s" already', measure_workload.name),
                HINT = 'Quotes are judged by it, then and now: delete it, or take another name.';
        END IF;
        WITH call AS (
            SELECT u.* FROM usage u
            WHERE u.at >= measure_workload.from_at AND u.at < measure_workload.to_at
              AND (measure_workload.provider IS NULL OR u.provider = measure_workload.provider)
              AND (measure_workload.model IS NULL OR u.model = measure_workload.model)
              AND (measure_workload.service_tier IS NULL OR coalesce(u.service_tier, 'standard') = measure_workload.service_tier)
              AND (measure_workload.team IS NULL OR u.team = measure_workload.team)
              AND (measure_workload.project IS NULL OR u.project = measure_workload.project)
              AND (measure_workload.agent IS NULL OR u.agent = measure_workload.agent)
              AND (measure_workload.user_id IS NULL OR u.user_id = measure_workload.user_id)
              AND (measure_workload.tags IS NULL OR u.tags @> measure_workload.tags)
        )
        INSERT INTO workload (name, is_stated, from_at, to_at, zone, filter, calls, calls_unreported, turns, sessions, users, span_minutes,
                              tokens, calls_in_buckets, profile, peak_to_average, sizes, size_edges)
        SELECT measure_workload.name, false, measure_workload.from_at, measure_workload.to_at, in_zone,
               nullif(jsonb_strip_nulls(jsonb_build_object(
                   'provider', measure_workload.provider, 'model', measure_workload.model, 'service_tier', measure_workload.service_tier,
                   'team', measure_workload.team, 'project', measure_workload.project, 'agent', measure_workload.agent,
                   'user_id', measure_workload.user_id, 'tags', measure_workload.tags)), '{}'),
               sum(c.calls)::bigint, coalesce(sum(c.calls) FILTER (WHERE c.tokens IS NULL), 0)::bigint,
               CASE WHEN bool_and(c.turn_id IS NOT NULL) THEN count(DISTINCT c.turn_id) END,
               CASE WHEN bool_and(c.session_id IS NOT NULL) THEN count(DISTINCT c.session_id) END,
               CASE WHEN bool_and(c.user_id IS NOT NULL) THEN count(DISTINCT c.user_id) END,
               (extract(epoch FROM measure_workload.to_at - measure_workload.from_at) / 60)::bigint,
               tokenomics.sum(c.tokens),
               coalesce(sum(c.calls) FILTER (WHERE c.calls > 1), 0)::bigint,
               tokenomics.with_span(tokenomics.demand_profile(in_zone, c.at, c.tokens, c.calls), measure_workload.from_at, measure_workload.to_at),
               1,
               tokenomics.ledger(sizing, 'quarter_hour', 'UTC', c.at, 'size', 'size', NULL, c.tokens, NULL, c.calls),
               edges
        FROM call c
        HAVING count(*) > 0 AND tokenomics.total(tokenomics.sum(c.tokens)) > 0
        RETURNING calls INTO called;
        IF called IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'no_data_found',
                MESSAGE = format('there are no calls with tokens for workload "%s"', measure_workload.name),
                DETAIL = format('From %s to %s.', measure_workload.from_at, measure_workload.to_at);
        END IF;
        RETURN called;
    END
    $$;
    COMMENT ON FUNCTION measure_workload(text, timestamptz, timestamptz, text, text, text, text, text, text, text, jsonb, text) IS
        'keeps the calls of a span, or a slice of them (NULL: any), as a workload by name, and returns how many calls they are; a name that is taken is an error: quotes months apart are judged on the same work';

    CREATE OR REPLACE FUNCTION state_workload(
        name text,
        tokens tokenomics.tokens,
        calls bigint,
        days numeric,
        peak_to_average numeric,
        turns bigint DEFAULT NULL,
        sessions bigint DEFAULT NULL,
        users bigint DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS bigint
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        IF num_nulls(state_workload.name, state_workload.tokens, state_workload.calls, state_workload.days, state_workload.peak_to_average) > 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'null_value_not_allowed',
                MESSAGE = 'a stated workload needs a name, tokens, calls, days and peak_to_average';
        END IF;
        IF NOT (state_workload.days > 0 AND state_workload.days <= 36600) OR state_workload.days * 1440 <> trunc(state_workload.days * 1440) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('%s days are not a span of whole minutes', state_workload.days);
        END IF;
        INSERT INTO workload (name, is_stated, zone, calls, turns, sessions, users, span_minutes, tokens, peak_to_average)
        VALUES (state_workload.name, true, coalesce(state_workload.zone, (SELECT s.zone FROM setting s)), state_workload.calls,
                state_workload.turns, state_workload.sessions, state_workload.users, state_workload.days * 1440, state_workload.tokens,
                state_workload.peak_to_average);
        RETURN state_workload.calls;
    END
    $$;
    COMMENT ON FUNCTION state_workload(text, tokenomics.tokens, bigint, numeric, numeric, bigint, bigint, bigint, text) IS
        'keeps a workload that nobody measured: tokens and calls over so many days, flat but for a peak minute that is peak_to_average times the mean';

    CREATE OR REPLACE FUNCTION price_workload(
        workload text,
        book text,
        provider text,
        model text,
        at timestamptz,
        service_tier text DEFAULT NULL,
        tokenizer_factor numeric DEFAULT NULL,
        output_factor numeric DEFAULT NULL,
        cache_hit_rate numeric DEFAULT NULL,
        OUT cost numeric,
        OUT currency text,
        OUT rates tokenomics.rates,
        OUT is_exact boolean,
        OUT reason text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        w workload;
        prices tokenomics.price_book;
        factor numeric := coalesce(price_workload.tokenizer_factor, 1);
        probe record;
    BEGIN
        SELECT * INTO STRICT w FROM workload x WHERE x.name = price_workload.workload;
        IF price_workload.book <> 'list' AND NOT EXISTS (SELECT FROM price p WHERE p.book = price_workload.book) THEN
            reason := format('there is no book "%s"', price_workload.book);
            RETURN;
        END IF;
        prices := book(price_workload.book);
        -- what prices a call of average size, and why none does
        SELECT e.book, e.provider, e.model, e.service_tier, e.reason INTO probe
        FROM tokenomics.explain_cost(prices, price_workload.provider, price_workload.model, price_workload.at,
                 tokenomics.average_call(tokenomics.adjust_tokens(w.tokens, factor, price_workload.output_factor, price_workload.cache_hit_rate), w.calls - w.calls_unreported),
                 coalesce(price_workload.service_tier, 'standard')) e
        WHERE e.priced_by = 'contracted'
        ORDER BY e.reason IS NULL LIMIT 1;
        IF probe.reason IS NOT NULL THEN
            reason := format('%s/%s has no price in book "%s": %s', price_workload.provider, price_workload.model, price_workload.book, probe.reason);
            RETURN;
        END IF;
        WITH row AS (
            SELECT p.* FROM price p
            WHERE p.book = probe.book AND p.provider = probe.provider AND p.model = probe.model AND p.service_tier = probe.service_tier
              AND upper_inf(p.recorded) AND p.valid @> price_workload.at
        ), line AS (
            -- the hours of the week matter where there are windows: each time as it is in the week that the price is of
            SELECT CASE WHEN EXISTS (SELECT FROM row WHERE NOT isempty(row.off_peak))
                        THEN l.period + ceil(extract(epoch FROM price_workload.at - l.period) / 604800) * interval '168 hours' ELSE price_workload.at END AS at,
                   l.above_input_tokens AS above, sum(l.calls)::bigint AS calls, tokenomics.sum(l.tokens) AS tokens
            FROM tokenomics.lines(w.sizes) l WHERE l.unpriced IS NULL GROUP BY 1, 2
            UNION ALL
            SELECT price_workload.at, NULL, w.calls, w.tokens WHERE w.sizes IS NULL
        ), adjusted AS (
            SELECT l.*, tokenomics.adjust_tokens(l.tokens, factor, price_workload.output_factor, price_workload.cache_hit_rate) AS counted
            FROM line l
        ), priced AS (
            SELECT a.counted, c.rates, c.reason, tokenomics.cost(c.rates, a.counted) AS cost,
                   -- no threshold lies between the sizes of the line, and each prices a call as a whole
                   NOT EXISTS (SELECT FROM row r WHERE r.above_input_tokens > 0
                               AND (w.sizes IS NULL OR r.tier_mode = 'graduated' OR r.tier_basis <> 'input_total'
                                    OR r.above_input_tokens > a.above * factor)
                               AND r.above_input_tokens < coalesce(factor * (SELECT min(e) FROM unnest(w.size_edges) e WHERE e > a.above), 'infinity')) AS is_exact
            FROM adjusted a, LATERAL (
                SELECT (jsonb_build_object('currency', min(e.currency)) || jsonb_object_agg(e.meter, e.rate) FILTER (WHERE e.rate IS NOT NULL))::tokenomics.rates AS rates,
                       min(e.reason) AS reason
                FROM tokenomics.explain_cost(prices, price_workload.provider, price_workload.model, a.at, tokenomics.average_call(a.counted, a.calls),
                                             coalesce(price_workload.service_tier, 'standard')) e
                WHERE e.priced_by = 'contracted') c
        ), meter AS (
            SELECT m.meter, sum(tokenomics.meter(p.counted, m.meter)) AS tokens,
                   sum(tokenomics.meter(p.counted, m.meter) * tokenomics.rate(p.rates, m.meter)) AS weighted,
                   min(tokenomics.rate(p.rates, m.meter)) AS lowest, max(tokenomics.rate(p.rates, m.meter)) AS highest
            FROM priced p, tokenomics.meters() m WHERE tokenomics.meter(p.counted, m.meter) > 0 GROUP BY 1
        )
        SELECT CASE WHEN count(*) = count(p.cost) THEN sum(p.cost) END, min(tokenomics.currency(p.rates)), bool_and(p.is_exact), min(p.reason),
               (SELECT jsonb_build_object('currency', min(tokenomics.currency(p.rates)))
                    || jsonb_object_agg(m.meter, CASE WHEN m.lowest = m.highest THEN m.lowest ELSE round(m.weighted / m.tokens, 9) END) FROM meter m)::tokenomics.rates
        INTO cost, currency, is_exact, reason, rates
        FROM priced p;
        IF cost IS NULL THEN
            reason := format('%s/%s has no price in book "%s": %s', price_workload.provider, price_workload.model, price_workload.book, coalesce(reason, 'a meter has no rate'));
        END IF;
    END
    $$;
    COMMENT ON FUNCTION price_workload(text, text, text, text, timestamptz, text, numeric, numeric, numeric) IS
        'what a workload costs by a book at the prices of a time, as if all of it were calls of one model; rates: what a million of each meter costs in it on average; is_exact is false where calls cannot be told apart as finely as the price does (thresholds of a stated workload, graduated or uncached ones, or one that tokenizer_factor moves); reason: why it has no cost';

    -- The one place where a quote meets a workload: compare_quotes() shows the
    -- result, explain_quote() the steps, and break-even asks for the curve.
    CREATE OR REPLACE FUNCTION evaluate_quote(
        workload text,
        quote text,
        interactivity numeric DEFAULT NULL,
        ttft integer DEFAULT NULL,
        percentile numeric DEFAULT 1,
        baseline text DEFAULT NULL,
        OUT result tokenomics.quoted_cost,
        OUT steps tokenomics.quote_step[],
        OUT curve tokenomics.cost_curve
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        month constant numeric := 730;      -- hours
        q quote;
        w workload;
        total numeric;                      -- tokens of the workload
        hours numeric;                      -- of the span
        paid_hours numeric;                 -- of one unit in the span
        price record;
        usage numeric;
        point record;
        points bigint;
        per_gpu boolean;
        input_weight numeric;
        cache_weight numeric;
        output_weight numeric;
        read numeric;
        minutes tokenomics.tokens[];
        minutes_each bigint;
        larger boolean := false;
        capacity numeric;                   -- load that a unit serves in a minute
        ceiling numeric := 1;
        unit_price numeric;                 -- of a unit for an hour
        need numeric;
        load tokenomics.served_load;
        counted tokenomics.tokens;
        ratio numeric;
        spent numeric;                      -- over the span
        served numeric;                     -- tokens
        other record;
        other_curve tokenomics.cost_curve;
        other_cost numeric;
        other_currency text;
        fx numeric;
        cross_at record;
        day date;
        notes text[] := '{}';
        said tokenomics.quote_step[] := '{}';
    BEGIN
        SELECT * INTO q FROM quote x WHERE x.name = evaluate_quote.quote;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_object',
                MESSAGE = format('there is no quote "%s"', evaluate_quote.quote),
                HINT = 'The quotes are: ' || coalesce((SELECT string_agg(format('"%s"', x.name), ', ' ORDER BY x.name) FROM quote x), 'none') || '.';
        END IF;
        SELECT * INTO w FROM workload x WHERE x.name = evaluate_quote.workload;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_object',
                MESSAGE = format('there is no workload "%s"', evaluate_quote.workload),
                HINT = 'The workloads are: ' || coalesce((SELECT string_agg(format('"%s"', x.name), ', ' ORDER BY x.name) FROM workload x), 'none') || '.';
        END IF;
        IF evaluate_quote.interactivity <= 0 OR evaluate_quote.ttft < 0 OR evaluate_quote.percentile IS NULL
            OR NOT (evaluate_quote.percentile > 0 AND evaluate_quote.percentile <= 1) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('a quote cannot be judged at interactivity %s, ttft %s and percentile %s', coalesce(evaluate_quote.interactivity::text, 'NULL'),
                                 coalesce(evaluate_quote.ttft::text, 'NULL'), coalesce(evaluate_quote.percentile::text, 'NULL')),
                HINT = 'Interactivity is tokens per second and user, above 0; ttft milliseconds; percentile the share of minutes to be covered, above 0 and at most 1.';
        END IF;
        total := tokenomics.total(w.tokens);
        hours := w.span_minutes / 60.0::numeric(40, 30);
        day := (q.quoted_at AT TIME ZONE w.zone)::date;
        result.workload := w.name;
        result.quote := q.name;
        result.vendor := q.vendor;
        result.kind := q.kind;
        result.currency := q.currency;
        result.serves := true;
        result.reporting_currency := (SELECT s.currency FROM setting s);
        counted := tokenomics.adjust_tokens(w.tokens, q.tokenizer_factor, q.output_factor, q.cache_hit_rate);

        IF w.is_stated THEN
            notes := array_append(notes, 'the workload is stated: its shape is flat, so that shortfall and spillover are those of a flat shape');
        END IF;
        IF w.calls_in_buckets > 0 THEN
            notes := array_append(notes, format('%s of %s calls are in rows of several, whose minutes are not known', w.calls_in_buckets, w.calls));
        END IF;
        IF w.calls_unreported > 0 THEN
            notes := array_append(notes, format('%s of %s calls report no tokens', w.calls_unreported, w.calls));
        END IF;
        IF q.tokenizer_factor_assumed THEN
            notes := array_append(notes, format('tokenizer_factor %s is assumed', trim_scale(q.tokenizer_factor)));
        END IF;
        IF q.output_factor_assumed THEN
            notes := array_append(notes, format('output_factor %s is assumed', trim_scale(q.output_factor)));
        END IF;
        IF q.cache_hit_rate_assumed THEN
            notes := array_append(notes, CASE WHEN q.cache_hit_rate IS NULL THEN 'the cache hit rate of the workload is assumed'
                                              ELSE format('cache_hit_rate %s is assumed', trim_scale(q.cache_hit_rate)) END);
        END IF;
        IF NOT q.valid @> now() THEN
            notes := array_append(notes, format('the quote is not valid now: %s', q.valid));
        END IF;
        said := said || ROW(NULL, 'tokens of the workload', total, 'tokens', format('%s calls in %s hours', w.calls, trim_scale(round(hours, 4))))::tokenomics.quote_step
            || ROW(NULL, 'tokens as the quote counts them', tokenomics.total(counted), 'tokens',
                   format('tokenizer_factor %s, output_factor %s, cache_hit_rate %s: %s', trim_scale(q.tokenizer_factor), trim_scale(q.output_factor),
                          coalesce(trim_scale(q.cache_hit_rate)::text, 'of the workload'), counted))::tokenomics.quote_step;

        -- the operating point
        SELECT count(*), bool_and(o.measured_together) AS together, bool_or(o.measured_together) AS any_together,
               count(*) FILTER (WHERE o.output_tokens_per_second IS NULL) AS without_rate,
               count(*) FILTER (WHERE o.input_tokens_per_second IS NULL) AS without_input,
               max(o.interactivity) FILTER (WHERE o.ttft <= evaluate_quote.ttft OR evaluate_quote.ttft IS NULL) AS fastest,
               bool_or(coalesce(o.ttft <= evaluate_quote.ttft, evaluate_quote.ttft IS NULL)
                       AND coalesce(o.interactivity >= evaluate_quote.interactivity, evaluate_quote.interactivity IS NULL)) AS serves,
               bool_or(coalesce(o.ttft <= evaluate_quote.ttft, true) AND coalesce(o.interactivity >= evaluate_quote.interactivity, true)) AS might
        INTO point FROM operating_point o WHERE o.quote = q.name;
        points := point.count;
        IF points = 0 AND q.kind <> 'gpu_hour' THEN
            IF num_nonnulls(evaluate_quote.interactivity, evaluate_quote.ttft) > 0 THEN
                result.serves := NULL;
                result.reason := 'the quote has no operating points: nobody knows how fast it is';
            END IF;
        ELSIF points = 0 THEN
            result.serves := NULL;
            result.reason := 'the quote has no operating points: nobody knows how many GPUs it takes';
        ELSIF NOT point.serves AND point.might THEN
            result.serves := NULL;
            result.reason := 'the operating points do not say whether they are as fast as asked';
        ELSIF NOT point.serves THEN
            result.serves := false;
            result.reason := CASE WHEN point.fastest IS NULL OR evaluate_quote.interactivity IS NULL
                                  THEN format('no operating point has a first token within %s ms', evaluate_quote.ttft)
                                  ELSE format('interactivity of %s tokens per second and user is asked, %s is the most it reaches', trim_scale(evaluate_quote.interactivity), trim_scale(point.fastest))
                                       || CASE WHEN evaluate_quote.ttft IS NULL THEN '' ELSE format(' with a first token within %s ms', evaluate_quote.ttft) END END;
        ELSIF q.kind = 'gpu_hour' AND point.without_rate > 0 THEN
            result.serves := NULL;
            result.reason := 'an operating point has no output rate: nobody knows how many GPUs it takes';
        ELSIF q.kind = 'gpu_hour' AND point.together <> point.any_together THEN
            result.serves := NULL;
            result.reason := 'some operating points are measured together and some apart: make two quotes of them';
        END IF;

        IF q.kind = 'tokens' THEN
            SELECT * INTO price FROM price_workload(w.name, q.book, q.provider, q.model, q.quoted_at, q.service_tier, q.tokenizer_factor, q.output_factor, q.cache_hit_rate);
            result.currency := price.currency;
            IF price.cost IS NULL THEN
                result.serves := nullif(result.serves, true);
                result.reason := coalesce(result.reason || '; ', '') || price.reason;
            ELSE
                IF NOT price.is_exact THEN
                    notes := array_append(notes, 'the price has thresholds that the workload does not tell its calls apart by: the cost is approximate');
                END IF;
                usage := price.cost * (1 - coalesce(q.discount, 0));
                curve := tokenomics.committed_curve(usage, q.commitment * hours / month, q.commitment_discount, q.minimum_spend * hours / month);
                spent := tokenomics.curve_cost(curve, 1);
                said := said || ROW(NULL, 'cost by the book', price.cost, price.currency, format('book "%s", %s/%s, at %s', q.book, q.provider, q.model, price.rates))::tokenomics.quote_step
                    || ROW(NULL, 'usage', usage, price.currency, format('less a discount of %s', coalesce(q.discount, 0)))::tokenomics.quote_step
                    || ROW(NULL, 'cost over the span', spent, price.currency,
                           format('commitment %s a month, discount on it %s, minimum %s a month', coalesce(q.commitment, 0), coalesce(q.commitment_discount, 0), coalesce(q.minimum_spend, 0)))::tokenomics.quote_step;
            END IF;
            IF result.serves THEN
                result.interactivity := evaluate_quote.interactivity;
            END IF;
        ELSE
            per_gpu := q.kind = 'gpu_hour';
            IF per_gpu AND result.serves THEN
                IF evaluate_quote.interactivity IS NULL THEN
                    SELECT o.interactivity, o.output_tokens_per_second AS output, o.input_tokens_per_second AS input INTO price
                    FROM operating_point o WHERE o.quote = q.name AND (o.ttft <= evaluate_quote.ttft OR evaluate_quote.ttft IS NULL)
                    ORDER BY o.output_tokens_per_second DESC, o.input_tokens_per_second DESC NULLS LAST, o.interactivity DESC NULLS LAST LIMIT 1;
                ELSE
                    SELECT p.interactivity_reached AS interactivity, p.output_rate_reached AS output, p.input_rate_reached AS input INTO price
                    FROM (SELECT array_agg(o.interactivity ORDER BY o.interactivity) AS x, array_agg(o.output_tokens_per_second ORDER BY o.interactivity) AS y,
                                 CASE WHEN bool_and(o.input_tokens_per_second IS NOT NULL) THEN array_agg(o.input_tokens_per_second ORDER BY o.interactivity) END AS z
                          FROM operating_point o
                          WHERE o.quote = q.name AND o.interactivity IS NOT NULL AND (o.ttft <= evaluate_quote.ttft OR evaluate_quote.ttft IS NULL)) a,
                         tokenomics.operating_point_at(a.x, a.y, a.z, evaluate_quote.interactivity) p;
                END IF;
                result.interactivity := price.interactivity;
                larger := point.together;
                -- loads are GPU-seconds times both rates, so that nothing is divided
                input_weight := CASE WHEN price.input IS NULL THEN 0 ELSE price.output END;
                output_weight := coalesce(price.input, 1);
                cache_weight := 0;
                capacity := coalesce(price.input, 1) * price.output * 60;
                ceiling := q.utilization_ceiling;
                unit_price := q.price_per_gpu_hour;
                paid_hours := hours * coalesce(q.hours_per_month, month) / month;
                IF price.input IS NULL THEN
                    notes := array_append(notes, 'the operating points say no input rate: input is not taken for the limit');
                END IF;
                said := said || ROW(NULL, 'output rate of the operating point', price.output, 'tokens/s/GPU',
                                    format('at interactivity %s', coalesce(trim_scale(price.interactivity)::text, 'unknown')))::tokenomics.quote_step
                    || ROW(NULL, 'input rate of the operating point', price.input, 'tokens/s/GPU',
                           CASE WHEN larger THEN 'measured together: the larger load counts' ELSE 'measured apart: the loads add up' END)::tokenomics.quote_step;
                -- the ratio of input to output at which it was measured
                IF larger THEN
                    SELECT coalesce(price.input / price.output, avg(o.input_length) / avg(o.output_length)) INTO ratio FROM operating_point o WHERE o.quote = q.name;
                    read := (tokenomics.input_total(counted) - coalesce(tokenomics.meter(counted, 'cache_read'), 0)) / nullif(tokenomics.output_total(counted), 0)::numeric;
                    IF ratio IS NULL OR read IS NULL THEN
                        notes := array_append(notes, 'it is not known at which ratio of input to output the operating points were measured');
                    ELSIF abs(read / ratio - 1) > 0.25 THEN
                        notes := array_append(notes, format('the workload has %s uncached input tokens for one of output, the operating point %s', round(read, 2), round(ratio, 2)));
                    END IF;
                END IF;
            ELSIF NOT per_gpu THEN
                input_weight := 1;
                cache_weight := q.cache_read_weight;
                output_weight := q.output_weight;
                capacity := q.tokens_per_minute_per_unit;
                unit_price := coalesce(q.price_per_unit_hour, q.price_per_unit_month / 730.0::numeric(40, 30));
                paid_hours := hours;
                IF result.serves THEN
                    result.interactivity := evaluate_quote.interactivity;
                END IF;
            END IF;

            IF capacity IS NOT NULL THEN
                -- a stated workload is one flat stretch
                minutes := CASE WHEN w.profile IS NULL THEN ARRAY[w.tokens] ELSE ARRAY(SELECT m.tokens FROM tokenomics.minutes(w.profile) m) END;
                minutes_each := CASE WHEN w.profile IS NULL THEN w.span_minutes ELSE 1 END;
                -- factors are in the weights: the tokens stay those of the workload
                IF q.cache_hit_rate IS NOT NULL THEN
                    input_weight := input_weight * (1 - q.cache_hit_rate) + cache_weight * q.cache_hit_rate;
                    cache_weight := input_weight;
                END IF;
                input_weight := input_weight * q.tokenizer_factor;
                cache_weight := cache_weight * q.tokenizer_factor;
                output_weight := output_weight * q.tokenizer_factor * q.output_factor;
                -- what a quotient leaves in its last digits must not cost a unit
                need := round(tokenomics.capacity_need(minutes, minutes_each, w.span_minutes, input_weight, cache_weight, output_weight, larger, evaluate_quote.percentile)
                              * w.peak_to_average / (capacity * ceiling)::numeric(80, 30), 15);
                result.units_needed := trim_scale(round(need, 9));
                result.units := CASE WHEN per_gpu THEN tokenomics.step_units(need, q.gpus_min, q.gpus_step, q.gpus_max)
                                     ELSE coalesce(q.units, tokenomics.step_units(need, q.units_min, q.units_increment)) END;
                load := tokenomics.serve_minutes(minutes, minutes_each, w.span_minutes, input_weight, cache_weight, output_weight, larger, result.units * capacity * ceiling);
                spent := CASE WHEN q.price_per_unit_month IS NULL THEN result.units * unit_price * paid_hours ELSE result.units * q.price_per_unit_month * hours / month END;
                said := said || ROW(NULL, CASE WHEN per_gpu THEN 'GPUs needed' ELSE 'units needed' END, result.units_needed, CASE WHEN per_gpu THEN 'GPUs' ELSE 'units' END,
                                    format('%s of minutes covered%s', trim_scale(evaluate_quote.percentile),
                                           CASE WHEN per_gpu THEN format(', utilization at most %s', trim_scale(ceiling))
                                                ELSE format(', %s normalised tokens a minute and unit', trim_scale(capacity)) END))::tokenomics.quote_step
                    || ROW(NULL, CASE WHEN per_gpu THEN 'GPUs paid' ELSE 'units paid' END, result.units, CASE WHEN per_gpu THEN 'GPUs' ELSE 'units' END,
                           CASE WHEN q.units IS NOT NULL THEN 'as quoted'
                                ELSE format('at least %s, by %s', coalesce(q.gpus_min, q.units_min), coalesce(q.gpus_step, q.units_increment)) END)::tokenomics.quote_step
                    || ROW(NULL, 'capacity', trim_scale(result.units * capacity * ceiling), CASE WHEN per_gpu THEN 'load/min' ELSE 'normalised tokens/min' END, NULL)::tokenomics.quote_step
                    || ROW(NULL, CASE WHEN per_gpu THEN 'cost of GPUs over the span' ELSE 'cost of units over the span' END, trim_scale(round(spent, 12)), q.currency,
                           format('%s x %s x %s hours', result.units, trim_scale(round(unit_price, 12)), trim_scale(round(paid_hours, 4))))::tokenomics.quote_step;
                result.achieved_utilization := trim_scale(round(load.served::numeric(100, 30) / (result.units * capacity * paid_hours * 60), 12));
                result.idle_share := 1 - result.achieved_utilization;
                IF per_gpu AND q.hours_per_month IS NOT NULL AND paid_hours * 60 < load.active_minutes THEN
                    notes := array_append(notes, format('%s hours are paid, and there is work in %s', trim_scale(round(paid_hours, 4)), trim_scale(round(load.active_minutes / 60.0, 4))));
                END IF;
                result.shortfall_tokens := 0;
                result.shortfall_hours := 0;
                IF q.spillover_book IS NOT NULL THEN
                    SELECT * INTO price FROM price_workload(w.name, q.spillover_book, q.provider, q.model, q.quoted_at, q.spillover_service_tier, q.tokenizer_factor, q.output_factor, q.cache_hit_rate);
                    result.spillover_tokens := tokenomics.total(load.excess_tokens);
                    result.spillover_hours := trim_scale(round(load.excess_minutes / 60.0, 6));
                    IF price.cost IS NOT NULL AND price.currency <> q.currency THEN
                        price.reason := format('spillover is priced in %s, the units in %s', price.currency, q.currency);
                    END IF;
                    IF price.reason IS NULL THEN
                        result.spillover_cost := tokenomics.cost(price.rates, tokenomics.adjust_tokens(load.excess_tokens, q.tokenizer_factor, q.output_factor, q.cache_hit_rate));
                        IF NOT price.is_exact THEN
                            notes := array_append(notes, 'the spillover book has thresholds that the workload does not tell its calls apart by: their cost is approximate');
                        END IF;
                        curve := tokenomics.spillover_curve(minutes, minutes_each, w.span_minutes, input_weight, cache_weight, output_weight, larger, result.units * capacity * ceiling,
                                                            spent, price.rates, q.tokenizer_factor, q.output_factor, q.cache_hit_rate);
                        spent := spent + result.spillover_cost;
                    ELSIF result.spillover_tokens > 0 THEN
                        spent := NULL;
                        result.serves := nullif(result.serves, true);
                        result.reason := coalesce(result.reason || '; ', '') || price.reason;
                    END IF;
                    said := said || ROW(NULL, 'spillover', result.spillover_cost, price.currency,
                                        format('%s tokens in %s hours, by book "%s"', result.spillover_tokens, result.spillover_hours, q.spillover_book))::tokenomics.quote_step;
                ELSE
                    result.shortfall_tokens := tokenomics.total(load.excess_tokens);
                    result.shortfall_hours := trim_scale(round(load.excess_minutes / 60.0, 6));
                    curve := CASE WHEN q.units IS NULL THEN
                                      tokenomics.step_curve(spent / result.units, need, coalesce(q.gpus_min, q.units_min), coalesce(q.gpus_step, q.units_increment), q.gpus_max)
                                  ELSE ROW(ARRAY[0], ARRAY[spent], ARRAY[0], q.units / nullif(need, 0))::tokenomics.cost_curve END;
                    IF need > result.units THEN
                        result.serves := false;
                        result.reason := coalesce(result.reason || '; ', '') || format('%s %s are needed, %s is the most it has', result.units_needed, CASE WHEN per_gpu THEN 'GPUs' ELSE 'units' END, result.units);
                    END IF;
                    said := said || ROW(NULL, 'shortfall', result.shortfall_tokens, 'tokens', format('in %s hours', result.shortfall_hours))::tokenomics.quote_step;
                END IF;
                said := said || ROW(NULL, 'achieved utilization', result.achieved_utilization, NULL, format('of %s paid hours at the full rate', trim_scale(round(result.units * paid_hours, 4))))::tokenomics.quote_step;
            END IF;
        END IF;

        IF spent IS NOT NULL THEN
            -- by what is served
            spent := trim_scale(spent);
            served := total - coalesce(result.shortfall_tokens, 0);
            counted := CASE WHEN result.shortfall_tokens > 0 THEN load.served_tokens ELSE w.tokens END;
            result.cost_per_mtok := tokenomics.cost_per_mtok(spent, served);
            result.cost_per_mtok_input := tokenomics.cost_per_mtok(spent, tokenomics.input_total(counted));
            result.cost_per_mtok_output := tokenomics.cost_per_mtok(spent, tokenomics.output_total(counted));
            result.cost_per_mtok_visible_output := tokenomics.cost_per_mtok(spent, tokenomics.output_total(counted) - coalesce(tokenomics.meter(counted, 'reasoning'), 0));
            result.monthly_bill := trim_scale(round(spent::numeric(100, 30) * month / hours, 12));
            result.cost_per_call := trim_scale(round(spent::numeric(100, 30) / (w.calls - w.calls_unreported), 12));
            result.cost_per_turn := trim_scale(round(spent::numeric(100, 30) / w.turns, 12));
            result.cost_per_session := trim_scale(round(spent::numeric(100, 30) / w.sessions, 12));
            result.cost_per_mtok_converted := convert_currency(result.cost_per_mtok, result.currency, result.reporting_currency, day);
            result.monthly_bill_converted := convert_currency(result.monthly_bill, result.currency, result.reporting_currency, day);
            IF result.cost_per_mtok_converted IS NULL AND result.cost_per_mtok IS NOT NULL THEN
                notes := array_append(notes, format('there is no exchange rate from %s to %s on %s', result.currency, result.reporting_currency, day));
            END IF;
            said := said || ROW(NULL, 'cost per million tokens', result.cost_per_mtok, result.currency, format('%s over %s tokens', trim_scale(round(spent, 12)), served))::tokenomics.quote_step
                || ROW(NULL, 'cost per million output tokens', result.cost_per_mtok_output, result.currency, 'the whole bill; not to be added to that of input')::tokenomics.quote_step
                || ROW(NULL, 'monthly bill', result.monthly_bill, result.currency, 'of 730 hours')::tokenomics.quote_step;

            -- break-even
            IF evaluate_quote.baseline IS NOT NULL THEN
                IF evaluate_quote.baseline <> q.name THEN
                    SELECT e.result AS row, e.curve INTO other FROM evaluate_quote(w.name, evaluate_quote.baseline, evaluate_quote.interactivity, evaluate_quote.ttft, evaluate_quote.percentile, evaluate_quote.baseline) e;
                    result.baseline := evaluate_quote.baseline;
                    other_curve := other.curve;
                    other_currency := (other.row).currency;
                    other_cost := tokenomics.curve_cost(other.curve, 1);
                END IF;
            ELSIF q.model IS NOT NULL THEN
                SELECT * INTO price FROM price_workload(w.name, (SELECT s.book FROM setting s), q.provider, q.model, q.quoted_at, NULL, q.tokenizer_factor, q.output_factor, q.cache_hit_rate);
                result.baseline := format('%s/%s pay-as-you-go', q.provider, q.model);
                IF price.cost IS NOT NULL THEN
                    other_cost := price.cost;
                    other_currency := price.currency;
                    other_curve := tokenomics.committed_curve(price.cost);
                ELSE
                    notes := array_append(notes, format('no break-even: %s', price.reason));
                END IF;
            END IF;
            IF other_cost IS NULL AND evaluate_quote.baseline <> q.name THEN
                notes := array_append(notes, format('no break-even: quote "%s" has no cost: %s', evaluate_quote.baseline, (other.row).reason));
            END IF;
            IF other_cost IS NOT NULL THEN
                fx := convert_currency(1, other_currency, result.currency, day);
                IF fx IS NULL THEN
                    notes := array_append(notes, format('no break-even: there is no exchange rate from %s to %s on %s', other_currency, result.currency, day));
                ELSE
                    other_cost := other_cost * fx;
                    other_curve.fixed := ARRAY(SELECT f * fx FROM unnest(other_curve.fixed) WITH ORDINALITY u(f, n) ORDER BY n);
                    other_curve.slope := ARRAY(SELECT f * fx FROM unnest(other_curve.slope) WITH ORDINALITY u(f, n) ORDER BY n);
                    IF capacity IS NOT NULL AND load.demand > 0 AND other_cost > 0 THEN
                        result.break_even_utilization := trim_scale(round((unit_price * load.demand)::numeric(100, 30) / (capacity * 60 * other_cost), 12));
                        said := said || ROW(NULL, 'break-even utilization', result.break_even_utilization, NULL,
                                            format('%s an hour and unit, against %s for the same tokens by %s', trim_scale(round(unit_price, 12)), trim_scale(other_cost), result.baseline))::tokenomics.quote_step;
                    END IF;
                    result.break_even_volumes := '{}';
                    FOR cross_at IN SELECT * FROM tokenomics.crossings(curve, other_curve) LOOP
                        result.break_even_volumes := array_append(result.break_even_volumes, round(cross_at.scale * total * month / hours, 0));
                        said := said || ROW(NULL, 'break-even volume', round(cross_at.scale * total * month / hours, 0), 'tokens/month',
                                            format('%s times the workload: %s above%s', trim_scale(round(cross_at.scale, 12)), CASE WHEN cross_at.is_cheaper_above THEN 'cheaper' ELSE 'dearer' END,
                                                   CASE WHEN cross_at.is_equal THEN '' ELSE ', by a step' END))::tokenomics.quote_step;
                    END LOOP;
                    IF cardinality(curve.from_scale) >= 1000 AND cross_at.scale > curve.until * 0.9 THEN
                        notes := array_append(notes, format('break-even volumes are sought up to %s tokens a month', round(curve.until * total * month / hours, 0)));
                    END IF;
                END IF;
            END IF;
        END IF;
        result.notes := notes;
        IF result.reason IS NOT NULL THEN
            said := said || ROW(NULL, CASE WHEN result.serves THEN 'remark' ELSE 'cannot serve' END, NULL, NULL, result.reason)::tokenomics.quote_step;
        END IF;
        said := said || ARRAY(SELECT ROW(NULL, 'note', NULL, NULL, n)::tokenomics.quote_step FROM unnest(notes) n);
        steps := ARRAY(SELECT ROW(s.i, s.what, s.value, s.unit, s.how)::tokenomics.quote_step
                       FROM unnest(said) WITH ORDINALITY s(step, what, value, unit, how, i));
    END
    $$;
    COMMENT ON FUNCTION evaluate_quote(text, text, numeric, integer, numeric, text) IS
        'what a quote costs on a workload, the steps to it, and its cost as the workload is scaled: part of compare_quotes() and explain_quote()';

    CREATE OR REPLACE FUNCTION compare_quotes(
        workload text,
        quotes text[] DEFAULT NULL,
        interactivity numeric DEFAULT NULL,
        ttft integer DEFAULT NULL,
        percentile numeric DEFAULT 1,
        baseline text DEFAULT NULL
    ) RETURNS SETOF tokenomics.quoted_cost
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        name text;
        one tokenomics.quoted_cost;
        rows tokenomics.quoted_cost[] := '{}';
    BEGIN
        FOR name IN SELECT DISTINCT n FROM unnest(coalesce(compare_quotes.quotes, ARRAY(SELECT q.name FROM quote q))) n LOOP
            one := (SELECT e.result FROM evaluate_quote(compare_quotes.workload, name, compare_quotes.interactivity, compare_quotes.ttft, compare_quotes.percentile, compare_quotes.baseline) e);
            rows := array_append(rows, one);
        END LOOP;
        FOR one IN
            SELECT r.* FROM unnest(rows) r
            ORDER BY CASE WHEN r.serves THEN 1 WHEN r.serves IS NULL THEN 2 ELSE 3 END, r.cost_per_mtok_converted, r.quote
        LOOP
            one.rank := (SELECT 1 + count(*) FROM unnest(rows) r
                         WHERE (CASE WHEN r.serves THEN 1 WHEN r.serves IS NULL THEN 2 ELSE 3 END, coalesce(r.cost_per_mtok_converted, 'infinity'))
                             < (CASE WHEN one.serves THEN 1 WHEN one.serves IS NULL THEN 2 ELSE 3 END, coalesce(one.cost_per_mtok_converted, 'infinity')));
            RETURN NEXT one;
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION compare_quotes(text, text[], numeric, integer, numeric, text) IS
        'what quotes (NULL: all) cost on a workload, the best first: at an interactivity (tokens per second and user) and time to the first token (ms), covering a share of its minutes (percentile; 1: the peak), against a baseline: a quote, or NULL: the pay-as-you-go price of the same model';

    CREATE OR REPLACE FUNCTION explain_quote(
        quote text,
        workload text,
        interactivity numeric DEFAULT NULL,
        ttft integer DEFAULT NULL,
        percentile numeric DEFAULT 1,
        baseline text DEFAULT NULL
    ) RETURNS SETOF tokenomics.quote_step
        LANGUAGE sql STABLE SET search_path FROM CURRENT
    AS $$
        SELECT s.* FROM evaluate_quote(workload, quote, interactivity, ttft, percentile, baseline) e, unnest(e.steps) s ORDER BY s.step
    $$;
    COMMENT ON FUNCTION explain_quote(text, text, numeric, integer, numeric, text) IS 'how compare_quotes() comes to the cost of a quote on a workload, step by step';

    CREATE OR REPLACE FUNCTION quote_comparison_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        workload text,
        quote text,
        vendor text,
        kind text,
        rank bigint,
        serves boolean,
        reason text,
        notes text[],
        currency text,
        cost_per_mtok numeric,
        cost_per_mtok_input numeric,
        cost_per_mtok_output numeric,
        cost_per_mtok_visible_output numeric,
        monthly_bill numeric,
        cost_per_call numeric,
        cost_per_turn numeric,
        cost_per_session numeric,
        interactivity numeric,
        units_needed numeric,
        units numeric,
        shortfall_tokens bigint,
        shortfall_hours numeric,
        spillover_tokens bigint,
        spillover_hours numeric,
        spillover_cost numeric,
        achieved_utilization numeric,
        idle_share numeric,
        baseline text,
        break_even_volumes numeric[],
        break_even_utilization numeric,
        reporting_currency text,
        cost_per_mtok_converted numeric,
        monthly_bill_converted numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        SELECT c.* FROM workload w,
             LATERAL compare_quotes(w.name, ARRAY(SELECT q.name FROM quote q WHERE q.quoted_at >= coalesce(quote_comparison_between.from_at, '-infinity') AND q.quoted_at < coalesce(quote_comparison_between.to_at, 'infinity'))) c
        WHERE quote_comparison_between.zone IS NULL OR w.zone = quote_comparison_between.zone
        ORDER BY w.name, c.rank, c.quote;
    END
    $$;
    COMMENT ON FUNCTION quote_comparison_between(timestamptz, timestamptz, text) IS
        'the rows of quote_comparison of quotes made from from_at up to, not including, to_at; NULL: no limit; of workloads of a zone; NULL: of any';
    CREATE OR REPLACE VIEW quote_comparison WITH (security_invoker = true) AS SELECT * FROM quote_comparison_between();
    COMMENT ON VIEW quote_comparison IS 'tokenomics: every quote on every workload, the best first, at its cheapest operating point and covering the peak minute';
    FOR col IN SELECT a.attname, col_description(a.attrelid, a.attnum) AS description
               FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid WHERE t.oid = 'tokenomics.quoted_cost'::regtype AND a.attnum > 0 LOOP
        EXECUTE format('COMMENT ON COLUMN quote_comparison.%I IS %L', col.attname, col.description);
    END LOOP;
END
$install$;
COMMENT ON PROCEDURE install_quote() IS 'part of install(): quotes and workloads, and the functions and the view that compare them, in the first schema of search_path';

CREATE PROCEDURE uninstall_quote() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS quote_comparison;
    DROP FUNCTION IF EXISTS
        quote_comparison_between(timestamptz, timestamptz, text),
        explain_quote(text, text, numeric, integer, numeric, text),
        compare_quotes(text, text[], numeric, integer, numeric, text),
        evaluate_quote(text, text, numeric, integer, numeric, text),
        price_workload(text, text, text, text, timestamptz, text, numeric, numeric, numeric),
        state_workload(text, tokenomics.tokens, bigint, numeric, numeric, bigint, bigint, bigint, text),
        measure_workload(text, timestamptz, timestamptz, text, text, text, text, text, text, text, jsonb, text);
    DROP TABLE IF EXISTS workload, operating_point, quote;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_quote() IS 'part of uninstall(): drops what install_quote() made';
-- What a token is worth: quality, speed and cost side by side, a frontier of
-- what is worth buying, cost per success, and the margin of who resells tokens.

CREATE FUNCTION on_frontier(VARIADIC measures numeric[]) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C WINDOW IMMUTABLE;
COMMENT ON FUNCTION on_frontier(numeric[]) IS
    'window function: whether no row of the partition is at least as good by every measure and better by one (the Pareto frontier); more is better: negate a cost; NULL where a measure is not known';

CREATE FUNCTION dominated_by(label text, VARIADIC measures numeric[]) RETURNS text
    AS 'MODULE_PATHNAME' LANGUAGE C WINDOW IMMUTABLE;
COMMENT ON FUNCTION dominated_by(text, numeric[]) IS
    'window function: the label of a row on the frontier that is at least as good by every measure and better by one: of several the best by the first measure, then the second; NULL on the frontier, and where a measure is not known';

CREATE FUNCTION interactivity(visible_tokens bigint, ttft integer, duration integer) RETURNS double precision
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION interactivity(bigint, integer, integer) IS
    'tokens a second that a user sees once the first one is there: (visible_tokens - 1) / (duration - ttft), times in milliseconds; NULL of fewer than two tokens, and where no time went by';

CREATE FUNCTION cost_per_success(
    trials bigint,
    successes bigint,
    cost numeric,
    cost_squares numeric,
    cost_of_successes numeric,
    OUT cost_per_success numeric,
    OUT lower_95 double precision,
    OUT upper_95 double precision
)
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cost_per_success(bigint, bigint, numeric, numeric, numeric) IS
    'the cost of all trials over their successes, NULL where none succeeded, with its 95 % interval (Fieller 1954), NULL where too few did for it to have an end; from the number of trials and successes, and the sums of the costs of the trials, of their squares, and of those that succeeded';

-- Makes the tables, views and functions in the schema that comes first in
-- search_path; called by install().
CREATE PROCEDURE install_value() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE TABLE IF NOT EXISTS model_quality (
        provider text NOT NULL,
        model text NOT NULL,
        task text NOT NULL,
        version text NOT NULL DEFAULT '',
        measured_on date NOT NULL,
        score numeric NOT NULL,
        output_factor numeric,
        tokenizer_factor numeric,
        source text NOT NULL,
        PRIMARY KEY (provider, model, task, version, measured_on),
        CONSTRAINT model_quality_names_not_empty CHECK (provider <> '' AND model <> '' AND task <> '' AND source <> ''),
        CONSTRAINT model_quality_date_finite CHECK (isfinite(measured_on)),
        CONSTRAINT model_quality_score_finite CHECK (score > '-infinity' AND score < 'infinity'),
        CONSTRAINT model_quality_factors_positive
            CHECK (output_factor > 0 AND output_factor < 'infinity' AND tokenizer_factor > 0 AND tokenizer_factor < 'infinity')
    );
    COMMENT ON TABLE model_quality IS 'tokenomics: how good a model is at a task: scores with date and source, as many as there are; the latest of each version counts';
    COMMENT ON COLUMN model_quality.provider IS 'provider of the model';
    COMMENT ON COLUMN model_quality.model IS 'model, as calls or prices name it';
    COMMENT ON COLUMN model_quality.task IS 'what was measured, such as a benchmark; scores of one task are compared with each other';
    COMMENT ON COLUMN model_quality.version IS 'version of the task; scores of different versions are not compared';
    COMMENT ON COLUMN model_quality.measured_on IS 'when';
    COMMENT ON COLUMN model_quality.score IS 'how good it was; more is better';
    COMMENT ON COLUMN model_quality.output_factor IS 'how many output tokens it needs for the task, against a model of factor 1; NULL: not measured, 1 is assumed';
    COMMENT ON COLUMN model_quality.tokenizer_factor IS 'how many tokens the same text has, against a model of factor 1; NULL: not measured, 1 is assumed';
    COMMENT ON COLUMN model_quality.source IS 'who measured it, and where it is published';

    CREATE TABLE IF NOT EXISTS turn_outcome (
        turn_id text PRIMARY KEY,
        succeeded boolean NOT NULL,
        judged_at timestamptz NOT NULL DEFAULT now(),
        judged_by text,
        CONSTRAINT turn_outcome_turn_not_empty CHECK (turn_id <> '')
    );
    COMMENT ON TABLE turn_outcome IS 'tokenomics: what came of a turn: whether the user got what was asked for';
    COMMENT ON COLUMN turn_outcome.turn_id IS 'the turn, as in usage';
    COMMENT ON COLUMN turn_outcome.succeeded IS 'whether it was of use';
    COMMENT ON COLUMN turn_outcome.judged_at IS 'when that was found';
    COMMENT ON COLUMN turn_outcome.judged_by IS 'who or what found it: a user, a test, a model';

    CREATE OR REPLACE FUNCTION priced_model(provider text, model text, at timestamptz DEFAULT now())
        RETURNS TABLE (priced_provider text, priced_model text)
        LANGUAGE sql STABLE SET search_path FROM CURRENT
    AS $$
        SELECT e.provider, e.model
        FROM tokenomics.explain_cost((SELECT book()), priced_model.provider, priced_model.model, priced_model.at, '{"input": 1}') e
        WHERE e.priced_by = 'contracted' AND e.model IS NOT NULL
        LIMIT 1
    $$;
    COMMENT ON FUNCTION priced_model(text, text, timestamptz) IS
        'the provider and model whose price a name leads to, through aliases; no row where it leads to none';

    CREATE OR REPLACE FUNCTION latest_quality(provider text, model text, on_date date)
        RETURNS SETOF model_quality
        LANGUAGE sql STABLE ROWS 3 SET search_path FROM CURRENT
    AS $$
        -- what is measured of the name itself comes before what is of the priced model
        SELECT DISTINCT ON (q.task, q.version) q.*
        FROM (SELECT 0 AS nearness, latest_quality.provider AS provider, latest_quality.model AS model
              UNION ALL
              SELECT 1, p.priced_provider, p.priced_model FROM priced_model(latest_quality.provider, latest_quality.model, latest_quality.on_date::timestamp AT TIME ZONE 'UTC') p) n
        JOIN model_quality q ON q.provider = n.provider AND q.model = n.model
        WHERE q.measured_on <= latest_quality.on_date
        ORDER BY q.task, q.version, n.nearness, q.measured_on DESC
    $$;
    COMMENT ON FUNCTION latest_quality(text, text, date) IS
        'the rows of model_quality that hold for a model on a day: for each task and version the last one of its name, else of the model whose price it has';

    CREATE OR REPLACE FUNCTION outcome_cost_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        scope text,
        project text,
        provider text,
        model text,
        turns bigint,
        judged_turns bigint,
        unpriced_turns bigint,
        successes bigint,
        success_rate numeric,
        reporting_currency text,
        cost numeric,
        cost_per_turn numeric,
        cost_per_successful_turn numeric,
        lower_95 double precision,
        upper_95 double precision
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(outcome_cost_between.zone, (SELECT s.zone FROM setting s));
        reporting text := (SELECT s.currency FROM setting s);
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
    BEGIN
        RETURN QUERY
        WITH price AS MATERIALIZED (
            SELECT book() AS book
        ), call AS MATERIALIZED (
            -- a turn lies where its first call does, and is over within 7 days
            SELECT u.turn_id, u.at, u.request_id, u.project, u.provider, u.model, u.calls, u.tokens,
                   tokenomics.cost(p.book, u.provider, u.model, u.at, u.tokens, u.service_tier) AS cost,
                   tokenomics.currency(p.book, u.provider, u.model, u.at, u.tokens, u.service_tier) AS currency
            FROM usage u, price p
            WHERE u.turn_id IS NOT NULL
              AND u.at >= first - interval '168 hours' AND u.at < behind + interval '168 hours'
        ), turn AS MATERIALIZED (
            SELECT f.turn_id, f.at, f.project, f.provider, f.model, s.cost, o.succeeded
            FROM (SELECT DISTINCT ON (c.turn_id) c.* FROM call c ORDER BY c.turn_id, c.at, c.request_id) f
            -- only what was judged has a cost here, and only another currency a rate
            LEFT JOIN (SELECT c.turn_id,
                              -- all of it or nothing: failed calls report no tokens, and cost nothing
                              CASE WHEN bool_and(c.tokens IS NULL OR x.cost IS NOT NULL) THEN coalesce(sum(x.cost), 0) END AS cost
                       FROM call c, LATERAL (SELECT CASE WHEN c.currency = reporting THEN c.cost
                                                         ELSE convert_currency(c.cost, c.currency, reporting, (c.at AT TIME ZONE in_zone)::date) END AS cost) x
                       WHERE c.turn_id IN (SELECT o.turn_id FROM turn_outcome o)
                       GROUP BY c.turn_id) s ON s.turn_id = f.turn_id
            LEFT JOIN turn_outcome o ON o.turn_id = f.turn_id
            WHERE f.at >= first AND f.at < behind
        ), grouped AS (
            SELECT (tokenomics.period_start('month', in_zone, t.at) AT TIME ZONE in_zone)::date AS month,
                   CASE WHEN grouping(t.project) = 0 THEN 'project' WHEN grouping(t.model) = 0 THEN 'model' ELSE 'total' END AS scope,
                   t.project, t.provider, t.model, count(*) AS turns, count(t.succeeded) AS judged_turns,
                   count(*) FILTER (WHERE t.succeeded IS NOT NULL AND t.cost IS NULL) AS unpriced_turns,
                   count(*) FILTER (WHERE t.succeeded IS NOT NULL AND t.cost IS NOT NULL) AS trials,
                   count(*) FILTER (WHERE t.succeeded AND t.cost IS NOT NULL) AS successes,
                   count(*) FILTER (WHERE t.succeeded) AS all_successes,
                   coalesce(sum(t.cost) FILTER (WHERE t.succeeded IS NOT NULL), 0) AS cost,
                   coalesce(sum(t.cost * t.cost) FILTER (WHERE t.succeeded IS NOT NULL), 0) AS cost_squares,
                   coalesce(sum(t.cost) FILTER (WHERE t.succeeded), 0) AS cost_of_successes
            FROM turn t
            GROUP BY GROUPING SETS ((1), (1, 3), (1, 4, 5))
        )
        SELECT g.month, g.scope, g.project, g.provider, g.model, g.turns, g.judged_turns, g.unpriced_turns, g.all_successes,
               trim_scale(round(g.all_successes::numeric / nullif(g.judged_turns, 0), 12)), reporting,
               CASE WHEN g.trials > 0 THEN g.cost END, trim_scale(round(g.cost / nullif(g.trials, 0), 12)),
               s.cost_per_success, s.lower_95, s.upper_95
        FROM grouped g, LATERAL tokenomics.cost_per_success(g.trials, g.successes, g.cost, g.cost_squares, g.cost_of_successes) s
        ORDER BY g.month, g.scope DESC, g.project, g.provider, g.model;
    END
    $$;
    COMMENT ON FUNCTION outcome_cost_between(timestamptz, timestamptz, text) IS
        'the rows of outcome_cost of the turns whose first call lies from from_at up to, not including, to_at, by the months of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW outcome_cost WITH (security_invoker = true) AS SELECT * FROM outcome_cost_between();
    COMMENT ON VIEW outcome_cost IS
        'tokenomics: what a success costs, by month, project and model: the contracted cost of all turns with an outcome over those that succeeded; a turn lies where its first call does';
    COMMENT ON COLUMN outcome_cost.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN outcome_cost.scope IS 'total, project or model';
    COMMENT ON COLUMN outcome_cost.project IS 'project of the turn''s first call; NULL in the other scopes, and where it has none';
    COMMENT ON COLUMN outcome_cost.provider IS 'provider of the turn''s first call';
    COMMENT ON COLUMN outcome_cost.model IS 'model of the turn''s first call';
    COMMENT ON COLUMN outcome_cost.turns IS 'number of turns';
    COMMENT ON COLUMN outcome_cost.judged_turns IS 'those with an outcome';
    COMMENT ON COLUMN outcome_cost.unpriced_turns IS 'those with an outcome that no cost is known of: a call has no price, or no exchange rate; they are left out of all costs';
    COMMENT ON COLUMN outcome_cost.successes IS 'turns that succeeded';
    COMMENT ON COLUMN outcome_cost.success_rate IS 'successes of judged_turns, a fraction';
    COMMENT ON COLUMN outcome_cost.reporting_currency IS 'currency of the costs, each turn converted at its day''s rate';
    COMMENT ON COLUMN outcome_cost.cost IS 'cost of the turns with an outcome';
    COMMENT ON COLUMN outcome_cost.cost_per_turn IS 'the same for one of them';
    COMMENT ON COLUMN outcome_cost.cost_per_successful_turn IS 'the same for one that succeeded: failures are paid for too; NULL where none did';
    COMMENT ON COLUMN outcome_cost.lower_95 IS 'lower end of its 95 % interval';
    COMMENT ON COLUMN outcome_cost.upper_95 IS 'upper end of its 95 % interval; NULL where too few turns succeeded for it to have one';

    CREATE OR REPLACE FUNCTION value_grid_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        task text,
        version text,
        is_measured boolean,
        provider text,
        model text,
        score numeric,
        measured_on date,
        calls bigint,
        tokens bigint,
        reporting_currency text,
        cost_per_mtok numeric,
        cost_per_mtok_visible_output numeric,
        timed_calls bigint,
        interactivity double precision,
        interactivity_slow double precision,
        time_to_first_answer integer,
        is_on_frontier boolean,
        dominated_by text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(value_grid_between.zone, (SELECT s.zone FROM setting s));
        reporting text := (SELECT s.currency FROM setting s);
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
    BEGIN
        RETURN QUERY
        WITH spent AS MATERIALIZED (
            SELECT (l.period AT TIME ZONE in_zone)::date AS month, l.provider, l.model, sum(l.calls)::bigint AS calls,
                   tokenomics.sum(l.tokens) AS tokens,
                   -- in one currency, or not at all
                   CASE WHEN bool_and(x.cost IS NOT NULL) THEN sum(x.cost) END AS cost
            FROM spend_lines('month', from_at, to_at, in_zone) l,
                 LATERAL (SELECT convert_currency(l.effective_cost, l.currency, reporting, (l.period AT TIME ZONE in_zone)::date, 'month') AS cost) x
            WHERE l.charge_category IN ('Usage', 'Purchase') AND l.unpriced IS NULL AND l.model IS NOT NULL
            GROUP BY 1, 2, 3
        ), timed AS MATERIALIZED (
            SELECT (t.period AT TIME ZONE in_zone)::date AS month, t.provider, t.model, count(*) AS calls,
                   percentile_disc(0.5) WITHIN GROUP (ORDER BY t.speed) AS median,
                   percentile_disc(0.05) WITHIN GROUP (ORDER BY t.speed) AS slow,
                   percentile_disc(0.5) WITHIN GROUP (ORDER BY t.ttft) AS first_answer
            FROM (SELECT tokenomics.period_start('month', in_zone, u.at) AS period, u.provider, u.model, u.ttft,
                         tokenomics.interactivity(tokenomics.meter(u.tokens, 'output'), u.ttft, u.duration) AS speed
                  FROM usage u
                  WHERE u.at >= first AND u.at < behind AND u.ttft IS NOT NULL AND u.duration IS NOT NULL
                    AND u.calls = 1 AND u.service_tier IS DISTINCT FROM 'batch') t
            WHERE t.speed IS NOT NULL
            GROUP BY 1, 2, 3
        ), scored AS (
            SELECT s.*, q.task, q.version, false AS is_measured, q.score, q.measured_on
            FROM spent s, LATERAL latest_quality(s.provider, s.model, (s.month + interval '1 month')::date) q
            UNION ALL
            SELECT s.*, 'turn outcomes', '', true, o.success_rate, NULL
            FROM spent s JOIN outcome_cost_between(from_at, to_at, in_zone) o
                ON o.scope = 'model' AND o.month = s.month AND o.provider = s.provider AND o.model = s.model AND o.judged_turns > 0
        ), measured AS (
            SELECT c.*, t.calls AS timed_calls, t.median, t.slow, t.first_answer,
                   tokenomics.cost_per_mtok(c.cost, tokenomics.total(c.tokens)) AS per_mtok,
                   -- a measure that nobody has sets nobody apart
                   CASE WHEN bool_or(t.median IS NOT NULL) OVER (PARTITION BY c.month, c.task, c.version) THEN t.median::numeric ELSE 0 END AS speed
            FROM scored c LEFT JOIN timed t ON t.month = c.month AND t.provider = c.provider AND t.model = c.model
        )
        SELECT m.month, m.task, m.version, m.is_measured, m.provider, m.model, m.score, m.measured_on, m.calls, tokenomics.total(m.tokens),
               reporting, m.per_mtok,
               tokenomics.cost_per_mtok(m.cost, tokenomics.output_total(m.tokens) - coalesce(tokenomics.meter(m.tokens, 'reasoning'), 0)),
               coalesce(m.timed_calls, 0), m.median, m.slow, m.first_answer,
               tokenomics.on_frontier(m.score, m.speed, - m.per_mtok) OVER w,
               tokenomics.dominated_by(m.provider || '/' || m.model, m.score, m.speed, - m.per_mtok) OVER w
        FROM measured m
        WINDOW w AS (PARTITION BY m.month, m.task, m.version ORDER BY m.provider, m.model ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
        ORDER BY m.month, m.is_measured DESC, m.task, m.version, m.score DESC, m.provider, m.model;
    END
    $$;
    COMMENT ON FUNCTION value_grid_between(timestamptz, timestamptz, text) IS
        'the rows of value_grid of the calls from from_at up to, not including, to_at, by the months of the zone; NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW value_grid WITH (security_invoker = true) AS SELECT * FROM value_grid_between();
    COMMENT ON VIEW value_grid IS
        'tokenomics: what a token is worth, by month, task and model in use: quality, measured speed, and cost on this workload, with the frontier of what is worth buying; what is measured here (turn outcomes) comes before benchmarks';
    COMMENT ON COLUMN value_grid.month IS 'first day of the month, in the reporting zone';
    COMMENT ON COLUMN value_grid.task IS 'task of the score, from model_quality; "turn outcomes": the success rate of outcome_cost';
    COMMENT ON COLUMN value_grid.version IS 'version of the task';
    COMMENT ON COLUMN value_grid.is_measured IS 'whether the score was measured here, on turns';
    COMMENT ON COLUMN value_grid.provider IS 'provider of the calls';
    COMMENT ON COLUMN value_grid.model IS 'model, as the calls name it';
    COMMENT ON COLUMN value_grid.score IS 'how good it is at the task: the last score up to the end of the month; more is better';
    COMMENT ON COLUMN value_grid.measured_on IS 'when the score is from';
    COMMENT ON COLUMN value_grid.calls IS 'number of calls that have a cost';
    COMMENT ON COLUMN value_grid.tokens IS 'their tokens';
    COMMENT ON COLUMN value_grid.reporting_currency IS 'currency of the costs';
    COMMENT ON COLUMN value_grid.cost_per_mtok IS 'effective cost per million of these tokens, at the month''s exchange rate; NULL where there is none';
    COMMENT ON COLUMN value_grid.cost_per_mtok_visible_output IS 'the same, input and reasoning included, per million output tokens that are not reasoning';
    COMMENT ON COLUMN value_grid.timed_calls IS 'calls of which interactivity is known: no batch, no sums of several';
    COMMENT ON COLUMN value_grid.interactivity IS 'tokens a second that a user sees after the first one: the median call';
    COMMENT ON COLUMN value_grid.interactivity_slow IS 'the same of the slow tail: 5 % of the calls are not faster';
    COMMENT ON COLUMN value_grid.time_to_first_answer IS 'milliseconds to the first visible token: the median call';
    COMMENT ON COLUMN value_grid.is_on_frontier IS 'whether no other model of the task is at least as good, as fast and as cheap, and better by one of them; NULL where one of these is not known';
    COMMENT ON COLUMN value_grid.dominated_by IS 'a model that is, as provider/model; NULL on the frontier';

    CREATE OR REPLACE FUNCTION overspend(
        project text,
        task text,
        minimum_score numeric,
        minimum_interactivity double precision DEFAULT NULL,
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        version text DEFAULT NULL
    ) RETURNS TABLE (
        rank bigint,
        provider text,
        model text,
        meets_need boolean,
        reason text,
        score numeric,
        interactivity double precision,
        output_factor numeric,
        tokenizer_factor numeric,
        factors_assumed boolean,
        calls bigint,
        tokens bigint,
        reporting_currency text,
        actual_cost numeric,
        cost numeric,
        overspend numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        reporting text := (SELECT s.currency FROM setting s);
        -- the last complete month, where nothing else is asked for
        first timestamptz := coalesce(from_at, tokenomics.period_start('month', in_zone, tokenomics.period_start('month', in_zone, coalesce(to_at, now())) - interval '1 microsecond'));
        behind timestamptz := coalesce(to_at, tokenomics.period_end('month', in_zone, first));
        today date := (least(behind - interval '1 microsecond', now()) AT TIME ZONE in_zone)::date;
    BEGIN
        IF overspend.task IS NULL OR overspend.minimum_score IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'null_value_not_allowed',
                MESSAGE = 'a need has a task and a minimum score',
                HINT = 'As in overspend(''helpdesk'', ''tau2-retail'', 70, minimum_interactivity => 30).';
        END IF;
        IF NOT EXISTS (SELECT FROM model_quality q WHERE q.task = overspend.task AND (overspend.version IS NULL OR q.version = overspend.version)) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_object',
                MESSAGE = format(CASE WHEN overspend.version IS NULL THEN 'no quality is known of task "%s"' ELSE 'no quality is known of task "%s", version "%s"' END, overspend.task, overspend.version),
                HINT = coalesce('The tasks are: ' || (SELECT string_agg(DISTINCT format('"%s"', q.task), ', ') FROM model_quality q) || '.', 'Add rows to model_quality.');
        END IF;
        IF overspend.version IS NULL AND (SELECT count(DISTINCT q.version) FROM model_quality q WHERE q.task = overspend.task) > 1 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('task "%s" has several versions, whose scores are not comparable', overspend.task),
                HINT = 'Name one: ' || (SELECT string_agg(DISTINCT format('version => ''%s''', q.version), ' or ') FROM model_quality q WHERE q.task = overspend.task) || '.';
        END IF;

        RETURN QUERY
        WITH price AS MATERIALIZED (
            SELECT book() AS book
        ), call AS MATERIALIZED (
            SELECT u.at, u.provider, u.model, coalesce(u.service_tier, 'standard') AS service_tier, u.tokens, u.calls,
                   -- what the model that served it needs itself
                   coalesce(f.output_factor, 1) AS output_factor, coalesce(f.tokenizer_factor, 1) AS tokenizer_factor, f.is_known
            FROM usage u
            LEFT JOIN LATERAL (SELECT q.output_factor, q.tokenizer_factor, q.output_factor IS NOT NULL AND q.tokenizer_factor IS NOT NULL AS is_known
                               FROM latest_quality(u.provider, u.model, today) q
                               WHERE q.task = overspend.task AND (overspend.version IS NULL OR q.version = overspend.version)) f ON true
            WHERE u.at >= first AND u.at < behind AND u.project IS NOT DISTINCT FROM overspend.project AND u.tokens IS NOT NULL
        ), speed AS MATERIALIZED (
            -- measured on the calls of all
            SELECT u.provider, u.model, tokenomics.interactivity(tokenomics.meter(u.tokens, 'output'), u.ttft, u.duration) AS speed
            FROM usage u
            WHERE u.at >= first AND u.at < behind AND u.ttft IS NOT NULL AND u.duration IS NOT NULL
              AND u.calls = 1 AND u.service_tier IS DISTINCT FROM 'batch'
        ), name AS (
            SELECT DISTINCT s.provider AS called_provider, s.model AS called_model, x.provider, x.model
            FROM (SELECT DISTINCT s.provider, s.model FROM speed s) s,
                 LATERAL (SELECT s.provider, s.model
                          UNION
                          SELECT p.priced_provider, p.priced_model FROM priced_model(s.provider, s.model, behind - interval '1 microsecond') p) x
        ), candidate AS MATERIALIZED (
            SELECT DISTINCT ON (q.provider, q.model) q.*, i.speed
            FROM model_quality q
            LEFT JOIN (SELECT n.provider, n.model, percentile_disc(0.5) WITHIN GROUP (ORDER BY s.speed) AS speed
                       FROM speed s JOIN name n ON n.called_provider = s.provider AND n.called_model = s.model
                       GROUP BY 1, 2) i ON i.provider = q.provider AND i.model = q.model
            WHERE q.task = overspend.task AND (overspend.version IS NULL OR q.version = overspend.version) AND q.measured_on <= today
            ORDER BY q.provider, q.model, q.measured_on DESC
        ), tier AS MATERIALIZED (
            -- a service tier that a candidate does not offer is served as standard
            SELECT c.provider, c.model, t.service_tier,
                   CASE WHEN tokenomics.cost(p.book, c.provider, c.model, behind - interval '1 microsecond', '{"input": 1, "output": 1}', t.service_tier) IS NULL
                        THEN 'standard' ELSE t.service_tier END AS served_as
            FROM candidate c, (SELECT DISTINCT l.service_tier FROM call l) t, price p
        ), served AS (
            SELECT tokenomics.lines(tokenomics.ledger((SELECT p.book FROM price p), 'month', in_zone, l.at, c.provider, c.model, t.served_as,
                       tokenomics.adjust_tokens(l.tokens, coalesce(c.tokenizer_factor, 1) / l.tokenizer_factor,
                                        coalesce(c.output_factor, 1) / l.output_factor), NULL, l.calls)) AS line
            FROM call l, candidate c JOIN tier t ON t.provider = c.provider AND t.model = c.model
            WHERE t.service_tier = l.service_tier
        ), costed AS (
            SELECT (s.line).provider, (s.line).model, tokenomics.sum((s.line).tokens) AS tokens,
                   CASE WHEN bool_and(x.cost IS NOT NULL) THEN sum(x.cost) END AS cost, min((s.line).unpriced) AS unpriced
            FROM served s,
                 LATERAL (SELECT convert_currency((s.line).cost, (s.line).currency, reporting, ((s.line).period AT TIME ZONE in_zone)::date, 'month') AS cost) x
            GROUP BY 1, 2
        ), actual AS (
            SELECT sum((a.line).calls)::bigint AS calls, CASE WHEN bool_and(x.cost IS NOT NULL) THEN sum(x.cost) END AS cost
            FROM (SELECT tokenomics.lines(tokenomics.ledger((SELECT p.book FROM price p), 'month', in_zone, l.at, l.provider, l.model, l.service_tier, l.tokens, NULL, l.calls)) AS line
                  FROM call l) a,
                 LATERAL (SELECT convert_currency((a.line).cost, (a.line).currency, reporting, ((a.line).period AT TIME ZONE in_zone)::date, 'month') AS cost) x
        ), judged AS (
            SELECT c.*, k.tokens, k.cost,
                   CASE WHEN c.score < minimum_score THEN format('scores %s, less than %s', c.score, minimum_score)
                        WHEN minimum_interactivity IS NOT NULL AND c.speed IS NULL THEN 'its interactivity was not measured'
                        WHEN c.speed < minimum_interactivity THEN format('streams %s tokens a second, less than %s', round(c.speed::numeric, 1), minimum_interactivity)
                        WHEN k.cost IS NULL AND k.unpriced IS NOT NULL THEN k.unpriced
                        WHEN k.cost IS NULL THEN 'no exchange rate' END AS reason
            FROM candidate c JOIN costed k ON k.provider = c.provider AND k.model = c.model
        )
        SELECT row_number() OVER (ORDER BY j.reason IS NULL DESC, j.cost, j.provider, j.model), j.provider, j.model, j.reason IS NULL, j.reason,
               j.score, j.speed, coalesce(j.output_factor, 1), coalesce(j.tokenizer_factor, 1),
               j.output_factor IS NULL OR j.tokenizer_factor IS NULL OR NOT (SELECT bool_and(coalesce(l.is_known, false)) FROM call l),
               a.calls, tokenomics.total(j.tokens), reporting, a.cost, j.cost, a.cost - j.cost
        FROM judged j, actual a
        ORDER BY 1;
    END
    $$;
    COMMENT ON FUNCTION overspend(text, text, numeric, double precision, timestamptz, timestamptz, text) IS
        'what a project (NULL: calls of none) paid and what each model of model_quality would have cost on the same calls, their tokens scaled by its factors: those that meet the need (a minimum score at a task, tokens a second) first, the cheapest ahead; overspend is what the project paid more; by default of the last complete month';

    CREATE OR REPLACE FUNCTION token_margin(
        sell_book text,
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        dimension text DEFAULT NULL
    ) RETURNS TABLE (
        month date,
        label text,
        provider text,
        model text,
        calls bigint,
        tokens bigint,
        unsold_tokens bigint,
        unpriced_tokens bigint,
        reporting_currency text,
        revenue numeric,
        cost numeric,
        margin numeric,
        margin_rate numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(token_margin.zone, (SELECT s.zone FROM setting s));
        reporting text := (SELECT s.currency FROM setting s);
        label text := CASE WHEN dimension IN ('team', 'project') THEN dimension ELSE (SELECT d.expression FROM dimension d WHERE d.name = dimension) END;
        sold tokenomics.ledger;
    BEGIN
        IF dimension IS NOT NULL AND label IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('there is no dimension "%s"', dimension),
                HINT = 'The dimensions are team, project and those of table "dimension".';
        END IF;
        EXECUTE format('SELECT tokenomics.ledger((SELECT book($4)), ''month'', $1, u.at, u.provider, u.model, u.service_tier, u.tokens, %s, u.calls)
                        FROM usage u WHERE u.at >= $2 AND u.at < $3', coalesce('(' || label || E'\n)', 'NULL'))
        INTO sold USING in_zone, coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), sell_book;

        RETURN QUERY
        WITH revenue AS (
            SELECT l.period, l.label, l.provider, l.model,
                   CASE WHEN bool_and(l.unpriced IS NOT NULL OR x.amount IS NOT NULL) THEN sum(x.amount) END AS amount,
                   coalesce(sum(tokenomics.total(l.tokens)) FILTER (WHERE l.unpriced IS NOT NULL), 0)::bigint AS unpriced
            FROM tokenomics.lines(sold) l,
                 LATERAL (SELECT convert_currency(l.cost, l.currency, reporting, (l.period AT TIME ZONE in_zone)::date, 'month') AS amount) x
            GROUP BY 1, 2, 3, 4
        ), cost AS (
            SELECT l.period, l.label, l.provider, l.model, sum(l.calls)::bigint AS calls, sum(tokenomics.total(l.tokens))::bigint AS tokens,
                   CASE WHEN bool_and(l.unpriced IS NOT NULL OR x.amount IS NOT NULL) THEN sum(x.amount) END AS amount,
                   coalesce(sum(tokenomics.total(l.tokens)) FILTER (WHERE l.unpriced IS NOT NULL), 0)::bigint AS unpriced
            FROM spend_lines('month', from_at, to_at, in_zone, dimension) l,
                 LATERAL (SELECT convert_currency(l.effective_cost, l.currency, reporting, (l.period AT TIME ZONE in_zone)::date, 'month') AS amount) x
            WHERE l.charge_category IN ('Usage', 'Purchase')
            GROUP BY 1, 2, 3, 4
        )
        SELECT (c.period AT TIME ZONE in_zone)::date, c.label, c.provider, c.model, c.calls, c.tokens, coalesce(r.unpriced, 0), c.unpriced,
               reporting, r.amount, c.amount, r.amount - c.amount, tokenomics.savings_rate(c.amount, r.amount)
        FROM cost c LEFT JOIN revenue r ON r.period = c.period AND r.label IS NOT DISTINCT FROM c.label
            AND r.provider IS NOT DISTINCT FROM c.provider AND r.model IS NOT DISTINCT FROM c.model
        ORDER BY 1, 2, 3, 4;
    END
    $$;
    COMMENT ON FUNCTION token_margin(text, timestamptz, timestamptz, text, text) IS
        'for who resells tokens: what the calls bring in by a sell book, beside what they cost, by month, model and label of a dimension (team, project, those of table "dimension"; NULL: none), in the reporting currency; idle parts of purchases are a model of their own; margin is revenue less cost where both are known, so that its sum leaves out what is unsold and what is idle';
END
$install$;
COMMENT ON PROCEDURE install_value() IS 'part of install(): quality, outcomes, value and margin, in the first schema of search_path';

CREATE PROCEDURE uninstall_value() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS value_grid, outcome_cost;
    DROP FUNCTION IF EXISTS
        token_margin(text, timestamptz, timestamptz, text, text),
        overspend(text, text, numeric, double precision, timestamptz, timestamptz, text),
        value_grid_between(timestamptz, timestamptz, text),
        outcome_cost_between(timestamptz, timestamptz, text),
        latest_quality(text, text, date),
        priced_model(text, text, timestamptz);
    DROP TABLE IF EXISTS turn_outcome, model_quality;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_value() IS 'part of uninstall(): drops what install_value() made';
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
        -- days of the running month and of the 8 weeks before today, months before
        days_from date := least(date_trunc('month', today::timestamp), date_trunc('month', (today - 56)::timestamp))::date;
    BEGIN
        RETURN QUERY
        SELECT coalesce(d.dimension, ''), CASE WHEN d.dimension IS NULL THEN '' ELSE coalesce(l.label, 'unallocated') END, l.provider, l.model,
               (l.period AT TIME ZONE in_zone)::date, g.is_day, l.currency, sum(l.effective_cost), sum(l.contracted_cost),
               tokenomics.sum(l.tokens) FILTER (WHERE l.contracted_cost IS NOT NULL), sum(l.calls)::bigint,
               coalesce(sum(tokenomics.total(l.tokens)) FILTER (WHERE l.unpriced IS NOT NULL), 0)::bigint
        FROM (SELECT DISTINCT b.dimension FROM budget b WHERE upper_inf(b.recorded)) d,
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
            SELECT b.*, coalesce(b.dimension, '') AS in_dimension, coalesce(b.owner, '') AS of_owner,
                   b.period_start <= today AND today < b.period_end AS is_running
            FROM budget b WHERE upper_inf(b.recorded)
        ), spent AS MATERIALIZED (
            SELECT s.* FROM budget_spend(as_of, (SELECT min(w.period_start) FROM wanted w)) s
        ), matched AS MATERIALIZED (
            -- what is converted is, and what cannot be is seen
            SELECT w.name, w.period_start, w.is_running, w.period_start <= s.day AND s.day < w.period_end AS is_within, s.day, s.is_day,
                   s.tokens, s.calls, s.unpriced_tokens, s.cost IS NOT NULL AND x.cost IS NULL AS is_lost, x.cost, x.usage_cost
            FROM wanted w
            JOIN spent s ON s.dimension = w.in_dimension AND (s.owner = w.of_owner OR w.in_dimension = '')
                AND (w.provider IS NULL OR w.provider = s.provider) AND (w.model IS NULL OR w.model = s.model),
                 LATERAL (SELECT CASE WHEN s.currency = w.currency THEN s.cost
                                      ELSE convert_currency(s.cost, s.currency, w.currency, s.day, CASE WHEN s.is_day THEN 'day' ELSE 'month' END) END AS cost,
                                 CASE WHEN s.currency = w.currency THEN s.usage_cost
                                      ELSE convert_currency(s.usage_cost, s.currency, w.currency, s.day, CASE WHEN s.is_day THEN 'day' ELSE 'month' END) END AS usage_cost) x
            WHERE s.day < w.period_end AND (s.day >= w.period_start OR s.is_day AND w.is_running)
        ), total AS (
            SELECT m.name, m.period_start, CASE WHEN NOT bool_or(m.is_lost) THEN coalesce(sum(m.cost), 0) END AS actual, bool_or(m.is_lost) AS is_lost,
                   coalesce(sum(m.usage_cost), 0) AS usage_cost, coalesce(tokenomics.sum(m.tokens), '{}') AS tokens,
                   coalesce(sum(m.calls), 0)::bigint AS calls, coalesce(sum(m.unpriced_tokens), 0)::bigint AS unpriced_tokens
            FROM matched m WHERE m.is_within GROUP BY 1, 2
        ), daily AS (
            SELECT m.name, m.period_start, m.day, coalesce(sum(m.cost), 0) AS amount, min(m.day) OVER (PARTITION BY m.name, m.period_start) AS first_day
            FROM matched m WHERE m.is_running AND m.is_day AND m.day >= today - 56 AND m.day < today GROUP BY 1, 2, 3
        ), series AS MATERIALIZED (
            SELECT f.name, f.period_start, f.first_day, array_agg(coalesce(d.amount, 0) ORDER BY f.day) AS amounts
            FROM (SELECT DISTINCT d.name, d.period_start, d.first_day, g.day::date AS day
                  FROM daily d, generate_series(d.first_day::timestamp, (today - 1)::timestamp, interval '1 day') g(day)) f
            LEFT JOIN daily d ON d.name = f.name AND d.period_start = f.period_start AND d.day = f.day
            GROUP BY 1, 2, 3
        ), profiled AS (
            SELECT w.*, coalesce(t.actual, CASE WHEN t.is_lost THEN NULL ELSE 0 END) AS actual, t.is_lost, coalesce(t.usage_cost, 0) AS usage_cost, coalesce(t.tokens, '{}') AS used,
                   coalesce(t.calls, 0) AS calls, coalesce(t.unpriced_tokens, 0) AS unpriced_tokens, s.amounts, s.first_day,
                   tokenomics.weekday_profile(s.amounts, s.first_day) AS profile,
                   CASE WHEN w.planned_tokens IS NOT NULL AND w.planned_rates IS NOT NULL THEN tokenomics.cost(w.planned_rates, w.planned_tokens) ELSE w.amount END AS planned_usage
            FROM wanted w LEFT JOIN total t ON t.name = w.name AND t.period_start = w.period_start
            LEFT JOIN series s ON s.name = w.name AND s.period_start = w.period_start
        ), phased AS (
            SELECT p.*, d.due, d.due_usage, today_share.amount AS rest_of_today,
                   f.expected, f.lower_95, f.upper_95
            FROM profiled p,
                 LATERAL (SELECT coalesce(p.profile, '{1,1,1,1,1,1,1}') AS profile) w,
                 LATERAL (SELECT tokenomics.phased_budget(p.amount, w.profile, p.period_start, p.period_end, today) AS before,
                                 tokenomics.phased_budget(p.amount, w.profile, p.period_start, p.period_end, today + 1) AS behind,
                                 tokenomics.phased_budget(p.planned_usage, w.profile, p.period_start, p.period_end, today) AS usage_before,
                                 tokenomics.phased_budget(p.planned_usage, w.profile, p.period_start, p.period_end, today + 1) AS usage_behind) b,
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
               p.calls, tokenomics.total(p.used),
               tokenomics.cost_per_mtok(p.usage_cost, tokenomics.total(p.used)),
               tokenomics.cost_per_mtok(CASE WHEN p.planned_tokens IS NOT NULL THEN p.planned_usage END, tokenomics.total(p.planned_tokens)),
               trim_scale(round(tokenomics.meter(p.used, 'reasoning')::numeric / nullif(p.calls, 0), 12)),
               p.unpriced_tokens,
               nullif(concat_ws('; ',
                   CASE WHEN p.is_lost THEN 'some amounts have no exchange rate' END,
                   CASE WHEN p.unpriced_tokens > 0 THEN 'some tokens have no price' END,
                   CASE WHEN p.is_running AND p.amounts IS NULL THEN 'nothing was spent before: due by days alike, no forecast'
                        WHEN p.is_running AND cardinality(p.amounts) < 14 THEN 'less than two weeks to forecast from' END,
                   CASE WHEN p.period_start > today THEN 'not begun' END,
                   CASE WHEN (p.planned_tokens IS NOT NULL OR p.planned_rates IS NOT NULL) AND v.price_variance IS NULL THEN 'a meter that was used has no planned rate' END), '')
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
        FROM (SELECT DISTINCT b.dimension FROM budget b WHERE upper_inf(b.recorded)) d,
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
        -- one at a time: who comes second sees what the first has found
        PERFORM pg_advisory_xact_lock(hashtextextended('tokenomics check_budgets', 'budget_alert'::regclass::oid::bigint));
        FOR changed IN
            WITH status AS MATERIALIZED (
                SELECT s.*, b.alert_at, b.alert_forecast_at, b.alert_cost_per_mtok, b.alert_reasoning_per_call
                FROM budget_status_at(as_of) s JOIN budget b ON b.name = s.name AND b.period_start = s.period_start AND b.version = s.version
            ), threshold AS MATERIALIZED (
                SELECT s.name, s.period_start, s.version, s.amount, s.currency, x.*
                FROM status s, LATERAL (
                    SELECT 'amount' AS kind, t AS threshold, s.actual AS value, s.actual >= t * s.amount AND s.actual > 0 AS is_crossed FROM unnest(s.alert_at) t
                    UNION ALL
                    SELECT 'forecast', t, s.forecast, s.forecast >= t * s.amount AND s.forecast > 0 FROM unnest(s.alert_forecast_at) t WHERE s.is_running
                    UNION ALL
                    SELECT 'cost_per_mtok', s.alert_cost_per_mtok, s.cost_per_mtok, s.cost_per_mtok > s.alert_cost_per_mtok WHERE s.alert_cost_per_mtok IS NOT NULL
                    UNION ALL
                    SELECT 'reasoning_per_call', s.alert_reasoning_per_call, s.reasoning_per_call, s.reasoning_per_call > s.alert_reasoning_per_call WHERE s.alert_reasoning_per_call IS NOT NULL
                    UNION ALL
                    SELECT 'unpriced', 0, s.unpriced_tokens, s.unpriced_tokens > 0) x
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
-- The report of a month: the two lines, why they moved, and what needs a look;
-- published, it is kept with the prices that it was made with.

-- How figures are written in a report; what is not known is a dash.
CREATE FUNCTION report_amount(amount numeric, currency text, digits integer DEFAULT 2, with_sign boolean DEFAULT false) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN amount IS NULL THEN '–' ELSE
    CASE WHEN round(amount, digits) < 0 THEN '-' WHEN with_sign AND round(amount, digits) > 0 THEN '+' ELSE '' END
    || CASE currency WHEN 'USD' THEN '$' WHEN 'EUR' THEN '€' WHEN 'GBP' THEN '£' ELSE coalesce(currency || ' ', '') END
    || to_char(abs(round(amount, digits)), 'FM999,999,999,999,999,999,990' || CASE WHEN digits > 0 THEN '.' || repeat('0', digits) ELSE '' END) END;
COMMENT ON FUNCTION report_amount(numeric, text, integer, boolean) IS 'part of report_markdown(): an amount as text, as $1,234.50; a dash where it is not known';

CREATE FUNCTION report_percent(share numeric, with_sign boolean DEFAULT false) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN share IS NULL THEN '–' ELSE
    CASE WHEN round(100 * share, 1) < 0 THEN '-' WHEN with_sign AND round(100 * share, 1) > 0 THEN '+' ELSE '' END
    || to_char(abs(round(100 * share, 1)), 'FM999,999,999,990.0') || ' %' END;
COMMENT ON FUNCTION report_percent(numeric, boolean) IS 'part of report_markdown(): a fraction as text, as 12.3 %; a dash where it is not known';

CREATE FUNCTION report_text(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(nullif(regexp_replace(translate(value, E'\n\r\t', '   '), '([\\`*_|<>\[\]])', '\\\1', 'g'), ''), '–');
COMMENT ON FUNCTION report_text(text) IS 'part of report_markdown(): a name from logs as text that Markdown does not interpret; a dash where there is none';

-- A table of Markdown: heads, those of figures with a colon behind, and rows.
CREATE FUNCTION report_table(heads text[], cells text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN cardinality(cells) > 0 THEN
    (SELECT '| ' || string_agg(rtrim(h, ':'), ' | ' ORDER BY n) || E' |\n|' || string_agg(CASE WHEN h LIKE '%:' THEN '--:|' ELSE '---|' END, '' ORDER BY n) FROM unnest(heads) WITH ORDINALITY AS h(h, n))
    || E'\n' || (SELECT string_agg(r.row, E'\n' ORDER BY r.n)
                 FROM (SELECT (c.n - 1) / cardinality(heads) AS n, '| ' || string_agg(coalesce(c.c, '–'), ' | ' ORDER BY c.n) || ' |' AS row
                       FROM unnest(cells) WITH ORDINALITY AS c(c, n) GROUP BY 1) r) END;
COMMENT ON FUNCTION report_table(text[], text[]) IS 'part of report_markdown(): a table, of the cells of its rows one after the other; NULL of none';

CREATE FUNCTION report_markdown(report jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unit text := report ->> 'currency';
    month text := to_char((report ->> 'month')::date, 'FMMonth YYYY');
    spend jsonb := report -> 'spend';
    price jsonb := report -> 'unit_price';
    bridge jsonb := report -> 'bridge';
    said text[] := ARRAY[format('# Token spend, %s', month)];
BEGIN
    IF spend IS NULL OR spend = 'null' THEN
        RETURN said[1] || E'\n\nNo data: there were no calls and no charges.\n';
    END IF;
    IF (report ->> 'is_partial')::boolean THEN
        said := said || 'The month is not over: these figures are up to now, and growth is not stated.'::text;
    END IF;
    IF report ->> 'lacks_rate' IS NOT NULL THEN
        said := said || format('**No exchange rate is known from %s to %s**: amounts in it are in no total.', tokenomics.report_text(report ->> 'lacks_rate'), unit);
    END IF;

    -- the two lines, and that they are two
    said := said || '## The two lines'::text
        || (format('In %s **%s** was spent', month, tokenomics.report_amount((spend ->> 'total')::numeric, unit))
            || CASE WHEN spend ->> 'growth' IS NULL THEN '' ELSE format(', %s on the month before', tokenomics.report_percent((spend ->> 'growth')::numeric, true)) END
            || CASE WHEN spend ->> 'growth_year' IS NULL THEN '' ELSE format(' and %s on the year before', tokenomics.report_percent((spend ->> 'growth_year')::numeric, true)) END
            || format('. A million tokens cost **%s**', tokenomics.report_amount((price ->> 'cost_per_mtok')::numeric, unit, 4))
            || CASE WHEN price ->> 'growth' IS NULL THEN '' ELSE format(', %s on the month before', tokenomics.report_percent((price ->> 'growth')::numeric, true)) END
            || CASE WHEN price ->> 'growth_year' IS NULL THEN '' ELSE format(' and %s on the year before', tokenomics.report_percent((price ->> 'growth_year')::numeric, true)) END
            || '.'
            -- what prices did, whatever was bought
            || CASE WHEN coalesce(price ->> 'real_growth', price ->> 'real_growth_year') IS NULL THEN '' ELSE
                   ' Like for like, the same models and meters cost ' || concat_ws(' and ', CASE WHEN price ->> 'real_growth' IS NOT NULL THEN tokenomics.report_percent((price ->> 'real_growth')::numeric, true) || ' on the month before' END,
                                                                                   CASE WHEN price ->> 'real_growth_year' IS NOT NULL THEN tokenomics.report_percent((price ->> 'real_growth_year')::numeric, true) || ' on the year before' END) || '.' END)
        || tokenomics.report_table('{"","This month:","Month before:","Year before:"}', ARRAY[
            'Total spend', tokenomics.report_amount((spend ->> 'total')::numeric, unit), tokenomics.report_amount((spend ->> 'before')::numeric, unit), tokenomics.report_amount((spend ->> 'year_before')::numeric, unit),
            'Tokens with a price', tokenomics.report_amount((spend ->> 'tokens')::numeric, NULL, 0), tokenomics.report_amount((spend ->> 'tokens_before')::numeric, NULL, 0), tokenomics.report_amount((spend ->> 'tokens_year_before')::numeric, NULL, 0),
            'A million tokens (blended price)', tokenomics.report_amount((price ->> 'cost_per_mtok')::numeric, unit, 4), tokenomics.report_amount((price ->> 'before')::numeric, unit, 4), tokenomics.report_amount((price ->> 'year_before')::numeric, unit, 4),
            'Real price (matched index, first month 1)', tokenomics.report_amount((price ->> 'matched_index')::numeric, NULL, 4), tokenomics.report_amount((price ->> 'matched_index_before')::numeric, NULL, 4), tokenomics.report_amount((price ->> 'matched_index_year_before')::numeric, NULL, 4),
            'Mix (blended over real price)', tokenomics.report_amount((price ->> 'mix_index')::numeric, NULL, 4), tokenomics.report_amount((price ->> 'mix_index_before')::numeric, NULL, 4), tokenomics.report_amount((price ->> 'mix_index_year_before')::numeric, NULL, 4)])
        || ('Of the price index: ' || (price ->> 'note') || '.');

    said := said || '## Why the bill moved'::text
        || coalesce(tokenomics.report_table('{"Effect","On the month before:","On the year before:"}',
            (SELECT array_agg(c ORDER BY e.n, x.n)
             FROM (VALUES (1, 'Spend then', 'spend_before'), (2, 'Price: the same tokens cost more or less', 'price_effect'), (3, 'Volume: more or fewer tokens', 'volume_effect'),
                          (4, 'Mix: other meters, models, tiers', 'mix_effect'), (5, 'New models', 'new_effect'), (6, 'Models no longer used', 'discontinued_effect'),
                          (7, 'Exchange rates', 'currency_effect'), (8, 'Purchases', 'purchase_effect'), (9, 'Credits, adjustments, tax', 'other_effect'), (10, '**Spend now**', 'spend')) e(n, label, key),
                  LATERAL (VALUES (1, e.label),
                                  (2, tokenomics.report_amount((bridge -> 'month' ->> e.key)::numeric, unit, 2, e.n BETWEEN 2 AND 9)),
                                  (3, tokenomics.report_amount((bridge -> 'year' ->> e.key)::numeric, unit, 2, e.n BETWEEN 2 AND 9))) x(n, c)
             WHERE jsonb_typeof(bridge -> 'month') = 'object' OR jsonb_typeof(bridge -> 'year') = 'object')), 'There is no earlier month to compare with.');
    said := said || ('Of the month before: ' || (bridge -> 'month' ->> 'note') || '.')
        || ('### Drivers' || E'\n\n' || tokenomics.report_table('{"What the change came from","Effect:"}',
            (SELECT array_agg(c ORDER BY d.n, x.n) FROM jsonb_array_elements(report -> 'drivers') WITH ORDINALITY d(d, n),
                    LATERAL (VALUES (1, tokenomics.report_text(d.d ->> 'driver')), (2, tokenomics.report_amount((d.d ->> 'effect')::numeric, unit, 2, true))) x(n, c)))
            || E'\n\nBy drivers as by effects, the change is ' || tokenomics.report_amount((bridge -> 'month' ->> 'change')::numeric, unit, 2, true) || '.');

    said := said || '## Who and what'::text
        || (SELECT string_agg(format(E'### %s\n\n%s', initcap(m.kind), coalesce(tokenomics.report_table(ARRAY[initcap(rtrim(m.kind, 's')), 'This month:', 'Month before:', 'Change:', 'Price:', 'Volume:', 'Mix:', 'New and gone:', 'Other:'],
                (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'movers' -> m.kind) WITH ORDINALITY r(r, n),
                        LATERAL (VALUES (1, CASE WHEN r.r ->> 'others' IS NULL THEN tokenomics.report_text(r.r ->> 'name') ELSE format('%s others', r.r ->> 'others') END), (2, tokenomics.report_amount((r.r ->> 'spend')::numeric, unit)), (3, tokenomics.report_amount((r.r ->> 'spend_before')::numeric, unit)),
                                        (4, tokenomics.report_amount((r.r ->> 'change')::numeric, unit, 2, true)), (5, tokenomics.report_amount((r.r ->> 'price_effect')::numeric, unit, 2, true)),
                                        (6, tokenomics.report_amount((r.r ->> 'volume_effect')::numeric, unit, 2, true)), (7, tokenomics.report_amount((r.r ->> 'mix_effect')::numeric, unit, 2, true)),
                                        (8, tokenomics.report_amount((r.r ->> 'new_effect')::numeric + (r.r ->> 'discontinued_effect')::numeric, unit, 2, true)),
                                        -- exchange rates, purchases, credits and tax
                                        (9, tokenomics.report_amount((r.r ->> 'change')::numeric - (r.r ->> 'price_effect')::numeric - (r.r ->> 'volume_effect')::numeric - (r.r ->> 'mix_effect')::numeric
                                            - (r.r ->> 'new_effect')::numeric - (r.r ->> 'discontinued_effect')::numeric, unit, 2, true))) x(n, c))), 'Nothing was spent.')),
                E'\n\n' ORDER BY m.n) FROM unnest('{teams,projects,models}'::text[]) WITH ORDINALITY m(kind, n));

    said := said || '## Prices and savings'::text
        || format('At list prices the calls would have cost %s; they cost %s: %s saved.', tokenomics.report_amount((report -> 'savings' ->> 'list_cost')::numeric, unit),
                  tokenomics.report_amount((report -> 'savings' ->> 'contracted_cost')::numeric, unit), tokenomics.report_percent((report -> 'savings' ->> 'savings_rate')::numeric))
        || coalesce(tokenomics.report_table('{"Price that changed","Meter","From","Old:","New:","Did to the bill:"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'price_changes') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, tokenomics.report_text(concat_ws('/', r.r ->> 'provider', r.r ->> 'model'))), (2, r.r ->> 'meter'), (3, r.r ->> 'changed_on'),
                                    (4, tokenomics.report_amount((r.r ->> 'old_rate')::numeric, r.r ->> 'currency')), (5, tokenomics.report_amount((r.r ->> 'new_rate')::numeric, r.r ->> 'currency')),
                                    (6, tokenomics.report_amount((r.r ->> 'effect')::numeric, r.r ->> 'currency', 2, true))) x(n, c))), 'No price that was used has changed.');

    said := said || '## Budgets'::text
        || coalesce(tokenomics.report_table('{"Budget","Owner","Amount:","Actual:","Due:","Variance:","Price:","Mix:","Volume:","Charges:","Forecast:","Note"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'budgets') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, tokenomics.report_text(r.r ->> 'name')), (2, tokenomics.report_text(r.r ->> 'owner')), (3, tokenomics.report_amount((r.r ->> 'amount')::numeric, r.r ->> 'currency')),
                                    (4, tokenomics.report_amount((r.r ->> 'actual')::numeric, r.r ->> 'currency')), (5, tokenomics.report_amount((r.r ->> 'due')::numeric, r.r ->> 'currency')),
                                    (6, tokenomics.report_amount((r.r ->> 'variance')::numeric, r.r ->> 'currency', 2, true)),
                                    (7, tokenomics.report_amount((r.r ->> 'price_variance')::numeric, r.r ->> 'currency', 2, true)), (8, tokenomics.report_amount((r.r ->> 'mix_variance')::numeric, r.r ->> 'currency', 2, true)),
                                    (9, tokenomics.report_amount((r.r ->> 'volume_variance')::numeric, r.r ->> 'currency', 2, true)), (10, tokenomics.report_amount((r.r ->> 'charges_variance')::numeric, r.r ->> 'currency', 2, true)),
                                    (11, tokenomics.report_amount((r.r ->> 'forecast')::numeric, r.r ->> 'currency')), (12, tokenomics.report_text(r.r ->> 'note'))) x(n, c))), 'There is no budget for the month.')
        || CASE WHEN jsonb_array_length(report -> 'unbudgeted') > 0 THEN
            'Spent without a budget: ' || (SELECT string_agg(format('%s %s', tokenomics.report_text(u ->> 'owner'), tokenomics.report_amount((u ->> 'cost')::numeric, u ->> 'currency')), ', ' ORDER BY n)
                                           FROM jsonb_array_elements(report -> 'unbudgeted') WITH ORDINALITY x(u, n)) || '.' END;

    said := said || '## What is coming'::text
        || coalesce(tokenomics.report_table('{"Month","Tokens:","Spend:","At least:","At most:"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'forecast') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, to_char((r.r ->> 'month')::date, 'FMMonth YYYY')), (2, tokenomics.report_amount((r.r ->> 'tokens')::numeric, NULL, 0)), (3, tokenomics.report_amount((r.r ->> 'spend')::numeric, unit)),
                                    (4, tokenomics.report_amount((r.r ->> 'spend_lower')::numeric, unit)), (5, tokenomics.report_amount((r.r ->> 'spend_upper')::numeric, unit))) x(n, c))), 'There is not enough history to forecast from.')
        || (SELECT 'Of the forecast: ' || string_agg(tokenomics.report_text(n.said), '; ' ORDER BY n.said) || '.'
            FROM (SELECT DISTINCT x.said FROM jsonb_array_elements(report -> 'forecast') r(r), unnest(ARRAY[r.r ->> 'note', 'without a price: ' || (r.r ->> 'unpriced')]) x(said) WHERE x.said IS NOT NULL) n)
        || format('The calls alone, at the prices in force then; of this month they cost %s. Purchases, credits, adjustments and tax, here %s, are not in it.',
                  tokenomics.report_amount((spend ->> 'calls')::numeric, unit), tokenomics.report_amount((spend ->> 'charges')::numeric, unit))
        || ('### Quotes' || E'\n\n' || coalesce(tokenomics.report_table('{"Workload","Quote","A million tokens:","Month:","Serves"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'quotes') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, tokenomics.report_text(r.r ->> 'workload')), (2, tokenomics.report_text(r.r ->> 'quote')), (3, tokenomics.report_amount((r.r ->> 'cost_per_mtok')::numeric, r.r ->> 'currency', 4)),
                                    (4, tokenomics.report_amount((r.r ->> 'monthly_bill')::numeric, r.r ->> 'currency')), (5, tokenomics.report_text(CASE WHEN (r.r ->> 'serves')::boolean THEN 'yes' ELSE r.r ->> 'reason' END))) x(n, c))), 'No quote is known.'))
        || ('Worth a quote: ' || (SELECT string_agg(format('%s (%s, %s of what models cost)', tokenomics.report_text(concat_ws('/', q ->> 'provider', q ->> 'model')), tokenomics.report_amount((q ->> 'spend')::numeric, unit), tokenomics.report_percent((q ->> 'share')::numeric)), ', ' ORDER BY n)
                                  FROM jsonb_array_elements(report -> 'worth_a_quote') WITH ORDINALITY x(q, n)) || '.');

    said := said || '## What needs a look'::text
        || ('### Less used than paid for' || E'\n\n' || coalesce(tokenomics.report_table('{"Who","Name","Why"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'underuse') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, r.r ->> 'scope'), (2, tokenomics.report_text(r.r ->> 'name')), (3, tokenomics.report_text(r.r ->> 'reason'))) x(n, c))), 'Nothing: nobody''s use fell.'))
        || ('### Without a price' || E'\n\n' || coalesce(format(E'%s tokens have no price, and are in no amount above.\n\n', tokenomics.report_amount((report ->> 'unpriced_tokens')::numeric, NULL, 0))
            || tokenomics.report_table('{"Provider","Model","Why","Nearest priced model","Calls:","Tokens:"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'unpriced') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, tokenomics.report_text(r.r ->> 'provider')), (2, tokenomics.report_text(r.r ->> 'model')), (3, tokenomics.report_text(r.r ->> 'reason')), (4, tokenomics.report_text(r.r ->> 'nearest_priced_model')),
                                    (5, tokenomics.report_amount((r.r ->> 'calls')::numeric, NULL, 0)), (6, tokenomics.report_amount((r.r ->> 'tokens')::numeric, NULL, 0))) x(n, c))), 'Every token has a price.'))
        || ('### Not reconciled' || E'\n\n' || coalesce(tokenomics.report_table('{"Provider","Model","Computed:","Billed:","Residual:"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'unreconciled') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, tokenomics.report_text(r.r ->> 'provider')), (2, tokenomics.report_text(r.r ->> 'model')), (3, tokenomics.report_amount((r.r ->> 'computed')::numeric, r.r ->> 'currency')),
                                    (4, tokenomics.report_amount((r.r ->> 'billed')::numeric, r.r ->> 'currency')), (5, tokenomics.report_amount((r.r ->> 'residual')::numeric, r.r ->> 'currency', 2, true))) x(n, c))), CASE WHEN (report ->> 'billed_share')::numeric > 0 THEN
            format('What vendors billed is what the calls cost, to the cent; of the calls'' cost, bills are known for %s.', tokenomics.report_percent((report ->> 'billed_share')::numeric))
            ELSE 'No bill of a vendor is known for the month: nothing was compared.' END))
        || ('### Coverage' || E'\n\n' || (SELECT string_agg('- ' || c, E'\n' ORDER BY n) FROM jsonb_array_elements_text(report -> 'coverage') WITH ORDINALITY x(c, n)));

    said := said || '## What stood out in a year'::text
        || coalesce(tokenomics.report_table('{"Month","What","Amount:"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'findings') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, to_char((r.r ->> 'month')::date, 'FMMonth YYYY')), (2, tokenomics.report_text(r.r ->> 'what')), (3, tokenomics.report_amount((r.r ->> 'amount')::numeric, coalesce(r.r ->> 'currency', unit), 2, true))) x(n, c))), 'Nothing.');

    said := said || format('Months and days of %s; prices of the book %s; amounts in %s, others converted by the month''s rate; the price of a token is of calls priced in it. Reconciliation is by months of UTC.',
        tokenomics.report_text(report ->> 'zone'), tokenomics.report_text(report ->> 'book'), unit);
    RETURN array_to_string(said, E'\n\n') || E'\n';
END
$$;
COMMENT ON FUNCTION report_markdown(jsonb) IS 'the report of a month, from monthly_report(), as Markdown for who pays: this month first, what stood out in a year last';

-- Makes the table and the functions in the schema that comes first in
-- search_path; called by install().
CREATE PROCEDURE install_report() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE TABLE IF NOT EXISTS report (
        month date NOT NULL,
        version integer NOT NULL,
        body jsonb NOT NULL,
        markdown text NOT NULL,
        book tokenomics.price_book,
        difference jsonb,
        published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        published_by text NOT NULL DEFAULT current_user,
        PRIMARY KEY (month, version),
        CONSTRAINT report_month_start CHECK (extract(day FROM month) = 1)
    );
    COMMENT ON TABLE report IS 'tokenomics: published reports of months; filled by publish_report(), never changed';
    COMMENT ON COLUMN report.month IS 'first day of the month';
    COMMENT ON COLUMN report.version IS '1, and one more for each correction of what it says';
    COMMENT ON COLUMN report.body IS 'the report, from monthly_report()';
    COMMENT ON COLUMN report.markdown IS 'the same for people, from report_markdown()';
    COMMENT ON COLUMN report.book IS 'the prices that it was made with';
    COMMENT ON COLUMN report.difference IS 'of a later version: what changed since the one before, and why';
    COMMENT ON COLUMN report.published_at IS 'when';
    COMMENT ON COLUMN report.published_by IS 'by whom';

    CREATE OR REPLACE FUNCTION monthly_report(month date) RETURNS jsonb
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off SET plan_cache_mode = force_custom_plan
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        reporting text := (SELECT s.currency FROM setting s);
        this date := date_trunc('month', monthly_report.month::timestamp)::date;
        before date := (this - interval '1 month')::date;
        year_before date := (this - interval '1 year')::date;
        begins timestamptz := this::timestamp AT TIME ZONE in_zone;
        ends timestamptz := (this + interval '1 month')::timestamp AT TIME ZONE in_zone;
        before_begins timestamptz := before::timestamp AT TIME ZONE in_zone;
        year_before_begins timestamptz := year_before::timestamp AT TIME ZONE in_zone;
        as_of timestamptz := least(ends, now());
        report jsonb;
        spend jsonb;
        trend record;
    BEGIN
        IF monthly_report.month IS NULL OR NOT isfinite(monthly_report.month) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'a report is of a month',
                HINT = 'Give any day of it, as in monthly_report(''2026-06-01'').';
        END IF;
        report := jsonb_build_object('month', this, 'zone', in_zone, 'currency', reporting, 'book', (SELECT s.book FROM setting s), 'is_partial', ends > now());

        -- the second line first: it says whether there is anything
        SELECT jsonb_object_agg(t.month, to_jsonb(t) - 'month') INTO spend
        FROM (SELECT t.month, bool_or(t.is_partial) AS is_partial, sum(t.tokens) AS tokens, max(t.unpriced_tokens) AS unpriced_tokens,
                     sum(x.amount) AS total, sum(convert_currency(t.purchase_cost + t.other_charges, t.currency, reporting, t.month, 'month')) AS charges,
                     string_agg(DISTINCT t.currency, ', ') FILTER (WHERE t.total_spend <> 0 AND x.amount IS NULL) AS lacks_rate
              FROM total_spend_trend_between(year_before_begins, ends, in_zone) t,
                   LATERAL (SELECT CASE WHEN t.currency = reporting THEN t.total_spend ELSE t.total_spend_converted END AS amount) x
              WHERE t.month IN (this, before, year_before)
              GROUP BY t.month) t;
        IF spend -> this::text IS NULL THEN
            RETURN report || jsonb_build_object('spend', NULL);
        END IF;
        report := report || jsonb_build_object(
            'lacks_rate', spend -> this::text -> 'lacks_rate',
            'unpriced_tokens', spend -> this::text -> 'unpriced_tokens',
            'spend', jsonb_build_object(
                'total', spend -> this::text -> 'total', 'calls', (spend -> this::text ->> 'total')::numeric - (spend -> this::text ->> 'charges')::numeric, 'charges', spend -> this::text -> 'charges', 'before', spend -> before::text -> 'total', 'year_before', spend -> year_before::text -> 'total',
                'tokens', spend -> this::text -> 'tokens', 'tokens_before', spend -> before::text -> 'tokens', 'tokens_year_before', spend -> year_before::text -> 'tokens',
                -- a month that is not over has not grown yet
                'growth', CASE WHEN ends <= now() THEN tokenomics.growth_rate((spend -> this::text ->> 'total')::numeric, (spend -> before::text ->> 'total')::numeric) END,
                'growth_year', CASE WHEN ends <= now() THEN tokenomics.growth_rate((spend -> this::text ->> 'total')::numeric, (spend -> year_before::text ->> 'total')::numeric) END));

        -- the first line, in the reporting currency; indices chain from the first month
        report := report || jsonb_build_object('unit_price', (
            SELECT jsonb_build_object(
                       'cost_per_mtok', max(p.cost_per_mtok) FILTER (WHERE p.month = this), 'before', max(p.cost_per_mtok) FILTER (WHERE p.month = before), 'year_before', max(p.cost_per_mtok) FILTER (WHERE p.month = year_before),
                       'growth', CASE WHEN ends <= now() THEN max(p.growth_month_on_month) FILTER (WHERE p.month = this) END,
                       'growth_year', CASE WHEN ends <= now() THEN max(p.growth_year_on_year) FILTER (WHERE p.month = this) END,
                       'matched_index', max(p.matched_index) FILTER (WHERE p.month = this), 'matched_index_before', max(p.matched_index) FILTER (WHERE p.month = before), 'matched_index_year_before', max(p.matched_index) FILTER (WHERE p.month = year_before),
                       'real_growth', CASE WHEN ends <= now() THEN round((max(p.matched_index) FILTER (WHERE p.month = this AND p.index_base <= before) / max(p.matched_index) FILTER (WHERE p.month = before))::numeric - 1, 12) END,
                       'real_growth_year', CASE WHEN ends <= now() THEN round((max(p.matched_index) FILTER (WHERE p.month = this AND p.index_base <= year_before) / max(p.matched_index) FILTER (WHERE p.month = year_before))::numeric - 1, 12) END,
                       'generation_index', max(p.generation_index) FILTER (WHERE p.month = this), 'geks_index', max(p.geks_index) FILTER (WHERE p.month = this),
                       'mix_index', max(p.mix_index) FILTER (WHERE p.month = this), 'mix_index_before', max(p.mix_index) FILTER (WHERE p.month = before), 'mix_index_year_before', max(p.mix_index) FILTER (WHERE p.month = year_before),
                       'coverage', max(p.coverage) FILTER (WHERE p.month = this), 'note', max(p.note) FILTER (WHERE p.month = this),
                       'savings_rate', max(p.savings_rate) FILTER (WHERE p.month = this))
            FROM unit_price_trend_between(NULL, ends, in_zone) p WHERE p.scope = 'total' AND p.currency = reporting));

        -- why: against the month before, and against the year before
        report := report || jsonb_build_object(
            'bridge', (
                SELECT jsonb_build_object('month', max(to_jsonb(g)::text) FILTER (WHERE g.comparison = 'month on month' AND g.spend_before IS NOT NULL)::jsonb,
                                          'year', max(to_jsonb(g)::text) FILTER (WHERE g.comparison = 'year on year' AND g.spend_before IS NOT NULL)::jsonb)
                FROM bill_growth_between(year_before_begins, ends, in_zone, reporting) g WHERE g.month = this AND g.currency = reporting),
            'drivers', (
                SELECT coalesce(jsonb_agg(jsonb_build_object('driver', e.driver, 'effect', e.effect) ORDER BY e.n), '[]')
                FROM driver_bridge(before, this, in_zone) d,
                     LATERAL (VALUES (1, 'users', d.users_effect), (2, 'sessions per user', d.sessions_per_user_effect), (3, 'turns per session', d.turns_per_session_effect),
                                     (4, 'calls per turn', d.calls_per_turn_effect), (5, 'tokens per call', d.tokens_per_call_effect), (6, 'reasoning', d.reasoning_effect),
                                     (7, 'calls without ids', d.coverage_effect), (8, 'cache', d.cache_effect), (9, 'mix of models, tiers and output', d.mix_effect), (10, 'price', d.price_effect),
                                     (11, 'purchases', d.purchase_effect), (12, 'other charges', d.other_effect)) e(n, driver, effect)
                WHERE d.currency = reporting AND ends <= now() AND e.effect IS NOT NULL AND d.users_effect IS NOT NULL),
            -- those that changed most, and all others: the columns add up to the bill; in a
            -- first month those that cost most
            'movers', (
                SELECT jsonb_object_agg(k.kind, coalesce(m.rows, '[]'))
                FROM unnest('{teams,projects,models}'::text[]) k(kind)
                LEFT JOIN (
                    SELECT r.kind, jsonb_agg(to_jsonb(r) - '{kind,place}'::text[] - CASE WHEN jsonb_typeof(report -> 'spend' -> 'before') = 'number' THEN '{}'
                                                 ELSE '{spend_before,change,price_effect,volume_effect,mix_effect,new_effect,discontinued_effect}'::text[] END ORDER BY r.place) AS rows
                    FROM (SELECT t.kind, least(t.place, 7) AS place, CASE WHEN t.place < 7 THEN t.name END AS name, CASE WHEN t.place >= 7 THEN count(*) END AS others, sum(t.spend) AS spend,
                                 sum(t.spend_before) AS spend_before, sum(t.change) AS change, sum(t.price_effect) AS price_effect, sum(t.volume_effect) AS volume_effect, sum(t.mix_effect) AS mix_effect,
                                 sum(t.new_effect) AS new_effect, sum(t.discontinued_effect) AS discontinued_effect
                          FROM (SELECT b.*, row_number() OVER (PARTITION BY b.kind ORDER BY abs(b.change) DESC, b.name) AS place
                                FROM (SELECT d.kind, coalesce(CASE d.kind WHEN 'teams' THEN b.team WHEN 'projects' THEN b.project ELSE concat_ws('/', b.provider, b.model) END, 'unallocated') AS name,
                                             b.spend_1 AS spend, b.spend_0 AS spend_before, b.change, b.price_effect, b.volume_effect, b.mix_effect, b.new_effect, b.discontinued_effect
                                      FROM (VALUES ('teams', '{team}'::text[]), ('projects', '{project}'), ('models', '{provider,model}')) d(kind, grouping),
                                           bill_bridge(before_begins, begins, begins, ends, d.grouping, in_zone, reporting) b
                                      WHERE b.currency = reporting AND (b.spend_0 <> 0 OR b.spend_1 <> 0)) b) t
                          GROUP BY t.kind, least(t.place, 7), CASE WHEN t.place < 7 THEN t.name END, t.place >= 7) r
                    GROUP BY r.kind) m ON m.kind = k.kind));
        -- the drivers are of the bill in the reporting currency: all of the change has a row
        report := report || (
            SELECT jsonb_build_object('drivers', (report -> 'drivers') || jsonb_build_object('driver', 'bills in other currencies', 'effect', r.rest))
            FROM (SELECT (report -> 'bridge' -> 'month' ->> 'change')::numeric - sum((d ->> 'effect')::numeric) AS rest FROM jsonb_array_elements(report -> 'drivers') d) r
            WHERE r.rest <> 0
            UNION ALL SELECT '{}' LIMIT 1);

        -- a year of what stood out: each names its cause and, where there is one, its amount
        report := report || jsonb_build_object('findings', (
            WITH model AS MATERIALIZED (
                SELECT c.month, c.provider, c.model, sum(c.effective_cost_converted) AS cost, sum(c.cache_read_tokens) AS cache_read,
                       sum(c.input_tokens) + sum(c.cache_read_tokens) + coalesce(sum(c.cache_write_tokens), 0) + coalesce(sum(c.cache_write_1h_tokens), 0) AS input, sum(sum(c.effective_cost_converted)) OVER (PARTITION BY c.month) AS bill
                FROM cost_per_token_between((this - interval '13 months')::timestamp AT TIME ZONE in_zone, ends, in_zone) c GROUP BY 1, 2, 3
            ), bridge AS MATERIALIZED (
                -- of months with one before them
                SELECT make_date(c.n / 12, c.n % 12 + 1, 1) AS month, c.provider, c.model, sum(c.spend_0) AS spend_0, sum(c.spend_1) AS spend_1, sum(c.price_effect) AS price_effect,
                       sum(c.volume_effect) AS volume_effect, sum(c.mix_effect) AS mix_effect, sum(c.new_effect) AS new_effect, sum(c.discontinued_effect) AS discontinued_effect,
                       sum(c.purchase_effect) AS purchase_effect, sum(c.other_effect) AS other_effect
                FROM bill_contributions(ARRAY[tstzrange((this - interval '13 months')::timestamp AT TIME ZONE in_zone, ends)], true, '{1}', in_zone, NULL, reporting, '{provider,model}') c
                WHERE c.currency = reporting AND EXISTS (SELECT FROM model x WHERE x.month = (make_date(c.n / 12, c.n % 12 + 1, 1) - interval '1 month')::date)
                GROUP BY 1, 2, 3
            ), bill AS (
                SELECT b.month, greatest(sum(b.spend_0), sum(b.spend_1)) AS size FROM bridge b GROUP BY 1
            ), finding AS (
                SELECT b.month, e.n, format(e.what, concat_ws('/', b.provider, b.model)) AS what, e.amount, NULL::text AS currency
                FROM bridge b JOIN bill s ON s.month = b.month,
                     LATERAL (VALUES (1, 'price of %s', b.price_effect), (2, 'mix: %s', b.mix_effect), (3, 'new: %s', b.new_effect), (4, 'no longer used: %s', b.discontinued_effect),
                                     (5, 'volume of %s', b.volume_effect), (6, 'credit, adjustment or tax of %s', b.other_effect), (7, 'purchase of %s', b.purchase_effect)) e(n, what, amount)
                WHERE abs(e.amount) >= CASE e.n WHEN 1 THEN 0.01 WHEN 6 THEN 0 WHEN 5 THEN 0.1 ELSE 0.03 END * s.size AND e.amount <> 0
                UNION ALL
                SELECT m.month, 8, format('cache hit rate of %s/%s from %s to %s', m.provider, m.model, tokenomics.report_percent(b.rate), tokenomics.report_percent(a.rate)), NULL, NULL
                FROM model m JOIN model l ON l.month = (m.month - interval '1 month')::date AND l.provider = m.provider AND l.model = m.model,
                     LATERAL (SELECT m.cache_read / nullif(m.input, 0) AS rate) a, LATERAL (SELECT l.cache_read / nullif(l.input, 0) AS rate) b
                WHERE abs(a.rate - b.rate) >= 0.1 AND m.cost >= 0.01 * m.bill AND m.month > this - interval '12 months'
                UNION ALL
                SELECT u.month, 9, format('no price: %s/%s, %s tokens', u.provider, u.model, tokenomics.report_amount(sum(u.tokens), NULL, 0)), NULL, NULL
                FROM unpriced_usage_between((this - interval '12 months')::timestamp AT TIME ZONE in_zone, ends, in_zone) u WHERE u.tokens > 0 GROUP BY u.month, u.provider, u.model
                UNION ALL
                SELECT r.month, 10, format('billed and not explained: %s/%s', r.provider, r.model), r.residual, r.currency
                FROM reconciliation_between((this - interval '12 months')::timestamp AT TIME ZONE 'UTC', (this + interval '1 month')::timestamp AT TIME ZONE 'UTC') r
                WHERE r.scope = 'model' AND round(r.residual, 2) <> 0
            )
            SELECT coalesce(jsonb_agg(jsonb_build_object('month', f.month, 'what', f.what, 'amount', f.amount, 'currency', f.currency) ORDER BY f.month, f.n, abs(f.amount) DESC, f.what), '[]') FROM finding f));

        report := report || jsonb_build_object(
            'savings', (
                SELECT jsonb_build_object('list_cost', sum(c.list_cost), 'contracted_cost', sum(c.contracted_cost) FILTER (WHERE c.list_cost IS NOT NULL),
                                          'savings_rate', tokenomics.savings_rate(sum(c.contracted_cost) FILTER (WHERE c.list_cost IS NOT NULL), sum(c.list_cost)))
                FROM cost_per_token_between(begins, ends, in_zone) c WHERE c.currency = reporting),
            'price_changes', (
                SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY abs(p.effect) DESC, p.provider, p.model, p.meter, p.changed_on), '[]')
                FROM (SELECT l.provider, l.model, l.meter, (l.changed_at AT TIME ZONE in_zone)::date AS changed_on, l.old_rate, l.new_rate, l.currency, sum(l.effect) AS effect
                      FROM price_change_log_between(begins, ends, in_zone) l
                      WHERE l.effect <> 0 AND l.change = 'price' AND (l.book = (SELECT s.book FROM setting s) OR l.book = 'list')
                      GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY abs(sum(l.effect)) DESC, 1, 2, 3 LIMIT 10) p),
            'budgets', (
                SELECT coalesce(jsonb_agg(to_jsonb(b) ORDER BY b.period_start, b.name), '[]')
                FROM budget_status_at(as_of) b WHERE b.period_start < this + interval '1 month' AND b.period_end > this),
            'unbudgeted', (
                SELECT coalesce(jsonb_agg(to_jsonb(u) ORDER BY u.cost DESC, u.dimension, u.owner, u.currency), '[]')
                FROM (SELECT u.dimension, coalesce(u.owner, 'all') AS owner, u.currency, sum(u.cost) AS cost
                      FROM unbudgeted_spend_between(begins, ends, in_zone) u GROUP BY 1, 2, 3 HAVING sum(u.cost) <> 0) u),
            'forecast', (
                SELECT coalesce(jsonb_agg(to_jsonb(f) ORDER BY f.month), '[]')
                FROM (SELECT date_trunc('month', f.period::timestamp)::date AS month, f.tokens, round(f.spend, 2) AS spend, round(f.spend_lower, 2) AS spend_lower,
                             round(f.spend_upper, 2) AS spend_upper, f.unpriced, f.note
                      FROM demand_forecast_between(NULL, as_of, in_zone, 'month', 3) f WHERE f.scope = 'total') f));

        report := report || jsonb_build_object(
            'quotes', (
                SELECT coalesce(jsonb_agg(to_jsonb(q) ORDER BY q.workload, q.rank, q.quote), '[]')
                FROM (SELECT q.workload, q.quote, q.rank, q.serves, q.reason, q.currency, q.cost_per_mtok, q.monthly_bill
                      FROM quote_comparison_between(NULL, ends) q WHERE q.rank <= 3) q),
            'worth_a_quote', (
                SELECT coalesce(jsonb_agg(to_jsonb(w) ORDER BY w.spend DESC, w.provider, w.model), '[]')
                FROM (SELECT c.provider, c.model, sum(c.effective_cost) AS spend, round(sum(c.effective_cost) / nullif(sum(sum(c.effective_cost)) OVER (), 0), 4) AS share
                      FROM cost_per_token_between(begins, ends, in_zone) c WHERE c.currency = reporting GROUP BY 1, 2) w
                -- what was left of a purchase is no model to ask for
                WHERE w.share >= 0.1 AND w.model <> 'idle'),
            'underuse', (
                SELECT coalesce(jsonb_agg(jsonb_build_object('scope', u.scope, 'name', u.owner, 'reason', u.reason) ORDER BY u.scope, u.owner), '[]')
                FROM underuse_between(NULL, as_of, in_zone) u WHERE u.scope <> 'user'),
            'unpriced', (
                SELECT coalesce(jsonb_agg(to_jsonb(u) - 'month' ORDER BY u.tokens DESC, u.provider, u.model, u.service_tier, u.reason), '[]')
                FROM unpriced_usage_between(begins, ends, in_zone) u WHERE u.tokens > 0),
            'unreconciled', (
                SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY abs(r.residual) DESC, r.provider, r.model, r.currency), '[]')
                FROM (SELECT r.provider, r.model, r.currency, r.computed, coalesce(r.invoiced, r.billed) AS billed, r.residual
                      FROM reconciliation_between(this::timestamp AT TIME ZONE 'UTC', (this + interval '1 month')::timestamp AT TIME ZONE 'UTC') r
                      WHERE r.scope = 'model' AND round(r.residual, 2) <> 0) r),
            'billed_share', (
                SELECT round(sum(x.amount) FILTER (WHERE r.billed IS NOT NULL OR r.invoiced IS NOT NULL) / nullif(sum(x.amount), 0), 4)
                FROM reconciliation_between(this::timestamp AT TIME ZONE 'UTC', (this + interval '1 month')::timestamp AT TIME ZONE 'UTC') r,
                     LATERAL (SELECT convert_currency(r.computed, r.currency, reporting, this, 'month') AS amount) x
                WHERE r.scope = 'model'));

        SELECT sum(l.tokens) AS tokens, sum(l.tokens) FILTER (WHERE l.owner IS NULL) AS unowned INTO trend
        FROM (SELECT o.tokens, CASE WHEN o.is_allocated THEN o.owner END AS owner FROM spend_by_owner_between(begins, ends, in_zone) o WHERE o.dimension = 'team') l;
        RETURN report || jsonb_build_object('coverage', to_jsonb(array_remove(ARRAY[
            format('%s of the month''s tokens have a price.', tokenomics.report_percent(1 - coalesce((report ->> 'unpriced_tokens')::numeric / nullif(trend.tokens, 0), 0))),
            format('%s of them belong to a team.', tokenomics.report_percent(1 - coalesce(trend.unowned / nullif(trend.tokens, 0), 0))),
            CASE WHEN report -> 'unit_price' ->> 'coverage' IS NOT NULL THEN
                format('%s of the cost of the calls is of items that were there in the month compared with, too: that is what the real price is of.', tokenomics.report_percent((report -> 'unit_price' ->> 'coverage')::numeric)) END,
            CASE WHEN report ->> 'lacks_rate' IS NOT NULL THEN format('Amounts in %s have no exchange rate, and are left out.', report ->> 'lacks_rate') END], NULL)));
    END
    $$;
    COMMENT ON FUNCTION monthly_report(date) IS
        'the report of the month that holds a day, as JSON: the two lines, why they moved, top movers, prices and savings, budgets, forecast, quotes, underuse, what is unpriced and unreconciled, and coverage; report_markdown() writes it for people';

    CREATE OR REPLACE FUNCTION publish_report(month date) RETURNS integer
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        this date := date_trunc('month', publish_report.month::timestamp)::date;
        in_zone text := (SELECT s.zone FROM setting s);
        begins timestamptz := this::timestamp AT TIME ZONE in_zone;
        ends timestamptz := (this + interval '1 month')::timestamp AT TIME ZONE in_zone;
        made jsonb;
        last report;
        by_prices numeric;
        by_charges numeric;
        changed numeric;
    BEGIN
        IF ends > now() OR ends IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('the month from %s on is not over', this),
                HINT = 'monthly_report() shows it as it is now; published are months that are over.';
        END IF;
        -- one at a time: who comes second finds what the first has published
        LOCK TABLE report IN SHARE ROW EXCLUSIVE MODE;
        made := monthly_report(this);
        SELECT r.* INTO last FROM report r WHERE r.month = this ORDER BY r.version DESC LIMIT 1;
        IF last.body = made THEN
            RETURN last.version;
        END IF;
        IF last.version IS NOT NULL THEN
            -- what the same calls cost by the prices of then, and by those of now
            SELECT coalesce(sum(convert_currency(r.difference, r.currency, (SELECT s.currency FROM setting s), this, 'month')), 0) INTO by_prices
            FROM repriced_bill(begins, ends, book(), last.book) r;
            changed := (made -> 'spend' ->> 'total')::numeric - (last.body -> 'spend' ->> 'total')::numeric;
            by_charges := (made -> 'spend' ->> 'charges')::numeric - (last.body -> 'spend' ->> 'charges')::numeric;
        END IF;
        INSERT INTO report (month, version, body, markdown, book, difference)
        VALUES (this, coalesce(last.version, 0) + 1, made, tokenomics.report_markdown(made), book(),
                CASE WHEN last.version IS NOT NULL THEN jsonb_build_object(
                    'spend_before', last.body -> 'spend' -> 'total', 'spend', made -> 'spend' -> 'total', 'change', changed,
                    'by_prices', by_prices, 'by_charges', by_charges, 'by_calls', changed - by_prices - by_charges,
                    'changed', (SELECT jsonb_agg(k.key ORDER BY k.key) FROM jsonb_object_keys(made || last.body) k(key) WHERE made -> k.key IS DISTINCT FROM last.body -> k.key)) END);
        RETURN coalesce(last.version, 0) + 1;
    END
    $$;
    COMMENT ON FUNCTION publish_report(date) IS
        'keeps the report of a month that is over, with the prices it was made with, and returns its version; again it changes nothing, and after a correction makes the next version with the difference: by prices, by charges, and by calls that came or went';

    CREATE OR REPLACE FUNCTION publish_due_report(day integer, hour integer, zone text, at timestamptz DEFAULT now()) RETURNS date
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        local timestamp := publish_due_report.at AT TIME ZONE publish_due_report.zone;
        due date := (date_trunc('month', local) - interval '1 month')::date;
    BEGIN
        -- any time from then on: a server that was down at the hour is not late for ever
        IF local < date_trunc('month', local) + make_interval(days => publish_due_report.day - 1, hours => publish_due_report.hour)
            OR (due + interval '1 month')::timestamp AT TIME ZONE (SELECT s.zone FROM setting s) > now()
            OR EXISTS (SELECT FROM report r WHERE r.month = due) THEN
            RETURN NULL;
        END IF;
        PERFORM publish_report(due);
        RETURN due;
    END
    $$;
    COMMENT ON FUNCTION publish_due_report(integer, integer, text, timestamptz) IS
        'what schedule_reports() runs: publishes the report of the month before, once, from a day and hour of the month on by the clock of a zone; returns its month, or NULL where nothing is due';

    CREATE OR REPLACE FUNCTION schedule_reports(day integer DEFAULT 1, hour integer DEFAULT 6, zone text DEFAULT NULL) RETURNS text
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(schedule_reports.zone, (SELECT s.zone FROM setting s));
        install_schema text := (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = 'report'::regclass);
        command text;
        job bigint;
    BEGIN
        IF schedule_reports.day NOT BETWEEN 1 AND 28 OR schedule_reports.hour NOT BETWEEN 0 AND 23
            OR schedule_reports.day IS NULL OR schedule_reports.hour IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('there is no day %s, hour %s in every month', schedule_reports.day, schedule_reports.hour),
                HINT = 'The day is 1 to 28, the hour 0 to 23.';
        END IF;
        PERFORM tokenomics.period_start('day', in_zone, now());  -- an error of the zone comes now, not in the night
        command := format('SELECT %I.publish_due_report(%s, %s, %L)', install_schema, schedule_reports.day, schedule_reports.hour, in_zone);
        IF to_regprocedure('cron.schedule(text,text,text)') IS NULL THEN
            RAISE NOTICE USING
                MESSAGE = 'pg_cron is not in this database: put the line that this returns into a crontab',
                HINT = 'It runs every quarter of an hour, and publishes once a month.';
            RETURN format('*/15 * * * * psql -X -d %s -c "%s"', quote_ident(current_database()), replace(command, '"', '\"'));
        END IF;
        -- by the clock of the server, which is GMT: the function looks at the local time itself
        EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job USING format('tokenomics report of %s', install_schema), '*/15 * * * *', command;
        RETURN format('pg_cron job %s: %s', job, command);
    END
    $$;
    COMMENT ON FUNCTION schedule_reports(integer, integer, text) IS
        'publishes each month''s report by itself from a day and hour of the next on, by the clock of a zone (NULL: that of "setting"): as a job of pg_cron where that is in the database, else it returns the line for a crontab; again it changes the job';
END
$install$;
COMMENT ON PROCEDURE install_report() IS 'part of install(): the report of a month, in the first schema of search_path';

CREATE PROCEDURE uninstall_report() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP FUNCTION IF EXISTS
        schedule_reports(integer, integer, text),
        publish_due_report(integer, integer, text, timestamptz),
        publish_report(date),
        monthly_report(date);
    DROP TABLE IF EXISTS report;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_report() IS 'part of uninstall(): drops what install_report() made';
-- Readers: the views of an install for a role that is to see what was spent, but
-- not whose calls they were.

-- Makes the functions in the schema that comes first in search_path; called by
-- install() when all views are there.
CREATE PROCEDURE install_reader() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION make_reader_views() RETURNS name
        LANGUAGE plpgsql SET search_path FROM CURRENT SET client_min_messages = warning
    AS $$
    DECLARE
        source name := current_schema();
        target name := current_schema() || '_reader';
        remark text := format('tokenomics: what readers see of schema "%s"', current_schema());
        described record;
        columns text;
    BEGIN
        IF length(source) > 56 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'name_too_long',
                MESSAGE = format('there is no room for "_reader" behind the name of schema "%s"', source);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = target) THEN
            EXECUTE format('CREATE SCHEMA %I', target);
            EXECUTE format('COMMENT ON SCHEMA %I IS %L', target, remark);
        ELSIF obj_description((SELECT n.oid FROM pg_namespace n WHERE n.nspname = target), 'pg_namespace') IS DISTINCT FROM remark THEN
            RAISE EXCEPTION USING
                ERRCODE = 'duplicate_schema',
                MESSAGE = format('schema "%s" is not one that grant_reader() made', target),
                HINT = 'Rename it, or install into another schema.';
        END IF;
        CALL tokenomics.check_owner(format('%I', target)::regnamespace);

        -- functions run as who calls them, even in a view: these do not
        FOR described IN
            SELECT c.oid, c.relname FROM pg_class c
            WHERE c.relnamespace = source::text::regnamespace AND c.relkind = 'v'
              AND c.relname NOT IN ('usage', 'settlement', 'underuse')  -- which names users
              AND EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = c.relnamespace AND p.proname = c.relname || '_between'
                          AND (p.proargtypes::oid[]::regtype[])[0:2] = '{timestamptz,timestamptz,text}'::regtype[])
        LOOP
            EXECUTE format($format$
                CREATE OR REPLACE FUNCTION %1$I.%2$I(from_at timestamptz DEFAULT NULL, to_at timestamptz DEFAULT NULL, zone text DEFAULT NULL) RETURNS SETOF %3$I.%4$I
                    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
                AS 'BEGIN RETURN QUERY SELECT * FROM %3$I.%2$I($1, $2, $3); END'
                $format$, target, described.relname || '_between', source, described.relname);
            EXECUTE format('REVOKE ALL ON FUNCTION %I.%I(timestamptz, timestamptz, text) FROM PUBLIC', target, described.relname || '_between');
            EXECUTE format('COMMENT ON FUNCTION %I.%I(timestamptz, timestamptz, text) IS %L', target, described.relname || '_between',
                           format('the rows of %s from from_at up to, not including, to_at, by the periods of the zone; NULL: no limit, and the zone of "setting"', described.relname));
            EXECUTE format('CREATE OR REPLACE VIEW %1$I.%2$I AS SELECT * FROM %1$I.%3$I()', target, described.relname, described.relname || '_between');
            EXECUTE format('COMMENT ON VIEW %I.%I IS %L', target, described.relname, obj_description(described.oid, 'pg_class'));
        END LOOP;
        SELECT string_agg(quote_ident(u.name), ', ') INTO columns FROM tokenomics.usage_columns() u
        WHERE u.name NOT IN ('user_id', 'session_id', 'turn_id', 'tags');
        EXECUTE format('CREATE OR REPLACE VIEW %I.usage AS SELECT %s FROM %I.usage', target, columns, source);
        EXECUTE format('COMMENT ON VIEW %I.usage IS %L', target, 'tokenomics: the calls, without users, sessions, turns and tags');
        FOR described IN
            SELECT c.relname, a.attname, col_description(s.oid, b.attnum) AS remark
            FROM pg_class c JOIN pg_class s ON s.relnamespace = source::text::regnamespace AND s.relname = c.relname
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            JOIN pg_attribute b ON b.attrelid = s.oid AND b.attname = a.attname
            WHERE c.relnamespace = target::text::regnamespace AND c.relkind = 'v'
        LOOP
            EXECUTE format('COMMENT ON COLUMN %I.%I.%I IS %L', target, described.relname, described.attname, described.remark);
        END LOOP;
        RETURN target;
    END
    $$;
    COMMENT ON FUNCTION make_reader_views() IS
        'part of grant_reader(): makes the schema of readers, and its views, which run with the rights of the owner of the install';
    REVOKE ALL ON FUNCTION make_reader_views() FROM PUBLIC;

    CREATE OR REPLACE FUNCTION grant_reader(role name) RETURNS name
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    DECLARE
        target name;
    BEGIN
        IF role IS NULL OR to_regrole(quote_ident(role)) IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_object',
                MESSAGE = format('role "%s" does not exist', role);
        END IF;
        target := make_reader_views();
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', target, role);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', target, role);
        EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %I TO %I', target, role);
        RETURN target;
    END
    $$;
    COMMENT ON FUNCTION grant_reader(name) IS
        'lets a role read all that was spent, and nothing of users, sessions, turns and tags: through views of the same names in a schema of their own, <schema>_reader, whose name it returns; they run with the rights of the owner';
    REVOKE ALL ON FUNCTION grant_reader(name) FROM PUBLIC;

    -- made anew with the views that they are over
    IF obj_description((SELECT n.oid FROM pg_namespace n WHERE n.nspname = current_schema() || '_reader'), 'pg_namespace')
        = format('tokenomics: what readers see of schema "%s"', current_schema()) THEN
        PERFORM make_reader_views();
    END IF;
END
$install$;
COMMENT ON PROCEDURE install_reader() IS 'part of install(): grant_reader(), in the first schema of search_path';

CREATE PROCEDURE uninstall_reader() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    IF obj_description((SELECT n.oid FROM pg_namespace n WHERE n.nspname = current_schema() || '_reader'), 'pg_namespace')
        = format('tokenomics: what readers see of schema "%s"', current_schema()) THEN
        EXECUTE format('DROP SCHEMA %I CASCADE', current_schema() || '_reader');
    END IF;
    DROP FUNCTION IF EXISTS grant_reader(name), make_reader_views();
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_reader() IS 'part of uninstall(): drops what install_reader() and grant_reader() made';
-- install(schema) and uninstall(schema): the tables, views and functions of one
-- install, in a schema of the caller's.

-- Fails where the schema holds objects of somebody but the caller, the owner
-- of the schema or a superuser: they could be used as if they were ours.
CREATE PROCEDURE check_owner(schema regnamespace) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stranger record;
BEGIN
    SELECT pg_describe_object(o.class, o.id, 0) AS object, pg_get_userbyid(o.owner) AS owner INTO stranger
    FROM (SELECT 'pg_class'::regclass, c.oid, c.relowner FROM pg_class c WHERE c.relnamespace = schema
          UNION ALL
          SELECT 'pg_proc'::regclass, p.oid, p.proowner FROM pg_proc p WHERE p.pronamespace = schema
          UNION ALL
          SELECT 'pg_type'::regclass, t.oid, t.typowner FROM pg_type t WHERE t.typnamespace = schema
          UNION ALL
          SELECT 'pg_operator'::regclass, p.oid, p.oprowner FROM pg_operator p WHERE p.oprnamespace = schema
         ) AS o(class, id, owner)
    JOIN pg_roles r ON r.oid = o.owner
    WHERE NOT r.rolsuper AND r.rolname <> current_user
      AND r.oid <> (SELECT nspowner FROM pg_namespace WHERE oid = schema)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format('schema %s holds objects of others', schema),
            DETAIL = format('%s belongs to "%s".', upper(left(stranger.object, 1)) || substr(stranger.object, 2), stranger.owner),
            HINT = 'Install into a schema of its own.';
    END IF;
END
$$;
COMMENT ON PROCEDURE check_owner(regnamespace) IS 'part of install(): refuses a schema that holds objects of others';

-- A procedure that calls others with the schema first in search_path; each
-- qualifies all but the names that belong there.
CREATE PROCEDURE install(schema text, usage text, mapping jsonb) LANGUAGE plpgsql
AS $$
DECLARE
    source regclass := install.usage::regclass;  -- as the caller's search_path has it
    path_before text := pg_catalog.current_setting('search_path');
    messages_before text := pg_catalog.current_setting('client_min_messages');
BEGIN
    IF install.schema IS NULL OR install.schema OPERATOR(pg_catalog.=) ANY (ARRAY['', 'tokenomics', 'pg_catalog', 'information_schema'])
        OR pg_catalog.starts_with(install.schema, 'pg_') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('cannot install into schema "%s"', install.schema),
            HINT = 'Name a schema of your own, as in CALL tokenomics.install(''llm'').';
    END IF;
    IF install.mapping IS NOT NULL AND source IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'a mapping needs the table or view that it reads',
            HINT = 'As in CALL tokenomics.install(''llm'', usage => ''public.my_calls'', mapping => ...).';
    END IF;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    PERFORM pg_catalog.set_config('client_min_messages', 'warning', true);
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = install.schema) THEN
        EXECUTE format('CREATE SCHEMA %I', install.schema);
    END IF;
    CALL tokenomics.check_owner(format('%I', install.schema)::regnamespace);
    PERFORM set_config('search_path', format('%I, pg_temp', install.schema), true);

    CALL tokenomics.install_price();
    CALL tokenomics.install_price_import();
    CALL tokenomics.install_default_prices();
    CALL tokenomics.install_usage(source, CASE jsonb_typeof(install.mapping)
        WHEN 'string' THEN tokenomics.usage_mapping(install.mapping #>> '{}', source) ELSE install.mapping END);
    CALL tokenomics.install_profile();
    CALL tokenomics.install_price_panel();
    CALL tokenomics.install_charge();
    CALL tokenomics.install_settle();
    CALL tokenomics.install_trends();
    CALL tokenomics.install_price_change();
    CALL tokenomics.install_focus();
    CALL tokenomics.install_factors();
    CALL tokenomics.install_growth();
    CALL tokenomics.install_behaviour();
    CALL tokenomics.install_forecast();
    CALL tokenomics.install_quote();
    CALL tokenomics.install_value();
    CALL tokenomics.install_budget();
    CALL tokenomics.install_report();
    CALL tokenomics.install_reader();

    PERFORM pg_catalog.set_config('search_path', path_before, true);
    PERFORM pg_catalog.set_config('client_min_messages', messages_before, true);
END
$$;
COMMENT ON PROCEDURE install(text, text, jsonb) IS
    'as install(text, text, text), with a mapping made in SQL, as in usage_mapping(''litellm'', ''public."LiteLLM_SpendLogs"'') || ''{"team": "organization_id"}''';

CREATE PROCEDURE install(schema text, usage text DEFAULT NULL, mapping text DEFAULT NULL) LANGUAGE plpgsql
AS $$
BEGIN
    CALL tokenomics.install(install.schema, install.usage,
        CASE WHEN install.mapping OPERATOR(pg_catalog.~) '^\s*[\[{"]' THEN install.mapping::jsonb
             ELSE pg_catalog.to_jsonb(install.mapping) END);
END
$$;
COMMENT ON PROCEDURE install(text, text, text) IS
    'makes the tables and functions of tokenomics in a schema (the schema too where it is missing), as objects of the caller; again after an upgrade: it keeps all data. usage: a table or view of calls to read instead of making one; mapping: JSON, columns of usage to SQL expressions over it, or the name of a ready one: litellm, otel';

CREATE PROCEDURE uninstall(schema text) LANGUAGE plpgsql
AS $$
DECLARE
    path_before text := pg_catalog.current_setting('search_path');
    messages_before text := pg_catalog.current_setting('client_min_messages');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n
                       ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
                   WHERE n.nspname OPERATOR(pg_catalog.=) uninstall.schema::name
                     AND c.relname OPERATOR(pg_catalog.=) 'setting'::name) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_object',
            MESSAGE = pg_catalog.format('there is no install in schema "%s"', uninstall.schema);
    END IF;
    PERFORM pg_catalog.set_config('search_path', pg_catalog.format('%I, pg_temp', uninstall.schema), true);
    PERFORM pg_catalog.set_config('client_min_messages', 'warning', true);

    CALL tokenomics.uninstall_reader();
    CALL tokenomics.uninstall_report();
    CALL tokenomics.uninstall_budget();
    CALL tokenomics.uninstall_value();
    CALL tokenomics.uninstall_quote();
    CALL tokenomics.uninstall_forecast();
    CALL tokenomics.uninstall_behaviour();
    CALL tokenomics.uninstall_growth();
    CALL tokenomics.uninstall_factors();
    CALL tokenomics.uninstall_focus();
    CALL tokenomics.uninstall_price_change();
    CALL tokenomics.uninstall_trends();
    CALL tokenomics.uninstall_settle();
    CALL tokenomics.uninstall_charge();
    CALL tokenomics.uninstall_price_panel();
    CALL tokenomics.uninstall_profile();
    CALL tokenomics.uninstall_usage();
    CALL tokenomics.uninstall_default_prices();
    CALL tokenomics.uninstall_price_import();
    CALL tokenomics.uninstall_price();

    PERFORM pg_catalog.set_config('search_path', path_before, true);
    PERFORM pg_catalog.set_config('client_min_messages', messages_before, true);
END
$$;
COMMENT ON PROCEDURE uninstall(text) IS
    'drops what install() made in a schema, with all its data; the schema itself stays';
