// Libraries that are loaded into the append server to change what its system calls do.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let built: string | undefined;

/** Compiles `power-cut.c` once; undefined where there is no C compiler. */
export function powerCutLibrary(): string | undefined {
  if (built !== undefined) return built;
  const folder = mkdtempSync(join(tmpdir(), 'weir-power-cut-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'power-cut.so');
  try {
    execFileSync('gcc', [
      '-O2',
      '-shared',
      '-fPIC',
      '-o',
      file,
      join(import.meta.dirname, 'power-cut.c'),
      '-ldl',
      '-lpthread',
    ]);
  } catch {
    return undefined;
  }
  built = file;
  return file;
}

export const NO_COMPILER = 'the disk that loses its cache needs a C compiler: Debian packages gcc and libc6-dev';

export interface ShimOptions {
  readonly data: string;
  readonly seed: number;
  /** At which change to the data the power goes. */
  readonly cutAfter?: number;
  /** Which sync of `syncFailsOf` fails with EIO. */
  readonly syncFailsAt?: number;
  readonly syncFailsOf?: 'weir.sqlite' | 'weir.sqlite-wal';
}

export function shimEnv(
  library: string,
  { data, seed, cutAfter = 0, syncFailsAt = 0, syncFailsOf = 'weir.sqlite-wal' }: ShimOptions,
): Record<string, string> {
  return {
    LD_PRELOAD: library,
    POWER_CUT_DIR: data,
    POWER_CUT_SEED: String(seed),
    POWER_CUT_AFTER: String(cutAfter),
    SYNC_FAILS_AT: String(syncFailsAt),
    SYNC_FAILS_OF: syncFailsOf,
  };
}
