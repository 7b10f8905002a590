/*-------------------------------------------------------------------------
 *
 * index.c
 *	  Index numbers over the matched items of two periods, and the logarithmic
 *	  mean Divisia decomposition.
 *
 * An item is matched where it has a price above zero in both periods.  All
 * bilateral methods read one state, so that PostgreSQL computes it once for
 * all the indices of a query.  A number that is not defined is NULL: nothing
 * is ever set to one.
 *
 *-------------------------------------------------------------------------
 */
#include "index.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"

#define INDEX_SUMS_TYPE "index_sums"
#define LMDI_SUMS_TYPE "lmdi_sums"

SQL_FUNCTION(index_sums_in);
SQL_FUNCTION(index_sums_out);
SQL_FUNCTION(index_sums_recv);
SQL_FUNCTION(index_sums_send);
SQL_FUNCTION(index_sums_add);
SQL_FUNCTION(index_sums_merge);
SQL_FUNCTION(turnover_index);
SQL_FUNCTION(index_base_coverage);
SQL_FUNCTION(index_current_coverage);
SQL_FUNCTION(bennet);
SQL_FUNCTION(bennet_quantity);
SQL_FUNCTION(index_items_add);
SQL_FUNCTION(index_items_merge);
SQL_FUNCTION(sato_vartia_index);
SQL_FUNCTION(sato_vartia_quantity_index);
SQL_FUNCTION(lmdi_sums_in);
SQL_FUNCTION(lmdi_sums_out);
SQL_FUNCTION(lmdi_sums_recv);
SQL_FUNCTION(lmdi_sums_send);
SQL_FUNCTION(lmdi_sums_add);
SQL_FUNCTION(lmdi_sums_merge);
SQL_FUNCTION(lmdi_effects);
SQL_FUNCTION(lmdi_indices);

StaticAssertDecl(sizeof(MatchedItem) == 4 * sizeof(double), "a matched item is four numbers");
StaticAssertDecl(offsetof(IndexSums, matched) + N_INDEX_DOUBLES * sizeof(double) == sizeof(IndexSums),
				 "the sums of an index have no padding");

const int	index_method_needs[N_METHODS] = {
#define METHOD_NEEDS(symbol, name, needs) needs,
	METHOD_LIST(METHOD_NEEDS)
#undef METHOD_NEEDS
	0
};

static const char *const method_name[N_METHODS] = {
#define METHOD_NAME(symbol, name, needs) #name,
	METHOD_LIST(METHOD_NAME)
#undef METHOD_NAME
	"sato_vartia"
};

IndexMethod
index_method_by_name(const char *str, int len)
{
	for (int m = 0; m < N_METHODS; m++)
		if (strlen(method_name[m]) == len && memcmp(method_name[m], str, len) == 0)
			return m;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no index method \"%.*s\"", len, str),
			 errhint("Among the methods are fisher, tornqvist, walsh, laspeyres, paasche and jevons.")));
}

