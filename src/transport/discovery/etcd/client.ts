import { DynamoTracingError, errorFact } from '../../../errors/index.js';
import { EtcdHttp, type Fields } from './http.js';
import type { EtcdAccess } from './settings.js';

/** gRPC's codes that say that the member is at fault and another may answer: cancelled, deadline exceeded, internal, unavailable. */
const MEMBERS_FAULT: readonly unknown[] = [1, 4, 13, 14];

// gRPC's codes are too few to tell these apart; etcd's texts are the same in all its releases.

/** Whether etcd knows no such lease (any more). */
export function isLeaseGone(error: unknown): boolean {
  return says(error, /requested lease not found/);
}

/** Whether etcd has a lease of that id already. */
export function isLeaseTaken(error: unknown): boolean {
  return says(error, /lease already exists/);
}

/** Whether the token is no longer good: it expired, its member was started again, or users were changed since. */
function isTokenRefused(error: unknown): boolean {
  return says(error, /invalid auth token|revision of auth store is old/);
}

function says(error: unknown, text: RegExp): boolean {
  return errorFact(error, 'grpcCode') !== undefined && text.test(String(errorFact(error, 'message')));
}

function mayAnotherAnswer(error: unknown): boolean {
  const code = errorFact(error, 'grpcCode');
  return code === undefined || MEMBERS_FAULT.includes(code);
}

type User = NonNullable<EtcdAccess['user']>;

/** etcd as a whole: its members, tried in turn from the one that answered last, and the user's token. */
export class EtcdClient {
  readonly #http: EtcdHttp;
  #current = 0;
  #token: Promise<string> | undefined;

  constructor(private readonly access: EtcdAccess) {
    this.#http = new EtcdHttp(access);
  }

  close(): void {
    this.#http.close();
  }

  /** @throws ERR_DISCOVERY; with `grpcCode` when etcd refuses */
  call(path: string, body: unknown, background = false): Promise<Fields> {
    return this.#authorized((token) => this.#anywhere((endpoint) => this.#http.call({ endpoint, path, body, token, background })));
  }

  /** The messages of a stream, once the first is there; what fails later is thrown by the iteration. @throws as `call` */
  stream(path: string, body: unknown, signal: AbortSignal): Promise<AsyncIterable<Fields>> {
    return this.#authorized((token) => this.#anywhere(async (endpoint) => {
      const messages = this.#http.stream({ endpoint, path, body, token, background: true, signal });
      const first = await messages.next();
      return first.done === true ? messages : beginningWith(first.value, messages);
    }));
  }

  async #anywhere<T>(ask: (endpoint: URL) => Promise<T>): Promise<T> {
    const { endpoints } = this.access;
    const first = this.#current;
    const failures: unknown[] = [];
    for (let i = 0; i < endpoints.length; i += 1) {
      const index = (first + i) % endpoints.length;
      try {
        const answer = await ask(endpoints[index] as URL);
        this.#current = index;
        return answer;
      } catch (error) {
        if (!mayAnotherAnswer(error)) throw error;
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    throw new DynamoTracingError('ERR_DISCOVERY', failures.map((error) => String(errorFact(error, 'message'))).join('; '), { endpoints: endpoints.map(({ origin }) => origin), cause: failures[0] });
  }

  /** With a token that is asked for when it is first needed, and once more when it is refused. */
  async #authorized<T>(ask: (token: string | undefined) => Promise<T>): Promise<T> {
    const { user } = this.access;
    if (user === undefined) return ask(undefined);
    const token = await this.#tokenOf(user);
    try {
      return await ask(token);
    } catch (error) {
      if (!isTokenRefused(error)) throw error;
      if ((await this.#token?.catch(() => undefined)) === token) this.#token = undefined;
      return ask(await this.#tokenOf(user));
    }
  }

  #tokenOf(user: User): Promise<string> {
    this.#token ??= this.#authenticate(user).catch((error: unknown) => {
      this.#token = undefined;
      throw error;
    });
    return this.#token;
  }

  async #authenticate(user: User): Promise<string> {
    const { token } = await this.#anywhere((endpoint) => this.#http.call({ endpoint, path: 'auth/authenticate', body: user, token: undefined, background: false }));
    if (typeof token !== 'string') throw new DynamoTracingError('ERR_DISCOVERY', 'etcd has authenticated the user and sent no token');
    return token;
  }
}

async function * beginningWith<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first;
  yield * rest;
}
