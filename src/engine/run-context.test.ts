import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { HttpProfile } from '#core/http.ts';
import type { Connection } from './connection.ts';
import { connectionOf, openWorld, pullerOf, scripted } from './fixtures/engine-world.ts';

const http: HttpProfile = {
  baseUrl: 'https://public.example',
  authorize: ({ credentials }) => ({ authorization: `Bearer ${credentials['token'] ?? ''}` }),
};
const connector = scripted({
  http,
  async *pull() {
    // Pulls nothing: the test calls by itself.
  },
});

test('ctx.http speaks with the address and credentials of its connection, and private ones only where it is allowed', async () => {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    response.end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A listening TCP server has an address of this form.
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const puller = pullerOf(openWorld());
  const clientOf = (more: Partial<Connection>) =>
    puller.contextOf(connectionOf(connector, more), 'run', new AbortController().signal).http;
  const asked = { operation: 'list_items', path: '/items' };

  expect(clientOf({}).baseUrl).toBe('https://public.example');
  await expect(clientOf({ baseUrl }).request(asked)).rejects.toMatchObject({ code: 'egress_blocked' });
  expect(requests).toHaveLength(0);
  await clientOf({ baseUrl, credentials: { token: 'tok_live_1' }, allowPrivateAddresses: true }).request(asked);
  expect(requests[0]?.headers.authorization).toBe('Bearer tok_live_1');
  server.closeAllConnections();
  server.close();
});
