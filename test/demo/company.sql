-- A company that does not exist, for the demo and its tests: 240 people, nine
-- teams, some 200,000 calls from May 2025 to June 2026, and what its vendors
-- billed.  It runs in an install with load_default_prices(), with the schema of
-- the install and tokenomics in search_path.
--
-- No random(), no now(): every figure is drawn from the number of its row, so
-- that each load gives the same rows.  Each comment "Story:" names something
-- that happened and that the figures must show; test/t/006_company.pl holds them
-- to the last digit.
BEGIN;
SET LOCAL jit = off;
SET LOCAL work_mem = '128MB';

-- 0 .. size - 1, evenly: the hash of hash partitions, which no version changes.
CREATE FUNCTION pg_temp.draw(key bigint, salt bigint, size bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((hashint8extended(key, salt) & 1048575) * size) >> 20;

-- A factor in thousandths, skewed as the sizes of prompts are: half are below
-- 566, the mean is 981, the highest 3473.
CREATE FUNCTION pg_temp.skewed(key bigint, salt bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 150 + pg_temp.draw(key, salt, 1000) * pg_temp.draw(key, salt, 1000) * pg_temp.draw(key, salt, 1000) / 300000;

UPDATE setting SET zone = 'Europe/Berlin', currency = 'USD', book = 'contract';

-- Prices beside those that ship: half price in the batch tier, a vendor that
-- bills in euros, and from 2026 on a contract of 10 % off all of Anthropic.
DO $$
BEGIN
    PERFORM correct_price(provider, model, rates * 0.5, '(,)', 'batch API', service_tier => 'batch', source => 'demo')
    FROM price WHERE book = 'list' AND service_tier = 'standard' AND upper_inf(recorded) AND provider = 'openai' AND model = 'gpt-4.1-mini';
    PERFORM correct_price('mistral', 'mistral-medium-3', '{"currency": "EUR", "input": 0.36, "output": 1.8}', '(,)', 'invoiced in euros', source => 'demo');
    PERFORM correct_price(provider, model, rates * 0.9, valid * '[2026-01-01 00:00+00,)', 'contract signed',
                          book => 'contract', above_input_tokens => above_input_tokens, source => 'demo')
    FROM price
    WHERE book = 'list' AND service_tier = 'standard' AND upper_inf(recorded) AND provider = 'anthropic' AND valid && '[2026-01-01 00:00+00,)';
END
$$;

-- The euro rises from 1.12 to 1.18 and sways; every day has a rate.
INSERT INTO fx_rate (base_currency, quote_currency, kind, day, rate, source)
SELECT 'EUR', 'USD', 'daily', date '2025-05-01' + d, round((11200 + 600 * d / 425 + pg_temp.draw(d, 1, 81) - 40) / 10000.0, 4), 'demo'
FROM generate_series(0, 425) AS d;
INSERT INTO fx_rate (base_currency, quote_currency, kind, day, rate, source)
SELECT base_currency, quote_currency, 'month_average', date_trunc('month', day::timestamp)::date, round(avg(rate), 4), source
FROM fx_rate WHERE kind = 'daily' AND base_currency = 'EUR' AND quote_currency = 'USD'
GROUP BY base_currency, quote_currency, date_trunc('month', day::timestamp), source;

CREATE TEMP TABLE team (team text, first_person integer, people integer) ON COMMIT DROP;
INSERT INTO team VALUES
    ('search', 1, 30), ('support', 31, 50), ('platform', 81, 40), ('research', 121, 20), ('legal', 141, 12),
    ('finance', 153, 18), ('marketing', 171, 35), ('data', 206, 20), ('lab', 226, 15);

-- What the company does with tokens, one row for each use of a model: who (no
-- team: the team of the person), when, how much (turns on a working day, from the
-- first to the last; percent of that on days off), and what a call is like.
CREATE TEMP TABLE use (
    use bigint,
    team text, project text, agent text, tags jsonb,
    provider text, model text, service_tier text,
    first_day date, last_day date, first_turns integer, last_turns integer, off_days integer,
    hours text,                                 -- office, web or night
    turns_per_session integer,                  -- 0: a program, without person, session and turn
    calls_per_turn numeric,
    context integer,                            -- input tokens of the first call, on average
    step integer,                               -- and how many each further one of the turn adds
    hit integer,                                -- percent read from a cache; NULL: not reported
    written integer,                            -- percent of the rest written to it; NULL: not reported
    output integer, reasoning integer           -- tokens on average; NULL: not reported
) ON COMMIT DROP;
INSERT INTO use VALUES
    -- everybody's assistant, in dated names that aliases resolve
    (1, NULL, 'assistant', 'chat', '{"feature": "chat"}', 'openai', 'gpt-4o-2024-11-20', NULL,
        '2025-05-01', '2025-08-31', 45, 55, 5, 'office', 4, 1.1, 9000, 900, 30, NULL, 600, NULL),
    (2, NULL, 'assistant', 'chat', '{"feature": "chat"}', 'openai', 'gpt-5-2025-08-07', NULL,
        '2025-09-01', '2026-06-30', 55, 80, 5, 'office', 4, 1.1, 11000, 1100, 40, NULL, 500, 700),
    -- Story: a cache regression. Release 42 of the search, from 2026-02-09 to
    -- 2026-02-22, put the time of day in front of its prompt.
    (3, 'search', 'answers', 'search', '{"feature": "search"}', 'anthropic', 'claude-sonnet-4-20250514', NULL,
        '2025-05-01', '2025-10-14', 50, 60, 40, 'web', 2, 1.2, 20000, 2000, 82, 60, 450, NULL),
    (4, 'search', 'answers', 'search', '{"feature": "search"}', 'anthropic', 'claude-sonnet-4-5', NULL,
        '2025-10-15', '2026-06-30', 60, 75, 40, 'web', 2, 1.2, 20000, 2000, 82, 60, 450, NULL),
    -- Story: a model switch. The help desk moved from a model at 15 and 75
    -- dollars to one at 3 and 15 in September and October 2025.
    (5, 'support', 'helpdesk', 'helpdesk', '{"feature": "support"}', 'anthropic', 'claude-3-opus-latest', NULL,
        '2025-05-01', '2025-08-31', 45, 50, 60, 'web', 3, 1.5, 28000, 4000, 35, 50, 900, NULL),
    (6, 'support', 'helpdesk', 'helpdesk', '{"feature": "support"}', 'anthropic', 'claude-3-opus-latest', NULL,
        '2025-09-01', '2025-10-31', 50, 0, 60, 'web', 3, 1.5, 28000, 4000, 35, 50, 900, NULL),
    (7, 'support', 'helpdesk', 'helpdesk', '{"feature": "support"}', 'anthropic', 'claude-sonnet-4-0', NULL,
        '2025-09-01', '2025-10-31', 0, 50, 60, 'web', 3, 1.5, 28000, 4000, 35, 50, 900, NULL),
    (8, 'support', 'helpdesk', 'helpdesk', '{"feature": "support"}', 'anthropic', 'claude-sonnet-4-0', NULL,
        '2025-11-01', '2026-06-30', 50, 55, 60, 'web', 3, 1.5, 28000, 4000, 35, 50, 900, NULL),
    -- Story: an agent launch. On 2025-12-01 the platform team went from asking a
    -- model to an agent with sub-agents: many calls a turn, most of them cached.
    (9, 'platform', 'code', 'ask', '{"feature": "code"}', 'anthropic', 'claude-3-opus-latest', NULL,
        '2025-05-01', '2025-05-31', 32, 33, 10, 'office', 3, 1.3, 24000, 3000, 15, 20, 900, NULL),
    (10, 'platform', 'code', 'ask', '{"feature": "code"}', 'anthropic', 'claude-opus-4-0', NULL,
        '2025-06-01', '2025-11-30', 33, 40, 10, 'office', 3, 1.3, 24000, 3000, 15, 20, 900, NULL),
    (11, 'platform', 'code', 'coder', '{"feature": "code"}', 'anthropic', 'claude-opus-4-1', NULL,
        '2025-12-01', '2026-06-30', 14, 44, 10, 'office', 3, 14, 80000, 6000, 92, 80, 1600, NULL),
    -- Story: a price cut. o3 fell from 10 and 40 dollars to 2 and 8 on 2025-06-10.
    (12, 'research', 'papers', 'reader', '{"feature": "research"}', 'openai', 'o3', NULL,
        '2025-05-01', '2026-06-30', 50, 52, 15, 'office', 2, 2, 45000, 8000, 25, NULL, 1200, 12000),
    -- Story: an unpriced model, a preview that no price list knows.
    (13, 'research', 'papers', 'reader', '{"feature": "research"}', 'google', 'gemini-ultra-nightly', NULL,
        '2026-04-13', '2026-06-30', 3, 7, 0, 'office', 2, 1.3, 20000, 4000, 20, NULL, 900, 3000),
    -- Story: thresholds. Contracts of more than 200,000 tokens cost more, until
    -- the vendor ended that for its newer model on 2026-03-13.
    (14, 'legal', 'contracts', 'review', '{"feature": "contracts"}', 'google', 'gemini-2.5-pro', NULL,
        '2025-05-01', '2025-09-30', 9, 10, 0, 'office', 2, 1.6, 95000, 8000, 10, NULL, 1200, 1800),
    (15, 'legal', 'contracts', 'review', '{"feature": "contracts"}', 'anthropic', 'claude-sonnet-4-5', NULL,
        '2025-10-01', '2026-02-16', 10, 12, 0, 'office', 2, 1.6, 95000, 8000, 30, 40, 1800, NULL),
    (16, 'legal', 'contracts', 'review', '{"feature": "contracts"}', 'anthropic', 'claude-sonnet-4-6', NULL,
        '2026-02-17', '2026-06-30', 12, 13, 0, 'office', 2, 1.6, 95000, 8000, 30, 40, 1800, NULL),
    -- Story: the batch tier, at night and at half price.
    (17, 'data', 'enrichment', 'etl', '{"feature": "enrichment"}', 'openai', 'gpt-4.1-mini', 'batch',
        '2025-05-01', '2026-06-30', 15, 25, 100, 'night', 0, 1, 30000, 0, 0, NULL, 2500, NULL),
    -- Story: the vendor states what it charged for each call (billed), in and
    -- out of its off-peak hours; of one call it is 0.25 too much.
    (18, 'data', 'classification', 'etl', '{"feature": "classification"}', 'deepseek', 'deepseek-chat', NULL,
        '2025-05-01', '2026-06-30', 14, 22, 100, 'web', 0, 1, 12000, 0, 50, NULL, 700, NULL),
    -- Story: a vendor that bills in euros.
    (19, 'marketing', 'copy', 'writer', '{"feature": "copy"}', 'mistral', 'mistral-medium-3', NULL,
        '2025-05-12', '2026-06-30', 12, 24, 0, 'office', 3, 1.2, 6000, 1500, NULL, NULL, 1500, NULL),
    -- Story: provisioned throughput. These calls have no price of their own; the
    -- purchase of their tier is spread over them.
    (20, 'finance', 'invoices', 'extract', '{"feature": "invoices"}', 'azure', 'gpt-4.1', 'ptu-eastus',
        '2025-05-01', '2026-06-30', 16, 40, 10, 'office', 5, 1.4, 70000, 4000, 10, NULL, 1200, NULL),
    -- Story: underuse. The lab stops asking.
    (21, 'lab', 'prototypes', 'notebook', '{"feature": "prototypes"}', 'google', 'gemini-2.0-flash', NULL,
        '2025-05-01', '2026-06-30', 20, 1, 0, 'office', 3, 1.2, 7000, 1000, 15, NULL, 900, NULL),
    -- Story: unallocated. Scripts of nobody's, with no team and no project.
    (22, NULL, NULL, NULL, NULL, 'openai', 'gpt-4.1-mini', NULL,
        '2025-05-01', '2026-06-30', 9, 20, 70, 'web', 0, 1, 8000, 0, 10, NULL, 400, NULL);

DO $$
BEGIN
    PERFORM ensure_partitions('2025-05-01', '2026-06-30');
END
$$;

WITH day AS MATERIALIZED (
    -- 85 to 115 % of what the line from the first to the last day says
    SELECT u.*, home.*, day.day, day.day - date '2025-05-01' AS n, lpad(use::text, 2, '0') || to_char(day.day, '-YYMMDD-') AS label,
           first_turns::numeric + (last_turns - first_turns)::numeric * (day.day - first_day) / (last_day - first_day) AS turns,
           CASE WHEN extract(isodow FROM day.day) > 5 OR day.day BETWEEN '2025-12-24' AND '2026-01-01' THEN off_days ELSE 100 END
           * (85 + pg_temp.draw(u.use * 1000 + (day.day - date '2025-05-01'), 1, 31)) / 10000.0 AS share
    FROM use AS u, LATERAL (SELECT first_day + d AS day FROM generate_series(0, last_day - first_day) AS d) AS day,
         LATERAL (SELECT coalesce(min(first_person), 1) AS first_person, coalesce(min(people), 240) AS people FROM team AS t WHERE t.team = u.team) AS home
), turn AS MATERIALIZED (
    SELECT d.*, turn,
           label || lpad(turn::text, 4, '0') AS turn_label,
           CASE WHEN turns_per_session > 0 THEN 's' || label || lpad(((turn - 1) / turns_per_session)::text, 4, '0') END AS session_id,
           CASE WHEN turns_per_session > 0 THEN 't' || label || lpad(turn::text, 4, '0') END AS turn_id,
           (use * 1000 + n) * 1000 + turn AS turn_key,
           (use * 1000 + n) * 1000 + (turn - 1) / greatest(turns_per_session, 1) AS session_key
    FROM day AS d, generate_series(1, floor(turns * share + pg_temp.draw(use * 1000 + n, 2, 1000) / 1000.0)::integer) AS turn
), who AS MATERIALIZED (
    -- Adoption grows from 60 % of the people to all of them; few use it most.
    SELECT t.*,
           CASE WHEN turns_per_session > 0 THEN
               first_person + people * (600 + 400 * n / 425) / 1000 * pg_temp.draw(session_key, 3, 1000) * pg_temp.draw(session_key, 3, 1000) / 1000000
           END AS person,
           (day + make_interval(
               hours => (CASE hours
                   WHEN 'office' THEN ARRAY[8, 9, 9, 10, 10, 10, 11, 11, 12, 13, 14, 14, 14, 15, 15, 16, 16, 17, 17, 18]
                   WHEN 'web' THEN ARRAY[0, 1, 3, 5, 6, 7, 8, 9, 9, 10, 10, 11, 11, 12, 13, 14, 14, 15, 16, 17, 18, 19, 20, 20, 21, 21, 22, 23]
                   ELSE ARRAY[1, 2, 2, 3, 3, 4] END)[1 + pg_temp.draw(session_key, 4,
                       CASE hours WHEN 'office' THEN 20 WHEN 'web' THEN 28 ELSE 6 END)],
               secs => pg_temp.draw(session_key, 5, 3600))) AT TIME ZONE 'Europe/Berlin'
           + make_interval(secs => (turn - 1) % greatest(turns_per_session, 1) * (240 + pg_temp.draw(session_key, 6, 360))) AS turn_at,
           1 + floor((calls_per_turn - 1) * pg_temp.skewed(turn_key, 7) / 1000 + pg_temp.draw(turn_key, 8, 1000) / 1000.0)::integer AS calls
    FROM turn AS t
), call AS MATERIALIZED (
    -- Every fourth call of the coder is one of its sub-agent, on a small model.
    -- The first call of an agent's turn finds less in the cache, and what it has
    -- read is cut before the model's window is full.
    SELECT w.*, call, turn_key * 100 + call AS key, agent = 'coder' AND call % 4 = 0 AS is_sub_agent,
           turn_at + make_interval(secs => (call - 1) * 9 + pg_temp.draw(turn_key * 100 + call, 9, 8)) AS at,
           CASE WHEN agent = 'coder' AND call % 4 = 0 THEN 20000 * pg_temp.skewed(turn_key, 10) / 1000
                ELSE least(context * pg_temp.skewed(turn_key, 10) / 1000 + step * (call - 1), CASE agent WHEN 'coder' THEN 180000 END)
           END AS input_total,
           CASE WHEN use IN (3, 4) AND day BETWEEN '2026-02-09' AND '2026-02-22' THEN 6
                WHEN agent = 'coder' AND call = 1 THEN 40 ELSE hit END
           * (92 + pg_temp.draw(turn_key * 100 + call, 11, 17)) / 10 AS hit_thousandths,
           pg_temp.draw(turn_key * 100 + call, 12, 1000) AS fate
    FROM who AS w, generate_series(1, calls) AS call
), counted AS MATERIALIZED (
    SELECT c.*, input_total * hit_thousandths / 1000 AS cache_read,
           (input_total - input_total * hit_thousandths / 1000) * written / 100 AS cache_write,
           output * pg_temp.skewed(key, 13) / 1000 AS output_tokens, reasoning * pg_temp.skewed(key, 14) / 1000 AS reasoning_tokens,
           250 + pg_temp.draw(key, 15, 900) + input_total / 100 + coalesce(reasoning, 0) / 2 AS to_first,
           CASE WHEN is_sub_agent THEN 'claude-haiku-4-5' ELSE model END AS called, 'r' || turn_label || '-' || call AS request_id,
           CASE WHEN fate < 987 OR turns_per_session = 0 THEN 'ok' WHEN fate < 993 THEN 'error'
                WHEN fate < 998 THEN 'rate_limited' ELSE 'cancelled' END AS status
    FROM call AS c
)
INSERT INTO usage (at, tokens, provider, model, service_tier, request_id, user_id, session_id, turn_id, agent, team, project, status, tags,
                   ttft, duration, billed, billed_currency)
SELECT at, reported.tokens, provider, called, service_tier, request_id,
       'u' || lpad(person::text, 3, '0'), session_id, turn_id,
       CASE WHEN is_sub_agent THEN 'coder/tests' ELSE agent END,
       coalesce(c.team, (SELECT t.team FROM team AS t WHERE person BETWEEN t.first_person AND t.first_person + t.people - 1)),
       CASE WHEN project <> 'assistant' OR person % 12 <> 0 THEN project END,
       status,
       CASE WHEN use IN (3, 4) THEN tags || jsonb_build_object('release',
           CASE WHEN day < '2026-02-09' THEN 41 WHEN day < '2026-02-23' THEN 42 ELSE 43 END) ELSE tags END,
       CASE WHEN tokens IS NOT NULL AND service_tier IS DISTINCT FROM 'batch' THEN to_first END,
       CASE WHEN tokens IS NULL THEN to_first WHEN service_tier IS DISTINCT FROM 'batch' THEN to_first + (output_tokens + coalesce(reasoning_tokens, 0)) * 11 END,
       CASE WHEN provider = 'deepseek' THEN
           cost((SELECT book()), provider, called, at, tokens) + CASE request_id WHEN 'r18-260114-0007-1' THEN 0.25 ELSE 0 END END,
       CASE WHEN provider = 'deepseek' THEN 'USD' END
FROM counted AS c,
     LATERAL (SELECT CASE WHEN status IN ('ok', 'cancelled') THEN
                         tokens(input => input_total - coalesce(cache_read, 0) - coalesce(cache_write, 0), cache_read => cache_read,
                                cache_write => cache_write, output => output_tokens, reasoning => reasoning_tokens) END AS tokens) AS reported
WHERE at >= '2025-05-01 00:00+00' AND at < '2026-06-30 22:00+00'
ORDER BY at, key;

-- Buckets of a vendor's usage API: a day's calls of the shop's translations,
-- of which nothing else is known. Story: each call is far below the threshold
-- of 200,000 tokens, which many of the sums exceed.
INSERT INTO usage (at, tokens, provider, model, calls, team, project, tags)
SELECT (date '2025-07-01' + d)::timestamp AT TIME ZONE 'UTC',
       tokens(input => calls * (1400 + pg_temp.draw(d, 2, 200)), cache_read => calls * 300, output => calls * (1100 + pg_temp.draw(d, 3, 200))),
       'google', 'gemini-2.5-pro', calls, 'marketing', 'translation', '{"feature": "translation"}'
FROM (SELECT d, 60 + d / 5 + pg_temp.draw(d, 1, 20) AS calls FROM generate_series(0, 364) AS d) AS bucket;

-- What two vendors billed for the calls, by the months of UTC, as vendors do: what
-- the book says, but for one line. Story: a residual of 37.50 in April 2026.
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency, invoice_id, source, recorded_at)
SELECT provider, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC', 'Usage', model, tokens, 'Tokens',
       computed + CASE WHEN model = 'claude-opus-4-1' AND month = '2026-04-01' THEN 37.50 ELSE 0 END,
       'USD', format('%s-%s', provider, to_char(month, 'YYYYMM')), 'demo', (month + interval '1 month 3 days') AT TIME ZONE 'UTC'
FROM (SELECT provider, model, date_trunc('month', at AT TIME ZONE 'UTC') AS month, total(sum(tokens)) AS tokens,
             sum(cost((SELECT book()), provider, model, at, tokens, service_tier)) AS computed
      FROM usage WHERE provider IN ('openai', 'anthropic')
      GROUP BY 1, 2, 3) AS bill
ORDER BY month, provider, model;

-- Provisioned throughput, paid by the month whether it is used or not.
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency, invoice_id, source, recorded_at)
SELECT 'azure', month AT TIME ZONE 'Europe/Berlin', (month + interval '1 month') AT TIME ZONE 'Europe/Berlin', 'Purchase', 'ptu-eastus', 120000000, 'Tokens',
       600, 'USD', format('azure-%s', to_char(month, 'YYYYMM')), 'demo', month AT TIME ZONE 'Europe/Berlin'
FROM generate_series(timestamp '2025-05-01', '2026-06-01', '1 month') AS month
ORDER BY month;

-- A credit after the cache regression, and a tax in euros.
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, billed_cost, currency, invoice_id, scope, source, recorded_at)
VALUES ('anthropic', '2026-03-01 00:00 Europe/Berlin', '2026-04-01 00:00 Europe/Berlin', 'Credit', -150, 'USD', 'anthropic-202603', '{"team": "search"}', 'demo', '2026-04-04 00:00 Europe/Berlin'),
       ('mistral', '2026-06-01 00:00 Europe/Berlin', '2026-07-01 00:00 Europe/Berlin', 'Tax', 9.12, 'EUR', 'mistral-202606', NULL, 'demo', '2026-07-04 00:00 Europe/Berlin');

DROP FUNCTION pg_temp.skewed(bigint, bigint);
DROP FUNCTION pg_temp.draw(bigint, bigint, bigint);
COMMIT;
