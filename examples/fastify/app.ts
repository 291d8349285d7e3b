import fastify, { type FastifyInstance } from 'fastify';
import { tracedFetch } from 'dynamo-tracing';
import { dynamoTracing, dynamoTracingErrors } from 'dynamo-tracing/fastify';

/** A front end for an OpenAI-compatible engine: ids, one span and one record for each request, one trace with the engine. */
export async function createApp(engine: string): Promise<FastifyInstance> {
  const app = fastify({ logger: false });
  await app.register(dynamoTracing);
  app.setErrorHandler(dynamoTracingErrors());
  app.post('/v1/chat/completions', async (request, reply) => {
    request.trace.log.info('asking the engine');
    const answer = await tracedFetch(`${engine}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request.body),
      signal: request.trace.signal,
    });
    return reply.code(answer.status).type('application/json').send(await answer.text());
  });
  return app;
}

if (require.main === module) void createApp(process.env['ENGINE'] ?? 'http://127.0.0.1:8001').then((app) => app.listen({ port: 8000 }));
