/*-------------------------------------------------------------------------
 *
 * charge.c
 *	  Splitting an amount that is not charged by the call: over time, and
 *	  over the lines that share it.
 *
 * An invoice may state any amount, so amounts are numeric here and all
 * arithmetic is exact.  A share is cut off, toward zero, at the decimals asked
 * for, and the last share takes what that leaves: shares add up to the amount
 * to its last digit, and those of a credit are those of a purchase with the
 * sign turned.
 *
 *-------------------------------------------------------------------------
 */
#include "decimal.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/timestamp.h"

/* An amount may be split to at most this many decimals. */
#define MAX_SHARE_SCALE 30

/* An amount, split to a number of decimals in proportion to parts of a whole. */
typedef struct Split
{
	Numeric		amount;
	Numeric		amount_in_units;
	Numeric		unit;			/* 10^-scale */
	Numeric		whole;			/* above zero */
} Split;

SQL_FUNCTION(charge_amortise);
SQL_FUNCTION(charge_elapsed_share);

/* Of a number that is not negative and has at most 36 digits. */
static Numeric
int128_numeric(int128 value)
{
	const int64 base = INT64CONST(1000000000000000000);

	if (value < base)
		return int64_to_numeric((int64) value);
	return call_numeric(numeric_add,
						call_numeric(numeric_mul,
									 int64_to_numeric((int64) (value / base)),
									 int64_to_numeric(base)),
						int64_to_numeric((int64) (value % base)));
}

static void
begin_split(Split *split, Numeric amount, int32 scale, int128 whole)
{
	split->amount = amount;
	split->amount_in_units = call_numeric(numeric_mul, amount, power_of_ten(scale));
	split->unit = power_of_ten(-scale);
	split->whole = int128_numeric(whole);
}

/* The share of a part, cut off.  Memory stays for the result alone. */
static Numeric
share_of(const Split *split, Numeric part)
{
	Numeric		product = call_numeric(numeric_mul, split->amount_in_units, part);
	Numeric		units = call_numeric(numeric_div_trunc, product, split->whole);
	Numeric		share = call_numeric(numeric_mul, units, split->unit);
	Numeric		result = trim_zeros(share);

	pfree(product);
	pfree(units);
	pfree(share);
	return result;
}

static void
check_split(Numeric amount, int32 scale)
{
	if (numeric_is_nan(amount) || numeric_is_inf(amount))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot split an amount that is not finite")));
	if (scale < 0 || scale > MAX_SHARE_SCALE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scale %d is out of range", scale),
				 errdetail("An amount is split to 0 to %d decimals.",
						   MAX_SHARE_SCALE)));
}

/*
 * Over lines
 */

/* Returns the sum of the weights. */
static int128
check_weights(const Datum *weights, const bool *nulls, int count)
{
	int128		sum = 0;

	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("weight %d is null", i + 1),
					 errhint("A line that takes no share has weight 0.")));
		if (DatumGetInt64(weights[i]) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("weight %d is negative: %lld", i + 1,
							(long long) DatumGetInt64(weights[i]))));
		sum += DatumGetInt64(weights[i]);
	}
	return sum;
}

Datum
charge_amortise(PG_FUNCTION_ARGS)
{
	Numeric		amount;
	int32		scale;
	int128		capacity = 0;
	int128		used;
	Datum	   *weights = NULL;
	bool	   *nulls = NULL;
	int			count = 0;
	Datum	   *shares;
	Split		split;
	Numeric		rest;
	int			last;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	amount = PG_GETARG_NUMERIC(0);
	if (PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("scale must not be null")));
	scale = PG_GETARG_INT32(3);
	check_split(amount, scale);
	if (!PG_ARGISNULL(2))
	{
		capacity = PG_GETARG_INT64(2);
		if (capacity < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("capacity is negative: %lld",
							(long long) capacity)));
	}
	/* array_agg() of no lines is NULL: the amount must not vanish with it */
	if (!PG_ARGISNULL(1))
	{
		ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);

		if (ARR_NDIM(array) > 1)
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("weights must be a one-dimensional array")));
		deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
						  TYPALIGN_DOUBLE, &weights, &nulls, &count);
	}
	used = check_weights(weights, nulls, count);

	/* The one that takes the rest: idle, or the last line with a weight. */
	last = count;
	if (used > 0 && used >= capacity)
		while (DatumGetInt64(weights[--last]) == 0)
			 /* before it */ ;

	shares = palloc(sizeof(Datum) * ((Size) count + 1));
	rest = amount;
	begin_split(&split, amount, scale, Max(Max(used, capacity), 1));
	for (int i = 0; i <= count; i++)
	{
		Numeric		weight;
		Numeric		share;
		Numeric		rest_before = rest;

		CHECK_FOR_INTERRUPTS();
		weight = int64_to_numeric(i < count && i != last ? DatumGetInt64(weights[i]) : 0);
		share = share_of(&split, weight);
		shares[i] = NumericGetDatum(share);
		rest = call_numeric(numeric_sub, rest_before, share);
		pfree(weight);
		if (rest_before != amount)
			pfree(rest_before);
	}
	shares[last] = NumericGetDatum(trim_zeros(rest));

	PG_RETURN_ARRAYTYPE_P(construct_array(shares, count + 1, NUMERICOID, -1,
										  false, TYPALIGN_INT));
}

/*
 * Over time
 */

/* What of the amount has elapsed at a time, cut off; at the end all of it. */
static Numeric
elapsed_at(const Split *split, TimestampTz start, TimestampTz end, TimestampTz at)
{
	int128		elapsed = (int128) Min(at, end) - start;

	if (at >= end)
		return split->amount;
	return share_of(split, int128_numeric(Max(elapsed, 0)));
}

Datum
charge_elapsed_share(PG_FUNCTION_ARGS)
{
	Numeric		amount = PG_GETARG_NUMERIC(0);
	RangeType  *whole = PG_GETARG_RANGE_P(1);
	RangeType  *part = PG_GETARG_RANGE_P(2);
	int32		scale = PG_GETARG_INT32(3);
	TypeCacheEntry *type = range_get_typcache(fcinfo, RangeTypeGetOid(whole));
	RangeBound	lower,
				upper;
	bool		empty;
	TimestampTz start,
				end,
				part_start,
				part_end;
	Split		split;

	check_split(amount, scale);

	range_deserialize(type, whole, &lower, &upper, &empty);
	start = empty || lower.infinite ? DT_NOBEGIN : DatumGetTimestampTz(lower.val);
	end = empty || upper.infinite ? DT_NOEND : DatumGetTimestampTz(upper.val);
	if (empty || start == end)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the period of the amount is empty")));
	if (TIMESTAMP_NOT_FINITE(start) || TIMESTAMP_NOT_FINITE(end))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the period of the amount is infinite"),
				 errhint("Give it a start and an end.")));

	range_deserialize(type, part, &lower, &upper, &empty);
	if (empty)
		PG_RETURN_NUMERIC(int64_to_numeric(0));
	part_start = lower.infinite ? DT_NOBEGIN : DatumGetTimestampTz(lower.val);
	part_end = upper.infinite ? DT_NOEND : DatumGetTimestampTz(upper.val);

	begin_split(&split, amount, scale, (int128) end - start);
	PG_RETURN_NUMERIC(trim_zeros(call_numeric(numeric_sub,
											  elapsed_at(&split, start, end, part_end),
											  elapsed_at(&split, start, end, part_start))));
}
