import type { ForecastReport } from '#core/forecast.ts';
import type { JsonObject, JsonValue } from '#core/json.ts';
import type { Operation } from '#operations/operation.ts';
import type { Terminal } from './terminal.ts';

/** Flags that every command takes. */
export interface GlobalFlags {
  readonly config?: string;
  readonly data?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

export interface StartFlags extends GlobalFlags {
  readonly host?: string;
  readonly port?: number;
}

export interface SimulateFlags extends GlobalFlags {
  readonly seed: number;
  readonly days: number;
  /** File of the plan. */
  readonly faults?: string;
}

/** One way to run operations: in the instance that holds the data directory, or on the data itself. */
export interface Session {
  /** `instance`: a running Weir answered; `data`: this process opened the data. */
  readonly kind: 'instance' | 'data';
  call<Input, Output>(operation: Operation<Input, Output>, input: Readonly<Record<string, unknown>>): Promise<Output>;
  close(): Promise<void>;
}

/** `read` looks only, `data` may create and change, `heartbeat` looks at the worker's file and nothing else. */
export type SessionNeeds = 'read' | 'data' | 'heartbeat';

/** A file that only its owner reads. */
export interface PrivateFile {
  /** Absolute. */
  readonly path: string;
  write(text: string): void;
  close(): void;
  /** Closes it and takes it away: what it was to hold did not come to its end. */
  abandon(): void;
}

/** The person and the files around a command. */
export interface Surroundings {
  /** Whether somebody can be asked: standard input and stderr are terminals. */
  readonly interactive: boolean;
  /** Asks on stderr; resolves with the line that was typed, empty when there is none. */
  ask(question: string): Promise<string>;
  /** Text of a file, or of standard input for `-`. Throws `input_invalid` for one that cannot be read or is too large. */
  readText(path: string, bytesMax: number): Promise<string>;
  /** Throws `input_invalid` for a file that is there already, unless it may be replaced. */
  createPrivate(path: string, options: { readonly replace: boolean }): PrivateFile;
}

/** What the command line needs of the process. Built in main; tests build their own. */
export interface CliHost {
  readonly terminal: Terminal;
  /** Aborts at the first SIGINT or SIGTERM of a one-shot command. */
  readonly signal: AbortSignal;
  readonly version: string;
  /** Value of USER_ROLE, when set. */
  readonly userRole: string | undefined;
  readonly around: Surroundings;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  openSession(flags: GlobalFlags, needs: SessionNeeds): Promise<Session>;
  /** Runs until it is told to stop; returns the exit code. */
  start(flags: StartFlags): Promise<number>;
  /** Reads and checks the configuration alone. Throws `config_invalid` with every problem; returns warnings for people. */
  validateConfig(
    flags: GlobalFlags,
  ): Promise<{ readonly file: string; readonly connections: number; readonly warnings: readonly string[] }>;
  /** Runs a forecast on the configuration. Opens no data and calls nothing. Throws `config_invalid` for a plan that is none. */
  simulate(flags: SimulateFlags): Promise<ForecastReport>;
  /** Writes a commented weir.yaml. Throws `input_invalid` when there is one already. */
  init(flags: GlobalFlags): Promise<{ readonly file: string; readonly text: string }>;
  /**
   * Adds an entry below `sinks:` in weir.yaml, once the whole file is valid with it. Throws `input_invalid` for a name that is taken,
   * `config_invalid` for everything else that is wrong; then nothing was written.
   */
  addSink(
    flags: GlobalFlags,
    name: string,
    entry: JsonObject,
  ): Promise<{ readonly file: string; readonly text: string; readonly warnings: readonly string[] }>;
  /** `config show` and `config schema`. */
  effectiveSettings(
    flags: GlobalFlags,
  ): Promise<readonly { readonly key: string; readonly value: JsonValue; readonly origin: string }[]>;
  configSchema(): Promise<unknown>;
}
