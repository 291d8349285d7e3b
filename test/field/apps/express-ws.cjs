'use strict';
const express = require('express');
const expressWs = require('express-ws');
const { dynamoTracing } = require('dynamo-tracing');
const { converse } = require('../support/converse.cjs');

const app = express();
expressWs(app);
app.use(dynamoTracing());
app.ws('/v1/realtime', converse);
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
