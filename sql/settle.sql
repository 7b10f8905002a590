-- Settled days: what is stored, when it is believed, and what says so.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CALL tokenomics.install('llm');
SET client_min_messages = notice;
SET search_path = llm, tokenomics, public;
SET timezone = 'UTC';
SELECT correct_price('v', 'a', '{"currency": "USD", "input": 1, "output": 2}', '(,)', 'list');
SELECT correct_price('v', 'b', '{"currency": "USD", "input": 10, "output": 20}', '(,)', 'list');
SELECT count(*) FROM ensure_partitions('2025-01-01', '2025-02-28') WHERE month < '2025-03-01';
-- two calls a day, one of each model: 3 USD and 30 USD, of two teams
INSERT INTO usage (at, provider, model, team, tags, user_id, tokens)
SELECT day + h * interval '10 hours', 'v', (ARRAY['a', 'b'])[h], 't' || h, format('{"feature": "f%s"}', h)::jsonb, 'u' || h, tokens(input => 1000000, output => 1000000)
FROM generate_series('2025-01-01Z'::timestamptz, '2025-02-10Z', '1 day') day, generate_series(1, 2) h;
SELECT count(*), count(DISTINCT starts), min(starts), max(ends) FROM usage_mark;

-- nothing is stored yet, and views are right
SELECT state, reason, count(*) FROM settlement GROUP BY 1, 2;
SELECT spend(usage_ledger('month'));
CALL refresh();
CALL refresh();
SELECT state, reason, count(*), sum(calls) FROM settlement GROUP BY 1, 2;
SELECT count(*) FROM usage_mark;
SELECT grain, dimension, outcome, count(*), sum(stored_calls), sum(counted_calls) FROM verify() GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT l.period, l.model, l.calls, l.cost FROM lines(usage_ledger('month')) l;

-- what is stored is what is read: a ledger that lies shows
CREATE FUNCTION is_stored(at timestamptz) RETURNS boolean LANGUAGE sql STABLE
RETURN (SELECT s.covered @> at FROM stored_usage('llm.usage', 'day', 'UTC', '-infinity', 'infinity', NULL, llm.book()) s);
SELECT is_stored('2025-01-05Z'), is_stored('2025-02-11Z'), is_stored('2025-03-01Z');
UPDATE stored_ledger SET ledger = NULL WHERE starts = '2025-01-05Z' AND grain = 'day' AND dimension = '';
SELECT sum(calls) FROM daily_spend WHERE day = '2025-01-05';
SELECT day, grain, dimension, outcome, stored_calls, counted_calls FROM verify('2025-01-04', '2025-01-06') WHERE outcome <> 'equal';
SELECT archive('2025-01-01');
SELECT unsettle('2025-01-05Z', '2025-01-06Z');
SELECT sum(calls) FROM daily_spend WHERE day = '2025-01-05';
CALL refresh();
SELECT DISTINCT outcome FROM verify();

-- calls: each change unsettles its day, and no other
INSERT INTO usage (at, provider, model, tokens) VALUES ('2025-01-10 12:00Z', 'v', 'a', '{"input": 1}');
UPDATE usage SET at = '2025-01-12 12:00Z' WHERE at = '2025-01-11 10:00Z';
DELETE FROM usage WHERE at = '2025-01-14 10:00Z';
UPDATE usage SET tokens = '{"input": 2}' WHERE at = '2025-01-16 10:00Z';
SELECT day, reason FROM settlement WHERE state <> 'settled';
SELECT spend(usage_ledger('day', '2025-01-14Z', '2025-01-15Z')), spend(usage_ledger('day', '2025-01-15Z', '2025-01-16Z'));
CALL refresh();
-- ids alone do not
SELECT forget_user('u1'), forget_user('u1'), forget_user('nobody'), forget_user(NULL);
SELECT count(*) FROM usage WHERE user_id = 'u1';
SELECT DISTINCT state FROM settlement;

