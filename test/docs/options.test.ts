import { describe, expect, it } from '@jest/globals';
import type { DynamoTracingOptions } from '../../src/middleware/index.js';
import { OPTION_NAMES, readTracing, type Tracing } from '../../src/middleware/options.js';
import { examples, table } from './table.js';

const rows = table('options.md', 'option', 'type', 'default');

/** What JavaScript text stands for. */
function evaluate(code: string, names: Record<string, unknown> = {}): unknown {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
  return new Function(...Object.keys(names), `return ${code}`)(...Object.values(names));
}

/** The settings that options come to; functions and tables are compared by what they are, not by which. */
function plain(tracing: Tracing): unknown {
  return JSON.parse(JSON.stringify(tracing, (_key, value: unknown) => (typeof value === 'function' ? 'a function' : value)));
}

describe('docs/options.md', () => {
  it('shows every option, in the order of the code, and no other', () => {
    expect(rows.map(([name]) => name)).toEqual(OPTION_NAMES);
  });

  it.each(rows.filter(([, , fallback]) => /^(true|false|'.*'|\[\])$/.test(fallback!)).map(([name, , fallback]) => [name!, fallback!]))('is right about the default of %s: %s', (name, fallback) => {
    expect(plain(readTracing('x', { [name]: evaluate(fallback) }))).toEqual(plain(readTracing('x', undefined)));
  });

  it.each(rows.map(([name, type]) => [name!, [...type!.matchAll(/'(\w+)'/g)].map(([, choice]) => choice!)] as const).filter(([, choices]) => choices.length > 0))('%s takes %j and no other text', (name, choices) => {
    for (const choice of choices) expect(() => readTracing('x', { [name]: choice })).not.toThrow();
    expect(() => readTracing('x', { [name]: 'something else' })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', message: expect.stringContaining(choices.map((choice) => `'${choice}'`).join(', ')) }));
  });

  it('has an example of every option that the code takes', () => {
    const shown = examples('options.md', 'ts');
    expect(shown.map(({ heading }) => heading)).toEqual(OPTION_NAMES);
    for (const { heading, code } of shown) {
      const given = evaluate(code, { dynamoTracing: (options: DynamoTracingOptions) => options }) as DynamoTracingOptions;
      expect(Object.keys(given)).toEqual([heading]);
      expect(() => readTracing('x', given)).not.toThrow();
    }
  });
});
