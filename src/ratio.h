/*-------------------------------------------------------------------------
 *
 * ratio.h
 *	  The quotients that reports show.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_RATIO_H
#define TOKENOMICS_RATIO_H

#include "compat.h"

#include "utils/numeric.h"

/* Each sets *is_null, and returns 0, where it would divide by nothing. */
extern Datum amount_per_mtok(Numeric amount, Numeric tokens, bool *is_null);
extern Datum change_of(Numeric current, Numeric previous, bool *is_null);

/* The decimals of an amount in another currency. */
#define EXCHANGE_SCALE 12

extern Numeric exchange(Numeric amount, Numeric rate, bool is_inverse);

#endif							/* TOKENOMICS_RATIO_H */
