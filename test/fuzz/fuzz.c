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
