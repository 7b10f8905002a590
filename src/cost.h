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

#include "common/hashfn.h"

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
 * A provider and model as words, which are hashed and compared without a branch
 * for every length, as the processor would mispredict it.  The words have all
 * of a provider of up to 16 bytes and of a model of up to 32; in a shorter one
 * they overlap.  A longer name has other bytes between them: its key is marked,
 * and the words in the middle are hashes of all of it, so that names that differ
 * there are still told apart.
 */
typedef struct NameKey
{
	uint64		provider[2];	/* its first and last 8 bytes */
	uint64		model[4];		/* its first and last 8 bytes, and between
								 * them the 8 behind and before those */
	uint32		lengths;		/* of both, or NAME_KEY_LONG */
	uint32		label;			/* fills the last word: a ledger has the
								 * string number of a call's label here, so
								 * that its slot is a cache line; not compared */
} NameKey;

#define NAME_KEY_PROVIDER_MAX 16
#define NAME_KEY_MODEL_MAX 32
#define NAME_KEY_LONG 0x8000	/* the words are not all of the name */
#define NAME_KEY_FLAGS_SHIFT 16 /* for bits that a ledger adds to "lengths" */

/* The bytes of a string of less than 8, as one word. */
static inline uint64
short_word(const char *p, int len)
{
	if (len >= 4)
		return load_4(p) | (uint64) load_4(p + len - 4) << 32;
	if (len == 0)
		return 0;
	return (unsigned char) p[0] | (unsigned char) p[len >> 1] << 8 | (unsigned char) p[len - 1] << 16;
}

static pg_attribute_always_inline NameKey
name_key(const char *provider, int provider_len, const char *model, int model_len)
{
	NameKey		key;

	key.lengths = (uint32) provider_len << 8 | (uint32) model_len;
	key.label = 0;
	if (likely(provider_len >= 4))
	{
		/* no word reaches beyond the first or the last 8 bytes */
		Size		last = provider_len - 4;
		Size		second = last < 4 ? last : 4;

		key.provider[0] = load_4(provider) | (uint64) load_4(provider + second) << 32;
		key.provider[1] = load_4(provider + last - second) | (uint64) load_4(provider + last) << 32;
	}
	else
		key.provider[0] = key.provider[1] = short_word(provider, provider_len);
	if (likely(model_len >= 8))
	{
		Size		last = model_len - 8;
		Size		second = last < 8 ? last : 8;

		key.model[0] = load_8(model);
		key.model[1] = load_8(model + second);
		key.model[2] = load_8(model + last - second);
		key.model[3] = load_8(model + last);
	}
	else
		key.model[0] = key.model[1] = key.model[2] = key.model[3] = short_word(model, model_len);
	if (unlikely(provider_len > NAME_KEY_PROVIDER_MAX || model_len > NAME_KEY_MODEL_MAX))
	{
		key.lengths = NAME_KEY_LONG;
		key.model[1] = hash_bytes_extended((const unsigned char *) model, model_len, 0);
		key.model[2] = hash_bytes_extended((const unsigned char *) provider, provider_len, 0);
	}
	return key;
}

/* Whether all words are the same: long names may differ all the same. */
static pg_attribute_always_inline bool
name_keys_equal(const NameKey *a, const NameKey *b)
{
	return ((a->provider[0] ^ b->provider[0]) | (a->provider[1] ^ b->provider[1]) |
			(a->model[0] ^ b->model[0]) | (a->model[1] ^ b->model[1]) |
			(a->model[2] ^ b->model[2]) | (a->model[3] ^ b->model[3]) |
			(a->lengths ^ b->lengths)) == 0;
}

/* Both halves of one product: each bit of it hangs on all bits of the key. */
static pg_attribute_always_inline uint32
name_key_hash(const NameKey *key)
{
	uint64		a = key->model[0] + key->provider[0] + key->model[2];
	uint64		b = key->model[3] + key->provider[1] + (key->model[1] ^ key->lengths);
	unsigned	__int128 product = (unsigned __int128) (a ^ UINT64CONST(0x9E3779B97F4A7C15)) *
	(b ^ UINT64CONST(0xD6E8FEB86659FD93));

	return (uint32) ((uint64) product ^ (uint64) (product >> 64));
}

/*
 * What priced the last call of a name, and for which calls the same search
 * would find it again: the next call is likely to be near in time and in size.
 * What a usual call needs comes first, in two cache lines.
 */
typedef struct PriceMemo
{
	TimestampTz from;			/* from = to: nothing is remembered */
	TimestampTz to;				/* not included */
	/* the row's calls: the tokens that the thresholds count, from to last */
	uint64		basis_first;
	uint64		basis_last;
	uint64		basis_cached;	/* mask: all bits, or 0 where cached input
								 * does not count */
	uint64		usual_count;	/* with fewer tokens of each meter no sum of a
								 * call is out of an int64; 0 without a row */
	char		service_tier[MEMO_TIER_SIZE];
	int			service_tier_len;
	uint32		row;			/* the one row of it that prices these calls,
								 * or NO_ROW: slices decide */
	PricedRates rates;			/* of that row: beside the name, it is in the
								 * cache */
	MeterSet	basis_uncommon; /* other than common meters that count */
	Unpriced	unpriced;		/* why no segment prices these calls, or
								 * PRICED */
	uint32		segment;		/* in the book's segments */
	bool		through_alias;
} PriceMemo;

