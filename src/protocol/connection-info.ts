import { isIPv6 } from 'node:net';
import { choiceField, invalidField, isObject, objectOf, stringField, type Fields } from './fields.js';
import { hostPort, type HostPort } from './host-port.js';
import { jsonText } from './json.js';

/** The only response plane this package speaks. */
const TRANSPORT = 'tcp_server';
/** What a call-home socket carries. */
export const STREAM_TYPES = ['response', 'request'] as const;
export type StreamType = (typeof STREAM_TYPES)[number];

/** Where and as what a worker dials home. */
export interface TcpStreamConnectionInfo extends HostPort {
  /** Names the stream among those its listener waits for; a UUID as a rule. */
  readonly subject: string;
  /** The request id. Equal to the `id` of the control message. */
  readonly context: string;
  readonly streamType: StreamType;
}

/** Writes `{"transport","info"}`; info is JSON in a string, IPv6 goes without brackets, both as Dynamo has it. */
export function connectionInfoToWire(info: TcpStreamConnectionInfo): Fields {
  const { host, port, subject, context, streamType } = info;
  return { transport: TRANSPORT, info: jsonText({ address: `${host}:${port}`, subject, context, stream_type: streamType }) };
}

/**
 * Reads and checks `{"transport","info"}`, `field` being its path. IPv6 is accepted with and without brackets.
 * @throws ERR_MESSAGE_INVALID for another transport (quic, multiplexed tcp), another stream type, an address that is no IP.
 */
export function connectionInfoFromWire(value: unknown, field: string, streamType: StreamType): TcpStreamConnectionInfo {
  const outer = objectOf(value, field);
  choiceField(outer, 'transport', [TRANSPORT], `${field}.`);
  const path = `${field}.info`;
  const inner = parseInfo(stringField(outer, 'info', `${field}.`), path);
  return {
    ...dialAddress(stringField(inner, 'address', `${path}.`), `${path}.address`),
    subject: stringField(inner, 'subject', `${path}.`),
    context: stringField(inner, 'context', `${path}.`),
    streamType: choiceField(inner, 'stream_type', [streamType], `${path}.`),
  };
}

function parseInfo(text: string, field: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidField(field, 'is not JSON');
  }
  if (!isObject(value)) throw invalidField(field, 'is not a JSON object');
  return value;
}

function dialAddress(address: string, field: string): HostPort {
  const colon = address.lastIndexOf(':');
  const written = address.slice(0, Math.max(colon, 0));
  const bare = written.startsWith('[') && written.endsWith(']') ? written.slice(1, -1) : undefined;
  const parsed = bare === undefined || isIPv6(bare) ? hostPort(bare ?? written, address.slice(colon + 1)) : undefined;
  if (parsed === undefined) throw invalidField(field, 'is not ip:port');
  return parsed;
}