/* A price, quantity or factor: finite, and not below zero. */
double
index_checked(double value, const char *what)
{
	if (isnan(value) || isinf(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is not finite", what)));
	if (value < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is negative: %g", what, value),
				 errdetail("Index numbers compare amounts of zero or more.")));
	return value;
}

/* The logarithmic mean of two numbers of zero or more, with its limits. */
double
log_mean(double a, double b)
{
	double		ratio;

	if (a <= 0 || b <= 0)
		return 0;
	ratio = a / b;

	/* the quotient loses its digits near one; so does log() */
	if (fabs(ratio - 1) < 1e-3)
	{
		double		z = (a - b) / (a + b);
		double		z2 = z * z;

		/* (a - b) / (2 artanh z) */
		return (a + b) / 2 / (1 + z2 / 3 + z2 * z2 / 5 + z2 * z2 * z2 / 7);
	}
	return (a - b) / log_quotient(a, b);
}

/*
 * Sums over items
 */

static void
form_add(FormSums *form, double x0, double x1, double other0, double other1,
		 double v0, double v1, int needs)
{
	if (needs & NEEDS_ROOTS)
	{
		double		weight = sqrt(other0) * sqrt(other1);

		sum_add(&form->walsh[0], x0 * weight);
		sum_add(&form->walsh[1], x1 * weight);
	}
	if (needs & NEEDS_RELATIVES)
	{
		sum_add(&form->x[0], x0);
		sum_add(&form->x[1], x1);
	}
	if (x0 <= 0 || x1 <= 0)
	{
		form->not_positive++;
		return;
	}
	if (needs & NEEDS_RELATIVES)
	{
		sum_add(&form->relative, x1 / x0);
		sum_add(&form->inverse, x0 / x1);
	}
	if (needs & NEEDS_LOGS)
	{
		double		log_ratio = log_quotient(x1, x0);

		sum_add(&form->log, log_ratio);
		sum_add(&form->log_value[0], v0 * log_ratio);
		sum_add(&form->log_value[1], v1 * log_ratio);
		if (needs & NEEDS_LOG_MEANS)
			sum_add(&form->log_mean, log_mean(v1, v0) * log_ratio);
	}
}

/* Adds an item that is there in one period or both; NULL: it is not there. */
void
index_sums_item(IndexSums *sums, const ItemSide *base, const ItemSide *current, int needs)
{
	const ItemSide *side[2] = {base, current};
	double		quantity[2] = {0, 0};
	double		value[2] = {0, 0};

	for (int s = 0; s < 2; s++)
	{
		if (side[s] == NULL || isnan(side[s]->price))
			continue;
		if (isnan(side[s]->quantity))
			sums->unknown[s]++;
		else
		{
			quantity[s] = side[s]->quantity;
			value[s] = side[s]->price * quantity[s];
			sum_add(&sums->total[s], value[s]);
		}
	}
	/* NaN compares as false */
	if (base != NULL && base->price > 0)
		sums->base++;
	if (current != NULL && current->price > 0)
		sums->current++;
	if (base == NULL || current == NULL || !(base->price > 0) || !(current->price > 0))
		return;

	sums->matched++;
	for (int s = 0; s < 2; s++)
	{
		if (isnan(side[s]->quantity))
			sums->lacking[s]++;
		else
			sum_add(&sums->value[s], value[s]);
	}
	sum_add(&sums->cross[FORM_PRICE], current->price * quantity[0]);
	sum_add(&sums->cross[FORM_QUANTITY], base->price * quantity[1]);
	if (needs == 0)
		return;
	form_add(&sums->form[FORM_PRICE], base->price, current->price, quantity[0], quantity[1],
			 value[0], value[1], needs);
	if (!isnan(base->quantity) && !isnan(current->quantity))
		form_add(&sums->form[FORM_QUANTITY], quantity[0], quantity[1], base->price, current->price,
				 value[0], value[1], needs);
}

/*
 * Methods
 */

static bool
quotient(double dividend, double divisor, double *result)
{
	if (!(divisor > 0))
		return false;
	*result = dividend / divisor;
	if (isnan(*result) || isinf(*result))
		float_overflow_error();
	return true;
}

/*
 * The index by a method; false where it is not defined.  The quantity form is
 * the price form with prices and quantities exchanged.
 */
bool
index_value(const IndexSums *sums, IndexMethod method, IndexForm form, double *result)
{
	const FormSums *of = &sums->form[form];
	double		v0 = sum_value(&sums->value[0]);
	double		v1 = sum_value(&sums->value[1]);
	double		x1y0 = sum_value(&sums->cross[form]);
	double		x0y1 = sum_value(&sums->cross[1 - form]);
	bool		has_base = sums->lacking[0] == 0;
	bool		has_current = sums->lacking[1] == 0;
	bool		has_both = has_base && has_current;
	double		a,
				b;

	if (sums->matched == 0 || (form == FORM_QUANTITY && !has_both))
		return false;
	switch (method)
	{
		case METHOD_LASPEYRES:
			return has_base && quotient(x1y0, v0, result);
		case METHOD_PAASCHE:
			return has_current && quotient(v1, x0y1, result);
		case METHOD_FISHER:
			if (!has_both || !quotient(x1y0, v0, &a) || !quotient(v1, x0y1, &b) || a <= 0 || b <= 0)
				return false;

			/*
			 * the root of the product is right to the last digit, if that is
			 * a number
			 */
			*result = a * b > DBL_MIN && !isinf(a * b) ? sqrt(a * b) : sqrt(a) * sqrt(b);
			return true;
		case METHOD_MARSHALL_EDGEWORTH:
			return has_both && quotient(x1y0 + v1, v0 + x0y1, result);
		case METHOD_WALSH:
			return has_both && quotient(sum_value(&of->walsh[1]), sum_value(&of->walsh[0]), result);
		case METHOD_DUTOT:
			return quotient(sum_value(&of->x[1]), sum_value(&of->x[0]), result);
		default:
			break;
	}

	/* the others are means of ratios, or of their logarithms */
	if (of->not_positive > 0)
		return false;
	switch (method)
	{
		case METHOD_CARLI:
			return quotient(sum_value(&of->relative), sums->matched, result);
		case METHOD_HARMONIC:
			return quotient(sums->matched, sum_value(&of->inverse), result);
		case METHOD_JEVONS:
			*result = exp(sum_value(&of->log) / sums->matched);
			return true;
		case METHOD_GEOMETRIC_LASPEYRES:
			if (!has_base || v0 <= 0)
				return false;
			*result = exp(sum_value(&of->log_value[0]) / v0);
			return true;
		case METHOD_GEOMETRIC_PAASCHE:
			if (!has_current || v1 <= 0)
				return false;
			*result = exp(sum_value(&of->log_value[1]) / v1);
			return true;
		case METHOD_TORNQVIST:
			if (!has_both || v0 <= 0 || v1 <= 0)
				return false;
			*result = exp((sum_value(&of->log_value[0]) / v0 + sum_value(&of->log_value[1]) / v1) / 2);
			return true;
		case METHOD_MONTGOMERY_VARTIA:
			if (!has_both || v0 <= 0 || v1 <= 0)
				return false;
			*result = exp(sum_value(&of->log_mean) / log_mean(v1, v0));
			return true;
		default:
			elog(ERROR, "unrecognized index method: %d", (int) method);
	}
}

/*
 * The index of Sato and Vartia: the mean of the logarithms by the logarithmic
 * means of both shares of spend, which are made to add up to one.  A share is of
 * all items, so that no running sum gives it.
 */
bool
sato_vartia_value(const MatchedItem *items, uint32 n, IndexForm form, double *result)
{
	Sum			total[2] = {{0}};
	Sum			weights = {0};
	Sum			logs = {0};

	for (uint32 i = 0; i < n; i++)
		for (int t = 0; t < 2; t++)
		{
			const ItemSide *side = &items[i].side[t];

			/* not a number where the quantity is not known */
			if (isnan(side->quantity) || (form == FORM_QUANTITY && side->quantity <= 0))
				return false;
			sum_add(&total[t], side->price * side->quantity);
			if (isinf(total[t].high))
				float_overflow_error();
		}
	if (n == 0 || !(sum_value(&total[0]) > 0) || !(sum_value(&total[1]) > 0))
		return false;
	for (uint32 i = 0; i < n; i++)
	{
		const ItemSide *base = &items[i].side[0];
		const ItemSide *current = &items[i].side[1];
		double		weight = log_mean(current->price * current->quantity / sum_value(&total[1]),
									  base->price * base->quantity / sum_value(&total[0]));
		double		log_ratio = form == FORM_PRICE ? log_quotient(current->price, base->price) :
		log_quotient(current->quantity, base->quantity);

		sum_add(&weights, weight);
		sum_add(&logs, weight * log_ratio);
	}
	if (!(sum_value(&weights) > 0))
		return false;
	*result = exp(sum_value(&logs) / sum_value(&weights));
	return true;
}

/*
 * The matched share of what the items of a side are worth, or of their number
 * where no quantity is known.
 */
bool
index_coverage(const IndexSums *sums, int side, double *result)
{
	double		items = side == 0 ? sums->base : sums->current;

	if (sums->unknown[side] == 0)
		return quotient(sum_value(&sums->value[side]), sum_value(&sums->total[side]), result);
	if (sum_value(&sums->total[side]) > 0 || sums->unknown[side] < items)
		return false;
	return quotient(sums->matched, items, result);
}

/*
 * What items that come and go do to the value: the matched share before over
 * that after, where what all items are worth is known.
 */
bool
index_turnover(const IndexSums *sums, double *result)
{
	double		base,
				current;

	return sums->unknown[0] == 0 && sums->unknown[1] == 0 &&
		index_coverage(sums, 0, &base) && index_coverage(sums, 1, &current) &&
		base > 0 && quotient(base, current, result);
}

/* What was too large for a double is an error, never a result. */
static double
finite_or_error(double value)
{
	if (isnan(value) || isinf(value))
		float_overflow_error();
	return value;
}

static void
check_finite(const double *values, int n)
{
	for (int i = 0; i < n; i++)
		(void) finite_or_error(values[i]);
}

/* Refuses sums that were too large for a double. */
void
index_sums_check(const IndexSums *sums)
{
	check_finite(&sums->matched, N_INDEX_DOUBLES);
}

/*
 * States as lists of doubles
 */

/* Without loss, whatever extra_float_digits is. */
void
append_double(StringInfo buf, double value)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, digits);
	appendStringInfoString(buf, digits);
}

