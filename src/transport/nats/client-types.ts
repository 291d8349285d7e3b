import type { NatsHeaders } from '../../trace-context/index.js';

// What is used of @nats-io/transport-node, spelled out: the published types must compile where it is not installed.

/** A message of a NATS client, as far as it is used here. */
export interface NatsMessage {
  readonly data: Uint8Array;
  readonly headers?: NatsHeaders;
  respond(payload?: Uint8Array | string): boolean;
}

/** A subscription of a NATS client, as far as it is used here. */
export interface NatsSubscription {
  drain(): Promise<void>;
}

/** A connected NATS client, as far as it is used here: `connect()` of `@nats-io/transport-node` gives one. */
export interface NatsConnection {
  readonly info?: { readonly max_payload: number };
  request(subject: string, payload?: Uint8Array | string, options?: { timeout: number; headers?: NatsHeaders }): Promise<NatsMessage>;
  subscribe(subject: string, options?: { queue?: string; callback?: (error: Error | null, message: NatsMessage) => void }): NatsSubscription;
  flush(): Promise<void>;
  isClosed(): boolean;
  close(): Promise<void>;
}

/** The module, as far as it is used here. */
export interface NatsModule {
  connect(options: Readonly<Record<string, unknown>>): Promise<NatsConnection>;
  headers(): NatsHeaders;
}
