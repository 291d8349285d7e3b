'use strict';
/** What the transport benches send. */

const PATH = '7f3a2b1c9d8e4f60/generate';

/** The five headers of every request; x-endpoint-path, the path itself, comes on top as it does on the wire. */
const HEADERS = {
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  tracestate: 'vendor=t61rcWkgMzE',
  'request-id': '6f1c2b1e-8a53-4a0e-9b53-0d2f1f3b9a11',
  'x-request-id': 'req-0001-from-the-edge',
  'x-frontend-send-ts-ns': '1730000000123456789',
};

const PAYLOAD = Buffer.alloc(512, 0x61);

/** An item as workers of language models yield them. */
const ITEM = { id: 'chatcmpl-6f1c2b1e-8a53-4a0e-9b53-0d2f1f3b9a11', object: 'chat.completion.chunk', created: 1730000000, model: 'mock-model', choices: [{ index: 0, delta: { content: ' token' }, logprobs: null, finish_reason: null }] };

module.exports = { HEADERS, ITEM, PATH, PAYLOAD };