static char *
doubles_out(const double *values, int n)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < n; i++)
	{
		appendStringInfoString(&buf, i == 0 ? "[" : ", ");
		append_double(&buf, values[i]);
	}
	appendStringInfoChar(&buf, ']');
	return buf.data;
}

static NO_RETURN void
refuse_text(const char *type, const char *str)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%.100s\"", type, str),
			 errhint("Such values are made by aggregates.")));
}

/* Returns how many there are. */
static int
doubles_in(const char *type, char *str, double *values, int max)
{
	char	   *p = str;
	int			n = 0;

	if (*p++ != '[')
		refuse_text(type, str);
	for (;;)
	{
		char	   *end;

		if (n == max)
			refuse_text(type, str);
		errno = 0;
		values[n] = strtod(p, &end);
		if (end == p || isnan(values[n]) || isinf(values[n]))
			refuse_text(type, str);
		n++;
		p = end;
		if (*p == ']' && p[1] == '\0')
			return n;
		if (*p++ != ',')
			refuse_text(type, str);
	}
}

static void
doubles_recv(const char *type, StringInfo buf, double *values, int n)
{
	for (int i = 0; i < n; i++)
	{
		values[i] = pq_getmsgfloat8(buf);
		if (isnan(values[i]) || isinf(values[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid binary form of type %s", type)));
	}
}

static bytea *
doubles_send(const double *values, int n)
{
	StringInfoData buf;

	pq_begintypsend(&buf);
	for (int i = 0; i < n; i++)
		pq_sendfloat8(&buf, values[i]);
	return pq_endtypsend(&buf);
}

static NO_RETURN void
outside_aggregate(const char *caller)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s called in non-aggregate context", caller)));
}

/*
 * index_sums
 */

static IndexSums *
new_index_sums(MemoryContext context)
{
	IndexSums  *sums = MemoryContextAllocZero(context, sizeof(IndexSums));

	SET_VARSIZE(sums, sizeof(IndexSums));
	return sums;
}

/* Counts are whole and not below zero; so hostile ones do no harm. */
static void
check_index_sums(const IndexSums *sums, int sqlstate)
{
	if (!(sums->matched >= 0 && sums->base >= sums->matched && sums->current >= sums->matched &&
		  sums->lacking[0] >= 0 && sums->lacking[1] >= 0 && sums->unknown[0] >= 0 && sums->unknown[1] >= 0))
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("invalid value of type %s", INDEX_SUMS_TYPE),
				 errdetail("Its counts of items contradict each other.")));
}

