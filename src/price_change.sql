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
