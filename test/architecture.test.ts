// Reads ARCHITECTURE.md and holds src/ to it. The second half shows, for every rule, a small source tree that breaks it.

import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

import { EXCEPTIONS } from './architecture/exceptions.ts';
import {
  checkBannedGlobals,
  checkDefaultExports,
  checkFileSizes,
  checkNames,
  checkShapes,
} from './architecture/file-rules.ts';
import { checkCycles, checkImports, type Violation } from './architecture/import-rules.ts';
import { parseArchitecture, roomOf, type Architecture } from './architecture/rooms.ts';
import { functionsOf, interfacesOf } from './architecture/shape.ts';
import { importsOf, maskSource, type SourceFile } from './architecture/source.ts';

const root = resolve(import.meta.dirname, '..');
const page = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');

function check(files: readonly SourceFile[], architecture: Architecture): Violation[] {
  return [
    ...checkImports(files, architecture),
    ...checkCycles(files, architecture),
    ...checkBannedGlobals(files),
    ...checkNames(files),
    ...checkFileSizes(files),
    ...checkShapes(files),
    ...checkDefaultExports(files),
  ];
}

function readSources(): SourceFile[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .map((path) => `src/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts') && !path.includes('/fixtures/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

describe('this repository', () => {
  const architecture = parseArchitecture(page);
  const files = readSources();
  const violations = check(files, architecture);

  test.for(['import', 'path', 'cycle', 'package', 'banned', 'name', 'size', 'function', 'contract', 'default export'])(
    'no file in src/ breaks the rule "%s"',
    (rule) => {
      const excused = (path: string): boolean =>
        EXCEPTIONS.some((exception) => exception.rule === rule && exception.path === path);
      const found = violations.filter((violation) => violation.rule === rule && !excused(violation.path));
      expect(found.map(({ path, line, message }) => `${path}:${line} ${message}`)).toEqual([]);
      expect(page).toMatch(new RegExp(`^\\| ${rule} +\\|`, 'm'));
    },
  );

  test('every exception is still needed', () => {
    const idle = EXCEPTIONS.filter(
      ({ rule, path }) => !violations.some((violation) => violation.rule === rule && violation.path === path),
    );
    expect(idle).toEqual([]);
  });

  test('the files found include the contracts of core', () => {
    expect(files.map(({ path }) => path)).toContain('src/core/event.ts');
    expect(roomOf('src/core/event.ts', architecture.rooms)?.room).toBe('core');
  });
});

describe('each rule can fail', () => {
  const architecture = parseArchitecture(page);

  /** Messages of one rule over a tree given as path → text. */
  function broken(rule: string, tree: Record<string, string>, of: Architecture = architecture): string[] {
    const files = Object.entries(tree).map(([path, text]) => ({ path, text }));
    return check(files, of)
      .filter((violation) => violation.rule === rule)
      .map(({ path, line, message }) => `${path}:${line} ${message}`);
  }

  test.for([
    ['sinks/http', "import type { A } from '#engine/a.ts';", 'return a result per event'],
    ['connectors/git', "import { a } from '#connectors/logs/a.ts';", 'need it from sdk'],
    ['sinks/http', "import { a } from '#sinks/qdrant/a.ts';", 'need it from sdk'],
    ['core', "export { a } from '#policies/a.ts';", 'core knows nobody'],
    ['storage/sqlite', "import { a } from '#storage/postgres/a.ts';", 'engines do not know each other'],
    ['engine', "const a = await import('#storage/sqlite/a.ts');", 'main chooses the engine'],
    ['cli', "import '#server/a.ts';", 'both render operations'],
    ['server', "let a: import('#sdk/a.ts').A;", 'put behaviour into operations'],
    ['operations', "import { main } from '../main.ts';", 'leaves the room operations'],
    ['operations', "import { main } from '#main.ts';", 'main builds the others'],
    ['engine', "import { a } from '#nowhere/a.ts';", 'lies in no room'],
  ] as const)('%s may not say: %s', ([room, text, advice]) => {
    const found = broken(advice.startsWith('leaves') ? 'path' : 'import', {
      [`src/${room}/x.ts`]: `// first line\n${text}\n`,
    });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`src/${room}/x.ts:2 `);
    expect(found[0]).toContain(advice);
  });

  test('a file outside every room is found', () => {
    expect(broken('import', { 'src/loose.ts': '', 'src/elsewhere/a.ts': '', 'src/storage/a.ts': '' })).toHaveLength(3);
  });

  test('a test may import any room but main', () => {
    const text = "import { a } from '#engine/a.ts';\nimport { main } from '#main.ts';\n";
    expect(broken('import', { 'src/core/a.test.ts': text })).toEqual([
      expect.stringContaining('src/core/a.test.ts:2 tests may not import main'),
    ]);
  });

  test('a path that leaves the room, a # that stays in it and a computed path are found', () => {
    const text = "import { a } from '../core/event.ts';\nimport { b } from '#engine/b.ts';\nawait import(name);\n";
    expect(broken('path', { 'src/engine/a.ts': text })).toHaveLength(3);
    expect(broken('path', { 'src/connectors/git/a.ts': "import { b } from '../logs/b.ts';" })).toHaveLength(1);
    expect(
      broken('path', { 'src/engine/deep/a.ts': "import { b } from '../b.ts';", 'src/main.ts': 'await import(name);' }),
    ).toEqual([]);
  });

  test('a cycle of files is found unless types alone close it', () => {
    const a = "import { b } from './b.ts';";
    expect(broken('cycle', { 'src/core/a.ts': a, 'src/core/b.ts': "import { a } from './a.ts';" })).toEqual([
      expect.stringContaining('src/core/a.ts → src/core/b.ts → src/core/a.ts'),
    ]);
    expect(broken('cycle', { 'src/core/a.ts': a, 'src/core/b.ts': "import { type A } from './a.ts';" })).toEqual([]);
    expect(broken('cycle', { 'src/core/a.ts': a, 'src/core/b.ts': "import type { A } from './a.ts';" })).toEqual([]);
  });

  test('a cycle of rooms is found, in the sources and in the table', () => {
    const tree = {
      'src/core/a.ts': "import type { B } from '#sdk/b.ts';",
      'src/sdk/c.ts': "import type { A } from '#core/a.ts';",
    };
    expect(broken('cycle', tree)).toEqual([expect.stringContaining('core → sdk → core')]);
    const table = parseArchitecture(
      '| room | may import |\n|---|---|\n| a | b |\n| b | a |\n\n| package | rooms |\n|---|---|\n',
    );
    expect(broken('cycle', {}, table)).toEqual([expect.stringContaining('a → b → a')]);
  });

  test('a package outside its room and one in no row are found', () => {
    const text =
      "import fastify from 'fastify';\nimport { z } from 'zod';\nimport { x } from '@scope/x/deep';\nimport { DatabaseSync } from 'node:sqlite';\n";
    const found = broken('package', { 'src/engine/a.ts': text });
    expect(found).toHaveLength(3);
    expect(found[0]).toContain('fastify belongs to server, not to engine');
    expect(found[1]).toContain('@scope/x is in no row');
    expect(found[2]).toContain('node:sqlite belongs to storage/sqlite');
    expect(
      broken('package', {
        'src/server/a.ts': "import fastify from 'fastify';",
        'src/storage/sqlite/a.ts': "import 'node:sqlite';",
      }),
    ).toEqual([]);
  });

  test.for([
    'Date.now()',
    'new Date()',
    'new Date',
    'performance.now()',
    'process.hrtime.bigint()',
    'setTimeout(f, 1)',
    'setInterval(f, 1)',
    'Math.random()',
    'crypto.randomUUID()',
    "fetch('http://a')",
    'process.env.A',
    'process.exit(1)',
    'process.argv',
    'console.log(1)',
    "import { setTimeout } from 'node:timers/promises';",
  ])('%s is banned outside main and its adapters', (text) => {
    expect(broken('banned', { 'src/engine/a.ts': text })).toHaveLength(1);
    expect(broken('banned', { 'src/testing/a.ts': text })).toHaveLength(1);
    expect(broken('banned', { 'src/main.ts': text, 'src/main/env.ts': text, 'src/engine/a.test.ts': text })).toEqual(
      [],
    );
  });

  test.for([
    'new Date(clock.now())',
    'clock.now()',
    'this.fetch(url)',
    'function open({ fetch }: Env) { return fetch(url); }',
    '// Date.now()',
    "const hint = 'use process.env';",
    'const text = `console.log(${name})`;',
    'timers.setTimeout(f)',
    'const pattern = /console.log/;',
  ])('%s is not mistaken for a banned global', (text) => {
    expect(broken('banned', { 'src/engine/a.ts': text })).toEqual([]);
  });

  test('junk drawers are found as files and as folders', () => {
    expect(
      broken('name', {
        'src/engine/utils.ts': '',
        'src/sdk/common/a.ts': '',
        'src/sdk/http-helpers.ts': '',
        'src/cli/misc.test.ts': '',
      }),
    ).toHaveLength(4);
    expect(broken('name', { 'src/engine/common-prefix.ts': '', 'src/core/event.ts': '' })).toEqual([]);
  });

  test('files above the budgets are found', () => {
    const tree = (count: number, lines: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`src/core/f${n}.ts`, 'let a;\n'.repeat(lines)]));
    expect(broken('size', tree(1, 501))).toEqual([expect.stringContaining('501 lines')]);
    expect(broken('size', tree(1, 500))).toEqual([]);
    expect(broken('size', tree(20, 120))).toEqual([expect.stringContaining('median')]);
    expect(
      broken('size', {
        ...tree(20, 300),
        ...Object.fromEntries(Object.entries(tree(30, 10)).map(([path, text]) => [`${path}x.ts`, text])),
      }),
    ).toEqual([expect.stringContaining('one file in ten')]);
  });

  test('a function above the budget is found in every form, and a closure counts for itself', () => {
    const body = (lines: number): string => '  work();\n'.repeat(lines);
    const forms = [
      (n: number) => `export async function f(a: { b: string }): Promise<{ c: string }> {\n${body(n)}}\n`,
      (n: number) => `const f = async (a: number): Promise<void> => {\n${body(n)}};\n`,
      (n: number) => `class A {\n  async f(a = (1)): Promise<void> {\n${body(n)}  }\n}\n`,
      (n: number) => `export const o = {\n  f(a: string) {\n${body(n)}  },\n};\n`,
    ];
    for (const form of forms) {
      expect(broken('function', { 'src/core/a.ts': form(68) })).toEqual([]);
      expect(broken('function', { 'src/core/a.ts': form(69) })).toEqual([
        expect.stringContaining('f has 71 lines of its own'),
      ]);
    }
    const closures = `function make() {\n  const a = () => {\n${body(60)}  };\n  function b() {\n${body(60)}  }\n  return { a, b };\n}\n`;
    expect(broken('function', { 'src/core/a.ts': closures })).toEqual([]);
  });

  test('an interface with more than twelve callable members is found, a wide record is not', () => {
    const members = (count: number, member: (n: number) => string): string =>
      `export interface Wide<T> extends Other<T> {\n${Array.from({ length: count }, (_, n) => `  /** Says; { why. */\n  ${member(n)}`).join('\n')}\n}\n`;
    expect(
      broken('contract', { 'src/core/a.ts': members(13, (n) => `m${n}<U>(a: { b: string }): Promise<U>;`) }),
    ).toHaveLength(1);
    expect(
      broken('contract', { 'src/core/a.ts': members(13, (n) => `readonly m${n}?: (a: string) => void;`) }),
    ).toHaveLength(1);
    expect(broken('contract', { 'src/core/a.ts': members(12, (n) => `m${n}(): void;`) })).toEqual([]);
    expect(
      broken('contract', { 'src/core/a.ts': members(30, (n) => `readonly m${n}: { a: string; b(): void };`) }),
    ).toEqual([]);
  });

  test('a default export is found outside the entry files of plugins', () => {
    const text = 'export default defineConnector({});';
    expect(
      broken('default export', { 'src/core/a.ts': text, 'src/connectors/git/walk.ts': 'export { walk as default };' }),
    ).toHaveLength(2);
    expect(
      broken('default export', { 'src/connectors/git/connector.ts': text, 'src/sinks/http/sink.ts': text }),
    ).toEqual([]);
  });

  test('a page without its tables is an error, not a free pass', () => {
    expect(() => parseArchitecture('# Architecture\n')).toThrow('no table');
  });
});

