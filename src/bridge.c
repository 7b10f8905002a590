/*-------------------------------------------------------------------------
 *
 * bridge.c
 *	  Why an amount changed: what each factor of a product did to it.
 *
 * The bill of an item is a product: tokens of all items x share of the item x
 * price [x exchange rate].  Two theories split the change of a product among its
 * factors without a rest:
 *
 *	  Shapley	the mean of what a factor does over all orders in which the
 *				factors may change one after the other (Shapley 1953; Sun
 *				1998).  It is rational, and defined at zero.
 *	  LMDI-I	the logarithmic mean of the two amounts x the logarithm of the
 *				factor's ratio (Vartia 1976; Ang 2005).  At zero it is the limit:
 *				the factor that appears or vanishes takes all.
 *
 * An effect is rounded to EFFECT_SCALE decimals, and what that leaves goes to
 * the largest one: effects add up to the change to its last digit.  Shapley's
 * are computed from products of the arguments, and divided once, so that a factor
 * that has not changed has an effect of exactly 0.
 *
 *-------------------------------------------------------------------------
 */
#include "bridge.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "decimal.h"
#include "funcapi.h"
#include "index.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/float.h"

/* Digits of a quotient before it is rounded to EFFECT_SCALE. */
#define QUOTIENT_SCALE 40

/* 16! is a bigint. */
#define MAX_FACTORS 16

/* How far logarithms of factors may be from that of their product. */
#define LOG_TOLERANCE 1e-6

SQL_FUNCTION(bridge_log_mean);
SQL_FUNCTION(bridge_shapley_effects);
SQL_FUNCTION(bridge_lmdi_effects);
SQL_FUNCTION(bill_effects);
SQL_FUNCTION(bill_effects_of_part);
SQL_FUNCTION(bill_effects_lmdi);

static Numeric
add(Numeric a, Numeric b)
{
	return call_numeric(numeric_add, a, b);
}

static Numeric
subtract(Numeric a, Numeric b)
{
	return call_numeric(numeric_sub, a, b);
}

static Numeric
multiply(Numeric a, Numeric b)
{
	return call_numeric(numeric_mul, a, b);
}

/* Numeric division keeps at least the digits of what it divides. */
static Numeric
divide(Numeric a, Numeric b)
{
	return call_numeric(numeric_div, round_numeric(a, QUOTIENT_SCALE), b);
}

static Numeric
zero(void)
{
	return int64_to_numeric(0);
}

static bool
is_zero(Numeric value)
{
	return compare_numeric(value, zero()) == 0;
}

static bool
is_negative(Numeric value)
{
	return compare_numeric(value, zero()) < 0;
}

static bool
is_larger(Numeric a, Numeric b)
{
	return DatumGetBool(DirectFunctionCall2(numeric_gt,
											DirectFunctionCall1(numeric_abs, NumericGetDatum(a)),
											DirectFunctionCall1(numeric_abs, NumericGetDatum(b))));
}

/*
 * Rounds effects so that they add up to the change: the first of the largest
 * takes the rest.
 */
static void
close_effects(Numeric *effect, int n, Numeric change)
{
	int			largest = 0;
	Numeric		rest = change;

	for (int i = 1; i < n; i++)
		if (is_larger(effect[i], effect[largest]))
			largest = i;
	for (int i = 0; i < n; i++)
	{
		if (i == largest)
			continue;
		effect[i] = trim_zeros(round_numeric(effect[i], EFFECT_SCALE));
		rest = subtract(rest, effect[i]);
	}
	effect[largest] = trim_zeros(rest);
}

/*
 * Shapley
 */

/* A product of factors, times a constant, at two times. */
typedef struct Product
{
	int			n;
	Numeric		factor_0[MAX_FACTORS];
	Numeric		factor_1[MAX_FACTORS];
	Numeric		constant;
	Numeric		divisor;		/* of the whole */
} Product;

