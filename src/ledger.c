/*-------------------------------------------------------------------------
 *
 * ledger.c
 *	  The type ledger: totals of calls by line, mergeable and exact.
 *
 * A line's key is the period, the names of what was called, a label, and how
 * the calls were priced: by the book and by its list price, each with the
 * threshold, off-peak windows and currency that applied.  Its values are
 * integers, so a ledger is the same to the last digit in whatever order and
 * in however many parts its calls were counted.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "ratio.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "varint.h"

SQL_FUNCTION(ledger_merge);
SQL_FUNCTION(ledger_final);
SQL_FUNCTION(ledger_regrain);
SQL_FUNCTION(ledger_clip);
SQL_FUNCTION(ledger_lines);
SQL_FUNCTION(ledger_meter_lines);
SQL_FUNCTION(ledger_grain);
SQL_FUNCTION(ledger_zone);
SQL_FUNCTION(ledger_calls);
SQL_FUNCTION(ledger_tokens);
SQL_FUNCTION(ledger_unpriced);
SQL_FUNCTION(ledger_spend);
SQL_FUNCTION(ledger_list_spend);
SQL_FUNCTION(ledger_cost_per_mtok);
SQL_FUNCTION(ledger_output_rate);
SQL_FUNCTION(ledger_spend_per_mtok_output);
SQL_FUNCTION(ledger_eq);
SQL_FUNCTION(ledger_ne);

NO_RETURN void
ledger_corrupted(void)
{
	corrupted_value("ledger");
}

/*
 * The expanded object
 */

/* The stored form holds no more. */
void
ledger_drop_flat(Ledger *ledger)
{
	pfree(ledger->flat);
	ledger->flat = NULL;
}

static Size
expanded_size(ExpandedObjectHeader *eohptr)
{
	Ledger	   *ledger = (Ledger *) eohptr;

	if (ledger->flat == NULL)
	{
		MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "ledger layout",
													  ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(scratch);
		bytea	   *flat = ledger_write(ledger);

		ledger->flat = MemoryContextAllocHuge(ledger->hdr.eoh_context, VARSIZE(flat));
		memcpy(ledger->flat, flat, VARSIZE(flat));
		MemoryContextSwitchTo(old);
		MemoryContextDelete(scratch);
	}
	return VARSIZE(ledger->flat);
}

static void
expanded_flatten(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	Ledger	   *ledger = (Ledger *) eohptr;

	Assert(ledger->flat != NULL && VARSIZE(ledger->flat) == allocated_size);
	memcpy(result, ledger->flat, allocated_size);
}

static const ExpandedObjectMethods expanded_ledger_methods = {
	expanded_size,
	expanded_flatten
};

/* Makes an empty ledger in a context of its own below "parent". */
Ledger *
ledger_make(MemoryContext parent, Grain grain, const char *zone, int zone_len)
{
	pg_tz	   *tz = zone_by_name_or_error(zone, zone_len);
	MemoryContext mine = AllocSetContextCreate(parent, "ledger", ALLOCSET_DEFAULT_SIZES);
	Ledger	   *ledger = MemoryContextAllocZero(mine, sizeof(Ledger));

	EOH_init_header(&ledger->hdr, &expanded_ledger_methods, mine);
	ledger->magic = EXPANDED_LEDGER_MAGIC;
	ledger->grain = grain;
	/* quarters of an hour are the same in every zone */
	if (grain == GRAIN_QUARTER_HOUR)
	{
		zone = "UTC";
		zone_len = strlen(zone);
		tz = zone_by_name_or_error(zone, zone_len);
	}
	memcpy(ledger->zone_name, zone, zone_len);
	ledger->zone_len = zone_len;
	ledger->zone = tz;
	ledger->n_strings = 1;
	ledger->max_strings = 64;
	ledger->strings = MemoryContextAllocZero(mine, ledger->max_strings * sizeof(LedgerString));
	return ledger;
}

static Ledger *
expanded_ledger(Datum datum)
{
	Ledger	   *ledger = (Ledger *) DatumGetEOHP(datum);

	if (ledger->magic != EXPANDED_LEDGER_MAGIC)
		ledger_corrupted();
	return ledger;
}

/* The ledger in an argument; some of its calls may be booked only. */
static Ledger *
booked_arg(FunctionCallInfo fcinfo, int argno)
{
	Datum		datum = PG_GETARG_DATUM(argno);

	if (VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(datum)))
		return expanded_ledger(datum);
	return ledger_read(CurrentMemoryContext, (bytea *) PG_DETOAST_DATUM(datum));
}

/* The ledger in an argument, whose lines are to be read. */
Ledger *
ledger_arg(FunctionCallInfo fcinfo, int argno)
{
	Ledger	   *ledger = booked_arg(fcinfo, argno);

	booking_flush(ledger);
	return ledger;
}

