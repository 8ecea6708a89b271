import { z } from 'zod';
import type { ReadFrom } from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import type { SinkStatus } from '#engine/sink-status.ts';
import { demandRunning } from './connector-view.ts';
import { sinkName } from './dead-letter-view.ts';
import { parseMoment } from './list-events.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION, type OperationContext } from './operation.ts';
import { moment, toMoment } from './shapes.ts';

const sinkState = z.enum(['delivering', 'waiting', 'refusing', 'detached', 'stopped']);

const sink = z.object({
  name: z.string(),
  type: z.string(),
  state: sinkState.describe(
    'waiting: it is out and tried again; refusing: it refused too many in a row; detached: registered, but not configured or not enabled; stopped: no Weir runs',
  ),
  since: moment,
  fault: z.object({ code: z.string(), message: z.string(), hint: z.string() }).nullable(),
  lag: z.int().describe('events it has not settled'),
  oldest_age_seconds: z.number().nullable(),
  dead_letters: z.int(),
  suspects: z
    .array(
      z.object({
        partition: z.int(),
        position: z.int(),
        tenant: z.string(),
        key: z.string(),
        attempts: z.int(),
      }),
    )
    .describe('single events that fail while the sink takes others'),
});

export const listSinks = defineOperation({
  name: 'sinks.list',
  title: 'Where events are written, how far each sink is behind and what holds it up',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/sinks' },
  input: z.strictObject({}),
  output: z.object({ schemaVersion, sinks: z.array(sink) }),
  async run(ctx) {
    const [all, groups] = await Promise.all([
      ctx.engine.sinks(),
      ctx.store.deadLetters.groups({ tenants: ctx.tenants }),
    ]);
    const letters = new Map<string, number>();
    for (const { stage, count } of groups) letters.set(stage, (letters.get(stage) ?? 0) + count);
    return {
      schemaVersion: SCHEMA_VERSION,
      sinks: all.map((one) => toSinkView(ctx, one, letters.get(one.name) ?? 0)),
    };
  },
});

function toSinkView(ctx: OperationContext, status: SinkStatus, deadLetters: number): z.infer<typeof sink> {
  const { name, type, state, sinceMs, fault, lag, oldestAtMs, suspects } = status;
  return {
    name,
    type,
    state: stateOf(ctx, state),
    since: toMoment(sinceMs),
    fault: fault === undefined ? null : { code: fault.code, message: fault.message, hint: fault.hint },
    lag,
    oldest_age_seconds:
      oldestAtMs === undefined ? null : Math.round(Math.max(0, ctx.env.clock.now() - oldestAtMs) / 100) / 10,
    dead_letters: deadLetters,
    suspects: suspects
      .filter(({ tenant }) => ctx.tenants.includes(tenant)) // I9
      .map(({ partition, position, tenant, key, attempts }) => ({ partition, position, tenant, key, attempts })),
  };
}

/** In a process that runs nothing but this one operation, "delivering" would be a lie. */
function stateOf(ctx: OperationContext, state: SinkStatus['state']): z.infer<typeof sinkState> {
  return ctx.oneShot === true && state !== 'detached' ? 'stopped' : state;
}

export const resumeSink = defineOperation({
  name: 'sinks.resume',
  title: 'Try a sink that waits or refuses everything again at once',
  role: 'operator',
  changes: true,
  http: { method: 'POST', path: '/api/v1/sinks/:name/resume' },
  input: z.strictObject({
    name: sinkName,
    accept_rejects: z
      .boolean()
      .default(false)
      .describe('the events are bad, not the sink: what it refuses becomes dead letters, however many'),
  }),
  output: z.object({ schemaVersion, name: z.string(), state_before: sinkState, state: sinkState }),
  async run(ctx, { name, accept_rejects: acceptRejects }) {
    demandRunning(ctx);
    const { state } = await findSink(ctx, name);
    await ctx.engine.resumeSink(name, { acceptRejects });
    const after = await findSink(ctx, name);
    return { schemaVersion: SCHEMA_VERSION, name, state_before: state, state: after.state };
  },
});