/*
 * What each factor did, before it is rounded.
 *
 * With s of the n - 1 other factors changed before it, a factor's part is its own
 * change times the sum, over all sets of s of them, of the product of theirs at
 * time 1 and the others' at time 0: the coefficient of z^s in the product of
 * (factor_0 + factor_1 z).  It comes about in s! (n - 1 - s)! of n! orders.
 *
 * A factor that has not changed has no effect, and no influence on how the
 * others share: it is a constant.
 */
static void
shapley(const Product *product, Numeric *effect)
{
	int			changed[MAX_FACTORS];
	int			n = 0;
	Numeric		constant = product->constant;
	Numeric		divisor;
	int64		factorial[MAX_FACTORS + 1];

	factorial[0] = 1;
	for (int i = 1; i <= MAX_FACTORS; i++)
		factorial[i] = factorial[i - 1] * i;
	for (int k = 0; k < product->n; k++)
	{
		effect[k] = zero();
		if (compare_numeric(product->factor_0[k], product->factor_1[k]) != 0)
			changed[n++] = k;
		else
			constant = multiply(constant, product->factor_0[k]);
	}
	if (n == 0 || is_zero(constant))
		return;
	divisor = n == 1 ? product->divisor :
		multiply(product->divisor, int64_to_numeric(factorial[n]));

	for (int k = 0; k < n; k++)
	{
		Numeric		coefficient[MAX_FACTORS];
		int			degree = 0;
		Numeric		sum = NULL;

		CHECK_FOR_INTERRUPTS();
		coefficient[0] = constant;
		for (int j = 0; j < n; j++)
		{
			Numeric		x0 = product->factor_0[changed[j]];
			Numeric		x1 = product->factor_1[changed[j]];

			if (j == k)
				continue;
			coefficient[degree + 1] = multiply(coefficient[degree], x1);
			for (int s = degree; s > 0; s--)
				coefficient[s] = add(multiply(coefficient[s], x0),
									 multiply(coefficient[s - 1], x1));
			coefficient[0] = multiply(coefficient[0], x0);
			degree++;
		}
		for (int s = 0; s <= degree; s++)
		{
			Numeric		orders = int64_to_numeric(factorial[s] * factorial[degree - s]);
			Numeric		term = multiply(coefficient[s], orders);

			sum = sum == NULL ? term : add(sum, term);
		}
		effect[changed[k]] =
			divide(multiply(subtract(product->factor_1[changed[k]],
									 product->factor_0[changed[k]]),
							sum), divisor);
	}
}

/*
 * LMDI-I
 */

static NO_RETURN void
not_a_product(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the value does not change as the product of its factors does"),
			 errhint("Give all factors of the value, such that a constant times their product is the value.")));
}

/* What each factor did; the value, and what it is of, are above zero or zero. */
void
lmdi(int n, const double *x0, const double *x1, double v0, double v1, double *effect)
{
	if (v0 > 0 && v1 > 0)
	{
		double		mean = log_mean(v1, v0);
		double		log_ratio = log_quotient(v1, v0);
		double		sum = 0;
		double		size = 1;

		for (int k = 0; k < n; k++)
		{
			double		log_factor;

			if (x0[k] == 0 || x1[k] == 0)
				not_a_product();
			log_factor = x0[k] == x1[k] ? 0 : log_quotient(x1[k], x0[k]);
			effect[k] = mean * log_factor;
			sum += log_factor;
			size += fabs(log_factor);
		}
		if (fabs(sum - log_ratio) > LOG_TOLERANCE * size)
			not_a_product();
	}
	else
	{
		/*
		 * The limit, as what is zero nears it: the factors that appear, or
		 * vanish, take all, and are alike.
		 */
		const double *gone = v0 == 0 ? x0 : x1;
		const double *there = v0 == 0 ? x1 : x0;
		int			n_gone = 0;

		for (int k = 0; k < n; k++)
			if (gone[k] == 0 && there[k] != 0)
				n_gone++;
		if (v0 != v1 && n_gone == 0)
			not_a_product();
		for (int k = 0; k < n; k++)
			effect[k] = v0 != v1 && gone[k] == 0 && there[k] != 0 ? (v1 - v0) / n_gone : 0;
	}
}

static double
to_double(Numeric value)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value)));
}

