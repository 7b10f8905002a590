# focus_export against the published columns and rules of FOCUS 1.2: types,
# nullability, allowed values, products and sums; on the company of the demo, and
# on what that does not have.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use Test::More;
use TokenomicsTest;

# Column, feature level, whether it may be null, type: as the specification says.
my @published = map { [split] } grep { /\S/ } split /\n/, q(
    BilledCost Mandatory no numeric
    BillingAccountId Mandatory no text
    BillingAccountName Mandatory yes text
    BillingCurrency Mandatory no text
    BillingPeriodEnd Mandatory no timestamptz
    BillingPeriodStart Mandatory no timestamptz
    ChargeCategory Mandatory no text
    ChargeClass Mandatory yes text
    ChargeDescription Mandatory yes text
    ChargeFrequency Recommended no text
    ChargePeriodEnd Mandatory no timestamptz
    ChargePeriodStart Mandatory no timestamptz
    CommitmentDiscountCategory Conditional yes text
    CommitmentDiscountId Conditional yes text
    CommitmentDiscountName Conditional yes text
    CommitmentDiscountQuantity Conditional yes numeric
    CommitmentDiscountStatus Conditional yes text
    CommitmentDiscountType Conditional yes text
    CommitmentDiscountUnit Conditional yes text
    ConsumedQuantity Conditional yes numeric
    ConsumedUnit Conditional yes text
    ContractedCost Mandatory no numeric
    ContractedUnitPrice Conditional yes numeric
    EffectiveCost Mandatory no numeric
    InvoiceIssuerName Mandatory no text
    ListCost Mandatory no numeric
    ListUnitPrice Conditional yes numeric
    PricingCategory Conditional yes text
    PricingQuantity Mandatory yes numeric
    PricingUnit Mandatory yes text
    ProviderName Mandatory no text
    PublisherName Mandatory no text
    ResourceId Conditional yes text
    ResourceName Conditional yes text
    ResourceType Conditional yes text
    ServiceCategory Mandatory no text
    ServiceName Mandatory no text
    ServiceSubcategory Recommended no text
    SkuId Conditional yes text
    SkuMeter Conditional yes text
    SkuPriceDetails Conditional yes jsonb
    SkuPriceId Conditional yes text
    Tags Conditional yes jsonb
);

