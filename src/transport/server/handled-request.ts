import { isDynamoTracingError } from '../../errors/index.js';
import { errorFields, RECORD_TARGETS } from '../../logging/index.js';
import { payloadCodec, streamItemContent, type PayloadCodec } from '../../protocol/index.js';
import { activeContext, runInContext } from '../../trace-context/index.js';
import { Deadline } from '../deadline.js';
import { Deferred } from '../endings.js';
import type { ServerSettings } from '../settings.js';
import type { HandlerResult } from '../types.js';
import { HomeCall, type HomeCallEvents } from './home-call.js';
import type { Dial, HomeDialler } from './home-dialler.js';
import { errorContent, itemContent, textOf, toDynamoError } from './items.js';
import { RequestRecord, WorkerRequestContext } from './request-record.js';
import type { TakenRequest } from './taken-request.js';

type Items = AsyncIterator<unknown, unknown> | Iterator<unknown, unknown>;

const CANCELLED_DETAIL = 'cancelled before completion';
const FAILURE_DETAIL = {
  internal: 'internal server error during processing',
  validation: 'the request body cannot be read',
  unavailable: 'the caller cannot be reached',
} as const;

/** One request from its turn in the pool to its last frame: dial home, prologue, items, final mark. */
export class HandledRequest implements HomeCallEvents {
  /** Let go when it is decoded: streams are open for long, and prompts are large. */
  #body: Uint8Array | undefined;
  #record: RequestRecord | undefined;
  #dialling: Dial | undefined;
  #context: WorkerRequestContext | undefined;
  #home: HomeCall | undefined;
  #items: Items | undefined;
  #cancelled: 'stop' | 'kill' | undefined;
  /** Its place in the pool is free again. */
  #through = false;
  /** Runs from a kill on. */
  #grace: Deadline | undefined;
  readonly #givenUp = new Deferred<undefined>();

  constructor(
    private readonly request: TakenRequest,
    body: Uint8Array,
    private readonly dialler: HomeDialler,
    private readonly settings: ServerSettings,
    /** Called once no socket and no handler of this request is left. */
    private readonly onGone: (request: HandledRequest) => void,
  ) {
    this.#body = body;
    request.entry.inFlight += 1;
  }

