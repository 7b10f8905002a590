/*-------------------------------------------------------------------------
 *
 * factors.c
 *	  The factors of demand: what makes the tokens of a month.
 *
 *	  tokens = users * sessions per user * turns per session * calls per turn
 *			   * tokens per call * reasoning multiplier * coverage multiplier
 *
 * Each factor but the first is a quotient of two counts, the divisor of one the
 * dividend of the one before.  A quotient is rounded to 24 significant digits
 * at least, which is off by less than 5e-24 of it; the product of six of them
 * by less than 3.1e-23.  A total is less than 2^63 < 9.3e18 tokens, so that the
 * product is off by less than 0.0003 tokens, and the integer nearest to it is
 * the total, exactly.
 *
 *-------------------------------------------------------------------------
 */
#include "decimal.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "rates.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/typcache.h"

/* The columns of demand_factors. */
typedef enum FactorColumn
{
	F_MONTH,
	F_DAYS,
	F_SLICE,
	F_USERS,
	F_SESSIONS_PER_USER,
	F_TURNS_PER_SESSION,
	F_CALLS_PER_TURN,
	F_TOKENS_PER_CALL,
	F_REASONING_MULTIPLIER,
	F_COVERAGE_MULTIPLIER,
	F_MIX,
	F_MIX_CALLS,
	F_CACHEABLE_TOKENS,
	F_CACHE_HIT_RATE,
	F_PEAK_TO_AVERAGE,
	F_MONTHLY_GROWTH,
	F_COVERAGE,
	F_REASON,
	N_FACTOR_COLUMNS
} FactorColumn;

/* The product of these is the tokens of a month. */
#define FIRST_OF_PRODUCT F_USERS
#define LAST_OF_PRODUCT F_COVERAGE_MULTIPLIER

#define QUOTIENT_DIGITS 24

/* A demand_factors taken apart. */
typedef struct Factors
{
	Datum		value[N_FACTOR_COLUMNS];
	bool		null[N_FACTOR_COLUMNS];
} Factors;

/* What may be planned with, and within which limits. */
typedef struct FactorInfo
{
	const char *name;
	bool		is_lever;
	int			lowest;
	int			highest;
	const char *why;			/* why it has the limits */
} FactorInfo;

#define NO_LIMIT PG_INT32_MAX

static const FactorInfo factor_info[N_FACTOR_COLUMNS] = {
	[F_DAYS] = {"days", true, 1, 31, "A month has at most 31 days."},
	[F_USERS] = {"users", true, 0, NO_LIMIT, "There are none, or some."},
	[F_SESSIONS_PER_USER] = {"sessions_per_user", true, 0, NO_LIMIT, "It is sessions / users."},
	[F_TURNS_PER_SESSION] = {"turns_per_session", true, 0, NO_LIMIT, "It is turns / sessions."},
	[F_CALLS_PER_TURN] = {"calls_per_turn", true, 0, NO_LIMIT, "It is calls / turns."},
	[F_TOKENS_PER_CALL] = {"tokens_per_call", true, 0, NO_LIMIT, "It is tokens that are not reasoning / calls."},
	[F_REASONING_MULTIPLIER] = {"reasoning_multiplier", true, 1, NO_LIMIT, "It is all tokens / tokens that are not reasoning: 1 is no reasoning at all."},
	[F_COVERAGE_MULTIPLIER] = {"coverage_multiplier", true, 1, NO_LIMIT, "It is tokens of all calls / tokens of calls with all ids."},
	[F_CACHE_HIT_RATE] = {"cache_hit_rate", true, 0, 1, "It is the share of input that is read from a cache."},
	[F_PEAK_TO_AVERAGE] = {"peak_to_average", true, 1, NO_LIMIT, "No peak is below the average."},
	[F_MONTHLY_GROWTH] = {"monthly_growth", true, -1, NO_LIMIT, "It is a fraction: -1 is a fall to nothing, by 100 %."},
};

/* Plans go no further ahead. */
#define MAX_MONTHS_AHEAD 120

/* Of a plan that is for no month in particular. */
#define DAYS_OF_ANY_MONTH 30

/* A mix of fewer tokens is enlarged before its meters move. */
#define MIX_ENOUGH INT64CONST(1000000000000)

#define TOKEN_METERS (meters_of_side(SIDE_INPUT) | meters_of_side(SIDE_OUTPUT))
#define PLAIN_METERS (TOKEN_METERS & ~METER_BIT(METER_REASONING))

/* How much longer and how far grown a month ahead is: numerator / divisor. */
typedef struct Ahead
{
	Numeric		numerator;
	int			divisor;
} Ahead;

/* The columns of token_demand(). */
typedef enum DemandColumn
{
	D_MONTHS_AHEAD, D_MONTH, D_DAYS, D_FLOOR, D_FAN_OUT, D_REASONING, D_COVERAGE, D_CALENDAR,
	D_GROWTH, D_TOTAL, D_CACHE, D_PEAK, D_NEEDED, D_AVERAGE_PER_SECOND, D_PEAK_PER_SECOND,
	N_DEMAND_COLUMNS
} DemandColumn;

SQL_FUNCTION(factors_of_counts);
SQL_FUNCTION(factors_total_tokens);
SQL_FUNCTION(plan_factors);
SQL_FUNCTION(with_factor);
SQL_FUNCTION(with_factors_of);
SQL_FUNCTION(changed_factors);
SQL_FUNCTION(tokens_by_meter);
SQL_FUNCTION(average_call);
SQL_FUNCTION(token_demand);
SQL_FUNCTION(shapley_values);
SQL_FUNCTION(input_equivalent_tokens);
SQL_FUNCTION(net_cache_saving);

/*
 * The composite type
 */

static void
check_columns(TupleDesc desc)
{
	if (desc->natts != N_FACTOR_COLUMNS ||
		TupleDescAttr(desc, F_MIX_CALLS)->atttypid != INT8OID ||
		TupleDescAttr(desc, F_REASON)->atttypid != TEXTOID)
		elog(ERROR, "type demand_factors is not that of this version of tokenomics");
}

static void
factors_read(Datum datum, Factors *factors)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(datum);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
											  HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple;

	check_columns(desc);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, desc, factors->value, factors->null);
	ReleaseTupleDesc(desc);
}

