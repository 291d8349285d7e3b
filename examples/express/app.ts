import express, { type Express } from 'express';
import { dynamoTracing, dynamoTracingErrors, tracedFetch } from 'dynamo-tracing';

/** A front end for an OpenAI-compatible engine: ids, one span and one record for each request, one trace with the engine. */
export function createApp(engine: string): Express {
  const app = express();
  app.use(dynamoTracing());
  app.use(express.json());
  app.post('/v1/chat/completions', async (req, res) => {
    req.trace.log.info('asking the engine');
    const answer = await tracedFetch(`${engine}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(req.body),
      signal: req.trace.signal,
    });
    res.status(answer.status).type('application/json').send(await answer.text());
  });
  app.use(dynamoTracingErrors());
  return app;
}

if (require.main === module) createApp(process.env['ENGINE'] ?? 'http://127.0.0.1:8001').listen(8000);
