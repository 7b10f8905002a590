-- The table of calls, its partitions, log_call(), load_usage(), and the view
-- over a log of the user's own.
SET timezone = 'America/New_York';
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CALL tokenomics.install('llm');
CALL tokenomics.install('llm');

-- the columns, in their order; all described, partitions too
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = 'llm.usage'::regclass AND a.attnum > 0 ORDER BY a.attnum;
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'llm'::regnamespace AND c.relkind IN ('r', 'p') AND col_description(c.oid, a.attnum) IS NULL;
SELECT relname FROM pg_class WHERE relnamespace = 'llm'::regnamespace AND relkind IN ('r', 'p') AND obj_description(oid, 'pg_class') IS NULL;
SELECT proname FROM pg_proc WHERE pronamespace = 'llm'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL;
SELECT count(*) AS months_ahead FROM pg_inherits WHERE inhparent = 'llm.usage'::regclass AND inhrelid <> 'llm.usage_default'::regclass;

-- what is absurd is refused, by name
INSERT INTO llm.usage (at, provider, model) VALUES ('infinity', 'p', 'm');
INSERT INTO llm.usage (at, provider, model) VALUES (NULL, 'p', 'm');
INSERT INTO llm.usage (at, provider) VALUES ('2026-07-01', 'p');
\set VERBOSITY terse
INSERT INTO llm.usage (at, provider, model, calls) VALUES ('2025-07-01', 'p', 'm', 0);
INSERT INTO llm.usage (at, provider, model, ttft) VALUES ('2025-07-01', 'p', 'm', -1);
INSERT INTO llm.usage (at, provider, model, duration) VALUES ('2025-07-01', 'p', 'm', -1);
INSERT INTO llm.usage (at, provider, model, billed, billed_currency) VALUES ('2025-07-01', 'p', 'm', -1, 'USD');
INSERT INTO llm.usage (at, provider, model, billed, billed_currency) VALUES ('2025-07-01', 'p', 'm', 'NaN', 'USD');
INSERT INTO llm.usage (at, provider, model, billed, billed_currency) VALUES ('2025-07-01', 'p', 'm', 'infinity', 'USD');
INSERT INTO llm.usage (at, provider, model, billed, billed_currency) VALUES ('2025-07-01', 'p', 'm', 1, '$');
INSERT INTO llm.usage (at, provider, model, billed) VALUES ('2025-07-01', 'p', 'm', 1);
INSERT INTO llm.usage (at, provider, model, billed_currency) VALUES ('2025-07-01', 'p', 'm', 'USD');
INSERT INTO llm.usage (at, provider, model, request_id) VALUES ('2025-07-01', 'p', 'm', '');
INSERT INTO llm.usage (at, provider, model) VALUES ('2025-07-01', '', 'm');
INSERT INTO llm.usage (at, provider, model, tokens) VALUES ('2025-07-01', 'p', 'm', '{"input": -1}');
\set VERBOSITY default

-- all that may be NULL is; years far away
INSERT INTO llm.usage (at, provider, model) VALUES ('2025-06-30 20:00:00', 'p', 'm'), ('1970-01-01 00:00:00+00', 'p', 'm'), ('2200-12-31 23:59:59.999999+00', 'p', 'm');
SELECT * FROM llm.usage ORDER BY at;

-- the same call twice
INSERT INTO llm.usage (at, provider, model, request_id) VALUES ('2025-06-30 20:00:00', 'p', 'm', 'r1');
\set VERBOSITY terse
INSERT INTO llm.usage (at, provider, model, request_id) VALUES ('2025-07-01 00:00:00+00', 'p', 'm', 'r1');
\set VERBOSITY default

