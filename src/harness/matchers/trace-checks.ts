import type { SpanAttribute } from '../record/index.js';
import { attributeText, connectionProblems, groupBy, matchTree, parseTreePattern, matchesWildcard, type HarnessTrace } from '../trace/index.js';
import { invalidOption } from '../../internal/index.js';
import { fieldDifferences, patternText, result, type CheckResult, type FieldPatterns } from './result.js';

function traceOption(matcher: string, given: unknown): HarnessTrace {
  if (typeof given !== 'object' || given === null || !('spans' in given) || !('records' in given) || !('tree' in given)) throw invalidOption(`expect(trace).${matcher}()`, 'a trace: await harness.trace(response)', given);
  return given as HarnessTrace;
}

function treeOf(trace: HarnessTrace): string {
  return `Trace ${trace.traceId}:\n${trace.tree().split('\n').map((line) => `  ${line}`).join('\n')}`;
}

export function checkConnectedTrace(given: HarnessTrace): CheckResult {
  const trace = traceOption('toBeConnectedTrace', given);
  const problems = connectionProblems(trace);
  return result(problems.length === 0, 'a connected trace', () => ({ reason: `${problems.length === 1 ? '' : '\n'}${problems.join('\n')}`, more: treeOf(trace) }));
}

/** @throws ERR_OPTION_INVALID for a pattern that cannot be read */
export function checkTree(given: HarnessTrace, pattern: string): CheckResult {
  const trace = traceOption('toMatchTree', given);
  const parsed = parseTreePattern(pattern);
  const mismatch = matchTree(parsed, trace.roots);
  const expected = (): string => [...parsed.lines, ...(mismatch !== undefined && mismatch.line > parsed.lines.length ? ['(end)'] : [])].map((line, index) => `${mismatch?.line === index + 1 ? '>' : ' '} ${line}`).join('\n');
  const keys = parsed.lines.some((line) => line.includes('{')) ? attributeKeys(pattern) : [];
  return result(mismatch === undefined, 'the shape of a trace', () => ({ reason: `line ${mismatch?.line ?? 0} differs: ${mismatch?.reason ?? ''}`, expected: expected(), seen: trace.tree({ attributes: keys }), more: `Trace ${trace.traceId}` }));
}

function attributeKeys(pattern: string): string[] {
  return [...pattern.matchAll(/[{,]\s*([^\s=,{}]+)\s*=/g)].map(([, key = '']) => key);
}

export function checkSpanAttributes(given: HarnessTrace, name: string, attributes: FieldPatterns): CheckResult {
  const trace = traceOption('toHaveSpanAttributes', given);
  const named = trace.spans.filter((span) => matchesWildcard(name, span.name));
  const differences = named.map((span) => fieldDifferences(span.attributes, attributes));
  const closest = differences.reduce<string[] | undefined>((best, next) => (best === undefined || next.length < best.length ? next : best), undefined);
  return result(closest?.length === 0, `a span ${name} with attributes`, () => ({
    reason: closest === undefined ? 'there is no span of this name' : `\n${closest.join('\n')}`,
    expected: Object.entries(attributes).map(([key, value]) => `${key}=${patternText(value)}`).join(', '),
    seen: trace.tree({ attributes: closest === undefined ? [] : Object.keys(attributes) }),
  }));
}

const COMPLETED = 'request completed';

/** Whose completion record is meant. */
export interface CompletedOptions {
  /** `service.name` of the process that wrote it. Default: every service that wrote one. */
  readonly service?: string | undefined;
}

/** Records of workers (`handle_payload`) are counted by their spans only. */
export function checkCompletedOnce(given: HarnessTrace, fields: FieldPatterns = {}, { service }: CompletedOptions = {}): CheckResult {
  const trace = traceOption('toHaveCompletedOnce', given);
  const completed = trace.recordsOf(COMPLETED).filter((record) => service === undefined || record.service === service);
  const own = groupBy(completed.filter((record) => record.fields['span_name'] !== 'handle_payload'), (record) => record.service ?? '');
  const problems = own.size === 0 ? [`there is none${service === undefined ? '' : ` of service ${service}`}`] : [];
  for (const [name, records] of own) {
    const whose = name === '' ? '' : ` of service ${name}`;
    const [only, ...others] = records;
    problems.push(...(others.length > 0 ? [`there are ${records.length}${whose}`] : fieldDifferences(only?.fields ?? {}, fields).map((difference) => `${difference}${whose}`)));
  }
  const spans = groupBy(completed.filter(({ spanId }) => spanId !== undefined), (record) => `${record.spanId ?? ''}${record.service === undefined ? '' : ` of service ${record.service}`}`);
  for (const [span, { length }] of spans) if (length > 1) problems.push(`span ${span} has ${length} of them`);
  return result(problems.length === 0, `exactly one record "${COMPLETED}"`, () => ({ reason: problems.length === 1 ? problems[0] : `\n${problems.join('\n')}`, seen: recordsText(trace) }));
}

function recordsText({ records }: HarnessTrace): string {
  if (records.length === 0) return '(no records)';
  return records.map(({ level, message, fields, service }) => `${level} ${message} ${service === undefined ? '' : `@service=${service} `}${Object.entries(fields).filter(([key, value]) => value !== undefined && !['method', 'uri', 'trace_id', 'parent_id', 'x_request_id'].includes(key)).map(([key, value]) => `${key}=${attributeText(value as SpanAttribute)}`).join(' ')}`).join('\n');
}
