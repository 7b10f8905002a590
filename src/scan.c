/*-------------------------------------------------------------------------
 *
 * scan.c
 *	  Reading exact decimals, and the flat JSON objects that are the text
 *	  forms of tokens and rates.
 *
 * The text forms are JSON, but not read through jsonb: jsonb forgets that a
 * key was given twice, and loading a call log would pay for a tree per row.
 * The same members come from jsonb where a value is already one, so that both
 * ways end in one function (a FlatTake) that knows the keys.
 *
 * Nothing here reads a float: a number is its decimal digits.
 *
 *-------------------------------------------------------------------------
 */
#include "scan.h"

#include "common/int.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/*
 * Reads the JSON number in str[0 .. len) and returns it times 10^scale, or
 * says why that is not a whole number between 0 and 2^63 - 1.
 */
DecimalStatus
decimal_read(const char *str, int len, int scale, int64 *value)
{
	const char *p = str;
	const char *end = str + len;
	bool		negative = false;
	uint64		digits = 0;		/* the significant digits read so far */
	int			exponent = scale;	/* the power of ten they still lack */
	int			zeros = 0;		/* zeros seen and not yet in digits */
	bool		fraction = false;
	bool		overflow = false;

	if (p < end && *p == '-')
	{
		negative = true;
		p++;
	}
	if (p == end || *p < '0' || *p > '9')
		return DECIMAL_SYNTAX;
	if (*p == '0' && p + 1 < end && p[1] >= '0' && p[1] <= '9')
		return DECIMAL_SYNTAX;

	for (; p < end; p++)
	{
		if (*p == '.' && !fraction)
		{
			fraction = true;
			if (p + 1 == end || p[1] < '0' || p[1] > '9')
				return DECIMAL_SYNTAX;
			continue;
		}
		if (*p < '0' || *p > '9')
			break;
		if (fraction)
			exponent--;
		if (*p == '0')
		{
			/* zeros count only where another digit follows them */
			zeros++;
			continue;
		}
		for (; zeros > 0 && digits != 0; zeros--)
			overflow |= pg_mul_u64_overflow(digits, 10, &digits);
		zeros = 0;
		overflow |= pg_mul_u64_overflow(digits, 10, &digits);
		overflow |= pg_add_u64_overflow(digits, *p - '0', &digits);
		if (overflow)
			digits = 1;			/* keep going, for the syntax only */
	}
	exponent += zeros;

	if (p < end && (*p == 'e' || *p == 'E'))
	{
		bool		minus = false;
		int			power = 0;

		p++;
		if (p < end && (*p == '+' || *p == '-'))
			minus = *p++ == '-';
		if (p == end)
			return DECIMAL_SYNTAX;
		for (; p < end && *p >= '0' && *p <= '9'; p++)
			if (power < 100000)
				power = power * 10 + (*p - '0');
		exponent += minus ? -power : power;
	}
	if (p != end)
		return DECIMAL_SYNTAX;

	if (digits == 0)
	{
		*value = 0;
		return DECIMAL_OK;
	}
	if (negative)
		return DECIMAL_NEGATIVE;
	if (exponent < 0)
		return DECIMAL_INEXACT;
	for (; exponent > 0 && !overflow; exponent--)
		overflow |= pg_mul_u64_overflow(digits, 10, &digits);
	if (overflow || digits > (uint64) PG_INT64_MAX)
		return DECIMAL_RANGE;
	*value = (int64) digits;
	return DECIMAL_OK;
}

/* Appends value / 10^scale, without zeros at the end of its fraction. */
void
decimal_append(StringInfo buf, int64 value, int scale)
{
	char		digits[32];
	int			len = pg_lltoa(value, digits);

	Assert(value >= 0);
	if (len <= scale)
	{
		memmove(digits + scale + 1 - len, digits, len);
		memset(digits, '0', scale + 1 - len);
		len = scale + 1;
	}
	appendBinaryStringInfo(buf, digits, len - scale);
	while (scale > 0 && digits[len - 1] == '0')
	{
		len--;
		scale--;
	}
	if (scale > 0)
	{
		appendStringInfoChar(buf, '.');
		appendBinaryStringInfo(buf, digits + len - scale, scale);
	}
}

