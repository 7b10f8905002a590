-- Random ledgers: what tokenomics.bill_contributions() estimates, or computes
-- where that is in doubt, is what bill_effects() says, to the last digit.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS tokenomics CASCADE;
SET search_path = public, tokenomics;
SELECT plan(7);
SELECT setseed(0.20261125);

-- Models that come and go, prices of up to 9 decimals of which some change, some
-- are free and some large; tokens of 1 to 1e12, some the same each month.
CREATE TABLE price_of AS
SELECT m, 'p' || m % 3 AS provider, 'm' || m AS model, CASE WHEN m % 7 = 0 THEN 0 ELSE round((10 ^ (6 * random() - 4))::numeric, 9) END AS p0,
       CASE WHEN m % 3 = 0 THEN NULL ELSE round((10 ^ (6 * random() - 4))::numeric, 9) END AS p1
FROM generate_series(1, 60) m;
CREATE TABLE book AS
SELECT format('{"books": [{"book": "list", "prices": [%s]}]}', string_agg(format(
    '{"provider": "%s", "model": "%s", "valid": [null, "2024-07-01T00:00:00Z"], "rates": {"currency": "%s", "input": %s, "output": %s}}, {"provider": "%1$s", "model": "%2$s", "valid": ["2024-07-01T00:00:00Z", null], "rates": {"currency": "%3$s", "input": %6$s, "output": %7$s}}',
    provider, model, CASE WHEN m % 11 = 0 THEN 'EUR' ELSE 'USD' END, p0, p0 * 3, coalesce(p1, p0), coalesce(p1, p0) * 2), ', '))::price_book AS book
FROM price_of;
CREATE TABLE call AS
SELECT make_timestamptz(2024, 1, 5, 0, 0, 0, 'UTC') + make_interval(months => n) AS at, provider, model, 't' || l AS label,
       CASE WHEN m % 5 = 0 THEN tokens(input => 1000 + m, output => 77) WHEN random() < 0.3 THEN tokens(input => floor(10 ^ (12 * random()))::bigint)
            WHEN random() < 0.1 THEN tokens(input => 0, output => 0, tool_calls => 0)
            ELSE tokens(input => floor(10 ^ (9 * random()))::bigint, output => floor(10 ^ (9 * random()))::bigint) END AS tokens
FROM price_of, generate_series(0, 14) n, generate_series(1, 3) l WHERE random() < 0.6;
CREATE TABLE counted AS
SELECT ledger(book, 'month', 'UTC', at, provider, model, NULL, tokens) AS whole, ledger(book, 'month', 'UTC', at, provider, model, NULL, tokens, label) AS labelled FROM call, book;
CREATE FUNCTION contributions(ledger[], integer[], text[]) RETURNS TABLE (distance integer, n integer, provider text, model text, service_tier text, meter text, label text, currency text, tokens_0 bigint, tokens_1 bigint,
    spend_0 numeric, spend_1 numeric, price_effect numeric, volume_effect numeric, mix_effect numeric, new_effect numeric, discontinued_effect numeric, currency_effect numeric)
    LANGUAGE sql AS $$ SELECT * FROM tokenomics.bill_contributions($1, $2, 24288, 24302, '{1,12}', $3, '', '{}', '{}', '{}', '{}', '{}', '{}') $$;
CREATE TABLE effect AS SELECT c.* FROM counted, contributions(ARRAY[whole], '{}', '{provider,model,service_tier,meter}') c;

