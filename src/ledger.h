/*-------------------------------------------------------------------------
 *
 * ledger.h
 *	  Totals of calls by line: what was used and what it costs, exactly.
 *
 * In memory a ledger is an expanded object: strings, lines that refer to them
 * by number, and, while calls are being booked, the Booking that counts them
 * (booking.c).  Stored it is a string of bytes (ledger_io.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_LEDGER_H
#define TOKENOMICS_LEDGER_H

#include "cost.h"
#include "nodes/execnodes.h"
#include "period.h"
#include "utils/expandeddatum.h"

/* The two prices of a call: what the book says, and its last layer alone. */
typedef enum Side
{
	CONTRACTED,
	LIST,
	N_SIDES
} Side;

/* How one of the two prices of a line's calls came about; no padding. */
typedef struct LineSide
{
	int64		above;			/* the threshold reached; 0: a base price; -1:
								 * none is */
	int64		up_to;			/* the next threshold; PG_INT64_MAX: none */
	Currency	currency;		/* zeros: unpriced */
	MeterSet	lacking;		/* meters without a rate, each of which every
								 * call of the line used */
	uint32		windows;		/* of PriceBand */
	uint32		reserved;		/* zero */
	uint8		unpriced;		/* Unpriced */
	uint8		basis;			/* TierBasis of the thresholds */
	uint8		off_peak;
	uint8		flags;			/* SIDE_... */
} LineSide;

#define SIDE_GRADUATED 1		/* each slice was priced at its own rate */
#define SIDE_APPROXIMATE 2		/* re-priced by guess: see reprice() */
#define SIDE_FLAGS 3

/* What sets lines apart; compared as bytes, so there is no padding. */
typedef struct LineKey
{
	TimestampTz period;			/* its first instant */
	uint32		provider;		/* strings of the ledger; 0: NULL */
	uint32		model;
	uint32		service_tier;
	uint32		label;
	LineSide	side[N_SIDES];
} LineKey;

StaticAssertDecl(sizeof(LineKey) == 104, "the key of a line has no padding");

typedef struct LedgerLine
{
	LineKey		key;
	int64		calls;
	TokenCounts tokens;
	int64		fallback_tokens;	/* priced at the rate of another meter */
	Money		cost[N_SIDES][N_METERS];	/* zeros where unpriced */
} LedgerLine;

typedef struct LedgerString
{
	const char *data;			/* not terminated */
	int			len;
} LedgerString;

/* A place in the hash table of lines. */
typedef struct LineSlot
{
	uint32		line;			/* its number + 1; 0: free */
	uint32		hash;			/* of its key: few others need to be compared */
} LineSlot;

/*
 * What decides the order of lines first, so that few of them are looked at: see
 * ledger_order().
 */
typedef struct LineOrder
{
	TimestampTz period;
	uint64		names;			/* of ledger_names() */
	uint32		number;
} LineOrder;

typedef struct Booking Booking;

#define EXPANDED_LEDGER_MAGIC 0x6c656467

typedef struct Ledger
{
	ExpandedObjectHeader hdr;
	int			magic;
	Grain		grain;
	int			zone_len;
	char		zone_name[TZ_STRLEN_MAX + 1];
	pg_tz	   *zone;

	LedgerString *strings;		/* number 0 is NULL */
	uint32		n_strings;
	uint32		max_strings;
	uint32	   *string_slots;	/* string numbers; 0: free */
	uint32		n_string_slots; /* a power of two */

	LedgerLine *lines;
	uint32		n_lines;
	uint32		max_lines;
	LineSlot   *line_slots;
	uint32		n_line_slots;

	Booking    *booking;		/* NULL: no calls are being booked */
	bytea	   *flat;			/* its stored form, once it was asked for;
								 * kept until a line or a call is added */
} Ledger;

