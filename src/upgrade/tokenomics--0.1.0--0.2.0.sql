\echo Use "ALTER EXTENSION tokenomics UPDATE" to load this file. \quit
-- Written by "make upgrade-script"; do not edit.

SET LOCAL search_path = pg_catalog, pg_temp;

DROP FUNCTION tokenomics.on_frontier(numeric[]);
CREATE FUNCTION tokenomics.hour_of_week(tokenomics.demand_profile, side text, OUT dow integer, OUT hour integer, OUT minutes bigint, OUT active_minutes bigint, OUT mean double precision, OUT p50 bigint, OUT p95 bigint, OUT p99 bigint, OUT max bigint)
 RETURNS SETOF record
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE STRICT ROWS 168
AS 'MODULE_PATHNAME', $function$profile_hour_of_week$function$
;
COMMENT ON FUNCTION tokenomics.hour_of_week(tokenomics.demand_profile,pg_catalog.text) IS 'the same of one side alone: input, output, or total for both';
CREATE OR REPLACE PROCEDURE tokenomics.install_profile()
 LANGUAGE plpgsql
AS $procedure$
BEGIN
    CREATE OR REPLACE FUNCTION count_profile(
        from_at timestamptz,
        to_at timestamptz,
        zone text,
        resolution text,
        OUT profile tokenomics.demand_profile,
        OUT calls bigint
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    BEGIN
        -- the time of a row of several calls is not that of any of them
        EXECUTE 'SELECT tokenomics.demand_profile($1, u.at, u.tokens, 1, $2) FILTER (WHERE u.calls = 1), sum(u.calls)
                 FROM usage u WHERE u.at >= $3 AND u.at < $4'
        INTO profile, calls USING zone, resolution, from_at, to_at;
    END
    $$;
    COMMENT ON FUNCTION count_profile(timestamptz, timestamptz, text, text) IS
        'part of usage_profile(): the demand_profile of calls that have a row of their own, NULL of none, and the number of all calls, counted from them';

    CREATE OR REPLACE FUNCTION profile_parts(
        from_at timestamptz,
        to_at timestamptz,
        zone text,
        resolution text
    ) RETURNS TABLE (profile tokenomics.demand_profile, calls bigint)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
        own_zone text := (SELECT t.zone FROM setting t);
        what text := CASE WHEN resolution = 'minute' THEN 'profile' ELSE 'seconds' END;
        covered tstzmultirange := '{}';
        month record;
        part tstzrange;
    BEGIN
        IF first >= behind THEN
            RETURN;
        END IF;
        -- settled months as they are stored: minutes are the same in every zone
        FOR month IN SELECT s.starts, s.ends, s.calls, s.profile FROM tokenomics.stored_measures('usage', what, own_zone, first, behind, NULL) s LOOP
            covered := covered + tstzmultirange(tstzrange(month.starts, month.ends));
            profile := CASE WHEN profile_parts.zone = own_zone THEN month.profile ELSE tokenomics.in_zone(month.profile, profile_parts.zone) END;
            calls := month.calls;
            RETURN NEXT;
        END LOOP;
        FOR part IN SELECT r FROM unnest(tstzmultirange(tstzrange(first, behind)) - covered) r LOOP
            RETURN QUERY SELECT c.profile, c.calls FROM count_profile(lower(part), upper(part), profile_parts.zone, resolution) c;
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION profile_parts(timestamptz, timestamptz, text, text) IS
        'part of usage_profile(): profiles of parts of a time and the numbers of all their calls: settled months as they are stored, the calls of all other time';

    CREATE OR REPLACE FUNCTION observed_profile(profile tokenomics.demand_profile, from_at timestamptz, to_at timestamptz) RETURNS tokenomics.demand_profile
        LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT
    AS $$
    BEGIN
        -- what lies ahead was not observed
        RETURN tokenomics.with_span(profile,
            CASE WHEN isfinite(from_at) THEN from_at ELSE lower(tokenomics.span(profile)) END,
            greatest(upper(tokenomics.span(profile)), CASE WHEN isfinite(to_at) THEN least(to_at, date_trunc('minute', now())) END));
    END
    $$;
    COMMENT ON FUNCTION observed_profile(tokenomics.demand_profile, timestamptz, timestamptz) IS
        'part of usage_profile(): a profile with the span that its limits were observed for';

    CREATE OR REPLACE FUNCTION usage_profile(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL,
        resolution text DEFAULT 'minute'
    ) RETURNS tokenomics.demand_profile
        LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN (SELECT observed_profile(tokenomics.merge(p.profile), from_at, to_at)
                FROM profile_parts(from_at, to_at, coalesce(usage_profile.zone, (SELECT s.zone FROM setting s)), resolution) p);
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
    BEGIN
        -- the profile of the whole is made once, and never written down
        RETURN QUERY
        SELECT s.side, h.dow, h.hour, h.minutes, h.active_minutes, h.mean, h.p50, h.p95, h.p99, h.max, w.coverage
        FROM (SELECT w.profile, trim_scale((tokenomics.calls(w.profile) - tokenomics.unreported_calls(w.profile)) / w.calls) AS coverage
              FROM (SELECT CASE WHEN count(p.profile) > 0 THEN CASE WHEN isfinite(from_at) OR isfinite(to_at) THEN observed_profile(tokenomics.merge(p.profile), from_at, to_at) ELSE tokenomics.merge(p.profile) END
                                -- rows of several calls alone: that nothing is known is said, not left out
                                ELSE jsonb_build_object('zone', in_zone)::text::tokenomics.demand_profile END AS profile, sum(p.calls) AS calls
                    FROM profile_parts(from_at, to_at, in_zone, 'minute') p HAVING sum(p.calls) > 0 OFFSET 0) w OFFSET 0) w,
             unnest('{total,input,output}'::text[]) WITH ORDINALITY s(side, n),
             tokenomics.hour_of_week(w.profile, s.side) h
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
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.uninstall_profile()
 LANGUAGE plpgsql
AS $procedure$
BEGIN
    DROP VIEW IF EXISTS peak_profile;
    DROP FUNCTION IF EXISTS
        peak_profile_between(timestamptz, timestamptz, text),
        usage_profile(timestamptz, timestamptz, text, text),
        observed_profile(tokenomics.demand_profile, timestamptz, timestamptz),
        profile_parts(timestamptz, timestamptz, text, text),
        count_profile(timestamptz, timestamptz, text, text);
END
$procedure$
;
CREATE FUNCTION tokenomics.index_items_add(double precision[], double precision, double precision, double precision, double precision)
 RETURNS double precision[]
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', $function$index_items_add$function$
;
COMMENT ON FUNCTION tokenomics.index_items_add(double precision[],double precision,double precision,double precision,double precision) IS 'transition function of sato_vartia_index()';
CREATE FUNCTION tokenomics.index_items_merge(double precision[], double precision[])
 RETURNS double precision[]
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', $function$index_items_merge$function$
;
COMMENT ON FUNCTION tokenomics.index_items_merge(double precision[],double precision[]) IS 'combine function of sato_vartia_index()';
CREATE FUNCTION tokenomics.sato_vartia_index(double precision[])
 RETURNS double precision
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', $function$sato_vartia_index$function$
;
COMMENT ON FUNCTION tokenomics.sato_vartia_index(double precision[]) IS 'the same of matched items: final function of sato_vartia_index()';
CREATE AGGREGATE tokenomics.sato_vartia_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = tokenomics.index_items_add,
    STYPE = double precision[],
    FINALFUNC = tokenomics.sato_vartia_index,
    FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = tokenomics.index_items_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE tokenomics.sato_vartia_index(double precision,double precision,double precision,double precision) IS 'price index of matched items, Sato (1976), Vartia (1976, II): the mean of the logarithms of the ratios by the logarithmic means of both shares of spend, made to add up to 1; times its quantity form exactly the ratio of spend; NULL where it is not defined';
CREATE FUNCTION tokenomics.sato_vartia_quantity_index(double precision[])
 RETURNS double precision
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', $function$sato_vartia_quantity_index$function$
;
COMMENT ON FUNCTION tokenomics.sato_vartia_quantity_index(double precision[]) IS 'the same of matched items: final function of sato_vartia_quantity_index()';
CREATE AGGREGATE tokenomics.sato_vartia_quantity_index(p0 double precision, q0 double precision, p1 double precision, q1 double precision) (
    SFUNC = tokenomics.index_items_add,
    STYPE = double precision[],
    FINALFUNC = tokenomics.sato_vartia_quantity_index,
    FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = tokenomics.index_items_merge,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE tokenomics.sato_vartia_quantity_index(double precision,double precision,double precision,double precision) IS 'quantity index of matched items: sato_vartia_index with prices and quantities exchanged; NULL where it is not defined';
COMMENT ON COLUMN tokenomics.geks_point.bridges IS 'periods of the window that have a comparison with both: of geks_index(), by way of which it is made; a weighted index is made by way of several at once too, and is there without any';
CREATE FUNCTION tokenomics.weighted_geks_index(tokenomics.price_panel, method text)
 RETURNS SETOF tokenomics.geks_point
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE STRICT COST 1000 ROWS 36
AS 'MODULE_PATHNAME', $function$price_panel_weighted_geks$function$
;
COMMENT ON FUNCTION tokenomics.weighted_geks_index(tokenomics.price_panel,pg_catalog.text) IS 'GEKS where items come and go: each comparison of two periods counts by the matched shares of both periods'' value, multiplied (weighted GEKS, by least squares: Rao 2001, Rao and Timmer 2003); the same as geks_index() where all matches';
CREATE FUNCTION tokenomics.weighted_geks_index(tokenomics.price_panel, method text, window_length integer)
 RETURNS SETOF tokenomics.geks_point
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE STRICT COST 1000 ROWS 36
AS 'MODULE_PATHNAME', $function$price_panel_weighted_geks$function$
;
COMMENT ON FUNCTION tokenomics.weighted_geks_index(tokenomics.price_panel,pg_catalog.text,integer) IS 'the same over windows of some periods, as geks_index()';
CREATE FUNCTION tokenomics.weighted_geks_index(tokenomics.ledger, method text, window_length integer, OUT provider text, OUT currency text, OUT period timestamp with time zone, OUT index double precision, OUT bridges integer, OUT coverage double precision, OUT base_period timestamp with time zone)
 RETURNS SETOF record
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE STRICT COST 1000 ROWS 300
AS 'MODULE_PATHNAME', $function$ledger_weighted_geks_index$function$
;
COMMENT ON FUNCTION tokenomics.weighted_geks_index(tokenomics.ledger,pg_catalog.text,integer) IS 'the same, weighted by matched shares of spend';
CREATE FUNCTION tokenomics.condense(tokenomics.ledger, columns text[], providers text[], service_tiers text[])
 RETURNS tokenomics.ledger
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE STRICT COST 100
AS 'MODULE_PATHNAME', $function$bill_condense$function$
;
COMMENT ON FUNCTION tokenomics.condense(tokenomics.ledger,pg_catalog.text[],pg_catalog.text[],pg_catalog.text[]) IS 'part of the views: the same with fewer lines: priced ones that differ in none of some columns (provider, model, service_tier, label) are one, but for those of some providers and service tiers, two arrays of pairs; of little use beside lines()';
CREATE OR REPLACE FUNCTION tokenomics.keep_history()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$
;
CREATE FUNCTION tokenomics.keep_setting()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$
;
COMMENT ON FUNCTION tokenomics.keep_setting() IS 'trigger of setting: its one row may change, and not go';
CREATE FUNCTION tokenomics.month_of_rate()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF NEW.kind = 'month_end' AND isfinite(NEW.day) AND extract(day FROM NEW.day + 1) = 1 THEN
        NEW.day := date_trunc('month', NEW.day::timestamp)::date;
    END IF;
    RETURN NEW;
END
$function$
;
COMMENT ON FUNCTION tokenomics.month_of_rate() IS 'trigger of fx_rate: takes a month_end rate at the last day of its month, and keeps it at the first';
CREATE OR REPLACE PROCEDURE tokenomics.install_price()
 LANGUAGE plpgsql
AS $procedure$
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
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.install_settle()
 LANGUAGE plpgsql
AS $procedure$
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

    CREATE OR REPLACE FUNCTION dimensions() RETURNS TABLE (name text, expression text)
        LANGUAGE sql STABLE PARALLEL SAFE ROWS 5 SET search_path FROM CURRENT
    AS $$
        -- team and project are, also where they are not stored
        SELECT d.name, d.expression FROM dimension d
        UNION
        SELECT c, c FROM unnest('{team,project}'::text[]) c
    $$;
    COMMENT ON FUNCTION dimensions() IS
        'part of the views: by what calls can be labelled: team, project and those of table "dimension"';

    CREATE OR REPLACE FUNCTION dimension_expression(dimension text) RETURNS text
        LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT
    AS $$
    DECLARE
        by_expression text := (SELECT d.expression FROM dimensions() d WHERE d.name = dimension_expression.dimension);
    BEGIN
        IF by_expression IS NULL AND dimension_expression.dimension IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('there is no dimension "%s"', dimension_expression.dimension),
                HINT = 'The dimensions are team, project and those of table "dimension".';
        END IF;
        -- of any type; and it may end in a comment
        RETURN format(E'(%s\n)::text', coalesce(by_expression, 'NULL'));
    END
    $$;
    COMMENT ON FUNCTION dimension_expression(text) IS
        'part of the views: the SQL expression, a text, that labels calls by a dimension; NULL: by none';

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
        -- as all days of today's zones: the ledger without labels is that of its quarters of an hour
        is_of_quarters boolean := extract(epoch FROM from_at) % 900 = 0 AND extract(epoch FROM to_at) % 900 = 0;
    BEGIN
        SELECT array_agg(d.name ORDER BY d.name), array_agg(d.expression ORDER BY d.name) INTO names, expressions FROM dimension d;
        names := '{quarter_hour,""}'::text[] || names;
        expressions := ARRAY['NULL', 'NULL'] || expressions;
        -- one pass over the calls; each ledger is written once, where it goes
        RETURN QUERY EXECUTE (
            SELECT format('SELECT x.grain, x.dimension, x.expression, CASE x.n %s END'
                          ' FROM (SELECT %s FROM usage u WHERE u.at >= $3 AND u.at < $4) c, unnest($5, $6, $7) WITH ORDINALITY AS x(grain, dimension, expression, n)',
                          string_agg(format(CASE WHEN n = 2 AND is_of_quarters THEN 'WHEN 2 THEN tokenomics.regrain(c.l1, ''day'', $2)' ELSE 'WHEN %s THEN c.l%1$s' END, n), ' ' ORDER BY n),
                          string_agg(format(
                              'tokenomics.ledger($1, %L, $2, u.at, u.provider, u.model, u.service_tier, u.tokens, (%s' || E'\n' || ')::text, u.calls) AS l%s',
                              CASE n WHEN 1 THEN 'quarter_hour' ELSE 'day' END, e, n), ', ' ORDER BY n) FILTER (WHERE NOT (n = 2 AND is_of_quarters)))
            FROM unnest(expressions) WITH ORDINALITY AS x(e, n))
        USING count_day.book, count_day.zone, from_at, to_at,
              '{quarter_hour}'::text[] || array_fill('day'::text, ARRAY[cardinality(names) - 1]),
              '{""}'::text[] || names[2:], '{"",""}'::text[] || expressions[3:];
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

    CREATE OR REPLACE FUNCTION check_stamps(from_at timestamptz, to_at timestamptz, stamps text) RETURNS void
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    BEGIN
        -- those that there were are locked; without one for the rest nothing keeps others from joining them
        IF EXISTS (SELECT FROM tokenomics.usage_partitions('usage', from_at, to_at) p
                   WHERE p.stamp IS NOT NULL AND p.partition::oid::text NOT IN (SELECT split_part(t, '.', 3) FROM string_to_table(stamps, ' ') t)) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'object_in_use',
                MESSAGE = 'a partition was attached to "usage" while its calls were counted',
                DETAIL = format('It holds calls of the time from %s to %s.', from_at, to_at),
                HINT = 'Run CALL refresh() again.';
        END IF;
    END
    $$;
    COMMENT ON FUNCTION check_stamps(timestamptz, timestamptz, text) IS 'part of refresh(): an error where there is a partition that is not among those of the stamps by which calls were counted';
    REVOKE ALL ON FUNCTION check_stamps(timestamptz, timestamptz, text) FROM PUBLIC;

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
        plain tokenomics.ledger;
    BEGIN
        PERFORM settle_lock(first, behind);
        IF in_zone <> (SELECT s.zone FROM setting s)
            OR EXISTS (SELECT FROM settled s WHERE s.is_archived AND s.starts < behind AND s.ends > first)
            -- the book of a day that is new is read once
            OR EXISTS (SELECT FROM settled s WHERE s.grain = 'day' AND s.starts = first)
               AND EXISTS (SELECT FROM settled_units(first, behind, book()) u WHERE u.grain = 'day' AND u.starts = first AND u.problem IS NULL)
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
        ), unmeasured AS (
            DELETE FROM stored_measure s WHERE NOT s.is_archived AND s.read_from < behind AND s.read_to > first AND EXISTS (SELECT FROM gone)
        )
        INSERT INTO usage_mark
        SELECT DISTINCT r.starts, r.ends
        FROM gone g, LATERAL (VALUES (g.starts, least(g.ends, first)), (greatest(g.starts, behind), g.ends)) r(starts, ends)
        WHERE r.starts < r.ends;

        prices := book();
        DELETE FROM settled s
        WHERE NOT s.is_archived AND s.starts < behind AND s.ends > first AND (s.grain = 'month' OR s.starts <> first OR s.zone <> in_zone);
        DELETE FROM stored_ledger l
        WHERE NOT EXISTS (SELECT FROM settled s WHERE s.zone = l.zone AND s.starts = l.starts AND (s.grain = 'month') = (l.grain = 'month'))
          AND l.starts < behind AND l.starts > first - interval '32 days';
        DELETE FROM stored_ledger l
        WHERE l.zone = in_zone AND l.grain = 'day' AND l.starts = first AND l.dimension <> ''
          AND NOT EXISTS (SELECT FROM dimension d WHERE d.name = l.dimension);
        -- one that is equal stays as it is
        INSERT INTO stored_ledger AS l (zone, grain, starts, dimension, expression, ledger)
        SELECT in_zone, c.grain, first, c.dimension, c.expression, c.ledger FROM count_day(first, behind, in_zone, prices) c
        ON CONFLICT (zone, grain, starts, dimension) DO UPDATE
        SET expression = excluded.expression, ledger = excluded.ledger
        WHERE l.expression <> excluded.expression OR (l.ledger IS NULL) <> (excluded.ledger IS NULL)
           OR l.ledger OPERATOR(tokenomics.<>) excluded.ledger;
        SELECT l.ledger INTO plain FROM stored_ledger l WHERE l.zone = in_zone AND l.grain = 'day' AND l.starts = first AND l.dimension = '';
        INSERT INTO settled (zone, grain, starts, ends, stamp, providers, models, price_digest, calls)
        SELECT in_zone, 'day', first, behind, stamps, n.providers, n.models,
               tokenomics.price_digest(prices, n.providers, n.models, first, behind), coalesce(tokenomics.calls(plain), 0)
        FROM (SELECT coalesce(array_agg(x.provider ORDER BY x.provider, x.model), '{}') AS providers,
                     coalesce(array_agg(x.model ORDER BY x.provider, x.model), '{}') AS models
              FROM (SELECT DISTINCT l.provider, l.model FROM tokenomics.lines(plain) l) x) n
        ON CONFLICT (zone, grain, starts) DO UPDATE
        SET ends = excluded.ends, stamp = excluded.stamp, providers = excluded.providers, models = excluded.models,
            price_digest = excluded.price_digest, calls = excluded.calls, settled_at = excluded.settled_at;
        PERFORM check_stamps(first, behind, stamps);
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
        is_merged boolean;
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
        is_merged := FOUND;
        PERFORM check_stamps(first, behind, stamps);
        RETURN is_merged;
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
        measured pg_catalog.int4 := 0;
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
        months := %1$I.months_to_measure();
        COMMIT;
        FOR n IN 1 .. pg_catalog.cardinality(months) LOOP
            EXIT WHEN measured OPERATOR(pg_catalog.>) 0 AND pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) until;
            measured := measured OPERATOR(pg_catalog.+) %1$I.settle_measures(months[n]);
            COMMIT;
        END LOOP;
        RAISE NOTICE '%% days settled, %% left', settled, pg_catalog.cardinality(todo) OPERATOR(pg_catalog.-) done;
    END
    $$
    $format$, target);
    COMMENT ON PROCEDURE refresh(interval) IS
        'settles what has changed: counts the days that are over and stores their ledgers, one transaction a day, then what is measured of whole months, one transaction a month; at most for max_duration, and at least one day and one month of those that there are; the notice says which days are left; may be run by several at once, stopped, and run again';

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
        RETURN QUERY SELECT v.month, v.what, NULL::text, v.outcome, v.stored_calls, v.counted_calls FROM verify_measures(first, behind, prices) v;
    END
    $$;
    COMMENT ON FUNCTION verify(date, date) IS
        'counts the stored days from from_date to to_date (inclusive; NULL: no limit) anew and compares each ledger to the last digit, months with their days, and what is measured of months with their calls: equal, different, unsettled (the views read its calls), or what else is to be said';
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
        is_ledger boolean;
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
        PERFORM settle_lock(first - interval '8 days', behind + interval '8 days');
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
        WHERE v.outcome <> 'equal' AND (v.outcome = 'different' OR v.grain IN ('day', 'quarter_hour', 'month'))
          AND NOT EXISTS (SELECT FROM settled s WHERE s.is_archived AND s.grain = 'day' AND (s.starts AT TIME ZONE s.zone)::date = v.day) LIMIT 1;
        IF FOUND THEN
            is_ledger := bad.grain IN ('day', 'quarter_hour', 'month');
            RAISE EXCEPTION USING
                ERRCODE = 'data_corrupted',
                MESSAGE = format('%s %s does not verify: %s', CASE WHEN is_ledger THEN 'day' ELSE 'month' END, CASE WHEN is_ledger THEN bad.day::text ELSE to_char(bad.day, 'YYYY-MM') END, bad.outcome),
                DETAIL = CASE WHEN is_ledger THEN format('Its ledger by %s has %s calls, usage has %s.', concat_ws(' and ', bad.grain, bad.dimension), bad.stored_calls, bad.counted_calls)
                         ELSE format('What is counted of it (%s) was of %s calls, and is of %s.', bad.grain, bad.stored_calls, bad.counted_calls) END,
                HINT = 'Please report this. SELECT unsettle(...) and CALL refresh() count it anew.';
        END IF;
        UPDATE settled s SET is_archived = true
        WHERE s.grain = 'day' AND NOT s.is_archived AND s.zone = in_zone AND s.starts >= first AND s.ends <= behind;
        GET DIAGNOSTICS days = ROW_COUNT;
        PERFORM archive_measures(first, behind);
        RETURN days;
    END
    $$;
    COMMENT ON FUNCTION archive(date) IS
        'verifies all days that hold calls of a month (UTC, as partitions are) and freezes their ledgers and what was measured of them: its partition may then be dropped; calls of these days are refused from then on, and changed prices do not count (settlement shows them); an error where something that these calls count in, such as the next month, is not stored yet; returns how many days it froze';
    REVOKE ALL ON FUNCTION archive(date) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION unarchive(month date) RETURNS integer
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        first timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
        behind timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
        gone record;
        opened tstzmultirange;
        days integer;
    BEGIN
        PERFORM settle_lock(first - interval '8 days', behind + interval '8 days');
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
        WITH opening AS (
            UPDATE settled s SET is_archived = false WHERE s.is_archived AND s.grain = 'day' AND s.starts < behind AND s.ends > first RETURNING s.starts, s.ends
        ), marked AS (
            INSERT INTO usage_mark SELECT o.starts, o.ends FROM opening o
        )
        SELECT range_agg(tstzrange(o.starts, o.ends)), count(*) INTO opened, days FROM opening o;
        -- also of months beside, which were to hold without these days
        DELETE FROM stored_measure s USING measure_kinds() k
        WHERE k.what = s.what AND tstzrange(s.starts, s.ends) && opened
           OR k.what = s.what AND NOT s.is_archived AND tstzrange(s.starts - k.before, s.ends + k.after) && opened;
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
            DELETE FROM stored_measure s WHERE NOT s.is_archived;
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
        IF EXISTS (SELECT FROM pg_class c WHERE c.oid = 'usage'::regclass AND c.relkind = 'v') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = 'the calls of "usage" are not ours to change',
                DETAIL = 'It is a view over a table of your own.',
                HINT = 'Blank the ids of the user in that table; totals do not depend on them.';
        END IF;
        UPDATE usage u SET user_id = NULL, session_id = NULL, turn_id = NULL WHERE u.user_id = forget_user.user_id;
        GET DIAGNOSTICS rows_blanked = ROW_COUNT;
        RETURN rows_blanked;
    END
    $$;
    COMMENT ON FUNCTION forget_user(text) IS
        'blanks user_id, session_id and turn_id of all calls of a user and returns how many; no total changes, no day is unsettled, and what was measured of settled months stays: their users too; request_id, by which an invoice is traced, and tags stay';
    REVOKE ALL ON FUNCTION forget_user(text) FROM PUBLIC;
END
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.uninstall_settle()
 LANGUAGE plpgsql
AS $procedure$
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
        check_stamps(timestamptz, timestamptz, text),
        count_day(timestamptz, timestamptz, text, tokenomics.price_book),
        settled_ledger(text, text, timestamptz, timestamptz, text, tokenomics.price_book),
        settled_units(timestamptz, timestamptz, tokenomics.price_book),
        dimension_expression(text),
        dimensions();
    DROP PROCEDURE IF EXISTS refresh(interval);
    IF EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass('usage') AND c.relkind = 'p') THEN
        DROP TRIGGER IF EXISTS mark_usage ON usage;
    END IF;
    IF to_regclass('setting') IS NOT NULL THEN
        DROP TRIGGER IF EXISTS tell_unsettled ON setting;
    END IF;
    DROP TABLE IF EXISTS settle_rule, seen_partition, stored_ledger, settled, usage_mark, dimension;
END
$procedure$
;
CREATE FUNCTION tokenomics.stored_measures(usage regclass, what text, zone text, from_at timestamp with time zone, to_at timestamp with time zone, book tokenomics.price_book, OUT starts timestamp with time zone, OUT ends timestamp with time zone, OUT calls bigint, OUT facts jsonb, OUT profile tokenomics.demand_profile)
 RETURNS SETOF record
 LANGUAGE c
 STABLE PARALLEL SAFE ROWS 20
AS 'MODULE_PATHNAME', $function$stored_measures$function$
;
COMMENT ON FUNCTION tokenomics.stored_measures(pg_catalog.regclass,pg_catalog.text,pg_catalog.text,timestamp with time zone,timestamp with time zone,tokenomics.price_book) IS 'what is stored of the settled months of an install that lie in a time, with the rights of the owner of the table; nothing for a role that does not read all rows of usage and of the prices; an error where calls of an archived day are gone and what is asked for is in no such month; a month among others that cannot be counted is a warning, and a row without facts';
CREATE PROCEDURE tokenomics.install_measure()
 LANGUAGE plpgsql
AS $procedure$
DECLARE
    kept name;
