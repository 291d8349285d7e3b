import { AssertionError } from 'node:assert';

/** What a check found, in the form that jest's and vitest's `expect.extend` take. */
export interface CheckResult {
  readonly pass: boolean;
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
