import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { IncomingHttpHeaders } from 'node:http';
import type { RequestHandler } from 'express';
import { tracedFetch } from 'dynamo-tracing';
import { hideUsage } from './hide-usage.js';
import { HttpError } from './errors.js';

/** Headers that go on to the upstream; trace headers are added by tracedFetch. */
const FORWARDED = ['authorization', 'content-type', 'accept', 'x-api-key', 'anthropic-version', 'anthropic-beta', 'openai-organization', 'openai-project', 'x-tenant-id'];
/** Dynamo's metadata, session and routing headers, and the session headers of coding agents that it reads. The request id goes as `request-id`. */
const FORWARDED_GROUPS = /^(?:x-dynamo-(?!request-id$)|x-claude-code-|x-codex-|(?:x-)?(?:parent-)?session-id$|thread-id$|x-(?:prefill-)?dp-rank$|x-data-parallel-rank$|x-(?:worker|prefill)-instance-id$)/;
/** Headers of the upstream's answer. Its ids do not reach the client: ours are put back, and the upstream's is in the record. */
const RETURNED = ['content-type', 'cache-control', 'retry-after', 'request-id', 'x-request-id'];
/** Streams that tell their usage only when they are asked for it. */
const ASKED_FOR_USAGE = ['/v1/chat/completions', '/v1/completions'];

/** The address that paths are put behind: a base URL may end in `/v1`. */
export function upstreamBase(url: string): string {
  return url.replace(/\/(v1\/?)?$/, '');
}

/** Streams requests through to an OpenAI-compatible server: same body, same bytes back, trace headers added, ids kept. */
export function proxyTo({ url, usage }: { url: string; usage: boolean }): RequestHandler {
  const base = upstreamBase(url);
  return async (req, res, next) => {
    const body = req.body as { stream?: unknown; stream_options?: { include_usage?: unknown } } | undefined;
    const addUsage = usage && body?.stream === true && body.stream_options?.include_usage !== true && ASKED_FOR_USAGE.includes(req.path);
    try {
      const answer = await tracedFetch(base + req.path + queryOf(req.originalUrl), {
        method: req.method,
        headers: forwarded(req.headers),
        body: body === undefined ? null : JSON.stringify(addUsage ? { ...body, stream_options: { ...body.stream_options, include_usage: true } } : body),
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

function forwarded(headers: IncomingHttpHeaders): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' && (FORWARDED.includes(name) || FORWARDED_GROUPS.test(name)) ? [[name, value] as [string, string]] : []));
}

function queryOf(url: string): string {
  const at = url.indexOf('?');
  return at === -1 ? '' : url.slice(at);
}
