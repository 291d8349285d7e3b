import { describe, expect, it } from '@jest/globals';
import { createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import { AsyncContextManager } from '../../src/trace-context/index.js';
import { makeProvider, type SpanProcessorLike } from '../../src/harness/record/sdk.js';

const processor: SpanProcessorLike = { onStart: () => undefined, onEnd: () => undefined, forceFlush: () => Promise.resolve(), shutdown: () => Promise.resolve() };

describe('the SDK that the harness looks for', () => {
  it('is named when it is missing', () => {
    let thrown: unknown;
    try {
      makeProvider(processor, ['@opentelemetry/not-there']);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'ERR_DEPENDENCY_MISSING', package: '@opentelemetry/sdk-trace-base' });
    expect((thrown as Error).message).toContain('npm install --save-dev @opentelemetry/sdk-trace-base');
  });

  it.each(['@opentelemetry/sdk-trace-base', '@opentelemetry/sdk-trace'])('%s records, whatever the environment says of sampling', (name) => {
    process.env['OTEL_TRACES_SAMPLER'] = 'always_off';
    try {
      const names: string[] = [];
      makeProvider({ ...processor, onEnd: (span) => names.push(span.name) }, [name]).getTracer('t').startSpan('recorded').end();
      expect(names).toEqual(['recorded']);
    } finally {
      delete process.env['OTEL_TRACES_SAMPLER'];
    }
  });
});

describe('the context manager of last resort', () => {
  it('carries a context through promises and bound functions, and keeps this and arguments', async () => {
    const manager = new AsyncContextManager().enable();
    const key = createContextKey('k');
    const ctx = ROOT_CONTEXT.setValue(key, 1);
    expect(await manager.with(ctx, async () => (await Promise.resolve(), manager.active().getValue(key)))).toBe(1);
    const bound = manager.bind(ctx, function (this: { x: number }, y: number) {
      return [manager.active().getValue(key), this.x, y];
    });
    expect(bound.call({ x: 2 }, 3)).toEqual([1, 2, 3]);
    expect(manager.bind(ctx, 5)).toBe(5);
    expect(manager.active()).toBe(ROOT_CONTEXT);
    expect(manager.disable().active()).toBe(ROOT_CONTEXT);
  });
});
