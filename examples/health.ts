// Health of connections, kept in memory: record every call, ask at any time.

import assert from 'node:assert/strict';
import { createHealth } from 'weir';

// #region record
const health = createHealth({ p95MsMax: 2000, errorRateMax: 0.1 });

health.recordCall({ connection: 'outlook', operation: 'list_resources', status: 'success', durationMs: 125.5 });
health.recordCall({
  connection: 'outlook',
  operation: 'connect',
  status: 'error',
  durationMs: 5000,
  error: 'timeout after 5000 ms',
});
// #endregion

for (let call = 0; call < 148; call += 1)
  health.recordCall({ connection: 'outlook', operation: 'list_resources', status: 'success', durationMs: 100 + call });

// #region status
const { status, reason, metrics } = health.healthStatus('outlook', { windowMinutes: 60 });
console.log(`outlook ${status}: ${reason}; ${metrics.totalCalls} calls, p95 ${Math.round(metrics.p95Ms ?? 0)} ms`);
// #endregion
assert.equal(status, 'healthy');
assert.equal(metrics.totalCalls, 150);
assert.equal(metrics.errorRate, 1 / 150);
const { p50Ms = 0, p95Ms = 0, p99Ms = 0 } = metrics;
assert.ok(Math.abs(p95Ms - 239) < 8, `p95 is ${p95Ms}`);
assert.ok(p50Ms < p95Ms && p95Ms < p99Ms);

// #region detail
const byOperation = health.summarize('outlook'); // { connect: { totalCalls: 1, … }, list_resources: { … } }
const [newest] = health.recentFailures('outlook', 5); // { atMs, operation: 'connect', error: 'timeout after 5000 ms' }
// #endregion
assert.deepEqual(Object.keys(byOperation), ['connect', 'list_resources']);
assert.equal(byOperation['list_resources']?.totalCalls, 149);
assert.equal(newest?.error, 'timeout after 5000 ms');
assert.equal(health.healthStatus('slack').status, 'unknown');
