/**
 * Every error code of the package with the situation it stands for. Codes are stable: match on them, never on message
 * text or on `instanceof` (two copies of the package may be loaded). docs/errors.md shows the same table.
 */
export const ERROR_TABLE = {
  ERR_OPTION_INVALID: 'An option is unknown, has the wrong type or is out of range; `path` names it.',
  ERR_ENV_INVALID: 'An environment variable holds a value that cannot be used; `variable` names it.',
  ERR_DEPENDENCY_MISSING: 'An optional package is needed for this and is not installed; `package` names it.',

  ERR_METADATA_TOO_LARGE: 'The `x-dynamo-meta-*` headers exceed 64 entries or 64 KiB; `entries`, `bytes`.',

  ERR_FRAME_TOO_LARGE: 'A frame is larger than the limit; `size` and `limit` are in bytes.',
  ERR_FRAME_MALFORMED: 'Bytes do not follow the frame format; `reason` says how.',
  ERR_FRAME_FIELD_TOO_LONG: 'An endpoint path or header block does not fit its length field; `field`, `size`, `limit`.',
  ERR_MESSAGE_INVALID: 'A control message, handshake, prologue or data message is not what the protocol allows.',
  ERR_CODEC_UNSUPPORTED: 'A payload codec other than json and msgpack was asked for.',

  ERR_ADDRESS_INVALID: 'A worker address is not `[tcp://]ip:port/endpoint_path`.',
  ERR_CONNECT_FAILED: 'A connection to a worker could not be opened.',
  ERR_LISTEN_FAILED: 'A listener on this machine could not be opened; `host`, `port`, and what the system says as `cause`.',
  ERR_CONNECT_TIMEOUT: 'A connection to a worker was not open in time; `timeoutMs`.',
  ERR_ACK_TIMEOUT: 'A worker did not acknowledge a request in time; `timeoutMs`.',
  ERR_PROLOGUE_TIMEOUT: 'A worker acknowledged a request and did not begin its answer in time; `timeoutMs`, and `calledHome`: whether it has called this client since it was connected.',
  ERR_RESPONSE_TIMEOUT: 'A worker sent nothing for longer than the inactivity timeout; `timeoutMs`.',
  ERR_CONNECTION_CLOSED: 'A connection closed before the exchange was complete.',
  ERR_CLIENT_CLOSED: 'The client, server or harness was closed.',
  ERR_TOO_MANY_IN_FLIGHT: 'The bound on requests in flight is reached; `limit`.',

  ERR_WORKER_OVERLOADED: 'The worker refused the request: at capacity.',
  ERR_WORKER_UNAVAILABLE: 'The worker refused the request: unavailable.',
  ERR_UNKNOWN_ENDPOINT: 'The worker serves no endpoint of that path.',
  ERR_REQUEST_REJECTED: 'The worker refused the request for another reason; `ack` holds its text.',
  ERR_WORKER_PROTOCOL: 'A worker answered with bytes that the protocol does not allow or over the limit: it is broken, or another program has its port.',
  ERR_GENERATE_FAILED: 'The worker failed before its response stream began.',
  ERR_WORKER_ERROR: 'The worker sent an error inside its response stream; `errorType` is its Dynamo name.',
  ERR_STREAM_INCOMPLETE: 'The response stream ended before the worker said it was complete.',
  ERR_CANCELLED: 'The request was cancelled by its caller.',
  ERR_NO_WORKERS: 'No worker is known for the endpoint.',
  ERR_DISCOVERY: 'The discovery store cannot be read or written.',

  ERR_HARNESS_CLOSED: 'The harness was used after `close()`.',
  ERR_HARNESS_LEAK: 'Something was still open when the harness closed; `leaks` names each.',
  ERR_DYNAMO_FAILED: 'A Dynamo process of the harness ended, or did not serve its models in time; `log` holds the end of its log.',
  ERR_TIMERS_FAKED: 'A test clock has replaced functions that sockets need; `functions` names them, the message says how to exempt them.',
  ERR_TRACE_TIMEOUT: 'A trace did not become complete in time; `missing` says what was still awaited.',
} as const;

/** A code of docs/errors.md. */
export type ErrorCode = keyof typeof ERROR_TABLE;
