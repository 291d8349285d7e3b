import { describe, expect, it } from '@jest/globals';
import { parseTracestate, TextTraceState } from '../../src/trace-context/index.js';

describe('TextTraceState', () => {
  it('keeps what the API\'s own implementation would drop: 600 characters, and level-2 keys', () => {
    const text = `a@@b=1,${'k'.repeat(250)}=${'v'.repeat(250)},z@=${'x'.repeat(100)}`;
    expect(text.length).toBeGreaterThan(600);
    expect(new TextTraceState(text).serialize()).toBe(text);
    expect(new TextTraceState(text).get('a@@b')).toBe('1');
  });

  it.each<[string, string, string | undefined]>([
    ['foo=1,bar=2', 'bar', '2'],
    ['foo=1,bar=2', 'ba', undefined],
    ['foo=1,bar=2', '', undefined],
    ['foo=1,foo=2', 'foo', '1'],
    ['', 'foo', undefined],
  ])('of %j gets %j as %j', (text, key, value) => {
    expect(new TextTraceState(text).get(key)).toBe(value);
  });

  it('puts a changed member in front and leaves the original as it was', () => {
    const original = new TextTraceState('foo=1,bar=2,baz=3');
    expect(original.set('baz', '9').serialize()).toBe('baz=9,foo=1,bar=2');
    expect(original.set('new', '0').serialize()).toBe('new=0,foo=1,bar=2,baz=3');
    expect(original.unset('bar').serialize()).toBe('foo=1,baz=3');
    expect(original.serialize()).toBe('foo=1,bar=2,baz=3');
  });

  it('begins and ends empty', () => {
    expect(new TextTraceState('').set('foo', '1').serialize()).toBe('foo=1');
    expect(new TextTraceState('foo=1').unset('foo').serialize()).toBe('');
  });

  it.each<[string, string]>([['Foo', '1'], ['foo', ''], ['foo', 'a,b=1'], ['foo', '1\r\nx: y'], ['a,b', '1'], ['foo', 'é'], ['', '1'], ['foo', 'v'.repeat(257)]])('does not take the member %j=%j', (key, value) => {
    expect(new TextTraceState('bar=2').set(key, value).serialize()).toBe('bar=2');
  });

  it('lets the last member go when a 33rd comes', () => {
    const text = Array.from({ length: 32 }, (_, i) => `k${i}=1`).join(',');
    const longer = new TextTraceState(text).set('new', '1').serialize();
    expect(longer.split(',')).toHaveLength(32);
    expect(longer).toMatch(/^new=1,k0=1,.*,k30=1$/);
    expect(parseTracestate(longer)).toBe(longer);
  });
});
