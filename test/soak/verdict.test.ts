import { describe, expect, test } from '@jest/globals';
import { DEADLINE_MS, type Sent } from './clients.js';
import type { Line } from './processes.js';
import { judge, type Evidence } from './verdict.js';

const SENT: Sent = { id: 'a', kind: 'patient', path: '/v1/completions', stream: false, tokens: 3, outcome: 'answered', status: 200, isReused: false };
const LEFT: Sent = { ...SENT, id: 'b', kind: 'leaves at once', stream: true, tokens: 100_000, outcome: 'left', status: undefined };
const LABELS = { endpoint: 'completions', request_type: 'unary' };
const COMPLETED: Line = { message: 'request completed', x_request_id: 'a', ...LABELS, status: 'success', finish_reason: 'length', output_tokens: '3', elapsed_ms: '12' };
const CANCELLED: Line = { message: 'request completed', x_request_id: 'b', ...LABELS, status: 'cancelled', error_type: 'cancelled', elapsed_ms: '5' };
const RECEIVED: readonly Line[] = ['a', 'b'].map((id) => ({ message: 'request received', x_request_id: id, ...LABELS }));
const METRICS = `
dynamo_frontend_requests_started_total{model="m",endpoint="completions",request_type="unary"} 2
dynamo_frontend_requests_total{model="m",endpoint="completions",request_type="unary",status="success",error_type=""} 1
dynamo_frontend_requests_total{model="m",endpoint="completions",request_type="unary",status="error",error_type="cancelled"} 1
dynamo_frontend_request_duration_seconds_count{model="m"} 2
dynamo_frontend_output_tokens_total{model="m"} 3
dynamo_frontend_inflight_requests{model="m"} 0
`;
const HOLDING = { heap: 20e6, handles: { Timeout: 1 }, descriptors: 20 };
const SOUND: Evidence = { name: 'g', sent: [SENT, LEFT], lines: [...RECEIVED, COMPLETED, CANCELLED], metrics: METRICS, before: HOLDING, after: HOLDING, mayTurnAway: false };

describe('what the soak accepts', () => {
  test.each<[string, Partial<Evidence>]>([
    ['one record for each request that fits what its client saw', {}],
    ['an error for a client that left', { lines: [...RECEIVED, COMPLETED, { ...CANCELLED, status: 'error', error_type: 'unavailable' }], metrics: METRICS.replace('error_type="cancelled"', 'error_type="unavailable"') }],
    ['less than at the beginning', { after: { heap: 1, handles: {}, descriptors: 1 } }],
  ])('%s', (_title, changes) => {
    expect(judge({ ...SOUND, ...changes })).toEqual({ complaints: [], completed: 2, missing: 0, doubled: 0, turnedAway: 0 });
  });

  test('no record of a request whose connection was closed before the gateway had it', () => {
    const lost: Sent = { ...SENT, id: 'c', outcome: 'unanswered', status: undefined };
    const judged = (sent: Sent, mayTurnAway: boolean): object => judge({ ...SOUND, sent: [...SOUND.sent, sent], mayTurnAway });
    expect(judged(lost, true)).toMatchObject({ complaints: [], turnedAway: 1 });
    expect(judged({ ...lost, isReused: true }, false)).toMatchObject({ complaints: [], turnedAway: 1 });
    expect(judged(lost, false)).toMatchObject({ complaints: [expect.stringContaining('no record')], missing: 1 });
    expect(judged({ ...lost, status: 200, outcome: 'cut' }, true)).toMatchObject({ complaints: [expect.stringContaining('no record')], missing: 1 });
  });
});

describe('what the soak complains about', () => {
  const lines = (...own: Line[]): Partial<Evidence> => ({ lines: [...RECEIVED, ...own] });
  const sent = (changes: Partial<Sent>): Partial<Evidence> => ({ sent: [{ ...SENT, ...changes }, LEFT] });
  test.each<[string, Partial<Evidence>, string]>([
    ['a record lost', lines(COMPLETED), 'b, leaves at once, streamed /v1/completions, left: no record'],
    ['a record doubled', lines(COMPLETED, COMPLETED, CANCELLED), '2 records'],
    ['a record of nobody', lines(COMPLETED, CANCELLED, { ...CANCELLED, x_request_id: 'z' }), 'z: a record of a request that nobody sent'],
    ['an answer recorded as cancelled', lines({ ...COMPLETED, status: 'cancelled' }, CANCELLED), 'the record says otherwise'],
    ['tokens that are not those asked for', lines({ ...COMPLETED, output_tokens: '2' }, CANCELLED), '3 tokens were asked for'],
    ['a success whose client had left', lines(COMPLETED, { ...CANCELLED, status: 'success' }), 'the client left'],
    ['a stream cut and recorded as a success', sent({ outcome: 'cut' }), 'it did not end well'],
    ['an error of another type than the status', { ...sent({ outcome: 'refused', status: 503 }), ...lines({ ...COMPLETED, status: 'error', error_type: 'validation' }, CANCELLED) }, 'does not fit the status'],
    ['a client that waited too long', sent({ outcome: 'overdue', status: undefined }), 'not over after'],
    ['a record that took too long', lines({ ...COMPLETED, elapsed_ms: String(DEADLINE_MS + 1) }, CANCELLED), 'took longer than it may'],
    ['a response that was wrong', sent({ complaint: 'its x-request-id came back as q' }), 'came back as q'],
    ['a counter missed', { metrics: METRICS.replace('started_total{model="m",endpoint="completions",request_type="unary"} 2', 'started_total{model="m",endpoint="completions",request_type="unary"} 1') }, 'requests_started_total{completions unary} is 1, the records make it 2'],
    ['a request that is in flight for ever', { metrics: METRICS.replace('inflight_requests{model="m"} 0', 'inflight_requests{model="m"} 1') }, 'inflight_requests{} is 1, the records make it 0'],
    ['a heap that grew', { after: { ...HOLDING, heap: 30e6 } }, 'the heap grew from 19.1 to 28.6 MiB'],
    ['descriptors left open', { after: { ...HOLDING, descriptors: 21 } }, '20 descriptors before, 21 after'],
    ['a handle left', { after: { ...HOLDING, handles: { Timeout: 2 } } }, '1 handles of Timeout before, 2 after'],
  ])('%s', (_title, changes, complaint) => {
    expect(judge({ ...SOUND, ...changes }).complaints.join('\n')).toContain(complaint);
  });
});
