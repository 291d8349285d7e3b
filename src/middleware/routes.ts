import { isPromise } from 'node:util/types';
import { invalidOption, type OptionReader } from '../internal/index.js';
import { DIALECTS, type Dialect, type DialectName } from './dialects/index.js';

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

/** Dynamo's own routes, and those that OpenAI's API, vLLM and Cohere have beside them. docs/routes.md shows them. */
export const DEFAULT_ROUTES: readonly RouteEntry[] = [
  inference('/v1/chat/completions', 'chat_completions', 'openai-chat'),
  inference('/v1/completions', 'completions', 'openai-completions'),
  inference('/v1/embeddings', 'embeddings', 'openai-embeddings'),
  inference('/v1/responses', 'responses', 'openai-responses'),
  inference('/v1/messages', 'anthropic_messages', 'anthropic-messages'),
  inference('/v1/messages/count_tokens', 'anthropic_messages', 'anthropic-count-tokens'),
  inference('/v1/classify', 'classify'),
  inference('/v1/pooling', 'pooling'),
  inference('/v1/moderations', 'moderations'),
  inference('/v1/rerank', 'rerank', 'rerank'),
  inference('/v2/rerank', 'rerank', 'rerank'),
  inference('/rerank', 'rerank', 'rerank'),
  inference('/v1/images/generations', 'images'),
  inference('/v1/images/edits', 'images'),
  inference('/v1/images/variations', 'images'),
  inference('/v1/videos', 'videos'),
  inference('/v1/videos/stream', 'videos'),
  inference('/v1/audio/speech', 'audios'),
  inference('/v1/audio/transcriptions', 'audio_transcriptions', 'openai-transcriptions'),
  inference('/v1/audio/translations', 'audio_translations', 'openai-transcriptions'),
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
  // Names of models have a slash as a rule, as Qwen/Qwen3-8B. Of two rows that fit, the later one counts.
  system('/v1/models/{organization}/{id}'),
  system('/v1/models/{organization}/{id}/ready'),
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
  /** For each segment of the path, the texts around its `{name}`s. */
  readonly segments: readonly (readonly string[])[];
  readonly found: RouteClass;
}

/** Finds the class of a request: defaults with the user's entries over them, whatever the app is mounted on. */
export class RouteTable {
  readonly #exact = new Map<string, Map<string, RouteClass>>();
  readonly #patterns: Pattern[] = [];

  constructor(entries: readonly RouteEntry[] = []) {
    for (const entry of [...DEFAULT_ROUTES, ...entries]) this.#add(entry);
  }

  /**
   * `paths` are the request's path without query, as it is told in different ways: where the middleware is mounted, the one after
   * the mount point comes first. The first that is in the table decides. HEAD is read as GET; OPTIONS (a CORS preflight) is never
   * an inference call.
   */
  find(method: string, ...paths: readonly string[]): RouteClass {
    if (method === 'OPTIONS') return SYSTEM;
    const verb = method === 'HEAD' ? 'GET' : method;
    const plain = paths.map(withoutSlash);
    const found = firstOf(plain, (path) => this.#lookUp(verb, path)) ?? firstOf(plain, (path) => this.#lookUpMounted(verb, path));
    return found ?? (plain.some((path) => path.startsWith('/v1/')) ? MISTYPED : SYSTEM);
  }

  #lookUp(method: string, path: string): RouteClass | undefined {
    const exact = this.#exact.get(method)?.get(path);
    if (exact !== undefined) return exact;
    const segments = path.split('/', MAX_SEGMENTS);
    return this.#patterns.find((pattern) => pattern.method === method && fits(pattern, segments))?.found;
  }

  /** `/llm/v1/chat/completions` is `/v1/chat/completions` under a mount point. */
  #lookUpMounted(method: string, path: string): RouteClass | undefined {
    const at = Math.max(path.lastIndexOf('/v1/'), path.lastIndexOf('/v2/'));
    if (at <= 0) return undefined;
    const found = this.#lookUp(method, path.slice(at));
    return found?.kind === 'inference' || found?.route?.startsWith('/v1/') === true ? found : undefined;
  }

  #add({ method = 'POST', path, kind, endpoint = 'unknown', dialect = 'generic' }: RouteEntry): void {
    const verb = method.toUpperCase();
    const found: RouteClass = { kind, endpoint, dialect, route: path };
    if (path.includes('{')) {
      this.#patterns.unshift({ method: verb, segments: path.split('/').map((segment) => segment.split(/\{[^}]*\}/)), found });
      return;
    }
    const paths = this.#exact.get(verb) ?? new Map<string, RouteClass>();
    paths.set(path, found);
    this.#exact.set(verb, paths);
  }
}

/** A path with more segments than this fits no pattern. */
const MAX_SEGMENTS = 64;

