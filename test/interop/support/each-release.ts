import { describe } from '@jest/globals';
import { missing, RELEASES, type Release } from './releases.js';

/**
 * `tests` for each release. Where a release cannot be had they are skipped, never passed; so is everything when `unless`
 * names a reason.
 */
export function eachRelease(leg: string, tests: (release: Release) => void, unless?: string): void {
  describe(leg, () => {
    for (const release of RELEASES) {
      const reason = missing(release) ?? unless;
      if (reason !== undefined) process.stderr.write(`\n*** SKIPPED: ${leg}, ai-dynamo-runtime ${release}: ${reason} ***\n`);
      if (reason === undefined) describe(`ai-dynamo-runtime ${release}`, () => tests(release));
      else describe.skip(`ai-dynamo-runtime ${release} [SKIPPED: ${reason}]`, () => tests(release));
    }
  });
}
