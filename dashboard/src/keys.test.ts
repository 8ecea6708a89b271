import { describe, expect, it } from 'vitest';
import { keyActionOf } from './keys.ts';

const press = (key: string, change = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  repeat: false,
  ...change,
});

describe('keys', () => {
  it('do nothing while someone types or when the combination belongs to the browser', () => {
    expect(keyActionOf(press('f'), true)).toBeUndefined();
    expect(keyActionOf(press('f', { ctrlKey: true }), false)).toBeUndefined();
    expect(keyActionOf(press('r', { metaKey: true }), false)).toBeUndefined();
    expect(keyActionOf(press('x'), false)).toBeUndefined();
  });

  it('a held key moves on but starts no further run', () => {
    expect(keyActionOf(press('j', { repeat: true }), false)).toBe('next-row');
    expect(keyActionOf(press('r', { repeat: true }), false)).toBeUndefined();
    expect(keyActionOf(press('r'), false)).toBe('run');
  });
});
