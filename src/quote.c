/*-------------------------------------------------------------------------
 *
 * quote.c
 *	  What an offer costs on a workload: tokens by the million, GPUs by the
 *	  hour, and provisioned throughput.
 *
 * A workload is tokens by meter for each minute of a span.  Capacity that is
 * paid for by the hour is measured in load: what weights make of the tokens
 * of a minute.  An offer's cost over the span, as the workload grows or shrinks
 * in its shape, is a curve of straight pieces, and two offers break even where
 * their curves cross.
 *
 * Money, loads and rates are numeric.  Sums and products are exact; a quotient
 * has at least 30 decimals, and is rounded once, by who shows it.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "rates.h"
#include "ratio.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

/* Decimals of a quotient that is reckoned with further. */
#define QUOTIENT_SCALE 30

/* Decimals of an interpolated rate. */
#define RATE_DECIMALS 9

/* A curve by whole units is followed over this many steps. */
#define MAX_STEPS 1000

SQL_FUNCTION(quote_cost_per_mtok);
SQL_FUNCTION(quote_needed_price);
SQL_FUNCTION(quote_needed_throughput);
SQL_FUNCTION(quote_needed_utilization);
SQL_FUNCTION(quote_adjust_tokens);
SQL_FUNCTION(quote_average_call);
SQL_FUNCTION(quote_capacity_need);
SQL_FUNCTION(quote_serve_minutes);
SQL_FUNCTION(quote_step_units);
SQL_FUNCTION(quote_monotone_interpolate);
SQL_FUNCTION(quote_operating_point_at);
SQL_FUNCTION(quote_committed_curve);
SQL_FUNCTION(quote_step_curve);
SQL_FUNCTION(quote_spillover_curve);
SQL_FUNCTION(quote_curve_cost);
SQL_FUNCTION(quote_crossings);

/*
 * Numbers
 */

static Numeric
number(int64 value)
{
	return int64_to_numeric(value);
}

static Numeric
call_numeric(PGFunction function, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(function, NumericGetDatum(a), NumericGetDatum(b)));
}

static inline Numeric
add(Numeric a, Numeric b)
{
	return call_numeric(numeric_add, a, b);
}

static inline Numeric
subtract(Numeric a, Numeric b)
{
	return call_numeric(numeric_sub, a, b);
}

static inline Numeric
multiply(Numeric a, Numeric b)
{
	return call_numeric(numeric_mul, a, b);
}

static inline int
compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

static inline int
sign_of(Numeric a)
{
	return compare(a, number(0));
}

static inline Numeric
smaller(Numeric a, Numeric b)
{
	return compare(a, b) <= 0 ? a : b;
}

static inline Numeric
larger(Numeric a, Numeric b)
{
	return compare(a, b) >= 0 ? a : b;
}

static inline Numeric
absolute(Numeric a)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_abs, NumericGetDatum(a)));
}

static inline Numeric
round_to(Numeric a, int decimals)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_round, NumericGetDatum(a), Int32GetDatum(decimals)));
}

static inline Numeric
trim_zeros(Numeric a)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(a)));
}

/* The quotient takes the decimals of its dividend, if it has many. */
static Numeric
divide(Numeric a, Numeric b)
{
	return trim_zeros(call_numeric(numeric_div, round_to(a, QUOTIENT_SCALE), b));
}

/* Whether a number is finite and at least zero. */
static bool
is_amount(Numeric a)
{
	return !numeric_is_nan(a) && !numeric_is_inf(a) && sign_of(a) >= 0;
}

static void
check_amount(Numeric value, const char *what)
{
	if (!is_amount(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be zero or more, not %s", what, numeric_normalize(value))));
}

static void
check_positive(Numeric value, const char *what)
{
	if (!is_amount(value) || sign_of(value) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be above zero, not %s", what, numeric_normalize(value))));
}

/* In (0,1]. */
static void
check_share(Numeric value, const char *what)
{
	if (!is_amount(value) || sign_of(value) == 0 || compare(value, number(1)) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be above 0 and at most 1, not %s", what, numeric_normalize(value)),
				 errhint("It is a fraction: 60 %% is 0.6.")));
}

/* An argument that may not be null. */
static Numeric
numeric_arg(FunctionCallInfo fcinfo, int argno, const char *what)
{
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	return PG_GETARG_NUMERIC(argno);
}

/*
 * By hand: price of a GPU-hour = cost per million tokens
 *			* tokens a second and GPU * 3600 * utilization / 1000000
 */

static Numeric
tokens_per_hour(Numeric tokens_per_second)
{
	return multiply(tokens_per_second, number(3600));
}

/* cost_per_mtok(price_per_gpu_hour, tokens_per_second_per_gpu, utilization) */
Datum
quote_cost_per_mtok(PG_FUNCTION_ARGS)
{
	Numeric		price = PG_GETARG_NUMERIC(0);
	Numeric		throughput = PG_GETARG_NUMERIC(1);
	Numeric		utilization = PG_GETARG_NUMERIC(2);

	check_amount(price, "price per GPU-hour");
	check_positive(throughput, "throughput");
	check_share(utilization, "utilization");
	return amount_per_mtok(price, multiply(tokens_per_hour(throughput), utilization), &fcinfo->isnull);
}

/* needed_price(cost_per_mtok, tokens_per_second_per_gpu, utilization) */
Datum
quote_needed_price(PG_FUNCTION_ARGS)
{
	Numeric		cost = PG_GETARG_NUMERIC(0);
	Numeric		throughput = PG_GETARG_NUMERIC(1);
	Numeric		utilization = PG_GETARG_NUMERIC(2);

	check_amount(cost, "cost per million tokens");
	check_positive(throughput, "throughput");
	check_share(utilization, "utilization");
	/* a division by a power of ten, exact */
	PG_RETURN_NUMERIC(trim_zeros(multiply(multiply(cost, multiply(tokens_per_hour(throughput), utilization)),
										  DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum("0.000001"),
																			  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1))))));
}

