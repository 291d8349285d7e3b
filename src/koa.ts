// An augmentation needs its module loaded.
import type {} from 'koa';
import type { RequestTrace } from './middleware/index.js';

export { dynamoTracingKoa as dynamoTracing, dynamoTracingKoaErrors as dynamoTracingErrors, type KoaMiddleware } from './middleware/index.js';
export type { CompletedRequest, RequestTrace } from './middleware/index.js';

declare module 'koa' {
  interface ExtendableContext {
    /** Set by the middleware. */
    trace: RequestTrace;
  }
}
