import { Fault } from '#core/fault.ts';
import type { Run } from '#core/store.ts';
import type { Connection } from '#engine/connection.ts';
import type { ConnectionStatus } from '#engine/status.ts';
import type { OperationContext } from './operation.ts';
import { roundedMs, toMoment, type ConnectorView, type RunView } from './shapes.ts';

const WORST_FIRST = ['down', 'degraded', 'unknown', 'healthy'] as const;

export async function connectorView(ctx: OperationContext, connection: Connection): Promise<ConnectorView> {
  return toView(connection, await ctx.engine.status(connection), ctx.env.clock.now());
}

export function findConnection(ctx: OperationContext, name: string): Connection {
  const connection = ctx.engine.connections.find((one) => one.connection === name && ctx.tenants.includes(one.tenant));
  if (connection !== undefined) return connection;
  throw new Fault('not_found', `there is no connector ${name}`, { details: { connection: name } });
}

/** Circuits and alerts live in the memory of a running Weir: without one there is nothing to show or change. */
export function demandRunning(ctx: OperationContext): void {
  if (ctx.oneShot !== true) return;
  throw new Fault('instance_missing', 'no Weir runs on this data directory; circuits and alerts live in a running one');
}

export function worstFirst(a: ConnectorView, b: ConnectorView): number {
  return (
    Number(b.enabled) - Number(a.enabled) ||
    WORST_FIRST.indexOf(a.health.status) - WORST_FIRST.indexOf(b.health.status) ||
    (a.name < b.name ? -1 : 1)
  );
}

function toView(connection: Connection, status: ConnectionStatus, nowMs: number): ConnectorView {
  const { state, reason, metrics } = status.health;
  return {
    name: connection.connection,
    type: connection.connector.type,
    tenant: connection.tenant,
    enabled: connection.enabled,
    health: {
      status: state,
      reason,
      metrics: {
        total_calls: metrics.totalCalls,
        error_rate: Math.round(metrics.errorRatio * 10_000) / 10_000,
        p50_ms: roundedMs(metrics.p50Ms),
        p95_ms: roundedMs(metrics.p95Ms),
        p99_ms: roundedMs(metrics.p99Ms),
      },
    },
    last_result: lastResult(status.lastRun),
    activity: activityLine(connection, status, nowMs),
    circuit_state: status.circuit,
    last_success: toMoment(status.lastSuccessAtMs),
    next_run: connection.enabled ? toMoment(status.nextRunAtMs) : null,
    events_total: status.eventsTotal,
    dead_letters: status.deadLetters,
  };
}

/** No partial run is ever shown as success: what failed in it counts. */
export function outcomeOf(run: Run): RunView['outcome'] {
  return run.outcome === 'succeeded' && run.counts.failed > 0 ? 'partial' : run.outcome;
}

function lastResult(run: Run | undefined): ConnectorView['last_result'] {
  if (run === undefined) return null;
  const outcome = outcomeOf(run);
  return outcome === 'running' || outcome === 'yielded' ? null : outcome;
}

/** The activity at this moment, apart from the last result: never one light for two facts. */
function activityLine(
  connection: Connection,
  { activity, resumeAtMs, streams }: ConnectionStatus,
  nowMs: number,
): string {
  if (!connection.enabled) return 'disabled';
  switch (activity.kind) {
    case 'retrying':
      return `retrying ${activity.attempt}/${activity.attemptsMax}, next in ${seconds(activity.nextInMs)}`;
    case 'waiting':
      return `waiting for rate limit until ${toMoment(activity.untilMs) ?? 'later'}`;
    case 'circuit_open':
      return `circuit open, trial in ${seconds(activity.probeInMs)}`;
    case 'running': {
      const [progress] = activity.progress;
      if (progress === undefined) return 'running';
      return progress.total === undefined
        ? `running ${progress.stream}, ${progress.done} so far`
        : `running ${progress.stream}, ${progress.done}/${progress.total}`;
    }
    case 'idle': {
      const failing = streams.find((stream) => stream.failures > 0);
      if (failing !== undefined)
        return `${failing.stream} failed ${failing.failures === 1 ? 'once' : `${failing.failures} times in a row`}, next run in ${seconds((failing.dueAtMs ?? nowMs) - nowMs)}`;
      return resumeAtMs !== undefined && resumeAtMs > nowMs ? `resumes in ${seconds(resumeAtMs - nowMs)}` : 'idle';
    }
  }
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.ceil(ms / 1000))} s`;
}

export function toRunView(run: Run): RunView {
  return {
    id: run.id,
    stream: run.stream,
    started_at: new Date(run.startedAtMs).toISOString(),
    ended_at: toMoment(run.endedAtMs),
    outcome: outcomeOf(run),
    counts: { ...run.counts, skipped: { ...run.counts.skipped } },
    code: run.code ?? null,
    message: run.message ?? null,
  };
}
