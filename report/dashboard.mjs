// dashboard.mjs [MONTH]: writes the dashboard to stdout, one HTML file that holds its
// data, its charts and what draws them; it loads nothing.
import { charts, complain, escape, scope, source, withDatabase } from './pictures.mjs';
import { cardsHtml } from './markdown.mjs';
import { cards, monthlyReport } from './text.mjs';
import { monthName } from './format.mjs';

const library = async (name) => (await source(`node_modules/${name}`)).replace(/<\/script/gi, '<\\/script').replace(/\/\/# sourceMappingURL=.*/g, '');
const json = (value) => JSON.stringify(value).replace(/</g, '\\u003c').replace(/\u2028/g, '\\u2028').replace(/\u2029/g, '\\u2029');

async function dashboard(client) {
    const asked = await scope(client, process.argv[2]);
    const all = await charts(client, asked);
    const figures = await monthlyReport(client, asked);
    const top = figures.tokens === null ? `<p class="missing">No data: there were no calls and no charges${asked.month ? ` in ${monthName(asked.month)}` : ' yet'}.</p>` : cardsHtml(cards(figures));
    return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:">
<title>Tokens: ${escape(monthName(asked.month) || 'no data')}</title>
<style>
${await source('page.css')}</style>
</head>
<body class="dashboard">
<header><h1>Tokens: what they cost and what is spent</h1><p>${escape(monthName(asked.month) || 'No data yet')} · amounts in ${escape(asked.currency)} · days of ${escape(asked.zone)} · book ${escape(asked.book)}</p></header>
<main>
${top}
<div class="grid">
${all.map((one) => `<figure id="${one.name}"><h3>${escape(one.title)}</h3>${one.missing ? `<p class="missing">${escape(one.missing)}</p>` : '<div class="picture"></div>'}<figcaption>${escape(one.description)}</figcaption>`
        + `${one.missing ? '' : '<details><summary>Figures</summary><div class="scroll"></div></details>'}</figure>`).join('\n')}
</div>
</main>
<script>${await library('vega/build/vega.min.js')}</script>
<script>${await library('vega-lite/build/vega-lite.min.js')}</script>
<script>${await library('vega-embed/build/vega-embed.min.js')}</script>
<script type="application/json" id="charts">${json(all.filter((one) => !one.missing).map(({ name, spec, rows }) => ({ name, spec: { ...spec, title: undefined }, rows })))}</script>
<script>
'use strict';
${(await source('format.mjs')).replace(/^export /gm, '')}
${await source('draw.js')}
</script>
</body>
</html>
`;
}

try {
    process.stdout.write(await withDatabase(dashboard));
} catch (error) {
    complain('dashboard', error);
}
