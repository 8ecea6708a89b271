// P10, in one world: a server that states waits in every form, clocks that disagree, and guards that share a credential.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { SimulatedClock } from '#testing/simulated-clock.ts';
import { simulatedRandom } from '#testing/simulated-random.ts';
import { PROPERTY_RUNS } from './fixtures/property-runs.ts';
import { createGuard, type Guard } from './guard.ts';
import { parseRateLimitHeaders } from './rate-limit-headers.ts';
import { RateLimiter } from './rate-limiter.ts';

type Form = 'seconds' | 'date' | 'reset' | 'draft';
interface Refusal {
  readonly form: Form;
  readonly waitS: number;
}

/** Answers each request with the next refusal, then with success; remembers requests that came before the stated time. */
class StrictServer {
  readonly early: string[] = [];
  requests = 0;
  #openAtMs = -Infinity;
  readonly #clock: SimulatedClock;
  readonly #aheadMs: number;
  readonly #refusals: Refusal[];

  constructor(clock: SimulatedClock, aheadMs: number, refusals: readonly Refusal[]) {
    this.#clock = clock;
    this.#aheadMs = aheadMs;
    this.#refusals = [...refusals];
  }

  /** The server's wall clock runs on monotonic time: ours may be stepped, its own is not. */
  answer(): Record<string, string> | undefined {
    const nowMs = Date.UTC(2026, 5, 1) + this.#aheadMs + this.#clock.monotonic();
    this.requests += 1;
    if (nowMs < this.#openAtMs) this.early.push(`${this.#openAtMs - nowMs} ms early`);
    const refusal = this.#refusals.shift();
    if (refusal === undefined) return undefined;
    const dateS = Math.floor(nowMs / 1_000);
    const isMoment = refusal.form === 'date' || refusal.form === 'reset';
    this.#openAtMs = Math.max(
      this.#openAtMs,
      isMoment ? (dateS + refusal.waitS) * 1_000 : nowMs + refusal.waitS * 1_000,
    );
    const date = new Date(dateS * 1_000).toUTCString();
    switch (refusal.form) {
      case 'seconds':
        return { date, 'retry-after': String(refusal.waitS) };
      case 'date':
        return { date, 'retry-after': new Date(this.#openAtMs).toUTCString() };
      case 'reset':
        return { date, 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(this.#openAtMs / 1_000) };
      case 'draft':
        return { date, ratelimit: `"default";r=0;t=${refusal.waitS}` };
    }
  }
}

/** What an HTTP client does with an answer: teach the limiter, and throw when it is a 429. */
async function request(server: StrictServer, limiter: RateLimiter, clock: SimulatedClock): Promise<void> {
  const headers = server.answer();
  if (headers === undefined) return;
  const reading = parseRateLimitHeaders((name) => headers[name], clock.now());
  limiter.learn(reading);
  const waitMs = reading.retryAfterMs ?? reading.windows[0]?.resetInMs ?? 0;
  throw new Fault('rate_limited', 'the server answered 429', { retryAtMs: clock.now() + waitMs });
}

/** A run: calls, and when told a time, yields until then. */
async function runUntilDone(guard: Guard, clock: SimulatedClock, send: () => Promise<void>): Promise<void> {
  for (;;) {
    const fault = await guard.call('list', send, { idempotent: true }).then(
      () => undefined,
      (thrown: unknown) => thrown as Fault,
    ); // a guard throws Faults only
    if (fault === undefined) return;
    await clock.sleep(Math.max(0, (fault.retryAtMs ?? 0) - clock.now()) || 1_000);
  }
}

test('P10: no request leaves before the time the server stated, in any form, with any clock', async () => {
  const refusals = fc.array(
    fc.record({
      form: fc.constantFrom<Form>('seconds', 'date', 'reset', 'draft'),
      waitS: fc.constantFrom(0, 1, 7, 30, 600),
    }),
    { minLength: 1, maxLength: 5, size: 'max' },
  );
  const aheadMs = fc.constantFrom(0, 499, -3_600_000, 3_600_000, 365 * 86_400_000);
  const stepsMs = fc.array(fc.constantFrom(-3_600_000, 0, 3_600_000), { minLength: 3, maxLength: 3 });
  let requestsTotal = 0;
  await fc.assert(
    fc.asyncProperty(refusals, aheadMs, stepsMs, fc.integer(), async (stated, ahead, wallSteps, seed) => {
      const clock = new SimulatedClock();
      const env = { clock, random: simulatedRandom(seed) };
      const server = new StrictServer(clock, ahead, stated);
      const limiter = new RateLimiter(clock);
      const runs = ['docs', 'issues'].map((connection) =>
        runUntilDone(createGuard({ connection, rateLimiter: limiter }, env), clock, () =>
          request(server, limiter, clock),
        ),
      );
      for (const wallStep of wallSteps) {
        await clock.advance(400);
        clock.stepWall(wallStep);
      }
      for (let hours = 0; hours < 3; hours += 1) await clock.advance(3_600_000);
      await Promise.all(runs);
      expect(server.early).toEqual([]);
      requestsTotal += server.requests;
    }),
    { numRuns: PROPERTY_RUNS },
  );
  expect(requestsTotal).toBeGreaterThan(3 * PROPERTY_RUNS);
}, 120_000);
