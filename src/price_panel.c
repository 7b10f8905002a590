/*-------------------------------------------------------------------------
 *
 * price_panel.c
 *	  The type price_panel: prices and quantities of items over periods; and
 *	  the chained, fixed-base and multilateral indices of one.
 *
 * A cell is an item in a period, with sums over its observations: its price is
 * the unit value.  In memory a panel is an expanded object, cells found by
 * hashing.  Stored, cells lie in the order of period and name, so that equal
 * panels are equal bytes and two periods are compared by merging their cells.
 *
 *-------------------------------------------------------------------------
 */
#include "index.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "json.h"
#include "ledger.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "scan.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"
#include "utils/float.h"
#include "utils/json.h"
#include "utils/memutils.h"

#define PANEL_TYPE "price_panel"
#define PANEL_FORMAT 1
#define EXPANDED_PANEL_MAGIC 0x70616e6c

SQL_FUNCTION(price_panel_in);
SQL_FUNCTION(price_panel_out);
SQL_FUNCTION(price_panel_recv);
SQL_FUNCTION(price_panel_send);
SQL_FUNCTION(price_panel_add);
SQL_FUNCTION(price_panel_merge);
SQL_FUNCTION(price_panel_cells);
SQL_FUNCTION(price_panel_chained);
SQL_FUNCTION(price_panel_fixed_base);
SQL_FUNCTION(price_panel_geks);
SQL_FUNCTION(price_panel_weighted_geks);
SQL_FUNCTION(ledger_chained_index);
SQL_FUNCTION(ledger_geks_index);
SQL_FUNCTION(ledger_weighted_geks_index);

/* An item in a period; no padding. */
typedef struct PanelCell
{
	TimestampTz period;
	uint32		item;
	uint32		reserved;		/* zero */
	double		observations;
	double		without_quantity;	/* of the observations */
	Sum			value;			/* price * quantity */
	Sum			quantity;
	Sum			price;			/* of all observations */
} PanelCell;

typedef struct PanelItem
{
	const char *data;			/* not terminated */
	int			len;
} PanelItem;

/* Strings of bytes, numbered as they come. */
typedef struct ItemPool
{
	MemoryContext context;
	PanelItem  *items;
	uint32		n_items;
	uint32		max_items;
	uint32	   *slots;			/* item number + 1; 0: free */
	uint32		n_slots;		/* a power of two */
} ItemPool;

/* The stored form: cells, then where each name ends, then the names. */
typedef struct FlatPanel
{
	int32		vl_len_;
	uint32		format;
	uint32		n_items;
	uint32		n_cells;
	PanelCell	cells[FLEXIBLE_ARRAY_MEMBER];
} FlatPanel;

typedef struct Panel
{
	ExpandedObjectHeader hdr;
	int			magic;
	ItemPool	names;
	PanelCell  *cells;
	uint32		n_cells;
	uint32		max_cells;
	uint32	   *cell_slots;		/* cell number + 1; 0: free */
	uint32		n_cell_slots;
	FlatPanel  *flat;			/* its stored form, once it was asked for */
} Panel;

/* A panel as it is read, whichever form it has. */
typedef struct PanelView
{
	const PanelCell *cells;
	uint32		n_cells;
	uint32		n_items;
	bool		is_sorted;		/* by period and name */
	const Panel *panel;
	const FlatPanel *flat;
} PanelView;

/*
 * The stored form
 */

static inline const uint32 *
flat_ends(const FlatPanel *flat)
{
	return (const uint32 *) &flat->cells[flat->n_cells];
}

static PanelItem
flat_item(const FlatPanel *flat, uint32 item)
{
	const uint32 *ends = flat_ends(flat);
	uint32		from = item == 0 ? 0 : ends[item - 1];
	PanelItem	result;

	result.data = (const char *) &ends[flat->n_items] + from;
	result.len = ends[item] - from;
	return result;
}

static PanelItem
view_item(const PanelView *view, uint32 item)
{
	return view->flat != NULL ? flat_item(view->flat, item) : view->panel->names.items[item];
}

static NO_RETURN void
panel_corrupted(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("corrupted value of type %s", PANEL_TYPE)));
}

static NO_RETURN void
panel_too_large(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("value of type %s is too large", PANEL_TYPE),
			 errdetail("It has at most 1 GB when it is stored: about 12 million prices."),
			 errhint("Use longer periods.")));
}

static int
compare_item_names(const void *a, const void *b, void *items)
{
	const PanelItem *x = &((const PanelItem *) items)[*(const uint32 *) a];
	const PanelItem *y = &((const PanelItem *) items)[*(const uint32 *) b];
	int			order = memcmp(x->data, y->data, Min(x->len, y->len));

	return order != 0 ? order : x->len - y->len;
}

static int
compare_cells(const void *a, const void *b)
{
	const PanelCell *x = a;
	const PanelCell *y = b;

	if (x->period != y->period)
		return x->period < y->period ? -1 : 1;
	return x->item < y->item ? -1 : x->item > y->item;
}

static FlatPanel *
panel_flat(Panel *panel)
{
	uint32	   *order;
	uint32	   *rank;
	FlatPanel  *flat;
	uint32	   *ends;
	char	   *name;
	Size		size = offsetof(FlatPanel, cells);

	if (panel->flat != NULL)
		return panel->flat;
	size += (Size) panel->n_cells * sizeof(PanelCell) + (Size) panel->names.n_items * sizeof(uint32);
	for (uint32 i = 0; i < panel->names.n_items; i++)
		size += panel->names.items[i].len;
	if (size > MaxAllocSize)
		panel_too_large();

	order = palloc(Max(panel->names.n_items, 1) * sizeof(uint32));
	rank = palloc(Max(panel->names.n_items, 1) * sizeof(uint32));
	for (uint32 i = 0; i < panel->names.n_items; i++)
		order[i] = i;
	qsort_arg(order, panel->names.n_items, sizeof(uint32), compare_item_names, panel->names.items);
	for (uint32 i = 0; i < panel->names.n_items; i++)
		rank[order[i]] = i;

	flat = MemoryContextAlloc(panel->hdr.eoh_context, size);
	SET_VARSIZE(flat, size);
	flat->format = PANEL_FORMAT;
	flat->n_items = panel->names.n_items;
	flat->n_cells = panel->n_cells;
	for (uint32 i = 0; i < panel->n_cells; i++)
	{
		flat->cells[i] = panel->cells[i];
		flat->cells[i].item = rank[panel->cells[i].item];
	}
	qsort(flat->cells, flat->n_cells, sizeof(PanelCell), compare_cells);
	ends = (uint32 *) flat_ends(flat);
	name = (char *) &ends[flat->n_items];
	for (uint32 i = 0; i < panel->names.n_items; i++)
	{
		const PanelItem *item = &panel->names.items[order[i]];

		memcpy(name, item->data, item->len);
		name += item->len;
		ends[i] = (i == 0 ? 0 : ends[i - 1]) + item->len;
	}
	pfree(order);
	pfree(rank);
	panel->flat = flat;
	return flat;
}

static Size
expanded_size(ExpandedObjectHeader *eohptr)
{
	return VARSIZE(panel_flat((Panel *) eohptr));
}

static void
expanded_flatten(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	FlatPanel  *flat = panel_flat((Panel *) eohptr);

	Assert(VARSIZE(flat) == allocated_size);
	memcpy(result, flat, allocated_size);
}

static const ExpandedObjectMethods expanded_panel_methods = {
	expanded_size,
	expanded_flatten
};

