-- Which rates changed, when, and what that did to the bill.
CALL tokenomics.install('llm');
SET search_path = llm, tokenomics, public;
SET timezone = 'UTC';
SET datestyle = ISO;
INSERT INTO price (provider, model, service_tier, above_input_tokens, rates, valid) VALUES
    ('acme', 'big', 'standard', 0, '{"currency": "USD", "input": 2, "output": 10}', '[2024-01-01,2024-02-11)'),
    ('acme', 'big', 'standard', 0, '{"currency": "USD", "input": 1.5, "output": 10}', '[2024-02-11,2024-02-21)'),
    ('acme', 'big', 'standard', 0, '{"currency": "USD", "input": 1, "output": 12}', '[2024-02-21,)'),
    ('acme', 'big', 'standard', 200000, '{"currency": "USD", "input": 4, "output": 10}', '[2024-01-01,2024-02-21)'),
    ('acme', 'big', 'standard', 200000, '{"currency": "USD", "input": 5, "output": 12}', '[2024-02-21,)'),
    ('acme', 'small', 'standard', 0, '{"currency": "USD", "input": 1}', '(,)'),
    ('acme', 'moved', 'standard', 0, '{"currency": "USD", "input": 1}', '(,2024-02-01)'),
    ('acme', 'moved', 'standard', 0, '{"currency": "EUR", "input": 1}', '[2024-02-01,)'),
    ('acme', 'grown', 'standard', 0, '{"currency": "USD", "input": 1}', '(,2024-02-01)'),
    ('acme', 'grown', 'standard', 0, '{"currency": "USD", "input": 1, "output": 3}', '[2024-02-01,)');
SELECT set_alias('big-latest', 'big', 'as they call it');
INSERT INTO usage (at, provider, model, tokens) VALUES
    ('2024-02-10', 'acme', 'big', '{"input": 150000}'),
    ('2024-02-12', 'acme', 'big-latest', '{"input": 100000, "cache_read": 50000, "output": 1000}'),
    ('2024-02-22', 'acme', 'big', '{"input": 100000, "output": 1000}'),
    ('2024-02-23', 'acme', 'big', '{"input": 1000000}'),
    ('2024-03-12', 'acme', 'big', '{"input": 100000}'),
    ('2024-02-10', 'acme', 'small', '{"input": 1000000}'),
    ('2024-03-10', 'acme', 'small', '{"input": 3000000}'),
    ('2024-02-10', 'acme', 'moved', '{"input": 1000000}'),
    ('2024-02-10', 'acme', 'grown', '{"input": 1000000, "output": 1}');
SELECT correct_price('acme', 'small', '{"currency": "USD", "input": 0.8}', '(,2024-03-01)', 'misread');

SELECT changed_at, change, model, above_input_tokens AS above, meter, currency, old_rate, new_rate, round(rate_growth, 3) AS growth, tokens, effect, note FROM price_change_log;
SELECT changed_at, month, change, reason, counted_from, counted_to FROM price_change_log WHERE model = 'small' OR above_input_tokens > 0;
-- two changes in a month: their effects are those of the old price on all that was used after the first
SELECT sum(effect) FROM price_change_log WHERE model = 'big' AND above_input_tokens = 0 AND change = 'price';
SELECT sum(cost(book(), provider, model, at, tokens) - cost('{"currency": "USD", "input": 2, "output": 10}'::rates, tokens)) FROM usage
WHERE model LIKE 'big%' AND at >= '2024-02-11' AND at < '2024-03-01' AND total(tokens) < 200000;
-- the limits cut changes and calls
SELECT changed_at, model, meter, counted_from, counted_to, tokens, effect FROM price_change_log_between('2024-02-11', '2024-02-22 12:00') WHERE above_input_tokens = 0;
SELECT change, counted_from, counted_to, tokens, effect FROM price_change_log_between('2024-02-01', '2024-02-05') WHERE model = 'small';
SELECT count(*) FROM price_change_log_between('2024-04-01');
SELECT DISTINCT month, counted_to FROM price_change_log_between(zone => 'Asia/Kolkata') WHERE model = 'big';
-- a change that is recorded by a correction is listed once
BEGIN;
SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 0.5, "output": 12}', '[2024-03-10,)', 'cheaper');
SELECT changed_at, change, reason, meter, old_rate, new_rate, effect FROM price_change_log WHERE model = 'big' AND above_input_tokens = 0;
ROLLBACK;
-- of another book only what it prices; with several windows nothing can be told apart
BEGIN;
INSERT INTO price (book, provider, model, rates) VALUES ('contract', 'acme', 'big', '{"currency": "USD", "input": 1, "output": 1}');
UPDATE setting SET book = 'contract';
SELECT book, model, meter, tokens, effect FROM price_change_log WHERE model IN ('big', 'grown');
ROLLBACK;
BEGIN;
INSERT INTO price (provider, model, rates, valid, off_peak) VALUES
    ('acme', 'small', '{"currency": "USD", "input": 0.1}', '(,2024-02-05)', '{[0,60)}'), ('acme', 'small', '{"currency": "USD", "input": 0.2}', '[2024-02-05,)', '{[0,60)}'),
    ('acme', 'small', '{"currency": "USD", "input": 0.3}', '(,)', '{[60,120)}');
SELECT off_peak, meter, old_rate, new_rate, tokens, effect, note FROM price_change_log WHERE off_peak;
ROLLBACK;
-- a correction of a half year of which a contract is in force from March on: two months are what the list prices
BEGIN;
INSERT INTO price (provider, model, rates, valid) VALUES ('acme', 'half', '{"currency": "USD", "input": 2}', '[2024-01-01,2024-07-01)');
INSERT INTO price (book, provider, model, rates, valid) VALUES ('contract', 'acme', 'half', '{"currency": "USD", "input": 1}', '[2024-03-01,)');
INSERT INTO usage (at, provider, model, tokens) SELECT make_timestamptz(2024, m, 10, 0, 0, 0), 'acme', 'half', '{"input": 1000000}' FROM generate_series(1, 6) m;
SELECT correct_price('acme', 'half', '{"currency": "USD", "input": 3}', '[2024-01-01,2024-07-01)', 'misread');
UPDATE setting SET book = 'contract';
SELECT change, book, counted_from, counted_to, old_rate, new_rate, tokens, effect, note FROM price_change_log WHERE model = 'half' ORDER BY book, changed_at;
ROLLBACK;
-- limits the wrong way round hold nothing
SELECT count(*) FROM price_change_log_between('2024-03-01', '2024-02-01');
CALL tokenomics.uninstall('llm');
RESET search_path;
DROP SCHEMA llm;
