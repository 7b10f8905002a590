-- Malformed texts, JSON bodies and price rows: each a clear error.
SET search_path = tokenomics, public;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
CREATE FUNCTION attempt(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    EXECUTE query;
    RETURN 'ACCEPTED';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN sqlstate || ' ' || sqlerrm || coalesce(' | ' || nullif(detail, ''), '');
END $$;

SELECT t, attempt(format('SELECT %L::tokens', t)) FROM unnest(ARRAY[
    '', ' ', '[]', '1', 'null', '{', '}', '{}x', '{}{}', '{"input"}', '{"input":}', '{"input": 1', '{"input": 1,}', '{,}', '{"input" 1}', '{"input": 1 "output": 2}', '{input: 1}', '{''input'': 1}',
    '{"input": 1}}', '{"input": 1, "input": 1}', '{"inputs": 1}', '{"": 1}', '{"Input": 1}', '{"input ": 1}', '{"in\u0070ut": 1}', '{"input\n": 1}', '{"input', '{"input": "1"}', '{"input": true}', '{"input": nul}', '{"input": nullx}',
    '{"input": [1]}', '{"input": {}}', '{"input": -1}', '{"input": -0.5}', '{"input": 0.5}', '{"input": 1.5}', '{"input": 1e-1}', '{"input": 01}', '{"input": +1}', '{"input": .5}', '{"input": 1.}', '{"input": 1e}', '{"input": 1e+}', '{"input": 1e99999999999}',
    '{"input": 0x10}', '{"input": NaN}', '{"input": Infinity}', '{"input": 1_000}', '{"input": 1,000}', '{"input": 9223372036854775808}', '{"input": 18446744073709551616}', '{"input": 99999999999999999999999999999999999999999}', '{"input": 1-1}', '{"input": --1}', '{"input": 1..2}', '{"input": -}',
    repeat('{', 1000)]) t;
SELECT t, attempt(format('SELECT %L::jsonb::tokens', t)) FROM unnest(ARRAY['null', '1', '"x"', '[]', '[{}]', '{"inputs": 1}', '{"input": "1"}', '{"input": true}', '{"input": []}', '{"input": {}}', '{"input": -1}', '{"input": 1.5}', '{"input": 1e40}']) t;
SELECT t, attempt(format('SELECT %L::rates', t)) FROM unnest(ARRAY[
    '', '{}', '[]', '{"currency": 1}', '{"currency": null}', '{"currency": ""}', '{"currency": "US"}', '{"currency": "usd"}', '{"currency": "US D"}', '{"currency": "U$D"}', '{"currency": "1USD"}', '{"currency": "TOOLONGXX"}', '{"currency": "ÉUR"}',
    '{"currency": "USD", "currency": "USD"}', '{"currency": "USD", "input": 1, "input": 1}', '{"currency": "USD", "inputs": 1}', '{"currency": "USD", "input": "1"}', '{"currency": "USD", "input": -1}', '{"currency": "USD", "input": 1e-10}',
    '{"currency": "USD", "input": 0.0000000015}', '{"currency": "USD", "input": 1e10}', '{"currency": "USD", "input": 9223372036.8547758071}', '{"currency": "USD", "input": NaN}', '{"currency": "USD", "input": true}', '{"currency": "USD", "input": 1,}', '{"input": 1}', '{"currency": "USD"} x', '{"currency": "US', '{"currency": "USD", "input": 3/2}']) t;
SELECT t, attempt(format('SELECT %L::jsonb::rates', t)) FROM unnest(ARRAY['null', '[]', '{}', '{"currency": "usd"}', '{"currency": "USD", "input": {}}', '{"currency": "USD", "x": 1}']) t;
SELECT v, t, attempt(format('SELECT tokens_from_%s(%L)', v, t)) FROM (VALUES
    ('openai', '[]'), ('openai', '5'), ('openai', '{}'), ('openai', '{"usage": 5}'), ('openai', '{"usage": {}}'), ('openai', '{"prompt_tokens": "5"}'), ('openai', '{"prompt_tokens": -5}'), ('openai', '{"prompt_tokens": 5.5}'), ('openai', '{"prompt_tokens": 1e30}'), ('openai', '{"prompt_tokens": true}'),
    ('openai', '{"prompt_tokens": 5, "prompt_tokens_details": 5}'), ('openai', '{"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 6}}'), ('openai', '{"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 3}}'), ('openai', '{"completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 3}}'),
    ('openai', '{"prompt_tokens": 5, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 6}}'), ('openai', '{"prompt_tokens": 5, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 3}}'), ('openai', '{"prompt_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 3}}'),
    ('openai', '{"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 11}'), ('openai', '{"prompt_tokens": 5, "input_tokens": 6}'), ('openai', '{"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135, "completion_tokens_details": {"reasoning_tokens": 94}}'),
    ('openai', '{"prompt_tokens": 5, "completion_tokens": 5, "completion_tokens_details": {"accepted_prediction_tokens": 3, "rejected_prediction_tokens": 3}}'), ('openai', '{"input_tokens": 5, "input_token_details": {"cached_tokens": 2, "audio_tokens": 3, "cached_tokens_details": {"audio_tokens": 3}}}'),
    ('openai', '{"input_tokens": 5, "input_cached_tokens": 2, "input_uncached_tokens": 2}'), ('openai', '{"input_tokens": 5, "input_token_details": {"text_tokens": 6}}'), ('openai', '{"prompt_tokens": 9223372036854775807, "completion_tokens": 9223372036854775807, "total_tokens": 1}'),
    ('anthropic', '[]'), ('anthropic', '{}'), ('anthropic', '{"input_tokens": "x"}'), ('anthropic', '{"input_tokens": 1, "cache_creation_input_tokens": 5, "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 1}}'), ('anthropic', '{"input_tokens": 1, "cache_creation": 7}'),
    ('anthropic', '{"input_tokens": 1, "uncached_input_tokens": 2}'), ('anthropic', '{"input_tokens": 1, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 6}}'), ('anthropic', '{"input_tokens": 1, "server_tool_use": {"web_search_requests": 1.5}}'), ('anthropic', '{"service_tier": "standard"}'),
    ('gemini', '{}'), ('gemini', '"x"'), ('gemini', '{"promptTokenCount": 5, "cachedContentTokenCount": 6}'), ('gemini', '{"promptTokenCount": 5, "candidatesTokenCount": 5, "thoughtsTokenCount": 5, "totalTokenCount": 10}'), ('gemini', '{"promptTokenCount": 5, "promptTokensDetails": 5}'), ('gemini', '{"promptTokenCount": 5, "promptTokensDetails": [5]}'),
    ('gemini', '{"promptTokenCount": 5, "promptTokensDetails": [{"tokenCount": 5}]}'), ('gemini', '{"promptTokenCount": 5, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 6}]}'), ('gemini', '{"promptTokenCount": 5, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": "6"}]}'), ('gemini', '{"promptTokenCount": 5, "prompt_token_count": 4}'), ('gemini', '{"usageMetadata": []}'),
    ('gemini', '{"promptTokenCount": 5, "cachedContentTokenCount": 1, "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 1}]}'), ('gemini', '{"promptTokenCount": 5, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 9223372036854775807}, {"modality": "AUDIO", "tokenCount": 1}]}'),
    ('otel', '{}'), ('otel', '[]'), ('otel', '{"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 6}'), ('otel', '{"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 3, "gen_ai.usage.cache_creation.input_tokens": 3}'),
    ('otel', '{"gen_ai.usage.cache_read.input_tokens": 6}'), ('otel', '{"gen_ai.usage.input_tokens": "5"}'), ('otel', '{"gen_ai.usage.input_tokens": 5, "gen_ai.usage.prompt_tokens": 6}'), ('otel', '{"gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.reasoning.output_tokens": 7}')) x(v, t);
SELECT t, attempt(format('SELECT %L::price_book', t)) FROM unnest(ARRAY[
    '[]', '5', '{"books": 5}', '{"books": {}}', '{"books": [5]}', '{"books": [{"prices": 5}]}', '{"books": [{"prices": [5]}]}', '{"books": [{"book": 5}]}', '{"books": [{"prices": [{}]}]}', '{"books": [{"prices": [{"provider": "a"}]}]}', '{"books": [{"prices": [{"provider": "a", "model": "m"}]}]}',
    '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": 5}]}]}', '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {}}]}]}', '{"books": [{"prices": [{"provider": "a", "model": 5, "rates": {"currency": "USD"}}]}]}', '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "above_input_tokens": -1}]}]}',
    '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "above_input_tokens": "1"}]}]}', '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "valid": 5}]}]}', '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "valid": [null]}]}]}',
    '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "valid": [5, null]}]}]}', '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "valid": ["2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"]}]}]}', '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "tier_mode": "x"}]}]}',
    '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "tier_basis": "x"}]}]}', '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "off_peak": 5}]}]}', '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "off_peak": [5]}]}]}',
    '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "off_peak": [[1]]}]}]}', '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "off_peak": [[9, 5]]}]}]}', '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "off_peak": [["a", 5]]}]}]}',
    '{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}, "off_peak": [[0, 99999999999]]}]}]}', '{"books": [{"book": "", "prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD"}}]}]}',
    '{"aliases": 5}', '{"aliases": [5]}', '{"aliases": [{}]}', '{"aliases": [{"alias": "a"}]}', '{"aliases": [{"alias": "", "to_model": "b"}]}', '{"aliases": [{"alias": "a", "to_model": "b", "is_pattern": 1}]}']) t;
DROP FUNCTION attempt;
