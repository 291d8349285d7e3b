/** Prints what came of each case as a table: case by release and codec. A case that was skipped says so and why; it never counts as passed. */
const LINE = '*'.repeat(100);
const MARKS = { passed: 'pass', failed: 'FAIL', pending: 'skipped', todo: 'skipped', skipped: 'skipped', disabled: 'skipped' };
/**
 * What the cases of a release are run with, by the beginning of the title that says so: one table each. A case without a codec stands for
 * both. One with Dynamo's frontend or discovery that is run in one way has a column for each release.
 */
const WAYS = { codec: { json: 'json', msgpack: 'msgpack' }, logging: { 'JSONL logging': 'JSONL', 'readable logging': 'readable' }, none: { '': '' } };

module.exports = class InteropReporter {
  onRunComplete(_contexts, results) {
    const cases = results.testResults.flatMap((file) => file.testResults);
    const releases = [...new Set(cases.map(releaseOf))].filter(Boolean).sort().reverse();
    for (const way of Object.values(WAYS)) {
      const titles = Object.keys(way);
      const own = cases.filter((one) => wayOf(one) === way);
      const columns = releases.flatMap((release) => titles.map((title) => ({ release, title, name: `${release} ${way[title]}`.trim() })));
      if (own.length > 0) print(`\n${table(own, columns)}\n`);
    }
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
    const [leg, , ...groups] = one.ancestorTitles;
    const key = [leg, ...groups.filter((group) => group !== titleOf(one)), one.title].join(': ');
    if (!rows.has(key)) rows.set(key, []);
    rows.get(key).push(one);
  }
  const head = ['case', ...columns.map(({ name }) => name)];
  const lines = [...rows].map(([key, ones]) => [key, ...columns.map((column) => markOf(ones, column))]);
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function markOf(cases, { release, title }) {
  const one = cases.find((each) => releaseOf(each) === release && (titleOf(each) ?? title) === title);
  return one === undefined ? '-' : (MARKS[one.status] ?? one.status);
}

function releaseOf({ ancestorTitles }) {
  return /^ai-dynamo-runtime (\S+)/.exec(ancestorTitles[1] ?? '')?.[1];
}

/** The title that says what a case is run with. */
function titleOf({ ancestorTitles }) {
  return Object.values(WAYS).flatMap(Object.keys).find((title) => title !== '' && ancestorTitles[2]?.startsWith(title));
}

/** Which table a case belongs to. */
function wayOf(one) {
  const title = titleOf(one);
  if (title !== undefined) return Object.values(WAYS).find((way) => title in way);
  return /frontend|around Dynamo|discovery/.test(one.ancestorTitles[0]) ? WAYS.none : WAYS.codec;
}

function print(text) {
  process.stdout.write(text);
}
