import { expect, test } from '@jest/globals';
import { formatWorkerAddress, parseWorkerAddress } from '../../src/protocol/index.js';
import { thrown } from './support.js';

test.each([
  ['127.0.0.1:9000', { host: '127.0.0.1', port: 9000 }],
  ['tcp://127.0.0.1:9000', { host: '127.0.0.1', port: 9000 }],
  ['10.0.0.1:1/2a/generate', { host: '10.0.0.1', port: 1, endpointPath: '2a/generate' }],
  ['tcp://10.0.0.1:65535/ns/comp/ep-2a//x y', { host: '10.0.0.1', port: 65535, endpointPath: 'ns/comp/ep-2a//x y' }],
  ['10.0.0.1:1/', { host: '10.0.0.1', port: 1, endpointPath: '' }],
  ['[::1]:9000/2a/g', { host: '::1', port: 9000, endpointPath: '2a/g' }],
  ['[2001:db8::5]:80', { host: '2001:db8::5', port: 80 }],
])('%s is read and written back', (text, address) => {
  expect(parseWorkerAddress(text)).toEqual(address);
  expect(formatWorkerAddress(parseWorkerAddress(text))).toBe(text.replace('tcp://', ''));
});

test.each(['', 'localhost:9000/x', 'worker.example:9000', '127.0.0.1', '127.0.0.1:', '127.0.0.1:0', '127.0.0.1:65536', '127.0.0.1:-1', '127.0.0.1:9e3', '127.0.0.1: 9', ':9000', '::1:9000', '[127.0.0.1]:9000', '[::1]', '[::1]9000', '256.0.0.1:1', 'http://127.0.0.1:9000', 'TCP://127.0.0.1:9000', '/x', 'tcp:///x', '127.0.0.1:9000:1'])(
  '%j is not an address',
  (text) => expect(thrown(() => parseWorkerAddress(text))).toMatchObject({ code: 'ERR_ADDRESS_INVALID', address: text }),
);
