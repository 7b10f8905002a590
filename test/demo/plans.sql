\echo 'Budgets of June: one of the company, one of the team with the agent, planned by meter at last quarter''s rates:'
SELECT set_budget('company', '2026-06-01', '2026-07-01', 5800, 'plan of May'),
       set_budget('platform', '2026-06-01', '2026-07-01', 4400, 'plan of May', dimension => 'team', owner => 'platform',
                  planned_tokens => '{"input": 80000000, "cache_read": 950000000, "cache_write": 55000000, "output": 16000000}',
                  planned_rates => '{"currency": "USD", "input": 13.5, "cache_read": 1.35, "cache_write": 16.875, "output": 67.5}'),
       set_budget('platform', '2026-05-01', '2026-06-01', 4400, 'plan of May', dimension => 'team', owner => 'platform');
SELECT name, amount, round(actual, 2) AS actual, round(variance, 2) AS variance, round(price_variance, 2) AS price, round(mix_variance, 2) AS mix, round(volume_variance, 2) AS volume, round(charges_variance, 2) AS charges
FROM budget_status_at('2026-07-01 00:00 Europe/Berlin') WHERE period_start = '2026-06-01';
\echo 'In the middle of the month it looked like this:'
SELECT name, round(actual, 2) AS actual, round(due, 2) AS due, round(forecast, 2) AS forecast, round(forecast_lower_95, 2) AS at_least, round(forecast_upper_95, 2) AS at_most, projected_exhaustion
FROM budget_status_at('2026-06-16 12:00 Europe/Berlin') WHERE period_start = '2026-06-01';
SELECT check_budgets('2026-06-16 12:00 Europe/Berlin') AS alerts;

\echo 'What is a token worth? Scores of a benchmark, and what came of the help desk''s turns:'
INSERT INTO model_quality (provider, model, task, measured_on, score, output_factor, tokenizer_factor, source) VALUES
    ('anthropic', 'claude-opus-4-1', 'code', '2025-08-05', 74.5, 1, 1, 'demo'), ('anthropic', 'claude-sonnet-4-5', 'code', '2025-09-29', 77.2, 1, 1, 'demo'),
    ('anthropic', 'claude-haiku-4-5', 'code', '2025-10-15', 73.3, 1, 1, 'demo'), ('openai', 'gpt-5', 'code', '2025-08-07', 74.9, 1.4, 0.85, 'demo'), ('openai', 'o3', 'code', '2025-04-16', 69.1, 2.5, 0.85, 'demo');
INSERT INTO turn_outcome (turn_id, succeeded, judged_at, judged_by)
SELECT turn_id, (hashint8extended(hashtextextended(turn_id, 0), 1) & 1023) < CASE max(model) WHEN 'claude-3-opus-latest' THEN 850 ELSE 800 END, max(at), 'user'
FROM usage WHERE project = 'helpdesk' AND turn_id IS NOT NULL GROUP BY turn_id;
SELECT model, score, round(cost_per_mtok, 2) AS cost_per_mtok, round(interactivity::numeric, 1) AS tokens_a_second, round(interactivity_slow::numeric, 1) AS slow, is_on_frontier, dominated_by
FROM value_grid_between('2026-06-01 00:00 Europe/Berlin', '2026-07-01 00:00 Europe/Berlin') WHERE task = 'code';
SELECT month, model, judged_turns, successes, round(cost_per_successful_turn, 4) AS per_success, round(lower_95::numeric, 4) AS at_least, round(upper_95::numeric, 4) AS at_most
FROM outcome_cost_between('2025-08-01 00:00 Europe/Berlin', '2025-12-01 00:00 Europe/Berlin') WHERE scope = 'model' AND judged_turns > 100;
\echo 'The agent needs 73 points at 50 tokens a second. What it paid more than that:'
SELECT rank, model, meets_need, reason, score, round(interactivity::numeric, 1) AS tokens_a_second, round(actual_cost, 2) AS actual, round(cost, 2) AS cost, round(overspend, 2) AS overspend
FROM overspend('code', 'code', 73, 50, '2026-06-01 00:00 Europe/Berlin', '2026-07-01 00:00 Europe/Berlin');
