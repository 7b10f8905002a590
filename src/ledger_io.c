/*-------------------------------------------------------------------------
 *
 * ledger_io.c
 *	  The forms of a ledger: stored, binary and text.
 *
 * Stored form, all numbers as varints (7 bits a byte, low ones first, the
 * highest bit says that more follow):
 *
 *	  format, grain, zone
 *	  strings		number of them; each a length and its bytes, in byte order
 *	  lines			number of them; each:
 *		  period	as the distance from the line before, 0 and up first
 *		  strings	provider, model, service tier, label; 0: NULL
 *		  sameness	bits: the list side is as the contracted one; its costs too
 *		  sides		one or both: reason, flags, thresholds, windows, meters
 *					without a rate, currency
 *		  values	calls, set of meters, a count for each, fallback tokens
 *		  costs		of each side that is priced, for each meter
 *
 * Lines come in the order of their keys, so equal ledgers are equal bytes.
 * The binary form is the same with strings in the encoding of the client.
 * Whatever reads lines checks them, wherever they come from.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger.h"

#include "json.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "varint.h"

#define LEDGER_FORMAT 1
#define LEDGER_WIRE_FORMAT 1
#define LEDGER_TYPE "ledger"

/* Sameness of the two sides of a line. */
#define SAME_SIDE 1
#define SAME_COST 2

SQL_FUNCTION(ledger_in);
SQL_FUNCTION(ledger_out);
SQL_FUNCTION(ledger_recv);
SQL_FUNCTION(ledger_send);

/*
 * Writing
 */

static char *
write_side(char *to, const LineSide *side)
{
	int			currency_len = currency_length(&side->currency);

	to = write_number(to, side->unpriced);
	to = write_number(to, side->basis | side->off_peak << 1 | side->flags << 2);
	to = write_signed(to, side->above);
	to = write_number(to, side->up_to == PG_INT64_MAX ? 0 : (uint64) side->up_to + 1);
	to = write_number(to, side->windows);
	to = write_number(to, side->lacking);
	to = write_number(to, currency_len);
	memcpy(to, side->currency.code, currency_len);
	return to + currency_len;
}

static char *
write_costs(char *to, const LedgerLine *line, Side side)
{
	MeterSet	rest = line->tokens.reported;
	Meter		m;

	FOR_EACH_METER(m, rest)
		to = write_number(to, line->cost[side][m]);
	return to;
}

/* The numbers of a line are 9, and 7 of each side; and 3 for each meter. */
#define MAX_LINE_LEN \
	((9 + N_SIDES * 7 + 3 * N_METERS) * MAX_NUMBER_LEN + N_SIDES * CURRENCY_SIZE)

static void
put_line(StringInfo buf, const LedgerLine *line, const uint32 *ranks, TimestampTz period_before)
{
	const LineSide *contracted = &line->key.side[CONTRACTED];
	const LineSide *list = &line->key.side[LIST];
	int			same = 0;
	MeterSet	rest = line->tokens.reported;
	char	   *to;
	Meter		m;

	enlargeStringInfo(buf, MAX_LINE_LEN);
	to = buf->data + buf->len;
	to = write_signed(to, line->key.period - period_before);
	to = write_number(to, ranks[line->key.provider]);
	to = write_number(to, ranks[line->key.model]);
	to = write_number(to, ranks[line->key.service_tier]);
	to = write_number(to, ranks[line->key.label]);
	if (memcmp(contracted, list, sizeof(LineSide)) == 0)
		same |= SAME_SIDE;
	if (memcmp(line->cost[CONTRACTED], line->cost[LIST], sizeof(line->cost[LIST])) == 0)
		same |= SAME_COST;
	to = write_number(to, same);
	to = write_side(to, contracted);
	if (!(same & SAME_SIDE))
		to = write_side(to, list);
	to = write_number(to, line->calls);
	to = write_number(to, line->tokens.reported);
	FOR_EACH_METER(m, rest)
		to = write_number(to, line->tokens.count[m]);
	to = write_number(to, line->fallback_tokens);
	if (contracted->unpriced == PRICED)
		to = write_costs(to, line, CONTRACTED);
	if (list->unpriced == PRICED && !(same & SAME_COST))
		to = write_costs(to, line, LIST);
	buf->len = to - buf->data;
	buf->data[buf->len] = '\0';
}

