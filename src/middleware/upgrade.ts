import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { guarded } from '../internal/index.js';
import type { Ending } from './ending.js';

/** What was seen of a connection that is to become another protocol's. */
export interface Upgrade {
  /** How it ended; undefined while no answer to the upgrade has been seen. */
  ending(clientLeft: boolean): Ending | undefined;
}

export const SWITCHING_PROTOCOLS = 101;
const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})/;
/** First byte of an unmasked, final WebSocket close frame. */
const CLOSE_FRAME = 0x88;
/** RFC 6455: done, going away (a page was left), and a close frame without a code. */
const NORMAL_CLOSES: ReadonlySet<number> = new Set([1000, 1001, 1005]);
const NO_CODE = 1005;

/**
 * Watches what this process writes on the connection of an upgrade: the status line, which no response object shows, and, for a
 * WebSocket, the close frame, without which the connection has been lost (1006). Libraries write each frame by itself, so only the first bytes
 * of a piece are looked at.
 */
export function watchUpgrade(req: IncomingMessage, socket: Socket, answered: (status: number) => void): Upgrade {
  const watch = new UpgradeWatch(/websocket/i.test(req.headers.upgrade ?? ''), socket, answered);
  for (const name of ['write', 'end'] as const) {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the socket as its this
    const original = socket[name] as (...args: unknown[]) => unknown;
    (socket as unknown as Record<string, unknown>)[name] = function (this: Socket, ...args: unknown[]): unknown {
      guarded('upgrade', () => watch.written(args[0]), undefined);
      return original.apply(this, args);
    };
  }
  if (isSwitched(req)) guarded('upgrade', () => watch.answer(SWITCHING_PROTOCOLS), undefined);
  return watch;
}

/** express-ws answers an upgrade with 101 before the application sees the request, which has the WebSocket at `ws` then. */
export function isSwitched(req: IncomingMessage): boolean {
  const { ws, upgrade } = req as { readonly ws?: unknown; readonly upgrade?: unknown };
  return upgrade === true && typeof ws === 'object' && ws !== null;
}

class UpgradeWatch implements Upgrade {
  #status: number | undefined;
  #closeCode: number | undefined;
  /** The close frame's head has been written by itself: its code begins the next piece. */
  #awaitsCode = false;

  constructor(private readonly isWebSocket: boolean, private readonly socket: Socket, private readonly answered: (status: number) => void) {}

  /** The answer to the upgrade is known. */
  answer(status: number): void {
    this.#status = status;
    this.answered(status);
  }

  written(piece: unknown): void {
    if (this.#status === undefined) this.#readStatus(piece);
    else if (this.isWebSocket && this.#status === SWITCHING_PROTOCOLS && piece instanceof Uint8Array) this.#readFrame(piece);
  }

  ending(clientLeft: boolean): Ending | undefined {
    if (this.#status === undefined) return undefined;
    if (this.#status !== SWITCHING_PROTOCOLS) return { complete: true, clientLeft: false };
    if (!this.isWebSocket) return { complete: this.socket.errored === null && this.socket.readableEnded, clientLeft };
    if (this.#closeCode === undefined) return { complete: false, clientLeft };
    return { complete: NORMAL_CLOSES.has(this.#closeCode), clientLeft: false };
  }

  #readStatus(piece: unknown): void {
    const text = typeof piece === 'string' ? piece.slice(0, 16) : piece instanceof Uint8Array ? Buffer.from(piece.subarray(0, 16)).toString('latin1') : '';
    const status = STATUS_LINE.exec(text)?.[1];
    if (status !== undefined) this.answer(Number(status));
  }

  #readFrame(piece: Uint8Array): void {
    if (this.#awaitsCode) {
      this.#awaitsCode = false;
      this.#closeCode = codeAt(piece, 0);
    } else if (piece[0] === CLOSE_FRAME && this.#closeCode === undefined) {
      const length = (piece[1] ?? 0) & 0x7f;
      if (length >= 2 && piece.length < 4) this.#awaitsCode = true;
      else this.#closeCode = length < 2 ? NO_CODE : codeAt(piece, 2);
    }
  }
}

function codeAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
