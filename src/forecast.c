/*-------------------------------------------------------------------------
 *
 * forecast.c
 *	  time_series, a series of values in time, and what it will be.
 *
 * A time_series is a set of (time, value), the time that of a calendar on the
 * wall: days, weeks and months of any zone are then of one length.  A value may
 * be null: not known.  Two values of one time are an error, whichever part of a
 * series brings them, so no result depends on the order of rows.
 *
 * While it is aggregated the points lie in the order of their coming, with
 * space behind them that doubles; a finished series is sorted.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "funcapi.h"
#include "ledger.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "period.h"
#include "scan.h"
#include "smoothing.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define SERIES_FORMAT 1
#define MAX_POINTS 10000000
#define MAX_PERIODS 1000000
#define MAX_HORIZON 100000
#define MAX_PATHS 100000
#define MAX_SEASON 10000
#define MAX_CELLS 20000000		/* of all paths together */

/* A season longer than this is taken out by an index: its states would be too many to fit. */
#define LONGEST_FITTED_SEASON 24
/* Fewer values than this tell no model apart from another. */
#define LEAST_VALUES 10

typedef struct SeriesPoint
{
	Timestamp	at;
	double		value;			/* NaN: not known */
} SeriesPoint;

typedef struct TimeSeries
{
	int32		vl_len_;		/* do not touch */
	uint16		format;
	uint16		is_sorted;		/* by time, each once */
	int32		count;
	int32		reserved;		/* zero */
	SeriesPoint points[FLEXIBLE_ARRAY_MEMBER];
} TimeSeries;

#define SERIES_SIZE(n) (offsetof(TimeSeries, points) + (Size) (n) * sizeof(SeriesPoint))
#define SERIES_SPACE(series) ((VARSIZE(series) - offsetof(TimeSeries, points)) / sizeof(SeriesPoint))
/* The first instants of the years 1 and 10000. */
#define START_OF_SERIES INT64CONST(-63082281600000000)
#define END_OF_SERIES INT64CONST(252455616000000000)

#define GET_SERIES(n) ((TimeSeries *) PG_GETARG_VARLENA_P(n))

/* The steps of a regular series. */
typedef struct SeriesGrain
{
	const char *name;
	int			months;			/* or microseconds */
	int64		length;
	int			season;			/* periods that repeat, where nobody says */
} SeriesGrain;

/* From coarse to fine. */
static const SeriesGrain series_grain[] = {
	{"year", 12, 0, 1},
	{"quarter", 3, 0, 4},
	{"month", 1, 0, 12},
	{"week", 0, 7 * USECS_PER_DAY, 52},
	{"day", 0, USECS_PER_DAY, 7},
	{"hour", 0, USECS_PER_HOUR, 24},
	{"quarter_hour", 0, 15 * USECS_PER_MINUTE, 96},
	{"minute", 0, USECS_PER_MINUTE, 60},
};

/* A series by its steps. */
typedef struct Regular
{
	const SeriesGrain *grain;
	Timestamp	first;
	bool		month_ends;		/* its months are counted by their last days */
	int			n;
	int			n_known;
	double	   *values;
} Regular;

/* What the caller asks for. */
typedef struct Request
{
	int			horizon;
	int			season;			/* 0: that of the grain */
	char	   *model;
	double		level;
	const char *grain;
	const char *missing;
	SmoothFixed fixed;
	int			n_seasonals;
	bool		any_fixed;
	double		minimum;		/* NaN: none */
	int			paths;
	int64		seed;
} Request;

/* What came of it. */
typedef struct Answer
{
	Regular		regular;
	int			season;
	SmoothForecast forecast;
	char	   *name;
	char	   *note;			/* or NULL */
} Answer;

SQL_FUNCTION(time_series_in);
SQL_FUNCTION(time_series_out);
SQL_FUNCTION(time_series_recv);
SQL_FUNCTION(time_series_send);
SQL_FUNCTION(time_series_add);
SQL_FUNCTION(time_series_add_in_zone);
SQL_FUNCTION(time_series_merge);
SQL_FUNCTION(time_series_finish);
SQL_FUNCTION(time_series_points);
SQL_FUNCTION(time_series_forecast);
SQL_FUNCTION(time_series_forecast_totals);
SQL_FUNCTION(time_series_forecast_model);
SQL_FUNCTION(time_series_forecast_backtest);
SQL_FUNCTION(ledger_project);

/*
 * The value
 */

static void
append_time(StringInfo buf, Timestamp at)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	appendStringInfo(buf, "%04d-%02d-%02d", tm.tm_year, tm.tm_mon, tm.tm_mday);
	if (at % USECS_PER_DAY != 0)
		appendStringInfo(buf, "T%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (fsec != 0)
		appendStringInfo(buf, ".%06d", (int) fsec);
}

static char *
shown_time(Timestamp at)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_time(&buf, at);
	return buf.data;
}

/* One rule for all ways in: the years of four digits, and finite values.  False where the error was soft. */
static bool
check_point(Timestamp at, double value, Node *escontext)
{
	if (at < START_OF_SERIES || at >= END_OF_SERIES)
		ereturn(escontext, false,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("a time of a time_series is out of range"),
				 errdetail("Times lie in the years 1 to 9999.")));
	if (isinf(value))
		ereturn(escontext, false,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("a value of a time_series is infinite, at %s", shown_time(at))));
	/* squares of the values are added up */
	if (fabs(value) > 1e100)
		ereturn(escontext, false,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("a value of a time_series is out of range, at %s", shown_time(at)),
				 errdetail("Values lie between -1e100 and 1e100.")));
	return true;
}

static void
check_count(int64 count)
{
	if (count > MAX_POINTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a time_series has at most %d values", MAX_POINTS)));
}

static TimeSeries *
make_series(int count, int space)
{
	TimeSeries *series = palloc0(SERIES_SIZE(space));

	SET_VARSIZE(series, SERIES_SIZE(space));
	series->format = SERIES_FORMAT;
	series->count = count;
	return series;
}

static int
compare_points(const void *a, const void *b)
{
	Timestamp	x = ((const SeriesPoint *) a)->at;
	Timestamp	y = ((const SeriesPoint *) b)->at;

	return x < y ? -1 : x > y;
}

/* The series in order, without space behind it: itself, or a copy; NULL where the error was soft. */
static TimeSeries *
sorted_series_soft(TimeSeries *series, Node *escontext)
{
	TimeSeries *sorted;

	if (series->is_sorted)
		return series;
	sorted = make_series(series->count, series->count);
	memcpy(sorted->points, series->points, series->count * sizeof(SeriesPoint));
	qsort(sorted->points, sorted->count, sizeof(SeriesPoint), compare_points);
	for (int i = 1; i < sorted->count; i++)
		if (sorted->points[i].at == sorted->points[i - 1].at)
			ereturn(escontext, NULL,
					(errcode(ERRCODE_UNIQUE_VIOLATION),
					 errmsg("a time_series has two values at %s", shown_time(sorted->points[i].at)),
					 errhint("Group by the time first, with sum() or avg() of the values.")));
	sorted->is_sorted = 1;
	return sorted;
}

static TimeSeries *
sorted_series(TimeSeries *series)
{
	return sorted_series_soft(series, NULL);
}

/* The series with room for more points: itself where it may be changed and has it. */
static TimeSeries *
with_room(TimeSeries *series, int more, bool in_place)
{
	int64		count = (series == NULL ? 0 : series->count) + (int64) more;
	TimeSeries *larger;

	check_count(count);
	if (series != NULL && in_place && SERIES_SPACE(series) >= count)
		return series;
	larger = make_series(series == NULL ? 0 : series->count, Min(Max(2 * count, 8), MAX_POINTS));
	if (series != NULL)
		memcpy(larger->points, series->points, series->count * sizeof(SeriesPoint));
	return larger;
}

static Datum
add_point(FunctionCallInfo fcinfo, Timestamp at, bool value_is_null, double value)
{
	TimeSeries *series = PG_ARGISNULL(0) ? NULL : GET_SERIES(0);

	if (!value_is_null && isnan(value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("a value of a time_series is NaN, at %s", shown_time(at)),
				 errhint("A value that is not known is null.")));
	(void) check_point(at, value_is_null ? 0 : value, NULL);
	series = with_room(series, 1, AggCheckCallContext(fcinfo, NULL));
	series->is_sorted = 0;
	series->points[series->count].at = at;
	series->points[series->count].value = value_is_null ? get_float8_nan() : value;
	series->count++;
	PG_RETURN_POINTER(series);
}

static void
refuse_null_time(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("the time of a value must not be null")));
}

