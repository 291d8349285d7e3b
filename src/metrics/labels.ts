import { isAsyncFunction } from 'node:util/types';
import { decided, invalidOption, type OptionReader } from '../internal/index.js';
import type { Labels } from './prom-client.js';

/** A model that no request has told, or that nobody serves as far as is known. */
export const UNKNOWN_MODEL = 'unknown_model';
/** Stands for every value beyond a bound. */
export const OTHER = 'other';
/** Characters of a label's value; a longer one is `other`. */
const MAX_VALUE_LENGTH = 256;

/** Values that may be labels: the first `max` that were admitted. Each is a time series for as long as the process lives. */
class Admitted {
  readonly #values = new Set<string>();

  constructor(private readonly max: number, private readonly maxLength = MAX_VALUE_LENGTH) {}

  has(value: string): boolean {
    return this.#values.has(value);
  }

  /** The label of a value that is known to be real. */
  admit(value: string): string {
    if (this.#values.has(value)) return value;
    if (this.#values.size >= this.max || value.length > this.maxLength) return OTHER;
    this.#values.add(value);
    return value;
  }
}

export type IsServed = (model: string) => boolean | undefined;

/**
 * Labels of models. A client may ask for any name, so a name is a label only when it is known to be real: `isServed` says so, or a
 * request for it was answered with success. Until then it is `unknown_model`; beyond the bound it is `other`.
 */
export class ModelLabels {
  readonly #known: Admitted;
  readonly #responses: Admitted;

  constructor(private readonly owner: string, private readonly isServed: IsServed | undefined, max: number) {
    this.#known = new Admitted(max);
    this.#responses = new Admitted(max);
  }

  /** Undefined: it is not known yet whether there is such a model. */
  of(model: string): string | undefined {
    if (model === UNKNOWN_MODEL) return UNKNOWN_MODEL;
    const served = this.isServed === undefined ? undefined : decided(`${this.owner}.isServed`, () => this.isServed?.(model), false);
    if (served === true) return this.#known.admit(model);
    if (served !== undefined) return UNKNOWN_MODEL;
    return this.#known.has(model) ? model : undefined;
  }

  /** The label of a model that a request was for which has ended. */
  ofEnded(model: string, isSuccess: boolean): string {
    return this.of(model) ?? (isSuccess ? this.#known.admit(model) : UNKNOWN_MODEL);
  }

  /** The label of the model that a response named; undefined where it is not to be one. */
  ofResponse(model: string | undefined, isSuccess: boolean): string | undefined {
    if (model === undefined) return undefined;
    if (isSuccess) this.#responses.admit(model);
    return this.#responses.has(model) ? model : undefined;
  }
}

/** Routes of system requests. */
export class RouteLabels {
  readonly #routes = new Admitted(100);

  of(route: string | undefined): string {
    return route === undefined ? OTHER : this.#routes.admit(route);
  }
}

/** A label of the application: one value for all requests, or what a function returns for each one that has ended. */
export type LabelSource<Ended> = string | ((ended: Ended) => string | number | boolean | undefined);
/** How the value of each label of the application is found. */
export type LabelSources<Ended> = Readonly<Record<string, LabelSource<Ended>>>;

const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
const MAX_LABELS = 8;

/** Reads labels of the application: names that Prometheus takes and that no label here has. */
export function labelsOption<Ended>(taken: readonly string[], { constant = false } = {}): OptionReader<LabelSources<Ended>> {
  const reserved = new Set([...taken, 'le', 'quantile']);
  return (value, path) => {
    if (value === undefined) return {};
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidOption(path, 'an object', value);
    const entries = Object.entries(value);
    if (entries.length > MAX_LABELS) throw invalidOption(path, `at most ${MAX_LABELS} labels`, entries.length);
    for (const [name, source] of entries) {
      if (!LABEL_NAME.test(name) || reserved.has(name)) throw invalidOption(`${path}.${name}`, 'the name of a label (letters, digits and _) that is none of the metrics\' own', name);
      const fits = (typeof source === 'string' && source.length <= MAX_VALUE_LENGTH) || (!constant && typeof source === 'function' && !isAsyncFunction(source));
      if (!fits) throw invalidOption(`${path}.${name}`, `text of at most ${MAX_VALUE_LENGTH} characters${constant ? '' : ' or a function that answers at once'}`, source);
    }
    return value as LabelSources<Ended>;
  };
}

/** Values of the application's labels. Sets of values are bounded: a new one is taken only from a request that succeeded. */
export class OwnLabels<Ended> {
  readonly names: readonly string[];
  /** The labels with one value for all. */
  readonly constants: Labels;
  readonly #functions: readonly (readonly [string, (ended: Ended) => unknown])[];
  readonly #sets: Admitted;

  constructor(private readonly owner: string, sources: LabelSources<Ended>, max: number) {
    this.names = Object.keys(sources);
    const entries = Object.entries(sources);
    this.constants = Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
    this.#functions = entries.filter((entry): entry is [string, (ended: Ended) => string] => typeof entry[1] === 'function');
    this.#sets = new Admitted(max, Infinity);
  }

  of(ended: Ended, isSuccess: boolean): Labels {
    if (this.#functions.length === 0) return this.constants;
    const values = this.#functions.map(([name, source]) => textOf(decided(`${this.owner}.labels.${name}`, () => source(ended), undefined)));
    const set = JSON.stringify(values);
    const isKnown = this.#sets.has(set) || (isSuccess && this.#sets.admit(set) === set);
    return { ...this.constants, ...Object.fromEntries(this.#functions.map(([name], i) => [name, isKnown ? (values[i] as string) : OTHER])) };
  }
}

function textOf(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return '';
  const text = String(value);
  return text.length > MAX_VALUE_LENGTH ? OTHER : text;
}
