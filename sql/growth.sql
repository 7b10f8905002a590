-- Why the bill grows: a company small enough to add up by eye.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO';
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;

-- an empty install has no rows, and no error
SELECT (SELECT count(*) FROM bill_growth), (SELECT count(*) FROM bill_growth_by_team), (SELECT count(*) FROM bill_growth_by_project), (SELECT count(*) FROM bill_growth_by_driver),
       (SELECT count(*) FROM underuse), (SELECT count(*) FROM bill_bridge('2025-01-01', '2025-02-01', '2025-02-01', '2025-03-01')), (SELECT count(*) FROM repriced_bill('2025-01-01', '2025-02-01'));

-- calls without any price: said, and not for 0
BEGIN;
INSERT INTO usage (at, provider, model, tokens, team) VALUES ('2025-01-05', 'acme', 'bigg', '{"input": 5}', 'search'), ('2025-03-05', 'acme', 'bigg', '{"input": 7}', NULL);
SELECT month, comparison, currency, unpriced_tokens, spend_before, spend, change, price_effect, note FROM bill_growth;
SELECT currency, tokens_0, tokens_1, spend_0, spend_1, change, price_effect, note FROM bill_bridge('2025-01-01', '2025-02-01', '2025-03-01', '2025-04-01');
SELECT currency, tokens, old_cost, new_cost, difference, reason FROM repriced_bill('2025-01-01', '2025-02-01');
ROLLBACK;

-- "big" costs $1 in, 10 cents from the cache and $10 out a million; from March in
-- half of that; "small" a tenth of the list; "dur" is paid in euros
SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 1, "cache_read": 0.1, "output": 10}', '(,)', 'list');
SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 0.5, "cache_read": 0.05, "output": 5}', '[2025-03-01,)', 'price cut');
SELECT correct_price('acme', 'small', '{"currency": "USD", "input": 0.1, "output": 1}', '(,)', 'list');
SELECT correct_price('acme', 'free', '{"currency": "USD", "input": 0, "output": 0}', '(,)', 'list');
SELECT correct_price('euro', 'dur', '{"currency": "EUR", "input": 2, "output": 4}', '(,)', 'list');
INSERT INTO fx_rate VALUES ('EUR', 'USD', 'month_average', '2025-03-01', 1.10), ('EUR', 'USD', 'month_average', '2025-05-01', 1.20);
INSERT INTO usage (at, provider, model, tokens, calls, team, project, user_id, session_id, turn_id) VALUES
    -- January and February: the volume doubles, nothing else
    ('2025-01-10', 'acme', 'big', '{"input": 10000000, "output": 1000000}', 1, 'search', 'web', 'ann', 's1', 't1'),
    ('2025-01-20', 'acme', 'big', '{"input": 10000000, "output": 1000000}', 1, 'ads', 'web', 'bob', 's2', 't2'),
    ('2025-02-10', 'acme', 'big', '{"input": 30000000, "output": 3000000}', 1, 'search', 'web', 'ann', 's3', 't3'),
    ('2025-02-20', 'acme', 'big', '{"input": 10000000, "output": 1000000}', 1, 'ads', 'web', 'bob', 's4', 't4'),
    -- March: the price falls to a half, nothing else in dollars; euros come
    ('2025-03-10', 'acme', 'big', '{"input": 30000000, "output": 3000000}', 1, 'search', 'web', 'ann', 's5', 't5'),
    ('2025-03-20', 'acme', 'big', '{"input": 10000000, "output": 1000000}', 1, 'ads', 'web', 'bob', 's6', 't6'),
    ('2025-03-25', 'euro', 'dur', '{"input": 1000000, "output": 1000000}', 1, 'ads', NULL, NULL, NULL, NULL),
    -- no call in April; in May the cache is hit, and a new model beside the old one
    ('2025-05-10', 'acme', 'big', '{"input": 10000000, "cache_read": 30000000, "output": 4000000}', 1, 'search', 'web', 'ann', 's7', 't7'),
    ('2025-05-11', 'acme', 'small', '{"input": 1000000}', 1, 'ops', 'cli', 'cid', 's8', 't8'),
    ('2025-05-12', 'acme', 'smal', '{"input": 7}', 1, 'ops', 'cli', 'cid', 's8', 't8'),
    ('2025-05-13', 'acme', 'free', '{"input": 1000000}', 1, 'ops', 'cli', 'cid', 's8', 't8'),
    ('2025-05-25', 'euro', 'dur', '{"input": 1000000, "output": 1000000}', 1, 'ads', NULL, NULL, NULL, NULL);
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, billed_cost, currency) VALUES
    ('acme', '2025-02-01', '2025-03-01', 'Purchase', 'ptu', 5, 'USD'), ('acme', '2025-02-01', '2025-03-01', 'Credit', NULL, -1, 'USD');

