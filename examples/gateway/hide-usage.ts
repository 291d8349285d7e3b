import { Transform } from 'node:stream';
import type { TokenUsage } from 'dynamo-tracing';

/**
 * Takes the usage chunk that the gateway asked for out of an event stream whose client did not ask for it: the chunk with an
 * empty `choices` and a `usage` is dropped, everything else passes as it came.
 */
export function hideUsage(onUsage: (usage: TokenUsage) => void): Transform {
  let rest = Buffer.alloc(0);
  const take = (event: Buffer): Buffer | undefined => {
    const usage = event.includes('"usage"') ? usageOf(event) : undefined;
    if (usage === undefined) return event;
    onUsage(usage);
    return undefined;
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf('\n\n'); end !== -1; end = rest.indexOf('\n\n')) {
        const event = take(rest.subarray(0, end + 2));
        if (event !== undefined) this.push(event);
        rest = rest.subarray(end + 2);
      }
      done();
    },
    flush(done) {
      if (rest.length > 0) this.push(rest);
      done();
    },
  });
}

function usageOf(event: Buffer): TokenUsage | undefined {
  try {
    const { choices, usage } = JSON.parse(event.toString().replace(/^data:\s*/, '')) as { choices?: unknown[]; usage?: { prompt_tokens?: number; completion_tokens?: number } | null };
    if (choices?.length !== 0 || usage === null || usage === undefined) return undefined;
    return { inputTokens: usage.prompt_tokens, outputTokens: usage.completion_tokens };
  } catch {
    return undefined;
  }
}