static Datum
factors_datum(FunctionCallInfo fcinfo, Factors *factors)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	check_columns(desc);
	return HeapTupleGetDatum(heap_form_tuple(desc, factors->value, factors->null));
}

static void
set_value(Factors *factors, FactorColumn column, Datum value)
{
	factors->null[column] = false;
	factors->value[column] = value;
}

static void
set_numeric(Factors *factors, FactorColumn column, Numeric value)
{
	set_value(factors, column, NumericGetDatum(value));
}

static Numeric
get_numeric(const Factors *factors, FactorColumn column)
{
	return DatumGetNumeric(factors->value[column]);
}

/* Fails where a factor cannot be. */
static void
check_factor(const Factors *factors, FactorColumn column)
{
	const FactorInfo *info = &factor_info[column];
	Numeric		value;

	if (!info->is_lever || factors->null[column])
		return;
	value = column == F_DAYS ? int64_to_numeric(DatumGetInt32(factors->value[column])) :
		get_numeric(factors, column);
	if (numeric_is_nan(value) || numeric_is_inf(value) ||
		compare_numeric(value, int64_to_numeric(info->lowest)) < 0 ||
		(info->highest != NO_LIMIT && compare_numeric(value, int64_to_numeric(info->highest)) > 0))
	{
		char	   *shown = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value)));

		if (info->highest != NO_LIMIT)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s must be %d to %d, not %s", info->name, info->lowest, info->highest, shown),
					 errdetail("%s", info->why)));
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be %d or more, not %s", info->name, info->lowest, shown),
				 errdetail("%s", info->why)));
	}
}

static NO_RETURN void
infinite_month(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the month of demand factors must not be infinite")));
}

/* Takes apart the factors that are an argument, and checks them. */
static void
plan_read(Datum datum, Factors *factors)
{
	factors_read(datum, factors);
	for (int c = 0; c < N_FACTOR_COLUMNS; c++)
		check_factor(factors, c);
	if (!factors->null[F_MIX_CALLS] && DatumGetInt64(factors->value[F_MIX_CALLS]) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("mix_calls must be 1 or more, not %lld",
						(long long) DatumGetInt64(factors->value[F_MIX_CALLS]))));
	if (!factors->null[F_CACHEABLE_TOKENS] && DatumGetInt64(factors->value[F_CACHEABLE_TOKENS]) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cacheable_tokens must be 0 or more, not %lld",
						(long long) DatumGetInt64(factors->value[F_CACHEABLE_TOKENS]))));
	if (!factors->null[F_MONTH] && DATE_NOT_FINITE(DatumGetDateADT(factors->value[F_MONTH])))
		infinite_month();
}

/* Fails where a factor that is needed is NULL. */
static void
require(const Factors *factors, FactorColumn column, const char *name)
{
	if (!factors->null[column])
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s of demand factors is null", name),
			 factors->null[F_REASON] ? 0 :
			 errdetail("It could not be measured: %s.", TextDatumGetCString(factors->value[F_REASON])),
			 factor_info[column].is_lever ?
			 errhint("Plan it, as in with_factor(factors, '%s', ...).", name) : 0));
}

static void
require_product(const Factors *factors)
{
	for (int c = FIRST_OF_PRODUCT; c <= LAST_OF_PRODUCT; c++)
		require(factors, c, factor_info[c].name);
}

/*
 * Arithmetic
 */

/* The digits before the point of a number that is not negative. */
static int
whole_digits(Numeric value)
{
	char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value)));
	int			count = strcspn(digits, ".");

	pfree(digits);
	return count;
}

/* Of two whole numbers above zero, to QUOTIENT_DIGITS or one more. */
static Numeric
exact_quotient(Numeric dividend, Numeric divisor)
{
	Numeric		two = int64_to_numeric(2);
	int			scale = QUOTIENT_DIGITS - whole_digits(dividend) + whole_digits(divisor);
	Numeric		units = call_numeric(numeric_mul, dividend, power_of_ten(scale));

	/* to the nearest: (2 * units + divisor) / (2 * divisor), cut off */
	units = call_numeric(numeric_div_trunc,
						 call_numeric(numeric_add, call_numeric(numeric_mul, units, two), divisor),
						 call_numeric(numeric_mul, divisor, two));
	return trim_zeros(call_numeric(numeric_mul, units, power_of_ten(-scale)));
}

/*
 * A quotient of numbers that are not negative, to the nearest whole number of
 * tokens; fails where no bigint holds it.
 */
static int64
whole_tokens(Numeric dividend, Numeric divisor)
{
	Numeric		two = int64_to_numeric(2);
	Numeric		rounded = call_numeric(numeric_div_trunc,
									   call_numeric(numeric_add, call_numeric(numeric_mul, dividend, two), divisor),
									   call_numeric(numeric_mul, divisor, two));

	if (numeric_is_nan(rounded) || numeric_is_inf(rounded) ||
		compare_numeric(rounded, int64_to_numeric(PG_INT64_MAX)) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("tokens of demand factors out of range"),
				 errdetail("Their product is more than %lld tokens.", (long long) PG_INT64_MAX)));
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(rounded)));
}

/* The product; false where a factor is NULL. */
static bool
factors_product(const Factors *factors, Numeric *product)
{
	for (int c = FIRST_OF_PRODUCT; c <= LAST_OF_PRODUCT; c++)
	{
		if (factors->null[c])
			return false;
		*product = c == FIRST_OF_PRODUCT ? get_numeric(factors, c) :
			call_numeric(numeric_mul, *product, get_numeric(factors, c));
	}
	return true;
}

/*
 * Measuring
 */

static int64
count_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	int64		count;

	if (PG_ARGISNULL(n))
		return 0;
	count = PG_GETARG_INT64(n);
	if (count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be negative: %lld", name, (long long) count)));
	return count;
}

/*
 * factors_of_counts(users, sessions, turns, mix, mix_calls, total_tokens,
 * cacheable_tokens, peak_hour_tokens, seconds, monthly_growth, month, days,
 * slice)
 */
