import type { Style, Terminal } from './terminal.ts';

const HEALTH: Readonly<Record<string, { readonly mark: string; readonly ascii: string; readonly style: Style }>> = {
  healthy: { mark: '●', ascii: '*', style: 'green' },
  degraded: { mark: '▲', ascii: '!', style: 'yellow' },
  down: { mark: '■', ascii: 'X', style: 'red' },
  unknown: { mark: '?', ascii: '?', style: 'dim' },
};

/** Symbol and word: meaning never by colour alone. */
export function healthText(terminal: Terminal, status: string): string {
  const row = HEALTH[status];
  return row === undefined ? status : `${terminal.unicode ? row.mark : row.ascii} ${status}`;
}

export function healthStyle(status: string): Style {
  return HEALTH[status]?.style ?? 'dim';
}
