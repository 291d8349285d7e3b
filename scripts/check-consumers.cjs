'use strict';
// Packs the package, installs the tarball as a user would, and loads every entry from CommonJS, ES modules, TypeScript under
// each module resolution, jest, bundles, worker threads, hardened intrinsics and Bun.
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
const run = (command, args, cwd = dir, env = {}) => execFileSync(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
const write = (name, text) => fs.writeFileSync(path.join(dir, name), text);
const version = (name) => pkg.devDependencies[name];
const BUN = '1.4.5';
/** Runs the program that sends itself requests. */
const request = (command, args, cwd, env) => {
  const said = run(command, args, cwd, env);
  if (said !== 'ok\n') throw new Error(`it says: ${said}`);
};

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
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', `./${filename}`, ...['@opentelemetry/api', 'express', 'fastify', 'koa', '@types/koa', 'hono', 'typescript', '@types/node', 'jest', 'expect', '@jest/globals', 'prom-client'].map((name) => `${name}@${version(name)}`)]);

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
  check('requests: as it is installed, in a worker thread, with frozen intrinsics and without __proto__', () => {
    fs.copyFileSync(path.join(__dirname, 'consumer-request.mjs'), path.join(dir, 'request.mjs'));
    write('thread.mjs', "import { once } from 'node:events'; import { Worker } from 'node:worker_threads'; const [code] = await once(new Worker(new URL('./request.mjs', import.meta.url)), 'exit'); process.exitCode = code;");
    request('node', ['request.mjs']);
    request('node', ['thread.mjs']);
    for (const flag of ['--frozen-intrinsics', '--disable-proto=delete', '--disable-proto=throw']) {
      request('node', ['--no-warnings', flag, 'request.mjs']);
      run('node', ['--no-warnings', flag, 'use.cjs']);
    }
  });
  check('requests: bundled by esbuild, CommonJS and ES modules, optional packages beside the bundle or missing', () => {
    const bundles = fs.mkdtempSync(path.join(os.tmpdir(), 'dynamo-tracing-bundle-'));
    try {
      const program = path.join(bundles, 'program.mjs');
      // CommonJS has no await at the top level.
      const text = fs.readFileSync(path.join(__dirname, 'consumer-request.mjs'), 'utf8');
      const body = text.split('\n').filter((line) => !line.startsWith('import ')).join('\n');
      fs.writeFileSync(program, `${text.split('\n').filter((line) => line.startsWith('import ')).join('\n')}\nvoid (async () => {\n${body}\n})();\n`);
      for (const [format, name, banner] of [['cjs', 'request.cjs', ''], ['esm', 'request.bundle.mjs', "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"]]) {
        const outfile = path.join(bundles, name);
        esbuild.buildSync({ entryPoints: [program], bundle: true, platform: 'node', format, outfile, nodePaths: [path.join(dir, 'node_modules')], banner: { js: banner }, logLevel: 'error' });
        request('node', [outfile], bundles, { PROM_CLIENT: 'missing' });
        request('node', [outfile], dir); // the process runs where packages are installed
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
    write('use-frameworks.mts', `import { createServer } from 'node:http'; import { Hono } from 'hono'; import Koa from 'koa';
      import { traceFetchHandler, traceRequests } from '${pkg.name}'; import { dynamoTracing as hono, dynamoTracingErrors as honoErrors } from '${pkg.name}/hono'; import { dynamoTracing as koa, dynamoTracingErrors as koaErrors } from '${pkg.name}/koa';
      class OwnRequest extends Request { readonly own = 1; }
      export const told: string[] = [];
      new Koa().use(koa()).use(koaErrors()).use((ctx) => { told.push(ctx.trace.requestId); });
      const app = new Hono(); app.use(hono({ ignore: (request) => request.headers.has('x') })); app.onError(honoErrors()); app.get('/', (c) => c.text(c.var.trace.requestId));
      createServer(traceRequests((req, res) => void res.end(req.trace.requestId), { route: (req) => req.url }));
      export const GET: (request: OwnRequest, context: { params: Promise<{ id: string }> }) => Promise<Response> = traceFetchHandler(async (request: OwnRequest, context: { params: Promise<{ id: string }> }) => Response.json({ own: request.own, ...await context.params }));
      export const POST = traceFetchHandler((request) => new Response(request.trace.requestId));
      // @ts-expect-error a handle has texts
      new Koa().use((ctx) => { const id: number = ctx.trace.requestId; void id; });
      // @ts-expect-error the same in Hono
      app.get('/', (c) => { const id: number = c.var.trace.requestId; return c.json({ id }); });`);
    for (const [module, resolution] of [['node16', 'node16'], ['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
      run('npx', ['-y', 'tsc', '--strict', '--noEmit', '--skipLibCheck', '--types', 'node', '--target', 'es2022', '--module', module, '--moduleResolution', resolution, 'use-types.ts', 'use-types.mts', 'use-frameworks.mts']);
    }
  });
  try {
    run('npm', ['install', '--no-audit', '--no-fund', `bun@${BUN}`]);
    check(`Bun ${BUN}`, () => request(path.join(dir, 'node_modules', '.bin', 'bun'), ['request.mjs']));
  } catch (error) {
    if (fs.existsSync(path.join(dir, 'node_modules', '.bin', 'bun'))) throw error;
    console.log(`consumer Bun: skipped, bun@${BUN} cannot be installed here`);
  }
  check('jest', () => {
    write('use.test.js', `require('${pkg.name}/jest'); const { dynamoTracing } = require('${pkg.name}');
      test('loads', () => { expect(typeof dynamoTracing()).toBe('function'); expect(typeof expect({}).toEchoRequestId).toBe('function'); });`);
    run('npx', ['-y', 'jest', '--silent', '--rootDir', dir, '--ci']);
  });
} finally {
  fs.rmSync(dir, { recursive: true, force: true });
}
