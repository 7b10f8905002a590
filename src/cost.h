/*-------------------------------------------------------------------------
 *
 * cost.h
 *	  Pricing one call from a price_book: the internal form.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_COST_H
#define TOKENOMICS_COST_H

#include "price_book.h"

/* Why a call has no price. */
typedef enum Unpriced
{
	PRICED,
	UNKNOWN_MODEL,				/* neither the name nor an alias of it is in
								 * the book */
	NO_SERVICE_TIER,			/* the model is, but not in this service tier */
	NO_PRICE_AT_TIME,			/* the service tier is, but not at this time */
	NO_PRICE_BELOW_TIER,		/* there are prices only above a threshold */
	NO_RATE_FOR_METER,			/* a meter that was used has no rate */
	NO_TOKENS_REPORTED,			/* nobody knows what there is to price */
	N_UNPRICED
} Unpriced;

extern const char *unpriced_reason(Unpriced unpriced);

/* The most models that one name may stand for, over all layers. */
#define MAX_CANDIDATES 16

/* A service tier with a longer name is looked up at each call. */
#define MEMO_TIER_SIZE 16

/*
 * What priced the last call of a name, and for which calls the same search
 * would find it again: the next call is likely to be near in time and in size.
 */
typedef struct PriceMemo
{
	TimestampTz from;			/* from = to: nothing is remembered */
	TimestampTz to;				/* not included */
	char		service_tier[MEMO_TIER_SIZE];
	int			service_tier_len;
	Unpriced	unpriced;		/* why no segment prices these calls, or
								 * PRICED */
	uint32		segment;		/* in the book's segments */
	bool		through_alias;
	uint32		row;			/* the one row of it that prices these calls,
								 * or NO_ROW: slices decide */
	/* the row's calls: the tokens that the thresholds count, from to last */
	uint64		basis_first;
	uint64		basis_last;
	uint64		basis_cached;	/* mask: all bits, or 0 where cached input
								 * does not count */
	MeterSet	basis_uncommon; /* other than common meters that count */
	PricedRates rates;			/* of that row: beside the name, it is in the
								 * cache */
} PriceMemo;

#define NO_ROW PG_UINT32_MAX

/* What a name stands for in a book: models, in the order they are tried. */
typedef struct ModelName
{
	NameKey		key;
	uint32		hash;
	uint32		n_models;
	PriceMemo	memo[2];		/* of the book, and of its last layer alone */
	uint32		model[MAX_CANDIDATES];	/* in the book's models */
	bool		through_alias[MAX_CANDIDATES];
} ModelName;

/* Its provider and then its model, not terminated, lie behind it. */
#define MODEL_NAME_STRING(name) ((char *) ((name) + 1))

/*
 * Names that were resolved, for one book.  A caller keeps it as long as it
 * likes; with another book it starts anew.
 */
typedef struct NameCache
{
	MemoryContext mcxt;			/* holds the names */
	uint64		fingerprint;	/* of the book */
	uint32		book_size;		/* 0 before first use */
	uint32		n_names;
	uint32		n_slots;		/* a power of two */
	ModelName **slots;
} NameCache;

extern void name_cache_init(NameCache *cache, MemoryContext parent);
extern ModelName *name_cache_search(NameCache *cache, const PriceBook *book,
									const char *provider, int provider_len,
									const char *model, int model_len);

/* Whether two strings are the same; most have 4 to 24 bytes. */
static pg_attribute_always_inline bool
same_string(const char *a, int a_len, const char *b, int b_len)
{
	if (a_len != b_len)
		return false;
	if (a_len < 8)
	{
		if (a_len < 4)
			return a_len == 0 || (a[0] == b[0] && a[a_len >> 1] == b[a_len >> 1] && a[a_len - 1] == b[a_len - 1]);
		return load_4(a) == load_4(b) && load_4(a + a_len - 4) == load_4(b + a_len - 4);
	}
	if (load_8(a) != load_8(b) || load_8(a + a_len - 8) != load_8(b + a_len - 8))
		return false;
	if (a_len <= 16)
		return true;
	if (a_len <= 24)
		return load_8(a + 8) == load_8(b + 8);
	return memcmp(a + 8, b + 8, a_len - 16) == 0;
}

/* What a name stands for in a book; resolved once for each distinct name. */
static pg_attribute_always_inline ModelName *
name_cache_get(NameCache *cache, const PriceBook *book,
			   const char *provider, int provider_len, const char *model, int model_len)
{
	NameKey		key = name_key(provider, provider_len, model, model_len);

	if (likely(cache->fingerprint == book->fingerprint && cache->book_size == VARSIZE(book)))
	{
		ModelName  *name = cache->slots[name_key_hash(&key) & (cache->n_slots - 1)];

		/* the usual case: it is at its own place, and its key is all of it */
		if (likely(name != NULL && name_keys_equal(&name->key, &key) &&
				   name_key_is_all(provider_len, model_len)))
			return name;
	}
	return name_cache_search(cache, book, provider, provider_len, model, model_len);
}

