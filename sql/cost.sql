-- Pricing calls from a book.
SET search_path = tokenomics, public;
SET timezone = 'UTC';

CREATE TABLE p (
    book text NOT NULL DEFAULT 'list', provider text, model text, service_tier text NOT NULL DEFAULT 'standard',
    above_input_tokens bigint DEFAULT 0, rates rates, valid tstzrange DEFAULT '(,)', tier_basis text NOT NULL DEFAULT 'input_total',
    tier_mode text NOT NULL DEFAULT 'whole', off_peak int4multirange DEFAULT '{}', off_peak_zone text DEFAULT 'UTC', source text);
CREATE TABLE a (provider text NOT NULL DEFAULT '', alias text, is_pattern boolean DEFAULT false, to_provider text NOT NULL DEFAULT '', to_model text, rank int DEFAULT 100);

-- Claude Sonnet 4.5, 150k uncached input and 100k cache read: three tools give
-- three prices, and each is what a row says
INSERT INTO p (model, provider, above_input_tokens, rates, tier_basis, tier_mode) VALUES
    ('whole', 'anthropic', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15}', 'input_total', 'whole'),
    ('whole', 'anthropic', 200000, '{"currency": "USD", "input": 6, "cache_read": 0.6, "output": 22.5}', 'input_total', 'whole'),
    ('reads at base', 'anthropic', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15}', 'input_total', 'whole'),
    ('reads at base', 'anthropic', 200000, '{"currency": "USD", "input": 6, "cache_read": 0.3, "output": 22.5}', 'input_total', 'whole'),
    ('uncached', 'anthropic', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15}', 'uncached', 'whole'),
    ('uncached', 'anthropic', 200000, '{"currency": "USD", "input": 6, "cache_read": 0.6, "output": 22.5}', 'uncached', 'whole'),
    ('graduated', 'anthropic', 0, '{"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15}', 'input_total', 'graduated'),
    ('graduated', 'anthropic', 200000, '{"currency": "USD", "input": 6, "cache_read": 0.6, "output": 22.5}', 'input_total', 'graduated');
SELECT m.model, cost(b.book, 'anthropic', m.model, now(), tokens(input => 150000, cache_read => 100000)) AS cost,
       cost(b.book, 'anthropic', m.model, now(), tokens(input => 150000, cache_read => 100000, output => 1000)) AS with_output,
       cost(b.book, 'anthropic', m.model, now(), tokens(input => 200000)) AS at_threshold,
       cost(b.book, 'anthropic', m.model, now(), tokens(input => 200001)) AS above,
       cost(b.book, 'anthropic', m.model, now(), tokens(output => 1000)) AS no_input
FROM (VALUES ('whole'), ('reads at base'), ('uncached'), ('graduated')) m(model), (SELECT price_book(p) AS book FROM p) b;
-- $12.50: 100,000 at 0.0001, 50,000 at 0.00005
SELECT cost('{"books": [{"prices": [
    {"provider": "a", "model": "m", "tier_mode": "graduated", "rates": {"currency": "USD", "input": 100}},
    {"provider": "a", "model": "m", "tier_mode": "graduated", "above_input_tokens": 100000, "rates": {"currency": "USD", "input": 50}}]}]}',
    'a', 'm', now(), tokens(input => 150000));
-- each meter's slices, in whole tokens
SELECT meter, tokens, rate, cost, above_input_tokens FROM explain_cost((SELECT price_book(p) FROM p), 'anthropic', 'graduated', now(),
    tokens(input => 150001, cache_read => 99999, cache_write => 3, output => 1001, reasoning => 10, tool_calls => 0));

