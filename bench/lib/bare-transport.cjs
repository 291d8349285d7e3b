'use strict';
/**
 * What the transport is compared with: the same bytes over bare `net`, with as little around them as the job allows. No
 * timeouts, no cancellation, no limits, no answer but the good one. Only what arrives whole is read without a copy.
 */
const net = require('node:net');
const { HEADERS, ITEM, PATH, PAYLOAD } = require('./transport-data.cjs');

const SOCKET = { host: '127.0.0.1', noDelay: true };

function listen(onConnection) {
  return new Promise((resolve) => {
    const server = net.createServer({ noDelay: true }, onConnection).listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
}

function encodeRequest(headers) {
  const json = JSON.stringify(headers);
  const jsonSize = Buffer.byteLength(json);
  const head = Buffer.allocUnsafe(8 + PATH.length + jsonSize);
  head.writeUInt16BE(PATH.length, 0);
  head.latin1Write(PATH, 2);
  head.writeUInt16BE(jsonSize, 2 + PATH.length);
  head.utf8Write(json, 4 + PATH.length);
  head.writeUInt32BE(PAYLOAD.length, 4 + PATH.length + jsonSize);
  return head;
}

const onTheWire = () => ({ ...HEADERS, 'x-endpoint-path': PATH });

/** Takes whole frames off a stream of bytes: `sizeAt(bytes, at)` is the size of the frame that begins there, if that is known. */
function splitter(sizeAt, onFrame) {
  let rest;
  return (chunk) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (let size = sizeAt(bytes, at); size !== undefined && at + size <= bytes.length; size = sizeAt(bytes, at)) {
      onFrame(bytes, at, size);
      at += size;
    }
    rest = at === bytes.length ? undefined : bytes.subarray(at);
  };
}

function requestSize(bytes, at) {
  if (at + 4 + PATH.length > bytes.length) return undefined;
  const path = bytes.readUInt16BE(at);
  const headers = bytes.readUInt16BE(at + 2 + path);
  const end = at + 4 + path + headers;
  return end + 4 > bytes.length ? undefined : 8 + path + headers + bytes.readUInt32BE(end);
}

function readRequest(bytes, at) {
  const path = bytes.readUInt16BE(at);
  const headers = at + 4 + path;
  const end = headers + bytes.readUInt16BE(at + 2 + path);
  return { path: bytes.utf8Slice(at + 2, at + 2 + path), headers: JSON.parse(bytes.utf8Slice(headers, end)), payload: bytes.subarray(end + 4, end + 4 + PAYLOAD.length) };
}

/** A worker that decodes each frame (`decode`) or only counts it, and writes the acks of a chunk as one. */
function tripWorker({ decode }) {
  return listen((socket) => {
    let accepted = 0;
    const split = splitter(requestSize, (bytes, at) => {
      if (decode && readRequest(bytes, at).headers.traceparent === undefined) throw new Error('a header is missing');
      accepted += 1;
    });
    socket.on('error', () => undefined).on('data', (chunk) => {
      split(chunk);
      if (accepted > 0) socket.write(Buffer.alloc(4 * accepted));
      accepted = 0;
    });
  });
}

/** Frames of one turn are written together; `encode` makes each anew, else all are the same bytes. */
function tripCaller(port, { encode }) {
  const socket = net.connect({ ...SOCKET, port });
  const ready = Buffer.concat([encodeRequest(onTheWire()), PAYLOAD]);
  return async ({ total, inFlight, times }) => {
    let sent = 0;
    let acked = 0;
    const send = () => {
      sent += 1;
      if (times === undefined) return write();
      times[sent - 1] = performance.now();
      write();
    };
    const write = () => {
      if (!encode) return void socket.write(ready);
      socket.write(encodeRequest(onTheWire()));
      socket.write(PAYLOAD);
    };
    await new Promise((resolve, reject) => {
      socket.removeAllListeners('data').on('data', (chunk) => {
        const acks = chunk.length / 4; // four zero bytes each; never cut on loopback
        if (times !== undefined) for (let i = 0; i < acks; i += 1) times[acked + i] = performance.now() - times[acked + i];
        acked += acks;
        if (acked === total) return resolve();
        const more = Math.min(acks, total - sent);
        if (more === 0) return;
        socket.cork();
        for (let i = 0; i < more; i += 1) send();
        socket.uncork();
      });
      socket.once('error', reject);
      socket.cork();
      for (let i = 0; i < Math.min(inFlight, total); i += 1) send();
      process.nextTick(() => socket.uncork());
    });
  };
}

/** One item as a frame: TwoPart preamble and the item in its two wrappers. */
function encodeItem(item) {
  const json = JSON.stringify({ data: { data: item }, complete_final: false });
  const size = Buffer.byteLength(json);
  const frame = Buffer.alloc(24 + size);
  frame.writeUInt32BE(size, 12);
  frame.utf8Write(json, 24);
  return frame;
}

const BLOCK = 65_536;
const ready = encodeItem(ITEM);
/** What a bare worker writes at a time, and how many items are in it. */
const WRITES = {
  blocks: () => ({ bytes: Buffer.concat(Array(Math.floor(BLOCK / ready.length)).fill(ready)), items: Math.floor(BLOCK / ready.length) }),
  frames: () => ({ bytes: ready, items: 1 }),
  encoding: () => ({ bytes: encodeItem(ITEM), items: 1 }),
};

/** A worker that answers a count of four bytes with so many items, as fast as the socket takes them. */
function streamWorker(kind) {
  const next = WRITES[kind];
  const whole = kind === 'encoding' ? undefined : next();
  return listen((socket) => {
    let left = 0;
    const pump = () => {
      let written = 0;
      socket.cork();
      while (left > 0 && written < BLOCK) {
        const { bytes, items } = whole ?? next();
        const part = items <= left ? bytes : bytes.subarray(0, left * ready.length);
        socket.write(part);
        written += part.length;
        left -= Math.min(items, left);
      }
      socket.uncork();
      if (left === 0) return;
      if (socket.writableNeedDrain) socket.once('drain', pump);
      else setImmediate(pump);
    };
    socket.on('error', () => undefined).on('data', (count) => {
      left = count.readUInt32BE(0);
      pump();
    });
  });
}

const itemSize = (bytes, at) => (at + 24 > bytes.length ? undefined : 24 + bytes.readUInt32BE(at + 4) + bytes.readUInt32BE(at + 12));

/** Asks for items and parses each. */
function streamCaller(port) {
  const socket = net.connect({ ...SOCKET, port });
  return ({ items }) => new Promise((resolve, reject) => {
    let read = 0;
    const split = splitter(itemSize, (bytes, at, size) => {
      if (JSON.parse(bytes.utf8Slice(at + 24, at + size)).data.data !== undefined) read += 1;
    });
    socket.removeAllListeners('data').on('data', (chunk) => {
      split(chunk);
      if (read === items) resolve();
    });
    socket.once('error', reject);
    const count = Buffer.alloc(4);
    count.writeUInt32BE(items, 0);
    socket.write(count);
  });
}

module.exports = { streamCaller, streamWorker, tripCaller, tripWorker };
