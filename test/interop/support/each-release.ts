import { describe } from '@jest/globals';
import { missing, RELEASES, type Release } from './releases.js';

/**
 * `tests` for each release. Where a release cannot be had they are skipped, never passed; so is everything when `unless`
 * names a reason, for all releases or for one.
 */
export function eachRelease(leg: string, tests: (release: Release) => void, unless?: string | ((release: Release) => string | undefined)): void {
  describe(leg, () => {
    for (const release of RELEASES) {
      const reason = missing(release) ?? (typeof unless === 'function' ? unless(release) : unless);
      if (reason !== undefined) process.stderr.write(`\n*** SKIPPED: ${leg}, ai-dynamo-runtime ${release}: ${reason} ***\n`);
      if (reason === undefined) describe(`ai-dynamo-runtime ${release}`, () => tests(release));
      else describe.skip(`ai-dynamo-runtime ${release} [SKIPPED: ${reason}]`, () => tests(release));
    }
  });
}
