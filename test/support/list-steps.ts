const SEARCHES = ['find', 'findIndex', 'findLast', 'filter', 'map', 'some', 'every', 'forEach', 'includes', 'indexOf', 'lastIndexOf', 'splice'] as const;
const ITERATORS: readonly { next(): unknown }[] = [[], new Set(), new Map()].map((list) => Object.getPrototypeOf(list[Symbol.iterator]()) as { next(): unknown });

/** Elements of lists, sets and maps that were gone through while `work` ran: a loop counts its steps, a search counts the whole list. */
export async function listSteps(work: () => Promise<unknown>): Promise<number> {
  let steps = 0;
  const undo: (() => void)[] = [];
  const count = (of: object, name: string, stepsOf: (self: unknown) => number): void => {
    const original = Reflect.get(of, name) as (this: unknown, ...args: unknown[]) => unknown;
    const { [name]: before } = Object.getOwnPropertyDescriptors(of) as Record<string, PropertyDescriptor>;
    Object.defineProperty(of, name, { ...before, value(this: unknown, ...args: unknown[]) { steps += stepsOf(this); return original.apply(this, args); } });
    undo.push(() => Object.defineProperty(of, name, before!));
  };
  for (const name of SEARCHES) count(Array.prototype, name, (list) => (list as unknown[]).length);
  for (const iterator of ITERATORS) count(iterator, 'next', () => 1);
  try {
    await work();
  } finally {
    for (const restore of undo) restore();
  }
  return steps;
}
