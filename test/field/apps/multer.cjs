'use strict';
const express = require('express');
const multer = require('multer');
const { currentTrace, dynamoTracing } = require('dynamo-tracing');
const { transcription } = require('../support/answers.cjs');

const app = express();
app.use(dynamoTracing());
app.post('/v1/audio/transcriptions', multer({ storage: multer.memoryStorage() }).single('file'), (req, res) => {
  res.json(transcription(req.file.size, currentTrace()?.requestId));
});
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
