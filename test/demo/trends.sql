\echo 'The company: 240 people, nine teams, 14 months.'
SELECT to_char(at AT TIME ZONE zone, 'YYYY-MM') AS month, sum(calls) AS calls, count(DISTINCT user_id) AS people, count(DISTINCT turn_id) AS turns,
       count(DISTINCT provider) AS vendors, total(sum(tokens)) AS tokens
FROM usage, setting GROUP BY 1 ORDER BY 1;

\echo 'What a million tokens costs, by month: o3 got cheaper in June, the help desk moved to a'
\echo 'cheaper model in September and October, and in December came an agent that reads from caches.'
SELECT * FROM unit_price_trend ORDER BY 1;

\echo 'And the bill, which rises all the same:'
SELECT * FROM total_spend_trend ORDER BY 1;

\echo 'Whose it is, in the last month:'
SELECT * FROM spend_by_owner ORDER BY 1 DESC LIMIT 15;

\echo 'What no price is known of:'
SELECT * FROM unpriced_usage;

\echo 'Where the vendors'' bills differ from the price book:'
SELECT * FROM reconciliation WHERE residual <> 0;