static Panel *
panel_make(MemoryContext parent)
{
	MemoryContext mine = AllocSetContextCreate(parent, "price_panel", ALLOCSET_DEFAULT_SIZES);
	Panel	   *panel = MemoryContextAllocZero(mine, sizeof(Panel));

	EOH_init_header(&panel->hdr, &expanded_panel_methods, mine);
	panel->magic = EXPANDED_PANEL_MAGIC;
	panel->names.context = mine;
	return panel;
}

/*
 * Items and cells
 */

static void
pool_rehash(ItemPool *pool, uint32 n_slots)
{
	if (pool->slots != NULL)
		pfree(pool->slots);
	pool->slots = MemoryContextAllocExtended(pool->context, n_slots * sizeof(uint32),
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	pool->n_slots = n_slots;
	for (uint32 i = 0; i < pool->n_items; i++)
	{
		uint32		slot = hash_bytes((const unsigned char *) pool->items[i].data,
									  pool->items[i].len) & (n_slots - 1);

		while (pool->slots[slot] != 0)
			slot = (slot + 1) & (n_slots - 1);
		pool->slots[slot] = i + 1;
	}
}

/* The number of a string, which is added where the pool lacks it. */
static uint32
pool_item(ItemPool *pool, const char *data, int len)
{
	PanelItem  *item;
	char	   *copy;
	uint32		slot;

	if (pool->n_items * 2 >= pool->n_slots)
		pool_rehash(pool, Max(pool->n_slots * 2, 64));
	slot = hash_bytes((const unsigned char *) data, len) & (pool->n_slots - 1);
	while (pool->slots[slot] != 0)
	{
		item = &pool->items[pool->slots[slot] - 1];
		if (item->len == len && memcmp(item->data, data, len) == 0)
			return pool->slots[slot] - 1;
		slot = (slot + 1) & (pool->n_slots - 1);
	}
	if (pool->n_items >= pool->max_items)
	{
		pool->max_items = Max(pool->max_items * 2, 32);
		pool->items = pool->items == NULL ?
			MemoryContextAlloc(pool->context, pool->max_items * sizeof(PanelItem)) :
			repalloc_huge(pool->items, pool->max_items * sizeof(PanelItem));
	}
	copy = MemoryContextAlloc(pool->context, len + 1);
	memcpy(copy, data, len);
	pool->items[pool->n_items].data = copy;
	pool->items[pool->n_items].len = len;
	pool->slots[slot] = ++pool->n_items;
	return pool->n_items - 1;
}

static inline uint32
panel_item(Panel *panel, const char *data, int len)
{
	return pool_item(&panel->names, data, len);
}

static inline uint32
cell_hash(TimestampTz period, uint32 item)
{
	return murmurhash32((uint32) period ^ (uint32) (period >> 32) * 0x9E3779B1U ^ item * 0x85EBCA6BU);
}

static void
rehash_cells(Panel *panel, uint32 n_slots)
{
	if (panel->cell_slots != NULL)
		pfree(panel->cell_slots);
	panel->cell_slots = MemoryContextAllocExtended(panel->hdr.eoh_context, n_slots * sizeof(uint32),
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	panel->n_cell_slots = n_slots;
	for (uint32 i = 0; i < panel->n_cells; i++)
	{
		uint32		slot = cell_hash(panel->cells[i].period, panel->cells[i].item) & (n_slots - 1);

		while (panel->cell_slots[slot] != 0)
			slot = (slot + 1) & (n_slots - 1);
		panel->cell_slots[slot] = i + 1;
	}
}

/* The cell of an item in a period, to be added to; new ones are zeros. */
static PanelCell *
panel_cell(Panel *panel, TimestampTz period, uint32 item)
{
	PanelCell  *cell;
	uint32		slot;

	if (panel->flat != NULL)
	{
		pfree(panel->flat);
		panel->flat = NULL;
	}
	if (panel->n_cells * 2 >= panel->n_cell_slots)
	{
		if (panel->n_cells >= MaxAllocSize / sizeof(PanelCell))
			panel_too_large();
		rehash_cells(panel, Max(panel->n_cell_slots * 2, 64));
	}
	slot = cell_hash(period, item) & (panel->n_cell_slots - 1);
	while (panel->cell_slots[slot] != 0)
	{
		cell = &panel->cells[panel->cell_slots[slot] - 1];
		if (cell->period == period && cell->item == item)
			return cell;
		slot = (slot + 1) & (panel->n_cell_slots - 1);
	}
	if (panel->n_cells >= panel->max_cells)
	{
		panel->max_cells = Max(panel->max_cells * 2, 32);
		panel->cells = panel->cells == NULL ?
			MemoryContextAlloc(panel->hdr.eoh_context, panel->max_cells * sizeof(PanelCell)) :
			repalloc_huge(panel->cells, panel->max_cells * sizeof(PanelCell));
	}
	cell = &panel->cells[panel->n_cells];
	memset(cell, 0, sizeof(PanelCell));
	cell->period = period;
	cell->item = item;
	panel->cell_slots[slot] = ++panel->n_cells;
	return cell;
}

static void
merge_cell(PanelCell *into, const PanelCell *from)
{
	into->observations += from->observations;
	into->without_quantity += from->without_quantity;
	sum_merge(&into->value, &from->value);
	sum_merge(&into->quantity, &from->quantity);
	sum_merge(&into->price, &from->price);
	if (isinf(into->value.high) || isinf(into->quantity.high) || isinf(into->price.high))
		float_overflow_error();
}

/* The unit value; the mean price where nobody knows how much of each. */
static double
cell_price(const PanelCell *cell)
{
	double		quantity = sum_value(&cell->quantity);

	if (cell->without_quantity > 0 || quantity <= 0)
		return sum_value(&cell->price) / cell->observations;
	return sum_value(&cell->value) / quantity;
}

static double
cell_quantity(const PanelCell *cell)
{
	return cell->without_quantity > 0 ? get_float8_nan() : sum_value(&cell->quantity);
}

/*
 * Arguments
 */

static PanelView
panel_arg(FunctionCallInfo fcinfo, int argno)
{
	Datum		datum = PG_GETARG_DATUM(argno);
	PanelView	view = {0};

	if (VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(datum)))
	{
		Panel	   *panel = (Panel *) DatumGetEOHP(datum);

		if (panel->magic != EXPANDED_PANEL_MAGIC)
			panel_corrupted();
		view.cells = panel->cells;
		view.n_cells = panel->n_cells;
		view.n_items = panel->names.n_items;
		view.panel = panel;
	}
	else
	{
		FlatPanel  *flat = (FlatPanel *) PG_DETOAST_DATUM(datum);

		if (VARSIZE(flat) < offsetof(FlatPanel, cells) || flat->format != PANEL_FORMAT)
			panel_corrupted();
		view.cells = flat->cells;
		view.n_cells = flat->n_cells;
		view.n_items = flat->n_items;
		view.is_sorted = true;
		view.flat = flat;
	}
	return view;
}

static void
add_panel(Panel *into, const PanelView *from)
{
	uint32	   *number = palloc(Max(from->n_items, 1) * sizeof(uint32));

	for (uint32 i = 0; i < from->n_items; i++)
	{
		PanelItem	item = view_item(from, i);

		number[i] = panel_item(into, item.data, item.len);
	}
	for (uint32 i = 0; i < from->n_cells; i++)
		merge_cell(panel_cell(into, from->cells[i].period, number[from->cells[i].item]), &from->cells[i]);
	pfree(number);
}

/* The state of an aggregate, fit to be changed; a new one where there is none. */
static Panel *
panel_state(FunctionCallInfo fcinfo, const char *caller)
{
	MemoryContext aggcontext;
	Panel	   *panel;

	if (!AggCheckCallContext(fcinfo, &aggcontext))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s is called by aggregates only", caller)));
	if (PG_ARGISNULL(0))
		return panel_make(aggcontext);
	if (VARATT_IS_EXTERNAL_EXPANDED_RW(PG_GETARG_POINTER(0)))
	{
		panel = (Panel *) DatumGetEOHP(PG_GETARG_DATUM(0));
		if (panel->magic != EXPANDED_PANEL_MAGIC)
			panel_corrupted();
	}
	else
	{
		PanelView	view = panel_arg(fcinfo, 0);

		panel = panel_make(aggcontext);
		add_panel(panel, &view);
	}
	return panel;
}

/* price_panel_add(state, period, item, price, quantity) */
Datum
price_panel_add(PG_FUNCTION_ARGS)
{
	Panel	   *panel = panel_state(fcinfo, "price_panel_add");
	TimestampTz period;
	Bytes		item;
	PanelCell  *cell;
	double		price;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s of a price must not be null", PG_ARGISNULL(1) ? "period" : "item")));
	period = PG_GETARG_TIMESTAMPTZ(1);
	if (TIMESTAMP_NOT_FINITE(period))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("the period of a price must not be infinite")));
	/* no price: the item is not there then */
	if (PG_ARGISNULL(3))
		PG_RETURN_DATUM(EOHPGetRWDatum(&panel->hdr));
	item = packed_bytes(PG_GETARG_DATUM(2));
	price = index_checked(PG_GETARG_FLOAT8(3), "price");
	cell = panel_cell(panel, period, panel_item(panel, item.data, item.len));
	cell->observations++;
	sum_add(&cell->price, price);
	if (PG_ARGISNULL(4))
		cell->without_quantity++;
	else
	{
		double		quantity = index_checked(PG_GETARG_FLOAT8(4), "quantity");

		sum_add(&cell->quantity, quantity);
		sum_add(&cell->value, price * quantity);
		if (isinf(cell->value.high) || isinf(cell->quantity.high))
			float_overflow_error();
	}
	if (isinf(cell->price.high))
		float_overflow_error();
	PG_RETURN_DATUM(EOHPGetRWDatum(&panel->hdr));
}

