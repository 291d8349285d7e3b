import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { invalidOption } from '../../internal/index.js';
import { FileDiscovery, type ModelDraft } from '../../transport/index.js';
import type { HarnessWorker } from '../worker/index.js';

/** A directory of Dynamo's file store, made when the first worker is announced or Dynamo started; gone when the harness closes. */
export class ModelStore {
  #opened: Promise<{ readonly root: string; readonly discovery: FileDiscovery }> | undefined;
  readonly #models = new Set<string>();

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
   * Announces a worker as a model of Dynamo's frontends.
   * @throws ERR_OPTION_INVALID for a model that Dynamo would refuse and a worker that it cannot reach
   */
  async announce(worker: HarnessWorker, model: string | ModelDraft, transport: 'tcp' | 'memory'): Promise<void> {
    if (transport !== 'tcp') throw invalidOption('startHarness.transport', "'tcp' when a worker has a model: Dynamo is another process", transport);
    const { discovery } = await this.#open();
    const [endpoint = '', component = '', ...namespace] = worker.name.split('.').reverse();
    const draft: ModelDraft = typeof model === 'string' ? { name: model, types: ['chat', 'completions', 'embedding'] } : model;
    await discovery.announceModel({ namespace: namespace.reverse().join('.'), component, endpoint, instanceId: worker.instanceId, transport: { tcp: worker.address.replace(/^tcp:\/\//, '') } }, draft);
    this.#models.add(draft.name);
  }

  async close(): Promise<void> {
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
    return { root, discovery: new FileDiscovery({ root, logger: false, env: {} }) };
  }
}
