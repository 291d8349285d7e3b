'use strict';
// Registers a tracer provider and a context manager in the global object of a test file. Spans are recorded and go nowhere.
const { context, trace } = require('@opentelemetry/api');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { TracerProvider } = require('@opentelemetry/sdk-trace');

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(new TracerProvider());
if (!trace.getTracer('').startSpan('').isRecording()) throw new Error('no SDK has been registered');
