-- From the bill of the month before to that of the month: each effect begins where the
-- one before it ended, in the whole of the currency shown.  Where all of that is near the
-- top of the bills, they begin above zero, or the effects could not be seen.
SELECT step, place, kind, CASE WHEN kind = 'bill' THEN 'Bill' WHEN value > 0 THEN 'More' ELSE 'Less' END AS direction, currency, value::double precision AS value,
       CASE kind WHEN 'bill' THEN CASE WHEN low > 0.6 * high AND high - low > 0.01 * high THEN floor((2 * low - high) / unit) * unit ELSE 0 END ELSE running - value END::double precision AS starts, running::double precision AS ends
FROM (SELECT r.*, 2 * power(10::numeric, floor(log(nullif(high - low, 0)))) AS unit FROM (SELECT r.*, min(running) OVER () AS low, max(running) OVER () AS high FROM (SELECT step, place, kind, currency, value,
             CASE kind WHEN 'bill' THEN value ELSE sum(value) FILTER (WHERE place < 99) OVER (ORDER BY place) END AS running
      FROM (SELECT currency, v.*
            FROM bill_growth_between(($1::date - interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting),
                                     ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting), (SELECT zone FROM setting), $2::text),
                 LATERAL (VALUES ('Before', 0, 'bill', spend_before), ('Price', 1, 'effect', price_effect), ('Volume', 2, 'effect', volume_effect), ('Mix', 3, 'effect', mix_effect),
                                 ('New models', 4, 'effect', new_effect), ('Ended models', 5, 'effect', discontinued_effect), ('Currency', 6, 'effect', currency_effect),
                                 ('Purchases', 7, 'effect', purchase_effect), ('Other', 8, 'effect', other_effect), ('Now', 99, 'bill', spend)) AS v(step, place, kind, value)
            WHERE month = $1::date AND comparison = 'month on month' AND spend_before IS NOT NULL AND (v.kind = 'bill' OR v.value <> 0)) AS e) AS r) AS r) AS b
ORDER BY place
