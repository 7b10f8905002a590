-- Who spent it: the teams of the month, and what each spent the month before.
SELECT owner, $2::text AS currency,
       CASE WHEN is_whole THEN now::double precision END AS value, CASE WHEN before_is_whole THEN before::double precision END AS before
FROM (SELECT owner, coalesce(sum(amount) FILTER (WHERE month = $1::date), 0) AS now, bool_and(amount IS NOT NULL OR month < $1::date) AS is_whole,
             coalesce(sum(amount) FILTER (WHERE month < $1::date), 0) AS before, bool_and(amount IS NOT NULL OR month = $1::date) AS before_is_whole
      FROM (SELECT month, owner, CASE WHEN reporting_currency = $2::text THEN total_spend_converted ELSE total_spend END AS amount
            FROM spend_by_owner_between(($1::date - interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting),
                                        ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting))
            WHERE dimension = 'team' AND currency IS NOT NULL AND (reporting_currency = $2::text OR currency = $2::text)) AS a
      GROUP BY owner) AS o
ORDER BY value DESC NULLS LAST, owner
LIMIT 15
