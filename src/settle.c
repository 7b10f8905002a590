/*-------------------------------------------------------------------------
 *
 * settle.c
 *	  What stored ledgers need to be right: marks of the days that were
 *	  touched, stamps of what was read, digests of the prices that applied,
 *	  and the one way by which they are read.
 *
 * Three things make a stored day wrong, and each is seen in its own way:
 *
 *	  calls that came, changed or went	marks: a row trigger appends one row
 *				for each day that a transaction touches
 *	  partitions that were emptied, attached, detached or rewritten	stamps:
 *				what they were when the day was read is kept with it
 *	  prices, aliases, books			digests: those of the day's models are
 *				compared with the book of the reader
 *
 * Marks are rows, so a snapshot that sees calls sees their marks.  Stamps and
 * digests are compared, so nothing has to be noticed when it happens.
 *
 *-------------------------------------------------------------------------
 */
#include "cost.h"
#include "period.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tupconvert.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parse_func.h"
#include "partitioning/partdefs.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

SQL_FUNCTION(mark_usage);
SQL_FUNCTION(usage_partitions);
SQL_FUNCTION(price_digest);
SQL_FUNCTION(reads_all_rows);
SQL_FUNCTION(stored_usage);
SQL_FUNCTION(stored_measures);

/*
 * Marks
 */

/* A day that this transaction has marked. */
typedef struct MarkedDay
{
	Period		day;
	int			level;			/* of the subtransaction that holds the mark */
} MarkedDay;

/*
 * What a day is marked for: calls that changed in what a ledger depends on; in
 * ids alone, of which distinct users, sessions and turns are counted; or whose
 * ids were blanked, which unsettles nothing, and verify() has to know.
 */
typedef enum MarkKind
{
	MARK_CALLS,
	MARK_IDS,
	MARK_BLANKED,
	N_MARK_KINDS
} MarkKind;

static const char *const mark_table[N_MARK_KINDS] = {"usage_mark", "usage_id_mark", "usage_blank_mark"};

/* The marks of this transaction in one install; days do not overlap. */
typedef struct MarkSet
{
	Oid			usage;			/* the table, not a partition of it */
	MarkKind	kind;
	MarkedDay  *days;			/* by time */
	int			n_days;
	int			max_days;
	struct MarkSet *next;
} MarkSet;

/* A table or partition whose rows this transaction has changed. */
typedef struct MarkedTable
{
	Oid			relid;
	MarkSet    *set[N_MARK_KINDS];
	AttrNumber	at;
	AttrNumber	request_id;
	Bitmapset  *ids;			/* columns that no ledger depends on */
	struct MarkedTable *next;
} MarkedTable;

/* The statement that inserts a mark; kept as long as the session. */
typedef struct MarkPlan
{
	Oid			usage;
	MarkKind	kind;
	char		schema[NAMEDATALEN];
	SPIPlanPtr	plan;
	struct MarkPlan *next;
} MarkPlan;

/* Of the current transaction, in its memory: NULL when it is over. */
static MarkSet *mark_sets = NULL;
static MarkedTable *marked_tables = NULL;

static MarkPlan *mark_plans = NULL;
static bool callbacks_registered = false;

static void
marks_at_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			mark_sets = NULL;
			marked_tables = NULL;
			break;
		default:
			break;
	}
}

/* The marks of a subtransaction go with it, or to the one around it. */
static void
marks_at_subend(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)
		return;
	for (MarkSet *set = mark_sets; set != NULL; set = set->next)
	{
		int			kept = 0;

		for (int i = 0; i < set->n_days; i++)
		{
			MarkedDay	day = set->days[i];

			if (day.level >= level && event == SUBXACT_EVENT_ABORT_SUB)
				continue;
			if (day.level >= level)
				day.level = level - 1;
			set->days[kept++] = day;
		}
		set->n_days = kept;
	}
}

static MarkSet *
mark_set(Oid usage, MarkKind kind)
{
	MarkSet    *set;

	for (set = mark_sets; set != NULL; set = set->next)
		if (set->usage == usage && set->kind == kind)
			return set;
	set = MemoryContextAllocZero(TopTransactionContext, sizeof(MarkSet));
	set->max_days = 32;
	set->days = MemoryContextAlloc(TopTransactionContext, set->max_days * sizeof(MarkedDay));
	set->usage = usage;
	set->kind = kind;
	set->next = mark_sets;
	mark_sets = set;
	return set;
}

