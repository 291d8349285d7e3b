import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { until } from '../support/until.js';

const FIXTURES = join(__dirname, '..', 'fixtures', 'logging');
const SCRIPT = join(FIXTURES, 'child.ts');

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

/** Runs the fixture in a process of its own. Its standard error is read to the end, or closed at the first line. */
async function run(ending: string, env: Record<string, string> = {}, closeStderr = false): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, ending], { env: { ...process.env, DYN_LOG: 'debug', ...env }, stdio: 'pipe' });
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => {
    text.stderr += chunk.toString();
    if (!closeStderr) return;
    child.stderr.destroy();
    child.stdin.end();
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { ...text, code };
}

function records(stderr: string): Record<string, unknown>[] {
  return stderr.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the default logger of a process', () => {
  it.each([
    ['returns', 0],
    ['exits', 3],
    ['throws', 1],
    ['rejects', 1],
    ['logs while it exits', 0],
  ])('writes every line to standard error when the process %s', async (ending, code) => {
    const ended = await run(ending, { DYN_LOGGING_JSONL: '1' });
    const lines = records(ended.stderr);
    expect(ended).toMatchObject({ stdout: '', code });
    expect(lines.filter(({ message }) => message === 'many').map(({ i }) => i)).toEqual(Array.from({ length: 2000 }, (_, i) => i));
    expect(lines[0]).toMatchObject({ level: 'INFO', target: 'app', message: 'first', n: 1 });
    expect(lines[1]).toMatchObject({ level: 'DEBUG', message: 'second', part: 'db', request_id: 'r-1', span_name: 'http-request', trace_id: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(lines[2002]).toMatchObject({ level: 'ERROR', message: 'broken', err: { type: 'TypeError' } });
    expect(lines.slice(2003).map(({ message }) => message)).toEqual(ending === 'logs while it exits' ? ['last words'] : []);
  });

  it('writes readable lines without colours when standard error is no terminal', async () => {
    const { stderr } = await run('returns', { DYN_LOGGING_JSONL: '' });
    const [first, second] = stderr.split('\n');
    expect(first).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z {2}INFO app: first n=1$/);
    expect(second).toMatch(/^\S+Z DEBUG http-request: app: second part=db request_id=r-1 trace_id=[0-9a-f]{32} span_id=[0-9a-f]{16}$/);
  });

  it('is silent when DYN_LOG is off', async () => {
    expect(await run('returns', { DYN_LOG: 'off' })).toEqual({ stdout: '', stderr: '', code: 0 });
  });

  it('lives on when nobody reads standard error any more', async () => {
    expect(await run('loses its reader', {}, true)).toMatchObject({ stdout: 'still here\n', code: 0 });
  });

  it('keeps a bounded number of lines for a reader that stands still, goes on meanwhile, and tells how many it dropped', async () => {
    const pipe = join(mkdtempSync(join(tmpdir(), 'dynamo-stderr-')), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(pipe, 'w');
    const env = { ...process.env, DYN_LOG: 'info', DYN_LOGGING_JSONL: '1', DYNAMO_TRACING_LOG_BACKLOG_BYTES: '1000000' };
    const child = spawn(process.execPath, ['--import', 'tsx', join(FIXTURES, 'flood.ts')], { env, stdio: ['pipe', 'pipe', writer] });
    closeSync(writer);
    try {
      const [said] = await once(child.stdout as Readable, 'data') as [Buffer];
      let stderr = '';
      const socket = new Socket({ fd: reader, readable: true, writable: false }).on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      await until('the note', () => stderr.includes('dropped_lines'));
      child.stdin?.end();
      await once(socket, 'close');
      const lines = records(stderr);
      const floods = lines.filter(({ message }) => message === 'flood');
      const [note] = lines.filter(({ dropped_lines: dropped }) => dropped !== undefined);
      expect(floods.length * 1000).toBeLessThan(2_000_000);
      expect(floods.length + Number(note?.['dropped_lines'])).toBe(Number(said.toString()));
      expect(lines.slice(-2).map(({ message }) => message)).toEqual([note?.['message'], 'the end']);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

const mount = 'd=$(mktemp -d) && mount -t tmpfs -o size=64k tmpfs "$d"';
const canMount = spawnSync('unshare', ['-rm', 'sh', '-c', mount]).status === 0;
(canMount ? describe : describe.skip)(`a disk that is full${canMount ? '' : ' (skipped: no mount namespaces here)'}`, () => {
  it('loses lines, and what is written later begins a line of its own', async () => {
    const script = `${mount} && exec "$0" --import tsx "$1" "$d/log" 2>>"$d/log"`;
    const child = spawn('unshare', ['-rm', 'sh', '-c', script, process.execPath, join(FIXTURES, 'full-disk.ts')], { env: { ...process.env, DYN_LOG: 'info', DYN_LOGGING_JSONL: '1' } });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    await once(child, 'close');
    const { kept, after } = JSON.parse(stdout) as { kept: string; after: string };
    const whole = kept.split('\n').length - 1;
    expect(kept).toHaveLength(65_536);
    expect(kept.endsWith('\n')).toBe(false);
    expect(after.startsWith('\n')).toBe(true);
    expect(records(after)).toMatchObject([{ message: 'after' }, { dropped_lines: 200 - whole }]);
  });
});
