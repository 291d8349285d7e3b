import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { DynamoTracingError } from '../../errors/index.js';
import { RECORD_TARGETS } from '../../logging/index.js';
import { closed } from '../failures.js';
import type { CallSettings } from '../settings.js';
import type { NetworkListener } from '../types.js';
import { IncomingCall, type CallTaker, type CallWaiter } from './incoming-call.js';
import { Registration, type RegistrationEvents } from './registration.js';
import type { ReceiverOptions, ResponseReceiver } from './response-receiver.js';

/** Sockets at one time that have not begun their stream; further ones are closed. Well above the calls that a process has in flight. */
const MAX_CALLS = 65_536;

/**
 * The caller's side of the response plane: one listener, opened at the first call, that workers dial home to. It keeps the
 * process alive only while a response is waited for.
 */
export class ResponsePlane implements CallTaker, RegistrationEvents {
  #listener: Promise<NetworkListener> | undefined;
  #bound: NetworkListener | undefined;
  #closed = false;
  readonly #registrations = new Map<string, Registration<unknown>>();
  readonly #streams = new Set<ResponseReceiver<unknown>>();
  /** Sockets that workers have dialled, until they are closed. */
  readonly #calls = new Set<IncomingCall>();

  constructor(private readonly settings: CallSettings) {}

  /** Announces a response. Opens the listener at the first call. @throws ERR_LISTEN_FAILED, ERR_CLIENT_CLOSED */
  async register<T>(requestId: string, signal: AbortSignal | undefined, options: ReceiverOptions): Promise<Registration<T>> {
    this.#bound ??= await this.#listen();
    if (this.#closed) throw closed();
    const { host, port } = this.#bound;
    const subject = randomUUID();
    const registration = new Registration<T>({ host, port, subject, context: requestId, streamType: 'response' }, signal, options, this);
    this.#registrations.set(subject, registration as Registration<unknown>);
    if (this.#registrations.size === 1) this.#bound.ref?.();
    return registration;
  }

  /** Fails what is waited for with ERR_CLIENT_CLOSED, kills the streams, closes the listener and every socket. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const registration of [...this.#registrations.values()]) registration.cancel(closed());
    for (const stream of [...this.#streams]) stream.abort(closed());
    for (const call of [...this.#calls]) call.kill();
    // Settles once the sockets are closed: workers that were told to drop their request get a moment to read it.
    await (await this.#listener?.catch(() => undefined))?.close();
  }

  claim(subject: string, call: IncomingCall): CallWaiter | undefined {
    const registration = this.#registrations.get(subject);
    return registration?.claimedBy(call) === true ? registration : undefined;
  }

  onDropped(reason: string): void {
    this.settings.logger.emit('debug', RECORD_TARGETS.transport, 'a call home was dropped', { reason });
  }

  onSettled(subject: string): void {
    this.#registrations.delete(subject);
    if (this.#registrations.size === 0) this.#bound?.unref?.();
  }

  onStream(stream: ResponseReceiver<unknown>): void {
    this.#streams.add(stream);
    void stream.ended.then(() => this.#streams.delete(stream));
  }

  #listen(): Promise<NetworkListener> {
    if (this.#closed) return Promise.reject(closed());
    const { network, responseHost: host, responsePort: port } = this.settings;
    this.#listener ??= network.listen(host, port, (socket) => this.#onSocket(socket)).catch((cause: unknown) => {
      this.#listener = undefined;
      throw new DynamoTracingError('ERR_LISTEN_FAILED', `cannot listen for responses on ${host}:${port}`, { host, port, cause });
    });
    return this.#listener;
  }

  #onSocket(socket: Duplex): void {
    socket.on('error', () => undefined);
    if (this.#closed || this.#calls.size - this.#streams.size >= MAX_CALLS) return void socket.destroy();
    const call = new IncomingCall(socket, this, this.settings);
    this.#calls.add(call);
    socket.once('close', () => this.#calls.delete(call));
  }
}