/* needed_throughput(cost_per_mtok, price_per_gpu_hour, utilization) */
Datum
quote_needed_throughput(PG_FUNCTION_ARGS)
{
	Numeric		cost = PG_GETARG_NUMERIC(0);
	Numeric		price = PG_GETARG_NUMERIC(1);
	Numeric		utilization = PG_GETARG_NUMERIC(2);

	check_positive(cost, "cost per million tokens");
	check_amount(price, "price per GPU-hour");
	check_share(utilization, "utilization");
	return amount_per_mtok(price, multiply(multiply(cost, number(3600)), utilization), &fcinfo->isnull);
}

/* needed_utilization(cost_per_mtok, price_per_gpu_hour, tokens_per_second_per_gpu) */
Datum
quote_needed_utilization(PG_FUNCTION_ARGS)
{
	Numeric		cost = PG_GETARG_NUMERIC(0);
	Numeric		price = PG_GETARG_NUMERIC(1);
	Numeric		throughput = PG_GETARG_NUMERIC(2);

	check_positive(cost, "cost per million tokens");
	check_amount(price, "price per GPU-hour");
	check_positive(throughput, "throughput");
	return amount_per_mtok(price, multiply(cost, tokens_per_hour(throughput)), &fcinfo->isnull);
}

/*
 * The same work, as another vendor would count it
 */

typedef struct Factors
{
	Numeric		tokenizer;
	Numeric		output;
	Numeric		cache_hit_rate; /* NULL: that of the workload */
	bool		change_nothing;
} Factors;

