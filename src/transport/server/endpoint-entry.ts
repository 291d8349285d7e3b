import { invalidOption } from '../../internal/index.js';
import type { LogFields } from '../../logging/index.js';
import { readEndpointName, type EndpointName } from '../discovery/index.js';
import type { EndpointHandler, EndpointIdentity } from '../types.js';

/** An endpoint as the worker keeps it. */
export interface EndpointEntry extends EndpointIdentity {
  readonly handler: EndpointHandler;
  /** Its identity as records and spans carry it: names and the id as text. */
  readonly fields: LogFields & { readonly component: string; readonly endpoint: string; readonly namespace: string; readonly instance_id: string };
  /** Requests queued or being handled. */
  inFlight: number;
}

/** `name` is `namespace.component.endpoint`, `dyn://` before it or not. @throws ERR_OPTION_INVALID */
export function makeEndpoint(name: string | EndpointName, handler: EndpointHandler, instanceId: bigint): EndpointEntry {
  const { namespace, component, endpoint } = readEndpointName(typeof name === 'string' ? name.replace(/^dyn:\/\//, '') : name, 'endpoint');
  if (typeof handler !== 'function') throw invalidOption('handler', 'a function', handler);
  const fields = Object.freeze({ component, endpoint, namespace, instance_id: instanceId.toString() });
  return { namespace, component, endpoint, instanceId, handler, fields, inFlight: 0 };
}
