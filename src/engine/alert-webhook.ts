// Alerts to one address, signed as Standard Webhooks asks, so that the recipient can tell that they come from this Weir.

import type { Env } from '#core/env.ts';
import { toFault } from '#core/fault.ts';
import type { JsonObject } from '#core/json.ts';
import type { SinkContext } from '#core/sink.ts';
import { standardWebhookHeaders, type SignedMessage } from '#core/standard-webhook.ts';
import { computeBackoffMs, RETRY_DEFAULTS, type RetryPolicy } from '#policies/backoff.ts';
import { parseRetryAfter } from '#policies/retry-after.ts';
import type { Logger } from '#telemetry/logger.ts';
import type { AlertNotice, AlertRecipient } from './alert-watch.ts';

export const ALERT_WEBHOOK_LIMITS = {
  waitingMax: 100, // notices that wait for delivery; a further one is not sent, which the log says
  timeoutMs: 10_000, // of one attempt
  retry: { ...RETRY_DEFAULTS, attemptsMax: 6, baseMs: 5000, capMs: 300_000, factor: 3 } satisfies RetryPolicy,
} as const;

const STATUS_GONE = 410; // the recipient wants no more of them

export interface AlertWebhookOptions {
  readonly env: Env;
  readonly url: string;
  /** `whsec_` and 24 to 64 random bytes in base64. */
  readonly secret: string;
  readonly post: SinkContext['post'];
  readonly logger: Logger;
}

/** Delivers one notice after the other, so that nobody learns of an end before its beginning. */
export class AlertWebhook implements AlertRecipient {
  readonly #options: AlertWebhookOptions;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  #delivering: Promise<void> = Promise.resolve();
  #waiting = 0;
  #gone = false;

  constructor(options: AlertWebhookOptions) {
    this.#options = options;
    this.#log = options.logger.child({ component: 'alerts' });
  }

  notify(notice: AlertNotice): void {
    if (this.#gone || this.#closing.signal.aborted) return;
    if (this.#waiting >= ALERT_WEBHOOK_LIMITS.waitingMax) {
      this.#log.error(`alert not sent: ${this.#waiting} others wait for the webhook`, { alert: notice.rule.name });
      return;
    }
    const id = `msg_${this.#options.env.random.id()}`;
    const body = JSON.stringify(toPayload(notice));
    this.#waiting += 1;
    this.#delivering = this.#delivering
      .then(() => this.#deliver(id, body))
      .catch((error: unknown) => this.#log.error(`alert not sent: ${toFault(error).message}`))
      .finally(() => (this.#waiting -= 1));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#delivering;
  }

  async #deliver(id: string, body: string): Promise<void> {
    const { env } = this.#options;
    const { retry } = ALERT_WEBHOOK_LIMITS;
    const { signal } = this.#closing;
    let problem = '';
    for (let attempt = 0; attempt < retry.attemptsMax && !this.#gone && !signal.aborted; attempt += 1) {
      const outcome = await this.#try({ id, body, timestampS: Math.floor(env.clock.now() / 1000) });
      if (outcome === 'delivered') return;
      problem = outcome.problem;
      if (attempt + 1 === retry.attemptsMax || this.#gone) break;
      const { retryAfterMs } = outcome;
      await env.clock.sleep(
        computeBackoffMs({
          attempt,
          policy: retry,
          random: env.random,
          ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        }),
        signal,
      );
    }
    if (this.#gone) problem = 'it answered 410; nothing more is sent to it until the next start';
    else if (signal.aborted) problem = 'Weir stops';
    this.#log.error(`alert not sent to the webhook: ${problem}`, { message_id: id });
  }

  async #try(
    message: SignedMessage,
  ): Promise<'delivered' | { readonly problem: string; readonly retryAfterMs?: number | undefined }> {
    const { env, url, secret, post } = this.#options;
    const headers = { 'content-type': 'application/json', ...standardWebhookHeaders(secret, message) };
    try {
      const { timeoutMs } = ALERT_WEBHOOK_LIMITS;
      const { signal } = this.#closing;
      const { status, headers: told } = await post({ url, headers, body: message.body, timeoutMs, signal });
      if (status >= 200 && status < 300) return 'delivered';
      if (status === STATUS_GONE) this.#gone = true;
      const retryAfterMs = parseRetryAfter(told['retry-after'], {
        nowMs: env.clock.now(),
        capMs: ALERT_WEBHOOK_LIMITS.retry.capMs,
      });
      return { problem: `the recipient answered ${status}`, retryAfterMs };
    } catch (error) {
      return { problem: toFault(error).message };
    }
  }
}

/** The form of Standard Webhooks: type, time and data; well below the 20 KB it advises. */
function toPayload({ change, rule, connector, summary, atMs }: AlertNotice): JsonObject {
  return {
    type: change === 'fired' ? 'weir.alert.fired' : 'weir.alert.resolved',
    timestamp: new Date(atMs).toISOString(),
    data: {
      alert: rule.name,
      severity: rule.severity,
      page: rule.page,
      tenant: connector?.tenant ?? null,
      connector: connector?.connection ?? null,
      summary,
      description: rule.description,
      runbook: `docs/operating.md#${rule.runbook}`,
    },
  };
}