-- three slices and more; below the first threshold there is no price
INSERT INTO p (model, provider, above_input_tokens, rates, tier_mode)
SELECT 'steps', 'x', t, format('{"currency": "USD", "input": %s, "output": 1}', t + 1)::rates, 'graduated' FROM unnest('{0,10,100,1000}'::bigint[]) t;
INSERT INTO p (model, provider, above_input_tokens, rates, tier_mode)
SELECT 'no base ' || mode, 'x', t, '{"currency": "USD", "input": 1000000}', mode FROM unnest('{10,100}'::bigint[]) t, unnest('{whole,graduated}'::text[]) mode;
SELECT n, cost(b.book, 'x', 'steps', now(), tokens(input => n)) * 1000000 AS cost,
       cost(b.book, 'x', 'no base whole', now(), tokens(input => n)) AS no_base, cost(b.book, 'x', 'no base graduated', now(), tokens(input => n)) AS graduated_no_base
FROM unnest('{0,1,10,11,100,101,1000,1001,5000}'::bigint[]) n, (SELECT price_book(p) AS book FROM p) b;
SELECT reason FROM explain_cost((SELECT price_book(p) FROM p), 'x', 'no base whole', now(), tokens(input => 10));

-- dates: from is included, to is not
INSERT INTO p (model, provider, rates, valid) VALUES
    ('o3', 'openai', '{"currency": "USD", "input": 10, "output": 40}', '(,2025-06-10)'),
    ('o3', 'openai', '{"currency": "USD", "input": 2, "output": 8}', '[2025-06-10,2026-01-01)');
SELECT at, cost(b.book, 'openai', 'o3', at, tokens(input => 1000000)) FROM (SELECT price_book(p) AS book FROM p) b,
    unnest('{1970-01-01,2025-06-09 23:59:59.999999,2025-06-10 00:00:00,2025-12-31 23:59:59.999999,2026-01-01,2200-01-01}'::timestamptz[]) at;
SELECT cost((SELECT price_book(p) FROM p), 'openai', 'o3', 'infinity', tokens(input => 1));

-- service tiers: no price of one stands in for another; NULL is standard
INSERT INTO p (model, provider, service_tier, rates) VALUES ('o3', 'openai', 'batch', '{"currency": "USD", "input": 1, "output": 4}');
SELECT tier, cost(b.book, 'openai', 'o3', '2025-07-01', tokens(input => 1000000), tier) FROM (SELECT price_book(p) AS book FROM p) b,
    unnest('{standard,batch,flex,NULL}'::text[]) tier;

-- off-peak: DeepSeek in UTC, daily from 16:30 to 00:30; a weekday window of Mumbai; DST of Berlin
INSERT INTO p (model, provider, off_peak, off_peak_zone, rates) VALUES
    ('chat', 'deepseek', '{}', 'UTC', '{"currency": "USD", "input": 0.27}'),
    ('chat', 'deepseek', '{[0,30),[990,1470),[2430,2910),[3870,4350),[5310,5790),[6750,7230),[8190,8670),[9630,10080)}', 'UTC', '{"currency": "USD", "input": 0.135}'),
    ('nine', 'in', '{}', 'Asia/Kolkata', '{"currency": "INR", "input": 100}'),
    ('nine', 'in', '{[540,600)}', 'Asia/Kolkata', '{"currency": "INR", "input": 50}'),
    ('night', 'de', '{}', 'Europe/Berlin', '{"currency": "EUR", "input": 10}'),
    ('night', 'de', '{[8760,8820)}', 'Europe/Berlin', '{"currency": "EUR", "input": 1}');
SELECT at, cost(b.book, 'deepseek', 'chat', at, tokens(input => 1000000)) FROM (SELECT price_book(p) AS book FROM p) b,
    unnest('{2025-09-05 00:29:59,2025-09-05 00:30,2025-09-05 16:29:59,2025-09-05 16:30,2025-09-07 23:59:59,2025-09-08 00:00}'::timestamptz[]) at;
SELECT at, cost(b.book, 'in', 'nine', at, tokens(input => 1000000)) FROM (SELECT price_book(p) AS book FROM p) b,
    unnest('{2026-03-02 03:29:59Z,2026-03-02 03:30Z,2026-03-02 04:29:59Z,2026-03-02 04:30Z,2026-03-03 03:30Z}'::timestamptz[]) at;
