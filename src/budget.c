/*-------------------------------------------------------------------------
 *
 * budget.c
 *	  A budget of an amount and of tokens: what was spent of it, when it is due,
 *	  what differs from it and why, and where spending by the weekday leads.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/float.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

SQL_FUNCTION(budget_totals);
SQL_FUNCTION(budget_variance);
SQL_FUNCTION(weekday_profile);
SQL_FUNCTION(phased_budget);
SQL_FUNCTION(weekday_forecast);
SQL_FUNCTION(projected_exhaustion);

/* Amounts are kept to as many decimals. */
#define AMOUNT_SCALE 12

#define DAYS_PER_WEEK 7

/* What an approximately normal figure exceeds in 2.5 % of the cases. */
#define NORMAL_97_5 1.959963984540054

static Datum
add(Datum a, Datum b)
{
	return DirectFunctionCall2(numeric_add, a, b);
}

static Datum
subtract(Datum a, Datum b)
{
	return DirectFunctionCall2(numeric_sub, a, b);
}

static Datum
rounded(Datum amount)
{
	return DirectFunctionCall1(numeric_trim_scale,
							   DirectFunctionCall2(numeric_round, amount, Int32GetDatum(AMOUNT_SCALE)));
}

static Datum
integer(int64 value)
{
	return NumericGetDatum(int64_to_numeric(value));
}

static bool
is_zero(Datum amount)
{
	return DatumGetBool(DirectFunctionCall2(numeric_eq, amount, integer(0)));
}

/* amount * part / whole, rounded */
static Datum
share_of(Datum amount, Datum part, Datum whole)
{
	/* the zeros make the quotient longer than what is kept of it */
	static const char zeros[] = "1.000000000000000000000000000000";
	Datum		one = DirectFunctionCall3(numeric_in, CStringGetDatum(zeros), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	Datum		product = DirectFunctionCall2(numeric_mul, amount, part);

	return rounded(DirectFunctionCall2(numeric_div, DirectFunctionCall2(numeric_mul, product, one), whole));
}

/*
 * budget_variance(actual_cost, actual, due, planned, planned_rates)
 *
 * With q tokens of a meter, p their rate, 0 the plan and 1 what happened:
 *
 *	  price		sum of q1 * (p1 - p0)
 *	  mix		sum of q1 * p0, less what as many tokens cost by the planned mix
 *	  volume	what as many tokens cost by the planned mix, less what is due
 *
 * of which each term but one is exact, and that one cancels: they add up to
 * actual_cost - due.
 */
Datum
budget_variance(PG_FUNCTION_ARGS)
{
	Datum		actual_cost;
	Datum		due;
	TokenCounts actual;
	int64		quantity;
	Datum		by_rates;		/* sum of q1 * p0 */
	Datum		by_mix;			/* the same of the planned mix */
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || (PG_ARGISNULL(3) && PG_ARGISNULL(4)))
		PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
	actual_cost = PG_GETARG_DATUM(0);
	token_counts_read(PG_GETARG_DATUM(1), &actual);
	due = PG_GETARG_DATUM(2);
	quantity = token_counts_sum(&actual, meters_of_side(SIDE_INPUT) | meters_of_side(SIDE_OUTPUT));

	if (PG_ARGISNULL(4))
	{
		/* one rate for all, the one that the amount and the tokens make */
		TokenCounts planned;
		int64		planned_quantity;

		token_counts_read(PG_GETARG_DATUM(3), &planned);
		planned_quantity = token_counts_sum(&planned, meters_of_side(SIDE_INPUT) | meters_of_side(SIDE_OUTPUT));
		if (PG_ARGISNULL(5) || planned_quantity == 0)
			PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
		by_rates = share_of(PG_GETARG_DATUM(5), integer(quantity), integer(planned_quantity));
		by_mix = by_rates;
	}
	else
	{
		RateCard	card;
		PricedRates rates;
		Money		cost;

		rate_card_read(PG_GETARG_DATUM(4), &card);
		rates_resolve(&card, &rates);
		if (!rates_cost(&rates, &actual, &cost))
			PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
		by_rates = NumericGetDatum(money_to_numeric(cost));
		by_mix = by_rates;
		if (!PG_ARGISNULL(3))
		{
			TokenCounts planned;
			int64		planned_quantity;

			token_counts_read(PG_GETARG_DATUM(3), &planned);
			planned_quantity = token_counts_sum(&planned, meters_of_side(SIDE_INPUT) | meters_of_side(SIDE_OUTPUT));
			if (!rates_cost(&rates, &planned, &cost))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("a meter of the planned tokens has no planned rate")));
			if (planned_quantity > 0)
				by_mix = share_of(NumericGetDatum(money_to_numeric(cost)), integer(quantity), integer(planned_quantity));
		}
	}
	values[0] = rounded(subtract(actual_cost, by_rates));
	values[1] = rounded(subtract(by_rates, by_mix));
	/* the rest, so that rounding is nobody's loss */
	values[2] = DirectFunctionCall1(numeric_trim_scale,
									subtract(subtract(subtract(actual_cost, due), values[0]), values[1]));
	memset(nulls, 0, sizeof(nulls));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/*
 * Weekdays: 0 is Monday.
 */

