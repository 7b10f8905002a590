SET client_min_messages = warning;
CREATE EXTENSION tokenomics CASCADE;
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;
SET timezone = 'UTC';
\echo 'The prices that ship with the extension:'
SELECT outcome, count(*) AS prices, count(DISTINCT provider) AS providers, count(DISTINCT model) AS models FROM load_default_prices() GROUP BY outcome;

\echo 'One call, as the vendor reports it, in disjoint meters:'
\set usage '{"input_tokens": 150000, "cache_read_input_tokens": 100000, "cache_creation_input_tokens": 0, "output_tokens": 2000}'
SELECT tokens_from_anthropic(:'usage') AS tokens, total(tokens_from_anthropic(:'usage'));

\echo 'What it costs, to the last digit, and why:'
SELECT meter, tokens, rate AS usd_per_million, cost, above_input_tokens, tier_mode
FROM explain_cost(book(), 'anthropic', 'claude-sonnet-4-5', '2026-08-01', tokens_from_anthropic(:'usage'));
SELECT cost(book(), 'anthropic', 'claude-sonnet-4-5', '2026-08-01', tokens_from_anthropic(:'usage')) AS cost_usd;

\echo 'The day before and after a price cut:'
SELECT at, cost((SELECT book()), 'openai', 'o3', at, tokens(input => 1000000, output => 100000)) AS cost_usd
FROM unnest('{2025-06-09 23:59:59,2025-06-10 00:00:00}'::timestamptz[]) AS at;

\echo 'A contract of 15 % off, beside the list price:'
SELECT correct_price('openai', 'o3', '{"currency": "USD", "input": 2, "cache_read": 0.5, "output": 8}'::rates * 0.85, '[2026-01-01,2027-01-01)', 'contract signed', book => 'contract') AS rows_closed;
SELECT cost(b, 'openai', 'o3', '2026-08-01', t), list_cost(b, 'openai', 'o3', '2026-08-01', t), savings_rate(b, 'openai', 'o3', '2026-08-01', t)
FROM book('contract') AS b, tokens(input => 1000000, output => 100000) AS t;

\echo 'A month of calls of five models, at every provider''s own price:'
CREATE TEMP TABLE call AS
SELECT '2026-07-01Z'::timestamptz + i * interval '1 minute' AS at, m.provider, m.model,
       tokens(input => 500 + i % 3000, cache_read => (i % 7) * 1000, output => 100 + i % 900, reasoning => CASE WHEN i % 3 = 0 THEN i % 2000 END) AS tokens
FROM generate_series(1, 44640) i,
     (VALUES ('anthropic', 'claude-sonnet-4-5'), ('openai', 'gpt-5'), ('google', 'gemini-2.5-pro'), ('deepseek', 'deepseek-chat'), ('mistral', 'mistral-large-latest')) m(provider, model);
SELECT provider, model, count(*) AS calls, total(sum(tokens)) AS tokens, round(sum(cost), 2) AS usd, round(sum(cost) / total(sum(tokens)) * 1000000, 4) AS usd_per_mtok
FROM (SELECT *, cost((SELECT book()), provider, model, at, tokens) FROM call) c GROUP BY provider, model ORDER BY usd DESC;
