/*-------------------------------------------------------------------------
 *
 * vendor.c
 *	  From each vendor's usage object to disjoint meters.
 *
 * Vendors count the same call differently:
 *
 *					input includes		output includes
 *	  OpenAI		cached, written		reasoning
 *	  OpenTelemetry	cached, written		reasoning
 *	  Anthropic		neither				thinking
 *	  Gemini		cached				no thoughts
 *
 * and LiteLLM's log counts like OpenAI, in columns and JSON.
 *
 * Each parser subtracts what its vendor includes.  An object that contradicts
 * itself (more cached tokens than prompt tokens, a total that is not the sum)
 * is an error that names the field and both numbers: a clamp would turn the
 * vendor's mistake, or ours, into a wrong bill.  The functions try_... give
 * NULL instead, for views of logs: there one bad row must not hide the others.
 *
 *-------------------------------------------------------------------------
 */
#include "tokens.h"

#include <setjmp.h>

#include "common/int.h"
#include "scan.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

SQL_FUNCTION(tokens_from_openai);
SQL_FUNCTION(tokens_from_anthropic);
SQL_FUNCTION(tokens_from_gemini);
SQL_FUNCTION(tokens_from_otel);
SQL_FUNCTION(tokens_from_litellm);
SQL_FUNCTION(tokens_from);
SQL_FUNCTION(try_tokens_from);
SQL_FUNCTION(try_tokens_from_litellm);

/* A usage object, and how its vendor is called in messages. */
typedef struct Usage
{
	const char *vendor;
	JsonbContainer *object;
	sigjmp_buf *invalid;		/* where to go when it is; NULL: an error */
} Usage;

/* A count that an object holds, or does not. */
typedef struct Field
{
	const char *name;			/* as it is written in the object */
	bool		reported;
	int64		count;			/* 0 where it is not reported */
} Field;

static NO_RETURN void bad_usage(const Usage *usage, const char *detail,...) pg_attribute_printf(2, 3);

static NO_RETURN void
bad_usage(const Usage *usage, const char *detail,...)
{
	StringInfoData buf;
	va_list		args;
	int			needed;

	if (usage->invalid)
		siglongjmp(*usage->invalid, 1);
	initStringInfo(&buf);
	for (;;)
	{
		va_start(args, detail);
		needed = appendStringInfoVA(&buf, detail, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&buf, needed);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s usage", usage->vendor),
			 errdetail_internal("%s", buf.data)));
}

/*
 * The member of an object at "a/b/c", or NULL.  A null member is absent; a
 * member on the way that is no object is an error.
 */