-- the same in SQL
CREATE TABLE line AS
SELECT (extract(year FROM l.period AT TIME ZONE 'UTC') * 12 + extract(month FROM l.period AT TIME ZONE 'UTC'))::integer - 1 AS n, l.provider, l.model, l.meter, l.currency, l.cost, l.tokens
FROM counted, meter_lines(whole) l WHERE l.currency IS NOT NULL;
CREATE TABLE expected AS
WITH pair AS (
    SELECT d.distance, e.n, l.provider, l.model, l.meter, l.currency, sum(l.cost) FILTER (WHERE s = 0) AS c0, sum(l.tokens) FILTER (WHERE s = 0) AS q0, sum(l.cost) FILTER (WHERE s = 1) AS c1, sum(l.tokens) FILTER (WHERE s = 1) AS q1
    FROM line l, unnest('{1,12}'::integer[]) d(distance), generate_series(0, 1) s, LATERAL (SELECT l.n + (1 - s) * d.distance AS n) e WHERE e.n BETWEEN 24288 + d.distance AND 24302 GROUP BY 1, 2, 3, 4, 5, 6
), there AS (
    SELECT p.*, bool_or(q0 IS NOT NULL) OVER w AS t0, bool_or(q1 IS NOT NULL) OVER w AS t1 FROM pair p WINDOW w AS (PARTITION BY distance, n, provider, model, currency)
), whole AS (
    SELECT t.*, sum(q0) FILTER (WHERE t0 AND t1) OVER w AS total_0, sum(q1) FILTER (WHERE t0 AND t1) OVER w AS total_1
    FROM there t WINDOW w AS (PARTITION BY distance, n, currency, meter = 'tool_calls')
)
SELECT w.*, e.* FROM whole w, LATERAL bill_effects(coalesce(c0, 0), CASE WHEN t0 THEN coalesce(q0, 0) END, coalesce(c1, 0), CASE WHEN t1 THEN coalesce(q1, 0) END, total_0, total_1) e;

SELECT cmp_ok(count(*), '>', 1500::bigint, 'effects of items') FROM effect;
SELECT is((SELECT count(*) FROM effect), (SELECT count(*) FROM expected), 'as many as in SQL');
SELECT is(count(*), (SELECT count(*) FROM effect), 'each is that of bill_effects(), to the last digit')
FROM effect e JOIN expected x USING (distance, n, provider, model, meter, currency)
WHERE (e.tokens_0, e.tokens_1, e.spend_0, e.spend_1, e.price_effect, e.volume_effect, e.mix_effect, e.new_effect, e.discontinued_effect) = (coalesce(q0, 0)::bigint, coalesce(q1, 0)::bigint, coalesce(c0, 0), coalesce(c1, 0), x.price_effect, x.volume_effect, x.mix_effect, x.new_effect, x.discontinued_effect);
SELECT cmp_ok(count(*) FILTER (WHERE price_effect <> 0 AND mix_effect <> 0 AND volume_effect <> 0), '>', 200::bigint, 'with all three effects') FROM effect;

-- by label: the same once added up; and of ledgers apart, numbered
SELECT is(count(*), 0::bigint, 'labels add up to their items') FROM (
    SELECT distance, n, provider, model, meter, currency, sum(price_effect) AS p, sum(volume_effect) AS v, sum(mix_effect) AS m FROM counted, contributions(ARRAY[labelled], '{}', '{provider,model,meter,label}') c GROUP BY 1, 2, 3, 4, 5, 6) l
FULL JOIN effect e USING (distance, n, provider, model, meter, currency) WHERE (l.p, l.v, l.m) IS DISTINCT FROM (e.price_effect, e.volume_effect, e.mix_effect);
SELECT is(count(*), 0::bigint, 'groups are sums') FROM (
    SELECT distance, n, currency, sum(price_effect) AS p, sum(volume_effect) AS v, sum(mix_effect) AS m, sum(new_effect) AS w, sum(spend_1) AS s FROM effect GROUP BY 1, 2, 3) l
FULL JOIN (SELECT c.* FROM counted, contributions(ARRAY[whole], '{}', '{}') c) e USING (distance, n, currency) WHERE (l.p, l.v, l.m, l.w, l.s) IS DISTINCT FROM (e.price_effect, e.volume_effect, e.mix_effect, e.new_effect, e.spend_1);
SELECT throws_ok($$ SELECT contributions(ARRAY[whole], '{1,2}', '{}') FROM counted $$, '2202E', NULL, 'a number for each ledger');
SELECT * FROM finish();
ROLLBACK;
