-- The FinOps Open Cost and Usage Specification (FOCUS 1.2) of all that was spent.
--
-- A row for each day, price and meter; purchases by the day and the calls that
-- they carry, with what is left unused, beside a row for each purchase itself,
-- which costs nothing effectively, so that nothing is counted twice.

-- Makes the view and its function in the schema that comes first in
-- search_path; called by install().
CREATE PROCEDURE install_focus() LANGUAGE plpgsql
AS $install$
BEGIN
    CREATE OR REPLACE FUNCTION focus_export_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        "BillingAccountId" text,
        "BillingAccountName" text,
        "BillingCurrency" text,
        "BillingPeriodStart" timestamptz,
        "BillingPeriodEnd" timestamptz,
        "ChargePeriodStart" timestamptz,
        "ChargePeriodEnd" timestamptz,
        "ChargeCategory" text,
        "ChargeClass" text,
        "ChargeDescription" text,
        "ChargeFrequency" text,
        "BilledCost" numeric,
        "EffectiveCost" numeric,
        "ListCost" numeric,
        "ContractedCost" numeric,
        "ListUnitPrice" numeric,
        "ContractedUnitPrice" numeric,
        "PricingCategory" text,
        "PricingQuantity" numeric,
        "PricingUnit" text,
        "ConsumedQuantity" numeric,
        "ConsumedUnit" text,
        "ProviderName" text,
        "PublisherName" text,
        "InvoiceIssuerName" text,
        "ServiceCategory" text,
        "ServiceSubcategory" text,
        "ServiceName" text,
        "ResourceId" text,
        "ResourceName" text,
        "ResourceType" text,
        "SkuId" text,
        "SkuMeter" text,
        "SkuPriceId" text,
        "SkuPriceDetails" jsonb,
        "CommitmentDiscountId" text,
        "CommitmentDiscountName" text,
        "CommitmentDiscountCategory" text,
        "CommitmentDiscountType" text,
        "CommitmentDiscountStatus" text,
        "CommitmentDiscountQuantity" numeric,
        "CommitmentDiscountUnit" text,
        "Tags" jsonb,
        "x_Model" text,
        "x_ServiceTier" text,
        "x_InvoiceId" text
    )
        -- the few lines that there are look like many, and compiling takes longer
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off
    AS $$
    #variable_conflict use_column
    DECLARE
        first timestamptz := coalesce(from_at, '-infinity');
        behind timestamptz := coalesce(to_at, 'infinity');
        in_zone text := coalesce(focus_export_between.zone, (SELECT s.zone FROM setting s));
    BEGIN
        RETURN QUERY
        WITH line AS MATERIALIZED (
            SELECT l.* FROM spend_lines('day', from_at, to_at, in_zone, 'team') l
        ), item AS (
            -- calls with a price of their own, by meter
            SELECT l.currency, greatest(l.period, first) AS starts, least(tokenomics.period_end('day', in_zone, l.period), behind) AS ends,
                   'Usage' AS category, l.cost AS billed, l.cost AS effective, coalesce(CASE WHEN l.list_currency = l.currency THEN l.list_cost END, l.cost) AS listed,
                   l.cost AS contracted, l.tokens::numeric AS quantity,
                   CASE l.meter WHEN 'tool_calls' THEN 'Calls' WHEN 'cache_storage' THEN 'Token-Hours' ELSE 'Tokens' END AS unit,
                   l.provider, l.model, l.service_tier, l.meter, l.above_input_tokens AS above, l.off_peak,
                   NULL AS commitment, NULL AS status, jsonb_build_object('team', l.label) AS tags, NULL AS invoice
            FROM tokenomics.meter_lines(usage_ledger('day', from_at, to_at, in_zone, 'team')) l
            WHERE l.cost IS NOT NULL AND l.tokens > 0
            UNION ALL
            -- calls that a purchase carries, with their share of it; and what it left idle.
            -- Tokens that have a price of their own too are counted above.
            SELECT l.currency, greatest(l.period, first), least(tokenomics.period_end('day', in_zone, l.period), behind),
                   'Usage', 0, sum(l.effective_cost), 0, 0,
                   CASE WHEN l.model = 'idle' THEN 0 ELSE coalesce(sum(tokenomics.total(l.tokens)), 0) END, 'Tokens',
                   l.provider, CASE WHEN l.model <> 'idle' THEN l.model END, l.service_tier, NULL, NULL, NULL,
                   l.provider || '/' || coalesce(l.service_tier, 'purchase'), CASE WHEN l.model = 'idle' THEN 'Unused' ELSE 'Used' END, jsonb_build_object('team', l.label), NULL
            FROM line l
            WHERE l.currency IS NOT NULL AND (l.charge_category = 'Purchase' OR l.charge_category = 'Usage' AND l.contracted_cost IS NULL)
            GROUP BY l.currency, l.period, l.provider, l.model, l.service_tier, l.label
            UNION ALL
            SELECT c.currency, c.charge_period_start, c.charge_period_end, 'Purchase', c.billed_cost, 0, c.billed_cost, c.billed_cost, 1, 'Units',
                   c.provider, NULL, c.sku, NULL, NULL, NULL, c.provider || '/' || coalesce(c.sku, 'purchase'), NULL, c.scope, c.invoice_id
            FROM charge c
            WHERE c.charge_category = 'Purchase' AND c.charge_period_start >= first AND c.charge_period_start < behind
            UNION ALL
            SELECT l.currency, greatest(l.period, first), least(tokenomics.period_end('day', in_zone, l.period), behind),
                   l.charge_category, l.effective_cost, l.effective_cost, l.effective_cost, l.effective_cost, NULL, NULL,
                   l.provider, NULL, l.service_tier, NULL, NULL, NULL, NULL, NULL, jsonb_build_object('team', l.label), NULL
            FROM line l WHERE l.charge_category NOT IN ('Usage', 'Purchase')
        )
        SELECT i.provider, i.provider, i.currency,
               tokenomics.period_start('month', in_zone, i.starts), tokenomics.period_end('month', in_zone, i.starts), i.starts, i.ends,
               i.category, NULL::text,
               concat_ws(' ', i.provider, i.model, CASE WHEN i.service_tier <> 'standard' THEN i.service_tier END,
                         CASE WHEN i.status = 'Unused' THEN 'unused capacity' WHEN i.status = 'Used' THEN 'tokens by prepaid capacity'
                              WHEN i.category = 'Purchase' THEN 'prepaid capacity' WHEN i.category = 'Usage' THEN m.words ELSE lower(i.category) END,
                         CASE WHEN i.above > 0 THEN 'above ' || i.above || ' input tokens' END, CASE WHEN i.off_peak THEN 'off-peak' END),
               CASE i.category WHEN 'Usage' THEN 'Usage-Based' ELSE 'One-Time' END,
               i.billed, i.effective, i.listed, i.contracted, p.list_price, p.contracted_price,
               CASE WHEN i.status IS NOT NULL THEN 'Committed' WHEN p.is_priced THEN 'Standard' END,
               p.quantity, CASE WHEN i.category = 'Purchase' THEN i.unit WHEN p.is_priced THEN '1000000 ' || i.unit END,
               CASE WHEN p.is_used THEN i.quantity END, CASE WHEN p.is_used THEN i.unit END,
               i.provider, i.provider, i.provider, 'AI and Machine Learning', 'Generative AI', i.provider,
               CASE WHEN i.status = 'Used' THEN i.provider || '/' || i.model ELSE i.commitment END,
               CASE WHEN i.status = 'Used' THEN i.model WHEN i.commitment IS NOT NULL THEN coalesce(i.service_tier, 'purchase') END,
               CASE WHEN i.status = 'Used' THEN 'Model' WHEN i.commitment IS NOT NULL THEN 'Prepaid Capacity' END,
               k.sku, CASE WHEN i.commitment IS NOT NULL THEN 'Prepaid Capacity' WHEN p.is_priced THEN initcap(m.words) END,
               CASE WHEN i.meter IS NULL THEN k.sku ELSE concat_ws('/', k.sku, i.service_tier, CASE WHEN i.above > 0 THEN '>' || i.above END, CASE WHEN i.off_peak THEN 'off-peak' END) END,
               CASE WHEN i.meter IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object('x_Meter', i.meter, 'x_ServiceTier', i.service_tier, 'x_AboveInputTokens', i.above, 'x_OffPeak', i.off_peak))
                    WHEN i.commitment IS NOT NULL THEN jsonb_build_object('x_ServiceTier', i.service_tier) END,
               i.commitment, CASE WHEN i.commitment IS NOT NULL THEN coalesce(i.service_tier, 'purchase') END,
               CASE WHEN i.commitment IS NOT NULL THEN 'Spend' END, CASE WHEN i.commitment IS NOT NULL THEN 'Prepaid Capacity' END, i.status,
               CASE WHEN i.category = 'Purchase' THEN i.billed WHEN i.commitment IS NOT NULL THEN i.effective END, CASE WHEN i.commitment IS NOT NULL THEN i.currency END,
               jsonb_strip_nulls(coalesce(i.tags, '{}')), i.model, i.service_tier, i.invoice
        FROM item i,
             LATERAL (SELECT CASE i.meter WHEN 'tool_calls' THEN 'tool calls' WHEN 'cache_storage' THEN 'cache storage'
                                          ELSE replace(i.meter, '_', ' ') || ' tokens' END AS words) m,
             LATERAL (SELECT i.category = 'Usage' OR i.category = 'Purchase' AS is_priced, i.category = 'Usage' AND i.status IS DISTINCT FROM 'Unused' AS is_used,
                             CASE i.category WHEN 'Usage' THEN trim_scale(i.quantity * 0.000001) WHEN 'Purchase' THEN i.quantity END AS quantity,
                             CASE WHEN i.commitment IS NULL THEN tokenomics.cost_per_mtok(i.listed, i.quantity) WHEN i.status IS NULL THEN i.listed ELSE 0 END AS list_price,
                             CASE WHEN i.commitment IS NULL THEN tokenomics.cost_per_mtok(i.contracted, i.quantity) WHEN i.status IS NULL THEN i.contracted ELSE 0 END AS contracted_price) p,
             LATERAL (SELECT CASE WHEN i.meter IS NOT NULL THEN concat_ws('/', i.provider, i.model, i.meter) WHEN i.status = 'Used' THEN concat_ws('/', i.provider, i.service_tier, i.model)
                                  ELSE i.commitment END AS sku) k
        ORDER BY i.starts, i.provider, i.category, i.model, i.service_tier, i.meter, i.above, i.off_peak, i.currency, i.tags ->> 'team', i.status;
    END
    $$;
    COMMENT ON FUNCTION focus_export_between(timestamptz, timestamptz, text) IS
        'the rows of focus_export of what was spent from from_at up to, not including, to_at, by the days and months of the zone (UTC is what most vendors bill by); NULL: no limit, and the zone of "setting"';
    CREATE OR REPLACE VIEW focus_export WITH (security_invoker = true) AS SELECT * FROM focus_export_between();
    COMMENT ON VIEW focus_export IS
        'tokenomics: all that was spent, by day, price and meter, in the columns of FinOps FOCUS 1.2; calls without a price have no cost and are not in it, but in unpriced_usage';
    COMMENT ON COLUMN focus_export."BillingAccountId" IS 'the account that is billed; none is recorded, so it is the provider';
    COMMENT ON COLUMN focus_export."BillingAccountName" IS 'its name: the provider';
    COMMENT ON COLUMN focus_export."BillingCurrency" IS 'currency of all amounts of the row';
    COMMENT ON COLUMN focus_export."BillingPeriodStart" IS 'when the month of the charge begins';
    COMMENT ON COLUMN focus_export."BillingPeriodEnd" IS 'when it ends, itself not included';
    COMMENT ON COLUMN focus_export."ChargePeriodStart" IS 'when what is charged begins: a day, of a Purchase its term';
    COMMENT ON COLUMN focus_export."ChargePeriodEnd" IS 'when it ends, itself not included';
    COMMENT ON COLUMN focus_export."ChargeCategory" IS 'Usage, Purchase, Credit, Adjustment or Tax';
    COMMENT ON COLUMN focus_export."ChargeClass" IS 'NULL: corrections of invoiced periods are not told apart';
    COMMENT ON COLUMN focus_export."ChargeDescription" IS 'what it is for, in words';
    COMMENT ON COLUMN focus_export."ChargeFrequency" IS 'Usage-Based for Usage, else One-Time';
    COMMENT ON COLUMN focus_export."BilledCost" IS 'what is to be paid for the row; 0 for usage that a Purchase covers';
    COMMENT ON COLUMN focus_export."EffectiveCost" IS 'what it costs with purchases spread over their usage: 0 for the Purchase itself; adds up to total_spend_trend';
    COMMENT ON COLUMN focus_export."ListCost" IS 'cost by the list price; by the contract where there is no list price';
    COMMENT ON COLUMN focus_export."ContractedCost" IS 'cost by the book in force';
    COMMENT ON COLUMN focus_export."ListUnitPrice" IS 'ListCost by PricingUnit; NULL for Credit, Adjustment and Tax';
    COMMENT ON COLUMN focus_export."ContractedUnitPrice" IS 'ContractedCost by PricingUnit; NULL for Credit, Adjustment and Tax';
    COMMENT ON COLUMN focus_export."PricingCategory" IS 'Standard, or Committed where a Purchase covers it; NULL for Credit, Adjustment and Tax';
    COMMENT ON COLUMN focus_export."PricingQuantity" IS 'how many PricingUnits';
    COMMENT ON COLUMN focus_export."PricingUnit" IS '1000000 Tokens, 1000000 Calls (of tools), 1000000 Token-Hours, or Units of a Purchase';
    COMMENT ON COLUMN focus_export."ConsumedQuantity" IS 'how much was used; NULL for all but Usage, and for what was left unused';
    COMMENT ON COLUMN focus_export."ConsumedUnit" IS 'Tokens, Calls or Token-Hours';
    COMMENT ON COLUMN focus_export."ProviderName" IS 'who provides it';
    COMMENT ON COLUMN focus_export."PublisherName" IS 'who makes it: the provider, as far as is known';
    COMMENT ON COLUMN focus_export."InvoiceIssuerName" IS 'who invoices it: the provider';
    COMMENT ON COLUMN focus_export."ServiceCategory" IS 'AI and Machine Learning';
    COMMENT ON COLUMN focus_export."ServiceSubcategory" IS 'Generative AI';
    COMMENT ON COLUMN focus_export."ServiceName" IS 'the service: the provider';
    COMMENT ON COLUMN focus_export."ResourceId" IS 'the purchase, or of usage that it covers the model; else NULL';
    COMMENT ON COLUMN focus_export."ResourceName" IS 'name of the same';
    COMMENT ON COLUMN focus_export."ResourceType" IS 'Prepaid Capacity or Model; NULL with ResourceId';
    COMMENT ON COLUMN focus_export."SkuId" IS 'provider/model/meter, of purchases provider/service tier; NULL for Credit, Adjustment and Tax';
    COMMENT ON COLUMN focus_export."SkuMeter" IS 'what is metered, as in Cache Read Tokens';
    COMMENT ON COLUMN focus_export."SkuPriceId" IS 'SkuId and what sets its price apart: service tier, threshold, off-peak';
    COMMENT ON COLUMN focus_export."SkuPriceDetails" IS 'the same as keys: x_Meter, x_ServiceTier, x_AboveInputTokens, x_OffPeak';
    COMMENT ON COLUMN focus_export."CommitmentDiscountId" IS 'the purchase that covers it, provider/service tier; else NULL';
    COMMENT ON COLUMN focus_export."CommitmentDiscountName" IS 'its service tier';
    COMMENT ON COLUMN focus_export."CommitmentDiscountCategory" IS 'Spend: an amount paid in advance';
    COMMENT ON COLUMN focus_export."CommitmentDiscountType" IS 'Prepaid Capacity';
    COMMENT ON COLUMN focus_export."CommitmentDiscountStatus" IS 'Used or Unused, for Usage that a Purchase covers';
    COMMENT ON COLUMN focus_export."CommitmentDiscountQuantity" IS 'what of it was bought, used or left, in CommitmentDiscountUnit';
    COMMENT ON COLUMN focus_export."CommitmentDiscountUnit" IS 'the currency';
    COMMENT ON COLUMN focus_export."Tags" IS 'whom it is for: {"team": ...}, of purchases their scope';
    COMMENT ON COLUMN focus_export."x_Model" IS 'model, as the calls name it; NULL for what is not a call';
    COMMENT ON COLUMN focus_export."x_ServiceTier" IS 'service tier of the calls; of other charges their sku';
    COMMENT ON COLUMN focus_export."x_InvoiceId" IS 'invoice of a Purchase; not InvoiceId, because the invoice has rows without it';
END
$install$;
COMMENT ON PROCEDURE install_focus() IS 'part of install(): the export in FinOps FOCUS, in the first schema of search_path';

CREATE PROCEDURE uninstall_focus() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS focus_export;
    DROP FUNCTION IF EXISTS focus_export_between(timestamptz, timestamptz, text);
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_focus() IS 'part of uninstall(): drops what install_focus() made';