/*
 * Final function of the aggregates.  PostgreSQL 15 copies a result that does not
 * lie in the memory of the row, which would write the ledger out and read it
 * again: a pointer to it that does saves both.  A window's state goes on to
 * change, and is copied.
 */
Datum
ledger_final(PG_FUNCTION_ARGS)
{
	Datum		datum = PG_GETARG_DATUM(0);
	void	   *pointer;

	if (!VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(datum)) ||
		AggCheckCallContext(fcinfo, NULL) != AGG_CONTEXT_AGGREGATE)
		return datum;
	pointer = palloc(EXPANDED_POINTER_SIZE);
	memcpy(pointer, DatumGetPointer(EOHPGetRODatum(&expanded_ledger(datum)->hdr)), EXPANDED_POINTER_SIZE);
	PG_RETURN_POINTER(pointer);
}

/* A state of an aggregate that is not ours to change yet. */
Ledger *
ledger_state_copy(Datum datum, MemoryContext aggcontext)
{
	return ledger_read(aggcontext, (bytea *) PG_DETOAST_DATUM(datum));
}

NO_RETURN void
ledger_outside_aggregate(const char *caller)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s is called by aggregates only", caller)));
}

/*
 * Strings
 */

static void
rehash_strings(Ledger *ledger, uint32 n_slots)
{
	ledger->string_slots = MemoryContextAllocExtended(ledger->hdr.eoh_context, n_slots * sizeof(uint32),
													  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	ledger->n_string_slots = n_slots;
	for (uint32 s = 1; s < ledger->n_strings; s++)
	{
		uint32		slot = hash_bytes((const unsigned char *) ledger->strings[s].data,
									  ledger->strings[s].len) & (n_slots - 1);

		while (ledger->string_slots[slot] != 0)
			slot = (slot + 1) & (n_slots - 1);
		ledger->string_slots[slot] = s;
	}
}

/* The slot that a string has, or would have. */
static inline uint32
string_slot(const Ledger *ledger, const char *data, int len)
{
	uint32		slot = hash_bytes((const unsigned char *) data, len) & (ledger->n_string_slots - 1);

	while (ledger->string_slots[slot] != 0)
	{
		const LedgerString *string = &ledger->strings[ledger->string_slots[slot]];

		if (same_string(string->data, string->len, data, len))
			break;
		slot = (slot + 1) & (ledger->n_string_slots - 1);
	}
	return slot;
}

/* The number of a string; 0 where the ledger lacks it. */
uint32
ledger_string_number(const Ledger *ledger, Bytes string)
{
	return ledger->n_string_slots == 0 ? 0 : ledger->string_slots[string_slot(ledger, string.data, string.len)];
}

/* The number of a string, which is added where the ledger lacks it; NULL is 0. */
uint32
ledger_string(Ledger *ledger, const char *data, int len)
{
	char	   *copy;
	uint32		slot;

	if (data == NULL)
		return 0;
	if (ledger->n_strings * 2 >= ledger->n_string_slots)
		rehash_strings(ledger, Max(ledger->n_string_slots * 2, 64));
	slot = string_slot(ledger, data, len);
	if (ledger->string_slots[slot] != 0)
		return ledger->string_slots[slot];
	if (ledger->n_strings >= ledger->max_strings)
	{
		ledger->max_strings *= 2;
		ledger->strings = repalloc_huge(ledger->strings, ledger->max_strings * sizeof(LedgerString));
	}
	copy = MemoryContextAlloc(ledger->hdr.eoh_context, len + 1);
	memcpy(copy, data, len);
	ledger->strings[ledger->n_strings].data = copy;
	ledger->strings[ledger->n_strings].len = len;
	ledger->string_slots[slot] = ledger->n_strings;
	return ledger->n_strings++;
}

/*
 * Lines
 */

static inline uint32
key_hash(const LineKey *key)
{
	return hash_bytes((const unsigned char *) key, sizeof(LineKey));
}

static void
rehash_lines(Ledger *ledger, uint32 n_slots)
{
	if (ledger->line_slots != NULL)
		pfree(ledger->line_slots);
	ledger->line_slots = MemoryContextAllocExtended(ledger->hdr.eoh_context, n_slots * sizeof(LineSlot),
													MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	ledger->n_line_slots = n_slots;
	for (uint32 i = 0; i < ledger->n_lines; i++)
	{
		uint32		hash = key_hash(&ledger->lines[i].key);
		uint32		slot = hash & (n_slots - 1);

		while (ledger->line_slots[slot].line != 0)
			slot = (slot + 1) & (n_slots - 1);
		ledger->line_slots[slot].line = i + 1;
		ledger->line_slots[slot].hash = hash;
	}
}

/* The key of a line of another ledger, with the strings of this one. */
LineKey
ledger_key(Ledger *into, const Ledger *from, const LineKey *key)
{
	const LedgerString *strings = from->strings;
	LineKey		result = *key;

	result.provider = ledger_string(into, strings[key->provider].data, strings[key->provider].len);
	result.model = ledger_string(into, strings[key->model].data, strings[key->model].len);
	result.service_tier = ledger_string(into, strings[key->service_tier].data, strings[key->service_tier].len);
	result.label = ledger_string(into, strings[key->label].data, strings[key->label].len);
	return result;
}

/*
 * The line with a key, to be added to; it is made where the ledger lacks it.
 * It stays where it is until the next line is made.
 */
LedgerLine *
ledger_line(Ledger *ledger, const LineKey *key)
{
	LedgerLine *line;
	uint32		hash = key_hash(key);
	uint32		slot;

	if (ledger->flat != NULL)
		ledger_drop_flat(ledger);
	if (ledger->n_lines * 2 >= ledger->n_line_slots)
		rehash_lines(ledger, Max(pg_nextpower2_32(ledger->n_lines + 1) * 2, 64));
	slot = hash & (ledger->n_line_slots - 1);
	while (ledger->line_slots[slot].line != 0)
	{
		line = &ledger->lines[ledger->line_slots[slot].line - 1];
		if (ledger->line_slots[slot].hash == hash && memcmp(&line->key, key, sizeof(LineKey)) == 0)
			return line;
		slot = (slot + 1) & (ledger->n_line_slots - 1);
	}
	if (ledger->n_lines >= ledger->max_lines)
	{
		ledger->max_lines = Max(ledger->max_lines * 2, 16);
		ledger->lines = grow_array(ledger->hdr.eoh_context, ledger->lines, ledger->max_lines * sizeof(LedgerLine));
	}
	line = &ledger->lines[ledger->n_lines++];
	memset(line, 0, sizeof(LedgerLine));
	line->key = *key;
	ledger->line_slots[slot].line = ledger->n_lines;
	ledger->line_slots[slot].hash = hash;
	return line;
}

NO_RETURN void
counts_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("number of calls or tokens out of range")));
}