function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function firstOf<T, R>(items: readonly T[], look: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = look(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function fits({ segments }: Pattern, path: readonly string[]): boolean {
  return segments.length === path.length && segments.every((texts, index) => fitsSegment(texts, path[index] as string));
}

/** Whether a segment is these texts with at least one character between each two. Each text is looked for once: no going back. */
function fitsSegment(texts: readonly string[], segment: string): boolean {
  const first = texts[0] as string;
  if (texts.length === 1) return segment === first;
  const last = texts.at(-1) as string;
  if (!segment.startsWith(first) || !segment.endsWith(last)) return false;
  let at = first.length;
  for (const text of texts.slice(1, -1)) {
    const found = segment.indexOf(text, at + 1);
    if (found === -1) return false;
    at = found + text.length;
  }
  return segment.length - last.length > at;
}

/** Reads the `routes` option. */
export const readRoutes: OptionReader<RouteTable> = (value, path) => {
  if (value === undefined) return new RouteTable();
  if (!Array.isArray(value)) throw invalidOption(path, 'an array of route entries', value);
  value.forEach((entry: unknown, index) => checkEntry(entry, `${path}[${index}]`));
  return new RouteTable(value as RouteEntry[]);
};

/** Operations of routes whose dialect serves several. An endpoint that the conventions have no name for is its own operation. */
const OPERATION_OF_ENDPOINT: ReadonlyMap<string, string> = new Map([['images', 'generate_content'], ['videos', 'generate_content'], ['audios', 'generate_content'], ['generate', 'text_completion']]);

/** `gen_ai.operation.name` and `gen_ai.provider.name` of an inference request, by OpenTelemetry's conventions. */
export function genAiOf({ dialect, endpoint }: Pick<RouteClass, 'dialect' | 'endpoint'>): { readonly operation: string; readonly provider: string } {
  const { operation, provider }: Dialect = DIALECTS[dialect];
  return { operation: operation ?? OPERATION_OF_ENDPOINT.get(endpoint) ?? endpoint, provider };
}

/**
 * The class of a request after the `classify` option: `found`, with what is given in its place.
 * @throws TypeError that says what is wrong, for a kind or dialect that is unknown and values of another type
 */
export function reclassified(found: RouteClass, given: Partial<RouteClass> | undefined): RouteClass {
  if (given === undefined) return found;
  const wrong = classProblem(given);
  if (wrong !== undefined) throw new TypeError(wrong);
  const { kind = found.kind, endpoint = found.endpoint, dialect = found.dialect, route = found.route } = given;
  return { kind, endpoint, dialect, route };
}

function classProblem(given: unknown): string | undefined {
  if (typeof given !== 'object' || given === null || isPromise(given)) return 'the class of a request must be an object, and not a promise of one';
  const { kind, endpoint, dialect, route } = given as Record<keyof RouteClass, unknown>;
  if (kind !== undefined && !isKind(kind)) return "kind must be 'inference' or 'system'";
  if (dialect !== undefined && !isDialect(dialect)) return `dialect must be one of ${Object.keys(DIALECTS).join(', ')}`;
  if (endpoint !== undefined && typeof endpoint !== 'string') return 'endpoint must be a string';
  return route !== undefined && typeof route !== 'string' ? 'route must be a string' : undefined;
}

function isKind(kind: unknown): kind is RouteKind {
  return kind === 'inference' || kind === 'system';
}

function isDialect(dialect: unknown): dialect is DialectName {
  return typeof dialect === 'string' && Object.hasOwn(DIALECTS, dialect);
}

const ENTRY_KEYS: ReadonlySet<string> = new Set(['method', 'path', 'kind', 'endpoint', 'dialect']);

function checkEntry(entry: unknown, path: string): void {
  if (typeof entry !== 'object' || entry === null) throw invalidOption(path, 'a route entry', entry);
  const { method = 'POST', path: route, kind, endpoint = '', dialect = 'generic' } = entry as Record<string, unknown>;
  const unknown = Object.keys(entry).find((key) => !ENTRY_KEYS.has(key));
  if (unknown !== undefined) throw invalidOption(`${path}.${unknown}`, `one of ${[...ENTRY_KEYS].join(', ')}`, unknown);
  if (typeof method !== 'string' || method === '') throw invalidOption(`${path}.method`, 'an HTTP method', method);
  if (typeof route !== 'string' || !route.startsWith('/')) throw invalidOption(`${path}.path`, 'a path that begins with /', route);
  if (!isKind(kind)) throw invalidOption(`${path}.kind`, "'inference' or 'system'", kind);
  if (typeof endpoint !== 'string') throw invalidOption(`${path}.endpoint`, 'a string', endpoint);
  if (!isDialect(dialect)) throw invalidOption(`${path}.dialect`, `one of ${Object.keys(DIALECTS).join(', ')}`, dialect);
}
