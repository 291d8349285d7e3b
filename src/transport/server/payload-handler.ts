import { guarded, RateLimit } from '../../internal/index.js';
import { RECORD_TARGETS } from '../../logging/index.js';
import { ACK_ACCEPTED, ACK_AT_CAPACITY, ACK_POOL_CLOSED, type RequestHeaders, type TcpStreamConnectionInfo } from '../../protocol/index.js';
import { Deadline } from '../deadline.js';
import { Deferred } from '../endings.js';
import type { ServerSettings } from '../settings.js';
import type { WorkerLoad } from '../types.js';
import { CLOSE_WAIT_MS } from '../sockets.js';
import { HandledRequest } from './handled-request.js';
import { HomeCall } from './home-call.js';
import { HomeDialler, type Dial } from './home-dialler.js';
import { RequestRecord } from './request-record.js';
import { arrivalOf, readEnvelope, type Arrival, type EndpointEntry, type Envelope } from './taken-request.js';

/** What waits for its turn or has it. */
export interface Work {
  /** Has its turn, until its place is free. Never rejects. */
  run(): Promise<void>;
  /** Ends it before its turn. Never rejects. */
  abandon(): Promise<void>;
  /** Ends it at once. */
  kill(): void;
}

/**
 * Requests of a worker, whatever plane brought them: decides about each at once, then serves it in its turn. One handler
 * can stand behind several planes; its bounds hold for all of them together.
 */
export class PayloadHandler {
  readonly #pool: WorkPool;
  readonly #active = new Set<Work>();
  readonly #dialler: HomeDialler;
  readonly #warnings = new RateLimit(1000);
  #drained: Deferred<'idle' | 'killed'> | undefined;
  readonly #graces: Deadline[] = [];
  #draining = false;

