import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { jest } from '@jest/globals';
import * as own from '../../src/trace-context/context.js';
import { listening } from './listening.js';

const COUNTED = ['timers', 'ticks', 'contexts', 'context.with', 'runInRequest', 'runInContext', 'AsyncLocalStorage.run', 'AbortControllers', 'JSON.parse', 'JSON.stringify', 'writes'] as const;
type Counted = (typeof COUNTED)[number];

/** What one request costs, counted. */
export interface Costs extends Readonly<Record<Counted, number>> {
  /** Listeners added, by event. */
  readonly listenersOfRequest: Readonly<Record<string, number>>;
  readonly listenersOfResponse: Readonly<Record<string, number>>;
  readonly listenersOfSocket: Readonly<Record<string, number>>;
  /** Functions and accessors that were put on the two of them. */
  readonly putOnRequest: readonly string[];
  readonly putOnResponse: readonly string[];
  /** The lines written. */
  readonly lines: readonly string[];
}

type Any = (this: unknown, ...args: unknown[]) => unknown;

/** Counts what is done from `start` to `stop`: it stands in the place of the functions that it counts, and calls them. */
class Counter {
  readonly counts = Object.fromEntries(COUNTED.map((name) => [name, 0])) as Record<Counted, number>;
  readonly lines: string[] = [];
  readonly #listeners = new Map<unknown, Record<string, number>>();
  readonly #restore: (() => void)[] = [];
  #isOn = false;

  /** Begins to count; of listeners those that are added to `emitters`. */
  start(emitters: readonly unknown[]): void {
    for (const emitter of emitters) this.#listeners.set(emitter, {});
    for (const name of ['setTimeout', 'setInterval', 'setImmediate'] as const) this.#count(globalThis, name, 'timers');
    this.#count(process, 'nextTick', 'ticks');
    this.#count(globalThis, 'queueMicrotask', 'ticks');
    this.#count(JSON, 'parse', 'JSON.parse');
    this.#count(JSON, 'stringify', 'JSON.stringify');
    this.#count(AsyncLocalStorage.prototype, 'run', 'AsyncLocalStorage.run');
    this.#count(context, 'with', 'context.with');
    this.#count(own, 'runInRequest', 'runInRequest');
    this.#count(own, 'runInContext', 'runInContext');
    this.#countAbortControllers();
    this.#countListeners();
    this.#countContexts(ROOT_CONTEXT);
    this.#isOn = true;
  }

  /** Bytes that are on their way to standard error; those of earlier requests are not counted. */
  wrote(bytes: Uint8Array): number {
    if (this.#isOn) {
      this.counts.writes += 1;
      this.lines.push(...Buffer.from(bytes).toString().trimEnd().split('\n'));
    }
    return bytes.length;
  }

  added(emitter: unknown): Record<string, number> {
    return this.#listeners.get(emitter) ?? {};
  }

  stop(): void {
    for (const restore of this.#restore.splice(0).reverse()) restore();
  }

  #countAbortControllers(): void {
    const counts = this.counts;
    this.#replace(globalThis, 'AbortController', class extends AbortController {
      constructor() {
        super();
        counts.AbortControllers += 1;
      }
    } as unknown as Any);
  }

  #countListeners(): void {
    const listeners = this.#listeners;
    for (const name of ['on', 'addListener', 'prependListener'] as const) {
      const original = EventEmitter.prototype[name] as Any;
      this.#replace(EventEmitter.prototype, name, function (this: unknown, ...args) {
        const added = listeners.get(this);
        if (added !== undefined) added[String(args[0])] = (added[String(args[0])] ?? 0) + 1;
        return original.apply(this, args);
      });
    }
  }

  /** A context of OpenTelemetry's API makes the next one: each is given the same functions. */
  #countContexts(ctx: object): void {
    for (const name of ['setValue', 'deleteValue']) {
      const original = (ctx as Record<string, Any>)[name]!;
      this.#replace(ctx, name, (...args) => {
        const made = original.apply(ctx, args) as object;
        this.counts.contexts += 1;
        this.#countContexts(made);
        return made;
      });
    }
  }

  #count(object: object, name: string, as: Counted): void {
    const { counts } = this;
    const original = (object as Record<string, Any>)[name]!;
    this.#replace(object, name, function (this: unknown, ...args) {
      counts[as] += 1;
      return original.apply(this, args);
    });
  }

  #replace(object: object, name: string, replacement: Any): void {
    const before = Object.getOwnPropertyDescriptor(object, name);
    Object.defineProperty(object, name, { configurable: true, writable: true, enumerable: before?.enumerable ?? false, value: replacement });
    this.#restore.push(() => {
      if (before === undefined) Reflect.deleteProperty(object, name);
      else Object.defineProperty(object, name, before);
    });
  }
}

