/*-------------------------------------------------------------------------
 *
 * price_book.c
 *	  Making a price_book out of rows, and rows out of a price_book.
 *
 * Every way in (the aggregates over tables, text, binary, overlay) collects
 * rows into a BookDraft; draft_flatten() checks them against each other and
 * lays the value out.  Nothing else writes a PriceBook.
 *
 * The state of the aggregates is the same type as an expanded object that
 * holds the draft.
 *
 *-------------------------------------------------------------------------
 */
#include "price_book.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "json.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/expandeddatum.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* What errors of its text form name. */
#define BOOK_TYPE "price_book"

#define PRICE_BOOK_WIRE_FORMAT 1
#define EXPANDED_BOOK_MAGIC 0x626f6f6b

const char *const tier_basis_name[] = {"input_total", "uncached", NULL};
const char *const tier_mode_name[] = {"whole", "graduated", NULL};

/* One row of a table of prices. */
typedef struct DraftRow
{
	uint32		layer;
	char	   *provider;
	char	   *model;
	char	   *service_tier;
	int64		above;
	RateCard	card;
	TimestampTz from;
	TimestampTz to;
	TierBasis	basis;
	TierMode	mode;
	int			n_windows;
	BookWindow *windows;		/* ascending, disjoint */
	char	   *zone;
	char	   *source;
} DraftRow;

typedef struct DraftAlias
{
	char	   *provider;
	char	   *alias;
	char	   *to_provider;
	char	   *to_model;
	bool		is_pattern;
	int32		rank;			/* order of patterns */
} DraftAlias;

typedef struct BookDraft
{
	MemoryContext mcxt;			/* holds everything below */
	char	  **layers;
	uint32		n_layers;
	uint32		max_layers;
	DraftRow   *rows;
	uint32		n_rows;
	uint32		max_rows;
	DraftAlias *aliases;
	uint32		n_aliases;
	uint32		max_aliases;
} BookDraft;

/* Which columns of a row type are ours; kept in the state of the aggregate. */
typedef enum RowColumn
{
	COLUMN_BOOK, COLUMN_PROVIDER, COLUMN_MODEL, COLUMN_SERVICE_TIER, COLUMN_ABOVE,
	COLUMN_RATES, COLUMN_VALID, COLUMN_BASIS, COLUMN_MODE, COLUMN_OFF_PEAK,
	COLUMN_ZONE, COLUMN_RECORDED, COLUMN_SOURCE,
	N_ROW_COLUMNS
} RowColumn;

typedef enum AliasColumn
{
	COLUMN_ALIAS_PROVIDER, COLUMN_ALIAS, COLUMN_IS_PATTERN, COLUMN_TO_PROVIDER,
	COLUMN_TO_MODEL, COLUMN_RANK, COLUMN_ALIAS_RECORDED,
	N_ALIAS_COLUMNS
} AliasColumn;

#define MAX_COLUMNS N_ROW_COLUMNS

typedef struct ColumnSpec
{
	const char *name;
	Oid			type;			/* InvalidOid: a type of ours, by name */
	bool		required;
} ColumnSpec;

static const ColumnSpec row_columns[N_ROW_COLUMNS] = {
	[COLUMN_BOOK] = {"book", TEXTOID, false},
	[COLUMN_PROVIDER] = {"provider", TEXTOID, true},
	[COLUMN_MODEL] = {"model", TEXTOID, true},
	[COLUMN_SERVICE_TIER] = {"service_tier", TEXTOID, false},
	[COLUMN_ABOVE] = {"above_input_tokens", INT8OID, false},
	[COLUMN_RATES] = {"rates", InvalidOid, true},
	[COLUMN_VALID] = {"valid", TSTZRANGEOID, true},
	[COLUMN_BASIS] = {"tier_basis", TEXTOID, false},
	[COLUMN_MODE] = {"tier_mode", TEXTOID, false},
	[COLUMN_OFF_PEAK] = {"off_peak", INT4MULTIRANGEOID, false},
	[COLUMN_ZONE] = {"off_peak_zone", TEXTOID, false},
	[COLUMN_RECORDED] = {"recorded", TSTZRANGEOID, false},
	[COLUMN_SOURCE] = {"source", TEXTOID, false}
};

static const ColumnSpec alias_columns[N_ALIAS_COLUMNS] = {
	[COLUMN_ALIAS_PROVIDER] = {"provider", TEXTOID, false},
	[COLUMN_ALIAS] = {"alias", TEXTOID, true},
	[COLUMN_IS_PATTERN] = {"is_pattern", BOOLOID, false},
	[COLUMN_TO_PROVIDER] = {"to_provider", TEXTOID, false},
	[COLUMN_TO_MODEL] = {"to_model", TEXTOID, true},
	[COLUMN_RANK] = {"rank", INT4OID, false},
	[COLUMN_ALIAS_RECORDED] = {"recorded", TSTZRANGEOID, false}
};

typedef struct ExpandedBook
{
	ExpandedObjectHeader hdr;
	int			magic;
	BookDraft	draft;
	PriceBook  *flat;			/* made when the size was asked for, or NULL */
	/* the row type seen last, and where its columns are */
	Oid			row_type;
	int32		row_typmod;
	int			column[MAX_COLUMNS];	/* 0: there is none */
} ExpandedBook;

SQL_FUNCTION(price_book_in);
SQL_FUNCTION(price_book_out);
SQL_FUNCTION(price_book_recv);
SQL_FUNCTION(price_book_send);
SQL_FUNCTION(price_book_add);
SQL_FUNCTION(price_book_add_known_at);
SQL_FUNCTION(price_book_add_alias);
SQL_FUNCTION(price_book_add_alias_known_at);
SQL_FUNCTION(price_book_merge);
SQL_FUNCTION(price_book_final);
SQL_FUNCTION(price_book_overlay);
SQL_FUNCTION(price_book_prices_at);
SQL_FUNCTION(price_book_books);
SQL_FUNCTION(price_book_eq);

/*
 * The hash of a name in a book, which is stored: it never changes.  It is made
 * without a branch for every length: of the first and last bytes of both, and
 * of the middle of a model.
 */
uint32
price_book_hash(const char *provider, int provider_len, const char *model, int model_len)
{
	uint64		lengths = (uint64) provider_len << 32 | (uint32) model_len;
	char		short_provider[4] = {0};
	char		short_model[4] = {0};
	int			provider_more,
				model_more,
				model_more_than_12;
	uint64		a,
				b;
	unsigned	__int128 product;

	if (provider_len < 4)
	{
		provider = memcpy(short_provider, provider, provider_len);
		provider_len = 4;
	}
	if (model_len < 4)
	{
		model = memcpy(short_model, model, model_len);
		model_len = 4;
	}
	provider_more = Max(provider_len - 8, 0);
	model_more = Max(model_len - 8, 0);
	model_more_than_12 = Max(model_len - 12, 0);

	/* the first 8 bytes, the last 8, and the 4 behind and before them */
	a = (load_4(model) | (uint64) load_4(model + model_len - 4 - model_more) << 32) +
		(load_4(provider) | (uint64) load_4(provider + provider_len - 4 - provider_more) << 32);
	b = (load_4(model + model_more) | (uint64) load_4(model + model_len - 4) << 32) +
		(load_4(provider + provider_more) | (uint64) load_4(provider + provider_len - 4) << 32) +
		((load_4(model + model_len - 4 - model_more_than_12) |
		  (uint64) load_4(model + model_more_than_12) << 32) ^ lengths);
	/* both halves of one product: each bit of it hangs on all bits of both */
	product = (unsigned __int128) (a ^ UINT64CONST(0x9E3779B97F4A7C15)) * (b ^ UINT64CONST(0xD6E8FEB86659FD93));
	return (uint32) ((uint64) product ^ (uint64) (product >> 64));
}

/*
 * Drafts
 */

static void
draft_init(BookDraft *draft, MemoryContext mcxt)
{
	memset(draft, 0, sizeof(BookDraft));
	draft->mcxt = mcxt;
}

/* Makes room for one more item of an array in a draft's context. */
static void *
draft_grow(BookDraft *draft, void *array, uint32 n, uint32 *max, Size size)
{
	if (n < *max)
		return array;
	if (array == NULL)
	{
		*max = 16;
		return MemoryContextAlloc(draft->mcxt, *max * size);
	}
	*max *= 2;
	return repalloc_huge(array, *max * size);
}

