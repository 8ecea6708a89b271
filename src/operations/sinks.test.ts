// Sinks as an operator sees and moves them, on a real engine and a real SQLite in memory.

import { afterEach, describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import { draft, openWeir } from './fixtures/open-weir.ts';
import { scriptedSink } from './fixtures/scripted-sink.ts';
import { runOperation, type Operation } from './operation.ts';
import { runConnector } from './run-connector.ts';
import { listSinks, removeSink, rereadSink, resumeSink } from './sinks.ts';

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

function withSink() {
  const { binding, script } = scriptedSink('crm');
  const parts = openWeir({ sinks: [binding] });
  undo.push(parts.close);
  const sinkNamed = async (name: string, change = {}) =>
    (await parts.ask(listSinks, {}, change)).sinks.find((one) => one.name === name);
  const code = async (operation: Operation<never, unknown>, input: unknown, change = {}) =>
    parts.settle(runOperation(operation, { ...parts.context, ...change }, input)).then(
      () => 'done',
      (error: { code?: string }) => error.code,
    );
  const pull = async (...keys: readonly string[]) => {
    parts.source.pages = [...parts.source.pages, { events: keys.map((key) => draft(key)) }];
    return parts.ask(runConnector, { name: 'wiki' });
  };
  /** Pulls without waiting for the sinks. */
  const pulling = (tenant: string) => {
    const connection = parts.engine.connections.find((one) => one.tenant === tenant);
    if (connection === undefined) throw new Error(`no connection of ${tenant}`);
    const asked = { signal: parts.context.signal, acceptDeletes: false, progress: () => {} };
    void parts.engine.pullToEnd(connection, 'pages', asked);
  };
  /** A reader that nothing in this process delivers to: what is left of a sink that was taken out of the configuration. */
  const leave = (name: string) => parts.settle(parts.storage.log.register(name));
  return { ...parts, script, sinkNamed, code, pull, pulling, leave };
}

describe('list', () => {
  test('has the sinks in the store and the configured ones, with their lag and letters', async () => {
    const { ask, pull, script } = withSink();
    script.refuses = ({ key }) => key === 'bad';
    await pull('good', 'bad');
    expect((await ask(listSinks)).sinks).toMatchObject([
      { name: 'timeline', state: 'delivering', lag: 0, oldest_age_seconds: null, dead_letters: 0 },
      { name: 'library', state: 'delivering' },
      { name: 'crm', type: 'scripted', state: 'delivering', since: null, fault: null, dead_letters: 1, suspects: [] },
    ]);
  });

  test('says since when a sink waits, why, what to do, and how old the oldest event is', async () => {
    const { until, sinkNamed, source, script, pulling } = withSink();
    script.out = new Fault('sink_unavailable', 'connection refused');
    source.pages = [{ events: [draft('a')] }];
    pulling('default');
    await until(async () => (await sinkNamed('crm'))?.state === 'waiting');
    const waiting = await sinkNamed('crm');
    expect(waiting).toMatchObject({
      lag: 1,
      fault: { code: 'sink_unavailable', message: 'connection refused', hint: expect.stringContaining('by itself') },
    });
    expect(waiting?.since).toMatch(/^\d{4}-/);
    expect(waiting?.oldest_age_seconds).toBeGreaterThanOrEqual(0);
    script.out = undefined;
  });

  test('shows a suspected event to its own tenant only (I9), and to nobody else its key', async () => {
    const { until, sinkNamed, source, script, pulling } = withSink();
    let failing = true;
    script.refuses = (event) => {
      if (event.key === 'secret-key' && failing) throw new Fault('internal', 'it chokes on this one');
      return false;
    };
    source.pages = [{ events: [draft('secret-key')] }];
    pulling('other');
    await until(async () => ((await sinkNamed('crm', { tenants: ['other'] }))?.suspects.length ?? 0) > 0);
    expect((await sinkNamed('crm', { tenants: ['other'] }))?.suspects).toMatchObject([{ key: 'secret-key' }]);
    expect((await sinkNamed('crm'))?.suspects).toEqual([]);
    failing = false;
  });

  test('in a process that runs nothing else calls a sink stopped', async () => {
    const { sinkNamed, leave } = withSink();
    await leave('gone');
    expect((await sinkNamed('crm', { oneShot: true }))?.state).toBe('stopped');
    expect((await sinkNamed('gone', { oneShot: true }))?.state).toBe('detached');
  });
});

describe('resume', () => {
  test('tries a sink that waits again at once instead of after its wait', async () => {
    const { until, ask, sinkNamed, source, script, pulling, clock } = withSink();
    script.out = new Fault('sink_unavailable', 'connection refused');
    source.pages = [{ events: [draft('a')] }];
    pulling('default');
    await until(async () => (await sinkNamed('crm'))?.state === 'waiting');
    await clock.advance(100_000); // by now it waits long between two tries
    script.out = undefined;
    expect(await ask(resumeSink, { name: 'crm' })).toMatchObject({ name: 'crm', state_before: 'waiting' });
    await clock.advance(100);
    expect(script.taken.map(({ key }) => key)).toEqual(['a']);
  });

  test('of a sink that refuses everything lets its letters be made when the rejects are accepted', async () => {
    const { until, ask, sinkNamed, source, script, pulling } = withSink();
    script.refuses = () => true;
    source.pages = [{ events: Array.from({ length: 60 }, (_, at) => draft(`k${at}`)) }];
    pulling('default');
    await until(async () => (await sinkNamed('crm'))?.state === 'refusing');
    expect((await sinkNamed('crm'))?.fault?.hint).toContain('--accept-rejects');
    expect((await sinkNamed('crm'))?.lag).toBeGreaterThan(0);
    await ask(resumeSink, { name: 'crm', accept_rejects: true });
    await until(async () => (await sinkNamed('crm'))?.lag === 0);
    expect(await sinkNamed('crm')).toMatchObject({ dead_letters: 60 });
  });

  test('of one that is not there, and without a running Weir, is refused', async () => {
    const { code } = withSink();
    expect(await code(resumeSink, { name: 'nosuch' })).toBe('not_found');
    expect(await code(resumeSink, { name: 'crm' }, { oneShot: true })).toBe('instance_missing');
  });
});

describe('reread', () => {
  test('that would fill the queue is refused, unless whoever asks accepts that', async () => {
    const { ask, code, pull, engine, context } = withSink();
    await pull('a', 'b', 'c');
    const small = {
      engine: new Proxy(engine, {
        get: (of, name) => {
          if (name === 'queue')
            return async () => {
              const view = await of.queue();
              return { ...view, limits: { ...view.limits, eventsMax: 3 } };
            };
          const member: unknown = Reflect.get(of, name, of);
          return typeof member === 'function' ? (member.bind(of) as unknown) : member;
        },
      }),
    };
    expect(await code(rereadSink, { name: 'crm', from: 'oldest' }, small)).toBe('input_invalid');
    expect((await ask(listSinks, {}, { ...context, ...small })).sinks.find(({ name }) => name === 'crm')).toMatchObject(
      { lag: 0 },
    );
    expect(await code(rereadSink, { name: 'crm', from: 'oldest', accept_backlog: true }, small)).toBe('done');
  });

  test('says in a dry run how many events it would read and moves nothing, then does exactly that', async () => {
    const { ask, pull, script, until, clock } = withSink();
    await pull('a', 'b');
    await clock.advance(3_600_000);
    await pull('c');
    expect(script.taken).toHaveLength(3);
    for (const [from, entries] of [
      ['oldest', 3],
      ['30m', 1],
      ['newest', 0],
      ['2h', 3],
    ] as const)
      expect(await ask(rereadSink, { name: 'crm', from, dry_run: true })).toMatchObject({
        dry_run: true,
        entries,
        skipped: 0,
      });
    await clock.advance(1000);
    expect(script.taken).toHaveLength(3);
    expect(await ask(rereadSink, { name: 'crm', from: '30m' })).toMatchObject({ dry_run: false, entries: 1 });
    await until(async () => script.taken.length === 4);
    expect(script.taken.map(({ key }) => key).sort()).toEqual(['a', 'b', 'c', 'c']);
  });

  test('ahead says what it passes over', async () => {
    const { ask, until, sinkNamed, source, script, pulling } = withSink();
    script.out = new Fault('sink_unavailable', 'connection refused');
    source.pages = [{ events: [draft('a'), draft('b')] }];
    pulling('default');
    await until(async () => (await sinkNamed('crm'))?.lag === 2);
    expect(await ask(rereadSink, { name: 'crm', from: 'newest', dry_run: true })).toMatchObject({
      entries: 0,
      skipped: 2,
    });
    expect((await sinkNamed('crm'))?.lag).toBe(2);
    await ask(rereadSink, { name: 'crm', from: 'newest' });
    expect((await sinkNamed('crm'))?.lag).toBe(0);
  });

  test('from what is no place, and of one that is not there, is refused', async () => {
    const { code } = withSink();
    expect(await code(rereadSink, { name: 'crm', from: 'yesterday' })).toBe('input_invalid');
    expect(await code(rereadSink, { name: 'nosuch', from: 'oldest' })).toBe('not_found');
  });
});

describe('remove', () => {
  test('of one that is not configured says what it had not read; after it nothing is held back for it', async () => {
    const { ask, pulling, leave, sinkNamed, code, storage, settle, source, until } = withSink();
    await leave('gone');
    source.pages = [{ events: [draft('a'), draft('b')] }];
    pulling('default');
    await until(async () => (await sinkNamed('gone'))?.lag === 2 && (await sinkNamed('crm'))?.lag === 0);
    expect((await sinkNamed('gone'))?.state).toBe('detached');
    expect(await ask(removeSink, { name: 'gone', dry_run: true })).toMatchObject({ dry_run: true, unread: 2 });
    expect((await storage.log.stats()).size).toBe(2);
    expect(await ask(removeSink, { name: 'gone' })).toMatchObject({ dry_run: false, unread: 2 });
    expect(await sinkNamed('gone')).toBeUndefined();
    expect((await settle(storage.log.stats())).size).toBe(0);
    expect(await code(removeSink, { name: 'gone' })).toBe('not_found');
  });

  test.for(['crm', 'timeline'])(
    'of %s, which is in use, is refused, in a dry run too, and it goes on',
    async (name) => {
      const { code, pull, sinkNamed } = withSink();
      expect(await code(removeSink, { name })).toBe('input_invalid');
      expect(await code(removeSink, { name, dry_run: true })).toBe('input_invalid');
      await pull('a');
      expect(await sinkNamed(name)).toMatchObject({ state: 'delivering', lag: 0 });
    },
  );
});
