-- How long the source itself asked to wait when the due time was set; null: the time is the schedule's own. A due time is wall
-- time, and only its length tells how far off it can be after the clock was set back.
ALTER TABLE stream ADD COLUMN stated_wait_ms INTEGER;

UPDATE stream SET stated_wait_ms = (
  SELECT max(0, run.resume_at_ms - run.ended_at_ms) FROM run
  WHERE run.tenant = stream.tenant AND run.connection = stream.connection AND run.stream = stream.stream
  ORDER BY run.started_at_ms DESC LIMIT 1
)
WHERE due_at_ms IS NOT NULL;
