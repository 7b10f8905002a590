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
