-- Version 3: stretches of windows without rows that are too long to list.

CREATE TABLE gaps (
  seq INTEGER NOT NULL PRIMARY KEY,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  name TEXT NOT NULL,
  start INTEGER NOT NULL,
  "end" INTEGER NOT NULL CHECK ("end" > start),
  windows INTEGER NOT NULL CHECK (windows > 0),
  committed INTEGER NOT NULL,
  UNIQUE (model, version, name, start, "end", windows)
);
CREATE INDEX gaps_by_time ON gaps (model, "end");
CREATE INDEX gaps_by_age ON gaps (committed);