/* time_series_add(series, time, value) */
Datum
time_series_add(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		refuse_null_time();
	return add_point(fcinfo, PG_GETARG_TIMESTAMP(1), PG_ARGISNULL(2), PG_ARGISNULL(2) ? 0 : PG_GETARG_FLOAT8(2));
}

/* time_series_add(series, instant, value, zone): by the clock of the zone */
Datum
time_series_add_in_zone(PG_FUNCTION_ARGS)
{
	TimestampTz at;
	text	   *zone;
	pg_tz	   *tz;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	Timestamp	local;

	if (PG_ARGISNULL(1))
		refuse_null_time();
	if (PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the time zone of a series must not be null")));
	at = PG_GETARG_TIMESTAMPTZ(1);
	zone = PG_GETARG_TEXT_PP(3);
	tz = zone_by_name_or_error(VARDATA_ANY(zone), VARSIZE_ANY_EXHDR(zone));
	if (TIMESTAMP_NOT_FINITE(at))
		local = at;				/* refused as all are */
	else if (timestamp2tm(at, &offset, &tm, &fsec, NULL, tz) != 0 || tm2timestamp(&tm, fsec, NULL, &local) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return add_point(fcinfo, local, PG_ARGISNULL(2), PG_ARGISNULL(2) ? 0 : PG_GETARG_FLOAT8(2));
}

Datum
time_series_merge(PG_FUNCTION_ARGS)
{
	TimeSeries *series;
	TimeSeries *other;

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(1))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	other = GET_SERIES(1);
	series = with_room(PG_ARGISNULL(0) ? NULL : GET_SERIES(0), other->count, AggCheckCallContext(fcinfo, NULL));
	series->is_sorted = 0;
	memcpy(series->points + series->count, other->points, other->count * sizeof(SeriesPoint));
	series->count += other->count;
	PG_RETURN_POINTER(series);
}

Datum
time_series_finish(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(sorted_series(GET_SERIES(0)));
}

/*
 * Its forms
 */

/* A draft of a series, as it is read. */
typedef struct SeriesDraft
{
	TimeSeries *series;
} SeriesDraft;

static int
digits(const char *str, int n)
{
	int			value = 0;

	for (int i = 0; i < n; i++)
	{
		if (str[i] < '0' || str[i] > '9')
			return -1;
		value = value * 10 + (str[i] - '0');
	}
	return value;
}

/* YYYY-MM-DD, with THH:MM:SS behind it, with .ffffff behind that. */
static bool
read_time(const char *str, int len, Timestamp *at)
{
	int			year,
				month,
				day,
				hour = 0,
				minute = 0,
				second = 0,
				micros = 0;

	if ((len != 10 && len != 19 && len != 26) || str[4] != '-' || str[7] != '-')
		return false;
	year = digits(str, 4);
	month = digits(str + 5, 2);
	day = digits(str + 8, 2);
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > day_tab[isleap(year)][month - 1])
		return false;
	if (len > 10)
	{
		if (str[10] != 'T' || str[13] != ':' || str[16] != ':')
			return false;
		hour = digits(str + 11, 2);
		minute = digits(str + 14, 2);
		second = digits(str + 17, 2);
		if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
			return false;
	}
	if (len > 19)
	{
		if (str[19] != '.')
			return false;
		micros = digits(str + 20, 6);
		if (micros < 0)
			return false;
	}
	*at = (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY +
		((hour * INT64CONST(60) + minute) * 60 + second) * USECS_PER_SEC + micros;
	return true;
}

static bool
take_point(void *target, const FlatMember *member, Node *escontext)
{
	SeriesDraft *draft = target;
	SeriesPoint *point;
	Timestamp	at;
	double		value = get_float8_nan();

	if (!read_time(member->key, member->key_len, &at))
		ereturn(escontext, false,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type time_series"),
				 errdetail("\"%.*s\" is not a time such as 2026-01-31 or 2026-01-31T23:00:00.", member->key_len, member->key)));
	if (member->kind == FLAT_NUMBER)
	{
		char	   *number = pnstrdup(member->value, member->value_len);

		value = strtod(number, NULL);
		pfree(number);
	}
	else if (member->kind != FLAT_NULL)
		ereturn(escontext, false,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type time_series"),
				 errdetail("The value at \"%.*s\" is neither a number nor null.", member->key_len, member->key)));
	if (!check_point(at, value, escontext))
		return false;
	draft->series = with_room(draft->series, 1, true);
	point = &draft->series->points[draft->series->count++];
	point->at = at;
	point->value = value;
	return true;
}

Datum
time_series_in(PG_FUNCTION_ARGS)
{
	SeriesDraft draft = {NULL};

	draft.series = make_series(0, 8);
	if (!flat_from_text(PG_GETARG_CSTRING(0), "time_series", take_point, &draft, fcinfo->context))
		PG_RETURN_NULL();
	draft.series = sorted_series_soft(draft.series, fcinfo->context);
	if (draft.series == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(draft.series);
}

Datum
time_series_out(PG_FUNCTION_ARGS)
{
	TimeSeries *series = sorted_series(GET_SERIES(0));
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	for (int i = 0; i < series->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		appendStringInfoString(&buf, i > 0 ? ", \"" : "\"");
		append_time(&buf, series->points[i].at);
		appendStringInfoString(&buf, "\": ");
		if (isnan(series->points[i].value))
			appendStringInfoString(&buf, "null");
		else
		{
			char		number[DOUBLE_SHORTEST_DECIMAL_LEN];

			double_to_shortest_decimal_buf(series->points[i].value, number);
			appendStringInfoString(&buf, number);
		}
	}
	appendStringInfoChar(&buf, '}');
	PG_RETURN_CSTRING(buf.data);
}

Datum
time_series_send(PG_FUNCTION_ARGS)
{
	TimeSeries *series = sorted_series(GET_SERIES(0));
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, SERIES_FORMAT);
	pq_sendint32(&buf, series->count);
	for (int i = 0; i < series->count; i++)
	{
		pq_sendint64(&buf, series->points[i].at);
		pq_sendfloat8(&buf, series->points[i].value);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

Datum
time_series_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			format = pq_getmsgbyte(buf);
	int32		count;
	TimeSeries *series;

	if (format != SERIES_FORMAT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported binary format %d of type time_series", format)));
	count = (int32) pq_getmsgint(buf, 4);
	if (count < 0 || count > MAX_POINTS || (int64) count * 16 > buf->len - buf->cursor)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid number of values in external \"time_series\" value")));
	series = make_series(count, count);
	for (int i = 0; i < count; i++)
	{
		series->points[i].at = pq_getmsgint64(buf);
		series->points[i].value = pq_getmsgfloat8(buf);
		if (isnan(series->points[i].value))
			series->points[i].value = get_float8_nan();
		(void) check_point(series->points[i].at, series->points[i].value, NULL);
	}
	PG_RETURN_POINTER(sorted_series(series));
}

