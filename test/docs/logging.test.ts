import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { jsonLine, readableLine } from '../../src/logging/format.js';
import { RECORD_TARGETS } from '../../src/logging/index.js';
import { LEVELS } from '../../src/internal/index.js';
import { entry, logOf } from '../logging/support.js';
import { doc, examples, table } from './table.js';

const SRC = join(__dirname, '..', '..', 'src');

describe('docs/logging.md', () => {
  it('shows every variable that logging reads, and no other', () => {
    const files = [...readdirSync(join(SRC, 'logging')).map((name) => join('logging', name)), join('internal', 'filter.ts')];
    const read = files.flatMap((name) => [...readFileSync(join(SRC, name), 'utf8').matchAll(/env\['(\w+)'\]/g)].map(([, variable]) => variable));
    expect(new Set(table('logging.md', 'variable').map(([variable]) => variable))).toEqual(new Set(read));
  });

  it('shows every target of our own', () => {
    expect(table('logging.md', 'target').map(([target]) => target)).toEqual(Object.values(RECORD_TARGETS));
  });

  it('names every level', () => {
    for (const level of [...LEVELS, 'off']) expect(doc('logging.md')).toContain(`\`${level}\``);
  });

  it('is right about the default of DYN_LOG', () => {
    const byDefault = logOf({});
    const asShown = logOf({ DYN_LOG: table('logging.md', 'variable')[0]![1]! });
    for (const { log } of [byDefault, asShown]) for (const level of LEVELS) log.emit(level, 'app', level, {});
    const told = ({ lines }: { lines: string[] }): string[] => lines.map((line) => line.slice(28));
    expect(told(byDefault)).toEqual(told(asShown));
  });

  it('shows lines as they are written', () => {
    const [json] = examples('logging.md', 'json');
    const [text] = examples('logging.md', 'text');
    const { time, level: _level, target: _target, message, cache, ...ids } = JSON.parse(json!.code) as Record<string, string>;
    const scope = { traceId: ids['trace_id']!, spanId: ids['span_id']!, traceFlags: 1, requestId: ids['request_id'], spanName: ids['span_name'] };
    const shown = entry({ message: message!, fields: { cache }, scope });
    expect(jsonLine(shown, time!)).toBe(json!.code);
    expect(readableLine(false)(shown, time!)).toBe(text!.code);
  });
});
