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

