import type { Clock } from '#core/env.ts';
import type { VirtualTime } from './virtual-time.ts';

/**
 * One simulated process: everything it waits for passes here. Dead, none of its promises resolves any more and nothing it asks for is
 * done; paused, its answers and timers wait until it runs again, while the world goes on.
 */
export class Life {
  readonly name: string;
  readonly clock: Clock;
  readonly #time: VirtualTime;
  readonly #onCrossing: (life: Life, seam: string) => void;
  #dead = false;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;

  /** `onCrossing` is told of every await at a seam, before and after what is awaited; it may end or pause this life. */
  constructor(name: string, time: VirtualTime, onCrossing: (life: Life, seam: string) => void = () => undefined) {
    this.name = name;
    this.#time = time;
    this.#onCrossing = onCrossing;
    this.clock = {
      now: () => time.now(),
      monotonic: () => time.monotonic(),
      sleep: (ms, signal) => this.#sleep(ms, signal),
      turn: () =>
        new Promise((resolve) => {
          time.turn(() => this.#pass('turn', resolve));
        }),
    };
  }

  get dead(): boolean {
    return this.#dead;
  }

  end(): void {
    this.#dead = true;
  }

  pauseFor(ms: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#time.monotonic() + ms);
  }

  resume(): void {
    this.#pausedUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** One await at a seam: the question may die on its way out, the answer on its way back. */
  cross<T>(seam: string, ask: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#pass(seam, () => {
        ask().then(
          (answer) => this.#pass(seam, () => resolve(answer)),
          (error: unknown) => this.#pass(seam, () => reject(error as Error)), // whatever was thrown goes on unchanged
        );
      });
    });
  }

  #pass(seam: string, next: () => void): void {
    if (this.#dead) return;
    this.#onCrossing(this, seam);
    this.#whenRunning(next);
  }

  #whenRunning(next: () => void): void {
    if (this.#dead) return;
    if (this.#pausedUntilMs <= this.#time.monotonic()) next();
    else this.#time.at(this.#pausedUntilMs, () => this.#whenRunning(next));
  }

  #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true || !(ms > 0)) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = (): void => {
        timer.run = undefined;
        resolve();
      };
      const timer = this.#time.after(ms, () =>
        this.#whenRunning(() => {
          signal?.removeEventListener('abort', stop);
          resolve();
        }),
      );
      signal?.addEventListener('abort', stop, { once: true });
    });
  }
}
