'use strict';
// Runs the built package under each supported Node, beside each line of OpenTelemetry that runs there: the contract suites with every framework (jest.matrix.config.cjs)
// and the apps of test/field. Without arguments it writes the table of docs/compatibility.md; arguments name Nodes, to run only those: `npm run test:matrix -- 24`.
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setImmediate } = require('node:timers/promises');
const { SUPPORTED, isNode, withNode } = require('./node-versions.cjs');

const root = path.join(__dirname, '..');
const PAGE = path.join(root, 'docs', 'compatibility.md');
/** The lines of OpenTelemetry's SDK, with the first Node of each. */
const LINES = [{ line: '2', node: 20 }, { line: '3', node: 22 }];
const FIELD = 'apps in test/field';

const run = (args, env) => spawnSync('node', args, { cwd: root, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 28 });

/** Returns how many tests passed and failed on each framework. The describe block of a contract suite ends in the framework's name. */
function contracts(env) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'matrix-'));
  const report = path.join(folder, 'report.json');
  try {
    run(['node_modules/jest/bin/jest.js', '--config', 'jest.matrix.config.cjs', '--silent', '--json', '--outputFile', report], env);
    const counts = {};
    for (const { testResults, assertionResults = testResults, name, message } of JSON.parse(fs.readFileSync(report, 'utf8')).testResults) {
      if (assertionResults.length === 0) throw new Error(`${name} ran no test: ${message}`);
      for (const { ancestorTitles: [title], fullName, status, failureMessages } of assertionResults) {
        const count = (counts[/\bon (.+)$/.exec(title)[1]] ??= { passed: 0, failed: 0 });
        count[status === 'passed' ? 'passed' : 'failed']++;
        if (status !== 'passed') console.log(`${status}: ${fullName}\n${failureMessages.join('\n')}`);
      }
    }
    return counts;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function field(env, line) {
  const { stdout } = run(['scripts/field.cjs', '--opentelemetry', line], env);
  const count = (word) => Number(new RegExp(`^ℹ ${word} (\\d+)$`, 'm').exec(stdout)?.[1] ?? NaN);
  const [passed, all] = [count('pass'), count('tests')];
  if (!(all > 0)) throw new Error(`the apps were not run:\n${stdout}`);
  if (passed < all) console.log(stdout.slice(stdout.indexOf('failing tests')));
  return { [FIELD]: { passed, failed: all - passed } };
}

/** Returns the rows of one Node: a line of OpenTelemetry and the counts, or the error that ended it. */
function rowsOf(node) {
  const lines = LINES.filter((each) => Number.parseInt(node, 10) >= each.node);
  try {
    return withNode(node, (env, version) => lines.map(({ line }) => {
      console.log(`\n=== Node ${version}, OpenTelemetry ${line}.x ===`);
      const row = { version, line };
      try {
        // The apps install the packages of this line, which the contract suites take from there.
        const apps = field(env, line);
        row.counts = { ...contracts({ ...env, OPENTELEMETRY: line }), ...apps };
      } catch (error) {
        row.error = error.message;
        console.error(error.message);
      }
      return row;
    }));
  } catch (error) {
    console.error(error.message);
    return lines.map(({ line }) => ({ version: `v${node}`, line, error: error.message }));
  }
}

const cell = (count) => (count === undefined ? 'did not run' : count.failed > 0 ? `**${count.failed} failed**, ${count.passed} passed` : `${count.passed} passed`);

function tableOf(rows) {
  const columns = [...new Set(rows.flatMap(({ counts = {} }) => Object.keys(counts)))];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(['Node', 'OpenTelemetry SDK', ...columns]),
    line(['---', '---', ...columns.map(() => '---')]),
    ...rows.map(({ version, line: otel, counts = {} }) => line([version.slice(1), `${otel}.x`, ...columns.map((column) => cell(counts[column]))])),
  ].join('\n');
}

async function main() {
  const nodes = process.argv.slice(2).filter(isNode);
  process.on('SIGINT', () => process.exit(130));
  execFileSync('npm', ['run', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const rows = [];
  for (const node of nodes.length > 0 ? nodes : SUPPORTED) {
    rows.push(...rowsOf(node));
    await setImmediate(); // A Ctrl-C has ended the child only; here it ends this process, whose folder is removed by now.
  }
  const table = tableOf(rows);
  console.log(`\n${table}\n`);
  if (nodes.length === 0) fs.writeFileSync(PAGE, fs.readFileSync(PAGE, 'utf8').replace(/(<!-- matrix -->\n)[^]*(<!-- \/matrix -->)/, `$1\n${table}\n\n$2`));
  const counts = rows.flatMap((row) => Object.values(row.counts ?? {}));
  const failed = counts.reduce((sum, count) => sum + count.failed, rows.filter(({ error }) => error !== undefined).length);
  console.log(`${counts.reduce((sum, count) => sum + count.passed, 0)} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

main();
