/*-------------------------------------------------------------------------
 *
 * bill.c
 *	  Why the bill of priced calls changed from one period to another.
 *
 * The lines of ledgers are sorted by what was called, so that an item's two
 * sides lie beside each other, and their effects are added up by the columns
 * that are asked for.  Amounts are Money and counts integers: sums are exact.
 *
 * Nearly all effects are found by an estimate in long double whose error is
 * known: where that leaves no doubt about the last digit kept, it is taken.
 * The others are computed exactly, as bill_effects() does (bridge.c).
 *
 *-------------------------------------------------------------------------
 */
#include "ledger.h"

#include <float.h>
#include <math.h>

#include "bridge.h"
#include "catalog/pg_type.h"
#include "decimal.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "ratio.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

SQL_FUNCTION(bill_contributions);
SQL_FUNCTION(bill_driver_effects);
SQL_FUNCTION(bill_condense);

/* Money of EFFECT_SCALE decimals is a multiple of this. */
#define EFFECT_UNIT 1000

StaticAssertDecl(MONEY_SCALE == EFFECT_SCALE + 3, "the unit of effects");

/* The relative error of an estimate of a few operations, none of which cancels. */
#define ESTIMATE_ERROR (32 * LDBL_EPSILON)

/* A line of a ledger.  Names are numbers in the order of their bytes; 0: NULL. */
typedef struct BillLine
{
	uint32		provider;
	uint32		model;
	uint32		service_tier;
	uint32		label;
	Currency	currency;
	int64		above;
	int64		n;				/* the number of its period */
	TimestampTz period;
	bool		off_peak;
	const LedgerLine *line;
	Money	   *converted;		/* its costs, by meter; NULL: as they are */
} BillLine;

/* A model, with its tier and currency, in a period: new and gone is said of it. */
typedef struct ModelPeriod
{
	int64		n;
	int128		tokens[3];		/* by unit */
} ModelPeriod;

/* The lines of an item in a period: one for each label. */
typedef struct ItemPeriod
{
	int64		n;
	const BillLine *from;
	const BillLine *to;
} ItemPeriod;

/* Totals of what is there in two periods, in the unit of a meter. */
typedef struct TotalKey
{
	int64		distance;
	int64		n;
	Currency	currency;
} TotalKey;

typedef struct Total
{
	TotalKey	key;
	int128		tokens[2][3];
} Total;

/* An exchange rate, and what has been converted at it so far. */
typedef struct RateKey
{
	int64		n;
	TimestampTz period;
	Currency	currency;
} RateKey;

typedef struct RateEntry
{
	RateKey		key;
	Numeric		rate;			/* NULL: none, nor is one needed */
	bool		is_inverse;
	Numeric		charged;		/* what comes before the calls */
	Money		up_to;
	Numeric		converted;		/* of all that */
} RateEntry;

/* A row of the result. */
typedef struct GroupKey
{
	int64		distance;
	int64		n;
	Currency	currency;
	uint32		provider;
	uint32		model;
	uint32		service_tier;
	uint32		label;
	uint64		meter;			/* its number + 1 */
} GroupKey;

typedef struct BillGroup
{
	GroupKey	key;
	int128		tokens[2];
	Money		spend[2];
	Money		effect[N_EFFECTS];
} BillGroup;

typedef struct Bill
{
	Ledger	   *names;			/* for its strings */
	uint32	   *string;			/* of a name: the string of it */
	BillLine   *lines;
	uint32		n_lines;
	int64		first;			/* what is compared lies from here */
	int64		last;			/* to here */
	int		   *distances;
	int			n_distances;
	Currency	currency;		/* all that can be is converted to it; zeros:
								 * nothing is */
	HTAB	   *rates;
	HTAB	   *totals;
	MemoryContext scratch;
} Bill;

static HTAB *
make_table(const char *name, Size key_size, Size entry_size)
{
	HASHCTL		ctl;

	ctl.keysize = key_size;
	ctl.entrysize = entry_size;
	ctl.hcxt = CurrentMemoryContext;
	return hash_create(name, 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Units in which meters are counted: what is not tokens adds up with itself alone. */
static inline int
unit_of(Meter meter)
{
	return meter_info[meter].side != SIDE_NONE ? 0 : meter == METER_TOOL_CALLS ? 1 : 2;
}

/*
 * Arguments
 */

static int
array_arg(FunctionCallInfo fcinfo, int argno, Datum **values, bool **nulls)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(argno);
	int16		len;
	bool		by_value;
	char		align;
	int			n;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &len, &by_value, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), len, by_value, align, values, nulls, &n);
	return n;
}

static NO_RETURN void
null_element(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("an element of an array is null")));
}

static void
check_lengths(int n, int expected)
{
	if (n != expected)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("arrays that belong together have %d and %d elements", expected, n)));
}

static int
integer_array_arg(FunctionCallInfo fcinfo, int argno, int **values)
{
	Datum	   *datums;
	bool	   *nulls;
	int			n = array_arg(fcinfo, argno, &datums, &nulls);

	*values = palloc(Max(n, 1) * sizeof(int));
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			null_element();
		(*values)[i] = DatumGetInt32(datums[i]);
	}
	return n;
}

static Currency
currency_arg(Datum name)
{
	Bytes		bytes = packed_bytes(name);
	Currency	currency;

	if (!currency_read(bytes.data, bytes.len, &currency))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid currency \"%.*s\"", bytes.len, bytes.data),
				 errdetail("A currency is 3 to 8 capital letters, digits and underscores, such as \"USD\".")));
	return currency;
}

