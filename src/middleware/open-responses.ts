import type { ServerResponse } from 'node:http';

/** A recorded response that has not ended yet. */
export interface OpenResponse {
  readonly res: ServerResponse;
  /** Ends its record now, as what it is at this moment: its process or its connection goes away. */
  cut(): void;
}

const open = new Set<OpenResponse>();
let isHooked = false;

/** Adds a response until `noteClosed`. When the process exits, no `close` comes any more: what is open then is cut. */
export function noteOpen(response: OpenResponse): void {
  open.add(response);
  if (isHooked) return;
  isHooked = true;
  // Before the listeners of others, so that records and callbacks come before what writes them out for good.
  process.prependOnceListener('exit', () => openResponses().forEach((left) => left.cut()));
}

export function noteClosed(response: OpenResponse): void {
  open.delete(response);
}

/** All of this process, in the order of their arrival. */
export function openResponses(): readonly OpenResponse[] {
  return [...open];
}
