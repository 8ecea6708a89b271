import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { Fault, toPlainLine } from '#sdk/index.ts';

const MIB = 1024 * 1024;

export const GIT_LIMITS = {
  outputBytesMax: 64 * MIB, // of one command whose answer is kept whole; more is a fault
  stderrBytesMax: 8 * 1024, // the first complaints; the rest is dropped
} as const;

// A fixed search path: nothing inherited decides which program runs, or with which GIT_DIR.
const PROGRAM_PATHS = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/opt/local/bin:/run/current-system/sw/bin';

// The whole environment of every git process: no prompt, no configuration but the repository's own, no lock taken, no network.
const ENVIRONMENT = {
  PATH: PROGRAM_PATHS,
  HOME: '/nonexistent', // `~` in a repository's configuration must expand to something, or git stops
  LC_ALL: 'C',
  GIT_TERMINAL_PROMPT: '0',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_REPLACE_OBJECTS: '1', // a sha must mean one content for ever: replace refs would change it under a walk
  GIT_GRAFT_FILE: '/dev/null',
  GIT_NO_LAZY_FETCH: '1', // a partial clone would fetch missing blobs, through programs its configuration names
  GIT_ALLOW_PROTOCOL: 'none',
} as const;

// A repository's configuration, hooks and attributes come from whoever wrote the repository: none of it may run.
const CONFIG = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.quotePath=false',
  'core.attributesFile=/dev/null',
  'protocol.allow=never',
  'protocol.ext.allow=never',
  'log.showSignature=false', // would start gpg.program
  'core.alternateRefsCommand=',
] as const;

export interface GitRun {
  /** The repository's directory, or undefined for commands about git itself. */
  readonly gitDir?: string;
  readonly args: readonly string[];
  /** Ends the process group when it aborts: the caller's timeout and Weir's stop both arrive here. */
  readonly signal: AbortSignal;
  readonly input?: string;
  /** Takes the output as it comes, and then nothing is kept: for listings of any length. A throw ends the process. */
  readonly onOutput?: (chunk: Buffer) => void;
  /** For tests of a machine without git. */
  readonly program?: string;
}

export interface GitResult {
  readonly code: number;
  readonly output: Buffer;
  readonly stderr: string;
}

/** How a process ended: its exit code, or why it has none. */
export interface GitExit {
  readonly code: number | null;
  readonly error: Error | undefined;
}

export interface GitProcess {
  readonly child: ChildProcessWithoutNullStreams;
  /** Never rejects. */
  readonly ended: Promise<GitExit>;
  stderr(): string;
  kill(): void;
}

/** Starts git in its own process group, without a shell and without a work tree. `ended` resolves once its pipes are closed. */
export function startGit(gitDir: string | undefined, args: readonly string[], program = 'git'): GitProcess {
  const child = spawn(program, [...globalArguments(gitDir), ...args], {
    cwd: '/',
    env: ENVIRONMENT,
    detached: true, // its own process group, so that whatever it starts ends with it
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stderr = '';
  let error: Error | undefined;
  child.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < GIT_LIMITS.stderrBytesMax) stderr += chunk.toString('utf8');
  });
  // A process that ended early closes its input; its exit code says more than the broken pipe.
  child.stdin.on('error', () => undefined);
  child.stdout.on('error', () => undefined);
  const { promise: ended, resolve } = Promise.withResolvers<GitExit>();
  child.on('error', (thrown) => {
    error = thrown;
    if (child.pid === undefined) resolve({ code: null, error });
  });
  child.on('close', (code) => resolve({ code, error }));
  return { child, ended, stderr: () => stderr, kill: () => killGroup(child) };
}

/**
 * One git command to its end. Exit codes are the caller's to judge. Throws the signal's reason when aborted, `tool_missing` without
 * git, `source_invalid` when the answer exceeds `outputBytesMax`.
 */
export async function runGit(run: GitRun): Promise<GitResult> {
  run.signal.throwIfAborted();
  const git = startGit(run.gitDir, run.args, run.program);
  const onAbort = (): void => git.kill();
  run.signal.addEventListener('abort', onAbort, { once: true });
  const chunks: Buffer[] = [];
  let bytes = 0;
  let refused: unknown;
  git.child.stdout.on('data', (chunk: Buffer) => {
    try {
      if (run.onOutput !== undefined) return run.onOutput(chunk);
      bytes += chunk.length;
      if (bytes > GIT_LIMITS.outputBytesMax) throw tooMuchOutput(run.args);
      chunks.push(chunk);
    } catch (error) {
      refused ??= error;
      git.kill();
    }
  });
  git.child.stdin.end(run.input ?? '');
  const { code, error } = await git.ended;
  run.signal.removeEventListener('abort', onAbort);
  run.signal.throwIfAborted();
  if (refused !== undefined) throw refused as Error; // thrown above, by this module or by the caller's own callback
  if (error !== undefined) throw notStarted(error);
  if (code === null) throw new Fault('upstream_unavailable', `git ${run.args[0]} was killed before it was done`);
  return { code, output: Buffer.concat(chunks), stderr: git.stderr() };
}

/** Like `runGit`, for commands that must succeed. */
export async function runGitOk(run: GitRun): Promise<Buffer> {
  const result = await runGit(run);
  if (result.code !== 0) throw gitFault(run.gitDir, result.stderr);
  return result.output;
}

/** What git complains about → the fault that says what to do. */
export function gitFault(gitDir: string | undefined, stderr: string): Fault {
  const place = gitDir ?? 'git';
  const words = toPlainLine(/^(?:fatal|error): .*$/m.exec(stderr)?.[0] ?? stderr.trim(), 300) || 'it gave no reason';
  if (/permission denied/i.test(stderr))
    return new Fault('permission_missing', `${place} cannot be read by this user: ${words}`);
  if (/not a git repository|dubious ownership|repository extension|repo version|bad config|bad boolean/i.test(stderr)) {
    return new Fault('source_invalid', `${place} is not a repository this git can read: ${words}`);
  }
  // Damage, or a state in the middle of someone's repack: worth another try, and the words say which object.
  return new Fault('bad_upstream', `git could not read ${place}: ${words}`);
}

export function notStarted(error: Error): Fault {
  const missing = 'code' in error && error.code === 'ENOENT';
  if (missing) return new Fault('tool_missing', `git is not installed in any of ${PROGRAM_PATHS}`, { cause: error });
  return new Fault('upstream_unavailable', `git could not be started: ${error.message}`, { cause: error });
}

function globalArguments(gitDir: string | undefined): string[] {
  const config = CONFIG.flatMap((setting) => ['-c', setting]);
  if (gitDir === undefined) return config;
  // The user named this very directory, so a foreign owner is accepted for it and for nothing else.
  const trusted = ['-c', `safe.directory=${gitDir}`];
  return ['--no-pager', '--literal-pathspecs', '--bare', `--git-dir=${gitDir}`, ...config, ...trusted];
}

function tooMuchOutput(args: readonly string[]): Fault {
  return new Fault('source_invalid', `git ${args[0]} answered more than ${GIT_LIMITS.outputBytesMax} bytes`);
}

function killGroup(child: ChildProcessWithoutNullStreams): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL'); // no process groups on this system, or it ended this instant
  }
}
