-- What a reader is writing to an external sink, beside its position: found open at a start, the process ended in it.
CREATE TABLE dispatch (
  reader   TEXT    NOT NULL,
  part     INTEGER NOT NULL,
  n        INTEGER NOT NULL,
  events   INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  open     INTEGER NOT NULL,
  PRIMARY KEY (reader, part)
) STRICT, WITHOUT ROWID;

-- Entries after the slowest reader, per tenant. Written with every append and every move of the slowest reader, so that the
-- share of a tenant is a look-up, whatever the backlog.
CREATE TABLE backlog (
  part   INTEGER NOT NULL,
  tenant TEXT    NOT NULL,
  events INTEGER NOT NULL,
  bytes  INTEGER NOT NULL,
  PRIMARY KEY (part, tenant)
) STRICT, WITHOUT ROWID;

-- In the order of the rows: by the index each row would be a page of its own.
WITH slowest AS MATERIALIZED (SELECT part, min(n) AS n FROM position GROUP BY part)
INSERT INTO backlog (part, tenant, events, bytes)
SELECT log.part, log.tenant, count(*), sum(octet_length(log.payload))
FROM log NOT INDEXED LEFT JOIN slowest ON slowest.part = log.part
WHERE log.n > coalesce(slowest.n, 0)
GROUP BY log.part, log.tenant;
