import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Event } from '#core/event.ts';
import type { LogEntry } from '#core/event-log.ts';
import type { Fence } from '#core/leases.ts';
import {
  LIBRARY_LIMITS,
  type DocumentRef,
  type Library,
  type Neighbour,
  type SearchPage,
  type SearchQuery,
  type SearchResult,
} from '#core/library.ts';
import type { SqliteEventLog } from './event-log.ts';
import { toFtsQuery } from './fts-query.ts';
import type { GroupCommit } from './group-commit.ts';
import { prepareLibraryStatements, type LibraryStatements } from './library-statements.ts';
import { numberAt, textAt, type Row } from './row.ts';

// What FTS5 puts around hits: unguessable, so that no document can pretend to hold one. The reader gets U+0002 and U+0003.
const HIT_OPEN = `<${randomBytes(8).toString('hex')}>`;
const HIT_CLOSE = `</${randomBytes(8).toString('hex')}>`;
const LINE_PLACEHOLDER = '#L{line}';

export class SqliteLibrary implements Library {
  readonly name = 'library';
  readonly #writer: GroupCommit;
  readonly #log: SqliteEventLog;
  readonly #sql: LibraryStatements;

  constructor(db: DatabaseSync, writer: GroupCommit, log: SqliteEventLog) {
    this.#writer = writer;
    this.#log = log;
    this.#sql = prepareLibraryStatements(db);
  }

