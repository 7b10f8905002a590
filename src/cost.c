/*-------------------------------------------------------------------------
 *
 * cost.c
 *	  Pricing a call from a price_book.
 *
 * 1. The name.  Provider and model of the call, and every alias of them, are
 *	  candidates.  A layer prices what it names: the layers are tried in their
 *	  order, and within a layer the name itself before its aliases, exact
 *	  aliases before patterns.  Models of another provider come last, behind
 *	  every layer, so that a contract with one provider never prices a call to
 *	  another that has prices of its own.
 * 2. The time.  The first candidate that has the service tier at the time of
 *	  the call prices it.
 * 3. The rows.  Inside an off-peak window its rows count, else the base rows.
 *	  The row with the highest threshold that the call's input exceeds prices
 *	  the whole call, or each slice is priced at its own row.
 *
 * tokens_cost() and cost_by_name() make no numeric and allocate nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "cost.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "funcapi.h"
#include "json.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "ratio.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/typcache.h"
#include "utils/varlena.h"

/* A cache of more names than this is emptied: somebody sends garbage. */
#define MAX_CACHED_NAMES 65536

/* Names are taken out of blocks of so many bytes. */
#define NAME_BLOCK_SIZE 16384

/* Aliases of aliases, and so on, at most this many names in all. */
#define MAX_ALIAS_NAMES 32

/* The longest name that an alias with groups makes, in bytes. */
#define MAX_EXPANDED_NAME 1024

/* What a scalar function keeps between calls. */
typedef struct CostState
{
	void	   *fetched;		/* of price_book_arg() */
	NameCache	names;
} CostState;

SQL_FUNCTION(price_book_cost);
SQL_FUNCTION(price_book_list_cost);
SQL_FUNCTION(price_book_savings_rate);
SQL_FUNCTION(price_book_currency);
SQL_FUNCTION(price_book_price_row);
SQL_FUNCTION(price_book_rates_in_force);
SQL_FUNCTION(price_book_explain_cost);
SQL_FUNCTION(price_book_nearest_model);

const char *
unpriced_reason(Unpriced unpriced)
{
	switch (unpriced)
	{
		case PRICED:
			break;
		case UNKNOWN_MODEL:
			return "unknown model";
		case NO_SERVICE_TIER:
			return "no price for this service tier";
		case NO_PRICE_AT_TIME:
			return "no price at this time";
		case NO_PRICE_BELOW_TIER:
			return "no price below the first threshold";
		case NO_RATE_FOR_METER:
			return "no rate for a meter that was used";
		case NO_TOKENS_REPORTED:
			return "no tokens reported";
		case N_UNPRICED:
			break;
	}
	return NULL;
}

/*
 * Names
 */

/* A provider and model that the name of a call may stand for. */
typedef struct Candidate
{
	const char *provider;
	int			provider_len;
	const char *model;
	int			model_len;
} Candidate;

static void
add_candidate(Candidate *candidates, int *n, Candidate candidate)
{
	for (int i = 0; i < *n; i++)
		if (same_string(candidates[i].provider, candidates[i].provider_len,
						candidate.provider, candidate.provider_len) &&
			same_string(candidates[i].model, candidates[i].model_len,
						candidate.model, candidate.model_len))
			return;
	if (*n < MAX_ALIAS_NAMES)
		candidates[(*n)++] = candidate;
}

/*
 * Puts what a pattern matched into the model it names: \1 to \9, \& and \\.
 * False where that is longer than any name: a target that names its match twice
 * would else grow without bound, alias by alias.
 */
static bool
expand_target(Candidate *to, const char *target, int target_len,
			  const Candidate *from, const regmatch_t *match, int n_match)
{
	StringInfoData buf;

	if (memchr(target, '\\', target_len) == NULL)
	{
		to->model = target;
		to->model_len = target_len;
		return true;
	}
	initStringInfo(&buf);
	for (int i = 0; i < target_len; i++)
	{
		int			group = -1;

		if (target[i] == '\\' && i + 1 < target_len)
		{
			i++;
			if (target[i] == '&')
				group = 0;
			else if (target[i] >= '1' && target[i] <= '9')
				group = target[i] - '0';
		}
		if (group < 0)
			appendStringInfoChar(&buf, target[i]);
		else if (group < n_match && match[group].rm_so >= 0)
		{
			/* the regex engine counts characters */
			const char *start = from->model;
			int			rest = from->model_len;
			int			skip = pg_mbcharcliplen(start, rest, match[group].rm_so);

			appendBinaryStringInfo(&buf, start + skip,
								   pg_mbcharcliplen(start + skip, rest - skip,
													match[group].rm_eo - match[group].rm_so));
		}
	}
	to->model = buf.data;
	to->model_len = buf.len;
	return buf.len <= MAX_EXPANDED_NAME;
}

/*
 * False where a pattern certainly does not match, as the name lacks the literal
 * text that the pattern starts with.  PostgreSQL keeps 32 compiled patterns, so
 * that each of a few hundred would be compiled again for every name.
 */
static bool
pattern_may_match(const char *pattern, int pattern_len, const char *name, int name_len)
{
	char		literal[64];
	int			len = 0;
	int			i = 0;
	bool		anchored = false;

	/* no part of it need be there, or options change what it means */
	if (memchr(pattern, '|', pattern_len) != NULL)
		return true;
	for (int at = 0; at + 1 < pattern_len; at++)
		if (pattern[at] == '(' && pattern[at + 1] == '?')
			return true;

	if (pattern_len > 0 && pattern[0] == '^')
	{
		anchored = true;
		i++;
	}
	while (i < pattern_len && len < lengthof(literal))
	{
		unsigned char c = pattern[i];

		if (c == '\\' && i + 1 < pattern_len && strchr("./-@:_", pattern[i + 1]) != NULL)
			c = pattern[++i];	/* stands for itself */
		else if (c <= ' ' || c > '~' || strchr("\\.[](){}*+?^$", c) != NULL)
			break;
		literal[len++] = c;
		i++;
	}
	/* a quantifier may make the last of them optional */
	if (len > 0 && i < pattern_len && strchr("*?{", pattern[i]) != NULL)
		len--;

	for (int at = 0; at + len <= name_len; at++)
	{
		if (memcmp(name + at, literal, len) == 0)
			return true;
		if (anchored)
			break;
	}
	return false;
}

