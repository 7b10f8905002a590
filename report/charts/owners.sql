-- Who spent it: the teams of the month, and what each spent the month before.
SELECT owner, $2::text AS currency, now_is_whole, before_is_whole,
       CASE WHEN now_is_whole THEN now_spend::double precision END AS value, before_spend::double precision AS before
FROM (SELECT owner, bool_and(amount IS NOT NULL) FILTER (WHERE month = $1::date) AS now_is_whole, sum(amount) FILTER (WHERE month = $1::date) AS now_spend,
             bool_and(amount IS NOT NULL) FILTER (WHERE month < $1::date) AS before_is_whole, sum(amount) FILTER (WHERE month < $1::date) AS before_spend
      FROM (SELECT month, owner, CASE WHEN reporting_currency = $2::text THEN total_spend_converted ELSE total_spend END AS amount
            FROM spend_by_owner_between(($1::date - interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting),
                                        ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting))
            WHERE dimension = 'team' AND currency IS NOT NULL AND (reporting_currency = $2::text OR currency = $2::text)) AS a
      GROUP BY owner) AS o
ORDER BY value DESC NULLS LAST, owner
LIMIT 15