static int
compare_names(const void *a, const void *b, void *arg)
{
	const Ledger *names = arg;
	const LedgerString *x = &names->strings[*(const uint32 *) a];
	const LedgerString *y = &names->strings[*(const uint32 *) b];
	int			order = memcmp(x->data, y->data, Min(x->len, y->len));

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static int
compare_lines(const void *a, const void *b)
{
	const BillLine *x = a;
	const BillLine *y = b;

#define COMPARE(field) if (x->field != y->field) return x->field < y->field ? -1 : 1
	COMPARE(provider);
	COMPARE(model);
	COMPARE(service_tier);
	if (!currency_equal(&x->currency, &y->currency))
		return memcmp(&x->currency, &y->currency, sizeof(Currency));
	COMPARE(above);
	COMPARE(off_peak);
	COMPARE(n);
	COMPARE(label);
	COMPARE(period);
#undef COMPARE
	return 0;
}

static inline bool
same_model(const BillLine *x, const BillLine *y)
{
	return x->provider == y->provider && x->model == y->model && x->service_tier == y->service_tier &&
		currency_equal(&x->currency, &y->currency);
}

static inline bool
same_item(const BillLine *x, const BillLine *y)
{
	return x->above == y->above && x->off_peak == y->off_peak && same_model(x, y);
}

/*
 * Reads the priced lines of ledgers: argument 0, and in argument 1 the number of
 * each one's period; or none, where its periods are months, numbered 12 x year
 * + month - 1.  Sorts them by item, period and label.
 */
static void
read_lines(FunctionCallInfo fcinfo, Bill *bill)
{
	Datum	   *ledgers;
	bool	   *nulls;
	int		   *numbers;
	int			n_ledgers = array_arg(fcinfo, 0, &ledgers, &nulls);
	int			n_numbers = integer_array_arg(fcinfo, 1, &numbers);
	Ledger	  **read = palloc(Max(n_ledgers, 1) * sizeof(Ledger *));
	uint32		n = 0;
	uint32	   *sorted;
	uint32	   *rank;

	if (n_numbers > 0)
		check_lengths(n_numbers, n_ledgers);
	for (int i = 0; i < n_ledgers; i++)
	{
		read[i] = nulls[i] ? NULL :
			ledger_read(CurrentMemoryContext, (bytea *) PG_DETOAST_DATUM(ledgers[i]));
		if (read[i] != NULL)
			n += read[i]->n_lines;
	}
	bill->lines = MemoryContextAllocHuge(CurrentMemoryContext, Max(n, 1) * sizeof(BillLine));
	bill->names = ledger_make(CurrentMemoryContext, GRAIN_QUARTER_HOUR, "UTC", 3);
	for (int i = 0; i < n_ledgers; i++)
	{
		const Ledger *ledger = read[i];
		uint32	   *name;
		TimestampTz period = 0;
		int64		number = n_numbers > 0 ? numbers[i] : PG_INT64_MIN;

		if (ledger == NULL)
			continue;
		name = palloc0(ledger->n_strings * sizeof(uint32));
		for (uint32 s = 1; s < ledger->n_strings; s++)
			name[s] = ledger_string(bill->names, ledger->strings[s].data, ledger->strings[s].len);
		for (uint32 j = 0; j < ledger->n_lines; j++)
		{
			const LedgerLine *line = &ledger->lines[j];
			const LineSide *side = &line->key.side[CONTRACTED];
			BillLine   *to = &bill->lines[bill->n_lines];

			if (side->unpriced != PRICED || line->tokens.reported == 0)
				continue;
			if (n_numbers == 0 && (number == PG_INT64_MIN || period != line->key.period))
			{
				struct pg_tm tm;
				fsec_t		fsec;
				int			offset;

				period = line->key.period;
				if (timestamp2tm(period, &offset, &tm, &fsec, NULL, ledger->zone) != 0)
					ereport(ERROR,
							(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
							 errmsg("timestamp out of range")));
				number = (int64) tm.tm_year * MONTHS_PER_YEAR + tm.tm_mon - 1;
			}
			to->provider = name[line->key.provider];
			to->model = name[line->key.model];
			to->service_tier = name[line->key.service_tier];
			to->label = name[line->key.label];
			to->currency = side->currency;
			to->above = side->above;
			to->off_peak = side->off_peak;
			to->n = number;
			to->period = line->key.period;
			to->line = line;
			to->converted = NULL;
			bill->n_lines++;
		}
	}

	/* numbers in the order of the names */
	n = bill->names->n_strings;
	sorted = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE);
	rank = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (uint32 s = 0; s < n; s++)
		sorted[s] = s;
	qsort_arg(sorted + 1, n - 1, sizeof(uint32), compare_names, bill->names);
	for (uint32 s = 0; s < n; s++)
		rank[sorted[s]] = s;
	for (uint32 i = 0; i < bill->n_lines; i++)
	{
		BillLine   *line = &bill->lines[i];

		line->provider = rank[line->provider];
		line->model = rank[line->model];
		line->service_tier = rank[line->service_tier];
		line->label = rank[line->label];
	}
	bill->string = sorted;
	qsort(bill->lines, bill->n_lines, sizeof(BillLine), compare_lines);
}

/* An amount with at most MONEY_SCALE decimals. */
static Money
money_of(Numeric amount)
{
	char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(amount)));
	bool		is_negative = digits[0] == '-';
	Money		money;

	if (!money_read(digits + is_negative, &money))
		money_out_of_range();
	return is_negative ? -money : money;
}

/*
 * Converts the costs of all lines that are in a currency with rates: of a
 * period, what all up to one are when converted, less what those before it are.
 * They add up to what their sum is when converted.
 */
static void
convert_lines(Bill *bill)
{
	for (uint32 i = 0; i < bill->n_lines; i++)
	{
		BillLine   *line = &bill->lines[i];
		RateKey		key = {line->n, line->period, line->currency};
		RateEntry  *entry = hash_search(bill->rates, &key, HASH_FIND, NULL);
		MeterSet	rest = line->line->tokens.reported;
		Meter		m;

		CHECK_FOR_INTERRUPTS();
		if (entry == NULL)
			continue;
		line->converted = palloc0(N_METERS * sizeof(Money));
		if (entry->rate == NULL)
			continue;
		FOR_EACH_METER(m, rest)
		{
			MemoryContext old;
			Numeric		converted;

			MemoryContextReset(bill->scratch);
			old = MemoryContextSwitchTo(bill->scratch);
			entry->up_to = money_add(entry->up_to, line->line->cost[CONTRACTED][m]);
			converted = exchange(call_numeric(numeric_add, entry->charged, money_to_numeric(entry->up_to)),
								 entry->rate, entry->is_inverse);
			line->converted[m] = money_of(call_numeric(numeric_sub, converted, entry->converted));
			MemoryContextSwitchTo(old);
			pfree(entry->converted);
			entry->converted = DatumGetNumericCopy(NumericGetDatum(converted));
		}
	}
}