/* Looks up a table whose rows are changed: once in a transaction. */
static pg_noinline MarkedTable *
marked_table(Relation rel)
{
	static const char *const ids[] = {"request_id", "user_id", "session_id", "turn_id"};
	MarkedTable *table;
	Oid			root = RelationGetRelid(rel);
	AttrNumber	at = get_attnum(root, "at");
	MemoryContext old;

	for (table = marked_tables; table != NULL; table = table->next)
		if (table->relid == root)
			return table;
	if (at == InvalidAttrNumber || get_atttype(root, at) != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"at\" of type timestamp with time zone",
						RelationGetRelationName(rel))));
	if (!callbacks_registered)
	{
		RegisterXactCallback(marks_at_end, NULL);
		RegisterSubXactCallback(marks_at_subend, NULL);
		callbacks_registered = true;
	}
	old = MemoryContextSwitchTo(TopTransactionContext);
	table = palloc0(sizeof(MarkedTable));
	table->relid = root;
	table->at = at;
	for (int i = 0; i < lengthof(ids); i++)
	{
		AttrNumber	column = get_attnum(table->relid, ids[i]);

		if (column != InvalidAttrNumber)
			table->ids = bms_add_member(table->ids, column);
		if (i == 0)
			table->request_id = column;
	}
	if (rel->rd_rel->relispartition)
		root = llast_oid(get_partition_ancestors(root));
	table->set[MARK_CALLS] = mark_set(root, MARK_CALLS);
	/* an install of before there were measures has nothing that ids unsettle */
	for (int kind = MARK_IDS; kind < N_MARK_KINDS; kind++)
		if (get_relname_relid(mark_table[kind], get_rel_namespace(root)) != InvalidOid)
			table->set[kind] = mark_set(root, kind);
	table->next = marked_tables;
	marked_tables = table;
	MemoryContextSwitchTo(old);
	return table;
}

/*
 * The statement that marks the day of a call, in the reporting zone, and says
 * whether it is archived, where that matters: ids of archived calls may change.
 */
static SPIPlanPtr
mark_plan(Oid usage, MarkKind kind, Oid *owner)
{
	Oid			schema = get_rel_namespace(usage);
	char	   *schema_name = get_namespace_name(schema);
	const char *const tables[] = {mark_table[kind], "setting", "settled"};
	Oid			argtypes[1] = {TIMESTAMPTZOID};
	HeapTuple	tuple;
	MarkPlan   *plan;
	StringInfoData sql;
	const char *in;

	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(usage));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", usage);
	*owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);

	/*
	 * They are read and written to with the rights of the owner: they must be
	 * the owner's.  A view of another's would run its functions.
	 */
	for (int i = 0; i < lengthof(tables); i++)
	{
		Oid			relid = get_relname_relid(tables[i], schema);

		tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
		if (!HeapTupleIsValid(tuple) || ((Form_pg_class) GETSTRUCT(tuple))->relowner != *owner)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("table \"%s\" cannot be written to: there is nowhere to mark its days",
							get_rel_name(usage)),
					 errdetail("Its owner has no table \"%s\" in schema \"%s\".", tables[i], schema_name),
					 errhint("Run CALL tokenomics.install(%s) as the owner of the table.",
							 quote_literal_cstr(schema_name))));
		ReleaseSysCache(tuple);
	}

	for (plan = mark_plans; plan != NULL; plan = plan->next)
		if (plan->usage == usage && plan->kind == kind)
			break;
	if (plan != NULL && strcmp(plan->schema, schema_name) == 0)
		return plan->plan;

	in = quote_identifier(schema_name);
	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "INSERT INTO %s.%s AS m (starts, ends)"
					 " SELECT tokenomics.period_start('day', z.zone, $1), tokenomics.period_end('day', z.zone, $1)"
					 " FROM (SELECT coalesce((SELECT s.zone FROM %s.setting s), 'UTC') AS zone) z"
					 " RETURNING m.starts::pg_catalog.timestamptz, m.ends::pg_catalog.timestamptz,"
					 " (SELECT pg_catalog.min(a.starts::pg_catalog.timestamptz) FROM %s.settled a"
					 " WHERE %s AND a.is_archived AND a.starts OPERATOR(pg_catalog.<) m.ends"
					 " AND a.ends OPERATOR(pg_catalog.>) m.starts)",
					 in, mark_table[kind], in, in, kind == MARK_CALLS ? "true" : "false");
	if (plan == NULL)
	{
		plan = MemoryContextAllocZero(TopMemoryContext, sizeof(MarkPlan));
		plan->next = mark_plans;
		mark_plans = plan;
	}
	else if (plan->plan != NULL)
		SPI_freeplan(plan->plan);
	plan->usage = usage;
	plan->kind = kind;
	plan->schema[0] = '\0';		/* should what follows fail */
	plan->plan = NULL;
	plan->plan = SPI_prepare(sql.data, 1, argtypes);
	if (plan->plan == NULL || SPI_keepplan(plan->plan) != 0)
		elog(ERROR, "could not prepare the statement that marks a day");
	strlcpy(plan->schema, schema_name, NAMEDATALEN);
	return plan->plan;
}

