export { ATTRIBUTE_SETS, SEMANTIC_NAMES, toAttributes, type AttributeSet, type SpanFields } from './attributes.js';
export { SPANS, type SpanDefinition } from './catalogue.js';
export { knownMethod, methodAttributes } from './method.js';
export { adoptSpan, defaultSpanSettings, startSpan, TracedSpan, type SpanSettings, type SpanStart } from './span.js';
export { withRoutingSpan, type RoutingStep } from './with-span.js';