/* points(series): its times and values, in order. */
Datum
time_series_points(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TimeSeries *series = sorted_series(GET_SERIES(0));

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < series->count; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false, false};

		CHECK_FOR_INTERRUPTS();
		values[0] = TimestampGetDatum(series->points[i].at);
		values[1] = Float8GetDatum(series->points[i].value);
		nulls[1] = isnan(series->points[i].value);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}

/*
 * Regular steps
 */

static int
month_number(Timestamp at, int *day, int *days_in_month)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	*day = tm.tm_mday;
	*days_in_month = day_tab[isleap(tm.tm_year)][tm.tm_mon - 1];
	return tm.tm_year * 12 + tm.tm_mon - 1;
}

static int64
time_of_day(Timestamp at)
{
	int64		time = at % USECS_PER_DAY;

	return time < 0 ? time + USECS_PER_DAY : time;
}

/* How many steps of a grain a time lies behind the first one; -1 where between steps. */
static int64
step_of(const Regular *regular, Timestamp at)
{
	const SeriesGrain *grain = regular->grain;
	int			day,
				day0,
				days,
				days0;
	int			months;

	if (grain->months == 0)
		return (at - regular->first) % grain->length == 0 ? (at - regular->first) / grain->length : -1;
	months = month_number(at, &day, &days) - month_number(regular->first, &day0, &days0);
	if (time_of_day(at) != time_of_day(regular->first) || months % grain->months != 0 ||
		!(regular->month_ends ? day == days : day == day0))
		return -1;
	return months / grain->months;
}

static NO_RETURN void
beyond_series(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("the forecast goes beyond the year 9999")));
}

/* When a step begins. */
static Timestamp
time_of_step(const Regular *regular, int64 step)
{
	const SeriesGrain *grain = regular->grain;
	int			day,
				days,
				days_then;
	int64		month;
	int			year;

	if (grain->months == 0)
	{
		Timestamp	at = regular->first + step * grain->length;

		if (at >= END_OF_SERIES)
			beyond_series();
		return at;
	}
	month = month_number(regular->first, &day, &days) + step * grain->months;
	if (month >= 10000 * 12)
		beyond_series();
	year = month / 12;
	days_then = day_tab[isleap(year)][month % 12];
	return (date2j(year, month % 12 + 1, regular->month_ends ? days_then : day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY +
		time_of_day(regular->first);
}

static int
find_misfit(Regular *regular, const TimeSeries *series)
{
	bool		all_ends = true;
	int			day,
				days;

	regular->month_ends = false;
	if (regular->grain->months > 0)
	{
		(void) month_number(series->points[0].at, &day, &days);
		for (int i = 0; i < series->count && all_ends; i++)
		{
			(void) month_number(series->points[i].at, &day, &days);
			all_ends = day == days;
		}
		regular->month_ends = all_ends;
		/* a 29th to 31st is not in every month */
		(void) month_number(series->points[0].at, &day, &days);
		if (!all_ends && day > 28)
			return 0;
	}
	for (int i = 1; i < series->count; i++)
		if (step_of(regular, series->points[i].at) < 1)
			return i;
	return -1;
}

static void
make_regular(Regular *regular, const TimeSeries *series, const char *grain_name_given, const char *missing)
{
	bool		as_zero = strcmp(missing, "zero") == 0;
	bool		as_null = strcmp(missing, "null") == 0;
	int64		last;

	if (!as_zero && !as_null && strcmp(missing, "error") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no way \"%s\" to take missing periods", missing),
				 errhint("They are taken as error, zero or null.")));
	if (series->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an empty series cannot be forecast")));
	memset(regular, 0, sizeof(*regular));
	regular->first = series->points[0].at;
	if (grain_name_given == NULL)
	{
		if (series->count == 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the grain of a series of one value is not known"),
					 errhint("Give it, as in grain => 'day'.")));
		for (int g = 0; g < lengthof(series_grain); g++)
		{
			regular->grain = &series_grain[g];
			if (find_misfit(regular, series) < 0)
				break;
			regular->grain = NULL;
		}
		if (regular->grain == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the times of the series are not regular"),
					 errdetail("At no grain from minute to year do all of them lie whole steps apart."),
					 errhint("Group the values by time first, as with date_trunc().")));
	}
	else
	{
		int			misfit;

		for (int g = 0; g < lengthof(series_grain); g++)
			if (strcmp(series_grain[g].name, grain_name_given) == 0)
				regular->grain = &series_grain[g];
		if (regular->grain == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("there is no grain \"%s\" of a series", grain_name_given),
					 errhint("The grains are year, quarter, month, week, day, hour, quarter_hour and minute.")));
		misfit = find_misfit(regular, series);
		if (misfit >= 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the time %s is not a whole number of steps of grain \"%s\" behind the first, %s",
							shown_time(series->points[misfit].at), grain_name_given, shown_time(regular->first))));
	}
	last = step_of(regular, series->points[series->count - 1].at);
	if (last >= MAX_PERIODS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the series spans more than %d periods of grain \"%s\"", MAX_PERIODS, regular->grain->name)));
	regular->n = (int) last + 1;
	regular->values = palloc(regular->n * sizeof(double));
	for (int t = 0; t < regular->n; t++)
		regular->values[t] = get_float8_nan();
	for (int i = 0; i < series->count; i++)
		regular->values[step_of(regular, series->points[i].at)] = series->points[i].value;
	for (int t = 0; t < regular->n; t++)
	{
		if (!isnan(regular->values[t]))
		{
			regular->n_known++;
			continue;
		}
		if (as_zero)
		{
			regular->values[t] = 0;
			regular->n_known++;
		}
		else if (!as_null)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the series has no value for the %s of %s", regular->grain->name, shown_time(time_of_step(regular, t))),
					 errhint("Say what a missing period is: missing => 'zero', or missing => 'null' where it is not known.")));
	}
	if (regular->n_known == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the series has no value that is known")));
}

/*
 * From a name to a model
 */

static char *
shape_name(SmoothShape shape)
{
	static const char *const letter = "NAM";

	return psprintf("ETS(%c,%c%s,%c)", shape.error == COMPONENT_MULTIPLIED ? 'M' : 'A',
					letter[shape.trend], shape.damped ? "d" : "", letter[shape.season]);
}

typedef struct NamedShape
{
	const char *name;
	SmoothShape shape;
} NamedShape;