/* One way to price a call: by the book, or by its last layer alone. */
typedef struct Priced
{
	Unpriced	unpriced;
	Money		cost;			/* where it is PRICED */
	const BookSegment *segment; /* NULL where no price holds */
	const BookRow *row;			/* the row of the highest threshold reached,
								 * or NULL */
	bool		off_peak;
	bool		through_alias;
} Priced;

typedef struct PricedCall
{
	Priced		contracted;		/* what the book says */
	const Priced *list;			/* what its last layer says: the same where it
								 * is alone */
	Priced		own_list;		/* not to be read: "list" may point to it */
} PricedCall;

/* A call to be priced; strings are not terminated. */
typedef struct Call
{
	TimestampTz at;
	const TokenCounts *counts;
	const char *service_tier;
	int			service_tier_len;
} Call;

extern void price_call(const PriceBook *book, ModelName *name, const Call *call,
					   PricedCall *priced);

/*
 * What prices a call, and the calls that it prices as well: those of the same
 * name and service tier, in a stretch of time, whose tokens lie in a band
 * between two thresholds.  A ledger counts tokens by it and asks once.
 */
typedef struct PriceBand
{
	TimestampTz from;
	TimestampTz to;				/* not included */
	TimestampTz valid_from;		/* the same, but for off-peak windows */
	TimestampTz valid_to;
	TierBasis	basis;			/* which tokens the band counts */
	int64		above;			/* the threshold reached; 0: a base price; -1:
								 * none is */
	int64		up_to;			/* the next threshold; PG_INT64_MAX: none */
	Unpriced	unpriced;		/* never NO_RATE_FOR_METER, which depends on
								 * the meters of the call */
	bool		off_peak;
	bool		graduated;
	bool		through_alias;
	uint32		windows;		/* fingerprint of the off-peak windows that
								 * the time lies in, or out of; 0: none */
	bool		windows_differ; /* not all thresholds have the same windows */
	MeterSet	priced;			/* meters with a rate, of all rows that may
								 * price a call */
	uint32		segment;		/* in the book's segments, where it is priced */
	const BookRow *row;			/* of the threshold reached; NULL: unpriced */
} PriceBand;

extern MeterSet basis_meters(TierBasis basis);
extern void price_band(const PriceBook *book, ModelName *name, const Call *call, int64 n_calls,
					   bool list_only, PriceBand *band);
extern NO_RETURN void fallback_tokens_out_of_range(void);
extern MeterSet price_meters(const PriceBook *book, const PriceBand *band, const Call *call,
							 int64 n_calls, Money cost[N_METERS], int64 *fallback_tokens);

/* Whether what priced the last call of a name would price this one. */
static inline bool
price_memo_holds(const PriceMemo *memo, const Call *call)
{
	return memo->from <= call->at && call->at < memo->to &&
		same_string(memo->service_tier, memo->service_tier_len,
					call->service_tier, call->service_tier_len);
}

/* What a call costs: all that an aggregate needs of a Priced. */
typedef struct CallCost
{
	Unpriced	unpriced;
	Money		cost;			/* where it is PRICED */
} CallCost;

extern CallCost cost_by_search(const PriceBook *book, ModelName *name, const Call *call,
							   bool list_only);

/* Whether the row of a memo prices so many tokens. */
static pg_attribute_always_inline bool
price_memo_row_holds(const PriceMemo *memo, const TokenCounts *counts)
{
	uint64		basis = 0;
	bool		overflow = false;
	int			m;

	FOR_EACH_COMMON_METER(m)
	{
		uint64		count = counts->count[m];

		if (!(meters_of_side(SIDE_INPUT) & METER_BIT(m)))
			continue;
		if (CACHED_METERS & METER_BIT(m))
			count &= memo->basis_cached;
		overflow |= __builtin_add_overflow(basis, count, &basis);
	}
	return basis - memo->basis_first <= memo->basis_last - memo->basis_first &&
		(counts->reported & memo->basis_uncommon) == 0 && !overflow;
}

/* What a call costs by a book, or by its last layer alone. */
static pg_attribute_always_inline CallCost
cost_by_name(const PriceBook *book, ModelName *name, const Call *call, bool list_only)
{
	const PriceMemo *memo = &name->memo[list_only];
	CallCost	result;

	if (unlikely(memo->row == NO_ROW || !price_memo_holds(memo, call) ||
				 !price_memo_row_holds(memo, call->counts)))
		return cost_by_search(book, name, call, list_only);
	result.unpriced = rates_cost(&memo->rates, call->counts, &result.cost) ?
		PRICED : NO_RATE_FOR_METER;
	return result;
}

#endif							/* TOKENOMICS_COST_H */
