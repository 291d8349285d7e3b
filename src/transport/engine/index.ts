export { engineTokens, type EngineChunk, type EngineTokens, type EngineUsage } from './engine-tokens.js';
export type { CompletionUsage, EngineFinishReason, LLMEngineOutput, OutputOptions, PreprocessedRequest, PromptTokensDetails, SamplingOptions, StopConditions, TopLogprob } from './protocol.js';
export { rejectionOf, workerError } from './rejection.js';
