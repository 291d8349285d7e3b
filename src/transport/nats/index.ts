export { NatsRequestPlaneClient, type NatsClientOptions } from './client.js';
export { type NatsConnection } from './client-types.js';
export { connectNats, type NatsConnectOptions } from './connect.js';
export { natsDispatch, type NatsDispatchOptions } from './dispatch.js';
export { serveNats, type NatsEndpoint, type NatsHost, type ServeNatsOptions } from './serve.js';
export { natsSubject } from './subject.js';
