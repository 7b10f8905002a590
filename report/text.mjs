// The text of the report of a month, as Markdown: what the views say, rounded in SQL.
import { ask } from './pictures.mjs';
import { amount, count, monthName, percent } from './format.mjs';
import { literal, markdownTable } from './markdown.mjs';

const between = `($1::date)::timestamp AT TIME ZONE (SELECT zone FROM setting), ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting)`;
const betweenTwo = `($1::date - interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting), ($1::date + interval '1 month')::timestamp AT TIME ZONE (SELECT zone FROM setting)`;
const shown = (converted, own) => `CASE WHEN reporting_currency = $2::text THEN ${converted} WHEN currency = $2::text THEN ${own} END`;

// One row of figures that the headline and the text share; amounts as decimal digits.
export async function headline(client, { month, currency }) {
    const { rows: [row] } = await client.query(`
        WITH spend AS (
            SELECT month, bool_and(is_partial) AS is_partial, sum(tokens) AS tokens, sum(calls) AS calls, min(unpriced_tokens) AS unpriced,
                   CASE WHEN bool_and(a.amount IS NOT NULL) THEN sum(a.amount) END AS spend,
                   string_agg(currency, ', ' ORDER BY currency) FILTER (WHERE a.amount IS NULL) AS lacks
            FROM total_spend_trend, LATERAL (SELECT ${shown('total_spend_converted', 'total_spend')} AS amount) AS a
            WHERE month IN ($1::date, ($1::date - interval '1 month')::date)
            GROUP BY month
        ), price AS (
            SELECT month, cost_per_mtok, list_cost_per_mtok, savings_rate, growth_month_on_month FROM unit_price_trend
            WHERE scope = 'total' AND currency = $2::text AND month IN ($1::date, ($1::date - interval '1 month')::date)
        )
        SELECT round(s.spend, 2) AS spend, s.is_partial, s.tokens, s.calls, s.unpriced, s.lacks, round(b.spend, 2) AS spend_before,
               CASE WHEN b.spend > 0 AND NOT s.is_partial AND NOT b.is_partial THEN tokenomics.growth_rate(s.spend, b.spend) END AS spend_growth,
               CASE WHEN p.cost_per_mtok < 1 THEN round(p.cost_per_mtok, 4) ELSE round(p.cost_per_mtok, 2) END AS cost_per_mtok,
               p.growth_month_on_month AS price_growth, p.savings_rate,
               tokenomics.growth_rate(s.tokens, b.tokens) AS token_growth
        FROM spend s LEFT JOIN spend b ON b.month < s.month LEFT JOIN price p ON p.month = s.month
        WHERE s.month = $1::date`, [month, currency]);
    return row;
}

// The headline figures: label, figure, note.
export function cards(h, currency) {
    const on = (growth) => (growth === null ? '' : `${percent(growth, true)} on the month before`);
    return [
        ['Total spend', amount(h.spend, currency), h.lacks ? `no exchange rate from ${h.lacks}` : h.is_partial ? 'the month is not over' : on(h.spend_growth)],
        ['A million tokens cost', amount(h.cost_per_mtok, currency), on(h.price_growth)],
        ['Tokens', count(h.tokens), on(h.token_growth)],
        ['Saved against list', percent(h.savings_rate), 'by contract'],
        ['Without a price', count(h.unpriced), Number(h.unpriced) > 0 ? 'tokens, in no amount' : 'every token has one'],
    ];
}

