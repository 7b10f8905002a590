/*-------------------------------------------------------------------------
 *
 * behaviour.c
 *	  How calls are made: what would be spent if they thought less.
 *
 *-------------------------------------------------------------------------
 */
#include "tokens.h"

#include "utils/builtins.h"

SQL_FUNCTION(tokens_capped);

/*
 * capped(tokens, meter, cap): the same tokens with at most so many of a meter;
 * what was not reported stays so.
 */
Datum
tokens_capped(PG_FUNCTION_ARGS)
{
	Meter		meter = meter_by_name_or_error(PG_GETARG_TEXT_PP(1));
	int64		cap = PG_GETARG_INT64(2);
	TokenCounts tokens;

	if (cap < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a cap must be zero or more, not " INT64_FORMAT, cap)));
	token_counts_read(PG_GETARG_DATUM(0), &tokens);
	tokens.count[meter] = Min(tokens.count[meter], cap);
	return token_counts_datum(&tokens);
}
