import { upstreamBase } from './proxy.js';

const AGAIN_AFTER_MS = 10_000;
const ANSWER_WITHIN_MS = 2000;

/**
 * Which models an upstream serves, as it says itself, asked every ten seconds: clients may invent names, and each would be a label of
 * /metrics. Undefined: it does not say, as providers that want a key for it; then the models that it answers for are labels.
 */
export async function watchServedModels(url: string): Promise<(model: string) => boolean | undefined> {
  let names: ReadonlySet<string> | undefined;
  const look = async (): Promise<void> => {
    const res = await fetch(`${upstreamBase(url)}/v1/models`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    const { data } = await res.json() as { data: { id: string }[] };
    names = new Set(data.map(({ id }) => id));
  };
  const lookQuietly = (): Promise<void> => look().catch(() => undefined); // what was known stays true
  await lookQuietly();
  setInterval(() => void lookQuietly(), AGAIN_AFTER_MS).unref();
  return (model) => names?.has(model);
}
