import { signal, type ReadonlySignal } from '@preact/signals';
import type { Browser, LiveSource } from './browser.ts';

/** `connecting` until the first answer; `lost` while the stream is broken; `paused` by the user. */
export type LiveState = 'connecting' | 'live' | 'lost' | 'paused';

export const LIVE_LIMITS = {
  silenceMaxMs: 45_000, // after this a quiet stream must prove that it still stands
  reopenMinMs: 1_000, // doubles with each failure
  reopenMaxMs: 30_000,
} as const;

export interface LiveOptions {
  readonly path: string;
  readonly names: readonly string[];
  message(name: string, data: string): void;
  /** Called whenever the stream stands again: what happened meanwhile must be asked for. */
  caughtUp(): void;
  /** Called when the stream has been silent; resolves to whether the server answers. */
  alive(): Promise<boolean>;
}

export interface Live {
  readonly state: ReadonlySignal<LiveState>;
  start(): void;
  pause(): void;
  /** Connects at once instead of waiting for the next try. */
  retry(): void;
  /** Called about once a second: all waiting is done by comparing times, so a laptop that slept is noticed at once. */
  tick(): void;
}

export function createLive(browser: Browser, options: LiveOptions): Live {
  const state = signal<LiveState>('connecting');
  let source: LiveSource | undefined;
  let heardMs = 0;
  let failures = 0;
  let reopenAtMs: number | undefined;

  const close = (): void => {
    source?.close();
    source = undefined;
    reopenAtMs = undefined;
  };
  const lose = (): void => {
    if (state.value === 'paused') return;
    state.value = 'lost';
    // As long as the browser tries by itself it sends Last-Event-ID; only when it has given up is a new source needed.
    if (source !== undefined && !source.closed()) return;
    close();
    const waitMs = Math.min(LIVE_LIMITS.reopenMinMs * 2 ** failures, LIVE_LIMITS.reopenMaxMs);
    failures += 1;
    reopenAtMs = browser.nowMs() + waitMs;
  };
  const open = (): void => {
    close();
    heardMs = browser.nowMs();
    const mine = browser.openLive(options.path, options.names, {
      opened() {
        if (mine !== source) return;
        failures = 0;
        heardMs = browser.nowMs();
        state.value = 'live';
        options.caughtUp();
      },
      broke: () => mine === source && lose(),
      message(name, data) {
        if (mine !== source) return;
        heardMs = browser.nowMs();
        options.message(name, data);
      },
    });
    source = mine;
  };
  const checkSilence = async (): Promise<void> => {
    heardMs = browser.nowMs(); // one check per silence
    const asked = source;
    if ((await options.alive()) || source !== asked) return;
    close();
    lose();
  };

  return {
    state,
    start() {
      state.value = 'connecting';
      failures = 0;
      open();
    },
    pause() {
      close();
      state.value = 'paused';
    },
    retry: open,
    tick() {
      if (state.value === 'paused') return;
      const nowMs = browser.nowMs();
      if (reopenAtMs !== undefined && nowMs >= reopenAtMs) open();
      else if (state.value === 'live' && nowMs - heardMs > LIVE_LIMITS.silenceMaxMs) void checkSilence();
    },
  };
}
