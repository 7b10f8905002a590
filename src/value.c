/*-------------------------------------------------------------------------
 *
 * value.c
 *	  What a token is worth: who is dominated by whom, how fast an answer
 *	  streams, and how sure a cost per success is.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "windowapi.h"

SQL_FUNCTION(on_frontier);
SQL_FUNCTION(dominated_by);
SQL_FUNCTION(interactivity);
SQL_FUNCTION(cost_per_success);

/*
 * The Pareto frontier
 *
 * A row dominates another where it is at least as good by every measure and
 * better by one.  Measures are compared exactly, as numeric, and then by rank
 * alone.  A row of which a measure is not known dominates nobody, and nobody
 * knows whether it is dominated.
 */

/* What is known of a row: the number of one that dominates it, or one of these. */
#define ON_FRONTIER (-1)
#define NOT_COMPARED (-2)

/* Of a partition, made at its first row; dominator[n_rows] follows. */
typedef struct Frontier
{
	bool		is_made;
	int64		dominator[FLEXIBLE_ARRAY_MEMBER];
} Frontier;

typedef struct Measure
{
	Datum		value;
	int64		row;
} Measure;

static int
compare_measures(const void *a, const void *b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, ((const Measure *) a)->value,
											 ((const Measure *) b)->value));
}

/* Ranks of the rows that are compared, and the number of measures. */
typedef struct Ranks
{
	int			n_measures;
	int32	   *rank;			/* [row][measure]; more is better */
} Ranks;

/* The best first: by the first measure, then the second, then the order of rows. */
static int
compare_ranks(const void *a, const void *b, void *arg)
{
	const Ranks *ranks = arg;
	int64		row_a = *(const int64 *) a;
	int64		row_b = *(const int64 *) b;

	for (int m = 0; m < ranks->n_measures; m++)
	{
		int32		x = ranks->rank[row_a * ranks->n_measures + m];
		int32		y = ranks->rank[row_b * ranks->n_measures + m];

		if (x != y)
			return x > y ? -1 : 1;
	}
	return row_a < row_b ? -1 : 1;
}

static bool
dominates(const Ranks *ranks, int64 a, int64 b)
{
	bool		better = false;

	for (int m = 0; m < ranks->n_measures; m++)
	{
		int32		x = ranks->rank[a * ranks->n_measures + m];
		int32		y = ranks->rank[b * ranks->n_measures + m];

		if (x < y)
			return false;
		better |= x > y;
	}
	return better;
}

/* Reads the measures of all rows; *values is [row][measure], NULL where one is unknown. */
static int
read_measures(WindowObject window, int argno, int64 n_rows, Datum **values)
{
	int			n_measures = -1;

	*values = NULL;
	for (int64 row = 0; row < n_rows; row++)
	{
		bool		is_null;
		bool		is_out;
		Datum		argument = WinGetFuncArgInPartition(window, argno, row, WINDOW_SEEK_HEAD, false,
														&is_null, &is_out);
		ArrayType  *array;
		Datum	   *elements;
		bool	   *nulls;
		int			n;
		bool		known = true;

		if (is_null || is_out)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("the measures of a row must not be a null array")));
		/* it may lie in the row, which the next one takes the place of */
		array = DatumGetArrayTypePCopy(argument);
		if (ARR_NDIM(array) > 1)
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("the measures of a row must be a one-dimensional array")));
		deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
		if (n == 0 || (n_measures >= 0 && n != n_measures))
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 n == 0 ? errmsg("a row needs at least one measure") :
					 errmsg("rows have different numbers of measures: %d and %d", n_measures, n)));
		if (n_measures < 0)
		{
			n_measures = n;
			*values = MemoryContextAllocHuge(CurrentMemoryContext, n_rows * n * sizeof(Datum));
		}
		for (int m = 0; m < n; m++)
			known &= !nulls[m] && !numeric_is_nan(DatumGetNumeric(elements[m]));
		for (int m = 0; m < n; m++)
			(*values)[row * n + m] = known ? elements[m] : (Datum) 0;
		CHECK_FOR_INTERRUPTS();
	}
	return n_measures;
}