BEGIN
    CREATE TABLE IF NOT EXISTS usage_id_mark (
        starts timestamptz NOT NULL,
        ends timestamptz NOT NULL
    );
    COMMENT ON TABLE usage_id_mark IS 'tokenomics: times in which ids of calls have changed, and nothing else, since they were measured; written by the trigger of usage, deleted by refresh()';
    COMMENT ON COLUMN usage_id_mark.starts IS 'when the day began';
    COMMENT ON COLUMN usage_id_mark.ends IS 'when it ended';

    CREATE TABLE IF NOT EXISTS usage_blank_mark (
        starts timestamptz NOT NULL,
        ends timestamptz NOT NULL
    );
    COMMENT ON TABLE usage_blank_mark IS 'tokenomics: times of which calls had all ids of their user, session and turn blanked: what was measured before stays, and verify() says why it differs; written by the trigger of usage';
    COMMENT ON COLUMN usage_blank_mark.starts IS 'when the day began';
    COMMENT ON COLUMN usage_blank_mark.ends IS 'when it ended';

    CREATE TABLE IF NOT EXISTS stored_measure (
        zone text NOT NULL,
        what text NOT NULL,
        starts timestamptz NOT NULL,
        ends timestamptz NOT NULL,
        read_from timestamptz NOT NULL,
        read_to timestamptz NOT NULL,
        stamp text NOT NULL,
        providers text[],
        models text[],
        price_digest uuid,
        volume uuid NOT NULL,
        calls bigint NOT NULL,
        facts jsonb,
        profile tokenomics.demand_profile,
        is_archived boolean NOT NULL DEFAULT false,
        measured_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (zone, what, starts)
    );
    COMMENT ON TABLE stored_measure IS 'tokenomics: what views count from calls, of settled months, and by what to tell that it still holds';
    COMMENT ON COLUMN stored_measure.zone IS 'time zone of the month';
    COMMENT ON COLUMN stored_measure.what IS 'what was counted: demand, fan_out, reasoning, session_depth, cache or profile';
    COMMENT ON COLUMN stored_measure.starts IS 'when the month begins';
    COMMENT ON COLUMN stored_measure.ends IS 'when it ends';
    COMMENT ON COLUMN stored_measure.read_from IS 'from where on calls were read that may still change';
    COMMENT ON COLUMN stored_measure.read_to IS 'up to where';
    COMMENT ON COLUMN stored_measure.stamp IS 'the partitions that they were read from';
    COMMENT ON COLUMN stored_measure.providers IS 'where it depends on prices: providers of its calls, one for each of models';
    COMMENT ON COLUMN stored_measure.models IS 'models of its calls';
    COMMENT ON COLUMN stored_measure.price_digest IS 'what the book said of them';
    COMMENT ON COLUMN stored_measure.volume IS 'a digest of the calls and tokens that the ledgers of the month had, whatever their prices';
    COMMENT ON COLUMN stored_measure.calls IS 'calls that were counted';
    COMMENT ON COLUMN stored_measure.facts IS 'rows as count_measure() has them; NULL: none';
    COMMENT ON COLUMN stored_measure.profile IS 'the demand_profile of the month, where that is what was counted';
    COMMENT ON COLUMN stored_measure.is_archived IS 'whether it holds for good: its calls may be gone';
    COMMENT ON COLUMN stored_measure.measured_at IS 'when it was counted';

    -- whoever is granted all tables of the schema still reads nothing of these
    FOREACH kept IN ARRAY '{usage_id_mark,usage_blank_mark,stored_measure}'::name[] LOOP
        IF NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = kept::text::regclass) THEN
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', kept);
        END IF;
    END LOOP;
    ALTER TABLE usage_id_mark SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 10000);

    CREATE OR REPLACE FUNCTION count_measure(
        what text,
        from_at timestamptz,
        to_at timestamptz,
        zone text,
        book tokenomics.price_book,
        OUT calls bigint,
        OUT facts jsonb,
        OUT profile tokenomics.demand_profile
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        -- sorted, so that what is equal is equal as JSON too
        CASE what
            WHEN 'demand' THEN
                SELECT jsonb_agg(to_jsonb(c) - '{month,days,seconds}'::text[] ORDER BY c.scope, c.owner), sum(c.calls) FILTER (WHERE c.scope = 'total') INTO facts, calls
                FROM count_demand(ARRAY[from_at], count_measure.zone, NULL, true) c;
            WHEN 'fan_out' THEN
                SELECT jsonb_agg(to_jsonb(c) ORDER BY c.scope, c.owner), sum(c.calls) FILTER (WHERE c.scope = 'total') INTO facts, calls
                FROM count_fan_out(from_at, to_at, count_measure.zone) c;
            WHEN 'reasoning' THEN
                SELECT jsonb_agg(to_jsonb(c) ORDER BY c.provider, c.model, c.per), sum(c.calls) INTO facts, calls FROM count_reasoning(from_at, to_at) c;
            WHEN 'session_depth' THEN
                SELECT jsonb_agg(to_jsonb(c) ORDER BY c.provider, c.model, c.team, c.depth), sum(c.calls) INTO facts, calls FROM count_session_depth(from_at, to_at) c;
            WHEN 'cache' THEN
                SELECT jsonb_agg(to_jsonb(c) ORDER BY c.provider, c.model, c.team, c.currency), sum(c.calls) INTO facts, calls FROM count_cache(from_at, to_at, book) c;
            WHEN 'profile' THEN
                SELECT c.profile, c.calls INTO profile, calls FROM count_profile(from_at, to_at, count_measure.zone, 'minute') c;
        END CASE;
        calls := coalesce(calls, 0);
    END
    $$;
    COMMENT ON FUNCTION count_measure(text, timestamptz, timestamptz, text, tokenomics.price_book) IS
        'part of refresh() and verify(): what is counted of a month, from its calls';

    CREATE OR REPLACE FUNCTION measure_problems(from_at timestamptz, to_at timestamptz, book tokenomics.price_book, only_what text DEFAULT NULL)
        RETURNS TABLE (zone text, what text, starts timestamptz, problem text)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        WITH part AS MATERIALIZED (
            SELECT p.starts, p.ends, coalesce(p.stamp, '?') AS stamp
            FROM tokenomics.usage_partitions('usage', from_at - interval '40 days', to_at + interval '40 days') p
        ), marked AS MATERIALIZED (
            SELECT m.starts, m.ends, bool_and(m.of_ids) AS of_ids
            FROM (SELECT *, false FROM usage_mark UNION ALL SELECT *, true FROM usage_id_mark) m(starts, ends, of_ids) GROUP BY m.starts, m.ends
        )
        SELECT s.zone, s.what, s.starts, CASE
            WHEN s.is_archived THEN NULL
            WHEN EXISTS (SELECT FROM marked m WHERE m.starts < s.read_to AND m.ends > s.read_from AND (k.needs_ids OR NOT m.of_ids)) THEN 'calls have changed'
            WHEN s.stamp <> coalesce((SELECT string_agg(p.stamp, ' ' ORDER BY p.stamp) FROM part p WHERE p.starts < s.read_to AND p.ends > s.read_from), '') THEN 'partitions have changed'
            WHEN s.price_digest <> tokenomics.price_digest(measure_problems.book, s.providers, s.models, s.starts, s.ends) THEN 'prices have changed' END
        FROM stored_measure s JOIN measure_kinds() k ON k.what = s.what
        WHERE s.starts < to_at AND s.ends > from_at AND (only_what IS NULL OR s.what = only_what);
    END
    $$;
    COMMENT ON FUNCTION measure_problems(timestamptz, timestamptz, tokenomics.price_book, text) IS
        'part of the views: the stored measures of months that hold some of a time, and why one is believed no more; only_what: of these alone';
    REVOKE ALL ON FUNCTION measure_problems(timestamptz, timestamptz, tokenomics.price_book, text) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION gone_days(times tstzmultirange) RETURNS tstzmultirange
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        day_starts timestamptz[];
        day_ends timestamptz[];
        day_calls bigint[];
    BEGIN
        SELECT array_agg(a.starts ORDER BY a.starts), array_agg(a.ends ORDER BY a.starts), array_agg(a.calls ORDER BY a.starts) INTO day_starts, day_ends, day_calls
        FROM settled a
        WHERE a.is_archived AND a.grain = 'day' AND tstzrange(a.starts, a.ends) && times;
        IF day_starts IS NULL THEN
            RETURN '{}';
        END IF;
        -- in one pass over the calls
        RETURN coalesce((
            SELECT range_agg(tstzrange(d.starts, d.ends))
            FROM unnest(day_starts, day_ends, day_calls) WITH ORDINALITY d(starts, ends, calls, n)
            LEFT JOIN (SELECT width_bucket(u.at, day_starts) AS n, sum(u.calls) AS calls
                       FROM usage u
                       WHERE u.at >= day_starts[1] AND u.at < day_ends[cardinality(day_ends)] AND u.at < day_ends[width_bucket(u.at, day_starts)]
                       GROUP BY 1) c ON c.n = d.n
            WHERE d.calls <> coalesce(c.calls, 0)), '{}');
    END
    $$;
    COMMENT ON FUNCTION gone_days(tstzmultirange) IS
        'part of the views, refresh() and archive(): the archived days that hold some of these times, and whose calls are not all there';
    REVOKE ALL ON FUNCTION gone_days(tstzmultirange) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION settled_measures(
        what text,
        zone text,
        from_at timestamptz,
        to_at timestamptz,
        book tokenomics.price_book
    ) RETURNS TABLE (starts timestamptz, ends timestamptz, calls bigint, facts jsonb, profile tokenomics.demand_profile)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        months timestamptz[];
        covered tstzmultirange;
        kind record;
        gone tstzmultirange;
        lost record;
    BEGIN
        SELECT k.* INTO STRICT kind FROM measure_kinds() k WHERE k.what = settled_measures.what;
        -- without prices nothing that depends on them is believed
        SELECT array_agg(s.starts), coalesce(range_agg(tstzrange(s.starts, s.ends)), '{}') INTO months, covered
        FROM measure_problems(from_at, to_at, settled_measures.book, settled_measures.what) p
        JOIN stored_measure s ON s.zone = p.zone AND s.what = p.what AND s.starts = p.starts
        WHERE p.zone = settled_measures.zone AND p.problem IS NULL
          AND s.starts >= from_at AND s.ends <= to_at AND (s.price_digest IS NULL OR s.is_archived OR settled_measures.book IS NOT NULL);
        RETURN QUERY
        SELECT s.starts, s.ends, s.calls, s.facts, s.profile FROM stored_measure s
        WHERE s.what = settled_measures.what AND s.zone = settled_measures.zone AND s.starts = ANY (months)
        ORDER BY s.starts;

        -- What else is asked for is counted from calls: from those about it too, which
        -- a turn of it may have begun with, or gone on by.
        gone := gone_days((SELECT range_agg(tstzrange(lower(r) - kind.before, upper(r) + kind.after)) FROM unnest(tstzmultirange(tstzrange(from_at, to_at)) - covered) r));
        FOR lost IN
            SELECT DISTINCT m.period_start AS starts, m.period_end AS ends, greatest(m.period_start, lower(r)) AS first, least(m.period_end, upper(r)) AS behind
            FROM unnest(tstzmultirange(tstzrange(from_at, to_at)) - covered) r, unnest(gone) g,
                 tokenomics.periods('month', settled_measures.zone, greatest(lower(r), lower(g) - kind.after), least(upper(r), upper(g) + kind.before)) m
            ORDER BY first
        LOOP
            CONTINUE WHEN NOT gone && tstzrange(lost.first, lost.behind) AND NOT EXISTS (SELECT FROM usage u WHERE u.at >= lost.first AND u.at < lost.behind);
            IF kind.has_months AND settled_measures.zone = (SELECT s.zone FROM setting s)
                AND lost.first = lost.starts AND lost.behind = lost.ends AND (from_at < lost.starts OR to_at > lost.ends) THEN
                RAISE WARNING USING
                    MESSAGE = format('month %s is left out: it cannot be counted', to_char(lost.starts AT TIME ZONE settled_measures.zone, 'YYYY-MM')),
                    DETAIL = format('What was counted of it (%s) holds no more, and calls of archived days that it is made of are gone.', settled_measures.what),
                    HINT = 'Attach their partition again, and run CALL refresh().';
                starts := lost.starts;
                ends := lost.ends;
                calls := NULL;
                facts := NULL;
                profile := NULL;
                RETURN NEXT;
                CONTINUE;
            END IF;
            RAISE EXCEPTION USING
                ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('the archived day that begins at %s cannot be counted that way',
                                 (SELECT min(lower(g)) FROM (SELECT unnest(gone * tstzmultirange(tstzrange(lost.first - kind.before, lost.behind + kind.after)))) x(g))),
                DETAIL = format('Its calls are gone. What was counted of them is by whole months of the zone "%s", without a slice.',
                                (SELECT min(a.zone) FROM settled a WHERE a.is_archived AND a.grain = 'day' AND tstzrange(a.starts, a.ends) <@ gone)),
                HINT = 'Ask for whole months in that zone, or for a time behind it; after a restore run CALL refresh() first.';
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION settled_measures(text, text, timestamptz, timestamptz, tokenomics.price_book) IS
        'part of the views: what is stored of settled months; called by tokenomics.stored_measures() with the rights of the owner';
    REVOKE ALL ON FUNCTION settled_measures(text, text, timestamptz, timestamptz, tokenomics.price_book) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION months_of_calls(from_at timestamptz, to_at timestamptz, zone text, besides tstzmultirange DEFAULT NULL)
        RETURNS TABLE (starts timestamptz, ends timestamptz)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        part tstzrange;
        bounds record;
    BEGIN
        FOR part IN SELECT r FROM unnest(tstzmultirange(tstzrange(from_at, to_at)) - coalesce(besides, '{}')) r LOOP
            IF NOT (isfinite(lower(part)) AND isfinite(upper(part))) THEN
                EXECUTE 'SELECT min(u.at) AS first, max(u.at) AS last FROM usage u WHERE u.at >= $1 AND u.at < $2' INTO bounds USING lower(part), upper(part);
                CONTINUE WHEN bounds.first IS NULL;
                part := tstzrange(greatest(lower(part), tokenomics.period_start('month', months_of_calls.zone, bounds.first)),
                                  least(upper(part), tokenomics.period_end('month', months_of_calls.zone, bounds.last)));
            END IF;
            -- where they are wide apart, only months that have calls
            IF isfinite(lower(part)) AND isfinite(upper(part)) AND upper(part) - lower(part) < interval '800 days' THEN
                RETURN QUERY
                SELECT greatest(p.period_start, lower(part)), least(p.period_end, upper(part))
                FROM tokenomics.periods('month', months_of_calls.zone, lower(part), upper(part)) p;
            ELSE
                RETURN QUERY EXECUTE
                    'SELECT greatest(m.starts, $2), least(tokenomics.period_end(''month'', $1, m.starts), $3)
                     FROM (SELECT DISTINCT tokenomics.period_start(''month'', $1, u.at) AS starts FROM usage u WHERE u.at >= $2 AND u.at < $3) m'
                USING months_of_calls.zone, lower(part), upper(part);
            END IF;
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION months_of_calls(timestamptz, timestamptz, text, tstzmultirange) IS
        'part of the views: the months of the zone from from_at up to, not including, to_at that may have calls, cut by the limits, without those of some times';

    CREATE OR REPLACE FUNCTION measured_parts(
        what text,
        from_at timestamptz,
        to_at timestamptz,
        zone text DEFAULT NULL,
        book tokenomics.price_book DEFAULT NULL
    ) RETURNS TABLE (starts timestamptz, facts jsonb)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(measured_parts.zone, (SELECT s.zone FROM setting s));
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
        months tstzrange[];
        stored jsonb[];
    BEGIN
        IF first >= behind THEN
            RETURN;
        END IF;
        SELECT array_agg(tstzrange(s.starts, s.ends)), array_agg(s.facts) INTO months, stored
        FROM tokenomics.stored_measures('usage', measured_parts.what, in_zone, first, behind, measured_parts.book) s;
        RETURN QUERY SELECT lower(s.month), s.facts FROM unnest(months, stored) s(month, facts);
        RETURN QUERY
        SELECT m.starts, c.facts
        FROM months_of_calls(first, behind, in_zone, (SELECT range_agg(r) FROM unnest(months) r)) m,
             LATERAL count_measure(measured_parts.what, m.starts, m.ends, in_zone, measured_parts.book) c;
    END
    $$;
    COMMENT ON FUNCTION measured_parts(text, timestamptz, timestamptz, text, tokenomics.price_book) IS
        'part of the views: what is counted from from_at up to, not including, to_at (NULL: no limit), month by month of the zone (NULL: that of "setting"): settled months as they are stored, the calls of all other time';

    CREATE OR REPLACE FUNCTION settle_measures(at timestamptz) RETURNS integer
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        first timestamptz := tokenomics.period_start('month', in_zone, settle_measures.at);
        behind timestamptz := tokenomics.period_end('month', in_zone, settle_measures.at);
        over timestamptz := measured_to();
        prices tokenomics.price_book := book();
        month record;
        month_volume uuid;
        gone tstzmultirange;
        kind record;
        stamps text;
        is_known boolean;
        stored integer := 0;
        n integer;
    BEGIN
        PERFORM settle_lock(first - interval '168 hours', behind + interval '168 hours');
        -- Marks go with what they unsettle.  Calls that are committed after this
        -- statement keep theirs, as in settle_day().
        WITH changed AS (
            DELETE FROM usage_id_mark m WHERE m.starts < behind + interval '168 hours' AND m.ends > first - interval '168 hours' RETURNING m.starts, m.ends
        )
        DELETE FROM stored_measure s USING changed c, measure_kinds() k
        WHERE NOT s.is_archived AND k.what = s.what AND k.needs_ids AND s.read_from < c.ends AND s.read_to > c.starts;
        SELECT s.* INTO month
        FROM settled s JOIN settled_units(first, behind, prices) u ON u.zone = s.zone AND u.grain = s.grain AND u.starts = s.starts
        WHERE s.zone = in_zone AND s.grain = 'month' AND s.starts = first AND u.problem IS NULL;
        IF NOT FOUND THEN
            RETURN 0;
        END IF;
        month_volume := (
            SELECT md5(string_agg(concat_ws('|', x.dimension, x.provider, x.model, x.service_tier, x.label, x.calls, x.tokens), E'\n'
                                  ORDER BY x.dimension, x.provider, x.model, x.service_tier, x.label))::uuid
            FROM (SELECT l.dimension, i.provider, i.model, i.service_tier, i.label, sum(i.calls) AS calls, tokenomics.sum(i.tokens) AS tokens
                  FROM stored_ledger l, LATERAL tokenomics.lines(l.ledger) i
                  WHERE l.zone = in_zone AND l.grain = 'month' AND l.starts = first AND l.dimension IN ('', 'team', 'project') GROUP BY 1, 2, 3, 4, 5) x);
        month_volume := coalesce(month_volume, md5('')::uuid);
        gone := gone_days(tstzmultirange(tstzrange(first - interval '168 hours', behind + interval '168 hours')));
        -- what was blanked before all that counts ids is counted anew explains nothing more
        IF gone = '{}' AND NOT EXISTS (
            SELECT FROM measure_problems(first, behind, prices) p JOIN measure_kinds() k ON k.what = p.what
            WHERE k.needs_ids AND p.zone = in_zone AND p.starts = first AND p.problem IS NULL) THEN
            DELETE FROM usage_blank_mark m WHERE m.starts >= first + interval '168 hours' AND m.ends <= behind - interval '168 hours';
        END IF;
        FOR kind IN
            SELECT k.what, k.needs_prices, k.needs_ids, first - k.before AS read_from, behind + k.after AS read_to
            FROM measure_kinds() k
            WHERE k.is_stored AND behind + k.after <= over
              AND NOT EXISTS (SELECT FROM measure_problems(first, behind, prices) p WHERE p.zone = in_zone AND p.what = k.what AND p.starts = first AND p.problem IS NULL)
        LOOP
            SELECT coalesce(string_agg(p.stamp, ' ' ORDER BY p.stamp), ''), coalesce(bool_and(p.stamp IS NOT NULL), true) INTO stamps, is_known
            FROM tokenomics.usage_partitions('usage', kind.read_from, kind.read_to) p;
            CONTINUE WHEN NOT is_known;
            -- Where archived calls that it is made of are gone it is not counted again:
            -- what there is holds if the ledgers of its days, counted anew, have the same.
            IF gone && tstzrange(kind.read_from, kind.read_to) THEN
                UPDATE stored_measure s
                SET stamp = coalesce((SELECT string_agg(coalesce(p.stamp, '?'), ' ' ORDER BY p.stamp) FROM tokenomics.usage_partitions('usage', s.read_from, s.read_to) p), '')
                WHERE s.zone = in_zone AND s.what = kind.what AND s.starts = first AND NOT s.is_archived AND s.volume = month_volume
                  AND NOT EXISTS (SELECT FROM usage_mark m WHERE m.starts < s.read_to AND m.ends > s.read_from)
                  AND NOT (kind.needs_ids AND EXISTS (SELECT FROM usage_id_mark m WHERE m.starts < s.read_to AND m.ends > s.read_from));
                GET DIAGNOSTICS n = ROW_COUNT;
                stored := stored + n;
                CONTINUE;
            END IF;
            -- in one statement: what is counted is what no mark lies on
            INSERT INTO stored_measure AS s (zone, what, starts, ends, read_from, read_to, stamp, providers, models, price_digest, volume, calls, facts, profile)
            SELECT in_zone, kind.what, first, behind, kind.read_from, kind.read_to, stamps,
                   CASE WHEN kind.needs_prices THEN month.providers END, CASE WHEN kind.needs_prices THEN month.models END,
                   CASE WHEN kind.needs_prices THEN tokenomics.price_digest(prices, month.providers, month.models, first, behind) END,
                   month_volume, c.calls, c.facts, c.profile
            FROM (SELECT WHERE NOT EXISTS (SELECT FROM usage_mark m WHERE m.starts < kind.read_to AND m.ends > kind.read_from)
                           AND NOT (kind.needs_ids AND EXISTS (SELECT FROM usage_id_mark m WHERE m.starts < kind.read_to AND m.ends > kind.read_from))) AS ready,
                 LATERAL count_measure(kind.what, first, behind, in_zone, prices) c
            ON CONFLICT (zone, what, starts) DO UPDATE
            SET ends = excluded.ends, read_from = excluded.read_from, read_to = excluded.read_to, stamp = excluded.stamp, providers = excluded.providers, models = excluded.models,
                price_digest = excluded.price_digest, volume = excluded.volume, calls = excluded.calls, facts = excluded.facts, profile = excluded.profile, measured_at = excluded.measured_at
            WHERE NOT s.is_archived;
            GET DIAGNOSTICS n = ROW_COUNT;
            stored := stored + n;
            PERFORM check_stamps(kind.read_from, kind.read_to, stamps);
        END LOOP;
        RETURN stored;
    END
    $$;
    COMMENT ON FUNCTION settle_measures(timestamptz) IS
        'part of refresh() and archive(): counts and stores what views measure of the settled month of the reporting zone that holds a time; returns how many measures';
    REVOKE ALL ON FUNCTION settle_measures(timestamptz) FROM PUBLIC;

    -- What is measured, and how far about its month calls are read for it: a week,
    -- in hours, which are the same in every zone of a session.  The last four are
    -- counted from calls, always: of them only days are looked for that are gone.
    CREATE OR REPLACE FUNCTION measure_kinds()
        RETURNS TABLE (what text, before interval, after interval, needs_prices boolean, needs_ids boolean, has_months boolean, is_stored boolean)
        LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT
    AS $$
    BEGIN
        RETURN QUERY VALUES
            ('demand', interval '168 hours', interval '0', false, true, true, true),
            ('fan_out', '168 hours', '168 hours', false, true, true, true),
            ('reasoning', '168 hours', '168 hours', false, true, false, true),
            ('session_depth', '168 hours', '0', false, true, false, true),
            ('cache', '0', '0', true, false, true, true),
            ('profile', '0', '0', false, false, false, true),
            ('slice', '168 hours', '0', false, true, false, false),
            ('seconds', '0', '0', false, false, false, false),
            ('turns', '168 hours', '168 hours', false, true, false, false),
            ('calls', '0', '0', false, false, false, false);
    END
    $$;
    COMMENT ON FUNCTION measure_kinds() IS
        'part of refresh() and the views: what is measured of a month, how far before and behind it calls are read, whether it depends on prices and on ids of calls, whether its rows are by month, so that one may be left out, and whether it is stored';

    CREATE OR REPLACE FUNCTION measured_to() RETURNS timestamptz
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    BEGIN
        RETURN CASE WHEN (SELECT c.relkind <> 'v' FROM pg_class c WHERE c.oid = 'usage'::regclass) THEN now()
                    ELSE coalesce(now() - (SELECT r.settle_after FROM settle_rule r), '-infinity') END;
    END
    $$;
    COMMENT ON FUNCTION measured_to() IS 'part of refresh(): up to where calls are complete';
    REVOKE ALL ON FUNCTION measured_to() FROM PUBLIC;

    CREATE OR REPLACE FUNCTION months_to_measure() RETURNS timestamptz[]
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        over timestamptz := measured_to();
        prices tokenomics.price_book := book();
    BEGIN
        DELETE FROM stored_measure s WHERE NOT s.is_archived AND s.zone <> in_zone;
        -- one mark is enough for a day
        IF (SELECT count(*) > count(DISTINCT (m.starts, m.ends)) FROM usage_id_mark m) THEN
            WITH gone AS (
                DELETE FROM usage_id_mark m RETURNING m.starts, m.ends
            )
            INSERT INTO usage_id_mark SELECT DISTINCT g.starts, g.ends FROM gone g;
        END IF;
        IF (SELECT count(*) > count(DISTINCT (m.starts, m.ends)) FROM usage_blank_mark m) THEN
            WITH gone AS (
                DELETE FROM usage_blank_mark m RETURNING m.starts, m.ends
            )
            INSERT INTO usage_blank_mark SELECT DISTINCT g.starts, g.ends FROM gone g;
        END IF;
        RETURN coalesce((
            WITH good AS MATERIALIZED (
                SELECT p.what, p.starts FROM measure_problems('-infinity', 'infinity', prices) p WHERE p.zone = in_zone AND p.problem IS NULL
            )
            SELECT array_agg(u.starts ORDER BY u.starts)
            FROM settled_units('-infinity', 'infinity', prices) u
            WHERE u.grain = 'month' AND u.zone = in_zone AND u.problem IS NULL
              AND EXISTS (SELECT FROM measure_kinds() k WHERE k.is_stored AND u.ends + k.after <= over
                          AND NOT EXISTS (SELECT FROM good g WHERE g.what = k.what AND g.starts = u.starts))), '{}');
    END
    $$;
    COMMENT ON FUNCTION months_to_measure() IS 'part of refresh(): the settled months of which something is not, or no longer, stored';
    REVOKE ALL ON FUNCTION months_to_measure() FROM PUBLIC;

    CREATE OR REPLACE FUNCTION archive_measures(from_at timestamptz, to_at timestamptz) RETURNS void
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := (SELECT s.zone FROM setting s);
        lacking record;
    BEGIN
        PERFORM settle_measures(p.period_start)
        FROM tokenomics.periods('month', in_zone, from_at, to_at) p WHERE p.period_start >= from_at AND p.period_end <= to_at;
        UPDATE stored_measure s SET is_archived = true
        WHERE NOT s.is_archived AND s.zone = in_zone AND s.starts >= from_at AND s.ends <= to_at
          AND EXISTS (SELECT FROM measure_problems(from_at, to_at, book()) p WHERE p.zone = s.zone AND p.what = s.what AND p.starts = s.starts AND p.problem IS NULL);
        -- When the calls are gone nothing that they count in can be counted: it must
        -- be stored by then, of months beside too, which turns and sessions reach
        -- into, and which a day of another zone's month may be a part of.
        FOR lacking IN
            SELECT m.period_start, k.what, to_char(m.period_start AT TIME ZONE in_zone, 'YYYY-MM') AS month, m.period_end + k.after AS known_at,
                   gone_days(tstzmultirange(tstzrange(m.period_start - k.before, m.period_end + k.after))) <> '{}' AS is_lost
            FROM tokenomics.periods('month', in_zone, from_at - interval '168 hours', to_at + interval '168 hours') m, measure_kinds() k
            WHERE k.is_stored AND m.period_start - k.before < to_at AND m.period_end + k.after > from_at
              AND NOT EXISTS (SELECT FROM measure_problems(m.period_start, m.period_end, book(), k.what) p WHERE p.zone = in_zone AND p.starts = m.period_start AND p.problem IS NULL)
              AND (m.period_end > measured_to() OR m.period_start >= from_at AND m.period_end <= to_at
                   OR EXISTS (SELECT FROM usage u WHERE u.at >= m.period_start AND u.at < m.period_end))
            ORDER BY m.period_start, k.what
        LOOP
            -- where calls have gone before there is nothing more to lose
            IF lacking.is_lost THEN
                RAISE WARNING USING
                    MESSAGE = format('month %s is archived without what is counted of it (%s)', lacking.month, lacking.what),
                    DETAIL = 'Calls of days archived before, that count in it, are gone.',
                    HINT = 'Attach their partition again, and run CALL refresh() and archive().';
                CONTINUE;
            END IF;
            RAISE EXCEPTION USING
                ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('what is counted of month %s (%s) is not stored', lacking.month, lacking.what),
                DETAIL = 'Calls of the days that are to be archived count in it: without them it could not be counted.',
                HINT = CASE WHEN lacking.known_at > measured_to() THEN format('Run CALL refresh() and archive() when it is %s.', lacking.known_at)
                       ELSE 'Run CALL refresh() first.' END;
        END LOOP;
        -- what is archived changes no more: its neighbours hold without it
        UPDATE stored_measure s
        SET read_from = r.first, read_to = r.behind,
            stamp = coalesce((SELECT string_agg(coalesce(p.stamp, '?'), ' ' ORDER BY p.stamp) FROM tokenomics.usage_partitions('usage', r.first, r.behind) p), '')
        FROM (SELECT n.zone, n.what, n.starts,
                     CASE WHEN n.read_from >= from_at AND n.read_from < to_at THEN to_at ELSE n.read_from END AS first,
                     CASE WHEN n.read_to > from_at AND n.read_to <= to_at THEN from_at ELSE n.read_to END AS behind
              FROM stored_measure n JOIN measure_problems(from_at - interval '40 days', to_at + interval '40 days', book()) p
                  ON p.zone = n.zone AND p.what = n.what AND p.starts = n.starts AND p.problem IS NULL
              WHERE NOT n.is_archived) r
        WHERE s.zone = r.zone AND s.what = r.what AND s.starts = r.starts AND (s.read_from, s.read_to) <> (r.first, r.behind) AND r.first < r.behind;
    END
    $$;
    COMMENT ON FUNCTION archive_measures(timestamptz, timestamptz) IS 'part of archive(): freezes the measures of the months that lie in a time';
    REVOKE ALL ON FUNCTION archive_measures(timestamptz, timestamptz) FROM PUBLIC;

    CREATE OR REPLACE FUNCTION verify_measures(from_at timestamptz, to_at timestamptz, book tokenomics.price_book)
        RETURNS TABLE (month date, what text, outcome text, stored_calls bigint, counted_calls bigint)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        SELECT (s.starts AT TIME ZONE s.zone)::date, s.what, CASE
                   WHEN p.problem IS NOT NULL THEN 'unsettled: ' || p.problem
                   WHEN s.facts IS NOT DISTINCT FROM c.facts AND s.calls = c.calls AND (s.profile IS NULL AND c.profile IS NULL OR s.profile OPERATOR(tokenomics.=) c.profile) THEN 'equal'
                   -- its own, or those of a turn that reaches into it
                   WHEN gone_days(tstzmultirange(tstzrange(s.starts - k.before, s.ends + k.after))) <> '{}' THEN 'archived: calls are gone'
                   -- such as forget_user() does
                   WHEN k.needs_ids AND EXISTS (SELECT FROM usage_blank_mark m WHERE m.starts < s.ends + k.after AND m.ends > s.starts - k.before) THEN 'ids of calls have been blanked'
                   ELSE 'different' END,
               s.calls, c.calls
        FROM measure_problems(from_at, to_at, verify_measures.book) p JOIN stored_measure s ON s.zone = p.zone AND s.what = p.what AND s.starts = p.starts
             JOIN measure_kinds() k ON k.what = s.what,
             LATERAL count_measure(s.what, s.starts, s.ends, s.zone, verify_measures.book) c
        ORDER BY s.starts, s.what;
    END
    $$;
    COMMENT ON FUNCTION verify_measures(timestamptz, timestamptz, tokenomics.price_book) IS
        'part of verify(): counts the stored measures of the months that hold some of a time anew, and compares them';
    REVOKE ALL ON FUNCTION verify_measures(timestamptz, timestamptz, tokenomics.price_book) FROM PUBLIC;
END
$procedure$
;
COMMENT ON PROCEDURE tokenomics.install_measure() IS 'part of install(): what is counted of settled months, and stored, in the first schema of search_path';
CREATE PROCEDURE tokenomics.uninstall_measure()
 LANGUAGE plpgsql
AS $procedure$
BEGIN
    DROP FUNCTION IF EXISTS
        verify_measures(timestamptz, timestamptz, tokenomics.price_book),
        archive_measures(timestamptz, timestamptz),
        months_to_measure(),
        measured_to(),
        measure_kinds(),
        settle_measures(timestamptz),
        measured_parts(text, timestamptz, timestamptz, text, tokenomics.price_book),
        months_of_calls(timestamptz, timestamptz, text, tstzmultirange),
        settled_measures(text, text, timestamptz, timestamptz, tokenomics.price_book),
        gone_days(tstzmultirange),
        measure_problems(timestamptz, timestamptz, tokenomics.price_book, text),
        count_measure(text, timestamptz, timestamptz, text, tokenomics.price_book);
    DROP TABLE IF EXISTS stored_measure, usage_blank_mark, usage_id_mark;
END
$procedure$
;
COMMENT ON PROCEDURE tokenomics.uninstall_measure() IS 'part of uninstall(): drops what install_measure() made';
CREATE OR REPLACE PROCEDURE tokenomics.install_trends()
 LANGUAGE plpgsql
AS $procedure$
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
        label text := dimension_expression(dimension);
        prices tokenomics.price_book;
        stored record;
        stamps text;
        all_seen boolean;   -- else calls of an older snapshot may lie where none are looked for: all are read
        part tstzrange;
        counted tokenomics.ledger;
        parts tokenomics.ledger[];
    BEGIN
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
                EXECUTE format('SELECT tokenomics.ledger((SELECT $5), $1, $2, u.at, u.provider, u.model, u.service_tier, u.tokens, %s, u.calls)
                                FROM usage u WHERE u.at >= $3 AND u.at < $4' || CASE WHEN NOT all_seen AND stored.covered IS NOT NULL THEN ' AND NOT u.at <@ $6' ELSE '' END, label)
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

    CREATE OR REPLACE FUNCTION spend_lines_by(
        columns text[],
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
        in_zone text := spend_lines_by.zone;
        accrued timestamptz := now();
        spent tstzrange := tstzrange(first, greatest(first, behind)) * tstzrange(NULL, accrued);   -- the limits, as far as time has come
        month_first timestamptz := CASE WHEN isfinite(first) THEN tokenomics.period_start('month', in_zone, first) ELSE first END;
        month_behind timestamptz := CASE WHEN isfinite(behind) THEN tokenomics.period_end('month', in_zone, behind - interval '1 microsecond') ELSE behind END;
        providers text[];
        tiers text[];
        wanted tokenomics.ledger[] := ledgers;
    BEGIN
        IF cuts IS NULL THEN
            RETURN;
        END IF;
        IF columns IS NOT NULL THEN
            -- lines that nobody wants apart are unpacked as one, but for those
            -- that a purchase may carry
            SELECT coalesce(array_agg(p.provider), '{}'), coalesce(array_agg(p.sku), '{}') INTO providers, tiers
            FROM (SELECT DISTINCT c.provider, c.sku FROM charge c WHERE c.charge_category = 'Purchase' AND c.provider IS NOT NULL AND c.sku IS NOT NULL) p;
            SELECT array_agg(tokenomics.condense(g.ledger, columns, providers, tiers) ORDER BY g.i) INTO wanted FROM unnest(ledgers) WITH ORDINALITY g(ledger, i);
        END IF;
        RETURN QUERY
        WITH line AS MATERIALIZED (
            SELECT row_number() OVER () AS n, greatest(l.period, cuts[g.i::integer]) AS starts,
                   cuts[g.i::integer] >= first AND cuts[g.i::integer + 1] <= behind AS is_wanted,
                   tokenomics.total(l.tokens) AS weight, l.*
            FROM unnest(wanted) WITH ORDINALITY g(ledger, i), tokenomics.lines(g.ledger) l
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
    COMMENT ON FUNCTION spend_lines_by(text[], text, timestamptz, timestamptz, text, text, timestamptz[], tokenomics.ledger[]) IS
        'part of spend_lines() and of the views: its rows, of what spend_parts() counted; columns: by which of provider, model, service_tier and label priced calls are told apart, with nothing in the others where a line is several; NULL: by all';

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
        SELECT l.* FROM spend_parts(grain, from_at, to_at, in_zone, dimension) p, spend_lines_by(NULL, grain, from_at, to_at, in_zone, dimension, p.cuts, p.ledgers) l;
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
            FROM spend_lines_by('{provider}', 'month', from_at, to_at, in_zone, NULL, parts.cuts, parts.ledgers) l
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
            SELECT (g.period AT TIME ZONE in_zone)::date AS month, g.provider, g.currency, g.index, g.coverage, (g.base_period AT TIME ZONE in_zone)::date AS base
            FROM tokenomics.weighted_geks_index(parts.counted, 'fisher', 25) g
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
               CASE WHEN i.month IS NULL THEN 'no usage with a price'
                    -- it has drifted if much is matched; else few items last
                    -- and only what is counted from the same month is compared
                    ELSE nullif(concat_ws('; ', i.note, CASE WHEN k.base = i.index_base AND abs(ln(k.index / i.price_index)) > 0.05 THEN
                        format('GEKS is %s %% from it, with %s %% of spend matched', to_char(100 * (k.index / i.price_index - 1), 'FMSG999990'), to_char(100 * k.coverage, 'FM990')) END), '') END
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
        'GEKS index of Fisher indices over windows of 25 months, weighted by matched shares of spend, by movement splice: where the matched index is far from it, which note says, that has drifted if nearly all is matched; else few items last for long. It links months that the matched index does not, and then counts from an earlier one than index_base: the two are not to be compared there';
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
            FROM spend_lines_by('{}', 'month', from_at, to_at, in_zone, NULL, parts.cuts, parts.ledgers) l
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
              FROM spend_parts('day', from_at, to_at, in_zone) p, spend_lines_by('{provider}', 'day', from_at, to_at, in_zone, NULL, p.cuts, p.ledgers) l
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
              FROM (SELECT name FROM dimensions()) d(dimension), spend_parts('day', from_at, to_at, in_zone, d.dimension) p,
                   spend_lines_by('{label}', 'day', from_at, to_at, in_zone, d.dimension, p.cuts, p.ledgers) l
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
              FROM spend_parts('month', from_at, to_at, in_zone) p, spend_lines_by('{}', 'month', from_at, to_at, in_zone, NULL, p.cuts, p.ledgers) l
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
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.uninstall_trends()
 LANGUAGE plpgsql
AS $procedure$
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
        spend_lines_by(text[], text, timestamptz, timestamptz, text, text, timestamptz[], tokenomics.ledger[]),
        spend_parts(text, timestamptz, timestamptz, text, text),
        usage_ledger(text, timestamptz, timestamptz, text, text);
END
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.install_price_change()
 LANGUAGE plpgsql
AS $procedure$
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
            SELECT s.counted_from, s.counted_to, l.provider, l.model, l.service_tier, l.above_input_tokens, l.off_peak, l.currency, l.period, l.meter, sum(l.tokens) AS tokens
            FROM span s, tokenomics.meter_lines(s.counted) l
            WHERE l.currency IS NOT NULL
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
        ), asked AS (
            -- all meters of a line are of one row of prices: asked for once, and each
            -- month anew: a contract may begin
            SELECT u.counted_from, u.counted_to, u.provider, u.model, u.service_tier, u.above_input_tokens, u.off_peak, u.currency,
                   greatest(u.period, u.counted_from) AS at, jsonb_object_agg(u.meter, u.tokens) AS tokens,
                   jsonb_object_agg(u.meter, 1) || CASE WHEN u.above_input_tokens > 0 THEN jsonb_build_object('input', u.above_input_tokens + 1) ELSE '{}' END AS call
            FROM used u GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
        ), counted AS MATERIALIZED (
            -- under which names the calls of a span found their price
            SELECT a.counted_from, a.counted_to, e.book, e.provider AS by_provider, e.model AS by_model, e.service_tier AS by_tier, a.above_input_tokens, a.off_peak, a.currency, e.meter, sum(e.tokens) AS tokens
            FROM asked a,
                 -- of a graduated price each slice of a meter is a row
                 LATERAL (SELECT DISTINCT x.book, x.provider, x.model, x.service_tier, x.meter, (a.tokens ->> x.meter)::numeric AS tokens
                          FROM tokenomics.explain_cost((SELECT book()), a.provider, a.model, a.at, tokenomics.tokens(a.call), a.service_tier) x
                          WHERE x.priced_by = 'contracted' AND a.tokens ? x.meter) e
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
        ), meter_used AS MATERIALIZED (
            SELECT DISTINCT t.meter FROM counted t
        ), listed AS (
            SELECT c.*, m.meter, m.is_named, tokenomics.effective_rate(c.old_rates, m.meter) AS old_rate, tokenomics.effective_rate(c.rates, m.meter) AS new_rate,
                   tokenomics.currency(c.old_rates) AS old_currency, tokenomics.currency(c.rates) AS new_currency
            FROM changed c,
                 LATERAL (SELECT n.meter, bool_or(n.is_named) AS is_named
                          FROM (SELECT jsonb_object_keys(c.old_rates::jsonb || c.rates::jsonb) AS meter, true AS is_named
                                UNION ALL SELECT t.meter, false FROM meter_used t) n
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
    COMMENT ON COLUMN price_change_log.tokens IS 'tokens priced by it from then until then, by the book of "setting" as it is when each month begins';
    COMMENT ON COLUMN price_change_log.effect IS '(new_rate - old_rate) * tokens / 1000000: what the change did to the bill of that time, exact; NULL where note says why';
    COMMENT ON COLUMN price_change_log.note IS 'why there is no effect to be told';
END
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.install_factors()
 LANGUAGE plpgsql
AS $procedure$
BEGIN
    CREATE OR REPLACE FUNCTION count_demand(
        months timestamptz[],
        zone text,
        slice jsonb,
        by_owner boolean
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
        of_call text := '';    -- what must hold of a call
        of_turn text := '';    -- what must hold of the first call of its turn
        column_name text;
        matches text;
        month_first timestamptz;
        month_behind timestamptz;
        turns text[];
        entry record;
    BEGIN
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
            IF entry.key = 'tags' THEN
                of_call := of_call || format(' AND u.tags @> %L', entry.value);
                CONTINUE;
            END IF;
            column_name := CASE entry.key WHEN 'service_tier' THEN 'coalesce(u.service_tier, ''standard'')' ELSE format('u.%I', entry.key) END;
            SELECT concat_ws(' OR ', CASE WHEN count(v.value) > 0 THEN format('%s = ANY (%L)', column_name, array_agg(v.value) FILTER (WHERE v.value IS NOT NULL)) END,
                                     CASE WHEN count(*) > count(v.value) THEN column_name || ' IS NULL' END) INTO matches
            FROM jsonb_array_elements_text(CASE jsonb_typeof(entry.value) WHEN 'array' THEN entry.value ELSE jsonb_build_array(entry.value) END) v;
            matches := format(' AND (%s)', coalesce(nullif(matches, ''), 'false'));
            IF entry.key IN ('team', 'project', 'user_id', 'session_id') THEN
                of_turn := of_turn || matches;
            ELSE
                of_call := of_call || matches;
            END IF;
        END LOOP;

        -- A turn is of the session, the user, the team and the project of its
        -- first call: a sub-agent with a session of its own opens none.  It may
        -- have begun before the month, where a week is looked back.  A month at a
        -- time: its turns must fit in memory.
        FOREACH month_first IN ARRAY months LOOP
            month_behind := tokenomics.period_end('month', count_demand.zone, month_first);
            -- of a slice only turns are tallied that may be of it, unless they are very many
            turns := NULL;
            IF of_call || of_turn <> '' THEN
                EXECUTE format('SELECT array_agg(t.turn_id) FROM (SELECT u.turn_id FROM usage u
                                WHERE u.at >= $1 - interval ''168 hours'' AND u.at < $2 AND u.turn_id IS NOT NULL AND %s
                                GROUP BY u.turn_id%s LIMIT 100001) t',
                               CASE WHEN of_turn = '' THEN format('u.at >= $1%s', of_call) WHEN of_call = '' THEN format('true%s', of_turn)
                                    ELSE format('(u.at >= $1%s OR true%s)', of_call, of_turn) END,
                               CASE WHEN of_turn <> '' AND of_call <> '' THEN format(' HAVING bool_or((u.at >= $1%s) IS TRUE) AND bool_or((true%s) IS TRUE)', of_call, of_turn) END)
                INTO turns USING month_first, month_behind;
            END IF;
            RETURN QUERY EXECUTE format($query$
                SELECT (c.month AT TIME ZONE $1)::date, ($3 AT TIME ZONE $1)::date - (c.month AT TIME ZONE $1)::date, c.scope, c.owner,
                       c.users, c.sessions, c.turns, c.calls, c.calls_without_tokens, c.mix, c.cacheable_tokens, c.total_tokens, c.peak_hour_tokens,
                       extract(epoch FROM $3 - c.month)::bigint
                FROM (SELECT tokenomics.turn_tally($1, u.at, u.tokens, CASE WHEN u.calls = 1 AND u.user_id IS NOT NULL AND u.session_id IS NOT NULL THEN u.turn_id END,
                                                   u.session_id, u.user_id, u.team, u.project, u.request_id, (u.at >= $2%s) IS TRUE) AS tally
                      FROM usage u WHERE u.at >= $2 - interval '168 hours' AND u.at < $3%s) t,
                     LATERAL tokenomics.counts(t.tally, $4, $5) c$query$, of_call,
                CASE WHEN of_call || of_turn <> '' AND coalesce(cardinality(turns), 0) <= 100000 THEN format(' AND (u.turn_id IN (SELECT unnest($6)) OR u.at >= $2%s%s)', of_call, of_turn) ELSE '' END)
            USING count_demand.zone, month_first, month_behind, slice, by_owner, turns;
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION count_demand(timestamptz[], text, jsonb, boolean) IS
        'part of usage_counts(): what it says of some months, each by when it begins, counted from calls';

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
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(usage_counts.zone, (SELECT s.zone FROM setting s));
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := least(to_at, now());
    BEGIN
        -- months that the limits cut, or that are not over, are not measured
        IF isfinite(first) AND tokenomics.period_start('month', in_zone, first) <> first THEN
            first := tokenomics.period_end('month', in_zone, first);
        END IF;
        behind := CASE WHEN isfinite(behind) THEN tokenomics.period_start('month', in_zone, behind) ELSE behind END;
        IF first >= behind THEN
            RETURN;
        END IF;
        IF slice IS NULL THEN
            RETURN QUERY
            SELECT (m.starts AT TIME ZONE in_zone)::date, (l.ends AT TIME ZONE in_zone)::date - (m.starts AT TIME ZONE in_zone)::date, c.scope, c.owner,
                   c.users, c.sessions, c.turns, c.calls, c.calls_without_tokens, c.mix, c.cacheable_tokens, c.total_tokens, c.peak_hour_tokens,
                   extract(epoch FROM l.ends - m.starts)::bigint
            FROM measured_parts('demand', first, behind, in_zone) m,
                 LATERAL (SELECT tokenomics.period_end('month', in_zone, m.starts) AS ends) l,
                 jsonb_to_recordset(m.facts) c(scope text, owner text, users bigint, sessions bigint, turns bigint, calls bigint, calls_without_tokens bigint,
                                               mix tokenomics.tokens, cacheable_tokens bigint, total_tokens bigint, peak_hour_tokens bigint)
            WHERE c.scope = 'total' OR by_owner
            ORDER BY 1, 3 DESC, 4;
            RETURN;
        END IF;
        -- a slice is of calls, always: are they all there?
        PERFORM FROM tokenomics.stored_measures('usage', 'slice', in_zone, first, behind, NULL);
        RETURN QUERY
        SELECT * FROM count_demand(ARRAY(SELECT m.starts FROM months_of_calls(first, behind, in_zone) m), in_zone, slice, by_owner)
        ORDER BY 1, 3 DESC, 4;
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
            -- an error where there are some, that cannot be counted
            PERFORM FROM tokenomics.stored_measures('usage', 'demand', in_zone, tokenomics.period_start('month', in_zone, behind - interval '1 microsecond'), behind, NULL);
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
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.uninstall_factors()
 LANGUAGE plpgsql
AS $procedure$
BEGIN
    DROP VIEW IF EXISTS demand_drivers;
    DROP FUNCTION IF EXISTS
        demand_drivers_between(timestamptz, timestamptz, text),
        measured_factors(date, jsonb, text, integer),
        measured_factors_between(timestamptz, timestamptz, text, jsonb),
        usage_counts(timestamptz, timestamptz, text, jsonb, boolean),
        count_demand(timestamptz[], text, jsonb, boolean);
END
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.install_growth()
 LANGUAGE plpgsql
AS $procedure$
BEGIN
    CREATE OR REPLACE FUNCTION bill_contributions(
        spans tstzrange[],
        by_month boolean,
        distances integer[],
        zone text,
        dimension text DEFAULT NULL,
        in_currency text DEFAULT NULL,
        group_by text[] DEFAULT '{}',
        cuts timestamptz[] DEFAULT NULL,
        ledgers tokenomics.ledger[] DEFAULT NULL,
        counted tokenomics.ledger DEFAULT NULL
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
            WHERE NOT isempty(s.span) AND bill_contributions.cuts IS NULL
            UNION ALL
            SELECT 1, spans[1], bill_contributions.cuts, bill_contributions.ledgers, bill_contributions.counted WHERE bill_contributions.cuts IS NOT NULL
        ), read AS MATERIALIZED (
            -- charges, and calls without a price; of those with one what there is
            SELECT CASE WHEN by_month THEN (extract(year FROM m.month) * 12 + extract(month FROM m.month))::integer - 1 ELSE l.span END AS n, m.month, l.*
            FROM (SELECT p.n AS span, l.period, l.charge_category, k.is_priced, CASE WHEN l.unpriced IS NULL THEN l.currency END AS currency,
                         CASE WHEN NOT k.is_priced AND 'provider' = ANY (keys) THEN l.provider END AS provider, CASE WHEN NOT k.is_priced AND 'model' = ANY (keys) THEN l.model END AS model,
                         CASE WHEN NOT k.is_priced AND 'service_tier' = ANY (keys) THEN l.service_tier END AS service_tier, CASE WHEN NOT k.is_priced THEN l.label END AS label,
                         sum(tokenomics.total(l.tokens))::bigint AS tokens, sum(l.effective_cost) AS cost
                  FROM part p, spend_lines_by('{}', 'month', lower(p.span), upper(p.span), bill_contributions.zone, dimension, p.cuts, p.ledgers) l,
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
    COMMENT ON FUNCTION bill_contributions(tstzrange[], boolean, integer[], text, text, text, text[], timestamptz[], tokenomics.ledger[], tokenomics.ledger) IS
        'part of bill_bridge() and bill_growth: what calls and charges did to the bill, by some of provider, model, service_tier and meter, and by the label of a dimension; of months that are 1, 12, ... apart (by_month; n: 12 x year + month - 1), or of the spans; calls without a price have tokens and no amounts; cuts, ledgers, counted: what spend_parts() has counted of the only span, NULL: count it';

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
        in_currency text,
        cuts timestamptz[] DEFAULT NULL,
        ledgers tokenomics.ledger[] DEFAULT NULL,
        counted tokenomics.ledger DEFAULT NULL
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
            FROM bill_contributions(ARRAY[tstzrange(from_at, to_at)], true, '{0,1,12}', in_zone, dimension, in_currency, '{}', cuts, ledgers, counted) c
        ), grouped AS (
            -- of each comparison, with the month by itself beside it
            SELECT d.distance, c.n, c.owner, c.currency, bool_or(c.distance = 0) AS has_month,
                   sum(c.tokens_0) FILTER (WHERE c.distance > 0)::bigint AS tokens_0, sum(c.tokens_1) FILTER (WHERE c.distance = 0)::bigint AS tokens,
                   trim_scale(sum(c.spend_0) FILTER (WHERE c.distance > 0)) AS spend_0, trim_scale(sum(c.spend_1) FILTER (WHERE c.distance > 0)) AS spend_1,
                   trim_scale(sum(c.spend_1) FILTER (WHERE c.distance = 0)) AS spend,
                   trim_scale(sum(c.price_effect)) AS price_effect, trim_scale(sum(c.volume_effect)) AS volume_effect, trim_scale(sum(c.mix_effect)) AS mix_effect,
                   trim_scale(sum(c.new_effect)) AS new_effect, trim_scale(sum(c.discontinued_effect)) AS discontinued_effect, trim_scale(sum(c.currency_effect)) AS currency_effect,
                   trim_scale(sum(c.purchase_effect) FILTER (WHERE c.distance > 0)) AS purchase_effect, trim_scale(sum(c.other_effect) FILTER (WHERE c.distance > 0)) AS other_effect
            FROM contribution c JOIN unnest('{1,12}'::integer[]) d(distance) ON c.distance IN (0, d.distance)
            WHERE c.currency IS NOT NULL GROUP BY 1, 2, 3, 4
        ), calendar AS (
            SELECT n, min(n) OVER () AS first, s.is_used, e.month, e.counted_from > e.month OR e.counted_to < e.month + interval '1 month' AS is_partial
            FROM (SELECT min(c.n) AS first, max(c.n) AS last FROM contribution c WHERE c.distance = 0) r, generate_series(r.first, r.last) n
                 LEFT JOIN LATERAL (SELECT true AS is_used FROM contribution c WHERE c.distance = 0 AND c.n = n.n AND c.charge_category = 'Usage' LIMIT 1) s ON true,
                 LATERAL (SELECT m.month, greatest(m.month, from_at AT TIME ZONE in_zone) AS counted_from, least(m.month + interval '1 month', to_at AT TIME ZONE in_zone, today) AS counted_to
                          FROM (SELECT make_timestamp(n / 12, n % 12 + 1, 1, 0, 0, 0) AS month) m) e
        ), unpriced AS (
            SELECT c.n, c.owner, sum(c.tokens_1)::bigint AS tokens FROM contribution c WHERE c.distance = 0 AND c.currency IS NULL GROUP BY 1, 2
        ), payer AS (
            SELECT g.owner, g.currency, min(g.n) FILTER (WHERE g.spend <> 0 OR g.tokens > 0) AS since FROM grouped g WHERE g.has_month GROUP BY 1, 2
            UNION ALL
            SELECT u.owner, NULL, NULL FROM unpriced u WHERE NOT EXISTS (SELECT FROM grouped) GROUP BY 1
        ), since AS (
            SELECT p.currency, min(p.since) AS since FROM payer p GROUP BY 1
        )
        SELECT m.month::date, d.comparison, p.owner, p.currency,
               CASE WHEN h.has_base AND p.currency IS NOT NULL THEN coalesce(g.tokens_0, 0) END, CASE WHEN p.currency IS NOT NULL THEN coalesce(g.tokens, 0) END, coalesce(u.tokens, 0),
               CASE WHEN h.has_base THEN coalesce(g.spend_0, z.zero) END, coalesce(g.spend, z.zero),
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
             LEFT JOIN unpriced u ON u.n = m.n AND coalesce(u.owner, '') = coalesce(p.owner, '')
        WHERE dimension IS NULL OR g.n IS NOT NULL OR p.currency IS NULL
        ORDER BY d.distance, p.currency, p.owner, m.n;
    END
    $$;
    COMMENT ON FUNCTION bill_growth_of(timestamptz, timestamptz, text, text, text, timestamptz[], tokenomics.ledger[], tokenomics.ledger) IS
        'part of bill_growth, bill_growth_by_team and bill_growth_by_project: the rows of all of them; cuts, ledgers, counted as in bill_contributions()';

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
        factors tokenomics.demand_factors[],
        counted tokenomics.ledger DEFAULT NULL
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
                   CASE WHEN p.product > 0 THEN ARRAY[f.users, f.sessions_per_user, f.turns_per_session, f.calls_per_turn, f.tokens_per_call, f.reasoning_multiplier, p.product]::double precision[] END AS x,
                   f.coverage
            FROM unnest(factors) WITH ORDINALITY f(month, days, slice, users, sessions_per_user, turns_per_session, calls_per_turn, tokens_per_call, reasoning_multiplier, coverage_multiplier,
                                                   mix, mix_calls, cacheable_tokens, cache_hit_rate, peak_to_average, monthly_growth, coverage, reason, i),
                 LATERAL (SELECT f.users * f.sessions_per_user * f.turns_per_session * f.calls_per_turn * f.tokens_per_call * f.reasoning_multiplier AS product) p
        ), part AS MATERIALIZED (
            SELECT s.n::integer AS n, usage_ledger('month', lower(s.span), upper(s.span), driver_effects_of.zone) AS counted
            FROM unnest(spans) WITH ORDINALITY s(span, n) WHERE NOT isempty(s.span) AND driver_effects_of.counted IS NULL
            UNION ALL
            SELECT 1, driver_effects_of.counted WHERE driver_effects_of.counted IS NOT NULL
        ), measured AS (
            SELECT coalesce(array_agg(d.n ORDER BY d.n), '{}') AS numbers,
                   coalesce((SELECT array_agg(v.x ORDER BY o.n, v.i) FROM driver o, unnest(o.x) WITH ORDINALITY v(x, i)), '{}') AS x
            FROM driver d WHERE d.x IS NOT NULL
        )
        SELECT e.distance, e.n, e.currency, e.users_effect, e.sessions_per_user_effect, e.turns_per_session_effect, e.calls_per_turn_effect, e.tokens_per_call_effect, e.reasoning_effect,
               e.coverage_effect, e.tokens_effect, e.cache_effect, e.mix_effect, e.price_effect,
               (SELECT CASE WHEN count(d.x) < CASE e.distance WHEN 0 THEN 1 ELSE 2 END
                            THEN 'drivers are not measured: ' || coalesce(min(d.reason) FILTER (WHERE d.x IS NULL), 'a month has no calls, is not complete, or cannot be counted')
                            WHEN min(d.coverage) < 0.5 THEN format('low coverage: drivers are measured over %s %% of the tokens', round(min(d.coverage) * 100)) END
                FROM driver d WHERE d.n IN (e.n, e.n - e.distance))
        FROM measured m, (SELECT array_agg(p.counted) AS ledgers, coalesce(array_agg(p.n) FILTER (WHERE NOT by_month), '{}') AS numbers FROM part p) p,
             tokenomics.bill_driver_effects(p.ledgers, p.numbers, distances, m.numbers, m.x) e;
    END
    $$;
    COMMENT ON FUNCTION driver_effects_of(tstzrange[], boolean, integer[], text, tokenomics.demand_factors[], tokenomics.ledger) IS
        'part of driver_bridge() and bill_growth_by_driver: what the drivers of priced calls did; counted: the ledger of the only span, NULL: count it';

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
        SELECT b.currency, b.spend_0, b.spend_1, b.change, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.users_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.sessions_per_user_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.turns_per_session_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.calls_per_turn_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.tokens_per_call_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.reasoning_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.coverage_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.tokens_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.cache_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.mix_effect END, CASE WHEN d.n IS NULL THEN 0::numeric ELSE d.price_effect END, b.purchase_effect, b.other_effect,
               nullif(concat_ws('; ',
                   CASE WHEN b.all_0 = 0 THEN 'no usage in the first month' END,
                   CASE WHEN b.all_1 = 0 THEN 'no usage in the second month' END,
                   CASE WHEN b.all_0 > 0 AND b.tokens_0 = 0 AND b.spend_0 = 0 THEN 'a new currency' END,
                   CASE WHEN b.unpriced > 0 THEN 'some calls have no price' END,
                   d.reason), '')
        FROM (SELECT b.*, sum(b.tokens_0) OVER () AS all_0, sum(b.tokens_1) OVER () AS all_1, sum(b.tokens_0 + b.tokens_1) FILTER (WHERE b.currency IS NULL) OVER () AS unpriced
              FROM bill_bridge(lower(spans[1]), upper(spans[1]), lower(spans[2]), upper(spans[2]), '{}', in_zone) b) b
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
        parts record;
    BEGIN
        IF from_at >= to_at THEN
            RETURN;
        END IF;
        SELECT * INTO parts FROM spend_parts('month', from_at, to_at, in_zone);
        RETURN QUERY
        SELECT g.month, g.comparison, g.currency, g.spend_before, g.spend, g.change,
               CASE WHEN d.n IS NULL THEN z.zero ELSE d.users_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.sessions_per_user_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.turns_per_session_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.calls_per_turn_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.tokens_per_call_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.reasoning_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.coverage_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.tokens_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.cache_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.mix_effect END, CASE WHEN d.n IS NULL THEN z.zero ELSE d.price_effect END,
               g.purchase_effect, g.other_effect,
               g.is_partial, nullif(concat_ws('; ', g.note, d.reason), '')
        FROM bill_growth_of(from_at, to_at, in_zone, NULL, NULL, parts.cuts, parts.ledgers, parts.counted) g
             LEFT JOIN driver_effects_of(ARRAY[tstzrange(from_at, to_at)], true, '{1,12}', in_zone, factors, parts.counted) d
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
               (k.row -> 0 ->> 'off_peak')::boolean, (k.row -> 1 ->> 'off_peak')::boolean, (k.row -> 0 ->> 'valid_from')::timestamptz,
               CASE WHEN new_book IS NULL THEN since.valid_from ELSE (k.row -> 1 ->> 'valid_from')::timestamptz END,
               p.tokens::bigint, r.old_rate, r.new_rate, trim_scale(p.old_cost), trim_scale(p.new_cost),
               CASE WHEN p.old_cost IS NOT NULL OR p.new_cost IS NOT NULL THEN trim_scale(coalesce(p.new_cost, 0) - coalesce(p.old_cost, 0)) END,
               CASE WHEN p.is_other THEN 'another currency'
                    WHEN p.old_cost IS NULL AND p.new_cost IS NULL THEN 'no price'
                    WHEN p.old_cost IS NULL THEN 'no old price'
                    WHEN p.new_cost IS NULL THEN 'no new price'
                    WHEN p.old_cost <> p.new_cost THEN 'another rate' END
        FROM priced p, LATERAL (SELECT p.label::jsonb AS row) k,
             LATERAL (SELECT tokenomics.cost_per_mtok(p.old_cost, p.tokens) AS old_rate, tokenomics.cost_per_mtok(p.new_cost, p.tokens) AS new_rate) r,
             -- prices_at() makes all of always: since when today's hold, "price" knows
             LATERAL (SELECT max(lower(v.valid)) AS valid_from
                      FROM tokenomics.explain_cost(new_prices, p.provider, p.model, now(), tokenomics.tokens(jsonb_build_object(p.meter, 1)), p.service_tier) e
                           JOIN price v ON v.book = e.book AND v.provider = e.provider AND v.model = e.model AND v.service_tier = e.service_tier
                                AND v.above_input_tokens = (k.row -> 1 ->> 'above_input_tokens')::bigint AND (NOT isempty(v.off_peak)) = (k.row -> 1 ->> 'off_peak')::boolean
                      WHERE new_book IS NULL AND e.priced_by = 'contracted' AND v.valid @> now() AND upper_inf(v.recorded)) since
        ORDER BY abs(coalesce(p.new_cost, 0) - coalesce(p.old_cost, 0)) DESC, p.provider, p.model, p.service_tier, p.meter, p.currency, p.label;
    END
    $$;
    COMMENT ON FUNCTION repriced_bill(timestamptz, timestamptz, tokenomics.price_book, tokenomics.price_book) IS
        'what the calls from from_at up to, not including, to_at cost by one book (old_book; NULL: the book of "setting") and would by another (new_book; NULL: its prices of today, prices_at(book(), now())), by the two rows of prices that apply, exactly: each difference has its two rates, and the differences add up to that of the bills; other books are book(''contract''), book(as_known_at => ...) and prices_at(book(), ...), which has no new_valid_from: its prices count as of always';

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

    CREATE OR REPLACE FUNCTION underuse_of(
        scopes text[],
        from_at timestamptz,
        to_at timestamptz,
        zone text,
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
        in_zone text := coalesce(underuse_of.zone, (SELECT s.zone FROM setting s));
        reporting text := (SELECT s.currency FROM setting s);
        n integer := underuse_of.months;
        behind timestamptz := least(to_at, now());
        local_behind timestamp;
        middle timestamptz;
        first timestamptz;
        spend_before numeric;
        spend numeric;
        by_team tokenomics.ledger;
        are_gone boolean := false;   -- whether calls of archived days are here no more
        is_known boolean := true;    -- whether those behind "middle" are: who has used a seat
    BEGIN
        IF n IS NULL OR n NOT BETWEEN 1 AND 12 OR threshold IS NULL OR threshold < 0 OR threshold > 1 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'underuse is of 1 to 12 months, and of a fall by a fraction of 0 to 1',
                HINT = 'As in underuse_between(months => 3, threshold => 0.1).';
        END IF;
        -- the last complete month with a call, and not one of a time to come
        behind := CASE WHEN isfinite(behind) THEN tokenomics.period_start('month', in_zone, behind) ELSE behind END;
        behind := tokenomics.period_end('month', in_zone, (SELECT max(l.period) FROM tokenomics.lines(usage_ledger('month', from_at, behind, in_zone)) l));
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

        -- Users are counted from calls: an error where those of archived days are
        -- gone.  Seats are looked for in them.
        IF 'user' = ANY (scopes) THEN
            PERFORM tokenomics.stored_measures('usage', 'calls', in_zone, greatest(first, from_at), behind, NULL);
        END IF;
        IF 'seat' = ANY (scopes) AND EXISTS (SELECT FROM seat) THEN
            BEGIN
                PERFORM tokenomics.stored_measures('usage', 'calls', in_zone, coalesce(from_at, '-infinity'), behind, NULL);
            EXCEPTION WHEN object_not_in_prerequisite_state THEN
                are_gone := true;
            END;
            IF are_gone THEN
                BEGIN
                    PERFORM tokenomics.stored_measures('usage', 'calls', in_zone, greatest(middle, from_at), behind, NULL);
                EXCEPTION WHEN object_not_in_prerequisite_state THEN
                    is_known := false;
                END;
            END IF;
        END IF;

        -- Teams are in the ledgers, and turns of theirs in what is measured of months.
        by_team := usage_ledger('month', greatest(first, from_at), behind, in_zone, 'team');

        RETURN QUERY
        WITH counted AS (
            SELECT CASE WHEN grouping(l.owner) = 0 THEN 'team' ELSE 'company' END AS scope, l.owner, NULL::text AS team,
                   coalesce(sum(l.tokens) FILTER (WHERE l.period < middle), 0)::bigint AS tokens_before, coalesce(sum(l.tokens) FILTER (WHERE l.period >= middle), 0)::bigint AS tokens,
                   NULL::bigint AS turns_before, NULL::bigint AS turns, NULL::timestamptz AS last_used_at, coalesce(bool_or(l.period < middle), false) AS has_before, max(l.period) AS last_month
            FROM (SELECT coalesce(l.label, 'unallocated') AS owner, l.period, tokenomics.total(l.tokens) AS tokens FROM tokenomics.lines(by_team) l) l
            GROUP BY GROUPING SETS ((), (l.owner))
            UNION ALL
            SELECT 'user', u.user_id, max(u.team),
                   coalesce(sum(tokenomics.total(u.tokens)) FILTER (WHERE u.at < middle), 0)::bigint, coalesce(sum(tokenomics.total(u.tokens)) FILTER (WHERE u.at >= middle), 0)::bigint,
                   count(DISTINCT u.turn_id) FILTER (WHERE u.at < middle), count(DISTINCT u.turn_id) FILTER (WHERE u.at >= middle), max(u.at), false, NULL
            FROM usage u WHERE 'user' = ANY (scopes) AND u.at >= first AND u.at < behind AND u.at >= coalesce(from_at, '-infinity') AND u.user_id IS NOT NULL
            GROUP BY u.user_id
        ), labelled AS MATERIALIZED (
            SELECT 'team' AS scope, coalesce(l.label, 'unallocated') AS owner, l.*, l.period >= middle AS is_after
            FROM tokenomics.meter_lines(by_team) l WHERE l.currency IS NOT NULL
            UNION ALL
            SELECT 'user', l.label, l.*, l.period >= middle
            FROM (SELECT tokenomics.ledger((SELECT book()), 'month', in_zone, u.at, u.provider, u.model, u.service_tier, u.tokens, u.user_id, u.calls) AS ledger
                  FROM usage u WHERE 'user' = ANY (scopes) AND u.at >= first AND u.at < behind AND u.at >= coalesce(from_at, '-infinity') AND u.user_id IS NOT NULL) s,
                 LATERAL tokenomics.meter_lines(s.ledger) l
            WHERE l.currency IS NOT NULL
        ), paid AS (
            SELECT m.scope, m.owner, CASE WHEN bool_and(m.converted IS NOT NULL) THEN sum(m.converted) FILTER (WHERE NOT m.is_after) END AS cost_before,
                   CASE WHEN bool_and(m.converted IS NOT NULL) THEN sum(m.converted) FILTER (WHERE m.is_after) END AS cost
            FROM (SELECT l.scope, l.owner, l.is_after, convert_currency(sum(l.cost), l.currency, reporting, (l.period AT TIME ZONE in_zone)::date, 'month') AS converted
                  FROM labelled l GROUP BY l.scope, l.owner, l.is_after, l.currency, l.period) m
            GROUP BY 1, 2
        ), quantity AS (
            SELECT i.scope, i.owner, tokenomics.fisher_quantity_index((i.c0 / i.q0)::double precision, i.q0::double precision, (i.c1 / i.q1)::double precision, i.q1::double precision) AS quantity
            FROM (SELECT l.scope, l.owner, sum(l.cost) FILTER (WHERE NOT l.is_after) AS c0, nullif(sum(l.tokens) FILTER (WHERE NOT l.is_after), 0) AS q0,
                         sum(l.cost) FILTER (WHERE l.is_after) AS c1, nullif(sum(l.tokens) FILTER (WHERE l.is_after), 0) AS q1
                  FROM labelled l GROUP BY l.scope, l.owner, l.provider, l.model, l.service_tier, l.above_input_tokens, l.off_peak, l.meter, l.currency) i
            GROUP BY 1, 2
        ), compared AS (
            SELECT c.*, q.quantity, CASE WHEN c.scope = 'company' THEN spend_before ELSE coalesce(p.cost_before, CASE WHEN p.owner IS NULL THEN NULL ELSE 0 END) END AS cost_before,
                   CASE WHEN c.scope = 'company' THEN spend ELSE coalesce(p.cost, CASE WHEN p.owner IS NULL THEN NULL ELSE 0 END) END AS cost,
                   tokenomics.growth_rate(c.tokens, c.tokens_before) AS tokens_growth,
                   CASE WHEN c.scope <> 'company' THEN tokenomics.growth_rate(w.tokens - c.tokens, w.tokens_before - c.tokens_before) END AS others_growth,
                   c.tokens_before::numeric / nullif(w.tokens_before, 0) AS share_before, c.tokens::numeric / nullif(w.tokens, 0) AS share, w.has_before AS is_compared
            FROM counted c JOIN counted w ON w.scope = 'company' LEFT JOIN quantity q ON q.scope = c.scope AND q.owner = c.owner LEFT JOIN paid p ON p.scope = c.scope AND p.owner = c.owner
        ), listed AS MATERIALIZED (
            -- all but what turns say
            SELECT c.* FROM compared c
            WHERE c.scope = ANY (scopes) AND c.is_compared AND c.owner IS NOT NULL = (c.scope <> 'company')
              AND CASE WHEN c.scope = 'company' THEN c.cost_before > 0 AND c.cost <= c.cost_before * (1 + threshold)
                  ELSE c.tokens_growth < -threshold AND (c.quantity IS NULL OR c.quantity < 1 - threshold) AND c.others_growth > 0 END
        ), measured AS MATERIALIZED (
            -- what has calls and no facts cannot be counted: the turns of all are not known
            SELECT m.starts < middle AS is_before, m.facts, m.facts IS NULL AND m.starts IN (SELECT l.period FROM tokenomics.lines(by_team) l) AS is_lacking
            FROM measured_parts('demand', greatest(first, from_at), behind, in_zone) m
            WHERE EXISTS (SELECT FROM listed l WHERE l.scope IN ('company', 'team'))
        ), lacking AS (
            SELECT coalesce(bool_or(m.is_lacking) FILTER (WHERE m.is_before), false) AS before, coalesce(bool_or(m.is_lacking) FILTER (WHERE NOT m.is_before), false) AS after FROM measured m
        ), turned AS (
            SELECT CASE f.scope WHEN 'total' THEN 'company' ELSE f.scope END AS scope, f.owner, sum(f.turns) FILTER (WHERE m.is_before)::bigint AS turns_before, sum(f.turns) FILTER (WHERE NOT m.is_before)::bigint AS turns
            FROM measured m, jsonb_to_recordset(m.facts) f(scope text, owner text, turns bigint)
            WHERE f.scope IN ('total', 'team')
            GROUP BY 1, 2
        ), day AS MATERIALIZED (
            -- days are in the ledgers too: the last call is looked for in one
            SELECT coalesce(d.label, 'unallocated') AS owner, max(d.period) AS starts
            FROM (SELECT min(l.last_month) AS starts FROM listed l WHERE l.scope IN ('company', 'team') HAVING count(*) > 0) m,
                 LATERAL tokenomics.lines(usage_ledger('day', greatest(m.starts, from_at), behind, in_zone, 'team')) d
            GROUP BY 1
        ), last_call AS (
            SELECT l.scope, l.owner, c.at
            FROM listed l, LATERAL (SELECT max(d.starts) AS starts FROM day d WHERE l.scope = 'company' OR d.owner = l.owner) d,
                 LATERAL (SELECT max(u.at) AS at FROM usage u WHERE u.at >= greatest(d.starts, from_at) AND u.at < tokenomics.period_end('day', in_zone, d.starts)
                          AND (l.scope = 'company' OR coalesce(u.team, 'unallocated') = l.owner)) c
            WHERE l.scope IN ('company', 'team')
        ), held AS (
            SELECT s.user_id, s.team, l.last_used_at
            FROM seat s LEFT JOIN (SELECT u.user_id, max(u.at) AS last_used_at FROM usage u
                                   WHERE u.at < behind AND u.at >= coalesce(from_at, '-infinity') AND u.user_id IN (SELECT s.user_id FROM seat s)
                                   GROUP BY 1) l ON l.user_id = s.user_id
            -- of who has had it for as long
            WHERE 'seat' = ANY (scopes) AND s.valid @> (behind - interval '1 microsecond') AND (lower_inf(s.valid) OR lower(s.valid) <= middle)
        )
        SELECT c.scope, c.owner, CASE c.scope WHEN 'user' THEN coalesce((SELECT h.team FROM held h WHERE h.user_id = c.owner), c.team) WHEN 'team' THEN c.owner END,
               (middle AT TIME ZONE in_zone)::date, (local_behind - interval '1 month')::date, c.tokens_before, c.tokens, c.tokens_growth, n.turns_before, n.turns, n.turns_growth,
               c.quantity, c.others_growth, round(c.share_before, 6), round(c.share, 6), reporting, trim_scale(c.cost_before), trim_scale(c.cost), n.last_used_at,
               CASE WHEN c.scope = 'company' THEN
                   format('the bill %s: %s %%, with tokens %s %%', CASE WHEN c.cost < c.cost_before * (1 - threshold) THEN 'fell' ELSE 'is flat' END,
                          to_char(100 * tokenomics.growth_rate(c.cost, c.cost_before), 'FMSG999990.0'), to_char(100 * c.tokens_growth, 'FMSG999990.0'))
               ELSE format('tokens %s %%, turns %s, while tokens of others rose %s %%', to_char(100 * c.tokens_growth, 'FMSG999990.0'),
                           coalesce(to_char(100 * n.turns_growth, 'FMSG999990.0') || ' %', 'not known'), to_char(100 * c.others_growth, 'FMSG999990.0')) END
        FROM (SELECT l.*, CASE WHEN l.scope = 'user' OR NOT k.before THEN coalesce(u.turns_before, l.turns_before, 0) END AS all_before,
                     CASE WHEN l.scope = 'user' OR NOT k.after THEN coalesce(u.turns, l.turns, 0) END AS all_turns, coalesce(e.at, l.last_used_at) AS last_at
              FROM listed l CROSS JOIN lacking k LEFT JOIN turned u ON u.scope = l.scope AND coalesce(u.owner, '') = coalesce(l.owner, '')
                   LEFT JOIN last_call e ON e.scope = l.scope AND coalesce(e.owner, '') = coalesce(l.owner, '')) c,
             LATERAL (SELECT c.all_before AS turns_before, c.all_turns AS turns, tokenomics.growth_rate(c.all_turns, c.all_before) AS turns_growth, c.last_at AS last_used_at) n
        WHERE c.scope = 'company' OR n.turns_growth IS NULL OR n.turns_growth < -threshold
        UNION ALL
        SELECT 'seat', h.user_id, h.team, (middle AT TIME ZONE in_zone)::date, (local_behind - interval '1 month')::date, NULL, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, 0, reporting, NULL, NULL, h.last_used_at,
               CASE WHEN h.last_used_at IS NULL AND NOT are_gone THEN 'a seat that was never used' ELSE format('a seat without use in the last %s months', n) END
        FROM held h WHERE is_known AND (h.last_used_at IS NULL OR h.last_used_at < middle)
        UNION ALL
        SELECT 'seat', NULL, NULL, (middle AT TIME ZONE in_zone)::date, (local_behind - interval '1 month')::date, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, reporting, NULL, NULL, NULL,
               'not known which seats are used: calls of archived days are gone'
        WHERE NOT is_known
        ORDER BY 1, 6 DESC NULLS LAST, 2;
    END
    $$;
    COMMENT ON FUNCTION underuse_of(text[], timestamptz, timestamptz, text, integer, numeric) IS
        'part of underuse_between(): its rows of some scopes; of settled months calls are read for users and seats, and to find the last call of a team or the company that is listed';

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
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY SELECT u.* FROM underuse_of('{company,team,user,seat}', from_at, to_at, underuse_between.zone, underuse_between.months, underuse_between.threshold) u;
    END
    $$;
    COMMENT ON FUNCTION underuse_between(timestamptz, timestamptz, text, integer, numeric) IS
        'the rows of underuse of the last complete months with calls between the limits, compared with as many before them; months: how many (3); threshold: the fraction by which tokens, turns and matched quantity must all have fallen (0.1), and within which a bill that has not risen is flat';
    CREATE OR REPLACE VIEW underuse WITH (security_invoker = true) AS SELECT * FROM underuse_between();
    COMMENT ON VIEW underuse IS
        'tokenomics: who stops using what is paid for: teams and users whose tokens, turns and matched quantity fell by more than 10 % in the last three complete months, on the three before, while others'' tokens rose; seats without use; and a bill of the company that did not rise by 10 %';
    COMMENT ON COLUMN underuse.scope IS 'company, team, user or seat';
    COMMENT ON COLUMN underuse.owner IS 'the team or user; NULL: the company, or all seats';
    COMMENT ON COLUMN underuse.team IS 'the team; of a user that of the seat, or of the calls';
    COMMENT ON COLUMN underuse.first_month IS 'first of the months that are looked at';
    COMMENT ON COLUMN underuse.last_month IS 'last of them; as many before the first are what they are compared with';
    COMMENT ON COLUMN underuse.tokens_before IS 'tokens of the months before';
    COMMENT ON COLUMN underuse.tokens IS 'tokens of the months';
    COMMENT ON COLUMN underuse.tokens_growth IS 'their growth, a fraction';
    COMMENT ON COLUMN underuse.turns_before IS 'turns of the months before; of a team or the company as in demand_drivers: those of calls with all ids, by the team of their first call, in the month of that; NULL where a month cannot be counted; of a user all that he had a call of';
    COMMENT ON COLUMN underuse.turns IS 'turns of the months';
    COMMENT ON COLUMN underuse.turns_growth IS 'their growth, a fraction; NULL where none were before, or they are not known';
    COMMENT ON COLUMN underuse.matched_quantity IS 'quantity index (Fisher) of what was used in both, by item at its price: 0.5 is half; NULL where nothing is the same';
    COMMENT ON COLUMN underuse.others_tokens_growth IS 'growth of the tokens of all others, a fraction';
    COMMENT ON COLUMN underuse.token_share_before IS 'share of all tokens before, a fraction';
    COMMENT ON COLUMN underuse.token_share IS 'share of all tokens, a fraction';
    COMMENT ON COLUMN underuse.currency IS 'currency of the amounts';
    COMMENT ON COLUMN underuse.cost_before IS 'cost of the calls of the months before, at exchange rates of the months; of the company: total spend; NULL where there is no rate or no price';
    COMMENT ON COLUMN underuse.cost IS 'the same of the months';
    COMMENT ON COLUMN underuse.last_used_at IS 'the last call; NULL: never, or its archived calls are gone';
    COMMENT ON COLUMN underuse.reason IS 'why it is listed';
END
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.uninstall_growth()
 LANGUAGE plpgsql
AS $procedure$
BEGIN
    DROP VIEW IF EXISTS underuse, bill_growth_by_driver, bill_growth_by_project, bill_growth_by_team, bill_growth;
    DROP FUNCTION IF EXISTS
        underuse_between(timestamptz, timestamptz, text, integer, numeric),
        underuse_of(text[], timestamptz, timestamptz, text, integer, numeric),
        repriced_bill(timestamptz, timestamptz, tokenomics.price_book, tokenomics.price_book),
        bill_growth_by_driver_between(timestamptz, timestamptz, text),
        driver_bridge(date, date, text),
        driver_effects_of(tstzrange[], boolean, integer[], text, tokenomics.demand_factors[], tokenomics.ledger),
        bill_growth_by_project_between(timestamptz, timestamptz, text, text),
        bill_growth_by_team_between(timestamptz, timestamptz, text, text),
        bill_growth_between(timestamptz, timestamptz, text, text),
        bill_growth_of(timestamptz, timestamptz, text, text, text, timestamptz[], tokenomics.ledger[], tokenomics.ledger),
        bill_bridge(timestamptz, timestamptz, timestamptz, timestamptz, text[], text, text),
        bill_contributions(tstzrange[], boolean, integer[], text, text, text, text[], timestamptz[], tokenomics.ledger[], tokenomics.ledger);
    DROP TABLE IF EXISTS seat;
END
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.install_behaviour()
 LANGUAGE plpgsql
AS $procedure$
BEGIN
    /*
     * Thinking
     */

    CREATE OR REPLACE FUNCTION count_reasoning(from_at timestamptz, to_at timestamptz)
        RETURNS TABLE (provider text, model text, per text, calls bigint, counted bigint, reasoning bigint, output bigint, "values" text, counts text)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    BEGIN
        -- a turn is that of its first call, and whole
        RETURN QUERY EXECUTE $query$
            WITH counted AS (
                SELECT u.provider, u.model, 'call' AS per, u.calls, CASE WHEN u.calls = 1 THEN tokenomics.meter(u.tokens, 'reasoning') END AS reasoning, tokenomics.output_total(u.tokens) AS output
                FROM usage u WHERE u.at >= $1 AND u.at < $2
                UNION ALL
                SELECT t.provider, t.model, 'turn', 1, t.reasoning, t.output
                FROM (SELECT u.provider, u.model, sum(tokenomics.meter(u.tokens, 'reasoning'))::bigint AS reasoning,
                             sum(tokenomics.output_total(u.tokens)) FILTER (WHERE tokenomics.meter(u.tokens, 'reasoning') IS NOT NULL) AS output,
                             min(min(u.at)) OVER (PARTITION BY u.turn_id) AS at
                      FROM usage u WHERE u.at >= $1 - interval '168 hours' AND u.at < $2 + interval '168 hours' AND u.turn_id IS NOT NULL AND u.calls = 1
                      GROUP BY u.provider, u.model, u.turn_id) t
                WHERE t.at >= $1 AND t.at < $2
            ), value AS (
                SELECT c.provider, c.model, c.per, c.reasoning, sum(c.calls) AS calls, count(*) AS n, sum(c.output) AS output
                FROM counted c GROUP BY c.provider, c.model, c.per, c.reasoning
            )
            SELECT v.provider, v.model, v.per, sum(v.calls)::bigint, coalesce(sum(v.n) FILTER (WHERE v.reasoning IS NOT NULL), 0)::bigint,
                   sum(v.reasoning * v.n)::bigint, sum(v.output) FILTER (WHERE v.reasoning IS NOT NULL)::bigint,
                   -- arrays in their text form, which is short, and read at once
                   (array_agg(v.reasoning ORDER BY v.reasoning) FILTER (WHERE v.reasoning IS NOT NULL))::text, (array_agg(v.n ORDER BY v.reasoning) FILTER (WHERE v.reasoning IS NOT NULL))::text
            FROM value v GROUP BY v.provider, v.model, v.per$query$
        USING from_at, to_at;
    END
    $$;
    COMMENT ON FUNCTION count_reasoning(timestamptz, timestamptz) IS
        'part of reasoning_profile: by provider and model, and per call and turn, how many there are, how many report reasoning, its sum and that of their output, and how often each number of reasoning tokens occurs, counted from calls';

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
        RETURN QUERY
        WITH part AS MATERIALIZED (
            SELECT c.* FROM measured_parts('reasoning', from_at, to_at) m,
                 jsonb_to_recordset(m.facts) c(provider text, model text, per text, calls bigint, counted bigint, reasoning bigint, output bigint, "values" bigint[], counts bigint[])
        ), placed AS MATERIALIZED (
            SELECT v.provider, v.model, v.per, v.reasoning, sum(v.n) OVER (PARTITION BY v.provider, v.model, v.per ORDER BY v.reasoning) AS place,
                   sum(v.n) OVER (PARTITION BY v.provider, v.model, v.per) AS n
            FROM (SELECT p.provider, p.model, p.per, x.reasoning, sum(x.n) AS n FROM part p, unnest(p."values", p.counts) x(reasoning, n) GROUP BY 1, 2, 3, 4) v
        )
        SELECT s.provider, s.model, s.per, s.n::bigint, trim_scale(s.n / s.calls), s.reasoning::bigint, trim_scale(s.reasoning / nullif(s.output, 0)), trim_scale(s.reasoning / nullif(s.n, 0)),
               d.p50, d.p90, d.p99, d.max
        FROM (SELECT p.provider, p.model, p.per, sum(p.calls) AS calls, sum(p.counted) AS n, sum(p.reasoning) AS reasoning, sum(p.output) AS output FROM part p GROUP BY 1, 2, 3) s
             -- as percentile_disc
             LEFT JOIN (SELECT p.provider, p.model, p.per, min(p.reasoning) FILTER (WHERE p.place >= 0.5 * p.n) AS p50, min(p.reasoning) FILTER (WHERE p.place >= 0.9 * p.n) AS p90,
                               min(p.reasoning) FILTER (WHERE p.place >= 0.99 * p.n) AS p99, max(p.reasoning) AS max
                        FROM placed p GROUP BY 1, 2, 3) d
                 ON d.provider IS NOT DISTINCT FROM s.provider AND d.model IS NOT DISTINCT FROM s.model AND d.per = s.per
        ORDER BY s.provider, s.model, s.per;
    END
    $$;
    COMMENT ON FUNCTION reasoning_profile_between(timestamptz, timestamptz, text) IS
        'the rows of reasoning_profile of the calls from from_at up to, not including, to_at, and of the turns whose first call is among them (whole turns: a turn is looked for a week before and after its month); NULL: no limit; the zone changes nothing';
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
        PERFORM FROM tokenomics.stored_measures('usage', 'calls', (SELECT s.zone FROM setting s), coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), NULL);
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
        PERFORM FROM tokenomics.stored_measures('usage', 'turns', (SELECT s.zone FROM setting s), coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), NULL);
        -- a call before the limits makes the turn one of before
        RETURN QUERY EXECUTE $query$
            SELECT t.turn_id, t.at, t.ends_at, t.session_id, t.user_id, t.team, t.project, t.agents, t.calls, t.unreported_calls, t.tokens
            FROM (SELECT tokenomics.turn_tally('UTC', u.at, u.tokens, u.turn_id, u.session_id, u.user_id, u.team, u.project, u.request_id, true, u.duration, u.agent) AS tally
                  FROM usage u
                  WHERE u.turn_id IS NOT NULL AND u.calls = 1
                    AND u.at >= $1 - interval '168 hours' AND u.at < $2 + interval '168 hours') x,
                 LATERAL tokenomics.turns(x.tally, $1, $2) t
            ORDER BY 2, 1$query$
        USING coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity');
    END
    $$;
    COMMENT ON FUNCTION turns_between(timestamptz, timestamptz) IS
        'the turns whose first call is from from_at up to, not including, to_at (NULL: no limit), whole: a turn is looked for a week before and after; each with when it began and its last call ended, session, user, team and project of its first call, all agents, calls, those without tokens, and tokens';

    CREATE OR REPLACE FUNCTION count_fan_out(from_at timestamptz, to_at timestamptz, zone text)
        RETURNS TABLE (month date, scope text, owner text, turns bigint, calls bigint, p50 bigint, p90 bigint, p99 bigint, max bigint, tokens bigint, top_tokens bigint, coverage numeric)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off SET max_parallel_workers_per_gather = 0
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY EXECUTE $query$
            SELECT (f.month AT TIME ZONE $3)::date, f.scope, f.owner, f.turns, f.calls, f.p50, f.p90, f.p99, f.max, f.tokens, f.top_tokens, trim_scale(x.of_turns / x.all_calls)
            FROM (SELECT tokenomics.turn_tally($3, u.at, u.tokens, u.turn_id, u.session_id, u.user_id, u.team, u.project, u.request_id, true)
                             FILTER (WHERE u.turn_id IS NOT NULL AND u.calls = 1) AS tally,
                         count(u.turn_id) FILTER (WHERE u.calls = 1 AND u.at >= $1 AND u.at < $2) AS of_turns, sum(u.calls) FILTER (WHERE u.at >= $1 AND u.at < $2) AS all_calls
                  FROM usage u WHERE u.at >= $1 - interval '168 hours' AND u.at < $2 + interval '168 hours') x,
                 LATERAL tokenomics.fan_out(x.tally, $1, $2) f$query$
        USING from_at, to_at, count_fan_out.zone;
    END
    $$;
    COMMENT ON FUNCTION count_fan_out(timestamptz, timestamptz, text) IS
        'part of fan_out: what it says of the turns of a month of the zone, or of a part of one, counted from calls';

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
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(fan_out_between.zone, (SELECT s.zone FROM setting s));
    BEGIN
        RETURN QUERY
        SELECT f.month, f.scope, f.owner, f.turns, f.calls, trim_scale(f.calls::numeric / f.turns), f.p50, f.p90, f.p99, f.max, f.tokens,
               trim_scale(f.top_tokens / nullif(f.tokens, 0)::numeric), f.coverage
        FROM measured_parts('fan_out', from_at, to_at, in_zone) m,
             jsonb_to_recordset(m.facts) f(month date, scope text, owner text, turns bigint, calls bigint, p50 bigint, p90 bigint, p99 bigint, max bigint, tokens bigint, top_tokens bigint, coverage numeric)
        ORDER BY f.month, f.scope DESC, f.owner;
    END
    $$;
    COMMENT ON FUNCTION fan_out_between(timestamptz, timestamptz, text) IS
        'the rows of fan_out of the turns whose first call is from from_at up to, not including, to_at, by the months of the zone; a turn is looked for a week before and after its month; NULL: no limit, and the zone of "setting"';
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
        prices tokenomics.price_book := book();
        only_currency text := (SELECT CASE WHEN min(tokenomics.currency(p.rates)) = max(tokenomics.currency(p.rates)) THEN min(tokenomics.currency(p.rates)) END FROM price p);
    BEGIN
        IF n IS NULL OR n < 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('the number of turns must be zero or more, not %s', coalesce(n::text, 'NULL'));
        END IF;
        PERFORM FROM tokenomics.stored_measures('usage', 'turns', in_zone, coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), NULL);
        RETURN QUERY EXECUTE $query$
            WITH call AS NOT MATERIALIZED (
                SELECT u.turn_id, u.at, u.request_id, u.provider, u.model, u.agent, u.tokens, u.service_tier,
                       tokenomics.cost((SELECT $6), u.provider, u.model, u.at, u.tokens, u.service_tier) AS cost
                FROM usage u
                WHERE u.turn_id IS NOT NULL AND u.calls = 1
                  AND u.at >= $1 - interval '168 hours' AND u.at < $2 + interval '168 hours'
            ), sum AS MATERIALIZED (
                -- each call is priced once; its currency is asked for only where a price book has several
                SELECT s.*, min(s.first_at) OVER (PARTITION BY s.turn_id) AS at
                FROM (SELECT c.turn_id, CASE WHEN c.cost IS NULL THEN NULL WHEN $7 IS NOT NULL THEN $7
                                             ELSE tokenomics.currency((SELECT $6), c.provider, c.model, c.at, c.tokens, c.service_tier) END AS currency,
                             sum(c.cost) AS cost, count(*) AS calls, sum(tokenomics.total(c.tokens)) AS total, min(c.at) AS first_at
                      FROM (SELECT * FROM call OFFSET 0) c GROUP BY 1, 2) s
            ), rate AS MATERIALIZED (
                SELECT d.currency, d.day, r.rate, r.is_inverse
                FROM (SELECT DISTINCT s.currency, (s.at AT TIME ZONE $4)::date AS day FROM sum s WHERE s.currency <> $3) d, LATERAL exchange_rate(d.currency, $3, d.day) r
            ), chosen AS MATERIALIZED (
                -- all turns are only ordered here; what else is said of them is read for those that are chosen
                SELECT s.turn_id, CASE WHEN count(s.currency) = 1 THEN min(s.currency) END AS currency,
                       CASE WHEN count(s.currency) = 1 THEN trim_scale(sum(s.cost)) END AS cost,
                       coalesce(sum(s.calls) FILTER (WHERE s.currency IS NULL), 0)::bigint AS unpriced_calls,
                       CASE WHEN count(*) FILTER (WHERE s.currency IS NOT NULL) = count(s.converted) THEN trim_scale(sum(s.converted)) END AS cost_converted
                FROM (SELECT s.*, CASE WHEN s.currency = $3 OR s.cost = 0 THEN s.cost ELSE tokenomics.exchanged(s.cost, r.rate, r.is_inverse) END AS converted
                      FROM sum s LEFT JOIN rate r ON r.currency = s.currency AND r.day = (s.at AT TIME ZONE $4)::date
                      WHERE s.at >= $1 AND s.at < $2 OFFSET 0) s
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
                                             AND u.at >= $1 - interval '168 hours' AND u.at < $2 + interval '168 hours') x,
                                          LATERAL tokenomics.turns(x.tally, $1, $2) turn) t ON t.turn_id = s.turn_id
                 JOIN (SELECT c.turn_id, jsonb_agg(jsonb_build_object('at', c.at, 'request_id', c.request_id, 'provider', c.provider, 'model', c.model, 'agent', c.agent,
                                                                      'tokens', c.tokens::jsonb, 'cost', c.cost,
                                                                      'currency', CASE WHEN c.cost IS NOT NULL THEN tokenomics.currency((SELECT $6), c.provider, c.model, c.at, c.tokens, c.service_tier) END) ORDER BY c.at, c.request_id) AS call_list
                       FROM call c WHERE c.turn_id = ANY (ARRAY(SELECT turn_id FROM chosen)) GROUP BY c.turn_id) l ON l.turn_id = s.turn_id
            ORDER BY s.cost_converted DESC NULLS LAST, tokenomics.total(t.tokens) DESC NULLS LAST, t.turn_id$query$
        USING coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'), reporting, in_zone, n, prices, only_currency;
    END
    $$;
    COMMENT ON FUNCTION costliest_turns(integer, timestamptz, timestamptz) IS
        'the n turns that cost most, of those whose first call is from from_at up to, not including, to_at (NULL: no limit): each as turns_between() has it, with its cost, exact (NULL where its calls are priced in several currencies, or none), how many calls have no price, the cost in the currency of "setting" at the rate of the day of the first call, by which they are ordered (turns without come last, by their tokens), and its calls as JSON';

    /*
     * Cache
     */

    CREATE OR REPLACE FUNCTION count_session_depth(from_at timestamptz, to_at timestamptz)
        RETURNS TABLE (provider text, model text, team text, depth bigint, depth_to bigint, calls bigint, reporting bigint, cacheable bigint, read bigint)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
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
                WHERE u.calls = 1 AND u.session_id IS NOT NULL AND u.at >= $1 - interval '168 hours' AND u.at < $2
                WINDOW w AS (PARTITION BY u.turn_id ORDER BY u.at, u.request_id, u.session_id, u.user_id, u.team, u.project)
            ), placed AS (
                SELECT o.*, row_number() OVER (PARTITION BY o.session_id ORDER BY o.at, o.request_id, o.model, o.provider, o.team, o.tokens) AS place FROM owned o
            ), measured AS (
                SELECT p.provider, p.model, p.team, b.depth, b.depth_to, tokenomics.meter(p.tokens, 'cache_read') AS read,
                       CASE WHEN tokenomics.meter(p.tokens, 'cache_read') IS NOT NULL THEN tokenomics.input_total(p.tokens) END AS input
                FROM placed p,
                     LATERAL (SELECT CASE WHEN p.place <= 10 THEN p.place WHEN p.place <= 20 THEN 11 WHEN p.place <= 50 THEN 21 WHEN p.place <= 100 THEN 51 ELSE 101 END AS depth,
                                     CASE WHEN p.place <= 10 THEN p.place WHEN p.place <= 20 THEN 20 WHEN p.place <= 50 THEN 50 WHEN p.place <= 100 THEN 100 END AS depth_to) b
                WHERE p.at >= $1
            )
            SELECT m.provider, m.model, m.team, m.depth::bigint, m.depth_to::bigint, count(*), count(m.read), sum(m.input)::bigint, sum(m.read)::bigint
            FROM measured m GROUP BY m.provider, m.model, m.team, m.depth, m.depth_to$query$
        USING from_at, to_at;
    END
    $$;
    COMMENT ON FUNCTION count_session_depth(timestamptz, timestamptz) IS
        'part of cache_by_session_depth: calls, those that report what was read from a cache, their input and what of it was read, counted from calls';

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
        RETURN QUERY
        SELECT c.provider, c.model, c.team, c.depth, c.depth_to, sum(c.calls)::bigint, trim_scale(sum(c.reporting) / sum(c.calls)),
               sum(c.cacheable)::bigint, sum(c.read)::bigint, trim_scale(sum(c.read) / nullif(sum(c.cacheable), 0))
        FROM measured_parts('session_depth', from_at, to_at) m,
             jsonb_to_recordset(m.facts) c(provider text, model text, team text, depth bigint, depth_to bigint, calls bigint, reporting bigint, cacheable bigint, read bigint)
        GROUP BY c.provider, c.model, c.team, c.depth, c.depth_to
        ORDER BY c.provider, c.model, c.team, c.depth;
    END
    $$;
    COMMENT ON FUNCTION cache_by_session_depth_between(timestamptz, timestamptz, text) IS
        'the rows of cache_by_session_depth of the calls from from_at up to, not including, to_at; a session is looked for a week before its month, or the limit; NULL: no limit; the zone changes nothing';
    CREATE OR REPLACE VIEW cache_by_session_depth WITH (security_invoker = true) AS SELECT * FROM cache_by_session_depth_between();
    COMMENT ON VIEW cache_by_session_depth IS
        'tokenomics: what share of the input came from the cache, by how many calls the session had made: by provider, model and team (of the first call of the turn); of calls that have a session and a row of their own';
    COMMENT ON COLUMN cache_by_session_depth.provider IS 'provider of the calls';
    COMMENT ON COLUMN cache_by_session_depth.model IS 'model, as the calls name it';
    COMMENT ON COLUMN cache_by_session_depth.team IS 'team of the first call of the turn';
    COMMENT ON COLUMN cache_by_session_depth.depth IS 'which call of its session it is, of those since a week before the month: 1 is the first; 1 to 10, then bands from 11, 21, 51 and 101';
    COMMENT ON COLUMN cache_by_session_depth.depth_to IS 'the last of the band; NULL: it has no end';
    COMMENT ON COLUMN cache_by_session_depth.calls IS 'number of calls';
    COMMENT ON COLUMN cache_by_session_depth.coverage IS 'share of them that report what was read from a cache';
    COMMENT ON COLUMN cache_by_session_depth.cacheable_tokens IS 'all input tokens of those; NULL where none does';
    COMMENT ON COLUMN cache_by_session_depth.cache_read_tokens IS 'what of it was read from a cache';
    COMMENT ON COLUMN cache_by_session_depth.hit_rate IS 'cache_read_tokens / cacheable_tokens';

    CREATE OR REPLACE FUNCTION count_cache(from_at timestamptz, to_at timestamptz, book tokenomics.price_book)
        RETURNS TABLE (provider text, model text, team text, currency text, calls bigint, reporting bigint, cacheable bigint, read bigint, written bigint, saving numeric)
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    BEGIN
        -- a row of several calls takes the rates below any threshold
        RETURN QUERY EXECUTE $query$
            WITH call AS (
                SELECT u.provider, u.model, u.team, u.calls, u.tokens, tokenomics.meter(u.tokens, 'cache_read') AS read,
                       tokenomics.rates_in_force((SELECT $3), u.provider, u.model, u.at,
                           CASE WHEN u.calls = 1 OR u.tokens IS NULL THEN u.tokens ELSE '{}' END, u.service_tier) AS rates
                FROM usage u WHERE u.at >= $1 AND u.at < $2
            )
            SELECT c.provider, c.model, c.team, tokenomics.currency(c.rates), sum(c.calls)::bigint, coalesce(sum(c.calls) FILTER (WHERE c.read IS NOT NULL), 0)::bigint,
                   sum(tokenomics.input_total(c.tokens)) FILTER (WHERE c.read IS NOT NULL)::bigint, sum(c.read)::bigint,
                   sum(coalesce(tokenomics.meter(c.tokens, 'cache_write') + tokenomics.meter(c.tokens, 'cache_write_1h'),
                                tokenomics.meter(c.tokens, 'cache_write'), tokenomics.meter(c.tokens, 'cache_write_1h')))::bigint,
                   trim_scale(sum(tokenomics.net_cache_saving(c.tokens, c.rates)))
            FROM call c GROUP BY 1, 2, 3, 4$query$
        USING from_at, to_at, count_cache.book;
    END
    $$;
    COMMENT ON FUNCTION count_cache(timestamptz, timestamptz, tokenomics.price_book) IS
        'part of cache_use: calls, those that report what was read from a cache, their input, what was read and written, and what that saved by a book, counted from calls';

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
        to_currency text := (SELECT s.currency FROM setting s);
    BEGIN
        RETURN QUERY
        SELECT m.month, c.provider, c.model, c.team, c.currency, c.calls, trim_scale(c.reporting::numeric / c.calls), c.cacheable, c.read, c.written,
               trim_scale(c.read / nullif(c.cacheable, 0)::numeric), c.saving, to_currency, convert_currency(c.saving, c.currency, to_currency, m.month, 'month')
        FROM (SELECT (p.starts AT TIME ZONE in_zone)::date AS month, p.facts FROM measured_parts('cache', from_at, to_at, in_zone, book()) p) m,
             jsonb_to_recordset(m.facts) c(provider text, model text, team text, currency text, calls bigint, reporting bigint, cacheable bigint, read bigint, written bigint, saving numeric)
        ORDER BY m.month, c.provider, c.model, c.team, c.currency;
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
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.uninstall_behaviour()
 LANGUAGE plpgsql
AS $procedure$
BEGIN
    DROP VIEW IF EXISTS cache_use, cache_by_session_depth, fan_out, reasoning_profile;
    DROP FUNCTION IF EXISTS
        cache_use_between(timestamptz, timestamptz, text),
        count_cache(timestamptz, timestamptz, tokenomics.price_book),
        cache_by_session_depth_between(timestamptz, timestamptz, text),
        count_session_depth(timestamptz, timestamptz),
        costliest_turns(integer, timestamptz, timestamptz),
        fan_out_between(timestamptz, timestamptz, text),
        count_fan_out(timestamptz, timestamptz, text),
        turns_between(timestamptz, timestamptz),
        cap_reasoning(bigint, timestamptz, timestamptz),
        cap_reasoning(bigint[], timestamptz, timestamptz),
        reasoning_profile_between(timestamptz, timestamptz, text),
        count_reasoning(timestamptz, timestamptz);
END
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.install_forecast()
 LANGUAGE plpgsql
AS $procedure$
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
        -- how many rows its parts have is not known, and is guessed far too low
        SET enable_nestloop = off
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
                   CASE WHEN t.tokens > 0 OR d.has_stopped THEN 0 ELSE ceil(k.upper) END, reporting,
                   -- where all has stopped, nothing costs nothing, in any currency
                   CASE WHEN t.lacks_rate IS NULL THEN coalesce(t.cost, CASE WHEN d.has_stopped THEN 0 END) END, l.low, l.high,
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
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.install_quote()
 LANGUAGE plpgsql
AS $procedure$
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
        CONSTRAINT quote_provisioned_units_on_offer CHECK (units >= units_min AND mod(units - units_min, nullif(units_increment, 0)) = 0),
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

    CREATE OR REPLACE FUNCTION check_workload(workload text) RETURNS void
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM workload w WHERE w.name = check_workload.workload) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_object',
                MESSAGE = format('there is no workload "%s"', check_workload.workload),
                HINT = 'The workloads are: ' || coalesce((SELECT string_agg(format('"%s"', x.name), ', ' ORDER BY x.name) FROM workload x), 'none') || '.';
        END IF;
    END
    $$;
    COMMENT ON FUNCTION check_workload(text) IS 'part of evaluate_quote() and compare_quotes(): an error where there is no such workload';

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
        PERFORM check_workload(evaluate_quote.workload);
        SELECT * INTO w FROM workload x WHERE x.name = evaluate_quote.workload;
        IF evaluate_quote.interactivity <= 0 OR evaluate_quote.interactivity >= 'infinity' OR evaluate_quote.ttft < 0 OR evaluate_quote.percentile IS NULL
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
        PERFORM check_workload(compare_quotes.workload);
        FOR name IN SELECT DISTINCT n FROM unnest(coalesce(compare_quotes.quotes, ARRAY(SELECT q.name FROM quote q))) n LOOP
            BEGIN
                one := (SELECT e.result FROM evaluate_quote(compare_quotes.workload, name, compare_quotes.interactivity, compare_quotes.ttft, compare_quotes.percentile, compare_quotes.baseline) e);
            EXCEPTION
                -- absurd factors of one quote are no reason to show no other
                WHEN numeric_value_out_of_range THEN
                    one := NULL;
                    one.workload := compare_quotes.workload;
                    one.quote := name;
                    SELECT q.vendor, q.kind, s.currency INTO one.vendor, one.kind, one.reporting_currency FROM quote q, setting s WHERE q.name = one.quote;
                    one.reason := 'its figures are out of range: ' || SQLERRM;
                    one.notes := '{}';
            END;
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
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.uninstall_quote()
 LANGUAGE plpgsql
