/**
 * The example gateway and three workers as processes, clients of every temper, and faults: `npm run soak`, with `-- --minutes N` (default 10), `--seed N`
 * (decides the faults and the requests; default random, printed), `--plant NAME` (a fault of plants.cjs in the gateway, which must be found).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { hashOf, Random } from '../fuzz/random.js';
import { cleanUp } from '../transport/support.js';
import { plan, Target } from './clients.js';
import { inject } from './faults.js';
import { Fleet } from './fleet.js';
import { Front } from './front.js';
import { bundlePrograms, killAll } from './processes.js';
import { report } from './report.js';
import { growth, judge, type Evidence } from './verdict.js';

const PLACES = 3;
const FEW_DESCRIPTORS = 64;
const FAULT_EVERY_MS = 1500;
/** Longest time for everything to be let go, or to be well again. */
const SETTLE_MS = 90_000;
/** Beyond the time of the load: nothing that hangs may keep CI. */
const SPARE_MS = 5 * 60_000;

/** Waits until `test` holds, looking now and then; false when it does not in time. */
async function comesTrue(test: () => boolean | Promise<boolean>, withinMs = SETTLE_MS): Promise<boolean> {
  for (const end = Date.now() + withinMs; Date.now() < end; await delay(200)) if (await test()) return true;
  return false;
}

class Soak {
  readonly faults: string[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), 'soak-'));
  readonly fleet: Fleet;
  readonly fronts: readonly Front[];
  readonly onFault = (text: string): void => void this.faults.push(text);
  #phase = 'start';

  constructor(readonly seed: number, plant: string) {
    const programs = join(this.folder, 'programs');
    bundlePrograms(programs);
    this.fleet = new Fleet({ folder: this.folder, programs, places: PLACES, fewDescriptors: FEW_DESCRIPTORS, onFault: this.onFault });
    const common = { programs, store: this.fleet.store, onFault: this.onFault };
    this.fronts = [new Front('the gateway', 12, undefined, { ...common, plant }), new Front(`the gateway under ulimit -n ${FEW_DESCRIPTORS}`, 20, FEW_DESCRIPTORS, { ...common, plant: '' })];
  }

  get phase(): string {
    return this.#phase;
  }

  async run(ms: number): Promise<void> {
    await Promise.all([...this.fronts.map(async (front) => (front.url = await front.process.address)), ...Array.from({ length: PLACES }, (_, place) => this.fleet.start(place))]);
    this.#phase = 'warm-up';
    await this.#isWell();
    await this.#letGo();
    for (const front of this.fronts) front.before = await front.process.holding();
    this.#phase = 'load';
    const end = Date.now() + ms;
    const isOver = (): boolean => Date.now() >= end;
    const [injected] = await Promise.all([
      inject({ fleet: this.fleet, gateways: this.fronts.map(({ process }) => process), onFault: this.onFault }, this.seed, FAULT_EVERY_MS, isOver),
      ...this.fronts.map((front) => this.#load(front, isOver)),
    ]);
    this.#phase = 'recovery';
    await this.#isWell();
    this.#phase = 'end';
    await this.#judge(injected);
  }

  /** Each client sends one request after the other; what it sends depends on the seed and its number. */
  async #load(front: Front, isOver: () => boolean): Promise<void> {
    const target = new Target(front.url);
    await Promise.all(Array.from({ length: front.clients }, async (_, client) => {
      const random = new Random(hashOf(`${front.process.name} ${client}`, this.seed));
      while (!isOver()) {
        front.sent.push(await target.send(plan(random)));
        await delay(random.below(300));
      }
    }));
    target.close();
  }

  /** Every worker is found, nobody else is, and patient requests succeed. */
  async #isWell(): Promise<void> {
    if (!await comesTrue(() => this.fleet.isSettled())) this.onFault(`${this.#phase}: the store does not hold the records of the ${PLACES} workers alone after ${SETTLE_MS} ms`);
    for (const front of this.fronts) {
      const target = new Target(front.url);
      const isAnswered = async (): Promise<boolean> => {
        const sent = await Promise.all(Array.from({ length: 8 }, (_, n) => target.send({ kind: 'patient', path: '/v1/chat/completions', stream: n % 2 === 0, tokens: 5 })));
        front.sent.push(...sent);
        return sent.every(({ outcome }) => outcome === 'answered');
      };
      let isWell = true;
      for (let rounds = 0; rounds < 5 && isWell; rounds += 1) isWell = await comesTrue(isAnswered);
      if (!isWell) this.onFault(`${this.#phase}: ${front.process.name} does not answer every request within ${SETTLE_MS} ms, with ${PLACES} workers in order`);
      target.close();
    }
  }

  /** Waits until connections that are not used are closed. */
  async #letGo(): Promise<void> {
    const processes = [...this.fronts.map(({ process }) => process), ...this.fleet.workers.map(({ process }) => process)];
    for (const process of processes) if (!await comesTrue(() => process.connections() === 0)) this.onFault(`${process.name} has ${process.connections()} connections open ${SETTLE_MS} ms after the last request`);
  }

  async #judge(injected: ReadonlyMap<string, number>): Promise<void> {
    await this.#letGo();
    const held = await Promise.all(this.fronts.map((front) => this.#heldBy(front)));
    const workers = [...this.fleet.workers];
    for (const { process, before } of workers) this.faults.push(...growth(before, await process.holding()).map((text) => `${process.name}: ${text}`));
    await Promise.all([...this.fronts, ...workers].map(({ process }) => process.stop()));
    for (const { process } of [...this.fronts, ...workers]) if (process.isThere) this.onFault(`${process.name} (pid ${process.pid}) is still there`);
    for (const worker of workers) this.faults.push(...this.fleet.unended(worker));
    // Everything has been written now.
    const verdicts = this.fronts.map((front, index) => judge({ ...held[index]!, name: front.process.name, sent: front.sent, lines: front.lines, before: front.before, mayTurnAway: front.descriptors !== undefined }));
    this.faults.push(...verdicts.flatMap(({ complaints }) => complaints));
    report(this.fronts.map(({ sent, errors, process: { name } }, index) => ({ name, sent, errors, verdict: verdicts[index]! })), injected);
  }

  /** What a gateway holds and has counted when its requests are over. */
  async #heldBy({ process, before, lines, sent, url }: Front): Promise<Pick<Evidence, 'after' | 'metrics'>> {
    const wanted = sent.length;
    await comesTrue(() => lines.filter(({ message }) => message === 'request completed').length >= wanted, 3000);
    // What was closed a moment ago may be in use until the next turn of the event loop.
    let after = await process.holding();
    await comesTrue(async () => growth(before, (after = await process.holding())).length === 0, 20_000);
    return { after, metrics: await (await fetch(`${url}/metrics`)).text() };
  }
}

