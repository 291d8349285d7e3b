/** Frames of running Dynamo processes (docs/interop.md), read and written by our codecs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import {
  AckDecoder, annotatedFromWire, annotatedToWire, classifyAck, decodeControlMessage, decodeHandshake, decodeJson, decodePrologue, decodeStreamControl, decodeStreamItem, decodeTwoPart,
  encodeAck, encodeControlMessage, encodeHandshake, encodePrologue, encodeRequestFrame, encodeStreamControl, encodeStreamItem, encodeTwoPart,
  payloadCodec, RequestFrameDecoder, TwoPartDecoder, type PayloadCodecName, type RequestFrame, type TwoPartFrame,
} from '../../src/protocol/index';
import { decodeInstance, encodeInstance, fileNameOf, instanceKey, parseFileName } from '../../src/transport/discovery/record';

interface Captured {
  readonly name: string;
  readonly version: string;
  readonly plane: 'request' | 'response' | 'nats';
  readonly kind: string;
  readonly codec?: PayloadCodecName;
  readonly hex: string;
  readonly decoded: Readonly<Record<string, unknown>>;
}
interface DiscoveryFile {
  readonly version: string;
  readonly name: string;
  readonly text: string;
}

const { frames, discoveryFiles } = JSON.parse(readFileSync(join(__dirname, '..', 'interop', 'captured-frames.json'), 'utf8')) as { frames: Captured[]; discoveryFiles: DiscoveryFile[] };
const of = (kind: string): [string, Captured][] => {
  const found = frames.filter((frame) => frame.kind === kind);
  if (found.length === 0) throw new Error(`no captured ${kind}`);
  return found.map((frame) => [`${frame.version}, ${frame.codec ?? ''} ${frame.name}`, frame]);
};
const bytesOf = ({ hex }: Captured): Buffer => Buffer.from(hex, 'hex');
const exact = (text: unknown): unknown => decodeJson(Buffer.from(text as string));
const join0 = (chunks: readonly Uint8Array[]): Buffer => Buffer.concat(chunks);

/** All that a decoder reads of `bytes`, given whole and then byte by byte: the same. */
function readAll<Frame>(make: () => { push(chunk: Uint8Array): void; next(): Frame | undefined }, bytes: Buffer): Frame[] {
  const read = (chunks: readonly Buffer[]): Frame[] => {
    const decoder = make();
    const all: Frame[] = [];
    for (const chunk of chunks) {
      decoder.push(chunk);
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) all.push(frame);
    }
    return all;
  };
  const whole = read([bytes]);
  expect(read(Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)))).toEqual(whole);
  return whole;
}

const headerOf = (frame: Captured): Buffer => {
  const { kind, header } = decodeTwoPart(bytesOf(frame));
  expect(kind).toBe('header-only');
  return header;
};

describe('requests', () => {
  it.each(of('request frame'))('%s', (_title, captured) => {
    const [frame, ...more] = readAll(() => new RequestFrameDecoder(), bytesOf(captured)) as RequestFrame[];
    expect(more).toEqual([]);
    const { path, headers, control, body } = captured.decoded;
    expect(frame).toMatchObject({ kind: 'request', endpointPath: path, headersMalformed: false });
    expect({ ...frame!.headers }).toEqual(headers);
    const envelope = decodeTwoPart(frame!.payload);
    const message = decodeControlMessage(envelope.header);
    const wire = exact(control) as Record<string, unknown>;
    expect(message).toMatchObject({ id: wire['id'], requestType: 'single_in', responseType: 'many_out', payloadCodec: captured.codec });
    expect({ ...message.metadata }).toEqual(wire['metadata'] ?? {});
    expect(payloadCodec(message.payloadCodec).decode(envelope.data)).toEqual(exact(body));
    // What we would send: the control message by its fields (1.2.1 names no codec), the frame around it byte for byte.
    expect(exact(encodeControlMessage(message).toString())).toEqual({ payload_codec: 'json', ...wire });
    const again = encodeRequestFrame(path as string, headers as Record<string, string>, [frame!.payload]);
    expect(join0(again.chunks).equals(bytesOf(captured))).toBe(true);
  });

  it.each(of('request message'))('over NATS: %s', (_title, captured) => {
    const bytes = bytesOf(captured);
    const { control, body, headers } = captured.decoded;
    // HPUB <subject> <reply> <bytes of headers> <bytes of all>
    const [, , , headerSize, size] = bytes.subarray(0, bytes.indexOf('\r\n')).toString().split(' ');
    const payload = bytes.subarray(bytes.indexOf('\r\n') + 2 + Number(headerSize)).subarray(0, Number(size) - Number(headerSize));
    const envelope = decodeTwoPart(payload);
    const message = decodeControlMessage(envelope.header);
    expect(message.id).toBe((exact(control) as { id: string }).id);
    expect(payloadCodec(message.payloadCodec).decode(envelope.data)).toEqual(exact(body));
    expect(Object.keys(headers as object)).not.toContain('x-endpoint-path');
  });
});

