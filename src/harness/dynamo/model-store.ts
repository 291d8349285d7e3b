import { link, mkdir, mkdtemp, rm, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jsonText } from '../../protocol/index.js';
import { invalidOption } from '../../internal/index.js';
import { FileDiscovery } from '../../transport/index.js';
import type { HarnessWorker } from '../worker/index.js';

/** A directory of Dynamo's file store, made when the first worker is announced or Dynamo started; gone when the harness closes. */
export class ModelStore {
  #opened: Promise<{ readonly root: string; readonly discovery: FileDiscovery }> | undefined;
  readonly #models = new Set<string>();
  readonly #cards: string[] = [];
  #touching: NodeJS.Timeout | undefined;

  /** @param onOpen told once, before the directory is made */
  constructor(private readonly onOpen: (store: ModelStore) => void) {}

  /** Models of the workers that were announced. */
  get models(): readonly string[] {
    return [...this.#models];
  }

  /** The directory: DYN_FILE_KV. */
  async root(): Promise<string> {
    return (await this.#open()).root;
  }

  /**
   * Announces a worker as a model of Dynamo's frontends: it gets requests as the client sent them.
   * @throws ERR_OPTION_INVALID for a worker that Dynamo cannot reach
   */
  async announce(worker: HarnessWorker, model: string, transport: 'tcp' | 'memory'): Promise<void> {
    if (transport !== 'tcp') throw invalidOption('startHarness.transport', "'tcp' when a worker has a model: Dynamo is another process", transport);
    const { root, discovery } = await this.#open();
    const [endpoint = '', component = '', ...rest] = worker.name.split('.').reverse();
    const namespace = rest.reverse().join('.');
    const { instanceId } = worker;
    await discovery.announce({ namespace, component, endpoint, instanceId, transport: { tcp: worker.address.replace(/^tcp:\/\//, '') } });
    const card = { display_name: model, slug: model.replace(/[^a-z0-9_-]/gi, '_').toLowerCase(), kv_cache_block_size: 0, migration_limit: 0, model_type: 'Chat | Completions | Embedding', model_input: 'Text', worker_type: 'aggregated' };
    const directory = join(root, 'v1', 'mdc');
    await mkdir(directory, { recursive: true });
    const path = join(directory, `${namespace}/${component}/${endpoint}/${instanceId.toString(16)}`.replace(/[^A-Za-z0-9]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`));
    const temporary = join(directory, `.tmp_${instanceId.toString(16).padStart(16, '0')}`);
    await writeFile(temporary, jsonText({ type: 'Model', namespace, component, endpoint, instance_id: instanceId, card_json: card }));
    await link(temporary, path);
    await unlink(temporary);
    this.#cards.push(path);
    this.#touching ??= setInterval(() => this.#cards.forEach((each) => void utimes(each, new Date(), new Date()).catch(() => undefined)), 3000).unref();
    this.#models.add(model);
  }

  async close(): Promise<void> {
    clearInterval(this.#touching);
    if (this.#opened === undefined) return;
    const { root, discovery } = await this.#opened;
    await discovery.close();
    await rm(root, { recursive: true, force: true });
  }

  #open(): Promise<{ readonly root: string; readonly discovery: FileDiscovery }> {
    return (this.#opened ??= this.#make());
  }

  async #make(): Promise<{ readonly root: string; readonly discovery: FileDiscovery }> {
    this.onOpen(this);
    const root = await mkdtemp(join(tmpdir(), 'dynamo-harness-'));
    return { root, discovery: new FileDiscovery({ root, logger: false, env: { DYN_REQUEST_PLANE_CODEC: 'json' } }) };
  }
}
