import type { TcpStreamConnectionInfo } from '../../protocol/index.js';
import { HomeCall, type HomeCallSettings } from './home-call.js';

const CLOSE_WAIT_MS = 1000;
const NOBODY = { onStop: (): void => undefined, onKill: (): void => undefined };

/** Calls home only to say in the prologue that there will be no response. Nobody waits for it; a caller that is gone is none. */
export function refuseAtHome(home: TcpStreamConnectionInfo, message: string, settings: HomeCallSettings): void {
  const call = new HomeCall(home, { ...settings, finTimeoutMs: CLOSE_WAIT_MS }, NOBODY);
  call.open().then(
    () => {
      call.prologue({ error: `Generate Error: ${message}`, typedError: { errorType: 'invalid_argument', message } });
      call.finish(true);
    },
    () => undefined,
  );
}
