import { expect } from '@jest/globals';
import { table } from '../../docs/table.js';

type Fields = Readonly<Record<string, unknown>>;

/** Whose a field of `request completed` is, as docs/dynamo.md says. */
type Says = 'equal' | 'differs' | 'ours' | "Dynamo's";

/** The table "Fields that agree" of docs/dynamo.md, held against records of running processes. */
export class FieldTable {
  readonly #says = new Map<string, Says>();
  readonly #compared = new Set<string>();

  constructor() {
    for (const [name = '', says] of table('dynamo.md', 'field', 'whose')) this.#says.set(name, says as Says);
  }

  /** Compares our record with Dynamo's, field by field. */
  compare(ours: Fields, theirs: Fields): void {
    const names = new Set([...present(ours), ...present(theirs)].filter((name) => !['file', 'line'].includes(name)));
    const wrong: string[] = [];
    for (const name of names) {
      const [mine, other] = [ours[name], theirs[name]];
      const says = this.#says.get(name);
      if (mine !== undefined && other !== undefined) this.#compared.add(name);
      const holds = says === 'equal' ? mine === undefined || other === undefined || text(mine) === text(other) : says === 'differs' || (says === 'ours' && other === undefined) || (says === "Dynamo's" && mine === undefined);
      if (!holds) wrong.push(`${name}: docs/dynamo.md says ${says ?? 'nothing'}; ours ${text(mine)}, Dynamo's ${text(other)}`);
    }
    expect(wrong).toEqual([]);
  }

  /** Fields that are called equal and of which no pair of records had both. */
  neverCompared(): string[] {
    return [...this.#says].filter(([name, says]) => says === 'equal' && !this.#compared.has(name)).map(([name]) => name);
  }
}

function present(fields: Fields): string[] {
  return Object.keys(fields).filter((name) => fields[name] !== undefined);
}

/** Dynamo writes numbers as text. */
function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}