/* Day 0 of a date, 2000-01-01, was a Saturday. */
static int
weekday(DateADT day)
{
	int			w = (int) ((day + 5) % DAYS_PER_WEEK);

	return w < 0 ? w + DAYS_PER_WEEK : w;
}

static DateADT
date_arg(FunctionCallInfo fcinfo, int argno)
{
	DateADT		day = PG_GETARG_DATEADT(argno);

	if (DATE_NOT_FINITE(day))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("a day must be finite")));
	return day;
}

/* The elements of an array of numeric; an error where one is NULL. */
static Datum *
amounts_arg(FunctionCallInfo fcinfo, int argno, int *n)
{
	Datum	   *amounts;
	bool	   *nulls;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argno), NUMERICOID, -1, false, TYPALIGN_INT, &amounts, &nulls, n);
	for (int i = 0; i < *n; i++)
		if (nulls[i] || numeric_is_nan(DatumGetNumeric(amounts[i])) || numeric_is_inf(DatumGetNumeric(amounts[i])))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("amount %d is not a finite number", i + 1)));
	return amounts;
}

static Datum *
profile_arg(FunctionCallInfo fcinfo, int argno)
{
	int			n;
	Datum	   *profile = amounts_arg(fcinfo, argno, &n);

	if (n != DAYS_PER_WEEK)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a profile has an amount for each of the 7 days from Monday to Sunday, not %d", n)));
	return profile;
}

/* How many of the days from one up to, not including, another are which weekday. */
static void
count_weekdays(DateADT from, DateADT to, int64 count[DAYS_PER_WEEK])
{
	int64		days = to > from ? (int64) to - from : 0;

	for (int d = 0; d < DAYS_PER_WEEK; d++)
		count[(weekday(from) + d) % DAYS_PER_WEEK] = days / DAYS_PER_WEEK + (d < days % DAYS_PER_WEEK ? 1 : 0);
}

/* What a profile says of so many days of each weekday. */
static Datum
profile_sum(const Datum *profile, const int64 count[DAYS_PER_WEEK])
{
	Datum		sum = integer(0);

	for (int d = 0; d < DAYS_PER_WEEK; d++)
		sum = add(sum, DirectFunctionCall2(numeric_mul, profile[d], integer(count[d])));
	return sum;
}

/*
 * weekday_profile(amounts, first_day): what a Monday, ..., a Sunday has on
 * average; a weekday that is not among the days has the average of all days.
 */
