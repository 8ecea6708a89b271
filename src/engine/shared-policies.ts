import { hash } from 'node:crypto';
import type { Env } from '#core/env.ts';
import { CircuitBreaker } from '#policies/circuit-breaker.ts';
import type { GuardOptions } from '#policies/guard.ts';
import { HostBreaker } from '#policies/host-breaker.ts';
import { Keyed } from '#policies/keyed.ts';
import { RateLimiter } from '#policies/rate-limiter.ts';
import { RetryBudget } from '#policies/retry-budget.ts';
import type { Connection } from './connection.ts';

type Shared = Pick<GuardOptions, 'rateLimiter' | 'hostBreaker' | 'retry'>;

/**
 * What several connections share because the other side counts them together: a quota belongs to a credential, an outage to a host,
 * and the share of requests that may be repeated to a tenant at a host. Connections without an address share nothing.
 */
export class SharedPolicies {
  readonly #limiters: Keyed<RateLimiter>;
  readonly #hosts: Keyed<HostBreaker>;
  readonly #budgets: Keyed<RetryBudget>;

  constructor(env: Env) {
    this.#limiters = new Keyed(() => new RateLimiter(env.clock));
    this.#hosts = new Keyed(() => new HostBreaker(new CircuitBreaker(env)));
    this.#budgets = new Keyed(() => new RetryBudget(env.clock));
  }

  of(connection: Connection): Shared {
    const { credentials, tenant, guard, connector } = connection;
    const baseUrl = connection.baseUrl ?? connector.http?.baseUrl;
    if (baseUrl === undefined) return {};
    const { host } = new URL(baseUrl);
    return {
      hostBreaker: this.#hosts.of(host).forTenant(tenant),
      retry: { budget: this.#budgets.of(`${tenant}\n${host}`), ...guard.retry },
      ...(credentials === undefined ? {} : { rateLimiter: this.#limiters.of(credentialKey(host, credentials)) }),
    };
  }
}

/** The same credential at the same host, whoever configured it; a digest, for a key may show in a debugger or a dump (I7). */
function credentialKey(host: string, credentials: NonNullable<Connection['credentials']>): string {
  const fields = Object.entries(credentials).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return hash('sha256', JSON.stringify([host, fields]), 'hex');
}
