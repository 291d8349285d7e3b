import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { PayloadCodecName, ServedEndpoint } from 'dynamo-tracing/transport';
import type { House } from './house.js';
import { environment } from './python.js';
import { pythonOf, type Release } from './releases.js';

/** Python loads for seconds, on a busy machine for many. */
const READY_WITHIN_MS = 90_000;
const KEPT_LOG = 2 ** 18;

/** Why Dynamo's mocker and frontend cannot be run; undefined when they can. */
export function withoutMocker(release: Release): string | undefined {
  try {
    execFileSync(pythonOf(release), ['-c', 'import importlib.util as u, sys; sys.exit(0 if u.find_spec("dynamo.mocker") and u.find_spec("tokenizers") else 1)'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'ai-dynamo (mocker and frontend) is not installed';
  }
}

/** Dynamo's mocker for the model `tiny`, found in the house's store. */
export async function startMocker(house: House, release: Release, codec: PayloadCodecName): Promise<void> {
  const model = join(house.store, 'tiny');
  execFileSync(pythonOf(release), [join(__dirname, '..', 'python', 'model.py'), model]);
  const args = ['--model-path', model, '--model-name', 'tiny', '--router-mode', 'round-robin', '--max-model-len', '4096', '--block-size', '16'];
  const mocker = run(house, release, 'dynamo.mocker', args, { DYN_REQUEST_PLANE_CODEC: codec });
  await mocker.until('the mocker\'s model card', () => Promise.resolve(cards(house).length > 0));
}

/** Dynamo's HTTP frontend over the house's store, once it serves `models`; its URL. */
export async function startFrontend(house: House, release: Release, ...models: readonly string[]): Promise<string> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const frontend = run(house, release, 'dynamo.frontend', ['--http-host', '127.0.0.1', '--http-port', String(port)], { DYN_ENABLE_ANTHROPIC_API: '1' });
  await frontend.until(`the frontend to serve ${models.join(', ')}`, async () => {
    const list = await fetch(`${url}/v1/models`).then((res) => res.json(), () => undefined) as { data: { id: string }[] } | undefined;
    return models.every((model) => list?.data.some(({ id }) => id === model));
  });
  return url;
}

/** Gives a worker of ours the mocker's model card under another name, and keeps it alive as long as the house. */
export function announceLikeMocker(house: House, { namespace, component, endpoint, instanceId }: ServedEndpoint, model: string): void {
  const directory = join(house.store, 'v1', 'mdc');
  const text = readFileSync(join(directory, cards(house)[0]!), 'utf8')
    .replace('"component":"backend"', `"component":"${component}"`).replace(/"instance_id":\d+/, `"instance_id":${instanceId}`).replace('"display_name":"tiny","slug":"tiny"', `"display_name":"${model}","slug":"${model}"`);
  const file = join(directory, [namespace, component, endpoint, instanceId.toString(16)].join('%2F'));
  const temporary = join(directory, '.tmp_00000000000000aa'); // Dynamo watches for files that are moved in
  const publish = (): void => {
    writeFileSync(temporary, text);
    renameSync(temporary, file);
  };
  publish();
  // On a machine so busy that its lifetime of ten seconds is over, Dynamo has removed it.
  const alive = setInterval(() => (existsSync(file) ? utimesSync(file, new Date(), new Date()) : publish()), 1000);
  house.onClose(() => clearInterval(alive));
}

function cards({ store }: House): string[] {
  try {
    return readdirSync(join(store, 'v1', 'mdc')).filter((name) => name.includes('backend'));
  } catch {
    return []; // the store is made by the first process that writes there
  }
}

function run(house: House, release: Release, module: string, args: readonly string[], env: Readonly<Record<string, string>>): { until(what: string, done: () => Promise<boolean>): Promise<void> } {
  // The mocker of 1.5.0 writes the model's name into its card where its path belongs: in this directory the name is a path.
  const offline = { HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1', DYN_SYSTEM_PORT: '-1' };
  const child = spawn(pythonOf(release), ['-m', module, ...args], { cwd: house.store, env: environment({ store: house.store, env: { ...offline, ...env } }), stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-KEPT_LOG)));
  house.onClose(() => end(child));
  return {
    async until(what, done) {
      for (const deadline = Date.now() + READY_WITHIN_MS; !(await done());) {
        if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${module}: in vain: ${what}; its log ends with ${log.slice(-2000)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}
