-- What is measured of settled months: stored, believed, and kept.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CALL tokenomics.install('llm');
SET client_min_messages = notice;
SET search_path = llm, tokenomics, public;
SET timezone = 'UTC';
SELECT correct_price('v', 'a', '{"currency": "USD", "input": 1, "cache_read": 0.1, "output": 2}', '(,)', 'list');
SELECT count(*) FROM ensure_partitions('2025-01-01', '2025-03-31') WHERE month < '2025-04-01';
-- two users; in January turn t1 of three calls, one of them in February, and t2 of one; t3 in February; t4 in March
INSERT INTO usage (at, provider, model, team, user_id, session_id, turn_id, tokens) VALUES
    ('2025-01-10 10:00Z', 'v', 'a', 'x', 'u1', 's1', 't1', '{"input": 60, "cache_read": 40, "output": 10, "reasoning": 5}'),
    ('2025-01-31 23:50Z', 'v', 'a', 'x', 'u2', 's2', 't2', '{"input": 100, "cache_read": 0, "output": 10, "reasoning": 15}'),
    ('2025-01-31 23:59Z', 'v', 'a', 'y', 'u1', 's3', 't5', '{"input": 10, "cache_read": 90, "output": 10, "reasoning": 25}'),
    ('2025-02-01 00:01Z', 'v', 'a', 'y', 'u1', 's3', 't5', '{"input": 20, "cache_read": 80, "output": 10}'),
    ('2025-02-10 10:00Z', 'v', 'a', 'x', 'u2', 's4', 't3', '{"input": 50, "output": 10}'),
    ('2025-03-10 10:00Z', 'v', 'b', NULL, NULL, NULL, NULL, '{"input": 50, "output": 10}');
CREATE VIEW public.shown AS
    SELECT 'demand' AS what, month, concat_ws(' ', scope, owner, users, sessions, turns, calls, total_tokens) AS says FROM demand_drivers
    UNION ALL SELECT 'fan_out', month, concat_ws(' ', scope, owner, turns, calls, max, tokens) FROM fan_out WHERE scope = 'total'
    UNION ALL SELECT 'reasoning', NULL, concat_ws(' ', per, count, coverage, reasoning_tokens, p50, max) FROM reasoning_profile WHERE model = 'a'
    UNION ALL SELECT 'depth', NULL, concat_ws(' ', team, depth, calls, cache_read_tokens) FROM cache_by_session_depth
    UNION ALL SELECT 'cache', month, concat_ws(' ', team, currency, calls, hit_rate, net_cache_saving) FROM cache_use
    UNION ALL SELECT 'peak', NULL, concat_ws(' ', side, dow, hour, active_minutes, max) FROM peak_profile WHERE active_minutes > 0 AND side = 'total';
CREATE TABLE public.counted AS TABLE public.shown;
SELECT * FROM public.counted ORDER BY 1, 2, 3;
CREATE VIEW public.differs AS (TABLE public.shown EXCEPT ALL TABLE public.counted) UNION ALL (TABLE public.counted EXCEPT ALL TABLE public.shown);
CALL refresh();
SELECT what, string_agg(concat(starts::date, ': ', calls), ', ' ORDER BY starts) FROM stored_measure GROUP BY 1 ORDER BY 1;
TABLE public.differs;
SELECT grain, dimension, outcome, count(*) FROM verify() WHERE grain NOT IN ('day', 'quarter_hour', 'month') GROUP BY 1, 2, 3 ORDER BY 1;