static Numeric
from_double(double value)
{
	return DatumGetNumeric(DirectFunctionCall1(float8_numeric, Float8GetDatum(value)));
}

/*
 * Functions of SQL over any factors
 */

static void
check_finite(Numeric value, const char *what)
{
	if (numeric_is_nan(value) || numeric_is_inf(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be finite", what)));
}

static int
factor_array(ArrayType *array, Oid type, Datum **factors)
{
	bool	   *nulls;
	int			n;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("factors must be a one-dimensional array")));
	if (type == FLOAT8OID)
		deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL,
						  TYPALIGN_DOUBLE, factors, &nulls, &n);
	else
		deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT, factors, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("factor %d is null", i + 1)));
	return n;
}

static void
check_counts(int n_0, int n_1)
{
	if (n_0 != n_1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there are %d factors at first and %d then", n_0, n_1)));
	if (n_0 == 0 || n_0 > MAX_FACTORS)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the number of factors must be 1 to %d, not %d", MAX_FACTORS, n_0)));
}

static Datum
numeric_array(const Numeric *values, int n)
{
	Datum	   *datums = palloc(n * sizeof(Datum));

	for (int i = 0; i < n; i++)
		datums[i] = NumericGetDatum(values[i]);
	return PointerGetDatum(construct_array(datums, n, NUMERICOID, -1, false, TYPALIGN_INT));
}

Datum
bridge_log_mean(PG_FUNCTION_ARGS)
{
	double		a = PG_GETARG_FLOAT8(0);
	double		b = PG_GETARG_FLOAT8(1);

	if (!(a >= 0 && b >= 0) || isinf(a) || isinf(b))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a logarithmic mean is of two finite numbers that are not negative")));
	PG_RETURN_FLOAT8(log_mean(a, b));
}

/* shapley_effects(factors_0, factors_1) */
Datum
bridge_shapley_effects(PG_FUNCTION_ARGS)
{
	Datum	   *x0;
	Datum	   *x1;
	int			n = factor_array(PG_GETARG_ARRAYTYPE_P(0), NUMERICOID, &x0);
	Product		product;
	Numeric		effect[MAX_FACTORS];
	Numeric		value_0 = int64_to_numeric(1);
	Numeric		value_1 = value_0;

	check_counts(n, factor_array(PG_GETARG_ARRAYTYPE_P(1), NUMERICOID, &x1));
	product.n = n;
	product.constant = product.divisor = value_0;
	for (int k = 0; k < n; k++)
	{
		product.factor_0[k] = DatumGetNumeric(x0[k]);
		product.factor_1[k] = DatumGetNumeric(x1[k]);
		check_finite(product.factor_0[k], "a factor");
		check_finite(product.factor_1[k], "a factor");
		value_0 = multiply(value_0, product.factor_0[k]);
		value_1 = multiply(value_1, product.factor_1[k]);
	}
	shapley(&product, effect);
	close_effects(effect, n, subtract(value_1, value_0));
	PG_RETURN_DATUM(numeric_array(effect, n));
}

/* lmdi_effects(value_0, value_1, factors_0, factors_1) */
Datum
bridge_lmdi_effects(PG_FUNCTION_ARGS)
{
	Numeric		value_0 = PG_GETARG_NUMERIC(0);
	Numeric		value_1 = PG_GETARG_NUMERIC(1);
	Datum	   *factors_0;
	Datum	   *factors_1;
	int			n = factor_array(PG_GETARG_ARRAYTYPE_P(2), FLOAT8OID, &factors_0);
	double		x0[MAX_FACTORS] = {0};
	double		x1[MAX_FACTORS] = {0};
	double		estimate[MAX_FACTORS];
	Numeric		effect[MAX_FACTORS];

	check_counts(n, factor_array(PG_GETARG_ARRAYTYPE_P(3), FLOAT8OID, &factors_1));
	check_finite(value_0, "a value");
	check_finite(value_1, "a value");
	if (is_negative(value_0) || is_negative(value_1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a value that is below zero has no logarithm"),
				 errhint("shapley_effects() splits values of any sign.")));
	for (int k = 0; k < n; k++)
	{
		x0[k] = DatumGetFloat8(factors_0[k]);
		x1[k] = DatumGetFloat8(factors_1[k]);
		if (!(x0[k] >= 0 && x1[k] >= 0) || isinf(x0[k]) || isinf(x1[k]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("factor %d must be finite and not negative", k + 1)));
	}
	lmdi(n, x0, x1, to_double(value_0), to_double(value_1), estimate);
	for (int k = 0; k < n; k++)
		effect[k] = from_double(estimate[k]);
	close_effects(effect, n, subtract(value_1, value_0));
	PG_RETURN_DATUM(numeric_array(effect, n));
}

/*
 * The effects of a bill
 */

/* The columns of type bill_effects. */
const Effect effect_column[N_EFFECTS] = {
	EFFECT_PRICE, EFFECT_VOLUME, EFFECT_MIX, EFFECT_NEW, EFFECT_DISCONTINUED, EFFECT_CURRENCY
};

/* An argument; 0 where it is NULL. */
static Numeric
numeric_or_zero(FunctionCallInfo fcinfo, int argno, const char *what)
{
	Numeric		value;

	if (PG_ARGISNULL(argno))
		return zero();
	value = PG_GETARG_NUMERIC(argno);
	check_finite(value, what);
	return value;
}

/* Reads cost and quantity of one time, and what the cost is when converted. */
static void
read_side(FunctionCallInfo fcinfo, int argno, int converted_argno, BillSide *side)
{
	side->cost = numeric_or_zero(fcinfo, argno, "a cost");
	side->quantity = numeric_or_zero(fcinfo, argno + 1, "a quantity");
	side->is_there = !PG_ARGISNULL(argno + 1);
	if (is_negative(side->quantity))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a quantity is negative: %s",
						numeric_normalize(side->quantity))));
	if (is_zero(side->quantity) && !is_zero(side->cost))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a cost of %s without a quantity has no price",
						numeric_normalize(side->cost)),
				 errhint("What is not charged by quantity is an effect of its own.")));
	if (!is_zero(side->quantity) && PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a quantity of %s has no cost",
						numeric_normalize(side->quantity)),
				 errhint("Usage without a price is in no effect: leave it out, and show it beside them.")));
	side->converted = side->cost;
	if (converted_argno >= 0)
	{
		if (PG_ARGISNULL(converted_argno) && !is_zero(side->cost))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a cost of %s is not converted", numeric_normalize(side->cost)),
					 errhint("What has no exchange rate is in no effect: leave it out, and show it beside them.")));
		side->converted = numeric_or_zero(fcinfo, converted_argno, "a converted cost");
	}
}

