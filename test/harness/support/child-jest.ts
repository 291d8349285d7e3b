import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..', '..');
/** Longest time of a child: one that is still there then hangs. */
const LIMIT_MS = 150_000;

export interface ChildRun {
  /** Null for a process that had to be killed. */
  readonly code: number | null;
  readonly output: string;
}

/** Runs a test file in a jest of its own, in a folder that is no part of the project; the package is this project's source. */
export async function runInJest(code: string, env: Readonly<Record<string, string>> = {}): Promise<ChildRun> {
  const directory = await mkdtemp(join(tmpdir(), 'harness-child-'));
  try {
    const config = {
      rootDir: directory,
      testEnvironment: 'node',
      modulePaths: [join(ROOT, 'node_modules')],
      transform: { '^.+\\.ts$': [join(ROOT, 'node_modules', 'ts-jest'), { tsconfig: join(ROOT, 'tsconfig.json'), diagnostics: false }] },
      moduleNameMapper: { '^dynamo-tracing$': join(ROOT, 'src', 'index.ts'), '^dynamo-tracing/(\\w+)$': join(ROOT, 'src', '$1.ts'), '^(\\.{1,2}/.*)\\.js$': '$1' },
    };
    await writeFile(join(directory, 'jest.config.json'), JSON.stringify(config));
    await writeFile(join(directory, 'pasted.test.ts'), code);
    const child = spawn(process.execPath, [join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'), '--config', join(directory, 'jest.config.json'), '--runInBand'], { cwd: ROOT, env: { ...process.env, DYN_LOG: 'error', NODE_OPTIONS: '', ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    const [exitCode] = await once(child, 'close') as [number | null];
    clearTimeout(limit);
    return { code: exitCode, output };
  } finally {
    await rm(directory, { recursive: true });
  }
}
