// P22: parse(print(configuration)) = configuration; a reference never re-expands, never evaluates, never changes a type.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { parseConfig } from './parse-config.ts';
import { substitute } from './substitute.ts';
import { parseYamlTree } from './yaml-tree.ts';

const read = (text: string, env: Record<string, string>) =>
  parseYamlTree(text, 'weir.yaml', { env, readFile: () => '' });

/** Dollar signs doubled, as the documentation says. */
function escaped(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$');
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, below]) => [key, escaped(below)]));
  return value;
}
const print = (value: object): string => stringify(escaped(value), { version: '1.2', schema: 'core' });

const refused = new Set(['__proto__', 'constructor', 'prototype', '<<']);
const hostile = fc.constantFrom(
  '${X}',
  '$$',
  '$',
  '${',
  '}',
  'yes',
  '0777',
  'null',
  '~',
  ': ',
  '#',
  "'",
  '"',
  '\n',
  '- ',
  '!!js/function',
  '*a',
  '&a',
  '{',
  '%',
  '---',
  '1e3',
  'true',
);
const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.array(fc.oneof(hostile, fc.string({ maxLength: 3 })), { maxLength: 5 }).map((parts) => parts.join('')),
);
const key = text.filter((each) => !refused.has(each));
// Integers beyond 2^53 are refused on purpose, and -0 has no spelling in YAML's core schema.
const double = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .filter((each) => !Number.isInteger(each) || Number.isSafeInteger(each))
  .map((each) => each + 0);
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.boolean(),
    fc.integer(),
    double,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;

const name = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,10}$/).filter((each) => each !== 'health');
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const nonEmpty = text.filter((each) => each !== '');
const connection = fc
  .record({
    enabled: fc.boolean(),
    type: optional(name),
    tenant: name,
    batch_size: fc.integer({ min: 1, max: 1000 }),
    poll_interval_seconds: fc.integer({ min: 1, max: 1000 }),
    max_retries: optional(fc.integer({ min: 0, max: 20 })),
    backoff_base_seconds: optional(fc.double({ min: 0.01, max: 3600, noNaN: true })),
    webhook_secret: optional(fc.oneof(nonEmpty, fc.array(nonEmpty, { minLength: 1, maxLength: 2 }))),
    credentials: optional(fc.oneof(nonEmpty, fc.dictionary(key, text, { noNullPrototype: true }))),
    metadata: fc.dictionary(key, json, { maxKeys: 4, noNullPrototype: true }),
  })
  .map((each) => JSON.parse(JSON.stringify(each)) as Record<string, unknown>); // drops what is undefined
const settings = fc.record({
  server: fc.record({ host: nonEmpty, port: fc.integer({ min: 0, max: 65_535 }) }),
  logging: fc.record({ level: fc.constantFrom('debug', 'info', 'warn', 'error') }),
  retry: fc.record({ jitter_pct: fc.double({ min: 0, max: 1, noNaN: true }).map(Math.abs) }),
  connectors: fc.dictionary(name, connection, { maxKeys: 3, noNullPrototype: true }),
});

test('what is printed is read back, and reading it again changes nothing', () => {
  const parse = (yaml: string) =>
    parseConfig({ text: yaml, file: '/p/weir.yaml', env: { X: 'expanded' }, cwd: '/', readFile: () => 'expanded' });
  fc.assert(
    fc.property(settings, (written) => {
      const once = parse(print(written));
      expect(once.settings).toMatchObject(written);
      const twice = parse(print(once.settings));
      expect([twice.config, twice.settings]).toEqual([once.config, once.settings]);
    }),
    { numRuns: 300 },
  );
});

test('the value of a variable in quotes arrives letter by letter, as text, whatever it contains', () => {
  fc.assert(
    fc.property(
      text,
      text.filter((each) => each !== ''),
      (other, value) => {
        const { value: tree, problems } = read('a: "${V}"\nb: \'<${V}>\'\nc: ["${V}"]\n', { V: value, X: other });
        expect([tree, problems]).toEqual([{ a: value, b: `<${value}>`, c: [value] }, []]);
      },
    ),
    { numRuns: 500 },
  );
});

test('the value of a variable without quotes never becomes structure, and is text unless YAML would read it as a scalar', () => {
  fc.assert(
    fc.property(nonEmpty, (value) => {
      const { value: tree, problems } = read('a: ${V}\nz: 1\n', { V: value });
      const { a, ...rest } = tree;
      expect(rest).toEqual({ z: 1 });
      // Only what looks like a number that would not arrive as written is refused.
      if (problems.length > 0)
        expect(value).toMatch(/^[-+]?(?:0\d+|\d{16,}|0[ox][0-9a-fA-F]{11,}|\.inf|\.nan|[\d.]+e\+?\d{3,})$/i);
      else if (typeof a === 'string') expect(a).toBe(value);
      else expect(['number', 'boolean', 'undefined']).toContain(typeof a);
    }),
    { numRuns: 500 },
  );
});

test('doubling every dollar sign keeps any text as it is', () => {
  fc.assert(
    fc.property(text, (each) => {
      const result = substitute(each.replaceAll('$', '$$$$'), { env: { X: 'expanded' }, readFile: () => 'expanded' });
      expect(result).toMatchObject({ text: each, references: [], missing: [], problems: [] });
    }),
  );
});
