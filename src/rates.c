/*-------------------------------------------------------------------------
 *
 * rates.c
 *	  The type rates: what a million tokens of each meter costs, in one
 *	  currency, exactly.
 *
 * A rate is an integer number of 1e-15 currency units a token, which is nine
 * decimals of a price per million.  What does not fit is refused at input,
 * never rounded.  A rate of zero is a price; a meter that is not named has no
 * rate of its own and may take another meter's (see METER_LIST).
 *
 * Stored form: the struct below, with one rate for each named meter in
 * ascending order of meter.
 *
 *-------------------------------------------------------------------------
 */
#include "rates.h"

#include "common/hashfn.h"
#include "common/int.h"
#include "libpq/pqformat.h"
#include "scan.h"
#include "utils/builtins.h"

#define RATES_FORMAT 1
#define RATES_WIRE_FORMAT 1

typedef struct Rates
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		format;			/* RATES_FORMAT */
	uint8		reserved[3];	/* zero */
	Currency	currency;
	MeterSet	named;
	uint32		reserved2;		/* zero */
	int64		rate[FLEXIBLE_ARRAY_MEMBER];
} Rates;

StaticAssertDecl(offsetof(Rates, rate) == 24, "the format of stored rates");

/* What take_rate() fills. */
typedef struct RateInput
{
	RateCard	card;
	bool		has_currency;
} RateInput;

SQL_FUNCTION(rates_in);
SQL_FUNCTION(rates_out);
SQL_FUNCTION(rates_recv);
SQL_FUNCTION(rates_send);
SQL_FUNCTION(rates_from_jsonb);
SQL_FUNCTION(rates_to_jsonb);
SQL_FUNCTION(rates_currency);
SQL_FUNCTION(rates_rate);
SQL_FUNCTION(rates_effective_rate);
SQL_FUNCTION(rates_scale);
SQL_FUNCTION(rates_scale_commuted);
SQL_FUNCTION(rates_cost_of_tokens);
SQL_FUNCTION(rates_eq);
SQL_FUNCTION(rates_ne);
SQL_FUNCTION(rates_lt);
SQL_FUNCTION(rates_le);
SQL_FUNCTION(rates_gt);
SQL_FUNCTION(rates_ge);
SQL_FUNCTION(rates_cmp);
SQL_FUNCTION(rates_hash);
SQL_FUNCTION(rates_hash_extended);
SQL_FUNCTION(round_float_noise);

/*
 * Currencies
 */

bool
currency_equal(const Currency *a, const Currency *b)
{
	return memcmp(a->code, b->code, CURRENCY_SIZE) == 0;
}

int
currency_length(const Currency *currency)
{
	return strnlen(currency->code, CURRENCY_SIZE);
}

char *
currency_cstring(const Currency *currency)
{
	return pnstrdup(currency->code, currency_length(currency));
}

text *
currency_text(const Currency *currency)
{
	return cstring_to_text_with_len(currency->code, currency_length(currency));
}

/* Reads a currency: 3 to 8 capitals, digits or underscores, a capital first. */
bool
currency_read(const char *str, int len, Currency *currency)
{
	if (len < 3 || len > CURRENCY_SIZE)
		return false;
	for (int i = 0; i < len; i++)
		if (!((str[i] >= 'A' && str[i] <= 'Z') ||
			  (i > 0 && ((str[i] >= '0' && str[i] <= '9') || str[i] == '_'))))
			return false;
	memset(currency->code, 0, CURRENCY_SIZE);
	memcpy(currency->code, str, len);
	return true;
}

/*
 * The stored form
 */

void
rate_card_read(Datum datum, RateCard *card)
{
	Rates	   *rates = (Rates *) PG_DETOAST_DATUM(datum);
	MeterSet	rest;
	Meter		m;
	int			i = 0;

	if (VARSIZE(rates) < offsetof(Rates, rate) ||
		rates->format != RATES_FORMAT ||
		(rates->named & ~ALL_METERS) != 0 ||
		VARSIZE(rates) != offsetof(Rates, rate) +
		pg_popcount32(rates->named) * sizeof(int64))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("corrupted value of type rates")));
	memset(card, 0, sizeof(RateCard));
	card->currency = rates->currency;
	card->named = rest = rates->named;
	FOR_EACH_METER(m, rest)
		card->rate[m] = rates->rate[i++];
}

Datum
rate_card_datum(const RateCard *card)
{
	Size		size = offsetof(Rates, rate) +
	pg_popcount32(card->named) * sizeof(int64);
	Rates	   *rates = palloc0(size);
	MeterSet	rest = card->named;
	Meter		m;
	int			i = 0;

	SET_VARSIZE(rates, size);
	rates->format = RATES_FORMAT;
	rates->currency = card->currency;
	rates->named = card->named;
	FOR_EACH_METER(m, rest)
		rates->rate[i++] = card->rate[m];
	return PointerGetDatum(rates);
}

