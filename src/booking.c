/*-------------------------------------------------------------------------
 *
 * booking.c
 *	  Calls into a ledger: the aggregate ledger(), and reprice().
 *
 * No call is multiplied by a price.  A call is counted in a cell, which holds
 * all calls that the same two rates price in one period, and the rates meet the
 * sums once, when the ledger is read.  So the inner loop finds a cell and adds
 * integers.
 *
 *	  stream	the calls of one provider, model, service tier and label; it
 *				knows the cell that took its last call
 *	  cell		a stretch of time within a period, a band of input tokens, and
 *				counts
 *	  pricing	what the book says of a model and service tier in a stretch of
 *				time and a band of input tokens: cells of any period and label
 *				share it
 *
 * A call nearly always goes where the last one of its stream went; else the
 * cells of its stream and period are tried, then a new one is made.  Only where
 * no pricing of its model takes it is the price book asked.  Graduated calls,
 * whose slices have rates of their own, are priced one by one.
 *
 * All of it hangs on the state, not on fn_extra: a distributed engine may call
 * with an empty one each time.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger.h"

#include "common/hashfn.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

SQL_FUNCTION(ledger_add);
SQL_FUNCTION(ledger_reprice);

/* Numbers of tokens that lie between two thresholds. */
typedef struct TokenBand
{
	int64		first;
	int64		last;			/* included */
} TokenBand;

/* How the calls of a model and service tier are priced; by string numbers. */
typedef struct Pricing
{
	/* which calls it takes */
	uint32		provider;
	uint32		service_tier;
	TimestampTz from;
	TimestampTz to;				/* not included */
	TokenBand	band[2];		/* by TierBasis */
	MeterSet	unrated;		/* a call that used one of these needs a look */
	bool		simple;			/* its calls are priced by rates and lack none */
	bool		no_tokens;		/* the tokens of its calls are NULL */
	MeterSet	lacking[N_SIDES];	/* exactly the unrated meters that they
									 * used */

	/* how they are priced */
	LineSide	side[N_SIDES];
	bool		graduated[N_SIDES]; /* each slice has a rate of its own */
	const PricedRates *rates[N_SIDES];	/* NULL: unpriced, or graduated */
	PricedRates own_rates[N_SIDES];
	PriceBand	price[N_SIDES]; /* but for their rows */
	struct Pricing *next;		/* of the same model, whatever the provider */
} Pricing;

/* What few cells need. */
typedef struct CellMore
{
	int64		count[N_METERS];	/* but for common meters */
	int64		fallback_tokens;	/* of graduated calls */
	Money	   *slices[N_SIDES];	/* costs of graduated calls by meter, or
									 * NULL */
} CellMore;

/* Two cache lines: the first decides which calls it takes. */
typedef struct Cell
{
	TimestampTz from;
	TimestampTz to;				/* not included */
	TokenBand	band[2];		/* by TierBasis; that of BASIS_INPUT_TOTAL is
								 * empty where the pricing is not simple */
	MeterSet	unrated;		/* a call that used one of these needs a look */
	MeterSet	reported;
	int64		calls;
	int64		count[N_COMMON_METERS];
	const Pricing *pricing;
	CellMore   *more;			/* NULL: it has only common meters and no
								 * slices */
	struct Cell *next;			/* of the same stream and period */
} Cell;

StaticAssertDecl(sizeof(Cell) == 128, "a cell is two cache lines");

/* The strings of a call; a NULL one has length 0 and a bit in flags. */
typedef struct CallName
{
	const char *provider;
	const char *model;
	const char *service_tier;	/* "standard" where it is NULL */
	const char *label;
	int			provider_len;
	int			model_len;
	int			service_tier_len;
	int			label_len;
	uint32		flags;			/* NAME_... */
} CallName;

#define NAME_NO_PROVIDER 1
#define NAME_NO_MODEL 2
#define NAME_NO_LABEL 4
#define NAME_STANDARD_TIER 8
#define NAME_USUAL (NAME_NO_LABEL | NAME_STANDARD_TIER)

typedef struct Stream
{
	uint32		hash;
	uint32		flags;			/* NAME_... */
	uint32		string[4];		/* provider, model, service tier, label */
} Stream;

/* All of a stream that a call needs on the way to its cell: one cache line. */
typedef struct StreamSlot
{
	NameKey		key;			/* of provider, model and flags, with the
								 * string number of the label */
	Cell	   *cell;			/* took the last call; NULL at first */
} StreamSlot;

StaticAssertDecl(sizeof(StreamSlot) == 64, "a slot is a cache line");

/* The cells of a stream in one period. */
typedef struct CellChain
{
	uint32		stream;
	uint32		hash;
	TimestampTz period;
	Cell	   *cells;			/* the last used first */
} CellChain;

/*
 * Streams and chains lie in the order in which they came, one behind the other;
 * tables of their numbers + 1, 0 being free, find them by hash.
 */
struct Booking
{
	uint32	   *stream_places;
	uint32		n_stream_places;	/* a power of two */
	uint32		n_streams;
	uint32		max_streams;
	StreamSlot *slots;			/* by number of the stream */
	Stream	   *streams;
	uint64		fingerprint;	/* of the book */
	uint32		book_size;
	int			grain_len;
	int			zone_len;
	char		grain[GRAIN_LEN_MAX];	/* as the calls name them */
	char		zone[TZ_STRLEN_MAX];
	MemoryContext mcxt;			/* of everything here but names' own */
	NameCache	names;
	Pricing   **pricings;		/* by string number of the model; the last
								 * used first */
	uint32		max_pricings;
	Cell	   *free_cells;		/* a block of them, not used yet */
	uint32		n_free_cells;
	void	   *slots_memory;	/* of slots */
	CellChain  *chains;
	uint32		n_chains;
	uint32		max_chains;
	uint32	   *chain_places;	/* by stream and period */
	uint32		n_chain_places;
	Period	   *periods;		/* ascending: those that were met */
	uint32		n_periods;
	uint32		max_periods;
};

/*
 * Memory that begins with a cache line.  It lives as long as the booking;
 * *memory is what can be freed before.
 */
static void *
alloc_lines(Booking *booking, Size size, int flags, void **memory)
{
	*memory = MemoryContextAllocExtended(booking->mcxt, size + PG_CACHE_LINE_SIZE,
										 MCXT_ALLOC_HUGE | flags);
	return (void *) TYPEALIGN(PG_CACHE_LINE_SIZE, *memory);
}

