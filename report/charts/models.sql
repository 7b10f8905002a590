-- What it was spent on: the models of the month, and what a million of their tokens costs.
SELECT name, $2::text AS currency, CASE WHEN bool_and(amount IS NOT NULL) THEN sum(amount)::double precision END AS value,
       tokenomics.cost_per_mtok(sum(amount), sum(tokens))::double precision AS per_mtok, sum(tokens)::double precision AS tokens
FROM (SELECT provider || ' ' || model || CASE service_tier WHEN 'standard' THEN '' ELSE ' (' || service_tier || ')' END AS name,
             total_tokens - unpriced_tokens AS tokens,
             CASE WHEN reporting_currency = $2::text THEN effective_cost_converted ELSE effective_cost END AS amount
      FROM cost_per_token_between($1::date::timestamp AT TIME ZONE (SELECT zone FROM setting),
                                  ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting))
      WHERE currency IS NOT NULL AND (reporting_currency = $2::text OR currency = $2::text)) AS c
GROUP BY name
ORDER BY value DESC NULLS LAST, name
LIMIT 15
