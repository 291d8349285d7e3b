import { decodeHandshake, TwoPartDecoder, type TwoPartFrame } from '../../protocol/index.js';
import { flipByte, frameBytes, FrameReader } from './bytes.js';
import type { Fault, FaultPoint } from './faults.js';
import { ofKind, onSide } from './injections.js';
import type { Lanes, Stage } from './link-socket.js';
import type { LinkOwner } from './request-stage.js';

/** The call home of a worker: reads handshake and items, lets the faults of their request at them. */
export class ResponseStages {
  readonly inbound: Stage;
  readonly outbound: FrameReader<TwoPartFrame>;
  /** Undefined before the handshake. */
  #hitting: readonly Fault[] | undefined;
  #items = 0;
  /** Bytes behind the handshake. */
  #sent = 0;

  constructor(
    private readonly owner: LinkOwner,
    private readonly lanes: Lanes,
  ) {
    this.inbound = lanes.inbound;
    this.outbound = new FrameReader(new TwoPartDecoder(undefined, { keepRaw: true }), lanes.outbound, (frame) => this.#onFrame(frame));
  }

  #onFrame(frame: TwoPartFrame): void {
    const { head, body } = frameBytes(frame.raw, frame.data);
    if (this.#hitting === undefined) {
      this.#hitting = this.#faultsOf(frame);
      return void this.lanes.outbound.sendFrame({ head, body });
    }
    const isItem = body.length > 0;
    if (isItem) this.#stopHere(this.#hitting);
    // The first item of a response to be corrupted has one byte flipped.
    const corrupt = this.#items > 0 ? undefined : onSide(this.#hitting, 'corrupt', 'response');
    // After its last control frame, the second behind the handshake, the worker waits for the caller: nothing more will come.
    const last = this.#sent > 0 && frame.kind === 'header-only';
    this.lanes.outbound.sendFrame({ head, body: corrupt === undefined ? body : flipByte(body, corrupt.at) }, this.#hitting, this.#sent, last);
    this.#sent += frame.byteLength;
    if (isItem) this.#items += 1;
  }

  #faultsOf(handshake: TwoPartFrame): readonly Fault[] {
    try {
      return this.owner.requestOf(decodeHandshake(handshake.header).subject)?.hitting ?? [];
    } catch {
      return [];
    }
  }

  #stopHere(hitting: readonly Fault[]): void {
    const stop = ofKind(hitting, 'stop').find(({ point }) => itemsBefore(point) === this.#items);
    if (stop?.how === 'hang') this.owner.injections.untilCleared(this.lanes.outbound.hold());
    else if (stop?.how === 'crash') this.lanes.outbound.cut(() => this.owner.crash());
    else if (stop?.how === 'disconnect') this.lanes.outbound.cut();
  }
}

/** Items that come before the point; undefined when the point is not in the response. */
function itemsBefore(point: FaultPoint): number | undefined {
  if (point === 'beforeAck') return undefined;
  return point === 'beforeFirstToken' ? 0 : point.afterTokens;
}