  apply(partition: number, entries: readonly LogEntry[], fence: Fence): Promise<'committed' | 'fenced'> {
    const documents = entries.filter(({ event }) => event.kind === 'document');
    return this.#writer.submit(() => {
      const last = entries.at(-1);
      if (last === undefined) return 'committed';
      const settled = this.#log.settle(this.name, partition, last.position, fence);
      if (settled === 'moved') for (const { event } of documents) this.#put(event);
      return settled === 'fenced' ? 'fenced' : 'committed';
    }, documents.length);
  }

  reapply(entries: readonly LogEntry[]): Promise<void> {
    const documents = entries.filter(({ event }) => event.kind === 'document');
    return this.#writer.submit(() => documents.forEach(({ event }) => this.#put(event)), documents.length);
  }

  #put(event: Event): void {
    const gone = event.op === 'delete';
    const { tenant, connection, stream, key, version, time } = event;
    const title = gone ? '' : (event.title ?? key);
    const text = gone ? '' : (event.text ?? '');
    const url = gone ? null : (event.url ?? null);
    const inserted = this.#sql.insertDoc.run(
      tenant,
      connection,
      stream,
      key,
      version,
      gone ? 1 : 0,
      title,
      url,
      text,
      time,
    );
    if (inserted.changes === 1) {
      if (!gone) this.#index(Number(inserted.lastInsertRowid), event, title, text);
      return;
    }
    const known = this.#sql.selectDoc.get(tenant, connection, stream, key);
    // I4: `>` and never `>=`: the same version again changes nothing, an older one never overwrites, a tombstone keeps its version.
    if (known === undefined || numberAt(known, 'version') >= version) return;
    const id = numberAt(known, 'id');
    if (known['deleted'] === 0) {
      // The index keeps no copy of the text: to forget the old words it must be told them.
      this.#sql.deleteText.run(id, textAt(known, 'title'), textAt(known, 'text'));
      this.#sql.deleteLinks.run(tenant, id);
    }
    this.#sql.updateDoc.run(version, gone ? 1 : 0, title, url, text, time, tenant, id);
    if (!gone) this.#index(id, event, title, text);
  }

  #index(id: number, event: Event, title: string, text: string): void {
    this.#sql.insertText.run(id, title, text);
    for (const { rel, to } of event.links ?? []) this.#sql.insertLink.run(event.tenant, id, to, rel);
  }

  search(query: SearchQuery): Promise<SearchPage> {
    const fts = toFtsQuery(query.words);
    if (fts === undefined) return Promise.resolve({ total: 0, results: [] });
    const all = this.#match(fts.all, query);
    return Promise.resolve(all.total > 0 ? all : this.#match(fts.any, query));
  }

  #match(expression: string, { tenants, connection, limit }: SearchQuery): SearchPage {
    const filter = { expression, tenants: JSON.stringify(tenants), connection: connection ?? null };
    const total = numberAt(this.#sql.countHits.get(filter), 'total');
    if (total === 0) return { total, results: [] };
    const rows = this.#sql.selectHits.all({
      ...filter,
      open: HIT_OPEN,
      close: HIT_CLOSE,
      limit: Math.min(Math.max(limit, 1), LIBRARY_LIMITS.resultsMax),
    });
    return { total, results: rows.map(toResult) };
  }

  neighbours(of: DocumentRef): Promise<readonly Neighbour[] | undefined> {
    const docs = this.#sql.selectLive.all(of.tenant, of.connection, of.key);
    if (docs.length === 0) return Promise.resolve(undefined);
    const neighbours: Neighbour[] = [];
    for (const doc of docs) {
      const out = this.#sql.selectOut.all({
        tenant: of.tenant,
        id: numberAt(doc, 'id'),
        connection: of.connection,
        limit: LIBRARY_LIMITS.neighboursMax,
      });
      const inwards = this.#sql.selectIn.all({
        tenant: of.tenant,
        connection: of.connection,
        key: of.key,
        url: doc['url'] === null ? of.key : withoutLine(textAt(doc, 'url')),
        limit: LIBRARY_LIMITS.neighboursMax,
      });
      neighbours.push(...out.map((row) => toNeighbour('out', row)), ...inwards.map((row) => toNeighbour('in', row)));
    }
    return Promise.resolve(neighbours.slice(0, LIBRARY_LIMITS.neighboursMax));
  }

  count(tenant: string, connection: string): Promise<number> {
    return Promise.resolve(numberAt(this.#sql.countDocs.get(tenant, connection), 'count'));
  }
}

function toResult(row: Row): SearchResult {
  const line = lineOfFirstHit(textAt(row, 'marked'));
  return {
    tenant: textAt(row, 'tenant'),
    connection: textAt(row, 'connection'),
    stream: textAt(row, 'stream'),
    key: textAt(row, 'key'),
    title: textAt(row, 'title'),
    url: row['url'] === null ? undefined : urlAtLine(textAt(row, 'url'), line),
    snippet: toSnippet(textAt(row, 'snippet')),
    line,
    score: -numberAt(row, 'rank'), // FTS5 gives better matches a more negative rank
    time: textAt(row, 'time'),
  };
}

function toNeighbour(direction: 'out' | 'in', row: Row): Neighbour {
  const known = row['connection'] !== null;
  return {
    direction,
    rel: textAt(row, 'rel'),
    to: textAt(row, 'target'),
    document: known
      ? {
          connection: textAt(row, 'connection'),
          key: textAt(row, 'key'),
          title: textAt(row, 'title'),
          url: row['url'] === null ? undefined : withoutLine(textAt(row, 'url')),
        }
      : undefined,
  };
}

/** One line, for the layout of the source means nothing in a list; marks only where the search has put them. */
function toSnippet(raw: string): string {
  const text = raw.replace(/[\u0002\u0003]/g, '\ufffd').replace(/\s+/g, ' ');
  return text.replaceAll(HIT_OPEN, '\u0002').replaceAll(HIT_CLOSE, '\u0003');
}

function lineOfFirstHit(marked: string): number | undefined {
  const at = marked.indexOf(HIT_OPEN);
  if (at < 0) return undefined;
  let line = 1;
  for (let end = marked.indexOf('\n'); end >= 0 && end < at; end = marked.indexOf('\n', end + 1)) line += 1;
  return line;
}

function urlAtLine(url: string, line: number | undefined): string {
  return line === undefined || !url.endsWith(LINE_PLACEHOLDER) ? withoutLine(url) : `${withoutLine(url)}#L${line}`;
}

function withoutLine(url: string): string {
  return url.endsWith(LINE_PLACEHOLDER) ? url.slice(0, -LINE_PLACEHOLDER.length) : url;
}
