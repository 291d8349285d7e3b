import { AssertionError } from 'node:assert';
import type { SpanAttribute } from '../record/index.js';
import { attributeText } from '../trace/index.js';

/** What a check found, in the form that jest's and vitest's `expect.extend` take. */
export interface CheckResult {
  readonly pass: boolean;
  /** What was expected and what was seen. */
  readonly message: () => string;
}

/** Facts of a failed check; each is a paragraph of its message. */
export interface CheckFacts {
  readonly expected?: string | undefined;
  readonly seen?: string | undefined;
  /** Why it failed, in one line or more. */
  readonly reason?: string | undefined;
  /** Whatever else helps: the tree, the headers. */
  readonly more?: string | undefined;
}

/** A result whose message is `title` and, when the check failed, what was expected and seen. With `.not` the title says so. */
export function result(pass: boolean, title: string, facts: () => CheckFacts = () => ({})): CheckResult {
  return { pass, message: () => (pass ? `expected otherwise than: ${title}` : text(`expected ${title}`, facts())) };
}

function text(title: string, { expected, seen, reason, more }: CheckFacts): string {
  const parts = [reason === undefined ? title : `${title}: ${reason}`];
  if (expected !== undefined) parts.push(`Expected: ${indented(expected)}`);
  if (seen !== undefined) parts.push(`Seen:     ${indented(seen)}`);
  if (more !== undefined) parts.push(more);
  return parts.join('\n\n');
}

function indented(value: string): string {
  return value.includes('\n') ? `\n${value.split('\n').map((line) => `  ${line}`).join('\n')}` : value;
}

/** The check as a function that throws what node:test shows when it fails. */
export function asserting<A extends unknown[]>(check: (...args: A) => CheckResult): (...args: A) => void {
  return function assertion(...args) {
    const { pass, message } = check(...args);
    if (!pass) throw new AssertionError({ message: message(), stackStartFn: assertion });
  };
}

/** What a field should be: a value, a RegExp for its text, a test of one's own, or `expect.any()` and its kind. */
export type FieldPattern = SpanAttribute | RegExp | ((value: unknown) => boolean) | { asymmetricMatch(value: unknown): boolean };

/** Fields by name; only those named are looked at. */
export type FieldPatterns = Readonly<Record<string, FieldPattern>>;

/** The differences between fields and what they should be, a line each; empty when they agree. */
export function fieldDifferences(fields: Readonly<Record<string, unknown>>, patterns: FieldPatterns): string[] {
  return Object.entries(patterns).flatMap(([key, pattern]) => (agrees(fields[key], pattern) ? [] : [`${key}: expected ${patternText(pattern)}, seen ${key in fields ? valueText(fields[key]) : '(absent)'}`]));
}

function agrees(value: unknown, pattern: FieldPattern): boolean {
  if (typeof pattern === 'function') return pattern(value);
  if (isRegExp(pattern)) return value !== undefined && pattern.test(attributeText(value as SpanAttribute));
  if (typeof pattern === 'object' && pattern !== null && 'asymmetricMatch' in pattern && typeof pattern.asymmetricMatch === 'function') return (pattern as { asymmetricMatch(of: unknown): boolean }).asymmetricMatch(value);
  if (pattern === undefined) return value === undefined;
  // Dynamo writes the numbers of its records as text.
  return value !== undefined && attributeText(value as SpanAttribute) === attributeText(pattern);
}

function isRegExp(value: unknown): value is RegExp {
  return Object.prototype.toString.call(value) === '[object RegExp]';
}

export function patternText(pattern: FieldPattern): string {
  if (typeof pattern === 'function') return 'a value that passes the test';
  return isRegExp(pattern) ? String(pattern) : typeof pattern === 'object' && pattern !== null && 'asymmetricMatch' in pattern ? 'a match' : valueText(pattern);
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : attributeText(value as SpanAttribute);
}
