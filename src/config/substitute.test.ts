import { describe, expect, test } from 'vitest';
import { substitute, type ReferenceSources } from './substitute.ts';
import { parseYamlTree } from './yaml-tree.ts';

const FILES: Readonly<Record<string, string>> = {
  '/run/secrets/t': 's3cret\n',
  '/two': 'a\nb\n\n',
  '/crlf': 'x\r\n',
  '/long': 'x'.repeat(70_000),
  '/ref': '${S}',
};
const sources: ReferenceSources = {
  env: {
    N: '8000',
    B: 'true',
    S: 'value',
    Q: 'x: y',
    R: '${S}',
    E: '',
    NL: 'a: 1\nb: 2',
    Z: '007',
    BIG: '12345678901234567890',
    NUL: 'null',
    HEX: '0xff',
    CONTROL: '\u001b[31m',
  },
  readFile: (path) => {
    const text = FILES[path];
    if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    return text;
  },
};

function read(written: string): {
  readonly value: unknown;
  readonly problems: readonly string[];
  readonly missing: readonly string[];
} {
  const tree = parseYamlTree(`key: ${written}\n`, 'weir.yaml', sources);
  return {
    value: tree.value['key'],
    problems: tree.problems.map(({ problem }) => problem),
    missing: tree.missing.map(({ variable }) => variable),
  };
}

describe('a reference becomes what the table of the documentation says', () => {
  test.each([
    ['${N}', 8000],
    ['${env:N}', 8000],
    ['"${N}"', '8000'],
    ["'${N}'", '8000'],
    ['${B}', true],
    ['"${B}"', 'true'],
    ['a ${S} ${N}', 'a value 8000'],
    ['${Q}', 'x: y'],
    ['${R}', '${S}'],
    ['$${S}', '${S}'],
    ['$$${S}', '$value'],
    ['$$$${S}', '$${S}'],
    ['a $$ b', 'a $ b'],
    ['$S', '$S'],
    ['cost: $5', undefined],
    ['5$', '5$'],
    ['${X:-5}', 5],
    ['"${X:-5}"', '5'],
    ['${X:-a b}', 'a b'],
    ['${env:X:-no}', 'no'],
    ['${N:-5}', 8000],
    ['${E:-fallback}', 'fallback'],
    ['${X:-$S}', '$S'],
    ['"${X:-}"', ''],
    ['${HEX}', 255],
    ['${N}${N}', 80008000],
    ['${NL}', 'a: 1\nb: 2'],
    ['${CONTROL}', '\u001b[31m'],
    ['${file:/run/secrets/t}', 's3cret'],
    ['${file:/two}', 'a\nb\n'],
    ['${file:/crlf}', 'x'],
    ['${file:/ref}', '${S}'],
    ['Bearer ${file:/run/secrets/t}', 'Bearer s3cret'],
    ['|\n  ${S} and\n  ${N}', 'value and\n8000\n'],
  ])('%s is %j', (written, expected) => {
    if (expected === undefined) return expect(read(written).problems).toHaveLength(1); // `a: b: c` is no YAML
    expect(read(written)).toEqual({ value: expected, problems: [], missing: [] });
  });

  test('an empty value and null count as not written', () => {
    expect([read('${X:-}'), read('${NUL}'), read('')].map(({ value }) => value)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('keys are not substituted', () => {
    expect(parseYamlTree('${S}: 1\n"${N}": 2\n', 'weir.yaml', sources).value).toEqual({ '${S}': 1, '${N}': 2 });
  });
});

describe('what is no reference is a problem', () => {
  test.each([
    ['${}', '${} is not a reference'],
    ['${a-b}', '${a-b} is not a reference'],
    ['${1A}', '${1A} is not a reference'],
    ['${N:?message}', '${N:?message} is not a reference'],
    ['${N-5}', '${N-5} is not a reference'],
    ['${env:}', '${env:} is not a reference'],
    ['${file:}', '${file:} is not a reference'],
    ['${sh:rm -rf /}', '${sh:rm -rf /} is not a reference'],
    ['${N', 'a reference is not closed'],
    ['"${${N}}"', '${${N} is not a reference'],
    ['${file:/none}', 'the file /none cannot be read (ENOENT)'],
    ['${file:/long}', 'the file /long is longer than 65536 characters'],
    ['${Z}', '${Z}: a number with a leading zero'],
    ['${BIG}', '${BIG}: a number too large to be exact'],
  ])('%s: %s', (written, problem) => {
    expect(read(written).problems).toEqual([problem]);
  });

  test('names of object prototypes are variables like any other: missing', () => {
    expect(read('${constructor}${__proto__}').missing).toEqual(['constructor', '__proto__']);
  });

  test('every missing variable of a scalar is named, empty ones too', () => {
    expect(substitute('${A} ${N} ${E} ${C:-x}', sources).missing).toEqual(['A', 'E']);
  });

  test.each(['[${S}]', '{a: ${S}}', '[a, ${S}]'])('%s says that the reference needs quotes', (written) => {
    const { problems } = parseYamlTree(`key: ${written}\n`, 'weir.yaml', sources);
    expect(problems).toEqual([
      expect.objectContaining({
        line: 1,
        problem: 'a reference inside [ ] or { } without quotes',
        hint: 'put it in quotes: ["${NAME}"]',
      }),
    ]);
  });

  test('quoted references inside [ ] and { } work', () => {
    expect(read('["${S}", {a: "${N}"}]').value).toEqual(['value', { a: '8000' }]);
  });
});
