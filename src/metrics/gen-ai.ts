import { createNoopMeter, metrics, type Attributes, type Histogram, type Meter, type MeterProvider } from '@opentelemetry/api';
import { guarded, VERSION } from '../internal/index.js';
import { OTHER, UNKNOWN_MODEL, type ModelLabels } from './labels.js';
import type { Labels } from './prom-client.js';
import type { EndedRequest } from './requests.js';

const SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/** Histograms of the semantic conventions for generative AI, with the bucket boundaries that these advise. */
export const GEN_AI = {
  duration: { name: 'gen_ai.server.request.duration', unit: 's', description: 'Generative AI server request duration such as time-to-last byte or last output token.', boundaries: SECONDS },
  firstToken: {
    name: 'gen_ai.server.time_to_first_token', unit: 's', description: 'Time to generate first token for successful responses.',
    boundaries: [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  },
  perToken: {
    name: 'gen_ai.server.time_per_output_token', unit: 's', description: 'Time per output token generated after the first token for successful responses.',
    boundaries: [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5],
  },
  tokens: {
    name: 'gen_ai.client.token.usage', unit: '{token}', description: 'Number of input and output tokens used.',
    boundaries: [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864],
  },
} as const;

/** Attributes of the semantic conventions. */
export const ATTRIBUTES = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  responseModel: 'gen_ai.response.model',
  tokenType: 'gen_ai.token.type',
  errorType: 'error.type',
} as const;

const PLACE = 'OpenTelemetry metrics';
/** A provider of somebody's own may return a promise: nobody else would look at its rejection. */
const watched = <T>(result: T): T => guarded(PLACE, () => result, result);

type Instruments = Readonly<Record<keyof typeof GEN_AI, Histogram>>;

/**
 * The measurements as OpenTelemetry metrics, by the meter provider that is registered when a request ends. Without one nothing is
 * made. OpenTelemetry's API has no proxy for meters as it has for tracers: instruments are made when the provider is first seen.
 */
export class GenAiMetrics {
  #provider: MeterProvider | undefined;
  #instruments: Instruments | undefined;

  /** Never throws. */
  record(ended: EndedRequest, models: ModelLabels, own: Labels): void {
    guarded(PLACE, () => {
      const instruments = this.#current();
      if (instruments !== undefined) record(instruments, ended, attributesOf(ended, models, own));
    }, undefined);
  }

  #current(): Instruments | undefined {
    const provider = metrics.getMeterProvider();
    if (provider === this.#provider) return this.#instruments;
    this.#provider = provider;
    this.#instruments = undefined; // stays so when the provider throws: it is asked once
    const meter = watched(provider.getMeter('dynamo-tracing', VERSION));
    if (meter !== createNoopMeter()) this.#instruments = make(meter);
    return this.#instruments;
  }
}

function make(meter: Meter): Instruments {
  const histogram = (key: keyof typeof GEN_AI): Histogram => {
    const { name, unit, description, boundaries } = GEN_AI[key];
    return watched(meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: [...boundaries] } }));
  };
  return { duration: histogram('duration'), firstToken: histogram('firstToken'), perToken: histogram('perToken'), tokens: histogram('tokens') };
}

function attributesOf(ended: EndedRequest, models: ModelLabels, own: Labels): Attributes {
  const isSuccess = ended.status === 'success';
  const asked = models.ofEnded(ended.requestedModel, isSuccess);
  const answered = models.ofResponse(ended.responseModel, isSuccess);
  return {
    ...own,
    [ATTRIBUTES.operation]: ended.operation ?? ended.endpoint,
    [ATTRIBUTES.provider]: ended.provider ?? 'openai',
    ...(asked === UNKNOWN_MODEL || asked === OTHER ? {} : { [ATTRIBUTES.requestModel]: asked }),
    ...(answered === undefined ? {} : { [ATTRIBUTES.responseModel]: answered }),
  };
}

/** Times in seconds. The conventions know the times of tokens for successful responses only, and no estimated counts. */
function record({ duration, firstToken, perToken, tokens }: Instruments, ended: EndedRequest, attributes: Attributes): void {
  const { elapsedMs, ttftMs, inputTokens, outputTokens, outputTokensEstimated, status, errorType } = ended;
  const tell = (histogram: Histogram, value: number, labels: Attributes): void => guarded(PLACE, () => histogram.record(value, labels), undefined);
  tell(duration, elapsedMs / 1000, status === 'success' ? attributes : { ...attributes, [ATTRIBUTES.errorType]: errorType });
  if (inputTokens !== undefined) tell(tokens, inputTokens, { ...attributes, [ATTRIBUTES.tokenType]: 'input' });
  if (outputTokens !== undefined && outputTokensEstimated !== true) tell(tokens, outputTokens, { ...attributes, [ATTRIBUTES.tokenType]: 'output' });
  if (status !== 'success' || ttftMs === undefined) return;
  tell(firstToken, ttftMs / 1000, attributes);
  if (outputTokens !== undefined && outputTokens > 1) tell(perToken, (elapsedMs - ttftMs) / (outputTokens - 1) / 1000, attributes);
}
