-- install(), the tables of prices, and the functions on them.
SET timezone = 'UTC';
\set SHOW_CONTEXT never

CALL tokenomics.install('tokenomics');
CALL tokenomics.install('pg_x');
CALL tokenomics.install(NULL);
CALL tokenomics.uninstall('nowhere');

CALL tokenomics.install('llm');
CALL tokenomics.install('llm');
SHOW search_path;
SELECT * FROM llm.setting;
INSERT INTO llm.setting DEFAULT VALUES;
UPDATE llm.setting SET zone = 'Mars/Olympus';
UPDATE llm.setting SET fiscal_year_start = 13;

-- an empty book prices nothing
SELECT tokenomics.cost(llm.book(), 'openai', 'o3', now(), '{"input": 1}') IS NULL AS unpriced, tokenomics.books(llm.book());

-- direct insertion records when it was known, and by whom
INSERT INTO llm.price (provider, model, rates) VALUES ('openai', 'o3', '{"currency": "USD", "input": 10, "output": 40}');
SELECT book, service_tier, above_input_tokens, valid, upper_inf(recorded), recorded_by = session_user AS by_me FROM llm.price;
\set VERBOSITY terse
INSERT INTO llm.price (provider, model, rates) VALUES ('openai', 'o3', '{"currency": "USD", "input": 11, "output": 40}');
INSERT INTO llm.price (provider, model, rates, recorded) VALUES ('openai', 'o1', '{"currency": "USD"}', '[2020-01-01,)');
INSERT INTO llm.price (provider, model, rates, recorded) VALUES ('openai', 'o1', '{"currency": "USD"}', '[2020-01-01,2021-01-01)');
INSERT INTO llm.price (provider, model) VALUES ('openai', 'o1');
INSERT INTO llm.price (provider, model, rates, valid) VALUES ('openai', 'o1', '{"currency": "USD"}', 'empty');
INSERT INTO llm.price (provider, model, rates, off_peak) VALUES ('openai', 'o1', '{"currency": "USD"}', '{[0,10081)}');
INSERT INTO llm.price (provider, model, rates, off_peak_zone) VALUES ('openai', 'o1', '{"currency": "USD"}', 'X/Y');
INSERT INTO llm.price (provider, model, rates, tier_mode) VALUES ('openai', 'o1', '{"currency": "USD"}', 'marginal');
INSERT INTO llm.price (provider, model, rates, above_input_tokens, tier_mode) VALUES ('openai', 'o3', '{"currency": "USD", "input": 20, "output": 40}', 200000, 'graduated');
INSERT INTO llm.price (provider, model, rates, above_input_tokens) VALUES ('openai', 'o3', '{"currency": "EUR", "input": 20, "output": 40}', 200000);

\set VERBOSITY default
-- history stays
UPDATE llm.price SET rates = '{"currency": "USD"}';
UPDATE llm.price SET recorded = tstzrange(lower(recorded), NULL), source = 'x';
UPDATE llm.price SET recorded = tstzrange(lower(recorded), clock_timestamp());
DELETE FROM llm.price;
TRUNCATE llm.price;

-- a correction closes the old row, keeps the rest of it, and adds the new one
SELECT llm.correct_price('openai', 'o3', '{"currency": "USD", "input": 2, "output": 8}', '[2025-06-10,)', 'price cut announced', source => 'openai.com');
SELECT valid, rates, upper_inf(recorded) AS now_known, reason, closed_reason, closed_by = session_user AS by_me FROM llm.price ORDER BY recorded, valid;
SELECT llm.correct_price('openai', 'o3', '{"currency": "USD", "input": 2, "output": 8}', '[2025-07-01,2025-08-01)', 'again') AS nothing_to_do;
SELECT llm.correct_price('openai', 'o3', NULL, '[2026-01-01,2026-02-01)', 'withdrawn');
SELECT at, tokenomics.cost(llm.book(), 'openai', 'o3', at, '{"input": 1000000}') FROM unnest('{2025-06-09,2025-06-10,2026-01-15,2026-02-01}'::timestamptz[]) at;
-- what was known at each moment
SELECT count(DISTINCT tokenomics.cost(llm.book(as_known_at => m.at), 'openai', 'o3', '2026-01-15', '{"input": 1000000}')) AS answers,
       bool_and(tokenomics.cost(llm.book(as_known_at => m.at), 'openai', 'o3', '2026-01-15', '{"input": 1000000}') IS NOT NULL) AS always