/*
 * Text, jsonb and binary forms
 */

/* Sets the currency or one rate; the FlatTake of rates. */
static bool
take_rate(void *target, const FlatMember *member, Node *escontext)
{
	RateInput  *input = target;
	Meter		meter;
	int64		rate;

	if (member->key_len == 8 && memcmp(member->key, "currency", 8) == 0)
	{
		if (input->has_currency)
			ereturn(escontext, false,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid value for type rates: the currency is given twice")));
		if (member->kind != FLAT_STRING ||
			!currency_read(member->value, member->value_len, &input->card.currency))
			ereturn(escontext, false,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid value for type rates: invalid currency"),
					 errdetail("A currency is 3 to 8 capital letters, digits and underscores, such as \"USD\".")));
		input->has_currency = true;
		return true;
	}

	meter = meter_by_name(member->key, member->key_len);
	if (meter == METER_NONE)
		ereturn(escontext, false,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid value for type rates: there is no meter \"%.*s\"",
						member->key_len, member->key),
				 errhint("The function meters() lists the meters.")));
	if (member->kind == FLAT_NULL)
		return true;			/* no rate */
	if (member->kind != FLAT_NUMBER)
		ereturn(escontext, false,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid value for type rates: the rate of meter \"%s\" is not a number",
						meter_info[meter].name)));
	if (input->card.named & METER_BIT(meter))
		ereturn(escontext, false,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid value for type rates: meter \"%s\" is given twice",
						meter_info[meter].name)));
	switch (decimal_read(member->value, member->value_len, RATE_SCALE, &rate))
	{
		case DECIMAL_OK:
			break;
		case DECIMAL_SYNTAX:
		case DECIMAL_NEGATIVE:
			ereturn(escontext, false,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid rate \"%.*s\" of meter \"%s\"",
							member->value_len, member->value, meter_info[meter].name),
					 errdetail("A rate is a price per million, zero or more.")));
		case DECIMAL_INEXACT:
			ereturn(escontext, false,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("rate \"%.*s\" of meter \"%s\" has too many decimals",
							member->value_len, member->value, meter_info[meter].name),
					 errdetail("A rate per million has at most %d decimals; it is never rounded.",
							   RATE_SCALE)));
		case DECIMAL_RANGE:
			ereturn(escontext, false,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("rate \"%.*s\" of meter \"%s\" is out of range",
							member->value_len, member->value, meter_info[meter].name),
					 errdetail("A rate per million is at most 9223372036.854775807.")));
	}
	input->card.named |= METER_BIT(meter);
	input->card.rate[meter] = rate;
	return true;
}

static bool
check_currency_given(const RateInput *input, Node *escontext)
{
	if (input->has_currency)
		return true;
	ereturn(escontext, false,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid value for type rates: no currency"),
			 errhint("Name it, as in {\"currency\": \"USD\", \"input\": 3, \"output\": 15}.")));
}

Datum
rates_in(PG_FUNCTION_ARGS)
{
	RateInput	input = {0};

	if (!flat_from_text(PG_GETARG_CSTRING(0), "rates", take_rate, &input,
						fcinfo->context) ||
		!check_currency_given(&input, fcinfo->context))
		PG_RETURN_NULL();
	return rate_card_datum(&input.card);
}

void
rate_card_from_jsonb(JsonbContainer *object, RateCard *card)
{
	RateInput	input = {0};

	flat_from_jsonb(object, "rates", take_rate, &input);
	check_currency_given(&input, NULL);
	*card = input.card;
}

Datum
rates_from_jsonb(PG_FUNCTION_ARGS)
{
	Jsonb	   *jsonb = PG_GETARG_JSONB_P(0);
	RateCard	card;

	rate_card_from_jsonb(&jsonb->root, &card);
	return rate_card_datum(&card);
}

void
rate_card_append(StringInfo buf, const RateCard *card)
{
	appendStringInfo(buf, "{\"currency\": \"%.*s\"",
					 currency_length(&card->currency), card->currency.code);
	for (int side = SIDE_INPUT; side <= SIDE_NONE; side++)
	{
		MeterSet	rest = card->named & meters_of_side(side);
		Meter		m;

		FOR_EACH_METER(m, rest)
		{
			appendStringInfo(buf, ", \"%s\": ", meter_info[m].name);
			decimal_append(buf, card->rate[m], RATE_SCALE);
		}
	}
	appendStringInfoChar(buf, '}');
}

