import type { Env } from '#core/env.ts';
import type { Terminal } from '#cli/terminal.ts';
import type { Logger } from '#telemetry/logger.ts';
import type { RunningServer } from '#server/server.ts';
import type { Platform } from './compose.ts';
import { removeInstance } from './instance-file.ts';

export const SERVICE_LIMITS = {
  drainMs: 10_000, // SIGTERM to exit; what is not done by then is taken up by the next start (I11)
  repeatMs: 1000, // a signal sent to a group arrives more than once: within this it is the same one
  brokenLookMs: 1000,
} as const;

export interface Signals {
  /** Calls back for each SIGINT or SIGTERM; returns how to stop listening. */
  listen(callback: (name: 'SIGINT' | 'SIGTERM') => void): () => void;
  /** Ends the process at once. */
  exitNow(code: number): void;
}

interface ServiceParts {
  readonly env: Env;
  readonly platform: Platform;
  readonly server: RunningServer;
  readonly logger: Logger;
  readonly terminal: Terminal;
  readonly signals: Signals;
}

const SIGNAL_EXIT = { SIGINT: 130, SIGTERM: 143 } as const;
const BROKEN_EXIT = 3;

/** Waits for the first signal or a broken disk, drains, and says how it went. */
export async function runService(parts: ServiceParts): Promise<number> {
  const { env, platform, terminal, signals, logger } = parts;
  const stop = new AbortController();
  let firstMs: number | undefined;
  const unlisten = signals.listen((name) => {
    const nowMs = env.clock.monotonic();
    if (firstMs === undefined) {
      firstMs = nowMs;
      terminal.note(`${name}: stopping; again to stop at once`);
      stop.abort();
    } else if (nowMs - firstMs > SERVICE_LIMITS.repeatMs) signals.exitNow(SIGNAL_EXIT[name]);
  });
  const broken = watchDisk(parts, stop.signal);
  await Promise.race([aborted(stop.signal), broken]);
  stop.abort();
  const fault = platform.storage.broken();
  if (fault !== undefined) {
    logger.error(`the disk cannot be trusted any more, stopping: ${fault.message}`, { code: fault.code });
    signals.exitNow(BROKEN_EXIT);
    return BROKEN_EXIT;
  }
  const drained = await drain(parts);
  unlisten();
  terminal.note(
    drained
      ? 'stopped; everything acknowledged is stored'
      : `stopped after ${SERVICE_LIMITS.drainMs / 1000} s; what was going on resumes at the next start`,
  );
  return 0;
}

async function drain({ env, platform, server }: ServiceParts): Promise<boolean> {
  const work = (async () => {
    await server.close();
    await platform.engine.stop();
  })();
  const late = new AbortController();
  const drained = await Promise.race([
    work.then(() => true),
    env.clock.sleep(SERVICE_LIMITS.drainMs, late.signal).then(() => false),
  ]);
  late.abort();
  removeInstance(platform.config.dataDirectory);
  platform.storage.close();
  return drained;
}

async function watchDisk({ env, platform }: ServiceParts, stop: AbortSignal): Promise<void> {
  // Ends with the process; every pass waits.
  while (!stop.aborted && platform.storage.broken() === undefined)
    await env.clock.sleep(SERVICE_LIMITS.brokenLookMs, stop);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
