/*-------------------------------------------------------------------------
 *
 * turn_io.c
 *	  The stored, the binary and the text form of a turn_tally.
 *
 * Stored it is a string of bytes that is the same for equal tallies: a format
 * number, the zone, the strings sorted, the hours sorted, and the turns sorted
 * by id, then those without.  The text form is the same in hexadecimal: it is
 * the state of an aggregate, which nobody reads or writes by hand.
 *
 *-------------------------------------------------------------------------
 */
#include "turn.h"

#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "varint.h"

#define TURN_TALLY_FORMAT 1

/* What a turn has. */
#define TURN_HAS_ID 1
#define TURN_HAS_REQUEST 2
#define TURN_FLAGS 3

SQL_FUNCTION(turn_tally_in);
SQL_FUNCTION(turn_tally_out);
SQL_FUNCTION(turn_tally_recv);
SQL_FUNCTION(turn_tally_send);

/* For the comparisons: the tally, and the ranks of its strings. */
typedef struct Layout
{
	const TurnTally *tally;
	uint32	   *rank;			/* by string number + 1; NULL has 0 */
	uint32	   *hour_rank;
} Layout;

static int
compare_strings(const void *a, const void *b, void *arg)
{
	const Layout *layout = arg;

	return compare_bytes(ITEM(layout->tally->strings, Bytes, *(const uint32 *) a),
						 ITEM(layout->tally->strings, Bytes, *(const uint32 *) b));
}

static int
compare_times(const TurnHour *x, const TurnHour *y)
{
	if (x->from != y->from)
		return (x->from > y->from) - (x->from < y->from);
	return (x->month > y->month) - (x->month < y->month);
}

static int
compare_hours(const void *a, const void *b, void *arg)
{
	const Layout *layout = arg;

	return compare_times(&ITEM(layout->tally->hours, TurnHour, *(const uint32 *) a),
						 &ITEM(layout->tally->hours, TurnHour, *(const uint32 *) b));
}

static int
compare_owners(const uint32 *x, const uint32 *y)
{
	for (int o = 0; o < N_TURN_OWNERS; o++)
		if (x[o] != y[o])
			return x[o] > y[o] ? 1 : -1;
	return 0;
}

static int
compare_turns(const void *a, const void *b, void *arg)
{
	const Layout *layout = arg;
	const Turn *x = &ITEM(layout->tally->turns, Turn, *(const uint32 *) a);
	const Turn *y = &ITEM(layout->tally->turns, Turn, *(const uint32 *) b);

	if (x->id.data != NULL && y->id.data != NULL)
		return compare_bytes(x->id, y->id);
	if (x->id.data != NULL || y->id.data != NULL)
		return x->id.data != NULL ? -1 : 1;
	for (int o = 0; o < N_TURN_OWNERS; o++)
	{
		uint32		p = layout->rank[x->owner[o]];
		uint32		q = layout->rank[y->owner[o]];

		if (p != q)
			return p > q ? 1 : -1;
	}
	return 0;
}

static int
compare_parts(const void *a, const void *b, void *arg)
{
	const Layout *layout = arg;
	uint32		x = layout->hour_rank[ITEM(layout->tally->parts, TurnPart, *(const uint32 *) a).hour];
	uint32		y = layout->hour_rank[ITEM(layout->tally->parts, TurnPart, *(const uint32 *) b).hour];

	return (x > y) - (x < y);
}

static int
compare_numbers(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

static uint32 *
numbers_to(uint32 n)
{
	uint32	   *numbers = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) n + 1) * sizeof(uint32));

	for (uint32 i = 0; i < n; i++)
		numbers[i] = i;
	return numbers;
}

static void
put_bytes(StringInfo buf, Bytes bytes)
{
	put_number(buf, bytes.len);
	appendBinaryStringInfo(buf, bytes.data, bytes.len);
}

