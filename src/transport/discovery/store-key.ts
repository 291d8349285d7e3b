import type { EndpointName } from './names.js';

/** Key of an instance in the store: `namespace/component/endpoint/<id in lower hex>`. */
export function instanceKey({ namespace, component, endpoint }: EndpointName, instanceId: bigint): string {
  return `${namespace}/${component}/${endpoint}/${instanceId.toString(16)}`;
}

/** File name of a key: every byte that is not an ASCII letter or digit as `%` and two upper-case hex digits. */
export function fileNameOf(key: string): string {
  return key.replace(/[^A-Za-z0-9]/gu, (character) => {
    let escaped = '';
    for (const byte of Buffer.from(character, 'utf8')) escaped += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    return escaped;
  });
}

/** The name and id that a file name stands for; undefined when it is no instance's. */
export function parseFileName(fileName: string): (EndpointName & { readonly instanceId: bigint }) | undefined {
  const key = decode(fileName);
  const [namespace = '', component = '', endpoint = '', hex = '', ...more] = key?.split('/') ?? [];
  if (more.length > 0 || namespace === '' || component === '' || endpoint === '' || !/^[0-9a-f]{1,16}$/.test(hex)) return undefined;
  return { namespace, component, endpoint, instanceId: BigInt(`0x${hex}`) };
}

function decode(fileName: string): string | undefined {
  try {
    return decodeURIComponent(fileName);
  } catch {
    return undefined;
  }
}
