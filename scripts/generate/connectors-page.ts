import type { Connector } from '#core/connector.ts';
import { code, page, table } from './page.ts';

export function connectorsPage(connectors: readonly Connector[]): string {
  const rows = connectors.map((connector) => [
    `[${connector.type}](../src/connectors/${connector.type}/README.md)`,
    connector.title,
    Object.entries(connector.streams)
      .map(([name, stream]) => `${code(name)}: ${stream.title}`)
      .join('<br>'),
    connector.version,
    connector.stability,
  ]);
  const body = `Each connector documents its own set-up, limits, what it syncs and what it does not. Settings common to all of them:
[configuration.md](configuration.md). To add one: [CONTRIBUTING.md](../CONTRIBUTING.md).

${table(['Type', 'What', 'Streams', 'Version', 'Stability'], rows)}`;
  return page('Connectors', '`src/connectors`', body);
}
