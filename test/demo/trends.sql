\echo 'A company: 240 people, nine teams, 14 months.'
SELECT to_char(at AT TIME ZONE zone, 'YYYY-MM') AS month, sum(calls) AS calls, count(DISTINCT user_id) AS people, count(DISTINCT turn_id) AS turns,
       count(DISTINCT provider) AS vendors, total(sum(tokens)) AS tokens
FROM usage, setting GROUP BY 1 ORDER BY 1;

\echo 'The first of two lines: what a million tokens costs. In June 2025 o3 got cheaper, in September and'
\echo 'October the help desk moved to a cheaper model, in December came an agent that reads from caches.'
SELECT month, priced_tokens, round(spend, 2) AS spend, round(cost_per_mtok, 4) AS cost_per_mtok, round(list_cost_per_mtok, 4) AS list_cost_per_mtok,
       round(100 * growth_month_on_month, 1) AS growth_percent
FROM unit_price_trend WHERE scope = 'total' AND currency = 'USD' ORDER BY month;

\echo 'The second: the bill. It fell with the prices until the agent came, and has trebled since while they still fall.'
SELECT month, round(sum(total_spend) FILTER (WHERE currency = 'USD'), 2) AS usd, round(sum(purchase_cost) FILTER (WHERE currency = 'USD'), 2) AS of_which_purchases,
       round(sum(other_charges) FILTER (WHERE currency = 'USD'), 2) AS of_which_credits, round(sum(total_spend) FILTER (WHERE currency = 'EUR'), 2) AS eur,
       round(sum(total_spend_converted), 2) AS all_in_usd
FROM total_spend_trend GROUP BY month ORDER BY month;

\echo 'The team that launched the agent, before and after: spend up, unit price down.'
SELECT month, sum(calls) AS calls, round(sum(total_spend), 2) AS usd, round(sum(total_spend) / sum(tokens) * 1000000, 4) AS cost_per_mtok
FROM spend_by_owner WHERE dimension = 'team' AND owner = 'platform' AND month BETWEEN '2025-10-01' AND '2026-01-31' GROUP BY month ORDER BY month;

\echo 'What no price is known of:'
SELECT provider, model, reason, nearest_priced_model, sum(calls) AS calls, sum(tokens) AS tokens FROM unpriced_usage WHERE tokens > 0 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2;

\echo 'Where what the vendors billed is not what the calls cost:'
SELECT month, provider, model, round(computed, 4) AS computed, round(billed, 4) AS billed, round(invoiced, 4) AS invoiced, residual
FROM reconciliation WHERE scope = 'model' AND residual <> 0 ORDER BY month, provider, model;

\echo 'And whose it all is, in the last month:'
SELECT owner, currency, sum(calls) AS calls, sum(tokens) AS tokens, round(sum(total_spend), 2) AS total_spend, round(sum(total_spend_converted), 2) AS in_usd
FROM spend_by_owner WHERE dimension = 'team' AND month = '2026-06-01' AND total_spend IS NOT NULL GROUP BY owner, currency ORDER BY in_usd DESC;

\echo 'Why, in one table: what a million tokens costs (blended), what the same tokens would cost (real price, May 2025 = 100),'
\echo 'and the bill: its change by prices, by mix (models, caches, output), by volume, by new and discontinued models, and by charges.'
SELECT p.month, round(p.cost_per_mtok, 2) AS blended_price, round(100 * p.matched_index::numeric, 1) AS real_price, round(g.spend) AS bill, round(g.change) AS change, round(g.price_effect) AS price,
       round(g.mix_effect) AS mix, round(g.volume_effect) AS volume, round(g.new_effect + g.discontinued_effect) AS models, round(g.purchase_effect + g.other_effect) AS charges
FROM unit_price_trend p JOIN bill_growth g USING (month, currency) WHERE p.scope = 'total' AND p.currency = 'USD' AND g.comparison = 'month on month' ORDER BY p.month;
