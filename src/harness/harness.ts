import { writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { DynamoTracingError } from '../errors/index.js';
import { onRecord } from '../logging/index.js';
import type { CarrierTarget } from '../trace-context/index.js';
import { tcpNetwork, type Network, type RequestPlaneClient, type RequestPlaneClientOptions } from '../transport/index.js';
import { checkUrl, readLog, type AttachedServer, type AttachOptions } from './attached.js';
import { HopLog, requestBeingAnswered, tapHttp, watchNats, type AuditReport, type HopKind } from './audit/index.js';
import { HarnessDynamo, mockModel, ModelStore, type DynamoOptions } from './dynamo/index.js';
import { HarnessClient } from './harness-client.js';
import { Leaks, type Closable } from './leaks.js';
import { MemoryNetwork } from './link/index.js';
import { Collector, type CollectorOptions } from './otlp/index.js';
import { readHarnessOptions, spanEnvironment, type HarnessOptions, type HarnessSettings } from './options.js';
import { capturedRecord, tapSpans, TraceStore, type CapturedRecord, type FinishedSpan } from './record/index.js';
import { HarnessProxy, Upstream } from './servers/index.js';
import { checkTimers } from './timers.js';
import { traceNow, waitForTrace, type LookupSources, type TraceOptions } from './trace-lookup.js';
import { HarnessTrace, hopHeaders, type TraceSubject } from './trace/index.js';
import { waterfallPage, waterfallSvg } from './waterfall/index.js';
import { HarnessWorker, mockEngine, mockPrefill, type MockEngineOptions, type WorkerOptions, type WorkerScript } from './worker/index.js';

/** Headers of a hop that the harness cannot see by itself. */
export interface ReportedHop {
  /** E.g. `worker → engine`. */
  readonly name: string;
  readonly kind?: HopKind | undefined;
  /** Headers as the sender put them on; any carrier. Default: as received. */
  readonly sent?: CarrierTarget | undefined;
  /** Headers as the receiver got them; any carrier. Default: as sent. */
  readonly received?: CarrierTarget | undefined;
}

/** A prefill and a decode worker. */
export interface WorkerPair {
  readonly prefill: HarnessWorker;
  readonly decode: HarnessWorker;
}

/** Scripts of a pair; the defaults are mock engines. */
export interface PairOptions extends WorkerOptions {
  readonly prefill?: WorkerScript | undefined;
  readonly decode?: WorkerScript | undefined;
  /** Of the default decode worker. */
  readonly engine?: MockEngineOptions | undefined;
  /** First part of both endpoint names. Default 'dynamo'. */
  readonly namespace?: string | undefined;
}

/**
 * Starts a harness: it records the spans and records of this process, watches every HTTP request that a server of it gets,
 * and starts workers.
 * @throws ERR_OPTION_INVALID; ERR_TIMERS_FAKED; ERR_DEPENDENCY_MISSING when no tracer provider is registered and no OpenTelemetry SDK installed
 */
export function startHarness(options?: HarnessOptions): Promise<Harness> {
  return new Promise((resolve) => {
    checkTimers();
    resolve(new Harness(readHarnessOptions(options)));
  });
}

/** Workers, records and traces of one test. Close it at the end; nothing of it is left then. */
export class Harness {
  /** For the app under test: what reaches this harness's workers, in memory or over TCP. */
  readonly network: Network;
  readonly #store = new TraceStore();
  readonly #hopLog = new HopLog(this.#store, () => this.#store.changed());
  readonly #workers: HarnessWorker[] = [];
  readonly #models = new ModelStore((store) => this.own('model store', store));
  readonly #sources: LookupSources = { store: this.#store, hopLog: this.#hopLog, workers: this.#workers, remote: false, readsLogs: false };
  readonly #closed = new AbortController();
  readonly #leaks: Leaks;
  readonly #stopListening: (() => void)[];
  #closing: Promise<void> | undefined;

  /** @internal Use {@link startHarness}. */
  constructor(private readonly settings: HarnessSettings) {
    this.network = settings.transport === 'memory' ? new MemoryNetwork() : tcpNetwork({ env: {} });
    this.#stopListening = [tapSpans(this.#store), onRecord((entry) => this.#store.record(capturedRecord(entry))), tapHttp(this.#hopLog)];
    this.#leaks = new Leaks(settings.leaks, settings.closeTimeoutMs);
  }

  /**
   * Starts a worker that serves `name` (`namespace.component.endpoint`) with a script: an async generator function, or the
   * items that it always answers. Default: a {@link mockEngine}, or a {@link mockModel} when it is a model of Dynamo's frontend.
   */
  async worker(name: string, script?: WorkerScript, options: WorkerOptions = {}): Promise<HarnessWorker> {
    this.#checkOpen();
    const surroundings = { network: this.network, logger: this.settings.logger ?? false, harness: this, onHop: this.#hopLog.hop, onChange: () => this.#store.changed() };
    const worker = await new HarnessWorker(name, script ?? (options.model === undefined ? mockEngine() : mockModel()), options, surroundings).listen();
    this.#workers.push(worker);
    if (options.model !== undefined) await this.#models.announce(worker, options.model, this.settings.transport);
    return worker;
  }

  /** Starts a prefill and a decode worker: `dynamo.prefill.generate` and `dynamo.decode.generate`. */
  async pair({ prefill = mockPrefill(), decode, engine, namespace = 'dynamo', ...options }: PairOptions = {}): Promise<WorkerPair> {
    return {
      prefill: await this.worker(`${namespace}.prefill.generate`, prefill, options),
      decode: await this.worker(`${namespace}.decode.generate`, decode ?? mockEngine(engine), options),
    };
  }

  /** A client that reaches this harness's workers; closed with the harness. */
  client(options: RequestPlaneClientOptions = {}): RequestPlaneClient {
    this.#checkOpen();
    const client = new HarnessClient({ network: this.network, logger: false, responseHost: '127.0.0.1', env: spanEnvironment(), ...options });
    this.own('client', client);
    return client;
  }

  /** Closes `closable` when the harness closes, and reports it by `name` if that takes too long. */
  own<T extends Closable>(name: string, closable: T): T {
    this.#checkOpen();
    this.#leaks.own(name, closable);
    return closable;
  }

  /** Starts an HTTP server for the app under test to call: what it gets is audited as the hop `gateway → <name>`. */
  async upstream(handler?: RequestListener, name = 'upstream'): Promise<Upstream> {
    this.#checkOpen();
    return this.own(`upstream ${name}`, await new Upstream(name, handler, this.#hopLog.hop).listen());
  }

  /**
   * Starts a proxy in front of an HTTP server: give the app under test its `url`. What goes through is audited as the hop
   * `gateway → <name>`, and `inject()` lets faults at it.
   * @param name default: host and port of `target` @throws ERR_OPTION_INVALID for something that is no http URL
   */
  async proxy(target: string, name?: string): Promise<HarnessProxy> {
    this.#checkOpen();
    const proxy = await new HarnessProxy(new URL(checkUrl(target, 'proxy.target')), this.#hopLog.hop, name).listen();
    return this.own(`proxy ${proxy.name}`, proxy);
  }

  /**
   * Starts Dynamo's own HTTP frontend before the workers that have a `model`, and waits until it serves them. Needs a Python with
   * ai-dynamo; {@link missingDynamo} says whether there is one.
   * @throws ERR_OPTION_INVALID; ERR_DEPENDENCY_MISSING without ai-dynamo; ERR_DYNAMO_FAILED with `log`
   */
  async dynamo(options?: DynamoOptions): Promise<HarnessDynamo> {
    this.#checkOpen();
    return HarnessDynamo.start(options, this.#models, this);
  }

  /** A NATS connection whose messages are audited: give it to the app under test. The connection stays its owner's. */
  watchNats<T extends object>(connection: T): T {
    return watchNats(connection, this.#hopLog.hop);
  }

  /**
   * Starts an OTLP/HTTP receiver on loopback for processes that the test starts: give them its `env`.
   * @throws what the system says, e.g. EADDRINUSE
   */
  async collector(options?: CollectorOptions): Promise<Collector> {
    this.#checkOpen();
    const collector = await Collector.start({ spans: (spans) => spans.forEach((span) => this.#store.ended(span)), records: (records) => records.forEach((record) => this.#store.record(record)) }, options);
    this.#sources.remote = true;
    return this.own('collector', collector);
  }

  /** Looks at a server in another process: the same assertions hold for it. @throws ERR_OPTION_INVALID */
  async attach({ url, collector, logs = [] }: AttachOptions): Promise<AttachedServer> {
    this.#checkOpen();
    const base = checkUrl(url);
    const streams = 'pipe' in logs ? [logs] : logs;
    if (streams.length > 0) this.#sources.readsLogs = true;
    for (const stream of streams) this.#stopListening.push(readLog(stream, (record) => this.#store.record(record)));
    const receiver = collector === true ? await this.collector() : collector === false ? undefined : collector;
    return { url: base, collector: receiver, fetch: (path, init) => this.fetch(new URL(path, base), init) };
  }

  /**
   * Writes a page that shows a request's trace on one time axis, with its hops and records: self-contained, for a failed test's
   * artefacts. A `file` that ends in `.svg` gets the picture alone. Writes what is known now and waits for nothing.
   */
  async writeWaterfall(subject: TraceSubject, file: string): Promise<void> {
    const trace = this.traceNow(subject) ?? emptyTrace();
    const title = typeof subject === 'string' ? `Trace of ${subject}` : 'The path of one request';
    await writeFile(file, file.endsWith('.svg') ? waterfallSvg(trace, title) : waterfallPage(trace, this.audit(subject), title));
  }

  /**
   * The global fetch, with a note of the headers that really go out and of the request that they become: an answer that
   * echoes no id can be looked up all the same.
   */
  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    this.#checkOpen();
    return this.#hopLog.fetch(input, init);
  };

  /**
   * Everything that was recorded of a request, once it is complete. Takes a response (supertest, fetch, Fastify's inject,
   * node:http), a request id, an `x-request-id`, a trace id or a `traceparent`. Waits for events, never for time.
   * @throws ERR_TRACE_TIMEOUT with `missing`; ERR_HARNESS_CLOSED
   */
  async trace(subject: TraceSubject, options: TraceOptions = {}): Promise<HarnessTrace> {
    this.#checkOpen();
    return waitForTrace(subject, this.#sources, options, options.timeoutMs ?? this.settings.timeoutMs, this.#closed.signal);
  }

  /** What is known of a request at this moment; undefined when nothing names its trace. */
  traceNow(subject: TraceSubject): HarnessTrace | undefined {
    return traceNow(subject, this.#sources);
  }

  /**
   * Which trace headers went into and came out of every hop: of one request, or of every request that crossed a hop of this
   * harness or was asked about.
   */
  audit(subject?: TraceSubject): AuditReport {
    return this.#hopLog.audit(subject);
  }

  /** Tells the audit of a hop that the harness cannot see: worker to engine, a queue, a side car. */
  reportHop({ name, kind = 'other', sent, received }: ReportedHop): void {
    const [out, back] = [sent ?? received ?? {}, received ?? sent ?? {}].map((carrier) => hopHeaders(carrier));
    this.#hopLog.hop({ name, kind, sent: out, received: back, sender: requestBeingAnswered() });
  }

  /** Takes a record that was written elsewhere: a line of another process's log, or a logger of the app that is not ours. */
  captureRecord(record: CapturedRecord): void {
    this.#store.record(record);
  }

  /** Spans that have ended and belong to requests of this harness. */
  get spans(): readonly FinishedSpan[] {
    const traces = this.#ownTraces();
    return this.#store.spans.filter(({ traceId }) => traces.has(traceId));
  }

  /** Records of requests of this harness. */
  get records(): readonly CapturedRecord[] {
    const traces = this.#ownTraces();
    return this.#store.records.filter(({ traceId }) => traceId !== undefined && traces.has(traceId));
  }

  get workers(): readonly HarnessWorker[] {
    return this.#workers;
  }

  /**
   * Closes every worker, client and socket of the harness and takes its recording back. Later calls give the same promise.
   * @throws ERR_HARNESS_LEAK with `leaks` when something would not close
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#closed.abort();
    const leaks = await this.#leaks.closeAll(this.#workers.map((worker) => ({ name: `worker ${worker.name}`, closable: worker, leaks: () => worker.leaks() })));
    for (const stop of this.#stopListening) stop();
    if (leaks.length > 0) throw new DynamoTracingError('ERR_HARNESS_LEAK', `still open after close():\n${leaks.map((leak) => `  - ${leak}`).join('\n')}`, { leaks });
  }

  #checkOpen(): void {
    if (this.#closed.signal.aborted) throw new DynamoTracingError('ERR_HARNESS_CLOSED', 'the harness is closed');
    checkTimers();
  }

  /** Traces of requests that crossed a hop of this harness or were asked about. */
  #ownTraces(): ReadonlySet<string> {
    return new Set(this.#hopLog.audit().requests.map(({ traceId }) => traceId).filter((id) => id !== undefined));
  }
}

function emptyTrace(): HarnessTrace {
  return new HarnessTrace({ traceId: 'unknown', requestId: undefined, callerSpanId: undefined, spans: [], records: [], strays: [], requestIdsOnHops: [] });
}