static IndexSums *
index_sums_arg(FunctionCallInfo fcinfo, int argno)
{
	IndexSums  *sums = (IndexSums *) PG_DETOAST_DATUM(PG_GETARG_DATUM(argno));

	if (VARSIZE(sums) != sizeof(IndexSums))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("corrupted value of type %s", INDEX_SUMS_TYPE)));
	return sums;
}

Datum
index_sums_in(PG_FUNCTION_ARGS)
{
	char	   *str = PG_GETARG_CSTRING(0);
	IndexSums  *sums = new_index_sums(CurrentMemoryContext);

	if (doubles_in(INDEX_SUMS_TYPE, str, &sums->matched, N_INDEX_DOUBLES) != N_INDEX_DOUBLES)
		refuse_text(INDEX_SUMS_TYPE, str);
	check_index_sums(sums, ERRCODE_INVALID_TEXT_REPRESENTATION);
	PG_RETURN_POINTER(sums);
}

Datum
index_sums_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(doubles_out(&index_sums_arg(fcinfo, 0)->matched, N_INDEX_DOUBLES));
}

Datum
index_sums_recv(PG_FUNCTION_ARGS)
{
	IndexSums  *sums = new_index_sums(CurrentMemoryContext);

	doubles_recv(INDEX_SUMS_TYPE, (StringInfo) PG_GETARG_POINTER(0), &sums->matched, N_INDEX_DOUBLES);
	check_index_sums(sums, ERRCODE_INVALID_BINARY_REPRESENTATION);
	PG_RETURN_POINTER(sums);
}

Datum
index_sums_send(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(doubles_send(&index_sums_arg(fcinfo, 0)->matched, N_INDEX_DOUBLES));
}

/* index_sums_add(state, p0, q0, p1, q1) */
Datum
index_sums_add(PG_FUNCTION_ARGS)
{
	static const char *const what[4] = {"base price", "base quantity", "current price", "current quantity"};
	MemoryContext aggcontext;
	IndexSums  *sums;
	double		value[4];
	ItemSide	base,
				current;

	if (!AggCheckCallContext(fcinfo, &aggcontext))
		outside_aggregate("index_sums_add");
	sums = PG_ARGISNULL(0) ? new_index_sums(aggcontext) : index_sums_arg(fcinfo, 0);
	for (int i = 0; i < 4; i++)
		value[i] = PG_ARGISNULL(i + 1) ? get_float8_nan() : index_checked(PG_GETARG_FLOAT8(i + 1), what[i]);
	base.price = value[0];
	base.quantity = value[1];
	current.price = value[2];
	current.quantity = value[3];
	index_sums_item(sums, &base, &current, NEEDS_ALL);
	index_sums_check(sums);		/* the state may be stored, and read again */
	PG_RETURN_POINTER(sums);
}

