import type { Sent } from './clients.js';
import { SoakProcess, type Holding, type Line } from './processes.js';

export interface FrontOptions {
  /** Where the programs are. */
  readonly programs: string;
  /** Where workers announce themselves. */
  readonly store: string;
  /** A fault of plants.cjs, or none. */
  readonly plant: string;
  readonly onFault: (text: string) => void;
}

/** A gateway, what was sent to it, and what it wrote. */
export class Front {
  readonly lines: Line[] = [];
  readonly sent: Sent[] = [];
  /** Errors of handlers, by name and code. */
  readonly errors = new Map<string, number>();
  readonly process: SoakProcess;
  url = '';
  before!: Holding;

  /** @param clients Requests at one time. @param descriptors `ulimit -n` */
  constructor(name: string, readonly clients: number, readonly descriptors: number | undefined, { programs, store, plant, onFault }: FrontOptions) {
    this.process = new SoakProcess(name, {
      folder: programs, program: 'main', descriptors, onFault,
      env: {
        PORT: '0', DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: store, DYN_TCP_RESPONSE_STREAM_HOST: '127.0.0.1', SOAK_PLANT: plant,
        // Shorter than the deadline of a request, which has two attempts; a host that is not used loses its connections at once.
        GATEWAY_WORKER_TIMEOUT_MS: '3000', DYN_TCP_REQUEST_TIMEOUT: '3', DYN_TCP_CONNECT_TIMEOUT: '2', DYN_HTTP_BACKEND_STREAM_TIMEOUT_SECS: '3', DYN_TCP_HOST_IDLE_TTL_SECS: '2',
      },
      onLine: (line) => this.#take(line, onFault),
    });
  }

  #take(line: Line, onFault: (text: string) => void): void {
    const { message, target } = line;
    if (line['dropped_lines'] !== undefined) onFault(`${this.process.name} dropped lines: ${JSON.stringify(line)}`);
    if (!String(target).endsWith('::request')) return;
    if (message === 'request received' || message === 'request completed') this.lines.push(line);
    if (message !== 'request failed') return;
    const error = String(line['error_code'] ?? line['error_name']);
    this.errors.set(error, (this.errors.get(error) ?? 0) + 1);
    if (/^(?:Type|Range|Reference|Syntax)Error$/.test(String(line['error_name']))) onFault(`${this.process.name} failed on a request: ${JSON.stringify(line)}`);
  }
}