-- what is stored is what is read, and verify() sees a lie
UPDATE stored_measure SET facts = jsonb_set(facts, '{3,turns}', '77') WHERE what = 'fan_out' AND starts = '2025-01-01Z';
SELECT * FROM public.differs WHERE what = 'fan_out';
SELECT day, grain, outcome, stored_calls, counted_calls FROM verify() WHERE outcome <> 'equal';
CREATE FUNCTION believed() RETURNS text LANGUAGE sql STABLE
RETURN (SELECT string_agg(concat(p.what, ' ', to_char(p.starts, 'MM'), coalesce(': ' || p.problem, '')), ', ' ORDER BY p.what, p.starts) FROM measure_problems('-infinity', 'infinity', llm.book()) p WHERE p.problem IS NOT NULL);
SELECT unsettle('2025-01-31Z', '2025-02-01Z');
TABLE public.differs;
CALL refresh();
TABLE public.differs;
SELECT believed();

-- a call unsettles the months that read its day, a price what depends on it, and ids what counts them
BEGIN;
INSERT INTO usage (at, provider, model, tokens) VALUES ('2025-02-03 10:00Z', 'v', 'b', '{"input": 1}');
SELECT believed();
ROLLBACK;
BEGIN;
SELECT correct_price('v', 'a', '{"currency": "USD", "input": 1, "cache_read": 0.2, "output": 2}', '[2025-02-01,2025-03-01)', 'invoice');
SELECT believed();
SELECT * FROM public.differs ORDER BY 3;
ROLLBACK;
BEGIN;
UPDATE usage SET user_id = 'u3' WHERE at = '2025-03-10 10:00Z';
SELECT believed(), (SELECT count(*) FROM usage_mark), (SELECT count(*) FROM usage_id_mark);
ROLLBACK;
BEGIN;
TRUNCATE usage_y2025m03;
SELECT believed();
ROLLBACK;
UPDATE usage SET session_id = 's3' WHERE session_id = 's4';
SELECT * FROM public.shown WHERE what = 'demand' AND month = '2025-02-01' ORDER BY 3;
CALL refresh();
SELECT * FROM public.shown WHERE what = 'demand' AND month = '2025-02-01' ORDER BY 3;
SELECT believed(), (SELECT count(*) FROM usage_id_mark);
UPDATE usage SET session_id = 's4' WHERE turn_id = 't3';
CALL refresh();
TABLE public.differs;

-- who opens a month opens what looks back into it
SELECT archive('2025-01-01'), unarchive('2025-01-01');
CALL refresh();
BEGIN;
UPDATE usage SET turn_id = 't9' WHERE at = '2025-01-31 23:59Z';
SELECT believed();
ROLLBACK;

-- who is forgotten was there
SELECT forget_user('u2');
SELECT believed(), (SELECT count(*) FROM usage_mark), (SELECT count(*) FROM usage_id_mark), (SELECT count(*) FROM usage_blank_mark);
TABLE public.differs;
CALL refresh();
TABLE public.differs;
SELECT day, grain, outcome, stored_calls, counted_calls FROM verify() WHERE outcome <> 'equal';

-- row security: from calls alone
CREATE ROLE measure_reader;
GRANT USAGE ON SCHEMA llm, tokenomics TO measure_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA llm TO measure_reader;
ALTER TABLE usage ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_team ON usage USING (team = 'y');
SET ROLE measure_reader;
SELECT month, scope, owner, users, calls FROM demand_drivers ORDER BY 1, 2, 3;
SELECT count(*) FROM stored_measure;
SELECT count(*) FROM tokenomics.stored_measures('llm.usage', 'demand', 'UTC', '-infinity', 'infinity', NULL);
SELECT * FROM settled_measures('demand', 'UTC', '-infinity', 'infinity', NULL);
RESET ROLE;
ALTER TABLE usage DISABLE ROW LEVEL SECURITY;
DROP POLICY of_team ON usage;
SELECT count(*) FROM tokenomics.stored_measures('llm.usage', 'demand', 'UTC', '-infinity', 'infinity', NULL);
DROP OWNED BY measure_reader;
DROP ROLE measure_reader;

