import { afterEach, describe, expect, it } from '@jest/globals';
import { listSteps } from '../support/list-steps';
import { until } from '../support/until';
import { cleanUp, collect, failure, makeClient, serve } from './support';

afterEach(cleanUp);

/** A worker and a client between which as many calls run and as many more wait for their turn. */
async function busy(calls: number) {
  const worker = await serve(async function* (_request: number, { signal }) {
    yield 1;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  }, { workerPoolSize: calls, workQueueSize: calls });
  const client = makeClient();
  const streams = await Promise.all(Array.from({ length: calls }, (_, n) => client.openStream(worker.address, n)));
  const ended = Promise.all([...streams.map((stream) => failure(collect(stream))), ...streams.map((_, n) => failure(client.openStream(worker.address, n)))]);
  await until('the others wait for their turn', () => worker.inFlight === 2 * calls);
  return { worker: worker.server, client, ended };
}

describe('killing twice as many calls at once takes about twice the steps', () => {
  it.each<[string, (pair: Awaited<ReturnType<typeof busy>>) => Promise<unknown>]>([
    ['a worker closes', ({ worker }) => worker.close({ graceMs: 0 })],
    ['a client closes', ({ client }) => client.close()],
  ])('when %s', async (_what, close) => {
    const stepsFor = async (calls: number): Promise<number> => {
      const pair = await busy(calls);
      return listSteps(() => Promise.all([close(pair), pair.ended]));
    };
    const [once, twice] = [await stepsFor(40), await stepsFor(80)];
    expect(once).toBeGreaterThan(40);
    expect(twice).toBeLessThan(once * 2.5);
  });
});
