-- The tables of prices: price, model_alias, fx_rate, setting, and the functions
-- of an install that read and correct them.

-- Refuses what would change history: a row of a recorded fact may be closed,
-- once, and nothing else.
CREATE FUNCTION keep_history() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted record;
    -- rows recorded within a microsecond of each other are told apart by one
    grace CONSTANT interval := '1 second';
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT upper_inf(NEW.recorded) OR isempty(NEW.recorded)
            OR lower(NEW.recorded) IS NULL OR lower(NEW.recorded) < transaction_timestamp()
            OR lower(NEW.recorded) > clock_timestamp() + grace THEN
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
        -- closed before now it would not have been known when it was, and closed
        -- after now it would still be
        IF upper_inf(OLD.recorded)
            AND upper(NEW.recorded) BETWEEN transaction_timestamp() AND greatest(clock_timestamp(), lower(OLD.recorded)) + grace
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

-- Refuses that the one row of setting goes: views would find no zone and say
-- that there is nothing.
CREATE FUNCTION keep_setting() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_there boolean;
BEGIN
    IF TG_OP = 'DELETE' THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I)', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO is_there;
        IF is_there THEN
            RETURN NULL;
        END IF;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = format('%s of "%s" is refused: an install needs its settings', TG_OP, TG_TABLE_NAME),
        HINT = 'UPDATE the row that is there.';
END
$$;
COMMENT ON FUNCTION keep_setting() IS 'trigger of setting: its one row may change, and not go';

-- A rate of a month's end is of the month, as its average is, and lies at the
-- month's first day; banks give the day it was set.
CREATE FUNCTION month_of_rate() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.kind = 'month_end' AND isfinite(NEW.day) AND extract(day FROM NEW.day + 1) = 1 THEN
        NEW.day := date_trunc('month', NEW.day::timestamp)::date;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION month_of_rate() IS 'trigger of fx_rate: takes a month_end rate at the last day of its month, and keeps it at the first';

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
    IF NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = 'setting'::regclass AND t.tgname = 'keep_setting') THEN
        CREATE CONSTRAINT TRIGGER keep_setting AFTER DELETE ON setting DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION tokenomics.keep_setting();
    END IF;
    CREATE OR REPLACE TRIGGER keep_setting_truncate BEFORE TRUNCATE ON setting
        FOR EACH STATEMENT EXECUTE FUNCTION tokenomics.keep_setting();

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
    COMMENT ON COLUMN fx_rate.day IS 'the day; of a month''s rate its first day (a month_end rate may be given at the last one)';
    COMMENT ON COLUMN fx_rate.rate IS 'units of quote_currency for one of base_currency';
    COMMENT ON COLUMN fx_rate.source IS 'where it is from';

    CREATE OR REPLACE TRIGGER month_of_rate BEFORE INSERT OR UPDATE ON fx_rate
        FOR EACH ROW EXECUTE FUNCTION tokenomics.month_of_rate();
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
