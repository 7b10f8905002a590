--
-- What nobody should ask, and what must then come: an answer or an error, never
-- a crash, a wrong number or a statement that cannot be stopped.
--
SET search_path = public, tokenomics;
SET extra_float_digits = 0;
\set SHOW_CONTEXT never

-- arrays that lie in the rows of a window
CREATE TABLE measured AS
SELECT g AS id, (SELECT array_agg((g * 7919 % 1009 + k)::numeric) FROM generate_series(1, 40) k) AS measures
FROM generate_series(1, 300) g;
SELECT count(*) FILTER (WHERE f) AS on_frontier, count(*) AS of FROM (SELECT pareto(VARIADIC measures) OVER () f FROM measured) x;
SELECT array_agg(DISTINCT d) AS dominating FROM (SELECT dominated_by(id::text, VARIADIC measures) OVER () d FROM measured) x;
SELECT id FROM measured ORDER BY measures DESC LIMIT 1;
DROP TABLE measured;

-- effects of factors whose quotient is no number
SELECT lmdi_effects(1, 1, '{1e-300,1e300}', '{1e300,1e-300}');
SELECT lmdi(x0, x1) FROM (VALUES ('{1e-300,1e300}'::float8[], '{1e300,1e-300}'::float8[])) v(x0, x1);
SELECT lmdi(x0, x1) FROM (VALUES ('{1e308}'::float8[], '{1e308}'::float8[]), ('{1e308}', '{1e308}')) v(x0, x1);
SELECT lmdi_sums(x0, x1) FROM (VALUES ('{1e308}'::float8[], '{1e308}'::float8[]), ('{1e308}', '{1e308}')) v(x0, x1);
SELECT merge(s) FROM (VALUES ('[1e308, 0, 1, 0, 1, 0]'::lmdi_sums), ('[1e308, 0, 1, 0, 1, 0]')) v(s);
SELECT lmdi_index('[1, 0, 1, 0, 1e10, 0]');
SELECT lmdi('{}'::float8[], '{}');
SELECT lmdi('{{1,2}}'::float8[], '{{1,2}}');
SELECT jevons_index(1e-200, 1, 1e200, 1);
SELECT shapley_effects('{}', '{}');
SELECT shapley_effects('{1,NULL}', '{1,2}');

-- sums that no text form holds are not made
SELECT index_sums(1e200, 1e200, 1e200, 1e200);
SELECT merge(price_panel) FROM (SELECT price_panel('2026-01-01Z', 'a', 1e308, 1) UNION ALL SELECT price_panel('2026-01-01Z', 'a', 1e308, 1)) x;
SELECT * FROM price_panel_cells('[["2026-01-01Z", "a", 1, 0, 1.7e308, 1.7e308, 1, 0, 1, 0]]');
SELECT * FROM geks_index((SELECT price_panel(at, 'a', p, 1) FROM (VALUES ('2026-01-01Z'::timestamptz, 1e-200), ('2026-02-01Z', 1), ('2026-03-01Z', 1e200)) v(at, p)), 'fisher', 2);
-- its times may be without a zone
SELECT provolatile FROM pg_proc WHERE proname = 'price_panel_in';

-- spans of millennia
SET statement_timeout = '20s';
SELECT projected_exhaustion(1e30, '{0,0,0,0,0,0,0}', '0001-01-01', '5874897-12-31');
SELECT projected_exhaustion(1e30, '{1,1,1,1,1,1,1}', '0001-01-01', '5874897-12-31');
SELECT projected_exhaustion(1e9, '{1,1,1,1,1,1,1}', '0001-01-01', '5874897-12-31') - '0001-01-01'::date;
SELECT projected_exhaustion('NaN', '{1,1,1,1,1,1,1}', '2026-01-01', '2026-02-01');
SELECT projected_exhaustion('Infinity', '{1,1,1,1,1,1,1}', '2026-01-01', '2026-02-01');
RESET statement_timeout;
-- the same as by days
SELECT count(*) AS cases, count(*) FILTER (WHERE projected_exhaustion(r, p, f, f + n) IS DISTINCT FROM (
    SELECT min(s.day) FROM (SELECT (f + k)::date AS day, r - sum(p[1 + (extract(isodow FROM f + k)::int - 1)]) OVER (ORDER BY k) AS rest
                            FROM generate_series(0, n - 1) k) s WHERE s.rest <= 0)) AS wrong
FROM (SELECT i * 3.5 AS r, ARRAY[i % 5, -3, i % 7, 2, 0, i % 3 - 1, 1.5] AS p, '2026-03-01'::date + i % 9 AS f, i % 40 + 1 AS n
      FROM generate_series(1, 300) i) v;
SELECT ahead, month FROM token_demand(plan_factors(1, 1, 1, 1, tokens(input => 1), month => '5874897-12-01', monthly_growth => 0), 1);
SELECT ahead, month FROM token_demand(plan_factors(1, 1, 1, 1, tokens(input => 1), month => '4714-11-24 BC', monthly_growth => 0), 0);
SELECT weekday_forecast('{1e300,-1e300,3,4,5,6,7,8,9e300}', '2026-01-01', '2026-01-01', '5874897-12-31');