-- prices: days that hold the model, in the time in which it changes
SELECT correct_price('v', 'a', '{"currency": "USD", "input": 2, "output": 2}', '[2025-01-20,2025-01-22)', 'invoice');
SELECT correct_price('v', 'c', '{"currency": "USD", "input": 2, "output": 2}', '(,)', 'another model');
SELECT correct_price('v', 'a', '{"currency": "USD", "input": 9, "output": 9}', '(,)', 'another tier', service_tier => 'batch', above_input_tokens => 100);
SELECT state, reason, min(day), max(day), count(*) FROM settlement GROUP BY 1, 2 ORDER BY 1;
CALL refresh();
SELECT set_alias('x', 'a', 'alias'), set_alias('^[yz]', 'b', 'pattern', is_pattern => true);
SELECT DISTINCT state FROM settlement;
INSERT INTO usage (at, provider, model, tokens) VALUES ('2025-02-01 12:00Z', 'v', 'x', '{"input": 1000000}');
CALL refresh();
SELECT set_alias('x', 'b', 'another');
SELECT day, reason FROM settlement WHERE state <> 'settled';
SELECT sum(total_spend) FROM daily_spend WHERE day = '2025-02-01';
-- and back: what was stored is right again
SELECT set_alias('x', 'a', 'as before');
SELECT DISTINCT state FROM settlement;
SELECT sum(total_spend) FROM daily_spend WHERE day = '2025-02-01';

-- partitions
BEGIN;
TRUNCATE usage_y2025m02;
SELECT state, reason, count(*) FROM settlement GROUP BY 1, 2 ORDER BY 1;
SELECT calls(usage_ledger('month'));
ROLLBACK;
SELECT DISTINCT state FROM settlement;
ALTER TABLE usage DETACH PARTITION usage_y2025m02;
SELECT calls(usage_ledger('month'));
UPDATE usage_y2025m02 SET calls = 2 WHERE at = '2025-02-03 10:00Z';
ALTER TABLE usage ATTACH PARTITION usage_y2025m02 FOR VALUES FROM ('2025-02-01Z') TO ('2025-03-01Z');
SELECT state, reason, count(*) FROM settlement GROUP BY 1, 2 ORDER BY 1;
SELECT calls(usage_ledger('month'));
CALL refresh();
SELECT calls(usage_ledger('month'));
-- without its trigger
ALTER TABLE usage DISABLE TRIGGER mark_usage;
SELECT state, reason, count(*) FROM settlement GROUP BY 1, 2 ORDER BY 1;
CALL refresh();
ALTER TABLE usage ENABLE TRIGGER mark_usage;
SELECT count(*) FROM settlement WHERE state = 'settled';
SET client_min_messages = warning;
CALL tokenomics.install('llm');
SET client_min_messages = notice;
CALL refresh();
SELECT tgenabled, count(*) FROM pg_trigger WHERE tgname = 'mark_usage' AND tgrelid::regclass::text LIKE 'usage%' GROUP BY 1;
SET client_min_messages = warning;
CALL tokenomics.install('llm');
SET client_min_messages = notice;
SELECT DISTINCT state FROM settlement;

-- dimensions
INSERT INTO dimension VALUES ('feature', 'tags->>''feature''');
SELECT l.label, l.calls FROM lines(usage_ledger('month', dimension => 'feature')) l WHERE l.period = '2025-02-01Z';
CALL refresh();
SELECT l.label, l.calls FROM lines(usage_ledger('month', dimension => 'feature')) l WHERE l.period = '2025-02-01Z';
SELECT dimension, owner, sum(calls) FROM spend_by_owner GROUP BY 1, 2 ORDER BY 1, 2;
SELECT calls(usage_ledger('month', dimension => 'colour'));
INSERT INTO dimension VALUES ('by_user', 'user_id');
INSERT INTO dimension VALUES ('x', 'now()');
INSERT INTO dimension VALUES ('x', '(SELECT 1)');
INSERT INTO dimension VALUES ('x', 'count(*)');
INSERT INTO dimension VALUES ('x', 'nothing');
INSERT INTO dimension VALUES ('x', 'team) FROM pg_class; --');
INSERT INTO dimension VALUES ('Not a name', 'team');
UPDATE dimension SET expression = 'project' WHERE name = 'team';
UPDATE dimension SET expression = 'tags->>''feature'' || ''!'' -- a comment' WHERE name = 'feature';
SELECT l.label, l.calls FROM lines(usage_ledger('month', dimension => 'feature')) l WHERE l.period = '2025-02-01Z';

