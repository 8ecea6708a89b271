import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createTerminal, toJsonText, widthOf, type TerminalFlags, type TerminalOptions } from './terminal.ts';

const ESC = '\u001b';
const ERASE = `\r${ESC}[2K`;

function record(change: Partial<TerminalOptions> = {}) {
  let out = '';
  let err = '';
  let screen = '';
  const terminal = createTerminal({
    writeOut: (text) => ((out += text), (screen += text)),
    writeErr: (text) => ((err += text), (screen += text)),
    outIsTerminal: true,
    errIsTerminal: true,
    columns: 80,
    env: {},
    ...change,
  });
  return { terminal, out: () => out, err: () => err, screen: () => screen };
}

function paints(env: TerminalOptions['env'], flags: TerminalFlags, isTerminal: boolean): boolean {
  const { terminal } = record({ env, outIsTerminal: isTerminal, errIsTerminal: isTerminal });
  const shown = terminal.withFlags(flags).paint('red', 'x');
  expect(terminal.withFlags(flags).paintNote('red', 'x')).toBe(shown);
  return shown !== 'x';
}

describe('colour', () => {
  test.for<[string, TerminalOptions['env'], TerminalFlags, boolean, boolean]>([
    ['a terminal has colour', {}, {}, true, true],
    ['a pipe has none', {}, {}, false, false],
    ['FORCE_COLOR colours a pipe', { FORCE_COLOR: '1' }, {}, false, true],
    ['FORCE_COLOR=0 takes it from a terminal', { FORCE_COLOR: '0' }, {}, true, false],
    ['FORCE_COLOR wins over TERM=dumb', { FORCE_COLOR: '1', TERM: 'dumb' }, {}, true, true],
    ['TERM=dumb takes it', { TERM: 'dumb' }, {}, true, false],
    ['NO_COLOR wins over FORCE_COLOR', { NO_COLOR: '1', FORCE_COLOR: '1' }, {}, true, false],
    ['NO_COLOR with any value counts', { NO_COLOR: '0' }, {}, true, false],
    ['an empty NO_COLOR does not', { NO_COLOR: '' }, {}, true, true],
    ['an empty FORCE_COLOR does not', { FORCE_COLOR: '' }, {}, false, false],
    ['--no-color wins over FORCE_COLOR', { FORCE_COLOR: '1' }, { color: false }, true, false],
    ['--json has none', { FORCE_COLOR: '1' }, { json: true }, true, false],
  ])('%s', ([, env, flags, isTerminal, expected]) => {
    expect(paints(env, flags, isTerminal)).toBe(expected);
  });

  test('the first that speaks decides: --no-color, NO_COLOR, FORCE_COLOR, TERM=dumb, the terminal', () => {
    const variable = fc.constantFrom(undefined, '', '0', '1', 'true', 'dumb', 'xterm-256color');
    fc.assert(
      fc.property(
        variable,
        variable,
        variable,
        fc.constantFrom(undefined, true, false),
        fc.boolean(),
        (NO_COLOR, FORCE_COLOR, TERM, color, isTerminal) => {
          const rules: readonly (boolean | undefined)[] = [
            color === false ? false : undefined,
            NO_COLOR === undefined || NO_COLOR === '' ? undefined : false,
            FORCE_COLOR === undefined || FORCE_COLOR === '' ? undefined : FORCE_COLOR !== '0',
            TERM === 'dumb' ? false : undefined,
            isTerminal,
          ];
          const flags = color === undefined ? {} : { color };
          expect(paints({ NO_COLOR, FORCE_COLOR, TERM }, flags, isTerminal)).toBe(
            rules.find((rule) => rule !== undefined),
          );
        },
      ),
    );
  });

  test('stdout and stderr are judged apart', () => {
    const { terminal } = record({ outIsTerminal: false, errIsTerminal: true });
    expect(terminal.paint('red', 'x')).toBe('x');
    expect(terminal.paintNote('red', 'x')).toBe(`${ESC}[31mx${ESC}[39m`);
  });
});

