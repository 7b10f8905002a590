\echo Use "ALTER EXTENSION tokenomics UPDATE" to load this file. \quit
-- Written by "make upgrade-script"; do not edit.

SET LOCAL search_path = pg_catalog, pg_temp;

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
    BEGIN
        IF length(source) > 56 THEN
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

        -- functions run as who calls them, even in a view: these do not
        FOR described IN
            SELECT c.oid, c.relname FROM pg_class c
            WHERE c.relnamespace = source::text::regnamespace AND c.relkind = 'v'
              AND c.relname NOT IN ('usage', 'settlement', 'underuse')  -- which names users
              AND EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = c.relnamespace AND p.proname = c.relname || '_between'
                          AND (p.proargtypes::oid[]::regtype[])[0:2] = '{timestamptz,timestamptz,text}'::regtype[])
        LOOP
            EXECUTE format($format$
                CREATE OR REPLACE FUNCTION %1$I.%2$I(from_at timestamptz DEFAULT NULL, to_at timestamptz DEFAULT NULL, zone text DEFAULT NULL) RETURNS SETOF %3$I.%4$I
                    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
                AS 'BEGIN RETURN QUERY SELECT * FROM %3$I.%2$I($1, $2, $3); END'
                $format$, target, described.relname || '_between', source, described.relname);
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
        FOR described IN
            SELECT c.relname, a.attname, col_description(s.oid, b.attnum) AS remark
            FROM pg_class c JOIN pg_class s ON s.relnamespace = source::text::regnamespace AND s.relname = c.relname
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            JOIN pg_attribute b ON b.attrelid = s.oid AND b.attname = a.attname
            WHERE c.relnamespace = target::text::regnamespace AND c.relkind = 'v'
        LOOP
            EXECUTE format('COMMENT ON COLUMN %I.%I.%I IS %L', target, described.relname, described.attname, described.remark);
        END LOOP;
        -- of views that are new, or made anew, to who reads the others
        FOR described IN
            SELECT a.grantee::regrole AS role FROM pg_namespace n, aclexplode(n.nspacl) a
            WHERE n.nspname = target AND a.privilege_type = 'USAGE' AND a.grantee NOT IN (0, n.nspowner)
        LOOP
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
 SELECT NULL::integer AS int4,
     NULL::text AS text,
     NULL::text AS text,
     NULL::text AS text,
     NULL::text AS text
   WHERE false;
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
            SELECT jsonb_agg(jsonb_build_object('kind', 'view', 'name', old.relname, 'role', a.grantee::regrole, 'right', a.privilege_type, 'may_grant', a.is_grantable))
            FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = old.oid AND a.grantee <> c.relowner), '[]');
        CALL tokenomics.drop_retired_object('VIEW', old.oid::regclass::text);
    END LOOP;

    FOR old IN
        SELECT p.oid, p.proname, p.prokind FROM tokenomics.retired() r
        JOIN pg_proc p ON p.pronamespace = target_id AND p.proname = split_part(r.object, '(', 1)::name
                      AND format('(%s)', array_to_string(p.proargtypes::oid[]::regtype[], ', ')) = '(' || substr(r.object, strpos(r.object, '(') + 1)
        WHERE r.kind = 'function' AND r.was = tokenomics.shape('pg_proc', p.oid, r.becomes IS NULL)
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
        privileges := privileges || (
            SELECT coalesce(jsonb_agg(jsonb_build_object('kind', 'routine', 'name', old.proname, 'role', a.grantee::regrole, 'right', a.privilege_type, 'may_grant', a.is_grantable))
                            FILTER (WHERE a.grantee NOT IN (0, p.proowner)), '[]')
                   || CASE WHEN bool_or(a.grantee = 0) THEN '[]' ELSE jsonb_build_array(jsonb_build_object('kind', 'routine', 'name', old.proname)) END
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
                EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', old.relname, old.part, old.becomes);
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
        SELECT k.*, CASE k.kind WHEN 'view' THEN 'TABLE ' ELSE 'ROUTINE ' END || o.name AS object
        FROM jsonb_to_recordset(privileges) AS k(kind text, name name, role text, "right" text, may_grant boolean)
        JOIN (SELECT 'view' AS kind, c.relname, c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind = 'v'
              UNION ALL
              SELECT 'routine', p.proname, p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = quote_ident(current_schema())::regnamespace
             ) AS o(kind, relname, name) ON o.kind = k.kind AND o.relname = k.name
    LOOP
        IF kept.role IS NULL THEN
            EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', kept.object);
        ELSE
            EXECUTE format('GRANT %s ON %s TO %s%s', kept."right", kept.object, CASE kept.role WHEN '-' THEN 'PUBLIC' ELSE kept.role END, CASE WHEN kept.may_grant THEN ' WITH GRANT OPTION' ELSE '' END);
        END IF;
    END LOOP;
END
$procedure$
;
COMMENT ON PROCEDURE tokenomics.regrant(pg_catalog.jsonb) IS 'part of install(): gives again the privileges on what renew() dropped, to what has the same name';
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