static void
factors_arg(FunctionCallInfo fcinfo, int argno, Factors *factors)
{
	factors->tokenizer = PG_ARGISNULL(argno) ? number(1) : PG_GETARG_NUMERIC(argno);
	factors->output = PG_ARGISNULL(argno + 1) ? number(1) : PG_GETARG_NUMERIC(argno + 1);
	factors->cache_hit_rate = PG_ARGISNULL(argno + 2) ? NULL : PG_GETARG_NUMERIC(argno + 2);
	check_positive(factors->tokenizer, "tokenizer factor");
	check_positive(factors->output, "output factor");
	if (factors->cache_hit_rate != NULL &&
		(!is_amount(factors->cache_hit_rate) || compare(factors->cache_hit_rate, number(1)) > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cache hit rate must be from 0 to 1, not %s", numeric_normalize(factors->cache_hit_rate))));
	factors->change_nothing = factors->cache_hit_rate == NULL &&
		compare(factors->tokenizer, number(1)) == 0 && compare(factors->output, number(1)) == 0;
}

/* A count times a factor, to the nearest whole token. */
static int64
scale_count(int64 count, Numeric factor)
{
	return DatumGetInt64(DirectFunctionCall1(numeric_int8,
											 NumericGetDatum(multiply(number(count), factor))));
}

/*
 * The cache lever moves tokens among input, cache_read and cache writes only,
 * and the length of a token changes all that are tokens.
 */
static void
adjust_counts(TokenCounts *counts, const Factors *factors)
{
	MeterSet	rest = counts->reported & ~meters_of_side(SIDE_NONE);
	MeterSet	cacheable = METER_BIT(METER_INPUT) | CACHED_METERS;
	Meter		m;

	if (factors->change_nothing)
		return;
	FOR_EACH_METER(m, rest)
	{
		bool		is_output = (METER_BIT(m) & meters_of_side(SIDE_OUTPUT)) != 0;

		counts->count[m] = scale_count(counts->count[m],
									   is_output ? multiply(factors->tokenizer, factors->output) : factors->tokenizer);
	}
	if (factors->cache_hit_rate != NULL)
	{
		int64		all = token_counts_sum(counts, meters_of_side(SIDE_INPUT));
		int64		movable = token_counts_sum(counts, cacheable);
		int64		read = Min(scale_count(all, factors->cache_hit_rate), movable);
		int64		missed = movable - counts->count[METER_CACHE_READ];
		int64		left = movable - read;
		MeterSet	writes = counts->reported & CACHED_METERS & ~METER_BIT(METER_CACHE_READ);

		if (movable == 0)
			return;
		counts->count[METER_INPUT] = left;
		/* what was written stays the same part of what was not read */
		FOR_EACH_METER(m, writes)
		{
			counts->count[m] = missed == 0 ? 0 :
				scale_count(counts->count[m], call_numeric(numeric_div, round_to(number(left), QUOTIENT_SCALE), number(missed)));
			counts->count[m] = Min(counts->count[m], counts->count[METER_INPUT]);
			counts->count[METER_INPUT] -= counts->count[m];
		}
		counts->count[METER_CACHE_READ] = read;
		counts->reported |= METER_BIT(METER_INPUT) | METER_BIT(METER_CACHE_READ);
	}
}

/* adjust_tokens(tokens, tokenizer_factor, output_factor, cache_hit_rate) */
Datum
quote_adjust_tokens(PG_FUNCTION_ARGS)
{
	Factors		factors;
	TokenCounts counts;

	factors_arg(fcinfo, 1, &factors);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	token_counts_read(PG_GETARG_DATUM(0), &counts);
	adjust_counts(&counts, &factors);
	return token_counts_datum(&counts);
}

/*
 * average_call(tokens, calls): a call that what prices each of the calls would
 * price, if all of them lie between the same two thresholds: so does its input.
 */
Datum
quote_average_call(PG_FUNCTION_ARGS)
{
	TokenCounts counts;
	int64		calls = PG_GETARG_INT64(1);
	int64		rest;
	Meter		m;
	Meter		largest = METER_NONE;

	if (calls < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no average of %lld calls", (long long) calls)));
	token_counts_read(PG_GETARG_DATUM(0), &counts);
	rest = token_counts_sum(&counts, meters_of_side(SIDE_INPUT));
	rest = rest / calls + (rest % calls > 0);
	for (m = 0; m < N_METERS; m++)
	{
		if ((meters_of_side(SIDE_INPUT) & METER_BIT(m)) != 0 &&
			(largest == METER_NONE || counts.count[m] > counts.count[largest]))
			largest = m;
		/* a meter that was used must find its rate */
		if (counts.count[m] > 0)
			counts.count[m] = Max(counts.count[m] / calls, 1);
	}
	for (m = 0; m < N_METERS; m++)
		if (m != largest && (meters_of_side(SIDE_INPUT) & METER_BIT(m)) != 0)
			rest -= counts.count[m];
	if (counts.count[largest] > 0)
		counts.count[largest] = Max(rest, 1);
	return token_counts_datum(&counts);
}

/*
 * Minutes
 */

/* A workload, minute by minute. */
typedef struct Minutes
{
	TokenCounts *tokens;		/* of each element, in any order */
	int			n;
	int64		each;			/* minutes that one element is spread over */
	int64		span;			/* minutes in all, those without a call too */
} Minutes;

/* (minutes tokens[], minutes_each bigint, span_minutes bigint) */
static void
minutes_arg(FunctionCallInfo fcinfo, int argno, Minutes *minutes)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(argno);
	Datum	   *values;
	bool	   *nulls;
	int			n;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT, &values, &nulls, &n);
	minutes->each = PG_GETARG_INT64(argno + 1);
	minutes->span = PG_GETARG_INT64(argno + 2);
	if (minutes->each < 1 || minutes->each > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the tokens of an element cannot be spread over %lld minutes", (long long) minutes->each)));
	if (minutes->span < 1 || minutes->span < n * minutes->each)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a span of %lld minutes does not hold %d elements of %lld",
						(long long) minutes->span, n, (long long) minutes->each)));
	minutes->tokens = palloc_extended(sizeof(TokenCounts) * Max(n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	minutes->n = 0;
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			token_counts_read(values[i], &minutes->tokens[minutes->n++]);
}

/* What makes a load of tokens. */
typedef struct Weights
{
	Numeric		input;
	Numeric		cache_read;
	Numeric		output;
	bool		larger;			/* of the two sides counts, not their sum */
} Weights;

static void
weights_arg(FunctionCallInfo fcinfo, int argno, Weights *weights)
{
	weights->input = PG_GETARG_NUMERIC(argno);
	weights->cache_read = PG_GETARG_NUMERIC(argno + 1);
	weights->output = PG_GETARG_NUMERIC(argno + 2);
	weights->larger = PG_GETARG_BOOL(argno + 3);
	check_amount(weights->input, "weight of input");
	check_amount(weights->cache_read, "weight of cache reads");
	check_amount(weights->output, "weight of output");
}

static Numeric
load_of(const TokenCounts *counts, const Weights *weights)
{
	MeterSet	uncached = meters_of_side(SIDE_INPUT) & ~METER_BIT(METER_CACHE_READ);
	Numeric		in = add(multiply(number(token_counts_sum(counts, uncached)), weights->input),
						 multiply(number(token_counts_sum(counts, METER_BIT(METER_CACHE_READ))), weights->cache_read));
	Numeric		out = multiply(number(token_counts_sum(counts, meters_of_side(SIDE_OUTPUT))), weights->output);

	return weights->larger ? larger(in, out) : add(in, out);
}

/*
 * The same, for a loop over many minutes: memory stays for the result alone.
 */
static Numeric
load_kept(const TokenCounts *counts, const Weights *weights, MemoryContext of_minute)
{
	MemoryContext outside = MemoryContextSwitchTo(of_minute);
	Numeric		load = load_of(counts, weights);

	MemoryContextSwitchTo(outside);
	load = DatumGetNumeric(datumCopy(NumericGetDatum(load), false, -1));
	MemoryContextReset(of_minute);
	return load;
}

static int
compare_numerics(const void *a, const void *b)
{
	return compare(*(const Numeric *) a, *(const Numeric *) b);
}

/*
 * capacity_need(minutes, minutes_each, span_minutes, input_weight,
 *				 cache_read_weight, output_weight, larger_side, percentile):
 * the load of a minute that this share of all minutes does not exceed.
 */
Datum
quote_capacity_need(PG_FUNCTION_ARGS)
{
	Minutes		minutes;
	Weights		weights;
	Numeric		percentile = PG_GETARG_NUMERIC(7);
	Numeric    *loads;
	int64		rank;
	int64		below;
	MemoryContext of_minute;

	minutes_arg(fcinfo, 0, &minutes);
	weights_arg(fcinfo, 3, &weights);
	check_share(percentile, "percentile");

	/* as percentile_disc(): the first of the sorted minutes to reach it */
	rank = DatumGetInt64(DirectFunctionCall1(numeric_int8,
											 DirectFunctionCall1(numeric_ceil,
																 NumericGetDatum(multiply(percentile, number(minutes.span))))));
	below = minutes.span - minutes.n * minutes.each;	/* without a call */
	if (rank <= below)
		PG_RETURN_NUMERIC(number(0));

	loads = palloc(sizeof(Numeric) * minutes.n);
	of_minute = AllocSetContextCreate(CurrentMemoryContext, "a minute", ALLOCSET_SMALL_SIZES);
	for (int i = 0; i < minutes.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		loads[i] = load_kept(&minutes.tokens[i], &weights, of_minute);
	}
	qsort(loads, minutes.n, sizeof(Numeric), compare_numerics);
	PG_RETURN_NUMERIC(divide(loads[(rank - below - 1) / minutes.each], number(minutes.each)));
}

/* A tuple of the function's result type. */
static Datum
make_tuple(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "result type is not composite");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * serve_minutes(minutes, minutes_each, span_minutes, input_weight,
 *				 cache_read_weight, output_weight, larger_side, capacity)
 *
 * What a capacity, a load per minute, serves of each minute.  What is over is
 * the same part of each meter, in whole tokens: what is served and what is over
 * add up to the workload exactly.
 */
Datum
quote_serve_minutes(PG_FUNCTION_ARGS)
{
	Minutes		minutes;
	Weights		weights;
	Numeric		capacity = PG_GETARG_NUMERIC(7);
	Numeric		limit;
	Numeric		demand = number(0);
	Numeric		over = number(0);
	int64		minutes_active = 0;
	int64		minutes_over = 0;
	TokenCounts tokens_over = {0};
	TokenCounts tokens_served = {0};
	Datum		values[8];
	bool		nulls[8] = {false};
	MemoryContext of_minute;
	MemoryContext outside;

	minutes_arg(fcinfo, 0, &minutes);
	weights_arg(fcinfo, 3, &weights);
	check_amount(capacity, "capacity");
	limit = multiply(capacity, number(minutes.each));

	of_minute = AllocSetContextCreate(CurrentMemoryContext, "a minute", ALLOCSET_SMALL_SIZES);
	outside = MemoryContextSwitchTo(of_minute);
	for (int i = 0; i < minutes.n; i++)
	{
		TokenCounts *counts = &minutes.tokens[i];
		Numeric		load;

		CHECK_FOR_INTERRUPTS();
		load = load_of(counts, &weights);
		if (token_counts_sum(counts, ~meters_of_side(SIDE_NONE) & ALL_METERS) > 0)
			minutes_active += minutes.each;
		if (compare(load, limit) > 0)
		{
			Numeric		excess = subtract(load, limit);
			TokenCounts part = {.reported = counts->reported};
			MeterSet	rest = counts->reported;
			Meter		m;

			FOR_EACH_METER(m, rest)
			{
				part.count[m] = DatumGetInt64(DirectFunctionCall1(numeric_int8,
																  NumericGetDatum(divide(multiply(number(counts->count[m]), excess), load))));
				counts->count[m] -= part.count[m];
			}
			token_counts_add(&tokens_over, &part);
			minutes_over += minutes.each;
			MemoryContextSwitchTo(outside);
			over = add(over, excess);
		}
		token_counts_add(&tokens_served, counts);
		MemoryContextSwitchTo(outside);
		demand = add(demand, load);
		MemoryContextSwitchTo(of_minute);
		MemoryContextReset(of_minute);
	}
	MemoryContextSwitchTo(outside);

	values[0] = NumericGetDatum(demand);
	values[1] = NumericGetDatum(subtract(demand, over));
	values[2] = NumericGetDatum(over);
	values[3] = token_counts_datum(&tokens_served);
	values[4] = token_counts_datum(&tokens_over);
	values[5] = Int64GetDatum(minutes.span);
	values[6] = Int64GetDatum(minutes_active);
	values[7] = Int64GetDatum(minutes_over);
	return make_tuple(fcinfo, values, nulls);
}

/*
 * Whole units
 */

typedef struct Steps
{
	Numeric		first;
	Numeric		increment;
	Numeric		last;			/* NULL: as many as one likes */
} Steps;

/* (minimum, increment, maximum) */
static void
steps_arg(FunctionCallInfo fcinfo, int argno, Steps *steps)
{
	steps->first = numeric_arg(fcinfo, argno, "minimum of units");
	steps->increment = numeric_arg(fcinfo, argno + 1, "increment of units");
	steps->last = PG_ARGISNULL(argno + 2) ? NULL : PG_GETARG_NUMERIC(argno + 2);
	check_amount(steps->first, "minimum of units");
	check_positive(steps->increment, "increment of units");
	if (steps->last != NULL && (!is_amount(steps->last) || compare(steps->last, steps->first) < 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("maximum of units is less than their minimum: %s and %s",
						numeric_normalize(steps->last), numeric_normalize(steps->first))));
}

static Numeric
units_at_step(const Steps *steps, int64 step)
{
	return add(steps->first, multiply(number(step), steps->increment));
}

/*
 * step_units(need, minimum, increment, maximum): the fewest units on offer
 * that meet the need, or the most there are.
 */
Datum
quote_step_units(PG_FUNCTION_ARGS)
{
	Numeric		need;
	Steps		steps;
	Numeric		units;

	need = numeric_arg(fcinfo, 0, "need");
	check_amount(need, "need");
	steps_arg(fcinfo, 1, &steps);
	if (steps.last != NULL)
		need = smaller(need, steps.last);
	units = steps.first;
	if (compare(need, units) > 0)
	{
		Numeric		missing = subtract(need, units);
		Numeric		count = call_numeric(numeric_div_trunc, missing, steps.increment);
		Numeric		reached = multiply(count, steps.increment);

		if (compare(reached, missing) < 0)
			reached = add(reached, steps.increment);
		if (steps.last != NULL && compare(add(units, reached), steps.last) > 0)
			reached = subtract(reached, steps.increment);
		units = add(units, reached);
	}
	PG_RETURN_NUMERIC(trim_zeros(units));
}

/*
 * Operating points
 */

/* The values of a numeric array that has no nulls, and as many as wanted. */
static Numeric *
numbers_of(ArrayType *array, const char *what, int *n)
{
	Datum	   *values;
	bool	   *nulls;

	deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT, &values, &nulls, n);
	for (int i = 0; i < *n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s %d is null", what, i + 1)));
		values[i] = NumericGetDatum(DatumGetNumeric(values[i]));
		if (numeric_is_nan((Numeric) DatumGetPointer(values[i])) || numeric_is_inf((Numeric) DatumGetPointer(values[i])))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s %d is not finite", what, i + 1)));
	}
	return (Numeric *) values;
}

