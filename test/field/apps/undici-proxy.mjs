// A gateway that hands the request itself to undici as the body, and pipes the answer back.
import express from 'express';
import { pipeline } from 'node:stream/promises';
import { request } from 'undici';
import { dynamoTracing } from 'dynamo-tracing';

const HOP_BY_HOP = new Set(['host', 'connection', 'keep-alive', 'transfer-encoding', 'expect', 'upgrade', 'te', 'trailer']);
const forwarded = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));

const app = express();
app.use(dynamoTracing());
app.use(async (req, res) => {
  const answer = await request(process.env.UPSTREAM + req.originalUrl, {
    method: req.method,
    headers: { ...forwarded(req.headers), ...req.trace.headers() },
    body: req,
    signal: req.trace.signal,
  });
  res.writeHead(answer.statusCode, forwarded(answer.headers));
  await pipeline(answer.body, res);
});

const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
