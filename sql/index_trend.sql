-- The index columns of unit_price_trend and total_spend_trend.
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;
SET timezone = 'UTC';
SET datestyle = ISO;
SET extra_float_digits = 0;
CREATE VIEW unit AS SELECT month, scope, provider, currency, blended_index AS blended, matched_index AS matched, generation_index AS generation, geks_index AS geks, mix_index AS mix, coverage, base_coverage AS base_cov, matched_items AS items, index_base, note FROM unit_price_trend;
CREATE VIEW spend AS SELECT month, currency, usage_cost, spend_index AS spend, price_index AS price, quantity_index AS quantity, turnover_index AS turnover, coverage, index_base, note FROM total_spend_trend;
SELECT * FROM unit;
SELECT * FROM spend;

-- the worked example: beside one unchanged item, 10 million at $10 are retired for a successor, 12 million at $5
INSERT INTO price (provider, model, rates) VALUES ('acme', 'steady', '{"currency": "USD", "input": 2}'), ('acme', 'old', '{"currency": "USD", "input": 10}'), ('acme', 'new', '{"currency": "USD", "input": 5}');
INSERT INTO usage (at, provider, model, tokens) VALUES ('2024-01-10', 'acme', 'steady', '{"input": 10000000}'), ('2024-02-10', 'acme', 'steady', '{"input": 10000000}'),
    ('2024-01-10', 'acme', 'old', '{"input": 10000000}'), ('2024-02-10', 'acme', 'new', '{"input": 12000000}');
SELECT * FROM unit WHERE scope = 'total';
SELECT * FROM spend;
-- the successor named: the cut is seen; Fisher of 120 to 120 / 70 and 140 to 80, by hand
INSERT INTO index_item VALUES ('acme', 'new', 'acme/old', 'the same, a generation later');
SELECT matched, generation, sqrt((70 / 120.0) * (80 / 140.0)) AS by_hand FROM unit WHERE scope = 'total' AND month = '2024-02-01';
-- and as a band, which both have
UPDATE index_item SET index_item = 'frontier';
INSERT INTO index_item VALUES ('acme', 'old', 'frontier');
SELECT matched, generation FROM unit WHERE scope = 'total' AND month = '2024-02-01';
-- alone nothing matches
BEGIN;
DELETE FROM usage WHERE model = 'steady';
SELECT * FROM unit WHERE scope = 'total';
SELECT * FROM spend;
ROLLBACK;
INSERT INTO index_item VALUES ('acme', 'old', 'frontier');
INSERT INTO index_item VALUES ('acme', 'x', '');
INSERT INTO index_item VALUES ('acme', 'x', NULL);
DELETE FROM index_item;

-- a price cut in the middle of March, a month without use, another currency, a cached share that grows, a free model
BEGIN;
TRUNCATE usage;
INSERT INTO price (provider, model, rates, valid) VALUES ('acme', 'cut', '{"currency": "USD", "input": 4, "cache_read": 0.4}', '(,2024-03-16)'), ('acme', 'cut', '{"currency": "USD", "input": 2, "cache_read": 0.2}', '[2024-03-16,)'),
    ('euro', 'dur', '{"currency": "EUR", "input": 1}', '(,)'), ('acme', 'free', '{"currency": "USD", "input": 0}', '(,)');
INSERT INTO usage (at, provider, model, tokens) VALUES ('2024-01-10', 'acme', 'cut', '{"input": 10000000, "cache_read": 10000000}'), ('2024-03-10', 'acme', 'cut', '{"input": 10000000, "cache_read": 30000000}'),
    ('2024-03-20', 'acme', 'cut', '{"input": 10000000, "cache_read": 30000000}'), ('2024-04-10', 'acme', 'cut', '{"input": 10000000, "cache_read": 90000000}'), ('2024-03-10', 'euro', 'dur', '{"input": 5000000}'),
    ('2024-04-10', 'euro', 'dur', '{"input": 5000000}'), ('2024-01-10', 'acme', 'free', '{"input": 5000000}'), ('2024-03-10', 'acme', 'free', '{"input": 7000000}'), ('2024-03-10', 'acme', 'unknown', '{"input": 7000000}');
SELECT * FROM unit;
SELECT * FROM spend;
SELECT month, round((spend - price * quantity * turnover)::numeric, 12) AS residual FROM spend WHERE price IS NOT NULL;
SELECT month, matched_index, note FROM unit_price_trend_between('2024-03-05', '2024-04-11') WHERE scope = 'total' AND currency = 'USD';
-- a month of free calls alone comes first
DELETE FROM usage WHERE at < '2024-03-01' AND model <> 'free';
SELECT * FROM unit WHERE scope = 'total' AND currency = 'USD';
-- purchases are in the blended price and the mix, in no index of items
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, billed_cost, currency) VALUES ('acme', '2024-04-01', '2024-05-01', 'Purchase', 'standard', 56, 'USD'), ('acme', '2024-05-01', '2024-06-01', 'Purchase', 'standard', 56, 'USD');
SELECT * FROM unit WHERE scope = 'total' AND currency = 'USD';
SELECT * FROM spend WHERE currency = 'USD';
ROLLBACK;
-- a month of another model, then both: the matched index begins anew, GEKS links the month to January by way of March; what counts from two months is not compared
BEGIN;
TRUNCATE usage;
INSERT INTO price (provider, model, rates, valid) VALUES ('acme', 'back', '{"currency": "USD", "input": 4}', '(,2024-03-01)'), ('acme', 'back', '{"currency": "USD", "input": 2}', '[2024-03-01,)');
INSERT INTO usage (at, provider, model, tokens) SELECT at, 'acme', model, '{"input": 1000000}' FROM (VALUES ('2024-01-10'::timestamptz, 'back'), ('2024-02-10', 'old'), ('2024-03-10', 'old'), ('2024-03-10', 'back'), ('2024-04-10', 'back')) v(at, model);
SELECT month, matched, geks, index_base, note FROM unit WHERE scope = 'total';
ROLLBACK;
DROP VIEW unit, spend;
CALL tokenomics.uninstall('llm');
RESET search_path;
DROP SCHEMA llm;
