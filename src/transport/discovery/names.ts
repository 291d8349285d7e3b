import { invalidOption } from '../../internal/index.js';

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