-- a statement of a long series can be stopped
CREATE TABLE long_series AS
SELECT time_series('2000-01-01'::timestamp + g * interval '1 minute', 1 + g % 10000) AS v FROM generate_series(1, 500000) g;
SELECT clock_timestamp() AS started \gset
SET statement_timeout = '300ms';
SELECT count(*) FROM forecast((SELECT v FROM long_series), 1, season => 10000, model => 'combined', paths => 100);
RESET statement_timeout;
SELECT clock_timestamp() - :'started' < interval '4 seconds' AS is_stopped;
DROP TABLE long_series;

-- who may write calls does nothing else with the rights of the owner
SET client_min_messages = warning;
CALL install('attacked');
CREATE ROLE regress_writer;
GRANT USAGE ON SCHEMA attacked TO regress_writer;
GRANT SELECT, INSERT ON attacked.usage, attacked.dimension TO regress_writer;
CREATE SCHEMA planted AUTHORIZATION regress_writer;
RESET client_min_messages;
SET ROLE regress_writer;
CREATE FUNCTION planted.spy(timestamptz, timestamptz) RETURNS timestamptz LANGUAGE sql AS 'SELECT $2';
CREATE FUNCTION planted.spied(timestamptz) RETURNS timestamptz LANGUAGE plpgsql AS $$BEGIN RAISE WARNING 'as the owner of the calls'; RETURN NULL; END$$;
CREATE AGGREGATE planted.min(timestamptz) (SFUNC = planted.spy, STYPE = timestamptz, FINALFUNC = planted.spied);
CREATE FUNCTION planted.label(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$BEGIN RAISE WARNING 'as the owner of the calls'; RETURN $1; END$$;
SET search_path = planted, pg_catalog;
INSERT INTO attacked.usage (at, provider, model, tokens) VALUES ('2026-01-05Z', 'a', 'm', tokenomics.tokens(input => 1));
INSERT INTO attacked.dimension VALUES ('planted', 'planted.label(team)');
SELECT count(*) FROM tokenomics.usage_partitions('attacked.usage_mark', '-infinity', 'infinity');
RESET ROLE;
SET search_path = public, tokenomics;
SET client_min_messages = warning;
CALL attacked.refresh();
DROP SCHEMA planted CASCADE;
-- functions of an install that return other types than they should
DROP FUNCTION attacked.settled_measures(text, text, timestamptz, timestamptz, price_book), attacked.settled_ledger(text, text, timestamptz, timestamptz, text, price_book);
CREATE FUNCTION attacked.settled_measures(text, text, timestamptz, timestamptz, price_book) RETURNS TABLE (a bigint, b bigint, c bigint, d bigint, e bigint) LANGUAGE sql AS 'SELECT 1, 2, 3, 16, 32';
CREATE FUNCTION attacked.settled_ledger(text, text, timestamptz, timestamptz, text, price_book, OUT a bigint, OUT b bigint) LANGUAGE sql AS 'SELECT 16, 32';
-- PostgreSQL 18 names the column in the detail
\set VERBOSITY terse
SELECT * FROM stored_measures('attacked.usage', 'demand', 'UTC', '-infinity', 'infinity', NULL);
SELECT stored_usage('attacked.usage', 'day', 'UTC', '-infinity', 'infinity', NULL, attacked.book());
SELECT count(*) FROM attacked.fan_out;
CREATE OR REPLACE FUNCTION attacked.settled_ledger(text, text, timestamptz, timestamptz, text, price_book, OUT a bigint, OUT b bigint) LANGUAGE sql AS 'SELECT 16, 32 WHERE false';
DROP FUNCTION attacked.settled_measures(text, text, timestamptz, timestamptz, price_book);
CREATE FUNCTION attacked.settled_measures(text, text, timestamptz, timestamptz, price_book) RETURNS bigint LANGUAGE sql AS 'SELECT 1';
SELECT * FROM stored_measures('attacked.usage', 'demand', 'UTC', '-infinity', 'infinity', NULL);
\set VERBOSITY default
-- and a view of another's in the place of a table
ALTER TABLE attacked.settled RENAME TO hidden;
GRANT CREATE ON SCHEMA attacked TO regress_writer;
SET ROLE regress_writer;
CREATE VIEW attacked.settled AS SELECT now() AS starts, now() AS ends, true AS is_archived;
INSERT INTO attacked.usage (at, provider, model, tokens) VALUES ('2026-01-05Z', 'a', 'm', tokenomics.tokens(input => 1));
RESET ROLE;
DROP VIEW attacked.settled;
ALTER TABLE attacked.hidden RENAME TO settled;
CALL uninstall('attacked');
DROP SCHEMA IF EXISTS attacked CASCADE;
DROP ROLE regress_writer;
RESET client_min_messages;
