/** The contract's servers whose handlers answer a Request with a Response. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { createAdaptorServer } from '@hono/node-server';
import { traceFetchHandler } from 'dynamo-tracing';
import type { Framework, TestAppOptions } from './frameworks.js';
import { honoApp } from './frameworks-node.js';
import { routeOf } from './route-of.js';
import { listen } from './serving.js';

type FetchHandler = (request: Request) => Response | Promise<Response>;

/** A host as Next.js is one: a Request of Node's own for each request, whose signal is aborted when the client leaves. */
function host(handler: FetchHandler): Server {
  return createServer((req, res) => void serve(handler, req, res));
}

async function serve(handler: FetchHandler, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const left = new AbortController();
  res.once('close', () => {
    if (!res.writableFinished) left.abort();
  });
  const headers = new Headers();
  for (let i = 0; i < req.rawHeaders.length; i += 2) headers.append(req.rawHeaders[i]!, req.rawHeaders[i + 1]!);
  const hasBody = req.method !== 'GET' && req.method !== 'HEAD';
  const init = { method: req.method!, headers, signal: left.signal, ...(hasBody ? { body: Readable.toWeb(req), duplex: 'half' as const } : {}) };
  try {
    const response = await handler(new Request(`http://localhost${req.url!}`, init));
    if (res.destroyed) return await response.body?.cancel();
    res.writeHead(response.status, Object.fromEntries(response.headers));
    if (response.body === null) res.end();
    else pipeline(Readable.fromWeb(response.body), res, () => undefined);
  } catch {
    res.writeHead(500).end('failed');
  }
}

function handlerOf({ tracing, native = {}, errors = false }: TestAppOptions): FetchHandler {
  const paths = Object.keys(native);
  return traceFetchHandler(async (request) => {
    const path = routeOf(paths, request.url);
    if (path === undefined) return new Response(null, { status: 404 });
    let answer = new Response(null);
    await native[path]!({
      json: (status, body) => void (answer = Response.json(body, { status })),
      text: (status, contentType, body, headers) => void (answer = new Response(body, { status, headers: { ...headers, 'content-type': contentType } })),
      stream: (contentType, source) => void (answer = new Response(Readable.toWeb(source) as ReadableStream, { headers: { 'content-type': contentType } })),
    }, { body: request.body === null ? undefined : await request.json(), trace: request.trace });
    return answer;
  }, { ...tracing as object, answerErrors: errors, route: (request) => routeOf(paths, request.url) });
}

export const fetchFrameworks: readonly Framework[] = [
  { name: 'a Fetch handler', start: (options) => listen(host(handlerOf(options))) },
  { name: 'a Fetch handler on node-server', start: (options) => listen(createAdaptorServer({ fetch: handlerOf(options) }) as Server) },
  { name: 'Hono on a Fetch host', start: (options) => listen(host((request) => honoApp(options).fetch(request))) },
];
