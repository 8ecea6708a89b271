// Chosen places; damage.lane.test.ts takes any.

import { beforeAll, describe, expect, it } from 'vitest';
import { damageWhereItHurts, type Verdict } from './process/damage-scenarios.ts';
import { TIME_BOX_MS } from './process/time-box.ts';

describe('data that was damaged while no process looked', () => {
  let verdicts: readonly Verdict[] = [];
  beforeAll(async () => {
    verdicts = await damageWhereItHurts();
  }, TIME_BOX_MS);

  it('ends a start with 3, or lets it run and stop with 0', () => {
    expect(verdicts.length).toBeGreaterThan(4);
    expect(verdicts.filter(({ code }) => code !== 0 && code !== 3)).toEqual([]);
  });

  it('loses nothing acknowledged without a word', () => {
    expect(verdicts.filter(({ lost }) => lost > 0)).toEqual([]);
  });
  it('shows and delivers nothing that was altered', () => {
    expect(verdicts.filter(({ altered, alteredOutside }) => altered + alteredOutside > 0)).toEqual([]);
  });
});
