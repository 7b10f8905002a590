/*-------------------------------------------------------------------------
 *
 * price_book.h
 *	  Every rate in force, as one value that is searched where it lies.
 *
 * A price_book is a tree of arrays behind a header, all offsets relative to
 * its first byte:
 *
 *	  layers		the books it was made of, the one that wins first
 *	  models		of a layer, named by provider and model
 *	  tiers			the service tiers of a model
 *	  segments		of a tier: stretches of time in which the same rows hold
 *	  row numbers	of a segment: base rows, then rows of off-peak windows, each
 *					by ascending threshold
 *	  rows			rates with everything that decides whether they apply
 *	  windows		of a row: stretches of minutes of the week
 *	  aliases		other names of models, in the order they are tried
 *	  buckets		a hash table over provider and model
 *	  strings
 *
 * Only price_book.c makes one, out of rows that it has checked, so that who
 * searches it need not check again.  Its outside forms, text and binary, are
 * the rows; a value read from them is made anew.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_PRICE_BOOK_H
#define TOKENOMICS_PRICE_BOOK_H

#include "rates.h"
#include "utils/timestamp.h"

typedef enum TierBasis
{
	BASIS_INPUT_TOTAL,			/* all input, cached ones and writes included */
	BASIS_UNCACHED				/* input that neither was read from nor
								 * written to a cache */
} TierBasis;

typedef enum TierMode
{
	MODE_WHOLE,					/* the highest threshold exceeded prices the
								 * whole call */
	MODE_GRADUATED				/* each slice is priced at its own rate */
} TierMode;

extern const char *const tier_basis_name[];
extern const char *const tier_mode_name[];

/* A string in the book; not terminated. */
typedef struct BookString
{
	uint32		offset;
	uint32		len;
} BookString;

typedef struct BookLayer
{
	BookString	name;
	uint32		first_model;
	uint32		n_models;
} BookLayer;

typedef struct BookModel
{
	BookString	provider;
	BookString	model;
	uint32		hash;
	uint32		layer;
	uint32		first_tier;
	uint32		n_tiers;
} BookModel;

typedef struct BookTier
{
	BookString	service_tier;
	uint32		first_segment;
	uint32		n_segments;
} BookTier;

typedef struct BookSegment
{
	TimestampTz from;
	TimestampTz to;				/* not included */
	uint32		first_row;		/* in the row numbers */
	uint16		n_base;
	uint16		n_off_peak;
} BookSegment;

typedef struct BookRow
{
	PricedRates rates;
	TimestampTz from;
	TimestampTz to;				/* not included */
	int64		above;			/* the threshold: more input tokens than this */
	uint32		model;
	uint32		tier;
	uint32		first_window;
	uint32		n_windows;		/* 0: a base row */
	BookString	zone;			/* of the windows */
	BookString	source;
	uint8		basis;			/* TierBasis */
	uint8		mode;			/* TierMode */
	uint8		reserved[6];	/* zero */
} BookRow;

/* Minutes of the week, Monday 00:00 being 0; "to" is not included. */
typedef struct BookWindow
{
	int32		from;
	int32		to;
} BookWindow;

#define MINUTES_PER_WEEK 10080

typedef struct BookAlias
{
	BookString	provider;		/* empty: any */
	BookString	alias;
	BookString	to_provider;	/* empty: the provider of the call */
	BookString	to_model;		/* of a pattern: with \1 to \9 and \& */
	uint32		prefix_len;		/* what a name must start with to match a
								 * pattern */
	uint32		is_pattern;
} BookAlias;

#define PRICE_BOOK_FORMAT 1

typedef struct PriceBook
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint32		format;			/* PRICE_BOOK_FORMAT */
	uint64		fingerprint;	/* a hash of everything behind the header */
	uint32		n_layers;
	uint32		n_models;
	uint32		n_tiers;
	uint32		n_segments;
	uint32		n_row_numbers;
	uint32		n_rows;
	uint32		n_windows;
	uint32		n_aliases;
	uint32		n_buckets;		/* a power of two */
	uint32		strings_len;
	uint32		layers;			/* offsets */
	uint32		models;
	uint32		tiers;
	uint32		segments;
	uint32		row_numbers;
	uint32		rows;
	uint32		windows;
	uint32		aliases;
	uint32		buckets;
	uint32		strings;
} PriceBook;

#define BOOK_ARRAY(book, type, member) \
	((const type *) ((const char *) (book) + (book)->member))
#define BOOK_STRING(book, string) \
	((const char *) (book) + (book)->strings + (string).offset)

extern uint32 price_book_hash(const char *provider, int provider_len,
							  const char *model, int model_len);
extern const PriceBook *price_book_fetch(FunctionCallInfo fcinfo, int argno, void **cache);
extern const BookModel *price_book_model(const PriceBook *book, uint32 layer, uint32 hash,
										 const char *provider, int provider_len,
										 const char *model, int model_len);
extern text *book_string_text(const PriceBook *book, BookString string);

/*
 * The price_book in an argument, without a copy where it lies in memory.  One
 * that lies in a TOAST table is brought in once, and kept in *cache for as
 * long as the calls name the same one; cache may be NULL.
 */
static inline const PriceBook *
price_book_arg(FunctionCallInfo fcinfo, int argno, void **cache)
{
	const PriceBook *book = (const PriceBook *) DatumGetPointer(fcinfo->args[argno].value);

	if (likely(VARATT_IS_4B_U(book) && VARSIZE_4B(book) >= sizeof(PriceBook) &&
			   book->format == PRICE_BOOK_FORMAT))
		return book;
	return price_book_fetch(fcinfo, argno, cache);
}

#endif							/* TOKENOMICS_PRICE_BOOK_H */
