/*-------------------------------------------------------------------------
 *
 * json.c
 *	  Reading and writing the JSON text forms of values that are trees.
 *
 *-------------------------------------------------------------------------
 */
#include "json.h"

#include "catalog/pg_type.h"
#include "scan.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/numeric.h"

/* The value of a member, or NULL. */
JsonbValue *
json_member(JsonbContainer *object, const char *key)
{
	return getKeyJsonValueFromContainer(object, key, strlen(key), NULL);
}

NO_RETURN void
json_refuse(const char *type, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s", type),
			 errdetail_internal("%s", detail)));
}

JsonbContainer *
json_take_object(const char *type, const JsonbValue *v, const char *what)
{
	if (v == NULL || v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
		json_refuse(type, psprintf("%s is not an object.", what));
	return v->val.binary.data;
}

/* The list in a member; NULL where there is none. */
JsonbContainer *
json_take_list(const char *type, JsonbContainer *object, const char *key)
{
	JsonbValue *v = json_member(object, key);

	if (v == NULL || v->type == jbvNull)
		return NULL;
	if (v->type != jbvBinary || !JsonContainerIsArray(v->val.binary.data) ||
		JsonContainerIsScalar(v->val.binary.data))
		json_refuse(type, psprintf("\"%s\" is not a list.", key));
	return v->val.binary.data;
}

/* The text in a member; the default where there is none, an error without one. */
char *
json_take_text(const char *type, JsonbContainer *object, const char *key, const char *if_absent)
{
	JsonbValue *v = json_member(object, key);

	if (v == NULL && if_absent != NULL)
		return pstrdup(if_absent);
	if (v == NULL || v->type != jbvString)
		json_refuse(type, psprintf("\"%s\" is missing or not a string.", key));
	return pnstrdup(v->val.string.val, v->val.string.len);
}

int64
json_take_integer(const char *type, const JsonbValue *v, const char *what)
{
	const char *digits;
	int64		value = 0;

	if (v == NULL || v->type != jbvNumeric)
		json_refuse(type, psprintf("%s is not a number.", what));
	digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(v->val.numeric)));
	if (decimal_read(digits, strlen(digits), 0, &value) != DECIMAL_OK)
		json_refuse(type, psprintf("%s is not a whole number, zero or more.", what));
	return value;
}

TimestampTz
json_take_time(const char *type, const JsonbValue *v, TimestampTz if_null, const char *what)
{
	char	   *str;

	if (v == NULL || v->type == jbvNull)
		return if_null;
	if (v->type != jbvString)
		json_refuse(type, psprintf("%s is neither a time nor null.", what));
	str = pnstrdup(v->val.string.val, v->val.string.len);
	return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(str),
												   ObjectIdGetDatum(InvalidOid),
												   Int32GetDatum(-1)));
}

/* Appends a time as a string, in UTC and to the microsecond; null where it is infinite. */
void
json_append_time(StringInfo buf, TimestampTz time)
{
	char		str[MAXDATELEN + 1];
	int			utc = 0;

	if (TIMESTAMP_NOT_FINITE(time))
		appendStringInfoString(buf, "null");
	else
		appendStringInfo(buf, "\"%s\"", JsonEncodeDateTime(str, TimestampTzGetDatum(time),
														   TIMESTAMPTZOID, &utc));
}
