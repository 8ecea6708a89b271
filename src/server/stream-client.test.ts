import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { StreamClient } from './stream-client.ts';

/** An answer whose client never reads: what is written stays in its buffer. */
function unread(): ServerResponse {
  return new ServerResponse(new IncomingMessage(new Socket()));
}

test('a client that leaves more unread than its buffer holds is cut off, and writing to it stops', () => {
  const response = unread();
  const client = new StreamClient(response, { topics: new Set(['events']), row: 0, bufferBytesMax: 100_000 });
  for (let row = 1; row <= 1_000 && !response.destroyed; row += 1)
    client.sendEvent(row, JSON.stringify('x'.repeat(1_000)));
  expect(response.destroyed).toBe(true);
  expect(client.row).toBeLessThan(110);
  const written = response.writableLength;
  client.write('more');
  expect(response.writableLength).toBe(written);
});

test('a client that stalls is cut off only when it has stalled without a break', () => {
  const response = unread();
  const client = new StreamClient(response, { topics: new Set(['events']), row: 0, bufferBytesMax: 1e9 });
  client.checkStall(0, 100);
  client.sendEvent(1, JSON.stringify('x'.repeat(1_000_000)));
  client.checkStall(1_000, 100);
  expect(response.destroyed).toBe(false);
  client.checkStall(1_100, 100);
  expect(response.destroyed).toBe(true);
});

test('a state is sent again only when it differs', () => {
  const response = unread();
  const client = new StreamClient(response, { topics: new Set(['queue']), row: 0, bufferBytesMax: 1e9 });
  client.sendState('queue', '{"size":1}');
  const once = response.writableLength;
  client.sendState('queue', '{"size":1}');
  expect(response.writableLength).toBe(once);
  client.sendState('queue', '{"size":2}');
  expect(response.writableLength).toBeGreaterThan(once);
});
