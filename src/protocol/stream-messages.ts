import { STREAM_TYPES, type StreamType } from './connection-info.js';
import { errorFromWire, errorToWire, type DynamoError } from './dynamo-error.js';
import { choiceField, invalidField, jsonObject, own, stringField } from './fields.js';
import { decodeJson, encodeJson } from './json.js';

/** First message on a call-home socket, from the worker: which stream it belongs to. */
export interface Handshake {
  readonly subject: string;
  readonly streamType: StreamType;
}

/** Writes a handshake: the header of a header-only frame. */
export function encodeHandshake(handshake: Handshake): Buffer {
  return encodeJson({ subject: handshake.subject, stream_type: handshake.streamType });
}

/**
 * Reads a handshake.
 * @throws ERR_MESSAGE_INVALID with `field`.
 */
export function decodeHandshake(bytes: Uint8Array): Handshake {
  const wire = jsonObject(bytes, 'handshake');
  return { subject: stringField(wire, 'subject'), streamType: choiceField(wire, 'stream_type', STREAM_TYPES) };
}

/** Second message of a response stream, from the worker: whether there will be a response. */
export interface Prologue {
  /** Why there will be none; absent when all is well. */
  readonly error?: string;
  /** The same as data; only newer workers send it. */
  readonly typedError?: DynamoError;
}

/** Writes a prologue: the header of a header-only frame. A typed error without text gives its message as text too. */
export function encodePrologue(prologue: Prologue = {}): Buffer {
  const { typedError } = prologue;
  const error = prologue.error ?? typedError?.message ?? null;
  return encodeJson(typedError === undefined ? { error } : { error, typed_error: errorToWire(typedError) });
}

/**
 * Reads a prologue. A typed error of unknown shape is still an error.
 * @throws ERR_MESSAGE_INVALID with `field`.
 */
export function decodePrologue(bytes: Uint8Array): Prologue {
  const wire = jsonObject(bytes, 'prologue');
  const typed = own(wire, 'typed_error');
  const typedError = typed === undefined ? undefined : errorFromWire(typed);
  const error = own(wire, 'error') === undefined ? typedError?.message : stringField(wire, 'error');
  return { ...(error === undefined ? {} : { error }), ...(typedError === undefined ? {} : { typedError }) };
}

/** Control frames. The worker may send only `sentinel` (no more frames), the frontend only `stop` and `kill`. */
const STREAM_CONTROLS = ['sentinel', 'stop', 'kill'] as const;
/** One of `sentinel`, `stop` and `kill`. */
export type StreamControl = (typeof STREAM_CONTROLS)[number];

/** Writes a control message: the header of a header-only frame. */
export function encodeStreamControl(control: StreamControl): Buffer {
  return encodeJson(control);
}

/**
 * Reads a control message.
 * @throws ERR_MESSAGE_INVALID for anything but sentinel, stop and kill.
 */
export function decodeStreamControl(bytes: Uint8Array): StreamControl {
  const value = decodeJson(bytes);
  const control = STREAM_CONTROLS.find((name) => name === value);
  if (control === undefined) throw invalidField('control frame', `is not one of ${STREAM_CONTROLS.join(', ')}`);
  return control;
}