static JsonbValue *
member_at(const Usage *usage, JsonbContainer *object, const char *path)
{
	const char *key = path;

	for (;;)
	{
		const char *slash = strchr(key, '/');
		int			len = slash ? (int) (slash - key) : (int) strlen(key);
		JsonbValue *v = getKeyJsonValueFromContainer(object, key, len, NULL);

		if (v == NULL || v->type == jbvNull)
			return NULL;
		if (slash == NULL)
			return v;
		if (v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
			bad_usage(usage, "\"%.*s\" is not an object.", len, key);
		object = v->val.binary.data;
		key = slash + 1;
	}
}

static int64
count_of(const Usage *usage, const char *name, const JsonbValue *v)
{
	const char *digits;
	int64		count = 0;

	if (v->type != jbvNumeric)
		bad_usage(usage, "\"%s\" is not a number.", name);
	digits = DatumGetCString(DirectFunctionCall1(numeric_out,
												 NumericGetDatum(v->val.numeric)));
	if (decimal_read(digits, strlen(digits), 0, &count) != DECIMAL_OK)
		bad_usage(usage, "\"%s\" is %s; a count of tokens is a whole number between 0 and "
				  INT64_FORMAT ".", name, digits, PG_INT64_MAX);
	return count;
}

/*
 * The count at a path.  Alternatives are separated by '|': different versions
 * of an API name one thing differently, and where an object has several of
 * them they must agree.
 */
static Field
field(const Usage *usage, const char *paths)
{
	char	   *rest = pstrdup(paths);
	Field		result = {rest, false, 0};	/* called by its first name */

	for (char *path = strsep(&rest, "|"); path != NULL; path = strsep(&rest, "|"))
	{
		JsonbValue *v = member_at(usage, usage->object, path);
		int64		count;

		if (v == NULL)
			continue;
		count = count_of(usage, path, v);
		if (result.reported && result.count != count)
			bad_usage(usage, "\"%s\" is " INT64_FORMAT " but \"%s\" is " INT64_FORMAT ".",
					  result.name, result.count, path, count);
		if (!result.reported)
			result.name = path;
		result.reported = true;
		result.count = count;
	}
	return result;
}

/*
 * One modality of Gemini's "...TokensDetails": [{"modality": "AUDIO",
 * "tokenCount": 5}, ...].  It is reported as soon as the list is.
 */
static Field
modality_field(const Usage *usage, const char *paths, const char *modality)
{
	char	   *rest = pstrdup(paths);
	Field		result = {psprintf("%s/%s", paths, modality), false, 0};

	for (char *path = strsep(&rest, "|"); path != NULL; path = strsep(&rest, "|"))
	{
		JsonbValue *list = member_at(usage, usage->object, path);
		uint32		n;

		if (list == NULL || result.reported)
			continue;
		result.name = psprintf("%s/%s", path, modality);
		if (list->type != jbvBinary || !JsonContainerIsArray(list->val.binary.data))
			bad_usage(usage, "\"%s\" is not a list.", path);
		n = JsonContainerSize(list->val.binary.data);
		for (uint32 i = 0; i < n; i++)
		{
			JsonbValue *item = getIthJsonbValueFromContainer(list->val.binary.data, i);
			JsonbValue *name,
					   *count;

			if (item->type != jbvBinary || !JsonContainerIsObject(item->val.binary.data))
				bad_usage(usage, "\"%s\" holds something that is not an object.", path);
			name = member_at(usage, item->val.binary.data, "modality");
			if (name == NULL || name->type != jbvString)
				bad_usage(usage, "\"%s\" holds an object without a \"modality\".", path);
			if (name->val.string.len != strlen(modality) ||
				memcmp(name->val.string.val, modality, name->val.string.len) != 0)
				continue;
			count = member_at(usage, item->val.binary.data, "tokenCount");
			if (count == NULL)
				count = member_at(usage, item->val.binary.data, "token_count");
			if (count != NULL &&
				pg_add_s64_overflow(result.count, count_of(usage, result.name, count),
									&result.count))
				bad_usage(usage, "\"%s\" is out of range.", result.name);
			result.reported = true;
		}
	}
	return result;
}

/* Fails unless the parts fit into the whole that includes them. */
static void
check_within(const Usage *usage, const Field *part, const Field *whole)
{
	if (part->reported && !whole->reported)
		bad_usage(usage, "\"%s\" is given without \"%s\".", part->name, whole->name);
	if (part->count > whole->count)
		bad_usage(usage, "\"%s\" is " INT64_FORMAT ", more than \"%s\", which is " INT64_FORMAT " and includes it.",
				  part->name, part->count, whole->name, whole->count);
}

/* Several fields, as the two arguments of the functions below. */
#define FIELD_LIST(...) \
	(const Field *[]) {__VA_ARGS__}, lengthof(((const Field *[]) {__VA_ARGS__}))

/* What is left of a whole when several disjoint parts are taken out of it. */
static int64
remainder_of(const Usage *usage, const Field *whole, const Field *const *parts, int n)
{
	int64		rest = whole->count;

	for (int i = 0; i < n; i++)
	{
		check_within(usage, parts[i], whole);
		rest -= parts[i]->count;	/* cannot overflow: none is above the
									 * whole */
		if (rest < 0)
		{
			StringInfoData sum;

			initStringInfo(&sum);
			for (int j = 0; j <= i; j++)
				if (parts[j]->count > 0)
					appendStringInfo(&sum, "%s\"%s\" (" INT64_FORMAT ")",
									 sum.len > 0 ? " and " : "",
									 parts[j]->name, parts[j]->count);
			bad_usage(usage, "Together %s are more than \"%s\", which is " INT64_FORMAT " and includes them.",
					  sum.data, whole->name, whole->count);
		}
	}
	return rest;
}

static void
set_count(TokenCounts *counts, Meter meter, bool reported, int64 count)
{
	if (reported)
	{
		counts->reported |= METER_BIT(meter);
		counts->count[meter] = count;
	}
}

/*
 * The input meters of a vendor whose input includes everything.  Cached audio
 * and image tokens are cache reads; where the vendor does not say of what the
 * cached tokens are, they are text.
 */
static void
set_inclusive_input(const Usage *usage, TokenCounts *counts, const Field *whole,
					const Field *cached, const Field *written,
					Field audio, Field image,
					const Field *cached_audio, const Field *cached_image)
{
	const Field *parts[4];

	check_within(usage, cached_audio, &audio);
	check_within(usage, cached_image, &image);
	check_within(usage, cached_audio, cached);
	check_within(usage, cached_image, cached);
	audio.count -= cached_audio->count;
	image.count -= cached_image->count;
	parts[0] = cached;
	parts[1] = written;
	parts[2] = &audio;
	parts[3] = &image;
	set_count(counts, METER_INPUT, whole->reported,
			  remainder_of(usage, whole, parts, lengthof(parts)));
	set_count(counts, METER_CACHE_READ, cached->reported, cached->count);
	set_count(counts, METER_CACHE_WRITE, written->reported, written->count);
	set_count(counts, METER_AUDIO_INPUT, audio.reported, audio.count);
	set_count(counts, METER_IMAGE_INPUT, image.reported, image.count);
}

/* The output meters of a vendor whose output includes everything. */
static void
set_inclusive_output(const Usage *usage, TokenCounts *counts, const Field *whole,
					 const Field *reasoning, const Field *audio, const Field *image)
{
	const Field *parts[] = {reasoning, audio, image};

	set_count(counts, METER_OUTPUT, whole->reported,
			  remainder_of(usage, whole, parts, lengthof(parts)));
	set_count(counts, METER_REASONING, reasoning->reported, reasoning->count);
	set_count(counts, METER_AUDIO_OUTPUT, audio->reported, audio->count);
	set_count(counts, METER_IMAGE_OUTPUT, image->reported, image->count);
}

/* Fails unless the vendor's total is the sum of what it says it is made of. */
static void
check_total(const Usage *usage, const Field *total, const Field *const *parts, int n)
{
	int64		sum = 0;

	if (!total->reported)
		return;
	for (int i = 0; i < n; i++)
		if (pg_add_s64_overflow(sum, parts[i]->count, &sum))
			bad_usage(usage, "The sum of \"%s\" and the other counts is out of range.",
					  parts[i]->name);
	if (sum != total->count)
		bad_usage(usage, "\"%s\" is " INT64_FORMAT ", but its parts add up to " INT64_FORMAT ".",
				  total->name, total->count, sum);
}

/*
 * OpenAI: chat completions, responses, realtime, embeddings and the rows of
 * the organisation's usage report.
 */
static void
count_openai(const Usage *usage, TokenCounts *counts)
{
	Field		input,
				cached,
				written,
				audio,
				image,
				cached_audio,
				cached_image,
				plain,
				output,
				reasoning,
				output_audio,
				output_image,
				accepted,
				rejected,
				total;

	input = field(usage, "prompt_tokens|input_tokens");
	output = field(usage, "completion_tokens|output_tokens");
	total = field(usage, "total_tokens");
	cached = field(usage, "prompt_tokens_details/cached_tokens|input_tokens_details/cached_tokens|input_token_details/cached_tokens|input_cached_tokens");
	written = field(usage, "prompt_tokens_details/cache_write_tokens|input_tokens_details/cache_write_tokens|input_cache_write_tokens");
	audio = field(usage, "prompt_tokens_details/audio_tokens|input_tokens_details/audio_tokens|input_token_details/audio_tokens");
	image = field(usage, "prompt_tokens_details/image_tokens|input_tokens_details/image_tokens|input_token_details/image_tokens");
	cached_audio = field(usage, "prompt_tokens_details/cached_tokens_details/audio_tokens|input_token_details/cached_tokens_details/audio_tokens");
	cached_image = field(usage, "prompt_tokens_details/cached_tokens_details/image_tokens|input_token_details/cached_tokens_details/image_tokens");
	reasoning = field(usage, "completion_tokens_details/reasoning_tokens|output_tokens_details/reasoning_tokens|output_token_details/reasoning_tokens");
	output_audio = field(usage, "completion_tokens_details/audio_tokens|output_tokens_details/audio_tokens|output_token_details/audio_tokens|output_audio_tokens");
	output_image = field(usage, "completion_tokens_details/image_tokens|output_tokens_details/image_tokens|output_token_details/image_tokens|output_image_tokens");

	/* the usage report counts audio and images without the cached ones */
	if (!audio.reported)
		audio = field(usage, "input_audio_tokens");
	if (!image.reported)
		image = field(usage, "input_image_tokens");

	set_inclusive_input(usage, counts, &input, &cached, &written,
						audio, image, &cached_audio, &cached_image);
	set_inclusive_output(usage, counts, &output, &reasoning, &output_audio, &output_image);

	/* both kinds of predicted tokens are part of the output, and billed */
	accepted = field(usage, "completion_tokens_details/accepted_prediction_tokens");
	rejected = field(usage, "completion_tokens_details/rejected_prediction_tokens");
	remainder_of(usage, &output, FIELD_LIST(&accepted, &rejected));
	plain = field(usage, "prompt_tokens_details/text_tokens|input_tokens_details/text_tokens|input_token_details/text_tokens");
	check_within(usage, &plain, &input);
	plain = field(usage, "input_uncached_tokens");
	if (plain.reported)
		check_total(usage, &input, FIELD_LIST(&cached, &written, &plain));

	check_total(usage, &total, FIELD_LIST(&input, &output));
}

/* Anthropic: messages, and the rows of the usage report. */
static void
count_anthropic(const Usage *usage, TokenCounts *counts)
{
	Field		input,
				read,
				written,
				written_5m,
				written_1h,
				output,
				thinking,
				searches;
	const Field none = {"", false, 0};

	input = field(usage, "input_tokens|uncached_input_tokens");
	read = field(usage, "cache_read_input_tokens");
	written = field(usage, "cache_creation_input_tokens");
	written_5m = field(usage, "cache_creation/ephemeral_5m_input_tokens");
	written_1h = field(usage, "cache_creation/ephemeral_1h_input_tokens");
	output = field(usage, "output_tokens");
	thinking = field(usage, "output_tokens_details/thinking_tokens");
	searches = field(usage, "server_tool_use/web_search_requests");

	if (written_5m.reported || written_1h.reported)
		check_total(usage, &written, FIELD_LIST(&written_5m, &written_1h));
	else
		written_5m = written;	/* without the split a write is for 5 minutes */

	set_count(counts, METER_INPUT, input.reported, input.count);
	set_count(counts, METER_CACHE_READ, read.reported, read.count);
	set_count(counts, METER_CACHE_WRITE, written_5m.reported, written_5m.count);
	set_count(counts, METER_CACHE_WRITE_1H, written_1h.reported, written_1h.count);
	set_inclusive_output(usage, counts, &output, &thinking, &none, &none);
	set_count(counts, METER_TOOL_CALLS, searches.reported, searches.count);
}

/* Gemini: usageMetadata, as the REST interface or the client library writes it. */
static void
count_gemini(const Usage *usage, TokenCounts *counts)
{
	Field		prompt,
				cached,
				tool_prompt,
				audio,
				image,
				cached_audio,
				cached_image,
				candidates,
				thoughts,
				output_audio,
				output_image,
				total;
	const Field none = {"", false, 0};

#define PROMPT_LIST "promptTokensDetails|prompt_tokens_details"
#define CACHED_LIST "cacheTokensDetails|cache_tokens_details"
#define OUTPUT_LIST "candidatesTokensDetails|candidates_tokens_details"

	prompt = field(usage, "promptTokenCount|prompt_token_count");
	cached = field(usage, "cachedContentTokenCount|cached_content_token_count");
	tool_prompt = field(usage, "toolUsePromptTokenCount|tool_use_prompt_token_count");
	candidates = field(usage, "candidatesTokenCount|candidates_token_count|responseTokenCount|response_token_count");
	thoughts = field(usage, "thoughtsTokenCount|thoughts_token_count");
	total = field(usage, "totalTokenCount|total_token_count");
	audio = modality_field(usage, PROMPT_LIST, "AUDIO");
	image = modality_field(usage, PROMPT_LIST, "IMAGE");
	cached_audio = modality_field(usage, CACHED_LIST, "AUDIO");
	cached_image = modality_field(usage, CACHED_LIST, "IMAGE");
	output_audio = modality_field(usage, OUTPUT_LIST, "AUDIO");
	output_image = modality_field(usage, OUTPUT_LIST, "IMAGE");

	set_inclusive_input(usage, counts, &prompt, &cached, &none,
						audio, image, &cached_audio, &cached_image);
	set_inclusive_output(usage, counts, &candidates, &none, &output_audio, &output_image);
	set_count(counts, METER_REASONING, thoughts.reported, thoughts.count);

	/* what tools fed back into the prompt is input beside the prompt */
	if (tool_prompt.reported)
	{
		TokenCounts tools = {METER_BIT(METER_INPUT), {tool_prompt.count}};

		token_counts_add(counts, &tools);
	}
	check_total(usage, &total,
				FIELD_LIST(&prompt, &tool_prompt, &candidates, &thoughts));
}

/* OpenTelemetry: the gen_ai.usage.* attributes of a span. */
static void
count_otel(const Usage *usage, TokenCounts *counts)
{
	Field		input,
				read,
				written,
				output,
				reasoning;
	const Field none = {"", false, 0};

	input = field(usage, "gen_ai.usage.input_tokens|gen_ai.usage.prompt_tokens");
	read = field(usage, "gen_ai.usage.cache_read.input_tokens");
	written = field(usage, "gen_ai.usage.cache_creation.input_tokens");
	output = field(usage, "gen_ai.usage.output_tokens|gen_ai.usage.completion_tokens");
	reasoning = field(usage, "gen_ai.usage.reasoning.output_tokens");

	set_inclusive_input(usage, counts, &input, &read, &written, none, none, &none, &none);
	set_inclusive_output(usage, counts, &output, &reasoning, &none, &none);
}

/*
 * LiteLLM: a row of its log.  Prompt and completion are columns, the parts are
 * in the JSON of "metadata".  It writes 0 where nothing was reported.
 */
static void
count_litellm(const Usage *usage, TokenCounts *counts, int64 prompt, int64 completion)
{
	Field		input = {"prompt_tokens", true, prompt},
				output = {"completion_tokens", true, completion},
				cached,
				written,
				written_5m,
				written_1h,
				audio,
				image,
				reasoning,
				output_audio,
				output_image,
				searches;
	const Field none = {"", false, 0};

	for (int i = 0; i < 2; i++)
	{
		const Field *whole = i == 0 ? &input : &output;

		if (whole->count < 0)
			bad_usage(usage, "\"%s\" is " INT64_FORMAT "; a count of tokens is a whole number between 0 and "
					  INT64_FORMAT ".", whole->name, whole->count, PG_INT64_MAX);
	}

	searches = field(usage, "server_tool_use/web_search_requests|prompt_tokens_details/web_search_requests");
	set_count(counts, METER_TOOL_CALLS, searches.count > 0, searches.count);
	if (prompt == 0 && completion == 0)
		return;

	cached = field(usage, "prompt_tokens_details/cached_tokens|cache_read_input_tokens|prompt_cache_hit_tokens");
	written = field(usage, "prompt_tokens_details/cache_write_tokens|prompt_tokens_details/cache_creation_tokens|cache_creation_input_tokens");
	written_5m = field(usage, "prompt_tokens_details/cache_creation_token_details/ephemeral_5m_input_tokens");
	written_1h = field(usage, "prompt_tokens_details/cache_creation_token_details/ephemeral_1h_input_tokens");
	audio = field(usage, "prompt_tokens_details/audio_tokens");
	image = field(usage, "prompt_tokens_details/image_tokens");
	reasoning = field(usage, "completion_tokens_details/reasoning_tokens");
	output_audio = field(usage, "completion_tokens_details/audio_tokens");
	output_image = field(usage, "completion_tokens_details/image_tokens");

	set_inclusive_input(usage, counts, &input, &cached, &written, audio, image, &none, &none);
	if (written_5m.count > 0 || written_1h.count > 0)
	{
		/* what the split does not name is written for 5 minutes */
		remainder_of(usage, &written, FIELD_LIST(&written_5m, &written_1h));
		set_count(counts, METER_CACHE_WRITE, true, written.count - written_1h.count);
		set_count(counts, METER_CACHE_WRITE_1H, true, written_1h.count);
	}
	output.reported = completion > 0 || member_at(usage, usage->object, "completion_tokens_details") != NULL;
	set_inclusive_output(usage, counts, &output, &reasoning, &output_audio, &output_image);
}

/* A vendor: its name in SQL and in messages, and its parser. */
typedef struct Vendor
{
	const char *name;
	const char *title;
	const char *member;			/* the member of a whole response that holds
								 * the usage object */
	void		(*count) (const Usage *usage, TokenCounts *counts);
	const char *wanted;			/* what it must report at least */
} Vendor;

static const Vendor vendors[] = {
	{"openai", "OpenAI", "usage", count_openai, "\"prompt_tokens\" or \"input_tokens\""},
	{"anthropic", "Anthropic", "usage", count_anthropic, "\"input_tokens\""},
	{"gemini", "Gemini", "usageMetadata", count_gemini, "\"promptTokenCount\""},
	{"otel", "OpenTelemetry", NULL, count_otel, "\"gen_ai.usage.input_tokens\""},
};

/* The vendor of that name. */
static const Vendor *
find_vendor(const text *name)
{
	StringInfoData names;

	for (int i = 0; i < lengthof(vendors); i++)
		if (VARSIZE_ANY_EXHDR(name) == strlen(vendors[i].name) &&
			memcmp(VARDATA_ANY(name), vendors[i].name, strlen(vendors[i].name)) == 0)
			return &vendors[i];

	initStringInfo(&names);
	for (int i = 0; i < lengthof(vendors); i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "", vendors[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown vendor \"%s\"", text_to_cstring(name)),
			 errhint("The vendors are: %s. Any other's tokens can be made with tokens(input => ..., output => ...).",
					 names.data)));
}

