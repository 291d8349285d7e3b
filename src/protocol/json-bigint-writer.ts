import { checkWire } from './wire-integer.js';

/**
 * JSON.stringify that writes BigInts as bare numbers. Slower, so it runs only for values that hold a BigInt.
 * @throws RangeError for a cycle (by stack depth) and for a BigInt that fits neither u64 nor i64.
 */
export function stringifyBigInts(value: unknown, key = ''): string | undefined {
  if (typeof value === 'bigint') return checkWire(value).toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return stringifyPlain(toJSON.call(value, key));
  return stringifyPlain(value);
}

/** The same without asking for toJSON again. */
function stringifyPlain(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return stringifyBigInts(value);
  if (value instanceof Number || value instanceof String || value instanceof Boolean) return JSON.stringify(value);
  // Array.from, not map: a hole must become null like any other undefined.
  if (Array.isArray(value)) return `[${Array.from(value, (item, index) => stringifyBigInts(item, String(index)) ?? 'null').join(',')}]`;
  const entries: string[] = [];
  for (const [name, item] of Object.entries(value)) {
    const text = stringifyBigInts(item, name);
    if (text !== undefined) entries.push(`${JSON.stringify(name)}:${text}`);
  }
  return `{${entries.join(',')}}`;
}
