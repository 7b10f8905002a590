// The part of Markdown that reports use, as HTML: headings, paragraphs, lists, tables,
// bold, code, and pictures alone on a line.  HTML in it is text: names of models and
// teams come from logs.
import { escape } from './pictures.mjs';

const inline = (text) => escape(text.replace(/\\([\\`*_|<>[\]])/g, (_, c) => String.fromCharCode(0xe000 + c.charCodeAt(0))))
    .replace(/\*\*(.+?)\*\*/g, '<strong>$1</strong>').replace(/`(.+?)`/g, '<code>$1</code>')
    .replace(/[\ue000-\ue0ff]/g, (c) => escape(String.fromCharCode(c.charCodeAt(0) - 0xe000)));

const cells = (line) => line.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map((cell) => cell.trim());

// The headline figures: label, figure, note.
export function cardsHtml(cards) {
    return `<div class="cards">${cards.map((parts) => `<div class="card">${parts.map((part, i) => `<div class="${['label', 'figure', 'note'][i]}">${escape(part)}</div>`).join('')}</div>`).join('')}</div>`;
}

function table(lines) {
    const align = cells(lines[1]).map((rule) => (rule.endsWith(':') ? ' class="number"' : ''));
    const row = (line, tag) => `<tr>${cells(line).map((cell, i) => `<${tag}${align[i]}>${inline(cell)}</${tag}>`).join('')}</tr>`;
    const columns = align.length > 9 ? ' class="crowd"' : align.length > 6 ? ' class="many"' : '';
    return `<table${columns}><thead>${row(lines[0], 'th')}</thead><tbody>${lines.slice(2).map((line) => row(line, 'td')).join('')}</tbody></table>`;
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
