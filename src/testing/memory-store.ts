import type { ConnectionRef, StreamRef } from '#core/names.ts';
import type {
  CallFailure,
  CallMinute,
  CallStore,
  EntityStore,
  Run,
  RunStore,
  Store,
  StreamStore,
} from '#core/store.ts';
import { type LogModel, streamKeyOf } from './log-model.ts';

export interface StoreRows {
  readonly runs: Run[];
  readonly minutes: Map<string, CallMinute>;
  failures: CallFailure[];
}

export function memoryStore(
  log: LogModel,
  rows: StoreRows,
  rest: Pick<Store, 'deadLetters' | 'timeline' | 'library'>,
): Store {
  return {
    runs: runStore(rows.runs),
    streams: streamStore(log),
    entities: entityStore(log),
    calls: callStore(rows),
    ...rest,
  };
}

function isOf(of: ConnectionRef): (row: ConnectionRef) => boolean {
  return (row) => row.tenant === of.tenant && row.connection === of.connection;
}

function runStore(runs: Run[]): RunStore {
  return {
    async start(run) {
      runs.push(run);
    },
    async end(run) {
      const at = runs.findIndex(({ id, tenant }) => id === run.id && tenant === run.tenant);
      if (at >= 0) runs[at] = run;
    },
    async recent(of, limit) {
      const newestFirst = runs.filter(isOf(of)).toSorted((a, b) => b.startedAtMs - a.startedAtMs);
      return newestFirst.slice(0, limit);
    },
    async closeAbandoned(nowMs) {
      let closed = 0;
      for (const [at, run] of runs.entries()) {
        if (run.outcome !== 'running') continue;
        runs[at] = {
          ...run,
          outcome: 'failed',
          code: 'cancelled',
          endedAtMs: nowMs,
          message: run.message ?? 'cut off',
        };
        closed += 1;
      }
      return closed;
    },
    async lastSuccess(of) {
      const ends = runs.filter((run) => isOf(of)(run) && run.outcome === 'succeeded').map((run) => run.endedAtMs ?? 0);
      return ends.length === 0 ? undefined : Math.max(...ends);
    },
  };
}

function streamStore(log: LogModel): StreamStore {
  return {
    async get(of) {
      return log.streams.get(streamKeyOf(of));
    },
    async list(of) {
      return [...log.streams.values()].filter(isOf(of));
    },
    async schedule(of, dueAtMs, failures, statedWaitMs) {
      log.streams.set(streamKeyOf(of), { ...log.stateOf(of), dueAtMs, failures, statedWaitMs });
    },
  };
}

function entityStore(log: LogModel): EntityStore {
  const liveOf = (of: StreamRef) =>
    [...log.entities.values()].filter((entity) => streamKeyOf(entity.of) === streamKeyOf(of) && !entity.deleted);
  return {
    async live(of, afterKey, limit) {
      const inOrder = liveOf(of).toSorted((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
      const rest = inOrder.filter(
        ({ key }) => afterKey === undefined || Buffer.compare(Buffer.from(key), Buffer.from(afterKey)) > 0,
      );
      return rest.slice(0, limit).map(({ key, version }) => ({ key, version }));
    },
    async countLive(of) {
      return liveOf(of).length;
    },
  };
}

function callStore(rows: StoreRows): CallStore {
  return {
    async save(minutes, failures) {
      for (const minute of minutes) {
        rows.minutes.set(JSON.stringify([minute.tenant, minute.connection, minute.operation, minute.minute]), minute);
      }
      rows.failures.push(...failures);
    },
    async minutes(of, sinceMinute) {
      return [...rows.minutes.values()].filter((row) => isOf(of)(row) && row.minute >= sinceMinute);
    },
    async failures(of, limit) {
      return newestFailures(rows.failures.filter(isOf(of))).slice(0, limit);
    },
    async forget(beforeMinute, failuresMax) {
      for (const [id, row] of rows.minutes) if (row.minute < beforeMinute) rows.minutes.delete(id);
      const kept = new Set<CallFailure>();
      for (const failure of rows.failures) {
        for (const newest of newestFailures(rows.failures.filter(isOf(failure))).slice(0, failuresMax))
          kept.add(newest);
      }
      rows.failures = rows.failures.filter((failure) => kept.has(failure));
    },
  };
}

function newestFailures(failures: readonly CallFailure[]): CallFailure[] {
  return failures.toSorted((a, b) => b.atMs - a.atMs);
}
