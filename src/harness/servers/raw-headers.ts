import type { RequestHeaders } from '../../protocol/index.js';
import type { Fault } from '../link/index.js';
import { AUDITED_HEADERS } from '../trace/index.js';

/** Headers as they stand on the wire: names and values in turn, repeated ones included. */
export type RawHeaders = readonly string[];

/** Headers of one connection: a proxy has connections of its own. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade'];

function pairsOf(raw: RawHeaders): [name: string, value: string][] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? '']] : []));
}

/** The headers without those of the connection and those named in `others`. */
export function endToEnd(raw: RawHeaders, ...others: readonly string[]): string[] {
  const pairs = pairsOf(raw);
  const named = pairs.filter(([name]) => name.toLowerCase() === 'connection').flatMap(([, value]) => value.toLowerCase().split(',').map((token) => token.trim()));
  const gone = new Set([...HOP_BY_HOP, ...named, ...others]);
  return pairs.filter(([name]) => !gone.has(name.toLowerCase())).flat();
}

/** All values of each header, by lower-case name. */
export function distinct(raw: RawHeaders): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const [name, value] of pairsOf(raw)) (found[name.toLowerCase()] ??= []).push(value);
  return found;
}

/** The headers with the changes of a fault: those that it does not touch stay as they are. Without the whole block there are no trace headers. */
export function changed(raw: RawHeaders, change: Extract<Fault, { kind: 'headers' }>['change']): string[] {
  const before: RequestHeaders = Object.fromEntries(Object.entries(distinct(raw)).map(([name, values]) => [name, values.join(', ')]));
  const after = change(before) ?? Object.fromEntries(Object.entries(before).filter(([name]) => !AUDITED_HEADERS.includes(name)));
  const wanted = new Map(Object.entries(after).map(([name, value]) => [name.toLowerCase(), value]));
  const kept = pairsOf(raw).filter(([name]) => wanted.get(name.toLowerCase()) === before[name.toLowerCase()]);
  return [...kept, ...[...wanted].filter(([name, value]) => before[name] !== value)].flat();
}
