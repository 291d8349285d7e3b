/** Whose API it is: decides the shape of errors. */
export type Api = 'openai' | 'anthropic';

/**
 * What a value at some place of a JSON text means. `usage` holds token counts, `promptUsage` counts of which only those of the
 * prompt are final; `errorType`, `message` and `code` are those of an error that is not nested under `error`.
 */
export type Field =
  | 'id' | 'model' | 'stream' | 'finish' | 'index' | 'status' | 'usage' | 'promptUsage' | 'error'
  | 'object' | 'type' | 'errorType' | 'message' | 'code' | 'detail' | 'prefillWorker' | 'decodeWorker';

/** Where in an object the wanted values are: by key a meaning, an object within, or an array of objects (in brackets). */
export interface Shape {
  readonly [key: string]: Field | Shape | readonly [Shape];
}

/** Where token counts are inside `usage`: paths of keys, the first that holds a count is taken. */
export interface UsagePaths {
  readonly input: readonly (readonly string[])[];
  /** Counts that `input` leaves out: every one of them is added to it. */
  readonly inputBeside?: readonly (readonly string[])[];
  readonly output: readonly (readonly string[])[];
  readonly cached: readonly (readonly string[])[];
}

/** A stream whose events are all of one kind, as OpenAI's chunks. */
export interface ChunkStream {
  readonly kind: 'chunks';
  readonly shape: Shape;
  /** A key that every chunk with content has. An event without it is always read in full: it may be an error. */
  readonly anchor: string;
  /** Keys after the anchor whose non-empty value is a token for the client. */
  readonly content: readonly string[];
  /** The key of the finish reason, null until the end. */
  readonly finish: string;
}

/** A stream whose events say their type, in the `event` field or as `type` in the data. */
export interface TypedStream {
  readonly kind: 'typed';
  readonly shape: Shape;
  /** What to do with an event of a type: it carries tokens, or it is read. Any other type is passed over. */
  readonly events: Readonly<Record<string, 'content' | 'read'>>;
  /** Keys that hold the content; an event of type `content` counts unless one of them is an empty string. */
  readonly content: readonly string[];
  /** How events without a type are read, for an API of which some engines stream chunks. Their values are found by this stream's `shape`. */
  readonly untyped?: Omit<ChunkStream, 'shape'>;
}

/** One API as data: where in its bodies and streams the facts of a request are. */
export interface Dialect {
  /** Whose shape an error has that is answered in its place. */
  readonly api: Api;
  /** `gen_ai.operation.name` by OpenTelemetry's conventions. Absent: the endpoint decides (`genAiOf` in routes.ts). */
  readonly operation?: string;
  /** `gen_ai.provider.name` by OpenTelemetry's conventions: whose API it is, which does not tell whose model answers. */
  readonly provider: string;
  /** A unary answer, and the body of an error. */
  readonly body: Shape;
  readonly usage: UsagePaths;
  /** How a stream is read. Absent: the API has none, and an event stream is read for usage and errors only. */
  readonly stream?: ChunkStream | TypedStream;
  /** An answer of type `text/plain` is content: every piece that goes out counts as a chunk with tokens. */
  readonly text?: true;
}
