/*-------------------------------------------------------------------------
 *
 * tokens.c
 *	  The type tokens: how many tokens of each meter were used.
 *
 * Every token is counted in exactly one meter, so meters add up to totals.
 * A meter that was not reported is absent, which is not the same as zero.
 *
 * Stored form: two bytes, low byte first, whose lower 13 bits are the set of
 * reported meters and whose upper 3 the width of a count less one; then the
 * count of each of them in ascending order of meter, low byte first, all of
 * that width; zeros up to 8 bytes.  A call with input, cached and output
 * tokens takes 8 to 11 bytes, and a count is one load, one shift and one mask
 * (tokens_layout): with a length for every count the processor would mispredict
 * a branch for each.  The width is the least that holds the largest count, so equal values
 * are equal bytes.  The highest bit of the set stands for no meter; a longer
 * form may use it.
 *
 * The aggregate's state is the same type as an expanded object, so that a
 * sum over a billion calls allocates once.
 *
 *-------------------------------------------------------------------------
 */
#include "tokens.h"

#include "common/hashfn.h"
#include "common/int.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "scan.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"
#include "utils/numeric.h"

/* The longest value: the set, and each count in 8 bytes. */
#define TOKENS_MAX_PAYLOAD (TOKENS_HEADER + N_METERS * 8)

/* What tokens_send() starts with. */
#define TOKENS_WIRE_FORMAT 1

#define EXPANDED_TOKENS_MAGIC 0x746f6b6e

const MeterInfo meter_info[N_METERS] = {
#define METER_ROW(symbol, name, side, fallback) {name, side, fallback},
	METER_LIST(METER_ROW)
#undef METER_ROW
};

StaticAssertDecl(N_METERS < TOKENS_SET_BITS, "the stored set holds every meter");

typedef struct ExpandedTokens
{
	ExpandedObjectHeader hdr;
	int			magic;
	TokenCounts counts;
} ExpandedTokens;

SQL_FUNCTION(tokens_in);
SQL_FUNCTION(tokens_out);
SQL_FUNCTION(tokens_recv);
SQL_FUNCTION(tokens_send);
SQL_FUNCTION(tokens_make);
SQL_FUNCTION(tokens_from_jsonb);
SQL_FUNCTION(tokens_to_jsonb);
SQL_FUNCTION(tokens_meter);
SQL_FUNCTION(tokens_total);
SQL_FUNCTION(tokens_input_total);
SQL_FUNCTION(tokens_output_total);
SQL_FUNCTION(tokens_plus);
SQL_FUNCTION(tokens_minus);
SQL_FUNCTION(tokens_accum);
SQL_FUNCTION(tokens_eq);
SQL_FUNCTION(tokens_ne);
SQL_FUNCTION(tokens_lt);
SQL_FUNCTION(tokens_le);
SQL_FUNCTION(tokens_gt);
SQL_FUNCTION(tokens_ge);
SQL_FUNCTION(tokens_cmp);
SQL_FUNCTION(tokens_hash);
SQL_FUNCTION(tokens_hash_extended);
SQL_FUNCTION(meters);

/*
 * Meters
 */

Meter
meter_by_name(const char *name, int len)
{
	for (int m = 0; m < N_METERS; m++)
		if (strlen(meter_info[m].name) == len &&
			memcmp(meter_info[m].name, name, len) == 0)
			return m;
	return METER_NONE;
}

/* The names of all meters, for hints. */
static char *
meter_names(void)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int m = 0; m < N_METERS; m++)
		appendStringInfo(&buf, "%s%s", m > 0 ? ", " : "", meter_info[m].name);
	return buf.data;
}

Meter
meter_by_name_or_error(const text *name)
{
	Meter		meter = meter_by_name(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));

	if (meter == METER_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no meter \"%s\"", text_to_cstring(name)),
				 errhint("The meters are %s.", meter_names())));
	return meter;
}