static void
check_same_length(int a, int b)
{
	if (a != b)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("arrays have %d and %d elements", a, b),
				 errdetail("Each point has one of each.")));
}

/* The slope of the stretch that begins at a point. */
static Numeric
secant(Numeric *x, Numeric *y, int i)
{
	return divide(subtract(y[i + 1], y[i]), subtract(x[i + 1], x[i]));
}

/* Steffen's slope at a point: never so steep that the curve overshoots. */
static Numeric
steffen_slope(Numeric *x, Numeric *y, int n, int i)
{
	Numeric		two = number(2);
	Numeric		before,
				behind,
				h,
				h_before,
				slope;

	if (n == 2)
		return secant(x, y, 0);
	if (i == 0 || i == n - 1)
	{
		/* a parabola through the three last points, kept within bounds */
		int			at = i == 0 ? 0 : n - 2;
		int			next = i == 0 ? 1 : n - 3;
		Numeric		share;

		behind = secant(x, y, at);
		before = secant(x, y, next);
		h = subtract(x[at + 1], x[at]);
		h_before = subtract(x[next + 1], x[next]);
		share = divide(h, add(h, h_before));
		slope = subtract(multiply(behind, add(number(1), share)), multiply(before, share));
		if (sign_of(slope) * sign_of(behind) <= 0)
			return number(0);
		if (compare(absolute(slope), absolute(multiply(two, behind))) > 0)
			return multiply(two, behind);
		return slope;
	}
	before = secant(x, y, i - 1);
	behind = secant(x, y, i);
	if (sign_of(before) * sign_of(behind) <= 0)
		return number(0);
	h_before = subtract(x[i], x[i - 1]);
	h = subtract(x[i + 1], x[i]);
	slope = absolute(divide(add(multiply(before, h), multiply(behind, h_before)), add(h_before, h)));
	slope = smaller(slope, multiply(two, smaller(absolute(before), absolute(behind))));
	return sign_of(before) < 0 ? subtract(number(0), slope) : slope;
}

