// Sockets: request plane client and server, response plane.
export { RequestPlaneClient } from './client/client.js';
export { type HostFilter } from './hosts.js';
export { newInstanceId } from './discovery/record.js';
export { tcpNetwork, type TcpNetworkOptions } from './network.js';
export { annotated, type AnnotatedItem } from './server/items.js';
export { RequestPlaneServer } from './server/server.js';
export { type CallOptions, type CommonOptions, type RequestPlaneClientOptions, type RequestPlaneServerOptions, type WorkerOptions } from './settings.js';
export { type TlsOptions } from './tls-settings.js';
export {
  type EndpointHandler,
  type EndpointIdentity,
  type EndpointOptions,
  type HandlerResult,
  type Network,
  type NetworkListener,
  type NetworkTarget,
  type RequestContext,
  type RequestDispatch,
  type ResponseStream,
  type SendOptions,
  type ServedEndpoint,
  type StreamClient,
  type StreamEnd,
  type StreamOptions,
} from './types.js';

// Router.
export { ROUTER_MODES, Router, type RouterMode, type RouterOptions, type RouteOptions, type RoutedStream, type RoutedWorker, type StaticWorker, type WorkerDiscovery } from './router/index.js';

// Discovery.
export { discoveryFromEnv, EtcdDiscovery, FileDiscovery, type Announcement, type Discovery, type DiscoveryFromEnvOptions, type EndpointName, type EtcdDiscoveryOptions, type FileDiscoveryOptions, type Instance, type InstanceChange, type InstanceChanges, type InstanceDraft, type InstanceListener, type InstanceTransport, type InstanceWatch, type ModelDraft, type ModelType, type WaitOptions } from './discovery/index.js';

// NATS.
export { connectNats, natsDispatch, NatsRequestPlaneClient, natsSubject, serveNats, type NatsClientOptions, type NatsConnection, type NatsConnectOptions, type NatsDispatchOptions, type NatsEndpoint, type NatsHost, type ServeNatsOptions } from './nats/index.js';
