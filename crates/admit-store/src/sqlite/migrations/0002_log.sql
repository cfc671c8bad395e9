-- The audit log. Events from before it get a log that begins with what happens next.
CREATE TABLE log (
  event INTEGER PRIMARY KEY REFERENCES event (number),
  origin TEXT NOT NULL,
  size INTEGER NOT NULL,
  root BLOB NOT NULL
) STRICT;
INSERT INTO log
SELECT number, 'admit-one.invalid/log/' || number, 0,
  X'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' FROM event;

CREATE TABLE log_entry (
  event INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  leaf BLOB NOT NULL,
  PRIMARY KEY (event, idx)
) STRICT, WITHOUT ROWID;

-- Roots of full tiles. The hashes of a tile of level 0 are those of its leaves; those of a tile of
-- level n are the roots of level n - 1: neither is kept a second time.
CREATE TABLE log_tile (
  event INTEGER NOT NULL,
  level INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  root BLOB NOT NULL,
  PRIMARY KEY (event, level, idx)
) STRICT, WITHOUT ROWID;

ALTER TABLE scan ADD COLUMN leaf INTEGER;
ALTER TABLE spend ADD COLUMN last_leaf INTEGER;
ALTER TABLE ticket ADD COLUMN leaf INTEGER;
ALTER TABLE ticket ADD COLUMN transferable INTEGER NOT NULL DEFAULT 0;
-- The short name in printed links.
ALTER TABLE ticket ADD COLUMN link INTEGER;
CREATE UNIQUE INDEX ticket_by_link ON ticket (link) WHERE link IS NOT NULL;
-- What it signs its lists of spent tickets with (Ed25519).
ALTER TABLE device ADD COLUMN public_key BLOB;
ALTER TABLE signing_key ADD COLUMN retired_at INTEGER;
ALTER TABLE event ADD COLUMN sandbox INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN sandbox INTEGER NOT NULL DEFAULT 0;
