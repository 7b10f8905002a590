/*-------------------------------------------------------------------------
 *
 * turn.c
 *	  The type turn_tally: calls by turn, and what is counted of them.
 *
 * A turn is of the session, the user, the team and the project of its first
 * call, which is known only when all calls were seen.  So they are gathered by
 * turn, in hash tables, and counted by owner at the end: distinct users,
 * sessions and turns are sets of numbers then, and nothing is sorted that has
 * as many members as there are calls.
 *
 * Of two calls at one time the first is that with the lesser request id, then
 * session, user, team and project, as bytes; NULL comes last.  Nothing depends
 * on the order of rows, or on how many parts they are tallied in.
 *
 *-------------------------------------------------------------------------
 */
#include "turn.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "cost.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "varint.h"

SQL_FUNCTION(turn_tally_add);
SQL_FUNCTION(turn_tally_merge);
SQL_FUNCTION(turn_tally_final);
SQL_FUNCTION(turn_tally_counts);
SQL_FUNCTION(turn_tally_turns);
SQL_FUNCTION(turn_tally_fan_out);

/*
 * The expanded object
 */

static Size
expanded_size(ExpandedObjectHeader *eohptr)
{
	TurnTally  *tally = (TurnTally *) eohptr;

	if (tally->flat == NULL)
	{
		MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "turn tally layout",
													  ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(scratch);
		bytea	   *flat = turn_tally_write(tally);

		tally->flat = MemoryContextAllocHuge(tally->hdr.eoh_context, VARSIZE(flat));
		memcpy(tally->flat, flat, VARSIZE(flat));
		MemoryContextSwitchTo(old);
		MemoryContextDelete(scratch);
	}
	return VARSIZE(tally->flat);
}

static void
expanded_flatten(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	TurnTally  *tally = (TurnTally *) eohptr;

	Assert(tally->flat != NULL && VARSIZE(tally->flat) == allocated_size);
	memcpy(result, tally->flat, allocated_size);
}

static const ExpandedObjectMethods expanded_tally_methods = {
	expanded_size,
	expanded_flatten
};

/* Makes an empty tally in a context of its own below "parent". */
TurnTally *
turn_tally_make(MemoryContext parent, const char *zone, int zone_len)
{
	pg_tz	   *tz = zone_by_name_or_error(zone, zone_len);
	MemoryContext mine = AllocSetContextCreate(parent, "turn tally", ALLOCSET_DEFAULT_SIZES);
	TurnTally  *tally = MemoryContextAllocZero(mine, sizeof(TurnTally));

	EOH_init_header(&tally->hdr, &expanded_tally_methods, mine);
	tally->magic = EXPANDED_TURN_TALLY_MAGIC;
	memcpy(tally->zone_name, zone, zone_len);
	tally->zone_len = zone_len;
	tally->zone = tz;
	tally->hour.from = tally->month.from = PG_INT64_MAX;
	tally->hour.to = tally->month.to = PG_INT64_MIN;
	return tally;
}

static TurnTally *
expanded_tally(Datum datum)
{
	TurnTally  *tally = (TurnTally *) DatumGetEOHP(datum);

	if (tally->magic != EXPANDED_TURN_TALLY_MAGIC)
		corrupted_value(TURN_TALLY_TYPE);
	return tally;
}

/* The tally in an argument, to be read. */
static TurnTally *
tally_arg(FunctionCallInfo fcinfo, int argno)
{
	Datum		datum = PG_GETARG_DATUM(argno);

	if (VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(datum)))
		return expanded_tally(datum);
	return turn_tally_read(CurrentMemoryContext, (bytea *) PG_DETOAST_DATUM(datum));
}

/*
 * The state of an aggregate, from argument 0, fit to be changed; NULL where
 * there is none yet.
 */
static inline TurnTally *
tally_state(FunctionCallInfo fcinfo, const char *caller, MemoryContext *aggcontext)
{
	/* AggCheckCallContext(), without the call where it is an aggregate */
	if (likely(fcinfo->context != NULL && IsA(fcinfo->context, AggState)))
		*aggcontext = ((AggState *) fcinfo->context)->curaggcontext->ecxt_per_tuple_memory;
	else if (!AggCheckCallContext(fcinfo, aggcontext))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s is called by aggregates only", caller)));
	if (PG_ARGISNULL(0))
		return NULL;
	if (likely(VARATT_IS_EXTERNAL_EXPANDED_RW(PG_GETARG_POINTER(0))))
		return expanded_tally(PG_GETARG_DATUM(0));
	return turn_tally_read(*aggcontext, (bytea *) PG_DETOAST_DATUM(PG_GETARG_DATUM(0)));
}

/*
 * Arrays
 */

/* Makes room for one more, which is zeros, and returns its number. */
static uint32
grow(TurnTally *tally, TurnArray *array, Size item)
{
	if (unlikely(array->n >= array->max))
	{
		if (array->max > PG_UINT32_MAX / 4)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a turn_tally holds too many turns"),
					 errhint("Tally the calls of shorter times, or of parts of the turns.")));
		array->max = Max(array->max * 2, 16);
		array->items = array->items == NULL ?
			MemoryContextAllocHuge(tally->hdr.eoh_context, array->max * item) :
			repalloc_huge(array->items, array->max * item);
	}
	memset((char *) array->items + array->n * item, 0, item);
	return array->n++;
}

static inline uint32
hash_pair(uint32 a, uint32 b)
{
	return murmurhash32(a * 0x9E3779B1u ^ murmurhash32(b));
}

/*
 * A hash of bytes that lie in a row: 8 at a time.  Who makes ids that collide
 * makes the counting of their own calls slow, not wrong.
 */
