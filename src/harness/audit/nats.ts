import type { CarrierTarget } from '../../trace-context/index.js';
import { hopHeaders } from '../trace/index.js';
import type { SeenHop } from './hop.js';
import { requestBeingAnswered } from './http-tap.js';

type Method = (...args: unknown[]) => unknown;
type Note = (hop: SeenHop) => void;

/**
 * A NATS connection that tells the audit of every message: headers of `publish` and `request` as they go out, headers of a
 * subscription's messages as its callback gets them. Everything else is the connection's own.
 */
export function watchNats<T extends object>(connection: T, note: Note): T {
  return new Proxy(connection, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method = (value as Method).bind(target);
      if (name === 'publish' || name === 'request') return sending(method, note);
      return name === 'subscribe' ? receiving(method, note) : method;
    },
  });
}

function sending(method: Method, note: Note): Method {
  return (subject, payload, options, ...rest) => {
    noteHop(note, `gateway → NATS ${String(subject)}`, 'sent', (options as { headers?: CarrierTarget } | undefined)?.headers);
    return method(subject, payload, options, ...rest);
  };
}

function receiving(method: Method, note: Note): Method {
  return (subject, options, ...rest) => {
    const given = options as { callback?: Method } | undefined;
    const { callback } = given ?? {};
    if (typeof callback !== 'function') return method(subject, options, ...rest);
    const heard: Method = (error, message, ...more) => {
      if (error === null || error === undefined) noteHop(note, `NATS ${String(subject)} → worker`, 'received', (message as { headers?: CarrierTarget } | undefined)?.headers);
      return callback(error, message, ...more);
    };
    return method(subject, { ...given, callback: heard }, ...rest);
  };
}

function noteHop(note: Note, name: string, side: 'sent' | 'received', headers: CarrierTarget | undefined): void {
  const seen = hopHeaders(headers ?? {});
  note({ name, kind: 'nats', sent: side === 'sent' ? seen : undefined, received: side === 'received' ? seen : undefined, sender: side === 'sent' ? requestBeingAnswered() : undefined });
}
