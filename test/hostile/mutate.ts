// Bad input: what is valid with some bytes changed, cut, doubled or swapped for others that have broken parsers before.

import { HOSTILE_TEXTS } from '#testing/hostile-text.ts';
import { simulatedRandom } from '#testing/simulated-random.ts';

export interface Chance {
  below(count: number): number;
  pick<T>(from: readonly T[]): T;
  bytes(lengthMax: number): Buffer;
}

export function chanceOf(seed: number): Chance {
  const { float } = simulatedRandom(seed);
  const below = (count: number): number => Math.floor(float() * count);
  return {
    below,
    pick<T>(from: readonly T[]): T {
      if (from.length === 0) throw new Error('nothing to pick from');
      return from[below(from.length)] as T; // `below` stays inside; undefined may be one of the things to pick
    },
    bytes: (lengthMax) => Buffer.from(Array.from({ length: below(lengthMax + 1) }, () => below(256))),
  };
}

const CHANGES_MAX = 6;

/** One to six changes; sometimes nothing of the valid input is left. */
export function mutate(valid: Buffer, chance: Chance): Buffer {
  if (chance.below(12) === 0) return chance.bytes(300);
  let bytes = valid;
  for (let change = chance.below(CHANGES_MAX); change >= 0; change -= 1) bytes = mutateOnce(bytes, chance);
  return bytes;
}

function mutateOnce(bytes: Buffer, chance: Chance): Buffer {
  const at = chance.below(bytes.length + 1);
  const to = Math.min(bytes.length, at + 1 + chance.below(20));
  const [before, part, after] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)];
  switch (chance.below(6)) {
    case 0:
      return Buffer.concat([before, after]);
    case 1:
      return Buffer.concat([before, part, part, after]);
    case 2:
      return before;
    case 3:
      return Buffer.concat([before, Buffer.from(chance.pick(HOSTILE_TEXTS)), after]);
    case 4:
      return Buffer.concat([before, chance.bytes(8), after]);
    default:
      return Buffer.concat([before, Buffer.from(part.map((byte) => byte ^ (1 << chance.below(8)))), after]);
  }
}
