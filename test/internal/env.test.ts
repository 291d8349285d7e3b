import { describe, expect, it } from '@jest/globals';
import { errorFact, isDynamoTracingError } from '../../src/errors/index.js';
import { envInteger, isTruthy } from '../../src/internal/index.js';

describe('isTruthy', () => {
  it.each(['1', 'true', 'TRUE', 'True', 'on', 'ON', 'yes', 'Yes', ' true ', '\tyes\n'])('takes %j as true', (value) => {
    expect(isTruthy(value)).toBe(true);
  });

  it.each([undefined, '', ' ', '0', 'false', 'off', 'no', 'y', 't', '2', 'truee', 'true,', '1 1'])('takes %j as false', (value) => {
    expect(isTruthy(value)).toBe(false);
  });
});

describe('envInteger', () => {
  it.each([undefined, '', '   '])('gives the fallback for %j', (value) => {
    expect(envInteger({ DYN_N: value }, 'DYN_N', 7)).toBe(7);
  });

  it.each<[string, number]>([['0', 0], ['42', 42], [' 42 ', 42], ['007', 7], ['9007199254740991', Number.MAX_SAFE_INTEGER]])('reads %j', (value, seen) => {
    expect(envInteger({ DYN_N: value }, 'DYN_N', 7)).toBe(seen);
  });

  it('includes both ends of the range', () => {
    expect([envInteger({ DYN_N: '1' }, 'DYN_N', 7, { min: 1, max: 9 }), envInteger({ DYN_N: '9' }, 'DYN_N', 7, { min: 1, max: 9 })]).toEqual([1, 9]);
  });

  it.each(['-1', '+1', '1.5', '1e3', '0x10', '1_000', 'ten', '10', '0', '9007199254740993', '9'.repeat(400)])('refuses %j for 1 to 9 and names the variable', (value) => {
    let error: unknown;
    try {
      envInteger({ DYN_N: value }, 'DYN_N', 7, { min: 1, max: 9 });
    } catch (thrown) {
      error = thrown;
    }
    expect(isDynamoTracingError(error, 'ERR_ENV_INVALID')).toBe(true);
    expect(errorFact(error, 'variable')).toBe('DYN_N');
    expect((error as Error).message).toBe(`DYN_N must be an integer from 1 to 9, got ${JSON.stringify(value.slice(0, 64))}`);
  });
});