/* Lines that were counted and not made lines of the ledger. */
static void
put_booked_lines(StringInfo buf, BookedLines *booked)
{
	StringInfoData lines;
	const LedgerLine *line;
	TimestampTz period = 0;
	uint32		n = 0;

	initStringInfo(&lines);
	while ((line = booked_lines_next(booked)) != NULL)
	{
		put_line(&lines, line, booked->ranks, period);
		period = line->key.period;
		n++;
	}
	put_number(buf, n);
	appendBinaryStringInfo(buf, lines.data, lines.len);
	pfree(lines.data);
}

static void
put_lines(StringInfo buf, const Ledger *ledger, const uint32 *sorted, const uint32 *ranks)
{
	TimestampTz period = 0;

	put_number(buf, ledger->n_lines);
	for (uint32 i = 0; i < ledger->n_lines; i++)
	{
		const LedgerLine *line = &ledger->lines[sorted[i]];

		put_line(buf, line, ranks, period);
		period = line->key.period;
	}
}

/* The strings that lines use, by rank; [0] is unused.  Returns their number. */
static uint32
strings_by_rank(const Ledger *ledger, const uint32 *ranks, const LedgerString ***strings)
{
	uint32		n = 0;

	*strings = palloc0((ledger->n_strings + 1) * sizeof(LedgerString *));
	for (uint32 s = 1; s < ledger->n_strings; s++)
		if (ranks[s] != 0)
		{
			(*strings)[ranks[s]] = &ledger->strings[s];
			n++;
		}
	return n;
}

/* The stored form; what is being booked goes into it as well. */
bytea *
ledger_write(Ledger *ledger)
{
	BookedLines booked;
	bool		is_booked = booked_lines_begin(&booked, ledger);
	uint32	   *sorted = NULL;
	const LedgerString **strings;
	uint32		n_strings;
	StringInfoData buf;

	if (!is_booked)
	{
		booking_flush(ledger);
		sorted = ledger_sorted(ledger, &booked.ranks);
	}
	n_strings = strings_by_rank(ledger, booked.ranks, &strings);
	initStringInfo(&buf);
	appendStringInfoSpaces(&buf, VARHDRSZ);
	put_number(&buf, LEDGER_FORMAT);
	put_number(&buf, ledger->grain);
	put_number(&buf, ledger->zone_len);
	appendBinaryStringInfo(&buf, ledger->zone_name, ledger->zone_len);
	put_number(&buf, n_strings);
	for (uint32 s = 1; s <= n_strings; s++)
	{
		put_number(&buf, strings[s]->len);
		appendBinaryStringInfo(&buf, strings[s]->data, strings[s]->len);
	}
	if (is_booked)
		put_booked_lines(&buf, &booked);
	else
		put_lines(&buf, ledger, sorted, booked.ranks);
	SET_VARSIZE(buf.data, buf.len);
	return (bytea *) buf.data;
}

/*
 * Reading
 */

/* Whether it was a threshold, or the base price, that calls were priced by. */
static bool
threshold_reached(const LineSide *side)
{
	return side->unpriced == PRICED || side->unpriced == NO_RATE_FOR_METER;
}

/* What a side of a line may say. */
static const char *
side_fault(const LineSide *side)
{
	if (side->unpriced >= N_UNPRICED)
		return "unknown reason";
	if (side->basis > BASIS_UNCACHED || side->off_peak > 1 || (side->flags & ~SIDE_FLAGS) != 0)
		return "unknown flags of a price";
	if (side->above < -1 || side->up_to <= side->above || (side->above >= 0) != threshold_reached(side))
		return "thresholds that contradict each other";
	if ((side->unpriced == PRICED) != (side->currency.code[0] != '\0'))
		return "a price without a currency, or a currency without a price";
	if ((side->unpriced == NO_RATE_FOR_METER) != (side->lacking != 0))
		return "meters without a rate and another reason, or the reason without them";
	return NULL;
}