-- partitions: of months that hold calls, of every month of a range; in UTC
SELECT * FROM llm.ensure_partitions();
SELECT * FROM llm.ensure_partitions();
SELECT tableoid::regclass, at, request_id FROM llm.usage ORDER BY at, request_id;
SELECT * FROM llm.ensure_partitions('2200-11-15', '2201-01-31');
SELECT * FROM llm.ensure_partitions(to_date => '1969-12-31');
SELECT tableoid::regclass, at FROM llm.usage WHERE at > '2100-01-01';
INSERT INTO llm.usage (at, provider, model) VALUES ('2025-07-31 23:59:59.999999+00', 'p', 'm'), ('2025-08-01 00:00:00+00', 'p', 'm');
SELECT tableoid::regclass, at AT TIME ZONE 'UTC' AS utc FROM llm.usage WHERE at > '2025-07-30' AND at < '2025-08-02' ORDER BY at;
SELECT * FROM llm.ensure_partitions('2025-09-01', '2025-08-01');
SELECT * FROM llm.ensure_partitions('infinity');
SELECT * FROM llm.ensure_partitions('-infinity', 'infinity');
SELECT * FROM llm.ensure_partitions('1900-01-01', '2100-01-01');
CREATE TABLE llm.usage_y2024m01 (i int);
SELECT * FROM llm.ensure_partitions('2024-01-01', '2024-01-31');
DROP TABLE llm.usage_y2024m01;
-- a partition of another length covers its months
CREATE TABLE llm.usage_2023 PARTITION OF llm.usage FOR VALUES FROM ('2023-01-01 00:00+00') TO ('2024-01-01 00:00+00');
SELECT * FROM llm.ensure_partitions('2022-12-01', '2024-01-31');
DROP TABLE llm.usage_2023;
SET datestyle = 'SQL, DMY';
SELECT * FROM llm.ensure_partitions('2022-12-01', '2022-12-31');
RESET datestyle;

-- bodies as the vendors send them
TRUNCATE llm.usage;
SELECT llm.log_call('openai', '{"id": "chatcmpl-1", "model": "gpt-4o", "service_tier": "default", "usage": {"prompt_tokens": 2006, "completion_tokens": 300, "prompt_tokens_details": {"cached_tokens": 1920}}}', at => '2026-07-01');
SELECT llm.log_call('openai', '{"id": "resp_1", "model": "o3", "service_tier": "flex", "usage": {"input_tokens": 75, "output_tokens": 1186}}', at => '2026-07-01 00:00:01', team => 'search', duration => 1200);
SELECT llm.log_call('openai', '{"id": "resp_2", "model": "o3", "service_tier": "flex", "usage": {"input_tokens": 75, "output_tokens": 1186}}', at => '2026-07-01 00:00:02', service_tier => 'batch', provider => 'azure', model => 'o3-eu', request_id => 'mine');
SELECT llm.log_call('anthropic', '{"id": "msg_1", "model": "claude-sonnet-4-5", "usage": {"input_tokens": 3, "cache_creation_input_tokens": 12304, "output_tokens": 550, "service_tier": "priority"}}', at => '2026-07-01 00:00:03');
SELECT llm.log_call('gemini', '{"responseId": "g1", "modelVersion": "gemini-2.5-pro", "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 10, "thoughtsTokenCount": 5, "totalTokenCount": 115, "trafficType": "ON_DEMAND"}}', at => '2026-07-01 00:00:04');
SELECT llm.log_call('otel', '{"gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "nova", "gen_ai.response.id": "o1", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 4}', at => '2026-07-01 00:00:05');
SELECT llm.log_call('openai', '{"prompt_tokens": 8, "total_tokens": 8}', 'text-embedding-3-small', at => '2026-07-01 00:00:06', calls => 3, tags => '{"a": 1}', billed => 0.01, billed_currency => 'USD',
                    user_id => 'u', session_id => 's', turn_id => 't', agent => 'a', project => 'p', status => 'ok', ttft => 0);
