import type { createMetrics, EndedRequest } from 'dynamo-tracing/metrics';

export const ended = (model: string, parts: Partial<EndedRequest> = {}): EndedRequest => ({ model, requestedModel: model, endpoint: 'e', requestType: 'unary', status: 'success', errorType: 'none', elapsedMs: 1, ...parts });
export const FAILED = { status: 'error', errorType: 'not_found' };
export const started = (model: string, endpoint = 'e') => ({ model, endpoint, requestType: 'unary' });

/** The lines of one metric in a scrape. */
export async function linesOf(metrics: ReturnType<typeof createMetrics>, name: string): Promise<string[]> {
  return (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(`dynamo_frontend_${name}{`));
}
