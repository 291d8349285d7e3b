/** The faults of the soak. Each does its harm, waits, and leaves three workers and a sound store behind. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, symlink, truncate, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hashOf, Random } from '../fuzz/random.js';
import { STRANGERS, silentAfterAck, type Stranger } from '../transport/strangers.js';
import type { Fleet } from './fleet.js';
import type { SoakProcess } from './processes.js';

export interface Scene {
  readonly fleet: Fleet;
  readonly gateways: readonly SoakProcess[];
  readonly onFault: (text: string) => void;
}

/** Harms the worker in this place, or what the name says. */
type Fault = (scene: Scene, place: number, random: Random) => Promise<void>;

/** Milliseconds that a stranger keeps the port of a worker. */
const STRANGER_STAYS_MS = 2000;
const FLOOD = 3000;

const strangerKinds: readonly (readonly [string, Stranger])[] = [
  ...STRANGERS.filter(([what]) => /HTTP|greets|TLS server|closes|resets|nothing|random|gigabytes|nobody sent|prologue is none|sentinel/.test(what)).map(([what, start]) => [what, start] as const),
  ['a program that acknowledges and never calls home', silentAfterAck],
];

const FAULTS: Readonly<Record<string, Fault>> = {
  'SIGKILL of a worker': async ({ fleet }, place) => {
    await fleet.at(place).process.kill();
    await fleet.start(place);
  },
  'SIGTERM of a worker': async ({ fleet, onFault }, place) => {
    const leaving = fleet.at(place);
    await Promise.all([leaving.process.stop(), fleet.start(place)]);
    for (const text of fleet.unended(leaving)) onFault(text);
  },
  'SIGSTOP of a worker': async ({ fleet }, place, random) => {
    const { process } = fleet.at(place);
    process.signal('SIGSTOP');
    await delay(random.pick([500, 2000, 6000, 12_000])); // The last is longer than its record lives.
    process.signal('SIGCONT');
  },
  'a blocked worker': async ({ fleet }, place, random) => fleet.at(place).process.block(500 + random.below(4000)),
  'a blocked gateway': async ({ gateways }, _place, random) => random.pick(gateways).block(300 + random.below(1500)),
  'a record half written': async ({ fleet }, place) => {
    const { file } = fleet.at(place);
    const whole = await readFile(file).catch(() => undefined);
    if (whole === undefined) return;
    await truncate(file, Math.floor(whole.length / 2));
    await delay(1500);
    if (existsSync(file)) await writeFile(file, whole);
  },
  'records that are none': async ({ fleet }, _place, random) => {
    const record = { type: 'Endpoint', namespace: 'dynamo', component: 'backend', endpoint: 'generate', instance_id: 7, transport: { tcp: 'nowhere' } };
    const contents = ['', '{', '[]', 'null', '{}', '[['.repeat(2000), '\0'.repeat(100), JSON.stringify({ ...record, instance_id: -1 }), JSON.stringify(record), JSON.stringify({ ...record, transport: { tcp: `127.0.0.1:${1 + random.below(9)}/7/generate` } })];
    const files = contents.map((_content, index) => join(fleet.instances, `dynamo%2Fbackend%2Fgenerate%2F${(index + 1).toString(16)}`));
    const [folder, link] = ['fffe', 'ffff'].map((id) => join(fleet.instances, `dynamo%2Fbackend%2Fgenerate%2F${id}`)) as [string, string];
    await Promise.all([...files.map((file, index) => writeFile(file, contents[index]!)), mkdir(folder, { recursive: true }), symlink('nowhere', link).catch(() => undefined)]);
    await delay(1500);
    await Promise.all([...files, folder, link].map((file) => rm(file, { recursive: true, force: true })));
  },
  'a record vanished': async ({ fleet }, place) => unlink(fleet.at(place).file).catch(() => undefined),
  'the store vanished': ({ fleet }) => rm(fleet.store, { recursive: true, force: true, maxRetries: 10, retryDelay: 10 }),
  'a flood of records': async ({ fleet }, _place, random) => {
    const long = new Date(Date.now() - 3_600_000);
    const files = Array.from({ length: FLOOD }, (_, n) => join(fleet.instances, n % 3 === 0 ? `dynamo%2Fother%2Fgenerate%2F${n.toString(16)}` : `dynamo%2Fbackend%2Fgenerate%2Fb${n.toString(16)}`));
    const content = JSON.stringify({ type: 'Endpoint', namespace: 'dynamo', component: 'backend', endpoint: 'generate', instance_id: 11, transport: { tcp: '127.0.0.1:9/b/generate' } });
    await inTens(files, async (file) => {
      await writeFile(file, content);
      if (!random.once(200)) await utimes(file, long, long);
    });
    await delay(1000);
    await inTens(files, (file) => rm(file, { force: true }));
  },
  ...Object.fromEntries(strangerKinds.map(([what, start]) => [`${what} on a worker's port`, strangerOf(start)])),
};

/** The worker is killed, and somebody else has its port while its record is still there. */
function strangerOf(begin: Stranger): Fault {
  return async ({ fleet }, place) => {
    const { port, file, process } = fleet.at(place);
    await process.kill();
    const stranger = await begin(port).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error; // Somebody else was quicker: as good.
      return undefined;
    });
    const keepAlive = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), 500);
    await Promise.all([fleet.start(place), delay(STRANGER_STAYS_MS)]);
    clearInterval(keepAlive);
    for (const socket of stranger?.sockets ?? []) socket.destroy();
    stranger?.server.close();
  };
}

/** A store that vanishes meanwhile is part of it. */
async function inTens(files: readonly string[], step: (file: string) => Promise<void>): Promise<void> {
  const left = [...files];
  await Promise.all(Array.from({ length: 10 }, async () => {
    for (let file = left.pop(); file !== undefined; file = left.pop()) await step(file).catch(() => undefined);
  }));
}

export const FAULT_NAMES = Object.keys(FAULTS);

/** Which fault comes when and where: by the seed alone. All kinds come once before one comes again. */
export function * sequence(seed: number, places: number): Generator<{ readonly name: string; readonly place: number; readonly random: Random }> {
  const random = new Random(hashOf('faults', seed));
  for (;;) {
    const deck = [...FAULT_NAMES];
    while (deck.length > 0) {
      const [name] = deck.splice(random.below(deck.length), 1) as [string];
      yield { name, place: random.below(places), random: new Random(random.below(2 ** 31)) };
    }
  }
}

/** Does these faults one after the other, `everyMs` apart, until `isOver`; those of one place wait for each other. Gives how often each was done. */
export async function inject(scene: Scene, seed: number, everyMs: number, isOver: () => boolean): Promise<Map<string, number>> {
  const done = new Map<string, number>();
  const busy = Array.from({ length: scene.fleet.places }, () => Promise.resolve());
  for (const { name, place, random } of sequence(seed, scene.fleet.places)) {
    await busy[place];
    if (isOver()) break;
    done.set(name, (done.get(name) ?? 0) + 1);
    busy[place] = FAULTS[name]!(scene, place, random).catch((error: unknown) => scene.onFault(`'${name}' could not be done: ${String(error)}`));
    await delay(everyMs);
  }
  await Promise.all(busy);
  return done;
}
