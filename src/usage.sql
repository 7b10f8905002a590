-- The calls: table usage, partitioned by month, or a view named so over a table
-- of the user's own; and the functions of an install that fill it.

-- The columns of usage, in their order: those of the table, and of the view.
CREATE FUNCTION usage_columns(OUT name text, OUT type text, OUT is_needed boolean, OUT description text) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
VALUES
    ('at', 'timestamp with time zone', true, 'when the call was made'),
    ('tokens', 'tokenomics.tokens', false, 'tokens used, by meter; NULL: the vendor reported none'),
    ('provider', 'text', true, 'who charges it'),
    ('model', 'text', true, 'model, as the provider or the log names it'),
    ('service_tier', 'text', false, 'tier that served it: batch, flex, priority, ...; NULL: standard'),
    ('calls', 'bigint', false, 'calls in this row; more than 1: a bucket of a vendor''s usage report'),
    ('request_id', 'text', false, 'the vendor''s id of the call; the same id within 7 days is the same call'),
    ('user_id', 'text', false, 'for whom the call was made'),
    ('session_id', 'text', false, 'conversation it is part of'),
    ('turn_id', 'text', false, 'user prompt it serves, globally unique; all calls of an agent for one prompt share it'),
    ('agent', 'text', false, 'program or agent that made it'),
    ('team', 'text', false, 'team that pays'),
    ('project', 'text', false, 'project it is for'),
    ('status', 'text', false, 'how it ended, as the log says'),
    ('tags', 'jsonb', false, 'anything else to group by'),
    ('ttft', 'integer', false, 'milliseconds to the first visible token'),
    ('duration', 'integer', false, 'milliseconds to the end'),
    ('billed', 'numeric', false, 'what the vendor says it charged'),
    ('billed_currency', 'text', false, 'currency of billed');
END;
COMMENT ON FUNCTION usage_columns() IS 'the columns of usage in their order: name, type, whether a source must have it, and what it is';