-- Sunday 02:00 to 03:00: does not exist on 2026-03-29, happens twice on 2026-10-25
SELECT at, cost(b.book, 'de', 'night', at, tokens(input => 1000000)) FROM (SELECT price_book(p) AS book FROM p) b,
    unnest('{2026-03-29 00:59Z,2026-03-29 01:00Z,2026-10-24 23:59Z,2026-10-25 00:00Z,2026-10-25 00:59Z,2026-10-25 01:00Z,2026-10-25 01:59Z,2026-10-25 02:00Z}'::timestamptz[]) at;
SET timezone = 'America/New_York';
SELECT cost((SELECT price_book(p) FROM p), 'deepseek', 'chat', '2025-09-05 16:30Z', tokens(input => 1000000)) AS client_zone_changes_nothing;
SET timezone = 'UTC';
-- peak hours 01-04 and 06-10 UTC, Monday to Friday: 35 of 168 hours
INSERT INTO p (model, provider, off_peak, rates)
VALUES ('v4-pro', 'deepseek', '{}', '{"currency": "USD", "input": 1.32, "output": 3.96, "cache_read": 0.044}'),
    ('v4-pro', 'deepseek', '{[0,10080)}'::int4multirange - (SELECT range_agg(int4range(d * 1440 + h[1], d * 1440 + h[2])) FROM generate_series(0, 4) d, (VALUES ('{60,240}'::int[]), ('{360,600}')) v(h)),
     '{"currency": "USD", "input": 0.66, "output": 1.98, "cache_read": 0.022}');
SELECT at, cost(b.book, 'deepseek', 'v4-pro', at, tokens(input => 1000000, output => 1000000, cache_read => 1000000)) FROM (SELECT price_book(p) AS book FROM p) b,
    unnest('{2026-09-07 02:00,2026-09-07 04:00,2026-09-06 02:00}'::timestamptz[]) at;
SELECT count(*) FROM generate_series('2026-09-07 00:30'::timestamptz, '2026-09-13 23:30', '1 hour') at, (SELECT price_book(p) AS book FROM p) b
WHERE cost(b.book, 'deepseek', 'v4-pro', at, tokens(input => 1000000)) = 1.32;

-- aliases: exact, then patterns by rank; groups; another provider; aliases of aliases; loops
INSERT INTO a (provider, alias, is_pattern, to_provider, to_model, rank) VALUES
    ('', 'o3-latest', false, '', 'o3', 100),
    ('openai', '^(o\d)-\d{4}-\d\d-\d\d$', true, '', '\1', 100),
    ('openai', '^o3-', true, '', 'nothing', 200),
    ('azure', '^.+$', true, 'openai', '\&', 900),
    ('', 'ping', false, '', 'pong', 100), ('', 'pong', false, '', 'ping', 100),
    ('', '^(?:us|eu)\.(.*)$', true, '', '\1', 50);
SELECT provider, model, cost(b.book, provider, model, '2025-07-01', tokens(input => 1000000)),
       (SELECT e.reason FROM explain_cost(b.book, provider, model, '2025-07-01', tokens(input => 1)) e),
       (SELECT e.through_alias FROM explain_cost(b.book, provider, model, '2025-07-01', tokens(input => 1)) e)
FROM (SELECT overlay_books((SELECT price_book(p) FROM p), (SELECT model_aliases(a) FROM a)) AS book) b,
    (VALUES ('openai', 'o3'), ('openai', 'o3-latest'), ('openai', 'o3-2025-04-16'), ('openai', 'o3-2025-04-1x'), ('azure', 'o3'), ('azure', 'o3-2025-04-16'),
            ('azure', 'us.o3'), ('x', 'ping'), ('openai', 'O3'), ('', 'o3')) v(provider, model);
