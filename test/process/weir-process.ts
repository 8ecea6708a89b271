import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');
const BIN = join(ROOT, 'bin/weir.mjs');
const START_MS_MAX = 20_000;

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One `weir` command, run to its end. */
export async function weir(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  return { code: await endOf(child), stdout: stdout(), stderr: stderr() };
}

/** The JSON answer of a command; fails the test with what it said when there is none. */
export async function weirJson(cwd: string, args: readonly string[]): Promise<Record<string, unknown>> {
  const result = await weir(cwd, [...args, '--json']);
  try {
    return JSON.parse(result.stdout) as Record<string, unknown>;
  } catch {
    throw new Error(`weir ${args.join(' ')} ended with ${result.code} and no JSON: ${result.stderr}`);
  }
}

export interface RunningWeir {
  readonly url: string;
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly stdout: () => string;
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** `weir start` on a free port, ready when it prints its address. */
export async function startWeir(
  cwd: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<RunningWeir> {
  const child = spawn(process.execPath, [BIN, 'start', '--port', '0', ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const closed = endOf(child);
  const url = await Promise.race([
    address(child, stderr),
    closed.then((code) => Promise.reject(new Error(`weir start ended with ${code}: ${stderr()}`))),
  ]);
  return {
    url,
    child,
    stdout,
    stderr,
    async end(signal) {
      child.kill(signal);
      return closed;
    },
  };
}

async function endOf(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}

async function address(child: ChildProcess, stderr: () => string): Promise<string> {
  const signal = AbortSignal.timeout(START_MS_MAX);
  while (child.stderr !== null) {
    const match = /Dashboard (http:\S+)/.exec(stderr());
    if (match?.[1] !== undefined) return match[1];
    await once(child.stderr, 'data', { signal });
  }
  throw new Error('weir start has no stderr');
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return () => text;
}

/** Looks again until the condition holds; fails with `what` at the deadline. */
export async function until(what: string, condition: () => Promise<boolean>, deadlineMs = 60_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
