import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers';
import { DynamoTracingError } from '../../errors/index.js';
import { isTruthy } from '../../internal/index.js';
import type { Closable } from '../leaks.js';
import type { Fault, InjectedFault, InjectOptions } from '../link/index.js';
import type { Collector } from '../otlp/index.js';
import type { HarnessProxy, ProxiedRequest } from '../servers/index.js';
import type { CapturedRecord } from '../record/index.js';
import { DynamoProcess } from './dynamo-process.js';
import { readDynamoOptions, readRunOptions, type DynamoEnvironment, type DynamoOptions, type DynamoRunOptions, type DynamoSettings } from './options.js';
import { checkDynamo } from './python.js';

/** What of a harness a Dynamo behind it needs. */
export interface DynamoSurroundings {
  collector(): Promise<Collector>;
  proxy(target: string, name: string): Promise<HarnessProxy>;
  own<T extends Closable>(name: string, closable: T): T;
  captureRecord(record: CapturedRecord): void;
  fetch(input: URL, init?: RequestInit): Promise<Response>;
}

/** Milliseconds between two looks at what a frontend serves. */
const LOOK_EVERY_MS = 50;
/** What an error tells of a process's log. */
const TOLD_LINES = 20;

/** Variables that a Dynamo of a test must not get from the one who runs it. */
const FOREIGN = /^(DYN_|NATS_|ETCD_|OTEL_)/;

/** A real Dynamo frontend behind the app under test, with a proxy of the harness in front of it. */
export class HarnessDynamo {
  private constructor(
    private readonly settings: DynamoSettings,
    private readonly surroundings: DynamoSurroundings,
    /** Variables of its processes: what `run()` starts gets them; for what a test starts by itself. */
    readonly env: Readonly<Record<string, string>>,
    private readonly proxy: HarnessProxy,
    /** Its process. */
    readonly frontend: DynamoProcess,
    /** Where it answers itself, past the proxy. */
    readonly directUrl: string,
    private readonly collector: Collector,
  ) {}

  /** @internal `harness.dynamo()` starts one. */
  static async start(options: DynamoOptions | undefined, store: { root(): Promise<string>; readonly models: readonly string[] }, surroundings: DynamoSurroundings): Promise<HarnessDynamo> {
    const settings = readDynamoOptions(options);
    await checkDynamo(settings.python);
    const root = await store.root();
    const collector = await surroundings.collector();
    const env = environment(root, collector, settings.env);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const proxy = await surroundings.proxy(url, settings.name);
    const args = ['--http-host', '127.0.0.1', '--http-port', String(port), ...(settings.args ?? [])];
    const frontend = startProcess({ settings, surroundings, collector, env }, 'dynamo.frontend', args, settings.name);
    const dynamo = new HarnessDynamo(settings, surroundings, env, proxy, frontend, url, collector);
    await dynamo.#serves(settings.models ?? store.models, settings.timeoutMs);
    return dynamo;
  }

  /** `http://127.0.0.1:port`, for the app under test: the proxy in front of the frontend. */
  get url(): string {
    return this.proxy.url;
  }

  /** Every request that came to the frontend: headers as they were sent and as it got them. */
  get requests(): readonly ProxiedRequest[] {
    return this.proxy.requests;
  }

  /** `harness.fetch` of a path of the frontend. */
  fetch(path: string, init?: RequestInit): Promise<Response> {
    return this.surroundings.fetch(new URL(path, this.url), init);
  }

  /** Lets a fault at the requests to the frontend: those that `harness.proxy()` takes. @throws ERR_OPTION_INVALID */
  inject(fault: Fault, options?: InjectOptions<ProxiedRequest>): InjectedFault {
    return this.proxy.inject(fault, options);
  }

  /** Takes all faults away. */
  heal(): void {
    this.proxy.heal();
  }

  /** Names of the models that the frontend serves now. */
  async models(): Promise<readonly string[]> {
    const response = await fetch(new URL('/v1/models', this.directUrl));
    const { data = [] } = (await response.json()) as { data?: readonly { readonly id: string }[] };
    return data.map(({ id }) => id);
  }

