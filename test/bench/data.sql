-- A year of calls, the same ones in every run (psql variable calls: how many):
-- 200 models of 8 providers by Zipf's law with exponent 1.1, in the order of
-- time, and eight dated prices for each.  "calls" has the columns of usage;
-- "plain", which plain SQL and the other engines read, has the same rows with
-- a bigint for each meter.
SET client_min_messages = warning;
CREATE EXTENSION tokenomics CASCADE;
CREATE EXTENSION pg_prewarm;
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;
SET timezone = 'UTC';

-- From 0 up to 1 for a number, in as many series as are asked for.
CREATE FUNCTION share(n bigint, series bigint) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (hashint8extended(n, series) & 1073741823) / 1073741824.0::double precision;

-- below: the part of the calls that go to this model and those before it; a
-- quarter of the models has a threshold, two in three report reasoning.
CREATE TABLE model AS
SELECT n, 'provider-' || n % 8 AS provider, 'model-' || (ARRAY['small', 'large', 'thinking-preview', '2025-08-07'])[n % 4 + 1] || '-' || n AS model,
       sum(n ^ (-1.1)::double precision) OVER (ORDER BY n) / sum(n ^ (-1.1)::double precision) OVER () AS below, n % 4 = 2 AS has_threshold, n % 3 <> 0 AS reasons
FROM generate_series(1, 200) AS n;

-- USD for a million tokens in steps of 0.0001; above_*: of a call with more than "above" input tokens.
CREATE TABLE flat_price AS
WITH version AS (
    SELECT m.*, v, CASE WHEN v = 0 THEN '2020-01-01Z'::timestamptz
                        ELSE '2025-01-01Z'::timestamptz + (v - 1 + share(n, v)) * interval '52 days' END AS valid_from,
           round((0.1 + 10 * share(n, 100) ^ 3 * (1 - 0.05 * v))::numeric, 4) AS input
    FROM model m, generate_series(0, 7) AS v
)
SELECT provider, model, valid_from, coalesce(lead(valid_from) OVER (PARTITION BY model ORDER BY valid_from), '2030-01-01Z') AS valid_to,
       input, round(input * 0.1, 4) AS cache_read, input * 4 AS output, input * 5 AS reasoning,
       CASE WHEN has_threshold THEN 200000 ELSE 1000000000000 END AS above, input * 2 AS above_input,
       round(input * 0.2, 4) AS above_cache_read, input * 6 AS above_output, input * 8 AS above_reasoning
FROM version;
CREATE INDEX ON flat_price (model, valid_from);

-- The same in other types, and one row a model with its prices in arrays.
CREATE TABLE flat_price_float8 AS
SELECT provider, model, valid_from, valid_to, above, input::double precision, cache_read::double precision, output::double precision, reasoning::double precision,
       above_input::double precision, above_cache_read::double precision, above_output::double precision, above_reasoning::double precision
FROM flat_price;
CREATE INDEX ON flat_price_float8 (model, valid_from);
CREATE TABLE flat_price_bigint AS
SELECT provider, model, valid_from, valid_to, above, (input * 10000)::bigint AS input, (cache_read * 10000)::bigint AS cache_read,
       (output * 10000)::bigint AS output, (reasoning * 10000)::bigint AS reasoning, (above_input * 10000)::bigint AS above_input,
       (above_cache_read * 10000)::bigint AS above_cache_read, (above_output * 10000)::bigint AS above_output, (above_reasoning * 10000)::bigint AS above_reasoning
FROM flat_price;
CREATE INDEX ON flat_price_bigint (model, valid_from);
CREATE TABLE price_array AS
SELECT model, min(above) AS above, array_agg(valid_from ORDER BY valid_from) AS valid_from,
       array_agg(input ORDER BY valid_from) AS input, array_agg(cache_read ORDER BY valid_from) AS cache_read,
       array_agg(output ORDER BY valid_from) AS output, array_agg(reasoning ORDER BY valid_from) AS reasoning,
       array_agg(above_input ORDER BY valid_from) AS above_input, array_agg(above_cache_read ORDER BY valid_from) AS above_cache_read,
       array_agg(above_output ORDER BY valid_from) AS above_output, array_agg(above_reasoning ORDER BY valid_from) AS above_reasoning
FROM flat_price_bigint GROUP BY model;

INSERT INTO price (provider, model, above_input_tokens, rates, valid)
SELECT provider, model, 0, rates(jsonb_build_object('currency', 'USD', 'input', input, 'cache_read', cache_read, 'output', output, 'reasoning', reasoning)),
       tstzrange(valid_from, valid_to) FROM flat_price
UNION ALL
SELECT provider, model, above, rates(jsonb_build_object('currency', 'USD', 'input', above_input, 'cache_read', above_cache_read, 'output', above_output, 'reasoning', above_reasoning)),
       tstzrange(valid_from, valid_to) FROM flat_price WHERE above = 200000;

CREATE UNLOGGED TABLE calls (LIKE usage INCLUDING DEFAULTS);
CREATE UNLOGGED TABLE plain (
    at timestamptz NOT NULL, input bigint NOT NULL, cache_read bigint NOT NULL, output bigint NOT NULL, reasoning bigint NOT NULL,
    provider text NOT NULL, model text NOT NULL, service_tier text, calls bigint NOT NULL DEFAULT 1,
    request_id text, user_id text, session_id text, turn_id text, agent text, team text, project text, status text,
    tags jsonb, ttft integer, duration integer, billed numeric, billed_currency text
);
INSERT INTO plain (at, input, cache_read, output, reasoning, provider, model, service_tier, user_id, team, ttft, duration)
SELECT '2025-01-01Z'::timestamptz + make_interval(secs => 31536000.0 * i / :calls),
       (200 + share(i, 1) ^ 3 * 60000)::bigint + CASE WHEN i % 500 = 7 THEN 180000 ELSE 0 END,
       CASE WHEN share(i, 2) < 0.4 THEN (share(i, 3) * 100000)::bigint ELSE 0 END,
       (50 + share(i, 4) ^ 2 * 3000)::bigint,
       CASE WHEN m.reasons THEN (share(i, 5) ^ 2 * 8000)::bigint ELSE 0 END,
       m.provider, m.model, CASE WHEN i % 4 = 0 THEN 'standard' END,
       'u' || (share(i, 6) * 1000)::integer, 'team-' || (share(i, 7) * 20)::integer, 300 + i % 700, 900 + i % 9000
FROM (SELECT i, 1 + width_bucket(share(i, 0), (SELECT array_agg(below ORDER BY n) FROM model)) AS n
      FROM generate_series(0, :calls - 1) AS i OFFSET 0) AS c
JOIN model m USING (n);
INSERT INTO calls (at, tokens, provider, model, service_tier, user_id, team, ttft, duration)
SELECT at, tokens(input => input, cache_read => cache_read, output => output, reasoning => CASE WHEN reasons THEN reasoning END),
       p.provider, model, service_tier, user_id, team, ttft, duration
FROM plain p JOIN model m USING (model);
VACUUM (FREEZE, ANALYZE) calls, plain, price, flat_price, flat_price_float8, flat_price_bigint, price_array;
SELECT pg_prewarm('calls'), pg_prewarm('plain') \gset
