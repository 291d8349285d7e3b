import { describe, expect, it } from '@jest/globals';
import { DIALECTS, type Dialect } from '../../src/middleware/dialects/index.js';
import { DEFAULT_ROUTES, RouteTable } from '../../src/middleware/routes.js';
import { table } from './table.js';

describe('docs/routes.md', () => {
  const rows = table('routes.md', 'method', 'path', 'kind', 'endpoint', 'dialect');

  it('shows every default route, in the order of the code, and no other', () => {
    expect(rows).toEqual(DEFAULT_ROUTES.map(({ method, path, kind, endpoint, dialect }) => [method ?? 'POST', path, kind, endpoint ?? 'unknown', dialect ?? 'generic']));
  });

  it.each(rows)('is right about %s %s: %s, %s, %s', (method, path, kind, endpoint, dialect) => {
    expect(new RouteTable().find(method, path.replaceAll(/\{\w+\}/g, 'x'))).toEqual({ kind, endpoint, dialect, route: path });
  });

  it('shows every dialect with the API whose errors it has, its operation and its provider', () => {
    const shown = Object.entries<Dialect>(DIALECTS).map(([name, { api, operation = 'by endpoint', provider }]) => [name, api, operation, provider]);
    expect(table('routes.md', 'dialect').map((row) => row.slice(0, 4))).toEqual(shown);
  });
});
