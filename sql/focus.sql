-- focus_export: what was spent, in the columns of FinOps FOCUS.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CALL tokenomics.install('focus');
SET search_path = focus, tokenomics, public;

-- of nothing there is nothing
SELECT count(*) FROM focus_export;
SELECT correct_price('acme', 'm', '{"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15}', '(,)', 'x');
SELECT correct_price('acme', 'm', '{"currency": "USD", "input": 1.5, "output": 7.5}', '(,)', 'x', service_tier => 'batch');
SELECT correct_price('acme', 'm', '{"currency": "USD", "input": 2.7, "cache_read": 0.27, "output": 13.5}', '(,)', 'x', book => 'contract');
UPDATE setting SET book = 'contract';
SELECT count(*) FROM ensure_partitions('2026-03-01', '2026-03-31');
-- 2 M at 2.7 and 1 M at 0.27; a tenth of a million of output at 13.5, list 15; batch at the list's price; one without a price
INSERT INTO usage (at, tokens, provider, model, service_tier, team) VALUES
    ('2026-03-01 10:00Z', '{"input": 2000000, "cache_read": 1000000}', 'acme', 'm', NULL, 'a'), ('2026-03-01 23:59:59Z', '{"output": 100000}', 'acme', 'm', NULL, NULL),
    ('2026-03-02 00:00Z', '{"input": 1000000}', 'acme', 'm', 'batch', 'a'), ('2026-03-02 00:00Z', '{"input": 5}', 'acme', 'who', NULL, 'a');
SELECT "ChargePeriodStart"::date AS day, "SkuPriceId", "SkuMeter", "ListUnitPrice" AS list, "ContractedUnitPrice" AS contracted, "PricingQuantity" AS quantity, "PricingUnit", "ConsumedQuantity" AS consumed,
       "ListCost", "ContractedCost", "BilledCost", "EffectiveCost", "Tags" FROM focus_export;
-- a purchase of 100 over ten days with a capacity of 1000 tokens, of which 250 are used: 25; the idle 75 are spread evenly, 7.5 a day
INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency, invoice_id)
VALUES ('acme', '2026-03-05Z', '2026-03-15Z', 'Purchase', 'reserved', 1000, 'Tokens', 100, 'USD', 'i-1'), ('acme', '2026-03-05Z', '2026-03-06Z', 'Credit', NULL, NULL, NULL, -4, 'USD', 'i-1');
INSERT INTO usage (at, tokens, provider, model, service_tier, team) VALUES ('2026-03-05 10:00Z', '{"input": 200, "output": 50}', 'acme', 'x', 'reserved', 'b');
SELECT "ChargeCategory", "CommitmentDiscountStatus" AS status, "CommitmentDiscountId", "PricingCategory", "PricingQuantity" AS quantity, "ConsumedQuantity" AS consumed, "BilledCost", "EffectiveCost",
       "CommitmentDiscountQuantity" AS committed, "ResourceType", "x_InvoiceId", "ChargeDescription"
FROM focus_export_between('2026-03-05Z', '2026-03-06Z');
SELECT "ChargeCategory", "CommitmentDiscountStatus" AS status, count(*), sum("BilledCost") AS billed, sum("EffectiveCost") AS effective FROM focus_export GROUP BY 1, 2 ORDER BY 1, 2;
SELECT (SELECT sum("EffectiveCost") FROM focus_export) = (SELECT sum(total_spend) FROM total_spend_trend) AS adds_up;
-- in a zone of half hours the last call of 1 March is of the 2nd
SELECT "BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd", "EffectiveCost" FROM focus_export_between('2026-03-01Z', '2026-03-02Z', 'Asia/Kolkata') WHERE "SkuMeter" = 'Output Tokens';
CALL tokenomics.uninstall('focus');
DROP SCHEMA focus;
