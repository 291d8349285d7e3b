import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { logs } from '@opentelemetry/api-logs';
import { context, diag, metrics, propagation, trace } from '@opentelemetry/api';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import type * as Otel from '../../src/otel.js';

let startTelemetry: typeof Otel.startTelemetry;
let warnings: string[];
const before = process.env;
beforeEach(() => {
  process.env = { ...before };
  jest.resetModules(); // telemetry is started once
  ({ startTelemetry } = jest.requireActual<typeof Otel>('../../src/otel.js'));
  warnings = [];
  jest.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
});
afterEach(() => {
  process.env = before;
  jest.restoreAllMocks();
  for (const api of [trace, metrics, context, propagation, logs, diag]) api.disable();
});

describe('startTelemetry', () => {
  test.each([
    [{ nonsense: 1 }, 'startTelemetry.nonsense'],
    [{ flushTimeoutMs: -1 }, 'startTelemetry.flushTimeoutMs'],
    [{ instrumentations: 'http' }, 'startTelemetry.instrumentations'],
    [{ sdk: {} }, 'startTelemetry.sdk'],
  ])('refuses %j', (options, path) => {
    expect(() => startTelemetry(options as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path }));
  });

  test('leaves a provider that is registered as it is, and says so once', async () => {
    let flushes = 0;
    const provider = new BasicTracerProvider({ spanProcessors: [{ onStart: () => undefined, onEnd: () => undefined, forceFlush: async () => void (flushes += 1), shutdown: () => Promise.reject(new Error('it is not ours')) }] });
    trace.setGlobalTracerProvider(provider);
    const telemetry = startTelemetry();
    expect([telemetry.started, startTelemetry()]).toEqual([false, telemetry]);
    expect(warnings).toEqual([expect.stringContaining('set up already')]);
    await telemetry.shutdown();
    expect(flushes).toBe(1);
    expect((trace.getTracerProvider() as { getDelegate?(): unknown }).getDelegate?.()).toBe(provider);
  });

  test.each(['OTEL_EXPORT_ENABLED=0', 'OTEL_SDK_DISABLED=true'])('with %s registers nothing and says nothing', (setting) => {
    const [name, value] = setting.split('=') as [string, string];
    process.env[name] = value;
    const listeners = process.listenerCount('SIGTERM');
    expect(startTelemetry().started).toBe(false);
    expect([warnings, trace.getTracer('x').startSpan('x').isRecording(), process.listenerCount('SIGTERM')]).toEqual([[], false, listeners]);
  });

  test('an SDK that cannot be started is reported, and the app goes on', () => {
    class NodeSDK {
      start(): void {
        throw new Error('no certificate');
      }

      shutdown(): Promise<void> {
        return Promise.resolve();
      }
    }
    expect(startTelemetry({ sdk: { NodeSDK } }).started).toBe(false);
    expect(warnings).toEqual([expect.stringContaining('startTelemetry failed: no certificate')]);
  });

  test('a second call returns what the first returned; its options and a variable that cannot be used are said', async () => {
    process.env['OTEL_TRACES_SAMPLE_RATIO'] = 'half';
    Object.assign(process.env, { OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' });
    const telemetry = startTelemetry();
    expect([telemetry.started, startTelemetry({ flushTimeoutMs: 1 })]).toEqual([true, telemetry]);
    expect(warnings).toEqual([expect.stringContaining('OTEL_TRACES_SAMPLE_RATIO must be a number from 0 to 1, got "half"'), expect.stringContaining('options are those of the first call')]);
    await telemetry.shutdown();
  });
});
