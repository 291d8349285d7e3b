import { describe, expect, it } from '@jest/globals';
import { RequestPlaneClient, RequestPlaneServer } from 'dynamo-tracing/transport';
import { readClientOptions, readServerOptions } from '../../src/transport/settings';

describe('settings', () => {
  it('have Dynamo\'s defaults', () => {
    expect(readClientOptions({ env: {} })).toMatchObject({ poolSize: 100, channelBuffer: 1024, connectLimit: 64, requestTimeoutMs: 5000, connectTimeoutMs: 5000, hostIdleMs: 300_000, maxMessageSize: 33_554_432, handshakeTimeoutMs: 10_000, prologueTimeoutMs: 30_000, inactivityTimeoutMs: 0, responsePort: 0 });
    expect(readServerOptions({ env: {} })).toMatchObject({ workerPoolSize: 10_000, workQueueSize: 40_000, maxMessageSize: 33_554_432, finTimeoutMs: 10_000, graceMs: 900_000, port: 0 });
  });

  it('come from the DYN_* variables, options before them', () => {
    const env = { DYN_TCP_POOL_SIZE: '3', DYN_TCP_REQUEST_TIMEOUT: '7', DYN_TCP_CHANNEL_BUFFER: '9', DYN_TCP_RESPONSE_STREAM_HOST: 'lo', DYN_TCP_RPC_HOST: '127.0.0.2', DYN_TCP_WORKER_POOL_SIZE: '2', DYN_HTTP_BACKEND_STREAM_TIMEOUT_SECS: '60' };
    expect(readClientOptions({ env, channelBuffer: 11 })).toMatchObject({ poolSize: 3, requestTimeoutMs: 7000, channelBuffer: 11, responseHost: '127.0.0.1', inactivityTimeoutMs: 60_000 });
    expect(readServerOptions({ env })).toMatchObject({ host: '127.0.0.2', workerPoolSize: 2 });
  });

  it.each([
    [{ DYN_TCP_POOL_SIZE: 'many' }, 'DYN_TCP_POOL_SIZE'],
    [{ DYN_TCP_REQUEST_TIMEOUT: '0' }, 'DYN_TCP_REQUEST_TIMEOUT'],
    [{ DYN_TCP_RESPONSE_STREAM_PORT: '70000' }, 'DYN_TCP_RESPONSE_STREAM_PORT'],
    [{ DYN_TCP_RESPONSE_STREAM_HOST: 'nosuchinterface0' }, 'DYN_TCP_RESPONSE_STREAM_HOST'],
    [{ DYN_TCP_RESPONSE_STREAM_HOST: '0.0.0.0' }, 'DYN_TCP_RESPONSE_STREAM_HOST'],
  ])('refuse %j', (env, variable) => {
    expect(() => new RequestPlaneClient({ env: env })).toThrow(expect.objectContaining({ code: 'ERR_ENV_INVALID', variable }));
  });

  it('refuse unknown and wrong options with their path', () => {
    expect(() => new RequestPlaneClient({ poolsize: 1 } as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'requestPlaneClient.poolsize' }));
    expect(() => new RequestPlaneServer({ instanceId: 1 } as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'requestPlaneServer.instanceId' }));
    expect(() => new RequestPlaneServer({ network: {} } as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'requestPlaneServer.network' }));
  });

  it.each([
    [{ DYN_ENGINE_REQUEST_LIMIT: '8' }, 8, 15],
    [{ DYN_ENGINE_REQUEST_LIMIT: '8', DYN_DYNAMO_REQUEST_QUEUE_LIMIT: '4', DYN_TCP_WORKER_POOL_SIZE: '2' }, 8, 3],
    [{ DYN_ENGINE_REQUEST_LIMIT: '0', DYN_DYNAMO_REQUEST_QUEUE_LIMIT: '1' }, 1, 1],
    [{ DYN_DYNAMO_REQUEST_QUEUE_LIMIT: '4' }, 10_000, 40_000],
  ])('take pool and queue from the engine\'s limit: %j', (env, workerPoolSize, workQueueSize) => {
    expect(readServerOptions({ env })).toMatchObject({ workerPoolSize, workQueueSize });
    expect(readServerOptions({ env, workerPoolSize: 5, workQueueSize: 6 })).toMatchObject({ workerPoolSize: 5, workQueueSize: 6 });
  });
});
