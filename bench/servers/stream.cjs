'use strict';
/**
 * Express serving event streams: `node servers/stream.cjs <kind>`. `POST /v1/chat/completions?chunks=n` writes one
 * chunk for each turn of the event loop; `?open` writes five and stays open until it is told to go on.
 */
const { AsyncLocalStorage } = require('node:async_hooks');
const express = require('express');
const { serve } = require('../lib/child.cjs');

const HEAD = '{"id":"chatcmpl-8f14e45fceea167a5a36dedd4bea2543","object":"chat.completion.chunk","created":1760000000,"model":"meta-llama/Llama-3.3-70B-Instruct",';
const CHUNK = `data: ${HEAD}"choices":[{"index":0,"delta":{"content":" Paris"},"finish_reason":null}]}\n\n`;
const LAST = `data: ${HEAD}"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n`
  + `data: ${HEAD}"choices":[],"usage":{"prompt_tokens":24,"completion_tokens":500,"total_tokens":524}}\n\ndata: [DONE]\n\n`;

const open = new Set();

function stream(res, chunks) {
  let left = chunks;
  const next = () => {
    if (left === 0) return res.end(LAST);
    left -= 1;
    if (res.write(CHUNK)) setImmediate(next);
    else res.once('drain', next);
  };
  next();
}

/** An async-local scope around the request and nothing else: what any tracing costs on this version of Node. */
function scoped() {
  const storage = new AsyncLocalStorage();
  return (_req, _res, next) => storage.run({}, next);
}

const MIDDLEWARE = {
  bare: undefined,
  scope: scoped,
  blind: () => require('dynamo-tracing').dynamoTracing({ observeResponses: false }),
  traced: () => require('dynamo-tracing').dynamoTracing(),
};

function main([kind]) {
  if (kind === 'traced' || kind === 'blind') require('../lib/otel.cjs').startSdk();
  const app = express();
  const middleware = MIDDLEWARE[kind]?.();
  if (middleware !== undefined) app.use(middleware);
  app.use(express.json());
  app.post('/v1/chat/completions', (req, res) => {
    res.setHeader('content-type', 'text/event-stream');
    if (req.query.open === undefined) return stream(res, Number(req.query.chunks));
    for (let i = 0; i < 5; i += 1) res.write(CHUNK);
    open.add(res);
    res.once('close', () => open.delete(res));
  });
  serve({
    open: () => ({ count: open.size }),
    /** Every open stream writes so many chunks more; a piece of each ends inside an event. */
    more: async ({ chunks }) => {
      const cut = CHUNK.length >> 1;
      for (let i = 0; i < chunks; i += 1) {
        for (const res of open) {
          res.write(CHUNK.slice(0, cut));
          res.write(CHUNK.slice(cut));
        }
        await new Promise(setImmediate);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
      return { chunks };
    },
  });
  const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
}

main(process.argv.slice(2));
