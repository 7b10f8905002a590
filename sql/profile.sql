-- demand_profile: minutes, hours of the week, peaks and capacities, and what is
-- refused.
SET search_path = tokenomics, public;
SET timezone = 'America/New_York';
\set SHOW_CONTEXT never

-- two busy minutes, an idle one between, then the next hour; a call without tokens
CREATE TABLE call (at timestamptz, tokens tokens, calls bigint);
INSERT INTO call VALUES
    ('2026-03-02 09:00:05Z', tokens(input => 100, output => 10), 1),
    ('2026-03-02 09:00:59.999999Z', tokens(input => 200, cache_read => 50, reasoning => 5), 1),
    ('2026-03-02 09:02:00Z', tokens(input => 30, tool_calls => 7), 3),
    ('2026-03-02 10:00:00Z', tokens(input => 0, output => 400), 1),
    ('2026-03-02 09:02:30Z', NULL, 1);
CREATE TABLE profile AS SELECT demand_profile('UTC', at, tokens, calls) AS p, demand_profile('UTC', at, tokens, calls, 'second') AS s FROM call;
SELECT p FROM profile;
SELECT minute AT TIME ZONE 'UTC' AS minute, calls, tokens FROM profile, minutes(p);
SELECT minute AT TIME ZONE 'UTC' AS minute, calls, tokens FROM profile, minutes(s);
SELECT resolution(p), resolution(s), zone(p), calls(p), unreported_calls(p), tokens(p), span(p) FROM profile;
SELECT dow, hour, minutes, active_minutes, mean, p50, p95, p99, max FROM profile, hour_of_week(p) WHERE minutes > 0;
SELECT side, dow, hour, minutes, mean, max FROM profile, unnest('{total,input,output}'::text[]) side, hour_of_week(side(p, side)) WHERE minutes > 0;
SELECT count(*), count(mean), sum(minutes) FROM profile, hour_of_week(p);

-- the busiest of each; an hour longer than what was observed has no average
SELECT grain, at AT TIME ZONE 'UTC' AS at, tokens, peak_to_average(s, grain) FROM profile, unnest('{hour,minute,second}'::text[]) grain, peak(s, grain);
SELECT peak_to_average(demand_profile('UTC', at, tokens), 'hour') FROM call WHERE at < '2026-03-02 09:02:10Z';
-- 795 tokens in 61 minutes, three of them active
SELECT tokens_per_minute(p), tokens_per_minute(p, false) = tokens_per_minute(p), tokens_per_minute(p, true), lost_tokens(p, tokens_per_minute(p, true)), lost_tokens(p, 0), lost_tokens(p, 30), lost_tokens(p, 29.5), lost_tokens(p, 400), lost_tokens(p, 'infinity') FROM profile;
SELECT q, capacity_at(p, q), capacity_at(p, q, false), capacity_at(p, q, true) FROM profile, unnest('{0,0.3,0.5,0.95,0.97,0.99,1}'::float8[]) q;

-- what was observed: a day, most of it idle
SELECT span(d), peak_to_average(d, 'minute'), peak_to_average(d, 'hour'), capacity_at(d, 0.99), tokens_per_minute(d), (SELECT sum(minutes) FROM hour_of_week(d))
FROM profile, with_span(p, '2026-03-02 00:00:30Z', '2026-03-02 23:59:01Z') d;

-- clocks: an hour that is left out, one that comes twice, half hours
SELECT zone, h.dow, h.hour, h.minutes
FROM (VALUES ('Europe/Berlin', '2026-03-28 23:00Z'::timestamptz, '2026-03-29 22:00Z'::timestamptz), ('Europe/Berlin', '2025-10-25 22:00Z', '2025-10-26 23:00Z'),
             ('Australia/Lord_Howe', '2026-04-04 13:00Z', '2026-04-05 13:30Z'), ('Asia/Kathmandu', '2026-03-02 00:00Z', '2026-03-02 02:00Z')) v(zone, from_at, to_at),
     LATERAL with_span(('{"zone": "UTC"}')::demand_profile, from_at, to_at) w, hour_of_week(in_zone(w, zone)) h
WHERE h.minutes NOT IN (0, 60) OR zone = 'Europe/Berlin' AND h.dow = 7 AND h.hour = 2 OR zone = 'Asia/Kathmandu' AND h.minutes > 0
ORDER BY zone, from_at, dow, hour;
SELECT zone, dow, hour, minutes, max FROM profile, unnest('{America/New_York,Asia/Kolkata,Pacific/Kiritimati}'::text[]) zone, hour_of_week(in_zone(p, zone)) WHERE minutes > 0;

-- merged in any parts, a day of nothing between; text, and equality
SELECT merge(x) = (SELECT p FROM profile), span(merge(x)) FROM (SELECT demand_profile('UTC', at, tokens, calls) AS x FROM call GROUP BY calls, at) y;
SELECT merge(x), merge(NULL::demand_profile), (SELECT merge(p) FROM profile WHERE false) FROM (VALUES ('{"zone": "UTC", "slots": [{"at": "2026-03-02T09:00Z", "calls": 1, "tokens": {"input": 1}}]}'::demand_profile), (NULL),
    ('{"zone": "UTC", "from": "2026-03-04T09:00Z", "to": "2026-03-04T10:00Z"}')) v(x);
