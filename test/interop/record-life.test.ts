/** Our record in the file store as a Dynamo client sees it, over a time in which a record that nobody touches dies. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { eachRelease } from './support/each-release.js';
import { House } from './support/house.js';
import { pythonClient } from './support/python.js';

/** Dynamo removes an untouched record 11 to 12 s after it was written. */
const LONGER_THAN_A_RECORD_LIVES_MS = 13_000;

eachRelease('our record', (release) => {
  const house = new House();

  it('outlives its time to live, and is gone after close: the client knows nobody then', async () => {
    const client = await pythonClient(release, { store: house.store });
    house.onClose(() => client.stop());
    const endpoint = 'interop.kept.generate';
    const { lines } = await house.serve(endpoint, 'json');
    await client.ask({ endpoint, request: { n: 0 } });
    await new Promise((resolve) => setTimeout(resolve, LONGER_THAN_A_RECORD_LIVES_MS));
    await expect(client.ask({ endpoint, request: { n: 0 } })).resolves.toMatchObject({ outcome: 'complete' });
    expect(lines.filter(({ event }) => event === 'request')).toHaveLength(2);
    await house.discovery.close();
    const directory = join(house.store, 'v1', 'instances');
    expect(existsSync(directory) ? readdirSync(directory) : []).toEqual([]);
    await expect(client.ask({ endpoint, request: { n: 0 }, timeoutMs: 1000 })).resolves.toMatchObject({ items: [], outcome: 'timeout' });
  });
});
