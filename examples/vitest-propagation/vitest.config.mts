import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = fileURLToPath(new URL('../../src/', import.meta.url));

export default defineConfig({
  test: { root: import.meta.dirname, include: ['*.test.ts'] },
  // Here the package is its own source. Where it is installed there is nothing to configure.
  resolve: {
    alias: [
      { find: /^dynamo-tracing$/, replacement: `${source}index.ts` },
      { find: /^dynamo-tracing\/(\w+)$/, replacement: `${source}$1.ts` },
    ],
  },
});
