import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createApp } from '../../examples/gateway/app.js';
import type { Backend } from '../../examples/gateway/backend.js';
import { CHAT, chat, post } from '../support/client.js';
import { closeAfterEach, listening } from '../support/listening.js';
import { RecordTap } from '../support/records.js';

describe('the example gateway', () => {
  let tap: RecordTap;
  closeAfterEach();
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(() => tap.stop());

  test('leaves no listener behind when a client reads slowly', async () => {
    let res: ServerResponse | undefined;
    const counts = new Set<number>();
    const backend: Backend = { generate: () => Promise.resolve({
      tokens: (async function * () {
        for (let i = 0; i < 100; i += 1) {
          yield await Promise.resolve('x'.repeat(2 ** 18)); // more than fits: the gateway waits for room after each
          counts.add(['drain', 'close', 'error'].reduce((sum, name) => sum + res!.listenerCount(name), 0));
        }
      })(),
      finish: () => ({ reason: 'stop', inputTokens: 1, outputTokens: 100 }),
    }) };
    const server = createApp({ model: 'm', backend, tracing: { logger: false } }).listen(0, '127.0.0.1');
    server.on('request', (_req, response) => (res = response));
    await post(await listening(server), CHAT, chat({ stream: true, max_tokens: 100 }));
    expect(await tap.next('request completed')).toMatchObject({ status: 'success', output_tokens: 100 });
    expect(counts.size).toBe(1);
  });

  test("drops the random flag before an upstream, keeps its own ids on the answer and the upstream's in the record", async () => {
    let seen: IncomingMessage | undefined;
    const upstream = createServer((req, res) => {
      seen = req;
      req.resume().on('end', () => res.setHeader('content-type', 'application/json').setHeader('x-request-id', 'req_upstream').end('{"id":"u","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}'));
    }).listen(0, '127.0.0.1');
    await listening(upstream);
    const port = await listening(createApp({ model: 'm', upstream: { url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`, usage: false }, tracing: { logger: false } }).listen(0, '127.0.0.1'));
    const answer = await post(port, CHAT, chat(), { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03', 'x-request-id': 'order-42' });
    expect(seen!.headers['traceparent']).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/);
    expect(answer.headers['x-request-id']).toBe('order-42');
    expect(await tap.next('request completed')).toMatchObject({ status: 'success', output_tokens: 2, upstream_request_id: 'req_upstream' });
  });
});