static inline uint32
hash_string(Bytes s)
{
	uint64		h = s.len * UINT64CONST(0x9E3779B97F4A7C15);
	int			i = 0;

	for (; i + 8 <= s.len; i += 8)
	{
		h = (h ^ load_8(s.data + i)) * UINT64CONST(0xFF51AFD7ED558CCD);
		h ^= h >> 32;
	}
	if (i < s.len)
	{
		uint64		rest = 0;

		if (s.len >= 8)
			rest = load_8(s.data + s.len - 8);
		else
			for (; i < s.len; i++)
				rest = rest << 8 | (unsigned char) s.data[i];
		h = (h ^ rest) * UINT64CONST(0xFF51AFD7ED558CCD);
		h ^= h >> 32;
	}
	h *= UINT64CONST(0xC4CEB9FE1A85EC53);
	return (uint32) (h >> 32);
}

typedef uint32 (*HashItem) (const TurnTally *tally, uint32 number);

static uint32
hash_of_string(const TurnTally *tally, uint32 number)
{
	return hash_string(ITEM(tally->strings, Bytes, number));
}

static uint32
hash_of_turn(const TurnTally *tally, uint32 number)
{
	return ITEM(tally->turns, Turn, number).hash;
}

static uint32
hash_of_part(const TurnTally *tally, uint32 number)
{
	const TurnPart *part = &ITEM(tally->parts, TurnPart, number);

	return hash_pair(part->turn, part->hour);
}

static uint32
hash_of_times(TimestampTz from, TimestampTz month)
{
	return hash_pair((uint32) (from / USECS_PER_MINUTE), (uint32) (month / USECS_PER_DAY));
}

static uint32
hash_of_hour(const TurnTally *tally, uint32 number)
{
	const TurnHour *hour = &ITEM(tally->hours, TurnHour, number);

	return hash_of_times(hour->from, hour->month);
}

/* Makes room in the slots for one more. */
static void
more_slots(TurnTally *tally, TurnArray *array, HashItem hash)
{
	if (likely((uint64) array->n * 2 < array->n_slots))
		return;
	if (array->slots != NULL)
		pfree(array->slots);
	array->n_slots = Max(array->n_slots * 2, 64);
	array->slots = MemoryContextAllocExtended(tally->hdr.eoh_context, array->n_slots * sizeof(uint32),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < array->n; i++)
	{
		uint32		slot = hash(tally, i) & (array->n_slots - 1);

		while (array->slots[slot] != 0)
			slot = (slot + 1) & (array->n_slots - 1);
		array->slots[slot] = i + 1;
	}
}

/* Keeps bytes for as long as the tally is there. */
Bytes
turn_keep(TurnTally *tally, Bytes bytes)
{
	Bytes		kept;

	if (bytes.data == NULL)
		return bytes;
	if (unlikely(tally->n_free <= bytes.len))
	{
		Size		chunk = Max(Min((Size) 4096 + tally->strings.n * (Size) 64 + tally->turns.n * (Size) 32, 1024 * 1024), bytes.len + 1);

		tally->free = MemoryContextAlloc(tally->hdr.eoh_context, chunk);
		tally->n_free = chunk;
	}
	kept.data = tally->free;
	kept.len = bytes.len;
	memcpy(tally->free, bytes.data, bytes.len);
	tally->free += bytes.len + 1;
	tally->n_free -= bytes.len + 1;
	return kept;
}

/* The number of a string; 0 where it is NULL or the tally has none such. */
uint32
turn_find_string(const TurnTally *tally, Bytes string)
{
	const TurnArray *array = &tally->strings;
	uint32		slot;

	if (string.data == NULL || array->n_slots == 0)
		return 0;
	slot = hash_string(string) & (array->n_slots - 1);
	for (; array->slots[slot] != 0; slot = (slot + 1) & (array->n_slots - 1))
	{
		Bytes		other = ITEM(*array, Bytes, array->slots[slot] - 1);

		if (same_string(other.data, other.len, string.data, string.len))
			return array->slots[slot];
	}
	return 0;
}

/* The same, and it is added where the tally lacks it.  They are numbers + 1. */
uint32
turn_string(TurnTally *tally, Bytes string)
{
	uint32		number = turn_find_string(tally, string);
	uint32		slot;

	if (number != 0 || string.data == NULL)
		return number;
	more_slots(tally, &tally->strings, hash_of_string);
	slot = hash_string(string) & (tally->strings.n_slots - 1);
	while (tally->strings.slots[slot] != 0)
		slot = (slot + 1) & (tally->strings.n_slots - 1);
	number = grow(tally, &tally->strings, sizeof(Bytes));
	ITEM(tally->strings, Bytes, number) = turn_keep(tally, string);
	return tally->strings.slots[slot] = number + 1;
}

static inline Bytes
string_of(const TurnTally *tally, uint32 number)
{
	return number == 0 ? no_bytes : ITEM(tally->strings, Bytes, number - 1);
}

uint32
turn_hour(TurnTally *tally, TimestampTz from, TimestampTz month)
{
	TurnArray  *array = &tally->hours;
	uint32		slot;
	uint32		number;

	more_slots(tally, array, hash_of_hour);
	slot = hash_of_times(from, month) & (array->n_slots - 1);
	for (; array->slots[slot] != 0; slot = (slot + 1) & (array->n_slots - 1))
	{
		number = array->slots[slot] - 1;
		if (ITEM(*array, TurnHour, number).from == from && ITEM(*array, TurnHour, number).month == month)
			return number;
	}
	number = grow(tally, array, sizeof(TurnHour));
	ITEM(*array, TurnHour, number).from = from;
	ITEM(*array, TurnHour, number).month = month;
	array->slots[slot] = number + 1;
	return number;
}

