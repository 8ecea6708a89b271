import { describe, expect, test } from 'vitest';
import { Fault } from '#core/fault.ts';
import type { JsonValue } from '#core/json.ts';
import type { Sink, WriteResult } from '#core/sink.ts';
import { createLogger } from '#telemetry/logger.ts';
import { createRedactor } from '#telemetry/redaction.ts';
import {
  connectionOf,
  doc,
  engineOf,
  OF,
  openWorld,
  pass,
  scripted,
  type PullScript,
} from './fixtures/engine-world.ts';
import { openDeliveryWorld, sinkOf, versions, WRITTEN } from './fixtures/delivery-world.ts';

const CANARY = 'c4n4ry/Pass w0rd+é"x';
const FORMS: Readonly<Record<string, string>> = {
  raw: CANARY,
  base64: Buffer.from(CANARY).toString('base64'),
  percent: encodeURIComponent(CANARY),
};
const FORM_NAMES = Object.keys(FORMS);
const formOf = (name: string): string => FORMS[name] ?? CANARY;
const signal = new AbortController().signal;

/** An engine that knows the canary as a secret, with everything that it writes down. */
function openEngine(pull: PullScript, sinks: readonly Sink[] = [], world = openDeliveryWorld()) {
  const redactor = createRedactor({ secrets: [CANARY] });
  const lines: string[] = [];
  const connection = connectionOf(scripted({ pull }));
  const engine = engineOf(world, [connection], {
    redact: (text) => redactor.redactText(text),
    logger: createLogger({
      level: 'debug',
      streams: [{ write: (line: string) => lines.push(line) }],
      redactor,
      clock: world.clock,
    }),
    sinks: sinks.map((sink) => ({ sink, type: 'http', from: 'oldest', accepts: () => true })),
    delivery: { attemptsMax: 2 },
  });
  const progress: string[] = [];
  return {
    world,
    engine,
    connection,
    pullToEnd: () =>
      engine.pullToEnd(connection, 'docs', { signal, acceptDeletes: false, progress: (line) => progress.push(line) }),
    /** Everything that is kept or shown, as text; a Fault with all it has. */
    async shown(): Promise<string> {
      const tenants = [OF.tenant];
      const letters = await world.store.deadLetters.list({ tenants }, 100);
      const details = await Promise.all(letters.map(({ id }) => world.store.deadLetters.get(tenants, id)));
      const sinkFaults = (await engine.sinks()).map(({ fault }) => [
        fault?.message,
        fault?.stack,
        fault?.details,
        fault?.problems,
        String(fault?.cause),
      ]);
      const kept = [
        await world.store.runs.recent(OF, 100),
        await world.store.calls.failures(OF, 100),
        await engine.status(connection),
        letters,
        details,
        sinkFaults,
      ];
      return [JSON.stringify(kept), ...progress, ...lines].join('\n');
    },
  };
}

/** No form of the canary, also not as it looks inside JSON. */
function expectClean(text: string): void {
  for (const form of Object.values(FORMS)) {
    expect(text).not.toContain(form);
    expect(text).not.toContain(JSON.stringify(form).slice(1, -1));
  }
}