Datum
rates_out(PG_FUNCTION_ARGS)
{
	RateCard	card;
	StringInfoData buf;

	rate_card_read(PG_GETARG_DATUM(0), &card);
	initStringInfo(&buf);
	rate_card_append(&buf, &card);
	PG_RETURN_CSTRING(buf.data);
}

Datum
rates_to_jsonb(PG_FUNCTION_ARGS)
{
	return DirectFunctionCall1(jsonb_in, rates_out(fcinfo));
}

void
rate_card_recv(StringInfo buf, RateCard *card)
{
	char		code[CURRENCY_SIZE];
	MeterSet	rest;
	Meter		m;

	memset(card, 0, sizeof(RateCard));
	if (pq_getmsgint(buf, 1) != RATES_WIRE_FORMAT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unknown binary format of type rates")));
	pq_copymsgbytes(buf, code, CURRENCY_SIZE);
	for (int i = strnlen(code, CURRENCY_SIZE); i < CURRENCY_SIZE; i++)
		if (code[i] != '\0')
			code[0] = '\0';		/* not padded with zeros */
	if (!currency_read(code, strnlen(code, CURRENCY_SIZE), &card->currency))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value of type rates: invalid currency")));
	card->named = rest = pq_getmsgint(buf, 4);
	if ((rest & ~ALL_METERS) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value of type rates: unknown meter")));
	FOR_EACH_METER(m, rest)
	{
		card->rate[m] = pq_getmsgint64(buf);
		if (card->rate[m] < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid binary value of type rates: the rate of meter \"%s\" is below zero",
							meter_info[m].name)));
	}
}

void
rate_card_send(StringInfo buf, const RateCard *card)
{
	MeterSet	rest = card->named;
	Meter		m;

	pq_sendint8(buf, RATES_WIRE_FORMAT);
	pq_sendbytes(buf, card->currency.code, CURRENCY_SIZE);
	pq_sendint32(buf, card->named);
	FOR_EACH_METER(m, rest)
		pq_sendint64(buf, card->rate[m]);
}

Datum
rates_recv(PG_FUNCTION_ARGS)
{
	RateCard	card;

	rate_card_recv((StringInfo) PG_GETARG_POINTER(0), &card);
	return rate_card_datum(&card);
}

Datum
rates_send(PG_FUNCTION_ARGS)
{
	RateCard	card;
	StringInfoData buf;

	rate_card_read(PG_GETARG_DATUM(0), &card);
	pq_begintypsend(&buf);
	rate_card_send(&buf, &card);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/*
 * Fallbacks
 */

/* The meter whose rate prices this meter, or METER_NONE. */
Meter
rate_source(MeterSet named, Meter meter)
{
	while (meter != METER_NONE && !(named & METER_BIT(meter)))
		meter = meter_info[meter].fallback;
	return meter;
}

void
rates_resolve(const RateCard *card, PricedRates *priced)
{
	memset(priced, 0, sizeof(PricedRates));
	priced->currency = card->currency;
	priced->named = card->named;
	for (int m = 0; m < N_METERS; m++)
	{
		Meter		source = rate_source(card->named, m);

		if (source == METER_NONE)
			continue;
		priced->priced |= METER_BIT(m);
		priced->rate[m] = card->rate[source];
	}
}

/*
 * Accessors and arithmetic
 */

/* A rate as the price of a million. */
Datum
rate_to_numeric(int64 rate)
{
	return NumericGetDatum(money_to_numeric((Money) rate * 1000000));
}

Datum
rates_currency(PG_FUNCTION_ARGS)
{
	RateCard	card;

	rate_card_read(PG_GETARG_DATUM(0), &card);
	PG_RETURN_TEXT_P(currency_text(&card.currency));
}

/* rates -> text: the rate that a meter has of its own. */
Datum
rates_rate(PG_FUNCTION_ARGS)
{
	RateCard	card;
	Meter		meter = meter_by_name_or_error(PG_GETARG_TEXT_PP(1));

	rate_card_read(PG_GETARG_DATUM(0), &card);
	if (!(card.named & METER_BIT(meter)))
		PG_RETURN_NULL();
	return rate_to_numeric(card.rate[meter]);
}

/* The rate that a meter is priced at, by fallback where it has none. */
Datum
rates_effective_rate(PG_FUNCTION_ARGS)
{
	RateCard	card;
	Meter		meter = meter_by_name_or_error(PG_GETARG_TEXT_PP(1));

	rate_card_read(PG_GETARG_DATUM(0), &card);
	meter = rate_source(card.named, meter);
	if (meter == METER_NONE)
		PG_RETURN_NULL();
	return rate_to_numeric(card.rate[meter]);
}

static Datum
scale_rates(Datum rates, Datum factor)
{
	RateCard	card;
	char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out, factor));
	int			decimals = 0;
	char	   *point = strchr(digits, '.');
	int64		mantissa;
	int64		divisor = 1;
	MeterSet	rest;
	Meter		m;

	/* take the factor apart: mantissa / 10^decimals */
	if (point != NULL)
	{
		char	   *last = digits + strlen(digits) - 1;

		while (*last == '0')
			last--;
		decimals = last - point;
		*(last + 1) = '\0';
		if (decimals == 0)
			*point = '\0';
	}
	if (decimals > 18 ||
		decimal_read(digits, strlen(digits), decimals, &mantissa) != DECIMAL_OK)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cannot multiply rates by %s",
						DatumGetCString(DirectFunctionCall1(numeric_out, factor))),
				 errdetail("A factor is zero or more and has at most 18 digits.")));
	for (int i = 0; i < decimals; i++)
		divisor *= 10;

	rate_card_read(rates, &card);
	rest = card.named;
	FOR_EACH_METER(m, rest)
	{
		int128		product = (int128) card.rate[m] * mantissa;

		if (product % divisor != 0)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("rate of meter \"%s\" times %s has too many decimals",
							meter_info[m].name,
							DatumGetCString(DirectFunctionCall1(numeric_out, factor))),
					 errdetail("A rate per million has at most %d decimals; it is never rounded.",
							   RATE_SCALE)));
		product /= divisor;
		if (product > PG_INT64_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("rate of meter \"%s\" times %s is out of range",
							meter_info[m].name,
							DatumGetCString(DirectFunctionCall1(numeric_out, factor))),
					 errdetail("A rate per million is at most 9223372036.854775807.")));
		card.rate[m] = (int64) product;
	}
	return rate_card_datum(&card);
}

