// Retry and rate limiter as parts of their own, the limiter for a quota of three requests a second.

import assert from 'node:assert/strict';
import { Fault, RateLimiter, Retry, systemEnv } from 'weir';

// #region limiter
const env = systemEnv();
const limiter = new RateLimiter(env.clock, { limit: { kind: 'token_bucket', ratePerSecond: 3, burst: 3 } });

const decision = limiter.take(); // before every request; granted means that it counts as sent
if (!decision.granted) console.log(`wait ${decision.waitMs} ms`);
// #endregion
assert.ok(decision.granted);
assert.ok(limiter.take().granted && limiter.take().granted);
const fourth = limiter.take();
assert.ok(!fourth.granted && fourth.waitMs > 0 && fourth.waitMs <= 334, 'the bucket is empty');

let tries = 0;
const search = async (): Promise<string> => {
  tries += 1;
  if (tries < 3) throw new Fault('upstream_unavailable', 'search answered 503');
  return 'found';
};

const notes: string[] = [];
// #region retry
const retry = new Retry(env, {
  baseMs: 20,
  attemptsMax: 3,
  onRetry: ({ attempt, attemptsMax, nextInMs }) =>
    notes.push(`${attempt}/${attemptsMax} in ${Math.round(nextInMs)} ms`),
});
const answer = await retry.run(() => search(), { idempotent: true });
// #endregion
assert.equal(answer, 'found');
assert.equal(notes.length, 2);

// What is not safe to repeat, and what would fail again, is tried once.
tries = 0;
await assert.rejects(retry.run(search, { idempotent: false }), { code: 'upstream_unavailable' });
const forbidden = () => Promise.reject(new Fault('permission_missing', 'search answered 403'));
await assert.rejects(retry.run(forbidden, { idempotent: true }), { code: 'permission_missing' });
assert.equal(tries, 1);
assert.equal(notes.length, 2);
console.log(`${answer} after ${notes.length} repetitions; the fourth request of a second waits`);