/* Adds what the aliases of a book make of one candidate. */
static void
add_aliases(const PriceBook *book, Candidate *candidates, int *n, Candidate from)
{
	const BookAlias *aliases = BOOK_ARRAY(book, BookAlias, aliases);

	for (uint32 a = 0; a < book->n_aliases; a++)
	{
		const BookAlias *alias = &aliases[a];
		const char *pattern = BOOK_STRING(book, alias->alias);
		Candidate	to = from;
		regmatch_t	match[10];

		if (alias->provider.len > 0 &&
			!same_string(BOOK_STRING(book, alias->provider), alias->provider.len,
						 from.provider, from.provider_len))
			continue;
		if (!alias->is_pattern)
		{
			if (!same_string(pattern, alias->alias.len, from.model, from.model_len))
				continue;
			to.model = BOOK_STRING(book, alias->to_model);
			to.model_len = alias->to_model.len;
		}
		else
		{
			if (alias->prefix_len > from.model_len ||
				memcmp(pattern + (alias->prefix_len > 0), from.model, alias->prefix_len) != 0 ||
				!pattern_may_match(pattern, alias->alias.len, from.model, from.model_len))
				continue;
			if (!RE_compile_and_execute(cstring_to_text_with_len(pattern, alias->alias.len),
										unconstify(char *, from.model), from.model_len,
										REG_ADVANCED, C_COLLATION_OID, lengthof(match), match))
				continue;
			if (!expand_target(&to, BOOK_STRING(book, alias->to_model), alias->to_model.len,
							   &from, match, lengthof(match)))
				continue;
		}
		if (alias->to_provider.len > 0)
		{
			to.provider = BOOK_STRING(book, alias->to_provider);
			to.provider_len = alias->to_provider.len;
		}
		add_candidate(candidates, n, to);
	}
}

/* Finds the models of a book that a name stands for. */
static void
resolve_name(const PriceBook *book, ModelName *name, Candidate call)
{
	Candidate	candidates[MAX_ALIAS_NAMES];
	int			n = 0;

	add_candidate(candidates, &n, call);
	for (int i = 0; i < n; i++)
		add_aliases(book, candidates, &n, candidates[i]);

	for (int other_provider = 0; other_provider < 2; other_provider++)
		for (uint32 layer = 0; layer < book->n_layers; layer++)
			for (int i = 0; i < n; i++)
			{
				const Candidate *c = &candidates[i];
				const BookModel *model;

				if (same_string(c->provider, c->provider_len, call.provider, call.provider_len) ==
					(other_provider != 0))
					continue;
				model = price_book_model(book, layer,
										 price_book_hash(c->provider, c->provider_len,
														 c->model, c->model_len),
										 c->provider, c->provider_len, c->model, c->model_len);
				if (model == NULL || name->n_models == MAX_CANDIDATES)
					continue;
				name->model[name->n_models] = model - BOOK_ARRAY(book, BookModel, models);
				name->through_alias[name->n_models++] = i > 0;
			}
}

void
name_cache_init(NameCache *cache, MemoryContext parent)
{
	memset(cache, 0, sizeof(NameCache));
	cache->mcxt = AllocSetContextCreate(parent, "model names", ALLOCSET_DEFAULT_SIZES);
}

/* The empty slot where a name belongs that the cache does not have. */
static ModelName **
name_cache_place(ModelName **slots, uint32 n_slots, uint32 hash)
{
	uint32		slot = hash & (n_slots - 1);

	while (slots[slot] != NULL)
		slot = (slot + 1) & (n_slots - 1);
	return &slots[slot];
}

/* Empties the cache, or makes it larger. */
static void
name_cache_resize(NameCache *cache, uint32 n_slots)
{
	ModelName **slots;

	slots = MemoryContextAllocZero(cache->mcxt, n_slots * sizeof(ModelName *));
	for (uint32 i = 0; i < cache->n_slots; i++)
	{
		ModelName  *name = cache->slots[i];

		if (name != NULL)
			*name_cache_place(slots, n_slots, name->hash) = name;
	}
	cache->slots = slots;
	cache->n_slots = n_slots;
}

/*
 * Zeroed memory for a name, from a cache line on.  Chunks of palloc() would lie
 * a power of two apart, where few of them fit into the processor's cache.
 */
static void *
name_cache_alloc(NameCache *cache, Size size)
{
	void	   *name;

	size = TYPEALIGN(MODEL_NAME_ALIGN, size);
	if (size > cache->n_free)
	{
		Size		block = Max(size, NAME_BLOCK_SIZE);

		cache->n_free = 0;		/* should memory run out */
		cache->free = (char *) TYPEALIGN(MODEL_NAME_ALIGN,
										 MemoryContextAllocExtended(cache->mcxt, block + MODEL_NAME_ALIGN,
																	MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
		cache->n_free = block;
	}
	name = cache->free;
	cache->free += size;
	cache->n_free -= size;
	return name;
}

/* Resolves a name that name_cache_get() did not find. */
ModelName *
name_cache_add(NameCache *cache, const PriceBook *book,
			   const char *provider, int provider_len, const char *model, int model_len)
{
	NameKey		key = name_key(provider, provider_len, model, model_len);
	uint32		hash = name_key_hash(&key);
	Candidate	call = {provider, provider_len, model, model_len};
	MemoryContext scratch;
	MemoryContext old;
	ModelName  *name;

	if (cache->n_names >= MAX_CACHED_NAMES ||
		cache->fingerprint != book->fingerprint || cache->book_size != VARSIZE(book))
	{
		cache->book_size = 0;	/* whatever fails from here on */
		cache->n_slots = cache->n_names = 0;
		cache->n_free = 0;
		MemoryContextReset(cache->mcxt);
		name_cache_resize(cache, 512);
		cache->fingerprint = book->fingerprint;
		cache->book_size = VARSIZE(book);
	}
	else if (cache->n_names * 16 >= cache->n_slots)
		name_cache_resize(cache, cache->n_slots * 2);

	scratch = AllocSetContextCreate(CurrentMemoryContext, "model name", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(scratch);
	name = name_cache_alloc(cache, sizeof(ModelName) + call.provider_len + call.model_len);
	name->key = key;
	name->hash = hash;
	name->provider_len = call.provider_len;
	name->model_len = call.model_len;
	resolve_name(book, name, call);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);

	memcpy(MODEL_NAME_STRING(name), call.provider, call.provider_len);
	memcpy(MODEL_NAME_STRING(name) + call.provider_len, call.model, call.model_len);

	*name_cache_place(cache->slots, cache->n_slots, hash) = name;
	cache->n_names++;
	return name;
}

/*
 * Rows
 */

/* Rows that hold for a call: base rows or those of a window, by threshold. */
typedef struct RowSet
{
	const uint32 *numbers;
	int			n;
	bool		off_peak;
} RowSet;

/* The time zone of a row's windows; the book was made with it. */
static pg_tz *
windows_zone(const PriceBook *book, const BookRow *row)
{
	char		name[TZ_STRLEN_MAX + 1];
	pg_tz	   *zone;

	memcpy(name, BOOK_STRING(book, row->zone), row->zone.len);
	name[row->zone.len] = '\0';
	zone = pg_tzset(name);
	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("off-peak time zone \"%s\" is not known", name)));
	return zone;
}