/* The list of meters as rows: name, side, fallback. */
Datum
meters(PG_FUNCTION_ARGS)
{
	static const char *const side_name[] = {"input", "output", NULL};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int m = 0; m < N_METERS; m++)
	{
		const MeterInfo *info = &meter_info[m];
		Datum		values[3] = {0};
		bool		nulls[3] = {false};

		values[0] = CStringGetTextDatum(info->name);
		nulls[1] = side_name[info->side] == NULL;
		if (!nulls[1])
			values[1] = CStringGetTextDatum(side_name[info->side]);
		nulls[2] = info->fallback == METER_NONE;
		if (!nulls[2])
			values[2] = CStringGetTextDatum(meter_info[info->fallback].name);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}

/*
 * The stored form
 */

static pg_noinline NO_RETURN void
corrupted_tokens(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("corrupted value of type tokens")));
}

static Size
counts_write(unsigned char *payload, const TokenCounts *counts)
{
	unsigned char *p = payload;
	uint64		largest = 1;
	int			width;
	MeterSet	rest = counts->reported;
	Meter		m;

	FOR_EACH_METER(m, rest)
		largest |= counts->count[m];
	width = pg_leftmost_one_pos64(largest) / 8 + 1;

	*p++ = (unsigned char) counts->reported;
	*p++ = (unsigned char) (counts->reported >> 8 | (width - 1) << (TOKENS_SET_BITS - 8));
	rest = counts->reported;
	FOR_EACH_METER(m, rest)
		for (int i = 0; i < width; i++)
		*p++ = (unsigned char) (counts->count[m] >> (i * 8));
	while (p - payload < TOKENS_MIN_PAYLOAD)
		*p++ = 0;
	return p - payload;
}

/* Where the counts of common meters lie: the payload of a set and a width. */
#define COUNT_AT(set, width, m) \
	(TOKENS_HEADER + (width) * __builtin_popcount((set) & ((1 << (m)) - 1)))
#define PAYLOAD_LEN(set, width) \
	Max(COUNT_AT(set, width, N_COMMON_METERS), TOKENS_MIN_PAYLOAD)
#define COUNT_FROM(set, width, m) \
	Min(COUNT_AT(set, width, m), PAYLOAD_LEN(set, width) - 8)
#define COUNT_SHIFT(set, width, m) \
	((COUNT_AT(set, width, m) - COUNT_FROM(set, width, m)) * 8 & 63)
#define COUNT_MASK(set, width, m) \
	((set) >> (m) & 1 ? PG_UINT64_MAX >> (64 - (width) * 8) : 0)
#define FOR_COMMON(what, set, width) \
	{what(set, width, 0), what(set, width, 1), what(set, width, 2), what(set, width, 3), \
	 what(set, width, 4)}
#define LAYOUT(set, width) \
	{FOR_COMMON(COUNT_MASK, set, width), FOR_COMMON(COUNT_FROM, set, width), \
	 FOR_COMMON(COUNT_SHIFT, set, width), PAYLOAD_LEN(set, width)}
#define LAYOUTS_4(set, width) \
	LAYOUT(set, width), LAYOUT((set) + 1, width), LAYOUT((set) + 2, width), LAYOUT((set) + 3, width)
#define LAYOUTS_16(set, width) \
	LAYOUTS_4(set, width), LAYOUTS_4((set) + 4, width), LAYOUTS_4((set) + 8, width), \
	LAYOUTS_4((set) + 12, width)
#define LAYOUTS(width) LAYOUTS_16(0, width), LAYOUTS_16(16, width)

const TokensLayout tokens_layout[8 << N_COMMON_METERS] = {
	LAYOUTS(1), LAYOUTS(2), LAYOUTS(3), LAYOUTS(4),
	LAYOUTS(5), LAYOUTS(6), LAYOUTS(7), LAYOUTS(8)
};

StaticAssertDecl(N_COMMON_METERS == 5, "tokens_layout has a place for each set of common meters");