/* What a line may say; an aggregate makes no other. */
static const char *
line_fault(const LedgerLine *line)
{
	bool		no_tokens = false;

	if (line->calls < 1)
		return "no calls";
	if (line->key.service_tier == 0)
		return "no service tier";
	for (int s = 0; s < N_SIDES; s++)
	{
		const LineSide *side = &line->key.side[s];
		MeterSet	rest = side->lacking;
		Meter		m;

		no_tokens |= side->unpriced == NO_TOKENS_REPORTED;
		FOR_EACH_METER(m, rest)
			if (line->tokens.count[m] == 0)
			return "a meter without a rate that was not used";
		rest = line->tokens.reported;
		FOR_EACH_METER(m, rest)
			if (side->unpriced != PRICED && line->cost[s][m] != 0)
			return "a cost without a price";
	}
	if (no_tokens && (line->tokens.reported != 0 ||
					  line->key.side[CONTRACTED].unpriced != line->key.side[LIST].unpriced))
		return "tokens where none were reported";
	return NULL;
}

static void
get_side(Reader *reader, LineSide *side)
{
	int			bits;
	uint64		up_to;
	uint32		len;
	const char *fault;

	memset(side, 0, sizeof(LineSide));
	side->unpriced = get_number(reader, N_UNPRICED - 1, "unknown reason");
	bits = get_number(reader, 3 | SIDE_FLAGS << 2, "unknown flags of a price");
	side->basis = bits & 1;
	side->off_peak = bits >> 1 & 1;
	side->flags = bits >> 2;
	side->above = get_signed(reader, "threshold out of range");
	up_to = get_number(reader, PG_INT64_MAX, "threshold out of range");
	side->up_to = up_to == 0 ? PG_INT64_MAX : (int64) up_to - 1;
	side->windows = get_number(reader, PG_UINT32_MAX, "windows out of range");
	side->lacking = get_number(reader, ALL_METERS, "unknown meter");
	len = get_number(reader, CURRENCY_SIZE, "currency out of range");
	if (len > 0 && !currency_read(get_bytes(reader, len), len, &side->currency))
		refuse(reader, "invalid currency");
	if ((fault = side_fault(side)) != NULL)
		refuse(reader, fault);
}

static void
get_costs(Reader *reader, LedgerLine *line, Side side)
{
	MeterSet	rest = line->tokens.reported;
	Meter		m;

	FOR_EACH_METER(m, rest)
		line->cost[side][m] = get_number(reader, ((unsigned __int128) 1 << 127) - 1, "cost out of range");
}

