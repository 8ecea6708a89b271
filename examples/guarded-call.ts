// The whole guard around a call to a server of this machine that answers 503 twice, then 429 with a time, then what was asked for.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  computeBackoffMs,
  createGuard,
  createHealth,
  Fault,
  parseRetryAfter,
  RETRY_DEFAULTS,
  systemEnv,
  toFault,
} from 'weir';

let answered = 0;
const server = createServer((_, response) => {
  answered += 1;
  if (answered <= 2) response.writeHead(503).end();
  else if (answered === 4) response.writeHead(429, { 'retry-after': '120' }).end();
  else response.writeHead(200, { 'content-type': 'application/json' }).end('["a.md","b.md"]');
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const { port } = server.address() as AddressInfo; // it listens on a port, not on a pipe
const url = `http://127.0.0.1:${port}/files`;

// #region guard
const env = systemEnv();
const health = createHealth();
const guard = createGuard(
  {
    connection: 'files',
    retry: { baseMs: 10, attemptsMax: 3 },
    breaker: { failuresToOpen: 5, cooldownMs: 60_000 },
    bulkhead: { concurrencyMax: 8, waitingMax: 64 },
    attemptTimeoutMs: 5_000,
    onCall: ({ operation, durationMs, fault }) =>
      health.recordCall({
        connection: 'files',
        operation,
        durationMs,
        ...(fault === undefined ? { status: 'success' } : { status: 'error', error: fault.message }),
      }),
  },
  env,
);
// #endregion

// #region fault
async function listFiles(signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, { signal });
  if (response.ok) return response.json();
  await response.body?.cancel();
  const nowMs = env.clock.now();
  const waitMs = parseRetryAfter(response.headers.get('retry-after'), { nowMs });
  const code =
    response.status === 429 ? 'rate_limited' : response.status >= 500 ? 'upstream_unavailable' : 'bad_upstream';
  throw new Fault(code, `files answered ${response.status}`, waitMs === undefined ? {} : { retryAtMs: nowMs + waitMs });
}
// #endregion

// #region call
const files = await guard.call('list_files', ({ signal }) => listFiles(signal), { idempotent: true });
// #endregion
assert.deepEqual(files, ['a.md', 'b.md']);
assert.equal(answered, 3, 'two failures were repeated');

// #region later
// A wait longer than a moment is not slept: the fault says when to come back, and until then nobody asks the server.
const refused = await guard.call('list_files', ({ signal }) => listFiles(signal), { idempotent: true }).catch(toFault);
const waitS = refused instanceof Fault ? Math.round(((refused.retryAtMs ?? 0) - env.clock.now()) / 1000) : 0;
// #endregion
assert.ok(refused instanceof Fault && refused.code === 'rate_limited');
assert.ok(waitS >= 118 && waitS <= 133, `the server said 120 s, at most a tenth is added: ${waitS}`);
await assert.rejects(
  guard.call('list_files', ({ signal }) => listFiles(signal)),
  { code: 'rate_limited' },
);
assert.equal(answered, 4, 'nobody asks again before the time is over');

// #region backoff
// attempt 2 → 1,280 to 1,920 ms: 400 · 2², ± 20 %
const waitMs = computeBackoffMs({ attempt: 2, policy: RETRY_DEFAULTS, random: env.random });
// #endregion
assert.ok(waitMs >= 1_280 && waitMs <= 1_920);

const { metrics } = health.healthStatus('files');
assert.equal(metrics.totalCalls, 4, 'every try was recorded');
console.log(`listed ${String(files)} at the third try; then told to come back in ${waitS} s`);
guard.close();
server.close();
