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

extern void put_number(StringInfo buf, unsigned __int128 number);
extern void put_signed(StringInfo buf, int64 number);

extern NO_RETURN void corrupted_value(const char *type);
extern NO_RETURN void refuse(const Reader *reader, const char *what);
extern unsigned __int128 get_number(Reader *reader, unsigned __int128 max, const char *what);
extern int64 get_signed(Reader *reader, const char *what);
extern const char *get_bytes(Reader *reader, uint32 len);

#endif							/* TOKENOMICS_VARINT_H */