/* Several lines of one label of an item in a period are one. */
static void
merge_lines(Bill *bill)
{
	uint32		n = 0;

	for (uint32 i = 0; i < bill->n_lines; i++)
	{
		const BillLine *line = &bill->lines[i];
		BillLine   *into = n > 0 ? &bill->lines[n - 1] : NULL;

		if (into != NULL && into->label == line->label && into->n == line->n && same_item(into, line))
		{
			LedgerLine *sum = palloc(sizeof(LedgerLine));

			*sum = *into->line;
			ledger_line_add(sum, line->line);
			into->line = sum;
			if (into->converted != NULL)
				for (int m = 0; m < N_METERS; m++)
					into->converted[m] = money_add(into->converted[m], line->converted[m]);
		}
		else
			bill->lines[n++] = *line;
	}
	bill->n_lines = n;
}

/* Whether the amounts of a line are in another currency than its own. */
static inline bool
is_converted(const BillLine *line)
{
	return line->converted != NULL;
}

static inline Currency
effect_currency(const Bill *bill, const BillLine *line)
{
	return is_converted(line) ? bill->currency : line->currency;
}

/*
 * Totals
 */

static int
compare_model_periods(const void *a, const void *b)
{
	int64		x = ((const ModelPeriod *) a)->n;
	int64		y = ((const ModelPeriod *) b)->n;

	return x < y ? -1 : x > y;
}

/* The periods in which a model is there, in their order. */
static ModelPeriod *
model_periods(const BillLine *lines, uint32 n_lines, int *n_periods)
{
	ModelPeriod *periods = palloc_extended(n_lines * sizeof(ModelPeriod), MCXT_ALLOC_HUGE);
	int			n = 0;

	for (uint32 i = 0; i < n_lines; i++)
	{
		const TokenCounts *tokens = &lines[i].line->tokens;
		MeterSet	rest = tokens->reported;
		Meter		m;

		memset(&periods[i], 0, sizeof(ModelPeriod));
		periods[i].n = lines[i].n;
		FOR_EACH_METER(m, rest)
			periods[i].tokens[unit_of(m)] += tokens->count[m];
	}
	qsort(periods, n_lines, sizeof(ModelPeriod), compare_model_periods);
	for (uint32 i = 0; i < n_lines; i++)
	{
		if (n > 0 && periods[n - 1].n == periods[i].n)
			for (int u = 0; u < 3; u++)
				periods[n - 1].tokens[u] += periods[i].tokens[u];
		else
			periods[n++] = periods[i];
	}
	*n_periods = n;
	return periods;
}

static const ModelPeriod *
find_period(const ModelPeriod *periods, int n_periods, int64 n)
{
	int			from = 0;
	int			to = n_periods;

	while (from < to)
	{
		int			middle = (from + to) / 2;

		if (periods[middle].n < n)
			from = middle + 1;
		else
			to = middle;
	}
	return from < n_periods && periods[from].n == n ? &periods[from] : NULL;
}

static Total *
total_of(Bill *bill, int64 distance, int64 n, Currency currency)
{
	TotalKey	key = {distance, n, currency};
	bool		found;
	Total	   *total = hash_search(bill->totals, &key, HASH_ENTER, &found);

	if (!found)
		memset(total->tokens, 0, sizeof(total->tokens));
	return total;
}

/* The end of the lines of a model, or of an item, that begin at a line. */
static uint32
end_of(const Bill *bill, uint32 from, bool (*same) (const BillLine *, const BillLine *))
{
	uint32		to = from + 1;

	while (to < bill->n_lines && same(&bill->lines[from], &bill->lines[to]))
		to++;
	return to;
}

/* Adds up what models are there in both periods: of all of them the price is known. */
static void
add_totals(Bill *bill)
{
	for (uint32 from = 0, to; from < bill->n_lines; from = to)
	{
		Currency	currency = effect_currency(bill, &bill->lines[from]);
		int			n_periods;
		ModelPeriod *periods;

		CHECK_FOR_INTERRUPTS();
		to = end_of(bill, from, same_model);
		periods = model_periods(&bill->lines[from], to - from, &n_periods);
		for (int d = 0; d < bill->n_distances; d++)
			for (int i = 0; i < n_periods; i++)
			{
				const ModelPeriod *base = find_period(periods, n_periods, periods[i].n - bill->distances[d]);
				Total	   *total;

				if (base == NULL)
					continue;
				total = total_of(bill, bill->distances[d], periods[i].n, currency);
				for (int u = 0; u < 3; u++)
				{
					total->tokens[0][u] += base->tokens[u];
					total->tokens[1][u] += periods[i].tokens[u];
				}
			}
		pfree(periods);
	}
}

/*
 * The two sides of an item
 */

/* Calls fn for an item's lines in each two periods that are a distance apart. */
typedef void (*PairFn) (Bill *bill, const ItemPeriod *base, const ItemPeriod *current,
						int64 distance, int64 n, void *arg);

static int
item_periods(const BillLine *from, const BillLine *to, ItemPeriod *periods)
{
	int			n = 0;

	for (; from < to; from++)
	{
		if (n == 0 || periods[n - 1].n != from->n)
		{
			periods[n].n = from->n;
			periods[n++].from = from;
		}
		periods[n - 1].to = from + 1;
	}
	return n;
}

static void
each_pair(Bill *bill, const ItemPeriod *periods, int n_periods, PairFn fn, void *arg)
{
	for (int d = 0; d < bill->n_distances; d++)
	{
		int64		distance = bill->distances[d];

		for (int i = 0, j = 0; i < n_periods || j < n_periods;)
		{
			int64		n_1 = i < n_periods ? periods[i].n : PG_INT64_MAX;
			int64		n_0 = j < n_periods ? periods[j].n + distance : PG_INT64_MAX;
			int64		n = Min(n_0, n_1);

			if (n >= bill->first + distance && n <= bill->last)
				fn(bill, n == n_0 ? &periods[j] : NULL, n == n_1 ? &periods[i] : NULL, distance, n, arg);
			i += n == n_1;
			j += n == n_0;
		}
	}
}

/*
 * Effects
 */

/* What there is of an item, or of a part of one, at one of the two times. */
typedef struct ExactSide
{
	int128		quantity;
	Money		cost;
	Money		converted;		/* cost in the currency of the effects */
} ExactSide;

