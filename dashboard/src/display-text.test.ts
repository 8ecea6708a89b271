import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displayLine, displayText } from './display-text.ts';

describe('display text', () => {
  it('replaces bidi overrides, escapes and C1 controls, and keeps letters of every script', () => {
    expect(displayText('a\u202eb\u2066c\u0000d\u001b[31m\u009b')).toBe('a\ufffdb\ufffdc\ufffdd\ufffd[31m\ufffd');
    expect(displayText('Grüße مرحبا 你好 👩‍💻')).toBe('Grüße مرحبا 你好 👩‍💻');
  });

  it('never shows a control character and never exceeds its limit', () => {
    const wild = fc.string({
      unit: fc.oneof(
        fc.constantFrom('\u0007', '\u202e', '\n', '\t', '\u0085'),
        fc.string({ unit: 'binary', maxLength: 2 }),
      ),
    });
    fc.assert(
      fc.property(wild, fc.integer({ min: 1, max: 30 }), (text, charsMax) => {
        const line = displayLine(text, charsMax);
        expect(line.length).toBeLessThanOrEqual(charsMax);
        expect(line).not.toMatch(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u);
      }),
    );
  });

  it('marks what it cut', () => {
    expect(displayLine('abcdef', 4)).toBe('abc…');
    expect(displayLine('abcd', 4)).toBe('abcd');
  });
});
