-- Measures of settled months: what is counted of calls and can be added up of
-- nothing less, such as distinct users and percentiles, stored by month.
--
-- A measure is believed while no mark lies on the times that it was counted
-- from, their partitions are those it was read from, and, where it depends on
-- prices, the book has the same ones.  A turn may have begun in the week before
-- its month, and go on in the week behind it.

CREATE FUNCTION stored_measures(
    usage regclass,
    what text,
    zone text,
    from_at timestamptz,
    to_at timestamptz,
    book price_book,
    OUT starts timestamptz,
    OUT ends timestamptz,
    OUT calls bigint,
    OUT facts jsonb,
    OUT profile demand_profile
) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE ROWS 20;
COMMENT ON FUNCTION stored_measures(regclass, text, text, timestamptz, timestamptz, price_book) IS
    'what is stored of the settled months of an install that lie in a time, with the rights of the owner of the table; nothing for a role that does not read all rows of usage and of the prices; an error where calls of an archived day are gone and what is asked for is in no such month; a month among others that cannot be counted is a warning, and a row without facts';

-- Makes tables and functions in the schema that comes first in search_path;
-- called by install().
CREATE PROCEDURE install_measure() LANGUAGE plpgsql
AS $install$
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
$install$;
COMMENT ON PROCEDURE install_measure() IS 'part of install(): what is counted of settled months, and stored, in the first schema of search_path';

CREATE PROCEDURE uninstall_measure() LANGUAGE plpgsql
AS $uninstall$
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
$uninstall$;
COMMENT ON PROCEDURE uninstall_measure() IS 'part of uninstall(): drops what install_measure() made';
