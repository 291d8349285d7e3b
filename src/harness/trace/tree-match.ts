import type { FinishedSpan } from '../record/index.js';
import type { AttributePattern, PatternNode, TreePattern } from './tree-pattern.js';
import { attributeText, wildcard, type SpanNode } from './tree.js';

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
  if (node === undefined) return { line: pattern.line, reason: `${JSON.stringify(pattern.text)} is expected under ${parent}, which has no ${nodesWord(patterns)} left` };
  return matchNode(pattern, node, parent, nextLine) ?? matchSiblings(rest, others, parent, endLine);
}

function nodesWord(patterns: readonly PatternNode[]): string {
  return patterns.length > 1 ? 'spans' : 'span';
}

function further(a: TreeMismatch, b: TreeMismatch | undefined): TreeMismatch | undefined {
  return b === undefined || b.line > a.line ? b : a;
}

function matchNode(pattern: PatternNode, node: SpanNode, parent: string, nextLine: number): TreeMismatch | undefined {
  if (!wildcard(pattern.name).test(node.span.name)) return { line: pattern.line, reason: `${JSON.stringify(pattern.name)} is expected under ${parent}, the span there is ${quoted(node.span)}` };
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
  const agrees = literal ? seen === value : wildcard(value).test(seen);
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
