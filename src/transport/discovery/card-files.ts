import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DynamoTracingError, errorFact } from '../../errors/index.js';
import { needPackage } from '../../internal/index.js';
import { isObject } from '../../protocol/index.js';

/** A file as a card names it: Dynamo reads it and refuses the card when the sum is not its own. */
export interface CheckedFile {
  readonly path: string;
  /** `blake3:` and 64 hex digits. */
  readonly checksum: string;
  /** In bytes. */
  readonly size: number;
}

/** The part of a card that its files make. */
export interface CardFiles {
  readonly source_path?: string;
  readonly model_info?: { readonly hf_config_json: CheckedFile };
  readonly tokenizer?: { readonly hf_tokenizer_json: CheckedFile };
  readonly prompt_formatter?: { readonly hf_tokenizer_config_json: CheckedFile };
  readonly chat_template_file?: { readonly hf_chat_template: { readonly is_custom: boolean; readonly file: CheckedFile } };
  readonly gen_config?: { readonly hf_generation_config_json: CheckedFile };
  readonly architectural_max_context_length?: number;
}

/** What is used of `@noble/hashes`, version 1.8 or later. */
interface Blake3Module {
  readonly blake3: { create(): { update(bytes: Uint8Array): unknown; digest(): Uint8Array } };
}

/**
 * Reads the files of a model that takes tokens.
 * @throws ERR_OPTION_INVALID with `path` 'model.files' when one is missing or cannot be used, and `file`; ERR_DEPENDENCY_MISSING
 */
export async function readCardFiles(folder: string, chat: boolean): Promise<CardFiles> {
  const { blake3 } = needPackage('@noble/hashes/blake3.js', "a model with input 'tokens'") as Blake3Module;
  const check = (name: string): Promise<CheckedFile | undefined> => checked(join(folder, name), () => blake3.create());
  const config = required(await check('config.json'), folder, 'config.json');
  const tokenizer = required(await check('tokenizer.json'), folder, 'tokenizer.json');
  const formatter = await check('tokenizer_config.json');
  const template = await check('chat_template.jinja');
  const generation = await check('generation_config.json');
  const context = contextLengthOf(await readJson(config.path));
  if (chat) {
    const settings = await readJson(required(formatter, folder, 'tokenizer_config.json').path);
    if (template === undefined && settings['chat_template'] === undefined) throw refuse(join(folder, 'tokenizer_config.json'), 'has no chat_template, and there is no chat_template.jinja');
  }
  return {
    source_path: folder,
    model_info: { hf_config_json: config },
    tokenizer: { hf_tokenizer_json: tokenizer },
    ...(formatter === undefined ? {} : { prompt_formatter: { hf_tokenizer_config_json: formatter } }),
    ...(template === undefined ? {} : { chat_template_file: { hf_chat_template: { is_custom: false, file: template } } }),
    ...(generation === undefined ? {} : { gen_config: { hf_generation_config_json: generation } }),
    ...(context === undefined ? {} : { architectural_max_context_length: context }),
  };
}

/** A file and its sum; undefined when there is none. It is read in pieces: tokenizers are some 20 MB. */
async function checked(path: string, create: Blake3Module['blake3']['create']): Promise<CheckedFile | undefined> {
  try {
    if (!(await stat(path)).isFile()) throw refuse(path, 'is no file');
    const sum = create();
    let size = 0;
    for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
      sum.update(piece);
      size += piece.length;
    }
    return { path, checksum: `blake3:${Buffer.from(sum.digest()).toString('hex')}`, size };
  } catch (cause) {
    if (errorFact(cause, 'code') === 'ENOENT') return undefined;
    throw errorFact(cause, 'code') === 'ERR_OPTION_INVALID' ? cause : refuse(path, 'cannot be read', cause);
  }
}

async function readJson(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return readModelJson(await readFile(path), path);
  } catch (cause) {
    throw errorFact(cause, 'code') === 'ERR_OPTION_INVALID' ? cause : refuse(path, 'cannot be read', cause);
  }
}

/** The object in a JSON file of a model. @throws ERR_OPTION_INVALID with `file` */
export function readModelJson(bytes: Buffer, path: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    // Python writes numbers so, and Dynamo reads them. What stands before is matched, not looked back for, which each blank of a long run would do anew.
    value = JSON.parse(bytes.toString('utf8').replace(/([:[,]\s*)-?(?:Infinity|NaN)(?=\s*[,\]}])/g, '$1null'));
  } catch (cause) {
    throw refuse(path, 'is no JSON', cause);
  }
  if (!isObject(value)) throw refuse(path, 'holds no object');
  return value;
}

function contextLengthOf(config: Readonly<Record<string, unknown>>): number | undefined {
  const nested = config['text_config'];
  const length = config['max_position_embeddings'] ?? (isObject(nested) ? nested['max_position_embeddings'] : undefined);
  return typeof length === 'number' && Number.isSafeInteger(length) && length > 0 ? length : undefined;
}

function required(file: CheckedFile | undefined, folder: string, name: string): CheckedFile {
  if (file === undefined) throw refuse(join(folder, name), 'is not there');
  return file;
}

function refuse(file: string, problem: string, cause?: unknown): DynamoTracingError {
  return new DynamoTracingError('ERR_OPTION_INVALID', `model.files: ${file} ${problem}`, { path: 'model.files', file, cause });
}