/*
 * Marks the day of a call, at once: this transaction must not read a stored
 * day that lacks what it has just written.  A rollback takes the mark along
 * with the call.
 */
static pg_noinline void
mark_day(MarkSet *set, TimestampTz at)
{
	SPIPlanPtr	plan;
	Oid			owner;
	Oid			save_user;
	int			save_context;
	Datum		value = TimestampTzGetDatum(at);
	TupleDesc	desc;
	HeapTuple	row;
	Datum		archived;
	bool		is_null;
	MarkedDay	day;
	int			i;

	SPI_connect();
	GetUserIdAndSecContext(&save_user, &save_context);
	plan = mark_plan(set->usage, set->kind, &owner);
	SetUserIdAndSecContext(owner, save_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);

	/*
	 * With the latest snapshot, even where the transaction has an older one:
	 * archive() waits for those that write, and the next ones have to see
	 * what it did.
	 */
	if (SPI_execute_snapshot(plan, &value, NULL, GetLatestSnapshot(), InvalidSnapshot,
							 false, false, 0) != SPI_OK_INSERT_RETURNING || SPI_processed != 1)
		elog(ERROR, "could not mark a day");
	SetUserIdAndSecContext(save_user, save_context);

	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	day.day.from = DatumGetTimestampTz(SPI_getbinval(row, desc, 1, &is_null));
	day.day.to = DatumGetTimestampTz(SPI_getbinval(row, desc, 2, &is_null));
	day.level = GetCurrentTransactionNestLevel();
	archived = SPI_getbinval(row, desc, 3, &is_null);
	if (!is_null)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("calls of %s are archived", timestamptz_to_str(DatumGetTimestampTz(archived))),
				 errdetail("A call at %s cannot be inserted, changed or deleted.", timestamptz_to_str(at)),
				 errhint("Use unarchive() to open the month again, if its calls are still there.")));
	SPI_finish();

	if (set->n_days == set->max_days)
	{
		set->max_days *= 2;
		set->days = repalloc(set->days, set->max_days * sizeof(MarkedDay));
	}
	for (i = set->n_days; i > 0 && set->days[i - 1].day.from > day.day.from; i--)
		set->days[i] = set->days[i - 1];
	set->days[i] = day;
	set->n_days++;
}

static inline void
mark(MarkSet *set, TimestampTz at)
{
	int			low = 0;
	int			high = set->n_days;

	/* the last day that begins at or before it */
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (set->days[middle].day.from <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || !period_holds(&set->days[low - 1].day, at))
		mark_day(set, at);
}

static TimestampTz
slot_at(TupleTableSlot *slot, AttrNumber column)
{
	bool		is_null;
	Datum		at = slot_getattr(slot, column, &is_null);

	if (is_null)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("column \"at\" of a call must not be null")));
	return DatumGetTimestampTz(at);
}

/*
 * What the days of two versions of a row are marked for; N_MARK_KINDS: nothing.
 * Who blanks the ids of a call forgets a user: what was counted stays.
 */
