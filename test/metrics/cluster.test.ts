/** prom-client's aggregation over forked workers of node:cluster. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CHAT, chat, send } from '../support/client.js';
import { until } from '../support/until.js';

let child: ChildProcess;
let [port, metricsPort] = [0, 0];
let said = '';

beforeAll(async () => {
  child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, '..', 'fixtures', 'metrics', 'cluster.ts')], { env: { PATH: process.env['PATH'] }, stdio: ['pipe', 'pipe', 'pipe'] });
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until('the cluster serves', () => /serving .*\n/.test(said) || child.exitCode !== null, 60_000);
  [port, metricsPort] = /serving (\d+) (\d+)/.exec(said)?.slice(1).map(Number) as [number, number] | undefined ?? (() => { throw new Error(said); })();
}, 70_000);
afterAll(async () => {
  const exited = once(child, 'exit');
  child.stdin!.end();
  await exited;
});

/** Begins a request; its head says which worker has it. */
async function begin(): Promise<IncomingMessage> {
  const req = request({ port, host: '127.0.0.1', path: CHAT, method: 'POST', agent: false, headers: { 'content-type': 'application/json' } }).end(chat());
  const [res] = await once(req, 'response') as [IncomingMessage];
  return res;
}

const scrape = async (): Promise<string[]> => (await send(metricsPort, { path: '/metrics' })).body.split('\n');
const sum = (lines: string[], metric: string): number => lines.filter((line) => line.startsWith(`dynamo_frontend_${metric}{`)).reduce((total, line) => total + Number(line.split(' ').at(-1)), 0);

test('exemplars, which prom-client does not aggregate, are refused in the default registry of a forked worker', () => {
  expect(said).toContain('exemplars ERR_OPTION_INVALID');
});

test('the default registry of forked workers is aggregated: open requests and counts are the sums over all of them', async () => {
  const open: IncomingMessage[] = [];
  while (new Set(open.map(({ headers }) => headers['x-worker'])).size < 2) open.push(await begin());
  const during = await scrape();
  expect(sum(during, 'inflight_requests')).toBe(open.length);
  expect(sum(during, 'requests_total')).toBe(0);

  await send(metricsPort, { path: '/release' });
  for (const res of open) await once(res.resume(), 'end');
  let after: string[] = [];
  for (const deadline = Date.now() + 20_000; sum(after, 'requests_total') < open.length && Date.now() < deadline;) after = await scrape();
  expect(after).toContain(`dynamo_frontend_requests_total{model="m",endpoint="chat_completions",request_type="unary",status="success",error_type=""} ${open.length}`);
  expect(after).toContain(`dynamo_frontend_requests_started_total{model="m",endpoint="chat_completions",request_type="unary"} ${open.length}`);
  expect(after).toContain(`dynamo_frontend_output_tokens_total{model="m"} ${3 * open.length}`);
  expect(after).toContain(`dynamo_frontend_input_sequence_tokens_bucket{le="100",model="m"} ${open.length}`);
  expect(after).toContain(`dynamo_frontend_request_duration_seconds_count{model="m"} ${open.length}`);
  expect(after).toContain('dynamo_frontend_inflight_requests{model="m"} 0');
  expect(sum(after, 'inflight_requests')).toBe(0);
});
