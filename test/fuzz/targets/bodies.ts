import { isUtf8 } from 'node:buffer';
import { isDeepStrictEqual } from 'node:util';
import { DIALECTS, type Dialect, type DialectName } from '../../../src/middleware/dialects/index.js';
import { FormScanner, formBoundary } from '../../../src/middleware/form-scanner.js';
import { ResponseObserver } from '../../../src/middleware/observation/index.js';
import { readBody } from '../../../src/middleware/request-body.js';
import { ALL_CASES, type Case } from '../../middleware/dialects/cases.js';
import { timeless } from '../../middleware/observation/observe.js';
import { mutateBytes, mutatedJson, mutateJson, mutateList } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

/** Most bytes that an observer may hold: a unary body, and a line beside it. */
const MAX_HELD = 1024 * 1024 + 2 * 64 * 1024;
/** Longer bodies are not read as text, too. */
const MAX_TEXT = 16 * 1024;
const TYPES = ['text/event-stream', 'application/x-ndjson', 'application/json', 'text/plain', ''] as const;
const DIALECT_NAMES = Object.keys(DIALECTS) as DialectName[];

/** The first three bytes of an input choose dialect, content type and status. */
const HEAD = 3;

interface Head {
  readonly dialect: DialectName;
  readonly type: (typeof TYPES)[number];
  readonly failed: boolean;
}

function headOf([dialect = 0, type = 0, failed = 0]: Uint8Array): Head {
  return { dialect: DIALECT_NAMES[dialect % DIALECT_NAMES.length] ?? 'generic', type: TYPES[type % TYPES.length] ?? '', failed: failed % 2 === 1 };
}

function observerOf({ dialect, type, failed }: Head): ResponseObserver {
  const observer = new ResponseObserver(DIALECTS[dialect]);
  observer.head(failed ? 400 : 200, type === '' ? undefined : type, undefined);
  return observer;
}

function observed(observer: ResponseObserver, pieces: readonly (Buffer | string)[]): unknown {
  pieces.forEach((piece, index) => {
    observer.chunk(piece, undefined, index);
    if (observer.held > MAX_HELD) throw new Error(`${observer.held} bytes are held`);
  });
  observer.end(pieces.length);
  if (observer.held !== 0) throw new Error(`${observer.held} bytes are held after the end`);
  return timeless(observer.facts());
}

/** The head apart from the body, wherever the input is cut. */
function headAndBody(pieces: readonly Buffer[]): [Head, Buffer[]] {
  let left = HEAD;
  const body = pieces.map((piece) => {
    const rest = piece.subarray(Math.min(left, piece.length));
    left -= piece.length - rest.length;
    return rest;
  });
  return [headOf(Buffer.concat(pieces)), body];
}

/** As a rule the head that the case has. */
function withHead(random: Random, one: Case, body: Buffer): Buffer {
  const type = TYPES.findIndex((known) => known !== '' && one.contentType.startsWith(known));
  const head = [DIALECT_NAMES.indexOf(one.dialect), type === -1 ? TYPES.indexOf('') : type, 0].map((value) => (random.once(12) ? random.below(256) : value));
  return Buffer.concat([Buffer.from(head), body]);
}

const STREAMS = ALL_CASES.filter(({ contentType }) => contentType.startsWith('text/event-stream'));
const UNARIES = ALL_CASES.filter(({ contentType }) => contentType.startsWith('application/json'));
const WORDS = ['data:', 'event: error', '\r', '\n', '\r\n', '\n\n', ': x', '\xef\xbb\xbf', '"usage":', '"usage":{', '"usage":null', '"finish_reason":"stop"', '"', '\\', '{', '}', '[', ']', ' ', '\xc3', 'null', '[DONE]'];

/** A stream with events and lines left out, repeated and moved, other line ends, and changes in the JSON of an event. */
function stream(random: Random): Buffer {
  const one = random.pick(STREAMS);
  let lines = one.body.split('\n');
  for (let changes = random.below(4); changes > 0; changes -= 1) lines = mutateList(random, lines);
  const at = random.below(lines.length);
  const line = lines[at] ?? '';
  if (line.startsWith('data: {')) lines[at] = `data: ${mutatedJson(random, JSON.parse(line.slice(6))).toString('utf8')}`;
  const body = Buffer.from(lines.join(random.pick(['\n', '\n', '\r\n', '\r'])));
  return withHead(random, one, random.once(3) ? mutateBytes(random, body, WORDS) : body);
}

