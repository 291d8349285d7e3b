export { AUDITED_HEADERS, cluesOf, hopHeaders, idsOf, isCanonical, traceOf, type Clues, type HopHeaders, type TraceSubject } from './clues.js';
export { connectionProblems } from './connected.js';
export { HarnessTrace, type TraceParts } from './harness-trace.js';
export { matchTree, spanFact, type TreeMismatch } from './tree-match.js';
export { parseTreePattern, type TreePattern } from './tree-pattern.js';
export { attributeText, buildTree, treeText, wildcard, type SpanNode, type TreeOptions } from './tree.js';
