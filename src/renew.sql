-- What install() does before its rooms make what is theirs, where an older
-- version made it: it drops what cannot be replaced in place, or is made no more,
-- and brings tables up to date.  Data, and whatever else of the user's stands on
-- an install, stays; privileges on what is dropped are given again.
--
-- retired.sql, which "make upgrade-script" writes, says what differs.

CREATE FUNCTION shape(class regclass, object oid, with_comment boolean) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.concat_ws(' ',
    (SELECT pg_catalog.concat_ws(' ', p.prokind, p.proargnames, p.proargmodes, coalesce(p.proallargtypes, p.proargtypes::oid[])::regtype[], p.prorettype::regtype, p.proretset, p.pronargdefaults)
     FROM pg_catalog.pg_proc p WHERE class = 'pg_catalog.pg_proc'::regclass AND p.oid = object),
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
     FROM pg_catalog.pg_attribute a WHERE class = 'pg_catalog.pg_class'::regclass AND a.attrelid = object AND a.attnum > 0),
    CASE WHEN with_comment THEN pg_catalog.obj_description(object, CASE WHEN class = 'pg_catalog.pg_proc'::regclass THEN 'pg_proc' ELSE 'pg_class' END) END), 'UTF8')), 'hex'), 16);
COMMENT ON FUNCTION shape(regclass, oid, boolean) IS
    'part of install(): a digest of what CREATE OR REPLACE cannot change of a function or view of an install, first in search_path';

-- Drops a function or view, or says what stands in the way.
CREATE PROCEDURE drop_retired_object(kind text, name text) LANGUAGE plpgsql
AS $$
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
$$;
COMMENT ON PROCEDURE drop_retired_object(text, text) IS 'part of install(): drops what an older version made';

-- Adds a constraint, or says which row it does not allow.
CREATE PROCEDURE add_constraint(relation name, name name, definition text) LANGUAGE plpgsql
AS $$
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
$$;
COMMENT ON PROCEDURE add_constraint(name, name, text) IS 'part of install(): adds what an older version did not ask of a table';

CREATE PROCEDURE renew(INOUT privileges jsonb) LANGUAGE plpgsql
AS $$
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
$$;
COMMENT ON PROCEDURE renew(jsonb) IS
    'part of install(): drops what an older version made and this one cannot replace in place, in the first schema of search_path, and brings its tables up to date; returns the privileges that regrant() gives again';

CREATE PROCEDURE regrant(privileges jsonb) LANGUAGE plpgsql
AS $$
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
$$;
COMMENT ON PROCEDURE regrant(jsonb) IS 'part of install(): gives again the privileges on what renew() dropped, to what has the same name, and the same arguments where there is one that has';
