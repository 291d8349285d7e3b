import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export function doc(name: string): string {
  return readFileSync(join(__dirname, '..', '..', 'docs', name), 'utf8');
}

/** The rows of the table in a document whose header begins with these cells. Cells are without their backticks. */
export function table(name: string, ...header: string[]): string[][] {
  const lines = doc(name).split('\n');
  const starts = lines.flatMap((line, index) => (header.every((cell, i) => cells(line)[i] === cell) ? [index] : []));
  if (starts.length !== 1) throw new Error(`docs/${name} has ${starts.length} tables that begin with ${header.join(', ')}`);
  const rows: string[][] = [];
  for (const line of lines.slice(starts[0]! + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(cells(line));
  }
  return rows;
}

function cells(line: string): string[] {
  if (!line.startsWith('|')) return [];
  const parts = line.slice(1).split(/(?<!\\)\|/).slice(0, -1);
  return parts.map((part) => part.trim().replaceAll('\\|', '|').replace(/^`([^`]*)`$/, '$1'));
}

/** The code blocks of a language, each with the heading above it. */
export function examples(name: string, language: string): { heading: string; code: string }[] {
  const found: { heading: string; code: string }[] = [];
  let heading = '';
  for (const [, title, given, code] of doc(name).matchAll(/^#+ (.*)$|^```(\w+)\n([\s\S]*?)^```$/gm)) {
    if (title !== undefined) heading = title;
    else if (given === language) found.push({ heading, code: code!.trim() });
  }
  return found;
}
