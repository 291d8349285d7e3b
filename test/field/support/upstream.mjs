import http from 'node:http';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import answers from './answers.cjs';

const APIS = {
  '/v1/chat/completions': [answers.chatAnswer, answers.chatEvents],
  '/v1/messages': [answers.messageAnswer, answers.messageEvents],
};

const REFUSALS = {
  '/v1/chat/completions': { error: { message: 'Incorrect API key provided: wrong', type: 'invalid_request_error', param: null, code: 'invalid_api_key' } },
  '/v1/messages': { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key: wrong' } },
};

/** The provider behind a gateway. It keeps the raw header lines of every request and, as providers do, names its own ids on the answer. */
export async function startUpstream() {
  const received = [];
  const server = http.createServer((req, res) => void answer(req, res, received));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    received,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(req, res, received) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const lines = req.rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), req.rawHeaders[i + 1]]] : []));
  const id = `req_upstream_${received.length + 1}`;
  received.push({ id, method: req.method, path: req.url, values: (name) => lines.filter(([given]) => given === name).map(([, value]) => value), body: Buffer.concat(chunks).toString() });
  res.setHeader('request-id', id);
  res.setHeader('x-request-id', id);
  if (/wrong/.test(`${req.headers.authorization} ${req.headers['x-api-key']}`)) {
    res.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify(REFUSALS[req.url]));
    return;
  }
  const [whole, events] = APIS[req.url.split('?')[0]] ?? APIS['/v1/chat/completions'];
  if (!/"stream":\s*true/.test(Buffer.concat(chunks).toString())) {
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(whole()));
    return;
  }
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events()) {
    res.write(event);
    await setImmediate();
  }
  res.end();
}
