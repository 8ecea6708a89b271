import { afterEach, expect, test } from 'vitest';
import { ConnectorsHealthSchema, ReadySchema, WebhooksHealthSchema } from './health-documents.ts';
import { runWeir, type RunningWeir, type RunOptions } from './fixtures/running-weir.ts';

let weir: RunningWeir;
afterEach(() => weir.close());

async function start(options: RunOptions = {}): Promise<void> {
  weir = await runWeir(options);
}

test('/livez answers while nothing is ready', async () => {
  await start({ change: { readiness: () => Promise.reject(new Error('no disk')) } });
  expect(await weir.ask('/livez')).toMatchObject({ status: 200, text: '{"status":"live"}' });
});

test('/readyz is 200 when every check passes and lists them only when asked', async () => {
  await start();
  expect(await weir.ask('/readyz')).toMatchObject({ status: 200, text: '{"status":"ready"}' });
  const { text } = await weir.ask('/readyz?verbose');
  expect(text).toBe('{"status":"ready","checks":[{"name":"log","ok":true,"detail":"writable"}]}');
});

test('/readyz is 503 and names the failing check', async () => {
  const checks = [
    { name: 'log', ok: true, detail: 'writable' },
    { name: 'disk', ok: false, detail: '12 MB free' },
  ];
  await start({ change: { readiness: () => Promise.resolve(checks) } });
  const answer = await weir.ask('/readyz');
  expect(answer).toMatchObject({ status: 503, json: { status: 'unready', checks: [checks[1]] } });
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(ReadySchema.parse((await weir.ask('/readyz?verbose')).json).checks).toEqual(checks);
});

test('/readyz is 503 without the words of the error when the checks themselves fail', async () => {
  await start({ change: { readiness: () => Promise.reject(new Error('cannot open /home/someone/secret')) } });
  const answer = await weir.ask('/readyz');
  expect(answer.status).toBe(503);
  expect(answer.text).not.toContain('secret');
});

test('a connector that is down leaves /readyz alone and shows in its own health', async () => {
  await start();
  weir.source.onPull = () => Promise.reject(new Error('the API is gone'));
  await weir.pull();
  expect(await weir.ask('/readyz')).toMatchObject({ status: 200 });
  expect(await weir.ask('/api/connectors/health')).toMatchObject({
    status: 200,
    json: { status: 'down', connectors: [{ name: 'wiki', status: 'down' }] },
  });
});

test('/api/connectors/health has exactly the members that scripts rely on', async () => {
  await start();
  weir.source.add({ key: 'a' });
  await weir.pull();
  const { json, status } = await weir.ask('/api/connectors/health');
  expect(status).toBe(200);
  const health = ConnectorsHealthSchema.parse(json);
  expect(health).toEqual(json);
  // In the order they are sent, which is not the schema's.
  const [wiki] = (json as typeof health).connectors;
  expect(Object.keys(wiki ?? {})).toEqual([
    'name',
    'type',
    'tenant',
    'status',
    'reason',
    'metrics',
    'enabled',
    'last_result',
    'activity',
    'circuit_state',
    'last_success',
    'next_run',
    'events_total',
    'dead_letters',
  ]);
  expect(Object.keys(wiki?.metrics ?? {})).toEqual(['total_calls', 'error_rate', 'p50_ms', 'p95_ms', 'p99_ms']);
  expect(wiki).toMatchObject({
    name: 'wiki',
    type: 'sample',
    tenant: 'default',
    status: 'healthy',
    circuit_state: 'closed',
    metrics: { total_calls: 1, error_rate: 0 },
  });
});

test('/api/connectors/health speaks the health+json draft when asked', async () => {
  await start();
  weir.source.onPull = () => Promise.reject(new Error('the API is gone'));
  await weir.pull();
  const { json, headers, status } = await weir.ask('/api/connectors/health', {
    headers: { accept: 'application/health+json' },
  });
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('application/health+json; charset=utf-8');
  expect(json).toMatchObject({
    status: 'fail',
    version: '1.2.3',
    checks: { 'default/wiki:error_rate': [{ componentId: 'wiki', status: 'fail', observedUnit: 'ratio' }] },
  });
});

test('/webhooks/health has exactly the members that scripts rely on, with real numbers', async () => {
  await start();
  weir.source.add({ key: 'a' }, { key: 'b' });
  await weir.pull();
  const { json, text } = await weir.ask('/webhooks/health');
  expect(WebhooksHealthSchema.parse(json)).toEqual(json);
  const lastSync = /"last_sync":"([^"]+)"/.exec(text)?.[1];
  expect(text).toBe(
    `{"status":"healthy","connectors":[{"name":"wiki","status":"idle","stats":{"events_received":2,"events_queued":2,"errors":0,"last_sync":"${lastSync}"},"circuit_breaker":"closed"}]}`,
  );
  expect(Date.parse(lastSync ?? '')).toBeGreaterThanOrEqual(Date.UTC(2026, 0, 1));
});

test('/metrics answers in the Prometheus format, and is not there unless it was switched on', async () => {
  await start();
  const on = await weir.ask('/metrics');
  expect(on.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(on.text).toContain('queue_depth');
  await weir.close();
  await start({ change: { metricsEnabled: false } });
  expect(await weir.ask('/metrics')).toMatchObject({ status: 404, json: { code: 'route_unknown' } });
});

test('/schema/weir.json is the schema of the configuration', async () => {
  await start();
  expect(await weir.ask('/schema/weir.json')).toMatchObject({ status: 200, json: { title: 'weir.yaml' } });
});
