import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
// Without .js: the set-up runs before jest maps it.
import { RELEASES, RUNTIMES_VARIABLE, type Release, type Runtime, type Runtimes } from './support/releases';

const ROOT = join(__dirname, '..', '..');
const CONSTRAINTS = join(__dirname, 'python', 'constraints.txt');
const PYTHONS = ['python3', 'python3.12', 'python3.11', 'python3.13', 'python3.10'];
/** What frontend and mocker import; ai-dynamo itself goes without its dependencies, of which one is not on PyPI. */
const FRONTEND_NEEDS = ['aiohttp', 'jinja2', 'kubernetes', 'msgspec', 'prometheus_client', 'pyzmq', 'redis', 'transformers', 'zstandard'];
/** A download of 75 MB and an installation, in milliseconds; for the frontend as much again. */
const INSTALL_WITHIN_MS = 300_000;
const CHECK_WITHIN_MS = 60_000;
/** What loads when a release is there, and what when its frontend is. */
const RUNTIME = { distribution: 'ai-dynamo-runtime', modules: 'dynamo.runtime, uvloop' };
const FRONTEND = { distribution: 'ai-dynamo', modules: 'dynamo.frontend.main, dynamo.mocker.main, tokenizers' };

const run = promisify(execFile);

/** Installs the pinned releases, reusing what is there, and tells the tests what there is. Never fails: what is missing is skipped. */
export default async function setup(): Promise<void> {
  const found = await Promise.all(RELEASES.map(async (release) => [release, await runtimeOf(release)] as const));
  const runtimes = Object.fromEntries(found) as Runtimes;
  process.env[RUNTIMES_VARIABLE] = JSON.stringify(runtimes);
}

async function runtimeOf(release: Release): Promise<Runtime> {
  const directory = join(ROOT, `.venv-interop-${release}`);
  const python = join(directory, 'bin', 'python');
  try {
    if ((await problemOf(python, release, RUNTIME)) !== undefined) await install(directory, python, release);
    const problem = await problemOf(python, release, RUNTIME);
    if (problem !== undefined) return { missing: `it is installed and does not load: ${problem}` };
  } catch (error) {
    return { missing: told(error) };
  }
  return { python, noFrontend: await noFrontend(python, release) };
}

/** Why the release's frontend cannot be started; undefined when it can. */
async function noFrontend(python: string, release: Release): Promise<string | undefined> {
  if ((await problemOf(python, release, FRONTEND)) === undefined) return undefined;
  process.stdout.write(`installing ai-dynamo ${release} without its dependencies, and what its frontend imports\n`);
  try {
    await pip(python, ['--no-deps', `ai-dynamo==${release}`]);
    await pip(python, ['--constraint', CONSTRAINTS, ...FRONTEND_NEEDS]);
    return await problemOf(python, release, FRONTEND);
  } catch (error) {
    return told(error);
  }
}

/** Why these modules do not load; undefined when they do. */
async function problemOf(python: string, release: Release, { distribution, modules }: typeof RUNTIME): Promise<string | undefined> {
  const program = `import importlib.metadata as m, ${modules}; v = m.version("${distribution}"); assert v == "${release}", v`;
  try {
    await run(python, ['-c', program], { timeout: CHECK_WITHIN_MS, cwd: __dirname });
    return undefined;
  } catch (error) {
    return told(error);
  }
}

async function install(directory: string, python: string, release: Release): Promise<void> {
  const base = await basePython();
  process.stdout.write(`installing ai-dynamo-runtime ${release} with ${base} into ${directory}\n`);
  rmSync(directory, { recursive: true, force: true });
  await run(base, ['-m', 'venv', directory], { timeout: CHECK_WITHIN_MS });
  await pip(python, ['--constraint', CONSTRAINTS, `ai-dynamo-runtime==${release}`]);
}

async function pip(python: string, what: readonly string[]): Promise<void> {
  const options = ['--quiet', '--no-input', '--disable-pip-version-check', '--only-binary', ':all:', '--retries', '2', '--timeout', '20'];
  await run(python, ['-m', 'pip', 'install', ...options, ...what], { timeout: INSTALL_WITHIN_MS });
}

/** A Python that the wheels are made for: 3.10 or later. INTEROP_PYTHON names one and no other then counts. */
async function basePython(): Promise<string> {
  const { INTEROP_PYTHON: given } = process.env;
  const candidates = given === undefined ? PYTHONS : [given];
  for (const candidate of candidates) {
    const fits = await run(candidate, ['-c', 'import sys, venv, ensurepip; assert sys.version_info >= (3, 10)'], { timeout: CHECK_WITHIN_MS }).catch(() => undefined);
    if (fits !== undefined) return candidate;
  }
  throw new Error(`no Python 3.10 or later with venv (looked for ${candidates.join(', ')})`);
}

/** The last lines of what a process said, or the error itself. */
function told(error: unknown): string {
  const { stderr, killed, message } = error as { stderr?: string; killed?: boolean; message: string };
  if (killed === true) return 'it took too long';
  const lines = (stderr ?? '').trim().split('\n').filter((line) => line !== '');
  return lines.length === 0 ? message : lines.slice(-3).join(' | ');
}
