/*-------------------------------------------------------------------------
 *
 * fuzz.c
 *	  libFuzzer inside a PostgreSQL backend.
 *
 * The parsers are called as the server calls them, with its memory contexts
 * and its errors; an error is an outcome like any other.  Only this library,
 * which holds the objects of the extension, is instrumented.
 *
 *		SELECT fuzz(target, seconds, corpus_directory)
 *
 *-------------------------------------------------------------------------
 */
#include "../../src/compat.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_MODULE_MAGIC;

SQL_FUNCTION(fuzz);

extern int	LLVMFuzzerRunDriver(int *argc, char ***argv,
								int (*callback) (const uint8_t *data, size_t size));

extern Datum tokens_in(PG_FUNCTION_ARGS);
extern Datum tokens_out(PG_FUNCTION_ARGS);
extern Datum tokens_recv(PG_FUNCTION_ARGS);
extern Datum tokens_send(PG_FUNCTION_ARGS);
extern Datum tokens_from_jsonb(PG_FUNCTION_ARGS);
extern Datum tokens_from_openai(PG_FUNCTION_ARGS);
extern Datum tokens_from_anthropic(PG_FUNCTION_ARGS);
extern Datum tokens_from_gemini(PG_FUNCTION_ARGS);
extern Datum tokens_from_otel(PG_FUNCTION_ARGS);
extern Datum rates_in(PG_FUNCTION_ARGS);
extern Datum rates_out(PG_FUNCTION_ARGS);
extern Datum rates_recv(PG_FUNCTION_ARGS);
extern Datum price_book_in(PG_FUNCTION_ARGS);
extern Datum price_book_out(PG_FUNCTION_ARGS);
extern Datum price_book_recv(PG_FUNCTION_ARGS);
extern Datum price_book_send(PG_FUNCTION_ARGS);
extern Datum price_book_eq(PG_FUNCTION_ARGS);
extern Datum price_book_cost(PG_FUNCTION_ARGS);
extern Datum ledger_in(PG_FUNCTION_ARGS);
extern Datum ledger_out(PG_FUNCTION_ARGS);
extern Datum ledger_recv(PG_FUNCTION_ARGS);
extern Datum ledger_send(PG_FUNCTION_ARGS);
extern Datum ledger_eq(PG_FUNCTION_ARGS);
extern Datum ledger_regrain(PG_FUNCTION_ARGS);
extern Datum ledger_reprice(PG_FUNCTION_ARGS);
extern Datum ledger_spend(PG_FUNCTION_ARGS);
extern Datum ledger_tokens(PG_FUNCTION_ARGS);

/* Types whose forms are tried alike: targets NAME_text and NAME_binary. */
#define VALUE_TYPE(name) \
	extern Datum name##_in(PG_FUNCTION_ARGS); \
	extern Datum name##_out(PG_FUNCTION_ARGS); \
	extern Datum name##_recv(PG_FUNCTION_ARGS); \
	extern Datum name##_send(PG_FUNCTION_ARGS)
VALUE_TYPE(profile);
VALUE_TYPE(index_sums);
VALUE_TYPE(lmdi_sums);
VALUE_TYPE(price_panel);
VALUE_TYPE(time_series);
extern Datum profile_capacity_at(PG_FUNCTION_ARGS);
extern Datum profile_in_zone(PG_FUNCTION_ARGS);
extern Datum profile_lost_tokens(PG_FUNCTION_ARGS);
extern Datum profile_peak_to_average(PG_FUNCTION_ARGS);
extern Datum profile_tokens(PG_FUNCTION_ARGS);
extern Datum fisher_index(PG_FUNCTION_ARGS);
extern Datum tornqvist_quantity_index(PG_FUNCTION_ARGS);
extern Datum montgomery_vartia_index(PG_FUNCTION_ARGS);
extern Datum turnover_index(PG_FUNCTION_ARGS);
extern Datum bennet(PG_FUNCTION_ARGS);
extern Datum lmdi_effects(PG_FUNCTION_ARGS);
extern Datum lmdi_indices(PG_FUNCTION_ARGS);

