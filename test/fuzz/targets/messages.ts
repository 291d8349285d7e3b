import {
  annotatedFromWire, decodeControlMessage, decodeHandshake, decodePrologue, decodeStreamControl, decodeStreamItem, encodeControlMessage, itemError, parseWorkerAddress, formatWorkerAddress, payloadCodec,
  type PayloadCodecName,
} from '../../../src/protocol/index.js';
import { connectionInfoFromWire, connectionInfoToWire } from '../../../src/protocol/connection-info.js';
import { isUnicode, sameAgain } from '../again.js';
import { mutateBytes, mutatedJson, mutateJson } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const INFO = { address: '10.0.0.1:4000', subject: 's1', context: 'r1', stream_type: 'response' };
const INVALID = ['ERR_MESSAGE_INVALID'] as const;

/** `{"transport","info"}` with changes inside the JSON that is text. */
const connection = (random: Random, info: object = INFO): object => ({ transport: 'tcp_server', info: random.once(2) ? JSON.stringify(info) : mutatedJson(random, info).toString('utf8') });

function controlMessage(random: Random): object {
  return {
    id: 'r1', request_type: random.once(3) ? 'many_in' : 'single_in', response_type: 'many_out', payload_codec: random.pick(['json', 'msgpack']), connection_info: connection(random),
    metadata: { tenant: 'a', __proto__2: 'b' }, frontend_send_ts_ns: random.pick([1, 1_777_312_801_000_000_000n, 2n ** 64n - 1n]),
    request_stream_connection_info: connection(random, { ...INFO, stream_type: 'request' }),
  };
}

const all = (pieces: readonly Buffer[]): Buffer => Buffer.concat(pieces);

export const control: Target = {
  throws: INVALID,
  make: (random) => mutatedJson(random, controlMessage(random)),
  read: (pieces) => {
    const message = decodeControlMessage(all(pieces));
    if (Object.getPrototypeOf(message.metadata) !== null) throw new Error('metadata has a prototype');
    if (isUnicode(pieces)) sameAgain(message, (again) => decodeControlMessage(encodeControlMessage(again)));
    return message;
  },
};

export const connectionInfo: Target = {
  throws: INVALID,
  make: (random) => mutatedJson(random, connection(random)),
  read: (pieces) => {
    const info = connectionInfoFromWire(payloadCodec('json').decode(all(pieces)), 'info', 'response');
    if (isUnicode(pieces)) sameAgain(info, (again) => connectionInfoFromWire(connectionInfoToWire(again), 'info', 'response'));
    return info;
  },
};

const MESSAGES = [{ subject: 's1', stream_type: 'response' }, { error: null }, { error: 'no', typed_error: { error_type: 'Unknown', message: 'm', caused_by: { error_type: { Backend: 'EngineShutdown' }, message: 'x' } } }, 'stop', 'kill', 'sentinel'];

export const streamMessage: Target = {
  throws: INVALID,
  make: (random) => mutatedJson(random, random.pick(MESSAGES)),
  read: (pieces) => [decodeHandshake, decodePrologue, decodeStreamControl].map((decode) => tried(() => decode(all(pieces)))),
};

/** What one of several readers finds; undefined when it refuses the input as it may. */
function tried(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MESSAGE_INVALID') throw error;
    return undefined;
  }
}

const ITEM = {
  data: { data: { token_ids: [1, 2, 18_446_744_073_709_551_615n], text: 'a"\\☃', logprobs: [-0.1234567890123456, 1e-300], index: 0 }, id: 'x', event: 'error', comment: ['a', 'b'], error: { error_type: 'Unknown', message: 'm' } },
  complete_final: false,
};

/** What the codec reads it reads again from what it writes; nothing is reserved for what is not there. */
function payload(name: PayloadCodecName, repeats: readonly string[], make: (random: Random) => Buffer): Target {
  const codec = payloadCodec(name);
  return {
    throws: INVALID,
    repeats,
    make,
    read: (pieces) => {
      const bytes = all(pieces);
      const value = codec.decode(bytes);
      const { count, depth } = partsOf(value);
      if (name === 'msgpack' && depth > 1024) throw new Error(`${depth} arrays and maps inside each other`);
      if (count > bytes.length) throw new Error(`${count} values in ${bytes.length} bytes`);
      const again = tried(() => codec.decode(codec.encode(value)));
      const item = tried(() => decodeStreamItem(codec, bytes)) as { data?: unknown } | undefined;
      const annotated = tried(() => annotatedFromWire(item?.data)) as ReturnType<typeof annotatedFromWire> | undefined;
      return { again, item, annotated, error: annotated && itemError(annotated) };
    },
  };
}

/** How many arrays, objects and other values there are, and how deep; without recursion. */
function partsOf(value: unknown): { readonly count: number; readonly depth: number } {
  let [count, depth, level] = [0, 0, [value]];
  while (level.length > 0) {
    count += level.length;
    level = level.flatMap((one) => (typeof one === 'object' && one !== null && !(one instanceof Uint8Array) ? (Object.values(one) as unknown[]) : []));
    if (level.length > 0) depth += 1;
  }
  return { count, depth };
}

export const json = payload('json', ['[', '{"a":', '12345678901234567890,', '\\', '"', '.1111111111111111', '1'], (random) => mutatedJson(random, ITEM));

export const msgpack = payload('msgpack', ['\x91', '\x81\xa1a', '\xdd\x00\x00\xff\xff', '\xdf\x00\x00\x0f\xff', '\x81'], (random) => {
  const value = random.once(2) ? mutateJson(random, ITEM) : { ...ITEM, bytes: Buffer.from('abc') };
  const bytes = Buffer.from(payloadCodec('msgpack').encode(value));
  return random.once(8) ? bytes : mutateBytes(random, bytes, ['\xdd\xff\xff\xff\xff', '\xdf\x7f\xff\xff\xff', '\xdc\xff\xff', '\x91', '\x81', '\xc7\x01\x02', '\xcf', '\xd3', '\xa1\xff', '\xc1']);
});

const ADDRESSES = ['10.0.0.1:9000/2a/generate', 'tcp://127.0.0.1:1/x', '[::1]:9000/2a/generate', '[fe80::1%eth0]:65535', '1.2.3.4:80'];

export const workerAddress: Target = {
  throws: ['ERR_ADDRESS_INVALID'],
  make: (random) => mutateBytes(random, Buffer.from(random.pick(ADDRESSES)), [':', '[', ']', '/', 'tcp://', '0', '65536', '::', '%']),
  read: (pieces) => {
    const address = parseWorkerAddress(all(pieces).toString('latin1'));
    sameAgain(address, (again) => parseWorkerAddress(formatWorkerAddress(again)));
    return address;
  },
};
