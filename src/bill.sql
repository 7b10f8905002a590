-- Why the bill of priced calls changed, from ledgers.

CREATE FUNCTION bill_contributions(
    ledgers ledger[],
    numbers integer[],
    first integer,
    last integer,
    distances integer[],
    group_by text[],
    in_currency text,
    rate_numbers integer[],
    rate_periods timestamptz[],
    rate_currencies text[],
    rates numeric[],
    rates_are_inverse boolean[],
    charged numeric[],
    OUT distance integer,
    OUT n integer,
    OUT provider text,
    OUT model text,
    OUT service_tier text,
    OUT meter text,
    OUT label text,
    OUT currency text,
    OUT tokens_0 bigint,
    OUT tokens_1 bigint,
    OUT spend_0 numeric,
    OUT spend_1 numeric,
    OUT price_effect numeric,
    OUT volume_effect numeric,
    OUT mix_effect numeric,
    OUT new_effect numeric,
    OUT discontinued_effect numeric,
    OUT currency_effect numeric
) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1000 COST 1000;
COMMENT ON FUNCTION bill_contributions(ledger[], integer[], integer, integer, integer[], text[], text, integer[], timestamptz[], text[], numeric[], boolean[], numeric[]) IS
    'the effects of bill_effects() and bill_effects_of_part() over the priced lines of ledgers, added up by some of provider, model, service_tier, meter and label: of periods that are some distances apart, by the numbers of the ledgers'' periods (none: months, 12 x year + month - 1) from first to last; in_currency: what has rates is converted, of each period and currency behind what is charged beside the calls';

CREATE FUNCTION bill_driver_effects(
    ledgers ledger[],
    numbers integer[],
    distances integer[],
    driver_numbers integer[],
    drivers double precision[],
    OUT distance integer,
    OUT n integer,
    OUT currency text,
    OUT spend_0 numeric,
    OUT spend_1 numeric,
    OUT users_effect numeric,
    OUT sessions_per_user_effect numeric,
    OUT turns_per_session_effect numeric,
    OUT calls_per_turn_effect numeric,
    OUT tokens_per_call_effect numeric,
    OUT reasoning_effect numeric,
    OUT coverage_effect numeric,
    OUT tokens_effect numeric,
    OUT cache_effect numeric,
    OUT mix_effect numeric,
    OUT price_effect numeric
) RETURNS SETOF record
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 100 COST 1000;
COMMENT ON FUNCTION bill_driver_effects(ledger[], integer[], integer[], integer[], double precision[]) IS
    'the same by drivers of demand, by LMDI-I of each item: drivers: for each of driver_numbers users, sessions per user, turns per session, calls per turn, tokens per call, the multiplier of reasoning, and their product; of periods without them tokens_effect alone';

CREATE FUNCTION condense(ledger, columns text[], providers text[], service_tiers text[]) RETURNS ledger
    AS 'MODULE_PATHNAME', 'bill_condense' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION condense(ledger, text[], text[], text[]) IS
    'part of the views: the same with fewer lines: priced ones that differ in none of some columns (provider, model, service_tier, label) are one, but for those of some providers and service tiers, two arrays of pairs; of little use beside lines()';
