-- One row per installation: secrets and counters that belong to this file.
CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The event log. `n` numbers the entries of a partition without holes; `bytes_total` adds up its payloads, so that lag in
-- events and in bytes is a subtraction, whatever the backlog.
CREATE TABLE log (
  seq         INTEGER PRIMARY KEY,
  part        INTEGER NOT NULL,
  n           INTEGER NOT NULL,
  tenant      TEXT    NOT NULL,
  at_ms       INTEGER NOT NULL,
  bytes_total INTEGER NOT NULL,
  payload     TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_part ON log (part, n);

-- The last number given out in each partition. Kept apart from the rows, so that trimming never makes a number come twice.
CREATE TABLE head (
  part        INTEGER PRIMARY KEY,
  n           INTEGER NOT NULL,
  bytes_total INTEGER NOT NULL
) STRICT;

-- Known event ids. Outlives trimmed entries: a provider may send again for days.
CREATE TABLE seen (
  tenant   TEXT    NOT NULL,
  event_id TEXT    NOT NULL,
  at_ms    INTEGER NOT NULL,
  PRIMARY KEY (tenant, event_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE position (
  reader      TEXT    NOT NULL,
  part        INTEGER NOT NULL,
  n           INTEGER NOT NULL,
  bytes_total INTEGER NOT NULL,
  PRIMARY KEY (reader, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE stream (
  tenant            TEXT    NOT NULL,
  connection        TEXT    NOT NULL,
  stream            TEXT    NOT NULL,
  cursor            TEXT,
  connector_version TEXT,
  cursor_at_ms      INTEGER,
  reconcile_due     INTEGER NOT NULL DEFAULT 0,
  events_total      INTEGER NOT NULL DEFAULT 0,
  due_at_ms         INTEGER,
  failures          INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, connection, stream)
) STRICT, WITHOUT ROWID;

-- Newest accepted state per key: what a complete listing is compared with.
CREATE TABLE entity (
  tenant     TEXT    NOT NULL,
  connection TEXT    NOT NULL,
  stream     TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  version    INTEGER NOT NULL,
  deleted    INTEGER NOT NULL,
  PRIMARY KEY (tenant, connection, stream, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  id            TEXT PRIMARY KEY,
  tenant        TEXT    NOT NULL,
  connection    TEXT    NOT NULL,
  stream        TEXT    NOT NULL,
  started_at_ms INTEGER NOT NULL,
  ended_at_ms   INTEGER,
  outcome       TEXT    NOT NULL,
  counts        TEXT    NOT NULL,
  code          TEXT,
  message       TEXT,
  resume_at_ms  INTEGER
) STRICT;
CREATE INDEX run_recent ON run (tenant, connection, started_at_ms);

CREATE TABLE call_minute (
  tenant     TEXT    NOT NULL,
  connection TEXT    NOT NULL,
  minute     INTEGER NOT NULL,
  operation  TEXT    NOT NULL,
  succeeded  INTEGER NOT NULL,
  failed     INTEGER NOT NULL,
  sketch     BLOB    NOT NULL,
  PRIMARY KEY (tenant, connection, minute, operation)
) STRICT, WITHOUT ROWID;

CREATE TABLE call_failure (
  id         INTEGER PRIMARY KEY,
  tenant     TEXT    NOT NULL,
  connection TEXT    NOT NULL,
  at_ms      INTEGER NOT NULL,
  operation  TEXT    NOT NULL,
  code       TEXT    NOT NULL,
  message    TEXT    NOT NULL
) STRICT;
CREATE INDEX call_failure_recent ON call_failure (tenant, connection, at_ms);

CREATE TABLE dead_letter (
  id          INTEGER PRIMARY KEY,
  tenant      TEXT    NOT NULL,
  connection  TEXT    NOT NULL,
  stage       TEXT    NOT NULL,
  stream      TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  event_id    TEXT    NOT NULL,
  code        TEXT    NOT NULL,
  message     TEXT    NOT NULL,
  payload     TEXT,
  attempts    INTEGER NOT NULL,
  first_at_ms INTEGER NOT NULL,
  last_at_ms  INTEGER NOT NULL,
  UNIQUE (tenant, connection, stage, stream, key, event_id)
) STRICT;

CREATE TABLE timeline (
  row        INTEGER PRIMARY KEY,
  tenant     TEXT    NOT NULL,
  connection TEXT    NOT NULL,
  event_id   TEXT    NOT NULL,
  kind       TEXT    NOT NULL,
  severity   TEXT,
  tags       TEXT    NOT NULL,
  time_ms    INTEGER NOT NULL,
  at_ms      INTEGER NOT NULL,
  position   INTEGER NOT NULL,
  payload    TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX timeline_event ON timeline (tenant, event_id);
CREATE INDEX timeline_time ON timeline (tenant, time_ms, row);
CREATE INDEX timeline_connection ON timeline (tenant, connection, time_ms, row);

CREATE TABLE doc (
  id         INTEGER PRIMARY KEY,
  tenant     TEXT    NOT NULL,
  connection TEXT    NOT NULL,
  stream     TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  version    INTEGER NOT NULL,
  deleted    INTEGER NOT NULL,
  title      TEXT    NOT NULL,
  url        TEXT,
  text       TEXT    NOT NULL,
  time       TEXT    NOT NULL,
  UNIQUE (tenant, connection, stream, key)
) STRICT;

-- A link may name a document by its address.
CREATE INDEX doc_url ON doc (tenant, url) WHERE url IS NOT NULL AND deleted = 0;

CREATE VIRTUAL TABLE doc_text USING fts5 (
  title, text,
  content = 'doc', content_rowid = 'id',
  tokenize = "unicode61 remove_diacritics 2"
);
-- Deleted words leave the index at once instead of at some later merge.
INSERT INTO doc_text (doc_text, rank) VALUES ('secure-delete', 1);
-- Larger pages and later merges: fewer rewrites while a backlog drains, a little more to read per search.
INSERT INTO doc_text (doc_text, rank) VALUES ('pgsz', 16000);
INSERT INTO doc_text (doc_text, rank) VALUES ('automerge', 8);

CREATE TABLE link (
  tenant TEXT    NOT NULL,
  target TEXT    NOT NULL,
  doc_id INTEGER NOT NULL,
  rel    TEXT    NOT NULL,
  PRIMARY KEY (tenant, doc_id, target, rel)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_target ON link (tenant, target);
