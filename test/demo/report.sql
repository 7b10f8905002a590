\echo 'The report of June 2026, as finance gets it:'
\echo
\pset format unaligned
\pset tuples_only on
SELECT publish_report('2026-06-01') AS version \gset
SELECT markdown FROM report WHERE month = '2026-06-01';