/*
 * Through points by ascending x: M. Steffen, "A simple method for monotonic
 * interpolation in one dimension", Astron. Astrophys. 239 (1990) 443.  NULL
 * outside of them: there is no extrapolation.
 */
static Numeric
interpolate(Numeric *x, Numeric *y, int n, Numeric at)
{
	Numeric		h,
				s,
				d,
				from_slope,
				to_slope,
				value;
	int			i = 0;

	if (n == 0 || compare(at, x[0]) < 0 || compare(at, x[n - 1]) > 0)
		return NULL;
	while (i < n - 1 && compare(at, x[i + 1]) >= 0)
		i++;
	if (compare(at, x[i]) == 0)
		return y[i];

	h = subtract(x[i + 1], x[i]);
	s = secant(x, y, i);
	d = subtract(at, x[i]);
	from_slope = steffen_slope(x, y, n, i);
	to_slope = steffen_slope(x, y, n, i + 1);
	/* ((a * d + b) * d + c) * d + y */
	value = divide(subtract(add(from_slope, to_slope), multiply(number(2), s)), multiply(h, h));
	value = add(multiply(value, d),
				divide(subtract(subtract(multiply(number(3), s), multiply(number(2), from_slope)), to_slope), h));
	value = add(multiply(value, d), from_slope);
	value = round_to(add(multiply(value, d), y[i]), RATE_DECIMALS);
	/* rounding may have led out */
	value = larger(smaller(value, larger(y[i], y[i + 1])), smaller(y[i], y[i + 1]));
	return trim_zeros(value);
}

/* monotone_interpolate(x, y, at) */
Datum
quote_monotone_interpolate(PG_FUNCTION_ARGS)
{
	int			n,
				n_y;
	Numeric    *x = numbers_of(PG_GETARG_ARRAYTYPE_P(0), "x", &n);
	Numeric    *y = numbers_of(PG_GETARG_ARRAYTYPE_P(1), "y", &n_y);
	Numeric		at = PG_GETARG_NUMERIC(2);
	Numeric		value;

	check_same_length(n, n_y);
	for (int i = 1; i < n; i++)
		if (compare(x[i - 1], x[i]) >= 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("x must ascend: %s is followed by %s", numeric_normalize(x[i - 1]), numeric_normalize(x[i]))));
	value = numeric_is_nan(at) ? NULL : interpolate(x, y, n, at);
	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(value);
}