-- an alias that doubles the name at each step ends
SELECT cost('{"aliases": [{"alias": ".+", "is_pattern": true, "to_model": "\\&\\&"}]}', 'a', 'bbbbbbbbbb', now(), '{}') IS NULL AS ends;
SELECT cost('{"aliases": [{"alias": "(", "is_pattern": true, "to_model": "x"}]}', 'a', 'b', now(), '{}');

-- a pattern matches what ~ says, whatever literal it starts with
SELECT count(*), count(*) FILTER (WHERE name ~ pattern COLLATE "C") AS matching, count(*) FILTER (WHERE (c IS NOT NULL) IS DISTINCT FROM (name ~ pattern COLLATE "C")) AS wrong
FROM (SELECT pattern, name, cost(jsonb_build_object('books', '[{"prices": [{"provider": "a", "model": "priced", "rates": {"currency": "USD", "input": 1}}]}]'::jsonb,
              'aliases', jsonb_build_array(jsonb_build_object('alias', pattern, 'is_pattern', true, 'to_model', 'priced')))::text::price_book, 'a', name, '2026-01-01', tokens(input => 1)) AS c
      FROM unnest(ARRAY['^o4-mini', 'o4-mini', '^o4\.1', 'o4\.1-x', 'o4?', '^o4*', 'o4{0}-', 'o4+', '^o(4)', 'x|o4', '^x|4$', '(?i)O4', '(?i)^o4\.1', '***=o4.1', '***:(?i)O4', '^o4-mini$',
                        'o\d', '\m4', 'o4\-mini', 'o[4]', '.4', '^', '$', 'ö4', '^ö', 'o4.1', 'mini', 'o4\.', 'o4\.?', '^o4-mini-2026-01-01-and-a-literal-that-is-longer-than-64-bytes-in-all!']) pattern,
          unnest(ARRAY['o4-mini', 'O4-MINI', 'o4.1', 'o4.1-x', 'o', 'o4', 'x', 'xo4-mini', 'ö4', 'a-o4.', 'o-', 'o41', '4', 'o4-mini-2026-01-01-and-a-literal-that-is-longer-than-64-bytes-in-all!',
                       'o4-mini-2026-01-01-and-a-literal-that-is-longer-than-64-bytes-in-all']) name) x;

-- a contract over the list: it prices what it names, at the times it names
INSERT INTO p (book, model, provider, rates, valid) VALUES ('contract', 'o3', 'openai', '{"currency": "USD", "input": 2, "output": 8}'::rates * 0.85, '[2025-07-01,2025-08-01)');
CREATE VIEW contract AS SELECT overlay_books(overlay_books((SELECT price_book(p) FROM p WHERE p.book = 'contract'), (SELECT price_book(p) FROM p WHERE p.book = 'list')), (SELECT model_aliases(a) FROM a)) AS book;
SELECT books(book) FROM contract;
SELECT provider, model, at, tier, cost(c.book, provider, model, at, t, tier), list_cost(c.book, provider, model, at, t, tier), savings_rate(c.book, provider, model, at, t, tier), currency(c.book, provider, model, at, t, tier)
FROM contract c, (SELECT tokens(input => 1000000) AS t) t,
    (VALUES ('openai', 'o3', '2025-06-30'::timestamptz, 'standard'), ('openai', 'o3', '2025-07-01', 'standard'), ('openai', 'o3', '2025-07-01', 'batch'), ('openai', 'o3-2025-04-16', '2025-07-01', NULL),
            ('openai', 'o3', '2025-08-01', 'standard'), ('azure', 'o3', '2025-07-01', 'standard'), ('in', 'nine', '2026-03-02', 'standard'), ('openai', 'o4', '2025-07-01', 'standard')) v(provider, model, at, tier);
