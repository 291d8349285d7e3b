import { expect, test } from '@jest/globals';
import { matchesWildcard } from '../../src/harness/trace/tree.js';
import { charactersSearched } from '../support/characters-searched.js';

test.each([
  ['a', 'a', true], ['a', 'ab', false], ['*', '', true], ['*', 'a\nb', true], ['a*', 'a', true], ['a*b', 'ab', true], ['a*b', 'a.b', true], ['a*a', 'a', false],
  ['*b*', 'abc', true], ['a*b*c', 'abbc', true], ['a*b*c', 'acb', false], ['**', 'x', true], ['a.c', 'abc', false], ['a*bc*bc', 'abc', false], ['a*bc*bc', 'abcbc', true],
])('the pattern %s and the text %j: %s', (pattern, text, matches) => {
  expect(matchesWildcard(pattern, text)).toBe(matches);
});

test('a text twice as long takes about twice the work, whatever stars the pattern has', () => {
  const [once, twice] = [2000, 4000].map((length) => charactersSearched(() => void matchesWildcard('*a*a*a*a*a*b', 'a'.repeat(length)))) as [number, number];
  expect(twice).toBeLessThan(2.5 * once + 64);
});
