import { describe, expect, test } from '@jest/globals';
import { frontendBuckets, WORKER_BUCKETS } from '../../src/metrics/buckets.js';
import { FRONTEND, SYSTEM, WORKER, type Family } from '../../src/metrics/families.js';
import { ATTRIBUTES, GEN_AI } from '../../src/metrics/gen-ai.js';
import { METRICS_OPTION_NAMES } from '../../src/metrics/metrics.js';
import { WORKER_METRICS_OPTION_NAMES } from '../../src/metrics/worker.js';
import { doc, table } from './table.js';

const BUCKETS: Readonly<Record<string, readonly number[]>> = { ...frontendBuckets({}), ...WORKER_BUCKETS };
const rowsOf = (families: Readonly<Record<string, Family>>): string[][] =>
  Object.entries(families).map(([name, { type, labels, own, help }]) => [name, type, [...labels, ...(own === true ? ['own'] : [])].join(', '), type === 'histogram' ? BUCKETS[name]!.join(' ') : '', help]);

describe('docs/metrics.md', () => {
  test('has every metric of the front end with type, labels, buckets and meaning, and no other', () => {
    expect(table('metrics.md', 'name', 'type', 'labels', 'buckets', 'meaning')).toEqual(rowsOf({ ...FRONTEND, ...SYSTEM }));
  });

  test('has every metric of the worker, and no other', () => {
    expect(table('metrics.md', 'worker metric', 'type', 'labels', 'buckets', 'meaning')).toEqual(rowsOf(WORKER));
  });

  test('has every OpenTelemetry instrument, and no other', () => {
    expect(table('metrics.md', 'instrument', 'unit', 'buckets', 'meaning')).toEqual(Object.values(GEN_AI).map(({ name, unit, boundaries, description }) => [name, unit, boundaries.join(' '), description]));
  });

  test('has every option in the order of the code, and no other', () => {
    expect(table('metrics.md', 'option', 'type', 'default').map(([name]) => name)).toEqual(METRICS_OPTION_NAMES);
    expect(table('metrics.md', 'worker option', 'type', 'default').map(([name]) => name)).toEqual(WORKER_METRICS_OPTION_NAMES);
  });

  test('has every attribute of the OpenTelemetry metrics, and no other', () => {
    expect(table('metrics.md', 'attribute', 'meaning').map(([name]) => name)).toEqual(Object.values(ATTRIBUTES));
  });

  test('is linked from the README', () => {
    expect(doc('../README.md')).toContain('](docs/metrics.md)');
  });
});