SELECT month, currency, tokens_before AS t0, tokens AS t1, unpriced_tokens AS unpriced, spend_before AS s0, spend AS s1, change, growth, price_effect AS price, volume_effect AS volume, mix_effect AS mix,
       new_effect AS new, discontinued_effect AS gone, currency_effect AS fx, purchase_effect AS purchase, other_effect AS other, is_partial AS p, note
FROM bill_growth WHERE comparison = 'month on month';
SELECT month, currency, spend_before, spend, note FROM bill_growth WHERE comparison = 'year on year' AND month = '2025-05-01';
SELECT month, team, currency, spend_before AS s0, spend AS s1, change, price_effect AS price, volume_effect AS volume, mix_effect AS mix, new_effect AS new, discontinued_effect AS gone, purchase_effect AS purchase, other_effect AS other, note
FROM bill_growth_by_team WHERE comparison = 'month on month' AND month IN ('2025-02-01', '2025-03-01');
SELECT month, project, currency, spend_before AS s0, spend AS s1, change, price_effect AS price, volume_effect AS volume, mix_effect AS mix, purchase_effect AS purchase, other_effect AS other
FROM bill_growth_by_project WHERE comparison = 'month on month' AND month = '2025-02-01';
-- in one currency: euros at the rates of March and May; April has none, and needs none
SELECT month, currency, spend_before AS s0, spend AS s1, price_effect AS price, volume_effect AS volume, mix_effect AS mix, new_effect AS new, discontinued_effect AS gone, currency_effect AS fx, note
FROM bill_growth_between(in_currency => 'USD') WHERE comparison = 'month on month';
-- without a rate it stays in its own
SELECT DISTINCT currency, note FROM bill_growth_between('2025-05-01', '2025-06-01', in_currency => 'GBP');

-- from March to May: the cache is mix, not price; the small model is new
SELECT charge_category, provider, model, meter, currency, tokens_0, tokens_1, change, price_effect AS price, round(volume_effect, 6) AS volume, round(mix_effect, 6) AS mix, new_effect AS new, currency_effect AS fx, note
FROM bill_bridge('2025-03-01', '2025-04-01', '2025-05-01', '2025-06-01', '{charge_category,provider,model,meter}', in_currency => 'USD');
SELECT team, currency, change, price_effect AS price, round(volume_effect, 6) AS volume, round(mix_effect, 6) AS mix, new_effect AS new, note FROM bill_bridge('2025-03-01', '2025-04-01', '2025-05-01', '2025-06-01', '{team}');
-- periods of any length: two months against one; half-hour zones; the same twice
SELECT currency, spend_0, spend_1, price_effect AS price, volume_effect AS volume, mix_effect AS mix, purchase_effect AS purchase, other_effect AS other FROM bill_bridge('2025-01-01', '2025-03-01', '2025-03-01', '2025-04-01');
SELECT currency, change, price_effect AS price, volume_effect AS volume, mix_effect AS mix FROM bill_bridge('2025-03-01', '2025-04-01', '2025-03-01', '2025-04-01', zone => 'Asia/Kathmandu');
SELECT currency, spend_0, spend_1, discontinued_effect AS gone FROM bill_bridge('2025-03-01', '2025-04-01', '2025-04-01', '2025-05-01');

-- limits that cut a month say so
SELECT month, currency, spend_before, spend, change, growth, is_partial, note FROM bill_growth_between('2025-01-15', '2025-02-15') WHERE comparison = 'month on month';
SELECT (SELECT count(*) FROM bill_growth_between('2025-01-15', '2025-01-15')) AS none, (SELECT count(*) FROM bill_growth_by_team_between('2025-02-15', '2025-01-15')) AS reversed, (SELECT count(*) FROM bill_growth_by_driver_between('2025-02-15', '2025-01-15')) AS by_driver;