static const NamedShape named_shape[] = {
	{"ses", {COMPONENT_ADDED, COMPONENT_NONE, COMPONENT_NONE, false, true}},
	{"holt", {COMPONENT_ADDED, COMPONENT_ADDED, COMPONENT_NONE, false, true}},
	{"holt_damped", {COMPONENT_ADDED, COMPONENT_ADDED, COMPONENT_NONE, true, true}},
	{"holt_exponential", {COMPONENT_ADDED, COMPONENT_MULTIPLIED, COMPONENT_NONE, false, true}},
	{"holt_winters_additive", {COMPONENT_ADDED, COMPONENT_ADDED, COMPONENT_ADDED, false, true}},
	{"holt_winters_multiplicative", {COMPONENT_ADDED, COMPONENT_ADDED, COMPONENT_MULTIPLIED, false, true}},
};

/* ETS(error,trend,season), as in ETS(M,Ad,N) */
static bool
read_shape(const char *name, SmoothShape *shape)
{
	char		error,
				trend,
				season,
				damped = '\0';
	int			used = 0;

	memset(shape, 0, sizeof(*shape));
	if (!(sscanf(name, "ETS(%c,%c,%c)%n", &error, &trend, &season, &used) == 3 && used == (int) strlen(name)))
	{
		used = 0;
		if (!(sscanf(name, "ETS(%c,%c%c,%c)%n", &error, &trend, &damped, &season, &used) == 4 &&
			  used == (int) strlen(name) && damped == 'd' && trend != 'N'))
			return false;
	}
#define COMPONENT_OF(c) ((c) == 'N' ? COMPONENT_NONE : (c) == 'A' ? COMPONENT_ADDED : COMPONENT_MULTIPLIED)
	if ((error != 'A' && error != 'M') || strchr("NAM", trend) == NULL || strchr("NAM", season) == NULL)
		return false;
	shape->error = COMPONENT_OF(error);
	shape->trend = COMPONENT_OF(trend);
	shape->season = COMPONENT_OF(season);
	shape->damped = damped == 'd';
#undef COMPONENT_OF
	return true;
}

static void
check_weight(const char *name, double value, double most)
{
	if (!isnan(value) && !(value >= 0 && value <= most))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is out of range: %g", name, value),
				 errdetail("It lies between 0 and %g.", most)));
}

/* The values of a season before are copied; of the last values, with few of them. */
static void
take_naive(Answer *answer, int period)
{
	SmoothFit	fit;

	smooth_seasonal_naive(&fit, answer->regular.values, answer->regular.n, period);
	smooth_single(&answer->forecast, answer->regular.values, answer->regular.n, &fit);
	answer->name = pstrdup(period > 1 ? "seasonal_naive" : "naive");
}

static bool
take_ets(Answer *answer, int horizon)
{
	SmoothFit	fit;

	if (!smooth_choose(&fit, answer->regular.values, answer->regular.n,
					   answer->season <= LONGEST_FITTED_SEASON ? answer->season : 1, horizon))
		return false;
	smooth_single(&answer->forecast, answer->regular.values, answer->regular.n, &fit);
	answer->name = shape_name(fit.shape);
	return true;
}

static bool
take_combined(Answer *answer)
{
	if (!smooth_combine(&answer->forecast, answer->regular.values, answer->regular.n, answer->season))
		return false;
	answer->name = psprintf("combined(%c)", "NAM"[answer->forecast.index_kind]);
	return true;
}

static void
add_note(Answer *answer, const char *note)
{
	answer->note = answer->note == NULL ? pstrdup(note) : psprintf("%s; %s", answer->note, note);
}

static bool
take_candidate(Answer *answer, int candidate, int horizon)
{
	if (candidate == 0)
		return take_ets(answer, horizon);
	if (candidate == 1)
		return take_combined(answer);
	take_naive(answer, answer->season);
	return true;
}

/* The candidate that was nearest to what came after up to three earlier origins. */
static void
take_backtested(Answer *answer, int horizon)
{
	const Regular *whole = &answer->regular;
	int			ahead = Max(1, Min(horizon, whole->n / 5));
	double		error[3] = {0, 0, 0};
	int			best = 2;
	double	   *mean = palloc(ahead * sizeof(double));

	for (int origin = 1; origin <= 3; origin++)
	{
		Answer		past = *answer;

		past.regular.n = whole->n - origin * ahead;
		if (past.regular.n < Max(LEAST_VALUES, 2 * answer->season))
			break;
		for (int c = 0; c < 3; c++)
		{
			if (!take_candidate(&past, c, ahead))
			{
				error[c] = INFINITY;
				continue;
			}
			smooth_mean(&past.forecast, ahead, mean);
			for (int h = 0; h < ahead; h++)
				if (!isnan(whole->values[past.regular.n + h]))
					error[c] += fabs(whole->values[past.regular.n + h] - mean[h]);
		}
	}
	for (int c = 1; c >= 0; c--)
		if (error[c] <= error[best])
			best = c;
	if (!take_candidate(answer, best, horizon))
		take_naive(answer, answer->season);
}

