import type { Env } from '#core/env.ts';
import type { ConnectionRef } from '#core/names.ts';
import type { DeadLetterStore } from '#core/dead-letter.ts';
import type { Logger } from '#telemetry/logger.ts';
import { ALERT_WINDOWS, summaryOf, type AlertFacts, type AlertRule, type ConnectorFacts } from './alert-rules.ts';
import { Alerts, type Alert, type AlertChange, type Silence } from './alerts.ts';
import type { QueueView } from './backpressure-watch.ts';
import type { Connection } from './connection.ts';
import { WindowedCount } from './windowed-count.ts';

/** Rules are judged this often: often enough for for-times of minutes, and dead letters are counted in the store each time. */
export const ALERT_EVALUATE_MS = 10_000;

/** Told once when an alert fires and once when it is resolved. */
export interface AlertNotice extends AlertChange {
  /** The same of a fired alert and its resolution. */
  readonly summary: string;
  /** Wall time, for people. */
  readonly atMs: number;
}

/** Somebody else who wants to know. Takes it in at once and delivers on its own time; must not throw. */
export interface AlertRecipient {
  notify(notice: AlertNotice): void;
  /** Called once at the end: gives up what is not delivered yet. */
  close(): Promise<void>;
}

export interface AlertWatchOptions {
  readonly env: Env;
  readonly deadLetters: DeadLetterStore;
  readonly connections: readonly Connection[];
  readonly circuitOf: (connection: Connection) => ConnectorFacts['circuit'];
  readonly queue: () => Promise<QueueView>;
  readonly sinks: () => Promise<readonly { readonly state: string }[]>;
  readonly logger: Logger;
  readonly recipient?: AlertRecipient | undefined;
}

interface Counted {
  calls: number;
  failed: number;
  readonly callsInWindow: WindowedCount;
  readonly failedInWindow: WindowedCount;
  readonly deadLetters: WindowedCount;
}

/** Measures what the alert rules judge, has them judged, and says what came of it: in the log, and to the recipient. */
export class AlertWatch {
  readonly #options: AlertWatchOptions;
  readonly #log: Logger;
  readonly #alerts = new Alerts();
  readonly #counted = new Map<Connection, Counted>();
  #heartbeatAtMs: number;
  #evaluatedAtMs = Number.NEGATIVE_INFINITY;
  #facts: AlertFacts | undefined;

  constructor(options: AlertWatchOptions) {
    this.#options = options;
    this.#log = options.logger.child({ component: 'alerts' });
    this.#heartbeatAtMs = options.env.clock.monotonic();
    for (const connection of options.connections) {
      this.#counted.set(connection, {
        calls: 0,
        failed: 0,
        callsInWindow: new WindowedCount(ALERT_WINDOWS.callsMs, 0),
        failedInWindow: new WindowedCount(ALERT_WINDOWS.callsMs, 0),
        deadLetters: new WindowedCount(ALERT_WINDOWS.deadLettersMs),
      });
    }
  }

  /** Called for every call that went out. */
  noteCall(connection: Connection, failed: boolean): void {
    const counted = this.#counted.get(connection);
    if (counted === undefined) return;
    counted.calls += 1;
    if (failed) counted.failed += 1;
  }

  /** Called when a heartbeat has been written. */
  noteHeartbeat(): void {
    this.#heartbeatAtMs = this.#options.env.clock.monotonic();
  }

  /** Called in every cycle of the housekeeping; does nothing until it is time. */
  async evaluate(): Promise<void> {
    const { clock } = this.#options.env;
    if (clock.monotonic() - this.#evaluatedAtMs < ALERT_EVALUATE_MS) return;
    this.#evaluatedAtMs = clock.monotonic();
    const facts = await this.#measure();
    this.#facts = facts;
    for (const change of this.#alerts.evaluate((rule) => rule.read(facts), clock.monotonic())) this.#tell(change);
  }

  list(): readonly Alert[] {
    return this.#alerts.list(this.#options.env.clock.monotonic());
  }

  silences(): readonly Silence[] {
    return this.#alerts.silences(this.#options.env.clock.monotonic());
  }

  /** False: there are too many already. */
  silence(silence: Omit<Silence, 'untilMs'>, forMs: number): boolean {
    const nowMs = this.#options.env.clock.monotonic();
    const { rule = 'every rule', connector = 'everything', reason } = silence;
    const taken = this.#alerts.silence({ ...silence, untilMs: nowMs + forMs }, nowMs);
    if (taken) this.#log.info(`alerts silenced for ${forMs / 60_000} minutes: ${rule} of ${connector}`, { reason });
    return taken;
  }

  /** Why a rule is not judged; undefined: it is. */
  inactive(rule: AlertRule): string | undefined {
    return this.#facts === undefined ? 'not judged yet' : rule.inactive?.(this.#facts);
  }

  async close(): Promise<void> {
    await this.#options.recipient?.close();
  }

  async #measure(): Promise<AlertFacts> {
    const { connections, env, queue, sinks } = this.#options;
    const enabled = connections.filter((connection) => connection.enabled);
    const { usageRatio, stats, disk } = await queue();
    const refusing = (await sinks()).filter(({ state }) => state === 'refusing');
    const connectors: ConnectorFacts[] = [];
    for (const connection of enabled) connectors.push(await this.#measureOne(connection));
    return {
      queueUsageRatio: usageRatio,
      queueOldestAgeMs: stats.oldestAtMs === undefined ? 0 : Math.max(0, env.clock.now() - stats.oldestAtMs),
      ...(disk && { disk: disk.state }),
      sinksRefusing: refusing.length,
      heartbeatAgeMs: env.clock.monotonic() - this.#heartbeatAtMs,
      connectors,
    };
  }

  async #measureOne(connection: Connection): Promise<ConnectorFacts> {
    const { deadLetters, env, circuitOf } = this.#options;
    const of: ConnectionRef = { tenant: connection.tenant, connection: connection.connection };
    const kept = await deadLetters.count(of);
    const nowMs = env.clock.monotonic();
    const counted = this.#counted.get(connection);
    return {
      ...of,
      circuit: circuitOf(connection),
      calls: {
        total: counted?.callsInWindow.observe(counted.calls, nowMs) ?? 0,
        failed: counted?.failedInWindow.observe(counted.failed, nowMs) ?? 0,
      },
      deadLettersNew: counted?.deadLetters.observe(kept, nowMs) ?? 0,
    };
  }

  #tell(change: AlertChange): void {
    const { env, recipient } = this.#options;
    const { rule, connector, value } = change;
    const summary = summaryOf(rule, connector?.connection, value);
    const extra = {
      alert: rule.name,
      severity: rule.severity,
      page: rule.page,
      ...(connector === undefined ? {} : { connector: connector.connection }),
      runbook: `docs/operating.md#${rule.runbook}`,
    };
    if (change.change === 'resolved') this.#log.warn(`alert resolved: ${summary}`, extra);
    else this.#log[rule.severity === 'critical' ? 'error' : 'warn'](`alert: ${summary}`, extra);
    recipient?.notify({ ...change, summary, atMs: env.clock.now() });
  }
}
