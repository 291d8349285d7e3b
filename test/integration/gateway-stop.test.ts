/** How the example gateway ends, and what is left written. */
import { once } from 'node:events';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ExampleProcess } from '../support/processes.js';

const CHAT = JSON.stringify({ model: 'mock-model', messages: [{ role: 'user', content: 'hi' }], max_tokens: 100_000, stream: true });

describe('SIGTERM', () => {
  let gateway: ExampleProcess | undefined;
  afterEach(() => void gateway?.child.kill('SIGKILL'));

  test('once more while a stream is open: the stream is cut, its record is written, exit 0', async () => {
    gateway = ExampleProcess.start('main', { MOCK_TOKEN_DELAY_MS: '20' });
    const exited = once(gateway.child, 'exit');
    const res = await fetch(`${await gateway.address()}/v1/chat/completions`, { method: 'POST', body: CHAT, headers: { 'content-type': 'application/json' } });
    await res.body!.getReader().read();
    gateway.child.kill('SIGTERM');
    await gateway.record('draining');
    gateway.child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(gateway.records('stopped')).toMatchObject([{ completed: 0, cut: 1 }]);
    expect(gateway.records('request completed').map(({ target, status }) => [String(target).replace(/.*::/, ''), status])).toEqual(expect.arrayContaining([['request', 'error']]));
  }, 30_000);
});