static void
answer_request(Answer *answer, TimeSeries *series, const Request *request)
{
	const char *model = request->model;
	const Regular *regular = &answer->regular;
	bool		backtest = strcmp(model, "backtest") == 0;
	bool		combined = strcmp(model, "combined") == 0;
	bool		automatic = backtest || combined || strcmp(model, "auto") == 0 || strcmp(model, "ets") == 0;
	bool		naive = strcmp(model, "naive") == 0 || strcmp(model, "seasonal_naive") == 0;
	bool		constant = true;
	double		first_known = NAN;
	SmoothShape shape;
	bool		found = false;

	memset(answer, 0, sizeof(*answer));
	make_regular(&answer->regular, sorted_series(series), request->grain, request->missing);
	answer->season = request->season > 0 ? request->season : regular->grain->season;

	if ((automatic || naive) && request->any_fixed)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" takes no fixed parameters", model),
				 errhint("Name the model that has them, such as ETS(A,A,N) or holt_winters_additive.")));

	if (automatic)
	{
		for (int t = 0; t < regular->n; t++)
			if (!isnan(regular->values[t]))
			{
				if (isnan(first_known))
					first_known = regular->values[t];
				constant = constant && regular->values[t] == first_known;
			}
		if (regular->n_known < LEAST_VALUES)
		{
			answer->season = 1;
			take_naive(answer, 1);
			add_note(answer, psprintf("short history, %d of at least %d values: the last one goes on",
									  regular->n_known, LEAST_VALUES));
			return;
		}
		if (answer->season > 1 && regular->n < 2 * answer->season)
		{
			answer->season = 1;
			add_note(answer, "fewer than two seasons: no season");
		}
		if (constant)
		{
			take_naive(answer, 1);
			add_note(answer, first_known == 0 ? "all values are 0" : "all values are the same");
			return;
		}
		if (backtest)
		{
			take_backtested(answer, request->horizon);
			return;
		}
		if (combined || (strcmp(model, "auto") == 0 && answer->season > LONGEST_FITTED_SEASON))
			found = take_combined(answer);
		else
			found = take_ets(answer, request->horizon);
		if (!found)
		{
			take_naive(answer, 1);
			add_note(answer, "no model could be fitted: the last value goes on");
		}
		return;
	}
	if (naive)
	{
		int			period = strcmp(model, "naive") == 0 ? 1 : answer->season;

		if (regular->n < period)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the series is shorter than a season of %d", period)));
		answer->season = period;
		take_naive(answer, period);
		return;
	}

	for (int i = 0; i < lengthof(named_shape); i++)
		if (strcmp(named_shape[i].name, model) == 0)
		{
			shape = named_shape[i].shape;
			found = true;
		}
	if (!found && !read_shape(model, &shape))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no forecast model \"%s\"", model),
				 errhint("The models are auto, backtest, ets, combined, naive, seasonal_naive, ses, holt, holt_damped, holt_exponential, holt_winters_additive, holt_winters_multiplicative, and those such as ETS(M,Ad,N): error, trend and season.")));

	if (shape.season == COMPONENT_NONE)
		answer->season = 1;
	else if (answer->season < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" needs a season of 2 periods or more", model)));
	if (shape.season != COMPONENT_NONE && regular->n < 2 * answer->season)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" needs two seasons, which are %d periods: the series has %d", model, 2 * answer->season, regular->n)));
	if (shape.error == COMPONENT_MULTIPLIED || shape.trend == COMPONENT_MULTIPLIED || shape.season == COMPONENT_MULTIPLIED)
		for (int t = 0; t < regular->n; t++)
			if (regular->values[t] <= 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("model \"%s\" multiplies, and the value at %s is not above zero", model, shown_time(time_of_step(regular, t)))));
	check_weight("alpha", request->fixed.alpha, 1);
	check_weight("beta", request->fixed.beta, 1);
	check_weight("gamma", request->fixed.gamma, 1);
	check_weight("phi", request->fixed.phi, 1);
	if (!shape.classic && request->fixed.beta > (isnan(request->fixed.alpha) ? 0 : request->fixed.alpha))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("beta of model \"%s\" is above alpha", model),
				 errhint("Give alpha too; with that of Holt's form, beta is alpha times it.")));
	if (!shape.classic && request->fixed.gamma > 1 - (isnan(request->fixed.alpha) ? 1 : request->fixed.alpha))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("gamma of model \"%s\" is above 1 - alpha", model),
				 errhint("Give alpha too.")));
	if (request->fixed.seasonals != NULL && shape.season != COMPONENT_NONE && request->n_seasonals != answer->season)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("initial_seasonals are %d, of a season of %d", request->n_seasonals, answer->season)));
	{
		SmoothFit	fit;

		if (!smooth_fit(&fit, shape, regular->values, regular->n, answer->season, &request->fixed,
						answer->season <= LONGEST_FITTED_SEASON ? SMOOTH_FULL : SMOOTH_FINE))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("model \"%s\" cannot be fitted to the series", model),
					 errdetail("A level, trend or season of it would not be above zero, or there are too few values.")));
		smooth_single(&answer->forecast, regular->values, regular->n, &fit);
		answer->name = shape.classic ? pstrdup(model) : shape_name(shape);
	}
}

/*
 * Arguments
 */

static double
float_or_nan(FunctionCallInfo fcinfo, int n, const char *name)
{
	double		value;

	if (PG_ARGISNULL(n))
		return NAN;
	value = PG_GETARG_FLOAT8(n);
	if (!isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is not finite", name)));
	return value;
}

static NO_RETURN void
refuse_null(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s must not be null", name)));
}

static char *
text_or_error(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		refuse_null(name);
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static int
integer_within(FunctionCallInfo fcinfo, int n, const char *name, int least, int most)
{
	int			value;

	if (PG_ARGISNULL(n))
		refuse_null(name);
	value = PG_GETARG_INT32(n);
	if (value < least || value > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is out of range: %d", name, value),
				 errdetail("It lies between %d and %d.", least, most)));
	return value;
}

/* From the n-th argument on: season, model, grain, missing. */
static void
read_choice(FunctionCallInfo fcinfo, int n, Request *request)
{
	request->season = PG_ARGISNULL(n) ? 0 : integer_within(fcinfo, n, "season", 1, MAX_SEASON);
	request->model = text_or_error(fcinfo, n + 1, "model");
	request->grain = PG_ARGISNULL(n + 2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n + 2));
	request->missing = text_or_error(fcinfo, n + 3, "missing");
}

/* Seven of them from the n-th on. */
static void
read_fixed(FunctionCallInfo fcinfo, int n, Request *request)
{
	SmoothFixed *fixed = &request->fixed;

	fixed->alpha = float_or_nan(fcinfo, n, "alpha");
	fixed->beta = float_or_nan(fcinfo, n + 1, "beta");
	fixed->gamma = float_or_nan(fcinfo, n + 2, "gamma");
	fixed->phi = float_or_nan(fcinfo, n + 3, "phi");
	fixed->level = float_or_nan(fcinfo, n + 4, "initial_level");
	fixed->trend = float_or_nan(fcinfo, n + 5, "initial_trend");
	fixed->seasonals = NULL;
	if (!PG_ARGISNULL(n + 6))
	{
		ArrayType  *array = PG_GETARG_ARRAYTYPE_P(n + 6);
		const double *given;

		if (ARR_NDIM(array) != 1 || ARR_HASNULL(array))
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("initial_seasonals must be a one-dimensional array without nulls")));
		given = (const double *) ARR_DATA_PTR(array);
		request->n_seasonals = ArrayGetNItems(1, ARR_DIMS(array));
		for (int i = 0; i < request->n_seasonals; i++)
			if (!isfinite(given[i]))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("initial_seasonals are not finite")));
		fixed->seasonals = given;
	}
	request->any_fixed = false;
	for (int i = 0; i < 7; i++)
		request->any_fixed = request->any_fixed || !PG_ARGISNULL(n + i);
}

/* Of forecast() and forecast_totals(). */
static void
read_request(FunctionCallInfo fcinfo, Request *request)
{
	memset(request, 0, sizeof(*request));
	request->horizon = integer_within(fcinfo, 1, "horizon", 1, MAX_HORIZON);
	request->season = PG_ARGISNULL(2) ? 0 : integer_within(fcinfo, 2, "season", 1, MAX_SEASON);
	request->model = text_or_error(fcinfo, 3, "model");
	if (PG_ARGISNULL(4))
		refuse_null("level");
	request->level = PG_GETARG_FLOAT8(4);
	if (!(request->level > 0 && request->level < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("level is out of range: %g", request->level),
				 errdetail("It lies between 0 and 1, as 0.95 does.")));
	request->grain = PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5));
	request->missing = text_or_error(fcinfo, 6, "missing");
	read_fixed(fcinfo, 7, request);
	request->minimum = float_or_nan(fcinfo, 14, "minimum");
	request->paths = integer_within(fcinfo, 15, "paths", 100, MAX_PATHS);
	if (PG_ARGISNULL(16))
		refuse_null("seed");
	request->seed = PG_GETARG_INT64(16);
	if ((int64) request->paths * request->horizon > MAX_CELLS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%d paths of %d steps are too many", request->paths, request->horizon),
				 errdetail("Paths times steps are at most %d.", MAX_CELLS)));
}

/*
 * Intervals
 */