Datum
weekday_profile(PG_FUNCTION_ARGS)
{
	int			n;
	Datum	   *amounts = amounts_arg(fcinfo, 0, &n);
	int			first = weekday(date_arg(fcinfo, 1));
	Datum		sum[DAYS_PER_WEEK];
	int64		count[DAYS_PER_WEEK] = {0};
	Datum		total = integer(0);
	Datum		profile[DAYS_PER_WEEK];

	if (n == 0)
		PG_RETURN_NULL();
	for (int d = 0; d < DAYS_PER_WEEK; d++)
		sum[d] = integer(0);
	for (int i = 0; i < n; i++)
	{
		int			d = (first + i) % DAYS_PER_WEEK;

		sum[d] = add(sum[d], amounts[i]);
		count[d]++;
	}
	for (int d = 0; d < DAYS_PER_WEEK; d++)
		total = add(total, sum[d]);
	for (int d = 0; d < DAYS_PER_WEEK; d++)
		profile[d] = count[d] > 0 ? share_of(sum[d], integer(1), integer(count[d])) :
			share_of(total, integer(1), integer(n));
	PG_RETURN_ARRAYTYPE_P(construct_array(profile, DAYS_PER_WEEK, NUMERICOID, -1, false, TYPALIGN_INT));
}

/*
 * phased_budget(amount, profile, first_day, end_day, until): what of an amount is
 * due before a day, where each day's share is that of its weekday.
 */
Datum
phased_budget(PG_FUNCTION_ARGS)
{
	Datum		amount = PG_GETARG_DATUM(0);
	Datum	   *profile = profile_arg(fcinfo, 1);
	DateADT		first = date_arg(fcinfo, 2);
	DateADT		end = date_arg(fcinfo, 3);
	DateADT		until = date_arg(fcinfo, 4);
	int64		count[DAYS_PER_WEEK];
	int64		due[DAYS_PER_WEEK];
	Datum		whole;

	if (first >= end)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a budget must end after it begins")));
	if (until >= end)
		PG_RETURN_DATUM(amount);
	for (int d = 0; d < DAYS_PER_WEEK; d++)
		if (DatumGetBool(DirectFunctionCall2(numeric_lt, profile[d], integer(0))))
			profile[d] = integer(0);	/* credits bring no budget back */
	until = Max(until, first);
	count_weekdays(first, end, count);
	count_weekdays(first, until, due);
	whole = profile_sum(profile, count);
	if (is_zero(whole))
	{
		/* nothing is known of the weekdays: each day the same */
		for (int d = 0; d < DAYS_PER_WEEK; d++)
			profile[d] = integer(1);
		whole = profile_sum(profile, count);
	}
	PG_RETURN_DATUM(share_of(amount, profile_sum(profile, due), whole));
}

/*
 * weekday_forecast(amounts, first_day, from_day, to_day)
 *
 * Each day to come is expected to be like its weekdays before.  The error of the
 * sum has two parts: what days differ from their weekday's mean, and what that
 * mean itself is off, which all days of the weekday share.
 */
