-- Random amounts split over lines and over time: each share is the largest that
-- does not exceed its due (by products and comparisons alone, without a
-- division), and together they are the amount, to its last digit.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE;
SET search_path = public, tokenomics;
SET timezone = 'UTC';
SELECT plan(20);
SELECT setseed(0.20261124);

-- amounts of every size and sign; row by row so that they differ
CREATE FUNCTION any_amount() RETURNS numeric LANGUAGE sql VOLATILE AS
$$ SELECT CASE WHEN random() < 0.05 THEN 0 ELSE round(((random() - 0.4) * 10 ^ (random() * 14))::numeric, (random() * 15)::int) * ('1e' || floor(random() * 30) - 15)::numeric END $$;
CREATE FUNCTION any_weight() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT CASE WHEN random() < 0.2 THEN 0 WHEN random() < 0.1 THEN 9223372036854775807 - floor(random() * 3)::bigint ELSE floor(10 ^ (random() * 18))::bigint END $$;
CREATE TABLE drawn AS
SELECT i, any_amount() AS amount, (random() * 20)::int AS scale, (SELECT coalesce(array_agg(any_weight()), '{}') FROM generate_series(1, (random() * 12)::int) WHERE i > 0) AS weights
FROM generate_series(1, 2000) i;
-- a capacity in every second case: of any size, that of use, or next to it
CREATE TABLE split AS
SELECT d.*, used, least(CASE i % 10 WHEN 0 THEN used WHEN 2 THEN used + 1 WHEN 4 THEN greatest(used - 1, 0) WHEN 6 THEN any_weight() WHEN 8 THEN floor(used * 1.5) END, 9223372036854775807)::bigint AS capacity
FROM drawn d, LATERAL (SELECT coalesce(sum(w), 0) AS used FROM unnest(d.weights) w) u;
CREATE TABLE share AS
SELECT s.i, x.n, coalesce(x.weight, 0) AS weight, x.share, x.n = cardinality(s.weights) + 1 AS is_idle, greatest(s.used, s.capacity, 1) AS whole, s.amount, s.scale, ('1e-' || s.scale)::numeric AS unit,
       x.n = CASE WHEN s.used > 0 AND s.used >= coalesce(s.capacity, 0) THEN (SELECT max(o) FROM unnest(s.weights) WITH ORDINALITY w(w, o) WHERE w > 0) ELSE cardinality(s.weights) + 1 END AS takes_rest
FROM split s, ROWS FROM (unnest(s.weights), unnest(amortise(s.amount, s.weights, s.capacity, s.scale))) WITH ORDINALITY x(weight, share, n);

SELECT is(count(*), 2000::bigint, 'a share for each line, and the idle part') FROM split WHERE cardinality(amortise(amount, weights, capacity, scale)) = cardinality(weights) + 1;
SELECT is(count(*), 2000::bigint, 'they add up to the amount') FROM (SELECT i, amount FROM share GROUP BY i, amount HAVING sum(share) = amount) x;
SELECT is(count(*), 0::bigint, 'each is the largest that does not exceed its due') FROM share
WHERE NOT takes_rest AND NOT (abs(share) * whole <= abs(amount) * weight AND abs(amount) * weight < (abs(share) + unit) * whole AND share = round(share, scale) AND share * amount >= 0);
SELECT is(count(*), 0::bigint, 'the last is short of nothing, and over by less than a unit for each line') FROM share s JOIN split USING (i)
WHERE s.takes_rest AND NOT (abs(share) * whole >= abs(s.amount) * CASE WHEN is_idle THEN whole - used ELSE weight END
    AND abs(share) * whole <= abs(s.amount) * CASE WHEN is_idle THEN whole - used ELSE weight END + unit * whole * cardinality(weights));
SELECT is(count(*), 0::bigint, 'no weight, no share') FROM share WHERE weight = 0 AND share <> 0 AND NOT is_idle;
SELECT is(count(*), 0::bigint, 'nothing is idle where use reaches the capacity') FROM share s JOIN split USING (i) WHERE s.is_idle AND used > 0 AND used >= coalesce(capacity, 0) AND share <> 0;
SELECT is(count(*), 2000::bigint, 'a credit is a purchase with the sign turned') FROM split
WHERE (SELECT array_agg(-s ORDER BY o) FROM unnest(amortise(-amount, weights, capacity, scale)) WITH ORDINALITY u(s, o)) = amortise(amount, weights, capacity, scale);
SELECT is(count(*), 2000::bigint, 'shares have no zeros at their end') FROM split
WHERE amortise(amount, weights, capacity, scale)::text = (SELECT array_agg(trim_scale(s) ORDER BY o)::text FROM unnest(amortise(amount, weights, capacity, scale)) WITH ORDINALITY u(s, o));
SELECT cmp_ok(count(*), '>', 100::bigint, 'cases with a part that is idle') FROM share WHERE is_idle AND share <> 0 AND n > 1;
SELECT cmp_ok(count(*), '>', 100::bigint, 'and without any where there is a capacity') FROM split WHERE used > 0 AND used >= capacity;
SELECT cmp_ok(count(*), '>', 500::bigint, 'and where the rest is not nothing') FROM share s JOIN split USING (i)
WHERE s.takes_rest AND share * whole <> s.amount * CASE WHEN is_idle THEN whole - used ELSE weight END;

