import { describe, expect, test } from 'vitest';
import { YAML_LIMITS } from './yaml-limits.ts';
import { parseYamlTree } from './yaml-tree.ts';

const sources = { env: {}, readFile: () => '' };
const parse = (text: string) => parseYamlTree(text, 'weir.yaml', sources);
const found = (text: string) =>
  parse(text).problems.map(({ line, column, path, problem }) => `${line}:${column} ${path} ${problem}`);

const SIZE = YAML_LIMITS.bytesMax;
const fill = (unit: string): string => unit.repeat(Math.floor((SIZE - 10) / unit.length));

const LAUGHS = [
  'a: &a ["lol", "lol", "lol", "lol", "lol", "lol", "lol", "lol", "lol"]',
  ...'bcdefghi'.split('').map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(', ')}]`),
].join('\n');

function userMicrosOf(work: () => unknown): number {
  const begun = process.cpuUsage();
  work();
  return process.cpuUsage(begun).user;
}

describe('a hostile file ends with one sentence, soon', () => {
  test.each([
    ['billion laughs', LAUGHS, /more than 100 aliases or 20000 values/],
    [
      'few aliases of a long list',
      `a: &a [${Array(1000).fill('1').join(', ')}]\nb: [${Array(90).fill('*a').join(', ')}]`,
      /20000 values/,
    ],
    ['101 aliases', `a: &a 1\nb: [${Array(101).fill('*a').join(', ')}]`, /more than 100 aliases/],
    ['an alias that contains itself', 'a: &a [*a]', /contains itself/],
    ['300 KB', `a: ${'x'.repeat(300_000)}`, /has 300003 bytes, more than 262144/],
    ['brackets', fill('['), /nested more than 64 deep/],
    ['braces', fill('{['), /nested more than 64 deep/],
    ['dashes', fill('- '), /nested more than 64 deep/],
    ['question marks', fill('? '), /nested more than 64 deep/],
    ['a staircase', Array.from({ length: 200 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), /nested more than 64 deep/],
    ['commas', `[${fill(',')}`, /more than 60000 YAML symbols/],
    ['25,000 keys', Array.from({ length: 25_000 }, (_, i) => `k${i}: 1`).join('\n'), /more than 60000 YAML symbols/],
    ['quotes', fill('"'), /more than 60000 YAML symbols/],
    ['anchors', fill('&a '), /more than 60000 YAML symbols/],
  ])('%s', (_name, text, expected) => {
    const { problems, value } = parse(text);
    // The best of three: the first also compiles the code, and a busy machine makes any one of them slow.
    const user = Math.min(...[1, 2, 3].map(() => userMicrosOf(() => parse(text))));
    expect(problems.map(({ problem }) => problem).join()).toMatch(expected);
    expect(problems.length).toBeLessThanOrEqual(2);
    expect(JSON.stringify(value).length).toBeLessThan(2_000_000);
    expect(user / 1000).toBeLessThan(200); // milliseconds of processor time: other work on the machine does not count
  });

  test('900 connectors are read in less than a second of processor time', () => {
    const entry = (i: number): string =>
      `  c${i}:\n    type: git\n    metadata: {path: "/a", docs_path: "docs"}\n    batch_size: 50\n    poll_interval_seconds: 300\n    enabled: true\n`;
    const text = `connectors:\n${Array.from({ length: 900 }, (_, i) => entry(i)).join('')}`;
    const begun = process.cpuUsage();
    expect(parse(text).problems).toEqual([]);
    expect(process.cpuUsage(begun).user / 1000).toBeLessThan(1000);
  });
});

describe('what YAML allows and a configuration does not', () => {
  test.each([
    ['duplicate keys', 'a: 1\nb: 2\n"a": 3', ['3:1 a duplicate key, first on line 1']],
    ['__proto__', 'a:\n  __proto__: {x: 1}', ['2:3 a.__proto__ this key is not allowed']],
    ['merge keys', 'a: &x {b: 1}\nc:\n  <<: *x', ['3:3 c."<<" merge keys (<<) are not part of YAML 1.2']],
    [
      'tags',
      "a: !!js/function 'x'\nb: !foo y",
      ['1:4  Unresolved tag: tag:yaml.org,2002:js/function', '2:4  Unresolved tag: !foo'],
    ],
    ['a leading zero', 'a: 0777', ['1:4 a a number with a leading zero']],
    ['inexact numbers', 'a: 9007199254740993', ['1:4 a a number too large to be exact']],
    [
      'infinite numbers',
      'a: .inf\nb: .nan\nc: 1e999',
      ['1:4 a a number without bounds', '2:4 b a number without bounds', '3:4 c a number without bounds'],
    ],
    ['keys that are collections', '? [a]\n: 1', ['1:3  a key must be plain text']],
    ['a list', '- a', ['1:1  the file must be a mapping']],
    ['a text', 'hello', ['1:1  the file must be a mapping']],
    ['two documents', 'a: 1\n---\nb: 2', ['2:1  a second document (---)']],
    ['tabs', 'a:\n\tb: 1', ['2:1  a tab used as indentation']],
    ['an unknown alias', 'a: *x', ['1:4 a *x is not defined above']],
  ])('%s', (_name, text, expected) => {
    expect(found(text)).toEqual(expected);
  });

  test('no object of the tree carries a foreign prototype', () => {
    const { value } = parse('a:\n  __proto__: {polluted: true}\n  constructor: {prototype: {polluted: true}}');
    expect(Object.getPrototypeOf(value['a'])).toBe(Object.prototype);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('a syntax error is reported alone, with its place', () => {
    expect(found('a:\n  b: 1\n   c: 2\nd: 3')).toEqual([expect.stringMatching(/^2:6 {2}not valid YAML: /)]);
  });

  test.each(['', '# only a comment', '---', '\ufeff'])('%j is an empty configuration', (text) => {
    expect(parse(text)).toMatchObject({ value: {}, problems: [] });
  });

  test('an alias gives the value a second time', () => {
    expect(parse('a: &x {b: 1}\nc: *x').value).toEqual({ a: { b: 1 }, c: { b: 1 } });
  });
});
