import { decodeControlMessage, decodeTwoPart, type ControlMessage, type RequestFrame, type RequestHeaders } from '../../protocol/index.js';
import type { Fault } from './faults.js';

/** One request as it came over a worker's link. */
export interface LinkRequest {
  /** Requests of this worker before it. */
  readonly index: number;
  readonly endpointPath: string | undefined;
  /** Headers as the gateway sent them. */
  readonly sent: RequestHeaders;
  /** Headers as the worker got them; undefined when the frame never reached it. */
  readonly received: RequestHeaders | undefined;
  /** The request id inside the envelope: not a header, it travels even when all headers are lost. */
  readonly controlId: string | undefined;
  /** Names of the faults that hit it. */
  readonly faults: readonly string[];
}

/** A request on its way through a link. */
export type LinkedRequest = { -readonly [K in keyof LinkRequest]: LinkRequest[K] } & {
  /** Names the stream that the worker will dial home with. */
  readonly subject: string | undefined;
  hitting: readonly Fault[];
};

export function linkedRequest(index: number, { endpointPath, headers, payload }: RequestFrame): LinkedRequest {
  const control = readControl(payload);
  return { index, endpointPath, sent: headers, received: undefined, controlId: control?.id, faults: [], subject: control?.connectionInfo.subject, hitting: [] };
}

/** A link must survive whatever it carries. */
function readControl(payload: Buffer): ControlMessage | undefined {
  try {
    return decodeControlMessage(decodeTwoPart(payload).header);
  } catch {
    return undefined;
  }
}