-- an archived month keeps its factors without its calls
SELECT archive('2025-01-01');
SELECT what, starts::date, is_archived, read_from, read_to FROM stored_measure WHERE starts < '2025-03-01Z' ORDER BY 1, 2;
DROP TABLE usage_y2025m01;
SELECT believed();
TABLE public.differs;
CALL refresh();
TABLE public.differs;
SELECT grain, outcome, count(*) FROM verify('2025-01-01', '2025-01-31') GROUP BY 1, 2 ORDER BY 1, 2;
-- but not what was not counted
SELECT users FROM measured_factors('2025-01-01', '{"team": "x"}', growth_months => 0);
SELECT count(*) FROM demand_drivers_between('2025-01-01Z', '2025-02-01Z', 'Asia/Kolkata');
SELECT count(*) FROM fan_out_between('2025-01-02Z', '2025-02-01Z');
SELECT month, users FROM demand_drivers_between('2025-02-01Z', '2025-03-01Z') WHERE scope = 'total';
UPDATE setting SET zone = 'Asia/Kolkata';
CALL refresh();
SELECT DISTINCT zone, is_archived FROM stored_measure ORDER BY 1;

SET client_min_messages = warning;
-- nothing is archived that a month counts in that is not over
UPDATE setting SET zone = 'UTC';
INSERT INTO usage (at, provider, model, tokens) VALUES (date_trunc('month', now()) - interval '10 days', 'v', 'a', '{"input": 1}');
CALL refresh();
DO $$ BEGIN PERFORM archive((date_trunc('month', now()) - interval '10 days')::date); EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE WARNING '%', regexp_replace(SQLERRM, '\d{4}-\d\d \(.*\)', 'MONTH'); END $$;
-- east of UTC a month's first hours are in the partition of the month before
CALL tokenomics.install('berlin');
SET search_path = berlin, tokenomics, public;
UPDATE setting SET zone = 'Europe/Berlin';
SELECT correct_price('v', 'a', '{"currency": "USD", "input": 1, "cache_read": 0.1, "output": 2}', '(,)', 'list');
SELECT count(*) FROM ensure_partitions('2025-05-01', '2025-07-31') WHERE month < '2025-08-01';
INSERT INTO usage (at, provider, model, team, user_id, session_id, turn_id, tokens) VALUES
    ('2025-05-15 10:00Z', 'v', 'a', 'x', 'u3', 's1', 'ta', '{"input": 60, "cache_read": 40, "output": 10}'),
    ('2025-05-31 21:50Z', 'v', 'a', 'x', 'u1', 's2', 'tb', '{"input": 60, "cache_read": 40, "output": 10}'),
    ('2025-05-31 22:30Z', 'v', 'a', 'x', 'u1', 's2', 'tb', '{"input": 60, "cache_read": 40, "output": 10}'),
    ('2025-06-03 10:00Z', 'v', 'a', 'x', 'u2', 's3', 'tc', '{"input": 60, "cache_read": 40, "output": 10}'),
    ('2025-07-10 10:00Z', 'v', 'a', 'x', 'u2', 's4', 'td', '{"input": 60, "cache_read": 40, "output": 10}');
CREATE VIEW public.months AS
    SELECT 'demand' AS what, month, concat_ws(' ', users, turns, calls) AS says FROM demand_drivers WHERE scope = 'total'
    UNION ALL SELECT 'fan_out', month, concat_ws(' ', turns, calls, max) FROM fan_out WHERE scope = 'total'
    UNION ALL SELECT 'cache', month, concat_ws(' ', calls, net_cache_saving) FROM cache_use;