/* Returns the number of a layer; it is made where the draft has none so named. */
static uint32
draft_layer(BookDraft *draft, const char *name)
{
	for (uint32 i = 0; i < draft->n_layers; i++)
		if (strcmp(draft->layers[i], name) == 0)
			return i;
	draft->layers = draft_grow(draft, draft->layers, draft->n_layers,
							   &draft->max_layers, sizeof(char *));
	draft->layers[draft->n_layers] = MemoryContextStrdup(draft->mcxt, name);
	return draft->n_layers++;
}

/* Copies a row, strings and windows included, into a draft. */
static void
draft_add_row(BookDraft *draft, const DraftRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(draft->mcxt);
	DraftRow   *copy;

	draft->rows = draft_grow(draft, draft->rows, draft->n_rows,
							 &draft->max_rows, sizeof(DraftRow));
	copy = &draft->rows[draft->n_rows];
	*copy = *row;
	copy->provider = pstrdup(row->provider);
	copy->model = pstrdup(row->model);
	copy->service_tier = pstrdup(row->service_tier);
	copy->zone = pstrdup(row->zone);
	copy->source = pstrdup(row->source);
	if (row->n_windows > 0)
	{
		copy->windows = palloc(row->n_windows * sizeof(BookWindow));
		memcpy(copy->windows, row->windows, row->n_windows * sizeof(BookWindow));
	}
	draft->n_rows++;
	MemoryContextSwitchTo(old);
}

static void
draft_add_alias(BookDraft *draft, const DraftAlias *alias)
{
	MemoryContext old = MemoryContextSwitchTo(draft->mcxt);
	DraftAlias *copy;

	draft->aliases = draft_grow(draft, draft->aliases, draft->n_aliases,
								&draft->max_aliases, sizeof(DraftAlias));
	copy = &draft->aliases[draft->n_aliases];
	*copy = *alias;
	copy->provider = pstrdup(alias->provider);
	copy->alias = pstrdup(alias->alias);
	copy->to_provider = pstrdup(alias->to_provider);
	copy->to_model = pstrdup(alias->to_model);
	draft->n_aliases++;
	MemoryContextSwitchTo(old);
}

/*
 * Errors name the row by its key.
 */
static char *
row_name(const BookDraft *draft, const DraftRow *row)
{
	return psprintf("Row: book \"%s\", provider \"%s\", model \"%s\", service tier \"%s\", above %lld input tokens.",
					draft->layers[row->layer], row->provider, row->model,
					row->service_tier, (long long) row->above);
}

#define BAD_ROW(draft, row, ...) \
	ereport(ERROR, \
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), \
			 errmsg(__VA_ARGS__), \
			 errdetail_internal("%s", row_name(draft, row))))

/* Checks what one row says, apart from other rows. */
static void
check_row(const BookDraft *draft, const DraftRow *row)
{
	if (row->provider[0] == '\0' || row->model[0] == '\0' || row->service_tier[0] == '\0' ||
		draft->layers[row->layer][0] == '\0')
		BAD_ROW(draft, row, "book, provider, model and service tier of a price must not be empty");
	if (row->above < 0)
		BAD_ROW(draft, row, "a threshold of input tokens must not be below zero");
	if (row->from >= row->to)
		BAD_ROW(draft, row, "the period of a price must not be empty");
	for (int i = 0; i < row->n_windows; i++)
		if (row->windows[i].from < 0 || row->windows[i].to > MINUTES_PER_WEEK ||
			row->windows[i].from >= row->windows[i].to ||
			(i > 0 && row->windows[i].from <= row->windows[i - 1].to))
			BAD_ROW(draft, row, "off-peak windows must be ascending, apart, and within the minutes 0 to %d of the week",
					MINUTES_PER_WEEK);
	if (row->n_windows > 0 && pg_tzset(row->zone) == NULL)
		BAD_ROW(draft, row, "off-peak time zone \"%s\" is not known", row->zone);
}

/*
 * Laying out
 */

static int
compare_rows(const void *a, const void *b)
{
	const DraftRow *x = a;
	const DraftRow *y = b;
	int			order;

	if (x->layer != y->layer)
		return x->layer < y->layer ? -1 : 1;
	if ((order = strcmp(x->provider, y->provider)) != 0 ||
		(order = strcmp(x->model, y->model)) != 0 ||
		(order = strcmp(x->service_tier, y->service_tier)) != 0)
		return order;
	if ((x->n_windows > 0) != (y->n_windows > 0))
		return x->n_windows > 0 ? 1 : -1;
	if (x->above != y->above)
		return x->above < y->above ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->n_windows > 0 && x->windows[0].from != y->windows[0].from)
		return x->windows[0].from < y->windows[0].from ? -1 : 1;
	return 0;
}

/* Exact names first; then patterns by rank, in the order they came. */
static int
compare_aliases(const void *a, const void *b)
{
	const DraftAlias *x = a;
	const DraftAlias *y = b;
	int			order;

	if (x->is_pattern != y->is_pattern)
		return x->is_pattern ? 1 : -1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if ((order = strcmp(x->alias, y->alias)) != 0 ||
		(order = strcmp(y->provider, x->provider)) != 0 ||
		(order = strcmp(x->to_provider, y->to_provider)) != 0)
		return order;
	return strcmp(x->to_model, y->to_model);
}

static int
compare_times(const void *a, const void *b)
{
	TimestampTz x = *(const TimestampTz *) a;
	TimestampTz y = *(const TimestampTz *) b;

	return (x > y) - (x < y);
}

static bool
windows_overlap(const DraftRow *a, const DraftRow *b)
{
	for (int i = 0; i < a->n_windows; i++)
		for (int j = 0; j < b->n_windows; j++)
			if (a->windows[i].from < b->windows[j].to &&
				b->windows[j].from < a->windows[i].to)
				return true;
	return false;
}

/* Checks two rows of one service tier of a model that hold at one time. */
static void
check_pair(const BookDraft *draft, const DraftRow *a, const DraftRow *b)
{
	if (a->above == b->above &&
		(a->n_windows > 0) == (b->n_windows > 0) &&
		(a->n_windows == 0 || windows_overlap(a, b)))
		BAD_ROW(draft, b, "two prices hold at the same time");
	if (a->mode != b->mode || a->basis != b->basis)
		BAD_ROW(draft, b, "prices that hold at the same time differ in tier_mode or tier_basis");
	if (!currency_equal(&a->card.currency, &b->card.currency))
		BAD_ROW(draft, b, "prices that hold at the same time have different currencies, \"%s\" and \"%s\"",
				currency_cstring(&a->card.currency), currency_cstring(&b->card.currency));
}

/* The strings of a book in the making: each distinct one is stored once. */
typedef struct StringPool
{
	StringInfoData data;
	uint32	   *slots;			/* offset + 1 of {len, bytes}; 0: free */
	BookString *strings;
	uint32		n;
	uint32		max;			/* of slots, a power of two */
} StringPool;