Datum
price_panel_merge(PG_FUNCTION_ARGS)
{
	Panel	   *panel;
	PanelView	more;

	if (PG_ARGISNULL(1))
	{
		MemoryContext aggcontext;

		if (!AggCheckCallContext(fcinfo, &aggcontext) || PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	panel = panel_state(fcinfo, "price_panel_merge");
	more = panel_arg(fcinfo, 1);
	add_panel(panel, &more);
	PG_RETURN_DATUM(EOHPGetRWDatum(&panel->hdr));
}

/*
 * Text and binary forms
 */

/* In the order of the stored form, whichever it has. */
static PanelView
sorted_panel_arg(FunctionCallInfo fcinfo, int argno)
{
	PanelView	view = panel_arg(fcinfo, argno);

	if (!view.is_sorted)
	{
		view.flat = panel_flat((Panel *) view.panel);
		view.cells = view.flat->cells;
		view.is_sorted = true;
	}
	return view;
}

#define N_CELL_DOUBLES 8

static void
cell_doubles(const PanelCell *cell, double *values)
{
	values[0] = cell->observations;
	values[1] = cell->without_quantity;
	values[2] = cell->value.high;
	values[3] = cell->value.low;
	values[4] = cell->quantity.high;
	values[5] = cell->quantity.low;
	values[6] = cell->price.high;
	values[7] = cell->price.low;
}

/* Puts a cell that was read into the panel; false where it makes no sense. */
static bool
take_cell(Panel *panel, TimestampTz period, uint32 item, const double *values)
{
	PanelCell  *cell;

	for (int i = 0; i < N_CELL_DOUBLES; i++)
		if (isnan(values[i]) || isinf(values[i]))
			return false;
	if (TIMESTAMP_NOT_FINITE(period) || !IS_VALID_TIMESTAMP(period) ||
		values[0] < 1 || values[1] < 0 || values[1] > values[0] ||
		values[2] + values[3] < 0 || values[4] + values[5] < 0 || values[6] + values[7] < 0 ||
		isinf(values[2] + values[3]) || isinf(values[4] + values[5]) || isinf(values[6] + values[7]))
		return false;
	cell = panel_cell(panel, period, item);
	if (cell->observations > 0)
		return false;
	cell->observations = values[0];
	/* a zero added: the text form knows no negative one */
	cell->without_quantity = values[1] + 0.0;
	cell->value.high = values[2] + 0.0;
	cell->value.low = values[3] + 0.0;
	cell->quantity.high = values[4] + 0.0;
	cell->quantity.low = values[5] + 0.0;
	cell->price.high = values[6] + 0.0;
	cell->price.low = values[7] + 0.0;
	return true;
}

Datum
price_panel_out(PG_FUNCTION_ARGS)
{
	PanelView	view = sorted_panel_arg(fcinfo, 0);
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '[');
	for (uint32 i = 0; i < view.n_cells; i++)
	{
		const PanelCell *cell = &view.cells[i];
		PanelItem	item = view_item(&view, cell->item);
		char	   *name = pnstrdup(item.data, item.len);
		double		values[N_CELL_DOUBLES];

		CHECK_FOR_INTERRUPTS();
		appendStringInfoString(&buf, i == 0 ? "[" : ", [");
		json_append_time(&buf, cell->period);
		appendStringInfoString(&buf, ", ");
		escape_json(&buf, name);
		cell_doubles(cell, values);
		for (int v = 0; v < N_CELL_DOUBLES; v++)
		{
			appendStringInfoString(&buf, ", ");
			append_double(&buf, values[v]);
		}
		appendStringInfoChar(&buf, ']');
		pfree(name);
	}
	appendStringInfoChar(&buf, ']');
	PG_RETURN_CSTRING(buf.data);
}

Datum
price_panel_in(PG_FUNCTION_ARGS)
{
	Datum		parsed = DirectFunctionCall1(jsonb_in, PG_GETARG_DATUM(0));
	Jsonb	   *jsonb = DatumGetJsonbP(parsed);
	Panel	   *panel = panel_make(CurrentMemoryContext);
	uint32		n;

	if (!JB_ROOT_IS_ARRAY(jsonb) || JB_ROOT_IS_SCALAR(jsonb))
		json_refuse(PANEL_TYPE, "It is not a list.");
	n = JB_ROOT_COUNT(jsonb);
	for (uint32 i = 0; i < n; i++)
	{
		JsonbValue *v = getIthJsonbValueFromContainer(&jsonb->root, i);
		JsonbContainer *list;
		JsonbValue *name;
		TimestampTz period;
		double		values[N_CELL_DOUBLES];

		CHECK_FOR_INTERRUPTS();
		if (v->type != jbvBinary || !JsonContainerIsArray(v->val.binary.data) ||
			JsonContainerSize(v->val.binary.data) != N_CELL_DOUBLES + 2)
			json_refuse(PANEL_TYPE, psprintf("Element %u is not a list of %d.", i + 1, N_CELL_DOUBLES + 2));
		list = v->val.binary.data;
		period = json_take_time(PANEL_TYPE, getIthJsonbValueFromContainer(list, 0), DT_NOBEGIN, "A period");
		name = getIthJsonbValueFromContainer(list, 1);
		if (name->type != jbvString)
			json_refuse(PANEL_TYPE, "An item is not a string.");
		for (int j = 0; j < N_CELL_DOUBLES; j++)
		{
			JsonbValue *number = getIthJsonbValueFromContainer(list, j + 2);

			if (number->type != jbvNumeric)
				json_refuse(PANEL_TYPE, psprintf("A sum of element %u is not a number.", i + 1));
			values[j] = DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(number->val.numeric)));
		}
		if (!take_cell(panel, period, panel_item(panel, name->val.string.val, name->val.string.len), values))
			json_refuse(PANEL_TYPE, psprintf("Element %u contradicts itself or another.", i + 1));
	}
	PG_RETURN_DATUM(EOHPGetRWDatum(&panel->hdr));
}

