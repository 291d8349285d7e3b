import { AckDecoder, encodeAck, RequestFrameDecoder, type RequestFrame, type RequestHeaders } from '../../protocol/index.js';
import type { Fault } from './faults.js';
import { ofKind, onSide } from './injections.js';
import type { Lane, FaultTimers } from './lane.js';
import { LinkedRequest } from './link-request.js';
import type { LinkSocket, Stage } from './link-socket.js';
import { flipByte, Merger } from './bytes.js';
import { RawSplitter } from './raw-splitter.js';

/** What a link's stages ask of its worker's link. */
export interface LinkOwner {
  /** A request has arrived: gives the faults that hit it. */
  admit(request: LinkedRequest): readonly Fault[];
  /** The frame has been handed to the worker, or never will be. */
  delivered(request: LinkedRequest): void;
  /** The request that waits for a stream of this subject. */
  requestOf(subject: string): LinkedRequest | undefined;
  /** The worker's process dies. */
  crash(): void;
  readonly timers: FaultTimers;
}

/** The order in which acks go out: by the worker, by a fault, or never. */
type AckSlot = { readonly kind: 'worker' | 'never' } | { readonly kind: 'fault'; readonly bytes: Buffer };

/** The request plane of a worker's connection: reads every frame, lets the faults at it, hands it on. */
export class RequestStages {
  readonly #frames = new RawSplitter<RequestFrame>(new RequestFrameDecoder());
  readonly #acks = new AckDecoder();
  readonly #slots: AckSlot[] = [];
  readonly #merger: Merger;
  #pace: number | undefined;
  #passing = false;

  constructor(
    private readonly owner: LinkOwner,
    private readonly inboundLane: Lane,
    private readonly outboundLane: Lane,
    private readonly socket: LinkSocket,
  ) {
    this.#merger = new Merger(inboundLane);
  }

  readonly inbound: Stage = {
    push: (chunk) => {
      const { frames, rest } = this.#frames.push(chunk);
      for (const { frame, raw } of frames) this.#onFrame(frame, raw);
      if (rest !== undefined) {
        this.#passing = true;
        this.inboundLane.send(rest);
      }
      if (this.#pace !== undefined) this.socket.hold((chunk.length / this.#pace) * 1000, this.owner.timers);
    },
    end: () => {
      this.#merger.flush();
      this.inboundLane.send(this.#frames.flush());
      this.inboundLane.end();
    },
  };

  readonly outbound: Stage = {
    push: (chunk) => {
      if (this.#passing) return this.outboundLane.send(chunk);
      this.#acks.push(chunk);
      for (let ack = this.#acks.next(); ack !== undefined; ack = this.#acks.next()) {
        if (ack.kind === 'refused') return;
        this.#sendFaultAcks();
        if (this.#slots[0]?.kind === 'never') return this.outboundLane.silence();
        this.#slots.shift();
        this.outboundLane.send(encodeAck(ack.text));
      }
      this.#sendFaultAcks();
    },
    end: () => this.outboundLane.end(),
  };

  #onFrame(frame: RequestFrame, raw: Buffer): void {
    const request = new LinkedRequest(0, frame);
    const hitting = this.owner.admit(request);
    const stop = ofKind(hitting, 'stop').find(({ point }) => point === 'beforeAck');
    if (stop !== undefined) this.#stop(stop.how);
    else if (!this.#refuse(request, hitting)) this.#deliver(request, frame, raw, hitting);
    this.owner.delivered(request);
  }

  #stop(how: 'crash' | 'disconnect' | 'hang'): void {
    if (how === 'crash') this.owner.crash();
    else if (how === 'disconnect') this.socket.reset();
    else {
      this.#slots.push({ kind: 'never' });
      this.#sendFaultAcks();
    }
  }

  #refuse(request: LinkedRequest, hitting: readonly Fault[]): boolean {
    const [refusal] = ofKind(hitting, 'ack');
    if (refusal === undefined) return false;
    this.#slots.push({ kind: 'fault', bytes: encodeAck(refusal.text(request.endpointPath ?? '')) });
    this.#sendFaultAcks();
    return true;
  }

  /** Acks of faults whose turn has come. */
  #sendFaultAcks(): void {
    for (let slot = this.#slots[0]; slot?.kind === 'fault'; slot = this.#slots[0]) {
      this.#slots.shift();
      this.outboundLane.send(slot.bytes);
    }
  }

  #deliver(request: LinkedRequest, frame: RequestFrame, raw: Buffer, hitting: readonly Fault[]): void {
    const changed = changeHeaders(frame, raw, hitting);
    request.received = changed.headers;
    this.#slots.push({ kind: 'worker' });
    const delay = onSide(hitting, 'delay', 'request');
    if (delay !== undefined) this.inboundLane.wait(delay.ms);
    this.#pace ??= onSide(hitting, 'slowReader', 'request')?.bytesPerSecond;
    const truncate = onSide(hitting, 'truncate', 'request');
    if (truncate !== undefined) {
      request.received = undefined;
      this.inboundLane.send(changed.raw.subarray(0, truncate.bytes));
      return this.inboundLane.cut();
    }
    const cut = onSide(hitting, 'cut', 'request');
    const merge = onSide(hitting, 'merge', 'request');
    if (merge !== undefined) this.#merger.hold(changed.raw, merge.frames);
    else if (cut !== undefined) this.inboundLane.sendInPieces(changed.raw, cut.size);
    else this.inboundLane.send(changed.raw);
  }
}

/** The frame with the changes that faults make to its bytes, and the headers that a worker will read from it. */
function changeHeaders(frame: RequestFrame, raw: Buffer, hitting: readonly Fault[]): { readonly raw: Buffer; readonly headers: RequestHeaders } {
  let bytes = raw;
  let headers: RequestHeaders | undefined = frame.headers;
  const changes = ofKind(hitting, 'headers');
  for (const { change } of changes) headers = headers === undefined ? undefined : change(headers);
  if (changes.length > 0) bytes = withHeaders(bytes, headers);
  for (const { on, at } of ofKind(hitting, 'corrupt')) {
    if (on === 'response') continue;
    const { start, length } = headerBlock(bytes);
    bytes = on === 'headers' ? flipByte(bytes, start, length, at) : flipByte(bytes, start + length + 4, bytes.length - start - length - 4, at);
    // A block that is no JSON is read as an empty one.
    if (on === 'headers') headers = readBlock(bytes);
  }
  return { raw: bytes, headers: headers ?? {} };
}

function headerBlock(raw: Buffer): { readonly start: number; readonly length: number } {
  const at = 2 + raw.readUInt16BE(0);
  return { start: at + 2, length: raw.readUInt16BE(at) };
}

/** The frame with another header block; none at all when `headers` is undefined. */
function withHeaders(raw: Buffer, headers: RequestHeaders | undefined): Buffer {
  const { start, length } = headerBlock(raw);
  const block = Buffer.from(headers === undefined ? '' : JSON.stringify(headers));
  const size = Buffer.alloc(2);
  size.writeUInt16BE(block.length);
  return Buffer.concat([raw.subarray(0, start - 2), size, block, raw.subarray(start + length)]);
}

function readBlock(raw: Buffer): RequestHeaders | undefined {
  const decoder = new RequestFrameDecoder();
  decoder.push(raw);
  const frame = decoder.next();
  return frame?.kind === 'request' ? frame.headers : undefined;
}
