'use strict';
// What a model answers, in the shapes of the APIs: 7 tokens in, 16 out. Long enough for a compressor's default threshold of 1 KiB.
const WORDS = Array.from({ length: 16 }, (_, i) => `${String.fromCharCode(97 + i).repeat(100)} `);
const MODEL = 'field-model';

const usage = { prompt_tokens: 7, completion_tokens: 16, total_tokens: 23 };
const chat = (object, choice, more) => ({ id: 'chatcmpl-field', object, created: 1, model: MODEL, choices: choice === undefined ? [] : [{ index: 0, ...choice }], ...more });

const chatAnswer = () => chat('chat.completion', { message: { role: 'assistant', content: WORDS.join('') }, finish_reason: 'stop' }, { usage });

/** The events of the same answer as a stream. */
const chatEvents = () => [
  ...WORDS.map((content) => chat('chat.completion.chunk', { delta: { role: 'assistant', content }, finish_reason: null })),
  chat('chat.completion.chunk', { delta: {}, finish_reason: 'stop' }),
  chat('chat.completion.chunk', undefined, { usage }),
].map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).concat('data: [DONE]\n\n');

const messageAnswer = () => ({
  id: 'msg_field', type: 'message', role: 'assistant', model: MODEL, content: [{ type: 'text', text: WORDS.join('') }],
  stop_reason: 'end_turn', stop_sequence: null, usage: { input_tokens: 7, output_tokens: 16 },
});

const messageEvents = () => [
  { type: 'message_start', message: { ...messageAnswer(), content: [], stop_reason: null, usage: { input_tokens: 7, output_tokens: 1 } } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  ...WORDS.map((text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 16 } },
  { type: 'message_stop' },
].map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);

/** The answer to a file of `size` bytes, with the request id that the app found where it made it. */
const transcription = (size, current) => ({ text: `${size} bytes`, current, usage: { type: 'tokens', input_tokens: 7, output_tokens: 16, total_tokens: 23 } });

module.exports = { MODEL, WORDS, chatAnswer, chatEvents, messageAnswer, messageEvents, transcription };
