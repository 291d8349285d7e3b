import type { ServerResponse } from 'node:http';
import { createGzip, gunzipSync, type Gzip } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dynamoTracing } from 'dynamo-tracing';
import { CHAT, chat, post } from '../support/client.js';
import { EXPRESS, FRAMEWORKS } from '../support/frameworks.js';
import { closeAfterEach, listening } from '../support/listening.js';
import { RecordTap } from '../support/records.js';

type Write = (this: ServerResponse, ...args: unknown[]) => boolean;
type Layer = (res: ServerResponse) => void;
const token = (text: string): string => `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta: { content: text } }] })}\n\n`;

/** A middleware that hands on what it gets. */
const plain: Layer = (res) => {
  const { write, end } = res as unknown as { write: Write; end: Write };
  Object.assign(res, {
    write(this: ServerResponse, ...args: unknown[]) { return write.apply(this, args); },
    end(this: ServerResponse, ...args: unknown[]) { return end.apply(this, args); },
  });
};

/** A middleware that hands on in a later turn of the event loop. */
const later: Layer = (res) => {
  const { write, end } = res as unknown as { write: Write; end: Write };
  Object.assign(res, {
    write(...args: unknown[]) { return setImmediate(() => write.apply(res, args)).hasRef(); },
    end(...args: unknown[]) { return setImmediate(() => end.apply(res, args)).hasRef(); },
  });
};

/** A middleware that compresses, as the compression package does. */
const compressing: Layer = (res) => {
  const { write, end } = res as unknown as { write: Write; end: Write };
  let gzip: Gzip | undefined;
  const begin = (): Gzip => {
    if (gzip === undefined) {
      res.setHeader('content-encoding', 'gzip');
      gzip = createGzip();
      gzip.on('data', (piece: Buffer) => write.call(res, piece));
      gzip.on('end', () => end.call(res));
    }
    return gzip;
  };
  Object.assign(res, {
    write: (piece: string) => begin().write(piece),
    end: (piece?: string) => begin().end(piece),
  });
};

describe.each(EXPRESS)('the pieces of a response on %s', (_name, express) => {
  let tap: RecordTap;
  closeAfterEach();
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(() => tap.stop());

  const answer = async (layers: readonly Layer[], handler: (res: ServerResponse) => unknown): Promise<{ text: string; record: Record<string, unknown> }> => {
    const app = express().use(dynamoTracing({ logger: false })).use((_req, res, next) => {
      layers.forEach((layer) => layer(res));
      next();
    });
    app.post(CHAT, (_req, res) => {
      res.setHeader('content-type', 'text/event-stream');
      res.on('error', () => undefined);
      handler(res);
    });
    const { bytes, headers } = await post(await listening(app.listen(0, '127.0.0.1')), CHAT, chat({ stream: true }));
    return { text: (headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString(), record: await tap.next('request completed') };
  };

  const TEXT = [token('a'), token('b'), token('c')].join('');
  const SEEN = { status: 'success', output_tokens: 3, output_tokens_estimated: true };
  const three = (res: ServerResponse): void => {
    res.write(token('a'));
    res.write(token('b'));
    res.end(token('c'));
  };

  test.each<[string, readonly Layer[]]>([
    ['no middleware', []],
    ['one that hands on', [plain]],
    ['two that hand on', [plain, plain]],
    ['one that hands on later', [later]],
    ['one that hands on later over one that hands on', [plain, later]],
    ['one that compresses', [compressing]],
    ['one that compresses over one that hands on', [plain, compressing]],
    ['one that hands on over one that compresses', [compressing, plain]],
  ])('are each counted once, and are whole, with %s mounted after us', async (_what, layers) => {
    const { text, record } = await answer(layers, three);
    expect([text, record]).toMatchObject([TEXT, SEEN]);
  });

  test('are each counted once when a middleware takes its functions off again', async () => {
    const { text, record } = await answer([], (res) => {
      const { write, end } = res;  
      plain(res);
      res.write(token('a'));
      Object.assign(res, { write, end });
      res.write(token('b'));
      res.end(token('c'));
    });
    expect([text, record]).toMatchObject([TEXT, SEEN]);
  });

  test('are not counted when the write throws, which reaches the handler', async () => {
    const error = new Error('planted');
    const caught: unknown[] = [];
    const { record } = await answer([], (res) => {
      const { write } = res as unknown as { write: Write };
      Object.assign(res, { write() { throw error; } });
      try {
        res.write(token('lost'));
      } catch (thrown) {
        caught.push(thrown);
      }
      Object.assign(res, { write });
      three(res);
    });
    expect([caught, record]).toMatchObject([[error], SEEN]);
  });

  test('are not counted after the end', async () => {
    const { text, record } = await answer([], (res) => {
      three(res);
      res.write(token('late'));
      res.end(token('later'));
    });
    expect([text, record]).toMatchObject([TEXT, SEEN]);
  });
});

test.each(FRAMEWORKS)('the pieces of a response on $name are each counted once, that of end() too', async ({ start }) => {
  const tap = new RecordTap();
  const server = await start({ tracing: { logger: false }, raw: { [CHAT]: (_req, res) => {
    res.setHeader('content-type', 'text/event-stream');
    res.write(token('a'));
    res.end(token('b'));
  } } });
  await post(server.port, CHAT, chat({ stream: true }));
  expect(await tap.next('request completed')).toMatchObject({ output_tokens: 2, output_tokens_estimated: true });
  tap.stop();
  await server.close();
});
