-- Usage objects of vendors, as they are published in their documentation.
SET search_path = tokenomics, public;

-- OpenAI: chat completions
SELECT tokens_from_openai('{"prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}');
-- responses, a whole body
SELECT tokens_from_openai('{"id": "resp_1", "model": "o3", "usage": {"input_tokens": 75, "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 1186, "output_tokens_details": {"reasoning_tokens": 1024}, "total_tokens": 1261}}');
-- realtime: cached audio is a cache read
SELECT tokens_from_openai('{"total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
    "input_token_details": {"text_tokens": 119, "audio_tokens": 13, "image_tokens": 0, "cached_tokens": 64,
                            "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 4, "image_tokens": 0}},
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91}}');
-- embeddings
SELECT tokens_from_openai('{"prompt_tokens": 8, "total_tokens": 8}');
-- rejected predictions are part of the output, and billed
SELECT tokens_from_openai('{"prompt_tokens": 10, "completion_tokens": 90, "completion_tokens_details": {"accepted_prediction_tokens": 20, "rejected_prediction_tokens": 40}}');
-- the usage report of an organisation
SELECT tokens_from_openai('{"object": "organization.usage.completions.result", "input_tokens": 5000, "output_tokens": 1000,
    "input_cached_tokens": 4000, "input_cache_write_tokens": 500, "input_uncached_tokens": 500, "input_audio_tokens": 300, "output_audio_tokens": 200, "num_model_requests": 5}');
-- Codex: input 16,845,360 of which 16,358,912 cached, output 63,820 of which 24,882 reasoning
SELECT t, total(t) FROM (SELECT tokens_from_openai('{"input_tokens": 16845360, "input_tokens_details": {"cached_tokens": 16358912},
    "output_tokens": 63820, "output_tokens_details": {"reasoning_tokens": 24882}, "total_tokens": 16909180}') AS t) x;

-- Anthropic: a message, with the split of its cache writes
SELECT tokens_from_anthropic('{"input_tokens": 2095, "cache_creation_input_tokens": 2051, "cache_read_input_tokens": 2051,
    "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 1051},
    "output_tokens": 503, "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1}, "service_tier": "standard"}');
-- without the split a write is for 5 minutes; input may be tiny and the cache large
SELECT tokens_from_anthropic('{"input_tokens": 3, "cache_creation_input_tokens": 12304, "cache_read_input_tokens": 0, "output_tokens": 550}');
SELECT tokens_from_anthropic('{"input_tokens": 5, "output_tokens": 900, "output_tokens_details": {"thinking_tokens": 700}}');
-- a row of the usage report
SELECT tokens_from_anthropic('{"uncached_input_tokens": 1500, "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
    "cache_read_input_tokens": 200, "output_tokens": 500, "server_tool_use": {"web_search_requests": 10}}');

-- Gemini: cached content is part of the prompt, thoughts are no part of the candidates
SELECT tokens_from_gemini('{"usageMetadata": {"promptTokenCount": 696219, "cachedContentTokenCount": 696190, "candidatesTokenCount": 214,
    "thoughtsTokenCount": 1024, "totalTokenCount": 697457,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 21}, {"modality": "AUDIO", "tokenCount": 696198}],
    "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 696190}]}}');
SELECT tokens_from_gemini('{"prompt_token_count": 264, "candidates_token_count": 1290, "total_token_count": 1554,
    "prompt_tokens_details": [{"modality": "TEXT", "token_count": 6}, {"modality": "IMAGE", "token_count": 258}],
    "candidates_tokens_details": [{"modality": "IMAGE", "token_count": 1290}]}');
SELECT tokens_from_gemini('{"promptTokenCount": 100, "toolUsePromptTokenCount": 50, "candidatesTokenCount": 10, "totalTokenCount": 160}');

-- OpenTelemetry: 130,213 = 5 + 128,955 read + 1,253 written
SELECT tokens_from_otel('{"gen_ai.provider.name": "anthropic", "gen_ai.usage.input_tokens": 130213, "gen_ai.usage.cache_read.input_tokens": 128955,
    "gen_ai.usage.cache_creation.input_tokens": 1253, "gen_ai.usage.output_tokens": 500, "gen_ai.usage.reasoning.output_tokens": 200}');
SELECT tokens_from_otel('{"gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.completion_tokens": 4}');

-- reported zero, reported null, not reported
SELECT tokens_from_openai('{"prompt_tokens": 5, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": null}}'),
       tokens_from_openai('{"prompt_tokens": 5, "completion_tokens": 0, "prompt_tokens_details": null}'),
       tokens_from_openai(NULL);