typedef struct OperatingPoint
{
	Numeric		interactivity;
	Numeric		output_rate;
	Numeric		input_rate;
} OperatingPoint;

/* The most interactive first, and of equals the one with the most output. */
static int
compare_points(const void *a, const void *b)
{
	const OperatingPoint *p = a;
	const OperatingPoint *q = b;
	int			order = compare(q->interactivity, p->interactivity);

	return order != 0 ? order : compare(q->output_rate, p->output_rate);
}

/*
 * operating_point_at(interactivity[], output_rate[], input_rate[], asked)
 *
 * On the front of the points that no other beats in both interactivity and
 * output: at the interactivity asked for, or where all of it is more than that
 * (or none is asked for) at the point with the most output.  NULL where none
 * is so interactive.
 */
Datum
quote_operating_point_at(PG_FUNCTION_ARGS)
{
	int			n,
				n_rates,
				n_inputs = 0,
				n_front = 0;
	Numeric    *interactivity = numbers_of(PG_GETARG_ARRAYTYPE_P(0), "interactivity", &n);
	Numeric    *output = numbers_of(PG_GETARG_ARRAYTYPE_P(1), "output rate", &n_rates);
	Numeric    *input = PG_ARGISNULL(2) ? NULL : numbers_of(PG_GETARG_ARRAYTYPE_P(2), "input rate", &n_inputs);
	OperatingPoint *points = palloc(sizeof(OperatingPoint) * Max(n, 1));
	Numeric		asked = PG_ARGISNULL(3) ? NULL : PG_GETARG_NUMERIC(3);
	Datum		values[3] = {0};
	bool		nulls[3] = {false, false, false};

	check_same_length(n, n_rates);
	if (input != NULL)
		check_same_length(n, n_inputs);
	if (asked != NULL)
		check_amount(asked, "interactivity");
	for (int i = 0; i < n; i++)
	{
		check_positive(interactivity[i], "interactivity of an operating point");
		check_positive(output[i], "output rate of an operating point");
		if (input != NULL)
			check_positive(input[i], "input rate of an operating point");
		points[i].interactivity = interactivity[i];
		points[i].output_rate = output[i];
		points[i].input_rate = input != NULL ? input[i] : NULL;
	}
	qsort(points, n, sizeof(OperatingPoint), compare_points);
	for (int i = 0; i < n; i++)
		if (n_front == 0 || compare(points[i].output_rate, points[n_front - 1].output_rate) > 0)
			points[n_front++] = points[i];
	if (n_front == 0)
		PG_RETURN_NULL();
	for (int i = 0; i < n_front; i++)
	{
		interactivity[i] = points[n_front - 1 - i].interactivity;
		output[i] = points[n_front - 1 - i].output_rate;
		if (input != NULL)
			input[i] = points[n_front - 1 - i].input_rate;
	}
	if (asked == NULL || compare(asked, interactivity[0]) < 0)
		asked = interactivity[0];
	if (compare(asked, interactivity[n_front - 1]) > 0)
		PG_RETURN_NULL();
	values[0] = NumericGetDatum(asked);
	values[1] = NumericGetDatum(interpolate(interactivity, output, n_front, asked));
	nulls[2] = input == NULL;
	if (input != NULL)
		values[2] = NumericGetDatum(interpolate(interactivity, input, n_front, asked));
	return make_tuple(fcinfo, values, nulls);
}

/*
 * Cost curves: what an offer costs as the workload is scaled.  A piece holds
 * above where it begins, up to and with where the next one does.
 */

typedef struct CostCurve
{
	int			n;
	Numeric    *from;			/* of each piece; the first is 0 */
	Numeric    *fixed;
	Numeric    *slope;			/* cost = fixed + slope * scale */
	Numeric		until;			/* NULL: without end */
} CostCurve;

static void
begin_curve(CostCurve *curve, int n)
{
	curve->n = 0;
	curve->from = palloc(sizeof(Numeric) * n);
	curve->fixed = palloc(sizeof(Numeric) * n);
	curve->slope = palloc(sizeof(Numeric) * n);
	curve->until = NULL;
}

static void
add_piece(CostCurve *curve, Numeric from, Numeric fixed, Numeric slope)
{
	/* a piece of no length is none */
	if (curve->n > 0 && compare(from, curve->from[curve->n - 1]) <= 0)
		curve->n--;
	curve->from[curve->n] = curve->n == 0 ? number(0) : from;
	curve->fixed[curve->n] = fixed;
	curve->slope[curve->n] = slope;
	curve->n++;
}

static Datum
numbers_datum(Numeric *values, int n)
{
	return PointerGetDatum(construct_array((Datum *) values, n, NUMERICOID, -1, false, TYPALIGN_INT));
}

static Datum
curve_datum(FunctionCallInfo fcinfo, CostCurve *curve)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, false, curve->until == NULL};

	values[0] = numbers_datum(curve->from, curve->n);
	values[1] = numbers_datum(curve->fixed, curve->n);
	values[2] = numbers_datum(curve->slope, curve->n);
	values[3] = NumericGetDatum(curve->until);
	return make_tuple(fcinfo, values, nulls);
}