Datum
price_panel_send(PG_FUNCTION_ARGS)
{
	PanelView	view = sorted_panel_arg(fcinfo, 0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint8(&buf, PANEL_FORMAT);
	pq_sendint32(&buf, view.n_items);
	for (uint32 i = 0; i < view.n_items; i++)
	{
		PanelItem	item = view_item(&view, i);

		pq_sendcountedtext_compat(&buf, item.data, item.len);
	}
	pq_sendint32(&buf, view.n_cells);
	for (uint32 i = 0; i < view.n_cells; i++)
	{
		double		values[N_CELL_DOUBLES];

		pq_sendint64(&buf, view.cells[i].period);
		pq_sendint32(&buf, view.cells[i].item);
		cell_doubles(&view.cells[i], values);
		for (int v = 0; v < N_CELL_DOUBLES; v++)
			pq_sendfloat8(&buf, values[v]);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

static NO_RETURN void
refuse_binary(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid binary form of type %s", PANEL_TYPE),
			 errdetail_internal("%s", detail)));
}

Datum
price_panel_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	Panel	   *panel = panel_make(CurrentMemoryContext);
	uint32		n_items;
	uint32		n_cells;

	if (pq_getmsgint(buf, 1) != PANEL_FORMAT)
		refuse_binary("Its format is unknown.");
	n_items = pq_getmsgint(buf, 4);
	for (uint32 i = 0; i < n_items; i++)
	{
		int			len = pq_getmsgint(buf, 4);
		char	   *name;

		if (len < 0 || len > buf->len - buf->cursor)
			refuse_binary("A name ends behind it.");
		name = pq_getmsgtext(buf, len, &len);
		if (panel_item(panel, name, len) != i)
			refuse_binary("A name comes twice.");
		pfree(name);
	}
	n_cells = pq_getmsgint(buf, 4);
	for (uint32 i = 0; i < n_cells; i++)
	{
		TimestampTz period = pq_getmsgint64(buf);
		uint32		item = pq_getmsgint(buf, 4);
		double		values[N_CELL_DOUBLES];

		CHECK_FOR_INTERRUPTS();
		for (int v = 0; v < N_CELL_DOUBLES; v++)
			values[v] = pq_getmsgfloat8(buf);
		if (item >= n_items || !take_cell(panel, period, item, values))
			refuse_binary("A price contradicts itself or another.");
	}
	PG_RETURN_DATUM(EOHPGetRWDatum(&panel->hdr));
}

/*
 * Rows of results
 */

/* price_panel_cells(panel): (period, item, price, quantity) */
Datum
price_panel_cells(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PanelView	view = sorted_panel_arg(fcinfo, 0);

	InitMaterializedSRF(fcinfo, 0);
	for (uint32 i = 0; i < view.n_cells; i++)
	{
		const PanelCell *cell = &view.cells[i];
		PanelItem	item = view_item(&view, cell->item);
		Datum		values[4];
		bool		nulls[4] = {false, false, false, false};
		double		quantity = cell_quantity(cell);

		CHECK_FOR_INTERRUPTS();
		values[0] = TimestampTzGetDatum(cell->period);
		values[1] = PointerGetDatum(cstring_to_text_with_len(item.data, item.len));
		values[2] = Float8GetDatum(cell_price(cell));
		values[3] = Float8GetDatum(quantity);
		nulls[3] = isnan(quantity);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		pfree(DatumGetPointer(values[1]));
	}
	PG_RETURN_NULL();
}

/* The prices of a panel by period, for comparing any two. */
typedef struct Offer
{
	uint32		item;
	ItemSide	side;
} Offer;

typedef struct Market
{
	int			n_periods;
	TimestampTz *period;
	uint32	   *first;			/* offer of each period, and one behind */
	Offer	   *offers;			/* of a period by item */
} Market;

static Market
market_of_panel(FunctionCallInfo fcinfo)
{
	PanelView	view = panel_arg(fcinfo, 0);
	const PanelCell *cells = view.cells;
	Market		market = {0};

	if (!view.is_sorted && view.n_cells > 0)
	{
		PanelCell  *sorted = MemoryContextAllocHuge(CurrentMemoryContext, view.n_cells * sizeof(PanelCell));

		memcpy(sorted, view.cells, view.n_cells * sizeof(PanelCell));
		qsort(sorted, view.n_cells, sizeof(PanelCell), compare_cells);
		cells = sorted;
	}
	for (uint32 i = 0; i < view.n_cells; i++)
		if (i == 0 || cells[i].period != cells[i - 1].period)
			market.n_periods++;
	market.period = palloc(Max(market.n_periods, 1) * sizeof(TimestampTz));
	market.first = palloc((market.n_periods + 1) * sizeof(uint32));
	market.offers = MemoryContextAllocHuge(CurrentMemoryContext, Max(view.n_cells, 1) * sizeof(Offer));
	market.n_periods = 0;
	for (uint32 i = 0; i < view.n_cells; i++)
	{
		if (i == 0 || cells[i].period != cells[i - 1].period)
		{
			market.period[market.n_periods] = cells[i].period;
			market.first[market.n_periods++] = i;
		}
		market.offers[i].item = cells[i].item;
		market.offers[i].side.price = cell_price(&cells[i]);
		market.offers[i].side.quantity = cell_quantity(&cells[i]);
	}
	market.first[market.n_periods] = view.n_cells;
	return market;
}

/* All that the methods need of two periods; their matched items too, where there is room for them. */
static void
compare_periods(const Market *market, int base, int current, int needs, IndexSums *sums, MatchedItem *matched)
{
	const Offer *a = &market->offers[market->first[base]];
	const Offer *a_end = &market->offers[market->first[base + 1]];
	const Offer *b = &market->offers[market->first[current]];
	const Offer *b_end = &market->offers[market->first[current + 1]];

	memset(sums, 0, sizeof(IndexSums));
	CHECK_FOR_INTERRUPTS();
	while (a < a_end || b < b_end)
	{
		if (b == b_end || (a < a_end && a->item < b->item))
			index_sums_item(sums, &(a++)->side, NULL, needs);
		else if (a == a_end || b->item < a->item)
			index_sums_item(sums, NULL, &(b++)->side, needs);
		else
		{
			if (matched != NULL && a->side.price > 0 && b->side.price > 0)
			{
				matched->side[0] = a->side;
				(matched++)->side[1] = b->side;
			}
			index_sums_item(sums, &(a++)->side, &(b++)->side, needs);
		}
	}
	index_sums_check(sums);
}

static IndexMethod
method_arg(FunctionCallInfo fcinfo, int argno)
{
	Bytes		name = packed_bytes(PG_GETARG_DATUM(argno));

	return index_method_by_name(name.data, name.len);
}

