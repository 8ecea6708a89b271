// Child process of memory.ts: EVENTS SINK FOLDER. Fills a log through the real puller, then lets the real delivery loops drain it.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DATA_FILE } from '../../src/storage/sqlite/storage.ts';
import { timed, verify } from './measure.ts';
import type { MemoryResult } from './memory.ts';
import { realEnv } from './real-env.ts';
import { draftOf, SOURCE } from './synthetic-events.ts';
import { tell } from './watched-child.ts';
import { pullAll, startDelivery, withStorage } from './weir-parts.ts';

const HOUSEKEEPING_MS = 5000; // as often as the product
const HOUSEKEEPING_STEPS_MAX = 20;

const [, , count = '', sink = 'both', folder = ''] = process.argv;
const events = Number(count);

await withStorage(folder, async (storage) => {
  const { timeline, library } = storage.store;
  const sinks = [timeline, library].filter(({ name }) => sink === 'both' || sink === name);
  for (const { name } of sinks) await storage.log.register(name);
  tell({ phase: 'building' });
  // Drafts are made page by page: nothing here grows with the backlog.
  const buildMs = await timed(() => pullAll(storage, events, draftOf));
  verify('events in the log', (await storage.log.stats()).size, events);
  tell({ phase: 'draining' });
  const ended = new AbortController();
  const housekeeping = housekeep(ended.signal);
  const drainMs = await timed(async () => {
    const delivery = startDelivery(storage, sinks);
    await delivery.settled();
    await delivery.stop();
  });
  ended.abort();
  await housekeeping;
  if (sinks.includes(library))
    verify('documents in the library', await library.count(SOURCE.tenant, SOURCE.connection), events);
  const result = { buildMs, drainMs, fileBytes: sizeOf(DATA_FILE), walBytes: sizeOf(`${DATA_FILE}-wal`) };
  tell<MemoryResult>({ phase: 'done', result });

  async function housekeep(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      for (let step = 0; step < HOUSEKEEPING_STEPS_MAX && (await storage.housekeep()) > 0; step += 1);
      await realEnv.clock.sleep(HOUSEKEEPING_MS, stop);
    }
  }
});
process.disconnect?.();

function sizeOf(name: string): number {
  return statSync(join(folder, name)).size;
}