static void
put_tally(StringInfo buf, const TurnTally *tally)
{
	Layout		layout = {tally};
	uint32	   *order = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) tally->strings.n + 1) * sizeof(uint32));
	uint32		n_used = 0;
	uint32	   *members = NULL;
	uint32		max_members = 0;

	put_number(buf, tally->zone_len);
	appendBinaryStringInfo(buf, tally->zone_name, tally->zone_len);

	/*
	 * names of calls that turned out not to be the first of a turn are left
	 * out
	 */
	layout.rank = numbers_to(tally->strings.n + 1);
	memset(layout.rank, 0, ((Size) tally->strings.n + 1) * sizeof(uint32));
	for (uint32 t = 0; t < tally->turns.n; t++)
		for (int o = 0; o < N_TURN_OWNERS; o++)
			layout.rank[ITEM(tally->turns, Turn, t).owner[o]] = 1;
	for (uint32 a = 0; a < tally->agents.n; a++)
		layout.rank[ITEM(tally->agents, TurnAgent, a).agent] = 1;
	layout.rank[0] = 0;
	for (uint32 i = 0; i < tally->strings.n; i++)
		if (layout.rank[i + 1] != 0)
			order[n_used++] = i;
	qsort_arg(order, n_used, sizeof(uint32), compare_strings, &layout);
	put_number(buf, n_used);
	for (uint32 i = 0; i < n_used; i++)
	{
		put_bytes(buf, ITEM(tally->strings, Bytes, order[i]));
		layout.rank[order[i] + 1] = i + 1;
	}

	order = numbers_to(tally->hours.n);
	layout.hour_rank = numbers_to(tally->hours.n);
	qsort_arg(order, tally->hours.n, sizeof(uint32), compare_hours, &layout);
	put_number(buf, tally->hours.n);
	for (uint32 i = 0; i < tally->hours.n; i++)
	{
		put_signed(buf, ITEM(tally->hours, TurnHour, order[i]).from);
		put_signed(buf, ITEM(tally->hours, TurnHour, order[i]).month);
		layout.hour_rank[order[i]] = i;
	}

	order = numbers_to(tally->turns.n);
	qsort_arg(order, tally->turns.n, sizeof(uint32), compare_turns, &layout);
	put_number(buf, tally->turns.n);
	for (uint32 i = 0; i < tally->turns.n; i++)
	{
		const Turn *turn = &ITEM(tally->turns, Turn, order[i]);
		uint32		n = 0;

		CHECK_FOR_INTERRUPTS();
		appendStringInfoCharMacro(buf, (turn->id.data != NULL ? TURN_HAS_ID : 0) | (turn->request.data != NULL ? TURN_HAS_REQUEST : 0));
		for (int o = 0; o < N_TURN_OWNERS; o++)
			put_number(buf, layout.rank[turn->owner[o]]);
		for (uint32 a = turn->agents; a != 0; a = ITEM(tally->agents, TurnAgent, a - 1).next)
			n++;
		for (uint32 p = turn->parts; p != 0; p = ITEM(tally->parts, TurnPart, p - 1).next)
			n++;
		if (n > max_members)
		{
			max_members = Max(n, 64);
			members = MemoryContextAllocHuge(CurrentMemoryContext, (Size) max_members * sizeof(uint32));
		}
		if (turn->id.data != NULL)
		{
			put_bytes(buf, turn->id);
			if (turn->request.data != NULL)
				put_bytes(buf, turn->request);
			put_signed(buf, turn->at);
			put_signed(buf, turn->ends_at);
			n = 0;
			for (uint32 a = turn->agents; a != 0; a = ITEM(tally->agents, TurnAgent, a - 1).next)
				members[n++] = layout.rank[ITEM(tally->agents, TurnAgent, a - 1).agent];
			qsort(members, n, sizeof(uint32), compare_numbers);
			put_number(buf, n);
			for (uint32 a = 0; a < n; a++)
				put_number(buf, members[a]);
		}
		n = 0;
		for (uint32 p = turn->parts; p != 0; p = ITEM(tally->parts, TurnPart, p - 1).next)
			members[n++] = p - 1;
		qsort_arg(members, n, sizeof(uint32), compare_parts, &layout);
		put_number(buf, n);
		for (uint32 p = 0; p < n; p++)
		{
			const TurnPart *part = &ITEM(tally->parts, TurnPart, members[p]);
			TokenCounts tokens;
			MeterSet	rest;
			Meter		m;

			turn_part_tokens(tally, part, &tokens);
			put_number(buf, layout.hour_rank[part->hour]);
			put_number(buf, part->calls);
			put_number(buf, part->unreported);
			put_number(buf, part->cacheable);
			put_number(buf, tokens.reported);
			rest = tokens.reported;
			FOR_EACH_METER(m, rest)
				put_number(buf, tokens.count[m]);
		}
	}
}