Datum
weekday_forecast(PG_FUNCTION_ARGS)
{
	int			n;
	Datum	   *amounts = amounts_arg(fcinfo, 0, &n);
	int			first = weekday(date_arg(fcinfo, 1));
	DateADT		from = date_arg(fcinfo, 2);
	DateADT		to = date_arg(fcinfo, 3);
	float8	   *amount = palloc(Max(n, 1) * sizeof(float8));
	float8		mean[DAYS_PER_WEEK] = {0};
	int64		count[DAYS_PER_WEEK] = {0};
	int64		ahead[DAYS_PER_WEEK];
	float8		squares = 0;
	float8		expected = 0;
	float8		variance = 0;
	int			freedom = n;
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {false, true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	count_weekdays(from, to, ahead);
	for (int i = 0; i < n; i++)
	{
		amount[i] = DatumGetFloat8(DirectFunctionCall1(numeric_float8, amounts[i]));
		mean[(first + i) % DAYS_PER_WEEK] += amount[i];
		count[(first + i) % DAYS_PER_WEEK]++;
	}
	for (int d = 0; d < DAYS_PER_WEEK; d++)
	{
		if (ahead[d] > 0 && count[d] == 0)
			nulls[0] = true;
		if (count[d] == 0)
			continue;
		mean[d] /= count[d];
		freedom--;
		expected += ahead[d] * mean[d];
	}
	for (int i = 0; i < n; i++)
	{
		float8		difference = amount[i] - mean[(first + i) % DAYS_PER_WEEK];

		squares += difference * difference;
	}
	if (isnan(expected) || isinf(expected) || isnan(squares) || isinf(squares))
		float_overflow_error();
	values[0] = Float8GetDatum(expected);
	if (!nulls[0] && freedom > 0)
	{
		float8		of_day = squares / freedom;

		for (int d = 0; d < DAYS_PER_WEEK; d++)
			if (count[d] > 0)
				variance += of_day * (ahead[d] + (float8) ahead[d] * ahead[d] / count[d]);
		values[1] = Float8GetDatum(expected - NORMAL_97_5 * sqrt(variance));
		values[2] = Float8GetDatum(expected + NORMAL_97_5 * sqrt(variance));
		nulls[1] = nulls[2] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/*
 * projected_exhaustion(remaining, profile, from_day, end_day): the day on which
 * spending by the profile has used up what remains.
 */
Datum
projected_exhaustion(PG_FUNCTION_ARGS)
{
	Datum		remaining = PG_GETARG_DATUM(0);
	Datum	   *profile = profile_arg(fcinfo, 1);
	DateADT		from = date_arg(fcinfo, 2);
	DateADT		end = date_arg(fcinfo, 3);
	int64		first = from;
	int64		last;
	Datum		week;			/* what a week spends */
	Datum		most;			/* the most that it has spent on a day */

	if (numeric_is_nan(DatumGetNumeric(remaining)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("what remains of a budget must be a number")));
	if (!DatumGetBool(DirectFunctionCall2(numeric_gt, remaining, integer(0))))
		PG_RETURN_DATEADT(from);
	if (numeric_is_inf(DatumGetNumeric(remaining)) || from >= end)
		PG_RETURN_NULL();

	/*
	 * A week begins with so much, and has spent most on one of its days.
	 * While more than that remains it goes by whole; where a week spends
	 * nothing, only the first can be the one.
	 */
	week = most = integer(0);
	for (int d = 0; d < DAYS_PER_WEEK; d++)
	{
		week = add(week, profile[(weekday(from) + d) % DAYS_PER_WEEK]);
		if (DatumGetBool(DirectFunctionCall2(numeric_gt, week, most)))
			most = week;
	}
	last = Min((int64) end, (int64) from + 2 * DAYS_PER_WEEK);
	if (DatumGetBool(DirectFunctionCall2(numeric_gt, week, integer(0))) &&
		DatumGetBool(DirectFunctionCall2(numeric_gt, remaining, most)))
	{
		Datum		weeks = DirectFunctionCall2(numeric_div_trunc, subtract(remaining, most), week);

		if (DatumGetBool(DirectFunctionCall2(numeric_ge, weeks, integer(((int64) end - from) / DAYS_PER_WEEK + 1))))
			PG_RETURN_NULL();
		remaining = subtract(remaining, DirectFunctionCall2(numeric_mul, weeks, week));
		first = (int64) from + DatumGetInt64(DirectFunctionCall1(numeric_int8, weeks)) * DAYS_PER_WEEK;
		last = Min((int64) end, first + 2 * DAYS_PER_WEEK);
	}
	for (int64 day = first; day < last; day++)
	{
		remaining = subtract(remaining, profile[weekday(day)]);
		if (!DatumGetBool(DirectFunctionCall2(numeric_gt, remaining, integer(0))))
			PG_RETURN_DATEADT(day);
	}
	PG_RETURN_NULL();
}

/*
 * What was spent within scopes
 */

/* How far back the days go that tell what a weekday spends; budget_spend() reads them. */
#define PROFILE_DAYS 56

/* The columns of a budget_scope. */
enum
{
	SCOPE_DIMENSION,
	SCOPE_OWNER,
	SCOPE_PROVIDER,
	SCOPE_MODEL,
	SCOPE_CURRENCY,
	SCOPE_START,
	SCOPE_END,
	N_SCOPE_COLUMNS
};

/* The columns of a budget_line. */
enum
{
	LINE_DIMENSION,
	LINE_OWNER,
	LINE_PROVIDER,
	LINE_MODEL,
	LINE_CURRENCY,
	LINE_DAY,
	LINE_IS_DAY,
	LINE_COST,
	LINE_USAGE_COST,
	LINE_IS_LOST,
	LINE_TOKENS,
	LINE_CALLS,
	LINE_UNPRICED_TOKENS,
	N_LINE_COLUMNS
};

StaticAssertDecl((int) N_SCOPE_COLUMNS < (int) N_LINE_COLUMNS, "room for a line is room for a scope");

/* What a scope is of, as numbers of strings; 0: NULL. */
typedef struct ScopeKey
{
	uint32		dimension;
	uint32		owner;
	uint32		provider;
	uint32		model;
	uint32		currency;
} ScopeKey;

/* What was spent on a day, or in a month that begins with it. */
typedef struct SpendEntry
{
	DateADT		day;
	bool		is_day;
	bool		is_lost;		/* a cost is not known in the currency */
	Datum		cost;			/* numeric */
	Datum		usage_cost;
	TokenCounts tokens;
	int64		calls;
	int64		unpriced_tokens;
} SpendEntry;

/* A scope of at least one budget, and what lies within it. */
typedef struct Scope
{
	ScopeKey	key;
	SpendEntry *entries;		/* by day, of which there is one each once
								 * they are added up */
	int			n_entries;
	int			max_entries;
	bool		is_added_up;
} Scope;

/* The rows of an array of them. */
typedef struct RowReader
{
	TupleDesc	desc;
	Datum	   *rows;
	bool	   *nulls;
	int			n;
} RowReader;

static void
row_reader(FunctionCallInfo fcinfo, int argno, int n_columns, RowReader *reader)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(argno);

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &reader->rows, &reader->nulls, &reader->n);
	reader->desc = lookup_rowtype_tupdesc_copy(ARR_ELEMTYPE(array), -1);
	if (reader->desc->natts != n_columns)
		elog(ERROR, "type %s has %d columns", format_type_be(ARR_ELEMTYPE(array)), reader->desc->natts);
}

static void
row_read(const RowReader *reader, int i, Datum *values, bool *nulls)
{
	HeapTupleHeader row;
	HeapTupleData tuple;

	if (reader->nulls[i])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("an element of an array is null")));
	row = DatumGetHeapTupleHeader(reader->rows[i]);
	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	heap_deform_tuple(&tuple, reader->desc, values, nulls);
}

