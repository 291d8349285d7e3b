import { finished, Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';

/** Milliseconds after which a body that nobody reads is not waited for any longer. */
const UNREAD_MS = 10_000;

/**
 * Calls `ended` once when the body of `response` has been read to its end, was cancelled or failed; at once when there is
 * none. Looks on: the stream is neither locked nor wrapped nor read, so the caller has the very Response of fetch.
 * A body that nobody has begun to read within `unreadMs`, or that was thrown away, ended for us when the head came.
 */
export function onBodyEnd(response: Response, ended: (error?: unknown, at?: number) => void, unreadMs = UNREAD_MS): void {
  const body: ReadableStream | null = response.body;
  if (body === null || response.headers.get('content-length') === '0') return ended();
  const headAt = performance.now();
  const kept = new WeakRef(body); // a response that its caller drops can be collected, and its connection be used again
  const watch = setInterval(() => {
    const stream = kept.deref();
    if (stream !== undefined && (stream.locked || Readable.isDisturbed(stream as unknown as Readable))) return;
    clearInterval(watch);
    ended(undefined, headAt);
  }, unreadMs).unref();
  finished(body as unknown as NodeJS.ReadableStream, (error) => {
    clearInterval(watch);
    ended(error ?? undefined);
  });
}
