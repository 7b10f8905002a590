-- The first line in money: what a million tokens costs, paid and by the list.
SELECT to_char(month, 'YYYY-MM-DD') AS month, series, value::double precision AS value, currency
FROM unit_price_trend, LATERAL (VALUES ('Paid', cost_per_mtok), ('List price', list_cost_per_mtok)) AS v(series, value)
WHERE scope = 'total' AND currency = $2::text AND value IS NOT NULL
  AND month <= $1::date AND month > $1::date - interval '25 months'
ORDER BY series, month
