import type { TcpStreamConnectionInfo } from '../../protocol/index.js';
import { HomeCall, type HomeCallSettings } from './home-call.js';
import type { Dial, HomeDialler } from './home-dialler.js';
import type { Work } from './work-pool.js';

const CLOSE_WAIT_MS = 1000;
const NOBODY = { onStop: (): void => undefined, onKill: (): void => undefined };

/** A call home only to say in the prologue that there will be no response. It takes its turn as a request does; a caller that is gone is none. */
export class RefusedRequest implements Work {
  #dialling: Dial | undefined;
  #call: HomeCall | undefined;

  constructor(
    private readonly home: TcpStreamConnectionInfo,
    private readonly message: string,
    private readonly dialler: HomeDialler,
    private readonly settings: HomeCallSettings,
    private readonly onGone: (request: RefusedRequest) => void,
  ) {}

  /** Settles when its socket is closed: it holds its place for so long. Never rejects. */
  async run(): Promise<void> {
    try {
      this.#dialling = this.dialler.dial(this.home);
      this.#call = new HomeCall(await this.#dialling.opened, this.home.subject, { ...this.settings, finTimeoutMs: CLOSE_WAIT_MS }, NOBODY);
      this.#call.prologue({ error: `Generate Error: ${this.message}`, typedError: { errorType: 'invalid_argument', message: this.message } });
      this.#call.finish(true);
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