static MarkKind
what_differs(const MarkedTable *table, TupleTableSlot *old, TupleTableSlot *new)
{
	TupleDesc	desc = old->tts_tupleDescriptor;
	bool		ids_differ = false;
	bool		is_blanked = true;

	slot_getallattrs(old);
	slot_getallattrs(new);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		bool		is_id = bms_is_member(i + 1, table->ids);

		if (column->attisdropped)
			continue;
		if (is_id && i + 1 != table->request_id && !new->tts_isnull[i])
			is_blanked = false;
		if (old->tts_isnull[i] == new->tts_isnull[i] &&
			(old->tts_isnull[i] ||
			 datumIsEqual(old->tts_values[i], new->tts_values[i], column->attbyval, column->attlen)))
			continue;
		if (!is_id)
			return MARK_CALLS;
		ids_differ = true;
		if (i + 1 == table->request_id)
			is_blanked = false;
	}
	return !ids_differ ? N_MARK_KINDS : is_blanked ? MARK_BLANKED : MARK_IDS;
}

/* The trigger of usage. */
Datum
mark_usage(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MarkedTable *table = marked_tables;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("mark_usage() must be called as a trigger after each row")));
	if (unlikely(table == NULL || table->relid != RelationGetRelid(trigger->tg_relation)))
		table = marked_table(trigger->tg_relation);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		MarkKind	kind = what_differs(table, trigger->tg_trigslot, trigger->tg_newslot);

		if (kind != N_MARK_KINDS && table->set[kind] != NULL)
		{
			mark(table->set[kind], slot_at(trigger->tg_trigslot, table->at));
			mark(table->set[kind], slot_at(trigger->tg_newslot, table->at));
		}
	}
	else
		mark(table->set[MARK_CALLS], slot_at(trigger->tg_trigslot, table->at));
	return PointerGetDatum(NULL);
}

/*
 * Stamps
 */

/* When a partition holds calls; "to" is included where a key has more columns. */
static Period
partition_period(Oid partition, bool by_time)
{
	Period		period = {DT_NOBEGIN, DT_NOEND};
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(partition));
	Datum		bound = (Datum) 0;
	bool		is_null = true;

	if (HeapTupleIsValid(tuple))
	{
		bound = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relpartbound, &is_null);
		if (!is_null && by_time)
		{
			PartitionBoundSpec *spec = stringToNode(TextDatumGetCString(bound));

			if (!spec->is_default && spec->strategy == PARTITION_STRATEGY_RANGE)
			{
				PartitionRangeDatum *lower = linitial_node(PartitionRangeDatum, spec->lowerdatums);
				PartitionRangeDatum *upper = linitial_node(PartitionRangeDatum, spec->upperdatums);

				if (lower->kind == PARTITION_RANGE_DATUM_VALUE)
					period.from = DatumGetTimestampTz(castNode(Const, lower->value)->constvalue);
				if (upper->kind == PARTITION_RANGE_DATUM_VALUE)
					period.to = DatumGetTimestampTz(castNode(Const, upper->value)->constvalue) +
						(list_length(spec->upperdatums) > 1 ? 1 : 0);
			}
		}
		ReleaseSysCache(tuple);
	}
	return period;
}

/*
 * Appends the number of a row of a catalog, as it is now, and of the transaction
 * that wrote it; clears *is_seen where the snapshot does not see that one.
 */
static bool
catalog_row(Oid catalog, Oid index, AttrNumber key_column, Oid key,
			bool (*wanted) (HeapTuple tuple, Oid arg), Oid arg, StringInfo stamp, bool *is_seen)
{
	Relation	rel = table_open(catalog, AccessShareLock);
	ScanKeyData scankey;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&scankey, key_column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(key));
	scan = systable_beginscan(rel, index, true, NULL, 1, &scankey);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (!wanted(tuple, arg))
			continue;
		/* oid is the first column of either catalog */
		appendStringInfo(stamp, ".%u.%u",
						 catalog == TriggerRelationId ? ((Form_pg_trigger) GETSTRUCT(tuple))->oid :
						 ((Form_pg_rewrite) GETSTRUCT(tuple))->oid,
						 HeapTupleHeaderGetRawXmin(tuple->t_data));
		if (!HeapTupleHeaderXminFrozen(tuple->t_data) &&
			!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmin(tuple->t_data)) &&
			XidInMVCCSnapshot(HeapTupleHeaderGetRawXmin(tuple->t_data), GetActiveSnapshot()))
			*is_seen = false;
		found = true;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

