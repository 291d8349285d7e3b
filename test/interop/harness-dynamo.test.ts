/** The harness in front of and behind a real Dynamo: a gateway of ours → Dynamo's frontend → workers of the harness. */
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { faults, missingDynamo, mockModel, startHarness, type Fault, type Harness, type HarnessDynamo, type HarnessProxy, type HarnessWorker } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { runInJest } from '../harness/support/child-jest.js';
import { until } from '../support/until.js';
import { eachRelease } from './support/each-release.js';
import { gatewayBefore } from './support/gateway.js';
import { LOGGING } from './support/readable.js';
import { oursOf } from './support/records.js';
import { frontendMissing, pythonOf, type Release } from './support/releases.js';

const ENDPOINT = 'dynamo.backend.generate';

const body = (model: string, more: object = {}): RequestInit => ({ method: 'POST', body: JSON.stringify({ model, max_tokens: 3, messages: [{ role: 'user', content: 'hi there' }], ...more }) });
const json = (headers: Record<string, string> = {}): Record<string, string> => ({ 'content-type': 'application/json', ...headers });

eachRelease('harness around Dynamo', (release) => {
  describe.each(LOGGING)('%s', (_title, jsonl) => {
    const lines = jsonl === '1';
    const settings = { python: pythonOf(release), env: { DYN_LOGGING_JSONL: jsonl } };
    let harness: Harness;
    let dynamo: HarnessDynamo;
    let worker: HarnessWorker;
    let gateway: string;
    let edge: HarnessProxy;

    beforeAll(async () => {
      harness = await startHarness({ timeoutMs: 10_000 });
      worker = await harness.worker(ENDPOINT, undefined, { model: 'm' });
      dynamo = await harness.dynamo(settings);
      gateway = await gatewayBefore(dynamo.url, harness);
      edge = await harness.proxy(gateway, 'edge');
    });
    afterAll(() => harness.close());

    it.each([['unary', {}], ['streamed', { stream: true }]])('one trace and one pair of ids over all hops, %s', async (_title, more) => {
      const id = `order-${randomUUID()}`;
      const res = await harness.fetch(`${gateway}/v1/chat/completions`, { ...body('m', more), headers: json({ 'x-request-id': id }) });
      expect(await res.text()).toContain('token2');
      const trace = await harness.trace(res, { records: ['request completed', 'request completed', 'request completed'] });
      expect(harness).toHavePropagated(res);
      expect(harness.audit(res).hops.map(({ name }) => name)).toEqual(['client → gateway', 'gateway → dynamo-frontend', `dynamo → worker ${ENDPOINT}`]);
      expect(worker).toHaveReceivedTraceOf(res);
      expect(trace).toBeConnectedTrace();
      expect(trace).toMatchTree(`
        http-request {@kind=server}
          POST {@kind=client}
            http-request {@service=dynamo-frontend, x_request_id=${id}}
              router.route_request {@service=dynamo-frontend, request.outcome=success}
                handle_payload {@kind=server}
      `);
      expect(oursOf(trace).fields).toMatchObject({ x_request_id: id });
      // Records that come over OTLP have no field of their spans.
      expect(trace).toHaveCompletedOnce({ status: 'success', model: 'm', ...(lines ? { x_request_id: id } : {}) });
      expect(trace).toHaveCompletedOnce({ request_type: 'stream' in more ? 'stream' : 'unary' }, { service: 'dynamo-frontend' });
    });

    describe('a header that is dropped is found on each hop', () => {
      it.each<[hop: string, header: string, plant: () => unknown]>([
        ['client → gateway', 'x-request-id', () => edge.inject(faults.dropHeaders('x-request-id'))],
        ['gateway → dynamo-frontend', 'traceparent', () => dynamo.inject(faults.dropHeaders('traceparent'))],
        ['gateway → dynamo-frontend', 'request-id', () => dynamo.inject(faults.dropHeaders('request-id'))],
        [`dynamo → worker ${ENDPOINT}`, 'traceparent', () => worker.inject(faults.dropHeaders('traceparent'))],
        [`dynamo → worker ${ENDPOINT}`, 'x-request-id', () => worker.inject(faults.dropHeaders('x-request-id'))],
      ])('%s: %s', async (hop, header, plant) => {
        plant();
        const res = await harness.fetch(`${edge.url}/v1/chat/completions`, { ...body('m'), headers: json({ 'x-request-id': randomUUID(), traceparent: `00-${randomUUID().replaceAll('-', '')}-00f067aa0ba902b7-01` }) });
        expect(res.status).toBe(200);
        for (const faulty of [edge, dynamo, worker]) faulty.heal();
        await harness.trace(res);
        expect(() => expect(harness).toHavePropagated(res, { exceptHops: ['→ edge'] })).toThrow(`${hop}: ${header}: lost on the way (drop ${header})`.replace(hop === 'client → gateway' ? / \(.*/ : '', ''));
      });
    });

    describe('what fails at the worker has the same outcome in every process', () => {
      it.each<[title: string, fault: Fault, status: Record<Release, number>, errorType: Record<Release, string>]>([
        ['it refuses: overload', faults.overload(), { '1.6.1': 529, '1.5.0': 529 }, { '1.6.1': 'overload', '1.5.0': 'overload' }],
        ['it refuses: unavailable', faults.unavailable(), { '1.6.1': 503, '1.5.0': 503 }, { '1.6.1': 'unavailable', '1.5.0': 'unavailable' }],
        ['its connection breaks before the first token', faults.disconnect('beforeFirstToken'), { '1.6.1': 503, '1.5.0': 500 }, { '1.6.1': 'unavailable', '1.5.0': 'internal' }],
        ['it dies after a token', faults.crash({ afterTokens: 1 }), { '1.6.1': 503, '1.5.0': 500 }, { '1.6.1': 'unavailable', '1.5.0': 'internal' }],
      ])('%s', async (_title, fault, status, errorType) => {
        const model = `m-${randomUUID()}`;
        // The engine goes on until it is told that its caller has gone.
        const faulty = await harness.worker(`dynamo.${model}.generate`, mockModel({ tokensPerSecond: 100 }), { model, faults: [fault] });
        await dynamo.serves(model);
        const res = await harness.fetch(`${gateway}/v1/chat/completions`, { ...body(model), headers: json() });
        expect(res.status).toBe(status[release]);
        const trace = await harness.trace(res, { records: ['request completed', 'request completed'] });
        expect(trace).toHaveCompletedOnce({ status: 'error', error_type: errorType[release], model });
        expect(trace).toBeConnectedTrace();
        expect(faulty.requests).toMatchObject([{ faults: [fault.name] }]);
      });
    });

    describe('no process is left behind', () => {
      const alive = (mark: string): string[] => execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n').filter((line) => line.includes(mark) && line.includes('dynamo.frontend'));
      let other: Harness;

      beforeEach(async () => {
        other = await startHarness({ closeTimeoutMs: 10_000 });
      });
      afterEach(() => other.close());

      it('by close()', async () => {
        const mark = randomUUID();
        const { frontend } = await other.dynamo({ ...settings, args: ['--namespace', mark] });
        expect(alive(mark)).toHaveLength(1);
        await other.close();
        expect([frontend.ended, alive(mark)]).toEqual([true, []]);
      });

      it('by a model that never comes: the error says what is served, with the log', async () => {
        const mark = randomUUID();
        await expect(other.dynamo({ ...settings, models: ['never'], timeoutMs: 5000, args: ['--namespace', mark] })).rejects.toMatchObject({ code: 'ERR_DYNAMO_FAILED', message: expect.stringContaining('did not within 5000 ms: serve never (it serves: no model)'), log: expect.stringContaining('Starting HTTP(S) service') });
        expect(alive(mark)).toEqual([]);
      });

      it('by an argument that it does not know', async () => {
        await expect(other.dynamo({ ...settings, args: ['--no-such-argument'] })).rejects.toMatchObject({ code: 'ERR_DYNAMO_FAILED', message: expect.stringContaining('--no-such-argument') });
      });

      it('by a test that is killed', async () => {
        const mark = randomUUID();
        const test = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'support', 'dynamo-alone.ts'), settings.python, mark, jsonl], { cwd: join(__dirname, '..', '..'), stdio: ['ignore', 'pipe', 'inherit'] });
        const [line] = (await once(createInterface({ input: test.stdout }), 'line')) as [string];
        expect([line, alive(mark).length]).toEqual(['started', 1]);
        test.kill('SIGKILL');
        await until('the frontend to end with the test that started it', () => alive(mark).length === 0);
      }, 90_000);
    });
  });

  it('the test file of docs/harness.md passes as it is pasted', async () => {
    const [, code = ''] = /## Test your Dynamo set-up from jest\n[^]*?```ts\n([^]*?)```/.exec(readFileSync(join(__dirname, '..', '..', 'docs', 'harness.md'), 'utf8')) ?? [];
    const { output, code: exitCode } = await runInJest(code, { DYNAMO_PYTHON: pythonOf(release) });
    expect(output).toContain('Tests:       3 passed, 3 total');
    expect(exitCode).toBe(0);
  }, 180_000);

  it('missingDynamo() says nothing about a Python that has it', () => {
    expect(missingDynamo(pythonOf(release))).toBeUndefined();
  });
}, frontendMissing);