/* The time of the week on the clock of a zone, in microseconds from Monday 00:00. */
static int64
time_of_week(TimestampTz at, pg_tz *zone)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	int			weekday;

	if (timestamp2tm(at, &offset, &tm, &fsec, NULL, zone) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	weekday = (j2day(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday)) + 6) % 7;
	return (((weekday * 24 + tm.tm_hour) * 60 + tm.tm_min) * INT64CONST(60) + tm.tm_sec) * USECS_PER_SEC + fsec;
}

/*
 * Inside a window only its rows hold.  They have one time zone, but not all
 * need have the same windows.
 */
static pg_noinline RowSet
rows_in_windows(const PriceBook *book, const BookSegment *segment, TimestampTz at,
				uint32 *numbers)
{
	const BookRow *rows = BOOK_ARRAY(book, BookRow, rows);
	const BookWindow *windows = BOOK_ARRAY(book, BookWindow, windows);
	const uint32 *candidates = BOOK_ARRAY(book, uint32, row_numbers) +
	segment->first_row + segment->n_base;
	int			minute = time_of_week(at, windows_zone(book, &rows[candidates[0]])) / USECS_PER_MINUTE;
	RowSet		set = {numbers, 0, true};

	for (int i = 0; i < segment->n_off_peak; i++)
	{
		const BookRow *row = &rows[candidates[i]];

		for (uint32 w = 0; w < row->n_windows; w++)
		{
			const BookWindow *window = &windows[row->first_window + w];

			if (window->from <= minute && minute < window->to)
			{
				numbers[set.n++] = candidates[i];
				break;
			}
		}
	}
	return set;
}

/* Rows of windows that are kept on the stack. */
#define FEW_ROWS 64

/* The rows of a segment that hold at a time; a window's are listed in scratch. */
static inline RowSet
rows_at(const PriceBook *book, const BookSegment *segment, TimestampTz at,
		uint32 scratch[FEW_ROWS])
{
	RowSet		set;

	if (unlikely(segment->n_off_peak > 0))
	{
		set = rows_in_windows(book, segment, at,
							  segment->n_off_peak <= FEW_ROWS ? scratch :
							  palloc(segment->n_off_peak * sizeof(uint32)));
		if (set.n > 0)
			return set;
	}
	set.numbers = BOOK_ARRAY(book, uint32, row_numbers) + segment->first_row;
	set.n = segment->n_base;
	set.off_peak = false;
	return set;
}

/*
 * Narrows from and to to the times around "at" for which the clock of the
 * windows' zone lies between the same two edges of them.
 */
static void
narrow_to_windows(const PriceBook *book, const BookSegment *segment, TimestampTz at,
				  TimestampTz *from, TimestampTz *to)
{
	const BookRow *rows = BOOK_ARRAY(book, BookRow, rows);
	const BookWindow *windows = BOOK_ARRAY(book, BookWindow, windows);
	const uint32 *numbers = BOOK_ARRAY(book, uint32, row_numbers) +
	segment->first_row + segment->n_base;
	pg_tz	   *zone = windows_zone(book, &rows[numbers[0]]);
	int64		into_week = time_of_week(at, zone);
	int64		last = 0;		/* edges, in microseconds of the week */
	int64		next = MINUTES_PER_WEEK * USECS_PER_MINUTE;
	pg_time_t	before;
	pg_time_t	boundary;
	long		offset_before,
				offset_after;
	int			dst_before,
				dst_after;

	for (int i = 0; i < segment->n_off_peak; i++)
		for (uint32 w = 0; w < rows[numbers[i]].n_windows; w++)
			for (int edge = 0; edge < 2; edge++)
			{
				const BookWindow *window = &windows[rows[numbers[i]].first_window + w];
				int64		time = (edge == 0 ? window->from : window->to) * USECS_PER_MINUTE;

				if (time <= into_week)
					last = Max(last, time);
				else
					next = Min(next, time);
			}
	*from = Max(*from, at - (into_week - last));
	*to = Min(*to, at + (next - into_week));

	/* where the clocks change in between, only up to there */
	before = timestamptz_to_time_t(at - (into_week - last)) - 1;
	while (pg_next_dst_boundary(&before, &offset_before, &dst_before, &boundary,
								&offset_after, &dst_after, zone) == 1)
	{
		TimestampTz change = time_t_to_timestamptz(boundary);

		if (change > at)
		{
			*to = Min(*to, change);
			break;
		}
		*from = Max(*from, change);
		before = boundary;
	}
}

/* The meters whose sum the thresholds count. */
MeterSet
basis_meters(TierBasis basis)
{
	return basis == BASIS_UNCACHED ? meters_of_side(SIDE_INPUT) & ~CACHED_METERS :
		meters_of_side(SIDE_INPUT);
}

/* The row of the highest threshold that the counted tokens exceed, or -1. */
static inline int
row_of_basis(const BookRow *rows, RowSet set, int64 basis)
{
	int			last = -1;

	for (int i = 0; i < set.n; i++)
	{
		int64		above = rows[set.numbers[i]].above;

		/* a call without input is priced by the first row */
		if (basis > above || above == 0)
			last = i;
	}
	return last;
}

/*
 * The slices of a call: each a row and the tokens that it prices.
 *
 * A whole call is one slice.  A graduated one is cut at each threshold: of
 * the n tokens of its basis, the first t fall below threshold t.  Meters are
 * cut by the same shares, in whole tokens: of the tokens of the first k meters
 * of a side, floor(tokens * t / n) fall below t, so that the slices of a meter
 * add up to the meter, and those of the basis to the slice.
 */
typedef struct Slices
{
	const BookRow *rows;
	RowSet		set;
	const TokenCounts *counts;
	int64		basis;			/* tokens that the thresholds count */
	int			next;			/* in the set */
	int			last;			/* the row of the highest threshold reached;
								 * -1: none */
	bool		graduated;
	TokenCounts below;			/* tokens below the slice to come */
	TokenCounts slice;
} Slices;

