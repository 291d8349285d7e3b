import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { decodeJson, jsonText, type PayloadCodecName } from '../../../src/protocol/index.js';
import { until } from '../../support/until.js';
import { pythonOf, type Release } from './releases.js';

const DIRECTORY = join(__dirname, '..', 'python');
/** A Dynamo process begins within half a second; many at a time on a small machine take longer. */
const READY_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 8000;
const KEPT_LOG = 2 ** 20;
const SHOWN_LOG = 4000;

/** One JSON line of a process: worker.py, client.py and our own worker speak alike. Integers beyond 2^53 are BigInt. */
export interface Line {
  readonly event: string;
  readonly [key: string]: unknown;
}

/** What a command of client.py came to. */
export interface Answer {
  readonly items: readonly unknown[];
  readonly errors: readonly Line[];
  readonly outcome: unknown;
}

/** Where a process finds the others and how it speaks to them. */
export interface Surroundings {
  /** Root of the file store. */
  readonly store: string;
  readonly codec?: PayloadCodecName;
  /** Further variables: NATS, TLS. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A process that says JSON lines on its standard output and ends when its standard input does. */
export class SpokenProcess {
  readonly lines: Line[] = [];
  #log = '';
  /** Pieces of a line that is not complete. */
  #pieces: Buffer[] = [];
  #tags = 0;

  constructor(private readonly child: ChildProcess, private readonly name: string) {
    child.stdout?.on('data', (chunk: Buffer) => this.#onData(chunk));
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString()).slice(-KEPT_LOG);
    });
    child.stdin?.on('error', () => undefined);
  }

  /** The first line that `fits`, waiting for it. A failure prints what the process said. */
  async line(what: string, fits: (line: Line) => boolean, timeoutMs = 8000): Promise<Line> {
    const find = (): Line | undefined => this.lines.find(fits);
    try {
      await until(`${this.name}: ${what}`, () => find() !== undefined || this.gone, timeoutMs);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.#said()}`, { cause: error });
    }
    const line = find();
    if (line === undefined) throw new Error(`${this.name} ended without: ${what}\n${this.#said()}`);
    return line;
  }

  /** What worker.py or our worker says about one request. */
  told(event: string, id: string): Promise<Line> {
    return this.line(`${event} of ${id}`, (line) => line.event === event && line['id'] === id);
  }

  /** Gives client.py a command and its tag. */
  begin(command: Readonly<Record<string, unknown>>): string {
    const tag = `t${(this.#tags += 1)}`;
    this.child.stdin?.write(`${jsonText({ tag, timeoutMs: 15_000, ...command })}\n`);
    return tag;
  }

  /** What a command came to. */
  async answer(tag: string): Promise<Answer> {
    const end = await this.line(`end of ${tag}`, (line) => line.event === 'end' && line['tag'] === tag, 20_000);
    const mine = this.lines.filter((line) => line['tag'] === tag);
    return { items: mine.filter(({ event }) => event === 'item').map((line) => line['annotated'] ?? line['data']), errors: mine.filter(({ event }) => event === 'error'), outcome: end['outcome'] };
  }

  ask(command: Readonly<Record<string, unknown>>): Promise<Answer> {
    return this.answer(this.begin(command));
  }

  /** Waits for the item of that index. */
  item(tag: string, index: number): Promise<Line> {
    return this.line(`item ${index} of ${tag}`, (line) => line.event === 'item' && line['tag'] === tag && line['index'] === index);
  }

  /** Spans from `from` up to `to`, by their names in Dynamo's own log, which has a span's parent beside its id. */
  async spansBetween(from: unknown, to: unknown): Promise<readonly string[]> {
    let names: readonly string[] | undefined;
    await until(`${this.name}: a log that leads from span ${String(from)} to ${String(to)}`, () => (names = this.#path(from, to)) !== undefined);
    return names ?? [];
  }

  #path(from: unknown, to: unknown): readonly string[] | undefined {
    const entries = this.#log.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}')).map((line) => decodeJson(Buffer.from(line)) as Readonly<Record<string, unknown>>);
    const names: string[] = [];
    for (let id = from; id !== to;) {
      const entry = entries.find((each) => each['span_id'] === id);
      if (entry === undefined) return undefined;
      names.push(String(entry['span_name']));
      id = entry['parent_id'];
    }
    return names;
  }

  get gone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Without a goodbye. */
  async kill(): Promise<void> {
    if (this.gone) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  /** Asks it to end, and kills it when it does not. */
  async stop(): Promise<void> {
    if (this.gone) return;
    const exited = once(this.child, 'exit');
    this.child.stdin?.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_WITHIN_MS);
    await exited;
    clearTimeout(timer);
  }

  #onData(chunk: Buffer): void {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      this.lines.push(decodeJson(Buffer.concat([...this.#pieces, rest.subarray(0, end)])) as Line);
      this.#pieces = [];
      rest = rest.subarray(end + 1);
    }
    this.#pieces.push(rest);
  }

  #said(): string {
    return `it said: ${jsonText(this.lines.slice(-10).map((line) => jsonText(line).slice(0, 200)))}\nits log ends with: ${this.#log.slice(-SHOWN_LOG)}`;
  }
}

/** A Dynamo worker for `endpoint`, ready to be called. */
export function pythonWorker(release: Release, endpoint: string, surroundings: Surroundings): Promise<SpokenProcess> {
  return start(spawnPython(release, ['worker.py', endpoint], surroundings), `worker ${release} ${endpoint}`);
}

/** A Dynamo client that takes commands. */
export function pythonClient(release: Release, surroundings: Surroundings): Promise<SpokenProcess> {
  return start(spawnPython(release, ['client.py'], surroundings), `client ${release}`);
}

/** A process that is ready once it has said so. */
export async function start(child: ChildProcess, name: string): Promise<SpokenProcess> {
  const started = new SpokenProcess(child, name);
  try {
    await started.line('ready', ({ event }) => event === 'ready', READY_WITHIN_MS);
  } catch (error) {
    await started.kill();
    throw error;
  }
  return started;
}

function spawnPython(release: Release, args: readonly string[], surroundings: Surroundings): ChildProcess {
  return spawn(pythonOf(release), args, { cwd: DIRECTORY, env: environment(surroundings), stdio: 'pipe' });
}

/** The environment of a Dynamo process: what test/interop/python/README.md lists, and nothing of Dynamo's from outside. */
export function environment({ store, codec = 'json', env = {} }: Surroundings): NodeJS.ProcessEnv {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(DYN_|NATS_|OTEL_)/.test(name)));
  return {
    ...own,
    DYN_DISCOVERY_BACKEND: 'file',
    DYN_FILE_KV: store,
    DYN_REQUEST_PLANE: 'tcp',
    DYN_EVENT_PLANE: 'zmq',
    DYN_TCP_RPC_HOST: '127.0.0.1',
    DYN_TCP_RESPONSE_STREAM_HOST: 'lo',
    DYN_REQUEST_PLANE_CODEC: codec,
    DYN_LOGGING_JSONL: '1',
    DYN_LOG: 'info',
    DYN_RUNTIME_INHIBITED_DURATION_SECS: '0',
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    ...env,
  };
}