/* Adds the values of a line, whatever its key. */
void
ledger_line_add(LedgerLine *into, const LedgerLine *line)
{
	if (pg_add_s64_overflow(into->calls, line->calls, &into->calls) ||
		pg_add_s64_overflow(into->fallback_tokens, line->fallback_tokens, &into->fallback_tokens))
		counts_out_of_range();
	token_counts_add(&into->tokens, &line->tokens);
	for (int side = 0; side < N_SIDES; side++)
	{
		MeterSet	rest = line->tokens.reported;
		Meter		m;

		FOR_EACH_METER(m, rest)
			into->cost[side][m] = money_add(into->cost[side][m], line->cost[side][m]);
	}
}

/* Adds all lines of one ledger to another of the same grain and zone. */
static void
add_ledger(Ledger *into, const Ledger *from)
{
	uint32	   *number = palloc(from->n_strings * sizeof(uint32));

	number[0] = 0;
	for (uint32 s = 1; s < from->n_strings; s++)
		number[s] = ledger_string(into, from->strings[s].data, from->strings[s].len);
	for (uint32 i = 0; i < from->n_lines; i++)
	{
		LineKey		key = from->lines[i].key;

		key.provider = number[key.provider];
		key.model = number[key.model];
		key.service_tier = number[key.service_tier];
		key.label = number[key.label];
		ledger_line_add(ledger_line(into, &key), &from->lines[i]);
	}
	pfree(number);
}

static bool
same_calendar(const Ledger *a, const Ledger *b)
{
	return a->grain == b->grain &&
		same_string(a->zone_name, a->zone_len, b->zone_name, b->zone_len);
}