/*
 * Reads the usage object: the argument itself, or its member where a whole
 * response is given.
 */
static void
count_usage(Usage *usage, const Vendor *vendor, TokenCounts *counts)
{
	JsonbValue *inner;

	if (!JsonContainerIsObject(usage->object))
		bad_usage(usage, "Expected an object.");
	inner = vendor->member ? member_at(usage, usage->object, vendor->member) : NULL;
	if (inner != NULL)
	{
		if (inner->type != jbvBinary || !JsonContainerIsObject(inner->val.binary.data))
			bad_usage(usage, "\"%s\" is not an object.", vendor->member);
		usage->object = inner->val.binary.data;
	}
	vendor->count(usage, counts);
	if (counts->reported == 0)
		bad_usage(usage, "It reports no tokens: expected at least %s.", vendor->wanted);
}

static Datum
tokens_or_error(const Vendor *vendor, Jsonb *body)
{
	Usage		usage = {vendor->title, &body->root, NULL};
	TokenCounts counts = {0};

	count_usage(&usage, vendor, &counts);
	return token_counts_datum(&counts);
}

Datum
tokens_from_openai(PG_FUNCTION_ARGS)
{
	return tokens_or_error(&vendors[0], PG_GETARG_JSONB_P(0));
}

Datum
tokens_from_anthropic(PG_FUNCTION_ARGS)
{
	return tokens_or_error(&vendors[1], PG_GETARG_JSONB_P(0));
}

