/** What a `traceparent` header says. Ids are lower-case hex. */
export interface Traceparent {
  /** 32 hex digits, not all zero. */
  readonly traceId: string;
  /** 16 hex digits, not all zero: the sender's span. */
  readonly spanId: string;
  /** The flags this package knows: 1 (sampled) and 2 (random); unknown bits are cleared. */
  readonly traceFlags: number;
}

/** The sender recorded its span. */
export const SAMPLED = 0x01;
/** The trace id's last seven bytes are random (W3C level 2). */
export const RANDOM_TRACE_ID = 0x02;
const KNOWN_FLAGS = SAMPLED | RANDOM_TRACE_ID;

const LENGTH = 55; // 2 + 1 + 32 + 1 + 16 + 1 + 2
const ZERO_TRACE_ID = '0'.repeat(32);
const ZERO_SPAN_ID = '0'.repeat(16);
const DASH = 0x2d;

/**
 * Parses a `traceparent` value by W3C Trace Context level 2: version 00 is exactly 55 characters; versions 01 to fe are read
 * by their first four fields when more follows after a dash; ff, upper case and all-zero ids are refused. Space and tab
 * around the value are allowed. Never throws; gives undefined for what is not a traceparent.
 */
export function parseTraceparent(value: string): Traceparent | undefined {
  const text = isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1)) ? trimBlank(value) : value;
  if (text.length < LENGTH || !hasDashes(text)) return undefined;
  if (!isLowerHex(text, 0, 2) || !isLowerHex(text, 3, 35) || !isLowerHex(text, 36, 52) || !isLowerHex(text, 53, 55)) return undefined;
  if (text.length > LENGTH && (text.startsWith('00') || text.charCodeAt(LENGTH) !== DASH)) return undefined;
  if (text.startsWith('ff')) return undefined;
  const traceId = text.slice(3, 35);
  const spanId = text.slice(36, 52);
  if (traceId === ZERO_TRACE_ID || spanId === ZERO_SPAN_ID) return undefined;
  return { traceId, spanId, traceFlags: parseInt(text.slice(53, 55), 16) & KNOWN_FLAGS };
}

/** The version 00 header for these ids. */
export function formatTraceparent({ traceId, spanId, traceFlags }: Traceparent): string {
  return `00-${traceId}-${spanId}-0${traceFlags & KNOWN_FLAGS}`;
}

/** Whether `id` is 32 lower-case hex digits and not all zero. */
export function isTraceId(id: string): boolean {
  return id.length === 32 && isLowerHex(id, 0, 32) && id !== ZERO_TRACE_ID;
}

/** Whether `id` is 16 lower-case hex digits and not all zero. */
export function isSpanId(id: string): boolean {
  return id.length === 16 && isLowerHex(id, 0, 16) && id !== ZERO_SPAN_ID;
}

function hasDashes(text: string): boolean {
  return text.charCodeAt(2) === DASH && text.charCodeAt(35) === DASH && text.charCodeAt(52) === DASH;
}

function isLowerHex(text: string, from: number, to: number): boolean {
  for (let i = from; i < to; i += 1) {
    const c = text.charCodeAt(i);
    if (!((c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x66))) return false;
  }
  return true;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Without the spaces and tabs around it; other white space stays (and is then refused). */
export function trimBlank(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}
