import { readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** As in Dynamo: a record that nobody has touched for so long stands for a dead worker. */
const TTL_MS = 10_000;

/** What workers say of a model that they serve, as far as it is read here. */
export interface ModelCard {
  readonly display_name: string;
  /** `Text`: OpenAI's requests; `Tokens`: token ids. */
  readonly model_input: string;
}

/** The model cards of an endpoint's workers in Dynamo's file store. Workers of this example have none unless they are given a model. */
export async function readModelCards(endpoint: string, root = process.env['DYN_FILE_KV'] ?? join(tmpdir(), 'dynamo_store_kv')): Promise<ModelCard[]> {
  const directory = join(root, 'v1', 'mdc');
  const names = await readdir(directory).catch(() => []);
  const cards = await Promise.all(names.filter((name) => !name.startsWith('.')).map((name) => readCard(join(directory, name), endpoint)));
  return cards.filter((card) => card !== undefined);
}

/** Undefined: a card of another endpoint or of a dead worker, or none that can be read. */
async function readCard(file: string, endpoint: string): Promise<ModelCard | undefined> {
  try {
    if ((await stat(file)).mtimeMs < Date.now() - TTL_MS) return undefined;
    const record = JSON.parse(await readFile(file, 'utf8')) as { namespace: string; component: string; endpoint: string; card_json: ModelCard };
    return `${record.namespace}.${record.component}.${record.endpoint}` === endpoint ? record.card_json : undefined;
  } catch {
    return undefined;
  }
}
