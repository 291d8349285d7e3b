import { invalidOption, type OptionReader } from '../internal/index.js';
import { DIALECTS, type DialectName } from './dialects/index.js';

/** Whether a request asks a model for something or keeps the server running. */
export type RouteKind = 'inference' | 'system';

/** What a request's method and path stand for. */
export interface RouteClass {
  readonly kind: RouteKind;
  /** Endpoint name in records and metrics, e.g. `chat_completions`; `unknown` for a mistyped inference call. */
  readonly endpoint: string;
  /** Which API's shapes the request and its answer have. */
  readonly dialect: DialectName;
  /** The path as it stands in the table: the low-cardinality `http.route`. */
  readonly route: string | undefined;
}

/** An entry of the `routes` option. `path` may hold `{name}` for one segment; a repeated method and path replaces the default. */
export interface RouteEntry {
  /** One HTTP method, in any case. Default: POST. */
  readonly method?: string;
  readonly path: string;
  readonly kind: RouteKind;
  /** Default: `unknown`. */
  readonly endpoint?: string;
  /** Default: `generic`. */
  readonly dialect?: DialectName;
}

const inference = (path: string, endpoint: string, dialect: DialectName = 'generic', method = 'POST'): RouteEntry => ({ method, path, kind: 'inference', endpoint, dialect });
const system = (path: string, method = 'GET'): RouteEntry => ({ method, path, kind: 'system', endpoint: 'system' });

/** Dynamo's own routes. docs/routes.md shows them. */
export const DEFAULT_ROUTES: readonly RouteEntry[] = [
  inference('/v1/chat/completions', 'chat_completions', 'openai-chat'),
  inference('/v1/completions', 'completions', 'openai-completions'),
  inference('/v1/embeddings', 'embeddings', 'openai-embeddings'),
  inference('/v1/responses', 'responses', 'openai-responses'),
  inference('/v1/messages', 'anthropic_messages', 'anthropic-messages'),
  inference('/v1/messages/count_tokens', 'anthropic_messages', 'anthropic-count-tokens'),
  inference('/v1/classify', 'classify'),
  inference('/v1/pooling', 'pooling'),
  inference('/v1/images/generations', 'images'),
  inference('/v1/images/edits', 'images'),
  inference('/v1/videos', 'videos'),
  inference('/v1/videos/stream', 'videos'),
  inference('/v1/audio/speech', 'audios'),
  inference('/v1/realtime', 'realtime', 'generic', 'GET'),
  inference('/v1/files', 'files'),
  inference('/v1/files/{id}/content', 'files', 'generic', 'GET'),
  inference('/v1/batches', 'batches'),
  inference('/v1/batches/{id}', 'batches', 'generic', 'GET'),
  inference('/inference/v1/generate', 'generate'),
  inference('/generate', 'generate'),
  inference('/generate', 'generate', 'generic', 'PUT'),
  system('/metrics'),
  system('/v1/models'),
  system('/v1/models/{id}'),
  system('/v1/models/{id}/ready'),
  system('/v1/rl/workers'),
  system('/health'),
  system('/live'),
  system('/busy_threshold'),
  system('/busy_threshold', 'POST'),
  system('/openapi.json'),
  system('/docs'),
];

const SYSTEM: RouteClass = { kind: 'system', endpoint: 'system', dialect: 'generic', route: undefined };
const MISTYPED: RouteClass = { kind: 'inference', endpoint: 'unknown', dialect: 'generic', route: undefined };

interface Pattern {
  readonly method: string;
  readonly expression: RegExp;
  readonly found: RouteClass;
}

/** Finds the class of a request: defaults with the user's entries over them, whatever the app is mounted on. */
export class RouteTable {
  readonly #exact = new Map<string, Map<string, RouteClass>>();
  readonly #patterns: Pattern[] = [];

  constructor(entries: readonly RouteEntry[] = []) {
    for (const entry of [...DEFAULT_ROUTES, ...entries]) this.#add(entry);
  }

