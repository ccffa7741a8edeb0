-- Version 2: the counts of panes whose windows are final, for a while. The whole is the segment ''.

CREATE TABLE kept (
  seq INTEGER NOT NULL PRIMARY KEY,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  baseline TEXT NOT NULL,
  name TEXT NOT NULL,
  grid TEXT NOT NULL,
  pane INTEGER NOT NULL,
  segment TEXT NOT NULL,
  shard INTEGER NOT NULL,
  start INTEGER NOT NULL,
  "end" INTEGER NOT NULL,
  committed INTEGER NOT NULL,
  state BLOB NOT NULL,
  UNIQUE (model, version, baseline, name, grid, pane, segment, shard)
);
CREATE INDEX kept_by_age ON kept (committed);
