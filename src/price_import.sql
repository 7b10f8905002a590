-- Published price lists: from their documents to rows of prices, and from those
-- into an install.

CREATE TYPE imported_price AS (
    provider text,
    model text,
    service_tier text,
    above_input_tokens bigint,
    rates rates,
    valid tstzrange,
    tier_basis text,
    tier_mode text,
    off_peak int4multirange,
    off_peak_zone text,
    source text,
    field text,
    skipped text
);
COMMENT ON TYPE imported_price IS
    'a row of a published price list: a price, or (with NULL rates) something that was skipped';
COMMENT ON COLUMN imported_price.provider IS 'as price.provider';
COMMENT ON COLUMN imported_price.model IS 'as price.model';
COMMENT ON COLUMN imported_price.service_tier IS 'as price.service_tier';
COMMENT ON COLUMN imported_price.above_input_tokens IS 'as price.above_input_tokens';
COMMENT ON COLUMN imported_price.rates IS 'as price.rates; NULL: something that was skipped';
COMMENT ON COLUMN imported_price.valid IS 'as price.valid; NULL: in force at the date of the list';
COMMENT ON COLUMN imported_price.tier_basis IS 'as price.tier_basis';
COMMENT ON COLUMN imported_price.tier_mode IS 'as price.tier_mode';
COMMENT ON COLUMN imported_price.off_peak IS 'as price.off_peak';
COMMENT ON COLUMN imported_price.off_peak_zone IS 'as price.off_peak_zone';
COMMENT ON COLUMN imported_price.source IS 'as price.source';
COMMENT ON COLUMN imported_price.field IS 'the field that was skipped; NULL: the whole model';
COMMENT ON COLUMN imported_price.skipped IS 'why it was skipped';

