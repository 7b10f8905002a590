/*-------------------------------------------------------------------------
 *
 * period.c
 *	  Periods of the calendar of a time zone: quarters of an hour, hours, days
 *	  and months.
 *
 * The zone is an argument: the session's TimeZone changes nothing, and a
 * distributed worker need not know it.
 *
 * Periods of one grain and zone never overlap and leave nothing out.  A day
 * begins at the first instant at which the calendar has come to its date: where
 * midnight does not exist that is the end of the gap, where it comes twice the
 * first one.  An hour that the clocks jump out of ends there.  Quarters of an hour are those of UTC; any
 * zone whose offset is a multiple of 15 minutes is made of whole ones.
 *
 *-------------------------------------------------------------------------
 */
#include "period.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

const char *const grain_name[N_GRAINS] = {"quarter_hour", "hour", "day", "month"};

SQL_FUNCTION(period_start);
SQL_FUNCTION(period_end);
SQL_FUNCTION(periods);

bool
grain_read(const char *str, int len, Grain *grain)
{
	for (int g = 0; g < N_GRAINS; g++)
		if (strlen(grain_name[g]) == len && memcmp(grain_name[g], str, len) == 0)
		{
			*grain = g;
			return true;
		}
	return false;
}

Grain
grain_by_name_or_error(const char *str, int len)
{
	Grain		grain;

	if (!grain_read(str, len, &grain))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no grain \"%.*s\"", len, str),
				 errhint("The grains are quarter_hour, hour, day and month.")));
	return grain;
}

pg_tz *
zone_by_name_or_error(const char *str, int len)
{
	char		name[TZ_STRLEN_MAX + 1];
	pg_tz	   *zone = NULL;

	if (len <= TZ_STRLEN_MAX)
	{
		memcpy(name, str, len);
		name[len] = '\0';
		zone = pg_tzset(name);
	}
	if (zone == NULL || !pg_tz_acceptable(zone))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%.*s\" is not known", len, str),
				 errhint("The view pg_timezone_names lists the time zones.")));
	return zone;
}

static NO_RETURN void
timestamp_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("timestamp out of range")));
}

/* The time on the wall of a zone. */
static void
local_time(TimestampTz at, pg_tz *zone, struct pg_tm *tm, fsec_t *fsec)
{
	int			offset;

	if (timestamp2tm(at, &offset, tm, fsec, NULL, zone) != 0)
		timestamp_out_of_range();
}

/*
 * The first instant at which the calendar has come to a date, whatever the
 * clocks do about midnight: walks the stretches of one offset from well before
 * it.  Times that no timestamp can hold are cut to those that one can.
 */
static TimestampTz
date_start(int julian_day, pg_tz *zone)
{
	/* midnight, as if the zone were UTC */
	pg_time_t	midnight = (julian_day - UNIX_EPOCH_JDATE) * (pg_time_t) SECS_PER_DAY;
	pg_time_t	from = midnight - 3 * SECS_PER_DAY;
	pg_time_t	to;
	pg_time_t	start;

	for (;;)
	{
		long		offset,
					offset_after;
		int			dst,
					dst_after;
		int			found = pg_next_dst_boundary(&from, &offset, &dst, &to, &offset_after, &dst_after, zone);

		if (found < 0)
			timestamp_out_of_range();
		start = Max(from, midnight - offset);
		if (found == 0 || start < to)
			break;
		from = to;
	}
	if (start >= timestamptz_to_time_t(END_TIMESTAMP))
		return END_TIMESTAMP;
	return Max(time_t_to_timestamptz(start), MIN_TIMESTAMP);
}