/* Adds up everything; the sums lie in pairs after the counts. */
static void
add_index_sums(IndexSums *into, const IndexSums *from)
{
	Sum		   *sum = &into->total[0];
	const Sum  *more = &from->total[0];

	into->matched += from->matched;
	into->base += from->base;
	into->current += from->current;
	for (int s = 0; s < 2; s++)
	{
		into->lacking[s] += from->lacking[s];
		into->unknown[s] += from->unknown[s];
	}
	for (; (char *) sum < (char *) &into->form[0]; sum++, more++)
		sum_merge(sum, more);
	for (int f = 0; f < N_FORMS; f++)
	{
		into->form[f].not_positive += from->form[f].not_positive;
		sum = &into->form[f].x[0];
		more = &from->form[f].x[0];
		for (; (char *) sum < (char *) (&into->form[f] + 1); sum++, more++)
			sum_merge(sum, more);
	}
}

Datum
index_sums_merge(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext;
	IndexSums  *sums;

	if (!AggCheckCallContext(fcinfo, &aggcontext))
		outside_aggregate("index_sums_merge");
	if (PG_ARGISNULL(0))
	{
		if (PG_ARGISNULL(1))
			PG_RETURN_NULL();
		sums = new_index_sums(aggcontext);
	}
	else
		sums = index_sums_arg(fcinfo, 0);
	if (!PG_ARGISNULL(1))
		add_index_sums(sums, index_sums_arg(fcinfo, 1));
	index_sums_check(sums);
	PG_RETURN_POINTER(sums);
}

/* The state of a final function; sums that overflowed are no numbers. */
static IndexSums *
final_sums(FunctionCallInfo fcinfo)
{
	IndexSums  *sums = index_sums_arg(fcinfo, 0);

	index_sums_check(sums);
	return sums;
}

static Datum
index_final(FunctionCallInfo fcinfo, IndexMethod method, IndexForm form)
{
	double		result;

	if (PG_ARGISNULL(0) || !index_value(final_sums(fcinfo), method, form, &result))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(finite_or_error(result));
}