# What must be true of every row.
my $usage_or_purchase = q("ChargeCategory" IN ('Usage', 'Purchase'));
my %rules = (
    'ChargeCategory is one of five' => q("ChargeCategory" IN ('Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment')),
    'ChargeClass is Correction or nothing' => q("ChargeClass" IS NULL OR "ChargeClass" = 'Correction'),
    'ChargeFrequency is one of three, and not usage-based for a purchase' =>
        q("ChargeFrequency" IN ('One-Time', 'Recurring', 'Usage-Based') AND NOT ("ChargeCategory" = 'Purchase' AND "ChargeFrequency" = 'Usage-Based')),
    'PricingCategory is one of four' => q("PricingCategory" IS NULL OR "PricingCategory" IN ('Standard', 'Dynamic', 'Committed', 'Other')),
    'PricingCategory is Committed where a commitment discount applies and is not bought' =>
        q(("PricingCategory" IS NOT DISTINCT FROM 'Committed') = ("CommitmentDiscountId" IS NOT NULL AND "ChargeCategory" <> 'Purchase')),
    'ServiceCategory and ServiceSubcategory are of the list' => q("ServiceCategory" = 'AI and Machine Learning' AND "ServiceSubcategory" = 'Generative AI'),
    'a currency is a code of ISO 4217' => q("BillingCurrency" ~ '^[A-Z]{3}$'),
    'periods begin before they end, and a charge in its billing period' =>
        q("BillingPeriodStart" < "BillingPeriodEnd" AND "ChargePeriodStart" < "ChargePeriodEnd" AND "ChargePeriodStart" >= "BillingPeriodStart" AND "ChargePeriodStart" < "BillingPeriodEnd"),
    'EffectiveCost is 0 for a purchase that covers future charges' => q("ChargeCategory" <> 'Purchase' OR "EffectiveCost" = 0),
    'EffectiveCost, ListCost and ContractedCost match BilledCost for credits and the like' =>
        qq($usage_or_purchase OR "BilledCost" = "EffectiveCost" AND "BilledCost" = "ListCost" AND "BilledCost" = "ContractedCost"),
    'BilledCost is 0 where a commitment covers all of it' => q("CommitmentDiscountStatus" IS NULL OR "BilledCost" = 0),
    'prices, quantities and SKUs are of usage and purchases, and of no tax' =>
        qq(num_nulls("ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "PricingUnit", "PricingCategory", "SkuId", "SkuPriceId", "SkuMeter") = CASE WHEN $usage_or_purchase THEN 0 ELSE 8 END),
    'unit prices are not negative' => q("ListUnitPrice" IS NULL OR "ListUnitPrice" >= 0 AND "ContractedUnitPrice" >= 0),
    'unit price x quantity = cost' => q("PricingQuantity" IS NULL OR abs("ListUnitPrice" * "PricingQuantity" - "ListCost") < 1e-9 AND abs("ContractedUnitPrice" * "PricingQuantity" - "ContractedCost") < 1e-9),
    'units are as the unit format says' => q("PricingUnit" IS NULL OR "PricingUnit" ~ '^(1000000 )?(Tokens|Calls|Token-Hours|Units)$'),
    'ConsumedQuantity is of usage that is not unused, with its unit' =>
        q(("ConsumedQuantity" IS NOT NULL) = ("ChargeCategory" = 'Usage' AND "CommitmentDiscountStatus" IS DISTINCT FROM 'Unused') AND ("ConsumedUnit" IS NULL) = ("ConsumedQuantity" IS NULL)),
    'a SKU price has details of flat keys that begin with x_' =>
        q("SkuPriceDetails" IS NULL OR "SkuPriceId" IS NOT NULL AND (SELECT bool_and(key LIKE 'x\_%' AND jsonb_typeof(value) NOT IN ('object', 'array')) FROM jsonb_each("SkuPriceDetails")) IS NOT FALSE),
    'tags are flat' => q(jsonb_typeof("Tags") = 'object' AND NOT jsonb_path_exists("Tags", '$.* ? (@.type() == "object" || @.type() == "array")', '{}', true)),
    'a commitment discount is named as a whole' =>
        q(num_nulls("CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountCategory", "CommitmentDiscountType", "CommitmentDiscountQuantity", "CommitmentDiscountUnit") IN (0, 6)),
    'its category is of two, its status of two and of usage only' =>
        q(("CommitmentDiscountCategory" IS NULL OR "CommitmentDiscountCategory" IN ('Spend', 'Usage')) AND ("CommitmentDiscountStatus" IS NULL OR "CommitmentDiscountStatus" IN ('Used', 'Unused'))
          AND ("CommitmentDiscountStatus" IS NOT NULL) = ("CommitmentDiscountId" IS NOT NULL AND "ChargeCategory" = 'Usage')),
    'a purchase and what it left unused are resources of its id' =>
        q(NOT ("ChargeCategory" = 'Purchase' OR "CommitmentDiscountStatus" IS NOT DISTINCT FROM 'Unused') OR "ResourceId" = "CommitmentDiscountId"),
    'a resource has a type and a name' => q(num_nulls("ResourceId", "ResourceName", "ResourceType") IN (0, 3)),
);

# What it says, once: each rule looks at the same rows.
sub export {
    return psql('DROP TABLE IF EXISTS exported; CREATE TABLE exported AS SELECT * FROM focus_export');
}

sub holds {
    my ($what) = @_;
    export();
    for my $rule (sort keys %rules) {
        is(psql(qq(SELECT count(*) FROM exported WHERE ($rules{$rule}) IS NOT TRUE)), '0', "$what: $rule");
    }
    is(psql(q(SELECT count(*) FROM (SELECT "SkuPriceId" FROM exported WHERE "SkuPriceId" IS NOT NULL GROUP BY 1 HAVING count(DISTINCT "SkuId") > 1) AS s)), '0', "$what: a SKU price has one SKU");
    is(psql(q(SELECT count(*) FROM (SELECT "SkuId" FROM exported WHERE "SkuId" IS NOT NULL GROUP BY 1 HAVING count(DISTINCT "SkuMeter") > 1) AS s)), '0', "$what: a SKU has one meter");
    my $spend = q(SELECT period_start('month', s.zone, "BillingPeriodStart") AS month, "BillingCurrency" AS currency, sum("EffectiveCost") AS spend, sum("ConsumedQuantity") FILTER (WHERE "ConsumedUnit" = 'Tokens') AS tokens
                  FROM exported, setting AS s WHERE "ChargeCategory" <> 'Purchase' GROUP BY 1, 2);
    is(psql(qq(SELECT count(*) FROM ($spend) AS f FULL JOIN (SELECT t.*, t.month::timestamp AT TIME ZONE s.zone AS at FROM total_spend_trend AS t, setting AS s) AS t ON t.at = f.month AND t.currency = f.currency
        WHERE t.currency IS NOT NULL AND (coalesce(f.spend, 0) <> t.total_spend OR coalesce(f.tokens, 0) <> t.tokens) OR t.currency IS NULL AND f.currency IS NOT NULL)), '0', "$what: EffectiveCost and tokens add up to total_spend_trend, to the last digit");
    is(psql(q(SELECT count(*) FROM (
        SELECT "CommitmentDiscountId", "BillingCurrency", sum("EffectiveCost") FILTER (WHERE "ChargeCategory" = 'Usage') AS usage, sum("BilledCost") FILTER (WHERE "ChargeCategory" = 'Purchase') AS bought
        FROM exported WHERE "CommitmentDiscountId" IS NOT NULL GROUP BY 1, 2) AS c WHERE usage IS DISTINCT FROM bought)), '0', "$what: used and unused add up to what was bought");
    is(psql(q(SELECT trim_scale(sum("EffectiveCost") - sum("BilledCost")) FROM exported)), '0', "$what: all that was billed is spread");
    return;
}

database();
is(psql('SELECT count(*) FROM focus_export'), '0', 'of nothing it is empty');
for my $column (@published) {
    my ($name, $level, $null, $type) = @$column;
    is(psql(qq(SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'focus_export'::regclass AND attname = '$name')),
        $type eq 'timestamptz' ? 'timestamp with time zone' : $type, "$name ($level) is a $type");
}
is(psql(q(SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute WHERE attrelid = 'focus_export'::regclass AND attnum > 0 AND attname ~ '^x_')), 'x_InvoiceId x_Model x_ServiceTier', 'three columns of our own');
is(psql(q(SELECT count(*) FROM pg_attribute WHERE attrelid = 'focus_export'::regclass AND attnum > 0)), @published + 3, 'and no others');

company_database();
sub not_null {
    export();
    for my $column (grep { $_->[2] eq 'no' } @published) {
        is(psql(qq(SELECT count(*) FROM exported WHERE "$column->[0]" IS NULL)), '0', "$column->[0] is never null");
    }
    return;
}
not_null();
holds('the company');
is(psql(q(SELECT "ChargeCategory", "CommitmentDiscountStatus", trim_scale(sum("BilledCost")), trim_scale(sum("EffectiveCost")) FROM focus_export GROUP BY 1, 2 ORDER BY 1, 2)), <<'ROWS' =~ s/\n\z//r, 'what is in it');
Credit||-150|-150
Purchase||8400|0
Tax||9.12|9.12
Usage|Unused|0|4230.21384
Usage|Used|0|4169.78616
Usage||41415.471161245|41415.471161245
ROWS
is(psql(q(SELECT count(*) FROM (SELECT * FROM focus_export EXCEPT ALL SELECT * FROM (
    SELECT * FROM focus_export_between(to_at => '2025-11-07 23:00+00') UNION ALL SELECT * FROM focus_export_between('2025-11-07 23:00+00', '2026-03-31 22:00+00') UNION ALL SELECT * FROM focus_export_between('2026-03-31 22:00+00')) AS p) AS d)),
    '0', 'limits at midnight cut it without a rest');
is(psql(q(SELECT trim_scale(sum("EffectiveCost")), sum("ConsumedQuantity") FROM (SELECT * FROM focus_export_between(to_at => '2025-11-07 09:59:59.5+00') UNION ALL SELECT * FROM focus_export_between('2025-11-07 09:59:59.5+00')) AS p)),
    psql(q(SELECT trim_scale(sum("EffectiveCost")), sum("ConsumedQuantity") FROM focus_export)), 'and limits within a day leave the sum as it is');
is(psql(q(SELECT trim_scale(sum("EffectiveCost")) FROM focus_export_between(zone => 'UTC'))), psql(q(SELECT trim_scale(sum("EffectiveCost")) FROM focus_export)), 'by days of UTC it is the same sum');
is(psql(q(SELECT count(*) FROM focus_export_between(zone => 'UTC') WHERE "ChargeCategory" = 'Usage' AND ("ChargePeriodStart" <> date_trunc('day', "ChargePeriodStart", 'UTC') OR "ChargePeriodEnd" <> "ChargePeriodStart" + interval '1 day'))), '0', 'and its days are whole');

# ---- what the company does not have ----
database();
psql(q(
    UPDATE setting SET zone = 'Asia/Kolkata';
    SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 3, "cache_read": 0.3, "output": 15, "tool_calls": 10000, "cache_storage": 1}', '(,)', 'x');
    SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 6, "output": 30}', '(,)', 'x', above_input_tokens => 200000);
    SELECT correct_price('acme', 'only-here', '{"currency": "EUR", "input": 2, "output": 0}', '(,)', 'x', book => 'contract');
    SELECT correct_price('acme', 'big', '{"currency": "USD", "input": 1, "output": 5}', '(,)', 'x', service_tier => 'reserved');
    UPDATE setting SET book = 'contract';
    SELECT ensure_partitions('2026-02-01', '2026-05-01');
    INSERT INTO usage (at, tokens, provider, model, service_tier, team) VALUES
        ('2026-03-01 18:29:59.999999+00', '{"input": 7, "output": 3, "tool_calls": 5, "cache_storage": 3}', 'acme', 'big', NULL, 'a'),
        ('2026-03-01 18:30:00+00', '{"input": 250001, "cache_read": 11, "output": 3, "reasoning": 2}', 'acme', 'big', NULL, NULL),
        ('2026-03-05 12:00+00', '{"input": 9, "output": 0}', 'acme', 'only-here', NULL, 'b'),
        ('2026-03-05 12:00+00', '{"input": 13}', 'acme', 'nobody-knows', NULL, 'b'),
        ('2026-03-06 12:00+00', '{"input": 1000, "output": 10}', 'acme', 'big', 'reserved', 'a'),
        ('2026-03-06 13:00+00', '{"input": 500}', 'acme', 'other', 'reserved', 'b'),
        ('2026-03-07 13:00+00', NULL, 'acme', 'big', NULL, 'b');
    INSERT INTO charge (provider, charge_period_start, charge_period_end, charge_category, sku, quantity, unit, billed_cost, currency, invoice_id, scope) VALUES
        ('acme', '2026-03-02 10:00+00', '2026-03-12 10:00+00', 'Purchase', 'reserved', NULL, NULL, 100.01, 'USD', 'i-1', '{"team": "a"}'),
        ('acme', '2026-02-20 00:00+00', '2026-04-05 00:00+00', 'Purchase', 'gone', 7, 'Hours', 33.333333333333, 'EUR', NULL, NULL),
        ('acme', '2026-03-01 00:00+00', '2026-03-02 00:00+00', 'Purchase', NULL, NULL, NULL, 5, 'USD', NULL, NULL),
        ('acme', '2026-03-01 00:00+00', '2026-03-04 00:00+00', 'Credit', NULL, NULL, NULL, -1, 'USD', 'i-1', '{"team": "b"}'),
        ('acme', '2026-03-01 00:00+00', '2026-03-04 00:00+00', 'Adjustment', 'late', NULL, NULL, 0.07, 'EUR', NULL, NULL),
        ('acme', '2026-03-01 00:00+00', '2026-03-04 00:00+00', 'Tax', NULL, NULL, NULL, 1.00, 'USD', NULL, NULL),
        ('acme', '2026-03-01 00:00+00', '2026-04-01 00:00+00', 'Usage', 'big', NULL, NULL, 50, 'USD', 'i-1', NULL);
));
not_null();
holds('odd charges');
is(psql(q(SELECT "SkuPriceId", "SkuMeter", "ConsumedQuantity", "ConsumedUnit", "PricingUnit", trim_scale("ContractedUnitPrice"), trim_scale("ContractedCost"), "Tags" FROM focus_export WHERE "x_Model" = 'big' AND "x_ServiceTier" = 'standard' ORDER BY 1, 2, 3)), <<'ROWS' =~ s/\n\z//r, 'meters, thresholds and units');
acme/big/cache_read/standard/>200000|Cache Read Tokens|11|Tokens|1000000 Tokens|6|0.000066|{}
acme/big/cache_storage/standard|Cache Storage|3|Token-Hours|1000000 Token-Hours|1|0.000003|{"team": "a"}
acme/big/input/standard|Input Tokens|7|Tokens|1000000 Tokens|3|0.000021|{"team": "a"}
acme/big/input/standard/>200000|Input Tokens|250001|Tokens|1000000 Tokens|6|1.500006|{}
acme/big/output/standard|Output Tokens|3|Tokens|1000000 Tokens|15|0.000045|{"team": "a"}
acme/big/output/standard/>200000|Output Tokens|3|Tokens|1000000 Tokens|30|0.00009|{}
acme/big/reasoning/standard/>200000|Reasoning Tokens|2|Tokens|1000000 Tokens|30|0.00006|{}
acme/big/tool_calls/standard|Tool Calls|5|Calls|1000000 Calls|10000|0.05|{"team": "a"}
ROWS
done_testing();
