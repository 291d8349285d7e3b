import { guarded } from './guard.js';

const endings = new Set<() => void>();

/** Runs `fn` when the process exits, before the listeners of others, or earlier, when a signal is about to end it (`runEndings`). It may run twice. */
export function onProcessEnd(fn: () => void): void {
  if (endings.size === 0) process.prependOnceListener('exit', runEndings);
  endings.add(fn);
}

/** What is open ends now: no later moment comes. */
export function runEndings(): void {
  for (const fn of endings) guarded('process end', fn, undefined);
}