static void
pool_init(StringPool *pool, uint32 expected)
{
	initStringInfo(&pool->data);
	pool->max = pg_nextpower2_32(Max(expected, 8) * 2);
	pool->slots = palloc_extended(pool->max * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	pool->strings = palloc_extended(pool->max * sizeof(BookString), MCXT_ALLOC_HUGE);
	pool->n = 0;
}

static BookString
pool_add(StringPool *pool, const char *str)
{
	uint32		len = strlen(str);
	uint32		slot = hash_bytes((const unsigned char *) str, len) & (pool->max - 1);
	BookString	string;

	while (pool->slots[slot] != 0)
	{
		string = pool->strings[pool->slots[slot] - 1];
		if (string.len == len && memcmp(pool->data.data + string.offset, str, len) == 0)
			return string;
		slot = (slot + 1) & (pool->max - 1);
	}
	string.offset = pool->data.len;
	string.len = len;
	appendBinaryStringInfo(&pool->data, str, len);
	pool->strings[pool->n] = string;
	pool->slots[slot] = ++pool->n;
	return string;
}

/*
 * The characters that a name must start with to match a pattern; 0 where it
 * may start with anything.  Only "^" and the plain characters behind it are
 * understood; that spares nearly every pattern a run of the regex engine.
 */
static uint32
pattern_prefix_len(const char *pattern)
{
	uint32		len = 0;

	if (pattern[0] != '^' || strchr(pattern, '|') != NULL || strstr(pattern, "(?") != NULL)
		return 0;
	while (pattern[1 + len] > ' ' && pattern[1 + len] <= '~' &&
		   strchr("\\.[](){}*+?^$", pattern[1 + len]) == NULL)
		len++;
	/* a quantifier may make the last of them optional */
	if (len > 0 && pattern[1 + len] != '\0' && strchr("*?{", pattern[1 + len]) != NULL)
		len--;
	return len;
}

/* The arrays of a book in the making. */
typedef struct BookParts
{
	BookLayer  *layers;
	BookModel  *models;
	BookTier   *tiers;
	BookSegment *segments;
	uint32		n_models,
				n_tiers,
				n_segments,
				max_segments,
				n_row_numbers,
				max_row_numbers,
				n_windows;
	uint32	   *row_numbers;
	BookRow    *rows;
} BookParts;

/*
 * Cuts the time of one service tier, rows[first .. end), into segments in
 * which the same rows hold.  The rows come sorted, base rows before those of
 * windows and each by threshold, and so do the numbers of a segment.
 */
static void
make_segments(const BookDraft *draft, BookParts *parts, uint32 first, uint32 end)
{
	uint32		n = end - first;
	TimestampTz *times = palloc(2 * n * sizeof(TimestampTz));
	uint32		n_times = 0;

	for (uint32 i = first; i < end; i++)
	{
		times[n_times++] = draft->rows[i].from;
		times[n_times++] = draft->rows[i].to;
	}
	qsort(times, n_times, sizeof(TimestampTz), compare_times);

	for (uint32 t = 0; t + 1 < n_times; t++)
	{
		BookSegment *segment;

		CHECK_FOR_INTERRUPTS();
		if (times[t] == times[t + 1])
			continue;
		if (parts->n_segments == parts->max_segments)
		{
			parts->max_segments *= 2;
			parts->segments = repalloc_huge(parts->segments,
											parts->max_segments * sizeof(BookSegment));
		}
		segment = &parts->segments[parts->n_segments];
		memset(segment, 0, sizeof(BookSegment));
		segment->from = times[t];
		segment->to = times[t + 1];
		segment->first_row = parts->n_row_numbers;
		for (uint32 i = first; i < end; i++)
		{
			const DraftRow *row = &draft->rows[i];

			if (row->from > segment->from || row->to <= segment->from)
				continue;
			for (uint32 j = segment->first_row; j < parts->n_row_numbers; j++)
				check_pair(draft, &draft->rows[parts->row_numbers[j]], row);
			if (parts->n_row_numbers == parts->max_row_numbers)
			{
				parts->max_row_numbers *= 2;
				parts->row_numbers = repalloc_huge(parts->row_numbers,
												   parts->max_row_numbers * sizeof(uint32));
			}
			parts->row_numbers[parts->n_row_numbers++] = i;
			if (row->n_windows > 0 ? ++segment->n_off_peak == PG_UINT16_MAX :
				++segment->n_base == PG_UINT16_MAX)
				BAD_ROW(draft, row, "too many prices hold at the same time");
		}
		if (parts->n_row_numbers > segment->first_row)
			parts->n_segments++;
	}
	pfree(times);
}

static uint32
place(Size *size, Size item_size, Size n)
{
	Size		offset = MAXALIGN(*size);

	*size = offset + item_size * n;
	if (*size > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("price book is too large"),
				 errdetail("A price book takes at most %zu bytes.", (Size) MaxAllocSize)));
	return (uint32) offset;
}

#define PLACE(book, size, type, member, n) \
	((book)->member = place(&(size), sizeof(type), (n)))
#define FILL(book, type, member, array, n) \
	do { \
		if ((n) > 0) \
			memcpy((char *) (book) + (book)->member, (array), (n) * sizeof(type)); \
	} while (0)

/*
 * Makes the value.  It is allocated in the current context; what is needed on
 * the way is left there too.
 */
static PriceBook *
draft_flatten(BookDraft *draft)
{
	BookParts	parts = {0};
	PriceBook	header = {0};
	PriceBook  *book;
	StringPool	pool;
	BookWindow *windows;
	BookAlias  *aliases;
	uint32	   *buckets;
	Size		size = sizeof(PriceBook);
	uint32		n = draft->n_rows;

	if (n > 0)
		qsort(draft->rows, n, sizeof(DraftRow), compare_rows);
	if (draft->n_aliases > 0)
		qsort(draft->aliases, draft->n_aliases, sizeof(DraftAlias), compare_aliases);

	parts.layers = palloc0((draft->n_layers + 1) * sizeof(BookLayer));
	parts.models = palloc_extended((n + 1) * sizeof(BookModel), MCXT_ALLOC_HUGE);
	parts.tiers = palloc_extended((n + 1) * sizeof(BookTier), MCXT_ALLOC_HUGE);
	parts.max_segments = parts.max_row_numbers = 2 * n + 1;
	parts.segments = palloc_extended(parts.max_segments * sizeof(BookSegment), MCXT_ALLOC_HUGE);
	parts.row_numbers = palloc_extended(parts.max_row_numbers * sizeof(uint32), MCXT_ALLOC_HUGE);
	parts.rows = palloc_extended((n + 1) * sizeof(BookRow), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < n; i++)
		parts.n_windows += draft->rows[i].n_windows;
	windows = palloc_extended((parts.n_windows + 1) * sizeof(BookWindow), MCXT_ALLOC_HUGE);
	parts.n_windows = 0;
	pool_init(&pool, draft->n_layers + 5 * n + 4 * draft->n_aliases);

	for (uint32 i = 0; i < draft->n_layers; i++)
		parts.layers[i].name = pool_add(&pool, draft->layers[i]);

	for (uint32 i = 0; i < n;)
	{
		DraftRow   *first = &draft->rows[i];
		BookModel  *model = &parts.models[parts.n_models];
		const char *zone = NULL;

		memset(model, 0, sizeof(BookModel));
		model->provider = pool_add(&pool, first->provider);
		model->model = pool_add(&pool, first->model);
		model->hash = price_book_hash(first->provider, model->provider.len,
									  first->model, model->model.len);
		model->layer = first->layer;
		model->first_tier = parts.n_tiers;
		if (parts.layers[first->layer].n_models++ == 0)
			parts.layers[first->layer].first_model = parts.n_models;

		while (i < n && draft->rows[i].layer == first->layer &&
			   strcmp(draft->rows[i].provider, first->provider) == 0 &&
			   strcmp(draft->rows[i].model, first->model) == 0)
		{
			BookTier   *tier = &parts.tiers[parts.n_tiers];
			uint32		start = i;

			memset(tier, 0, sizeof(BookTier));
			tier->service_tier = pool_add(&pool, draft->rows[i].service_tier);
			tier->first_segment = parts.n_segments;
			for (; i < n && draft->rows[i].layer == first->layer &&
				 strcmp(draft->rows[i].provider, first->provider) == 0 &&
				 strcmp(draft->rows[i].model, first->model) == 0 &&
				 strcmp(draft->rows[i].service_tier, draft->rows[start].service_tier) == 0; i++)
			{
				const DraftRow *from = &draft->rows[i];
				BookRow    *row = &parts.rows[i];

				if (from->n_windows > 0)
				{
					if (zone != NULL && strcmp(zone, from->zone) != 0)
						BAD_ROW(draft, from, "off-peak windows of one model lie in two time zones, \"%s\" and \"%s\"",
								zone, from->zone);
					zone = from->zone;
				}
				row->from = from->from;
				row->to = from->to;
				row->above = from->above;
				row->model = parts.n_models;
				row->tier = parts.n_tiers;
				row->first_window = parts.n_windows;
				row->n_windows = from->n_windows;
				row->zone = pool_add(&pool, from->zone);
				row->source = pool_add(&pool, from->source);
				row->basis = from->basis;
				row->mode = from->mode;
				rates_resolve(&from->card, &row->rates);
				if (from->n_windows > 0)
					memcpy(windows + parts.n_windows, from->windows,
						   from->n_windows * sizeof(BookWindow));
				parts.n_windows += from->n_windows;
			}
			make_segments(draft, &parts, start, i);
			tier->n_segments = parts.n_segments - tier->first_segment;
			parts.n_tiers++;
		}
		model->n_tiers = parts.n_tiers - model->first_tier;
		parts.n_models++;
	}

	aliases = palloc_extended((draft->n_aliases + 1) * sizeof(BookAlias),
							  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < draft->n_aliases; i++)
	{
		const DraftAlias *from = &draft->aliases[i];

		aliases[i].provider = pool_add(&pool, from->provider);
		aliases[i].alias = pool_add(&pool, from->alias);
		aliases[i].to_provider = pool_add(&pool, from->to_provider);
		aliases[i].to_model = pool_add(&pool, from->to_model);
		aliases[i].is_pattern = from->is_pattern;
		aliases[i].prefix_len = from->is_pattern ? pattern_prefix_len(from->alias) : 0;
	}

	header.format = PRICE_BOOK_FORMAT;
	header.n_layers = draft->n_layers;
	header.n_models = parts.n_models;
	header.n_tiers = parts.n_tiers;
	header.n_segments = parts.n_segments;
	header.n_row_numbers = parts.n_row_numbers;
	header.n_rows = n;
	header.n_windows = parts.n_windows;
	header.n_aliases = draft->n_aliases;
	header.n_buckets = pg_nextpower2_32(Max(parts.n_models, 4) * 2);
	header.strings_len = pool.data.len;
	PLACE(&header, size, BookLayer, layers, header.n_layers);
	PLACE(&header, size, BookModel, models, header.n_models);
	PLACE(&header, size, BookTier, tiers, header.n_tiers);
	PLACE(&header, size, BookSegment, segments, header.n_segments);
	PLACE(&header, size, uint32, row_numbers, header.n_row_numbers);
	PLACE(&header, size, BookRow, rows, header.n_rows);
	PLACE(&header, size, BookWindow, windows, header.n_windows);
	PLACE(&header, size, BookAlias, aliases, header.n_aliases);
	PLACE(&header, size, uint32, buckets, header.n_buckets);
	PLACE(&header, size, char, strings, header.strings_len);

	book = palloc0(size);
	*book = header;
	SET_VARSIZE(book, size);
	FILL(book, BookLayer, layers, parts.layers, header.n_layers);
	FILL(book, BookModel, models, parts.models, header.n_models);
	FILL(book, BookTier, tiers, parts.tiers, header.n_tiers);
	FILL(book, BookSegment, segments, parts.segments, header.n_segments);
	FILL(book, uint32, row_numbers, parts.row_numbers, header.n_row_numbers);
	FILL(book, BookRow, rows, parts.rows, header.n_rows);
	FILL(book, BookWindow, windows, windows, header.n_windows);
	FILL(book, BookAlias, aliases, aliases, header.n_aliases);
	FILL(book, char, strings, pool.data.data, header.strings_len);

	buckets = (uint32 *) ((char *) book + book->buckets);
	for (uint32 i = 0; i < header.n_models; i++)
	{
		uint32		bucket = parts.models[i].hash & (header.n_buckets - 1);

		while (buckets[bucket] != 0)
			bucket = (bucket + 1) & (header.n_buckets - 1);
		buckets[bucket] = i + 1;
	}
	book->fingerprint = hash_bytes_extended((unsigned char *) (book + 1),
											size - sizeof(PriceBook), size);
	return book;
}

