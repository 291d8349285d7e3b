import type { Level } from '../internal/index.js';

/** Targets of our own records, for DYN_LOG. */
export const RECORD_TARGETS = {
  request: 'dynamo_tracing::request',
  worker: 'dynamo_tracing::worker',
  transport: 'dynamo_tracing::transport',
  logging: 'dynamo_tracing::logging',
} as const;

/** A lifecycle record: its message, its level when all is well and when not, and its own fields beside the ids. */
export interface RecordDefinition {
  readonly level: Level;
  readonly errorLevel: Level;
  readonly fields: readonly string[];
}

/** The lifecycle records. docs/records.md shows the same table with each field's unit and rule. */
export const RECORDS = {
  'request received': { level: 'info', errorLevel: 'info', fields: ['model', 'endpoint', 'request_type', 'component', 'namespace', 'instance_id'] },
  'http response sent': { level: 'info', errorLevel: 'error', fields: ['status', 'latency_ms'] },
  'request completed': {
    level: 'info',
    errorLevel: 'error',
    fields: [
      'model', 'endpoint', 'request_type', 'status', 'error_type', 'error_detail', 'elapsed_ms', 'input_tokens', 'output_tokens', 'output_tokens_estimated',
      'cached_tokens', 'ttft_ms', 'avg_itl_ms', 'finish_reason', 'response_id', 'prefill_worker_id', 'decode_worker_id', 'component', 'namespace', 'instance_id',
    ],
  },
  'request failed': { level: 'error', errorLevel: 'error', fields: ['error_name', 'error_code', 'error_stack', 'error_message'] },
  'request cancelled': { level: 'warn', errorLevel: 'warn', fields: ['request_type', 'error_type', 'elapsed_ms'] },
} as const satisfies Record<string, RecordDefinition>;
