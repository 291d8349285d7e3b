import { invalidOption } from '../../internal/index.js';
import { isPayloadCodecName, type PayloadCodecName } from '../../protocol/index.js';
import { endpointText, instanceIdOption, newInstanceId, readEndpointName, type EndpointName, type Instance, type InstanceTransport } from './record.js';

/** What a worker announces. A `ServedEndpoint` or a `NatsEndpoint` is one. */
export interface InstanceDraft extends EndpointName {
  /** How the instance is reached. Default: by `address`, else by `subject`. */
  readonly transport?: InstanceTransport | undefined;
  /** `[tcp://]ip:port/endpoint_path`, as a served endpoint has it. */
  readonly address?: string | undefined;
  /** Subject of the NATS request plane, as an endpoint served over NATS has it. */
  readonly subject?: string | undefined;
  /** Default: a new random one. */
  readonly instanceId?: bigint | undefined;
  /** `cpu` or `cuda`. Default: not said. */
  readonly deviceType?: string | undefined;
  /** Default DYN_REQUEST_PLANE_CODEC, else `msgpack`, as in Dynamo. */
  readonly codec?: PayloadCodecName | undefined;
}

/** @throws ERR_OPTION_INVALID */
export function readDraft(draft: InstanceDraft, defaultCodec: PayloadCodecName): Instance {
  const { namespace, component, endpoint } = readEndpointName(draft, 'instance');
  const { deviceType, codec = defaultCodec } = draft;
  const instanceId = instanceIdOption(draft.instanceId, 'instance.instanceId') ?? newInstanceId();
  const transport = transportOf(draft);
  if (!isPayloadCodecName(codec)) throw invalidOption('instance.codec', "'json' or 'msgpack'", codec);
  return Object.freeze({ namespace, component, endpoint, instanceId, transport, ...(deviceType === undefined ? {} : { deviceType }), codec });
}

function transportOf({ transport, address, subject }: InstanceDraft): InstanceTransport {
  const found = transport ?? (typeof address === 'string' ? { tcp: address.replace(/^tcp:\/\//, '') } : typeof subject === 'string' ? { nats_tcp: subject } : undefined);
  const values: readonly unknown[] = Object.values(found ?? {});
  if (found === undefined || !('tcp' in found || 'nats_tcp' in found) || values.length !== 1 || typeof values[0] !== 'string') throw invalidOption('instance.transport', '{ tcp } or { nats_tcp }', found);
  return found;
}

/** The name of an endpoint that is looked for. @throws ERR_OPTION_INVALID */
export function nameOf(endpoint: string | EndpointName): string {
  return endpointText(readEndpointName(endpoint, 'endpoint'));
}

/** Codec of announcements that name none. Dynamo's rule: unset, empty and anything else mean msgpack. */
export function codecFromEnv(env: Readonly<Record<string, string | undefined>>): PayloadCodecName {
  const codec = env['DYN_REQUEST_PLANE_CODEC'];
  return isPayloadCodecName(codec) ? codec : 'msgpack';
}