/* Columns of chained_index() and fixed_base_index(). */
typedef enum PointColumn
{
	POINT_PERIOD,
	POINT_INDEX,
	POINT_QUANTITY_INDEX,
	POINT_TURNOVER_INDEX,
	POINT_VALUE_INDEX,
	POINT_LINK,
	POINT_QUANTITY_LINK,
	POINT_MATCHED_ITEMS,
	POINT_BASE_COVERAGE,
	POINT_COVERAGE,
	POINT_BASE_PERIOD,
	N_POINT_COLUMNS
} PointColumn;

/* What a row of a ledger's index is of. */
typedef struct Scope
{
	Datum		provider;		/* 0: all */
	Datum		currency;
} Scope;

#define N_SCOPE_COLUMNS 2

/* Fills the columns before those of a point, if there are any; nulls the rest. */
static int
put_scope(const Scope *scope, Datum *values, bool *nulls, int n)
{
	memset(nulls, true, n * sizeof(bool));
	if (scope == NULL)
		return 0;
	values[0] = scope->provider;
	nulls[0] = scope->provider == 0;
	values[1] = scope->currency;
	nulls[1] = false;
	return N_SCOPE_COLUMNS;
}

#define SET(column, datum) (values[column] = (datum), nulls[column] = false)

/* A number that may not be defined, which NaN says. */
#define SET_FLOAT(column, number) \
	do { \
		if (!isnan(number)) \
			SET(column, Float8GetDatum(number)); \
	} while (0)

/* What two periods have to do with each other; NaN: not defined. */
typedef struct Comparison
{
	double		price;
	double		quantity;
	double		turnover;
	double		value;
	double		matched;
	double		base_coverage;
	double		coverage;
} Comparison;

static double
or_nan(bool is_defined, double value)
{
	return is_defined ? value : get_float8_nan();
}

static Comparison
comparison_of(const Market *market, int base, int current, IndexMethod method)
{
	bool		of_items = method == METHOD_SATO_VARTIA;
	Size		n_base = market->first[base + 1] - market->first[base];
	MatchedItem *items = of_items ? palloc_extended(n_base * sizeof(MatchedItem), MCXT_ALLOC_HUGE) : NULL;
	IndexSums	sums;
	Comparison	c;
	bool		is_defined;
	double		total;

	compare_periods(market, base, current, index_method_needs[method], &sums, items);
	is_defined = of_items ? sato_vartia_value(items, (uint32) sums.matched, FORM_PRICE, &c.price) :
		index_value(&sums, method, FORM_PRICE, &c.price);
	c.price = or_nan(is_defined, c.price);
	is_defined = of_items ? sato_vartia_value(items, (uint32) sums.matched, FORM_QUANTITY, &c.quantity) :
		index_value(&sums, method, FORM_QUANTITY, &c.quantity);
	c.quantity = or_nan(is_defined, c.quantity);
	if (of_items)
		pfree(items);
	is_defined = index_coverage(&sums, 0, &c.base_coverage);
	c.base_coverage = or_nan(is_defined, c.base_coverage);
	is_defined = index_coverage(&sums, 1, &c.coverage);
	c.coverage = or_nan(is_defined, c.coverage);
	is_defined = index_turnover(&sums, &c.turnover);
	c.turnover = or_nan(is_defined, c.turnover);
	total = sum_value(&sums.total[0]);
	c.value = or_nan(sums.unknown[0] == 0 && sums.unknown[1] == 0 && total > 0,
					 sum_value(&sums.total[1]) / total);
	c.matched = sums.matched;
	return c;
}

/*
 * Each period against the one before it, multiplied up, or against the first.
 * Where two periods have no comparison the chain ends: the period has no
 * index, and what follows is counted from it.
 */
static void
put_points(ReturnSetInfo *rsinfo, const Market *market, IndexMethod method, bool is_chained, const Scope *scope)
{
	Comparison	level = {1, 1, 1, 1};
	int			base = 0;

	for (int t = 0; t < market->n_periods; t++)
	{
		Datum		row[N_SCOPE_COLUMNS + N_POINT_COLUMNS] = {0};
		bool		row_nulls[N_SCOPE_COLUMNS + N_POINT_COLUMNS];
		int			n_scope = put_scope(scope, row, row_nulls, lengthof(row));
		Datum	   *values = row + n_scope;
		bool	   *nulls = row_nulls + n_scope;

		SET(POINT_PERIOD, TimestampTzGetDatum(market->period[t]));
		if (t > 0)
		{
			Comparison	link = comparison_of(market, is_chained ? t - 1 : 0, t, method);

			if (is_chained && isnan(link.price))
				base = t;
			level.price = is_chained ? level.price * link.price : link.price;
			level.quantity = is_chained ? level.quantity * link.quantity : link.quantity;
			level.turnover = is_chained ? level.turnover * link.turnover : link.turnover;
			level.value = is_chained ? level.value * link.value : link.value;
			if (isinf(level.price) || isinf(level.quantity) || isinf(level.turnover) || isinf(level.value))
				float_overflow_error();
			SET_FLOAT(POINT_LINK, link.price);
			SET_FLOAT(POINT_QUANTITY_LINK, link.quantity);
			SET(POINT_MATCHED_ITEMS, Int64GetDatum((int64) link.matched));
			SET_FLOAT(POINT_BASE_COVERAGE, link.base_coverage);
			SET_FLOAT(POINT_COVERAGE, link.coverage);
		}
		if (t == 0 || base != t)
		{
			SET_FLOAT(POINT_INDEX, level.price);
			SET_FLOAT(POINT_QUANTITY_INDEX, level.quantity);
			SET_FLOAT(POINT_TURNOVER_INDEX, level.turnover);
			SET_FLOAT(POINT_VALUE_INDEX, level.value);
		}
		else
			level.price = level.quantity = level.turnover = level.value = 1;
		SET(POINT_BASE_PERIOD, TimestampTzGetDatum(market->period[base]));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row, row_nulls);
	}
}

static Datum
panel_points(FunctionCallInfo fcinfo, bool is_chained)
{
	IndexMethod method = method_arg(fcinfo, 1);
	Market		market = market_of_panel(fcinfo);

	InitMaterializedSRF(fcinfo, 0);
	put_points((ReturnSetInfo *) fcinfo->resultinfo, &market, method, is_chained, NULL);
	PG_RETURN_NULL();
}

/* chained_index(panel, method) */
Datum
price_panel_chained(PG_FUNCTION_ARGS)
{
	return panel_points(fcinfo, true);
}

/* fixed_base_index(panel, method) */
Datum
price_panel_fixed_base(PG_FUNCTION_ARGS)
{
	return panel_points(fcinfo, false);
}

/* Three tables of so many pairs of periods are 800 MB: 5,792 periods without a window. */
#define MAX_PAIRS (1 << 25)

/* Least squares of a window take the third power of its length: 4,096 periods without one. */
#define MAX_SOLVING (INT64CONST(1) << 36)

/* Logarithms of the indices between the periods of a window; NaN: not defined. */
typedef struct PairTable
{
	int			n_periods;
	int			window;
	double	   *log_index;		/* of (t, t + d) at t * window + d */
	double	   *coverage[2];	/* of the earlier and the later period */
} PairTable;

static double
pair_log(const PairTable *pairs, int from, int to)
{
	return from <= to ? pairs->log_index[(Size) from * pairs->window + (to - from)] :
		-pairs->log_index[(Size) to * pairs->window + (from - to)];
}

/*
 * The GEKS index of "to" against "from" by way of each period of the window
 * that both have a comparison with: the mean of the logarithms.
 */
