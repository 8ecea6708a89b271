// What the page shows stands in its address, so that a reload, a bookmark or a colleague sees the same.
import { SORT_COLUMNS, type Sort } from './order.ts';

export interface View {
  /** Search words; empty for none. */
  readonly query: string;
  readonly sort: Sort | undefined;
  readonly unhealthyOnly: boolean;
  /** Row key of the connector whose details are open. */
  readonly open: string | undefined;
}

export const QUERY_CHARS_MAX = 500;
const OPEN_CHARS_MAX = 200;

/** Total: what makes no sense counts as not said. */
export function viewOf(search: string): View {
  const params = new URLSearchParams(search);
  return {
    query: (params.get('q') ?? '').slice(0, QUERY_CHARS_MAX),
    sort: sortOf(params.get('sort') ?? ''),
    unhealthyOnly: params.get('show') === 'unhealthy',
    open: params.get('open')?.slice(0, OPEN_CHARS_MAX) || undefined,
  };
}

/** `search` with the view written into it; parameters of others stay. Empty when nothing is left. */
export function searchOf(view: View, search: string): string {
  const params = new URLSearchParams(search);
  put(params, 'q', view.query);
  put(
    params,
    'sort',
    view.sort === undefined ? '' : `${view.sort.direction === 'descending' ? '-' : ''}${view.sort.column}`,
  );
  put(params, 'show', view.unhealthyOnly ? 'unhealthy' : '');
  put(params, 'open', view.open ?? '');
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

function sortOf(text: string): Sort | undefined {
  const column = SORT_COLUMNS.find((name) => name === text.replace(/^-/, ''));
  return column === undefined ? undefined : { column, direction: text.startsWith('-') ? 'descending' : 'ascending' };
}

function put(params: URLSearchParams, name: string, value: string): void {
  if (value === '') params.delete(name);
  else params.set(name, value);
}