/* Anybody can make a value of the type: trust nothing of it. */
static void
curve_arg(FunctionCallInfo fcinfo, int argno, CostCurve *curve)
{
	HeapTupleHeader tuple = PG_GETARG_HEAPTUPLEHEADER(argno);
	Numeric   **parts[3] = {&curve->from, &curve->fixed, &curve->slope};
	Datum		until;
	bool		is_null;

	for (int i = 0; i < 3; i++)
	{
		Datum		part = GetAttributeByNum(tuple, i + 1, &is_null);
		int			n;

		if (is_null)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a part of the cost curve is null")));
		*parts[i] = numbers_of(DatumGetArrayTypeP(part), "part of the cost curve", &n);
		if (i > 0)
			check_same_length(curve->n, n);
		curve->n = n;
	}
	until = GetAttributeByNum(tuple, 4, &is_null);
	curve->until = is_null ? NULL : DatumGetNumeric(until);
	if (curve->n == 0 || sign_of(curve->from[0]) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the first piece of a cost curve must begin at 0")));
	for (int i = 1; i < curve->n; i++)
		if (compare(curve->from[i - 1], curve->from[i]) >= 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("pieces of a cost curve must ascend: %s is followed by %s",
							numeric_normalize(curve->from[i - 1]), numeric_normalize(curve->from[i]))));
}

/*
 * committed_curve(usage, commitment, commitment_discount, minimum): a book's
 * price, where a commitment is paid in any case and covers usage at a discount,
 * usage beyond it costs the full price, and no bill is below the minimum.
 */
Datum
quote_committed_curve(PG_FUNCTION_ARGS)
{
	Numeric		usage = numeric_arg(fcinfo, 0, "usage");
	Numeric		commitment = PG_ARGISNULL(1) ? number(0) : PG_GETARG_NUMERIC(1);
	Numeric		discount = PG_ARGISNULL(2) ? number(0) : PG_GETARG_NUMERIC(2);
	Numeric		minimum = PG_ARGISNULL(3) ? number(0) : PG_GETARG_NUMERIC(3);
	CostCurve	curve;
	Numeric		covered;
	Numeric		beyond;

	check_amount(usage, "usage");
	check_amount(commitment, "commitment");
	check_amount(minimum, "minimum");
	if (!is_amount(discount) || compare(discount, number(1)) >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("commitment discount must be at least 0 and below 1, not %s", numeric_normalize(discount))));
	covered = divide(commitment, subtract(number(1), discount));
	beyond = subtract(commitment, covered);

	begin_curve(&curve, 2);
	add_piece(&curve, number(0), larger(commitment, minimum), number(0));
	if (sign_of(usage) > 0)
		add_piece(&curve, divide(subtract(larger(commitment, minimum), beyond), usage), beyond, usage);
	return curve_datum(fcinfo, &curve);
}

/*
 * step_curve(price_per_unit, need, minimum, increment, maximum): whole units,
 * as many as the scaled need takes.
 */
Datum
quote_step_curve(PG_FUNCTION_ARGS)
{
	Numeric		price = numeric_arg(fcinfo, 0, "price of a unit");
	Numeric		need = numeric_arg(fcinfo, 1, "need");
	Steps		steps;
	CostCurve	curve;

	check_amount(price, "price of a unit");
	check_amount(need, "need");
	steps_arg(fcinfo, 2, &steps);
	begin_curve(&curve, MAX_STEPS);
	add_piece(&curve, number(0), multiply(steps.first, price), number(0));
	if (sign_of(need) == 0)
		return curve_datum(fcinfo, &curve);
	curve.until = divide(steps.first, need);
	for (int64 k = 1; k < MAX_STEPS; k++)
	{
		Numeric		units = units_at_step(&steps, k);

		CHECK_FOR_INTERRUPTS();
		if (steps.last != NULL && compare(units, steps.last) > 0)
			break;
		add_piece(&curve, curve.until, multiply(units, price), number(0));
		curve.until = divide(units, need);
	}
	return curve_datum(fcinfo, &curve);
}

/* When a minute begins to exceed a capacity, and what it costs from then on. */
typedef struct Spill
{
	Numeric		from;
	Numeric		cost;
} Spill;

static int
compare_spills(const void *a, const void *b)
{
	return compare(((const Spill *) a)->from, ((const Spill *) b)->from);
}

/*
 * spillover_curve(minutes, minutes_each, span_minutes, input_weight,
 *				   cache_read_weight, output_weight, larger_side, capacity, fixed,
 *				   rates, tokenizer_factor, output_factor, cache_hit_rate)
 *
 * A capacity for a fixed price, and tokens at rates for what exceeds it.
 */
