// An augmentation needs its module loaded.
import type {} from 'fastify';
import type { RequestTrace } from './middleware/index.js';

export { dynamoTracingFastify as dynamoTracing, dynamoTracingFastifyErrors as dynamoTracingErrors, type DynamoTracingFastifyOptions } from './middleware/index.js';
export type { CompletedRequest, RequestTrace } from './middleware/index.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the plugin. */
    trace: RequestTrace;
  }
}
