-- What each quote costs on a workload, the first of them by name: the best first.
SELECT workload, quote || ' (' || replace(kind, '_', ' ') || ')' AS name, kind, reporting_currency AS currency, cost_per_mtok_converted::double precision AS value,
       monthly_bill_converted::double precision AS monthly, to_jsonb(break_even_volumes) AS break_even, break_even_utilization::double precision AS utilization,
       CASE WHEN serves THEN 'Serves the workload' WHEN serves IS NULL THEN 'Not known' ELSE 'Cannot serve it' END AS serving, coalesce(reason, '') AS reason
FROM quote_comparison
WHERE workload = (SELECT min(workload) FROM quote_comparison)
ORDER BY rank, quote
LIMIT 20
