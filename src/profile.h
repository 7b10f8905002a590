/*-------------------------------------------------------------------------
 *
 * profile.h
 *	  Demand over time: tokens by meter for each minute, or second, in which
 *	  calls were made.
 *
 * In memory a profile is an expanded object: slots of one length, in any order
 * until someone needs them sorted.  Stored it is a string of bytes (profile.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_PROFILE_H
#define TOKENOMICS_PROFILE_H

#include "compat.h"

#include "period.h"
#include "tokens.h"
#include "utils/expandeddatum.h"

/* How long a slot is; a stored profile holds the number. */
typedef enum Resolution
{
	RESOLUTION_SECOND,
	RESOLUTION_MINUTE,
	N_RESOLUTIONS
} Resolution;

#define HOURS_PER_WEEK (7 * HOURS_PER_DAY)

/* Meters that are tokens. */
#define TOKEN_METERS (meters_of_side(SIDE_INPUT) | meters_of_side(SIDE_OUTPUT))

typedef struct ProfileSlot
{
	int64		number;			/* of slots since 2000-01-01 00:00 UTC */
	int64		calls;			/* at least 1 */
	TokenCounts tokens;
} ProfileSlot;

#define EXPANDED_PROFILE_MAGIC 0x70726f66

typedef struct DemandProfile
{
	ExpandedObjectHeader hdr;
	int			magic;
	Resolution	resolution;
	int			zone_len;
	char		zone_name[TZ_STRLEN_MAX + 1];
	pg_tz	   *zone;

	/* the minutes that were observed; none: from > to.  All slots lie within. */
	int64		from;
	int64		to;				/* not included */
	int64		unreported;		/* calls of which the vendor reported no
								 * tokens */

	ProfileSlot *slots;
	uint32		n_slots;
	uint32		max_slots;
	bool		sorted;			/* by number */
	uint32	   *places;			/* slot + 1 by the hash of its number; 0: free */
	uint32		n_places;		/* a power of two; 0: to be made anew */
	bytea	   *flat;			/* its stored form, once it was asked for */
} DemandProfile;

extern DemandProfile *profile_make(MemoryContext parent, Resolution resolution, const char *zone, int zone_len);
extern DemandProfile *profile_arg(FunctionCallInfo fcinfo, int argno);

/* Minutes in the span, those without a call included. */
static inline int64
profile_minutes_observed(const DemandProfile *profile)
{
	return profile->from < profile->to ? profile->to - profile->from : 0;
}

/* One minute with calls. */
typedef struct ProfileMinute
{
	TimestampTz at;				/* when it begins */
	int64		calls;
	TokenCounts tokens;
} ProfileMinute;

/*
 * Walks the minutes that have calls, in their order:
 *
 *		uint32	next = 0;
 *
 *		while (profile_next_minute(profile, &next, &minute))
 */
extern bool profile_next_minute(DemandProfile *profile, uint32 *next, ProfileMinute *minute);

/*
 * Which hour of the week a time is on the clocks of a zone: 0 is that from
 * Monday 00:00.  Remembers the hour it was asked for; zeros to begin with.
 */
typedef struct WeekClock
{
	pg_tz	   *zone;
	Period		period;
	int			hour;
} WeekClock;

extern int	hour_of_week(WeekClock *clock, TimestampTz at);

/* How many minutes of the span lie in each hour of the week. */
extern void profile_observe_week(const DemandProfile *profile, int64 minutes[HOURS_PER_WEEK]);

/*
 * The percentile of minutes, discrete, as SQL's percentile_disc: the least value
 * that at least this share of them does not exceed.  "values" are those that are
 * given, ascending; all others of the "count" are 0.
 */
extern int64 percentile_of_minutes(const int64 *values, int64 n_values, int64 count, double percentile);
extern int	compare_counts(const void *a, const void *b);

#endif							/* TOKENOMICS_PROFILE_H */