static void
check_contained(Numeric part, Numeric whole, const char *message)
{
	if (compare_numeric(part, whole) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg(message, numeric_normalize(part), numeric_normalize(whole))));
}

/*
 * Reads the arguments: cost and quantity at both times, of the part where there
 * is one and of the item; quantities of all items at both times; and, in
 * the forms that convert, the converted costs in the order of the costs.
 */
static void
read_bill(FunctionCallInfo fcinfo, bool has_part, BillItem *bill)
{
	int			n_sides = has_part ? 4 : 2;
	int			totals = n_sides * 2;
	int			converted = PG_NARGS() > totals + 2 ? totals + 2 : -1;

	bill->is_part = has_part;
	bill->is_converted = false;
	for (int s = 0; s < n_sides; s++)
		read_side(fcinfo, s * 2, converted < 0 ? -1 : converted + s,
				  has_part && s < 2 ? &bill->part[s] : &bill->item[s % 2]);
	if (!has_part)
		memcpy(bill->part, bill->item, sizeof(bill->part));
	for (int t = 0; t < 2; t++)
	{
		bill->total[t] = numeric_or_zero(fcinfo, totals + t, "a quantity");
		if (compare_numeric(bill->item[t].cost, bill->item[t].converted) != 0)
			bill->is_converted = true;
		if (has_part)
			check_contained(bill->part[t].quantity, bill->item[t].quantity,
							"a part of %s is more than the item, %s");
	}
}

