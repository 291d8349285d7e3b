import type { Target } from '../target.js';
import { contentType, eventStream, form, jsonLines, requestBody, unaryBody } from './bodies.js';
import { ack, envelope, frame, twoPartFrames } from './frames.js';
import { dynLog, errors, metadata, requestIds, traceparent, tracestate } from './headers.js';
import { connectionInfo, control, json, msgpack, streamMessage, workerAddress } from './messages.js';
import { otlpJsonLogs, otlpJsonTraces, otlpLogs, otlpTraces } from './otlp.js';
import { discoveryRecord, endpointName, fileName, modelCard, modelFile } from './stores.js';

/** Every decoder and parser of bytes and text from outside. A new one is one row here. */
export const TARGETS: Readonly<Record<string, Target>> = {
  frame, ack, 'two-part': twoPartFrames, envelope,
  control, 'connection-info': connectionInfo, 'stream-message': streamMessage, json, msgpack, 'worker-address': workerAddress,
  traceparent, tracestate, 'request-ids': requestIds, 'dyn-log': dynLog, metadata, errors,
  'event-stream': eventStream, 'unary-body': unaryBody, 'json-lines': jsonLines, 'request-body': requestBody, form, 'content-type': contentType,
  'otlp-traces': otlpTraces, 'otlp-logs': otlpLogs, 'otlp-json-traces': otlpJsonTraces, 'otlp-json-logs': otlpJsonLogs,
  'discovery-record': discoveryRecord, 'file-name': fileName, 'endpoint-name': endpointName, 'model-card': modelCard, 'model-file': modelFile,
};
