import { DIALECTS, type DialectName } from '../../../src/middleware/dialects/index.js';
import { ResponseObserver, type ResponseFacts } from '../../../src/middleware/observation/index.js';

export interface Observed {
  readonly dialect?: DialectName;
  readonly status?: number;
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string;
  readonly encoding?: BufferEncoding;
}

/** Shows an observer a response in the given pieces, at times 10, 20, 30 ... and gives what it saw. */
export function observe(pieces: readonly (string | Uint8Array)[], { dialect = 'openai-chat', status = 200, contentEncoding, encoding, ...rest }: Observed = {}): ResponseFacts {
  const observer = new ResponseObserver(DIALECTS[dialect]);
  observer.head(status, 'contentType' in rest ? rest.contentType : 'text/event-stream', contentEncoding);
  pieces.forEach((piece, index) => observer.chunk(piece, encoding, (index + 1) * 10));
  observer.end((pieces.length + 1) * 10);
  return observer.facts();
}

/** `bytes` cut at the given places. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((end, index) => bytes.slice(sorted[index], end));
}

/** Facts without the times, which depend on how a body was cut. */
export function timeless(facts: ResponseFacts): Omit<ResponseFacts, 'firstTokenAt' | 'lastTokenAt'> {
  const { firstTokenAt: _first, lastTokenAt: _last, ...rest } = facts;
  return rest;
}