/*
 * Reading a book
 */

/* The model of a layer with this name, or NULL. */
const BookModel *
price_book_model(const PriceBook *book, uint32 layer, uint32 hash,
				 const char *provider, int provider_len,
				 const char *model, int model_len)
{
	const uint32 *buckets = BOOK_ARRAY(book, uint32, buckets);
	const BookModel *models = BOOK_ARRAY(book, BookModel, models);
	uint32		mask = book->n_buckets - 1;

	for (uint32 bucket = hash & mask; buckets[bucket] != 0; bucket = (bucket + 1) & mask)
	{
		const BookModel *m = &models[buckets[bucket] - 1];

		if (m->hash == hash && m->layer == layer &&
			m->model.len == model_len && m->provider.len == provider_len &&
			memcmp(BOOK_STRING(book, m->model), model, model_len) == 0 &&
			memcmp(BOOK_STRING(book, m->provider), provider, provider_len) == 0)
			return m;
	}
	return NULL;
}

text *
book_string_text(const PriceBook *book, BookString string)
{
	return cstring_to_text_with_len(BOOK_STRING(book, string), string.len);
}

static char *
book_string_cstring(const PriceBook *book, BookString string)
{
	return pnstrdup(BOOK_STRING(book, string), string.len);
}

static const PriceBook *
check_format(const PriceBook *book)
{
	if (VARSIZE(book) < sizeof(PriceBook) || book->format != PRICE_BOOK_FORMAT)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("corrupted value of type price_book")));
	return book;
}

/* A stored book that was brought into memory, and where it came from. */
typedef struct FetchedBook
{
	struct varatt_external toast;
	PriceBook  *book;
} FetchedBook;

/* The price_book in an argument: what price_book_arg() does not see at once. */
const PriceBook *
price_book_fetch(FunctionCallInfo fcinfo, int argno, void **cache)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(PG_GETARG_DATUM(argno));
	FetchedBook *fetched;
	struct varatt_external toast;
	MemoryContext old;

	if (likely(VARATT_IS_4B_U(v)))
		return check_format((PriceBook *) v);
	if (!VARATT_IS_EXTERNAL_ONDISK(v) || cache == NULL)
		return check_format((PriceBook *) PG_DETOAST_DATUM(PointerGetDatum(v)));

	VARATT_EXTERNAL_GET_POINTER(toast, v);
	fetched = *cache;
	if (fetched != NULL && fetched->book != NULL &&
		memcmp(&fetched->toast, &toast, sizeof(toast)) == 0)
		return fetched->book;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	if (fetched == NULL)
		*cache = fetched = palloc0(sizeof(FetchedBook));
	if (fetched->book != NULL)
		pfree(fetched->book);
	fetched->book = NULL;
	fetched->book = (PriceBook *) PG_DETOAST_DATUM(PointerGetDatum(v));
	memset(&fetched->toast, 0, sizeof(fetched->toast));
	fetched->toast = toast;
	MemoryContextSwitchTo(old);
	return check_format(fetched->book);
}

/* The rates that a row names, without those of fallbacks. */
static RateCard
named_rates(const PricedRates *rates)
{
	RateCard	card;

	card.currency = rates->currency;
	card.named = rates->named;
	for (int m = 0; m < N_METERS; m++)
		card.rate[m] = (rates->named & METER_BIT(m)) ? rates->rate[m] : 0;
	return card;
}

/* Takes a book apart and adds its layers, rows and aliases to a draft. */
static void
draft_add_book(BookDraft *draft, const PriceBook *book)
{
	const BookLayer *layers = BOOK_ARRAY(book, BookLayer, layers);
	const BookModel *models = BOOK_ARRAY(book, BookModel, models);
	const BookTier *tiers = BOOK_ARRAY(book, BookTier, tiers);
	const BookRow *rows = BOOK_ARRAY(book, BookRow, rows);
	const BookWindow *windows = BOOK_ARRAY(book, BookWindow, windows);
	const BookAlias *aliases = BOOK_ARRAY(book, BookAlias, aliases);
	uint32	   *layer = palloc((book->n_layers + 1) * sizeof(uint32));

	for (uint32 i = 0; i < book->n_layers; i++)
		layer[i] = draft_layer(draft, book_string_cstring(book, layers[i].name));
	for (uint32 i = 0; i < book->n_rows; i++)
	{
		const BookRow *from = &rows[i];
		const BookModel *model = &models[from->model];
		DraftRow	row = {0};

		row.layer = layer[model->layer];
		row.provider = book_string_cstring(book, model->provider);
		row.model = book_string_cstring(book, model->model);
		row.service_tier = book_string_cstring(book, tiers[from->tier].service_tier);
		row.above = from->above;
		row.card = named_rates(&from->rates);
		row.from = from->from;
		row.to = from->to;
		row.basis = from->basis;
		row.mode = from->mode;
		row.n_windows = from->n_windows;
		row.windows = unconstify(BookWindow *, windows + from->first_window);
		row.zone = book_string_cstring(book, from->zone);
		row.source = book_string_cstring(book, from->source);
		draft_add_row(draft, &row);
	}
	for (uint32 i = 0; i < book->n_aliases; i++)
	{
		DraftAlias	alias = {0};

		alias.provider = book_string_cstring(book, aliases[i].provider);
		alias.alias = book_string_cstring(book, aliases[i].alias);
		alias.to_provider = book_string_cstring(book, aliases[i].to_provider);
		alias.to_model = book_string_cstring(book, aliases[i].to_model);
		alias.is_pattern = aliases[i].is_pattern;
		alias.rank = draft->n_aliases;	/* they come in their order */
		draft_add_alias(draft, &alias);
	}
}

