/*-------------------------------------------------------------------------
 *
 * profile.c
 *	  The type demand_profile: tokens by meter for each minute in which calls
 *	  were made; what peaks, percentiles and shortfalls are computed from.
 *
 * A peak is found in minutes and lost in the means of hours; and peaks of parts
 * do not add up, while their minutes do.  So a profile keeps every minute (or
 * second, where it is asked for) with a call, exactly, and the span that was
 * observed: a minute of the span without a call is idle and counts as 0.
 * Minutes are those of UTC, so profiles of any zone can be merged once they are
 * brought to one; the zone says which hour of the week a minute belongs to.
 *
 * Stored form, all numbers as varints:
 *
 *	  format, resolution, zone
 *	  span			its first minute, and how many there are; 0: none
 *	  unreported	calls without tokens
 *	  slots			number of them; each:
 *		  number	as the distance from the slot before, 0 first
 *		  values	calls, set of meters, a count for each
 *
 * Slots come in their order, so equal profiles are equal bytes.  A minute takes
 * about 10 bytes, a busy year 5 MB; by second it is up to 60 times that, as most
 * seconds of a busy minute have a call of their own: so that is asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "profile.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "funcapi.h"
#include "json.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rangetypes.h"
#include "utils/typcache.h"
#include "varint.h"

#define PROFILE_FORMAT 1
#define PROFILE_WIRE_FORMAT 1
#define PROFILE_TYPE "demand_profile"

SQL_FUNCTION(profile_in);
SQL_FUNCTION(profile_out);
SQL_FUNCTION(profile_recv);
SQL_FUNCTION(profile_send);
SQL_FUNCTION(profile_add);
SQL_FUNCTION(profile_merge);
SQL_FUNCTION(profile_with_span);
SQL_FUNCTION(profile_in_zone);
SQL_FUNCTION(profile_side);
SQL_FUNCTION(profile_minutes);
SQL_FUNCTION(profile_zone);
SQL_FUNCTION(profile_resolution);
SQL_FUNCTION(profile_span);
SQL_FUNCTION(profile_calls);
SQL_FUNCTION(profile_unreported_calls);
SQL_FUNCTION(profile_tokens);
SQL_FUNCTION(profile_hour_of_week);
SQL_FUNCTION(profile_peak);
SQL_FUNCTION(profile_peak_to_average);
SQL_FUNCTION(profile_capacity_at);
SQL_FUNCTION(profile_tokens_per_minute);
SQL_FUNCTION(profile_lost_tokens);
SQL_FUNCTION(profile_eq);
SQL_FUNCTION(profile_ne);

static const char *const resolution_name[N_RESOLUTIONS] = {"second", "minute"};
static const int64 resolution_length[N_RESOLUTIONS] = {USECS_PER_SEC, USECS_PER_MINUTE};

/* Slots in a minute. */
static const int64 slots_per_minute[N_RESOLUTIONS] = {SECS_PER_MINUTE, 1};

static bytea *profile_write(DemandProfile *profile);
static DemandProfile *profile_read(MemoryContext parent, bytea *flat);

/*
 * The expanded object
 */

static Size
expanded_size(ExpandedObjectHeader *eohptr)
{
	DemandProfile *profile = (DemandProfile *) eohptr;

	if (profile->flat == NULL)
	{
		bytea	   *flat = profile_write(profile);

		profile->flat = MemoryContextAllocHuge(profile->hdr.eoh_context, VARSIZE(flat));
		memcpy(profile->flat, flat, VARSIZE(flat));
		pfree(flat);
	}
	return VARSIZE(profile->flat);
}

static void
expanded_flatten(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	DemandProfile *profile = (DemandProfile *) eohptr;

	Assert(profile->flat != NULL && VARSIZE(profile->flat) == allocated_size);
	memcpy(result, profile->flat, allocated_size);
}

static const ExpandedObjectMethods expanded_profile_methods = {
	expanded_size,
	expanded_flatten
};

/* Makes an empty profile in a context of its own below "parent". */
DemandProfile *
profile_make(MemoryContext parent, Resolution resolution, const char *zone, int zone_len)
{
	pg_tz	   *tz = zone_by_name_or_error(zone, zone_len);
	MemoryContext mine = AllocSetContextCreate(parent, "demand profile", ALLOCSET_DEFAULT_SIZES);
	DemandProfile *profile = MemoryContextAllocZero(mine, sizeof(DemandProfile));

	EOH_init_header(&profile->hdr, &expanded_profile_methods, mine);
	profile->magic = EXPANDED_PROFILE_MAGIC;
	profile->resolution = resolution;
	memcpy(profile->zone_name, zone, zone_len);
	profile->zone_len = zone_len;
	profile->zone = tz;
	profile->from = PG_INT64_MAX;
	profile->to = PG_INT64_MIN;
	profile->sorted = true;
	return profile;
}

static DemandProfile *
expanded_profile(Datum datum)
{
	DemandProfile *profile = (DemandProfile *) DatumGetEOHP(datum);

	if (profile->magic != EXPANDED_PROFILE_MAGIC)
		corrupted_value(PROFILE_TYPE);
	return profile;
}

/* The profile in an argument, to be read. */
DemandProfile *
profile_arg(FunctionCallInfo fcinfo, int argno)
{
	Datum		datum = PG_GETARG_DATUM(argno);

	if (VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(datum)))
		return expanded_profile(datum);
	return profile_read(CurrentMemoryContext, (bytea *) PG_DETOAST_DATUM(datum));
}

/*
 * The state of an aggregate, from argument 0, fit to be changed; NULL where
 * there is none yet.
 */
