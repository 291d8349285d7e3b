import { RateLimit } from '../../internal/index.js';
import { RECORD_TARGETS } from '../../logging/index.js';
import { ACK_ACCEPTED, ACK_AT_CAPACITY, ACK_POOL_CLOSED, type RequestHeaders } from '../../protocol/index.js';
import type { EndpointEntry } from './endpoint-entry.js';
import { readEnvelope, type Envelope } from './envelope.js';
import { HandledRequest, type HandledRequestSettings } from './handled-request.js';
import { refuseAtHome } from './refuse-at-home.js';
import { RequestRecord } from './request-record.js';
import { WorkPool } from './work-pool.js';

export interface PayloadHandlerSettings extends HandledRequestSettings {
  readonly workerPoolSize: number;
  readonly workQueueSize: number;
}

/**
 * Requests of a worker, whatever plane brought them: decides about each at once, then serves it in its turn. One handler
 * can stand behind several planes; its bounds hold for all of them together.
 */
export class PayloadHandler {
  readonly #pool: WorkPool<HandledRequest>;
  readonly #active = new Set<HandledRequest>();
  readonly #warnings = new RateLimit(1000);
  #onIdle: (() => void) | undefined;
  #draining = false;

  constructor(private readonly settings: PayloadHandlerSettings) {
    this.#pool = new WorkPool(settings.workerPoolSize, settings.workQueueSize);
  }

  /** Requests queued, being handled, or waiting for their caller to close. */
  get inFlight(): number {
    return this.#active.size;
  }

  /**
   * Takes a request or says why not: gives the text of its ack, '' when it is taken. `payload` is the TwoPart envelope. Never
   * throws.
   *
   * The envelope is checked before the ack, which costs microseconds: upstream acks first and then has no way to tell, so its
   * caller waits for ever. The body is decoded when the request has its turn; if that fails the prologue says so.
   */
  accept(headers: RequestHeaders, payload: Uint8Array, entry: EndpointEntry): string {
    if (this.#draining) return ACK_POOL_CLOSED;
    if (!this.#pool.hasRoom) return ACK_AT_CAPACITY;
    const envelope = readEnvelope(payload);
    if (envelope.kind === 'bad') return this.#refuse(headers, envelope, entry);
    const { control, body } = envelope;
    const request = new HandledRequest({ headers, control, body, entry }, this.settings, this.#onGone);
    this.#active.add(request);
    this.#pool.submit(request);
    return ACK_ACCEPTED;
  }

  /** A header block was not a JSON object of texts: its request goes on without headers, as in Dynamo. At most one warning a second. */
  warnMalformedHeaders(entry: EndpointEntry): void {
    const suppressed = this.#warnings.take();
    if (suppressed === undefined) return;
    this.settings.logger.emit('warn', RECORD_TARGETS.transport, 'malformed request headers: the request goes on without them', { ...entry.fields, suppressed });
  }

  /** Takes no more requests; settles when those in flight are through, or after `graceMs` when they have been killed. */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    if (this.#active.size === 0) return;
    const idle = new Promise<void>((resolve) => (this.#onIdle = resolve));
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<'over'>((resolve) => (timer = setTimeout(resolve, graceMs, 'over')));
    const result = await Promise.race([idle, grace]);
    clearTimeout(timer);
    if (result === 'over') await this.#killAll();
  }

  async #killAll(): Promise<void> {
    const queued = this.#pool.dropQueued();
    const abandoned = queued.map((request) => request.abandon('the worker is shutting down'));
    for (const request of this.#active) if (!queued.includes(request)) request.kill();
    await Promise.all(abandoned);
  }

  /**
   * Refuses a request whose envelope is bad. Our own caller goes by the ack. Dynamo's takes an ack that it does not know for
   * success and waits for a call: it gets one, whose prologue says what is wrong. If there is no way to call, the ack begins
   * with the one prefix that every caller understands.
   */
  #refuse(headers: RequestHeaders, { problem, home }: Extract<Envelope, { kind: 'bad' }>, entry: EndpointEntry): string {
    const record = new RequestRecord(headers, home?.context, entry, this.settings);
    this.settings.logger.emit('warn', RECORD_TARGETS.worker, 'the request failed', { ...entry.fields, error_detail: problem }, { context: record.span.context });
    record.complete({ status: 'error', errorType: 'validation', detail: problem, spanError: 'invalid_argument' });
    if (home === undefined) return `Server unavailable: invalid request: ${problem}`;
    refuseAtHome(home, `invalid request: ${problem}`, this.settings);
    return `Invalid request: ${problem}`;
  }

  readonly #onGone = (request: HandledRequest): void => {
    this.#active.delete(request);
    if (this.#active.size === 0) this.#onIdle?.();
  };
}
