// How figures are written, in charts and in text, in Node and in the browser:
// $1.2M, $0.43/Mtok, 1.78B tokens.  What is not a number is a dash, never NaN.

const signs = { USD: '$', EUR: '€', GBP: '£', JPY: '¥', CNY: 'CN¥', INR: '₹' };

function sized(amount, digits) {
    const size = Math.abs(amount);
    for (const [from, letter] of [[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e3, 'k']]) {
        // what rounding would carry over belongs to the next letter
        if (Number(size.toPrecision(digits)) >= from) {
            return String(Number((size / from).toPrecision(digits))) + letter;
        }
    }
    return null;
}

const isNumber = (amount) => amount !== null && amount !== undefined && amount !== '' && Number.isFinite(Number(amount));

export function count(amount) {
    if (!isNumber(amount)) return '–';
    const n = Number(amount);
    return (n < 0 ? '−' : '') + (sized(n, 3) ?? String(Number(Math.abs(n).toPrecision(3))));
}

export function money(amount, currency) {
    if (!isNumber(amount)) return '–';
    const n = Number(amount);
    const size = Math.abs(n);
    const text = sized(n, 3)
        ?? (Number.isInteger(size) ? String(size) : size >= 0.1 ? size.toFixed(2) : String(Number(size.toPrecision(2))));
    return (n < 0 ? '−' : '') + (signs[currency] ?? (currency ? currency + ' ' : '')) + text;
}

export function rate(amount, currency) {
    const size = Math.abs(Number(amount));
    return isNumber(amount) ? money(amount, currency).replace(/\d+$/, (whole) => (Number.isInteger(size) && size < 1000 ? `${whole}.00` : whole)) + '/Mtok' : '–';
}

export function percent(share, signed) {
    if (!isNumber(share)) return '–';
    const n = Number(share) * 100;
    const text = Math.abs(n) >= 100 ? Math.abs(n).toFixed(0) : Math.abs(n).toFixed(1);
    return (n < 0 && Number(text) !== 0 ? '−' : signed && Number(text) !== 0 ? '+' : '') + text + ' %';
}

// An exact amount, from its decimal digits as SQL gives them: 5146.95 is
// $5,146.95.  It is rounded in SQL, not here.
export function amount(digits, currency) {
    if (digits === null || digits === undefined) return '–';
    const [, minus, whole, rest] = /^(-?)(\d+)(\.\d+)?$/.exec(digits);
    return (minus && /[1-9]/.test(digits) ? '−' : '') + (signs[currency] ?? (currency ? currency + ' ' : ''))
        + whole.replace(/\B(?=(\d{3})+$)/g, ',') + (rest ?? '');
}

export function monthName(month) {
    return month ? new Date(month + 'T00:00:00Z').toLocaleDateString('en', { month: 'long', year: 'numeric', timeZone: 'UTC' }) : '';
}

// A spec for a width.  On a narrow page a legend is in two columns, and names of rows
// stand above their bars, where there is room for them.
export function fitted(spec, width) {
    if (width >= 480) return spec;
    const { config, usermeta } = spec;
    const narrow = { ...spec, config: { ...config, legend: { ...config.legend, columns: 2, labelLimit: 150 }, axis: { ...config.axis, labelLimit: 130 } } };
    if (usermeta.names !== 'above') return narrow;
    const row = usermeta.row_height * 1.5;
    const down = (layer) => ({ ...layer, mark: { ...layer.mark, yOffset: row * 0.2, ...(layer.mark.height && { height: { band: layer.mark.height.band * 0.6 } }) } });
    const { y } = spec.encoding;
    return { ...narrow, height: spec.height * 1.5, layer: spec.layer.map(down),
        encoding: { ...spec.encoding, y: { ...y, axis: { ...y.axis, labelAlign: 'left', labelPadding: -4, labelOffset: -row * 0.24, labelLimit: width - 40, ticks: false } } } };
}