function end(soak: Soak, begun: number): never {
  killAll();
  rmSync(soak.folder, { recursive: true, force: true });
  const MOST = 40;
  for (const fault of soak.faults.slice(0, MOST)) console.error(`- ${fault}`);
  if (soak.faults.length > MOST) console.error(`- and ${soak.faults.length - MOST} more`);
  console.log(`${soak.faults.length === 0 ? 'passed' : `failed: ${soak.faults.length} complaints`}, ${Math.round((Date.now() - begun) / 1000)} s, seed ${soak.seed}`);
  process.exit(soak.faults.length === 0 ? 0 : 1);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' }, plant: { type: 'string', default: '' } } });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const ms = Number(values.minutes) * 60_000;
  if (!Number.isInteger(seed) || !(ms > 0)) throw new Error('--seed is an integer, --minutes a number above 0');
  const begun = Date.now();
  console.log(`soak: ${values.minutes} minutes, seed ${seed}, Node ${process.versions.node}${values.plant === '' ? '' : `, planted: ${values.plant}`}`);
  const soak = new Soak(seed, values.plant);
  setTimeout(() => {
    soak.onFault(`the soak itself was not over ${Math.round((ms + SPARE_MS) / 1000)} s after its beginning; it was at: ${soak.phase}`);
    end(soak, begun);
  }, ms + SPARE_MS);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      soak.onFault(`${signal} at: ${soak.phase}`);
      end(soak, begun);
    });
  }
  process.on('exit', killAll);
  await soak.run(ms).catch((error: unknown) => soak.onFault(`${soak.phase}: ${error instanceof Error ? String(error.stack) : String(error)}`));
  await cleanUp();
  end(soak, begun);
}

void main();
