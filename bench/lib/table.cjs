'use strict';

/** A table in Markdown: it reads well in a terminal and can be put into docs/performance.md as it is. */
function table({ title, columns, rows, note }) {
  const texts = [columns, ...rows].map((row) => row.map(String));
  const widths = columns.map((_, i) => Math.max(...texts.map((row) => (row[i] ?? '').length)));
  const line = (row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  const [head, ...body] = texts;
  return [`### ${title}`, '', line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body.map(line), ...(note === undefined ? [] : ['', note]), ''].join('\n');
}

module.exports = { table };
