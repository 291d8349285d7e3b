import { describe, expect, it } from '@jest/globals';
import { SpanKind } from '@opentelemetry/api';
import { ATTRIBUTE_SETS, SEMANTIC_NAMES, SPANS, type SpanDefinition } from '../../src/spans/index.js';
import { doc, table } from './table.js';

describe('docs/spans.md', () => {
  it('shows the catalogue: every span with its name, target, kind and level', () => {
    const shown = table('spans.md', 'use', 'name', 'target', 'kind', 'level').map((row) => row.slice(0, 5));
    const entries = Object.entries<SpanDefinition>(SPANS);
    expect(shown).toEqual(entries.map(([use, { name, target, kind, level }]) => [use, name, target, SpanKind[kind], level]));
  });

  it('shows every semantic name beside the attribute that it belongs to, and no other', () => {
    const shown = table('spans.md', 'attribute').filter(([, , , semantic]) => semantic !== '').map(([name, , , semantic]) => [name!, semantic!]);
    expect(Object.fromEntries(shown)).toEqual(SEMANTIC_NAMES);
  });

  it('names spans of the catalogue only in the table of attributes', () => {
    const names = new Set<string>(['all', 'all but the routing helpers', ...Object.values(SPANS).map(({ name }) => name)]);
    const unknown = table('spans.md', 'attribute').flatMap(([, on]) => on!.split(', ')).filter((name) => !names.has(name));
    expect(unknown).toEqual([]);
  });

  it('names every attribute set', () => {
    for (const set of ATTRIBUTE_SETS) expect(doc('spans.md')).toContain(`\`${set}\``);
  });
});
