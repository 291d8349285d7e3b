import type { IncomingMessage } from 'node:http';
import { pathOf } from './options.js';

/** What is used of an Express request, once it is routed. */
export type RoutedRequest = IncomingMessage & {
  readonly originalUrl?: string;
  readonly baseUrl?: string;
  readonly route?: { readonly path?: unknown };
  readonly app?: { readonly router?: unknown; readonly _router?: unknown };
};

/** A layer of a router of Express 4 (`regexp`, `keys`) or 5 (`matchers`). */
interface Layer {
  readonly route?: unknown;
  readonly handle?: { readonly stack?: readonly Layer[] };
  readonly slash?: boolean;
  readonly regexp?: RegExp & { readonly fast_slash?: boolean };
  readonly keys?: readonly { readonly name: string | number }[];
  readonly matchers?: readonly ((path: string) => false | { readonly path: string; readonly params: Readonly<Record<string, unknown>> })[];
}

/** How much of the path mount points take, and the pattern they take it by. */
interface Mount {
  readonly length: number;
  readonly pattern: string;
}

const MAX_DEPTH = 10;

/**
 * The route that Express matched, mount points as they were written: `/api/:version/chat`. Express itself keeps only the path that the
 * client sent for them, which would make a route of every value. Undefined when nothing matched, or a mount point cannot be
 * found again (a mounted application hides its own).
 */
export function expressRoute(req: RoutedRequest): string | undefined {
  const { route, baseUrl = '' } = req;
  const asked = pathOf(req.originalUrl ?? '');
  const path = textOf(route?.path, asked.slice(baseUrl.length));
  if (route === undefined || path === undefined) return undefined;
  if (baseUrl === '') return path;
  // In this order: Express 4 warns of `router`, which it does not have.
  const router = (req.app?._router ?? req.app?.router) as { readonly stack?: readonly Layer[] } | undefined;
  const mount = mountOf(router?.stack ?? [], route, asked, 0);
  // A mounted application has its own stack only: what stands before it is in no place that can be read.
  return mount?.length === baseUrl.length ? mount.pattern + (path === '/' ? '' : path) : undefined;
}

/** Of several paths the one that was asked for, else the first; a regular expression is no name. */
function textOf(path: unknown, asked: string): string | undefined {
  const paths: unknown[] = Array.isArray(path) ? path : [path];
  const found = paths.includes(asked) ? asked : paths[0];
  return typeof found === 'string' ? found : undefined;
}

/** The mount points on the way to `route`, as written; undefined when it is not below these layers. */
function mountOf(layers: readonly Layer[], route: unknown, path: string, depth: number): Mount | undefined {
  for (const layer of layers) {
    if (layer.route === route && route !== undefined) return { length: 0, pattern: '' };
    const inner = layer.handle?.stack;
    if (inner === undefined || depth >= MAX_DEPTH) continue;
    const matched = matchOf(layer, path);
    if (matched === undefined) continue;
    const below = mountOf(inner, route, path.slice(matched.length), depth + 1);
    if (below !== undefined) return { length: matched.length + below.length, pattern: matched.pattern + below.pattern };
  }
  return undefined;
}

/** How much of the path a mounted router takes, and the pattern it takes it by: each value of a parameter under its name again. */
function matchOf({ matchers, slash, regexp, keys = [] }: Layer, path: string): Mount | undefined {
  if (slash === true || regexp?.fast_slash === true) return { length: 0, pattern: '' };
  for (const matcher of matchers ?? []) {
    const found = matcher(path);
    if (found !== false) return { length: found.path.length, pattern: named(found.path, Object.entries(found.params)) };
  }
  const found = regexp?.exec(path);
  if (found === null || found === undefined) return undefined;
  const taken = found[0].replace(/\/$/, '');
  return { length: taken.length, pattern: named(taken, keys.map(({ name }, at) => [String(name), found[at + 1]])) };
}

function named(path: string, params: readonly (readonly [string, unknown])[]): string {
  const segments = path.split('/');
  for (const [name, value] of params) {
    // Express 5 shows the value decoded, Express 4 as it came.
    const at = segments.findIndex((segment) => typeof value === 'string' && (segment === value || decoded(segment) === value));
    if (at !== -1) segments[at] = `:${name}`;
  }
  return segments.join('/').replace(/\/$/, '');
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
