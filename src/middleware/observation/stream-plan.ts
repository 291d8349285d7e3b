import type { ChunkStream, Dialect, Shape, TypedStream } from '../dialects/index.js';

/** A {@link ChunkStream} made ready for searching. */
export interface ChunkPlan {
  readonly kind: 'chunks';
  readonly shape: Shape;
  readonly anchor: string;
  readonly content: RegExp;
  readonly finish: string;
}

/** A {@link TypedStream} made ready for searching. */
export interface TypedPlan {
  readonly kind: 'typed';
  readonly shape: Shape;
  readonly events: ReadonlyMap<string, 'content' | 'read'>;
  readonly empty: RegExp;
  /** For events without a type. */
  readonly untyped: ChunkPlan | undefined;
}

export type Plan = ChunkPlan | TypedPlan;

/** White space of JSON. */
const BLANKS = '[ \\t\\r\\n]*';
const plans = new WeakMap<Dialect, Plan>();

/** How a dialect's stream is read, prepared once for each dialect. */
export function planOf(dialect: Dialect): Plan {
  let plan = plans.get(dialect);
  if (plan === undefined) plans.set(dialect, plan = makePlan(dialect));
  return plan;
}

function makePlan({ stream, body }: Dialect): Plan {
  if (stream === undefined) return { kind: 'chunks', shape: body, anchor: '', content: /$^/g, finish: '' };
  return stream.kind === 'chunks' ? chunkPlan(stream) : typedPlan(stream);
}

function chunkPlan({ shape, anchor, content, finish }: ChunkStream): ChunkPlan {
  const filled = `"(?:${content.join('|')})"${BLANKS}:${BLANKS}(?:"[^"]|\\[${BLANKS}[{"]|\\{${BLANKS}")`;
  return { kind: 'chunks', shape, anchor: keyEnd(anchor), content: new RegExp(filled, 'g'), finish: keyEnd(finish) };
}

function typedPlan({ shape, events, content, untyped }: TypedStream): TypedPlan {
  const empty = new RegExp(`"(?:${content.join('|')})"${BLANKS}:${BLANKS}""`);
  return { kind: 'typed', shape, events: new Map(Object.entries(events)), empty, untyped: untyped && chunkPlan({ ...untyped, shape }) };
}

/** What is searched for a key. Without its opening mark: a search that begins at so common a character takes five times as long. */
export function keyEnd(key: string): string {
  return `${key}":`;
}
