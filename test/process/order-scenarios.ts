// The order of system calls: between the write of a row and the bytes that acknowledge it stands a sync of the write-ahead log.

import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { underLoad } from './crash-scenarios.ts';
import { withScene } from './scene.ts';
import { until } from './weir-process.ts';
import { numberKey } from './world.ts';

const CALLS = 'fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg';
const SHOWN_BYTES = 4200; // a page and what surrounds it
const SMALL = { textBytes: 40 } as const;

export const NO_STRACE = 'system calls cannot be traced here: that needs strace and the right to use it';

export function canTrace(): boolean {
  try {
    execFileSync('strace', ['-f', '-o', '/dev/null', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export interface Order {
  /** Answers of 202, and requests for the page after one that brought events: each says that something is on disk. */
  readonly acknowledgements: number;
  readonly pulls: number;
  /** Those that came before a sync of what they acknowledge. */
  readonly early: readonly string[];
}

/** Traces a server until it has acknowledged `requests` requests and the pages of a pull. */
export async function traceServer(requests: number, unsynced: boolean): Promise<Order> {
  let order: Order = { acknowledgements: 0, pulls: 0, early: [] };
  await withScene(async (scene) => {
    const { world, sender } = scene;
    const trace = join(scene.folder, 'trace');
    world.numbersMax = requests;
    const under = ['strace', '-f', '-y', '-s', String(SHOWN_BYTES), '-e', `trace=${CALLS}`, '-o', trace];
    const server = await scene.start({ connections: 1, pollMs: 50, unsynced }, { under });
    const enough = (): boolean => (sender.answers.get(202) ?? 0) >= requests && world.exhausted(1);
    await underLoad(scene, server, () => until('enough is acknowledged', () => Promise.resolve(enough())));
    await server.end('SIGKILL');
    order = await orderIn(trace);
  }, SMALL);
  return order;
}

/** Reads the lines of strace, which stand in the order in which things happened. */
export async function orderIn(trace: string): Promise<Order> {
  const written = new Map<string, number>(); // row → line of its first write
  const early: string[] = [];
  const syncing = new Set<string>(); // threads in a sync of the log
  let acknowledgements = 0;
  let pulls = 0;
  let syncedAt = -1;
  let at = 0;
  for await (const text of createInterface({ input: createReadStream(trace), crlfDelay: Infinity })) {
    at += 1;
    const [, thread = '', call = ''] = /^(\d+)\s+(.*)$/s.exec(text) ?? [];
    if (/^pwrite64\(\d+<[^>]*-wal>/.test(call)) {
      for (const row of rowsIn(call)) if (!written.has(row)) written.set(row, at);
    } else if (/^f(data)?sync\(\d+<[^>]*-wal>/.test(call)) {
      if (call.endsWith('= 0')) syncedAt = at;
      else syncing.add(thread);
    } else if (/^<\.\.\. f(data)?sync resumed>.*= 0$/.test(call) && syncing.delete(thread)) syncedAt = at;
    const claimed = claimedIn(call);
    if (claimed === undefined) continue;
    if (claimed.kind === 'answer') acknowledgements += 1;
    else pulls += 1;
    const synced = (row: string): boolean => (written.get(row) ?? Number.POSITIVE_INFINITY) < syncedAt;
    if (!claimed.rows.every(synced)) early.push(`line ${at}: ${claimed.rows.join(' ')}`);
  }
  return { acknowledgements, pulls, early };
}

/** Events and cursors, as they stand in a page. */
function rowsIn(call: string): string[] {
  const events = call.matchAll(/\\"key\\":\\"([^\\"]+)\\",\\"version\\":(\d+)/g);
  const cursors = call.matchAll(/\{\\"next\\":(\d+)\}/g);
  return [
    ...events.map(([, key = '', version = '']) => `${key}v${version}`),
    ...cursors.map(([, next = '']) => `next${next}`),
  ];
}

/** What a call that writes to a socket says is stored. */
function claimedIn(call: string): { readonly kind: 'answer' | 'pull'; readonly rows: readonly string[] } | undefined {
  if (!/^(write|writev|sendto|sendmsg)\(/.test(call)) return undefined;
  if (call.includes('HTTP/1.1 202')) {
    const [, list = ''] = /\\"stored\\":\[([^\]]*)\]/.exec(call) ?? [];
    return { kind: 'answer', rows: list.replaceAll('\\"', '').split(',') };
  }
  const [, after] = /GET \/page\?connection=[a-z0-9-]+&after=(\d+) /.exec(call) ?? [];
  const next = Number(after ?? 0);
  return next === 0 ? undefined : { kind: 'pull', rows: [`${numberKey(next - 1)}v1`, `next${next}`] };
}