static double
geks_log(const PairTable *pairs, int from, int to, int first, int last, int *bridges)
{
	double		sum = 0;

	*bridges = 0;
	for (int l = first; l <= last; l++)
	{
		double		by_way = pair_log(pairs, from, l) + pair_log(pairs, l, to);

		if (isnan(by_way))
			continue;
		sum += by_way;
		(*bridges)++;
	}
	return *bridges == 0 ? get_float8_nan() : sum / *bridges;
}

/*
 * How much a comparison counts in a weighted index: the matched share of the
 * spend of both periods, multiplied.  Two periods that have little in common say
 * little of each other's prices.
 */
static double
pair_weight(const PairTable *pairs, int a, int b)
{
	Size		at = (Size) Min(a, b) * pairs->window + abs(a - b);
	double		weight;

	if (a == b || isnan(pairs->log_index[at]))
		return 0;
	weight = pairs->coverage[0][at] * pairs->coverage[1][at];
	return isnan(weight) ? 0 : weight;
}

/*
 * The levels of the periods of a window against one of them that agree best
 * with all comparisons, by weighted least squares of the logarithms; NaN where
 * no comparison links a period to it.  With equal weights, and every two
 * periods compared, these are the means that GEKS takes.
 *
 * Periods are taken out one by one.  The comparisons that go by way of one make
 * a comparison of each two of the others, as resistors of a star make those of
 * a mesh: sums of weights and means by weight, and never a difference, so that
 * what hangs by a weight of 1e-8 is as exact as all else (Grassmann, Taksar and
 * Heyman 1985).
 */
static void
weighted_levels(const PairTable *pairs, int from, int first, int last, double *level)
{
	int			n = last - first + 1;
	int		   *node = palloc(n * sizeof(int));
	int			n_nodes = 1;
	double	   *matrix;
	Size		width;

	/* what is linked to it, from one to the next */
	node[0] = from - first;
	for (int i = 0; i < n; i++)
		level[i] = get_float8_nan();
	level[node[0]] = 0;
	for (int k = 0; k < n_nodes; k++)
		for (int i = 0; i < n; i++)
			if (isnan(level[i]) && pair_weight(pairs, first + node[k], first + i) > 0)
			{
				level[i] = 0;
				node[n_nodes++] = i;
			}

	/* of i and an earlier j: the weight, and by how much i is above j */
	width = n_nodes;
	matrix = MemoryContextAllocHuge(CurrentMemoryContext, width * width * sizeof(double));
#define WEIGHT(i, j) matrix[(Size) (i) * width + (j)]
#define ABOVE(i, j) matrix[(Size) (j) * width + (i)]
	for (int i = 1; i < n_nodes; i++)
		for (int j = 0; j < i; j++)
		{
			WEIGHT(i, j) = pair_weight(pairs, first + node[i], first + node[j]);
			ABOVE(i, j) = WEIGHT(i, j) > 0 ? pair_log(pairs, first + node[j], first + node[i]) : 0;
		}

	/* each is linked to an earlier one, and stays so: no total is zero */
	for (int k = n_nodes - 1; k > 0; k--)
	{
		double		total = 0;

		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < k; j++)
			total += WEIGHT(k, j);
		for (int i = 1; i < k; i++)
		{
			double		share = WEIGHT(k, i) / total;

			if (share == 0)
				continue;
			for (int j = 0; j < i; j++)
			{
				double		weight = share * WEIGHT(k, j);

				if (weight == 0)
					continue;
				WEIGHT(i, j) += weight;
				ABOVE(i, j) += weight / WEIGHT(i, j) * (ABOVE(k, j) - ABOVE(k, i) - ABOVE(i, j));
			}
		}
	}
	for (int k = 1; k < n_nodes; k++)
	{
		double		total = 0;
		double		sum = 0;

		for (int j = 0; j < k; j++)
		{
			total += WEIGHT(k, j);
			sum += WEIGHT(k, j) * (level[node[j]] + ABOVE(k, j));
		}
		level[node[k]] = sum / total;
	}
#undef WEIGHT
#undef ABOVE
	pfree(matrix);
	pfree(node);
}

/* The mean matched share of a period over the others of the window. */
static double
geks_coverage(const PairTable *pairs, int t, int first, int last)
{
	double		sum = 0;
	int			n = 0;

	for (int l = first; l <= last; l++)
	{
		double		share;

		if (l == t)
			continue;
		share = l < t ? pairs->coverage[1][(Size) l * pairs->window + (t - l)] :
			pairs->coverage[0][(Size) t * pairs->window + (l - t)];
		if (isnan(share))
			continue;
		sum += share;
		n++;
	}
	return n == 0 ? get_float8_nan() : sum / n;
}

/* Columns of geks_index(). */
typedef enum GeksColumn
{
	GEKS_PERIOD,
	GEKS_INDEX,
	GEKS_BRIDGES,
	GEKS_COVERAGE,
	GEKS_BASE_PERIOD,
	N_GEKS_COLUMNS
} GeksColumn;

static void
check_geks(IndexMethod method, int window)
{
	if (window < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a window of %d periods is too short", window),
				 errhint("It has at least 2; without one it is all periods.")));
	if (method != METHOD_FISHER && method != METHOD_TORNQVIST && method != METHOD_WALSH && method != METHOD_JEVONS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an index of GEKS is made of indices that reverse in time"),
				 errhint("These methods are fisher, tornqvist, walsh and jevons.")));
}

static PairTable
compare_pairs(const Market *market, IndexMethod method, int window, bool is_weighted)
{
	PairTable	pairs;
	Size		n_pairs;
	int64		solving;

	pairs.n_periods = market->n_periods;
	pairs.window = Min(window, market->n_periods);
	n_pairs = Max((Size) pairs.n_periods * pairs.window, 1);
	if (n_pairs > MAX_PAIRS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are too many periods: %d in windows of %d", pairs.n_periods, pairs.window),
				 errdetail("At most %d pairs of periods are compared.", MAX_PAIRS),
				 errhint("Give a shorter window, or take longer periods.")));
	/* no window that has so few pairs overflows it */
	solving = (int64) pairs.window * pairs.window * pairs.window * (pairs.n_periods - pairs.window + 1);
	if (is_weighted && solving > MAX_SOLVING)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are too many periods: %d in windows of %d", pairs.n_periods, pairs.window),
				 errdetail("A weighted index takes at most " INT64_FORMAT " steps, the third power of its window for each.", MAX_SOLVING),
				 errhint("Give a shorter window, or take longer periods.")));
	pairs.log_index = MemoryContextAllocHuge(CurrentMemoryContext, n_pairs * sizeof(double));
	for (int s = 0; s < 2; s++)
		pairs.coverage[s] = MemoryContextAllocHuge(CurrentMemoryContext, n_pairs * sizeof(double));
	for (int t = 0; t < pairs.n_periods; t++)
		for (int d = 0; d < pairs.window && t + d < pairs.n_periods; d++)
		{
			Size		at = (Size) t * pairs.window + d;
			IndexSums	sums;
			double		value;
			bool		is_defined;

			if (d == 0)
			{
				pairs.log_index[at] = 0;
				continue;
			}
			compare_periods(market, t, t + d, index_method_needs[method], &sums, NULL);
			is_defined = index_value(&sums, method, FORM_PRICE, &value) && value > 0;
			pairs.log_index[at] = is_defined ? log(value) : get_float8_nan();
			for (int s = 0; s < 2; s++)
			{
				is_defined = index_coverage(&sums, s, &value);
				pairs.coverage[s][at] = or_nan(is_defined, value);
			}
		}
	return pairs;
}

