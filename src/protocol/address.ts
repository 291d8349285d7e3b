import { isIPv6 } from 'node:net';
import { DynamoTracingError } from '../errors/index.js';
import { hostPort, type HostPort } from './host-port.js';

/** Where a worker takes requests. */
export interface WorkerAddress extends HostPort {
  /**
   * What the request frame names as its endpoint path, to be taken as it is: its format differs between Dynamo versions.
   * Absent when the address has none.
   */
  readonly endpointPath?: string;
}

const SCHEME = 'tcp://';

/**
 * Reads `[tcp://]ip:port[/endpoint_path]`, as discovery has it. IPv6 is in brackets; names are not resolved, as in Dynamo.
 * The first slash ends the port, whatever follows is the endpoint path.
 * @throws ERR_ADDRESS_INVALID; `address` holds the text.
 */
export function parseWorkerAddress(text: string): WorkerAddress {
  const rest = text.startsWith(SCHEME) ? text.slice(SCHEME.length) : text;
  const slash = rest.indexOf('/');
  const authority = slash === -1 ? rest : rest.slice(0, slash);
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):([^:]+)$/.exec(authority);
  const [, v6, v4, port = ''] = parts ?? [];
  const parsed = hostPort(v6 ?? v4 ?? '', port);
  if (parsed === undefined || isIPv6(parsed.host) !== (v6 !== undefined)) throw invalid(text);
  return slash === -1 ? parsed : { ...parsed, endpointPath: rest.slice(slash + 1) };
}

/** Writes an address as discovery has it, without scheme: `10.0.0.1:9000/2a/generate`, `[::1]:9000/2a/generate`. */
export function formatWorkerAddress(address: WorkerAddress): string {
  const host = isIPv6(address.host) ? `[${address.host}]` : address.host;
  const path = address.endpointPath === undefined ? '' : `/${address.endpointPath}`;
  return `${host}:${address.port}${path}`;
}

function invalid(text: string): DynamoTracingError {
  return new DynamoTracingError('ERR_ADDRESS_INVALID', `${JSON.stringify(text)} is not [tcp://]ip:port[/endpoint_path]`, { address: text });
}
