/*-------------------------------------------------------------------------
 *
 * index.h
 *	  Index numbers: sums over matched items, and the methods that turn them
 *	  into an index.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_INDEX_H
#define TOKENOMICS_INDEX_H

#include "compat.h"

#include <float.h>
#include <math.h>

#include "lib/stringinfo.h"

/*
 * A sum with the error of its additions beside it: as good as twice the digits,
 * so that neither the order of rows nor of merging shows in the result.
 */
typedef struct Sum
{
	double		high;
	double		low;
} Sum;

static inline void
sum_add(Sum *sum, double value)
{
	double		high = sum->high + value;
	double		part = high - sum->high;

	sum->low += (sum->high - (high - part)) + (value - part);
	sum->high = high;
}

static inline void
sum_merge(Sum *into, const Sum *from)
{
	sum_add(into, from->high);
	into->low += from->low;
}

static inline double
sum_value(const Sum *sum)
{
	return sum->high + sum->low;
}

/* What is compared: prices, with quantities as weights, or the reverse. */
typedef enum IndexForm
{
	FORM_PRICE,
	FORM_QUANTITY,
	N_FORMS
} IndexForm;

/* Of one form; x is the price or the quantity, v the value p * q. */
typedef struct FormSums
{
	double		not_positive;	/* items with an x of 0 */
	Sum			x[2];			/* x of base and current */
	Sum			relative;		/* x1 / x0 */
	Sum			inverse;		/* x0 / x1 */
	Sum			log;			/* ln(x1 / x0) */
	Sum			log_value[2];	/* the same by v0, and by v1 */
	Sum			log_mean;		/* the same by the logarithmic mean of both */
	Sum			walsh[2];		/* x0, and x1, by the root of the other form's
								 * product */
} FormSums;

/*
 * Sums over the items of two periods: all that the methods need.  Nothing but
 * doubles after the header, counts too, so that reading and writing is a loop.
 */
typedef struct IndexSums
{
	int32		vl_len_;
	int32		reserved;		/* zero */
	double		matched;		/* items with a price above 0 in both periods */
	double		base;			/* items with a price in the base period */
	double		current;		/* items with a price in the current one */
	double		lacking[2];		/* matched items without a quantity then */
	double		unknown[2];		/* items with a price but without a quantity */
	Sum			total[2];		/* value of all items */
	Sum			value[2];		/* p0q0 and p1q1 of matched ones */
	Sum			cross[N_FORMS]; /* p1q0 and p0q1 of matched ones */
	FormSums	form[N_FORMS];
} IndexSums;

#define N_INDEX_DOUBLES ((sizeof(IndexSums) - offsetof(IndexSums, matched)) / sizeof(double))

/* Which sums a method needs beyond the values. */
#define NEEDS_RELATIVES 1
#define NEEDS_LOGS 2
#define NEEDS_LOG_MEANS 4
#define NEEDS_ROOTS 8
#define NEEDS_ALL 15

/* The methods: symbol, name */
#define METHOD_LIST(METHOD) \
	METHOD(LASPEYRES, laspeyres, 0) \
	METHOD(PAASCHE, paasche, 0) \
	METHOD(FISHER, fisher, 0) \
	METHOD(MARSHALL_EDGEWORTH, marshall_edgeworth, 0) \
	METHOD(WALSH, walsh, NEEDS_ROOTS) \
	METHOD(GEOMETRIC_LASPEYRES, geometric_laspeyres, NEEDS_LOGS) \
	METHOD(GEOMETRIC_PAASCHE, geometric_paasche, NEEDS_LOGS) \
	METHOD(TORNQVIST, tornqvist, NEEDS_LOGS) \
	METHOD(MONTGOMERY_VARTIA, montgomery_vartia, NEEDS_LOGS | NEEDS_LOG_MEANS) \
	METHOD(JEVONS, jevons, NEEDS_LOGS) \
	METHOD(CARLI, carli, NEEDS_RELATIVES) \
	METHOD(HARMONIC, harmonic, NEEDS_RELATIVES) \
	METHOD(DUTOT, dutot, NEEDS_RELATIVES)

typedef enum IndexMethod
{
#define METHOD_SYMBOL(symbol, name, needs) METHOD_##symbol,
	METHOD_LIST(METHOD_SYMBOL)
#undef METHOD_SYMBOL
	METHOD_SATO_VARTIA,			/* of the items: no sums will do */
	N_METHODS
} IndexMethod;

/* An item in one of two periods. */
typedef struct ItemSide
{
	double		price;			/* NaN: not there */
	double		quantity;		/* NaN: not known */
} ItemSide;

/* An item that is matched: what it is in the base period and in the current one. */
typedef struct MatchedItem
{
	ItemSide	side[2];
} MatchedItem;

extern const int index_method_needs[N_METHODS];

/* ln(b / a) of numbers above zero, also where the quotient is none. */
static inline double
log_quotient(double b, double a)
{
	double		quotient = b / a;

	return quotient > DBL_MIN && quotient <= DBL_MAX ? log(quotient) : log(b) - log(a);
}

extern double log_mean(double a, double b);
extern void index_sums_item(IndexSums *sums, const ItemSide *base, const ItemSide *current, int needs);
extern bool index_value(const IndexSums *sums, IndexMethod method, IndexForm form, double *result);
extern bool sato_vartia_value(const MatchedItem *items, uint32 n, IndexForm form, double *result);
extern bool index_coverage(const IndexSums *sums, int side, double *result);
extern bool index_turnover(const IndexSums *sums, double *result);
extern void index_sums_check(const IndexSums *sums);
extern IndexMethod index_method_by_name(const char *str, int len);
extern void append_double(StringInfo buf, double value);
extern double index_checked(double value, const char *what);

#endif							/* TOKENOMICS_INDEX_H */