typedef struct ExactItem
{
	ExactSide	part[2];
	ExactSide	item[2];
	int128		total[2];
	bool		is_there[2];
	bool		is_part;
	bool		is_converted;
} ExactItem;

/* a * b - c * d; false where it is too large. */
static inline bool
cross_difference(int128 a, int128 b, int128 c, int128 d, int128 *result)
{
	int128		ab;
	int128		cd;

	return !__builtin_mul_overflow(a, b, &ab) && !__builtin_mul_overflow(c, d, &cd) &&
		!__builtin_sub_overflow(ab, cd, result);
}

/* An estimate of a number of units, and by how much it may be wrong. */
typedef struct Estimate
{
	long double value;
	long double error;
} Estimate;

static inline bool
round_estimate(const Estimate *estimate, Money *amount)
{
	long double units = roundl(estimate->value);

	if (!(fabsl(units) < 1e18L) || fabsl(estimate->value - units) + estimate->error >= 0.5L)
		return false;
	*amount = (Money) (int64) units * EFFECT_UNIT;
	return true;
}

/*
 * One factor of a product of three: what it does, of its change and the two
 * others at both times (Shapley).
 */
static inline Estimate
factor_effect(long double change, const long double *a, const long double *b)
{
	Estimate	result;

	result.value = change == 0 ? 0 :
		change * ((2 * a[0] * b[0] + a[0] * b[1]) + (a[1] * b[0] + 2 * a[1] * b[1])) / (6 * EFFECT_UNIT);
	result.error = fabsl(result.value) * ESTIMATE_ERROR;
	return result;
}

/*
 * The effects of volume, mix and price as split_shapley() has them, where the
 * estimates leave no doubt; false where they do.  Each difference is exact and
 * all else is multiplied or of one sign, so that no digits are lost.
 */
static bool
split_by_estimate(const ExactItem *bill, Money *effect)
{
	const ExactSide *item = bill->item;
	const ExactSide *part = bill->part;
	Money		change = part[1].converted - part[0].converted;
	long double volume[2];
	long double share[2];
	long double price[2];
	long double share_change = 0;
	long double price_change = 0;
	int128		difference;
	Estimate	estimate[3];
	int			largest = 0;
	Money		rest = change;

	if (bill->is_converted || item[0].cost < 0 || item[1].cost < 0)
		return false;
	for (int t = 0; t < 2; t++)
		volume[t] = (long double) bill->total[t];
	if (bill->total[0] == 0 || bill->total[1] == 0)
	{
		int			seen = bill->total[1] == 0 ? 0 : 1;

		share[0] = share[1] = part[seen].quantity == 0 ? 0 : (long double) part[seen].quantity / volume[seen];
	}
	else
	{
		if (!cross_difference(part[1].quantity, bill->total[0], part[0].quantity, bill->total[1], &difference))
			return false;
		for (int t = 0; t < 2; t++)
			share[t] = (long double) part[t].quantity / volume[t];
		share_change = (long double) difference / (volume[0] * volume[1]);
	}
	if (item[0].quantity == 0 || item[1].quantity == 0)
	{
		int			seen = item[1].quantity == 0 ? 0 : 1;

		price[0] = price[1] = item[seen].cost == 0 ? 0 : (long double) item[seen].cost / (long double) item[seen].quantity;
	}
	else
	{
		if (!cross_difference(item[1].cost, item[0].quantity, item[0].cost, item[1].quantity, &difference))
			return false;
		for (int t = 0; t < 2; t++)
			price[t] = (long double) item[t].cost / (long double) item[t].quantity;
		price_change = (long double) difference / ((long double) item[0].quantity * (long double) item[1].quantity);
	}
	estimate[EFFECT_VOLUME] = factor_effect((long double) (bill->total[1] - bill->total[0]), share, price);
	estimate[EFFECT_MIX] = factor_effect(share_change, volume, price);
	estimate[EFFECT_PRICE] = factor_effect(price_change, volume, share);

	/* what the part paid above the price of its item, or below it, is price */
	for (int t = 0; bill->is_part && t < 2; t++)
	{
		long double excess;

		if (!cross_difference(part[t].cost, item[t].quantity, item[t].cost, part[t].quantity, &difference))
			return false;
		if (difference == 0)
			continue;
		excess = (long double) difference / (long double) item[t].quantity / EFFECT_UNIT;
		estimate[EFFECT_PRICE].value += t == 1 ? excess : -excess;
		estimate[EFFECT_PRICE].error += fabsl(excess) * 2 * ESTIMATE_ERROR;
	}

	/* the first of the largest takes the rest, as in close_effects() */
	for (int i = 1; i < 3; i++)
	{
		long double larger = fabsl(estimate[i].value) - fabsl(estimate[largest].value);

		if (fabsl(larger) <= estimate[i].error + estimate[largest].error &&
			(estimate[i].error > 0 || estimate[largest].error > 0))
		{
			/* two that cancel each other out are alike */
			if (change != 0 || estimate[3 - i - largest].value != 0 || estimate[3 - i - largest].error != 0)
				return false;
		}
		else if (larger > 0)
			largest = i;
	}
	for (int i = 0; i < 3; i++)
	{
		if (i == largest)
			continue;
		if (!round_estimate(&estimate[i], &effect[i]))
			return false;
		rest -= effect[i];
	}
	effect[largest] = rest;
	return true;
}

static Numeric
count_to_numeric(int128 count)
{
	if (count >= PG_INT64_MIN && count <= PG_INT64_MAX)
		return int64_to_numeric((int64) count);
	return call_numeric(numeric_mul, money_to_numeric(count), power_of_ten(MONEY_SCALE));
}

static void
side_to_numeric(const ExactSide *from, bool is_there, BillSide *to)
{
	to->cost = money_to_numeric(from->cost);
	to->quantity = count_to_numeric(from->quantity);
	to->converted = money_to_numeric(from->converted);
	to->is_there = is_there;
}

