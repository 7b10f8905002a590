-- The report of a month: the two lines, why they moved, and what needs a look;
-- published, it is kept with the prices that it was made with.

-- How figures are written in a report; what is not known is a dash.
CREATE FUNCTION report_amount(amount numeric, currency text, digits integer DEFAULT 2, with_sign boolean DEFAULT false) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN amount IS NULL THEN '–' ELSE
    CASE WHEN round(amount, digits) < 0 THEN '-' WHEN with_sign AND round(amount, digits) > 0 THEN '+' ELSE '' END
    || CASE currency WHEN 'USD' THEN '$' WHEN 'EUR' THEN '€' WHEN 'GBP' THEN '£' ELSE coalesce(currency || ' ', '') END
    || to_char(abs(round(amount, digits)), 'FM999,999,999,999,999,999,990' || CASE WHEN digits > 0 THEN '.' || repeat('0', digits) ELSE '' END) END;
COMMENT ON FUNCTION report_amount(numeric, text, integer, boolean) IS 'part of report_markdown(): an amount as text, as $1,234.50; a dash where it is not known';

CREATE FUNCTION report_percent(share numeric, with_sign boolean DEFAULT false) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN share IS NULL THEN '–' ELSE
    CASE WHEN round(100 * share, 1) < 0 THEN '-' WHEN with_sign AND round(100 * share, 1) > 0 THEN '+' ELSE '' END
    || to_char(abs(round(100 * share, 1)), 'FM999,999,999,990.0') || ' %' END;
COMMENT ON FUNCTION report_percent(numeric, boolean) IS 'part of report_markdown(): a fraction as text, as 12.3 %; a dash where it is not known';

CREATE FUNCTION report_text(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(nullif(regexp_replace(translate(value, E'\n\r\t', '   '), '([\\`*_|<>\[\]])', '\\\1', 'g'), ''), '–');
COMMENT ON FUNCTION report_text(text) IS 'part of report_markdown(): a name from logs as text that Markdown does not interpret; a dash where there is none';

-- Amounts to the cent that add up: what rounding leaves over goes to the largest,
-- unless it is more than rounding can leave.
CREATE FUNCTION report_cents(parts numeric[], whole numeric) RETURNS numeric[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT array_agg(round(p.part, 2) + CASE WHEN p.place = 1 AND abs(p.rest) <= 0.01 * cardinality(parts) THEN p.rest ELSE 0 END ORDER BY p.n)
        FROM (SELECT p.part, p.n, row_number() OVER (ORDER BY abs(p.part) DESC NULLS LAST, p.n) AS place, coalesce(round(whole, 2) - sum(round(p.part, 2)) OVER (), 0) AS rest
              FROM unnest(parts) WITH ORDINALITY p(part, n)) p);
COMMENT ON FUNCTION report_cents(numeric[], numeric) IS 'part of report_markdown(): amounts rounded to the cent so that they add up to a whole rounded to the cent; what is left over, a few cents, is in the largest; NULL stays NULL';

-- A table of Markdown: heads, those of figures with a colon behind, and rows.
CREATE FUNCTION report_table(heads text[], cells text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN cardinality(cells) > 0 THEN
    (SELECT '| ' || string_agg(rtrim(h, ':'), ' | ' ORDER BY n) || E' |\n|' || string_agg(CASE WHEN h LIKE '%:' THEN '--:|' ELSE '---|' END, '' ORDER BY n) FROM unnest(heads) WITH ORDINALITY AS h(h, n))
    || E'\n' || (SELECT string_agg(r.row, E'\n' ORDER BY r.n)
                 FROM (SELECT (c.n - 1) / cardinality(heads) AS n, '| ' || string_agg(coalesce(c.c, '–'), ' | ' ORDER BY c.n) || ' |' AS row
                       FROM unnest(cells) WITH ORDINALITY AS c(c, n) GROUP BY 1) r) END;
COMMENT ON FUNCTION report_table(text[], text[]) IS 'part of report_markdown(): a table, of the cells of its rows one after the other; NULL of none';

CREATE FUNCTION report_alert(alert jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE alert ->> 'kind'
    WHEN 'amount' THEN format('has %s %s of its amount (spent %s of %s)',
                              CASE WHEN (alert ->> 'value')::numeric > (alert ->> 'threshold')::numeric * (alert ->> 'amount')::numeric THEN 'passed' ELSE 'reached' END,
                              tokenomics.report_percent((alert ->> 'threshold')::numeric),
                              tokenomics.report_amount((alert ->> 'value')::numeric, alert ->> 'currency'), tokenomics.report_amount((alert ->> 'amount')::numeric, alert ->> 'currency'))
    WHEN 'forecast' THEN format('will %s %s of its amount (forecast %s of %s)',
                                CASE WHEN (alert ->> 'value')::numeric > (alert ->> 'threshold')::numeric * (alert ->> 'amount')::numeric THEN 'pass' ELSE 'reach' END,
                                tokenomics.report_percent((alert ->> 'threshold')::numeric),
                                tokenomics.report_amount((alert ->> 'value')::numeric, alert ->> 'currency'), tokenomics.report_amount((alert ->> 'amount')::numeric, alert ->> 'currency'))
    WHEN 'cost_per_mtok' THEN format('pays %s for a million tokens, more than %s', tokenomics.report_amount((alert ->> 'value')::numeric, alert ->> 'currency', 4), tokenomics.report_amount((alert ->> 'threshold')::numeric, alert ->> 'currency', 4))
    WHEN 'reasoning_per_call' THEN format('has %s reasoning tokens a call, more than %s', tokenomics.report_amount((alert ->> 'value')::numeric, NULL, 0), tokenomics.report_amount((alert ->> 'threshold')::numeric, NULL, 0))
    WHEN 'unpriced' THEN format('has %s tokens without a price', tokenomics.report_amount((alert ->> 'value')::numeric, NULL, 0)) END;
COMMENT ON FUNCTION report_alert(jsonb) IS 'part of report_markdown(): what is said of a budget that has crossed a threshold';

CREATE FUNCTION report_markdown(report jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
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
$$;
COMMENT ON FUNCTION report_markdown(jsonb) IS 'the report of a month, from monthly_report(), as Markdown for who pays: a page of what matters, and an appendix in which amounts add up to the cent';

-- Makes the table and the functions in the schema that comes first in
-- search_path; called by install().
CREATE PROCEDURE install_report() LANGUAGE plpgsql
AS $install$
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
$install$;
COMMENT ON PROCEDURE install_report() IS 'part of install(): the report of a month, in the first schema of search_path';

CREATE PROCEDURE uninstall_report() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP FUNCTION IF EXISTS
        schedule_reports(integer, integer, text),
        publish_due_report(integer, integer, text, timestamptz),
        publish_report(date),
        monthly_report(date);
    DROP TABLE IF EXISTS report;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_report() IS 'part of uninstall(): drops what install_report() made';
