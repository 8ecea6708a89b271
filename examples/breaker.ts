// A circuit breaker alone, around a service that fails for a while. The clock of this example is a number, so that a minute
// passes at once; a program gives systemEnv() instead.

import assert from 'node:assert/strict';
import { CircuitBreaker } from 'weir';

let nowMs = 0;
const env = { clock: { monotonic: () => nowMs }, random: { float: () => 0 } };

// #region breaker
const breaker = new CircuitBreaker(env, { failuresToOpen: 5, cooldownMs: 60_000, halfOpenProbability: 0.2 });

async function guarded<T>(call: () => Promise<T>): Promise<T | undefined> {
  const permit = breaker.allow();
  if (permit === undefined) return undefined; // the circuit is open: do not call
  try {
    const value = await call();
    breaker.recordSuccess(permit);
    return value;
  } catch (error) {
    breaker.recordFailure(permit);
    throw error;
  }
}
// #endregion

let healthy = false;
let asked = 0;
const service = async (): Promise<string> => {
  asked += 1;
  if (!healthy) throw new Error('503');
  return 'documents';
};

for (let attempt = 0; attempt < 5; attempt += 1) await assert.rejects(guarded(service), /503/);
assert.equal(breaker.getStats().state, 'open');
assert.equal(await guarded(service), undefined);
assert.equal(asked, 5, 'an open circuit spares the service');

nowMs += 60_000;
healthy = true;
assert.equal(breaker.getStats().state, 'half_open');
assert.equal(await guarded(service), 'documents');
assert.equal(breaker.getStats().state, 'closed');

// #region stats
const { state, openedTotal, refusedTotal } = breaker.getStats();
console.log(`circuit ${state}, opened ${openedTotal} times, refused ${refusedTotal} calls`);
breaker.reset(); // for an operator: closed at once, what is under way counts for nothing
// #endregion
assert.deepEqual([openedTotal, refusedTotal], [1, 1]);
