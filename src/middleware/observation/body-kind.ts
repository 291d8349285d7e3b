import { isUtf8 } from 'node:buffer';
import type { Dialect } from '../dialects/index.js';

/** What a body is. `object`: one JSON text or lines of JSON. `timed`: a compressed stream, whose bytes tell only when they came. */
export type BodyKind = 'events' | 'lines' | 'json' | 'object' | 'text' | 'timed' | 'unread';

/** What the head says of a body. */
export interface BodyHead {
  readonly type: 'events' | 'lines' | 'json' | 'text' | 'none' | 'other';
  /** A status of 400 or higher. */
  readonly failed: boolean;
  /** The head says that the body is compressed; a middleware may do that only after us. */
  readonly encoded: boolean;
}

const LINE_TYPES: ReadonlySet<string> = new Set(['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines', 'application/json-lines', 'application/stream+json']);
/** Types that say nothing: Fastify sends a stream as bytes, and examples of `toReadableStream()` send its lines as text. */
const VAGUE_TYPES: ReadonlySet<string> = new Set(['', 'application/octet-stream', 'text/plain']);

/** Reads the head. Values are those of the headers of the same names. */
export function readHead(dialect: Dialect, status: number, contentType: string | undefined, contentEncoding: string | undefined): BodyHead {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const encoding = contentEncoding?.trim().toLowerCase() ?? '';
  const failed = status >= 400;
  return { type: typeOf(type, !failed && dialect.text === true), failed, encoded: encoding !== '' && encoding !== 'identity' };
}

function typeOf(type: string, readsText: boolean): BodyHead['type'] {
  if (type === 'text/event-stream') return 'events';
  if (LINE_TYPES.has(type)) return 'lines';
  if (type === 'application/json' || type.endsWith('+json')) return 'json';
  if (type === 'text/plain' && readsText) return 'text';
  return VAGUE_TYPES.has(type) ? 'none' : 'other';
}

/** What a body is by its head alone; undefined when its beginning has to tell. */
export function kindByHead({ type, failed, encoded }: BodyHead): BodyKind | undefined {
  if (type === 'other') return 'unread';
  if (encoded || type === 'none') return undefined;
  return type === 'lines' && failed ? 'json' : type;
}

/** A beginning that is longer than this is one of those that are known, or it is none. */
const MAX_START = 64;
/** A text must show some characters: compressed bytes may begin with one that could be text. */
const MIN_TEXT = 8;

const FIELD = /^(?:\ufeff|\u00ef\u00bb\u00bf)?(?:data|event|id|retry)?:/;
/** A beginning of what FIELD matches. */
const PART_OF_FIELD = /^(?:\ufeff|\u00ef(?:\u00bb(?:\u00bf)?)?)?(?:d(?:a(?:ta?)?)?|e(?:v(?:e(?:nt?)?)?)?|i(?:d)?|r(?:e(?:t(?:ry?)?)?)?)?$/;
/** White space is JSON's own, here and in every search: `\s` would match characters of a text whose bytes it does not match. */
const OBJECT = /^[ \t\r\n]*\{[ \t\r\n]*(?:["}]|$)/;
/** A beginning of what OBJECT matches: where the first piece ends must not decide. */
const PART_OF_OBJECT = /^[ \t\r\n]*(?:\{[ \t\r\n]*)?$/;

/**
 * What a body is by its beginning; undefined when more of it is needed. `isLast` says that no more will come; `isBytes` that each
 * character stands for a byte.
 */
export function kindByStart({ type, failed }: BodyHead, start: string, isBytes: boolean, isLast: boolean): BodyKind | undefined {
  if (type === 'text') return kindOfText(start, isBytes, isLast);
  if (FIELD.test(start)) return 'events';
  if (!isLast && start.length < MAX_START && (PART_OF_FIELD.test(start) || PART_OF_OBJECT.test(start))) return undefined;
  if (OBJECT.test(start.slice(0, MAX_START))) return type === 'lines' && !failed ? 'lines' : type === 'json' || failed ? 'json' : 'object';
  return type === 'events' || type === 'lines' ? 'timed' : 'unread';
}

function kindOfText(start: string, isBytes: boolean, isLast: boolean): BodyKind | undefined {
  if (!isBytes) return 'text';
  // eslint-disable-next-line no-control-regex -- control characters are what text does not have
  if (/[\x00-\x08\x0e-\x1f]/.test(start.slice(0, MAX_START)) || !isStartOfUtf8(start.slice(0, MAX_START))) return 'timed';
  return start.length >= MIN_TEXT || isLast ? 'text' : undefined;
}

/** Whether bytes are UTF-8, but for a character at the end that may have been cut. */
function isStartOfUtf8(bytes: string): boolean {
  return isUtf8(Buffer.from(bytes.replace(/[\u00c0-\u00ff][\u0080-\u00bf]{0,2}$/, ''), 'latin1'));
}
