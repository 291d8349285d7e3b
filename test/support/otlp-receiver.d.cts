export interface Exported {
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly body: unknown;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export interface Receiver {
  readonly url: string;
  /** Makes a process export here. */
  readonly env: Readonly<Record<string, string>>;
  readonly spans: readonly Exported[];
  readonly logs: readonly Exported[];
  readonly metrics: readonly Exported[];
  /** How each export came: `grpc spans`, `http/protobuf logs`. */
  readonly exports: readonly string[];
  until(what: string, done: () => boolean, timeoutMs?: number): Promise<void>;
  tree(traceId?: string): string;
  close(): void;
}

export function startReceiver(protocol: 'grpc' | 'http/protobuf'): Promise<Receiver>;
