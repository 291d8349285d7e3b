'use strict';
// WebSockets through an Express app: the server hands upgrades to the app, as if they were requests, and the route takes them over.
const http = require('node:http');
const express = require('express');
const { WebSocketServer } = require('ws');
const { dynamoTracing } = require('dynamo-tracing');
const { converse } = require('../support/converse.cjs');

const sockets = new WebSocketServer({ noServer: true });
const app = express();
app.use(dynamoTracing());
app.get('/v1/realtime', (req) => sockets.handleUpgrade(req, req.socket, req.head, converse));

const server = http.createServer(app);
server.on('upgrade', (req, socket, head) => {
  req.head = head;
  const res = new http.ServerResponse(req);
  res.assignSocket(socket);
  app(req, res);
});
server.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
