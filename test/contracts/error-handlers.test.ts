import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CHAT, chat, post } from '../support/client.js';
import { FRAMEWORKS, type TestServer } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';

class PackageError extends Error {
  override readonly name = 'DynamoTracingError';
  constructor(readonly code: string) {
    super('worker 10.0.0.1 said: secret prompt text');
  }
}

describe.each(FRAMEWORKS)("the package's error handler on $name", ({ start }) => {
  let tap: RecordTap;
  let server: TestServer | undefined;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(async () => {
    await server?.close();
    tap.stop();
  });

  test.each([
    ['ERR_NO_WORKERS', 503, 'unavailable'], ['ERR_WORKER_OVERLOADED', 529, 'overload'], ['ERR_PROLOGUE_TIMEOUT', 504, 'response_timeout'], ['ERR_STREAM_INCOMPLETE', 500, 'internal'],
  ])('%s is answered with %i and recorded as %s, without its text or a stack', async (code, status, type) => {
    server = await start({ tracing: { logger: false }, errors: true, native: { [CHAT]: () => { throw new PackageError(code); } } });
    const res = await post(server.port);
    expect(res.status).toBe(status);
    expect(JSON.parse(res.body)).toMatchObject({ error: { message: expect.any(String), code: status } });
    expect(res.body).not.toMatch(/secret|10\.0\.0\.1|error-handlers\.test/);
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: type });
  });

  test.each([['malformed JSON', '{"a":', 400], ['a body over the limit', chat({ pad: 'x'.repeat(2 ** 20) }), 413]])('%s is a validation error in the shape of the route', async (_name, body, status) => {
    server = await start({ tracing: { logger: false }, errors: true, native: { '/v1/messages': (answers) => answers.json(200, {}) } });
    const res = await post(server.port, '/v1/messages', body);
    expect([res.status, JSON.parse(res.body)]).toMatchObject([status, { type: 'error', request_id: res.headers['request-id'] }]);
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'validation' });
  });

  test.each([[CHAT, /data: \{"error":.*\n\ndata: \[DONE\]\n\n$/], ['/v1/messages', /event: error\ndata: \{"type":"error",.*\n\n$/]])('a handler of %s that throws inside its stream ends it with an error event', async (path, ending) => {
    server = await start({ tracing: { logger: false }, errors: true, raw: { [path]: (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
      throw new PackageError('ERR_STREAM_INCOMPLETE');
    } } });
    const res = await post(server.port, path, chat({ stream: true }));
    expect(res.status).toBe(200);
    expect(res.body).toMatch(ending);
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'internal' });
  });

  test('a handler that throws after the head of another body cuts it short', async () => {
    server = await start({ tracing: { logger: false }, errors: true, raw: { [CHAT]: (_req, res) => {
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      res.write('{');
      throw new Error('planted');
    } } });
    await expect(post(server.port)).rejects.toThrow();
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'internal' });
  });
});