/* Puts the k-th least of the values in its place, less ones before and greater ones behind it (Hoare 1961). */
static void
select_kth(double *values, int n, int k)
{
	int			low = 0;
	int			high = n - 1;

	while (low < high)
	{
		double		pivot = values[low + (high - low) / 2];
		int			i = low;
		int			j = high;

		while (i <= j)
		{
			double		swap;

			while (values[i] < pivot)
				i++;
			while (values[j] > pivot)
				j--;
			if (i > j)
				break;
			swap = values[i];
			values[i++] = values[j];
			values[j--] = swap;
		}
		if (k <= j)
			high = j;
		else if (k >= i)
			low = i;
		else
			break;
	}
}

/* Between neighbours (definition 7 of Hyndman and Fan 1996); moves the values. */
static double
quantile(double *values, int n, double p)
{
	double		at = p * (n - 1);
	int			below = (int) at;
	double		least_above;

	select_kth(values, n, below);
	if (below + 1 >= n)
		return values[below];
	least_above = values[below + 1];
	for (int i = below + 2; i < n; i++)
		least_above = Min(least_above, values[i]);
	return values[below] + (at - below) * (least_above - values[below]);
}

/*
 * Sums of the forecast over groups of steps, with the interval of the sums of
 * simulated paths.  A group is the steps from its first to the next one's.
 *
 * Forecast and paths tell one story: the forecast is the median of the paths,
 * which are moved there (of multiplied errors, by a factor) where it is not, as
 * when it is held up at a minimum or a path of multiplied errors ran away.  So
 * it lies within the interval, at any level.  A minimum cuts off the interval,
 * never a single path: those would be too high on the whole.
 */
static void
group_intervals(const SmoothForecast *forecast, const Request *request, int n_groups, const int *first,
				const double *mean, double *sum, double *lower, double *upper)
{
	int			n = (request->paths + 1) / 2 * 2;	/* they come in pairs */
	double	   *paths[2] = {palloc(request->horizon * sizeof(double)), palloc(request->horizon * sizeof(double))};
	double	   *sums = MemoryContextAllocExtended(CurrentMemoryContext, (Size) n_groups * n * sizeof(double), MCXT_ALLOC_HUGE);
	SmoothRandom random;
	bool		multiplied = forecast->n_models == 1 && forecast->models[0].shape.error == COMPONENT_MULTIPLIED;

	smooth_seed(&random, (uint64) request->seed);
	for (int p = 0; p < n; p += 2)
	{
		CHECK_FOR_INTERRUPTS();
		smooth_paths(forecast, p / 2, &random, request->horizon, paths);
		for (int g = 0; g < n_groups; g++)
			for (int side = 0; side < 2; side++)
			{
				double		of_path = 0;

				for (int h = first[g]; h < first[g + 1]; h++)
					of_path += paths[side][h];
				sums[(Size) g * n + p + side] = of_path;
			}
	}
	for (int g = 0; g < n_groups; g++)
	{
		double	   *of_group = sums + (Size) g * n;
		bool		known = true;
		double		median;

		sum[g] = 0;
		for (int h = first[g]; h < first[g + 1]; h++)
			sum[g] += mean[h];
		for (int p = 0; p < n && known; p++)
			known = !isnan(of_group[p]);
		lower[g] = upper[g] = NAN;
		if (!known)
			continue;
		lower[g] = quantile(of_group, n, (1 - request->level) / 2);
		median = quantile(of_group, n, 0.5);
		upper[g] = quantile(of_group, n, (1 + request->level) / 2);
		if (multiplied && median > 0 && sum[g] > 0)
		{
			lower[g] *= sum[g] / median;
			upper[g] *= sum[g] / median;
		}
		else
		{
			lower[g] += sum[g] - median;
			upper[g] += sum[g] - median;
		}
		if (lower[g] < request->minimum * (first[g + 1] - first[g]))
			lower[g] = request->minimum * (first[g + 1] - first[g]);
		/* but for the last digit, they are so already */
		lower[g] = Min(lower[g], sum[g]);
		upper[g] = Max(upper[g], sum[g]);
	}
	pfree(sums);
	pfree(paths[0]);
	pfree(paths[1]);
}

static void
floored_mean(const SmoothForecast *forecast, const Request *request, double *mean)
{
	smooth_mean(forecast, request->horizon, mean);
	for (int h = 0; h < request->horizon; h++)
		if (mean[h] < request->minimum)
			mean[h] = request->minimum;
}

/* The mean absolute error of the seasonal naive forecast within the series; NaN where there is none. */
static double
naive_error(const double *y, int n, int period)
{
	double		sum = 0;
	int			count = 0;

	for (int t = period; t < n; t++)
		if (!isnan(y[t]) && !isnan(y[t - period]))
		{
			sum += fabs(y[t] - y[t - period]);
			count++;
		}
	return count > 0 && sum > 0 ? sum / count : NAN;
}

static void
put_float(Datum *values, bool *nulls, int i, double value)
{
	values[i] = Float8GetDatum(value);
	nulls[i] = !isfinite(value);
}

static void
put_text(Datum *values, bool *nulls, int i, const char *value)
{
	nulls[i] = value == NULL;
	values[i] = value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
}

