import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileNameOf } from '../../src/transport/discovery/record';

/** The limit is read where Linux has it. */
const isLinux = process.platform === 'linux';

(isLinux ? describe : describe.skip)(`a process that may open 128 files${isLinux ? '' : ' (skipped: the limit is read on Linux alone)'}`, () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'dynamo-files-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('reads the records of 3000 workers, and its caps on connections and on callers that say nothing are shares of its descriptors', async () => {
    const directory = join(root, 'v1', 'instances');
    mkdirSync(directory, { recursive: true });
    for (let id = 1; id <= 3000; id += 1) {
      const record = { type: 'Endpoint', namespace: 'dynamo', component: 'backend', endpoint: 'generate', instance_id: id, transport: { tcp: `127.0.0.1:9/${id.toString(16)}/generate` } };
      writeFileSync(join(directory, fileNameOf(`dynamo/backend/generate/${id.toString(16)}`)), JSON.stringify(record));
    }
    const { stdout } = await promisify(execFile)('sh', ['-c', 'ulimit -n 128 && exec "$@"', 'sh', process.execPath, '--import', 'tsx', join(__dirname, 'few-descriptors.ts'), root]);
    expect(JSON.parse(stdout)).toEqual({ instances: 3000, poolSize: 32, connectLimit: 32, workerPoolSize: 64, maxConnections: 32, callHomeConnectLimit: 32, silentCallers: 64 });
  }, 60_000);
});
