import { DynamoTracingError, type ErrorCode } from '../../errors/index.js';
import type { Ack } from '../../protocol/index.js';
import { Deadline } from '../deadline.js';
import { cancelled } from '../failures.js';

/**
 * One request on its way to its acknowledgement. It settles once: by its ack, by its timeout, by its caller's signal or with
 * its connection. A written request that has settled early keeps its place among the acks.
 */
export class Exchange {
  readonly promise: Promise<void>;
  settled = false;
  #chunks: readonly Uint8Array[] | undefined;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  readonly #deadline: Deadline;

  constructor(
    readonly address: string,
    chunks: readonly Uint8Array[],
    private readonly timeoutMs: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.#chunks = chunks;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#deadline = new Deadline(timeoutMs, () => this.#timeOut());
    signal?.addEventListener('abort', this.#onAbort);
  }

  /** The bytes to write, given out once and let go: the request may wait for its ack long after they have left. */
  takeChunks(): readonly Uint8Array[] {
    const chunks = this.#chunks ?? [];
    this.#chunks = undefined;
    return chunks;
  }

  acked(ack: Ack): void {
    if (ack.kind === 'accepted') this.#settle()?.();
    else this.fail(ackError(ack, this.address));
  }

  fail(error: unknown): void {
    if (this.#settle() !== undefined) this.#reject(error);
  }

  #timeOut(): void {
    const { address, timeoutMs } = this;
    const written = this.#chunks === undefined;
    const message = written ? `${address} did not acknowledge the request within ${timeoutMs} ms` : `no connection to ${address} had room within ${timeoutMs} ms`;
    this.fail(new DynamoTracingError(written ? 'ERR_ACK_TIMEOUT' : 'ERR_CONNECT_TIMEOUT', message, { address, timeoutMs }));
  }

  readonly #onAbort = (): void => this.fail(cancelled(this.signal));

  /** The way to resolve, the first time. */
  #settle(): (() => void) | undefined {
    if (this.settled) return undefined;
    this.settled = true;
    this.#chunks = undefined;
    this.#deadline.clear();
    this.signal?.removeEventListener('abort', this.#onAbort);
    return this.#resolve;
  }
}

const CODES = {
  overloaded: ['ERR_WORKER_OVERLOADED', 'is at capacity'],
  unavailable: ['ERR_WORKER_UNAVAILABLE', 'is unavailable'],
  'unknown-endpoint': ['ERR_UNKNOWN_ENDPOINT', 'does not serve the endpoint'],
  rejected: ['ERR_REQUEST_REJECTED', 'refused the request'],
} as const satisfies Record<Exclude<Ack['kind'], 'accepted'>, readonly [ErrorCode, string]>;

/** The error for an acknowledgement that refuses the request; `ack` holds its text. */
export function ackError(ack: Ack, address: string, fact: 'address' | 'subject' = 'address'): DynamoTracingError {
  const [code, says] = CODES[ack.kind === 'accepted' ? 'rejected' : ack.kind];
  return new DynamoTracingError(code, `worker ${address} ${says}: ${ack.text}`, { [fact]: address, ack: ack.text });
}