SELECT llm.log_call('openai', NULL, 'o3', at => '2026-07-01 00:00:07', status => 'failure');
SELECT * FROM llm.usage ORDER BY at;
SELECT llm.log_call('openai', '{"prompt_tokens": 1}', 'm', at => NULL);
SELECT max(at) <= clock_timestamp() AND max(at) > clock_timestamp() - interval '1 minute' AS is_now FROM llm.usage;
-- and as they should not be
SELECT llm.log_call('opena', '{"prompt_tokens": 1}', 'm');
SELECT llm.log_call('opena', NULL, 'm');
SELECT llm.log_call(NULL, '{"prompt_tokens": 1}', 'm');
SELECT llm.log_call('openai', '{"prompt_tokens": 1}');
SELECT llm.log_call('otel', '{"gen_ai.usage.input_tokens": 10}', 'm');
SELECT llm.log_call('openai', '{"error": {"code": 500}}', 'm');
SELECT llm.log_call('openai', '{"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}}', 'm');
SELECT tier, tokenomics.service_tier_from(jsonb_build_object('service_tier', tier)) FROM unnest('{default,standard,auto,flex,priority,scale,Batch}'::text[]) AS tier;
SELECT tokenomics.service_tier_from('{"usageMetadata": {"trafficType": "PROVISIONED_THROUGHPUT"}}'), tokenomics.service_tier_from('{"openai.response.service_tier": "priority"}'), tokenomics.service_tier_from('5');
SELECT tokenomics.tokens_from('gemini', '{"promptTokenCount": 5}'), tokenomics.try_tokens_from('gemini', '{"promptTokenCount": 5}'), tokenomics.try_tokens_from('gemini', '{"promptTokenCount": -5}'), tokenomics.try_tokens_from('otel', '[]');
SELECT tokenomics.try_tokens_from('x', '{}');

-- loading: the same id within 7 days is the same call
TRUNCATE llm.usage;
CREATE TABLE source (at timestamptz, provider varchar(10), model text, tokens jsonb, request_id text, calls smallint DEFAULT 1);
INSERT INTO source VALUES
    ('2026-07-01 00:00+00', 'p', 'm', '{"input": 1}', 'a'),
    ('2026-07-08 00:00+00', 'p', 'm', '{"input": 1}', 'a'),  -- 7 days later
    ('2026-07-15 00:00:01+00', 'p', 'm', '{"input": 1}', 'a'),  -- more
    ('2026-07-01 00:00+00', 'p', 'm', '{"input": 1}', 'b'),
    ('2026-07-01 00:00+00', 'p', 'm', '{"input": 1}', 'b'),
    ('2026-07-01 00:00+00', 'p', 'm', '{"input": 1}', NULL),
    ('2026-07-01 00:00+00', 'p', 'm', '{"input": 1}', NULL),
    ('2026-07-02 00:00+00', 'p', 'm', NULL, 'c'),
    ('2026-07-02 00:00+00', 'p', 'm', '{"output": 9}', 'd'),
    ('2026-07-12 00:00+00', 'p', 'm', '{"input": 1}', 'e'),
    ('2026-07-06 00:00+00', 'p', 'm', '{"input": 1}', 'e'),  -- in the order of time, not of rows
    ('2026-06-30 00:00+00', 'p', 'm', '{"input": 1}', 'e'),
    ('2026-07-13 00:00+00', 'p', 'm', '{"input": 1}', 'e');
