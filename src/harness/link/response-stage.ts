import { decodeHandshake, TwoPartDecoder, type TwoPartFrame } from '../../protocol/index.js';
import { flipByte, Merger } from './bytes.js';
import type { Fault, FaultPoint } from './faults.js';
import { ofKind, onSide } from './injections.js';
import type { Lane } from './lane.js';
import type { LinkSocket, Stage } from './link-socket.js';
import { RawSplitter } from './raw-splitter.js';
import type { LinkOwner } from './request-stage.js';

/** Bytes before the parts of a two-part frame. */
const PREAMBLE = 24;

/** The call home of a worker: reads handshake and items, lets the faults of their request at them. */
export class ResponseStages {
  readonly #frames = new RawSplitter<TwoPartFrame>(new TwoPartDecoder());
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
      const { frames, rest } = this.#frames.push(chunk);
      for (const { frame, raw } of frames) this.#onFrame(frame, raw);
      if (rest !== undefined) this.outboundLane.send(rest);
    },
    end: () => {
      this.#merger.flush();
      this.outboundLane.send(this.#frames.flush());
      if (!this.#stopped) this.outboundLane.end();
    },
  };

  #onFrame(frame: TwoPartFrame, raw: Buffer): void {
    this.#frameCount += 1;
    if (this.#frameCount === 1) {
      this.#faults = this.#faultsOf(frame);
      return this.outboundLane.send(raw);
    }
    if (frame.data.length > 0 && this.#stopsHere()) return;
    this.#send(raw, frame);
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
    const stop = ofKind(this.#faults, 'stop').find(({ point }) => itemsBefore(point) === this.#items);
    if (stop === undefined || this.#stopped) return this.#stopped;
    this.#stopped = true;
    this.outboundLane.whenIdle(() => this.#stop(stop.how));
    return true;
  }

  #stop(how: 'crash' | 'disconnect' | 'hang'): void {
    if (how === 'hang') return this.outboundLane.silence();
    // What was sent before must arrive: a reset throws away what the peer has not read yet.
    this.outboundLane.silence();
    if (how === 'crash') this.owner.crash();
    else this.socket.breakOff();
  }

  #send(raw: Buffer, frame: TwoPartFrame): void {
    const bytes = this.#corrupted(raw, frame);
    const delay = onSide(this.#faults, 'delay', 'response');
    if (delay !== undefined) this.outboundLane.wait(delay.ms);
    const truncate = onSide(this.#faults, 'truncate', 'response');
    if (truncate !== undefined && this.#sent + bytes.length >= truncate.bytes) return this.#truncate(bytes, truncate.bytes);
    this.#sent += bytes.length;
    const merge = onSide(this.#faults, 'merge', 'response');
    const cut = onSide(this.#faults, 'cut', 'response');
    const slow = onSide(this.#faults, 'slowReader', 'response');
    // After its last control frame the worker waits for the caller: nothing more will come.
    const last = this.#frameCount > 2 && frame.kind === 'header-only';
    if (merge !== undefined) this.#merger.hold(bytes, last ? 1 : merge.frames);
    else if (cut !== undefined) this.outboundLane.sendInPieces(bytes, cut.size);
    else this.outboundLane.send(bytes);
    if (slow !== undefined) this.outboundLane.wait((bytes.length / slow.bytesPerSecond) * 1000);
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
  #corrupted(raw: Buffer, frame: TwoPartFrame): Buffer {
    const corrupt = onSide(this.#faults, 'corrupt', 'response');
    if (corrupt === undefined || frame.data.length === 0 || this.#items > 0) return raw;
    return flipByte(raw, PREAMBLE + frame.header.length, frame.data.length, corrupt.at);
  }
}

/** Items that come before the point; undefined when the point is not in the response. */
function itemsBefore(point: FaultPoint): number | undefined {
  if (point === 'beforeAck') return undefined;
  return point === 'beforeFirstToken' ? 0 : point.afterTokens;
}
