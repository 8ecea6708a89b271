// The two tables of ARCHITECTURE.md, and which room a file belongs to.

export interface RoomRow {
  /** `core`, `connectors/*`, `main`. */
  readonly name: string;
  readonly mayImport: readonly string[] | 'all';
}

export interface PackageRow {
  readonly name: string;
  readonly rooms: readonly string[] | 'all';
}

export interface Architecture {
  readonly rooms: readonly RoomRow[];
  readonly packages: readonly PackageRow[];
}

/** Throws when a table or a column is missing: a page nobody can read must not pass as "everything allowed". */
export function parseArchitecture(markdown: string): Architecture {
  return {
    rooms: tableOf(markdown, 'room', 'may import').map(([name, mayImport]) => ({
      name,
      mayImport: wordsOf(mayImport),
    })),
    packages: tableOf(markdown, 'package', 'rooms').map(([name, rooms]) => ({ name, rooms: wordsOf(rooms) })),
  };
}

function tableOf(markdown: string, first: string, second: string): [string, string][] {
  const rows = markdown.split('\n').map((line) =>
    line.startsWith('|')
      ? line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim().replaceAll('\\', ''))
      : [],
  );
  const head = rows.findIndex((cells) => cells[0] === first && cells.includes(second));
  if (head === -1) throw new Error(`ARCHITECTURE.md has no table with the columns "${first}" and "${second}"`);
  const column = rows[head]?.indexOf(second) ?? -1;
  const end = rows.findIndex((cells, index) => index > head && cells.length === 0);
  return rows.slice(head + 2, end === -1 ? undefined : end).map((cells) => [cells[0] ?? '', cells[column] ?? '']);
}

function wordsOf(cell: string): readonly string[] | 'all' {
  if (cell === 'all') return 'all';
  return cell === '–' ? [] : cell.split(/\s+/);
}

/** The room a file lies in, with the table's row: `connectors/git` in row `connectors/*`. `undefined`: in no room. */
export function roomOf(path: string, rooms: readonly RoomRow[]): { room: string; row: RoomRow } | undefined {
  const parts = path.split('/').slice(1);
  // index.ts is the composition root of programs that import parts of Weir, as main.ts is that of the process.
  const isMain = path === 'src/main.ts' || path === 'src/index.ts' || parts[0] === 'main';
  for (const row of rooms) {
    const [first, star] = row.name.split('/');
    if (row.name === 'main' && isMain) return { room: 'main', row };
    if (parts[0] !== first || parts.length < (star === undefined ? 2 : 3)) continue;
    return { room: star === undefined ? row.name : `${first}/${parts[1] ?? ''}`, row };
  }
  return undefined;
}

/** Does a list such as `core storage` name this room? `storage` means every engine below it. */
export function listNames(list: readonly string[] | 'all', room: string): boolean {
  return (
    list === 'all' ||
    list.some(
      (name) =>
        name === room || room.startsWith(`${name}/`) || (name.endsWith('/*') && room.startsWith(name.slice(0, -1))),
    )
  );
}

/** Where the code belongs instead. The first entry that fits is the most specific one. */
const ADVICE: readonly [from: RegExp, to: RegExp, advice: string][] = [
  [/./, /^main$/, 'main builds the others and passes them what they need: take it as a parameter'],
  [
    /^core$/,
    /./,
    'core knows nobody: put the code into the room that needs the import, or leave a contract in core and let main pass the implementation',
  ],
  [/^connectors\//, /^connectors\//, 'two systems that need the same thing need it from sdk: move it there'],
  [/^sinks\//, /^sinks\//, 'two destinations that need the same thing need it from sdk: move it there'],
  [/^sinks\//, /^engine$/, 'return a result per event, the delivery loop decides'],
  [/^connectors\//, /^(engine|storage)/, 'yield pages with their cursor, the puller stores them'],
  [/^(connectors|sinks)\//, /./, 'plugins see sdk alone: offer what is needed there'],
  [
    /^storage\//,
    /^storage\//,
    'engines do not know each other: what both must do is a contract in core with a suite in testing',
  ],
  [/^storage\//, /./, 'storage implements contracts of core: return data and let engine or operations decide'],
  [/./, /^(connectors|sinks)\//, 'nothing but the registry that main fills knows a plugin by name'],
  [/./, /^storage\//, 'use the contract in core; main chooses the engine'],
  [/^(server|cli)$/, /^(server|cli)$/, 'both render operations: what they have in common is an operation'],
  [/^(server|cli)$/, /./, 'put behaviour into operations and render its result here'],
  [
    /^(policies|telemetry|config|sdk)$/,
    /^(engine|operations|server|cli)$/,
    'control comes back as a return value: the later room calls this one',
  ],
  [/^engine$/, /^(operations|server|cli)$/, 'the engine does not know who asks: let operations read what it exposes'],
  [/./, /^testing$/, 'the test kit is for tests; what the product needs belongs into the room that owns the noun'],
];

export function adviceOf(from: string, to: string): string {
  const found = ADVICE.find(([source, target]) => source.test(from) && target.test(to));
  return found?.[2] ?? 'move the code to the room that owns the noun, or pass the value in from main';
}
