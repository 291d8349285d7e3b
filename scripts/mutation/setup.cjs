'use strict';
/* global jest */
// In every test file: properties run with one seed and few runs.
jest.mock('fast-check', () => {
  const { default: fc } = jest.requireActual('fast-check');
  const assert = (property, parameters) => fc.assert(property, { ...parameters, seed: 1, numRuns: Math.min(parameters?.numRuns ?? 100, 50) });
  return { __esModule: true, default: { ...fc, assert } };
});