/* Takes any tokens value apart: what token_counts_read() does not do at once. */
void
token_counts_read_any(Datum tokens, TokenCounts *counts)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(tokens);
	const unsigned char *p;
	uint64		mask;
	MeterSet	rest;
	Size		len;
	Size		at = TOKENS_HEADER;
	int			width;
	Meter		m;

	if (VARATT_IS_EXTERNAL_EXPANDED(v))
	{
		ExpandedTokens *expanded = (ExpandedTokens *) DatumGetEOHP(tokens);

		if (expanded->magic != EXPANDED_TOKENS_MAGIC)
			corrupted_tokens();
		*counts = expanded->counts;
		return;
	}
	v = packed(v);
	p = (const unsigned char *) VARDATA_ANY(v);
	len = VARSIZE_ANY_EXHDR(v);
	if (len < TOKENS_MIN_PAYLOAD)
		corrupted_tokens();
	rest = p[0] | p[1] << 8;
	width = (rest >> TOKENS_SET_BITS) + 1;
	rest &= TOKENS_SET_MASK;
	if ((rest & ~ALL_METERS) != 0)
		corrupted_tokens();
	memset(counts, 0, sizeof(TokenCounts));
	counts->reported = rest;
	mask = PG_UINT64_MAX >> (64 - width * 8);
	FOR_EACH_METER(m, rest)
	{
		/* out of 8 bytes that lie within the value */
		Size		from = Min(at, len - 8);

		counts->count[m] = (int64) (load_little_endian(p + from) >> ((at - from) * 8 & 63) & mask);
		at += width;
	}
	if (len != Max(at, TOKENS_MIN_PAYLOAD))
		corrupted_tokens();
}

Datum
token_counts_datum(const TokenCounts *counts)
{
	unsigned char payload[TOKENS_MAX_PAYLOAD];
	Size		len = counts_write(payload, counts);
	struct varlena *v = palloc(VARHDRSZ + len);

	SET_VARSIZE(v, VARHDRSZ + len);
	memcpy(VARDATA(v), payload, len);
	return PointerGetDatum(v);
}

/*
 * Counting
 */

static pg_noinline NO_RETURN void
tokens_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("token count out of range"),
			 errdetail("A count of tokens is at most " INT64_FORMAT ".", PG_INT64_MAX)));
}

int64
token_counts_sum(const TokenCounts *counts, MeterSet meters)
{
	int64		sum = 0;
	MeterSet	rest = counts->reported & meters;
	Meter		m;

	FOR_EACH_METER(m, rest)
	{
		if (unlikely(pg_add_s64_overflow(sum, counts->count[m], &sum)))
			tokens_out_of_range();
	}
	return sum;
}

void
token_counts_add(TokenCounts *into, const TokenCounts *counts)
{
	MeterSet	rest = counts->reported;
	Meter		m;

	FOR_EACH_METER(m, rest)
	{
		if (!(into->reported & METER_BIT(m)))
			into->count[m] = counts->count[m];
		else if (unlikely(pg_add_s64_overflow(into->count[m], counts->count[m],
											  &into->count[m])))
			tokens_out_of_range();
	}
	into->reported |= counts->reported;
}

/*
 * Text, jsonb and binary forms
 */