static bool
is_mark_trigger(HeapTuple tuple, Oid function)
{
	Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
	int16		type = TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE;

	return trigger->tgfoid == function && trigger->tgtype == type &&
		trigger->tgenabled == TRIGGER_FIRES_ALWAYS && trigger->tgattr.dim1 == 0 &&
		heap_attisnull(tuple, Anum_pg_trigger_tgqual, NULL);
}

static bool
is_any(HeapTuple tuple, Oid arg)
{
	return true;
}

/*
 * What a table or partition is: another one where it was emptied or rewritten
 * (its file), detached, attached, or without its trigger for a while (the row
 * of the trigger, which all of these make anew).  NULL: nobody can know whether
 * it changes.
 */
static char *
relation_stamp(Oid relid, Oid trigger_function, bool *is_seen)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Form_pg_class class;
	StringInfoData stamp;
	bool		is_known;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	class = (Form_pg_class) GETSTRUCT(tuple);
	initStringInfo(&stamp);
	appendStringInfo(&stamp, UINT64_FORMAT ".%u.%u.%u", GetSystemIdentifier(), MyDatabaseId, relid, class->relfilenode);
	if (class->relkind == RELKIND_VIEW)
		is_known = catalog_row(RewriteRelationId, RewriteRelRulenameIndexId,
							   Anum_pg_rewrite_ev_class, relid, is_any, InvalidOid, &stamp, is_seen);
	else
		is_known = class->relkind == RELKIND_RELATION &&
			class->relpersistence != RELPERSISTENCE_UNLOGGED && /* emptied by a crash */
			catalog_row(TriggerRelationId, TriggerRelidNameIndexId,
						Anum_pg_trigger_tgrelid, relid, is_mark_trigger, trigger_function, &stamp, is_seen);
	ReleaseSysCache(tuple);
	return is_known ? stamp.data : NULL;
}

static void
put_partition(ReturnSetInfo *rsinfo, Oid relid, Period period, Oid trigger_function)
{
	bool		is_seen = true;
	char	   *stamp = relation_stamp(relid, trigger_function, &is_seen);
	Datum		values[5];
	bool		nulls[5] = {false, false, false, stamp == NULL, false};

	values[0] = ObjectIdGetDatum(relid);
	values[1] = TimestampTzGetDatum(period.from);
	values[2] = TimestampTzGetDatum(period.to);
	values[3] = stamp == NULL ? (Datum) 0 : CStringGetTextDatum(stamp);
	values[4] = BoolGetDatum(is_seen);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * usage_partitions(usage, from, to): those that may hold calls of a time, as
 * they are now, whatever the snapshot.  They stay locked against TRUNCATE, DROP
 * and DETACH, as if they had been read, until the transaction ends: what is
 * read of them next is what the stamps are of.
 */
Datum
usage_partitions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			usage = PG_GETARG_OID(0);
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(1);
	TimestampTz to = PG_GETARG_TIMESTAMPTZ(2);
	Oid			function;
	Oid			no_args[1];
	Period		always = {DT_NOBEGIN, DT_NOEND};
	Relation	rel;
	List	   *children;
	ListCell   *cell;
	bool		by_time;

	InitMaterializedSRF(fcinfo, 0);
	function = LookupFuncName(list_make2(makeString(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid))),
										 makeString("mark_usage")), 0, no_args, false);
	/* nobody locks what he may not read at all */
	if (pg_class_aclcheck(usage, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(usage, GetUserId(), ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(usage));
	rel = relation_open(usage, AccessShareLock);
	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
	{
		put_partition(rsinfo, usage, always, function);
		relation_close(rel, NoLock);
		PG_RETURN_NULL();
	}
	by_time = RelationGetPartitionKey(rel)->parttypid[0] == TIMESTAMPTZOID &&
		RelationGetPartitionKey(rel)->partattrs[0] != InvalidAttrNumber &&
		RelationGetPartitionKey(rel)->partattrs[0] == get_attnum(usage, "at");

	/*
	 * one that was attached while the lock of another was waited for is one
	 * of them
	 */
	do
	{
		children = find_inheritance_children(usage, NoLock);
		foreach(cell, children)
		{
			Period		period = partition_period(lfirst_oid(cell), by_time);

			if (period.from < to && period.to > from)
				LockRelationOid(lfirst_oid(cell), AccessShareLock);
		}
	} while (!equal(children, find_inheritance_children(usage, NoLock)));
	foreach(cell, children)
	{
		Oid			child = lfirst_oid(cell);
		Period		period = partition_period(child, by_time);
		ListCell   *leaf;

		if (period.from >= to || period.to <= from || !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(child)))
			continue;
		foreach(leaf, find_all_inheritors(child, AccessShareLock, NULL))
			if (get_rel_relkind(lfirst_oid(leaf)) != RELKIND_PARTITIONED_TABLE)
			put_partition(rsinfo, lfirst_oid(leaf), period, function);
	}
	relation_close(rel, NoLock);
	PG_RETURN_NULL();
}