/*
 * Of several calls in one, such as a vendor's hourly count, nobody knows the
 * size of each: they are priced as small ones.
 */
static void
slices_begin(Slices *slices, const PriceBook *book, RowSet set, const TokenCounts *counts,
			 int64 n_calls)
{
	slices->rows = BOOK_ARRAY(book, BookRow, rows);
	slices->set = set;
	slices->counts = counts;
	slices->last = -1;
	slices->next = 0;
	slices->graduated = false;
	if (set.n > 0)
	{
		const BookRow *row = &slices->rows[set.numbers[0]];

		slices->basis = n_calls > 1 ? 0 : token_counts_sum(counts, basis_meters(row->basis));
		slices->graduated = row->mode == MODE_GRADUATED;
		slices->last = row_of_basis(slices->rows, set, slices->basis);

		/*
		 * graduated prices that start above a threshold leave the first slice
		 * unpriced
		 */
		if (slices->graduated && row->above > 0)
			slices->last = -1;
		slices->next = slices->graduated ? 0 : Max(slices->last, 0);
		if (slices->graduated)
			memset(&slices->below, 0, sizeof(TokenCounts));
	}
}

/* Cuts a set of meters at a share of threshold / basis. */
static void
cut_meters(const Slices *slices, int64 threshold, MeterSet meters, TokenCounts *below)
{
	MeterSet	rest = slices->counts->reported & meters;
	Meter		m;
	int128		tokens = 0;		/* of the meters so far */
	int128		cut = 0;		/* those of them that fall below */

	(void) token_counts_sum(slices->counts, rest);	/* products fit 128 bits */
	FOR_EACH_METER(m, rest)
	{
		int128		to_here;

		tokens += slices->counts->count[m];
		to_here = tokens * threshold / slices->basis;
		below->count[m] = (int64) (to_here - cut);
		cut = to_here;
	}
}

/* The tokens of a graduated call that fall below a threshold. */
static void
tokens_below(const Slices *slices, int64 threshold, TokenCounts *below)
{
	MeterSet	basis = basis_meters(slices->rows[slices->set.numbers[0]].basis);

	memset(below, 0, sizeof(TokenCounts));
	below->reported = slices->counts->reported;
	cut_meters(slices, threshold, basis, below);
	cut_meters(slices, threshold, meters_of_side(SIDE_INPUT) & ~basis, below);
	cut_meters(slices, threshold, meters_of_side(SIDE_OUTPUT), below);
	cut_meters(slices, threshold, meters_of_side(SIDE_NONE), below);
}

/* Hands out the next slice; false where there is none. */
static inline bool
slices_next(Slices *slices, const BookRow **row, const TokenCounts **counts)
{
	TokenCounts below;

	if (slices->next > slices->last)
		return false;
	*row = &slices->rows[slices->set.numbers[slices->next]];
	*counts = slices->counts;
	if (likely(!slices->graduated))
	{
		slices->next = slices->last + 1;
		return true;
	}
	if (slices->next == slices->last)
		below = *slices->counts;
	else
		tokens_below(slices, slices->rows[slices->set.numbers[slices->next + 1]].above, &below);
	slices->slice.reported = below.reported;
	for (int m = 0; m < N_METERS; m++)
		slices->slice.count[m] = below.count[m] - slices->below.count[m];
	slices->below = below;
	slices->next++;
	*counts = &slices->slice;
	return true;
}

/*
 * Prices a call by the rows of a segment.
 */
static void
price_by_segment(const PriceBook *book, const BookSegment *segment, const Call *call,
				 Priced *priced)
{
	uint32		scratch[FEW_ROWS];
	RowSet		set = rows_at(book, segment, call->at, scratch);
	Slices		slices;
	const BookRow *row;
	const TokenCounts *counts;

	priced->off_peak = set.off_peak;
	priced->row = NULL;
	priced->cost = 0;
	if (set.n == 0)
	{
		priced->unpriced = NO_PRICE_AT_TIME;
		return;
	}
	slices_begin(&slices, book, set, call->counts, 1);
	priced->unpriced = NO_PRICE_BELOW_TIER;
	while (slices_next(&slices, &row, &counts))
	{
		Money		cost;

		priced->row = row;
		if (!rates_cost(&row->rates, counts, &cost))
		{
			priced->unpriced = NO_RATE_FOR_METER;
			return;
		}
		priced->unpriced = PRICED;
		priced->cost = money_add(priced->cost, cost);
	}
}

/*
 * The stretch of time of a tier that holds a time, or NULL.  Narrows from and
 * to to the times for which the answer is the same.
 */
