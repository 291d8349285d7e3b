/** Clients of the soak: patient ones, slow ones, some that leave and some that ask for what there is not. Each request ends within its deadline, one way or another. */
import { randomUUID } from 'node:crypto';
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Random } from '../fuzz/random.js';

/** Milliseconds that a request may take, whatever happens to its worker: two attempts, each with its time limits, and the tokens. */
export const DEADLINE_MS = 60_000;

export const KINDS = ['patient', 'slow', 'leaves at once', 'leaves in its body', 'leaves midway', 'asks amiss'] as const;
export type Kind = (typeof KINDS)[number];

/**
 * What a client saw. `answered`: whole; `refused`: a status from 400; `failed`: an error told inside a stream; `cut`: a response without its end;
 * `unanswered`: the connection ended with no response; `left`: the client went; `overdue`: none of these in time.
 */
export type Outcome = 'answered' | 'refused' | 'failed' | 'cut' | 'unanswered' | 'left' | 'overdue';

export interface Plan {
  readonly kind: Kind;
  readonly path: string;
  readonly stream: boolean;
  readonly tokens: number;
  readonly amiss?: 'model' | 'json' | 'type';
}

export interface Sent extends Plan {
  readonly id: string;
  readonly outcome: Outcome;
  readonly status?: number | undefined;
  /** Sent over a connection that had been used before, which the gateway may have closed meanwhile: any HTTP client may lose a request so. */
  readonly isReused: boolean;
  /** What was wrong with the response itself. */
  readonly complaint?: string | undefined;
}

const LIMIT_NAMES: Readonly<Record<string, string>> = { '/v1/chat/completions': 'max_tokens', '/v1/completions': 'max_tokens', '/v1/responses': 'max_output_tokens', '/v1/messages': 'max_tokens' };
const PATHS = Object.keys(LIMIT_NAMES);
const LAST_EVENT = /data: \[DONE\]|event: (?:response\.completed|message_stop)/;
const ERROR_EVENT = /event: error|event: response\.failed|data: \{"error"/;

export function plan(random: Random): Plan {
  const kind = random.pick<Kind>(['patient', 'patient', 'patient', 'patient', 'patient', 'slow', 'leaves at once', 'leaves in its body', 'leaves midway', 'leaves midway', 'asks amiss']);
  const path = random.pick(PATHS);
  if (kind === 'asks amiss') return { kind, path, stream: random.once(2), tokens: 1, amiss: random.pick(['model', 'json', 'type'] as const) };
  if (kind === 'slow') return { kind, path, stream: true, tokens: random.once(10) ? 500 : 200 };
  // Who leaves has asked for more than there is time for.
  if (kind !== 'patient') return { kind, path, stream: kind === 'leaves midway' || random.once(2), tokens: 100_000 };
  return { kind, path, stream: random.once(2), tokens: 1 + random.below(40) };
}

/** A gateway as clients see it; closes its connections when asked. */
export class Target {
  /** Kept for less than the gateway keeps them. */
  readonly #agent = new Agent({ keepAlive: true, timeout: 1000 });

  constructor(private readonly url: string) {}

  close(): void {
    this.#agent.destroy();
  }

  /** Sends a request and says how it ended for its client. Never rejects. */
  send(planned: Plan): Promise<Sent> {
    const id = randomUUID();
    return new Promise((resolve) => {
      // Who reads slowly sees the end of a response when the gateway has long begun to count the connection as idle: it is used once.
      const req = request(this.url + planned.path, { agent: planned.kind === 'slow' ? false : this.#agent, method: 'POST', headers: headersOf(planned, id) });
      let lastByte: number | undefined;
      const timer = setTimeout(() => end('overdue', undefined, lastByte === undefined ? 'nothing came' : `the last byte came ${Date.now() - lastByte} ms before`), DEADLINE_MS);
      const end = (outcome: Outcome, status?: number, complaint?: string): void => {
        clearTimeout(timer);
        req.destroy();
        resolve({ ...planned, id, outcome, status, complaint, isReused: req.reusedSocket });
      };
      req.on('error', () => end('unanswered'));
      req.on('response', (res) => {
        const complaint = res.headers['x-request-id'] === id ? undefined : `its x-request-id came back as ${String(res.headers['x-request-id'])}`;
        res.on('data', () => (lastByte = Date.now()));
        read(res, planned, (outcome) => end(outcome, res.statusCode, complaint));
      });
      write(req, planned, () => end('left'));
    });
  }
}

function headersOf({ amiss, ...planned }: Plan, id: string): Record<string, string> {
  return { 'content-type': amiss === 'type' ? 'text/plain' : 'application/json', 'content-length': String(Buffer.byteLength(bodyOf({ ...planned, ...(amiss === undefined ? {} : { amiss }) }))), 'x-request-id': id };
}

function bodyOf({ path, stream, tokens, amiss }: Plan): string {
  const words = 'how is the weather';
  const prompt = path === '/v1/completions' ? { prompt: words } : path === '/v1/responses' ? { input: words } : { messages: [{ role: 'user', content: words }] };
  const body = JSON.stringify({ model: amiss === 'model' ? 'none-of-ours' : 'mock-model', ...prompt, [LIMIT_NAMES[path]!]: tokens, stream });
  return amiss === 'json' ? body.replace('{', '[') : body;
}

/** Those that leave early do so when the gateway's system has what they sent, so that each of them is a request. */
function write(req: ClientRequest, planned: Plan, leave: () => void): void {
  const body = bodyOf(planned);
  if (planned.kind === 'leaves in its body') req.write(body.slice(0, body.length / 2), leave);
  else req.end(body, planned.kind === 'leaves at once' ? leave : undefined);
}

function read(res: IncomingMessage, { kind, stream }: Plan, end: (outcome: Outcome) => void): void {
  const status = res.statusCode ?? 0;
  let text = '';
  let pauses = 0;
  res.setEncoding('utf8');
  res.on('data', (chunk: string) => {
    text = stream ? (text + chunk).slice(-TAIL) : text + chunk;
    if (kind === 'leaves midway' && status === 200 && !ERROR_EVENT.test(text)) return end('left');
    if (kind !== 'slow' || pauses === PAUSES) return;
    pauses += 1;
    res.pause();
    setTimeout(() => res.resume(), PAUSE_MS);
  });
  res.on('error', () => undefined).on('close', () => {
    if (!res.complete) end('cut');
    else if (status >= 400) end('refused');
    else if (stream && ERROR_EVENT.test(text)) end('failed');
    else end(stream ? (LAST_EVENT.test(text) ? 'answered' : 'cut') : (isJson(text) ? 'answered' : 'cut'));
  });
}

/** A slow client does not read for so many milliseconds after each of so many chunks. */
const PAUSE_MS = 50;
const PAUSES = 100;
/** Characters of a stream that are kept: more than its last event has. */
const TAIL = 2 ** 15;

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
