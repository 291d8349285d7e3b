import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LEVELS, TargetFilter } from '../../src/internal/index.js';

/** The least severe level that is heard from a target, or `off`. */
function heard(filter: TargetFilter, target: string): string {
  return LEVELS.find((level) => filter.enabled(target, level)) ?? 'off';
}

describe('DYN_LOG', () => {
  it.each<[string | undefined, Record<string, string>]>([
    // defaults
    [undefined, { app: 'info', '': 'info', request_span: 'trace', system_span: 'info' }],
    ['', { app: 'info', request_span: 'trace' }],
    [' , ,', { app: 'info', request_span: 'trace' }],
    ['debug', { app: 'debug', system_span: 'debug', request_span: 'trace' }],
    ['DEBUG', { app: 'debug' }],
    ['error', { app: 'error', request_span: 'trace' }],
    ['off', { app: 'off', request_span: 'trace' }],
    ['trace', { app: 'trace' }],
    // target=level
    ['app=debug', { app: 'debug', other: 'off', request_span: 'trace' }],
    ['info,app=debug', { app: 'debug', other: 'info' }],
    ['app=off,info', { app: 'off', other: 'info' }],
    ['app', { app: 'trace', other: 'off' }],
    [' info , app = debug ', { app: 'debug', other: 'info' }],
    // the most specific wins, whatever the order
    ['a::b=debug,a=error,warn', { a: 'error', 'a::b': 'debug', 'a::b::c': 'debug', 'a::c': 'error', b: 'warn' }],
    ['warn,a=error,a::b=debug', { a: 'error', 'a::b': 'debug', 'a::b::c': 'debug', 'a::c': 'error', b: 'warn' }],
    // among equals the later wins
    ['a=debug,a=warn', { a: 'warn' }],
    ['debug,error', { a: 'error' }],
    // segment borders
    ['foo=debug', { foo: 'debug', 'foo::bar': 'debug', 'foo.bar': 'debug', 'foo/bar': 'debug', foobar: 'off', foo_bar: 'off', 'foo-bar': 'off', fo: 'off' }],
    ['tower=error,info', { tower: 'error', tower_http: 'info' }],
    ['foo/bar=debug', { 'foo/bar': 'debug', 'foo/bar/x': 'debug', foo: 'off' }],
    // request_span: the user wins
    ['request_span=off', { request_span: 'off', app: 'off' }],
    ['info,request_span=off', { request_span: 'off', app: 'info' }],
    ['request_span=off,info', { request_span: 'off', app: 'info' }],
    ['request_span=off,request_span=debug', { request_span: 'debug' }],
    ['info,request_spans=off', { request_span: 'trace', request_spans: 'off' }],
  ])('%j', (value, expected) => {
    const filter = TargetFilter.fromEnv({ DYN_LOG: value });
    expect(Object.fromEntries(Object.keys(expected).map((target) => [target, heard(filter, target)]))).toEqual(expected);
    expect(filter.rejected).toEqual([]);
  });

  it.each<[string, string[], Record<string, string>]>([
    ['app=loud', ['app=loud'], { app: 'info' }],
    ['app=', ['app='], { app: 'info' }],
    ['=debug', ['=debug'], { app: 'info' }],
    ['a=b=debug', ['a=b=debug'], { a: 'info' }],
    ['app[span{field=1}]=debug', ['app[span{field=1}]=debug'], { app: 'info' }],
    ['two words', ['two words'], { app: 'info' }],
    ['%$!,warn', ['%$!'], { app: 'warn' }],
    ['app=debug,app=loud', ['app=loud'], { app: 'debug', other: 'off' }],
    ['__proto__=x,constructor=debug', ['__proto__=x'], { constructor: 'debug' }],
  ])('leaves out what it cannot read in %j and names it', (value, rejected, expected) => {
    const filter = TargetFilter.fromEnv({ DYN_LOG: value });
    expect(filter.rejected).toEqual(rejected);
    expect(Object.fromEntries(Object.keys(expected).map((target) => [target, heard(filter, target)]))).toEqual(expected);
  });

  it('uses the given fallback when there is no directive', () => {
    expect(heard(new TargetFilter('', 'off'), 'app')).toBe('off');
    expect(heard(new TargetFilter('', 'debug'), 'app')).toBe('debug');
    expect(heard(new TargetFilter('warn', 'debug'), 'app')).toBe('warn');
  });

  it('gives the same answer when a target is asked for again', () => {
    const filter = new TargetFilter('info,a=error');
    expect([1, 2, 3].map(() => heard(filter, 'a'))).toEqual(['error', 'error', 'error']);
  });

  it('keeps a bounded number of decisions, of targets of a bounded length: loggers may take theirs from callers', () => {
    const filter = new TargetFilter('info,a=error');
    for (let n = 0; n < 5000; n += 1) expect(filter.enabled(`a::${n}`, 'warn')).toBe(false);
    expect(filter.kept).toBeLessThanOrEqual(1000);
    const before = filter.kept;
    expect([filter.enabled(`a::${'x'.repeat(1000)}`, 'warn'), filter.enabled('x'.repeat(1000), 'info'), filter.kept]).toEqual([false, true, before]);
  });

  it('reads any text without throwing, and what it hears is monotonic in severity', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('a', 'b', ':', '=', ',', ' ', 'info', 'off', 'request_span', '[', '\n') }), fc.constantFrom('a', 'a::b', 'request_span', ''), (text, target) => {
      const filter = new TargetFilter(text);
      const answers = LEVELS.map((level) => filter.enabled(target, level));
      expect(answers).toEqual([...answers].sort((x, y) => Number(x) - Number(y)));
    }));
  });
});
