// clickhouse.mjs FOLDER: loads the two files of FOLDER and answers the queries named on
// standard input, on one thread or two.
import { Session } from 'chdb';
import { answer, cost, files, rates } from './engine.mjs';

const folder = process.argv[2];
const session = new Session(`${folder}/clickhouse`);
const value = (sql) => session.query(sql, 'TSV').trim();
const types = files('Int64', 'String', 'Decimal(18, 4)');
const csv = (file) => `file('${folder}/${file}', 'CSV', '${types[file].map((column) => column.join(' ')).join(', ')}')`;

value('CREATE DATABASE bench');
value(`CREATE TABLE bench.raw_price ENGINE = MergeTree ORDER BY tuple() AS SELECT * FROM ${csv('prices.csv')}`);
for (const [name, order] of [['calls', 'time'], ['calls_by_model', '(model, time)']]) {
    value(`CREATE TABLE bench.${name} ENGINE = MergeTree ORDER BY ${order} AS
        SELECT fromUnixTimestamp64Micro(us, 'UTC') AS time, toLowCardinality(model) AS model, input, cache_read, output, reasoning
        FROM ${csv('calls.csv')}`);
    value(`OPTIMIZE TABLE bench.${name} FINAL`);
}
for (const [name, rate] of [['double', (r) => `toFloat64(x.${r})`], ['bigint', (r) => `toInt64(x.${r} * 10000)`]])
    value(`CREATE TABLE bench.prices_${name} ENGINE = MergeTree ORDER BY (model, valid_from) AS
        SELECT toLowCardinality(model) AS model, fromUnixTimestamp64Micro(from_us, 'UTC') AS valid_from, above,
               ${rates.map((r) => `${rate(r)} AS ${r}`)} FROM bench.raw_price x`);
value('SYSTEM STOP MERGES');

const report = (calls, prices, unit) => `SELECT count(), sum(i), sum(r), sum(o), sum(t), toInt128(sum(cost) * ${unit})
    FROM (SELECT toStartOfMonth(c.time) AS period, c.model, sum(c.input) AS i, sum(c.cache_read) AS r, sum(c.output) AS o,
                 sum(c.reasoning) AS t, sum(${cost}) AS cost
          FROM bench.${calls} c ASOF JOIN bench.${prices} p ON c.model = p.model AND c.time >= p.valid_from GROUP BY 1, 2)`;
const queries = {
    clickhouse_double: report('calls', 'prices_double', 10000),
    clickhouse_bigint: report('calls', 'prices_bigint', 1),
    clickhouse_by_model: report('calls_by_model', 'prices_double', 10000),
};
await answer(value('SELECT version()'), queries, async (sql, threads) =>
    () => value(`${sql} SETTINGS max_threads = ${threads}`).replaceAll('\t', '|'));
session.close();