static void
split_exactly(Bill *bill, const ExactItem *item, Money *effect)
{
	MemoryContext old;
	BillItem	numeric;
	Numeric		split[N_EFFECTS];

	MemoryContextReset(bill->scratch);
	old = MemoryContextSwitchTo(bill->scratch);
	for (int t = 0; t < 2; t++)
	{
		side_to_numeric(&item->part[t], item->is_there[t], &numeric.part[t]);
		side_to_numeric(&item->item[t], item->is_there[t], &numeric.item[t]);
		numeric.total[t] = count_to_numeric(item->total[t]);
	}
	numeric.is_part = item->is_part;
	numeric.is_converted = item->is_converted &&
		(item->item[0].cost != item->item[0].converted || item->item[1].cost != item->item[1].converted);
	split_shapley(&numeric, split);
	for (int k = 0; k < N_EFFECTS; k++)
		effect[k] = money_of(split[k]);
	MemoryContextSwitchTo(old);
}

static void
split_item(Bill *bill, const ExactItem *item, Money *effect)
{
	memset(effect, 0, N_EFFECTS * sizeof(Money));
	if (!item->is_there[0] || !item->is_there[1])
	{
		effect[EFFECT_NEW] = item->part[1].converted;
		effect[EFFECT_DISCONTINUED] = -item->part[0].converted;
	}
	else if (!split_by_estimate(item, effect))
		split_exactly(bill, item, effect);
}

/*
 * Contributions, by group
 */

#define BY_PROVIDER 1
#define BY_MODEL 2
#define BY_SERVICE_TIER 4
#define BY_METER 8
#define BY_LABEL 16

static const char *const group_column[] = {"provider", "model", "service_tier", "meter", "label"};

typedef struct Contributions
{
	int			group_by;		/* BY_... */
	HTAB	   *groups;
	const ModelPeriod *periods; /* of the model at hand */
	int			n_periods;
} Contributions;

static BillGroup *
group_of(Contributions *to, const GroupKey *key)
{
	bool		found;
	BillGroup  *group = hash_search(to->groups, key, HASH_ENTER, &found);

	if (!found)
		memset((char *) group + sizeof(GroupKey), 0, sizeof(BillGroup) - sizeof(GroupKey));
	return group;
}

static inline void
side_add(ExactSide *side, const BillLine *line, Meter meter)
{
	if (line == NULL || !(line->line->tokens.reported & METER_BIT(meter)))
		return;
	side->quantity += line->line->tokens.count[meter];
	side->cost = money_add(side->cost, line->line->cost[CONTRACTED][meter]);
	side->converted = money_add(side->converted,
								is_converted(line) ? line->converted[meter] : line->line->cost[CONTRACTED][meter]);
}

static inline bool
reports(const BillLine *line, Meter meter)
{
	return line != NULL && (line->line->tokens.reported & METER_BIT(meter));
}

static void
add_contributions(Bill *bill, const ItemPeriod *base, const ItemPeriod *current, int64 distance, int64 n, void *arg)
{
	Contributions *to = arg;
	const ItemPeriod *side[2] = {base, current};
	const BillLine *any = (current != NULL ? current : base)->from;
	const Total *total = NULL;
	GroupKey	key = {0};
	BillGroup  *group = NULL;
	uint32		group_label = 0;
	MeterSet	meters = 0;
	Meter		meter;
	ExactItem	item;

	key.distance = distance;
	key.n = n;
	key.currency = effect_currency(bill, any);
	if (to->group_by & BY_PROVIDER)
		key.provider = any->provider;
	if (to->group_by & BY_MODEL)
		key.model = any->model;
	if (to->group_by & BY_SERVICE_TIER)
		key.service_tier = any->service_tier;
	item.is_there[0] = find_period(to->periods, to->n_periods, n - distance) != NULL;
	item.is_there[1] = find_period(to->periods, to->n_periods, n) != NULL;
	item.is_converted = is_converted(any);
	if (item.is_there[0] && item.is_there[1])
		total = total_of(bill, distance, n, key.currency);
	for (int t = 0; t < 2; t++)
		for (const BillLine *l = side[t] ? side[t]->from : NULL; l != NULL && l < side[t]->to; l++)
			meters |= l->line->tokens.reported;

	FOR_EACH_METER(meter, meters)
	{
		const BillLine *next[2];
		Money		before[N_EFFECTS] = {0};

		memset(item.part, 0, sizeof(item.part));
		memset(item.item, 0, sizeof(item.item));
		for (int t = 0; t < 2; t++)
		{
			next[t] = side[t] ? side[t]->from : NULL;
			for (const BillLine *l = next[t]; l != NULL && l < side[t]->to; l++)
				side_add(&item.item[t], l, meter);
			item.total[t] = total == NULL ? 0 : total->tokens[t][unit_of(meter)];
		}
		if (to->group_by & BY_METER)
			key.meter = meter + 1;

		/*
		 * label by label: what all up to one did, less what those before it
		 * did
		 */
		for (;;)
		{
			const BillLine *line[2];
			ExactSide	part[2];
			Money		effect[N_EFFECTS];
			uint32		label = PG_UINT32_MAX;

			for (int t = 0; t < 2; t++)
				if (next[t] != NULL && next[t] < side[t]->to)
					label = Min(label, next[t]->label);
			if (label == PG_UINT32_MAX)
				break;
			for (int t = 0; t < 2; t++)
				line[t] = next[t] != NULL && next[t] < side[t]->to && next[t]->label == label ? next[t]++ : NULL;
			if (!reports(line[0], meter) && !reports(line[1], meter))
				continue;
			memcpy(part, item.part, sizeof(part));
			for (int t = 0; t < 2; t++)
				side_add(&item.part[t], line[t], meter);
			item.is_part = memcmp(item.part, item.item, sizeof(item.part)) != 0;
			if (distance == 0)
				memset(effect, 0, sizeof(effect));	/* the same, and the same
													 * part */
			else
				split_item(bill, &item, effect);

			if (group == NULL || (to->group_by & BY_METER) || group_label != label)
			{
				key.label = to->group_by & BY_LABEL ? label : 0;
				group_label = label;
				group = group_of(to, &key);
			}
			for (int t = 0; t < 2; t++)
			{
				if (unit_of(meter) == 0 || (to->group_by & BY_METER))
					group->tokens[t] += item.part[t].quantity - part[t].quantity;
				group->spend[t] = money_add(group->spend[t], item.part[t].converted - part[t].converted);
			}
			for (int k = 0; k < N_EFFECTS; k++)
			{
				group->effect[k] = money_add(group->effect[k], effect[k] - before[k]);
				before[k] = effect[k];
			}
		}
	}
}

