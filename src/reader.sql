-- Readers: the views of an install for a role that is to see what was spent, but
-- not whose calls they were.

-- Makes the functions in the schema that comes first in search_path; called by
-- install() when all views are there.
CREATE PROCEDURE install_reader() LANGUAGE plpgsql
AS $install$
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
$install$;
COMMENT ON PROCEDURE install_reader() IS 'part of install(): grant_reader(), in the first schema of search_path';

CREATE PROCEDURE uninstall_reader() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    IF obj_description((SELECT n.oid FROM pg_namespace n WHERE n.nspname = current_schema() || '_reader'), 'pg_namespace')
        = format('tokenomics: what readers see of schema "%s"', current_schema()) THEN
        EXECUTE format('DROP SCHEMA %I CASCADE', current_schema() || '_reader');
    END IF;
    DROP FUNCTION IF EXISTS grant_reader(name), make_reader_views();
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_reader() IS 'part of uninstall(): drops what install_reader() and grant_reader() made';
