export { NatsRequestPlaneClient, type NatsClientOptions } from './client.js';
export { connectNats, type NatsConnection, type NatsConnectOptions } from './connection.js';
export { natsDispatch, type NatsDispatchOptions } from './dispatch.js';
export { serveNats, natsSubject, type NatsEndpoint, type NatsHost, type ServeNatsOptions } from './serve.js';