static DemandProfile *
profile_state(FunctionCallInfo fcinfo, const char *caller, MemoryContext *aggcontext)
{
	if (!AggCheckCallContext(fcinfo, aggcontext))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s is called by aggregates only", caller)));
	if (PG_ARGISNULL(0))
		return NULL;
	if (VARATT_IS_EXTERNAL_EXPANDED_RW(PG_GETARG_POINTER(0)))
		return expanded_profile(PG_GETARG_DATUM(0));
	return profile_read(*aggcontext, (bytea *) PG_DETOAST_DATUM(PG_GETARG_DATUM(0)));
}

/*
 * Slots
 */

static inline int64
floor_div(int64 dividend, int64 divisor)
{
	int64		quotient = dividend / divisor;

	return dividend % divisor < 0 ? quotient - 1 : quotient;
}

static inline int64
minute_of_slot(const DemandProfile *profile, int64 number)
{
	return floor_div(number, slots_per_minute[profile->resolution]);
}

static inline TimestampTz
slot_start(const DemandProfile *profile, int64 number)
{
	return Max(number * resolution_length[profile->resolution], MIN_TIMESTAMP);
}

static inline uint32
slot_hash(int64 number)
{
	return murmurhash32((uint32) number ^ (uint32) ((uint64) number >> 32));
}

static void
make_places(DemandProfile *profile)
{
	uint32		n = 64;

	while (n < profile->n_slots * UINT64CONST(2) + 2)
		n *= 2;
	if (profile->places != NULL)
		pfree(profile->places);
	profile->places = MemoryContextAllocExtended(profile->hdr.eoh_context, n * sizeof(uint32),
												 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	profile->n_places = n;
	for (uint32 i = 0; i < profile->n_slots; i++)
	{
		uint32		place = slot_hash(profile->slots[i].number) & (n - 1);

		while (profile->places[place] != 0)
			place = (place + 1) & (n - 1);
		profile->places[place] = i + 1;
	}
}

static void
calls_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("number of calls out of range")));
}

/* Adds what a slot holds to the slot of the same number. */
static void
add_slot(DemandProfile *profile, int64 number, int64 calls, const TokenCounts *tokens)
{
	ProfileSlot *slot = NULL;
	int64		minute = minute_of_slot(profile, number);

	if (profile->flat != NULL)
	{
		pfree(profile->flat);
		profile->flat = NULL;
	}
	/* calls mostly come in their order */
	if (profile->n_slots > 0 && profile->slots[profile->n_slots - 1].number == number)
		slot = &profile->slots[profile->n_slots - 1];
	else if (profile->n_slots > 0 &&
			 (!profile->sorted || profile->slots[profile->n_slots - 1].number > number))
	{
		uint32		place;

		if (profile->n_places == 0)
			make_places(profile);
		place = slot_hash(number) & (profile->n_places - 1);
		while (slot == NULL && profile->places[place] != 0)
		{
			if (profile->slots[profile->places[place] - 1].number == number)
				slot = &profile->slots[profile->places[place] - 1];
			place = (place + 1) & (profile->n_places - 1);
		}
	}
	if (slot == NULL)
	{
		if (profile->n_slots >= profile->max_slots)
		{
			if (profile->max_slots > PG_UINT32_MAX / 16)
				ereport(ERROR,
						(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						 errmsg("a demand_profile holds too many %ss", resolution_name[profile->resolution])));
			profile->max_slots = Max(profile->max_slots * 2, 16);
			profile->slots = profile->slots == NULL ?
				MemoryContextAllocHuge(profile->hdr.eoh_context, profile->max_slots * sizeof(ProfileSlot)) :
				repalloc_huge(profile->slots, profile->max_slots * sizeof(ProfileSlot));
		}
		if (profile->n_slots > 0 && profile->slots[profile->n_slots - 1].number > number)
			profile->sorted = false;
		slot = &profile->slots[profile->n_slots++];
		memset(slot, 0, sizeof(ProfileSlot));
		slot->number = number;
		if (profile->n_places > 0)
		{
			if (profile->n_slots * UINT64CONST(2) > profile->n_places)
				make_places(profile);
			else
			{
				uint32		place = slot_hash(number) & (profile->n_places - 1);

				while (profile->places[place] != 0)
					place = (place + 1) & (profile->n_places - 1);
				profile->places[place] = profile->n_slots;
			}
		}
		profile->from = Min(profile->from, minute);
		profile->to = Max(profile->to, minute + 1);
	}
	if (pg_add_s64_overflow(slot->calls, calls, &slot->calls))
		calls_out_of_range();
	token_counts_add(&slot->tokens, tokens);
}

static int
compare_slots(const void *a, const void *b)
{
	int64		x = ((const ProfileSlot *) a)->number;
	int64		y = ((const ProfileSlot *) b)->number;

	return (x > y) - (x < y);
}

static void
sort_slots(DemandProfile *profile)
{
	if (profile->sorted)
		return;
	qsort(profile->slots, profile->n_slots, sizeof(ProfileSlot), compare_slots);
	profile->sorted = true;
	profile->n_places = 0;		/* they are elsewhere now */
}

/* The next minute with calls, in their order; false where there is none. */
bool
profile_next_minute(DemandProfile *profile, uint32 *next, ProfileMinute *minute)
{
	int64		number;

	if (*next == 0)
		sort_slots(profile);
	if (*next >= profile->n_slots)
		return false;
	number = minute_of_slot(profile, profile->slots[*next].number);
	minute->at = Max(number * USECS_PER_MINUTE, MIN_TIMESTAMP);
	minute->calls = profile->slots[*next].calls;
	minute->tokens = profile->slots[*next].tokens;
	while (++*next < profile->n_slots &&
		   minute_of_slot(profile, profile->slots[*next].number) == number)
	{
		if (pg_add_s64_overflow(minute->calls, profile->slots[*next].calls, &minute->calls))
			calls_out_of_range();
		token_counts_add(&minute->tokens, &profile->slots[*next].tokens);
	}
	return true;
}

/*
 * Aggregates
 */

enum
{
	ARG_STATE, ARG_ZONE, ARG_AT, ARG_TOKENS, ARG_CALLS, ARG_RESOLUTION
};