static void
check_totals(const BillItem *bill)
{
	for (int t = 0; t < 2; t++)
		check_contained(bill->item[t].quantity, bill->total[t],
						"an item of %s is more than all items, %s");
}

/*
 * Whether two pairs of an amount and what it is when converted are at one rate,
 * as far as their last decimals can say: those are rounded.
 */
static bool
same_rate(const BillSide *a, const BillSide *b)
{
	Numeric		a_at_b = multiply(a->converted, b->cost);
	Numeric		b_at_a = multiply(b->converted, a->cost);
	Numeric		rounding = multiply(power_of_ten(-EFFECT_SCALE),
									add(DatumGetNumeric(DirectFunctionCall1(numeric_abs, NumericGetDatum(a->cost))),
										DatumGetNumeric(DirectFunctionCall1(numeric_abs, NumericGetDatum(b->cost)))));

	return !is_larger(subtract(a_at_b, b_at_a), rounding);
}

/*
 * What a part paid above the price of its item, in the currency of the effects;
 * 0 of the item as a whole.
 */
static Numeric
excess_of_part(const BillItem *bill, int t)
{
	const BillSide *part = &bill->part[t];
	const BillSide *item = &bill->item[t];
	Numeric		excess = subtract(multiply(part->cost, item->quantity),
								  multiply(item->cost, part->quantity));

	if (is_zero(excess))
		return excess;
	if (bill->is_converted)
	{
		if (is_zero(item->cost))
			return zero();
		return divide(multiply(excess, item->converted),
					  multiply(item->quantity, item->cost));
	}
	return divide(excess, item->quantity);
}

/*
 * The item as a product: quantity of all x share of it x price [x rate].  What
 * cannot be seen at a time, such as the price of what had no quantity then, is
 * what it is at the other one.
 */
static void
bill_product(const BillItem *bill, Product *product)
{
	const BillSide *item = bill->item;
	const BillSide *part = bill->part;
	const Numeric *total = bill->total;

	check_totals(bill);
	product->n = 3;
	product->constant = product->divisor = int64_to_numeric(1);
	product->factor_0[EFFECT_VOLUME] = total[0];
	product->factor_1[EFFECT_VOLUME] = total[1];
	if (is_zero(total[0]) || is_zero(total[1]))
	{
		int			seen = is_zero(total[1]) ? 0 : 1;

		product->factor_0[EFFECT_MIX] = product->factor_1[EFFECT_MIX] = part[seen].quantity;
		if (!is_zero(total[seen]))
			product->divisor = total[seen];
	}
	else
	{
		product->factor_0[EFFECT_MIX] = multiply(part[0].quantity, total[1]);
		product->factor_1[EFFECT_MIX] = multiply(part[1].quantity, total[0]);
		product->divisor = multiply(total[0], total[1]);
	}
	if (is_zero(item[0].quantity) || is_zero(item[1].quantity))
	{
		int			seen = is_zero(item[1].quantity) ? 0 : 1;

		product->factor_0[EFFECT_PRICE] = product->factor_1[EFFECT_PRICE] = item[seen].cost;
		if (!is_zero(item[seen].quantity))
			product->divisor = multiply(product->divisor, item[seen].quantity);
	}
	else
	{
		product->factor_0[EFFECT_PRICE] = multiply(item[0].cost, item[1].quantity);
		product->factor_1[EFFECT_PRICE] = multiply(item[1].cost, item[0].quantity);
		product->divisor = multiply(product->divisor, multiply(item[0].quantity, item[1].quantity));
	}
	if (!bill->is_converted)
		return;
	if (is_zero(item[0].cost) || is_zero(item[1].cost) || same_rate(&item[0], &item[1]))
	{
		const BillSide *rated = &item[is_zero(item[1].cost) ? 0 : 1];

		if (!is_zero(rated->cost))
		{
			product->constant = rated->converted;
			product->divisor = multiply(product->divisor, rated->cost);
		}
	}
	else
	{
		product->n = 4;
		product->factor_0[EFFECT_CURRENCY] = multiply(item[0].converted, item[1].cost);
		product->factor_1[EFFECT_CURRENCY] = multiply(item[1].converted, item[0].cost);
		product->divisor = multiply(product->divisor, multiply(item[0].cost, item[1].cost));
	}
}