  /**
   * Waits until the frontend serves these models.
   * @param timeoutMs default: that of `harness.dynamo()` @throws ERR_DYNAMO_FAILED with `log`
   */
  serves(models: string | readonly string[], timeoutMs = this.settings.timeoutMs): Promise<void> {
    return this.#serves(typeof models === 'string' ? [models] : models, timeoutMs);
  }

  /** Starts a further process of this Dynamo with the same Python, e.g. `run('dynamo.mocker', ['--model-path', directory])`. */
  run(module: string, args: readonly string[] = [], options?: DynamoRunOptions): DynamoProcess {
    const { name, env } = readRunOptions(options);
    return startProcess({ settings: this.settings, surroundings: this.surroundings, collector: this.collector, env: merged(this.env, env) }, module, args, name);
  }

  async #serves(models: readonly string[], timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const served = await this.models().catch(() => undefined);
      if (served !== undefined && models.every((model) => served.includes(model))) return;
      const problem = this.frontend.ended ? 'ended before' : performance.now() > deadline ? `did not within ${timeoutMs} ms` : undefined;
      if (problem !== undefined) throw await this.#failed(`${this.settings.name} ${problem}: serve ${models.length === 0 ? 'anything' : models.join(', ')}${served === undefined ? '' : ` (it serves: ${served.join(', ') || 'no model'})`}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  async #failed(message: string): Promise<DynamoTracingError> {
    await this.frontend.kill();
    // Without the answers to the looks above.
    const log = this.frontend.log.split('\n').filter((line) => !line.includes('http response sent')).slice(-TOLD_LINES).join('\n');
    return new DynamoTracingError('ERR_DYNAMO_FAILED', `${message}\nits log ends with:\n${log}`, { log });
  }
}

interface Household {
  readonly settings: DynamoSettings;
  readonly surroundings: DynamoSurroundings;
  readonly collector: Collector;
  readonly env: Readonly<Record<string, string>>;
}

function startProcess({ settings, surroundings, collector, env }: Household, module: string, args: readonly string[], name: string): DynamoProcess {
  const started = new DynamoProcess({ python: settings.python, cwd: settings.cwd, module, args, env: { ...env, OTEL_SERVICE_NAME: name }, name }, (record) => surroundings.captureRecord(record));
  collector.knows(name, started.writer);
  return surroundings.own(`process ${name}`, started);
}

/** What a Dynamo needs to run on this machine alone and to tell the harness everything. */
function environment(root: string, collector: Collector, given: DynamoEnvironment | undefined): Readonly<Record<string, string>> {
  const outside = Object.fromEntries(Object.entries(process.env).filter(([name]) => !FOREIGN.test(name)));
  return merged({}, {
    ...outside,
    DYN_DISCOVERY_BACKEND: 'file',
    DYN_FILE_KV: root,
    DYN_REQUEST_PLANE: 'tcp',
    DYN_EVENT_PLANE: 'zmq',
    DYN_TCP_RPC_HOST: '127.0.0.1',
    // The name of the loopback interface.
    DYN_TCP_RESPONSE_STREAM_HOST: process.platform === 'darwin' ? 'lo0' : 'lo',
    DYN_LOGGING_JSONL: '1',
    DYN_SYSTEM_PORT: '-1',
    HF_HUB_OFFLINE: '1',
    TRANSFORMERS_OFFLINE: '1',
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    ...collector.env,
    // Records in its log have more fields than those that it exports. What comes as metrics is dropped.
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${collector.url}/v1/${writesLines(given) ? 'metrics' : 'logs'}`,
    ...given,
  });
}

/** Whether its log is JSON lines, by Dynamo's own rule. */
function writesLines(given: DynamoEnvironment | undefined): boolean {
  const { DYN_LOGGING_CONSOLE_FORMAT: format, DYN_LOGGING_JSONL: jsonl }: DynamoEnvironment = { DYN_LOGGING_JSONL: '1', ...given };
  return format === undefined || format.trim() === '' ? isTruthy(jsonl) : format.trim().toLowerCase() === 'jsonl';
}

function merged(base: Readonly<Record<string, string>>, over: DynamoEnvironment = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries({ ...base, ...over }).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Dynamo does not tell which port it has chosen, so that it must be told one that is free. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
