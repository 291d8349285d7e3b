import { describe, expect, it } from '@jest/globals';
import { dynamoTracingErrors } from '../../src/middleware/index.js';
import { classifyThrown } from '../../src/middleware/error-answer.js';
import { BODY_HEADERS } from '../../src/middleware/error-response.js';
import { doc, table } from './table.js';

const numbers = (text: string): number[] => [...text.matchAll(/\b\d{3}\b/g)].map(([status]) => Number(status));

describe('docs/errors.md', () => {
  it('shows the answer to every status of an upstream', () => {
    const rows = table('errors.md', 'upstream status', 'answer', 'type');
    const listed = new Map(rows.flatMap(([given, shown, type]) => numbers(given!).map((status) => [status, [shown, type]] as const)));
    const [rest4xx, rest5xx] = ['other 4xx', 'other 5xx'].map((start) => rows.find(([given]) => given!.startsWith(start))!.slice(1));
    for (const status of [200, 302, 600, ...Array.from({ length: 200 }, (_, i) => 400 + i)]) {
      const { status: answered, type } = classifyThrown(Object.assign(new Error('secret'), { response: { status, headers: {} } }));
      const [shown, shownType] = listed.get(status) ?? (status >= 400 && status < 500 ? rest4xx! : rest5xx!);
      expect([status, type, answered]).toEqual([status, shownType, shown === 'the same' ? status : Number(shown)]);
    }
  });

  it('names every header that is dropped, and no other', () => {
    const dropped = /body are dropped:([^.]*)\./.exec(doc('errors.md'))![1]!;
    expect([...dropped.matchAll(/`([\w-]+)`/g)].map(([, name]) => name)).toEqual(BODY_HEADERS);
  });

  it('shows every option, with its default', () => {
    const rows = table('errors.md', 'option', 'default');
    expect(() => dynamoTracingErrors(Object.fromEntries(rows.map(([name, fallback]) => [name, JSON.parse(fallback!)])))).not.toThrow();
    expect(() => dynamoTracingErrors({ unknown: 1 } as never)).toThrow(`there are: ${rows.map(([name]) => name).join(', ')}`);
  });
});