Datum
factors_of_counts(PG_FUNCTION_ARGS)
{
	int64		users = count_argument(fcinfo, 0, "users");
	int64		sessions = count_argument(fcinfo, 1, "sessions");
	int64		turns = count_argument(fcinfo, 2, "turns");
	int64		calls = count_argument(fcinfo, 4, "mix_calls");
	int64		total = count_argument(fcinfo, 5, "total_tokens");
	int64		cacheable = count_argument(fcinfo, 6, "cacheable_tokens");
	int64		peak = count_argument(fcinfo, 7, "peak_hour_tokens");
	int64		seconds = count_argument(fcinfo, 8, "seconds");
	TokenCounts mix = {0};
	int64		mixed;			/* tokens of calls with all ids */
	int64		plain;			/* those that are not reasoning */
	const char *reason = NULL;
	Factors		factors;

	if (!PG_ARGISNULL(3))
		token_counts_read(PG_GETARG_DATUM(3), &mix);
	mixed = token_counts_sum(&mix, meters_of_side(SIDE_INPUT) | meters_of_side(SIDE_OUTPUT));
	plain = mixed - mix.count[METER_REASONING];
	if (mixed > total)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the calls of the mix have more tokens than all calls: %lld of %lld",
						(long long) mixed, (long long) total)));
	if (mix.count[METER_CACHE_READ] > cacheable && !PG_ARGISNULL(6))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("more tokens are read from a cache than could be: %lld of %lld",
						(long long) mix.count[METER_CACHE_READ], (long long) cacheable)));
	if (calls > 0 && (users == 0 || sessions == 0 || turns == 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("calls with all ids have users, sessions and turns"),
				 errdetail("Counted are %lld calls, %lld users, %lld sessions and %lld turns.",
						   (long long) calls, (long long) users, (long long) sessions, (long long) turns)));
	if (calls == 0 && mixed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the mix has tokens of no call")));

	memset(factors.null, true, sizeof(factors.null));
	memset(factors.value, 0, sizeof(factors.value));
	if (!PG_ARGISNULL(9))
		set_value(&factors, F_MONTHLY_GROWTH, PG_GETARG_DATUM(9));
	if (!PG_ARGISNULL(10))
		set_value(&factors, F_MONTH, PG_GETARG_DATUM(10));
	if (!PG_ARGISNULL(11))
		set_value(&factors, F_DAYS, PG_GETARG_DATUM(11));
	if (!PG_ARGISNULL(12))
		set_value(&factors, F_SLICE, PG_GETARG_DATUM(12));

	if (calls > 0)
	{
		set_numeric(&factors, F_USERS, int64_to_numeric(users));
		set_numeric(&factors, F_SESSIONS_PER_USER, exact_quotient(int64_to_numeric(sessions), int64_to_numeric(users)));
		set_numeric(&factors, F_TURNS_PER_SESSION, exact_quotient(int64_to_numeric(turns), int64_to_numeric(sessions)));
		set_numeric(&factors, F_CALLS_PER_TURN, exact_quotient(int64_to_numeric(calls), int64_to_numeric(turns)));
		set_value(&factors, F_MIX_CALLS, Int64GetDatum(calls));
		if (mix.reported != 0)
			set_value(&factors, F_MIX, token_counts_datum(&mix));
	}
	if (plain > 0)
	{
		set_numeric(&factors, F_TOKENS_PER_CALL, exact_quotient(int64_to_numeric(plain), int64_to_numeric(calls)));
		set_numeric(&factors, F_REASONING_MULTIPLIER, exact_quotient(int64_to_numeric(mixed), int64_to_numeric(plain)));
		set_numeric(&factors, F_COVERAGE_MULTIPLIER, exact_quotient(int64_to_numeric(total), int64_to_numeric(mixed)));
	}
	else if (total == 0)
		reason = "no call reports tokens";
	else if (calls == 0)
		reason = "no call has a user, a session and a turn";
	else if (mixed == 0)
		reason = "no call with a user, a session and a turn reports tokens";
	else
		reason = "all tokens of calls with a user, a session and a turn are reasoning";

	if (total > 0)
		set_numeric(&factors, F_COVERAGE,
					mixed == 0 ? int64_to_numeric(0) : exact_quotient(int64_to_numeric(mixed), int64_to_numeric(total)));
	if (cacheable > 0)
	{
		set_value(&factors, F_CACHEABLE_TOKENS, Int64GetDatum(cacheable));
		set_numeric(&factors, F_CACHE_HIT_RATE,
					mix.count[METER_CACHE_READ] == 0 ? int64_to_numeric(0) :
					exact_quotient(int64_to_numeric(mix.count[METER_CACHE_READ]), int64_to_numeric(cacheable)));
	}
	if (total > 0 && peak > 0 && seconds > 0)
	{
		Numeric		ratio = exact_quotient(call_numeric(numeric_mul, int64_to_numeric(peak), int64_to_numeric(seconds)),
										   call_numeric(numeric_mul, int64_to_numeric(total), int64_to_numeric(SECS_PER_HOUR)));

		/*
		 * Where clocks are put forward by half an hour no hour may be whole:
		 * use without any peak would be below its average.
		 */
		if (compare_numeric(ratio, int64_to_numeric(1)) < 0)
			ratio = int64_to_numeric(1);
		set_numeric(&factors, F_PEAK_TO_AVERAGE, ratio);
	}
	if (reason != NULL)
		set_value(&factors, F_REASON, CStringGetTextDatum(reason));
	return factors_datum(fcinfo, &factors);
}

Datum
factors_total_tokens(PG_FUNCTION_ARGS)
{
	Factors		factors;
	Numeric		product;

	plan_read(PG_GETARG_DATUM(0), &factors);
	if (!factors_product(&factors, &product))
		PG_RETURN_NULL();
	PG_RETURN_INT64(whole_tokens(product, int64_to_numeric(1)));
}

/*
 * Planning
 */

static DateADT
first_day_ahead(const Factors *factors, int months)
{
	int			year,
				month,
				day;

	j2date(DatumGetDateADT(factors->value[F_MONTH]) + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	month += months - 1;
	year += month / 12;
	month = month % 12 + 1;
	if (!IS_VALID_JULIAN(year, month, 1) || !IS_VALID_DATE(date2j(year, month, 1) - POSTGRES_EPOCH_JDATE))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("a month of demand factors is out of range")));
	return date2j(year, month, 1) - POSTGRES_EPOCH_JDATE;
}

