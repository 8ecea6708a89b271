import { z } from 'zod';
import type { JsonValue } from '#core/json.ts';
import { streamsOf } from '#engine/connection.ts';
import { connectorView, findConnection, toRunView } from './connector-view.ts';
import { defineOperation, schemaVersion, SCHEMA_VERSION } from './operation.ts';
import { connector, connectorName, moment, run, toMoment } from './shapes.ts';

const RUNS_SHOWN = 10;
const FAILURES_SHOWN = 5;

export const drillConnector = defineOperation({
  name: 'connectors.drill',
  title: 'One connector: streams with their cursors, recent runs, recent failures',
  role: 'viewer',
  changes: false,
  http: { method: 'GET', path: '/api/v1/connectors/:name' },
  input: z.strictObject({ name: connectorName }),
  output: connector.extend({
    schemaVersion,
    streams: z.array(
      z.object({
        name: z.string(),
        cursor: z.custom<JsonValue>().nullable(),
        cursor_at: moment,
        events_total: z.int(),
        next_run: moment,
        failures: z.int().describe('consecutive failed runs'),
        reconcile_due: z.boolean(),
      }),
    ),
    recent_runs: z.array(run),
    recent_failures: z.array(
      z.object({ time: z.string(), operation: z.string(), code: z.string(), message: z.string() }),
    ),
    recent_dead_letters: z.array(
      z.object({
        id: z.int(),
        stage: z.string(),
        stream: z.string(),
        key: z.string(),
        code: z.string(),
        message: z.string(),
        attempts: z.int(),
        last_at: z.string(),
      }),
    ),
  }),
  async run(ctx, { name }) {
    const connection = findConnection(ctx, name);
    const { engine, store } = ctx;
    const states = new Map((await store.streams.list(connection)).map((state) => [state.stream, state]));
    const [view, runs, failures, letters] = await Promise.all([
      connectorView(ctx, connection),
      store.runs.recent(connection, RUNS_SHOWN),
      store.calls.failures(connection, FAILURES_SHOWN),
      store.deadLetters.list({ tenants: [connection.tenant], connection: connection.connection }, FAILURES_SHOWN),
    ]);
    return {
      schemaVersion: SCHEMA_VERSION,
      ...view,
      streams: streamsOf(connection).map((stream) => {
        const state = states.get(stream);
        return {
          name: stream,
          cursor: state?.cursor ?? null,
          cursor_at: toMoment(state?.cursorAtMs),
          events_total: state?.eventsTotal ?? 0,
          next_run: toMoment(engine.nextRunAtMs(connection, stream) ?? state?.dueAtMs),
          failures: state?.failures ?? 0,
          reconcile_due: state?.reconcileDue ?? false,
        };
      }),
      recent_runs: runs.map(toRunView),
      recent_failures: failures.map(({ atMs, operation, code, message }) => ({
        time: new Date(atMs).toISOString(),
        operation,
        code,
        message,
      })),
      recent_dead_letters: letters.map(({ id, stage, stream, key, code, message, attempts, lastAtMs }) => ({
        id,
        stage,
        stream,
        key,
        code,
        message,
        attempts,
        last_at: new Date(lastAtMs).toISOString(),
      })),
    };
  },
});
