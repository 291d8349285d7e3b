export { DynamoProcess } from './dynamo-process.js';
export { HarnessDynamo } from './harness-dynamo.js';
export { mockModel, type MockModelOptions } from './mock-model.js';
export { ModelStore } from './model-store.js';
export type { DynamoEnvironment, DynamoOptions, DynamoRunOptions } from './options.js';
export { missingDynamo } from './python.js';
