import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { startHarness, type DynamoOptions, type DynamoProcess, type Harness, type HarnessDynamo, type HarnessTrace, type TraceOptions } from 'dynamo-tracing/harness';
import { until } from '../../support/until.js';
import { gatewayBefore } from './gateway.js';
import { pythonOf, type Release } from './releases.js';

/** What a group of tests runs: Dynamo's frontend and mockers, by name. */
export interface Plan {
  readonly dynamo?: Pick<DynamoOptions, 'args' | 'env'>;
  /** Further arguments of each mocker. Default: one, `dynamo-worker`. */
  readonly mockers?: Readonly<Record<string, readonly string[]>>;
  /** What the frontend's log says when it is ready, beside serving the model. */
  readonly says?: string;
}

/** One request to the gateway. */
export interface Asked {
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Default: the gateway's. */
  readonly url?: string;
}

/** Python loads for seconds, on a busy machine for many. */
const START_WITHIN_MS = 60_000;

/** The model that every mocker serves. */
export const MODEL = 'tiny';

/** A gateway of ours → Dynamo's frontend → mockers, started once for a group of tests. */
export class Deployment {
  harness!: Harness;
  dynamo!: HarnessDynamo;
  /** URL of a gateway with the defaults of our middleware. */
  gateway!: string;
  readonly mockers: DynamoProcess[] = [];

  constructor(release: Release, { dynamo = {}, mockers = { 'dynamo-worker': [] }, says = '' }: Plan = {}) {
    let directory: string;
    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'dynamo-interop-'));
      execFileSync(pythonOf(release), [join(__dirname, '..', 'python', 'model.py'), join(directory, MODEL)]);
      this.harness = await startHarness({ timeoutMs: 15_000 });
      // In this directory the model's name is a path: the mocker of 1.5.0 writes the name where the path belongs.
      this.dynamo = await this.harness.dynamo({ python: pythonOf(release), cwd: directory, timeoutMs: START_WITHIN_MS, ...dynamo });
      for (const [name, args] of Object.entries(mockers)) this.mockers.push(this.mocker(MODEL, name, args));
      if (this.mockers.length > 0) await this.dynamo.serves(MODEL);
      const cards = join(this.dynamo.env['DYN_FILE_KV']!, 'v1', 'mdc');
      await until('all mockers to be announced', () => this.mockers.length === 0 || readdirSync(cards).length === this.mockers.length, START_WITHIN_MS);
      await until(`the frontend to say ${says}`, () => this.dynamo.frontend.log.includes(says), START_WITHIN_MS);
      this.gateway = await gatewayBefore(this.dynamo.url, this.harness);
    }, 120_000);
    afterAll(async () => {
      await this.harness.close();
      rmSync(directory, { recursive: true, force: true });
    });
  }

  /** Starts one more mocker. */
  mocker(model: string, name: string, args: readonly string[] = []): DynamoProcess {
    return this.dynamo.run('dynamo.mocker', ['--model-path', MODEL, '--model-name', model, '--max-model-len', '4096', '--block-size', '16', ...args], { name });
  }

  ask(path: string, { body, headers, signal, url = this.gateway }: Asked = {}): Promise<Response> {
    const init: RequestInit = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    return this.harness.fetch(url + path, { ...init, headers: { 'content-type': 'application/json', ...headers }, ...(signal === undefined ? {} : { signal }) });
  }

  /** Asks, reads the answer, and gives the trace when it is complete. */
  async traced(path: string, asked: Asked, options?: TraceOptions): Promise<{ readonly res: Response; readonly text: string; readonly trace: HarnessTrace }> {
    const res = await this.ask(path, asked);
    const text = await res.text();
    return { res, text, trace: await this.harness.trace(res, options) };
  }
}

/** A chat request that takes `tokens` tokens, some 6 ms each. */
export function chat(tokens: number, more: object = {}): object {
  return { model: MODEL, max_tokens: tokens, messages: [{ role: 'user', content: 'hello world' }], ...more };
}

/** Reads a stream until `chunks` chunks have come, without leaving it; `rest` reads on to its end. */
export async function begun(res: Response, chunks: number): Promise<{ rest(): Promise<string> }> {
  const reader = res.body!.getReader();
  let text = '';
  const read = async (enough: () => boolean): Promise<void> => {
    while (!enough()) {
      const { done, value } = await reader.read();
      if (done) return;
      text += Buffer.from(value as Uint8Array).toString();
    }
  };
  await read(() => text.split('data:').length > chunks);
  return {
    rest: async () => {
      await read(() => false);
      return text;
    },
  };
}
