import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { DynamoTracingError } from '../../errors/index.js';

/** Finding a module takes a tenth of a second; a machine under load takes longer. */
const FOUND_WITHIN_MS = 30_000;

/** Says nothing when Dynamo's frontend can be started, else what it lacks. Loads none of it: that would take seconds. */
const PROGRAM = `
from importlib.util import find_spec
def there(name):
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
print(", ".join(package for name, package in [("dynamo.frontend", "ai-dynamo"), ("dynamo.runtime", "ai-dynamo-runtime")] if not there(name)), end="")
`;

const INSTALL = 'pip install --no-deps ai-dynamo, then pip install ai-dynamo-runtime of the same version';

/**
 * Why Dynamo's frontend cannot be started with this Python; undefined when it can. For a test file that is skipped where Dynamo is
 * missing. Asks the Python and blocks meanwhile (about 0.1 s).
 * @param python a command or a path @returns one line for people
 */
export function missingDynamo(python = 'python3'): string | undefined {
  try {
    return lacking(python, execFileSync(python, ['-c', PROGRAM], { encoding: 'utf8', timeout: FOUND_WITHIN_MS, stdio: ['ignore', 'pipe', 'pipe'] }));
  } catch (error) {
    return unusable(python, error);
  }
}

/** @throws ERR_DEPENDENCY_MISSING with `package` */
export async function checkDynamo(python: string): Promise<void> {
  const missing = await promisify(execFile)(python, ['-c', PROGRAM], { encoding: 'utf8', timeout: FOUND_WITHIN_MS }).then(({ stdout }) => lacking(python, stdout), (error: unknown) => unusable(python, error));
  if (missing !== undefined) throw new DynamoTracingError('ERR_DEPENDENCY_MISSING', missing, { package: 'ai-dynamo' });
}

function lacking(python: string, packages: string): string | undefined {
  return packages === '' ? undefined : `${python} has no ${packages}: ${INSTALL}`;
}

function unusable(python: string, error: unknown): string {
  const { code, stderr } = error as { code?: unknown; stderr?: string };
  const said = (stderr ?? '').trim().split('\n').at(-1) ?? '';
  return `${python} cannot be run as a Python 3: ${said === '' ? String(code ?? error) : said}`;
}
