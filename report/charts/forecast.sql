-- What was spent on calls, and what is expected of all of them, with its interval;
-- what is in other currencies by the last exchange rates known.
WITH past AS (
    SELECT month, usage_cost AS value
    FROM total_spend_trend WHERE currency = $2::text AND NOT is_partial AND month <= $1::date AND month > $1::date - interval '13 months'
), future AS (
    SELECT date_trunc('month', period::timestamp)::date AS month, spend AS value, spend_lower AS lower, spend_upper AS upper
    FROM demand_forecast_between(to_at => ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting))
    WHERE scope = 'total' AND currency = $2::text
)
SELECT to_char(month, 'YYYY-MM-DD') AS month, 'Spent on calls' AS series, $2::text AS currency, value::double precision AS value, NULL::double precision AS lower, NULL::double precision AS upper FROM past
UNION ALL
SELECT to_char(month, 'YYYY-MM-DD'), 'Expected', $2::text, value::double precision, lower::double precision, upper::double precision FROM future
ORDER BY month
