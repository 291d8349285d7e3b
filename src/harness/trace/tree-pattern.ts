import { invalidOption } from '../../internal/index.js';

/** One line of a tree pattern with what is indented below it. */
export interface PatternNode {
  /** 1 for the first line that holds something. */
  readonly line: number;
  readonly text: string;
  /** `...`: any spans, none included. */
  readonly any: boolean;
  /** Name with `*` wildcards. */
  readonly name: string;
  readonly attributes: readonly AttributePattern[];
  readonly children: PatternNode[];
}

export interface AttributePattern {
  readonly key: string;
  /** `*` wildcards unless it was written in quotes. */
  readonly value: string;
  readonly literal: boolean;
}

/** A pattern as it was read. */
export interface TreePattern {
  readonly roots: readonly PatternNode[];
  /** Its lines without the indentation that all of them share. */
  readonly lines: readonly string[];
}

/**
 * Reads a tree pattern: a span name each line, children indented below it, attributes in braces, `#` before a remark,
 * `...` for any further spans.
 * @throws ERR_OPTION_INVALID for braces that do not close and lines that no parent is above
 */
export function parseTreePattern(text: string): TreePattern {
  const given = text.split('\n').map(withoutRemark).filter((line) => line.trim() !== '');
  const shared = Math.min(...given.map(indentOf));
  const lines = given.map((line) => line.slice(shared).trimEnd());
  const roots: PatternNode[] = [];
  const stack: { readonly indent: number; readonly children: PatternNode[] }[] = [{ indent: -1, children: roots }];
  lines.forEach((line, index) => {
    const indent = indentOf(line);
    while ((stack.at(-1)?.indent ?? -1) >= indent) stack.pop();
    const node = parseLine(line.trim(), index + 1);
    (stack.at(-1)?.children ?? roots).push(node);
    stack.push({ indent, children: node.children });
  });
  return { roots, lines };
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

/** A remark begins with `#` at the start or after a space, outside braces. */
function withoutRemark(line: string): string {
  let depth = 0;
  for (let at = 0; at < line.length; at += 1) {
    const c = line[at];
    if (c === '{') depth += 1;
    else if (c === '}') depth -= 1;
    else if (c === '#' && depth <= 0 && (at === 0 || /\s/.test(line[at - 1] ?? ''))) return line.slice(0, at);
  }
  return line;
}

function parseLine(text: string, line: number): PatternNode {
  const open = /\s\{/.exec(text)?.index;
  if (open === undefined) return { line, text, any: text === '...', name: text, attributes: [], children: [] };
  const braces = text.slice(open).trim();
  if (!braces.endsWith('}')) throw invalidOption(`tree pattern, line ${line}`, 'a span name with attributes in { }', text);
  return { line, text, any: false, name: text.slice(0, open).trim(), attributes: parseAttributes(braces.slice(1, -1), line), children: [] };
}

const PAIR = /\s*([^\s=,{}]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^,]*?)\s*(?:,|$)/y;

function parseAttributes(text: string, line: number): AttributePattern[] {
  const found: AttributePattern[] = [];
  let at = 0;
  while (at < text.trimEnd().length) {
    PAIR.lastIndex = at;
    const [whole, key, value] = PAIR.exec(text) ?? [];
    if (whole === undefined || key === undefined || value === undefined) throw invalidOption(`tree pattern, line ${line}`, 'key=value pairs between commas', text);
    found.push(value.startsWith('"') ? { key, value: JSON.parse(value) as string, literal: true } : { key, value, literal: false });
    at += whole.length;
  }
  return found;
}
