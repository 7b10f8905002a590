// In the page of the dashboard: draws each chart over the rows that the page holds.
for (const [name, written] of Object.entries({ money, rate, count, percent })) vega.expressionFunction(name, written);

const charts = JSON.parse(document.getElementById('charts').textContent);
window.views = {};
window.drawn = Promise.all(charts.map(async ({ name, spec, rows }) => {
    const figure = document.getElementById(name);
    const { view } = await vegaEmbed(figure.querySelector('.picture'), { ...fitted(spec, figure.clientWidth), data: { values: rows } },
        { renderer: 'svg', actions: { export: true, source: false, compiled: false, editor: false }, tooltip: { theme: 'light' }, downloadFileName: name });
    window.views[name] = view;
    figure.querySelector(':scope > details').addEventListener('toggle', ({ target }) => {
        const place = target.querySelector('.scroll');
        if (place.hasChildNodes()) return;
        const table = place.appendChild(document.createElement('table'));
        const columns = Object.keys(rows[0]);
        const head = table.createTHead().insertRow();
        for (const column of columns) head.appendChild(document.createElement('th')).textContent = column;
        const body = table.createTBody();
        for (const row of rows) {
            const line = body.insertRow();
            for (const column of columns) {
                const cell = line.insertCell();
                cell.textContent = row[column] ?? '–';
                if (typeof row[column] === 'number') cell.className = 'number';
            }
        }
    });
})).then(() => document.body.classList.add('drawn'));
