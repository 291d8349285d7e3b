import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

describe('an open stream', () => {
  it.each([['client', 'json'], ['client', 'msgpack'], ['router', 'json']])('of a %s (%s) holds its prompt neither at the caller nor at the worker', async (opener, codec) => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--import', 'tsx', join(__dirname, 'open-streams.ts'), opener, codec]);
    expect(Number(stdout)).toBeLessThan(1 / 8);
  });
});
