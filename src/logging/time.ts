let origin = performance.timeOrigin;

/** The system's time with microseconds. The monotonic clock knows nothing of a system clock that is set, nor of a machine that slept. */
function wallClockMs(): number {
  const coarse = Date.now();
  if (Math.abs(origin + performance.now() - coarse) > 2) origin = coarse - performance.now();
  return origin + performance.now();
}

let second = -1;
let prefix = '';
let suffix = '';
let local = false;

function pad(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

function offsetOf(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

/**
 * The present as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, or local time with its offset. The part up to the second is kept between calls:
 * formatting a date costs more than the rest of a record.
 */
export function timestamp(useLocal: boolean, epochMs: number = wallClockMs()): string {
  const now = Math.floor(epochMs / 1000);
  if (now !== second || useLocal !== local) {
    const date = new Date(now * 1000);
    prefix = useLocal
      ? `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}T${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.`
      : date.toISOString().slice(0, 20);
    suffix = useLocal ? offsetOf(date) : 'Z';
    second = now;
    local = useLocal;
  }
  const micros = Math.floor((epochMs - now * 1000) * 1000);
  return `${prefix}${String(micros).padStart(6, '0')}${suffix}`;
}
