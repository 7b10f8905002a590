/*-------------------------------------------------------------------------
 *
 * scan.h
 *	  Reading exact decimals, and the flat JSON objects that are the text
 *	  forms of tokens and rates.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_SCAN_H
#define TOKENOMICS_SCAN_H

#include "compat.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

typedef enum DecimalStatus
{
	DECIMAL_OK,
	DECIMAL_SYNTAX,				/* not a JSON number */
	DECIMAL_NEGATIVE,			/* below zero */
	DECIMAL_INEXACT,			/* more digits than the scale holds */
	DECIMAL_RANGE				/* above what 64 bits hold */
} DecimalStatus;

extern DecimalStatus decimal_read(const char *str, int len, int scale, int64 *value);
extern void decimal_append(StringInfo buf, int64 value, int scale);

typedef enum FlatKind
{
	FLAT_NULL,
	FLAT_NUMBER,
	FLAT_STRING,
	FLAT_OTHER					/* only from jsonb: a boolean, object or array */
} FlatKind;

/* One member of a flat object; the strings are not terminated. */
typedef struct FlatMember
{
	const char *key;
	int			key_len;
	FlatKind	kind;
	const char *value;			/* the digits of a number, the text of a
								 * string */
	int			value_len;
} FlatMember;

/* Takes one member; false where it refused it and the error was soft. */
typedef bool (*FlatTake) (void *target, const FlatMember *member, Node *escontext);

extern bool flat_from_text(const char *str, const char *type_name,
						   FlatTake take, void *target, Node *escontext);
extern void flat_from_jsonb(JsonbContainer *object, const char *type_name,
							FlatTake take, void *target);

#endif							/* TOKENOMICS_SCAN_H */