SELECT p::text::demand_profile = p, s::text::demand_profile = s, p = s, p <> s, in_zone(p, 'Asia/Tokyo') = p, in_zone(in_zone(p, 'Asia/Tokyo'), 'UTC') = p FROM profile;
SELECT demand_profile('UTC', at, tokens) FROM call WHERE false;

-- nothing is known of nothing
SELECT span(e), calls(e), tokens(e), peak(e, 'minute'), peak_to_average(e, 'hour'), capacity_at(e, 0.5), tokens_per_minute(e), tokens_per_minute(e, true), lost_tokens(e, 5), (SELECT count(mean) FROM hour_of_week(e)) FROM (SELECT '{"zone": "UTC"}'::demand_profile) v(e);
SELECT tokens_per_minute(z), peak_to_average(z, 'minute'), capacity_at(z, 0.5), tokens_per_minute(z, true) FROM (SELECT '{"zone": "UTC", "from": "2026-03-02T09:00Z", "to": "2026-03-02T10:00Z"}'::demand_profile) v(z);

-- refused
CREATE FUNCTION attempt(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    EXECUTE query;
    RETURN 'ACCEPTED';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', sqlstate, sqlerrm, nullif(detail, ''), nullif(hint, ''));
END $$;
SELECT e, attempt(format('SELECT %s FROM call, profile', e)) FROM unnest(ARRAY[
    'demand_profile(NULL, at, tokens)', 'demand_profile(''UTC'', NULL, tokens)', 'demand_profile(''UTC'', ''infinity'', tokens)', 'demand_profile(''Mars'', at, tokens)', 'demand_profile(CASE WHEN calls > 1 THEN ''UTC'' ELSE ''Asia/Tokyo'' END, at, tokens)',
    'demand_profile(''UTC'', at, tokens, calls - 1)', 'demand_profile(''UTC'', at, tokens, 9223372036854775807)', 'demand_profile(''UTC'', at, tokens, 1, ''hour'')', 'demand_profile(''UTC'', at, tokens, 1, NULL)', 'demand_profile(''UTC'', at, tokens, 1, CASE WHEN calls > 1 THEN ''second'' ELSE ''minute'' END)',
    'demand_profile(''UTC'', ''2026-01-01'', tokens(input => 5000000000000000000))', 'merge(CASE WHEN calls > 1 THEN p ELSE s END)', 'merge(CASE WHEN calls > 1 THEN p ELSE in_zone(p, ''Asia/Tokyo'') END)',
    'in_zone(p, ''Mars'')', 'side(p, ''cache'')', 'with_span(p, ''2026-03-02 09:01Z'', ''2026-03-02 11:00Z'')', 'with_span(p, ''2026-03-02 09:00Z'', ''2026-03-02 10:00Z'')', 'with_span(p, ''2026-03-02 09:00Z'', ''infinity'')', 'with_span(p, ''2026-03-02 09:00Z'', ''2026-03-02 09:00Z'')',
    'peak(p, ''second'')', 'peak(p, ''day'')', 'peak_to_average(p, ''week'')', 'capacity_at(p, 1.1)', 'capacity_at(p, ''NaN'')', 'lost_tokens(p, -1)', 'lost_tokens(p, ''NaN'')', 'demand_profile_add(NULL, ''UTC'', at, tokens)', 'demand_profile_merge(p, p)']) e;
SELECT t, attempt(format('SELECT %L::demand_profile', t)) FROM unnest(ARRAY[
    '', '[]', '5', '{}', '{"zone": 5}', '{"zone": "Mars"}', '{"zone": "UTC", "format": 2}', '{"zone": "UTC", "resolution": "hour"}', '{"zone": "UTC", "from": "2026-03-02T09:00Z"}', '{"zone": "UTC", "from": "2026-03-02T09:00Z", "to": "2026-03-02T09:00Z"}',
    '{"zone": "UTC", "unreported_calls": 1}', '{"zone": "UTC", "unreported_calls": -1}', '{"zone": "UTC", "slots": 5}', '{"zone": "UTC", "slots": [5]}', '{"zone": "UTC", "slots": [{}]}', '{"zone": "UTC", "slots": [{"at": "x", "calls": 1, "tokens": {}}]}', '{"zone": "UTC", "slots": [{"at": "infinity", "calls": 1, "tokens": {}}]}',
    '{"zone": "UTC", "slots": [{"at": "2026-03-02T09:00:01Z", "calls": 1, "tokens": {}}]}', '{"zone": "UTC", "slots": [{"at": "2026-03-02T09:00Z", "calls": 0, "tokens": {}}]}', '{"zone": "UTC", "slots": [{"at": "2026-03-02T09:00Z", "calls": 1}]}', '{"zone": "UTC", "slots": [{"at": "2026-03-02T09:00Z", "calls": 1, "tokens": {"input": -1}}]}',
    '{"zone": "UTC", "slots": [{"at": "2026-03-02T09:00Z", "calls": 9223372036854775807, "tokens": {}}, {"at": "2026-03-02T09:01Z", "calls": 1, "tokens": {}}]}', '{"zone": "UTC", "from": "2026-03-02T09:01Z", "to": "2026-03-02T10:00Z", "slots": [{"at": "2026-03-02T09:00Z", "calls": 1, "tokens": {}}]}']) t;
DROP FUNCTION attempt;
DROP TABLE call, profile;
