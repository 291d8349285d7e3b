/** One value for each process, whatever copies of the package are loaded. `name` changes with the shape of the value. */
export function processState<T>(name: string, make: () => T): T {
  const key = Symbol.for(`dynamo-tracing.harness.${name}`);
  return ((globalThis as Record<symbol, unknown>)[key] ??= make()) as T;
}