typedef struct ValueType
{
	const char *name;
	PGFunction	in;
	PGFunction	out;
	PGFunction	recv;
	PGFunction	send;
	PGFunction	use[5];			/* functions of it that may be NULL */
} ValueType;

#define FORMS_OF(name) name##_in, name##_out, name##_recv, name##_send
static const ValueType value_types[] = {
	{"profile", FORMS_OF(profile), {profile_tokens}},
	{"index_sums", FORMS_OF(index_sums), {fisher_index, tornqvist_quantity_index, montgomery_vartia_index, turnover_index, bennet}},
	{"lmdi_sums", FORMS_OF(lmdi_sums), {lmdi_effects, lmdi_indices}},
	{"price_panel", FORMS_OF(price_panel), {NULL}},
	{"time_series", FORMS_OF(time_series), {NULL}},
};

static const char *target;

static Datum
call1(PGFunction function, Datum argument)
{
	return DirectFunctionCall1(function, argument);
}

/* A round trip that fails is a finding. */
static void
must(bool holds, const char *what)
{
	if (!holds)
	{
		fprintf(stderr, "finding: %s\n", what);
		abort();
	}
}

static StringInfo
message(const uint8_t *data, size_t size)
{
	StringInfo	buf = makeStringInfo();

	appendBinaryStringInfo(buf, (const char *) data, size);
	return buf;
}

static void
price_some_calls(Datum book)
{
	const char *const models[] = {"m", "gpt", "x"};
	TimestampTz times[] = {0, INT64CONST(800000000000000), INT64CONST(-1)};
	FmgrInfo	flinfo;
	Datum		tokens = call1(tokens_in, CStringGetDatum("{\"input\": 150000, \"cache_read\": 100000, \"output\": 7, \"reasoning\": 3}"));

	memset(&flinfo, 0, sizeof(flinfo));
	flinfo.fn_mcxt = CurrentMemoryContext;
	flinfo.fn_nargs = 5;
	for (int i = 0; i < lengthof(models); i++)
	{
		LOCAL_FCINFO(fcinfo, 5);

		InitFunctionCallInfoData(*fcinfo, &flinfo, 5, InvalidOid, NULL, NULL);
		fcinfo->args[0].value = book;
		fcinfo->args[1].value = CStringGetTextDatum("a");
		fcinfo->args[2].value = CStringGetTextDatum(models[i]);
		fcinfo->args[3].value = TimestampTzGetDatum(times[i]);
		fcinfo->args[4].value = tokens;
		for (int j = 0; j < 5; j++)
			fcinfo->args[j].isnull = false;
		(void) price_book_cost(fcinfo);
	}
}

/* Whatever came in as a ledger comes back as it is, and works like one. */
static void
use_ledger(Datum ledger)
{
	static const char book[] = "{\"books\": [{\"prices\": [{\"provider\": \"v\", \"model\": \"m\", \"rates\": {\"currency\": \"USD\", \"input\": 1, \"output\": 2}},"
	"{\"provider\": \"v\", \"model\": \"m\", \"above_input_tokens\": 9, \"rates\": {\"currency\": \"USD\", \"input\": 3}},"
	"{\"provider\": \"v\", \"model\": \"m\", \"off_peak\": [[0, 500]], \"rates\": {\"currency\": \"USD\", \"input\": 1}}]}]}";
	bytea	   *sent = DatumGetByteaPP(call1(ledger_send, ledger));
	FmgrInfo	flinfo;

	LOCAL_FCINFO(fcinfo, 3);

	must(DatumGetBool(DirectFunctionCall2(ledger_eq, ledger,
										  call1(ledger_recv, PointerGetDatum(message((const uint8_t *) VARDATA_ANY(sent), VARSIZE_ANY_EXHDR(sent)))))),
		 "binary form of ledger");
	must(DatumGetBool(DirectFunctionCall2(ledger_eq, ledger, call1(ledger_in, call1(ledger_out, ledger)))),
		 "text of ledger");

	/* sums may be too large, nothing else may happen */
	memset(&flinfo, 0, sizeof(flinfo));
	flinfo.fn_mcxt = CurrentMemoryContext;
	flinfo.fn_nargs = 3;
	InitFunctionCallInfoData(*fcinfo, &flinfo, 3, InvalidOid, NULL, NULL);
	for (int i = 0; i < 3; i++)
		fcinfo->args[i].isnull = false;
	fcinfo->args[0].value = ledger;
	fcinfo->args[1].value = call1(price_book_in, CStringGetDatum(book));
	fcinfo->args[2].value = BoolGetDatum(true);
	ledger = ledger_reprice(fcinfo);
	must(DatumGetBool(DirectFunctionCall2(ledger_eq, ledger, call1(ledger_in, call1(ledger_out, ledger)))),
		 "text of a re-priced ledger");
	(void) DirectFunctionCall3(ledger_regrain, ledger, CStringGetTextDatum("month"), CStringGetTextDatum("Asia/Kathmandu"));
	(void) call1(ledger_tokens, ledger);
	fcinfo->nargs = 1;
	(void) ledger_spend(fcinfo);
}