function unary(random: Random): Buffer {
  const one = random.pick(UNARIES);
  return withHead(random, one, mutatedJson(random, JSON.parse(one.body)));
}

/** Lines of JSON under a type that says so, or under none. */
function lines(random: Random): Buffer {
  const one = random.pick(STREAMS);
  const events = one.body.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)) as unknown);
  const changed = mutateList(random, events.map((event) => (random.once(4) ? mutateJson(random, event) : event)));
  const body = Buffer.from(changed.map((event) => `${mutatedJson(random, event).toString('utf8')}${random.pick(['\n', '\n', '\r\n', '\n\n', '\n \n'])}`).join(''));
  return withHead(random, { ...one, contentType: random.pick(['application/x-ndjson', '']) }, random.once(3) ? mutateBytes(random, body, WORDS) : body);
}

/** Facts, the same for text as for its bytes. Of a plain text nothing can be told but the number of its pieces. */
const observer = (make: (random: Random) => Buffer): Target => ({
  streamed: true,
  repeats: ['[1,', '{"a":', '"usage":{', '"usage":null,', '"usage":{},', '"finish_reason":"', '"content":', '\\"', '"', 'data: x\r', 'data: x\n', '\r', '\n', ' ', '{"a":1}\n'],
  make,
  read: (pieces) => {
    const [head, body] = headAndBody(pieces);
    const facts = observed(observerOf(head), body);
    const whole = Buffer.concat(body);
    const dialect: Dialect = DIALECTS[head.dialect];
    if (dialect.text === true && head.type === 'text/plain') return undefined;
    if (pieces.length === 1 && whole.length < MAX_TEXT && isUtf8(whole) && !isDeepStrictEqual(observed(observerOf(head), [whole.toString('utf8')]), facts)) throw new Error('as text it is read as something else');
    return facts;
  },
});

export const eventStream = observer(stream);
export const unaryBody = observer(unary);
export const jsonLines = observer(lines);

export const requestBody: Target = {
  make: (random) => mutatedJson(random, { model: 'm', messages: [{ role: 'user', content: 'x"\\' }], stream: true, model2: { value: 'm' } }),
  read: (pieces) => {
    const bytes = Buffer.concat(pieces);
    const facts = readBody(bytes);
    if ((facts?.model?.length ?? 0) > 256) throw new Error('the model has no bound');
    if (isUtf8(bytes) && !isDeepStrictEqual(readBody(bytes.toString('utf8')), facts)) throw new Error('as text it is read as something else');
    return facts;
  },
};

const PART = '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n';
const PARTS = [PART, PART.replace('model"', 'stream"'), PART.replace('model"', 'file"; filename="a"\r\nContent-Type: audio/wav'), '--b--\r\n', PART.replace('"model"', 'model'), PART.replace('\r\n\r\nm', `\r\n\r\n${'m'.repeat(300)}`)];

/** A form of the boundary `b`. */
export const form: Target = {
  streamed: true,
  repeats: ['\r\n--b', '\r\n', '\r\n\r\n', PART.slice(0, -1), `\r\n${PART}`],
  make: (random) => mutateBytes(random, Buffer.from(mutateList(random, Array.from({ length: 1 + random.below(5) }, () => random.pick(PARTS))).join(''), 'latin1'), ['\r\n', '\r\n--b', '--b', '\r\n\r\n', '"', ';', 'filename=', 'name="model"', '\r']),
  read: (pieces) => {
    const scanner = new FormScanner('b', ['model', 'stream']);
    for (const piece of pieces) scanner.push(piece);
    for (const value of scanner.fields.values()) if (value.length > 256) throw new Error('a value has no bound');
    return [...scanner.fields].sort();
  },
};

export const contentType: Target = {
  repeats: [';boundary=', ';boundary="', '; ', ' '],
  make: (random) => mutateBytes(random, Buffer.from('multipart/form-data; charset=utf-8; boundary="a b;c"'), [';', '"', ' ', 'boundary=', ';boundary="']),
  read: (pieces) => {
    const boundary = formBoundary(Buffer.concat(pieces).toString('latin1'));
    if ((boundary?.length ?? 1) > 70 || boundary === '') throw new Error('the boundary has no bound');
    return boundary;
  },
};