/* For each item of each model. */
static void
each_item(Bill *bill, PairFn fn, void *arg, const ModelPeriod **periods, int *n_periods)
{
	ItemPeriod *of_item = palloc_extended(Max(bill->n_lines, 1) * sizeof(ItemPeriod), MCXT_ALLOC_HUGE);

	for (uint32 from = 0, to; from < bill->n_lines; from = to)
	{
		to = end_of(bill, from, same_model);
		*periods = model_periods(&bill->lines[from], to - from, n_periods);
		for (uint32 first = from, next; first < to; first = next)
		{
			CHECK_FOR_INTERRUPTS();
			next = end_of(bill, first, same_item);
			each_pair(bill, of_item, item_periods(&bill->lines[first], &bill->lines[next], of_item), fn, arg);
		}
		pfree(unconstify(ModelPeriod *, *periods));
	}
}

/* The ledgers, their periods, and in an argument how far apart is what is compared. */
static void
read_bill(FunctionCallInfo fcinfo, int distances_argno, Bill *bill)
{
	memset(bill, 0, sizeof(Bill));
	bill->scratch = AllocSetContextCreate(CurrentMemoryContext, "bill amounts", ALLOCSET_DEFAULT_SIZES);
	bill->first = PG_INT32_MIN;
	bill->last = PG_INT32_MAX;
	bill->n_distances = integer_array_arg(fcinfo, distances_argno, &bill->distances);
	bill->totals = make_table("bill totals", sizeof(TotalKey), sizeof(Total));
	read_lines(fcinfo, bill);
}

/*
 * The exchange rates, in arrays: number of the period, period, currency, rate,
 * whether it is of the other way round, and what is charged beside the calls.
 */
static void
read_rates(FunctionCallInfo fcinfo, int argno, Bill *bill)
{
	Datum	   *values[6];
	bool	   *nulls[6];
	int			n = 0;

	bill->rates = make_table("bill rates", sizeof(RateKey), sizeof(RateEntry));
	for (int i = 0; i < 6; i++)
	{
		int			length = array_arg(fcinfo, argno + i, &values[i], &nulls[i]);

		if (i == 0)
			n = length;
		check_lengths(length, n);
	}
	for (int i = 0; i < n; i++)
	{
		RateKey		key;
		RateEntry  *entry;

		if (nulls[0][i] || nulls[1][i] || nulls[2][i] || nulls[5][i])
			null_element();
		key.n = DatumGetInt32(values[0][i]);
		key.period = DatumGetTimestampTz(values[1][i]);
		key.currency = currency_arg(values[2][i]);
		entry = hash_search(bill->rates, &key, HASH_ENTER, NULL);
		entry->rate = nulls[3][i] ? NULL : DatumGetNumeric(values[3][i]);
		entry->is_inverse = !nulls[4][i] && DatumGetBool(values[4][i]);
		entry->charged = DatumGetNumeric(values[5][i]);
		entry->up_to = 0;
		entry->converted = entry->rate == NULL ? NULL :
			exchange(entry->charged, entry->rate, entry->is_inverse);
	}
}

static Datum
name_datum(const Bill *bill, uint32 name, bool *is_null)
{
	const LedgerString *string;

	*is_null = name == 0;
	if (*is_null)
		return (Datum) 0;
	string = &bill->names->strings[bill->string[name]];
	return PointerGetDatum(cstring_to_text_with_len(string->data, string->len));
}

static int64
count_to_int64(int128 count)
{
	if (count > PG_INT64_MAX || count < PG_INT64_MIN)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of tokens out of range")));
	return (int64) count;
}

/*
 * bill_contributions(ledgers, numbers, first, last, distances, group_by,
 * in_currency, rate arrays)
 */
Datum
bill_contributions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Bill		bill;
	Contributions to = {0};
	Datum	   *columns;
	bool	   *column_nulls;
	int			n_columns;
	text	   *currency = PG_GETARG_TEXT_PP(6);
	HASH_SEQ_STATUS status;
	BillGroup  *group;

	read_bill(fcinfo, 4, &bill);
	bill.first = PG_GETARG_INT32(2);
	bill.last = PG_GETARG_INT32(3);
	n_columns = array_arg(fcinfo, 5, &columns, &column_nulls);
	for (int i = 0; i < n_columns; i++)
	{
		int			c = 0;

		if (column_nulls[i])
			null_element();
		while (c < lengthof(group_column) && strcmp(group_column[c], TextDatumGetCString(columns[i])) != 0)
			c++;
		if (c == lengthof(group_column))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a bill cannot be grouped by \"%s\"", TextDatumGetCString(columns[i]))));
		to.group_by |= 1 << c;
	}
	if (VARSIZE_ANY_EXHDR(currency) > 0)
	{
		bill.currency = currency_arg(PointerGetDatum(currency));
		read_rates(fcinfo, 7, &bill);
		convert_lines(&bill);
	}
	merge_lines(&bill);
	add_totals(&bill);
	to.groups = make_table("bill groups", sizeof(GroupKey), sizeof(BillGroup));
	each_item(&bill, add_contributions, &to, &to.periods, &to.n_periods);

	InitMaterializedSRF(fcinfo, 0);
	hash_seq_init(&status, to.groups);
	while ((group = hash_seq_search(&status)) != NULL)
	{
		Datum		values[12 + N_EFFECTS];
		bool		nulls[12 + N_EFFECTS] = {0};
		int			c = 0;

		MemoryContextReset(bill.scratch);
		MemoryContextSwitchTo(bill.scratch);
		values[c++] = Int32GetDatum((int32) group->key.distance);
		values[c++] = Int32GetDatum((int32) group->key.n);
		values[c] = name_datum(&bill, group->key.provider, &nulls[c]), c++;
		values[c] = name_datum(&bill, group->key.model, &nulls[c]), c++;
		values[c] = name_datum(&bill, group->key.service_tier, &nulls[c]), c++;
		nulls[c] = group->key.meter == 0;
		values[c] = nulls[c] ? (Datum) 0 : CStringGetTextDatum(meter_info[group->key.meter - 1].name), c++;
		values[c] = name_datum(&bill, group->key.label, &nulls[c]), c++;
		values[c++] = PointerGetDatum(currency_text(&group->key.currency));
		for (int t = 0; t < 2; t++)
			values[c++] = Int64GetDatum(count_to_int64(group->tokens[t]));
		for (int t = 0; t < 2; t++)
			values[c++] = NumericGetDatum(money_to_numeric(group->spend[t]));
		for (int k = 0; k < N_EFFECTS; k++)
			values[c++] = NumericGetDatum(money_to_numeric(group->effect[effect_column[k]]));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}