#define NO_ROW PG_UINT32_MAX

/* What a name stands for in a book: models, in the order they are tried. */
typedef struct ModelName
{
	NameKey		key;
	uint32		hash;
	uint32		n_models;
	PriceMemo	memo[2];		/* of the book, and of its last layer alone */
	int			provider_len;
	int			model_len;
	uint32		model[MAX_CANDIDATES];	/* in the book's models */
	bool		through_alias[MAX_CANDIDATES];
} ModelName;

#define MODEL_NAME_ALIGN 64		/* to a cache line */

StaticAssertDecl(offsetof(ModelName, memo) == MODEL_NAME_ALIGN, "a key and what it is found by are a cache line");
StaticAssertDecl(offsetof(PriceMemo, rates.rate[N_COMMON_METERS]) == 2 * MODEL_NAME_ALIGN,
				 "what prices a usual call is two cache lines");

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
	char	   *free;			/* a block for names, not used yet */
	Size		n_free;			/* bytes of it */
} NameCache;

extern void name_cache_init(NameCache *cache, MemoryContext parent);
extern ModelName *name_cache_add(NameCache *cache, const PriceBook *book,
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

/* Whether a name is this one, of which key is the key. */
static pg_attribute_always_inline bool
model_name_is(const ModelName *name, const NameKey *key,
			  const char *provider, int provider_len, const char *model, int model_len)
{
	if (!name_keys_equal(&name->key, key))
		return false;
	if (likely(key->lengths != NAME_KEY_LONG))
		return true;
	return name->provider_len == provider_len && name->model_len == model_len &&
		memcmp(MODEL_NAME_STRING(name), provider, provider_len) == 0 &&
		memcmp(MODEL_NAME_STRING(name) + provider_len, model, model_len) == 0;
}

/* What a name stands for in a book; resolved once for each distinct name. */
static pg_attribute_always_inline ModelName *
name_cache_get(NameCache *cache, const PriceBook *book,
			   const char *provider, int provider_len, const char *model, int model_len)
{
	if (likely(cache->fingerprint == book->fingerprint && cache->book_size == VARSIZE(book)))
	{
		NameKey		key = name_key(provider, provider_len, model, model_len);
		uint32		mask = cache->n_slots - 1;
		uint32		slot = name_key_hash(&key) & mask;
		ModelName  *name;

		/* nearly always it is at its own place */
		for (; (name = cache->slots[slot]) != NULL; slot = (slot + 1) & mask)
			if (likely(model_name_is(name, &key, provider, provider_len, model, model_len)))
				return name;
	}
	return name_cache_add(cache, book, provider, provider_len, model, model_len);
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

/* What a call costs: all that an aggregate needs of a Priced. */
typedef struct CallCost
{
	Unpriced	unpriced;
	Money		cost;			/* where it is PRICED */
} CallCost;

/*
 * The cost of a call that goes where the last one of its name went, with few
 * meters and counts of a usual size: the sums need no more than 64 bits.  False
 * where it is another.
 */
static pg_attribute_always_inline bool
usual_cost(const PriceMemo *memo, TimestampTz at, Bytes service_tier,
		   MeterSet reported, const int64 count[N_COMMON_METERS], int64 *cost)
{
	uint64		all = 0;
	uint64		basis = 0;
	int64		sum = 0;
	int			m;

	FOR_EACH_COMMON_METER(m)
	{
		uint64		counted = count[m];

		all |= counted;
		sum = (int64) ((uint64) sum + (uint64) memo->rates.rate[m] * counted);
		if (!(meters_of_side(SIDE_INPUT) & METER_BIT(m)))
			continue;
		basis += CACHED_METERS & METER_BIT(m) ? counted & memo->basis_cached : counted;
	}
	*cost = sum;
	return all < memo->usual_count && (reported & ~memo->rates.priced) == 0 &&
		memo->from <= at && at < memo->to &&
		basis - memo->basis_first <= memo->basis_last - memo->basis_first &&
		same_string(memo->service_tier, memo->service_tier_len, service_tier.data, service_tier.len);
}

extern CallCost tokens_cost_any(const PriceBook *book, ModelName *name, TimestampTz at,
								Bytes service_tier, Datum tokens, bool list_only);

/* What a call costs by a book, or by its last layer alone, its tokens as they came. */
static pg_attribute_always_inline CallCost
tokens_cost(const PriceBook *book, ModelName *name, TimestampTz at, Bytes service_tier,
			Datum tokens, bool list_only)
{
	MeterSet	reported;
	int64		count[N_COMMON_METERS];
	int64		usual;
	CallCost	result;

	if (likely(common_counts_read(tokens, &reported, count) &&
			   usual_cost(&name->memo[list_only], at, service_tier, reported, count, &usual)))
	{
		result.unpriced = PRICED;
		result.cost = usual;
		return result;
	}
	return tokens_cost_any(book, name, at, service_tier, tokens, list_only);
}

#endif							/* TOKENOMICS_COST_H */
