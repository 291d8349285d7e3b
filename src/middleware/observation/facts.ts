import type { Dialect, UsagePaths } from '../dialects/index.js';
import type { Found } from './pick-json.js';

/** An error that a response body or an event of a stream told of. */
export interface ObservedError {
  /** The API's own name, e.g. `overloaded_error`. */
  readonly type?: string | undefined;
  /** At most 1,024 characters. May repeat what the client sent: not for logs. */
  readonly message?: string | undefined;
  readonly code?: string | number | undefined;
}

/** What a response showed. What it did not show is absent. Times are those given with the chunks. */
export interface ResponseFacts {
  readonly inputTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  /** The stream told no usage: `outputTokens` counts the chunks that carried tokens. */
  readonly outputTokensEstimated: boolean;
  readonly cachedTokens?: number | undefined;
  readonly finishReason?: string | undefined;
  readonly responseId?: string | undefined;
  /** The model that answered, by its own word. */
  readonly model?: string | undefined;
  /** When the first chunk with content, reasoning or a tool-call delta went out; of a compressed stream, its first byte. */
  readonly firstTokenAt?: number | undefined;
  readonly lastTokenAt?: number | undefined;
  /** Chunks that carried content, reasoning or a tool-call delta. */
  readonly tokenChunks: number;
  readonly error?: ObservedError | undefined;
  /** A chunk of a stream carried content, or a unary answer was read. */
  readonly contentSeen: boolean;
  /** Ids of the workers that Dynamo wrote into the response, as text: they are u64. */
  readonly prefillWorkerId?: string | undefined;
  readonly decodeWorkerId?: string | undefined;
}

const MAX_TEXT_LENGTH = 256;
const MAX_MESSAGE_LENGTH = 1024;
/** States of an OpenAI response object that are an end. */
const FINAL_STATUS: ReadonlySet<unknown> = new Set(['completed', 'incomplete', 'failed', 'cancelled']);

/** Gathers the facts of one response as they are found. */
export class FactCollector {
  #inputTokens: number | undefined;
  readonly #inputBeside: number[] = [];
  #outputTokens: number | undefined;
  #cachedTokens: number | undefined;
  #finishReason: string | undefined;
  #responseId: string | undefined;
  #model: string | undefined;
  #error: ObservedError | undefined;
  #prefillWorkerId: string | undefined;
  #decodeWorkerId: string | undefined;
  #firstTokenAt: number | undefined;
  #lastTokenAt: number | undefined;
  #tokenChunks = 0;
  #read = false;

  constructor(private readonly dialect: Dialect) {}

  get hasId(): boolean {
    return this.#responseId !== undefined;
  }

  /** A chunk with tokens went out. */
  tokens(nowMs: number): void {
    this.#firstTokenAt ??= nowMs;
    this.#lastTokenAt = nowMs;
    this.#tokenChunks += 1;
  }

  /** Bytes went out of which no more is known than the time. */
  bytes(nowMs: number): void {
    this.#firstTokenAt ??= nowMs;
    this.#lastTokenAt = nowMs;
  }

  /** A unary answer was read to its end. */
  unaryRead(): void {
    this.#read = true;
  }

  /** Takes in what was found in a body or event. `failed` says that it tells of an error, whatever its form. */
  add(found: Found, failed: boolean): void {
    this.#responseId ??= text(found.id);
    this.#model ??= text(found.model);
    this.#prefillWorkerId ??= idText(found.prefillWorker);
    this.#decodeWorkerId ??= idText(found.decodeWorker);
    const finish = text(found.finish) ?? (FINAL_STATUS.has(found.status) ? text(found.status) : undefined);
    // Of several choices, the first one's reason.
    if (finish !== undefined && (this.#finishReason === undefined || found.index === 0)) this.#finishReason = finish;
    this.#addUsage(found.promptUsage, true);
    this.#addUsage(found.usage, false);
    const tells = failed || isError(found.error) || found.object === 'error' || found.status === 'failed';
    if (tells) this.#error ??= errorOf(found);
  }

  fail(error: ObservedError): void {
    this.#error ??= error;
  }

  facts(): ResponseFacts {
    const estimated = this.#outputTokens === undefined && this.#tokenChunks > 0;
    return {
      inputTokens: this.#inputTokens === undefined ? undefined : this.#inputBeside.reduce((sum, one) => sum + one, this.#inputTokens),
      outputTokens: estimated ? this.#tokenChunks : this.#outputTokens,
      outputTokensEstimated: estimated,
      cachedTokens: this.#cachedTokens,
      finishReason: this.#finishReason,
      responseId: this.#responseId,
      model: this.#model,
      firstTokenAt: this.#firstTokenAt,
      lastTokenAt: this.#lastTokenAt,
      tokenChunks: this.#tokenChunks,
      error: this.#error,
      contentSeen: this.#tokenChunks > 0 || this.#read,
      prefillWorkerId: this.#prefillWorkerId,
      decodeWorkerId: this.#decodeWorkerId,
    };
  }

  #addUsage(usage: unknown, promptOnly: boolean): void {
    if (typeof usage !== 'object' || usage === null) return;
    const { input, inputBeside, output, cached } = this.dialect.usage;
    this.#inputTokens = count(usage, input) ?? this.#inputTokens;
    // Kept apart: an event may repeat one of them and not the others.
    inputBeside?.forEach((path, index) => (this.#inputBeside[index] = count(usage, [path]) ?? this.#inputBeside[index] ?? 0));
    this.#cachedTokens = count(usage, cached) ?? this.#cachedTokens;
    if (!promptOnly) this.#outputTokens = count(usage, output) ?? this.#outputTokens;
  }
}

function count(usage: object, paths: UsagePaths['input']): number | undefined {
  for (const path of paths) {
    const value = path.reduce<unknown>((inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[key] : undefined), usage);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  }
  return undefined;
}

/** `"error": false` and the like are no errors. */
function isError(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || (typeof value === 'string' && value !== '');
}

/** The error in `{"error": {...}}`, `{"error": "text"}`, or a flat object as Dynamo's. */
function errorOf(found: Found): ObservedError {
  const { error } = found;
  if (typeof error === 'string') return { message: error.slice(0, MAX_MESSAGE_LENGTH) };
  const source = typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : { type: found.errorType, message: found.message ?? found.detail, code: found.code };
  const { type, message, code }: Record<string, unknown> = source;
  return {
    type: text(type),
    message: typeof message === 'string' ? message.slice(0, MAX_MESSAGE_LENGTH) : undefined,
    code: typeof code === 'number' ? code : text(code),
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_TEXT_LENGTH) : undefined;
}

function idText(value: unknown): string | undefined {
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : text(value);
}
