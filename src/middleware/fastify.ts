import { guarded } from '../internal/index.js';
import { enterRequest } from './begin.js';
import type { Done, FastifyLike, FastifyRequestLike } from './fastify-types.js';
import { requestIdsOf } from './identity.js';
import { readTracing, type DynamoTracingOptions } from './options.js';
import { tapPayload } from './payload-tap.js';
import { recorderOf } from './response-watch.js';

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
  const hasRequestLogger = (): boolean => logsRequests(fastify);
  fastify.decorateRequest('trace', null);
  if (fastifyRequestId === 'canonical') fastify.setGenReqId?.((req) => requestIdsOf(tracing, req).requestId);
  fastify.addHook('onRequest', (request, reply, next) => {
    const url = request.originalUrl ?? request.raw.url ?? '/';
    const routeOf = (): string | undefined => request.routeOptions?.url;
    enterRequest(tracing, { req: request.raw, res: reply.raw, url, routeOf, hasRequestLogger, frameworkSpan: frameworkSpanOf(request) }, {
      keep: (trace) => {
        request.trace = trace;
      },
      next,
      reject: ({ status, body }) => void reply.code(status).type('application/json').send(body),
    });
  });
  fastify.addHook('preValidation', (request, reply, next) => {
    recorderOf(reply.raw)?.bodyParsed(request.body);
    next();
  });
  fastify.addHook('onSend', (request, reply, payload, next) => {
    const recorder = recorderOf(reply.raw);
    // @fastify/compress compresses the payload behind this hook: only here is it readable.
    if (recorder?.watchesChunks === true && request.raw.headers['accept-encoding'] !== undefined && fastify.hasReplyDecorator?.('compress') === true) {
      guarded('payload', () => tapPayload(recorder, reply, payload), undefined);
    }
    next(null, payload);
  });
  observeErrors(fastify);
}

/** Fastify tells its onError hooks only of errors that go out as they are; what an error handler answers is seen on its way there. */
function observeErrors(fastify: FastifyLike): void {
  fastify.addHook('onError', (_request, reply, error, next) => {
    recorderOf(reply.raw)?.failedWith(error);
    next();
  });
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the instance as its this
  const { setErrorHandler } = fastify;
  if (setErrorHandler === undefined) return;
  fastify.setErrorHandler = function (this: FastifyLike, handler) {
    if (typeof handler !== 'function') return setErrorHandler.call(this, handler); // Fastify says what is wrong with it
    return setErrorHandler.call(this, function (this: unknown, error, request, reply) {
      recorderOf(reply.raw)?.failedWith(error);
      return handler.call(this, error, request, reply);
    });
  };
}

function frameworkSpanOf(request: FastifyRequestLike): ReturnType<NonNullable<FastifyRequestLike['opentelemetry']>>['span'] & object | undefined {
  return guarded('@fastify/otel', () => request.opentelemetry?.().span ?? undefined, undefined);
}

/** Fastify writes `incoming request` and `request completed` by itself unless it is told not to, or has no logger. */
function logsRequests({ initialConfig, log }: FastifyLike): boolean {
  return initialConfig?.disableRequestLogging !== true && typeof log?.level === 'string' && log.level !== 'silent';
}

// What the fastify-plugin package would set: no encapsulation, a name, the versions it works with.
Object.assign(dynamoTracingFastify, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'dynamo-tracing',
  [Symbol.for('plugin-meta')]: { name: 'dynamo-tracing', fastify: '>=4.0.0' },
});
