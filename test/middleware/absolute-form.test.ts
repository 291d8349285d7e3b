/** A request target in absolute form (RFC 9112, 3.2.2), as clients send it to proxies: its authority may hold a password. */
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { originForm, pathOf } from '../../src/middleware/options.js';
import { CHAT } from '../support/client.js';
import { FRAMEWORKS } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';

describe.each(FRAMEWORKS.filter(({ name }) => !name.includes('HTTP/2')))('on $name', ({ start }) => {
  let tap: RecordTap;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(() => tap.stop());

  test.each([false, true])('it is recorded as its path and counted by its route, without user and password (includeQuery %p)', async (includeQuery) => {
    const server = await start({ tracing: { logger: false, includeQuery }, native: { [CHAT]: (answers) => answers.json(200, {}) } });
    try {
      const sent = request({ port: server.port, host: '127.0.0.1', method: 'POST', path: `http://user:secret@example.org${CHAT}?q=1`, headers: { 'content-type': 'application/json' } }).end('{"model":"m"}');
      const [answer] = await once(sent, 'response') as [IncomingMessage];
      answer.resume();
      expect(await tap.next('request completed')).toMatchObject({ uri: includeQuery ? `${CHAT}?q=1` : CHAT, endpoint: 'chat_completions' });
      expect(JSON.stringify(tap.entries.map(({ fields, scope }) => ({ ...fields, ...scope?.logFields })))).not.toContain('secret');
    } finally {
      await server.close();
    }
  });
});

test.each([
  ['http://user:secret@h/v1/x?q#f', '/v1/x?q#f', '/v1/x'],
  ['HTTPS://user:secret@h', '/', '/'],
  ['ws://user:secret@[::1]:8?q', '/?q', '/'],
  ['/v1/http://user@h', '/v1/http://user@h', '/v1/http://user@h'],
  ['//h/x', '//h/x', '//h/x'],
  ['*', '*', '*'],
  ['', '', ''],
])('the target %p is %p, of path %p', (target, form, path) => {
  expect([originForm(target), pathOf(target)]).toEqual([form, path]);
});
