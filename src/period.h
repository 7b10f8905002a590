/*-------------------------------------------------------------------------
 *
 * period.h
 *	  Periods of the calendar of a time zone: quarters of an hour, hours, days
 *	  and months.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_PERIOD_H
#define TOKENOMICS_PERIOD_H

#include "compat.h"

#include "pgtime.h"
#include "utils/timestamp.h"

/* From fine to coarse; a stored ledger holds the number. */
typedef enum Grain
{
	GRAIN_QUARTER_HOUR,
	GRAIN_HOUR,
	GRAIN_DAY,
	GRAIN_MONTH,
	N_GRAINS
} Grain;

/* A stretch of time; "to" is not included. */
typedef struct Period
{
	TimestampTz from;
	TimestampTz to;
} Period;

/* The longest name of a grain, and room. */
#define GRAIN_LEN_MAX 16

extern const char *const grain_name[N_GRAINS];

extern bool grain_read(const char *str, int len, Grain *grain);
extern Grain grain_by_name_or_error(const char *str, int len);
extern pg_tz *zone_by_name_or_error(const char *str, int len);
extern Period period_at(Grain grain, pg_tz *zone, TimestampTz at);

static inline bool
period_holds(const Period *period, TimestampTz at)
{
	return period->from <= at && at < period->to;
}

#endif							/* TOKENOMICS_PERIOD_H */