/* Finds for each row of the partition one on the frontier that dominates it. */
static void
find_dominators(WindowObject window, int argno, int64 n_rows, int64 *dominator)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "pareto frontier",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Datum	   *values;
	Ranks		ranks;
	Measure    *column = MemoryContextAllocHuge(scratch, n_rows * sizeof(Measure));
	int64	   *order = MemoryContextAllocHuge(scratch, n_rows * sizeof(int64));
	int64	   *frontier = MemoryContextAllocHuge(scratch, n_rows * sizeof(int64));
	int64		n_known = 0;
	int64		n_frontier = 0;

	ranks.n_measures = read_measures(window, argno, n_rows, &values);
	ranks.rank = MemoryContextAllocHuge(scratch, n_rows * ranks.n_measures * sizeof(int32));
	for (int64 row = 0; row < n_rows; row++)
	{
		dominator[row] = NOT_COMPARED;
		if (values[row * ranks.n_measures] != (Datum) 0)
			order[n_known++] = row;
	}
	for (int m = 0; m < ranks.n_measures; m++)
	{
		int32		rank = 0;

		for (int64 i = 0; i < n_known; i++)
		{
			column[i].row = order[i];
			column[i].value = values[order[i] * ranks.n_measures + m];
		}
		qsort(column, n_known, sizeof(Measure), compare_measures);
		for (int64 i = 0; i < n_known; i++)
		{
			if (i > 0 && compare_measures(&column[i - 1], &column[i]) != 0)
				rank++;
			ranks.rank[column[i].row * ranks.n_measures + m] = rank;
		}
	}

	/* in this order no row is dominated by one that comes behind it */
	qsort_arg(order, n_known, sizeof(int64), compare_ranks, &ranks);
	for (int64 i = 0; i < n_known; i++)
	{
		int64		f = 0;

		CHECK_FOR_INTERRUPTS();
		while (f < n_frontier && !dominates(&ranks, frontier[f], order[i]))
			f++;
		if (f < n_frontier)
			dominator[order[i]] = frontier[f];
		else
		{
			dominator[order[i]] = ON_FRONTIER;
			frontier[n_frontier++] = order[i];
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* What is known of the current row. */
static int64
dominator_of_row(WindowObject window, int argno)
{
	int64		n_rows = WinGetPartitionRowCount(window);
	Frontier   *frontier = WinGetPartitionLocalMemory(window, offsetof(Frontier, dominator) +
													  n_rows * sizeof(int64));

	if (!frontier->is_made)
	{
		find_dominators(window, argno, n_rows, frontier->dominator);
		frontier->is_made = true;
	}
	return frontier->dominator[WinGetCurrentPosition(window)];
}

/* pareto(VARIADIC measures) OVER () */
Datum
on_frontier(PG_FUNCTION_ARGS)
{
	int64		dominator = dominator_of_row(PG_WINDOW_OBJECT(), 0);

	if (dominator == NOT_COMPARED)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(dominator == ON_FRONTIER);
}

/* dominated_by(label, VARIADIC measures) OVER () */
Datum
dominated_by(PG_FUNCTION_ARGS)
{
	WindowObject window = PG_WINDOW_OBJECT();
	int64		dominator = dominator_of_row(window, 1);
	bool		is_out;
	Datum		label;

	if (dominator < 0)
		PG_RETURN_NULL();
	label = WinGetFuncArgInPartition(window, 0, dominator, WINDOW_SEEK_HEAD, false,
									 &fcinfo->isnull, &is_out);
	return label;
}

/*
 * interactivity(visible_tokens, ttft, duration): tokens a second that a user
 * sees, after the first one; times in milliseconds.
 */
Datum
interactivity(PG_FUNCTION_ARGS)
{
	int64		visible_tokens = PG_GETARG_INT64(0);
	int32		ttft = PG_GETARG_INT32(1);
	int32		duration = PG_GETARG_INT32(2);

	if (visible_tokens < 0 || ttft < 0 || duration < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tokens and times must not be negative"),
				 errdetail("visible_tokens " INT64_FORMAT ", ttft %d, duration %d.",
						   visible_tokens, ttft, duration)));
	if (visible_tokens < 2 || duration <= ttft)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8((float8) (visible_tokens - 1) * 1000 / ((float8) duration - ttft));
}

/*
 * cost_per_success(trials, successes, cost, cost_squares, cost_of_successes)
 *
 * The cost of all trials over their successes, and where that of many more such
 * trials lies with 95 % confidence: Fieller's interval of a ratio of two means,
 * which knows that both vary and how they go together.  Where so few succeeded
 * that there might as well be none, the interval has no end.
 */
#define NORMAL_97_5 1.959963984540054

Datum
cost_per_success(PG_FUNCTION_ARGS)
{
	int64		trials = PG_GETARG_INT64(0);
	int64		successes = PG_GETARG_INT64(1);
	Datum		cost = PG_GETARG_DATUM(2);
	float8		n = (float8) trials;
	float8		square = NORMAL_97_5 * NORMAL_97_5;
	float8		mean_cost,
				mean_success,
				a,
				b,
				c,
				root;
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	if (trials < 0 || successes < 0 || successes > trials)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there cannot be " INT64_FORMAT " successes in " INT64_FORMAT " trials",
						successes, trials)));
	if (successes > 0)
	{
		values[0] = DirectFunctionCall1(numeric_trim_scale,
										DirectFunctionCall2(numeric_div, cost,
															NumericGetDatum(int64_to_numeric(successes))));
		nulls[0] = false;
	}
	if (successes > 0 && trials > 1)
	{
		float8		sum_cost = DatumGetFloat8(DirectFunctionCall1(numeric_float8, cost));
		float8		cost_squares = DatumGetFloat8(DirectFunctionCall1(numeric_float8, PG_GETARG_DATUM(3)));
		float8		cost_of_successes = DatumGetFloat8(DirectFunctionCall1(numeric_float8, PG_GETARG_DATUM(4)));

		mean_cost = sum_cost / n;
		mean_success = successes / n;
		/* each less what chance may make of it: (co)variances of the means */
		a = mean_success * mean_success - square * (mean_success - mean_success * mean_success) / (n - 1);
		b = mean_cost * mean_success - square * (cost_of_successes / n - mean_cost * mean_success) / (n - 1);
		c = mean_cost * mean_cost - square * (cost_squares / n - mean_cost * mean_cost) / (n - 1);
		root = b * b - a * c;
		if (a > 0 && root >= 0)
		{
			values[1] = Float8GetDatum(Max((b - sqrt(root)) / a, 0));
			values[2] = Float8GetDatum((b + sqrt(root)) / a);
			nulls[1] = nulls[2] = false;
		}
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