  constructor(private readonly settings: ServerSettings) {
    this.#pool = new WorkPool(settings.workerPoolSize, settings.workQueueSize);
    this.#dialler = new HomeDialler(settings);
    const { observer } = settings;
    if (observer?.onWorker !== undefined) guarded('observer.onWorker', () => observer.onWorker?.(() => this.#pool.load), undefined);
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
    if (!this.#pool.hasRoom) return this.#reject(entry);
    const arrival = arrivalOf(headers, payload, this.settings.observer !== undefined);
    const envelope = readEnvelope(payload);
    const home = envelope.kind === 'bad' ? envelope.home : envelope.control.connectionInfo;
    if (home !== undefined && !this.settings.callHomeHosts(home.host)) return this.#refuse(headers, { problem: `callers at ${home.host} are not called`, home: undefined }, entry, arrival);
    if (envelope.kind === 'bad') return this.#refuse(headers, envelope, entry, arrival);
    const { control, body } = envelope;
    this.#take(new HandledRequest({ headers, control, entry, arrival }, body, this.#dialler, this.settings, this.#onGone));
    return ACK_ACCEPTED;
  }

  #reject({ namespace, component, endpoint, instanceId }: EndpointEntry): string {
    const { observer } = this.settings;
    if (observer?.onRejected !== undefined) guarded('observer.onRejected', () => observer.onRejected?.({ namespace, component, endpoint, instanceId }), undefined);
    return ACK_AT_CAPACITY;
  }

  #take(work: Work): void {
    this.#active.add(work);
    this.#pool.submit(work);
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
    this.#drained = new Deferred();
    this.hurry(graceMs);
    const end = await this.#drained.promise;
    this.#drained = undefined;
    for (const deadline of this.#graces.splice(0)) deadline.clear();
    if (end === 'killed') await this.#killAll();
  }

  /** While requests are drained: lets them go on for `graceMs` from now at the longest. */
  hurry(graceMs: number): void {
    const drained = this.#drained;
    if (drained !== undefined) this.#graces.push(new Deadline(graceMs, () => drained.resolve('killed')));
  }

  async #killAll(): Promise<void> {
    const queued = new Set(this.#pool.dropQueued());
    for (const work of this.#active) if (!queued.has(work)) work.kill();
    await Promise.all([...queued].map((work) => work.abandon()));
  }

  /**
   * Refuses a request whose envelope is bad. Our own caller goes by the ack. Dynamo's takes an ack that it does not know for
   * success and waits for a call: it gets one, whose prologue says what is wrong. If there is no way to call, the ack begins
   * with the one prefix that every caller understands.
   */
  #refuse(headers: RequestHeaders, { problem, home }: Pick<Extract<Envelope, { kind: 'bad' }>, 'problem' | 'home'>, entry: EndpointEntry, arrival: Arrival): string {
    const record = new RequestRecord(headers, home?.context, entry, arrival, this.settings);
    record.complete({ status: 'error', errorType: 'validation', failed: 'invalid_message', detail: problem, spanError: 'invalid_argument' });
    if (home === undefined) return `Server unavailable: invalid request: ${problem}`;
    this.#take(new RefusedRequest(home, `invalid request: ${problem}`, this.#dialler, this.settings, this.#onGone));
    return `Invalid request: ${problem}`;
  }

  readonly #onGone = (work: Work): void => {
    this.#active.delete(work);
    if (this.#active.size === 0) this.#drained?.resolve('idle');
  };
}

const NOBODY = { onStop: (): void => undefined, onKill: (): void => undefined };

/** A call home only to say in the prologue that there will be no response. It takes its turn as a request does; a caller that is gone is none. */
class RefusedRequest implements Work {
  #dialling: Dial | undefined;
  #call: HomeCall | undefined;

  constructor(
    private readonly home: TcpStreamConnectionInfo,
    private readonly message: string,
    private readonly dialler: HomeDialler,
    private readonly settings: ServerSettings,
    private readonly onGone: (request: RefusedRequest) => void,
  ) {}

  /** Settles when its socket is closed: it holds its place for so long. Never rejects. */
  async run(): Promise<void> {
    try {
      this.#dialling = this.dialler.dial(this.home);
      this.#call = new HomeCall(await this.#dialling.opened(), this.home.subject, { ...this.settings, finTimeoutMs: CLOSE_WAIT_MS }, NOBODY);
      this.#call.refuse({ errorType: 'invalid_argument', message: this.message });
      await this.#call.closed;
    } catch {
      // Nobody is there to be told.
    }
    this.onGone(this);
  }

  abandon(): Promise<void> {
    return this.run();
  }

  kill(): void {
    this.#dialling?.cancel();
    this.#call?.destroy();
  }
}

/** Runs a bounded number of jobs at one time; a bounded number more wait in order. */
class WorkPool {
  #running = 0;
  #queue: Work[] = [];
  /** Where the queue begins: taking the first of an array of thousands moves all the others. */
  #head = 0;

  constructor(
    private readonly size: number,
    private readonly queueSize: number,
  ) {}

  /** Whether another job would be taken. */
  get hasRoom(): boolean {
    return this.#running < this.size || this.#queue.length - this.#head < this.queueSize;
  }

  get load(): WorkerLoad {
    return { active: this.#running, queued: this.#queue.length - this.#head, poolSize: this.size, queueSize: this.queueSize };
  }

  /** Starts the job in a turn of its own, or queues it. Ask `hasRoom` first. */
  submit(work: Work): void {
    if (this.#running < this.size) this.#start(work);
    else this.#queue.push(work);
  }

  /** Takes the jobs that have not begun. */
  dropQueued(): Work[] {
    const left = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    return left;
  }

  #start(work: Work): void {
    this.#running += 1;
    void Promise.resolve(work).then((job) => job.run()).then(this.#onDone);
  }

  readonly #onDone = (): void => {
    this.#running -= 1;
    const next = this.#queue[this.#head];
    if (next === undefined) return;
    this.#head += 1;
    if (this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#start(next);
  };
}
