-- What each quote costs on each of the first four workloads, the best first.
SELECT workload, quote || ' (' || replace(kind, '_', ' ') || ')' AS name, kind, reporting_currency AS currency, cost_per_mtok_converted::double precision AS value,
       monthly_bill_converted::double precision AS monthly, coalesce(baseline, '–') AS baseline, to_jsonb(break_even_volumes) AS break_even, break_even_utilization::double precision AS utilization,
       CASE WHEN serves THEN 'Serves the workload' WHEN serves IS NULL THEN 'Not known' ELSE 'Cannot serve it' END AS serving, coalesce(reason, '') AS reason
FROM (SELECT q.*, dense_rank() OVER (ORDER BY workload) AS place, row_number() OVER (PARTITION BY workload ORDER BY rank, quote) AS line FROM quote_comparison q) AS q
WHERE place <= 4 AND line <= 20
ORDER BY workload, rank, quote