/*
 * The expanded object
 */

static Size
expanded_size(ExpandedObjectHeader *eohptr)
{
	ExpandedBook *expanded = (ExpandedBook *) eohptr;

	if (expanded->flat == NULL)
	{
		MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "price book layout",
													  ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(scratch);
		PriceBook  *book = draft_flatten(&expanded->draft);

		expanded->flat = MemoryContextAlloc(expanded->hdr.eoh_context, VARSIZE(book));
		memcpy(expanded->flat, book, VARSIZE(book));
		MemoryContextSwitchTo(old);
		MemoryContextDelete(scratch);
	}
	return VARSIZE(expanded->flat);
}

static void
expanded_flatten(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	ExpandedBook *expanded = (ExpandedBook *) eohptr;

	Assert(expanded->flat != NULL && VARSIZE(expanded->flat) == allocated_size);
	memcpy(result, expanded->flat, allocated_size);
}

static const ExpandedObjectMethods expanded_book_methods = {
	expanded_size,
	expanded_flatten
};

/* The state of an aggregate, from argument 0, fit to be changed. */
static ExpandedBook *
writable_state(FunctionCallInfo fcinfo)
{
	MemoryContext aggcontext;
	MemoryContext mine;
	ExpandedBook *state;

	if (!AggCheckCallContext(fcinfo, &aggcontext))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a transition function of price_book is called by aggregates only")));
	if (!PG_ARGISNULL(0) &&
		VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(PG_GETARG_DATUM(0))))
	{
		state = (ExpandedBook *) DatumGetEOHP(PG_GETARG_DATUM(0));
		if (state->magic != EXPANDED_BOOK_MAGIC)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("corrupted value of type price_book")));
		if (state->flat != NULL)
		{
			pfree(state->flat);
			state->flat = NULL;
		}
		return state;
	}
	mine = AllocSetContextCreate(aggcontext, "price book", ALLOCSET_DEFAULT_SIZES);
	state = MemoryContextAllocZero(mine, sizeof(ExpandedBook));
	EOH_init_header(&state->hdr, &expanded_book_methods, mine);
	state->magic = EXPANDED_BOOK_MAGIC;
	draft_init(&state->draft, mine);
	if (!PG_ARGISNULL(0))
		draft_add_book(&state->draft, price_book_arg(fcinfo, 0, NULL));
	return state;
}

/*
 * Rows of tables
 */

/* Finds our columns in a row type; the state remembers them. */
static void
find_columns(ExpandedBook *state, FunctionCallInfo fcinfo, TupleDesc desc,
			 const ColumnSpec *specs, int n)
{
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);

	for (int c = 0; c < n; c++)
	{
		state->column[c] = 0;
		for (int a = 0; a < desc->natts; a++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, a);
			Oid			type = specs[c].type;

			if (att->attisdropped || strcmp(NameStr(att->attname), specs[c].name) != 0)
				continue;
			if (type == InvalidOid)
				type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum(specs[c].name),
									   ObjectIdGetDatum(schema));
			if (att->atttypid != type &&
				!(type == TEXTOID && att->atttypid == VARCHAROID))
				ereport(ERROR,
						(errcode(ERRCODE_DATATYPE_MISMATCH),
						 errmsg("column \"%s\" is of type %s", specs[c].name,
								format_type_be(att->atttypid)),
						 errdetail("A price book is made of rows whose column \"%s\" is of type %s.",
								   specs[c].name, format_type_be(type))));
			state->column[c] = a + 1;
		}
		if (state->column[c] == 0 && specs[c].required)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("the rows have no column \"%s\"", specs[c].name),
					 errhint("A price book is made of rows like those of the table \"price\", aliases of rows like those of \"model_alias\".")));
	}
}

/* Takes a row apart: values[] and nulls[] by column of ours. */
static void
deform_row(ExpandedBook *state, FunctionCallInfo fcinfo, const ColumnSpec *specs, int n,
		   Datum *values, bool *nulls)
{
	HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(1);
	Oid			type = HeapTupleHeaderGetTypeId(header);
	int32		typmod = HeapTupleHeaderGetTypMod(header);
	TupleDesc	desc = lookup_rowtype_tupdesc(type, typmod);
	HeapTupleData tuple;
	Datum	   *all_values = palloc(desc->natts * sizeof(Datum));
	bool	   *all_nulls = palloc(desc->natts * sizeof(bool));

	if (state->row_type != type || state->row_typmod != typmod)
	{
		state->row_type = InvalidOid;
		find_columns(state, fcinfo, desc, specs, n);
		state->row_type = type;
		state->row_typmod = typmod;
	}
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, desc, all_values, all_nulls);
	for (int c = 0; c < n; c++)
	{
		nulls[c] = state->column[c] == 0 || all_nulls[state->column[c] - 1];
		values[c] = nulls[c] ? (Datum) 0 : all_values[state->column[c] - 1];
	}
	ReleaseTupleDesc(desc);
}

/* A text column that must not be NULL where it exists. */
static char *
text_column(const ExpandedBook *state, const ColumnSpec *specs, int column,
			const Datum *values, const bool *nulls, const char *if_absent)
{
	if (!nulls[column])
		return TextDatumGetCString(values[column]);
	if (state->column[column] != 0)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("column \"%s\" of a price must not be NULL", specs[column].name)));
	return pstrdup(if_absent);
}

/* The bounds of a range as [from, to); false where it is empty. */
static bool
read_period(Datum datum, TimestampTz *from, TimestampTz *to)
{
	RangeType  *range = DatumGetRangeTypeP(datum);
	TypeCacheEntry *type = lookup_type_cache(RangeTypeGetOid(range), TYPECACHE_RANGE_INFO);
	RangeBound	lower,
				upper;
	bool		empty;

	range_deserialize(type, range, &lower, &upper, &empty);
	if (empty)
		return false;
	*from = lower.infinite ? DT_NOBEGIN : DatumGetTimestampTz(lower.val);
	*to = upper.infinite ? DT_NOEND : DatumGetTimestampTz(upper.val);
	if (!lower.inclusive && !TIMESTAMP_NOT_FINITE(*from))
		(*from)++;
	if (upper.inclusive && !TIMESTAMP_NOT_FINITE(*to))
		(*to)++;
	return true;
}

/*
 * Whether a row that was known in a period belongs in the book: known at a
 * time, or known now.
 */
static bool
is_known(Datum recorded, bool is_null, const TimestampTz *known_at)
{
	TimestampTz from,
				to;

	if (is_null)
		return true;
	if (!read_period(recorded, &from, &to))
		return false;
	return known_at ? from <= *known_at && *known_at < to : to == DT_NOEND;
}