CALL refresh();
SELECT * FROM public.months ORDER BY 1, 2;
CREATE VIEW public.verified AS SELECT day, grain, outcome, stored_calls, counted_calls FROM verify() WHERE outcome <> 'equal' AND grain NOT IN ('day', 'quarter_hour') ORDER BY day, grain;
-- what was blanked explains what counts ids, and that until it is counted anew
SELECT forget_user('u3');
UPDATE stored_measure SET calls = 7 WHERE what = 'cache' AND starts < '2025-05-31Z';
TABLE public.verified;
SELECT archive('2025-05-01');
SELECT unsettle('2025-05-15Z', '2025-05-16Z') > 0;
CALL refresh();
TABLE public.verified;
SELECT count(*) FROM usage_blank_mark;
-- nothing is archived that the next month is not counted without
DELETE FROM stored_measure WHERE what = 'session_depth' AND starts = '2025-05-31 22:00Z';
SELECT archive('2025-05-01');
CALL refresh();
SELECT archive('2025-05-01');
-- who opens it opens what reads it
SELECT unarchive('2025-05-01');
CALL refresh();
INSERT INTO usage (at, provider, model, team, user_id, session_id, turn_id, tokens) VALUES ('2025-05-30 10:00Z', 'v', 'a', 'x', 'u2', 's3', 'tc', '{"input": 1}');
SELECT day, grain, outcome FROM public.verified WHERE outcome !~ '^unsettled';
CALL refresh();
TABLE public.verified;
CREATE TABLE public.before AS TABLE public.months;
TABLE public.before ORDER BY 1, 2;
SELECT archive('2025-05-01');
DROP TABLE usage_y2025m05;
CALL refresh();
(TABLE public.months EXCEPT TABLE public.before) UNION ALL (TABLE public.before EXCEPT TABLE public.months);
-- June changes, and can be counted no more: the others go on
INSERT INTO usage (at, provider, model, team, tokens) VALUES ('2025-06-20 10:00Z', 'v', 'a', 'x', '{"input": 1}');
CALL refresh();
SELECT * FROM public.months WHERE what = 'demand' ORDER BY 2;
SELECT month, calls FROM cache_use ORDER BY 1;
SELECT month, calls FROM fan_out WHERE scope = 'total' ORDER BY 1;
SELECT month, calls FROM fan_out_between('2025-05-31 22:00Z', '2025-06-30 22:00Z') WHERE scope = 'total';
SELECT month, calls FROM fan_out_between('2025-06-30 22:00Z') WHERE scope = 'total';
SELECT count(*) FROM reasoning_profile;
SELECT count(*) FROM reasoning_profile_between('2025-06-30 22:00Z');
SELECT users FROM measured_factors('2025-07-01', '{"team": "x"}', growth_months => 0);
SELECT users FROM measured_factors('2025-06-01', '{"team": "x"}', growth_months => 0);
SELECT users FROM measured_factors('2025-07-01');
SELECT users FROM measured_factors('2025-06-01');
SELECT month, spend, users_effect, note FROM bill_growth_by_driver WHERE comparison = 'month on month' ORDER BY month;
SELECT body -> 'spend' ->> 'total' AS spend, body -> 'drivers' AS drivers FROM monthly_report('2025-07-01') body;
SELECT count(*) FROM costliest_turns();
SELECT count(*) FROM turns_between('2025-06-02Z');
SELECT count(*) FROM turns_between('2025-06-10Z');
SELECT count(*) FROM cap_reasoning(10);
SELECT count(*) FROM cap_reasoning(10, '2025-06-02Z');
SELECT sum(calls) FROM daily_spend;
SELECT archive('2025-06-01');
DROP VIEW public.months, public.verified;
CALL tokenomics.uninstall('berlin');
DROP TABLE public.before;
DROP SCHEMA berlin CASCADE;
SET search_path = llm, tokenomics, public;
DROP VIEW public.differs, public.shown;
DROP TABLE public.counted;
DROP FUNCTION believed();
CALL tokenomics.uninstall('llm');
SELECT relname FROM pg_class WHERE relnamespace = 'llm'::regnamespace AND relkind <> 'i' ORDER BY 1;
SELECT proname FROM pg_proc WHERE pronamespace = 'llm'::regnamespace ORDER BY 1;
DROP SCHEMA llm CASCADE;