/* Sets the count of one meter; the FlatTake of tokens. */
static bool
take_count(void *target, const FlatMember *member, Node *escontext)
{
	TokenCounts *counts = target;
	Meter		meter = meter_by_name(member->key, member->key_len);
	int64		count;

	if (meter == METER_NONE)
		ereturn(escontext, false,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid value for type tokens: there is no meter \"%.*s\"",
						member->key_len, member->key),
				 errhint("The meters are %s.", meter_names())));
	if (member->kind == FLAT_NULL)
		return true;			/* not reported */
	if (member->kind != FLAT_NUMBER)
		ereturn(escontext, false,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid value for type tokens: meter \"%s\" is not a number",
						meter_info[meter].name)));
	if (counts->reported & METER_BIT(meter))
		ereturn(escontext, false,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid value for type tokens: meter \"%s\" is given twice",
						meter_info[meter].name)));
	switch (decimal_read(member->value, member->value_len, 0, &count))
	{
		case DECIMAL_OK:
			break;
		case DECIMAL_RANGE:
			ereturn(escontext, false,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("token count \"%.*s\" of meter \"%s\" is out of range",
							member->value_len, member->value, meter_info[meter].name),
					 errdetail("A count of tokens is at most " INT64_FORMAT ".",
							   PG_INT64_MAX)));
		case DECIMAL_SYNTAX:
		case DECIMAL_NEGATIVE:
		case DECIMAL_INEXACT:
			ereturn(escontext, false,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid token count \"%.*s\" of meter \"%s\"",
							member->value_len, member->value, meter_info[meter].name),
					 errdetail("A count of tokens is a whole number, zero or more.")));
	}
	counts->reported |= METER_BIT(meter);
	counts->count[meter] = count;
	return true;
}

Datum
tokens_in(PG_FUNCTION_ARGS)
{
	TokenCounts counts = {0};

	if (!flat_from_text(PG_GETARG_CSTRING(0), "tokens", take_count, &counts,
						fcinfo->context))
		PG_RETURN_NULL();
	return token_counts_datum(&counts);
}

void
token_counts_from_jsonb(JsonbContainer *object, TokenCounts *counts)
{
	memset(counts, 0, sizeof(TokenCounts));
	flat_from_jsonb(object, "tokens", take_count, counts);
}

Datum
tokens_from_jsonb(PG_FUNCTION_ARGS)
{
	Jsonb	   *jsonb = PG_GETARG_JSONB_P(0);
	TokenCounts counts;

	token_counts_from_jsonb(&jsonb->root, &counts);
	return token_counts_datum(&counts);
}

/*
 * The order in which meters are written: totals read from left to right.  It
 * differs from the order of the list, which is the order of stored bytes.
 */
void
token_counts_append(StringInfo buf, const TokenCounts *counts)
{
	const char *separator = "";

	appendStringInfoChar(buf, '{');
	for (int side = SIDE_INPUT; side <= SIDE_NONE; side++)
	{
		MeterSet	rest = counts->reported & meters_of_side(side);
		Meter		m;

		FOR_EACH_METER(m, rest)
		{
			appendStringInfo(buf, "%s\"%s\": " INT64_FORMAT, separator,
							 meter_info[m].name, counts->count[m]);
			separator = ", ";
		}
	}
	appendStringInfoChar(buf, '}');
}

Datum
tokens_out(PG_FUNCTION_ARGS)
{
	TokenCounts counts;
	StringInfoData buf;

	token_counts_read(PG_GETARG_DATUM(0), &counts);
	initStringInfo(&buf);
	token_counts_append(&buf, &counts);
	PG_RETURN_CSTRING(buf.data);
}

Datum
tokens_to_jsonb(PG_FUNCTION_ARGS)
{
	TokenCounts counts;
	JsonbParseState *state = NULL;
	JsonbValue	v;
	MeterSet	rest;
	Meter		m;

	token_counts_read(PG_GETARG_DATUM(0), &counts);
	rest = counts.reported;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	FOR_EACH_METER(m, rest)
	{
		v.type = jbvString;
		v.val.string.val = unconstify(char *, meter_info[m].name);
		v.val.string.len = strlen(meter_info[m].name);
		pushJsonbValue(&state, WJB_KEY, &v);
		v.type = jbvNumeric;
		v.val.numeric = int64_to_numeric(counts.count[m]);
		pushJsonbValue(&state, WJB_VALUE, &v);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

Datum
tokens_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	TokenCounts counts = {0};
	MeterSet	rest;
	Meter		m;

	if (pq_getmsgint(buf, 1) != TOKENS_WIRE_FORMAT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unknown binary format of type tokens")));
	counts.reported = rest = pq_getmsgint(buf, 4);
	if ((rest & ~ALL_METERS) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value of type tokens: unknown meter"),
				 errdetail("The set of meters is 0x%X; this version knows 0x%X.",
						   rest, ALL_METERS)));
	FOR_EACH_METER(m, rest)
	{
		counts.count[m] = pq_getmsgint64(buf);
		if (counts.count[m] < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid binary value of type tokens: meter \"%s\" is below zero",
							meter_info[m].name)));
	}
	return token_counts_datum(&counts);
}