/* Reads lines to the end and adds them; numbers[rank] are the ledger's strings. */
static void
get_lines(Reader *reader, Ledger *ledger, const uint32 *numbers, uint32 n_strings)
{
	uint32		n = get_number(reader, PG_UINT32_MAX, "number of lines out of range");
	Period		period = {0, 0};
	TimestampTz at = 0;
	bool		is_stored = !reader->from_client && ledger->n_lines == 0;

	/* no two of its own lines are the same: they are taken as they come */
	if (is_stored)
	{
		if (n > reader->end - reader->p)
			refuse(reader, "more lines than bytes");
		ledger->max_lines = Max(n, 16);
		ledger->lines = MemoryContextAllocHuge(ledger->hdr.eoh_context, ledger->max_lines * sizeof(LedgerLine));
	}
	for (uint32 i = 0; i < n; i++)
	{
		LedgerLine	own;
		LedgerLine *line = &own;
		int			same;
		const char *fault;
		MeterSet	rest;
		Meter		m;

		CHECK_FOR_INTERRUPTS();
		if (is_stored)
			line = &ledger->lines[i];
		memset(line, 0, sizeof(LedgerLine));
		at = (TimestampTz) ((uint64) at + (uint64) get_signed(reader, "period out of range"));
		if (!IS_VALID_TIMESTAMP(at))
			refuse(reader, "period out of range");
		if (reader->from_client && !period_holds(&period, at))
			period = period_at(ledger->grain, ledger->zone, at);
		if (reader->from_client && period.from != at)
			refuse(reader, "a time at which no period begins");
		line->key.period = at;
#define GET_STRING() numbers[(uint32) get_number(reader, n_strings, "string out of range")]
		line->key.provider = GET_STRING();
		line->key.model = GET_STRING();
		line->key.service_tier = GET_STRING();
		line->key.label = GET_STRING();
#undef GET_STRING
		same = get_number(reader, SAME_SIDE | SAME_COST, "unknown flags of a line");
		get_side(reader, &line->key.side[CONTRACTED]);
		if (same & SAME_SIDE)
			line->key.side[LIST] = line->key.side[CONTRACTED];
		else
			get_side(reader, &line->key.side[LIST]);
		line->calls = get_number(reader, PG_INT64_MAX, "number of calls out of range");
		line->tokens.reported = rest = get_number(reader, ALL_METERS, "unknown meter");
		FOR_EACH_METER(m, rest)
			line->tokens.count[m] = get_number(reader, PG_INT64_MAX, "token count out of range");
		line->fallback_tokens = get_number(reader, PG_INT64_MAX, "token count out of range");
		if (line->key.side[CONTRACTED].unpriced == PRICED)
			get_costs(reader, line, CONTRACTED);
		if (same & SAME_COST)
			memcpy(line->cost[LIST], line->cost[CONTRACTED], sizeof(line->cost[LIST]));
		else if (line->key.side[LIST].unpriced == PRICED)
			get_costs(reader, line, LIST);
		if (reader->from_client && (fault = line_fault(line)) != NULL)
			refuse(reader, fault);
		if (is_stored)
			ledger->n_lines++;
		else
			ledger_line_add(ledger_line(ledger, &line->key), line);
	}
	if (reader->p != reader->end)
		refuse(reader, "bytes behind its end");
}

/* The head of the stored form: its calendar. */
static Grain
get_head(Reader *reader, const char **zone, uint32 *zone_len)
{
	Grain		grain;

	(void) get_number(reader, LEDGER_FORMAT, "");
	grain = get_number(reader, N_GRAINS - 1, "");
	*zone_len = get_number(reader, TZ_STRLEN_MAX, "");
	*zone = get_bytes(reader, *zone_len);
	return grain;
}

/* What is behind the head: strings and lines. */
static void
get_body(Reader *reader, Ledger *ledger)
{
	uint32		n_strings = get_number(reader, reader->end - reader->p, "");
	uint32	   *numbers = palloc0(((Size) n_strings + 1) * sizeof(uint32));

	for (uint32 s = 1; s <= n_strings; s++)
	{
		uint32		len = get_number(reader, MaxAllocSize, "");

		numbers[s] = ledger_string(ledger, get_bytes(reader, len), len);
	}
	get_lines(reader, ledger, numbers, n_strings);
	pfree(numbers);
}

static Reader
stored_reader(bytea *flat)
{
	Reader		reader = {(const unsigned char *) VARDATA_ANY(flat),
	(const unsigned char *) VARDATA_ANY(flat) + VARSIZE_ANY_EXHDR(flat), false, LEDGER_TYPE};

	return reader;
}

/* Takes the stored form apart. */
Ledger *
ledger_read(MemoryContext parent, bytea *flat)
{
	Reader		reader = stored_reader(flat);
	const char *zone;
	uint32		zone_len;
	Grain		grain = get_head(&reader, &zone, &zone_len);
	Ledger	   *ledger = ledger_make(parent, grain, zone, zone_len);

	get_body(&reader, ledger);
	return ledger;
}