Datum
quote_spillover_curve(PG_FUNCTION_ARGS)
{
	Minutes		minutes;
	Weights		weights;
	Factors		factors;
	Numeric		capacity;
	Numeric		fixed;
	RateCard	card;
	PricedRates priced;
	CostCurve	curve;
	Spill	   *spills;
	int			n_spills = 0;
	Numeric		slope = number(0);
	MemoryContext of_minute;

	for (int i = 0; i < 10; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	minutes_arg(fcinfo, 0, &minutes);
	weights_arg(fcinfo, 3, &weights);
	capacity = PG_GETARG_NUMERIC(7);
	fixed = PG_GETARG_NUMERIC(8);
	check_amount(capacity, "capacity");
	check_amount(fixed, "price");
	rate_card_read(PG_GETARG_DATUM(9), &card);
	rates_resolve(&card, &priced);
	factors_arg(fcinfo, 10, &factors);

	spills = palloc(sizeof(Spill) * Max(minutes.n, 1));
	of_minute = AllocSetContextCreate(CurrentMemoryContext, "a minute", ALLOCSET_SMALL_SIZES);
	for (int i = 0; i < minutes.n; i++)
	{
		Numeric		load = load_kept(&minutes.tokens[i], &weights, of_minute);
		Money		cost;

		CHECK_FOR_INTERRUPTS();
		if (sign_of(load) == 0)
			continue;
		adjust_counts(&minutes.tokens[i], &factors);
		if (!rates_cost(&priced, &minutes.tokens[i], &cost))
			PG_RETURN_NULL();
		spills[n_spills].from = divide(multiply(capacity, number(minutes.each)), load);
		spills[n_spills++].cost = money_to_numeric(cost);
	}
	qsort(spills, n_spills, sizeof(Spill), compare_spills);

	begin_curve(&curve, n_spills + 1);
	add_piece(&curve, number(0), fixed, slope);
	for (int i = 0; i < n_spills; i++)
	{
		CHECK_FOR_INTERRUPTS();
		slope = add(slope, spills[i].cost);
		fixed = subtract(fixed, multiply(spills[i].cost, spills[i].from));
		add_piece(&curve, spills[i].from, fixed, slope);
	}
	return curve_datum(fcinfo, &curve);
}

static Numeric
piece_cost(const CostCurve *curve, int piece, Numeric scale)
{
	return add(curve->fixed[piece], multiply(curve->slope[piece], scale));
}

/* curve_cost(curve, scale) */
Datum
quote_curve_cost(PG_FUNCTION_ARGS)
{
	CostCurve	curve;
	Numeric		scale = PG_GETARG_NUMERIC(1);
	int			i = 0;

	curve_arg(fcinfo, 0, &curve);
	check_amount(scale, "scale");
	if (curve.until != NULL && compare(scale, curve.until) > 0)
		PG_RETURN_NULL();
	while (i < curve.n - 1 && compare(curve.from[i + 1], scale) < 0)
		i++;
	PG_RETURN_NUMERIC(trim_zeros(piece_cost(&curve, i, scale)));
}

/* The sign of a difference of costs; less than a rate can express is none. */
static int
sign_of_cost(const Numeric cost)
{
	static const char least[] = "1e-15";
	Numeric		limit = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(least),
															ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));

	return compare(absolute(cost), limit) < 0 ? 0 : sign_of(cost);
}

/*
 * crossings(curve, baseline): the scales at which one becomes cheaper that was
 * dearer: where the costs are equal, or at a step.
 */
Datum
quote_crossings(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	CostCurve	a,
				b;
	Numeric		from = number(0);
	Numeric		until;
	Numeric		equal_from = NULL;	/* since when the costs are equal */
	int			last_sign = 0;
	int			i = 0,
				j = 0;

	InitMaterializedSRF(fcinfo, 0);
	curve_arg(fcinfo, 0, &a);
	curve_arg(fcinfo, 1, &b);
	until = a.until == NULL ? b.until : b.until == NULL ? a.until : smaller(a.until, b.until);

	for (;;)
	{
		Numeric		fixed = subtract(a.fixed[i], b.fixed[j]);
		Numeric		slope = subtract(a.slope[i], b.slope[j]);
		Numeric		to = NULL;	/* end of both pieces; NULL: none */
		int			sign_from = sign_of_cost(add(fixed, multiply(slope, from)));
		int			sign_inside;
		int			sign_to;
		Numeric		crossing = NULL;
		bool		are_equal = true;

		CHECK_FOR_INTERRUPTS();
		if (i + 1 < a.n)
			to = a.from[i + 1];
		if (j + 1 < b.n)
			to = to == NULL ? b.from[j + 1] : smaller(to, b.from[j + 1]);
		if (until != NULL)
			to = to == NULL ? until : smaller(to, until);

		/* just above where they begin, and where they end */
		sign_inside = sign_from != 0 ? sign_from : sign_of(slope);
		sign_to = to == NULL ? sign_of(slope) : sign_of_cost(add(fixed, multiply(slope, to)));
		if (to == NULL && sign_to == 0)
			sign_to = sign_inside;
		if (sign_inside != 0 && last_sign != 0 && sign_inside != last_sign)
		{
			crossing = equal_from != NULL ? equal_from : from;
			are_equal = equal_from != NULL;
		}
		for (int round = 0; round < 2; round++)
		{
			if (crossing != NULL)
			{
				Datum		values[3];
				bool		nulls[3] = {false, false, false};

				values[0] = NumericGetDatum(trim_zeros(crossing));
				values[1] = BoolGetDatum(round == 0 ? sign_inside < 0 : sign_to < 0);
				values[2] = BoolGetDatum(are_equal);
				tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
			}
			crossing = NULL;
			if (round == 0 && sign_inside * sign_to < 0)
			{
				crossing = divide(subtract(number(0), fixed), slope);
				are_equal = true;
			}
		}
		if (sign_to != 0)
		{
			last_sign = sign_to;
			equal_from = NULL;
		}
		else
		{
			if (sign_inside != 0)
			{
				last_sign = sign_inside;
				equal_from = to;
			}
			else if (equal_from == NULL)
				equal_from = from;
		}
		if (to == NULL || (until != NULL && compare(to, until) >= 0))
			break;
		from = to;
		if (i + 1 < a.n && compare(a.from[i + 1], to) == 0)
			i++;
		if (j + 1 < b.n && compare(b.from[j + 1], to) == 0)
			j++;
	}
	PG_RETURN_NULL();
}
