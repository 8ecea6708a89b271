// Rules about one file at a time: banned globals, names, sizes, default exports.

import { isTest, type Violation } from './import-rules.ts';
import { functionsOf, interfacesOf } from './shape.ts';
import { importsOf, lineOf, maskSource, type SourceFile } from './source.ts';

export const BUDGETS = {
  fileLinesMax: 500,
  fileLinesNineInTenMax: 300,
  fileLinesMedianMax: 120,
  functionLinesMax: 70,
  contractMembersMax: 12,
  /** Below this many files a median says nothing. */
  filesForStatisticsMin: 20,
} as const;

const GLOBAL = String.raw`(?<![.\w$#])(?:globalThis\s*\.\s*)?`;
const BANNED: readonly [what: string, pattern: RegExp, instead: string][] = [
  [
    'Date.now',
    new RegExp(`${GLOBAL}Date\\s*\\.\\s*now\\b`, 'g'),
    'clock.now() for people and protocols, clock.monotonic() for elapsed time (I10)',
  ],
  ['new Date()', new RegExp(`\\bnew\\s+Date\\b(?!\\s*\\(\\s*[^\\s)])`, 'g'), 'new Date(clock.now())'],
  ['performance.now', new RegExp(`${GLOBAL}performance\\s*\\.\\s*now\\b`, 'g'), 'clock.monotonic() (I10)'],
  ['process.hrtime', /\bprocess\s*\.\s*hrtime\b/g, 'clock.monotonic() (I10)'],
  ['setTimeout', new RegExp(`${GLOBAL}setTimeout\\s*\\(`, 'g'), 'clock.sleep(ms, signal)'],
  ['setInterval', new RegExp(`${GLOBAL}setInterval\\s*\\(`, 'g'), 'a loop on clock.sleep(ms, signal)'],
  ['setImmediate', new RegExp(`${GLOBAL}setImmediate\\s*\\(`, 'g'), 'clock.turn()'],
  ['Math.random', /\bMath\s*\.\s*random\b/g, 'random.float()'],
  ['randomUUID', /\brandomUUID\b/g, 'random.id()'],
  ['global fetch', /(?<![.\w$#])fetch\s*\(|\bglobalThis\s*\.\s*fetch\b/g, 'the guarded client of the connection'],
  ['process.env', /\bprocess\s*\.\s*env\b/g, 'typed config, passed down from main'],
  ['process.exit', /\bprocess\s*\.\s*exit(?:Code)?\b/g, 'a Fault; main turns it into an exit code'],
  ['process.argv', /\bprocess\s*\.\s*argv\b/g, 'a parameter; main passes the arguments'],
  ['console', new RegExp(`${GLOBAL}console\\s*\\.`, 'g'), 'the logger, or the writer of the command line'],
];
/** Modules whose only use here would be one of the above under another name. */
const BANNED_MODULES: Readonly<Record<string, string>> = {
  'node:timers': 'clock.sleep(ms, signal)',
  'node:timers/promises': 'clock.sleep(ms, signal)',
  'node:process': 'typed config, passed down from main',
  'node:console': 'the logger, or the writer of the command line',
};
/** A parameter or method called fetch is how the client is passed in. */
const OWN_FETCH = /\b(?:const|let|function|async)\s+fetch\b|[{,(]\s*fetch\s*[,}:)=]|^\s*fetch\s*\([^)]*\)\s*[:{]/m;

/** Tests and main's adapters are where the real clock, environment and terminal come from. */
export function checkBannedGlobals(files: readonly SourceFile[]): Violation[] {
  return files
    .filter(({ path }) => !isTest(path) && !isMain(path))
    .flatMap(({ path, text }) => {
      const code = maskSource(text);
      const uses = BANNED.filter(([what]) => what !== 'global fetch' || !OWN_FETCH.test(code)).flatMap(
        ([what, pattern, instead]) =>
          [...code.matchAll(pattern)].map((match) => ({ what, instead, line: lineOf(text, match.index) })),
      );
      const modules = importsOf(text, code).flatMap(({ specifier, line }) => {
        const instead = specifier === undefined ? undefined : BANNED_MODULES[specifier];
        return specifier === undefined || instead === undefined ? [] : [{ what: specifier, instead, line }];
      });
      return [...uses, ...modules].map(({ what, instead, line }) => ({
        rule: 'banned',
        path,
        line,
        message: `${what} cannot be simulated or read off the signature: use ${instead}`,
      }));
    });
}

function isMain(path: string): boolean {
  return path === 'src/main.ts' || path.startsWith('src/main/');
}

const JUNK_DRAWERS = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'shared', 'misc']);

export function checkNames(files: readonly SourceFile[]): Violation[] {
  return files.flatMap(({ path }) => {
    const stems = path.split('/').map((part) => part.split('.')[0] ?? '');
    const junk = stems.find((stem) => JUNK_DRAWERS.has(stem.split('-').at(-1) ?? '') || JUNK_DRAWERS.has(stem));
    if (junk === undefined) return [];
    return [
      {
        rule: 'name',
        path,
        line: 1,
        message: `"${junk}" says nothing about what is inside: name the noun, or move each piece to the room that needs it`,
      },
    ];
  });
}

export function checkFileSizes(files: readonly SourceFile[]): Violation[] {
  const tooLong = files
    .filter(({ text }) => linesIn(text) > BUDGETS.fileLinesMax)
    .map(({ path, text }) =>
      sizeViolation(
        path,
        `${linesIn(text)} lines, at most ${BUDGETS.fileLinesMax}: split it where it names two things`,
      ),
    );
  const lengths = files
    .filter(({ path }) => !isTest(path))
    .map(({ text }) => linesIn(text))
    .sort((a, b) => a - b);
  if (lengths.length < BUDGETS.filesForStatisticsMin) return tooLong;
  const median = lengths[Math.floor(lengths.length / 2)] ?? 0;
  const nineInTen = lengths[Math.floor(lengths.length * 0.9)] ?? 0;
  return [
    ...tooLong,
    ...(median >= BUDGETS.fileLinesMedianMax
      ? [sizeViolation('src', `the median file has ${median} lines, the budget is ${BUDGETS.fileLinesMedianMax}`)]
      : []),
    ...(nineInTen >= BUDGETS.fileLinesNineInTenMax
      ? [
          sizeViolation(
            'src',
            `one file in ten has ${nineInTen} lines or more, the budget is ${BUDGETS.fileLinesNineInTenMax}`,
          ),
        ]
      : []),
  ];
}

function sizeViolation(path: string, message: string): Violation {
  return { rule: 'size', path, line: 1, message };
}

function linesIn(text: string): number {
  return text.trimEnd().split('\n').length;
}

export function checkShapes(files: readonly SourceFile[]): Violation[] {
  return files
    .filter(({ path }) => !isTest(path))
    .flatMap(({ path, text }) => {
      const code = maskSource(text);
      const functions = functionsOf(code)
        .filter(({ ownLines }) => ownLines > BUDGETS.functionLinesMax)
        .map(({ name, line, ownLines }) => ({
          rule: 'function',
          path,
          line,
          message: `${name} has ${ownLines} lines of its own, at most ${BUDGETS.functionLinesMax}: keep the decisions, move the arithmetic into functions below`,
        }));
      const contracts = interfacesOf(code)
        .filter(({ callableMembers }) => callableMembers > BUDGETS.contractMembersMax)
        .map(({ name, line, callableMembers }) => ({
          rule: 'contract',
          path,
          line,
          message: `${name} has ${callableMembers} callable members, at most ${BUDGETS.contractMembersMax}: split it by who calls it`,
        }));
      return [...functions, ...contracts];
    });
}

export function checkDefaultExports(files: readonly SourceFile[]): Violation[] {
  return files.flatMap(({ path, text }) => {
    if (/^src\/connectors\/[^/]+\/connector\.ts$|^src\/sinks\/[^/]+\/sink\.ts$/.test(path)) return [];
    const found = /\bexport\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b/.exec(maskSource(text));
    if (found === null) return [];
    const message =
      'default exports are for the entry file of a plugin: export it by its name, so that it is called the same everywhere';
    return [{ rule: 'default export', path, line: lineOf(text, found.index), message }];
  });
}
