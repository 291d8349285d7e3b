import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { page, render } from '../../scripts/transport-docs.cjs';

test('docs/transport.md has every option of the transport, in the words of the code', () => {
  const text = readFileSync(page, 'utf8');
  expect(render(text)).toBe(text);
  expect(text.match(/<!-- options /g)).toHaveLength(16);
});

test('the life of a call names classes and files that there are', () => {
  const text = readFileSync(page, 'utf8');
  const life = text.slice(text.indexOf('## The life of a call'), text.indexOf('## When something fails'));
  const root = join(page, '../../src/transport');
  const files = [...life.matchAll(/`((?:src\/protocol\/|[a-z]+\/)?[a-z-]+\.ts)`/g)].map(([, file]) => file!);
  expect(files.length).toBeGreaterThan(25);
  for (const [, name, file] of life.matchAll(/`(\w+)(?:\.\w+)?`\s+\(`([^`]+\.ts)`\)/g)) {
    expect(`${file}: ${readFileSync(join(root, file!), 'utf8').match(new RegExp(`(?:class|function|const|interface) ${name}\\b`))?.[0]}`).toMatch(new RegExp(`${name}$`));
  }
  for (const file of files) expect(existsSync(file.startsWith('src/') ? join(root, '../..', file) : join(root, file))).toBe(true);
});
