import type { Random } from '#core/env.ts';
import { sealEvent, versionOfCounter, type SealedEvent } from '#core/event.ts';
import { oneOf, type Faults } from './fault-plan.ts';
import type { History } from './history.ts';
import type { Worker } from './process-world.ts';
import { CONNECTOR_TYPE, type Upstream } from './upstream.ts';
import type { VirtualTime } from './virtual-time.ts';

const ANSWER_MS_MAX = 10_000; // a sender that got no answer by then sends again
const PAUSE_MS_MAX = 2_000;
const BATCH_MAX = 4;

interface Delivery {
  readonly events: readonly SealedEvent[];
  readonly fromMs: number;
}

/** Somebody who pushes events and remembers what was acknowledged: what was not is sent again under the same ids, until it is. */
export class Sender {
  readonly #time: VirtualTime;
  readonly #chance: Random;
  readonly #faults: Faults;
  readonly #history: History;
  readonly #workers: () => readonly Worker[];
  readonly #upstream: Upstream;
  #queue: Delivery[] = [];
  #signals = 0;

  constructor(options: {
    time: VirtualTime;
    chance: Random;
    faults: Faults;
    history: History;
    upstream: Upstream;
    workers: () => readonly Worker[];
  }) {
    this.#time = options.time;
    this.#chance = options.chance;
    this.#faults = options.faults;
    this.#history = options.history;
    this.#workers = options.workers;
    this.#upstream = options.upstream;
    this.#upstream.listeners.push((told) => {
      for (let at = 0; at < told.length; at += BATCH_MAX) this.#enqueue(told.slice(at, at + BATCH_MAX));
    });
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Something happened, so many times, that no pull will ever bring. */
  signal(count: number): void {
    this.#enqueue(
      Array.from({ length: count }, () => {
        this.#signals += 1;
        return sealEvent(
          { ...this.#upstream.of, connector: CONNECTOR_TYPE, stream: 'signals' },
          {
            kind: 'signal',
            op: 'upsert',
            key: `signal-${this.#signals}`,
            version: versionOfCounter(1),
            time: new Date(Date.UTC(2026, 0, 1) + this.#time.monotonic()).toISOString(),
            title: `of${this.#upstream.of.tenant}`,
            data: null,
          },
        );
      }),
    );
  }

  /** Sends for ever; ends with the world. */
  async run(): Promise<void> {
    for (;;) {
      await this.#time.wait(50 + this.#chance.float() * PAUSE_MS_MAX);
      const delivery = this.#next();
      if (delivery !== undefined) await this.#send(delivery);
    }
  }

  #enqueue(events: readonly SealedEvent[]): void {
    this.#queue.push({ events, fromMs: this.#time.monotonic() + this.#chance.float() * 1_000 });
  }

  #next(): Delivery | undefined {
    const nowMs = this.#time.monotonic();
    const due = this.#queue.filter(({ fromMs }) => fromMs <= nowMs);
    const reordered = due.length > 1 && this.#faults.strikes('send_reordered', this.#chance, 0.5);
    return reordered ? oneOf(this.#chance, due) : due[0];
  }

  async #send(delivery: Delivery): Promise<void> {
    const worker = oneOf(this.#chance, this.#workers());
    if (worker === undefined) return;
    const settled = await Promise.race([
      worker.log.append({ events: delivery.events }).then(
        () => true,
        () => false,
      ),
      this.#time.wait(ANSWER_MS_MAX).then(() => false),
    ]);
    if (!settled) return;
    this.#history.trace.add(`${this.#time.monotonic()} acknowledged ${delivery.events.length}`);
    if (this.#faults.strikes('send_duplicate', this.#chance, 0.2)) return;
    this.#queue = this.#queue.filter((one) => one !== delivery);
  }
}
