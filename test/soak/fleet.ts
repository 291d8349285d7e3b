/** The workers of the soak, each in a place of its own, and the store that they announce themselves in. */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SoakProcess, type Holding, type Line } from './processes.js';

const ENDPOINT = 'dynamo%2Fbackend%2Fgenerate%2F';
/** Milliseconds after which a record that nobody touches is a dead process's. */
const EXPIRES_MS = 10_000;

/** A worker with what it held when it had started. */
export interface Worker {
  readonly process: SoakProcess;
  readonly port: number;
  /** Its record in the store. */
  readonly file: string;
  readonly before: Holding;
  readonly lines: Line[];
}

export interface FleetOptions {
  /** Where the store is. */
  readonly folder: string;
  /** Where the programs are. */
  readonly programs: string;
  readonly places: number;
  /** `ulimit -n` of the worker in the last place. */
  readonly fewDescriptors: number;
  readonly onFault: (text: string) => void;
}

export class Fleet {
  readonly store: string;
  readonly #workers: (Worker | undefined)[] = [];
  #started = 0;

  constructor(private readonly options: FleetOptions) {
    this.store = join(options.folder, 'store');
    mkdirSync(this.instances, { recursive: true });
  }

  get instances(): string {
    return join(this.store, 'v1', 'instances');
  }

  get places(): number {
    return this.options.places;
  }

  get workers(): Worker[] {
    return this.#workers.filter((worker) => worker !== undefined);
  }

  at(place: number): Worker {
    const worker = this.#workers[place];
    if (worker === undefined) throw new Error(`no worker in place ${place}`);
    return worker;
  }

  /** Puts a new worker into a place. */
  async start(place: number): Promise<void> {
    const { programs, fewDescriptors, onFault } = this.options;
    const lines: Line[] = [];
    const process = new SoakProcess(`worker ${(this.#started += 1)} in place ${place}`, {
      folder: programs, program: 'worker', onFault,
      descriptors: place === this.places - 1 ? fewDescriptors : undefined,
      env: { LISTEN: '127.0.0.1:0', DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: this.store },
      onLine: (line) => {
        if (/^request (?:received|completed)$/.test(String(line['message']))) lines.push(line);
      },
    });
    const [, port, id] = /:(\d+)\/([0-9a-f]+)\//.exec(await process.address) ?? [];
    this.#workers[place] = { process, port: Number(port), file: join(this.instances, ENDPOINT + String(id)), before: await process.holding(), lines };
  }

  /** What a worker that was not killed has to answer for: each request that it received has its end. */
  unended({ lines, process }: Worker): string[] {
    const open = new Map<string, number>();
    for (const line of lines) {
      const id = String(line['request_id']);
      open.set(id, (open.get(id) ?? 0) + (line['message'] === 'request received' ? 1 : -1));
    }
    return [...open].filter(([, count]) => count !== 0).map(([id, count]) => `${process.name}: ${id} was received ${count} times more than it was completed`);
  }

  /** Whether the store holds live records of these workers and of no others. */
  isSettled(): boolean {
    const oldest = Date.now() - EXPIRES_MS;
    const live = readdirSync(this.instances).filter((name) => name.startsWith(ENDPOINT)).map((name) => join(this.instances, name)).filter((file) => (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= oldest);
    const wanted = new Set(this.workers.map(({ file }) => file));
    return wanted.size === this.places && live.length === wanted.size && live.every((file) => wanted.has(file));
  }
}