SELECT priced_by, meter, rate, cost, book, valid FROM explain_cost((SELECT book FROM contract), 'openai', 'o3', '2025-07-01', tokens(input => 10, output => 20));
-- a contract on a model holds for the dated name that the list has too; one with another provider does not
INSERT INTO p (model, provider, rates) VALUES ('o3-2025-04-16', 'openai', '{"currency": "USD", "input": 2}'), ('o3', 'azure', '{"currency": "USD", "input": 2.2}');
SELECT cost(book, 'openai', 'o3-2025-04-16', '2025-07-01', tokens(input => 1000000)) AS by_contract, cost(book, 'azure', 'o3', '2025-07-01', tokens(input => 1000000)) AS azure FROM contract;

-- a meter without a rate: the call has no price, and says why
SELECT meter, tokens, rate, cost, rate_of, reason FROM explain_cost((SELECT price_book(p) FROM p WHERE book = 'list'), 'openai', 'o3', '2025-07-01', tokens(input => 10, tool_calls => 1, cache_storage => 0));
SELECT meter, reason FROM explain_cost((SELECT price_book(p) FROM p WHERE book = 'list'), 'openai', 'o3', '2027-07-01', tokens(input => 10));
SELECT meter, reason FROM explain_cost((SELECT price_book(p) FROM p WHERE book = 'list'), 'openai', 'o3', '2025-07-01', tokens(input => 10), 'flex');
SELECT meter, reason FROM explain_cost((SELECT price_book(p) FROM p WHERE book = 'list'), 'openai', 'gpt', '2025-07-01', tokens(input => 10));
SELECT count(*) FROM explain_cost((SELECT price_book(p) FROM p WHERE book = 'list'), 'openai', 'o3', '2025-07-01', '{}');

-- what is remembered of a name, between edges of windows and where there is no price, is what explain_cost() finds anew;
-- times in their order and in none, over two changes of the clock
SELECT model, in_order, count(*) AS calls, count(cost) AS priced, count(*) FILTER (WHERE cost IS DISTINCT FROM explained) AS different
FROM (SELECT m.model, in_order, cost(b.book, m.provider, m.model, c.at, t), (SELECT sum(e.cost) FROM explain_cost(b.book, m.provider, m.model, c.at, t) e) AS explained
      FROM (SELECT price_book(p) AS book FROM p WHERE book = 'list') b, tokens(input => 1000000) t, (VALUES (true), (false)) o(in_order),
          (VALUES ('deepseek', 'chat'), ('deepseek', 'v4-pro'), ('in', 'nine'), ('de', 'night'), ('openai', 'o3')) m(provider, model),
          LATERAL (SELECT at FROM (SELECT at FROM generate_series('2025-12-25 00:00Z'::timestamptz, '2026-01-08', '13 min') at UNION ALL SELECT at FROM generate_series('2026-03-25 00:00Z'::timestamptz, '2026-04-01', '13 min') at
                   UNION ALL SELECT at FROM generate_series('2026-10-22 00:00Z'::timestamptz, '2026-10-28', '13 min') at) a
                   ORDER BY CASE WHEN in_order THEN at END, md5(at::text || m.model)) c) x
GROUP BY model, in_order ORDER BY model, in_order;

-- the nearest name: the fewest changes, of the same provider among equals; NULL where nothing of it would stay
SELECT provider, model, nearest_model(b.book, provider, model) FROM (SELECT price_book(p) AS book FROM p WHERE book = 'list') b,
    (VALUES ('openai', 'o3'), ('openai', 'o4'), ('azure', 'o4'), ('x', 'o4'), ('deepseek', 'v4-prO'), ('x', '#'), ('x', ''), (NULL, 'o3')) v(provider, model);

-- NULL arguments
SELECT cost(NULL::price_book, 'a', 'm', now(), '{}') IS NULL AND cost('{}', NULL, 'm', now(), '{}') IS NULL AND cost('{}', 'a', NULL, now(), '{}') IS NULL
   AND cost('{}', 'a', 'm', NULL, '{}') IS NULL AND cost('{}', 'a', 'm', now(), NULL) IS NULL AS null_in_null_out,
   (SELECT count(*) FROM explain_cost(NULL, 'a', 'm', now(), '{}')) AS no_rows;

