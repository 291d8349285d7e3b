import { errorFact } from '../errors/index.js';
import { isError, type LogFields } from './entry.js';

const MAX_TEXT = 1024;
const MAX_FRAMES = 20;
/** Characters of a message that are searched for in its stack, and places at which the whole of it may stand: a name may repeat its beginning. */
const MAX_SEARCHED = 64;
const MAX_TRIES = 8;
const MAX_CAUSES = 4;
const FRAME = /^\s+at .*(?::\d+:\d+\)?|\(native\)|<anonymous>\)?)$/;

/**
 * What a log line may say of an error: its name, its code (its own, else that of its causes) and the frames of its stack. The
 * message is left out unless `withMessage` is set: it may repeat a prompt (a JSON parser quotes the text that it refuses).
 * Never throws, whatever was thrown.
 */
export function errorFields(error: unknown, withMessage = false): LogFields {
  try {
    const message = errorFact(error, 'message');
    return {
      error_name: nameOf(error),
      error_code: codeOf(error),
      error_stack: framesOf(errorFact(error, 'stack'), message),
      error_message: withMessage ? bounded(typeof message === 'string' ? message : isError(error) ? undefined : String(error)) : undefined,
    };
  } catch {
    return { error_name: 'unreadable' };
  }
}

function nameOf(error: unknown): string {
  const name = errorFact(error, 'name');
  if (typeof name === 'string' && name !== '') return bounded(name) as string;
  return isError(error) ? 'Error' : typeof error; // code of others can throw anything
}

function codeOf(error: unknown): string | number | undefined {
  let cause = error;
  for (let i = 0; i < MAX_CAUSES; i += 1, cause = errorFact(cause, 'cause')) {
    const code = errorFact(cause, 'code');
    if (typeof code === 'number') return code;
    if (typeof code === 'string' && code !== '') return bounded(code);
  }
  return undefined;
}

/** The frames alone. A message can have lines that look like frames: everything up to its end is cut first. */
function framesOf(stack: unknown, message: unknown): string | undefined {
  if (typeof stack !== 'string') return undefined;
  const lines = stack.slice(typeof message === 'string' && message !== '' ? endOfMessage(stack, message) : 0).split('\n');
  let first = lines.length;
  while (first > 0 && FRAME.test(lines[first - 1] as string)) first -= 1;
  const frames = lines.slice(first, first + MAX_FRAMES).map((line) => line.trim().slice(0, MAX_TEXT));
  return frames.length === 0 ? undefined : frames.join('\n');
}

/** Where the message ends in the stack; 0 when it is not there. Only its beginning is searched for: to search for a long text can take as long as the product of both lengths. */
function endOfMessage(stack: string, message: string): number {
  const beginning = message.slice(0, MAX_SEARCHED);
  for (let at = stack.indexOf(beginning), tries = 1; at !== -1 && tries <= MAX_TRIES; at = stack.indexOf(beginning, at + 1), tries += 1) {
    if (stack.startsWith(message, at)) return at + message.length;
  }
  return 0;
}

function bounded(text: string | undefined): string | undefined {
  return text?.slice(0, MAX_TEXT);
}
