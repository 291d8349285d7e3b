import { describe, expect, it } from '@jest/globals';
import { RECORDS, idFields } from '../../src/logging/index.js';
import { SCOPE } from '../logging/support.js';
import { doc, table } from './table.js';

/** Fields that only a worker's record has. */
const WORKERS = ['component', 'namespace', 'instance_id'];

describe('docs/dynamo.md', () => {
  const rows = table('dynamo.md', 'field', 'whose');

  it('has a row for every field of our own record, and calls none of them Dynamo\'s', () => {
    const own = [...RECORDS['request completed'].fields, ...Object.keys(idFields(SCOPE)), 'method', 'uri'].filter((field) => !WORKERS.includes(field));
    const whose = new Map(rows.map(([field, says]) => [field, says]));
    expect(own.filter((field) => !['equal', 'differs', 'ours'].includes(whose.get(field) ?? ''))).toEqual([]);
  });

  it('says of each field one of four things, once', () => {
    expect(rows.filter(([, says]) => !['equal', 'differs', 'ours', "Dynamo's"].includes(says ?? ''))).toEqual([]);
    expect(new Set(rows.map(([field]) => field)).size).toBe(rows.length);
  });

  it('is linked from the README', () => {
    expect(doc('../README.md')).toContain('](docs/dynamo.md)');
  });
});
