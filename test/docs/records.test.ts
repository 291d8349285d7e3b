import { describe, expect, it } from '@jest/globals';
import { jsonLine } from '../../src/logging/format.js';
import { RECORDS, idFields } from '../../src/logging/index.js';
import { classifyError, errorDetail } from '../../src/middleware/error-type.js';
import { entry, SCOPE } from '../logging/support.js';
import { table } from './table.js';

describe('docs/records.md', () => {
  it('shows every record with its levels', () => {
    const shown = table('records.md', 'message', 'level').map(([message, level, errorLevel]) => [message, { level, errorLevel }]);
    expect(shown).toEqual(Object.entries(RECORDS).map(([message, { level, errorLevel }]) => [message, { level, errorLevel }]));
  });

  it('shows every field of every record, and no other', () => {
    const shown = table('records.md', 'message', 'field').map(([message, field]) => `${message}: ${field}`);
    const defined = Object.entries(RECORDS).flatMap(([message, { fields }]) => fields.map((field) => `${message}: ${field}`));
    expect(new Set(shown)).toEqual(new Set(defined));
    expect(shown).toHaveLength(new Set(shown).size);
  });

  it('gives every field a unit and a rule', () => {
    for (const [message, field, unit, rule] of table('records.md', 'message', 'field')) {
      expect([message, field, unit !== '', /^[`A-Z].*\.$/.test(rule!)]).toEqual([message, field, true, true]);
    }
  });

  it('shows every id', () => {
    const shown = table('records.md', 'field', 'value').map(([field]) => field);
    expect(new Set(shown)).toEqual(new Set(Object.keys(idFields(SCOPE))));
  });

  it('is right about decimals: the fields that it says so of, and no other', () => {
    const rows = table('records.md', 'message', 'field', 'unit');
    const written = JSON.parse(jsonLine(entry({ display: true, fields: Object.fromEntries(rows.map(([, field]) => [field, 1])) }), '')) as Record<string, unknown>;
    for (const [, field, unit] of rows) expect([field, written[field!]]).toEqual([field, unit!.endsWith('two decimals') ? '1.00' : '1']);
  });

  it('shows every error type with its detail', () => {
    for (const [type, detail] of table('records.md', 'error_type')) expect([type, errorDetail(type!)]).toEqual([type, detail]);
  });

  it('shows the type of every error status', () => {
    const rows = table('records.md', 'error_type');
    const listed = new Map(rows.flatMap(([type, , statuses]) => [...statuses!.matchAll(/\b\d{3}\b/g)].map(([status]) => [Number(status), type!] as const)));
    listed.delete(400); // the "below 400" of success
    for (let status = 400; status < 600; status += 1) {
      const type = listed.get(status) ?? (status < 500 ? 'validation' : 'internal');
      expect([status, classifyError(status)]).toEqual([status, type]);
    }
    const types = new Set(Array.from({ length: 200 }, (_, i) => classifyError(400 + i)));
    for (const type of types) expect(rows.map(([shown]) => shown)).toContain(type);
  });
});
