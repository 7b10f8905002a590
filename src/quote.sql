-- Offers for tokens, and what each costs on a workload.

-- By hand: a slide in one line.

CREATE FUNCTION cost_per_mtok(price_per_gpu_hour numeric, tokens_per_second_per_gpu numeric, utilization numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_cost_per_mtok' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cost_per_mtok(numeric, numeric, numeric) IS
    'what a million tokens cost on a rented GPU: price_per_gpu_hour * 1000000 / (tokens_per_second_per_gpu * 3600 * utilization)';

CREATE FUNCTION needed_price(cost_per_mtok numeric, tokens_per_second_per_gpu numeric, utilization numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_needed_price' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION needed_price(numeric, numeric, numeric) IS
    'the price per GPU-hour at which a million tokens cost so much, exact';

CREATE FUNCTION needed_throughput(cost_per_mtok numeric, price_per_gpu_hour numeric, utilization numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_needed_throughput' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION needed_throughput(numeric, numeric, numeric) IS
    'the tokens per second and GPU at which a million tokens cost so much';

CREATE FUNCTION needed_utilization(cost_per_mtok numeric, price_per_gpu_hour numeric, tokens_per_second_per_gpu numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_needed_utilization' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION needed_utilization(numeric, numeric, numeric) IS
    'the utilization at which a million tokens cost so much; above 1: that cannot be had at this price and throughput';

-- The same work, as another vendor would count it.

CREATE FUNCTION adjust_tokens(tokens tokens, tokenizer_factor numeric, output_factor numeric DEFAULT NULL, cache_hit_rate numeric DEFAULT NULL) RETURNS tokens
    AS 'MODULE_PATHNAME', 'quote_adjust_tokens' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION adjust_tokens(tokens, numeric, numeric, numeric) IS
    'tokens as another vendor would count them: all that are tokens times tokenizer_factor, output also times output_factor, and of the input cache_hit_rate (NULL: as it is) read from the cache, which moves tokens only among input, cache_read and cache writes; rounded to whole tokens, meter by meter';

CREATE FUNCTION average_call(tokens tokens, calls bigint) RETURNS tokens
    AS 'MODULE_PATHNAME', 'quote_average_call' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION average_call(tokens, bigint) IS
    'a call as they are on average: its input, rounded up, lies between the same two thresholds as that of all calls does, and every meter that they use has at least one token';

-- Load and capacity.  A load is what weights make of tokens: those of a vendor
-- of provisioned throughput, or the rates of a GPU.

CREATE FUNCTION capacity_need(
    minutes tokens[],
    minutes_each bigint,
    span_minutes bigint,
    input_weight numeric,
    cache_read_weight numeric,
    output_weight numeric,
    larger_side boolean,
    percentile numeric
) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_capacity_need' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION capacity_need(tokens[], bigint, bigint, numeric, numeric, numeric, boolean, numeric) IS
    'the load per minute that a share (percentile; 1: the peak) of all minutes of a span does not exceed; each element is the tokens of minutes_each minutes, minutes without an element are empty; where larger_side is true the larger of the loads of input and output counts, not their sum';

CREATE TYPE served_load AS (
    demand numeric,
    served numeric,
    excess numeric,
    served_tokens tokens,
    excess_tokens tokens,
    minutes bigint,
    active_minutes bigint,
    excess_minutes bigint
);
COMMENT ON TYPE served_load IS 'what a capacity serves of a workload, from serve_minutes()';
COMMENT ON COLUMN served_load.demand IS 'load of all minutes';
COMMENT ON COLUMN served_load.served IS 'what of it the capacity serves, minute by minute';
COMMENT ON COLUMN served_load.excess IS 'what exceeds it: demand = served + excess, exactly';
COMMENT ON COLUMN served_load.served_tokens IS 'tokens that are served';
COMMENT ON COLUMN served_load.excess_tokens IS 'tokens that are not: the same part of each meter of a minute, to whole tokens; both add up to the workload exactly';
COMMENT ON COLUMN served_load.minutes IS 'minutes of the span';
COMMENT ON COLUMN served_load.active_minutes IS 'minutes in which there are tokens';
COMMENT ON COLUMN served_load.excess_minutes IS 'minutes in which the load exceeds the capacity';

CREATE FUNCTION serve_minutes(
    minutes tokens[],
    minutes_each bigint,
    span_minutes bigint,
    input_weight numeric,
    cache_read_weight numeric,
    output_weight numeric,
    larger_side boolean,
    capacity numeric
) RETURNS served_load
    AS 'MODULE_PATHNAME', 'quote_serve_minutes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION serve_minutes(tokens[], bigint, bigint, numeric, numeric, numeric, boolean, numeric) IS
    'what a capacity, a load per minute, serves of each minute, and what exceeds it';

CREATE FUNCTION step_units(need numeric, minimum numeric, increment numeric, maximum numeric DEFAULT NULL) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_step_units' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION step_units(numeric, numeric, numeric, numeric) IS
    'the fewest units on offer (the minimum and whole increments) that meet a need, or the most up to the maximum';

-- Operating points.

CREATE FUNCTION monotone_interpolate(x numeric[], y numeric[], at numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_monotone_interpolate' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION monotone_interpolate(numeric[], numeric[], numeric) IS
    'the value at a place between points of ascending x, on a smooth curve through them that is monotone where they are (Steffen 1990), to 9 decimals; NULL outside of them: it never extrapolates';

CREATE FUNCTION operating_point_at(
    interactivity numeric[],
    output_rate numeric[],
    input_rate numeric[],
    asked numeric,
    OUT interactivity_reached numeric,
    OUT output_rate_reached numeric,
    OUT input_rate_reached numeric
) RETURNS record
    AS 'MODULE_PATHNAME', 'quote_operating_point_at' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION operating_point_at(numeric[], numeric[], numeric[], numeric) IS
    'the rates of tokens per second and GPU at an interactivity (tokens per second and user), between the points that no other beats in both interactivity and output; where all are more interactive, or NULL is asked, those of the point with the most output; NULL where none is so interactive';

-- Cost curves: what an offer costs as a workload is scaled.

CREATE TYPE cost_curve AS (
    from_scale numeric[],
    fixed numeric[],
    slope numeric[],
    until numeric
);
COMMENT ON TYPE cost_curve IS 'what an offer costs on a workload that is scaled, in straight pieces: 1 is the workload as it is';
COMMENT ON COLUMN cost_curve.from_scale IS 'where each piece begins, itself not included; the first at 0';
COMMENT ON COLUMN cost_curve.fixed IS 'cost of a piece: fixed + slope * scale';
COMMENT ON COLUMN cost_curve.slope IS 'cost of a piece: fixed + slope * scale';
COMMENT ON COLUMN cost_curve.until IS 'the scale up to which the curve is known, or the offer serves; NULL: any';

CREATE FUNCTION committed_curve(usage numeric, commitment numeric DEFAULT NULL, commitment_discount numeric DEFAULT NULL, minimum numeric DEFAULT NULL) RETURNS cost_curve
    AS 'MODULE_PATHNAME', 'quote_committed_curve' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION committed_curve(numeric, numeric, numeric, numeric) IS
    'usage at its price; a commitment is paid in any case and covers commitment / (1 - commitment_discount) of usage, what is beyond costs its price; the bill is never below the minimum';

CREATE FUNCTION step_curve(price_per_unit numeric, need numeric, minimum numeric, increment numeric, maximum numeric DEFAULT NULL) RETURNS cost_curve
    AS 'MODULE_PATHNAME', 'quote_step_curve' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION step_curve(numeric, numeric, numeric, numeric, numeric) IS
    'whole units, as many as step_units() says that the scaled need takes; it is followed over 1000 steps';

CREATE FUNCTION spillover_curve(
    minutes tokens[],
    minutes_each bigint,
    span_minutes bigint,
    input_weight numeric,
    cache_read_weight numeric,
    output_weight numeric,
    larger_side boolean,
    capacity numeric,
    fixed numeric,
    rates rates,
    tokenizer_factor numeric DEFAULT NULL,
    output_factor numeric DEFAULT NULL,
    cache_hit_rate numeric DEFAULT NULL
) RETURNS cost_curve
    AS 'MODULE_PATHNAME', 'quote_spillover_curve' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION spillover_curve(tokens[], bigint, bigint, numeric, numeric, numeric, boolean, numeric, numeric, rates, numeric, numeric, numeric) IS
    'a capacity for a fixed price, and the rates of tokens for what exceeds it, minute by minute; NULL where a meter has no rate';

CREATE FUNCTION curve_cost(curve cost_curve, scale numeric) RETURNS numeric
    AS 'MODULE_PATHNAME', 'quote_curve_cost' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION curve_cost(cost_curve, numeric) IS 'the cost at a scale; NULL above where the curve ends';

CREATE FUNCTION crossings(curve cost_curve, baseline cost_curve, OUT scale numeric, OUT is_cheaper_above boolean, OUT is_equal boolean) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'quote_crossings' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 2;
COMMENT ON FUNCTION crossings(cost_curve, cost_curve) IS
    'the scales at which two offers break even, ascending: whether the first is cheaper above, and whether the costs are equal there (else one of them makes a step)';

CREATE TYPE quoted_cost AS (
    workload text,
    quote text,
    vendor text,
    kind text,
    rank bigint,
    serves boolean,
    reason text,
    notes text[],
    currency text,
    cost_per_mtok numeric,
    cost_per_mtok_input numeric,
    cost_per_mtok_output numeric,
    cost_per_mtok_visible_output numeric,
    monthly_bill numeric,
    cost_per_call numeric,
    cost_per_turn numeric,
    cost_per_session numeric,
    interactivity numeric,
    units_needed numeric,
    units numeric,
    shortfall_tokens bigint,
    shortfall_hours numeric,
    spillover_tokens bigint,
    spillover_hours numeric,
    spillover_cost numeric,
    achieved_utilization numeric,
    idle_share numeric,
    baseline text,
    break_even_volumes numeric[],
    break_even_utilization numeric,
    reporting_currency text,
    cost_per_mtok_converted numeric,
    monthly_bill_converted numeric
);
COMMENT ON TYPE quoted_cost IS 'what a quote costs on a workload: a row of compare_quotes()';
COMMENT ON COLUMN quoted_cost.workload IS 'the workload';
COMMENT ON COLUMN quoted_cost.quote IS 'the quote';
COMMENT ON COLUMN quoted_cost.vendor IS 'who made it';
COMMENT ON COLUMN quoted_cost.kind IS 'tokens, gpu_hour or provisioned';
COMMENT ON COLUMN quoted_cost.rank IS '1: the cheapest of those that can serve; then those of which nobody knows, then those that cannot; by cost_per_mtok_converted';
COMMENT ON COLUMN quoted_cost.serves IS 'whether it can serve the workload as asked; NULL: nobody knows';
COMMENT ON COLUMN quoted_cost.reason IS 'why it cannot, why nobody knows, or why there is no cost';
COMMENT ON COLUMN quoted_cost.notes IS 'what to know of the figures: factors that are assumed, a shape that is stated, a ratio of input to output that was not measured, ...';
COMMENT ON COLUMN quoted_cost.currency IS 'currency of the amounts';
COMMENT ON COLUMN quoted_cost.cost_per_mtok IS 'the bill per million tokens of the workload that are served, as the workload counts them';
COMMENT ON COLUMN quoted_cost.cost_per_mtok_input IS 'the whole bill per million input tokens; never to be added to that of output';
COMMENT ON COLUMN quoted_cost.cost_per_mtok_output IS 'the whole bill per million output tokens';
COMMENT ON COLUMN quoted_cost.cost_per_mtok_visible_output IS 'the whole bill per million output tokens that are not reasoning';
COMMENT ON COLUMN quoted_cost.monthly_bill IS 'the bill of a month of 730 hours';
COMMENT ON COLUMN quoted_cost.cost_per_call IS 'the bill by calls';
COMMENT ON COLUMN quoted_cost.cost_per_turn IS 'the bill by turns; NULL where not all calls name theirs';
COMMENT ON COLUMN quoted_cost.cost_per_session IS 'the bill by sessions; NULL where not all calls name theirs';
COMMENT ON COLUMN quoted_cost.interactivity IS 'tokens per second and user of the operating point';
COMMENT ON COLUMN quoted_cost.units_needed IS 'GPUs or units that the peak (or the percentile asked) needs, before whole units';
COMMENT ON COLUMN quoted_cost.units IS 'GPUs or units that are paid';
COMMENT ON COLUMN quoted_cost.shortfall_tokens IS 'tokens of the workload''s span that are not served';
COMMENT ON COLUMN quoted_cost.shortfall_hours IS 'hours of the span in which some are not';
COMMENT ON COLUMN quoted_cost.spillover_tokens IS 'tokens of the span that exceed the capacity and are bought by the spillover book';
COMMENT ON COLUMN quoted_cost.spillover_hours IS 'hours of the span in which there are some';
COMMENT ON COLUMN quoted_cost.spillover_cost IS 'what they cost, over the span';
COMMENT ON COLUMN quoted_cost.achieved_utilization IS 'what is served, as a fraction of what the paid hours could serve';
COMMENT ON COLUMN quoted_cost.idle_share IS 'the rest: what is paid for and not used';
COMMENT ON COLUMN quoted_cost.baseline IS 'what it breaks even with: a quote, or the pay-as-you-go price of its model';
COMMENT ON COLUMN quoted_cost.break_even_volumes IS 'tokens a month, in the shape of the workload, at which one becomes cheaper than the other, ascending; explain_quote() says which';
COMMENT ON COLUMN quoted_cost.break_even_utilization IS 'utilization of a unit at which it costs what the baseline does; above 1: never';
COMMENT ON COLUMN quoted_cost.reporting_currency IS 'currency of the converted amounts';
COMMENT ON COLUMN quoted_cost.cost_per_mtok_converted IS 'cost_per_mtok at the exchange rate of the day of the quote; NULL where there is none';
COMMENT ON COLUMN quoted_cost.monthly_bill_converted IS 'monthly_bill at the same rate';

CREATE TYPE quote_step AS (
    step integer,
    what text,
    value numeric,
    unit text,
    how text
);
COMMENT ON TYPE quote_step IS 'a step of explain_quote()';
COMMENT ON COLUMN quote_step.step IS 'number of the step';
COMMENT ON COLUMN quote_step.what IS 'what is reckoned';
COMMENT ON COLUMN quote_step.value IS 'its value; NULL where it is a remark, or not known';
COMMENT ON COLUMN quote_step.unit IS 'unit of the value';
COMMENT ON COLUMN quote_step.how IS 'how it comes about';

-- Makes the tables, functions and the view in the schema that comes first in
-- search_path; called by install().
CREATE PROCEDURE install_quote() LANGUAGE plpgsql
AS $install$
DECLARE
    col record;
BEGIN
    CREATE TABLE IF NOT EXISTS quote (
        name text PRIMARY KEY CONSTRAINT quote_name_not_empty CHECK (name <> ''),
        kind text NOT NULL CONSTRAINT quote_kind_known CHECK (kind IN ('tokens', 'gpu_hour', 'provisioned')),
        vendor text NOT NULL CONSTRAINT quote_vendor_not_empty CHECK (vendor <> ''),
        quoted_at timestamptz NOT NULL DEFAULT now() CONSTRAINT quote_quoted_at_finite CHECK (isfinite(quoted_at)),
        valid tstzrange NOT NULL DEFAULT tstzrange(NULL, NULL) CONSTRAINT quote_valid_not_empty CHECK (NOT isempty(valid)),
        provider text CONSTRAINT quote_provider_not_empty CHECK (provider <> ''),
        model text CONSTRAINT quote_model_not_empty CHECK (model <> ''),
        tokenizer_factor numeric NOT NULL DEFAULT 1 CONSTRAINT quote_tokenizer_factor_positive CHECK (tokenizer_factor > 0 AND tokenizer_factor < 'infinity'),
        tokenizer_factor_assumed boolean NOT NULL DEFAULT true,
        output_factor numeric NOT NULL DEFAULT 1 CONSTRAINT quote_output_factor_positive CHECK (output_factor > 0 AND output_factor < 'infinity'),
        output_factor_assumed boolean NOT NULL DEFAULT true,
        cache_hit_rate numeric CONSTRAINT quote_cache_hit_rate_share CHECK (cache_hit_rate BETWEEN 0 AND 1),
        cache_hit_rate_assumed boolean NOT NULL DEFAULT true,
        -- tokens
        book text CONSTRAINT quote_book_not_empty CHECK (book <> ''),
        service_tier text CONSTRAINT quote_service_tier_not_empty CHECK (service_tier <> ''),
        discount numeric CONSTRAINT quote_discount_share CHECK (discount >= 0 AND discount < 1),
        commitment numeric CONSTRAINT quote_commitment_not_negative CHECK (commitment >= 0 AND commitment < 'infinity'),
        commitment_discount numeric CONSTRAINT quote_commitment_discount_share CHECK (commitment_discount >= 0 AND commitment_discount < 1),
        minimum_spend numeric CONSTRAINT quote_minimum_spend_not_negative CHECK (minimum_spend >= 0 AND minimum_spend < 'infinity'),
        -- gpu_hour and provisioned
        currency text CONSTRAINT quote_currency_code CHECK (currency ~ '^[A-Z][A-Z0-9_]{2,7}$'),
        -- gpu_hour
        price_per_gpu_hour numeric CONSTRAINT quote_price_per_gpu_hour_not_negative CHECK (price_per_gpu_hour >= 0 AND price_per_gpu_hour < 'infinity'),
        gpus_min numeric CONSTRAINT quote_gpus_min_whole CHECK (gpus_min >= 1 AND gpus_min = trunc(gpus_min)),
        gpus_step numeric CONSTRAINT quote_gpus_step_whole CHECK (gpus_step >= 1 AND gpus_step = trunc(gpus_step)),
        gpus_max numeric CONSTRAINT quote_gpus_max_whole CHECK (gpus_max >= gpus_min AND gpus_max = trunc(gpus_max)),
        utilization_ceiling numeric CONSTRAINT quote_utilization_ceiling_share CHECK (utilization_ceiling > 0 AND utilization_ceiling <= 1),
        hours_per_month numeric CONSTRAINT quote_hours_per_month_at_most_730 CHECK (hours_per_month > 0 AND hours_per_month <= 730),
        -- provisioned
        units numeric CONSTRAINT quote_units_whole CHECK (units >= 1 AND units = trunc(units)),
        units_min numeric CONSTRAINT quote_units_min_whole CHECK (units_min >= 1 AND units_min = trunc(units_min)),
        units_increment numeric CONSTRAINT quote_units_increment_whole CHECK (units_increment >= 1 AND units_increment = trunc(units_increment)),
        price_per_unit_hour numeric CONSTRAINT quote_price_per_unit_hour_not_negative CHECK (price_per_unit_hour >= 0 AND price_per_unit_hour < 'infinity'),
        price_per_unit_month numeric CONSTRAINT quote_price_per_unit_month_not_negative CHECK (price_per_unit_month >= 0 AND price_per_unit_month < 'infinity'),
        tokens_per_minute_per_unit numeric CONSTRAINT quote_tokens_per_minute_per_unit_positive CHECK (tokens_per_minute_per_unit > 0 AND tokens_per_minute_per_unit < 'infinity'),
        cache_read_weight numeric CONSTRAINT quote_cache_read_weight_not_negative CHECK (cache_read_weight >= 0 AND cache_read_weight < 'infinity'),
        output_weight numeric CONSTRAINT quote_output_weight_not_negative CHECK (output_weight >= 0 AND output_weight < 'infinity'),
        spillover_book text CONSTRAINT quote_spillover_book_not_empty CHECK (spillover_book <> ''),
        spillover_service_tier text CONSTRAINT quote_spillover_service_tier_not_empty CHECK (spillover_service_tier <> ''),
        source text,
        CONSTRAINT quote_model_has_provider CHECK ((provider IS NULL) = (model IS NULL)),
        -- a quote has all that its kind needs, and nothing of another
        CONSTRAINT quote_tokens_needs_book CHECK (kind <> 'tokens' OR book IS NOT NULL),
        CONSTRAINT quote_tokens_needs_model CHECK (kind <> 'tokens' OR model IS NOT NULL),
        CONSTRAINT quote_tokens_commitment_discount_needs_commitment CHECK (commitment IS NOT NULL OR commitment_discount IS NULL),
        CONSTRAINT quote_gpu_hour_needs_price_per_gpu_hour CHECK (kind <> 'gpu_hour' OR price_per_gpu_hour IS NOT NULL),
        CONSTRAINT quote_gpu_hour_needs_currency CHECK (kind <> 'gpu_hour' OR currency IS NOT NULL),
        CONSTRAINT quote_gpu_hour_needs_gpus_min CHECK (kind <> 'gpu_hour' OR gpus_min IS NOT NULL),
        CONSTRAINT quote_gpu_hour_needs_gpus_step CHECK (kind <> 'gpu_hour' OR gpus_step IS NOT NULL),
        CONSTRAINT quote_gpu_hour_needs_utilization_ceiling CHECK (kind <> 'gpu_hour' OR utilization_ceiling IS NOT NULL),
        CONSTRAINT quote_provisioned_needs_one_price CHECK (kind <> 'provisioned' OR (price_per_unit_hour IS NULL) <> (price_per_unit_month IS NULL)),
        CONSTRAINT quote_provisioned_needs_currency CHECK (kind <> 'provisioned' OR currency IS NOT NULL),
        CONSTRAINT quote_provisioned_needs_tokens_per_minute_per_unit CHECK (kind <> 'provisioned' OR tokens_per_minute_per_unit IS NOT NULL),
        CONSTRAINT quote_provisioned_needs_cache_read_weight CHECK (kind <> 'provisioned' OR cache_read_weight IS NOT NULL),
        CONSTRAINT quote_provisioned_needs_output_weight CHECK (kind <> 'provisioned' OR output_weight IS NOT NULL),
        CONSTRAINT quote_provisioned_needs_units_min CHECK (kind <> 'provisioned' OR units_min IS NOT NULL),
        CONSTRAINT quote_provisioned_needs_units_increment CHECK (kind <> 'provisioned' OR units_increment IS NOT NULL),
        CONSTRAINT quote_provisioned_units_on_offer CHECK (units >= units_min AND mod(units - units_min, nullif(units_increment, 0)) = 0),
        CONSTRAINT quote_provisioned_spillover_needs_model CHECK (spillover_book IS NULL OR model IS NOT NULL),
        CONSTRAINT quote_provisioned_spillover_tier_needs_book CHECK (spillover_book IS NOT NULL OR spillover_service_tier IS NULL),
        CONSTRAINT quote_not_of_tokens CHECK (kind = 'tokens' OR num_nonnulls(book, service_tier, discount, commitment, commitment_discount, minimum_spend) = 0),
        CONSTRAINT quote_currency_is_of_the_book CHECK (kind <> 'tokens' OR currency IS NULL),
        CONSTRAINT quote_not_of_gpu_hour CHECK (kind = 'gpu_hour'
            OR num_nonnulls(price_per_gpu_hour, gpus_min, gpus_step, gpus_max, utilization_ceiling, hours_per_month) = 0),
        CONSTRAINT quote_not_of_provisioned CHECK (kind = 'provisioned'
            OR num_nonnulls(units, units_min, units_increment, price_per_unit_hour, price_per_unit_month, tokens_per_minute_per_unit,
                            cache_read_weight, output_weight, spillover_book, spillover_service_tier) = 0)
    );
    COMMENT ON TABLE quote IS 'tokenomics: offers for tokens, of three kinds: tokens by a price book, GPUs by the hour, provisioned throughput';
    COMMENT ON COLUMN quote.name IS 'name of the quote';
    COMMENT ON COLUMN quote.kind IS 'tokens, gpu_hour or provisioned: which of the columns below it has';
    COMMENT ON COLUMN quote.vendor IS 'who made it';
    COMMENT ON COLUMN quote.quoted_at IS 'when it was made; books and exchange rates are those of this time';
    COMMENT ON COLUMN quote.valid IS 'when it holds';
    COMMENT ON COLUMN quote.provider IS 'provider of the model in price books';
    COMMENT ON COLUMN quote.model IS 'the model; of gpu_hour and provisioned, for the pay-as-you-go price that they are compared with';
    COMMENT ON COLUMN quote.tokenizer_factor IS 'tokens that it counts for one of the workload';
    COMMENT ON COLUMN quote.tokenizer_factor_assumed IS 'whether that is assumed, not measured';
    COMMENT ON COLUMN quote.output_factor IS 'output tokens that its model makes for one of the workload: verbosity, thinking';
    COMMENT ON COLUMN quote.output_factor_assumed IS 'whether that is assumed, not measured';
    COMMENT ON COLUMN quote.cache_hit_rate IS 'which part of the input is read from its cache, 0 to 1; NULL: as in the workload';
    COMMENT ON COLUMN quote.cache_hit_rate_assumed IS 'whether that is assumed, not measured';
    COMMENT ON COLUMN quote.book IS 'tokens: the price book';
    COMMENT ON COLUMN quote.service_tier IS 'tokens: the service tier; NULL: standard';
    COMMENT ON COLUMN quote.discount IS 'tokens: discount on all prices of the book, a fraction';
    COMMENT ON COLUMN quote.commitment IS 'tokens: amount a month that is paid in any case, in the currency of the book';
    COMMENT ON COLUMN quote.commitment_discount IS 'tokens: discount on the usage that the commitment covers, a fraction; on top of discount';
    COMMENT ON COLUMN quote.minimum_spend IS 'tokens: the least amount a month';
    COMMENT ON COLUMN quote.currency IS 'gpu_hour, provisioned: currency of the prices';
    COMMENT ON COLUMN quote.price_per_gpu_hour IS 'gpu_hour: price of a GPU for an hour';
    COMMENT ON COLUMN quote.gpus_min IS 'gpu_hour: the least number of GPUs';
    COMMENT ON COLUMN quote.gpus_step IS 'gpu_hour: GPUs are added by this number, such as 8';
    COMMENT ON COLUMN quote.gpus_max IS 'gpu_hour: the most GPUs; NULL: any number';
    COMMENT ON COLUMN quote.utilization_ceiling IS 'gpu_hour: how much of the measured rates sizing counts on, 0 to 1; the achieved utilization is a result';
    COMMENT ON COLUMN quote.hours_per_month IS 'gpu_hour: hours paid of the 730 of a month; NULL: all';
    COMMENT ON COLUMN quote.units IS 'provisioned: units bought; NULL: as many as the workload needs';
    COMMENT ON COLUMN quote.units_min IS 'provisioned: the least number of units';
    COMMENT ON COLUMN quote.units_increment IS 'provisioned: units are added by this number';
    COMMENT ON COLUMN quote.price_per_unit_hour IS 'provisioned: price of a unit for an hour';
    COMMENT ON COLUMN quote.price_per_unit_month IS 'provisioned: or for a month of 730 hours';
    COMMENT ON COLUMN quote.tokens_per_minute_per_unit IS 'provisioned: normalised tokens that a unit serves in a minute: input counts 1';
    COMMENT ON COLUMN quote.cache_read_weight IS 'provisioned: normalised tokens of one read from the cache';
    COMMENT ON COLUMN quote.output_weight IS 'provisioned: normalised tokens of one of output';
    COMMENT ON COLUMN quote.spillover_book IS 'provisioned: book that prices what exceeds the units; NULL: it is not served';
    COMMENT ON COLUMN quote.spillover_service_tier IS 'provisioned: service tier of that; NULL: standard';
    COMMENT ON COLUMN quote.source IS 'where it is from';

    CREATE TABLE IF NOT EXISTS operating_point (
        quote text NOT NULL REFERENCES quote ON UPDATE CASCADE ON DELETE CASCADE,
        concurrency integer CONSTRAINT operating_point_concurrency_positive CHECK (concurrency > 0),
        interactivity numeric CONSTRAINT operating_point_interactivity_positive CHECK (interactivity > 0 AND interactivity < 'infinity'),
        ttft integer CONSTRAINT operating_point_ttft_not_negative CHECK (ttft >= 0),
        input_tokens_per_second numeric CONSTRAINT operating_point_input_rate_positive CHECK (input_tokens_per_second > 0 AND input_tokens_per_second < 'infinity'),
        output_tokens_per_second numeric CONSTRAINT operating_point_output_rate_positive CHECK (output_tokens_per_second > 0 AND output_tokens_per_second < 'infinity'),
        measured_together boolean NOT NULL DEFAULT true,
        input_length numeric CONSTRAINT operating_point_input_length_positive CHECK (input_length > 0 AND input_length < 'infinity'),
        output_length numeric CONSTRAINT operating_point_output_length_positive CHECK (output_length > 0 AND output_length < 'infinity'),
        source text,
        CONSTRAINT operating_point_apart_needs_both_rates
            CHECK (measured_together OR num_nonnulls(input_tokens_per_second, output_tokens_per_second) = 2),
        CONSTRAINT operating_point_once UNIQUE NULLS NOT DISTINCT (quote, interactivity, concurrency, ttft)
    );
    COMMENT ON TABLE operating_point IS 'tokenomics: at which speed for the user an offer serves, and how much it serves then';
    COMMENT ON COLUMN operating_point.quote IS 'the quote';
    COMMENT ON COLUMN operating_point.concurrency IS 'requests at a time';
    COMMENT ON COLUMN operating_point.interactivity IS 'output tokens per second that one user sees: 1000 / milliseconds per output token; NULL: not known, as in offline batches';
    COMMENT ON COLUMN operating_point.ttft IS 'milliseconds to the first token';
    COMMENT ON COLUMN operating_point.input_tokens_per_second IS 'input tokens per second and GPU, not cached; NULL: not the limit, or not known';
    COMMENT ON COLUMN operating_point.output_tokens_per_second IS 'output tokens per second and GPU; of tokens and provisioned NULL: only the speed is promised';
    COMMENT ON COLUMN operating_point.measured_together IS 'whether both rates were reached at the same time; else each takes a GPU of its own';
    COMMENT ON COLUMN operating_point.input_length IS 'input tokens of a call as it was measured';
    COMMENT ON COLUMN operating_point.output_length IS 'output tokens of a call as it was measured';
    COMMENT ON COLUMN operating_point.source IS 'where it is from';

    CREATE TABLE IF NOT EXISTS workload (
        name text PRIMARY KEY CONSTRAINT workload_name_not_empty CHECK (name <> ''),
        is_stated boolean NOT NULL,
        from_at timestamptz,
        to_at timestamptz,
        zone text NOT NULL,
        filter jsonb,
        calls bigint NOT NULL CONSTRAINT workload_calls_positive CHECK (calls > 0),
        calls_unreported bigint NOT NULL DEFAULT 0,
        turns bigint CONSTRAINT workload_turns_positive CHECK (turns > 0),
        sessions bigint CONSTRAINT workload_sessions_positive CHECK (sessions > 0),
        users bigint CONSTRAINT workload_users_positive CHECK (users > 0),
        span_minutes bigint NOT NULL CONSTRAINT workload_span_positive CHECK (span_minutes > 0),
        tokens tokenomics.tokens NOT NULL CONSTRAINT workload_tokens_positive CHECK (tokenomics.total(tokens) > 0),
        calls_in_buckets bigint NOT NULL DEFAULT 0,
        profile tokenomics.demand_profile,
        peak_to_average numeric NOT NULL CONSTRAINT workload_peak_not_below_average CHECK (peak_to_average >= 1 AND peak_to_average < 'infinity'),
        sizes tokenomics.ledger,
        size_edges bigint[],
        recorded_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT workload_measured_has_span CHECK (is_stated OR num_nonnulls(from_at, to_at, profile, sizes, size_edges) = 5)
    );
    COMMENT ON TABLE workload IS 'tokenomics: work by which quotes are judged, kept by name: measured by measure_workload(), or stated by state_workload()';
    COMMENT ON COLUMN workload.name IS 'name of the workload';
    COMMENT ON COLUMN workload.is_stated IS 'whether it is stated by hand: its shape is flat then, and its peak what somebody says';
    COMMENT ON COLUMN workload.from_at IS 'when its span begins';
    COMMENT ON COLUMN workload.to_at IS 'when its span ends, itself not included';
    COMMENT ON COLUMN workload.zone IS 'time zone of its days';
    COMMENT ON COLUMN workload.filter IS 'which calls it is of; NULL: all';
    COMMENT ON COLUMN workload.calls IS 'calls';
    COMMENT ON COLUMN workload.calls_unreported IS 'those of them whose tokens nobody reported; they are not in tokens';
    COMMENT ON COLUMN workload.turns IS 'turns; NULL where not all calls name theirs';
    COMMENT ON COLUMN workload.sessions IS 'sessions; NULL where not all calls name theirs';
    COMMENT ON COLUMN workload.users IS 'users; NULL where not all calls name theirs';
    COMMENT ON COLUMN workload.span_minutes IS 'minutes of the span, those without a call too';
    COMMENT ON COLUMN workload.tokens IS 'all its tokens, by meter';
    COMMENT ON COLUMN workload.calls_in_buckets IS 'those of them in rows of several calls, whose minutes are not known: they count as of the time of their row';
    COMMENT ON COLUMN workload.profile IS 'the tokens of each minute; NULL of a stated one';
    COMMENT ON COLUMN workload.peak_to_average IS 'of a stated one: the peak minute against the mean; of a measured one 1, its minutes say it';
    COMMENT ON COLUMN workload.sizes IS 'its calls by quarter of an hour and by size of their input, by which thresholds and off-peak hours are priced';
    COMMENT ON COLUMN workload.size_edges IS 'the sizes of input at which calls are told apart';
    COMMENT ON COLUMN workload.recorded_at IS 'when it was recorded';

    CREATE OR REPLACE FUNCTION measure_workload(
        name text,
        from_at timestamptz,
        to_at timestamptz,
        provider text DEFAULT NULL,
        model text DEFAULT NULL,
        service_tier text DEFAULT NULL,
        team text DEFAULT NULL,
        project text DEFAULT NULL,
        agent text DEFAULT NULL,
        user_id text DEFAULT NULL,
        tags jsonb DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS bigint
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        edges bigint[] := ARRAY(SELECT e FROM (SELECT unnest('{32000,128000,200000,256000,272000}'::bigint[]) AS e
                                               UNION SELECT p.above_input_tokens FROM price p WHERE p.above_input_tokens > 0) x ORDER BY e);
        -- prices only to tell sizes apart: each meter has a rate, so that no call is without one
        sizing tokenomics.price_book := (
            SELECT jsonb_build_object('books', jsonb_build_array(jsonb_build_object('book', 'size', 'prices', jsonb_agg(
                jsonb_build_object('provider', 'size', 'model', 'size', 'above_input_tokens', e,
                                   'rates', '{"currency": "XXX", "input": 0, "output": 0, "tool_calls": 0, "cache_storage": 0}'::jsonb)))))::text::tokenomics.price_book
            FROM unnest(0 || edges) e);
        in_zone text := coalesce(measure_workload.zone, (SELECT s.zone FROM setting s));
        called bigint;
    BEGIN
        IF measure_workload.from_at IS NULL OR measure_workload.to_at IS NULL
            OR NOT isfinite(measure_workload.from_at) OR NOT isfinite(measure_workload.to_at) OR measure_workload.from_at >= measure_workload.to_at THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('a workload needs a span with a start and an end, not from %s to %s',
                                 coalesce(measure_workload.from_at::text, 'NULL'), coalesce(measure_workload.to_at::text, 'NULL'));
        END IF;
        IF date_trunc('minute', measure_workload.from_at) <> measure_workload.from_at OR date_trunc('minute', measure_workload.to_at) <> measure_workload.to_at THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('the span from %s to %s is not of whole minutes', measure_workload.from_at, measure_workload.to_at),
                HINT = 'Capacity is judged minute by minute: a part of one would look like a quiet one.';
        END IF;
        IF measure_workload.to_at > now() THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('the span ends at %s, which is to come', measure_workload.to_at),
                HINT = 'What was not observed would look like idle time.';
        END IF;
        IF EXISTS (SELECT FROM workload w WHERE w.name = measure_workload.name) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'unique_violation',
                MESSAGE = format('there is a workload "%s" already', measure_workload.name),
                HINT = 'Quotes are judged by it, then and now: delete it, or take another name.';
        END IF;
        WITH call AS (
            SELECT u.* FROM usage u
            WHERE u.at >= measure_workload.from_at AND u.at < measure_workload.to_at
              AND (measure_workload.provider IS NULL OR u.provider = measure_workload.provider)
              AND (measure_workload.model IS NULL OR u.model = measure_workload.model)
              AND (measure_workload.service_tier IS NULL OR coalesce(u.service_tier, 'standard') = measure_workload.service_tier)
              AND (measure_workload.team IS NULL OR u.team = measure_workload.team)
              AND (measure_workload.project IS NULL OR u.project = measure_workload.project)
              AND (measure_workload.agent IS NULL OR u.agent = measure_workload.agent)
              AND (measure_workload.user_id IS NULL OR u.user_id = measure_workload.user_id)
              AND (measure_workload.tags IS NULL OR u.tags @> measure_workload.tags)
        )
        INSERT INTO workload (name, is_stated, from_at, to_at, zone, filter, calls, calls_unreported, turns, sessions, users, span_minutes,
                              tokens, calls_in_buckets, profile, peak_to_average, sizes, size_edges)
        SELECT measure_workload.name, false, measure_workload.from_at, measure_workload.to_at, in_zone,
               nullif(jsonb_strip_nulls(jsonb_build_object(
                   'provider', measure_workload.provider, 'model', measure_workload.model, 'service_tier', measure_workload.service_tier,
                   'team', measure_workload.team, 'project', measure_workload.project, 'agent', measure_workload.agent,
                   'user_id', measure_workload.user_id, 'tags', measure_workload.tags)), '{}'),
               sum(c.calls)::bigint, coalesce(sum(c.calls) FILTER (WHERE c.tokens IS NULL), 0)::bigint,
               CASE WHEN bool_and(c.turn_id IS NOT NULL) THEN count(DISTINCT c.turn_id) END,
               CASE WHEN bool_and(c.session_id IS NOT NULL) THEN count(DISTINCT c.session_id) END,
               CASE WHEN bool_and(c.user_id IS NOT NULL) THEN count(DISTINCT c.user_id) END,
               (extract(epoch FROM measure_workload.to_at - measure_workload.from_at) / 60)::bigint,
               tokenomics.sum(c.tokens),
               coalesce(sum(c.calls) FILTER (WHERE c.calls > 1), 0)::bigint,
               tokenomics.with_span(tokenomics.demand_profile(in_zone, c.at, c.tokens, c.calls), measure_workload.from_at, measure_workload.to_at),
               1,
               tokenomics.ledger(sizing, 'quarter_hour', 'UTC', c.at, 'size', 'size', NULL, c.tokens, NULL, c.calls),
               edges
        FROM call c
        HAVING count(*) > 0 AND tokenomics.total(tokenomics.sum(c.tokens)) > 0
        RETURNING calls INTO called;
        IF called IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'no_data_found',
                MESSAGE = format('there are no calls with tokens for workload "%s"', measure_workload.name),
                DETAIL = format('From %s to %s.', measure_workload.from_at, measure_workload.to_at);
        END IF;
        RETURN called;
    END
    $$;
    COMMENT ON FUNCTION measure_workload(text, timestamptz, timestamptz, text, text, text, text, text, text, text, jsonb, text) IS
        'keeps the calls of a span, or a slice of them (NULL: any), as a workload by name, and returns how many calls they are; a name that is taken is an error: quotes months apart are judged on the same work';

    CREATE OR REPLACE FUNCTION state_workload(
        name text,
        tokens tokenomics.tokens,
        calls bigint,
        days numeric,
        peak_to_average numeric,
        turns bigint DEFAULT NULL,
        sessions bigint DEFAULT NULL,
        users bigint DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS bigint
        LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        IF num_nulls(state_workload.name, state_workload.tokens, state_workload.calls, state_workload.days, state_workload.peak_to_average) > 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'null_value_not_allowed',
                MESSAGE = 'a stated workload needs a name, tokens, calls, days and peak_to_average';
        END IF;
        IF NOT (state_workload.days > 0 AND state_workload.days <= 36600) OR state_workload.days * 1440 <> trunc(state_workload.days * 1440) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('%s days are not a span of whole minutes', state_workload.days);
        END IF;
        INSERT INTO workload (name, is_stated, zone, calls, turns, sessions, users, span_minutes, tokens, peak_to_average)
        VALUES (state_workload.name, true, coalesce(state_workload.zone, (SELECT s.zone FROM setting s)), state_workload.calls,
                state_workload.turns, state_workload.sessions, state_workload.users, state_workload.days * 1440, state_workload.tokens,
                state_workload.peak_to_average);
        RETURN state_workload.calls;
    END
    $$;
    COMMENT ON FUNCTION state_workload(text, tokenomics.tokens, bigint, numeric, numeric, bigint, bigint, bigint, text) IS
        'keeps a workload that nobody measured: tokens and calls over so many days, flat but for a peak minute that is peak_to_average times the mean';

    CREATE OR REPLACE FUNCTION price_workload(
        workload text,
        book text,
        provider text,
        model text,
        at timestamptz,
        service_tier text DEFAULT NULL,
        tokenizer_factor numeric DEFAULT NULL,
        output_factor numeric DEFAULT NULL,
        cache_hit_rate numeric DEFAULT NULL,
        OUT cost numeric,
        OUT currency text,
        OUT rates tokenomics.rates,
        OUT is_exact boolean,
        OUT reason text
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        w workload;
        prices tokenomics.price_book;
        factor numeric := coalesce(price_workload.tokenizer_factor, 1);
        probe record;
    BEGIN
        SELECT * INTO STRICT w FROM workload x WHERE x.name = price_workload.workload;
        IF price_workload.book <> 'list' AND NOT EXISTS (SELECT FROM price p WHERE p.book = price_workload.book) THEN
            reason := format('there is no book "%s"', price_workload.book);
            RETURN;
        END IF;
        prices := book(price_workload.book);
        -- what prices a call of average size, and why none does
        SELECT e.book, e.provider, e.model, e.service_tier, e.reason INTO probe
        FROM tokenomics.explain_cost(prices, price_workload.provider, price_workload.model, price_workload.at,
                 tokenomics.average_call(tokenomics.adjust_tokens(w.tokens, factor, price_workload.output_factor, price_workload.cache_hit_rate), w.calls - w.calls_unreported),
                 coalesce(price_workload.service_tier, 'standard')) e
        WHERE e.priced_by = 'contracted'
        ORDER BY e.reason IS NULL LIMIT 1;
        IF probe.reason IS NOT NULL THEN
            reason := format('%s/%s has no price in book "%s": %s', price_workload.provider, price_workload.model, price_workload.book, probe.reason);
            RETURN;
        END IF;
        WITH row AS (
            SELECT p.* FROM price p
            WHERE p.book = probe.book AND p.provider = probe.provider AND p.model = probe.model AND p.service_tier = probe.service_tier
              AND upper_inf(p.recorded) AND p.valid @> price_workload.at
        ), line AS (
            -- the hours of the week matter where there are windows: each time as it is in the week that the price is of
            SELECT CASE WHEN EXISTS (SELECT FROM row WHERE NOT isempty(row.off_peak))
                        THEN l.period + ceil(extract(epoch FROM price_workload.at - l.period) / 604800) * interval '168 hours' ELSE price_workload.at END AS at,
                   l.above_input_tokens AS above, sum(l.calls)::bigint AS calls, tokenomics.sum(l.tokens) AS tokens
            FROM tokenomics.lines(w.sizes) l WHERE l.unpriced IS NULL GROUP BY 1, 2
            UNION ALL
            SELECT price_workload.at, NULL, w.calls, w.tokens WHERE w.sizes IS NULL
        ), adjusted AS (
            SELECT l.*, tokenomics.adjust_tokens(l.tokens, factor, price_workload.output_factor, price_workload.cache_hit_rate) AS counted
            FROM line l
        ), priced AS (
            SELECT a.counted, c.rates, c.reason, tokenomics.cost(c.rates, a.counted) AS cost,
                   -- no threshold lies between the sizes of the line, and each prices a call as a whole
                   NOT EXISTS (SELECT FROM row r WHERE r.above_input_tokens > 0
                               AND (w.sizes IS NULL OR r.tier_mode = 'graduated' OR r.tier_basis <> 'input_total'
                                    OR r.above_input_tokens > a.above * factor)
                               AND r.above_input_tokens < coalesce(factor * (SELECT min(e) FROM unnest(w.size_edges) e WHERE e > a.above), 'infinity')) AS is_exact
            FROM adjusted a, LATERAL (
                SELECT (jsonb_build_object('currency', min(e.currency)) || jsonb_object_agg(e.meter, e.rate) FILTER (WHERE e.rate IS NOT NULL))::tokenomics.rates AS rates,
                       min(e.reason) AS reason
                FROM tokenomics.explain_cost(prices, price_workload.provider, price_workload.model, a.at, tokenomics.average_call(a.counted, a.calls),
                                             coalesce(price_workload.service_tier, 'standard')) e
                WHERE e.priced_by = 'contracted') c
        ), meter AS (
            SELECT m.meter, sum(tokenomics.meter(p.counted, m.meter)) AS tokens,
                   sum(tokenomics.meter(p.counted, m.meter) * tokenomics.rate(p.rates, m.meter)) AS weighted,
                   min(tokenomics.rate(p.rates, m.meter)) AS lowest, max(tokenomics.rate(p.rates, m.meter)) AS highest
            FROM priced p, tokenomics.meters() m WHERE tokenomics.meter(p.counted, m.meter) > 0 GROUP BY 1
        )
        SELECT CASE WHEN count(*) = count(p.cost) THEN sum(p.cost) END, min(tokenomics.currency(p.rates)), bool_and(p.is_exact), min(p.reason),
               (SELECT jsonb_build_object('currency', min(tokenomics.currency(p.rates)))
                    || jsonb_object_agg(m.meter, CASE WHEN m.lowest = m.highest THEN m.lowest ELSE round(m.weighted / m.tokens, 9) END) FROM meter m)::tokenomics.rates
        INTO cost, currency, is_exact, reason, rates
        FROM priced p;
        IF cost IS NULL THEN
            reason := format('%s/%s has no price in book "%s": %s', price_workload.provider, price_workload.model, price_workload.book, coalesce(reason, 'a meter has no rate'));
        END IF;
    END
    $$;
    COMMENT ON FUNCTION price_workload(text, text, text, text, timestamptz, text, numeric, numeric, numeric) IS
        'what a workload costs by a book at the prices of a time, as if all of it were calls of one model; rates: what a million of each meter costs in it on average; is_exact is false where calls cannot be told apart as finely as the price does (thresholds of a stated workload, graduated or uncached ones, or one that tokenizer_factor moves); reason: why it has no cost';

    CREATE OR REPLACE FUNCTION check_workload(workload text) RETURNS void
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM workload w WHERE w.name = check_workload.workload) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_object',
                MESSAGE = format('there is no workload "%s"', check_workload.workload),
                HINT = 'The workloads are: ' || coalesce((SELECT string_agg(format('"%s"', x.name), ', ' ORDER BY x.name) FROM workload x), 'none') || '.';
        END IF;
    END
    $$;
    COMMENT ON FUNCTION check_workload(text) IS 'part of evaluate_quote() and compare_quotes(): an error where there is no such workload';

    -- The one place where a quote meets a workload: compare_quotes() shows the
    -- result, explain_quote() the steps, and break-even asks for the curve.
    CREATE OR REPLACE FUNCTION evaluate_quote(
        workload text,
        quote text,
        interactivity numeric DEFAULT NULL,
        ttft integer DEFAULT NULL,
        percentile numeric DEFAULT 1,
        baseline text DEFAULT NULL,
        OUT result tokenomics.quoted_cost,
        OUT steps tokenomics.quote_step[],
        OUT curve tokenomics.cost_curve
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        month constant numeric := 730;      -- hours
        q quote;
        w workload;
        total numeric;                      -- tokens of the workload
        hours numeric;                      -- of the span
        paid_hours numeric;                 -- of one unit in the span
        price record;
        usage numeric;
        point record;
        points bigint;
        per_gpu boolean;
        input_weight numeric;
        cache_weight numeric;
        output_weight numeric;
        read numeric;
        minutes tokenomics.tokens[];
        minutes_each bigint;
        larger boolean := false;
        capacity numeric;                   -- load that a unit serves in a minute
        ceiling numeric := 1;
        unit_price numeric;                 -- of a unit for an hour
        need numeric;
        load tokenomics.served_load;
        counted tokenomics.tokens;
        ratio numeric;
        spent numeric;                      -- over the span
        served numeric;                     -- tokens
        other record;
        other_curve tokenomics.cost_curve;
        other_cost numeric;
        other_currency text;
        fx numeric;
        cross_at record;
        day date;
        notes text[] := '{}';
        said tokenomics.quote_step[] := '{}';
    BEGIN
        SELECT * INTO q FROM quote x WHERE x.name = evaluate_quote.quote;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_object',
                MESSAGE = format('there is no quote "%s"', evaluate_quote.quote),
                HINT = 'The quotes are: ' || coalesce((SELECT string_agg(format('"%s"', x.name), ', ' ORDER BY x.name) FROM quote x), 'none') || '.';
        END IF;
        PERFORM check_workload(evaluate_quote.workload);
        SELECT * INTO w FROM workload x WHERE x.name = evaluate_quote.workload;
        IF evaluate_quote.interactivity <= 0 OR evaluate_quote.interactivity >= 'infinity' OR evaluate_quote.ttft < 0 OR evaluate_quote.percentile IS NULL
            OR NOT (evaluate_quote.percentile > 0 AND evaluate_quote.percentile <= 1) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('a quote cannot be judged at interactivity %s, ttft %s and percentile %s', coalesce(evaluate_quote.interactivity::text, 'NULL'),
                                 coalesce(evaluate_quote.ttft::text, 'NULL'), coalesce(evaluate_quote.percentile::text, 'NULL')),
                HINT = 'Interactivity is tokens per second and user, above 0; ttft milliseconds; percentile the share of minutes to be covered, above 0 and at most 1.';
        END IF;
        total := tokenomics.total(w.tokens);
        hours := w.span_minutes / 60.0::numeric(40, 30);
        day := (q.quoted_at AT TIME ZONE w.zone)::date;
        result.workload := w.name;
        result.quote := q.name;
        result.vendor := q.vendor;
        result.kind := q.kind;
        result.currency := q.currency;
        result.serves := true;
        result.reporting_currency := (SELECT s.currency FROM setting s);
        counted := tokenomics.adjust_tokens(w.tokens, q.tokenizer_factor, q.output_factor, q.cache_hit_rate);

        IF w.is_stated THEN
            notes := array_append(notes, 'the workload is stated: its shape is flat, so that shortfall and spillover are those of a flat shape');
        END IF;
        IF w.calls_in_buckets > 0 THEN
            notes := array_append(notes, format('%s of %s calls are in rows of several, whose minutes are not known', w.calls_in_buckets, w.calls));
        END IF;
        IF w.calls_unreported > 0 THEN
            notes := array_append(notes, format('%s of %s calls report no tokens', w.calls_unreported, w.calls));
        END IF;
        IF q.tokenizer_factor_assumed THEN
            notes := array_append(notes, format('tokenizer_factor %s is assumed', trim_scale(q.tokenizer_factor)));
        END IF;
        IF q.output_factor_assumed THEN
            notes := array_append(notes, format('output_factor %s is assumed', trim_scale(q.output_factor)));
        END IF;
        IF q.cache_hit_rate_assumed THEN
            notes := array_append(notes, CASE WHEN q.cache_hit_rate IS NULL THEN 'the cache hit rate of the workload is assumed'
                                              ELSE format('cache_hit_rate %s is assumed', trim_scale(q.cache_hit_rate)) END);
        END IF;
        IF NOT q.valid @> now() THEN
            notes := array_append(notes, format('the quote is not valid now: %s', q.valid));
        END IF;
        said := said || ROW(NULL, 'tokens of the workload', total, 'tokens', format('%s calls in %s hours', w.calls, trim_scale(round(hours, 4))))::tokenomics.quote_step
            || ROW(NULL, 'tokens as the quote counts them', tokenomics.total(counted), 'tokens',
                   format('tokenizer_factor %s, output_factor %s, cache_hit_rate %s: %s', trim_scale(q.tokenizer_factor), trim_scale(q.output_factor),
                          coalesce(trim_scale(q.cache_hit_rate)::text, 'of the workload'), counted))::tokenomics.quote_step;

        -- the operating point
        SELECT count(*), bool_and(o.measured_together) AS together, bool_or(o.measured_together) AS any_together,
               count(*) FILTER (WHERE o.output_tokens_per_second IS NULL) AS without_rate,
               count(*) FILTER (WHERE o.input_tokens_per_second IS NULL) AS without_input,
               max(o.interactivity) FILTER (WHERE o.ttft <= evaluate_quote.ttft OR evaluate_quote.ttft IS NULL) AS fastest,
               bool_or(coalesce(o.ttft <= evaluate_quote.ttft, evaluate_quote.ttft IS NULL)
                       AND coalesce(o.interactivity >= evaluate_quote.interactivity, evaluate_quote.interactivity IS NULL)) AS serves,
               bool_or(coalesce(o.ttft <= evaluate_quote.ttft, true) AND coalesce(o.interactivity >= evaluate_quote.interactivity, true)) AS might
        INTO point FROM operating_point o WHERE o.quote = q.name;
        points := point.count;
        IF points = 0 AND q.kind <> 'gpu_hour' THEN
            IF num_nonnulls(evaluate_quote.interactivity, evaluate_quote.ttft) > 0 THEN
                result.serves := NULL;
                result.reason := 'the quote has no operating points: nobody knows how fast it is';
            END IF;
        ELSIF points = 0 THEN
            result.serves := NULL;
            result.reason := 'the quote has no operating points: nobody knows how many GPUs it takes';
        ELSIF NOT point.serves AND point.might THEN
            result.serves := NULL;
            result.reason := 'the operating points do not say whether they are as fast as asked';
        ELSIF NOT point.serves THEN
            result.serves := false;
            result.reason := CASE WHEN point.fastest IS NULL OR evaluate_quote.interactivity IS NULL
                                  THEN format('no operating point has a first token within %s ms', evaluate_quote.ttft)
                                  ELSE format('interactivity of %s tokens per second and user is asked, %s is the most it reaches', trim_scale(evaluate_quote.interactivity), trim_scale(point.fastest))
                                       || CASE WHEN evaluate_quote.ttft IS NULL THEN '' ELSE format(' with a first token within %s ms', evaluate_quote.ttft) END END;
        ELSIF q.kind = 'gpu_hour' AND point.without_rate > 0 THEN
            result.serves := NULL;
            result.reason := 'an operating point has no output rate: nobody knows how many GPUs it takes';
        ELSIF q.kind = 'gpu_hour' AND point.together <> point.any_together THEN
            result.serves := NULL;
            result.reason := 'some operating points are measured together and some apart: make two quotes of them';
        END IF;

        IF q.kind = 'tokens' THEN
            SELECT * INTO price FROM price_workload(w.name, q.book, q.provider, q.model, q.quoted_at, q.service_tier, q.tokenizer_factor, q.output_factor, q.cache_hit_rate);
            result.currency := price.currency;
            IF price.cost IS NULL THEN
                result.serves := nullif(result.serves, true);
                result.reason := coalesce(result.reason || '; ', '') || price.reason;
            ELSE
                IF NOT price.is_exact THEN
                    notes := array_append(notes, 'the price has thresholds that the workload does not tell its calls apart by: the cost is approximate');
                END IF;
                usage := price.cost * (1 - coalesce(q.discount, 0));
                curve := tokenomics.committed_curve(usage, q.commitment * hours / month, q.commitment_discount, q.minimum_spend * hours / month);
                spent := tokenomics.curve_cost(curve, 1);
                said := said || ROW(NULL, 'cost by the book', price.cost, price.currency, format('book "%s", %s/%s, at %s', q.book, q.provider, q.model, price.rates))::tokenomics.quote_step
                    || ROW(NULL, 'usage', usage, price.currency, format('less a discount of %s', coalesce(q.discount, 0)))::tokenomics.quote_step
                    || ROW(NULL, 'cost over the span', spent, price.currency,
                           format('commitment %s a month, discount on it %s, minimum %s a month', coalesce(q.commitment, 0), coalesce(q.commitment_discount, 0), coalesce(q.minimum_spend, 0)))::tokenomics.quote_step;
            END IF;
            IF result.serves THEN
                result.interactivity := evaluate_quote.interactivity;
            END IF;
        ELSE
            per_gpu := q.kind = 'gpu_hour';
            IF per_gpu AND result.serves THEN
                IF evaluate_quote.interactivity IS NULL THEN
                    SELECT o.interactivity, o.output_tokens_per_second AS output, o.input_tokens_per_second AS input INTO price
                    FROM operating_point o WHERE o.quote = q.name AND (o.ttft <= evaluate_quote.ttft OR evaluate_quote.ttft IS NULL)
                    ORDER BY o.output_tokens_per_second DESC, o.input_tokens_per_second DESC NULLS LAST, o.interactivity DESC NULLS LAST LIMIT 1;
                ELSE
                    SELECT p.interactivity_reached AS interactivity, p.output_rate_reached AS output, p.input_rate_reached AS input INTO price
                    FROM (SELECT array_agg(o.interactivity ORDER BY o.interactivity) AS x, array_agg(o.output_tokens_per_second ORDER BY o.interactivity) AS y,
                                 CASE WHEN bool_and(o.input_tokens_per_second IS NOT NULL) THEN array_agg(o.input_tokens_per_second ORDER BY o.interactivity) END AS z
                          FROM operating_point o
                          WHERE o.quote = q.name AND o.interactivity IS NOT NULL AND (o.ttft <= evaluate_quote.ttft OR evaluate_quote.ttft IS NULL)) a,
                         tokenomics.operating_point_at(a.x, a.y, a.z, evaluate_quote.interactivity) p;
                END IF;
                result.interactivity := price.interactivity;
                larger := point.together;
                -- loads are GPU-seconds times both rates, so that nothing is divided
                input_weight := CASE WHEN price.input IS NULL THEN 0 ELSE price.output END;
                output_weight := coalesce(price.input, 1);
                cache_weight := 0;
                capacity := coalesce(price.input, 1) * price.output * 60;
                ceiling := q.utilization_ceiling;
                unit_price := q.price_per_gpu_hour;
                paid_hours := hours * coalesce(q.hours_per_month, month) / month;
                IF price.input IS NULL THEN
                    notes := array_append(notes, 'the operating points say no input rate: input is not taken for the limit');
                END IF;
                said := said || ROW(NULL, 'output rate of the operating point', price.output, 'tokens/s/GPU',
                                    format('at interactivity %s', coalesce(trim_scale(price.interactivity)::text, 'unknown')))::tokenomics.quote_step
                    || ROW(NULL, 'input rate of the operating point', price.input, 'tokens/s/GPU',
                           CASE WHEN larger THEN 'measured together: the larger load counts' ELSE 'measured apart: the loads add up' END)::tokenomics.quote_step;
                -- the ratio of input to output at which it was measured
                IF larger THEN
                    SELECT coalesce(price.input / price.output, avg(o.input_length) / avg(o.output_length)) INTO ratio FROM operating_point o WHERE o.quote = q.name;
                    read := (tokenomics.input_total(counted) - coalesce(tokenomics.meter(counted, 'cache_read'), 0)) / nullif(tokenomics.output_total(counted), 0)::numeric;
                    IF ratio IS NULL OR read IS NULL THEN
                        notes := array_append(notes, 'it is not known at which ratio of input to output the operating points were measured');
                    ELSIF abs(read / ratio - 1) > 0.25 THEN
                        notes := array_append(notes, format('the workload has %s uncached input tokens for one of output, the operating point %s', round(read, 2), round(ratio, 2)));
                    END IF;
                END IF;
            ELSIF NOT per_gpu THEN
                input_weight := 1;
                cache_weight := q.cache_read_weight;
                output_weight := q.output_weight;
                capacity := q.tokens_per_minute_per_unit;
                unit_price := coalesce(q.price_per_unit_hour, q.price_per_unit_month / 730.0::numeric(40, 30));
                paid_hours := hours;
                IF result.serves THEN
                    result.interactivity := evaluate_quote.interactivity;
                END IF;
            END IF;

            IF capacity IS NOT NULL THEN
                -- a stated workload is one flat stretch
                minutes := CASE WHEN w.profile IS NULL THEN ARRAY[w.tokens] ELSE ARRAY(SELECT m.tokens FROM tokenomics.minutes(w.profile) m) END;
                minutes_each := CASE WHEN w.profile IS NULL THEN w.span_minutes ELSE 1 END;
                -- factors are in the weights: the tokens stay those of the workload
                IF q.cache_hit_rate IS NOT NULL THEN
                    input_weight := input_weight * (1 - q.cache_hit_rate) + cache_weight * q.cache_hit_rate;
                    cache_weight := input_weight;
                END IF;
                input_weight := input_weight * q.tokenizer_factor;
                cache_weight := cache_weight * q.tokenizer_factor;
                output_weight := output_weight * q.tokenizer_factor * q.output_factor;
                -- what a quotient leaves in its last digits must not cost a unit
                need := round(tokenomics.capacity_need(minutes, minutes_each, w.span_minutes, input_weight, cache_weight, output_weight, larger, evaluate_quote.percentile)
                              * w.peak_to_average / (capacity * ceiling)::numeric(80, 30), 15);
                result.units_needed := trim_scale(round(need, 9));
                result.units := CASE WHEN per_gpu THEN tokenomics.step_units(need, q.gpus_min, q.gpus_step, q.gpus_max)
                                     ELSE coalesce(q.units, tokenomics.step_units(need, q.units_min, q.units_increment)) END;
                load := tokenomics.serve_minutes(minutes, minutes_each, w.span_minutes, input_weight, cache_weight, output_weight, larger, result.units * capacity * ceiling);
                spent := CASE WHEN q.price_per_unit_month IS NULL THEN result.units * unit_price * paid_hours ELSE result.units * q.price_per_unit_month * hours / month END;
                said := said || ROW(NULL, CASE WHEN per_gpu THEN 'GPUs needed' ELSE 'units needed' END, result.units_needed, CASE WHEN per_gpu THEN 'GPUs' ELSE 'units' END,
                                    format('%s of minutes covered%s', trim_scale(evaluate_quote.percentile),
                                           CASE WHEN per_gpu THEN format(', utilization at most %s', trim_scale(ceiling))
                                                ELSE format(', %s normalised tokens a minute and unit', trim_scale(capacity)) END))::tokenomics.quote_step
                    || ROW(NULL, CASE WHEN per_gpu THEN 'GPUs paid' ELSE 'units paid' END, result.units, CASE WHEN per_gpu THEN 'GPUs' ELSE 'units' END,
                           CASE WHEN q.units IS NOT NULL THEN 'as quoted'
                                ELSE format('at least %s, by %s', coalesce(q.gpus_min, q.units_min), coalesce(q.gpus_step, q.units_increment)) END)::tokenomics.quote_step
                    || ROW(NULL, 'capacity', trim_scale(result.units * capacity * ceiling), CASE WHEN per_gpu THEN 'load/min' ELSE 'normalised tokens/min' END, NULL)::tokenomics.quote_step
                    || ROW(NULL, CASE WHEN per_gpu THEN 'cost of GPUs over the span' ELSE 'cost of units over the span' END, trim_scale(round(spent, 12)), q.currency,
                           format('%s x %s x %s hours', result.units, trim_scale(round(unit_price, 12)), trim_scale(round(paid_hours, 4))))::tokenomics.quote_step;
                result.achieved_utilization := trim_scale(round(load.served::numeric(100, 30) / (result.units * capacity * paid_hours * 60), 12));
                result.idle_share := 1 - result.achieved_utilization;
                IF per_gpu AND q.hours_per_month IS NOT NULL AND paid_hours * 60 < load.active_minutes THEN
                    notes := array_append(notes, format('%s hours are paid, and there is work in %s', trim_scale(round(paid_hours, 4)), trim_scale(round(load.active_minutes / 60.0, 4))));
                END IF;
                result.shortfall_tokens := 0;
                result.shortfall_hours := 0;
                IF q.spillover_book IS NOT NULL THEN
                    SELECT * INTO price FROM price_workload(w.name, q.spillover_book, q.provider, q.model, q.quoted_at, q.spillover_service_tier, q.tokenizer_factor, q.output_factor, q.cache_hit_rate);
                    result.spillover_tokens := tokenomics.total(load.excess_tokens);
                    result.spillover_hours := trim_scale(round(load.excess_minutes / 60.0, 6));
                    IF price.cost IS NOT NULL AND price.currency <> q.currency THEN
                        price.reason := format('spillover is priced in %s, the units in %s', price.currency, q.currency);
                    END IF;
                    IF price.reason IS NULL THEN
                        result.spillover_cost := tokenomics.cost(price.rates, tokenomics.adjust_tokens(load.excess_tokens, q.tokenizer_factor, q.output_factor, q.cache_hit_rate));
                        IF NOT price.is_exact THEN
                            notes := array_append(notes, 'the spillover book has thresholds that the workload does not tell its calls apart by: their cost is approximate');
                        END IF;
                        curve := tokenomics.spillover_curve(minutes, minutes_each, w.span_minutes, input_weight, cache_weight, output_weight, larger, result.units * capacity * ceiling,
                                                            spent, price.rates, q.tokenizer_factor, q.output_factor, q.cache_hit_rate);
                        spent := spent + result.spillover_cost;
                    ELSIF result.spillover_tokens > 0 THEN
                        spent := NULL;
                        result.serves := nullif(result.serves, true);
                        result.reason := coalesce(result.reason || '; ', '') || price.reason;
                    END IF;
                    said := said || ROW(NULL, 'spillover', result.spillover_cost, price.currency,
                                        format('%s tokens in %s hours, by book "%s"', result.spillover_tokens, result.spillover_hours, q.spillover_book))::tokenomics.quote_step;
                ELSE
                    result.shortfall_tokens := tokenomics.total(load.excess_tokens);
                    result.shortfall_hours := trim_scale(round(load.excess_minutes / 60.0, 6));
                    curve := CASE WHEN q.units IS NULL THEN
                                      tokenomics.step_curve(spent / result.units, need, coalesce(q.gpus_min, q.units_min), coalesce(q.gpus_step, q.units_increment), q.gpus_max)
                                  ELSE ROW(ARRAY[0], ARRAY[spent], ARRAY[0], q.units / nullif(need, 0))::tokenomics.cost_curve END;
                    IF need > result.units THEN
                        result.serves := false;
                        result.reason := coalesce(result.reason || '; ', '') || format('%s %s are needed, %s is the most it has', result.units_needed, CASE WHEN per_gpu THEN 'GPUs' ELSE 'units' END, result.units);
                    END IF;
                    said := said || ROW(NULL, 'shortfall', result.shortfall_tokens, 'tokens', format('in %s hours', result.shortfall_hours))::tokenomics.quote_step;
                END IF;
                said := said || ROW(NULL, 'achieved utilization', result.achieved_utilization, NULL, format('of %s paid hours at the full rate', trim_scale(round(result.units * paid_hours, 4))))::tokenomics.quote_step;
            END IF;
        END IF;

        IF spent IS NOT NULL THEN
            -- by what is served
            spent := trim_scale(spent);
            served := total - coalesce(result.shortfall_tokens, 0);
            counted := CASE WHEN result.shortfall_tokens > 0 THEN load.served_tokens ELSE w.tokens END;
            result.cost_per_mtok := tokenomics.cost_per_mtok(spent, served);
            result.cost_per_mtok_input := tokenomics.cost_per_mtok(spent, tokenomics.input_total(counted));
            result.cost_per_mtok_output := tokenomics.cost_per_mtok(spent, tokenomics.output_total(counted));
            result.cost_per_mtok_visible_output := tokenomics.cost_per_mtok(spent, tokenomics.output_total(counted) - coalesce(tokenomics.meter(counted, 'reasoning'), 0));
            result.monthly_bill := trim_scale(round(spent::numeric(100, 30) * month / hours, 12));
            result.cost_per_call := trim_scale(round(spent::numeric(100, 30) / (w.calls - w.calls_unreported), 12));
            result.cost_per_turn := trim_scale(round(spent::numeric(100, 30) / w.turns, 12));
            result.cost_per_session := trim_scale(round(spent::numeric(100, 30) / w.sessions, 12));
            result.cost_per_mtok_converted := convert_currency(result.cost_per_mtok, result.currency, result.reporting_currency, day);
            result.monthly_bill_converted := convert_currency(result.monthly_bill, result.currency, result.reporting_currency, day);
            IF result.cost_per_mtok_converted IS NULL AND result.cost_per_mtok IS NOT NULL THEN
                notes := array_append(notes, format('there is no exchange rate from %s to %s on %s', result.currency, result.reporting_currency, day));
            END IF;
            said := said || ROW(NULL, 'cost per million tokens', result.cost_per_mtok, result.currency, format('%s over %s tokens', trim_scale(round(spent, 12)), served))::tokenomics.quote_step
                || ROW(NULL, 'cost per million output tokens', result.cost_per_mtok_output, result.currency, 'the whole bill; not to be added to that of input')::tokenomics.quote_step
                || ROW(NULL, 'monthly bill', result.monthly_bill, result.currency, 'of 730 hours')::tokenomics.quote_step;

            -- break-even
            IF evaluate_quote.baseline IS NOT NULL THEN
                IF evaluate_quote.baseline <> q.name THEN
                    SELECT e.result AS row, e.curve INTO other FROM evaluate_quote(w.name, evaluate_quote.baseline, evaluate_quote.interactivity, evaluate_quote.ttft, evaluate_quote.percentile, evaluate_quote.baseline) e;
                    result.baseline := evaluate_quote.baseline;
                    other_curve := other.curve;
                    other_currency := (other.row).currency;
                    other_cost := tokenomics.curve_cost(other.curve, 1);
                END IF;
            ELSIF q.model IS NOT NULL THEN
                SELECT * INTO price FROM price_workload(w.name, (SELECT s.book FROM setting s), q.provider, q.model, q.quoted_at, NULL, q.tokenizer_factor, q.output_factor, q.cache_hit_rate);
                result.baseline := format('%s/%s pay-as-you-go', q.provider, q.model);
                IF price.cost IS NOT NULL THEN
                    other_cost := price.cost;
                    other_currency := price.currency;
                    other_curve := tokenomics.committed_curve(price.cost);
                ELSE
                    notes := array_append(notes, format('no break-even: %s', price.reason));
                END IF;
            END IF;
            IF other_cost IS NULL AND evaluate_quote.baseline <> q.name THEN
                notes := array_append(notes, format('no break-even: quote "%s" has no cost: %s', evaluate_quote.baseline, (other.row).reason));
            END IF;
            IF other_cost IS NOT NULL THEN
                fx := convert_currency(1, other_currency, result.currency, day);
                IF fx IS NULL THEN
                    notes := array_append(notes, format('no break-even: there is no exchange rate from %s to %s on %s', other_currency, result.currency, day));
                ELSE
                    other_cost := other_cost * fx;
                    other_curve.fixed := ARRAY(SELECT f * fx FROM unnest(other_curve.fixed) WITH ORDINALITY u(f, n) ORDER BY n);
                    other_curve.slope := ARRAY(SELECT f * fx FROM unnest(other_curve.slope) WITH ORDINALITY u(f, n) ORDER BY n);
                    IF capacity IS NOT NULL AND load.demand > 0 AND other_cost > 0 THEN
                        result.break_even_utilization := trim_scale(round((unit_price * load.demand)::numeric(100, 30) / (capacity * 60 * other_cost), 12));
                        said := said || ROW(NULL, 'break-even utilization', result.break_even_utilization, NULL,
                                            format('%s an hour and unit, against %s for the same tokens by %s', trim_scale(round(unit_price, 12)), trim_scale(other_cost), result.baseline))::tokenomics.quote_step;
                    END IF;
                    result.break_even_volumes := '{}';
                    FOR cross_at IN SELECT * FROM tokenomics.crossings(curve, other_curve) LOOP
                        result.break_even_volumes := array_append(result.break_even_volumes, round(cross_at.scale * total * month / hours, 0));
                        said := said || ROW(NULL, 'break-even volume', round(cross_at.scale * total * month / hours, 0), 'tokens/month',
                                            format('%s times the workload: %s above%s', trim_scale(round(cross_at.scale, 12)), CASE WHEN cross_at.is_cheaper_above THEN 'cheaper' ELSE 'dearer' END,
                                                   CASE WHEN cross_at.is_equal THEN '' ELSE ', by a step' END))::tokenomics.quote_step;
                    END LOOP;
                    IF cardinality(curve.from_scale) >= 1000 AND cross_at.scale > curve.until * 0.9 THEN
                        notes := array_append(notes, format('break-even volumes are sought up to %s tokens a month', round(curve.until * total * month / hours, 0)));
                    END IF;
                END IF;
            END IF;
        END IF;
        result.notes := notes;
        IF result.reason IS NOT NULL THEN
            said := said || ROW(NULL, CASE WHEN result.serves THEN 'remark' ELSE 'cannot serve' END, NULL, NULL, result.reason)::tokenomics.quote_step;
        END IF;
        said := said || ARRAY(SELECT ROW(NULL, 'note', NULL, NULL, n)::tokenomics.quote_step FROM unnest(notes) n);
        steps := ARRAY(SELECT ROW(s.i, s.what, s.value, s.unit, s.how)::tokenomics.quote_step
                       FROM unnest(said) WITH ORDINALITY s(step, what, value, unit, how, i));
    END
    $$;
    COMMENT ON FUNCTION evaluate_quote(text, text, numeric, integer, numeric, text) IS
        'what a quote costs on a workload, the steps to it, and its cost as the workload is scaled: part of compare_quotes() and explain_quote()';

    CREATE OR REPLACE FUNCTION compare_quotes(
        workload text,
        quotes text[] DEFAULT NULL,
        interactivity numeric DEFAULT NULL,
        ttft integer DEFAULT NULL,
        percentile numeric DEFAULT 1,
        baseline text DEFAULT NULL
    ) RETURNS SETOF tokenomics.quoted_cost
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    DECLARE
        name text;
        one tokenomics.quoted_cost;
        rows tokenomics.quoted_cost[] := '{}';
    BEGIN
        PERFORM check_workload(compare_quotes.workload);
        FOR name IN SELECT DISTINCT n FROM unnest(coalesce(compare_quotes.quotes, ARRAY(SELECT q.name FROM quote q))) n LOOP
            BEGIN
                one := (SELECT e.result FROM evaluate_quote(compare_quotes.workload, name, compare_quotes.interactivity, compare_quotes.ttft, compare_quotes.percentile, compare_quotes.baseline) e);
            EXCEPTION
                -- absurd factors of one quote are no reason to show no other
                WHEN numeric_value_out_of_range THEN
                    one := NULL;
                    one.workload := compare_quotes.workload;
                    one.quote := name;
                    SELECT q.vendor, q.kind, s.currency INTO one.vendor, one.kind, one.reporting_currency FROM quote q, setting s WHERE q.name = one.quote;
                    one.reason := 'its figures are out of range: ' || SQLERRM;
                    one.notes := '{}';
            END;
            rows := array_append(rows, one);
        END LOOP;
        FOR one IN
            SELECT r.* FROM unnest(rows) r
            ORDER BY CASE WHEN r.serves THEN 1 WHEN r.serves IS NULL THEN 2 ELSE 3 END, r.cost_per_mtok_converted, r.quote
        LOOP
            one.rank := (SELECT 1 + count(*) FROM unnest(rows) r
                         WHERE (CASE WHEN r.serves THEN 1 WHEN r.serves IS NULL THEN 2 ELSE 3 END, coalesce(r.cost_per_mtok_converted, 'infinity'))
                             < (CASE WHEN one.serves THEN 1 WHEN one.serves IS NULL THEN 2 ELSE 3 END, coalesce(one.cost_per_mtok_converted, 'infinity')));
            RETURN NEXT one;
        END LOOP;
    END
    $$;
    COMMENT ON FUNCTION compare_quotes(text, text[], numeric, integer, numeric, text) IS
        'what quotes (NULL: all) cost on a workload, the best first: at an interactivity (tokens per second and user) and time to the first token (ms), covering a share of its minutes (percentile; 1: the peak), against a baseline: a quote, or NULL: the pay-as-you-go price of the same model';

    CREATE OR REPLACE FUNCTION explain_quote(
        quote text,
        workload text,
        interactivity numeric DEFAULT NULL,
        ttft integer DEFAULT NULL,
        percentile numeric DEFAULT 1,
        baseline text DEFAULT NULL
    ) RETURNS SETOF tokenomics.quote_step
        LANGUAGE sql STABLE SET search_path FROM CURRENT
    AS $$
        SELECT s.* FROM evaluate_quote(workload, quote, interactivity, ttft, percentile, baseline) e, unnest(e.steps) s ORDER BY s.step
    $$;
    COMMENT ON FUNCTION explain_quote(text, text, numeric, integer, numeric, text) IS 'how compare_quotes() comes to the cost of a quote on a workload, step by step';

    CREATE OR REPLACE FUNCTION quote_comparison_between(
        from_at timestamptz DEFAULT NULL,
        to_at timestamptz DEFAULT NULL,
        zone text DEFAULT NULL
    ) RETURNS TABLE (
        workload text,
        quote text,
        vendor text,
        kind text,
        rank bigint,
        serves boolean,
        reason text,
        notes text[],
        currency text,
        cost_per_mtok numeric,
        cost_per_mtok_input numeric,
        cost_per_mtok_output numeric,
        cost_per_mtok_visible_output numeric,
        monthly_bill numeric,
        cost_per_call numeric,
        cost_per_turn numeric,
        cost_per_session numeric,
        interactivity numeric,
        units_needed numeric,
        units numeric,
        shortfall_tokens bigint,
        shortfall_hours numeric,
        spillover_tokens bigint,
        spillover_hours numeric,
        spillover_cost numeric,
        achieved_utilization numeric,
        idle_share numeric,
        baseline text,
        break_even_volumes numeric[],
        break_even_utilization numeric,
        reporting_currency text,
        cost_per_mtok_converted numeric,
        monthly_bill_converted numeric
    )
        LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
        SELECT c.* FROM workload w,
             LATERAL compare_quotes(w.name, ARRAY(SELECT q.name FROM quote q WHERE q.quoted_at >= coalesce(quote_comparison_between.from_at, '-infinity') AND q.quoted_at < coalesce(quote_comparison_between.to_at, 'infinity'))) c
        WHERE quote_comparison_between.zone IS NULL OR w.zone = quote_comparison_between.zone
        ORDER BY w.name, c.rank, c.quote;
    END
    $$;
    COMMENT ON FUNCTION quote_comparison_between(timestamptz, timestamptz, text) IS
        'the rows of quote_comparison of quotes made from from_at up to, not including, to_at; NULL: no limit; of workloads of a zone; NULL: of any';
    CREATE OR REPLACE VIEW quote_comparison WITH (security_invoker = true) AS SELECT * FROM quote_comparison_between();
    COMMENT ON VIEW quote_comparison IS 'tokenomics: every quote on every workload, the best first, at its cheapest operating point and covering the peak minute';
    FOR col IN SELECT a.attname, col_description(a.attrelid, a.attnum) AS description
               FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid WHERE t.oid = 'tokenomics.quoted_cost'::regtype AND a.attnum > 0 LOOP
        EXECUTE format('COMMENT ON COLUMN quote_comparison.%I IS %L', col.attname, col.description);
    END LOOP;
END
$install$;
COMMENT ON PROCEDURE install_quote() IS 'part of install(): quotes and workloads, and the functions and the view that compare them, in the first schema of search_path';

CREATE PROCEDURE uninstall_quote() LANGUAGE plpgsql
AS $uninstall$
BEGIN
    DROP VIEW IF EXISTS quote_comparison;
    DROP FUNCTION IF EXISTS
        quote_comparison_between(timestamptz, timestamptz, text),
        explain_quote(text, text, numeric, integer, numeric, text),
        compare_quotes(text, text[], numeric, integer, numeric, text),
        evaluate_quote(text, text, numeric, integer, numeric, text),
        check_workload(text),
        price_workload(text, text, text, text, timestamptz, text, numeric, numeric, numeric),
        state_workload(text, tokenomics.tokens, bigint, numeric, numeric, bigint, bigint, bigint, text),
        measure_workload(text, timestamptz, timestamptz, text, text, text, text, text, text, text, jsonb, text);
    DROP TABLE IF EXISTS workload, operating_point, quote;
END
$uninstall$;
COMMENT ON PROCEDURE uninstall_quote() IS 'part of uninstall(): drops what install_quote() made';
