import { errorFact } from '../../errors/index.js';
import { decodeJson, isPayloadCodecName, jsonText, type PayloadCodecName } from '../../protocol/index.js';
import type { EndpointName } from './names.js';
import { isInstanceId } from '../instance-id.js';

/** How an instance is reached: `tcp` holds `ip:port/endpoint_path`, `nats_tcp` the subject of the NATS request plane. */
export type InstanceTransport = { readonly tcp: string } | { readonly nats_tcp: string };

/** One worker's endpoint, as discovery knows it. */
export interface Instance extends EndpointName {
  /** A random unsigned 64-bit integer, exact. */
  readonly instanceId: bigint;
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

/** What a record is: an instance, something that is not for us (`skip`), or broken (`reason`). */
export type DecodedRecord = { readonly kind: 'instance'; readonly instance: Instance } | { readonly kind: 'skip' } | { readonly kind: 'broken'; readonly reason: string };

const SKIP: DecodedRecord = Object.freeze({ kind: 'skip' });

/** Reads a record. Records of other types and transports that are not known are skipped. Never throws. */
export function decodeInstance(bytes: Uint8Array): DecodedRecord {
  let value: unknown;
  try {
    value = decodeJson(bytes);
  } catch (error) {
    return broken(String(errorFact(error, 'message') ?? error));
  }
  if (!isRecord(value) || typeof value['type'] !== 'string') return broken('it is no object with a type');
  if (value['type'] !== 'Endpoint') return SKIP;
  return readInstance(value);
}

function readInstance(value: Readonly<Record<string, unknown>>): DecodedRecord {
  const { namespace, component, endpoint, device_type: deviceType, request_plane_codec: codec } = value;
  if (typeof namespace !== 'string' || typeof component !== 'string' || typeof endpoint !== 'string') return broken('namespace, component or endpoint is no text');
  const id = value['instance_id'];
  const instanceId = typeof id === 'number' && Number.isSafeInteger(id) ? BigInt(id) : id;
  if (!isInstanceId(instanceId)) return broken('instance_id is no unsigned 64-bit integer');
  const transport = readTransport(value['transport']);
  if (transport === undefined) return SKIP;
  // No codec means json (facts 2.3); a codec we do not speak means that the worker is not for us.
  if (codec !== undefined && codec !== null && !isPayloadCodecName(codec)) return SKIP;
  return {
    kind: 'instance',
    instance: Object.freeze({
      namespace, component, endpoint, instanceId, transport,
      ...(typeof deviceType === 'string' ? { deviceType } : {}),
      codec: codec ?? 'json',
    }),
  };
}

function readTransport(value: unknown): InstanceTransport | undefined {
  if (!isRecord(value)) return undefined;
  const { tcp, nats_tcp: subject } = value;
  if (typeof tcp === 'string') return Object.freeze({ tcp });
  return typeof subject === 'string' ? Object.freeze({ nats_tcp: subject }) : undefined;
}

function broken(reason: string): DecodedRecord {
  return { kind: 'broken', reason };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
