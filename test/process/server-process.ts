import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ServerOptions, ServerState } from './append-server.ts';

const PROGRAM = join(import.meta.dirname, 'append-server.ts');
// Where the product keeps its own (bin/weir.mjs): a start takes half as long.
const NODE_COMPILE_CACHE = join(import.meta.dirname, '../../.runtime/compile-cache');
const READY_MS_MAX = 30_000;

export interface ServerProcess {
  readonly url: string;
  /** From being asked for to taking requests, and the processor time of its own that it took: that much also on a busy machine. */
  readonly readyMs: number;
  readonly readyCpuMs: number;
  readonly child: ChildProcess;
  readonly stderr: () => string;
  /** Resolves with the exit code, or the signal, once the process is gone. */
  readonly ended: Promise<number | NodeJS.Signals>;
  state(): Promise<ServerState>;
  /** Signals the whole process group. */
  signal(signal: NodeJS.Signals): void;
  /** Signals, and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  /** A command that the server is run under, such as strace. */
  readonly under?: readonly string[];
}

/** How a server that never became ready ended. */
export class NotReady extends Error {
  readonly code: number | NodeJS.Signals;
  constructor(code: number | NodeJS.Signals, stderr: string) {
    super(`the append server ended with ${code}: ${stderr}`);
    this.code = code;
  }
}

/** Starts the append server on a port of its own choice; rejects with `NotReady` when it ends instead. */
export async function startServer(
  options: ServerOptions,
  { env = {}, under = [] }: Surroundings = {},
): Promise<ServerProcess> {
  const startedMs = performance.now();
  const [command, ...args] = [...under, process.execPath, PROGRAM, JSON.stringify(options)];
  const child = spawn(command, args, {
    env: { ...process.env, NODE_COMPILE_CACHE, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const ended = once(child, 'close').then(
    ([code, signal]: (number | NodeJS.Signals | null)[]) => code ?? signal ?? 'SIGKILL',
  );
  const deadline = AbortSignal.timeout(READY_MS_MAX);
  const [port = '', cpuMs = ''] = await Promise.race([
    ended.then((code) => Promise.reject(new NotReady(code, stderr))),
    (async () => {
      for (;;) {
        const found = /ready (\d+) (\d+)\n/.exec(stdout);
        if (found !== null) return found.slice(1);
        await once(child.stdout, 'data', { signal: deadline });
      }
    })(),
  ]).catch((error: unknown) => {
    killGroup(child, 'SIGKILL');
    throw error;
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    readyMs: performance.now() - startedMs,
    readyCpuMs: Number(cpuMs),
    child,
    stderr: () => stderr,
    ended,
    // Written by the append server.
    state: async () => (await (await fetch(url)).json()) as ServerState,
    signal: (signal) => killGroup(child, signal),
    end(signal) {
      killGroup(child, signal);
      return ended;
    },
  };
}

function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}