/* rates * numeric: exact, or refused. */
Datum
rates_scale(PG_FUNCTION_ARGS)
{
	return scale_rates(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1));
}

Datum
rates_scale_commuted(PG_FUNCTION_ARGS)
{
	return scale_rates(PG_GETARG_DATUM(1), PG_GETARG_DATUM(0));
}

/* cost(rates, tokens): NULL where a meter that was used has no rate. */
Datum
rates_cost_of_tokens(PG_FUNCTION_ARGS)
{
	RateCard	card;
	PricedRates priced;
	TokenCounts counts;
	Money		cost;

	rate_card_read(PG_GETARG_DATUM(0), &card);
	rates_resolve(&card, &priced);
	token_counts_read(PG_GETARG_DATUM(1), &counts);
	if (!rates_cost(&priced, &counts, &cost))
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(money_to_numeric(cost));
}

/*
 * What a float that was printed in decimal was meant to be: 15 significant
 * digits.  Importers only; a rate typed in by a person is taken as it is.
 */
Datum
round_float_noise(PG_FUNCTION_ARGS)
{
	float8		value = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
														   PG_GETARG_DATUM(0)));
	char		digits[64];

	snprintf(digits, sizeof(digits), "%.15g", value);
	return DirectFunctionCall3(numeric_in, CStringGetDatum(digits),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/*
 * Comparison: by currency, then meter by meter in the order of the list; a
 * missing rate is below a rate of zero.
 */

static int
compare(FunctionCallInfo fcinfo)
{
	RateCard	a,
				b;
	int			order;

	rate_card_read(PG_GETARG_DATUM(0), &a);
	rate_card_read(PG_GETARG_DATUM(1), &b);
	order = memcmp(a.currency.code, b.currency.code, CURRENCY_SIZE);
	if (order != 0)
		return order;
	for (int m = 0; m < N_METERS; m++)
	{
		int64		x = (a.named & METER_BIT(m)) ? a.rate[m] : -1;
		int64		y = (b.named & METER_BIT(m)) ? b.rate[m] : -1;

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

Datum
rates_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) == 0);
}

Datum
rates_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) != 0);
}

Datum
rates_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) < 0);
}

Datum
rates_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) <= 0);
}

Datum
rates_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) > 0);
}

Datum
rates_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) >= 0);
}

Datum
rates_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare(fcinfo));
}

/* Equal rates are equal bytes, apart from the varlena header. */
static const unsigned char *
image(Datum datum, int *len)
{
	struct varlena *v = PG_DETOAST_DATUM_PACKED(datum);

	*len = VARSIZE_ANY_EXHDR(v);
	return (const unsigned char *) VARDATA_ANY(v);
}

Datum
rates_hash(PG_FUNCTION_ARGS)
{
	int			len;
	const unsigned char *bytes = image(PG_GETARG_DATUM(0), &len);

	return hash_any(bytes, len);
}

Datum
rates_hash_extended(PG_FUNCTION_ARGS)
{
	int			len;
	const unsigned char *bytes = image(PG_GETARG_DATUM(0), &len);

	return hash_any_extended(bytes, len, PG_GETARG_INT64(1));
}
