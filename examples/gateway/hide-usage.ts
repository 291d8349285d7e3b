import { Transform } from 'node:stream';
import type { TokenUsage } from 'dynamo-tracing';

/** The end of an event: two line ends, of any of the three kinds. */
const END = /(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)/g;
/** Longer than any usage chunk, in bytes: an event beyond it is not gathered. */
const LIMIT = 2 ** 16;

/**
 * Takes the usage chunk that the gateway asked for out of an event stream whose client did not ask for it: the chunk with an
 * empty `choices` and a `usage` is dropped, everything else passes as it came.
 */
export function hideUsage(onUsage: (usage: TokenUsage) => void): Transform {
  let rest = ''; // latin1: a character a byte
  let passing = false; // the event that `rest` belongs to has been passed on in part
  const take = (event: string): string => {
    const usage = !passing && event.includes('"usage"') ? usageOf(event) : undefined;
    passing = false;
    if (usage === undefined) return event;
    onUsage(usage);
    return '';
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = rest + chunk.toString('latin1');
      let out = '';
      let begin = 0;
      END.lastIndex = Math.max(0, rest.length - 3);
      for (let end = END.exec(text); end !== null; end = END.exec(text)) {
        out += take(text.slice(begin, END.lastIndex));
        begin = END.lastIndex;
      }
      rest = text.slice(begin);
      if (rest.length > LIMIT) {
        out += rest.slice(0, -3); // what may be the beginning of the event's end is kept
        rest = rest.slice(-3);
        passing = true;
      }
      done(null, out === '' ? undefined : Buffer.from(out, 'latin1'));
    },
    flush(done) {
      done(null, Buffer.from(rest, 'latin1'));
    },
  });
}

function usageOf(event: string): TokenUsage | undefined {
  try {
    const data = [...event.matchAll(/^data:(.*)$/gm)].map(([, line]) => line).join('\n');
    const { choices, usage } = JSON.parse(data) as { choices?: unknown[]; usage?: { prompt_tokens?: number; completion_tokens?: number } | null };
    if (choices?.length !== 0 || usage === null || usage === undefined) return undefined;
    return { inputTokens: usage.prompt_tokens, outputTokens: usage.completion_tokens };
  } catch {
    return undefined;
  }
}
