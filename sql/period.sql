-- Periods of the calendar of a time zone.
SET search_path = tokenomics, public;
SET timezone = 'UTC';

-- days of 23 and 25 hours, halves of an hour, midnights that do not exist or come twice
CREATE TABLE moment (zone text, at timestamptz);
INSERT INTO moment VALUES
    ('UTC', '2026-03-29 12:00Z'),
    ('Europe/Berlin', '2026-03-29 12:00Z'), ('Europe/Berlin', '2026-10-25 12:00Z'),
    ('America/New_York', '2026-03-08 12:00Z'), ('America/New_York', '2026-11-01 12:00Z'),
    ('Asia/Kolkata', '2026-03-29 18:29:59.999999Z'), ('Asia/Kolkata', '2026-03-29 18:30Z'),
    ('Asia/Kathmandu', '2026-03-29 18:14:59.999999Z'), ('Asia/Kathmandu', '2026-03-29 18:15Z'),
    ('Australia/Lord_Howe', '2026-04-04 20:00Z'), ('Australia/Lord_Howe', '2026-10-03 20:00Z'),
    ('America/Havana', '2021-03-14 04:59:59.999999Z'), ('America/Havana', '2021-03-14 05:00Z'),
    ('America/Havana', '2021-11-07 04:30Z'), ('America/Havana', '2021-11-07 05:30Z'),
    ('Asia/Beirut', '2021-03-28 12:00Z'), ('Asia/Beirut', '2021-10-30 20:30Z'), ('Asia/Beirut', '2021-10-30 21:30Z'), ('Asia/Beirut', '2021-10-30 22:00Z'),
    ('America/Sao_Paulo', '2018-11-04 02:59:59.999999Z'), ('America/Sao_Paulo', '2018-11-04 03:00Z'),
    ('America/Sao_Paulo', '2018-02-18 02:30Z'), ('America/Sao_Paulo', '2018-02-18 03:00Z'),
    -- the 30th of December 2011 does not exist
    ('Pacific/Apia', '2011-12-30 09:59:59.999999Z'), ('Pacific/Apia', '2011-12-30 10:00Z'),
    -- back by an hour at 00:01: Sunday begins, and it is Saturday again
    ('America/St_Johns', '2010-11-07 02:29:59.999999Z'), ('America/St_Johns', '2010-11-07 02:30:30Z'),
    ('America/St_Johns', '2010-11-07 02:31:30Z'), ('America/St_Johns', '2010-11-07 03:31Z'),
    -- forward from 23:30 to 00:30
    ('America/Toronto', '1919-03-31 04:29:59.999999Z'), ('America/Toronto', '1919-03-31 04:30Z');
SELECT zone, at, period_start('day', zone, at), period_end('day', zone, at), period_end('day', zone, at) - period_start('day', zone, at) AS length FROM moment;
SELECT DISTINCT zone, period_start('month', zone, at), period_end('month', zone, at), period_end('month', zone, at) - period_start('month', zone, at) AS length FROM moment ORDER BY 1, 2;

-- hours by the clock of the zone; the clocks cut them
SELECT zone, p.period_start, p.period_end, p.period_end - p.period_start AS length FROM (VALUES
    ('Asia/Kathmandu', '2026-01-01 00:00Z'::timestamptz, '2026-01-01 00:30Z'::timestamptz),
    ('Europe/Berlin', '2026-03-29 00:30Z', '2026-03-29 01:30Z'), ('Europe/Berlin', '2026-10-25 00:00Z', '2026-10-25 02:00Z'),
    ('Australia/Lord_Howe', '2026-04-04 14:00Z', '2026-04-04 16:00Z'), ('Australia/Lord_Howe', '2026-10-03 15:00Z', '2026-10-03 17:00Z'),
    ('America/St_Johns', '2010-11-07 02:00Z', '2010-11-07 04:00Z')) v(zone, a, b), periods('hour', zone, a, b) p;
SELECT at, period_start('quarter_hour', 'America/Havana', at), period_end('quarter_hour', 'Asia/Kathmandu', at)
FROM unnest('{1969-12-31 23:59:59.999999Z,1970-01-01 00:00Z,1999-12-31 23:59:59.999999Z,2200-01-01 00:15Z}'::timestamptz[]) at;

-- no time is in two periods or in none: all grains, about every change of these clocks
SELECT grain, count(*), bool_and(s <= at AND at < e AND period_start(grain, zone, s) = s AND period_end(grain, zone, s) = e
       AND period_start(grain, zone, e - interval '1 microsecond') = s AND period_start(grain, zone, e) = e) AS whole
