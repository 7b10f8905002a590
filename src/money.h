/*-------------------------------------------------------------------------
 *
 * money.h
 *	  Exact amounts: 128-bit integers of 1e-15 currency units.
 *
 * A rate is at most 2^63 - 1 of these units for a token and a count at most
 * 2^63 - 1 tokens, so that one product always fits; sums are checked.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_MONEY_H
#define TOKENOMICS_MONEY_H

#include "compat.h"

#include "utils/numeric.h"

typedef int128 Money;

/* Decimal digits of a currency unit that Money holds. */
#define MONEY_SCALE 15

/* Decimal digits of a rate per million tokens: 1e-15 a token. */
#define RATE_SCALE 9

extern NO_RETURN void money_out_of_range(void);
extern Numeric money_to_numeric(Money amount);
extern bool money_read(const char *digits, Money *amount);

static inline Money
money_add(Money a, Money b)
{
	Money		sum;

	if (unlikely(__builtin_add_overflow(a, b, &sum)))
		money_out_of_range();
	return sum;
}

#endif							/* TOKENOMICS_MONEY_H */
