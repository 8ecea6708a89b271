import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatHeartbeat, parseHeartbeat } from './heartbeat.ts';

const BEAT = { pid: 4711, atMs: Date.UTC(2026, 0, 1, 12), cycle: 3, runsInflight: 2 };

describe('the heartbeat file', () => {
  test('what was written is read', () => {
    const beat = fc.record({
      pid: fc.nat(),
      atMs: fc.integer({ min: 0, max: Date.UTC(9999, 0) }),
      cycle: fc.nat(),
      runsInflight: fc.nat(10_000),
    });
    fc.assert(
      fc.property(beat, (one) => {
        expect(parseHeartbeat(formatHeartbeat(one))).toEqual(one);
      }),
    );
  });

  test('people and other programs read names in snake_case, a time with its zone, and one line', () => {
    expect(formatHeartbeat(BEAT)).toBe('{"pid":4711,"at":"2026-01-01T12:00:00.000Z","cycle":3,"runs_inflight":2}\n');
  });

  test('a half-written file says as little as none', () => {
    const whole = formatHeartbeat(BEAT).trimEnd();
    for (let cut = 0; cut < whole.length; cut += 1) expect(parseHeartbeat(whole.slice(0, cut))).toBeUndefined();
  });

  test('any other text is no heartbeat, and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(parseHeartbeat(text)).toBeUndefined();
      }),
    );
    expect(parseHeartbeat('{"pid":1.5,"at":"2026-01-01T12:00:00.000Z","cycle":3,"runs_inflight":2}')).toBeUndefined();
    expect(parseHeartbeat('{"pid":1,"at":"yesterday","cycle":3,"runs_inflight":2}')).toBeUndefined();
  });

  test('a member of a later version is not in the way', () => {
    expect(parseHeartbeat(formatHeartbeat(BEAT).replace('{', '{"host":"one",'))).toEqual(BEAT);
  });
});
