import { afterEach, expect, it } from '@jest/globals';
import { cleanUp, makeClient, serve } from './support';

afterEach(cleanUp);

it('an item that arrives in one piece with the failure behind it is delivered before it', async () => {
  // eslint-disable-next-line @typescript-eslint/require-await -- both go out in one turn, and so in one write
  const worker = await serve(async function * () {
    yield 'item';
    throw new Error('planted');
  });
  const client = makeClient();
  for (let i = 0; i < 20; i += 1) {
    const stream = client.generate(worker.address, i);
    expect(await stream.next()).toEqual({ done: false, value: 'item' });
    await expect(stream.next()).rejects.toMatchObject({ code: 'ERR_WORKER_ERROR' });
  }
});