/*
 * The turn with an id, or, without one, that of the owner; it is made where the
 * tally lacks it, and stays where it is until the next is made.
 */
Turn *
turn_of(TurnTally *tally, Bytes id, const uint32 owner[N_TURN_OWNERS], bool *is_new)
{
	TurnArray  *array = &tally->turns;
	uint32		hash;
	uint32		slot;
	Turn	   *turn;

	if (unlikely(tally->flat != NULL))
	{
		pfree(tally->flat);
		tally->flat = NULL;
	}
	more_slots(tally, array, hash_of_turn);
	hash = id.data != NULL ? hash_string(id) :
		hash_pair(hash_pair(owner[OWNER_SESSION], owner[OWNER_USER]), hash_pair(owner[OWNER_TEAM], owner[OWNER_PROJECT]));
	slot = hash & (array->n_slots - 1);
	for (; array->slots[slot] != 0; slot = (slot + 1) & (array->n_slots - 1))
	{
		turn = &ITEM(*array, Turn, array->slots[slot] - 1);
		if (turn->hash == hash && (turn->id.data == NULL) == (id.data == NULL) &&
			(id.data != NULL ? same_string(turn->id.data, turn->id.len, id.data, id.len) :
			 memcmp(turn->owner, owner, sizeof(turn->owner)) == 0))
		{
			*is_new = false;
			return turn;
		}
	}
	array->slots[slot] = grow(tally, array, sizeof(Turn)) + 1;
	turn = &ITEM(*array, Turn, array->slots[slot] - 1);
	turn->hash = hash;
	turn->id = turn_keep(tally, id);
	*is_new = true;
	return turn;
}

void
turn_add_agent(TurnTally *tally, Turn *turn, uint32 agent)
{
	uint32		number;

	for (uint32 a = turn->agents; a != 0; a = ITEM(tally->agents, TurnAgent, a - 1).next)
		if (ITEM(tally->agents, TurnAgent, a - 1).agent == agent)
			return;
	number = grow(tally, &tally->agents, sizeof(TurnAgent));
	ITEM(tally->agents, TurnAgent, number).agent = agent;
	ITEM(tally->agents, TurnAgent, number).next = turn->agents;
	turn->agents = number + 1;
}

static NO_RETURN void
tokens_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("number of tokens out of range")));
}

static inline void
add_to(int64 *sum, int64 value)
{
	if (unlikely(pg_add_s64_overflow(*sum, value, sum)))
		tokens_out_of_range();
}

/* Adds calls to the part of the hour: numbers of "part", and tokens. */
void
turn_add_part(TurnTally *tally, Turn *turn, uint32 hour, const TurnPart *from, const TokenCounts *tokens)
{
	TurnArray  *array = &tally->parts;
	uint32		number = turn - (Turn *) tally->turns.items;
	TurnPart   *part = NULL;
	Meter		m;

	/* calls mostly come in their order */
	if (turn->parts != 0 && ITEM(*array, TurnPart, turn->parts - 1).hour == hour)
		part = &ITEM(*array, TurnPart, turn->parts - 1);
	else
	{
		uint32		slot;

		more_slots(tally, array, hash_of_part);
		slot = hash_pair(number, hour) & (array->n_slots - 1);
		for (; part == NULL && array->slots[slot] != 0; slot = (slot + 1) & (array->n_slots - 1))
		{
			TurnPart   *other = &ITEM(*array, TurnPart, array->slots[slot] - 1);

			if (other->turn == number && other->hour == hour)
				part = other;
		}
		if (part == NULL)
		{
			array->slots[slot] = grow(tally, array, sizeof(TurnPart)) + 1;
			part = &ITEM(*array, TurnPart, array->slots[slot] - 1);
			part->turn = number;
			part->hour = hour;
			part->next = turn->parts;
			turn->parts = array->slots[slot];
		}
	}
	add_to(&part->calls, from->calls);
	part->unreported += from->unreported;
	add_to(&part->cacheable, from->cacheable);
	part->reported |= tokens->reported;
	FOR_EACH_COMMON_METER(m)
		add_to(&part->count[m], tokens->count[m]);
	if (unlikely((tokens->reported & ~COMMON_METERS) != 0))
	{
		if (part->rare == 0)
			part->rare = grow(tally, &tally->rares, sizeof(TurnRare)) + 1;
		for (m = N_COMMON_METERS; m < N_METERS; m++)
			add_to(&ITEM(tally->rares, TurnRare, part->rare - 1).count[m - N_COMMON_METERS], tokens->count[m]);
	}
}

void
turn_part_tokens(const TurnTally *tally, const TurnPart *part, TokenCounts *tokens)
{
	memset(tokens, 0, sizeof(TokenCounts));
	tokens->reported = part->reported;
	for (int m = 0; m < N_COMMON_METERS; m++)
		tokens->count[m] = part->count[m];
	if (part->rare != 0)
		for (int m = N_COMMON_METERS; m < N_METERS; m++)
			tokens->count[m] = ITEM(tally->rares, TurnRare, part->rare - 1).count[m - N_COMMON_METERS];
}

/*
 * Aggregates
 */

enum
{
	ARG_STATE, ARG_ZONE, ARG_AT, ARG_TOKENS, ARG_TURN, ARG_SESSION, ARG_USER, ARG_TEAM, ARG_PROJECT,
	ARG_REQUEST, ARG_IS_WANTED, ARG_DURATION, ARG_AGENT
};

static inline Bytes
bytes_arg(FunctionCallInfo fcinfo, int argno)
{
	return PG_ARGISNULL(argno) ? no_bytes : packed_bytes(PG_GETARG_DATUM(argno));
}

