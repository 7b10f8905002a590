-- The views of an install: cost per token, unit price and total spend, and who
-- spent it.
--
-- Data flows one way: usage_ledger() counts the calls, spend_lines() adds what is
-- charged beside them, and each view groups those lines.  A view V is V_between()
-- without limits.

-- Makes the views and functions in the schema that comes first in search_path;
-- called by install().
CREATE PROCEDURE install_trends() LANGUAGE plpgsql
AS $install$
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
$install$;
COMMENT ON PROCEDURE install_trends() IS 'part of install(): the views of what was spent, in the first schema of search_path';

CREATE PROCEDURE uninstall_trends() LANGUAGE plpgsql
AS $uninstall$
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
$uninstall$;
COMMENT ON PROCEDURE uninstall_trends() IS 'part of uninstall(): drops what install_trends() made';
