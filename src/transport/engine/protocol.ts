/** When generation ends. Workers add the model's own end tokens. */
export interface StopConditions {
  /** Most tokens to generate. Dynamo's mocker refuses a request without it. */
  readonly max_tokens?: number | null;
  /** Fewest tokens to generate. */
  readonly min_tokens?: number | null;
  /** Texts that end generation. */
  readonly stop?: readonly string[] | null;
  /** Tokens that end generation. */
  readonly stop_token_ids?: readonly number[] | null;
  /** Tokens that end generation and are part of the answer. */
  readonly stop_token_ids_visible?: readonly number[] | null;
  /** Tokens that end generation and are not part of the answer, the model's end tokens as a rule. */
  readonly stop_token_ids_hidden?: readonly number[] | null;
  /** Go on after the model's end token. */
  readonly ignore_eos?: boolean | null;
  /** Most tokens of reasoning. */
  readonly max_thinking_tokens?: number | null;
}

/** How tokens are drawn. Absent and null leave it to the engine. */
export interface SamplingOptions {
  readonly n?: number | null;
  readonly best_of?: number | null;
  readonly presence_penalty?: number | null;
  readonly frequency_penalty?: number | null;
  readonly repetition_penalty?: number | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly top_k?: number | null;
  readonly min_p?: number | null;
  readonly use_beam_search?: boolean | null;
  readonly length_penalty?: number | null;
  readonly seed?: number | bigint | null;
  readonly include_stop_str_in_output?: boolean | null;
  /** `json`, `regex`, `choice` or `grammar`, and what belongs to it. */
  readonly guided_decoding?: Readonly<Record<string, unknown>> | null;
}

/** What is told of each token. */
export interface OutputOptions {
  /** Log probabilities of so many tokens at each place. */
  readonly logprobs?: number | null;
  readonly prompt_logprobs?: number | null;
  readonly skip_special_tokens?: boolean | null;
  readonly formatted_prompt?: boolean | null;
  readonly return_tokens_as_token_ids?: boolean | null;
}

/**
 * What Dynamo's frontend asks a worker whose model card says `model_input: "Tokens"`. Workers need `token_ids` and
 * `stop_conditions`, and ignore what they do not know; newer frontends send more.
 */
export interface PreprocessedRequest {
  /** The prompt. */
  readonly token_ids: readonly number[];
  /** When generation ends. */
  readonly stop_conditions: StopConditions;
  /** Name of the model. */
  readonly model?: string;
  /** How tokens are drawn. */
  readonly sampling_options?: SamplingOptions;
  /** What is told of each token. */
  readonly output_options?: OutputOptions;
  /** End tokens of the model. */
  readonly eos_token_ids?: readonly number[];
  /** Checksum of the model card. */
  readonly mdc_sum?: string | null;
  /** Annotations that the caller wants in the answer. */
  readonly annotations?: readonly string[];
  /** Hints for the router: worker ids (u64), `dp_rank`, `priority`, `expected_output_tokens`. */
  readonly routing?: Readonly<Record<string, unknown>> | null;
  /** Settings of the KV router for this request. */
  readonly router_config_override?: Readonly<Record<string, unknown>> | null;
  /** What the prefill worker left, for a decode worker. */
  readonly prefill_result?: { readonly disaggregated_params: unknown; readonly prompt_tokens_details?: PromptTokensDetails | null } | null;
  /** Where a prefill worker waits for its decode worker. */
  readonly bootstrap_info?: { readonly bootstrap_host: string; readonly bootstrap_port: number; readonly bootstrap_room: number | bigint } | null;
  /** Images, videos and sounds of the prompt, by their kind. */
  readonly multi_modal_data?: Readonly<Record<string, readonly unknown[]>> | null;
  /** Whatever else an engine takes; `nvext` of the request is here. */
  readonly extra_args?: Readonly<Record<string, unknown>> | null;
  /** Session of the caller: `session_id` and what belongs to it. */
  readonly agent_context?: Readonly<Record<string, unknown>> | null;
  /** Scope of cached images: the session id. From 1.6 on. */
  readonly image_cache_scope?: string | null;
}

/** Why generation ended. Dynamo knows the five; engines written in Python may send others. */
export type EngineFinishReason = 'eos' | 'stop' | 'length' | 'cancelled' | 'content_filter' | (string & {});

/** Tokens of the prompt that are told apart. */
export interface PromptTokensDetails {
  readonly cached_tokens?: number | null;
  readonly audio_tokens?: number | null;
}

/** Token counts as an engine tells them. */
export interface CompletionUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details?: PromptTokensDetails | null;
}

/**
 * One item of a worker's answer to a {@link PreprocessedRequest}. Engines written in Python leave out what they have not got;
 * others write null.
 */
export interface LLMEngineOutput {
  /** New tokens; an item at the end often has none. */
  readonly token_ids: readonly number[];
  /** Their texts, if the engine makes texts: the mocker of 1.5.0 does, that of 1.6.1 does not. */
  readonly tokens?: readonly (string | null)[] | null;
  /** Their text together, if the engine makes texts. */
  readonly text?: string | null;
  /** `text`, `image`, `video` or `audio`. From 1.6 on. */
  readonly output_type?: string;
  /** Sum of the log probabilities so far. */
  readonly cum_log_probs?: number | null;
  /** Log probability of each new token. */
  readonly log_probs?: readonly number[] | null;
  /** For each new token the most likely ones. */
  readonly top_logprobs?: readonly (readonly TopLogprob[])[] | null;
  /** Null until the end. A failure is `{ error: text }`, or `error: text` from engines written in Python; some write `abort` for `cancelled`. */
  readonly finish_reason?: EngineFinishReason | { readonly error: string } | null;
  /** The stop text or token that ended generation. */
  readonly stop_reason?: string | number | null;
  /** Which of `n` answers this belongs to; null is the first. */
  readonly index?: number | null;
  /** Token counts so far. */
  readonly completion_usage?: CompletionUsage | null;
  /** What a prefill worker leaves for the decode worker, in the engine's own form. */
  readonly disaggregated_params?: unknown;
  /** Whatever else an engine tells. */
  readonly extra_args?: unknown;
  /** What the engine wants to be shown to the caller, in `nvext.engine_data`. */
  readonly engine_data?: unknown;
}

/** A likely token at a place of the answer. */
export interface TopLogprob {
  readonly rank: number;
  readonly token_id: number;
  readonly token?: string | null;
  readonly logprob: number;
  readonly bytes?: readonly number[] | null;
}
