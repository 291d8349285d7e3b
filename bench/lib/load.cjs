'use strict';
const net = require('node:net');

/** The bytes of one HTTP/1.1 request. */
function requestBytes({ method, path, headers = {}, body }) {
  const all = { host: 'bench', ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }) };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${head}\r\n${body ?? ''}`, 'latin1');
}

/** Finds the end of one answer after another in the bytes of a connection, as cheaply as that can be done. */
class AnswerReader {
  #head = '';
  #left = 0;
  #chunked = false;
  #tail = '';

  /** Gives how many answers ended in `bytes`; `status` is that of the last one. */
  push(bytes) {
    let ended = 0;
    let at = 0;
    while (at < bytes.length) {
      if (this.#chunked) {
        const text = this.#tail + bytes.toString('latin1', at);
        this.#tail = text.slice(-5);
        at = bytes.length;
        if (this.#tail === '0\r\n\r\n') {
          this.#chunked = false;
          this.#tail = '';
          ended += 1;
        }
      } else if (this.#left > 0) {
        const taken = Math.min(this.#left, bytes.length - at);
        this.#left -= taken;
        at += taken;
        if (this.#left === 0) ended += 1;
      } else {
        const from = this.#head.length;
        this.#head += bytes.toString('latin1', at);
        const end = this.#head.indexOf('\r\n\r\n');
        if (end === -1) return ended;
        at += end + 4 - from;
        this.status = Number(this.#head.slice(9, 12));
        const length = /\r\ncontent-length: (\d+)/i.exec(this.#head.slice(0, end));
        this.#head = '';
        this.#left = length === null ? 0 : Number(length[1]);
        this.#chunked = length === null;
      }
    }
    return ended;
  }
}

/**
 * Sends `total` requests over `connections` keep-alive connections, one in flight on each. Gives the seconds it took.
 * A small client of our own: it takes far less CPU than the servers, so that they decide the speed.
 */
function load({ port, request, total, connections = 50, expect = 200 }) {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let answered = 0;
    const sockets = [];
    const started = process.hrtime.bigint();
    const finish = (error) => {
      for (const socket of sockets) socket.destroy();
      if (error === undefined) resolve({ seconds: Number(process.hrtime.bigint() - started) / 1e9 });
      else reject(error);
    };
    for (let i = 0; i < Math.min(connections, total); i += 1) {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
      const reader = new AnswerReader();
      sockets.push(socket);
      sent += 1;
      socket.write(request);
      socket.on('data', (bytes) => {
        const ended = reader.push(bytes);
        if (ended === 0) return;
        if (reader.status !== expect) return finish(new Error(`status ${reader.status}, expected ${expect}`));
        answered += ended;
        if (answered === total) finish();
        else if (sent < total) {
          sent += 1;
          socket.write(request);
        }
      });
      socket.on('error', finish);
      socket.on('close', () => answered < total && sent < total && finish(new Error('a connection was closed under load')));
    }
  });
}

module.exports = { load, requestBytes };
