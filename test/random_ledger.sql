-- Random calls priced by random books: a ledger is the sum of its calls, exactly,
-- in whatever order and parts they come.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE;
SET search_path = public, tokenomics;
SET timezone = 'UTC';
SELECT plan(25);
SELECT setseed(0.20261124);

CREATE FUNCTION pick(variadic text[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT $1[1 + floor(random() * array_length($1, 1))::int] $$;
CREATE FUNCTION any_rates(currency text) RETURNS rates LANGUAGE sql VOLATILE AS
$$ SELECT (jsonb_build_object('currency', currency) || coalesce(jsonb_object_agg(meter, trim_scale(round((random() ^ 3 * 100)::numeric, (random() * 9)::int)))
       FILTER (WHERE random() < CASE WHEN meter IN ('input', 'output') THEN 0.95 WHEN side IS NULL THEN 0.5 ELSE 0.4 END), '{}'))::rates FROM meters() $$;

-- models of ten books: each has a mode, a basis, a zone and windows, and versions of up to three thresholds
CREATE TABLE model AS
SELECT b, layer, provider, 'm' || m AS model, tier AS service_tier, pick('whole', 'whole', 'graduated') AS tier_mode, pick('input_total', 'uncached') AS tier_basis,
       (ARRAY['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/Havana'])[1 + abs(hashtext(b || layer || provider || m)) % 4] AS zone, random() AS windows, random() AS steps, pick('USD', 'USD', 'EUR') AS currency, row_number() OVER () AS id
FROM (SELECT *, random() AS chance FROM generate_series(1, 10) b, unnest('{contract,list}'::text[]) layer, unnest('{v,w}'::text[]) provider, generate_series(1, 6) m, unnest('{standard,batch}'::text[]) tier OFFSET 0) x
WHERE chance < CASE WHEN layer = 'list' THEN 0.85 ELSE 0.4 END AND (layer = 'list' OR b % 3 > 0) AND (layer = 'list' OR m <> 6);
CREATE TABLE version AS
SELECT m.*, from_at, lead(from_at) OVER (PARTITION BY m.id ORDER BY from_at) AS to_at FROM model m,
    LATERAL (SELECT DISTINCT CASE WHEN k = 0 THEN CASE WHEN random() < 0.8 THEN '-infinity'::timestamptz ELSE '2026-02-11 10:00Z' END
             ELSE '2026-03-01Z'::timestamptz + floor(random() * 90 * 1440) * interval '1 minute' END AS from_at FROM generate_series(0, (m.id % 3)::int) k) v;
CREATE TABLE p AS
SELECT v.b, v.layer AS book, v.provider, v.model, v.service_tier, t.above AS above_input_tokens, v.tier_basis, v.tier_mode, w.off_peak, v.zone AS off_peak_zone,
       tstzrange(nullif(from_at, '-infinity'), to_at) AS valid, any_rates(v.currency) AS rates
FROM version v,
    -- now and then there is no base price
    LATERAL (SELECT DISTINCT a.above FROM unnest(ARRAY[0, 100 + v.id, 1000]) WITH ORDINALITY a(above, k) WHERE (CASE WHEN v.steps < 0.4 THEN a.above = 0 WHEN v.steps < 0.5 THEN a.above > 0 WHEN v.steps < 0.8 THEN a.k < 3 ELSE true END)) t,
    LATERAL (SELECT '{}'::int4multirange AS off_peak UNION ALL
             SELECT CASE WHEN v.windows > 0.8 AND t.above > 0 THEN '{[60,300),[9000,9300)}' ELSE '{[30,480),[1470,1920),[8640,10080)}' END::int4multirange WHERE v.windows > 0.6) w;
CREATE TABLE alias AS SELECT ''::text AS provider, 'a1'::text AS alias, false AS is_pattern, ''::text AS to_provider, 'm1'::text AS to_model, 100 AS rank
UNION ALL VALUES ('v', '^dated-(m[0-9])-2026', true, '', '\1', 100), ('', 'far', false, 'w', 'm2', 100);
CREATE TABLE book AS
SELECT b, CASE WHEN bool_or(book = 'contract') THEN overlay_books(price_book(p) FILTER (WHERE book = 'contract'), price_book(p) FILTER (WHERE book = 'list')) ELSE price_book(p) FILTER (WHERE book = 'list') END AS book
FROM p GROUP BY b;
UPDATE book SET book = overlay_books(book, (SELECT model_aliases(a) FROM alias a)) WHERE b % 2 = 0;
SELECT is(count(*), 10::bigint, 'ten books') FROM book;
SELECT cmp_ok(count(*), '>', 4::bigint, 'some of two layers') FROM book WHERE array_length(books(book), 1) > 1;

CREATE TABLE call AS
SELECT i AS n, '2026-01-20Z'::timestamptz + random() * interval '130 days' AS at, nullif(pick('v', 'v', 'w', 'x', ''), CASE WHEN random() < 0.5 THEN '' END) AS provider,
       nullif(pick('m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm6', 'm9', 'a1', 'dated-m3-2026', 'far', ''), CASE WHEN random() < 0.5 THEN '' END) AS model, nullif(pick('standard', 'batch', 'flex', 'none', 'none', 'none'), 'none') AS service_tier,
       CASE WHEN random() < 0.98 THEN (SELECT coalesce(jsonb_object_agg(meter, CASE WHEN random() < 0.1 THEN 0 ELSE floor(random() ^ 2 * 10 ^ (random() * 4)) END) FILTER (WHERE random() < CASE WHEN meter IN ('input', 'output') THEN 0.9 WHEN side IS NULL THEN 0.05 ELSE 0.25 END AND i IS NOT NULL), '{}')::tokens FROM meters()) END AS tokens,
       nullif(pick('red', 'blue', '', 'none'), 'none') AS label, 1 + i % 10 AS b, random() AS shuffle
FROM generate_series(1, 12000) i;
-- about the minutes in which clocks change, and on thresholds
UPDATE call SET at = (ARRAY['2026-03-29 00:00Z', '2026-03-08 04:00Z', '2026-02-28 23:00Z']::timestamptz[])[1 + n % 3] + (random() * 7200 - 1800) * interval '1 second' WHERE n % 7 = 0;
UPDATE call SET tokens = jsonb_build_object('input', 1000 + n % 3 - 1, 'output', n % 5)::tokens WHERE n % 11 = 0;
ANALYZE call;
CREATE INDEX ON call (b);
CREATE TABLE priced AS
SELECT c.*, cost(k.book, c.provider, c.model, c.at, c.tokens, c.service_tier) AS cost, list_cost(k.book, c.provider, c.model, c.at, c.tokens, c.service_tier) AS list_cost, x.*
FROM call c JOIN book k USING (b),
    LATERAL (SELECT max(currency) FILTER (WHERE priced_by = 'contracted') AS currency, coalesce(max(currency) FILTER (WHERE priced_by = 'list'), CASE WHEN array_length(books(k.book), 1) = 1 THEN max(currency) END) AS list_currency,
                    coalesce(sum(e.tokens) FILTER (WHERE priced_by = 'contracted' AND e.cost IS NOT NULL AND e.rate_of <> e.meter), 0) AS fallback,
                    coalesce(sum(e.cost) FILTER (WHERE priced_by = 'contracted' AND e.meter IN (SELECT meter FROM meters() WHERE side = 'output')), 0) AS output_cost,
                    count(DISTINCT e.above_input_tokens) FILTER (WHERE priced_by = 'contracted') AS slices, bool_or(e.off_peak) AS off_peak, max(reason) FILTER (WHERE priced_by = 'contracted' AND reason <> 'another meter has no rate') AS reason
             -- empty tokens have no row that names their currency
             FROM explain_cost(k.book, c.provider, c.model, c.at, CASE WHEN c.tokens = '{}' THEN '{"input": 0}' ELSE c.tokens END, c.service_tier) e) x;
ANALYZE priced;
SELECT cmp_ok(count(*) FILTER (WHERE cost > 0), '>', 2500::bigint, 'many are priced') FROM priced;
SELECT cmp_ok(count(*) FILTER (WHERE cost <> list_cost), '>', 500::bigint, 'many by a contract') FROM priced;
SELECT cmp_ok(count(*) FILTER (WHERE slices > 1), '>', 200::bigint, 'many by slices') FROM priced;
SELECT cmp_ok(count(*) FILTER (WHERE off_peak AND cost > 0), '>', 300::bigint, 'many off-peak') FROM priced;
SELECT cmp_ok(count(DISTINCT reason), '>=', 5::bigint, 'many reasons for none') FROM priced WHERE cost IS NULL;

CREATE TABLE made AS SELECT b, grain, zone, (SELECT ledger(book, grain, zone, at, provider, model, service_tier, tokens, label) FROM call c WHERE c.b = k.b) AS l
FROM book k, (VALUES ('month', 'UTC'), ('day', 'UTC'), ('hour', 'UTC'), ('quarter_hour', 'UTC'), ('month', 'Europe/Berlin'), ('day', 'Europe/Berlin'), ('day', 'Asia/Kathmandu'), ('hour', 'Asia/Kathmandu'), ('month', 'America/Havana'), ('day', 'America/Havana'), ('day', 'Australia/Lord_Howe')) g(grain, zone);
CREATE TABLE line AS SELECT b, m.grain, m.zone, x.* FROM made m, lines(m.l) x;

-- per period, name, label and currency
CREATE TABLE expected AS
SELECT b, grain, zone, period_start(grain, zone, at) AS period, provider, model, coalesce(service_tier, 'standard') AS service_tier, label, CASE WHEN cost IS NOT NULL THEN currency END AS currency,
       count(*) AS calls, coalesce(sum(tokens), '{}') AS tokens, sum(cost) AS cost, sum(fallback) AS fallback, CASE WHEN sum(cost) IS NOT NULL THEN sum(output_cost) END AS output_cost
FROM priced, (VALUES ('month', 'UTC'), ('hour', 'Asia/Kathmandu'), ('day', 'America/Havana')) g(grain, zone) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, CASE WHEN cost IS NOT NULL THEN currency END;
CREATE TABLE found AS
SELECT b, grain, zone, period, provider, model, service_tier, label, currency, sum(calls)::bigint AS calls, sum(tokens) AS tokens, sum(cost) AS cost, sum(fallback_tokens) AS fallback, sum(output_cost) AS output_cost
FROM line JOIN (SELECT DISTINCT grain, zone FROM expected) e USING (grain, zone) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
CREATE TABLE expected_text AS SELECT b, grain, zone, period, provider, model, service_tier, label, currency, sum(calls) AS calls, sum(tokens)::text AS tokens, trim_scale(sum(cost)) AS cost, sum(fallback) AS fallback, trim_scale(sum(output_cost)) AS output_cost FROM expected GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
CREATE TABLE found_text AS SELECT b, grain, zone, period, provider, model, service_tier, label, currency, calls, tokens::text AS tokens, trim_scale(cost) AS cost, fallback, trim_scale(output_cost) AS output_cost FROM found;
SELECT is_empty('(TABLE expected_text EXCEPT TABLE found_text) UNION ALL (TABLE found_text EXCEPT TABLE expected_text)', 'calls, tokens, cost, output cost and fallback tokens of every period, name, label and currency');
SELECT cmp_ok(count(*), '>', 10000::bigint, 'those are many') FROM found;
CREATE TABLE expected_list AS SELECT b, provider, model, list_currency, trim_scale(sum(list_cost)) AS cost FROM priced WHERE list_cost IS NOT NULL AND list_currency IS NOT NULL GROUP BY 1, 2, 3, 4;
CREATE TABLE found_list AS SELECT b, provider, model, list_currency, trim_scale(sum(list_cost)) AS cost FROM line WHERE grain = 'month' AND zone = 'UTC' AND list_cost IS NOT NULL GROUP BY 1, 2, 3, 4;
SELECT is_empty('(TABLE expected_list EXCEPT TABLE found_list) UNION ALL (TABLE found_list EXCEPT TABLE expected_list)', 'list cost');
SELECT is(count(*), 10::bigint, 'unpriced tokens and calls of each ledger') FROM made m JOIN (SELECT b, sum(tokens) FILTER (WHERE cost IS NULL) AS unpriced, sum(tokens) AS tokens, count(*) AS calls FROM priced GROUP BY b) x USING (b)
WHERE (grain, zone) = ('day', 'UTC') AND unpriced(l) = x.unpriced AND tokens(l) = x.tokens AND calls(l) = x.calls;
SELECT is_empty($$SELECT b, reason FROM (SELECT b, coalesce(CASE WHEN tokens IS NULL THEN 'no tokens reported' END, reason) AS reason, count(*) FROM priced WHERE cost IS NULL AND (tokens IS NULL OR tokens <> '{}') AND provider IS NOT NULL AND model IS NOT NULL GROUP BY 1, 2) x
    FULL JOIN (SELECT b, unpriced AS reason, sum(calls) AS count FROM line WHERE grain = 'hour' AND zone = 'UTC' AND unpriced IS NOT NULL AND (tokens <> '{}' OR unpriced = 'no tokens reported') AND provider IS NOT NULL AND model IS NOT NULL GROUP BY 1, 2) y USING (b, reason) WHERE x.count IS DISTINCT FROM y.count
    AND reason <> 'no tokens reported'$$, 'why there is no price');
SELECT is(count(*), 10::bigint, 'meter by meter it is the same') FROM made m WHERE (grain, zone) = ('day', 'UTC')
  AND (SELECT sum(cost) FROM meter_lines(l)) = (SELECT sum(cost) FROM lines(l)) AND (SELECT sum(tokens) FROM meter_lines(l)) = (SELECT sum((tokens(l) -> meter)::numeric) FROM meters());
SELECT is(count(*), 10::bigint, 'spend() is the sum of its lines') FROM made m WHERE (grain, zone) = ('day', 'UTC')
  AND spend(l, 'USD') IS NOT DISTINCT FROM (SELECT sum(cost) FROM priced p WHERE p.b = m.b AND currency = 'USD') AND spend(l, 'EUR') IS NOT DISTINCT FROM (SELECT sum(cost) FROM priced p WHERE p.b = m.b AND currency = 'EUR');

-- any order, any parts
SELECT is(count(*), 10::bigint, 'shuffled rows') FROM made m JOIN book k USING (b) WHERE (grain, zone) = ('month', 'UTC')
  AND l = (SELECT ledger(k.book, 'month', 'UTC', at, provider, model, service_tier, tokens, label ORDER BY shuffle) FROM call c WHERE c.b = m.b)
  AND l = (SELECT ledger(k.book, 'month', 'UTC', at, provider, model, service_tier, tokens, label ORDER BY at DESC) FROM call c WHERE c.b = m.b)
  AND l = (SELECT ledger(k.book, 'month', 'UTC', at, provider, model, service_tier, tokens, label ORDER BY tokens, model, shuffle) FROM call c WHERE c.b = m.b);
SELECT is(count(*), 30::bigint, 'parts, merged in any order') FROM made m JOIN book k USING (b), unnest('{1,7,400}'::int[]) parts WHERE (grain, zone) = ('day', 'Europe/Berlin')
  AND l = (SELECT merge(x.l ORDER BY x.o) FROM (SELECT ledger(k.book, 'day', 'Europe/Berlin', at, provider, model, service_tier, tokens, label) AS l, min(shuffle) AS o FROM call c WHERE c.b = m.b GROUP BY floor(shuffle * parts)) x)
  AND l = (SELECT merge(x.l ORDER BY x.o DESC) FROM (SELECT ledger(k.book, 'day', 'Europe/Berlin', at, provider, model, service_tier, tokens, label) AS l, max(n) AS o FROM call c WHERE c.b = m.b GROUP BY n % parts) x);
SELECT is(count(*), 10::bigint, 'merged trees') FROM made m JOIN book k USING (b) WHERE (grain, zone) = ('month', 'America/Havana')
  AND l = (SELECT merge(y.l) FROM (SELECT merge(x.l) AS l FROM (SELECT n % 5 AS five, ledger(k.book, 'month', 'America/Havana', at, provider, model, service_tier, tokens, label) AS l FROM call c WHERE c.b = m.b GROUP BY n % 35, n % 5) x GROUP BY five) y);
-- all books at once, one after the other
SELECT ok(merged = mixed, 'a book for each row') FROM (SELECT merge(l) AS merged FROM made WHERE (grain, zone) = ('month', 'UTC')) x,
    (SELECT ledger(book, 'month', 'UTC', at, provider, model, service_tier, tokens, label ORDER BY n / 500) AS mixed FROM call JOIN book USING (b)) y;

-- a row of several calls takes no threshold by its sum: it costs what it would without any
CREATE TABLE several AS SELECT b, ledger(x.with_steps, 'day', 'UTC', at, provider, model, service_tier, tokens, label, 2) AS l, ledger(x.without, 'day', 'UTC', at, provider, model, service_tier, tokens, label, 1) AS small
FROM call JOIN (SELECT b, price_book(p) AS with_steps, price_book(p) FILTER (WHERE above_input_tokens = 0) AS without FROM p WHERE book = 'list' AND off_peak = '{}' GROUP BY b) x USING (b) GROUP BY b;
SELECT is(count(*), 10::bigint, 'rows of several calls') FROM several WHERE calls(l) = 2 * calls(small) AND tokens(l) = tokens(small)
  AND (spend(l, 'USD'), spend(l, 'EUR')) IS NOT DISTINCT FROM (spend(small, 'USD'), spend(small, 'EUR')) AND unpriced(l) = unpriced(small) AND spend(l, 'USD') > 0;

-- coarser periods
SELECT is(count(*), 70::bigint, 'from quarters of an hour to any zone') FROM made m JOIN made q USING (b) WHERE (q.grain, q.zone) = ('quarter_hour', 'UTC') AND (m.zone <> 'UTC') AND regrain(q.l, m.grain, m.zone) = m.l;
SELECT is(count(*), 20::bigint, 'from days and hours') FROM made m JOIN made q USING (b, zone) WHERE m.grain = 'month' AND m.zone <> 'America/Havana' AND q.grain = 'day' AND regrain(q.l, 'month', q.zone) = m.l;

-- forms
CREATE TABLE sent (l ledger);
INSERT INTO sent SELECT l FROM made WHERE (grain, zone) IN (('month', 'UTC'), ('day', 'America/Havana'), ('quarter_hour', 'UTC'));
SELECT is(count(*), 30::bigint, 'text') FROM sent WHERE l::text::ledger = l AND l::text::ledger::text = l::text;

-- re-pricing
CREATE FUNCTION try_reprice(l ledger, book price_book) RETURNS ledger LANGUAGE plpgsql AS $$ BEGIN RETURN reprice(l, book); EXCEPTION WHEN invalid_parameter_value THEN RETURN NULL; END $$;
-- the calls of a name in a month, a day or an hour, re-priced by their own book and by two others
CREATE TABLE part AS SELECT c.b, grain, k.b AS by, c.provider, c.model, c.service_tier, (SELECT array_agg(n) FROM unnest(array_agg(c.n)) n) AS calls
FROM call c, unnest('{month,day,hour}'::text[]) grain, (SELECT generate_series(1, 10) AS b) k WHERE k.b IN (c.b, 1 + c.b % 10, 1 + (c.b + 4) % 10) AND c.n <= CASE grain WHEN 'month' THEN 1200 ELSE 300 END
GROUP BY c.b, grain, k.b, c.provider, c.model, c.service_tier, period_start(grain, 'Europe/Berlin', c.at);
CREATE UNIQUE INDEX ON call (n);
ANALYZE call; ANALYZE part;
CREATE TABLE repriced AS SELECT p.b, p.by, p.grain, p.calls, try_reprice(x.l, t.book) AS l, x.direct FROM part p JOIN book f ON f.b = p.b JOIN book t ON t.b = p.by,
    LATERAL (SELECT ledger(f.book, grain, 'Europe/Berlin', at, c.provider, c.model, c.service_tier, tokens) AS l, ledger(t.book, grain, 'Europe/Berlin', at, c.provider, c.model, c.service_tier, tokens) AS direct
             FROM unnest(p.calls) n JOIN call c USING (n)) x;
SELECT is(count(*), 0::bigint, 'what reprice() calls exact is what the calls cost') FROM repriced r WHERE l IS NOT NULL
  AND (spend(l, 'USD'), spend(l, 'EUR'), list_spend(l, 'USD'), list_spend(l, 'EUR'), unpriced(l)) IS DISTINCT FROM (spend(direct, 'USD'), spend(direct, 'EUR'), list_spend(direct, 'USD'), list_spend(direct, 'EUR'), unpriced(direct));
SELECT is(count(*), 0::bigint, 'by its own book it is itself') FROM repriced r WHERE b = by AND l <> direct;
SELECT cmp_ok(count(l), '>', 3000::bigint, 'many are exact') FROM repriced;
SELECT * FROM finish();
ROLLBACK;
