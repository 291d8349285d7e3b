import { RequestPlaneServer } from '../../../src/transport/server/server.js';

// A worker of its own process, to be killed: run by loopback.test.ts. Says its address, then each stage that a request stops at.
const forever = new Promise<never>(() => undefined);
// A promise keeps no process alive; the listener does.
const server = new RequestPlaneServer({ host: '127.0.0.1', logger: false, instanceId: BigInt(process.argv[2] ?? '1') });

void (async () => {
  await server.listen();
  const { address } = server.endpoint('dynamo.backend.generate', async (request) => {
    const { stopAt } = request as { stopAt?: string };
    if (stopAt === 'prologue') await reached('prologue');
    return items(stopAt);
  });
  process.stdout.write(`${address}\n`);
})();

async function * items(stopAt: string | undefined): AsyncGenerator {
  if (stopAt === 'first item') await reached(stopAt);
  yield { worker: process.pid };
  if (stopAt === 'second item') await reached(stopAt);
  yield { done: true };
}

async function reached(stage: string): Promise<never> {
  process.stdout.write(`${stage}\n`);
  return forever;
}
