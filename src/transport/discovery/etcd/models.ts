import { decodeModel, type ServedModel } from '../model-card.js';
import { byInstanceId, endpointText, type EndpointName } from '../record.js';
import { objects, type InstancesOwner } from './instances.js';
import { prefixOf, rangeOf } from './keys.js';

/** The models of an endpoint's workers. @throws ERR_DISCOVERY */
export async function readModels(name: EndpointName, owner: InstancesOwner): Promise<readonly ServedModel[]> {
  const { kvs } = await owner.client.call('kv/range', rangeOf(prefixOf('mdc', name)));
  const found: ServedModel[] = [];
  for (const { key, value } of objects(kvs)) {
    const decoded = decodeModel(Buffer.from(typeof value === 'string' ? value : '', 'base64'));
    if (decoded.kind === 'broken') owner.onBroken(Buffer.from(String(key), 'base64').toString('utf8'), decoded.reason);
    else if (decoded.kind === 'record' && endpointText(decoded.record) === endpointText(name)) found.push(decoded.record);
  }
  return found.sort(byInstanceId);
}