FROM (SELECT grain, m.zone, t AS at, period_start(grain, m.zone, t) AS s, period_end(grain, m.zone, t) AS e FROM moment m,
      generate_series(m.at - interval '26 hours', m.at + interval '26 hours', interval '7 minutes 30.000001 seconds') t, unnest('{quarter_hour,hour,day,month}'::text[]) grain) x GROUP BY grain ORDER BY grain;
-- a day is what its date says, but for the Saturday that came again
SELECT zone, count(*) FROM (SELECT zone, t AS at FROM moment m, generate_series(m.at - interval '26 hours', m.at + interval '26 hours', interval '30 seconds') t) x
WHERE (at AT TIME ZONE zone)::date <> (period_start('day', zone, at) AT TIME ZONE zone)::date GROUP BY zone;

-- edges of time
SELECT zone, grain, period_start(grain, zone, at), period_end(grain, zone, at)
FROM unnest('{4714-11-24 00:00Z BC,294276-12-31 23:59:59.999999Z}'::timestamptz[]) at, unnest('{UTC,Asia/Kathmandu,America/New_York}'::text[]) zone, unnest('{quarter_hour,hour,day,month}'::text[]) grain ORDER BY at, zone, array_position('{quarter_hour,hour,day,month}', grain);
SELECT period_start('day', 'UTC', 'infinity');
SELECT period_end('quarter_hour', 'UTC', '-infinity');

-- periods(): those that hold any of the time
SELECT * FROM periods('month', 'Europe/Berlin', '2026-02-28 23:00Z', '2026-04-30 22:00Z');
SELECT * FROM periods('month', 'Europe/Berlin', '2026-02-28 22:59:59.999999Z', '2026-04-30 22:00:00.000001Z');
SELECT count(*) FROM periods('day', 'Pacific/Apia', '2011-12-01 10:00Z', '2011-12-31 10:00Z');
SELECT count(*) FROM periods('day', 'UTC', '2026-01-01', '2026-01-01');
SELECT count(*) FROM periods('day', 'UTC', '2026-01-02', '2026-01-01');
SELECT count(*) FROM periods('day', 'UTC', 'infinity', '-infinity');
SELECT * FROM periods('day', 'UTC', '-infinity', '2026-01-01');
SELECT * FROM periods('day', 'UTC', '2026-01-01', 'infinity');
SELECT count(*) FROM periods(NULL, 'UTC', '2026-01-01', '2026-01-02');
SELECT period_start('day', NULL, now()), period_end('day', 'UTC', NULL), period_start(NULL, 'UTC', now());

-- grains and zones that there are not
SELECT period_start('week', 'UTC', now());
SELECT period_start('Day', 'UTC', now());
SELECT period_start('', 'UTC', now());
SELECT period_start('day', '', now());
SELECT period_start('day', 'Mars/Olympus', now());
SELECT period_start('day', repeat('x', 300), now());
SELECT period_start('day', 'right/UTC', now());
SELECT * FROM periods('day', 'Mars/Olympus', '2026-01-01', '2026-01-02');
-- a zone that POSIX writes, five hours west
SELECT period_start('day', '<-05>5', '2026-01-01 12:00Z');

-- the session changes nothing
SELECT md5(string_agg(extract(epoch FROM period_start('day', zone, at))::text || extract(epoch FROM period_end('month', zone, at))::text, ',' ORDER BY zone, at)) AS here FROM moment
\gset
SET timezone = 'America/St_Johns';
SET datestyle = 'German';
SELECT md5(string_agg(extract(epoch FROM period_start('day', zone, at))::text || extract(epoch FROM period_end('month', zone, at))::text, ',' ORDER BY zone, at)) = :'here' AS same FROM moment;

-- quotients
SELECT cost_per_mtok(12.5, 2500000), cost_per_mtok(0, 5), cost_per_mtok(1, 0), cost_per_mtok(NULL, 1), cost_per_mtok(1, 3), cost_per_mtok(0.000000000000001, 9223372036854775807);
SELECT savings_rate(75, 100), savings_rate(100, 100), savings_rate(110, 100), savings_rate(0, 100), savings_rate(1, 0), savings_rate(1, NULL);
SELECT growth_rate(150, 100), growth_rate(100, 100), growth_rate(50, 100), growth_rate(0, 100), growth_rate(1, 0), growth_rate(NULL, 1);
DROP TABLE moment;