/* A book without prices: what a NULL one stands for. */
static const PriceBook *
no_book(MemoryContext mcxt)
{
	PriceBook  *book = MemoryContextAllocZero(mcxt, sizeof(PriceBook) + sizeof(uint32));

	SET_VARSIZE(book, sizeof(PriceBook) + sizeof(uint32));
	book->n_buckets = 1;
	book->buckets = sizeof(PriceBook);
	return book;
}

/*
 * Tables
 */

/*
 * The words by which the streams are told apart at once: those of provider and
 * model, and the flags where lengths have bits to spare.
 */
static pg_attribute_always_inline NameKey
stream_key(const char *provider, int provider_len, const char *model, int model_len, uint32 flags)
{
	NameKey		key = name_key(provider, provider_len, model, model_len);

	key.lengths |= flags << NAME_KEY_FLAGS_SHIFT;
	return key;
}

static pg_attribute_always_inline uint32
stream_hash(const NameKey *key, uint32 flags, const char *service_tier, int service_tier_len,
			const char *label, int label_len)
{
	uint32		hash = name_key_hash(key);

	if (unlikely(!(flags & NAME_STANDARD_TIER)))
		hash = hash_combine(hash, hash_bytes((const unsigned char *) service_tier, service_tier_len));
	if (!(flags & NAME_NO_LABEL))
		hash = hash_combine(hash, hash_bytes((const unsigned char *) label, label_len));
	return hash;
}