-- over time: 1,000 periods, cut anywhere, their ends and beyond included
CREATE TABLE period AS
SELECT i, any_amount() AS amount, (random() * 20)::int AS scale, start, start + CASE WHEN i % 10 = 0 THEN (1 + floor(random() * 10)) * interval '1 microsecond' ELSE random() * interval '3 years' + interval '1 microsecond' END AS "end"
FROM (SELECT i, '2019-12-01Z'::timestamptz + random() * interval '5 years' AS start FROM generate_series(1, 1000) i OFFSET 0) x;
CREATE TABLE cut AS
SELECT p.*, c.at, tstzrange(c.at, lead(c.at) OVER (PARTITION BY i ORDER BY c.at)) AS part, extract(epoch FROM p."end" - p.start) * 1000000 AS length, extract(epoch FROM c.at - p.start) * 1000000 AS elapsed
FROM period p, LATERAL (SELECT NULL UNION SELECT p.start UNION SELECT p."end" UNION SELECT p.start - interval '1 day' UNION SELECT p.start + random() * (p."end" - p.start) * 1.2 FROM generate_series(1, (random() * 10)::int) WHERE i > 0) c(at);
UPDATE cut SET part = tstzrange(NULL, (SELECT min(c.at) FROM cut c WHERE c.i = cut.i)) WHERE at IS NULL;
SELECT is(count(*), 1000::bigint, 'any parts of a period add up to the amount')
FROM (SELECT i FROM cut GROUP BY i, amount HAVING sum(elapsed_share(amount, tstzrange(start, "end"), part, scale)) = amount) x;
SELECT is(count(*), 0::bigint, 'what has elapsed is the largest that does not exceed its due')
FROM cut, LATERAL elapsed_share(amount, tstzrange(start, "end"), tstzrange(NULL, at), scale) e, LATERAL (SELECT ('1e-' || scale)::numeric AS unit) u
WHERE at > start AND at < "end" AND NOT (abs(e) * length <= abs(amount) * elapsed AND abs(amount) * elapsed < (abs(e) + unit) * length AND e = round(e, scale) AND e * amount >= 0);
SELECT is(count(*), 0::bigint, 'before it nothing, after it all') FROM cut
WHERE at IS NOT NULL AND (at <= start AND elapsed_share(amount, tstzrange(start, "end"), tstzrange(NULL, at), scale) <> 0 OR at >= "end" AND elapsed_share(amount, tstzrange(start, "end"), tstzrange(NULL, at), scale) <> amount);
SELECT is(count(*), 0::bigint, 'an inner part is what has elapsed at its end less what has at its start') FROM cut
WHERE NOT lower_inf(part) AND NOT upper_inf(part) AND elapsed_share(amount, tstzrange(start, "end"), part, scale)
    <> elapsed_share(amount, tstzrange(start, "end"), tstzrange(NULL, upper(part)), scale) - elapsed_share(amount, tstzrange(start, "end"), tstzrange(NULL, lower(part)), scale);
SELECT cmp_ok(count(*), '>', 3000::bigint, 'cuts inside of periods') FROM cut WHERE at > start AND at < "end";

-- calendars: every month of 2023 to 2028 by its local days, and every year by its months
CREATE TABLE calendar AS
SELECT z.zone, g.grain, g.part, m AS local, m AT TIME ZONE z.zone AS start, (m + g.grain) AT TIME ZONE z.zone AS "end", any_amount() AS amount
FROM unnest('{UTC,Europe/Berlin,America/New_York,Asia/Kolkata,Australia/Lord_Howe,America/Sao_Paulo,Pacific/Apia}'::text[]) z(zone),
     (VALUES (interval '1 month', interval '1 day'), (interval '1 year', interval '1 month')) g(grain, part), LATERAL generate_series('2023-01-01'::timestamp, '2028-12-31', g.grain) m;
CREATE TABLE day AS
SELECT c.*, elapsed_share(c.amount, tstzrange(c.start, c."end"), tstzrange(d AT TIME ZONE c.zone, (d + c.part) AT TIME ZONE c.zone)) AS share, elapsed_share(36525 * 86400::numeric, tstzrange(c.start, c."end"), tstzrange(d AT TIME ZONE c.zone, (d + c.part) AT TIME ZONE c.zone)) AS by_seconds,
       extract(epoch FROM (d + c.part) AT TIME ZONE c.zone - d AT TIME ZONE c.zone) AS seconds, extract(epoch FROM c."end" - c.start) AS all_seconds
FROM calendar c, LATERAL generate_series(c.local, c.local + c.grain - c.part, c.part) d;
SELECT is(count(*), 7 * (72 + 6)::bigint, 'months by days and years by months') FROM (SELECT FROM day GROUP BY zone, grain, start, "end", amount HAVING sum(share) = amount) x;
SELECT is(count(*), 0::bigint, 'each in proportion to its seconds') FROM day WHERE abs(by_seconds * all_seconds - 36525 * 86400::numeric * seconds) >= 0.000000000001 * all_seconds;
SELECT set_eq('SELECT DISTINCT seconds / 3600 FROM day WHERE part = interval ''1 day''', '{23,23.5,24,24.5,25}'::numeric[], 'days of daylight saving time are among them');
SELECT set_has('SELECT DISTINCT seconds / 86400 FROM day WHERE part = interval ''1 month''', 'VALUES (28::numeric), (29)', 'and Februaries of 28 and 29 days');
SELECT * FROM finish();
ROLLBACK;
