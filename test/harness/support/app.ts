import { ROOT_CONTEXT, trace, type Context } from '@opentelemetry/api';
import express, { type Express, type Request, type Response } from 'express';
import { dynamoTracing, type DynamoTracingOptions } from 'dynamo-tracing';
import { Router, type RequestPlaneClient, type RouteOptions } from 'dynamo-tracing/transport';

export const CHAT = '/v1/chat/completions';
export const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
export const BODY = { model: 'm', messages: [{ role: 'user', content: 'hi there' }] };

export interface GatewayOptions {
  readonly tracing?: DynamoTracingOptions;
  /** What the handler does wrong: options of its call to the worker. */
  readonly call?: (req: Request) => RouteOptions;
  /** Something more that the handler does. */
  readonly also?: (req: Request) => void;
}

/** A gateway as users write one: middleware, router, one route. */
export function gateway(client: RequestPlaneClient, address: string, { tracing, call, also }: GatewayOptions = {}): Express {
  const router = new Router({ client, addresses: [address], logger: false, migrationLimit: 0 });
  const app = express();
  app.use(dynamoTracing({ logger: false, ...tracing }));
  app.use(express.json());
  app.post(CHAT, async (req: Request, res: Response) => {
    let text = '';
    try {
      const stream = router.generate<{ token?: string }>({ prompt: 'hi there', max_tokens: 3 }, { signal: req.trace.signal, ...call?.(req) });
      for await (const item of stream) text += item.token ?? '';
    } catch (error) {
      res.status(502).json({ message: (error as Error).message, code: (error as { code?: string }).code, text });
      return;
    }
    also?.(req);
    res.json({ id: `chatcmpl-${req.trace.requestId}`, model: 'm', choices: [{ message: { content: text }, finish_reason: 'stop' }], usage: { prompt_tokens: 2, completion_tokens: 3 } });
  });
  return app;
}

/** The current context with another span in it. */
export function withSpanContext(base: Context, traceId: string, spanId: string): Context {
  return trace.setSpanContext(base, { traceId, spanId, traceFlags: 1, isRemote: true });
}

export { ROOT_CONTEXT };