/*
 * Effects of the drivers of demand
 */

/* users, sessions per user, turns per session, calls per turn, tokens per call, reasoning */
#define N_DRIVERS 6

/* The drivers, tokens beside what those are of; cache, mix, price. */
#define N_DRIVER_FACTORS (N_DRIVERS + 1 + 3)

#define CACHEABLE_METERS \
	(METER_BIT(METER_INPUT) | METER_BIT(METER_CACHE_READ) | METER_BIT(METER_CACHE_WRITE) | METER_BIT(METER_CACHE_WRITE_1H))

/* The drivers of a period, where they are measured. */
typedef struct Drivers
{
	int64		n;
	double		factor[N_DRIVERS];
	double		product;
} Drivers;

typedef struct DriverGroup
{
	TotalKey	key;
	Money		spend[2];
	bool		is_measured;
	Money		effect[N_DRIVER_FACTORS];	/* not measured: behind the
											 * drivers all tokens */
} DriverGroup;

typedef struct DriverEffects
{
	HTAB	   *drivers;
	HTAB	   *groups;
	const ModelPeriod *periods;
	int			n_periods;
} DriverEffects;

/* A quotient, or what it is at the other time where it cannot be seen, or 1. */
static double
quotient_or(double a, double b, double other_a, double other_b)
{
	if (b != 0)
		return a / b;
	return other_b != 0 ? other_a / other_b : 1;
}

static void
add_driver_effects(Bill *bill, const ItemPeriod *base, const ItemPeriod *current, int64 distance, int64 n, void *arg)
{
	DriverEffects *to = arg;
	const ItemPeriod *side[2] = {base, current};
	const BillLine *any = (current != NULL ? current : base)->from;
	int64		number[2] = {n - distance, n};
	ExactSide	meter_side[2][N_METERS];
	const Drivers *drivers[2];
	double		total[2];
	double		input[2] = {0};
	MeterSet	meters = 0;
	Meter		meter;
	TotalKey	key = {distance, n, any->currency};
	DriverGroup *group;
	bool		found;

	memset(meter_side, 0, sizeof(meter_side));
	for (int t = 0; t < 2; t++)
	{
		drivers[t] = hash_search(to->drivers, &number[t], HASH_FIND, NULL);
		total[t] = (double) total_of(bill, 0, number[t], any->currency)->tokens[1][0];
		for (const BillLine *l = side[t] ? side[t]->from : NULL; l != NULL && l < side[t]->to; l++)
		{
			MeterSet	rest = l->line->tokens.reported;

			meters |= rest;
			FOR_EACH_METER(meter, rest)
				side_add(&meter_side[t][meter], l, meter);
		}
		for (int m = 0; m < N_METERS; m++)
			if (CACHEABLE_METERS & METER_BIT(m))
				input[t] += (double) meter_side[t][m].quantity;
	}
	group = hash_search(to->groups, &key, HASH_ENTER, &found);
	if (!found)
	{
		memset((char *) group + sizeof(TotalKey), 0, sizeof(DriverGroup) - sizeof(TotalKey));
		group->is_measured = drivers[0] != NULL && drivers[1] != NULL;
	}

	FOR_EACH_METER(meter, meters)
	{
		bool		cacheable = (CACHEABLE_METERS & METER_BIT(meter)) != 0;
		double		x[2][N_DRIVER_FACTORS];
		double		estimate[N_DRIVER_FACTORS];
		double		quantity[2];
		double		cost[2];
		double		counted[2];
		Money		change;
		int			skipped = group->is_measured ? 0 : N_DRIVERS;
		int			largest = skipped;

		for (int t = 0; t < 2; t++)
		{
			quantity[t] = (double) meter_side[t][meter].quantity;
			cost[t] = (double) meter_side[t][meter].cost / 1e15;
			counted[t] = cacheable ? input[t] : quantity[t];
			group->spend[t] = money_add(group->spend[t], meter_side[t][meter].cost);
		}
		if (meter_side[0][meter].cost == 0 && meter_side[1][meter].cost == 0)
			continue;
		for (int t = 0; t < 2; t++)
		{
			int			o = 1 - t;
			double	   *factor = &x[t][N_DRIVERS];

			if (group->is_measured)
			{
				memcpy(x[t], drivers[t]->factor, sizeof(drivers[t]->factor));
				factor[0] = total[t] / drivers[t]->product;
			}
			else
				factor[0] = total[t];
			factor[1] = cacheable ? quotient_or(quantity[t], input[t], quantity[o], input[o]) : 1;
			factor[2] = quotient_or(counted[t], total[t], counted[o], total[o]);
			factor[3] = quantity[0] == 0 || quantity[1] == 0 ? 1 : cost[t] * quantity[o];
		}
		lmdi(N_DRIVER_FACTORS - skipped, &x[0][skipped], &x[1][skipped], cost[0], cost[1], &estimate[skipped]);

		/* as close_effects() */
		change = meter_side[1][meter].cost - meter_side[0][meter].cost;
		for (int k = skipped + 1; k < N_DRIVER_FACTORS; k++)
			if (fabs(estimate[k]) > fabs(estimate[largest]))
				largest = k;
		for (int k = skipped; k < N_DRIVER_FACTORS; k++)
		{
			Money		effect;

			if (k == largest)
				continue;
			effect = (Money) round(estimate[k] * 1e12) * EFFECT_UNIT;
			change -= effect;
			group->effect[k] = money_add(group->effect[k], effect);
		}
		group->effect[largest] = money_add(group->effect[largest], change);
	}
}

/*
 * bill_driver_effects(ledgers, numbers, distances, driver_numbers, drivers): six
 * drivers for each number, and their product
 */