static Bytes
get_string(Reader *reader)
{
	Bytes		bytes;

	bytes.len = get_number(reader, MaxAllocSize, "a string is too long");
	bytes.data = get_bytes(reader, bytes.len);
	if (reader->from_client && !pg_verify_mbstr(GetDatabaseEncoding(), bytes.data, bytes.len, true))
		refuse(reader, "a string is not text");
	return bytes;
}

static TimestampTz
get_time(Reader *reader)
{
	TimestampTz at = get_signed(reader, "not a time");

	if (!IS_VALID_TIMESTAMP(at))
		refuse(reader, "not a time");
	return at;
}

static TurnTally *
get_tally(Reader *reader, MemoryContext parent)
{
	uint32		zone_len = get_number(reader, TZ_STRLEN_MAX, "the name of the time zone is too long");
	TurnTally  *tally = turn_tally_make(parent, get_bytes(reader, zone_len), zone_len);
	Size		left = reader->end - reader->p;
	Bytes		last = no_bytes;
	uint32		last_owner[N_TURN_OWNERS];
	bool		has_loose = false;
	uint32		n;

	/* each takes a byte at least */
	n = get_number(reader, left, "too many strings");
	for (uint32 i = 0; i < n; i++)
	{
		Bytes		string = get_string(reader);

		if (last.data != NULL && compare_bytes(last, string) >= 0)
			refuse(reader, "strings are not sorted");
		last = string;
		turn_string(tally, string);
	}
	n = get_number(reader, left, "too many hours");
	for (uint32 i = 0; i < n; i++)
	{
		TurnHour	hour;

		hour.from = get_time(reader);
		hour.month = get_time(reader);
		if (i > 0 && compare_times(&ITEM(tally->hours, TurnHour, i - 1), &hour) >= 0)
			refuse(reader, "hours are not sorted");
		if (reader->from_client &&
			(period_at(GRAIN_HOUR, tally->zone, hour.from).from != hour.from ||
			 period_at(GRAIN_MONTH, tally->zone, hour.month).from != hour.month))
			refuse(reader, "not the beginning of an hour or a month");
		turn_hour(tally, hour.from, hour.month);
	}
	n = get_number(reader, left, "too many turns");
	last.data = NULL;
	for (uint32 i = 0; i < n; i++)
	{
		int			flags = get_number(reader, TURN_FLAGS, "unknown flags");
		uint32		owner[N_TURN_OWNERS];
		Bytes		id = no_bytes;
		Turn	   *turn;
		uint32		n_members;
		uint32		before = 0;
		bool		is_new;

		CHECK_FOR_INTERRUPTS();
		for (int o = 0; o < N_TURN_OWNERS; o++)
			owner[o] = get_number(reader, tally->strings.n, "there is no such string");
		if (flags & TURN_HAS_ID)
		{
			id = get_string(reader);
			if (has_loose || (last.data != NULL && compare_bytes(last, id) >= 0))
				refuse(reader, "turns are not sorted");
			last = id;
		}
		else
		{
			if (flags != 0 || (has_loose && compare_owners(last_owner, owner) >= 0))
				refuse(reader, "turns are not sorted");
			has_loose = true;
			memcpy(last_owner, owner, sizeof(owner));
		}
		turn = turn_of(tally, id, owner, &is_new);
		memcpy(turn->owner, owner, sizeof(owner));
		if (flags & TURN_HAS_ID)
		{
			turn->request = flags & TURN_HAS_REQUEST ? turn_keep(tally, get_string(reader)) : no_bytes;
			turn->at = get_time(reader);
			turn->ends_at = get_time(reader);
			n_members = get_number(reader, left, "too many agents");
			for (uint32 a = 0; a < n_members; a++)
			{
				uint32		agent = get_number(reader, tally->strings.n, "there is no such string");

				if (agent <= before)
					refuse(reader, "agents are not sorted");
				before = agent;
				turn_add_agent(tally, turn, agent);
			}
		}
		n_members = get_number(reader, left, "too many hours of a turn");
		if (n_members == 0 && !(flags & TURN_HAS_ID))
			refuse(reader, "calls without a turn are none");
		before = 0;
		for (uint32 p = 0; p < n_members; p++)
		{
			uint32		hour = get_number(reader, PG_UINT32_MAX, "there is no such hour");
			TurnPart	part = {0};
			TokenCounts tokens = {0};
			MeterSet	rest;
			Meter		m;

			if (hour >= tally->hours.n)
				refuse(reader, "there is no such hour");
			if (hour < before)
				refuse(reader, "hours of a turn are not sorted");
			before = hour + 1;
			part.calls = get_number(reader, PG_INT64_MAX, "too many calls");
			part.unreported = get_number(reader, PG_INT64_MAX, "too many calls");
			part.cacheable = get_number(reader, PG_INT64_MAX, "too many tokens");
			if (part.calls < 1 || part.unreported > part.calls)
				refuse(reader, "calls do not add up");
			rest = tokens.reported = get_number(reader, ALL_METERS, "unknown meters");
			FOR_EACH_METER(m, rest)
				tokens.count[m] = get_number(reader, PG_INT64_MAX, "too many tokens");
			if ((part.calls == part.unreported && tokens.reported != 0) ||
				(part.cacheable > 0 && !(tokens.reported & METER_BIT(METER_CACHE_READ))))
				refuse(reader, "tokens that no call reports");
			turn_add_part(tally, turn, hour, &part, &tokens);
		}
	}
	if (reader->p != reader->end)
		refuse(reader, "it goes on after its end");
	return tally;
}

