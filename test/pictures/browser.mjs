// browser.mjs SHOTS PAGE...: opens pages (HTML files) in Chromium, wide and narrow, and
// prints as JSON what a test asks of them; screenshots go to the folder SHOTS.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.env.TOKENOMICS_REPORT_BUILD}/package.json`);
const { chromium } = require('playwright-core');
const [shots, ...pages] = process.argv.slice(2);

// The shell without windows, where it is there, is the same engine at half the time.
const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find((path) => existsSync(path));
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-software-rasterizer', '--in-process-gpu', '--disable-background-networking'] });

// Runs in the page.
function look() {
    const visible = (element) => element.getClientRects().length > 0;
    const figures = {};
    for (const figure of document.querySelectorAll('figure')) {
        const drawn = [...figure.querySelectorAll('svg.marks, svg[role=img]')].find(visible);
        const shapes = drawn ? [...drawn.querySelectorAll('.mark-rect.role-mark path, .mark-line.role-mark path, .mark-symbol.role-mark path, .mark-area.role-mark path, .mark-rule.role-mark line')] : [];
        figures[figure.id] = {
            missing: figure.querySelector('.missing')?.textContent ?? null,
            marks: shapes.filter((shape) => { const box = shape.getBoundingClientRect(); return box.width > 0 || box.height > 0; }).length,
            bars: drawn ? [...drawn.querySelectorAll('.mark-rect.role-mark.layer_0_marks path')].map((shape) => { const box = shape.getBBox(); return { x: box.x, y: box.y, width: box.width, height: box.height, name: shape.getAttribute('aria-label') }; }) : [],
            labels: drawn ? [...drawn.querySelectorAll('text')].map((text) => text.textContent) : [],
            outside: drawn ? [...drawn.querySelectorAll('text')].filter((text) => { const a = text.getBoundingClientRect(), b = figure.getBoundingClientRect(); return a.left < b.left - 1 || a.right > b.right + 1; }).map((text) => text.textContent) : [],
        };
    }
    const embedded = document.getElementById('charts');
    return {
        figures,
        charts: embedded ? Object.fromEntries(JSON.parse(embedded.textContent).map(({ name, rows }) => [name, rows])) : {},
        cards: [...document.querySelectorAll('.card')].map((card) => [...card.children].map((part) => part.textContent)),
        tables: [...document.querySelectorAll('table')].filter(visible).map((table) => [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent))),
        text: document.body.innerText,
        scripts: document.scripts.length,
        overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    };
}

// Runs in the page as it is printed: what is wider than the paper.
function cut() {
    return [...document.querySelectorAll('table, svg, .card')].filter((element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1 || (element.parentElement.className === 'scroll' && getComputedStyle(element.parentElement).overflowX !== 'visible')).map((element) => element.textContent.slice(0, 40));
}

const seen = [];
for (const file of pages) {
    for (const width of [1400, 400]) {
        const page = await browser.newPage({ viewport: { width, height: 900 } });
        const said = [], asked = [];
        page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) said.push(message.text()); });
        page.on('pageerror', (error) => said.push(String(error)));
        page.on('request', (request) => { if (!/^(file|data|blob):/.test(request.url())) asked.push(request.url()); });
        await page.goto(pathToFileURL(file).href);
        await page.evaluate(() => window.drawn);
        await page.screenshot({ path: `${shots}/${basename(file, '.html')}-${width}.png`, fullPage: true });
        const found = await page.evaluate(look);
        const details = page.locator('figure > details').first();
        if (await details.count()) {
            await details.locator('summary').click();
            await details.locator('table').waitFor();
        }
        const opened = (await page.evaluate(look)).tables;
        // what A4 has between its margins
        await page.emulateMedia({ media: 'print' });
        await page.setViewportSize({ width: 688, height: 1000 });
        const printed = await page.evaluate(cut);
        seen.push({ page: basename(file, '.html'), width, said, asked, ...found, opened, printed });
        await page.close();
    }
}
await browser.close();
console.log(JSON.stringify(seen));
