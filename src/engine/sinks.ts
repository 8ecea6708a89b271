import type { Env } from '#core/env.ts';
import type { EventLog } from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import type { Leases } from '#core/leases.ts';
import type { Store } from '#core/store.ts';
import type { Logger } from '#telemetry/logger.ts';
import type { Metrics } from '#telemetry/metrics.ts';
import { builtInTarget, deliverAll, externalTarget, healthOf, type DeliveryOptions } from './delivery.ts';
import type { Target } from './delivery-target.ts';
import type { SinkBinding } from './sink-binding.ts';
import type { SinkHealth } from './sink-health.ts';
import { sinkStatuses, type SinkStatus } from './sink-status.ts';

export interface SinksOptions {
  readonly env: Env;
  readonly log: EventLog;
  readonly leases: Leases;
  readonly store: Store;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** External ones, besides timeline and library. */
  readonly sinks?: readonly SinkBinding[] | undefined;
  readonly delivery?: { readonly attemptsMax: number } | undefined;
  /** Told of every fault that holds delivery up. */
  readonly onFault?: (fault: Fault) => void;
}

/** Every sink of the engine: those in the store and the configured ones. */
export class Sinks {
  readonly #options: SinksOptions;
  readonly #delivery: DeliveryOptions;
  readonly #sinks: readonly { readonly target: Target; readonly health: SinkHealth }[];

  constructor(options: SinksOptions) {
    this.#options = options;
    this.#delivery = deliveryOf(options);
    const { store, sinks = [] } = options;
    const targets = [builtInTarget(store.timeline), builtInTarget(store.library), ...sinks.map(externalTarget)];
    this.#sinks = targets.map((target) => ({ target, health: healthOf(target, this.#delivery) }));
  }

  /** Delivers until `stop`. */
  async deliver(stop: AbortSignal): Promise<void> {
    await Promise.all(
      this.#sinks.map(({ target, health }) => {
        this.#options.metrics.seedSink(target.name);
        return deliverAll({ ...this.#delivery, health }, target, stop);
      }),
    );
  }

  async statuses(): Promise<readonly SinkStatus[]> {
    const named = this.#sinks.map(({ target: { name, type }, health }) => ({ name, type, health }));
    return sinkStatuses(named, await this.#options.log.stats());
  }

  /** For an operator: what waits is tried at once. `acceptRejects`: the events that are there now may all become dead letters. */
  async resume(name: string, { acceptRejects }: { readonly acceptRejects: boolean }): Promise<void> {
    const found = this.#sinks.find(({ target }) => target.name === name);
    if (found === undefined) throw new Fault('not_found', `there is no sink ${name} that is delivered to`);
    found.health.resume(acceptRejects);
    const { env, logger } = this.#options;
    logger
      .child({ component: 'delivery' })
      .info(`sink ${name} was resumed by an operator${acceptRejects ? ', who accepts what it rejects' : ''}`);
    await env.clock.turn(); // what it held up begins before the operator looks again
  }
}

function deliveryOf({ env, log, leases, store, logger, metrics, delivery, onFault }: SinksOptions): DeliveryOptions {
  const deliveryLog = logger.child({ component: 'delivery' });
  return {
    env,
    log,
    leases,
    owner: env.random.id(),
    letters: store.deadLetters,
    ...(delivery !== undefined && { attemptsMax: delivery.attemptsMax }),
    onBatch: (sink, counts, durationMs) => {
      for (const result of ['written', 'stale', 'retry', 'reject'] as const)
        if (counts[result] > 0) metrics.add('sink_writes_total', { sink, result }, counts[result]);
      metrics.observe('sink_write_duration_seconds', { sink }, durationMs / 1000);
    },
    onFault: (sink, fault, nextInMs) => {
      onFault?.(fault);
      deliveryLog.warn(`sink ${sink} failed; trying again in ${Math.ceil(nextInMs / 1000)} s`, {
        code: fault.code,
        detail: fault.message,
      });
    },
    onDeadLetter: (sink, { entry, code, attempts }) => {
      metrics.add('events_dead_total', { connector: entry.event.connection });
      deliveryLog.warn(
        `an event of ${entry.event.connection} is a dead letter of sink ${sink} after ${attempts} attempts`,
        {
          code,
          key: entry.event.key,
        },
      );
    },
  };
}