#define INDEX_FINAL(symbol, name, needs) \
	SQL_FUNCTION(name##_index); \
	SQL_FUNCTION(name##_quantity_index); \
	Datum name##_index(PG_FUNCTION_ARGS) { return index_final(fcinfo, METHOD_##symbol, FORM_PRICE); } \
	Datum name##_quantity_index(PG_FUNCTION_ARGS) { return index_final(fcinfo, METHOD_##symbol, FORM_QUANTITY); }
METHOD_LIST(INDEX_FINAL)
#undef INDEX_FINAL

static Datum
coverage_final(FunctionCallInfo fcinfo, int side)
{
	double		result;

	if (PG_ARGISNULL(0) || !index_coverage(final_sums(fcinfo), side, &result))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(result);
}

Datum
index_base_coverage(PG_FUNCTION_ARGS)
{
	return coverage_final(fcinfo, 0);
}

Datum
index_current_coverage(PG_FUNCTION_ARGS)
{
	return coverage_final(fcinfo, 1);
}

Datum
turnover_index(PG_FUNCTION_ARGS)
{
	const IndexSums *sums;
	double		result;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	sums = final_sums(fcinfo);
	if (!index_turnover(sums, &result))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(result);
}

/* The mean of the changes at the weights of either period. */
static Datum
bennet_final(FunctionCallInfo fcinfo, IndexForm form)
{
	const IndexSums *sums;
	Sum			twice = {0, 0};

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	sums = final_sums(fcinfo);
	if (sums->matched == 0 || sums->lacking[0] > 0 || sums->lacking[1] > 0)
		PG_RETURN_NULL();
	/* (x1 y0 - v0) + (v1 - x0 y1) */
	sum_merge(&twice, &sums->cross[form]);
	sum_add(&twice, -sums->value[0].high);
	sum_add(&twice, -sums->value[0].low);
	sum_merge(&twice, &sums->value[1]);
	sum_add(&twice, -sums->cross[1 - form].high);
	sum_add(&twice, -sums->cross[1 - form].low);
	PG_RETURN_FLOAT8(finite_or_error(sum_value(&twice) / 2));
}

Datum
bennet(PG_FUNCTION_ARGS)
{
	return bennet_final(fcinfo, FORM_PRICE);
}

Datum
bennet_quantity(PG_FUNCTION_ARGS)
{
	return bennet_final(fcinfo, FORM_QUANTITY);
}

/*
 * Matched items, where a method needs them all: an array of p0, q0, p1 and q1 of
 * each, NaN where a quantity is not known
 */

#define N_ITEM_NUMBERS 4

/* The state of an aggregate, as an array that can grow. */
static ExpandedArrayHeader *
items_state(FunctionCallInfo fcinfo, const char *caller)
{
	MemoryContext aggcontext;

	if (!AggCheckCallContext(fcinfo, &aggcontext))
		outside_aggregate(caller);
	if (PG_ARGISNULL(0))
		return construct_empty_expanded_array(FLOAT8OID, aggcontext, NULL);
	if (VARATT_IS_EXTERNAL_EXPANDED_RW(PG_GETARG_POINTER(0)))
		return (ExpandedArrayHeader *) DatumGetEOHP(PG_GETARG_DATUM(0));
	return (ExpandedArrayHeader *) DatumGetEOHP(expand_array(PG_GETARG_DATUM(0), aggcontext, NULL));
}

static void
items_append(ExpandedArrayHeader * state, double value)
{
	int			subscript = (state->ndims == 0 ? 0 : state->dims[0]) + 1;

	(void) array_set_element(EOHPGetRWDatum(&state->hdr), 1, &subscript, Float8GetDatum(value), false,
							 -1, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/* The items of an argument, which somebody may have made up. */
static MatchedItem *
items_arg(FunctionCallInfo fcinfo, int argno, uint32 *n)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(argno);
	int			n_numbers = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	const double *number = (const double *) ARR_DATA_PTR(array);
	MatchedItem *items;

	if (ARR_NDIM(array) > 1 || n_numbers % N_ITEM_NUMBERS != 0 || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("matched items are a list of prices and quantities, four numbers each"),
				 errhint("Such values are made by aggregates.")));
	*n = n_numbers / N_ITEM_NUMBERS;
	items = palloc(Max(*n, 1) * sizeof(MatchedItem));
	for (uint32 i = 0; i < *n; i++)
		for (int t = 0; t < 2; t++)
		{
			ItemSide   *side = &items[i].side[t];

			CHECK_FOR_INTERRUPTS();
			side->price = index_checked(*number++, "price");
			side->quantity = *number++;
			if (!isnan(side->quantity))
				(void) index_checked(side->quantity, "quantity");
			if (side->price <= 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("a matched item has a price above zero")));
		}
	return items;
}

/* index_items_add(state, p0, q0, p1, q1) */
Datum
index_items_add(PG_FUNCTION_ARGS)
{
	static const char *const what[N_ITEM_NUMBERS] = {"base price", "base quantity", "current price", "current quantity"};
	ExpandedArrayHeader *state = items_state(fcinfo, "index_items_add");
	double		value[N_ITEM_NUMBERS];

	for (int i = 0; i < N_ITEM_NUMBERS; i++)
		value[i] = PG_ARGISNULL(i + 1) ? get_float8_nan() : index_checked(PG_GETARG_FLOAT8(i + 1), what[i]);
	/* NaN compares as false */
	if (value[0] > 0 && value[2] > 0)
		for (int i = 0; i < N_ITEM_NUMBERS; i++)
			items_append(state, value[i]);
	PG_RETURN_DATUM(EOHPGetRWDatum(&state->hdr));
}

Datum
index_items_merge(PG_FUNCTION_ARGS)
{
	ExpandedArrayHeader *state = items_state(fcinfo, "index_items_merge");

	if (!PG_ARGISNULL(1))
	{
		uint32		n;
		MatchedItem *items = items_arg(fcinfo, 1, &n);

		for (uint32 i = 0; i < n; i++)
			for (int t = 0; t < 2; t++)
			{
				items_append(state, items[i].side[t].price);
				items_append(state, items[i].side[t].quantity);
			}
	}
	PG_RETURN_DATUM(EOHPGetRWDatum(&state->hdr));
}

static int
compare_items(const void *a, const void *b)
{
	const double *x = (const double *) a;
	const double *y = (const double *) b;

	for (int i = 0; i < N_ITEM_NUMBERS; i++)
	{
		int			order = float8_cmp_internal(x[i], y[i]);

		if (order != 0)
			return order;
	}
	return 0;
}

static Datum
sato_vartia_final(FunctionCallInfo fcinfo, IndexForm form)
{
	MatchedItem *items;
	uint32		n;
	double		result;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	items = items_arg(fcinfo, 0, &n);
	/* the same to the last digit in any order of rows */
	qsort(items, n, sizeof(MatchedItem), compare_items);
	if (!sato_vartia_value(items, n, form, &result))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(finite_or_error(result));
}

Datum
sato_vartia_index(PG_FUNCTION_ARGS)
{
	return sato_vartia_final(fcinfo, FORM_PRICE);
}

Datum
sato_vartia_quantity_index(PG_FUNCTION_ARGS)
{
	return sato_vartia_final(fcinfo, FORM_QUANTITY);
}

/*
 * LMDI: what each factor of a product adds to the change of a sum of products
 */

#define MAX_FACTORS 64

typedef struct LmdiSums
{
	int32		vl_len_;
	int32		n_factors;
	Sum			value[2];		/* sums of the products */
	Sum			effect[FLEXIBLE_ARRAY_MEMBER];
} LmdiSums;

#define LMDI_SIZE(n) (offsetof(LmdiSums, effect) + (n) * sizeof(Sum))
#define LMDI_DOUBLES(n) (4 + 2 * (n))

static LmdiSums *
new_lmdi_sums(MemoryContext context, int n_factors)
{
	LmdiSums   *sums = MemoryContextAllocZero(context, LMDI_SIZE(n_factors));

	SET_VARSIZE(sums, LMDI_SIZE(n_factors));
	sums->n_factors = n_factors;
	return sums;
}

static LmdiSums *
lmdi_sums_arg(FunctionCallInfo fcinfo, int argno)
{
	LmdiSums   *sums = (LmdiSums *) PG_DETOAST_DATUM(PG_GETARG_DATUM(argno));

	if (VARSIZE(sums) < LMDI_SIZE(1) || sums->n_factors < 1 || sums->n_factors > MAX_FACTORS ||
		VARSIZE(sums) != LMDI_SIZE(sums->n_factors))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("corrupted value of type %s", LMDI_SUMS_TYPE)));
	return sums;
}

