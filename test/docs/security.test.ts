import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { withinDescriptors } from '../../src/internal/descriptors.js';
import { DEFAULT_BACKLOG_BYTES } from '../../src/logging/stderr.js';
import { BODY_LIMIT } from '../../src/middleware/observation/body-reader.js';
import { CARRY_LIMIT } from '../../src/middleware/observation/event-scanner.js';
import { readClientOptions, readServerOptions } from '../../src/transport/settings.js';

const root = join(__dirname, '..', '..');
const rows = readFileSync(join(root, 'SECURITY.md'), 'utf8').split('## Bounds')[1]!.split('\n').filter((line) => line.startsWith('| ')).slice(2)
  .map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()) as [string, string, string]);
const settings = (text: string): string[] => [...text.matchAll(/`(\w+)`/g)].map(([, name]) => name!);

/** A default as the page writes it. */
function written(name: string, value: number): string {
  if (name.endsWith('Ms')) return value >= 60_000 ? `${value / 60_000} minutes` : `${value / 1000} s`;
  return name === 'maxMessageSize' ? `${value / 2 ** 20} MiB` : value.toLocaleString('en');
}

describe('the bounds in SECURITY.md', () => {
  const defaults: Record<string, unknown> = { ...readClientOptions({ env: {} }), ...readServerOptions({ env: {} }) };

  test.each(rows.flatMap(([, bound, cell]) => settings(cell).filter((name) => name in defaults).map((name) => [name, bound] as const)))('%s is %s in the code, too', (name, bound) => {
    // Where the process may have few descriptors, connections have a share of them.
    const shares = [1, 0.5, 0.25].map((share) => withinDescriptors(Infinity, share));
    if (!shares.includes(defaults[name] as number)) expect(bound.split('; ')).toContain(written(name, defaults[name] as number));
  });

  test('of logs, bodies and events are those of the code', () => {
    const bound = (what: string): string => rows.find(([text]) => text.startsWith(what))![1];
    expect([bound('lines that wait'), bound('unary response').split(';')[0], bound('an event of a stream')])
      .toEqual([`${DEFAULT_BACKLOG_BYTES / 2 ** 20} MiB`, `${BODY_LIMIT / 2 ** 20} MiB`, `${CARRY_LIMIT / 2 ** 10} KiB`]);
  });

  test('name settings that the documents describe', () => {
    const pages = ['api', 'options', 'logging', 'transport', 'errors', 'routes', 'records', 'metrics'].map((name) => readFileSync(join(root, 'docs', `${name}.md`), 'utf8')).join('\n');
    const known = rows.flatMap(([, , cell]) => settings(cell));
    expect(known.filter((name) => !pages.includes(`\`${name}\``))).toEqual([]);
  });
});