static Resolution
resolution_by_name_or_error(const text *name)
{
	for (int r = 0; r < N_RESOLUTIONS; r++)
		if (strlen(resolution_name[r]) == VARSIZE_ANY_EXHDR(name) &&
			memcmp(resolution_name[r], VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) == 0)
			return r;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no resolution \"%s\"", text_to_cstring(name)),
			 errhint("The resolutions are minute and second.")));
}

static bool
same_zone(const DemandProfile *profile, const char *zone, int zone_len)
{
	return profile->zone_len == zone_len && memcmp(profile->zone_name, zone, zone_len) == 0;
}

/* demand_profile(zone, at, tokens [, calls [, resolution]]) */
Datum
profile_add(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext;
	DemandProfile *state = profile_state(fcinfo, "demand_profile_add", &aggcontext);
	text	   *zone;
	TimestampTz at;
	TokenCounts tokens = {0};
	int64		calls = 1;
	Resolution	resolution = RESOLUTION_MINUTE;

	if (PG_ARGISNULL(ARG_ZONE))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the time zone of a demand_profile must not be null")));
	if (PG_ARGISNULL(ARG_AT))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the time of a call must not be null")));
	zone = (text *) packed(PG_GETARG_POINTER(ARG_ZONE));
	at = PG_GETARG_TIMESTAMPTZ(ARG_AT);
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("the time of a call must not be infinite")));
	if (PG_NARGS() > ARG_CALLS && !PG_ARGISNULL(ARG_CALLS))
		calls = PG_GETARG_INT64(ARG_CALLS);
	if (calls < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the number of calls must be 1 or more, not " INT64_FORMAT, calls)));
	if (PG_NARGS() > ARG_RESOLUTION)
	{
		if (PG_ARGISNULL(ARG_RESOLUTION))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("the resolution of a demand_profile must not be null")));
		resolution = resolution_by_name_or_error((text *) packed(PG_GETARG_POINTER(ARG_RESOLUTION)));
	}
	if (state == NULL)
		state = profile_make(aggcontext, resolution, VARDATA_ANY(zone), VARSIZE_ANY_EXHDR(zone));
	else if (state->resolution != resolution || !same_zone(state, VARDATA_ANY(zone), VARSIZE_ANY_EXHDR(zone)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a demand_profile has one resolution and one time zone"),
				 errdetail("It is by %s in \"%s\"; a call asks for %s in \"%s\".",
						   resolution_name[state->resolution], state->zone_name,
						   resolution_name[resolution], text_to_cstring(zone))));
	if (!PG_ARGISNULL(ARG_TOKENS))
		token_counts_read(PG_GETARG_DATUM(ARG_TOKENS), &tokens);
	else if (pg_add_s64_overflow(state->unreported, calls, &state->unreported))
		calls_out_of_range();
	add_slot(state, floor_div(at, resolution_length[resolution]), calls, &tokens);
	return EOHPGetRWDatum(&state->hdr);
}

static void
add_profile(DemandProfile *into, const DemandProfile *from, MeterSet meters)
{
	if (pg_add_s64_overflow(into->unreported, from->unreported, &into->unreported))
		calls_out_of_range();
	if (into->slots == NULL && from->n_slots > 0)
	{
		into->max_slots = from->n_slots;
		into->slots = MemoryContextAllocHuge(into->hdr.eoh_context, into->max_slots * sizeof(ProfileSlot));
	}
	for (uint32 i = 0; i < from->n_slots; i++)
	{
		TokenCounts tokens = from->slots[i].tokens;
		MeterSet	rest = tokens.reported & ~meters;
		Meter		m;

		CHECK_FOR_INTERRUPTS();
		tokens.reported &= meters;
		FOR_EACH_METER(m, rest)
			tokens.count[m] = 0;
		add_slot(into, from->slots[i].number, from->slots[i].calls, &tokens);
	}
	if (into->flat != NULL)
	{
		pfree(into->flat);
		into->flat = NULL;
	}
	into->from = Min(into->from, from->from);
	into->to = Max(into->to, from->to);
}

/* Transition and combine function of merge(demand_profile). */
Datum
profile_merge(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext;
	DemandProfile *state = profile_state(fcinfo, "demand_profile_merge", &aggcontext);
	DemandProfile *from;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		return EOHPGetRWDatum(&state->hdr);
	}
	from = profile_arg(fcinfo, 1);
	if (state == NULL)
		state = profile_make(aggcontext, from->resolution, from->zone_name, from->zone_len);
	if (state->resolution != from->resolution || !same_zone(state, from->zone_name, from->zone_len))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot merge demand profiles of different resolution or time zone"),
				 errdetail("One is by %s in \"%s\", the other by %s in \"%s\".",
						   resolution_name[state->resolution], state->zone_name,
						   resolution_name[from->resolution], from->zone_name),
				 state->resolution != from->resolution ?
				 errhint("Make both by the same resolution.") :
				 errhint("Bring both to one time zone with in_zone().")));
	add_profile(state, from, ALL_METERS);
	if (!VARATT_IS_EXTERNAL_EXPANDED(PG_GETARG_POINTER(1)))
		MemoryContextDelete(from->hdr.eoh_context);
	return EOHPGetRWDatum(&state->hdr);
}

/*
 * Profiles of profiles
 */

static DemandProfile *
copy_profile(const DemandProfile *from, const char *zone, int zone_len, MeterSet meters)
{
	DemandProfile *into = profile_make(CurrentMemoryContext, from->resolution, zone, zone_len);

	add_profile(into, from, meters);
	return into;
}

/* in_zone(profile, zone): minutes are the same in every zone, hours are not. */
Datum
profile_in_zone(PG_FUNCTION_ARGS)
{
	text	   *zone = PG_GETARG_TEXT_PP(1);
	DemandProfile *into = copy_profile(profile_arg(fcinfo, 0), VARDATA_ANY(zone), VARSIZE_ANY_EXHDR(zone), ALL_METERS);

	return EOHPGetRWDatum(&into->hdr);
}

