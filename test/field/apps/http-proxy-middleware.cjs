'use strict';
// HELPER=1 puts our headers in with traceProxyReq, else the app does by hand. ECHO=0: the upstream's own ids are what the client is to get.
const express = require('express');
const { createProxyMiddleware } = require('http-proxy-middleware');
const { dynamoTracing, traceProxyReq } = require('dynamo-tracing');

const byHand = (proxyReq, req) => {
  for (const [name, value] of Object.entries(req.trace.headers())) proxyReq.setHeader(name, value);
};
const app = express();
app.use(dynamoTracing());
if (process.env.ECHO === '0') {
  app.use((req, _res, next) => {
    req.trace.echo(false);
    next();
  });
}
app.use(createProxyMiddleware({ target: process.env.UPSTREAM, on: { proxyReq: process.env.HELPER === '1' ? traceProxyReq : byHand } }));
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