Datum
lmdi_sums_in(PG_FUNCTION_ARGS)
{
	char	   *str = PG_GETARG_CSTRING(0);
	double		values[LMDI_DOUBLES(MAX_FACTORS)];
	int			n = doubles_in(LMDI_SUMS_TYPE, str, values, lengthof(values));
	LmdiSums   *sums;

	if (n < LMDI_DOUBLES(1) || n % 2 != 0)
		refuse_text(LMDI_SUMS_TYPE, str);
	sums = new_lmdi_sums(CurrentMemoryContext, (n - 4) / 2);
	memcpy(&sums->value[0], values, n * sizeof(double));
	PG_RETURN_POINTER(sums);
}

Datum
lmdi_sums_out(PG_FUNCTION_ARGS)
{
	LmdiSums   *sums = lmdi_sums_arg(fcinfo, 0);

	PG_RETURN_CSTRING(doubles_out(&sums->value[0].high, LMDI_DOUBLES(sums->n_factors)));
}

Datum
lmdi_sums_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			left = buf->len - buf->cursor;
	LmdiSums   *sums;

	if (left % sizeof(Sum) != 0 || left < LMDI_DOUBLES(1) * sizeof(double) ||
		left > LMDI_DOUBLES(MAX_FACTORS) * sizeof(double))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary form of type %s", LMDI_SUMS_TYPE)));
	sums = new_lmdi_sums(CurrentMemoryContext, left / (int) sizeof(Sum) - 2);
	doubles_recv(LMDI_SUMS_TYPE, buf, &sums->value[0].high, LMDI_DOUBLES(sums->n_factors));
	PG_RETURN_POINTER(sums);
}

Datum
lmdi_sums_send(PG_FUNCTION_ARGS)
{
	LmdiSums   *sums = lmdi_sums_arg(fcinfo, 0);

	PG_RETURN_BYTEA_P(doubles_send(&sums->value[0].high, LMDI_DOUBLES(sums->n_factors)));
}

/* The factors of an item in one period; returns their number. */
static int
factors_arg(FunctionCallInfo fcinfo, int argno, double *factors)
{
	ArrayType  *array;
	Datum	   *values;
	bool	   *nulls;
	int			n;

	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the factors of an item must not be null"),
				 errhint("Those of an item that is not there are zeros.")));
	array = PG_GETARG_ARRAYTYPE_P(argno);
	if (ARR_NDIM(array) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("factors must be a one-dimensional array")));
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &values, &nulls, &n);
	if (n > MAX_FACTORS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are %d factors", n),
				 errdetail("A product has at most %d.", MAX_FACTORS)));
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("factor %d is null", i + 1),
					 errhint("Those of an item that is not there are zeros.")));
		factors[i] = index_checked(DatumGetFloat8(values[i]), psprintf("factor %d", i + 1));
	}
	return n;
}

/*
 * Adds an item.  Where the product comes from zero, or goes to it, the limit
 * gives the whole change to the factors that do the same, in equal parts.
 */
