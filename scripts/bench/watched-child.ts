// A child that does the work with Node's own settings, looked at from outside once a second: a process that is busy could not
// look at itself.

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const SAMPLE_MS = 1000;
const KIB_PER_MIB = 1024;
const PRODUCT_NODE_FLAGS: readonly string[] = ['--max-semi-space-size=8']; // those of NODE_FLAGS in scripts/runtime.mjs that change memory

/** What a child says when a phase begins, or everything is done. */
export type ChildMessage<Done> = { readonly phase: string } | { readonly phase: 'done'; readonly result: Done };

export interface Watched<Done> {
  readonly result: Done;
  /** Largest sample of each phase. */
  readonly rssMib: Readonly<Record<string, number>>;
  /** The kernel's own high-water mark: what sampling once a second cannot miss. */
  readonly rssMibPeak: number;
}

/** Runs a file of this folder and resolves with what it measured. Linux only: memory is read from /proc. */
export async function watchChild<Done>(file: string, args: readonly string[]): Promise<Watched<Done>> {
  const child = fork(join(import.meta.dirname, file), [...args], {
    execArgv: [...PRODUCT_NODE_FLAGS],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const rssKib = new Map<string, number>();
  let phase = 'starting';
  let done: Done | undefined;
  let peakKib = 0;
  const look = (): void => {
    const now = readStatus(child);
    rssKib.set(phase, Math.max(rssKib.get(phase) ?? 0, now.rssKib));
    peakKib = Math.max(peakKib, now.peakKib);
  };
  child.on('message', (message) => {
    look();
    const said = message as ChildMessage<Done>; // from a file of this folder, typed there
    if ('result' in said) done = said.result;
    else phase = said.phase;
    process.stderr.write(`${said.phase}\n`);
  });
  const sampling = setInterval(look, SAMPLE_MS);
  const [code] = (await once(child, 'exit')) as [number | null]; // `exit` gives the exit code first
  clearInterval(sampling);
  process.removeListener('exit', kill);
  if (code !== 0 || done === undefined) throw new Error(`the measured process ended with ${String(code)}`);
  const rssMib = Object.fromEntries([...rssKib].map(([name, kib]) => [name, mib(kib)]));
  return { result: done, rssMib, rssMibPeak: mib(peakKib) };
}

/** For the child. */
export function tell<Done>(message: ChildMessage<Done>): void {
  process.send?.(message);
}

function readStatus({ pid }: ChildProcess): { rssKib: number; peakKib: number } {
  try {
    const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
    return {
      rssKib: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0),
      peakKib: Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0),
    };
  } catch {
    return { rssKib: 0, peakKib: 0 }; // it has just ended
  }
}

function mib(kib: number): number {
  return Math.round(kib / KIB_PER_MIB);
}
