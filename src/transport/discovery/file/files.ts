import { link, mkdir, open, readdir, readFile, rename, stat, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { DynamoTracingError, errorFact } from '../../../errors/index.js';
import { randomHex } from '../../../internal/index.js';

/** Names that begin so are files being written, by any process. */
const TEMP_PREFIX = '.tmp_';

/** The record of an instance is a few hundred bytes: a larger file is not one and is not read. */
const MAX_RECORD_SIZE = 65_536;

/** Files of a directory that are open at one time, at the most: descriptors are few, and the system's threads for files are four. */
const LANES = 32;

/** What a directory entry was when it was looked at. */
export interface FileState {
  readonly mtimeMs: number;
  readonly size: number;
  readonly inode: number;
}

/** The directory of one kind of records. Every failure is ERR_DISCOVERY with `path` and `cause`. */
export class RecordFiles {
  /** Steps that open a file; those in one lane run one after the other. */
  readonly #lanes: Promise<unknown>[] = Array<Promise<unknown>>(LANES).fill(Promise.resolve());
  #steps = 0;

  /** @param maxSize Bytes of the largest file that is read. */
  constructor(
    readonly directory: string,
    private readonly maxSize = MAX_RECORD_SIZE,
  ) {}

  pathOf(fileName: string): string {
    return join(this.directory, fileName);
  }

  /** Makes the directory when it is not there. */
  async prepare(): Promise<void> {
    await this.#attempt('made', this.directory, () => mkdir(this.directory, { recursive: true }));
  }

  /** Names of the entries, without files being written; none when there is no directory. */
  async list(): Promise<readonly string[]> {
    const names = await this.#attempt('read', this.directory, () => ifThere(readdir(this.directory)));
    return names?.filter((name) => !name.startsWith(TEMP_PREFIX)) ?? [];
  }

  /** State of an entry; undefined when it is gone, no regular file (reading a pipe would wait for ever) or too large for a record. */
  async state(fileName: string): Promise<FileState | undefined> {
    const path = this.pathOf(fileName);
    const found = await this.#attempt('read', path, () => ifThere(stat(path)));
    if (found === undefined || !found.isFile() || found.size > this.maxSize) return undefined;
    return { mtimeMs: found.mtimeMs, size: found.size, inode: found.ino };
  }

  /** Content of a file; undefined when it is gone. */
  async read(fileName: string): Promise<Buffer | undefined> {
    const path = this.pathOf(fileName);
    return this.#attempt('read', path, () => this.#inLane(() => ifThere(readFile(path))));
  }

  /**
   * Makes a file that appears under its name complete or not at all: a temporary file is written, then linked.
   * @returns false when the name is taken; that file is left as it is.
   */
  async create(fileName: string, content: string): Promise<boolean> {
    return this.#publish(fileName, content, async (temporary, path) => {
      try {
        await link(temporary, path);
        return true;
      } catch (error) {
        if (errorFact(error, 'code') === 'EEXIST') return false;
        throw error;
      } finally {
        await unlink(temporary);
      }
    });
  }

  /** Makes or replaces a file in one step. */
  async replace(fileName: string, content: string): Promise<void> {
    await this.#publish(fileName, content, rename);
  }

  /** Sets the modification time to `now`; false when the file is gone. */
  async touch(fileName: string, now: Date): Promise<boolean> {
    const path = this.pathOf(fileName);
    return (await this.#attempt('kept alive', path, () => ifThere(utimes(path, now, now).then(() => true)))) ?? false;
  }

  /** Removes a file; one that is gone is as good. */
  async remove(fileName: string): Promise<void> {
    const path = this.pathOf(fileName);
    await this.#attempt('removed', path, () => ifThere(unlink(path)));
  }

  async #publish<T>(fileName: string, content: string, step: (temporary: string, path: string) => Promise<T>): Promise<T> {
    const path = this.pathOf(fileName);
    await this.prepare();
    const temporary = this.pathOf(`${TEMP_PREFIX}${randomHex(8)}`);
    return this.#attempt('written', path, () => this.#inLane(async () => {
      try {
        await write(temporary, content);
        return await step(temporary, path);
      } catch (error) {
        await unlink(temporary).catch(() => undefined);
        throw error;
      }
    }));
  }

  #inLane<T>(step: () => Promise<T>): Promise<T> {
    const lane = this.#steps++ % LANES;
    const done = (this.#lanes[lane] ?? Promise.resolve()).then(step);
    this.#lanes[lane] = done.catch(() => undefined);
    return done;
  }

  async #attempt<T>(what: string, path: string, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (cause) {
      throw new DynamoTracingError('ERR_DISCOVERY', `${path} could not be ${what}: ${String(errorFact(cause, 'message') ?? cause)}`, { path, cause });
    }
  }
}

async function write(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx', 0o644);
  try {
    await file.writeFile(content, 'utf8');
  } finally {
    await file.close();
  }
}

async function ifThere<T>(step: Promise<T>): Promise<T | undefined> {
  try {
    return await step;
  } catch (error) {
    if (errorFact(error, 'code') === 'ENOENT') return undefined;
    throw error;
  }
}
