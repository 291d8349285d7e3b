import type { PayloadCodecName } from 'dynamo-tracing/transport';

/** The releases of ai-dynamo-runtime that are run, newest first. */
export const RELEASES = ['1.6.1', '1.5.0'] as const;
export type Release = (typeof RELEASES)[number];

export const CODECS: readonly PayloadCodecName[] = ['json', 'msgpack'];

/** What the set-up found: the Python of a release's environment and why its frontend cannot be started, or why there is none. */
export type Runtime = { readonly python: string; readonly noFrontend?: string | undefined } | { readonly missing: string };
export type Runtimes = Readonly<Record<Release, Runtime>>;

/** How the set-up tells the test files and the reporter. */
export const RUNTIMES_VARIABLE = 'INTEROP_RUNTIMES';

export function runtimes(): Runtimes | undefined {
  const text = process.env[RUNTIMES_VARIABLE];
  return text === undefined ? undefined : (JSON.parse(text) as Runtimes);
}

/** The Python of a release. */
export function pythonOf(release: Release): string {
  const runtime = runtimes()?.[release];
  if (runtime === undefined || !('python' in runtime)) throw new Error(`no Python for ai-dynamo-runtime ${release}`);
  return runtime.python;
}

/** Why a release cannot be run here; undefined when it can. */
export function missing(release: Release): string | undefined {
  const runtime = runtimes()?.[release] ?? { missing: 'the set-up has not run: use npm run test:interop' };
  return 'missing' in runtime ? runtime.missing : undefined;
}

/** Why a release's frontend cannot be started here; undefined when it can. */
export function frontendMissing(release: Release): string | undefined {
  const runtime = runtimes()?.[release];
  return runtime !== undefined && 'noFrontend' in runtime && runtime.noFrontend !== undefined ? `ai-dynamo cannot be installed: ${runtime.noFrontend}` : missing(release);
}