static int
days_ahead(const Factors *factors, int months)
{
	if (factors->null[F_MONTH] || (months == 0 && !factors->null[F_DAYS]))
		return DatumGetInt32(factors->value[F_DAYS]);
	return first_day_ahead(factors, months + 1) - first_day_ahead(factors, months);
}

/*
 * plan_factors(users, sessions_per_user, turns_per_session, calls_per_turn,
 * call, peak_to_average, monthly_growth, coverage_multiplier, month, days)
 */
Datum
plan_factors(PG_FUNCTION_ARGS)
{
	static const FactorColumn column[] = {
		F_USERS, F_SESSIONS_PER_USER, F_TURNS_PER_SESSION, F_CALLS_PER_TURN, F_MIX,
		F_PEAK_TO_AVERAGE, F_MONTHLY_GROWTH, F_COVERAGE_MULTIPLIER, F_MONTH, F_DAYS
	};
	Factors		factors;
	TokenCounts call;
	int64		plain;

	memset(factors.null, true, sizeof(factors.null));
	memset(factors.value, 0, sizeof(factors.value));
	for (int n = 0; n < lengthof(column); n++)
		if (!PG_ARGISNULL(n))
			set_value(&factors, column[n], PG_GETARG_DATUM(n));
	if (!factors.null[F_MONTH] && DATE_NOT_FINITE(DatumGetDateADT(factors.value[F_MONTH])))
		infinite_month();
	if (factors.null[F_DAYS])
		set_value(&factors, F_DAYS, Int32GetDatum(factors.null[F_MONTH] ? DAYS_OF_ANY_MONTH : days_ahead(&factors, 0)));
	for (int c = 0; c < N_FACTOR_COLUMNS; c++)
		check_factor(&factors, c);
	require(&factors, F_MIX, "call");
	token_counts_read(factors.value[F_MIX], &call);
	plain = token_counts_sum(&call, PLAIN_METERS);
	if (plain == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a call needs tokens that are not reasoning")));
	set_value(&factors, F_MIX_CALLS, Int64GetDatum(1));
	set_numeric(&factors, F_TOKENS_PER_CALL, int64_to_numeric(plain));
	set_numeric(&factors, F_REASONING_MULTIPLIER,
				exact_quotient(int64_to_numeric(token_counts_sum(&call, TOKEN_METERS)), int64_to_numeric(plain)));
	if (call.reported & METER_BIT(METER_CACHE_READ))
	{
		int64		input = token_counts_sum(&call, meters_of_side(SIDE_INPUT));

		set_value(&factors, F_CACHEABLE_TOKENS, Int64GetDatum(input));
		if (call.count[METER_CACHE_READ] > 0)
			set_numeric(&factors, F_CACHE_HIT_RATE,
						exact_quotient(int64_to_numeric(call.count[METER_CACHE_READ]), int64_to_numeric(input)));
		else
			set_numeric(&factors, F_CACHE_HIT_RATE, int64_to_numeric(0));
	}
	require_product(&factors);
	return factors_datum(fcinfo, &factors);
}

/* The mix, which a plan cannot do without. */
static void
read_mix(const Factors *factors, TokenCounts *mix)
{
	require(factors, F_MIX, "mix");
	require(factors, F_MIX_CALLS, "mix_calls");
	token_counts_read(factors->value[F_MIX], mix);
}

/* part * to / from, to the nearest. */
static int64
scaled(int64 part, int64 to, int64 from)
{
	return (int64) (((unsigned __int128) part * to * 2 + from) / ((unsigned __int128) from * 2));
}

/*
 * Makes the token meters that are not reasoning add up to so many, each in
 * proportion: what all up to a meter have, rounded, less what all before it do.
 */
static void
scale_plain_meters(TokenCounts *mix, int64 to)
{
	int64		from = token_counts_sum(mix, PLAIN_METERS);
	int64		before = 0;
	int64		before_scaled = 0;
	MeterSet	rest = mix->reported & PLAIN_METERS;
	Meter		m;

	if (from == 0 && to > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the mix of demand factors has no tokens that are not reasoning"),
				 errdetail("Nothing says of which meters the %lld tokens of the plan are.", (long long) to)));
	if (from > 0)
		FOR_EACH_METER(m, rest)
	{
		int64		up_to = before + mix->count[m];
		int64		up_to_scaled = scaled(up_to, to, from);

		mix->count[m] = up_to_scaled - before_scaled;
		before = up_to;
		before_scaled = up_to_scaled;
	}
}

static void
set_reasoning(TokenCounts *mix, int64 count)
{
	if (count > 0)
		mix->reported |= METER_BIT(METER_REASONING);
	mix->count[METER_REASONING] = count;
}

/* Enlarges a mix, exactly, so that moving its tokens is not rounded visibly. */
static void
enlarge_mix(TokenCounts *mix, int64 *calls, int64 *cacheable)
{
	while (token_counts_sum(mix, TOKEN_METERS) < MIX_ENOUGH)
	{
		int64		largest = Max(*calls, *cacheable);

		for (int m = 0; m < N_METERS; m++)
			largest = Max(largest, mix->count[m]);
		if (largest == 0 || largest > PG_INT64_MAX / 100)
			break;
		for (int m = 0; m < N_METERS; m++)
			mix->count[m] *= 10;
		*calls *= 10;
		*cacheable *= 10;
	}
}

/*
 * Moves tokens of the mix between what is read from a cache and what is not:
 * input, and writes to it, each in proportion to what there is of them.
 */
