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
