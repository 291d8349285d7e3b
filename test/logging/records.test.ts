import { describe, expect, test } from '@jest/globals';
import { levelOf, type RecordName, type RecordSituation } from '../../src/logging/index.js';

const SITUATION: RecordSituation = { isSystem: false, status: undefined, outcome: undefined, routine: 'info' };

describe('the level of a record', () => {
  test.each<[RecordName, Partial<RecordSituation>, string]>([
    ['request received', {}, 'info'],
    ['request received', { routine: 'debug' }, 'debug'],
    ['request received', { status: 503 }, 'info'],
    ['http response sent', { status: 200 }, 'info'],
    ['http response sent', { status: 404 }, 'error'],
    ['http response sent', { status: 200, routine: 'debug' }, 'info'],
    ['http response sent', { status: 200, isSystem: true }, 'debug'],
    ['http response sent', { status: 404, isSystem: true }, 'warn'],
    ['http response sent', { status: 503, isSystem: true }, 'error'],
    ['request completed', { outcome: 'success' }, 'info'],
    ['request completed', { outcome: 'success', routine: 'debug' }, 'debug'],
    ['request completed', { outcome: 'error', routine: 'debug' }, 'error'],
    ['request completed', { outcome: 'cancelled', routine: 'debug', status: 200 }, 'info'],
    ['request cancelled', {}, 'warn'],
    ['request failed', {}, 'error'],
  ])('%s in %j is %s', (name, situation, level) => {
    expect(levelOf(name, { ...SITUATION, ...situation })).toBe(level);
  });
});
