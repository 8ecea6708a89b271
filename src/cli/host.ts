import type { JsonValue } from '#core/json.ts';
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

/** One way to run operations: in the instance that holds the data directory, or on the data itself. */
export interface Session {
  /** `instance`: a running Weir answered; `data`: this process opened the data. */
  readonly kind: 'instance' | 'data';
  call<Input, Output>(operation: Operation<Input, Output>, input: Readonly<Record<string, unknown>>): Promise<Output>;
  close(): Promise<void>;
}

/** `read` looks only, `data` may create and change, `heartbeat` looks at the worker's file and nothing else. */
export type SessionNeeds = 'read' | 'data' | 'heartbeat';

/** What the command line needs of the process. Built in main; tests build their own. */
export interface CliHost {
  readonly terminal: Terminal;
  /** Aborts at the first SIGINT or SIGTERM of a one-shot command. */
  readonly signal: AbortSignal;
  readonly version: string;
  /** Value of USER_ROLE, when set. */
  readonly userRole: string | undefined;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  openSession(flags: GlobalFlags, needs: SessionNeeds): Promise<Session>;
  /** Runs until it is told to stop; returns the exit code. */
  start(flags: StartFlags): Promise<number>;
  /** Reads and checks the configuration alone. Throws `config_invalid` with every problem; returns warnings for people. */
  validateConfig(
    flags: GlobalFlags,
  ): Promise<{ readonly file: string; readonly connections: number; readonly warnings: readonly string[] }>;
  /** Writes a commented weir.yaml. Throws `input_invalid` when there is one already. */
  init(flags: GlobalFlags): Promise<{ readonly file: string; readonly text: string }>;
  /** `config show` and `config schema`. */
  effectiveSettings(
    flags: GlobalFlags,
  ): Promise<readonly { readonly key: string; readonly value: JsonValue; readonly origin: string }[]>;
  configSchema(): Promise<unknown>;
}
