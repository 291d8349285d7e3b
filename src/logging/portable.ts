import type { LogEntry } from './entry.js';
import { planOf, valueAt } from './field-plan.js';

/** The fields for a logger that is not ours: undefined ones left out, BigInt ids as text (JSON writers throw on them or round them). */
export function portableFields(entry: LogEntry): Record<string, unknown> {
  const portable: Record<string, unknown> = {};
  for (const place of planOf(entry).merged) {
    const given = valueAt(entry, place);
    const value = typeof given === 'bigint' ? given.toString() : given;
    if (value === undefined) continue;
    if (place.key === '__proto__') Object.defineProperty(portable, place.key, { value, writable: true, enumerable: true, configurable: true });
    else portable[place.key] = value;
  }
  return portable;
}
