import { describe, expect, test } from 'vitest';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { simulatedRandom } from '#testing/simulated-random.ts';
import { connectionOf, scripted } from './fixtures/engine-world.ts';
import { SharedPolicies } from './shared-policies.ts';

const connector = scripted({ async *pull() {} });
const shared = (): SharedPolicies => new SharedPolicies({ clock: new SimulatedClock(), random: simulatedRandom(1) });
const to = (baseUrl: string, token: string, tenant = 'a') =>
  connectionOf(connector, { baseUrl, credentials: { token }, tenant });

describe('connections share', () => {
  test('the rate limiter of one credential at one host, whoever configured it, and no other', () => {
    const policies = shared();
    const limiterOf = (...args: Parameters<typeof to>) => policies.of(to(...args)).rateLimiter;
    const one = limiterOf('https://api.example/v1', 't');
    expect(limiterOf('https://api.example/v2', 't', 'b')).toBe(one);
    expect(limiterOf('https://api.example/v1', 'other')).not.toBe(one);
    expect(limiterOf('https://elsewhere.example/', 't')).not.toBe(one);
  });

  test('the retry budget of one tenant at one host, and no other tenant’s', () => {
    const policies = shared();
    const budgetOf = (...args: Parameters<typeof to>) => policies.of(to(...args)).retry?.budget;
    const one = budgetOf('https://api.example/', 't');
    expect(budgetOf('https://api.example/', 'u')).toBe(one);
    expect(budgetOf('https://api.example/', 't', 'b')).not.toBe(one);
  });

  test('a host’s circuit, which one tenant alone cannot open', () => {
    const policies = shared();
    const fail = (tenant: string, times: number): void => {
      const breaker = policies.of(to('https://api.example/', 't', tenant)).hostBreaker;
      for (let time = 0; time < times; time += 1) {
        const permit = breaker?.allow();
        if (permit !== undefined) breaker?.recordFailure(permit);
      }
    };
    const stateSeenBy = (tenant: string) =>
      policies.of(to('https://api.example/', 't', tenant)).hostBreaker?.getStats().state;
    fail('a', 50);
    expect(stateSeenBy('b')).toBe('closed');
    fail('b', 5);
    expect(stateSeenBy('a')).toBe('open');
  });

  test('nothing without an address', () => {
    expect(shared().of(connectionOf(connector))).toEqual({});
  });
});
