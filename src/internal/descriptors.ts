import { readFileSync } from 'node:fs';

let limit: number | undefined;

/** How many descriptors this process may have open: read once, on Linux; elsewhere no limit is known. */
export function descriptorLimit(): number {
  return (limit ??= readLimit());
}

/** `wanted` connections by default, or `share` of the descriptors where the process may not have so many; at least 1. */
export function withinDescriptors(wanted: number, share: number): number {
  return Math.max(1, Math.min(wanted, Math.floor(descriptorLimit() * share)));
}

function readLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    return Infinity;
  }
}
