import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { eventOfPayload, intactEventOfPayload } from '#core/event.ts';
import type { LogEntry } from '#core/event-log.ts';
import { Fault } from '#core/fault.ts';
import type { Fence } from '#core/leases.ts';
import type { Timeline, TimelinePage, TimelineQuery, TimelineRow } from '#core/timeline.ts';
import type { SqliteEventLog } from './event-log.ts';
import type { GroupCommit } from './group-commit.ts';
import { intactEventAt, numberAt, numberOrUndefined, textAt, type Row } from './row.ts';

const ROWS_MAX_PER_QUERY = 1000;
const CURSOR_PATTERN = /^(-?\d{1,16})\.(\d{1,16})$/;

export class SqliteTimeline implements Timeline {
  readonly name = 'timeline';
  readonly #db: DatabaseSync;
  readonly #writer: GroupCommit;
  readonly #log: SqliteEventLog;
  readonly #insert: StatementSync;
  readonly #newest: StatementSync;
  readonly #forget: StatementSync;
  readonly #queries = new Map<string, StatementSync>();

  constructor(db: DatabaseSync, writer: GroupCommit, log: SqliteEventLog) {
    this.#db = db;
    this.#writer = writer;
    this.#log = log;
    // I4: an event id stands here once, however often its partition is read again.
    this.#insert = db.prepare(`
      INSERT INTO timeline (tenant, connection, event_id, kind, severity, tags, time_ms, at_ms, position, payload, edited)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`);
    this.#newest = db.prepare('SELECT max(row) AS row FROM timeline');
    this.#forget = db.prepare(
      'DELETE FROM timeline WHERE row IN (SELECT row FROM timeline WHERE row <= ? ORDER BY row LIMIT ?)',
    );
  }

  apply(partition: number, entries: readonly LogEntry[], fence: Fence): Promise<'committed' | 'fenced'> {
    return this.#writer.submit(() => {
      const last = entries.at(-1);
      if (last === undefined) return 'committed';
      const settled = this.#log.settle(this.name, partition, last.position, fence);
      if (settled === 'moved') for (const entry of entries) this.#insertEntry(entry, JSON.stringify(entry.event));
      return settled === 'fenced' ? 'fenced' : 'committed';
    }, entries.length);
  }

  reapply(entries: readonly LogEntry[]): Promise<void> {
    return this.#writer.submit(() => {
      for (const entry of entries) {
        const payload = JSON.stringify(entry.event);
        // A dead letter that somebody edited keeps its id: only that it was edited tells it from damage.
        this.#insertEntry(entry, payload, intactEventOfPayload(payload) === undefined);
      }
    }, entries.length);
  }

  #insertEntry({ event, observedAtMs, position }: LogEntry, payload: string, edited = false): void {
    const timeMs = Date.parse(event.time);
    this.#insert.run(
      event.tenant,
      event.connection,
      event.id,
      event.kind,
      event.severity ?? null,
      tagList(event.tags),
      Number.isFinite(timeMs) ? timeMs : observedAtMs,
      observedAtMs,
      position,
      payload,
      edited ? 1 : 0,
    );
  }

  async query(query: TimelineQuery): Promise<TimelinePage> {
    const following = query.after !== undefined;
    const limit = Math.min(Math.max(query.limit, 1), ROWS_MAX_PER_QUERY);
    const { where, values } = filterOf(query);
    const order = following ? 'row' : 'time_ms DESC, row DESC';
    const statement = this.#prepared(
      `SELECT row, time_ms, at_ms, position, payload, edited FROM timeline WHERE ${where} ORDER BY ${order} LIMIT :limit`,
    );
    const [rows, shown] = this.#writer.guard(() => {
      const found = statement.all({ ...values, limit: limit + 1 });
      return [found, found.slice(0, limit).map(toTimelineRow)];
    });
    const last = rows[limit - 1];
    const next =
      rows.length > limit && last !== undefined && !following
        ? `${numberAt(last, 'time_ms')}.${numberAt(last, 'row')}`
        : undefined;
    return { rows: shown, next };
  }

  newest(): Promise<number> {
    return Promise.resolve(numberOrUndefined(this.#newest.get(), 'row') ?? 0);
  }

  /** Called now and then: removes the oldest rows beyond `rowsMax`, at most `batchMax` a call. Returns how many. */
  forget(rowsMax: number, batchMax: number): Promise<number> {
    return this.#writer.submit(() => {
      const newest = numberOrUndefined(this.#newest.get(), 'row') ?? 0;
      return newest <= rowsMax ? 0 : Number(this.#forget.run(newest - rowsMax, batchMax).changes);
    }, batchMax);
  }

  // The filters that are present choose among a few dozen statements; values are always parameters (T48).
  #prepared(sql: string): StatementSync {
    let statement = this.#queries.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#queries.set(sql, statement);
    }
    return statement;
  }
}

// instr and not LIKE: a pattern ends at a NUL, and each field for itself: joined they would share a separator that texts hold too.
const TEXT_FILTER = `(${['title', 'key', 'text'].map((field) => `instr(lower(payload ->> '$.${field}'), lower(:text)) > 0`).join(' OR ')})`;

interface Filter {
  readonly where: string;
  readonly values: Record<string, string | number>;
}

function filterOf(query: TimelineQuery): Filter {
  const values: Record<string, string | number> = {};
  const parts: string[] = [tenantFilter(query.tenants, values)];
  const add = (condition: string, name: string, value: string | number | undefined): void => {
    if (value === undefined) return;
    parts.push(condition);
    values[name] = value;
  };
  add('connection = :connection', 'connection', query.connection);
  add('kind = :kind', 'kind', query.kind);
  add('severity = :severity', 'severity', query.severity);
  add('time_ms >= :sinceMs', 'sinceMs', query.sinceMs);
  add('time_ms < :untilMs', 'untilMs', query.untilMs);
  add('row > :after', 'after', query.after);
  add('instr(tags, :tag) > 0', 'tag', query.tag === undefined ? undefined : tagList([query.tag]));
  add(TEXT_FILTER, 'text', query.text);
  if (query.before !== undefined) {
    const [timeMs, row] = parseCursor(query.before);
    parts.push('(time_ms, row) < (:beforeMs, :beforeRow)');
    values['beforeMs'] = timeMs;
    values['beforeRow'] = row;
  }
  return { where: parts.join(' AND '), values };
}

// One tenant is the common case and then the index gives the order; several are merged by a sort (I9 either way).
function tenantFilter(tenants: readonly string[], values: Record<string, string | number>): string {
  const [only] = tenants;
  if (tenants.length === 1 && only !== undefined) {
    values['tenant'] = only;
    return 'tenant = :tenant';
  }
  values['tenants'] = JSON.stringify(tenants);
  return 'tenant IN (SELECT value FROM json_each(:tenants))';
}

function parseCursor(before: string): readonly [number, number] {
  const match = CURSOR_PATTERN.exec(before);
  if (match === null) throw new Fault('input_invalid', 'the cursor is not one that a page before has given');
  return [Number(match[1]), Number(match[2])];
}

// U+001F separates: it cannot be part of a tag that a person types, so one tag never matches inside another.
function tagList(tags: readonly string[] | undefined): string {
  return tags === undefined || tags.length === 0
    ? ''
    : `\u001f${tags.map((tag) => tag.replaceAll('\u001f', '\ufffd')).join('\u001f')}\u001f`;
}

function toTimelineRow(row: Row): TimelineRow {
  const number = numberAt(row, 'row');
  const event =
    numberAt(row, 'edited') === 1
      ? eventOfPayload(textAt(row, 'payload'))
      : intactEventAt(row, `timeline, row ${number}`);
  return { row: number, position: numberAt(row, 'position'), observedAtMs: numberAt(row, 'at_ms'), event };
}
