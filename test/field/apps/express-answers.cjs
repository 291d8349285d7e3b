'use strict';
// An app that answers itself. COMPRESSION: 'before' or 'after' the middleware; BODY_PARSER=before mounts the parser first.
const { setImmediate } = require('node:timers/promises');
const bodyParser = require('body-parser');
const compression = require('compression');
const express = require(process.env.EXPRESS ?? 'express');
const { dynamoTracing } = require('dynamo-tracing');
const { chatAnswer, chatEvents, messageAnswer, messageEvents } = require('../support/answers.cjs');

const app = express();
if (process.env.COMPRESSION === 'before') app.use(compression());
if (process.env.BODY_PARSER === 'before') app.use(bodyParser.json());
app.use(dynamoTracing());
if (process.env.COMPRESSION === 'after') app.use(compression());
app.use(express.json());

const answering = (whole, events) => async (req, res) => {
  if (req.body.stream !== true) {
    res.json(whole());
    return;
  }
  res.type('text/event-stream');
  for (const event of events()) {
    res.write(event);
    res.flush?.();
    await setImmediate();
  }
  res.end();
};
app.post('/v1/chat/completions', answering(chatAnswer, chatEvents));
app.post('/v1/messages', answering(messageAnswer, messageEvents));
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
