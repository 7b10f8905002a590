-- Every view of growth, and what else a dashboard reads, over 36 months x 200
-- models x 10 meters, settled: prints the milliseconds of each, the least of
-- several rounds (psql variable rounds), and whether they are under 200.
SET client_min_messages = warning;
CREATE EXTENSION tokenomics CASCADE;
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;
SET timezone = 'UTC';
UPDATE setting SET zone = 'UTC';

-- a new price of three meters each year; teams and projects whose models change
INSERT INTO price (provider, model, rates, valid)
SELECT 'provider-' || m % 5, 'model-' || m,
       format('{"currency": "USD", "input": %s, "cache_read": %s, "cache_write": 2, "cache_write_1h": 3, "output": %s, "reasoning": 9.5, "audio_input": 4, "audio_output": 5, "image_input": 6, "image_output": 7.25}',
              1 + (m * 7 + y) % 9, 0.1 * (1 + m % 5), 5 + (m + y * 3) % 20)::rates,
       tstzrange(make_timestamptz(2022 + y, 1, 1, 0, 0, 0), CASE WHEN y < 2 THEN make_timestamptz(2023 + y, 1, 1, 0, 0, 0) END)
FROM generate_series(1, 200) m, generate_series(0, 2) y;
INSERT INTO usage (at, provider, model, team, project, user_id, session_id, turn_id, tokens)
SELECT make_timestamptz(2022, 1, 15, 0, 0, 0) + make_interval(months => n), 'provider-' || m % 5, 'model-' || m,
       'team-' || (m + n / 6) % 8, 'project-' || (m + n / 9) % 12, 'user-' || m, 'session-' || m || '-' || n, 'turn-' || m || '-' || n,
       tokens(input => 1000000 + m * n, cache_read => 500000 + n, cache_write => 300000 + m, cache_write_1h => 200000 + m, output => 100000 + n * n,
              reasoning => 50000 + m, audio_input => 40000 + n, audio_output => 30000 + n, image_input => 20000 + n, image_output => 10000 + m)
FROM generate_series(1, 200) m, generate_series(0, 35) n;
CALL refresh();
ANALYZE;
SELECT count(*) = 36 AS months_are_settled FROM settled WHERE grain = 'month' \gset
\if :months_are_settled
\else
    DO $$ BEGIN RAISE 'the months are not settled'; END $$;
\endif

CREATE FUNCTION pg_temp.milliseconds(query text, rounds integer, OUT ms numeric, OUT n_rows bigint) LANGUAGE plpgsql AS $$
DECLARE
    started timestamptz;
    took numeric;
BEGIN
    FOR i IN 1 .. rounds LOOP
        started := clock_timestamp();
        EXECUTE format('SELECT count(*) FROM (%s OFFSET 0) q', query) INTO n_rows;
        took := extract(epoch FROM clock_timestamp() - started) * 1000;
        ms := least(ms, took);
    END LOOP;
END
$$;
SELECT v.name AS view, m.n_rows AS rows, round(m.ms, 1) AS ms, m.ms < 200 AS is_under_200
FROM unnest('{unit_price_trend,total_spend_trend,bill_growth,bill_growth_by_team,bill_growth_by_project,bill_growth_by_driver,price_change_log,
              cost_per_token,daily_spend,spend_by_owner,unpriced_usage,reconciliation,underuse}'::text[]) WITH ORDINALITY v(name, n),
     LATERAL pg_temp.milliseconds('SELECT * FROM ' || v.name, :rounds) m
ORDER BY v.n;
-- with successors: each third model for the one before it
INSERT INTO index_item SELECT 'provider-' || m % 5, 'model-' || m, 'provider-' || (m - 1) % 5 || '/model-' || m - 1 FROM generate_series(3, 200, 3) m;
SELECT 'unit_price_trend, index_item' AS view, m.n_rows AS rows, round(m.ms, 1) AS ms, m.ms < 200 AS is_under_200
FROM pg_temp.milliseconds('SELECT * FROM unit_price_trend', :rounds) m;
-- 1,000 budgets of the last year, of 200 models in total, by team and by project
SELECT count(set_budget('budget-' || n, '2024-01-01', '2025-01-01', 100000 + n, dimension => dimension, owner => CASE dimension WHEN 'team' THEN 'team-' || n % 8 WHEN 'project' THEN 'project-' || n % 12 END,
                        provider => 'provider-' || m % 5, model => 'model-' || m)) AS budgets
FROM generate_series(0, 999) n, LATERAL (SELECT 1 + n % 200 AS m, ('{team,project,NULL}'::text[])[1 + n / 200 % 3] AS dimension) x;
ANALYZE budget;
SELECT v.name AS "1,000 budgets", m.n_rows AS rows, round(m.ms, 1) AS ms, CASE v.n WHEN 1 THEN m.ms < 200 END AS is_under_200
FROM (VALUES (1, 'budget_status', 'SELECT * FROM budget_status_at(''2024-12-20'')'), (2, 'monthly_report', 'SELECT * FROM monthly_report(''2024-12-01'')')) v(n, name, query),
     LATERAL pg_temp.milliseconds(v.query, :rounds) m
ORDER BY v.n;
