/** Traps that docs/dynamo.md names and that no other test here meets. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { faults } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { chat, Deployment } from './support/deployment.js';
import { eachRelease } from './support/each-release.js';
import { LOGGING } from './support/readable.js';
import { oursOf } from './support/records.js';
import { frontendMissing } from './support/releases.js';

const CHAT = '/v1/chat/completions';

eachRelease('gateway → frontend, traps', (release) => {
  describe.each(LOGGING)('%s', (_title, jsonl) => {
    const place = new Deployment(release, { dynamo: { env: { DYN_LOGGING_JSONL: jsonl } } });

    it('a worker that refused once with an overload is not asked by the next request; 1.6.1 asks it again soon', async () => {
      const model = `m-${randomUUID()}`;
      const worker = await place.harness.worker(`dynamo.${model}.generate`, undefined, { model });
      await place.dynamo.serves(model);
      worker.inject(faults.overload(), { times: 1 });
      const ask = async (): Promise<number> => (await place.ask(CHAT, { body: { ...chat(1), model } })).status;
      expect(await ask()).toBe(529);
      const next = await ask();
      expect([next, worker.requests.length]).toEqual([529, 1]);
      if (release === '1.5.0') return;
      const answers = [next];
      while (answers.at(-1) === 529) answers.push(await ask());
      expect([answers.at(-1), worker.requests.length]).toEqual([200, 2]);
    });

    it('a stop sequence in the first token of a unary answer: with 1.6.1 a success whose router.route_request is cancelled, with 1.5.0 an error', async () => {
      // Every token of the model of these tests begins with it.
      const { res, trace } = await place.traced(CHAT, { body: chat(50, { stop: ['tok'] }) }, { spans: ['http-request', 'POST', 'http-request', 'router.route_request', 'handle_payload'] });
      if (release === '1.5.0') {
        expect(res.status).toBe(500);
        expect(oursOf(trace).fields).toMatchObject({ status: 'error', error_type: 'internal' });
        return;
      }
      expect(res.status).toBe(200);
      expect(trace).toMatchTree('http-request\n  POST\n    http-request {request.outcome=success}\n      router.route_request {request.outcome=cancelled}\n        handle_payload');
      expect(oursOf(trace).fields).toMatchObject({ status: 'success', finish_reason: 'stop' });
    });

    it('error bodies are flat', async () => {
      const { text } = await place.traced(CHAT, { body: { ...chat(1), model: 'nobody' } });
      expect(JSON.parse(text)).toEqual({ message: expect.any(String), type: expect.any(String), code: 404 });
    });
  });
}, frontendMissing);
