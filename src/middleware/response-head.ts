import type { OutgoingHttpHeaders } from 'node:http';
import { carrierOf } from '../trace-context/index.js';
import type { OutboundResponse } from './arrival.js';

/** The connection of a response, over HTTP/1 or HTTP/2. */
export function connectionOf(res: OutboundResponse): { readonly destroyed: boolean } | null | undefined {
  return res.stream ?? res.socket;
}

/** How the AI SDK marks its UI message streams, on a route of any dialect. */
export const AI_SDK_HEADER = 'x-vercel-ai-ui-message-stream';

/** A response header, whether it was set before or given with the head. */
export function headerText(res: OutboundResponse, given: OutgoingHttpHeaders | undefined, name: string): string | undefined {
  const value = res.getHeader(name) ?? (given === undefined ? undefined : carrierOf(given).get(name));
  return value === undefined ? undefined : String(value);
}
