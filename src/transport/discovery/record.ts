import { errorFact } from '../../errors/index.js';
import { invalidOption, randomHex } from '../../internal/index.js';
import { decodeJson, isObject, isPayloadCodecName, isU64, jsonText, parseWorkerAddress, type PayloadCodecName } from '../../protocol/index.js';

/** The three names of an endpoint of Dynamo. A namespace may hold dots (namespaces nest). */
export interface EndpointName {
  readonly namespace: string;
  readonly component: string;
  readonly endpoint: string;
}

/**
 * Reads `namespace.component.endpoint`: the last two parts are component and endpoint, all before them is the namespace.
 * @throws ERR_OPTION_INVALID naming `path` when a part is missing or empty.
 */
export function readEndpointName(name: string | EndpointName, path: string): EndpointName {
  const parts = typeof name === 'string' ? split(name) : name;
  for (const part of [parts.namespace, parts.component, parts.endpoint] as readonly unknown[]) {
    // A slash would shift the parts of the store's key.
    if (typeof part !== 'string' || part === '' || part.includes('/')) throw invalidOption(path, 'namespace.component.endpoint without slashes', name);
  }
  return parts;
}

/** The name as one text. */
export function endpointText({ namespace, component, endpoint }: EndpointName): string {
  return `${namespace}.${component}.${endpoint}`;
}

function split(name: string): EndpointName {
  const parts = name.split('.');
  const endpoint = parts.pop() ?? '';
  const component = parts.pop() ?? '';
  return { namespace: parts.join('.'), component, endpoint };
}

/** A new instance id: a random unsigned 64-bit integer. */
export function newInstanceId(): bigint {
  return BigInt(`0x${randomHex(8)}`);
}

/** An instance id that was given by hand, or none. @throws ERR_OPTION_INVALID naming `path` */
export function instanceIdOption(id: unknown, path: string): bigint | undefined {
  if (id === undefined || isU64(id)) return id;
  throw invalidOption(path, 'a BigInt from 0 to 2^64 - 1', id);
}

/** How an instance is reached: `tcp` holds `ip:port/endpoint_path`, `nats_tcp` the subject of the NATS request plane. */
export type InstanceTransport = { readonly tcp: string } | { readonly nats_tcp: string };

/** Whose record it is. */
export interface RecordOwner extends EndpointName {
  /** A random unsigned 64-bit integer, exact. */
  readonly instanceId: bigint;
}

/** One worker's endpoint, as discovery knows it. */
export interface Instance extends RecordOwner {
  readonly transport: InstanceTransport;
  /** `cpu` or `cuda`; absent when the worker did not say. */
  readonly deviceType?: string | undefined;
  /** Codec of request bodies for this worker. */
  readonly codec: PayloadCodecName;
}

/** The record of an instance as Dynamo writes it, in its order of keys. */
export function encodeInstance(instance: Instance): string {
  return jsonText({
    type: 'Endpoint',
    component: instance.component,
    endpoint: instance.endpoint,
    namespace: instance.namespace,
    instance_id: instance.instanceId,
    transport: instance.transport,
    device_type: instance.deviceType,
    request_plane_codec: instance.codec,
  });
}

/** The order of every list. */
export function byInstanceId(a: RecordOwner, b: RecordOwner): number {
  return a.instanceId < b.instanceId ? -1 : a.instanceId > b.instanceId ? 1 : 0;
}

/** What a record holds, something that is not for us (`skip`), or broken (`reason`). */
export type DecodedRecord<T> = { readonly kind: 'record'; readonly record: T } | { readonly kind: 'skip' } | { readonly kind: 'broken'; readonly reason: string };

const SKIP = Object.freeze({ kind: 'skip' } as const);

/** Reads the record of an instance. Records of other types and transports that are not known are skipped. Never throws. */
export function decodeInstance(bytes: Uint8Array): DecodedRecord<Instance> {
  return decodeRecord(bytes, 'Endpoint', readInstance);
}

/** Reads a record of one type; those of other types are skipped. Never throws. */
export function decodeRecord<T>(bytes: Uint8Array, type: string, read: (owner: RecordOwner, value: Readonly<Record<string, unknown>>) => DecodedRecord<T>): DecodedRecord<T> {
  let value: unknown;
  try {
    value = decodeJson(bytes);
  } catch (error) {
    return broken(String(errorFact(error, 'message') ?? error));
  }
  if (!isObject(value) || typeof value['type'] !== 'string') return broken('it is no object with a type');
  if (value['type'] !== type) return SKIP;
  const { namespace, component, endpoint, instance_id: id } = value;
  if (typeof namespace !== 'string' || typeof component !== 'string' || typeof endpoint !== 'string') return broken('namespace, component or endpoint is no text');
  const instanceId = typeof id === 'number' && Number.isSafeInteger(id) ? BigInt(id) : id;
  if (!isU64(instanceId)) return broken('instance_id is no unsigned 64-bit integer');
  return read({ namespace, component, endpoint, instanceId }, value);
}

function readInstance(owner: RecordOwner, value: Readonly<Record<string, unknown>>): DecodedRecord<Instance> {
  const { device_type: deviceType, request_plane_codec: codec } = value;
  const transport = readTransport(value['transport']);
  if (transport === undefined) return SKIP;
  if ('tcp' in transport && !isWorkerAddress(transport.tcp)) return broken('transport.tcp is no ip:port/endpoint_path');
  // No codec means json (facts 2.3); a codec we do not speak means that the worker is not for us.
  if (codec !== undefined && codec !== null && !isPayloadCodecName(codec)) return SKIP;
  return {
    kind: 'record',
    record: Object.freeze({
      ...owner, transport,
      ...(typeof deviceType === 'string' ? { deviceType } : {}),
      codec: codec ?? 'json',
    }),
  };
}

function readTransport(value: unknown): InstanceTransport | undefined {
  if (!isObject(value)) return undefined;
  const { tcp, nats_tcp: subject } = value;
  if (typeof tcp === 'string') return Object.freeze({ tcp });
  return typeof subject === 'string' ? Object.freeze({ nats_tcp: subject }) : undefined;
}

function isWorkerAddress(text: string): boolean {
  try {
    parseWorkerAddress(text);
    return true;
  } catch {
    return false;
  }
}

export function broken(reason: string): { readonly kind: 'broken'; readonly reason: string } {
  return { kind: 'broken', reason };
}

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

/** The name and id that a file name stands for; undefined when it is no instance's, or with `suffix` no card's: Dynamo's adapters of a model have a fifth part. */
export function parseFileName(fileName: string, suffix = false): RecordOwner | undefined {
  const key = decode(fileName);
  const [namespace = '', component = '', endpoint = '', hex = '', ...more] = key?.split('/') ?? [];
  if (more.length > (suffix ? 1 : 0) || namespace === '' || component === '' || endpoint === '' || !/^[0-9a-f]{1,16}$/.test(hex)) return undefined;
  return { namespace, component, endpoint, instanceId: BigInt(`0x${hex}`) };
}

function decode(fileName: string): string | undefined {
  try {
    return decodeURIComponent(fileName);
  } catch {
    return undefined;
  }
}
