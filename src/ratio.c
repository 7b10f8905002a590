/*-------------------------------------------------------------------------
 *
 * ratio.c
 *	  The quotients that reports show: a price for a million tokens, a saving,
 *	  a growth.  Each has its formula here and nowhere else.
 *
 * A quotient is the one kind of figure that is not exact: it has at least 16
 * significant digits, as numeric division has.  By zero there is none: NULL.
 *
 *-------------------------------------------------------------------------
 */
#include "ratio.h"

#include "decimal.h"

SQL_FUNCTION(cost_per_mtok);
SQL_FUNCTION(savings_rate);
SQL_FUNCTION(growth_rate);
SQL_FUNCTION(compound_growth);
SQL_FUNCTION(exchanged);

static Datum
quotient(Datum dividend, Numeric divisor, bool *is_null)
{
	Datum		zero = NumericGetDatum(int64_to_numeric(0));

	*is_null = DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(divisor), zero));
	if (*is_null)
		return (Datum) 0;
	return DirectFunctionCall1(numeric_trim_scale,
							   DirectFunctionCall2(numeric_div, dividend, NumericGetDatum(divisor)));
}

/* amount * 1000000 / tokens */
Datum
amount_per_mtok(Numeric amount, Numeric tokens, bool *is_null)
{
	return quotient(DirectFunctionCall2(numeric_mul, NumericGetDatum(amount),
										NumericGetDatum(int64_to_numeric(1000000))),
					tokens, is_null);
}

/* (current - previous) / previous */
Datum
change_of(Numeric current, Numeric previous, bool *is_null)
{
	return quotient(DirectFunctionCall2(numeric_sub, NumericGetDatum(current), NumericGetDatum(previous)),
					previous, is_null);
}

/* cost_per_mtok(cost, tokens) */
Datum
cost_per_mtok(PG_FUNCTION_ARGS)
{
	return amount_per_mtok(PG_GETARG_NUMERIC(0), PG_GETARG_NUMERIC(1), &fcinfo->isnull);
}

/* savings_rate(cost, list_cost): 1 - cost / list_cost */
Datum
savings_rate(PG_FUNCTION_ARGS)
{
	Datum		change = change_of(PG_GETARG_NUMERIC(0), PG_GETARG_NUMERIC(1), &fcinfo->isnull);

	return fcinfo->isnull ? change : DirectFunctionCall1(numeric_uminus, change);
}

/* growth_rate(current, previous): current / previous - 1 */
Datum
growth_rate(PG_FUNCTION_ARGS)
{
	return change_of(PG_GETARG_NUMERIC(0), PG_GETARG_NUMERIC(1), &fcinfo->isnull);
}

/* compound_growth(current, previous, periods) */
Datum
compound_growth(PG_FUNCTION_ARGS)
{
	Numeric		one = int64_to_numeric(1);
	Numeric		zero = int64_to_numeric(0);
	Numeric		current = PG_GETARG_NUMERIC(0);
	Numeric		previous = PG_GETARG_NUMERIC(1);
	int32		periods = PG_GETARG_INT32(2);
	Datum		root;

	if (periods < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("growth is over one period at least, not %d", periods)));
	if (compare_numeric(current, zero) < 0 || compare_numeric(previous, zero) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("growth that is compound is of amounts that are not negative")));
	if (compare_numeric(previous, zero) == 0)
		PG_RETURN_NULL();
	if (compare_numeric(current, zero) == 0)
		PG_RETURN_NUMERIC(int64_to_numeric(-1));

	/* the 20 digits more keep the root right to those that are shown */
	root = DirectFunctionCall2(numeric_power,
							   DirectFunctionCall2(numeric_div,
												   DirectFunctionCall2(numeric_round, NumericGetDatum(current), Int32GetDatum(20)),
												   NumericGetDatum(previous)),
							   DirectFunctionCall2(numeric_div,
												   DirectFunctionCall2(numeric_round, NumericGetDatum(one), Int32GetDatum(20)),
												   NumericGetDatum(int64_to_numeric(periods))));
	return NumericGetDatum(trim_zeros(round_numeric(call_numeric(numeric_sub, DatumGetNumeric(root), one), 12)));
}

/*
 * An amount in another currency: times the rate, or by it where that is of the
 * other way round; rounded once.
 */
Numeric
exchange(Numeric amount, Numeric rate, bool is_inverse)
{
	Numeric		result;

	if (is_inverse)
	{
		/* the quotient is longer than what is kept of it */
		Numeric		dividend = call_numeric(numeric_mul, amount, round_numeric(int64_to_numeric(1), 30));

		result = call_numeric(numeric_div, dividend, rate);
	}
	else
		result = call_numeric(numeric_mul, amount, rate);
	return trim_zeros(round_numeric(result, EXCHANGE_SCALE));
}

/* exchanged(amount, rate, is_inverse) */
Datum
exchanged(PG_FUNCTION_ARGS)
{
	PG_RETURN_NUMERIC(exchange(PG_GETARG_NUMERIC(0), PG_GETARG_NUMERIC(1), PG_GETARG_BOOL(2)));
}
