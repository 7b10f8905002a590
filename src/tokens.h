/*-------------------------------------------------------------------------
 *
 * tokens.h
 *	  The meters, and the value that counts tokens by meter.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_TOKENS_H
#define TOKENOMICS_TOKENS_H

#include "compat.h"

#include "lib/stringinfo.h"
#include "port/pg_bitutils.h"
#include "utils/jsonb.h"

/* Which total a meter belongs to. */
typedef enum MeterSide
{
	SIDE_INPUT,
	SIDE_OUTPUT,
	SIDE_NONE					/* not tokens: total() leaves it out */
} MeterSide;

/*
 * The meters: THE list.  A new one is one line at the end; the order is the
 * format of stored values and never changes.
 *
 *		  symbol, name, side, the meter whose rate it takes when it has none
 */
#define METER_LIST(METER) \
	METER(INPUT, "input", SIDE_INPUT, METER_NONE) \
	METER(CACHE_READ, "cache_read", SIDE_INPUT, METER_INPUT) \
	METER(CACHE_WRITE, "cache_write", SIDE_INPUT, METER_INPUT) \
	METER(OUTPUT, "output", SIDE_OUTPUT, METER_NONE) \
	METER(REASONING, "reasoning", SIDE_OUTPUT, METER_OUTPUT) \
	METER(CACHE_WRITE_1H, "cache_write_1h", SIDE_INPUT, METER_CACHE_WRITE) \
	METER(TOOL_CALLS, "tool_calls", SIDE_NONE, METER_NONE) \
	METER(AUDIO_INPUT, "audio_input", SIDE_INPUT, METER_INPUT) \
	METER(AUDIO_OUTPUT, "audio_output", SIDE_OUTPUT, METER_OUTPUT) \
	METER(IMAGE_INPUT, "image_input", SIDE_INPUT, METER_INPUT) \
	METER(IMAGE_OUTPUT, "image_output", SIDE_OUTPUT, METER_OUTPUT) \
	METER(CACHE_STORAGE, "cache_storage", SIDE_NONE, METER_NONE)

typedef enum Meter
{
	METER_NONE = -1,
#define METER_SYMBOL(symbol, name, side, fallback) METER_##symbol,
	METER_LIST(METER_SYMBOL)
#undef METER_SYMBOL
	N_METERS
} Meter;

typedef struct MeterInfo
{
	const char *name;
	MeterSide	side;
	Meter		fallback;
} MeterInfo;

extern const MeterInfo meter_info[N_METERS];

/* Sets of meters are bit masks. */
typedef uint32 MeterSet;

#define METER_BIT(meter) ((MeterSet) 1 << (meter))
#define ALL_METERS (METER_BIT(N_METERS) - 1)

static inline MeterSet
meters_of_side(MeterSide wanted)
{
#define METER_OF_SIDE(symbol, name, side, fallback) \
	| ((side) == wanted ? METER_BIT(METER_##symbol) : 0)
	return 0 METER_LIST(METER_OF_SIDE);
#undef METER_OF_SIDE
}

/* Input tokens that were read from or written to a cache. */
#define CACHED_METERS \
	(METER_BIT(METER_CACHE_READ) | METER_BIT(METER_CACHE_WRITE) | METER_BIT(METER_CACHE_WRITE_1H))

/* The lowest meter of a set that is not empty. */
#define FIRST_METER(set) ((Meter) pg_rightmost_one_pos32(set))

/* Walks the meters of a set; the set is consumed. */
#define FOR_EACH_METER(meter, set) \
	for (; (set) != 0 && ((meter) = FIRST_METER(set), true); (set) &= (set) - 1)

/*
 * The meters that nearly every call uses come first in the list: loops over
 * them need no branch for each, which the processor would mispredict.
 */
#define N_COMMON_METERS 5
#define COMMON_METERS (METER_BIT(N_COMMON_METERS) - 1)

/* Walks them; -O2 alone would leave a loop. */
#define FOR_EACH_COMMON_METER(meter) \
	_Pragma("GCC unroll 5") \
	for ((meter) = 0; (meter) < N_COMMON_METERS; (meter)++)

StaticAssertDecl(N_COMMON_METERS == 5, "FOR_EACH_COMMON_METER walks 5 meters at once");

/* A tokens value taken apart; the count of a meter that is not reported is 0. */
typedef struct TokenCounts
{
	MeterSet	reported;
	int64		count[N_METERS];
} TokenCounts;

/* The stored form, as described in tokens.c: the set, the width, the counts. */
#define TOKENS_HEADER 2
#define TOKENS_SET_BITS 13
#define TOKENS_SET_MASK ((1 << TOKENS_SET_BITS) - 1)
#define TOKENS_MIN_PAYLOAD 8

/*
 * Where the counts of a value lie that reports common meters only, for every
 * such set and every width.  A count is the 8 bytes at "from", shifted right
 * and masked; all of them lie within the value, and where the meter is not
 * reported the mask is 0.
 */
typedef struct TokensLayout
{
	uint64		mask[N_COMMON_METERS];
	uint8		from[N_COMMON_METERS];
	uint8		shift[N_COMMON_METERS];
	uint8		len;			/* of the whole payload */
} TokensLayout;

extern const TokensLayout tokens_layout[8 << N_COMMON_METERS];

extern Meter meter_by_name(const char *name, int len);
extern Meter meter_by_name_or_error(const text *name);

extern void token_counts_read_any(Datum tokens, TokenCounts *counts);
extern Datum token_counts_datum(const TokenCounts *counts);
extern void token_counts_append(StringInfo buf, const TokenCounts *counts);
extern void token_counts_from_jsonb(JsonbContainer *object, TokenCounts *counts);
extern int64 token_counts_sum(const TokenCounts *counts, MeterSet meters);
extern void token_counts_add(TokenCounts *into, const TokenCounts *counts);

/*
 * Takes the usual tokens value apart, a stored one that reports common meters
 * only: without a branch for each, and so that its counts may stay in
 * registers.  False where it is another.
 */
static pg_attribute_always_inline bool
common_counts_read(Datum tokens, MeterSet *reported, int64 count[N_COMMON_METERS])
{
	const char *v = DatumGetPointer(tokens);
	const unsigned char *p;
	const TokensLayout *layout;
	unsigned	head;
	Meter		m;

	if (unlikely(!VARATT_IS_1B(v) || VARSIZE_1B(v) <= VARHDRSZ_SHORT + TOKENS_HEADER))
		return false;
	p = (const unsigned char *) VARDATA_1B(v);
	head = p[0] | p[1] << 8;
	layout = &tokens_layout[head >> TOKENS_SET_BITS << N_COMMON_METERS | (head & COMMON_METERS)];
	*reported = head & TOKENS_SET_MASK;
	if (unlikely((*reported & ~COMMON_METERS) != 0 ||
				 VARSIZE_1B(v) != VARHDRSZ_SHORT + layout->len))
		return false;
	FOR_EACH_COMMON_METER(m)
		count[m] = (int64) (load_little_endian(p + layout->from[m]) >>
							layout->shift[m] & layout->mask[m]);
	return true;
}

/* Takes a tokens value apart; no copy is made of a stored one. */
static pg_attribute_always_inline void
token_counts_read(Datum tokens, TokenCounts *counts)
{
	if (likely(common_counts_read(tokens, &counts->reported, counts->count)))
		for (int m = N_COMMON_METERS; m < N_METERS; m++)
			counts->count[m] = 0;
	else
		token_counts_read_any(tokens, counts);
}

#endif							/* TOKENOMICS_TOKENS_H */
