-- Tokens a minute by hour of the week, over the thirteen weeks up to the end of the month.
SELECT dow, (ARRAY['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'])[dow] AS day, hour, mean AS value, p95::double precision AS p95, max::double precision AS max
FROM peak_profile_between(($1::date + interval '1 month' - interval '91 days')::timestamp AT TIME ZONE (SELECT zone FROM setting),
                          ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting))
WHERE side = 'total'
ORDER BY dow, hour