/* Adds a stored ledger to another; false where they are not of one calendar. */
bool
ledger_add_stored(Ledger *into, bytea *flat)
{
	Reader		reader = stored_reader(flat);
	const char *zone;
	uint32		zone_len;

	if (get_head(&reader, &zone, &zone_len) != into->grain ||
		!same_string(zone, zone_len, into->zone_name, into->zone_len))
		return false;
	get_body(&reader, into);
	return true;
}

/*
 * Binary form
 */

Datum
ledger_send(PG_FUNCTION_ARGS)
{
	Ledger	   *ledger = ledger_arg(fcinfo, 0);
	uint32	   *ranks;
	uint32	   *sorted = ledger_sorted(ledger, &ranks);
	const LedgerString **strings;
	uint32		n_strings = strings_by_rank(ledger, ranks, &strings);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint8(&buf, LEDGER_WIRE_FORMAT);
	pq_sendint8(&buf, ledger->grain);
	pq_sendcountedtext_compat(&buf, ledger->zone_name, ledger->zone_len);
	pq_sendint32(&buf, n_strings);
	for (uint32 s = 1; s <= n_strings; s++)
		pq_sendcountedtext_compat(&buf, strings[s]->data, strings[s]->len);
	put_lines(&buf, ledger, sorted, ranks);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

static char *
recv_string(StringInfo buf, int *len)
{
	int			sent = pq_getmsgint(buf, 4);

	if (sent < 0 || sent > buf->len - buf->cursor)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value of type ledger: a string is longer than the value")));
	return pq_getmsgtext(buf, sent, len);
}

Datum
ledger_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	Reader		reader = {NULL, NULL, true, LEDGER_TYPE};
	Ledger	   *ledger;
	Grain		grain;
	int			len;
	char	   *zone;
	uint32		n_strings;
	uint32	   *numbers;

	if (pq_getmsgint(buf, 1) != LEDGER_WIRE_FORMAT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unknown binary format of type ledger")));
	grain = pq_getmsgint(buf, 1);
	if (grain >= N_GRAINS)
		refuse(&reader, "unknown grain");
	zone = recv_string(buf, &len);
	ledger = ledger_make(CurrentMemoryContext, grain, zone, len);
	n_strings = pq_getmsgint(buf, 4);
	if (n_strings > buf->len - buf->cursor)
		refuse(&reader, "more strings than bytes");
	numbers = palloc0(((Size) n_strings + 1) * sizeof(uint32));
	for (uint32 s = 1; s <= n_strings; s++)
	{
		const char *string = recv_string(buf, &len);

		numbers[s] = ledger_string(ledger, string, len);
	}
	reader.p = (const unsigned char *) buf->data + buf->cursor;
	reader.end = (const unsigned char *) buf->data + buf->len;
	get_lines(&reader, ledger, numbers, n_strings);
	buf->cursor = buf->len;
	PG_RETURN_BYTEA_P(ledger_write(ledger));
}

/*
 * Text form
 */

static void
append_name(StringInfo buf, const char *key, const Ledger *ledger, uint32 string)
{
	if (string == 0)
		return;
	appendStringInfo(buf, ", \"%s\": ", key);
	escape_json(buf, pnstrdup(ledger->strings[string].data, ledger->strings[string].len));
}

static void
append_lacking(StringInfo buf, MeterSet meters)
{
	const char *separator = ", \"lacks_rate\": [";
	Meter		m;

	FOR_EACH_METER(m, meters)
	{
		appendStringInfo(buf, "%s\"%s\"", separator, meter_info[m].name);
		separator = ", ";
	}
	appendStringInfoChar(buf, ']');
}

static void
append_side(StringInfo buf, const LedgerLine *line, Side s)
{
	const LineSide *side = &line->key.side[s];

	appendStringInfo(buf, ", \"%s\": {", s == CONTRACTED ? "contracted" : "list");
	if (side->unpriced != PRICED)
		appendStringInfo(buf, "\"unpriced\": \"%s\", ", unpriced_reason(side->unpriced));
	appendStringInfo(buf, "\"above_input_tokens\": " INT64_FORMAT, side->above);
	if (side->up_to != PG_INT64_MAX)
		appendStringInfo(buf, ", \"up_to_input_tokens\": " INT64_FORMAT, side->up_to);
	if (side->basis != BASIS_INPUT_TOTAL)
		appendStringInfo(buf, ", \"tier_basis\": \"%s\"", tier_basis_name[side->basis]);
	if (side->off_peak)
		appendStringInfoString(buf, ", \"off_peak\": true");
	if (side->windows != 0)
		appendStringInfo(buf, ", \"windows\": %u", side->windows);
	if (side->lacking != 0)
		append_lacking(buf, side->lacking);
	if (side->flags & SIDE_GRADUATED)
		appendStringInfoString(buf, ", \"graduated\": true");
	if (side->flags & SIDE_APPROXIMATE)
		appendStringInfoString(buf, ", \"approximate\": true");
	if (side->unpriced == PRICED)
	{
		MeterSet	rest = line->tokens.reported;
		const char *separator = "";
		Meter		m;

		appendStringInfo(buf, ", \"currency\": \"%s\", \"cost\": {", currency_cstring(&side->currency));
		FOR_EACH_METER(m, rest)
		{
			appendStringInfo(buf, "%s\"%s\": %s", separator, meter_info[m].name,
							 DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(money_to_numeric(line->cost[s][m])))));
			separator = ", ";
		}
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, '}');
}

