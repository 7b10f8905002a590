-- Settled days: ledgers that are stored, and never believed where they may be
-- out of date.
--
-- A day of the reporting zone is settled while three things hold: no mark lies
-- on it, the partitions that hold its calls are those it was read from, and the
-- book prices its models as it did (settle.c says how each is known).  Views
-- read settled days, and usage for all else.

CREATE FUNCTION mark_usage() RETURNS trigger
    AS 'MODULE_PATHNAME' LANGUAGE C PARALLEL UNSAFE;
COMMENT ON FUNCTION mark_usage() IS
    'trigger of usage, after each row: appends the day of the call to usage_mark, once in a transaction; refuses calls of archived days';

CREATE FUNCTION usage_partitions(
    usage regclass,
    from_at timestamptz,
    to_at timestamptz,
    OUT partition regclass,
    OUT starts timestamptz,
    OUT ends timestamptz,
    OUT stamp text,
    OUT is_seen boolean
) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 20;
COMMENT ON FUNCTION usage_partitions(regclass, timestamptz, timestamptz) IS
    'the partitions of a table of calls that may hold calls of a time, with a stamp that changes where one is emptied, rewritten, detached and attached, or without its trigger for a while; NULL where its changes are not marked; and whether the snapshot sees that it was attached; they stay locked as if read';

CREATE FUNCTION price_digest(book price_book, providers text[], models text[], from_at timestamptz, to_at timestamptz) RETURNS uuid
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION price_digest(price_book, text[], text[], timestamptz, timestamptz) IS
    'a digest of all that a book says of some models (providers[i], models[i]) in a time: the same where it prices every call of them alike';

CREATE FUNCTION reads_all_rows(relation regclass) RETURNS boolean
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION reads_all_rows(regclass) IS
    'whether the current role reads every row of a table, or of all tables that a view is over: it has the right to, and no row security is active for it';

CREATE FUNCTION stored_usage(
    usage regclass,
    grain text,
    zone text,
    from_at timestamptz,
    to_at timestamptz,
    dimension text,
    book price_book,
    OUT ledger ledger,
    OUT covered tstzmultirange
)
    AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION stored_usage(regclass, text, text, timestamptz, timestamptz, text, price_book) IS
    'what the settled days of an install say of its calls in a time, and which times that covers, with the rights of the owner of the table; NULL for a role that does not read all rows of usage and of the prices';

-- An expression must say the same of the same row whenever it is read, and of
-- one row alone: what a generated column may be.
CREATE FUNCTION check_dimension() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
DECLARE
    id text;
BEGIN
    -- refresh() evaluates it with the rights of the owner
    IF NOT pg_has_role(current_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format('role "%s" cannot write to "%s.dimension"', current_user, TG_TABLE_SCHEMA),
            DETAIL = 'Its expressions are evaluated with the rights of its owner, whatever has been granted on the table.',
            HINT = 'Let the owner of the install do it.';
    END IF;
    DROP TABLE IF EXISTS pg_temp.check_dimension_of_usage;
    EXECUTE format('CREATE TEMP TABLE check_dimension_of_usage (LIKE %I.usage)', TG_TABLE_SCHEMA);
    BEGIN
        EXECUTE format('ALTER TABLE pg_temp.check_dimension_of_usage ADD COLUMN label_of_dimension text GENERATED ALWAYS AS ((%s' || E'\n' || ')::text) STORED', NEW.expression);
    EXCEPTION WHEN OTHERS THEN
        RAISE EXCEPTION USING
            ERRCODE = SQLSTATE,
            MESSAGE = format('the expression of dimension "%s" cannot be stored: %s', NEW.name, SQLERRM),
            DETAIL = format('It is the expression: %s', NEW.expression),
            HINT = 'It is an immutable expression over the columns of usage, with names other than those of pg_catalog qualified, as in: tags->>''feature''.';
    END;
    SELECT a.attname INTO id
    FROM pg_attrdef f
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = f.adrelid
    JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = d.refobjsubid
    WHERE f.adrelid = 'pg_temp.check_dimension_of_usage'::regclass AND a.attname IN ('request_id', 'user_id', 'session_id', 'turn_id')
    LIMIT 1;
    DROP TABLE pg_temp.check_dimension_of_usage;
    IF id IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('dimension "%s" cannot be by column "%s"', NEW.name, id),
            HINT = 'A user, session, turn or request is no label of a ledger: there are as many as calls.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION check_dimension() IS 'trigger of dimension: refuses expressions whose labels could not be stored';

CREATE FUNCTION tell_unsettled() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    days bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %I.settled s WHERE s.grain = ''day'' AND NOT s.is_archived', TG_TABLE_SCHEMA) INTO days;
    IF days > 0 AND OLD.zone IS DISTINCT FROM NEW.zone THEN
        RAISE NOTICE USING
            MESSAGE = format('the reporting zone has changed: %s settled days are settled no more', days),
            HINT = format('Views read all calls until CALL %I.refresh() has run.', TG_TABLE_SCHEMA);
    ELSIF days > 0 AND OLD.book IS DISTINCT FROM NEW.book THEN
        RAISE NOTICE USING
            MESSAGE = format('the book has changed: of %s settled days those are settled no more whose models it prices otherwise', days),
            HINT = format('Views read their calls until CALL %I.refresh() has run.', TG_TABLE_SCHEMA);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tell_unsettled() IS 'trigger of setting: says which changes leave days unsettled';

-- Makes tables, functions and the trigger in the schema that comes first in
-- search_path; called by install().
CREATE PROCEDURE install_settle() LANGUAGE plpgsql
AS $install$
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
$install$;
COMMENT ON PROCEDURE install_settle() IS 'part of install(): stored ledgers, what tells whether they hold, and refresh(), in the first schema of search_path';

CREATE PROCEDURE uninstall_settle() LANGUAGE plpgsql
AS $uninstall$
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
$uninstall$;
COMMENT ON PROCEDURE uninstall_settle() IS 'part of uninstall(): drops what install_settle() made';
