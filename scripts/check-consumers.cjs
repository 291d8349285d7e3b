'use strict';
// Packs the package, installs the tarball as a user would, and loads every entry from CommonJS, ES modules, TypeScript under
// each module resolution, and jest.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const esbuild = require('esbuild');

const root = path.join(__dirname, '..');
const pkg = require('../package.json');
const entries = Object.entries(pkg.exports).filter(([, target]) => typeof target !== 'string').map(([subpath]) => subpath.replace(/^\./, pkg.name));
const plain = entries.filter((entry) => !/\/(jest|register)$/.test(entry)); // those two do their work when they are loaded
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'dynamo-tracing-consumer-'));
const run = (command, args, cwd = dir) => execFileSync(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
const write = (name, text) => fs.writeFileSync(path.join(dir, name), text);
const version = (name) => pkg.devDependencies[name];

function check(name, fn) {
  fn();
  console.log(`consumer ${name}: ok`);
}

try {
  const [{ filename }] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', dir], root));
  write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'commonjs' }));
  check('nothing comes with it but its peer', () => {
    run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--omit=optional', `./${filename}`]);
    const installed = fs.readdirSync(path.join(dir, 'node_modules')).filter((name) => !name.startsWith('.')).sort();
    if (installed.join() !== ['@opentelemetry', pkg.name].join()) throw new Error(`installed: ${installed.join(', ')}`);
    run('node', ['-e', `for (const entry of ['', '/transport', '/harness']) require('${pkg.name}' + entry)`]);
  });
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', `./${filename}`, ...['@opentelemetry/api', 'express', 'fastify', 'typescript', '@types/node', 'jest', 'expect', '@jest/globals', 'prom-client'].map((name) => `${name}@${version(name)}`)]);

  check('CommonJS', () => {
    write('use.cjs', `${plain.map((entry) => `if (Object.keys(require('${entry}')).length === 0) throw new Error('${entry} is empty');`).join('\n')}
      if (typeof require('${pkg.name}').dynamoTracing() !== 'function') throw new Error('no middleware');`);
    run('node', ['use.cjs']);
  });
  check('ES modules, one copy with CommonJS', () => {
    write('use.mjs', `import { createRequire } from 'node:module'; import { dynamoTracing, DynamoTracingError } from '${pkg.name}';
      ${plain.map((entry, i) => `import * as m${i} from '${entry}'; if (Object.keys(m${i}).length === 0) throw new Error('${entry} is empty');`).join('\n')}
      dynamoTracing(); if (createRequire(import.meta.url)('${pkg.name}').DynamoTracingError !== DynamoTracingError) throw new Error('two copies');`);
    run('node', ['use.mjs']);
  });
  check('a directory that has been removed', () => {
    const gone = fs.mkdtempSync(path.join(dir, 'gone-'));
    run('sh', ['-c', `rmdir "${gone}" && exec node "${path.join(dir, 'use.cjs')}"`], gone);
  });
  check('bundled by esbuild, CommonJS and ES modules', () => {
    // Bundled, packages cannot be found at run time: they are handed in.
    write('app.mjs', `import * as prom from 'prom-client'; import { dynamoTracing } from '${pkg.name}'; import { createMetrics } from '${pkg.name}/metrics'; import { RequestPlaneServer } from '${pkg.name}/transport';
      const { registry } = createMetrics({ client: prom.default ?? prom });
      void registry.metrics().then((text) => { if (!text.includes('requests_total') || typeof dynamoTracing({ logger: false }) !== 'function' || !RequestPlaneServer) throw new Error('not whole'); console.log('ok'); });`);
    const bundles = fs.mkdtempSync(path.join(os.tmpdir(), 'dynamo-tracing-bundle-')); // without node_modules around it
    try {
      for (const [format, name, banner] of [['cjs', 'app.cjs', ''], ['esm', 'app.mjs', "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"]]) {
        const out = path.join(bundles, name);
        esbuild.buildSync({ entryPoints: [path.join(dir, 'app.mjs')], bundle: true, platform: 'node', format, outfile: out, banner: { js: banner }, logLevel: 'error' });
        if (run('node', [out], bundles) !== 'ok\n') throw new Error(`${name} says nothing`);
      }
    } finally {
      fs.rmSync(bundles, { recursive: true, force: true });
    }
  });
  check('TypeScript node16, nodenext, bundler', () => {
    const source = `${plain.map((entry, i) => `import * as m${i} from '${entry}'; void m${i};`).join('\n')}
      import '${pkg.name}/otel/register';
      import { dynamoTracing, type RequestTrace } from '${pkg.name}';
      const middleware = dynamoTracing({ lifecycleLevel: 'debug' }); void middleware;
      export function id(trace: RequestTrace): string { return trace.requestId; }
      // @ts-expect-error an option that does not exist
      dynamoTracing({ nonsense: true });`;
    write('use-types.ts', source);
    write('use-types.mts', source);
    for (const [module, resolution] of [['node16', 'node16'], ['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
      run('npx', ['-y', 'tsc', '--strict', '--noEmit', '--skipLibCheck', '--types', 'node', '--target', 'es2022', '--module', module, '--moduleResolution', resolution, 'use-types.ts', 'use-types.mts']);
    }
  });
  check('jest', () => {
    write('use.test.js', `require('${pkg.name}/jest'); const { dynamoTracing } = require('${pkg.name}');
      test('loads', () => { expect(typeof dynamoTracing()).toBe('function'); expect(typeof expect({}).toEchoRequestId).toBe('function'); });`);
    run('npx', ['-y', 'jest', '--silent', '--rootDir', dir, '--ci']);
  });
} finally {
  fs.rmSync(dir, { recursive: true, force: true });
}
