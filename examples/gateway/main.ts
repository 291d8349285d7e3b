import { EventEmitter, once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { closeGracefully, logger } from 'dynamo-tracing';
import { createMetrics } from 'dynamo-tracing/metrics';
import { createApp } from './app.js';
import { readConfig } from './config.js';
import { watchServedModels } from './served-models.js';
import { startTelemetry } from './telemetry.js';
import { connectWorkers } from './workers.js';

/** The gateway until SIGTERM or SIGINT: stops accepting, lets requests in flight end for ten seconds, exits 0. A second signal cuts them. */
async function main(): Promise<void> {
  const config = readConfig();
  const telemetry = startTelemetry();
  const fleet = config.upstream === undefined ? await connectWorkers(config) : undefined;
  const isServed = config.upstream === undefined ? (model: string) => model === config.model : await watchServedModels(config.upstream);
  const metrics = createMetrics({ isServed, exemplars: true });
  const app = createApp({
    model: config.model,
    tracing: { onReceived: metrics.onReceived, onCompleted: metrics.onCompleted },
    metrics: metrics.handler,
    ...(fleet === undefined ? {} : { backend: fleet.backend }),
    ...(config.upstream === undefined ? {} : { upstream: { url: config.upstream, usage: config.upstreamUsage } }),
  });
  const server = app.listen(config.port, config.host);
  await once(server, 'listening');
  console.log(`listening on http://${config.host}:${(server.address() as AddressInfo).port}`);

  const signals = new EventEmitter();
  for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => signals.emit('signal', name));
  const [signal] = await once(signals, 'signal') as [string];
  logger.info({ signal }, 'draining');
  const hurry = new AbortController();
  signals.once('signal', () => hurry.abort());
  logger.info({ ...await closeGracefully(server, { signal: hurry.signal }) }, 'stopped');
  await fleet?.close();
  await telemetry.shutdown();
}

main().then(() => process.exit(0), (error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
