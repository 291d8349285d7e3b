import { describe, expect, test } from '@jest/globals';
import { isExportEnabled, sdkVariables } from '../../src/otel/variables.js';
import { table } from '../docs/table.js';

type Env = Record<string, string>;
const DEFAULTS = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_SERVICE_NAME: 'dynamo' };

describe('export', () => {
  test.each<[string, Env, boolean]>([
    ['nothing', {}, true],
    ['blank', { OTEL_EXPORT_ENABLED: ' ' }, true],
    ['1', { OTEL_EXPORT_ENABLED: '1' }, true],
    ['On, as Dynamo reads it', { OTEL_EXPORT_ENABLED: 'On' }, true],
    ['0', { OTEL_EXPORT_ENABLED: '0' }, false],
    ['false', { OTEL_EXPORT_ENABLED: 'false' }, false],
    ['any other text', { OTEL_EXPORT_ENABLED: 'maybe' }, false],
    ['OTEL_SDK_DISABLED', { OTEL_EXPORT_ENABLED: '1', OTEL_SDK_DISABLED: 'TRUE' }, false],
  ])('with %s set', (_title, env, isEnabled) => {
    expect(isExportEnabled(env)).toBe(isEnabled);
  });
});

describe('what the SDK gets', () => {
  test.each<[string, Env, Env]>([
    ['nothing is set: gRPC, and the service is dynamo', {}, DEFAULTS],
    ['blank variables: as if unset', { OTEL_EXPORTER_OTLP_PROTOCOL: '', OTEL_SERVICE_NAME: ' ', OTEL_TRACES_SAMPLE_RATIO: '' }, DEFAULTS],
    ['HTTP', { OTEL_EXPORTER_OTLP_PROTOCOL: ' HTTP/protobuf ' }, { ...DEFAULTS, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }],
    ['HTTP for one signal: gRPC for the others', { OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/protobuf' }, { ...DEFAULTS, OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/protobuf' }],
    ['a name', { OTEL_SERVICE_NAME: 'gateway' }, { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }],
    ['a name among the resource attributes', { OTEL_RESOURCE_ATTRIBUTES: 'a=b, service.name=gateway' }, { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }],
    ['resource attributes without a name', { OTEL_RESOURCE_ATTRIBUTES: 'my.service.name=x' }, DEFAULTS],
    ['a ratio', { OTEL_TRACES_SAMPLE_RATIO: '0.25' }, { ...DEFAULTS, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' }],
    ['a ratio stands above the sampler', { OTEL_TRACES_SAMPLE_RATIO: '0', OTEL_TRACES_SAMPLER: 'always_on' }, { ...DEFAULTS, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }],
    ['an address for traces alone: log records and metrics are not sent to localhost', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://a' }, { ...DEFAULTS, OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' }],
    ['an address for traces alone, another exporter for metrics', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://a', OTEL_METRICS_EXPORTER: 'prometheus' }, { ...DEFAULTS, OTEL_LOGS_EXPORTER: 'none' }],
    ['an address for traces and one for all', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://a', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://b' }, DEFAULTS],
    ['one address for all', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://b' }, DEFAULTS],
  ])('%s', (_title, env, variables) => {
    expect(sdkVariables(env)).toEqual({ variables, faults: [] });
  });

  test.each<[Env, Env, RegExp]>([
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'thrift' }, DEFAULTS, /OTEL_EXPORTER_OTLP_PROTOCOL .*"thrift": grpc is used/],
    [{ OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http' }, { ...DEFAULTS, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' }, /OTEL_EXPORTER_OTLP_TRACES_PROTOCOL .*"http": grpc is used/],
    [{ OTEL_TRACES_SAMPLE_RATIO: '1.5' }, DEFAULTS, /OTEL_TRACES_SAMPLE_RATIO .*"1.5"/],
    [{ OTEL_TRACES_SAMPLE_RATIO: 'half' }, DEFAULTS, /OTEL_TRACES_SAMPLE_RATIO .*"half"/],
  ])('%j cannot be used, which is said', (env, variables, fault) => {
    expect(sdkVariables(env)).toEqual({ variables, faults: [expect.stringMatching(fault)] });
  });
});

test('docs/telemetry.md has a row for every variable that is read or given to the SDK, and no other', () => {
  const known = new Set<string>();
  const watch = (env: Env): Env => new Proxy(env, { get: (target, name) => (known.add(String(name)), target[String(name)]) });
  for (const env of [{}, { OTEL_TRACES_SAMPLE_RATIO: '1' }, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'x' }, { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'x' }]) {
    isExportEnabled(watch(env));
    for (const name of Object.keys(sdkVariables(watch(env)).variables)) known.add(name);
  }
  const rows = table('telemetry.md', 'variable', 'default', 'what happens').map(([cell]) => cell!);
  const documented = rows.flatMap((cell) => [...cell.matchAll(/OTEL_[\w<>]*[A-Z]/g)].flatMap(([name]) => (name.includes('<signal>') ? ['TRACES', 'LOGS', 'METRICS'].map((signal) => name.replace(/<signal>/, signal)) : [name])));
  expect(documented.sort()).toEqual([...known].sort());
});
