import type { FrontendName, Instruments } from './families.js';
import { UNKNOWN_MODEL, type ModelLabels } from './labels.js';

/** How a request began, as the middleware's `onReceived` tells it. */
export interface StartedRequest {
  readonly model: string;
  readonly endpoint: string;
  readonly requestType: string;
}

/** How a request ended, as the middleware's `onCompleted` tells it; times in milliseconds. */
export interface EndedRequest extends StartedRequest {
  /** The `model` that its {@link StartedRequest} had. */
  readonly requestedModel: string;
  readonly status: string;
  readonly errorType: string;
  readonly elapsedMs: number;
  readonly inputTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly outputTokensEstimated?: boolean | undefined;
  readonly cachedTokens?: number | undefined;
  readonly ttftMs?: number | undefined;
  readonly avgItlMs?: number | undefined;
  readonly responseModel?: string | undefined;
  /** `gen_ai.operation.name` and `gen_ai.provider.name`. Default: the endpoint, and `openai`. */
  readonly operation?: string | undefined;
  readonly provider?: string | undefined;
  /** Ids of the request's span; `sampled` says that its trace is kept. */
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
  readonly sampled?: boolean | undefined;
  /** Fields that `trace.set()` was given. */
  readonly fields?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** How a system request ended, as the middleware's `onSystemCompleted` tells it. */
export interface EndedSystemRequest {
  readonly method: string;
  readonly route: string | undefined;
  readonly httpStatus: number | undefined;
  readonly elapsedMs: number;
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
  readonly sampled?: boolean | undefined;
}

/** The open requests of one model. */
interface Open {
  /** What they are counted under. */
  label: string;
  count: number;
  /** Those whose start is not counted yet, because nobody knows whether there is such a model. */
  readonly held: StartedRequest[];
}

/** Counts requests as started and as open. */
export class OpenRequests {
  readonly #models = new Map<string, Open>();

  constructor(private readonly models: ModelLabels, private readonly instruments: Instruments<FrontendName>) {}

  began(started: StartedRequest): void {
    const label = this.models.of(started.model);
    const open = this.#models.get(started.model) ?? { label: label ?? UNKNOWN_MODEL, count: 0, held: [] };
    this.#models.set(started.model, open);
    this.#relabel(open, label ?? UNKNOWN_MODEL);
    open.count += 1;
    this.#move(open.label, 1);
    if (label === undefined) open.held.push(started);
    else this.#countStart(label, started);
  }

  ended(ended: EndedRequest): void {
    const open = this.#models.get(ended.requestedModel);
    if (open === undefined) return;
    const label = this.models.ofEnded(ended.requestedModel, ended.status === 'success');
    for (const start of take(open.held, label === UNKNOWN_MODEL ? ended : undefined)) this.#countStart(label, start);
    this.#relabel(open, label);
    open.count -= 1;
    this.#move(label, -1);
    if (open.count === 0) this.#models.delete(ended.requestedModel);
  }

  /** A model became known, or is served no more: its open requests move. */
  #relabel(open: Open, label: string): void {
    if (open.label === label) return;
    this.#move(open.label, -open.count);
    this.#move(label, open.count);
    open.label = label;
  }

  #move(model: string, by: number): void {
    if (by === 0) return;
    this.instruments.move('inflight_requests', { model }, by);
    this.instruments.move('active_requests', { model }, by);
  }

  #countStart(model: string, { endpoint, requestType }: StartedRequest): void {
    this.instruments.count('requests_started_total', { model, endpoint, request_type: requestType });
  }
}

/** Takes the starts that can be counted now: all of a model that is known, else one that is like `only`. */
function take(held: StartedRequest[], only: StartedRequest | undefined): StartedRequest[] {
  if (only === undefined) return held.splice(0);
  const at = held.findIndex(({ endpoint, requestType }) => endpoint === only.endpoint && requestType === only.requestType);
  return at === -1 ? [] : held.splice(at, 1);
}