/* NULL comes last. */
static int
compare_or_null(Bytes a, Bytes b)
{
	if (a.data == NULL || b.data == NULL)
		return (a.data == NULL) - (b.data == NULL);
	return compare_bytes(a, b);
}

/* Whether a call comes before the first one that the turn has. */
static inline bool
comes_first(const TurnTally *tally, const Turn *turn, TimestampTz at, Bytes request, const Bytes owner[N_TURN_OWNERS])
{
	int			order;

	if (likely(at != turn->at))
		return at < turn->at;
	order = compare_or_null(request, turn->request);
	for (int o = 0; o < N_TURN_OWNERS && order == 0; o++)
		order = compare_or_null(owner[o], string_of(tally, turn->owner[o]));
	return order < 0;
}

static bool
same_zone(const TurnTally *tally, const char *zone, int zone_len)
{
	return tally->zone_len == zone_len && memcmp(tally->zone_name, zone, zone_len) == 0;
}

/*
 * turn_tally(zone, at, tokens, turn_id, session_id, user_id, team, project,
 * request_id, is_wanted [, duration, agent])
 */
Datum
turn_tally_add(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext;
	TurnTally  *tally = tally_state(fcinfo, "turn_tally_add", &aggcontext);
	Bytes		zone = bytes_arg(fcinfo, ARG_ZONE);
	Bytes		id = bytes_arg(fcinfo, ARG_TURN);
	bool		is_wanted = !PG_ARGISNULL(ARG_IS_WANTED) && PG_GETARG_BOOL(ARG_IS_WANTED);
	Bytes		owner[N_TURN_OWNERS];
	uint32		number[N_TURN_OWNERS] = {0};
	TimestampTz at;
	Turn	   *turn;
	bool		is_new;

	if (zone.data == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the time zone of a turn_tally must not be null")));
	if (PG_ARGISNULL(ARG_AT))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the time of a call must not be null")));
	at = PG_GETARG_TIMESTAMPTZ(ARG_AT);
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("the time of a call must not be infinite")));
	if (unlikely(tally == NULL))
		tally = turn_tally_make(aggcontext, zone.data, zone.len);
	else if (unlikely(!same_zone(tally, zone.data, zone.len)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a turn_tally has one time zone"),
				 errdetail("There are \"%s\" and \"%.*s\".", tally->zone_name, zone.len, zone.data)));

	/* a call without a turn, of which nothing is wanted, says nothing */
	if (id.data == NULL && !is_wanted)
		return EOHPGetRWDatum(&tally->hdr);

	for (int o = 0; o < N_TURN_OWNERS; o++)
		owner[o] = bytes_arg(fcinfo, ARG_SESSION + o);
	if (id.data == NULL)
		for (int o = 0; o < N_TURN_OWNERS; o++)
			number[o] = turn_string(tally, owner[o]);
	turn = turn_of(tally, id, number, &is_new);
	if (id.data != NULL)
	{
		Bytes		request = bytes_arg(fcinfo, ARG_REQUEST);

		if (is_new || comes_first(tally, turn, at, request, owner))
		{
			for (int o = 0; o < N_TURN_OWNERS; o++)
				turn->owner[o] = turn_string(tally, owner[o]);
			turn->at = at;
			turn->request = turn_keep(tally, request);
		}
		if (PG_NARGS() > ARG_DURATION)
		{
			int64		duration = PG_ARGISNULL(ARG_DURATION) ? 0 : PG_GETARG_INT32(ARG_DURATION);
			TimestampTz ends_at = at + duration * 1000;

			if (!IS_VALID_TIMESTAMP(ends_at))
				ereport(ERROR,
						(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						 errmsg("timestamp out of range")));
			turn->ends_at = is_new ? ends_at : Max(turn->ends_at, ends_at);
			if (!PG_ARGISNULL(ARG_AGENT))
				turn_add_agent(tally, turn, turn_string(tally, bytes_arg(fcinfo, ARG_AGENT)));
		}
		else
			turn->ends_at = is_new ? at : Max(turn->ends_at, at);
	}
	else if (is_new)
	{
		memcpy(turn->owner, number, sizeof(number));
		turn->at = turn->ends_at = 0;
	}

	if (is_wanted)
	{
		TurnPart	part = {.calls = 1};
		TokenCounts tokens;

		if (unlikely(!period_holds(&tally->hour, at) || !period_holds(&tally->month, at)))
		{
			tally->hour = period_at(GRAIN_HOUR, tally->zone, at);
			tally->month = period_at(GRAIN_MONTH, tally->zone, at);
			tally->hour_number = turn_hour(tally, tally->hour.from, tally->month.from);
		}
		if (PG_ARGISNULL(ARG_TOKENS))
		{
			part.unreported = 1;
			memset(&tokens, 0, sizeof(tokens));
		}
		else
		{
			token_counts_read(PG_GETARG_DATUM(ARG_TOKENS), &tokens);
			if (tokens.reported & METER_BIT(METER_CACHE_READ))
				part.cacheable = token_counts_sum(&tokens, meters_of_side(SIDE_INPUT));
		}
		turn_add_part(tally, turn, tally->hour_number, &part, &tokens);
	}
	return EOHPGetRWDatum(&tally->hdr);
}

