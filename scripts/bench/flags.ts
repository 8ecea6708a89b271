import { parseArgs } from 'node:util';

/** Wrong arguments: the usage is shown and the exit code is 3, as in the product's own command line. */
export class UsageError extends Error {}

type Flag = string | boolean | undefined;

/** Reads flags that may each be given once; anything else is a UsageError. */
export function readFlags(
  args: readonly string[],
  options: Readonly<Record<string, { readonly type: 'boolean' | 'string' }>>,
): Readonly<Record<string, Flag>> {
  try {
    const { values } = parseArgs({ args: [...args], options, allowPositionals: false });
    return values as Readonly<Record<string, Flag>>; // arrays come only from options declared `multiple`
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

export function readCount(flag: string, given: Flag, otherwise: number): number {
  if (given === undefined) return otherwise;
  const count = Number(given);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new UsageError(`${flag} ${given}: a whole number above 0 is needed`);
}
