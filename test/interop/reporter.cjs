/** Prints what came of each case as a table: case by release and codec. A case that was skipped says so and why; it never counts as passed. */
const LINE = '*'.repeat(100);
const MARKS = { passed: 'pass', failed: 'FAIL', pending: 'skipped', todo: 'skipped', skipped: 'skipped', disabled: 'skipped' };
const CODECS = ['json', 'msgpack'];

module.exports = class InteropReporter {
  onRunComplete(_contexts, results) {
    const cases = results.testResults.flatMap((file) => file.testResults);
    const releases = [...new Set(cases.map(releaseOf))].filter(Boolean).sort().reverse();
    const columns = releases.flatMap((release) => CODECS.map((codec) => ({ release, codec })));
    print(`\n${table(cases, columns)}\n`);
    const broken = results.testResults.filter((file) => file.testExecError !== undefined && file.testExecError !== null);
    for (const file of broken) print(`\nNOT RUN, it failed to load: ${file.testFilePath}\n`);
    const count = (mark) => cases.filter(({ status }) => MARKS[status] === mark).length;
    print(`\n${count('pass')} passed, ${count('FAIL')} failed, ${count('skipped')} skipped\n`);
    this.#sayMissing(count('skipped'));
  }

  #sayMissing(skipped) {
    if (skipped === 0) return;
    const runtimes = Object.entries(JSON.parse(process.env.INTEROP_RUNTIMES ?? '{}'));
    const reasons = runtimes.flatMap(([release, { missing, noFrontend }]) => [
      ...(missing === undefined ? [] : [`ai-dynamo-runtime ${release} is not here: ${missing}`]),
      ...(noFrontend === undefined ? [] : [`the frontend of ai-dynamo ${release} is not here: ${noFrontend}`]),
    ]);
    if (reasons.length === 0) reasons.push('every release was there; the reasons are above, after *** SKIPPED');
    process.stderr.write(`\n${LINE}\nSKIPPED, NOT PASSED: ${skipped} cases were not run against running Dynamo.\n${reasons.join('\n')}\n${LINE}\n`);
  }
};

function table(cases, columns) {
  const rows = new Map();
  for (const one of cases) {
    const [leg] = one.ancestorTitles;
    const key = `${leg}: ${one.title}`;
    if (!rows.has(key)) rows.set(key, []);
    rows.get(key).push(one);
  }
  const head = ['case', ...columns.map(({ release, codec }) => `${release} ${codec}`)];
  const lines = [...rows].map(([key, ones]) => [key, ...columns.map((column) => markOf(ones, column))]);
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** A case without a codec stands for both. */
function markOf(cases, { release, codec }) {
  const one = cases.find((each) => releaseOf(each) === release && [codec, undefined].includes(codecOf(each)));
  return one === undefined ? '-' : (MARKS[one.status] ?? one.status);
}

function releaseOf({ ancestorTitles }) {
  return /^ai-dynamo-runtime (\S+)/.exec(ancestorTitles[1] ?? '')?.[1];
}

function codecOf({ ancestorTitles }) {
  return CODECS.find((codec) => codec === ancestorTitles[2]);
}

function print(text) {
  process.stdout.write(text);
}
