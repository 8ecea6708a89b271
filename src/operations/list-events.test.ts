import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { parseMoment } from './list-events.ts';

const NOW = Date.UTC(2026, 0, 31, 12);
const HOUR = 3_600_000;

describe('parseMoment', () => {
  test.for<[string, number]>([
    ['0s', NOW],
    ['90s', NOW - 90_000],
    ['15m', NOW - 900_000],
    ['2h', NOW - 2 * HOUR],
    ['7d', NOW - 168 * HOUR],
    ['999999d', NOW - 999_999 * 24 * HOUR],
    ['2026-01-31T14:00:00Z', NOW + 2 * HOUR],
    ['2026-01-31t14:00:00z', NOW + 2 * HOUR],
    ['2026-01-31T14:00:00.250Z', NOW + 2 * HOUR + 250],
    ['2026-01-31T14:00:00+02:00', NOW],
    ['2026-01-31T10:00:00-02:00', NOW],
    ['2026-01-31', NOW - 12 * HOUR],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
  ])('%s is a moment', ([text, ms]) => {
    expect(parseMoment(text, NOW)).toBe(ms);
  });

  test.for([
    '',
    'now',
    'yesterday',
    '-1',
    '15',
    '15 m',
    '-15m',
    '1.5h',
    '15M',
    '1w',
    '1000000s',
    '2026',
    '2026-01',
    '31.01.2026',
    '01/31/2026',
    '2026-13-01',
    '2026-01-32',
    '2026-02-30',
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-01-31junk',
    '2026-01-31 (noon)',
    '2026-01-31 EST',
    '2026-01-31T14',
    '2026-01-31T25:00:00Z',
    '2026-01-31T14:00:00Z; DROP TABLE log',
  ])('%j is refused and named', (text) => {
    expect(() => parseMoment(text, NOW)).toThrow(Fault);
    expect(() => parseMoment(text, NOW)).toThrow(JSON.stringify(text));
  });

  test('a time without a zone means the same everywhere: it is refused, since RFC 3339 demands one', () => {
    expect(() => parseMoment('2026-01-31T14:00:00', NOW)).toThrow(Fault);
  });

  test('an age is that much before now, in its unit', () => {
    const units = { s: 1000, m: 60_000, h: HOUR, d: 24 * HOUR } as const;
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 999_999 }),
        fc.constantFrom('s' as const, 'm' as const, 'h' as const, 'd' as const),
        fc.integer({ min: 0, max: 4e12 }),
        (amount, unit, now) => {
          expect(parseMoment(`${amount}${unit}`, now)).toBe(now - amount * units[unit]);
        },
      ),
    );
  });

  test('every instant written in RFC 3339 is read as itself, whatever the zone', () => {
    const instant = fc.date({
      min: new Date('1970-01-01T00:00:00Z'),
      max: new Date('9999-12-30T00:00:00Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(instant, fc.integer({ min: -23 * 60, max: 23 * 60 }), (date, zoneMinutes) => {
        const local = new Date(date.getTime() + zoneMinutes * 60_000).toISOString().slice(0, -1);
        const zone = `${zoneMinutes < 0 ? '-' : '+'}${String(Math.floor(Math.abs(zoneMinutes) / 60)).padStart(2, '0')}:${String(Math.abs(zoneMinutes) % 60).padStart(2, '0')}`;
        expect(parseMoment(date.toISOString(), NOW)).toBe(date.getTime());
        expect(parseMoment(`${local}${zone}`, NOW)).toBe(date.getTime());
      }),
    );
  });

  test('whatever is given, it is a finite time or one fault', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((tail) => `2026-01-31${tail}`),
        ),
        (text) => {
          try {
            expect(parseMoment(text, NOW)).toSatisfy(Number.isFinite);
          } catch (error) {
            expect(error).toBeInstanceOf(Fault);
            expect(error).toMatchObject({ code: 'input_invalid' });
          }
        },
      ),
    );
  });
});
