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
