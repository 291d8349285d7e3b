import { connect } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { encodeControlMessage, encodeTwoPart, tcpNetwork, type ControlMessage, type Network } from 'dynamo-tracing/transport';
import { RecordTap } from '../support/records';
import { until } from '../support/until';
import { afterTest, cleanUp, collect, failure, makeClient, serve } from './support';

afterEach(cleanUp);

/** Real sockets, but for a while connecting throws: as Node does for a certificate that it cannot use. */
function moody(): Network & { throwing: boolean } {
  const real = tcpNetwork({ env: {} });
  return {
    throwing: true,
    listen: (...args) => real.listen(...args),
    connect(target) {
      if (this.throwing) throw Object.assign(new TypeError('cannot connect at all'), { code: 'ERR_OF_CONNECTOR' });
      return real.connect(target);
    },
  };
}

const echo = async function* (request: unknown) { yield request; };

describe('a connector that throws', () => {
  it('fails the requests that waited for it with a code and its cause, and gives its slot back', async () => {
    const worker = await serve(echo);
    const network = moody();
    const client = makeClient({ network, connectLimit: 1, poolSize: 1 });
    const errors = await Promise.all([1, 2, 3].map((n) => failure(client.openStream(worker.address, n))));
    for (const error of errors) expect(error).toMatchObject({ code: 'ERR_CONNECT_FAILED', cause: { code: 'ERR_OF_CONNECTOR' } });
    network.throwing = false;
    await expect(collect(await client.openStream(worker.address, 4))).resolves.toEqual([4]);
  });

  it('leaves a worker alive that cannot call home: a record says so, and the next request is served', async () => {
    const tap = new RecordTap();
    afterTest(() => tap.stop());
    const network = moody();
    const worker = await serve(echo, { network, workerPoolSize: 1 });
    const client = makeClient({ prologueTimeoutMs: 100 });
    expect(await failure(client.openStream(worker.address, 1))).toMatchObject({ code: 'ERR_PROLOGUE_TIMEOUT' });
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'unavailable' });
    const connectionInfo = { host: '127.0.0.1', port: 9, subject: 's', context: 'r', streamType: 'response' as const };
    const control: ControlMessage = { id: 'r', requestType: 'single_in', responseType: 'many_out', payloadCodec: 'json', metadata: {}, connectionInfo };
    expect(await failure(client.send(worker.address, {}, encodeTwoPart(encodeControlMessage(control))))).toMatchObject({ code: 'ERR_REQUEST_REJECTED' });
    network.throwing = false;
    await expect(collect(await client.openStream(worker.address, 2))).resolves.toEqual([2]);
    await until('nothing in flight', () => worker.server.payloads.inFlight === 0);
  });
});

/** Real sockets; the first ones bind to an address that this machine does not have. */
function strayed(times: number): Network & { dials: number } {
  const real = tcpNetwork({ env: {} });
  return {
    dials: 0,
    listen: (...args) => real.listen(...args),
    connect(target) {
      this.dials += 1;
      return this.dials > times ? real.connect(target) : connect({ ...target, localAddress: '203.0.113.1' });
    },
  };
}

describe('a lack of local addresses (EADDRNOTAVAIL)', () => {
  it('lets a request wait for the next attempt', async () => {
    const worker = await serve(echo);
    const network = strayed(2);
    await expect(collect(await makeClient({ network }).openStream(worker.address, 1))).resolves.toEqual([1]);
    expect(network.dials).toBe(3);
  });
});
