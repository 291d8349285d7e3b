import { startHarness } from 'dynamo-tracing/harness';

// A test that never closes its harness, in a process of its own, to be killed: node --import tsx dynamo-alone.ts <python> <namespace> <DYN_LOGGING_JSONL>
const [python = '', namespace = '', jsonl] = process.argv.slice(2);

void (async () => {
  const harness = await startHarness();
  await harness.dynamo({ python, args: ['--namespace', namespace], env: { DYN_LOGGING_JSONL: jsonl } });
  process.stdout.write('started\n');
})();