-- limits, grains and zones: from whole days, from quarters of an hour, from calls
CALL refresh();
SELECT g.grain, z.zone, f.first, f.behind, calls(s.ledger) = calls(usage_ledger(g.grain, f.first, f.behind, z.zone)) AS all_is_stored, calls(usage_ledger(g.grain, f.first, f.behind, z.zone))
FROM unnest('{month,day,hour}'::text[]) g(grain), unnest('{UTC,Asia/Kathmandu,XXX+01:07}'::text[]) z(zone),
     (VALUES ('2025-01-03Z'::timestamptz, '2025-01-06Z'::timestamptz), ('2025-01-03 09:15Z', '2025-01-06 10:00Z'), ('2025-01-03 10:00:00.000001Z', '2025-01-06 10:00:01Z')) f(first, behind),
     stored_usage('llm.usage', g.grain, z.zone, f.first, f.behind, NULL, (SELECT book())) s
ORDER BY 3, 1, 2;

-- settings
UPDATE setting SET currency = 'EUR';
UPDATE setting SET zone = 'America/New_York';
SELECT state, reason, count(*) FROM settlement GROUP BY 1, 2 ORDER BY 1;
CALL refresh();
SELECT state, reason, count(*) FROM settlement GROUP BY 1, 2 ORDER BY 1;
SELECT count(*), count(DISTINCT zone) FROM settled;
SELECT DISTINCT outcome FROM verify();
SELECT correct_price('v', 'a', '{"currency": "USD", "input": 1, "output": 1}', '[2025-02-05 05:00Z,)', 'signed', book => 'contract');
UPDATE setting SET book = 'contract';
SELECT state, reason, count(*) FROM settlement GROUP BY 1, 2 ORDER BY 1;
CALL refresh();

-- archives
SELECT archive(date_trunc('month', now())::date);
INSERT INTO usage (at, provider, model, tokens) VALUES ('2025-01-02 12:00Z', 'v', 'a', '{"input": 1000000}');
SELECT archive('2025-01-01');
CALL refresh();
SELECT archive('2025-01-01'), archive('2025-01-31');
INSERT INTO usage (at, provider, model, tokens) VALUES ('2025-01-02 12:00Z', 'v', 'a', '{"input": 1}');
UPDATE usage SET at = at + interval '1 year' WHERE at < '2025-01-02Z';
DELETE FROM usage WHERE at < '2025-01-02Z';
UPDATE usage SET user_id = NULL WHERE at < '2025-01-02Z';
SELECT correct_price('v', 'b', '{"currency": "USD", "input": 11, "output": 21}', '[2025-01-15 05:00Z, 2025-01-16 05:00Z)', 'too late');
SELECT state, reason, min(day), max(day), count(*) FROM settlement GROUP BY 1, 2 ORDER BY 1, 2;
CREATE TABLE kept AS SELECT usage_ledger('month') AS month, usage_ledger('day', dimension => 'team') AS day, usage_ledger('hour', zone => 'Asia/Kolkata') AS hour;
DROP TABLE usage_y2025m01;
SELECT month = usage_ledger('month'), day = usage_ledger('day', dimension => 'team'), hour = usage_ledger('hour', zone => 'Asia/Kolkata') FROM kept;
CALL refresh();
SELECT month = usage_ledger('month'), day = usage_ledger('day', dimension => 'team'), hour = usage_ledger('hour', zone => 'Asia/Kolkata') FROM kept;
SELECT outcome, count(*) FROM verify() GROUP BY 1;
SELECT calls(usage_ledger('day', '2025-01-05 12:00:01Z', '2025-01-07Z'));
SELECT calls(usage_ledger('day', '2025-01-05 12:00Z', '2025-01-07Z', dimension => 'team'));
SELECT calls(usage_ledger('day', '2025-01-05 12:00Z', '2025-01-07Z'));
SELECT unarchive('2025-01-01');
SELECT unsettle();

