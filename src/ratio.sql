-- The quotients that reports show.

CREATE FUNCTION cost_per_mtok(cost numeric, tokens numeric) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cost_per_mtok(numeric, numeric) IS 'a cost per million tokens: cost * 1000000 / tokens; NULL where there are no tokens';

CREATE FUNCTION savings_rate(cost numeric, list_cost numeric) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION savings_rate(numeric, numeric) IS 'what was saved against the list price, a fraction: 1 - cost / list_cost; NULL where the list cost is 0';

CREATE FUNCTION growth_rate(current numeric, previous numeric) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION growth_rate(numeric, numeric) IS 'growth, a fraction: current / previous - 1; NULL where there was nothing before';

CREATE FUNCTION compound_growth(current numeric, previous numeric, periods integer) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION compound_growth(numeric, numeric, integer) IS
    'the growth of each of so many periods that makes previous into current, a fraction, to 12 decimals: (current / previous) ^ (1 / periods) - 1; NULL where there was nothing before';

CREATE FUNCTION exchanged(amount numeric, rate numeric, is_inverse boolean) RETURNS numeric
    AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION exchanged(numeric, numeric, boolean) IS
    'an amount in another currency, rounded once, to 12 decimals: times the rate, or, where the rate is of the other way round, by it';