static int
name_index(const char *name, const char *const *names)
{
	for (int i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

/* Reads an int4multirange of minutes. */
static void
read_windows(Datum datum, DraftRow *row)
{
	MultirangeType *multirange = DatumGetMultirangeTypeP(datum);
	TypeCacheEntry *type = lookup_type_cache(MultirangeTypeGetOid(multirange),
											 TYPECACHE_MULTIRANGE_INFO);
	RangeType **ranges;

	multirange_deserialize(type->rngtype, multirange, &row->n_windows, &ranges);
	row->windows = palloc((row->n_windows + 1) * sizeof(BookWindow));
	for (int i = 0; i < row->n_windows; i++)
	{
		RangeBound	lower,
					upper;
		bool		empty;

		range_deserialize(type->rngtype, ranges[i], &lower, &upper, &empty);
		/* an open end fails the check of the row */
		row->windows[i].from = lower.infinite ? -1 : DatumGetInt32(lower.val);
		row->windows[i].to = upper.infinite ? -1 : DatumGetInt32(upper.val);
	}
}

static Datum
add_price(FunctionCallInfo fcinfo, const TimestampTz *known_at)
{
	ExpandedBook *state = writable_state(fcinfo);
	Datum		values[N_ROW_COLUMNS];
	bool		nulls[N_ROW_COLUMNS];
	DraftRow	row = {0};
	char	   *name;
	int			index;

	if (PG_ARGISNULL(1))
		return EOHPGetRWDatum(&state->hdr);
	deform_row(state, fcinfo, row_columns, N_ROW_COLUMNS, values, nulls);
	if (!is_known(values[COLUMN_RECORDED], nulls[COLUMN_RECORDED], known_at))
		return EOHPGetRWDatum(&state->hdr);

	name = text_column(state, row_columns, COLUMN_BOOK, values, nulls, "list");
	if (state->draft.n_layers > 0 && strcmp(state->draft.layers[0], name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("price_book takes the rows of one book, not of \"%s\" and \"%s\"",
						state->draft.layers[0], name),
				 errhint("Select the rows of one book, as in WHERE book = 'list', and put one over another with overlay_books().")));
	row.layer = draft_layer(&state->draft, name);
	row.provider = text_column(state, row_columns, COLUMN_PROVIDER, values, nulls, "");
	row.model = text_column(state, row_columns, COLUMN_MODEL, values, nulls, "");
	row.service_tier = text_column(state, row_columns, COLUMN_SERVICE_TIER, values, nulls, "standard");
	row.above = nulls[COLUMN_ABOVE] ? 0 : DatumGetInt64(values[COLUMN_ABOVE]);
	row.zone = nulls[COLUMN_ZONE] ? pstrdup("UTC") : TextDatumGetCString(values[COLUMN_ZONE]);
	row.source = nulls[COLUMN_SOURCE] ? pstrdup("") : TextDatumGetCString(values[COLUMN_SOURCE]);
	name = text_column(state, row_columns, COLUMN_BASIS, values, nulls, "input_total");
	if ((index = name_index(name, tier_basis_name)) < 0)
		BAD_ROW(&state->draft, &row, "tier_basis \"%s\" is neither \"input_total\" nor \"uncached\"", name);
	row.basis = index;
	name = text_column(state, row_columns, COLUMN_MODE, values, nulls, "whole");
	if ((index = name_index(name, tier_mode_name)) < 0)
		BAD_ROW(&state->draft, &row, "tier_mode \"%s\" is neither \"whole\" nor \"graduated\"", name);
	row.mode = index;
	if (nulls[COLUMN_RATES] || nulls[COLUMN_VALID])
		BAD_ROW(&state->draft, &row, "rates and period of a price must not be NULL");
	rate_card_read(values[COLUMN_RATES], &row.card);
	if (!read_period(values[COLUMN_VALID], &row.from, &row.to))
		row.from = row.to = 0;	/* fails the check below */
	if (!nulls[COLUMN_OFF_PEAK])
		read_windows(values[COLUMN_OFF_PEAK], &row);
	check_row(&state->draft, &row);
	draft_add_row(&state->draft, &row);
	return EOHPGetRWDatum(&state->hdr);
}

/* Transition function of price_book(record): the rows that are known now. */
Datum
price_book_add(PG_FUNCTION_ARGS)
{
	return add_price(fcinfo, NULL);
}

/* Of price_book(record, timestamptz): the rows that were known then. */
Datum
price_book_add_known_at(PG_FUNCTION_ARGS)
{
	TimestampTz known_at;

	if (PG_ARGISNULL(2))
		return add_price(fcinfo, NULL);
	known_at = PG_GETARG_TIMESTAMPTZ(2);
	return add_price(fcinfo, &known_at);
}

static void
check_alias(const DraftAlias *alias)
{
	if (alias->alias[0] == '\0' || alias->to_model[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("neither an alias nor its model may be empty"),
				 errdetail("Alias \"%s\" of model \"%s\".", alias->alias, alias->to_model)));
}

static Datum
add_alias(FunctionCallInfo fcinfo, const TimestampTz *known_at)
{
	ExpandedBook *state = writable_state(fcinfo);
	Datum		values[N_ALIAS_COLUMNS];
	bool		nulls[N_ALIAS_COLUMNS];
	DraftAlias	alias;

	if (PG_ARGISNULL(1))
		return EOHPGetRWDatum(&state->hdr);
	deform_row(state, fcinfo, alias_columns, N_ALIAS_COLUMNS, values, nulls);
	if (!is_known(values[COLUMN_ALIAS_RECORDED], nulls[COLUMN_ALIAS_RECORDED], known_at))
		return EOHPGetRWDatum(&state->hdr);
	alias.provider = text_column(state, alias_columns, COLUMN_ALIAS_PROVIDER, values, nulls, "");
	alias.alias = text_column(state, alias_columns, COLUMN_ALIAS, values, nulls, "");
	alias.to_provider = text_column(state, alias_columns, COLUMN_TO_PROVIDER, values, nulls, "");
	alias.to_model = text_column(state, alias_columns, COLUMN_TO_MODEL, values, nulls, "");
	alias.is_pattern = !nulls[COLUMN_IS_PATTERN] && DatumGetBool(values[COLUMN_IS_PATTERN]);
	alias.rank = nulls[COLUMN_RANK] ? 0 : DatumGetInt32(values[COLUMN_RANK]);
	check_alias(&alias);
	draft_add_alias(&state->draft, &alias);
	return EOHPGetRWDatum(&state->hdr);
}

Datum
price_book_add_alias(PG_FUNCTION_ARGS)
{
	return add_alias(fcinfo, NULL);
}

Datum
price_book_add_alias_known_at(PG_FUNCTION_ARGS)
{
	TimestampTz known_at;

	if (PG_ARGISNULL(2))
		return add_alias(fcinfo, NULL);
	known_at = PG_GETARG_TIMESTAMPTZ(2);
	return add_alias(fcinfo, &known_at);
}

/* Combine function of the aggregates. */
Datum
price_book_merge(PG_FUNCTION_ARGS)
{
	ExpandedBook *state;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		return PG_GETARG_DATUM(0);
	}
	state = writable_state(fcinfo);
	draft_add_book(&state->draft, price_book_arg(fcinfo, 1, NULL));
	return EOHPGetRWDatum(&state->hdr);
}

/* Final function: a flat value, so that what searches it does not copy it. */
Datum
price_book_final(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(PG_DETOAST_DATUM(PG_GETARG_DATUM(0)));
}

/*
 * overlay_books(a, b): what a prices is priced by a, all else by b.  A layer that
 * both have is one layer, and their rows must not contradict each other.
 */
Datum
price_book_overlay(PG_FUNCTION_ARGS)
{
	BookDraft	draft;

	draft_init(&draft, CurrentMemoryContext);
	draft_add_book(&draft, price_book_arg(fcinfo, 0, NULL));
	draft_add_book(&draft, price_book_arg(fcinfo, 1, NULL));
	PG_RETURN_POINTER(draft_flatten(&draft));
}

/* prices_at(book, at): the prices in force at a time, as if always in force. */
Datum
price_book_prices_at(PG_FUNCTION_ARGS)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);
	BookDraft	draft;
	uint32		n = 0;

	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("prices are in force at a time that is finite")));
	draft_init(&draft, CurrentMemoryContext);
	draft_add_book(&draft, price_book_arg(fcinfo, 0, NULL));
	for (uint32 i = 0; i < draft.n_rows; i++)
	{
		DraftRow   *row = &draft.rows[i];

		if (at < row->from || at >= row->to)
			continue;
		row->from = DT_NOBEGIN;
		row->to = DT_NOEND;
		draft.rows[n++] = *row;
	}
	draft.n_rows = n;
	PG_RETURN_POINTER(draft_flatten(&draft));
}

