import type { CapturedRecord, HarnessTrace } from 'dynamo-tracing/harness';
import { until } from '../../support/until.js';
import type { Deployment } from './deployment.js';
import { readableFields } from './readable.js';

type Fields = CapturedRecord['fields'];

/** Our own record of how the request went: there must be exactly one. */
export function oursOf(trace: HarnessTrace): CapturedRecord {
  const ours = trace.recordsOf('request completed').filter(({ service, fields }) => service === undefined && fields['span_name'] === 'http-request');
  if (ours.length !== 1) throw new Error(`${ours.length} records of ours say that the request completed`);
  return ours[0]!;
}

/** Fields of the frontend's record of how it went, whichever way it logs; undefined when it has not written it. */
export function writtenBy({ dynamo }: Deployment, trace: HarnessTrace, jsonl: string): Fields | undefined {
  if (jsonl === '0') return readableFields(dynamo.frontend.log, 'request completed', trace.traceId);
  const theirs = trace.recordsOf('request completed').filter(({ service }) => service === 'dynamo-frontend');
  if (theirs.length > 1) throw new Error(`${theirs.length} records of Dynamo's frontend say that the request completed`);
  return theirs[0]?.fields;
}

/** The same, once it is written. */
export async function theirsOf(place: Deployment, trace: HarnessTrace, jsonl: string): Promise<Fields> {
  await until("the frontend's record", () => writtenBy(place, trace, jsonl) !== undefined);
  return writtenBy(place, trace, jsonl)!;
}
