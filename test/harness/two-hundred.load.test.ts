import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { startHarness, type Harness } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { BODY, CHAT, gateway } from './support/app';

describe('two hundred harness tests in one process', () => {
  let watch: Harness;
  beforeAll(async () => {
    watch = await startHarness({ leaks: 'process' });
  });
  // Fails with ERR_HARNESS_LEAK naming each socket, server or timer that the two hundred left behind.
  afterAll(() => watch.close());

  it.each(Array.from({ length: 200 }, (_, i) => [i, i % 2 === 0 ? 'memory' : 'tcp'] as const))('number %i, over %s, has its own connected trace', async (i, transport) => {
    const harness = await startHarness({ transport });
    try {
      const worker = await harness.worker('dynamo.backend.generate');
      const res = await request(gateway(harness.client(), worker.address)).post(CHAT).set('x-request-id', `order-${i}`).send(BODY);
      expect(res).toEchoRequestId(`order-${i}`);
      expect(worker).toHaveReceivedTraceOf(res);
      expect(await harness.trace(res)).toBeConnectedTrace();
      expect(harness.spans).toHaveLength(3);
    } finally {
      await harness.close();
    }
  });
});
