/*-------------------------------------------------------------------------
 *
 * money.c
 *	  Exact amounts: 128-bit integers of 1e-15 currency units.
 *
 *-------------------------------------------------------------------------
 */
#include "money.h"

#include "utils/builtins.h"

/* A uint128 has at most 39 decimal digits. */
#define MONEY_DIGITS 40

void
money_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("amount of money out of range"),
			 errdetail("An amount is at most about 1.7e23 currency units.")));
}

/* The amount in currency units, without zeros at the end of its fraction. */
Numeric
money_to_numeric(Money amount)
{
	char		buf[MONEY_DIGITS + 3];
	char	   *end = buf + sizeof(buf) - 1;
	char	   *p = end;
	unsigned	__int128 rest;

	if (likely(amount >= PG_INT64_MIN && amount <= PG_INT64_MAX))
	{
		int64		value = (int64) amount;
		int			scale = MONEY_SCALE;

		if (value == 0)
			scale = 0;
		else
		{
			if (value % 100000000 == 0)
			{
				value /= 100000000;
				scale -= 8;
			}
			if (value % 10000 == 0)
			{
				value /= 10000;
				scale -= 4;
			}
			while (scale > 0 && value % 10 == 0)
			{
				value /= 10;
				scale--;
			}
		}
		return int64_div_fast_to_numeric(value, scale);
	}

	rest = amount < 0 ? -(unsigned __int128) amount : (unsigned __int128) amount;
	*p = '\0';
	for (int digit = 0; rest != 0 || digit <= MONEY_SCALE; digit++)
	{
		char		c = '0' + (int) (rest % 10);

		rest /= 10;
		if (digit == MONEY_SCALE && p != end)
			*--p = '.';
		if (p != end || c != '0' || digit >= MONEY_SCALE)
			*--p = c;
	}
	if (amount < 0)
		*--p = '-';
	return DatumGetNumeric(DirectFunctionCall3(numeric_in,
											   CStringGetDatum(p),
											   ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1)));
}

/*
 * Reads an amount from what numeric_out() prints; false where it is below
 * zero, out of range or has more decimals than an amount.
 */
bool
money_read(const char *digits, Money *amount)
{
	Money		value = 0;
	int			decimals = -1;	/* seen so far; -1: before the point */

	for (const char *p = digits; *p != '\0'; p++)
	{
		if (*p == '.' && decimals < 0)
		{
			decimals = 0;
			continue;
		}
		if (*p < '0' || *p > '9')
			return false;
		if (decimals == MONEY_SCALE)
		{
			if (*p != '0')
				return false;
			continue;
		}
		if (__builtin_mul_overflow(value, (Money) 10, &value) ||
			__builtin_add_overflow(value, (Money) (*p - '0'), &value))
			return false;
		if (decimals >= 0)
			decimals++;
	}
	for (decimals = Max(decimals, 0); decimals < MONEY_SCALE; decimals++)
		if (__builtin_mul_overflow(value, (Money) 10, &value))
			return false;
	*amount = value;
	return true;
}
