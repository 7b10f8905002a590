/*-------------------------------------------------------------------------
 *
 * varint.c
 *	  Numbers of varying length, of which stored values are made.
 *
 *-------------------------------------------------------------------------
 */
#include "varint.h"

void
put_number(StringInfo buf, unsigned __int128 number)
{
	char		bytes[MAX_NUMBER_LEN];

	appendBinaryStringInfo(buf, bytes, write_number(bytes, number) - bytes);
}

void
put_signed(StringInfo buf, int64 number)
{
	char		bytes[MAX_NUMBER_LEN];

	appendBinaryStringInfo(buf, bytes, write_signed(bytes, number) - bytes);
}

NO_RETURN void
corrupted_value(const char *type)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("corrupted value of type %s", type)));
}

NO_RETURN void
refuse(const Reader *reader, const char *what)
{
	if (!reader->from_client)
		corrupted_value(reader->type);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid binary value of type %s: %s", reader->type, what)));
}

unsigned	__int128
get_number(Reader *reader, unsigned __int128 max, const char *what)
{
	unsigned	__int128 number = 0;

	for (int shift = 0;; shift += 7)
	{
		unsigned char byte;

		if (reader->p >= reader->end)
			refuse(reader, "it ends too early");
		byte = *reader->p++;
		if (shift > 126 || (shift == 126 && (byte & 0x7F) > 3))
			refuse(reader, what);
		number |= (unsigned __int128) (byte & 0x7F) << shift;
		if (!(byte & 0x80))
			break;
	}
	if (number > max)
		refuse(reader, what);
	return number;
}

int64
get_signed(Reader *reader, const char *what)
{
	uint64		number = get_number(reader, PG_UINT64_MAX, what);

	return (int64) (number >> 1 ^ -(number & 1));
}

const char *
get_bytes(Reader *reader, uint32 len)
{
	const char *bytes = (const char *) reader->p;

	if (len > reader->end - reader->p)
		refuse(reader, "it ends too early");
	reader->p += len;
	return bytes;
}
