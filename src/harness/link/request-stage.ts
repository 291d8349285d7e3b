import { AckDecoder, encodeAck, RequestFrameDecoder, type RequestFrame, type RequestHeaders } from '../../protocol/index.js';
import type { Fault } from './faults.js';
import { ofKind, onSide, type Injections } from './injections.js';
import type { Lane, FaultTimers } from './lane.js';
import { LinkedRequest } from './link-request.js';
import type { LinkSocket, Stage } from './link-socket.js';
import { flipByte, frameBytes, joined, Merger, readFrames, type FrameBytes } from './bytes.js';

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
  readonly injections: Injections;
}

/** The ack of one request; its bytes are undefined until the worker or a fault has given them. */
interface AckSlot {
  bytes: Buffer | undefined;
}

/** The request plane of a worker's connection: reads every frame, lets the faults at it, hands it on. */
export class RequestStages {
  readonly #frames = new RequestFrameDecoder(undefined, { keepRaw: true });
  readonly #acks = new AckDecoder();
  /** In the order of the requests, as acks go out. */
  readonly #slots: AckSlot[] = [];
  /** In the order in which the worker got its requests, as it writes acks. */
  readonly #unacked: AckSlot[] = [];
  readonly #merger: Merger;
  #pace: number | undefined;
  #unreadable = false;
  #inboundEnded = false;
  #holding = 0;

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
      const rest = this.#unreadable ? [chunk] : readFrames(this.#frames, chunk, (frame) => this.#onFrame(frame));
      this.#unreadable = rest !== undefined;
      for (const part of rest ?? []) this.inboundLane.send(part);
      if (this.#pace !== undefined) this.socket.hold((chunk.length / this.#pace) * 1000, this.owner.timers);
    },
    end: () => {
      this.#inboundEnded = true;
      this.#merger.flush();
      for (const part of this.#frames.rest()) this.inboundLane.send(part);
      this.inboundLane.end();
    },
  };

  readonly outbound: Stage = {
    push: (chunk) => {
      if (this.#unreadable) return this.outboundLane.send(chunk);
      this.#acks.push(chunk);
      for (let ack = this.#acks.next(); ack !== undefined; ack = this.#acks.next()) {
        if (ack.kind === 'refused') return;
        const slot = this.#unacked.shift();
        if (slot === undefined) this.outboundLane.send(encodeAck(ack.text));
        else slot.bytes = encodeAck(ack.text);
      }
      this.#sendAcks();
    },
    end: () => {
      if (this.#holding === 0) this.outboundLane.end();
    },
  };

  #onFrame(frame: RequestFrame): void {
    const request = new LinkedRequest(0, frame);
    const hitting = this.owner.admit(request);
    const bytes = frameBytes(frame.raw, frame.payload);
    const stop = ofKind(hitting, 'stop').find(({ point }) => point === 'beforeAck');
    const [refusal] = ofKind(hitting, 'ack');
    if (stop?.how === 'crash') this.owner.crash();
    else if (stop?.how === 'disconnect') this.socket.reset();
    else {
      const slot: AckSlot = { bytes: refusal === undefined || stop !== undefined ? undefined : encodeAck(refusal.text(request.endpointPath ?? '')) };
      this.#slots.push(slot);
      if (stop !== undefined) this.#hold(() => this.#deliver(request, frame, bytes, slot));
      else if (refusal === undefined) this.#deliver(request, frame, bytes, slot);
      this.#sendAcks();
    }
    this.owner.delivered(request);
  }

  /** Keeps a request from the worker until the faults are taken away; if its connection is open then, the worker gets it. */
  #hold(deliver: () => void): void {
    this.#holding += 1;
    this.owner.injections.untilCleared(() => {
      this.#holding -= 1;
      if (!this.socket.destroyed && !this.#inboundEnded) deliver();
    });
  }

  /** Acks whose turn has come: a client takes them in the order of its requests. */
  #sendAcks(): void {
    for (let bytes = this.#slots[0]?.bytes; bytes !== undefined; bytes = this.#slots[0]?.bytes) {
      this.#slots.shift();
      this.outboundLane.send(bytes);
    }
  }

  #deliver(request: LinkedRequest, frame: RequestFrame, original: FrameBytes, slot: AckSlot): void {
    const { hitting } = request;
    const { bytes, headers } = changeHeaders(frame, original, hitting);
    request.received = headers;
    this.#unacked.push(slot);
    const delay = onSide(hitting, 'delay', 'request');
    if (delay !== undefined) this.inboundLane.wait(delay.ms);
    this.#pace ??= onSide(hitting, 'slowReader', 'request')?.bytesPerSecond;
    const truncate = onSide(hitting, 'truncate', 'request');
    if (truncate !== undefined) {
      request.received = undefined;
      this.inboundLane.send(joined(bytes).subarray(0, truncate.bytes));
      return this.inboundLane.cut();
    }
    const cut = onSide(hitting, 'cut', 'request');
    const merge = onSide(hitting, 'merge', 'request');
    if (merge !== undefined) this.#merger.hold(bytes, merge.frames);
    else if (cut !== undefined) this.inboundLane.sendInPieces(joined(bytes), cut.size);
    else this.inboundLane.sendFrame(bytes);
  }
}

/** The frame with the changes that faults make to its bytes, and the headers that a worker will read from it. */
function changeHeaders(frame: RequestFrame, original: FrameBytes, hitting: readonly Fault[]): { readonly bytes: FrameBytes; readonly headers: RequestHeaders } {
  let { head, body } = original;
  let headers: RequestHeaders | undefined = frame.headers;
  const changes = ofKind(hitting, 'headers');
  for (const { change } of changes) headers = headers === undefined ? undefined : change(headers);
  if (changes.length > 0) head = withHeaders(head, headers);
  for (const { on, at } of ofKind(hitting, 'corrupt')) {
    const { start, length } = headerBlock(head);
    if (on === 'request') body = flipByte(body, at);
    if (on !== 'headers') continue;
    head = flipByte(head, at, start, length);
    // A block that is no JSON is read as an empty one.
    headers = readBlock({ head, body });
  }
  return { bytes: { head, body }, headers: headers ?? {} };
}

function headerBlock(head: Buffer): { readonly start: number; readonly length: number } {
  const at = 2 + head.readUInt16BE(0);
  return { start: at + 2, length: head.readUInt16BE(at) };
}

/** The frame's head with another header block; none at all when `headers` is undefined. */
function withHeaders(head: Buffer, headers: RequestHeaders | undefined): Buffer {
  const { start, length } = headerBlock(head);
  const block = Buffer.from(headers === undefined ? '' : JSON.stringify(headers));
  const size = Buffer.alloc(2);
  size.writeUInt16BE(block.length);
  return Buffer.concat([head.subarray(0, start - 2), size, block, head.subarray(start + length)]);
}

function readBlock({ head, body }: FrameBytes): RequestHeaders | undefined {
  const decoder = new RequestFrameDecoder();
  decoder.push(head);
  decoder.push(body);
  const frame = decoder.next();
  return frame?.kind === 'request' ? frame.headers : undefined;
}
