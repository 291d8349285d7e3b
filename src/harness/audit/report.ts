import { headersText } from './check.js';
import type { AuditedHop, AuditedRequest, HopProblem } from './hop.js';

/** What an audit found: requests, their hops, and every header that was lost or changed. */
export class AuditReport {
  constructor(
    readonly requests: readonly AuditedRequest[],
    /** Hops that no request could be found for: they carried none of the ids of any. */
    readonly unattributed: readonly AuditedHop[],
    /** Headers that were expected somewhere: an audit with none has checked nothing. */
    readonly checked: number,
  ) {}

  get hops(): readonly AuditedHop[] {
    return [...this.requests.flatMap(({ hops }) => hops), ...this.unattributed];
  }

  get problems(): readonly HopProblem[] {
    return this.hops.flatMap(({ problems }) => problems);
  }

  /** A table for people: each hop with the trace headers in and out. */
  toString(): string {
    return this.requests.map((request) => [`request ${request.requestId ?? '(no id)'} in trace ${request.traceId ?? '(none)'}`, ...request.hops.map(hopText)].join('\n')).concat(this.unattributed.map(hopText)).join('\n');
  }
}

function hopText(hop: AuditedHop): string {
  const head = `  ${hop.problems.length === 0 ? 'ok  ' : 'LOST'} ${hop.name}`;
  return [head, `       sent      ${headersText(hop.sent)}`, `       received  ${headersText(hop.received)}`].join('\n');
}

/** The problems of a report, one a paragraph, those of the first hop first. */
export function problemsText(problems: readonly HopProblem[]): string {
  return problems.map(problemText).join('\n');
}

function problemText({ hop, header, expected, sent, received, cause }: HopProblem): string {
  const lines = [`${hop}: ${header}: ${cause}`];
  if (expected !== undefined) lines.push(`    expected  ${expected}`);
  lines.push(`    sent      ${sent ?? '(absent)'}`, `    received  ${received ?? '(absent)'}`);
  return lines.join('\n');
}