/* Transition and combine function of merge(ledger). */
Datum
ledger_merge(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext;
	Ledger	   *state = ledger_state(fcinfo, "ledger_merge", &aggcontext);
	Datum		datum;
	bytea	   *flat = NULL;
	Ledger	   *from;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		return EOHPGetRWDatum(&state->hdr);
	}
	datum = PG_GETARG_DATUM(1);
	if (VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(datum)))
	{
		from = expanded_ledger(datum);
		booking_flush(from);
	}
	else
	{
		flat = (bytea *) PG_DETOAST_DATUM(datum);
		if (state == NULL)
		{
			state = ledger_read(aggcontext, flat);
			return EOHPGetRWDatum(&state->hdr);
		}
		booking_flush(state);
		if (ledger_add_stored(state, flat))
			return EOHPGetRWDatum(&state->hdr);
		from = ledger_read(CurrentMemoryContext, flat);
	}
	if (state == NULL)
		state = ledger_make(aggcontext, from->grain, from->zone_name, from->zone_len);
	else
		booking_flush(state);
	if (!same_calendar(state, from))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot merge ledgers of different grain or time zone"),
				 errdetail("One is by %s in \"%s\", the other by %s in \"%s\".",
						   grain_name[state->grain], state->zone_name,
						   grain_name[from->grain], from->zone_name),
				 errhint("Bring both to one with regrain().")));
	add_ledger(state, from);
	if (flat != NULL)
		MemoryContextDelete(from->hdr.eoh_context);
	return EOHPGetRWDatum(&state->hdr);
}

/*
 * Order
 */

/* The order of lines does not depend on how they came together. */
int
ledger_compare_lines(const void *a, const void *b, void *ranks)
{
	const LineKey *x = &((const LedgerLine *) a)->key;
	const LineKey *y = &((const LedgerLine *) b)->key;
	const uint32 *rank = ranks;

#define COMPARE(p, q) if ((p) != (q)) return (p) < (q) ? -1 : 1
	COMPARE(x->period, y->period);
	COMPARE(rank[x->provider], rank[y->provider]);
	COMPARE(rank[x->model], rank[y->model]);
	COMPARE(rank[x->service_tier], rank[y->service_tier]);
	COMPARE(rank[x->label], rank[y->label]);
	for (int s = 0; s < N_SIDES; s++)
	{
		const LineSide *p = &x->side[s];
		const LineSide *q = &y->side[s];
		int			order;

		COMPARE(p->unpriced, q->unpriced);
		COMPARE(p->above, q->above);
		COMPARE(p->up_to, q->up_to);
		COMPARE(p->off_peak, q->off_peak);
		if ((order = memcmp(p->currency.code, q->currency.code, CURRENCY_SIZE)) != 0)
			return order;
		COMPARE(p->basis, q->basis);
		COMPARE(p->windows, q->windows);
		COMPARE(p->flags, q->flags);
		COMPARE(p->lacking, q->lacking);
	}
#undef COMPARE
	return 0;
}

