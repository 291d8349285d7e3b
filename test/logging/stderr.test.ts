import { describe, expect, it } from '@jest/globals';
import { LineWriter } from '../../src/logging/stderr.js';
import { until } from '../support/until.js';

/** A file descriptor that has room for some bytes only, then none until it gets more. */
class Pipe {
  readonly written: string[] = [];
  room = Infinity;
  broken = false;

  readonly writer = new LineWriter((bytes) => {
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
    const before = performance.now();
    pipe.writer.line('a');
    pipe.writer.exit();
    pipe.writer.line('b');
    pipe.writer.line('c');
    const waited = performance.now() - before;
    expect(waited).toBeGreaterThan(1900);
    expect(waited).toBeLessThan(3500);
    expect(pipe.written).toEqual([]);
  });
});
