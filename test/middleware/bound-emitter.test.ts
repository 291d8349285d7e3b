import { EventEmitter } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { bindEmitters } from '../../src/middleware/bound-emitter.js';
import { currentTrace } from '../../src/middleware/index.js';
import { currentTraceContext, setTraceScope } from '../../src/trace-context/index.js';

const SCOPE = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 1, requestId: '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b' };

describe('listeners of a request', () => {
  const handle = {};
  let req: IncomingMessage;
  let seen: [string, boolean, string | undefined][];
  const note = (name: string) => () => void seen.push([name, currentTrace() === handle, currentTraceContext()?.requestId]);

  beforeEach(() => {
    seen = [];
    req = new IncomingMessage(new Socket());
    req.on('told', note('before'));
    bindEmitters(handle, setTraceScope(ROOT_CONTEXT, SCOPE), req);
  });

  test('run inside the request, added before it began or after, by on, once and prepend, in their order', () => {
    req.on('told', note('after'));
    req.once('told', note('once'));
    req.prependListener('told', note('prepended'));
    req.prependOnceListener('told', note('prepended once'));
    req.emit('told');
    req.emit('told');
    const inside = (name: string) => [name, true, SCOPE.requestId];
    expect(seen).toEqual([...['prepended once', 'prepended', 'before', 'after', 'once'], ...['prepended', 'before', 'after']].map(inside));
  });

  test('can be removed by the function that was added, and are counted as they are', () => {
    const listener = note('removed');
    req.on('told', listener);
    expect([req.listenerCount('told'), req.listeners('told')[1]]).toEqual([2, listener]);
    req.off('told', listener);
    req.emit('told');
    expect(seen.map(([name]) => name)).toEqual(['before']);
  });

  test('throw to whoever emits, and the others that come after them do not run, as without us', () => {
    const error = new Error('planted');
    req.on('told', () => {
      throw error;
    });
    req.on('told', note('after'));
    expect(() => req.emit('told')).toThrow(error);
    expect(seen.map(([name]) => name)).toEqual(['before']);
    expect(currentTrace()).toBeUndefined();
  });

  test('get their arguments and the emitter as their this, and emit says whether there was one', () => {
    const calls: unknown[] = [];
    req.on('args', function (this: unknown, ...args: unknown[]) {
      calls.push(this, ...args);
    });
    expect([req.emit('args', 1, 'two'), req.emit('nobody')]).toEqual([true, false]);
    expect(calls).toEqual([req, 1, 'two']);
  });

  test('an error that nobody listens for is thrown, as without us', () => {
    const error = new Error('planted');
    expect(() => req.emit('error', error)).toThrow('planted');
  });

  test('stay in the context of a request inside of which they are told', () => {
    const inner = {};
    const emitter = new EventEmitter() as unknown as IncomingMessage;
    bindEmitters(inner, setTraceScope(ROOT_CONTEXT, { ...SCOPE, requestId: 'inner' }), emitter);
    emitter.on('told', () => req.emit('told'));
    emitter.on('told', () => void seen.push(['inner', currentTrace() === inner, currentTraceContext()?.requestId]));
    emitter.emit('told');
    expect(seen).toEqual([['before', true, SCOPE.requestId], ['inner', true, 'inner']]);
  });
});
