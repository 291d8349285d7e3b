import { plainValue } from './plain-value.js';
import { checkWire } from './wire-integer.js';

/**
 * JSON.stringify that writes BigInts as bare numbers. Slower, so it runs only for values that hold a BigInt.
 * @throws RangeError for a cycle (by stack depth) and for a BigInt that fits neither u64 nor i64.
 */
export function stringifyBigInts(value: unknown, key: string | number = ''): string | undefined {
  const plain = plainValue(value, key);
  if (typeof plain === 'bigint') return checkWire(plain).toString();
  if (typeof plain !== 'object' || plain === null) return JSON.stringify(plain);
  // Array.from, not map: a hole must become null like any other undefined.
  if (Array.isArray(plain)) return `[${Array.from(plain, (item, index) => stringifyBigInts(item, index) ?? 'null').join(',')}]`;
  const entries: string[] = [];
  for (const [name, item] of Object.entries(plain)) {
    const text = stringifyBigInts(item, name);
    if (text !== undefined) entries.push(`${JSON.stringify(name)}:${text}`);
  }
  return `{${entries.join(',')}}`;
}
