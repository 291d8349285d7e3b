// An augmentation needs its module loaded; Hono's types are those of an ES module.
import type {} from 'hono' with { 'resolution-mode': 'import' };
import type { RequestTrace } from './middleware/index.js';

export { dynamoTracingHono as dynamoTracing, dynamoTracingHonoErrors as dynamoTracingErrors, type HonoMiddleware } from './middleware/index.js';
export type { CompletedRequest, RequestTrace } from './middleware/index.js';

declare module 'hono' {
  interface ContextVariableMap {
    /** Set by the middleware. */
    trace: RequestTrace;
  }
}