AS $procedure$
BEGIN
    DROP VIEW IF EXISTS quote_comparison;
    DROP FUNCTION IF EXISTS
        quote_comparison_between(timestamptz, timestamptz, text),
        explain_quote(text, text, numeric, integer, numeric, text),
        compare_quotes(text, text[], numeric, integer, numeric, text),
        evaluate_quote(text, text, numeric, integer, numeric, text),
        check_workload(text),
        price_workload(text, text, text, text, timestamptz, text, numeric, numeric, numeric),
        state_workload(text, tokenomics.tokens, bigint, numeric, numeric, bigint, bigint, bigint, text),
        measure_workload(text, timestamptz, timestamptz, text, text, text, text, text, text, text, jsonb, text);
    DROP TABLE IF EXISTS workload, operating_point, quote;
END
$procedure$
;
CREATE FUNCTION tokenomics.pareto(VARIADIC measures numeric[])
 RETURNS boolean
 LANGUAGE c
 WINDOW IMMUTABLE
AS 'MODULE_PATHNAME', $function$on_frontier$function$
;
COMMENT ON FUNCTION tokenomics.pareto(numeric[]) IS 'window function: whether no row of the partition is at least as good by every measure and better by one (the Pareto frontier); more is better: negate a cost; NULL where a measure is not known';
CREATE OR REPLACE PROCEDURE tokenomics.install_value()
 LANGUAGE plpgsql
