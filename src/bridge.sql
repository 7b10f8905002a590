-- Why an amount changed: what each factor of a product did to it.

CREATE FUNCTION log_mean(a double precision, b double precision) RETURNS double precision
    AS 'MODULE_PATHNAME', 'bridge_log_mean' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION log_mean(double precision, double precision) IS
    'the logarithmic mean (a - b) / ln(a / b); a where they are equal, 0 where one of them is';

CREATE FUNCTION shapley_effects(factors_0 numeric[], factors_1 numeric[]) RETURNS numeric[]
    AS 'MODULE_PATHNAME', 'bridge_shapley_effects' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION shapley_effects(numeric[], numeric[]) IS
    'what each factor did to the change of a product of up to 16 (Shapley 1953, Sun 1998): the mean over all orders in which they may change; to 12 decimals, and together exactly the change';

CREATE FUNCTION lmdi_effects(value_0 numeric, value_1 numeric, factors_0 double precision[], factors_1 double precision[]) RETURNS numeric[]
    AS 'MODULE_PATHNAME', 'bridge_lmdi_effects' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmdi_effects(numeric, numeric, double precision[], double precision[]) IS
    'what each factor did to the change of a value that is their product, but for a constant (LMDI-I, Ang 2005): log_mean(value_1, value_0) * ln(factor_1 / factor_0); where the value is zero, factors that are zero share all; to 12 decimals, and together exactly the change';

CREATE TYPE bill_effects AS (
    price_effect numeric,
    volume_effect numeric,
    mix_effect numeric,
    new_effect numeric,
    discontinued_effect numeric,
    currency_effect numeric
);
COMMENT ON TYPE bill_effects IS 'why the bill of an item changed, from bill_effects(); the columns add up exactly to the change';
COMMENT ON COLUMN bill_effects.price_effect IS 'what its price did';
COMMENT ON COLUMN bill_effects.volume_effect IS 'what the quantity of all items did';
COMMENT ON COLUMN bill_effects.mix_effect IS 'what its share of that quantity did';
COMMENT ON COLUMN bill_effects.new_effect IS 'its whole cost, where it was not there before';
COMMENT ON COLUMN bill_effects.discontinued_effect IS 'its whole cost, below zero, where it is not there any more';
COMMENT ON COLUMN bill_effects.currency_effect IS 'what the exchange rate did';

CREATE FUNCTION bill_effects(
    cost_0 numeric, quantity_0 numeric, cost_1 numeric, quantity_1 numeric,
    total_quantity_0 numeric, total_quantity_1 numeric
) RETURNS bill_effects
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bill_effects(numeric, numeric, numeric, numeric, numeric, numeric) IS
    'why the cost of an item changed from cost_0 to cost_1 (quantity of all items x its share x its price, by Shapley); a quantity of NULL: it was not there, and is new or discontinued; 0: it was, unused, and what it costs is mix; total_quantity: the sum over the items that are there at both times';

CREATE FUNCTION bill_effects(
    cost_0 numeric, quantity_0 numeric, cost_1 numeric, quantity_1 numeric,
    total_quantity_0 numeric, total_quantity_1 numeric,
    converted_0 numeric, converted_1 numeric
) RETURNS bill_effects
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bill_effects(numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
    'the same in another currency: converted is what the cost is in it; the change of the exchange rate is an effect';

CREATE FUNCTION bill_effects_of_part(
    part_cost_0 numeric, part_quantity_0 numeric, part_cost_1 numeric, part_quantity_1 numeric,
    cost_0 numeric, quantity_0 numeric, cost_1 numeric, quantity_1 numeric,
    total_quantity_0 numeric, total_quantity_1 numeric
) RETURNS bill_effects
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bill_effects_of_part(numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
    'what a part of an item, such as a team''s, contributed to the effects of the item; the effects of a whole are those of bill_effects(), and of adjacent parts the differences of running sums add up to them exactly';

CREATE FUNCTION bill_effects_of_part(
    part_cost_0 numeric, part_quantity_0 numeric, part_cost_1 numeric, part_quantity_1 numeric,
    cost_0 numeric, quantity_0 numeric, cost_1 numeric, quantity_1 numeric,
    total_quantity_0 numeric, total_quantity_1 numeric,
    part_converted_0 numeric, part_converted_1 numeric, converted_0 numeric, converted_1 numeric
) RETURNS bill_effects
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bill_effects_of_part(numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
    'the same in another currency';

CREATE FUNCTION bill_effects_lmdi(
    cost_0 numeric, quantity_0 numeric, cost_1 numeric, quantity_1 numeric,
    total_quantity_0 numeric, total_quantity_1 numeric
) RETURNS bill_effects
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bill_effects_lmdi(numeric, numeric, numeric, numeric, numeric, numeric) IS
    'as bill_effects(), by LMDI-I (Ang 2005)';

CREATE FUNCTION bill_effects_lmdi(
    cost_0 numeric, quantity_0 numeric, cost_1 numeric, quantity_1 numeric,
    total_quantity_0 numeric, total_quantity_1 numeric,
    converted_0 numeric, converted_1 numeric
) RETURNS bill_effects
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bill_effects_lmdi(numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
    'as bill_effects() in another currency, by LMDI-I (Ang 2005)';