describe('acks', () => {
  it.each(of('ack'))('%s', (_title, captured) => {
    const text = captured.decoded['text'] as string;
    expect(readAll(() => new AckDecoder(), bytesOf(captured))).toEqual([classifyAck(text)]);
    expect(encodeAck(text).equals(bytesOf(captured))).toBe(true);
    const kinds: Record<string, string> = { accepted: 'accepted', 'unknown endpoint': 'unknown-endpoint', 'path is not UTF-8': 'rejected', 'frame over the limit': 'rejected' };
    expect(classifyAck(text).kind).toBe(kinds[captured.name]);
  });
});

describe('responses', () => {
  it.each(of('handshake'))('handshake: %s', (_title, captured) => {
    const handshake = decodeHandshake(headerOf(captured));
    expect(handshake).toMatchObject({ streamType: 'response' });
    expect(join0(encodeTwoPart(encodeHandshake(handshake))).equals(bytesOf(captured))).toBe(true);
  });

  it.each(of('prologue'))('prologue: %s', (_title, captured) => {
    const prologue = decodePrologue(headerOf(captured));
    const wire = exact(captured.decoded['header']) as { error: string | null; typed_error?: { message: string; class?: string } };
    expect(prologue.error ?? null).toBe(wire.error);
    expect(prologue.typedError?.message).toBe(wire.typed_error?.message);
    expect(prologue.typedError?.class).toBe(wire.typed_error?.class);
    // A prologue that says more than the oldest workers do is written without the rest.
    if (wire.typed_error?.class === undefined) expect(join0(encodeTwoPart(encodePrologue(prologue))).equals(bytesOf(captured))).toBe(true);
  });

  it.each(of('data'))('item: %s', (_title, captured) => {
    const frame = decodeTwoPart(bytesOf(captured));
    expect(frame.kind).toBe('data-only');
    const codec = payloadCodec(captured.codec!);
    const item = decodeStreamItem(codec, frame.data);
    const { data, complete_final: completeFinal } = exact(captured.decoded['data']) as { data?: { error?: object }; complete_final: boolean };
    expect(item).toEqual(data === undefined ? { completeFinal } : { data, completeFinal });
    expect(join0(encodeTwoPart(undefined, encodeStreamItem(codec, item))).equals(bytesOf(captured))).toBe(true);
    if (data !== undefined) {
      const annotated = annotatedFromWire(item.data);
      expect(annotated.error !== undefined).toBe(data.error !== undefined);
      if (data.error === undefined) expect(annotatedToWire(annotated)).toEqual(data);
      else expect(annotated).toMatchObject({ event: 'error', error: { errorType: expect.stringMatching(/^backend_/) } });
    }
  });

  it.each(of('control'))('control: %s', (_title, captured) => {
    const control = decodeStreamControl(headerOf(captured));
    expect(`"${control}"`).toBe(captured.decoded['header']);
    expect(join0(encodeTwoPart(encodeStreamControl(control))).equals(bytesOf(captured))).toBe(true);
  });

  it.each(of('whole connection'))('a whole connection: %s', (_title, captured) => {
    const read = readAll(() => new TwoPartDecoder(), bytesOf(captured)) as TwoPartFrame[];
    expect(read).toHaveLength(captured.decoded['frames'] as number);
    expect(read.map(({ kind }) => kind)).toEqual(['header-only', 'header-only', ...Array(read.length - 3).fill('data-only'), 'header-only']);
  });
});

describe('instance records', () => {
  it.each(discoveryFiles.map((file) => [`${file.version}, ${file.name}`, file] as const))('%s', (_title, { name, text }) => {
    const read = decodeInstance(Buffer.from(text));
    if (read.kind !== 'record') throw new Error(`read as ${read.kind}`);
    const wire = exact(text) as Record<string, unknown>;
    const { record: instance } = read;
    expect(instance).toMatchObject({ namespace: wire['namespace'], instanceId: wire['instance_id'], transport: wire['transport'], codec: wire['request_plane_codec'] ?? 'json' });
    // Byte for byte; a record without a codec is one that only json is spoken with.
    if (wire['request_plane_codec'] !== undefined) expect(encodeInstance(instance)).toBe(text);
    expect(fileNameOf(instanceKey(instance, instance.instanceId))).toBe(name);
    expect(parseFileName(name)).toMatchObject({ endpoint: instance.endpoint, instanceId: instance.instanceId });
  });
});
