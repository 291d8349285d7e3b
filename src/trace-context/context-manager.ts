import { AsyncLocalStorage } from 'node:async_hooks';
import { context, createContextKey, ROOT_CONTEXT, type Context, type ContextManager } from '@opentelemetry/api';

/** The least that a context manager is: the current context in async-local storage. Binds functions, not event emitters. */
export class AsyncContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(context: Context, fn: F, thisArg?: ThisParameterType<F>, ...args: A): ReturnType<F> {
    return this.#storage.run(context, () => fn.apply(thisArg, args));
  }

  bind<T>(context: Context, target: T): T {
    if (typeof target !== 'function') return target;
    const storage = this.#storage;
    const bound = function (this: unknown, ...args: unknown[]): unknown {
      return storage.run(context, () => (target as (...all: unknown[]) => unknown).apply(this, args));
    };
    return bound as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}

const PROBE = createContextKey('dynamo-tracing.probe');
let isSettled = false;

/**
 * Registers a context manager for an OpenTelemetry SDK that has none, without which every span would begin a trace of its own.
 * To be called when the application is set up, at its first request: a manager that is registered is never replaced. Looks once.
 * Returns whether one was registered now.
 */
export function offerContextManager(): boolean {
  if (isSettled) return false;
  isSettled = true;
  const probe = ROOT_CONTEXT.setValue(PROBE, true);
  if (context.with(probe, () => context.active() === probe)) return false;
  return context.setGlobalContextManager(new AsyncContextManager());
}