static void
add_tally(TurnTally *into, const TurnTally *from)
{
	uint32	   *number = MemoryContextAllocHuge(CurrentMemoryContext, (from->strings.n + 1) * sizeof(uint32));
	uint32	   *hour = palloc((from->hours.n + 1) * sizeof(uint32));

	number[0] = 0;
	for (uint32 s = 0; s < from->strings.n; s++)
		number[s + 1] = turn_string(into, ITEM(from->strings, Bytes, s));
	for (uint32 h = 0; h < from->hours.n; h++)
		hour[h] = turn_hour(into, ITEM(from->hours, TurnHour, h).from, ITEM(from->hours, TurnHour, h).month);
	for (uint32 t = 0; t < from->turns.n; t++)
	{
		const Turn *other = &ITEM(from->turns, Turn, t);
		uint32		owner[N_TURN_OWNERS];
		Bytes		names[N_TURN_OWNERS];
		bool		is_new;
		Turn	   *turn;

		CHECK_FOR_INTERRUPTS();
		for (int o = 0; o < N_TURN_OWNERS; o++)
		{
			owner[o] = number[other->owner[o]];
			names[o] = string_of(from, other->owner[o]);
		}
		turn = turn_of(into, other->id, owner, &is_new);
		if (is_new || (other->id.data != NULL && comes_first(into, turn, other->at, other->request, names)))
		{
			memcpy(turn->owner, owner, sizeof(owner));
			turn->at = other->at;
			turn->request = turn_keep(into, other->request);
		}
		turn->ends_at = is_new ? other->ends_at : Max(turn->ends_at, other->ends_at);
		for (uint32 a = other->agents; a != 0; a = ITEM(from->agents, TurnAgent, a - 1).next)
			turn_add_agent(into, turn, number[ITEM(from->agents, TurnAgent, a - 1).agent]);
		for (uint32 p = other->parts; p != 0; p = ITEM(from->parts, TurnPart, p - 1).next)
		{
			const TurnPart *part = &ITEM(from->parts, TurnPart, p - 1);
			TokenCounts tokens;

			turn_part_tokens(from, part, &tokens);
			turn_add_part(into, turn, hour[part->hour], part, &tokens);
		}
	}
	pfree(number);
	pfree(hour);
}

Datum
turn_tally_merge(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext;
	TurnTally  *state = tally_state(fcinfo, "turn_tally_merge", &aggcontext);
	TurnTally  *from;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		return EOHPGetRWDatum(&state->hdr);
	}
	from = tally_arg(fcinfo, 1);
	if (state == NULL)
		state = turn_tally_make(aggcontext, from->zone_name, from->zone_len);
	else if (!same_zone(state, from->zone_name, from->zone_len))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a turn_tally has one time zone"),
				 errdetail("There are \"%s\" and \"%s\".", state->zone_name, from->zone_name)));
	add_tally(state, from);
	if (!VARATT_IS_EXTERNAL_EXPANDED(PG_GETARG_POINTER(1)))
		MemoryContextDelete(from->hdr.eoh_context);
	return EOHPGetRWDatum(&state->hdr);
}

/*
 * The tally where it lies.  PostgreSQL 15 copies, and so flattens, what is not in
 * the context that the result belongs to; so the pointer is put there.
 */
Datum
turn_tally_final(PG_FUNCTION_ARGS)
{
	TurnTally  *tally;
	char	   *pointer;

	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("turn_tally_final is called by aggregates only")));
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	tally = tally_arg(fcinfo, 0);
	pointer = palloc(EXPANDED_POINTER_SIZE);
	memcpy(pointer, DatumGetPointer(EOHPGetRODatum(&tally->hdr)), EXPANDED_POINTER_SIZE);
	PG_RETURN_POINTER(pointer);
}

/*
 * Counting by owner
 */

typedef enum CountScope
{
	SCOPE_TOTAL,
	SCOPE_TEAM,
	SCOPE_PROJECT,
	N_SCOPES
} CountScope;

static const char *const scope_name[N_SCOPES] = {"total", "team", "project"};

/* What is counted of a month and an owner. */
typedef struct CountCell
{
	TimestampTz month;
	uint32		scope;
	uint32		owner;			/* a string */
	uint32		last_turn;		/* number + 1 of the turn counted last */
	bool		has_tokens;
	bool		has_mix;
	int64		users;
	int64		sessions;
	int64		turns;
	int64		calls;
	int64		unreported;
	int64		cacheable;
	int64		total;
	int64		peak;
	TokenCounts mix;
} CountCell;

/* Pairs of numbers that were met, each with a sum. */
typedef struct PairSet
{
	uint64	   *keys;			/* 0: free; the halves are numbers + 1 */
	int64	   *sums;			/* NULL: there are none */
	uint64		n;
	uint64		n_slots;
} PairSet;

typedef struct Counter
{
	const TurnTally *tally;
	CountCell  *cells;
	uint32		n_cells;
	uint32		max_cells;
	uint32	   *slots;
	uint32		n_slots;
	PairSet		users;
	PairSet		sessions;
	PairSet		hours;
} Counter;

static inline uint64
pair_slot(const PairSet *set, uint64 key)
{
	uint64		h = key * UINT64CONST(0x9E3779B97F4A7C15);
	uint64		slot = (h ^ h >> 32) & (set->n_slots - 1);

	while (set->keys[slot] != 0 && set->keys[slot] != key)
		slot = (slot + 1) & (set->n_slots - 1);
	return slot;
}

