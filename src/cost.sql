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
