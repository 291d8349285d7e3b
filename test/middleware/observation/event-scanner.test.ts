import { describe, expect, test } from '@jest/globals';
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { EventScanner } from '../../../src/middleware/observation/event-scanner.js';

type Event = [name: string | undefined, data: string];

function scan(pieces: readonly string[]): Event[] {
  const events: Event[] = [];
  const scanner = new EventScanner({ event: (name, data, isBytes) => void events.push([name, isBytes ? Buffer.from(data, 'latin1').toString() : data]), longEvent: () => undefined });
  for (const piece of pieces) scanner.push(piece, false);
  return events;
}

function reference(text: string): Event[] {
  const events: Event[] = [];
  const parser = createParser({ onEvent: (event) => void events.push([event.event, event.data]) });
  parser.feed(text);
  return events;
}

const withData = (events: Event[]): Event[] => events.filter(([, data]) => data !== '');

const line = fc.oneof(
  fc.constantFrom('', '', ': comment', 'id: 7', 'retry: 10', 'data:', 'data: ', 'data:x', 'data:  two spaces', 'event: name', 'event:other', 'datax: 1', 'unknown', ' data: x'),
  fc.string({ maxLength: 8 }).map((text) => `data: ${text.replace(/[\r\n]/g, '')}`),
);

/** CR alone as the last character stays undecided for a parser: the text ends in lines of their own. */
const stream = fc.tuple(fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 20 })).map(([lines]) => `${lines.map(([text, end]) => text + end).join('')}\n\ndata: last\n\n`);

describe('events are those of eventsource-parser', () => {
  test('for any lines, line ends and cuts', () => {
    fc.assert(fc.property(stream, fc.array(fc.nat(200), { maxLength: 8 }), (text, cuts) => {
      const places = [0, ...cuts.map((cut) => cut % text.length).sort((a, b) => a - b), text.length];
      const pieces = places.slice(1).map((end, index) => text.slice(places[index], end));
      // An event without data is handed on here (an error may have none), not there.
      expect(withData(scan(pieces))).toEqual(withData(reference(text)));
      expect(scan(pieces)).toEqual(scan([text]));
    }), { numRuns: 2000 });
  });
});

test('an event with a name and no data is handed on', () => {
  expect(scan(['event: error\n\n'])).toEqual([['error', '']]);
});

test('comments and blank lines alone are no events', () => {
  expect(scan(['\n\n: ping\n\n\r\n\r\nid: 1\n\n'])).toEqual([]);
});