static void
set_hit_rate(Factors *factors)
{
	TokenCounts mix;
	int64		calls;
	int64		cacheable;
	int64		other;
	int64		moved;
	int64		rest;

	read_mix(factors, &mix);
	calls = DatumGetInt64(factors->value[F_MIX_CALLS]);
	/* where no call reports it, any input might be */
	cacheable = factors->null[F_CACHEABLE_TOKENS] || DatumGetInt64(factors->value[F_CACHEABLE_TOKENS]) == 0 ?
		token_counts_sum(&mix, meters_of_side(SIDE_INPUT)) : DatumGetInt64(factors->value[F_CACHEABLE_TOKENS]);
	enlarge_mix(&mix, &calls, &cacheable);

	other = token_counts_sum(&mix, METER_BIT(METER_INPUT) | METER_BIT(METER_CACHE_WRITE) | METER_BIT(METER_CACHE_WRITE_1H));
	moved = whole_tokens(call_numeric(numeric_mul, get_numeric(factors, F_CACHE_HIT_RATE), int64_to_numeric(cacheable)),
						 int64_to_numeric(1)) - mix.count[METER_CACHE_READ];
	if (moved > other)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a cache_hit_rate of %s cannot be reached",
						DatumGetCString(DirectFunctionCall1(numeric_out, factors->value[F_CACHE_HIT_RATE]))),
				 errdetail("Of %lld tokens that could be cached, only %lld are input, cache_write or cache_read.",
						   (long long) cacheable, (long long) (other + mix.count[METER_CACHE_READ]))));
	rest = other - moved;
	mix.reported |= METER_BIT(METER_CACHE_READ);
	mix.count[METER_CACHE_READ] += moved;
	if (other == 0)
	{
		mix.reported |= METER_BIT(METER_INPUT);
		mix.count[METER_INPUT] = rest;
	}
	else
	{
		int64		write = mix.count[METER_CACHE_WRITE];
		int64		writes = write + mix.count[METER_CACHE_WRITE_1H];

		mix.count[METER_CACHE_WRITE] = scaled(write, rest, other);
		mix.count[METER_CACHE_WRITE_1H] = scaled(writes, rest, other) - mix.count[METER_CACHE_WRITE];
		mix.count[METER_INPUT] = rest - scaled(writes, rest, other);
		if (mix.count[METER_INPUT] > 0)
			mix.reported |= METER_BIT(METER_INPUT);
	}
	set_value(factors, F_MIX, token_counts_datum(&mix));
	set_value(factors, F_MIX_CALLS, Int64GetDatum(calls));
	set_value(factors, F_CACHEABLE_TOKENS, Int64GetDatum(cacheable));
}

/* The lever of a name; fails where there is none. */
static FactorColumn
lever_by_name(const text *name)
{
	for (int c = 0; c < N_FACTOR_COLUMNS; c++)
		if (factor_info[c].is_lever && strlen(factor_info[c].name) == VARSIZE_ANY_EXHDR(name) &&
			memcmp(factor_info[c].name, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) == 0)
			return c;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no factor \"%.*s\" to plan with", (int) VARSIZE_ANY_EXHDR(name), VARDATA_ANY(name)),
			 errhint("The factors are users, sessions_per_user, turns_per_session, calls_per_turn, tokens_per_call, "
					 "reasoning_multiplier, coverage_multiplier, cache_hit_rate, peak_to_average, monthly_growth and days.")));
	return F_DAYS;				/* keep the compiler quiet */
}

/* with_factor(factors, name, value, multiply): one of the last two is NULL */
Datum
with_factor(PG_FUNCTION_ARGS)
{
	Factors		factors;
	FactorColumn column;
	Numeric		value;
	Numeric		product;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the name of a factor must not be null")));
	plan_read(PG_GETARG_DATUM(0), &factors);
	column = lever_by_name(PG_GETARG_TEXT_PP(1));
	if (PG_ARGISNULL(2) == PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(PG_ARGISNULL(2) ? ERRCODE_NULL_VALUE_NOT_ALLOWED : ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a factor is given a value, or multiplied: one of them"),
				 errhint("As in with_factor(factors, '%s', 2) or with_factor(factors, '%s', multiply => 1.5).",
						 factor_info[column].name, factor_info[column].name)));
	if (!PG_ARGISNULL(2))
		value = PG_GETARG_NUMERIC(2);
	else
	{
		require(&factors, column, factor_info[column].name);
		value = call_numeric(numeric_mul,
							 column == F_DAYS ? int64_to_numeric(DatumGetInt32(factors.value[column])) : get_numeric(&factors, column),
							 PG_GETARG_NUMERIC(3));
	}

	if (column == F_DAYS)
	{
		if (numeric_is_nan(value) || numeric_is_inf(value) || compare_numeric(value, round_numeric(value, 0)) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("days must be whole, not %s",
							DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value))))));
		set_value(&factors, column, DirectFunctionCall1(numeric_int4, NumericGetDatum(value)));
	}
	else
		set_numeric(&factors, column, trim_zeros(value));
	check_factor(&factors, column);
	if (column == F_CACHE_HIT_RATE)
		set_hit_rate(&factors);
	if (column == F_REASONING_MULTIPLIER && !factors.null[F_MIX])
	{
		TokenCounts mix;

		token_counts_read(factors.value[F_MIX], &mix);
		set_reasoning(&mix, whole_tokens(call_numeric(numeric_mul, int64_to_numeric(token_counts_sum(&mix, PLAIN_METERS)),
													  call_numeric(numeric_sub, value, int64_to_numeric(1))),
										 int64_to_numeric(1)));
		set_value(&factors, F_MIX, token_counts_datum(&mix));
	}
	if (factors_product(&factors, &product))
	{
		factors.null[F_REASON] = true;
		factors.value[F_REASON] = (Datum) 0;
	}
	return factors_datum(fcinfo, &factors);
}

/*
 * A month ahead
 */

static void
check_months_ahead(const Factors *factors, int months)
{
	if (months < 0 || months > MAX_MONTHS_AHEAD)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("months_ahead must be 0 to %d, not %d", MAX_MONTHS_AHEAD, months)));
	if (months > 0)
		require(factors, F_MONTHLY_GROWTH, "monthly_growth");
	require(factors, F_DAYS, "days");
}

/* Days of the month ahead and growth until then, or the days alone. */
static Ahead
ahead(const Factors *factors, int months, bool grown)
{
	Ahead		result;

	result.numerator = int64_to_numeric(days_ahead(factors, months));
	result.divisor = DatumGetInt32(factors->value[F_DAYS]);
	if (grown && months > 0)
	{
		Numeric		growth = call_numeric(numeric_add, get_numeric(factors, F_MONTHLY_GROWTH), int64_to_numeric(1));

		for (int i = 0; i < months; i++)
			result.numerator = call_numeric(numeric_mul, result.numerator, growth);
	}
	return result;
}