/* The meters of a side: input, output, or total for both. */
static MeterSet
side_by_name_or_error(text *name)
{
	char	   *side = text_to_cstring(name);

	if (strcmp(side, "input") == 0)
		return meters_of_side(SIDE_INPUT);
	if (strcmp(side, "output") == 0)
		return meters_of_side(SIDE_OUTPUT);
	if (strcmp(side, "total") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no side \"%s\"", side),
				 errhint("The sides are input, output and total.")));
	return TOKEN_METERS;
}

/* side(profile, side): the meters of the input, or of the output, alone. */
Datum
profile_side(PG_FUNCTION_ARGS)
{
	DemandProfile *from = profile_arg(fcinfo, 0);
	DemandProfile *into = copy_profile(from, from->zone_name, from->zone_len,
									   side_by_name_or_error(PG_GETARG_TEXT_PP(1)));

	return EOHPGetRWDatum(&into->hdr);
}

/* with_span(profile, from, to): what was observed, calls or not. */
Datum
profile_with_span(PG_FUNCTION_ARGS)
{
	DemandProfile *from = profile_arg(fcinfo, 0);
	TimestampTz starts = PG_GETARG_TIMESTAMPTZ(1);
	TimestampTz ends = PG_GETARG_TIMESTAMPTZ(2);
	DemandProfile *into;

	if (TIMESTAMP_NOT_FINITE(starts) || TIMESTAMP_NOT_FINITE(ends) || starts >= ends)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the span of a demand_profile must have a beginning and a later end")));
	into = copy_profile(from, from->zone_name, from->zone_len, ALL_METERS);
	into->from = PG_INT64_MAX;
	into->to = PG_INT64_MIN;
	for (uint32 i = 0; i < into->n_slots; i++)
	{
		int64		minute = minute_of_slot(into, into->slots[i].number);

		into->from = Min(into->from, minute);
		into->to = Max(into->to, minute + 1);
	}
	starts = floor_div(starts, USECS_PER_MINUTE);
	ends = floor_div(ends + USECS_PER_MINUTE - 1, USECS_PER_MINUTE);
	if (into->n_slots > 0 && (into->from < starts || into->to > ends))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there are calls outside of that span"),
				 errdetail("The calls lie from %s to %s.",
						   pstrdup(timestamptz_to_str(into->from * USECS_PER_MINUTE)),
						   pstrdup(timestamptz_to_str(into->to * USECS_PER_MINUTE)))));
	into->from = starts;
	into->to = ends;
	return EOHPGetRWDatum(&into->hdr);
}

/*
 * Rows and totals
 */

/* minutes(profile): those with calls. */
Datum
profile_minutes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DemandProfile *profile = profile_arg(fcinfo, 0);
	ProfileMinute minute;
	uint32		next = 0;
	MemoryContext scratch;
	MemoryContext old;

	InitMaterializedSRF(fcinfo, 0);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "minute", ALLOCSET_SMALL_SIZES);
	while (profile_next_minute(profile, &next, &minute))
	{
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(scratch);
		values[0] = TimestampTzGetDatum(minute.at);
		values[1] = Int64GetDatum(minute.calls);
		values[2] = token_counts_datum(&minute.tokens);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	PG_RETURN_NULL();
}

Datum
profile_zone(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(profile_arg(fcinfo, 0)->zone_name));
}

Datum
profile_resolution(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(resolution_name[profile_arg(fcinfo, 0)->resolution]));
}

Datum
profile_span(PG_FUNCTION_ARGS)
{
	DemandProfile *profile = profile_arg(fcinfo, 0);
	TypeCacheEntry *type = lookup_type_cache(TSTZRANGEOID, TYPECACHE_RANGE_INFO);
	RangeBound	lower = {0};
	RangeBound	upper = {0};

	if (profile->from >= profile->to)
		PG_RETURN_NULL();
	lower.val = TimestampTzGetDatum(Max(profile->from * USECS_PER_MINUTE, MIN_TIMESTAMP));
	lower.inclusive = true;
	lower.lower = true;
	upper.infinite = profile->to * USECS_PER_MINUTE >= END_TIMESTAMP;
	upper.val = TimestampTzGetDatum(profile->to * USECS_PER_MINUTE);
	PG_RETURN_RANGE_P(make_range_compat(type, &lower, &upper, false));
}

Datum
profile_calls(PG_FUNCTION_ARGS)
{
	DemandProfile *profile = profile_arg(fcinfo, 0);
	int64		calls = 0;

	for (uint32 i = 0; i < profile->n_slots; i++)
		if (pg_add_s64_overflow(calls, profile->slots[i].calls, &calls))
			calls_out_of_range();
	PG_RETURN_INT64(calls);
}

Datum
profile_unreported_calls(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(profile_arg(fcinfo, 0)->unreported);
}

Datum
profile_tokens(PG_FUNCTION_ARGS)
{
	DemandProfile *profile = profile_arg(fcinfo, 0);
	TokenCounts sum = {0};

	for (uint32 i = 0; i < profile->n_slots; i++)
		token_counts_add(&sum, &profile->slots[i].tokens);
	return token_counts_datum(&sum);
}

static bool
profiles_equal(FunctionCallInfo fcinfo)
{
	bytea	   *a = profile_write(profile_arg(fcinfo, 0));
	bytea	   *b = profile_write(profile_arg(fcinfo, 1));

	return VARSIZE(a) == VARSIZE(b) &&
		memcmp(VARDATA(a), VARDATA(b), VARSIZE(a) - VARHDRSZ) == 0;
}

Datum
profile_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(profiles_equal(fcinfo));
}

Datum
profile_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!profiles_equal(fcinfo));
}

/*
 * Hours of the week
 */

