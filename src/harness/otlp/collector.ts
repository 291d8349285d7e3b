import type { IncomingMessage, ServerResponse } from 'node:http';
import { createGunzip } from 'node:zlib';
import { numberOption, readOptions } from '../../internal/index.js';
import { decodeJson } from '../../protocol/index.js';
import type { CapturedRecord, FinishedSpan, RecordWriter } from '../record/index.js';
import { LoopbackServer } from '../servers/index.js';
import { recordsOf, spansOf, type LogsRequest, type TracesRequest } from './convert.js';
import { LOGS, readMessage, TRACES, type Schema } from './protobuf.js';

/** Options of `harness.collector()`. */
export interface CollectorOptions {
  /** Default 0: the system chooses. */
  readonly port?: number | undefined;
}

/** Where a collector gives what it receives. */
export interface CollectorSink {
  spans(spans: readonly FinishedSpan[]): void;
  records(records: readonly CapturedRecord[]): void;
}

/** Most bytes of one export request, unpacked. */
const MAX_BODY = 64 * 1024 * 1024;

/**
 * An OTLP/HTTP receiver on loopback: traces and logs, JSON and protobuf, plain and gzip. Metrics are taken and dropped. OTLP
 * over gRPC is not spoken.
 */
export class Collector extends LoopbackServer {
  /** Export requests that were read. */
  received = 0;
  readonly #writers = new Map<string, RecordWriter[]>();

  private constructor(private readonly sink: CollectorSink) {
    super();
  }

  /** @internal `harness.collector()` starts one. @throws ERR_OPTION_INVALID; what the system says, e.g. EADDRINUSE */
  static async start(sink: CollectorSink, options?: CollectorOptions): Promise<Collector> {
    const { port } = readOptions('collector', { port: numberOption(0, { max: 65_535 }) }, options);
    return new Collector(sink).listen(port);
  }

  /** Variables that make a process send its spans and records here soon: OpenTelemetry SDKs of any language, and Dynamo. */
  get env(): Readonly<Record<string, string>> {
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: this.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_BLRP_SCHEDULE_DELAY: '50',
      OTEL_EXPORT_ENABLED: '1',
    };
  }

  /** @internal Records of this service come from this process. */
  knows(service: string, writer: RecordWriter): void {
    this.#writers.set(service, [...(this.#writers.get(service) ?? []), writer]);
  }

  protected override onRequest(req: IncomingMessage, res: ServerResponse): void {
    void this.#answer(req, res);
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const type = (req.headers['content-type'] ?? '').split(';', 1)[0]?.trim();
    const path = (req.url ?? '').split('?', 1)[0];
    if (req.method !== 'POST' || !['/v1/traces', '/v1/logs', '/v1/metrics'].includes(path ?? '')) return refuse(req, res, 404, 'POST /v1/traces, /v1/logs or /v1/metrics');
    if (type !== 'application/json' && type !== 'application/x-protobuf') return refuse(req, res, 415, 'application/json or application/x-protobuf: OTLP over HTTP, not gRPC');
    try {
      const body = await readBody(req);
      this.#take(path, type === 'application/json', body);
      this.received += 1;
      res.setHeader('content-type', type).end(type === 'application/json' ? '{}' : '');
    } catch (error) {
      refuse(req, res, 400, error instanceof Error ? error.message : String(error));
    }
  }

  #take(path: string | undefined, json: boolean, body: Buffer): void {
    const read = (schema: Schema): unknown => (json ? decodeJson(body) : readMessage(body, schema));
    if (path === '/v1/traces') this.sink.spans(spansOf(read(TRACES) as TracesRequest));
    if (path === '/v1/logs') this.sink.records(recordsOf(read(LOGS) as LogsRequest).map((record) => this.#written(record)));
  }

  /** Processes of one name cannot be told apart: what they have still to tell is awaited while one of them lives. */
  #written(record: CapturedRecord): CapturedRecord {
    const writers = this.#writers.get(record.service ?? '');
    if (writers === undefined) return record;
    return { ...record, writer: { exportsSpans: writers.every(({ exportsSpans }) => exportsSpans), get ended() { return writers.every(({ ended }) => ended); } } };
  }
}

function refuse(req: IncomingMessage, res: ServerResponse, status: number, message: string): void {
  req.resume();
  res.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`the harness's collector takes: ${message}\n`);
}

async function readBody(req: IncomingMessage): Promise<Buffer> {
  const source = req.headers['content-encoding'] === 'gzip' ? req.pipe(createGunzip()) : req;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += (chunk as Buffer).length;
    if (size > MAX_BODY) throw new Error(`at most ${MAX_BODY} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