describe.for(FORM_NAMES)('a secret (%s) that a plugin says in words is neither kept nor shown (I7)', (form) => {
  const says = `refused for ${formOf(form)} at the door`;

  test.for([
    [
      'thrown by a call',
      async function* (ctx) {
        yield { events: [], cursor: (await ctx.call('list', () => Promise.reject(new Error(says)))) as JsonValue };
      } satisfies PullScript,
    ],
    [
      'thrown by a call that must wait',
      async function* (ctx) {
        await ctx.call('list', () =>
          Promise.reject(new Fault('rate_limited', says, { retryAtMs: ctx.clock.now() + 60_000 })),
        );
        yield { events: [], cursor: 1 };
      } satisfies PullScript,
    ],
    [
      'thrown as it is',
      async function* () {
        yield { events: [], cursor: 1 };
        throw new Error(says);
      } satisfies PullScript,
    ],
    [
      'thrown as a text',
      async function* () {
        yield { events: [], cursor: 1 };
        throw says;
      } satisfies PullScript,
    ],
  ] as const)('%s', async ([, pull]) => {
    const { engine, pullToEnd, shown, world } = openEngine(pull);
    const runs = pullToEnd();
    await pass(world.clock, 10_000, 500); // a call is tried again
    const [run] = await runs;
    expect(run?.message).toContain('[redacted]');
    expect(run?.message).toContain('at the door');
    expectClean(await shown());
    expectClean(JSON.stringify(run));
    await engine.stop();
  });

  test('in the failures of a page, with the raw record, its key and its names', async () => {
    const payload = {
      note: [says, { [says]: 1 }],
      password: 'not registered anywhere',
      kept: { count: 5, empty: null },
    };
    const { engine, pullToEnd, shown, world } = openEngine(async function* () {
      yield {
        events: [doc('good')],
        cursor: 1,
        failures: [{ key: `range ${says}`, code: 'record_invalid', message: says, payload }],
      };
    });
    await pullToEnd();
    const text = await shown();
    expectClean(text);
    expect(text).not.toContain('not registered anywhere');
    const [letter] = await world.store.deadLetters.list({ tenants: [OF.tenant] }, 10);
    expect(letter?.message).toContain('at the door');
    expect(text).toContain('kept');
    await engine.stop();
  });

  test('in a draft that cannot become an event', async () => {
    const { engine, pullToEnd, shown, world } = openEngine(async function* () {
      yield { events: [doc('bad', -1, { title: says, data: { says } })], cursor: 1 };
    });
    await pullToEnd();
    expect(await world.store.deadLetters.list({ tenants: [OF.tenant] }, 10)).toHaveLength(1);
    expectClean(await shown());
    await engine.stop();
  });

  test('found by a check, or thrown by it', async () => {
    const world = openWorld();
    const redactor = createRedactor({ secrets: [CANARY] });
    const checked = (check: () => Promise<readonly { ok: boolean; message: string; fault?: Fault }[]>) => {
      const connection = connectionOf(scripted({ async *pull() {}, check }));
      return engineOf(world, [connection], { redact: (text) => redactor.redactText(text) }).check(connection, signal);
    };
    const fault = new Fault('credential_rejected', says, { details: { connection: says }, cause: new Error(says) });
    const found = await checked(() =>
      Promise.resolve([
        { ok: false, message: says, fault },
        { ok: true, message: says },
      ]),
    );
    const thrown = await checked(() => Promise.reject(fault));
    expect(found.map(({ ok }) => ok)).toEqual([false, true]);
    for (const { message, fault: of } of [...found, ...thrown]) {
      expect(message).toContain('at the door');
      expectClean([message, of?.message, of?.hint, of?.stack, String(of?.cause)].join());
    }
    expect(thrown[0]?.fault?.code).toBe('credential_rejected');
  });

  const faults = new Fault('sink_unavailable', says, { cause: new Error(says) });
  const refuses = (outcome: 'retry' | 'reject'): WriteResult => ({ outcome, fault: faults });
  test.for([
    { how: 'thrown by its write, its ping failing', ping: true, answer: () => Promise.reject(new Error(says)) },
    {
      how: 'thrown by its write alone, until it is a dead letter',
      ping: false,
      answer: () => Promise.reject(new Error(says)),
    },
    {
      how: 'thrown before its first await',
      ping: false,
      answer: () => {
        throw new Error(says);
      },
    },
    { how: 'given for an event that is refused', ping: false, answer: () => [refuses('reject')] },
    { how: 'given for an event that has to wait', ping: false, answer: () => [refuses('retry')] },
  ])('in the fault of a sink, $how', async ({ ping, answer }) => {
    const world = openDeliveryWorld();
    const outside = sinkOf(() => [WRITTEN]);
    const sink: Sink = {
      ...outside.sink,
      write: (): Promise<readonly WriteResult[]> => answer() as Promise<readonly WriteResult[]>, // as a plugin without types might
      ping: () => (ping ? Promise.reject(new Error(says)) : Promise.resolve()),
    };
    const { engine, shown } = openEngine(async function* () {}, [sink], world);
    engine.startDelivery();
    await world.put(...versions('k', 1));
    for (let look = 0; look < 40; look += 1) {
      await pass(world.clock, 500, 100);
      expectClean(await shown());
    }
    const text = await shown();
    expect(text).toContain('at the door');
    await engine.stop();
  });

  test('in the fault of a sink that cannot be opened', async () => {
    const world = openDeliveryWorld();
    const sink: Sink = { ...sinkOf().sink, open: () => Promise.reject(faults) };
    const { engine, shown } = openEngine(async function* () {}, [sink], world);
    engine.startDelivery();
    await pass(world.clock, 2000, 100);
    expect((await engine.sinks()).find(({ name }) => name === 'outside')).toMatchObject({
      state: 'waiting',
      fault: { code: 'sink_unavailable' },
    });
    expectClean(await shown());
    await engine.stop();
  });
});

test('a raw record of any depth becomes a dead letter, without what lies too deep', async () => {
  let payload: JsonValue = 'bottom';
  for (let depth = 0; depth < 20_000; depth += 1) payload = [payload];
  const { engine, pullToEnd, shown } = openEngine(async function* () {
    yield { events: [], cursor: 1, failures: [{ key: 'deep', code: 'record_invalid', message: 'too deep', payload }] };
  });
  expect((await pullToEnd())[0]).toMatchObject({ outcome: 'succeeded', counts: { failed: 1 } });
  expect(await shown()).toContain('[too deep]');
  await engine.stop();
});