/* Calls a function of few arguments whose result may be NULL. */
static void
try(PGFunction function, int n, Datum a, Datum b)
{
	FmgrInfo	flinfo;

	LOCAL_FCINFO(fcinfo, 2);

	memset(&flinfo, 0, sizeof(flinfo));
	flinfo.fn_mcxt = CurrentMemoryContext;
	flinfo.fn_nargs = n;
	InitFunctionCallInfoData(*fcinfo, &flinfo, n, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = a;
	fcinfo->args[1].value = b;
	fcinfo->args[0].isnull = fcinfo->args[1].isnull = false;
	(void) function(fcinfo);
}

/* Whatever came in comes back as it is, by text and by bytes. */
static void
use_value(const ValueType *type, Datum value)
{
	char	   *text = DatumGetCString(call1(type->out, value));
	bytea	   *sent = DatumGetByteaPP(call1(type->send, value));
	Datum		received = call1(type->recv, PointerGetDatum(message((const uint8_t *) VARDATA_ANY(sent), VARSIZE_ANY_EXHDR(sent))));

	must(strcmp(text, DatumGetCString(call1(type->out, received))) == 0, "binary form");
	must(strcmp(text, DatumGetCString(call1(type->out, call1(type->in, CStringGetDatum(text))))) == 0, "text form");
	if (type->in == profile_in)
	{
		try(profile_capacity_at, 2, value, Float8GetDatum(0.99));
		try(profile_peak_to_average, 2, value, CStringGetTextDatum("hour"));
		try(profile_in_zone, 2, value, CStringGetTextDatum("Asia/Kathmandu"));
		try(profile_lost_tokens, 2, value, call1(int8_numeric, Int64GetDatum(5)));
	}
	for (int i = 0; i < lengthof(type->use) && type->use[i] != NULL; i++)
		try(type->use[i], 1, value, (Datum) 0);
}

static const ValueType *
type_of_target(void)
{
	for (int i = 0; i < lengthof(value_types); i++)
		if (strncmp(target, value_types[i].name, strlen(value_types[i].name)) == 0)
			return &value_types[i];
	return NULL;
}

static void
run_target(const uint8_t *data, size_t size)
{
	char	   *text = pnstrdup((const char *) data, size);
	Datum		value;

	/* the server lets no text in that is not of its encoding */
	if (strstr(target, "binary") == NULL && !pg_verifymbstr(text, strlen(text), true))
		return;

	if (strcmp(target, "tokens_text") == 0)
	{
		value = call1(tokens_in, CStringGetDatum(text));
		text = DatumGetCString(call1(tokens_out, value));

		must(strcmp(text, DatumGetCString(call1(tokens_out, call1(tokens_in, CStringGetDatum(text))))) == 0, "text of tokens");
	}
	else if (strcmp(target, "rates_text") == 0)
	{
		value = call1(rates_in, CStringGetDatum(text));
		text = DatumGetCString(call1(rates_out, value));

		must(strcmp(text, DatumGetCString(call1(rates_out, call1(rates_in, CStringGetDatum(text))))) == 0, "text of rates");
	}
	else if (strcmp(target, "tokens_binary") == 0)
	{
		value = call1(tokens_recv, PointerGetDatum(message(data, size)));
		(void) call1(tokens_out, value);
		(void) call1(tokens_send, value);
	}
	else if (strcmp(target, "rates_binary") == 0)
		(void) call1(rates_out, call1(rates_recv, PointerGetDatum(message(data, size))));
	else if (strcmp(target, "book_binary") == 0)
	{
		bytea	   *sent;

		value = call1(price_book_recv, PointerGetDatum(message(data, size)));
		(void) call1(price_book_out, value);
		sent = DatumGetByteaPP(call1(price_book_send, value));
		must(DatumGetBool(DirectFunctionCall2(price_book_eq, value,
											  call1(price_book_recv, PointerGetDatum(message((const uint8_t *) VARDATA_ANY(sent), VARSIZE_ANY_EXHDR(sent)))))),
			 "binary form of price_book");
		price_some_calls(value);
	}
	else if (strcmp(target, "book_text") == 0)
	{
		value = call1(price_book_in, CStringGetDatum(text));
		must(DatumGetBool(DirectFunctionCall2(price_book_eq, value, call1(price_book_in, call1(price_book_out, value)))),
			 "text of price_book");
		price_some_calls(value);
	}
	else if (strcmp(target, "ledger_text") == 0)
		use_ledger(call1(ledger_in, CStringGetDatum(text)));
	else if (strcmp(target, "ledger_binary") == 0)
		use_ledger(call1(ledger_recv, PointerGetDatum(message(data, size))));
	else if (strcmp(target, "usage") == 0)
	{
		PGFunction	parsers[] = {tokens_from_openai, tokens_from_anthropic, tokens_from_gemini, tokens_from_otel, tokens_from_jsonb};

		if (size == 0)
			return;
		value = call1(jsonb_in, CStringGetDatum(text +1));
		(void) call1(tokens_out, call1(parsers[data[0] % lengthof(parsers)], value));
	}
	else if (type_of_target() != NULL)
	{
		const ValueType *type = type_of_target();

		use_value(type, strstr(target, "binary") != NULL ? call1(type->recv, PointerGetDatum(message(data, size))) :
				  call1(type->in, CStringGetDatum(text)));
	}
	else
		elog(ERROR, "unknown target %s", target);
}

static int
run_one(const uint8_t *data, size_t size)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext mine = AllocSetContextCreate(old, "fuzz", ALLOCSET_DEFAULT_SIZES);

	MemoryContextSwitchTo(mine);
	PG_TRY();
	{
		run_target(data, size);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(mine);
		error = CopyErrorData();
		/* an internal error of ours is a finding */
		must(error->sqlerrcode != ERRCODE_INTERNAL_ERROR && error->sqlerrcode != ERRCODE_DATA_CORRUPTED,
			 error->message);
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(mine);
	return 0;
}

Datum
fuzz(PG_FUNCTION_ARGS)
{
	char	   *args[] = {
		"fuzz",
		psprintf("-max_total_time=%d", PG_GETARG_INT32(1)),
		"-max_len=4096", "-timeout=20", "-rss_limit_mb=4096", "-handle_term=0", "-print_final_stats=1", "-verbosity=1",
		psprintf("-artifact_prefix=%s/", text_to_cstring(PG_GETARG_TEXT_PP(2))),
		text_to_cstring(PG_GETARG_TEXT_PP(2)),
		NULL
	};
	char	  **argv = args;
	int			argc = lengthof(args) - 1;

	target = text_to_cstring(PG_GETARG_TEXT_PP(0));
	PG_RETURN_INT32(LLVMFuzzerRunDriver(&argc, &argv, run_one));
}
