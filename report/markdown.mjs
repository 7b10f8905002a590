// The part of Markdown that reports use, as HTML: headings, paragraphs, lists, tables,
// bold, code, and pictures alone on a line.  HTML in it is text: names of models and
// teams come from logs.
import { escape } from './pictures.mjs';

const inline = (text) => escape(text.replace(/\\([|*`\\])/g, (_, c) => String.fromCharCode(0xe000 + c.charCodeAt(0))))
    .replace(/\*\*(.+?)\*\*/g, '<strong>$1</strong>').replace(/`(.+?)`/g, '<code>$1</code>')
    .replace(/[\ue000-\ue0ff]/g, (c) => escape(String.fromCharCode(c.charCodeAt(0) - 0xe000)));

const cells = (line) => line.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map((cell) => cell.trim());

// A table of one row that begins each cell with a figure in bold is a row of cards.
function cards(lines) {
    const [heads, , row] = lines.map(cells);
    return `<div class="cards">${heads.map((head, i) => { const [, figure, note] = /^\*\*(.*?)\*\*(.*)$/.exec(row[i]);
        return `<div class="card"><div class="label">${inline(head)}</div><div class="figure">${inline(figure)}</div><div class="note">${inline(note.trim())}</div></div>`; }).join('')}</div>`;
}

function table(lines) {
    if (lines.length === 3 && cells(lines[2]).every((cell) => /^\*\*.+?\*\*/.test(cell))) return cards(lines);
    const align = cells(lines[1]).map((rule) => (rule.endsWith(':') ? ' class="number"' : ''));
    const row = (line, tag) => `<tr>${cells(line).map((cell, i) => `<${tag}${align[i]}>${inline(cell)}</${tag}>`).join('')}</tr>`;
    return `<table><thead>${row(lines[0], 'th')}</thead><tbody>${lines.slice(2).map((line) => row(line, 'td')).join('')}</tbody></table>`;
}

// picture(name) gives the HTML of a line ![...](name).
export function html(markdown, picture) {
    const blocks = markdown.trim().split(/\n\s*\n/).map((block) => block.split('\n'));
    return blocks.map((lines) => {
        const image = /^!\[.*\]\((\w+)\)$/.exec(lines[0]);
        const heading = /^(#{1,4}) (.*)$/.exec(lines[0]);
        if (image) return picture(image[1]);
        if (heading) return `<h${heading[1].length}>${inline(heading[2])}</h${heading[1].length}>`;
        if (lines[0].startsWith('|') && lines.length > 1) return `<div class="scroll">${table(lines)}</div>`;
        if (lines[0].startsWith('- ')) return `<ul>${lines.map((line) => `<li>${inline(line.slice(2))}</li>`).join('')}</ul>`;
        return `<p>${inline(lines.join(' '))}</p>`;
    }).join('\n');
}

// A name inside Markdown, as text.
export const literal = (name) => String(name ?? '–').replace(/[\\|*`]/g, '\\$&').replace(/\s+/g, ' ');

export function markdownTable(heads, rows) {
    return [heads.map((head) => head.replace(/:$/, '')), heads.map((head) => (head.endsWith(':') ? '---:' : '---')), ...rows]
        .map((row) => `| ${row.join(' | ')} |`).join('\n');
}
