import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listConnectors } from '#operations/list-connectors.ts';
import { getQueueStats } from '#operations/queue.ts';
import { OpenStream } from './fixtures/open-stream.ts';
import { runWeir, type RunningWeir, type RunOptions } from './fixtures/running-weir.ts';

let weir: RunningWeir;
let streams: OpenStream[];
beforeEach(() => {
  streams = [];
});
afterEach(async () => {
  for (const stream of streams) stream.close();
  await weir.close();
});

async function start(options: RunOptions = {}): Promise<void> {
  weir = await runWeir(options);
}

async function follow(options: ConstructorParameters<typeof OpenStream>[1] = {}): Promise<OpenStream> {
  const stream = new OpenStream(weir.running.port, options);
  streams.push(stream);
  await weir.until(() => stream.status !== 0);
  return stream;
}

const keysOf = (stream: OpenStream): unknown[] =>
  stream.named('event').map(({ data }) => (data as { subject: string }).subject);

describe('events', () => {
  test('that are appended arrive as CloudEvents, numbered by their row', async () => {
    await start();
    const stream = await follow();
    expect(stream.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    weir.source.add({ key: 'a', title: 'two\nlines\r\nand an\u2028end' });
    await weir.pull();
    await weir.until(() => stream.named('event').length > 0);
    const listed = (await weir.ask('/api/v1/events')).json as { items: unknown[]; newest: number };
    expect(stream.named('event')).toEqual([{ id: String(listed.newest), event: 'event', data: listed.items[0] }]);
  });

  test('of another tenant never arrive', async () => {
    await start();
    const stream = await follow({ query: '?topics=events' });
    const theirs = weir.engine.connections[1];
    if (theirs === undefined) throw new Error('the second connection belongs to another tenant');
    const { sample } = await import('#testing/event-samples.ts');
    await weir.settle(
      weir.storage.log.append({ events: [sample({ of: { ...theirs, stream: 'pages' }, key: 'secret' })] }),
    );
    weir.source.add({ key: 'mine' });
    await weir.pull();
    await weir.until(() => keysOf(stream).length > 0);
    expect(keysOf(stream)).toEqual(['mine']);
  });

  test('missed while away are sent when the client comes back, each once and in order', async () => {
    await start({ stream: { pageRows: 3 } });
    const first = await follow();
    weir.source.add({ key: 'before' });
    await weir.pull();
    await weir.until(() => keysOf(first).length === 1);
    first.close();
    const keys = Array.from({ length: 10 }, (_, index) => `key-${index}`);
    weir.source.add(...keys.map((key) => ({ key })));
    await weir.pull();
    const second = await follow({ lastEventId: first.frames.findLast(({ id }) => id !== undefined)?.id ?? '' });
    await weir.until(() => keysOf(second).length >= keys.length);
    expect(keysOf(second).toSorted()).toEqual(keys);
    const rows = second.named('event').map(({ id }) => Number(id));
    expect(rows).toEqual(rows.toSorted((a, b) => a - b));
  });

  test('are found again even by a client that got none: the stream begins with a row', async () => {
    await start();
    const first = await follow();
    await weir.until(() => first.frames.length > 0);
    expect(first.frames[0]).toEqual({ id: '0', event: undefined, data: undefined });
  });

  test.for([
    ['a row of other data', '999999'],
    ['no row at all', 'evt_17'],
    ['a negative row', '-1'],
  ])('after %s the client is told to reload', async ([, lastEventId = '']) => {
    await start();
    const stream = await follow({ lastEventId });
    await weir.until(() => stream.named('reload').length === 1);
    expect(stream.named('reload')).toEqual([{ id: '0', event: 'reload', data: {} }]);
  });

  test('beyond the largest gap are not sent: one reload stands for all, at most one in its time', async () => {
    await start({ stream: { gapRowsMax: 5, reloadMs: 5_000, lookMs: 250 } });
    const stream = await follow({ query: '?topics=events' });
    weir.source.add(...Array.from({ length: 40 }, (_, index) => ({ key: `flood-${index}` })));
    await weir.pull();
    await weir.until(() => stream.named('reload').length === 1);
    const firstMs = weir.clock.monotonic();
    weir.source.add(...Array.from({ length: 40 }, (_, index) => ({ key: `again-${index}` })));
    await weir.pull();
    await weir.until(() => stream.named('reload').length === 2, 100);
    expect(weir.clock.monotonic() - firstMs).toBeGreaterThan(4_500);
    weir.source.add({ key: 'calm' });
    await weir.pull();
    await weir.until(() => keysOf(stream).includes('calm'));
    expect(stream.named('event').length).toBeLessThanOrEqual(6);
  });

  test('that are too large go without their text and content', async () => {
    await start({ stream: { eventBytesMax: 2_000 } });
    const stream = await follow({ query: '?topics=events' });
    weir.source.add({ key: 'large', title: 'Large', text: 'x'.repeat(5_000), url: 'file:///large' });
    await weir.pull();
    await weir.until(() => stream.named('event').length === 1);
    expect(stream.named('event')[0]?.data).toMatchObject({
      subject: 'large',
      data: { title: 'Large', url: 'file:///large', data: { truncated: true } },
    });
    expect(stream.text.length).toBeLessThan(2_000);
  });
});

describe('states', () => {
  test('are sent at first, then when they change, at most once in their time', async () => {
    await start({ stream: { stateMs: 1_000 } });
    const stream = await follow();
    await weir.until(() => stream.named('connectors').length === 1 && stream.named('queue').length === 1);
    listConnectors.output.parse(stream.named('connectors')[0]?.data);
    getQueueStats.output.parse(stream.named('queue')[0]?.data);
    await weir.clock.advance(10_000);
    expect(stream.named('connectors')).toHaveLength(1);
    weir.source.add({ key: 'a' });
    const fromMs = weir.clock.monotonic();
    await weir.pull();
    await weir.until(() => JSON.stringify(stream.named('connectors').at(-1)?.data).includes('"events_total":1,'), 250);
    expect(stream.named('connectors').length - 1).toBeLessThanOrEqual(
      Math.ceil((weir.clock.monotonic() - fromMs) / 1_000),
    );
  });

  test('of topics that were not asked for are not sent', async () => {
    await start();
    const stream = await follow({ query: '?topics=queue' });
    weir.source.add({ key: 'a' });
    await weir.pull();
    await weir.clock.advance(3_000);
    await weir.until(() => stream.named('queue').length > 0);
    expect(new Set(stream.frames.map(({ event }) => event))).toEqual(new Set([undefined, 'queue']));
  });

  test.for(['topics=', 'topics=events,secrets', 'topics=events&topics=queue', 'topic=events'])(
    'the query %s is 422',
    async (query) => {
      await start();
      expect(await weir.ask(`/api/v1/stream?${query}`)).toMatchObject({ status: 422, json: { code: 'input_invalid' } });
    },
  );
});

describe('clients', () => {
  test('that hear nothing get a comment in every heartbeat', async () => {
    await start({ stream: { heartbeatMs: 15_000 } });
    const stream = await follow({ query: '?topics=events' });
    await weir.clock.advance(46_000);
    await weir.until(() => (stream.text.match(/^:/gm) ?? []).length >= 3);
    expect(stream.text.match(/^:/gm)).toHaveLength(3);
  });

  test('beyond the last place are refused with 503, and get it when it is free', async () => {
    await start({ stream: { clientsMax: 2 } });
    const first = await follow();
    await follow();
    const refused = await weir.ask('/api/v1/stream');
    expect(refused).toMatchObject({ status: 503, json: { type: 'about:blank' } });
    expect(refused.headers['retry-after']).toBeDefined();
    first.close();
    await weir.until(() => first.ended);
    const next = await follow();
    expect(next.status).toBe(200);
  });

  test('that read nothing for too long are cut off, and others get everything', { timeout: 60_000 }, async () => {
    const count = 150;
    await start({
      stream: { gapRowsMax: 10_000, pageRows: 2, clientsMax: 2, stallMs: 20_000, eventBytesMax: 150_000 },
    });
    await follow({ query: '?topics=events,connectors', reads: false });
    const good = await follow({ query: '?topics=events' });
    // More than the sockets of both sides hold.
    weir.source.add(...Array.from({ length: count }, (_, index) => ({ key: `k${index}`, text: 'x'.repeat(90_000) })));
    await weir.pull();
    await weir.until(() => keysOf(good).length === count, 250);
    expect(new Set(keysOf(good)).size).toBe(count);
    // Its place is free again.
    for (let tries = 0; tries < 200; tries += 1) {
      const next = await follow();
      if (next.status === 200) break;
      await weir.clock.advance(500);
    }
    expect(streams.at(-1)?.status).toBe(200);
  });

  test('survive a store that cannot be read for a while', async () => {
    let failing = false;
    await start();
    const stream = await follow({ query: '?topics=events' });
    const { timeline } = weir.storage.store;
    const newest = timeline.newest.bind(timeline);
    timeline.newest = () => (failing ? Promise.reject(new Error('disk I/O error')) : newest());
    failing = true;
    await weir.clock.advance(12_000);
    expect(
      weir.logged.filter(({ level, message }) => level === 'warn' && message.includes('live stream')).length,
    ).toBeLessThanOrEqual(3);
    failing = false;
    weir.source.add({ key: 'after' });
    await weir.pull();
    await weir.until(() => keysOf(stream).length === 1, 250);
  });

  test('are let go when the server closes', async () => {
    await start();
    const stream = await follow();
    await weir.settle(weir.running.close());
    await weir.until(() => stream.ended);
  });
});
