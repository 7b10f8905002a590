/*-------------------------------------------------------------------------
 *
 * bridge.h
 *	  Why an amount changed: the effects of a bill.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_BRIDGE_H
#define TOKENOMICS_BRIDGE_H

#include "compat.h"

#include "utils/numeric.h"

/* The decimals to which an effect is rounded. */
#define EFFECT_SCALE 12

typedef enum Effect
{
	/* the order in which equal effects take the rest of rounding */
	EFFECT_VOLUME, EFFECT_MIX, EFFECT_PRICE, EFFECT_CURRENCY,
	N_SPLIT_EFFECTS,
	EFFECT_NEW = N_SPLIT_EFFECTS, EFFECT_DISCONTINUED,
	N_EFFECTS
} Effect;

/* An item, or a part of one, at one of the two times. */
typedef struct BillSide
{
	Numeric		cost;
	Numeric		quantity;
	Numeric		converted;		/* cost in the currency of the effects */
	bool		is_there;		/* at this time, be it with a quantity of 0 */
} BillSide;

typedef struct BillItem
{
	BillSide	part[2];
	BillSide	item[2];
	Numeric		total[2];		/* quantities of all items that are there at
								 * both times */
	bool		is_part;
	bool		is_converted;
} BillItem;

extern const Effect effect_column[N_EFFECTS];

extern void split_shapley(const BillItem *bill, Numeric *effect);
extern void lmdi(int n, const double *x0, const double *x1, double v0, double v1, double *effect);

#endif							/* TOKENOMICS_BRIDGE_H */
