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
#include "tokens.h"
#include "utils/date.h"
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

SQL_FUNCTION(factors_of_counts);
SQL_FUNCTION(factors_total_tokens);

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

/* A whole number of tokens; fails where no bigint holds it. */
static int64
numeric_tokens(Numeric value)
{
	Numeric		rounded = round_numeric(value, 0);

	if (numeric_is_nan(value) || numeric_is_inf(value) ||
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

	factors_read(PG_GETARG_DATUM(0), &factors);
	if (!factors_product(&factors, &product))
		PG_RETURN_NULL();
	PG_RETURN_INT64(numeric_tokens(product));
}
