import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ReconnectPause } from '../../src/transport/sockets';

describe('the pause after a failure to connect', () => {
  let over: number[];
  let pause: ReconnectPause;
  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
    over = [];
    pause = new ReconnectPause(() => void over.push(Date.now()));
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  /** How long each pause was, in milliseconds, when every attempt fails. */
  const pauses = (count: number): number[] => Array.from({ length: count }, () => {
    const begun = Date.now();
    pause.failed();
    expect(pause.on).toBe(true);
    jest.advanceTimersToNextTimer();
    expect([pause.on, over.at(-1)]).toEqual([false, Date.now()]);
    return Date.now() - begun;
  });

  it.each([
    [0, [20, 40, 80, 160, 320, 640, 1000, 1000]],
    [1, [10, 20, 40, 80, 160, 320, 500, 500]],
  ])('is twice as long each time, up to a second, and up to a half of it is left out at random (%d)', (random, expected) => {
    jest.spyOn(Math, 'random').mockReturnValue(random);
    expect(pauses(8)).toEqual(expected);
  });

  it('is short again after a success, which ends it', () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    pauses(3);
    pause.failed();
    pause.succeeded();
    expect([pause.on, jest.getTimerCount(), pauses(2)]).toEqual([false, 0, [20, 40]]);
  });

  it('is not begun again by failures meanwhile, and is ended without a word when its pool closes', () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    pause.failed();
    jest.advanceTimersByTime(19);
    pause.failed();
    jest.advanceTimersByTime(1);
    expect(over).toEqual([20]);
    expect(pauses(1)).toEqual([40]);
    pause.failed();
    pause.clear();
    expect([pause.on, jest.getTimerCount(), over]).toEqual([false, 0, [20, 60]]);
  });
});
