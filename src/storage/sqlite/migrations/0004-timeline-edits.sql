-- 1: a dead letter that was edited before its replay. It keeps its id, so its content no longer gives it.
ALTER TABLE timeline ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
