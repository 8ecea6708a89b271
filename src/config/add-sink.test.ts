import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { addSinkText } from './add-sink.ts';

const ENTRY = { type: 'http', settings: { url: 'https://crm.example.com', secret: '${CRM_SECRET}' } };
const LINES = ['crm:', '  type: http', '  settings:', '    url: https://crm.example.com', '    secret: ${CRM_SECRET}'];
const indented = (indent: string) => LINES.map((line) => `${indent}${line}\n`).join('');

describe('an entry is added', () => {
  test.for<[string, string, string]>([
    ['an empty file', '', `sinks:\n${indented('  ')}`],
    ['a file without the section', 'connectors:\n  git:\n', `connectors:\n  git:\n\nsinks:\n${indented('  ')}`],
    ['a file without a last newline', 'data: .weir', `data: .weir\n\nsinks:\n${indented('  ')}`],
    ['a bare heading', 'sinks: # none yet\ndata: .weir\n', `sinks: # none yet\n${indented('  ')}data: .weir\n`],
    ['a bare heading at the end', 'data: .weir\nsinks:', `data: .weir\nsinks:\n${indented('  ')}`],
    [
      'a section with its own indentation and comments',
      '# top\nsinks:\n    # the old one\n    old:\n        type: http # why\n\n# below\nconnectors: {}\n',
      `# top\nsinks:\n    # the old one\n    old:\n        type: http # why\n${indented('    ')}\n# below\nconnectors: {}\n`,
    ],
    [
      'a section that ends with a text over several lines',
      'sinks:\n  old:\n    type: http\n    settings:\n      note: |\n        one\n        two\ndata: x\n',
      `sinks:\n  old:\n    type: http\n    settings:\n      note: |\n        one\n        two\n${indented('  ')}data: x\n`,
    ],
    [
      'a section at the end without newline',
      'sinks:\n  old: { type: http }',
      `sinks:\n  old: { type: http }\n${indented('  ')}`,
    ],
    [
      'lines that end with CR LF',
      'sinks:\r\n  old:\r\n    type: http\r\n',
      `sinks:\r\n  old:\r\n    type: http\r\n${indented('  ')}`,
    ],
  ])('to %s', ([, before, after]) => {
    expect(addSinkText(before, 'crm', ENTRY)).toBe(after);
  });
});

test('a name that is taken is refused', () => {
  expect(() => addSinkText('sinks:\n  crm:\n    type: http\n', 'crm', ENTRY)).toThrowError(
    expect.objectContaining({ code: 'input_invalid' }) as Error,
  );
});

test.for<[string, string]>([
  ['in flow style', 'sinks: { old: { type: http } }\n'],
  ['whole in flow style', '{ data: x }\n'],
  ['a list', '- a\n'],
  ['broken', 'a: [\n'],
  ['ended by a mark', 'data: x\n...\n'],
  ['indented as a whole', '  data: x\n'],
  ['with the section as an alias', 'a: &a\n  b: 1\nsinks: *a\n'],
])('a file that is %s is left alone, and the lines to write are said', ([, text]) => {
  expect(() => addSinkText(text, 'crm', ENTRY)).toThrowError(
    expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(indented('  ')) }) as Error,
  );
});

test('whatever stands in the file stays, line by line and in order, and means the same, and the entry is there as it was said', () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,8}$/);
  const scalar = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constantFrom('yes', '007', '#', 'a: b', '- x', '${A}'),
  );
  const comment = fc.constantFrom('', '# a comment\n', '\n', '  # an indented one\n');
  const sinks = fc.dictionary(name, scalar, { maxKeys: 3, noNullPrototype: true });
  fc.assert(
    fc.property(
      sinks,
      comment,
      comment,
      name,
      fc.dictionary(name, scalar, { noNullPrototype: true }),
      (old, above, below, added, settings) => {
        fc.pre(!Object.hasOwn(old, added));
        const lines = Object.entries(old).map(
          ([key, value]) => `  "${key}":\n    settings: ${JSON.stringify({ value })}\n${above}`,
        );
        const before = `${above}data: x\n${lines.length > 0 ? `sinks:\n${lines.join('')}` : ''}${below}queue:\n  max_size: 10\n`;
        const entry = { type: 'http', settings };
        const after = addSinkText(before, added, entry);
        const was = parse(before) as { sinks?: object };
        expect(parse(after)).toEqual({ ...was, sinks: { ...was.sinks, [added]: entry } });
        const left = after.split('\n');
        for (const line of before.split('\n')) {
          const at = left.indexOf(line);
          expect([line, at >= 0]).toEqual([line, true]);
          left.splice(0, at + 1);
        }
      },
    ),
    { numRuns: 300 },
  );
});
