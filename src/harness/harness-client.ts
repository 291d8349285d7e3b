import { RequestPlaneClient, type ResponseStream } from '../transport/index.js';
import { checkTimers } from './timers.js';

/** A client that fails at once where it could only wait for ever: see {@link checkTimers}. */
export class HarnessClient extends RequestPlaneClient {
  override generate<T = unknown>(...args: Parameters<RequestPlaneClient['generate']>): AsyncIterableIterator<T, undefined, undefined> {
    checkTimers();
    return super.generate<T>(...args);
  }

  override async openStream<T = unknown>(...args: Parameters<RequestPlaneClient['openStream']>): Promise<ResponseStream<T>> {
    checkTimers();
    return super.openStream<T>(...args);
  }

  override async send(...args: Parameters<RequestPlaneClient['send']>): Promise<void> {
    checkTimers();
    return super.send(...args);
  }
}
