const MAX_U64 = 0xffff_ffff_ffff_ffffn;
const MIN_I64 = -0x8000_0000_0000_0000n;

/** Whether `value` is a BigInt that fits u64. */
export function isU64(value: unknown): value is bigint {
  return typeof value === 'bigint' && value >= 0n && value <= MAX_U64;
}

/** Whether `value` fits u64 or i64: the widest integers of the protocol. */
export function fitsWire(value: bigint): boolean {
  return value >= MIN_I64 && value <= MAX_U64;
}

/** @throws RangeError when `value` fits neither u64 nor i64. */
export function checkWire(value: bigint): bigint {
  if (!fitsWire(value)) throw new RangeError('a BigInt fits neither u64 nor i64');
  return value;
}