static const char *
skip_space(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

/*
 * Steps over the string that starts at the quote *p, or returns NULL.  No key
 * and no currency needs an escape, so that a backslash is refused.
 */
static const char *
skip_string(const char *p, const char **text, int *len)
{
	if (*p != '"')
		return NULL;
	*text = ++p;
	while (*p != '"')
	{
		if (*p == '\\' || (unsigned char) *p < ' ')
			return NULL;
		p++;
	}
	*len = p - *text;
	return p + 1;
}

/* Reads '{"key": value, ...}' and hands over each member; false on a soft error. */
bool
flat_from_text(const char *str, const char *type_name,
			   FlatTake take, void *target, Node *escontext)
{
	const char *p = skip_space(str);
	const char *wanted = "Expected an object, such as {\"input\": 1200}.";

	if (*p != '{')
		goto syntax;
	p = skip_space(p + 1);
	if (*p == '}')
		p++;
	else
	{
		for (;;)
		{
			FlatMember	member;
			const char *next;

			wanted = "Expected a key in double quotes, without escapes.";
			next = skip_string(p, &member.key, &member.key_len);
			if (next == NULL)
				goto syntax;
			p = skip_space(next);
			wanted = "Expected a colon after the key.";
			if (*p != ':')
				goto syntax;
			p = skip_space(p + 1);
			wanted = "Expected a number, a string or null.";
			if (*p == '"')
			{
				member.kind = FLAT_STRING;
				next = skip_string(p, &member.value, &member.value_len);
				if (next == NULL)
					goto syntax;
				p = next;
			}
			else if (strncmp(p, "null", 4) == 0)
			{
				member.kind = FLAT_NULL;
				p += 4;
			}
			else
			{
				member.kind = FLAT_NUMBER;
				member.value = p;
				p += strspn(p, "0123456789+-.eE");
				member.value_len = p - member.value;
				if (member.value_len == 0)
					goto syntax;
			}
			if (!take(target, &member, escontext))
				return false;
			p = skip_space(p);
			if (*p == '}')
			{
				p++;
				break;
			}
			wanted = "Expected a comma or the end of the object.";
			if (*p != ',')
				goto syntax;
			p = skip_space(p + 1);
		}
	}
	p = skip_space(p);
	if (*p == '\0')
		return true;
	wanted = "Nothing may follow the object.";

syntax:
	ereturn(escontext, false,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"", type_name, str),
			 errdetail("At character %d: %s", (int) (p - str) + 1, wanted)));
}

/* Hands over each member of a jsonb object. */
void
flat_from_jsonb(JsonbContainer *object, const char *type_name,
				FlatTake take, void *target)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	FlatMember	member;

	if (!JsonContainerIsObject(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot make %s of this jsonb value", type_name),
				 errdetail("Expected an object, such as {\"input\": 1200}.")));

	it = JsonbIteratorInit(object);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			member.key = v.val.string.val;
			member.key_len = v.val.string.len;
		}
		else if (token == WJB_VALUE)
		{
			member.kind = FLAT_OTHER;
			member.value = NULL;
			member.value_len = 0;
			if (v.type == jbvNull)
				member.kind = FLAT_NULL;
			else if (v.type == jbvString)
			{
				member.kind = FLAT_STRING;
				member.value = v.val.string.val;
				member.value_len = v.val.string.len;
			}
			else if (v.type == jbvNumeric)
			{
				member.kind = FLAT_NUMBER;
				member.value = DatumGetCString(DirectFunctionCall1(numeric_out,
																   NumericGetDatum(v.val.numeric)));
				member.value_len = strlen(member.value);
			}
			(void) take(target, &member, NULL);
		}
	}
}
