export { defaultLog, logger, readLogger, traceMixin, type LoggerOption } from './default.js';
export { errorFields } from './error-fields.js';
export { allFields, ID_PROPERTIES, idFields, type LogEntry, type LogFields, type LogSink } from './entry.js';
export { escapeControls } from './json-text.js';
export { Log, onRecord, type EmitOptions, type RecordListener } from './log.js';
export type { LogFn, Logger, RequestLogger } from './logger.js';
export { levelOf, RECORD_TARGETS, RECORDS, type RecordDefinition, type RecordName, type RecordSituation } from './records.js';
export { createRequestLogger } from './request-logger.js';
export { environmentSink, lineSink, loggerSink, SILENT_SINK, type ConsoleFormat, type LineSinkSettings } from './sinks.js';
