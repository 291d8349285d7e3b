import { invalidOption } from '../../internal/index.js';
import { ACK_AT_CAPACITY, ACK_POOL_CLOSED, unknownEndpointAck, type RequestHeaders } from '../../protocol/index.js';

/** Which of a request's two connections a fault is on: the request frame, or the stream of its response. */
export type FaultSide = 'request' | 'response';

/** When a worker fails: before it acknowledges, before its first item, or after so many items. */
export type FaultPoint = 'beforeAck' | 'beforeFirstToken' | { readonly afterTokens: number };

/** New values of headers; undefined takes a header away. */
export type HeaderChanges = Readonly<Record<string, string | undefined>>;

/** One thing that goes wrong on a worker's link. Made by {@link faults}. */
export type Fault =
  | { readonly kind: 'headers'; readonly name: string; readonly change: (headers: RequestHeaders) => RequestHeaders | undefined }
  | { readonly kind: 'delay'; readonly name: string; readonly on: FaultSide; readonly ms: number }
  | { readonly kind: 'corrupt'; readonly name: string; readonly on: FaultSide | 'headers'; readonly at: number }
  | { readonly kind: 'truncate'; readonly name: string; readonly on: FaultSide; readonly bytes: number }
  | { readonly kind: 'cut'; readonly name: string; readonly on: FaultSide; readonly size: number }
  | { readonly kind: 'merge'; readonly name: string; readonly on: FaultSide; readonly frames: number }
  | { readonly kind: 'ack'; readonly name: string; readonly text: (endpointPath: string) => string }
  | { readonly kind: 'stop'; readonly name: string; readonly how: 'crash' | 'disconnect' | 'hang'; readonly point: FaultPoint }
  | { readonly kind: 'status'; readonly name: string; readonly status: number }
  | { readonly kind: 'slowReader'; readonly name: string; readonly on: FaultSide; readonly bytesPerSecond: number };

function count(value: number, path: string, min = 0): number {
  if (!Number.isInteger(value) || value < min) throw invalidOption(`faults.${path}`, `an integer of at least ${min}`, value);
  return value;
}

function stop(how: 'crash' | 'disconnect' | 'hang', point: FaultPoint): Fault {
  if (typeof point === 'object') count(point.afterTokens, `${how}.afterTokens`);
  const where = typeof point === 'object' ? `after ${point.afterTokens} items` : point === 'beforeAck' ? 'before the ack' : 'before the first item';
  return { kind: 'stop', name: `${how} ${where}`, how, point };
}

/** What can go wrong between a gateway and a worker. Give one to `worker.inject()`, to a worker's `faults` option or to `proxy.inject()`. */
export const faults = {
  /**
   * Drops the named headers of the request frame; without names the whole header block, as Dynamo's TCP transport once did.
   */
  dropHeaders(...names: string[]): Fault {
    const gone = new Set(names.map((name) => name.toLowerCase()));
    const change = (headers: RequestHeaders): RequestHeaders | undefined => (gone.size === 0 ? undefined : Object.fromEntries(Object.entries(headers).filter(([name]) => !gone.has(name.toLowerCase()))));
    return { kind: 'headers', name: gone.size === 0 ? 'drop the header block' : `drop ${names.join(', ')}`, change };
  },

  /** Gives headers of the request frame other values; undefined takes one away. */
  alterHeaders(changes: HeaderChanges | ((headers: RequestHeaders) => HeaderChanges)): Fault {
    const change = (headers: RequestHeaders): RequestHeaders => {
      const merged = { ...headers, ...(typeof changes === 'function' ? changes(headers) : changes) };
      return Object.fromEntries(Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== undefined));
    };
    return { kind: 'headers', name: 'alter headers', change };
  },

  /** Holds the request frame, or every frame of the response, back for `ms` milliseconds. */
  delay(ms: number, on: FaultSide = 'request'): Fault {
    return { kind: 'delay', name: `delay the ${on} by ${ms} ms`, on, ms: count(ms, 'delay.ms') };
  },

  /**
   * Flips a byte: of the request frame's payload, of its header block (which a worker then takes for empty), or of the first
   * item of the response. `at` counts from the start of that part; beyond its end the last byte is meant.
   */
  corrupt(on: FaultSide | 'headers' = 'request', at = 0): Fault {
    return { kind: 'corrupt', name: `corrupt the ${on}`, on, at: count(at, 'corrupt.at') };
  },

  /** Hands on `bytes` bytes of the request frame, or of the response behind its handshake, and closes the connection. */
  truncate(bytes: number, on: FaultSide = 'request'): Fault {
    return { kind: 'truncate', name: `truncate the ${on} at byte ${bytes}`, on, bytes: count(bytes, 'truncate.bytes') };
  },

  /** Hands the bytes on in pieces of `size`, each in a turn of the event loop of its own. */
  cutChunks(size = 1, on: FaultSide = 'response'): Fault {
    return { kind: 'cut', name: `cut the ${on} into pieces of ${size}`, on, size: count(size, 'cutChunks.size', 1) };
  },

  /** Holds frames back until there are `frames` of them, then hands them on in one piece; the end of the stream counts too. */
  mergeChunks(frames = Number.MAX_SAFE_INTEGER, on: FaultSide = 'response'): Fault {
    return { kind: 'merge', name: `merge frames of the ${on}`, on, frames: count(frames, 'mergeChunks.frames', 1) };
  },

  /** The worker refuses the request: at capacity. */
  overload(): Fault {
    return { kind: 'ack', name: 'overload', text: () => ACK_AT_CAPACITY };
  },

  /** The worker refuses the request: it is going away. */
  unavailable(): Fault {
    return { kind: 'ack', name: 'unavailable', text: () => ACK_POOL_CLOSED };
  },

  /** The worker refuses the request: it serves no such endpoint. */
  unknownEndpoint(): Fault {
    return { kind: 'ack', name: 'unknown endpoint', text: unknownEndpointAck };
  },

  /** The worker's process dies: all its connections break, new ones are refused until `worker.restart()`. */
  crash(point: FaultPoint): Fault {
    return stop('crash', point);
  },

  /** The connection of this request breaks; the worker lives. */
  disconnect(point: FaultPoint): Fault {
    return stop('disconnect', point);
  },

  /** The worker never answers: no ack, no first item, or no further item. Connections stay open. */
  hang(point: FaultPoint = 'beforeAck'): Fault {
    return stop('hang', point);
  },

  /** HTTP alone: answers this status, 400 to 599, in place of the server behind the proxy. */
  status(status: number): Fault {
    if (status > 599) throw invalidOption('faults.status', 'a status from 400 to 599', status);
    return { kind: 'status', name: `answer ${status}`, status: count(status, 'status', 400) };
  },

  /** The worker reads its requests slowly, or the gateway its response: `bytesPerSecond` from this request on. */
  slowReader(bytesPerSecond: number, on: FaultSide = 'request'): Fault {
    return { kind: 'slowReader', name: `read the ${on} at ${bytesPerSecond} bytes a second`, on, bytesPerSecond: count(bytesPerSecond, 'slowReader.bytesPerSecond', 1) };
  },
} as const;