static int
compare_strings(const void *a, const void *b, void *arg)
{
	const Ledger *ledger = arg;
	const LedgerString *x = &ledger->strings[*(const uint32 *) a];
	const LedgerString *y = &ledger->strings[*(const uint32 *) b];
	int			order = memcmp(x->data, y->data, Min(x->len, y->len));

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/*
 * Gives the strings whose rank is not 0 ranks from 1 on, without gaps, in the
 * order of their bytes.
 */
void
ledger_rank_strings(const Ledger *ledger, uint32 *ranks)
{
	uint32	   *strings = palloc_extended(ledger->n_strings * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32		n = 0;

	ranks[0] = 0;
	for (uint32 s = 1; s < ledger->n_strings; s++)
		if (ranks[s] != 0)
			strings[n++] = s;
	qsort_arg(strings, n, sizeof(uint32), compare_strings, unconstify(Ledger *, ledger));
	for (uint32 i = 0; i < n; i++)
		ranks[strings[i]] = i + 1;
	pfree(strings);
}

typedef struct OrderArg
{
	const Ledger *ledger;
	uint32	   *ranks;
} OrderArg;

static inline int
compare_order(const LineOrder *a, const LineOrder *b, const OrderArg *arg)
{
	if (a->period != b->period)
		return a->period < b->period ? -1 : 1;
	if (a->names != b->names)
		return a->names < b->names ? -1 : 1;
	return arg->ledger == NULL ? 0 :
		ledger_compare_lines(&arg->ledger->lines[a->number], &arg->ledger->lines[b->number], arg->ranks);
}

#define ST_SORT sort_line_order
#define ST_ELEMENT_TYPE LineOrder
#define ST_COMPARE(a, b, arg) compare_order(a, b, arg)
#define ST_COMPARE_ARG_TYPE OrderArg
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Sorts lines by period and names; where these are the same by all that they
 * are, if they are numbers of a ledger's lines.
 */
void
ledger_order(LineOrder *order, uint32 n, const Ledger *ledger, const uint32 *ranks)
{
	OrderArg	arg = {ledger, unconstify(uint32 *, ranks)};

	sort_line_order(order, n, &arg);
}

/*
 * The numbers of all lines in their order.  The ranks of strings are in the
 * order of their bytes, from 1 on, without gaps; 0 for one that no line uses.
 */
uint32 *
ledger_sorted(const Ledger *ledger, uint32 **ranks)
{
	uint32	   *rank = palloc_extended(ledger->n_strings * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32	   *lines = palloc_extended((ledger->n_lines + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	LineOrder  *order = palloc_extended((ledger->n_lines + 1) * sizeof(LineOrder), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < ledger->n_lines; i++)
	{
		const LineKey *key = &ledger->lines[i].key;

		rank[key->provider] = rank[key->model] = rank[key->service_tier] = rank[key->label] = 1;
	}
	ledger_rank_strings(ledger, rank);
	for (uint32 i = 0; i < ledger->n_lines; i++)
	{
		const LineKey *key = &ledger->lines[i].key;
		uint32		strings[4] = {key->provider, key->model, key->service_tier, key->label};

		order[i].period = key->period;
		order[i].names = ledger->n_strings <= MAX_ORDERED_STRINGS ? ledger_names(rank, strings) : 0;
		order[i].number = i;
	}
	ledger_order(order, ledger->n_lines, ledger, rank);
	for (uint32 i = 0; i < ledger->n_lines; i++)
		lines[i] = order[i].number;
	*ranks = rank;
	pfree(order);
	return lines;
}

/* The stored form of a ledger in an argument; equal ledgers are equal bytes. */
static bytea *
stored_arg(FunctionCallInfo fcinfo, int argno)
{
	Datum		datum = PG_GETARG_DATUM(argno);

	if (VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(datum)))
		return ledger_write(expanded_ledger(datum));
	return (bytea *) PG_DETOAST_DATUM(datum);
}

static bool
ledgers_equal(FunctionCallInfo fcinfo)
{
	bytea	   *a = stored_arg(fcinfo, 0);
	bytea	   *b = stored_arg(fcinfo, 1);

	return VARSIZE(a) == VARSIZE(b) &&
		memcmp(VARDATA(a), VARDATA(b), VARSIZE(a) - VARHDRSZ) == 0;
}

Datum
ledger_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(ledgers_equal(fcinfo));
}

Datum
ledger_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!ledgers_equal(fcinfo));
}

/*
 * Coarser periods
 */

typedef struct Regrain
{
	const Ledger *from;
	Ledger	   *into;
	Period		old;			/* the last line's period */
	Period		new;			/* and the one that holds it */
} Regrain;

static void
regrain_line(Regrain *regrain, const LedgerLine *line)
{
	LineKey		key;

	if (!period_holds(&regrain->old, line->key.period))
	{
		regrain->old = period_at(regrain->from->grain, regrain->from->zone, line->key.period);
		regrain->new = period_at(regrain->into->grain, regrain->into->zone, line->key.period);
	}
	if (regrain->old.to > regrain->new.to)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot make a ledger by %s in \"%s\" of one by %s in \"%s\"",
						grain_name[regrain->into->grain], regrain->into->zone_name,
						grain_name[regrain->from->grain], regrain->from->zone_name),
				 errdetail("The %s from %s lies in two of them.", grain_name[regrain->from->grain],
						   timestamptz_to_str(regrain->old.from)),
				 regrain->from->grain == GRAIN_QUARTER_HOUR ? 0 :
				 errhint("A ledger by quarter_hour can be brought to any time zone of today.")));
	key = ledger_key(regrain->into, regrain->from, &line->key);
	key.period = regrain->new.from;
	ledger_line_add(ledger_line(regrain->into, &key), line);
}

/* regrain(ledger, grain, zone): every period must lie within one of the new. */
Datum
ledger_regrain(PG_FUNCTION_ARGS)
{
	Ledger	   *from = booked_arg(fcinfo, 0);
	text	   *grain_text = PG_GETARG_TEXT_PP(1);
	text	   *zone = PG_GETARG_TEXT_PP(2);
	Grain		grain = grain_by_name_or_error(VARDATA_ANY(grain_text), VARSIZE_ANY_EXHDR(grain_text));
	Ledger	   *into = ledger_make(CurrentMemoryContext, grain,
								   VARDATA_ANY(zone), VARSIZE_ANY_EXHDR(zone));
	Regrain		regrain = {from, into};
	BookedLines booked;

	if (grain < from->grain)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot make a ledger by %s of one by %s",
						grain_name[grain], grain_name[from->grain])));
	/* in order, so that an error names the first */
	if (booked_lines_begin(&booked, from))
	{
		const LedgerLine *line;

		while ((line = booked_lines_next(&booked)) != NULL)
			regrain_line(&regrain, line);
	}
	else
	{
		uint32	   *ranks;
		uint32	   *sorted;

		booking_flush(from);
		sorted = ledger_sorted(from, &ranks);
		for (uint32 i = 0; i < from->n_lines; i++)
			regrain_line(&regrain, &from->lines[sorted[i]]);
	}
	return EOHPGetRWDatum(&into->hdr);
}

