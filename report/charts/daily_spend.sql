-- What was spent each day of the month and of the one before, by provider; all but the
-- six with the highest spend together.  A day without any is there, so that days have their
-- places.
WITH amount AS (
    SELECT day, provider, CASE WHEN reporting_currency = $2::text THEN total_spend_converted ELSE total_spend END AS amount
    FROM daily_spend_between(($1::date - interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting),
                             ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting))
    WHERE currency IS NOT NULL AND (reporting_currency = $2::text OR currency = $2::text)
), place AS (
    SELECT provider, row_number() OVER (ORDER BY sum(amount) DESC NULLS LAST, provider) AS place FROM amount GROUP BY provider
)
SELECT to_char(day, 'YYYY-MM-DD') AS day, CASE WHEN place <= 6 THEN provider ELSE 'others' END AS provider, min(place) AS place,
       $2::text AS currency, CASE WHEN bool_and(amount IS NOT NULL) THEN sum(amount)::double precision END AS value
FROM (SELECT * FROM amount
      UNION ALL
      SELECT day::date, provider, 0 FROM place, generate_series($1::date - interval '1 month', $1::date + interval '1 month - 1 day', interval '1 day') AS day WHERE place = 1) AS a
JOIN place USING (provider)
GROUP BY 1, 2
ORDER BY 1, 3
