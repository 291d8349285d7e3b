/** Buckets as Dynamo's frontend exposes them: seconds for times, tokens for lengths. */
export const BUCKETS = {
  request_duration_seconds: [0, 2, 4, 8, 16, 32, 64, 130, 260, 510],
  input_sequence_tokens: [0, 100, 210, 430, 870, 1800, 3600, 7400, 15_000, 31_000, 63_000, 130_000],
  output_sequence_tokens: [0, 100, 210, 430, 880, 1800, 3700, 7600, 16_000, 32_000],
  time_to_first_token_seconds: [0, 0.0022, 0.0047, 0.01, 0.022, 0.047, 0.1, 0.22, 0.47, 1, 2.2, 4.7, 10, 22, 48, 100, 220, 480],
  inter_token_latency_seconds: [0, 0.0019, 0.0035, 0.0067, 0.013, 0.024, 0.045, 0.084, 0.16, 0.3, 0.56, 1.1, 2],
} as const;
