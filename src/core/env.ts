// The outside world that is not data: time and chance. Built once in main, passed down, replaced by a simulation in tests.

export interface Clock {
  /** Milliseconds since the Unix epoch. For people and protocols only: it can be stepped (I10). */
  now(): number;
  /** Milliseconds on a clock that never steps. The only source of elapsed time, deadlines and leases (I10). */
  monotonic(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects: the caller looks at its signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Resolves at the next turn of the event loop, after the I/O that is ready now. Used to gather concurrent callers. */
  turn(): Promise<void>;
}

export interface Random {
  /** Uniform in [0, 1). For jitter and sampling, never for secrets. */
  float(): number;
  /** A fresh identifier, unique and unguessable (RFC 9562 version 4 form). */
  id(): string;
}

export interface Env {
  readonly clock: Clock;
  readonly random: Random;
}
