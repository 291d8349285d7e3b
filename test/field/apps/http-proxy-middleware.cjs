'use strict';
const express = require('express');
const { createProxyMiddleware } = require('http-proxy-middleware');
const { dynamoTracing } = require('dynamo-tracing');

const app = express();
app.use(dynamoTracing());
app.use(createProxyMiddleware({
  target: process.env.UPSTREAM,
  on: {
    proxyReq(proxyReq, req) {
      for (const [name, value] of Object.entries(req.trace.headers())) proxyReq.setHeader(name, value);
    },
  },
}));
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
