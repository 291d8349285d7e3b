import type { IncomingMessage, ServerResponse } from 'node:http';
import { guarded } from '../internal/index.js';
import { recorderOf } from './response-watch.js';

/** What is used of an Express application. */
interface Application {
  use(handler: (error: unknown, req: IncomingMessage, res: ServerResponse, next: (error: unknown) => void) => void): unknown;
}

const observed = new WeakSet<object>();

/**
 * Tells the recorders of errors that no error handler answers: Express shows an error to nobody but the error handlers behind the
 * place where it arose, so one that only looks is put behind all others, at the first request. Errors that the application's own handlers
 * answer are seen by `dynamoTracingErrors({ answer: false })` before them.
 */
export function observeUnhandled(app: unknown): void {
  if (typeof app !== 'function' || observed.has(app)) return;
  observed.add(app);
  guarded('app.use', () => (app as unknown as Application).use(function dynamoTracingUnhandled(error, _req, res, next) {
    guarded('request failed', () => recorderOf(res)?.failedWith(error), undefined);
    next(error);
  }), undefined);
}
