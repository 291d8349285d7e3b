import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeGracefully, logger } from 'dynamo-tracing';
import { createWorkerMetrics } from 'dynamo-tracing/metrics';
import { discoveryFromEnv, RequestPlaneServer } from 'dynamo-tracing/transport';
import { mockEngine, mockPrefill } from './engine.js';
import { openAiEngine } from './openai-engine.js';
import { startTelemetry } from './telemetry.js';

/**
 * One worker as its own process, until SIGTERM or SIGINT: withdraws, lets requests in flight end, exits 0. A second signal cuts them. With MODEL it is a model of Dynamo's HTTP frontend and speaks OpenAI's shapes;
 * without, it speaks the gateway's, and an endpoint of the `prefill` component serves prefill.
 */
async function main(): Promise<void> {
  const { LISTEN = '127.0.0.1:0', ENDPOINT = 'dynamo.backend.generate', MODEL: model = '', MOCK_TOKEN_DELAY_MS = '2', DYN_DISCOVERY_BACKEND, DYN_SYSTEM_PORT = '-1' } = process.env;
  const at = LISTEN.lastIndexOf(':');
  const discovery = model !== '' || DYN_DISCOVERY_BACKEND !== undefined ? discoveryFromEnv() : undefined;
  const telemetry = startTelemetry();
  const metrics = createWorkerMetrics(model === '' ? {} : { labels: { model } });
  const server = new RequestPlaneServer({ host: LISTEN.slice(0, at), port: Number(LISTEN.slice(at + 1)), observer: metrics.observer });
  await server.listen();
  const delay = Number(MOCK_TOKEN_DELAY_MS);
  const endpoint = model !== '' ? server.endpoint(ENDPOINT, openAiEngine(delay)) : ENDPOINT.split('.')[1] === 'prefill' ? server.endpoint(ENDPOINT, mockPrefill) : server.endpoint(ENDPOINT, mockEngine(delay));
  // Before anybody can find it: what is announced is withdrawn.
  const [stop, hurry] = [new AbortController(), new AbortController()];
  const stopped = once(stop.signal, 'abort');
  for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => (stop.signal.aborted ? hurry : stop).abort());
  hurry.signal.addEventListener('abort', () => void server.close({ graceMs: 0 }));
  if (model !== '') await discovery?.announceModel(endpoint, { name: model, types: ['chat', 'completions', 'embedding'] });
  else await discovery?.announce(endpoint);
  if (Number(DYN_SYSTEM_PORT) >= 0) await serveMetrics(metrics.handler, LISTEN.slice(0, at), Number(DYN_SYSTEM_PORT));
  console.log(`worker listening on ${endpoint.address}`);

  await stopped;
  // First, so that nobody sends a new request; those that are under way are served to their end.
  await discovery?.close();
  logger.info({ ...await closeGracefully(server) }, 'stopped');
  await telemetry.shutdown();
}

/** Answers /metrics as the system server of Dynamo's workers does, until the process ends. */
async function serveMetrics(handler: ReturnType<typeof createWorkerMetrics>['handler'], host: string, port: number): Promise<void> {
  const server = createServer((req, res) => (req.url === '/metrics' ? handler(req, res) : res.writeHead(404).end())).listen(port, host).unref();
  await once(server, 'listening');
  console.log(`metrics at http://${host}:${(server.address() as AddressInfo).port}/metrics`);
}

main().then(() => process.exit(0), (error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