  /** Settles when the handler is through, or has gone on for `killGraceMs` after a kill: its place in the pool is free then. Never rejects. */
  async run(): Promise<void> {
    await Promise.race([this.#handle(this.#begin()), this.#givenUp.promise]);
    this.#through = true;
    this.#grace?.clear();
    this.#leave();
  }

  async #handle(record: RequestRecord): Promise<void> {
    try {
      const home = await this.#dial(record);
      if (home !== undefined) await this.#serve(record, home);
    } catch (error) {
      this.#failed(record, error, 'internal');
      this.#home?.destroy();
    }
  }

  /** Ends a request that has not had its turn, as the worker shuts down: its caller is told at once and asks another worker. */
  async abandon(): Promise<void> {
    const reason = 'the worker is shutting down';
    const record = this.#begin();
    this.#body = undefined;
    (await this.#dial(record))?.refuse({ errorType: 'engine_shutdown', message: reason });
    record.complete({ status: 'error', errorType: 'unavailable', failed: 'generate', detail: reason });
    this.#leave();
  }

  #leave(): void {
    this.request.entry.inFlight -= 1;
    void (this.#home?.closed ?? Promise.resolve()).then(() => this.onGone(this));
  }

  /** Kills the request from this side. */
  kill(): void {
    this.onKill();
    this.#dialling?.cancel();
    this.#home?.destroy();
  }

  onStop(): void {
    this.#cancel('stop');
  }

  onKill(): void {
    this.#cancel('kill');
    this.#record?.complete(this.#cancelledOutcome());
    if (!this.#through) this.#grace ??= new Deadline(this.settings.killGraceMs, () => this.#giveUp()).unref();
    // The generator runs its finally blocks when its current step is done; nobody waits for that.
    void Promise.resolve().then(() => this.#leaveItems());
  }

  /** A handler that waits for what never comes must not hold its place for ever. */
  #giveUp(): void {
    this.settings.logger.emit('warn', RECORD_TARGETS.worker, 'a handler goes on after its request was killed: its place is given to others', { ...this.request.entry.fields, request_id: this.request.control.id });
    this.#givenUp.resolve(undefined);
  }

  #begin(): RequestRecord {
    const { headers, control, entry, arrival } = this.request;
    this.#record = new RequestRecord(headers, control.id, entry, arrival, this.settings);
    this.#context = new WorkerRequestContext(headers, control.metadata, entry, this.#record, this.settings.logger);
    if (this.#cancelled !== undefined) this.#context.cancel(this.#cancelled);
    return this.#record;
  }

  async #dial(record: RequestRecord): Promise<HomeCall | undefined> {
    const home = this.request.control.connectionInfo;
    try {
      this.#dialling = this.dialler.dial(home);
      this.#home = new HomeCall(await this.#dialling.opened(), home.subject, this.settings, this);
      return this.#home;
    } catch (error) {
      if (!this.#killedMeanwhile()) this.#failed(record, error, 'unavailable');
      return undefined;
    }
  }

  async #serve(record: RequestRecord, home: HomeCall): Promise<void> {
    const codec = payloadCodec(this.request.control.payloadCodec);
    const items = await this.#generate(record, home, codec);
    if (items === undefined) return;
    this.#items = items;
    home.prologue();
    record.responded();
    try {
      await runInContext(record.span.context, () => this.#pump(items, codec, home, record));
    } catch (error) {
      this.#streamFailed(record, home, codec, error);
    }
    this.#finish(record, home, codec);
  }

  /** Decodes the body and calls the handler; what goes wrong before there is a stream goes into the prologue. Nothing here outlives the call. */
  async #generate(record: RequestRecord, home: HomeCall, codec: PayloadCodec): Promise<Items | undefined> {
    const { entry } = this.request;
    const context = this.#context;
    let body: unknown;
    try {
      body = codec.decode(this.#body ?? new Uint8Array());
    } catch (error) {
      this.#refuse(record, home, error, 'validation');
      return undefined;
    } finally {
      this.#body = undefined;
    }
    if (context === undefined || this.#killedMeanwhile()) return undefined;
    try {
      return iteratorOf(await runInContext(record.span.context, () => entry.handler(body, context)));
    } catch (error) {
      this.#refuse(record, home, error, 'internal');
      return undefined;
    }
  }

  /** Runs in the request's context, and sees to it that every step does: one may have left another behind. */
  async #pump(items: Items, codec: PayloadCodec, home: HomeCall, record: RequestRecord): Promise<void> {
    const { context } = record.span;
    const step = (): ReturnType<Items['next']> => items.next();
    while (this.#cancelled !== 'kill') {
      const next = activeContext() === context ? items.next() : runInContext(context, step);
      const { done, value } = 'then' in next ? await next : next;
      if (done === true || this.#killedMeanwhile()) return;
      const content = itemContent(codec, value);
      if (this.settings.observer !== undefined) record.responseBytes += Buffer.byteLength(content);
      const full = home.send(content);
      if (full !== undefined) await full;
    }
  }

  #killedMeanwhile(): boolean {
    return this.#cancelled === 'kill';
  }

  #streamFailed(record: RequestRecord, home: HomeCall, codec: PayloadCodec, error: unknown): void {
    this.#leaveItems();
    if (this.#killedMeanwhile()) return;
    // What a stop makes a handler throw is no failure.
    if (this.#cancelled === 'stop' && isCancellation(error)) return;
    void home.send(errorContent(codec, error));
    this.#failed(record, error, 'internal');
  }

  #finish(record: RequestRecord, home: HomeCall, codec: PayloadCodec): void {
    if (this.#killedMeanwhile()) return this.#leaveItems();
    void home.send(streamItemContent(codec, { completeFinal: true }));
    home.finish();
    record.complete(this.#cancelled === undefined ? { status: 'success', errorType: '' } : this.#cancelledOutcome());
  }

  /** A prologue error: there will be no stream. */
  #refuse(record: RequestRecord, home: HomeCall, error: unknown, errorType: 'internal' | 'validation'): void {
    const typedError = errorType === 'validation' ? { errorType: 'invalid_argument' as const, message: `the request body cannot be read: ${textOf(error)}` } : toDynamoError(error);
    home.refuse(typedError);
    if (!this.#killedMeanwhile()) this.#failed(record, error, errorType);
  }

  #failed(record: RequestRecord, error: unknown, errorType: 'internal' | 'validation' | 'unavailable'): void {
    const detail = FAILURE_DETAIL[errorType];
    const { logger, errorMessages } = this.settings;
    // A message may repeat the prompt. What is wrong with a body, the completion record says.
    if (errorType !== 'validation') logger.emit('error', RECORD_TARGETS.worker, 'request failed', { ...this.request.entry.fields, ...errorFields(error, errorMessages) }, { context: record.span.context });
    record.complete({ status: 'error', errorType, detail, spanError: toDynamoError(error).errorType });
  }

  #cancel(signal: 'stop' | 'kill'): void {
    if (this.#cancelled === 'kill') return;
    this.#cancelled = signal;
    this.#record?.span.event('request cancellation received', { 'cancellation.signal': signal, 'cancellation.source': 'upstream' });
    this.#context?.cancel(signal);
  }

  #cancelledOutcome(): { status: 'cancelled'; errorType: 'cancelled'; detail: string; signal: string | undefined } {
    return { status: 'cancelled', errorType: 'cancelled', detail: CANCELLED_DETAIL, signal: this.#cancelled };
  }

  /** Lets the generator clean up; what it throws then concerns nobody any more. */
  #leaveItems(): void {
    const items = this.#items;
    this.#items = undefined;
    if (items?.return === undefined || this.#record === undefined) return;
    runInContext(this.#record.span.context, () => void Promise.resolve().then(() => items.return?.()).catch(() => undefined));
  }
}

function iteratorOf(result: HandlerResult<unknown>): Items {
  if (typeof result === 'object' && (result as unknown) !== null) {
    if (Symbol.asyncIterator in result) return result[Symbol.asyncIterator]();
    if (Symbol.iterator in result) return result[Symbol.iterator]();
  }
  throw new TypeError('the handler returned nothing to iterate over: it has to be an async generator function');
}

function isCancellation(error: unknown): boolean {
  return isDynamoTracingError(error, 'ERR_CANCELLED') || (error instanceof Error && error.name === 'AbortError');
}
