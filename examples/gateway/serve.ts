import { once } from 'node:events';
import type { RequestHandler, Response } from 'express';
import type { Api, Body, Finish } from './apis/index.js';
import type { Backend, Generation } from './backend.js';

/** Answers one API from the backend, whole or streamed as the body asks. */
export function serve(api: Api, backend: Backend): RequestHandler {
  return async (req, res, next) => {
    try {
      const body = req.body as Body;
      const model = String(body['model']);
      const ids = { requestId: req.trace.requestId, model };
      const generation = await backend.generate({ model, ...api.prompt(body), messages: api.chat?.(body) }, req.trace);
      if (body['stream'] === true && api.stream !== undefined) await stream(res, generation, api.stream(ids), req.trace.signal);
      else res.json(await whole(generation, (text, finish) => api.answer(ids, text, finish)));
    } catch (error) {
      next(error);
    }
  };
}

async function whole(generation: Generation, answer: (text: string, finish: Finish) => unknown): Promise<unknown> {
  let text = '';
  for await (const token of generation.tokens) text += token;
  return answer(text, generation.finish());
}

async function stream(res: Response, generation: Generation, writer: ReturnType<NonNullable<Api['stream']>>, signal: AbortSignal): Promise<void> {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  res.write(writer.begin());
  for await (const token of generation.tokens) {
    // A client that reads slowly slows the worker: nothing is taken from it until the socket has room.
    if (!res.write(writer.token(token))) await once(res, 'drain', { signal }).catch(() => undefined); // rejects when the client leaves
  }
  res.end(writer.end(generation.finish()));
}