SELECT * FROM llm.load_usage('source', 'error');
SELECT count(*) FROM llm.usage;
SELECT * FROM llm.load_usage('source');
SELECT at, tokens, request_id FROM llm.usage ORDER BY request_id, at;
DELETE FROM source WHERE request_id IS NULL;
SELECT * FROM llm.load_usage('source');
UPDATE source SET tokens = '{"output": 10}' WHERE request_id = 'd';
UPDATE llm.usage SET team = 'kept' WHERE request_id = 'd';
SELECT * FROM llm.load_usage('source', 'error');
SELECT * FROM llm.load_usage('source', 'skip');
SELECT tokens FROM llm.usage WHERE request_id = 'd';
-- what the source does not say stays; the row may change its month
UPDATE source SET at = '2026-06-30 23:00+00' WHERE request_id = 'd';
SELECT * FROM llm.load_usage('source', 'replace');
SELECT at, tokens, team FROM llm.usage WHERE request_id = 'd';
SELECT * FROM llm.load_usage('source', 'replace');
SELECT at, request_id FROM llm.usage WHERE request_id = 'a' ORDER BY at;
-- nothing to load; from the table itself; into months without a partition
CREATE TEMP VIEW nothing AS SELECT * FROM source WHERE false;
SELECT * FROM llm.load_usage('nothing');
SELECT outcome, rows FROM llm.load_usage('llm.usage');
-- wrong sources
CREATE TEMP VIEW wrong_1 AS SELECT *, 1 AS spend FROM source;
CREATE TEMP VIEW wrong_2 AS SELECT at, model FROM source;
CREATE TEMP VIEW wrong_3 AS SELECT at::timestamp AS at, model, provider FROM source;
CREATE TEMP VIEW wrong_4 AS SELECT at, model, provider, 5::bigint AS tokens FROM source;
CREATE TEMP VIEW wrong_5 AS SELECT 'infinity'::timestamptz AS at, model, provider, 'x' AS request_id FROM source;
CREATE TEMP VIEW wrong_6 AS SELECT at, model, provider, -1 AS ttft FROM source WHERE request_id = 'c';
SELECT * FROM llm.load_usage('wrong_1');
SELECT * FROM llm.load_usage('wrong_2');
SELECT * FROM llm.load_usage('wrong_3');
SELECT * FROM llm.load_usage('wrong_4');
\set VERBOSITY terse
SELECT * FROM llm.load_usage('wrong_5');
SELECT * FROM llm.load_usage('wrong_6');
SELECT * FROM llm.load_usage('no_such_table');
\set VERBOSITY default
SELECT * FROM llm.load_usage('source', 'update');
SELECT * FROM llm.load_usage(NULL);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM llm.load_usage('source');
ROLLBACK;
-- COPY straight into it
COPY llm.usage (at, tokens, provider, model, request_id) FROM stdin;
2026-07-20 00:00:00+00	{"input": 5, "output": 7}	p	m	copied
2026-07-20 00:00:00+00	\N	p	m	\N
\.
SELECT tableoid::regclass, tokens, calls, request_id FROM llm.usage WHERE at = '2026-07-20 00:00:00+00' ORDER BY request_id;

-- at most 240 bytes of heap a call
TRUNCATE llm.usage;
SELECT * FROM llm.ensure_partitions('2026-07-01', '2026-07-01');
INSERT INTO llm.usage (at, tokens, provider, model, request_id, user_id, session_id, turn_id, agent, team, project, status, ttft, duration)
SELECT '2026-07-01 00:00+00'::timestamptz + i * interval '1 second', tokenomics.tokens(input => 1200 + i, cache_read => 80000, output => 300, reasoning => 1000),
       'openai', 'gpt-4o-2024-11-20', lpad(i::text, 16, 'r'), lpad(i::text, 16, 'u'), lpad(i::text, 16, 's'), lpad(i::text, 16, 't'),
       repeat('a', 16), repeat('b', 16), repeat('c', 16), 'success', 300, 4000
FROM generate_series(1, 20000) i;
SELECT pg_relation_size('llm.usage_y2026m07') / count(*) <= 240 AS small_enough, count(*) FROM llm.usage;
VACUUM ANALYZE llm.usage;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM llm.usage WHERE at >= '2026-07-01 00:00+00' AND at < '2026-07-01 01:00+00';
EXPLAIN (COSTS OFF) SELECT count(*) FROM llm.usage WHERE request_id = 'x' AND at >= '2026-07-01 00:00+00' AND at < '2026-07-01 01:00+00';
RESET enable_seqscan;