/* clip(ledger, from, to): the periods between two times, none of which is cut. */
Datum
ledger_clip(PG_FUNCTION_ARGS)
{
	Ledger	   *from = ledger_arg(fcinfo, 0);
	Period		limits = {PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2)};
	Ledger	   *into = ledger_make(CurrentMemoryContext, from->grain, from->zone_name, from->zone_len);
	Period		period = {0, 0};

	for (uint32 i = 0; i < from->n_lines; i++)
	{
		const LedgerLine *line = &from->lines[i];
		LineKey		key;

		if (!period_holds(&period, line->key.period))
			period = period_at(from->grain, from->zone, line->key.period);
		if (period.to <= limits.from || period.from >= limits.to)
			continue;
		if (period.from < limits.from || period.to > limits.to)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("cannot cut the %s from %s", grain_name[from->grain], timestamptz_to_str(period.from)),
					 errdetail("A ledger has the totals of whole periods.")));
		key = ledger_key(into, from, &line->key);
		ledger_line_add(ledger_line(into, &key), line);
	}
	return EOHPGetRWDatum(&into->hdr);
}

/*
 * Rows
 */

static Money
line_cost(const LedgerLine *line, Side side, MeterSet meters)
{
	Money		sum = 0;
	MeterSet	rest = line->tokens.reported & meters;
	Meter		m;

	FOR_EACH_METER(m, rest)
		sum = money_add(sum, line->cost[side][m]);
	return sum;
}

/* The columns that lines() and meter_lines() have in common, in their order. */
typedef enum LineColumn
{
	LINE_PERIOD, LINE_PROVIDER, LINE_MODEL, LINE_SERVICE_TIER, LINE_LABEL,
	LINE_ABOVE, LINE_LIST_ABOVE, LINE_OFF_PEAK, LINE_LIST_OFF_PEAK,
	LINE_CURRENCY, LINE_LIST_CURRENCY,
	N_KEY_COLUMNS
} LineColumn;

typedef enum LinesColumn
{
	LINES_CALLS = N_KEY_COLUMNS, LINES_TOKENS, LINES_COST, LINES_LIST_COST,
	LINES_OUTPUT_COST, LINES_FALLBACK, LINES_UNPRICED, LINES_LACKS_RATE, LINES_APPROXIMATE,
	N_LINES_COLUMNS
} LinesColumn;

typedef enum MeterLinesColumn
{
	METER_LINES_METER = N_KEY_COLUMNS, METER_LINES_TOKENS, METER_LINES_COST,
	METER_LINES_LIST_COST,
	N_METER_LINES_COLUMNS
} MeterLinesColumn;

#define SET(column, datum) (values[column] = (datum), nulls[column] = false)

static void
set_string(const Ledger *ledger, uint32 string, int column, Datum *values, bool *nulls)
{
	if (string != 0)
		SET(column, PointerGetDatum(cstring_to_text_with_len(ledger->strings[string].data,
															 ledger->strings[string].len)));
}

static void
set_key(const Ledger *ledger, const LineKey *key, Datum *values, bool *nulls)
{
	static const int above[N_SIDES] = {LINE_ABOVE, LINE_LIST_ABOVE};
	static const int off_peak[N_SIDES] = {LINE_OFF_PEAK, LINE_LIST_OFF_PEAK};
	static const int currency[N_SIDES] = {LINE_CURRENCY, LINE_LIST_CURRENCY};

	SET(LINE_PERIOD, TimestampTzGetDatum(key->period));
	set_string(ledger, key->provider, LINE_PROVIDER, values, nulls);
	set_string(ledger, key->model, LINE_MODEL, values, nulls);
	set_string(ledger, key->service_tier, LINE_SERVICE_TIER, values, nulls);
	set_string(ledger, key->label, LINE_LABEL, values, nulls);
	for (int s = 0; s < N_SIDES; s++)
	{
		const LineSide *side = &key->side[s];

		if (side->unpriced != PRICED)
			continue;
		SET(above[s], Int64GetDatum(side->above));
		SET(off_peak[s], BoolGetDatum(side->off_peak));
		SET(currency[s], PointerGetDatum(currency_text(&side->currency)));
	}
}