bytea *
turn_tally_write(const TurnTally *tally)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoSpaces(&buf, VARHDRSZ);
	put_number(&buf, TURN_TALLY_FORMAT);
	put_tally(&buf, tally);
	SET_VARSIZE(buf.data, buf.len);
	return (bytea *) buf.data;
}

static TurnTally *
read_bytes(MemoryContext parent, const char *data, int len, bool from_client)
{
	Reader		reader = {(const unsigned char *) data, (const unsigned char *) data + len, from_client, TURN_TALLY_TYPE};

	if (get_number(&reader, PG_UINT32_MAX, "unknown format") != TURN_TALLY_FORMAT)
		refuse(&reader, "unknown format");
	return get_tally(&reader, parent);
}

TurnTally *
turn_tally_read(MemoryContext parent, bytea *flat)
{
	return read_bytes(parent, VARDATA_ANY(flat), VARSIZE_ANY_EXHDR(flat), false);
}

static bytea *
stored_arg(FunctionCallInfo fcinfo)
{
	return (bytea *) PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0));
}

Datum
turn_tally_in(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = DatumGetByteaPP(DirectFunctionCall1(byteain, PG_GETARG_DATUM(0)));

	PG_RETURN_BYTEA_P(turn_tally_write(read_bytes(CurrentMemoryContext, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), true)));
}

/* In hexadecimal, whatever bytea_output says. */
Datum
turn_tally_out(PG_FUNCTION_ARGS)
{
	bytea	   *flat = stored_arg(fcinfo);
	Size		len = VARSIZE_ANY_EXHDR(flat);
	char	   *digits;

	if (len > (MaxAllocSize - 3) / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a turn_tally is too long for its text form")));
	digits = palloc(len * 2 + 3);
	digits[0] = '\\';
	digits[1] = 'x';
	digits[2 + hex_encode(VARDATA_ANY(flat), len, digits + 2)] = '\0';
	PG_RETURN_CSTRING(digits);
}

Datum
turn_tally_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	TurnTally  *tally = read_bytes(CurrentMemoryContext, buf->data + buf->cursor, buf->len - buf->cursor, true);

	buf->cursor = buf->len;
	PG_RETURN_BYTEA_P(turn_tally_write(tally));
}

Datum
turn_tally_send(PG_FUNCTION_ARGS)
{
	bytea	   *flat = stored_arg(fcinfo);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, VARDATA_ANY(flat), VARSIZE_ANY_EXHDR(flat));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}
