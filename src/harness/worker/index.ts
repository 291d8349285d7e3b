export { HarnessWorker, type WorkerOptions, type WorkerSurroundings } from './harness-worker.js';
export { mockEngine, mockPrefill, type MockEngineItem, type MockEngineOptions, type MockEngineRequest, type MockPrefillResult } from './mock-engine.js';
export type { WorkerCall, WorkerScript } from './script.js';
