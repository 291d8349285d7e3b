'use strict';
// A gateway with spans of its own. The environment chooses: EXPRESS the version, CALL how the upstream is called, OPTIONS those of the middleware.
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { trace } = require('@opentelemetry/api');
const express = require(process.env.EXPRESS ?? 'express');
const { currentTrace, dynamoTracing, tracedFetch } = require('dynamo-tracing');

const call = process.env.CALL === 'fetch' ? fetch : tracedFetch;
const app = express();
app.use(dynamoTracing(JSON.parse(process.env.OPTIONS ?? '{}')));
app.use(express.json());

const router = express.Router();
router.post('/chat/completions', (req, res, next) => {
  trace.getTracer('app').startActiveSpan('work', async (span) => {
    try {
      span.setAttributes({ 'app.request_id': req.trace.requestId, 'app.trace_id': req.trace.traceId, 'app.current': currentTrace()?.requestId });
      const answer = await call(`${process.env.UPSTREAM}/v1/chat/completions`, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(req.body), signal: req.trace.signal,
      });
      res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') });
      await pipeline(Readable.fromWeb(answer.body), res);
    } catch (error) {
      next(error);
    } finally {
      span.end();
    }
  });
});
app.use('/v1', router);
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
