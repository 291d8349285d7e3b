import { valueAt, type Found } from './pick-json.js';

const FINISH = /"(?:finish_reason|stop_reason)"[ \t\r\n]*:[ \t\r\n]*"([^"\\]{1,64})"/g;
const USAGE = '"usage"';
/** Every try may read to the end of the text. */
const MAX_TRIES = 8;

/**
 * What can be told from the end of a body or event that was too long to keep: every API writes usage last, and the finish
 * reason after the content. The last of each counts.
 */
export function readTail(tail: string, isBytes: boolean): Found {
  const found: Found = {};
  for (const match of tail.matchAll(FINISH)) found.finish = match[1];
  let at = tail.lastIndexOf(USAGE);
  for (let tries = 0; at !== -1 && found.usage === undefined && tries < MAX_TRIES; tries += 1) {
    const colon = /[ \t\r\n]*:[ \t\r\n]*(?=\{)/y;
    colon.lastIndex = at + USAGE.length;
    if (colon.test(tail)) found.usage = valueAt(tail, colon.lastIndex, isBytes);
    at = at === 0 ? -1 : tail.lastIndexOf(USAGE, at - 1);
  }
  return found;
}
