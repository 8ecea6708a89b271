import type { Connector, ConnectorContext, Page, Stream } from '#core/connector.ts';
import type { Env } from '#core/env.ts';
import type { EventLog } from '#core/event-log.ts';
import { Fault, toFault } from '#core/fault.ts';
import type { JsonValue } from '#core/json.ts';
import type { Leases } from '#core/leases.ts';
import { streamLeaseName, type StreamRef } from '#core/names.ts';
import type { Run, Store } from '#core/store.ts';
import type { Activities } from './activity.ts';
import type { Connection } from './connection.ts';
import { keepLease } from './lease-keeper.ts';
import { appendPage, type PageAppend } from './page-append.ts';
import { vanished } from './reconcile.ts';
import { redactedAppends, redactedFault, type Redact } from './redacted.ts';
import { NO_COUNTS, RunTally } from './run-counts.ts';

export interface PullerOptions {
  readonly env: Env;
  readonly log: EventLog;
  readonly leases: Leases;
  readonly store: Store;
  readonly activities: Activities;
  /** Whether pulls of this tenant must pause now; asked between pages. */
  readonly mustPause: (tenant: string) => Promise<boolean>;
  readonly contextOf: (connection: Connection, runId: string, signal: AbortSignal) => ConnectorContext;
  readonly sliceMs: number;
  /** I7: for everything that connectors say in words. */
  readonly redact: Redact;
}

export interface PullRequest {
  readonly connection: Connection;
  readonly stream: string;
  /** Ends the run between two pages: what is durable stays, the rest comes with the next run. */
  readonly signal: AbortSignal;
  readonly acceptDeletes?: boolean;
}

const BACKPRESSURE_RESUME_MS = 2000; // when a paused stream looks again
const RESUME_MS_MIN = 1000; // `now` or earlier would spin
const RESUME_MS_UNSTATED = 60_000; // a limit without a time
const PAUSED = 'the event log or its disk is nearly full; pulling resumes when there is room';

/** Pulls one slice of one stream. Never throws for what the source does: the run says how it ended. Throws `already_running`. */
export async function pullSlice(options: PullerOptions, request: PullRequest): Promise<Run> {
  const { env, leases, store } = options;
  const { connection, stream } = request;
  const of: StreamRef = { tenant: connection.tenant, connection: connection.connection, stream };
  const id = env.random.id();
  // Not a run: recorded every few seconds, a pause would push the runs that say something out of the record.
  if (await options.mustPause(connection.tenant)) return pausedRun(of, id, env.clock.now());
  const lease = await keepLease(leases, env.clock, streamLeaseName(of), id);
  if (lease === undefined) {
    throw new Fault('already_running', `${of.connection}/${stream} is being pulled`, {
      details: { connection: of.connection },
    });
  }
  const begun: Run = {
    ...of,
    id,
    startedAtMs: env.clock.now(),
    endedAtMs: undefined,
    outcome: 'running',
    counts: NO_COUNTS,
    code: undefined,
    message: undefined,
    resumeAtMs: undefined,
  };
  const activity = options.activities.begin(of, stream);
  // Ends with the run: what listens to its signal (the guard, a library) is let go, whether or not it cleans up after itself.
  const over = new AbortController();
  try {
    await store.runs.start(begun);
    const signal = AbortSignal.any([request.signal, lease.lost, over.signal]);
    const tally = new RunTally();
    const end = await new Slice(options, request, of, tally, activity.progress).run(id, lease.fence, signal);
    const run: Run = { ...begun, ...end, endedAtMs: env.clock.now(), counts: tally.snapshot() };
    await store.runs.end(run);
    return run;
  } finally {
    over.abort();
    activity.end();
    await lease.release();
  }
}

type Ending = Pick<Run, 'outcome' | 'code' | 'message' | 'resumeAtMs'>;

const SUCCEEDED: Ending = { outcome: 'succeeded', code: undefined, message: undefined, resumeAtMs: undefined };

class Slice {
  readonly #options: PullerOptions;
  readonly #request: PullRequest;
  readonly #of: StreamRef;
  readonly #tally: RunTally;
  readonly #progress: (done: number, total: number | undefined) => void;

  constructor(
    options: PullerOptions,
    request: PullRequest,
    of: StreamRef,
    tally: RunTally,
    progress: (done: number, total: number | undefined) => void,
  ) {
    this.#options = options;
    this.#request = request;
    this.#of = of;
    this.#tally = tally;
    this.#progress = progress;
  }

