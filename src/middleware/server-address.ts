import type { SpanFields } from '../spans/index.js';
import type { InboundRequest } from './arrival.js';

/** A host name or address, and a port. What a client says of itself beyond this is left out. */
const AUTHORITY = /^(\[[\da-f:.]{2,45}\]|[\w.-]{1,253})(?::(\d{1,5}))?$/i;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** `url.scheme`, `server.address` and `server.port` of a request, by what its client asked for, as the conventions want it. */
export function serverFields({ headers, socket, scheme = schemeOf(headers, socket), authority }: InboundRequest): SpanFields {
  const asked = authority ?? headers[':authority'] ?? headers.host;
  const found = typeof asked === 'string' ? AUTHORITY.exec(asked) : null;
  if (found === null) return { 'url.scheme': scheme };
  const [, host = '', port] = found;
  return { 'url.scheme': scheme, 'server.address': host.replace(/^\[|\]$/g, ''), 'server.port': port === undefined ? DEFAULT_PORTS[scheme] : Number(port) };
}

function schemeOf(headers: InboundRequest['headers'], socket: InboundRequest['socket']): string {
  const { ':scheme': told } = headers;
  return told === 'https' || (socket as { readonly encrypted?: unknown } | null | undefined)?.encrypted === true ? 'https' : 'http';
}