/* forecast(series, horizon, season, model, level, grain, missing, fixed ..., minimum, paths, seed) */
Datum
time_series_forecast(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext work,
				outer;
	Request		request;
	Answer		answer;
	double	   *mean,
			   *sum,
			   *lower,
			   *upper;
	int		   *first;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	work = AllocSetContextCreate(CurrentMemoryContext, "forecast", ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(work);
	read_request(fcinfo, &request);
	answer_request(&answer, GET_SERIES(0), &request);

	mean = palloc(request.horizon * sizeof(double));
	sum = palloc(request.horizon * sizeof(double));
	lower = palloc(request.horizon * sizeof(double));
	upper = palloc(request.horizon * sizeof(double));
	first = palloc((request.horizon + 1) * sizeof(int));
	for (int h = 0; h <= request.horizon; h++)
		first[h] = h;
	floored_mean(&answer.forecast, &request, mean);
	group_intervals(&answer.forecast, &request, request.horizon, first, mean, sum, lower, upper);
	for (int h = 0; h < request.horizon; h++)
	{
		Datum		values[7];
		bool		nulls[7] = {false};

		values[0] = Int32GetDatum(h + 1);
		values[1] = TimestampGetDatum(time_of_step(&answer.regular, answer.regular.n + h));
		put_float(values, nulls, 2, mean[h]);
		put_float(values, nulls, 3, lower[h]);
		put_float(values, nulls, 4, upper[h]);
		put_text(values, nulls, 5, answer.name);
		put_text(values, nulls, 6, answer.note);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(work);
	PG_RETURN_NULL();
}

/* The first day of the calendar period of a time, as a number that tells them apart. */
static Timestamp
calendar_start(const char *period, Timestamp at)
{
	if (strcmp(period, "total") == 0)
		return 0;
	return DatumGetTimestamp(DirectFunctionCall2(timestamp_trunc, CStringGetTextDatum(period), TimestampGetDatum(at)));
}

/* In-sample MASE of an answer. */
static double
scaled_error(const Answer *answer, double *mae, double *rmse, double *mape)
{
	const Regular *regular = &answer->regular;
	double		absolute = 0,
				squares = 0,
				percent = 0;
	int			count = 0;

	for (int t = 0; t < regular->n; t++)
	{
		double		e = regular->values[t] - answer->forecast.fitted[t];

		if (isnan(e))
			continue;
		absolute += fabs(e);
		squares += e * e;
		percent += fabs(e / regular->values[t]);
		count++;
	}
	*mae = count > 0 ? absolute / count : NAN;
	*rmse = count > 0 ? sqrt(squares / count) : NAN;
	*mape = count > 0 ? 100 * percent / count : NAN;
	return *mae / naive_error(regular->values, regular->n, answer->season);
}

/* forecast_totals(as forecast(), period) */
Datum
time_series_forecast_totals(PG_FUNCTION_ARGS)
{
	static const char *const periods[] = {"day", "week", "month", "quarter", "year", "total"};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext work,
				outer;
	Request		request;
	Answer		answer;
	double	   *mean,
			   *sum,
			   *lower,
			   *upper;
	int		   *first;
	int			n_groups = 0;
	char	   *period;
	bool		known = false;
	double		mae,
				rmse,
				mape,
				mase;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	work = AllocSetContextCreate(CurrentMemoryContext, "forecast", ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(work);
	read_request(fcinfo, &request);
	period = text_or_error(fcinfo, 17, "period");
	for (int i = 0; i < lengthof(periods); i++)
		known = known || strcmp(period, periods[i]) == 0;
	if (!known)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there are no totals by \"%s\"", period),
				 errhint("They are by day, week, month, quarter or year, or in total.")));
	answer_request(&answer, GET_SERIES(0), &request);

	mean = palloc(request.horizon * sizeof(double));
	sum = palloc(request.horizon * sizeof(double));
	lower = palloc(request.horizon * sizeof(double));
	upper = palloc(request.horizon * sizeof(double));
	first = palloc((request.horizon + 1) * sizeof(int));
	floored_mean(&answer.forecast, &request, mean);
	for (int h = 0; h < request.horizon; h++)
		if (h == 0 ||
			calendar_start(period, time_of_step(&answer.regular, answer.regular.n + h)) !=
			calendar_start(period, time_of_step(&answer.regular, answer.regular.n + h - 1)))
			first[n_groups++] = h;
	first[n_groups] = request.horizon;
	group_intervals(&answer.forecast, &request, n_groups, first, mean, sum, lower, upper);
	mase = scaled_error(&answer, &mae, &rmse, &mape);
	for (int g = 0; g < n_groups; g++)
	{
		Datum		values[10];
		bool		nulls[10] = {false};
		int			steps = first[g + 1] - first[g];
		Datum	   *by_step = palloc(steps * sizeof(Datum));

		for (int h = 0; h < steps; h++)
			by_step[h] = Float8GetDatum(mean[first[g] + h]);
		values[0] = TimestampGetDatum(time_of_step(&answer.regular, answer.regular.n + first[g]));
		values[1] = TimestampGetDatum(time_of_step(&answer.regular, answer.regular.n + first[g + 1] - 1));
		values[2] = Int32GetDatum(steps);
		put_float(values, nulls, 3, sum[g]);
		put_float(values, nulls, 4, lower[g]);
		put_float(values, nulls, 5, upper[g]);
		values[6] = PointerGetDatum(construct_array(by_step, steps, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
		put_text(values, nulls, 7, answer.name);
		put_float(values, nulls, 8, mase);
		put_text(values, nulls, 9, answer.note);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(work);
	PG_RETURN_NULL();
}

/* forecast_model(series, season, model, grain, missing, fixed ..., horizon) */
Datum
time_series_forecast_model(PG_FUNCTION_ARGS)
{
	Request		request;
	Answer		answer;
	TupleDesc	desc;
	Datum		values[24];
	bool		nulls[24] = {false};
	double		mae,
				rmse,
				mape,
				mase;
	const SmoothFit *fit;
	bool		single;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	memset(&request, 0, sizeof(request));
	read_choice(fcinfo, 1, &request);
	read_fixed(fcinfo, 5, &request);
	request.horizon = integer_within(fcinfo, 12, "horizon", 1, MAX_HORIZON);
	answer_request(&answer, GET_SERIES(0), &request);
	mase = scaled_error(&answer, &mae, &rmse, &mape);
	fit = &answer.forecast.models[0];
	single = answer.forecast.n_models == 1 && answer.forecast.index_kind == COMPONENT_NONE;

	put_text(values, nulls, 0, answer.name);
	put_text(values, nulls, 1, answer.regular.grain->name);
	values[2] = Int32GetDatum(answer.season);
	values[3] = Int32GetDatum(answer.regular.n);
	values[4] = Int32GetDatum(answer.regular.n - answer.regular.n_known);
	put_float(values, nulls, 5, single ? fit->alpha : NAN);
	put_float(values, nulls, 6, single && fit->shape.trend != COMPONENT_NONE
			  ? fit->beta_star * (fit->shape.classic ? 1 : fit->alpha) : NAN);
	put_float(values, nulls, 7, single && fit->shape.season != COMPONENT_NONE ? fit->gamma : NAN);
	put_float(values, nulls, 8, single && fit->shape.damped ? fit->phi : NAN);
	put_float(values, nulls, 9, single ? fit->log_likelihood : NAN);
	put_float(values, nulls, 10, single ? fit->aic : NAN);
	put_float(values, nulls, 11, single ? fit->aicc : NAN);
	put_float(values, nulls, 12, single ? fit->bic : NAN);
	put_float(values, nulls, 13, single ? fit->sse : NAN);
	put_float(values, nulls, 14, single ? fit->scale : NAN);
	put_float(values, nulls, 15, rmse);
	put_float(values, nulls, 16, mae);
	put_float(values, nulls, 17, mape);
	put_float(values, nulls, 18, mase);
	put_float(values, nulls, 19, single ? fit->level : NAN);
	put_float(values, nulls, 20, single && fit->shape.trend != COMPONENT_NONE ? fit->trend : NAN);
	nulls[21] = !(single && fit->shape.season != COMPONENT_NONE) && answer.forecast.index_kind == COMPONENT_NONE;
	if (!nulls[21])
	{
		Datum	   *seasonals = palloc(answer.season * sizeof(Datum));

		for (int j = 0; j < answer.season; j++)
			seasonals[j] = Float8GetDatum(single ? fit->seasonals[j]
										  : answer.forecast.index[(answer.regular.n + j) % answer.season]);
		values[21] = PointerGetDatum(construct_array(seasonals, answer.season, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	}
	{
		Datum	   *fitted = palloc(answer.regular.n * sizeof(Datum));
		bool	   *fitted_nulls = palloc(answer.regular.n * sizeof(bool));
		int			dims = answer.regular.n;
		int			lower_bound = 1;

		for (int t = 0; t < answer.regular.n; t++)
		{
			fitted[t] = Float8GetDatum(answer.forecast.fitted[t]);
			fitted_nulls[t] = isnan(answer.forecast.fitted[t]);
		}
		values[22] = PointerGetDatum(construct_md_array(fitted, fitted_nulls, 1, &dims, &lower_bound, FLOAT8OID,
														sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	}
	put_text(values, nulls, 23, answer.note);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/* forecast_backtest(as forecast(), origins): what it would have said, and what came */
Datum
time_series_forecast_backtest(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext work,
				outer;
	Request		request;
	Regular		whole;
	TimeSeries *series;
	int			origins;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	read_request(fcinfo, &request);
	origins = integer_within(fcinfo, 17, "origins", 1, 1000);
	work = AllocSetContextCreate(CurrentMemoryContext, "forecast backtest", ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(work);
	series = sorted_series(GET_SERIES(0));
	make_regular(&whole, series, request.grain, request.missing);
	if ((int64) origins * request.horizon >= whole.n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%d origins, %d periods apart, need a series of more than %lld periods: it has %d", origins, request.horizon,
						(long long) origins * request.horizon, whole.n)));
	for (int origin = origins; origin >= 1; origin--)
	{
		int			n = whole.n - origin * request.horizon;
		TimeSeries *past = make_series(n, n);
		Answer		answer;
		MemoryContext each = AllocSetContextCreate(work, "forecast origin", ALLOCSET_DEFAULT_SIZES);
		double	   *mean,
				   *sum,
				   *lower,
				   *upper;
		int		   *first;
		double		scale;

		MemoryContextSwitchTo(each);
		for (int t = 0; t < n; t++)
		{
			past->points[t].at = time_of_step(&whole, t);
			past->points[t].value = whole.values[t];
		}
		past->is_sorted = 1;
		request.grain = whole.grain->name;
		answer_request(&answer, past, &request);
		scale = naive_error(answer.regular.values, n, answer.season);
		mean = palloc(request.horizon * sizeof(double));
		sum = palloc(request.horizon * sizeof(double));
		lower = palloc(request.horizon * sizeof(double));
		upper = palloc(request.horizon * sizeof(double));
		first = palloc((request.horizon + 1) * sizeof(int));
		for (int h = 0; h <= request.horizon; h++)
			first[h] = h;
		floored_mean(&answer.forecast, &request, mean);
		group_intervals(&answer.forecast, &request, request.horizon, first, mean, sum, lower, upper);
		for (int h = 0; h < request.horizon; h++)
		{
			Datum		values[9];
			bool		nulls[9] = {false};
			double		actual = whole.values[n + h];

			values[0] = TimestampGetDatum(time_of_step(&whole, n - 1));
			values[1] = Int32GetDatum(h + 1);
			values[2] = TimestampGetDatum(time_of_step(&whole, n + h));
			put_float(values, nulls, 3, actual);
			put_float(values, nulls, 4, mean[h]);
			put_float(values, nulls, 5, lower[h]);
			put_float(values, nulls, 6, upper[h]);
			put_float(values, nulls, 7, fabs(actual - mean[h]) / scale);
			put_text(values, nulls, 8, answer.name);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
		MemoryContextSwitchTo(work);
		MemoryContextDelete(each);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(work);
	PG_RETURN_NULL();
}

/*
 * From forecast tokens to what they will cost
 */

/* cost * count / of, cut off. */
static Money
scaled_cost(Money cost, int64 count, int64 of)
{
	Money		product;

	if (of == 0 || count == 0)
		return 0;
	if (__builtin_mul_overflow(cost / of, (Money) count, &product))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("a forecast cost is out of range")));
	return money_add(product, cost % of * count / of);
}

/*
 * project(mix, provider, model, service_tier, at, tokens)
 *
 * The tokens as the lines of a ledger that are of that model share them, meter
 * by meter and to the last token, all in the period of a time, at the rates
 * that the mix was priced by.  reprice() puts those of the time in their place.
 */
Datum
ledger_project(PG_FUNCTION_ARGS)
{
	Ledger	   *mix = ledger_arg(fcinfo, 0);
	Bytes		provider = packed_bytes(PG_GETARG_DATUM(1));
	Bytes		model = packed_bytes(PG_GETARG_DATUM(2));
	Bytes		tier = packed_bytes(PG_GETARG_DATUM(3));
	uint32		number[3] = {ledger_string_number(mix, provider), ledger_string_number(mix, model), ledger_string_number(mix, tier)};
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(4);
	TokenCounts tokens;
	Ledger	   *into = ledger_make(CurrentMemoryContext, mix->grain, mix->zone_name, mix->zone_len);
	Period		period = period_at(mix->grain, into->zone, at);
	uint32	   *ranks;
	uint32	   *sorted = ledger_sorted(mix, &ranks);
	uint32	   *chosen = palloc((mix->n_lines + 1) * sizeof(uint32));
	uint32		n_chosen = 0;
	int128		weight[N_METERS] = {0};
	int128		weight_so_far[N_METERS] = {0};
	MeterSet	rest;
	Meter		m;

	token_counts_read_any(PG_GETARG_DATUM(5), &tokens);
	for (uint32 i = 0; i < mix->n_lines; i++)
	{
		const LedgerLine *line = &mix->lines[sorted[i]];

		if (number[0] == 0 || line->key.provider != number[0] || number[1] == 0 || line->key.model != number[1] ||
			number[2] == 0 || line->key.service_tier != number[2] || line->key.side[CONTRACTED].unpriced == NO_TOKENS_REPORTED)
			continue;
		chosen[n_chosen++] = sorted[i];
		rest = line->tokens.reported;
		FOR_EACH_METER(m, rest)
			weight[m] += line->tokens.count[m];
	}
	rest = tokens.reported;
	FOR_EACH_METER(m, rest)
		if (tokens.count[m] > 0 && weight[m] == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the ledger has no %s of provider \"%.*s\", model \"%.*s\", service tier \"%.*s\" to take the mix of",
						meter_info[m].name, provider.len, provider.data, model.len, model.data, tier.len, tier.data)));
	/* so that a count times a weight is an int128 */
	for (m = 0; m < N_METERS; m++)
		if (weight[m] > PG_INT64_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("token count out of range")));

	for (uint32 i = 0; i < n_chosen; i++)
	{
		const LedgerLine *line = &mix->lines[chosen[i]];
		LedgerLine	new;
		bool		any = false;

		CHECK_FOR_INTERRUPTS();
		memset(&new, 0, sizeof(new));
		new.key = ledger_key(into, mix, &line->key);
		new.key.period = period.from;
		new.calls = line->calls;
		rest = line->tokens.reported & tokens.reported;
		FOR_EACH_METER(m, rest)
		{
			int128		before = weight[m] == 0 ? 0 : tokens.count[m] * weight_so_far[m] / weight[m];

			weight_so_far[m] += line->tokens.count[m];
			new.tokens.count[m] = (int64) ((weight[m] == 0 ? 0 : tokens.count[m] * weight_so_far[m] / weight[m]) - before);
			new.tokens.reported |= METER_BIT(m);
			any = any || new.tokens.count[m] > 0;
			for (int s = 0; s < N_SIDES; s++)
				if (line->key.side[s].unpriced == PRICED)
					new.cost[s][m] = scaled_cost(line->cost[s][m], new.tokens.count[m], line->tokens.count[m]);
		}
		if (!any)
			continue;
		for (int s = 0; s < N_SIDES; s++)
		{
			LineSide   *side = &new.key.side[s];

			if (side->unpriced != NO_RATE_FOR_METER)
				continue;
			for (m = 0; m < N_METERS; m++)
				if (new.tokens.count[m] == 0)
					side->lacking &= ~METER_BIT(m);

			/*
			 * what is left of the calls could be priced: by what, reprice()
			 * will say
			 */
			if (side->lacking == 0)
			{
				side->unpriced = NO_PRICE_AT_TIME;
				side->above = -1;
				side->up_to = PG_INT64_MAX;
			}
		}
		ledger_line_add(ledger_line(into, &new.key), &new);
	}
	return EOHPGetRWDatum(&into->hdr);
}