Datum
bill_driver_effects(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Bill		bill;
	DriverEffects to = {0};
	int		   *numbers;
	Datum	   *factors;
	bool	   *nulls;
	int			n_numbers = integer_array_arg(fcinfo, 3, &numbers);
	int		   *distances;
	int			n_distances;
	int			none = 0;
	HASH_SEQ_STATUS status;
	DriverGroup *group;

	check_lengths(array_arg(fcinfo, 4, &factors, &nulls), n_numbers * (N_DRIVERS + 1));
	to.drivers = make_table("drivers", sizeof(int64), sizeof(Drivers));
	to.groups = make_table("driver effects", sizeof(TotalKey), sizeof(DriverGroup));
	for (int i = 0; i < n_numbers; i++)
	{
		int64		n = numbers[i];
		Drivers    *drivers = hash_search(to.drivers, &n, HASH_ENTER, NULL);

		for (int k = 0; k <= N_DRIVERS; k++)
		{
			double		value;

			if (nulls[i * (N_DRIVERS + 1) + k])
				null_element();
			value = DatumGetFloat8(factors[i * (N_DRIVERS + 1) + k]);
			if (!(value > 0) || isinf(value))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("a driver must be finite and above zero")));
			if (k < N_DRIVERS)
				drivers->factor[k] = value;
			else
				drivers->product = value;
		}
	}
	read_bill(fcinfo, 2, &bill);
	merge_lines(&bill);

	/* totals of each period by itself */
	distances = bill.distances;
	n_distances = bill.n_distances;
	bill.distances = &none;
	bill.n_distances = 1;
	add_totals(&bill);
	bill.distances = distances;
	bill.n_distances = n_distances;
	each_item(&bill, add_driver_effects, &to, &to.periods, &to.n_periods);

	InitMaterializedSRF(fcinfo, 0);
	hash_seq_init(&status, to.groups);
	while ((group = hash_seq_search(&status)) != NULL)
	{
		Datum		values[6 + N_DRIVER_FACTORS];
		bool		row_nulls[6 + N_DRIVER_FACTORS] = {0};
		Money		tokens = 0;
		int			c = 0;

		MemoryContextReset(bill.scratch);
		MemoryContextSwitchTo(bill.scratch);
		values[c++] = Int32GetDatum((int32) group->key.distance);
		values[c++] = Int32GetDatum((int32) group->key.n);
		values[c++] = PointerGetDatum(currency_text(&group->key.currency));
		for (int t = 0; t < 2; t++)
			values[c++] = NumericGetDatum(money_to_numeric(group->spend[t]));
		for (int k = 0; k <= N_DRIVERS; k++)
		{
			tokens = money_add(tokens, group->effect[k]);
			row_nulls[c] = !group->is_measured;
			values[c++] = NumericGetDatum(money_to_numeric(group->effect[k]));
		}
		values[c++] = NumericGetDatum(money_to_numeric(tokens));
		for (int k = N_DRIVERS + 1; k < N_DRIVER_FACTORS; k++)
			values[c++] = NumericGetDatum(money_to_numeric(group->effect[k]));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, row_nulls);
	}
	PG_RETURN_NULL();
}

/*
 * Ledgers with fewer lines
 */

/*
 * condense(ledger, columns, providers, service_tiers): adds up the priced lines
 * that differ in nothing but what is not asked for.  Those that a purchase may
 * carry, which names their provider and service tier, stay as they are, and so do
 * those without a price.
 */
Datum
bill_condense(PG_FUNCTION_ARGS)
{
	static const char *const column_name[] = {"provider", "model", "service_tier", "label"};
	Ledger	   *from = ledger_arg(fcinfo, 0);
	Ledger	   *into = ledger_make(CurrentMemoryContext, from->grain, from->zone_name, from->zone_len);
	Datum	   *columns;
	Datum	   *providers;
	Datum	   *tiers;
	bool	   *nulls[3];
	int			n_columns = array_arg(fcinfo, 1, &columns, &nulls[0]);
	int			n_arg = array_arg(fcinfo, 2, &providers, &nulls[1]);
	uint32		(*carried)[2] = palloc(Max(n_arg, 1) * sizeof(*carried));
	int			n_carried = 0;	/* of them, those that are in the ledger */
	bool		keep[lengthof(column_name)] = {false};

	check_lengths(array_arg(fcinfo, 3, &tiers, &nulls[2]), n_arg);
	for (int i = 0; i < n_arg; i++)
	{
		uint32		provider;
		uint32		tier;

		if (nulls[1][i] || nulls[2][i])
			null_element();
		provider = ledger_string_number(from, packed_bytes(providers[i]));
		tier = ledger_string_number(from, packed_bytes(tiers[i]));
		if (provider == 0 || tier == 0)
			continue;
		carried[n_carried][0] = provider;
		carried[n_carried++][1] = tier;
	}
	for (int i = 0; i < n_columns; i++)
	{
		int			c = 0;

		if (nulls[0][i])
			null_element();
		while (c < lengthof(column_name) && strcmp(column_name[c], TextDatumGetCString(columns[i])) != 0)
			c++;
		if (c == lengthof(column_name))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("lines cannot be kept apart by \"%s\"", TextDatumGetCString(columns[i]))));
		keep[c] = true;
	}
	for (uint32 i = 0; i < from->n_lines; i++)
	{
		const LedgerLine *line = &from->lines[i];
		LineKey		key = line->key;
		bool		stays = key.side[CONTRACTED].unpriced != PRICED;

		CHECK_FOR_INTERRUPTS();
		for (int p = 0; p < n_carried && !stays; p++)
			stays = key.provider == carried[p][0] && key.service_tier == carried[p][1];
		if (!stays)
		{
			key.provider = keep[0] ? key.provider : 0;
			key.model = keep[1] ? key.model : 0;
			key.service_tier = keep[2] ? key.service_tier : 0;
			key.label = keep[3] ? key.label : 0;
			for (int s = 0; s < N_SIDES; s++)
			{
				LineSide	side = {0};

				side.currency = key.side[s].currency;
				side.unpriced = key.side[s].unpriced;
				side.above = side.unpriced == PRICED ? 0 : -1;
				side.up_to = PG_INT64_MAX;
				key.side[s] = side;
			}
		}
		key = ledger_key(into, from, &key);
		ledger_line_add(ledger_line(into, &key), line);
	}
	return EOHPGetRWDatum(&into->hdr);
}
