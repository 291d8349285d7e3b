'use strict';
// A real OTLP receiver: a gRPC server of @grpc/grpc-js and an HTTP server, on loopback. What comes is decoded by protobufjs.
// Both come with @opentelemetry/sdk-node.
const { once } = require('node:events');
const http = require('node:http');
const { gunzipSync } = require('node:zlib');
const grpc = require('@grpc/grpc-js');
const protobuf = require('protobufjs');

// The numbers are those of opentelemetry-proto; what no test reads is left out.
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Value { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
  message KeyValue { string key = 1; Value value = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message Status { int32 code = 3; }
  message Span { bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6; repeated KeyValue attributes = 9; Status status = 15; }
  message LogRecord { string severity_text = 3; Value body = 5; repeated KeyValue attributes = 6; bytes trace_id = 9; bytes span_id = 10; }
  message Metric { string name = 1; }
  message ScopeSpans { repeated Span items = 2; }
  message ScopeLogs { repeated LogRecord items = 2; }
  message ScopeMetrics { repeated Metric items = 2; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scopes = 2; }
  message ResourceLogs { Resource resource = 1; repeated ScopeLogs scopes = 2; }
  message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scopes = 2; }
  message Traces { repeated ResourceSpans resources = 1; }
  message Logs { repeated ResourceLogs resources = 1; }
  message Metrics { repeated ResourceMetrics resources = 1; }
`);
const SIGNALS = [
  { kind: 'spans', type: root.lookupType('Traces'), path: '/v1/traces', service: 'opentelemetry.proto.collector.trace.v1.TraceService' },
  { kind: 'logs', type: root.lookupType('Logs'), path: '/v1/logs', service: 'opentelemetry.proto.collector.logs.v1.LogsService' },
  { kind: 'metrics', type: root.lookupType('Metrics'), path: '/v1/metrics', service: 'opentelemetry.proto.collector.metrics.v1.MetricsService' },
];

class Receiver {
  spans = [];
  logs = [];
  metrics = [];
  /** How each export came: `grpc spans`, `http/protobuf logs`. */
  exports = [];
  #heard = new Set();

  take(protocol, { kind, type }, bytes) {
    const message = type.toObject(type.decode(bytes), { longs: String, arrays: true });
    this.exports.push(`${protocol} ${kind}`);
    for (const { resource, scopes } of message.resources) {
      const attributes = attributesOf(resource);
      for (const item of scopes.flatMap(({ items }) => items)) {
        this[kind].push({ ...item, service: attributes['service.name'], attributes: attributesOf(item), body: valueOf(item.body), traceId: hex(item.traceId), spanId: hex(item.spanId), parentSpanId: hex(item.parentSpanId) });
      }
    }
    for (const look of this.#heard) look();
  }

  /** Waits until `done`, and says what came when it never is. */
  async until(what, done, timeoutMs = 20_000) {
    if (done()) return;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited for ${what}; got ${this.exports.join(', ') || 'nothing'}\n${this.tree()}`)), timeoutMs);
      const look = () => {
        if (!done()) return;
        clearTimeout(timer);
        this.#heard.delete(look);
        resolve();
      };
      this.#heard.add(look);
    });
  }

  /** The spans as lines, children below their parents, siblings by name; a span whose parent has not come stands at the margin. */
  tree(traceId) {
    const spans = this.spans.filter((span) => traceId === undefined || span.traceId === traceId);
    const ids = new Set(spans.map(({ spanId }) => spanId));
    const lines = (of, depth) => of.sort((a, b) => (a.name + a.service < b.name + b.service ? -1 : 1))
      .flatMap((span) => [`${'  '.repeat(depth)}${span.name} @${span.service}`, ...lines(spans.filter(({ parentSpanId }) => parentSpanId === span.spanId), depth + 1)]);
    return lines(spans.filter(({ parentSpanId }) => !ids.has(parentSpanId)), 0).join('\n');
  }
}

function attributesOf(message) {
  return Object.fromEntries((message?.attributes ?? []).map(({ key, value }) => [key, valueOf(value)]));
}

function valueOf(value) {
  return value === undefined ? undefined : Object.values(value)[0];
}

function hex(bytes) {
  return bytes === undefined ? '' : Buffer.from(bytes).toString('hex');
}

async function startGrpc(receiver) {
  const server = new grpc.Server();
  for (const signal of SIGNALS) {
    const definition = { path: `/${signal.service}/Export`, requestStream: false, responseStream: false, requestDeserialize: (bytes) => bytes, requestSerialize: (bytes) => bytes, responseSerialize: () => Buffer.alloc(0), responseDeserialize: () => ({}) };
    server.addService({ Export: definition }, { Export: ({ request }, answer) => {
      receiver.take('grpc', signal, request);
      answer(null, {});
    } });
  }
  const port = await new Promise((resolve, reject) => server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error))));
  return { url: `http://127.0.0.1:${port}`, close: () => server.forceShutdown() };
}

async function startHttp(receiver) {
  const server = http.createServer(async (req, res) => {
    const signal = SIGNALS.find(({ path }) => path === req.url);
    if (signal === undefined || req.headers['content-type'] !== 'application/x-protobuf') return void res.writeHead(404).end();
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    receiver.take('http/protobuf', signal, req.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body);
    res.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close().closeAllConnections() };
}

/** `protocol` is grpc or http/protobuf; `env` makes a process export here. */
module.exports.startReceiver = async (protocol) => {
  const receiver = new Receiver();
  const { url, close } = await (protocol === 'grpc' ? startGrpc : startHttp)(receiver);
  const env = { OTEL_EXPORT_ENABLED: '1', OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_BLRP_SCHEDULE_DELAY: '50' };
  // gRPC is what Dynamo's variables mean when they say nothing.
  return Object.assign(receiver, { url, close, env: protocol === 'grpc' ? env : { ...env, OTEL_EXPORTER_OTLP_PROTOCOL: protocol } });
};
