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

/*
 * A sum of amounts none of which is below zero.  The first partial sum that is
 * out of range has its highest bit set, as it is less than 2^128: the bits are
 * collected, and looked at once.
 */
typedef struct MoneySum
{
	unsigned	__int128 sum;
	uint64		sums_high;		/* the upper halves of all partial sums, or-ed */
} MoneySum;

static inline void
money_sum_add(MoneySum *into, Money amount)
{
	into->sum += (unsigned __int128) amount;
	into->sums_high |= (uint64) (into->sum >> 64);
}

static inline Money
money_sum(const MoneySum *from)
{
	if (unlikely((int64) from->sums_high < 0))
		money_out_of_range();
	return (Money) from->sum;
}

#endif							/* TOKENOMICS_MONEY_H */
