import { guarded } from '../internal/index.js';
import type { FastifyReplyLike } from './fastify-types.js';
import type { RequestRecorder } from './recorder.js';

type Emit = (this: unknown, name: string | symbol, ...args: unknown[]) => boolean;

/**
 * Shows a payload to the recorder before it is compressed: text and bytes at once, a stream as whoever reads it takes its pieces.
 * What is sent is not changed.
 */
export function tapPayload(recorder: RequestRecorder, reply: FastifyReplyLike, payload: unknown): void {
  const encoding = reply.getHeader('content-encoding');
  if (encoding !== undefined && encoding !== 'identity') return; // the handler has compressed it
  const body = Object.prototype.toString.call(payload) === '[object Response]' ? (payload as Response).body : payload;
  if (typeof body === 'string' || body instanceof Uint8Array) {
    recorder.payloadFollows(reply.statusCode, typeOf(reply, payload));
    recorder.payloadRead(body);
  } else if (hasMethod(body, 'emit') && hasMethod(body, 'pipe')) {
    recorder.payloadFollows(reply.statusCode, typeOf(reply, payload));
    tapStream(recorder, body as { emit: Emit });
  } else if (hasMethod(body, 'getReader')) {
    recorder.payloadFollows(reply.statusCode, typeOf(reply, payload));
    tapWebStream(recorder, body as ReadableStream<unknown>);
  }
}

function typeOf(reply: FastifyReplyLike, payload: unknown): string | undefined {
  const type = reply.getHeader('content-type') ?? (payload as Partial<Response>).headers?.get('content-type');
  return typeof type === 'string' ? type : undefined;
}

/** Every way to read a stream emits `data`: piping, iterating and calling `read`. */
function tapStream(recorder: RequestRecorder, stream: { emit: Emit }): void {
  const { emit } = stream;
  stream.emit = function (this: unknown, name, ...args) {
    if (name === 'data') guarded('payload', () => recorder.payloadRead(args[0]), undefined);
    return emit.call(this, name, ...args);
  };
}

function tapWebStream(recorder: RequestRecorder, stream: ReadableStream<unknown>): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the stream as its this
  const getReader = stream.getReader as () => ReadableStreamDefaultReader<unknown>;
  stream.getReader = function (this: ReadableStream<unknown>, ...options: []) {
    const reader = getReader.apply(this, options);
    const read = reader.read.bind(reader);
    reader.read = async () => {
      const result = await read();
      if (!result.done) guarded('payload', () => recorder.payloadRead(result.value), undefined);
      return result;
    };
    return reader;
  } as typeof stream.getReader;
}

function hasMethod(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[name] === 'function';
}
