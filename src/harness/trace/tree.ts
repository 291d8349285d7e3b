import type { FinishedSpan, SpanAttribute } from '../record/index.js';

/** A span with the spans below it, in the order they started. */
export interface SpanNode {
  readonly span: FinishedSpan;
  readonly children: readonly SpanNode[];
}

/** What `tree()` prints beside names. */
export interface TreeOptions {
  /**
   * Attributes and facts (`@service`, `@kind`, `@status`) to show: names, with `*` for any part of one, or true for all attributes.
   * Default none; `@service` is shown when the spans are of several services.
   */
  readonly attributes?: boolean | readonly string[] | undefined;
  /** Show how long each span took. Default false. */
  readonly times?: boolean | undefined;
}

/** The spans as trees. A span whose parent is not among them is a root. */
export function buildTree(spans: readonly FinishedSpan[]): readonly SpanNode[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const byStart = [...spans].sort((a, b) => a.startMs - b.startMs);
  const below = groupBy(byStart, ({ spanId, parentSpanId }) => (parentSpanId !== spanId && ids.has(parentSpanId ?? '') ? parentSpanId : undefined));
  const seen = new Set<FinishedSpan>();
  const nodes = (siblings: readonly FinishedSpan[]): SpanNode[] => siblings.flatMap((span) => {
    if (seen.has(span)) return [];
    seen.add(span);
    return [{ span, children: nodes(below.get(span.spanId) ?? []) }];
  });
  // Spans that are their own ancestors have no root: they are shown all the same.
  return nodes([...(below.get(undefined) ?? []), ...spans]);
}

export function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

/**
 * The trees as indented text, one span a line: what `toMatchTree` takes. A span that failed shows `{@status=error}`; with
 * several roots each says why it is one.
 */
export function treeText(roots: readonly SpanNode[], options: TreeOptions = {}): string {
  if (roots.length === 0) return '(no spans)';
  const rows = treeRows(roots);
  const severalServices = new Set(rows.map(({ span }) => span.service)).size > 1;
  return rows.map(({ span, depth }) => `${'  '.repeat(depth)}${span.name}${details(span, options, severalServices)}${depth === 0 && roots.length > 1 ? rootNote(span) : ''}`).join('\n');
}

/** Every span of the trees with its depth, parents before their children. */
export function treeRows(nodes: readonly SpanNode[], depth = 0): readonly { readonly span: FinishedSpan; readonly depth: number }[] {
  return nodes.flatMap(({ span, children }) => [{ span, depth }, ...treeRows(children, depth + 1)]);
}

function rootNote(span: FinishedSpan): string {
  return span.parentSpanId === undefined ? '  # a root' : `  # its parent ${span.parentSpanId} is not in this trace`;
}

function details(span: FinishedSpan, { attributes, times }: TreeOptions, services: boolean): string {
  const asked = (key: string): boolean => typeof attributes === 'object' && isShown(key, attributes);
  const pairs: string[] = [];
  if (span.service !== undefined && (services || asked('@service'))) pairs.push(`@service=${shownValue(span.service)}`);
  if (asked('@kind')) pairs.push(`@kind=${span.kind}`);
  if (span.status === 'error' || asked('@status')) pairs.push(`@status=${span.status}`);
  for (const [key, value] of Object.entries(span.attributes)) if (isShown(key, attributes)) pairs.push(`${key}=${shownValue(value)}`);
  const braces = pairs.length === 0 ? '' : ` {${pairs.join(', ')}}`;
  return times === true ? `${braces}  # ${span.durationMs.toFixed(1)} ms` : braces;
}

function isShown(key: string, attributes: TreeOptions['attributes']): boolean {
  if (attributes === undefined || typeof attributes === 'boolean') return attributes === true;
  return attributes.some((pattern) => matchesWildcard(pattern, key));
}

function shownValue(value: SpanAttribute): string {
  const text = attributeText(value);
  return /^[^\s,{}"#*]+$/.test(text) ? text : JSON.stringify(text);
}

/** An attribute's value as the text that patterns are held against. */
export function attributeText(value: SpanAttribute): string {
  if (value instanceof Error) return value.message;
  if (typeof value === 'object' && value !== null) return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner));
  return String(value);
}

/** Whether `text` is as the pattern: `*` stands for any text, everything else for itself. Each part is looked for once: no going back. */
export function matchesWildcard(pattern: string, text: string): boolean {
  const [first = '', ...parts] = pattern.split('*');
  const last = parts.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
