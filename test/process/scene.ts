// One test's folder, world and sender, taken down together.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sender, type SenderOptions } from './sender.ts';
import { startServer, type ServerProcess, type Surroundings } from './server-process.ts';
import type { ServerOptions } from './append-server.ts';
import { until } from './weir-process.ts';
import { World } from './world.ts';

export interface Scene {
  readonly folder: string;
  readonly data: string;
  readonly world: World;
  readonly sender: Sender;
  start(options?: Partial<ServerOptions>, surroundings?: Surroundings): Promise<ServerProcess>;
  /** Everything acknowledged, everything delivered. */
  settle(server: ServerProcess): Promise<void>;
}

export async function withScene(
  use: (scene: Scene) => Promise<void>,
  more: Partial<SenderOptions> = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-scene-'));
  const data = join(folder, 'data');
  mkdirSync(data);
  const world = await World.open();
  const sender = new Sender({ ledgerFile: join(folder, 'ledger'), ...more });
  const servers: ServerProcess[] = [];
  let connections = 0;
  try {
    await use({
      folder,
      data,
      world,
      sender,
      async start(options = {}, surroundings = {}) {
        const server = await startServer({ data, world: world.url, ...options }, surroundings);
        servers.push(server);
        connections = options.connections ?? 0;
        return server;
      },
      async settle(server) {
        await sender.finish(server.url);
        await until(
          'everything is pulled, and settled by every sink',
          async () => world.exhausted(connections) && (await server.state()).size === 0,
        );
      },
    });
  } finally {
    for (const server of servers) server.signal('SIGKILL');
    await Promise.all(servers.map(({ ended }) => ended));
    world.close();
    sender.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const ROUNDS_PER_SCENE_MAX = 40; // a scene that goes on for ever spends its time on comparing what was right long ago
const SCENES_AT_ONCE = 2; // most of a round is waiting

/** `count` rounds in as many scenes as they need, a few scenes at a time. */
export async function inScenes(
  count: number,
  use: (scene: Scene, rounds: number) => Promise<void>,
  { roundsMax = ROUNDS_PER_SCENE_MAX, ...more }: Partial<SenderOptions> & { readonly roundsMax?: number } = {},
): Promise<void> {
  const share = Math.min(roundsMax, Math.ceil(count / SCENES_AT_ONCE));
  let left = count;
  const next = async (): Promise<void> => {
    while (left > 0) {
      const rounds = Math.min(left, share);
      left -= rounds;
      await withScene((scene) => use(scene, rounds), more);
    }
  };
  await Promise.all(Array.from({ length: SCENES_AT_ONCE }, next));
}

/** A whole number from `min` to `max`, both included. */
export function randomBetween(min: number, max: number): number {
  return min + Math.floor(Math.random() * (max - min + 1));
}
