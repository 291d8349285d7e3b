import { expect, test } from '@jest/globals';
import { serverFields } from '../../src/middleware/server-address.js';

const base = { rawHeaders: [], push: () => true };

test.each<[Record<string, string | undefined>, unknown, unknown]>([
  [{ host: 'api.example' }, 'api.example', 80],
  [{ host: 'api.example:8000' }, 'api.example', 8000],
  [{ host: '127.0.0.1:8000' }, '127.0.0.1', 8000],
  [{ host: '[::1]:8000' }, '::1', 8000],
  [{ ':authority': 'api.example', ':scheme': 'https' }, 'api.example', 443],
  [{ host: 'user:secret@api.example' }, undefined, undefined],
  [{ host: 'a secret prompt' }, undefined, undefined],
  [{ host: 'x'.repeat(254) }, undefined, undefined],
  [{ host: '' }, undefined, undefined],
  [{}, undefined, undefined],
])('a request with %j was for %s, port %s', (headers, address, port) => {
  const fields = serverFields({ ...base, headers });
  expect([fields['server.address'], fields['server.port']]).toEqual([address, port]);
});

test('the scheme is that of the connection, of HTTP/2 or of the URL', () => {
  const headers = { host: 'h' };
  expect(serverFields({ ...base, headers })).toMatchObject({ 'url.scheme': 'http' });
  expect(serverFields({ ...base, headers, socket: { encrypted: true } })).toMatchObject({ 'url.scheme': 'https', 'server.port': 443 });
  expect(serverFields({ ...base, headers: { ':scheme': 'https' }, socket: null })).toEqual({ 'url.scheme': 'https' });
  expect(serverFields({ ...base, headers: {}, scheme: 'https', authority: 'bun.example:3000' })).toEqual({ 'url.scheme': 'https', 'server.address': 'bun.example', 'server.port': 3000 });
});