static void
lmdi_item(LmdiSums *sums, const double *x0, const double *x1)
{
	double		v0 = 1,
				v1 = 1;

	for (int i = 0; i < sums->n_factors; i++)
	{
		v0 *= x0[i];
		v1 *= x1[i];
	}
	if (isinf(v0) || isinf(v1))
		float_overflow_error();
	sum_add(&sums->value[0], v0);
	sum_add(&sums->value[1], v1);
	if (v0 > 0 && v1 > 0)
	{
		double		weight = log_mean(v1, v0);

		for (int i = 0; i < sums->n_factors; i++)
			sum_add(&sums->effect[i], weight * log_quotient(x1[i], x0[i]));
	}
	else if (v0 > 0 || v1 > 0)
	{
		const double *without = v0 > 0 ? x1 : x0;
		int			n = 0;

		for (int i = 0; i < sums->n_factors; i++)
			n += without[i] == 0;
		/* a product of small factors may vanish though none of them is zero */
		if (n == 0)
			float_underflow_error();
		for (int i = 0; i < sums->n_factors; i++)
			if (without[i] == 0)
				sum_add(&sums->effect[i], (v1 - v0) / n);
	}
}

static NO_RETURN void
factors_differ(int a, int b)
{
	ereport(ERROR,
			(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
			 errmsg("items have %d and %d factors", a, b),
			 errdetail("All products of one decomposition have the same factors.")));
}

/* lmdi_sums_add(state, x0, x1) */
Datum
lmdi_sums_add(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext;
	LmdiSums   *sums;
	double		x0[MAX_FACTORS],
				x1[MAX_FACTORS];
	int			n0,
				n1;

	if (!AggCheckCallContext(fcinfo, &aggcontext))
		outside_aggregate("lmdi_sums_add");
	n0 = factors_arg(fcinfo, 1, x0);
	n1 = factors_arg(fcinfo, 2, x1);
	if (n0 != n1)
		factors_differ(n0, n1);
	sums = PG_ARGISNULL(0) ? new_lmdi_sums(aggcontext, n0) : lmdi_sums_arg(fcinfo, 0);
	if (sums->n_factors != n0)
		factors_differ(sums->n_factors, n0);
	lmdi_item(sums, x0, x1);
	check_finite(&sums->value[0].high, LMDI_DOUBLES(n0));
	PG_RETURN_POINTER(sums);
}

Datum
lmdi_sums_merge(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext;
	LmdiSums   *sums;
	LmdiSums   *more = PG_ARGISNULL(1) ? NULL : lmdi_sums_arg(fcinfo, 1);

	if (!AggCheckCallContext(fcinfo, &aggcontext))
		outside_aggregate("lmdi_sums_merge");
	if (PG_ARGISNULL(0))
	{
		if (more == NULL)
			PG_RETURN_NULL();
		sums = new_lmdi_sums(aggcontext, more->n_factors);
	}
	else
		sums = lmdi_sums_arg(fcinfo, 0);
	if (more != NULL)
	{
		if (sums->n_factors != more->n_factors)
			factors_differ(sums->n_factors, more->n_factors);
		for (int s = 0; s < 2; s++)
			sum_merge(&sums->value[s], &more->value[s]);
		for (int i = 0; i < sums->n_factors; i++)
			sum_merge(&sums->effect[i], &more->effect[i]);
		check_finite(&sums->value[0].high, LMDI_DOUBLES(sums->n_factors));
	}
	PG_RETURN_POINTER(sums);
}

static Datum
float8_array(const double *values, int n)
{
	Datum		datums[MAX_FACTORS];

	for (int i = 0; i < n; i++)
		datums[i] = Float8GetDatum(values[i]);
	return PointerGetDatum(construct_array(datums, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

/* The effects; they add up to the change. */
Datum
lmdi_effects(PG_FUNCTION_ARGS)
{
	LmdiSums   *sums;
	double		values[MAX_FACTORS];

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	sums = lmdi_sums_arg(fcinfo, 0);
	for (int i = 0; i < sums->n_factors; i++)
		values[i] = finite_or_error(sum_value(&sums->effect[i]));
	return float8_array(values, sums->n_factors);
}

/* The effects as indices; their product is the ratio of the sums. */
Datum
lmdi_indices(PG_FUNCTION_ARGS)
{
	LmdiSums   *sums;
	double		values[MAX_FACTORS];
	double		mean;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	sums = lmdi_sums_arg(fcinfo, 0);
	mean = log_mean(sum_value(&sums->value[1]), sum_value(&sums->value[0]));
	if (!(mean > 0))
		PG_RETURN_NULL();
	for (int i = 0; i < sums->n_factors; i++)
		values[i] = finite_or_error(exp(sum_value(&sums->effect[i]) / mean));
	return float8_array(values, sums->n_factors);
}