/* The period of a length that divides the day, by the clock of the zone. */
static Period
clock_period(int64 length, pg_tz *zone, TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;
	pg_time_t	before;
	pg_time_t	boundary;
	long		offset_before,
				offset_after;
	int			dst_before,
				dst_after;
	TimestampTz change;
	Period		period;

	local_time(at, zone, &tm, &fsec);
	period.from = at - (((tm.tm_min * INT64CONST(60)) + tm.tm_sec) * USECS_PER_SEC + fsec) % length;
	period.to = period.from + length;

	/* clocks that are put forward or back inside it cut it */
	before = timestamptz_to_time_t(period.from) - 1;
	if (pg_next_dst_boundary(&before, &offset_before, &dst_before, &boundary,
							 &offset_after, &dst_after, zone) == 1)
	{
		change = time_t_to_timestamptz(boundary);
		if (period.from < change && change < period.to && offset_before != offset_after)
		{
			if (change <= at)
				period.from = change;
			else
				period.to = change;
		}
	}
	period.from = Max(period.from, MIN_TIMESTAMP);
	period.to = Min(period.to, END_TIMESTAMP);
	return period;
}

/* The period that holds a time, which is finite. */
Period
period_at(Grain grain, pg_tz *zone, TimestampTz at)
{
	Period		period;
	struct pg_tm tm;
	fsec_t		fsec;
	int			first,
				next;

	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("a time must not be infinite to lie in a %s", grain_name[grain])));
	if (grain == GRAIN_QUARTER_HOUR)
	{
		int64		length = 15 * SECS_PER_MINUTE * USECS_PER_SEC;
		int64		into = at % length;

		period.from = at - (into < 0 ? into + length : into);
		period.to = period.from + length;
		return period;
	}
	if (grain == GRAIN_HOUR)
		return clock_period(USECS_PER_HOUR, zone, at);

	/*
	 * Where the clocks go back over midnight a date may come to an end before
	 * it does so for good; the time then is of the next period.
	 */
	local_time(at, zone, &tm, &fsec);
	first = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
	do
	{
		next = first + 1;
		if (grain == GRAIN_MONTH)
		{
			j2date(first, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
			first = date2j(tm.tm_year, tm.tm_mon, 1);
			next = tm.tm_mon == 12 ? date2j(tm.tm_year + 1, 1, 1) : date2j(tm.tm_year, tm.tm_mon + 1, 1);
		}
		period.from = date_start(first, zone);
		period.to = date_start(next, zone);
		first = next;
	} while (at >= period.to);
	return period;
}

/*
 * SQL functions: (grain, zone, at)
 */

static Period
period_arguments(FunctionCallInfo fcinfo)
{
	text	   *grain = PG_GETARG_TEXT_PP(0);
	text	   *zone = PG_GETARG_TEXT_PP(1);

	return period_at(grain_by_name_or_error(VARDATA_ANY(grain), VARSIZE_ANY_EXHDR(grain)),
					 zone_by_name_or_error(VARDATA_ANY(zone), VARSIZE_ANY_EXHDR(zone)),
					 PG_GETARG_TIMESTAMPTZ(2));
}

/* The last period of all ends at no timestamp. */
static TimestampTz
shown_end(Period period)
{
	return period.to >= END_TIMESTAMP ? DT_NOEND : period.to;
}

Datum
period_start(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(period_arguments(fcinfo).from);
}

Datum
period_end(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(shown_end(period_arguments(fcinfo)));
}

/* periods(grain, zone, from, to): those that hold any of the time between. */
Datum
periods(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	text	   *grain_text = PG_GETARG_TEXT_PP(0);
	text	   *zone_text = PG_GETARG_TEXT_PP(1);
	Grain		grain = grain_by_name_or_error(VARDATA_ANY(grain_text), VARSIZE_ANY_EXHDR(grain_text));
	pg_tz	   *zone = zone_by_name_or_error(VARDATA_ANY(zone_text), VARSIZE_ANY_EXHDR(zone_text));
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(2);
	TimestampTz to = PG_GETARG_TIMESTAMPTZ(3);

	InitMaterializedSRF(fcinfo, 0);
	if (at < to && (TIMESTAMP_NOT_FINITE(at) || TIMESTAMP_NOT_FINITE(to)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no end of periods between infinite times")));
	while (at < to)
	{
		Period		period = period_at(grain, zone, at);
		Datum		values[2];
		bool		nulls[2] = {false, false};

		CHECK_FOR_INTERRUPTS();
		values[0] = TimestampTzGetDatum(period.from);
		values[1] = TimestampTzGetDatum(shown_end(period));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		at = period.to;
	}
	PG_RETURN_NULL();
}
