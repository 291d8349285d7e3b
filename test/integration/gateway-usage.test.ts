/** GATEWAY_UPSTREAM_USAGE: what the gateway asks an upstream for, and what its clients see of it. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createApp } from '../../examples/gateway/app.js';
import { CHAT, chat } from '../support/client.js';
import { closeAfterEach, listening } from '../support/listening.js';
import { RecordTap } from '../support/records.js';

const TEXT = '{"id":"u","choices":[{"index":0,"delta":{"content":"é ok"},"finish_reason":null}]}';
const USAGE = '{"id":"u","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}';

describe('an upstream whose usage is hidden', () => {
  let tap: RecordTap;
  closeAfterEach();
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(() => tap.stop());

  test.each([['LF', '\n'], ['CRLF', '\r\n'], ['CR', '\r']])('streams each event at once and hides the usage when lines end with %s', async (_name, eol) => {
    let answer: ServerResponse | undefined;
    const upstream = createServer((req, res) => {
      req.resume().on('end', () => upstream.emit('asked', (answer = res.setHeader('content-type', 'text/event-stream'))));
    }).listen(0, '127.0.0.1');
    const asked = once(upstream, 'asked');
    const url = `http://127.0.0.1:${await listening(upstream)}`;
    const port = await listening(createApp({ model: 'm', upstream: { url, usage: true }, tracing: { logger: false } }).listen(0, '127.0.0.1'));
    const event = (data: string): string => `data: ${data}${eol}${eol}`;

    const response = fetch(`http://127.0.0.1:${port}${CHAT}`, { method: 'POST', body: chat({ stream: true }), headers: { 'content-type': 'application/json' } });
    await asked;
    answer!.write(event(TEXT));
    const reader = (await response).body!.getReader();
    const { value } = await reader.read(); // the upstream waits until the client has the first event
    const seen = [Buffer.from(value)];
    for (const byte of event(USAGE)) answer!.write(byte); // as torn as it can come
    answer!.end(event('[DONE]'));
    for (let next = await reader.read(); !next.done; next = await reader.read()) seen.push(Buffer.from(next.value));
    expect(Buffer.concat(seen).toString().split(/\r\n|\r|\n/).filter((line) => line !== '')).toEqual([`data: ${TEXT}`, 'data: [DONE]']);
    expect(await tap.next('request completed')).toMatchObject({ status: 'success', input_tokens: 3, output_tokens: 5 });
  });

  test('passes an event that is far longer than a usage chunk, without gathering it', async () => {
    const long = `data: ${TEXT.replace('ok', 'x'.repeat(2 ** 20))}\r\n\r\n`;
    const upstream = createServer((req, res) => {
      req.resume().on('end', () => res.setHeader('content-type', 'text/event-stream').end(`${long}data: ${USAGE}\r\n\r\ndata: [DONE]\r\n\r\n`));
    }).listen(0, '127.0.0.1');
    const url = `http://127.0.0.1:${await listening(upstream)}`;
    const port = await listening(createApp({ model: 'm', upstream: { url, usage: true }, tracing: { logger: false } }).listen(0, '127.0.0.1'));
    const res = await fetch(`http://127.0.0.1:${port}${CHAT}`, { method: 'POST', body: chat({ stream: true }), headers: { 'content-type': 'application/json' } });
    expect((await res.text()) === `${long}data: [DONE]\r\n\r\n`).toBe(true);
  });
});