static void
put_geks(ReturnSetInfo *rsinfo, const Market *market, IndexMethod method, int window, bool is_weighted, const Scope *scope)
{
	PairTable	pairs = compare_pairs(market, method, window, is_weighted);
	double	   *levels = is_weighted ? palloc(Max(pairs.window, 1) * sizeof(double)) : NULL;
	int			solved = -1;	/* the period that levels count from */
	int			solved_first = -1;	/* and the window that they are of */
	double		level = 0;
	int			base = 0;

	for (int t = 0; t < market->n_periods; t++)
	{
		/* the first window whole; then each adds its last movement */
		int			last = Max(t, pairs.window - 1);
		int			first = last - pairs.window + 1;
		int			from = t < pairs.window ? base : t - 1;
		int			bridges = 0;
		double		log_index = t == 0 ? 0 : geks_log(&pairs, from, t, first, last, &bridges);
		double		coverage = geks_coverage(&pairs, t, first, last);
		Datum		row[N_SCOPE_COLUMNS + N_GEKS_COLUMNS] = {0};
		bool		row_nulls[N_SCOPE_COLUMNS + N_GEKS_COLUMNS];
		int			n_scope = put_scope(scope, row, row_nulls, lengthof(row));
		Datum	   *values = row + n_scope;
		bool	   *nulls = row_nulls + n_scope;

		CHECK_FOR_INTERRUPTS();
		if (is_weighted && t > 0)
		{
			if (solved != from || solved_first != first)
				weighted_levels(&pairs, from, first, last, levels);
			solved = from;
			solved_first = first;
			log_index = levels[t - first];
		}
		SET(GEKS_PERIOD, TimestampTzGetDatum(market->period[t]));
		if (isnan(log_index))
		{
			/* nothing links it to the base: what follows is counted from it */
			base = t;
			level = 0;
		}
		else
			level = t < pairs.window ? log_index : level + log_index;
		if (isinf(exp(level)))
			float_overflow_error();
		if (!isnan(log_index) && (t == 0 || base != t))
			SET_FLOAT(GEKS_INDEX, exp(level));
		if (t > 0)
			SET(GEKS_BRIDGES, Int32GetDatum(bridges));
		SET_FLOAT(GEKS_COVERAGE, coverage);
		SET(GEKS_BASE_PERIOD, TimestampTzGetDatum(market->period[base]));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row, row_nulls);
	}
	pfree(pairs.log_index);
	pfree(pairs.coverage[0]);
	pfree(pairs.coverage[1]);
}

static Datum
panel_geks(FunctionCallInfo fcinfo, bool is_weighted)
{
	IndexMethod method = method_arg(fcinfo, 1);
	int			window = PG_NARGS() > 2 ? PG_GETARG_INT32(2) : PG_INT32_MAX;
	Market		market = market_of_panel(fcinfo);

	check_geks(method, window);
	InitMaterializedSRF(fcinfo, 0);
	put_geks((ReturnSetInfo *) fcinfo->resultinfo, &market, method, window, is_weighted, NULL);
	PG_RETURN_NULL();
}

/* geks_index(panel, method [, window]) */
Datum
price_panel_geks(PG_FUNCTION_ARGS)
{
	return panel_geks(fcinfo, false);
}

/* weighted_geks_index(panel, method [, window]) */
Datum
price_panel_weighted_geks(PG_FUNCTION_ARGS)
{
	return panel_geks(fcinfo, true);
}

/*
 * Indices of a ledger
 *
 * The same as of the panels of its lines, without the panels: there are
 * hundreds of thousands of meters of lines in some ledgers, and a line's items
 * are numbers here.
 */

/*
 * Models that count as another item.  A model is known by its provider and
 * name, an item by what it is called: provider/model, unless it is mapped.
 */
typedef struct ItemMap
{
	ItemPool	keys;			/* provider, a zero and model of the mapped
								 * ones first */
	uint32		n;
	Datum	   *items;			/* texts: what the n first are called */
	ItemPool	names;			/* of the items */
	StringInfoData buf;
} ItemMap;

static void
pair_into(StringInfo buf, const char *a, int a_len, char between, const char *b, int b_len)
{
	resetStringInfo(buf);
	if (a != NULL)
		appendBinaryStringInfo(buf, a, a_len);
	appendStringInfoChar(buf, between);
	if (b != NULL)
		appendBinaryStringInfo(buf, b, b_len);
}

/* The map in three arrays: providers, models, items; an empty one without. */
static void
item_map_args(FunctionCallInfo fcinfo, int argno, ItemMap *map)
{
	Datum	   *part[3];
	int			n[3];

	memset(map, 0, sizeof(ItemMap));
	map->keys.context = map->names.context = CurrentMemoryContext;
	initStringInfo(&map->buf);
	if (PG_NARGS() <= argno)
		return;
	for (int i = 0; i < 3; i++)
	{
		bool	   *nulls;

		deconstruct_array(PG_GETARG_ARRAYTYPE_P(argno + i), TEXTOID, -1, false, TYPALIGN_INT,
						  &part[i], &nulls, &n[i]);
		if (n[i] != n[0])
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("there are %d providers and %d %s", n[0], n[i], i == 1 ? "models" : "items")));
		for (int j = 0; j < n[i]; j++)
			if (nulls[j])
				ereport(ERROR,
						(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						 errmsg("%s %d is null", i == 0 ? "provider" : i == 1 ? "model" : "item", j + 1)));
	}
	map->n = n[0];
	map->items = part[2];
	for (uint32 i = 0; i < map->n; i++)
	{
		Bytes		provider = packed_bytes(part[0][i]);
		Bytes		model = packed_bytes(part[1][i]);

		pair_into(&map->buf, provider.data, provider.len, '\0', model.data, model.len);
		if (pool_item(&map->keys, map->buf.data, map->buf.len) != i)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("model \"%.*s\" of provider \"%.*s\" is mapped twice",
							model.len, model.data, provider.len, provider.data)));
	}
}

/* What a line's item is made of, but for the meter; no padding. */
typedef struct LineItem
{
	uint32		name;
	uint32		service_tier;
	int64		above;
	int64		off_peak;
} LineItem;

static uint32
line_item(ItemMap *map, ItemPool *items, const Ledger *ledger, const LineKey *key)
{
	const LedgerString *provider = &ledger->strings[key->provider];
	const LedgerString *model = &ledger->strings[key->model];
	LineItem	item;
	uint32		number;

	pair_into(&map->buf, provider->data, provider->len, '\0', model->data, model->len);
	number = map->n == 0 ? 0 : pool_item(&map->keys, map->buf.data, map->buf.len);
	if (number < map->n)
	{
		Bytes		name = packed_bytes(map->items[number]);

		item.name = pool_item(&map->names, name.data, name.len);
	}
	else
	{
		pair_into(&map->buf, provider->data, provider->len, '/', model->data, model->len);
		item.name = pool_item(&map->names, map->buf.data, map->buf.len);
	}
	item.service_tier = key->service_tier;
	item.above = key->side[CONTRACTED].above;
	item.off_peak = key->side[CONTRACTED].off_peak;
	return pool_item(items, (const char *) &item, sizeof(item));
}

/* All providers, or one, in a currency. */
typedef struct LedgerMarket
{
	uint32		provider;		/* ALL_PROVIDERS, or a string of the ledger */
	Currency	currency;
	Market		market;
	uint32		n_offers;
	uint32		max_offers;
	int			max_periods;
} LedgerMarket;

#define ALL_PROVIDERS PG_UINT32_MAX

