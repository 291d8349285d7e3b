import type { Attributes, AttributeValue } from '@opentelemetry/api';

/** Which names span attributes get: Dynamo's field names, OpenTelemetry's semantic conventions, or both side by side. */
export const ATTRIBUTE_SETS = ['both', 'dynamo', 'semconv'] as const;
/** One of `both`, `dynamo` and `semconv`. */
export type AttributeSet = (typeof ATTRIBUTE_SETS)[number];

/** Fields of a span by Dynamo's names; undefined values are left out, BigInt ids become text. */
export type SpanFields = Readonly<Record<string, AttributeValue | bigint | undefined>>;

/** Semantic-convention names of Dynamo's fields. A field that is not here keeps its own name in every set. */
export const SEMANTIC_NAMES: Readonly<Record<string, string>> = {
  method: 'http.request.method',
  uri: 'url.path',
  version: 'network.protocol.version',
  status: 'http.response.status_code',
  route: 'http.route',
  model: 'gen_ai.request.model',
  input_tokens: 'gen_ai.usage.input_tokens',
  output_tokens: 'gen_ai.usage.output_tokens',
  cached_tokens: 'gen_ai.usage.cache_read.input_tokens',
  response_id: 'gen_ai.response.id',
  response_model: 'gen_ai.response.model',
  finish_reason: 'gen_ai.response.finish_reasons',
};

/** The attributes of `fields` in the names that were asked for. */
export function toAttributes(set: AttributeSet, fields: SpanFields): Attributes {
  const attributes: Attributes = {};
  for (const key in fields) {
    const given = fields[key];
    if (given === undefined) continue;
    const value = typeof given === 'bigint' ? given.toString() : given;
    const semantic = set === 'dynamo' ? undefined : SEMANTIC_NAMES[key];
    if (semantic !== undefined) setSemantic(attributes, key, semantic, value);
    if (semantic === undefined || set === 'both') attributes[key] = value;
  }
  return attributes;
}

/** Where the conventions want another form than Dynamo's. */
function setSemantic(attributes: Attributes, key: string, semantic: string, value: AttributeValue): void {
  attributes[semantic] = value;
  if (typeof value !== 'string') return;
  if (key === 'version') attributes[semantic] = value.replace(/^HTTP\//, '');
  if (key === 'finish_reason') attributes[semantic] = [value];
  if (key === 'uri' && value.includes('?')) [attributes[semantic], attributes['url.query']] = splitAt(value, value.indexOf('?'));
}

function splitAt(text: string, at: number): [string, string] {
  return [text.slice(0, at), text.slice(at + 1)];
}
