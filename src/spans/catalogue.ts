import { SpanKind } from '@opentelemetry/api';
import type { Level } from '../internal/index.js';

/** What is fixed about a kind of span. docs/spans.md shows the same catalogue. */
export interface SpanDefinition {
  readonly name: string;
  /** What DYN_LOG directives name: `request_span` (inference, always on) or `system_span` (enabled at debug). */
  readonly target: 'request_span' | 'system_span';
  readonly level: Level;
  readonly kind: SpanKind;
}

/** Every span of the package, by its use. Names and targets are Dynamo's. */
export const SPANS = {
  inferenceRequest: { name: 'http-request', target: 'request_span', level: 'info', kind: SpanKind.SERVER },
  systemRequest: { name: 'http-request', target: 'system_span', level: 'debug', kind: SpanKind.SERVER },
  routeRequest: { name: 'router.route_request', target: 'request_span', level: 'info', kind: SpanKind.CLIENT },
  clientRequest: { name: 'client_request', target: 'request_span', level: 'info', kind: SpanKind.CLIENT },
  httpClient: { name: 'HTTP', target: 'request_span', level: 'info', kind: SpanKind.CLIENT },
  handlePayload: { name: 'handle_payload', target: 'request_span', level: 'info', kind: SpanKind.SERVER },
  prefillRouting: { name: 'prefill_routing', target: 'request_span', level: 'info', kind: SpanKind.INTERNAL },
  kvFindBestMatch: { name: 'kv_find_best_match', target: 'request_span', level: 'info', kind: SpanKind.INTERNAL },
} as const satisfies Record<string, SpanDefinition>;
