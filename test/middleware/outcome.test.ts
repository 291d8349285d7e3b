import { describe, expect, test } from '@jest/globals';
import type { ResponseFacts } from '../../src/middleware/observation/index.js';
import { completionOf, recordFields, spanFields, type Evidence } from '../../src/middleware/outcome.js';

const SEEN: ResponseFacts = { outputTokensEstimated: false, tokenChunks: 0, contentSeen: true };
const evidence = (parts: Partial<Evidence> = {}): Evidence => ({
  received: { requestId: 'id', model: 'asked', endpoint: 'chat_completions', requestType: 'unary' },
  ids: { xRequestId: undefined, traceId: 't', spanId: 's', sampled: false, upstreamRequestId: undefined, operation: 'chat', provider: 'openai', fields: {} },
  startedAt: 0, model: undefined, httpStatus: 200, isBodyUnderstood: true, isUnread: false, ending: { complete: true, clientLeft: false }, seen: undefined, usage: {}, workers: {}, failure: undefined,
  ...parts,
});
const CUT = { complete: false, clientLeft: false };
const LEFT = { complete: false, clientLeft: true };

describe('the outcome of a request', () => {
  test.each<[string, Partial<Evidence>, string, string]>([
    ['a whole response', {}, 'success', 'none'],
    ['a client that left', { ending: LEFT }, 'cancelled', 'cancelled'],
    ['a response that this process cut', { ending: CUT }, 'error', 'internal'],
    ['no response at all', { httpStatus: undefined, ending: CUT }, 'error', 'internal'],
    ['a declared failure over everything else', { failure: { type: 'overload', detail: undefined }, httpStatus: 404, ending: LEFT }, 'error', 'overload'],
    ['a declared cancellation', { failure: { type: 'cancelled', detail: undefined } }, 'cancelled', 'cancelled'],
    ['an error status over a client that left', { httpStatus: 503, ending: LEFT }, 'error', 'unavailable'],
    ['a client that left before its body had come, over the 400 of the body parser', { httpStatus: 400, isBodyUnderstood: false, ending: LEFT }, 'cancelled', 'cancelled'],
    ['a 400 before the body was understood, in whatever words', { httpStatus: 400, isBodyUnderstood: false, seen: { ...SEEN, error: { message: 'Unexpected token' } } }, 'error', 'validation'],
    ['a 400 about something else than the request', { httpStatus: 400, seen: { ...SEEN, error: { message: 'engine died' } } }, 'error', 'internal'],
    ['an error inside a stream, by its code', { seen: { ...SEEN, error: { code: 529 } } }, 'error', 'overload'],
    ['an error inside a stream whose client left after it', { seen: { ...SEEN, error: { message: 'x' } }, ending: LEFT }, 'error', 'internal'],
  ])('of %s', (_title, parts, status, errorType) => {
    expect(completionOf(evidence(parts))).toMatchObject({ status, errorType });
  });

  test('what the handler said wins over what the response showed, field by field', () => {
    const seen = { ...SEEN, inputTokens: 1, outputTokens: 2, cachedTokens: 3, model: 'answered', prefillWorkerId: '7', decodeWorkerId: '8' };
    expect(completionOf(evidence({ seen, usage: { outputTokens: 20 }, workers: { decode: 9n }, model: 'served' }))).toMatchObject({
      model: 'served', requestedModel: 'asked', responseModel: 'answered', inputTokens: 1, outputTokens: 20, cachedTokens: 3, workers: { prefill: '7', decode: 9n },
    });
  });

  test('an unknown fact is absent from record and span, an unknown model from the span', () => {
    const completed = completionOf(evidence({ received: { requestId: 'id', model: 'unknown_model', endpoint: 'e', requestType: 'unary' } }));
    expect(Object.entries(recordFields(completed, undefined)).filter(([, value]) => value !== undefined).map(([name]) => name).sort()).toEqual(['elapsed_ms', 'endpoint', 'model', 'request_type', 'status']);
    expect(Object.entries(spanFields(completed)).filter(([, value]) => value !== undefined)).toEqual([['request.outcome', 'success']]);
  });

  test('the detail of a failure is the handler\'s, else that of its type', () => {
    const completed = completionOf(evidence({ failure: { type: 'overload', detail: 'ours' } }));
    expect(recordFields(completed, 'ours')).toMatchObject({ error_type: 'overload', error_detail: 'ours' });
    expect(recordFields(completed, undefined)).toMatchObject({ error_detail: 'service overloaded or rate limited' });
  });
});
