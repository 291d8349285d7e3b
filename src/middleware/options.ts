import type { IncomingMessage } from 'node:http';
import { booleanOption, enumOption, functionOption, invalidOption, optionalOption, readOptions, TargetFilter, type Environment, type OptionReader } from '../internal/index.js';
import { readLogger, type Log, type LoggerOption } from '../logging/index.js';
import { ATTRIBUTE_SETS, type AttributeSet, type SpanSettings } from '../spans/index.js';
import type { CompletedRequest, ReceivedRequest } from './completed-request.js';
import { readRoutes, type RouteClass, type RouteEntry, type RouteTable } from './routes.js';

/** Options of `dynamoTracing()` and of the Fastify plugin. Every one has a default; unknown keys are refused. */
export interface DynamoTracingOptions {
  /**
   * Whether ids and trace context of a request are believed. An untrusted `traceparent` becomes a span link, not a parent;
   * untrusted ids are ignored. Default: true. Set false at an edge that is open to the internet.
   */
  readonly trustIncoming?: boolean | ((req: IncomingMessage) => boolean);
  /** What an invalid `request-id` or `x-dynamo-request-id` does: a warning and a new id, or status 400. Default: 'generate'. */
  readonly onInvalidRequestId?: 'generate' | 'reject';
  /** Set `request-id` on the response. Default: true. */
  readonly echoRequestId?: boolean;
  /** Set `x-request-id` on the response. Default: true. */
  readonly echoXRequestId?: boolean;
  /** Routes added to the defaults or put in their place. Default: none. */
  readonly routes?: readonly RouteEntry[];
  /** Overrides the route table for a request; undefined leaves it to the table. */
  readonly classify?: (req: IncomingMessage) => Partial<RouteClass> | undefined;
  /** Requests to leave alone altogether: no id, no span, no record. Paths, or a function. Default: none. */
  readonly ignore?: readonly string[] | ((req: IncomingMessage) => boolean);
  /** Read responses for tokens, latencies, finish reason and id. Default: true. */
  readonly observeResponses?: boolean;
  /** Level of the two routine records, `request received` and a successful `request completed`. Default: 'info'. */
  readonly lifecycleLevel?: 'info' | 'debug';
  /** Names of span attributes: Dynamo's, OpenTelemetry's semantic conventions, or both. Default: 'both'. */
  readonly attributes?: AttributeSet;
  /** Keep the query string in `uri` and `url.query`. Default: false. */
  readonly includeQuery?: boolean;
  /** Where records go: pino, Fastify's logger, `console`, or false. Default: standard error, by DYN_LOG and DYN_LOGGING_*. */
  readonly logger?: LoggerOption;
  /** Called once for each inference request when its body is known, at the latest when its response begins. */
  readonly onReceived?: (received: ReceivedRequest) => void;
  /** Called once for each inference request when it has ended; what it throws is reported once and ignored. */
  readonly onCompleted?: (completed: CompletedRequest) => void;
  /** Variables to read DYN_LOG from. Default: process.env. */
  readonly env?: Environment;
}

/** Options as the lifecycle uses them: read once, frozen. */
export interface Tracing {
  readonly trusts: (req: IncomingMessage) => boolean;
  readonly rejectInvalidIds: boolean;
  readonly echoRequestId: boolean;
  readonly echoXRequestId: boolean;
  readonly routes: RouteTable;
  readonly classify: DynamoTracingOptions['classify'];
  readonly ignores: ((req: IncomingMessage) => boolean) | undefined;
  readonly observeResponses: boolean;
  readonly routineLevel: 'info' | 'debug';
  readonly includeQuery: boolean;
  readonly log: Log;
  readonly spans: SpanSettings;
  readonly onReceived: DynamoTracingOptions['onReceived'];
  readonly onCompleted: DynamoTracingOptions['onCompleted'];
}

const readTrust: OptionReader<Tracing['trusts']> = (value, path) => {
  if (value === undefined || typeof value === 'boolean') return () => value ?? true;
  if (typeof value !== 'function') throw invalidOption(path, 'true, false or a function', value);
  return value as Tracing['trusts'];
};

const readIgnore: OptionReader<Tracing['ignores']> = (value, path) => {
  if (value === undefined || typeof value === 'function') return value as Tracing['ignores'];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw invalidOption(path, 'an array of paths or a function', value);
  const paths = new Set<string>(value);
  return (req) => paths.has(pathOf(req.url ?? '/'));
};

const SPEC = {
  trustIncoming: readTrust,
  onInvalidRequestId: enumOption(['generate', 'reject'], 'generate'),
  echoRequestId: booleanOption(true),
  echoXRequestId: booleanOption(true),
  routes: readRoutes,
  classify: functionOption<NonNullable<DynamoTracingOptions['classify']>>(),
  ignore: readIgnore,
  observeResponses: booleanOption(true),
  lifecycleLevel: enumOption(['info', 'debug'], 'info'),
  attributes: enumOption(ATTRIBUTE_SETS, 'both'),
  includeQuery: booleanOption(false),
  logger: readLogger,
  onReceived: functionOption<NonNullable<DynamoTracingOptions['onReceived']>>(),
  onCompleted: functionOption<NonNullable<DynamoTracingOptions['onCompleted']>>(),
  env: optionalOption<Environment>('an object', (value) => typeof value === 'object' && value !== null),
} as const;

/** Names of all options: docs/options.md is held equal to it. */
export const OPTION_NAMES: readonly string[] = Object.keys(SPEC);

/**
 * Reads the options once.
 * @throws ERR_OPTION_INVALID for an unknown key or an unusable value
 */
export function readTracing(owner: string, input: DynamoTracingOptions | undefined): Tracing {
  const options = readOptions(owner, SPEC, input);
  return Object.freeze({
    trusts: options.trustIncoming,
    rejectInvalidIds: options.onInvalidRequestId === 'reject',
    echoRequestId: options.echoRequestId,
    echoXRequestId: options.echoXRequestId,
    routes: options.routes,
    classify: options.classify,
    ignores: options.ignore,
    observeResponses: options.observeResponses,
    routineLevel: options.lifecycleLevel,
    includeQuery: options.includeQuery,
    log: options.logger,
    spans: { filter: TargetFilter.fromEnv(options.env ?? process.env), attributes: options.attributes },
    onReceived: options.onReceived,
    onCompleted: options.onCompleted,
  });
}

/** The path of a request target, without query and fragment. */
export function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}