int
hour_of_week(WeekClock *clock, TimestampTz at)
{
	if (!period_holds(&clock->period, at))
	{
		struct pg_tm tm;
		fsec_t		fsec;
		int			offset;

		clock->period = period_at(GRAIN_HOUR, clock->zone, at);
		if (timestamp2tm(at, &offset, &tm, &fsec, NULL, clock->zone) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("timestamp out of range")));
		/* j2day() counts from Sunday */
		clock->hour = (j2day(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday)) + 6) % 7 * HOURS_PER_DAY + tm.tm_hour;
	}
	return clock->hour;
}

void
profile_observe_week(const DemandProfile *profile, int64 minutes[HOURS_PER_WEEK])
{
	WeekClock	clock = {profile->zone};
	int64		minute = profile->from;

	memset(minutes, 0, HOURS_PER_WEEK * sizeof(int64));
	while (minute < profile->to)
	{
		int			hour = hour_of_week(&clock, Max(minute * USECS_PER_MINUTE, MIN_TIMESTAMP));
		int64		next = Min(-floor_div(-clock.period.to, USECS_PER_MINUTE), profile->to);

		CHECK_FOR_INTERRUPTS();
		minutes[hour] += next - minute;
		minute = next;
	}
}

int
compare_counts(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return (x > y) - (x < y);
}

int64
percentile_of_minutes(const int64 *values, int64 n_values, int64 count, double percentile)
{
	int64		rank = Max((int64) ceil(percentile * count), 1);
	int64		zeros = count - n_values;

	return rank <= zeros ? 0 : values[rank - zeros - 1];
}

/* The tokens of each minute with calls, in their order; how many there are. */
static int64 *
minute_totals(DemandProfile *profile, int64 *n)
{
	int64	   *totals = palloc_extended((profile->n_slots + 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	ProfileMinute minute;
	uint32		next = 0;

	*n = 0;
	while (profile_next_minute(profile, &next, &minute))
		totals[(*n)++] = token_counts_sum(&minute.tokens, TOKEN_METERS);
	return totals;
}

/* hour_of_week(profile [, side]): 168 rows. */
Datum
profile_hour_of_week(PG_FUNCTION_ARGS)
{
	static const double percentiles[] = {0.5, 0.95, 0.99};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DemandProfile *profile = profile_arg(fcinfo, 0);
	MeterSet	meters = PG_NARGS() > 1 ? side_by_name_or_error(PG_GETARG_TEXT_PP(1)) : TOKEN_METERS;
	WeekClock	clock = {profile->zone};
	int64		observed[HOURS_PER_WEEK];
	int64		active[HOURS_PER_WEEK] = {0};
	int64		first[HOURS_PER_WEEK];
	int64	   *totals;
	int64		n = 0;
	ProfileMinute minute;
	uint32		next = 0;

	InitMaterializedSRF(fcinfo, 0);
	profile_observe_week(profile, observed);
	while (profile_next_minute(profile, &next, &minute))
		active[hour_of_week(&clock, minute.at)]++;
	for (int h = 0; h < HOURS_PER_WEEK; h++)
	{
		first[h] = n;
		n += active[h];
	}
	totals = palloc_extended((n + 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	next = 0;
	while (profile_next_minute(profile, &next, &minute))
		totals[first[hour_of_week(&clock, minute.at)]++] = token_counts_sum(&minute.tokens, meters);
	for (int h = 0; h < HOURS_PER_WEEK; h++)
	{
		int64	   *mine = &totals[first[h] - active[h]];
		Datum		values[9];
		bool		nulls[9] = {0};
		int128		sum = 0;
		int			column = 0;

		qsort(mine, active[h], sizeof(int64), compare_counts);
		for (int64 i = 0; i < active[h]; i++)
			sum += mine[i];
		values[column++] = Int32GetDatum(h / HOURS_PER_DAY + 1);
		values[column++] = Int32GetDatum(h % HOURS_PER_DAY);
		values[column++] = Int64GetDatum(observed[h]);
		values[column++] = Int64GetDatum(active[h]);
		memset(&nulls[column], observed[h] == 0, 5);
		if (observed[h] > 0)
		{
			values[column++] = Float8GetDatum((double) sum / (double) observed[h]);
			for (int p = 0; p < lengthof(percentiles); p++)
				values[column++] = Int64GetDatum(percentile_of_minutes(mine, active[h], observed[h], percentiles[p]));
			values[column++] = Int64GetDatum(active[h] > 0 ? mine[active[h] - 1] : 0);
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}

/*
 * Peaks and capacities
 */

typedef struct Peak
{
	TimestampTz at;
	int64		tokens;
	int64		length;			/* of a period of the grain, in seconds */
} Peak;

/* The busiest period of a grain, the first of those that are; false: no calls. */
static bool
find_peak(DemandProfile *profile, const text *grain, Peak *peak)
{
	char	   *name = text_to_cstring(grain);
	Period		hour = {0, 0};
	TimestampTz at = 0;
	int64		tokens = 0;

	if (strcmp(name, "hour") == 0)
		peak->length = SECS_PER_HOUR;
	else if (strcmp(name, "minute") == 0)
		peak->length = SECS_PER_MINUTE;
	else if (strcmp(name, "second") == 0)
		peak->length = 1;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no peak by \"%s\"", name),
				 errhint("A peak is that of an hour, a minute or a second.")));
	if (peak->length == 1 && profile->resolution != RESOLUTION_SECOND)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this demand_profile does not hold seconds"),
				 errhint("Make it with demand_profile(zone, at, tokens, calls, 'second').")));
	sort_slots(profile);
	for (uint32 i = 0; i < profile->n_slots; i++)
	{
		const ProfileSlot *slot = &profile->slots[i];
		TimestampTz start = slot_start(profile, slot->number);

		CHECK_FOR_INTERRUPTS();
		if (peak->length == SECS_PER_HOUR)
		{
			if (!period_holds(&hour, start))
				hour = period_at(GRAIN_HOUR, profile->zone, start);
			start = hour.from;
		}
		else if (peak->length == SECS_PER_MINUTE)
			start = Max(minute_of_slot(profile, slot->number) * USECS_PER_MINUTE, MIN_TIMESTAMP);
		if (i == 0 || start != at)
			tokens = 0;
		at = start;
		if (pg_add_s64_overflow(tokens, token_counts_sum(&slot->tokens, TOKEN_METERS), &tokens))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("token count out of range")));
		if (i == 0 || tokens > peak->tokens)
		{
			peak->at = at;
			peak->tokens = tokens;
		}
	}
	return profile->n_slots > 0;
}

