/*-------------------------------------------------------------------------
 *
 * decimal.h
 *	  Arithmetic of numeric values from C.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_DECIMAL_H
#define TOKENOMICS_DECIMAL_H

#include "compat.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

static inline Numeric
call_numeric(PGFunction function, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(function,
											   NumericGetDatum(a),
											   NumericGetDatum(b)));
}

/* Below, at or above zero as a is less than, equal to or greater than b. */
static inline int
compare_numeric(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp,
											 NumericGetDatum(a),
											 NumericGetDatum(b)));
}

static inline Numeric
trim_zeros(Numeric value)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale,
											   NumericGetDatum(value)));
}

/* Half is rounded away from zero. */
static inline Numeric
round_numeric(Numeric value, int32 scale)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_round,
											   NumericGetDatum(value),
											   Int32GetDatum(scale)));
}

static inline Numeric
power_of_ten(int exponent)
{
	char		buf[16];

	snprintf(buf, sizeof(buf), "1e%d", exponent);
	return DatumGetNumeric(DirectFunctionCall3(numeric_in,
											   CStringGetDatum(buf),
											   ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1)));
}

#endif							/* TOKENOMICS_DECIMAL_H */
