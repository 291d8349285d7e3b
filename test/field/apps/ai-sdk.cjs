'use strict';
// Vercel's AI SDK: UI message streams for useChat(), without usage and with it, and a plain text stream whose handler says what was used.
const express = require('express');
const { convertToModelMessages, simulateReadableStream, streamText } = require('ai');
const { MockLanguageModelV3 } = require('ai/test');
const { dynamoTracing } = require('dynamo-tracing');
const { MODEL, WORDS } = require('../support/answers.cjs');

const usage = { inputTokens: { total: 7, noCache: 7 }, outputTokens: { total: 16, text: 16 } };
const model = new MockLanguageModelV3({
  modelId: MODEL,
  doStream: async () => ({
    stream: simulateReadableStream({
      chunks: [
        { type: 'text-start', id: '1' },
        ...WORDS.map((delta) => ({ type: 'text-delta', id: '1', delta })),
        { type: 'text-end', id: '1' },
        { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage },
      ],
    }),
  }),
});

const app = express();
app.use(dynamoTracing({
  routes: ['/api/chat', '/api/chat-with-usage', '/api/completion'].map((path) => ({ path, kind: 'inference', endpoint: 'chat', dialect: 'ai-sdk' })),
}));
app.use(express.json());
const answering = (options) => async (req, res) => {
  req.trace.model(MODEL);
  streamText({ model, messages: await convertToModelMessages(req.body.messages), abortSignal: req.trace.signal }).pipeUIMessageStreamToResponse(res, options);
};
app.post('/api/chat', answering());
app.post('/api/chat-with-usage', answering({ messageMetadata: ({ part }) => (part.type === 'finish' ? { totalUsage: part.totalUsage } : undefined) }));
app.post('/api/completion', (req, res) => {
  req.trace.model(MODEL);
  const onFinish = ({ totalUsage: { inputTokens, outputTokens } }) => req.trace.usage({ inputTokens, outputTokens });
  streamText({ model, prompt: req.body.prompt, abortSignal: req.trace.signal, onFinish }).pipeTextStreamToResponse(res);
});
const server = app.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${server.address().port}`));
