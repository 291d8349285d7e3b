import { headersText, problemsText, type AuditReport, type HopProblem } from '../audit/index.js';
import { invalidOption } from '../../internal/index.js';
import { keysOf, hopHeaders, traceOf, type HarnessTrace, type TraceSubject } from '../trace/index.js';
import type { HarnessWorker } from '../worker/index.js';
import { result, type CheckResult } from './result.js';

/** What of a harness the checks use. */
export interface Audited {
  audit(subject?: TraceSubject): AuditReport;
  traceNow(subject: TraceSubject): HarnessTrace | undefined;
}

/** What `toHavePropagated` leaves out. */
export interface PropagationOptions {
  /** Hops to leave out: names, or parts of them. */
  readonly exceptHops?: readonly string[] | undefined;
  /** Headers to leave out. */
  readonly exceptHeaders?: readonly string[] | undefined;
}

/** Fails as well when there was no hop or nothing to compare. */
export function checkPropagated(harness: Audited, subject?: TraceSubject, options: PropagationOptions = {}): CheckResult {
  if (typeof (harness as Partial<Audited> | undefined)?.audit !== 'function') throw invalidOption('expect(harness).toHavePropagated()', 'a harness', harness);
  const report = harness.audit(subject);
  const problems = report.problems.filter((problem) => !leftOut(problem, options));
  const empty = emptiness(report);
  return result(problems.length === 0 && empty === undefined, 'every hop to carry the trace headers', () => ({
    reason: problems.length === 0 ? empty : `\n${problemsText(problems)}`,
    more: `Hops:\n${report.toString()}`,
  }));
}

function leftOut({ hop, header }: HopProblem, { exceptHops = [], exceptHeaders = [] }: PropagationOptions): boolean {
  return exceptHops.some((part) => hop.includes(part)) || exceptHeaders.includes(header);
}

/** An audit that has checked nothing must not pass. */
function emptiness(report: AuditReport): string | undefined {
  if (report.hops.length === 0) return 'no hop was seen: no request reached a worker or upstream of this harness';
  if (report.checked === 0) return report.hops.every(({ kind }) => kind === 'http') ? 'no request went past the gateway: there is no hop behind it to audit' : 'there was nothing to compare: the client sent no trace headers and no span of the gateway was recorded';
  return undefined;
}

export function checkReceivedTrace(worker: HarnessWorker, subject: TraceSubject): CheckResult {
  if (typeof (worker as Partial<HarnessWorker> | undefined)?.inject !== 'function') throw invalidOption('expect(worker).toHaveReceivedTraceOf()', 'a worker of a harness', worker);
  const harness = worker.harness as Audited;
  const traceId = harness.traceNow(subject)?.traceId;
  const got = worker.requests.filter(({ received }) => received !== undefined);
  const pass = traceId !== undefined && got.some(({ received }) => traceOf(hopHeaders({ ...received }))?.traceId === traceId);
  return result(pass, `worker ${worker.name} to have received the trace of the request`, () => {
    const problems = harness.audit(subject).problems.filter(({ hop }) => hop.includes(worker.name));
    const seen = worker.requests.map(({ sent, received, faults }) => [`sent      ${headersText(hopHeaders({ ...sent }))}`, `received  ${received === undefined ? '(nothing)' : headersText(hopHeaders({ ...received }))}`, ...(faults.length === 0 ? [] : [`faults    ${faults.join(', ')}`])].join('\n'));
    const reason = traceId === undefined ? 'the trace of the request is not known: no header, span or record names it' : worker.requests.length === 0 ? 'no request reached it' : problems.length === 0 ? 'it got other traces only' : `\n${problemsText(problems)}`;
    return { reason, expected: `traceparent of trace ${traceId ?? '(unknown)'}`, seen: seen.join('\n') || '(no requests)' };
  });
}

/** When the client has sent no id, any id will do. */
export function checkEchoedRequestId(response: Exclude<TraceSubject, string>, id?: string): CheckResult {
  const { answered, sent } = keysOf(response);
  if (answered === undefined) throw invalidOption('expect(response).toEchoRequestId()', 'a response with headers', response);
  const [own, canonical] = [answered['x-request-id'], answered['request-id']];
  const seen = `x-request-id: ${own ?? '(absent)'}, request-id: ${canonical ?? '(absent)'}`;
  if (id !== undefined) return result(own === id || canonical === id, 'the response to echo the request id', () => ({ expected: id, seen }));
  const wanted = sent?.['x-request-id'] ?? sent?.['request-id'];
  if (wanted !== undefined) return result(own === wanted || canonical === wanted, 'the response to echo the request id that the client sent', () => ({ expected: wanted, seen }));
  return result(own !== undefined || canonical !== undefined, 'the response to name its request id', () => ({ expected: 'request-id or x-request-id', seen }));
}
