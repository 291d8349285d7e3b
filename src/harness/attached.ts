import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { invalidOption } from '../internal/index.js';
import type { Collector } from './otlp/index.js';
import { recordOfLine, type CapturedRecord } from './record/index.js';

/** What `harness.attach()` takes. */
export interface AttachOptions {
  /** Where the server answers, e.g. `http://127.0.0.1:8000`. */
  readonly url: string;
  /** A collector that its spans come to: one that is running, or true to start one. Default: none. */
  readonly collector?: Collector | boolean | undefined;
  /** Streams of its log in JSON lines, e.g. `child.stderr`: its records are captured. Default none. */
  readonly logs?: Readable | readonly Readable[] | undefined;
}

/** A server in another process that a harness looks at. */
export interface AttachedServer {
  readonly url: string;
  readonly collector: Collector | undefined;
  /** `harness.fetch` of a path of this server. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** @throws ERR_OPTION_INVALID for something that is no http URL */
export function checkUrl(url: unknown, path = 'attach.url'): string {
  const ok = typeof url === 'string' && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
  if (!ok) throw invalidOption(path, 'an http or https URL', url);
  return url;
}

/** Captures the records that a log stream carries; gives what stops it. */
export function readLog(stream: Readable, take: (record: CapturedRecord) => void): () => void {
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (line) => {
    const record = recordOfLine(line);
    if (record !== undefined) take(record);
  });
  // Closing the interface pauses the stream: a process that goes on logging must not block.
  return () => {
    lines.close();
    stream.resume();
  };
}