Datum
ledger_out(PG_FUNCTION_ARGS)
{
	Ledger	   *ledger = ledger_arg(fcinfo, 0);
	uint32	   *ranks;
	uint32	   *sorted = ledger_sorted(ledger, &ranks);
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"format\": %d, \"grain\": \"%s\", \"zone\": ",
					 LEDGER_FORMAT, grain_name[ledger->grain]);
	escape_json(&buf, ledger->zone_name);
	appendStringInfoString(&buf, ", \"lines\": [");
	for (uint32 i = 0; i < ledger->n_lines; i++)
	{
		const LedgerLine *line = &ledger->lines[sorted[i]];

		CHECK_FOR_INTERRUPTS();
		appendStringInfoString(&buf, i > 0 ? ", {\"period\": " : "{\"period\": ");
		json_append_time(&buf, line->key.period);
		append_name(&buf, "provider", ledger, line->key.provider);
		append_name(&buf, "model", ledger, line->key.model);
		append_name(&buf, "service_tier", ledger, line->key.service_tier);
		append_name(&buf, "label", ledger, line->key.label);
		appendStringInfo(&buf, ", \"calls\": " INT64_FORMAT ", \"tokens\": ", line->calls);
		token_counts_append(&buf, &line->tokens);
		if (line->fallback_tokens != 0)
			appendStringInfo(&buf, ", \"fallback_tokens\": " INT64_FORMAT, line->fallback_tokens);
		append_side(&buf, line, CONTRACTED);
		if (memcmp(&line->key.side[CONTRACTED], &line->key.side[LIST], sizeof(LineSide)) != 0 ||
			memcmp(line->cost[CONTRACTED], line->cost[LIST], sizeof(line->cost[LIST])) != 0)
			append_side(&buf, line, LIST);
		appendStringInfoChar(&buf, '}');
	}
	appendStringInfoString(&buf, "]}");
	PG_RETURN_CSTRING(buf.data);
}

/* The text in a member as a string of the ledger; 0 where there is none. */
static uint32
take_name(Ledger *ledger, JsonbContainer *object, const char *key)
{
	char	   *name;

	if (json_member(object, key) == NULL)
		return 0;
	name = json_take_text(LEDGER_TYPE, object, key, NULL);
	return ledger_string(ledger, name, strlen(name));
}

static int64
take_count(JsonbContainer *object, const char *key, int64 if_absent)
{
	JsonbValue *v = json_member(object, key);

	return v == NULL ? if_absent : json_take_integer(LEDGER_TYPE, v, psprintf("\"%s\"", key));
}

