import { createRequire } from 'node:module';
import { join } from 'node:path';
import { DynamoTracingError, errorFact } from '../errors/index.js';

/**
 * Where an optional package is looked for: beside this one, then where the process runs, as package managers may keep them apart.
 * A bundle of ES modules has no `__filename`, and the directory that the process runs in may have been removed.
 */
function places(): string[] {
  const here = typeof __filename === 'string' ? [__filename] : [];
  try {
    return [...here, join(process.cwd(), 'package.json')];
  } catch {
    return here;
  }
}

/** The first of `names` that is installed; undefined when none is. One that is there and fails to load throws its own error. */
export function findPackage(names: readonly string[], among: readonly string[] = places()): unknown {
  for (const name of names) {
    for (const place of among) {
      try {
        return createRequire(place)(name) as unknown;
      } catch (error) {
        if (errorFact(error, 'code') !== 'MODULE_NOT_FOUND') throw error;
      }
    }
  }
  return undefined;
}

/**
 * An optional package, or a module of one (`@scope/name/module.js`), needed now.
 * @throws ERR_DEPENDENCY_MISSING with `package`, saying what needs it and what to install
 */
export function needPackage(module: string, neededBy: string, among: readonly string[] = places()): unknown {
  const found = findPackage([module], among);
  if (found !== undefined) return found;
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(module)?.[0] ?? module;
  throw new DynamoTracingError('ERR_DEPENDENCY_MISSING', `${neededBy} needs ${name}: npm install ${name}`, { package: name });
}
