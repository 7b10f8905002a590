-- The bill of an install from one time to another: why it grew, what it would be
-- at other prices, and where it buys nothing.
--
-- bill_lines() are the lines of spend_lines(), calls by meter; bill_pairs() sets
-- those of two periods side by side; bill_contributions() says what each did to
-- the bill, by bill_effects(), and all else adds that up.

-- Makes the views and functions in the schema that comes first in search_path;
-- called by install().
CREATE PROCEDURE install_growth() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION bill_lines(
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
        above_input_tokens bigint,
        off_peak boolean,
        meter text,
        label text,
        currency text,
        tokens bigint,
        cost numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        in_zone text := coalesce(bill_lines.zone, (SELECT s.zone FROM setting s));
    BEGIN
        IF from_at >= to_at THEN
            RETURN;
        END IF;
        RETURN QUERY
        SELECT m.period, 'Usage', m.provider, m.model, m.service_tier, m.above_input_tokens, m.off_peak, m.meter, m.label, m.currency,
               sum(m.tokens)::bigint, sum(m.cost)
        FROM tokenomics.meter_lines(usage_ledger(grain, from_at, to_at, in_zone, dimension)) m
        WHERE m.currency IS NOT NULL
        GROUP BY 1, 3, 4, 5, 6, 7, 8, 9, 10
        UNION ALL
        SELECT l.period, l.charge_category, l.provider, l.model, l.service_tier, NULL, NULL, NULL, l.label,
               CASE WHEN l.unpriced IS NULL THEN l.currency END, sum(tokenomics.total(l.tokens))::bigint, sum(l.effective_cost)
        FROM spend_lines(grain, from_at, to_at, in_zone, dimension) l
        WHERE l.charge_category <> 'Usage' OR l.unpriced IS NOT NULL
        GROUP BY 1, 2, 3, 4, 5, 9, 10;
    END
    $$;
    COMMENT ON FUNCTION bill_lines(text, timestamptz, timestamptz, text, text) IS
        'what the bill is made of, by period: priced calls by provider, model, service tier, threshold, off-peak or not and meter (charge_category Usage), as usage_ledger(); calls without a price, with neither currency nor cost; and purchases, credits, adjustments and tax, as spend_lines()';

    CREATE OR REPLACE FUNCTION bill_pairs(
        spans tstzrange[],
        by_month boolean,
        distances integer[],
        zone text,
        dimension text DEFAULT NULL,
        in_currency text DEFAULT NULL
    ) RETURNS TABLE (
        distance integer,
        n integer,
        charge_category text,
        provider text,
        model text,
        service_tier text,
        above_input_tokens bigint,
        off_peak boolean,
        meter text,
        label text,
        own_currency text,
        currency text,
        cost_0 numeric,
        tokens_0 bigint,
        converted_0 numeric,
        cost_1 numeric,
        tokens_1 bigint,
        converted_1 numeric,
        is_there_0 boolean,
        is_there_1 boolean,
        total_tokens_0 numeric,
        total_tokens_1 numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        WITH read AS MATERIALIZED (
            SELECT CASE WHEN by_month THEN (extract(year FROM m.month) * 12 + extract(month FROM m.month))::integer - 1 ELSE s.n::integer END AS n, m.month, l.*
            FROM unnest(spans) WITH ORDINALITY s(span, n),
                 LATERAL bill_lines('month', lower(s.span), upper(s.span), bill_pairs.zone, dimension) l,
                 LATERAL (SELECT (l.period AT TIME ZONE bill_pairs.zone)::date AS month) m
            WHERE NOT isempty(s.span)
        ), rated AS (
            -- amounts of a month and currency add up to what their sum is when converted
            SELECT r.*, CASE WHEN in_currency IS NOT NULL THEN
                       convert_currency(r.up_to, r.currency, in_currency, r.month, 'month')
                       - convert_currency(r.up_to - r.cost, r.currency, in_currency, r.month, 'month') END AS converted
            FROM (SELECT r.*, CASE WHEN in_currency IS NOT NULL THEN
                             sum(r.cost) OVER (PARTITION BY r.n, r.month, r.currency
                                               ORDER BY r.charge_category, r.provider, r.model, r.service_tier, r.above_input_tokens, r.off_peak, r.meter, r.label
                                               ROWS UNBOUNDED PRECEDING) END AS up_to
                  FROM read r) r
        ), line AS MATERIALIZED (
            SELECT r.n, r.charge_category, r.provider, r.model, r.service_tier, r.above_input_tokens, r.off_peak, r.meter, r.label, r.currency AS own_currency,
                   -- a currency that a month has no rate of stays what it is
                   CASE WHEN bool_and(bool_and(r.converted IS NOT NULL)) OVER (PARTITION BY r.currency) THEN in_currency ELSE r.currency END AS currency,
                   sum(r.cost) AS cost, sum(r.tokens)::bigint AS tokens, sum(r.converted) AS converted
            FROM rated r GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, r.currency
        ), period AS (
            SELECT CASE WHEN by_month THEN min(l.n) ELSE 1 END AS first, CASE WHEN by_month THEN max(l.n) ELSE cardinality(spans) END AS last FROM line l
        ), pair AS (
            SELECT d.distance, e.n, l.charge_category, l.provider, l.model, l.service_tier, l.above_input_tokens, l.off_peak, l.meter, l.label, l.own_currency, l.currency,
                   CASE WHEN l.charge_category = 'Usage' THEN CASE WHEN l.meter IN ('tool_calls', 'cache_storage') THEN l.meter ELSE 'tokens' END END AS unit,
                   sum(l.cost) FILTER (WHERE s.side = 0) AS cost_0, sum(l.tokens) FILTER (WHERE s.side = 0)::bigint AS tokens_0, sum(l.converted) FILTER (WHERE s.side = 0) AS converted_0,
                   sum(l.cost) FILTER (WHERE s.side = 1) AS cost_1, sum(l.tokens) FILTER (WHERE s.side = 1)::bigint AS tokens_1, sum(l.converted) FILTER (WHERE s.side = 1) AS converted_1
            FROM line l, period p, unnest(distances) d(distance), unnest('{0,1}'::integer[]) s(side),
                 LATERAL (SELECT l.n + CASE s.side WHEN 0 THEN d.distance ELSE 0 END AS n) e
            WHERE e.n BETWEEN p.first + d.distance AND p.last
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
        ), there AS (
            -- a new meter of a model is another mix; a new model is new
            SELECT p.*, bool_or(p.tokens_0 IS NOT NULL) OVER w AS is_there_0, bool_or(p.tokens_1 IS NOT NULL) OVER w AS is_there_1
            FROM pair p WINDOW w AS (PARTITION BY p.distance, p.n, p.charge_category, p.own_currency, p.provider, p.model, p.service_tier)
        )
        SELECT t.distance, t.n, t.charge_category, t.provider, t.model, t.service_tier, t.above_input_tokens, t.off_peak, t.meter, t.label, t.own_currency, t.currency,
               t.cost_0, t.tokens_0, CASE WHEN t.currency = in_currency THEN t.converted_0 ELSE t.cost_0 END,
               t.cost_1, t.tokens_1, CASE WHEN t.currency = in_currency THEN t.converted_1 ELSE t.cost_1 END,
               t.is_there_0, t.is_there_1,
               sum(t.tokens_0) FILTER (WHERE t.is_there_0 AND t.is_there_1) OVER w, sum(t.tokens_1) FILTER (WHERE t.is_there_0 AND t.is_there_1) OVER w
        FROM there t WINDOW w AS (PARTITION BY t.distance, t.n, t.currency, t.unit);
    END
    $$;
    COMMENT ON FUNCTION bill_pairs(tstzrange[], boolean, integer[], text, text, text) IS
        'part of bill_bridge() and bill_growth: lines of the bill in two periods, side by side: of months that are 1, 12, ... apart (by_month; n: 12 x year + month - 1), or of the spans; total_tokens: of all models that are there in both, in the unit of the meter';

    CREATE OR REPLACE FUNCTION bill_contributions(
        spans tstzrange[],
        by_month boolean,
        distances integer[],
        zone text,
        dimension text DEFAULT NULL,
        in_currency text DEFAULT NULL
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
    BEGIN
        RETURN QUERY
        WITH pair AS MATERIALIZED (
            SELECT p.*, CASE WHEN p.is_there_0 THEN coalesce(p.tokens_0, 0)::numeric END AS quantity_0, CASE WHEN p.is_there_1 THEN coalesce(p.tokens_1, 0)::numeric END AS quantity_1
            FROM bill_pairs(spans, by_month, distances, bill_contributions.zone, dimension, in_currency) p
        ), whole AS (
            SELECT p.*, CASE WHEN p.currency = p.own_currency
                THEN tokenomics.bill_effects(coalesce(p.cost_0, 0), p.quantity_0, coalesce(p.cost_1, 0), p.quantity_1, p.total_tokens_0, p.total_tokens_1)
                ELSE tokenomics.bill_effects(coalesce(p.cost_0, 0), p.quantity_0, coalesce(p.cost_1, 0), p.quantity_1, p.total_tokens_0, p.total_tokens_1,
                                             coalesce(p.converted_0, 0), coalesce(p.converted_1, 0)) END AS e
            FROM pair p WHERE dimension IS NULL AND p.charge_category = 'Usage' AND p.own_currency IS NOT NULL
        ), running AS (
            SELECT p.*, CASE WHEN p.is_there_0 THEN sum(p.quantity_0) OVER item END AS item_quantity_0, CASE WHEN p.is_there_1 THEN sum(p.quantity_1) OVER item END AS item_quantity_1,
                   coalesce(sum(p.cost_0) OVER item, 0) AS item_cost_0, coalesce(sum(p.cost_1) OVER item, 0) AS item_cost_1,
                   coalesce(sum(p.converted_0) OVER item, 0) AS item_converted_0, coalesce(sum(p.converted_1) OVER item, 0) AS item_converted_1,
                   sum(p.quantity_0) OVER part AS up_to_quantity_0, sum(p.quantity_1) OVER part AS up_to_quantity_1,
                   coalesce(sum(p.cost_0) OVER part, 0) AS up_to_cost_0, coalesce(sum(p.cost_1) OVER part, 0) AS up_to_cost_1,
                   coalesce(sum(p.converted_0) OVER part, 0) AS up_to_converted_0, coalesce(sum(p.converted_1) OVER part, 0) AS up_to_converted_1
            FROM pair p WHERE dimension IS NOT NULL AND p.charge_category = 'Usage' AND p.own_currency IS NOT NULL
            WINDOW item AS (PARTITION BY p.distance, p.n, p.own_currency, p.provider, p.model, p.service_tier, p.above_input_tokens, p.off_peak, p.meter),
                   part AS (PARTITION BY p.distance, p.n, p.own_currency, p.provider, p.model, p.service_tier, p.above_input_tokens, p.off_peak, p.meter
                            ORDER BY p.label NULLS FIRST ROWS UNBOUNDED PRECEDING)
        ), up_to AS (
            SELECT r.*, CASE WHEN r.currency = r.own_currency
                THEN tokenomics.bill_effects_of_part(r.up_to_cost_0, r.up_to_quantity_0, r.up_to_cost_1, r.up_to_quantity_1,
                                                     r.item_cost_0, r.item_quantity_0, r.item_cost_1, r.item_quantity_1, r.total_tokens_0, r.total_tokens_1)
                ELSE tokenomics.bill_effects_of_part(r.up_to_cost_0, r.up_to_quantity_0, r.up_to_cost_1, r.up_to_quantity_1,
                                                     r.item_cost_0, r.item_quantity_0, r.item_cost_1, r.item_quantity_1, r.total_tokens_0, r.total_tokens_1,
                                                     r.up_to_converted_0, r.up_to_converted_1, r.item_converted_0, r.item_converted_1) END AS e
            FROM running r
        ), part AS (
            -- what all parts up to this one contributed, less what those before it did
            SELECT u.*, lag(u.e) OVER (PARTITION BY u.distance, u.n, u.own_currency, u.provider, u.model, u.service_tier, u.above_input_tokens, u.off_peak, u.meter
                                       ORDER BY u.label NULLS FIRST) AS b
            FROM up_to u
        )
        SELECT w.distance, w.n, w.charge_category, w.provider, w.model, w.service_tier, w.meter, w.label, w.currency, w.tokens_0, w.tokens_1, coalesce(w.converted_0, 0), coalesce(w.converted_1, 0),
               (w.e).price_effect, (w.e).volume_effect, (w.e).mix_effect, (w.e).new_effect, (w.e).discontinued_effect, (w.e).currency_effect, 0::numeric, 0::numeric
        FROM whole w
        UNION ALL
        SELECT p.distance, p.n, p.charge_category, p.provider, p.model, p.service_tier, p.meter, p.label, p.currency, p.tokens_0, p.tokens_1, coalesce(p.converted_0, 0), coalesce(p.converted_1, 0),
               (p.e).price_effect - coalesce((p.b).price_effect, 0), (p.e).volume_effect - coalesce((p.b).volume_effect, 0), (p.e).mix_effect - coalesce((p.b).mix_effect, 0),
               (p.e).new_effect - coalesce((p.b).new_effect, 0), (p.e).discontinued_effect - coalesce((p.b).discontinued_effect, 0),
               (p.e).currency_effect - coalesce((p.b).currency_effect, 0), 0, 0
        FROM part p
        UNION ALL
        SELECT p.distance, p.n, p.charge_category, p.provider, p.model, p.service_tier, NULL, p.label, p.currency, NULL, NULL, c.spend_0, c.spend_1, 0, 0, 0, 0, 0, 0,
               CASE WHEN p.charge_category = 'Purchase' THEN c.spend_1 - c.spend_0 ELSE 0 END, CASE WHEN p.charge_category <> 'Purchase' THEN c.spend_1 - c.spend_0 ELSE 0 END
        FROM pair p, LATERAL (SELECT coalesce(p.converted_0, 0) AS spend_0, coalesce(p.converted_1, 0) AS spend_1) c
        WHERE p.charge_category <> 'Usage'
        UNION ALL
        SELECT p.distance, p.n, p.charge_category, p.provider, p.model, p.service_tier, NULL, p.label, NULL, p.tokens_0, p.tokens_1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM pair p WHERE p.charge_category = 'Usage' AND p.own_currency IS NULL;
    END
    $$;
    COMMENT ON FUNCTION bill_contributions(tstzrange[], boolean, integer[], text, text, text) IS
        'part of bill_bridge() and bill_growth: what each line of bill_pairs() did to the bill; calls without a price have tokens and no amounts';

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
                     coalesce(sum(c.tokens_0) FILTER (WHERE c.meter IS NULL OR 'meter' = ANY (keys) OR c.meter NOT IN ('tool_calls', 'cache_storage')), 0)::bigint AS tokens_0,
                     coalesce(sum(c.tokens_1) FILTER (WHERE c.meter IS NULL OR 'meter' = ANY (keys) OR c.meter NOT IN ('tool_calls', 'cache_storage')), 0)::bigint AS tokens_1,
                     trim_scale(sum(c.spend_0)) AS spend_0, trim_scale(sum(c.spend_1)) AS spend_1,
                     trim_scale(sum(c.price_effect)) AS price_effect, trim_scale(sum(c.volume_effect)) AS volume_effect, trim_scale(sum(c.mix_effect)) AS mix_effect,
                     trim_scale(sum(c.new_effect)) AS new_effect, trim_scale(sum(c.discontinued_effect)) AS discontinued_effect, trim_scale(sum(c.currency_effect)) AS currency_effect,
                     trim_scale(sum(c.purchase_effect)) AS purchase_effect, trim_scale(sum(c.other_effect)) AS other_effect
              FROM bill_contributions(ARRAY[tstzrange(from_0, to_0), tstzrange(from_1, to_1)], false, '{1}', in_zone,
                                      CASE WHEN 'team' = ANY (keys) THEN 'team' WHEN 'project' = ANY (keys) THEN 'project' END, in_currency) c
              GROUP BY 1, 2, 3, 4, 5, 6, 7, 8) g
        ORDER BY g.currency, abs(g.spend_1 - g.spend_0) DESC NULLS LAST, g.charge_category, g.provider, g.model, g.service_tier, g.meter, g.team, g.project;
    END
    $$;
    COMMENT ON FUNCTION bill_bridge(timestamptz, timestamptz, timestamptz, timestamptz, text[], text, text) IS
        'why the bill of one period (from_1 up to, not including, to_1) is not that of another (from_0 to to_0): by any of charge_category, provider, model, service_tier, meter, and team or project, what each group contributed to the effects of the whole, which add up exactly to the change; in each currency, or with in_currency in one, by the exchange rates of the months; calls without a price are a line of tokens without currency';
END
$install$;
COMMENT ON PROCEDURE install_growth() IS 'part of install(): why the bill grows, in the first schema of search_path';

CREATE PROCEDURE uninstall_growth() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP FUNCTION IF EXISTS
        bill_bridge(timestamptz, timestamptz, timestamptz, timestamptz, text[], text, text),
        bill_contributions(tstzrange[], boolean, integer[], text, text, text),
        bill_pairs(tstzrange[], boolean, integer[], text, text, text),
        bill_lines(text, timestamptz, timestamptz, text, text);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_growth() IS 'part of uninstall(): drops what install_growth() made';
