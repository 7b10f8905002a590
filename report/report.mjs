// report.mjs [MONTH]: writes the report of a month to stdout, one HTML file without
// script, to be mailed and printed.
import { charts, complain, escape, scope, source, svg, withDatabase } from './pictures.mjs';
import { cardsHtml, html } from './markdown.mjs';
import { cards, illustrated, monthlyReport } from './text.mjs';
import { monthName } from './format.mjs';

async function report(client) {
    const asked = await scope(client, process.argv[2]);
    const text = await monthlyReport(client, asked);
    const all = text.tokens === null ? [] : await charts(client, asked);
    const figures = {};
    for (const one of all) {
        // mail shows no script, so both widths are in it and a media query picks one
        figures[one.name] = `<figure id="${one.name}"><h3>${escape(one.title)}</h3>`
            + (one.missing ? `<p class="missing">${escape(one.missing)}</p>`
                : `<div class="wide">${await svg(plain(one), 680)}</div><div class="narrow" style="display: none">${await svg(plain(one), 350)}</div>`)
            + `<figcaption>${escape(one.description)}</figcaption></figure>`;
    }
    const body = html(illustrated(text.markdown, all), (name) => figures[name] ?? '').replace('</h1>', () => `</h1>\n${cardsHtml(cards(text))}`);
    const version = text.version === null ? '' : `\n<p class="note">Text and headline as published on ${escape(text.published)}, version ${text.version}; the pictures are of what is known now.</p>`;
    return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Token spend${asked.month ? `, ${monthName(asked.month)}` : ''}</title>
<style>
${await source('page.css')}</style>
</head>
<body class="report">
<main>
${body}${version}
</main>
</body>
</html>
`;
}

// The heading of the page is the title.
const plain = (one) => ({ ...one, spec: { ...one.spec, title: undefined } });

try {
    process.stdout.write(await withDatabase(report));
} catch (error) {
    complain('report', error);
}
