import { readModelJson } from '../../../src/transport/discovery/card-files.js';
import { readModelDraft } from '../../../src/transport/discovery/model-card.js';
import { decodeInstance, encodeInstance, fileNameOf, instanceKey, parseFileName, readEndpointName } from '../../../src/transport/discovery/record.js';
import { isUnicode, sameAgain } from '../again.js';
import { mutateBytes, mutatedJson } from '../mutate.js';
import type { Target } from '../target.js';

const RECORD = { type: 'Endpoint', component: 'backend', endpoint: 'generate', namespace: 'dynamo', instance_id: 18_446_744_073_709_551_614n, transport: { tcp: '10.0.0.1:9000/2a/generate' }, device_type: 'cuda', request_plane_codec: 'msgpack' };

export const discoveryRecord: Target = {
  make: (random) => mutatedJson(random, random.once(4) ? { ...RECORD, transport: { nats_tcp: 'a.b-1f' } } : RECORD),
  read: (pieces) => {
    const decoded = decodeInstance(Buffer.concat(pieces));
    if (decoded.kind === 'record' && isUnicode(pieces)) sameAgain(decoded, ({ record }) => decodeInstance(Buffer.from(encodeInstance(record))));
    return decoded;
  },
};

export const fileName: Target = {
  make: (random) => mutateBytes(random, Buffer.from(fileNameOf(instanceKey({ namespace: random.pick(['dynamo', 'a.b', 'é☃']), component: 'c', endpoint: 'generate' }, 42n))), ['%2F', '%', '%FF', '%00', '/', '%F0%9F', '..']),
  read: (pieces) => {
    const found = parseFileName(Buffer.concat(pieces).toString('latin1'));
    if (found === undefined) return undefined;
    sameAgain(found, (again) => parseFileName(fileNameOf(instanceKey(again, again.instanceId))));
    return found;
  },
};

export const endpointName: Target = {
  throws: ['ERR_OPTION_INVALID'],
  make: (random) => mutateBytes(random, Buffer.from('ns.sub.component.endpoint'), ['.', '/', '..']),
  read: (pieces) => readEndpointName(Buffer.concat(pieces).toString('latin1'), 'endpoint'),
};

const DRAFT = { name: 'served/Model', types: ['chat', 'completions'], input: 'tokens', files: '/models/m', contextLength: 4096, kvCacheBlockSize: 16, migrationLimit: 3 };

export const modelCard: Target = {
  throws: ['ERR_OPTION_INVALID'],
  make: (random) => mutatedJson(random, DRAFT),
  read: (pieces) => readModelDraft(readModelJson(Buffer.concat(pieces), 'draft.json') as never),
};

/** `config.json` and its kin, as Python writes them. */
export const modelFile: Target = {
  repeats: [' ', 'NaN ', '[NaN,', ', ', '\n'],
  throws: ['ERR_OPTION_INVALID'],
  make: (random) => mutateBytes(random, Buffer.from(`{"max_position_embeddings": 4096, "text_config": {"a": [NaN, -Infinity , 1.5]},\n  "b": Infinity, "template": "[NaN]"}`), ['NaN', 'Infinity', '-', ' ', '\n', ',', ':', '[', ']', '"']),
  read: (pieces) => readModelJson(Buffer.concat(pieces), 'config.json'),
};
