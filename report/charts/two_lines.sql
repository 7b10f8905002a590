-- The two lines on one scale, the first month being 100: what was spent, what a
-- token costs, and what the same tokens cost (matched), where that is computed.
WITH line AS (
    SELECT month, 'Total spend' AS series,
           CASE WHEN bool_and(amount IS NOT NULL) THEN sum(amount)::double precision END AS value
    FROM (SELECT month, CASE WHEN reporting_currency = $2::text THEN total_spend_converted ELSE total_spend END AS amount
          FROM total_spend_trend
          WHERE currency IS NOT NULL AND NOT is_partial AND (reporting_currency = $2::text OR currency = $2::text)) AS t
    GROUP BY month
    UNION ALL
    SELECT month, 'Unit price, blended', cost_per_mtok::double precision
    FROM unit_price_trend WHERE scope = 'total' AND currency = $2::text
    UNION ALL
    SELECT month, 'Unit price, matched', matched_index
    FROM unit_price_trend WHERE scope = 'total' AND currency = $2::text
)
SELECT to_char(month, 'YYYY-MM-DD') AS month, series, value, 100 * value / base AS index
FROM (SELECT month, series, value, first_value(value) OVER (PARTITION BY series ORDER BY month) AS base
      FROM line
      WHERE month <= $1::date AND month > $1::date - interval '25 months' AND value > 0) AS l
ORDER BY series DESC, month
