import type { ChatMessage, EngineRequest } from '../engine.js';

/** How a finished generation ended. */
export interface Finish {
  readonly reason: 'stop' | 'length';
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Ids that an answer carries. */
export interface AnswerIds {
  readonly requestId: string;
  readonly model: string;
}

/** One API of the gateway: how its request becomes the engine's and the engine's tokens become its answer. */
export interface Api {
  readonly path: string;
  /** Reads a request body. Throws {@link BadRequest}. */
  prompt(body: Body): Pick<EngineRequest, 'prompt' | 'max_tokens'>;
  /** The prompt as messages of a chat, for workers that take OpenAI's requests. Absent: such workers cannot serve this API. */
  chat?(body: Body): readonly ChatMessage[];
  /** The whole answer at once. */
  answer(ids: AnswerIds, text: string, finish: Finish): unknown;
  /** A streamed answer as server-sent events. Absent: this API does not stream. */
  stream?(ids: AnswerIds): StreamWriter;
}

/** Writes the events of one streamed answer. */
export interface StreamWriter {
  begin(): string;
  token(text: string): string;
  end(finish: Finish): string;
}

export type Body = Readonly<Record<string, unknown>>;

/** A request that this API does not take: status 400 with the message. */
export class BadRequest extends Error {
  readonly status = 400;
  readonly expose = true;
}

const DEFAULT_TOKENS = 16;

/** The token limit under any of its names. */
export function maxTokens(body: Body, ...names: readonly string[]): number {
  for (const name of names) {
    const value = body[name];
    if (value === undefined || value === null) continue;
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > 100_000) throw new BadRequest(`Validation: ${name} must be an integer from 1 to 100000`);
    return value as number;
  }
  return DEFAULT_TOKENS;
}

/** Text of a message's content: a string, or an array of parts of which those with text count. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: unknown) => (typeof part === 'object' && part !== null && 'text' in part && typeof part.text === 'string' ? part.text : '')).join(' ');
}

/** Text of a list of messages. */
export function textOfMessages(messages: unknown, name = 'messages'): string {
  if (!Array.isArray(messages) || messages.length === 0) throw new BadRequest(`Validation: ${name} must be a non-empty array`);
  return messages.map((message: unknown) => textOf((message as { content?: unknown } | null)?.content)).join(' ');
}

export function unixSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** One server-sent event. */
export function event(data: unknown, name?: string): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${text}\n\n`;
}
