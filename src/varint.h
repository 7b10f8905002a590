/*-------------------------------------------------------------------------
 *
 * varint.h
 *	  Numbers of varying length, of which stored values are made: 7 bits a byte,
 *	  low ones first; the highest bit says that more follow.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_VARINT_H
#define TOKENOMICS_VARINT_H

#include "compat.h"

#include "lib/stringinfo.h"

/* Bytes that are being read; whoever reads lines of a client checks them. */
typedef struct Reader
{
	const unsigned char *p;
	const unsigned char *end;
	bool		from_client;	/* else from a table */
	const char *type;			/* for errors */
} Reader;

/* The most bytes that a number takes. */
#define MAX_NUMBER_LEN 19

/* Writes a number to where there is room for it; returns the end of it. */
static inline char *
write_number(char *to, unsigned __int128 number)
{
	uint64		low;

	while (unlikely(number >> 64 != 0))
	{
		*to++ = (char) (number | 0x80);
		number >>= 7;
	}
	for (low = (uint64) number; low > 0x7F; low >>= 7)
		*to++ = (char) (low | 0x80);
	*to++ = (char) low;
	return to;
}

/* Numbers near zero of either sign are short. */
static inline char *
write_signed(char *to, int64 number)
{
	return write_number(to, (uint64) number << 1 ^ (uint64) (number >> 63));
}

extern void put_number(StringInfo buf, unsigned __int128 number);
extern void put_signed(StringInfo buf, int64 number);

extern NO_RETURN void corrupted_value(const char *type);
extern NO_RETURN void refuse(const Reader *reader, const char *what);
extern unsigned __int128 get_number(Reader *reader, unsigned __int128 max, const char *what);
extern int64 get_signed(Reader *reader, const char *what);
extern const char *get_bytes(Reader *reader, uint32 len);

#endif							/* TOKENOMICS_VARINT_H */
