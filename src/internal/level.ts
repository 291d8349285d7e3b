/** Severity of a record or span, least severe first; `off` lets nothing through. */
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

const RANK: Readonly<Record<Level | 'off', number>> = { trace: 0, debug: 1, info: 2, warn: 3, error: 4, off: 5 };

/** Position of a level: higher is more severe. `off` stands above them all. */
export function levelRank(level: Level | 'off'): number {
  return RANK[level];
}

/** The level that `text` names, in any case; undefined when it names none. */
export function parseLevel(text: string): Level | 'off' | undefined {
  const lower = text.toLowerCase();
  return Object.hasOwn(RANK, lower) ? (lower as Level | 'off') : undefined;
}