/* The names of the books it was made of, the one that wins first. */
Datum
price_book_books(PG_FUNCTION_ARGS)
{
	const PriceBook *book = price_book_arg(fcinfo, 0, NULL);
	const BookLayer *layers = BOOK_ARRAY(book, BookLayer, layers);
	Datum	   *names = palloc((book->n_layers + 1) * sizeof(Datum));

	for (uint32 i = 0; i < book->n_layers; i++)
		names[i] = PointerGetDatum(book_string_text(book, layers[i].name));
	PG_RETURN_ARRAYTYPE_P(construct_array(names, book->n_layers, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Equal values are equal bytes: rows are sorted and padding is zero. */
Datum
price_book_eq(PG_FUNCTION_ARGS)
{
	const PriceBook *a = price_book_arg(fcinfo, 0, NULL);
	const PriceBook *b = price_book_arg(fcinfo, 1, NULL);

	PG_RETURN_BOOL(VARSIZE(a) == VARSIZE(b) &&
				   memcmp((const char *) a + VARHDRSZ, (const char *) b + VARHDRSZ,
						  VARSIZE(a) - VARHDRSZ) == 0);
}

/*
 * Text form
 */

static void
append_string(StringInfo buf, const char *key, const PriceBook *book, BookString string)
{
	appendStringInfo(buf, "\"%s\": ", key);
	escape_json(buf, book_string_cstring(book, string));
}

Datum
price_book_out(PG_FUNCTION_ARGS)
{
	const PriceBook *book = price_book_arg(fcinfo, 0, NULL);
	const BookLayer *layers = BOOK_ARRAY(book, BookLayer, layers);
	const BookModel *models = BOOK_ARRAY(book, BookModel, models);
	const BookTier *tiers = BOOK_ARRAY(book, BookTier, tiers);
	const BookRow *rows = BOOK_ARRAY(book, BookRow, rows);
	const BookWindow *windows = BOOK_ARRAY(book, BookWindow, windows);
	const BookAlias *aliases = BOOK_ARRAY(book, BookAlias, aliases);
	StringInfoData buf;
	uint32		r = 0;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "{\"books\": [");
	for (uint32 l = 0; l < book->n_layers; l++)
	{
		appendStringInfoString(&buf, l > 0 ? ", {" : "{");
		append_string(&buf, "book", book, layers[l].name);
		appendStringInfoString(&buf, ", \"prices\": [");
		for (const char *separator = ""; r < book->n_rows && models[rows[r].model].layer == l;
			 r++, separator = ", ")
		{
			const BookRow *row = &rows[r];
			RateCard	card = named_rates(&row->rates);

			appendStringInfo(&buf, "%s{", separator);
			append_string(&buf, "provider", book, models[row->model].provider);
			appendStringInfoString(&buf, ", ");
			append_string(&buf, "model", book, models[row->model].model);
			appendStringInfoString(&buf, ", ");
			append_string(&buf, "service_tier", book, tiers[row->tier].service_tier);
			appendStringInfo(&buf, ", \"above_input_tokens\": " INT64_FORMAT ", \"rates\": ",
							 row->above);
			rate_card_append(&buf, &card);
			appendStringInfoString(&buf, ", \"valid\": [");
			json_append_time(&buf, row->from);
			appendStringInfoString(&buf, ", ");
			json_append_time(&buf, row->to);
			appendStringInfo(&buf, "], \"tier_basis\": \"%s\", \"tier_mode\": \"%s\", \"off_peak\": [",
							 tier_basis_name[row->basis], tier_mode_name[row->mode]);
			for (uint32 w = 0; w < row->n_windows; w++)
				appendStringInfo(&buf, "%s[%d, %d]", w > 0 ? ", " : "",
								 windows[row->first_window + w].from,
								 windows[row->first_window + w].to);
			appendStringInfoString(&buf, "], ");
			append_string(&buf, "off_peak_zone", book, row->zone);
			appendStringInfoString(&buf, ", ");
			append_string(&buf, "source", book, row->source);
			appendStringInfoChar(&buf, '}');
		}
		appendStringInfoString(&buf, "]}");
	}
	appendStringInfoString(&buf, "], \"aliases\": [");
	for (uint32 a = 0; a < book->n_aliases; a++)
	{
		appendStringInfoString(&buf, a > 0 ? ", {" : "{");
		append_string(&buf, "provider", book, aliases[a].provider);
		appendStringInfoString(&buf, ", ");
		append_string(&buf, "alias", book, aliases[a].alias);
		appendStringInfo(&buf, ", \"is_pattern\": %s, ", aliases[a].is_pattern ? "true" : "false");
		append_string(&buf, "to_provider", book, aliases[a].to_provider);
		appendStringInfoString(&buf, ", ");
		append_string(&buf, "to_model", book, aliases[a].to_model);
		appendStringInfoChar(&buf, '}');
	}
	appendStringInfoString(&buf, "]}");
	PG_RETURN_CSTRING(buf.data);
}

static void
take_price(BookDraft *draft, uint32 layer, JsonbContainer *object)
{
	DraftRow	row = {0};
	JsonbContainer *valid = json_take_list(BOOK_TYPE, object, "valid");
	JsonbContainer *windows = json_take_list(BOOK_TYPE, object, "off_peak");
	JsonbValue *above = json_member(object, "above_input_tokens");
	int			index;

	row.layer = layer;
	row.provider = json_take_text(BOOK_TYPE, object, "provider", NULL);
	row.model = json_take_text(BOOK_TYPE, object, "model", NULL);
	row.service_tier = json_take_text(BOOK_TYPE, object, "service_tier", "standard");
	row.above = above ? json_take_integer(BOOK_TYPE, above, "\"above_input_tokens\"") : 0;
	rate_card_from_jsonb(json_take_object(BOOK_TYPE, json_member(object, "rates"), "\"rates\""),
						 &row.card);
	if ((index = name_index(json_take_text(BOOK_TYPE, object, "tier_basis", "input_total"), tier_basis_name)) < 0)
		json_refuse(BOOK_TYPE, "\"tier_basis\" is neither \"input_total\" nor \"uncached\".");
	row.basis = index;
	if ((index = name_index(json_take_text(BOOK_TYPE, object, "tier_mode", "whole"), tier_mode_name)) < 0)
		json_refuse(BOOK_TYPE, "\"tier_mode\" is neither \"whole\" nor \"graduated\".");
	row.mode = index;
	row.zone = json_take_text(BOOK_TYPE, object, "off_peak_zone", "UTC");
	row.source = json_take_text(BOOK_TYPE, object, "source", "");
	row.from = DT_NOBEGIN;
	row.to = DT_NOEND;
	if (valid != NULL)
	{
		if (JsonContainerSize(valid) != 2)
			json_refuse(BOOK_TYPE, "\"valid\" is not a pair of times.");
		row.from = json_take_time(BOOK_TYPE, getIthJsonbValueFromContainer(valid, 0), DT_NOBEGIN,
								  "\"valid\" holds something that");
		row.to = json_take_time(BOOK_TYPE, getIthJsonbValueFromContainer(valid, 1), DT_NOEND,
								"\"valid\" holds something that");
	}
	if (windows != NULL)
	{
		row.n_windows = JsonContainerSize(windows);
		row.windows = palloc((row.n_windows + 1) * sizeof(BookWindow));
		for (int i = 0; i < row.n_windows; i++)
		{
			JsonbValue *pair = getIthJsonbValueFromContainer(windows, i);
			int64		bound[2];

			if (pair->type != jbvBinary || !JsonContainerIsArray(pair->val.binary.data) ||
				JsonContainerSize(pair->val.binary.data) != 2)
				json_refuse(BOOK_TYPE, "\"off_peak\" holds something that is not a pair of minutes.");
			for (int b = 0; b < 2; b++)
				bound[b] = json_take_integer(BOOK_TYPE, getIthJsonbValueFromContainer(pair->val.binary.data, b),
											 "A minute of \"off_peak\"");
			row.windows[i].from = Min(bound[0], PG_INT32_MAX);
			row.windows[i].to = Min(bound[1], PG_INT32_MAX);
		}
	}
	check_row(draft, &row);
	draft_add_row(draft, &row);
}

Datum
price_book_in(PG_FUNCTION_ARGS)
{
	Jsonb	   *jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, PG_GETARG_DATUM(0)));
	JsonbContainer *books,
			   *aliases;
	BookDraft	draft;

	if (!JsonContainerIsObject(&jsonb->root))
		json_refuse(BOOK_TYPE, "Expected an object, such as {\"books\": []}.");
	draft_init(&draft, CurrentMemoryContext);
	books = json_take_list(BOOK_TYPE, &jsonb->root, "books");
	for (uint32 i = 0; books != NULL && i < JsonContainerSize(books); i++)
	{
		JsonbContainer *book = json_take_object(BOOK_TYPE, getIthJsonbValueFromContainer(books, i), "A book");
		JsonbContainer *prices = json_take_list(BOOK_TYPE, book, "prices");
		uint32		layer = draft_layer(&draft, json_take_text(BOOK_TYPE, book, "book", "list"));

		for (uint32 p = 0; prices != NULL && p < JsonContainerSize(prices); p++)
			take_price(&draft, layer,
					   json_take_object(BOOK_TYPE, getIthJsonbValueFromContainer(prices, p), "A price"));
	}
	aliases = json_take_list(BOOK_TYPE, &jsonb->root, "aliases");
	for (uint32 i = 0; aliases != NULL && i < JsonContainerSize(aliases); i++)
	{
		JsonbContainer *object = json_take_object(BOOK_TYPE, getIthJsonbValueFromContainer(aliases, i), "An alias");
		JsonbValue *is_pattern = json_member(object, "is_pattern");
		DraftAlias	alias;

		if (is_pattern != NULL && is_pattern->type != jbvBool)
			json_refuse(BOOK_TYPE, "\"is_pattern\" is neither true nor false.");
		alias.provider = json_take_text(BOOK_TYPE, object, "provider", "");
		alias.alias = json_take_text(BOOK_TYPE, object, "alias", NULL);
		alias.to_provider = json_take_text(BOOK_TYPE, object, "to_provider", "");
		alias.to_model = json_take_text(BOOK_TYPE, object, "to_model", NULL);
		alias.is_pattern = is_pattern != NULL && is_pattern->val.boolean;
		alias.rank = i;			/* they are in their order */
		check_alias(&alias);
		draft_add_alias(&draft, &alias);
	}
	PG_RETURN_POINTER(draft_flatten(&draft));
}