/* Both kinds of rows begin with what makes the key. */
static ScopeKey
scope_key(Ledger *names, const Datum *values, const bool *nulls)
{
	uint32		name[SCOPE_CURRENCY + 1];
	ScopeKey	key;

	for (int c = 0; c <= SCOPE_CURRENCY; c++)
	{
		name[c] = 0;
		if (!nulls[c])
		{
			Bytes		bytes = packed_bytes(values[c]);

			name[c] = ledger_string(names, bytes.data, bytes.len);
		}
	}
	key.dimension = name[SCOPE_DIMENSION];
	key.owner = name[SCOPE_OWNER];
	key.provider = name[SCOPE_PROVIDER];
	key.model = name[SCOPE_MODEL];
	key.currency = name[SCOPE_CURRENCY];
	return key;
}

static DateADT
row_date(const Datum *values, const bool *nulls, int column)
{
	if (nulls[column] || DATE_NOT_FINITE(DatumGetDateADT(values[column])))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("a day must be finite")));
	return DatumGetDateADT(values[column]);
}

static void
scope_append(Scope *scope, const SpendEntry *entry)
{
	if (scope->n_entries == scope->max_entries)
	{
		scope->max_entries = Max(16, 2 * scope->max_entries);
		scope->entries = scope->entries == NULL ?
			palloc_extended(scope->max_entries * sizeof(SpendEntry), MCXT_ALLOC_HUGE) :
			repalloc_huge(scope->entries, scope->max_entries * sizeof(SpendEntry));
	}
	scope->entries[scope->n_entries++] = *entry;
}

