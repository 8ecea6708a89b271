-- Letters get what a replay needs. The table is made anew because ids must never be given twice: a replay in flight names its
-- letters by id while an operator may discard them.
ALTER TABLE dead_letter RENAME TO dead_letter_before;

CREATE TABLE dead_letter (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant      TEXT    NOT NULL,
  connection  TEXT    NOT NULL,
  stage       TEXT    NOT NULL,
  stream      TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  event_id    TEXT    NOT NULL, -- '' for raw records
  version     INTEGER,
  part        INTEGER,          -- null for raw records
  position    INTEGER NOT NULL, -- 0 where it is not known
  code        TEXT    NOT NULL,
  message     TEXT    NOT NULL,
  attempts    INTEGER NOT NULL,
  first_at_ms INTEGER NOT NULL,
  last_at_ms  INTEGER NOT NULL,
  queued      INTEGER NOT NULL,
  UNIQUE (tenant, connection, stage, stream, key, event_id)
) STRICT;

-- Apart from the letters, so that listing, grouping and marking a hundred thousand of them reads no content.
CREATE TABLE dead_letter_payload (
  letter  INTEGER PRIMARY KEY REFERENCES dead_letter (id) ON DELETE CASCADE,
  payload TEXT,
  cut     INTEGER NOT NULL,
  edited  TEXT
) STRICT;

CREATE TABLE dead_letter_attempt (
  id      INTEGER PRIMARY KEY,
  letter  INTEGER NOT NULL REFERENCES dead_letter (id) ON DELETE CASCADE,
  at_ms   INTEGER NOT NULL,
  code    TEXT    NOT NULL,
  message TEXT    NOT NULL
) STRICT;

INSERT INTO dead_letter (id, tenant, connection, stage, stream, key, event_id, version, position, code, message, attempts, first_at_ms, last_at_ms, queued)
SELECT id, tenant, connection, stage, stream, key, event_id,
  CASE WHEN event_id <> '' AND json_valid(payload) THEN CAST(json_extract(payload, '$.version') AS INTEGER) END,
  0, code, message, attempts, first_at_ms, last_at_ms, 0
FROM dead_letter_before;

-- A cut was not marked before, but what is cut is no JSON any more. In code points a text has at least half its UTF-16 length.
INSERT INTO dead_letter_payload (letter, payload, cut)
SELECT id, payload, coalesce(event_id = '' AND length(payload) >= 131071 AND NOT json_valid(payload), 0) FROM dead_letter_before;

INSERT INTO dead_letter_attempt (letter, at_ms, code, message)
SELECT id, last_at_ms, code, message FROM dead_letter_before ORDER BY id;

DROP TABLE dead_letter_before;

CREATE INDEX dead_letter_attempt_letter ON dead_letter_attempt (letter, id);
CREATE INDEX dead_letter_tenant ON dead_letter (tenant, last_at_ms);
-- Holds all that groups are made of, in their order: metrics ask for them again and again.
CREATE INDEX dead_letter_cause ON dead_letter (tenant, connection, stage, stream, code, queued, first_at_ms, last_at_ms);
CREATE INDEX dead_letter_queue ON dead_letter (stage, part, position, id) WHERE queued = 1;
-- Letters from before this step, until the next start has found their partition.
CREATE INDEX dead_letter_unplaced ON dead_letter (id) WHERE part IS NULL AND event_id <> '';
