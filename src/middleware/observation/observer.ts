import { reportFault } from '../../internal/index.js';
import type { Dialect } from '../dialects/index.js';
import { BodyReader } from './body-reader.js';
import { EventReader } from './event-reader.js';
import { EventScanner } from './event-scanner.js';
import { FactCollector, type ResponseFacts } from './facts.js';

/**
 * How a body is watched. `sniff`: the head did not say what it is, or says that it is compressed while a middleware may do that
 * only after us: the first piece decides. `timed`: a compressed stream, whose bytes tell only when they came.
 */
type Mode = 'sniff' | 'stream' | 'unary' | 'timed' | 'blind';

/**
 * Watches one inference response: `head`, every `chunk` as it goes out, `end`. Reads and never changes, keeps no reference to a
 * buffer that it is given, holds at most 64 KiB of a stream and 1 MiB of a unary body, and never throws: a fault of its own is
 * reported once and the response goes unwatched from there.
 */
export class ResponseObserver {
  readonly #facts: FactCollector;
  #mode: Mode = 'sniff';
  #isStream = false;
  #failed = false;
  #scanner: EventScanner | undefined;
  #events: EventReader | undefined;
  #body: BodyReader | undefined;

  constructor(private readonly dialect: Dialect) {
    this.#facts = new FactCollector(dialect);
  }

  /** Whether the response is an event stream. */
  get streaming(): boolean {
    return this.#isStream;
  }

  /** Bytes held at this moment for a cut event or an unfinished body. */
  get held(): number {
    return (this.#scanner?.held ?? 0) + (this.#body?.held ?? 0);
  }

  /** The response head: decides what the body is. Values are those of the headers of the same names, when there are any. */
  head(status: number, contentType: string | undefined, contentEncoding: string | undefined): void {
    this.#failed = status >= 400;
    const type = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
    this.#isStream = type === 'text/event-stream';
    const isJson = type === 'application/json' || type.endsWith('+json');
    if (isEncoded(contentEncoding) || type === '') this.#mode = this.#isStream || isJson || type === '' ? 'sniff' : 'blind';
    else this.#enter(this.#isStream ? 'stream' : isJson ? 'unary' : 'blind');
  }

  /** A piece of the body has gone out. `nowMs` is monotonic; `encoding` is that of a string, UTF-8 when absent. */
  chunk(data: string | Uint8Array, encoding: BufferEncoding | undefined, nowMs: number): void {
    if (this.#mode === 'blind') return;
    try {
      this.#take(data, encoding, nowMs);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** The body has ended, complete or not. */
  end(nowMs: number): void {
    try {
      this.#events?.begin(nowMs, 0);
      this.#scanner?.end();
      this.#body?.end();
    } catch (error) {
      this.#giveUp(error);
    }
    this.#mode = 'blind';
    this.#scanner = undefined;
    this.#body = undefined;
  }

  /** What has been seen so far. */
  facts(): ResponseFacts {
    try {
      this.#events?.flush();
    } catch (error) {
      this.#giveUp(error);
    }
    return this.#facts.facts();
  }

  #take(data: string | Uint8Array, encoding: BufferEncoding | undefined, nowMs: number): void {
    const isBytes = typeof data !== 'string' || (encoding !== undefined && !isUtf8Name(encoding));
    const text = typeof data === 'string' && !isBytes ? data : byteText(data, encoding);
    if (text === '') return;
    if (this.#mode === 'sniff') this.#enter(sniff(text, this.#isStream));
    if (this.#mode === 'stream') {
      this.#events?.begin(nowMs, text.length);
      this.#scanner?.push(text, isBytes);
    } else if (this.#mode === 'unary') {
      this.#body?.push(text, isBytes);
    } else if (this.#mode === 'timed') {
      this.#facts.bytes(nowMs);
    }
  }

  #enter(mode: Mode): void {
    this.#mode = mode;
    if (mode === 'stream') {
      this.#isStream = true;
      this.#events = new EventReader(this.dialect, this.#facts);
      this.#scanner = new EventScanner(this.#events);
    } else if (mode === 'unary') {
      this.#body = new BodyReader(this.dialect, this.#facts, this.#failed);
    }
  }

  #giveUp(error: unknown): void {
    this.#mode = 'blind';
    reportFault('response observer', error);
  }
}

function isEncoded(contentEncoding: string | undefined): boolean {
  const encoding = contentEncoding?.trim().toLowerCase() ?? '';
  return encoding !== '' && encoding !== 'identity';
}

function isUtf8Name(encoding: string): boolean {
  return encoding === 'utf8' || encoding === 'utf-8' || /^utf-?8$/i.test(encoding);
}

/** One character for each byte: such text can be cut anywhere and searched as fast as bytes in C. */
function byteText(data: string | Uint8Array, encoding: BufferEncoding | undefined): string {
  if (typeof data === 'string') return Buffer.from(data, encoding).toString('latin1');
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return bytes.toString('latin1');
}

/** What a body is by how it begins. */
function sniff(text: string, isStream: boolean): Mode {
  if (/^(?:\ufeff|\u00ef\u00bb\u00bf)?(?:data|event|id|retry)?:/.test(text)) return 'stream';
  if (/^\s*\{\s*(?:"|\}|$)/.test(text)) return 'unary';
  return isStream ? 'timed' : 'blind';
}
