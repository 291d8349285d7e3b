import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { RequestHandler } from 'express';
import { tracedFetch } from 'dynamo-tracing';
import { hideUsage } from './hide-usage.js';
import { HttpError } from './errors.js';

/** Headers that go on to the upstream; trace headers are added by tracedFetch. */
const FORWARDED = ['authorization', 'content-type', 'accept', 'x-api-key', 'anthropic-version', 'anthropic-beta', 'openai-organization', 'openai-project'];
/** Headers of the upstream's answer. Its ids do not reach the client: ours are put back, and the upstream's is in the record. */
const RETURNED = ['content-type', 'cache-control', 'retry-after', 'request-id', 'x-request-id'];

/** Streams requests through to an OpenAI-compatible server: same body, same bytes back, trace headers added, ids kept. */
export function proxyTo({ url, usage }: { url: string; usage: boolean }): RequestHandler {
  const base = url.replace(/\/(v1\/?)?$/, '');
  return async (req, res, next) => {
    const body = req.body as { stream?: unknown; stream_options?: { include_usage?: unknown } };
    const addUsage = usage && body.stream === true && body.stream_options?.include_usage !== true && !req.path.endsWith('/messages') && !req.path.endsWith('/responses');
    try {
      const answer = await tracedFetch(base + req.path, {
        method: 'POST',
        headers: FORWARDED.flatMap((name): [string, string][] => (typeof req.headers[name] === 'string' ? [[name, req.headers[name]]] : [])),
        body: JSON.stringify(addUsage ? { ...body, stream_options: { ...body.stream_options, include_usage: true } } : body),
        signal: req.trace.signal,
      });
      res.status(answer.status);
      for (const name of RETURNED) if (answer.headers.has(name)) res.setHeader(name, answer.headers.get(name) ?? '');
      if (answer.body === null) return void res.end();
      const source = Readable.fromWeb(answer.body as ReadableStream<Uint8Array>);
      await (addUsage ? pipeline(source, hideUsage((tokens) => req.trace.usage(tokens)), res) : pipeline(source, res));
    } catch (error) {
      if (!req.trace.signal.aborted && !res.headersSent) next(new HttpError(503, 'Service temporarily unavailable'));
      else if (!res.destroyed) res.destroy(error instanceof Error ? error : undefined);
    }
  };
}