FROM (SELECT DISTINCT lower(recorded) AS at FROM llm.price) m;
SELECT tokenomics.cost(llm.book(as_known_at => '2020-01-01'), 'openai', 'o3', '2025-01-01', '{"input": 1000000}') IS NULL AS before_we_knew;
SELECT llm.correct_price('openai', 'o3', NULL, '[2026-01-01,2026-02-01)', NULL);
SELECT llm.correct_price('openai', 'o3', NULL, 'empty', 'x');
-- an off-peak window that is cut
SELECT llm.correct_price('d', 'm', '{"currency": "USD", "input": 4}', '(,)', 'base'),
       llm.correct_price('d', 'm', '{"currency": "USD", "input": 2}', '(,)', 'night', off_peak => '{[0,480)}'),
       llm.correct_price('d', 'm', '{"currency": "USD", "input": 1}', '(,)', 'deep night', off_peak => '{[60,120)}');
SELECT off_peak, rates FROM llm.price WHERE provider = 'd' AND upper_inf(recorded) ORDER BY off_peak;
SELECT llm.correct_price('d', 'm', '{"currency": "USD", "input": 1}', '(,)', 'elsewhere', service_tier => 'batch', off_peak => '{[60,120)}', off_peak_zone => 'Asia/Tokyo');
-- currency of all tiers in one transaction
SELECT llm.correct_price('e', 'm', '{"currency": "USD", "input": 4}', '(,)', 'new'), llm.correct_price('e', 'm', '{"currency": "USD", "input": 5}', '(,)', 'new', above_input_tokens => 10);
BEGIN;
SELECT llm.correct_price('e', 'm', '{"currency": "EUR", "input": 4}', '(,)', 'in euros');
SELECT llm.correct_price('e', 'm', '{"currency": "EUR", "input": 5}', '(,)', 'in euros', above_input_tokens => 10);
COMMIT;
SELECT llm.correct_price('e', 'm', '{"currency": "USD", "input": 4}', '(,)', 'one alone');

-- books over the list
SELECT llm.book('contrct');
SELECT llm.correct_price('openai', 'o3', '{"currency": "USD", "input": 1.7, "output": 6.8}', '[2025-07-01,)', 'signed', book => 'contract');
SELECT tokenomics.books(llm.book('contract')), tokenomics.cost(b, 'openai', 'o3', '2025-07-01', '{"input": 1000000}'), tokenomics.list_cost(b, 'openai', 'o3', '2025-07-01', '{"input": 1000000}'),
       tokenomics.savings_rate(b, 'openai', 'o3', '2025-07-01', '{"input": 1000000}') FROM llm.book('contract') b;
UPDATE llm.setting SET book = 'contract';
SELECT tokenomics.books(llm.book());
UPDATE llm.setting SET book = 'list';

-- aliases
SELECT llm.set_alias('o3-latest', 'o3', 'seen in logs'), llm.set_alias('o3-latest', 'o3', 'seen in logs'), llm.set_alias('^o3-\d+$', 'o3', 'dated', provider => 'openai', is_pattern => true);
SELECT tokenomics.cost(llm.book(), 'openai', m, '2025-07-01', '{"input": 1000000}') FROM unnest('{o3-latest,o3-123,o3-x}'::text[]) m;
SELECT llm.set_alias('o3-latest', NULL, 'wrong'), llm.set_alias('o3-latest', NULL, 'wrong');
SELECT provider, alias, to_model, upper_inf(recorded), reason, closed_reason FROM llm.model_alias ORDER BY recorded;
SELECT llm.set_alias('(', 'x', 'bad', is_pattern => true);
SELECT llm.set_alias('', 'x', 'bad');
SELECT llm.set_alias('x', 'y', '');
DELETE FROM llm.model_alias;
UPDATE llm.model_alias SET to_model = 'x';

-- history has no back door: not recorded before or after now, not closed before or after now
INSERT INTO llm.price (provider, model, rates, recorded) VALUES ('h', 'm', '{"currency": "USD", "input": 1}', '[2200-01-01,)');
INSERT INTO llm.price (provider, model, rates) VALUES ('h', 'm', '{"currency": "USD", "input": 1}');
\set VERBOSITY terse
UPDATE llm.price SET recorded = tstzrange(lower(recorded), lower(recorded) + interval '1 microsecond'), closed_by = 'me' WHERE provider = 'h';
UPDATE llm.price SET recorded = tstzrange(lower(recorded), 'infinity'), closed_by = 'me' WHERE provider = 'h';
UPDATE llm.price SET recorded = tstzrange(lower(recorded), now() + interval '1 year'), closed_by = 'me' WHERE provider = 'h';
UPDATE llm.price SET recorded = tstzrange(lower(recorded), clock_timestamp()), closed_by = 'me' WHERE provider = 'h';
SELECT closed_by FROM llm.price WHERE provider = 'h';

-- settings change, and do not go
DELETE FROM llm.setting;
TRUNCATE llm.setting;
BEGIN;
DELETE FROM llm.setting;
INSERT INTO llm.setting (zone) VALUES ('UTC');
COMMIT;
\set VERBOSITY default