/* Where a pair is; it is added where the set lacks it. */
static uint64
pair_of(PairSet *set, bool with_sums, uint32 a, uint32 b, bool *is_new)
{
	uint64		key = ((uint64) a + 1) << 32 | ((uint64) b + 1);
	uint64		slot;

	if (unlikely(set->n * 2 >= set->n_slots))
	{
		PairSet		old = *set;

		set->n_slots = Max(old.n_slots * 2, 64);
		set->keys = MemoryContextAllocExtended(CurrentMemoryContext, set->n_slots * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		if (with_sums)
			set->sums = MemoryContextAllocExtended(CurrentMemoryContext, set->n_slots * sizeof(int64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		for (uint64 i = 0; i < old.n_slots; i++)
			if (old.keys[i] != 0)
			{
				slot = pair_slot(set, old.keys[i]);
				set->keys[slot] = old.keys[i];
				if (with_sums)
					set->sums[slot] = old.sums[i];
			}
		if (old.keys != NULL)
			pfree(old.keys);
		if (old.sums != NULL)
			pfree(old.sums);
	}
	slot = pair_slot(set, key);
	*is_new = set->keys[slot] == 0;
	if (*is_new)
	{
		set->keys[slot] = key;
		set->n++;
	}
	return slot;
}

static inline uint32
cell_hash(TimestampTz month, uint32 scope, uint32 owner)
{
	return hash_pair(hash_pair((uint32) (month / USECS_PER_DAY), scope), owner);
}

static uint32
cell_of(Counter *counter, TimestampTz month, uint32 scope, uint32 owner)
{
	uint32		slot;
	CountCell  *cell;

	if (counter->n_cells * 2 >= counter->n_slots)
	{
		counter->n_slots = Max(counter->n_slots * 2, 64);
		counter->slots = palloc0(counter->n_slots * sizeof(uint32));
		for (uint32 i = 0; i < counter->n_cells; i++)
		{
			cell = &counter->cells[i];
			slot = cell_hash(cell->month, cell->scope, cell->owner) & (counter->n_slots - 1);
			while (counter->slots[slot] != 0)
				slot = (slot + 1) & (counter->n_slots - 1);
			counter->slots[slot] = i + 1;
		}
	}
	slot = cell_hash(month, scope, owner) & (counter->n_slots - 1);
	for (; counter->slots[slot] != 0; slot = (slot + 1) & (counter->n_slots - 1))
	{
		cell = &counter->cells[counter->slots[slot] - 1];
		if (cell->month == month && cell->scope == scope && cell->owner == owner)
			return counter->slots[slot] - 1;
	}
	if (counter->n_cells >= counter->max_cells)
	{
		counter->max_cells = Max(counter->max_cells * 2, 16);
		counter->cells = counter->cells == NULL ? palloc_extended(counter->max_cells * sizeof(CountCell), MCXT_ALLOC_HUGE) :
			repalloc_huge(counter->cells, counter->max_cells * sizeof(CountCell));
	}
	cell = &counter->cells[counter->n_cells++];
	memset(cell, 0, sizeof(CountCell));
	cell->month = month;
	cell->scope = scope;
	cell->owner = owner;
	counter->slots[slot] = counter->n_cells;
	return counter->n_cells - 1;
}

static void
count_part(Counter *counter, uint32 number, const Turn *turn, const TurnPart *part, uint32 scope)
{
	uint32		owner = scope == SCOPE_TOTAL ? 0 : turn->owner[scope == SCOPE_TEAM ? OWNER_TEAM : OWNER_PROJECT];
	uint32		c = cell_of(counter, ITEM(counter->tally->hours, TurnHour, part->hour).month, scope, owner);
	CountCell  *cell = &counter->cells[c];
	TokenCounts tokens;
	int64		total;
	bool		is_new;

	turn_part_tokens(counter->tally, part, &tokens);
	total = token_counts_sum(&tokens, meters_of_side(SIDE_INPUT) | meters_of_side(SIDE_OUTPUT));
	add_to(&cell->total, total);
	if (part->calls > part->unreported)
	{
		uint64		slot = pair_of(&counter->hours, true, c, part->hour, &is_new);

		cell->has_tokens = true;
		add_to(&counter->hours.sums[slot], total);
		cell->peak = Max(cell->peak, counter->hours.sums[slot]);
	}
	if (turn->id.data == NULL)
		return;
	add_to(&cell->calls, part->calls);
	add_to(&cell->unreported, part->unreported);
	if (part->calls > part->unreported)
	{
		cell->has_mix = true;
		token_counts_add(&cell->mix, &tokens);
		add_to(&cell->cacheable, part->cacheable);
	}
	if (cell->last_turn == number + 1)
		return;
	cell->last_turn = number + 1;
	cell->turns++;
	if (turn->owner[OWNER_USER] != 0)
	{
		pair_of(&counter->users, false, c, turn->owner[OWNER_USER], &is_new);
		cell->users += is_new;
	}
	if (turn->owner[OWNER_SESSION] != 0)
	{
		pair_of(&counter->sessions, false, c, turn->owner[OWNER_SESSION], &is_new);
		cell->sessions += is_new;
	}
}

static Bytes
bytes_of_jsonb(const JsonbValue *value)
{
	Bytes		bytes;

	bytes.data = value->val.string.val;
	bytes.len = value->val.string.len;
	return bytes;
}

/*
 * Which owners a slice lets through, by the number of the string; NULL: all.  The
 * slice has a string, null, or an array of these.
 */
static bool *
owners_wanted(const TurnTally *tally, Jsonb *slice, const char *key)
{
	JsonbValue	buffer;
	JsonbValue *value = getKeyJsonValueFromContainer(&slice->root, key, strlen(key), &buffer);
	bool	   *wanted;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	element;

	if (value == NULL)
		return NULL;
	wanted = palloc0(tally->strings.n + 1);
	if (value->type == jbvString || value->type == jbvNull)
	{
		uint32		number = value->type == jbvNull ? 0 : turn_find_string(tally, bytes_of_jsonb(value));

		if (number != 0 || value->type == jbvNull)
			wanted[number] = true;
		return wanted;
	}
	if (value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data))
	{
		iterator = JsonbIteratorInit(value->val.binary.data);
		while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE)
		{
			if (token == WJB_BEGIN_ARRAY || token == WJB_END_ARRAY)
				continue;
			if (token != WJB_ELEM || (element.type != jbvString && element.type != jbvNull))
				break;
			if (element.type == jbvNull)
				wanted[0] = true;
			else
			{
				uint32		number = turn_find_string(tally, bytes_of_jsonb(&element));

				if (number != 0)
					wanted[number] = true;
			}
		}
		if (token == WJB_DONE)
			return wanted;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("a slice by \"%s\" is a string, null, or an array of these", key)));
}

