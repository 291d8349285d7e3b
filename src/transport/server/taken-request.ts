import { invalidOption, monotonicMs, unixNanos } from '../../internal/index.js';
import type { LogFields } from '../../logging/index.js';
import { decodeControlMessage, decodeJson, decodeTwoPart, encodeJson, type ControlMessage, type RequestHeaders, type TcpStreamConnectionInfo } from '../../protocol/index.js';
import { readEndpointName, type EndpointName } from '../discovery/index.js';
import type { EndpointHandler, EndpointIdentity } from '../types.js';
import { textOf } from './items.js';

/** A request taken by the worker. */
export interface TakenRequest {
  readonly headers: RequestHeaders;
  readonly control: ControlMessage;
  readonly entry: EndpointEntry;
  readonly arrival: Arrival;
}

/** When a request came and how large it was. */
export interface Arrival {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly bytes: number;
  /** Milliseconds from the caller to here. */
  readonly transitMs: number | undefined;
}

/** The header says when the caller sent the request, in nanoseconds since 1970. It is read where somebody hears of it. */
export function arrivalOf(headers: RequestHeaders, payload: Uint8Array, isHeard: boolean): Arrival {
  return { at: monotonicMs(), bytes: payload.length, transitMs: isHeard ? transitOf(headers['x-frontend-send-ts-ns']) : undefined };
}

/** Where the clocks of two machines differ, a time below 0 is 0. */
function transitOf(sentAt: string | undefined): number | undefined {
  return sentAt !== undefined && /^\d{1,20}$/.test(sentAt) ? Math.max(0, Number(BigInt(unixNanos()) - BigInt(sentAt)) / 1e6) : undefined;
}

/** An endpoint as the worker keeps it. */
export interface EndpointEntry extends EndpointIdentity {
  readonly handler: EndpointHandler;
  /** Its identity as records and spans carry it: names and the id as text. */
  readonly fields: LogFields & { readonly component: string; readonly endpoint: string; readonly namespace: string; readonly instance_id: string };
  /** Requests queued or being handled. */
  inFlight: number;
}

/** `name` is `namespace.component.endpoint`, `dyn://` before it or not. @throws ERR_OPTION_INVALID */
export function makeEndpoint(name: string | EndpointName, handler: EndpointHandler, instanceId: bigint): EndpointEntry {
  const { namespace, component, endpoint } = readEndpointName(typeof name === 'string' ? name.replace(/^dyn:\/\//, '') : name, 'endpoint');
  if (typeof handler !== 'function') throw invalidOption('handler', 'a function', handler);
  const fields = Object.freeze({ component, endpoint, namespace, instance_id: instanceId.toString() });
  return { namespace, component, endpoint, instanceId, handler, fields, inFlight: 0 };
}

/** An envelope as a worker sees it. */
export type Envelope =
  | { readonly kind: 'request'; readonly control: ControlMessage; readonly body: Buffer }
  /** Cannot be served. `home`: where its caller waits, as far as that could be read. */
  | { readonly kind: 'bad'; readonly problem: string; readonly home: TcpStreamConnectionInfo | undefined };

/** Reads and checks an envelope; the body stays encoded. Never throws. */
export function readEnvelope(payload: Uint8Array): Envelope {
  let header: Uint8Array | undefined;
  try {
    const frame = decodeTwoPart(payload);
    header = frame.header;
    if (header.length === 0) throw new Error('there is no control message');
    const control = decodeControlMessage(header);
    if (control.requestType === 'many_in') throw new Error('a stream of inputs (many_in) is not served');
    if (frame.kind !== 'header-and-data') throw new Error('there is no body');
    return { kind: 'request', control, body: frame.data };
  } catch (error) {
    return { kind: 'bad', problem: textOf(error), home: header && homeOf(header) };
  }
}

/** The way home of a control message, which may be wrong elsewhere. */
function homeOf(header: Uint8Array): TcpStreamConnectionInfo | undefined {
  try {
    const { id, connection_info } = decodeJson(header) as Record<string, unknown>;
    return decodeControlMessage(encodeJson({ id, request_type: 'single_in', response_type: 'many_out', connection_info })).connectionInfo;
  } catch {
    return undefined;
  }
}
