'use strict';
// pino-http before or after us (ORDER); with LOGGER=shared both write to one pino.
const express = require('express');
const pino = require('pino');
const { pinoHttp } = require('pino-http');
const { dynamoTracing } = require('dynamo-tracing');
const { chatAnswer, chatEvents } = require('../support/answers.cjs');

const logger = pino();
const app = express();
if (process.env.ORDER === 'before') app.use(pinoHttp({ logger }));
app.use(dynamoTracing(process.env.LOGGER === 'shared' ? { logger } : {}));
if (process.env.ORDER === 'after') app.use(pinoHttp({ logger }));
app.use(express.json());
app.post('/v1/chat/completions', (req, res) => {
  if (req.body.stream === true) res.type('text/event-stream').send(chatEvents().join(''));
  else res.json(chatAnswer());
});
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
