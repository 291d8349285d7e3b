import { DynamoTracingError } from '../errors/index.js';

/**
 * Sockets are written at the end of a turn of the event loop: with a `process.nextTick` that a test clock has replaced they never are,
 * and the test would wait for ever. Everything else may be faked.
 * @throws ERR_TIMERS_FAKED
 */
export function checkTimers(): void {
  const error = fakedTimers();
  if (error !== undefined) throw error;
}

/** The error that {@link checkTimers} throws; undefined when nothing that is needed is faked. */
export function fakedTimers(): DynamoTracingError | undefined {
  const nextTick: object = process.nextTick; // eslint-disable-line @typescript-eslint/unbound-method -- looked at, not called
  // Jest's and vitest's clock marks what it replaces; jest's legacy timers are mocks.
  if (!('clock' in nextTick) && !('_isMockFunction' in nextTick)) return undefined;
  return new DynamoTracingError('ERR_TIMERS_FAKED', "process.nextTick is faked, and sockets need it: use jest.useFakeTimers({ doNotFake: ['nextTick'] }), in vitest leave 'nextTick' out of toFake", { functions: ['nextTick'] });
}
