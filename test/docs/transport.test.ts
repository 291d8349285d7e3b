import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { page, render } from '../../scripts/transport-docs.cjs';

test('docs/transport.md has every option of the transport, in the words of the code', () => {
  const text = readFileSync(page, 'utf8');
  expect(render(text)).toBe(text);
  expect(text.match(/<!-- options /g)).toHaveLength(12);
});
