-- The second line in money: what was spent each month, by kind of charge.
SELECT *
FROM (SELECT to_char(month, 'YYYY-MM-DD') AS month, kind, place, is_partial, $2::text AS currency,
             CASE WHEN bool_and(amount IS NOT NULL) THEN sum(amount)::double precision END AS value,
             kind = 'Usage' OR bool_or(coalesce(sum(amount), 1) <> 0) OVER (PARTITION BY kind) AS is_there
      FROM (SELECT month, is_partial, kind, place,
                   CASE WHEN reporting_currency = $2::text THEN convert_currency(part, currency, $2::text, month, 'month') ELSE part END AS amount
            FROM total_spend_trend,
                 LATERAL (VALUES (1, 'Usage', usage_cost), (2, 'Purchases', purchase_cost), (3, 'Credits, adjustments, tax', other_charges)) AS v(place, kind, part)
            WHERE currency IS NOT NULL AND (reporting_currency = $2::text OR currency = $2::text)
              AND month <= $1::date AND month > $1::date - interval '25 months') AS p
      GROUP BY month, kind, place, is_partial) AS k
WHERE is_there
ORDER BY month, place
