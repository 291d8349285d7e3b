import type { OutgoingHttpHeaders } from 'node:http';
import type { RequestIds } from '../trace-context/index.js';
import type { OutboundResponse } from './arrival.js';

interface EchoSettings {
  readonly echoRequestId: boolean;
  readonly echoXRequestId: boolean;
}

const MAX_UPSTREAM_LENGTH = 256;

/**
 * The ids that a response shows its client. A proxy copies its upstream's headers over them: at the head ours are put back, and the
 * upstream's own id is kept, because its support asks for it.
 */
export class EchoedIds {
  /** What the upstream called the request, when it is another id than ours. */
  upstream: string | undefined;
  readonly #own: Readonly<Record<string, string>>;
  #isEnforced = true;

  constructor({ requestId, xRequestId }: RequestIds, private readonly settings: EchoSettings) {
    this.#own = { 'request-id': requestId, 'x-request-id': xRequestId ?? requestId };
  }

  set(res: OutboundResponse): void {
    if (res.headersSent) return;
    for (const name in this.#own) if (this.#isOurs(name)) res.setHeader(name, this.#own[name] as string);
  }

  /** Whether ours stay; with false the handler's own do, and ours are taken off. */
  enforce(ours: boolean, res: OutboundResponse): void {
    this.#isEnforced = ours;
    if (ours) return this.set(res);
    if (!res.headersSent) for (const name in this.#own) if (res.getHeader(name) === this.#own[name]) res.removeHeader(name);
  }

  /** Puts ours back where others have been set in their place. */
  restore(res: OutboundResponse): void {
    for (const name in this.#own) {
      const found = res.getHeader(name);
      if (found === this.#own[name]) continue;
      this.#keep(found);
      if (this.#isOurs(name)) res.setHeader(name, this.#own[name] as string);
    }
  }

  /** The same for headers given to writeHead: a record, or names and values in turn, or pairs. A changed copy, or what was given. */
  takeFrom(headers: OutgoingHttpHeaders | unknown[]): OutgoingHttpHeaders | unknown[] {
    if (!Array.isArray(headers)) {
      const kept = Object.entries(headers).filter(([name, value]) => !this.#takes(name, value));
      return kept.length === Object.keys(headers).length ? headers : Object.fromEntries(kept);
    }
    // Node takes pairs on a response without any header only, and ours has some: in turn they are taken on every one.
    if (Array.isArray(headers[0])) return this.takeFrom(headers.flat());
    return headers.filter((_, at) => !this.#takes(headers[at - (at % 2)], headers[at - (at % 2) + 1]));
  }

  #takes(name: unknown, value: unknown): boolean {
    const lower = String(name).toLowerCase();
    if (!Object.hasOwn(this.#own, lower)) return false;
    if (value !== this.#own[lower]) this.#keep(value);
    return this.#isOurs(lower);
  }

  #isOurs(name: string): boolean {
    return this.#isEnforced && (name === 'request-id' ? this.settings.echoRequestId : this.settings.echoXRequestId);
  }

  #keep(value: unknown): void {
    const text: unknown = Array.isArray(value) ? value[0] : value;
    if (typeof text === 'string' && text !== '') this.upstream ??= text.slice(0, MAX_UPSTREAM_LENGTH);
  }
}
