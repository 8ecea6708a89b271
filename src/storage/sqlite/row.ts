import { Fault } from '#core/fault.ts';

/** One row as the driver gives it. STRICT tables keep the types of columns; these readers state which one is expected. */
export type Row = Readonly<Record<string, unknown>>;

export function textAt(row: Row | undefined, column: string): string {
  const value = row?.[column];
  if (typeof value === 'string') return value;
  throw wrongType(column, 'text', value);
}

export function numberAt(row: Row | undefined, column: string): number {
  const value = row?.[column];
  if (typeof value === 'number') return value;
  throw wrongType(column, 'a number', value);
}

export function textOrUndefined(row: Row | undefined, column: string): string | undefined {
  return (row?.[column] ?? null) === null ? undefined : textAt(row, column);
}

export function numberOrUndefined(row: Row | undefined, column: string): number | undefined {
  return (row?.[column] ?? null) === null ? undefined : numberAt(row, column);
}

function wrongType(column: string, expected: string, value: unknown): Fault {
  return new Fault(
    'storage_broken',
    `column ${column} should hold ${expected} and holds ${value === null ? 'nothing' : typeof value}`,
  );
}
