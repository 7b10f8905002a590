-- Written by "make upgrade-script"; do not edit.

CREATE FUNCTION retired(OUT step integer, OUT kind text, OUT object text, OUT was text, OUT becomes text) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
VALUES
    (1, 'function', 'bill_contributions(tstzrange[], boolean, integer[], text, text, text, text[])', 'e26bb833e8333d92', NULL),
    (2, 'function', 'bill_growth_of(timestamp with time zone, timestamp with time zone, text, text, text)', '30938d8860fb35bf', NULL),
    (3, 'function', 'driver_effects_of(tstzrange[], boolean, integer[], text, tokenomics.demand_factors[])', 'cee6e40500dce800', NULL),
    (4, 'function', 'spend_lines_of(text, timestamp with time zone, timestamp with time zone, text, text, timestamp with time zone[], tokenomics.ledger[])', 'b93cbbe5fefeae77', NULL),
    (5, 'constraint', 'budget.budget_thresholds_finite', NULL, 'CHECK (((NOT upper_inf(recorded)) OR ((array_position(alert_at, NULL::numeric) IS NULL) AND (array_position(alert_forecast_at, NULL::numeric) IS NULL) AND (''Infinity''::numeric > ALL (alert_at)) AND (''Infinity''::numeric > ALL (alert_forecast_at)) AND (alert_cost_per_mtok < ''Infinity''::numeric) AND (alert_reasoning_per_call < ''Infinity''::numeric))))'),
    (6, 'constraint', 'quote.quote_provisioned_units_on_offer', 'CHECK (((units >= units_min) AND (mod((units - units_min), units_increment) = (0)::numeric)))', 'CHECK (((units >= units_min) AND (mod((units - units_min), NULLIF(units_increment, (0)::numeric)) = (0)::numeric)))');
END;
COMMENT ON FUNCTION retired() IS
    'part of install(): what released versions made otherwise in an install, or this one makes no more';