  async run(id: string, fence: PageAppend['checkpoint']['fence'], signal: AbortSignal): Promise<Ending> {
    const { log, contextOf, redact } = this.#options;
    const { connector } = this.#request.connection;
    const to: PageAppend = {
      log: redactedAppends(log, redact),
      source: { ...this.#of, connector: connector.type },
      tally: this.#tally,
      checkpoint: { stream: this.#of, connectorVersion: connector.version, fence },
    };
    try {
      const ctx = contextOf(this.#request.connection, id, signal);
      return await this.#pull(ctx, streamOf(connector, this.#of.stream), to, signal);
    } catch (error) {
      return this.#endOf(redactedFault(toFault(error), redact), signal);
    }
  }

  async #pull(ctx: ConnectorContext, stream: Stream, to: PageAppend, signal: AbortSignal): Promise<Ending> {
    const { env, store } = this.#options;
    const state = await store.streams.get(this.#of);
    let cursor =
      state?.cursor === undefined
        ? undefined
        : readCursor(this.#request.connection, this.#of, stream, state.connectorVersion, state.cursor);
    let reconcileDue = state?.reconcileDue === true;
    const deadlineMs = env.clock.monotonic() + this.#options.sliceMs;
    for await (const page of stream.pull(ctx, cursor)) {
      if (!stream.cursor.safeParse(page.cursor).success)
        throw unfitCursor(this.#of, 'a page brought a cursor that its own schema refuses');
      reconcileDue ||= page.reconcile === true;
      await appendPage(to, page, page.reconcile === true ? 'due' : undefined);
      cursor = page.cursor;
      this.#report(page);
      if (signal.aborted) return this.#yielded('stopped between two pages');
      if (env.clock.monotonic() >= deadlineMs) return this.#yielded('the time of this slice was used up');
      if (await this.#options.mustPause(this.#of.tenant)) return this.#paused();
    }
    // A walk that ended because it was told to is not complete.
    if (signal.aborted) return this.#yielded('stopped between two pages');
    if (reconcileDue && cursor !== undefined) await this.#reconcile(ctx, stream, to, cursor);
    return SUCCEEDED;
  }

  async #reconcile(ctx: ConnectorContext, stream: Stream, to: PageAppend, cursor: JsonValue): Promise<void> {
    const acceptDeletes = this.#request.acceptDeletes === true;
    for await (const events of vanished({
      stream,
      ctx,
      cursor,
      of: this.#of,
      entities: this.#options.store.entities,
      acceptDeletes,
    })) {
      await appendPage(to, { events, cursor }, undefined);
    }
    // Only now: a crash before this line lists again, and finds the rest.
    await appendPage(to, { events: [], cursor }, 'done');
  }

  #report(page: Page<JsonValue>): void {
    const { appended, unchanged } = this.#tally.snapshot();
    this.#progress(page.progress?.done ?? appended + unchanged, page.progress?.total);
  }

  #yielded(message: string, resumeAtMs = this.#options.env.clock.now()): Ending {
    return { outcome: 'yielded', code: undefined, message, resumeAtMs };
  }

  #paused(): Ending {
    return this.#yielded(PAUSED, this.#options.env.clock.now() + BACKPRESSURE_RESUME_MS);
  }

  // I6, and "a run never sleeps": what is only a matter of waiting ends the slice with a time, and frees its worker.
  #endOf(fault: Fault, signal: AbortSignal): Ending {
    const { clock } = this.#options.env;
    if (signal.aborted) return this.#yielded('stopped');
    if (fault.code === 'fenced') return this.#yielded('another worker owns the stream', clock.now() + RESUME_MS_MIN);
    if (fault.code === 'log_full') return this.#paused();
    if (fault.row.retry === 'at')
      return {
        outcome: 'yielded',
        code: fault.code,
        message: fault.message,
        resumeAtMs: resumeAt(fault.retryAtMs, clock.now()),
      };
    return { outcome: 'failed', code: fault.code, message: fault.message, resumeAtMs: undefined };
  }
}

function streamOf(connector: Connector, name: string): Stream {
  const stream = connector.streams[name];
  if (stream === undefined)
    throw new Fault(
      'not_found',
      `connector ${connector.type} has no stream ${name}; it has ${Object.keys(connector.streams).join(', ')}`,
    );
  return stream;
}

function readCursor(
  connection: Connection,
  of: StreamRef,
  stream: Stream,
  writtenBy: string | undefined,
  stored: JsonValue,
): JsonValue {
  const { connector } = connection;
  const parsed = stream.cursor.safeParse(migrate(connector, of, writtenBy, stored));
  if (parsed.success) return parsed.data;
  throw unfitCursor(
    of,
    `its cursor, written by ${connector.type} ${writtenBy ?? 'of unknown version'}, does not fit ${connector.version}; nothing was touched`,
  );
}

function migrate(connector: Connector, of: StreamRef, writtenBy: string | undefined, stored: JsonValue): JsonValue {
  if (writtenBy === undefined || writtenBy === connector.version || connector.migrateCursor === undefined)
    return stored;
  try {
    return connector.migrateCursor(writtenBy, stored);
  } catch (error) {
    throw unfitCursor(
      of,
      `its cursor, written by ${connector.type} ${writtenBy}, cannot be carried over: ${toFault(error).message}; nothing was touched`,
    );
  }
}

function unfitCursor(of: StreamRef, why: string): Fault {
  return new Fault('cursor_invalid', `${of.connection}/${of.stream}: ${why}`, {
    details: { connection: of.connection },
  });
}

function resumeAt(statedMs: number | undefined, nowMs: number): number {
  const atMs = statedMs !== undefined && Number.isFinite(statedMs) ? Math.ceil(statedMs) : nowMs + RESUME_MS_UNSTATED;
  return Math.max(atMs, nowMs + RESUME_MS_MIN);
}

function pausedRun(of: StreamRef, id: string, nowMs: number): Run {
  const resumeAtMs = nowMs + BACKPRESSURE_RESUME_MS;
  return {
    ...of,
    id,
    startedAtMs: nowMs,
    endedAtMs: nowMs,
    outcome: 'yielded',
    counts: NO_COUNTS,
    code: undefined,
    message: PAUSED,
    resumeAtMs,
  };
}
