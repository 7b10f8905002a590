-- Importers of price lists.
SET timezone = 'UTC';
SET jit = off;
\set SHOW_CONTEXT never
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;

-- LiteLLM
\set litellm '{"sample_spec": {"input_cost_per_token": 0}, "gpt": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1.5e-05, "cache_read_input_token_cost": 2.5e-07, "output_cost_per_reasoning_token": 2e-05, "input_cost_per_token_above_272k_tokens": 5e-06, "output_cost_per_token_above_272k_tokens": 2.25e-05, "input_cost_per_token_flex": 1.25e-06, "output_cost_per_token_flex": 7.5e-06, "input_cost_per_token_priority": 5e-06, "supports_vision": true, "mode": "chat", "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_medium": 0.01, "search_context_size_high": 0.01}, "regional_processing_uplift_multiplier_eu": 1.1}, "noise": {"litellm_provider": "a", "input_cost_per_token": 3.0000000000000004e-07, "output_cost_per_token": "3e-7"}, "unfit": {"litellm_provider": "a", "input_cost_per_token": 1.23456789e-10, "output_cost_per_token": 1e-06}, "minus": {"litellm_provider": "a", "input_cost_per_token": -1e-06}, "words": {"litellm_provider": "a", "input_cost_per_token": "free"}, "picture": {"litellm_provider": "a", "input_cost_per_token": 0, "output_cost_per_image": 0.04}, "speech": {"litellm_provider": "a", "input_cost_per_second": 0.0001}, "free": {"litellm_provider": "a", "input_cost_per_token": 0, "output_cost_per_token": 0}, "xai/grok": {"litellm_provider": "xai", "input_cost_per_token": 2e-07, "input_cost_per_token_above_128k_tokens": 4e-07}, "qwen": {"litellm_provider": "dashscope", "tiered_pricing": [{"range": [0, 256000.0], "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07}, {"range": [256000.0, 1000000.0], "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06}]}, "odd": {"litellm_provider": "a", "input_cost_per_token": 1e-06, "input_cost_per_token_above_200k_tokens_someday": 2e-06}, "rules": {"pattern": "x"}, "text": 5}'
SELECT model, service_tier, above_input_tokens, rates, field, skipped FROM litellm_prices(:'litellm') ORDER BY 1, 2, 3, 5;
SELECT * FROM import_litellm_prices(:'litellm', '2026-01-01') ORDER BY model, service_tier, above_input_tokens, detail;
SELECT outcome, count(*) FROM import_litellm_prices(:'litellm', '2026-01-01') GROUP BY 1 ORDER BY 1;
SELECT outcome, count(*) FROM import_litellm_prices(:'litellm', '2026-02-01') GROUP BY 1 ORDER BY 1;
-- a changed rate opens a version, a tier that is gone ends, an older list fills in what was before
SELECT * FROM import_litellm_prices('{"gpt": {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "output_cost_per_token": 1.5e-05}, "free": {"litellm_provider": "a", "input_cost_per_token": 0, "output_cost_per_token": 0}}', '2026-03-01') ORDER BY 3, 4, 6;
SELECT * FROM import_litellm_prices('{"gpt": {"litellm_provider": "openai", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05}}', '2025-12-01');
SELECT valid, above_input_tokens, service_tier, rates FROM price WHERE model = 'gpt' AND upper_inf(recorded) AND service_tier = 'standard' ORDER BY above_input_tokens, valid;
-- a correction by hand stands
SELECT correct_price('a', 'free', '{"currency": "USD", "input": 1, "output": 1}', '[2026-01-01,)', 'not free for us');
SELECT outcome, replace(detail, session_user, 'me') AS detail FROM import_litellm_prices(:'litellm', '2026-04-01') WHERE model = 'free';
SELECT import_litellm_prices('[]');
SELECT import_litellm_prices(NULL);
SELECT count(*) FROM import_litellm_prices('{}');

-- genai-prices
\set genai '[{"id": "v", "fallback_model_providers": ["w"], "models": [{"id": "cut", "match": {"or": [{"equals": "cut"}, {"starts_with": "cut-v1."}, {"equals": "cutter"}]}, "prices": [{"prices": {"input_mtok": 10, "output_mtok": 40}}, {"constraint": {"start_date": "2025-06-10"}, "prices": {"input_mtok": 2, "output_mtok": 8}}]}, {"id": "night", "match": {"contains": "night"}, "prices": [{"prices": {"input_mtok": 0.135, "output_mtok": 0.55}}, {"constraint": {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}, "prices": {"input_mtok": 0.27, "output_mtok": 1.1}}]}, {"id": "tiers", "match": {"and": [{"equals": "x"}]}, "prices": {"input_mtok": {"base": 3, "tiers": [{"start": 200000, "price": 6}]}, "output_mtok": 15, "web_searches_kcount": 10, "requests_kcount": 5}}, {"id": "unfit", "match": {"ends_with": "fit"}, "prices": {"input_mtok": 0.0833333333333}}, {"id": "odd", "match": {"regex": "^odd$"}, "prices": [{"prices": {"input_mtok": 1}}, {"constraint": {"weekday": 3}, "prices": {"input_mtok": 2}}]}, {"id": "none", "match": {"equals": "none"}, "prices": {}}]}]'
SELECT model, above_input_tokens, rates, valid, off_peak, field, skipped FROM genai_prices(:'genai') ORDER BY 1, 2, 3, 6;
SELECT * FROM genai_aliases(:'genai') UNION ALL SELECT * FROM genai_provider_aliases(:'genai') ORDER BY rank, alias;
SELECT outcome, detail, count(*) FROM import_genai_prices(:'genai', '2024-01-01', 'g') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT outcome, detail, count(*) FROM import_genai_prices(:'genai', '2026-01-01', 'g') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT cost(book('g'), 'v', m, '2025-06-10', tokens(input => 1000000)) FROM unnest('{cut,cut-v1.2,cut-v1x,cutter,tonight}'::text[]) m;
SELECT import_genai_prices('{}');
SELECT import_genai_prices('[{"id": "x"}]');

-- the prices that ship with the extension
SELECT count(DISTINCT (provider, model)) >= 80 AS enough, bool_and(rates IS NOT NULL AND source <> '') AS complete, count(*) FILTER (WHERE NOT lower_inf(valid)) > 5 AS dated FROM default_prices();
SELECT outcome, detail, count(*) = (SELECT count(*) FROM default_prices()) AS "all" FROM load_default_prices('d') GROUP BY 1, 2;
SELECT outcome, detail, count(*) = (SELECT count(*) FROM default_prices()) AS "all" FROM load_default_prices('d') GROUP BY 1, 2;
SELECT cost(book('d'), 'openai', 'o3', at, tokens(input => 1000000)) FROM unnest('{2025-06-09 23:59:59,2025-06-10}'::timestamptz[]) at;
-- each alias leads to a price
SELECT count(*) FROM default_aliases() a WHERE NOT EXISTS (SELECT FROM default_prices() p WHERE p.provider = a.provider AND p.model = a.to_model);

SET search_path = public;
CALL tokenomics.uninstall('llm');
DROP SCHEMA llm;
