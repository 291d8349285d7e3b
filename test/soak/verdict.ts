/** What must hold between what clients saw, what the gateway wrote and what it counted. */
import { DEADLINE_MS, type Sent } from './clients.js';
import type { Holding, Line } from './processes.js';

/** Bytes that the heap may have grown by. */
const HEAP_GROWTH = 8 * 2 ** 20;

export interface Evidence {
  readonly name: string;
  readonly sent: readonly Sent[];
  /** Lines `request received` and `request completed` of the gateway. */
  readonly lines: readonly Line[];
  readonly metrics: string;
  readonly before: Holding;
  readonly after: Holding;
  /** A process short of descriptors may close a connection that it could not take: its requests have no record, as far as their client has seen nothing. */
  readonly mayTurnAway: boolean;
}

export interface Verdict {
  readonly complaints: readonly string[];
  readonly completed: number;
  readonly missing: number;
  readonly doubled: number;
  /** Requests that ended before the gateway had them. */
  readonly turnedAway: number;
}

export function judge(evidence: Evidence): Verdict {
  const received = evidence.lines.filter(({ message }) => message === 'request received');
  const completed = evidence.lines.filter(({ message }) => message === 'request completed');
  const byId = groupBy(completed);
  const complaints = evidence.sent.flatMap((sent) => complaintsAbout(sent, byId.get(sent.id) ?? [], evidence.mayTurnAway).map((text) => `${sent.id}, ${described(sent)}: ${text}`));
  const known = new Set(evidence.sent.map(({ id }) => id));
  for (const id of byId.keys()) if (!known.has(id)) complaints.push(`${id}: a record of a request that nobody sent`);
  complaints.push(...countersOff(evidence.metrics, received, completed), ...growth(evidence.before, evidence.after));
  const without = evidence.sent.filter(({ id }) => !byId.has(id));
  return {
    complaints: complaints.map((text) => `${evidence.name}: ${text}`),
    completed: completed.length,
    missing: without.filter((sent) => !wasTurnedAway(sent, evidence.mayTurnAway)).length,
    doubled: [...byId.values()].filter(({ length }) => length > 1).length,
    turnedAway: without.filter((sent) => wasTurnedAway(sent, evidence.mayTurnAway)).length,
  };
}

const idOf = (line: Line): string => String(line['x_request_id']);
const described = ({ kind, path, stream, outcome, status }: Sent): string => `${kind}, ${stream ? 'streamed' : 'unary'} ${path}, ${outcome}${status === undefined ? '' : ` ${status}`}`;

function groupBy(lines: readonly Line[]): Map<string, Line[]> {
  const groups = new Map<string, Line[]>();
  for (const line of lines) {
    const group = groups.get(idOf(line));
    if (group === undefined) groups.set(idOf(line), [line]);
    else group.push(line);
  }
  return groups;
}

function wasTurnedAway({ outcome, kind, status, isReused }: Sent, mayTurnAway: boolean): boolean {
  return (mayTurnAway || isReused) && status === undefined && (outcome === 'unanswered' || (outcome === 'left' && kind !== 'leaves midway'));
}

function complaintsAbout(sent: Sent, records: readonly Line[], mayTurnAway: boolean): string[] {
  const found: string[] = [];
  if (sent.complaint !== undefined) found.push(sent.complaint);
  if (sent.outcome === 'overdue') found.push(`not over after ${DEADLINE_MS} ms`);
  if (records.length === 0 && !wasTurnedAway(sent, mayTurnAway)) found.push('no record');
  if (records.length > 1) found.push(`${records.length} records`);
  for (const record of records) {
    const reason = misfit(sent, record);
    if (reason !== undefined) found.push(`${reason}: ${JSON.stringify({ status: record['status'], error_type: record['error_type'], finish_reason: record['finish_reason'], output_tokens: record['output_tokens'], elapsed_ms: record['elapsed_ms'] })}`);
  }
  return found;
}