-- a log of the user's own, through a view
CREATE TABLE my_calls (created timestamp, provider varchar(20) NOT NULL, model text, prompt int, cached int, completion int, seconds double precision, id uuid, tier text);
INSERT INTO my_calls VALUES ('2026-07-01', 'openai', 'gpt-4o', 100, 40, 10, 1.5, '00000000-0000-0000-0000-000000000001', ''), ('2026-07-02', 'openai', NULL, 100, NULL, 10, NULL, NULL, 'batch');
CALL tokenomics.install('own', usage => 'my_calls', mapping => '{"at": "created AT TIME ZONE ''UTC''", "tokens": "tokens(input => prompt - coalesce(cached, 0), cache_read => cached, output => completion)",
    "duration": "seconds * 1000", "request_id": "id", "service_tier": "nullif(tier, '''')", "team": "''us'' -- all of us"}');
SELECT * FROM own.usage ORDER BY at;
SELECT a.attname, col_description(a.attrelid, a.attnum) IS NOT NULL AS described FROM pg_attribute a
WHERE a.attrelid = 'own.usage'::regclass AND (a.attname, a.atttypid, a.attnum) NOT IN (SELECT b.attname, b.atttypid, b.attnum FROM pg_attribute b WHERE b.attrelid = 'llm.usage'::regclass AND b.attnum > 0);
SELECT reloptions, obj_description(oid) FROM pg_class WHERE oid = 'own.usage'::regclass;
SELECT proname FROM pg_proc WHERE pronamespace = 'own'::regnamespace AND proname IN ('log_call', 'load_usage', 'ensure_partitions');
-- install again keeps the view; with a mapping it changes it
CALL tokenomics.install('own');
SELECT count(*), count(tokens) FROM own.usage;
CALL tokenomics.install('own', 'my_calls', jsonb_build_object('at', 'created AT TIME ZONE ''Asia/Kolkata''', 'calls', 'cached', 'where', 'cached > 0 -- some'));
SELECT at, calls, tokens FROM own.usage;
CALL tokenomics.install('own', 'my_calls', '{"at": "creatd"}');
CALL tokenomics.install('own', 'my_calls', '{"at": "created"}');
CALL tokenomics.install('own', 'my_calls', '{"at": "created AT TIME ZONE ''UTC''", "tokens": "prompt"}');
CALL tokenomics.install('own', 'my_calls', '{"at": "created AT TIME ZONE ''UTC''", "ttft": "ARRAY[1]"}');
CALL tokenomics.install('own', 'my_calls', '{"at": "created AT TIME ZONE ''UTC''", "tokns": "prompt"}');
CALL tokenomics.install('own', 'my_calls', '{"at": "created AT TIME ZONE ''UTC''", "where": "prompt"}');
CALL tokenomics.install('own', 'my_calls', '{"at": 5}');
CALL tokenomics.install('own', 'my_calls', '["at"]');
CALL tokenomics.install('own', 'my_calls', '{"at": ');
CALL tokenomics.install('own', 'my_calls');
CALL tokenomics.install('own', 'my_calls', 'lite');
CALL tokenomics.install('own', 'my_calls', 'litellm');
CALL tokenomics.install('own', 'no_such_table');
CALL tokenomics.install('own', mapping => 'litellm');
CALL tokenomics.install('llm', 'my_calls', '{"at": "created AT TIME ZONE ''UTC''"}');
CREATE TABLE with_float (at timestamptz, provider text, model text, duration double precision);
CALL tokenomics.install('own', 'with_float');
CALL tokenomics.install('own', 'with_float', '{"duration": null}');
INSERT INTO with_float VALUES ('2026-07-01', 'p', 'm', 1.5);
SELECT at, provider, model, duration FROM own.usage;
CALL tokenomics.uninstall('own');
SELECT relname FROM pg_class WHERE relnamespace = 'own'::regnamespace;
DROP SCHEMA own;