describe('symbols', () => {
  test.for<[TerminalOptions['env'], boolean]>([
    [{}, true],
    [{ LANG: 'de_DE.UTF-8' }, true],
    [{ LANG: 'C' }, false],
    [{ LC_ALL: 'C.utf8', LANG: 'C' }, true],
    [{ LC_ALL: 'C', LANG: 'en_US.UTF-8' }, false],
    [{ LC_ALL: '', LANG: 'en_US.UTF-8' }, true],
    [{ LC_ALL: '', LC_CTYPE: 'POSIX', LANG: 'en_US.UTF-8' }, false],
  ])('with %o Unicode is %s', ([env, expected]) => {
    expect(record({ env }).terminal.unicode).toBe(expected);
  });
});

describe('progress', () => {
  test('on a terminal it replaces itself and is gone before the answer', () => {
    const { terminal, screen, out } = record();
    terminal.progress('one');
    terminal.progress('two');
    terminal.line('answer');
    expect(screen()).toBe(`one${ERASE}two${ERASE}answer\n`);
    expect(out()).toBe('answer\n');
  });

  test.for(['line', 'document', 'record', 'note'] as const)('a %s erases it', (method) => {
    const { terminal, screen } = record();
    terminal.progress('pulling');
    terminal[method]('answer');
    expect(screen()).toMatch(new RegExp(`^pulling\r${ESC}\\[2K"?answer"?\n$`));
  });

  test('it is erased by a view with other flags: the screen is the same one', () => {
    const { terminal, screen } = record();
    terminal.withFlags({ json: true }).progress('one');
    terminal.withFlags({}).progress('two');
    terminal.document(1);
    expect(screen()).toBe(`one${ERASE}two${ERASE}1\n`);
  });

  test.for<[string, Partial<TerminalOptions>]>([
    ['a pipe', { errIsTerminal: false }],
    ['CI', { env: { CI: 'true' } }],
  ])('in %s each call is a line without escapes', ([, change]) => {
    const { terminal, err } = record(change);
    terminal.progress('one\u001b[2K');
    terminal.progress('two');
    terminal.line('answer');
    expect(err()).toBe('one\ufffd[2K\ntwo\n');
  });

  test('it never fills the last column, which would wrap and could not be erased', () => {
    const { terminal, err } = record({ columns: 20 });
    terminal.progress('x'.repeat(50));
    expect(widthOf(err())).toBeLessThan(20);
  });

  test('it never reaches stdout', () => {
    const { terminal, out } = record({ outIsTerminal: false });
    terminal.progress('one');
    terminal.note('two');
    expect(out()).toBe('');
  });
});

describe('JSON', () => {
  test('nothing in it can act on a terminal, and it reads back as the same value', () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.constantFrom(
          '\u007f',
          '\u009b',
          '\u202e',
          '\u2066',
          '\u2028',
          '\ufeff',
          '\u061c',
          '\u0000',
          '\u001b',
          '"',
          '\\',
          '\n',
        ),
        fc.string({ minLength: 1, maxLength: 1 }),
      ),
    });
    fc.assert(
      fc.property(fc.dictionary(text, text), (value) => {
        const written = toJsonText(value, 2);
        expect(written).not.toMatch(
          /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/,
        );
        expect(JSON.stringify(JSON.parse(written))).toBe(JSON.stringify(value));
      }),
    );
  });

  test('a record is one line, a document ends in one', () => {
    const { terminal, out } = record();
    terminal.record({ a: 'x\ny', b: [1] });
    terminal.document({ a: 1 });
    expect(out()).toBe('{"a":"x\\ny","b":[1]}\n{\n  "a": 1\n}\n');
  });
});

describe('width', () => {
  test.for<[string, number]>([
    ['', 0],
    ['abc', 3],
    ['田中', 4],
    [`${ESC}[31mred${ESC}[39m`, 3],
    ['● ok', 4],
    ['🚀', 2],
    ['한글', 4],
  ])('%j takes %i columns', ([text, width]) => {
    expect(widthOf(text)).toBe(width);
  });
});

describe('fit', () => {
  test('a terminal gets a cut line, a pipe all of it, both without control characters', () => {
    const text = `${'x'.repeat(400)}\n${ESC}[31m`;
    expect(record().terminal.fit(text, 100)).toBe(`${'x'.repeat(99)}…`);
    expect(record({ outIsTerminal: false }).terminal.fit(text, 100)).toBe(`${'x'.repeat(400)} \ufffd[31m`);
  });
});