/*
 * Digests
 */

typedef struct Digest
{
	StringInfoData bytes;		/* not yet in the hashes */
	uint64		hash[2];
} Digest;

static void
digest_flush(Digest *digest)
{
	for (int i = 0; i < 2; i++)
		digest->hash[i] = hash_bytes_extended((unsigned char *) digest->bytes.data, digest->bytes.len,
											  digest->hash[i] + i * UINT64CONST(0x9E3779B97F4A7C15));
	resetStringInfo(&digest->bytes);
}

static void
digest_int(Digest *digest, int64 value)
{
	appendBinaryStringInfo(&digest->bytes, (char *) &value, sizeof(value));
}

static void
digest_string(Digest *digest, const char *data, int len)
{
	digest_int(digest, len);
	appendBinaryStringInfo(&digest->bytes, data, len);
}

/* Everything of a row that decides what it prices, and at what. */
static void
digest_row(Digest *digest, const PriceBook *book, const BookRow *row)
{
	digest_string(digest, (const char *) &row->rates.currency, sizeof(Currency));
	digest_int(digest, row->rates.named);
	for (int m = 0; m < N_METERS; m++)
		digest_int(digest, (row->rates.named & METER_BIT(m)) ? row->rates.rate[m] : -1);
	digest_int(digest, row->above);
	digest_int(digest, row->basis);
	digest_int(digest, row->mode);
	digest_int(digest, row->n_windows);
	if (row->n_windows > 0)
		digest_string(digest, BOOK_STRING(book, row->zone), row->zone.len);
	for (uint32 w = 0; w < row->n_windows; w++)
	{
		const BookWindow *window = &BOOK_ARRAY(book, BookWindow, windows)[row->first_window + w];

		digest_int(digest, window->from);
		digest_int(digest, window->to);
	}
}

/* What a book says of a name in a stretch of time. */
static void
digest_name(Digest *digest, const PriceBook *book, const ModelName *name, TimestampTz from, TimestampTz to)
{
	digest_int(digest, name->n_models);
	for (uint32 i = 0; i < name->n_models; i++)
	{
		const BookModel *model = &BOOK_ARRAY(book, BookModel, models)[name->model[i]];

		digest_int(digest, model->layer == book->n_layers - 1); /* the list price */
		digest_int(digest, name->through_alias[i]);
		digest_int(digest, model->n_tiers);
		for (uint32 t = 0; t < model->n_tiers; t++)
		{
			const BookTier *tier = &BOOK_ARRAY(book, BookTier, tiers)[model->first_tier + t];

			digest_string(digest, BOOK_STRING(book, tier->service_tier), tier->service_tier.len);
			for (uint32 s = 0; s < tier->n_segments; s++)
			{
				const BookSegment *segment = &BOOK_ARRAY(book, BookSegment, segments)[tier->first_segment + s];
				const uint32 *numbers = BOOK_ARRAY(book, uint32, row_numbers) + segment->first_row;

				if (segment->from >= to || segment->to <= from)
					continue;
				digest_int(digest, Max(segment->from, from));
				digest_int(digest, Min(segment->to, to));
				digest_int(digest, segment->n_base);
				digest_int(digest, segment->n_off_peak);
				for (int r = 0; r < segment->n_base + segment->n_off_peak; r++)
					digest_row(digest, book, &BOOK_ARRAY(book, BookRow, rows)[numbers[r]]);
			}
			digest_int(digest, -1);
		}
	}
	digest_flush(digest);
}

