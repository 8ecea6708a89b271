import { FAULTS, RETIRED_FAULTS, type FaultRow } from '#core/fault.ts';
import { code, page, table } from './page.ts';

const RETRY: Readonly<Record<FaultRow['retry'], string>> = {
  never: 'no',
  backoff: 'with growing waits',
  at: 'at the stated time',
};

export function faultsPage(): string {
  const rows = Object.entries<FaultRow>(FAULTS).map(([name, row]) => [
    `<a id="${name}"></a>${code(name)}`,
    RETRY[row.retry],
    row.breaker ? 'yes' : 'no',
    String(row.http),
    String(row.exit),
    row.hint,
  ]);
  const retired = RETIRED_FAULTS.length === 0 ? 'none' : RETIRED_FAULTS.map(code).join(', ');
  const body = `Everything that can go wrong has one code. Retry, circuit breaker, HTTP status and exit code follow from it, never from the
wording of a message. The last column is what Weir tells you to do; words in braces are filled in.

${table(['Code', 'Tried again', 'Counts for the breaker', 'HTTP', 'Exit', 'What to do'], rows)}

Retired codes, never given another meaning: ${retired}.`;
  return page('Faults', '`src/core/fault.ts`', body);
}
