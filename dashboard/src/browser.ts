// The one place that touches the browser's clock, timers, network and storage; everything else gets what it needs passed.

/** A live stream as `EventSource` gives it, reduced to what is used. */
export interface LiveSource {
  /** True when the browser has given up and will not connect again by itself. */
  closed(): boolean;
  close(): void;
}

export interface LiveListener {
  opened(): void;
  /** The stream broke; the browser may connect again by itself. */
  broke(): void;
  message(name: string, data: string): void;
}

export interface Browser {
  /** Wall time on purpose, also for ages: monotonic clocks stand still while a laptop sleeps. */
  nowMs(): number;
  fetch(path: string, init: RequestInit): Promise<Response>;
  openLive(path: string, names: readonly string[], listener: LiveListener): LiveSource;
  /** Calls once after `ms`; the result cancels. */
  after(ms: number, call: () => void): () => void;
  every(ms: number, call: () => void): void;
  nextFrame(call: () => void): void;
  visible(): boolean;
  token(): string;
  copy(text: string): Promise<void>;
  remember(name: string, value: string): void;
  recall(name: string): string | undefined;
}

export const browser: Browser = {
  nowMs: () => Date.now(),
  fetch: (path, init) => fetch(path, init),
  openLive,
  after(ms, call) {
    const timer = window.setTimeout(call, ms);
    return () => window.clearTimeout(timer);
  },
  every: (ms, call) => void window.setInterval(call, ms),
  nextFrame: (call) => void window.requestAnimationFrame(call),
  visible: () => document.visibilityState === 'visible',
  // `crypto.randomUUID` exists on secure origins only, and a dashboard may stand on plain http in a private network.
  token: () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join(''),
  copy: (text) => navigator.clipboard.writeText(text),
  // Storage may be blocked or full: then nothing is remembered, and that is all.
  remember(name, value) {
    try {
      window.localStorage.setItem(name, value);
    } catch {}
  },
  recall(name) {
    try {
      return window.localStorage.getItem(name) ?? undefined;
    } catch {
      return undefined;
    }
  },
};

function openLive(path: string, names: readonly string[], listener: LiveListener): LiveSource {
  const source = new EventSource(path);
  source.addEventListener('open', () => listener.opened());
  source.addEventListener('error', () => listener.broke());
  for (const name of names) {
    source.addEventListener(name, (message: MessageEvent<unknown>) => {
      if (typeof message.data === 'string') listener.message(name, message.data);
    });
  }
  return { closed: () => source.readyState === EventSource.CLOSED, close: () => source.close() };
}