static void
entry_add(SpendEntry *into, const SpendEntry *entry)
{
	into->is_lost |= entry->is_lost;
	into->cost = add(into->cost, entry->cost);
	into->usage_cost = add(into->usage_cost, entry->usage_cost);
	token_counts_add(&into->tokens, &entry->tokens);
	if (pg_add_s64_overflow(into->calls, entry->calls, &into->calls) ||
		pg_add_s64_overflow(into->unpriced_tokens, entry->unpriced_tokens, &into->unpriced_tokens))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("bigint out of range")));
}

static int
compare_entries(const void *a, const void *b)
{
	const SpendEntry *x = a;
	const SpendEntry *y = b;

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return (int) x->is_day - (int) y->is_day;
}

/* One entry for each day: many budgets may be of the same scope. */
static void
scope_add_up(Scope *scope)
{
	int			n = 0;

	if (scope->is_added_up)
		return;
	if (scope->n_entries > 1)
		qsort(scope->entries, scope->n_entries, sizeof(SpendEntry), compare_entries);
	for (int i = 0; i < scope->n_entries; i++)
	{
		if (n > 0 && compare_entries(&scope->entries[n - 1], &scope->entries[i]) == 0)
			entry_add(&scope->entries[n - 1], &scope->entries[i]);
		else
			scope->entries[n++] = scope->entries[i];
	}
	scope->n_entries = n;
	scope->is_added_up = true;
}

/*
 * budget_totals(scopes, lines, today): what was spent within each scope's
 * period, and, where today is in it, on each of the days before today.
 *
 * A line is within up to four scopes: of its provider and model, of all models,
 * of all providers.  They are looked up by what they are of, so that the time
 * taken is that of the lines and of the scopes, not of their product.
 */
