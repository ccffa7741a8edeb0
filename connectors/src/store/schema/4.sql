-- Version 4: alerts that others have sent.

CREATE TABLE external_alerts (
  seq INTEGER NOT NULL PRIMARY KEY,
  origin TEXT NOT NULL,
  id TEXT NOT NULL,
  model TEXT,
  status TEXT NOT NULL CHECK (status IN ('open', 'resolved')),
  fired INTEGER NOT NULL,
  resolved INTEGER,
  received INTEGER NOT NULL,
  document TEXT NOT NULL,
  UNIQUE (origin, id)
);
CREATE INDEX external_alerts_by_time ON external_alerts (fired, seq);
CREATE INDEX external_alerts_by_age ON external_alerts (received);
