export { DynamoTracingError, isDynamoTracingError, type ErrorCode } from './errors/index.js';
export { logger, onRecord, traceMixin, type LogEntry, type LogFn, type Logger, type LoggerOption, type RequestLogger } from './logging/index.js';
export {
  closeGracefully, createSecureServer, createServer, currentTrace, dynamoTracing, dynamoTracingErrors, errorBody, streamErrorEvent,
  type ClosableWorker, type CloseOptions, type CloseResult, type CompletedRequest, type CompletionStatus, type DialectName, type DynamoTracingOptions, type ErrorHandlerOptions, type ExpressMiddleware, type OwnFields, type ReceivedRequest, type RequestTrace, type RouteClass, type RouteEntry, type RouteKind, type TokenUsage, type WorkerIds,
} from './middleware/index.js';
export { traceInterceptor, tracedFetch, traceProxyReq } from './outbound/index.js';
export { withRoutingSpan, type AttributeSet, type RoutingStep } from './spans/index.js';
export {
  bindTrace, currentTraceContext, DynamoPropagator, engineTraceHeaders, injectTrace, injectTraceContext, isRequestId,
  parseTraceparent, runInContext as runWithTrace, traceHeaders, untrustedPropagator,
  type CarrierTarget, type DistributedTraceContext, type DynamoPropagatorOptions, type TraceHeaders, type Traceparent,
} from './trace-context/index.js';