/* Makes a table of places larger; it is to be filled anew. */
static uint32 *
grow_places(Booking *booking, uint32 *places, uint32 *n_places)
{
	if (places != NULL)
		pfree(places);
	*n_places = Max(*n_places * 2, 1024);
	return MemoryContextAllocExtended(booking->mcxt, *n_places * sizeof(uint32),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static inline uint32 *
free_place(uint32 *places, uint32 n_places, uint32 hash)
{
	uint32		place = hash & (n_places - 1);

	while (places[place] != 0)
		place = (place + 1) & (n_places - 1);
	return &places[place];
}

static void
grow_streams(Booking *booking)
{
	void	   *old_memory = booking->slots_memory;
	StreamSlot *old = booking->slots;

	booking->max_streams = Max(booking->max_streams * 2, 256);
	booking->slots = alloc_lines(booking, booking->max_streams * sizeof(StreamSlot), 0, &booking->slots_memory);
	if (old != NULL)
	{
		memcpy(booking->slots, old, booking->n_streams * sizeof(StreamSlot));
		pfree(old_memory);
	}
	booking->streams = grow_array(booking->mcxt, booking->streams, booking->max_streams * sizeof(Stream));
	/* three in four stay free: most streams lie at their own places */
	booking->stream_places = grow_places(booking, booking->stream_places, &booking->n_stream_places);
	for (uint32 i = 0; i < booking->n_streams; i++)
		*free_place(booking->stream_places, booking->n_stream_places, booking->streams[i].hash) = i + 1;
}

static Booking *
booking_make(Ledger *ledger)
{
	MemoryContext mcxt = AllocSetContextCreate(ledger->hdr.eoh_context, "booking",
											   ALLOCSET_DEFAULT_SIZES);
	Booking    *booking = MemoryContextAllocZero(mcxt, sizeof(Booking));

	booking->mcxt = mcxt;
	name_cache_init(&booking->names, mcxt);
	grow_streams(booking);
	return booking;
}

static StreamSlot *
add_stream(Ledger *ledger, const CallName *name, const NameKey *key, uint32 hash)
{
	Booking    *booking = ledger->booking;
	Stream	   *stream;
	StreamSlot *slot;

	if (booking->n_streams == booking->max_streams)
		grow_streams(booking);
	stream = &booking->streams[booking->n_streams];
	stream->hash = hash;
	stream->flags = name->flags;
	stream->string[0] = ledger_string(ledger, (name->flags & NAME_NO_PROVIDER) ? NULL : name->provider, name->provider_len);
	stream->string[1] = ledger_string(ledger, (name->flags & NAME_NO_MODEL) ? NULL : name->model, name->model_len);
	stream->string[2] = ledger_string(ledger, name->service_tier, name->service_tier_len);
	stream->string[3] = ledger_string(ledger, (name->flags & NAME_NO_LABEL) ? NULL : name->label, name->label_len);
	slot = &booking->slots[booking->n_streams];
	slot->key = *key;
	slot->cell = NULL;
	slot->key.label = stream->string[3];
	*free_place(booking->stream_places, booking->n_stream_places, hash) = ++booking->n_streams;
	return slot;
}

/* Whether a string of the ledger is this one. */
static pg_attribute_always_inline bool
is_string(const Ledger *ledger, uint32 string, const char *data, int len)
{
	return same_string(ledger->strings[string].data, ledger->strings[string].len, data, len);
}

/* The stream of a call, found by all its strings; it stays until one is added. */
static StreamSlot *
find_stream(Ledger *ledger, const CallName *name)
{
	Booking    *booking = ledger->booking;
	NameKey		key = stream_key(name->provider, name->provider_len, name->model, name->model_len, name->flags);
	uint32		hash = stream_hash(&key, name->flags, name->service_tier, name->service_tier_len,
								   name->label, name->label_len);
	uint32		mask = booking->n_stream_places - 1;

	for (uint32 place = hash & mask; booking->stream_places[place] != 0; place = (place + 1) & mask)
	{
		uint32		number = booking->stream_places[place] - 1;
		const Stream *stream = &booking->streams[number];

		/* a NULL has length 0, and the flags tell it from an empty string */
		if (stream->hash == hash && stream->flags == name->flags &&
			is_string(ledger, stream->string[1], name->model, name->model_len) &&
			is_string(ledger, stream->string[0], name->provider, name->provider_len) &&
			is_string(ledger, stream->string[2], name->service_tier, name->service_tier_len) &&
			is_string(ledger, stream->string[3], name->label, name->label_len))
			return &booking->slots[number];
	}
	return add_stream(ledger, name, &key, hash);
}

/* The period that holds a time, out of those met before where it is one. */
static TimestampTz
booking_period(Ledger *ledger, TimestampTz at, TimestampTz *to)
{
	Booking    *booking = ledger->booking;
	uint32		low = 0;
	uint32		high = booking->n_periods;
	Period		period;

	/* calls nearly always come in the order of time */
	if (high > 0 && booking->periods[high - 1].from <= at)
		low = high;
	/* the last one that begins at or before the time */
	while (low < high)
	{
		uint32		middle = (low + high) / 2;

		if (booking->periods[middle].from <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0 && at < booking->periods[low - 1].to)
		period = booking->periods[low - 1];
	else
	{
		period = period_at(ledger->grain, ledger->zone, at);
		if (booking->n_periods == booking->max_periods)
		{
			booking->max_periods = Max(booking->max_periods * 2, 64);
			booking->periods = grow_array(booking->mcxt, booking->periods, booking->max_periods * sizeof(Period));
		}
		memmove(&booking->periods[low + 1], &booking->periods[low],
				(booking->n_periods - low) * sizeof(Period));
		booking->periods[low] = period;
		booking->n_periods++;
	}
	*to = period.to;
	return period.from;
}

static CellChain *
find_chain(Booking *booking, uint32 stream, TimestampTz period)
{
	uint32		hash = hash_combine(booking->streams[stream].hash,
									murmurhash32((uint32) (period >> 20) ^ (uint32) (period >> 42)));
	CellChain  *chain;

	if (booking->n_chains == booking->max_chains)
	{
		booking->max_chains = Max(booking->max_chains * 2, 512);
		booking->chains = grow_array(booking->mcxt, booking->chains, booking->max_chains * sizeof(CellChain));
		booking->chain_places = grow_places(booking, booking->chain_places, &booking->n_chain_places);
		for (uint32 i = 0; i < booking->n_chains; i++)
			*free_place(booking->chain_places, booking->n_chain_places, booking->chains[i].hash) = i + 1;
	}
	for (uint32 place = hash;; place++)
	{
		uint32		number = booking->chain_places[place & (booking->n_chain_places - 1)];

		if (number == 0)
			break;
		chain = &booking->chains[number - 1];
		if (chain->stream == stream && chain->period == period)
			return chain;
	}
	chain = &booking->chains[booking->n_chains];
	chain->stream = stream;
	chain->hash = hash;
	chain->period = period;
	chain->cells = NULL;
	*free_place(booking->chain_places, booking->n_chain_places, hash) = ++booking->n_chains;
	return chain;
}

/*
 * Cells
 */

/* The meters that a call used and that have no rate in a band. */
static MeterSet
lacking_rates(const PriceBook *book, const PriceBand *band, const Call *call, int64 n_calls)
{
	MeterSet	rest = call->counts->reported & ~band->priced;
	MeterSet	lacking = 0;
	Meter		m;

	if (band->unpriced != PRICED)
		return 0;
	if (band->graduated)
	{
		Money		cost[N_METERS];
		int64		fallback_tokens = 0;

		return price_meters(book, band, call, n_calls, cost, &fallback_tokens);
	}
	FOR_EACH_METER(m, rest)
		if (call->counts->count[m] > 0)
		lacking |= METER_BIT(m);
	return lacking;
}

static inline bool
in_token_band(const TokenBand *band, int64 tokens)
{
	return tokens >= band->first && tokens <= band->last;
}

/* Narrows a band to the thresholds of a price. */
static void
narrow_token_band(TokenBand *band, int64 above, int64 up_to)
{
	/* a base price, too, is for calls without input */
	if (above > 0)
		band->first = Max(band->first, above + 1);
	band->last = Min(band->last, up_to);
}

/* Whether a pricing of the call's model and service tier is that of the call. */
static bool
pricing_takes(const PriceBook *book, const Pricing *pricing, const Call *call, int64 n_calls)
{
	if (call->at < pricing->from || call->at >= pricing->to)
		return false;
	if (call->counts == NULL || pricing->no_tokens)
		return call->counts == NULL && pricing->no_tokens;
	for (int basis = 0; basis < lengthof(pricing->band); basis++)
	{
		const TokenBand *band = &pricing->band[basis];

		/* the tokens of a call without thresholds may be too many to add */
		if ((band->first > 0 || band->last < PG_INT64_MAX) &&
			!in_token_band(band, n_calls > 1 ? 0 : token_counts_sum(call->counts, basis_meters(basis))))
			return false;
	}
	for (int side = 0; side < N_SIDES; side++)
		if (lacking_rates(book, &pricing->price[side], call, n_calls) != pricing->lacking[side])
			return false;
	return true;
}

/* Whether a cell of the call's stream takes the call. */
static bool
cell_takes(const PriceBook *book, const Cell *cell, const Call *call, int64 n_calls)
{
	return call->at >= cell->from && call->at < cell->to &&
		pricing_takes(book, cell->pricing, call, n_calls);
}

/* Asks the book how a call is priced, and which others are priced alike. */
static Pricing *
make_pricing(Ledger *ledger, const PriceBook *book, const Stream *stream, const Call *call, int64 n_calls)
{
	static const TokenCounts nothing = {0};
	Booking    *booking = ledger->booking;
	Pricing    *pricing = MemoryContextAllocZero(booking->mcxt, sizeof(Pricing));
	ModelName  *model = NULL;
	Call		with_tokens = *call;

	if (call->counts == NULL)
		with_tokens.counts = &nothing;
	if (!(stream->flags & (NAME_NO_PROVIDER | NAME_NO_MODEL)))
	{
		const LedgerString *provider = &ledger->strings[stream->string[0]];
		const LedgerString *name = &ledger->strings[stream->string[1]];

		model = name_cache_get(&booking->names, book, provider->data, provider->len, name->data, name->len);
	}
	pricing->provider = stream->string[0];
	pricing->service_tier = stream->string[2];
	pricing->from = DT_NOBEGIN;
	pricing->to = DT_NOEND;
	pricing->simple = true;
	for (int basis = 0; basis < lengthof(pricing->band); basis++)
		pricing->band[basis].last = PG_INT64_MAX;
	for (int s = 0; s < N_SIDES; s++)
	{
		PriceBand  *price = &pricing->price[s];
		LineSide   *side = &pricing->side[s];

		if (s == LIST && book->n_layers <= 1)
		{
			*price = pricing->price[CONTRACTED];
			*side = pricing->side[CONTRACTED];
			pricing->rates[s] = pricing->rates[CONTRACTED];
			pricing->graduated[s] = pricing->graduated[CONTRACTED];
			pricing->lacking[s] = pricing->lacking[CONTRACTED];
			continue;
		}
		price_band(book, model, &with_tokens, n_calls, s == LIST, price);
		pricing->from = Max(pricing->from, price->from);
		pricing->to = Min(pricing->to, price->to);

		side->unpriced = price->unpriced;
		if (call->counts == NULL)
		{
			/* what it would be priced by is not known, nor is it needed */
			pricing->no_tokens = true;
			pricing->simple = false;
			side->unpriced = NO_TOKENS_REPORTED;
			side->above = -1;
			side->up_to = PG_INT64_MAX;
			continue;
		}
		side->above = price->above;
		side->up_to = price->up_to;
		side->basis = price->basis;
		side->off_peak = price->off_peak;
		side->windows = price->windows;
		if (price->graduated)
			side->flags |= SIDE_GRADUATED;

		narrow_token_band(&pricing->band[price->basis], price->above, price->up_to);
		if (price->graduated)
			pricing->simple = false;
		if (price->unpriced != PRICED)
			continue;
		pricing->unrated |= ALL_METERS & ~price->priced;
		side->lacking = pricing->lacking[s] = lacking_rates(book, price, call, n_calls);
		if (side->lacking != 0)
		{
			pricing->simple = false;
			side->unpriced = NO_RATE_FOR_METER;
			continue;
		}
		side->currency = price->row->rates.currency;
		pricing->graduated[s] = price->graduated;
		if (!price->graduated)
		{
			pricing->own_rates[s] = price->row->rates;
			pricing->rates[s] = &pricing->own_rates[s];
		}
	}
	return pricing;
}

/* How a call is priced. */
static const Pricing *
find_pricing(Ledger *ledger, const PriceBook *book, const Stream *stream, const Call *call, int64 n_calls)
{
	Booking    *booking = ledger->booking;
	Pricing   **first;
	Pricing   **link;
	Pricing    *pricing;

	if (stream->string[1] >= booking->max_pricings)
	{
		uint32		old = booking->max_pricings;

		booking->max_pricings = Max(ledger->max_strings, stream->string[1] + 1);
		booking->pricings = grow_array(booking->mcxt, booking->pricings, booking->max_pricings * sizeof(Pricing *));
		memset(booking->pricings + old, 0, (booking->max_pricings - old) * sizeof(Pricing *));
	}
	first = &booking->pricings[stream->string[1]];
	for (link = first; (pricing = *link) != NULL; link = &pricing->next)
		if (pricing->provider == stream->string[0] && pricing->service_tier == stream->string[2] &&
			pricing_takes(book, pricing, call, n_calls))
			break;
	if (pricing == NULL)
		pricing = make_pricing(ledger, book, stream, call, n_calls);
	else
		*link = pricing->next;
	pricing->next = *first;
	*first = pricing;
	return pricing;
}

static CellMore *
cell_more(Booking *booking, Cell *cell)
{
	if (cell->more == NULL)
		cell->more = MemoryContextAllocZero(booking->mcxt, sizeof(CellMore));
	return cell->more;
}

#define CELLS_IN_BLOCK 64

/* Makes the cell that takes a call. */
static Cell *
make_cell(Ledger *ledger, const PriceBook *book, const Stream *stream, CellChain *chain,
		  TimestampTz period_to, const Call *call, int64 n_calls)
{
	Booking    *booking = ledger->booking;
	const Pricing *pricing = find_pricing(ledger, book, stream, call, n_calls);
	void	   *memory;
	Cell	   *cell;

	if (booking->n_free_cells == 0)
	{
		booking->free_cells = alloc_lines(booking, CELLS_IN_BLOCK * sizeof(Cell), MCXT_ALLOC_ZERO, &memory);
		booking->n_free_cells = CELLS_IN_BLOCK;
	}
	cell = booking->free_cells++;
	booking->n_free_cells--;
	cell->from = Max(chain->period, pricing->from);
	cell->to = Min(period_to, pricing->to);
	memcpy(cell->band, pricing->band, sizeof(cell->band));
	cell->unrated = pricing->unrated;
	if (!pricing->simple)
		cell->band[BASIS_INPUT_TOTAL].last = -1;	/* no call lies in it */
	cell->pricing = pricing;
	for (int s = 0; s < N_SIDES; s++)
		if (pricing->graduated[s])
			cell_more(booking, cell)->slices[s] =
				s == LIST && book->n_layers <= 1 ? cell->more->slices[CONTRACTED] :
				MemoryContextAllocZero(booking->mcxt, N_METERS * sizeof(Money));
	cell->next = chain->cells;
	chain->cells = cell;
	return cell;
}

/* The cell for a call that the last one of its stream does not take. */
static pg_noinline Cell *
find_cell(Ledger *ledger, const PriceBook *book, uint32 stream, const Call *call, int64 n_calls)
{
	TimestampTz to;
	TimestampTz from = booking_period(ledger, call->at, &to);
	CellChain  *chain = find_chain(ledger->booking, stream, from);
	Cell	  **link = &chain->cells;
	Cell	   *cell;

	while ((cell = *link) != NULL && !cell_takes(book, cell, call, n_calls))
		link = &cell->next;
	if (cell == NULL)
		return make_cell(ledger, book, &ledger->booking->streams[stream], chain, to, call, n_calls);
	*link = cell->next;
	cell->next = chain->cells;
	chain->cells = cell;
	return cell;
}

/* Prices the slices of a graduated call and adds their costs to its cell. */
static pg_noinline void
add_slices(const PriceBook *book, Cell *cell, const Call *call, int64 n_calls)
{
	CellMore   *more = cell->more;

	for (int s = 0; s < N_SIDES; s++)
	{
		Money		cost[N_METERS];
		int64		fallback_tokens = 0;

		if (more->slices[s] == NULL || (s == LIST && more->slices[s] == more->slices[CONTRACTED]))
			continue;
		(void) price_meters(book, &cell->pricing->price[s], call, n_calls, cost, &fallback_tokens);
		for (int m = 0; m < N_METERS; m++)
			more->slices[s][m] = money_add(more->slices[s][m], cost[m]);
		if (s == CONTRACTED &&
			pg_add_s64_overflow(more->fallback_tokens, fallback_tokens, &more->fallback_tokens))
			fallback_tokens_out_of_range();
	}
}

/*
 * Adds a call's common meters to a cell.  Counts are zero or more, so that a
 * sum out of range shows in its sign; all are looked at together.
 */
static pg_attribute_always_inline void
cell_add_common(Cell *cell, MeterSet reported, const int64 count[N_COMMON_METERS], int64 n_calls)
{
	uint64		signs;
	Meter		m;

	cell->reported |= reported;
	cell->calls = (int64) ((uint64) cell->calls + (uint64) n_calls);
	signs = (uint64) cell->calls;
	FOR_EACH_COMMON_METER(m)
	{
		cell->count[m] = (int64) ((uint64) cell->count[m] + (uint64) count[m]);
		signs |= (uint64) cell->count[m];
	}
	if (unlikely((int64) signs < 0))
		counts_out_of_range();
}

static void
cell_add(Booking *booking, Cell *cell, const TokenCounts *counts, int64 n_calls)
{
	MeterSet	rest = counts->reported & ~COMMON_METERS;
	Meter		m;

	cell_add_common(cell, counts->reported, counts->count, n_calls);
	FOR_EACH_METER(m, rest)
	{
		int64	   *count = &cell_more(booking, cell)->count[m];

		if (pg_add_s64_overflow(*count, counts->count[m], count))
			counts_out_of_range();
	}
}

/*
 * What was counted, as lines
 */

/* What a cell has taken, priced, as a line. */
static void
cell_line(const Booking *booking, const Cell *cell, const CellChain *chain, LedgerLine *line)
{
	const Pricing *pricing = cell->pricing;
	const PricedRates *contracted = pricing->rates[CONTRACTED];
	MeterSet	rest = cell->reported;
	Meter		m;

	memset(line, 0, sizeof(LedgerLine));
	line->key.period = chain->period;
	line->key.provider = booking->streams[chain->stream].string[0];
	line->key.model = booking->streams[chain->stream].string[1];
	line->key.service_tier = booking->streams[chain->stream].string[2];
	line->key.label = booking->streams[chain->stream].string[3];
	memcpy(line->key.side, pricing->side, sizeof(line->key.side));
	line->calls = cell->calls;
	line->tokens.reported = cell->reported;
	if (cell->more != NULL)
		line->fallback_tokens = cell->more->fallback_tokens;
	FOR_EACH_METER(m, rest)
	{
		int64		count = m < N_COMMON_METERS ? cell->count[m] : cell->more->count[m];

		line->tokens.count[m] = count;
		for (int s = 0; s < N_SIDES; s++)
			if (pricing->graduated[s])
				line->cost[s][m] = cell->more->slices[s][m];
			else if (pricing->rates[s] != NULL)
				line->cost[s][m] = (Money) pricing->rates[s]->rate[m] * count;
		if (contracted != NULL && (contracted->priced & ~contracted->named & METER_BIT(m)) &&
			pg_add_s64_overflow(line->fallback_tokens, count, &line->fallback_tokens))
			fallback_tokens_out_of_range();
	}
}

/* Puts what was counted into the lines, priced. */
void
booking_flush(Ledger *ledger)
{
	Booking    *booking = ledger->booking;

	if (booking == NULL)
		return;
	for (uint32 i = 0; i < booking->n_chains; i++)
		for (Cell *cell = booking->chains[i].cells; cell != NULL; cell = cell->next)
		{
			CellMore   *more = cell->more;
			LedgerLine	line;

			if (cell->calls == 0)
				continue;
			cell_line(booking, cell, &booking->chains[i], &line);
			ledger_line_add(ledger_line(ledger, &line.key), &line);

			cell->calls = 0;
			cell->reported = 0;
			memset(cell->count, 0, sizeof(cell->count));
			if (more == NULL)
				continue;
			memset(more->count, 0, sizeof(more->count));
			more->fallback_tokens = 0;
			for (int s = 0; s < N_SIDES; s++)
				if (more->slices[s] != NULL)
					memset(more->slices[s], 0, N_METERS * sizeof(Money));
		}
}

/*
 * Begins to read what was counted as lines in their order, which are not made
 * lines of the ledger; false where the ledger has some already.
 */
bool
booked_lines_begin(BookedLines *booked, const Ledger *ledger)
{
	Booking    *booking = ledger->booking;

	if (booking == NULL || ledger->n_lines > 0 || ledger->n_strings > MAX_ORDERED_STRINGS)
		return false;
	memset(booked, 0, sizeof(BookedLines));
	booked->ledger = ledger;
	booked->ranks = palloc0(ledger->n_strings * sizeof(uint32));
	for (uint32 i = 0; i < booking->n_streams; i++)
		for (int s = 0; s < lengthof(booking->streams[i].string); s++)
			booked->ranks[booking->streams[i].string[s]] = 1;
	ledger_rank_strings(ledger, booked->ranks);

	booked->order = palloc_extended((booking->n_chains + 1) * sizeof(LineOrder), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < booking->n_chains; i++)
	{
		LineOrder  *order = &booked->order[i];

		order->period = booking->chains[i].period;
		order->names = ledger_names(booked->ranks, booking->streams[booking->chains[i].stream].string);
		order->number = i;
	}
	booked->n_chains = booking->n_chains;
	ledger_order(booked->order, booked->n_chains, NULL, NULL);
	return true;
}

/* The next line, until the one after it is asked for; NULL: no more. */
const LedgerLine *
booked_lines_next(BookedLines *booked)
{
	const Booking *booking = booked->ledger->booking;
	const CellChain *chain;
	uint32		n_cells = 0;

	if (booked->next_line < booked->n_lines)
		return &booked->lines[booked->next_line++];
	if (booked->next_chain == booked->n_chains)
		return NULL;
	chain = &booking->chains[booked->order[booked->next_chain++].number];
	for (const Cell *cell = chain->cells; cell != NULL; cell = cell->next)
		n_cells++;
	if (n_cells > booked->max_lines)
	{
		if (booked->lines != NULL)
			pfree(booked->lines);
		booked->max_lines = Max(Max(n_cells, booked->max_lines * 2), 16);
		booked->lines = palloc_extended(booked->max_lines * sizeof(LedgerLine), MCXT_ALLOC_HUGE);
	}
	booked->n_lines = 0;
	for (const Cell *cell = chain->cells; cell != NULL; cell = cell->next)
	{
		LedgerLine *line = &booked->lines[booked->n_lines];
		uint32		same = 0;

		cell_line(booking, cell, chain, line);
		while (memcmp(&booked->lines[same].key, &line->key, sizeof(LineKey)) != 0)
			same++;
		if (same < booked->n_lines)
			ledger_line_add(&booked->lines[same], line);
		else
			booked->n_lines++;
	}
	if (booked->n_lines > 1)
		qsort_arg(booked->lines, booked->n_lines, sizeof(LedgerLine), ledger_compare_lines, booked->ranks);
	booked->next_line = 1;
	return booked->lines;
}

/*
 * The aggregate
 */

enum
{
	ARG_STATE, ARG_BOOK, ARG_GRAIN, ARG_ZONE, ARG_AT, ARG_PROVIDER, ARG_MODEL,
	ARG_SERVICE_TIER, ARG_TOKENS, ARG_LABEL, ARG_CALLS
};

static text *
needed_text(FunctionCallInfo fcinfo, int argno, const char *what)
{
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the %s of a ledger must not be null", what)));
	return (text *) packed(PG_GETARG_POINTER(argno));
}

/* Starts to book calls by a book: the first one, or another than before. */
static pg_noinline void
booking_begin(FunctionCallInfo fcinfo, Ledger **ledger, MemoryContext aggcontext, const PriceBook *book)
{
	text	   *grain = needed_text(fcinfo, ARG_GRAIN, "grain");
	text	   *zone = needed_text(fcinfo, ARG_ZONE, "time zone");
	Booking    *booking;

	if (*ledger == NULL)
		*ledger = ledger_make(aggcontext,
							  grain_by_name_or_error(VARDATA_ANY(grain), VARSIZE_ANY_EXHDR(grain)),
							  VARDATA_ANY(zone), VARSIZE_ANY_EXHDR(zone));
	else
	{
		booking_flush(*ledger);
		if ((*ledger)->grain == GRAIN_QUARTER_HOUR)
			(void) zone_by_name_or_error(VARDATA_ANY(zone), VARSIZE_ANY_EXHDR(zone));
		if (!same_string(grain_name[(*ledger)->grain], strlen(grain_name[(*ledger)->grain]),
						 VARDATA_ANY(grain), VARSIZE_ANY_EXHDR(grain)) ||
			((*ledger)->grain != GRAIN_QUARTER_HOUR &&
			 !same_string((*ledger)->zone_name, (*ledger)->zone_len, VARDATA_ANY(zone), VARSIZE_ANY_EXHDR(zone))))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a ledger has one grain and one time zone"),
					 errdetail("It is by %s in \"%s\"; a call asks for %s in \"%s\".",
							   grain_name[(*ledger)->grain], (*ledger)->zone_name,
							   text_to_cstring(grain), text_to_cstring(zone))));
		if ((*ledger)->booking != NULL)
			MemoryContextDelete((*ledger)->booking->mcxt);
	}
	(*ledger)->booking = NULL;
	booking = booking_make(*ledger);
	booking->grain_len = VARSIZE_ANY_EXHDR(grain);
	booking->zone_len = VARSIZE_ANY_EXHDR(zone);
	memcpy(booking->grain, VARDATA_ANY(grain), booking->grain_len);
	memcpy(booking->zone, VARDATA_ANY(zone), booking->zone_len);
	booking->fingerprint = book->fingerprint;
	booking->book_size = VARSIZE(book);
	(*ledger)->booking = booking;
}

/* Takes a text argument; false where it is NULL. */
static bool
text_argument(FunctionCallInfo fcinfo, int argno, const char **data, int *len)
{
	Bytes		bytes;

	if (PG_ARGISNULL(argno))
	{
		*data = "";
		*len = 0;
		return false;
	}
	bytes = packed_bytes(PG_GETARG_DATUM(argno));
	*data = bytes.data;
	*len = bytes.len;
	return true;
}

/* Whether calls are being booked by this book, grain and time zone. */
static pg_attribute_always_inline bool
booking_goes_on(FunctionCallInfo fcinfo, const Booking *booking, const PriceBook *book)
{
	Bytes		grain = packed_bytes(PG_GETARG_DATUM(ARG_GRAIN));
	Bytes		zone = packed_bytes(PG_GETARG_DATUM(ARG_ZONE));

	return booking->fingerprint == book->fingerprint && booking->book_size == VARSIZE(book) &&
		same_string(booking->grain, booking->grain_len, grain.data, grain.len) &&
		same_string(booking->zone, booking->zone_len, zone.data, zone.len);
}

/* The cell of a call of a stream, to be added to; the slices of the call are. */
static Cell *
call_cell(Ledger *ledger, const PriceBook *book, StreamSlot *slot, const Call *call, int64 n_calls)
{
	if (slot->cell == NULL || !cell_takes(book, slot->cell, call, n_calls))
		slot->cell = find_cell(ledger, book, slot - ledger->booking->slots, call, n_calls);
	if (slot->cell->pricing->graduated[CONTRACTED] || slot->cell->pricing->graduated[LIST])
		add_slices(book, slot->cell, call, n_calls);
	return slot->cell;
}

/* The cell of a usual call, which is not that of the last one of its stream. */
static pg_noinline Cell *
usual_cell(Ledger *ledger, const PriceBook *book, StreamSlot *slot, TimestampTz at,
		   MeterSet reported, const int64 count[N_COMMON_METERS])
{
	TokenCounts counts = {0};
	Call		call = {at, &counts, "standard", strlen("standard")};

	counts.reported = reported;
	memcpy(counts.count, count, N_COMMON_METERS * sizeof(int64));
	return call_cell(ledger, book, slot, &call, 1);
}

/*
 * Books a call of the usual kind, and false where it is another: one of common
 * meters and of the standard tier, whose stream has had a call before.
 */
static pg_attribute_always_inline bool
book_usual_call(FunctionCallInfo fcinfo, Ledger *ledger)
{
	Booking    *booking = ledger->booking;
	const PriceBook *book;
	Bytes		provider,
				model;
	Bytes		label = {"", 0};
	uint32		flags = NAME_USUAL;
	NameKey		key;
	uint32		place;
	StreamSlot *slot;
	Cell	   *cell;
	TimestampTz at;
	MeterSet	reported;
	int64		count[N_COMMON_METERS];
	uint64		uncached,
				input;

	/* one test for all */
	if (booking == NULL || (PG_ARGISNULL(ARG_BOOK) | PG_ARGISNULL(ARG_GRAIN) | PG_ARGISNULL(ARG_ZONE) |
							PG_ARGISNULL(ARG_AT) | PG_ARGISNULL(ARG_PROVIDER) | PG_ARGISNULL(ARG_MODEL) |
							PG_ARGISNULL(ARG_TOKENS)))
		return false;
	if (PG_NARGS() > ARG_LABEL && !PG_ARGISNULL(ARG_LABEL))
	{
		label = packed_bytes(PG_GETARG_DATUM(ARG_LABEL));
		flags = NAME_STANDARD_TIER;
	}
	if (PG_NARGS() > ARG_CALLS && !PG_ARGISNULL(ARG_CALLS) && PG_GETARG_INT64(ARG_CALLS) != 1)
		return false;
	if (!PG_ARGISNULL(ARG_SERVICE_TIER))
	{
		Bytes		tier = packed_bytes(PG_GETARG_DATUM(ARG_SERVICE_TIER));

		if (!same_string(tier.data, tier.len, "standard", strlen("standard")))
			return false;
	}
	book = price_book_arg(fcinfo, ARG_BOOK, NULL);
	if (!booking_goes_on(fcinfo, booking, book))
		return false;

	provider = packed_bytes(PG_GETARG_DATUM(ARG_PROVIDER));
	model = packed_bytes(PG_GETARG_DATUM(ARG_MODEL));
	key = stream_key(provider.data, provider.len, model.data, model.len, flags);
	place = stream_hash(&key, flags, NULL, 0, label.data, label.len);
	for (;; place++)
	{
		uint32		number = booking->stream_places[place & (booking->n_stream_places - 1)];

		if (number == 0)
			return false;
		slot = &booking->slots[number - 1];
		if (likely(name_keys_equal(&slot->key, &key)) &&
			(likely(!(key.lengths & NAME_KEY_LONG)) ||
			 (is_string(ledger, booking->streams[number - 1].string[0], provider.data, provider.len) &&
			  is_string(ledger, booking->streams[number - 1].string[1], model.data, model.len))) &&
			(flags == NAME_USUAL || is_string(ledger, slot->key.label, label.data, label.len)))
			break;
	}
	if (slot->cell == NULL)
		return false;
	if (!common_counts_read(PG_GETARG_DATUM(ARG_TOKENS), &reported, count))
		return false;

	cell = slot->cell;
	at = PG_GETARG_TIMESTAMPTZ(ARG_AT);
	uncached = count[METER_INPUT];
	input = uncached + count[METER_CACHE_READ] + count[METER_CACHE_WRITE];
	if ((reported & cell->unrated) != 0 || at < cell->from || at >= cell->to ||
	/* each below 2^61: the sum is right */
		((count[METER_INPUT] | count[METER_CACHE_READ] | count[METER_CACHE_WRITE]) >> 61) != 0 ||
		!in_token_band(&cell->band[BASIS_INPUT_TOTAL], input) ||
		!in_token_band(&cell->band[BASIS_UNCACHED], uncached))
	{
		int64		copy[N_COMMON_METERS];	/* so that count stays in
											 * registers */
		Meter		m;

		FOR_EACH_COMMON_METER(m)
			copy[m] = count[m];
		cell = usual_cell(ledger, book, slot, at, reported, copy);
	}
	cell_add_common(cell, reported, count, 1);
	return true;
}

/* Books a call of any kind. */
static pg_noinline Ledger *
book_call(FunctionCallInfo fcinfo, Ledger *ledger, MemoryContext aggcontext)
{
	const PriceBook *book;
	CallName	name;
	TokenCounts counts = {0};
	Call		call;
	Cell	   *cell;
	int64		n_calls = 1;

	if (PG_ARGISNULL(ARG_BOOK))
		book = no_book(CurrentMemoryContext);
	else
		book = price_book_arg(fcinfo, ARG_BOOK, NULL);
	if (PG_ARGISNULL(ARG_AT))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the time of a call must not be null")));
	if (PG_NARGS() > ARG_CALLS && !PG_ARGISNULL(ARG_CALLS))
	{
		n_calls = PG_GETARG_INT64(ARG_CALLS);
		if (n_calls < 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the number of calls must be 1 or more, not " INT64_FORMAT, n_calls)));
	}
	(void) needed_text(fcinfo, ARG_GRAIN, "grain");
	(void) needed_text(fcinfo, ARG_ZONE, "time zone");
	if (ledger == NULL || ledger->booking == NULL || !booking_goes_on(fcinfo, ledger->booking, book))
		booking_begin(fcinfo, &ledger, aggcontext, book);

	name.flags = 0;
	if (!text_argument(fcinfo, ARG_PROVIDER, &name.provider, &name.provider_len))
		name.flags |= NAME_NO_PROVIDER;
	if (!text_argument(fcinfo, ARG_MODEL, &name.model, &name.model_len))
		name.flags |= NAME_NO_MODEL;
	if (!text_argument(fcinfo, ARG_SERVICE_TIER, &name.service_tier, &name.service_tier_len) ||
		same_string(name.service_tier, name.service_tier_len, "standard", strlen("standard")))
	{
		name.service_tier = "standard";
		name.service_tier_len = strlen("standard");
		name.flags |= NAME_STANDARD_TIER;
	}
	if (PG_NARGS() <= ARG_LABEL || !text_argument(fcinfo, ARG_LABEL, &name.label, &name.label_len))
	{
		name.label = "";
		name.label_len = 0;
		name.flags |= NAME_NO_LABEL;
	}

	call.at = PG_GETARG_TIMESTAMPTZ(ARG_AT);
	call.counts = NULL;
	call.service_tier = name.service_tier;
	call.service_tier_len = name.service_tier_len;
	if (!PG_ARGISNULL(ARG_TOKENS))
	{
		token_counts_read(PG_GETARG_DATUM(ARG_TOKENS), &counts);
		call.counts = &counts;
	}
	cell = call_cell(ledger, book, find_stream(ledger, &name), &call, n_calls);
	cell_add(ledger->booking, cell, &counts, n_calls);
	return ledger;
}

/*
 * Transition function of ledger(): (state, book, grain, zone, at, provider,
 * model, service_tier, tokens [, label [, calls]])
 */
Datum
ledger_add(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext;
	Ledger	   *ledger = ledger_state(fcinfo, "ledger_add", &aggcontext);

	if (unlikely(ledger == NULL || !book_usual_call(fcinfo, ledger)))
		ledger = book_call(fcinfo, ledger, aggcontext);
	if (unlikely(ledger->flat != NULL))
		ledger_drop_flat(ledger);
	return EOHPGetRWDatum(&ledger->hdr);
}

/*
 * reprice(ledger, book, approximate)
 *
 * A line's calls lie in one period, and between the thresholds and inside or
 * outside the off-peak windows that priced them.  Another book prices them
 * exactly where for all such calls it has one row that applies: its price does
 * not change within the period, a band of its thresholds holds all of the
 * line's, and its windows are the same or hold all of the period or nothing of
 * it.  Else it is an error, or, where asked for, a guess that is marked.
 */

/*
 * What two sides of a line tell of its calls: the tightest band of a basis.  A
 * side that was guessed tells nothing.
 */
static TokenBand
known_band(const LedgerLine *line, TierBasis basis)
{
	TokenBand	known = {0, PG_INT64_MAX};

	for (int s = 0; s < N_SIDES; s++)
		if (line->key.side[s].basis == basis && !(line->key.side[s].flags & SIDE_APPROXIMATE))
			narrow_token_band(&known, line->key.side[s].above, line->key.side[s].up_to);
	return known;
}

/*
 * The price of a line's calls by a book; false where it is a guess.
 */
static bool
price_line(const Ledger *ledger, const PriceBook *book, ModelName *model, const LedgerLine *line,
		   bool list_only, PriceBand *price)
{
	const LedgerString *tier = &ledger->strings[line->key.service_tier];
	TimestampTz end = line_period_end(ledger, line);
	TokenCounts counts = {0};
	Call		call;
	bool		exact = true;
	bool		windows_known = false;

	call.at = line->key.period;
	call.counts = &counts;
	call.service_tier = tier->data;
	call.service_tier_len = tier->len;

	/*
	 * A call that is as small as the line's calls may be, by the thresholds
	 * that priced them.
	 */
	for (int basis = BASIS_INPUT_TOTAL; basis <= BASIS_UNCACHED; basis++)
	{
		TokenBand	known = known_band(line, basis);

		counts.count[METER_INPUT] = Max(counts.count[METER_INPUT], known.first);
	}
	counts.reported = METER_BIT(METER_INPUT);
	price_band(book, model, &call, 1, list_only, price);

	/* off-peak: find a time in the period that lies as the calls did */
	for (int s = 0; s < N_SIDES && price->windows != 0 && !windows_known; s++)
	{
		const LineSide *side = &line->key.side[s];
		PriceBand	other = *price;

		if (side->windows == 0 || (side->flags & SIDE_APPROXIMATE))
			continue;
		while (!windows_known)
		{
			windows_known = other.windows == side->windows && other.off_peak == side->off_peak;
			if (windows_known)
				*price = other;
			else if (other.to >= end)
				break;
			else
			{
				CHECK_FOR_INTERRUPTS();
				call.at = other.to;
				price_band(book, model, &call, 1, list_only, &other);
			}
		}
	}
	/* the price itself must hold for all of the period */
	if (windows_known && !price->windows_differ)
		exact = price->valid_from <= line->key.period && price->valid_to >= end;
	else
		exact = price->from <= line->key.period && price->to >= end;

	if (price->unpriced == UNKNOWN_MODEL || price->unpriced == NO_SERVICE_TIER || price->unpriced == NO_PRICE_AT_TIME)
		return exact;
	if (price->above > 0 || price->up_to < PG_INT64_MAX)
	{
		TokenBand	known = known_band(line, price->basis);

		exact &= price->up_to >= known.last && (price->above <= 0 || known.first > price->above);
	}
	return exact && !price->graduated;
}

/* Prices the sums of a line by a book. */
static void
reprice_line(Ledger *into, const Ledger *from, const PriceBook *book, NameCache *names,
			 const LedgerLine *line, bool approximate)
{
	const LedgerString *provider = &from->strings[line->key.provider];
	const LedgerString *model = &from->strings[line->key.model];
	ModelName  *name = NULL;
	LedgerLine	new = *line;

	if (line->key.provider != 0 && line->key.model != 0)
		name = name_cache_get(names, book, provider->data, provider->len, model->data, model->len);
	new.key = ledger_key(into, from, &line->key);
	new.fallback_tokens = 0;
	memset(new.cost, 0, sizeof(new.cost));
	for (int s = 0; s < N_SIDES; s++)
	{
		LineSide   *side = &new.key.side[s];
		PriceBand	price;
		bool		exact;
		MeterSet	rest = line->tokens.reported;
		Meter		m;

		if (line->key.side[s].unpriced == NO_TOKENS_REPORTED)
			continue;
		exact = price_line(from, book, name, line, s == LIST, &price);
		memset(side, 0, sizeof(LineSide));
		side->unpriced = price.unpriced;
		side->above = price.above;
		side->up_to = price.up_to;
		side->basis = price.basis;
		side->off_peak = price.off_peak;
		side->windows = price.windows;
		if (price.unpriced == PRICED)
		{
			MeterSet	known = 0;

			for (int old = 0; old < N_SIDES; old++)
				if (!(line->key.side[old].flags & SIDE_APPROXIMATE))
					known |= line->key.side[old].lacking;
			rest &= ~price.priced;
			FOR_EACH_METER(m, rest)
				if (line->tokens.count[m] > 0)
				side->lacking |= METER_BIT(m);
			if (side->lacking != 0)
			{
				side->unpriced = NO_RATE_FOR_METER;

				/*
				 * Some calls of the line used such a meter.  That all did is
				 * known of those for which the old book lacked a rate.
				 */
				if (side->lacking & known)
					side->lacking &= known;
				else if (line->calls > 1)
					exact = false;
			}
		}
		if (side->unpriced == PRICED)
		{
			side->currency = price.row->rates.currency;
			rest = line->tokens.reported;
			FOR_EACH_METER(m, rest)
			{
				new.cost[s][m] = (Money) price.row->rates.rate[m] * line->tokens.count[m];
				if (s == CONTRACTED && (price.row->rates.priced & ~price.row->rates.named & METER_BIT(m)) &&
					pg_add_s64_overflow(new.fallback_tokens, line->tokens.count[m], &new.fallback_tokens))
					fallback_tokens_out_of_range();
			}
		}
		if (!exact && !approximate)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("this ledger cannot be priced exactly by that book"),
					 errdetail("Provider \"%s\", model \"%s\", %s from %s: the book has several prices for its calls.",
							   provider->data ? pnstrdup(provider->data, provider->len) : "",
							   model->data ? pnstrdup(model->data, model->len) : "",
							   grain_name[from->grain], timestamptz_to_str(line->key.period)),
					 errhint("Price the calls themselves, or a ledger of a finer grain, or allow guesses with reprice(ledger, book, true).")));
		if (!exact)
			side->flags |= SIDE_APPROXIMATE;
	}
	ledger_line_add(ledger_line(into, &new.key), &new);
}

Datum
ledger_reprice(PG_FUNCTION_ARGS)
{
	Ledger	   *from = ledger_arg(fcinfo, 0);
	const PriceBook *book = price_book_arg(fcinfo, 1, NULL);
	bool		approximate = PG_NARGS() > 2 && PG_GETARG_BOOL(2);
	Ledger	   *into = ledger_make(CurrentMemoryContext, from->grain, from->zone_name, from->zone_len);
	NameCache	names;
	uint32	   *ranks;
	uint32	   *sorted = ledger_sorted(from, &ranks);	/* an error names the
														 * first */

	name_cache_init(&names, CurrentMemoryContext);
	for (uint32 i = 0; i < from->n_lines; i++)
	{
		CHECK_FOR_INTERRUPTS();
		reprice_line(into, from, book, &names, &from->lines[sorted[i]], approximate);
	}
	return EOHPGetRWDatum(&into->hdr);
}
