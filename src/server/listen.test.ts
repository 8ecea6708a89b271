import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { runWeir } from './fixtures/running-weir.ts';
import { bindHostOf } from './listen.ts';

async function takePort() {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  // A TCP server that listens has this form of address.
  return { port: (server.address() as AddressInfo).port, free: () => new Promise((done) => server.close(done)) };
}

test('a busy port that was asked for by name is an error that names it', async () => {
  const taken = await takePort();
  await expect(runWeir({ change: { port: taken.port, portFixed: true } })).rejects.toMatchObject({
    code: 'port_busy',
    message: `port ${taken.port} on 127.0.0.1 is in use by another program`,
  });
  await taken.free();
});

test('a busy port that was not asked for by name gives way to the next free one', async () => {
  const taken = await takePort();
  const weir = await runWeir({ change: { port: taken.port, portFixed: false } });
  expect(weir.running.port).toBeGreaterThan(taken.port);
  expect(weir.running.url).toBe(`http://127.0.0.1:${weir.running.port}/`);
  expect(await weir.ask('/livez')).toMatchObject({ status: 200 });
  await weir.close();
  await taken.free();
});

test.for(['0.0.0.0', '::', '', '192.168.0.1', 'example.com', '127.0.0.1.example.com', '0'])(
  'the host %j is refused: others could reach it',
  (host) => {
    expect(() => bindHostOf(host)).toThrow(expect.objectContaining({ code: 'host_refused' }));
  },
);

test('localhost means one address', () => {
  expect(bindHostOf('localhost')).toBe('127.0.0.1');
});
