import { AckDecoder, encodeAck, RequestFrameDecoder, type RequestFrame, type RequestHeaders } from '../../protocol/index.js';
import { flipByte, frameBytes, FrameReader, type FrameBytes } from './bytes.js';
import type { Fault } from './faults.js';
import { ofKind, type Injections } from './injections.js';
import type { LinkedRequest } from './link-request.js';
import type { Lanes, Stage } from './link-socket.js';

/** What a link's stages ask of its worker's link. */
export interface LinkOwner {
  /** A request has arrived: notes it with the faults that hit it. */
  admit(frame: RequestFrame): LinkedRequest;
  /** The request that waits for a stream of this subject. */
  requestOf(subject: string): LinkedRequest | undefined;
  /** The worker's process dies. */
  crash(): void;
  readonly injections: Injections;
}

/** The ack of one request; its bytes are undefined until the worker or a fault has given them. */
interface AckSlot {
  bytes: Buffer | undefined;
}

/** The request plane of a worker's connection: reads every frame, lets the faults at it, hands it on. */
export class RequestStages {
  readonly inbound: FrameReader<RequestFrame>;
  readonly #acks = new AckDecoder();
  /** In the order of the requests, as acks go out. */
  readonly #slots: AckSlot[] = [];
  /** In the order in which the worker got its requests, as it writes acks. */
  readonly #unacked: AckSlot[] = [];
  #holding = 0;

  constructor(
    private readonly owner: LinkOwner,
    private readonly lanes: Lanes,
  ) {
    this.inbound = new FrameReader(new RequestFrameDecoder(undefined, { keepRaw: true }), lanes.inbound, (frame) => this.#onFrame(frame));
  }

  readonly outbound: Stage = {
    push: (chunk) => {
      if (this.inbound.unreadable) return this.lanes.outbound.push(chunk);
      this.#acks.push(chunk);
      for (let ack = this.#acks.next(); ack !== undefined; ack = this.#acks.next()) {
        if (ack.kind === 'refused') return;
        const slot = this.#unacked.shift();
        if (slot === undefined) this.lanes.outbound.push(encodeAck(ack.text));
        else slot.bytes = encodeAck(ack.text);
      }
      this.#sendAcks();
    },
    end: () => {
      if (this.#holding === 0) this.lanes.outbound.end();
    },
  };

  #onFrame(frame: RequestFrame): void {
    const request = this.owner.admit(frame);
    const stop = ofKind(request.hitting, 'stop').find(({ point }) => point === 'beforeAck');
    if (stop?.how === 'crash') return this.owner.crash();
    if (stop?.how === 'disconnect') return this.lanes.socket.reset();
    const [refusal] = ofKind(request.hitting, 'ack');
    const slot: AckSlot = { bytes: refusal === undefined || stop !== undefined ? undefined : encodeAck(refusal.text(request.endpointPath ?? '')) };
    this.#slots.push(slot);
    if (stop !== undefined) this.#hold(() => this.#deliver(request, frame, slot));
    else if (refusal === undefined) this.#deliver(request, frame, slot);
    this.#sendAcks();
  }

  /** Keeps a request from the worker until the faults are taken away; if its connection is open then, the worker gets it. */
  #hold(deliver: () => void): void {
    this.#holding += 1;
    this.owner.injections.untilCleared(() => {
      this.#holding -= 1;
      if (!this.lanes.socket.destroyed && !this.inbound.ended) deliver();
    });
  }

  /** Acks whose turn has come: a client takes them in the order of its requests. */
  #sendAcks(): void {
    for (let bytes = this.#slots[0]?.bytes; bytes !== undefined; bytes = this.#slots[0]?.bytes) {
      this.#slots.shift();
      this.lanes.outbound.push(bytes);
    }
  }

  #deliver(request: LinkedRequest, frame: RequestFrame, slot: AckSlot): void {
    const bytes = changedBytes(frame, request.hitting);
    this.#unacked.push(slot);
    const headers = bytes.changed ? readHeaders(bytes) : frame.headers;
    if (this.lanes.inbound.sendFrame(bytes, request.hitting)) request.received = headers;
  }
}

/** The frame with the changes that faults make to its bytes. */
function changedBytes(frame: RequestFrame, hitting: readonly Fault[]): FrameBytes & { readonly changed: boolean } {
  let { head, body } = frameBytes(frame.raw, frame.payload);
  const before = head;
  const changes = ofKind(hitting, 'headers');
  const headers = changes.reduce<RequestHeaders | undefined>((kept, { change }) => kept && change(kept), frame.headers);
  if (changes.length > 0) head = withHeaders(head, headers);
  for (const { on, at } of ofKind(hitting, 'corrupt')) {
    const { start, length } = headerBlock(head);
    if (on === 'request') body = flipByte(body, at);
    else if (on === 'headers') head = flipByte(head, at, start, length);
  }
  return { head, body, changed: head !== before };
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

/** Headers as a worker will read them. */
function readHeaders({ head, body }: FrameBytes): RequestHeaders {
  const decoder = new RequestFrameDecoder();
  decoder.push(head);
  decoder.push(body);
  const frame = decoder.next();
  return frame?.kind === 'request' ? frame.headers : {};
}
