import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

test.each(['typed', 'untyped'])('an answer written in one piece (with a content type or without: %s) is not held for a client that reads slowly, and its usage is read', async (form) => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--import', 'tsx', join(__dirname, 'slow-clients.ts'), form]);
  const { held, tokens } = JSON.parse(stdout) as { held: number; tokens: number[] };
  expect(tokens).toEqual([1, 2]);
  expect(held).toBeLessThan(1 / 4);
});
