import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countText, distanceText, durationText, latencyText, percentText } from './figures.ts';

describe('figures', () => {
  it('no value is N/A, never 0', () => {
    for (const text of [
      countText(null),
      latencyText(null),
      percentText(undefined),
      distanceText(null, 0),
      latencyText(Number.NaN),
      distanceText('soon', 0),
    ]) {
      expect(text).toBe('N/A');
    }
  });

  it.each([
    [0, '<0.1 ms'],
    [0.42, '0.4 ms'],
    [118.4, '118 ms'],
    [999.6, '1.0 s'],
    [3210, '3.2 s'],
    [125_000, '2 min 5 s'],
  ])('latency %d is %s', (ms, text) => expect(latencyText(ms)).toBe(text));

  it.each([
    [0, '0 %'],
    [0.04, '<0.1 %'],
    [0.4, '0.4 %'],
    [12.04, '12 %'],
    [99.4, '99.4 %'],
    [99.96, '>99.9 %'],
    [100, '100 %'],
  ])('%d percent is %s', (percent, text) => expect(percentText(percent)).toBe(text));

  it('only a true zero reads 0 %, only a full hundred reads 100 %', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 100, noNaN: true }), (percent) => {
        expect(percentText(percent) === '0 %').toBe(percent === 0);
        expect(percentText(percent) === '100 %').toBe(percent === 100);
      }),
    );
  });

  it.each([
    [0, '0 s'],
    [59.9, '59 s'],
    [192, '3 min 12 s'],
    [2520, '42 min'],
    [7500, '2 h 5 min'],
    [86_400 * 3 + 4 * 3600, '3 d 4 h'],
    [-3, '0 s'],
  ])('%d seconds are %s', (seconds, text) => expect(durationText(seconds)).toBe(text));

  it('distances say their direction and do not tick by the second beyond a minute', () => {
    const now = Date.parse('2026-01-01T12:00:00Z');
    expect(distanceText('2026-01-01T11:59:48Z', now)).toBe('12 s ago');
    expect(distanceText('2026-01-01T12:00:42Z', now)).toBe('in 42 s');
    expect(distanceText('2026-01-01T11:56:48Z', now)).toBe('3 min ago');
    expect(distanceText('2026-01-01T13:00:00+01:00', now)).toBe('now');
  });
});