-- by driver: in February the same two people with twice the tokens a call; in
-- March the price; in May one of two people of "big", and a new one
SELECT month, currency, change, round(users_effect, 4) AS users, round(sessions_per_user_effect, 4) AS sessions, round(turns_per_session_effect, 4) AS turns, round(calls_per_turn_effect, 4) AS calls, round(tokens_per_call_effect, 4) AS per_call,
       round(reasoning_effect, 4) AS reasoning, round(coverage_effect, 4) AS coverage, round(tokens_effect, 4) AS tokens, round(cache_effect, 4) AS cache, round(mix_effect, 4) AS mix, round(price_effect, 4) AS price, purchase_effect AS purchase, other_effect AS other,
       change - (tokens_effect + cache_effect + mix_effect + price_effect + purchase_effect + other_effect) = 0 AS exact, note
FROM bill_growth_by_driver WHERE comparison = 'month on month';
SELECT currency, change, round(users_effect, 4) AS users, round(tokens_per_call_effect, 4) AS per_call, round(tokens_effect, 4) AS tokens, round(cache_effect, 4) AS cache, round(mix_effect, 4) AS mix, round(price_effect, 4) AS price, note FROM driver_bridge('2025-03-01', '2025-05-01');
-- where nobody says who called: tokens alone
BEGIN;
UPDATE usage SET user_id = NULL WHERE at < '2025-02-01';
SELECT currency, change, users_effect, tokens_effect, mix_effect, price_effect, purchase_effect, note FROM driver_bridge('2025-01-01', '2025-02-01');
ROLLBACK;
-- of few of the calls; a month without usage before; a currency that was not there
BEGIN;
UPDATE usage SET user_id = NULL WHERE at < '2025-02-01' AND model = 'big';
INSERT INTO usage (at, provider, model, user_id, session_id, turn_id, tokens) VALUES ('2025-01-20', 'acme', 'big', 'ann', 's', 'few', tokens(input => 1000000));
SELECT currency, note FROM driver_bridge('2025-01-01', '2025-02-01');
SELECT currency, note FROM driver_bridge('2024-12-01', '2025-01-01');
SELECT currency, note FROM driver_bridge('2025-01-01', '2025-03-01');
UPDATE usage SET model = 'nobody' WHERE at >= '2025-02-01' AND at < '2025-03-01' AND model = 'big';
SELECT currency, note FROM driver_bridge('2025-01-01', '2025-02-01');
SELECT month, currency, note FROM bill_growth_by_driver_between('2025-01-01', '2025-03-01') WHERE comparison = 'month on month';
ROLLBACK;

-- at other prices: what January would cost today, and what March would have cost before
SELECT model, meter, currency, old_valid_from, new_valid_from, tokens, old_rate, new_rate, old_cost, new_cost, difference, reason FROM repriced_bill('2025-01-01', '2025-02-01');
SELECT model, meter, currency, new_valid_from, tokens, old_rate, new_rate, difference, reason FROM repriced_bill('2025-05-01', '2025-06-01', prices_at(book(), '2025-02-28'));
-- prices known then: the cut of March was entered later
SELECT currency, sum(old_cost) AS old_cost, sum(new_cost) AS new_cost, sum(difference) AS difference FROM repriced_bill('2025-03-01', '2025-04-01', book(), book(as_known_at => (SELECT max(lower(recorded)) FROM price WHERE reason = 'price cut') - interval '1 microsecond')) GROUP BY 1 ORDER BY 1;
-- a contract, in another currency, with a threshold, and without a model
BEGIN;
SELECT correct_price('acme', 'big', '{"currency": "EUR", "input": 0.4, "output": 4}', '(,)', 'contract', book => 'contract'), correct_price('acme', 'small', '{"currency": "USD", "input": 0.05, "output": 0.5}', '(,)', 'contract', book => 'contract'),
       correct_price('acme', 'small', '{"currency": "USD", "input": 0.01, "output": 0.1}', '(,)', 'contract', book => 'contract', above_input_tokens => 500000), correct_price('acme', 'smal', '{"currency": "USD", "input": 1}', '(,)', 'contract', book => 'contract');
