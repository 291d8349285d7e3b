import { parseTraceparent, parseTracestate } from '../../trace-context/index.js';
import type { StartedSpan } from '../record/index.js';
import { AUDITED_HEADERS, isIdOrPart } from '../trace/index.js';
import type { AuditedHop, HopProblem, SeenHop } from './hop.js';
import type { CorrelatedRequest } from './correlated-request.js';

/** Name of the hop by which a request enters. */
const CLIENT_HOP = 'client → gateway';

/** Every hop of a request with what is wrong on it. `spans` are the spans of its trace that were recorded. */
export function checkRequest(request: CorrelatedRequest, spans: readonly StartedSpan[]): readonly AuditedHop[] {
  const client = clientHop(request, spans);
  return [...(client === undefined ? [] : [client]), ...request.hops.map((hop) => checkHop(hop, request, spans))];
}

function clientHop(request: CorrelatedRequest, spans: readonly StartedSpan[]): AuditedHop | undefined {
  const { sent, inbound } = request;
  if (sent === undefined && inbound === undefined) return undefined;
  const received = inbound?.received ?? sent;
  const problems: HopProblem[] = [...onTheWay({ name: CLIENT_HOP, sent, received })];
  const entered = parseTraceparent(sent?.['traceparent'] ?? '');
  if (entered !== undefined && request.traceId !== undefined && entered.traceId !== request.traceId && spans.length > 0) {
    problems.push({ hop: CLIENT_HOP, header: 'traceparent', expected: `trace ${entered.traceId}`, sent: sent?.['traceparent'], received: received?.['traceparent'], cause: `the gateway did not continue it: it began trace ${request.traceId}` });
  }
  return { name: CLIENT_HOP, kind: 'http', sent, received, problems };
}

function checkHop(hop: SeenHop, request: CorrelatedRequest, spans: readonly StartedSpan[]): AuditedHop {
  const problems = [...atTheSender(hop, request, spans), ...onTheWay(hop)].sort((a, b) => AUDITED_HEADERS.indexOf(a.header) - AUDITED_HEADERS.indexOf(b.header));
  return { name: hop.name, kind: hop.kind, sent: hop.sent, received: hop.received, problems };
}

/** What the sender should have put on the hop, against what it did. */
function atTheSender(hop: SeenHop, request: CorrelatedRequest, spans: readonly StartedSpan[]): HopProblem[] {
  const outgoing = hop.sent ?? hop.received ?? {};
  const problems: HopProblem[] = [];
  for (const header of AUDITED_HEADERS) {
    const expected = request.expected[header];
    if (expected === undefined) continue;
    const cause = senderFault(header, expected, outgoing[header], request, spans);
    if (cause !== undefined) problems.push({ hop: hop.name, header, expected: header === 'traceparent' ? `trace ${expected}` : expected, sent: outgoing[header], received: hop.received?.[header], cause });
  }
  return problems;
}

function senderFault(header: string, expected: string, sent: string | undefined, request: CorrelatedRequest, spans: readonly StartedSpan[]): string | undefined {
  if (sent === undefined) return 'the sender did not send it';
  switch (header) {
    case 'traceparent': return parentFault(expected, sent, request, spans);
    case 'tracestate': return stateFault(expected, sent);
    case 'request-id': return isIdOrPart(sent, expected) ? undefined : 'the sender sent another one';
    default: return sent === expected ? undefined : 'the sender sent another one';
  }
}

function parentFault(traceId: string, sent: string, request: CorrelatedRequest, spans: readonly StartedSpan[]): string | undefined {
  const parent = parseTraceparent(sent);
  if (parent === undefined) return 'it is no valid traceparent';
  if (parent.traceId !== traceId) return `it continues another trace: two traces in one request`;
  if (spans.length === 0 || spans.some(({ spanId }) => spanId === parent.spanId)) return undefined;
  const names = spans.map(({ name, spanId }) => `${name} ${spanId}`).slice(0, 5).join(', ');
  if (parent.spanId === request.callerSpanId) return `wrong parent: it names the client's span ${parent.spanId}, not one of the sender's own (${names})`;
  return `wrong parent: it names span ${parent.spanId}, which is not a span of this trace (${names})`;
}

/** A hop may add members of its own at the front; those that came in must still be there. */
function stateFault(expected: string, sent: string): string | undefined {
  const members = parseTracestate(sent)?.split(',') ?? [];
  const lost = expected.split(',').filter((member) => !members.includes(member));
  return lost.length === 0 ? undefined : `members that came in are gone: ${lost.join(', ')}`;
}

/** What was sent against what was received. A hop whose receiver got nothing at all has lost no header. */
function* onTheWay({ name, sent, received, faults = [] }: Pick<SeenHop, 'name' | 'sent' | 'received' | 'faults'>): Generator<HopProblem> {
  if (sent === undefined || received === undefined) return;
  const blame = faults.length === 0 ? '' : ` (${faults.join(', ')})`;
  for (const header of AUDITED_HEADERS) {
    const [out, back] = [sent[header], received[header]];
    // Several tracestate headers may be joined on the way.
    if (out === back || (header === 'tracestate' && out !== undefined && back !== undefined && parseTracestate(out) === parseTracestate(back))) continue;
    yield { hop: name, header, expected: undefined, sent: out, received: back, cause: `${back === undefined ? 'lost on the way' : out === undefined ? 'added on the way' : 'changed on the way'}${blame}` };
  }
}