/* ledger.c */
extern Ledger *ledger_make(MemoryContext parent, Grain grain, const char *zone, int zone_len);
extern Ledger *ledger_arg(FunctionCallInfo fcinfo, int argno);
extern void ledger_drop_flat(Ledger *ledger);
extern Ledger *ledger_state_copy(Datum datum, MemoryContext aggcontext);
extern NO_RETURN void ledger_outside_aggregate(const char *caller);
extern uint32 ledger_string(Ledger *ledger, const char *data, int len);
extern uint32 ledger_string_number(const Ledger *ledger, Bytes string);
extern LineKey ledger_key(Ledger *into, const Ledger *from, const LineKey *key);
extern LedgerLine *ledger_line(Ledger *ledger, const LineKey *key);
extern void ledger_line_add(LedgerLine *into, const LedgerLine *line);
extern int	ledger_compare_lines(const void *a, const void *b, void *ranks);
extern void ledger_rank_strings(const Ledger *ledger, uint32 *ranks);
extern void ledger_order(LineOrder *order, uint32 n, const Ledger *ledger, const uint32 *ranks);
extern uint32 *ledger_sorted(const Ledger *ledger, uint32 **ranks);
extern NO_RETURN void ledger_corrupted(void);
extern NO_RETURN void counts_out_of_range(void);

/* Makes an array larger, or the first time. */
static inline void *
grow_array(MemoryContext mcxt, void *array, Size size)
{
	return array == NULL ? MemoryContextAllocHuge(mcxt, size) : repalloc_huge(array, size);
}

/*
 * The state of an aggregate, from argument 0, fit to be changed; NULL where
 * there is none yet.
 */
static inline Ledger *
ledger_state(FunctionCallInfo fcinfo, const char *caller, MemoryContext *aggcontext)
{
	/* AggCheckCallContext(), without the call where it is an aggregate */
	if (likely(fcinfo->context != NULL && IsA(fcinfo->context, AggState)))
		*aggcontext = ((AggState *) fcinfo->context)->curaggcontext->ecxt_per_tuple_memory;
	else if (!AggCheckCallContext(fcinfo, aggcontext))
		ledger_outside_aggregate(caller);
	if (PG_ARGISNULL(0))
		return NULL;
	if (likely(VARATT_IS_EXTERNAL_EXPANDED_RW(PG_GETARG_POINTER(0))))
	{
		Ledger	   *ledger;

		/* DatumGetEOHP(), without the call */
		memcpy(&ledger, VARDATA_EXTERNAL(PG_GETARG_POINTER(0)), sizeof(ledger));
		if (unlikely(ledger->magic != EXPANDED_LEDGER_MAGIC))
			ledger_corrupted();
		return ledger;
	}
	return ledger_state_copy(PG_GETARG_DATUM(0), *aggcontext);
}

/* The end of a line's period. */
static inline TimestampTz
line_period_end(const Ledger *ledger, const LedgerLine *line)
{
	return period_at(ledger->grain, ledger->zone, line->key.period).to;
}

/* The most strings whose ranks fit into one number: 16 bits each. */
#define MAX_ORDERED_STRINGS 65536

/* The ranks of provider, model, service tier and label, as one number. */
static inline uint64
ledger_names(const uint32 *ranks, const uint32 strings[4])
{
	return (uint64) ranks[strings[0]] << 48 | (uint64) ranks[strings[1]] << 32 |
		(uint64) ranks[strings[2]] << 16 | ranks[strings[3]];
}

/* What was counted, as lines. */
typedef struct BookedLines
{
	const Ledger *ledger;
	uint32	   *ranks;			/* of strings, as in ledger_sorted() */
	LineOrder  *order;			/* of streams in a period */
	uint32		n_chains;
	uint32		next_chain;
	LedgerLine *lines;			/* of one of them */
	uint32		n_lines;
	uint32		max_lines;
	uint32		next_line;
} BookedLines;

/* booking.c */
extern void booking_flush(Ledger *ledger);
extern bool booked_lines_begin(BookedLines *booked, const Ledger *ledger);
extern const LedgerLine *booked_lines_next(BookedLines *booked);

/* ledger_io.c */
extern bytea *ledger_write(Ledger *ledger);
extern Ledger *ledger_read(MemoryContext parent, bytea *flat);
extern bool ledger_add_stored(Ledger *into, bytea *flat);

#endif							/* TOKENOMICS_LEDGER_H */
