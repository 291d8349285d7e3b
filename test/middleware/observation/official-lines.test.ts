import { describe, expect, test } from '@jest/globals';
import { Stream as AnthropicStream } from '@anthropic-ai/sdk/streaming';
import { Stream as OpenAIStream } from 'openai/streaming';
import { ANTHROPIC_CASES, AUDIO_CASES, CHAT_CASES, OTHER_OPENAI_CASES, RESPONSES_CASES, type Case } from '../dialects/cases.js';
import { observe, timeless } from './observe.js';

/** The bytes that `res.write(chunk)` of `stream.toReadableStream()` sends for an event stream that an official client reads. */
async function officialLines({ dialect, body }: Case): Promise<Uint8Array[]> {
  const client = dialect === 'anthropic-messages' ? AnthropicStream : OpenAIStream;
  const stream = client.fromSSEResponse(new Response(body), new AbortController());
  const written: Uint8Array[] = [];
  for await (const chunk of stream.toReadableStream()) written.push(chunk);
  return written;
}

// A client throws at an error in the stream, and drops an event without its blank line: it makes no line of either.
const CASES = [...CHAT_CASES, ...OTHER_OPENAI_CASES, ...RESPONSES_CASES, ...ANTHROPIC_CASES, ...AUDIO_CASES]
  .filter((one) => one.contentType.startsWith('text/event-stream') && one.body.endsWith('\n\n') && observe([one.body], one).error === undefined)
  .map((one): [string, Case] => [`${one.dialect}: ${one.title}`, one]);

describe("the official clients' lines show what the event stream showed", () => {
  test.each(CASES)('%s', async (_title, one) => {
    const written = await officialLines(one);
    const whole = timeless(observe([one.body], one));
    for (const contentType of ['text/plain', 'application/x-ndjson', undefined]) {
      // One line alone, without a type that says so, may just as well be a whole answer.
      if (written.length === 1 && contentType !== 'application/x-ndjson') continue;
      expect(timeless(observe(written, { ...one, contentType }))).toEqual(whole);
      expect(timeless(observe([...Buffer.concat(written)].map((byte) => Buffer.from([byte])), { ...one, contentType }))).toEqual(whole);
    }
  });
});
