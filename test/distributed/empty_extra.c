/*-------------------------------------------------------------------------
 *
 * empty_extra.c
 *	  Aggregates as a distributed engine may run them: each call of a
 *	  transition function with a FmgrInfo that has never been used.
 *
 * A function of this library calls, inside the aggregate that runs it, the
 * function of schema tokenomics with the same name and the same arguments.
 *
 *-------------------------------------------------------------------------
 */
#include "../../src/compat.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_MODULE_MAGIC;

SQL_FUNCTION(with_empty_extra);

Datum
with_empty_extra(PG_FUNCTION_ARGS)
{
	char	   *name = get_func_name(fcinfo->flinfo->fn_oid);
	FmgrInfo	fresh;
	oidvector  *types;
	Datum		result;
	Oid			other;
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));

	LOCAL_FCINFO(call, 16);

	types = &((Form_pg_proc) GETSTRUCT(tuple))->proargtypes;
	other = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name), PointerGetDatum(types),
							ObjectIdGetDatum(get_namespace_oid("tokenomics", false)));
	ReleaseSysCache(tuple);
	fmgr_info_cxt(other, &fresh, CurrentMemoryContext);
	InitFunctionCallInfoData(*call, &fresh, fcinfo->nargs, fcinfo->fncollation, fcinfo->context, NULL);
	for (int i = 0; i < fcinfo->nargs; i++)
		call->args[i] = fcinfo->args[i];
	result = FunctionCallInvoke(call);
	fcinfo->isnull = call->isnull;
	/* nor may anything point to it when it is gone */
	memset(&fresh, 0x7F, sizeof(fresh));
	return result;
}
