/*-------------------------------------------------------------------------
 *
 * bridge.h
 *	  Why an amount changed: what each factor of a product did to it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_BRIDGE_H
#define TOKENOMICS_BRIDGE_H

#include "compat.h"

extern double log_mean(double a, double b);

#endif							/* TOKENOMICS_BRIDGE_H */
