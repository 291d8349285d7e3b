import { decodeHandshake, TwoPartDecoder, type TwoPartFrame } from '../../protocol/index.js';
import { flipByte, frameBytes, joined, Merger, readFrames, type FrameBytes } from './bytes.js';
import type { Fault, FaultPoint } from './faults.js';
import { ofKind, onSide } from './injections.js';
import type { Lane } from './lane.js';
import type { LinkSocket, Stage } from './link-socket.js';
import type { LinkOwner } from './request-stage.js';

/** The call home of a worker: reads handshake and items, lets the faults of their request at them. */
export class ResponseStages {
  readonly #frames = new TwoPartDecoder(undefined, { keepRaw: true });
  #unreadable = false;
  readonly #merger: Merger;
  #faults: readonly Fault[] = [];
  #frameCount = 0;
  #items = 0;
  #sent = 0;
  #stopped = false;

  constructor(
    private readonly owner: LinkOwner,
    private readonly inboundLane: Lane,
    private readonly outboundLane: Lane,
    private readonly socket: LinkSocket,
  ) {
    this.#merger = new Merger(outboundLane);
  }

  readonly inbound: Stage = {
    push: (chunk) => this.inboundLane.send(chunk),
    end: () => this.inboundLane.end(),
  };

  readonly outbound: Stage = {
    push: (chunk) => {
      if (this.#unreadable) return this.outboundLane.send(chunk);
      const rest = readFrames(this.#frames, chunk, (frame) => this.#onFrame(frame));
      this.#unreadable = rest !== undefined;
      for (const part of rest ?? []) this.outboundLane.send(part);
    },
    end: () => {
      this.#merger.flush();
      for (const part of this.#frames.rest()) this.outboundLane.send(part);
      if (!this.#stopped) this.outboundLane.end();
    },
  };

  #onFrame(frame: TwoPartFrame): void {
    const bytes = frameBytes(frame.raw, frame.data);
    this.#frameCount += 1;
    if (this.#frameCount === 1) {
      this.#faults = this.#faultsOf(frame);
      return this.outboundLane.sendFrame(bytes);
    }
    if (frame.data.length > 0 && this.#stopsHere()) return;
    this.#send(bytes, frame);
    if (frame.data.length > 0) this.#items += 1;
  }

  #faultsOf(handshake: TwoPartFrame): readonly Fault[] {
    try {
      return this.owner.requestOf(decodeHandshake(handshake.header).subject)?.hitting ?? [];
    } catch {
      return [];
    }
  }

  #stopsHere(): boolean {
    if (this.#stopped) return true;
    const stop = ofKind(this.#faults, 'stop').find(({ point }) => itemsBefore(point) === this.#items);
    if (stop === undefined) return false;
    if (stop.how === 'hang') {
      this.owner.injections.untilCleared(this.outboundLane.hold());
      return false;
    }
    this.#stopped = true;
    this.outboundLane.whenIdle(() => this.#stop(stop.how));
    return true;
  }

  #stop(how: 'crash' | 'disconnect' | 'hang'): void {
    // What was sent before must arrive: a reset throws away what the peer has not read yet.
    this.outboundLane.silence();
    if (how === 'crash') this.owner.crash();
    else this.socket.breakOff();
  }

  #send(original: FrameBytes, frame: TwoPartFrame): void {
    const bytes = this.#corrupted(original);
    const length = frame.byteLength;
    const delay = onSide(this.#faults, 'delay', 'response');
    if (delay !== undefined) this.outboundLane.wait(delay.ms);
    const truncate = onSide(this.#faults, 'truncate', 'response');
    if (truncate !== undefined && this.#sent + length >= truncate.bytes) return this.#truncate(joined(bytes), truncate.bytes);
    this.#sent += length;
    const merge = onSide(this.#faults, 'merge', 'response');
    const cut = onSide(this.#faults, 'cut', 'response');
    const slow = onSide(this.#faults, 'slowReader', 'response');
    // After its last control frame the worker waits for the caller: nothing more will come.
    const last = this.#frameCount > 2 && frame.kind === 'header-only';
    if (merge !== undefined) this.#merger.hold(bytes, last ? 1 : merge.frames);
    else if (cut !== undefined) this.outboundLane.sendInPieces(joined(bytes), cut.size);
    else this.outboundLane.sendFrame(bytes);
    if (slow !== undefined) this.outboundLane.wait((length / slow.bytesPerSecond) * 1000);
  }

  #truncate(bytes: Buffer, limit: number): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.outboundLane.send(bytes.subarray(0, Math.max(limit - this.#sent, 0)));
    this.outboundLane.whenIdle(() => {
      this.outboundLane.silence();
      this.socket.breakOff();
    });
  }

  /** The first item of a response to be corrupted has one byte flipped. */
  #corrupted(bytes: FrameBytes): FrameBytes {
    const corrupt = onSide(this.#faults, 'corrupt', 'response');
    return corrupt === undefined || this.#items > 0 ? bytes : { head: bytes.head, body: flipByte(bytes.body, corrupt.at) };
  }
}

/** Items that come before the point; undefined when the point is not in the response. */
function itemsBefore(point: FaultPoint): number | undefined {
  if (point === 'beforeAck') return undefined;
  return point === 'beforeFirstToken' ? 0 : point.afterTokens;
}
