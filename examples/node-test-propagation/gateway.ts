import express, { type Express } from 'express';
import { dynamoTracing } from 'dynamo-tracing';
import { Router, type RequestPlaneClient } from 'dynamo-tracing/transport';

/** The app under test: a chat route that asks a worker. What it calls workers with is given to it. */
export function createApp({ client, worker }: { client: RequestPlaneClient; worker: string }): Express {
  const router = new Router({ client, addresses: [worker], logger: false });
  const app = express();
  app.use(dynamoTracing({ logger: false }));
  app.use(express.json());
  app.post('/v1/chat/completions', async (req, res) => {
    const { max_tokens } = req.body as { max_tokens?: number };
    let content = '';
    for await (const item of router.generate<{ token?: string }>({ max_tokens }, { signal: req.trace.signal })) content += item.token ?? '';
    res.json({ choices: [{ message: { content }, finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: max_tokens } });
  });
  return app;
}