Datum
tokens_from_gemini(PG_FUNCTION_ARGS)
{
	return tokens_or_error(&vendors[2], PG_GETARG_JSONB_P(0));
}

Datum
tokens_from_otel(PG_FUNCTION_ARGS)
{
	return tokens_or_error(&vendors[3], PG_GETARG_JSONB_P(0));
}

Datum
tokens_from(PG_FUNCTION_ARGS)
{
	return tokens_or_error(find_vendor(PG_GETARG_TEXT_PP(0)), PG_GETARG_JSONB_P(1));
}

/*
 * Nothing between sigsetjmp() and siglongjmp() holds a resource: the parsers
 * read the value and allocate memory of the call, no more.
 */
Datum
try_tokens_from(PG_FUNCTION_ARGS)
{
	const Vendor *vendor = find_vendor(PG_GETARG_TEXT_PP(0));
	Jsonb	   *body = PG_GETARG_JSONB_P(1);
	sigjmp_buf	invalid;
	Usage		usage = {vendor->title, &body->root, &invalid};
	TokenCounts counts = {0};

	if (sigsetjmp(invalid, 0) != 0)
		PG_RETURN_NULL();
	count_usage(&usage, vendor, &counts);
	return token_counts_datum(&counts);
}

/*
 * The row of LiteLLM's log in the arguments: prompt_tokens, completion_tokens,
 * and metadata, which holds the usage object of the response; older versions
 * wrote only what was additional to the columns.
 */
