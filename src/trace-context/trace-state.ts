import type { TraceState } from '@opentelemetry/api';
import { isTracestateMember, MAX_MEMBERS } from './tracestate.js';

/**
 * A `tracestate` as OpenTelemetry's interface that keeps its text: the API's own implementation drops what is longer than
 * 512 characters and keys that only level 2 allows. `text` has passed `parseTracestate`.
 */
export class TextTraceState implements TraceState {
  constructor(private readonly text: string) {}

  get(key: string): string | undefined {
    return this.members().find((member) => keyOf(member) === key)?.slice(key.length + 1);
  }

  /** The changed member goes to the front and the last of 33 is dropped, as the W3C asks. A member that breaks its rules changes nothing. */
  set(key: string, value: string): TraceState {
    if (!isTracestateMember(key, value)) return this;
    return new TextTraceState([`${key}=${value}`, ...this.without(key)].slice(0, MAX_MEMBERS).join(','));
  }

  unset(key: string): TraceState {
    return new TextTraceState(this.without(key).join(','));
  }

  serialize(): string {
    return this.text;
  }

  private members(): string[] {
    return this.text === '' ? [] : this.text.split(',');
  }

  private without(key: string): string[] {
    return this.members().filter((member) => keyOf(member) !== key);
  }
}

function keyOf(member: string): string {
  return member.slice(0, member.indexOf('='));
}