static const BookSegment *
segment_at(const PriceBook *book, const BookTier *tier, TimestampTz at,
		   TimestampTz *from, TimestampTz *to)
{
	const BookSegment *segments = BOOK_ARRAY(book, BookSegment, segments) + tier->first_segment;
	const BookSegment *found = NULL;
	uint32		low = 0;
	uint32		high = tier->n_segments;

	/* the last one that starts at or before the time */
	while (low < high)
	{
		uint32		middle = (low + high) / 2;

		if (segments[middle].from <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0 && at < segments[low - 1].to)
	{
		found = &segments[low - 1];
		*from = Max(*from, found->from);
		*to = Min(*to, found->to);
	}
	else
	{
		if (low > 0)
			*from = Max(*from, segments[low - 1].to);
		if (low < tier->n_segments)
			*to = Min(*to, segments[low].from);
	}
	return found;
}

/* A segment that prices calls, and the times for which it does. */
typedef struct FoundSegment
{
	const BookSegment *segment; /* NULL: there is none */
	TimestampTz from;
	TimestampTz to;				/* not included */
	bool		through_alias;
} FoundSegment;

/*
 * Finds the segment that prices a call: of the first of a name's models that
 * has one, of the last layer only or of all.  Where there is none, the result
 * says why, and the times are those for which that holds.
 */
static Unpriced
find_segment(const PriceBook *book, const ModelName *name, const Call *call,
			 bool list_only, FoundSegment *found)
{
	const BookModel *models = BOOK_ARRAY(book, BookModel, models);
	const BookTier *tiers = BOOK_ARRAY(book, BookTier, tiers);
	Unpriced	unpriced = UNKNOWN_MODEL;

	found->segment = NULL;
	found->from = DT_NOBEGIN + 1;	/* an infinite time has no price */
	found->to = DT_NOEND;
	found->through_alias = false;
	for (uint32 i = 0; i < name->n_models; i++)
	{
		const BookModel *model;

		if (name->model[i] >= book->n_models)
			elog(ERROR, "name of a model does not belong to this price book");
		model = &models[name->model[i]];
		if (list_only && model->layer != book->n_layers - 1)
			continue;
		if (unpriced == UNKNOWN_MODEL)
			unpriced = NO_SERVICE_TIER;
		for (uint32 t = model->first_tier; t < model->first_tier + model->n_tiers; t++)
		{
			if (!same_string(BOOK_STRING(book, tiers[t].service_tier), tiers[t].service_tier.len,
							 call->service_tier, call->service_tier_len))
				continue;
			found->segment = segment_at(book, &tiers[t], call->at, &found->from, &found->to);
			if (found->segment == NULL)
			{
				unpriced = NO_PRICE_AT_TIME;
				break;
			}
			found->through_alias = name->through_alias[i];
			return PRICED;
		}
	}
	return unpriced;
}

/* Remembers a segment, or that there is none, for the calls to come. */
static void
remember_segment(const PriceBook *book, PriceMemo *memo, const Call *call,
				 const FoundSegment *found)
{
	const BookSegment *segment = found->segment;

	memo->from = memo->to = 0;
	if (call->service_tier_len <= MEMO_TIER_SIZE)
	{
		memo->from = found->from;
		memo->to = found->to;
		memcpy(memo->service_tier, call->service_tier, call->service_tier_len);
		memo->service_tier_len = call->service_tier_len;
	}
	memo->segment = segment != NULL ? segment - BOOK_ARRAY(book, BookSegment, segments) : 0;
	memo->row = NO_ROW;
	memo->usual_count = 0;
	memo->through_alias = found->through_alias;
}

/*
 * Remembers the row that priced a call, for calls that go by the tokens alone:
 * not in slices, and between two edges of off-peak windows.
 */
static void
remember_row(const PriceBook *book, PriceMemo *memo, const Call *call, const Priced *priced)
{
	const BookSegment *segment = priced->segment;
	const BookRow *rows = BOOK_ARRAY(book, BookRow, rows);
	const BookRow *row = priced->row;
	uint32		scratch[FEW_ROWS];
	RowSet		set;
	MeterSet	basis;
	unsigned	__int128 rates = 4; /* nor is a sum of counts out of range */

	memo->row = NO_ROW;
	memo->usual_count = 0;
	if (row == NULL || row->mode == MODE_GRADUATED || memo->from >= memo->to)
		return;
	if (segment->n_off_peak > 0)
		narrow_to_windows(book, segment, call->at, &memo->from, &memo->to);
	memo->row = row - rows;
	memo->rates = row->rates;
	basis = basis_meters(row->basis);
	memo->basis_cached = (basis & CACHED_METERS) != 0 ? PG_UINT64_MAX : 0;
	memo->basis_uncommon = basis & ~COMMON_METERS;
	memo->basis_first = row->above == 0 ? 0 : row->above + 1;
	memo->basis_last = PG_INT64_MAX;
	set = rows_at(book, segment, call->at, scratch);
	for (int i = 0; i < set.n; i++)
		if (rows[set.numbers[i]].above > row->above)
		{
			memo->basis_last = rows[set.numbers[i]].above;
			break;
		}
	for (int m = 0; m < N_COMMON_METERS; m++)
		rates += (uint64) row->rates.rate[m];
	memo->usual_count = (uint64) (PG_INT64_MAX / rates);
}

/* Whether what priced the last call of a name would price this one. */
static inline bool
price_memo_holds(const PriceMemo *memo, const Call *call)
{
	return memo->from <= call->at && call->at < memo->to &&
		same_string(memo->service_tier, memo->service_tier_len,
					call->service_tier, call->service_tier_len);
}

/* Prices a call by a book, or by its last layer alone. */
static void
price_by_name(const PriceBook *book, ModelName *name, const Call *call,
			  bool list_only, Priced *priced)
{
	PriceMemo  *memo = &name->memo[list_only];

	if (TIMESTAMP_NOT_FINITE(call->at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("the time of a call must not be infinite")));
	if (!price_memo_holds(memo, call))
	{
		FoundSegment found;

		memo->unpriced = find_segment(book, name, call, list_only, &found);
		remember_segment(book, memo, call, &found);
	}
	if (memo->unpriced != PRICED)
	{
		priced->unpriced = memo->unpriced;
		priced->segment = NULL;
		priced->row = NULL;
		return;
	}
	priced->through_alias = memo->through_alias;
	priced->segment = &BOOK_ARRAY(book, BookSegment, segments)[memo->segment];
	price_by_segment(book, priced->segment, call, priced);
	remember_row(book, memo, call, priced);
}

/* Prices a call by a book, and by its last layer alone. */
void
price_call(const PriceBook *book, ModelName *name, const Call *call, PricedCall *priced)
{
	price_by_name(book, name, call, false, &priced->contracted);
	priced->list = &priced->contracted;
	if (book->n_layers > 1)
	{
		price_by_name(book, name, call, true, &priced->own_list);
		priced->list = &priced->own_list;
	}
}

/* What a call costs that the memo of its name does not answer at once. */
static CallCost
cost_by_search(const PriceBook *book, ModelName *name, const Call *call, bool list_only)
{
	Priced		priced;
	CallCost	result;

	price_by_name(book, name, call, list_only, &priced);
	result.unpriced = priced.unpriced;
	result.cost = priced.cost;
	return result;
}

/* Whether the row of a memo prices so many tokens. */
static pg_attribute_always_inline bool
price_memo_row_holds(const PriceMemo *memo, const TokenCounts *counts)
{
	uint64		basis = 0;
	bool		overflow = false;
	int			m;

	FOR_EACH_COMMON_METER(m)
	{
		uint64		count = counts->count[m];

		if (!(meters_of_side(SIDE_INPUT) & METER_BIT(m)))
			continue;
		if (CACHED_METERS & METER_BIT(m))
			count &= memo->basis_cached;
		overflow |= __builtin_add_overflow(basis, count, &basis);
	}
	return basis - memo->basis_first <= memo->basis_last - memo->basis_first &&
		(counts->reported & memo->basis_uncommon) == 0 && !overflow;
}

/* What a call costs by a book, or by its last layer alone. */
static inline CallCost
cost_by_name(const PriceBook *book, ModelName *name, const Call *call, bool list_only)
{
	const PriceMemo *memo = &name->memo[list_only];
	CallCost	result;

	if (unlikely(memo->row == NO_ROW || !price_memo_holds(memo, call) ||
				 !price_memo_row_holds(memo, call->counts)))
		return cost_by_search(book, name, call, list_only);
	result.unpriced = rates_cost(&memo->rates, call->counts, &result.cost) ?
		PRICED : NO_RATE_FOR_METER;
	return result;
}

/* The same of tokens as they came. */
CallCost
tokens_cost_any(const PriceBook *book, ModelName *name, TimestampTz at, Bytes service_tier,
				Datum tokens, bool list_only)
{
	TokenCounts counts;
	Call		call;

	token_counts_read(tokens, &counts);
	call.at = at;
	call.counts = &counts;
	call.service_tier = service_tier.data;
	call.service_tier_len = service_tier.len;
	return cost_by_name(book, name, &call, list_only);
}

/*
 * Bands
 */

/* A fingerprint of the windows of rows and of their zone; never 0. */
static uint32
windows_fingerprint(const PriceBook *book, const uint32 *numbers, int n)
{
	const BookRow *rows = BOOK_ARRAY(book, BookRow, rows);
	const BookWindow *windows = BOOK_ARRAY(book, BookWindow, windows);
	BookString	zone = rows[numbers[0]].zone;
	uint8		minutes[(MINUTES_PER_WEEK + 7) / 8] = {0};
	uint32		hash;

	for (int i = 0; i < n; i++)
		for (uint32 w = 0; w < rows[numbers[i]].n_windows; w++)
		{
			const BookWindow *window = &windows[rows[numbers[i]].first_window + w];

			for (int minute = window->from; minute < window->to; minute++)
				minutes[minute / 8] |= 1 << minute % 8;
		}
	hash = hash_combine(hash_bytes(minutes, sizeof(minutes)),
						hash_bytes((const unsigned char *) BOOK_STRING(book, zone), zone.len));
	return hash != 0 ? hash : 1;
}

/* Whether the windows of a segment's rows are not all the same. */
static bool
windows_differ(const PriceBook *book, const uint32 *numbers, int n)
{
	uint32		first = windows_fingerprint(book, numbers, 1);

	for (int i = 1; i < n; i++)
		if (windows_fingerprint(book, numbers + i, 1) != first)
			return true;
	return false;
}

/* Finds what prices a call by the book, or by its last layer alone; a name of NULL is no model's. */
void
price_band(const PriceBook *book, ModelName *name, const Call *call, int64 n_calls,
		   bool list_only, PriceBand *band)
{
	const BookRow *rows = BOOK_ARRAY(book, BookRow, rows);
	FoundSegment found;
	uint32		scratch[FEW_ROWS];
	RowSet		set;
	Slices		slices;

	memset(band, 0, sizeof(PriceBand));
	band->above = -1;
	band->up_to = PG_INT64_MAX;
	band->from = band->valid_from = DT_NOBEGIN;
	band->to = band->valid_to = DT_NOEND;
	band->unpriced = UNKNOWN_MODEL;
	if (name == NULL)
		return;
	band->unpriced = find_segment(book, name, call, list_only, &found);
	band->from = band->valid_from = found.from;
	band->to = band->valid_to = found.to;
	if (band->unpriced != PRICED)
		return;
	band->segment = found.segment - BOOK_ARRAY(book, BookSegment, segments);
	band->through_alias = found.through_alias;
	set = rows_at(book, found.segment, call->at, scratch);
	band->off_peak = set.off_peak;
	if (found.segment->n_off_peak > 0)
	{
		const uint32 *numbers = BOOK_ARRAY(book, uint32, row_numbers) +
		found.segment->first_row + found.segment->n_base;

		narrow_to_windows(book, found.segment, call->at, &band->from, &band->to);
		if (!set.off_peak)
			band->windows = windows_fingerprint(book, numbers, found.segment->n_off_peak);
		else
			band->windows_differ = windows_differ(book, numbers, found.segment->n_off_peak);
	}
	if (set.n == 0)
	{
		band->unpriced = NO_PRICE_AT_TIME;
		return;
	}
	slices_begin(&slices, book, set, call->counts, n_calls);
	band->basis = rows[set.numbers[0]].basis;
	if (slices.last < 0)
	{
		band->unpriced = NO_PRICE_BELOW_TIER;
		if (!slices.graduated)
			band->up_to = rows[set.numbers[0]].above;
		return;
	}
	band->row = &rows[set.numbers[slices.last]];
	band->above = band->row->above;
	if (slices.last + 1 < set.n)
		band->up_to = rows[set.numbers[slices.last + 1]].above;
	band->graduated = slices.graduated && slices.last > 0;
	band->priced = band->row->rates.priced;
	for (int i = slices.next; i < slices.last; i++)
		band->priced &= rows[set.numbers[i]].rates.priced;
	if (set.off_peak)
		band->windows = windows_fingerprint(book, set.numbers + slices.last, 1);
}

NO_RETURN void
fallback_tokens_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("number of tokens priced at the rate of another meter out of range")));
}

