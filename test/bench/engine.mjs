// What duckdb.mjs and clickhouse.mjs share.
import { createInterface } from 'node:readline';

const meters = ['input', 'cache_read', 'output', 'reasoning'];
export const rates = [...meters, ...meters.map((meter) => `above_${meter}`)];

// The columns of the two files, with their types as the engine calls them.
export const files = (integer, text, decimal) => ({
    'calls.csv': [['us', integer], ...meters.map((m) => [m, integer]), ['model', text]],
    'prices.csv': [['model', text], ['from_us', integer], ['to_us', integer], ['above', integer], ...rates.map((r) => [r, decimal])],
});

const sum = (prefix) => meters.map((m) => `c.${m} * p.${prefix}${m}`).join(' + ');
export const cost = `CASE WHEN c.input + c.cache_read > p.above THEN ${sum('above_')} ELSE ${sum('')} END`;

// Answers "NAME THREADS" by "SECONDS RESULT", a line each.
export async function answer(version, queries, prepare) {
    console.log(`ready ${version}`);
    for await (const line of createInterface({ input: process.stdin })) {
        const [name, threads] = line.split(' ');
        const run = await prepare(queries[name], threads);
        const begin = performance.now();
        const result = await run();
        console.log(`${((performance.now() - begin) / 1000).toFixed(6)} ${result}`);
    }
}
