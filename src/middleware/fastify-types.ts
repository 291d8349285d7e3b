import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Span } from '@opentelemetry/api';
import type { RequestTrace } from './request-trace.js';

/** What is used of a Fastify request, so that Fastify 4 and 5 both fit and neither is asked for. */
export interface FastifyRequestLike {
  readonly raw: IncomingMessage;
  readonly originalUrl?: string;
  readonly body?: unknown;
  readonly routeOptions?: { readonly url?: string | undefined };
  /** @fastify/otel's decorator. */
  readonly opentelemetry?: () => { readonly span?: Span | null };
  /** Optional, because NestJS may have a copy of Fastify's types that `dynamo-tracing/fastify` does not extend. */
  trace?: RequestTrace | null;
}

export interface FastifyReplyLike {
  readonly raw: ServerResponse;
  readonly statusCode: number;
  getHeader(name: string): unknown;
  code(status: number): FastifyReplyLike;
  type(contentType: string): FastifyReplyLike;
  send(payload: string): unknown;
}

export type Done = (error?: Error) => void;
type Hook = (request: FastifyRequestLike, reply: FastifyReplyLike, done: Done) => void;
type ErrorHandler = (this: unknown, error: unknown, request: FastifyRequestLike, reply: FastifyReplyLike) => unknown;

export interface FastifyLike {
  readonly initialConfig?: { readonly disableRequestLogging?: unknown };
  readonly log?: { readonly level?: unknown };
  decorateRequest(name: string, value: unknown): unknown;
  hasReplyDecorator?(name: string): boolean;
  addHook(name: 'onRequest' | 'preValidation', hook: Hook): unknown;
  addHook(name: 'onSend', hook: (request: FastifyRequestLike, reply: FastifyReplyLike, payload: unknown, done: (error: Error | null, payload?: unknown) => void) => void): unknown;
  addHook(name: 'onError', hook: (request: FastifyRequestLike, reply: FastifyReplyLike, error: unknown, done: () => void) => void): unknown;
  setGenReqId?(generate: (req: IncomingMessage) => string): unknown;
  setErrorHandler?(handler: ErrorHandler): unknown;
}