// The only seam: what yields the text may be replaced, the pages stay.
export async function reportText(client, scope) {
    const { month, currency, zone, book } = scope;
    const sections = [];
    const say = (...blocks) => sections.push(...blocks);
    const when = monthName(month);
    const h = month && await headline(client, scope);
    if (!h) {
        return `# Token spend${when ? `, ${when}` : ''}\n\nNo data: there were no calls and no charges${when ? ` in ${when}` : ' yet'}.`;
    }
    const data = async (sql) => (await ask(client, sql, [month, currency].slice(0, sql.includes('$2') ? 2 : 1)));
    const list = (answer, none, build) => (answer.why ? `No data: ${literal(answer.why)}.` : answer.rows.length === 0 ? none : build(answer.rows));
    const money = (digits) => amount(digits, currency);

    say(`# Token spend, ${when}`,
        markdownTable(...Object.values(cards(h, currency).reduce(({ heads, rows: [row] }, [label, figure, note]) =>
            ({ heads: [...heads, label], rows: [[...row, `**${figure}** ${literal(note).replace(/^–$/, '')}`]] }), { heads: [], rows: [[]] }))));
    if (h.is_partial) say(`${when} is not over: these figures are up to now, and growth is not stated.`);
    if (h.lacks) say(`**No exchange rate is known from ${literal(h.lacks)} to ${currency}** for a month shown here, so that there is no total in ${currency}.`);

    say('## The two lines', twoLines(h, when, money), '![The two lines](two_lines)', '![Total spend](total_spend)', '![Unit price](unit_price)');

    say('## Why they moved', '![Bridge of the bill](bill_bridge)');

    const movers = await data(`
        SELECT owner, round(now, 2) AS now, round(before, 2) AS before, round(now, 2) - round(before, 2) AS change
        FROM (SELECT owner, coalesce(sum(a.amount) FILTER (WHERE month = $1::date), 0) AS now, coalesce(sum(a.amount) FILTER (WHERE month < $1::date), 0) AS before
              FROM spend_by_owner_between(${betweenTwo}), LATERAL (SELECT ${shown('total_spend_converted', 'total_spend')} AS amount) AS a
              WHERE dimension = 'team' AND currency IS NOT NULL
              GROUP BY owner HAVING bool_and(a.amount IS NOT NULL)) AS o
        WHERE now <> before ORDER BY abs(now - before) DESC, owner LIMIT 8`);
    say('## Who and what', '### Top movers', list(movers, 'No team spent more or less than in the month before.', (rows) =>
        markdownTable(['Team', 'The month:', 'Month before:', 'Change:'], rows.map((r) => [literal(r.owner), money(r.now), money(r.before), signed(r.change, money)]))),
        '![Spend by team](owners)', '![Spend by model](models)', '![Spend by day](daily_spend)');

    say('## What is coming', '![Peaks of the week](peak_week)', '![Forecast](forecast)', '![Quotes](quotes)');

    const unpriced = await data(`SELECT provider, model, service_tier, reason, nearest_priced_model, calls::text, tokens::text FROM unpriced_usage_between(${between})
                                 WHERE month = $1::date AND tokens > 0 ORDER BY unpriced_usage_between.tokens DESC, 1, 2, 3, 4 LIMIT 20`);
    say('## What has no price', list(unpriced, 'Every token has a price.', (rows) => `${count(h.unpriced)} tokens have no price, and are in no amount above.\n\n`
        + markdownTable(['Provider', 'Model', 'Why', 'Nearest priced model', 'Calls:', 'Tokens:'],
            rows.map((r) => [literal(r.provider), literal(r.model), literal(r.reason), literal(r.nearest_priced_model), amount(r.calls), amount(r.tokens)]))));

    const open = await data(`SELECT provider, model, currency, round(computed, 2) AS computed, round(coalesce(invoiced, billed), 2) AS billed, round(residual, 2) AS residual
                             FROM reconciliation_between(($1::date)::timestamp AT TIME ZONE 'UTC', ($1::date + interval '1 month')::timestamp AT TIME ZONE 'UTC')
                             WHERE scope = 'model' AND round(residual, 2) <> 0 ORDER BY abs(reconciliation_between.residual) DESC, 1, 2, 3 LIMIT 20`);
    say('## What does not reconcile', list(open, 'All that vendors billed is what the calls cost, to the cent.', (rows) =>
        markdownTable(['Provider', 'Model', 'Computed:', 'Billed:', 'Residual:'],
            rows.map((r) => [literal(r.provider), literal(r.model), amount(r.computed, r.currency), amount(r.billed, r.currency), signed(r.residual, (x) => amount(x, r.currency))]))));

    say(`Months and days of ${literal(zone)}; prices of the book ${literal(book)}; amounts in ${currency}, other currencies converted by the month's rate. Reconciliation is by months of UTC.`);
    return sections.join('\n\n');
}

const signed = (digits, money) => (/^-|^0(\.0+)?$/.test(digits) ? money(digits) : `+${money(digits)}`);

function twoLines(h, when, money) {
    const moved = (growth, verb) => (growth === null ? '' : /^0(\.0)? %$/.test(percent(Math.abs(growth))) ? ', as in the month before' : `, ${percent(Math.abs(growth))} ${Number(growth) > 0 ? 'more' : 'less'} than ${verb} the month before`);
    return `In ${when} **${money(h.spend)}** was spent${moved(h.spend_growth, 'in')}. A million tokens cost **${money(h.cost_per_mtok)}**${moved(h.price_growth, 'in')}`
        + `${h.token_growth === null ? '' : `, and ${percent(Math.abs(h.token_growth))} ${Number(h.token_growth) >= 0 ? 'more' : 'fewer'} tokens were used`}.`;
}
