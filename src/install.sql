-- install(schema) and uninstall(schema): the tables, views and functions of one
-- install, in a schema of the caller's.

-- Fails where the schema holds objects of somebody but the caller, the owner
-- of the schema or a superuser: they could be used as if they were ours.
CREATE PROCEDURE check_owner(schema regnamespace) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stranger record;
BEGIN
    SELECT pg_describe_object(o.class, o.id, 0) AS object, pg_get_userbyid(o.owner) AS owner INTO stranger
    FROM (SELECT 'pg_class'::regclass, c.oid, c.relowner FROM pg_class c WHERE c.relnamespace = schema
          UNION ALL
          SELECT 'pg_proc'::regclass, p.oid, p.proowner FROM pg_proc p WHERE p.pronamespace = schema
          UNION ALL
          SELECT 'pg_type'::regclass, t.oid, t.typowner FROM pg_type t WHERE t.typnamespace = schema
          UNION ALL
          SELECT 'pg_operator'::regclass, p.oid, p.oprowner FROM pg_operator p WHERE p.oprnamespace = schema
         ) AS o(class, id, owner)
    JOIN pg_roles r ON r.oid = o.owner
    WHERE NOT r.rolsuper AND r.rolname <> current_user
      AND r.oid <> (SELECT nspowner FROM pg_namespace WHERE oid = schema)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format('schema %s holds objects of others', schema),
            DETAIL = format('%s belongs to "%s".', upper(left(stranger.object, 1)) || substr(stranger.object, 2), stranger.owner),
            HINT = 'Install into a schema of its own.';
    END IF;
END
$$;
COMMENT ON PROCEDURE check_owner(regnamespace) IS 'part of install(): refuses a schema that holds objects of others';

-- A name says nothing: a schema of somebody else's may have a table "setting"
-- too.  Ours has a column that no other table has.
CREATE FUNCTION is_install(schema text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname::text = schema AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
                 AND c.relname = 'setting' AND a.attname = 'only_row');
COMMENT ON FUNCTION is_install(text) IS 'part of install() and uninstall(): whether a schema holds what install() makes';

-- Fails where tables of the caller's own have the names of ours.
CREATE PROCEDURE check_names(schema text) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    taken name;
BEGIN
    IF tokenomics.is_install(check_names.schema) THEN
        RETURN;
    END IF;
    SELECT c.relname INTO taken
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname::text = check_names.schema
      AND c.relname IN ('setting', 'price', 'model_alias', 'fx_rate', 'usage', 'charge', 'dimension', 'usage_mark', 'settled',
                        'stored_ledger', 'seen_partition', 'settle_rule', 'seat', 'index_item', 'quote', 'operating_point',
                        'workload', 'model_quality', 'turn_outcome', 'budget', 'budget_alert', 'report',
                        'usage_id_mark', 'stored_measure', 'usage_blank_mark', 'usage_default')
      AND NOT (c.relname = 'usage' AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tokens'
                                                                           AND a.atttypid = 'tokenomics.tokens'::regtype))
    ORDER BY c.relname LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_table',
            MESSAGE = format('schema "%s" has a relation "%s" of its own', check_names.schema, taken),
            DETAIL = 'An install makes one of that name.',
            HINT = 'Install into a schema of its own.';
    END IF;
END
$$;
COMMENT ON PROCEDURE check_names(text) IS 'part of install(): refuses a schema that has relations of the same names and is no install';

-- A procedure that calls others with the schema first in search_path; each
-- qualifies all but the names that belong there.
CREATE PROCEDURE install(schema text, usage text, mapping jsonb) LANGUAGE plpgsql
AS $$
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
    -- a name that is cut off would be that of another schema
    IF install.schema::name::text OPERATOR(pg_catalog.<>) install.schema THEN
        RAISE EXCEPTION USING
            ERRCODE = 'name_too_long',
            MESSAGE = pg_catalog.format('cannot install into schema "%s"', install.schema),
            DETAIL = pg_catalog.format('A name has at most %s bytes.', pg_catalog.current_setting('max_identifier_length'));
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
    CALL tokenomics.check_names(install.schema);
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
    CALL tokenomics.install_measure();
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
$$;
COMMENT ON PROCEDURE install(text, text, jsonb) IS
    'as install(text, text, text), with a mapping made in SQL, as in usage_mapping(''litellm'', ''public."LiteLLM_SpendLogs"'') || ''{"team": "organization_id"}''';

CREATE PROCEDURE install(schema text, usage text DEFAULT NULL, mapping text DEFAULT NULL) LANGUAGE plpgsql
AS $$
BEGIN
    CALL tokenomics.install(install.schema, install.usage,
        CASE WHEN install.mapping OPERATOR(pg_catalog.~) '^\s*[\[{"]' THEN install.mapping::jsonb
             ELSE pg_catalog.to_jsonb(install.mapping) END);
END
$$;
COMMENT ON PROCEDURE install(text, text, text) IS
    'makes the tables and functions of tokenomics in a schema (the schema too where it is missing), as objects of the caller; again after an upgrade: it keeps all data. usage: a table or view of calls to read instead of making one; mapping: JSON, columns of usage to SQL expressions over it, or the name of a ready one: litellm, otel';

CREATE PROCEDURE uninstall(schema text) LANGUAGE plpgsql
AS $$
DECLARE
    path_before text := pg_catalog.current_setting('search_path');
    messages_before text := pg_catalog.current_setting('client_min_messages');
BEGIN
    IF tokenomics.is_install(uninstall.schema) IS NOT TRUE THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_object',
            MESSAGE = pg_catalog.format('there is no install in schema "%s"', uninstall.schema);
    END IF;
    PERFORM pg_catalog.set_config('search_path', pg_catalog.format('%I, pg_temp', uninstall.schema), true);
    PERFORM pg_catalog.set_config('client_min_messages', 'warning', true);

    CALL tokenomics.uninstall_reader();
    CALL tokenomics.uninstall_report();
    CALL tokenomics.uninstall_budget();
    CALL tokenomics.uninstall_value();
    CALL tokenomics.uninstall_quote();
    CALL tokenomics.uninstall_forecast();
    CALL tokenomics.uninstall_behaviour();
    CALL tokenomics.uninstall_growth();
    CALL tokenomics.uninstall_factors();
    CALL tokenomics.uninstall_focus();
    CALL tokenomics.uninstall_price_change();
    CALL tokenomics.uninstall_trends();
    CALL tokenomics.uninstall_measure();
    CALL tokenomics.uninstall_settle();
    CALL tokenomics.uninstall_charge();
    CALL tokenomics.uninstall_price_panel();
    CALL tokenomics.uninstall_profile();
    CALL tokenomics.uninstall_usage();
    CALL tokenomics.uninstall_default_prices();
    CALL tokenomics.uninstall_price_import();
    CALL tokenomics.uninstall_price();

    PERFORM pg_catalog.set_config('search_path', path_before, true);
    PERFORM pg_catalog.set_config('client_min_messages', messages_before, true);
END
$$;
COMMENT ON PROCEDURE uninstall(text) IS
    'drops what install() made in a schema, with all its data; the schema itself stays';
