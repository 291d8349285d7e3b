/** What the soak did and saw, in a table. */
import type { Sent } from './clients.js';
import type { Verdict } from './verdict.js';

export interface FrontReport {
  readonly name: string;
  readonly sent: readonly Sent[];
  readonly errors: ReadonlyMap<string, number>;
  readonly verdict: Verdict;
}

const OUTCOMES = ['answered', 'refused', 'failed', 'cut', 'unanswered', 'left', 'overdue'] as const;
const MEANINGS: Readonly<Record<(typeof OUTCOMES)[number], string>> = {
  answered: 'answered whole', refused: 'answered with a status from 400', failed: 'told of an error in the stream', cut: 'cut before the end', unanswered: 'closed without a response',
  left: 'left by the client', overdue: 'over the deadline',
};

const sum = (counts: Iterable<number>): number => [...counts].reduce((total, count) => total + count, 0);
const listed = (counts: ReadonlyMap<string, number>): string => [...counts].sort(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`).join(', ') || 'none';

export function report(fronts: readonly FrontReport[], injected: ReadonlyMap<string, number>): void {
  console.log(`${sum(injected.values())} faults: ${listed(injected)}`);
  for (const { name, errors } of fronts) console.log(`errors of handlers, ${name}: ${listed(errors)}`);
  const row = (what: string, count: (front: FrontReport) => number): void => console.log(`| ${what.padEnd(42)} | ${fronts.map((front) => String(count(front)).padStart(front.name.length)).join(' | ')} |`);
  console.log(`| ${''.padEnd(42)} | ${fronts.map(({ name }) => name).join(' | ')} |`);
  console.log(`| ${'-'.repeat(42)} | ${fronts.map(({ name }) => '-'.repeat(name.length)).join(' | ')} |`);
  row('requests', ({ sent }) => sent.length);
  for (const outcome of OUTCOMES) row(`  ${MEANINGS[outcome]}`, ({ sent }) => sent.filter((one) => one.outcome === outcome).length);
  row('completion records', ({ verdict }) => verdict.completed);
  row('  missing', ({ verdict }) => verdict.missing);
  row('  doubled', ({ verdict }) => verdict.doubled);
  row('requests that did not reach the gateway', ({ verdict }) => verdict.turnedAway);
}