-- LiteLLM's table, as it was at different times
CREATE TABLE "LiteLLM_SpendLogs" (
    request_id text PRIMARY KEY, call_type text, api_key text, spend double precision, total_tokens int, prompt_tokens int, completion_tokens int, "startTime" timestamp(3), "endTime" timestamp(3), "completionStartTime" timestamp(3),
    model text, custom_llm_provider text, "user" text, metadata jsonb, cache_hit text, request_tags jsonb, team_id text, end_user text, session_id text, status text, agent_id text);
INSERT INTO "LiteLLM_SpendLogs" (request_id, "startTime", "endTime", "completionStartTime", model, custom_llm_provider, prompt_tokens, completion_tokens, spend, cache_hit, metadata) VALUES
    ('l1', '2026-07-01 10:00:00', '2026-07-01 10:00:03.5', '2026-07-01 10:00:00.25', 'claude-sonnet-4-5', 'anthropic', 1000, 100, 0.0123, 'False', '{"user_api_key_project_id": "p1", "usage_object": {"prompt_tokens": 1000, "completion_tokens": 100, "service_tier": "batch",
        "cache_read_input_tokens": 500, "cache_creation_input_tokens": 300, "server_tool_use": {"web_search_requests": 2}, "prompt_tokens_details": {"cached_tokens": 500, "cache_creation_tokens": 300, "text_tokens": null,
        "cache_creation_token_details": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100}}, "completion_tokens_details": {"reasoning_tokens": 40, "audio_tokens": null}}}'),
    ('l2', '2026-07-01 10:00:01', '2026-07-01 10:00:03', '2026-07-01 10:00:03', 'azure/gpt-4o', '', 2006, 300, 0.006, 'None', '{"usage_object": null, "additional_usage_values": {"prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 6}, "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 20}}}'),
    ('l3', '2026-07-01 10:00:02', '2026-07-01 10:00:02', NULL, 'text-embedding-3-small', 'openai', 8, 0, 0, '', NULL),
    ('l4', '2026-07-01 10:00:03', '2026-07-01 10:00:02', NULL, 'claude', 'anthropic', 31, 467, 0, NULL, '{"additional_usage_values": {"cache_creation_input_tokens": 1253}}'),
    ('l5', '2026-07-01 10:00:04', '2026-07-01 10:00:05', NULL, 'gpt-4o', 'openai', 10, 5, 0, 'True', '{}'),
    ('l6', '2026-07-01 10:00:05', '2026-07-01 10:00:06', NULL, '', NULL, 0, 0, 0, '', '[]'),
    ('l7', '2026-07-01 10:00:06', '2026-07-01 10:00:07', NULL, 'm', 'p', NULL, NULL, NULL, '', '{"usage_object": {"prompt_tokens_details": "none"}}');
UPDATE "LiteLLM_SpendLogs" SET "user" = 'key owner', end_user = CASE request_id WHEN 'l1' THEN 'customer' ELSE '' END, team_id = '', session_id = 's1', status = 'success', request_tags = CASE request_id WHEN 'l1' THEN '["a"]'::jsonb ELSE '[]' END;
CALL tokenomics.install('lite', usage => 'public."LiteLLM_SpendLogs"', mapping => 'litellm');
\x on
SELECT * FROM lite.usage WHERE request_id = 'l1';
\x off
SELECT request_id, at AT TIME ZONE 'UTC' AS utc, tokens, provider, model, user_id, team, ttft, duration, billed, billed_currency, tags FROM lite.usage WHERE request_id <> 'l1' ORDER BY request_id;
-- why a row has no tokens
SELECT tokenomics.tokens_from_litellm(prompt_tokens, completion_tokens, metadata) FROM "LiteLLM_SpendLogs" WHERE request_id = 'l4';
SELECT tokenomics.tokens_from_litellm(prompt_tokens, completion_tokens, metadata) FROM "LiteLLM_SpendLogs" WHERE request_id = 'l6';
SELECT tokenomics.tokens_from_litellm(-1, 0, NULL);
SELECT tokenomics.tokens_from_litellm(10, 5, '{"usage_object": {"prompt_tokens_details": {"cached_tokens": 1.5}}}');
SELECT tokenomics.tokens_from_litellm(10, 5, '{"usage_object": {"prompt_tokens_details": {"cached_tokens": 4}, "cache_read_input_tokens": 5}}');
SELECT tokenomics.tokens_from_litellm(10, 5, '{"usage_object": {"completion_tokens_details": {"reasoning_tokens": 6}}}');
SELECT tokenomics.tokens_from_litellm(10, 5, '{"usage_object": {"cache_creation_input_tokens": 4, "prompt_tokens_details": {"cache_creation_token_details": {"ephemeral_1h_input_tokens": 3, "ephemeral_5m_input_tokens": 2}}}}');
SELECT tokenomics.tokens_from_litellm(10, 5, '{"usage_object": {"cache_creation_input_tokens": 4, "prompt_tokens_details": {"cache_creation_token_details": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0}}}}'),
       tokenomics.tokens_from_litellm(10, 5, '{"usage_object": {"cache_creation_input_tokens": 4, "prompt_tokens_details": {"cache_creation_token_details": {"ephemeral_1h_input_tokens": 3}}}}'),
       tokenomics.tokens_from_litellm(10, 5, '{"usage_object": {}}'), tokenomics.tokens_from_litellm(NULL, 5, '{}');
