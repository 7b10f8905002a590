// The report of a month as the database has it: its Markdown, its headline figures, and
// where the pictures go in it.
import { ask } from './pictures.mjs';
import { amount, count, percent } from './format.mjs';

// The last version published, else the report as of now.  Of an install without any
// month it is that of today, which says that there is nothing.  Figures are rounded here,
// in SQL: JavaScript would read a number of JSON as the nearest float.
const published = `SELECT body, markdown, version, to_char(published_at AT TIME ZONE $2, 'YYYY-MM-DD HH24:MI') AS published
                   FROM report WHERE month = $1::date ORDER BY version DESC LIMIT 1`;
const current = `SELECT body, tokenomics.report_markdown(body) AS markdown, NULL::integer AS version, NULL::text AS published
                 FROM (SELECT monthly_report(coalesce($1::date, (now() AT TIME ZONE $2)::date)) AS body OFFSET 0) AS now`;
// materialized, as OFFSET 0 is: else the report would be made again for each figure
const figures = (report) => `
    WITH report AS MATERIALIZED (${report})
    SELECT markdown, version, published, body ->> 'currency' AS currency, body ->> 'lacks_rate' AS lacks, (body ->> 'is_partial')::boolean AS is_partial, body -> 'spend' ->> 'tokens' AS tokens,
           round((body -> 'spend' ->> 'total')::numeric, 2) AS spend, (body -> 'spend' ->> 'growth')::float8 AS spend_growth,
           round((body -> 'unit_price' ->> 'cost_per_mtok')::numeric, 4) AS cost_per_mtok, (body -> 'unit_price' ->> 'growth')::float8 AS price_growth,
           tokenomics.growth_rate((body -> 'spend' ->> 'tokens')::numeric, (body -> 'spend' ->> 'tokens_before')::numeric) AS token_growth,
           (body -> 'savings' ->> 'savings_rate')::float8 AS savings_rate, body ->> 'unpriced_tokens' AS unpriced
    FROM report`;

export async function monthlyReport(client, { month, zone }) {
    const { rows } = await ask(client, figures(published), [month, zone]);
    return rows[0] ?? (await client.query(figures(current), [month, zone])).rows[0];
}

// The headline figures: label, figure, note; none of a month without calls and charges.
export function cards(f) {
    if (f.tokens === null) return [];
    const on = (growth) => (growth === null ? '' : `${percent(growth, true)} on the month before`);
    return [
        ['Total spend', amount(f.spend, f.currency), f.lacks ? `without ${f.lacks}: no exchange rate` : f.is_partial ? 'the month is not over' : on(f.spend_growth)],
        ['A million tokens cost', amount(f.cost_per_mtok, f.currency), on(f.price_growth)],
        ['Tokens', count(f.tokens), f.is_partial ? '' : on(f.token_growth)],
        ['Saved against list', percent(f.savings_rate), 'by contract'],
        ['Without a price', count(f.unpriced), Number(f.unpriced) > 0 ? 'tokens, in no amount' : 'every token has one'],
    ];
}

// Each picture goes to the end of the section of its chart; where the text has no such
// section, to the end of the text, under a heading of its own.
export function illustrated(markdown, charts) {
    const sections = markdown.trim().split(/\n(?=## )/);
    const rest = [];
    for (const { name, section } of charts) {
        const i = sections.findIndex((text) => text.startsWith(`## ${section}\n`));
        if (i < 0) rest.push(`![](${name})`);
        else sections[i] += `\n\n![](${name})\n`;
    }
    return [...sections, ...(rest.length > 0 ? [`## Pictures\n\n${rest.join('\n\n')}`] : [])].join('\n');
}
