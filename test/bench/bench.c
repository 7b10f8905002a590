/*-------------------------------------------------------------------------
 *
 * bench.c
 *	  What pricing is measured against: functions with the arguments of cost()
 *	  that do nothing, and the internal form of pricing without a numeric.
 *
 * Built by test/bench/run.sh together with the objects of the extension.
 *
 *-------------------------------------------------------------------------
 */
#include "../../src/cost.h"

#include "utils/numeric.h"

PG_MODULE_MAGIC;

SQL_FUNCTION(noop_numeric);
SQL_FUNCTION(noop_int8);
SQL_FUNCTION(internal_cost);

/* Does nothing, and returns a numeric. */
Datum
noop_numeric(PG_FUNCTION_ARGS)
{
	PG_RETURN_NUMERIC(int64_div_fast_to_numeric(12345678901, 9));
}

/* Does nothing, and returns a bigint. */
Datum
noop_int8(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(12345678901);
}

/* What an aggregate does with a call: its cost and list cost, as integers. */
Datum
internal_cost(PG_FUNCTION_ARGS)
{
	NameCache  *names = fcinfo->flinfo->fn_extra;
	const PriceBook *book = price_book_arg(fcinfo, 0, NULL);
	Bytes		provider = packed_bytes(PG_GETARG_DATUM(1));
	Bytes		model = packed_bytes(PG_GETARG_DATUM(2));
	Bytes		tier = packed_bytes(PG_GETARG_DATUM(5));
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(3);
	Datum		tokens = PG_GETARG_DATUM(4);
	ModelName  *name;
	CallCost	cost;
	CallCost	list;

	if (names == NULL)
	{
		names = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(NameCache));
		name_cache_init(names, fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = names;
	}
	name = name_cache_get(names, book, provider.data, provider.len, model.data, model.len);
	cost = list = tokens_cost(book, name, at, tier, tokens, false);
	if (book->n_layers > 1)
		list = tokens_cost(book, name, at, tier, tokens, true);
	if (cost.unpriced != PRICED)
		PG_RETURN_NULL();
	PG_RETURN_INT64((int64) (cost.cost + list.cost));
}
