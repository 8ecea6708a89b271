// The composition root: the only file that reads the process. Everything else gets what it needs handed in. What a command does
// not need is not loaded, so that `weir --help` answers at once.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CliHost, GlobalFlags, Session } from '#cli/host.ts';
import { runCli } from '#cli/program.ts';
import type { FaultProblem } from '#core/fault.ts';
import { createTerminal, type Terminal } from '#cli/terminal.ts';
import { realEnv } from './main/real-env.ts';
import { surroundingsOf } from './main/surroundings.ts';

const installation = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const connectorsFolder = new URL('./connectors/', import.meta.url);
const sinksFolder = new URL('./sinks/', import.meta.url);
const COLUMNS_WITHOUT_TERMINAL = 100;
const PRIVATE_UMASK = 0o077; // what Weir writes (data, logs, weir.yaml with its references) is for its own user alone

/** Runs the command that the arguments name and sets the exit code. Never throws for what a user can cause. */
export async function main(self: NodeJS.Process): Promise<void> {
  self.umask(PRIVATE_UMASK);
  const terminal = createTerminal({
    writeOut: (text) => void self.stdout.write(text),
    writeErr: (text) => void self.stderr.write(text),
    outIsTerminal: self.stdout.isTTY === true,
    errIsTerminal: self.stderr.isTTY === true,
    columns: self.stdout.columns ?? COLUMNS_WITHOUT_TERMINAL,
    env: self.env,
  });
  for (const stream of [self.stdout, self.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => endOnClosedPipe(self, error));
  const interrupted = new AbortController();
  const host = hostOf(self, terminal, interrupted);
  const exit = await runCli(host, self.argv.slice(2));
  self.exitCode = interrupted.signal.aborted ? Number(interrupted.signal.reason) : exit;
  // Sockets kept alive by the HTTP client and unreferenced timers must not hold a finished command.
  await flushed(self);
  self.exit();
}

// `weir events | head` closes the pipe early: that is no error of ours.
function endOnClosedPipe(self: NodeJS.Process, error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') self.exit(0);
}

function flushed(self: NodeJS.Process): Promise<void> {
  return new Promise((done) => void self.stdout.write('', () => void self.stderr.write('', () => done())));
}

function hostOf(self: NodeJS.Process, terminal: Terminal, interrupted: AbortController): CliHost {
  const env = realEnv();
  const variables = self.env;
  const cwd = self.cwd();
  const version = packageVersion();
  const readConfig = async (flags: GlobalFlags, instead: { readonly text?: string } = {}) => {
    const [{ readConfig: read }, { openRegistry, openSinkRegistry }] = await Promise.all([
      import('./main/read-config.ts'),
      import('#engine/registry.ts'),
    ]);
    const registry = openRegistry(connectorsFolder);
    return read({ ...instead, flags, env: variables, cwd, registry, sinkRegistry: openSinkRegistry(sinksFolder) });
  };
  return {
    terminal,
    signal: interrupted.signal,
    version,
    userRole: variables['USER_ROLE'],
    around: surroundingsOf(self, interrupted),
    sleep: (ms, signal) => env.clock.sleep(ms, signal),
    async openSession(flags, needs): Promise<Session> {
      abortOnSignals(self, interrupted);
      const { openSession } = await import('./main/open-session.ts');
      return openSession({
        loaded: await readConfig(flags),
        needs,
        env,
        pid: self.pid,
        signal: interrupted.signal,
        terminal: terminal.withFlags(flags),
        stderr: self.stderr,
        userRole: variables['USER_ROLE'],
      });
    },
    async start(flags) {
      const { startWeir } = await import('./main/start.ts');
      const signals = {
        listen(callback: (name: 'SIGINT' | 'SIGTERM') => void) {
          self.on('SIGINT', callback).on('SIGTERM', callback);
          return () => void self.off('SIGINT', callback).off('SIGTERM', callback);
        },
        exitNow: (code: number) => self.exit(code),
      };
      return startWeir({
        flags,
        variables,
        cwd,
        env,
        pid: self.pid,
        version,
        terminal,
        stdout: self.stdout,
        signals,
        installation,
        connectorsFolder,
        sinksFolder,
      });
    },
    async simulate(flags) {
      abortOnSignals(self, interrupted);
      const { simulate } = await import('./main/simulate.ts');
      const loaded = await readConfig(flags);
      return simulate({ flags, loaded, cwd, signal: interrupted.signal, terminal: terminal.withFlags(flags) });
    },
    async validateConfig(flags) {
      const { parsed, file } = await readConfig(flags);
      return { file, connections: parsed.config.connections.length, warnings: wordsOf(parsed.warnings) };
    },
    async init(flags) {
      const [{ configPath }, { writeFirstConfig }] = await Promise.all([
        import('./main/read-config.ts'),
        import('./main/first-config.ts'),
      ]);
      const { file } = configPath({ flags, env: variables, cwd });
      return { file, text: writeFirstConfig(file, installation) };
    },
    async addSink(flags, name, entry) {
      const [{ configPath }, { addSink }] = await Promise.all([
        import('./main/read-config.ts'),
        import('./main/add-sink.ts'),
      ]);
      const { file } = configPath({ flags, env: variables, cwd });
      const validate = async (text: string) => wordsOf((await readConfig(flags, { text })).parsed.warnings);
      return addSink({ file, name, entry, validate });
    },
    async effectiveSettings(flags) {
      const { effectiveSettings } = await import('#config/effective-settings.ts');
      const { parsed } = await readConfig(flags);
      return effectiveSettings(parsed).map(({ key, value, origin }) => ({ key, value, origin }));
    },
    async configSchema() {
      const [{ weirJsonSchema }, { openRegistry, openSinkRegistry }] = await Promise.all([
        import('#config/json-schema.ts'),
        import('#engine/registry.ts'),
      ]);
      const registry = openRegistry(connectorsFolder);
      const schemas = await Promise.all(
        registry.types.map(async (type) => [type, (await registry.load(type)).config] as const),
      );
      const sinks = openSinkRegistry(sinksFolder);
      const sinkTypes = await Promise.all(sinks.types.map(async (type) => [type, await sinks.load(type)] as const));
      return weirJsonSchema(new Map(schemas), new Map(sinkTypes));
    },
  };
}

function wordsOf(warnings: readonly FaultProblem[]): readonly string[] {
  return warnings.map(({ path, problem, hint }) => [path, problem, hint].filter(Boolean).join(' - '));
}

/** The first signal ends a one-shot command in order. */
function abortOnSignals(self: NodeJS.Process, interrupted: AbortController): void {
  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    self.once(name, () => interrupted.abort(code));
}

function packageVersion(): string {
  const text = readFileSync(resolve(installation, 'package.json'), 'utf8');
  // Our own file: its shape is known.
  return (JSON.parse(text) as { version: string }).version;
}