SELECT model, meter, currency, old_above_input_tokens AS old_above, new_above_input_tokens AS new_above, tokens, old_cost, new_cost, difference, reason FROM repriced_bill('2025-05-01', '2025-06-01', book('contract'));
SELECT model, meter, currency, old_cost, new_cost, difference, reason FROM repriced_bill('2025-05-01', '2025-06-01', '{"books": [{"book": "none"}]}') WHERE model = 'small';
ROLLBACK;
SELECT prices_at(book(), '2025-02-28')::text::jsonb #> '{books,0,prices,0}', prices_at(book(), '2025-02-28') = prices_at(prices_at(book(), '2025-02-28'), '2026-01-01') AS same;
SELECT price_row(book(), 'acme', 'big', '2025-03-01', '{"input": 1}', NULL, 1), price_row(book(), 'acme', 'none', '2025-03-01', '{"input": 1}', NULL, 1), price_row(book(), 'acme', 'big', '2025-03-01', NULL, NULL, 1);

-- who stops: the ads team, from May on; and who never began
INSERT INTO seat VALUES ('ann', 'search', '(,)'), ('bob', 'ads', '[2025-01-01,)'), ('eve', 'ads', '[2025-01-01,)'), ('new', 'ads', '[2025-05-31,)'), ('old', 'ads', '[2025-01-01,2025-02-01)');
SELECT scope, owner, team, first_month, last_month, tokens_before, tokens, tokens_growth, turns_before, turns, round(others_tokens_growth, 4) AS others, cost_before, cost, last_used_at, reason FROM underuse_between('2025-02-01', '2025-06-01', months => 2);
SELECT scope, owner, tokens_before, tokens, turns_before, turns, matched_quantity, token_share_before, token_share, reason FROM underuse_between('2025-01-01', '2025-03-01', months => 1, threshold => 0);
INSERT INTO seat VALUES ('ann', 'ads', '[2025-02-01,)');
INSERT INTO seat VALUES ('', 'ads', '(,)');
INSERT INTO seat VALUES ('x', 'ads', 'empty');

-- errors
SELECT * FROM bill_bridge('2025-01-01', '2025-02-01', '2025-02-01', '2025-03-01', '{user_id}');
SELECT * FROM bill_bridge('2025-01-01', '2025-02-01', '2025-02-01', '2025-03-01', '{team,NULL}');
SELECT * FROM bill_bridge('2025-01-01', '2025-02-01', '2025-02-01', '2025-03-01', '{team,project}');
SELECT * FROM bill_bridge('2025-02-01', '2025-01-01', '2025-02-01', '2025-03-01');
SELECT * FROM bill_bridge(NULL, '2025-01-01', '2025-02-01', '2025-03-01');
SELECT * FROM driver_bridge('2025-01-02', '2025-02-01');
SELECT * FROM driver_bridge('2025-01-01', 'infinity');
SELECT * FROM underuse_between(months => 0);
SELECT * FROM underuse_between(threshold => -1);
SELECT prices_at(book(), 'infinity');

-- lines that nobody wants apart are one; those that a purchase may carry stay, and those without a price
CREATE TEMP TABLE fine AS
SELECT tokenomics.ledger(book(), 'month', 'UTC', '2025-03-05', v.provider, v.model, v.tier, '{"input": 1000000}', v.label) AS l
FROM (VALUES ('acme', 'big', 'standard', 'a'), ('acme', 'big', 'standard', 'b'), ('acme', 'small', 'standard', 'a'), ('acme', 'big', 'batch', 'a'), ('euro', 'dur', 'standard', 'a'), ('acme', 'none', 'standard', 'a')) v(provider, model, tier, label);
SELECT c.carried, i.provider, i.model, i.service_tier, i.label, i.currency, i.tokens, i.cost, i.unpriced
FROM fine, (VALUES ('none', '{}'::text[], '{}'::text[]), ('acme standard', '{acme,acme,nobody}', '{nothing,standard,standard}'), ('not those', '{euro,standard,"",acme}', '{batch,acme,"",""}')) c(carried, providers, tiers),
     LATERAL tokenomics.lines(tokenomics.condense(l, '{provider}', c.providers, c.tiers)) i ORDER BY c.carried, i.provider, i.model, i.service_tier, i.label;
