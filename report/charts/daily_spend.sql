-- What was spent each day of the month and of the one before, by provider; all but the
-- six with the highest spend together.
SELECT to_char(day, 'YYYY-MM-DD') AS day, CASE WHEN place <= 6 THEN provider ELSE 'others' END AS provider, min(place) AS place,
       $2::text AS currency, CASE WHEN bool_and(amount IS NOT NULL) THEN sum(amount)::double precision END AS value
FROM (SELECT d.*, dense_rank() OVER (ORDER BY total DESC NULLS LAST, provider) AS place
      FROM (SELECT day, provider, amount, sum(amount) OVER (PARTITION BY provider) AS total
            FROM (SELECT day, provider, CASE WHEN reporting_currency = $2::text THEN total_spend_converted ELSE total_spend END AS amount
                  FROM daily_spend_between(($1::date - interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting),
                                           ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting))
                  WHERE currency IS NOT NULL AND (reporting_currency = $2::text OR currency = $2::text)) AS a) AS d) AS p
GROUP BY 1, 2
ORDER BY 1, 3