static bool
take_flag(JsonbContainer *object, const char *key)
{
	JsonbValue *v = json_member(object, key);

	if (v != NULL && v->type != jbvBool)
		json_refuse(LEDGER_TYPE, psprintf("\"%s\" is neither true nor false.", key));
	return v != NULL && v->val.boolean;
}

static void
take_side(JsonbContainer *object, LedgerLine *line, Side s)
{
	LineSide   *side = &line->key.side[s];
	JsonbContainer *lacking;
	JsonbValue *v;
	int64		windows;
	char	   *basis;
	const char *fault;

	if ((v = json_member(object, "unpriced")) != NULL)
	{
		char	   *reason = json_take_text(LEDGER_TYPE, object, "unpriced", NULL);

		side->unpriced = PRICED + 1;
		while (side->unpriced < N_UNPRICED && strcmp(reason, unpriced_reason(side->unpriced)) != 0)
			side->unpriced++;
	}
	v = json_member(object, "above_input_tokens");
	if (v != NULL && v->type == jbvNumeric &&
		DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(v->val.numeric),
										 NumericGetDatum(int64_to_numeric(-1)))))
		side->above = -1;
	else
		side->above = take_count(object, "above_input_tokens", threshold_reached(side) ? 0 : -1);
	side->up_to = take_count(object, "up_to_input_tokens", PG_INT64_MAX);
	basis = json_take_text(LEDGER_TYPE, object, "tier_basis", tier_basis_name[BASIS_INPUT_TOTAL]);
	if (strcmp(basis, tier_basis_name[BASIS_UNCACHED]) == 0)
		side->basis = BASIS_UNCACHED;
	else if (strcmp(basis, tier_basis_name[BASIS_INPUT_TOTAL]) != 0)
		json_refuse(LEDGER_TYPE, "\"tier_basis\" is neither \"input_total\" nor \"uncached\".");
	side->off_peak = take_flag(object, "off_peak");
	windows = take_count(object, "windows", 0);
	if (windows > PG_UINT32_MAX)
		json_refuse(LEDGER_TYPE, "\"windows\" is out of range.");
	side->windows = windows;
	lacking = json_take_list(LEDGER_TYPE, object, "lacks_rate");
	for (uint32 i = 0; lacking != NULL && i < JsonContainerSize(lacking); i++)
	{
		Meter		meter = METER_NONE;

		v = getIthJsonbValueFromContainer(lacking, i);
		if (v->type == jbvString)
			meter = meter_by_name(v->val.string.val, v->val.string.len);
		if (meter == METER_NONE)
			json_refuse(LEDGER_TYPE, "\"lacks_rate\" names something that is not a meter.");
		side->lacking |= METER_BIT(meter);
	}
	if (take_flag(object, "graduated"))
		side->flags |= SIDE_GRADUATED;
	if (take_flag(object, "approximate"))
		side->flags |= SIDE_APPROXIMATE;
	if (side->unpriced != PRICED &&
		(json_member(object, "currency") != NULL || json_member(object, "cost") != NULL))
		json_refuse(LEDGER_TYPE, "A line has a cost without a price.");
	if (side->unpriced == PRICED)
	{
		char	   *currency = json_take_text(LEDGER_TYPE, object, "currency", NULL);
		JsonbContainer *cost = json_take_object(LEDGER_TYPE, json_member(object, "cost"), "\"cost\"");
		MeterSet	rest = line->tokens.reported;
		int			n = 0;
		Meter		m;

		if (!currency_read(currency, strlen(currency), &side->currency))
			json_refuse(LEDGER_TYPE, "\"currency\" is not a currency.");
		FOR_EACH_METER(m, rest)
		{
			const char *digits;

			v = json_member(cost, meter_info[m].name);
			if (v == NULL || v->type != jbvNumeric)
				json_refuse(LEDGER_TYPE, psprintf("The cost of meter \"%s\" is missing or not a number.", meter_info[m].name));
			digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v->val.numeric)));
			if (!money_read(digits, &line->cost[s][m]))
				json_refuse(LEDGER_TYPE, psprintf("The cost %s of meter \"%s\" is out of range.", digits, meter_info[m].name));
			n++;
		}
		if (JsonContainerSize(cost) != n)
			json_refuse(LEDGER_TYPE, "There is a cost of a meter that was not used.");
	}
	if ((fault = side_fault(side)) != NULL)
		json_refuse(LEDGER_TYPE, psprintf("A line has %s.", fault));
}