export const rereadSink = defineOperation({
  name: 'sinks.reread',
  title: 'Let a sink read the event log again from a point, or skip to one',
  role: 'deployer',
  changes: true,
  http: { method: 'POST', path: '/api/v1/sinks/:name/reread' },
  input: z.strictObject({
    name: sinkName,
    from: z.string().max(40).describe('oldest, newest, or a time: RFC 3339 or an age such as 2h'),
    dry_run: z.boolean().default(false).describe('only count'),
    accept_backlog: z
      .boolean()
      .default(false)
      .describe('even when so many events wait then that pulls pause and webhooks are refused'),
  }),
  output: z.object({
    schemaVersion,
    dry_run: z.boolean(),
    name: z.string(),
    from: z.string(),
    entries: z.int().describe('events it has to read now; in a dry run, would have to'),
    skipped: z.int().describe('unread events it passes over for good'),
  }),
  async run(ctx, { name, from, dry_run: dryRun, accept_backlog: accepted }) {
    const { lag } = await findSink(ctx, name);
    const readFrom = toReadFrom(from, ctx.env.clock.now());
    let entries = await ctx.log.rewind(name, readFrom, { dryRun: true });
    if (!dryRun) {
      if (!accepted) await demandRoom(ctx, name, entries);
      entries = await ctx.log.rewind(name, readFrom);
    }
    return {
      schemaVersion: SCHEMA_VERSION,
      dry_run: dryRun,
      name,
      from,
      entries,
      skipped: Math.max(0, lag - entries),
    };
  },
});

/** What a sink reads again waits in the queue like anything new, and what fills the queue stops every tenant's pulls. */
async function demandRoom(ctx: OperationContext, name: string, entries: number): Promise<void> {
  const { limits } = await ctx.engine.queue();
  if (entries < limits.eventsMax) return;
  throw new Fault(
    'input_invalid',
    `${entries} events would wait for ${name}, and queue.max_size is ${limits.eventsMax}: pulls would pause and webhooks be refused until it has caught up. Choose a later point, raise queue.max_size, or say accept_backlog (--accept-backlog)`,
  );
}

export const removeSink = defineOperation({
  name: 'sinks.remove',
  title: 'Give a sink up that is configured no more: forget how far it has read',
  role: 'deployer',
  changes: true,
  http: { method: 'POST', path: '/api/v1/sinks/:name/remove' },
  input: z.strictObject({ name: sinkName, dry_run: z.boolean().default(false).describe('only count') }),
  output: z.object({
    schemaVersion,
    dry_run: z.boolean(),
    name: z.string(),
    unread: z.int().describe('events it has not settled, which it will never get'),
  }),
  async run(ctx, { name, dry_run: dryRun }) {
    const { state, lag } = await findSink(ctx, name);
    if (state !== 'detached')
      throw new Fault(
        'input_invalid',
        `sink ${name} is in use: take it out of weir.yaml or set enabled: false there, restart, then remove it`,
      );
    if (!dryRun && !(await ctx.log.unregister(name))) throw sinkMissing(name);
    return { schemaVersion: SCHEMA_VERSION, dry_run: dryRun, name, unread: lag };
  },
});

async function findSink(ctx: OperationContext, name: string): Promise<SinkStatus> {
  const found = (await ctx.engine.sinks()).find((one) => one.name === name);
  if (found === undefined) throw sinkMissing(name);
  return found;
}

function sinkMissing(name: string): Fault {
  return new Fault('not_found', `there is no sink ${name}; \`weir sink list\` shows those there are`);
}

export function toReadFrom(text: string, nowMs: number): ReadFrom {
  return text === 'oldest' || text === 'newest' ? text : { sinceMs: parseMoment(text, nowMs) };
}
