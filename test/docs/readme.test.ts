import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { startHarness } from 'dynamo-tracing/harness';
import pkg from '../../package.json';

const ROOT = join(__dirname, '..', '..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

describe('README.md', () => {
  test('every entry of the package has a row, and every command exists', () => {
    const entries = Object.keys(pkg.exports).filter((entry) => entry !== './package.json').map((entry) => entry.replace(/^\./, 'dynamo-tracing'));
    const rows = [...README.matchAll(/^\| (`dynamo-tracing.*?) \|/gm)].flatMap(([, names]) => [...names!.matchAll(/[\w/-]+/g)].map(([name]) => name));
    expect(rows.sort()).toEqual(entries.sort());
    const scripts = new Set([...README.matchAll(/npm (?:run )?(demo|start|test(?!:)|worker|bench|lint|typecheck|test:interop)\b/g)].map(([, name]) => name!));
    expect([...scripts].filter((name) => !(name in pkg.scripts))).toEqual([]);
  });
});

/** The README's TypeScript, by a word that the block holds. */
const block = (word: string): string => [...README.matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code!).find((code) => code.includes(word))!;

/** Runs code as the module of a process, in a folder of this repository; `said` is what it prints. */
async function run(code: string, use: (said: Lines) => Promise<void>): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const folder = await mkdtemp(join(__dirname, '.run-'));
  try {
    await writeFile(join(folder, 'main.mts'), code);
    const child = spawn(process.execPath, ['--import', 'tsx', join(folder, 'main.mts')], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, DYN_LOG: 'info', DYN_LOGGING_JSONL: '1' } });
    const said = new Lines(child);
    try {
      await use(said);
    } finally {
      if (child.exitCode === null) child.kill();
      await said.closed;
    }
    return { code: child.exitCode, stdout: said.stdout, stderr: said.stderr };
  } finally {
    await rm(folder, { recursive: true });
  }
}

class Lines {
  stdout = '';
  stderr = '';
  readonly closed: Promise<unknown>;

  constructor(private readonly child: ChildProcessByStdio<null, Readable, Readable>) {
    this.closed = once(child, 'close');
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
  }

  /** What the group of `pattern` is in the lines of both streams, as soon as they match. */
  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(`${this.stdout}\n${this.stderr}`)?.[1];
      if (found !== undefined) return found;
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.stderr}`);
      await Promise.race([once(this.child.stdout, 'data'), once(this.child.stderr, 'data'), this.closed]);
    }
  }
}

describe('the examples of README.md', () => {
  test('the quick start answers with the ids, passes the trace on and writes one record', async () => {
    const harness = await startHarness();
    try {
      const engine = await harness.upstream((_req, res) => {
        res.setHeader('content-type', 'application/json');
        res.end('{"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}');
      });
      const code = block('asking the engine').replace('http://127.0.0.1:8001', engine.url).replace('createServer(app).listen(8000)', "const server = createServer(app).listen(0, '127.0.0.1', () => console.log(`port ${(server.address() as { port: number }).port}`))");
      const { stderr } = await run(code, async (said) => {
        const port = await said.until(/^port (\d+)$/m);
        const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-request-id': 'order-42' }, body: '{"model":"m","messages":[]}' });
        expect([response.status, response.headers.get('x-request-id')]).toEqual([200, 'order-42']);
        expect(await response.json()).toMatchObject({ id: 'chatcmpl-1' });
        await said.until(/"(request completed)"/);
        expect(engine.requests[0]!.headers).toMatchObject({ 'x-request-id': 'order-42', 'request-id': response.headers.get('request-id') });
      });
      const completed = stderr.split('\n').filter((line) => line.includes('"request completed"')).map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(completed).toEqual([expect.objectContaining({ status: 'success', model: 'm', input_tokens: '7', output_tokens: '3', x_request_id: 'order-42' })]);
      // The record that README shows has no field that there is not.
      const shown = JSON.parse(/^\{"time".*$/m.exec(README)![0]) as Record<string, unknown>;
      expect(Object.keys(shown).filter((name) => !(name in completed[0]!) && !['finish_reason', 'ttft_ms'].includes(name))).toEqual([]);
    } finally {
      await harness.close();
    }
  });

  test('the worker over TCP answers, and the process ends by itself', async () => {
    const { code, stdout, stderr } = await run(block('RequestPlaneServer'), (said) => said.closed.then(() => undefined));
    expect({ code, stdout }).toEqual({ code: 0, stdout: "{ token: 'hello' }\n{ token: ' world' }\n" });
    expect(stderr).toContain('"generating"');
  });
});