/* What a call of price_digest() keeps for the next. */
typedef struct DigestMemo
{
	void	   *book;
	NameCache	names;
} DigestMemo;

/*
 * price_digest(book, providers, models, from, to): equal where the book prices
 * all calls of these names and this time alike, at all service tiers.
 */
Datum
price_digest(PG_FUNCTION_ARGS)
{
	DigestMemo *memo = fcinfo->flinfo->fn_extra;
	const PriceBook *book;
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(3);
	TimestampTz to = PG_GETARG_TIMESTAMPTZ(4);
	Datum	   *names[2];
	bool	   *nulls[2];
	int			n_names[2];
	Digest		digest = {0};
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));

	if (memo == NULL)
	{
		memo = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(DigestMemo));
		name_cache_init(&memo->names, fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = memo;
	}
	book = price_book_arg(fcinfo, 0, NULL);
	for (int i = 0; i < 2; i++)
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(1 + i), TEXTOID, -1, false, TYPALIGN_INT,
						  &names[i], &nulls[i], &n_names[i]);
	if (n_names[0] != n_names[1])
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there are %d providers for %d models", n_names[0], n_names[1])));
	initStringInfo(&digest.bytes);
	for (int i = 0; i < n_names[0]; i++)
	{
		Bytes		provider = {"", 0};
		Bytes		model = {"", 0};

		CHECK_FOR_INTERRUPTS();
		if (!nulls[0][i])
			provider = packed_bytes(names[0][i]);
		if (!nulls[1][i])
			model = packed_bytes(names[1][i]);
		digest_name(&digest, book,
					name_cache_get(&memo->names, book, provider.data, provider.len, model.data, model.len),
					from, to);
	}
	digest_flush(&digest);
	memcpy(result->data, digest.hash, UUID_LEN);
	PG_RETURN_UUID_P(result);
}

/*
 * Reading
 */

/*
 * Whether a role reads all rows of a table, or of the tables that a view is
 * over: no row security, and the right to read each.
 */