  /** `path` is the request's path without query. HEAD is read as GET; OPTIONS (a CORS preflight) is never an inference call. */
  find(method: string, ...paths: readonly string[]): RouteClass {
    if (method === 'OPTIONS') return SYSTEM;
    const verb = method === 'HEAD' ? 'GET' : method;
    const plain = paths.map((path) => (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path));
    for (const path of plain) {
      const found = this.#lookUp(verb, path);
      if (found !== undefined) return found;
    }
    for (const path of plain) {
      const found = this.#lookUpMounted(verb, path);
      if (found !== undefined) return found;
    }
    return plain.some((path) => path.startsWith('/v1/')) ? MISTYPED : SYSTEM;
  }

  #lookUp(method: string, path: string): RouteClass | undefined {
    const exact = this.#exact.get(method)?.get(path);
    if (exact !== undefined) return exact;
    for (const pattern of this.#patterns) if (pattern.method === method && pattern.expression.test(path)) return pattern.found;
    return undefined;
  }

  /** `/llm/v1/chat/completions` is `/v1/chat/completions` under a mount point. */
  #lookUpMounted(method: string, path: string): RouteClass | undefined {
    const at = path.lastIndexOf('/v1/');
    if (at <= 0) return undefined;
    const found = this.#lookUp(method, path.slice(at));
    return found?.kind === 'inference' || found?.route?.startsWith('/v1/') === true ? found : undefined;
  }

  #add({ method = 'POST', path, kind, endpoint = 'unknown', dialect = 'generic' }: RouteEntry): void {
    const verb = method.toUpperCase();
    const found: RouteClass = { kind, endpoint, dialect, route: path };
    if (path.includes('{')) {
      const source = path.split(/\{[^}]*\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('[^/]+');
      this.#patterns.unshift({ method: verb, expression: new RegExp(`^${source}$`), found });
      return;
    }
    const paths = this.#exact.get(verb) ?? new Map<string, RouteClass>();
    paths.set(path, found);
    this.#exact.set(verb, paths);
  }
}

/** What is wrong with the class that `classify` returned; undefined when it can be used. */
export function routeClassProblem(override: unknown): string | undefined {
  if (typeof override !== 'object' || override === null) return 'not a route class';
  const { kind, dialect }: { kind?: unknown; dialect?: unknown } = override;
  if (kind !== undefined && kind !== 'inference' && kind !== 'system') return 'unknown kind';
  return dialect === undefined || (typeof dialect === 'string' && Object.hasOwn(DIALECTS, dialect)) ? undefined : 'unknown dialect';
}

/** Reads the `routes` option. */
export const readRoutes: OptionReader<RouteTable> = (value, path) => {
  if (value === undefined) return new RouteTable();
  if (!Array.isArray(value)) throw invalidOption(path, 'an array of route entries', value);
  value.forEach((entry: unknown, index) => checkEntry(entry, `${path}[${index}]`));
  return new RouteTable(value as RouteEntry[]);
};

const ENTRY_KEYS: ReadonlySet<string> = new Set(['method', 'path', 'kind', 'endpoint', 'dialect']);

function checkEntry(entry: unknown, path: string): void {
  if (typeof entry !== 'object' || entry === null) throw invalidOption(path, 'a route entry', entry);
  const { method = 'POST', path: route, kind, endpoint = '', dialect = 'generic' } = entry as Record<string, unknown>;
  const unknown = Object.keys(entry).find((key) => !ENTRY_KEYS.has(key));
  if (unknown !== undefined) throw invalidOption(`${path}.${unknown}`, `one of ${[...ENTRY_KEYS].join(', ')}`, unknown);
  if (typeof method !== 'string' || method === '') throw invalidOption(`${path}.method`, 'an HTTP method', method);
  if (typeof route !== 'string' || !route.startsWith('/')) throw invalidOption(`${path}.path`, 'a path that begins with /', route);
  if (kind !== 'inference' && kind !== 'system') throw invalidOption(`${path}.kind`, "'inference' or 'system'", kind);
  if (typeof endpoint !== 'string') throw invalidOption(`${path}.endpoint`, 'a string', endpoint);
  if (typeof dialect !== 'string' || !Object.hasOwn(DIALECTS, dialect)) throw invalidOption(`${path}.dialect`, `one of ${Object.keys(DIALECTS).join(', ')}`, dialect);
}
