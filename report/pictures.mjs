// What the report and the dashboard share: the connection, and the charts, each a
// spec (charts/NAME.vl.json) over the rows of one query (charts/NAME.sql).
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import * as format from './format.mjs';

// In the order of the pages.
const names = ['two_lines', 'total_spend', 'unit_price', 'bill_bridge', 'owners', 'models', 'daily_spend', 'value_grid', 'budgets', 'peak_week', 'forecast', 'quotes'];

// Dates as they are written: a Date of JavaScript would be one of its own zone.
pg.types.setTypeParser(1082, (text) => text);

// What draws, loaded where something is drawn here.  Node has no canvas to measure text
// by, and Vega then takes every character to be as wide as the widest; these are the
// widths of a usual sans serif, in ems.
let loaded;
async function library() {
    const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
    vega.textMetrics.width = (item, text) => {
        const { fontSize = 11, fontWeight } = item;
        const wide = [...String(text ?? '')].reduce((sum, c) => sum + (/[ilj.,:;'|!·()\[\] ft1I/-]/.test(c) ? 0.37 : /[mwMW%@<>=+&]/.test(c) ? 0.88 : /[A-Z0-9$€£¥_]/.test(c) ? 0.66 : 0.6), 0);
        return wide * fontSize * (Number(fontWeight) >= 600 || fontWeight === 'bold' ? 1.08 : 1);
    };
    for (const name of ['money', 'rate', 'count', 'percent']) vega.expressionFunction(name, format[name]);
    return { vega, compile };
}

// An error that says what to do, instead of a stack.
export class Trouble extends Error {}

// What the database or the system says, with its code, is said as it is; the rest is
// a fault of ours, and its stack is of use.
export function complain(program, error) {
    console.error(error instanceof Trouble || error.code ? `${program}: ${error.message || error.code}` : error);
    process.exitCode = 1;
}

const source = (name) => readFile(new URL(name, import.meta.url), 'utf8');

// Runs work on the database that DATABASE_URL or PGHOST, PGPORT, ... name, all of it on
// one snapshot that nothing changes.
export async function withDatabase(work) {
    const client = new pg.Client(process.env.DATABASE_URL ? { connectionString: process.env.DATABASE_URL } : {});
    await client.connect();
    try {
        await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
        await findInstall(client, process.env.TOKENOMICS_SCHEMA);
        return await work(client);
    } finally {
        await client.end();
    }
}

// An install in search_path is taken as it is; else the only one that there is for this
// role, whose reader views count where the install itself is closed to it.
async function findInstall(client, schema) {
    const { rows } = await client.query(`
        SELECT n.nspname AS schema, quote_ident(n.nspname) || ', ' || quote_ident(x.nspname) AS path, pg_table_is_visible(c.oid) AS is_visible,
               coalesce(obj_description(n.oid, 'pg_namespace') LIKE 'tokenomics: what readers see of %', false) AS is_reader
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
             pg_extension e JOIN pg_namespace x ON x.oid = e.extnamespace
        WHERE e.extname = 'tokenomics' AND c.relname = 'total_spend_trend' AND c.relkind = 'v' AND has_schema_privilege(n.oid, 'USAGE') ORDER BY 1`);
    const visible = rows.filter((row) => row.is_visible);
    const open = rows.some((row) => !row.is_reader) ? rows.filter((row) => !row.is_reader) : rows;
    const found = schema ? rows.filter((row) => row.schema === schema) : visible.length > 0 ? visible : open;
    if (found.length === 0) {
        throw new Trouble(schema ? `there is no install of tokenomics in schema "${schema}" that this role may read` : "this database has no install of tokenomics that this role may read: CALL tokenomics.install('llm')");
    }
    if (found.length > 1) {
        throw new Trouble(`this database has installs in ${found.map((row) => `"${row.schema}"`).join(', ')}: name one in TOKENOMICS_SCHEMA`);
    }
    await client.query(`SET LOCAL search_path = ${found[0].path}`);
}

// Rows of a query, or why there are none: a view that this install does not have,
// or may not be read, is said on the page.
export async function ask(client, sql, values = []) {
    await client.query('SAVEPOINT asked');
    try {
        return { rows: (await client.query(sql, values)).rows };
    } catch (error) {
        if (!['42P01', '42883', '42703', '42501'].includes(error.code)) throw error;
        await client.query('ROLLBACK TO SAVEPOINT asked');
        return { rows: [], isThere: error.code === '42501', why: error.message };
    }
}

// The month asked for ('2026-06'), else the last one that is over; the currency in
// which amounts are shown: that of "setting", or where nothing is in that, the one with
// the highest spend.
export async function scope(client, asked) {
    if (asked && !/^\d{4}-(0[1-9]|1[0-2])$/.test(asked)) throw new Trouble(`"${asked}" is no month; write it as in MONTH=2026-06`);
    const { rows: [found] } = await client.query(`
        SELECT s.zone, s.book, s.currency AS reporting,
               coalesce(max(t.month) FILTER (WHERE NOT t.is_partial), max(t.month)) AS month,
               (SELECT u.currency FROM unit_price_trend u WHERE u.scope = 'total' GROUP BY u.currency
                ORDER BY u.currency = s.currency DESC, sum(u.spend) DESC NULLS LAST, u.currency LIMIT 1) AS priced
        FROM setting s LEFT JOIN total_spend_trend t ON true GROUP BY s.zone, s.book, s.currency`);
    return { zone: found.zone, book: found.book, month: asked ? `${asked}-01` : found.month, currency: found.priced ?? found.reporting };
}

// The charts of a month.  One that names a column "each" is drawn for each of its values.
export async function charts(client, asked) {
    const all = [];
    for (const name of names) {
        const whole = await chart(client, name, asked);
        const { each } = whole.spec.usermeta;
        const values = [...new Set(whole.rows.map((row) => row[each]))];
        if (!each || values.length === 0) all.push(whole);
        else values.forEach((value, i) => all.push({ ...sizedFor(whole, whole.rows.filter((row) => row[each] === value)), name: i === 0 ? name : `${name}_${i + 1}`, title: `${whole.title}: ${value}` }));
    }
    return all;
}

// A chart with a row of its own height for each row: a step would do, but not in a chart
// that fits its container.
function sizedFor(one, rows) {
    const spec = structuredClone(one.spec);
    if (spec.usermeta.row_height) spec.height = spec.usermeta.row_height * rows.length;
    present(spec, rows);
    return { ...one, spec, rows };
}

// Its spec without data, its rows, and where there are none, why.
async function chart(client, name, { month, currency }) {
    const spec = JSON.parse(await source(`charts/${name}.vl.json`));
    const sql = await source(`charts/${name}.sql`);
    const values = [month, currency].slice(0, Math.max(0, ...[...sql.matchAll(/\$(\d)/g)].map((match) => Number(match[1]))));
    const { rows, why, isThere } = await ask(client, sql, values);
    for (const parameter of spec.params ?? []) {
        if (parameter.name === 'currency') parameter.value = rows[0]?.currency ?? currency;
    }
    spec.config = JSON.parse(await source('config.json'));
    const { views, section } = spec.usermeta;
    const drawn = rows.some((row) => row.value !== null);
    return {
        ...sizedFor({ spec }, drawn ? rows : []), name, section, title: spec.title, description: spec.description,
        missing: drawn ? null : `no data: ${why && !isThere ? `this install has no view ${views.join(' and ')}` : why ?? `${views.join(' and ')} ${views.length > 1 ? 'have' : 'has'} nothing for ${format.monthName(month) || 'any month'}`}`,
    };
}

// Leaves in the legend of a fixed set of colours those that are drawn.
function present(part, rows) {
    if (part === null || typeof part !== 'object') return;
    const { field, scale } = part;
    if (rows.some((row) => field in row) && Array.isArray(scale?.domain) && scale.domain.length === scale.range?.length) {
        const kept = scale.domain.map((value, i) => i).filter((i) => rows.some((row) => row[field] === scale.domain[i]));
        part.scale = { ...scale, domain: kept.map((i) => scale.domain[i]), range: kept.map((i) => scale.range[i]) };
    }
    for (const inner of Object.values(part)) present(inner, rows);
}

// The chart as SVG, as wide as asked.
export async function svg({ spec, rows, title, description }, width) {
    const { vega, compile } = await (loaded ??= library());
    const sized = { ...format.fitted(spec, width), width, autosize: { type: 'fit-x', contains: 'padding' }, data: { values: rows } };
    const warnings = [];
    const logger = { level: () => logger, error: (...text) => { throw new Error(text.join(' ')); }, warn: (...text) => { warnings.push(text.join(' ')); return logger; }, info: () => logger, debug: () => logger };
    const view = new vega.View(vega.parse(compile(sized, { logger }).spec), { renderer: 'none', logger });
    const drawn = await view.toSVG();
    view.finalize();
    if (warnings.length > 0) throw new Error(`chart "${title}": ${warnings.join('; ')}`);
    return drawn.replace('<svg ', `<svg role="img" aria-label="${escape(`${title}. ${description}`)}" `);
}

export const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
export { source };