Datum
ledger_in(PG_FUNCTION_ARGS)
{
	Jsonb	   *jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, PG_GETARG_DATUM(0)));
	JsonbContainer *root = &jsonb->root;
	JsonbContainer *lines;
	char	   *grain_text;
	char	   *zone;
	Grain		grain;
	Ledger	   *ledger;
	Period		period = {0, 0};

	if (!JsonContainerIsObject(root))
		json_refuse(LEDGER_TYPE, "Expected an object, such as {\"grain\": \"month\", \"zone\": \"UTC\", \"lines\": []}.");
	if (take_count(root, "format", LEDGER_FORMAT) != LEDGER_FORMAT)
		json_refuse(LEDGER_TYPE, "\"format\" is not one that this version knows.");
	grain_text = json_take_text(LEDGER_TYPE, root, "grain", NULL);
	if (!grain_read(grain_text, strlen(grain_text), &grain))
		json_refuse(LEDGER_TYPE, "\"grain\" is neither quarter_hour, hour, day nor month.");
	zone = json_take_text(LEDGER_TYPE, root, "zone", NULL);
	ledger = ledger_make(CurrentMemoryContext, grain, zone, strlen(zone));
	lines = json_take_list(LEDGER_TYPE, root, "lines");
	for (uint32 i = 0; lines != NULL && i < JsonContainerSize(lines); i++)
	{
		JsonbContainer *object = json_take_object(LEDGER_TYPE, getIthJsonbValueFromContainer(lines, i), "A line");
		LedgerLine	line = {0};
		const char *fault;

		CHECK_FOR_INTERRUPTS();
		line.key.period = json_take_time(LEDGER_TYPE, json_member(object, "period"), DT_NOBEGIN, "\"period\"");
		if (TIMESTAMP_NOT_FINITE(line.key.period))
			json_refuse(LEDGER_TYPE, "\"period\" is missing or not a time.");
		if (!period_holds(&period, line.key.period))
			period = period_at(grain, ledger->zone, line.key.period);
		if (period.from != line.key.period)
			json_refuse(LEDGER_TYPE, psprintf("No %s begins at %s.", grain_name[grain], timestamptz_to_str(line.key.period)));
		line.key.provider = take_name(ledger, object, "provider");
		line.key.model = take_name(ledger, object, "model");
		line.key.service_tier = take_name(ledger, object, "service_tier");
		if (line.key.service_tier == 0)
			line.key.service_tier = ledger_string(ledger, "standard", strlen("standard"));
		line.key.label = take_name(ledger, object, "label");
		line.calls = take_count(object, "calls", 0);
		token_counts_from_jsonb(json_take_object(LEDGER_TYPE, json_member(object, "tokens"), "\"tokens\""), &line.tokens);
		line.fallback_tokens = take_count(object, "fallback_tokens", 0);
		take_side(json_take_object(LEDGER_TYPE, json_member(object, "contracted"), "\"contracted\""), &line, CONTRACTED);
		if (json_member(object, "list") != NULL)
			take_side(json_take_object(LEDGER_TYPE, json_member(object, "list"), "\"list\""), &line, LIST);
		else
		{
			line.key.side[LIST] = line.key.side[CONTRACTED];
			memcpy(line.cost[LIST], line.cost[CONTRACTED], sizeof(line.cost[LIST]));
		}
		if ((fault = line_fault(&line)) != NULL)
			json_refuse(LEDGER_TYPE, psprintf("A line has %s.", fault));
		ledger_line_add(ledger_line(ledger, &line.key), &line);
	}
	PG_RETURN_BYTEA_P(ledger_write(ledger));
}
