import { resolve } from 'node:path';
import { invalidOption, numberOption, optionalOption, readOptions, enumOption, type OptionReader, type OptionsOf } from '../../internal/index.js';
import { isObject, jsonText } from '../../protocol/index.js';
import { readCardFiles, type CardFiles } from './card-files.js';
import { broken, decodeRecord, type DecodedRecord, type Instance, type RecordOwner } from './record.js';

/** What a model can be asked for, with Dynamo's name of it. */
const MODEL_TYPES = { chat: 'Chat', completions: 'Completions', embedding: 'Embedding' } as const;

/** A kind of requests that a model serves. */
export type ModelType = keyof typeof MODEL_TYPES;

/** A model as `announceModel` takes it. */
export interface ModelDraft {
  /** Name that clients ask for. */
  readonly name: string;
  /** What it serves: `chat` (with `/v1/responses` and `/v1/messages`), `completions`, `embedding`. Default `['chat', 'completions']`. */
  readonly types?: readonly ModelType[] | undefined;
  /** `text`: the worker gets the client's OpenAI request and yields its chunks. `tokens`: Dynamo's frontend applies the chat template and the tokenizer; the worker gets and yields token ids. Default `text`. */
  readonly input?: 'text' | 'tokens' | undefined;
  /** Folder of the model in the layout of Hugging Face, where Dynamo's frontend finds it under the same path: `config.json`, `tokenizer.json`, `tokenizer_config.json`, and if there are any `generation_config.json` and `chat_template.jinja`. Needed for `tokens`, refused for `text`. */
  readonly files?: string | undefined;
  /** Longest prompt and answer together, in tokens. Default: what `config.json` says; for `text` unknown. */
  readonly contextLength?: number | undefined;
  /** Tokens in a block of the KV cache. Default 16 for `tokens`, 0 for `text`, which has none. */
  readonly kvCacheBlockSize?: number | undefined;
  /** How often Dynamo's frontend takes a request to another worker after its worker was lost. Default 0. */
  readonly migrationLimit?: number | undefined;
}

const U32 = 2 ** 32 - 1;

const text = (value: unknown, path: string): string => {
  if (typeof value !== 'string' || value.trim() === '') throw invalidOption(path, 'a text that is not empty', value);
  return value;
};

const typesOption: OptionReader<readonly ModelType[]> = (value = ['chat', 'completions'], path) => {
  const known = Object.keys(MODEL_TYPES);
  const types = Array.isArray(value) ? (value as readonly unknown[]) : [];
  const wrong = types.find((type) => typeof type !== 'string' || !known.includes(type));
  if (types.length === 0 || wrong !== undefined) throw invalidOption(path, `an array of ${known.map((type) => `'${type}'`).join(', ')}`, wrong ?? value);
  return types as readonly ModelType[];
};

const SPEC = {
  name: text,
  types: typesOption,
  input: enumOption(['text', 'tokens'], 'text'),
  files: optionalOption<string>('the path of a folder', (value) => typeof value === 'string' && value !== ''),
  contextLength: optionalOption<number>(`an integer from 1 to ${U32}`, (value) => isCount(value) && value > 0),
  kvCacheBlockSize: optionalOption<number>(`an integer from 0 to ${U32}`, isCount),
  migrationLimit: numberOption(0, { max: U32 }),
};

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= U32;
}

export type ModelSettings = OptionsOf<typeof SPEC>;

/** @throws ERR_OPTION_INVALID naming the field of the draft */
export function readModelDraft(draft: ModelDraft): ModelSettings {
  const read = readOptions('model', SPEC, draft);
  if (read.input === 'text') {
    if (read.files !== undefined) throw invalidOption('model.files', "absent when model.input is 'text'", read.files);
    return read;
  }
  if (read.files === undefined) throw invalidOption('model.files', "the folder of the model when model.input is 'tokens'", undefined);
  if (read.kvCacheBlockSize === 0) throw invalidOption('model.kvCacheBlockSize', "more than 0 when model.input is 'tokens'", 0);
  // Dynamo looks at the first of these that it finds and leaves out the others, so a model that has both would lack its embeddings.
  if (read.types.includes('embedding') && read.types.length > 1) throw invalidOption('model.types', "'embedding' alone when model.input is 'tokens'", read.types.join(', '));
  return read;
}