static int64
tokens_ahead(Numeric tokens, const Ahead *to)
{
	return whole_tokens(call_numeric(numeric_mul, tokens, to->numerator), int64_to_numeric(to->divisor));
}

/* The product of the factors up to one, the reasoning multiplier in or out. */
static Numeric
product_up_to(const Factors *factors, FactorColumn last, bool reasoning)
{
	Numeric		product = get_numeric(factors, FIRST_OF_PRODUCT);

	for (int c = FIRST_OF_PRODUCT + 1; c <= last; c++)
		if (c != F_REASONING_MULTIPLIER || reasoning)
			product = call_numeric(numeric_mul, product, get_numeric(factors, c));
	return product;
}

/* The tokens of the plan by meter; their total is that of the factors. */
static void
plan_by_meter(const Factors *factors, const Ahead *to, TokenCounts *counts)
{
	int64		total = tokens_ahead(product_up_to(factors, LAST_OF_PRODUCT, true), to);
	int64		plain = tokens_ahead(product_up_to(factors, LAST_OF_PRODUCT, false), to);
	Numeric		calls;
	Numeric		divisor;
	MeterSet	rest;
	Meter		m;

	read_mix(factors, counts);
	scale_plain_meters(counts, plain);
	set_reasoning(counts, total - plain);

	/* what is not tokens is by the call */
	calls = call_numeric(numeric_mul,
						 call_numeric(numeric_mul, product_up_to(factors, F_CALLS_PER_TURN, false),
									  get_numeric(factors, F_COVERAGE_MULTIPLIER)), to->numerator);
	divisor = call_numeric(numeric_mul, int64_to_numeric(DatumGetInt64(factors->value[F_MIX_CALLS])),
						   int64_to_numeric(to->divisor));
	rest = counts->reported & ~TOKEN_METERS;
	FOR_EACH_METER(m, rest)
		counts->count[m] = whole_tokens(call_numeric(numeric_mul, calls, int64_to_numeric(counts->count[m])), divisor);
}

/* tokens_by_meter(factors, months_ahead) */
Datum
tokens_by_meter(PG_FUNCTION_ARGS)
{
	Factors		factors;
	int			months = PG_GETARG_INT32(1);
	Ahead		to;
	TokenCounts counts;

	plan_read(PG_GETARG_DATUM(0), &factors);
	require_product(&factors);
	if (months == 0 && factors.null[F_DAYS])
		set_value(&factors, F_DAYS, Int32GetDatum(1));	/* no matter which */
	check_months_ahead(&factors, months);
	to = ahead(&factors, months, true);
	plan_by_meter(&factors, &to, &counts);
	return token_counts_datum(&counts);
}

/*
 * average_call(factors): whole tokens; a meter that the plan uses has one at
 * least, so that it is priced.
 */
Datum
average_call(PG_FUNCTION_ARGS)
{
	Factors		factors;
	TokenCounts mix;
	TokenCounts call;
	int64		calls;
	Numeric		plain;
	MeterSet	rest;
	Meter		m;

	plan_read(PG_GETARG_DATUM(0), &factors);
	require(&factors, F_TOKENS_PER_CALL, "tokens_per_call");
	require(&factors, F_REASONING_MULTIPLIER, "reasoning_multiplier");
	read_mix(&factors, &mix);
	calls = DatumGetInt64(factors.value[F_MIX_CALLS]);
	plain = get_numeric(&factors, F_TOKENS_PER_CALL);
	call = mix;
	scale_plain_meters(&call, whole_tokens(plain, int64_to_numeric(1)));
	set_reasoning(&call, whole_tokens(call_numeric(numeric_mul, plain,
												   call_numeric(numeric_sub, get_numeric(&factors, F_REASONING_MULTIPLIER),
																int64_to_numeric(1))), int64_to_numeric(1)));
	if (compare_numeric(get_numeric(&factors, F_REASONING_MULTIPLIER), int64_to_numeric(1)) > 0)
		set_reasoning(&call, Max(call.count[METER_REASONING], 1));
	rest = mix.reported & ~METER_BIT(METER_REASONING);
	FOR_EACH_METER(m, rest)
	{
		if (!(TOKEN_METERS & METER_BIT(m)))
			call.count[m] = mix.count[m] / calls;
		if (mix.count[m] > 0)
			call.count[m] = Max(call.count[m], 1);
	}
	return token_counts_datum(&call);
}

/* To 12 decimals. */
static Datum
per_second(Numeric tokens, int days)
{
	Numeric		seconds = int64_to_numeric((int64) days * SECS_PER_DAY);

	return NumericGetDatum(trim_zeros(round_numeric(call_numeric(numeric_div, round_numeric(tokens, 20), seconds), 12)));
}

