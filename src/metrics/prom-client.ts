import cluster from 'node:cluster';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { DynamoTracingError } from '../errors/index.js';
import { invalidOption, needPackage, optionalOption, reportFault } from '../internal/index.js';

export type Labels = Readonly<Record<string, string>>;

interface WithExemplar {
  readonly labels: Labels;
  readonly value: number;
  readonly exemplarLabels?: Labels;
}

/** Metrics of prom-client, as far as they are used here. */
export interface PromCounter {
  inc(labels: Labels | WithExemplar, by?: number): void;
}
export interface PromGauge {
  /** Down by a negative number. */
  inc(labels: Labels, by: number): void;
}
export interface PromHistogram {
  observe(labels: Labels | WithExemplar, value?: number): void;
}

/** The prom-client module, as far as it is used here: any version of it fits; exemplars need 15 or later. */
export interface PromClient {
  readonly Registry: new (contentType?: never) => MetricsRegistry;
  readonly Counter: new (config: never) => object;
  readonly Gauge: new (config: never) => object;
  readonly Histogram: new (config: never) => object;
  /** The registry that prom-client aggregates in a cluster. */
  readonly register?: MetricsRegistry;
  readonly AggregatorRegistry?: new () => object;
}

/** A prom-client registry, as far as it is used here. */
export interface MetricsRegistry {
  readonly contentType: string;
  /** What a scrape is answered with. */
  metrics(): Promise<string>;
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
export const clientOption = optionalOption<PromClient>('the prom-client module', (value) => isObject(value) && ['Registry', 'Counter', 'Gauge', 'Histogram'].every((name) => typeof (value as Record<string, unknown>)[name] === 'function'));
export const registryOption = optionalOption<MetricsRegistry>('a prom-client registry', isObject);

const OPEN_METRICS = 'application/openmetrics-text';

export interface RegistrySettings {
  readonly client: PromClient | undefined;
  readonly registry: MetricsRegistry | undefined;
  readonly exemplars: boolean;
}

/**
 * prom-client and the registry to use. The default is a registry of its own; in a worker process of node:cluster it is prom-client's
 * `register`, because that is what an AggregatorRegistry asks for, and the process answers what the AggregatorRegistry asks.
 * @throws ERR_DEPENDENCY_MISSING; ERR_OPTION_INVALID when exemplars cannot be shown in the registry
 */
export function registryFor(owner: string, { client, registry: given, exemplars }: RegistrySettings): { readonly prom: PromClient; readonly registry: MetricsRegistry } {
  const prom = client ?? (needPackage('prom-client', `${owner}()`) as PromClient);
  const { isWorker } = cluster;
  if (isWorker && prom.AggregatorRegistry !== undefined) new prom.AggregatorRegistry(); // prom-client listens to the primary process from now on
  const registry = given ?? (isWorker ? prom.register : undefined) ?? new prom.Registry(...((exemplars ? [`${OPEN_METRICS}; version=1.0.0; charset=utf-8`] : []) as never[]));
  if (exemplars && !registry.contentType.startsWith(OPEN_METRICS)) throw invalidOption(`${owner}.exemplars`, `false where the registry's content type is not ${OPEN_METRICS}`, exemplars);
  return { prom, registry };
}

/** Runs what registers metrics. @throws ERR_OPTION_INVALID with the cause, as when the registry has a metric of that name */
export function registering<T>(owner: string, fn: () => T): T {
  try {
    return fn();
  } catch (cause) {
    throw new DynamoTracingError('ERR_OPTION_INVALID', `${owner}.registry does not take the metrics: ${cause instanceof Error ? cause.message : String(cause)}`, { path: `${owner}.registry`, cause });
  }
}

/** A handler that answers a scrape. */
export function scrapeHandler(registry: MetricsRegistry): (req: IncomingMessage, res: ServerResponse) => void {
  return (_req, res) => void answerScrape(registry, res);
}

/** Never rejects: a registry of somebody's may fail, and somebody else may have answered meanwhile. */
async function answerScrape(registry: MetricsRegistry, res: ServerResponse): Promise<void> {
  try {
    const text = await registry.metrics();
    if (!res.headersSent) res.setHeader('content-type', registry.contentType).end(text);
  } catch (error) {
    reportFault('metrics', error);
    if (!res.headersSent) res.writeHead(500).end();
  }
}