static Numeric
total_tokens(const DemandProfile *profile)
{
	TokenCounts sum = {0};

	for (uint32 i = 0; i < profile->n_slots; i++)
		token_counts_add(&sum, &profile->slots[i].tokens);
	return int64_to_numeric(token_counts_sum(&sum, TOKEN_METERS));
}

/* peak(profile, grain): when it began and its tokens. */
Datum
profile_peak(PG_FUNCTION_ARGS)
{
	Peak		peak;
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!find_peak(profile_arg(fcinfo, 0), PG_GETARG_TEXT_PP(1), &peak))
		PG_RETURN_NULL();
	values[0] = TimestampTzGetDatum(peak.at);
	values[1] = Int64GetDatum(peak.tokens);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/*
 * peak_to_average(profile, grain): the tokens of the busiest period over those
 * of one of average demand, idle time included.
 */
Datum
profile_peak_to_average(PG_FUNCTION_ARGS)
{
	DemandProfile *profile = profile_arg(fcinfo, 0);
	Peak		peak;
	double		seconds = (double) profile_minutes_observed(profile) * SECS_PER_MINUTE;
	double		total;

	if (!find_peak(profile, PG_GETARG_TEXT_PP(1), &peak) || seconds < peak.length)
		PG_RETURN_NULL();
	total = DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(total_tokens(profile))));
	if (total == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8((double) peak.tokens * seconds / (total * peak.length));
}

/* capacity_at(profile, percentile [, only_active]) */
Datum
profile_capacity_at(PG_FUNCTION_ARGS)
{
	DemandProfile *profile = profile_arg(fcinfo, 0);
	double		percentile = PG_GETARG_FLOAT8(1);
	int64		n;
	int64	   *totals = minute_totals(profile, &n);
	int64		count = PG_NARGS() > 2 && PG_GETARG_BOOL(2) ? n : profile_minutes_observed(profile);

	if (isnan(percentile) || percentile < 0 || percentile > 1)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("percentile value %g is not between 0 and 1", percentile)));
	if (count == 0)
		PG_RETURN_NULL();
	qsort(totals, n, sizeof(int64), compare_counts);
	PG_RETURN_INT64(percentile_of_minutes(totals, n, count, percentile));
}

/* tokens_per_minute(profile [, only_active]): the mean. */
Datum
profile_tokens_per_minute(PG_FUNCTION_ARGS)
{
	DemandProfile *profile = profile_arg(fcinfo, 0);
	int64		count = profile_minutes_observed(profile);

	if (PG_NARGS() > 1 && PG_GETARG_BOOL(1))
		(void) minute_totals(profile, &count);
	if (count == 0)
		PG_RETURN_NULL();
	return DirectFunctionCall1(numeric_trim_scale,
							   DirectFunctionCall2(numeric_div, NumericGetDatum(total_tokens(profile)),
												   NumericGetDatum(int64_to_numeric(count))));
}

/*
 * lost_tokens(profile, tokens_per_minute): what of each minute is above a
 * capacity, exactly.
 */