/** What the record may say of a request that its client saw end so. */
function misfit(sent: Sent, record: Line): string | undefined {
  const { status, error_type: type } = record;
  if (Number(record['elapsed_ms']) > DEADLINE_MS) return 'its record says that it took longer than it may';
  switch (sent.outcome) {
    case 'answered':
      if (status !== 'success') return 'answered whole, and the record says otherwise';
      return Number(record['output_tokens']) === sent.tokens && record['finish_reason'] !== undefined ? undefined : `${sent.tokens} tokens were asked for`;
    case 'refused':
      return status === 'error' && (TYPES_OF_STATUS[sent.status ?? 0] ?? []).includes(String(type)) ? undefined : 'the record does not fit the status';
    case 'left': // Its worker may have failed first. Nobody gets 100,000 tokens here.
      return status === 'cancelled' || (status === 'error' && sent.kind !== 'leaves in its body') ? undefined : 'the client left';
    case 'overdue':
      return 'its record';
    default:
      return status === 'error' ? undefined : 'it did not end well';
  }
}

const TYPES_OF_STATUS: Readonly<Record<number, readonly string[]>> = {
  400: ['validation'], 404: ['not_found'], 415: ['validation'], 500: ['internal'], 502: ['internal'], 503: ['unavailable'], 504: ['response_timeout'], 529: ['overload'],
};

/** The counters of `/metrics` beside the same numbers from the records. */
function countersOff(metrics: string, received: readonly Line[], completed: readonly Line[]): string[] {
  const labels = (line: Line): string[] => [String(line['endpoint']), String(line['request_type'])];
  const ended = (line: Line): string[] => [...labels(line), line['status'] === 'success' ? 'success' : 'error', line['status'] === 'success' ? '' : String(line['error_type'])];
  const tokens = completed.reduce((sum, line) => sum + Number(line['output_tokens'] ?? 0), 0);
  const expected: readonly (readonly [string, readonly string[], Map<string, number>])[] = [
    ['requests_started_total', ['endpoint', 'request_type'], tally(received.map(labels))],
    ['requests_total', ['endpoint', 'request_type', 'status', 'error_type'], tally(completed.map(ended))],
    ['request_duration_seconds_count', [], new Map([['', completed.length]])],
    ['output_tokens_total', [], new Map([['', tokens]])],
    ['inflight_requests', [], new Map([['', 0]])],
  ];
  return expected.flatMap(([family, names, wanted]) => {
    const counted = samples(metrics, family, names);
    return [...new Set([...wanted.keys(), ...counted.keys()])].flatMap((key) => {
      const [inRecords, inMetrics] = [wanted.get(key) ?? 0, counted.get(key) ?? 0];
      return inRecords === inMetrics ? [] : [`/metrics: ${family}{${key}} is ${inMetrics}, the records make it ${inRecords}`];
    });
  });
}

function tally(keys: readonly (readonly string[])[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key.join(' '), (counts.get(key.join(' ')) ?? 0) + 1);
  return counts;
}

/** Samples of a family, added up over all other labels. */
function samples(metrics: string, family: string, names: readonly string[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [, labels = '', value] of metrics.matchAll(new RegExp(`^dynamo_frontend_${family}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))) {
    const key = names.map((name) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '').join(' ');
    sums.set(key, (sums.get(key) ?? 0) + Number(value));
  }
  return sums;
}

/** What a process holds more than at the beginning. */
export function growth(before: Holding, after: Holding): string[] {
  const found: string[] = [];
  const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  if (after.heap - before.heap > HEAP_GROWTH) found.push(`the heap grew from ${megabytes(before.heap)} to ${megabytes(after.heap)} MiB`);
  if (after.descriptors > before.descriptors) found.push(`${before.descriptors} descriptors before, ${after.descriptors} after`);
  for (const [kind, count] of Object.entries(after.handles)) if (count > (before.handles[kind] ?? 0)) found.push(`${before.handles[kind] ?? 0} handles of ${kind} before, ${count} after`);
  return found;
}
