export { AUDITED_HEADERS, keysOf, hopHeaders, idsOf, isCanonical, isIdOrPart, traceOf, type RequestKeys, type HopHeaders, type TraceSubject } from './request-keys.js';
export { connectionProblems } from './connected.js';
export { HarnessTrace } from './harness-trace.js';
export { matchTree, parseTreePattern } from './tree-pattern.js';
export { attributeText, buildTree, groupBy, treeRows, treeText, matchesWildcard, type SpanNode, type TreeOptions } from './tree.js';
