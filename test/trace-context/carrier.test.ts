import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { runInNewContext } from 'node:vm';
import { headers as natsHeaders } from '@nats-io/transport-node';
import { describe, expect, it } from '@jest/globals';
import { carrierOf, type Carrier, type CarrierTarget } from '../../src/trace-context/index.js';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

interface Kind {
  /** The names of `entries` keep their case in this carrier. */
  readonly keepsCase: boolean;
  make(entries: readonly (readonly [string, string])[]): CarrierTarget;
}

/** What Node's own parser makes of these header lines. */
function incoming(entries: readonly (readonly [string, string])[]): IncomingMessage {
  const message = new IncomingMessage(new Socket()) as IncomingMessage & { _addHeaderLines(lines: string[], count: number): void };
  const lines = entries.flat();
  message._addHeaderLines(lines, lines.length);
  return message;
}

const kinds: Record<string, Kind> = {
  'Node\'s header object': { keepsCase: false, make: (entries) => incoming(entries).headers },
  'a plain record': { keepsCase: true, make: (entries) => Object.fromEntries(entries) },
  'a record without a prototype': { keepsCase: true, make: (entries) => Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(entries)) },
  'a Map': { keepsCase: true, make: (entries) => new Map(entries) },
  'a Map of another realm': { keepsCase: true, make: (entries) => runInNewContext('new Map(entries)', { entries }) as Map<string, string> },
  'Fetch Headers': { keepsCase: false, make: (entries) => new Headers(entries.map(([name, value]) => [name, value] as [string, string])) },
  'NATS headers': {
    keepsCase: true,
    make: (entries) => {
      const headers = natsHeaders();
      for (const [name, value] of entries) headers.append(name, value);
      return headers;
    },
  },
};