AS $procedure$
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
               tokenomics.pareto(m.score, m.speed, - m.per_mtok) OVER w,
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
        ), called AS MATERIALIZED (
            SELECT u.at, u.provider, u.model, coalesce(u.service_tier, 'standard') AS service_tier, u.tokens, u.calls
            FROM usage u
            WHERE u.at >= first AND u.at < behind AND u.project IS NOT DISTINCT FROM overspend.project AND u.tokens IS NOT NULL
        ), factor AS MATERIALIZED (
            -- what the models that served them need themselves: asked once for each
            SELECT m.provider, m.model, q.output_factor, q.tokenizer_factor, q.output_factor IS NOT NULL AND q.tokenizer_factor IS NOT NULL AS is_known
            FROM (SELECT DISTINCT c.provider, c.model FROM called c) m, LATERAL latest_quality(m.provider, m.model, today) q
            WHERE q.task = overspend.task AND (overspend.version IS NULL OR q.version = overspend.version)
        ), call AS NOT MATERIALIZED (
            SELECT c.*, coalesce(f.output_factor, 1) AS output_factor, coalesce(f.tokenizer_factor, 1) AS tokenizer_factor, f.is_known
            FROM called c LEFT JOIN factor f ON f.provider = c.provider AND f.model = c.model
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
        label text := dimension_expression(dimension);
        sold tokenomics.ledger;
    BEGIN
        EXECUTE format('SELECT tokenomics.ledger((SELECT book($4)), ''month'', $1, u.at, u.provider, u.model, u.service_tier, u.tokens, %s, u.calls)
                        FROM usage u WHERE u.at >= $2 AND u.at < $3', label)
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
$procedure$
;
CREATE TYPE tokenomics.budget_scope AS (
    dimension text,
    owner text,
    provider text,
    model text,
    currency text,
    period_start date,
    period_end date
);
COMMENT ON TYPE tokenomics.budget_scope IS 'what a budget is of, for budget_totals()';
COMMENT ON COLUMN tokenomics.budget_scope.dimension IS 'dimension that its owner is of; NULL: none';
COMMENT ON COLUMN tokenomics.budget_scope.owner IS 'its owner; NULL: that of lines without';
COMMENT ON COLUMN tokenomics.budget_scope.provider IS 'provider; NULL: all';
COMMENT ON COLUMN tokenomics.budget_scope.model IS 'model; NULL: all';
COMMENT ON COLUMN tokenomics.budget_scope.currency IS 'currency of the amounts wanted';
COMMENT ON COLUMN tokenomics.budget_scope.period_start IS 'first day';
COMMENT ON COLUMN tokenomics.budget_scope.period_end IS 'day after the last';
CREATE TYPE tokenomics.budget_line AS (
    dimension text,
    owner text,
    provider text,
    model text,
    currency text,
    day date,
    is_day boolean,
    cost numeric,
    usage_cost numeric,
    is_lost boolean,
    tokens tokenomics.tokens,
    calls bigint,
    unpriced_tokens bigint
);
COMMENT ON TYPE tokenomics.budget_line IS 'what was spent, for budget_totals()';
COMMENT ON COLUMN tokenomics.budget_line.dimension IS 'dimension that the owner is of; NULL: none';
COMMENT ON COLUMN tokenomics.budget_line.owner IS 'who spent it';
COMMENT ON COLUMN tokenomics.budget_line.provider IS 'provider';
COMMENT ON COLUMN tokenomics.budget_line.model IS 'model; NULL of charges';
COMMENT ON COLUMN tokenomics.budget_line.currency IS 'currency that the amounts are in';
COMMENT ON COLUMN tokenomics.budget_line.day IS 'the day, or the first of the month';
COMMENT ON COLUMN tokenomics.budget_line.is_day IS 'whether it is of a day, not a month';
COMMENT ON COLUMN tokenomics.budget_line.cost IS 'all that was spent; NULL where there is no amount';
COMMENT ON COLUMN tokenomics.budget_line.usage_cost IS 'what calls cost by their own price';
COMMENT ON COLUMN tokenomics.budget_line.is_lost IS 'whether there is an amount, but none in the currency';
COMMENT ON COLUMN tokenomics.budget_line.tokens IS 'tokens of calls with a price of their own';
COMMENT ON COLUMN tokenomics.budget_line.calls IS 'number of calls';
COMMENT ON COLUMN tokenomics.budget_line.unpriced_tokens IS 'tokens without a price';
CREATE FUNCTION tokenomics.budget_totals(scopes tokenomics.budget_scope[], lines tokenomics.budget_line[], today date, OUT n integer, OUT actual numeric, OUT is_lost boolean, OUT usage_cost numeric, OUT tokens tokenomics.tokens, OUT calls bigint, OUT unpriced_tokens bigint, OUT first_day date, OUT amounts numeric[])
 RETURNS SETOF record
 LANGUAGE c
 IMMUTABLE PARALLEL SAFE STRICT COST 1000
AS 'MODULE_PATHNAME', $function$budget_totals$function$
;
COMMENT ON FUNCTION tokenomics.budget_totals(tokenomics.budget_scope[],tokenomics.budget_line[],pg_catalog.date) IS 'what of some lines is within each of the scopes, the nth, in its period (actual: NULL where a part of it has no amount in the currency); and, of one that today is in, what was spent on each day before today, of up to 8 weeks: from first_day, the first with a line, on';
CREATE FUNCTION tokenomics.budget_thresholds(alert_at numeric[], alert_forecast_at numeric[], alert_cost_per_mtok numeric, alert_reasoning_per_call numeric, amount numeric, actual numeric, forecast numeric, cost_per_mtok numeric, reasoning_per_call numeric, unpriced_tokens bigint)
 RETURNS TABLE(kind text, threshold numeric, value numeric, is_crossed boolean)
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE ROWS 4
BEGIN ATOMIC
 SELECT 'amount'::text AS kind,
     t.t AS threshold,
     budget_thresholds.actual AS value,
     ((budget_thresholds.actual >= (t.t * budget_thresholds.amount)) AND (budget_thresholds.actual > (0)::numeric)) AS is_crossed
    FROM unnest(budget_thresholds.alert_at) t(t)
 UNION ALL
  SELECT 'forecast'::text AS kind,
     t.t AS threshold,
     budget_thresholds.forecast AS value,
     ((budget_thresholds.forecast >= (t.t * budget_thresholds.amount)) AND (budget_thresholds.forecast > (0)::numeric)) AS is_crossed
    FROM unnest(budget_thresholds.alert_forecast_at) t(t)
   WHERE (budget_thresholds.forecast IS NOT NULL)
 UNION ALL
  SELECT 'cost_per_mtok'::text AS kind,
     budget_thresholds.alert_cost_per_mtok AS threshold,
     budget_thresholds.cost_per_mtok AS value,
     (budget_thresholds.cost_per_mtok > budget_thresholds.alert_cost_per_mtok) AS is_crossed
   WHERE (budget_thresholds.alert_cost_per_mtok IS NOT NULL)
 UNION ALL
  SELECT 'reasoning_per_call'::text AS kind,
     budget_thresholds.alert_reasoning_per_call AS threshold,
     budget_thresholds.reasoning_per_call AS value,
     (budget_thresholds.reasoning_per_call > budget_thresholds.alert_reasoning_per_call) AS is_crossed
   WHERE (budget_thresholds.alert_reasoning_per_call IS NOT NULL)
 UNION ALL
  SELECT 'unpriced'::text AS kind,
     0 AS threshold,
     budget_thresholds.unpriced_tokens AS value,
     (budget_thresholds.unpriced_tokens > 0) AS is_crossed;
END
;
COMMENT ON FUNCTION tokenomics.budget_thresholds(numeric[],numeric[],numeric,numeric,numeric,numeric,numeric,numeric,numeric,bigint) IS 'the thresholds of a budget and whether its figures cross them (NULL: not known); a forecast of NULL is not asked';
CREATE OR REPLACE PROCEDURE tokenomics.install_budget()
 LANGUAGE plpgsql
AS $procedure$
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
        -- one that nothing can cross would be silent for ever; those of versions of before stay
        CONSTRAINT budget_thresholds_finite
            CHECK (NOT upper_inf(recorded)
                   OR (array_position(alert_at, NULL) IS NULL AND array_position(alert_forecast_at, NULL) IS NULL
                       AND 'infinity' > ALL (alert_at) AND 'infinity' > ALL (alert_forecast_at) AND alert_cost_per_mtok < 'infinity' AND alert_reasoning_per_call < 'infinity')),
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
        -- one of a dimension that was dropped can be ended
        IF set_budget.amount IS NOT NULL THEN
            PERFORM dimension_expression(set_budget.dimension);
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
        -- days of the running month and of the 8 weeks before today (PROFILE_DAYS of
        -- budget.c), months before
        days_from date := least(date_trunc('month', today::timestamp), date_trunc('month', (today - 56)::timestamp))::date;
    BEGIN
        RETURN QUERY
        SELECT d.dimension, CASE WHEN d.dimension IS NOT NULL THEN coalesce(l.label, 'unallocated') END, l.provider, l.model,
               (l.period AT TIME ZONE in_zone)::date, g.is_day, l.currency, sum(l.effective_cost), sum(l.contracted_cost),
               tokenomics.sum(l.tokens) FILTER (WHERE l.contracted_cost IS NOT NULL), sum(l.calls)::bigint,
               coalesce(sum(tokenomics.total(l.tokens)) FILTER (WHERE l.unpriced IS NOT NULL), 0)::bigint
        FROM (SELECT DISTINCT b.dimension FROM budget b
              WHERE upper_inf(b.recorded) AND (b.dimension IS NULL OR b.dimension IN (SELECT x.name FROM dimensions() x))) d,
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
            SELECT b.*, row_number() OVER (ORDER BY b.period_start, b.name)::integer AS n, b.period_start <= today AND today < b.period_end AS is_running,
                   -- of a dimension that was dropped nothing is known
                   b.dimension IS NULL OR b.dimension IN (SELECT x.name FROM dimensions() x) AS is_known
            FROM budget b WHERE upper_inf(b.recorded)
        ), spent AS MATERIALIZED (
            -- once for each currency of the budgets of who spent it
            SELECT s.*, CASE WHEN s.is_day THEN 'day' ELSE 'month' END AS grain, o.currency AS in_currency
            FROM budget_spend(as_of, (SELECT min(w.period_start) FROM wanted w)) s
            JOIN (SELECT DISTINCT coalesce(w.dimension, '') AS dimension, coalesce(w.owner, '') AS owner, w.currency FROM wanted w) o
                ON o.dimension = coalesce(s.dimension, '') AND o.owner = coalesce(s.owner, '')
        ), rate AS MATERIALIZED (
            -- a month that is over has the rate that it keeps, where there is one: else
            -- what was spent in it would change when it is read by months
            SELECT s.currency, s.in_currency, s.grain, s.day, coalesce(m.rate, r.rate) AS rate, CASE WHEN m.rate IS NULL THEN r.is_inverse ELSE m.is_inverse END AS is_inverse
            FROM (SELECT DISTINCT s.currency, s.in_currency, s.grain, s.day FROM spent s WHERE s.in_currency <> s.currency) s,
                 LATERAL exchange_rate(s.currency, s.in_currency, s.day, s.grain) r,
                 LATERAL exchange_rate(s.currency, s.in_currency, CASE WHEN s.grain = 'day' AND s.day < date_trunc('month', today::timestamp) THEN s.day END, 'month') m
        ), line AS MATERIALIZED (
            -- what is converted is, as convert_currency() does, and what cannot be is seen
            SELECT array_agg(ROW(s.dimension, s.owner, s.provider, s.model, s.in_currency, s.day, s.is_day, x.cost, x.usage_cost,
                                 s.cost IS NOT NULL AND x.cost IS NULL, s.tokens, s.calls, s.unpriced_tokens)::tokenomics.budget_line) AS lines
            FROM spent s LEFT JOIN rate r ON r.currency = s.currency AND r.in_currency = s.in_currency AND r.grain = s.grain AND r.day = s.day,
                 LATERAL (SELECT CASE WHEN s.currency = s.in_currency OR s.cost = 0 THEN s.cost ELSE tokenomics.exchanged(s.cost, r.rate, r.is_inverse) END AS cost,
                                 CASE WHEN s.currency = s.in_currency OR s.usage_cost = 0 THEN s.usage_cost ELSE tokenomics.exchanged(s.usage_cost, r.rate, r.is_inverse) END AS usage_cost) x
        ), total AS MATERIALIZED (
            SELECT t.*
            FROM (SELECT array_agg(ROW(w.dimension, w.owner, w.provider, w.model, w.currency, w.period_start, w.period_end)::tokenomics.budget_scope ORDER BY w.n) AS scopes FROM wanted w) w,
                 line l, tokenomics.budget_totals(w.scopes, coalesce(l.lines, '{}'), today) t
        ), profiled AS MATERIALIZED (
            -- each function once for a budget, not wherever its value is named
            -- where an amount is lost, the cost of the others is no cost of all tokens
            SELECT w.*, CASE WHEN w.is_known THEN t.actual END AS actual, t.is_lost, CASE WHEN w.is_known AND NOT t.is_lost THEN t.usage_cost END AS usage_cost, t.tokens AS used,
                   CASE WHEN w.is_known THEN t.calls END AS calls, CASE WHEN w.is_known THEN t.unpriced_tokens END AS unpriced_tokens, t.amounts, t.first_day,
                   tokenomics.weekday_profile(t.amounts, t.first_day) AS profile,
                   CASE WHEN w.planned_tokens IS NOT NULL AND w.planned_rates IS NOT NULL THEN tokenomics.cost(w.planned_rates, w.planned_tokens) ELSE w.amount END AS planned_usage
            FROM wanted w JOIN total t ON t.n = w.n
        ), phased AS MATERIALIZED (
            SELECT p.*, d.due, d.due_usage, today_share.amount AS rest_of_today,
                   f.expected, f.lower_95, f.upper_95
            FROM profiled p,
                 LATERAL (SELECT coalesce(p.profile, '{1,1,1,1,1,1,1}') AS profile) w,
                 LATERAL (SELECT tokenomics.phased_budget(p.amount, w.profile, p.period_start, p.period_end, today) AS before,
                                 tokenomics.phased_budget(p.amount, w.profile, p.period_start, p.period_end, today + 1) AS behind,
                                 -- asked for only where variances are
                                 CASE WHEN p.planned_tokens IS NOT NULL OR p.planned_rates IS NOT NULL THEN tokenomics.phased_budget(p.planned_usage, w.profile, p.period_start, p.period_end, today) END AS usage_before,
                                 CASE WHEN p.planned_tokens IS NOT NULL OR p.planned_rates IS NOT NULL THEN tokenomics.phased_budget(p.planned_usage, w.profile, p.period_start, p.period_end, today + 1) END AS usage_behind OFFSET 0) b,
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
               p.calls, CASE WHEN p.is_known THEN tokenomics.total(p.used) END,
               tokenomics.cost_per_mtok(p.usage_cost, tokenomics.total(p.used)),
               tokenomics.cost_per_mtok(CASE WHEN p.planned_tokens IS NOT NULL THEN p.planned_usage END, tokenomics.total(p.planned_tokens)),
               trim_scale(round(tokenomics.meter(p.used, 'reasoning')::numeric / nullif(p.calls, 0), 12)),
               p.unpriced_tokens,
               nullif(concat_ws('; ',
                   CASE WHEN NOT p.is_known THEN format('there is no dimension "%s"', p.dimension) END,
                   CASE WHEN p.is_lost THEN 'some amounts have no exchange rate' END,
                   CASE WHEN p.unpriced_tokens > 0 THEN 'some tokens have no price' END,
                   CASE WHEN NOT p.is_known THEN NULL
                        WHEN p.is_running AND p.amounts IS NULL THEN 'nothing was spent before: due by days alike, no forecast'
                        WHEN p.is_running AND cardinality(p.amounts) < 14 THEN 'less than two weeks to forecast from' END,
                   CASE WHEN p.period_start > today THEN 'not begun' END,
                   CASE WHEN (p.planned_tokens IS NOT NULL OR p.planned_rates IS NOT NULL) AND v.price_variance IS NULL AND p.usage_cost IS NOT NULL THEN 'a meter that was used has no planned rate' END), '')
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
        FROM (SELECT DISTINCT b.dimension FROM budget b
              WHERE upper_inf(b.recorded) AND (b.dimension IS NULL OR b.dimension IN (SELECT x.name FROM dimensions() x))) d,
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
        -- no time has no budgets, and would clear all that stand
        IF as_of IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'null_value_not_allowed',
                MESSAGE = 'budgets are checked at a time',
                HINT = 'Without an argument it is now.';
        END IF;
        -- one at a time: who comes second sees what the first has found
        PERFORM pg_advisory_xact_lock(hashtextextended('tokenomics check_budgets', 'budget_alert'::regclass::oid::bigint));
        FOR changed IN
            WITH status AS MATERIALIZED (
                SELECT s.*, b.alert_at, b.alert_forecast_at, b.alert_cost_per_mtok, b.alert_reasoning_per_call
                FROM budget_status_at(as_of) s JOIN budget b ON b.name = s.name AND b.period_start = s.period_start AND b.version = s.version
            ), threshold AS MATERIALIZED (
                SELECT s.name, s.period_start, s.version, s.amount, s.currency, x.*
                FROM status s, tokenomics.budget_thresholds(s.alert_at, s.alert_forecast_at, s.alert_cost_per_mtok, s.alert_reasoning_per_call, s.amount, s.actual,
                                                            CASE WHEN s.is_running THEN s.forecast END, s.cost_per_mtok, s.reasoning_per_call, s.unpriced_tokens) x
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
$procedure$
;
CREATE FUNCTION tokenomics.report_cents(parts numeric[], whole numeric)
 RETURNS numeric[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (SELECT array_agg((round(p.part, 2) + CASE WHEN ((p.place = 1) AND (abs(p.rest) <= (0.01 * (cardinality(report_cents.parts))::numeric))) THEN p.rest ELSE (0)::numeric END) ORDER BY p.n) AS array_agg FROM (SELECT p_1.part, p_1.n, row_number() OVER (ORDER BY (abs(p_1.part)) DESC NULLS LAST, p_1.n) AS place, COALESCE((round(report_cents.whole, 2) - sum(round(p_1.part, 2)) OVER ()), (0)::numeric) AS rest FROM unnest(report_cents.parts) WITH ORDINALITY p_1(part, n)) p)
;
COMMENT ON FUNCTION tokenomics.report_cents(numeric[],numeric) IS 'part of report_markdown(): amounts rounded to the cent so that they add up to a whole rounded to the cent; what is left over, a few cents, is in the largest; NULL stays NULL';
CREATE FUNCTION tokenomics.report_alert(alert jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE (alert ->> 'kind'::text) WHEN 'amount'::text THEN format('has %s %s of its amount (spent %s of %s)'::text, CASE WHEN (((alert ->> 'value'::text))::numeric > (((alert ->> 'threshold'::text))::numeric * ((alert ->> 'amount'::text))::numeric)) THEN 'passed'::text ELSE 'reached'::text END, tokenomics.report_percent(((alert ->> 'threshold'::text))::numeric), tokenomics.report_amount(((alert ->> 'value'::text))::numeric, (alert ->> 'currency'::text)), tokenomics.report_amount(((alert ->> 'amount'::text))::numeric, (alert ->> 'currency'::text))) WHEN 'forecast'::text THEN format('will %s %s of its amount (forecast %s of %s)'::text, CASE WHEN (((alert ->> 'value'::text))::numeric > (((alert ->> 'threshold'::text))::numeric * ((alert ->> 'amount'::text))::numeric)) THEN 'pass'::text ELSE 'reach'::text END, tokenomics.report_percent(((alert ->> 'threshold'::text))::numeric), tokenomics.report_amount(((alert ->> 'value'::text))::numeric, (alert ->> 'currency'::text)), tokenomics.report_amount(((alert ->> 'amount'::text))::numeric, (alert ->> 'currency'::text))) WHEN 'cost_per_mtok'::text THEN format('pays %s for a million tokens, more than %s'::text, tokenomics.report_amount(((alert ->> 'value'::text))::numeric, (alert ->> 'currency'::text), 4), tokenomics.report_amount(((alert ->> 'threshold'::text))::numeric, (alert ->> 'currency'::text), 4)) WHEN 'reasoning_per_call'::text THEN format('has %s reasoning tokens a call, more than %s'::text, tokenomics.report_amount(((alert ->> 'value'::text))::numeric, NULL::text, 0), tokenomics.report_amount(((alert ->> 'threshold'::text))::numeric, NULL::text, 0)) WHEN 'unpriced'::text THEN format('has %s tokens without a price'::text, tokenomics.report_amount(((alert ->> 'value'::text))::numeric, NULL::text, 0)) ELSE NULL::text END
;
COMMENT ON FUNCTION tokenomics.report_alert(pg_catalog.jsonb) IS 'part of report_markdown(): what is said of a budget that has crossed a threshold';
CREATE OR REPLACE FUNCTION tokenomics.report_markdown(report jsonb)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    unit text := report ->> 'currency';
    month text := to_char((report ->> 'month')::date, 'FMMonth YYYY');
    spend jsonb := report -> 'spend';
    price jsonb := report -> 'unit_price';
    bridge jsonb := report -> 'bridge';
    said text[] := ARRAY[format('# Token spend, %s', month)];
    effects CONSTANT text[] := '{price_effect,volume_effect,mix_effect,new_effect,discontinued_effect,currency_effect,purchase_effect,other_effect}';
    effect_names CONSTANT text[] := '{price,volume,mix,new models,models no longer used,exchange rates,purchases,"credits, adjustments, tax"}';
    -- amounts to the cent, which add up in rows, in columns, and to each other
    by_month numeric[] := tokenomics.report_cents(ARRAY(SELECT (report -> 'bridge' -> 'month' ->> e.key)::numeric FROM unnest(effects) WITH ORDINALITY e(key, n) ORDER BY e.n),
        round((report -> 'bridge' -> 'month' ->> 'spend')::numeric, 2) - round((report -> 'bridge' -> 'month' ->> 'spend_before')::numeric, 2));
    by_year numeric[] := tokenomics.report_cents(ARRAY(SELECT (report -> 'bridge' -> 'year' ->> e.key)::numeric FROM unnest(effects) WITH ORDINALITY e(key, n) ORDER BY e.n),
        round((report -> 'bridge' -> 'year' ->> 'spend')::numeric, 2) - round((report -> 'bridge' -> 'year' ->> 'spend_before')::numeric, 2));
    change numeric := round((report -> 'bridge' -> 'month' ->> 'spend')::numeric, 2) - round((report -> 'bridge' -> 'month' ->> 'spend_before')::numeric, 2);
    drivers numeric[] := tokenomics.report_cents(ARRAY(SELECT (d.d ->> 'effect')::numeric FROM jsonb_array_elements(report -> 'drivers') WITH ORDINALITY d(d, n) ORDER BY d.n), change);
    -- of "movers", the rows of each kind in cents
    movers jsonb;
    two_lines text;
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
    two_lines := format('In %s **%s** was spent', month, tokenomics.report_amount((spend ->> 'total')::numeric, unit))
            || CASE WHEN spend ->> 'growth' IS NULL THEN '' ELSE format(', %s on the month before', tokenomics.report_percent((spend ->> 'growth')::numeric, true)) END
            || CASE WHEN spend ->> 'growth_year' IS NULL THEN '' ELSE format(' and %s on the year before', tokenomics.report_percent((spend ->> 'growth_year')::numeric, true)) END
            || format('. A million tokens cost **%s**', tokenomics.report_amount((price ->> 'cost_per_mtok')::numeric, unit, 4))
            || CASE WHEN price ->> 'growth' IS NULL THEN '' ELSE format(', %s on the month before', tokenomics.report_percent((price ->> 'growth')::numeric, true)) END
            || CASE WHEN price ->> 'growth_year' IS NULL THEN '' ELSE format(' and %s on the year before', tokenomics.report_percent((price ->> 'growth_year')::numeric, true)) END
            || '.'
            -- what prices did, whatever was bought
            || CASE WHEN coalesce(price ->> 'real_growth', price ->> 'real_growth_year') IS NULL THEN '' ELSE
                   ' Like for like, the same models and meters cost ' || concat_ws(' and ', CASE WHEN price ->> 'real_growth' IS NOT NULL THEN tokenomics.report_percent((price ->> 'real_growth')::numeric, true) || ' on the month before' END,
                                                                                   CASE WHEN price ->> 'real_growth_year' IS NOT NULL THEN tokenomics.report_percent((price ->> 'real_growth_year')::numeric, true) || ' on the year before' END) || '.' END;

    -- Who is named has the amounts that are true to the cent, and effects that add up to
    -- their change; what rounding leaves of the whole is in the row of all others.
    SELECT jsonb_object_agg(k.kind, (
        WITH mover AS (
            SELECT r.n, r.r ->> 'name' AS name, r.r ->> 'others' AS others, round((r.r ->> 'spend')::numeric, 2) AS amount, round((r.r ->> 'spend_before')::numeric, 2) AS before,
                   tokenomics.report_cents(ARRAY[e.price, e.volume, e.mix, e.new, (r.r ->> 'change')::numeric - e.price - e.volume - e.mix - e.new],
                                           round((r.r ->> 'spend')::numeric, 2) - round((r.r ->> 'spend_before')::numeric, 2)) AS parts
            FROM jsonb_array_elements(report -> 'movers' -> k.kind) WITH ORDINALITY r(r, n),
                 LATERAL (SELECT (r.r ->> 'price_effect')::numeric AS price, (r.r ->> 'volume_effect')::numeric AS volume, (r.r ->> 'mix_effect')::numeric AS mix,
                                 (r.r ->> 'new_effect')::numeric + (r.r ->> 'discontinued_effect')::numeric AS new) e
        ), rest AS (
            SELECT round((spend ->> 'total')::numeric, 2) - sum(m.amount) AS amount, round((spend ->> 'before')::numeric, 2) - sum(m.before) AS before,
                   ARRAY[by_month[1] - sum(m.parts[1]), by_month[2] - sum(m.parts[2]), by_month[3] - sum(m.parts[3]), by_month[4] + by_month[5] - sum(m.parts[4]),
                         by_month[6] + by_month[7] + by_month[8] - sum(m.parts[5])] AS parts, 0.01 * count(*) AS most, bool_or(m.others IS NOT NULL) AS has_others
            FROM mover m
        ), rounded AS (
            -- of more than rounding leaves nothing is hidden
            SELECT CASE WHEN abs(r.amount) <= r.most THEN r.amount ELSE 0 END AS amount, CASE WHEN abs(r.before) <= r.most THEN r.before ELSE 0 END AS before,
                   ARRAY(SELECT CASE WHEN abs(p.part) <= 2 * r.most THEN p.part ELSE 0 END FROM unnest(r.parts) WITH ORDINALITY p(part, n) ORDER BY p.n) AS parts, r.has_others
            FROM rest r
        ), row AS (
            SELECT m.n, coalesce(m.name, m.others || ' others') AS name, m.name IS NULL AS is_others, m.amount + CASE WHEN m.name IS NULL THEN r.amount ELSE 0 END AS amount, m.before + CASE WHEN m.name IS NULL THEN r.before ELSE 0 END AS before,
                   CASE WHEN m.name IS NULL THEN ARRAY(SELECT p.part + r.parts[p.n] FROM unnest(m.parts) WITH ORDINALITY p(part, n) ORDER BY p.n) ELSE m.parts END AS parts
            FROM mover m, rounded r
            UNION ALL
            SELECT 99, 'rounding', true, r.amount, CASE WHEN spend ->> 'before' IS NOT NULL THEN r.before END, CASE WHEN spend ->> 'before' IS NOT NULL THEN r.parts END
            FROM rounded r WHERE NOT r.has_others AND (r.amount <> 0 OR r.before <> 0 OR 0 <> ANY (r.parts))
        )
        SELECT coalesce(jsonb_agg(jsonb_build_object('name', w.name, 'is_others', w.is_others, 'spend', w.amount, 'before', w.before, 'change', w.amount - w.before, 'price', w.parts[1],
                                                     'volume', w.parts[2], 'mix', w.parts[3], 'new', w.parts[4], 'other', w.parts[5]) ORDER BY w.n), '[]') FROM row w)) INTO movers
    FROM unnest('{teams,projects,models}'::text[]) k(kind);

    -- the page: what finance reads; all behind it is where to look it up
    said := said || '## On one page'::text || two_lines
        || tokenomics.report_table('{"","This month:","Month before:","Year before:"}', ARRAY[
            'Total spend', tokenomics.report_amount((spend ->> 'total')::numeric, unit), tokenomics.report_amount((spend ->> 'before')::numeric, unit), tokenomics.report_amount((spend ->> 'year_before')::numeric, unit),
            'A million tokens', tokenomics.report_amount((price ->> 'cost_per_mtok')::numeric, unit, 4), tokenomics.report_amount((price ->> 'before')::numeric, unit, 4), tokenomics.report_amount((price ->> 'year_before')::numeric, unit, 4)])
        || array_to_string(array_remove(ARRAY[
            (SELECT '- **Why it moved**: ' || string_agg(format('on the %s before by %s: %s', b.name, tokenomics.report_amount(b.change, unit, 2, true),
                        coalesce((SELECT string_agg(effect_names[e.n] || ' ' || tokenomics.report_amount(e.amount, unit, 2, true), ', ' ORDER BY abs(e.amount) DESC, e.n)
                                  FROM unnest(b.parts) WITH ORDINALITY e(amount, n) WHERE e.amount <> 0), 'nothing changed')), '; ' ORDER BY b.n) || '.'
             FROM (VALUES (1, 'month', change, by_month), (2, 'year', round((bridge -> 'year' ->> 'spend')::numeric, 2) - round((bridge -> 'year' ->> 'spend_before')::numeric, 2), by_year)) b(n, name, change, parts)
             WHERE b.change IS NOT NULL),
            (SELECT '- **What prices did**: ' || concat_ws('; ', string_agg(format('%s %s from %s to %s did %s to the bill', tokenomics.report_text(concat_ws('/', r.r ->> 'provider', r.r ->> 'model')), r.r ->> 'meter',
                        tokenomics.report_amount((r.r ->> 'old_rate')::numeric, r.r ->> 'currency'), tokenomics.report_amount((r.r ->> 'new_rate')::numeric, r.r ->> 'currency'),
                        tokenomics.report_amount((r.r ->> 'effect')::numeric, r.r ->> 'currency', 2, true)), '; ' ORDER BY r.n),
                        CASE WHEN count(*) = 0 THEN 'no price that was used has changed' END,
                        format('%s saved against list', tokenomics.report_percent((report -> 'savings' ->> 'savings_rate')::numeric))) || '.'
             FROM jsonb_array_elements(report -> 'price_changes') WITH ORDINALITY r(r, n) WHERE r.n <= 2),
            (SELECT CASE WHEN change IS NULL THEN '- **Who spent it**: ' ELSE '- **Who moved it**: ' END || string_agg(format('%s %s', m.kind, m.rows), '; ' ORDER BY m.n) || '.'
             FROM (SELECT k.n, k.kind, string_agg(tokenomics.report_text(r.r ->> 'name') || ' ' || tokenomics.report_amount(coalesce(r.r ->> 'change', r.r ->> 'spend')::numeric, unit, 2, r.r ->> 'change' IS NOT NULL), ', ' ORDER BY r.n) AS rows
                   FROM unnest('{teams,projects,models}'::text[]) WITH ORDINALITY k(kind, n), jsonb_array_elements(movers -> k.kind) WITH ORDINALITY r(r, n)
                   WHERE r.n <= 3 AND NOT (r.r ->> 'is_others')::boolean GROUP BY k.n, k.kind) m),
            (SELECT CASE WHEN b.n > 0 THEN format('- **Budgets**: %s of %s %s over the amount', b.n_over, b.n, CASE WHEN b.n_over = 1 THEN 'is' ELSE 'are' END)
                    || CASE WHEN b.n_over > 0 THEN ': ' || b.over || CASE WHEN b.n_over > 3 THEN format(', and %s more', b.n_over - 3) ELSE '' END ELSE '' END
                    || CASE WHEN b.n_next > 0 THEN format('; %s more will be, by the forecast', b.n_next) ELSE '' END || '.' END
             FROM (SELECT count(*) AS n, count(*) FILTER (WHERE b.is_over) AS n_over, count(*) FILTER (WHERE NOT b.is_over AND b.will_be) AS n_next,
                          string_agg(format('%s %s of %s (%s)', tokenomics.report_text(b.name), tokenomics.report_amount(b.actual, b.currency), tokenomics.report_amount(b.amount, b.currency),
                                            tokenomics.report_amount(round(b.actual, 2) - round(b.amount, 2), b.currency, 2, true)), ', ' ORDER BY b.place) FILTER (WHERE b.is_over AND b.place <= 3) AS over
                   FROM (SELECT b.*, b.actual > b.amount AS is_over, b.forecast > b.amount AS will_be,
                                row_number() OVER (ORDER BY b.actual > b.amount DESC NULLS LAST, b.actual - b.amount DESC NULLS LAST, b.name, b.period_start) AS place
                         FROM jsonb_to_recordset(report -> 'budgets') b(name text, period_start date, currency text, amount numeric, actual numeric, forecast numeric)) b) b),
            (SELECT '- **Alerts**: ' || string_agg(a.said, ', ' ORDER BY a.place) FILTER (WHERE a.place <= 5) || CASE WHEN count(*) > 5 THEN format(', and %s more', count(*) - 5) ELSE '' END || '.'
             FROM (SELECT x.place, format('%s %s', tokenomics.report_text(x.a ->> 'name'), tokenomics.report_alert(x.a)) AS said
                   FROM jsonb_array_elements(report -> 'alerts') WITH ORDINALITY x(a, place)) a),
            (SELECT '- **What is coming**: ' || string_agg(CASE WHEN r.r ->> 'spend' IS NULL THEN format('%s is not known', f.month)
                        ELSE format('%s %s', f.month, tokenomics.report_amount((r.r ->> 'spend')::numeric, unit, 0)) END
                    || CASE WHEN num_nulls(r.r ->> 'spend_lower', r.r ->> 'spend_upper') = 0 THEN format(' (%s to %s)', tokenomics.report_amount((r.r ->> 'spend_lower')::numeric, unit, 0), tokenomics.report_amount((r.r ->> 'spend_upper')::numeric, unit, 0)) ELSE '' END, ', ' ORDER BY r.n) || ' for the calls alone.'
             FROM jsonb_array_elements(report -> 'forecast') WITH ORDINALITY r(r, n),
                  -- of a month that has begun only the days to come are forecast
                  LATERAL (SELECT to_char((r.r ->> 'month')::date, CASE WHEN extract(day FROM (r.r ->> 'month')::date) > 1 THEN '"the rest of "FMMonth' ELSE 'FMMonth' END) AS month) f),
            '- **What needs a look**: ' || coalesce(nullif(concat_ws('; ',
                CASE WHEN (report ->> 'unpriced_tokens')::numeric > 0 THEN format('%s tokens without a price, in no amount', tokenomics.report_amount((report ->> 'unpriced_tokens')::numeric, NULL, 0)) END,
                (SELECT string_agg(format('%s of %s/%s billed and not explained', tokenomics.report_amount((r.r ->> 'residual')::numeric, r.r ->> 'currency', 2, true), tokenomics.report_text(r.r ->> 'provider'), tokenomics.report_text(r.r ->> 'model')), '; ' ORDER BY r.n)
                        || CASE WHEN jsonb_array_length(report -> 'unreconciled') > 2 THEN format('; and %s more', jsonb_array_length(report -> 'unreconciled') - 2) ELSE '' END
                 FROM jsonb_array_elements(report -> 'unreconciled') WITH ORDINALITY r(r, n) WHERE r.n <= 2),
                (SELECT string_agg(CASE WHEN r.r ? 'seats' THEN format('%s of %s not used', CASE r.r ->> 'seats' WHEN '1' THEN 'a seat' ELSE (r.r ->> 'seats') || ' seats' END, tokenomics.report_text(r.r ->> 'name'))
                                        WHEN r.r ->> 'scope' = 'seat' AND r.r ->> 'name' IS NULL THEN tokenomics.report_text(r.r ->> 'reason')
                                   ELSE format('%s %s uses less than is paid for', r.r ->> 'scope', tokenomics.report_text(r.r ->> 'name')) END, '; ' ORDER BY r.n)
                        || CASE WHEN jsonb_array_length(report -> 'underuse') > 2 THEN format('; and %s more', jsonb_array_length(report -> 'underuse') - 2) ELSE '' END
                 FROM jsonb_array_elements(report -> 'underuse') WITH ORDINALITY r(r, n) WHERE r.n <= 2),
                (SELECT 'worth a quote: ' || string_agg(format('%s (%s)', tokenomics.report_text(concat_ws('/', q ->> 'provider', q ->> 'model')), tokenomics.report_amount((q ->> 'spend')::numeric, unit)), ', ' ORDER BY n)
                 FROM jsonb_array_elements(report -> 'worth_a_quote') WITH ORDINALITY x(q, n) WHERE n <= 2)), ''), 'nothing') || '.'], NULL), E'\n');

    said := said || '# Appendix'::text || '## The two lines'::text
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
                                  (2, CASE WHEN e.n BETWEEN 2 AND 9 THEN tokenomics.report_amount(by_month[e.n - 1], unit, 2, true) ELSE tokenomics.report_amount((bridge -> 'month' ->> e.key)::numeric, unit) END),
                                  (3, CASE WHEN e.n BETWEEN 2 AND 9 THEN tokenomics.report_amount(by_year[e.n - 1], unit, 2, true) ELSE tokenomics.report_amount((bridge -> 'year' ->> e.key)::numeric, unit) END)) x(n, c)
             WHERE jsonb_typeof(bridge -> 'month') = 'object' OR jsonb_typeof(bridge -> 'year') = 'object')), 'There is no earlier month to compare with.');
    said := said || ('Of the month before: ' || (bridge -> 'month' ->> 'note') || '.')
        || ('### Drivers' || E'\n\n' || tokenomics.report_table('{"What the change came from","Effect:"}',
            (SELECT array_agg(c ORDER BY d.n, x.n) FROM jsonb_array_elements(report -> 'drivers') WITH ORDINALITY d(d, n),
                    LATERAL (VALUES (1, tokenomics.report_text(d.d ->> 'driver')), (2, tokenomics.report_amount(drivers[d.n], unit, 2, true))) x(n, c)))
            || E'\n\nBy drivers as by effects, the change is ' || tokenomics.report_amount(change, unit, 2, true) || '.');

    said := said || '## Who and what'::text
        || (SELECT string_agg(format(E'### %s\n\n%s', initcap(m.kind), coalesce(tokenomics.report_table(ARRAY[initcap(rtrim(m.kind, 's')), 'This month:', 'Month before:', 'Change:', 'Price:', 'Volume:', 'Mix:', 'New and gone:', 'Other:'],
                (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(movers -> m.kind) WITH ORDINALITY r(r, n),
                        LATERAL (VALUES (1, CASE WHEN (r.r ->> 'is_others')::boolean THEN r.r ->> 'name' ELSE tokenomics.report_text(r.r ->> 'name') END), (2, tokenomics.report_amount((r.r ->> 'spend')::numeric, unit)), (3, tokenomics.report_amount((r.r ->> 'before')::numeric, unit)),
                                        (4, tokenomics.report_amount((r.r ->> 'change')::numeric, unit, 2, true)), (5, tokenomics.report_amount((r.r ->> 'price')::numeric, unit, 2, true)),
                                        (6, tokenomics.report_amount((r.r ->> 'volume')::numeric, unit, 2, true)), (7, tokenomics.report_amount((r.r ->> 'mix')::numeric, unit, 2, true)),
                                        (8, tokenomics.report_amount((r.r ->> 'new')::numeric, unit, 2, true)), (9, tokenomics.report_amount((r.r ->> 'other')::numeric, unit, 2, true))) x(n, c))), 'Nothing was spent.')),
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
        || coalesce(tokenomics.report_table('{"Budget","Of","Amount:","Actual:","Due:","Variance:","Forecast:"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'budgets') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, tokenomics.report_text(r.r ->> 'name')), (2, tokenomics.report_text(coalesce(nullif(concat_ws(' ', r.r ->> 'dimension', r.r ->> 'owner', nullif(concat_ws('/', r.r ->> 'provider', r.r ->> 'model'), '')), ''), 'all'))),
                                    (3, tokenomics.report_amount((r.r ->> 'amount')::numeric, r.r ->> 'currency')),
                                    (4, tokenomics.report_amount((r.r ->> 'actual')::numeric, r.r ->> 'currency')), (5, tokenomics.report_amount((r.r ->> 'due')::numeric, r.r ->> 'currency')),
                                    (6, tokenomics.report_amount(round((r.r ->> 'actual')::numeric, 2) - round((r.r ->> 'due')::numeric, 2), r.r ->> 'currency', 2, true)),
                                    (7, tokenomics.report_amount((r.r ->> 'forecast')::numeric, r.r ->> 'currency'))) x(n, c))), 'There is no budget for the month.')
        || (E'### Why they differ\n\n' || tokenomics.report_table('{"Budget","Variance:","Price:","Mix:","Volume:","Charges:"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'budgets') WITH ORDINALITY r(r, n),
                    LATERAL (SELECT round((r.r ->> 'actual')::numeric, 2) - round((r.r ->> 'due')::numeric, 2) AS variance) v,
                    LATERAL (SELECT tokenomics.report_cents(ARRAY[(r.r ->> 'price_variance')::numeric, (r.r ->> 'mix_variance')::numeric, (r.r ->> 'volume_variance')::numeric, (r.r ->> 'charges_variance')::numeric], v.variance) AS parts) p,
                    LATERAL (VALUES (1, tokenomics.report_text(r.r ->> 'name')), (2, tokenomics.report_amount(v.variance, r.r ->> 'currency', 2, true)),
                                    (3, tokenomics.report_amount(p.parts[1], r.r ->> 'currency', 2, true)), (4, tokenomics.report_amount(p.parts[2], r.r ->> 'currency', 2, true)),
                                    (5, tokenomics.report_amount(p.parts[3], r.r ->> 'currency', 2, true)), (6, tokenomics.report_amount(p.parts[4], r.r ->> 'currency', 2, true))) x(n, c)
             WHERE r.r ->> 'price_variance' IS NOT NULL)))
        || (SELECT string_agg(format('- %s: %s', tokenomics.report_text(r.r ->> 'name'), concat_ws('; ', (
                        SELECT string_agg(tokenomics.report_alert(a.a), '; ' ORDER BY a.n) FROM jsonb_array_elements(report -> 'alerts') WITH ORDINALITY a(a, n)
                        WHERE a.a ->> 'name' = r.r ->> 'name' AND a.a ->> 'period_start' = r.r ->> 'period_start'), CASE WHEN r.r ->> 'note' IS NOT NULL THEN tokenomics.report_text(r.r ->> 'note') END)), E'\n' ORDER BY r.n)
            FROM jsonb_array_elements(report -> 'budgets') WITH ORDINALITY r(r, n)
            WHERE r.r ->> 'note' IS NOT NULL OR EXISTS (SELECT FROM jsonb_array_elements(report -> 'alerts') a WHERE a ->> 'name' = r.r ->> 'name' AND a ->> 'period_start' = r.r ->> 'period_start'))
        || CASE WHEN jsonb_array_length(report -> 'unbudgeted') > 0 THEN
            'Spent without a budget: ' || (SELECT string_agg(format('%s %s', tokenomics.report_text(u ->> 'owner'), tokenomics.report_amount((u ->> 'cost')::numeric, u ->> 'currency')), ', ' ORDER BY n)
                                           FROM jsonb_array_elements(report -> 'unbudgeted') WITH ORDINALITY x(u, n)) || '.' END;

    said := said || '## What is coming'::text
        || coalesce(tokenomics.report_table('{"Month","Tokens:","Spend:","At least:","At most:"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'forecast') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, to_char((r.r ->> 'month')::date, CASE WHEN extract(day FROM (r.r ->> 'month')::date) > 1 THEN '"The rest of "FMMonth YYYY' ELSE 'FMMonth YYYY' END)), (2, tokenomics.report_amount((r.r ->> 'tokens')::numeric, NULL, 0)), (3, tokenomics.report_amount((r.r ->> 'spend')::numeric, unit)),
                                    (4, tokenomics.report_amount((r.r ->> 'spend_lower')::numeric, unit)), (5, tokenomics.report_amount((r.r ->> 'spend_upper')::numeric, unit))) x(n, c))), 'There is not enough history to forecast from.')
        || (SELECT 'Of the forecast: ' || string_agg(tokenomics.report_text(n.said), '; ' ORDER BY n.said) || '.'
            FROM (SELECT DISTINCT x.said FROM jsonb_array_elements(report -> 'forecast') r(r), unnest(ARRAY[r.r ->> 'note', 'without a price: ' || (r.r ->> 'unpriced')]) x(said) WHERE x.said IS NOT NULL) n)
        || format('The calls alone, at the prices in force then; of this month they cost %s. Purchases, credits, adjustments and tax, here %s, are not in it.',
                  tokenomics.report_amount((spend ->> 'calls')::numeric, unit), tokenomics.report_amount(round((spend ->> 'total')::numeric, 2) - round((spend ->> 'calls')::numeric, 2), unit))
        || ('### Quotes' || E'\n\n' || coalesce(tokenomics.report_table('{"Workload","Quote","A million tokens:","Month:","Serves"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'quotes') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, tokenomics.report_text(r.r ->> 'workload')), (2, tokenomics.report_text(r.r ->> 'quote')), (3, tokenomics.report_amount((r.r ->> 'cost_per_mtok')::numeric, r.r ->> 'currency', 4)),
                                    (4, tokenomics.report_amount((r.r ->> 'monthly_bill')::numeric, r.r ->> 'currency')), (5, tokenomics.report_text(CASE WHEN (r.r ->> 'serves')::boolean THEN 'yes' ELSE r.r ->> 'reason' END))) x(n, c))), 'No quote is known.'))
        || ('Worth a quote: ' || (SELECT string_agg(format('%s (%s, %s of what models cost)', tokenomics.report_text(concat_ws('/', q ->> 'provider', q ->> 'model')), tokenomics.report_amount((q ->> 'spend')::numeric, unit), tokenomics.report_percent((q ->> 'share')::numeric)), ', ' ORDER BY n)
                                  FROM jsonb_array_elements(report -> 'worth_a_quote') WITH ORDINALITY x(q, n)) || '.');

    said := said || '## What needs a look'::text
        || ('### Less used than paid for' || E'\n\n' || coalesce(tokenomics.report_table('{"Who","Name","Why"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'underuse') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, CASE WHEN (r.r ->> 'seats')::bigint > 1 THEN format('%s seats', r.r ->> 'seats') ELSE r.r ->> 'scope' END), (2, tokenomics.report_text(r.r ->> 'name')), (3, tokenomics.report_text(r.r ->> 'reason'))) x(n, c))), 'Nothing: nobody''s use fell.'))
        || ('### Without a price' || E'\n\n' || coalesce(format(E'%s tokens have no price, and are in no amount above.\n\n', tokenomics.report_amount((report ->> 'unpriced_tokens')::numeric, NULL, 0))
            || tokenomics.report_table('{"Provider","Model","Why","Nearest priced model","Calls:","Tokens:"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'unpriced') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, tokenomics.report_text(r.r ->> 'provider')), (2, tokenomics.report_text(r.r ->> 'model')), (3, tokenomics.report_text(r.r ->> 'reason')), (4, tokenomics.report_text(r.r ->> 'nearest_priced_model')),
                                    (5, tokenomics.report_amount((r.r ->> 'calls')::numeric, NULL, 0)), (6, tokenomics.report_amount((r.r ->> 'tokens')::numeric, NULL, 0))) x(n, c))), 'Every token has a price.'))
        || ('### Not reconciled' || E'\n\n' || coalesce(tokenomics.report_table('{"Provider","Model","Computed:","Billed:","Residual:"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'unreconciled') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, tokenomics.report_text(r.r ->> 'provider')), (2, tokenomics.report_text(r.r ->> 'model')), (3, tokenomics.report_amount((r.r ->> 'computed')::numeric, r.r ->> 'currency')),
                                    (4, tokenomics.report_amount((r.r ->> 'billed')::numeric, r.r ->> 'currency')), (5, tokenomics.report_amount(CASE WHEN (r.r ->> 'billed')::numeric - (r.r ->> 'computed')::numeric = (r.r ->> 'residual')::numeric THEN round((r.r ->> 'billed')::numeric, 2) - round((r.r ->> 'computed')::numeric, 2)
                                                                     ELSE (r.r ->> 'residual')::numeric END, r.r ->> 'currency', 2, true))) x(n, c))), CASE WHEN (report ->> 'billed_share')::numeric > 0 THEN
            format('What vendors billed is what the calls cost, to the cent; of the calls'' cost, bills are known for %s.', tokenomics.report_percent((report ->> 'billed_share')::numeric))
            ELSE 'No bill of a vendor is known for the month: nothing was compared.' END))
        || ('### Coverage' || E'\n\n' || (SELECT string_agg('- ' || c, E'\n' ORDER BY n) FROM jsonb_array_elements_text(report -> 'coverage') WITH ORDINALITY x(c, n)));

    said := said || '## What stood out in a year'::text
        || coalesce(tokenomics.report_table('{"Month","What","Amount:"}',
            (SELECT array_agg(c ORDER BY r.n, x.n) FROM jsonb_array_elements(report -> 'findings') WITH ORDINALITY r(r, n),
                    LATERAL (VALUES (1, to_char((r.r ->> 'month')::date, 'FMMonth YYYY')), (2, tokenomics.report_text(r.r ->> 'what')), (3, tokenomics.report_amount((r.r ->> 'amount')::numeric, coalesce(r.r ->> 'currency', unit), 2, true))) x(n, c))), 'Nothing.');

    said := said || format('Months and days of %s; prices of the book %s; amounts in %s, others converted by the month''s rate, and rounded so that rows and columns add up to the cent; the price of a token is of calls priced in it. Reconciliation is by months of UTC.',
        tokenomics.report_text(report ->> 'zone'), tokenomics.report_text(report ->> 'book'), unit);
    RETURN array_to_string(said, E'\n\n') || E'\n';
