// Rules about who imports whom: rooms, paths, cycles, packages.

import { posix } from 'node:path';

import { adviceOf, listNames, roomOf, type Architecture } from './rooms.ts';
import { importsOf, type ImportEdge, type SourceFile } from './source.ts';

export interface Violation {
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}

/** The file an import leads to, or `undefined` when it is a package or one of Node's modules. */
function targetOf(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return `src/${specifier.slice(1)}`;
  return specifier.startsWith('.') ? posix.normalize(posix.join(posix.dirname(path), specifier)) : undefined;
}

export function checkImports(files: readonly SourceFile[], architecture: Architecture): Violation[] {
  return files.flatMap((file) => {
    const from = roomOf(file.path, architecture.rooms);
    if (from === undefined) {
      const message =
        'lies in no room: move it into the folder of the noun it is about, or add a row to ARCHITECTURE.md';
      return [{ rule: 'import', path: file.path, line: 1, message }];
    }
    return importsOf(file.text).flatMap((edge) => {
      const fault = isTest(file.path)
        ? testFault(file, edge, architecture)
        : importFault(file, edge, from, architecture);
      return fault === undefined ? [] : [{ ...fault, path: file.path, line: edge.line }];
    });
  });
}

function testFault(
  { path }: SourceFile,
  { specifier }: ImportEdge,
  { rooms }: Architecture,
): Pick<Violation, 'rule' | 'message'> | undefined {
  const target = specifier === undefined ? undefined : targetOf(path, specifier);
  if (target === undefined || roomOf(target, rooms)?.room !== 'main') return undefined;
  if (path.startsWith('src/main')) return undefined; // main's own adapters are tested like any other code
  return {
    rule: 'import',
    message: 'tests may not import main: start bin/weir.mjs as a process, or build the parts the test is about',
  };
}

function importFault(
  { path }: SourceFile,
  { specifier }: ImportEdge,
  from: NonNullable<ReturnType<typeof roomOf>>,
  architecture: Architecture,
): Pick<Violation, 'rule' | 'message'> | undefined {
  if (specifier === undefined) {
    if (from.room === 'main') return undefined;
    return {
      rule: 'path',
      message: 'import() of a computed path hides where it leads: write the path, or let main load it',
    };
  }
  const target = targetOf(path, specifier);
  if (target === undefined) return packageFault(specifier, from.room, architecture);
  const to = roomOf(target, architecture.rooms)?.room;
  if (to === from.room) {
    if (!specifier.startsWith('#') || from.room === 'main') return undefined;
    return {
      rule: 'path',
      message: `${specifier} is in the same room (${to}): write it relative, so that # always means a crossing`,
    };
  }
  if (to === undefined)
    return { rule: 'import', message: `${specifier} leads to ${target}, which lies in no room of src/` };
  if (!specifier.startsWith('#')) {
    return {
      rule: 'path',
      message: `${specifier} leaves the room ${from.room}: write #${target.slice('src/'.length)}`,
    };
  }
  const allowed = listNames(from.row.mayImport, to);
  return allowed
    ? undefined
    : { rule: 'import', message: `${from.room} may not import ${to}: ${adviceOf(from.room, to)}` };
}

function packageFault(
  specifier: string,
  room: string,
  { packages }: Architecture,
): Pick<Violation, 'rule' | 'message'> | undefined {
  const name = specifier.startsWith('node:')
    ? specifier
    : specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
  const row = packages.find(
    (candidate) => candidate.name === name || (name.startsWith('node:') && name.startsWith(`${candidate.name}/`)),
  );
  if (row === undefined) {
    if (name.startsWith('node:')) return undefined;
    return {
      rule: 'package',
      message: `${name} is in no row of ARCHITECTURE.md's package table: say there which room needs it and why`,
    };
  }
  if (listNames(row.rooms, room)) return undefined;
  const rooms = row.rooms === 'all' ? 'all' : row.rooms.join(', ');
  return {
    rule: 'package',
    message: `${name} belongs to ${rooms}, not to ${room}: use what that room offers, or a contract of core`,
  };
}

/** Cycles between files (what types alone import is free), between the rooms they lie in, and in the table itself. */
export function checkCycles(files: readonly SourceFile[], architecture: Architecture): Violation[] {
  const fileEdges = new Map<string, Set<string>>();
  const roomEdges = new Map<string, Set<string>>();
  for (const file of files.filter(({ path }) => !isTest(path))) {
    for (const { specifier, typeOnly } of importsOf(file.text)) {
      const target = specifier === undefined ? undefined : targetOf(file.path, specifier);
      if (target === undefined) continue;
      if (!typeOnly) addEdge(fileEdges, file.path, target);
      const from = roomOf(file.path, architecture.rooms)?.room;
      const to = roomOf(target, architecture.rooms)?.room;
      if (from !== undefined && to !== undefined && from !== to) addEdge(roomEdges, from, to);
    }
  }
  const tableEdges = new Map(
    architecture.rooms
      .filter(({ mayImport }) => mayImport !== 'all')
      .map(({ name, mayImport }) => [name.replace('/*', ''), new Set(mayImport)]),
  );
  const report = (what: string, path: string, cycle: readonly string[]): Violation => ({
    rule: 'cycle',
    path,
    line: 1,
    message: `${what} import each other: ${cycle.join(' → ')}: move what both need into the one that needs least`,
  });
  return [
    ...cyclesIn(fileEdges).map((cycle) => report('files', cycle[0] ?? '', cycle)),
    ...cyclesIn(roomEdges).map((cycle) => report('rooms', `src/${cycle[0] ?? ''}`, cycle)),
    ...cyclesIn(tableEdges).map((cycle) => report('rows of the room table', 'ARCHITECTURE.md', cycle)),
  ];
}

function addEdge(edges: Map<string, Set<string>>, from: string, to: string): void {
  const targets = edges.get(from) ?? new Set();
  edges.set(from, targets.add(to));
}

/** One path per cycle that a depth-first walk closes. */
export function cyclesIn(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const done = new Set<string>();
  const cycles: string[][] = [];
  const visit = (node: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(node);
    if (seenAt !== -1) {
      cycles.push([...trail.slice(seenAt), node]);
      return;
    }
    if (done.has(node)) return;
    for (const next of edges.get(node) ?? []) visit(next, [...trail, node]);
    done.add(node);
  };
  for (const node of edges.keys()) visit(node, []);
  return cycles;
}
