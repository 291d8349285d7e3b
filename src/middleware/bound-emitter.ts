import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from '@opentelemetry/api';
import { currentRequest, runInRequest } from '../trace-context/index.js';

const BOUND = Symbol.for('dynamo-tracing.bound-emitter.v1');

interface Binding {
  readonly request: object;
  readonly context: Context;
  readonly emit: (this: unknown, name: string | symbol, ...args: unknown[]) => boolean;
}

type BoundEmitter = (IncomingMessage | ServerResponse) & { [BOUND]?: Binding };

/**
 * Listeners of request and response run inside the request: what Node emits by itself (data, end, close) would run them in no context at
 * all. One `emit` for all of them, whoever adds a listener and however.
 */
export function bindEmitters(request: object, context: Context, ...emitters: readonly BoundEmitter[]): void {
  for (const emitter of emitters) {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the emitter as its this
    emitter[BOUND] = { request, context, emit: emitter.emit as Binding['emit'] };
    emitter.emit = boundEmit as BoundEmitter['emit'];
  }
}

function boundEmit(this: BoundEmitter, name: string | symbol, ...args: unknown[]): boolean {
  const { request, context, emit } = this[BOUND] as Binding;
  if (currentRequest() === request || this.listenerCount(name) === 0) return emit.call(this, name, ...args); // without a closure where none is needed
  return runInRequest(request, context, () => emit.call(this, name, ...args));
}