END
$function$
;
COMMENT ON FUNCTION tokenomics.report_markdown(pg_catalog.jsonb) IS 'the report of a month, from monthly_report(), as Markdown for who pays: a page of what matters, and an appendix in which amounts add up to the cent';
CREATE OR REPLACE PROCEDURE tokenomics.install_report()
 LANGUAGE plpgsql
AS $procedure$
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
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off SET plan_cache_mode = force_custom_plan SET datestyle = 'ISO, YMD'
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
        bills jsonb;
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
                -- which goes on where a month cannot be counted any more
                FROM bill_growth_by_driver_between(before_begins, ends, in_zone) d,
                     LATERAL (VALUES (1, 'users', d.users_effect), (2, 'sessions per user', d.sessions_per_user_effect), (3, 'turns per session', d.turns_per_session_effect),
                                     (4, 'calls per turn', d.calls_per_turn_effect), (5, 'tokens per call', d.tokens_per_call_effect), (6, 'reasoning', d.reasoning_effect),
                                     (7, 'calls without ids', d.coverage_effect), (8, 'cache', d.cache_effect), (9, 'mix of models, tiers and output', d.mix_effect), (10, 'price', d.price_effect),
                                     (11, 'purchases', d.purchase_effect), (12, 'other charges', d.other_effect)) e(n, driver, effect)
                WHERE d.month = this AND d.comparison = 'month on month' AND d.currency = reporting AND ends <= now() AND e.effect IS NOT NULL AND d.users_effect IS NOT NULL),
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

        bills := (
            SELECT jsonb_agg(to_jsonb(r)) FROM reconciliation_between((this - interval '12 months')::timestamp AT TIME ZONE 'UTC', (this + interval '1 month')::timestamp AT TIME ZONE 'UTC') r
            WHERE r.scope = 'model');

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
                FROM jsonb_to_recordset(bills) r(month date, provider text, model text, currency text, residual numeric) WHERE round(r.residual, 2) <> 0
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
            'unbudgeted', (
                SELECT coalesce(jsonb_agg(to_jsonb(u) ORDER BY u.cost DESC, u.dimension, u.owner, u.currency), '[]')
                FROM (SELECT u.dimension, coalesce(u.owner, 'all') AS owner, u.currency, sum(u.cost) AS cost
                      FROM unbudgeted_spend_between(begins, ends, in_zone) u GROUP BY 1, 2, 3 HAVING sum(u.cost) <> 0) u),
            'forecast', (
                SELECT coalesce(jsonb_agg(to_jsonb(f) ORDER BY f.month), '[]')
                FROM (SELECT date_trunc('month', f.period::timestamp)::date AS month, f.tokens, round(f.spend, 2) AS spend, round(f.spend_lower, 2) AS spend_lower,
                             round(f.spend_upper, 2) AS spend_upper, f.unpriced, f.note
                      FROM demand_forecast_between(NULL, as_of, in_zone, 'month', 3) f WHERE f.scope = 'total') f));

        report := report || (
            WITH status AS MATERIALIZED (
                SELECT b.* FROM budget_status_at(as_of) b WHERE b.period_start < this + interval '1 month' AND b.period_end > this
            )
            SELECT jsonb_build_object(
                'budgets', (SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.period_start, s.name), '[]') FROM status s),
                -- what stands at its end, not what was found on the way: published again, it is the same
                'alerts', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', s.name, 'period_start', s.period_start, 'kind', t.kind, 'threshold', t.threshold, 'value', t.value, 'amount', s.amount, 'currency', s.currency)
                                                     ORDER BY s.actual - s.amount DESC NULLS LAST, s.name, s.period_start, t.kind, t.threshold), '[]')
                           FROM status s JOIN budget b ON b.name = s.name AND b.period_start = s.period_start AND b.version = s.version,
                                tokenomics.budget_thresholds(b.alert_at, b.alert_forecast_at, b.alert_cost_per_mtok, b.alert_reasoning_per_call, s.amount, s.actual,
                                                             CASE WHEN s.is_running THEN s.forecast END, s.cost_per_mtok, s.reasoning_per_call, s.unpriced_tokens) t
                           -- of several fractions that are spent the highest says it
                           WHERE t.is_crossed AND (t.kind NOT IN ('amount', 'forecast') OR NOT EXISTS (
                               SELECT FROM unnest(CASE t.kind WHEN 'amount' THEN b.alert_at ELSE b.alert_forecast_at END) h WHERE h > t.threshold AND t.value >= h * s.amount)))));

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
                -- how many seats of a team, and not whose: who reads it may not know users
                SELECT coalesce(jsonb_agg(jsonb_build_object('scope', u.scope, 'name', u.name, 'reason', u.reason) || CASE WHEN u.scope = 'seat' AND u.name IS NOT NULL THEN jsonb_build_object('seats', u.n) ELSE '{}' END
                                          ORDER BY u.scope, u.name, u.reason), '[]')
                FROM (SELECT u.scope, CASE WHEN u.scope = 'seat' AND u.owner IS NOT NULL THEN coalesce(u.team, 'unallocated') ELSE u.owner END AS name, u.reason, count(*) AS n
                      FROM underuse_of('{company,team,seat}', NULL, as_of, in_zone) u GROUP BY 1, 2, 3) u),
            'unpriced', (
                SELECT coalesce(jsonb_agg(to_jsonb(u) - 'month' ORDER BY u.tokens DESC, u.provider, u.model, u.service_tier, u.reason), '[]')
                FROM unpriced_usage_between(begins, ends, in_zone) u WHERE u.tokens > 0),
            'unreconciled', (
                SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY abs(r.residual) DESC, r.provider, r.model, r.currency), '[]')
                FROM (SELECT r.provider, r.model, r.currency, r.computed, coalesce(r.invoiced, r.billed) AS billed, r.residual
                      FROM jsonb_to_recordset(bills) r(month date, provider text, model text, currency text, computed numeric, billed numeric, invoiced numeric, residual numeric)
                      WHERE r.month = this AND round(r.residual, 2) <> 0) r),
            'billed_share', (
                SELECT round(sum(x.amount) FILTER (WHERE r.billed IS NOT NULL OR r.invoiced IS NOT NULL) / nullif(sum(x.amount), 0), 4)
                FROM jsonb_to_recordset(bills) r(month date, currency text, computed numeric, billed numeric, invoiced numeric),
                     LATERAL (SELECT convert_currency(r.computed, r.currency, reporting, this, 'month') AS amount) x
                WHERE r.month = this));

        SELECT sum(tokenomics.total(l.tokens)) AS tokens, sum(tokenomics.total(l.tokens)) FILTER (WHERE l.label IS NULL) AS unowned INTO trend
        FROM spend_lines('month', begins, ends, in_zone, 'team') l;
        -- where a token lacks, it is not all of them: never rounded up to 100 %
        RETURN report || jsonb_build_object('coverage', to_jsonb(array_remove(ARRAY[
            (SELECT format('%s of the month''s tokens have a price.', tokenomics.report_percent(CASE WHEN share < 1 THEN least(share, 0.999) ELSE share END))
             FROM (SELECT 1 - coalesce((report ->> 'unpriced_tokens')::numeric / nullif(trend.tokens, 0), 0)) s(share)),
            (SELECT format('%s of them belong to a team.', tokenomics.report_percent(CASE WHEN share < 1 THEN least(share, 0.999) ELSE share END))
             FROM (SELECT 1 - coalesce(trend.unowned / nullif(trend.tokens, 0), 0)) s(share)),
            CASE WHEN report -> 'unit_price' ->> 'coverage' IS NOT NULL THEN
                format('%s of the cost of the calls is of items that were there in the month compared with, too: that is what the real price is of.', tokenomics.report_percent((report -> 'unit_price' ->> 'coverage')::numeric)) END,
            CASE WHEN report ->> 'lacks_rate' IS NOT NULL THEN format('Amounts in %s have no exchange rate, and are left out.', report ->> 'lacks_rate') END], NULL)));
    END
    $$;
    COMMENT ON FUNCTION monthly_report(date) IS
        'the report of the month that holds a day, as JSON: the two lines, why they moved, top movers, prices and savings, budgets and their alerts, forecast, quotes, underuse, what is unpriced and unreconciled, and coverage; report_markdown() writes it for people';

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
        -- what a later release says beside it corrects nothing
        IF last.body = (SELECT jsonb_object_agg(k.key, k.value) FROM jsonb_each(made) k WHERE last.body ? k.key) THEN
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
        shell_word text[];
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
            -- as the shell reads it between quotes, and cron a percent sign
            SELECT array_agg(replace(regexp_replace(w, '(["\\$`])', '\\\1', 'g'), '%', '\%') ORDER BY n) INTO shell_word
            FROM unnest(ARRAY[current_database(), command]) WITH ORDINALITY u(w, n);
            RETURN format(CASE WHEN current_database() ~ '^\w+$' THEN '*/15 * * * * psql -X -d %s -c "%s"' ELSE '*/15 * * * * psql -X -d "%s" -c "%s"' END, shell_word[1], shell_word[2]);
        END IF;
        -- by the clock of the server, which is GMT: the function looks at the local time itself
        EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job USING format('tokenomics report of %s', install_schema), '*/15 * * * *', command;
        RETURN format('pg_cron job %s: %s', job, command);
    END
    $$;
    COMMENT ON FUNCTION schedule_reports(integer, integer, text) IS
        'publishes each month''s report by itself from a day and hour of the next on, by the clock of a zone (NULL: that of "setting"): as a job of pg_cron where that is in the database, else it returns the line for a crontab; again it changes the job';
