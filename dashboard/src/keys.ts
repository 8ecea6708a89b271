/** What one key does. `enter` needs no entry: it presses the focused row's own button. */
export type KeyAction = 'search' | 'help' | 'next-row' | 'previous-row' | 'filter' | 'run' | 'leave';

export const KEYS: readonly { readonly key: string; readonly action: KeyAction; readonly does: string }[] = [
  { key: '/', action: 'search', does: 'go to the search box' },
  { key: 'j', action: 'next-row', does: 'next connector' },
  { key: 'k', action: 'previous-row', does: 'previous connector' },
  { key: 'f', action: 'filter', does: 'unhealthy connectors only, or all' },
  { key: 'r', action: 'run', does: 'run the connector the focus is on' },
  { key: 'Escape', action: 'leave', does: 'leave the table, so that its order is renewed' },
  { key: '?', action: 'help', does: 'this list' },
];

export interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly repeat: boolean;
}

/** Letters typed into a field, and combinations that belong to the browser, do nothing here. */
export function keyActionOf(press: KeyPress, typing: boolean): KeyAction | undefined {
  if (typing || press.ctrlKey || press.metaKey || press.altKey) return undefined;
  const action = KEYS.find(({ key }) => key === press.key)?.action;
  // Moving on a held key is wanted, starting runs by the dozen is not.
  return press.repeat && action !== 'next-row' && action !== 'previous-row' ? undefined : action;
}