/* token_demand(factors, months_ahead): a row for each month, from 0 on */
Datum
token_demand(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Factors		factors;
	int			last = PG_GETARG_INT32(1);

	InitMaterializedSRF(fcinfo, 0);
	plan_read(PG_GETARG_DATUM(0), &factors);
	require_product(&factors);
	check_months_ahead(&factors, last);
	for (int months = 0; months <= last; months++)
	{
		Numeric		whole = product_up_to(&factors, LAST_OF_PRODUCT, true);
		Numeric		one = int64_to_numeric(1);
		Ahead		in_month = ahead(&factors, months, false);
		Ahead		grown = ahead(&factors, months, true);
		int			days = days_ahead(&factors, months);
		int64		step[] = {
			whole_tokens(call_numeric(numeric_mul, product_up_to(&factors, F_TURNS_PER_SESSION, false),
									  get_numeric(&factors, F_TOKENS_PER_CALL)), one),
			whole_tokens(product_up_to(&factors, F_TOKENS_PER_CALL, false), one),
			whole_tokens(product_up_to(&factors, F_REASONING_MULTIPLIER, true), one),
			whole_tokens(whole, one),
			tokens_ahead(whole, &in_month),
			tokens_ahead(whole, &grown),
		};
		int64		total = step[lengthof(step) - 1];
		Datum		values[N_DEMAND_COLUMNS] = {0};
		bool		nulls[N_DEMAND_COLUMNS] = {false};

		CHECK_FOR_INTERRUPTS();
		values[D_MONTHS_AHEAD] = Int32GetDatum(months);
		nulls[D_MONTH] = factors.null[F_MONTH];
		if (!nulls[D_MONTH])
			values[D_MONTH] = DateADTGetDatum(first_day_ahead(&factors, months));
		values[D_DAYS] = Int32GetDatum(days);
		values[D_FLOOR] = Int64GetDatum(step[0]);
		for (int i = 1; i < lengthof(step); i++)
			values[D_FLOOR + i] = Int64GetDatum(step[i] - step[i - 1]);
		values[D_TOTAL] = Int64GetDatum(total);
		values[D_AVERAGE_PER_SECOND] = per_second(int64_to_numeric(total), days);

		nulls[D_PEAK_PER_SECOND] = factors.null[F_PEAK_TO_AVERAGE];
		if (!factors.null[F_PEAK_TO_AVERAGE])
			values[D_PEAK_PER_SECOND] =
				per_second(call_numeric(numeric_mul, int64_to_numeric(total), get_numeric(&factors, F_PEAK_TO_AVERAGE)), days);
		nulls[D_CACHE] = factors.null[F_CACHE_HIT_RATE];
		nulls[D_PEAK] = nulls[D_NEEDED] = nulls[D_CACHE] || factors.null[F_PEAK_TO_AVERAGE];
		if (!nulls[D_CACHE])
		{
			TokenCounts counts;
			int64		computed;

			plan_by_meter(&factors, &grown, &counts);
			computed = total - counts.count[METER_CACHE_READ];
			values[D_CACHE] = Int64GetDatum(-counts.count[METER_CACHE_READ]);
			if (!nulls[D_NEEDED])
			{
				int64		needed = whole_tokens(call_numeric(numeric_mul, int64_to_numeric(computed),
															   get_numeric(&factors, F_PEAK_TO_AVERAGE)), one);

				values[D_PEAK] = Int64GetDatum(needed - computed);
				values[D_NEEDED] = Int64GetDatum(needed);
			}
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}

/*
 * Comparing
 */

/* Whether two plans split what is not reasoning over the meters alike. */
static bool
same_mix(const Factors *a, const Factors *b)
{
	TokenCounts mix_a,
				mix_b;
	int64		plain_a,
				plain_b;

	if (a->null[F_MIX] || b->null[F_MIX])
		return a->null[F_MIX] && b->null[F_MIX];
	read_mix(a, &mix_a);
	read_mix(b, &mix_b);
	plain_a = token_counts_sum(&mix_a, PLAIN_METERS);
	plain_b = token_counts_sum(&mix_b, PLAIN_METERS);
	for (int m = 0; m < N_METERS; m++)
	{
		if (PLAIN_METERS & METER_BIT(m) ?
			(int128) mix_a.count[m] * plain_b != (int128) mix_b.count[m] * plain_a :
			!(TOKEN_METERS & METER_BIT(m)) &&
			(int128) mix_a.count[m] * DatumGetInt64(b->value[F_MIX_CALLS]) !=
			(int128) mix_b.count[m] * DatumGetInt64(a->value[F_MIX_CALLS]))
			return false;
	}
	return true;
}

static bool
same_factor(const Factors *a, const Factors *b, FactorColumn column)
{
	if (column == F_MIX)
		return same_mix(a, b) && same_factor(a, b, F_CACHE_HIT_RATE);
	if (a->null[column] || b->null[column])
		return a->null[column] && b->null[column];
	if (column == F_DAYS)
		return DatumGetInt32(a->value[column]) == DatumGetInt32(b->value[column]);
	return compare_numeric(get_numeric(a, column), get_numeric(b, column)) == 0;
}

/* What may make the tokens or the cost of two plans differ, in this order. */
static const FactorColumn compared[] = {
	F_USERS, F_SESSIONS_PER_USER, F_TURNS_PER_SESSION, F_CALLS_PER_TURN, F_TOKENS_PER_CALL,
	F_REASONING_MULTIPLIER, F_COVERAGE_MULTIPLIER, F_MIX, F_MONTHLY_GROWTH, F_DAYS
};

static const char *
compared_name(FactorColumn column)
{
	return column == F_MIX ? "mix" : factor_info[column].name;
}

/* The mix goes by the name of the rate, where that differs. */
static const char *
changed_name(const Factors *a, const Factors *b, FactorColumn column)
{
	return compared_name(column == F_MIX && !same_factor(a, b, F_CACHE_HIT_RATE) ? F_CACHE_HIT_RATE : column);
}

/* changed_factors(base, other) */
Datum
changed_factors(PG_FUNCTION_ARGS)
{
	Factors		base,
				other;
	Datum		names[lengthof(compared)];
	int			count = 0;

	plan_read(PG_GETARG_DATUM(0), &base);
	plan_read(PG_GETARG_DATUM(1), &other);
	for (int i = 0; i < lengthof(compared); i++)
		if (!same_factor(&base, &other, compared[i]))
			names[count++] = CStringGetTextDatum(changed_name(&base, &other, compared[i]));
	PG_RETURN_ARRAYTYPE_P(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* with_factors_of(base, other, names) */
Datum
with_factors_of(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(2);
	Factors		result,
				other;
	Datum	   *names;
	bool	   *nulls;
	int			count;

	plan_read(PG_GETARG_DATUM(0), &result);
	plan_read(PG_GETARG_DATUM(1), &other);
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *name = nulls[i] ? NULL : TextDatumGetCString(names[i]);
		bool		found = false;

		for (int k = 0; name != NULL && k < lengthof(compared); k++)
			if (strcmp(name, compared_name(compared[k])) == 0 ||
				(compared[k] == F_MIX && strcmp(name, factor_info[F_CACHE_HIT_RATE].name) == 0))
			{
				int			last = compared[k] == F_MIX ? F_CACHE_HIT_RATE : compared[k];

				for (int c = compared[k]; c <= last; c++)
				{
					result.value[c] = other.value[c];
					result.null[c] = other.null[c];
				}
				found = true;
			}
		if (!found)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("there is no factor \"%s\" to take over", name == NULL ? "null" : name),
					 errhint("changed_factors() names those that differ.")));
	}
	return factors_datum(fcinfo, &result);
}

/* The most factors whose effects are told apart. */
#define MAX_PLAYERS 10

/*
 * shapley_values(outcomes, scale): outcomes[1 + s] is that of the set s of
 * players, the bit 1 << i of which is player i + 1.  The sums are exact; each
 * effect is rounded once, and the largest takes what that leaves.
 */
Datum
shapley_values(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int32		scale = PG_GETARG_INT32(1);
	Datum	   *outcome;
	bool	   *nulls;
	int			count;
	int			players = 0;
	int64		factorial[MAX_PLAYERS + 1] = {1};
	Datum		effect[MAX_PLAYERS];
	Numeric		rest;
	int			largest = 0;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("outcomes must be a one-dimensional array")));
	if (scale < 0 || scale > 30)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scale %d is out of range", scale),
				 errdetail("An effect has 0 to 30 decimals.")));
	deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT, &outcome, &nulls, &count);
	while (players < MAX_PLAYERS && 1 << players < count)
		players++;
	if (1 << players != count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there are %d outcomes", count),
				 errdetail("Of n players there are 2 ^ n sets, of at most %d players.", MAX_PLAYERS)));
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			PG_RETURN_NULL();
		if (numeric_is_nan(DatumGetNumeric(outcome[i])) || numeric_is_inf(DatumGetNumeric(outcome[i])))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("outcome %d is not finite", i + 1)));
	}
	for (int i = 1; i <= players; i++)
		factorial[i] = factorial[i - 1] * i;

	rest = call_numeric(numeric_sub, DatumGetNumeric(outcome[count - 1]), DatumGetNumeric(outcome[0]));
	for (int i = 0; i < players; i++)
	{
		Numeric		sum = int64_to_numeric(0);
		Numeric		two = int64_to_numeric(2);
		Numeric		orders = int64_to_numeric(factorial[players]);
		Numeric		share;

		for (int s = 0; s < count; s++)
		{
			int			size = pg_popcount32(s);

			CHECK_FOR_INTERRUPTS();
			if (s & 1 << i)
				continue;
			share = call_numeric(numeric_sub, DatumGetNumeric(outcome[s | 1 << i]), DatumGetNumeric(outcome[s]));
			sum = call_numeric(numeric_add, sum,
							   call_numeric(numeric_mul, share,
											int64_to_numeric(factorial[size] * factorial[players - size - 1])));
		}
		/* to the nearest, away from zero: cut off after half of one is added */
		share = call_numeric(numeric_mul, call_numeric(numeric_mul, sum, power_of_ten(scale)), two);
		share = compare_numeric(sum, int64_to_numeric(0)) < 0 ?
			call_numeric(numeric_sub, share, orders) : call_numeric(numeric_add, share, orders);
		share = call_numeric(numeric_div_trunc, share, call_numeric(numeric_mul, orders, two));
		share = trim_zeros(call_numeric(numeric_mul, share, power_of_ten(-scale)));
		effect[i] = NumericGetDatum(share);
		rest = call_numeric(numeric_sub, rest, share);
		if (compare_numeric(DatumGetNumeric(DirectFunctionCall1(numeric_abs, effect[i])),
							DatumGetNumeric(DirectFunctionCall1(numeric_abs, effect[largest]))) > 0)
			largest = i;
	}
	if (players > 0)
		effect[largest] = NumericGetDatum(trim_zeros(call_numeric(numeric_add, DatumGetNumeric(effect[largest]), rest)));
	PG_RETURN_ARRAYTYPE_P(construct_array(effect, players, NUMERICOID, -1, false, TYPALIGN_INT));
}

