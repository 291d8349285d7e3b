import { invalidOption } from '../../internal/index.js';
import type { FinishedSpan } from '../record/index.js';
import { attributeText, matchesWildcard, type SpanNode } from './tree.js';

/** One line of a tree pattern with what is indented below it. */
interface PatternNode {
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

interface AttributePattern {
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

/** Where a tree and a pattern part. */
export interface TreeMismatch {
  /** Line of the pattern; one past its last when something is there that no line stands for. */
  readonly line: number;
  readonly reason: string;
}

/** The first difference between a tree and a pattern; undefined when they agree. */
export function matchTree(pattern: TreePattern, roots: readonly SpanNode[]): TreeMismatch | undefined {
  return matchSiblings(pattern.roots, roots, 'the trace', pattern.lines.length + 1);
}

/** `...` may stand for any number of spans: the reading that gets furthest explains the failure. */
function matchSiblings(patterns: readonly PatternNode[], nodes: readonly SpanNode[], parent: string, endLine: number): TreeMismatch | undefined {
  const [pattern, ...rest] = patterns;
  const [node, ...others] = nodes;
  if (pattern === undefined) return node === undefined ? undefined : { line: endLine, reason: `${quoted(node.span)} under ${parent} is in the trace and not in the pattern` };
  const nextLine = rest[0]?.line ?? endLine;
  if (pattern.any) {
    const without = matchSiblings(rest, nodes, parent, endLine);
    if (without === undefined || node === undefined) return without;
    return further(without, matchSiblings(patterns, others, parent, endLine));
  }
  if (node === undefined) return { line: pattern.line, reason: `${JSON.stringify(pattern.text)} is expected under ${parent}, which has no ${patterns.length > 1 ? 'spans' : 'span'} left` };
  return matchNode(pattern, node, parent, nextLine) ?? matchSiblings(rest, others, parent, endLine);
}

function further(a: TreeMismatch, b: TreeMismatch | undefined): TreeMismatch | undefined {
  return b === undefined || b.line > a.line ? b : a;
}

function matchNode(pattern: PatternNode, node: SpanNode, parent: string, nextLine: number): TreeMismatch | undefined {
  if (!matchesWildcard(pattern.name, node.span.name)) return { line: pattern.line, reason: `${JSON.stringify(pattern.name)} is expected under ${parent}, the span there is ${quoted(node.span)}` };
  for (const attribute of pattern.attributes) {
    const reason = attributeMismatch(attribute, node.span);
    if (reason !== undefined) return { line: pattern.line, reason };
  }
  return matchSiblings(pattern.children, node.children, quoted(node.span), nextLine);
}

function attributeMismatch({ key, value, literal }: AttributePattern, span: FinishedSpan): string | undefined {
  const seen = spanFact(span, key);
  const wanted = literal ? JSON.stringify(value) : value;
  if (seen === undefined) return `${quoted(span)} has no ${key}, expected ${wanted}`;
  const agrees = literal ? seen === value : matchesWildcard(value, seen);
  return agrees ? undefined : `${quoted(span)} has ${key}=${JSON.stringify(seen)}, expected ${wanted}`;
}

/** An attribute as text, or with `@` a fact of the span itself. */
export function spanFact(span: FinishedSpan, key: string): string | undefined {
  switch (key) {
    case '@status': return span.status;
    case '@kind': return span.kind;
    case '@service': return span.service;
    default: {
      const value = span.attributes[key];
      return value === undefined ? undefined : attributeText(value);
    }
  }
}

function quoted(span: FinishedSpan): string {
  return JSON.stringify(span.name);
}
