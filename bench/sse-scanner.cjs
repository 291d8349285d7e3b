'use strict';
// Which scanner reads event streams: ours or eventsource-parser? Both with the same reading of each event behind them, and
// with JSON.parse of every event, the plain way. Run: node bench/sse-scanner.cjs [rounds]
// Every contender runs in every round, in turn; CPU time per event, median over the rounds and spread (half the range).
require('tsx/cjs');
const { TextDecoder } = require('node:util');
const { createParser } = require('eventsource-parser');
const { DIALECTS } = require('../src/middleware/dialects/index.ts');
const { EventReader } = require('../src/middleware/observation/event-reader.ts');
const { EventScanner } = require('../src/middleware/observation/event-scanner.ts');
const { FactCollector } = require('../src/middleware/observation/facts.ts');
const { ResponseObserver } = require('../src/middleware/observation/index.ts');

const ROUNDS = Number(process.argv[2] ?? 15);
const EVENTS = 500;
const REPEATS = 60;

const STREAMS = {
  chat: ['openai-chat', (text) => `data: ${JSON.stringify({ id: 'chatcmpl-6f1c2b1e-8a53-4a0e-9b53-0d2f1f3b9a11', object: 'chat.completion.chunk', created: 1730000000, model: 'mock-model', choices: [{ index: 0, delta: { content: text }, logprobs: null, finish_reason: null }] })}\n\n`],
  messages: ['anthropic-messages', (text) => `event: content_block_delta\ndata: ${JSON.stringify({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })}\n\n`],
  responses: ['openai-responses', (text, i) => `event: response.output_text.delta\ndata: ${JSON.stringify({ type: 'response.output_text.delta', sequence_number: i, item_id: 'msg_6f1c2b1e8a534a0e9b530d2f1f3b9a11', output_index: 0, content_index: 0, delta: text, logprobs: [], obfuscation: 'q7' })}\n\n`],
};

const FORMS = {
  'text, one event a chunk': (events) => events.map((event) => Buffer.from(event).toString()),
  'bytes, one event a chunk': (events) => events.map((event) => Buffer.from(event)),
  'bytes, cut every 177': (events) => cut(Buffer.concat(events.map((event) => Buffer.from(event))), 177),
  'bytes, cut every 1400': (events) => cut(Buffer.concat(events.map((event) => Buffer.from(event))), 1400),
};

function cut(bytes, size) {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
}

const nothing = { event() {}, longEvent() {} };

/** Text of a piece for eventsource-parser, which takes strings only. */
function textReader() {
  const decoder = new TextDecoder();
  return (piece) => (typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true }));
}

const CONTENDERS = {
  'observer (ours)': (dialect) => {
    const observer = new ResponseObserver(dialect);
    observer.head(200, 'text/event-stream', undefined);
    return (piece) => observer.chunk(piece, undefined, 1);
  },
  'eventsource-parser + our reading': (dialect) => {
    const reader = new EventReader(dialect, new FactCollector(dialect));
    const text = textReader();
    const parser = createParser({ onEvent: (event) => reader.event(event.event, event.data, false) });
    return (piece) => parser.feed(text(piece));
  },
  'eventsource-parser, Latin-1': (dialect) => {
    const reader = new EventReader(dialect, new FactCollector(dialect));
    const parser = createParser({ onEvent: (event) => reader.event(event.event, event.data, true) });
    return (piece) => parser.feed(typeof piece === 'string' ? piece : piece.toString('latin1'));
  },
  'eventsource-parser + JSON.parse': () => {
    let tokens = 0;
    const text = textReader();
    const parser = createParser({ onEvent: (event) => { if (JSON.parse(event.data) !== null) tokens += 1; } });
    return (piece) => { parser.feed(text(piece)); return tokens; };
  },
  'framing only: ours': () => {
    const scanner = new EventScanner(nothing);
    return (piece) => (typeof piece === 'string' ? scanner.push(piece, false) : scanner.push(piece.toString('latin1'), true));
  },
  'framing only: eventsource-parser': () => {
    const text = textReader();
    const parser = createParser({ onEvent() {} });
    return (piece) => parser.feed(text(piece));
  },
};

/** Nanoseconds of CPU for one event. */
function measure(make, dialect, pieces) {
  const take = make(dialect);
  const before = process.cpuUsage();
  for (let repeat = 0; repeat < REPEATS; repeat += 1) for (const piece of pieces) take(piece);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / (REPEATS * EVENTS);
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

for (const [name, [dialectName, event]] of Object.entries(STREAMS)) {
  const events = Array.from({ length: EVENTS }, (_, index) => event(` token${index}`, index));
  for (const [form, cutter] of Object.entries(FORMS)) {
    const pieces = cutter(events);
    const results = Object.fromEntries(Object.keys(CONTENDERS).map((key) => [key, []]));
    for (let round = -2; round < ROUNDS; round += 1) {
      for (const [key, make] of Object.entries(CONTENDERS)) {
        const cost = measure(make, DIALECTS[dialectName], pieces);
        if (round >= 0) results[key].push(cost); // The first two rounds warm up.
      }
    }
    const ours = median(results['observer (ours)']);
    const perPiece = EVENTS / pieces.length;
    console.log(`\n${name}: ${form} (${Math.round(events.join('').length / EVENTS)} bytes an event)`);
    for (const [key, costs] of Object.entries(results)) {
      const middle = median(costs);
      const spread = (Math.max(...costs) - Math.min(...costs)) / 2;
      console.log(`  ${key.padEnd(34)} ${middle.toFixed(0).padStart(6)} ns an event ±${spread.toFixed(0).padStart(4)}  ${(middle * perPiece).toFixed(0).padStart(6)} ns a chunk  ×${(middle / ours).toFixed(2)}`);
    }
  }
}
