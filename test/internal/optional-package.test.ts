import { expect, test } from '@jest/globals';
import { findPackage, needPackage } from '../../src/internal/index.js';

test('an optional package is found by the first name that is installed', () => {
  expect(findPackage(['no-such-package-here', 'prom-client'])).toHaveProperty('Registry');
  expect(findPackage(['no-such-package-here'])).toBeUndefined();
});

test('a package that is needed and missing is an error that says what to install', () => {
  expect(() => needPackage('no-such-package-here', 'This test')).toThrow(expect.objectContaining({ code: 'ERR_DEPENDENCY_MISSING', package: 'no-such-package-here', message: 'This test needs no-such-package-here: npm install no-such-package-here' }));
});

test('a package is found where the process runs when this package does not see it', () => {
  expect(findPackage(['prom-client'], ['/nowhere/package.json', `${process.cwd()}/package.json`])).toHaveProperty('Registry');
});