-- exchange rates
INSERT INTO llm.fx_rate (base_currency, quote_currency, day, rate) VALUES ('EUR', 'USD', '2026-01-02', 1.0812);
INSERT INTO llm.fx_rate (base_currency, quote_currency, day, rate) VALUES ('EUR', 'USD', '2026-01-02', 1.09);
INSERT INTO llm.fx_rate (base_currency, quote_currency, day, rate) VALUES ('EUR', 'EUR', '2026-01-02', 1);
INSERT INTO llm.fx_rate (base_currency, quote_currency, day, rate) VALUES ('EUR', 'USD', '2026-01-03', 0);
INSERT INTO llm.fx_rate (base_currency, quote_currency, kind, day, rate) VALUES ('EUR', 'USD', 'month_end', '2026-01-03', 1);
INSERT INTO llm.fx_rate (base_currency, quote_currency, kind, day, rate) VALUES ('EUR', 'USD', 'month_end', '2024-02-29', 1.08), ('EUR', 'USD', 'month_end', '2024-03-01', 1.09) RETURNING day;
INSERT INTO llm.fx_rate (base_currency, quote_currency, kind, day, rate) VALUES ('EUR', 'USD', 'month_average', '2024-02-29', 1.08);
SELECT llm.convert_currency(100, 'EUR', 'USD', '2024-02-15', 'month'), llm.convert_currency(100, 'EUR', 'USD', '2024-03-31', 'month');

-- every table, column and function of an install is described
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'llm'::regnamespace AND c.relkind = 'r' AND col_description(c.oid, a.attnum) IS NULL;
SELECT relname FROM pg_class WHERE relnamespace = 'llm'::regnamespace AND relkind = 'r' AND obj_description(oid, 'pg_class') IS NULL;
SELECT proname FROM pg_proc WHERE pronamespace = 'llm'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL;

-- a second install beside it, with any name
CALL tokenomics.install('Other''s "one"');
SELECT tokenomics.books("Other's ""one""".book());
SELECT outcome, count(*) > 200 AS many FROM "Other's ""one""".load_default_prices() GROUP BY 1;
SELECT count(*) FROM llm.price WHERE model = 'claude-sonnet-4-5';
CREATE ROLE regress_reader;
SELECT "Other's ""one""".grant_reader('regress_reader');
CALL tokenomics.install('Other''s "one"');
SET ROLE regress_reader;
SELECT count(*) FROM "Other's ""one""_reader".total_spend_trend, "Other's ""one""_reader".usage;
RESET ROLE;
CALL tokenomics.uninstall('Other''s "one"');
DROP ROLE regress_reader;
DROP SCHEMA "Other's ""one""";

-- tables of others that have our names stay, and are not taken for ours
CREATE SCHEMA app
    CREATE TABLE setting (k text, v text)
    CREATE TABLE price (sku text, amount numeric);
CALL tokenomics.uninstall('app');
CALL tokenomics.install('app');
SELECT count(*) FROM app.setting, app.price;
DROP TABLE app.setting, app.price;
CREATE TABLE app.report (id integer);
CALL tokenomics.install('app');
DROP TABLE app.report;
-- also where it has rates of our type
CREATE TABLE app.price (id integer, rates tokenomics.rates);
CALL tokenomics.install('app');
CALL tokenomics.uninstall('app');
DROP TABLE app.price;
-- each table that an install makes is looked for, and nothing else
CALL tokenomics.install('app');
WITH made AS (
    SELECT c.relname::text AS name FROM pg_class c WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname !~ '^usage_y\d{4}m\d\d$'
), looked_for AS (
    SELECT m[1] AS name
    FROM pg_proc p, regexp_matches(substring(p.prosrc FROM 'relname IN \(([^)]*)\)'), '''(\w+)''', 'g') m
    WHERE p.oid = 'tokenomics.check_names'::regproc
)
SELECT name, made.name IS NOT NULL AS is_made, looked_for.name IS NOT NULL AS is_looked_for
FROM made FULL JOIN looked_for USING (name)
WHERE made.name IS NULL OR looked_for.name IS NULL OR name = 'usage_default';
CALL tokenomics.uninstall('app');
DROP SCHEMA app;

-- a name that is cut off is not that of another schema
CALL tokenomics.install(repeat('s', 63));
CALL tokenomics.install(repeat('s', 64));
CALL tokenomics.uninstall(repeat('s', 64));
CALL tokenomics.uninstall(repeat('s', 63));
DO $$BEGIN EXECUTE 'DROP SCHEMA ' || repeat('s', 63); END$$;

-- the extension cannot go while an install stands
\set VERBOSITY terse
DROP EXTENSION tokenomics;
CALL tokenomics.uninstall('llm');
SELECT count(*) FROM pg_depend d JOIN pg_namespace n ON d.refobjid = n.oid AND d.refclassid = 'pg_namespace'::regclass WHERE n.nspname = 'llm';
DROP SCHEMA llm;