END
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.install_reader()
 LANGUAGE plpgsql
AS $procedure$
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
        readers regrole[];
    BEGIN
        IF octet_length(source) > 56 THEN
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

        -- who reads all that there is, as grant_reader() lets him: what was revoked stays so
        SELECT array_agg(DISTINCT a.grantee::regrole) INTO readers
        FROM pg_namespace n, aclexplode(n.nspacl) a
        WHERE n.nspname = target AND a.privilege_type = 'USAGE' AND a.grantee NOT IN (0, n.nspowner)
          AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'v' AND NOT has_table_privilege(a.grantee, c.oid, 'SELECT'))
          AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND NOT has_function_privilege(a.grantee, p.oid, 'EXECUTE'));

        -- functions run as who calls them, even in a view: these do not
        FOR described IN
            SELECT c.oid, c.relname FROM pg_class c
            WHERE c.relnamespace = quote_ident(source)::regnamespace AND c.relkind = 'v'
              AND c.relname NOT IN ('usage', 'settlement', 'underuse')  -- which names users
              AND EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = c.relnamespace AND p.proname = c.relname || '_between'
                          AND (p.proargtypes::oid[]::regtype[])[0:2] = '{timestamptz,timestamptz,text}'::regtype[])
        LOOP
            EXECUTE format($format$
                CREATE OR REPLACE FUNCTION %1$I.%2$I(from_at timestamptz DEFAULT NULL, to_at timestamptz DEFAULT NULL, zone text DEFAULT NULL) RETURNS SETOF %3$I.%4$I
                    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
                AS %5$L
                $format$, target, described.relname || '_between', source, described.relname,
                format('BEGIN RETURN QUERY SELECT * FROM %I.%I($1, $2, $3); END', source, described.relname || '_between'));
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

        -- what the report and the dashboard read beside views; with no defaults, so
        -- that V_between stays one function for who calls it with fewer arguments
        EXECUTE format('CREATE OR REPLACE VIEW %I.setting AS SELECT only_row, zone, currency, fiscal_year_start, book FROM %I.setting', target, source);
        EXECUTE format('COMMENT ON VIEW %I.setting IS %L', target, obj_description(format('%I.setting', source)::regclass, 'pg_class'));
        -- reports name no user since 0.2.0: those that do are not shown, not even to a function in WHERE
        EXECUTE format('CREATE OR REPLACE VIEW %I.report WITH (security_barrier = true) AS SELECT month, version, body, markdown, published_at FROM %I.report '
                       'WHERE NOT jsonb_path_exists(body, ''$.underuse[*] ? (@.scope == "seat" && !exists (@.seats))'')', target, source);
        EXECUTE format('COMMENT ON VIEW %I.report IS %L', target, obj_description(format('%I.report', source)::regclass, 'pg_class') || '; without those that name users by their seats, as version 0.1.0 wrote them');
        FOR described IN
            SELECT p.oid, p.proname, p.proretset, pg_get_function_identity_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result,
                   (SELECT string_agg('$' || n, ', ' ORDER BY n) FROM generate_series(1, p.pronargs) n) AS numbers
            FROM pg_proc p
            WHERE p.pronamespace = quote_ident(source)::regnamespace
              AND (p.proname IN ('monthly_report', 'budget_status_at', 'convert_currency') OR (p.proname, p.pronargs) = ('bill_growth_between', 4))
        LOOP
            EXECUTE format($format$
                CREATE OR REPLACE FUNCTION %1$I.%2$I(%3$s) RETURNS %4$s
                    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
                AS %5$L
                $format$, target, described.proname, described.arguments, described.result,
                format('BEGIN %s %I.%I(%s); END', CASE WHEN described.proretset THEN 'RETURN QUERY SELECT * FROM' ELSE 'RETURN' END, source, described.proname, described.numbers));
            EXECUTE format('REVOKE ALL ON FUNCTION %I.%I(%s) FROM PUBLIC', target, described.proname, described.arguments);
            EXECUTE format('COMMENT ON FUNCTION %I.%I(%s) IS %L', target, described.proname, described.arguments, obj_description(described.oid, 'pg_proc'));
        END LOOP;
        FOR described IN
            SELECT c.relname, a.attname, col_description(s.oid, b.attnum) AS remark
            FROM pg_class c JOIN pg_class s ON s.relnamespace = quote_ident(source)::regnamespace AND s.relname = c.relname
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            JOIN pg_attribute b ON b.attrelid = s.oid AND b.attname = a.attname
            WHERE c.relnamespace = quote_ident(target)::regnamespace AND c.relkind = 'v'
        LOOP
            EXECUTE format('COMMENT ON COLUMN %I.%I.%I IS %L', target, described.relname, described.attname, described.remark);
        END LOOP;
        -- of views that are new, or made anew
        FOR described IN SELECT r AS role FROM unnest(readers) r LOOP
            EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %s', target, described.role);
            EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %I TO %s', target, described.role);
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
$procedure$
;
CREATE FUNCTION tokenomics.retired(OUT step integer, OUT kind text, OUT object text, OUT was text, OUT becomes text)
 RETURNS SETOF record
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
 VALUES (1,'function'::text,'bill_contributions(tstzrange[], boolean, integer[], text, text, text, text[])'::text,'e26bb833e8333d92'::text,NULL::text), (2,'function'::text,'bill_growth_of(timestamp with time zone, timestamp with time zone, text, text, text)'::text,'30938d8860fb35bf'::text,NULL::text), (3,'function'::text,'driver_effects_of(tstzrange[], boolean, integer[], text, tokenomics.demand_factors[])'::text,'cee6e40500dce800'::text,NULL::text), (4,'function'::text,'spend_lines_of(text, timestamp with time zone, timestamp with time zone, text, text, timestamp with time zone[], tokenomics.ledger[])'::text,'b93cbbe5fefeae77'::text,NULL::text), (5,'constraint'::text,'budget.budget_thresholds_finite'::text,NULL::text,'CHECK (((NOT upper_inf(recorded)) OR ((array_position(alert_at, NULL::numeric) IS NULL) AND (array_position(alert_forecast_at, NULL::numeric) IS NULL) AND (''Infinity''::numeric > ALL (alert_at)) AND (''Infinity''::numeric > ALL (alert_forecast_at)) AND (alert_cost_per_mtok < ''Infinity''::numeric) AND (alert_reasoning_per_call < ''Infinity''::numeric))))'::text), (6,'constraint'::text,'quote.quote_provisioned_units_on_offer'::text,'CHECK (((units >= units_min) AND (mod((units - units_min), units_increment) = (0)::numeric)))'::text,'CHECK (((units >= units_min) AND (mod((units - units_min), NULLIF(units_increment, (0)::numeric)) = (0)::numeric)))'::text);