/*
 * The cost of a call by meter, from the band that it lies in; returns the
 * meters that it used and that have no rate.  Adds to fallback_tokens those
 * that are priced at another meter's rate.
 */
MeterSet
price_meters(const PriceBook *book, const PriceBand *band, const Call *call,
			 int64 n_calls, Money cost[N_METERS], int64 *fallback_tokens)
{
	uint32		scratch[FEW_ROWS];
	RowSet		set = rows_at(book, BOOK_ARRAY(book, BookSegment, segments) + band->segment,
							  call->at, scratch);
	Slices		slices;
	const BookRow *row;
	const TokenCounts *counts;
	MeterSet	lacking = 0;

	memset(cost, 0, N_METERS * sizeof(Money));
	slices_begin(&slices, book, set, call->counts, n_calls);
	while (slices_next(&slices, &row, &counts))
	{
		MeterSet	rest = counts->reported;
		Meter		m;

		FOR_EACH_METER(m, rest)
		{
			if (counts->count[m] == 0)
				continue;
			if (!(row->rates.priced & METER_BIT(m)))
				lacking |= METER_BIT(m);
			cost[m] = money_add(cost[m], (Money) row->rates.rate[m] * counts->count[m]);
			if ((row->rates.priced & ~row->rates.named & METER_BIT(m)) &&
				pg_add_s64_overflow(*fallback_tokens, counts->count[m], fallback_tokens))
				fallback_tokens_out_of_range();
		}
	}
	return lacking;
}

/*
 * SQL functions: (book, provider, model, at, tokens [, service_tier])
 */

