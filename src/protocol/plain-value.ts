/** What JSON.stringify writes in the place of `value`, BigInts left as they are; undefined where it writes nothing. */
export function plainValue(value: unknown, key: string | number): unknown {
  const plain = typeof value === 'object' && value !== null ? plainObject(value, key) : value;
  return typeof plain === 'function' || typeof plain === 'symbol' ? undefined : plain;
}

function plainObject(value: object, key: string | number): unknown {
  const { toJSON } = value as { toJSON?: unknown };
  const plain: unknown = typeof toJSON === 'function' ? toJSON.call(value, String(key)) : value;
  return plain instanceof Number || plain instanceof String || plain instanceof Boolean ? plain.valueOf() : plain;
}