-- its oldest form has fewer columns; what the ready mapping lacks is added
ALTER TABLE "LiteLLM_SpendLogs" DROP agent_id CASCADE, DROP session_id, DROP status, DROP "completionStartTime", DROP end_user, DROP team_id;
CALL tokenomics.install('lite', 'public."LiteLLM_SpendLogs"', tokenomics.usage_mapping('litellm', 'public."LiteLLM_SpendLogs"') || '{"team": "api_key", "user_id": "\"user\""}');
SELECT request_id, session_id, status, user_id FROM lite.usage ORDER BY 1 LIMIT 2;
CALL tokenomics.uninstall('lite');
DROP SCHEMA lite;

-- spans of OpenTelemetry
CREATE TABLE span (trace_id text, span_id text, start_time timestamptz, end_time timestamptz, attributes jsonb);
INSERT INTO span VALUES
    ('t1', 's0', '2026-07-01 00:00:00+00', '2026-07-01 00:00:09+00', '{"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 130213, "gen_ai.usage.output_tokens": 500}'),
    ('t1', 's1', '2026-07-01 00:00:01+00', '2026-07-01 00:00:02.5+00', '{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.response.id": "msg_1", "gen_ai.conversation.id": "c1", "gen_ai.agent.name": "coder",
        "gen_ai.usage.input_tokens": 130213, "gen_ai.usage.cache_read.input_tokens": 128955, "gen_ai.usage.cache_creation.input_tokens": 1253, "gen_ai.usage.output_tokens": 500, "gen_ai.usage.reasoning.output_tokens": 200}'),
    ('t1', 's2', '2026-07-01 00:00:03+00', NULL, '{"gen_ai.operation.name": "execute_tool"}'),
    ('t1', 's3', '2026-07-01 00:00:04+00', NULL, '{"gen_ai.system": "az.ai.openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.prompt_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 50, "error.type": "timeout"}'),
    ('t2', 's4', '2026-07-01 00:00:05+00', NULL, '{"http.method": "GET"}');
CALL tokenomics.install('spans', usage => 'span', mapping => 'otel');
CALL tokenomics.install('spans', usage => 'span', mapping => '"otel"'::jsonb);
SELECT at AT TIME ZONE 'UTC' AS utc, tokens, provider, model, request_id, session_id, turn_id, agent, status, duration FROM spans.usage ORDER BY at;
CALL tokenomics.uninstall('spans');
DROP SCHEMA spans;
DROP TABLE source, my_calls, with_float, "LiteLLM_SpendLogs", span CASCADE;
CALL tokenomics.uninstall('llm');
SELECT relname FROM pg_class WHERE relnamespace = 'llm'::regnamespace;
DROP SCHEMA llm;
