// Sockets: request plane client and server, response plane.
export { RequestPlaneClient } from './client/client.js';
export { type HostFilter } from './hosts.js';
export { newInstanceId } from './discovery/record.js';
export { tcpNetwork, type TcpNetworkOptions } from './network.js';
export { annotated, type AnnotatedItem } from './server/items.js';
export { RequestPlaneServer } from './server/server.js';
export { type CallOptions, type CommonOptions, type RequestPlaneClientOptions, type RequestPlaneServerOptions } from './settings.js';
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
  type WorkerCompletion,
  type WorkerLoad,
  type WorkerObserver,
  type WorkerRequest,
} from './types.js';

// Engines: token ids in, token ids out.
export { engineTokens, type CompletionUsage, type EngineChunk, type EngineFinishReason, type EngineTokens, type EngineUsage, type LLMEngineOutput, type OutputOptions, type PreprocessedRequest, type PromptTokensDetails, type SamplingOptions, type StopConditions, type TopLogprob } from './engine/index.js';

// Router.
export { type RouterOptions } from './router/options.js';
export { type RoutedStream } from './router/routed-stream.js';
export { Router, type RouteOptions } from './router/router.js';
export { ROUTER_MODES, type RouterMode } from './router/selection.js';
export { type RoutedWorker, type StaticWorker, type WorkerDiscovery } from './router/workers.js';

// Discovery.
export { discoveryFromEnv, EtcdDiscovery, FileDiscovery, type Announcement, type Discovery, type DiscoveryFromEnvOptions, type EndpointName, type EtcdDiscoveryOptions, type FileDiscoveryOptions, type Instance, type InstanceChange, type InstanceChanges, type InstanceDraft, type InstanceListener, type InstanceTransport, type InstanceWatch, type ModelDraft, type ModelType, type ServedModel, type WaitOptions } from './discovery/index.js';

// NATS.
export { natsDispatch, NatsRequestPlaneClient, type NatsClientOptions, type NatsDispatchOptions } from './nats/client.js';
export { connectNats, type NatsConnection, type NatsConnectOptions, type NatsModule } from './nats/connection.js';
export { natsSubject, serveNats, type NatsEndpoint, type NatsHost, type ServeNatsOptions } from './nats/serve.js';
