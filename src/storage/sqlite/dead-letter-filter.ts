import { deadLetterClassOf, type DeadLetterClass, type DeadLetterFilter } from '#core/dead-letter.ts';
import { FAULTS, type FaultCode } from '#core/fault.ts';

// I9: `tenants` is the one member that is always there, so no letter is reached without it. Values are bound, never written into the text.
// The plus keeps SQLite off the index of tenants, which would make it sort all letters to show the newest hundred.
const CONDITIONS: Readonly<Record<keyof DeadLetterFilter, string>> = {
  tenants: '+tenant IN (SELECT value FROM json_each(:tenants))',
  ids: 'id IN (SELECT value FROM json_each(:ids))',
  connection: 'connection = :connection',
  stage: 'stage = :stage',
  code: 'code = :code',
  class: 'code IN (SELECT value FROM json_each(:class))',
  key: 'key = :key',
  state: 'queued = :state',
};

export interface BoundFilter {
  /** A condition on the columns of `dead_letter`. */
  readonly where: string;
  readonly values: Readonly<Record<string, string | number>>;
}

export function bindFilter(filter: DeadLetterFilter): BoundFilter {
  const { tenants, ids, connection, stage, code, key, state } = filter;
  const values: Record<string, string | number> = { tenants: JSON.stringify(tenants) };
  const conditions = [CONDITIONS.tenants];
  const narrow = (member: keyof DeadLetterFilter, value: string | number | undefined): void => {
    if (value === undefined) return;
    conditions.push(CONDITIONS[member]);
    values[member] = value;
  };
  narrow('ids', ids && JSON.stringify(ids));
  narrow('connection', connection);
  narrow('stage', stage);
  narrow('code', code);
  narrow('class', filter.class && JSON.stringify(codesOf(filter.class)));
  narrow('key', key);
  narrow('state', state && Number(state === 'queued'));
  return { where: conditions.join(' AND '), values };
}

function codesOf(wanted: DeadLetterClass): readonly string[] {
  // The keys of the table are its codes.
  return Object.keys(FAULTS).filter((code) => deadLetterClassOf(code as FaultCode) === wanted);
}
