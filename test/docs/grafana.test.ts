import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { FRONTEND, SYSTEM, WORKER, type Family } from '../../src/metrics/families.js';

const FOLDER = join(__dirname, '..', '..', 'examples', 'grafana');
const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
const dashboard = JSON.parse(read('dashboard.json')) as { uid: string; panels: { title: string; datasource?: { type: string }; targets?: { expr: string }[] }[] };
const alerts = parse(read('alerts.yaml')) as { groups: { rules: { alert: string; expr: string }[] }[] };

/** Every series that Prometheus has of a metric, with its labels. */
const series = new Map<string, readonly string[]>();
const add = (prefix: string, families: Readonly<Record<string, Family>>): void => {
  for (const [name, { type, labels }] of Object.entries(families)) {
    const full = `${prefix}_${name}`;
    if (type !== 'histogram') series.set(full, [...labels, 'instance', 'job']);
    else for (const part of ['bucket', 'sum', 'count']) series.set(`${full}_${part}`, [...labels, 'le', 'instance', 'job']);
  }
};
add('dynamo_frontend', { ...FRONTEND, ...SYSTEM });
add('dynamo', WORKER);

/** What an expression in PromQL names that there is not: series, and labels of each series in braces or `by`. */
function unknownIn(expression: string): string[] {
  const names = [...expression.matchAll(/\bdynamo_[a-z_]+/g)].map(([name]) => name);
  const metrics = names.filter((name) => series.has(name));
  const known = new Set(metrics.flatMap((name) => series.get(name)!));
  const labels = [...expression.matchAll(/\{([^}]*)\}/g)].flatMap(([, inside]) => [...inside!.matchAll(/(\w+)\s*[=!]/g)].map(([, label]) => label!))
    .concat([...expression.matchAll(/\b(?:by|ignoring) \(([^)]*)\)/g)].flatMap(([, inside]) => inside!.split(',').map((label) => label.trim())));
  const unknownNames = names.filter((name) => !series.has(name) && !known.has(name));
  return [...(metrics.length === 0 ? [`no metric in: ${expression}`] : []), ...unknownNames, ...labels.filter((label) => !known.has(label))];
}

describe('examples/grafana', () => {
  const { panels } = dashboard;
  const expressions = panels.filter(({ datasource }) => datasource?.type === 'prometheus').flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const));

  test.each(expressions)('the panel %s asks for metrics and labels that there are: %s', (_title, expr) => {
    expect(unknownIn(expr)).toEqual([]);
  });

  test.each<[string, string]>(alerts.groups.flatMap(({ rules }) => rules.map(({ alert, expr }): [string, string] => [alert, expr])))('the alert %s asks for metrics and labels that there are', (_alert, expr) => {
    expect(unknownIn(expr)).toEqual([]);
  });

  test('a name that there is not is found', () => {
    expect(unknownIn('sum by (madel) (rate(dynamo_frontend_request_total{status="error"}[5m]))')).toEqual(['no metric in: sum by (madel) (rate(dynamo_frontend_request_total{status="error"}[5m]))', 'dynamo_frontend_request_total', 'status', 'madel']);
  });

  test('the dashboard shows every kind of metric: requests, latency, tokens, workers', () => {
    const shown = expressions.map(([, expr]) => expr).join(' ');
    for (const name of ['requests_total', 'inflight_requests', 'request_duration_seconds', 'time_to_first_token_seconds', 'inter_token_latency_seconds', 'output_tokens_total', 'component_inflight_requests']) expect(shown).toContain(name);
  });

  test('every file is YAML or JSON, and every file that a service mounts is there', () => {
    const files = (readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })).filter((name) => name.endsWith('.yaml'));
    expect(files.length).toBeGreaterThan(5);
    for (const name of files) expect(parse(read(name))).toEqual(expect.any(Object));
    const { services } = parse(read('compose.yaml'));
    const mounted = Object.values<{ volumes?: string[] }>(services).flatMap(({ volumes = [] }) => volumes.map((volume) => volume.split(':')[0]!));
    expect(mounted.filter((path) => !existsSync(join(FOLDER, path)))).toEqual([]);
  });

  test('panels and links name data sources that are provisioned', () => {
    const { datasources } = parse(read('provisioning/datasources/sources.yaml')) as { datasources: { uid: string }[] };
    const known = new Set(datasources.map(({ uid }) => uid));
    const used = [...`${read('dashboard.json')}${read('provisioning/datasources/sources.yaml')}`.matchAll(/(?:"uid": "|datasourceUid: )(prometheus|tempo|loki|[\w-]+)/g)].map(([, uid]) => uid!).filter((uid) => uid !== dashboard.uid);
    expect([...new Set(used)].filter((uid) => !known.has(uid))).toEqual([]);
  });
});
