-- turn_tally: calls by turn.
\set SHOW_CONTEXT never
SET search_path = tokenomics, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- Turn a begins with r2 (of two calls at one time the lesser request id) and
-- goes on in February; b begins before what is wanted; the last has no turn.
CREATE TABLE call (at timestamptz, tokens tokens, turn_id text, session_id text, user_id text, team text, project text, request_id text, is_wanted boolean, duration integer, agent text);
INSERT INTO call VALUES
    ('2025-01-31 23:50', '{"input": 10, "cache_read": 5}', 'a', 's2', 'bob', 'blue', NULL, 'r3', true, 1500, 'x'),
    ('2025-01-31 23:50', '{"input": 20, "output": 7}', 'a', 's1', 'ann', 'red', 'p', 'r2', true, NULL, 'y'),
    ('2025-02-01 00:10', NULL, 'a', 's1', 'ann', 'red', 'p', 'r4', true, 60000, 'x'),
    ('2025-01-01 00:00', '{"input": 999}', 'b', 's3', 'cyd', 'red', NULL, NULL, false, NULL, NULL),
    ('2025-02-03 00:00', '{"output": 3, "audio_input": 4, "tool_calls": 1}', 'b', 's4', 'dan', 'blue', 'q', NULL, true, NULL, NULL),
    ('2025-02-03 01:00', '{"input": 100}', NULL, 's5', 'eve', 'blue', NULL, NULL, true, NULL, NULL);
CREATE TABLE tally AS SELECT turn_tally('UTC', at, tokens, turn_id, session_id, user_id, team, project, request_id, is_wanted, duration, agent) AS t FROM call;
SELECT c.* FROM tally, counts(t, by_owner => true) c ORDER BY 1, 2 DESC, 3;
SELECT c.month, c.users, c.turns, c.calls, c.total_tokens FROM tally, counts(t, '{"team": ["red", null], "user_id": "ann"}') c ORDER BY 1;
SELECT s, count(c) FROM tally, unnest(ARRAY['{}', '{"team": null}', '{"project": null}', '{"session_id": "s4"}', '{"colour": 5}']::jsonb[]) s LEFT JOIN LATERAL counts((SELECT t FROM tally), s) c ON true GROUP BY 1 ORDER BY 1;
SELECT c.* FROM tally, turns(t, '-infinity', 'infinity') c ORDER BY 1;
SELECT c.* FROM tally, turns(t, '2025-01-31', '2025-02-01') c;
SELECT c.* FROM tally, fan_out(t, '-infinity', 'infinity') c ORDER BY 1, 2 DESC, 3;
-- hours and months are those of the zone
SELECT c.month, c.turns, c.total_tokens, c.peak_hour_tokens FROM (SELECT turn_tally('Asia/Kolkata', at, tokens, turn_id, session_id, user_id, team, project, request_id, is_wanted) AS t FROM call) x, counts(t) c ORDER BY 1;
-- the same in any order, in parts, stored and as text
SELECT count(*) AS orders, count(DISTINCT x::text) AS tallies, bool_and(x::text = t::text AND x::text::turn_tally::text = t::text) AS same
FROM tally, generate_series(1, 20) i, LATERAL (SELECT merge(part) AS x FROM (SELECT turn_tally('UTC', at, tokens, turn_id, session_id, user_id, team, project, request_id, is_wanted, duration, agent) AS part
    FROM (SELECT * FROM call ORDER BY md5(i::text || call::text)) o GROUP BY hashtext(i::text || o::text) % 3) p) m;
SELECT turn_tally('UTC', at, tokens, turn_id, session_id, user_id, team, project, request_id, is_wanted) IS NULL AS empty FROM call WHERE false;
SELECT count(*) FROM counts(NULL);
-- refused, and why
SELECT turn_tally(NULL, now(), NULL, 't', 's', 'u', NULL, NULL, NULL, true);
SELECT turn_tally('Mars/Olympus', now(), NULL, 't', 's', 'u', NULL, NULL, NULL, true);
SELECT turn_tally('UTC', NULL, NULL, 't', 's', 'u', NULL, NULL, NULL, true);
SELECT turn_tally('UTC', 'infinity', NULL, 't', 's', 'u', NULL, NULL, NULL, true);
SELECT turn_tally(z, '2025-01-01', NULL, 't', 's', 'u', NULL, NULL, NULL, true) FROM unnest('{UTC,Europe/Berlin}'::text[]) z;
SELECT turn_tally('UTC', '2025-01-01', '{"input": 9223372036854775807}', 't', 's', 'u', NULL, NULL, NULL, true) FROM generate_series(1, 2);
SELECT merge(t) FROM (SELECT turn_tally(z, '2025-01-01', NULL, 't', 's', 'u', NULL, NULL, NULL, true) AS t FROM unnest('{UTC,Europe/Berlin}'::text[]) z GROUP BY z ORDER BY z) x;
SELECT counts(t, '[]') FROM tally;
SELECT counts(t, '{"team": 5}') FROM tally;
SELECT counts(t, '{"team": ["a", ["b"]]}') FROM tally;
SELECT turn_tally_add(NULL, 'UTC', now(), NULL, 't', 's', 'u', NULL, NULL, NULL, true);
SELECT turn_tally_merge(t, t) FROM tally;
SELECT turn_tally_final(t) FROM tally;
SELECT ''::turn_tally;
SELECT '\x'::turn_tally;
SELECT '\x02'::turn_tally;
SELECT '\x0103555443010161'::turn_tally;
SELECT left(t::text, length(t::text) - 2)::turn_tally FROM tally;
SELECT (t::text || '00')::turn_tally FROM tally;
DROP TABLE call, tally;
