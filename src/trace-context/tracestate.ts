import { trimBlank } from './traceparent.js';

/** W3C: at most 32 list members. */
export const MAX_MEMBERS = 32;
/** Far above the 512 characters that the W3C asks for; a header block for a worker holds 65,535 bytes. */
const MAX_LENGTH = 8192;
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** Whether `key=value` can stand in a tracestate. */
export function isTracestateMember(key: string, value: string): boolean {
  return MEMBER.test(`${key}=${value}`);
}

/**
 * Reads `tracestate` by W3C Trace Context level 2 and gives it in canonical form: members in order, several headers joined,
 * empty members and the blanks around members left out. Undefined when it is empty or breaks a rule (alphabet, lengths, more
 * than 32 members, more than 8,192 characters): then the whole of it is dropped, as the W3C says. Duplicate keys stay.
 */
export function parseTracestate(value: string | readonly string[]): string | undefined {
  const text = typeof value === 'string' ? value : value.join(',');
  if (text === '' || text.length > MAX_LENGTH) return undefined;
  const members: string[] = [];
  for (const piece of text.split(',')) {
    const member = trimBlank(piece);
    if (member === '') continue;
    if (members.length === MAX_MEMBERS || !MEMBER.test(member)) return undefined;
    members.push(member);
  }
  return members.length > 0 ? members.join(',') : undefined;
}