static void
split_matched(const BillItem *bill, Numeric *effect)
{
	const BillSide *part = bill->part;
	Product		product;

	bill_product(bill, &product);
	shapley(&product, effect);

	/* what the part paid above the price of its item, or below it, is price */
	if (bill->is_part)
		effect[EFFECT_PRICE] = add(effect[EFFECT_PRICE],
								   subtract(excess_of_part(bill, 1), excess_of_part(bill, 0)));
	close_effects(effect, N_SPLIT_EFFECTS, subtract(part[1].converted, part[0].converted));
}

static void
split_unmatched(const BillItem *bill, Numeric *effect)
{
	effect[EFFECT_NEW] = trim_zeros(bill->part[1].converted);
	effect[EFFECT_DISCONTINUED] = subtract(zero(), trim_zeros(bill->part[0].converted));
}

/* The effects of an item, or of a part of one, by Shapley. */
void
split_shapley(const BillItem *bill, Numeric *effect)
{
	for (int k = 0; k < N_EFFECTS; k++)
		effect[k] = zero();
	if (bill->item[0].is_there && bill->item[1].is_there)
		split_matched(bill, effect);
	else
		split_unmatched(bill, effect);
}

static void
split_lmdi(const BillItem *bill, Numeric *effect)
{
	const BillSide *item = bill->item;
	Product		product;
	double		x0[N_SPLIT_EFFECTS] = {0};
	double		x1[N_SPLIT_EFFECTS] = {0};
	double		estimate[N_SPLIT_EFFECTS];

	if (is_negative(item[0].converted) || is_negative(item[1].converted))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a cost that is below zero has no logarithm"),
				 errhint("bill_effects() splits costs of any sign.")));
	bill_product(bill, &product);
	for (int k = 0; k < product.n; k++)
	{
		/* compared exactly: what has not changed has no effect */
		x0[k] = to_double(product.factor_0[k]);
		x1[k] = compare_numeric(product.factor_0[k], product.factor_1[k]) == 0 ? x0[k] : to_double(product.factor_1[k]);
	}
	lmdi(product.n, x0, x1, to_double(item[0].converted), to_double(item[1].converted), estimate);
	for (int k = 0; k < product.n; k++)
		effect[k] = from_double(estimate[k]);
	close_effects(effect, N_SPLIT_EFFECTS, subtract(item[1].converted, item[0].converted));
}

static Datum
effects_row(FunctionCallInfo fcinfo, const Numeric *effect)
{
	TupleDesc	desc;
	Datum		values[N_EFFECTS];
	bool		nulls[N_EFFECTS] = {0};

	if (fcinfo->flinfo->fn_extra == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
			desc->natts != N_EFFECTS)
			elog(ERROR, "unexpected result type");
		fcinfo->flinfo->fn_extra = BlessTupleDesc(CreateTupleDescCopy(desc));
		MemoryContextSwitchTo(old);
	}
	desc = fcinfo->flinfo->fn_extra;
	for (int i = 0; i < N_EFFECTS; i++)
		values[i] = NumericGetDatum(effect[effect_column[i]]);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

static Datum
split_bill(FunctionCallInfo fcinfo, bool has_part, bool by_lmdi)
{
	BillItem	bill;
	Numeric		effect[N_EFFECTS];

	read_bill(fcinfo, has_part, &bill);
	if (by_lmdi && bill.item[0].is_there && bill.item[1].is_there)
	{
		for (int k = 0; k < N_EFFECTS; k++)
			effect[k] = zero();
		split_lmdi(&bill, effect);
	}
	else
		split_shapley(&bill, effect);
	return effects_row(fcinfo, effect);
}

Datum
bill_effects(PG_FUNCTION_ARGS)
{
	return split_bill(fcinfo, false, false);
}

Datum
bill_effects_of_part(PG_FUNCTION_ARGS)
{
	return split_bill(fcinfo, true, false);
}

Datum
bill_effects_lmdi(PG_FUNCTION_ARGS)
{
	return split_bill(fcinfo, false, true);
}