static bool
reads_all(Oid relid, Oid role, int depth)
{
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData key[2];
	HeapTuple	tuple;
	HeapTuple	rule;
	Oid			rule_oid = InvalidOid;
	bool		result = true;

	check_stack_depth();
	if (pg_class_aclcheck(relid, role, ACL_SELECT) != ACLCHECK_OK ||
		check_enable_rls(relid, role, true) == RLS_ENABLED)
		return false;
	if (get_rel_relkind(relid) != RELKIND_VIEW)
		return true;
	if (depth > 32)
		return false;

	rel = table_open(RewriteRelationId, AccessShareLock);
	ScanKeyInit(&key[0], Anum_pg_rewrite_ev_class, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, RewriteRelRulenameIndexId, true, NULL, 1, key);
	if (HeapTupleIsValid(rule = systable_getnext(scan)))
		rule_oid = ((Form_pg_rewrite) GETSTRUCT(rule))->oid;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

	rel = table_open(DependRelationId, AccessShareLock);
	ScanKeyInit(&key[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(RewriteRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(rule_oid));
	scan = systable_beginscan(rel, DependDependerIndexId, true, NULL, 2, key);
	while (result && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);

		if (depend->refclassid == RelationRelationId && depend->refobjid != relid)
			result = reads_all(depend->refobjid, role, depth + 1);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return result;
}

Datum
reads_all_rows(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(reads_all(PG_GETARG_OID(0), GetUserId(), 0));
}

/*
 * What a function of an install says, with the rights of the owner; nothing to a
 * role that does not read all of what it was made of.  The arguments behind the
 * first, the table of calls, are those of the function; but for "nullable" none
 * is NULL.  True: SPI is connected, and has the answer.
 *
 * In C, because a function that runs with its owner's rights cannot tell who
 * called it.
 */
static bool
read_as_owner(FunctionCallInfo fcinfo, const char *name, int nullable)
{
	static const char *const read[] = {"setting", "price", "model_alias"};
	Oid			usage = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);
	Oid			schema = get_rel_namespace(usage);
	int			n_args = PG_NARGS() - 1;
	Oid			argtypes[FUNC_MAX_ARGS];
	Datum		values[FUNC_MAX_ARGS];
	char		nulls[FUNC_MAX_ARGS];
	char	   *schema_name;
	Oid			function;
	HeapTuple	tuple;
	Oid			owner;
	Oid			save_user;
	int			save_context;
	StringInfoData sql;

	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i) && i != nullable)
			return false;
	if (schema == InvalidOid || !reads_all(usage, GetUserId(), 0))
		return false;
	for (int i = 0; i < lengthof(read); i++)
	{
		Oid			relid = get_relname_relid(read[i], schema);

		if (relid == InvalidOid || !reads_all(relid, GetUserId(), 0))
			return false;
	}

	/* the owner's function on the owner's table, or none */
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(usage));
	if (!HeapTupleIsValid(tuple))
		return false;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	schema_name = get_namespace_name(schema);
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", fcinfo->flinfo->fn_oid);
	memcpy(argtypes, ((Form_pg_proc) GETSTRUCT(tuple))->proargtypes.values + 1, n_args * sizeof(Oid));
	ReleaseSysCache(tuple);
	function = LookupFuncName(list_make2(makeString(schema_name), makeString(pstrdup(name))),
							  n_args, argtypes, true);
	if (function == InvalidOid)
		return false;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple) || ((Form_pg_proc) GETSTRUCT(tuple))->proowner != owner)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("function %s.%s() does not belong to the owner of \"%s\"",
						quote_identifier(schema_name), name, get_rel_name(usage)),
				 errhint("Let one role own all of an install.")));
	ReleaseSysCache(tuple);

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT s.* FROM %s.%s(", quote_identifier(schema_name), name);
	for (int i = 0; i < n_args; i++)
	{
		values[i] = PG_GETARG_DATUM(i + 1);
		nulls[i] = PG_ARGISNULL(i + 1) ? 'n' : ' ';
		appendStringInfo(&sql, "%s$%d", i == 0 ? "" : ", ", i + 1);
	}
	appendStringInfoString(&sql, ") s");
	SPI_connect();
	GetUserIdAndSecContext(&save_user, &save_context);
	SetUserIdAndSecContext(owner, save_context | SECURITY_LOCAL_USERID_CHANGE);
	if (SPI_execute_with_args(sql.data, n_args, argtypes, values, nulls, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read what is settled");
	SetUserIdAndSecContext(save_user, save_context);
	return true;
}

/*
 * A row of what read_as_owner() has read, as the function declares it.  A function
 * of an install is its owner's: it may return anything.
 */
static HeapTuple
converted_row(HeapTuple row, TupleDesc desc)
{
	TupleConversionMap *map;

	map = convert_tuples_by_position(SPI_tuptable->tupdesc, desc,
									 gettext_noop("a function of the install does not return what it should"));
	if (map == NULL)
		return row;
	row = execute_attr_map_tuple(row, map);
	free_conversion_map(map);
	return row;
}

/*
 * stored_usage(usage, grain, zone, from, to, dimension, book): what the settled
 * days of an install say.
 */
Datum
stored_usage(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		result;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "stored_usage() must return a row");
	desc = BlessTupleDesc(desc);
	if (!read_as_owner(fcinfo, "settled_ledger", 5))	/* no dimension */
		PG_RETURN_NULL();
	if (SPI_processed != 1)
		elog(ERROR, "could not read the settled days");
	result = PointerGetDatum(SPI_returntuple(converted_row(SPI_tuptable->vals[0], desc), desc));
	SPI_finish();
	PG_RETURN_DATUM(result);
}

/*
 * stored_measures(usage, what, zone, from, to, book): what is stored of the
 * settled months of an install.
 */
Datum
stored_measures(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	if (read_as_owner(fcinfo, "settled_measures", 5))	/* no prices */
	{
		for (uint64 i = 0; i < SPI_processed; i++)
			tuplestore_puttuple(rsinfo->setResult, converted_row(SPI_tuptable->vals[i], rsinfo->setDesc));
		SPI_finish();
	}
	PG_RETURN_NULL();
}