static void
count_litellm_row(FunctionCallInfo fcinfo, Usage *usage, TokenCounts *counts)
{
	int64		prompt = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0);
	int64		completion = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1);

	if (usage->object != NULL)
	{
		JsonbContainer *metadata = usage->object;
		JsonbValue *object = NULL;

		usage->object = NULL;
		if (JsonContainerIsObject(metadata))
		{
			object = member_at(usage, metadata, "usage_object");
			if (object == NULL || object->type != jbvBinary)
				object = member_at(usage, metadata, "additional_usage_values");
		}
		if (object != NULL && object->type == jbvBinary && JsonContainerIsObject(object->val.binary.data))
			usage->object = object->val.binary.data;
	}
	if (usage->object == NULL)
		usage->object = &DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")))->root;
	count_litellm(usage, counts, prompt, completion);
	if (counts->reported == 0)
		bad_usage(usage, "It reports no tokens: \"prompt_tokens\" and \"completion_tokens\" are 0 or NULL.");
}

Datum
tokens_from_litellm(PG_FUNCTION_ARGS)
{
	Usage		usage = {"LiteLLM", PG_ARGISNULL(2) ? NULL : &PG_GETARG_JSONB_P(2)->root, NULL};
	TokenCounts counts = {0};

	count_litellm_row(fcinfo, &usage, &counts);
	return token_counts_datum(&counts);
}

Datum
try_tokens_from_litellm(PG_FUNCTION_ARGS)
{
	sigjmp_buf	invalid;
	Usage		usage = {"LiteLLM", PG_ARGISNULL(2) ? NULL : &PG_GETARG_JSONB_P(2)->root, &invalid};
	TokenCounts counts = {0};

	if (sigsetjmp(invalid, 0) != 0)
		PG_RETURN_NULL();
	count_litellm_row(fcinfo, &usage, &counts);
	return token_counts_datum(&counts);
}
