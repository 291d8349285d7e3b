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
export class LinkedRequest implements LinkRequest {
  readonly endpointPath: string | undefined;
  readonly sent: RequestHeaders;
  received: RequestHeaders | undefined;
  readonly controlId: string | undefined;
  /** Names the stream that the worker will dial home with. */
  readonly subject: string | undefined;
  hitting: readonly Fault[] = [];

  constructor(
    readonly index: number,
    frame: RequestFrame,
  ) {
    const control = readControl(frame);
    this.endpointPath = frame.endpointPath;
    this.sent = frame.headers;
    this.controlId = control?.id;
    this.subject = control?.connectionInfo.subject;
  }

  get faults(): readonly string[] {
    return this.hitting.map(({ name }) => name);
  }
}

/** A link must survive whatever it carries. */
function readControl(frame: RequestFrame): ControlMessage | undefined {
  try {
    return decodeControlMessage(decodeTwoPart(frame.payload).header);
  } catch {
    return undefined;
  }
}