/* The arguments of these functions, taken apart. */
typedef struct CallArguments
{
	const PriceBook *book;
	ModelName  *name;
	Call		call;
	TokenCounts counts;			/* not read by call_arguments() */
} CallArguments;

/* Reads them; false where one of them is NULL. */
static pg_attribute_always_inline bool
call_arguments(FunctionCallInfo fcinfo, CallArguments *args)
{
	CostState  *state = fcinfo->flinfo->fn_extra;
	Bytes		provider,
				model;

	for (int i = 0; i < 5; i++)
		if (PG_ARGISNULL(i))
			return false;
	if (state == NULL)
	{
		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CostState));
		name_cache_init(&state->names, fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = state;
	}
	args->book = price_book_arg(fcinfo, 0, &state->fetched);
	provider = packed_bytes(PG_GETARG_DATUM(1));
	model = packed_bytes(PG_GETARG_DATUM(2));
	args->call.at = PG_GETARG_TIMESTAMPTZ(3);
	args->call.counts = &args->counts;
	args->call.service_tier = "standard";
	args->call.service_tier_len = strlen("standard");
	if (PG_NARGS() > 5 && !PG_ARGISNULL(5))
	{
		Bytes		tier = packed_bytes(PG_GETARG_DATUM(5));

		args->call.service_tier = tier.data;
		args->call.service_tier_len = tier.len;
	}
	args->name = name_cache_get(&state->names, args->book,
								provider.data, provider.len, model.data, model.len);
	return true;
}

/* What the call in the arguments costs; false where it has no cost. */
static pg_attribute_always_inline bool
cost_arguments(FunctionCallInfo fcinfo, bool list_cost, Money *cost)
{
	CallArguments args;
	CallCost	result;
	Bytes		tier;

	if (!call_arguments(fcinfo, &args))
		return false;
	tier.data = args.call.service_tier;
	tier.len = args.call.service_tier_len;
	result = tokens_cost(args.book, args.name, args.call.at, tier, PG_GETARG_DATUM(4),
						 list_cost && args.book->n_layers > 1);
	*cost = result.cost;
	return result.unpriced == PRICED;
}

/* Prices the call in the arguments; false where one of them is NULL. */
static bool
price_arguments(FunctionCallInfo fcinfo, CallArguments *args, PricedCall *priced)
{
	if (!call_arguments(fcinfo, args))
		return false;
	token_counts_read(PG_GETARG_DATUM(4), &args->counts);
	price_call(args->book, args->name, &args->call, priced);
	return true;
}

Datum
price_book_cost(PG_FUNCTION_ARGS)
{
	Money		cost;

	if (!cost_arguments(fcinfo, false, &cost))
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(money_to_numeric(cost));
}

Datum
price_book_list_cost(PG_FUNCTION_ARGS)
{
	Money		cost;

	if (!cost_arguments(fcinfo, true, &cost))
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(money_to_numeric(cost));
}

/* 1 - cost / list cost: NULL where there is nothing to save from. */
Datum
price_book_savings_rate(PG_FUNCTION_ARGS)
{
	CallArguments args;
	PricedCall	priced;
	Datum		change;

	if (!price_arguments(fcinfo, &args, &priced) ||
		priced.contracted.unpriced != PRICED || priced.list->unpriced != PRICED ||
		!currency_equal(&priced.contracted.row->rates.currency, &priced.list->row->rates.currency))
		PG_RETURN_NULL();
	change = change_of(money_to_numeric(priced.contracted.cost), money_to_numeric(priced.list->cost),
					   &fcinfo->isnull);
	return fcinfo->isnull ? change : DirectFunctionCall1(numeric_uminus, change);
}

Datum
price_book_currency(PG_FUNCTION_ARGS)
{
	CallArguments args;
	PricedCall	priced;

	if (!price_arguments(fcinfo, &args, &priced) || priced.contracted.row == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(currency_text(&priced.contracted.row->rates.currency));
}

/* The one set of rates that prices a call; NULL where there are several. */
Datum
price_book_rates_in_force(PG_FUNCTION_ARGS)
{
	CallArguments args;
	PricedCall	priced;
	const BookRow *row;
	RateCard	card = {0};
	MeterSet	rest;
	Meter		m;

	if (!price_arguments(fcinfo, &args, &priced) || priced.contracted.unpriced != PRICED)
		PG_RETURN_NULL();
	row = priced.contracted.row;
	if (row->mode == MODE_GRADUATED && row->above > 0)
		PG_RETURN_NULL();
	card.currency = row->rates.currency;
	card.named = rest = row->rates.named;
	FOR_EACH_METER(m, rest)
		card.rate[m] = row->rates.rate[m];
	return rate_card_datum(&card);
}

/*
 * price_row(book, provider, model, at, tokens, service_tier, calls): names the
 * row that prices a call, so that calls can be grouped by it.
 */
Datum
price_book_price_row(PG_FUNCTION_ARGS)
{
	CallArguments args;
	PriceBand	band;
	StringInfoData buf;

	if (PG_ARGISNULL(6) || !call_arguments(fcinfo, &args))
		PG_RETURN_NULL();
	token_counts_read(PG_GETARG_DATUM(4), &args.counts);
	price_band(args.book, args.name, &args.call, PG_GETARG_INT64(6), false, &band);
	if (band.row == NULL)
		PG_RETURN_NULL();
	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"row\": %d, \"above_input_tokens\": " INT64_FORMAT ", \"off_peak\": %s, \"valid_from\": ",
					 (int) (band.row - BOOK_ARRAY(args.book, BookRow, rows)),
					 band.above, band.off_peak ? "true" : "false");
	json_append_time(&buf, band.row->from);
	appendStringInfoChar(&buf, '}');
	PG_RETURN_TEXT_P(cstring_to_text_with_len(buf.data, buf.len));
}

/*
 * explain_cost()
 */

typedef enum ExplainColumn
{
	EXPLAIN_PRICED_BY, EXPLAIN_METER, EXPLAIN_TOKENS, EXPLAIN_RATE, EXPLAIN_COST,
	EXPLAIN_CURRENCY, EXPLAIN_RATE_OF, EXPLAIN_BOOK, EXPLAIN_PROVIDER, EXPLAIN_MODEL,
	EXPLAIN_SERVICE_TIER, EXPLAIN_ABOVE, EXPLAIN_BASIS, EXPLAIN_MODE, EXPLAIN_OFF_PEAK,
	EXPLAIN_VALID, EXPLAIN_SOURCE, EXPLAIN_ALIAS, EXPLAIN_REASON,
	N_EXPLAIN_COLUMNS
} ExplainColumn;