Datum
tokens_send(PG_FUNCTION_ARGS)
{
	TokenCounts counts;
	StringInfoData buf;
	MeterSet	rest;
	Meter		m;

	token_counts_read(PG_GETARG_DATUM(0), &counts);
	rest = counts.reported;
	pq_begintypsend(&buf);
	pq_sendint8(&buf, TOKENS_WIRE_FORMAT);
	pq_sendint32(&buf, counts.reported);
	FOR_EACH_METER(m, rest)
		pq_sendint64(&buf, counts.count[m]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* tokens(input => ..., ...): one argument for each meter, in the order of the list. */
Datum
tokens_make(PG_FUNCTION_ARGS)
{
	TokenCounts counts = {0};

	if (PG_NARGS() != N_METERS)
		elog(ERROR, "tokens_make takes %d arguments, not %d", N_METERS, PG_NARGS());
	for (int m = 0; m < N_METERS; m++)
	{
		if (PG_ARGISNULL(m))
			continue;
		counts.reported |= METER_BIT(m);
		counts.count[m] = PG_GETARG_INT64(m);
		if (counts.count[m] < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid token count " INT64_FORMAT " of meter \"%s\"",
							counts.count[m], meter_info[m].name),
					 errdetail("A count of tokens is a whole number, zero or more.")));
	}
	return token_counts_datum(&counts);
}

/*
 * Accessors and arithmetic
 */

/* tokens -> text: the count of one meter, NULL where it was not reported. */
Datum
tokens_meter(PG_FUNCTION_ARGS)
{
	TokenCounts counts;
	Meter		meter = meter_by_name_or_error(PG_GETARG_TEXT_PP(1));

	token_counts_read(PG_GETARG_DATUM(0), &counts);
	if (!(counts.reported & METER_BIT(meter)))
		PG_RETURN_NULL();
	PG_RETURN_INT64(counts.count[meter]);
}

static Datum
sum_of(Datum tokens, MeterSet meters)
{
	TokenCounts counts;

	token_counts_read(tokens, &counts);
	return Int64GetDatum(token_counts_sum(&counts, meters));
}

Datum
tokens_total(PG_FUNCTION_ARGS)
{
	return sum_of(PG_GETARG_DATUM(0), ALL_METERS & ~meters_of_side(SIDE_NONE));
}

Datum
tokens_input_total(PG_FUNCTION_ARGS)
{
	return sum_of(PG_GETARG_DATUM(0), meters_of_side(SIDE_INPUT));
}

Datum
tokens_output_total(PG_FUNCTION_ARGS)
{
	return sum_of(PG_GETARG_DATUM(0), meters_of_side(SIDE_OUTPUT));
}

Datum
tokens_plus(PG_FUNCTION_ARGS)
{
	TokenCounts a,
				b;

	token_counts_read(PG_GETARG_DATUM(0), &a);
	token_counts_read(PG_GETARG_DATUM(1), &b);
	token_counts_add(&a, &b);
	return token_counts_datum(&a);
}

Datum
tokens_minus(PG_FUNCTION_ARGS)
{
	TokenCounts a,
				b;
	MeterSet	rest;
	Meter		m;

	token_counts_read(PG_GETARG_DATUM(0), &a);
	token_counts_read(PG_GETARG_DATUM(1), &b);
	rest = b.reported;
	FOR_EACH_METER(m, rest)
	{
		int64		had = (a.reported & METER_BIT(m)) ? a.count[m] : 0;

		if (b.count[m] > had)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("cannot take " INT64_FORMAT " tokens of meter \"%s\" from " INT64_FORMAT,
							b.count[m], meter_info[m].name, had)));
		a.count[m] = had - b.count[m];
	}
	a.reported |= b.reported;
	return token_counts_datum(&a);
}