describe('reading sources', () => {
  test('every form of import is seen, and none inside comments, strings, templates or patterns', () => {
    const text = [
      "import a, { type B, c as d } from 'p1';",
      "import * as e from 'p2';",
      "import type { F } from 'p3';",
      "import 'p4';",
      "export * from 'p5';",
      "export * as g from 'p6';",
      "export type { H } from 'p7';",
      "const i = await import('p8');",
      "type J = typeof import('p9');",
      "import {\n  k,\n  l,\n} from 'p10';",
      "// import 'no1'",
      "/* import 'no2' */",
      'const s = "import \'no3\'";',
      "const t = `import 'no4' ${m(`} ${n}`)} import 'no5'`;",
      "const r = /['\"`] import 'no6'/;",
      "const q = a / b; import 'p11';",
      "import { type O, type P } from 'p12';",
    ].join('\n');
    const edges = importsOf(text);
    expect(edges.map(({ specifier }) => specifier)).toEqual(Array.from({ length: 12 }, (_, n) => `p${n + 1}`));
    expect(edges.filter(({ typeOnly }) => typeOnly).map(({ specifier }) => specifier)).toEqual([
      'p3',
      'p7',
      'p9',
      'p12',
    ]);
  });

  test('masking keeps every offset and line break', () => {
    for (const { text } of readSources()) {
      const code = maskSource(text);
      expect(code.length).toBe(text.length);
      expect(code.split('\n').length).toBe(text.split('\n').length);
    }
  });

  test('braces of masked sources balance', () => {
    for (const { path, text } of readSources()) {
      const code = maskSource(text);
      expect(`${path} ${code.split('{').length}`).toBe(`${path} ${code.split('}').length}`);
    }
  });

  test('functions and interfaces of a real file are seen', () => {
    const code = maskSource(readFileSync(join(root, 'test/architecture/source.ts'), 'utf8'));
    expect(functionsOf(code).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['maskSource', 'blankTo', 'copy', 'importsOf', 'closingOf']),
    );
    expect(interfacesOf(code).map(({ name }) => name)).toEqual(['SourceFile', 'ImportEdge']);
  });
});
