/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Every difference between PostgreSQL 15, 16, 17 and 18 that we meet.
 *
 * No other file tests PG_VERSION_NUM.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_COMPAT_H
#define TOKENOMICS_COMPAT_H

#include "postgres.h"

#include "fmgr.h"
#include "port/pg_bswap.h"
#include "utils/rangetypes.h"

#if PG_VERSION_NUM < 150000
#error "tokenomics needs PostgreSQL 15 or later"
#endif
#if PG_VERSION_NUM >= 190000
#error "tokenomics has not been tested with PostgreSQL 19 or later"
#endif

#ifndef HAVE_INT128
#error "tokenomics needs a compiler with 128-bit integers"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#include "nodes/miscnodes.h"
#endif

/* Soft errors of input functions came with 16; before, they are errors. */
#if PG_VERSION_NUM < 160000
#define ereturn(escontext, dummy_value, ...) \
	do { \
		(void) (escontext); \
		ereport(ERROR, __VA_ARGS__); \
		return dummy_value; \
	} while (0)
#endif

#if PG_VERSION_NUM >= 160000
#define make_range_compat(typcache, lower, upper, empty) \
	make_range(typcache, lower, upper, empty, NULL)
#else
#define make_range_compat(typcache, lower, upper, empty) \
	make_range(typcache, lower, upper, empty)
#endif

#if PG_VERSION_NUM >= 170000
#define pq_sendcountedtext_compat(buf, str, len) \
	pq_sendcountedtext(buf, str, len)
#else
#define pq_sendcountedtext_compat(buf, str, len) \
	pq_sendcountedtext(buf, str, len, false)
#endif

/* The attribute has changed its name and its place between versions. */
#define NO_RETURN __attribute__((noreturn))

/* pg_detoast_datum_packed(), without the call where there is nothing to do. */
static inline struct varlena *
packed(void *datum)
{
	if (unlikely(VARATT_IS_COMPRESSED(datum) || VARATT_IS_EXTERNAL(datum)))
		return pg_detoast_datum_packed((struct varlena *) datum);
	return (struct varlena *) datum;
}

/* Bytes that lie somewhere, such as those of a text; not terminated. */
typedef struct Bytes
{
	const char *data;
	int			len;
} Bytes;

/* What is in a value of variable length, where it lies; most come out of a row. */
static pg_attribute_always_inline Bytes
packed_bytes(Datum datum)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(datum);
	Bytes		bytes;

	if (likely(VARATT_IS_1B(v) && !VARATT_IS_1B_E(v)))
	{
		bytes.data = VARDATA_1B(v);
		bytes.len = VARSIZE_1B(v) - VARHDRSZ_SHORT;
	}
	else
	{
		v = packed(v);
		bytes.data = VARDATA_ANY(v);
		bytes.len = VARSIZE_ANY_EXHDR(v);
	}
	return bytes;
}

/* The 4 or 8 bytes at p as a number, in the order of the machine. */
static inline uint32
load_4(const void *p)
{
	uint32		value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static inline uint64
load_8(const void *p)
{
	uint64		value;

	memcpy(&value, p, sizeof(value));
	return value;
}

/* The 8 bytes at p as a number, low byte first. */
static inline uint64
load_little_endian(const void *p)
{
#ifdef WORDS_BIGENDIAN
	return pg_bswap64(load_8(p));
#else
	return load_8(p);
#endif
}

/*
 * Only what SQL calls is visible outside the library: PostgreSQL loads every
 * extension into one name space.  Since 16 PG_FUNCTION_INFO_V1 alone does it.
 */
#define VISIBLE __attribute__((visibility("default")))

#define SQL_FUNCTION(name) \
	extern VISIBLE Datum name(PG_FUNCTION_ARGS); \
	extern VISIBLE const Pg_finfo_record *pg_finfo_##name(void); \
	PG_FUNCTION_INFO_V1(name)

#endif							/* TOKENOMICS_COMPAT_H */