-- a view has no trigger: its days are complete when its owner says so
CREATE TABLE my_calls AS SELECT '2025-03-01Z'::timestamptz + i * interval '12 hours' AS at, 'v' AS provider, 'a' AS model, tokens(input => 1000) AS tokens FROM generate_series(0, 9) i;
INSERT INTO my_calls SELECT now() - interval '1 hour', 'v', 'a', tokens(input => 1000);
SET client_min_messages = warning;
CALL tokenomics.install('own', usage => 'my_calls');
SET client_min_messages = notice;
CALL own.refresh();
SELECT own.settle_after('-1 day');
SELECT settle_after('1 day');
SELECT own.settle_after(now() - '2025-03-05Z');
CALL own.refresh();
SELECT state, count(*), sum(calls) FROM own.settlement GROUP BY 1;
SELECT calls(own.usage_ledger('month'));
-- what comes later is not seen, as was said
INSERT INTO my_calls SELECT '2025-03-02 12:30Z', 'v', 'a', tokens(input => 1000);
SELECT calls(own.usage_ledger('month'));
SELECT outcome, count(*) FROM own.verify() GROUP BY 1 ORDER BY 1;
SELECT own.unsettle('2025-03-02Z', '2025-03-03Z');
SELECT calls(own.usage_ledger('month'));
CALL own.refresh();
SELECT calls(own.usage_ledger('month'));
SELECT own.settle_after(NULL);
SELECT count(*) FROM own.settled;
SELECT calls(own.usage_ledger('month'));

-- what is called by hand
SELECT mark_usage();
CREATE TABLE other (at timestamptz);
CREATE TRIGGER t AFTER INSERT ON other FOR EACH STATEMENT EXECUTE FUNCTION mark_usage();
INSERT INTO other VALUES (now());
DROP TRIGGER t ON other;
CREATE SCHEMA elsewhere;
ALTER TABLE other SET SCHEMA elsewhere;
CREATE TRIGGER t AFTER INSERT ON elsewhere.other FOR EACH ROW EXECUTE FUNCTION mark_usage();
INSERT INTO elsewhere.other VALUES (now());
SELECT price_digest(book(), '{v}', '{a,b}', '-infinity', 'infinity');
SELECT price_digest(book(), '{v}', '{a}', '-infinity', 'infinity') = price_digest(book(), '{v}', '{b}', '-infinity', 'infinity'),
       price_digest(book(), '{v,v}', '{a,NULL}', '2025-01-01', '2025-01-02') = price_digest(book('list'), '{v,v}', '{a,NULL}', '2025-01-01', '2025-01-02'),
       price_digest(book(), '{}', '{}', '2025-01-01', '2025-01-02') IS NULL;
SELECT calls(clip(usage_ledger('day', zone => 'UTC'), '2025-02-04Z', '2025-02-06Z'));
SELECT calls(clip(usage_ledger('day', zone => 'UTC'), '2025-02-04Z', '2025-02-06 12:00Z'));

DROP FUNCTION is_stored(timestamptz);
DROP SCHEMA elsewhere CASCADE;
DROP TABLE kept;
SELECT own.forget_user(NULL);
SELECT own.forget_user('u1');
SET client_min_messages = warning;
CALL tokenomics.uninstall('own');
CALL tokenomics.uninstall('llm');
SELECT relname FROM pg_class WHERE relnamespace IN ('llm'::regnamespace, 'own'::regnamespace) AND relkind <> 'i' ORDER BY 1;
SELECT proname FROM pg_proc WHERE pronamespace IN ('llm'::regnamespace, 'own'::regnamespace) ORDER BY 1;
DROP SCHEMA llm CASCADE;
DROP SCHEMA own CASCADE;
