import { intactEventOfPayload, type Event } from '#core/event.ts';
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

/** The event in `payload`, which is what it was when it was stored; else throws `storage_broken`. `where` is for people. */
export function intactEventAt(row: Row, where: string): Event {
  const event = intactEventOfPayload(textAt(row, 'payload'));
  if (event !== undefined) return event;
  throw new Fault(
    'storage_broken',
    `${where}: the event there was altered after it was stored, its content and its id disagree`,
  );
}

export function placeOfEntry(partition: number, position: number): string {
  return `event log, partition ${partition}, position ${position}`;
}

function wrongType(column: string, expected: string, value: unknown): Fault {
  return new Fault(
    'storage_broken',
    `column ${column} should hold ${expected} and holds ${value === null ? 'nothing' : typeof value}`,
  );
}