/*
 * What a cache is worth
 */

/* input_equivalent_tokens(tokens, rates) */
Datum
input_equivalent_tokens(PG_FUNCTION_ARGS)
{
	TokenCounts counts;
	RateCard	card;
	PricedRates rates;
	Money		cost;

	token_counts_read(PG_GETARG_DATUM(0), &counts);
	rate_card_read(PG_GETARG_DATUM(1), &card);
	rates_resolve(&card, &rates);
	counts.reported &= meters_of_side(SIDE_INPUT);
	for (int m = 0; m < N_METERS; m++)
		if (!(counts.reported & METER_BIT(m)))
			counts.count[m] = 0;
	if (!rates_cost(&rates, &counts, &cost) || rates.rate[METER_INPUT] == 0 || counts.reported == 0)
		PG_RETURN_NULL();
	if (cost == 0)
		PG_RETURN_NUMERIC(int64_to_numeric(0));
	/* both in millions of millionths, of which there are whole ones */
	PG_RETURN_NUMERIC(exact_quotient(trim_zeros(call_numeric(numeric_mul, money_to_numeric(cost), power_of_ten(MONEY_SCALE))),
									 int64_to_numeric(rates.rate[METER_INPUT])));
}

/* net_cache_saving(tokens, rates) */
Datum
net_cache_saving(PG_FUNCTION_ARGS)
{
	TokenCounts counts;
	RateCard	card;
	PricedRates rates;
	MeterSet	rest;
	Meter		m;
	Money		saving = 0;

	token_counts_read(PG_GETARG_DATUM(0), &counts);
	rate_card_read(PG_GETARG_DATUM(1), &card);
	rates_resolve(&card, &rates);
	rest = counts.reported & CACHED_METERS;
	if (rest == 0)
		PG_RETURN_NULL();
	FOR_EACH_METER(m, rest)
	{
		if (counts.count[m] == 0)
			continue;
		if ((rates.priced & METER_BIT(m)) == 0 || (rates.priced & METER_BIT(METER_INPUT)) == 0)
			PG_RETURN_NULL();
		/* a write that costs more than input saves less than nothing */
		saving = money_add(saving, ((Money) rates.rate[METER_INPUT] - rates.rate[m]) * counts.count[m]);
	}
	PG_RETURN_NUMERIC(money_to_numeric(saving));
}
