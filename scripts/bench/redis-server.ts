import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export const REDIS_COMMAND = 'redis-server';
const READY_MS_MAX = 10_000;
const LOOK_MS = 20;

/** When Redis flushes its append-only file: `everysec` may lose the last second at a power cut, `always` promises what Weir promises. */
export type AppendFsync = 'everysec' | 'always';

export interface RedisServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** A Redis of our own on a free port, with its files in `folder`. Throws when there is no `redis-server` on this machine. */
export async function startRedis(folder: string, appendfsync: AppendFsync): Promise<RedisServer> {
  const port = await freePort();
  const persistence = [
    '--appendonly',
    'yes',
    '--appendfsync',
    appendfsync,
    '--save',
    '',
    '--auto-aof-rewrite-percentage',
    '0',
  ];
  const child = spawn(REDIS_COMMAND, ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, ...persistence], {
    stdio: 'ignore',
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  await once(child, 'spawn');
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    kill();
    await exited;
    process.removeListener('exit', kill);
  };
  const deadlineMs = performance.now() + READY_MS_MAX;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || performance.now() > deadlineMs) {
      await stop();
      throw new Error(`redis-server did not open port ${port}`);
    }
    await sleep(LOOK_MS);
  }
  return { port, stop };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}
