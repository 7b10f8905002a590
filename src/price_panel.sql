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
COMMENT ON COLUMN geks_point.bridges IS 'periods of the window that have a comparison with both: of geks_index(), by way of which it is made; a weighted index is made by way of several at once too, and is there without any';
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
CREATE FUNCTION weighted_geks_index(price_panel, method text) RETURNS SETOF geks_point
    AS 'MODULE_PATHNAME', 'price_panel_weighted_geks' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 36 COST 1000;
CREATE FUNCTION weighted_geks_index(price_panel, method text, window_length integer) RETURNS SETOF geks_point
    AS 'MODULE_PATHNAME', 'price_panel_weighted_geks' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 36 COST 1000;
COMMENT ON FUNCTION weighted_geks_index(price_panel, text) IS
    'GEKS where items come and go: each comparison of two periods counts by the matched shares of both periods'' value, multiplied (weighted GEKS, by least squares: Rao 2001, Rao and Timmer 2003); the same as geks_index() where all matches';
COMMENT ON FUNCTION weighted_geks_index(price_panel, text, integer) IS 'the same over windows of some periods, as geks_index()';

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
CREATE FUNCTION weighted_geks_index(ledger, method text, window_length integer, OUT provider text, OUT currency text,
                                    OUT period timestamptz, OUT index double precision, OUT bridges integer, OUT coverage double precision, OUT base_period timestamptz) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'ledger_weighted_geks_index' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 300 COST 1000;
COMMENT ON FUNCTION chained_index(ledger, text) IS
    'the chained indices of a ledger''s priced lines by currency, of all providers (provider NULL) and of each: an item is (provider, model, service tier, threshold, off-peak, meter), its price the contracted cost by its count';
COMMENT ON FUNCTION chained_index(ledger, text, text[], text[], text[]) IS
    'the same, with items in place of some models: the n-th item for the n-th provider and model; an item may be named provider/model, which is what any other model is called';
COMMENT ON FUNCTION geks_index(ledger, text, integer) IS 'the GEKS indices of the same over windows of some periods';
COMMENT ON FUNCTION weighted_geks_index(ledger, text, integer) IS 'the same, weighted by matched shares of spend';

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
