/*-------------------------------------------------------------------------
 *
 * json.h
 *	  Reading and writing the JSON text forms of values that are trees.
 *
 * Every reader takes the name of the type, for its errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENOMICS_JSON_H
#define TOKENOMICS_JSON_H

#include "compat.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

extern NO_RETURN void json_refuse(const char *type, const char *detail);
extern JsonbValue *json_member(JsonbContainer *object, const char *key);
extern JsonbContainer *json_take_object(const char *type, const JsonbValue *v, const char *what);
extern JsonbContainer *json_take_list(const char *type, JsonbContainer *object, const char *key);
extern char *json_take_text(const char *type, JsonbContainer *object, const char *key,
							const char *if_absent);
extern int64 json_take_integer(const char *type, const JsonbValue *v, const char *what);
extern TimestampTz json_take_time(const char *type, const JsonbValue *v, TimestampTz if_null,
								  const char *what);
extern void json_append_time(StringInfo buf, TimestampTz time);

#endif							/* TOKENOMICS_JSON_H */
