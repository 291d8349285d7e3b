/** The example gateway before a program that took a worker's port, acknowledges and never answers. */
import { afterEach, expect, test } from '@jest/globals';
import { readConfig } from '../../examples/gateway/config.js';
import { mockEngine } from '../../examples/gateway/engine.js';
import { ExampleProcess } from '../support/processes.js';
import { ACCEPT, afterTest, cleanUp, rawWorker, serve } from '../transport/support.js';

afterEach(cleanUp);

test('one client gets 504 after GATEWAY_WORKER_TIMEOUT_MS, and the others are served elsewhere', async () => {
  let asked = 0;
  const stranger = await rawWorker((_frame, socket) => {
    asked += 1;
    socket.write(ACCEPT);
  });
  const worker = await serve(mockEngine(0));
  const gateway = ExampleProcess.start('main', {
    GATEWAY_WORKERS: `tcp://${stranger.address},${worker.address}`, GATEWAY_WORKER_TIMEOUT_MS: '300', DYN_RUNTIME_INHIBITED_DURATION_SECS: '600', DYN_TCP_RESPONSE_STREAM_HOST: '127.0.0.1',
  });
  afterTest(() => gateway.stop());
  const url = await gateway.address();
  const ask = async (): Promise<number> => (await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'mock-model', messages: [{ role: 'user', content: 'hi' }], max_tokens: 1 }) })).status;
  expect([await ask(), await ask(), await ask(), await ask(), asked]).toEqual([504, 200, 200, 200, 1]);
}, 60_000);

test('the wait is ten seconds where nothing is said', () => {
  expect(readConfig({}).workerTimeoutMs).toBe(10_000);
  expect(() => readConfig({ GATEWAY_WORKER_TIMEOUT_MS: 'soon' })).toThrow('GATEWAY_WORKER_TIMEOUT_MS');
});
