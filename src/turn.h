/*-------------------------------------------------------------------------
 *
 * turn.h
 *	  Calls tallied by turn: what each turn is of, and what it used in each hour.
 *
 * In memory a tally is an expanded object: turns, found by the hash of their
 * id, each with a chain of parts, one for each hour in which it used anything.
 * Names are numbers of strings.  Stored it is a string of bytes (turn_io.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_TURN_H
#define TOKENOMICS_TURN_H

#include "compat.h"

#include "period.h"
#include "tokens.h"
#include "utils/expandeddatum.h"

#define TURN_TALLY_TYPE "turn_tally"

/* Whose a turn is: numbers of strings; 0: NULL. */
typedef enum TurnOwner
{
	OWNER_SESSION,
	OWNER_USER,
	OWNER_TEAM,
	OWNER_PROJECT,
	N_TURN_OWNERS
} TurnOwner;

/* A prompt, or, without an id, what calls without one have of an owner. */
typedef struct Turn
{
	Bytes		id;				/* data NULL: calls without a turn */
	Bytes		request;		/* of the first call; data NULL: it has none */
	uint32		hash;
	uint32		parts;			/* the first one; all are numbers + 1, 0: none */
	uint32		agents;
	uint32		owner[N_TURN_OWNERS];	/* those of the first call */
	TimestampTz at;				/* of the first call */
	TimestampTz ends_at;		/* of the last */
} Turn;

/* What a turn used in an hour. */
typedef struct TurnPart
{
	uint32		next;
	uint32		turn;
	uint32		hour;
	MeterSet	reported;
	uint32		rare;			/* counts of other meters; 0: none is reported */
	int64		calls;
	int64		unreported;		/* calls without tokens */
	int64		cacheable;		/* input of calls that report cache_read */
	int64		count[N_COMMON_METERS];
} TurnPart;

typedef struct TurnAgent
{
	uint32		next;
	uint32		agent;			/* a string */
} TurnAgent;

/* An hour of the zone, and the month that it lies in. */
typedef struct TurnHour
{
	TimestampTz from;
	TimestampTz month;
} TurnHour;

typedef struct TurnRare
{
	int64		count[N_METERS - N_COMMON_METERS];
} TurnRare;

/* An array that grows, and the numbers of its elements + 1 by their hash. */
typedef struct TurnArray
{
	void	   *items;
	uint32		n;
	uint32		max;
	uint32	   *slots;			/* 0: free */
	uint32		n_slots;		/* a power of two */
} TurnArray;

#define EXPANDED_TURN_TALLY_MAGIC 0x7475726e

typedef struct TurnTally
{
	ExpandedObjectHeader hdr;
	int			magic;
	int			zone_len;
	char		zone_name[TZ_STRLEN_MAX + 1];
	pg_tz	   *zone;

	TurnArray	strings;		/* of Bytes; number 0 is NULL */
	TurnArray	turns;
	TurnArray	parts;
	TurnArray	hours;
	TurnArray	agents;			/* no slots */
	TurnArray	rares;			/* no slots */

	/* where calls were last */
	Period		hour;
	Period		month;
	uint32		hour_number;

	char	   *free;			/* room for strings */
	Size		n_free;
	bytea	   *flat;			/* its stored form, once it was asked for */
} TurnTally;

#define ITEM(array, type, i) (((type *) (array).items)[i])

/* NULL, where there are no bytes. */
static const Bytes no_bytes = {NULL, 0};

/* turn.c */
extern TurnTally *turn_tally_make(MemoryContext parent, const char *zone, int zone_len);
extern uint32 turn_string(TurnTally *tally, Bytes string);
extern uint32 turn_find_string(const TurnTally *tally, Bytes string);
extern uint32 turn_hour(TurnTally *tally, TimestampTz from, TimestampTz month);
extern Turn *turn_of(TurnTally *tally, Bytes id, const uint32 owner[N_TURN_OWNERS], bool *is_new);
extern Bytes turn_keep(TurnTally *tally, Bytes bytes);
extern void turn_add_agent(TurnTally *tally, Turn *turn, uint32 agent);
extern void turn_add_part(TurnTally *tally, Turn *turn, uint32 hour, const TurnPart *part, const TokenCounts *tokens);
extern void turn_part_tokens(const TurnTally *tally, const TurnPart *part, TokenCounts *tokens);

/* turn_io.c */
extern bytea *turn_tally_write(const TurnTally *tally);
extern TurnTally *turn_tally_read(MemoryContext parent, bytea *flat);

static inline int
compare_bytes(Bytes a, Bytes b)
{
	int			order = memcmp(a.data, b.data, Min(a.len, b.len));

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

#endif							/* TOKENOMICS_TURN_H */