static LedgerMarket *
ledger_market(List **markets, uint32 provider, const Currency *currency)
{
	ListCell   *lc;
	LedgerMarket *m;

	foreach(lc, *markets)
	{
		m = lfirst(lc);
		if (m->provider == provider && currency_equal(&m->currency, currency))
			return m;
	}
	m = palloc0(sizeof(LedgerMarket));
	m->provider = provider;
	m->currency = *currency;
	m->max_offers = 256;
	m->market.offers = palloc(m->max_offers * sizeof(Offer));
	m->max_periods = 16;
	m->market.period = palloc(m->max_periods * sizeof(TimestampTz));
	m->market.first = palloc((m->max_periods + 1) * sizeof(uint32));
	*markets = lappend(*markets, m);
	return m;
}

/* Offers come in the order of period and item. */
static void
add_offer(LedgerMarket *m, TimestampTz period, uint32 item, double cost, double count)
{
	Market	   *market = &m->market;
	Offer	   *offer;

	if (market->n_periods == 0 || market->period[market->n_periods - 1] != period)
	{
		if (market->n_periods == m->max_periods)
		{
			m->max_periods *= 2;
			market->period = repalloc_huge(market->period, m->max_periods * sizeof(TimestampTz));
			market->first = repalloc_huge(market->first, (m->max_periods + 1) * sizeof(uint32));
		}
		market->period[market->n_periods] = period;
		market->first[market->n_periods++] = m->n_offers;
	}
	if (m->n_offers == m->max_offers)
	{
		m->max_offers *= 2;
		market->offers = repalloc_huge(market->offers, m->max_offers * sizeof(Offer));
	}
	offer = &market->offers[m->n_offers++];
	offer->item = item;
	offer->side.price = cost / count;
	offer->side.quantity = count;
	market->first[market->n_periods] = m->n_offers;
}

/* A line and its item, to be sorted. */
typedef struct ItemLine
{
	TimestampTz period;
	Currency	currency;
	uint32		item;
	uint32		provider;
	const LedgerLine *line;
} ItemLine;

static int
compare_item_lines(const void *a, const void *b)
{
	const ItemLine *x = a;
	const ItemLine *y = b;
	int			order;

	if (x->period != y->period)
		return x->period < y->period ? -1 : 1;
	if (x->item != y->item)
		return x->item < y->item ? -1 : 1;
	order = memcmp(&x->currency, &y->currency, sizeof(Currency));
	if (order != 0)
		return order;
	return x->provider < y->provider ? -1 : x->provider > y->provider;
}

/*
 * Adds the meters of lines of one period, item and currency, and of one
 * provider or all.  Their sums are exact; a price is a quotient of two.
 */
static void
add_lines(LedgerMarket *m, const ItemLine *lines, uint32 n)
{
	MeterSet	reported = 0;
	Meter		meter;

	for (uint32 i = 0; i < n; i++)
		reported |= lines[i].line->tokens.reported;
	FOR_EACH_METER(meter, reported)
	{
		Money		cost = 0;
		int128		count = 0;

		for (uint32 i = 0; i < n; i++)
		{
			if ((lines[i].line->tokens.reported & METER_BIT(meter)) == 0)
				continue;
			cost = money_add(cost, lines[i].line->cost[CONTRACTED][meter]);
			count += lines[i].line->tokens.count[meter];
		}
		if (count > 0)
			add_offer(m, lines[0].period, lines[0].item * N_METERS + meter,
					  (double) cost / 1e15, (double) count);
	}
}

/* The markets of a ledger's priced lines, by currency: of all providers, and of each. */
static List *
markets_of_ledger(Ledger *ledger, ItemMap *map)
{
	ItemPool	items = {CurrentMemoryContext};
	ItemLine   *lines = MemoryContextAllocHuge(CurrentMemoryContext, Max(ledger->n_lines, 1) * sizeof(ItemLine));
	uint32		n = 0;
	List	   *markets = NIL;

	for (uint32 i = 0; i < ledger->n_lines; i++)
	{
		const LedgerLine *line = &ledger->lines[i];

		CHECK_FOR_INTERRUPTS();
		if (line->key.side[CONTRACTED].unpriced != PRICED)
			continue;
		lines[n].period = line->key.period;
		lines[n].currency = line->key.side[CONTRACTED].currency;
		lines[n].item = line_item(map, &items, ledger, &line->key);
		lines[n].provider = line->key.provider;
		lines[n++].line = line;
	}
	qsort(lines, n, sizeof(ItemLine), compare_item_lines);
	for (uint32 from = 0, to; from < n; from = to)
	{
		to = from + 1;
		while (to < n && lines[to].period == lines[from].period && lines[to].item == lines[from].item &&
			   currency_equal(&lines[to].currency, &lines[from].currency))
			to++;
		add_lines(ledger_market(&markets, ALL_PROVIDERS, &lines[from].currency), &lines[from], to - from);
		/* one item has several providers where it is mapped so */
		for (uint32 first = from, next; first < to; first = next)
		{
			next = first + 1;
			while (next < to && lines[next].provider == lines[first].provider)
				next++;
			add_lines(ledger_market(&markets, lines[first].provider, &lines[first].currency),
					  &lines[first], next - first);
		}
	}
	pfree(lines);
	return markets;
}

static Scope
scope_of(const Ledger *ledger, const LedgerMarket *m)
{
	const LedgerString *provider = m->provider == ALL_PROVIDERS ? NULL : &ledger->strings[m->provider];
	Scope		scope;

	scope.provider = provider == NULL || provider->data == NULL ? 0 :
		PointerGetDatum(cstring_to_text_with_len(provider->data, provider->len));
	scope.currency = PointerGetDatum(currency_text(&m->currency));
	return scope;
}

/* chained_index(ledger, method [, providers, models, items]) */
Datum
ledger_chained_index(PG_FUNCTION_ARGS)
{
	Ledger	   *ledger = ledger_arg(fcinfo, 0);
	IndexMethod method = method_arg(fcinfo, 1);
	ItemMap		map;
	List	   *markets;
	ListCell   *lc;

	item_map_args(fcinfo, 2, &map);
	markets = markets_of_ledger(ledger, &map);
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, markets)
	{
		LedgerMarket *m = lfirst(lc);
		Scope		scope = scope_of(ledger, m);

		put_points((ReturnSetInfo *) fcinfo->resultinfo, &m->market, method, true, &scope);
	}
	PG_RETURN_NULL();
}

static Datum
ledger_geks(FunctionCallInfo fcinfo, bool is_weighted)
{
	Ledger	   *ledger = ledger_arg(fcinfo, 0);
	IndexMethod method = method_arg(fcinfo, 1);
	int			window = PG_GETARG_INT32(2);
	ItemMap		map;
	List	   *markets;
	ListCell   *lc;

	check_geks(method, window);
	item_map_args(fcinfo, 3, &map);
	markets = markets_of_ledger(ledger, &map);
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, markets)
	{
		LedgerMarket *m = lfirst(lc);
		Scope		scope = scope_of(ledger, m);

		put_geks((ReturnSetInfo *) fcinfo->resultinfo, &m->market, method, window, is_weighted, &scope);
	}
	PG_RETURN_NULL();
}

/* geks_index(ledger, method, window) */
Datum
ledger_geks_index(PG_FUNCTION_ARGS)
{
	return ledger_geks(fcinfo, false);
}

/* weighted_geks_index(ledger, method, window) */
Datum
ledger_weighted_geks_index(PG_FUNCTION_ARGS)
{
	return ledger_geks(fcinfo, true);
}
