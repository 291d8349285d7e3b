import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AckDecoder, decodeTwoPart, RequestFrameDecoder, TwoPartDecoder } from '../../../src/protocol/index.js';
import { mutateBytes, mutateList, mutatedJson } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

/** Most bytes of a frame: small, so that lengths above it are common. */
const LIMIT = 2048;

type Vector = readonly { readonly frame_hex: string }[];
const vectors = (name: string): unknown => JSON.parse(readFileSync(join(__dirname, '..', '..', 'vectors', `${name}.json`), 'utf8'));
const framesOf = (vector: unknown): Buffer[] => (vector as Vector).map(({ frame_hex }) => Buffer.from(frame_hex, 'hex'));

const HEADERS = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 'request-id': '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b', 'x-request-id': 'order 42' };
const REQUESTS = framesOf((vectors('request-frames') as { valid: Vector }).valid).filter((frame) => frame.length < LIMIT);
const ACKS = framesOf(vectors('acks'));
const TWO_PARTS = framesOf(vectors('two-part-frames')).filter((frame) => frame.length < LIMIT);

interface Frame { readonly kind: string; readonly byteLength?: number }
interface Decoder { push(chunk: Uint8Array): void; next(): Frame | undefined; readonly midFrame: boolean }

/** Everything that a decoder returns. What it holds back is never more than one frame of the limit. */
function feed(decoder: Decoder, pieces: readonly Buffer[], sizeOf: (frame: Frame) => number): unknown[] {
  const seen: unknown[] = [];
  let held = 0;
  for (const piece of pieces) {
    decoder.push(piece);
    held += piece.length;
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      if (frame.kind === 'refused') return [...seen, { kind: 'refused', size: (frame as unknown as { size: number }).size }];
      held -= sizeOf(frame);
      seen.push(frame);
    }
    if (held > LIMIT || held < 0) throw new Error(`${held} bytes are held, the limit is ${LIMIT}`);
    if (decoder.midFrame !== held > 0) throw new Error(`midFrame is ${decoder.midFrame} with ${held} bytes held`);
  }
  return seen;
}

const sized = (width: 2 | 4 | 8, part: Buffer, wrong: number): Buffer => {
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(Math.max(0, part.length + wrong)));
  return length.subarray(8 - width);
};

/** Right as a rule. */
const wrongBy = (random: Random): number => (random.once(12) ? random.pick([-1, 1, 7, 255, LIMIT, 65_000]) : 0);

function requestFrame(random: Random): Buffer {
  const path = random.once(6) ? mutateBytes(random, Buffer.from('2a/generate')) : Buffer.from('2a/generate');
  const headers = mutatedJson(random, HEADERS);
  const payload = Buffer.alloc(random.below(40), 'p');
  return Buffer.concat([sized(2, path, wrongBy(random)), path, sized(2, headers, wrongBy(random)), headers, sized(4, payload, wrongBy(random)), payload]);
}

function twoPart(random: Random): Buffer {
  const header = random.once(3) ? Buffer.alloc(0) : mutatedJson(random, HEADERS);
  const data = random.once(3) ? Buffer.alloc(0) : mutatedJson(random, { data: { data: 1 }, complete_final: false });
  return Buffer.concat([sized(8, header, wrongBy(random)), sized(8, data, wrongBy(random)), Buffer.alloc(8), header, data]);
}

function several(random: Random, one: (random: Random) => Buffer, seeds: readonly Buffer[]): Buffer {
  const frames = Array.from({ length: 1 + random.below(4) }, () => (random.once(2) ? one(random) : random.pick(seeds)));
  const joined = Buffer.concat(mutateList(random, frames));
  return random.once(2) ? mutateBytes(random, joined) : joined;
}

export const frame: Target = {
  streamed: true,
  make: (random) => several(random, requestFrame, REQUESTS),
  read: (pieces) => feed(new RequestFrameDecoder(LIMIT), pieces, ({ byteLength = 0 }) => byteLength),
};

export const ack: Target = {
  streamed: true,
  make: (random) => several(random, (inner) => random.pick(ACKS.map((text) => Buffer.concat([sized(4, text.subarray(4), wrongBy(inner)), text.subarray(4)]))), ACKS),
  read: (pieces) => {
    const whole = Buffer.concat(pieces);
    let at = 0;
    // An ack does not say how long it was: its length stands before it.
    return feed(new AckDecoder(LIMIT), pieces, () => {
      const size = 4 + whole.readUInt32BE(at);
      at += size;
      return size;
    });
  },
};

export const twoPartFrames: Target = {
  streamed: true,
  make: (random) => several(random, twoPart, TWO_PARTS),
  read: (pieces) => feed(new TwoPartDecoder(LIMIT), pieces, ({ byteLength = 0 }) => byteLength),
};

export const envelope: Target = {
  throws: ['ERR_FRAME_MALFORMED'],
  make: (random) => (random.once(2) ? twoPart(random) : mutateBytes(random, random.pick(TWO_PARTS))),
  read: (pieces) => decodeTwoPart(Buffer.concat(pieces)),
};
