import { randomUUID } from 'node:crypto';

const SIMPLE = /^[0-9a-f]{32}$/i;
const HYPHENATED = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HYPHENATED_LENGTH = 36;
const URN = 'urn:uuid:';

/** `x-request-id` values longer than this are dropped. */
export const MAX_X_REQUEST_ID_LENGTH = 256;
const VISIBLE_ASCII = /^[\x20-\x7e]+$/;

/**
 * Whether `value` is a UUID in one of the forms that Dynamo reads: hyphenated in any case, 32 hex digits, in braces, or
 * `urn:uuid:` before it. Any version, the nil UUID included; no white space.
 */
export function isRequestId(value: string): boolean {
  if (value.length === HYPHENATED_LENGTH) return HYPHENATED.test(value);
  if (value.length === 32) return SIMPLE.test(value);
  if (value.startsWith('{') && value.endsWith('}')) return HYPHENATED.test(value.slice(1, -1));
  return value.startsWith(URN) && HYPHENATED.test(value.slice(URN.length));
}

/** A new canonical request id: a UUID version 4. */
export function newRequestId(): string {
  return randomUUID();
}

/** Whether a caller's `x-request-id` can be echoed and passed on: 1 to 256 characters, visible ASCII and space. */
export function isUsableXRequestId(value: string): boolean {
  return value.length <= MAX_X_REQUEST_ID_LENGTH && VISIBLE_ASCII.test(value);
}

/** What the request-id headers of one request came to. */
export interface RequestIds {
  /** The canonical id: the caller's, as written, or a new UUID v4. */
  readonly requestId: string;
  /** The caller's own `x-request-id`, when it can be used. */
  readonly xRequestId: string | undefined;
  /** `request-id` and `x-dynamo-request-id` headers that are not a UUID: name and value as received. */
  readonly invalid: readonly RejectedHeader[];
  /** `x-request-id` was present and cannot be used. */
  readonly droppedXRequestId: boolean;
  /** The deprecated `x-dynamo-request-id` was present. */
  readonly deprecatedHeader: boolean;
}

export interface RejectedHeader {
  readonly header: string;
  readonly value: string;
}

type HeaderValue = string | readonly string[] | undefined;

const NO_REJECTED: readonly RejectedHeader[] = [];

/** A header given twice is no id: this gives its values joined, with `twice` set. */
function single(value: HeaderValue): { text: string; twice: boolean } | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string') return { text: value, twice: false };
  return value.length === 1 ? { text: value[0] ?? '', twice: false } : { text: value.join(', '), twice: true };
}

/**
 * The request-id rules in their order: `request-id` if it is a UUID, else `x-dynamo-request-id` if it is one, else a new
 * UUID. A header given twice is invalid. `get` reads a header by its lower-case name.
 */
export function resolveRequestIds(get: (name: string) => HeaderValue): RequestIds {
  const canonical = single(get('request-id'));
  const deprecated = single(get('x-dynamo-request-id'));
  const own = single(get('x-request-id'));
  const ownUsable = own !== undefined && !own.twice && isUsableXRequestId(own.text);
  let requestId: string | undefined;
  let invalid = NO_REJECTED;
  for (const [header, given] of [['request-id', canonical], ['x-dynamo-request-id', deprecated]] as const) {
    if (given === undefined) continue;
    if (!given.twice && isRequestId(given.text)) requestId ??= given.text;
    else invalid = [...invalid, { header, value: given.text }];
  }
  return {
    requestId: requestId ?? newRequestId(),
    xRequestId: ownUsable ? own.text : undefined,
    invalid,
    droppedXRequestId: own !== undefined && !ownUsable,
    deprecatedHeader: deprecated !== undefined,
  };
}
