-- The budgets that touch the month, as shares of their amounts, at its end or now.
SELECT name || CASE WHEN period_end > period_start + interval '1 month' THEN ' to ' || to_char(period_end - 1, 'FMDD Mon') ELSE '' END AS name, currency, amount::double precision AS amount, actual::double precision AS actual, due::double precision AS due,
       (actual / nullif(amount, 0))::double precision AS value, (due / nullif(amount, 0))::double precision AS due_share,
       CASE WHEN is_running THEN (forecast / nullif(amount, 0))::double precision END AS forecast_share,
       CASE WHEN is_running THEN (forecast_lower_95 / nullif(amount, 0))::double precision END AS lower, CASE WHEN is_running THEN (forecast_upper_95 / nullif(amount, 0))::double precision END AS upper,
       CASE WHEN is_running THEN forecast::double precision END AS forecast, CASE WHEN actual > amount THEN 'Above the amount' ELSE 'Within the amount' END AS standing,
       coalesce(to_char(projected_exhaustion, 'YYYY-MM-DD'), '–') AS exhaustion, coalesce(note, '–') AS note
FROM budget_status_at(least(now(), ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting)))
WHERE period_start < $1::date + interval '1 month' AND period_end > $1::date
ORDER BY value DESC NULLS LAST, period_start, budget_status_at.name
LIMIT 20
