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
  /** Told of every request that goes well: the `lifecycleLevel` option decides. */
  readonly isRoutine?: boolean;
  /** Levels for requests that are not inference: as they are, for a 4xx, for a 5xx. */
  readonly system?: readonly [Level, Level, Level];
  readonly fields: readonly string[];
}

/** The lifecycle records. docs/records.md shows the same table with each field's unit and rule. */
export const RECORDS = {
  'request received': { level: 'info', errorLevel: 'info', isRoutine: true, fields: ['model', 'endpoint', 'request_type', 'component', 'namespace', 'instance_id'] },
  'http response sent': { level: 'info', errorLevel: 'error', system: ['debug', 'warn', 'error'], fields: ['status', 'latency_ms'] },
  'request completed': {
    level: 'info',
    errorLevel: 'error',
    isRoutine: true,
    fields: [
      'model', 'endpoint', 'request_type', 'status', 'error_type', 'error_detail', 'elapsed_ms', 'input_tokens', 'output_tokens', 'output_tokens_estimated',
      'cached_tokens', 'ttft_ms', 'avg_itl_ms', 'finish_reason', 'response_id', 'prefill_worker_id', 'decode_worker_id', 'upstream_request_id', 'component', 'namespace', 'instance_id',
    ],
  },
  'request failed': { level: 'error', errorLevel: 'error', fields: ['error_name', 'error_code', 'error_stack', 'error_message'] },
  'request cancelled': { level: 'warn', errorLevel: 'warn', fields: ['request_type', 'error_type', 'elapsed_ms'] },
} as const satisfies Record<string, RecordDefinition>;

/** A message of {@link RECORDS}. */
export type RecordName = keyof typeof RECORDS;

/** What decides the level of a record. */
export interface RecordSituation {
  readonly isSystem: boolean;
  /** Status of the response head. */
  readonly status: number | undefined;
  /** How the request ended, on the record that says so. */
  readonly outcome: 'success' | 'error' | 'cancelled' | undefined;
  /** Level of routine records. */
  readonly routine: 'info' | 'debug';
}

/** The level of a record, by the table. */
export function levelOf(name: RecordName, { isSystem, status = 0, outcome, routine }: RecordSituation): Level {
  const { level, errorLevel, isRoutine, system }: RecordDefinition = RECORDS[name];
  if (isSystem && system !== undefined) return system[status >= 500 ? 2 : status >= 400 ? 1 : 0];
  if (outcome === undefined ? status >= 400 && isRoutine !== true : outcome === 'error') return errorLevel;
  return isRoutine === true && outcome !== 'cancelled' ? routine : level;
}
