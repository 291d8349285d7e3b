import type { IncomingMessage, ServerResponse } from 'node:http';
import { guarded } from '../internal/index.js';
import { beginRequest, rejectionOf } from './begin.js';
import { requestIdsOf } from './identity.js';
import { readTracing, type DynamoTracingOptions } from './options.js';
import type { RequestTrace } from './request-trace.js';
import { lifecycleOf } from './watch-response.js';

/** What is used of a Fastify request, so that Fastify 4 and 5 both fit and neither is asked for. */
interface FastifyRequestLike {
  readonly raw: IncomingMessage;
  readonly originalUrl?: string;
  readonly body?: unknown;
  readonly routeOptions?: { readonly url?: string | undefined };
  trace: RequestTrace | null;
}

interface FastifyReplyLike {
  readonly raw: ServerResponse;
  code(status: number): FastifyReplyLike;
  type(contentType: string): FastifyReplyLike;
  send(payload: string): unknown;
}

type Done = (error?: Error) => void;
type Hook = (request: FastifyRequestLike, reply: FastifyReplyLike, done: Done) => void;

interface FastifyLike {
  decorateRequest(name: string, value: unknown): unknown;
  addHook(name: 'onRequest' | 'preValidation', hook: Hook): unknown;
  setGenReqId?(generate: (req: IncomingMessage) => string): unknown;
}

/** Options of the Fastify plugin: those of `dynamoTracing()` and one of its own. */
export interface DynamoTracingFastifyOptions extends DynamoTracingOptions {
  /** Fastify's own request id: 'canonical' makes it the same id as ours, 'own' leaves Fastify's (or your `genReqId`). Default: 'canonical'. */
  readonly fastifyRequestId?: 'canonical' | 'own';
}

/**
 * Fastify plugin (4 and 5): the same ids, spans and records as the Express middleware. It is not encapsulated: registered
 * once, it covers the instance it is registered on with everything under it. Handlers find {@link RequestTrace} at
 * `request.trace`. Advised beside it: `disableRequestLogging: true`, since the records say more.
 * Options that cannot be used fail the registration with ERR_OPTION_INVALID.
 */
export function dynamoTracingFastify(fastify: FastifyLike, options: DynamoTracingFastifyOptions, done: Done): void {
  try {
    install(fastify, options);
    done();
  } catch (error) {
    done(error as Error); // A plugin that throws ends the process; one that says so fails `ready()`.
  }
}

function install(fastify: FastifyLike, options: DynamoTracingFastifyOptions): void {
  const { fastifyRequestId = 'canonical', ...rest } = options;
  const tracing = readTracing('dynamoTracing', rest);
  fastify.decorateRequest('trace', null);
  if (fastifyRequestId === 'canonical') fastify.setGenReqId?.((req) => requestIdsOf(tracing, req).requestId);
  fastify.addHook('onRequest', (request, reply, next) => {
    const lifecycle = guarded('dynamoTracing', () => beginRequest(tracing, request.raw, reply.raw, request.originalUrl ?? request.raw.url ?? '/'), undefined);
    if (lifecycle === undefined) {
      next();
      return;
    }
    request.trace = lifecycle;
    lifecycle.routeMatched(request.routeOptions?.url);
    const rejection = rejectionOf(tracing, lifecycle);
    if (rejection === undefined) lifecycle.run(next);
    else reply.code(rejection.status).type('application/json').send(rejection.body);
  });
  fastify.addHook('preValidation', (request, reply, next) => {
    lifecycleOf(reply.raw)?.bodyParsed(request.body);
    next();
  });
}

// What the fastify-plugin package would set: no encapsulation, a name, the versions it works with.
Object.assign(dynamoTracingFastify, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'dynamo-tracing',
  [Symbol.for('plugin-meta')]: { name: 'dynamo-tracing', fastify: '>=4.0.0' },
});
