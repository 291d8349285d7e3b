import type { IncomingMessage } from 'node:http';
import { booleanOption, decisionOption, enumOption, functionOption, invalidOption, optionalOption, readOptions, TargetFilter, type Environment, type OptionReader, type OptionsOf } from '../internal/index.js';
import { readLogger, type LoggerOption } from '../logging/index.js';
import { ATTRIBUTE_SETS, type AttributeSet, type SpanSettings } from '../spans/index.js';
import type { CompletedRequest, ReceivedRequest, SystemRequest } from './completed-request.js';
import type { RequestTrace } from './request-trace.js';
import { readRoutes, type RouteClass, type RouteEntry } from './routes.js';

/** Options of `dynamoTracing()`, on every framework. Each has a default; unknown keys are refused. `R` is what functions are given of a request: a Fetch `Request` on Hono. */
export interface DynamoTracingOptions<R = IncomingMessage> {
  /**
   * Whether ids and trace context of a request are believed. An untrusted `traceparent` becomes a span link, not a parent;
   * untrusted ids are ignored. Default: true. Set false at an edge that is open to the internet.
   */
  readonly trustIncoming?: boolean | ((req: R) => boolean);
  /** What an invalid `request-id` or `x-dynamo-request-id` does: a warning and a new id, or status 400. Default: 'generate'. */
  readonly onInvalidRequestId?: 'generate' | 'reject';
  /** Set `request-id` on the response, and put it back when a proxy copies its upstream's over it. Default: true. */
  readonly echoRequestId?: boolean;
  /** The same for `x-request-id`. Default: true. */
  readonly echoXRequestId?: boolean;
  /**
   * What to do where an HTTP instrumentation has made a server span for the request already: use that one as the request's span, or
   * make `http-request` as its child. Default: 'adopt'.
   */
  readonly serverSpan?: 'adopt' | 'own';
  /**
   * The random flag (W3C level 2) of a `traceparent` that leaves. 'drop' is for a next hop that is Dynamo's HTTP frontend: 1.5 and 1.6
   * begin a new trace when it is set. Default: 'keep'.
   */
  readonly randomFlag?: 'keep' | 'drop';
  /** Routes added to the defaults or put in their place. Default: none. */
  readonly routes?: readonly RouteEntry[];
  /** Overrides the route table for a request; undefined leaves it to the table. */
  readonly classify?: (req: R) => Partial<RouteClass> | undefined;
  /** Requests to leave alone altogether: no id, no span, no record. Paths, or a function. Default: none. */
  readonly ignore?: readonly string[] | ((req: R) => boolean);
  /** Read responses for tokens, latencies, finish reason and id. Default: true. */
  readonly observeResponses?: boolean;
  /** Level of the two routine records, `request received` and a successful `request completed`. Default: 'info'. */
  readonly lifecycleLevel?: 'info' | 'debug';
  /** Names of span attributes: Dynamo's, OpenTelemetry's semantic conventions, or both. Default: 'both'. */
  readonly attributes?: AttributeSet;
  /** `gen_ai.provider.name` of inference requests: who serves the models, `dynamo` for example. Default: whose API the route has, `openai` or `anthropic`. */
  readonly provider?: string;
  /** Keep the query string in `uri` and `url.query`. Default: false. */
  readonly includeQuery?: boolean;
  /** Where records go: pino, Fastify's logger, `console`, or false. Default: standard error, by DYN_LOG and DYN_LOGGING_*. */
  readonly logger?: LoggerOption;
  /** Called once for each inference request when its body is known, at the latest when its response begins. */
  readonly onReceived?: (received: ReceivedRequest) => void;
  /** Called once for each inference request when it has ended; what it throws is reported once and ignored. */
  readonly onCompleted?: (completed: CompletedRequest) => void;
  /** Called once for each system request when it has ended; what it throws is reported once and ignored. */
  readonly onSystemCompleted?: (ended: SystemRequest) => void;
  /** Called once for each request whose handler threw; what it throws is reported once and ignored. */
  readonly onError?: (error: unknown, trace: RequestTrace) => void;
  /** Log the message of a handler's error too. It may repeat a prompt. Default: false. */
  readonly errorMessages?: boolean;
  /** Variables to read DYN_LOG from. Default: process.env. */
  readonly env?: Environment;
}

type Predicate = (req: IncomingMessage) => boolean;

const readTrust: OptionReader<Predicate> = (value, path) => {
  if (value === undefined || typeof value === 'boolean') return () => value ?? true;
  if (typeof value !== 'function') throw invalidOption(path, 'true, false or a function', value);
  return decisionOption<Predicate>()(value, path) as Predicate;
};

const readIgnore: OptionReader<Predicate | undefined> = (value, path) => {
  if (value === undefined || typeof value === 'function') return decisionOption<Predicate>()(value, path);
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw invalidOption(path, 'an array of paths or a function', value);
  const paths = new Set<string>(value);
  return (req) => paths.has(pathOf(req.url ?? '/'));
};

const SPEC = {
  trustIncoming: readTrust,
  onInvalidRequestId: enumOption(['generate', 'reject'], 'generate'),
  echoRequestId: booleanOption(true),
  echoXRequestId: booleanOption(true),
  serverSpan: enumOption(['adopt', 'own'], 'adopt'),
  randomFlag: enumOption(['keep', 'drop'], 'keep'),
  routes: readRoutes,
  classify: decisionOption<NonNullable<DynamoTracingOptions['classify']>>(),
  ignore: readIgnore,
  observeResponses: booleanOption(true),
  lifecycleLevel: enumOption(['info', 'debug'], 'info'),
  attributes: enumOption(ATTRIBUTE_SETS, 'both'),
  provider: optionalOption<string>('a text of 1 to 64 characters', (value) => typeof value === 'string' && value !== '' && value.length <= 64),
  includeQuery: booleanOption(false),
  logger: readLogger,
  onReceived: functionOption<NonNullable<DynamoTracingOptions['onReceived']>>(),
  onCompleted: functionOption<NonNullable<DynamoTracingOptions['onCompleted']>>(),
  onSystemCompleted: functionOption<NonNullable<DynamoTracingOptions['onSystemCompleted']>>(),
  onError: functionOption<NonNullable<DynamoTracingOptions['onError']>>(),
  errorMessages: booleanOption(false),
  env: optionalOption<Environment>('an object', (value) => typeof value === 'object' && value !== null),
} as const satisfies Readonly<Record<keyof DynamoTracingOptions, OptionReader<unknown>>>;

/** Names of all options: docs/options.md is held equal to it. */
export const OPTION_NAMES: readonly string[] = Object.keys(SPEC);

/** The options as they are used: read once, frozen. */
export interface Tracing extends OptionsOf<typeof SPEC> {
  readonly spans: SpanSettings;
}

/**
 * Reads the options once.
 * @throws ERR_OPTION_INVALID for an unknown key or an unusable value
 */
export function readTracing(owner: string, input: DynamoTracingOptions | undefined): Tracing {
  const options = readOptions(owner, SPEC, input);
  return Object.freeze({ ...options, spans: { filter: TargetFilter.fromEnv(options.env ?? process.env), attributes: options.attributes } });
}

/** A request target in absolute form, as proxies send it, without scheme and authority, which may hold a password; frameworks route it so too. */
export function originForm(url: string): string {
  const before = url.startsWith('/') ? undefined : /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(url)?.[0];
  if (before === undefined) return url;
  const rest = url.slice(before.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** The path of a request target, without query and fragment. */
export function pathOf(target: string): string {
  const url = originForm(target);
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}