-- The tier that SERVED a call, not the one that was asked for.
CREATE FUNCTION service_tier_from(body jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT CASE pg_catalog.lower(t.tier)
           WHEN '' THEN NULL
           WHEN 'auto' THEN NULL
           WHEN 'traffic_type_unspecified' THEN NULL
           WHEN 'standard' THEN NULL
           WHEN 'default' THEN NULL
           WHEN 'on_demand' THEN NULL
           WHEN 'on_demand_priority' THEN 'priority'
           WHEN 'on_demand_flex' THEN 'flex'
           ELSE pg_catalog.lower(t.tier) END
    FROM (SELECT coalesce(body ->> 'service_tier', body #>> '{usage,service_tier}',
                          body ->> 'openai.response.service_tier', body ->> 'gen_ai.openai.response.service_tier',
                          body #>> '{usageMetadata,trafficType}', body ->> 'trafficType') AS tier) AS t
);
COMMENT ON FUNCTION service_tier_from(jsonb) IS
    'the service tier that a response of OpenAI, Anthropic or Gemini, or a span of OpenTelemetry, says it was served by; OpenAI''s "default" is standard; NULL where it is standard, or where it does not say';

-- OpenTelemetry's names of providers that price lists call otherwise.
CREATE FUNCTION provider_from_otel(attributes jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT CASE p.name
           WHEN '' THEN NULL
           WHEN 'gcp.gemini' THEN 'google'
           WHEN 'gcp.vertex_ai' THEN 'google'
           WHEN 'gcp.gen_ai' THEN 'google'
           WHEN 'gemini' THEN 'google'
           WHEN 'vertex_ai' THEN 'google'
           WHEN 'aws.bedrock' THEN 'aws'
           WHEN 'azure.ai.openai' THEN 'azure'
           WHEN 'azure.ai.inference' THEN 'azure'
           WHEN 'az.ai.openai' THEN 'azure'
           WHEN 'az.ai.inference' THEN 'azure'
           WHEN 'mistral_ai' THEN 'mistral'
           WHEN 'x_ai' THEN 'x-ai'
           WHEN 'xai' THEN 'x-ai'
           ELSE p.name END
    FROM (SELECT coalesce(attributes ->> 'gen_ai.provider.name', attributes ->> 'gen_ai.system') AS name) AS p
);
COMMENT ON FUNCTION provider_from_otel(jsonb) IS 'the provider of a span of OpenTelemetry, by the name that the default prices give it';

/*
 * The ready mappings, of column to SQL expression.  What a source does not have
 * (older versions lack columns) is left out, unless usage needs it.
 */
CREATE FUNCTION usage_mapping(name text, source regclass) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    columns text[] := ARRAY(SELECT a.attname::text FROM pg_attribute a
                            WHERE a.attrelid = usage_mapping.source AND a.attnum > 0 AND NOT a.attisdropped);
    milliseconds text := 'CASE WHEN %1$I > %2$I THEN least(extract(epoch FROM %1$I - %2$I) * 1000, 2147483647)::integer END';
    moment text := (SELECT CASE WHEN a.atttypid = 'timestamp'::regtype THEN format('%I AT TIME ZONE ''UTC''', a.attname) ELSE quote_ident(a.attname) END
                    FROM pg_attribute a WHERE a.attrelid = usage_mapping.source AND a.attname = ANY (ARRAY['startTime', 'start_time'])
                    ORDER BY a.attname = CASE usage_mapping.name WHEN 'litellm' THEN 'startTime' ELSE 'start_time' END DESC LIMIT 1);
    entry record;
    result jsonb := '{}';
BEGIN
    IF usage_mapping.name IS NULL OR usage_mapping.name NOT IN ('litellm', 'otel') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('there is no ready mapping "%s"', usage_mapping.name),
            HINT = 'The ready mappings are "litellm" and "otel"; your own is JSON, as in {"at": "created", "model": "model_name"}.';
    END IF;
    FOR entry IN
        SELECT * FROM (VALUES
            ('litellm', 'at', '{startTime}'::text[], moment),
            ('litellm', 'tokens', '{prompt_tokens,completion_tokens,metadata}', 'tokenomics.try_tokens_from_litellm(prompt_tokens, completion_tokens, metadata::jsonb)'),
            ('litellm', 'provider', '{custom_llm_provider,model}', 'coalesce(nullif(custom_llm_provider, ''''), CASE WHEN strpos(model, ''/'') > 1 THEN split_part(model, ''/'', 1) END)'),
            ('litellm', 'model', '{model}', 'nullif(model, '''')'),
            ('litellm', 'service_tier', '{metadata}', 'tokenomics.service_tier_from(metadata::jsonb -> ''usage_object'')'),
            ('litellm', 'request_id', '{request_id}', 'request_id'),
            ('litellm', 'user_id', '{end_user,user}', 'coalesce(nullif(end_user, ''''), nullif("user", ''''))'),
            ('litellm', 'session_id', '{session_id}', 'nullif(session_id, '''')'),
            ('litellm', 'agent', '{agent_id}', 'nullif(agent_id, '''')'),
            ('litellm', 'team', '{team_id}', 'nullif(team_id, '''')'),
            ('litellm', 'project', '{metadata}', 'nullif(metadata::jsonb ->> ''user_api_key_project_id'', '''')'),
            ('litellm', 'status', '{status}', 'nullif(status, '''')'),
            ('litellm', 'tags', '{request_tags}', 'nullif(request_tags::jsonb, ''[]''::jsonb)'),
            -- of an answer that was not streamed LiteLLM writes its end
            ('litellm', 'ttft', '{completionStartTime,startTime,endTime}', 'CASE WHEN "completionStartTime" < "endTime" THEN ' || format(milliseconds, 'completionStartTime', 'startTime') || ' END'),
            ('litellm', 'duration', '{endTime,startTime}', format(milliseconds, 'endTime', 'startTime')),
            -- LiteLLM writes a spend of 0 where it knows no price
            ('litellm', 'billed', '{spend}', 'nullif(spend::numeric, 0)'),
            ('litellm', 'billed_currency', '{spend}', 'CASE WHEN spend::numeric <> 0 THEN ''USD'' END'),
            -- answered from LiteLLM's own cache: no vendor was called
            ('litellm', 'where', '{cache_hit}', 'lower(cache_hit::text) IS DISTINCT FROM ''true'''),
            ('otel', 'at', '{start_time}', moment),
            ('otel', 'tokens', '{attributes}', 'tokenomics.try_tokens_from(''otel'', attributes::jsonb)'),
            ('otel', 'provider', '{attributes}', 'tokenomics.provider_from_otel(attributes::jsonb)'),
            ('otel', 'model', '{attributes}', 'coalesce(attributes ->> ''gen_ai.response.model'', attributes ->> ''gen_ai.request.model'')'),
            ('otel', 'service_tier', '{attributes}', 'tokenomics.service_tier_from(attributes::jsonb)'),
            ('otel', 'request_id', '{attributes}', 'attributes ->> ''gen_ai.response.id'''),
            ('otel', 'request_id', '{attributes,span_id}', 'coalesce(attributes ->> ''gen_ai.response.id'', span_id::text)'),
            ('otel', 'user_id', '{attributes}', 'coalesce(attributes ->> ''user.id'', attributes ->> ''enduser.id'')'),
            ('otel', 'session_id', '{attributes}', 'coalesce(attributes ->> ''gen_ai.conversation.id'', attributes ->> ''session.id'')'),
            ('otel', 'turn_id', '{trace_id}', 'trace_id'),
            ('otel', 'agent', '{attributes}', 'coalesce(attributes ->> ''gen_ai.agent.name'', attributes ->> ''gen_ai.agent.id'')'),
            ('otel', 'status', '{attributes}', 'CASE WHEN attributes ->> ''error.type'' IS NULL THEN ''success'' ELSE ''failure'' END'),
            ('otel', 'duration', '{end_time,start_time}', format(milliseconds, 'end_time', 'start_time')),
            -- calls of models only: the span of an agent may repeat the tokens of the calls within it
            ('otel', 'where', '{attributes}', 'CASE WHEN attributes ->> ''gen_ai.operation.name'' IS NULL THEN attributes::jsonb ?| ARRAY[''gen_ai.usage.input_tokens'', ''gen_ai.usage.prompt_tokens'']'
                || ' ELSE attributes ->> ''gen_ai.operation.name'' IN (''chat'', ''text_completion'', ''generate_content'', ''embeddings'') END')
        ) AS v(mapping, name, needs, expression)
        WHERE v.mapping = usage_mapping.name
    LOOP
        IF entry.needs <@ columns THEN
            result := result || jsonb_build_object(entry.name, entry.expression);
        ELSIF entry.name IN ('at', 'tokens', 'provider', 'model') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_column',
                MESSAGE = format('%s has no column "%s", which mapping "%s" needs', usage_mapping.source,
                                 (SELECT n FROM unnest(entry.needs) AS n WHERE n <> ALL (columns) LIMIT 1), usage_mapping.name);
        ELSIF NOT result ? entry.name THEN
            result := result || jsonb_build_object(entry.name, NULL);
        END IF;
    END LOOP;
    RETURN result;
END
$$;
COMMENT ON FUNCTION usage_mapping(text, regclass) IS
    'a ready mapping for install(): "litellm" for LiteLLM''s "LiteLLM_SpendLogs"; "otel" for spans with columns start_time and attributes, and end_time, trace_id and span_id where there are';

/*
 * Makes the view usage in the first schema of search_path.  Expressions are code
 * that runs with the rights of who reads the view; names in them are looked up
 * in pg_catalog, tokenomics and the schema of the source.
 */
CREATE PROCEDURE install_usage_view(source regclass, mapping jsonb) LANGUAGE plpgsql
AS $install$
DECLARE
    target text := pg_catalog.quote_ident(pg_catalog.current_schema());
    path_before text := pg_catalog.current_setting('search_path');
    source_schema text;
    source_name text;
    mapping_used jsonb := coalesce(install_usage_view.mapping, '{}');
    wrong text;
    col record;
    own record;
    expression text;
    expression_type oid;
    is_not_null boolean;
    list text := '';
    condition text := '';
BEGIN
    SELECT n.nspname, pg_catalog.format('%I.%I', n.nspname, c.relname) INTO source_schema, source_name
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) install_usage_view.source;
    PERFORM pg_catalog.set_config('search_path', pg_catalog.format('pg_catalog, tokenomics, %I, pg_temp', source_schema), true);
    IF jsonb_typeof(mapping_used) <> 'object' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'a mapping is a JSON object of column and SQL expression',
            HINT = 'As in {"at": "created", "model": "model_name"}.';
    END IF;
    SELECT k.key INTO wrong FROM jsonb_each(mapping_used) AS k
    WHERE k.key <> 'where' AND k.key NOT IN (SELECT c.name FROM usage_columns() AS c) ORDER BY k.key LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_column',
            MESSAGE = format('usage has no column "%s"', wrong),
            HINT = format('The columns are: %s; "where" is a condition on the rows.', (SELECT string_agg(c.name, ', ') FROM usage_columns() AS c));
    END IF;
    SELECT k.key INTO wrong FROM jsonb_each(mapping_used) AS k WHERE jsonb_typeof(k.value) NOT IN ('string', 'null') ORDER BY k.key LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the mapping of column "%s" is not a string', wrong),
            HINT = 'It is an SQL expression over the source, or null.';
    END IF;

    FOR col IN SELECT c.name, c.type, c.type::regtype::oid AS type_oid, c.is_needed FROM usage_columns() AS c LOOP
        expression := mapping_used ->> col.name;
        is_not_null := false;
        IF NOT mapping_used ? col.name THEN
            -- a column that is called the same stands for itself, if its type does
            SELECT a.atttypid, a.attnotnull, t.typcategory INTO own FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
            WHERE a.attrelid = install_usage_view.source AND a.attname = col.name::name AND a.attnum > 0 AND NOT a.attisdropped;
            IF FOUND THEN
                IF own.atttypid <> col.type_oid AND NOT (col.type_oid = 'text'::regtype AND own.typcategory = 'S')
                    AND NOT (col.type_oid = ANY (ARRAY['bigint'::regtype, 'integer'::regtype])
                             AND own.atttypid = ANY (ARRAY['bigint'::regtype, 'integer'::regtype, 'smallint'::regtype])) THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'datatype_mismatch',
                        MESSAGE = format('column "%s" of %s is of type %s, not %s', col.name, source_name, own.atttypid::regtype, col.type),
                        HINT = format('Map it: {"%s": "an expression"}, or {"%s": null} to leave it out.', col.name, col.name);
                END IF;
                expression := quote_ident(col.name);
                is_not_null := own.attnotnull;
            END IF;
        END IF;
        IF expression IS NULL THEN
            IF col.is_needed THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'undefined_column',
                    MESSAGE = format('usage needs a column "%s", which neither the mapping nor %s has', col.name, source_name),
                    HINT = format('Name it in the mapping, as in {"%s": "an expression"}; a constant is written with its quotes, as in "''openai''".', col.name);
            END IF;
            expression := CASE col.name WHEN 'calls' THEN '1::bigint' ELSE format('NULL::%s', col.type) END;
        ELSE
            BEGIN
                EXECUTE format('SELECT pg_typeof(x.value)::oid FROM (SELECT) AS one LEFT JOIN LATERAL (SELECT (%s' || E'\n' || ') AS value FROM %s AS source LIMIT 0) AS x ON true',
                               expression, source_name) INTO expression_type;
            EXCEPTION WHEN OTHERS THEN
                RAISE EXCEPTION USING
                    ERRCODE = SQLSTATE,
                    MESSAGE = format('the mapping of column "%s" fails: %s', col.name, SQLERRM),
                    DETAIL = format('It is the expression: %s', expression),
                    HINT = format('It is an SQL expression over the columns of %s.', source_name);
            END;
            -- a timestamp without a zone would be another moment for each reader's TimeZone
            IF NOT (expression_type = col.type_oid
                    OR expression_type = 'unknown'::regtype
                    OR col.name <> 'at' AND (col.type_oid = 'text'::regtype
                        OR col.name = 'tokens' AND expression_type = 'jsonb'::regtype
                        OR col.name <> 'tokens' AND EXISTS (SELECT FROM pg_cast c WHERE c.castsource = expression_type AND c.casttarget = col.type_oid AND c.castcontext IN ('a', 'i')))) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'datatype_mismatch',
                    MESSAGE = format('the mapping of column "%s" is of type %s, not %s', col.name, expression_type::regtype, col.type),
                    DETAIL = format('It is the expression: %s', expression),
                    HINT = CASE WHEN col.name = 'at' THEN 'Say in which zone it is, as in: created AT TIME ZONE ''UTC''.'
                                WHEN col.name = 'tokens' THEN 'As in: tokens(input => prompt_tokens, output => completion_tokens).'
                                ELSE format('Make it one, as in: (%s)::%s.', expression, col.type) END;
            END IF;
            expression := format('(%s' || CASE WHEN strpos(expression, '--') > 0 THEN E'\n' ELSE '' END || ')::%s', expression, col.type);
            IF col.name IN ('provider', 'model') AND NOT is_not_null THEN
                expression := format('coalesce(%s, ''unknown'')', expression);
            ELSIF col.name = 'calls' AND NOT is_not_null THEN
                expression := format('coalesce(%s, 1)', expression);
            END IF;
        END IF;
        list := list || CASE WHEN list = '' THEN '' ELSE ', ' END || format('%s AS %I', expression, col.name);
    END LOOP;
    IF mapping_used ->> 'where' IS NOT NULL THEN
        BEGIN
            EXECUTE format('SELECT FROM %s AS source WHERE (%s' || E'\n' || ') LIMIT 0', source_name, mapping_used ->> 'where');
        EXCEPTION WHEN OTHERS THEN
            RAISE EXCEPTION USING
                ERRCODE = SQLSTATE,
                MESSAGE = format('the condition "where" of the mapping fails: %s', SQLERRM),
                DETAIL = format('It is the expression: %s', mapping_used ->> 'where'),
                HINT = format('It is a condition on the rows of %s.', source_name);
        END;
        condition := format(' WHERE (%s' || E'\n' || ')', mapping_used ->> 'where');
    END IF;
    EXECUTE format('CREATE OR REPLACE VIEW %s.usage WITH (security_invoker = true) AS SELECT %s FROM %s AS source%s',
                   target, list, source_name, condition);
    EXECUTE format('COMMENT ON VIEW %s.usage IS %L', target, format('tokenomics: the calls, as %s holds them', source_name));
    PERFORM set_config('search_path', path_before, true);
END
$install$;
COMMENT ON PROCEDURE install_usage_view(regclass, jsonb) IS 'part of install(): the view usage over a table or view of the user''s own, in the first schema of search_path';

CREATE PROCEDURE install_usage(source regclass DEFAULT NULL, mapping jsonb DEFAULT NULL) LANGUAGE plpgsql
AS $install$
DECLARE
    kind "char" := (SELECT c.relkind FROM pg_class c WHERE c.relname = 'usage' AND c.relnamespace = quote_ident(current_schema())::regnamespace);
    col record;
BEGIN
    IF install_usage.source IS NOT NULL THEN
        IF kind IS NOT NULL AND kind <> 'v' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('the install in schema "%s" has a table "usage" of its own', current_schema()),
                HINT = 'Install into another schema, or uninstall this one first.';
        END IF;
        CALL tokenomics.install_usage_view(install_usage.source, install_usage.mapping);
        kind := 'v';
    END IF;
    IF kind IS DISTINCT FROM 'v' THEN
        CREATE TABLE IF NOT EXISTS usage (
            at timestamptz NOT NULL CONSTRAINT usage_at_finite CHECK (isfinite(at)),
            tokens tokenomics.tokens,
            provider text NOT NULL,
            model text NOT NULL,
            service_tier text,
            calls bigint NOT NULL DEFAULT 1 CONSTRAINT usage_calls_positive CHECK (calls > 0),
            request_id text,
            user_id text,
            session_id text,
            turn_id text,
            agent text,
            team text,
            project text,
            status text,
            tags jsonb,
            ttft integer CONSTRAINT usage_ttft_not_negative CHECK (ttft >= 0),
            duration integer CONSTRAINT usage_duration_not_negative CHECK (duration >= 0),
            billed numeric CONSTRAINT usage_billed_not_negative CHECK (billed >= 0 AND billed < 'infinity'),
            billed_currency text CONSTRAINT usage_billed_currency_is_one CHECK (billed_currency ~ '^[A-Z][A-Z0-9_]{2,7}$'),
            CONSTRAINT usage_billed_with_currency CHECK ((billed IS NULL) = (billed_currency IS NULL)),
            CONSTRAINT usage_null_not_empty CHECK (provider <> '' AND model <> '' AND service_tier <> '' AND request_id <> ''
                AND user_id <> '' AND session_id <> '' AND turn_id <> '' AND agent <> '' AND team <> '' AND project <> ''),
            CONSTRAINT usage_request UNIQUE (request_id, at)
        ) PARTITION BY RANGE (at);
        -- BRIN: calls come about in the order of time, and the month is the
        -- partition's; a btree would cost each call more than its tokens do
        CREATE INDEX IF NOT EXISTS usage_at ON usage USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
        CREATE TABLE IF NOT EXISTS usage_default PARTITION OF usage DEFAULT;
        COMMENT ON TABLE usage IS 'tokenomics: the calls, partitioned by month (UTC)';
        COMMENT ON TABLE usage_default IS 'tokenomics: calls of months without a partition; ensure_partitions() moves them';
        FOR col IN SELECT * FROM tokenomics.usage_columns() LOOP
            EXECUTE format('COMMENT ON COLUMN usage_default.%I IS %L', col.name, col.description);
        END LOOP;
    END IF;
    FOR col IN SELECT * FROM tokenomics.usage_columns() LOOP
        EXECUTE format('COMMENT ON COLUMN %I.usage.%I IS %L', current_schema(), col.name, col.description);
    END LOOP;
    IF kind = 'v' THEN
        RETURN;
    END IF;

    CREATE OR REPLACE FUNCTION ensure_partitions(
        from_date date DEFAULT NULL,
        to_date date DEFAULT NULL,
        OUT month date,
        OUT rows_moved bigint
    ) RETURNS SETOF record
        LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC'
    AS $$
    #variable_conflict use_column
    DECLARE
        first timestamptz := date_trunc('month', from_date::timestamptz);
        last timestamptz := date_trunc('month', coalesce(to_date::timestamptz, now() + interval '3 months'));
        others regclass := (SELECT nullif(p.partdefid, 0) FROM pg_partitioned_table p WHERE p.partrelid = 'usage'::regclass);
        columns text := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                         WHERE a.attrelid = 'usage'::regclass AND a.attnum > 0 AND NOT a.attisdropped);
        table_owner name := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = 'usage'::regclass);
        months timestamptz[];
        starts timestamptz;
        partition text;
    BEGIN
        IF NOT isfinite(coalesce(from_date, 'epoch')) OR NOT isfinite(coalesce(to_date, 'epoch'))
            OR least(from_date, to_date) < '0001-01-01'::date OR first > last THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('there are no months from %s to %s', coalesce(from_date::text, 'the first'), coalesce(to_date::text, last::date::text));
        END IF;
        IF first < last - interval '600 months' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'program_limit_exceeded',
                MESSAGE = format('from %s to %s are more than 600 months', first::date, last::date),
                HINT = 'Without a first date only months that hold calls get a partition, and those ahead.';
        END IF;
        -- Runs take turns.  Each looks first, for most often there is nothing to
        -- do, and then keeps all others out: a row that was on its way to the
        -- default partition would find its month gone from there, and fail.
        -- Readers wait too: one that went on to write would be a deadlock.
        PERFORM pg_advisory_xact_lock('usage'::regclass::oid::integer, 'ensure_partitions'::regproc::oid::integer);
        FOR attempt IN 1 .. 2 LOOP
            IF attempt = 1 THEN
                LOCK TABLE ONLY usage IN ACCESS SHARE MODE;
            ELSE
                LOCK TABLE ONLY usage IN ACCESS EXCLUSIVE MODE;
            END IF;
            months := ARRAY(SELECT generate_series(coalesce(first, date_trunc('month', now())), last, interval '1 month'));
            IF others IS NOT NULL THEN
                EXECUTE format('SELECT $1 || ARRAY(SELECT DISTINCT date_trunc(''month'', at) FROM %s WHERE at >= $2 AND at < $3)', others)
                INTO months USING months, coalesce(first, '0001-01-01'::timestamptz), last + interval '1 month';
            END IF;
            months := ARRAY(
                SELECT DISTINCT m FROM unnest(months) AS m
                WHERE NOT EXISTS (
                    SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
                         regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') AS b
                    WHERE i.inhparent = 'usage'::regclass AND b IS NOT NULL
                      AND (b[1] = 'MINVALUE' OR btrim(b[1], '''')::timestamptz < m + interval '1 month')
                      AND (b[2] = 'MAXVALUE' OR btrim(b[2], '''')::timestamptz > m))
                ORDER BY m);
            IF months = '{}' THEN
                RETURN;
            END IF;
        END LOOP;

        FOREACH starts IN ARRAY months LOOP
            partition := 'usage_y' || to_char(starts, 'YYYY"m"MM');
            IF EXISTS (SELECT FROM pg_class c WHERE c.relname = partition::name
                       AND c.relnamespace = (SELECT u.relnamespace FROM pg_class u WHERE u.oid = 'usage'::regclass)) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'duplicate_table',
                    MESSAGE = format('relation "%s" already exists', partition),
                    DETAIL = 'It is not a partition of "usage".',
                    HINT = 'Attach it, rename it or drop it.';
            END IF;
            EXECUTE format('CREATE TABLE %I (LIKE usage INCLUDING ALL EXCLUDING INDEXES)', partition);
            EXECUTE format('COMMENT ON TABLE %I IS %L', partition, format('tokenomics: calls of %s (UTC)', to_char(starts, 'YYYY-MM')));
            IF table_owner <> current_user THEN
                EXECUTE format('ALTER TABLE %I OWNER TO %I', partition, table_owner);
            END IF;
            rows_moved := 0;
            IF others IS NOT NULL THEN
                EXECUTE format('WITH moved AS (DELETE FROM %s WHERE at >= $1 AND at < $2 RETURNING %s) INSERT INTO %I (%s) SELECT %s FROM moved ORDER BY at',
                               others, columns, partition, columns, columns)
                USING starts, starts + interval '1 month';
                GET DIAGNOSTICS rows_moved = ROW_COUNT;
            END IF;
            EXECUTE format('ALTER TABLE usage ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, starts, starts + interval '1 month');
            month := starts::date;
            RETURN NEXT;
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION ensure_partitions(date, date) IS
        'makes the monthly partitions (UTC) that are missing, moves their rows out of the default partition, and returns each; by default of months that hold such rows, and of this month and the next three; from a date on, of every month';

    CREATE OR REPLACE FUNCTION log_call(
        vendor text,
        usage_json jsonb,
        model text DEFAULT NULL,
        provider text DEFAULT NULL,
        at timestamptz DEFAULT clock_timestamp(),
        service_tier text DEFAULT NULL,
        calls bigint DEFAULT 1,
        request_id text DEFAULT NULL,
        user_id text DEFAULT NULL,
        session_id text DEFAULT NULL,
        turn_id text DEFAULT NULL,
        agent text DEFAULT NULL,
        team text DEFAULT NULL,
        project text DEFAULT NULL,
        status text DEFAULT NULL,
        tags jsonb DEFAULT NULL,
        ttft integer DEFAULT NULL,
        duration integer DEFAULT NULL,
        billed numeric DEFAULT NULL,
        billed_currency text DEFAULT NULL
    ) RETURNS tokenomics.tokens
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        used tokenomics.tokens;
        of_provider text := coalesce(log_call.provider, CASE vendor WHEN 'gemini' THEN 'google' WHEN 'otel' THEN tokenomics.provider_from_otel(usage_json) ELSE vendor END);
        of_model text := coalesce(log_call.model, usage_json ->> 'model', usage_json ->> 'modelVersion',
                                  usage_json ->> 'gen_ai.response.model', usage_json ->> 'gen_ai.request.model');
    BEGIN
        IF vendor IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'null_value_not_allowed',
                MESSAGE = 'log_call() needs a vendor, whose form of usage it reads';
        END IF;
        -- without a body too it says which vendors it knows
        PERFORM tokenomics.try_tokens_from(vendor, '{}');
        used := tokenomics.tokens_from(vendor, usage_json);
        IF of_provider IS NULL OR of_model IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'null_value_not_allowed',
                MESSAGE = format('log_call() needs a %s', CASE WHEN of_model IS NULL THEN 'model' ELSE 'provider' END),
                DETAIL = 'Neither an argument nor the body names it.',
                HINT = format('Pass it, as in log_call(..., %s => ...).', CASE WHEN of_model IS NULL THEN 'model' ELSE 'provider' END);
        END IF;
        INSERT INTO usage (at, tokens, provider, model, service_tier, calls, request_id, user_id, session_id, turn_id, agent, team,
                           project, status, tags, ttft, duration, billed, billed_currency)
        VALUES (coalesce(log_call.at, clock_timestamp()), used, of_provider, of_model,
                coalesce(log_call.service_tier, tokenomics.service_tier_from(usage_json)), coalesce(log_call.calls, 1),
                coalesce(log_call.request_id, usage_json ->> 'id', usage_json ->> 'responseId', usage_json ->> 'gen_ai.response.id'),
                log_call.user_id, log_call.session_id, log_call.turn_id, log_call.agent, log_call.team, log_call.project,
                log_call.status, log_call.tags, log_call.ttft, log_call.duration, log_call.billed, log_call.billed_currency);
        RETURN used;
    END
    $$;
    COMMENT ON FUNCTION log_call(text, jsonb, text, text, timestamptz, text, bigint, text, text, text, text, text, text, text, text, jsonb, integer, integer, numeric, text) IS
        'records one call from the response (or its usage object) of "openai", "anthropic" or "gemini", or the attributes of an "otel" span; what is not given is taken from it; a body of NULL is a call whose tokens nobody reported; returns its tokens, as cost() takes them';

    CREATE OR REPLACE FUNCTION load_usage(
        source regclass,
        on_conflict text DEFAULT 'skip',
        OUT outcome text,
        OUT rows bigint,
        OUT example_request_id text
    ) RETURNS SETOF record
        LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        col record;
        columns text := '';      -- of usage, that the source has
        read text := '';         -- the same, as they are read
        set_list text := '';
        differs text := '';      -- whether rows a and b differ in one of them
        span record;
        far record;
        chosen_id text;
        chosen_at timestamptz;
        chosen_row bigint;
        rows_far bigint[] := '{}';
        rows_chosen bigint[] := '{}';
        problem record;
    BEGIN
        IF source IS NULL OR on_conflict IS NULL OR on_conflict NOT IN ('skip', 'replace', 'error') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = CASE WHEN source IS NULL THEN 'load_usage() needs a table or view to load from' ELSE format('on_conflict cannot be "%s"', on_conflict) END,
                HINT = 'on_conflict is "skip", "replace" or "error".';
        END IF;
        IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_transaction_state',
                MESSAGE = 'load_usage() needs isolation level READ COMMITTED',
                DETAIL = format('In %s it would not see what another load has just committed, and would load it again.', upper(current_setting('transaction_isolation')));
        END IF;
        FOR col IN
            SELECT a.attname, a.atttypid, u.name, u.type, u.type::regtype::oid AS type_oid, u.is_needed
            FROM (SELECT * FROM pg_attribute a WHERE a.attrelid = load_usage.source AND a.attnum > 0 AND NOT a.attisdropped) AS a
            FULL JOIN tokenomics.usage_columns() WITH ORDINALITY AS u(name, type, is_needed, description, n) ON u.name = a.attname::text
            WHERE a.attname IS NOT NULL OR u.is_needed
            ORDER BY u.n NULLS FIRST, a.attnum
        LOOP
            IF col.name IS NULL OR col.attname IS NULL THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'undefined_column',
                    MESSAGE = CASE WHEN col.name IS NULL THEN format('usage has no column "%s", which %s has', col.attname, load_usage.source)
                                   ELSE format('%s has no column "%s", which usage needs', load_usage.source, col.name) END,
                    HINT = format('Load from a view with columns of usage: %s.', (SELECT string_agg(u.name, ', ') FROM tokenomics.usage_columns() AS u));
            END IF;
            -- a timestamp without a zone would depend on the session's TimeZone
            IF col.name = 'at' AND col.atttypid <> col.type_oid THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'datatype_mismatch',
                    MESSAGE = format('column "at" of %s is of type %s, not timestamp with time zone', load_usage.source, col.atttypid::regtype),
                    HINT = 'Load from a view that says in which zone it is, as in: created AT TIME ZONE ''UTC'' AS at.';
            END IF;
            IF col.atttypid <> col.type_oid THEN
                BEGIN
                    EXECUTE format('SELECT %I::%s FROM %s LIMIT 0', col.name, col.type, load_usage.source);
                EXCEPTION WHEN cannot_coerce THEN
                    RAISE EXCEPTION USING
                        ERRCODE = 'cannot_coerce',
                        MESSAGE = format('column "%s" of %s is of type %s, not %s', col.name, load_usage.source, col.atttypid::regtype, col.type);
                END;
            END IF;
            columns := columns || CASE WHEN columns = '' THEN '' ELSE ', ' END || quote_ident(col.name);
            read := read || CASE WHEN read = '' THEN '' ELSE ', ' END || format('%I::%s AS %I', col.name, col.type, col.name);
            set_list := set_list || CASE WHEN set_list = '' THEN '' ELSE ', ' END || format('%I = s.%I', col.name, col.name);
            differs := differs || CASE WHEN differs = '' THEN '' ELSE ' OR ' END
                || format(CASE WHEN col.name = 'tokens' THEN 'a.%I::text IS DISTINCT FROM b.%I::text' ELSE 'a.%I IS DISTINCT FROM b.%I' END, col.name, col.name);
        END LOOP;

        -- Another load at the same time may hold the same calls, which neither
        -- would see before it commits: loads into one install take turns.  Other
        -- writers need not wait.
        PERFORM pg_advisory_xact_lock('usage'::regclass::oid::integer, 'load_usage'::regproc::oid::integer);

        EXECUTE format('CREATE TEMP TABLE load_usage_source ON COMMIT DROP AS SELECT row_number() OVER () AS load_row, %s FROM %s', read, load_usage.source);
        IF position('request_id' IN columns) = 0 THEN
            EXECUTE 'ALTER TABLE pg_temp.load_usage_source ADD request_id text';
        END IF;
        ANALYZE pg_temp.load_usage_source;
        EXECUTE 'SELECT min(at) - interval ''168 hours'' AS first, max(at) + interval ''168 hours'' AS last FROM pg_temp.load_usage_source WHERE request_id IS NOT NULL AND isfinite(at)'
        INTO span;

        -- As if the rows came one by one in the order of time.  "existing" is the
        -- row of the table nearest to one of the source.
        IF on_conflict = 'replace' THEN
            -- each replaces the one before it, so those that follow each other by
            -- at most 7 days are one call, of which the last is chosen
            EXECUTE format($query$
                CREATE TEMP TABLE load_usage_plan ON COMMIT DROP AS
                WITH gap AS (
                    SELECT s.load_row, s.request_id, s.at,
                           s.at - interval '168 hours' > lag(s.at) OVER (PARTITION BY s.request_id ORDER BY s.at, s.load_row) AS is_new
                    FROM pg_temp.load_usage_source s WHERE s.request_id IS NOT NULL
                ), island AS (
                    SELECT g.load_row, g.request_id, g.at,
                           count(*) FILTER (WHERE g.is_new) OVER (PARTITION BY g.request_id ORDER BY g.at, g.load_row) AS island
                    FROM gap g
                ), chosen AS (
                    SELECT i.*, first_value(i.load_row) OVER (PARTITION BY i.request_id, i.island ORDER BY i.at DESC, i.load_row DESC) AS chosen_row,
                           first_value(i.at) OVER (PARTITION BY i.request_id, i.island ORDER BY i.at DESC, i.load_row DESC) AS chosen_at,
                           count(*) OVER (PARTITION BY i.request_id, i.island) AS size
                    FROM island i
                ), existing AS (
                    SELECT DISTINCT ON (c.chosen_row) c.chosen_row, u.at
                    FROM chosen c JOIN usage u ON u.request_id = c.request_id
                        AND u.at >= c.at - interval '168 hours' AND u.at <= c.at + interval '168 hours'
                    WHERE u.at >= %1$L AND u.at <= %2$L
                    ORDER BY c.chosen_row, abs(extract(epoch FROM u.at - c.chosen_at)), u.at
                ), one_each AS (
                    SELECT DISTINCT ON (c.request_id, e.at) e.chosen_row
                    FROM existing e JOIN chosen c ON c.load_row = e.chosen_row
                    ORDER BY c.request_id, e.at, abs(extract(epoch FROM e.at - c.chosen_at)), c.load_row
                )
                SELECT c.load_row, c.request_id, c.chosen_row, e.at AS existing_at, o.chosen_row IS NOT NULL AS may_replace, NULL::text AS outcome
                FROM chosen c LEFT JOIN existing e ON e.chosen_row = c.chosen_row LEFT JOIN one_each o ON o.chosen_row = c.chosen_row
                WHERE e.at IS NOT NULL OR c.size > 1
                $query$, span.first, span.last);
        ELSE
            -- one that no row of the table stands for is chosen, and stands for
            -- those of the next 7 days
            EXECUTE format($query$
                CREATE TEMP TABLE load_usage_plan ON COMMIT DROP AS
                WITH existing AS (
                    SELECT DISTINCT ON (s.load_row) s.load_row, u.at
                    FROM pg_temp.load_usage_source s JOIN usage u ON u.request_id = s.request_id
                        AND u.at >= s.at - interval '168 hours' AND u.at <= s.at + interval '168 hours'
                    WHERE u.at >= %1$L AND u.at <= %2$L
                    ORDER BY s.load_row, abs(extract(epoch FROM u.at - s.at)), u.at
                ), chosen AS (
                    SELECT s.load_row, s.request_id, s.at, e.at AS existing_at, count(*) OVER (PARTITION BY s.request_id, e.at IS NULL) AS size,
                           first_value(s.load_row) OVER (PARTITION BY s.request_id, e.at IS NULL ORDER BY s.at, s.load_row) AS chosen_row,
                           first_value(s.at) OVER (PARTITION BY s.request_id, e.at IS NULL ORDER BY s.at, s.load_row) AS chosen_at
                    FROM pg_temp.load_usage_source s LEFT JOIN existing e ON e.load_row = s.load_row
                    WHERE s.request_id IS NOT NULL
                )
                SELECT c.load_row, c.request_id, CASE WHEN c.existing_at IS NULL THEN c.chosen_row ELSE c.load_row END AS chosen_row,
                       c.existing_at, false AS may_replace, NULL::text AS outcome, c.at,
                       c.existing_at IS NULL AND c.at - interval '168 hours' > c.chosen_at AS is_far
                FROM chosen c
                WHERE c.existing_at IS NOT NULL OR c.size > 1
                $query$, span.first, span.last);
            -- ids that come again after more than 7 days: few
            FOR far IN EXECUTE 'SELECT p.load_row, p.request_id, p.at FROM pg_temp.load_usage_plan p
                                WHERE p.existing_at IS NULL AND p.request_id IN (SELECT f.request_id FROM pg_temp.load_usage_plan f WHERE f.is_far)
                                ORDER BY p.request_id, p.at, p.load_row'
            LOOP
                IF chosen_id IS DISTINCT FROM far.request_id OR far.at - interval '168 hours' > chosen_at THEN
                    chosen_id := far.request_id;
                    chosen_at := far.at;
                    chosen_row := far.load_row;
                END IF;
                rows_far := rows_far || far.load_row;
                rows_chosen := rows_chosen || chosen_row;
            END LOOP;
            EXECUTE 'UPDATE pg_temp.load_usage_plan p SET chosen_row = x.chosen_row FROM unnest($1, $2) AS x(load_row, chosen_row) WHERE p.load_row = x.load_row'
            USING rows_far, rows_chosen;
        END IF;
        ANALYZE pg_temp.load_usage_plan;

        -- against the row of the table, or the one of the source that is loaded
        EXECUTE format($query$
            UPDATE pg_temp.load_usage_plan p
            SET outcome = CASE WHEN NOT x.is_different THEN 'skipped'
                               WHEN $1 = 'replace' AND p.load_row = p.chosen_row AND p.may_replace THEN 'replaced'
                               ELSE 'conflict' END
            FROM (
                SELECT q.load_row, (%1$s) AS is_different
                FROM pg_temp.load_usage_plan q JOIN pg_temp.load_usage_source a ON a.load_row = q.load_row
                JOIN usage b ON b.request_id = q.request_id AND b.at = q.existing_at
                WHERE q.existing_at IS NOT NULL AND ($1 <> 'replace' OR q.load_row = q.chosen_row) AND b.at >= %2$L AND b.at <= %3$L
                UNION ALL
                SELECT q.load_row, (%1$s)
                FROM pg_temp.load_usage_plan q JOIN pg_temp.load_usage_source a ON a.load_row = q.load_row
                JOIN pg_temp.load_usage_source b ON b.load_row = q.chosen_row
                WHERE (q.existing_at IS NULL OR $1 = 'replace') AND q.load_row <> q.chosen_row
            ) AS x
            WHERE x.load_row = p.load_row
            $query$, differs, span.first, span.last) USING on_conflict;

        IF on_conflict = 'error' THEN
            EXECUTE 'SELECT count(*) AS n, count(*) FILTER (WHERE outcome = ''conflict'') AS different, min(request_id) AS id FROM pg_temp.load_usage_plan WHERE outcome IS NOT NULL'
            INTO problem;
            IF problem.n > 0 THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'unique_violation',
                    MESSAGE = format('call "%s" is in the table or the source already', problem.id),
                    DETAIL = format('%s of the rows are calls that are there already, %s of them with different content.', problem.n, problem.different),
                    HINT = 'Use on_conflict => ''skip'' or ''replace''.';
            END IF;
        END IF;

        IF on_conflict = 'replace' THEN
            EXECUTE format('UPDATE usage u SET %s FROM pg_temp.load_usage_plan p JOIN pg_temp.load_usage_source s ON s.load_row = p.load_row
                            WHERE p.outcome = ''replaced'' AND u.request_id = p.request_id AND u.at = p.existing_at AND u.at >= %L AND u.at <= %L',
                           set_list, span.first, span.last);
        END IF;
        -- in the order of time, for which the index on it is made
        EXECUTE format('INSERT INTO usage (%s) SELECT %s FROM pg_temp.load_usage_source s
                        WHERE NOT EXISTS (SELECT FROM pg_temp.load_usage_plan p WHERE p.load_row = s.load_row AND p.outcome IS NOT NULL) ORDER BY s.at',
                       columns, columns);
        RETURN QUERY EXECUTE '
            SELECT o.outcome, count(x.load_row), min(x.request_id)
            FROM unnest(''{taken,skipped,replaced,conflict}''::text[]) WITH ORDINALITY AS o(outcome, n)
            LEFT JOIN (SELECT s.load_row, s.request_id, coalesce(p.outcome, ''taken'') AS outcome
                       FROM pg_temp.load_usage_source s LEFT JOIN pg_temp.load_usage_plan p ON p.load_row = s.load_row) AS x ON x.outcome = o.outcome
            GROUP BY o.n, o.outcome ORDER BY o.n';
        DROP TABLE pg_temp.load_usage_source, pg_temp.load_usage_plan;
    END
    $$;
    COMMENT ON FUNCTION load_usage(regclass, text) IS
        'loads calls from a table or view with columns of usage; the same request_id within 7 days is the same call, which on_conflict skips, replaces or makes an error; returns how many rows were taken, skipped (same content), replaced (other content) or in conflict (other content, not loaded)';

    IF kind IS NULL THEN
        PERFORM ensure_partitions();
    END IF;
END
$install$;
COMMENT ON PROCEDURE install_usage(regclass, jsonb) IS
    'part of install(): table usage and the functions that fill it, or the view of that name over a source of the user''s own; keeps what is there';

CREATE PROCEDURE uninstall_usage() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP FUNCTION IF EXISTS
        load_usage(regclass, text),
        log_call(text, jsonb, text, text, timestamptz, text, bigint, text, text, text, text, text, text, text, text, jsonb, integer, integer, numeric, text),
        ensure_partitions(date, date);
    IF EXISTS (SELECT FROM pg_class c WHERE c.relname = 'usage' AND c.relkind = 'v' AND c.relnamespace = quote_ident(current_schema())::regnamespace) THEN
        DROP VIEW usage;
    ELSE
        DROP TABLE IF EXISTS usage;
    END IF;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_usage() IS 'part of uninstall(): drops what install_usage() made';