static Datum
bytes_text(Bytes bytes)
{
	return PointerGetDatum(cstring_to_text_with_len(bytes.data, bytes.len));
}

/* counts(turn_tally, slice, by_owner) */
Datum
turn_tally_counts(PG_FUNCTION_ARGS)
{
	static const char *const owner_key[N_TURN_OWNERS] = {"session_id", "user_id", "team", "project"};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Counter		counter = {0};
	bool	   *wanted[N_TURN_OWNERS] = {NULL};
	bool		by_owner = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	counter.tally = tally_arg(fcinfo, 0);
	if (!PG_ARGISNULL(1))
	{
		Jsonb	   *slice = PG_GETARG_JSONB_P(1);

		if (!JB_ROOT_IS_OBJECT(slice))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a slice is a JSON object")));
		for (int o = 0; o < N_TURN_OWNERS; o++)
			wanted[o] = owners_wanted(counter.tally, slice, owner_key[o]);
	}

	for (uint32 t = 0; t < counter.tally->turns.n; t++)
	{
		const Turn *turn = &ITEM(counter.tally->turns, Turn, t);
		bool		skip = false;

		if (t % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		for (int o = 0; o < N_TURN_OWNERS; o++)
			skip |= wanted[o] != NULL && !wanted[o][turn->owner[o]];
		if (skip)
			continue;
		for (uint32 p = turn->parts; p != 0; p = ITEM(counter.tally->parts, TurnPart, p - 1).next)
			for (int scope = 0; scope < (by_owner ? N_SCOPES : 1); scope++)
				count_part(&counter, t, turn, &ITEM(counter.tally->parts, TurnPart, p - 1), scope);
	}

	for (uint32 c = 0; c < counter.n_cells; c++)
	{
		const CountCell *cell = &counter.cells[c];
		Datum		values[12];
		bool		nulls[12] = {false};

		values[0] = TimestampTzGetDatum(cell->month);
		values[1] = CStringGetTextDatum(scope_name[cell->scope]);
		nulls[2] = cell->owner == 0;
		if (!nulls[2])
			values[2] = bytes_text(string_of(counter.tally, cell->owner));
		values[3] = Int64GetDatum(cell->users);
		values[4] = Int64GetDatum(cell->sessions);
		values[5] = Int64GetDatum(cell->turns);
		values[6] = Int64GetDatum(cell->calls);
		values[7] = Int64GetDatum(cell->unreported);
		nulls[8] = !cell->has_mix;
		if (cell->has_mix)
			values[8] = token_counts_datum(&cell->mix);
		nulls[9] = (cell->mix.reported & METER_BIT(METER_CACHE_READ)) == 0;
		values[9] = Int64GetDatum(cell->cacheable);
		values[10] = Int64GetDatum(cell->total);
		nulls[11] = !cell->has_tokens;
		values[11] = Int64GetDatum(cell->peak);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}

/*
 * Turns
 */

/* The sums of all parts of a turn. */
static void
turn_sums(const TurnTally *tally, const Turn *turn, int64 *calls, int64 *unreported, TokenCounts *tokens)
{
	*calls = *unreported = 0;
	memset(tokens, 0, sizeof(TokenCounts));
	for (uint32 p = turn->parts; p != 0; p = ITEM(tally->parts, TurnPart, p - 1).next)
	{
		const TurnPart *part = &ITEM(tally->parts, TurnPart, p - 1);
		TokenCounts counts;

		turn_part_tokens(tally, part, &counts);
		token_counts_add(tokens, &counts);
		add_to(calls, part->calls);
		add_to(unreported, part->unreported);
	}
}

static int
compare_texts(const void *a, const void *b)
{
	return compare_bytes(*(const Bytes *) a, *(const Bytes *) b);
}

/* The names of the agents of a turn, sorted; false where it has none. */
static bool
turn_agents(const TurnTally *tally, const Turn *turn, Datum *result)
{
	int			n = 0;
	Bytes	   *names;
	Datum	   *texts;

	for (uint32 a = turn->agents; a != 0; a = ITEM(tally->agents, TurnAgent, a - 1).next)
		n++;
	if (n == 0)
		return false;
	names = palloc(n * sizeof(Bytes));
	texts = palloc(n * sizeof(Datum));
	n = 0;
	for (uint32 a = turn->agents; a != 0; a = ITEM(tally->agents, TurnAgent, a - 1).next)
		names[n++] = string_of(tally, ITEM(tally->agents, TurnAgent, a - 1).agent);
	qsort(names, n, sizeof(Bytes), compare_texts);
	for (int i = 0; i < n; i++)
		texts[i] = bytes_text(names[i]);
	*result = PointerGetDatum(construct_array(texts, n, TEXTOID, -1, false, TYPALIGN_INT));
	return true;
}

static inline bool
begins_between(const Turn *turn, TimestampTz from, TimestampTz to)
{
	return turn->id.data != NULL && turn->parts != 0 && turn->at >= from && turn->at < to;
}

/* turns(turn_tally, from_at, to_at) */
Datum
turn_tally_turns(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TurnTally  *tally = tally_arg(fcinfo, 0);
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(1);
	TimestampTz to = PG_GETARG_TIMESTAMPTZ(2);
	MemoryContext scratch;

	InitMaterializedSRF(fcinfo, 0);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "turn", ALLOCSET_SMALL_SIZES);
	for (uint32 t = 0; t < tally->turns.n; t++)
	{
		const Turn *turn = &ITEM(tally->turns, Turn, t);
		MemoryContext old;
		Datum		values[11];
		bool		nulls[11] = {false};
		int64		calls;
		int64		unreported;
		TokenCounts tokens;

		if (t % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (!begins_between(turn, from, to))
			continue;
		old = MemoryContextSwitchTo(scratch);
		turn_sums(tally, turn, &calls, &unreported, &tokens);
		values[0] = bytes_text(turn->id);
		values[1] = TimestampTzGetDatum(turn->at);
		values[2] = TimestampTzGetDatum(turn->ends_at);
		for (int o = 0; o < N_TURN_OWNERS; o++)
		{
			nulls[3 + o] = turn->owner[o] == 0;
			if (!nulls[3 + o])
				values[3 + o] = bytes_text(string_of(tally, turn->owner[o]));
		}
		nulls[7] = !turn_agents(tally, turn, &values[7]);
		values[8] = Int64GetDatum(calls);
		values[9] = Int64GetDatum(unreported);
		nulls[10] = calls == unreported;
		if (!nulls[10])
			values[10] = token_counts_datum(&tokens);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	PG_RETURN_NULL();
}

/* What is sorted to say how far turns fan out. */
typedef struct FanOutTurn
{
	uint32		cell;
	int64		calls;
	int64		tokens;
} FanOutTurn;

static int
compare_by_calls(const void *a, const void *b)
{
	const FanOutTurn *x = a;
	const FanOutTurn *y = b;

	if (x->cell != y->cell)
		return (x->cell > y->cell) - (x->cell < y->cell);
	return (x->calls > y->calls) - (x->calls < y->calls);
}

static int
compare_tokens_down(const void *a, const void *b)
{
	int64		x = ((const FanOutTurn *) a)->tokens;
	int64		y = ((const FanOutTurn *) b)->tokens;

	return (x < y) - (x > y);
}

/* The least value that the share of the turns does not exceed. */
static int64
percentile_of_turns(const FanOutTurn *turns, uint64 n, int percent)
{
	return turns[(n * percent + 99) / 100 - 1].calls;
}

/* fan_out(turn_tally, from_at, to_at) */
Datum
turn_tally_fan_out(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TurnTally  *tally = tally_arg(fcinfo, 0);
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(1);
	TimestampTz to = PG_GETARG_TIMESTAMPTZ(2);
	Counter		counter = {tally};
	Period		month = {0, 0};
	FanOutTurn *turns;
	uint64		n = 0;

	InitMaterializedSRF(fcinfo, 0);
	turns = MemoryContextAllocHuge(CurrentMemoryContext, Max((Size) tally->turns.n, 1) * N_SCOPES * sizeof(FanOutTurn));
	for (uint32 t = 0; t < tally->turns.n; t++)
	{
		const Turn *turn = &ITEM(tally->turns, Turn, t);
		int64		calls;
		int64		unreported;
		TokenCounts tokens;

		if (t % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (!begins_between(turn, from, to))
			continue;
		turn_sums(tally, turn, &calls, &unreported, &tokens);
		if (!period_holds(&month, turn->at))
			month = period_at(GRAIN_MONTH, tally->zone, turn->at);
		for (int scope = 0; scope < N_SCOPES; scope++)
		{
			uint32		owner = scope == SCOPE_TOTAL ? 0 : turn->owner[scope == SCOPE_TEAM ? OWNER_TEAM : OWNER_PROJECT];

			turns[n].cell = cell_of(&counter, month.from, scope, owner);
			turns[n].calls = calls;
			turns[n].tokens = token_counts_sum(&tokens, meters_of_side(SIDE_INPUT) | meters_of_side(SIDE_OUTPUT));
			n++;
		}
	}
	qsort(turns, n, sizeof(FanOutTurn), compare_by_calls);
	for (uint64 first = 0, next; first < n; first = next)
	{
		const CountCell *cell = &counter.cells[turns[first].cell];
		uint64		count;
		int64		calls = 0;
		int64		total = 0;
		int64		top = 0;
		Datum		values[11];
		bool		nulls[11] = {false};

		CHECK_FOR_INTERRUPTS();
		for (next = first; next < n && turns[next].cell == turns[first].cell; next++)
		{
			add_to(&calls, turns[next].calls);
			add_to(&total, turns[next].tokens);
		}
		count = next - first;
		values[0] = TimestampTzGetDatum(cell->month);
		values[1] = CStringGetTextDatum(scope_name[cell->scope]);
		nulls[2] = cell->owner == 0;
		if (!nulls[2])
			values[2] = bytes_text(string_of(tally, cell->owner));
		values[3] = Int64GetDatum(count);
		values[4] = Int64GetDatum(calls);
		values[5] = Int64GetDatum(percentile_of_turns(turns + first, count, 50));
		values[6] = Int64GetDatum(percentile_of_turns(turns + first, count, 90));
		values[7] = Int64GetDatum(percentile_of_turns(turns + first, count, 99));
		values[8] = Int64GetDatum(turns[next - 1].calls);
		values[9] = Int64GetDatum(total);
		qsort(turns + first, count, sizeof(FanOutTurn), compare_tokens_down);
		for (uint64 i = 0; i < (count + 99) / 100; i++)
			top += turns[first + i].tokens;
		values[10] = Int64GetDatum(top);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}