/** A model's card as Dynamo reads it: the value of `card_json`. */
export interface ModelCard extends CardFiles {
  readonly display_name: string;
  readonly slug: string;
  readonly context_length?: number | undefined;
  readonly kv_cache_block_size: number;
  readonly migration_limit: number;
  readonly model_type: string;
  readonly model_input: 'Text' | 'Tokens';
  readonly worker_type: 'aggregated';
  readonly needs: readonly never[];
  readonly runtime_config?: { readonly context_length: number } | undefined;
}

/** The card of a model, with its files read and summed up. @throws ERR_OPTION_INVALID, ERR_DEPENDENCY_MISSING */
export async function makeCard({ name, types, input, files, contextLength, kvCacheBlockSize, migrationLimit }: ModelSettings): Promise<ModelCard> {
  const cardFiles = files === undefined ? {} : await readCardFiles(resolve(files), types.includes('chat'));
  const context = contextLength ?? cardFiles.architectural_max_context_length;
  return Object.freeze({
    display_name: name,
    slug: slugOf(name),
    ...cardFiles,
    // Releases up to 1.2 read the first, later ones the second.
    ...(context === undefined ? {} : { context_length: context, runtime_config: { context_length: context } }),
    kv_cache_block_size: kvCacheBlockSize ?? (input === 'text' ? 0 : 16),
    migration_limit: migrationLimit,
    model_type: Object.entries(MODEL_TYPES).filter(([type]) => types.includes(type as ModelType)).map(([, theirs]) => theirs).join(' | '),
    model_input: input === 'text' ? 'Text' : 'Tokens',
    worker_type: 'aggregated',
    needs: [],
  });
}

/** Dynamo names folders by it and takes `a-z`, `0-9`, `-` and `_` alone; it need not be unique. */
function slugOf(name: string): string {
  const slug = name.toLowerCase().replace(/[^a-z0-9_-]/g, '_').replace(/^_+/, '');
  return slug === '' ? 'model' : slug;
}

/** The record of a model's card, as Dynamo writes it. */
export function encodeModel({ namespace, component, endpoint, instanceId }: Instance, card: ModelCard): string {
  return jsonText({ type: 'Model', namespace, component, endpoint, instance_id: instanceId, card_json: card });
}

/** A model that a worker serves, as its card says. */
export interface ServedModel extends RecordOwner {
  /** Name that clients ask for. */
  readonly name: string;
  /** `text` or `tokens`, as in {@link ModelDraft}; Dynamo's workers may say another in lower case, `tensor` for one. */
  readonly input: string;
  /** What it serves: `chat`, `completions`, `embedding`; Dynamo's workers may say others in lower case. */
  readonly types: readonly string[];
}

/** Reads the record of a model's card: what Dynamo has written, and what `announceModel` has. Never throws. */
export function decodeModel(bytes: Uint8Array): DecodedRecord<ServedModel> {
  return decodeRecord(bytes, 'Model', (owner, { card_json: card }) => {
    if (!isObject(card)) return broken('card_json is no object');
    const { display_name: name, model_input: input, model_type: types } = card;
    if (typeof name !== 'string' || typeof input !== 'string' || typeof types !== 'string') return broken('display_name, model_input or model_type is no text');
    return { kind: 'record', record: Object.freeze({ ...owner, name, input: input.toLowerCase(), types: Object.freeze(types.split('|').map((type) => type.trim().toLowerCase()).filter((type) => type !== '')) }) };
  });
}
