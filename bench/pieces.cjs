'use strict';
/** CPU of single pieces of the work for a request, inside one process: what a clever line in src/ is justified by. */
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const path = require('node:path');
const { STAGED } = require('./lib/stage.cjs');
const { summary } = require('./lib/stats.cjs');

const IDS = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 1, parentId: 'b7ad6b7169203331', requestId: '6b3f2a60-3f0e-4f0e-9d55-1c1a6f0f3b11' };
const SCOPE = { ...IDS, spanName: 'http-request', logFields: { method: 'POST', uri: '/v1/chat/completions' } };
const FIELDS = () => ({
  model: 'meta-llama/Llama-3.3-70B-Instruct', endpoint: 'chat_completions', request_type: 'unary', status: 'success', error_type: undefined, error_detail: undefined, elapsed_ms: 12,
  input_tokens: 24, output_tokens: 13, output_tokens_estimated: undefined, cached_tokens: undefined, ttft_ms: undefined, avg_itl_ms: undefined, finish_reason: 'stop',
  response_id: 'chatcmpl-8f14e45fceea167a5a36dedd4bea2543', prefill_worker_id: undefined, decode_worker_id: undefined,
});
const entry = () => ({ level: 'info', target: 'dynamo_tracing::request', message: 'request completed', fields: FIELDS(), scope: SCOPE, display: true });

/** What jsonLine would be without its clever lines: fields merged, sorted and given to JSON.stringify for each record. */
function naiveLine(record, time) {
  const { logFields, requestId, xRequestId, traceId, spanId, parentId, spanName } = record.scope;
  const fields = { ...logFields, ...record.fields, request_id: requestId, x_request_id: xRequestId, trace_id: traceId, span_id: spanId, parent_id: parentId, span_name: spanName };
  const line = { time, level: record.level.toUpperCase(), target: record.target, message: record.message };
  for (const key of Object.keys(fields).sort()) line[key] = typeof fields[key] === 'number' ? String(fields[key]) : fields[key];
  return JSON.stringify(line);
}

function pieces() {
  const inside = (folder, file = 'index') => require(path.join(STAGED, 'dist', folder, `${file}.js`));
  const { ROOT_CONTEXT, trace } = require('@opentelemetry/api');
  require('./lib/otel.cjs').startSdk();
  const { jsonLine, readableLine } = inside('logging', 'format');
  const { jsonText } = inside('logging', 'json-text');
  const { startSpan, SPANS, defaultSpanSettings } = inside('spans');
  const { parseTraceparent, newRequestId, runInContext, traceHeaders } = inside('trace-context');
  const text = readableLine(false);
  const time = '2026-08-21T10:00:00.123456Z';
  const parent = trace.setSpanContext(ROOT_CONTEXT, { ...IDS, isRemote: true });
  const settings = defaultSpanSettings();
  const begin = () => startSpan(SPANS.inferenceRequest, { settings, parent, fields: { method: 'POST', uri: '/v1/chat/completions', version: 'HTTP/1.1', request_id: IDS.requestId, x_request_id: undefined }, identity: IDS });
  const end = { status: 200, route: '/v1/chat/completions', model: 'meta-llama/Llama-3.3-70B-Instruct', input_tokens: 24, output_tokens: 13, finish_reason: 'stop', response_id: 'chatcmpl-8f14e45fceea167a5a36dedd4bea2543', 'request.outcome': 'success' };
  const tracer = trace.getTracer('bench');
  const context = begin().context;
  return {
    'a JSONL record': () => jsonLine(entry(), time).length,
    'the same, merged, sorted and stringified each time': () => naiveLine(entry(), time).length,
    'the same, its bytes included': () => Buffer.from(`${jsonLine(entry(), time)}\n`).length,
    'a plain value as JSON text': () => jsonText(IDS.requestId).length,
    'the same by JSON.stringify': () => JSON.stringify(IDS.requestId).length,
    'a readable record': () => text(entry(), time).length,
    'a span: start, fields at start and end, end': () => {
      const span = begin();
      span.set(end);
      span.end();
    },
    'the SDK span alone, without attributes': () => tracer.startSpan('http-request', {}, parent).end(),
    'a request id': newRequestId,
    'a traceparent read': () => parseTraceparent('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'),
    'headers for the next hop': () => traceHeaders(context),
    'a function run in the request\'s context': () => runInContext(context, () => 1),
  };
}

const BATCH = 20_000;

function measure(rounds) {
  const all = Object.entries(pieces());
  const samples = all.map(() => []);
  for (let round = -3; round < rounds; round += 1) {
    all.forEach(([, piece], i) => {
      const before = process.cpuUsage();
      for (let n = 0; n < BATCH; n += 1) piece();
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) samples[i].push((user + system) / BATCH);
    });
  }
  return all.map(([label], i) => ({ label, micros: summary(samples[i]) }));
}

module.exports = {
  name: 'pieces',
  /** In a thread of its own: what is registered globally ends with it. */
  run({ quick }) {
    return new Promise((resolve, reject) => {
      const worker = new Worker(path.join(__dirname, 'pieces.cjs'), { env: { ...process.env, DYN_LOG: undefined } });
      worker.postMessage(quick ? 5 : 21);
      worker.once('error', reject);
      worker.once('message', (results) => {
        void worker.terminate();
        resolve({
          tables: [{ title: 'Pieces', columns: ['piece', 'CPU µs', 'middle half'], rows: results.map(({ label, micros }) => [label, micros.median.toFixed(2), `${micros.low.toFixed(2)} to ${micros.high.toFixed(2)}`]) }],
          data: results,
        });
      });
    });
  },
};

if (!isMainThread) parentPort.once('message', (rounds) => parentPort.postMessage(measure(rounds)));