-- a stored book is fetched once and a change of book is seen
CREATE TABLE stored AS SELECT 1 AS n, (SELECT price_book(p) FROM p WHERE book = 'list') AS book UNION ALL SELECT 2, (SELECT price_book(p) FROM p WHERE book = 'contract');
SELECT n, i, cost(book, 'openai', 'o3', '2025-07-01', tokens(input => 1000000)) FROM stored, generate_series(1, 2) i ORDER BY i, n;

-- what a memo says of the call before holds for no other size, meter or time
SELECT count(*), count(c) AS priced, count(*) FILTER (WHERE c = explained) AS as_explained, count(DISTINCT (model, rate)) AS rows_used
FROM (SELECT m.model, cost(b.book, 'anthropic', m.model, at, t) AS c, e.explained, e.rate
      FROM (SELECT price_book(p) AS book FROM p WHERE book = 'list') b, (VALUES ('whole'), ('reads at base'), ('uncached'), ('graduated')) m(model),
          generate_series(0, 1) other, generate_series(0, 199) i,
          LATERAL (SELECT '2026-01-01'::timestamptz + i * interval '1 day' AS at,
                          tokens(input => i * 7919 % 211 * 1000, cache_read => CASE WHEN i % 2 = 0 THEN i * 104729 % 197 * 1000 END, output => i,
                                 cache_write_1h => CASE WHEN other = 1 THEN i * 1000 END, tool_calls => CASE WHEN i % 7 = 0 THEN 0 END) AS t) x,
          LATERAL (SELECT sum(e.cost) AS explained, max(e.rate) AS rate FROM explain_cost(b.book, 'anthropic', m.model, at, t) e) e
      OFFSET 0) v;
SELECT cost('{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD", "input": 1}}]}]}', 'a', 'm', at, tokens(input => 1))
FROM unnest('{2026-01-01,-infinity}'::timestamptz[]) at;
SELECT cost('{"books": [{"prices": [{"provider": "a", "model": "m", "rates": {"currency": "USD", "input": 1}}]}]}', 'a', 'm', '2026-01-01',
            tokens(input => 9223372036854775807, cache_read => i, cache_write => i)) FROM unnest('{0,9223372036854775807}'::bigint[]) i;

-- names of every length, and names that differ in one byte, are told apart; each is asked for twice
CREATE TABLE named AS
SELECT row_number() OVER () AS n, provider, model
FROM (SELECT repeat('p', p), repeat('m', m) FROM generate_series(1, 20) p, generate_series(1, 40) m
      UNION SELECT 'acme', overlay(repeat('m', m) PLACING 'x' FROM i) FROM generate_series(1, 40) m, generate_series(1, m) i
      UNION SELECT overlay(repeat('p', p) PLACING 'x' FROM i), 'model' FROM generate_series(1, 20) p, generate_series(1, p) i) v(provider, model);
INSERT INTO p (book, provider, model, rates) SELECT 'named', provider, model, format('{"currency": "USD", "input": %s}', n)::rates FROM named;
SELECT count(*), count(*) FILTER (WHERE cost(book, provider, model, now(), tokens(input => 1000000)) = n) AS priced_right,
       count(*) FILTER (WHERE cost(book, provider || '', model || '', now(), tokens(input => 1000000)) = n) AS out_of_no_row,
       count(*) FILTER (WHERE cost(book, provider, model || 'y', now(), tokens(input => 1000000)) IS NULL) AS unknown
FROM (SELECT price_book(p) AS book FROM p WHERE book = 'named') b, named, generate_series(1, 2);

DROP VIEW contract;
DROP TABLE p, a, stored, named;
