import type { CarrierTarget } from '../../trace-context/index.js';
import { hopHeaders, type HopHeaders } from '../trace/index.js';
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
    note({ name: `gateway → NATS ${String(subject)}`, kind: 'nats', sent: headersOf(options), received: undefined, sender: requestBeingAnswered() });
    return method(subject, payload, options, ...rest);
  };
}

function receiving(method: Method, note: Note): Method {
  return (subject, options, ...rest) => {
    const given = options as { callback?: Method } | undefined;
    const { callback } = given ?? {};
    if (typeof callback !== 'function') return method(subject, options, ...rest);
    const watched: Method = (error, message, ...more) => {
      if (error === null || error === undefined) note({ name: `NATS ${String(subject)} → worker`, kind: 'nats', sent: undefined, received: headersOf(message) });
      return callback(error, message, ...more);
    };
    return method(subject, { ...given, callback: watched }, ...rest);
  };
}

function headersOf(carrier: unknown): HopHeaders {
  return hopHeaders((carrier as { headers?: CarrierTarget } | undefined)?.headers ?? {});
}
