import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeOf } from './safe-url.ts';

describe('places', () => {
  it.each([
    'javascript:alert(1)',
    ' JaVaScRiPt:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:x',
    'blob:https://a.example/1',
    '//evil.example/x',
    '/relative',
    'mailto:a@b.example',
    'https://good.example@evil.example/',
    'http://[broken',
    '',
    null,
    `https://a.example/${'x'.repeat(5000)}`,
  ])('%j leads nowhere', (url) => {
    expect(placeOf(url, null)).toEqual({ as: 'none' });
  });

  it('links http and https', () => {
    expect(placeOf('https://docs.example/a?b#c', 7)).toEqual({ as: 'link', href: 'https://docs.example/a?b#c' });
    expect(placeOf('HTTP://docs.example', null)).toEqual({ as: 'link', href: 'http://docs.example/' });
  });

  it('shows a file as path and line, with the line of the hit before the line of the address', () => {
    expect(placeOf('file:///srv/a%20b/c.md#L9', 12)).toEqual({ as: 'file', text: '/srv/a b/c.md:12' });
    expect(placeOf('file:///srv/c.md#L9', null)).toEqual({ as: 'file', text: '/srv/c.md:9' });
    expect(placeOf('file:///srv/c.md', null)).toEqual({ as: 'file', text: '/srv/c.md' });
    expect(placeOf('file:///C:/docs/c.md', 3)).toEqual({ as: 'file', text: 'C:/docs/c.md:3' });
    expect(placeOf('file:///srv/50%.md', null)).toEqual({ as: 'file', text: '/srv/50%.md' });
  });

  it('a file name cannot smuggle controls into what is copied', () => {
    expect(placeOf('file:///srv/a%0Arm%20-rf%E2%80%AE', 1)).toEqual({ as: 'file', text: '/srv/a rm -rf\ufffd:1' });
  });

  it('never links anything but http and https', () => {
    const scheme = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9+.-]{0,12}$/);
    fc.assert(
      fc.property(scheme, fc.string(), (name, rest) => {
        const place = placeOf(`${name}:${rest}`, null);
        if (place.as === 'link') expect(new URL(place.href).protocol).toMatch(/^https?:$/);
      }),
    );
  });
});