describe.each(Object.entries(kinds))('the carrier of %s', (_kind, { keepsCase, make }) => {
  const carrier = (...entries: [string, string][]) => carrierOf(make(entries));
  const held = (of: Carrier) => Object.fromEntries([...of.keys()].map((name) => [name.toLowerCase(), of.get(name.toLowerCase())]));

  it('gets a header by its lower-case name', () => {
    expect(carrier(['traceparent', TRACE], ['x-other', '1']).get('traceparent')).toBe(TRACE);
  });

  it.each(['TraceParent', 'TRACEPARENT', 'tRaCePaReNt'])('gets a header written as %s', (name) => {
    expect(carrier(['x-other', '1'], [name, TRACE]).get('traceparent')).toBe(TRACE);
  });

  it('gives undefined for a header that is not there', () => {
    const of = carrier(['trace-parent', TRACE], ['traceparents', TRACE], ['x-of-length', TRACE]);
    expect(of.get('traceparent')).toBeUndefined();
  });

  it('gives undefined for names that every JavaScript object has', () => {
    for (const name of ['constructor', 'tostring', 'hasownproperty', '__proto__']) expect([name, carrier().get(name)]).toEqual([name, undefined]);
  });

  it('sets a header', () => {
    const of = carrier(['x-other', '1']);
    of.set('traceparent', TRACE);
    expect(held(of)).toEqual({ 'x-other': '1', traceparent: TRACE });
  });

  it('replaces the value that it holds', () => {
    const of = carrier(['traceparent', 'old'], ['x-other', '1']);
    of.set('traceparent', TRACE);
    expect(held(of)).toEqual({ traceparent: TRACE, 'x-other': '1' });
  });

  it('replaces every value written in another case, and writes the name in lower case', () => {
    const entries: [string, string][] = [['Traceparent', 'old'], ...(keepsCase ? [['TRACEPARENT', 'older'], ['traceparent', 'oldest']] as [string, string][] : [])];
    const of = carrier(...entries, ['X-Other', '1']);
    of.set('traceparent', TRACE);
    expect([...of.keys()].sort()).toEqual([keepsCase ? 'X-Other' : 'x-other', 'traceparent'].sort());
    expect(of.get('traceparent')).toBe(TRACE);
  });

  it('deletes every value of a name, in any case, and nothing else', () => {
    const entries: [string, string][] = [['Tracestate', 'a=1'], ...(keepsCase ? [['TRACESTATE', 'b=2'], ['tracestate', 'c=3']] as [string, string][] : [])];
    const of = carrier(...entries, ['tracestates', '1']);
    of.delete('tracestate');
    of.delete('not-there');
    expect(held(of)).toEqual({ tracestates: '1' });
  });

  it('sets again what it has set, deletes it, and sets it once more', () => {
    const of = carrier();
    for (const value of ['1', '2']) of.set('traceparent', value);
    expect(held(of)).toEqual({ traceparent: '2' });
    of.delete('traceparent');
    expect(held(of)).toEqual({});
    of.set('traceparent', TRACE);
    expect(held(of)).toEqual({ traceparent: TRACE });
  });

  it('lists its names', () => {
    expect([...carrier(['traceparent', TRACE], ['x-request-id', 'a']).keys()].sort()).toEqual(['traceparent', 'x-request-id']);
  });

  it('holds a header whose name is __proto__ without harm', () => {
    const of = carrier();
    of.set('__proto__', 'x');
    expect(of.get('__proto__')).toBe('x');
    expect([...of.keys()]).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

describe('several values under one name', () => {
  it('come as an array from Node\'s headersDistinct', () => {
    const of = carrierOf(incoming([['traceparent', 'a'], ['traceparent', 'b']]).headersDistinct);
    expect(of.get('traceparent')).toEqual(['a', 'b']);
  });

  it('come joined from Node\'s headers and from Fetch Headers', () => {
    expect(carrierOf(incoming([['tracestate', 'a=1'], ['TraceState', 'b=2']]).headers).get('tracestate')).toBe('a=1, b=2');
    expect(carrierOf(new Headers([['tracestate', 'a=1'], ['TraceState', 'b=2']])).get('tracestate')).toBe('a=1, b=2');
  });

  it('come as an array from a record', () => {
    expect(carrierOf({ TraceState: ['a=1', 'b=2'] }).get('tracestate')).toEqual(['a=1', 'b=2']);
  });

  it('come as an array from NATS headers', () => {
    const headers = natsHeaders();
    headers.append('tracestate', 'a=1');
    headers.append('tracestate', 'b=2');
    expect(carrierOf(headers).get('tracestate')).toEqual(['a=1', 'b=2']);
  });

  it('are all replaced by set', () => {
    const nats = natsHeaders();
    nats.append('tracestate', 'a=1');
    nats.append('tracestate', 'b=2');
    for (const target of [{ tracestate: ['a=1', 'b=2'] }, nats, new Headers([['tracestate', 'a=1'], ['tracestate', 'b=2']])] as CarrierTarget[]) {
      const of = carrierOf(target);
      of.set('tracestate', 'c=3');
      expect(of.get('tracestate')).toBe('c=3');
    }
  });
});

it.each<[string, CarrierTarget]>([['record', { traceparent: 'old', 'x-other': '1' }], ['Map', new Map([['traceparent', 'old'], ['x-other', '1']])]])('a header that is replaced keeps its place in a %s', (_kind, target) => {
  carrierOf(target).set('traceparent', TRACE);
  expect([...carrierOf(target).keys()]).toEqual(['traceparent', 'x-other']);
});

describe('a record', () => {
  it('may have one of the methods get and set: only both make it something else', () => {
    expect(carrierOf({ get: () => 'x', traceparent: TRACE } as unknown as CarrierTarget).get('traceparent')).toBe(TRACE);
    expect(carrierOf({ set: () => 'x', traceparent: TRACE } as unknown as CarrierTarget).get('traceparent')).toBe(TRACE);
  });

  it('does not take a header named undefined for one that is missing', () => {
    expect(carrierOf({ undefined: 'x' }).get('traceparent')).toBeUndefined();
  });

  it('gives a number as text', () => {
    expect(carrierOf({ 'x-request-id': 42 }).get('x-request-id')).toBe('42');
  });

  it('reads a __proto__ of its own and not its prototype', () => {
    const record = JSON.parse(`{"__proto__": {"traceparent": "${TRACE}"}}`) as Record<string, string>;
    expect(carrierOf(record).get('traceparent')).toBeUndefined();
    expect(carrierOf(Object.create({ traceparent: TRACE }) as Record<string, string>).get('traceparent')).toBeUndefined();
  });

  it('may have headers called get, set, values and last', () => {
    const of = carrierOf({ get: 'a', set: 'b', values: 'c', last: 'd', traceparent: TRACE });
    expect([of.get('get'), of.get('set'), of.get('traceparent')]).toEqual(['a', 'b', TRACE]);
  });
});

describe('NATS headers', () => {
  it('bring what was set over the wire', () => {
    const headers = natsHeaders();
    carrierOf(headers).set('traceparent', TRACE);
    expect(headers.get('traceparent')).toBe(TRACE);
    expect(new TextDecoder().decode((headers as unknown as { encode(): Uint8Array }).encode())).toContain(`\r\ntraceparent: ${TRACE}\r\n`);
  });
});