/*
 * Binary form
 */

static void
send_string(StringInfo buf, const PriceBook *book, BookString string)
{
	pq_sendcountedtext_compat(buf, BOOK_STRING(book, string), string.len);
}

static char *
recv_string(StringInfo buf)
{
	int			len = pq_getmsgint(buf, 4);
	int			converted;

	if (len < 0 || len > buf->len - buf->cursor)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value of type price_book: a string is longer than the value")));
	return pq_getmsgtext(buf, len, &converted);
}

/* A number of items; each item takes at least a byte. */
static uint32
recv_count(StringInfo buf)
{
	uint32		n = pq_getmsgint(buf, 4);

	if (n > buf->len - buf->cursor)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value of type price_book: more items than bytes")));
	return n;
}

static int
recv_choice(StringInfo buf, const char *what)
{
	int			choice = pq_getmsgbyte(buf);

	if (choice > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value of type price_book: unknown %s %d", what, choice)));
	return choice;
}

Datum
price_book_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	BookDraft	draft;
	uint32		n;

	if (pq_getmsgint(buf, 2) != PRICE_BOOK_WIRE_FORMAT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unknown binary format of type price_book")));
	draft_init(&draft, CurrentMemoryContext);
	n = recv_count(buf);
	for (uint32 l = 0; l < n; l++)
	{
		uint32		layer = draft_layer(&draft, recv_string(buf));
		uint32		n_rows = recv_count(buf);

		if (layer != l)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid binary value of type price_book: book \"%s\" is given twice",
							draft.layers[layer])));
		for (uint32 i = 0; i < n_rows; i++)
		{
			DraftRow	row = {0};

			CHECK_FOR_INTERRUPTS();
			row.layer = layer;
			row.provider = recv_string(buf);
			row.model = recv_string(buf);
			row.service_tier = recv_string(buf);
			row.above = pq_getmsgint64(buf);
			rate_card_recv(buf, &row.card);
			row.from = pq_getmsgint64(buf);
			row.to = pq_getmsgint64(buf);
			if ((!TIMESTAMP_NOT_FINITE(row.from) && !IS_VALID_TIMESTAMP(row.from)) ||
				(!TIMESTAMP_NOT_FINITE(row.to) && !IS_VALID_TIMESTAMP(row.to)))
				ereport(ERROR,
						(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						 errmsg("timestamp out of range")));
			row.basis = recv_choice(buf, "tier basis");
			row.mode = recv_choice(buf, "tier mode");
			row.n_windows = recv_count(buf);
			row.windows = palloc((row.n_windows + 1) * sizeof(BookWindow));
			for (int w = 0; w < row.n_windows; w++)
			{
				row.windows[w].from = pq_getmsgint(buf, 4);
				row.windows[w].to = pq_getmsgint(buf, 4);
			}
			row.zone = recv_string(buf);
			row.source = recv_string(buf);
			check_row(&draft, &row);
			draft_add_row(&draft, &row);
		}
	}
	n = recv_count(buf);
	for (uint32 i = 0; i < n; i++)
	{
		DraftAlias	alias;

		alias.provider = recv_string(buf);
		alias.alias = recv_string(buf);
		alias.to_provider = recv_string(buf);
		alias.to_model = recv_string(buf);
		alias.is_pattern = recv_choice(buf, "kind of alias");
		alias.rank = i;
		check_alias(&alias);
		draft_add_alias(&draft, &alias);
	}
	PG_RETURN_POINTER(draft_flatten(&draft));
}

Datum
price_book_send(PG_FUNCTION_ARGS)
{
	const PriceBook *book = price_book_arg(fcinfo, 0, NULL);
	const BookLayer *layers = BOOK_ARRAY(book, BookLayer, layers);
	const BookModel *models = BOOK_ARRAY(book, BookModel, models);
	const BookTier *tiers = BOOK_ARRAY(book, BookTier, tiers);
	const BookRow *rows = BOOK_ARRAY(book, BookRow, rows);
	const BookWindow *windows = BOOK_ARRAY(book, BookWindow, windows);
	const BookAlias *aliases = BOOK_ARRAY(book, BookAlias, aliases);
	StringInfoData buf;
	uint32		r = 0;

	pq_begintypsend(&buf);
	pq_sendint16(&buf, PRICE_BOOK_WIRE_FORMAT);
	pq_sendint32(&buf, book->n_layers);
	for (uint32 l = 0; l < book->n_layers; l++)
	{
		uint32		end = r;

		while (end < book->n_rows && models[rows[end].model].layer == l)
			end++;
		send_string(&buf, book, layers[l].name);
		pq_sendint32(&buf, end - r);
		for (; r < end; r++)
		{
			const BookRow *row = &rows[r];
			RateCard	card = named_rates(&row->rates);

			send_string(&buf, book, models[row->model].provider);
			send_string(&buf, book, models[row->model].model);
			send_string(&buf, book, tiers[row->tier].service_tier);
			pq_sendint64(&buf, row->above);
			rate_card_send(&buf, &card);
			pq_sendint64(&buf, row->from);
			pq_sendint64(&buf, row->to);
			pq_sendint8(&buf, row->basis);
			pq_sendint8(&buf, row->mode);
			pq_sendint32(&buf, row->n_windows);
			for (uint32 w = 0; w < row->n_windows; w++)
			{
				pq_sendint32(&buf, windows[row->first_window + w].from);
				pq_sendint32(&buf, windows[row->first_window + w].to);
			}
			send_string(&buf, book, row->zone);
			send_string(&buf, book, row->source);
		}
	}
	pq_sendint32(&buf, book->n_aliases);
	for (uint32 a = 0; a < book->n_aliases; a++)
	{
		send_string(&buf, book, aliases[a].provider);
		send_string(&buf, book, aliases[a].alias);
		send_string(&buf, book, aliases[a].to_provider);
		send_string(&buf, book, aliases[a].to_model);
		pq_sendint8(&buf, aliases[a].is_pattern);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}