/** Own properties that are functions or accessors. */
const methods = (object: object): string[] => Object.entries(Object.getOwnPropertyDescriptors(object)).filter(([, { value, get }]) => typeof value === 'function' || get !== undefined).map(([name]) => name).sort();

/** Sends `request` on a connection that is kept alive, and waits until its answer has come, its response has closed and its lines are written. */
async function ask(server: Server, client: Socket, request: string, end: string, arrived: (req: IncomingMessage, res: ServerResponse) => void): Promise<void> {
  const closed = new Promise<void>((resolve) => server.prependOnceListener('request', (req, res) => {
    res.once('close', () => resolve());
    arrived(req, res);
  }));
  client.write(request);
  for (let text = ''; !text.endsWith(end);) text += String((await once(client, 'data'))[0]);
  await closed;
  for (let turn = 0; turn < 2; turn += 1) await setImmediate();
}

/** Requests that `costsOf` sends. */
export const REQUESTS = 3;

/** What the last of the requests on a connection costs: the first ones also pay for what is made once. `end` is the end of its answer. */
export async function costsOf(server: Server, request: string, end: string): Promise<Costs> {
  const client = connect(await listening(server.listen(0, '127.0.0.1')), '127.0.0.1');
  const counter = new Counter();
  const writeSync = jest.spyOn(fs, 'writeSync').mockImplementation(((_fd: number, bytes: Uint8Array) => counter.wrote(bytes)) as typeof fs.writeSync);
  let seen!: readonly [IncomingMessage, ServerResponse, Socket];
  try {
    for (let i = 0; i < REQUESTS - 1; i += 1) await ask(server, client, request, end, () => undefined);
    await ask(server, client, request, end, (req, res) => {
      seen = [req, res, req.socket];
      counter.start(seen);
    });
  } finally {
    counter.stop();
    writeSync.mockRestore();
    client.destroy();
  }
  const [listenersOfRequest, listenersOfResponse, listenersOfSocket] = seen.map((emitter) => counter.added(emitter));
  return { listenersOfRequest, listenersOfResponse, listenersOfSocket, putOnRequest: methods(seen[0]), putOnResponse: methods(seen[1]), lines: counter.lines.map((line) => (JSON.parse(line) as { message: string }).message), ...counter.counts } as Costs;
}

/** What `more` costs beyond `less`; what is equal is left out. */
export function beyond(more: Costs, less: Costs): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(more)) {
    const base = less[name as keyof Costs];
    const difference = typeof value === 'number' ? value - (base as number)
      : Array.isArray(value) ? value.filter((item) => !(base as readonly unknown[]).includes(item))
        : Object.fromEntries([...new Set([...Object.keys(value as object), ...Object.keys(base)])].map((key) => [key, ((value as Record<string, number>)[key] ?? 0) - ((base as Record<string, number>)[key] ?? 0)] as const).filter(([, count]) => count !== 0));
    if (typeof difference === 'number' ? difference !== 0 : Object.keys(difference).length > 0) result[name] = difference;
  }
  return result;
}
