import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { EVENT_LIMITS } from '#sdk/index.ts';
import { formatOf, isDocumentName } from './document-filter.ts';
import { titleOf } from './document-title.ts';
import { documentOf, type DocumentSource } from './document.ts';
import { keyOfPath, pathOfKey } from './git-path.ts';
import { textOfHtml } from './html-text.ts';
import { linksOf, resolvedTarget } from './links.ts';
import { decodeText } from './text-decoding.ts';

const source: DocumentSource = {
  repository: { gitDir: '/srv/r/.git', workTree: '/srv/r', folder: '' },
  target: 'c'.repeat(40),
  time: '2026-01-01T00:00:00.000Z',
  version: 7,
};
const documentFrom = (path: string, content: string | Buffer) => {
  const outcome = documentOf(source, path, { mode: '100644', id: 'b'.repeat(40) }, Buffer.from(content));
  return outcome.state === 'document' ? outcome.event : outcome;
};

describe('a document', () => {
  it('is tagged with its extension only when that is a word: a long one would make the whole document invalid', () => {
    expect(documentFrom(`a.${'x'.repeat(65)}`, 'text')).toMatchObject({ tags: [] });
    expect(documentFrom('a.cafÃ© au lait', 'text')).toMatchObject({ tags: [] });
    expect(documentFrom('a.c++', 'text')).toMatchObject({ tags: ['c++'] });
  });

  it('carries key, title, address, tags, links, text, commit and blob', () => {
    expect(documentFrom('docs/a b.md', '# Title\n\nSee [other](../c.md#x).\n')).toEqual({
      kind: 'document',
      op: 'upsert',
      key: 'docs/a b.md',
      version: 7,
      time: '2026-01-01T00:00:00.000Z',
      title: 'Title',
      url: 'file:///srv/r/docs/a%20b.md#L{line}',
      tags: ['md'],
      links: [{ rel: 'links', to: 'c.md' }],
      text: '# Title\n\nSee [other](../c.md#x).\n',
      context: { commit: 'c'.repeat(40) },
      data: { path: 'docs/a b.md', blob: 'b'.repeat(40), mode: '100644', bytes: 33 },
    });
  });

  it('is decoded by its mark, else as UTF-8, else as windows-1252, which is tagged', () => {
    expect(documentFrom('a.txt', Buffer.from('\ufeffmarked'))).toMatchObject({ text: 'marked', tags: ['txt'] });
    expect(documentFrom('a.txt', Buffer.from('\ufeffwide', 'utf16le'))).toMatchObject({
      text: 'wide',
      tags: ['txt', 'encoding:utf-16le'],
    });
    const big = Buffer.from('\ufeffwide', 'utf16le').swap16();
    expect(documentFrom('a.txt', big)).toMatchObject({ text: 'wide', tags: ['txt', 'encoding:utf-16be'] });
    const western = Buffer.from([0x80, 0x20, 0x63, 0x61, 0x66, 0xe9]);
    expect(documentFrom('a.txt', western)).toMatchObject({
      text: '\u20ac caf\u00e9',
      tags: ['txt', 'encoding:windows-1252'],
    });
  });

  it('with more characters than a text may have is a failure, and NUL in the first 8 KB makes it binary', () => {
    expect(documentFrom('a.md', 'x'.repeat(EVENT_LIMITS.textCharsMax))).toHaveProperty('text');
    expect(documentFrom('a.md', 'x'.repeat(EVENT_LIMITS.textCharsMax + 1))).toMatchObject({ state: 'too_large' });
    expect(documentFrom('a.md', `${'x'.repeat(8191)}\0`)).toEqual({ state: 'skipped', reason: 'binary' });
    expect(documentFrom('a.md', `${'x'.repeat(8192)}\0`)).toMatchObject({ text: `${'x'.repeat(8192)}\ufffd` });
  });

  it('is decoded from any bytes without a throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeText(Buffer.from(bytes))));
  });
});

describe('names', () => {
  it('make a document by extension, or by custom without one', () => {
    const yes = [
      'a.md',
      'A.MD',
      'b.rst',
      'c.adoc',
      'd.org',
      'e.html',
      'README',
      'docs/LICENSE',
      'changelog',
      'x.y.txt',
    ];
    const no = ['a.c', 'a', '.md', 'README.exe', 'md', 'a.md/b', 'a.md.png', 'docs/.gitignore'];
    expect(yes.filter((path) => !isDocumentName(path))).toEqual([]);
    expect(no.filter((path) => isDocumentName(path))).toEqual([]);
  });

  it('any path of bytes has its own key, and the key leads back to it', () => {
    const bytes = fc.array(
      fc.constantFrom('a', '%', '/', 'E', '9', '\u00e9', '\u00c3', '\u00a9', '\u00ff', '\n', ':'),
      { minLength: 1, maxLength: 12 },
    );
    const path = bytes.map((parts) => parts.join('')).filter((text) => !text.includes('//'));
    fc.assert(
      fc.property(path, (text) => pathOfKey(keyOfPath(text)) === text),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(path, path, (a, b) => a === b || keyOfPath(a) !== keyOfPath(b)),
      { numRuns: 2000 },
    );
  });
});

