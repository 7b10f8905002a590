// duckdb.mjs FOLDER: loads the two files of FOLDER and answers the queries named on
// standard input, on one thread or two.
import { DuckDBInstance } from '@duckdb/node-api';
import { answer, cost, files, rates } from './engine.mjs';

const folder = process.argv[2];
const connection = await (await DuckDBInstance.create(':memory:')).connect();
const rows = async (sql) => (await connection.runAndReadAll(sql)).getRowsJson();
const types = files('BIGINT', 'VARCHAR', 'DECIMAL(12, 4)');
const csv = (file) => `read_csv('${folder}/${file}', header = false, columns = {${types[file].map(([name, type]) => `${name}: '${type}'`)}})`;

await rows("SET timezone = 'UTC'");
await rows(`CREATE TABLE raw AS FROM ${csv('calls.csv')}`);
await rows(`CREATE TABLE raw_price AS FROM ${csv('prices.csv')}`);
// as people have them: times with a zone, names as text, rates as double
await rows('CREATE TABLE calls_people AS SELECT make_timestamp(us)::TIMESTAMPTZ AS "time", * EXCLUDE (us) FROM raw');
await rows(`CREATE TABLE prices_people AS SELECT make_timestamp(from_us)::TIMESTAMPTZ AS valid_from, model, above,
    ${rates.map((r) => `${r}::DOUBLE AS ${r}`)} FROM raw_price`);
// as its experts would: no zone, names as an ENUM
await rows('CREATE TYPE model_name AS ENUM (SELECT DISTINCT model FROM raw_price ORDER BY 1)');
await rows('CREATE TABLE calls AS SELECT make_timestamp(us) AS "time", model::model_name AS model, * EXCLUDE (us, model) FROM raw');
for (const [name, rate] of [['double', (r) => `${r}::DOUBLE`], ['bigint', (r) => `(${r} * 10000)::BIGINT`]])
    await rows(`CREATE TABLE prices_${name} AS SELECT make_timestamp(from_us) AS valid_from, make_timestamp(to_us) AS valid_to,
        model::model_name AS model, above, ${rates.map((r) => `${rate(r)} AS ${r}`)} FROM raw_price`);
await rows('DROP TABLE raw');

const asof = (prices) => `ASOF JOIN ${prices} p ON c.model = p.model AND c."time" >= p.valid_from`;
const range = (prices) => `JOIN ${prices} p ON c.model = p.model AND c."time" >= p.valid_from AND c."time" < p.valid_to`;
const report = (calls, join, unit) => `SELECT count(*), sum(i), sum(r), sum(o), sum(t), (sum(cost) * ${unit})::HUGEINT
    FROM (SELECT date_trunc('month', "time") AS period, c.model, sum(c.input) AS i, sum(c.cache_read) AS r, sum(c.output) AS o,
                 sum(c.reasoning) AS t, sum(${cost}) AS cost
          FROM ${calls} c ${join} GROUP BY 1, 2)`;
const queries = {
    duckdb_people: report('calls_people', asof('prices_people'), 10000),
    duckdb_asof: report('calls', asof('prices_double'), 10000),
    duckdb_range_double: report('calls', range('prices_double'), 10000),
    duckdb_range_bigint: report('calls', range('prices_bigint'), 1),
};
let threads;
await answer((await rows('SELECT version()'))[0][0], queries, async (sql, wanted) => {
    if (threads !== wanted)
        await rows(`SET threads = ${threads = wanted}`);
    return async () => (await rows(sql))[0].join('|');
});
