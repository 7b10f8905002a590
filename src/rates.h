/*-------------------------------------------------------------------------
 *
 * rates.h
 *	  What a million tokens of each meter costs, in one currency.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_RATES_H
#define TOKENOMICS_RATES_H

#include "money.h"
#include "tokens.h"
#include "utils/jsonb.h"

/* ISO 4217 codes have 3 letters; vendors' credits are named with up to 8. */
#define CURRENCY_SIZE 8

/* Zero-padded, not terminated. */
typedef struct Currency
{
	char		code[CURRENCY_SIZE];
} Currency;

/* A rates value taken apart: the rates that it names. */
typedef struct RateCard
{
	Currency	currency;
	MeterSet	named;			/* meters with a rate of their own */
	int64		rate[N_METERS]; /* 1e-15 currency units a token; 0 elsewhere */
} RateCard;

/* A rate card with every fallback resolved: what pricing reads. */
typedef struct PricedRates
{
	Currency	currency;
	MeterSet	named;			/* meters with a rate of their own */
	MeterSet	priced;			/* those, and meters priced by fallback */
	int64		rate[N_METERS];
} PricedRates;

extern bool currency_equal(const Currency *a, const Currency *b);
extern int	currency_length(const Currency *currency);
extern char *currency_cstring(const Currency *currency);
extern text *currency_text(const Currency *currency);
extern bool currency_read(const char *str, int len, Currency *currency);

extern void rate_card_read(Datum rates, RateCard *card);
extern Datum rate_card_datum(const RateCard *card);
extern void rate_card_append(StringInfo buf, const RateCard *card);
extern void rate_card_from_jsonb(JsonbContainer *object, RateCard *card);
extern void rate_card_recv(StringInfo buf, RateCard *card);
extern void rate_card_send(StringInfo buf, const RateCard *card);

extern void rates_resolve(const RateCard *card, PricedRates *priced);
extern Meter rate_source(MeterSet named, Meter meter);
extern Datum rate_to_numeric(int64 rate);

/*
 * The cost of tokens; false where a meter with a count above zero has no
 * rate.  This is the one place where a price meets a count.
 */
static pg_attribute_always_inline bool
rates_cost(const PricedRates *priced, const TokenCounts *counts, Money *cost)
{
	MoneySum	sum = {0};
	MeterSet	rest = counts->reported & ~priced->priced;
	int			m;

	if (unlikely(rest != 0))
		FOR_EACH_METER(m, rest)
	{
		if (counts->count[m] > 0)
			return false;
	}
	/* what is not reported counts 0, what has no rate has a rate of 0 */
	FOR_EACH_COMMON_METER(m)
		money_sum_add(&sum, (Money) priced->rate[m] * counts->count[m]);
	rest = counts->reported & ~COMMON_METERS;
	if (unlikely(rest != 0))
		FOR_EACH_METER(m, rest)
			money_sum_add(&sum, (Money) priced->rate[m] * counts->count[m]);
	*cost = money_sum(&sum);
	return true;
}

#endif							/* TOKENOMICS_RATES_H */
