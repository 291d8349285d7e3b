'use strict';
// The build is CommonJS. Each public entry gets an ES module beside it that re-exports the same objects, so a process
// holds one copy of the code however it is loaded.
const fs = require('node:fs');
const path = require('node:path');

process.env.OTEL_EXPORT_ENABLED = '0'; // loading `otel/register` starts telemetry
const root = path.join(__dirname, '..');
const { exports: entries } = require('../package.json');

for (const [subpath, entry] of Object.entries(entries)) {
  if (typeof entry === 'string') continue;
  const commonjs = path.join(root, entry.require.default);
  const wrapper = path.join(root, entry.import.default);
  const source = `./${path.basename(commonjs)}`;
  const names = Object.keys(require(commonjs));
  const lines = names.length > 0 ? [`import cjs from '${source}';`] : [`import '${source}';`];
  for (const name of names) lines.push(`export const ${name} = cjs.${name};`);
  fs.writeFileSync(wrapper, `${lines.join('\n')}\n`);
  fs.writeFileSync(path.join(root, entry.import.types), `export * from '${source}';\n`);
  console.log(`${subpath}: ${names.length} exports`);
}