Datum
profile_lost_tokens(PG_FUNCTION_ARGS)
{
	DemandProfile *profile = profile_arg(fcinfo, 0);
	Datum		capacity = PG_GETARG_DATUM(1);
	Datum		zero = NumericGetDatum(int64_to_numeric(0));
	Datum		largest = NumericGetDatum(int64_to_numeric(PG_INT64_MAX));
	Datum		above;
	int64		whole;
	int64		n;
	int64	   *totals = minute_totals(profile, &n);
	int128		sum = 0;
	int64		minutes = 0;

	if (numeric_is_nan(DatumGetNumeric(capacity)) ||
		DatumGetBool(DirectFunctionCall2(numeric_lt, capacity, zero)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a capacity must be a number of tokens per minute, zero or more")));
	if (DatumGetBool(DirectFunctionCall2(numeric_ge, capacity, largest)))
		return zero;
	whole = DatumGetInt64(DirectFunctionCall1(numeric_int8, DirectFunctionCall1(numeric_floor, capacity)));
	for (int64 i = 0; i < n; i++)
		if (totals[i] > whole)
		{
			sum += totals[i] - whole;
			minutes++;
		}
	/* the fraction of the capacity holds in each of those minutes */
	above = DirectFunctionCall3(numeric_in, CStringGetDatum(psprintf("%lld", (long long) (sum / 1000000000))),
								ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	above = DirectFunctionCall2(numeric_mul, above, NumericGetDatum(int64_to_numeric(1000000000)));
	above = DirectFunctionCall2(numeric_add, above, NumericGetDatum(int64_to_numeric((int64) (sum % 1000000000))));
	capacity = DirectFunctionCall2(numeric_sub, capacity, NumericGetDatum(int64_to_numeric(whole)));
	capacity = DirectFunctionCall2(numeric_mul, capacity, NumericGetDatum(int64_to_numeric(minutes)));
	return DirectFunctionCall1(numeric_trim_scale, DirectFunctionCall2(numeric_sub, above, capacity));
}

/*
 * Stored and binary form
 */

static void
put_profile(StringInfo buf, DemandProfile *profile)
{
	int64		number = 0;
	int64		minutes = profile_minutes_observed(profile);

	sort_slots(profile);
	put_signed(buf, minutes > 0 ? profile->from : 0);
	put_number(buf, minutes);
	put_number(buf, profile->unreported);
	put_number(buf, profile->n_slots);
	for (uint32 i = 0; i < profile->n_slots; i++)
	{
		const ProfileSlot *slot = &profile->slots[i];
		MeterSet	rest = slot->tokens.reported;
		Meter		m;

		CHECK_FOR_INTERRUPTS();
		put_signed(buf, slot->number - number);
		number = slot->number;
		put_number(buf, slot->calls);
		put_number(buf, rest);
		FOR_EACH_METER(m, rest)
			put_number(buf, slot->tokens.count[m]);
	}
}

static bytea *
profile_write(DemandProfile *profile)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoSpaces(&buf, VARHDRSZ);
	put_number(&buf, PROFILE_FORMAT);
	put_number(&buf, profile->resolution);
	put_number(&buf, profile->zone_len);
	appendBinaryStringInfo(&buf, profile->zone_name, profile->zone_len);
	put_profile(&buf, profile);
	SET_VARSIZE(buf.data, buf.len);
	return (bytea *) buf.data;
}

/* Whether a span lies within what a timestamp can hold. */
static bool
span_is_valid(int64 from, int64 to)
{
	return from >= floor_div(MIN_TIMESTAMP, USECS_PER_MINUTE) && from < to &&
		to <= END_TIMESTAMP / USECS_PER_MINUTE;
}

static void
get_profile(Reader *reader, DemandProfile *profile)
{
	int64		from = get_signed(reader, "span out of range");
	int64		minutes = get_number(reader, PG_INT64_MAX / 2, "span out of range");
	int64		number = 0;
	int64		calls = 0;
	uint32		n;

	if (minutes > 0 ? from > PG_INT64_MAX / 2 || !span_is_valid(from, from + minutes) : from != 0)
		refuse(reader, "span out of range");
	profile->unreported = get_number(reader, PG_INT64_MAX, "number of calls out of range");
	n = get_number(reader, PG_UINT32_MAX, "number of slots out of range");
	for (uint32 i = 0; i < n; i++)
	{
		int64		slot_calls;
		TokenCounts tokens = {0};
		MeterSet	rest;
		Meter		m;
		int64		step = get_signed(reader, "time out of range");

		CHECK_FOR_INTERRUPTS();
		if (pg_add_s64_overflow(number, step, &number) || (i > 0 && step <= 0))
			refuse(reader, "times that do not ascend");
		if (minute_of_slot(profile, number) < from || minute_of_slot(profile, number) >= from + minutes)
			refuse(reader, "a time outside of its span");
		slot_calls = get_number(reader, PG_INT64_MAX, "number of calls out of range");
		if (slot_calls < 1)
			refuse(reader, "no calls");
		if (pg_add_s64_overflow(calls, slot_calls, &calls))
			refuse(reader, "number of calls out of range");
		tokens.reported = rest = get_number(reader, ALL_METERS, "unknown meter");
		FOR_EACH_METER(m, rest)
			tokens.count[m] = get_number(reader, PG_INT64_MAX, "token count out of range");
		add_slot(profile, number, slot_calls, &tokens);
	}
	if (profile->unreported > calls)
		refuse(reader, "more calls without tokens than calls");
	if (reader->p != reader->end)
		refuse(reader, "bytes behind its end");
	if (minutes > 0)
	{
		profile->from = from;
		profile->to = from + minutes;
	}
}

/* Takes the stored form apart. */
static DemandProfile *
profile_read(MemoryContext parent, bytea *flat)
{
	Reader		reader = {(const unsigned char *) VARDATA_ANY(flat),
	(const unsigned char *) VARDATA_ANY(flat) + VARSIZE_ANY_EXHDR(flat), false, PROFILE_TYPE};
	Resolution	resolution;
	uint32		zone_len;
	DemandProfile *profile;

	(void) get_number(&reader, PROFILE_FORMAT, "");
	resolution = get_number(&reader, N_RESOLUTIONS - 1, "");
	zone_len = get_number(&reader, TZ_STRLEN_MAX, "");
	profile = profile_make(parent, resolution, get_bytes(&reader, zone_len), zone_len);
	get_profile(&reader, profile);
	return profile;
}

Datum
profile_send(PG_FUNCTION_ARGS)
{
	DemandProfile *profile = profile_arg(fcinfo, 0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint8(&buf, PROFILE_WIRE_FORMAT);
	pq_sendint8(&buf, profile->resolution);
	pq_sendcountedtext_compat(&buf, profile->zone_name, profile->zone_len);
	put_profile(&buf, profile);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

Datum
profile_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	Reader		reader = {NULL, NULL, true, PROFILE_TYPE};
	Resolution	resolution;
	DemandProfile *profile;
	int			sent;
	int			len;
	char	   *zone;

	if (pq_getmsgint(buf, 1) != PROFILE_WIRE_FORMAT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unknown binary format of type demand_profile")));
	resolution = pq_getmsgint(buf, 1);
	if (resolution >= N_RESOLUTIONS)
		refuse(&reader, "unknown resolution");
	sent = pq_getmsgint(buf, 4);
	if (sent < 0 || sent > buf->len - buf->cursor)
		refuse(&reader, "a string is longer than the value");
	zone = pq_getmsgtext(buf, sent, &len);
	profile = profile_make(CurrentMemoryContext, resolution, zone, len);
	reader.p = (const unsigned char *) buf->data + buf->cursor;
	reader.end = (const unsigned char *) buf->data + buf->len;
	get_profile(&reader, profile);
	buf->cursor = buf->len;
	PG_RETURN_BYTEA_P(profile_write(profile));
}

/*
 * Text form
 */

Datum
profile_out(PG_FUNCTION_ARGS)
{
	DemandProfile *profile = profile_arg(fcinfo, 0);
	StringInfoData buf;

	sort_slots(profile);
	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"format\": %d, \"resolution\": \"%s\", \"zone\": ",
					 PROFILE_FORMAT, resolution_name[profile->resolution]);
	escape_json(&buf, profile->zone_name);
	if (profile->from < profile->to)
	{
		appendStringInfoString(&buf, ", \"from\": ");
		json_append_time(&buf, Max(profile->from * USECS_PER_MINUTE, MIN_TIMESTAMP));
		appendStringInfoString(&buf, ", \"to\": ");
		json_append_time(&buf, Min(profile->to * USECS_PER_MINUTE, END_TIMESTAMP - 1));
	}
	if (profile->unreported > 0)
		appendStringInfo(&buf, ", \"unreported_calls\": " INT64_FORMAT, profile->unreported);
	appendStringInfoString(&buf, ", \"slots\": [");
	for (uint32 i = 0; i < profile->n_slots; i++)
	{
		const ProfileSlot *slot = &profile->slots[i];

		CHECK_FOR_INTERRUPTS();
		appendStringInfoString(&buf, i > 0 ? ", {\"at\": " : "{\"at\": ");
		json_append_time(&buf, slot_start(profile, slot->number));
		appendStringInfo(&buf, ", \"calls\": " INT64_FORMAT ", \"tokens\": ", slot->calls);
		token_counts_append(&buf, &slot->tokens);
		appendStringInfoChar(&buf, '}');
	}
	appendStringInfoString(&buf, "]}");
	PG_RETURN_CSTRING(buf.data);
}

Datum
profile_in(PG_FUNCTION_ARGS)
{
	Jsonb	   *jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, PG_GETARG_DATUM(0)));
	JsonbContainer *root = &jsonb->root;
	JsonbContainer *slots;
	JsonbValue *v;
	char	   *name;
	char	   *zone;
	Resolution	resolution = 0;
	DemandProfile *profile;
	TimestampTz from;
	TimestampTz to;
	int64		calls = 0;

	if (!JsonContainerIsObject(root))
		json_refuse(PROFILE_TYPE, "Expected an object, such as {\"zone\": \"UTC\", \"slots\": []}.");
	if ((v = json_member(root, "format")) != NULL &&
		json_take_integer(PROFILE_TYPE, v, "\"format\"") != PROFILE_FORMAT)
		json_refuse(PROFILE_TYPE, "\"format\" is not one that this version knows.");
	name = json_take_text(PROFILE_TYPE, root, "resolution", resolution_name[RESOLUTION_MINUTE]);
	while (resolution < N_RESOLUTIONS && strcmp(name, resolution_name[resolution]) != 0)
		resolution++;
	if (resolution == N_RESOLUTIONS)
		json_refuse(PROFILE_TYPE, "\"resolution\" is neither minute nor second.");
	zone = json_take_text(PROFILE_TYPE, root, "zone", NULL);
	profile = profile_make(CurrentMemoryContext, resolution, zone, strlen(zone));
	if ((v = json_member(root, "unreported_calls")) != NULL)
		profile->unreported = json_take_integer(PROFILE_TYPE, v, "\"unreported_calls\"");
	slots = json_take_list(PROFILE_TYPE, root, "slots");
	for (uint32 i = 0; slots != NULL && i < JsonContainerSize(slots); i++)
	{
		JsonbContainer *object = json_take_object(PROFILE_TYPE, getIthJsonbValueFromContainer(slots, i), "A slot");
		TimestampTz at = json_take_time(PROFILE_TYPE, json_member(object, "at"), DT_NOBEGIN, "\"at\"");
		int64		slot_calls = json_take_integer(PROFILE_TYPE, json_member(object, "calls"), "\"calls\"");
		TokenCounts tokens = {0};

		CHECK_FOR_INTERRUPTS();
		if (TIMESTAMP_NOT_FINITE(at))
			json_refuse(PROFILE_TYPE, "\"at\" is missing or not a time.");
		if (at != slot_start(profile, floor_div(at, resolution_length[resolution])))
			json_refuse(PROFILE_TYPE, psprintf("No %s begins at %s.", resolution_name[resolution], timestamptz_to_str(at)));
		if (slot_calls < 1)
			json_refuse(PROFILE_TYPE, "A slot has no calls.");
		if (pg_add_s64_overflow(calls, slot_calls, &calls))
			json_refuse(PROFILE_TYPE, "\"calls\" is out of range.");
		token_counts_from_jsonb(json_take_object(PROFILE_TYPE, json_member(object, "tokens"), "\"tokens\""), &tokens);
		add_slot(profile, floor_div(at, resolution_length[resolution]), slot_calls, &tokens);
	}
	if (profile->unreported > calls)
		json_refuse(PROFILE_TYPE, "There are more calls without tokens than calls.");
	from = json_take_time(PROFILE_TYPE, json_member(root, "from"), DT_NOBEGIN, "\"from\"");
	to = json_take_time(PROFILE_TYPE, json_member(root, "to"), DT_NOEND, "\"to\"");
	if (TIMESTAMP_NOT_FINITE(from) != TIMESTAMP_NOT_FINITE(to))
		json_refuse(PROFILE_TYPE, "A span has both \"from\" and \"to\".");
	if (!TIMESTAMP_NOT_FINITE(from))
	{
		from = floor_div(from, USECS_PER_MINUTE);
		to = -floor_div(-to, USECS_PER_MINUTE);
		if (!span_is_valid(from, to))
			json_refuse(PROFILE_TYPE, "\"to\" is not after \"from\".");
		if (profile->n_slots > 0 && (from > profile->from || to < profile->to))
			json_refuse(PROFILE_TYPE, "A slot lies outside of the span.");
		profile->from = from;
		profile->to = to;
	}
	PG_RETURN_BYTEA_P(profile_write(profile));
}
