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
$install$;
COMMENT ON PROCEDURE install_growth() IS 'part of install(): why the bill grows, in the first schema of search_path';

CREATE PROCEDURE uninstall_growth() LANGUAGE plpgsql
AS $uninstall$
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
$uninstall$;
COMMENT ON PROCEDURE uninstall_growth() IS 'part of uninstall(): drops what install_growth() made';