static Datum
valid_range(const BookRow *row)
{
	TypeCacheEntry *type = lookup_type_cache(TSTZRANGEOID, TYPECACHE_RANGE_INFO);
	RangeBound	lower = {0};
	RangeBound	upper = {0};

	lower.val = TimestampTzGetDatum(row->from);
	lower.infinite = row->from == DT_NOBEGIN;
	lower.inclusive = !lower.infinite;
	lower.lower = true;
	upper.val = TimestampTzGetDatum(row->to);
	upper.infinite = row->to == DT_NOEND;
	return RangeTypePGetDatum(make_range_compat(type, &lower, &upper, false));
}

/* Writes the rows that say how one of the two prices of a call came about. */
static void
explain_price(ReturnSetInfo *rsinfo, const PriceBook *book, const Priced *priced,
			  const TokenCounts *counts, TimestampTz at, const char *priced_by)
{
	const BookModel *models = BOOK_ARRAY(book, BookModel, models);
	const BookTier *tiers = BOOK_ARRAY(book, BookTier, tiers);
	const BookLayer *layers = BOOK_ARRAY(book, BookLayer, layers);
	Slices		slices;
	RowSet		set = {NULL, 0, false};
	const BookRow *row = NULL;
	const TokenCounts *part = counts;
	uint32		scratch[FEW_ROWS];
	bool		more;

	if (priced->segment != NULL)
	{
		set = rows_at(book, priced->segment, at, scratch);
		slices_begin(&slices, book, set, counts, 1);
		more = slices_next(&slices, &row, &part);
	}
	else
		more = false;

	do
	{
		MeterSet	rest = part->reported;
		Meter		m;

		FOR_EACH_METER(m, rest)
		{
			Datum		values[N_EXPLAIN_COLUMNS] = {0};
			bool		nulls[N_EXPLAIN_COLUMNS];
			const char *reason = unpriced_reason(priced->unpriced);

			memset(nulls, true, sizeof(nulls));
#define SET(column, datum) (values[column] = (datum), nulls[column] = false)
			SET(EXPLAIN_PRICED_BY, CStringGetTextDatum(priced_by));
			SET(EXPLAIN_METER, CStringGetTextDatum(meter_info[m].name));
			SET(EXPLAIN_TOKENS, Int64GetDatum(part->count[m]));
			if (row != NULL)
			{
				const BookModel *model = &models[row->model];
				Meter		source = rate_source(row->rates.named, m);

				if (source != METER_NONE)
				{
					SET(EXPLAIN_RATE, rate_to_numeric(row->rates.rate[m]));
					SET(EXPLAIN_RATE_OF, CStringGetTextDatum(meter_info[source].name));
					if (priced->unpriced == PRICED)
						SET(EXPLAIN_COST, NumericGetDatum(money_to_numeric((Money) row->rates.rate[m] *
																		   part->count[m])));
					if (priced->unpriced == NO_RATE_FOR_METER)
						reason = "another meter has no rate";
				}
				else if (part->count[m] == 0)
					reason = NULL;
				SET(EXPLAIN_CURRENCY, PointerGetDatum(currency_text(&row->rates.currency)));
				SET(EXPLAIN_BOOK, PointerGetDatum(book_string_text(book, layers[model->layer].name)));
				SET(EXPLAIN_PROVIDER, PointerGetDatum(book_string_text(book, model->provider)));
				SET(EXPLAIN_MODEL, PointerGetDatum(book_string_text(book, model->model)));
				SET(EXPLAIN_SERVICE_TIER, PointerGetDatum(book_string_text(book, tiers[row->tier].service_tier)));
				SET(EXPLAIN_ABOVE, Int64GetDatum(row->above));
				SET(EXPLAIN_BASIS, CStringGetTextDatum(tier_basis_name[row->basis]));
				SET(EXPLAIN_MODE, CStringGetTextDatum(tier_mode_name[row->mode]));
				SET(EXPLAIN_OFF_PEAK, BoolGetDatum(set.off_peak));
				SET(EXPLAIN_VALID, valid_range(row));
				SET(EXPLAIN_SOURCE, PointerGetDatum(book_string_text(book, row->source)));
				SET(EXPLAIN_ALIAS, BoolGetDatum(priced->through_alias));
			}
			if (reason != NULL)
				SET(EXPLAIN_REASON, CStringGetTextDatum(reason));
#undef SET
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	} while (more && (more = slices_next(&slices, &row, &part)));
}

Datum
price_book_explain_cost(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	CallArguments args;
	PricedCall	priced;

	InitMaterializedSRF(fcinfo, 0);
	if (!price_arguments(fcinfo, &args, &priced))
		PG_RETURN_NULL();
	explain_price(rsinfo, args.book, &priced.contracted, &args.counts, args.call.at, "contracted");
	if (args.book->n_layers > 1)
		explain_price(rsinfo, args.book, priced.list, &args.counts, args.call.at, "list");
	PG_RETURN_NULL();
}

/*
 * nearest_model(book, provider, model): the priced name that takes the fewest
 * changes of a character to get to; among equals one of the same provider.
 */
Datum
price_book_nearest_model(PG_FUNCTION_ARGS)
{
	const PriceBook *book = price_book_arg(fcinfo, 0, NULL);
	const BookModel *models = BOOK_ARRAY(book, BookModel, models);
	text	   *provider = PG_GETARG_TEXT_PP(1);
	text	   *model = PG_GETARG_TEXT_PP(2);
	int			len = VARSIZE_ANY_EXHDR(model);
	const BookModel *nearest = NULL;
	int			least = len - 1;	/* one farther off has nothing of it */
	bool		least_is_own = false;

	for (uint32 i = 0; i < book->n_models; i++)
	{
		bool		own = same_string(BOOK_STRING(book, models[i].provider), models[i].provider.len,
									  VARDATA_ANY(provider), VARSIZE_ANY_EXHDR(provider));
		int			distance;

		CHECK_FOR_INTERRUPTS();
		distance = varstr_levenshtein_less_equal(VARDATA_ANY(model), len,
												 BOOK_STRING(book, models[i].model), models[i].model.len,
												 1, 1, 1, least, true);
		if (distance < least || (distance == least && (nearest == NULL || (own && !least_is_own))))
		{
			nearest = &models[i];
			least = distance;
			least_is_own = own;
		}
	}
	if (nearest == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%.*s/%.*s",
											  (int) nearest->provider.len, BOOK_STRING(book, nearest->provider),
											  (int) nearest->model.len, BOOK_STRING(book, nearest->model))));
}