describe('titles', () => {
  it.each([
    ['---\ntitle: "Front"\n---\n# Heading\n', 'a.md', 'Front'],
    ['---\nauthor: x\n---\n\n# Heading #\n', 'a.md', 'Heading'],
    ['```sh\n# not this\n```\n## `Code` and [link](x)\n', 'a.md', 'Code and link'],
    ['Setext\n======\n', 'a.md', 'Setext'],
    ['Title\n=====\n\nText\n', 'a.rst', 'Title'],
    ['= Guide\n', 'a.adoc', 'Guide'],
    ['#+TITLE: Notes\n', 'a.org', 'Notes'],
    ['<html><head><title>A &lt; B\n page</title></head>', 'a.html', 'A &lt; B page'],
    ['no heading', 'a.md', undefined],
    ['# \u001b]0;evil\u0007\n', 'a.md', '\ufffd]0;evil\ufffd'],
  ])('%j in %s is %j', (text, path, title) => {
    expect(titleOf(text, formatOf(path))).toBe(title);
  });
});

describe('links', () => {
  it('lead to keys of the repository or to web pages; anchors, images, mail and what leaves the root are none', () => {
    const text = [
      '[a](b.md) [c](./d/../e.md?x#y) [f](/root.md) [up](../../../out.md) [here](#x) ![i](i.png) [m](mailto:a@b)',
      '[web](https://example.org/x#part) <http://example.org/auto> [sp](<with space.md>) [enc](with%20space.md) [p](a_(b).md)',
      '[ref]: other/ref.md "title"',
      '<a href="html.md">x</a> [js](javascript:alert(1)) [d](data:text/html,x) `[code](code.md)`',
      '```\n[fenced](fenced.md)\n```',
    ].join('\n');
    expect(linksOf(text, 'markdown', 'docs/g/a.md').map((link) => link.to)).toEqual([
      'docs/g/b.md',
      'docs/g/e.md',
      'root.md',
      'https://example.org/x',
      'docs/g/with space.md',
      'docs/g/a_(b).md',
      'docs/g/other/ref.md',
      'http://example.org/auto',
      'docs/g/html.md',
    ]);
  });

  it('resolve next to a document whose folder is not UTF-8', () => {
    expect(resolvedTarget('b.md', 'caf\u00e9/a.md')).toBe('bytes://caf%E9/b.md');
  });

  it('are at most as many as an event takes', () => {
    const text = Array.from({ length: 3000 }, (_, at) => `[x](${at}.md)`).join(' ');
    expect(linksOf(text, 'markdown', 'a.md')).toHaveLength(EVENT_LIMITS.linksMax);
  });
});

describe('hostile text of 1 MiB', () => {
  const MIB = 1024 * 1024;
  const shapes = [
    '[',
    '](',
    '](<',
    '`',
    '<',
    '<a href=',
    '<!--',
    '&#',
    '[x]: ',
    '![',
    '<script',
    '~~~\n',
    'href  ',
    '# ',
    '((((',
    '](a(',
    '---\n',
  ];
  it.each(shapes)('made of %j is read within a second of processor time', (shape) => {
    const text = shape.repeat(MIB / shape.length);
    const begun = process.cpuUsage();
    linksOf(text, 'markdown', 'a.md');
    titleOf(text, 'markdown');
    titleOf(text, 'html');
    textOfHtml(text);
    // Other work on the machine does not count.
    expect(process.cpuUsage(begun).user / 1000).toBeLessThan(1000);
  });
});

describe('HTML', () => {
  it('becomes its text, with every line where it was', () => {
    const html =
      '<p>one</p>\n<script>\nvar x = "<b>";\n</script>\n<!-- no\nno -->two &amp; three &#233;<br>four\n<style>b{}</style >five';
    const lines = textOfHtml(html).split('\n');
    expect(lines.map((line) => line.trim().replace(/ +/g, ' '))).toEqual([
      'one',
      '',
      '',
      '',
      '',
      'two & three \u00e9 four',
      'five',
    ]);
  });
});