END
;
COMMENT ON FUNCTION tokenomics.retired() IS 'part of install(): what released versions made otherwise in an install, or this one makes no more';
CREATE FUNCTION tokenomics.shape(class regclass, object oid, with_comment boolean)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN "left"(encode(sha256(convert_to(concat_ws(' '::text, (SELECT concat_ws(' '::text, p.prokind, p.proargnames, p.proargmodes, (COALESCE(p.proallargtypes, (p.proargtypes)::oid[]))::regtype[], (p.prorettype)::regtype, p.proretset, p.pronargdefaults) AS concat_ws FROM pg_proc p WHERE (((shape.class)::oid = ('pg_proc'::regclass)::oid) AND (p.oid = shape.object))), (SELECT string_agg(concat_ws(' '::text, a.attname, format_type(a.atttypid, a.atttypmod)), ', '::text ORDER BY a.attnum) AS string_agg FROM pg_attribute a WHERE (((shape.class)::oid = ('pg_class'::regclass)::oid) AND (a.attrelid = shape.object) AND (a.attnum > 0))), CASE WHEN with_comment THEN obj_description(object, (CASE WHEN ((class)::oid = ('pg_proc'::regclass)::oid) THEN 'pg_proc'::text ELSE 'pg_class'::text END)::name) ELSE NULL::text END), 'UTF8'::name)), 'hex'::text), 16)
;
COMMENT ON FUNCTION tokenomics.shape(pg_catalog.regclass,pg_catalog.oid,boolean) IS 'part of install(): a digest of what CREATE OR REPLACE cannot change of a function or view of an install, first in search_path';
CREATE PROCEDURE tokenomics.drop_retired_object(IN kind text, IN name text)
 LANGUAGE plpgsql
