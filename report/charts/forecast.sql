-- What was spent on calls, and what is expected of all of them, with its interval;
-- what is in other currencies by the last exchange rates known.
WITH past AS (
    SELECT month, CASE WHEN bool_and(amount IS NOT NULL) THEN sum(amount) END AS value
    FROM (SELECT month, CASE WHEN reporting_currency = $2::text THEN convert_currency(usage_cost, currency, $2::text, month, 'month') ELSE usage_cost END AS amount
          FROM total_spend_trend
          WHERE currency IS NOT NULL AND (reporting_currency = $2::text OR currency = $2::text) AND NOT is_partial AND month <= $1::date AND month > $1::date - interval '13 months') AS p
    GROUP BY month
), future AS (
    SELECT date_trunc('month', period::timestamp)::date AS month, spend AS value, spend_lower AS lower, spend_upper AS upper
    FROM demand_forecast_between(to_at => ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting))
    WHERE scope = 'total' AND currency = $2::text AND spend IS NOT NULL
)
SELECT to_char(month, 'YYYY-MM-DD') AS month, series, $2::text AS currency, value::double precision AS value, lower::double precision AS lower, upper::double precision AS upper,
       -- where the picture ends: a band of many times what is expected would leave nothing else to see
       (2.5 * max(value) OVER ())::double precision AS top, (month = max(month) FILTER (WHERE upper > 0) OVER () AND max(upper) OVER () > 2.5 * max(value) OVER ()) AS is_cut, (max(upper) OVER ())::double precision AS highest
FROM (SELECT month, 'Spent on calls' AS series, value, NULL::numeric AS lower, NULL::numeric AS upper FROM past
      UNION ALL
      SELECT month, 'Expected', value, lower, upper FROM future) AS m
ORDER BY month
