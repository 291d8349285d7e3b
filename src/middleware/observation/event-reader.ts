import type { Dialect, Shape } from '../dialects/index.js';
import type { Truncated } from './bounded-store.js';
import type { EventSink } from './event-scanner.js';
import type { FactCollector } from './facts.js';
import { pickJson, utf8OfBytes } from './pick-json.js';
import { keyEnd, planOf, type ChunkPlan, type Plan, type TypedPlan } from './stream-plan.js';
import { readTail } from './truncated.js';

/** Events that are read in full while the response's id has not been seen: not every engine sends one. */
const EVENTS_WITHOUT_ID = 4;
const MAX_PLAIN_ERROR = 1024;
/** An event in a piece up to this length may be kept. */
const SMALL = 4096;

/**
 * Reads the events of one stream. Most carry content alone: those are recognised by a few searches for keys and never parsed
 * (design/5: 0.5 µs for a chunk). A quotation mark inside a JSON string is escaped, so a key with its closing mark and colon
 * cannot be found inside content.
 */
export class EventReader implements EventSink {
  readonly #plan: Plan;
  #now = 0;
  #isSmall = true;
  #withoutId = 0;
  #usageEvent = '';
  #usageIsBytes = false;

  constructor(dialect: Dialect, private readonly facts: FactCollector) {
    this.#plan = planOf(dialect);
  }

  /** The events that follow went out at `nowMs`, in a piece of `length` characters. */
  begin(nowMs: number, length: number): void {
    this.#now = nowMs;
    this.#isSmall = length <= SMALL;
  }

  /** Reads what has been put off. */
  flush(): void {
    const event = this.#usageEvent;
    this.#usageEvent = '';
    if (event !== '') this.#pick(event, this.#usageIsBytes);
  }

  event(name: string | undefined, data: string, isBytes: boolean): void {
    if (name === 'error') this.#readError(data, isBytes);
    else if (this.#plan.kind === 'chunks') this.#chunk(this.#plan, data, isBytes);
    else this.#typed(this.#plan, name ?? typeOf(data, isBytes), data, isBytes);
  }

  /** Usage stands at an event's end and names at its beginning, whatever lies between. */
  longEvent(name: string | undefined, { head, tail }: Truncated): void {
    if (name === 'error') return this.#readError(head, true);
    if (carriesTokens(this.#plan, name ?? typeOf(head, true), head)) this.facts.tokens(this.#now);
    this.#read(head, true);
    this.facts.add(readTail(tail, true), false);
  }

  #chunk(plan: ChunkPlan, data: string, isBytes: boolean): void {
    const anchor = plan.anchor === '' ? -1 : data.indexOf(plan.anchor);
    if (anchor === -1) return this.#read(data, isBytes);
    if (hasContent(plan, data, anchor)) this.facts.tokens(this.#now);
    if ((!this.facts.hasId && this.#withoutId++ < EVENTS_WITHOUT_ID) || hasValue(data, plan.finish)) this.#read(data, isBytes);
    else if (hasValue(data, USAGE)) this.#keepUsage(data, isBytes);
  }

  #typed(plan: TypedPlan, type: string | undefined, data: string, isBytes: boolean): void {
    if (type === undefined && plan.untyped !== undefined) return this.#chunk(plan.untyped, data, isBytes);
    // Without a type it may be an error in the form of OpenAI's chunks, as Dynamo sends it.
    const use = type === undefined ? 'read' : plan.events.get(type);
    if (use === 'read') return this.#read(data, isBytes);
    if (use !== 'content') return;
    if (!plan.empty.test(data)) this.facts.tokens(this.#now);
    if (hasValue(data, USAGE)) this.#keepUsage(data, isBytes);
  }

  /** Some engines send usage with every chunk, and only the last one counts: it is read when something else is, or at the end. */
  #keepUsage(data: string, isBytes: boolean): void {
    if (!this.#isSmall) return this.#read(data, isBytes);
    this.#usageEvent = data;
    this.#usageIsBytes = isBytes;
  }

  #read(data: string, isBytes: boolean): void {
    this.flush();
    this.#pick(data, isBytes);
  }

  #pick(data: string, isBytes: boolean): void {
    const found = pickJson(data, this.#plan.shape, isBytes);
    this.facts.add(found, found.type === 'error');
  }

  #readError(data: string, isBytes: boolean): void {
    if (/^[ \t\r\n]*\{/.test(data)) return this.facts.add(pickJson(data, this.#plan.shape, isBytes), true);
    const message = data.slice(0, MAX_PLAIN_ERROR);
    this.facts.fail(message === '' ? {} : { message: isBytes ? utf8OfBytes(message) : message });
  }
}

/** Whether an event carries tokens, by its beginning. */
function carriesTokens(plan: Plan, type: string | undefined, head: string): boolean {
  const chunks = plan.kind === 'chunks' ? plan : plan.untyped;
  if (plan.kind === 'typed' && type !== undefined) return plan.events.get(type) === 'content';
  return chunks !== undefined && hasContent(chunks, head);
}

/** Whether a chunk has, from `from` on, a value that is a token for the client. */
function hasContent(plan: ChunkPlan, data: string, from = 0): boolean {
  plan.content.lastIndex = from;
  return plan.content.test(data);
}

const USAGE = keyEnd('usage');

/** Whether a key (with its end) has a value that is not null. */
function hasValue(data: string, key: string): boolean {
  for (let at = data.indexOf(key); at !== -1; at = data.indexOf(key, at)) {
    at += key.length;
    while (data.charCodeAt(at) === 0x20) at += 1;
    if (!data.startsWith('null', at)) return true;
  }
  return false;
}

const TYPE_FIRST = /^[ \t\r\n]*\{[ \t\r\n]*"type"[ \t\r\n]*:[ \t\r\n]*"([^"\\]*)"/;
const TYPE_ONLY: Shape = { type: 'type' };

/** The `type` in the data, for a stream without `event` fields. */
function typeOf(data: string, isBytes: boolean): string | undefined {
  const first = TYPE_FIRST.exec(data);
  if (first !== null) return first[1];
  const { type } = pickJson(data, TYPE_ONLY, isBytes);
  return typeof type === 'string' ? type : undefined;
}