-- A number of a JSON document, which a program wrote from a float, times a
-- power of ten; NULL where it is not a number.
CREATE FUNCTION document_number(value jsonb, factor numeric) RETURNS numeric
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN pg_catalog.jsonb_typeof(value) = 'number'
        OR (pg_catalog.jsonb_typeof(value) = 'string'
            AND (value #>> '{}') ~ '^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$')
    THEN pg_catalog.trim_scale(round_float_noise((value #>> '{}')::numeric) * factor)
END;
COMMENT ON FUNCTION document_number(jsonb, numeric) IS
    'a number of a published price list, read to 15 significant digits and multiplied exactly; NULL where the value is not a number';

-- Whether a price per million is one that rates hold.
CREATE FUNCTION fits_rate(numeric) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN $1 IS NOT NULL AND $1 >= 0 AND $1 <= 9223372036 AND pg_catalog.scale(pg_catalog.trim_scale($1)) <= 9;
COMMENT ON FUNCTION fits_rate(numeric) IS 'whether a price per million fits rates: 0 to 9223372036, at most 9 decimals';

/*
 * LiteLLM: {"model": {"input_cost_per_token": 3e-06, ...}, ...}, in US dollars
 * a token.  A field is a base name, a threshold and a service tier:
 *     cache_read_input_token_cost _above_200k_tokens _priority
 * LiteLLM looks each of them up on its own and falls back to the standard
 * tier, then below the threshold; what it would charge is written out here, so
 * that each row is complete.  Reasoning goes with the output rate it was
 * listed beside.
 */
CREATE FUNCTION litellm_prices(document jsonb) RETURNS SETOF imported_price
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
WITH base_field(base, meter, preference) AS (
    VALUES ('input_cost_per_token', 'input', 1),
        ('output_cost_per_token', 'output', 1),
        ('cache_read_input_token_cost', 'cache_read', 1),
        ('input_cost_per_token_cache_hit', 'cache_read', 2),
        ('cache_creation_input_token_cost', 'cache_write', 1),
        ('cache_creation_input_token_cost_above_1hr', 'cache_write_1h', 1),
        ('output_cost_per_reasoning_token', 'reasoning', 1),
        ('input_cost_per_audio_token', 'audio_input', 1),
        ('output_cost_per_audio_token', 'audio_output', 1),
        ('input_cost_per_image_token', 'image_input', 1),
        ('output_cost_per_image_token', 'image_output', 1)
), entry AS (
    SELECT e.key AS model, e.value AS fields,
           pg_catalog.jsonb_typeof(e.value) = 'object' AND e.value ->> 'litellm_provider' <> '' AS is_model,
           coalesce(CASE WHEN pg_catalog.jsonb_typeof(e.value) = 'object' THEN e.value ->> 'litellm_provider' END, '') AS provider
    FROM pg_catalog.jsonb_each(document) AS e
    WHERE e.key <> 'sample_spec'
), field AS (
    -- fields beside the model, and those of its list of tiers
    SELECT n.model, n.provider, f.key AS field, f.value, NULL::bigint AS above, f.key AS name,
           coalesce(n.fields ->> 'web_search_billing_unit', 'per_query') AS search_unit
    FROM entry n, pg_catalog.jsonb_each(n.fields) AS f
    WHERE n.is_model AND f.key ~ '(cost|price|pricing|multiplier)' AND f.key !~ '^(supports_|tiered_pricing$)'
      AND f.value <> 'null'::jsonb
    UNION ALL
    SELECT n.model, n.provider, f.key, f.value, (document_number(t.value #> '{range,0}', 1))::bigint,
           pg_catalog.format('tiered_pricing[%s].%s', t.ordinality - 1, f.key), NULL
    FROM entry n,
         pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(n.fields -> 'tiered_pricing') = 'array'
                                         THEN n.fields -> 'tiered_pricing' ELSE '[]'::jsonb END) WITH ORDINALITY AS t,
         pg_catalog.jsonb_each(CASE WHEN pg_catalog.jsonb_typeof(t.value) = 'object' THEN t.value ELSE '{}'::jsonb END) AS f
    WHERE n.is_model AND f.key <> 'range' AND f.value <> 'null'::jsonb
), parsed AS (
    SELECT f.*, b.meter, b.preference,
           -- xAI counts from the threshold on, all others above it
           coalesce(f.above, (p.part[3])::bigint * 1000, 0)
               - CASE WHEN f.provider = 'xai' AND p.part[3] IS NOT NULL THEN 1 ELSE 0 END AS above_input_tokens,
           CASE p.part[5] WHEN 'batches' THEN 'batch' WHEN 'batch_requests' THEN 'batch' ELSE coalesce(p.part[5], 'standard') END AS service_tier,
           document_number(f.value, 1000000) AS rate
    FROM field f
    LEFT JOIN LATERAL pg_catalog.regexp_match(f.field,
        '^(.*?)(_above_([0-9]{1,9})k_tokens)?(_(flex|priority|batches|batch_requests))?$') AS p(part) ON true
    LEFT JOIN base_field b ON b.base = p.part[1]
), searched AS (
    -- the price of a web search, where it does not depend on what was searched
    SELECT f.model, f.field, f.name, f.provider,
           (SELECT CASE WHEN pg_catalog.count(DISTINCT s.value) = 1 THEN pg_catalog.min(document_number(s.value, 1000000)) END
            FROM pg_catalog.jsonb_each(CASE WHEN pg_catalog.jsonb_typeof(f.value) = 'object' THEN f.value ELSE '{}'::jsonb END) AS s) AS rate
    FROM field f
    WHERE f.field = 'search_context_cost_per_query' AND f.search_unit = 'per_query'
), rate AS (
    SELECT DISTINCT ON (p.model, p.meter, p.service_tier, p.above_input_tokens)
           p.model, p.meter, p.service_tier, p.above_input_tokens, p.rate
    FROM parsed p WHERE p.meter IS NOT NULL
    ORDER BY p.model, p.meter, p.service_tier, p.above_input_tokens, p.preference
), skipped_model AS (
    SELECT DISTINCT ON (p.model) p.model, p.provider,
           pg_catalog.format('%s is %s: a rate per million is 0 to 9223372036 with at most 9 decimals', p.name, p.value #>> '{}') AS why
    FROM parsed p WHERE p.meter IS NOT NULL AND NOT fits_rate(p.rate)
    ORDER BY p.model, p.name
), zero_model AS (
    -- all token rates 0, because it is billed by another unit: that is not free
    SELECT p.model, p.provider, pg_catalog.min(p.name) FILTER (WHERE p.meter IS NULL AND p.rate > 0) AS billed_by
    FROM parsed p
    WHERE p.field !~ 'multiplier' AND p.field <> 'search_context_cost_per_query'
    GROUP BY p.model, p.provider
    HAVING pg_catalog.bool_and(p.rate = 0) FILTER (WHERE p.meter IS NOT NULL)
       AND pg_catalog.bool_or(p.rate > 0) FILTER (WHERE p.meter IS NULL)
), good AS (
    SELECT n.model, n.provider FROM entry n
    WHERE n.is_model AND EXISTS (SELECT FROM rate r WHERE r.model = n.model)
      AND NOT EXISTS (SELECT FROM skipped_model s WHERE s.model = n.model)
      AND NOT EXISTS (SELECT FROM zero_model z WHERE z.model = n.model)
), target AS (
    -- every service tier at every threshold of its own and of the standard tier
    SELECT DISTINCT t.model, t.service_tier, a.above_input_tokens
    FROM rate t JOIN rate a ON a.model = t.model AND a.service_tier IN (t.service_tier, 'standard')
), level(priority, other_tier, other_threshold) AS (
    VALUES (1, false, false), (2, true, false), (3, false, true), (4, true, true)
), found AS (
    SELECT DISTINCT ON (t.model, t.service_tier, t.above_input_tokens, r.meter)
           t.model, t.service_tier, t.above_input_tokens, r.meter, r.rate, l.priority
    FROM target t
    CROSS JOIN level l
    JOIN rate r ON r.model = t.model
        AND r.service_tier = CASE WHEN l.other_tier THEN 'standard' ELSE t.service_tier END
        AND r.above_input_tokens = CASE WHEN l.other_threshold THEN 0 ELSE t.above_input_tokens END
    ORDER BY t.model, t.service_tier, t.above_input_tokens, r.meter, l.priority
), complete AS (
    SELECT f.model, f.service_tier, f.above_input_tokens,
           pg_catalog.jsonb_object_agg(f.meter, f.rate) FILTER (WHERE f.meter <> 'reasoning' OR f.priority <= coalesce(o.priority, 9)) AS meters
    FROM found f
    LEFT JOIN found o ON o.model = f.model AND o.service_tier = f.service_tier
        AND o.above_input_tokens = f.above_input_tokens AND o.meter = 'output'
    GROUP BY f.model, f.service_tier, f.above_input_tokens
)
SELECT g.provider, g.model, c.service_tier, c.above_input_tokens,
       rates(c.meters || pg_catalog.jsonb_build_object('currency', 'USD')
             || CASE WHEN fits_rate(s.rate) THEN pg_catalog.jsonb_build_object('tool_calls', s.rate) ELSE '{}'::jsonb END),
       NULL::tstzrange, 'input_total', 'whole', '{}'::int4multirange, 'UTC', 'litellm', NULL::text, NULL::text
FROM good g JOIN complete c USING (model) LEFT JOIN searched s USING (model)
UNION ALL
SELECT s.provider, s.model, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'litellm', NULL, s.why
FROM skipped_model s
UNION ALL
SELECT z.provider, z.model, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'litellm', NULL,
       pg_catalog.format('all its token rates are 0 and it is billed by %s', z.billed_by)
FROM zero_model z
UNION ALL
SELECT n.provider, n.model, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'litellm', NULL,
       CASE WHEN n.is_model THEN 'it has no token rate' ELSE 'it is not a model: it names no litellm_provider' END
FROM entry n
WHERE NOT n.is_model OR NOT EXISTS (SELECT FROM rate r WHERE r.model = n.model)
UNION ALL
SELECT p.provider, p.model, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'litellm', p.name,
       CASE WHEN p.field = 'search_context_cost_per_query' THEN 'a web search has no single price'
            WHEN p.field ~ 'multiplier' THEN 'a multiplier of another endpoint, not a rate'
            ELSE 'there is no meter for this unit' END
FROM parsed p
WHERE p.meter IS NULL AND p.name !~ '\.max_results_range$'
  AND NOT EXISTS (SELECT FROM searched s JOIN good g USING (model) WHERE s.model = p.model AND s.name = p.name AND fits_rate(s.rate));
END;
COMMENT ON FUNCTION litellm_prices(jsonb) IS
    'the prices in a LiteLLM model_prices_and_context_window document, and what of it was skipped and why';

/*
 * genai-prices (pydantic): [{"id": provider, "models": [{"id": model,
 * "prices": {"input_mtok": 3, ...}}]}].  Prices are a number or {base, tiers};
 * a list of prices has constraints, and the last that holds wins: a date from
 * which, or a window of the day in which.  Of the two prices of a day the
 * cheaper is the off-peak one.
 */
CREATE FUNCTION genai_prices(document jsonb) RETURNS SETOF imported_price
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
WITH unit_meter(unit, meter, factor) AS (
    VALUES ('input_mtok', 'input', 1),
        ('output_mtok', 'output', 1),
        ('cache_read_mtok', 'cache_read', 1),
        ('cache_write_mtok', 'cache_write', 1),
        ('cache_write_1h_mtok', 'cache_write_1h', 1),
        ('output_reasoning_mtok', 'reasoning', 1),
        ('input_audio_mtok', 'audio_input', 1),
        ('output_audio_mtok', 'audio_output', 1),
        ('input_image_mtok', 'image_input', 1),
        ('output_image_mtok', 'image_output', 1),
        ('web_searches_kcount', 'tool_calls', 1000)
), entry AS (
    SELECT p.value ->> 'id' AS provider, m.value ->> 'id' AS model, e.ordinality AS entry,
           CASE WHEN pg_catalog.jsonb_typeof(m.value -> 'prices') = 'array' THEN e.value -> 'prices' ELSE e.value END AS prices,
           CASE WHEN pg_catalog.jsonb_typeof(m.value -> 'prices') = 'array'
                     AND pg_catalog.jsonb_typeof(e.value -> 'constraint') = 'object' THEN e.value -> 'constraint' END AS condition
    FROM pg_catalog.jsonb_array_elements(document) AS p,
         pg_catalog.jsonb_array_elements(p.value -> 'models') AS m,
         pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(m.value -> 'prices') = 'array' THEN m.value -> 'prices'
                                         ELSE pg_catalog.jsonb_build_array(m.value -> 'prices') END) WITH ORDINALITY AS e
), unit AS (
    SELECT e.provider, e.model, e.entry, u.key AS unit, u.value, b.meter, b.factor,
           CASE WHEN pg_catalog.jsonb_typeof(u.value) = 'object' THEN u.value -> 'base' ELSE u.value END AS base,
           CASE WHEN pg_catalog.jsonb_typeof(u.value -> 'tiers') = 'array' THEN u.value -> 'tiers' ELSE '[]'::jsonb END AS tiers
    FROM entry e, pg_catalog.jsonb_each(CASE WHEN pg_catalog.jsonb_typeof(e.prices) = 'object' THEN e.prices ELSE '{}'::jsonb END) AS u
    LEFT JOIN unit_meter b ON b.unit = u.key
    WHERE u.value <> 'null'::jsonb
), step AS (
    SELECT u.provider, u.model, u.entry, u.unit, u.meter, 0::bigint AS above, document_number(u.base, u.factor) AS rate, u.base AS value
    FROM unit u WHERE u.meter IS NOT NULL
    UNION ALL
    SELECT u.provider, u.model, u.entry, u.unit, u.meter, (document_number(t.value -> 'start', 1))::bigint,
           document_number(t.value -> 'price', u.factor), t.value -> 'price'
    FROM unit u, pg_catalog.jsonb_array_elements(u.tiers) AS t WHERE u.meter IS NOT NULL
), kind AS (
    SELECT e.provider, e.model,
           pg_catalog.bool_or(e.condition ? 'start_date') AS by_date,
           pg_catalog.bool_or(e.condition ? 'start_time') AS by_time,
           pg_catalog.bool_and(coalesce(NOT e.condition ? 'start_time'
               OR (e.condition ->> 'start_time' ~ '^[0-2][0-9]:[0-5][0-9]:00Z$'
                   AND e.condition ->> 'end_time' ~ '^[0-2][0-9]:[0-5][0-9]:00Z$'), true)) AS times_known,
           pg_catalog.count(*) AS entries,
           pg_catalog.count(*) FILTER (WHERE e.condition IS NULL) AS unconditional,
           pg_catalog.bool_and(e.condition IS NULL OR e.condition ? 'start_date' OR e.condition ? 'start_time') AS understood
    FROM entry e GROUP BY e.provider, e.model
), skipped_model AS (
    SELECT DISTINCT ON (s.provider, s.model) s.provider, s.model,
           pg_catalog.format('%s is %s: a rate per million is 0 to 9223372036 with at most 9 decimals', s.unit, s.value #>> '{}') AS why
    FROM step s WHERE NOT fits_rate(s.rate) OR s.above IS NULL OR s.above < 0
    UNION ALL
    SELECT k.provider, k.model, 'its prices have constraints that are not understood'
    FROM kind k
    WHERE NOT k.understood OR NOT k.times_known OR (k.by_date AND k.by_time) OR k.unconditional <> 1
       OR (k.by_time AND k.entries <> 2)
), good AS (
    SELECT k.* FROM kind k
    WHERE NOT EXISTS (SELECT FROM skipped_model s WHERE s.provider = k.provider AND s.model = k.model)
      AND EXISTS (SELECT FROM step s WHERE s.provider = k.provider AND s.model = k.model)
), threshold AS (
    SELECT DISTINCT s.provider, s.model, s.entry, s.above FROM step s
), row_rates AS (
    -- at each threshold every meter has the rate of the highest start below it
    SELECT t.provider, t.model, t.entry, t.above,
           rates(pg_catalog.jsonb_build_object('currency', 'USD') || pg_catalog.jsonb_object_agg(r.meter, r.rate)) AS rates
    FROM threshold t
    JOIN LATERAL (SELECT DISTINCT ON (s.meter) s.meter, s.rate FROM step s
                  WHERE s.provider = t.provider AND s.model = t.model AND s.entry = t.entry AND s.above <= t.above
                  ORDER BY s.meter, s.above DESC) AS r ON true
    JOIN good g ON g.provider = t.provider AND g.model = t.model
    GROUP BY t.provider, t.model, t.entry, t.above
), dated AS (
    SELECT e.provider, e.model, e.entry,
           (e.condition ->> 'start_date' || ' 00:00:00+00')::timestamptz AS starts
    FROM entry e JOIN good g ON g.provider = e.provider AND g.model = e.model AND coalesce(g.by_date, false)
), period AS (
    SELECT d.provider, d.model, d.entry,
           pg_catalog.tstzrange(d.starts, pg_catalog.lead(d.starts) OVER (PARTITION BY d.provider, d.model ORDER BY d.starts NULLS FIRST, d.entry)) AS valid
    FROM dated d
), daily AS (
    SELECT e.provider, e.model, e.entry AS in_window, u.entry AS otherwise,
           (pg_catalog.extract('hour', (pg_catalog.left(e.condition ->> 'start_time', 8))::time) * 60
            + pg_catalog.extract('minute', (pg_catalog.left(e.condition ->> 'start_time', 8))::time))::integer AS starts,
           (pg_catalog.extract('hour', (pg_catalog.left(e.condition ->> 'end_time', 8))::time) * 60
            + pg_catalog.extract('minute', (pg_catalog.left(e.condition ->> 'end_time', 8))::time))::integer AS ends
    FROM entry e
    JOIN good g ON g.provider = e.provider AND g.model = e.model AND coalesce(g.by_time, false)
    JOIN entry u ON u.provider = e.provider AND u.model = e.model AND u.condition IS NULL
    WHERE e.condition IS NOT NULL
), peak AS (
    SELECT d.provider, d.model, cheaper.entry AS off_peak_entry,
           CASE WHEN cheaper.entry = d.in_window THEN w.minutes ELSE '{[0,10080)}'::int4multirange - w.minutes END AS minutes
    FROM daily d
    CROSS JOIN LATERAL (
        SELECT pg_catalog.range_agg(r.minutes) AS minutes
        FROM pg_catalog.generate_series(0, 6) AS day,
             LATERAL (VALUES (CASE WHEN d.starts < d.ends THEN pg_catalog.int4range(day * 1440 + d.starts, day * 1440 + d.ends)
                              ELSE pg_catalog.int4range(day * 1440 + d.starts, day * 1440 + 1440) END),
                             (CASE WHEN d.starts < d.ends THEN 'empty'::int4range
                              ELSE pg_catalog.int4range(day * 1440, day * 1440 + d.ends) END)) AS r(minutes)) AS w
    CROSS JOIN LATERAL (
        SELECT r.entry FROM row_rates r
        WHERE r.provider = d.provider AND r.model = d.model AND r.entry IN (d.in_window, d.otherwise) AND r.above = 0
        ORDER BY effective_rate(r.rates, 'input') + effective_rate(r.rates, 'output'), r.entry LIMIT 1) AS cheaper
)
SELECT r.provider, r.model, 'standard', r.above, r.rates, p.valid, 'input_total', 'whole',
       CASE WHEN k.off_peak_entry = r.entry THEN k.minutes ELSE '{}'::int4multirange END, 'UTC', 'genai-prices', NULL::text, NULL::text
FROM row_rates r
LEFT JOIN period p ON p.provider = r.provider AND p.model = r.model AND p.entry = r.entry
LEFT JOIN peak k ON k.provider = r.provider AND k.model = r.model
UNION ALL
SELECT s.provider, s.model, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'genai-prices', NULL, s.why FROM skipped_model s
UNION ALL
SELECT k.provider, k.model, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'genai-prices', NULL, 'it has no token rate'
FROM kind k
WHERE NOT EXISTS (SELECT FROM step s WHERE s.provider = k.provider AND s.model = k.model)
  AND NOT EXISTS (SELECT FROM skipped_model s WHERE s.provider = k.provider AND s.model = k.model)
UNION ALL
SELECT DISTINCT u.provider, u.model, NULL::text, NULL::bigint, NULL::rates, NULL::tstzrange, NULL::text, NULL::text,
       NULL::int4multirange, NULL::text, 'genai-prices', u.unit, 'there is no meter for this unit'
FROM unit u WHERE u.meter IS NULL;
END;
COMMENT ON FUNCTION genai_prices(jsonb) IS
    'the prices in a genai-prices document, and what of it was skipped and why';

CREATE TYPE imported_alias AS (
    provider text,
    alias text,
    is_pattern boolean,
    to_provider text,
    to_model text,
    rank integer
);
COMMENT ON TYPE imported_alias IS 'an alias that a published price list states';
COMMENT ON COLUMN imported_alias.provider IS 'as model_alias.provider';
COMMENT ON COLUMN imported_alias.alias IS 'as model_alias.alias';
COMMENT ON COLUMN imported_alias.is_pattern IS 'as model_alias.is_pattern';
COMMENT ON COLUMN imported_alias.to_provider IS 'as model_alias.to_provider';
COMMENT ON COLUMN imported_alias.to_model IS 'as model_alias.to_model';
COMMENT ON COLUMN imported_alias.rank IS 'as model_alias.rank';

-- "match" of genai-prices: {"equals": x}, {"starts_with": x}, {"or": [...]}, ...
-- A list of alternatives ("or") is taken apart; "and" has no counterpart.
CREATE FUNCTION genai_aliases(document jsonb) RETURNS SETOF imported_alias
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
WITH RECURSIVE clause AS (
    SELECT p.value ->> 'id' AS provider, m.value ->> 'id' AS model, m.ordinality::integer AS rank, m.value -> 'match' AS match
    FROM pg_catalog.jsonb_array_elements(document) AS p,
         pg_catalog.jsonb_array_elements(p.value -> 'models') WITH ORDINALITY AS m
    UNION ALL
    SELECT c.provider, c.model, c.rank, o.value
    FROM clause c, pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(c.match -> 'or') = 'array' THEN c.match -> 'or' ELSE '[]'::jsonb END) AS o
), term AS (
    SELECT c.provider, c.model, c.rank, t.key AS kind, t.value #>> '{}' AS text,
           pg_catalog.regexp_replace(t.value #>> '{}', '([][\\.(){}*+?^$|])', '\\\1', 'g') AS quoted
    FROM clause c, pg_catalog.jsonb_each(CASE WHEN pg_catalog.jsonb_typeof(c.match) = 'object' THEN c.match ELSE '{}'::jsonb END) AS t
    WHERE pg_catalog.jsonb_typeof(t.value) = 'string' AND t.value #>> '{}' <> ''
)
SELECT DISTINCT ON (t.provider, alias, is_pattern)
       t.provider,
       CASE t.kind WHEN 'equals' THEN t.text WHEN 'starts_with' THEN '^' || t.quoted WHEN 'ends_with' THEN t.quoted || '$'
                   WHEN 'contains' THEN t.quoted ELSE t.text END AS alias,
       t.kind <> 'equals' AS is_pattern, '', pg_catalog.replace(t.model, '\', '\\'), t.rank
FROM term t
WHERE t.kind IN ('equals', 'starts_with', 'ends_with', 'contains', 'regex') AND NOT (t.kind = 'equals' AND t.text = t.model)
ORDER BY t.provider, alias, is_pattern, t.rank;
END;
COMMENT ON FUNCTION genai_aliases(jsonb) IS 'the aliases that the match clauses of a genai-prices document state';

CREATE FUNCTION genai_provider_aliases(document jsonb) RETURNS SETOF imported_alias
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
SELECT p.value ->> 'id', '^.+$', true, f.value, '\&', 1000000
FROM pg_catalog.jsonb_array_elements(document) AS p,
     pg_catalog.jsonb_array_elements_text(CASE WHEN pg_catalog.jsonb_typeof(p.value -> 'fallback_model_providers') = 'array'
                                          THEN p.value -> 'fallback_model_providers' ELSE '[]'::jsonb END) AS f;
END;
COMMENT ON FUNCTION genai_provider_aliases(jsonb) IS 'the providers of a genai-prices document that fall through to another, as aliases of all their models';

CREATE PROCEDURE install_price_import() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION import_prices(
        imported tokenomics.imported_price[],
        as_of timestamptz,
        book text,
        OUT provider text,
        OUT model text,
        OUT service_tier text,
        OUT above_input_tokens bigint,
        OUT outcome text,
        OUT detail text
    ) RETURNS SETOF record
        LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        i record;
        is_same boolean;
        other record;
        closed integer;
        fresh tokenomics.imported_price[];
        known tokenomics.imported_price[];
    BEGIN
        LOCK TABLE price IN SHARE ROW EXCLUSIVE MODE;
        as_of := coalesce(as_of, now());

        SELECT array_agg(n) FILTER (WHERE m.model IS NULL), array_agg(n) FILTER (WHERE m.model IS NOT NULL)
        INTO fresh, known
        FROM unnest(imported) AS n
        LEFT JOIN (SELECT DISTINCT p.provider, p.model FROM price p
                   WHERE p.book = import_prices.book AND upper_inf(p.recorded)) AS m
            ON m.provider = n.provider AND m.model = n.model
        WHERE n.rates IS NOT NULL;

        -- models that have no price yet, in one go
        FOR i IN
            INSERT INTO price AS p (book, provider, model, service_tier, above_input_tokens, rates, valid, tier_basis,
                               tier_mode, off_peak, off_peak_zone, source, reason)
            SELECT import_prices.book, n.provider, n.model, n.service_tier, n.above_input_tokens, n.rates,
                   coalesce(n.valid, tstzrange(nullif(as_of, '-infinity'), NULL)), n.tier_basis, n.tier_mode,
                   n.off_peak, n.off_peak_zone, n.source, 'import of ' || n.source
            FROM unnest(fresh) AS n
            RETURNING p.provider, p.model, p.service_tier, p.above_input_tokens, p.valid
        LOOP
            provider := i.provider;
            model := i.model;
            service_tier := i.service_tier;
            above_input_tokens := i.above_input_tokens;
            outcome := 'taken';
            detail := 'new';
            RETURN NEXT;
        END LOOP;

        -- models that have: a new version only where something changed
        FOR i IN
            SELECT n.*, coalesce(n.valid, tstzrange(nullif(as_of, '-infinity'), upper(h.valid))) AS period
            FROM unnest(known) AS n
            LEFT JOIN LATERAL (
                -- the row in force at the date, or the stretch up to the next one
                SELECT CASE WHEN p.valid @> as_of THEN p.valid ELSE tstzrange(nullif(as_of, '-infinity'), lower(p.valid)) END AS valid
                FROM price p
                WHERE p.book = import_prices.book AND p.provider = n.provider AND p.model = n.model
                  AND p.service_tier = n.service_tier AND p.above_input_tokens = n.above_input_tokens
                  AND isempty(p.off_peak) = isempty(n.off_peak) AND upper_inf(p.recorded)
                  AND (p.valid @> as_of OR lower(p.valid) > as_of)
                ORDER BY lower(p.valid) NULLS FIRST LIMIT 1) AS h ON true
        LOOP
            provider := i.provider;
            model := i.model;
            service_tier := i.service_tier;
            above_input_tokens := i.above_input_tokens;
            SELECT count(*) > 0 AND range_agg(p.valid) @> i.period
                   AND bool_and(p.rates OPERATOR(tokenomics.=) i.rates AND p.tier_basis = i.tier_basis
                                AND p.tier_mode = i.tier_mode AND p.off_peak = i.off_peak
                                AND (isempty(p.off_peak) OR p.off_peak_zone = i.off_peak_zone))
            INTO is_same
            FROM price p
            WHERE p.book = import_prices.book AND p.provider = i.provider AND p.model = i.model
              AND p.service_tier = i.service_tier AND p.above_input_tokens = i.above_input_tokens
              AND isempty(p.off_peak) = isempty(i.off_peak) AND upper_inf(p.recorded) AND p.valid && i.period;
            -- another list's price, and a correction by hand, stand: say so
            SELECT p.source, p.recorded_by, p.reason INTO other
            FROM price p
            WHERE NOT coalesce(is_same, false)
              AND p.book = import_prices.book AND p.provider = i.provider AND p.model = i.model
              AND p.service_tier = i.service_tier AND p.above_input_tokens = i.above_input_tokens
              AND isempty(p.off_peak) = isempty(i.off_peak) AND upper_inf(p.recorded) AND p.valid && i.period
              AND split_part(p.source, ':', 1) <> split_part(i.source, ':', 1)
            LIMIT 1;
            IF is_same THEN
                outcome := 'unchanged';
                detail := NULL;
            ELSIF FOUND THEN
                outcome := 'skipped';
                detail := format('it differs from the price recorded by %s (source "%s", reason "%s")',
                                 other.recorded_by, other.source, other.reason);
            ELSE
                closed := correct_price(i.provider, i.model, i.rates, i.period, 'import of ' || i.source,
                                        book => import_prices.book, service_tier => i.service_tier,
                                        above_input_tokens => i.above_input_tokens, tier_basis => i.tier_basis,
                                        tier_mode => i.tier_mode, off_peak => i.off_peak,
                                        off_peak_zone => i.off_peak_zone, source => i.source);
                outcome := 'taken';
                detail := CASE WHEN closed > 0 THEN 'changed' ELSE 'new' END;
            END IF;
            RETURN NEXT;
        END LOOP;

        -- tiers and windows of a listed model that its list no longer has
        FOR i IN
            SELECT p.*, tstzrange(nullif(as_of, '-infinity'), upper(p.valid)) AS period
            FROM price p
            WHERE p.book = import_prices.book AND upper_inf(p.recorded) AND p.valid @> as_of
              AND EXISTS (SELECT FROM unnest(imported) AS n
                          WHERE n.provider = p.provider AND n.model = p.model AND split_part(n.source, ':', 1) = split_part(p.source, ':', 1)
                            AND n.rates IS NOT NULL)
              AND NOT EXISTS (SELECT FROM unnest(imported) AS n
                              WHERE n.provider = p.provider AND n.model = p.model AND n.rates IS NOT NULL
                                AND n.service_tier = p.service_tier AND n.above_input_tokens = p.above_input_tokens
                                AND n.off_peak = p.off_peak AND coalesce(n.valid @> as_of, true))
        LOOP
            provider := i.provider;
            model := i.model;
            service_tier := i.service_tier;
            above_input_tokens := i.above_input_tokens;
            PERFORM correct_price(i.provider, i.model, NULL, i.period, 'no longer listed by ' || i.source,
                                  book => import_prices.book, service_tier => i.service_tier,
                                  above_input_tokens => i.above_input_tokens, tier_basis => i.tier_basis,
                                  tier_mode => i.tier_mode, off_peak => i.off_peak, off_peak_zone => i.off_peak_zone);
            outcome := 'taken';
            detail := 'ended: no longer listed';
            RETURN NEXT;
        END LOOP;

        RETURN QUERY
            SELECT n.provider, n.model, n.service_tier, n.above_input_tokens, 'skipped',
                   concat_ws(': ', n.field, n.skipped)
            FROM unnest(imported) AS n WHERE n.rates IS NULL;
    END
    $$;
    COMMENT ON FUNCTION import_prices(tokenomics.imported_price[], timestamptz, text) IS
        'brings rows of a published price list into a book: a new version only where something changed; reports each row as taken, unchanged or skipped';

    CREATE OR REPLACE FUNCTION import_aliases(imported tokenomics.imported_alias[], source text) RETURNS integer
        LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        n tokenomics.imported_alias;
        taken integer := 0;
    BEGIN
        FOR n IN
            SELECT i.* FROM unnest(imported) AS i
            WHERE NOT EXISTS (SELECT FROM model_alias a
                              WHERE a.provider = i.provider AND a.alias = i.alias AND a.is_pattern = i.is_pattern
                                AND a.to_provider = i.to_provider AND upper_inf(a.recorded)
                                AND ((a.to_model = i.to_model AND a.rank = i.rank) OR a.source <> import_aliases.source))
        LOOP
            taken := taken + set_alias(n.alias, n.to_model, 'import of ' || import_aliases.source, n.provider,
                                       n.to_provider, n.is_pattern, n.rank, import_aliases.source)::integer;
        END LOOP;
        RETURN taken;
    END
    $$;
    COMMENT ON FUNCTION import_aliases(tokenomics.imported_alias[], text) IS
        'brings aliases of a published price list into model_alias, except where one of another source stands; returns how many changed';

    CREATE OR REPLACE FUNCTION import_litellm_prices(
        document jsonb,
        as_of timestamptz DEFAULT now(),
        book text DEFAULT 'list',
        OUT provider text,
        OUT model text,
        OUT service_tier text,
        OUT above_input_tokens bigint,
        OUT outcome text,
        OUT detail text
    ) RETURNS SETOF record
        LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off
    AS $$
    BEGIN
        IF coalesce(jsonb_typeof(document), 'null') <> 'object' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'this is not a LiteLLM price list',
                DETAIL = 'Expected an object whose keys are models.',
                HINT = 'LiteLLM publishes it as model_prices_and_context_window.json.';
        END IF;
        RETURN QUERY SELECT * FROM import_prices(ARRAY(SELECT p FROM tokenomics.litellm_prices(document) AS p), as_of, book);
    END
    $$;
    COMMENT ON FUNCTION import_litellm_prices(jsonb, timestamptz, text) IS
        'imports a LiteLLM model_prices_and_context_window document, as in force from a date on; reports each row as taken, unchanged or skipped, and why';

    CREATE OR REPLACE FUNCTION import_genai_prices(
        document jsonb,
        as_of timestamptz DEFAULT now(),
        book text DEFAULT 'list',
        OUT provider text,
        OUT model text,
        OUT service_tier text,
        OUT above_input_tokens bigint,
        OUT outcome text,
        OUT detail text
    ) RETURNS SETOF record
        LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off
    AS $$
    BEGIN
        IF coalesce(jsonb_typeof(document), 'null') <> 'array'
            OR EXISTS (SELECT FROM jsonb_array_elements(document) AS p
                       WHERE jsonb_typeof(p.value) <> 'object' OR jsonb_typeof(p.value -> 'models') IS DISTINCT FROM 'array'
                          OR coalesce(p.value ->> 'id', '') = '') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'this is not a genai-prices price list',
                DETAIL = 'Expected a list of providers, each with "id" and "models".',
                HINT = 'genai-prices publishes it as prices/data.json.';
        END IF;
        PERFORM import_aliases(ARRAY(SELECT a FROM tokenomics.genai_aliases(document) AS a
                                     UNION ALL SELECT a FROM tokenomics.genai_provider_aliases(document) AS a),
                               'genai-prices');
        RETURN QUERY SELECT * FROM import_prices(ARRAY(SELECT p FROM tokenomics.genai_prices(document) AS p), as_of, book);
    END
    $$;
    COMMENT ON FUNCTION import_genai_prices(jsonb, timestamptz, text) IS
        'imports a genai-prices document and its aliases; prices without dates are in force from a date on; reports each row as taken, unchanged or skipped, and why';
END
$install$;
COMMENT ON PROCEDURE install_price_import() IS 'part of install(): the importers of price lists, in the first schema of search_path';

CREATE PROCEDURE uninstall_price_import() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP FUNCTION IF EXISTS
        import_genai_prices(jsonb, timestamptz, text),
        import_litellm_prices(jsonb, timestamptz, text),
        import_aliases(tokenomics.imported_alias[], text),
        import_prices(tokenomics.imported_price[], timestamptz, text);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_price_import() IS 'part of uninstall(): drops what install_price_import() made';
