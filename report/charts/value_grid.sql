-- What a model is worth: its score at a task and what a million tokens of it cost in the
-- month.  On the line are those that no cheaper model is as good as; the frontier has
-- those too that are better by being faster.  A task with one model says nothing of worth
-- where another has more.
SELECT task || CASE version WHEN '' THEN '' ELSE ' ' || version END AS task, provider, model, score::double precision AS score, reporting_currency AS currency, cost_per_mtok::double precision AS value,
       interactivity::double precision AS interactivity,
       CASE WHEN is_on_frontier THEN 'On the frontier' WHEN NOT is_on_frontier THEN 'Another is better' ELSE 'Not known' END AS standing, coalesce(dominated_by, '–') AS better,
       coalesce(score > max(score) OVER (PARTITION BY task, version ORDER BY cost_per_mtok, score DESC, model ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true) AS is_best
FROM (SELECT m.*, max(models) OVER () AS most
      FROM (SELECT g.*, count(*) OVER (PARTITION BY task, version) AS models
            FROM value_grid_between($1::date::timestamp AT TIME ZONE (SELECT zone FROM setting), ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting)) g
            WHERE month = $1::date AND cost_per_mtok IS NOT NULL) AS m) AS g
WHERE models > 1 OR most < 2
ORDER BY models DESC, task, version, value, score DESC, model
LIMIT 60
