// values.mjs VIEW...: the rows of views through node-postgres, as text and in the binary
// protocol, as JSON: {view: {columns: [[name, type oid]], text: [[...]], binary: [[...]]}}.
// Binary values are decoded here, from what PostgreSQL documents of each type.
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.TOKENOMICS_REPORT_BUILD}/package.json`);
const pg = require('pg');

function numeric(bytes) {
    const [digits, weight, sign, scale] = [bytes.readUInt16BE(0), bytes.readInt16BE(2), bytes.readUInt16BE(4), bytes.readUInt16BE(6)];
    if (sign === 0xC000) return 'NaN';
    const group = (i) => (i >= 0 && i < digits ? bytes.readUInt16BE(8 + 2 * i) : 0);
    let whole = '', part = '';
    for (let i = 0; i <= weight; i++) whole += String(group(i)).padStart(4, '0');
    for (let i = 0; part.length < scale; i++) part += String(group(weight + 1 + i)).padStart(4, '0');
    return (sign === 0x4000 ? '-' : '') + (whole.replace(/^0+/, '') || '0') + (scale > 0 ? `.${part.slice(0, scale)}` : '');
}

const micros = (bytes) => bytes.readBigInt64BE(0) + 946684800000000n;
const array = (bytes) => {
    const [dimensions, , , size] = [0, 4, 8, 12].map((at) => (bytes.length > at ? bytes.readInt32BE(at) : 0));
    const items = [];
    for (let i = 0, at = 20; dimensions && i < size; i++) {
        const length = bytes.readInt32BE(at);
        items.push(bytes.toString('utf8', at + 4, at + 4 + length));
        at += 4 + length;
    }
    return `{${items.join(',')}}`;
};
const decode = {
    16: (b) => (b[0] ? 't' : 'f'), 20: (b) => String(b.readBigInt64BE(0)), 21: (b) => String(b.readInt16BE(0)), 23: (b) => String(b.readInt32BE(0)), 25: (b) => b.toString('utf8'), 19: (b) => b.toString('utf8'),
    701: (b) => String(b.readDoubleBE(0)), 1082: (b) => new Date(Date.UTC(2000, 0, 1) + 86400000 * b.readInt32BE(0)).toISOString().slice(0, 10),
    1184: (b) => new Date(Number(micros(b) / 1000n)).toISOString().replace('T', ' ').slice(0, 19) + (micros(b) % 1000000n ? `.${String(micros(b) % 1000000n).padStart(6, '0').replace(/0+$/, '')}` : '') + '+00',
    1700: numeric, 3802: (b) => b.toString('utf8', 1), 1009: array,
};

// Values as they come: what a type means is the reader's to say.
const raw = { getTypeParser: (oid, format) => (format === 'binary' ? (bytes) => (decode[oid] ?? ((b) => `unknown type ${oid}: ${b.toString('hex')}`))(bytes) : (text) => text) };
const answer = {};
const client = new pg.Client({ types: raw });
await client.connect();
await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
for (const view of process.argv.slice(2)) {
    const ask = (binary) => client.query({ text: `SELECT * FROM ${view}`, rowMode: 'array', binary });
    const text = await ask(false);
    answer[view] = { columns: text.fields.map((field) => [field.name, field.dataTypeID]), text: text.rows, binary: (await ask(true)).rows };
}
await client.end();
console.log(JSON.stringify(answer));
