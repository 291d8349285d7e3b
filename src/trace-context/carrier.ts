import { isMap } from 'node:util/types';

/** Read side of a carrier. Names are lower case; several values of one header come as an array. */
export interface CarrierReader {
  get(name: string): string | readonly string[] | undefined;
  keys(): Iterable<string>;
}

/** One accessor for everything that carries headers: Node's header objects, Fetch `Headers`, Maps, NATS headers, plain objects. */
export interface Carrier extends CarrierReader {
  /** Replaces every value that the carrier holds under this name, whatever its case. */
  set(name: string, value: string): void;
  /** Removes every value that the carrier holds under this name, whatever its case. */
  delete(name: string): void;
}

/** A plain record of headers: Node's `IncomingHttpHeaders`, undici's, or one of your own. */
export type HeaderRecord = Record<string, string | readonly string[] | number | undefined>;

/** What NATS clients call `MsgHdrs`, as far as it is used here. */
export interface NatsHeaders {
  get(key: string): string;
  values(key: string): string[];
  set(key: string, value: string): void;
  delete(key: string): void;
  keys(): string[];
  has(key: string): boolean;
}

/** Fetch `Headers`, as far as it is used here; a {@link Carrier} is one too. */
export interface FetchHeaders {
  get(name: string): string | readonly string[] | null | undefined;
  set(name: string, value: string): void;
  delete(name: string): void;
  keys(): Iterable<string>;
}

/** What trace headers are read from and written to: an object of headers, a Map, the Headers of fetch or those of NATS. */
export type CarrierTarget = HeaderRecord | Map<string, string> | FetchHeaders | NatsHeaders;

/** The accessor for `target`, chosen by its shape. */
export function carrierOf(target: CarrierTarget): Carrier {
  if (isMap(target)) return mapCarrier(target); // not instanceof: jest and vm have Maps of their own
  if (isFunction(target, 'get') && isFunction(target, 'set')) {
    return isFunction(target, 'values') && isFunction(target, 'last') ? natsCarrier(target as NatsHeaders) : fetchCarrier(target as FetchHeaders);
  }
  return recordCarrier(target as HeaderRecord);
}

function isFunction(target: object, name: string): boolean {
  return typeof (target as Record<string, unknown>)[name] === 'function';
}

function mapCarrier(map: Map<string, string>): Carrier {
  return {
    get: (name) => map.get(name) ?? map.get(sameName(map.keys(), name) ?? name),
    set: (name, value) => {
      for (const key of otherSpellings(map.keys(), name)) map.delete(key);
      map.set(name, value);
    },
    delete: (name) => {
      for (const key of spellings(map.keys(), name)) map.delete(key);
    },
    keys: () => map.keys(),
  };
}

function fetchCarrier(headers: FetchHeaders): Carrier {
  return {
    get: (name) => headers.get(name) ?? undefined,
    set: (name, value) => headers.set(name, value),
    delete: (name) => headers.delete(name),
    keys: () => headers.keys(),
  };
}

function natsCarrier(headers: NatsHeaders): Carrier {
  return {
    get: (name) => {
      const values = headers.values(headers.has(name) ? name : (sameName(headers.keys(), name) ?? name));
      return values.length > 1 ? values : values[0];
    },
    set: (name, value) => {
      // NATS names mind case, and Dynamo's are lower case.
      for (const key of otherSpellings(headers.keys(), name)) headers.delete(key);
      headers.set(name, value);
    },
    delete: (name) => {
      for (const key of spellings(headers.keys(), name)) headers.delete(key);
    },
    keys: () => headers.keys(),
  };
}

function recordCarrier(record: HeaderRecord): Carrier {
  return {
    get: (name) => {
      // Node's own header objects are lower case; the search by case is for records that people write.
      const value = Object.hasOwn(record, name) ? record[name] : valueOfAnyCase(record, name);
      return typeof value === 'number' ? String(value) : value;
    },
    set: (name, value) => {
      for (const key of otherSpellings(Object.keys(record), name)) delete record[key];
      Object.defineProperty(record, name, { value, writable: true, enumerable: true, configurable: true });
    },
    delete: (name) => {
      for (const key of spellings(Object.keys(record), name)) delete record[key];
    },
    keys: () => Object.keys(record),
  };
}

function valueOfAnyCase(record: HeaderRecord, name: string): HeaderRecord[string] {
  const key = sameName(Object.keys(record), name);
  return key === undefined ? undefined : record[key];
}

function sameName(keys: Iterable<string>, lowerCaseName: string): string | undefined {
  for (const key of keys) if (key.length === lowerCaseName.length && key.toLowerCase() === lowerCaseName) return key;
  return undefined;
}

function spellings(keys: Iterable<string>, lowerCaseName: string): string[] {
  return [...keys].filter((key) => key.toLowerCase() === lowerCaseName);
}

function otherSpellings(keys: Iterable<string>, lowerCaseName: string): string[] {
  return spellings(keys, lowerCaseName).filter((key) => key !== lowerCaseName);
}
