-- Version 1. Times are microseconds since the epoch. docs/formats/store.md says what each column means.

CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE counters (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE series (
  id INTEGER NOT NULL PRIMARY KEY,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  baseline TEXT NOT NULL,
  name TEXT NOT NULL,
  grid TEXT NOT NULL,
  head BLOB NOT NULL DEFAULT x'',
  UNIQUE (model, version, baseline, name, grid)
);

CREATE TABLE tracks (
  series INTEGER NOT NULL PRIMARY KEY REFERENCES series (id) ON DELETE CASCADE,
  state BLOB NOT NULL
);

-- The whole is the segment ''.
CREATE TABLE slots (
  id INTEGER NOT NULL PRIMARY KEY,
  series INTEGER NOT NULL REFERENCES series (id) ON DELETE CASCADE,
  pane INTEGER NOT NULL,
  segment TEXT NOT NULL,
  shard INTEGER NOT NULL,
  state BLOB NOT NULL,
  UNIQUE (series, pane, segment, shard)
);

CREATE TABLE partitions (
  id INTEGER NOT NULL PRIMARY KEY,
  source TEXT NOT NULL,
  topic TEXT NOT NULL,
  number INTEGER NOT NULL,
  next INTEGER NOT NULL DEFAULT 0,
  mark INTEGER,
  note BLOB NOT NULL DEFAULT x'',
  UNIQUE (source, topic, number)
);

CREATE TABLE files (
  source TEXT NOT NULL,
  path TEXT NOT NULL,
  size INTEGER NOT NULL,
  version TEXT NOT NULL,
  prefix BLOB,
  note BLOB NOT NULL,
  PRIMARY KEY (source, path)
) WITHOUT ROWID;

CREATE TABLE idempotency (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  created INTEGER NOT NULL,
  answer TEXT NOT NULL,
  PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created);

CREATE TABLE windows (
  seq INTEGER NOT NULL PRIMARY KEY,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  newest INTEGER NOT NULL CHECK (newest IN (0, 1)),
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  name TEXT NOT NULL,
  segment TEXT,
  start INTEGER,
  "end" INTEGER,
  at INTEGER NOT NULL,
  place INTEGER NOT NULL,
  verdict TEXT NOT NULL,
  final INTEGER NOT NULL CHECK (final IN (0, 1)),
  committed INTEGER NOT NULL,
  digest BLOB NOT NULL,
  document TEXT CHECK ((document IS NOT NULL) = newest),
  UNIQUE (id, revision)
);
CREATE INDEX windows_by_model ON windows (model, at, place) WHERE newest = 1;
CREATE INDEX windows_by_name ON windows (model, name, segment, at, place) WHERE newest = 1;
CREATE INDEX windows_by_age ON windows (committed);

-- SEMANTICS S15. Only the step aside, when a newer revision comes, is a change that a committed one may see.
CREATE TRIGGER windows_never_change
BEFORE UPDATE ON windows
WHEN NOT (
  OLD.newest = 1 AND NEW.newest = 0 AND NEW.seq = OLD.seq AND NEW.id = OLD.id AND NEW.revision = OLD.revision
  AND NEW.model = OLD.model AND NEW.version = OLD.version AND NEW.name = OLD.name AND NEW.segment IS OLD.segment
  AND NEW.start IS OLD.start AND NEW."end" IS OLD."end" AND NEW.at = OLD.at AND NEW.place = OLD.place
  AND NEW.verdict = OLD.verdict
  AND NEW.final = OLD.final AND NEW.committed = OLD.committed AND NEW.digest = OLD.digest
)
BEGIN
  SELECT RAISE(ABORT, 'a committed revision never changes');
END;

CREATE TABLE alerts (
  seq INTEGER NOT NULL PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  revision INTEGER NOT NULL,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  name TEXT NOT NULL,
  segment TEXT,
  status TEXT NOT NULL CHECK (status IN ('open', 'resolved')),
  severity TEXT NOT NULL,
  opened INTEGER NOT NULL,
  resolved INTEGER,
  committed INTEGER NOT NULL,
  document TEXT NOT NULL,
  acknowledged_by TEXT,
  acknowledged_at INTEGER,
  acknowledged_comment TEXT,
  CHECK ((acknowledged_by IS NULL) = (acknowledged_at IS NULL))
);
CREATE INDEX alerts_by_time ON alerts (opened);
CREATE INDEX alerts_by_status ON alerts (status, opened);
CREATE INDEX alerts_by_model ON alerts (model, opened);
CREATE INDEX alerts_by_age ON alerts (committed) WHERE status = 'resolved';

CREATE TABLE silences (
  id TEXT NOT NULL PRIMARY KEY,
  matcher TEXT NOT NULL,
  author TEXT NOT NULL,
  reason TEXT NOT NULL,
  starts INTEGER NOT NULL,
  expires INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  sink TEXT NOT NULL,
  lane TEXT,
  created INTEGER NOT NULL,
  queued INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'expired')),
  held INTEGER NOT NULL CHECK (held IN (0, 1)),
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt INTEGER NOT NULL,
  finished INTEGER CHECK ((finished IS NULL) = (state = 'pending')),
  error TEXT,
  body TEXT NOT NULL
);
CREATE INDEX outbox_due ON outbox (sink, next_attempt) WHERE state = 'pending' AND held = 0;
CREATE INDEX outbox_lanes ON outbox (sink, lane, seq) WHERE state = 'pending';
CREATE INDEX outbox_by_state ON outbox (sink, state);
CREATE INDEX outbox_by_age ON outbox (finished) WHERE state IN ('delivered', 'expired');