static Datum
meter_names_array(MeterSet meters)
{
	Datum		names[N_METERS];
	int			n = 0;
	Meter		m;

	FOR_EACH_METER(m, meters)
		names[n++] = CStringGetTextDatum(meter_info[m].name);
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* A row for each line, in the order of its key. */
Datum
ledger_lines(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Ledger	   *ledger = ledger_arg(fcinfo, 0);
	uint32	   *ranks;
	uint32	   *sorted = ledger_sorted(ledger, &ranks);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "ledger rows",
												  ALLOCSET_SMALL_SIZES);

	InitMaterializedSRF(fcinfo, 0);
	for (uint32 i = 0; i < ledger->n_lines; i++)
	{
		const LedgerLine *line = &ledger->lines[sorted[i]];
		const LineSide *contracted = &line->key.side[CONTRACTED];
		const LineSide *list = &line->key.side[LIST];
		Datum		values[N_LINES_COLUMNS] = {0};
		bool		nulls[N_LINES_COLUMNS];
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(scratch);
		old = MemoryContextSwitchTo(scratch);
		memset(nulls, true, sizeof(nulls));
		set_key(ledger, &line->key, values, nulls);
		SET(LINES_CALLS, Int64GetDatum(line->calls));
		SET(LINES_TOKENS, token_counts_datum(&line->tokens));
		if (contracted->unpriced == PRICED)
		{
			SET(LINES_COST, NumericGetDatum(money_to_numeric(line_cost(line, CONTRACTED, ALL_METERS))));
			SET(LINES_OUTPUT_COST, NumericGetDatum(money_to_numeric(line_cost(line, CONTRACTED, meters_of_side(SIDE_OUTPUT)))));
		}
		else
			SET(LINES_UNPRICED, CStringGetTextDatum(unpriced_reason(contracted->unpriced)));
		if (contracted->lacking != 0)
			SET(LINES_LACKS_RATE, meter_names_array(contracted->lacking));
		if (list->unpriced == PRICED)
			SET(LINES_LIST_COST, NumericGetDatum(money_to_numeric(line_cost(line, LIST, ALL_METERS))));
		SET(LINES_FALLBACK, Int64GetDatum(line->fallback_tokens));
		SET(LINES_APPROXIMATE, BoolGetDatum(((contracted->flags | list->flags) & SIDE_APPROXIMATE) != 0));
		MemoryContextSwitchTo(old);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	MemoryContextDelete(scratch);
	PG_RETURN_NULL();
}

/* A row for each meter of each line. */
Datum
ledger_meter_lines(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Ledger	   *ledger = ledger_arg(fcinfo, 0);
	uint32	   *ranks;
	uint32	   *sorted = ledger_sorted(ledger, &ranks);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "ledger rows",
												  ALLOCSET_SMALL_SIZES);

	InitMaterializedSRF(fcinfo, 0);
	for (uint32 i = 0; i < ledger->n_lines; i++)
	{
		const LedgerLine *line = &ledger->lines[sorted[i]];
		Datum		values[N_METER_LINES_COLUMNS] = {0};
		bool		nulls[N_METER_LINES_COLUMNS];
		MeterSet	rest = line->tokens.reported;
		MemoryContext old;
		Meter		m;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(scratch);
		old = MemoryContextSwitchTo(scratch);
		memset(nulls, true, sizeof(nulls));
		set_key(ledger, &line->key, values, nulls);
		FOR_EACH_METER(m, rest)
		{
			SET(METER_LINES_METER, CStringGetTextDatum(meter_info[m].name));
			SET(METER_LINES_TOKENS, Int64GetDatum(line->tokens.count[m]));
			if (line->key.side[CONTRACTED].unpriced == PRICED)
				SET(METER_LINES_COST, NumericGetDatum(money_to_numeric(line->cost[CONTRACTED][m])));
			if (line->key.side[LIST].unpriced == PRICED)
				SET(METER_LINES_LIST_COST, NumericGetDatum(money_to_numeric(line->cost[LIST][m])));
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
		MemoryContextSwitchTo(old);
	}
	MemoryContextDelete(scratch);
	PG_RETURN_NULL();
}

#undef SET

/*
 * Accessors
 */

Datum
ledger_grain(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(grain_name[ledger_arg(fcinfo, 0)->grain]));
}

Datum
ledger_zone(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(ledger_arg(fcinfo, 0)->zone_name));
}

/*
 * The sum of a ledger's lines, or of those unpriced, or of those priced in a
 * currency where one is given; its key means nothing.
 */
static LedgerLine
sum_of_lines(const Ledger *ledger, bool unpriced_only, Side side, const Currency *currency)
{
	LedgerLine	sum = {0};

	for (uint32 i = 0; i < ledger->n_lines; i++)
	{
		const LedgerLine *line = &ledger->lines[i];
		const LineSide *of = &line->key.side[side];

		if (unpriced_only && of->unpriced == PRICED)
			continue;
		if (currency != NULL && (of->unpriced != PRICED || !currency_equal(&of->currency, currency)))
			continue;
		ledger_line_add(&sum, line);
	}
	return sum;
}