AS $procedure$
DECLARE
    others text;
BEGIN
    EXECUTE pg_catalog.format('DROP %s %s', kind, name);
EXCEPTION WHEN dependent_objects_still_exist THEN
    GET STACKED DIAGNOSTICS others = PG_EXCEPTION_DETAIL;
    RAISE EXCEPTION USING
        ERRCODE = 'dependent_objects_still_exist',
        MESSAGE = pg_catalog.format('%s %s of an older version cannot be replaced: other objects depend on it', kind, name),
        DETAIL = others,
        HINT = 'Drop these objects, CALL tokenomics.install() again, and make them anew over what it made.';
END
$procedure$
;
COMMENT ON PROCEDURE tokenomics.drop_retired_object(pg_catalog.text,pg_catalog.text) IS 'part of install(): drops what an older version made';
CREATE PROCEDURE tokenomics.add_constraint(IN relation name, IN name name, IN definition text)
 LANGUAGE plpgsql
AS $procedure$
DECLARE
    bad text;
BEGIN
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', relation, name, definition);
EXCEPTION WHEN check_violation THEN
    EXECUTE format('SELECT to_jsonb(x)::text FROM %I x WHERE NOT %s LIMIT 1', relation, substr(definition, length('CHECK ') + 1)) INTO bad;
    RAISE EXCEPTION USING
        ERRCODE = 'check_violation',
        MESSAGE = format('table "%s" holds what this version refuses', relation),
        DETAIL = format('Constraint "%s" does not allow the row %s.', name, bad),
        HINT = 'Correct such rows, or end what they are of, and CALL tokenomics.install() again.';
END
$procedure$
;
COMMENT ON PROCEDURE tokenomics.add_constraint(pg_catalog.name,pg_catalog.name,pg_catalog.text) IS 'part of install(): adds what an older version did not ask of a table';
CREATE PROCEDURE tokenomics.renew(INOUT privileges jsonb)
 LANGUAGE plpgsql
AS $procedure$
DECLARE
    target name := pg_catalog.current_schema();
    target_id oid := pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace;
    readers oid := (SELECT n.oid FROM pg_namespace n WHERE n.nspname = target || '_reader'
                    AND obj_description(n.oid, 'pg_namespace') = format('tokenomics: what readers see of schema "%s"', target));
    old record;
    reader record;
    stand_in text;
BEGIN
    privileges := '[]';

    FOR old IN
        SELECT c.oid, c.relname FROM tokenomics.retired() r JOIN pg_class c ON c.relnamespace = target_id AND c.relkind = 'v' AND c.relname = r.object::name
        WHERE r.kind = 'view' AND r.was = tokenomics.shape('pg_class', c.oid, r.becomes IS NULL)
    LOOP
        -- readers' views stand on it, and are made anew with it
        FOR reader IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = readers AND c.relkind = 'v' AND c.relname = old.relname LOOP
            CALL tokenomics.drop_retired_object('VIEW', reader.oid::regclass::text);
        END LOOP;
        FOR reader IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = readers AND p.proname = (old.relname || '_between')::name LOOP
            CALL tokenomics.drop_retired_object('FUNCTION', reader.oid::regprocedure::text);
        END LOOP;
        privileges := privileges || coalesce((
            SELECT jsonb_agg(jsonb_build_object('kind', 'view', 'name', old.relname, 'column', x.of_column, 'role', a.grantee::regrole, 'right', a.privilege_type, 'may_grant', a.is_grantable))
            FROM pg_class c, LATERAL (SELECT NULL::name AS of_column, c.relacl AS acl
                                      UNION ALL
                                      SELECT t.attname, t.attacl FROM pg_attribute t WHERE t.attrelid = c.oid) x, aclexplode(x.acl) a
            WHERE c.oid = old.oid AND a.grantee <> c.relowner), '[]');
        CALL tokenomics.drop_retired_object('VIEW', old.oid::regclass::text);
    END LOOP;

    FOR old IN
        SELECT p.oid, p.proname, p.proargtypes, p.prokind, t.argument_types FROM tokenomics.retired() r
        JOIN pg_proc p ON p.pronamespace = target_id AND p.proname = split_part(r.object, '(', 1)::name,
             LATERAL (SELECT array_to_string(p.proargtypes::oid[]::regtype[], ', ') AS argument_types) t
        WHERE format('%s(%s)', p.proname, t.argument_types) = r.object AND r.kind = 'function' AND r.was = tokenomics.shape('pg_proc', p.oid, r.becomes IS NULL)
    LOOP
        -- Its view stands for a moment on nothing, with the same columns, so that
        -- what is over the view stays.
        SELECT format('CREATE OR REPLACE VIEW %s WITH (security_invoker = true) AS SELECT %s', c.oid::regclass,
                      (SELECT string_agg(format('NULL::%s AS %I', format_type(a.atttypid, a.atttypmod), a.attname), ', ' ORDER BY a.attnum)
                       FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0))
        INTO stand_in
        FROM pg_class c WHERE c.relnamespace = target_id AND c.relkind = 'v' AND old.proname = (c.relname || '_between')::name
          AND EXISTS (SELECT FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                      WHERE w.ev_class = c.oid AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = old.oid);
        IF FOUND THEN
            EXECUTE stand_in;
        END IF;
        -- a copy for readers has the columns of what it is of; that of a view has the view's
        FOR reader IN
            SELECT p.oid FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype
            WHERE p.pronamespace = readers AND p.proname = old.proname AND p.proargtypes = old.proargtypes AND t.typrelid = 0
        LOOP
            CALL tokenomics.drop_retired_object('FUNCTION', reader.oid::regprocedure::text);
        END LOOP;
        privileges := privileges || (
            SELECT coalesce(jsonb_agg(jsonb_build_object('kind', 'routine', 'name', old.proname, 'argument_types', old.argument_types, 'role', a.grantee::regrole, 'right', a.privilege_type, 'may_grant', a.is_grantable))
                            FILTER (WHERE a.grantee NOT IN (0, p.proowner)), '[]')
                   || CASE WHEN bool_or(a.grantee = 0) THEN '[]' ELSE jsonb_build_array(jsonb_build_object('kind', 'routine', 'name', old.proname, 'argument_types', old.argument_types)) END
            FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE p.oid = old.oid GROUP BY p.oid);
        CALL tokenomics.drop_retired_object(CASE old.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, old.oid::regprocedure::text);
    END LOOP;

    FOR old IN
        SELECT r.kind, c.relname, c.oid, r.was, r.becomes, split_part(r.object, '.', 2)::name AS part FROM tokenomics.retired() r
        JOIN pg_class c ON c.relnamespace = target_id AND c.relkind IN ('r', 'p') AND c.relname = split_part(r.object, '.', 1)::name
        ORDER BY r.step
    LOOP
        IF old.kind = 'column' AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = old.oid AND a.attname = old.part) THEN
            EXECUTE format('ALTER TABLE %I ADD COLUMN %I %s', old.relname, old.part, old.becomes);
        ELSIF old.kind = 'default' AND old.was IS NOT DISTINCT FROM (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                                                                     WHERE a.attrelid = old.oid AND a.attname = old.part) THEN
            EXECUTE format('ALTER TABLE %I ALTER COLUMN %I %s', old.relname, old.part, coalesce('SET DEFAULT ' || old.becomes, 'DROP DEFAULT'));
        ELSIF old.kind = 'not null' THEN
            EXECUTE format('ALTER TABLE %I ALTER COLUMN %I %s NOT NULL', old.relname, old.part, old.becomes);
        ELSIF old.kind = 'constraint' THEN
            IF old.was = (SELECT pg_get_constraintdef(o.oid) FROM pg_constraint o WHERE o.conrelid = old.oid AND o.conname = old.part) THEN
                EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', old.relname, old.part);
            END IF;
            IF old.becomes IS NOT NULL AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conrelid = old.oid AND o.conname = old.part) THEN
                CALL tokenomics.add_constraint(old.relname, old.part, old.becomes);
            END IF;
        ELSIF old.kind = 'index' AND old.was = (SELECT replace(pg_get_indexdef(x.oid), format(' ON %I.', target), ' ON ') FROM pg_class x WHERE x.relnamespace = target_id AND x.relname = old.part) THEN
            EXECUTE format('DROP INDEX %I', old.part);
        END IF;
    END LOOP;
END
$procedure$
;
COMMENT ON PROCEDURE tokenomics.renew(pg_catalog.jsonb) IS 'part of install(): drops what an older version made and this one cannot replace in place, in the first schema of search_path, and brings its tables up to date; returns the privileges that regrant() gives again';
CREATE PROCEDURE tokenomics.regrant(IN privileges jsonb)
 LANGUAGE plpgsql
AS $procedure$
DECLARE
    kept record;
BEGIN
    FOR kept IN
        WITH object AS (
            SELECT 'view' AS kind, c.relname AS name, NULL AS argument_types, c.oid AS view, c.oid::regclass::text AS object
            FROM pg_class c WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind = 'v'
            UNION ALL
            SELECT 'routine', p.proname, array_to_string(p.proargtypes::oid[]::regtype[], ', '), NULL, p.oid::regprocedure::text
            FROM pg_proc p WHERE p.pronamespace = quote_ident(current_schema())::regnamespace
        ), privilege AS (
            SELECT k.*, EXISTS (SELECT FROM object o WHERE o.kind = k.kind AND o.name = k.name AND o.argument_types = k.argument_types) AS is_there
            FROM jsonb_to_recordset(privileges) AS k(kind text, name name, argument_types text, "column" name, role text, "right" text, may_grant boolean)
        )
        SELECT k.*, CASE k.kind WHEN 'view' THEN 'TABLE ' ELSE 'ROUTINE ' END || o.object AS object
        -- a routine with other arguments than it had is found by its name
        FROM privilege k JOIN object o ON o.kind = k.kind AND o.name = k.name AND (o.argument_types = k.argument_types OR NOT k.is_there)
        WHERE k."column" IS NULL OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = o.view AND a.attname = k."column")
    LOOP
        IF kept.role IS NULL THEN
            EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', kept.object);
        ELSE
            EXECUTE format('GRANT %s%s ON %s TO %s%s', kept."right", coalesce(' (' || quote_ident(kept."column") || ')', ''), kept.object, CASE kept.role WHEN '-' THEN 'PUBLIC' ELSE kept.role END, CASE WHEN kept.may_grant THEN ' WITH GRANT OPTION' ELSE '' END);
        END IF;
    END LOOP;
END
$procedure$
;
COMMENT ON PROCEDURE tokenomics.regrant(pg_catalog.jsonb) IS 'part of install(): gives again the privileges on what renew() dropped, to what has the same name, and the same arguments where there is one that has';
CREATE FUNCTION tokenomics.is_install(schema text)
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (EXISTS (SELECT FROM ((pg_attribute a JOIN pg_class c ON ((c.oid = a.attrelid))) JOIN pg_namespace n ON ((n.oid = c.relnamespace))) WHERE (((n.nspname)::text = is_install.schema) AND (c.relkind = 'r'::"char") AND (a.attnum > 0) AND (NOT a.attisdropped) AND (c.relname = 'setting'::name) AND (a.attname = 'only_row'::name))))
;
COMMENT ON FUNCTION tokenomics.is_install(pg_catalog.text) IS 'part of install() and uninstall(): whether a schema holds what install() makes';
CREATE PROCEDURE tokenomics.check_names(IN schema text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $procedure$
DECLARE
    taken name;
BEGIN
    IF tokenomics.is_install(check_names.schema) THEN
        RETURN;
    END IF;
    SELECT c.relname INTO taken
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname::text = check_names.schema
      AND c.relname IN ('setting', 'price', 'model_alias', 'fx_rate', 'usage', 'charge', 'dimension', 'usage_mark', 'settled',
                        'stored_ledger', 'seen_partition', 'settle_rule', 'seat', 'index_item', 'quote', 'operating_point',
                        'workload', 'model_quality', 'turn_outcome', 'budget', 'budget_alert', 'report',
                        'usage_id_mark', 'stored_measure', 'usage_blank_mark', 'usage_default')
      AND NOT (c.relname = 'usage' AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tokens'
                                                                           AND a.atttypid = 'tokenomics.tokens'::regtype))
    ORDER BY c.relname LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_table',
            MESSAGE = format('schema "%s" has a relation "%s" of its own', check_names.schema, taken),
            DETAIL = 'An install makes one of that name.',
            HINT = 'Install into a schema of its own.';
    END IF;
END
$procedure$
;
COMMENT ON PROCEDURE tokenomics.check_names(pg_catalog.text) IS 'part of install(): refuses a schema that has relations of the same names and is no install';
CREATE OR REPLACE PROCEDURE tokenomics.install(IN schema text, IN usage text, IN mapping jsonb)
 LANGUAGE plpgsql
AS $procedure$
DECLARE
    source regclass := install.usage::regclass;  -- as the caller's search_path has it
    path_before text := pg_catalog.current_setting('search_path');
    messages_before text := pg_catalog.current_setting('client_min_messages');
    privileges jsonb;
BEGIN
    IF install.schema IS NULL OR install.schema OPERATOR(pg_catalog.=) ANY (ARRAY['', 'tokenomics', 'pg_catalog', 'information_schema'])
        OR pg_catalog.starts_with(install.schema, 'pg_') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('cannot install into schema "%s"', install.schema),
            HINT = 'Name a schema of your own, as in CALL tokenomics.install(''llm'').';
    END IF;
    -- a name that is cut off would be that of another schema
    IF install.schema::name::text OPERATOR(pg_catalog.<>) install.schema THEN
        RAISE EXCEPTION USING
            ERRCODE = 'name_too_long',
            MESSAGE = pg_catalog.format('cannot install into schema "%s"', install.schema),
            DETAIL = pg_catalog.format('A name has at most %s bytes.', pg_catalog.current_setting('max_identifier_length'));
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
    CALL tokenomics.check_names(install.schema);
    PERFORM set_config('search_path', format('%I, pg_temp', install.schema), true);

    CALL tokenomics.renew(privileges);
    CALL tokenomics.install_price();
    CALL tokenomics.install_price_import();
    CALL tokenomics.install_default_prices();
    CALL tokenomics.install_usage(source, CASE jsonb_typeof(install.mapping)
        WHEN 'string' THEN tokenomics.usage_mapping(install.mapping #>> '{}', source) ELSE install.mapping END);
    CALL tokenomics.install_profile();
    CALL tokenomics.install_price_panel();
    CALL tokenomics.install_charge();
    CALL tokenomics.install_settle();
    CALL tokenomics.install_measure();
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
    CALL tokenomics.regrant(privileges);

    PERFORM pg_catalog.set_config('search_path', path_before, true);
    PERFORM pg_catalog.set_config('client_min_messages', messages_before, true);
END
$procedure$
;
CREATE OR REPLACE PROCEDURE tokenomics.uninstall(IN schema text)
 LANGUAGE plpgsql
AS $procedure$
DECLARE
    path_before text := pg_catalog.current_setting('search_path');
    messages_before text := pg_catalog.current_setting('client_min_messages');
BEGIN
    IF tokenomics.is_install(uninstall.schema) IS NOT TRUE THEN
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
    CALL tokenomics.uninstall_measure();
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
$procedure$
;
