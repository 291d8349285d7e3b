'use strict';
const fastify = require('fastify');
const { dynamoTracing } = require('dynamo-tracing/fastify');
const { converse } = require('../support/converse.cjs');

const app = fastify();
app.register(dynamoTracing);
app.register(require('@fastify/websocket'));
app.after(() => app.get('/v1/realtime', { websocket: true }, converse));
app.listen({ port: 0, host: '127.0.0.1' }).then((url) => console.log(`listening ${url}`));