Datum
budget_totals(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DateADT		today = date_arg(fcinfo, 2);
	RowReader	reader;
	Datum		values[N_LINE_COLUMNS];
	bool		nulls[N_LINE_COLUMNS];
	Ledger	   *names = ledger_make(CurrentMemoryContext, GRAIN_QUARTER_HOUR, "UTC", 3);
	Datum		zero = integer(0);
	HASHCTL		ctl;
	HTAB	   *scopes;
	Scope	  **scope_of;
	DateADT    *start;
	DateADT    *end;
	int			n_scopes;

	row_reader(fcinfo, 0, N_SCOPE_COLUMNS, &reader);
	n_scopes = reader.n;
	ctl.keysize = sizeof(ScopeKey);
	ctl.entrysize = sizeof(Scope);
	ctl.hcxt = CurrentMemoryContext;
	scopes = hash_create("scopes of budgets", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	scope_of = palloc(Max(n_scopes, 1) * sizeof(Scope *));
	start = palloc(Max(n_scopes, 1) * sizeof(DateADT));
	end = palloc(Max(n_scopes, 1) * sizeof(DateADT));
	for (int i = 0; i < n_scopes; i++)
	{
		ScopeKey	key;
		bool		found;

		row_read(&reader, i, values, nulls);
		key = scope_key(names, values, nulls);
		scope_of[i] = hash_search(scopes, &key, HASH_ENTER, &found);
		if (!found)
			memset((char *) scope_of[i] + sizeof(ScopeKey), 0, sizeof(Scope) - sizeof(ScopeKey));
		start[i] = row_date(values, nulls, SCOPE_START);
		end[i] = row_date(values, nulls, SCOPE_END);
	}

	row_reader(fcinfo, 1, N_LINE_COLUMNS, &reader);
	for (int i = 0; i < reader.n; i++)
	{
		SpendEntry	entry = {0};
		ScopeKey	of_line;

		CHECK_FOR_INTERRUPTS();
		row_read(&reader, i, values, nulls);
		of_line = scope_key(names, values, nulls);
		entry.day = row_date(values, nulls, LINE_DAY);
		entry.is_day = !nulls[LINE_IS_DAY] && DatumGetBool(values[LINE_IS_DAY]);
		entry.is_lost = !nulls[LINE_IS_LOST] && DatumGetBool(values[LINE_IS_LOST]);
		entry.cost = nulls[LINE_COST] ? zero : values[LINE_COST];
		entry.usage_cost = nulls[LINE_USAGE_COST] ? zero : values[LINE_USAGE_COST];
		if (!nulls[LINE_TOKENS])
			token_counts_read(values[LINE_TOKENS], &entry.tokens);
		entry.calls = nulls[LINE_CALLS] ? 0 : DatumGetInt64(values[LINE_CALLS]);
		entry.unpriced_tokens = nulls[LINE_UNPRICED_TOKENS] ? 0 : DatumGetInt64(values[LINE_UNPRICED_TOKENS]);
		for (int p = 0; p < (of_line.provider != 0 ? 2 : 1); p++)
			for (int m = 0; m < (of_line.model != 0 ? 2 : 1); m++)
			{
				ScopeKey	key = of_line;
				Scope	   *scope;

				if (p > 0)
					key.provider = 0;
				if (m > 0)
					key.model = 0;
				scope = hash_search(scopes, &key, HASH_FIND, NULL);
				if (scope != NULL)
					scope_append(scope, &entry);
			}
	}

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n_scopes; i++)
	{
		Scope	   *scope = scope_of[i];
		bool		is_running = start[i] <= today && today < end[i];
		SpendEntry	sum = {0};
		Datum		amounts[PROFILE_DAYS];
		int			n_amounts = 0;	/* of the last days before today */
		Datum		result[9];
		bool		result_nulls[9] = {0};

		CHECK_FOR_INTERRUPTS();
		scope_add_up(scope);
		sum.cost = sum.usage_cost = zero;
		for (int d = 0; d < PROFILE_DAYS; d++)
			amounts[d] = zero;
		for (int e = 0; e < scope->n_entries; e++)
		{
			const SpendEntry *entry = &scope->entries[e];
			int64		days_ago = (int64) today - entry->day;

			if (entry->day >= start[i] && entry->day < end[i])
				entry_add(&sum, entry);
			if (is_running && entry->is_day && days_ago > 0 && days_ago <= PROFILE_DAYS)
			{
				amounts[PROFILE_DAYS - days_ago] = entry->cost;
				n_amounts = Max(n_amounts, days_ago);
			}
		}
		result[0] = Int32GetDatum(i + 1);
		result[1] = sum.cost;
		result_nulls[1] = sum.is_lost;
		result[2] = BoolGetDatum(sum.is_lost);
		result[3] = sum.usage_cost;
		result[4] = token_counts_datum(&sum.tokens);
		result[5] = Int64GetDatum(sum.calls);
		result[6] = Int64GetDatum(sum.unpriced_tokens);
		result_nulls[7] = result_nulls[8] = n_amounts == 0;
		if (n_amounts > 0)
		{
			result[7] = DateADTGetDatum(today - n_amounts);
			result[8] = PointerGetDatum(construct_array(amounts + PROFILE_DAYS - n_amounts, n_amounts,
														NUMERICOID, -1, false, TYPALIGN_INT));
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, result, result_nulls);
	}
	PG_RETURN_NULL();
}