Datum
ledger_calls(PG_FUNCTION_ARGS)
{
	const Ledger *ledger = ledger_arg(fcinfo, 0);
	int64		calls = 0;

	for (uint32 i = 0; i < ledger->n_lines; i++)
		if (pg_add_s64_overflow(calls, ledger->lines[i].calls, &calls))
			counts_out_of_range();
	PG_RETURN_INT64(calls);
}

Datum
ledger_tokens(PG_FUNCTION_ARGS)
{
	LedgerLine	sum = sum_of_lines(ledger_arg(fcinfo, 0), false, CONTRACTED, NULL);

	return token_counts_datum(&sum.tokens);
}

Datum
ledger_unpriced(PG_FUNCTION_ARGS)
{
	LedgerLine	sum = sum_of_lines(ledger_arg(fcinfo, 0), true, CONTRACTED, NULL);

	return token_counts_datum(&sum.tokens);
}

/*
 * The currency to add up: that of argument 1, or the only one that there is.
 * False where no line is priced in it.
 */
static bool
choose_currency(FunctionCallInfo fcinfo, const Ledger *ledger, Side side, Currency *currency)
{
	bool		found = false;

	memset(currency, 0, sizeof(Currency));

	if (PG_NARGS() > 1)
	{
		text	   *name = PG_GETARG_TEXT_PP(1);

		if (!currency_read(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), currency))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid currency \"%s\"", text_to_cstring(name)),
					 errdetail("A currency is 3 to 8 capital letters, digits and underscores, such as \"USD\".")));
	}
	for (uint32 i = 0; i < ledger->n_lines; i++)
	{
		const LineSide *of = &ledger->lines[i].key.side[side];

		if (of->unpriced != PRICED)
			continue;
		if (PG_NARGS() > 1)
			found |= currency_equal(&of->currency, currency);
		else if (!found)
		{
			*currency = of->currency;
			found = true;
		}
		else if (!currency_equal(&of->currency, currency))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the ledger has amounts in \"%s\" and in \"%s\", which do not add up",
							currency_cstring(currency), currency_cstring(&of->currency)),
					 errhint("Name the currency, as in spend(ledger, 'USD').")));
	}
	return found;
}

static Datum
spend_of_side(FunctionCallInfo fcinfo, Side side)
{
	Ledger	   *ledger = ledger_arg(fcinfo, 0);
	Currency	currency;
	Money		sum = 0;

	if (!choose_currency(fcinfo, ledger, side, &currency))
		PG_RETURN_NULL();
	/* money alone: tokens, or the other side, may be too many to add */
	for (uint32 i = 0; i < ledger->n_lines; i++)
	{
		const LineSide *of = &ledger->lines[i].key.side[side];

		if (of->unpriced == PRICED && currency_equal(&of->currency, &currency))
			sum = money_add(sum, line_cost(&ledger->lines[i], side, ALL_METERS));
	}
	PG_RETURN_NUMERIC(money_to_numeric(sum));
}

Datum
ledger_spend(PG_FUNCTION_ARGS)
{
	return spend_of_side(fcinfo, CONTRACTED);
}

Datum
ledger_list_spend(PG_FUNCTION_ARGS)
{
	return spend_of_side(fcinfo, LIST);
}

/* An amount for each million of a number of tokens; NULL where there are none. */
static Datum
unit_price(FunctionCallInfo fcinfo, MeterSet cost_of, MeterSet tokens_of)
{
	Ledger	   *ledger = ledger_arg(fcinfo, 0);
	Currency	currency;
	LedgerLine	sum;
	int64		tokens;

	if (!choose_currency(fcinfo, ledger, CONTRACTED, &currency))
		PG_RETURN_NULL();
	sum = sum_of_lines(ledger, false, CONTRACTED, &currency);
	if ((tokens = token_counts_sum(&sum.tokens, tokens_of)) == 0)
		PG_RETURN_NULL();
	return amount_per_mtok(money_to_numeric(line_cost(&sum, CONTRACTED, cost_of)),
						   int64_to_numeric(tokens), &fcinfo->isnull);
}

Datum
ledger_cost_per_mtok(PG_FUNCTION_ARGS)
{
	return unit_price(fcinfo, ALL_METERS, ALL_METERS & ~meters_of_side(SIDE_NONE));
}

Datum
ledger_output_rate(PG_FUNCTION_ARGS)
{
	return unit_price(fcinfo, meters_of_side(SIDE_OUTPUT), meters_of_side(SIDE_OUTPUT));
}

Datum
ledger_spend_per_mtok_output(PG_FUNCTION_ARGS)
{
	return unit_price(fcinfo, ALL_METERS, meters_of_side(SIDE_OUTPUT));
}
