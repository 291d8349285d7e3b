import { describe, expect, it } from '@jest/globals';
import { LineWriter } from '../../src/logging/stderr.js';
import { until } from '../support/until.js';

/** A file descriptor that has room for some bytes only, then none until it gets more. */
class Pipe {
  readonly written: string[] = [];
  room = Infinity;
  broken = false;
  tries = 0;

  readonly writer = new LineWriter((bytes) => {
    this.tries += 1;
    if (this.broken) throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    if (this.room === 0) throw Object.assign(new Error('EAGAIN'), { code: 'EAGAIN' });
    const taken = Math.min(this.room, bytes.length);
    this.room -= taken;
    this.written.push(Buffer.from(bytes.subarray(0, taken)).toString('latin1'));
    return taken;
  });

  text(): string {
    return Buffer.from(this.written.join(''), 'latin1').toString();
  }
}

describe('LineWriter', () => {
  it('writes the lines of one turn of the event loop in one piece', async () => {
    const { writer, written } = new Pipe();
    writer.line('a');
    writer.line('b');
    expect(written).toEqual([]);
    await new Promise(setImmediate);
    writer.line('c');
    await new Promise(setImmediate);
    expect(written).toEqual(['a\nb\n', 'c\n']);
  });

  it('writes what is left when it is flushed, and nothing twice', async () => {
    const { writer, written } = new Pipe();
    writer.line('a');
    writer.flush();
    writer.flush();
    await new Promise(setImmediate);
    expect(written).toEqual(['a\n']);
  });

  it('keeps what a full pipe does not take and writes it when there is room, in order, cut inside a character too', async () => {
    const pipe = new Pipe();
    pipe.room = 4;
    pipe.writer.line('aé漢字');
    pipe.writer.flush();
    pipe.writer.line('later');
    expect(pipe.written).toHaveLength(1);
    pipe.room = 3;
    await until('the second piece', () => pipe.written.length === 2);
    pipe.room = Infinity;
    await until('the rest', () => pipe.text().endsWith('later\n'));
    expect(pipe.text()).toBe('aé漢字\nlater\n');
  });

  const note = (lines: number): string => `${lines} dropped`;

  it('drops lines beyond its limit, and tells how many in one line when half of it is free', () => {
    const pipe = new Pipe();
    pipe.writer.limit = 40;
    pipe.room = 0;
    for (let i = 10; i < 30; i += 1) {
      pipe.writer.line(`${i}`, note);
      pipe.writer.flush();
    }
    pipe.room = 18; // of 39 bytes: the rest is more than half of the limit
    pipe.writer.flush();
    pipe.writer.line('30', note);
    pipe.room = 9;
    pipe.writer.flush();
    pipe.writer.line('31', note);
    pipe.room = Infinity;
    pipe.writer.flush();
    expect(pipe.text()).toBe(`${Array.from({ length: 13 }, (_, i) => `${i + 10}\n`).join('')}8 dropped\n31\n`);
  });

  it('drops a line that is larger than its limit, and tells so', async () => {
    const pipe = new Pipe();
    pipe.writer.limit = 10;
    pipe.writer.line('x'.repeat(11), note);
    await until('the note', () => pipe.text() === '1 dropped\n');
  });

  it('copies what waits never again', () => {
    const seen = new Set<ArrayBufferLike>();
    let room = 0;
    const writer = new LineWriter((bytes) => {
      seen.add(bytes.buffer);
      if (room === 0) throw Object.assign(new Error('EAGAIN'), { code: 'EAGAIN' });
      return Math.min(bytes.length, room);
    });
    writer.line('x'.repeat(100_000));
    for (let i = 0; i < 10; i += 1) writer.flush();
    room = 7000;
    writer.flush();
    expect(seen.size).toBe(1);
  });

  it('ends the line that a full disk has cut before it writes the next, and tells what was lost', () => {
    const pipe = new Pipe();
    pipe.room = 5;
    pipe.writer.line('first line', note);
    pipe.writer.flush();
    pipe.broken = true;
    pipe.writer.line('second', note);
    pipe.writer.flush();
    pipe.writer.line('third', note);
    pipe.writer.flush();
    Object.assign(pipe, { broken: false, room: Infinity });
    pipe.writer.line('seen', note);
    pipe.writer.flush();
    expect(pipe.text()).toBe('first\nseen\n3 dropped\n');
  });

  it('counts lines whose note was lost, too', () => {
    const pipe = new Pipe();
    pipe.broken = true;
    for (const line of ['a', 'b', 'c']) pipe.writer.line(line, note);
    pipe.writer.flush();
    Object.assign(pipe, { broken: false, room: 2 }); // room for the line and not for the note
    pipe.writer.line('d', note);
    pipe.writer.flush();
    pipe.broken = true;
    pipe.writer.flush();
    Object.assign(pipe, { broken: false, room: Infinity });
    pipe.writer.flush();
    expect(pipe.text()).toBe('d\n3 dropped\n');
  });

  it('drops lines when nobody reads, and writes again when somebody does', () => {
    const pipe = new Pipe();
    pipe.broken = true;
    pipe.writer.line('lost');
    pipe.writer.flush();
    pipe.broken = false;
    pipe.writer.line('seen');
    pipe.writer.flush();
    expect(pipe.text()).toBe('seen\n');
  });

  it('writes at once from the exit on', () => {
    const { writer, written } = new Pipe();
    writer.line('a');
    writer.exit();
    writer.line('b');
    expect(written).toEqual(['a\n', 'b\n']);
  });

  it('waits for a slow reader at the exit, but not for ever and not again for each line', () => {
    const pipe = new Pipe();
    pipe.room = 0;
    pipe.writer.line('a');
    pipe.writer.exit();
    const tries = pipe.tries;
    expect(tries).toBeGreaterThan(1);
    pipe.writer.line('b');
    pipe.writer.line('c');
    expect([pipe.tries, pipe.written]).toEqual([tries + 2, []]);
  });
});
