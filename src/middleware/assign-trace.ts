import { reportFault } from '../internal/index.js';
import type { RequestTrace } from './request-trace.js';

/** Puts the handle on a request as its `trace`. Another library may have put a getter of its own there. */
export function assignTrace(req: object, trace: RequestTrace): void {
  try {
    (req as { trace?: RequestTrace }).trace = trace;
  } catch {
    try {
      Object.defineProperty(req, 'trace', { value: trace, configurable: true, writable: true, enumerable: true });
    } catch (error) {
      reportFault('req.trace', error);
    }
  }
}
