import { currentRequest } from '../trace-context/index.js';
import type { RequestTrace } from './request-trace.js';

/**
 * The handle of the request that the current code runs inside of: what `req.trace` is, from anywhere, listeners on request and
 * response included. Undefined outside any request, and in one that is left alone.
 */
export function currentTrace(): RequestTrace | undefined {
  return currentRequest() as RequestTrace | undefined;
}