/*
 * The aggregate sum(tokens)
 */

static Size
expanded_size(ExpandedObjectHeader *eohptr)
{
	unsigned char payload[TOKENS_MAX_PAYLOAD];

	return VARHDRSZ + counts_write(payload, &((ExpandedTokens *) eohptr)->counts);
}

static void
expanded_flatten(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	unsigned char payload[TOKENS_MAX_PAYLOAD];
	Size		len = counts_write(payload, &((ExpandedTokens *) eohptr)->counts);

	Assert(allocated_size == VARHDRSZ + len);
	SET_VARSIZE(result, allocated_size);
	memcpy(VARDATA(result), payload, len);
}

static const ExpandedObjectMethods expanded_tokens_methods = {
	expanded_size,
	expanded_flatten
};

/*
 * Transition and combine function at once: tokens_accum(state, value).  The
 * state is changed in place only inside an aggregate.
 */
Datum
tokens_accum(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext;
	ExpandedTokens *state;
	TokenCounts counts;

	if (!AggCheckCallContext(fcinfo, &aggcontext))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("tokens_accum is called by aggregates only"),
				 errhint("Use the operator + to add two values of type tokens.")));

	if (!PG_ARGISNULL(0) &&
		VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(PG_GETARG_DATUM(0))))
	{
		state = (ExpandedTokens *) DatumGetEOHP(PG_GETARG_DATUM(0));
		if (state->magic != EXPANDED_TOKENS_MAGIC)
			corrupted_tokens();
	}
	else if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	else
	{
		MemoryContext mine = AllocSetContextCreate(aggcontext, "sum of tokens",
												   ALLOCSET_SMALL_SIZES);

		state = MemoryContextAllocZero(mine, sizeof(ExpandedTokens));
		EOH_init_header(&state->hdr, &expanded_tokens_methods, mine);
		state->magic = EXPANDED_TOKENS_MAGIC;
		if (!PG_ARGISNULL(0))
			token_counts_read(PG_GETARG_DATUM(0), &state->counts);
	}
	if (!PG_ARGISNULL(1))
	{
		token_counts_read(PG_GETARG_DATUM(1), &counts);
		token_counts_add(&state->counts, &counts);
	}
	return EOHPGetRWDatum(&state->hdr);
}

/*
 * Comparison: meter by meter in the order of the list; an absent one is below
 * a zero.
 */

static int
compare(FunctionCallInfo fcinfo)
{
	TokenCounts a,
				b;

	token_counts_read(PG_GETARG_DATUM(0), &a);
	token_counts_read(PG_GETARG_DATUM(1), &b);
	for (int m = 0; m < N_METERS; m++)
	{
		int64		x = (a.reported & METER_BIT(m)) ? a.count[m] : -1;
		int64		y = (b.reported & METER_BIT(m)) ? b.count[m] : -1;

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

Datum
tokens_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) == 0);
}

Datum
tokens_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) != 0);
}

Datum
tokens_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) < 0);
}

Datum
tokens_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) <= 0);
}

Datum
tokens_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) > 0);
}

Datum
tokens_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) >= 0);
}

Datum
tokens_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare(fcinfo));
}

Datum
tokens_hash(PG_FUNCTION_ARGS)
{
	TokenCounts counts;
	unsigned char payload[TOKENS_MAX_PAYLOAD];

	token_counts_read(PG_GETARG_DATUM(0), &counts);
	return hash_any(payload, counts_write(payload, &counts));
}

Datum
tokens_hash_extended(PG_FUNCTION_ARGS)
{
	TokenCounts counts;
	unsigned char payload[TOKENS_MAX_PAYLOAD];

	token_counts_read(PG_GETARG_DATUM(0), &counts);
	return hash_any_extended(payload, counts_write(payload, &counts),
							 PG_GETARG_INT64(1));
}
