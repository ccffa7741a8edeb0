PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
INSERT INTO "alerts" VALUES(1,'a1',1,'flights','2001-01','default','{"origin":"ATL"}','resolved','drift',5,9,2,'{"id":"a1","revision":1}','kim',1,NULL);
INSERT INTO "alerts" VALUES(2,'a2',1,'flights','2001-01','default','{"origin":"ATL"}','resolved','drift',5,9,3,'{"id":"a2","revision":1}','kim',2,'seen');
INSERT INTO "alerts" VALUES(3,'a3',1,'flights','2001-01','default','{"origin":"ATL"}','resolved','drift',5,9,4,'{"id":"a3","revision":1}','kim',3,NULL);
INSERT INTO "alerts" VALUES(4,'a4',1,'flights','2001-01','default','{"origin":"ATL"}','resolved','drift',5,9,5,'{"id":"a4","revision":1}','kim',4,'seen');
INSERT INTO "alerts" VALUES(5,'a5',0,'flights','2001-01','default','{"origin":"ATL"}','open','drift',5,NULL,5,'{"id":"a5","revision":0}','kim',5,NULL);
CREATE TABLE counters (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "counters" VALUES('counter 0','3');
INSERT INTO "counters" VALUES('counter 1','4');
INSERT INTO "counters" VALUES('counter 2','5');
INSERT INTO "counters" VALUES('rows','5');
CREATE TABLE files (
  source TEXT NOT NULL,
  path TEXT NOT NULL,
  size INTEGER NOT NULL,
  version TEXT NOT NULL,
  prefix BLOB,
  note BLOB NOT NULL,
  PRIMARY KEY (source, path)
) WITHOUT ROWID;
INSERT INTO "files" VALUES('drop','f3',-4,'etag-3',NULL,X'90919293');
INSERT INTO "files" VALUES('drop','f4',-5,'etag-4',X'AEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCD',X'AFB0B1B2');
INSERT INTO "files" VALUES('drop','f5',-6,'etag-5',NULL,X'CECFD0D1');
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
INSERT INTO "gaps" VALUES(1,'flights','2001-01','hourly',4000,9000,1001,9);
CREATE TABLE idempotency (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  created INTEGER NOT NULL,
  answer TEXT NOT NULL,
  PRIMARY KEY (scope, key)
) WITHOUT ROWID;
INSERT INTO "idempotency" VALUES('flights','k1',1,'{"rows":1}');
INSERT INTO "idempotency" VALUES('flights','k2',2,'{"rows":2}');
INSERT INTO "idempotency" VALUES('flights','k3',3,'{"rows":3}');
INSERT INTO "idempotency" VALUES('flights','k4',4,'{"rows":4}');
INSERT INTO "idempotency" VALUES('flights','k5',5,'{"rows":5}');
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
INSERT INTO "kept" VALUES(1,'flights','2001-01','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','hourly','6h/1h+0',3,'',0,30,40,5,X'01020304');
INSERT INTO "kept" VALUES(2,'flights','2001-01','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','hourly','6h/1h+0',3,'{"origin":"ATL"}',0,30,40,5,X'0506');
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
INSERT INTO "outbox" VALUES(1,'a:1:oncall','oncall','a',1,1,'pending',0,0,1,NULL,NULL,'{"number":1}');
INSERT INTO "outbox" VALUES(2,'free:1:record','record',NULL,1,1,'pending',0,0,1,NULL,NULL,'{"number":1}');
INSERT INTO "outbox" VALUES(3,'a:2:oncall','oncall','a',2,2,'pending',1,0,2,NULL,NULL,'{"number":2}');
INSERT INTO "outbox" VALUES(4,'free:2:record','record',NULL,2,2,'pending',0,0,2,NULL,NULL,'{"number":2}');
INSERT INTO "outbox" VALUES(5,'a:3:oncall','oncall','a',3,3,'pending',1,0,3,NULL,NULL,'{"number":3}');
INSERT INTO "outbox" VALUES(6,'free:3:record','record',NULL,3,3,'pending',0,0,3,NULL,NULL,'{"number":3}');
INSERT INTO "outbox" VALUES(7,'a:4:oncall','oncall','a',4,4,'pending',1,0,4,NULL,NULL,'{"number":4}');
INSERT INTO "outbox" VALUES(8,'free:4:record','record',NULL,4,4,'pending',0,0,4,NULL,NULL,'{"number":4}');
INSERT INTO "outbox" VALUES(9,'a:5:oncall','oncall','a',5,5,'pending',1,0,5,NULL,NULL,'{"number":5}');
INSERT INTO "outbox" VALUES(10,'free:5:record','record',NULL,5,5,'pending',0,0,5,NULL,NULL,'{"number":5}');
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
INSERT INTO "partitions" VALUES(1,'flights','flights',0,500,-6,X'C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2');
INSERT INTO "partitions" VALUES(2,'flights','flights',1,501,-6,X'C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2');
INSERT INTO "partitions" VALUES(3,'flights','flights',2,502,-6,X'C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2');
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
INSERT INTO "series" VALUES(1,'flights','2001-01','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','hourly','6h/1h+0',X'9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3');
INSERT INTO "series" VALUES(2,'flights','2001-01','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','daily','6h/1h+0',X'9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4');
INSERT INTO "series" VALUES(3,'flights','2001-01','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','passing-1','6h/1h+0',X'9E9FA0A1A2A3A4A5A6A7');
CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "settings" VALUES('created','1');
INSERT INTO "settings" VALUES('odd','5');
INSERT INTO "settings" VALUES('step','5');
CREATE TABLE silences (
  id TEXT NOT NULL PRIMARY KEY,
  matcher TEXT NOT NULL,
  author TEXT NOT NULL,
  reason TEXT NOT NULL,
  starts INTEGER NOT NULL,
  expires INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "silences" VALUES('s0','{}','kim','step 5',5,15);
INSERT INTO "silences" VALUES('s1','{}','kim','step 1',1,11);
INSERT INTO "silences" VALUES('s2','{}','kim','step 2',2,12);
INSERT INTO "silences" VALUES('s3','{}','kim','step 3',3,13);
INSERT INTO "silences" VALUES('s4','{}','kim','step 4',4,14);
CREATE TABLE slots (
  id INTEGER NOT NULL PRIMARY KEY,
  series INTEGER NOT NULL REFERENCES series (id) ON DELETE CASCADE,
  pane INTEGER NOT NULL,
  segment TEXT NOT NULL,
  shard INTEGER NOT NULL,
  state BLOB NOT NULL,
  UNIQUE (series, pane, segment, shard)
);
INSERT INTO "slots" VALUES(1,1,1,'',0,X'292A2B2C');
INSERT INTO "slots" VALUES(3,1,2,'',0,X'48494A4B');
INSERT INTO "slots" VALUES(5,1,3,'',0,X'6768696A');
INSERT INTO "slots" VALUES(6,1,3,'{"origin":"ATL"}',0,X'71727374');
INSERT INTO "slots" VALUES(7,1,4,'',0,X'86878889');
INSERT INTO "slots" VALUES(8,1,4,'{"origin":"ATL"}',0,X'90919293');
INSERT INTO "slots" VALUES(9,1,5,'',0,X'A5A6A7A8');
INSERT INTO "slots" VALUES(10,1,5,'{"origin":"ATL"}',0,X'AFB0B1B2');
INSERT INTO "slots" VALUES(11,1,6,'',0,X'A6A7A8A9');
INSERT INTO "slots" VALUES(12,1,6,'{"origin":"ATL"}',0,X'B0B1B2B3');
INSERT INTO "slots" VALUES(13,1,7,'',0,X'A7A8A9AA');
INSERT INTO "slots" VALUES(14,1,7,'{"origin":"ATL"}',0,X'B1B2B3B4');
INSERT INTO "slots" VALUES(15,1,8,'',0,X'A8A9AAAB');
INSERT INTO "slots" VALUES(16,1,8,'{"origin":"ATL"}',0,X'B2B3B4B5');
INSERT INTO "slots" VALUES(18,1,9,'',0,X'A9AAABAC');
INSERT INTO "slots" VALUES(19,1,9,'{"origin":"ATL"}',0,X'B3B4B5B6');
INSERT INTO "slots" VALUES(20,1,10,'',0,X'AAABACAD');
INSERT INTO "slots" VALUES(21,1,10,'{"origin":"ATL"}',0,X'B4B5B6B7');
INSERT INTO "slots" VALUES(22,1,11,'',0,X'ABACADAE');
INSERT INTO "slots" VALUES(23,1,11,'{"origin":"ATL"}',0,X'B5B6B7B8');
INSERT INTO "slots" VALUES(24,3,0,'',0,X'B9BABBBC');
INSERT INTO "slots" VALUES(25,1,0,'',0,X'ACADAEAF');
INSERT INTO "slots" VALUES(26,1,0,'{"origin":"ATL"}',0,X'B6B7B8B9');
CREATE TABLE tracks (
  series INTEGER NOT NULL PRIMARY KEY REFERENCES series (id) ON DELETE CASCADE,
  state BLOB NOT NULL
);
INSERT INTO "tracks" VALUES(1,X'9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DA');
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
INSERT INTO "windows" VALUES(1,'w1',0,0,'flights','2001-01','default',NULL,0,3600000000,3600000000,1,'drift',0,1,X'B1A860B77905C39EC4E025AF6F43CB105C537CE7E630E620297DF6410CA6E3E1',NULL);
INSERT INTO "windows" VALUES(2,'w2',0,0,'flights','2001-01','default',NULL,0,3600000000,3600000000,2,'drift',0,2,X'B055025A611C43CA973EB429318492BD0070B094D758157D1711CA6B552CC33D',NULL);
INSERT INTO "windows" VALUES(3,'w1',1,1,'flights','2001-01','default',NULL,0,3600000000,3600000000,1,'drift',1,2,X'41BC11C79F09427CA9614896C8056F2326F95D36CE8BE4E700E7927318F2EBEE','{"id":"w1","revision":1}');
INSERT INTO "windows" VALUES(4,'w3',0,0,'flights','2001-01','default',NULL,0,3600000000,3600000000,4,'drift',0,3,X'71A917B6F52E269D08F817912F5197924D54B465A097AA129822D80EEF7C2C26',NULL);
INSERT INTO "windows" VALUES(5,'w2',1,1,'flights','2001-01','default',NULL,0,3600000000,3600000000,2,'drift',1,3,X'28ED78DB7080B02D8A88BF98BBBF6504F702EC34CAE56A2A23ABFBD2B0B9CB70','{"id":"w2","revision":1}');
INSERT INTO "windows" VALUES(6,'w4',0,0,'flights','2001-01','default',NULL,0,3600000000,3600000000,6,'drift',0,4,X'4322F982D72D6F99FD6CA6F9D3362A37FB47E8D7A1A1A1212DFB50873D996AB0',NULL);
INSERT INTO "windows" VALUES(7,'w3',1,1,'flights','2001-01','default',NULL,0,3600000000,3600000000,4,'drift',1,4,X'492FF7FAE1BDD0407E5ABF83F80CF9D3ED969E798C2FA8E9B4BDE78EC9F5A58C','{"id":"w3","revision":1}');
INSERT INTO "windows" VALUES(8,'w5',0,1,'flights','2001-01','default',NULL,0,3600000000,3600000000,8,'drift',0,5,X'F8903394ADFCA814C5DE2C042A28DEF3354D38E9100864EAEEDBC8F3030B99DA','{"id":"w5","revision":0}');
INSERT INTO "windows" VALUES(9,'w4',1,1,'flights','2001-01','default',NULL,0,3600000000,3600000000,6,'drift',1,5,X'72F0DB81F50316DEB01C13E61510D1D8AB26A1F77CE5DE91D9741DC9F487F9E2','{"id":"w4","revision":1}');
CREATE INDEX idempotency_by_age ON idempotency (created);
CREATE INDEX windows_by_model ON windows (model, at, place) WHERE newest = 1;
CREATE INDEX windows_by_name ON windows (model, name, segment, at, place) WHERE newest = 1;
CREATE INDEX windows_by_age ON windows (committed);
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
CREATE INDEX alerts_by_time ON alerts (opened);
CREATE INDEX alerts_by_status ON alerts (status, opened);
CREATE INDEX alerts_by_model ON alerts (model, opened);
CREATE INDEX alerts_by_age ON alerts (committed) WHERE status = 'resolved';
CREATE INDEX outbox_due ON outbox (sink, next_attempt) WHERE state = 'pending' AND held = 0;
CREATE INDEX outbox_lanes ON outbox (sink, lane, seq) WHERE state = 'pending';
CREATE INDEX outbox_by_state ON outbox (sink, state);
CREATE INDEX outbox_by_age ON outbox (finished) WHERE state IN ('delivered', 'expired');
CREATE INDEX kept_by_age ON kept (committed);
CREATE INDEX gaps_by_time ON gaps (model, "end");
CREATE INDEX gaps_by_age ON gaps (committed);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',10);
COMMIT;
PRAGMA application_id = 1684825716;
PRAGMA user_version = 3;
