import type { CapturedRecord, HarnessTrace } from 'dynamo-tracing/harness';
import { until } from '../../support/until.js';
import type { Deployment } from './deployment.js';
import { readableFields } from './readable.js';

type Fields = CapturedRecord['fields'];

/** Our own record of how the request went. */
export function oursOf(trace: HarnessTrace): CapturedRecord {
  return trace.recordsOf('request completed').find(({ service, fields }) => service === undefined && fields['span_name'] === 'http-request')!;
}

/** Fields of the frontend's record of how it went, whichever way it logs; undefined when it has not written it. */
export function writtenBy({ dynamo }: Deployment, trace: HarnessTrace, jsonl: string): Fields | undefined {
  if (jsonl === '0') return readableFields(dynamo.frontend.log, 'request completed', trace.traceId);
  return trace.recordsOf('request completed').find(({ service }) => service === 'dynamo-frontend')?.fields;
}

/** The same, once it is written. */
export async function theirsOf(place: Deployment, trace: HarnessTrace, jsonl: string): Promise<Fields> {
  await until("the frontend's record", () => writtenBy(place, trace, jsonl) !== undefined);
  return writtenBy(place, trace, jsonl)!;
}
