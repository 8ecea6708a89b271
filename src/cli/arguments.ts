import { InvalidArgumentError } from 'commander';

export function toPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('must be a port from 0 to 65535');
  return port;
}

export function toCount(text: string): number {
  const count = Number(text);
  if (!/^\d{1,4}$/.test(text) || count < 1) throw new InvalidArgumentError('must be a whole number above 0');
  return count;
}

const SEED_MAX = 2 ** 32 - 1;

export function toSeed(text: string): number {
  const seed = Number(text);
  if (!/^\d{1,10}$/.test(text) || seed > SEED_MAX)
    throw new InvalidArgumentError(`must be a whole number from 0 to ${SEED_MAX}`);
  return seed;
}

const DAYS_MAX = 90;

export function toDays(text: string): number {
  const days = Number(text);
  if (!/^\d{1,2}(\.\d{1,2})?$/.test(text) || days <= 0 || days > DAYS_MAX)
    throw new InvalidArgumentError(`must be a number of days from 0.01 to ${DAYS_MAX}`);
  return days;
}

/** The number of a dead letter. */
export function toId(text: string): number {
  const id = Number(text);
  if (!/^\d{1,15}$/.test(text) || id < 1)
    throw new InvalidArgumentError('must be the number of a dead letter, as `weir dlq list` shows it');
  return id;
}

/** For flags that may be given several times. */
export function collected(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}
