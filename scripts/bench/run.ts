// `npm run bench -- NAME [flags]`: finds the benchmark of that name and hands over the rest.

import * as delivery from './delivery.ts';
import { UsageError } from './flags.ts';
import * as guard from './guard.ts';
import * as health from './health.ts';
import * as log from './log.ts';
import { WrongResult } from './measure.ts';
import * as memory from './memory.ts';

const EXIT_FAILED = 1; // a wrong result, or something the machine lacks
const EXIT_USAGE = 3;

const BENCHES: Readonly<Record<string, { readonly usage: string; run(args: readonly string[]): Promise<void> }>> = {
  delivery,
  guard,
  health,
  log,
  memory,
};

const [, , name = '', ...args] = process.argv;
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
// A benchmark that is interrupted still removes its folders and ends its children: both hang on `exit`.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
try {
  if (bench === undefined)
    throw new UsageError(name === '' ? 'the name of a benchmark is needed' : `there is no benchmark ${name}`);
  await bench.run(args);
} catch (error) {
  const usages = Object.values(BENCHES).flatMap(({ usage }) => usage.split('\n'));
  const usage = error instanceof UsageError;
  process.stderr.write(
    usage
      ? `${error.message}\n\nnpm run bench -- …\n${usages.map((line) => `  ${line}`).join('\n')}\n`
      : `bench ${name} failed: ${String(error instanceof Error && !(error instanceof WrongResult) ? error.stack : error)}\n`,
  );
  process.exitCode = usage ? EXIT_USAGE : EXIT_FAILED;
}