SELECT count(*) FROM tokenomics.lines(tokenomics.condense('{"grain": "day", "zone": "UTC"}', '{}', '{acme}', '{batch}'));
SELECT tokenomics.condense(l, '{colour}', '{}', '{}') FROM fine;
SELECT tokenomics.condense(l, '{}', '{acme,NULL}', '{a,b}') FROM fine;
SELECT tokenomics.condense(l, '{}', '{acme}', '{a,b}') FROM fine;

-- of calls that are archived and gone: tokens and turns of teams as they were counted; users, and who has not used a seat, nobody can tell
SET client_min_messages = warning;
TRUNCATE usage, seat;
INSERT INTO seat VALUES ('ann', 'down', '(,)');
SELECT count(*) FROM ensure_partitions('2025-05-01', '2025-09-30') WHERE month < '2025-10-01';
INSERT INTO usage (at, provider, model, tokens, team, user_id, session_id, turn_id) VALUES ('2025-05-10', 'acme', 'big', '{"input": 1}', 'down', 'ann', 's', 't');
INSERT INTO usage (at, provider, model, tokens, team, user_id, session_id, turn_id)
SELECT '2025-06-01'::timestamptz + make_interval(months => m, days => d), 'acme', 'big', '{"input": 1000000}', team, team, team, format('%s %s %s', team, m, d / 2)
FROM generate_series(0, 3) m, generate_series(1, 20) d, unnest('{up,down}'::text[]) team WHERE d <= CASE team WHEN 'up' THEN 10 + 3 * m ELSE 16 - 4 * m END;
CREATE TEMP TABLE seen AS SELECT * FROM underuse_between(NULL, '2025-10-01', months => 2);
SELECT scope, owner, tokens_before, tokens, turns_before, turns, last_used_at, reason FROM seen;
CALL refresh();
SELECT archive('2025-05-01'), archive('2025-06-01'), archive('2025-07-01');
DROP TABLE usage_y2025m05, usage_y2025m06, usage_y2025m07;
SELECT scope, owner, tokens_before, tokens, turns_before, turns, last_used_at, reason FROM underuse_of('{company,team,seat}', NULL, '2025-10-01', NULL, 2);
SELECT scope FROM underuse_between(NULL, '2025-10-01', months => 2);
SELECT scope, owner, tokens, reason FROM underuse_of('{seat}', NULL, '2025-09-01', NULL, 2);
SELECT r -> 'underuse' AS underuse, substring(report_markdown(r) from 'not known which seats[^.;|]*') AS said, report_markdown(r) ~ 'seats? of|uses less than' AS is_of_seats FROM monthly_report('2025-08-15') r;

-- all of it goes
CALL tokenomics.uninstall('llm');
SELECT count(*) FROM pg_class WHERE relnamespace = 'llm'::regnamespace;

-- of archived months turns are stored; one that cannot be counted is said, and not taken for none
CALL tokenomics.install('llm2');
SET search_path = llm2, tokenomics, public;
SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 1}', '(,)', 'list');
SELECT count(*) FROM ensure_partitions('2025-05-01', '2025-09-30') WHERE month < '2025-10-01';
INSERT INTO usage (at, provider, model, tokens, team, user_id, session_id, turn_id)
SELECT '2025-06-01'::timestamptz + make_interval(months => m, days => d), 'acme', 'big', '{"input": 1000000}', team, team, team, format('%s %s %s', team, m, d / 2)
FROM generate_series(0, 3) m, generate_series(1, 20) d, unnest('{up,down}'::text[]) team WHERE d <= CASE team WHEN 'up' THEN 10 + 3 * m ELSE 16 - 4 * m END;
CALL refresh();
SELECT archive('2025-06-01'), archive('2025-07-01');
DROP TABLE usage_y2025m06, usage_y2025m07;
SET client_min_messages = warning;
SELECT scope, owner, tokens_before, tokens, turns_before, turns, last_used_at, reason FROM underuse_of('{company,team}', NULL, '2025-10-01', NULL, 2);
DELETE FROM stored_measure WHERE starts = '2025-07-01';
SELECT scope, owner, tokens_before, tokens, turns_before, turns, last_used_at, reason FROM underuse_of('{company,team}', NULL, '2025-10-01', NULL, 2);
