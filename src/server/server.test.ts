import { expect, test } from 'vitest';
import { runWeir, send } from './fixtures/running-weir.ts';

const RUN = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' } as const;

test('close lets a request that is going on end, and takes no new connection meanwhile', async () => {
  const weir = await runWeir();
  const started = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  weir.source.onPull = () => (started.resolve(), held.promise);
  const run = send(weir.running, '/api/v1/connectors/wiki/runs', RUN);
  await weir.until(() => true);
  await started.promise;
  const closing = weir.running.close();
  await expect(weir.settle(send(weir.running, '/livez', {}))).rejects.toThrow('ECONNREFUSED');
  held.resolve();
  expect(await weir.settle(run)).toMatchObject({ status: 200, json: { result: 'succeeded' } });
  await weir.settle(closing);
  await weir.close();
});

test('close aborts what has not ended within the drain time, and ends', async () => {
  const weir = await runWeir({ server: { drainMs: 5_000, abortMs: 1_000 } });
  const aborted = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  weir.source.onPull = (signal) => {
    started.resolve();
    signal.addEventListener('abort', () => aborted.resolve(), { once: true });
    return new Promise(() => {}); // never ends, whatever it is told
  };
  const run = send(weir.running, '/api/v1/connectors/wiki/runs', RUN).catch((error: unknown) => error);
  await weir.settle(started.promise);
  const fromMs = weir.clock.monotonic();
  await weir.settle(weir.running.close());
  await weir.settle(aborted.promise);
  expect(weir.clock.monotonic() - fromMs).toBeLessThan(10_000);
  expect(await weir.settle(run)).toBeInstanceOf(Error);
  weir.storage.close();
});

test('work that ends when it is aborted is still answered', async () => {
  const weir = await runWeir();
  const started = Promise.withResolvers<void>();
  weir.source.onPull = (signal) => {
    started.resolve();
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
  };
  const run = send(weir.running, '/api/v1/connectors/wiki/runs', RUN).catch((error: unknown) => error);
  await weir.settle(started.promise);
  await weir.settle(weir.running.close());
  expect(await weir.settle(run)).toMatchObject({ headers: { connection: 'close' } });
  await weir.close();
});

test('close called twice is one close', async () => {
  const weir = await runWeir();
  await weir.settle(Promise.all([weir.running.close(), weir.running.close()]));
  await weir.close();
});
